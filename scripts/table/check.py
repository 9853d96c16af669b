"""Checks the table against trainings that have nothing to do with it: the plain `train()`, float32, fresh seeds.

    python -m scripts.table.check [--cells N] [--shards] [--device cuda]      resumable; exit code 1 if the table is off

Random *cells* are drawn, of distinct functions, most of them not the representative that was trained for the table.
The table trained several seeds at once in a packed network, from representatives; if packing, merging or the map from
cells to functions were wrong, accuracies would differ by more than seeds do. `--shards` checks an unfinished table.
Records lie in `scripts/table/check/`.

How it is judged. Noise depends on the level of accuracy, so the standard deviation s(level) between seeds is pooled
over the functions of similar accuracy. A new training of a function whose S seeds have mean m gives the residual
z = (new − m) / (s(m) · √(1 + 1/S)). Three statistics of the residuals of N cells are looked at, for validation and
for test accuracy: their mean (everything shifted), their sum of squares (more noise than seeds have) and the largest
|z| (single cells wrong). What is usual comes from the table itself, since its noise has heavier tails than the normal
distribution: N residuals of single seeds of the table against the mean of the others, drawn at random 100,000 times.
All cells of the table share their seeds, and a seed may be a good one for most cells; so each such draw is moved by
a common amount, normal with the variance that the seeds' means over all functions show. Each of the six p-values has
to stay above `--alarm`/6, so that a right table fails about once in 1,000 checks ("about": the common variance is an
estimate from S seeds).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2
from tqdm import tqdm

from nas_lib.benchmark import TABLE_PATH, TableFile
from nas_lib.spaces import Cell, CellSpace, functions
from nas_lib.training import RECIPE, Recipe, load_splits, train
from scripts.table.build import SEEDS, header, read_rows

FOLDER = Path(__file__).with_suffix("")
CELLS = 24
ALARM = 1e-3
"""How often a right table fails the check."""
NEIGHBOURS = 200
"""Functions of similar accuracy over which the noise is pooled; a fifth of all where there are few, but at least 20."""
DRAWS = 100_000
FIRST_SEED = 10_000
"""Cell i is trained with seed FIRST_SEED + i."""
METRICS = ("valid", "test")
STATISTICS = ("mean", "squares", "worst")

Floats = NDArray[np.float64]
Trainer: TypeAlias = Callable[[Cell, int], tuple[float, float]]
"""(cell, seed) -> final validation and test accuracy in percent."""


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
        if table.recipe != header(recipe)["recipe"] | {"seeds": list(SEEDS)}:
            raise ValueError(
                f"{path} was trained by another recipe than RECIPE: it can't be checked with this code"
            )
        return cls(
            np.arange(len(table.test_correct)),
            # 100.0 and not 100: the counts are uint16, and 100 times a count would not fit
            {
                "valid": 100.0 * table.valid_correct[:, :, -1] / table.valid_size[-1],
                "test": 100.0 * table.test_correct / table.test_size,
            },
        )

    @classmethod
    def of_shards(cls, folder: Path | None = None, recipe: Recipe = RECIPE) -> Known:
        """From the finished functions of an unfinished table."""
        rows = read_rows(recipe) if folder is None else read_rows(recipe, folder)
        number = sorted(rows)
        share = 100 / recipe.final_images
        return cls(
            np.array(number, np.int64),
            {
                "valid": np.array([[seed[-1] for seed in rows[n]["valid"]] for n in number], float) * share,
                "test": np.array([rows[n]["test"] for n in number], float) * share,
            },
        )


def draw_cells(count: int, known: Sequence[int] | NDArray[np.int64], seed: int = 0) -> list[int]:
    """Indices of `count` random cells of distinct functions that are among `known`.

    The same cells come first whatever `count` is, and with more functions known, only more are added among them.

    Raises:
        ValueError: fewer functions are known than cells are wanted.
    """
    function = functions(CellSpace())[1]
    usable, drawn, used = set(np.asarray(known).tolist()), [], set()
    if count > len(usable):
        raise ValueError(f"--cells must not exceed the {len(usable)} functions that are trained, got {count}")
    for index in np.random.default_rng(seed).permutation(len(function)).tolist():
        number = int(function[index])
        if number in usable and number not in used:
            drawn.append(index)
            used.add(number)
            if len(drawn) == count:
                break
    return drawn


# ------------------------------------------------------------------------------------------------------ training


def plain_trainer(recipe: Recipe = RECIPE, device: str = "cpu") -> Trainer:
    """Trains by `nas_lib.training.train`, in float32, on one thread."""
    import torch

    torch.set_num_threads(1)
    splits = load_splits(recipe).to(device)

    def trainer(cell: Cell, seed: int) -> tuple[float, float]:
        result = train(cell, splits, recipe, seed)
        share = 100 / recipe.final_images
        return result.valid_correct[-1] * share, result.test_correct * share

    return trainer


def retrain(
    cells: Iterable[int],
    trainer: Callable[[], Trainer],
    path: Path,
    recipe: Recipe = RECIPE,
    progress: bool = True,
) -> dict[int, tuple[float, float]]:
    """(validation, test) accuracy of newly trained cells, each written to `path` as it comes; known ones are read.

    `trainer` makes the trainer, which is not needed where nothing is missing.

    Raises:
        ValueError: the records at `path` were trained by another recipe.
    """
    space, wanted = CellSpace(), list(cells)
    first = {"recipe": header(recipe)["recipe"], "first_seed": FIRST_SEED}
    done: dict[int, tuple[float, float]] = {}
    if path.exists():
        lines = path.read_text().splitlines()
        if not lines or json.loads(lines[0]) != first:
            raise ValueError(f"{path} was trained by another recipe than RECIPE: move it away")
        for line in lines[1:]:
            # a run that was killed while writing may leave half a line; the cell is then trained again
            with contextlib.suppress(json.JSONDecodeError):
                row = json.loads(line)
                done[space.index(space.parse(row["arch"]))] = (row["valid"], row["test"])
        if not path.read_text().endswith("\n"):
            with path.open("a") as file:
                file.write("\n")
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(first) + "\n")
    missing = [index for index in wanted if index not in done]
    make = trainer() if missing else None
    bar = tqdm(
        total=len(wanted),
        initial=len(wanted) - len(missing),
        unit="cell",
        disable=not progress,
        file=sys.stdout,
    )
    for index in missing:
        assert make is not None
        cell, seed = space.from_index(index), FIRST_SEED + index
        valid, test = make(cell, seed)
        row = {"arch": space.str(cell), "seed": seed, "valid": round(valid, 6), "test": round(test, 6)}
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        done[index] = (row["valid"], row["test"])
        bar.update()
    bar.close()
    return {index: done[index] for index in wanted}


# ------------------------------------------------------------------------------------------------------- judging


class Noise:
    """Standard deviation between seeds as a function of the level of accuracy.

    At each level the root of the mean variance of the `NEIGHBOURS` functions whose means come nearest in rank. Never
    below one image in 10,000.
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
    """(functions, S) residual of each seed of the table against the mean of the others: what is usual."""
    count = values.shape[1]
    others = (values.sum(1, keepdims=True) - values) / (count - 1)
    return residuals(values, others, count - 1, noise)


def common_sd(values: Floats, noise: Noise) -> float:
    """Standard deviation between seeds of what a seed has in common for all functions, in units of the noise.

    Estimated without correction for the finite number of functions, which makes it a little too high.
    """
    mean = values.mean(1, keepdims=True)
    return float(((values - mean) / noise(mean)).mean(0).std(ddof=1))


def statistics(z: Floats) -> dict[str, Floats]:
    """|mean|, sum of squares and largest |z| along the last axis."""
    return {"mean": np.abs(z.mean(-1)), "squares": (z**2).sum(-1), "worst": np.abs(z).max(-1)}


class Outcome(NamedTuple):
    """One statistic of one metric: its value, its limit and how often a right table exceeds the value."""

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
        raise ValueError(f"draws must be at least {math.ceil(2 / level)} for alarm={alarm}, got {draws}")
    z, tests, detectable = {}, [], float("nan")
    for column, metric in enumerate(METRICS):
        values = known.values[metric]
        noise, mean, seeds = Noise(values), values[rows].mean(1), values.shape[1]
        z[metric] = residuals(np.array([pair[column] for pair in new.values()]), mean, seeds, noise)
        usual = np.repeat(own_residuals(values, noise), cells, axis=0).ravel()
        shift = common_sd(values, noise) / math.sqrt(seeds + 1)  # of the mean of S seeds, in units of z
        imitated = imitate(usual, shift, len(rows), draws, rng)
        for name, value in statistics(z[metric]).items():
            p = (1 + int((imitated[name] >= value).sum())) / (draws + 1)
            tests.append(
                Outcome(metric, name, float(value), float(np.quantile(imitated[name], 1 - level)), p)
            )
        if metric == "test":
            per_point = float((1 / (noise(mean) * math.sqrt(1 + 1 / seeds))).mean())
            limit = next(test.limit for test in tests if test[:2] == ("test", "mean"))
            sd = math.sqrt(float(usual.var()) / len(rows) + shift**2)
            detectable = (limit + 1.2816 * sd) / per_point
    return Verdict(z, tests, all(test.p > level for test in tests), detectable)


def imitate(
    usual: Floats, shift: float, count: int, draws: int, rng: np.random.Generator
) -> dict[str, Floats]:
    """The statistics (draws,) of `count` residuals drawn from the usual ones, moved together by `shift` (an sd)."""
    parts = []
    for start in range(0, draws, 10_000):
        size = min(10_000, draws - start)
        z = usual[rng.integers(len(usual), size=(size, count))]
        parts.append(statistics(z + shift * rng.standard_normal((size, 1))))
    return {name: np.concatenate([part[name] for part in parts]) for name in STATISTICS}


# ----------------------------------------------------------------------------------------------------- reporting


def report(known: Known, new: dict[int, tuple[float, float]], verdict: Verdict, alarm: float = ALARM) -> str:
    """The check as a table, one line per cell, and the six tests."""
    space = CellSpace()
    representatives, function = functions(space)
    place = {number: k for k, number in enumerate(known.number.tolist())}
    lines = [
        f"{len(new)} cells, trained anew by train() in float32 with fresh seeds, against the table "
        f"({len(known.number):,} functions, {known.values['test'].shape[1]} seeds)",
        "accuracies in percent; z: difference in standard deviations; *: the cell that the table trained",
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
        lines.append(
            f"{'validation' if one.metric == 'valid' else 'test':14}{words[one.statistic]:14}{one.value:8.2f}"
            f"{one.limit:8.2f}{one.p:10.5f}{normal_p(one, len(new)):18.5f}"
            + ("" if one.p > level else "   OUTSIDE")
        )
    worst = min(test.p for test in verdict.tests)
    lines += [
        "",
        f"A right table fails about {alarm:.2%} of such checks: each p must exceed {level:.2g}, smallest {worst:.2g}.",
        f"A shift of all test accuracies by {verdict.detectable:.2f} points would be found in 90 % of the checks.",
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


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=CELLS, help=f"cells to train anew (default: {CELLS})")
    parser.add_argument("--shards", action="store_true", help="check what scripts/table/build holds so far")
    parser.add_argument("--table", type=Path, default=TABLE_PATH, help="table file (default: the library's)")
    parser.add_argument(
        "--out", type=Path, default=FOLDER, help="folder of the records (default: scripts/table/check)"
    )
    parser.add_argument(
        "--alarm", type=float, default=ALARM, help=f"rate of false alarms (default: {ALARM:g})"
    )
    parser.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    arguments = parser.parse_args()
    if arguments.cells < 1:
        parser.error(f"--cells must be at least 1, got {arguments.cells}")
    if not 1e-4 <= arguments.alarm <= 0.5:
        parser.error(f"--alarm must be from 0.0001 to 0.5, got {arguments.alarm}")
    try:
        known = Known.of_shards() if arguments.shards else Known.of_table(arguments.table)
        cells = draw_cells(arguments.cells, known.number)
        new = retrain(
            cells, lambda: plain_trainer(device=arguments.device), arguments.out / "part-1-of-1.jsonl"
        )
        # enough draws that the limit of each test is not decided by a handful of them
        verdict = judge(known, new, arguments.alarm, draws=max(DRAWS, math.ceil(60 / arguments.alarm)))
    except KeyboardInterrupt:
        print("\ninterrupted; finished cells are kept, the same command goes on", file=sys.stderr)
        sys.exit(130)
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error))  # exit code 2: nothing was judged
    print(report(known, new, verdict, arguments.alarm))
    sys.exit(0 if verdict.passed else 1)


if __name__ == "__main__":
    main()
