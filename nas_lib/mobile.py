"""Networks of `MobileSpace`: one at a time, or all of them in one set of weights.

A `MobileNetwork` is MobileNetV2's plan at laptop size (Sandler et al. 2018): a stem, stages of inverted bottlenecks, a
pooled head. An `ElasticNetwork` holds the weights of the largest network of a space and runs any other one as a part
of it, as Once-for-All does (Cai et al. 2020); `extract` cuts that part out. Nothing is trained here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from nas_lib._numbers import is_integer, make_plain, require_counts, seed_number
from nas_lib.spaces import MobileArch, MobileSpace


@dataclass(frozen=True)
class MobileConfig:
    """What every network of a space has in common.

    Attributes:
        channels: of each stage, at width 1.
        strides: of each stage's first block.
        stem: channels behind the first convolution, which has stride 1.
        head: channels of the last 1x1 convolution, which the classifier reads.
        divisor: channels are rounded to a multiple of it when a width multiplies them.

    Raises:
        ValueError: a number that is no integer from 1 up.
    """

    channels: tuple[int, ...] = (8, 16, 32)
    strides: tuple[int, ...] = (1, 2, 2)
    stem: int = 8
    head: int = 64
    in_channels: int = 1
    classes: int = 10
    divisor: int = 4

    def __post_init__(self) -> None:
        make_plain(self)
        require_counts(self, "stem", "head", "in_channels", "classes", "divisor")
        for name in ("channels", "strides"):
            numbers = getattr(self, name)
            if not (isinstance(numbers, tuple) and numbers and all(is_integer(n) and n > 0 for n in numbers)):
                raise ValueError(f"{name} must be integers from 1 up, one for each stage, got {numbers!r}")

    def scaled(self, width: float) -> tuple[int, tuple[int, ...], int]:
        """Channels of stem, stages and head at a width: rounded to `divisor`, never below it."""

        def rounded(channels: int) -> int:
            return max(self.divisor, round(channels * width / self.divisor) * self.divisor)

        return rounded(self.stem), tuple(map(rounded, self.channels)), rounded(self.head)


@dataclass(frozen=True)
class BlockPlan:
    """One inverted bottleneck: where it stands and how large it is."""

    stage: int
    number: int
    c_in: int
    c_out: int
    kernel: int
    stride: int
    expand: int

    @property
    def hidden(self) -> int:
        """Channels inside."""
        return self.c_in * self.expand

    @property
    def residual(self) -> bool:
        """Is its input added to its output?"""
        return self.stride == 1 and self.c_in == self.c_out


def plan(arch: Sequence[float], config: MobileConfig | None = None) -> list[BlockPlan]:
    """The blocks of an architecture, in order.

    Raises:
        ValueError: the architecture has another number of stages than `config`.
    """
    arch, config = MobileArch(arch), config or MobileConfig()
    if not len(arch.stages) == len(config.channels) == len(config.strides):
        raise ValueError(
            f"arch must have as many stages as config has channels and strides: {len(config.channels)} and "
            f"{len(config.strides)}, got {len(arch.stages)}: {arch}"
        )
    c_in, widths, _ = config.scaled(arch.width)
    blocks = []
    for number, (stage, c_out, stride) in enumerate(zip(arch.stages, widths, config.strides, strict=True)):
        for i in range(stage.depth):
            blocks.append(BlockPlan(number, i, c_in, c_out, stage.kernel, 1 if i else stride, stage.expand))
            c_in = c_out
    return blocks


class InvertedBottleneck(nn.Module):
    """Widen by a 1x1 convolution, filter each channel by itself, narrow again (Sandler et al. 2018, table 1).

    (B, c_in, H, W) -> (B, c_out, ceil(H / stride), ceil(W / stride)). Batch norm follows each convolution, ReLU the
    first two.
    """

    def __init__(self, block: BlockPlan) -> None:
        super().__init__()
        self.block = block
        hidden = block.hidden
        self.widen = nn.Conv2d(block.c_in, hidden, 1, bias=False)
        self.widen_bn = nn.BatchNorm2d(hidden)
        self.filter = nn.Conv2d(
            hidden, hidden, block.kernel, block.stride, block.kernel // 2, groups=hidden, bias=False
        )
        self.filter_bn = nn.BatchNorm2d(hidden)
        self.narrow = nn.Conv2d(hidden, block.c_out, 1, bias=False)
        self.narrow_bn = nn.BatchNorm2d(block.c_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Feature maps to feature maps."""
        y = F.relu(self.widen_bn(self.widen(x)))
        y = F.relu(self.filter_bn(self.filter(y)))
        y = self.narrow_bn(self.narrow(y))
        return x + y if self.block.residual else y


class _Frame(nn.Module):
    """What surrounds the blocks, alike in both kinds of network."""

    def __init__(self, width: float, config: MobileConfig) -> None:
        super().__init__()
        self.config = config
        stem, channels, head = config.scaled(width)
        self.stem = nn.Sequential(
            nn.Conv2d(config.in_channels, stem, 3, padding=1, bias=False), nn.BatchNorm2d(stem), nn.ReLU()
        )
        self.head = nn.Sequential(
            nn.Conv2d(channels[-1], head, 1, bias=False),
            nn.BatchNorm2d(head),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.classifier = nn.Linear(head, config.classes)

    def _check_images(self, x: torch.Tensor, resolution: int) -> None:
        wanted = (self.config.in_channels, resolution, resolution)
        if x.ndim != 4 or tuple(x.shape[1:]) != wanted:
            raise ValueError(
                f"x must be images (B, {wanted[0]}, {resolution}, {resolution}), got shape {tuple(x.shape)}"
            )


class MobileNetwork(_Frame):
    """The network of one architecture: images (B, in_channels, r, r) -> logits (B, classes)."""

    def __init__(self, arch: Sequence[float], config: MobileConfig | None = None) -> None:
        arch, config = MobileArch(arch), config or MobileConfig()
        super().__init__(arch.width, config)
        self.arch = arch
        self.blocks = nn.Sequential(*(InvertedBottleneck(block) for block in plan(arch, config)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images to logits."""
        self._check_images(x, self.arch.resolution)
        return self.classifier(self.head(self.blocks(self.stem(x))))


def build_mobile(arch: Sequence[float], config: MobileConfig | None = None, seed: int = 0) -> MobileNetwork:
    """The network of an architecture with freshly drawn weights; equal `seed` gives equal weights."""
    network = MobileNetwork(arch, config)
    draw_weights(network, seed)
    return network


def draw_weights(network: nn.Module, seed: int) -> None:
    """Draw all weights anew: He et al. (2015) with fan-out for convolutions, which for depthwise ones is one channel's.

    Biases become 0. The classifier is drawn with standard deviation 0.01, as MobileNets do.
    """
    generator = torch.Generator().manual_seed(seed_number(seed))
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.weight[0, 0].numel() * module.out_channels / module.groups
            nn.init.normal_(module.weight, std=(2 / fan_out) ** 0.5, generator=generator)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01, generator=generator)
            nn.init.zeros_(module.bias)


def mobile_params(arch: Sequence[float], config: MobileConfig | None = None) -> int:
    """Trainable parameters of the network of `arch`; nothing is built."""
    arch, config = MobileArch(arch), config or MobileConfig()
    stem, channels, head = config.scaled(arch.width)
    total = config.in_channels * 9 * stem + 2 * stem
    for block in plan(arch, config):
        total += (
            block.hidden * (block.c_in + block.kernel**2 + block.c_out) + 4 * block.hidden + 2 * block.c_out
        )
    return total + channels[-1] * head + 2 * head + (head + 1) * config.classes


def mobile_macs(arch: Sequence[float], config: MobileConfig | None = None) -> int:
    """Multiply-accumulates of the convolutions and the classifier for one image; nothing is built."""
    arch, config = MobileArch(arch), config or MobileConfig()
    stem, channels, head = config.scaled(arch.width)
    size = arch.resolution
    total = config.in_channels * 9 * stem * size**2
    for block in plan(arch, config):
        total += block.c_in * block.hidden * size**2
        size = -(-size // block.stride)
        total += (block.kernel**2 + block.c_out) * block.hidden * size**2
    return total + channels[-1] * head * size**2 + head * config.classes


# --- elastic -----------------------------------------------------------------------------------------------


def inner_kernel(weight: torch.Tensor, size: int, transform: torch.Tensor | None = None) -> torch.Tensor:
    """The centres (O, I, size, size) of kernels (O, I, k, k), for Once-for-All's elastic kernels (Cai et al. 2020,
    section 3.3). With `transform` (size², size²) each is flattened and multiplied by it from the right."""
    margin = (weight.shape[-1] - size) // 2
    centre = weight[:, :, margin : margin + size, margin : margin + size]
    return centre if transform is None else (centre.flatten(2) @ transform).unflatten(2, (size, size))


class ElasticBottleneck(nn.Module):
    """An inverted bottleneck that also runs with smaller kernels and fewer channels inside.

    Its weights are those of the largest version. A smaller kernel is the centre of the next larger one times a matrix
    of its own (Cai et al. 2020, figure 3), which starts as the identity; fewer channels are the first ones.

    Args:
        block: the largest version.
        kernels: the sizes that it may be asked for.
    """

    def __init__(self, block: BlockPlan, kernels: Sequence[int]) -> None:
        super().__init__()
        self.full = InvertedBottleneck(block)
        self.kernels = tuple(sorted(kernels, reverse=True))
        self.transforms = nn.ParameterDict(
            {str(size): nn.Parameter(torch.eye(size * size)) for size in self.kernels[1:]}
        )

    def depthwise(self, kernel: int, hidden: int) -> torch.Tensor:
        """The depthwise kernels (hidden, 1, kernel, kernel) of a smaller version."""
        weight = self.full.filter.weight[:hidden]
        for size in self.kernels[1:]:
            if kernel > size:
                break
            weight = inner_kernel(weight, size, self.transforms[str(size)])
        return weight

    def part(self, kernel: int, expand: int) -> InvertedBottleneckWeights:
        """The weights of a smaller version; gradients reach this block through them."""
        full = self.full
        hidden = full.block.c_in * expand
        return InvertedBottleneckWeights(
            full.widen.weight[:hidden],
            self.depthwise(kernel, hidden),
            full.narrow.weight[:, :hidden].contiguous(),
            hidden,
        )

    def forward(self, x: torch.Tensor, kernel: int, expand: int) -> torch.Tensor:
        """Feature maps to feature maps, as the version with this kernel and expansion."""
        full, part = self.full, self.part(kernel, expand)
        y = F.relu(_first_channels(full.widen_bn, F.conv2d(x, part.widen), part.hidden))
        y = F.conv2d(y, part.filter, None, full.block.stride, kernel // 2, groups=part.hidden)
        y = F.relu(_first_channels(full.filter_bn, y, part.hidden))
        y = full.narrow_bn(F.conv2d(y, part.narrow))
        return x + y if full.block.residual else y

    @torch.no_grad()
    def sort_channels(self) -> None:
        """Put the most important channels inside first, by the L1 norm of what `narrow` makes of them.

        The largest version computes the same as before; smaller ones keep what matters most (Cai et al. 2020,
        appendix B). Ties keep their order.
        """
        full = self.full
        importance = full.narrow.weight.abs().sum((0, 2, 3))
        order = torch.argsort(importance, descending=True, stable=True)
        full.widen.weight.copy_(full.widen.weight[order])
        full.filter.weight.copy_(full.filter.weight[order])
        full.narrow.weight.copy_(full.narrow.weight[:, order])
        for norm in (full.widen_bn, full.filter_bn):
            for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                assert values is not None  # batch norms here have weights and statistics
                values.copy_(values[order])


@dataclass(frozen=True)
class InvertedBottleneckWeights:
    """Weights of one version of an elastic block, and its channels inside."""

    widen: torch.Tensor
    filter: torch.Tensor
    narrow: torch.Tensor
    hidden: int


def _first_channels(norm: nn.BatchNorm2d, x: torch.Tensor, channels: int) -> torch.Tensor:
    """A batch norm of which the first channels are used; in training its running statistics follow them."""
    assert norm.running_mean is not None and norm.running_var is not None and norm.momentum is not None
    return F.batch_norm(
        x,
        norm.running_mean[:channels],
        norm.running_var[:channels],
        norm.weight[:channels],
        norm.bias[:channels],
        norm.training,
        norm.momentum,
        norm.eps,
    )


class ElasticNetwork(_Frame):
    """Every network of a space in the weights of its largest one.

    `network(x, arch)` computes what the network of `arch` would with its share of the weights: the first blocks of
    each stage, the first channels inside each block, the transformed centre of each kernel. Batch norms share their
    statistics too, so recalibrate those of an extracted network before you judge it.

    Args:
        space: the space; one width, since this network has one.
        config: what its networks have in common.
        seed: draws the weights.
    """

    def __init__(self, space: MobileSpace, config: MobileConfig | None = None, seed: int = 0) -> None:
        if len(space.choices[1]) != 1:
            raise ValueError(f"space must have one width for an elastic network, got {space.choices[1]}")
        config = config or MobileConfig()
        super().__init__(space.largest.width, config)
        self.space = space
        self.blocks = nn.ModuleList(
            ElasticBottleneck(block, [int(size) for size in space.choices[3 + 3 * block.stage]])
            for block in plan(space.largest, config)
        )
        draw_weights(self, seed)

    def _active(self, arch: MobileArch) -> Iterator[tuple[ElasticBottleneck, int, int]]:
        """The blocks that an architecture uses, each with its kernel and expansion."""
        for block in self.blocks:
            assert isinstance(block, ElasticBottleneck)
            stage = arch.stages[block.full.block.stage]
            if block.full.block.number < stage.depth:
                yield block, stage.kernel, stage.expand

    def forward(self, x: torch.Tensor, arch: Sequence[float]) -> torch.Tensor:
        """Images (B, in_channels, r, r) at the resolution of `arch` -> logits (B, classes)."""
        arch = self._checked(arch)
        self._check_images(x, arch.resolution)
        x = self.stem(x)
        for block, kernel, expand in self._active(arch):
            x = block(x, kernel, expand)
        return self.classifier(self.head(x))

    @torch.no_grad()
    def extract(self, arch: Sequence[float]) -> MobileNetwork:
        """The network of `arch` with copies of its weights and statistics: its outputs are the same to the last bit."""
        arch = self._checked(arch)
        weight = self.classifier.weight
        network = MobileNetwork(arch, self.config).to(weight.device, weight.dtype)
        for name in ("stem", "head", "classifier"):
            getattr(network, name).load_state_dict(getattr(self, name).state_dict())
        for single, (block, kernel, expand) in zip(network.blocks, self._active(arch), strict=True):
            assert isinstance(single, InvertedBottleneck)
            part = block.part(kernel, expand)
            for name in ("widen", "filter", "narrow"):
                getattr(single, name).weight.copy_(getattr(part, name))
            for name in ("widen_bn", "filter_bn", "narrow_bn"):
                norm, state = getattr(single, name), getattr(block.full, name).state_dict()
                norm.load_state_dict({k: v[: norm.num_features] if v.ndim else v for k, v in state.items()})
        return network.train(self.training)

    def sort_channels(self) -> None:
        """`ElasticBottleneck.sort_channels` of every block; do it before narrower blocks begin to train."""
        for block in self.blocks:
            assert isinstance(block, ElasticBottleneck)
            block.sort_channels()

    def _checked(self, arch: Sequence[float]) -> MobileArch:
        self.space.index(arch)  # raises with the reason
        return MobileArch(arch)
