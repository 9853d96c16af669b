"""Which recipe makes a search space worth searching? The evidence behind `nas_lib.training.RECIPE`.

    python -m scripts.table.recipe_study record --set candidate=NAME    trains cells by a candidate
    python -m scripts.table.recipe_study show           the figures that the choice was made from

A recipe is good if the largest cell is not the best, if the parameter count does not decide the
order of the good cells, if skip connections matter, and if two seeds agree about who is better. It
must also be cheap: 5,260 functions are trained three times each. The cells are the same for every
candidate: 60 random ones, the largest, 10 of its neighbours, and 24 random ones with at least three
3x3 convolutions, where good cells lie. Three seeds each. A candidate may be given up before all
cells are trained; `show` counts what there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau, spearmanr

from nas_lib.networks import NetworkConfig, count_params
from nas_lib.spaces import CellSpace, canonical
from nas_lib.training import DataSplits, Recipe, load_splits, train_packed
from scripts import recording
from scripts.recording import Recording, Row, Rows
from scripts.table.build import SEEDS, settings

LARGEST = ("nor_conv_3x3",) * 6

UNSTRIDED = NetworkConfig(channels=8, stages=2, stem_stride=1)
STRIDED = NetworkConfig(channels=16, stages=2, stem_stride=2)
CANDIDATES = {
    "strided-1024x16": Recipe(network=STRIDED, train_images=1024, epochs=16, batch_size=64),
    "strided-2048x8": Recipe(network=STRIDED, train_images=2048, epochs=8, batch_size=64),
    "strided-4096x6": Recipe(network=STRIDED, train_images=4096, epochs=6, batch_size=64),
    "unstrided-4096x6": Recipe(network=UNSTRIDED, train_images=4096, epochs=6, batch_size=64),
}
NEAR, RANDOM, RICH = 11, 60, 24


def sampled_cells() -> list[tuple[str, ...]]:
    """The largest cell, 10 of its 24 neighbours, random cells, some rich in 3x3 convolutions."""
    space = CellSpace()
    neighbours = space.neighbors(LARGEST)
    near = [neighbours[i] for i in (0, 1, 4, 8, 9, 12, 16, 17, 20, 21)]
    rng = np.random.default_rng(1)
    cells = [LARGEST, *near, *(canonical(space.sample(rng)) for _ in range(RANDOM))]
    while len(cells) < NEAR + RANDOM + RICH:
        arch = canonical(space.sample(rng))
        if arch.count("nor_conv_3x3") >= 3:
            cells.append(arch)
    return cells


def key(row: Row) -> str:
    """The job of a row: its cell's place in the sample."""
    return str(row["cell"])


@dataclass(frozen=True)
class Study:
    """All cells of the sample by one candidate."""

    candidate: str = "strided-4096x6"
    folder: Path = Path(__file__).with_suffix("")

    @property
    def recipe(self) -> Recipe:
        """The candidate.

        Raises:
            ValueError: there is no such.
        """
        if self.candidate not in CANDIDATES:
            accepted = f"candidate must be one of {', '.join(CANDIDATES)}"
            raise ValueError(f"{accepted}, got {self.candidate!r}")
        return CANDIDATES[self.candidate]

    @cached_property
    def recording(self) -> Recording:
        """Of this candidate."""
        # Random cells first: the large ones take longest.
        cells = sorted(enumerate(sampled_cells()), key=lambda pair: not is_random(pair[0]))
        jobs = {str(number): (number, cell) for number, cell in cells}
        common, folder = settings(self.recipe), self.folder / self.candidate
        return Recording(jobs, self.do, None, common, folder, show=self.show, key=key)

    @cached_property
    def splits(self) -> DataSplits:
        """The images; drawn when first needed."""
        return load_splits(self.recipe)

    def do(self, number: int, arch: tuple[str, ...]) -> Row:
        """Train one cell, all seeds at once."""
        results = train_packed(arch, self.splits, self.recipe, SEEDS)
        return {
            "cell": number,
            "arch": CellSpace().str(arch),
            "valid": [result.valid_correct for result in results],
            "test": [result.test_correct for result in results],
            "seconds": results[0].seconds,
        }

    def show(self, _: Rows) -> Iterator[str]:
        """The figures of every candidate that has rows: a choice is made among all."""
        for name, recipe in CANDIDATES.items():
            rows = list(replace(self, candidate=name).recording.rows().values())
            if rows:
                yield from figures(name, recipe, rows)


def is_random(number: int) -> bool:
    """Whether the cell at this place was drawn from the whole space."""
    return NEAR <= number < NEAR + RANDOM


def figures(name: str, recipe: Recipe, rows: list[Row]) -> Iterator[str]:
    """What the rows of a candidate say, in lines."""
    space = CellSpace()
    share = 100 / recipe.final_images
    valid = np.array([[seed[-1] for seed in row["valid"]] for row in rows]) * share
    test = np.array([row["test"] for row in rows]) * share
    number = np.array([row["cell"] for row in rows])
    random = np.array([is_random(one) for one in number])
    rich = number >= NEAR + RANDOM
    mean = test.mean(1)
    archs = [space.parse(row["arch"]) for row in rows]
    params = np.array([count_params(arch, recipe.network) for arch in archs])
    order = np.argsort(-mean)
    top = order[: len(order) // 4]
    near = number < NEAR
    counts = f"{random.sum()} random cells, {rich.sum()} rich in 3x3, {near.sum()} near the largest"
    yield f"\n{name}: {counts}"
    if random.any():
        seconds = np.mean([row["seconds"] for row, drawn in zip(rows, random) if drawn])
        levels = np.quantile(mean[random], [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1]).round(1)
        yield f"  training seconds per network, random cells: {seconds:.2f}"
        yield f"  test accuracy of random cells, quantiles 0 10 25 50 75 90 100 %: {levels}"
    spread = test.std(1, ddof=1)
    best = f"best quarter {spread[top].mean():.2f}"
    yield f"  standard deviation between seeds: {spread.mean():.2f}, {best}"
    drawn = np.flatnonzero(random | rich)
    best_drawn = drawn[np.argsort(-mean[drawn])][:18]  # about the best tenth of the space
    for label, which in (
        ("random cells", np.flatnonzero(random)),
        ("18 best drawn cells", best_drawn),
    ):
        if len(which) < 18:
            continue
        taus = [kendalltau(a, b)[0] for a, b in combinations(valid[which].T, 2)]
        rho = spearmanr(params[which], mean[which])[0]
        measured = f"tau between seeds {np.mean(taus):.2f}, Spearman with parameters {rho:.2f}"
        yield f"  {label}: {measured}"
    if near.any():
        largest = next(i for i, row in enumerate(rows) if row["cell"] == 0)
        rank = (mean > mean[largest]).sum() + 1
        yield f"  largest cell: {mean[largest]:.1f} %, rank {rank} of {len(rows)}"
    for i in order[:8]:
        level = f"{mean[i]:.2f} ± {test[i].std(ddof=1):.2f}"
        yield f"    {level}  {params[i]:6d} parameters  {space.str(archs[i])}"


if __name__ == "__main__":
    recording.main(__doc__, Study())
