"""Declared exercises: how parts are compared, and when a usual mistake is named."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_lib import checks
from nas_lib.checks import Answer, InProcess
from nas_lib.checks.exercise import Unacceptable
from nas_lib.checks.values import FunctionExercise, Part, ValueExercise, apart
from solutions.mistakes import Book

CELL = """def area(a, b):
    ### BEGIN SOLUTION
    if a < 0:
        raise ValueError(a)
    return a * b
    ### END SOLUTION"""


class Area(FunctionExercise):
    """`area(a, b)`."""

    name, lesson, returns = "area", "none", "float"

    def problems(self, rng: Any) -> Any:
        return [("", [[2.0, 5.0], [3.0, 7.0]]), ("a square", [[2.0, 2.0], [3.0, 3.0]])]

    def bad(self) -> Any:
        return [("a negative side", [-1.0, 2.0])]


def lesson(*rows: Any) -> Any:
    """A namespace as `solutions.load` gives it, with a reference and its mistakes."""
    book = Book({"area": CELL})
    book.edits("area", *rows)
    names: dict[str, Any] = {}
    exec(CELL, names)
    return SimpleNamespace(area=names["area"], MISTAKES=book.of)


def judged(reference: Any, fn: Any) -> list[checks.Verdict]:
    item = Area()
    instances = checks.instances_of(item, 0)
    expected = checks.expected_answers(item, reference, instances)
    return checks.verdicts(
        item, instances, InProcess({"area": fn}).collect(item, "area", instances), expected
    )


SUM = ("adds", "the sides are added: multiply them", {"a * b": "a + b"})
SQUARE = ("squares", "`b` is not used", {"a * b": "a * a"})
ALSO_SUM = ("doubles", "twice the mean, which is the sum", {"a * b": "2 * ((a + b) / 2)"})


def refusing(formula: Any) -> Any:
    def area(a: float, b: float) -> float:
        if a < 0:
            raise ValueError(a)
        return float(formula(a, b))

    return area


def test_a_mistake_that_explains_all_answers_is_named() -> None:
    found = judged(lesson(SUM, SQUARE), refusing(lambda a, b: a + b))
    assert {one.message for one in found if not one.right} == {SUM[1]} and checks.worst(found).score == 0
    found = judged(lesson(SUM, SQUARE), refusing(lambda a, b: a * a))
    assert [one.right for one in found] == [False, True, True] and found[0].message == SQUARE[1]


def test_two_mistakes_that_explain_all_answers_are_not_guessed_between() -> None:
    found = judged(lesson(SUM, ALSO_SUM), refusing(lambda a, b: a + b))
    assert found[0].concept == "wrong-number" and "area(2, 5) is 7, should be 10" in found[0].message


def test_a_mistake_that_explains_one_answer_alone_is_named_there() -> None:
    mixed = refusing(lambda a, b: a + b if a != b else 17)
    found = judged(lesson(SUM, SQUARE), mixed)
    assert found[0].message == SUM[1] and "17, should be 4 (a square)" in found[1].message


def test_what_no_mistake_explains_is_shown_beside_the_right_value() -> None:
    found = judged(lesson(SUM), refusing(lambda a, b: a * b + 1e-5))
    assert "is 10.00001, should be 10" in found[0].message, "never two numbers that print alike"


def test_mistakes_that_raise_are_known_by_their_error() -> None:
    reference = lesson(
        ("divides", "dividing by the difference fails for squares", {"a * b": "a * b / (a - b)"})
    )
    found = judged(reference, refusing(lambda a, b: a * b / (a - b)))
    assert {one.message for one in found if not one.right} == {"dividing by the difference fails for squares"}


def test_errors_alone_are_not_taken_for_mistakes() -> None:
    def stub(a: float, b: float) -> float:
        raise NotImplementedError

    reference = lesson(
        ("stub", "there is nothing here at all", {"return a * b": "raise NotImplementedError"})
    )
    assert {one.concept for one in judged(reference, stub)} == {"not-implemented"}


def test_an_edit_that_fits_nowhere_or_twice_is_an_error_of_the_book() -> None:
    for old in ("nothing", "a"):
        with pytest.raises(ValueError, match="must stand once"):
            Book({"area": CELL}).edits("area", ("x", "y", {old: "b"}))
    with pytest.raises(ValueError, match="exercise must be one of area"):
        Book({"area": CELL}).edits("volume", SUM)


# ------------------------------------------------------------------------------------------ parts


def test_small_numbers_are_compared_at_their_own_size() -> None:
    part, right = Part(), np.array([31e-6, 12e-6])
    assert not part.same(right.round(6) + 4e-7, right) and part.same(right * (1 + 1e-12), right)


def test_a_cancelled_zero_is_one() -> None:
    assert Part().same(np.array(3e-17), np.array(0.0))


def test_what_is_no_number_equals_what_is_none() -> None:
    assert Part().same(np.array([math.nan, math.inf, 1.0]), np.array([math.nan, math.inf, 1.0]))
    assert not Part().same(np.array([math.nan, 1.0]), np.array([1.0, 1.0]))


@pytest.mark.parametrize(
    ("value", "concept"),
    [(None, "returns-nothing"), ([None, 1], "returns-nothing"), ("3", "wrong-type"), (["3"], "wrong-type"),
     ([[1], [1, 2]], "wrong-shape"), ({}, "wrong-type"), (True, "wrong-type"), ({"other": 1}, "wrong-type")],
    ids=repr,
)  # fmt: skip
def test_what_are_no_numbers_is_refused(value: Any, concept: str) -> None:
    with pytest.raises(Unacceptable) as found:
        Part().read(value)
    assert found.value.verdict.concept == concept


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_two_different_numbers_never_print_alike(one: float, other: float) -> None:
    texts = apart(one, other)
    assert one == other or texts[0] != texts[1]


def test_a_large_array_s_mistake_is_kept_as_a_sample_and_told_from_others() -> None:
    part, rng = Part(), np.random.default_rng(0)
    right = rng.normal(size=(40, 50))
    half, lower = right.copy(), right.copy()
    half[::2] *= 0.5
    lower -= 1
    kept = part.difference(half, right)
    assert len(kept["at"]) <= 8 and part.is_difference(half, right, kept)
    assert not part.is_difference(lower, right, kept) and not part.is_difference(right, right, kept)
    # The same where it is wrong, and wrong elsewhere too: another mistake.
    more = half.copy()
    more[1::2] += 3
    assert not part.is_difference(more, right, kept)


class Pairs(ValueExercise):
    """Two parts: the first that differs decides."""

    name, lesson = "pairs", "none"
    parts: ClassVar[Any] = (
        Part("first", "the first", "wrong-first"),
        Part("name", "the name", "wrong-name", exact=True, score=0.5),
    )

    def instances(self, seed: int) -> Any:
        return [{"about": "a case"}]

    def probe(self, fn: Any, instance: Any, oracle: Any) -> Any:
        return fn()


@pytest.mark.parametrize(
    ("answer", "score", "text"),
    [
        ({"first": [1.0, 2.0], "name": "a"}, 1.0, ""),
        ({"first": [1.0, 2.5], "name": "b"}, 0.0, "the first has 2.5 at [1], should have 2 (on a case)"),
        ({"first": [1.0], "name": "a"}, 0.0, "has the shape (1,), should have (2,)"),
        ({"first": [1.0, 2.0], "name": "b"}, 0.5, "the name is 'b', should be 'a'"),
        ({"first": [1.0, 2.0]}, 0.0, "the name did not come back"),
    ],
)
def test_parts_are_compared_in_order(answer: Any, score: float, text: str) -> None:
    item = Pairs()
    expected = checks.Expected([Answer({"first": [1.0, 2.0], "name": "a"})])
    (found,) = checks.verdicts(item, item.instances(0), [Answer(answer)], expected)
    assert found.score == score and text in found.message
