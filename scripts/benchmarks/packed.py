"""Measures what packing saves: processor time per network of `train_packed`, S seeds at once, against plain `train`.

    python -m scripts.benchmarks.packed [--steps N] [--cells N] [--repeats N]      one thread, about a minute

Shortened trainings of random cells by the recipe: its batch size, and evaluation in its proportion to training. In
each repeat every cell is trained once by `train` and once for each S, in random order, so that a disturbance of the
machine hits all alike; a ratio is taken within each repeat. Nothing is concluded about accuracy.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from nas_lib.spaces import Cell, CellSpace, is_connected
from nas_lib.training import RECIPE, DataSplits, Recipe, load_splits, train, train_packed

SEEDS_AT_ONCE = (1, 2, 3, 4, 6)
PLAIN = 0
"""Stands for plain `train` where a number of seeds is expected."""


class Cost(NamedTuple):
    """Processor seconds of one network: of its training steps, and of everything (building and evaluating it too)."""

    steps: float
    whole: float


def shortened(recipe: Recipe, steps: int) -> Recipe:
    """One epoch of `steps` steps, with the recipe's number of evaluated images per training image."""
    trained = recipe.epochs * recipe.steps_per_epoch * recipe.batch_size
    evaluated = (recipe.epochs - 1) * recipe.valid_images + 2 * recipe.final_images
    images = steps * recipe.batch_size
    final = max(1, round(images * evaluated / trained / 2))  # seen twice: validation and test
    return replace(recipe, epochs=1, train_images=images, valid_images=final, final_images=final)


def cost(cell: Sequence[str], splits: DataSplits, recipe: Recipe, count: int) -> Cost:
    """Trains `cell` with `count` seeds at once (`PLAIN`: one by `train`)."""
    start = time.process_time()
    if count == PLAIN:
        steps = train(cell, splits, recipe).seconds
    else:
        steps = train_packed(cell, splits, recipe, range(count))[0].seconds  # each network's share already
    return Cost(steps, (time.process_time() - start) / max(count, 1))


def measure(
    cells: Sequence[Cell],
    recipe: Recipe,
    counts: Sequence[int] = SEEDS_AT_ONCE,
    repeats: int = 4,
    progress: bool = True,
    rng: np.random.Generator | None = None,
) -> dict[int, NDArray[np.float64]]:
    """Costs per network: number of seeds at once (`PLAIN` among them) -> (repeats, cells, 2), steps and whole.

    One further repeat comes first and is dropped: it warms up caches and the memory allocator.
    """
    rng = rng or np.random.default_rng(0)
    splits = load_splits(recipe)
    kinds = [PLAIN, *counts]
    costs = {kind: np.empty((repeats + 1, len(cells), 2)) for kind in kinds}
    total = (repeats + 1) * len(cells) * len(kinds)
    with tqdm(total=total, unit="training", disable=not progress, file=sys.stdout) as bar:
        for repeat in range(repeats + 1):
            for place, cell in enumerate(cells):
                for kind in rng.permutation(kinds).tolist():
                    costs[kind][repeat, place] = cost(cell, splits, recipe, kind)
                    bar.update()
    return {kind: values[1:] for kind, values in costs.items()}


class SpeedUp(NamedTuple):
    """Plain over packed cost per network: median, 10th and 90th percentile over cells and repeats."""

    median: float
    low: float
    high: float


def speed_ups(costs: dict[int, NDArray[np.float64]]) -> dict[int, tuple[SpeedUp, SpeedUp]]:
    """Number of seeds at once -> speed-up of the training steps, and of everything."""
    result = {}
    for kind, values in costs.items():
        if kind != PLAIN:
            ratios = costs[PLAIN] / values
            low, middle, high = np.percentile(ratios, (10, 50, 90), axis=(0, 1))
            steps, whole = (SpeedUp(*map(float, column)) for column in zip(middle, low, high, strict=True))
            result[kind] = (steps, whole)
    return result


def random_cells(count: int, seed: int = 0) -> list[Cell]:
    """Distinct random cells in which something is computed."""
    space, rng = CellSpace(), np.random.default_rng(seed)
    drawn: dict[Cell, Any] = {}
    while len(drawn) < count:
        cell = space.sample(rng)
        if is_connected(cell):
            drawn[cell] = None
    return list(drawn)


def report(costs: dict[int, NDArray[np.float64]]) -> str:
    """The measurement as a table."""
    repeats, cells, _ = costs[PLAIN].shape
    lines = [
        f"plain train() = 1; median (10th–90th percentile) over {cells} random cells x {repeats} repeats; one thread",
        f"{'seeds at once':>13}  {'training steps':^22}{'with evaluation':^22}",
    ]
    for count, pair in speed_ups(costs).items():
        texts = [f"{one.median:.2f}x ({one.low:.2f}–{one.high:.2f})" for one in pair]
        lines.append(f"{count:>13}  {texts[0]:^22}{texts[1]:^22}")
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    import torch

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default, what in (
        ("steps", 16, "training steps of each training"),
        ("cells", 4, "random cells"),
        ("repeats", 4, "repeats that count"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{what} (default: {default})")
    arguments = parser.parse_args()
    for name, value in vars(arguments).items():
        if value < 1:
            parser.error(f"--{name} must be at least 1, got {value}")
    torch.set_num_threads(1)
    costs = measure(
        random_cells(arguments.cells), shortened(RECIPE, arguments.steps), repeats=arguments.repeats
    )
    print(report(costs))


if __name__ == "__main__":
    main()
