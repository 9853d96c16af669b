"""Image data for every lesson: small enough for a laptop, hard enough that architectures differ.

`cluttered_digits` draws scenes from real handwriting and can show the *same* scene at any resolution, so that
resolution is a dimension of its own. `load_dataset` reads torchvision's data sets behind the same interface.
This module trains nothing and imports torch only when tensors are asked for.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas_lib._files import at
from nas_lib._numbers import is_integer

if TYPE_CHECKING:
    import torch

SPLITS = ("train", "valid", "test")
DATASETS = ("mnist", "fashion_mnist", "cifar10")
SCENE = 48
"""Side of the canvas, in pixels, on which every scene is drawn before it is reduced to the resolution asked for."""
NATIVE = 12
"""Side of the scene in pixels of the original 8x8 handwriting: a digit fills about two thirds of it."""
FRAGMENTS = 3
NOISE = 0.05
"""Standard deviation of the per-pixel noise, as a fraction of full brightness."""

_GLYPH = 64  # side of the smooth, enlarged handwriting that scenes are sampled from
_MARGIN = 8  # empty border around it, in enlarged pixels, where samples from outside the glyph fall
_CHUNK = 250  # scenes drawn at a time; part of the definition, since each chunk has its own generator
_FIXED = 16  # fractional bits of the integer coordinates: integers make the images the same on every machine


@dataclass(frozen=True)
class Dataset:
    """Images with labels.

    `images` is uint8 of shape (n, channels, resolution, resolution), `labels` int64 of shape (n,), `name` says where
    they come from and `mean` and `std` (one per channel, brightness 0–1) are what `tensors` normalises with.
    """

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def channels(self) -> int:
        """1 for grey images, 3 for colour."""
        return self.images.shape[1]

    @property
    def resolution(self) -> int:
        """Side of the images in pixels."""
        return self.images.shape[2]

    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Normalised float32 images (n, channels, r, r) and int64 labels (n,)."""
        import torch

        mean = torch.tensor(self.mean).view(1, -1, 1, 1)
        std = torch.tensor(self.std).view(1, -1, 1, 1)
        return (torch.from_numpy(self.images).float() / 255 - mean) / std, torch.from_numpy(self.labels)

    def content_hash(self) -> str:
        """SHA-256 of the labels and images: two data sets are the same exactly if their hashes are."""
        digest = hashlib.sha256(self.labels.astype("<i8").tobytes())
        digest.update(repr(self.images.shape).encode())
        digest.update(np.ascontiguousarray(self.images).tobytes())
        return digest.hexdigest()


# --- cluttered digits ------------------------------------------------------------------------------------


def cluttered_digits(split: str, n: int, resolution: int = 12, seed: int = 0) -> Dataset:
    """`n` scenes, each with one handwritten digit among fragments of other digits.

    A scene is drawn at 48x48: the digit is rotated, sheared, scaled, moved and given a random contrast; three
    fragments of other digits lie beside or across it. The drawing is averaged down to `resolution` and only then
    gets its noise. So for equal `split` and `seed`, image `i` shows the same scene at every resolution, and the first
    images of a longer data set are those of a shorter one.

    The handwriting is the UCI set of 1,797 digits that scikit-learn bundles. It is divided into `SPLITS` before any
    scene is drawn, so no handwritten digit, not even as a fragment, appears in two splits.

    Args:
        split: "train", "valid" or "test".
        n: number of images, at least 1.
        resolution: side of the images in pixels, 8 to 48.
        seed: any non-negative integer; another seed gives other scenes of the same handwriting.
    """
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; accepted: {', '.join(SPLITS)}")
    _check_integer("n", n, 1, None)
    _check_integer("resolution", resolution, 8, SCENE)
    _check_integer("seed", seed, 0, None)
    glyphs, digit_labels = _handwriting(split)
    # one matrix of area weights reduces rows, its transpose columns
    weights = _area_weights(SCENE, resolution)
    images = np.empty((n, 1, resolution, resolution), np.uint8)
    labels = np.empty(n, np.int64)
    for start in range(0, n, _CHUNK):
        key = (seed, SPLITS.index(split), start // _CHUNK)
        which, scenes = _draw_scenes(glyphs, np.random.default_rng((0, *key)))
        small = weights @ scenes @ weights.T
        noise = np.random.default_rng((1, resolution, *key)).normal(0, NOISE * 255, small.shape)
        stop = min(start + _CHUNK, n)
        images[start:stop, 0] = np.clip(np.rint(small + noise), 0, 255)[: stop - start]
        labels[start:stop] = digit_labels[which][: stop - start]
    # Normalisation constants are fixed, not estimated, so that every subset is scaled alike.
    return Dataset(f"cluttered_digits/{split}", images, labels, mean=(0.25,), std=(0.25,))


def split_sources(split: str) -> NDArray[np.int64]:
    """Indices into scikit-learn's 1,797 digits from which the scenes of `split` are drawn (60, 20 and 20 %)."""
    order = np.random.default_rng(20170425).permutation(1797)
    first, second = 1077, 1437
    return {"train": order[:first], "valid": order[first:second], "test": order[second:]}[split]


@lru_cache
def _handwriting(split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The split's digits, enlarged smoothly to 64x64 with an empty margin, as (n, 80, 80) uint8, and their labels."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    sources = split_sources(split)
    enlarge = _linear_weights(8, _GLYPH)
    large = enlarge @ (digits.images[sources] * (255 / 16)) @ enlarge.T
    glyphs = np.pad(np.rint(large).astype(np.uint8), ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN)))
    return glyphs, digits.target[sources].astype(np.int64)


def _draw_scenes(
    glyphs: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """One chunk of scenes: which glyph each shows, and the drawings (chunk, 48, 48) with brightness 0–255."""
    n = _CHUNK
    which = rng.integers(len(glyphs), size=n)
    digit = _sample_affine(
        glyphs,
        which,
        angle=rng.uniform(-0.25, 0.25, n),
        shear=rng.uniform(-0.2, 0.2, n),
        scale=rng.uniform(0.9, 1.25, (n, 2)),
        shift=rng.uniform(-0.12, 0.12, (n, 2)),
    )
    clutter = np.zeros(digit.shape)
    for _ in range(FRAGMENTS):
        others = rng.integers(len(glyphs), size=n)
        fragment = _sample_affine(
            glyphs,
            others,
            angle=rng.uniform(-np.pi, np.pi, n),
            shear=np.zeros(n),
            scale=rng.uniform(0.8, 1.25, (n, 2)),
            shift=rng.uniform(-0.45, 0.45, (n, 2)),
            window=rng.uniform(0, 0.5, (n, 2)),
        )
        np.maximum(clutter, fragment * rng.uniform(0.3, 0.8, (n, 1, 1)), out=clutter)
    contrast = rng.uniform(0.7, 1.0, (n, 1, 1))
    return which, np.maximum(digit * contrast, clutter * contrast)


def _sample_affine(
    glyphs: NDArray[np.uint8],
    which: NDArray[np.int64],
    angle: NDArray[np.float64],
    shear: NDArray[np.float64],
    scale: NDArray[np.float64],
    shift: NDArray[np.float64],
    window: NDArray[np.float64] | None = None,
) -> NDArray[np.uint8]:
    """Glyph `which[i]` under its own affine map, sampled on the canvas: (n, 48, 48) uint8.

    Lengths are fractions of the scene's side. With `window` (n, 2), only the half-sized window that starts there
    (fractions of the glyph) is shown: a fragment.
    """
    n = len(which)
    # From canvas pixels to glyph pixels: the inverse of (rotate · shear · scale), then the glyph's size.
    unit = _GLYPH * NATIVE / 8 / SCENE
    cos, sin = np.cos(angle), np.sin(angle)
    inverse = np.stack([np.stack([cos, sin], 1), np.stack([-sin + shear * cos, cos + shear * sin], 1)], 1)
    inverse *= unit / scale[:, :, None]
    fixed = np.rint(inverse * 2**_FIXED).astype(np.int32)
    # Centred coordinates of the canvas pixels, doubled so that they are whole numbers, minus the shift.
    grid = 2 * np.arange(SCENE, dtype=np.int32) - (SCENE - 1)
    move = np.rint(shift * 2 * SCENE).astype(np.int32)
    rows = grid[None] - move[:, :1]
    columns = grid[None] - move[:, 1:]
    centre = np.int32((_GLYPH / 2 + _MARGIN) * 2 ** (_FIXED + 1))
    side = glyphs.shape[1]
    if window is None:
        lower = np.zeros((n, 2), np.int32)
        upper = np.full((n, 2), side - 1, np.int32)
    else:
        # a fragment is turned about its own middle, so that it lands where it was put
        lower = np.rint(_MARGIN + window * _GLYPH).astype(np.int32)
        upper = lower + _GLYPH // 2
    # A sample outside the window falls on row 0 of the margin, which is empty.
    source = []
    for axis in range(2):
        middle = centre if window is None else ((lower + upper)[:, axis] << _FIXED)[:, None, None]
        position = (fixed[:, axis, 0, None] * rows)[:, :, None] + (fixed[:, axis, 1, None] * columns)[
            :, None, :
        ]
        position += middle
        position >>= _FIXED + 1
        inside = (position >= lower[:, axis, None, None]) & (position <= upper[:, axis, None, None])
        source.append(position * inside)
    flat = source[0] * side
    flat += source[1]
    flat += (which.astype(np.int32) * side * side)[:, None, None]
    return glyphs.reshape(-1)[flat]


@lru_cache
def _area_weights(large: int, small: int) -> NDArray[np.float64]:
    """(small, large) matrix that averages `large` pixels over `small` equal intervals; each row sums to 1."""
    edges = np.arange(small + 1) * (large / small)
    pixels = np.arange(large)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.clip(overlap, 0, None) * (small / large)


def _linear_weights(small: int, large: int) -> NDArray[np.float64]:
    """(large, small) matrix of linear interpolation between pixel centres; outside the first and last it falls to 0."""
    centres = (np.arange(large) + 0.5) * small / large - 0.5
    return np.clip(1 - np.abs(centres[:, None] - np.arange(small)), 0, None)


# --- torchvision's data sets -----------------------------------------------------------------------------


def load_dataset(
    name: str, root: str | Path, split: str = "train", n: int | None = None, download: bool = False
) -> Dataset:
    """One of torchvision's data sets, with the interface of `cluttered_digits`.

    The test images are the original ones. Validation images are a sixth of the original training images (10,000 of
    MNIST's 60,000), the same ones each time. Images are shuffled once, in a fixed order, since some copies of these
    files are sorted by class.

    Args:
        name: "mnist", "fashion_mnist" or "cifar10".
        root: the folder that torchvision keeps its data in, or the data set's own folder in it.
        split: "train", "valid" or "test".
        n: only the first `n` images.
        download: fetch the files first if they are missing (needs the internet).

    Raises:
        FileNotFoundError: the files are not under `root` (and could not be fetched).
        ValueError: an argument out of range, or files that are cut off or hold something else.
    """
    if name not in DATASETS:
        raise ValueError(f"name is {name!r}; accepted: {', '.join(DATASETS)}")
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; accepted: {', '.join(SPLITS)}")
    images, labels = _read_torchvision(name, at(root), train=split != "test", download=download)
    order = np.random.default_rng(20170425).permutation(len(images))
    held_out = len(images) // 6
    chosen = {"train": order[held_out:], "valid": order[:held_out], "test": order}[split]
    if n is not None:
        _check_integer("n", n, 1, len(chosen))
        chosen = chosen[:n]
    mean, std = _NORMALISATION[name]
    return Dataset(f"{name}/{split}", np.ascontiguousarray(images[chosen]), labels[chosen], mean, std)


_NORMALISATION: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "mnist": ((0.1307,), (0.3081,)),
    "fashion_mnist": ((0.2860,), (0.3530,)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
}
"""Mean and standard deviation of each data set's training images: the customary constants."""


def _read_torchvision(
    name: str, root: Path, train: bool, download: bool
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All images (n, channels, r, r) and labels (n,) of one of torchvision's two parts."""
    from torchvision import datasets

    classes = {"mnist": datasets.MNIST, "fashion_mnist": datasets.FashionMNIST, "cifar10": datasets.CIFAR10}
    folder = "cifar-10-batches-py" if name == "cifar10" else classes[name].__name__
    if root.name == folder and not (root / folder).is_dir():
        root = root.parent
    try:
        source = classes[name](str(root), train=train, download=download)
    except Exception as error:  # torchvision raises what it comes upon
        # Its ways to say "not found" and "no internet"; what else there is lies in the files.
        if not isinstance(error, OSError) and not re.search("not found|ownload", str(error)):
            raise ValueError(
                f"root must hold the whole files of {name}, got {root}, in which one is cut off or another file "
                f"({type(error).__name__}: {error})"
            ) from error
        packed = next((root / folder).glob("raw/*.gz"), None)
        raise FileNotFoundError(
            f"no complete {name} under {root}: pass download=True with an internet connection, "
            f"or use cluttered_digits, which works offline"
            + (f"; its files are packed there, `gunzip {packed.parent}/*.gz` unpacks them" if packed else "")
        ) from error
    images = np.asarray(source.data)
    images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    labels = np.asarray(source.targets, np.int64)
    if len(images) != len(labels):
        raise ValueError(
            f"root must hold a label for each image of {name}, got {len(images)} images and {len(labels)} labels "
            f"under {root}"
        )
    return images, labels


def _check_integer(name: str, value: Any, least: int, most: int | None) -> None:
    accepted = f"an integer of at least {least}" if most is None else f"an integer from {least} to {most}"
    if not is_integer(value):
        raise TypeError(f"{name} is {value!r}; accepted: {accepted}")
    if value < least or (most is not None and value > most):
        raise ValueError(f"{name} is {value!r}; accepted: {accepted}")
