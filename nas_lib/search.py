"""The search loop: who proposes (`Searcher`), who answers (a benchmark), and what comes of it (`History`).

`run` plays one search, `compare` plays several methods over many seeds and says whether they differ.
Searchers other than random search are in `nas_lib.searchers`; no training happens here.
"""

from __future__ import annotations

import functools
import math
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from nas_lib._keeping import keeping
from nas_lib._numbers import is_integer, is_number, seed_number
from nas_lib._parallel import each
from nas_lib.benchmark import METRICS, Benchmark, Metric, TabularBenchmark
from nas_lib.spaces import Arch, Space

Unit: TypeAlias = Literal["evaluations", "seconds"]
UNITS: tuple[Unit, ...] = ("evaluations", "seconds")

GRID = 200
"""Points of the time axis on which runs with a budget in seconds are compared."""
MOST_STEPS = 1_000_000
"""A budget in evaluations beyond this, which hardly any run uses up, has steps to the end of the longest run only."""
SHARES = 32
"""Into how many parts the seeds of a comparison are dealt out to several processes, at least."""

REPETITIONS = 10_000
"""Draws in a row that were all proposed before: then a space that cannot be counted is taken to be used up."""


# ------------------------------------------------------------------------------------------------ history


@dataclass(eq=False)
class History:
    """What a search evaluated, in order.

    Attributes:
        archs: the architectures.
        values: float64 (n,), the value that the search saw for each (percent, to be maximised).
        costs: float64 (n,), what each cost in simulated seconds; 1 each where that is unknown.
        stopped: why the search ended: "budget", "exhausted" (nothing left to propose) or "interrupted".
        epochs: int64 (n,), how long each was trained in all, where the method decides that; else None. Then the
            incumbent is the best of those trained longest: values after one epoch and after twelve do not compare.

    Raises:
        ValueError: lengths that differ, or values that are not finite numbers; epochs that are not whole.
    """

    archs: list[Arch]
    values: NDArray[np.float64]
    costs: NDArray[np.float64] = None  # type: ignore[assignment]  # a default that __post_init__ replaces
    stopped: str = "budget"
    epochs: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        self.archs = list(self.archs)
        self.values = _column("values", self.values, len(self.archs))
        costs = np.ones(len(self.archs)) if self.costs is None else self.costs
        self.costs = _column("costs", costs, len(self.archs))
        if self.epochs is not None:
            epochs = _column("epochs", self.epochs, len(self.archs))
            if (epochs != np.floor(epochs)).any():
                raise ValueError(f"epochs must be whole numbers, got {epochs[epochs != np.floor(epochs)][0]}")
            self.epochs = epochs.astype(np.int64)

    def __len__(self) -> int:
        return len(self.archs)

    def leaders(self) -> NDArray[np.int64]:
        """(n,) position of the incumbent after each evaluation: the best so far, the first of equal ones."""
        scores = self.values
        if self.epochs is not None:  # by epochs, then by value: the rank among all pairs of them
            pairs = np.column_stack([self.epochs, self.values])
            scores = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1).astype(np.float64)
        records = np.diff(np.maximum.accumulate(scores), prepend=-np.inf) > 0
        return np.maximum.accumulate(np.where(records, np.arange(len(self)), 0))

    def incumbent(self) -> NDArray[np.float64]:
        """(n,) best value seen after each evaluation."""
        return self.values[self.leaders()]

    def regret(self, best: float) -> NDArray[np.float64]:
        """(n,) how far the incumbent stays below `best`, the best value there is."""
        return float(best) - self.incumbent()

    def best(self) -> tuple[Arch, float]:
        """The last incumbent: the architecture with the highest value (the first of equal ones), and that value.

        Raises:
            ValueError: nothing was evaluated.
        """
        if not len(self):
            raise ValueError("history must hold at least one evaluation to have a best one, got none")
        longest = True if self.epochs is None else self.epochs == self.epochs.max()
        at = int(np.where(longest, self.values, -np.inf).argmax())
        return self.archs[at], float(self.values[at])

    def __repr__(self) -> str:
        best = f", best {self.best()[1]:.2f}" if len(self) else ""
        return f"History({len(self)} evaluations{best}, costs {self.costs.sum():.6g}, {self.stopped})"


def _column(name: str, values: ArrayLike, n: int) -> NDArray[np.float64]:
    try:
        array = np.array(values, dtype=np.float64)  # its own: the caller's may change
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers, got {values!r} ({error})") from None
    if array.shape != (n,):
        raise ValueError(f"{name} must have one entry per architecture, ({n},), got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite numbers, got {array[~np.isfinite(array)][0]}")
    return array


# ---------------------------------------------------------------------------------------------- searchers


@runtime_checkable
class Searcher(Protocol):
    """A search method: it is asked for an architecture, and told its value, in turn.

    A method that needs a number of evaluations before it begins to search (a first population) says so in an
    attribute `least_budget`, and `run` refuses less.
    """

    def ask(self) -> Arch:
        """The next architecture to evaluate. Raises StopIteration when there is none left."""
        ...

    def tell(self, arch: Arch, value: float) -> None:
        """The value of the architecture that was asked for last."""
        ...


@runtime_checkable
class FidelitySearcher(Protocol):
    """A method that also decides how long each architecture is trained; it says so by `multi_fidelity = True`.

    A training goes on from where a shorter one of the same architecture ended, and costs only what is new, unless
    the method has an attribute `resume` that is False.
    """

    multi_fidelity: bool

    def ask(self) -> tuple[Arch, int]:
        """The next architecture, and to how many epochs it shall be trained. Raises StopIteration at the end."""
        ...

    def tell(self, arch: Arch, epochs: int, value: float) -> None:
        """The value of what was asked for last, after that many epochs."""
        ...


SearcherFactory: TypeAlias = Callable[[Space, Generator], Searcher | FidelitySearcher]
"""Makes a fresh searcher for one run, with all its randomness from the generator; `RandomSearch` is one."""


class RandomSearch:
    """Architectures drawn uniformly without repetition (the baseline of Li & Talwalkar, arXiv:1902.07638).

    Each proposal costs the same, also when the whole space is drawn: the order is a Fisher–Yates shuffle of
    the indices, carried out one swap per proposal, that remembers only what the swaps have moved.
    """

    def __init__(self, space: Space, rng: Generator) -> None:
        if not isinstance(rng, Generator):
            raise TypeError(f"rng must be a numpy.random.Generator, got {rng!r}")
        self._space, self._rng = space, rng
        try:
            self._size: int | None = len(space)
        except OverflowError:  # more than 2^63 architectures, or nobody knows how many: draw until one is new
            self._size = None
        self._drawn = 0
        self._places: list[int] = []
        self._moved: dict[int, int] = {}
        self._seen: set[Arch] = set()

    def ask(self) -> Arch:
        """The next architecture of the random order; StopIteration when the space is used up."""
        if self._size is None:
            return self._ask_huge()
        if self._drawn == self._size:
            raise StopIteration(f"all {self._size} architectures of the space have been proposed")
        if not self._places:  # many at once: a call to the generator costs more than the draw
            lows = np.arange(self._drawn, min(self._drawn + 64, self._size))
            self._places = self._rng.integers(lows, self._size)[::-1].tolist()
        place = self._places.pop()
        index = self._moved.get(place, place)
        first = self._moved.pop(self._drawn, self._drawn)
        if place != self._drawn:
            self._moved[place] = first
        self._drawn += 1
        return self._space.from_index(index)

    def _ask_huge(self) -> Arch:
        for _ in range(REPETITIONS):
            arch = self._space.sample(self._rng)
            if arch not in self._seen:
                self._seen.add(arch)
                return arch
        raise StopIteration(
            f"{REPETITIONS} draws in a row were among the {len(self._seen)} that have been proposed"
        )

    def tell(self, arch: Arch, value: float) -> None:
        """Random search does not learn."""


# ------------------------------------------------------------------------------------------------ one run


def run(
    searcher: SearcherFactory | Searcher | FidelitySearcher,
    benchmark: Benchmark,
    budget: float,
    seed: int,
    *,
    unit: Unit = "evaluations",
    epochs: int | None = None,
    noise: bool = False,
    progress: bool = False,
) -> History:
    """Let one searcher spend a budget.

    Args:
        searcher: a factory, called with the benchmark's space and a generator made from `seed`; or a
            searcher, which goes on from where it stands. A `FidelitySearcher` needs a budget in seconds.
        benchmark: answers the queries; the searcher sees `valid`.
        budget: number of evaluations; or, with `unit="seconds"`, the simulated seconds that the evaluations
            may cost together. The first evaluation that would end later is not made, and the run ends.
        seed: seed of the run, ≥ 0. The same seed gives the same run; noise has a stream of its own.
        unit: what the budget counts.
        epochs: training epochs of each evaluation, None for full training, or where the method decides.
        noise: each evaluation reads one training seed at random, as a real search would; otherwise the mean. Of a
            `FidelitySearcher`, each architecture, whose training goes on.
        progress: show a progress bar.

    Returns:
        The history. It is shorter than the budget, and `stopped` says why, when the searcher raises
        StopIteration ("exhausted") or the user interrupts ("interrupted", with a warning).

    Raises:
        TypeError, ValueError: an argument out of range, a budget in seconds that the benchmark cannot count
            or that does not pay for one evaluation, or for fewer than the searcher's `least_budget`; a value
            that is not finite. Whatever the searcher or the
            benchmark raises comes through, with the evaluations made so far in the exception's `history`.
    """
    budget = _checked_budget(budget, unit, benchmark)
    search_rng, noise_rng = _generators(seed, noise)
    playing = _started(searcher, benchmark.space, search_rng)
    least = int(getattr(playing, "least_budget", 1))
    if unit == "evaluations" and budget < least:
        raise ValueError(_too_little(least, f"{budget}"))
    done = _Done([], [], [], [])
    try:
        with _bar(progress, total=budget, unit=unit) as bar:
            if getattr(playing, "multi_fidelity", False):
                _check_fidelity(unit, epochs)
                stopped = _spend_on_training(playing, benchmark, noise_rng, budget, done, bar)
            else:
                query = _querier(benchmark, epochs, unit, noise_rng)
                stopped = _spend(playing, query, budget, done, bar)
    except KeyboardInterrupt:
        stopped = "interrupted"
        warnings.warn(
            f"interrupted: the history holds the {len(done.archs)} evaluations made so far", stacklevel=2
        )
    except Exception as error:
        error.history = _history(done, "error")  # type: ignore[attr-defined]
        if done.archs:
            error.add_note(f"The {len(done.archs)} evaluations before this are in the exception's `history`.")
        raise
    if not done.archs and stopped == "exhausted":
        raise ValueError(f"searcher must propose at least one architecture, got none from {playing!r}")
    if not done.archs and stopped == "budget":
        raise ValueError(f"budget must pay for at least one evaluation, got {budget:.6g} {unit}")
    if len(done.archs) < least and stopped == "budget":  # only now: prices are not known beforehand
        short = ValueError(_too_little(least, f"{budget:.6g} seconds, which pay for {len(done.archs)}"))
        short.history = _history(done, "error")  # type: ignore[attr-defined]
        raise short
    return _history(done, stopped)


def _too_little(least: int, got: str) -> str:
    return f"budget must pay for the first population, {least} evaluations, got {got}"


class _Done(NamedTuple):
    """The evaluations made so far, as columns that grow."""

    archs: list[Arch]
    values: list[float]
    costs: list[float]
    epochs: list[int]
    """Empty where the method does not decide on them."""


_Evaluate: TypeAlias = Callable[[Arch], tuple[float, float, float]]
"""One evaluation: (value that the search sees, its cost in seconds or 1, its share of the budget)."""


def _spend(searcher: Searcher, query: _Evaluate, budget: float, done: _Done, bar: Any) -> str:
    """Ask, query and tell until the budget is spent; fills `done` and returns why it stopped."""
    # Bound once: a search over a table is so fast that looking a method up is a part of its time.
    ask, tell, update = searcher.ask, searcher.tell, bar.update
    archs, values, costs, _ = done
    spent: float = 0
    while spent < budget:
        try:
            arch = ask()
        except StopIteration:
            return "exhausted"
        value, cost, step = query(arch)
        spent += step
        if spent > budget:
            break
        archs.append(arch)  # before `tell`, which may raise: this evaluation is made
        values.append(value)
        costs.append(cost)
        tell(arch, value)
        update(step)
    return "budget"


def _check_fidelity(unit: Unit, epochs: int | None) -> None:
    if unit != "seconds":
        raise ValueError(
            f"unit must be 'seconds' for a method that trains for different numbers of epochs, got {unit!r}"
        )
    if epochs is not None:
        raise ValueError(f"epochs must be None for a method that decides on them itself, got {epochs!r}")


def _spend_on_training(
    searcher: Any, benchmark: Benchmark, noise: Generator | None, budget: float, done: _Done, bar: Any
) -> str:
    """`_spend` for a method that also says how long to train: a longer training goes on from a shorter one."""
    resume = bool(getattr(searcher, "resume", True))
    trained: dict[Arch, tuple[int, float]] = {}  # epochs, and the seconds that they took
    seeds: dict[Arch, int | None] = {}
    spent = 0.0
    while spent < budget:
        try:
            arch, epochs = searcher.ask()
        except StopIteration:
            return "exhausted"
        if arch not in seeds:
            seeds[arch] = None if noise is None else int(noise.integers(benchmark.seeds))
        answer = benchmark.query(arch, epochs, seeds[arch])
        try:
            finite = math.isfinite(answer.valid)
        except (AttributeError, TypeError):
            raise _no_evaluation(answer, arch) from None
        if not finite:
            raise ValueError(f"valid must be finite for every architecture, got {answer.valid} for {arch}")
        if answer.seconds is None:
            raise ValueError(f"benchmark must know seconds for a method with fidelities, got none for {arch}")
        before, paid = trained.get(arch, (0, 0.0))
        cost = answer.seconds - (paid if resume and before < epochs else 0.0)
        spent += cost
        if spent > budget:
            break
        trained[arch] = max((before, paid), (epochs, answer.seconds))
        done.archs.append(arch)
        done.values.append(answer.valid)
        done.costs.append(cost)
        done.epochs.append(epochs)
        searcher.tell(arch, epochs, answer.valid)
        bar.update(cost)
    return "budget"


def _querier(benchmark: Benchmark, epochs: int | None, unit: Unit, noise: Generator | None) -> _Evaluate:
    """How the run evaluates an architecture; with `noise`, each evaluation reads one training seed at random."""
    ask, seeds, in_seconds = benchmark.query, benchmark.seeds, unit == "seconds"

    def query(arch: Arch) -> tuple[float, float, float]:
        answer = ask(arch, epochs, None if noise is None else int(noise.integers(seeds)))
        try:
            valid, seconds = answer.valid, answer.seconds
            finite = math.isfinite(valid)
        except (AttributeError, TypeError):
            raise _no_evaluation(answer, arch) from None
        if not finite:
            raise ValueError(f"valid must be finite for every architecture, got {valid} for {arch}")
        if seconds is None:
            if in_seconds:
                raise ValueError(f"unit must be 'evaluations' where seconds are unknown, as those of {arch}")
            return valid, 1.0, 1
        return valid, seconds, seconds if in_seconds else 1

    return query


def _no_evaluation(answer: Any, arch: Arch) -> TypeError:
    return TypeError(
        f"benchmark must answer with an Evaluation whose valid is a number, got {answer!r} for {arch}"
    )


def _started(searcher: Any, space: Space, rng: Generator) -> Any:
    if _is_searcher(searcher):
        return searcher
    if not callable(searcher):
        raise TypeError(f"searcher must be a factory or have the methods ask and tell, got {searcher!r}")
    made = searcher(space, rng)
    if not _is_searcher(made):
        raise TypeError(f"searcher must make an object with the methods ask and tell, got {made!r}")
    return made


def _history(done: _Done, stopped: str) -> History:
    epochs = np.array(done.epochs) if done.epochs else None
    # One by one: torch's numbers with a gradient make no array.
    values, costs = (np.array([*map(float, column)]) for column in (done.values, done.costs))
    return History(done.archs, values, costs, stopped, epochs)


def _is_searcher(candidate: Any) -> bool:
    """A class that has `ask` and `tell` is still to be called; its instances are searchers."""
    return not isinstance(candidate, type) and isinstance(candidate, Searcher)


def _checked_budget(budget: Any, unit: Any, benchmark: Any) -> float:
    if not (hasattr(benchmark, "query") and hasattr(benchmark, "space")):
        raise TypeError(
            f"benchmark must have a space and answer query(arch), as nas_lib.objectives.FunctionBenchmark does with "
            f"a function of yours, got {benchmark!r}"
        )
    if unit not in UNITS:
        raise ValueError(f"unit must be 'evaluations' or 'seconds', got {unit!r}")
    if not is_number(budget):
        raise TypeError(f"budget must be a number of {unit}, got {budget!r}")
    if unit == "evaluations" and (not np.isfinite(budget) or budget < 1 or budget != int(budget)):
        raise ValueError(f"budget must be a whole number of evaluations from 1 up, got {budget!r}")
    if unit == "seconds":
        if not (np.isfinite(budget) and budget > 0):
            raise ValueError(f"budget must be a positive number of seconds, got {budget!r}")
        # Adapters may not know all prices beforehand; what is known shall be able to use the budget up.
        known = getattr(benchmark, "seconds", 1.0)
        if known is None or not np.any(known):
            raise ValueError(
                f"unit must be 'evaluations' where no evaluation costs seconds, as in {benchmark!r}"
            )
    return int(budget) if unit == "evaluations" else float(budget)


def _generators(seed: Any, noise: bool) -> tuple[Generator, Generator | None]:
    """The searcher's generator and, where there is noise, that of the noise, independent of each other."""
    search, other = np.random.SeedSequence(seed_number(seed)).spawn(2)
    return np.random.default_rng(search), np.random.default_rng(other) if noise else None


class _NoBar(AbstractContextManager["_NoBar"]):
    def update(self, amount: float = 1) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        pass


def _bar(wanted: bool, total: float, unit: str) -> Any:
    if not wanted:
        return _NoBar()
    from tqdm import tqdm

    # Standard output: notebooks paint standard error red.
    return tqdm(total=total, unit=f" {unit}", file=sys.stdout, ncols=80, mininterval=0.5)


# ------------------------------------------------------------------------------------------ many runs


class Paired(NamedTuple):
    """How two methods differ over paired runs.

    `mean` is the mean of a − b in percentage points (positive: a found better architectures), `low` and
    `high` its 95 % bootstrap interval (percentiles), `p` the two-sided p-value of a sign-flip permutation
    test, `runs` the number of pairs.
    """

    mean: float
    low: float
    high: float
    p: float
    runs: int


@dataclass(eq=False)
class Comparison:
    """Several methods, run over the same seeds.

    Attributes:
        steps: (T,) where the curves are taken: after 1 … budget evaluations (of a budget above `MOST_STEPS`, to the end
            of the longest run), or at simulated seconds from the time by which every run has an incumbent to the end
            of the budget.
        values: per method (runs, T), the metric (percent) of the architecture that was the incumbent at that
            step: chosen by what the search saw, reported as the mean over seeds after full training.
        best: the best value of the metric in the space; where the benchmark does not know it, the best one that is in
            `values`, and `best_is_known` is False.
        histories: per method the runs themselves.
        seeds: their seeds; row i of every method belongs to seed i.
        metric, unit: what is reported, and what the steps count.
    """

    steps: NDArray[np.float64]
    values: dict[str, NDArray[np.float64]]
    best: float
    histories: dict[str, list[History]] = field(repr=False)
    seeds: tuple[int, ...] = ()
    metric: Metric = "test"
    unit: Unit = "evaluations"
    best_is_known: bool = True

    @property
    def curves(self) -> dict[str, NDArray[np.float64]]:
        """Per method (runs, T): regret, that is `best` minus the incumbent's value, in percentage points."""
        return {name: self.best - values for name, values in self.values.items()}

    @property
    def final(self) -> dict[str, NDArray[np.float64]]:
        """Per method (runs,): regret at the end of the budget."""
        return {name: self.best - values[:, -1] for name, values in self.values.items()}

    def bands(self, name: str, percentiles: Sequence[float] = (10, 50, 90)) -> NDArray[np.float64]:
        """(len(percentiles), T) percentiles of the regret over runs."""
        return np.percentile(self.best - self._method(name), percentiles, axis=0)

    def paired(self, a: str, b: str, *, step: int = -1, resamples: int = 9_999, seed: int = 0) -> Paired:
        """Is method `a` better than `b`? Both ran with the same seeds, so that runs are compared in pairs.

        Args:
            a, b: names of methods.
            step: which of `steps` to compare at, the last by default.
            resamples: bootstrap resamples, and sign flips where their number is too large to try all.
            seed: of the resampling.

        Raises:
            ValueError: an unknown method, or fewer than two runs.
        """
        from scipy import stats

        if not is_integer(step) or not -len(self.steps) <= step < len(self.steps):
            raise ValueError(f"step must be a place among the {len(self.steps)} steps, got {step!r}")
        difference = self._method(a)[:, step] - self._method(b)[:, step]
        if len(difference) < 2:
            raise ValueError(f"seeds must be at least two for paired statistics, got {len(difference)}")
        mean = float(difference.mean())
        if np.ptp(difference) == 0 and mean == 0:  # nothing to resample: the runs are the same
            return Paired(0.0, 0.0, 0.0, 1.0, len(difference))
        flips, draws = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
        interval = stats.bootstrap(
            (difference,), np.mean, n_resamples=resamples, method="percentile", batch=1_000, rng=draws
        ).confidence_interval
        test = stats.permutation_test(
            (difference,), np.mean, permutation_type="samples", n_resamples=resamples, batch=1_000, rng=flips
        )
        return Paired(mean, float(interval.low), float(interval.high), float(test.pvalue), len(difference))

    def _method(self, name: str) -> NDArray[np.float64]:
        if name not in self.values:
            raise ValueError(f"name must be one of {', '.join(self.values)}, got {name!r}")
        return self.values[name]


def compare(
    searchers: Mapping[str, SearcherFactory],
    benchmark: Benchmark,
    budget: float,
    seeds: int | Iterable[int],
    *,
    unit: Unit = "evaluations",
    metric: Metric = "test",
    epochs: int | None = None,
    noise: bool = False,
    progress: bool = True,
    jobs: int = 1,
    scheduler: str | None = None,
) -> Comparison:
    """Run several methods over the same seeds.

    Results do not depend on `jobs` and `scheduler`, as far as those of the methods and the benchmark depend on nothing
    but their arguments (a training in several threads may differ in the last digits).

    Args:
        searchers: a factory per name; a searcher that is already made would carry over from run to run.
        benchmark, budget, unit, epochs, noise: as in `run`.
        seeds: the number of runs of each method (seeds 0, 1, …), or the seeds themselves.
        metric: what is reported of the incumbents: "test" or "valid" after full training, mean over seeds.
        progress: show a progress bar.
        jobs: processes that share the seeds; one that dies is replaced, and its seeds are begun again.
        scheduler: address of a Dask scheduler whose workers share the seeds instead.

    Returns:
        The comparison. An interruption keeps the seeds that all methods have finished, with a warning.

    Raises:
        TypeError, ValueError: an argument out of range.
        KeyboardInterrupt: interrupted before one seed was through.
        Exception: whatever a method or the benchmark raises, with the seeds that were finished before as the
            exception's `comparison`, if there are any.
    """
    _check_searchers(searchers)
    if metric not in METRICS:
        raise ValueError(f"metric must be 'valid' or 'test', got {metric!r}")
    _checked_budget(budget, unit, benchmark)
    todo = _seed_list(seeds)
    try:
        best: float | None = benchmark.best(metric)[1]
    except NotImplementedError:
        best = None
    reporter = _Reporter(benchmark, metric)
    options: dict[str, Any] = {"unit": unit, "epochs": epochs, "noise": noise}
    work = functools.partial(_runs, searchers, benchmark, budget, options, reporter)
    finished: dict[int, dict[str, History]] = {}

    def comparison() -> Comparison:
        done = tuple(seed for seed in todo if seed in finished)
        histories = {name: [finished[seed][name] for seed in done] for name in searchers}
        steps = _steps(histories, budget, unit)
        values = {
            name: np.stack([_values_at(history, steps, unit, reporter) for history in runs])
            for name, runs in histories.items()
        }
        known = max(float(found.max()) for found in values.values()) if best is None else best
        return Comparison(steps, values, known, histories, done, metric, unit, best is not None)

    share = 1 if jobs == 1 and scheduler is None else max(1, len(todo) // SHARES)
    shares = [tuple(todo[i : i + share]) for i in range(0, len(todo), share)]
    with (
        keeping("comparison", comparison, finished, "seeds finished"),
        _bar(progress, total=len(todo) * len(searchers), unit="runs") as bar,
    ):
        for some, (histories, reported) in each(work, shares, jobs, scheduler):
            finished.update(zip(some, histories, strict=True))
            reporter.known.update(reported)
            bar.update(len(some) * len(searchers))
    return comparison()


def _runs(
    searchers: Mapping[str, SearcherFactory],
    benchmark: Benchmark,
    budget: float,
    options: Mapping[str, Any],
    reporter: _Reporter,
    seeds: Iterable[int],
) -> tuple[list[dict[str, History]], dict[Arch, float]]:
    """The runs of some seeds, and what is reported of their incumbents; in whatever process."""
    histories = []
    for seed in seeds:
        found = {}
        for name, factory in searchers.items():
            found[name] = run(factory, benchmark, budget, seed, **options)
            if found[name].stopped == "interrupted":
                raise KeyboardInterrupt
        histories.append(found)
    leading = {
        history.archs[at]
        for found in histories
        for history in found.values()
        for at in np.unique(history.leaders()).tolist()
    }
    return histories, {arch: reporter(arch) for arch in leading}


def _check_searchers(searchers: Any) -> None:
    if not isinstance(searchers, Mapping) or not searchers:
        raise ValueError(f"searchers must be a dict with at least one factory by name, got {searchers!r}")
    for name, factory in searchers.items():
        if _is_searcher(factory) or not callable(factory):
            accepted = "searchers must hold factories such as the class RandomSearch"
            raise TypeError(f"{accepted}, got {factory!r} for {name!r}")


def _seed_list(seeds: Any) -> list[int]:
    accepted = "seeds must be a number of runs from 1 up or distinct integers from 0 up"
    if is_integer(seeds):
        if seeds < 1:
            raise ValueError(f"{accepted}, got {seeds!r}")
        return list(range(int(seeds)))
    try:
        listed = list(seeds)
    except TypeError:
        raise TypeError(f"{accepted}, got {seeds!r}") from None
    if not all(map(is_integer, listed)):  # found out now, and not when the seeds before have run
        raise TypeError(f"{accepted}, got {seeds!r}")
    if not listed or len(set(listed)) != len(listed) or min(listed) < 0:
        raise ValueError(f"{accepted}, got {seeds!r}")
    return list(map(int, listed))


def _steps(histories: Mapping[str, list[History]], budget: float, unit: Unit) -> NDArray[np.float64]:
    if unit == "evaluations":
        longest = max(len(history) for runs in histories.values() for history in runs)
        return np.arange(1.0, (int(budget) if budget <= MOST_STEPS else longest) + 1)
    start = max(history.costs[0] for runs in histories.values() for history in runs)
    return np.linspace(start, budget, GRID)


class _Reporter:
    """The metric of an architecture after full training, looked up once for each."""

    def __init__(self, benchmark: Benchmark, metric: Metric) -> None:
        self._benchmark, self._metric = benchmark, metric
        self.known: dict[Arch, float] = {}

    def __call__(self, arch: Arch) -> float:
        if arch not in self.known:
            value = getattr(self._benchmark.query(arch), self._metric)
            if value is None:
                raise ValueError(
                    f"metric must be one that the benchmark knows, got {self._metric!r}, unknown for {arch}"
                )
            self.known[arch] = value
        return self.known[arch]


def _values_at(
    history: History, steps: NDArray[np.float64], unit: Unit, reported: _Reporter
) -> NDArray[np.float64]:
    """(T,) reported value of the incumbent at each step; the last one stays when the run ended before."""
    leaders = history.leaders()
    ends = np.arange(1.0, len(history) + 1) if unit == "evaluations" else history.costs.cumsum()
    # Evaluations that have ended by each step. The sums may differ from the grid's first point by rounding.
    ended = np.searchsorted(ends, steps * (1 + 1e-12), side="right")
    at_step = leaders[np.maximum(ended, 1) - 1]
    distinct, where = np.unique(at_step, return_inverse=True)
    return np.array([reported(history.archs[at]) for at in distinct.tolist()])[where]


def random_winners(
    benchmark: TabularBenchmark,
    trainings: int,
    rng: Generator,
    runs: int = 2_000,
    allowed: ArrayLike | None = None,
) -> NDArray[np.int64]:
    """What random search hands over on a budget of trainings, each of one architecture with one seed.

    A run has one training seed, draws with replacement, and takes the highest validation accuracy of the last epoch.

    Args:
        benchmark: the table.
        trainings: of each run, at least 1.
        rng: the only source of randomness.
        runs: independent searches.
        allowed: (n,) bool, what may be drawn; by default everything.

    Returns:
        Shape (runs,): the index of each run's choice.
    """
    n = len(benchmark.space)
    mask = np.ones(n, dtype=bool) if allowed is None else np.asarray(allowed)
    if mask.shape != (n,) or mask.dtype != bool:
        raise ValueError(f"allowed must be {n} truth values, got {mask.dtype} values of shape {mask.shape}")
    places = np.flatnonzero(mask)
    if not is_integer(trainings) or trainings < 1:
        raise ValueError(f"trainings must be an integer from 1 up, got {trainings!r}")
    if len(places) == 0:
        raise ValueError("allowed must hold at least one architecture, got none")
    drawn = rng.choice(places, size=(runs, trainings))
    seen = benchmark.valid[drawn, rng.integers(benchmark.seeds, size=(runs, 1)), -1]
    winners: NDArray[np.int64] = np.take_along_axis(drawn, seen.argmax(axis=1, keepdims=True), axis=1)[:, 0]
    return winners
