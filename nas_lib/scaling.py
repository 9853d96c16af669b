"""Scaling a network up: what it costs, how the budget is divided, and how such networks are trained.

EfficientNet's recipe (Tan & Le 2019, section 3.3) at laptop size: coefficients say how depth, width and resolution
share a budget, `match_macs` turns them into a network with whole numbers, and `fit` trains it, at one resolution or
through phases that grow (EfficientNetV2's progressive learning). Which experiments are recorded is said in
`scripts/recordings/scaling_runs.py`.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.random import default_rng
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from nas_lib._numbers import seed_number
from nas_lib.augmentation import Mixup, RandAugment
from nas_lib.data import SCENE, Dataset, cluttered_digits
from nas_lib.efficientnet import (
    EfficientNet,
    Plan,
    StagePlan,
    build_efficientnet,
    nearest_multiple,
    plan_macs,
)
from nas_lib.latency import synchronizer, time_calls
from nas_lib.training import count_correct, set_learning_rate

# --- coefficients ------------------------------------------------------------------------------------------


class Coefficients(NamedTuple):
    """How one step of scaling is divided: depth, width and resolution are each multiplied by their own number.

    EfficientNet's alpha, beta and gamma. Multiply-accumulates grow with depth, with the square of the width and with
    the square of the resolution.
    """

    depth: float
    width: float
    resolution: float

    def at(self, phi: float) -> Coefficients:
        """The multipliers after `phi` steps."""
        return Coefficients(*(number**phi for number in self))

    @property
    def cost(self) -> float:
        """How often the multiply-accumulates grow in one step."""
        return math.prod((self.depth, self.width, self.width, self.resolution, self.resolution))


FAMILIES: dict[str, Coefficients] = {
    "depth": Coefficients(2.0, 1.0, 1.0),
    "width": Coefficients(1.0, math.sqrt(2), 1.0),
    "resolution": Coefficients(1.0, 1.0, math.sqrt(2)),
    "compound": Coefficients(1.2, 1.1, 1.15),
}
"""Ways to spend the double: all on one dimension, or divided as EfficientNet's grid search found it for B0."""


def coefficient_grid(step: float, tolerance: float, limit: float = 2.0) -> list[Coefficients]:
    """All points 1, 1 + step, 1 + 2·step, … of the three coefficients whose cost is within `tolerance` of `limit`.

    Raises:
        ValueError: a number is out of range, or there is no such point.
    """
    if not step > 0 or not tolerance >= 0 or not limit >= 1:
        raise ValueError(
            f"step must be above 0, tolerance at least 0 and limit at least 1, got {step}, {tolerance}, {limit}"
        )
    counts = [int((math.pow(limit + tolerance, power) - 1) / step + 1e-9) for power in (1, 0.5, 0.5)]
    axes = [[round(1 + i * step, 9) for i in range(count + 1)] for count in counts]
    points = [Coefficients(*point) for point in itertools.product(*axes)]
    found = [point for point in points if abs(point.cost - limit) <= tolerance + 1e-9]
    if not found:
        raise ValueError(
            f"tolerance must let at least one point of the grid in: none with step {step} is within {tolerance} "
            f"of {limit}"
        )
    return found


# --- networks ----------------------------------------------------------------------------------------------

DIVISOR = 2
"""Channels of laptop networks are multiples of this: multiples of 8 would leave nothing to choose from."""

BASE = Plan(
    stages=(StagePlan(4, 3, 1, 8, 8, 1), StagePlan(4, 3, 2, 8, 16, 1), StagePlan(4, 3, 2, 16, 32, 1)),
    head=64,
    resolution=12,
    in_channels=1,
    classes=10,
    stem_stride=1,
    dropout=0.0,
    drop_path=0.0,
)
"""What plays B0's part on the cluttered digits."""


def scale_plan(base: Plan, multipliers: Coefficients, divisor: int = DIVISOR) -> Plan:
    """A plan with more blocks, channels and pixels, all rounded to the nearest that there is.

    The blocks are counted in all and then divided among the stages. (EfficientNet rounds each stage up; with one block
    a stage the first step would double the depth.)

    Raises:
        ValueError: multipliers that are no positive numbers.
    """
    if not all(0 < number < math.inf for number in multipliers):
        raise ValueError(f"multipliers must be positive numbers, got {tuple(multipliers)}")
    channels = (base.stem, *(stage.c_out for stage in base.stages), base.head)
    *widths, head = (nearest_multiple(count * multipliers.width, divisor) for count in channels)
    repeats = _divided(round(base.depth * multipliers.depth), [stage.repeats for stage in base.stages])
    scaled = base.scaled(widths, repeats, head)
    return replace(scaled, resolution=max(1, round(base.resolution * multipliers.resolution)))


def _divided(total: int, shares: Sequence[int]) -> list[int]:
    """`total` blocks in proportion to `shares`, at least one for each; what is left over goes to later stages."""
    whole = sum(shares)
    exact = [total * share / whole for share in shares]
    counts = [max(1, int(one)) for one in exact]
    by_rest = sorted(range(len(shares)), key=lambda i: (exact[i] - counts[i], i), reverse=True)
    for i in by_rest[: max(0, total - sum(counts))]:
        counts[i] += 1
    return counts


def match_macs(base: Plan, coefficients: Coefficients, macs: float, largest: int = SCENE) -> Plan:
    """The plan along a ray of coefficients whose multiply-accumulates come closest to `macs`.

    Whole numbers of blocks, channels and pixels make steps, so phi alone would compare networks of different cost.

    Args:
        base: where the ray begins, at phi = 0.
        coefficients: its direction.
        macs: multiply-accumulates asked for, at least those of `base`.
        largest: no resolution above this.

    Raises:
        ValueError: nothing on the ray comes within 15 %.
    """
    if not plan_macs(base) <= macs < math.inf:
        raise ValueError(f"macs must be at least those of base, {plan_macs(base)}, got {macs}")
    if not 1 < coefficients.cost < math.inf:
        raise ValueError(f"coefficients must make the network larger, got {tuple(coefficients)}")
    steps = math.log(macs / plan_macs(base)) / math.log(coefficients.cost)
    # rounding hides where on the ray a network lies: look on both sides of the exact phi
    phis = [i / 200 * (steps + 1) for i in range(201)]
    plans = dict.fromkeys(scale_plan(base, coefficients.at(phi)) for phi in phis)
    small = [plan for plan in plans if plan.resolution <= largest]
    if not small:
        raise ValueError(f"largest must be at least the resolution of base, {base.resolution}, got {largest}")
    best = min(small, key=lambda plan: abs(plan_macs(plan) - macs))
    if abs(plan_macs(best) / macs - 1) > 0.15:
        raise ValueError(
            f"macs must be within 15 % of a network on the ray {tuple(coefficients)} with at most {largest} pixels a "
            f"side, got {macs:.0f}; the closest has {plan_macs(best)}"
        )
    return best


# --- training ----------------------------------------------------------------------------------------------


class Phase(NamedTuple):
    """A part of the training: its resolution, RandAugment's magnitude (two operations; 0 leaves it out), mixup's alpha
    (0 leaves it out) and dropout before the classifier."""

    resolution: int
    magnitude: float = 0.0
    mixup: float = 0.0
    dropout: float = 0.0


@dataclass(frozen=True)
class ScalingRecipe:
    """How the networks of the scaling experiments are trained: AdamW, the learning rate up over a fifth of the way and
    down again as half a cosine. Coefficients are chosen on validation images, and test images are for what is reported.
    """

    train_images: int = 4000
    valid_images: int = 4000
    test_images: int = 4000
    epochs: int = 12
    batch_size: int = 100
    lr: float = 4e-3
    weight_decay: float = 0.01
    data_seed: int = 0


Images: TypeAlias = Callable[[int], tuple[Dataset, Dataset]]
"""Images to train on and images to judge by, at a resolution: the same scenes at each."""


def digits(recipe: ScalingRecipe, judged_on: str = "test") -> Images:
    """The course's own images; each resolution is drawn once and kept.

    Args:
        recipe: says how many.
        judged_on: "valid" where something is chosen by the accuracy, else "test".

    Raises:
        ValueError: another split.
    """
    counts = {"valid": recipe.valid_images, "test": recipe.test_images}
    if judged_on not in counts:
        raise ValueError(f"judged_on must be 'valid' or 'test', got {judged_on!r}")

    @lru_cache
    def at(resolution: int) -> tuple[Dataset, Dataset]:
        train = cluttered_digits("train", recipe.train_images, resolution, recipe.data_seed)
        return train, cluttered_digits(judged_on, counts[judged_on], resolution, recipe.data_seed)

    return at


def resized(train: Dataset, test: Dataset) -> Images:
    """Images that exist at one resolution, such as CIFAR-10's, brought to others by averaging or interpolation.

    Above their own resolution they gain pixels and no detail.
    """

    def to(data: Dataset, side: int) -> Dataset:
        mode: dict[str, Any] = {"mode": "area"} if side <= data.resolution else {"mode": "bilinear"}
        pixels = F.interpolate(torch.from_numpy(data.images).float(), side, **mode)
        return replace(data, images=pixels.round().clamp(0, 255).to(torch.uint8).numpy())

    @lru_cache
    def at(resolution: int) -> tuple[Dataset, Dataset]:
        return to(train, resolution), to(test, resolution)

    return at


@dataclass(frozen=True)
class Fitted:
    """A trained network: accuracy (percent) on the images to judge by, processor seconds and steps of its training."""

    accuracy: float
    seconds: float
    steps: int
    network: EfficientNet


def fit(
    plan: Plan,
    images: Images,
    recipe: ScalingRecipe,
    seed: int = 0,
    phases: Sequence[Phase] | None = None,
    seconds: float | None = None,
    device: torch.device | str = "cpu",
    progress: bool = False,
    clock: Callable[[], float] = time.process_time,
) -> Fitted:
    """Train the network of a plan from weights and batches that `seed` fixes, and judge it at the plan's resolution.

    Args:
        plan: the network.
        images: where they come from; see `digits` and `resized`.
        recipe: optimiser, schedule and number of epochs.
        seed: draws weights, batches and augmentation.
        phases: equal parts of the training one after the other; by default one at the plan's resolution, nothing added.
        seconds: train for this long instead of `recipe.epochs`, by `clock`; learning rate and phases follow the time
            that is spent. Then the result depends on the machine.
        device: "cuda" where there is one; the images are kept there.
        progress: show a bar on standard output.
        clock: what measures `seconds`. The default counts processor time, which other programs do not slow down.
    """
    phases = phases or [Phase(plan.resolution)]
    network = build_efficientnet(plan, seed).to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay)
    rng = default_rng((seed, 1))
    drawn = {phase.resolution: _Pixels(images(phase.resolution)[0], device) for phase in phases}
    total = recipe.epochs * (recipe.train_images // recipe.batch_size)
    batches = _batches(recipe, seed)
    bar = tqdm(total=100, unit="%", disable=not progress, file=sys.stdout, ncols=80)
    steps, spent = 0, 0.0
    network.train()
    while (share := steps / total if seconds is None else spent / seconds) < 1:
        begun = clock()
        set_learning_rate(optimizer, recipe.lr * one_cycle(share))
        phase = phases[int(share * len(phases))]
        x, y = drawn[phase.resolution].batch(next(batches), phase, rng)
        network.dropout.p = phase.dropout
        loss = F.cross_entropy(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps, spent = steps + 1, spent + clock() - begun
        bar.update(int(100 * share) - bar.n)
    bar.update(100 - bar.n)
    bar.close()
    x, y = (one.to(device) for one in images(plan.resolution)[1].tensors())
    return Fitted(100 * count_correct(network, x, y) / len(y), spent, steps, network)


def one_cycle(share: float) -> float:
    """The learning rate after a share of the training, relative to its peak: linearly up, then down half a cosine."""
    return share / 0.2 if share < 0.2 else 0.5 * (1 + math.cos(math.pi * (share - 0.2) / 0.8))


class _Pixels:
    """Training images at one resolution: integers for RandAugment, and the same normalised."""

    def __init__(self, data: Dataset, device: torch.device | str) -> None:
        self.data, self.device = data, device
        self.raw = torch.from_numpy(data.images)
        self.x, self.y = (one.to(device) for one in data.tensors())
        self.classes = int(self.y.max()) + 1

    def batch(self, rows: torch.Tensor, phase: Phase, rng: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Images and labels as the phase wants them; labels are soft if they are mixed."""
        if phase.magnitude:
            augmented = RandAugment(2, phase.magnitude, rng).batch(self.raw[rows])
            x = replace(self.data, images=augmented.numpy()).tensors()[0].to(self.device)
        else:
            x = self.x[rows]
        y = self.y[rows]
        return Mixup(phase.mixup, self.classes, rng)(x, y) if phase.mixup else (x, y)


def _batches(recipe: ScalingRecipe, seed: int) -> Iterator[torch.Tensor]:
    """Rows of every batch, without end; each epoch shuffles anew and drops what does not fill a batch."""
    generator = torch.Generator().manual_seed(seed_number(seed))
    full = recipe.train_images // recipe.batch_size
    while True:
        order = torch.randperm(recipe.train_images, generator=generator)
        yield from order[: full * recipe.batch_size].split(recipe.batch_size)


def ramp(stage: int, stages: int, ends: tuple[float, float]) -> float:
    """The value at `stage` of 0 … stages − 1 on a straight line between the two ends; a single stage has the last."""
    low, high = ends
    return high if stages == 1 else low + (high - low) * stage / (stages - 1)


def growing(
    stages: int, resolution: tuple[int, int], magnitude: tuple[float, float], **ends: tuple[float, float]
) -> list[Phase]:
    """Phases whose resolution and regularisation grow together (Tan & Le 2021, algorithm 1).

    Args:
        stages: how many, at least 1.
        resolution, magnitude: (first, last).
        ends: the same for `mixup` and `dropout`.
    """
    if stages < 1:
        raise ValueError(f"stages must be at least 1, got {stages!r}")
    return [
        Phase(
            round(ramp(stage, stages, resolution)),
            ramp(stage, stages, magnitude),
            **{name: ramp(stage, stages, pair) for name, pair in ends.items()},
        )
        for stage in range(stages)
    ]


# --- recorded results --------------------------------------------------------------------------------------

RUNS_PATH = Path(__file__).parent / "assets" / "scaling_runs.json"
"""Results of `scripts/recordings/scaling_runs.py`."""


def recorded_runs(kind: str, path: Path | str = RUNS_PATH) -> list[dict[str, Any]]:
    """What `scripts/recordings/scaling_runs.py` recorded of an experiment; empty where there is no such record.

    Each run is a dict with `kind`, `name`, `seed`, `accuracy` (percent, of "grid" runs on validation images, else on
    test images), `macs`, `params`, `seconds` (processor time) and `steps`; "grid", "scale" and "longer" runs (families
    of networks, by the recipe and with four times its epochs) also have `factor`, the budget asked for in units of the
    base network.
    """
    path = Path(path)
    if not path.exists():
        return []
    runs = json.loads(path.read_text(encoding="utf-8"))["runs"]
    return [run for run in runs if run["kind"] == kind]


def by_family(runs: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Accuracies (seeds, factors) of each family among the runs of one kind, by ascending seed and factor.

    The base network, factor 1, is where every family begins: its accuracies are each one's first column.
    """
    found = {(run["name"], run["factor"], run["seed"]): run["accuracy"] for run in runs}
    names = dict.fromkeys(name for name, _, _ in found if name != "base")
    seeds, factors = (sorted({key[i] for key in found}) for i in (2, 1))
    return {
        name: np.array(
            [[found["base" if factor == 1 else name, factor, seed] for factor in factors] for seed in seeds]
        )
        for name in names
    }


def usable_device() -> str:
    """ "cuda" where PyTorch sees a GPU, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def seconds_per_batch(
    network: nn.Module,
    x: torch.Tensor,
    repeats: int = 20,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Seconds that a network needs for a batch, evaluation mode, the 25th percentile of individually timed calls.

    Three calls warm up first; on a GPU each call is waited for.
    """
    network.eval()
    with torch.inference_mode():
        timed = time_calls(
            lambda: network(x), warmup=3, repeats=repeats, synchronize=synchronizer(x.device), clock=clock
        )
    return timed.low
