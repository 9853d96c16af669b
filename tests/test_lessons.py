"""The lessons: references against definitions and oracles, fallbacks, and the notebooks run through."""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executed import FEWER, execute, notebook_of, unfounded
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from products import kept
from scipy import stats

import solutions
from nas_lib import checks
from nas_lib.benchmark import TABLE_PATH
from nas_lib.fallbacks import or_fallback
from nas_lib.lesson import progress
from nas_lib.real_data import find_nas_bench_201
from nas_lib.search import History
from nas_lib.spaces import EDGES, OPS, CellSpace
from nas_lib.standins import STANDINS, standins
from nas_lib.standins import random_search as recorded
from scripts.benchmarks.search import made_up_table

SPACE = CellSpace()
SMALL = CellSpace(ops=("none", "skip_connect"))  # 64 cells
TAUGHT = solutions.lessons()
for one in TAUGHT:
    standins(one)  # fills STANDINS, which tests below go through
START, RANDOM = solutions.load("00_start_here"), solutions.load("01_random_search")
EVOLUTION = solutions.load("02_evolution_and_early_stopping")
VALUES = arrays(float, st.integers(1, 40), elements=st.floats(-1e6, 1e6))


class Ragged:
    """A space whose decisions have different options; one of them is a tuple, which numpy would unpack."""

    choices = (("a", "b"), (1, 2, 3), ((0, 1),))


# --- lesson 00 ---


def test_cells_are_numbered_like_words_in_a_dictionary() -> None:
    words = itertools.product(OPS, repeat=len(EDGES))
    for number, cell in enumerate(words):
        assert START.cell_index(cell) == number
        assert START.cell_from_index(number) == cell


def test_the_numbers_are_those_of_the_library() -> None:
    for cell in itertools.islice(SPACE, 0, None, 97):
        assert START.cell_index(cell) == SPACE.index(cell)


@pytest.mark.parametrize("arch", [("none",) * 5, ("none",) * 7, ("none",) * 5 + ("conv_9x9",)])
@pytest.mark.parametrize("function", ["cell_index", "count_active_ops"])
def test_what_is_no_cell_is_refused_by_name(function: str, arch: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="arch"):
        getattr(START, function)(arch)


@pytest.mark.parametrize("i", [-1, 15_625, 10**9])
def test_numbers_outside_of_the_space_are_refused(i: int) -> None:
    with pytest.raises(ValueError, match="15624"):
        START.cell_from_index(i)


def test_active_operations_lie_on_a_path() -> None:
    paths = ([(0, 3)], [(0, 1), (1, 3)], [(0, 2), (2, 3)], [(0, 1), (1, 2), (2, 3)])
    for cell in SPACE:
        present = {edge for edge, op in zip(EDGES, cell) if op != "none"}
        on_a_path = {edge for path in paths if present.issuperset(path) for edge in path}
        assert START.count_active_ops(cell) == len(on_a_path)


# --- lesson 01: sampling and searching ---


def test_samples_are_uniform_over_a_space_with_uneven_decisions() -> None:
    rng = np.random.default_rng(7)
    counts = Counter(RANDOM.sample_uniform(Ragged(), rng) for _ in range(6_000))
    assert set(counts) == set(itertools.product(*Ragged.choices))
    # a right sampler has a smaller p-value once in a million seeds, and this seed is fixed
    assert stats.chisquare(list(counts.values())).pvalue > 1e-6


def test_samples_depend_on_the_generator_alone() -> None:
    draws = [[RANDOM.sample_uniform(SPACE, np.random.default_rng(3)) for _ in range(2)] for _ in range(2)]
    assert draws[0] == draws[1]
    assert all(cell in SPACE for cell in draws[0])


@pytest.mark.parametrize("choices", [(), (("a",), ())])
def test_a_space_without_options_is_refused(choices: tuple[Any, ...]) -> None:
    space = Ragged()
    space.choices = choices  # type: ignore[assignment]
    with pytest.raises(ValueError, match="space"):
        RANDOM.sample_uniform(space, np.random.default_rng(0))


@given(budget=st.integers(1, len(SMALL)), seed=st.integers(0, 1000))
def test_random_search_evaluates_distinct_cells_and_nothing_else(budget: int, seed: int) -> None:
    calls = []

    def objective(arch: Any) -> float:
        calls.append(arch)
        return float(SMALL.index(arch))

    history = RANDOM.random_search(objective, SMALL, budget, np.random.default_rng(seed))
    assert isinstance(history, History)
    assert history.archs == calls
    assert len(set(calls)) == len(calls) == budget
    np.testing.assert_array_equal(history.values, [SMALL.index(arch) for arch in calls])


def test_each_cell_is_found_equally_often_at_each_place() -> None:
    places = np.zeros((len(SMALL), 8), dtype=int)
    for seed in range(4_000):
        history = RANDOM.random_search(lambda arch: 0.0, SMALL, 8, np.random.default_rng(seed))
        for place, arch in enumerate(history.archs):
            places[SMALL.index(arch), place] += 1
    for place in (0, 7):
        assert stats.chisquare(places[:, place]).pvalue > 1e-6


@pytest.mark.parametrize("budget", [0, -3, len(SMALL) + 1])
def test_a_budget_that_cannot_be_spent_is_refused_before_any_evaluation(budget: int) -> None:
    def never(arch: Any) -> float:
        raise AssertionError("evaluated")

    with pytest.raises(ValueError, match="budget"):
        RANDOM.random_search(never, SMALL, budget, np.random.default_rng(0))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_objective_without_a_value_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="objective"):
        RANDOM.random_search(lambda arch: value, SMALL, 3, np.random.default_rng(0))


# --- lesson 01: curves ---


@given(values=VALUES, best=st.floats(-1e6, 1e6))
def test_curves_by_their_definition(values: np.ndarray, best: float) -> None:
    before = values.copy()
    so_far = [max(values[: t + 1]) for t in range(len(values))]
    np.testing.assert_array_equal(RANDOM.incumbent_curve(values), so_far)
    np.testing.assert_allclose(RANDOM.simple_regret(list(values), best), [best - top for top in so_far])
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("values", [[], [1.0, math.nan]])
def test_curves_of_nothing_are_refused(values: list[float]) -> None:
    for call in (lambda: RANDOM.incumbent_curve(values), lambda: RANDOM.simple_regret(values, 1.0)):
        with pytest.raises(ValueError, match="values"):
            call()


# --- lesson 01: how many draws ---


def _enough(n: int, fraction: str, confidence: str) -> bool:
    """The definition in exact arithmetic."""
    return 1 - (1 - Fraction(fraction)) ** n >= Fraction(confidence)


@pytest.mark.parametrize("confidence", ["0.01", "0.5", "0.75", "0.9", "0.95", "0.999", "0.999999"])
@pytest.mark.parametrize("fraction", ["1", "0.9", "0.5", "0.25", "0.1", "0.037", "0.01", "0.001"])
def test_the_number_of_draws_is_the_least_that_is_enough(fraction: str, confidence: str) -> None:
    n = RANDOM.samples_for_top_fraction(float(fraction), float(confidence))
    assert type(n) is int and n >= 1
    assert _enough(n, fraction, confidence)
    assert n == 1 or not _enough(n - 1, fraction, confidence)


def test_tiny_fractions_keep_their_precision() -> None:
    # −log(0.5)/f for small f
    assert RANDOM.samples_for_top_fraction(1e-15, 0.5) == pytest.approx(math.log(2) * 1e15, rel=1e-9)


@pytest.mark.parametrize(
    ("fraction", "confidence", "name"),
    [
        (0, 0.9, "fraction"),
        (1.1, 0.9, "fraction"),
        (math.nan, 0.9, "fraction"),
        (0.1, 0, "confidence"),
        (0.1, 1.0, "confidence"),
        (0.1, math.nan, "confidence"),
    ],
)
def test_impossible_probabilities_are_refused(fraction: float, confidence: float, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        RANDOM.samples_for_top_fraction(fraction, confidence)


# --- lesson 01: paired bootstrap ---


def test_equal_differences_leave_nothing_to_resample() -> None:
    b = np.random.default_rng(0).normal(size=20)
    mean, (low, high) = RANDOM.paired_bootstrap(b + 1.0, b, np.random.default_rng(1), resamples=200)
    np.testing.assert_allclose([mean, low, high], 1.0)


def test_the_interval_is_that_of_scipy() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.gamma(2.0, size=60), rng.gamma(2.0, size=60)
    mean, (low, high) = RANDOM.paired_bootstrap(a, b, np.random.default_rng(0))
    scipys = stats.bootstrap((a - b,), np.mean, n_resamples=20_000, method="percentile", rng=rng)
    assert mean == pytest.approx(np.mean(a) - np.mean(b))
    # a 2.5 % quantile of 10,000 means varies by about 0.03 standard errors of the mean
    tolerance = 0.15 * stats.sem(a - b)
    assert (low, high) == pytest.approx(tuple(scipys.confidence_interval), abs=tolerance)


def test_the_pairs_are_kept() -> None:
    rng = np.random.default_rng(2)
    shared = rng.normal(0, 10, 40)
    a, b = shared + rng.normal(0, 0.1, 40), shared + rng.normal(0, 0.1, 40)
    _, (low, high) = RANDOM.paired_bootstrap(a, b, rng, resamples=500)
    assert high - low < 0.2  # a's and b's own samples would give about 9


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(300):
        a, b = rng.normal(0.3, 1, 40), rng.normal(0.0, 1, 40)
        _, (low, high) = RANDOM.paired_bootstrap(a, b, rng, resamples=300)
        hits += low <= 0.3 <= high
    assert 0.89 <= hits / 300 <= 0.985


@pytest.mark.parametrize(
    ("a", "b", "resamples", "name"),
    [
        ([1, 2], [1, 2, 3], 10, "a and b"),
        ([1], [1], 10, "a and b"),
        ([], [], 10, "a and b"),
        ([[1, 2]], [[1, 2]], 10, "a and b"),
        ([1, math.nan], [1, 2], 10, "nan"),
        ([1, 2], [3, 4], 0, "resamples"),
    ],
)
def test_what_cannot_be_paired_is_refused(a: Any, b: Any, resamples: int, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        RANDOM.paired_bootstrap(a, b, np.random.default_rng(0), resamples=resamples)


# --- fallbacks ---


def _reference(name: str) -> Callable[..., Any]:
    return getattr(solutions.load(checks.exercise(name).lesson), name)


def test_every_exercise_that_a_lesson_goes_on_with_has_something_to_stand_in_for_it() -> None:
    for lesson in TAUGHT:
        asked = set(
            re.findall(r'or_fallback\(\s*"(\w+)"', solutions.source_path(lesson).read_text(encoding="utf-8"))
        )
        assert asked <= set(checks.exercises(lesson)), lesson
        assert asked <= set(STANDINS), lesson
    assert set(STANDINS) <= {name for lesson in TAUGHT for name in checks.exercises(lesson)}


@pytest.mark.parametrize("name", STANDINS)
def test_a_right_function_is_used_and_a_stub_is_not(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    def stub(*_: Any, **__: Any) -> Any:
        print("learner's own output")
        raise NotImplementedError

    assert or_fallback(name, _reference(name)) is _reference(name)
    assert capsys.readouterr().out == ""
    assert or_fallback(name, stub) is STANDINS[name].function
    said = capsys.readouterr()
    assert said.out.count("\n") == 1 and name in said.out and "not written yet" in said.out
    assert said.err == ""


def test_a_wrong_function_is_not_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert or_fallback("incumbent_curve", np.minimum.accumulate) is STANDINS["incumbent_curve"].function
    assert "its check is not passed" in capsys.readouterr().out


def test_a_function_that_only_lets_bad_input_pass_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    careless = np.maximum.accumulate
    assert or_fallback("incumbent_curve", careless) is careless
    assert capsys.readouterr().out == ""


def test_missing_public_checks_lead_to_the_fallback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nas_lib.checks.public.PUBLIC_FOLDER", tmp_path)
    assert or_fallback("cell_index", START.cell_index) is STANDINS["cell_index"].function
    assert "missing" in capsys.readouterr().out


def test_an_exercise_without_fallback_is_named() -> None:
    with pytest.raises(ValueError, match="cell_indx"):
        or_fallback("cell_indx", START.cell_index)


def test_what_stands_in_agrees_with_the_references() -> None:
    stand_in = {name: one.function for name, one in STANDINS.items()}
    rng = np.random.default_rng(0)
    for cell in (SPACE.sample(rng) for _ in range(200)):
        number = SPACE.index(cell)
        assert stand_in["cell_index"](cell) == START.cell_index(cell)
        assert stand_in["cell_from_index"](number) == START.cell_from_index(number)
        assert stand_in["count_active_ops"](cell) == START.count_active_ops(cell)
    assert stand_in["sample_uniform"](SPACE, rng) in SPACE
    values = rng.normal(size=50)
    for name, arguments in (("incumbent_curve", (values,)), ("simple_regret", (values, 3.0))):
        np.testing.assert_allclose(stand_in[name](*arguments), _reference(name)(*arguments))
    history = stand_in["random_search"](SMALL.index, SMALL, 64, rng)
    assert sorted(history.values) == list(range(64))
    a, b = rng.normal(0.3, 1, 50), rng.normal(0.0, 1, 50)
    ours, theirs = stand_in["paired_bootstrap"](a, b, rng), RANDOM.paired_bootstrap(a, b, rng)
    np.testing.assert_allclose(np.hstack(ours), np.hstack(theirs), atol=0.05)


def test_recorded_results_are_the_references() -> None:
    for fraction, n in recorded.RECORDED_SAMPLES.items():
        assert n == RANDOM.samples_for_top_fraction(fraction, recorded.RECORDED_CONFIDENCE)
        assert n == STANDINS["samples_for_top_fraction"].function(fraction, recorded.RECORDED_CONFIDENCE)
    with pytest.raises(ValueError, match="write samples_for_top_fraction"):
        STANDINS["samples_for_top_fraction"].function(0.3, 0.95)


def test_progress_bars_stay_off_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(range(3))) == [0, 1, 2]
    said = capsys.readouterr()
    assert said.err == "" and "3/3" in said.out


# --- whole notebooks ---

# Figures that a lesson shows at least.
FIGURES = {
    "00_start_here": 11,
    "01_random_search": 8,
    "02_evolution_and_early_stopping": 7,
    "03_rl_controller": 8,
    "04_darts": 12,
    "05_supernet": 8,
    "06_hardware_aware": 6,
    "07_compound_scaling": 6,  # and three more where the recorded runs are there
    "08_predictors_and_fidelity": 5,
    "09_capstone": 4,
}
UNANSWERED = ("00_start_here", "01_random_search", "03_rl_controller")
"""Lessons that `make test` also executes with nothing done; the others are executed with the references alone."""
AS = [pytest.param(False, id="rehearsal"), pytest.param(True, id="whole", marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The course's table, or a made-up one of the same format where it has not been built."""
    if TABLE_PATH.exists():
        return TABLE_PATH
    path = tmp_path_factory.mktemp("table") / "cell_table.npz"
    made_up_table().write(path)
    return path


@contextlib.contextmanager
def _shown(lesson: str, done: bool, whole: bool, table: Path) -> Iterator[dict[str, Any]]:
    """What the executed lesson showed, kept for later runs where the block's assertions hold."""
    whole = whole or lesson not in FEWER  # as it is rehearsed, for several tests of one product
    notebook = notebook_of(lesson, done, whole)
    given = "\n".join([*(cell.source for cell in notebook.cells), str(find_nas_bench_201()), str(table)])
    name = f"{lesson}-{'done' if done else 'undone'}-{'whole' if whole else 'rehearsal'}"
    with kept(name, functools.partial(execute, notebook, table), ("nas_lib",), given) as shown:
        yield shown


@pytest.mark.parametrize("whole", AS)
@pytest.mark.parametrize("lesson", FIGURES)
def test_the_lesson_runs_through_with_the_reference(lesson: str, whole: bool, table: Path) -> None:
    with _shown(lesson, True, whole, table) as shown:
        assert shown["stderr"] == ""
        assert shown["figures"] >= FIGURES[lesson]
        assert not shown["shown"], "a cell ends in an expression that shows as text"
        printed = shown["stdout"]
        assert printed.count("✓") == len(checks.exercises(lesson))
        assert "✗" not in printed and "stands in for it" not in printed


@pytest.mark.skipif(not TABLE_PATH.exists(), reason="the table has not been built")
@pytest.mark.parametrize(
    "lesson",
    [pytest.param(name, marks=pytest.mark.slow) if name in FEWER else name for name in FIGURES],
)
def test_what_we_got_is_what_the_lesson_prints(lesson: str, table: Path) -> None:
    """Of the whole lesson: a rehearsal has other numbers where something is shortened."""
    with _shown(lesson, True, True, table) as shown:
        assert len(shown["got"]) >= 3
        assert {
            told: missing for told, printed in shown["got"] if (missing := unfounded(told, printed))
        } == {}


def test_lessons_that_train_do_so_on_one_thread() -> None:
    """Which is fastest for networks this small, most of all on a busy machine: `scripts/benchmarks/threads.py`."""
    trains = re.compile(r"import .*\b(?:train|load_splits)\b|torch\.optim|\.backward\(\)")
    sources = {name: (solutions.FOLDER / f"{name}.py").read_text(encoding="utf-8") for name in FIGURES}
    training = {name for name, source in sources.items() if trains.search(source)}
    assert len(training) >= 7
    assert {name for name in training if "\ntorch.set_num_threads(1)" not in sources[name]} == set()


def test_a_number_that_nothing_printed_is_found() -> None:
    printed = "best 87.32 %, rank 1,204 of 15,625"
    told = "Rank 1,204 of 15,625, 87.3 %, which is about 90, by `conv_3` and 3×3 as in lesson 02."
    assert unfounded(told, printed) == []
    assert unfounded("87.31 and 87.4 and 1,205 and about 50, 3", printed) == [
        "87.31",
        "87.4",
        "1,205",
        "50",
        "3",
    ]


@pytest.mark.parametrize("whole", AS)
@pytest.mark.parametrize(
    "lesson", [name if name in UNANSWERED else pytest.param(name, marks=pytest.mark.slow) for name in FIGURES]
)
def test_the_lesson_runs_through_with_nothing_done(lesson: str, whole: bool, table: Path) -> None:
    source = solutions.source_path(lesson).read_text(encoding="utf-8")
    used = set(re.findall(r'or_fallback\("(\w+)"', source))
    with _shown(lesson, False, whole, table) as shown:
        assert shown["stderr"] == ""
        assert shown["figures"] >= FIGURES[lesson]
        printed = shown["stdout"]
        assert "✓" not in printed
        assert printed.count("○") == len(checks.exercises(lesson))
        assert {name for name in used if f"Your {name} is not used here" in printed} == used


def test_a_rehearsal_shortens_what_the_lesson_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FEWER, "01_random_search", {"RUNS, BUDGET = 1,": "RUNS, BUDGET = 2,"})
    with pytest.raises(ValueError, match=r"must hold 'RUNS, BUDGET = 1,' once.*found 0"):
        notebook_of("01_random_search", True, False)
    monkeypatch.setitem(FEWER, "01_random_search", {"RUNS, BUDGET = 500": "RUNS, BUDGET = 5"})
    pairs = zip(*(notebook_of("01_random_search", True, whole).cells for whole in (True, False)))
    ((before, after),) = [(one.source, other.source) for one, other in pairs if one.source != other.source]
    assert before.replace("BUDGET = 500", "BUDGET = 5") == after
