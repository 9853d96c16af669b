"""What the datasheet says about a table, as functions of its arrays.

Everything takes arrays and returns numbers; nothing is printed, drawn or trained here. "Over cells" means that each
of the space's cells counts once, as a search meets them; "over functions" that each distinct function counts once,
as they were trained: cells that compute the same function share their accuracies, so they are no independent
evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kendalltau, pearsonr, spearmanr

from nas_lib.benchmark import TableFile
from nas_lib.spaces import Cell, CellSpace, functions, live_edges

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Measured:
    """A table with its space: n cells, F functions, S seeds, E epochs; accuracies in percent.

    Attributes:
        space, cells: the space and its cells in index order.
        function: (n,) number of each cell's function.
        first: (F,) index of each function's first cell, its representative.
        valid: (F, S, E) after each epoch; test: (F, S) after the last.
        live: (n, 6), the edges other than `none` on a path from input to output.
        params, macs, seconds: (n,); function_seconds: (F, S), as measured.
    """

    space: CellSpace
    cells: tuple[Cell, ...]
    function: Indices
    first: Indices
    valid: Floats
    test: Floats
    live: Mask
    params: Indices
    macs: Indices
    seconds: Floats
    function_seconds: Floats

    @classmethod
    def of(cls, table: TableFile, space: CellSpace | None = None) -> Measured:
        """The table's arrays, as the statistics read them.

        Raises:
            ValueError: the table's cells and functions are not those of the space.
        """
        space = space or CellSpace()
        if not np.array_equal(table.function, functions(space)[1]):
            raise ValueError(
                f"table must hold the functions of {space!r}, got another map from cells to functions"
            )
        cells = tuple(space)
        return cls(
            space=space,
            cells=cells,
            function=table.function.astype(np.int64),
            first=np.unique(table.function, return_index=True)[1],
            valid=100.0 * table.valid_correct / table.valid_size,
            test=100.0 * table.test_correct / table.test_size,
            live=np.array([live_edges(cell) for cell in cells]),
            params=table.params.astype(np.int64),
            macs=table.macs.astype(np.int64),
            seconds=table.seconds.astype(np.float64),
            function_seconds=table.function_seconds.astype(np.float64),
        )

    @property
    def seeds(self) -> int:
        """S, the trainings of each function."""
        return self.test.shape[1]

    @property
    def epochs(self) -> int:
        """E, the epochs of each training."""
        return self.valid.shape[2]

    @property
    def accuracy(self) -> Floats:
        """(F,) test accuracy of each function, mean over seeds."""
        # means of equal counts in another order differ in the last bit: they are ties all the same
        return self.test.mean(1).round(9)

    @property
    def cell_accuracy(self) -> Floats:
        """(n,) test accuracy of each cell, mean over seeds."""
        return self.accuracy[self.function]

    @property
    def connected(self) -> Mask:
        """(n,) whether any path leads from the input to the output."""
        return np.asarray(self.live.any(axis=1))

    @property
    def cells_per_function(self) -> Indices:
        """(F,) how many cells compute each function."""
        return np.bincount(self.function)


# ---------------------------------------------------------------------------------------------- rank and spread


def tau(a: ArrayLike, b: ArrayLike) -> float:
    """Kendall's tau-b; NaN where one side has no two different values."""
    return float(kendalltau(a, b).statistic) if _varies(a) and _varies(b) else float("nan")


def rho(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's rank correlation; NaN where one side has no two different values."""
    return float(spearmanr(a, b).statistic) if _varies(a) and _varies(b) else float("nan")


def pearson(a: ArrayLike, b: ArrayLike) -> float:
    """Pearson's correlation; NaN where one side has no two different values."""
    return float(pearsonr(a, b).statistic) if _varies(a) and _varies(b) else float("nan")


def _varies(values: ArrayLike) -> bool:
    array = np.asarray(values)
    return len(array) > 1 and bool((array != array[0]).any())


def top(values: ArrayLike, share: float = 0.1) -> Mask:
    """Which values are at least as high as the ⌈share·n⌉-th highest; equal ones at the border all count."""
    array = np.asarray(values)
    rank = int(np.ceil(share * len(array) - 1e-9))
    return array >= np.sort(array)[len(array) - max(rank, 1)]


def pooled_sd(values: ArrayLike) -> float:
    """Root of the mean variance between seeds (n − 1 in the denominator) of values (items, seeds)."""
    array = np.asarray(values)
    if array.shape[0] == 0 or array.shape[1] < 2:
        return float("nan")
    return float(np.sqrt(array.var(axis=1, ddof=1).mean()))


def quartiles(values: ArrayLike) -> Indices:
    """0 … 3 for each value: its quarter from the lowest up; equal values by position."""
    array = np.asarray(values)
    rank = np.empty(len(array), np.int64)
    rank[np.argsort(array, kind="stable")] = np.arange(len(array))
    return rank * 4 // len(array)


def within(values: ArrayLike, points: Sequence[float]) -> list[int]:
    """How many values lie within each number of points of the highest, the highest included."""
    array = np.asarray(values)
    # accuracies are counts over image numbers: sums in floating point must not decide at the border
    return [int((array >= array.max() - distance - 1e-9).sum()) for distance in points]


def rank_of(values: ArrayLike, item: int) -> int:
    """1 + the number of values that are strictly higher than that of `item`."""
    array = np.asarray(values)
    return 1 + int((array > array[item]).sum())


# -------------------------------------------------------------------------------------------------------- seeds


class Agreement(NamedTuple):
    """Kendall's tau-b between two seeds, mean over all pairs of seeds."""

    everywhere: float
    top: float
    """Within the top 10 % by the mean over all seeds."""
    top_elsewhere: float
    """Within the top 10 % by the mean over the seeds that are not in the pair, so that the pair's own luck selects
    nothing; NaN with two seeds."""


def agreement(values: ArrayLike, share: float = 0.1) -> Agreement:
    """How far seeds agree on the order of values (items, seeds)."""
    array = np.asarray(values)
    chosen = top(array.mean(1), share)
    results = []
    for a, b in combinations(range(array.shape[1]), 2):
        x, y = array[:, a], array[:, b]
        others = [seed for seed in range(array.shape[1]) if seed not in (a, b)]
        elsewhere = float("nan")
        if others:
            apart = top(array[:, others].mean(1), share)
            elsewhere = tau(x[apart], y[apart])
        results.append((tau(x, y), tau(x[chosen], y[chosen]), elsewhere))
    return Agreement(*np.mean(results, axis=0).tolist()) if results else Agreement(*[float("nan")] * 3)


class Reliability(NamedTuple):
    """How far a mean over all seeds can be trusted, where single seeds are noisy."""

    single: float
    """Pearson's correlation of two seeds, mean over all pairs of seeds."""
    mean: float
    """The same of two such means, were the table made twice: Spearman & Brown's formula."""
    tau: float
    """Kendall's tau between the mean and the mean of endless seeds, were both normal."""


def reliability(values: ArrayLike, elsewhere: bool = False, share: float = 0.1) -> Reliability:
    """The reliability of the mean over seeds of values (items, seeds), by split halves of one seed each.

    A pair of seeds is a test in two halves. From the correlation r of the halves follows that of two means over S
    seeds, S·r / (1 + (S − 1)·r) (Spearman 1910, Brown 1910).

    Args:
        values: accuracies.
        elsewhere: only the items in the top `share` by the mean over the seeds that are not in the pair: what a pair
            selects by itself correlates less than it should. Takes three seeds.
        share: which part is the top.
    """
    array = np.asarray(values)
    seeds = array.shape[1]
    found = []
    for pair in combinations(range(seeds), 2):
        others = [seed for seed in range(seeds) if seed not in pair]
        if elsewhere and not others:
            continue
        which = top(array[:, others].mean(1), share) if elsewhere else np.ones(len(array), dtype=bool)
        found.append(pearson(*array[which][:, list(pair)].T))
    if not found:
        return Reliability(*[float("nan")] * 3)
    single = float(np.mean(found))
    mean = seeds * single / (1 + (seeds - 1) * single)
    # Greiner's relation; the correlation with the truth is the root of the reliability.
    return Reliability(single, mean, float(2 / np.pi * np.arcsin(np.sqrt(max(mean, 0.0)))))


def seed_offsets(values: ArrayLike) -> list[float]:
    """How much better than the mean of the seeds each seed is, in points, mean over the items of (items, seeds)."""
    array = np.asarray(values)
    offsets: list[float] = (array - array.mean(1, keepdims=True)).mean(0).tolist()
    return offsets


def optimism(values: ArrayLike) -> float:
    """What the winner loses on a seed that did not choose it, in points, mean over the left-out seeds.

    The best item by the mean over all seeds but one, its value there minus its value at the left-out seed.
    """
    array = np.asarray(values)
    losses = []
    for seed in range(array.shape[1]):
        rest = np.delete(array, seed, axis=1).mean(1)
        winner = int(rest.argmax())
        losses.append(rest[winner] - array[winner, seed])
    return float(np.mean(losses)) if array.shape[1] > 1 else float("nan")


def undecided(values: ArrayLike, share: float = 0.1) -> int:
    """How many items the seeds can't tell from the best: means that differ by less than 1.96 standard errors.

    The standard error of a difference of two means comes from the pooled sd of the top `share`. No correction for
    the best having been picked as the highest.
    """
    array = np.asarray(values)
    mean = array.mean(1)
    error = pooled_sd(array[top(mean, share)]) * np.sqrt(2 / array.shape[1])
    return int((mean.max() - mean < 1.96 * error).sum() if error > 0 else (mean == mean.max()).sum())


# --------------------------------------------------------------------------------------------------------- skips


def live_skips(m: Measured) -> Indices:
    """(n,) number of live edges that carry `skip_connect`."""
    skip = np.array([[op == "skip_connect" for op in cell] for cell in m.cells])
    return (skip & m.live).sum(1)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Cells that differ on one edge only, where one has an op and the other has another instead.

    Attributes:
        having, lacking: (pairs,) indices of the two cells.
        live: (pairs,) whether that edge is live in the cell that has the op.
    """

    having: Indices
    lacking: Indices
    live: Mask


def pairs_of(m: Measured, op: str, instead: str = "none") -> Pairs:
    """Every pair of cells of which one has `op` where the other has `instead`, and which are equal otherwise."""
    having, lacking, live = [], [], []
    for index, cell in enumerate(m.cells):
        for edge, name in enumerate(cell):
            if name == op:
                having.append(index)
                lacking.append(m.space.index((*cell[:edge], instead, *cell[edge + 1 :])))
                live.append(bool(m.live[index, edge]))
    return Pairs(np.array(having, np.int64), np.array(lacking, np.int64), np.array(live, bool))


class Effect(NamedTuple):
    """What an op adds over another: in percentage points, over `pairs` pairs of cells."""

    pairs: int
    mean: float
    median: float
    better: float
    """Share of the pairs in which the cell with the op is better."""


def effect(values: Floats, pairs: Pairs, which: Mask) -> Effect:
    """The differences in `values` (n,) over the pairs in `which`."""
    difference = (values[pairs.having] - values[pairs.lacking])[which]
    if difference.size == 0:
        return Effect(0, float("nan"), float("nan"), float("nan"))
    better = float((difference > 0).mean())
    return Effect(difference.size, float(difference.mean()), float(np.median(difference)), better)


def effects(m: Measured, op: str, instead: str = "none") -> dict[str, Effect]:
    """The effect of `op` instead of `instead` over all pairs, and over narrower ones."""
    accuracy, pairs = m.cell_accuracy, pairs_of(m, op, instead)
    good = top(accuracy)
    either = good[pairs.having] | good[pairs.lacking]
    still_connected = m.connected[pairs.lacking]
    return {
        "all pairs": effect(accuracy, pairs, np.ones(len(pairs.live), bool)),
        "the edge is live": effect(accuracy, pairs, pairs.live),
        "… and the other cell is still connected": effect(accuracy, pairs, pairs.live & still_connected),
        "… and one of the two is in the top 10 %": effect(
            accuracy, pairs, pairs.live & still_connected & either
        ),
    }


# ------------------------------------------------------------------------------------------- fidelity and price


class Fidelity(NamedTuple):
    """Kendall's tau-b between validation accuracy after an epoch and final test accuracy (mean over seeds)."""

    mean: float
    mean_top: float
    single: float
    single_top: float


def fidelity(m: Measured) -> list[Fidelity]:
    """For each epoch, over functions: validation of the mean over seeds, and of one seed (mean over the seeds).

    The top 10 % are those by final test accuracy. The early values come from the same trainings as the final ones,
    as they do for a search that stops training early.
    """
    final = m.accuracy
    good = top(final)
    rows = []
    for epoch in range(m.epochs):
        mean = m.valid[:, :, epoch].mean(1)
        seeds = [m.valid[:, seed, epoch] for seed in range(m.seeds)]
        rows.append(
            Fidelity(
                tau(mean, final),
                tau(mean[good], final[good]),
                float(np.mean([tau(one, final) for one in seeds])),
                float(np.mean([tau(one[good], final[good]) for one in seeds])),
            )
        )
    return rows


def price_fit(m: Measured) -> float:
    """R² of the cells' price against the measured seconds (mean over seeds), over functions."""
    measured = m.function_seconds.mean(1)
    residual = measured - m.seconds[m.first]
    return float(1 - (residual**2).sum() / ((measured - measured.mean()) ** 2).sum())


class Speeds(NamedTuple):
    """The measured seconds as those of two machines, a fast and a slow one."""

    factors: tuple[float, float]
    """Measured over fitted seconds on each, the geometric mean being 1."""
    functions: tuple[int, int]
    fit: float
    """R² of prices per operation against the seconds divided by their machine's factor."""
    agreement: float
    """Correlation of these prices with those in the table."""


def speeds(m: Measured, rounds: int = 10) -> Speeds | None:
    """Which functions were timed on a fast and which on a slow machine, by the ratio of measured and fitted seconds.

    In turn, the logarithms of the ratios are split in two groups (k-means), and prices per operation are fitted to the
    seconds without their group's factor. None where seconds or prices are not all positive.
    """
    measured, price = m.function_seconds.mean(1), m.seconds[m.first].astype(np.float64)
    ops = [op for op in m.space.ops if op != "none"]
    counts = np.array([[1.0, *(m.cells[i].count(op) for op in ops)] for i in m.first])
    fitted = price
    for _ in range(rounds):
        if min(measured.min(), fitted.min()) <= 0:
            return None
        ratio = np.log(measured / fitted)
        centers = np.array([ratio.min(), ratio.max()])
        for _ in range(50):
            slow = np.abs(ratio - centers[0]) > np.abs(ratio - centers[1])
            if slow.all() or not slow.any():
                return None
            centers = np.array([ratio[~slow].mean(), ratio[slow].mean()])
        centers -= centers.mean()
        even = measured / np.exp(np.where(slow, *centers[::-1]))
        fitted = counts @ np.linalg.lstsq(counts, even, rcond=None)[0]
    fit = 1 - float(((even - fitted) ** 2).sum() / ((even - even.mean()) ** 2).sum())
    factors = tuple(np.exp(centers).tolist())
    return Speeds(factors, (int((~slow).sum()), int(slow.sum())), fit, pearson(fitted, price))


def prices(m: Measured) -> dict[str, float] | None:
    """Seconds of a network without any op ("network") and of each op in its cell; None if no such prices exist.

    Recovered from the cells' prices, which are sums of them.
    """
    ops = [op for op in m.space.ops if op != "none"]
    counts = np.array([[1.0, *(cell.count(op) for op in ops)] for cell in m.cells])
    price, *_ = np.linalg.lstsq(counts, m.seconds, rcond=None)
    if np.abs(counts @ price - m.seconds).max() > 1e-4 * m.seconds.max():
        return None
    return dict(zip(["network", *ops], price.tolist(), strict=True))


# -------------------------------------------------------------------------------------------------- acceptance


class Criterion(NamedTuple):
    """Something that the table was meant to be, and whether it is."""

    wanted: str
    measured: str
    met: bool


def criteria(m: Measured) -> list[Criterion]:
    """The criteria that were set before the table was trained; where there are several values, the worst decides."""
    cells, by_function = m.cell_accuracy, m.accuracy
    largest = int(m.params.argmax())
    rank = rank_of(cells, largest)
    size = {
        "cells": _size_in_top(m.params, cells),
        "functions": _size_in_top(m.params[m.first], by_function),
    }
    seeds = {
        (metric, over): agreement(values if over == "functions" else values[m.function])
        for metric, values in (("test", m.test), ("validation", m.valid[:, :, -1]))
        for over in ("cells", "functions")
    }
    all_taus = [one.everywhere for one in seeds.values()]
    top_taus = [one.top for one in seeds.values()]
    return [
        Criterion("the largest cell is not the best", f"rank {rank:,} of {len(cells):,} cells", rank > 1),
        Criterion(
            "parameters don't decide the order of the good cells: |Spearman| with test accuracy ≤ 0.4 in the top 10 %",
            ", ".join(f"{value:.2f} over {over}" for over, value in size.items()),
            all(abs(value) <= 0.4 for value in size.values()),
        ),
        Criterion(
            "seeds agree: tau ≥ 0.85 over all",
            "; ".join(f"{metric}, {over}: {one.everywhere:.2f}" for (metric, over), one in seeds.items()),
            min(all_taus) >= 0.85,
        ),
        Criterion(
            "seeds agree on the good ones: tau ≥ 0.4 in the top 10 %",
            "; ".join(f"{metric}, {over}: {one.top:.2f}" for (metric, over), one in seeds.items()),
            min(top_taus) >= 0.4,
        ),
        skips_matter(m),
    ]


def _size_in_top(params: Indices, accuracy: Floats) -> float:
    good = top(accuracy)
    return rho(params[good], accuracy[good])


def skips_matter(m: Measured) -> Criterion:
    """Skips matter if the best cell has a live one, and if, near the top, `none` instead costs accuracy on average."""
    count, accuracy = live_skips(m), m.cell_accuracy
    best = [accuracy[which].max() if which.any() else float("nan") for which in (count > 0, count == 0)]
    near_top = list(effects(m, "skip_connect").values())[-1]
    return Criterion(
        "skip connections matter: the best cell has a live one, and `none` in its place costs accuracy on average",
        f"best cell with a live skip {best[0]:.2f} %, without {best[1]:.2f} %; a live skip adds "
        f"{near_top.mean:+.2f} points where one of the two cells is in the top 10 %",
        bool(best[0] > best[1] and near_top.mean > 0),
    )


def summary(values: ArrayLike, levels: Sequence[float]) -> list[float]:
    """Percentiles of values."""
    return [float(np.percentile(np.asarray(values), level)) for level in levels]
