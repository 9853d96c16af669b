"""Nothing in the learner's process solves an exercise; and what does would be found."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from dataclasses import asdict
from functools import partial
from types import ModuleType

import pytest
from products import grading, kept

from autograder.gate import candidates, sweep
from autograder.sandbox import library
from nas_lib import checks

LESSONS = checks.lessons()
QUICK = ("00_start_here", "01_random_search")  # others import and build networks


def swept(lesson: str, whole: bool) -> dict:
    found = sweep.sweep(lesson, whole=whole)
    return {
        "text": sweep.render(found),
        "holes": [asdict(hole) for one in found for hole in one.holes],
        "tried": {one.exercise: one.tried for one in found},
    }


@pytest.mark.parametrize(
    ("lesson", "whole"),
    [
        *((lesson, False) for lesson in QUICK),
        *(pytest.param(lesson, True, marks=pytest.mark.slow) for lesson in LESSONS),
    ],
)
def test_no_callable_of_the_library_solves_an_exercise(
    lesson: str, whole: bool, record_property, sandboxed: None
) -> None:
    name = f"sweep-{'whole' if whole else 'quick'}-{lesson}"
    with kept(name, partial(swept, lesson, whole), grading(lesson)) as found:
        record_property("print", found["text"])
        assert found["holes"] == []
        functions = [
            name
            for name, item in checks.exercises(lesson).items()
            if not isinstance(item, checks.ConceptQuestion)
        ]
        assert list(found["tried"]) == functions
        # Else nothing would be found for want of trying.
        assert all(found["tried"][name] > 30 for name in functions)


def test_a_counterpart_that_is_given_back_is_found(monkeypatch: pytest.MonkeyPatch, sandboxed: None) -> None:
    lesson, name = "01_random_search", "sample_uniform"
    own = [one for one in library.counterparts(lesson) if one.exercise == name]
    back = [{"name": one.name, "source": library._source(one)} for one in own]
    monkeypatch.setattr(library, "given_back", lambda *_: back)
    (found,) = sweep.sweep(lesson, only=[name], whole=False)
    assert any(hole.answer.endswith("ChoiceSpace.sample(space, rng)") for hole in found.holes)


def test_a_sweep_that_would_not_find_the_reference_is_none(
    monkeypatch: pytest.MonkeyPatch, sandboxed: None
) -> None:
    monkeypatch.setattr(sweep, "solves", lambda verdict: False)
    with pytest.raises(RuntimeError, match="does not find the reference of cell_index"):
        sweep.sweep("00_start_here", only=["cell_index"], whole=False)


def test_results_that_are_right_count_whatever_else_the_call_does() -> None:
    assert sweep.solves(checks.Verdict(1.0)) and sweep.solves(checks.Verdict(0.5, "wrong-type"))
    assert not sweep.solves(checks.Verdict(0.5, "other")) and not sweep.solves(
        checks.Verdict(0.0, "wrong-type")
    )


# ------------------------------------------------------------------------------ what there is to try


class Planted:
    def method(self, a):
        return a

    @staticmethod
    def plain(a):
        return a

    @property
    def size(self):
        return 1


def _planted(a):
    def inner(b):
        return b

    def needs_it():
        return a

    return inner, needs_it


@pytest.fixture
def module() -> ModuleType:
    made = ModuleType("nas_lib.planted")
    made._planted, made.Planted = _planted, Planted  # type: ignore[attr-defined]
    made.TABLE = {"one": (lambda a: a, Planted())}  # type: ignore[attr-defined]
    made.imported = time.sleep  # type: ignore[attr-defined]
    return made


def test_private_inner_bound_and_tabulated_ones_are_found(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "_ours", lambda name: name in ("nas_lib.planted", __name__))
    names = {label.removeprefix("nas_lib.planted:") for label in candidates.callables([module])}
    methods = {f"Planted.{name}" for name in ("method", "plain", "size")}
    assert methods | {"_planted", "_planted.inner", "Planted"} <= names
    assert {"TABLE['one'][0]", "TABLE['one'][1].method"} <= names
    assert not any("needs_it" in name or "imported" in name for name in names)


def answers(one, given, parameters=("a", "b", "c"), whole=True) -> dict[str, object]:
    found = {}
    for label, fn in candidates.attempts("f", one, parameters, whole):
        with contextlib.suppress(TypeError):
            found[label] = fn(*given)
    return found


def test_arguments_come_in_every_order() -> None:
    got = answers(lambda a, b, c: (a, b, c), (1, 2, 3))
    for order in itertools.permutations("abc"):
        assert got[f"f({', '.join(order)})"] == tuple(" abc".index(name) for name in order)
    four = answers(lambda *all_: all_, (1, 2, 3, 4), "abcd")
    assert four["f(d, b, c, a)"] == (4, 2, 3, 1) and "f(b, c, d, a)" not in four


def test_arguments_are_left_out_made_up_and_named() -> None:
    assert set(answers(lambda a, b=0: (a, b), (1, 2, 3)).values()) >= {(1, 0), (3, 0), (1, 2), (3, 1)}
    made_up = answers(lambda values, better: better(values), ([1, 3, 2],), ("values",))
    assert made_up == {"f(values, max)": 3, "f(values, min)": 1, "f(values, sum)": 6}
    assert "f(a, b, max)" in answers(lambda a, b, c: (a, b, c), (1, 2, 3))
    assert answers(lambda *, c, a: c - a, (1, 2, 3)) == {"f(c=c, a=a)": 2}
    quick = answers(lambda a, b, c: (a, b, c), (1, 2, 3), whole=False)
    assert list(quick) == ["f(a, b, max)", "f(a, b, c)"]


def test_a_callable_that_ends_its_process_or_never_ends_costs_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ends():
        yield "one"
        os._exit(0)

    def never():
        yield "one"
        time.sleep(60)
        yield "two"

    monkeypatch.setattr(candidates, "STILL_SECONDS", 0.5)
    assert list(candidates._apart(ends())) == list(candidates._apart(never())) == ["one"]
