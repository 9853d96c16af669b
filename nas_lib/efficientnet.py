"""EfficientNets as plans and as networks: B0–B7 (Tan & Le 2019), V2-S/M/L (2021), and small ones for a laptop.

A `Plan` is data: what a network has, and nothing of its weights. Scaling makes a plan of a plan, counting reads one,
and `EfficientNet` builds one. Nothing is trained here, and no trained weights are downloaded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import nn

from nas_lib.mobile import BlockPlan, draw_weights

SE_RATIO = 0.25
"""Channels in the squeeze, as a share of the channels that come into the block (not of the widened ones)."""


class StagePlan(NamedTuple):
    """A stage of equal blocks; only the first of them has the stride and the other number of input channels."""

    expand: int
    kernel: int
    stride: int
    c_in: int
    c_out: int
    repeats: int
    fused: bool = False


@dataclass(frozen=True)
class Plan:
    """A network of a stem, stages of MBConv or Fused-MBConv blocks, a 1x1 head and a classifier.

    Attributes:
        stages: from the images to the classifier; `stages[0].c_in` is the width of the stem.
        head: channels that the classifier reads.
        resolution: side of the images, in pixels, that the network is meant for.
        dropout: before the classifier.
        drop_path: stochastic depth of the last block; it rises linearly from 0 at the first (Huang et al. 2016).
        norm_eps: of every batch norm.
    """

    stages: tuple[StagePlan, ...]
    head: int
    resolution: int
    in_channels: int = 3
    classes: int = 1000
    stem_stride: int = 2
    dropout: float = 0.2
    drop_path: float = 0.2
    norm_eps: float = 1e-5

    @property
    def stem(self) -> int:
        """Channels behind the first convolution."""
        return self.stages[0].c_in

    @property
    def depth(self) -> int:
        """Blocks in all."""
        return sum(stage.repeats for stage in self.stages)

    def blocks(self) -> Iterator[BlockPlan]:
        """The blocks in order."""
        for number, stage in enumerate(self.stages):
            for i in range(stage.repeats):
                c_in, stride = (stage.c_out, 1) if i else (stage.c_in, stage.stride)
                yield BlockPlan(number, i, c_in, stage.c_out, stage.kernel, stride, stage.expand)

    def scaled(self, widths: Sequence[int], repeats: Sequence[int], head: int) -> Plan:
        """The plan with other numbers of channels and blocks.

        Args:
            widths: channels of the stem and behind each stage, one more than there are stages.
            repeats: blocks of each stage.
            head: channels that the classifier reads.
        """
        if len(widths) != len(self.stages) + 1 or len(repeats) != len(self.stages):
            raise ValueError(
                f"widths and repeats must have {len(self.stages) + 1} and {len(self.stages)} entries, "
                f"got {list(widths)} and {list(repeats)}"
            )
        stages = tuple(
            stage._replace(c_in=widths[i], c_out=widths[i + 1], repeats=repeats[i])
            for i, stage in enumerate(self.stages)
        )
        return replace(self, stages=stages, head=head)


# --- the published ones ------------------------------------------------------------------------------------

B0 = Plan(
    stages=(
        StagePlan(1, 3, 1, 32, 16, 1),
        StagePlan(6, 3, 2, 16, 24, 2),
        StagePlan(6, 5, 2, 24, 40, 2),
        StagePlan(6, 3, 2, 40, 80, 3),
        StagePlan(6, 5, 1, 80, 112, 3),
        StagePlan(6, 5, 2, 112, 192, 4),
        StagePlan(6, 3, 1, 192, 320, 1),
    ),
    head=1280,
    resolution=224,
)
"""The base network (Tan & Le 2019, table 1), which an architecture search like MnasNet's found."""


class Scale(NamedTuple):
    """What makes a network of B0: multipliers of its channels and blocks, the images' side, and dropout."""

    width: float
    depth: float
    resolution: int
    dropout: float


SCALES: dict[str, Scale] = {
    "b0": Scale(1.0, 1.0, 224, 0.2),
    "b1": Scale(1.0, 1.1, 240, 0.2),
    "b2": Scale(1.1, 1.2, 260, 0.3),
    "b3": Scale(1.2, 1.4, 300, 0.3),
    "b4": Scale(1.4, 1.8, 380, 0.4),
    "b5": Scale(1.6, 2.2, 456, 0.4),
    "b6": Scale(1.8, 2.6, 528, 0.5),
    "b7": Scale(2.0, 3.1, 600, 0.5),
}
"""The published networks. Their multipliers are rounded by hand: they only roughly are powers of 1.2, 1.1 and 1.15."""

PUBLISHED: dict[str, tuple[float, float]] = {
    "b0": (5.3, 0.39),
    "b1": (7.8, 0.70),
    "b2": (9.2, 1.0),
    "b3": (12, 1.8),
    "b4": (19, 4.2),
    "b5": (30, 9.9),
    "b6": (43, 19),
    "b7": (66, 37),
    "v2_s": (22, 8.8),
    "v2_m": (54, 24),
    "v2_l": (120, 53),
}
"""Millions of parameters and billions of multiply-accumulates as the papers print them (they write "FLOPs")."""

_V2: dict[str, tuple[tuple[tuple[Any, ...], ...], int, float]] = {
    "v2_s": (
        (
            (1, 3, 1, 24, 24, 2, True),
            (4, 3, 2, 24, 48, 4, True),
            (4, 3, 2, 48, 64, 4, True),
            (4, 3, 2, 64, 128, 6),
            (6, 3, 1, 128, 160, 9),
            (6, 3, 2, 160, 256, 15),
        ),
        384,
        0.2,
    ),
    "v2_m": (
        (
            (1, 3, 1, 24, 24, 3, True),
            (4, 3, 2, 24, 48, 5, True),
            (4, 3, 2, 48, 80, 5, True),
            (4, 3, 2, 80, 160, 7),
            (6, 3, 1, 160, 176, 14),
            (6, 3, 2, 176, 304, 18),
            (6, 3, 1, 304, 512, 5),
        ),
        480,
        0.3,
    ),
    "v2_l": (
        (
            (1, 3, 1, 32, 32, 4, True),
            (4, 3, 2, 32, 64, 7, True),
            (4, 3, 2, 64, 96, 7, True),
            (4, 3, 2, 96, 192, 10),
            (6, 3, 1, 192, 224, 19),
            (6, 3, 2, 224, 384, 25),
            (6, 3, 1, 384, 640, 7),
        ),
        480,
        0.4,
    ),
}

VARIANTS = (*SCALES, *_V2)


def nearest_multiple(value: float, divisor: int) -> int:
    """The multiple of `divisor` nearest to `value`, halves up, at least one `divisor` and never below 0.9·value.

    Source: `make_divisible` of MobileNetV2's code, which all its descendants copied.
    """
    multiple = max(divisor, divisor * math.floor(value / divisor + 0.5))
    return multiple + divisor if multiple < 0.9 * value else multiple


def efficientnet_plan(variant: str) -> Plan:
    """The plan of a published network.

    The batch norms' eps is what torchvision's networks have: 1e-5 for B0–B4, 1e-3 for the others.

    Args:
        variant: "b0" … "b7", "v2_s", "v2_m" or "v2_l".

    Raises:
        ValueError: no such variant.
    """
    if variant in _V2:
        stages, resolution, dropout = _V2[variant]
        return Plan(
            tuple(StagePlan(*stage) for stage in stages), 1280, resolution, dropout=dropout, norm_eps=1e-3
        )
    if variant not in SCALES:
        raise ValueError(f"variant must be one of {', '.join(VARIANTS)}, got {variant!r}")
    scale = SCALES[variant]
    channels = (B0.stem, *(stage.c_out for stage in B0.stages), B0.head)
    *widths, head = (nearest_multiple(count * scale.width, 8) for count in channels)
    # 3·1.1 is a little above 3.3 and 4·2.5 could be a little above 10: round such noise away before rounding up
    repeats = [math.ceil(round(stage.repeats * scale.depth, 9)) for stage in B0.stages]
    return replace(
        B0.scaled(widths, repeats, head),
        resolution=scale.resolution,
        dropout=scale.dropout,
        norm_eps=1e-3 if variant in ("b5", "b6", "b7") else 1e-5,
    )


# --- blocks ------------------------------------------------------------------------------------------------


def conv_norm(
    c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1, act: bool = True, eps: float = 1e-5
) -> nn.Sequential:
    """Convolution, batch norm and, with `act`, SiLU: (B, c_in, H, W) -> (B, c_out, ⌈H/stride⌉, ⌈W/stride⌉).

    Raises:
        ValueError: an even kernel, which has no middle, or a stride other than 1 and 2.
    """
    if kernel < 1 or kernel % 2 == 0:
        raise ValueError(f"kernel must be odd and positive, got {kernel!r}")
    if stride not in (1, 2):
        raise ValueError(f"stride must be 1 or 2, got {stride!r}")
    layers = [
        nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(c_out, eps=eps),
    ]
    return nn.Sequential(*layers, *([nn.SiLU(inplace=True)] if act else []))


class SqueezeExcite(nn.Module):
    """Scales each channel by a number between 0 and 1 that all channels' means decide (Hu et al. 2018, eq. 2–4).

    Args:
        channels: of the feature maps, (B, channels, H, W) -> the same shape.
        squeezed: channels in between.
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.widen = nn.Conv2d(squeezed, channels, 1)
        for layer in (self.reduce, self.widen):
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Feature maps to feature maps."""
        means = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.widen(nn.functional.silu(self.reduce(means))))


class StochasticDepth(nn.Module):
    """Drops what it is given, image by image, while training; the rest is scaled up so that the mean stays.

    It stands on the branch of a residual block, so an image whose branch is dropped passes through unchanged (Huang et
    al. 2016; the scaling is the one that every later implementation has).

    Args:
        rate: probability of dropping an image's branch, 0 ≤ rate < 1.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise ValueError(f"rate must be at least 0 and below 1, got {rate!r}")
        self.rate = rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, …) to the same shape; nothing changes in evaluation mode."""
        if not self.training or self.rate == 0:
            return x
        alive = torch.rand(len(x), *[1] * (x.ndim - 1), device=x.device) >= self.rate
        return x * alive / (1 - self.rate)


class _Residual(nn.Module):
    """A block whose input is added to its output where the two have one shape."""

    def __init__(self, block: BlockPlan, branch: Sequence[nn.Module], drop: float) -> None:
        super().__init__()
        self.block = block
        self.branch = nn.Sequential(*branch)
        self.drop = StochasticDepth(drop)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, c_in, H, W) -> (B, c_out, ⌈H/stride⌉, ⌈W/stride⌉)."""
        return x + self.drop(self.branch(x)) if self.block.residual else self.branch(x)


class MBConv(_Residual):
    """Widen, filter each channel, squeeze and excite, narrow (Tan & Le 2019, section 4); SiLU instead of ReLU."""

    def __init__(self, block: BlockPlan, drop: float = 0.0, eps: float = 1e-5) -> None:
        hidden = block.hidden
        branch: list[nn.Module] = []
        if block.expand != 1:
            branch.append(conv_norm(block.c_in, hidden, 1, eps=eps))
        branch += [
            conv_norm(hidden, hidden, block.kernel, block.stride, groups=hidden, eps=eps),
            SqueezeExcite(hidden, max(1, int(block.c_in * SE_RATIO))),
            conv_norm(hidden, block.c_out, 1, act=False, eps=eps),
        ]
        super().__init__(block, branch, drop)


class FusedMBConv(_Residual):
    """One dense convolution in the place of the first two, no squeeze (Tan & Le 2021, figure 2).

    Without expansion a single convolution with its activation is all there is.
    """

    def __init__(self, block: BlockPlan, drop: float = 0.0, eps: float = 1e-5) -> None:
        hidden, wide = block.hidden, block.expand != 1
        branch: list[nn.Module] = [
            conv_norm(block.c_in, hidden if wide else block.c_out, block.kernel, block.stride, eps=eps)
        ]
        if wide:
            branch.append(conv_norm(hidden, block.c_out, 1, act=False, eps=eps))
        super().__init__(block, branch, drop)


class EfficientNet(nn.Module):
    """The network of a plan: images (B, in_channels, r, r) -> logits (B, classes). Any r will do.

    Parameters and buffers come in the order in which torchvision's networks have theirs.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        eps = plan.norm_eps
        self.stem = conv_norm(plan.in_channels, plan.stem, 3, plan.stem_stride, eps=eps)
        fused = [stage.fused for stage in plan.stages]
        self.blocks = nn.Sequential(
            *(
                (FusedMBConv if fused[block.stage] else MBConv)(block, plan.drop_path * i / plan.depth, eps)
                for i, block in enumerate(plan.blocks())
            )
        )
        self.head = conv_norm(plan.stages[-1].c_out, plan.head, 1, eps=eps)
        self.dropout = nn.Dropout(plan.dropout)
        self.classifier = nn.Linear(plan.head, plan.classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images to logits."""
        features = self.head(self.blocks(self.stem(x))).mean((2, 3))
        return self.classifier(self.dropout(features))


def build_efficientnet(plan: Plan, seed: int = 0) -> EfficientNet:
    """The network of a plan with freshly drawn weights; equal `seed` gives equal weights."""
    network = EfficientNet(plan)
    draw_weights(network, seed)
    return network


def copy_torchvision(network: EfficientNet, state: Mapping[str, torch.Tensor]) -> None:
    """Give a network the weights and statistics of torchvision's network of the same variant.

    Args:
        network: changed in place.
        state: `state_dict()` of torchvision's `efficientnet_b0` and so on.

    Raises:
        ValueError: the two do not have the same layers.
    """
    own = network.state_dict()
    shapes = [tuple(value.shape) for value in own.values()]
    theirs = [tuple(value.shape) for value in state.values()]
    if shapes != theirs:
        raise ValueError(
            f"state must be of a network with these {len(shapes)} tensors, got {len(theirs)}; the first pair that "
            f"differs: {next((pair for pair in zip(shapes, theirs) if pair[0] != pair[1]), 'none')}"
        )
    network.load_state_dict(dict(zip(own, state.values())))


# --- counting ----------------------------------------------------------------------------------------------


def plan_params(plan: Plan) -> int:
    """Trainable parameters of the network of a plan; nothing is built."""
    total = 9 * plan.in_channels * plan.stem + 2 * plan.stem
    for block in plan.blocks():
        hidden, area = block.hidden, block.kernel**2
        if plan.stages[block.stage].fused:
            total += area * block.c_in * (hidden if block.expand != 1 else block.c_out)
            total += (hidden * (block.c_out + 2) if block.expand != 1 else 0) + 2 * block.c_out
            continue
        squeezed = max(1, int(block.c_in * SE_RATIO))
        total += hidden * (block.c_in + 2) if block.expand != 1 else 0
        total += hidden * (area + 2) + 2 * hidden * squeezed + hidden + squeezed
        total += hidden * block.c_out + 2 * block.c_out
    return total + plan.head * (plan.stages[-1].c_out + 2) + (plan.head + 1) * plan.classes


def plan_macs(plan: Plan, resolution: int | None = None) -> int:
    """Multiply-accumulates of convolutions and classifier for one image; nothing is built.

    Squeeze-excite's two convolutions count, at one position each. Batch norm, SiLU, pooling, scaling and sums do not,
    as is usual.

    Args:
        plan: the network.
        resolution: side of the image; by default the plan's own.
    """
    size = -(-(resolution or plan.resolution) // plan.stem_stride)
    total = 9 * plan.in_channels * plan.stem * size**2
    for block in plan.blocks():
        hidden, area, before = block.hidden, block.kernel**2, size**2
        size = -(-size // block.stride)
        after = size**2
        if plan.stages[block.stage].fused:
            total += area * block.c_in * (hidden if block.expand != 1 else block.c_out) * after
            total += hidden * block.c_out * after if block.expand != 1 else 0
            continue
        total += block.c_in * hidden * before if block.expand != 1 else 0
        total += (area + block.c_out) * hidden * after + 2 * hidden * max(1, int(block.c_in * SE_RATIO))
    return total + plan.stages[-1].c_out * plan.head * size**2 + plan.head * plan.classes
