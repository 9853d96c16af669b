"""Checks the table against independent trainings: plain `train()`, float32, fresh seeds.

    python -m scripts.table.check record [--set cells=N] [--set device=cuda]    trains them
    python -m scripts.table.check show [--set cells=N]    judges; status 1 if the table is off

Random *cells* are drawn, of distinct functions, most of them not the representative that was
trained for the table. The table trained several seeds at once in a packed network, from
representatives; if packing, merging or the map from cells to functions were wrong, accuracies would
differ by more than seeds do. `--set unfinished=true` checks a table that is not all trained.

How it is judged. Noise depends on the level of accuracy, so the standard deviation s(level) between
seeds is pooled over the functions of similar accuracy. A new training of a function whose S seeds
have mean m gives the residual z = (new − m) / (s(m) · √(1 + 1/S)). Three statistics of the
residuals of N cells are looked at, for validation and for test accuracy: their mean (everything
shifted), their sum of squares (more noise than seeds have) and the largest |z| (single cells
wrong). What is usual comes from the table itself, since its noise has heavier tails than the normal
distribution: N residuals of single seeds of the table against the mean of the others, drawn at
random 100,000 times. All cells of the table share their seeds, and a seed may be a good one for
most cells; so each such draw is moved by a common amount, normal with the variance that the seeds'
means over all functions show. Each of the six p-values has to stay above `alarm`/6, so that a right
table fails about once in 1,000 checks ("about": the common variance is an estimate from S seeds).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from nas_lib.benchmark import TABLE_PATH, TableFile
from nas_lib.spaces import CellSpace, functions
from nas_lib.training import RECIPE, DataSplits, Recipe, load_splits, train
from scripts import recording
from scripts.recording import Recording, Row, Rows
from scripts.table import build

ALARM = 1e-3
"""How often a right table fails the check."""
NEIGHBOURS = 200
"""Functions of similar accuracy over which the noise is pooled; a fifth of all where there are
few, but at least 20."""
DRAWS = 100_000
FIRST_SEED = 10_000
"""Cell i is trained with seed FIRST_SEED + i."""
METRICS = ("valid", "test")
STATISTICS = ("mean", "squares", "worst")

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Known:
    """What the table says after the last epoch.

    `number` (K,): the functions it has, rising; `values`: metric -> (K, S), percent per seed.
    """

    number: NDArray[np.int64]
    values: dict[str, Floats]

    @classmethod
    def of_table(cls, path: Path = TABLE_PATH, recipe: Recipe = RECIPE) -> Known:
        """From a table file.

        Raises:
            ValueError: it was trained by another recipe than the one that will be checked with.
        """
        table = TableFile.read(path)
        if table.recipe != recipe.as_dict() | {"seeds": list(build.SEEDS)}:
            raise ValueError(f"{path} was trained by another recipe than it would be checked with")
        return cls(
            np.arange(len(table.test_correct)),
            # 100.0 and not 100: the counts are uint16, and 100 times a count would not fit
            {
                "valid": 100.0 * table.valid_correct[:, :, -1] / table.valid_size[-1],
                "test": 100.0 * table.test_correct / table.test_size,
            },
        )

    @classmethod
    def of_record(cls, table: build.Table) -> Known:
        """From the finished functions of an unfinished table."""
        done = table.recording.rows()
        number, share = sorted(map(int, done)), 100 / table.recipe.final_images
        rows = [done[str(one)] for one in number]
        valid = [[seed[-1] for seed in row["valid"]] for row in rows]
        test = [row["test"] for row in rows]
        counts = {"valid": np.array(valid, float), "test": np.array(test, float)}
        return cls(np.array(number, np.int64), {name: share * one for name, one in counts.items()})


def draw_cells(count: int, known: Sequence[int] | NDArray[np.int64], seed: int = 0) -> list[int]:
    """Indices of `count` random cells of distinct functions that are among `known`.

    The same cells come first whatever `count` is, and with more functions known, only more are
    added among them.

    Raises:
        ValueError: fewer functions are known than cells are wanted.
    """
    function = functions(CellSpace())[1]
    usable, drawn, used = set(np.asarray(known).tolist()), [], set()
    if count > len(usable):
        accepted = f"cells must not exceed the {len(usable)} functions that are trained"
        raise ValueError(f"{accepted}, got {count}")
    for index in np.random.default_rng(seed).permutation(len(function)).tolist():
        number = int(function[index])
        if number in usable and number not in used:
            drawn.append(index)
            used.add(number)
            if len(drawn) == count:
                break
    return drawn


# ---------------------------------------------------------------------- training


def key(row: Row) -> str:
    """The job of a row."""
    return str(row["arch"])


@dataclass(frozen=True)
class Check:
    """Random cells, trained anew.

    Attributes:
        cells: how many.
        alarm: how often a right table fails.
        table: its file.
        unfinished: whether to check what `scripts.table.build` has recorded so far instead.
    """

    cells: int = 24
    alarm: float = ALARM
    table: Path = TABLE_PATH
    unfinished: bool = False
    recipe: Recipe = RECIPE
    device: str = "cpu"
    folder: Path = Path(__file__).with_suffix("")

    def __post_init__(self) -> None:
        if self.cells < 1:
            raise ValueError(f"cells must be at least 1, got {self.cells}")
        if not 1e-4 <= self.alarm <= 0.5:
            raise ValueError(f"alarm must be from 0.0001 to 0.5, got {self.alarm}")

    @cached_property
    def recording(self) -> Recording:
        """Of these settings."""
        space = CellSpace()
        drawn = draw_cells(self.cells, self.known.number)
        jobs = {space.str(space.from_index(index)): (index,) for index in drawn}
        settings = {"recipe": self.recipe.as_dict(), "first_seed": FIRST_SEED}
        return Recording(jobs, self.do, None, settings, self.folder, show=self.show, key=key)

    @cached_property
    def known(self) -> Known:
        """What is checked."""
        if self.unfinished:
            return Known.of_record(build.Table(self.recipe))
        return Known.of_table(self.table, self.recipe)

    @cached_property
    def splits(self) -> DataSplits:
        """The images; drawn when first needed."""
        return load_splits(self.recipe).to(self.device)

    def do(self, index: int) -> Row:
        """Train one cell by itself."""
        space, seed, share = CellSpace(), FIRST_SEED + index, 100 / self.recipe.final_images
        arch = space.from_index(index)
        result = train(arch, self.splits, self.recipe, seed)
        accuracies = {"valid": result.valid_correct[-1], "test": result.test_correct}
        percent = {name: round(correct * share, 6) for name, correct in accuracies.items()}
        return {"arch": space.str(arch), "seed": seed} | percent

    def show(self, _: Rows) -> Iterator[str]:
        """The report; then the process ends with status 1 where the table is off."""
        rows = self.recording.complete().values()
        new = {row["seed"] - FIRST_SEED: (row["valid"], row["test"]) for row in rows}
        # enough draws that the limit of each test is not decided by a handful of them
        verdict = judge(self.known, new, self.alarm, draws=max(DRAWS, math.ceil(60 / self.alarm)))
        yield report(self.known, new, verdict, self.alarm)
        if not verdict.passed:
            sys.exit(1)


# ---------------------------------------------------------------------- judging


class Noise:
    """Standard deviation between seeds as a function of the level of accuracy.

    At each level the root of the mean variance of the `NEIGHBOURS` functions whose means come
    nearest in rank. Never below one image in 10,000.
    """

    def __init__(self, values: Floats, neighbours: int = NEIGHBOURS) -> None:
        order = np.argsort(values.mean(1), kind="stable")
        self._levels = values.mean(1)[order]
        self._sums = np.concatenate([[0.0], np.cumsum(values.var(axis=1, ddof=1)[order])])
        self._width = min(neighbours, max(20, len(values) // 5), len(values))

    def __call__(self, levels: Any) -> Floats:
        """(…) levels in percent -> (…) standard deviations in points."""
        middle = np.searchsorted(self._levels, np.asarray(levels, float))
        start = np.clip(middle - self._width // 2, 0, len(self._levels) - self._width)
        variance = (self._sums[start + self._width] - self._sums[start]) / self._width
        return np.maximum(np.sqrt(np.maximum(variance, 0)), 0.01)


def residuals(new: Floats, mean: Floats, seeds: int, noise: Noise) -> Floats:
    """Standardised differences between new trainings and means over `seeds` trainings."""
    return (new - mean) / (noise(mean) * math.sqrt(1 + 1 / seeds))


def own_residuals(values: Floats, noise: Noise) -> Floats:
    """(functions, S) residuals of the table's seeds against the others' mean: what is usual."""
    count = values.shape[1]
    others = (values.sum(1, keepdims=True) - values) / (count - 1)
    return residuals(values, others, count - 1, noise)


def common_sd(values: Floats, noise: Noise) -> float:
    """Standard deviation between seeds of what a seed does to all functions, in units of the noise.

    Estimated without correction for the finite number of functions, which makes it a little too
    high.
    """
    mean = values.mean(1, keepdims=True)
    return float(((values - mean) / noise(mean)).mean(0).std(ddof=1))


def statistics(z: Floats) -> dict[str, Floats]:
    """|mean|, sum of squares and largest |z| along the last axis."""
    return {"mean": np.abs(z.mean(-1)), "squares": (z**2).sum(-1), "worst": np.abs(z).max(-1)}


class Outcome(NamedTuple):
    """One statistic of one metric: its value, its limit, how often a right table exceeds it."""

    metric: str
    statistic: str
    value: float
    limit: float
    p: float


class Verdict(NamedTuple):
    """Residuals by metric, and the six tests."""

    z: dict[str, Floats]
    tests: list[Outcome]
    passed: bool
    detectable: float
    """Shift of all test accuracies, in points, that would have been found with probability 0.9."""


def judge(
    known: Known,
    new: dict[int, tuple[float, float]],
    alarm: float = ALARM,
    rng: np.random.Generator | None = None,
    draws: int = DRAWS,
) -> Verdict:
    """Do new trainings (cell index -> validation, test) lie inside the noise of the table?

    Args:
        alarm: how often a right table fails, over all six tests.
        rng: for drawing what is usual.
        draws: how many checks of a right table are imitated; the smallest p-value is 1/(draws + 1).
    """
    rng = rng or np.random.default_rng(0)
    function = functions(CellSpace())[1]
    place = {number: k for k, number in enumerate(known.number.tolist())}
    rows = [place[int(function[index])] for index in new]
    # cells are drawn, not functions: a function that many cells compute is drawn more often
    cells = np.bincount(function)[known.number]
    level = alarm / (len(METRICS) * len(STATISTICS))
    if level * (draws + 1) < 2:
        least = math.ceil(2 / level)
        raise ValueError(f"draws must be at least {least} for alarm={alarm}, got {draws}")
    z, tests, detectable = {}, [], float("nan")
    for column, metric in enumerate(METRICS):
        values = known.values[metric]
        noise, mean, seeds = Noise(values), values[rows].mean(1), values.shape[1]
        z[metric] = residuals(np.array([pair[column] for pair in new.values()]), mean, seeds, noise)
        usual = np.repeat(own_residuals(values, noise), cells, axis=0).ravel()
        # of the mean of S seeds, in units of z
        shift = common_sd(values, noise) / math.sqrt(seeds + 1)
        imitated = imitate(usual, shift, len(rows), draws, rng)
        for name, value in statistics(z[metric]).items():
            p = (1 + int((imitated[name] >= value).sum())) / (draws + 1)
            limit = float(np.quantile(imitated[name], 1 - level))
            tests.append(Outcome(metric, name, float(value), limit, p))
        if metric == "test":
            per_point = float((1 / (noise(mean) * math.sqrt(1 + 1 / seeds))).mean())
            limit = next(test.limit for test in tests if test[:2] == ("test", "mean"))
            sd = math.sqrt(float(usual.var()) / len(rows) + shift**2)
            detectable = (limit + 1.2816 * sd) / per_point
    return Verdict(z, tests, all(test.p > level for test in tests), detectable)


def imitate(
    usual: Floats, shift: float, count: int, draws: int, rng: np.random.Generator
) -> dict[str, Floats]:
    """Statistics (draws,) of `count` of the usual residuals, moved together by `shift` (an sd)."""
    parts = []
    for start in range(0, draws, 10_000):
        size = min(10_000, draws - start)
        z = usual[rng.integers(len(usual), size=(size, count))]
        parts.append(statistics(z + shift * rng.standard_normal((size, 1))))
    return {name: np.concatenate([part[name] for part in parts]) for name in STATISTICS}


# ---------------------------------------------------------------------- reporting


def report(
    known: Known,
    new: dict[int, tuple[float, float]],
    verdict: Verdict,
    alarm: float = ALARM,
) -> str:
    """The check as a table, one line per cell, and the six tests."""
    space = CellSpace()
    representatives, function = functions(space)
    place = {number: k for k, number in enumerate(known.number.tolist())}
    lines = [
        f"{len(new)} cells, trained anew by train() in float32 with fresh seeds, against the table "
        f"({len(known.number):,} functions, {known.values['test'].shape[1]} seeds)",
        "accuracies in percent; z: difference in standard deviations; *: the cell that was trained",
        "",
        f"{'':4}{'validation':^26}{'test':^26}",
        f"{'':4}{'table':>8}{'new':>8}{'z':>7}{'':3}{'table':>8}{'new':>8}{'z':>7}   cell",
    ]
    for i, (index, (valid, test)) in enumerate(new.items()):
        cell, number = space.from_index(index), int(function[index])
        mean = {metric: known.values[metric][place[number]].mean() for metric in METRICS}
        star = "*" if representatives[number] == cell else " "
        lines.append(
            f"{i + 1:>3} {mean['valid']:8.2f}{valid:8.2f}{verdict.z['valid'][i]:+7.2f}   "
            f"{mean['test']:8.2f}{test:8.2f}{verdict.z['test'][i]:+7.2f} {star} {space.str(cell)}"
        )
    words = {"mean": "|mean of z|", "squares": "sum of z²", "worst": "largest |z|"}
    lines += ["", f"{'':14}{'':14}{'value':>8}{'limit':>8}{'p':>10}{'p, normal noise':>18}"]
    level = alarm / len(verdict.tests)
    for one in verdict.tests:
        metric = "validation" if one.metric == "valid" else "test"
        lines.append(
            f"{metric:14}{words[one.statistic]:14}{one.value:8.2f}"
            f"{one.limit:8.2f}{one.p:10.5f}{normal_p(one, len(new)):18.5f}"
            + ("" if one.p > level else "   OUTSIDE")
        )
    worst = min(test.p for test in verdict.tests)
    lines += [
        "",
        f"A right table fails about {alarm:.2%} of such checks: "
        f"each p must exceed {level:.2g}, smallest {worst:.2g}.",
        f"A shift of all test accuracies by {verdict.detectable:.2f} points "
        "would be found in 90 % of the checks.",
        "inside the seed noise"
        if verdict.passed
        else "OUTSIDE the seed noise: table and plain training disagree",
    ]
    return "\n".join(lines)


def normal_p(test: Outcome, count: int) -> float:
    """The p-value that normal noise of known standard deviation would give, for comparison."""
    if test.statistic == "mean":
        return math.erfc(test.value * math.sqrt(count / 2))
    if test.statistic == "squares":
        return float(chi2.sf(test.value, count))
    return 1 - (1 - math.erfc(test.value / math.sqrt(2))) ** count


if __name__ == "__main__":
    recording.main(__doc__, Check())
