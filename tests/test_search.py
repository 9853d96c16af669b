"""The search loop: what a run is, what a comparison reports, and known figures on real NAS-Bench-201."""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nas_lib import real_data
from nas_lib.benchmark import Evaluation, TabularBenchmark
from nas_lib.search import (
    Comparison,
    FidelitySearcher,
    History,
    RandomSearch,
    Searcher,
    compare,
    random_winners,
    run,
)
from nas_lib.searchers import HalvingSearch, halve
from nas_lib.spaces import Cell, CellSpace
from scripts.benchmarks.search import made_up_table

SMALL = CellSpace(ops=("none", "nor_conv_3x3"))  # 64 cells
SHARED = Path(os.environ.get("NAS_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def small_benchmark(seeds: int = 3, epochs: int = 4) -> TabularBenchmark:
    rng = np.random.default_rng(0)
    valid = rng.normal(80, 5, (64, 1, 1)) + rng.normal(0, 1, (64, seeds, epochs))
    return TabularBenchmark.from_arrays(
        SMALL, valid, valid[:, :, -1] + rng.normal(0, 1, (64, seeds)), rng.uniform(1, 3, 64)
    )


BENCH = small_benchmark()


class Scripted:
    """Proposes what it is given, remembers what it is told, then does `after`."""

    def __init__(self, archs: list[Cell], after: type[BaseException] = StopIteration) -> None:
        self.archs: Iterator[Cell] = iter(archs)
        self.after = after
        self.told: list[tuple[Cell, float]] = []

    def ask(self) -> Cell:
        for arch in self.archs:
            return arch
        raise self.after("scripted")

    def tell(self, arch: Cell, value: float) -> None:
        self.told.append((arch, value))


def cells(*indices: int) -> list[Cell]:
    return [SMALL.from_index(i) for i in indices]


# ---------------------------------------------------------------------------------------------- history


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_incumbent_regret_and_best_of_any_history(values: list[int]) -> None:
    history = History([f"a{i}" for i in range(len(values))], np.array(values, float))
    best = [max(values[: i + 1]) for i in range(len(values))]
    assert history.incumbent().tolist() == best
    assert history.regret(10).tolist() == [10 - value for value in best]
    assert history.best() == (f"a{values.index(max(values))}", max(values))
    # Of equal ones the first: it is what a search that stops there would have kept.
    assert history.leaders().tolist() == [values.index(value) for value in best]
    assert len(history) == len(values) and history.costs.tolist() == [1.0] * len(values)


def test_history_takes_plain_lists_and_refuses_bad_ones() -> None:
    history = History(["a", "b"], [1, 2], [3, 4])  # type: ignore[arg-type]
    assert history.values.dtype == history.costs.dtype == np.float64
    for arguments, message in (
        ((["a"], [1, 2]), r"values must have one entry per architecture, \(1,\), got shape \(2,\)"),
        ((["a"], [1], [1, 2]), "costs must have one entry per architecture"),
        ((["a"], [math.nan]), "values must be finite numbers, got nan"),
        ((["a"], [1], [math.inf]), "costs must be finite numbers, got inf"),
    ):
        with pytest.raises(ValueError, match=message):
            History(*arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one evaluation"):
        History([], np.array([])).best()
    assert "2 evaluations, best 2.00" in repr(history)


# ---------------------------------------------------------------------------------------- random search


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_random_search_proposes_the_whole_space_once_each(seed: int) -> None:
    searcher = RandomSearch(SMALL, np.random.default_rng(seed))
    proposals = [searcher.ask() for _ in range(64)]
    assert sorted(map(SMALL.index, proposals)) == list(range(64))
    with pytest.raises(StopIteration, match="all 64 architectures"):
        searcher.ask()


def test_random_search_draws_every_order_equally_often() -> None:
    """The first two proposals out of four: 12 ordered pairs, each 1/12."""

    class Four(CellSpace):
        def __len__(self) -> int:
            return 4

    rng = np.random.default_rng(3)
    draws = 12_000
    counts: Counter[tuple[Cell, Cell]] = Counter()
    for _ in range(draws):
        searcher = RandomSearch(Four(), rng)
        counts[searcher.ask(), searcher.ask()] += 1
    assert len(counts) == 12
    chi2 = sum((count - draws / 12) ** 2 / (draws / 12) for count in counts.values())
    assert chi2 < 57  # 11 degrees of freedom: 3e-8 beyond 57


def test_random_search_of_a_huge_space_does_not_number_it() -> None:
    class Huge(CellSpace):
        def __len__(self) -> int:
            return 10**30  # more than len() can return

        def sample(self, rng: np.random.Generator) -> Cell:
            return SMALL.sample(rng)  # that it repeats itself often makes the test strict

    searcher = RandomSearch(Huge(), np.random.default_rng(0))
    assert len({searcher.ask() for _ in range(64)}) == 64


def test_drawing_the_whole_full_space_takes_no_longer_per_proposal() -> None:
    def seconds(proposals: int) -> float:
        searcher = RandomSearch(CellSpace(), np.random.default_rng(0))
        searcher.ask()
        start = time.process_time()
        for _ in range(proposals):
            searcher.ask()
        return (time.process_time() - start) / proposals

    # Rejection would need 10 draws per proposal on average, and thousands for the last ones.
    assert min(seconds(15_000) for _ in range(3)) < 3 * min(seconds(3_000) for _ in range(3))


def test_random_search_needs_a_generator() -> None:
    with pytest.raises(TypeError, match=r"rng must be a numpy\.random\.Generator, got 0"):
        RandomSearch(SMALL, 0)  # type: ignore[arg-type]
    assert isinstance(RandomSearch(SMALL, np.random.default_rng(0)), Searcher)


# ------------------------------------------------------------------------------------------------- run


def test_run_asks_queries_and_tells_in_turn() -> None:
    searcher = Scripted(cells(5, 3, 5, 60, 7))
    history = run(searcher, BENCH, 4, seed=0)
    expected = [BENCH.query(arch) for arch in cells(5, 3, 5, 60)]
    assert history.archs == cells(5, 3, 5, 60)
    assert history.values.tolist() == [answer.valid for answer in expected]
    assert history.costs.tolist() == [answer.seconds for answer in expected]
    assert searcher.told == list(zip(history.archs, history.values.tolist(), strict=True))
    assert history.stopped == "budget"


def test_run_is_given_by_its_seed() -> None:
    a, b, other = (run(RandomSearch, BENCH, 20, seed=seed, noise=True) for seed in (4, 4, 5))
    assert a.archs == b.archs != other.archs
    assert a.values.tolist() == b.values.tolist()


def test_evaluations_may_be_of_few_epochs() -> None:
    history = run(Scripted(cells(5, 3)), BENCH, 2, seed=0, epochs=2)
    assert history.values.tolist() == [BENCH.query(arch, epochs=2).valid for arch in cells(5, 3)]
    assert history.costs.tolist() == [BENCH.query(arch, epochs=2).seconds for arch in cells(5, 3)]


def test_noise_reads_each_training_seed_and_leaves_the_search_alone() -> None:
    arch = SMALL.from_index(11)
    history = run(Scripted([arch] * 300), BENCH, 300, seed=0, noise=True)
    counts = Counter(history.values.tolist())
    assert set(counts) == {BENCH.query(arch, seed=seed).valid for seed in range(3)}
    assert min(counts.values()) > 50  # 100 ± 8 each
    quiet, noisy = (run(RandomSearch, BENCH, 30, seed=1, noise=noise) for noise in (False, True))
    assert quiet.archs == noisy.archs and quiet.values.tolist() != noisy.values.tolist()


def test_noise_is_independent_of_the_proposals() -> None:
    """64 cells with 64 seeds, the value being the seed: how often do cell and seed have the same number?"""
    bench = TabularBenchmark.from_arrays(SMALL, np.tile(np.arange(64), (64, 1)))
    first = [run(RandomSearch, bench, 1, seed, noise=True) for seed in range(300)]
    same = sum(SMALL.index(history.archs[0]) == history.values[0] for history in first)
    assert same <= 20  # 4.7 ± 2.2 expected


def test_a_budget_in_seconds_is_never_exceeded_and_ends_with_the_first_that_does_not_fit() -> None:
    order = cells(*range(64))
    prices = np.array([BENCH.query(arch).seconds for arch in order])
    for budget in (prices[0], 10.0, 33.3, prices[:20].sum()):
        history = run(Scripted(order), BENCH, budget, seed=0, unit="seconds")
        fitting = int((prices.cumsum() <= budget).sum())
        assert len(history) == fitting and history.stopped == "budget"
        assert history.costs.tolist() == prices[:fitting].tolist()


def test_unknown_seconds_cost_one_each() -> None:
    bench = TabularBenchmark.from_arrays(SMALL, np.arange(64))
    assert run(RandomSearch, bench, 9, seed=0).costs.tolist() == [1.0] * 9
    with pytest.raises(ValueError, match="unit must be 'evaluations' where no evaluation costs seconds"):
        run(RandomSearch, bench, 9, seed=0, unit="seconds")


def test_a_searcher_goes_on_where_it_stands() -> None:
    searcher = RandomSearch(SMALL, np.random.default_rng(0))
    first, second = run(searcher, BENCH, 40, seed=0), run(searcher, BENCH, 40, seed=0)
    assert (len(first), len(second), second.stopped) == (40, 24, "exhausted")
    assert not set(first.archs) & set(second.archs)


@pytest.mark.parametrize("where", ["ask", "tell"])
def test_an_interrupted_run_returns_what_was_done(where: str) -> None:
    searcher = Scripted(cells(1, 2, 3), after=KeyboardInterrupt)
    if where == "tell":
        searcher = Scripted(cells(1, 2, 3, 4))

        def interrupt(arch: Cell, value: float) -> None:
            if arch == SMALL.from_index(3):
                raise KeyboardInterrupt

        searcher.tell = interrupt  # type: ignore[method-assign]
    with pytest.warns(UserWarning, match="interrupted: the history holds the 3 evaluations"):
        history = run(searcher, BENCH, 10, seed=0)
    assert history.archs == cells(1, 2, 3) and history.stopped == "interrupted"


def test_an_error_carries_the_evaluations_before_it() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        run(Scripted(cells(1, 2, 3), after=ZeroDivisionError), BENCH, 10, seed=0)
    assert caught.value.history.archs == cells(1, 2, 3)  # type: ignore[attr-defined]
    assert "3 evaluations" in caught.value.__notes__[0]


def test_a_value_that_is_not_a_number_is_an_error() -> None:
    class Broken:
        space, epochs, seeds = SMALL, 1, 1

        def query(self, arch: Cell, epochs: Any = None, seed: Any = None) -> Evaluation:
            return Evaluation(math.nan, None, None, None, None)

        def best(self, metric: Any = "test") -> Any:
            return None, 1.0

    with pytest.raises(ValueError, match="valid must be finite for every architecture, got nan for"):
        run(RandomSearch, Broken(), 3, seed=0)
    with pytest.raises(ValueError, match="valid must be finite"):
        run(RandomSearch, Broken(), 3, seed=0, unit="seconds")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"budget": 0}, ValueError, "budget must be a whole number of evaluations from 1 up, got 0"),
        ({"budget": -3}, ValueError, "budget must be a whole number of evaluations"),
        ({"budget": 2.5}, ValueError, "budget must be a whole number of evaluations"),
        ({"budget": math.nan}, ValueError, "budget must be a whole number of evaluations"),
        ({"budget": math.inf}, ValueError, "budget must be a whole number of evaluations"),
        ({"budget": "9"}, TypeError, "budget must be a number of evaluations, got '9'"),
        ({"budget": True}, TypeError, "budget must be a number"),
        ({"budget": 0.0, "unit": "seconds"}, ValueError, "budget must be a positive number of seconds"),
        ({"budget": math.inf, "unit": "seconds"}, ValueError, "budget must be a positive number of seconds"),
        (
            {"budget": 0.5, "unit": "seconds"},
            ValueError,
            r"budget must pay for at least one evaluation, got 0\.5 sec",
        ),
        ({"unit": "hours"}, ValueError, "unit must be 'evaluations' or 'seconds', got 'hours'"),
        ({"seed": -1}, ValueError, "seed must be an integer from 0 up, got -1"),
        ({"seed": None}, TypeError, "seed must be an integer from 0 up, got None"),
        ({"seed": True}, TypeError, "seed must be an integer from 0 up"),
        ({"epochs": 9}, ValueError, "epochs must be an integer from 1 to 4"),
        ({"searcher": 3}, TypeError, "searcher must be a factory or have the methods ask and tell, got 3"),
        (
            {"searcher": lambda space, rng: 3},
            TypeError,
            "searcher must make an object with the methods ask and tell",
        ),
        ({"searcher": Scripted([])}, ValueError, "searcher must propose at least one architecture, got none"),
    ],
)
def test_bad_arguments_of_run_are_refused(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    arguments: dict[str, Any] = {"searcher": RandomSearch, "benchmark": BENCH, "budget": 5, "seed": 0}
    with pytest.raises(error, match=message):
        run(**(arguments | changes))


def test_progress_is_shown_only_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    run(RandomSearch, BENCH, 5, seed=0)
    compare({"random": RandomSearch}, BENCH, 5, 2, progress=False)
    assert capsys.readouterr() == ("", "")
    run(RandomSearch, BENCH, 5, seed=0, progress=True)
    said = capsys.readouterr()
    assert "5/5" in said.out and said.err == ""  # a notebook paints standard error red


# --------------------------------------------------------------------------------------------- compare


class First(RandomSearch):
    """Proposes the cells in index order; its first proposal comes from the generator, to make runs differ."""

    def __init__(self, space: CellSpace, rng: np.random.Generator) -> None:
        super().__init__(space, rng)
        self._order = iter([space.sample(rng), *space])

    def ask(self) -> Cell:
        return next(self._order)


def test_curves_are_the_reported_values_of_incumbents_chosen_by_what_the_search_saw() -> None:
    """Searched on one noisy epoch, reported on test: recomputed here run by run with plain loops."""
    comparison = compare(
        {"random": RandomSearch, "first": First}, BENCH, 25, [3, 8, 5], epochs=1, noise=True, progress=False
    )
    top = max(BENCH.query(cell).test for cell in SMALL)  # type: ignore[type-var]
    assert comparison.best == top and comparison.steps.tolist() == list(range(1, 26))
    assert comparison.seeds == (3, 8, 5)
    for name, factory in (("random", RandomSearch), ("first", First)):
        assert comparison.curves[name].shape == (3, 25)
        for row, seed in enumerate((3, 8, 5)):
            history = run(factory, BENCH, 25, seed, epochs=1, noise=True)
            assert comparison.histories[name][row].archs == history.archs
            for t in range(25):
                leader = history.archs[int(np.argmax(history.values[: t + 1]))]
                assert comparison.curves[name][row, t] == pytest.approx(top - BENCH.query(leader).test)
        np.testing.assert_array_equal(comparison.final[name], comparison.curves[name][:, -1])


def test_validation_regret_of_a_noiseless_search_is_the_history_s_own() -> None:
    comparison = compare({"random": RandomSearch}, BENCH, 30, 4, metric="valid", progress=False)
    for row, history in enumerate(comparison.histories["random"]):
        np.testing.assert_allclose(comparison.curves["random"][row], history.regret(BENCH.best("valid")[1]))
        assert (np.diff(comparison.curves["random"][row]) <= 0).all()


def test_random_search_regret_has_the_distribution_that_combinatorics_gives() -> None:
    """The best of k out of n drawn without repetition has mean rank (n + 1)/(k + 1)."""
    ranks = np.arange(64.0)  # regret of cell i is 63 − i, its rank from the top
    bench = TabularBenchmark.from_arrays(SMALL, ranks)
    regret = compare({"random": RandomSearch}, bench, 16, 2_000, metric="valid", progress=False).curves[
        "random"
    ]
    for k in (1, 4, 16):
        expected = 65 / (k + 1) - 1
        error = regret[:, k - 1].std() / math.sqrt(2_000)
        assert abs(regret[:, k - 1].mean() - expected) < 5.5 * error


def test_curves_in_seconds_hold_what_had_ended_by_then() -> None:
    comparison = compare(
        {"random": RandomSearch}, BENCH, 40, 5, unit="seconds", metric="valid", progress=False
    )
    assert comparison.steps[-1] == 40 and comparison.curves["random"].shape == (5, len(comparison.steps))
    for row, history in enumerate(comparison.histories["random"]):
        assert history.costs[0] <= comparison.steps[0] * (1 + 1e-9)
        for t, now in enumerate(comparison.steps):
            ended = [
                v for v, end in zip(history.values, history.costs.cumsum(), strict=True) if end <= now + 1e-9
            ]
            assert comparison.values["random"][row, t] == pytest.approx(max(ended))


def test_an_exhausted_search_keeps_its_last_value() -> None:
    comparison = compare({"random": RandomSearch}, BENCH, 100, 2, metric="valid", progress=False)
    assert comparison.curves["random"].shape == (2, 100)
    np.testing.assert_allclose(comparison.curves["random"][:, 63:], 0, atol=1e-12)


def test_bands_are_percentiles_over_runs() -> None:
    comparison = compare({"random": RandomSearch}, BENCH, 10, 40, progress=False)
    bands = comparison.bands("random", (0, 50, 100))
    curves = comparison.curves["random"]
    np.testing.assert_allclose(bands, [curves.min(0), np.median(curves, 0), curves.max(0)])
    assert comparison.bands("random").shape == (3, 10)
    with pytest.raises(ValueError, match="name must be one of random, got 'evolution'"):
        comparison.bands("evolution")


def test_the_same_method_under_two_names_does_not_differ() -> None:
    result = compare({"a": RandomSearch, "b": RandomSearch}, BENCH, 10, 20, progress=False).paired("a", "b")
    assert result == (0.0, 0.0, 0.0, 1.0, 20)


def paired_of(difference: np.ndarray) -> Any:
    """`paired` on given differences."""
    base = np.zeros_like(difference)
    values = {"a": difference[:, None], "b": base[:, None]}
    return Comparison(np.array([1.0]), values, 0.0, {}).paired("a", "b")


def test_paired_statistics_on_known_differences() -> None:
    """Five equal signs: exactly 2 of 32 sign patterns are as extreme."""
    result = paired_of(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert result.mean == 3 and result.p == pytest.approx(2 / 32) and result.runs == 5
    assert 1 <= result.low < 3 < result.high <= 5
    mirrored = paired_of(-np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert mirrored.mean == -3 and mirrored.p == pytest.approx(2 / 32)


def test_a_constant_advantage_is_certain_in_size() -> None:
    result = paired_of(np.full(12, 0.5))
    assert (result.mean, result.low, result.high) == (0.5, 0.5, 0.5) and result.p == pytest.approx(2 / 2**12)


def test_the_interval_covers_and_the_test_rejects_as_often_as_they_say() -> None:
    """60 experiments of 40 pairs without a difference: about 57 intervals cover it, about 3 tests reject."""
    rng = np.random.default_rng(7)
    results = [paired_of(rng.normal(0, 1, 40)) for _ in range(60)]
    covered = sum(result.low <= 0 <= result.high for result in results)
    rejected = sum(result.p < 0.05 for result in results)
    assert 48 <= covered < 60 and 0 < rejected <= 12  # five standard deviations
    assert all(result.p < 0.001 for result in (paired_of(rng.normal(2, 1, 40)) for _ in range(5)))


def test_the_paired_test_uses_the_pairs() -> None:
    """Runs differ by 10 points among each other, methods by 0.5 within each pair."""
    rng = np.random.default_rng(2)
    base = rng.normal(0, 10, 30)
    values = {"a": (base + 0.5 + rng.normal(0, 0.2, 30))[:, None], "b": base[:, None]}
    assert Comparison(np.array([1.0]), values, 0.0, {}).paired("a", "b").p < 0.001


def test_one_run_is_no_statistic() -> None:
    comparison = compare({"a": RandomSearch, "b": First}, BENCH, 10, 1, progress=False)
    with pytest.raises(ValueError, match="seeds must be at least two for paired statistics, got 1"):
        comparison.paired("a", "b")


def test_an_interrupted_comparison_keeps_the_seeds_that_are_through() -> None:
    started: list[int] = []

    def impatient(space: Any, rng: np.random.Generator) -> Any:
        started.append(1)
        return RandomSearch(space, rng) if len(started) < 4 else Scripted([], after=KeyboardInterrupt)

    with pytest.warns(UserWarning, match="interrupted") as warned:
        comparison = compare({"a": RandomSearch, "b": impatient}, BENCH, 10, 8, progress=False)
    assert {name: curve.shape for name, curve in comparison.curves.items()} == {"a": (3, 10), "b": (3, 10)}
    assert comparison.seeds == (0, 1, 2)
    assert "the comparison holds the 3 seeds finished so far" in str(warned[-1].message)
    with pytest.warns(UserWarning, match="interrupted"), pytest.raises(KeyboardInterrupt):
        compare({"a": impatient}, BENCH, 10, 8, progress=False)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"searchers": {}}, ValueError, "searchers must be a dict with at least one factory by name"),
        ({"searchers": RandomSearch}, ValueError, "searchers must be a dict"),
        (
            {"searchers": {"a": Scripted([])}},
            TypeError,
            "searchers must hold factories such as the class RandomSearch",
        ),
        ({"searchers": {"a": 1}}, TypeError, "searchers must hold factories"),
        (
            {"seeds": 0},
            ValueError,
            "seeds must be a number of runs from 1 up or distinct integers from 0 up, got 0",
        ),
        ({"seeds": []}, ValueError, "seeds must be a number of runs"),
        ({"seeds": [1, 1]}, ValueError, "distinct integers"),
        ({"seeds": 2.5}, TypeError, "seeds must be a number of runs"),
        ({"seeds": [0.5]}, TypeError, "seeds must be a number of runs"),
        ({"metric": "train"}, ValueError, "metric must be 'valid' or 'test', got 'train'"),
        ({"budget": 0}, ValueError, "budget must be a whole number"),
        ({"benchmark": TabularBenchmark.from_arrays(SMALL, np.ones(64))}, ValueError, "no test values"),
    ],
)
def test_bad_arguments_of_compare_are_refused(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    arguments: dict[str, Any] = {
        "searchers": {"a": RandomSearch},
        "benchmark": BENCH,
        "budget": 5,
        "seeds": 2,
    }
    with pytest.raises(error, match=message):
        compare(**(arguments | changes), progress=False)


def test_any_object_with_the_protocol_is_a_benchmark_and_a_space() -> None:
    class Numbers:
        """Not a CellSpace, not a TabularBenchmark."""

        seeds, epochs = 1, 1

        def __init__(self) -> None:
            self.space: Any = self

        def __len__(self) -> int:
            return 50

        def from_index(self, index: int) -> int:
            return index

        def query(self, arch: int, epochs: Any = None, seed: Any = None) -> Evaluation:
            return Evaluation(float(arch), 2.0 * arch, None, None, None)

        def best(self, metric: str = "test") -> tuple[int, float]:
            return 49, 98.0

    comparison = compare({"random": RandomSearch}, Numbers(), 50, 3, progress=False)  # type: ignore[arg-type]
    assert comparison.final["random"].tolist() == [0.0] * 3


# ------------------------------------------------------------------------------------------- fidelities


def test_the_incumbent_is_the_best_of_those_trained_longest() -> None:
    history = History(["a", "b", "c", "a", "b"], [5, 9, 7, 6, 6], epochs=np.array([1, 1, 1, 3, 3]))
    assert history.leaders().tolist() == [0, 1, 1, 3, 3]  # of equal ones the first
    assert history.incumbent().tolist() == [5, 9, 9, 6, 6] and history.best() == ("a", 6.0)
    assert "best 6.00" in repr(history)
    with pytest.raises(ValueError, match="epochs must have one entry per architecture"):
        History(["a"], [1], epochs=np.array([1, 2]))


@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("resume", [False, True])
def test_a_run_of_halving_is_the_race_and_pays_what_is_trained(noise: bool, resume: bool) -> None:
    """Recomputed with the plain runner `halve`, whose costs are epochs; a cell's epochs cost the same each."""
    expected = halve(BENCH, 9, 5, noise=noise, resume=resume)
    method = partial(HalvingSearch, max_epochs=4, resume=resume, start=9)
    price = {arch: BENCH.query(arch).seconds / 4 for arch in expected.archs}  # type: ignore[operator]
    costs = np.array([price[arch] for arch in expected.archs]) * expected.costs
    history = run(method, BENCH, costs.sum() * (1 + 1e-9), 5, unit="seconds", noise=noise)
    assert history.archs == expected.archs and history.epochs is not None
    assert history.epochs.tolist() == expected.epochs.tolist()
    np.testing.assert_allclose(history.costs, costs)
    assert history.best()[0] == expected.winner and history.stopped == "budget"
    if not noise:
        assert history.values.tolist() == expected.values.tolist()
    # Of each architecture one training is followed through all rungs.
    for arch in set(history.archs):
        rows = [i for i, other in enumerate(history.archs) if other == arch]
        assert any(
            all(BENCH.query(arch, int(history.epochs[i]), seed).valid == history.values[i] for i in rows)
            for seed in (range(3) if noise else [None])
        )


def test_brackets_follow_each_other_and_end_with_the_space() -> None:
    assert HalvingSearch(SMALL, np.random.default_rng(0), max_epochs=4).start == 9
    history = run(partial(HalvingSearch, max_epochs=4), BENCH, 1e6, 0, unit="seconds")
    assert history.stopped == "exhausted" and history.epochs is not None
    first_rungs = [arch for arch, epochs in zip(history.archs, history.epochs, strict=True) if epochs == 1]
    assert sorted(map(SMALL.index, first_rungs)) == list(range(64))
    for budget in (0.9, 7.3, 30.0):
        some = run(partial(HalvingSearch, max_epochs=4), BENCH, budget, 0, unit="seconds")
        assert some.costs.sum() <= budget < history.costs[: len(some) + 1].sum()
        assert some.archs == history.archs[: len(some)]


def test_a_shorter_training_of_what_was_trained_longer_is_paid_in_full() -> None:
    class Back:
        multi_fidelity = True

        def __init__(self) -> None:
            self.asked = iter([(SMALL.from_index(3), 4), (SMALL.from_index(3), 2), (SMALL.from_index(3), 4)])

        def ask(self) -> Any:
            for asked in self.asked:
                return asked
            raise StopIteration

        def tell(self, arch: Any, epochs: int, value: float) -> None:
            assert value == BENCH.query(arch, epochs).valid

    full = BENCH.query(SMALL.from_index(3)).seconds
    assert full is not None
    history = run(Back(), BENCH, 100, 0, unit="seconds")
    assert history.costs == pytest.approx([full, full / 2, full])
    assert isinstance(Back(), FidelitySearcher) and history.stopped == "exhausted"


def test_what_a_method_with_fidelities_needs_is_said() -> None:
    method = partial(HalvingSearch, max_epochs=4)
    with pytest.raises(
        ValueError, match="unit must be 'seconds' for a method that trains for different numbers"
    ):
        run(method, BENCH, 10, 0)
    with pytest.raises(
        ValueError, match="epochs must be None for a method that decides on them itself, got 2"
    ):
        run(method, BENCH, 10, 0, unit="seconds", epochs=2)
    with pytest.raises(ValueError, match="epochs must be an integer from 1 to 4"):
        run(partial(HalvingSearch, max_epochs=9), BENCH, 1e4, 0, unit="seconds")
    with pytest.raises(ValueError, match=r"budget must pay for at least one evaluation, got 0\.01 seconds"):
        run(method, BENCH, 0.01, 0, unit="seconds")
    for bad in ({"max_epochs": 0}, {"max_epochs": 4, "eta": 1}, {"max_epochs": 4, "start": 0}):
        with pytest.raises(ValueError, match="must be an integer from"):
            HalvingSearch(SMALL, np.random.default_rng(0), **bad)
    with pytest.raises(ValueError, match="arch must be the one that was asked for last"):
        HalvingSearch(SMALL, np.random.default_rng(0), 4).tell(SMALL.from_index(0), 1, 1.0)


def test_methods_with_and_without_fidelities_are_compared_at_equal_seconds() -> None:
    methods = {"random": RandomSearch, "halving": partial(HalvingSearch, max_epochs=4)}
    comparison = compare(methods, BENCH, 40, 6, unit="seconds", noise=True, progress=False)
    for row, history in enumerate(comparison.histories["halving"]):
        assert history.epochs is not None
        for t, now in enumerate(comparison.steps):
            ended = max(1, int((history.costs.cumsum() <= now * (1 + 1e-12)).sum()))
            rows = range(ended)
            leader = max(rows, key=lambda i: (history.epochs[i], history.values[i], -i))  # type: ignore[index]
            reported = BENCH.query(history.archs[leader]).test
            assert comparison.values["halving"][row, t] == pytest.approx(reported)
    assert comparison.values["random"].shape == comparison.values["halving"].shape == (6, 200)
    assert len(comparison.histories["halving"][0]) > 1.5 * len(comparison.histories["random"][0])


def test_where_nobody_knows_the_best_it_is_the_best_that_was_found() -> None:
    class Unknown:
        space, epochs, seeds = SMALL, 4, 3

        def query(self, arch: Any, epochs: Any = None, seed: Any = None) -> Evaluation:
            return BENCH.query(arch, epochs, seed)

        def best(self, metric: Any = "test") -> Any:
            raise NotImplementedError

    comparison = compare({"a": RandomSearch, "b": First}, Unknown(), 10, 4, progress=False)
    assert not comparison.best_is_known
    assert comparison.best == max(values.max() for values in comparison.values.values())
    assert min(final.min() for final in comparison.final.values()) == 0
    assert compare({"a": RandomSearch}, BENCH, 10, 2, progress=False).best_is_known


def test_a_metric_that_a_benchmark_does_not_know_is_an_error() -> None:
    class Untested:
        space, epochs, seeds = SMALL, 4, 3

        def query(self, arch: Any, epochs: Any = None, seed: Any = None) -> Evaluation:
            return BENCH.query(arch, epochs, seed)._replace(test=None)

        def best(self, metric: Any = "test") -> Any:
            return None, 100.0

    with pytest.raises(
        ValueError, match="metric must be one that the benchmark knows, got 'test', unknown for"
    ):
        compare({"a": RandomSearch}, Untested(), 10, 2, progress=False)


def test_an_error_carries_the_seeds_before_it() -> None:
    def failing(space: Any, rng: np.random.Generator) -> Any:
        started.append(1)
        return RandomSearch(space, rng) if len(started) < 4 else Scripted([], after=ZeroDivisionError)

    started: list[int] = []
    with pytest.raises(ZeroDivisionError) as caught:
        compare({"a": failing}, BENCH, 10, 8, progress=False)
    assert caught.value.comparison.seeds == (0, 1, 2)  # type: ignore[attr-defined]
    assert "3 seeds" in caught.value.__notes__[-1]


# ------------------------------------------------------------------------------- speed, and real figures


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> TabularBenchmark:
    path = tmp_path_factory.mktemp("table") / "table.npz"
    made_up_table().write(path)
    return TabularBenchmark.load(path)


def test_500_runs_of_random_search_with_200_evaluations(table: TabularBenchmark) -> None:
    """Target 5 s on one core; measured 0.75 s, so that a busy machine passes too."""
    start = time.process_time()
    comparison = compare({"random": RandomSearch}, table, 200, 500, progress=False)
    assert time.process_time() - start < 5
    assert comparison.curves["random"].shape == (500, 200)
    assert all(len(set(history.archs)) == 200 for history in comparison.histories["random"][:20])


@pytest.fixture(scope="module")
def nas_bench_201() -> TabularBenchmark:
    """Real NAS-Bench-201, CIFAR-10: searched on 12-epoch validation; 200-epoch validation is the "test"."""
    path = SHARED / "nb201_cifar10.npz"
    if not path.exists():
        pytest.skip(f"the real NAS-Bench-201 values are not at {path} (set NAS_SHARED_DATA)")
    return real_data.nas_bench_201(path)


def test_nas_bench_201_optimum(nas_bench_201: TabularBenchmark) -> None:
    arch, value = nas_bench_201.best()
    assert value == pytest.approx(91.607, abs=0.001)
    assert str(arch) == (
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"
    )
    by_early_validation = nas_bench_201.best("valid")[0]
    assert nas_bench_201.query(by_early_validation).test == pytest.approx(91.50, abs=0.01)


def exact_random_search(valid: np.ndarray, reported: np.ndarray, k: int) -> tuple[float, float]:
    """Mean and sd of `reported` at the best `valid` of k distinct draws, by counting."""
    n = len(valid)
    order = np.argsort(-valid, kind="stable")
    # Of cells with equal values any is as likely as the other to be drawn first: each stands for their mean.
    _, group, size = np.unique(valid, return_inverse=True, return_counts=True)
    first = (np.bincount(group, reported) / size)[group][order]
    second = (np.bincount(group, reported**2) / size)[group][order]
    rank = np.arange(n - k + 1)
    hit = k / (n - rank)  # the next best is drawn, given that none better is
    probability = hit * np.concatenate(([1.0], np.cumprod(1 - hit)[:-1]))
    mean = float(probability @ first[: n - k + 1])
    return mean, math.sqrt(float(probability @ second[: n - k + 1]) - mean**2)


def test_random_search_on_nas_bench_201_by_evaluations(nas_bench_201: TabularBenchmark) -> None:
    """500 runs against the exact distribution, 90.95 ± 0.36 (the figure quoted for them is 90.98)."""
    comparison = compare({"random": RandomSearch}, nas_bench_201, 100, 500, progress=False)
    found = comparison.values["random"][:, -1]
    mean, sd = exact_random_search(nas_bench_201.final("valid"), nas_bench_201.final("test"), 100)
    assert mean == pytest.approx(90.98, abs=0.04) and sd == pytest.approx(0.36, abs=0.01)
    assert found.mean() == pytest.approx(mean, abs=4.5 * sd / math.sqrt(500))
    assert found.std() == pytest.approx(sd, abs=0.1)


def test_random_search_on_nas_bench_201_by_seconds(nas_bench_201: TabularBenchmark) -> None:
    """500 runs of 20,000 simulated seconds: 91.09 ± 0.27 with 177 evaluations."""
    methods = {"random": RandomSearch}
    comparison = compare(methods, nas_bench_201, 20_000, 500, unit="seconds", progress=False)
    found = comparison.values["random"][:, -1]
    assert found.mean() == pytest.approx(91.09, abs=0.05) and found.std() == pytest.approx(0.27, abs=0.05)
    assert np.mean([len(run) for run in comparison.histories["random"]]) == pytest.approx(177, abs=2)


def test_random_winners_are_the_best_of_their_draws_by_what_the_run_saw() -> None:
    """Of one training the winner is the draw itself; of very many it is the best for the run's seed."""
    rng = np.random.default_rng(5)
    space = CellSpace(ops=("none", "skip_connect"))  # 64 cells
    table = TabularBenchmark.from_arrays(space, rng.permutation(64 * 2 * 3).reshape(64, 2, 3).astype(float))
    single = random_winners(table, 1, np.random.default_rng(0), runs=6_400)
    assert single.shape == (6_400,)
    assert stats.chisquare(np.bincount(single, minlength=64)).pvalue > 1e-6
    best = set(table.valid[:, :, -1].argmax(axis=0).tolist())
    assert set(random_winners(table, 2_000, np.random.default_rng(0), runs=50).tolist()) == best
    few = np.arange(64) < 3
    assert set(random_winners(table, 1, rng, runs=200, allowed=few).tolist()) == {0, 1, 2}
    with pytest.raises(ValueError, match="trainings must be an integer from 1 up, got 0"):
        random_winners(table, 0, rng)
    with pytest.raises(ValueError, match="allowed must hold at least one architecture"):
        random_winners(table, 1, rng, allowed=few & ~few)


@pytest.mark.parametrize("seeds", [[0, 1.5], [[0], [1]], "01", [0, -1], [True, 2], [0, None]])
def test_seeds_are_looked_at_before_anything_runs(seeds: Any) -> None:
    asked = []

    class Watching(RandomSearch):
        def ask(self) -> Any:
            asked.append(1)
            return super().ask()

    with pytest.raises(
        (TypeError, ValueError), match="seeds must be a number of runs from 1 up or distinct integers"
    ):
        compare({"random": Watching}, BENCH, 3, seeds, progress=False)
    assert not asked


def test_a_budget_that_nothing_uses_up_takes_no_memory() -> None:
    result = compare({"random": RandomSearch}, BENCH, 10**12, 2, progress=False)
    assert result.values["random"].shape == (2, 64)
    np.testing.assert_array_equal(result.final["random"] >= 0, True)


class Answering:
    """A user's own benchmark, which answers every question alike."""

    space, epochs, seeds = SMALL, 1, 1

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def query(self, arch: Any, epochs: int | None = None, seed: int | None = None) -> Any:
        return self.answer


@pytest.mark.parametrize(
    "answer", [90.0, None, (1, 2), *[Evaluation(v, None, None, None, None) for v in (None, "90")]]
)
def test_answers_that_are_no_evaluations_are_named(answer: Any) -> None:
    with pytest.raises(
        TypeError, match="benchmark must answer with an Evaluation whose valid is a number, got"
    ):
        run(RandomSearch, Answering(answer), 3, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("benchmark", [None, RandomSearch, lambda arch: 1.0])
def test_what_is_no_benchmark_is_named(benchmark: Any) -> None:
    with pytest.raises(TypeError, match="benchmark must have a space and answer query"):
        run(RandomSearch, benchmark, 3, 0)


def test_values_with_a_gradient_are_values() -> None:
    value = torch.tensor(3.0, requires_grad=True)
    answer: Any = Evaluation(value, None, None, None, None)  # type: ignore[arg-type]
    assert run(RandomSearch, Answering(answer), 3, 0).values.tolist() == [3.0] * 3


def test_a_history_is_its_own_and_refuses_what_it_would_cut() -> None:
    values = np.array([1.0, 2.0])
    history = History(["a", "b"], values)
    values[0] = 99
    assert history.values.tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match=r"epochs must be whole numbers, got 1\.5"):
        History(["a"], [1.0], epochs=[1.5])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="values must be numbers, got"):
        History(["a"], ["good"])  # type: ignore[arg-type, list-item]


def test_steps_and_allowed_places_beyond_the_end_are_named() -> None:
    result = compare({"random": RandomSearch}, BENCH, 3, 3, progress=False)
    with pytest.raises(ValueError, match="step must be a place among the 3 steps, got 7"):
        result.paired("random", "random", step=7)
    for allowed in (
        [True],
        np.arange(64),
    ):  # numbers of cells look like truth values, and mean all but the first
        with pytest.raises(ValueError, match="allowed must be 64 truth values"):
            random_winners(BENCH, 2, np.random.default_rng(0), 5, allowed=allowed)
    with pytest.raises(ValueError, match=r"trainings must be an integer from 1 up, got 1\.5"):
        random_winners(BENCH, 1.5, np.random.default_rng(0))  # type: ignore[arg-type]
