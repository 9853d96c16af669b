"""What stands in for the exercises of lesson 07: compound scaling and augmentation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.random import Generator

from nas_lib.standins import stands_in


@stands_in(
    "scaled_cost",
    hides=(
        "nas_lib.scaling:Coefficients.cost",
        "nas_lib.scaling:Coefficients.at",
    ),
)
def scaled_cost(alpha: float, beta: float, gamma: float, phi: float) -> float:
    from nas_lib.scaling import Coefficients

    return Coefficients(alpha, beta, gamma).at(phi).cost


@stands_in(
    "round_filters",
    hides=("nas_lib.efficientnet:nearest_multiple", "torchvision.models._utils:_make_divisible"),
)
def round_filters(filters: int, width: float, divisor: int = 8) -> int:
    from nas_lib.efficientnet import nearest_multiple

    return nearest_multiple(filters * width, divisor)


@stands_in("round_repeats")
def round_repeats(repeats: int, depth: float) -> int:
    return int(-(-repeats * depth // 1))


@stands_in(
    "efficientnet_stages",
    hides=("nas_lib.efficientnet:efficientnet_plan",),
)
def efficientnet_stages(variant: str) -> list[tuple[int, ...]]:
    from nas_lib.efficientnet import efficientnet_plan

    return [stage[:6] for stage in efficientnet_plan(variant).stages]


@stands_in(
    "MBConv",
    "the library's own block",
    hides=(
        "nas_lib.efficientnet:_Residual.forward",
        "nas_lib.efficientnet:SqueezeExcite.forward",
        "nas_lib.efficientnet:StochasticDepth.forward",
    ),
)
def MBConv(
    in_channels: int,
    out_channels: int,
    kernel: int,
    stride: int,
    expand: int,
    se_ratio: float,
    drop_rate: float,
) -> Any:
    return _block("MBConv", in_channels, out_channels, kernel, stride, expand, drop_rate)


@stands_in(
    "FusedMBConv",
    "the library's own block",
    hides=(
        "nas_lib.efficientnet:_Residual.forward",
        "nas_lib.efficientnet:StochasticDepth.forward",
    ),
)
def FusedMBConv(
    in_channels: int, out_channels: int, kernel: int, stride: int, expand: int, drop_rate: float
) -> Any:
    return _block("FusedMBConv", in_channels, out_channels, kernel, stride, expand, drop_rate)


@stands_in(
    "grid_search_coefficients",
    hides=(
        "nas_lib.scaling:coefficient_grid",
        "nas_lib.scaling:Coefficients.cost",
    ),
)
def grid_search_coefficients(
    evaluate: Callable[[float, float, float], float], step: float, tolerance: float, limit: float = 2.0
) -> tuple[float, float, float]:
    from nas_lib.scaling import coefficient_grid

    return max(coefficient_grid(step, tolerance, limit), key=lambda point: evaluate(*point))


@stands_in(
    "mixup",
    hides=("nas_lib.augmentation:Mixup.__call__",),
)
def mixup(x: Any, y: Any, alpha: float, rng: Generator, classes: int) -> Any:
    from nas_lib.augmentation import Mixup

    return Mixup(alpha, classes, rng)(x, y)


@stands_in(
    "rand_augment",
    hides=("nas_lib.augmentation:RandAugment.__call__",),
)
def rand_augment(image: Any, n: int, m: float, rng: Generator) -> Any:
    from nas_lib.augmentation import RandAugment

    return RandAugment(n, m, rng)(image)


@stands_in(
    "progressive_schedule",
    hides=(
        "nas_lib.scaling:ramp",
        "nas_lib.scaling:growing",
    ),
)
def progressive_schedule(
    stage: int, stages: int, resolution: tuple[int, int], magnitude: tuple[float, float]
) -> tuple[int, float]:
    from nas_lib.scaling import growing

    phase = growing(stages, resolution, magnitude)[stage]
    return phase.resolution, phase.magnitude


def _block(kind: str, *shape: Any) -> Any:
    from nas_lib import efficientnet
    from nas_lib.mobile import BlockPlan

    *sizes, drop_rate = shape
    return getattr(efficientnet, kind)(BlockPlan(0, 0, *sizes), drop_rate)
