"""Mixup, and RandAugment's fourteen operations on integer images, written out.

Each operation gives what `torchvision.transforms.v2` gives, pixel by pixel; the tests compare them. Randomness comes in
as a numpy generator, so that a run can be repeated. Nothing here knows a training loop.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch.nn import functional as F

LEVELS = 31
"""RandAugment's magnitudes are 0 … 30 (Cubuk et al. 2019, section 3.1, as torchvision counts them)."""


# --- operations --------------------------------------------------------------------------------------------
# Each takes a uint8 image (C, H, W) with 1 or 3 channels and its strength; what that means differs.


def _identity(image: torch.Tensor, _: float) -> torch.Tensor:
    return image.clone()


def _shear_x(image: torch.Tensor, slope: float) -> torch.Tensor:
    """Row y moves by slope·y to the left, counted from the upper edge."""
    return _warp(image, ((1, slope, slope * image.shape[1] / 2), (0, 1, 0)))


def _shear_y(image: torch.Tensor, slope: float) -> torch.Tensor:
    """Column x moves up by slope·x, counted from the left edge."""
    return _warp(image, ((1, 0, 0), (slope, 1, slope * image.shape[2] / 2)))


def _translate_x(image: torch.Tensor, pixels: float) -> torch.Tensor:
    return _warp(image, ((1, 0, -int(pixels)), (0, 1, 0)))


def _translate_y(image: torch.Tensor, pixels: float) -> torch.Tensor:
    return _warp(image, ((1, 0, 0), (0, 1, -int(pixels))))


def _rotate(image: torch.Tensor, degrees: float) -> torch.Tensor:
    """Counter-clockwise about the middle."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return _warp(image, ((cos, -sin, 0), (sin, cos, 0)))


def _warp(image: torch.Tensor, source: tuple[tuple[float, ...], tuple[float, ...]]) -> torch.Tensor:
    """Each pixel's value comes from the pixel nearest to `source` · (x, y, 1), both measured from the middle; from
    outside of the image comes 0."""
    _, height, width = image.shape
    here, half = _places(height, width)
    grid = here.bmm(torch.tensor(source).T[None] / half).view(1, height, width, 2)
    moved = F.grid_sample(image[None].float(), grid, "nearest", "zeros", align_corners=False)
    return moved[0].round().to(torch.uint8)


@functools.lru_cache(maxsize=64)
def _places(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(x, y, 1) of each pixel, measured from the middle, (1, height·width, 3), and half the two sides."""
    ys, xs = (torch.linspace((1 - side) * 0.5, (side - 1) * 0.5, side) for side in (height, width))
    here = torch.stack([*torch.meshgrid(xs, ys, indexing="xy"), torch.ones(height, width)], dim=-1)
    return here.view(1, -1, 3), torch.tensor([0.5 * width, 0.5 * height])


def _brightness(image: torch.Tensor, change: float) -> torch.Tensor:
    return _to_pixels(image * (1 + change))


def _color(image: torch.Tensor, change: float) -> torch.Tensor:
    return image.clone() if len(image) == 1 else _blend(image, _grey(image), 1 + change)


def _contrast(image: torch.Tensor, change: float) -> torch.Tensor:
    return _blend(image, _grey(image).mean(), 1 + change)


def _sharpness(image: torch.Tensor, change: float) -> torch.Tensor:
    """Against a smoothed image; the outermost pixels stay as they are."""
    if min(image.shape[1:]) <= 2:
        return image.clone()
    kernel = torch.full((len(image), 1, 3, 3), 1 / 13)
    kernel[:, :, 1, 1] = 5 / 13
    smooth = F.conv2d(image[None].float(), kernel, groups=len(image))[0].round()
    sharpened = image.clone()
    inner = image[:, 1:-1, 1:-1].float()
    sharpened[:, 1:-1, 1:-1] = _to_pixels(inner.add(smooth - inner, alpha=-change))
    return sharpened


def _blend(image: torch.Tensor, other: torch.Tensor, share: float) -> torch.Tensor:
    """share·image + (1 − share)·other; a share above 1 leads away from the other."""
    return _to_pixels(torch.add(image * share, other, alpha=1 - share))


def _grey(image: torch.Tensor) -> torch.Tensor:
    """Brightness (1, H, W) as float, rounded down."""
    if len(image) == 1:
        return image.float()
    red, green, blue = image
    return (red * 0.2989).add(green, alpha=0.587).add(blue, alpha=0.114)[None].floor()


def _to_pixels(values: torch.Tensor) -> torch.Tensor:
    return values.clamp(0, 255).to(torch.uint8)


def _posterize(image: torch.Tensor, bits: float) -> torch.Tensor:
    """Keep the highest `bits` bits of each pixel."""
    return image & (256 - 2 ** (8 - int(bits)))


def _solarize(image: torch.Tensor, threshold: float) -> torch.Tensor:
    """Invert what is at least `threshold`, a share of full brightness."""
    return torch.where(image >= 255 * threshold, 255 - image, image)


def _auto_contrast(image: torch.Tensor, _: float) -> torch.Tensor:
    """Stretch each channel to 0 … 255; a channel of one value stays."""
    low, high = (edge(image.float(), (1, 2), keepdim=True) for edge in (torch.amin, torch.amax))
    stretched = (image - low) / ((high - low) * (1 / 255))
    return torch.where(high == low, image, _to_pixels(stretched.nan_to_num()))


def _equalize(image: torch.Tensor, _: float) -> torch.Tensor:
    """Make each channel's values equally frequent, with Pillow's integer arithmetic."""
    return torch.stack([_equalized(channel) for channel in image])


def _equalized(channel: torch.Tensor) -> torch.Tensor:
    counts = torch.bincount(channel.flatten().int(), minlength=256)
    step = int(counts.sum() - counts[int(channel.max())]) // 255
    if step == 0:
        return channel
    below = counts.cumsum(0) - counts  # pixels that are darker
    table = ((below + step // 2) // step).clamp(0, 255).to(torch.uint8)
    return table[channel.int()]


class Operation(NamedTuple):
    """What an operation does, its strength at a share of the highest magnitude and an image size, and whether it has a
    sign."""

    apply: Callable[[torch.Tensor, float], torch.Tensor]
    strength: Callable[[float, int, int], float]
    signed: bool


def _up_to(most: float) -> Callable[[float, int, int], float]:
    return lambda share, height, width: most * share


def _none(share: float, height: int, width: int) -> float:
    return 0.0


OPERATIONS: dict[str, Operation] = {
    "Identity": Operation(_identity, _none, False),
    "ShearX": Operation(_shear_x, _up_to(0.3), True),
    "ShearY": Operation(_shear_y, _up_to(0.3), True),
    "TranslateX": Operation(_translate_x, lambda share, height, width: 150 / 331 * width * share, True),
    "TranslateY": Operation(_translate_y, lambda share, height, width: 150 / 331 * height * share, True),
    "Rotate": Operation(_rotate, _up_to(30.0), True),
    "Brightness": Operation(_brightness, _up_to(0.9), True),
    "Color": Operation(_color, _up_to(0.9), True),
    "Contrast": Operation(_contrast, _up_to(0.9), True),
    "Sharpness": Operation(_sharpness, _up_to(0.9), True),
    "Posterize": Operation(_posterize, lambda share, height, width: float(round(8 - 4 * share)), False),
    "Solarize": Operation(_solarize, lambda share, height, width: 1 - share, False),
    "AutoContrast": Operation(_auto_contrast, _none, False),
    "Equalize": Operation(_equalize, _none, False),
}
"""RandAugment's operations by name, in torchvision's order; strengths are torchvision's too."""


def apply_operation(image: torch.Tensor, name: str, strength: float = 0.0) -> torch.Tensor:
    """One of RandAugment's operations, applied to one image.

    Args:
        image: uint8 (C, H, W), C = 1 or 3; it stays as it was.
        name: a key of `OPERATIONS`.
        strength: a slope (ShearX, ShearY), pixels (TranslateX, TranslateY), degrees (Rotate), a relative change
            (Brightness, Color, Contrast, Sharpness), bits to keep (Posterize), a threshold between 0 and 1 (Solarize).
            The other operations have none.

    Returns:
        uint8 (C, H, W).

    Raises:
        ValueError: no such image or operation.
    """
    check_image(image)
    if name not in OPERATIONS:
        raise ValueError(f"name must be one of {', '.join(OPERATIONS)}, got {name!r}")
    return OPERATIONS[name].apply(image, float(strength))  # numpy's float64 would make torch compute in it


def check_image(image: torch.Tensor) -> None:
    """Raise a ValueError that says what `image` must be, unless it is uint8 (1 or 3, H, W)."""
    if not isinstance(image, torch.Tensor) or image.dtype != torch.uint8 or image.ndim != 3:
        what = (
            f"{image.dtype} {tuple(image.shape)}" if isinstance(image, torch.Tensor) else type(image).__name__
        )
        raise ValueError(f"image must be a uint8 tensor (C, H, W), got {what}")
    if image.shape[0] not in (1, 3) or 0 in image.shape:
        raise ValueError(f"image must have 1 or 3 channels and pixels, got the shape {tuple(image.shape)}")


class RandAugment:
    """Applies `n` operations, each drawn anew, at magnitude `m` of 0 … 30 (Cubuk et al. 2019).

    Args:
        n: operations one after the other, 0 or more.
        m: their common level; between two whole numbers the strengths are interpolated.
        rng: draws operations and directions.
    """

    def __init__(self, n: int, m: float, rng: Generator) -> None:
        if n < 0:
            raise ValueError(f"n must be 0 or more, got {n!r}")
        if not 0 <= m < LEVELS:
            raise ValueError(f"m must be from 0 to {LEVELS - 1}, got {m!r}")
        self.n, self.share, self.rng = n, m / (LEVELS - 1), rng

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """A uint8 image (C, H, W) to another one."""
        check_image(image)
        _, height, width = image.shape
        operations = list(OPERATIONS.values())
        for choice in self.rng.integers(len(operations), size=self.n):
            operation = operations[choice]
            strength = operation.strength(self.share, height, width)
            if operation.signed and self.rng.random() < 0.5:
                strength = -strength
            image = operation.apply(image, strength)
        return image

    def batch(self, images: torch.Tensor) -> torch.Tensor:
        """The same for each of (B, C, H, W), independently."""
        return torch.stack([self(image) for image in images])


# --- mixup -------------------------------------------------------------------------------------------------


class Mixup:
    """Mixes each image of a batch, and its label, with another one of the batch (Zhang et al. 2018).

    Args:
        alpha: both parameters of the Beta distribution of the share λ, above 0; small values leave images alone.
        classes: number of classes of the soft labels.
        rng: draws λ and who is mixed with whom.
    """

    def __init__(self, alpha: float, classes: int, rng: Generator) -> None:
        if not alpha > 0:
            raise ValueError(f"alpha must be above 0, got {alpha!r}")
        self.alpha, self.classes, self.rng = alpha, classes, rng

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Images (B, C, H, W) as floats and labels (B,) to mixed images and soft labels (B, classes)."""
        share = self.rng.beta(self.alpha, self.alpha)
        partner = torch.from_numpy(self.rng.permutation(len(x))).to(x.device)
        labels = F.one_hot(y, self.classes).to(x.dtype)
        return torch.lerp(x[partner], x, share), torch.lerp(labels[partner], labels, share)


def level_strengths(name: str, height: int, width: int) -> np.ndarray:
    """The strengths of an operation at magnitudes 0 … 30, for images of this size: (31,)."""
    strength = OPERATIONS[name].strength
    return np.array([strength(level / (LEVELS - 1), height, width) for level in range(LEVELS)])
