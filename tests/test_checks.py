"""Checks as a whole: what crosses from probe to judge, what a learner sees, why judges cannot be fooled."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import math
import re
import sys
import threading
import time
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from products import grading, kept
from scipy import stats
from yardstick import takes_at_most

import solutions
from autograder.author.build import alike
from autograder.gate.registry import variants
from autograder.judge.scoring import problems
from nas_lib import checks
from nas_lib.checks import (
    PUBLIC_SEED,
    Answer,
    ConceptQuestion,
    Exercise,
    Expected,
    InProcess,
    NotPlainData,
    Oracle,
    RemoteOracle,
    Verdict,
    check,
    decode,
    encode,
    grade,
    judging,
    notebook,
    public,
    public_part,
    read_answer,
    roundtrip,
    run_probe,
    serve,
    tables,
)
from nas_lib.checks.hiding import function_of, hidden
from nas_lib.checks.oracles import Refused
from nas_lib.checks.transports import alarm
from nas_lib.checks.values import Part
from nas_lib.judges.statistics import Lattice, count_range, mean_range
from nas_lib.spaces import CellSpace, live_edges
from nas_lib.standins import STANDINS, standins

LESSONS = checks.lessons()
EXERCISES = [item for lesson in LESSONS for item in checks.exercises(lesson).values()]
FUNCTIONS = [item for item in EXERCISES if not isinstance(item, ConceptQuestion)]
QUESTIONS = [item for item in EXERCISES if isinstance(item, ConceptQuestion)]


def by_name(items):
    return pytest.mark.parametrize("item", items, ids=lambda item: item.name)


def graded(item, transport, seed):
    """The verdict on whatever a transport brings; no mistake is looked for in what is none."""
    instances, expected = problems(item.lesson, item.name, seed)
    answers = transport.collect(item, item.name, instances)
    return checks.worst(checks.verdicts(item, instances, answers, Expected(expected.answers)))


def reference(item):
    return solutions.load(item.lesson)


class AlwaysEqual:
    """Equals everything: what a hostile answer to a naive `==` looks like."""

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0

    def __call__(self, *args, **kwargs):
        return self

    def __float__(self):
        return 1.0

    def __iter__(self):
        return iter([self])

    def __len__(self):
        return 1


class EqualText(str):
    __slots__ = ()

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0


class EqualList(list):
    def __eq__(self, other):
        return True


# ------------------------------------------------------------------------------------------------- codec

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["$array", "$float", "dtype", "shape", "data", "a", "results", "draws"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


def same(one, other):
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and one.keys() == other.keys()
            and all(same(one[k], other[k]) for k in one)
        )
    return type(one) is type(other) and one == other


@given(plain)
def test_plain_data_comes_back_as_it_was(value):
    assert same(roundtrip(value), value)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "int64", "float16", "float32", "float64"])
def test_arrays_keep_dtype_shape_and_values(dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    back = roundtrip(array)
    assert back.dtype == array.dtype and back.shape == (2, 3) and (back == array).all()
    assert roundtrip(np.zeros((0, 4))).shape == (0, 4)


def test_nan_and_infinity_survive_without_leaving_json():
    text = json.dumps(encode([math.nan, math.inf, -math.inf, np.array([math.nan, 1.0])]), allow_nan=False)
    nan, inf, minus, array = decode(json.loads(text))
    assert math.isnan(nan) and inf == math.inf and minus == -math.inf
    assert math.isnan(array[0]) and array[1] == 1.0


def test_subclasses_arrive_as_builtins():
    back = roundtrip(
        [EqualText("a"), EqualList([1]), np.str_("b"), np.float32(0.5), np.int8(3), np.bool_(True), (1, 2)]
    )
    assert [type(item) for item in back] == [str, list, str, float, int, bool, list]
    assert back == ["a", [1], "b", 0.5, 3, True, [1, 2]]
    assert back[0] != "something else" and back[1] != [2]


def test_tensors_and_things_that_offer_an_array_are_data():
    torch = pytest.importorskip("torch")
    pandas = pytest.importorskip("pandas")
    assert roundtrip(torch.ones(2, requires_grad=True)).tolist() == [1.0, 1.0]
    assert roundtrip(torch.ones(1, dtype=torch.bfloat16)).dtype == np.float32
    assert roundtrip(pandas.Series([1.0, 2.0])).tolist() == [1.0, 2.0]
    assert roundtrip(np.array(["x", 2], dtype=object)) == ["x", 2]


loop: list = []
loop.append(loop)


@pytest.mark.parametrize(
    "value",
    [AlwaysEqual(), {1, 2}, iter([1]), len, 1j, np.complex64(1), {1: 2}, {"$array": 1}, loop, 2**2000, b"x",
     object(), np.array([1j]), np.array([AlwaysEqual()]), [[AlwaysEqual()]]],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_anything_else_is_refused_in_a_sentence(value):
    with pytest.raises(NotPlainData, match=r"^returned .+"):
        encode(value)


@given(any_json)
def test_decoding_hostile_json_gives_data_or_a_value_error(data):
    with contextlib.suppress(ValueError):
        encode(decode(data))


@pytest.mark.parametrize(
    "body",
    [
        {"dtype": "object", "shape": [1], "data": [1]},
        {"dtype": "float64", "shape": [10**9], "data": [1.0]},
        {"dtype": "float64", "shape": [-1], "data": [1.0]},
        {"dtype": "int8", "shape": [1], "data": [1000]},
        {"dtype": "float64", "shape": [1], "data": ["1"]},
        {"dtype": "float64", "shape": [1], "data": [[1.0]]},
        {"dtype": "float64", "shape": 1, "data": [1.0]},
        None,
    ],
)
def test_malformed_arrays_are_refused(body):
    with pytest.raises(ValueError):
        decode({"$array": body})


def test_deep_and_malformed_messages_are_answers_too():
    deep: list = []
    for _ in range(500):
        deep = [deep]
    for message in (None, [], 3, {}, {"value": deep}, {"value": {"$float": 3}}, {"error": 5}):
        assert read_answer(message).error is not None


# -------------------------------------------------------------------------------------------- statistics


@pytest.mark.parametrize(
    ("n", "p", "alpha"), [(1500, 0.04, 2e-10), (1000, 0.5, 1e-9), (120, 6 / 64, 1e-9), (50, 0.9, 1e-3)]
)
def test_count_range_keeps_its_promise(n, p, alpha):
    low, high = count_range(n, p, alpha)
    outside = stats.binom.cdf(low - 1, n, p) + stats.binom.sf(high, n, p)
    assert outside <= alpha
    # ... and is no wider than it needs to be, to within a few counts.
    assert (
        stats.binom.cdf(low + 0.2 * n**0.5 + 3, n, p) + stats.binom.sf(high - 0.2 * n**0.5 - 3, n, p) > alpha
    )


def test_count_range_holds_without_replacement():
    low, high = count_range(30, 0.5, 1e-4)
    outside = stats.hypergeom.cdf(low - 1, 64, 32, 30) + stats.hypergeom.sf(high, 64, 32, 30)
    assert outside <= 1e-4


@pytest.mark.parametrize("alpha", [1e-2, 1e-5])
def test_mean_range_keeps_its_promise_and_is_not_wide(alpha):
    values, chances, n = np.array([-3.0, 0.0, 1.0]), np.array([0.1, 0.4, 0.5]), 400
    low, high = mean_range(values, chances, n, alpha)
    counts = np.arange(n + 1)
    # The exact distribution of the sum: −3·x + z with (x, y, z) multinomial.
    inside = 0.0
    for x in counts:
        sums = -3.0 * x + np.arange(n - x + 1)
        within = (low * n <= sums) & (sums <= high * n)
        inside += (
            stats.binom.pmf(x, n, 0.1) * stats.binom.pmf(np.arange(n - x + 1), n - x, 0.5 / 0.9)[within].sum()
        )
    assert 1 - inside <= alpha
    normal = stats.norm.isf(alpha / 2) * np.sqrt((chances @ (values - chances @ values) ** 2) / n)
    assert high - low < 2 * 1.5 * normal


def test_mean_range_of_a_constant_is_a_point():
    assert mean_range(np.array([2.0, 2.0]), np.array([0.3, 0.7]), 10, 1e-6) == pytest.approx((2.0, 2.0))


def test_lattice_is_the_exact_distribution():
    values = [3, -1, 4, 1, -5]
    sums = np.array(np.meshgrid(*[values] * 4)).reshape(4, -1).sum(axis=0)
    lattice = Lattice.draws(values, 4)
    for x in range(-21, 18):
        assert lattice.chance_below(x) == pytest.approx((sums <= x).mean(), abs=1e-12)
    differences = np.subtract.outer(sums, [0, 2, 2, 4]).ravel()
    both = lattice.minus(Lattice.draws([0, 2], 2))
    for x in range(-25, 18):
        assert both.chance_below(x) == pytest.approx((differences <= x).mean(), abs=1e-12)


def test_a_long_convolution_keeps_its_accuracy():
    values = np.random.default_rng(0).integers(-300, 300, size=14).tolist()
    lattice = Lattice.draws(values, 14)
    at = np.arange(len(lattice.chances)) + lattice.start
    assert lattice.chances.sum() == pytest.approx(1.0, abs=1e-12)
    assert (at * lattice.chances).sum() == pytest.approx(sum(values), abs=1e-7)
    assert (at**2 * lattice.chances).sum() - sum(values) ** 2 == pytest.approx(14 * np.var(values), rel=1e-7)


@pytest.mark.parametrize("size", [2, 6, 12])
@pytest.mark.parametrize("resamples", [1, 50, 4000])
def test_percentile_range_keeps_its_promise(size, resamples):
    values = np.random.default_rng(size).integers(-50, 200, size=size).tolist()
    lattice, alpha = Lattice.draws(values, size), 1e-6
    for level in (0.025, 0.975):
        low, high = lattice.percentile_range(level, resamples, alpha)
        first = max(1, math.floor(resamples * level) - 1)
        last = min(resamples, math.floor(resamples * level) + 2)
        # The exact chances that the lowest order statistic in question is below, the highest above.
        assert stats.binom.sf(first - 1, resamples, lattice.chance_below(low - 1)) <= alpha
        assert stats.binom.cdf(last - 1, resamples, lattice.chance_below(high)) <= alpha


METHODS = [
    "inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen",
    "weibull", "linear", "median_unbiased", "normal_unbiased", "lower", "higher", "midpoint", "nearest",
]  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_every_definition_of_a_percentile_fits(method):
    values = [-12, 5, 33, 40, 41, 90, 250]
    lattice, rng = Lattice.draws(values, 7), np.random.default_rng(3)
    for resamples in (1, 7, 50, 999):
        for _ in range(20):
            means = rng.choice(values, size=(resamples, 7)).sum(axis=1)
            for level in (0.025, 0.975):
                low, high = lattice.percentile_range(level, resamples, 1e-6)
                assert low <= np.quantile(means, level, method=method) <= high


# ---------------------------------------------------------------------------------------------- registry


def test_each_exercise_is_registered_once_under_its_lesson():
    names = [item.name for item in EXERCISES]
    assert len(set(names)) == len(names)
    for item in EXERCISES:
        assert checks.exercise(item.name) is item is checks.exercise(item.name, item.lesson)
    assert sorted(LESSONS) == LESSONS


@pytest.mark.parametrize("lesson", LESSONS)
def test_exercises_are_those_of_the_lesson(lesson):
    names = set(checks.exercises(lesson))
    assert names <= set(vars(solutions.load(lesson)))


def test_a_misspelt_name_is_corrected():
    with pytest.raises(ValueError, match="Did you mean 'random_search'"):
        checks.exercise("random_serch")
    with pytest.raises(ValueError, match="01_random_search"):
        checks.exercises("01_random")
    with pytest.raises(ValueError, match="twice"):
        checks.register(checks.exercise("cell_index"))


# --------------------------------------------------------------------------------------------- instances


@by_name(EXERCISES)
def test_instances_are_plain_deterministic_and_vary_with_the_seed(item):
    one, again, other = (json.dumps(encode(item.instances(seed))) for seed in (1, 1, 2))
    assert one == again
    if item in FUNCTIONS:
        assert one != other
        assert [("bad" in instance) for instance in item.instances(1)] == sorted(
            "bad" in instance for instance in item.instances(1)
        ), "bad input comes last: it costs a part, so its verdicts must not hide others"


@by_name(FUNCTIONS)
def test_every_exercise_tries_bad_input(item):
    assert sum("bad" in instance for instance in item.instances(5)) >= 2


def test_random_search_is_tried_on_other_spaces_and_whole_ones():
    for seed in range(10):
        instances = [i for i in checks.exercise("random_search").instances(seed) if "bad" not in i]
        sizes = [
            len(i["ops"]) ** 6 if "ops" in i else math.prod(len(options) for options in i["choices"])
            for i in instances
        ]
        assert any(i["budget"] == size for i, size in zip(instances, sizes))
        assert any(i["budget"] == 1 for i in instances) and any("choices" in i for i in instances)
        assert len(set(sizes)) >= 4


def test_seeds_of_grading_are_stable_and_depend_on_everything():
    seed = checks.grading_seed("secret", "01_random_search", "random_search")
    assert seed == 5674232431736601072, "a regrade must find the instances of the first grading"
    others = {
        checks.grading_seed("other", "01_random_search", "random_search"),
        checks.grading_seed("secret", "00_start_here", "random_search"),
        checks.grading_seed("secret", "01_random_search", "sample_uniform"),
        PUBLIC_SEED,
    }
    assert seed not in others and len(others) == 4
    assert seed == checks.grading_seed("secret", "01_random_search", "random_search")


# ---------------------------------------------------------------------------- what the learner's side sees


@by_name(EXERCISES)
def test_nothing_private_reaches_the_probe(item, monkeypatch):
    seen = []
    probe = type(item).probe
    monkeypatch.setattr(
        type(item),
        "probe",
        lambda self, fn, given, oracle: seen.append(given) or probe(self, fn, given, oracle),
    )
    instances = item.instances(3)
    InProcess(reference(item)).collect(item, item.name, instances)
    assert len(seen) == len(instances)
    assert not any(key.startswith("_") for given in seen for key in given)


def test_the_objective_s_values_are_not_in_the_public_part():
    item = checks.exercise("random_search")
    private = [key for instance in item.instances(3) for key in instance if key.startswith("_")]
    assert "_seed" in private
    changed = [{**instance, "_seed": 99} for instance in item.instances(3)]
    assert [public_part(one) for one in changed] == [public_part(one) for one in item.instances(3)]
    arch = tuple(CellSpace(item.instances(3)[0]["ops"]).from_index(5))
    assert item.oracle(changed[0]).call("objective", list(arch)) != item.oracle(item.instances(3)[0]).call(
        "objective", list(arch)
    )


@by_name(FUNCTIONS)
def test_what_an_exercise_hides_exists_and_comes_back(item):
    standins(item.lesson)
    named = {name: function_of(name) for name in STANDINS[item.name].hides}
    assert None not in named.values(), f"not in the library (any more): {named}"
    for name, one in named.items():
        # Where submissions are graded, other packages' functions lose their code, which one with cells cannot.
        assert name.startswith("nas_lib") or not one.__code__.co_freevars, f"{name} cannot be switched off"
    functions = [STANDINS[item.name].function, *named.values()]
    functions = [one for one in functions if not one.__code__.co_freevars]
    codes = [one.__code__ for one in functions]
    with hidden(item):
        for one in functions:
            with pytest.raises(RuntimeError, match="switched off"):
                one()
    assert codes == [one.__code__ for one in functions]


def test_hiding_reaches_names_imported_and_methods_bound_before():
    index, imported = CellSpace().index, live_edges
    with hidden(checks.exercise("cell_index")), pytest.raises(RuntimeError):
        index(("none",) * 6)
    with hidden(checks.exercise("count_active_ops")), pytest.raises(RuntimeError):
        imported(("none",) * 6)
    with contextlib.suppress(ZeroDivisionError), hidden(checks.exercise("cell_index")):
        1 / 0  # noqa: B018
    assert index(("none",) * 6) == 0 and not any(imported(("none",) * 6))


def test_the_oracle_logs_counts_and_refuses():
    def double(x):
        if type(x) is not int:
            raise Refused("x must be an int")
        return 2 * x

    oracle = Oracle({"double": double}, limit=3)
    remote = RemoteOracle(
        lambda message: json.loads(json.dumps(serve(oracle, json.loads(json.dumps(message)))))
    )
    assert remote.call("double", 4) == 8
    for method, args in [("double", ("a",)), ("double", ()), ("triple", (1,)), ("double", (1,))]:
        with pytest.raises(Refused):
            remote.call(method, *args)
    with pytest.raises(Refused):
        remote.call("double", AlwaysEqual())
    assert [call.value for call in oracle.calls] == [8, None, None, None, None]
    assert oracle.calls[0] == ("double", (4,), 8, None)


@given(any_json)
def test_any_message_to_the_oracle_gets_a_reply(message):
    item = checks.exercise("random_search")
    for oracle in (None, item.oracle(item.instances(0)[0])):
        reply = serve(oracle, message)
        assert list(reply) in (["value"], ["error"])
        json.dumps(reply)


# ------------------------------------------------------------------------------------------------ judges

WEIRD = [
    None, True, False, 0, 1, -1.5, math.nan, math.inf, "", "a", [], [[]], {}, {"draws": None},
    {"results": [1]}, [None] * 5, [1] * 40, [1e300] * 8,
    {"result": {}, "after": []}, np.zeros(3), np.zeros((2, 2)), np.zeros(0), [["a"]],
    {"raised": "ValueError"}, {"raised": [3]}, {"raised": None}, {"result": [1.0], "after": [1.0]},
]  # fmt: skip


@by_name(EXERCISES)
def test_no_judge_falls_over_weird_answers(item):
    instances, expected = _stored(item)
    for value in WEIRD:
        answers = [Answer(value) for _ in instances]
        found = checks.verdicts(item, instances, answers, expected)
        assert all(0.0 <= verdict.score <= 1.0 and isinstance(verdict.message, str) for verdict in found)
        assert checks.worst(found).score < 1.0 or value == expected.answers[0].value
        assert all(verdict.concept and verdict.message for verdict in found if not verdict.right)


@by_name(EXERCISES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(value=any_json, error=st.none() | st.text(max_size=30))
def test_no_json_at_all_gets_marks_by_chance(item, value, error):
    instances = _instances(item)
    answers = [read_answer({"value": value} if error is None else {"error": error}) for _ in instances]
    found = checks.verdicts(item, instances, answers, _expected(item))
    right = isinstance(value, str) and value.strip(" \t\n().:").lower() == _expected(item).answers[0].value
    assert checks.worst(found).score < 1.0 or (right and error is None)


@functools.cache
def _stored(item):
    """Its public instances with what reference and usual mistakes answer. That is stored; to ask them takes long."""
    if isinstance(item, ConceptQuestion):
        return problems(item.lesson, item.name, 4)
    found = checks.read_public(item.lesson)[item.name]
    return found.instances, found.expected


def _instances(item):
    return _stored(item)[0]


def _expected(item):
    return _stored(item)[1]


@by_name(FUNCTIONS)
def test_errors_on_bad_input_can_only_cost(item):
    """An answer to every instance that only claims to have raised an error gets nothing."""
    instances = _instances(item)
    claims = [
        Answer(error="ValueError: budget must be positive", raised=[*one.get("raises", item.raises)])
        for one in instances
    ]
    found = checks.verdicts(item, instances, claims, _expected(item))
    assert checks.worst(found).score == 0.0
    assert all(verdict.right for instance, verdict in zip(instances, found) if "bad" in instance)


def _refused():
    raise Refused("train_to was called with 0 epochs: a whole number from 1 up is needed")


# What raises where nobody looked at the argument, and what the verdict quotes of it.
ACCIDENTS = {
    "max() ": lambda: max([]),
    "argmax of an empty sequence": lambda: np.argmax([]),
    "truth value of an array": lambda: bool(np.ones(2) > 0),
    "len() of a 0-d tensor": lambda: len(torch.tensor(1.0)),
    "len() of unsized object": lambda: len(np.array(1.0)),
    "too many indices for": lambda: torch.ones(3)[:, 0],
    "setting an array element with a sequence": lambda: np.zeros(2).__setitem__(0, np.ones(5)),
    "size mismatch, got input": lambda: torch.ones(3, 3) @ torch.ones(2),
    "inconsistent tensor": lambda: torch.ones(3) @ torch.ones(1),
    "size of tensor a (": lambda: torch.ones(2, 4) >= torch.ones(3),
    "The expanded size of the tensor": lambda: torch.ones(3).expand(2),
    "index out of range in self": lambda: torch.nn.Embedding(2, 3)(torch.tensor([-1])),
    "out of bounds for dimension": lambda: torch.ones(2, 3)[:, 3],
    "cannot sample n_sample": lambda: torch.multinomial(torch.ones(2, 0), 1),
    "a <= 0": lambda: np.random.default_rng(0).beta(0.0, 1.0),
    "is passed on (train_to was called with 0 epochs": _refused,
}


@pytest.mark.parametrize(("quoted", "call"), ACCIDENTS.items(), ids=ACCIDENTS)
def test_an_error_that_nobody_raised_on_purpose_is_none_for_bad_input(quoted, call):
    verdict = _judged(call)
    assert (verdict.score, verdict.concept) == (1 - judging.BAD_INPUT, "accepts-bad-input")
    assert quoted in verdict.message and "raise a ValueError" in verdict.message


def _judged(call, **instance):
    """The verdict on a function that calls `call` when it gets bad input."""
    message = run_probe(Plain(), call, {})
    return judging.verdicts(
        Plain(), [{"bad": "a thing", **instance}], [read_answer(message)], checks.Expected([Answer()])
    )[0]


def test_bad_input_is_refused_by_the_first_call_or_not_at_all():
    calls = iter([lambda: 1, _raising(ValueError("n must be at least 1, got 0"))])
    message = run_probe(Twice(), lambda: next(calls)(), {})
    instance = {"bad": "n = 0"}
    [verdict] = judging.verdicts(Twice(), [instance], [read_answer(message)], checks.Expected([Answer()]))
    assert (verdict.score, verdict.concept) == (1 - judging.BAD_INPUT, "accepts-bad-input")
    assert verdict.message == "with n = 0 no error is raised: raise a ValueError"


def test_what_cannot_be_used_is_not_said_to_have_been_raised_by_the_learner():
    item = checks.exercise("mixed_op")

    def told(fn):
        return judging.error_verdict({}, read_answer(run_probe(item, fn, _instances(item)[0]))).message

    assert told(lambda *given: 3).startswith("what your code returned cannot be used: AttributeError: ")
    assert told(lambda *given: given + 3).startswith("your code raised TypeError: ")


class Twice(Exercise):
    """A function without arguments, called twice."""

    name, lesson = "twice", "none"

    def instances(self, seed):
        return [{}]

    def probe(self, fn, instance, oracle):
        return 1 + fn() + fn()


class Plain(Exercise):
    """A function without arguments."""

    name, lesson = "plain", "none"

    def instances(self, seed):
        return [{}]

    def probe(self, fn, instance, oracle):
        return fn()


def _raising(error):
    def refuses():
        raise error

    return refuses


@pytest.mark.parametrize(
    "error",
    [
        ValueError("min_epochs must be from 1 to 4, got 0"),
        ValueError("size mismatch: 3 logits and 2 rewards"),
        json.JSONDecodeError("a subclass", "", 0),
    ],
    ids=repr,
)
def test_an_error_of_the_declared_class_refuses_bad_input(error):
    assert _judged(_raising(error)).right


@pytest.mark.parametrize(
    "error", [TypeError("rewards must be a sequence"), AssertionError("n >= 1"), KeyError("b9")], ids=repr
)
def test_an_error_of_another_class_than_the_docstring_names_costs_a_part(error):
    verdict = _judged(_raising(error))
    assert (verdict.score, verdict.concept) == (1 - judging.BAD_INPUT, "wrong-error")
    assert type(error).__name__ in verdict.message and "the docstring says ValueError" in verdict.message
    assert _judged(_raising(error), raises=[type(error).__name__, "ValueError"]).right


@by_name(FUNCTIONS)
@pytest.mark.parametrize(
    "hostile",
    [AlwaysEqual(), EqualText("x"), EqualList([1]), type("T", (), {})()],
    ids=lambda h: type(h).__name__,
)
def test_hostile_objects_get_nothing(item, hostile):
    verdict = graded(item, InProcess({item.name: lambda *args, **kwargs: hostile}), 4)
    assert verdict.score == 0.0 and verdict.message


@by_name(QUESTIONS)
@pytest.mark.parametrize(
    "hostile", [AlwaysEqual(), ["a", "b", "c", "d"], "abcd", "", object()], ids=lambda h: type(h).__name__
)
def test_hostile_answers_to_questions_get_nothing(item, hostile):
    assert graded(item, InProcess({item.name: hostile}), 4).score == 0.0


def test_an_equal_string_is_what_its_letters_are():
    item = QUESTIONS[0]
    key = getattr(reference(item), item.name)
    wrong = next(option for option in item.options if option != key)
    assert graded(item, InProcess({item.name: EqualText(wrong)}), 4).score == 0.0
    assert graded(item, InProcess({item.name: EqualText(key)}), 4).right


@by_name(EXERCISES)
def test_stubs_and_missing_names_get_nothing(item):
    def stub(*args, **kwargs):
        raise NotImplementedError

    value = None if item in QUESTIONS else stub
    verdict = graded(item, InProcess({item.name: value}), 4)
    assert (verdict.score, verdict.concept) == (0.0, "not-implemented")
    verdict = graded(item, InProcess({}), 4)
    assert (verdict.score, verdict.concept) == (0.0, "missing") and item.name in verdict.message


@by_name(FUNCTIONS)
def test_code_that_ends_the_process_or_never_ends_costs_the_exercise_only(item):
    def leave(*args, **kwargs):
        sys.exit()

    def hang(*args, **kwargs):
        while True:
            with contextlib.suppress(Exception):
                time.sleep(0.001)

    def recurse(*args, **kwargs):
        return recurse(*args, **kwargs)

    for code, concept in ((leave, "raises"), (recurse, "raises")):
        verdict = graded(item, InProcess({item.name: code}), 4)
        assert verdict.score == 0.0 and verdict.concept in (concept, "fraction-one")
    answers = InProcess({item.name: hang}, seconds=0.05).collect(item, item.name, item.instances(4)[:1])
    assert answers[0].error_type == "OutOfTime"


def test_a_judge_that_raises_gives_nothing_instead():
    class Broken(Exercise):
        name, lesson = "broken", "none"

        def instances(self, seed):
            return [{}]

        def probe(self, fn, instance, oracle):
            return fn()

        def judge(self, instance, answer, expected):
            return Verdict(answer.value / 0)

    verdict = grade(Broken(), InProcess({"broken": lambda: 3}), SimpleNamespace(broken=lambda: 3), 0)
    assert verdict.score == 0.0 and verdict.concept == "unreadable"


def test_the_worst_instance_decides_and_no_answer_is_none():
    assert checks.worst([Verdict(1.0), Verdict(0.5, "b"), Verdict(0.5, "c")]).concept == "b"
    assert checks.worst([]).score == 0.0
    item = checks.exercise("cell_index")
    instances = _instances(item)
    found = checks.verdicts(item, instances, [], _expected(item))
    assert checks.worst(found).score == 0.0


def test_an_error_names_the_line_of_the_learner_s_own_code():
    source = (
        "def cell_index(arch):\n    helper = [1, 2]\n    return sorted(helper, key=lambda one: one.nothing)\n"
    )
    namespace: dict = {}
    exec(compile(source, "<cell>", "exec"), namespace)
    import linecache

    linecache.cache["<cell>"] = (len(source), None, source.splitlines(True), "<cell>")
    message = run_probe(checks.exercise("cell_index"), namespace["cell_index"], {"cells": ["nnnnnn"]})
    assert message["error"].startswith(
        "AttributeError: 'int' object has no attribute 'nothing' (line 3: `return sorted"
    )


# ------------------------------------------------------------------------------- the learner's entry, check


def printed(name, fn, **more):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        report = check(name, fn, **more)
    assert err.getvalue() == "", "nbgrader takes anything on stderr for a failure"
    return report, out.getvalue()


@pytest.fixture(autouse=True)
def _no_nbgrader(monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)


@by_name(EXERCISES)
def test_the_reference_passes_its_public_checks(item):
    report, text = printed(item.name, getattr(reference(item), item.name))
    assert report.right and text.startswith(f"✓ {item.name}: ") and text.count("\n") == 1


@by_name(EXERCISES)
def test_a_check_costs_at_most_a_second(item):
    fn = getattr(reference(item), item.name)
    printed(item.name, fn)  # what is imported and read once
    assert takes_at_most(1.0, lambda: printed(item.name, fn))


def test_a_report_shows_as_nothing():
    report, _ = printed("concept_00_1", "a")
    assert repr(report) == "" and report._ipython_display_() is None


def test_a_stub_is_no_traceback():
    def cell_index(arch):
        raise NotImplementedError

    report, text = printed("cell_index", cell_index)
    assert not report.right and text == "○ cell_index: not implemented yet\n"


def _mistake(exercise, concept):
    """The first usual mistake about a concept."""
    namespace = reference(checks.exercise(exercise))
    return next(one for one in namespace.MISTAKES[exercise] if one.concept == concept).make(namespace)


def test_a_mistake_is_named_with_a_hint_to_go_on():
    report, text = printed("round_repeats", _mistake("round_repeats", "adds-one-more"))
    assert not report.right
    assert text.startswith("✗ round_repeats: where the product is whole") and "run this cell again" in text
    _, text = printed("round_repeats", _mistake("round_repeats", "accepts-bad-input"))
    assert "an infinite depth" in text and "a part of the points" in text


def test_an_exception_is_one_line_with_the_line_of_code():
    def cell_index(arch):
        return {}["missing"]

    _, text = printed("cell_index", cell_index)
    assert "KeyError: 'missing'" in text and '`return {}["missing"]`' in text and "Traceback" not in text


def test_how_many_cases_fail_is_said_as_that():
    _, text = printed("cell_index", lambda arch: 3)
    cases = len(checks.read_public("00_start_here")["cell_index"].instances)
    assert f"({cases} of {cases} cases fail. Edit your cell" in text


def test_the_rest_is_right_follows_one_cross_alone():
    item = checks.exercise("round_repeats")

    def lines(*wrong):
        found = [Verdict(0.75, concept, concept) for concept in wrong]
        return "\n".join(notebook._lines(item, [*found, Verdict(1.0)], None, stopped=False))

    assert "The rest is right; this costs a part" in lines("changes-settings")
    assert "rest is right" not in lines("changes-settings", "accepts-bad-input")
    assert "These cost a part of the points." in lines("changes-settings", "accepts-bad-input")


def test_a_check_stops_at_the_first_case_that_never_ends(monkeypatch):
    monkeypatch.setattr(notebook, "SECONDS", 0.2)
    calls = []

    def cell_index(arch):
        calls.append(arch)
        while True:
            pass

    report, text = printed("cell_index", cell_index)
    assert not report.right and len(calls) == len(report.verdicts) == 1
    assert text == (
        "✗ cell_index: your code took more than 0.2 s: does a loop never end? (No further case was tried.)\n"
    )
    assert notebook.SECONDS <= 5


def test_time_that_other_threads_take_is_not_the_learner_s(monkeypatch):
    """Threads that wait for each other on a busy machine burn CPU; right code must not fail of it."""
    done = threading.Event()

    def burn():
        while not done.is_set():
            hashlib.sha256(b"x" * 1_000_000)  # without the interpreter's lock

    others = [threading.Thread(target=burn, daemon=True) for _ in range(2)]
    with alarm(0.3):
        for other in others:
            other.start()
        before = time.process_time()
        while time.process_time() - before < 0.9:
            time.sleep(0.01)
        done.set()
    for other in others:
        other.join()


def test_an_interrupt_is_one_sentence_and_no_traceback():
    def cell_index(arch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        check("cell_index", cell_index)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    assert caught.value._render_traceback_() == ["cell_index: the check was interrupted before it knew."]


def test_what_the_learner_s_code_prints_is_cut():
    def talkative(line):
        def cell_index(arch):
            for _ in range(50):
                print(line)
            return 3

        return cell_index

    _, text = printed("cell_index", talkative("a line"))
    assert text.count("a line") == notebook.LINES and text.count("is left out here") == 1
    assert "✗ cell_index" in text
    _, text = printed("cell_index", talkative("long " * 1000))
    assert len(text.partition("✗")[0]) < notebook.CHARACTERS + 100 and text.count("is left out here") == 1
    _, text = printed("cell_index", talkative(""))
    assert text.partition("✗")[0].count("\n") < notebook.LINES + 2


def test_warnings_and_progress_bars_do_not_reach_stderr():
    def incumbent_curve(values):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = _to_stderr  # pytest keeps warnings to itself; a notebook prints them
            warnings.warn("careful", stacklevel=1)
        print("progress", file=sys.stderr)
        return solutions.load("01_random_search").incumbent_curve(values)

    report, text = printed("incumbent_curve", incumbent_curve)
    assert report.right and "progress" in text and "careful" in text


def _to_stderr(message, *_):
    print(message, file=sys.stderr)


def test_each_kind_of_warning_stands_once_below_the_verdict():
    def incumbent_curve(values):
        warnings.warn(f"careful with {len(values) > 0}", stacklevel=1)
        return -np.log(np.zeros(len(values)))

    _, text = printed("incumbent_curve", incumbent_curve)
    assert text.startswith("✗ incumbent_curve: the curve has inf at [0], should have ")
    assert text.count("careful with True") == text.count("divide by zero encountered in log") == 1
    assert text.splitlines()[-1].startswith("  (While your code ran, Python warned: UserWarning: careful")


# ------------------------------------------------------------------------- the table of a failing check


def test_a_wrong_answer_stands_beside_the_right_one():
    def incumbent_curve(values):
        return np.maximum.accumulate(values) + (np.arange(len(values)) // 2 == 1)

    _, text = printed("incumbent_curve", incumbent_curve)
    caption, head, line = text.splitlines()[2:5]
    assert caption.strip().startswith("incumbent_curve, the curve: 2 of ")
    assert head.split() == ["case", "yours", "expected"]
    place, found, right, *differs = line.split()
    assert place == "[2]" and float(found) == pytest.approx(float(right) + 1)
    assert differs == ["✗", "differs"] and text.count("✗ differs") == 2


def test_a_call_is_a_case_and_a_cell_is_shown_as_the_learner_writes_it():
    _, text = printed("samples_for_top_fraction", lambda fraction, confidence: 3)
    assert re.search(
        r"^    samples_for_top_fraction\(0\.\d+, 0\.\d+\) +3 +\d+ +✗ differs$", text, re.MULTILINE
    )
    _, text = printed("cell_from_index", lambda i: ("none",) * 6)
    lines = [line for line in text.splitlines() if line.endswith("✗ differs")]
    assert len(lines) == tables.ROWS and all(line.count("('none', 'none'") >= 1 for line in lines)
    assert re.match(r" +cell_from_index\(\d+\) ", lines[0])


def test_there_is_no_table_where_nothing_can_stand_beside_the_right():
    right = solutions.load("01_random_search").incumbent_curve
    for wrong in (
        lambda values: right(values)[1:],  # another shape
        lambda values: list(map(str, right(values))),  # no numbers
        lambda values: 1 / 0,
        lambda values: right(values) if len(values) else np.zeros(0),  # bad input alone is accepted
        right,
    ):
        assert " expected" not in printed("incumbent_curve", wrong)[1]
    assert " expected" not in printed("concept_01_1", "e")[1]


def test_a_few_entries_are_all_shown_and_one_that_the_sentence_has_already_is_not_shown_again():
    item = checks.exercise("simple_regret")
    part = item.parts[0]
    instance = {"about": "a few"}
    caption, entries = item.compared(instance, Answer([3.0, 1.0, 1.0 + 1e-13]), Answer([3.0, 2.0, 1.0]))
    assert caption == f"simple_regret, {part.what}, on a few: 1 of 3 differ"
    assert [tuple(one) for one in entries] == [
        ("[0]", "3", "3", True),
        ("[1]", "1", "2", False),
        ("[2]", "1", "1", True),
    ]
    _, text = printed("reinforce_loss", lambda log_probs, *rest: log_probs.sum())
    assert "the loss is -" in text and " expected" not in text


def test_what_differs_is_named_beside_infinity():
    part = Part()
    assert part.differ(np.array([1.0, 2.0, np.inf]), np.array([1.0, 3.0, np.inf])) == (
        "has 2 at [1], should have 3"
    )


def test_in_a_notebook_the_table_is_read_out_and_has_no_colours_of_its_own(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.get_ipython", lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    _, text = printed("incumbent_curve", lambda values: np.array(values, dtype=float) + 1)
    assert " expected" not in text
    [data] = shown
    page = data["text/html"]
    assert "<caption" in page and "color" not in page and page.count("✗ differs") == tables.ROWS
    assert page.count('<th scope="col"') == 3 and page.count('<th scope="row"') == tables.ROWS
    assert data["text/plain"].count("✗ differs") == tables.ROWS
    assert "<b>" not in tables.as_html("<b>", [tables.Entry("<b>", "<b>", "<b>", True)])


def test_a_value_where_the_function_belongs():
    _, text = printed("cell_index", 5)
    assert "an int, not a function" in text


@pytest.mark.parametrize(
    ("answer", "start"),
    [("B", "✓"), (" c ", "✓"), (None, "○"), ("e", "✗"), (["a"], "✗"), ("ab", "✗"), (2, "✗")],
)
def test_questions_are_checked_for_form_only(answer, start):
    _, text = printed("concept_01_1", answer)
    assert text.startswith(f"{start} concept_01_1: ")


def test_a_console_without_check_marks_is_served(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    check("concept_00_1", "a")
    stream.flush()
    assert stream.buffer.getvalue().startswith(b"[ok] concept_00_1")


def test_nothing_is_earned_while_nbgrader_autogrades(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    with pytest.raises(RuntimeError, match="nas-course grade"):
        check("cell_index", solutions.load("00_start_here").cell_index)


def test_validate_fails_what_is_wrong_and_only_that(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    printed("cell_index", solutions.load("00_start_here").cell_index)
    with pytest.raises(AssertionError, match="not implemented yet"):
        check("cell_index", _stub)
    with pytest.raises(AssertionError, match="not answered yet"):
        check("concept_00_1", None)


def _stub(*args):
    raise NotImplementedError


# --------------------------------------------------------------------------------------- public instances


@by_name(QUESTIONS)
def test_the_key_of_a_question_is_not_published(item):
    stored = checks.read_public(item.lesson)[item.name]
    assert (stored.instances, stored.expected.answers, stored.expected.known) == ([{}], [Answer()], [])


@pytest.mark.parametrize("lesson", LESSONS)
def test_public_instances_read_back_as_the_exercises_made_them(lesson):
    for name, stored in checks.read_public(lesson).items():
        made = checks.instances_of(checks.exercise(name), PUBLIC_SEED)
        assert alike(encode(stored.instances), encode(made))


def test_a_missing_file_is_said_plainly(monkeypatch, tmp_path):
    monkeypatch.setattr(public, "PUBLIC_FOLDER", tmp_path)
    report, text = printed("cell_index", _stub)
    assert not report.right and "public checks are missing" in text


# ------------------------------------------------------------------------------- false fails of right code

STOCHASTIC = [item for item in FUNCTIONS if item.false_fail]
REGRADES = 2_000
DRAWING_OTHERWISE = [
    pytest.param(item, variant, id=f"{item.name}-{variant.name}")
    for item in STOCHASTIC
    for variant in variants(item.name)
    if not variant.is_wrong
]


def _fails(item, namespace, seeds):
    """Verdicts against right code on many seeds, which a judge must all accept."""
    return [
        (seed, verdict)
        for seed in seeds
        if not (verdict := grade(item, InProcess(namespace), reference(item), seed)).right
    ]


# Checks that train or sample take a tenth of a second or more; bad luck is looked for in the slow test below.
def _fails_itself(item, seeds):
    """Verdicts against the reference, which answers each instance once: as the learner, and as what is right."""
    found = []
    for seed in seeds:
        instances = checks.instances_of(item, seed)
        expected = checks.expected_answers(item, reference(item), instances)
        answers = expected.answers
        if not item.has_reference:
            answers = InProcess(reference(item)).collect(item, item.name, instances)
        verdict = checks.worst(checks.verdicts(item, instances, answers, expected))
        if not verdict.right:
            found.append((seed, verdict.concept, verdict.message))
    return found


@pytest.mark.parametrize("lesson", LESSONS)
def test_bad_luck_fails_right_code_once_in_a_million_submissions_at_most(lesson):
    stated = [item.false_fail for item in checks.exercises(lesson).values()]
    assert all(rate >= 0.0 for rate in stated) and sum(stated) <= 1e-6


def test_what_is_judged_by_its_distribution_states_a_rate():
    assert {item.name for item in STOCHASTIC} == {
        "sample_uniform",
        "random_search",
        "paired_bootstrap",
        "hill_climb",
        "regularized_evolution",
        "Controller",
        "gumbel_softmax_sample",
        "sample_path",
        "fair_paths",
        "train_fair_step",
        "evolve_under_constraint",
        "hardware_aware_search",
        "bayesian_optimization",
        "MBConv",
        "FusedMBConv",
        "mixup",
        "rand_augment",
    }


@by_name(FUNCTIONS)
def test_the_reference_is_never_failed(item):
    def failures():
        return _fails_itself(item, range(3 if item in STOCHASTIC else 6))

    with kept(f"never-failed-{item.name}", failures, grading(item.lesson)) as found:
        assert found == []


@pytest.mark.slow
@by_name([item for item in FUNCTIONS if item not in STOCHASTIC])
def test_the_reference_is_never_failed_by_another_draw_of_its_cases(item):
    assert _fails_itself(item, range(1_000, 1_100)) == []


@pytest.mark.slow
@by_name(STOCHASTIC)
def test_the_reference_is_never_failed_by_bad_luck(item):
    assert _fails_itself(item, range(10_000, 10_000 + REGRADES)) == []


@pytest.mark.slow
@pytest.mark.parametrize(("item", "variant"), DRAWING_OTHERWISE)
def test_right_code_that_draws_otherwise_is_never_failed_by_bad_luck(item, variant):
    """Together the alternatives of an exercise are regraded as often as the reference."""
    share = REGRADES // sum(param.values[0] is item for param in DRAWING_OTHERWISE)
    assert _fails(item, {item.name: variant.make(reference(item))}, range(20_000, 20_000 + share)) == []
