"""Every exercise has mistakes of every kind, or a reason why not; and the mistakes of all exercises are mistakes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import solutions
from autograder.gate import kinds
from autograder.gate.registry import answers_of
from nas_lib import checks, cli
from solutions.mistakes.everywhere import EVERYWHERE, NOT_AT, Remembering, four_digits, wrapped
from solutions.mistakes.kinds import KINDS, kind_of

LESSONS = checks.lessons()
EXERCISES = [item for lesson in LESSONS for item in kinds.functions(lesson)]
EXEMPT = [
    pytest.param(name, exercise, id=f"{exercise}-{name}")
    for name, reasons in NOT_AT.items()
    for listed in reasons.values()
    for exercise in listed.split()
]


# ------------------------------------------------------------------------------------------ the table


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_place_is_tried_or_has_a_reason(lesson: str) -> None:
    found = kinds.places(lesson)
    assert len(found) == len(KINDS) * len(kinds.functions(lesson)) > 0
    assert kinds.faults(found) == []


def test_what_is_declared_belongs_to_a_mistake_and_an_exercise() -> None:
    assert list(kinds.strangers()) == []
    reasons = [why for kind in KINDS.values() for why in kind.absent]
    assert all(len(why.split()) >= 4 for why in [*reasons, *(why for one in NOT_AT.values() for why in one)])


@pytest.mark.parametrize("item", EXERCISES, ids=lambda item: item.name)
def test_no_trap_is_drawn(item: checks.Exercise) -> None:
    first, *others = (kinds.named(item, seed) for seed in kinds.SEEDS)
    assert first and all(one == first for one in others)


def test_what_is_empty_and_what_has_a_needless_reason_is_a_fault() -> None:
    empty = kinds.Place("area", "state", 0)
    assert "has no mistake of the kind 'state'" in kinds.faults([empty])[0]
    assert kinds.faults([replace(empty, reason="it keeps nothing between calls")]) == []
    assert kinds.faults([replace(empty, traps=3)]) == kinds.faults([replace(empty, rows=1)]) == []
    assert "a reason why not: none" in kinds.faults([replace(empty, rows=1, reason="none")])[0]


def test_the_concept_of_one_exercise_goes_before_that_of_all() -> None:
    assert kind_of("alpha_step_second_order", "one-sided") == "power"
    assert kind_of("kendall_tau", "one-sided") == "tame"
    assert kind_of("spearman", "mutates-input") == "changes"
    assert kind_of("spearman", "covariance-of-nothing") == ""


def test_the_table_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["mutants", "--kinds", "--lesson", "00_start_here"]) == 0
    shown = capsys.readouterr().out
    table, last = shown.splitlines(), shown.splitlines()[-1]
    assert table[0].split() == ["00_start_here", *KINDS]
    assert table[1].startswith("cell_index") and "traps" in table[1] and "swept" in table[1]
    assert "– power: it returns whole numbers or names" in shown
    assert last == "22 of 24 places are tried, 2 have a reason."


# --------------------------------------------------------------------------- the mistakes of all exercises


def scaled(values: Any, factor: float = 2.0) -> Any:
    if factor <= 0:
        raise ValueError(f"factor must be above 0, got {factor}")
    return values * factor


class Scale:
    def __init__(self, factor: float) -> None:
        if factor <= 0:
            raise ValueError(f"factor must be above 0, got {factor}")
        self.factor = factor

    def of(self, values: Any) -> Any:
        return values * self.factor


def test_settings_stay_changed_and_arguments_are_written_into() -> None:
    with np.errstate():
        assert wrapped(scaled, EVERYWHERE["settings_left_changed"][1]())(3.0) == 6.0
        assert set(np.geterr().values()) == {"ignore"}
    writes = wrapped(scaled, EVERYWHERE["writes_into_arguments"][1]())
    numbers, tensor, names = np.array([1.0, 2.0]), torch.tensor([1.0, 2.0]), ["a"]
    assert writes(numbers).tolist() == [2.0, 4.0] and numbers.tolist() == [2.0, 3.0]
    assert writes(tensor).tolist() == [2.0, 4.0] and tensor.tolist() == [2.0, 3.0]
    assert writes(names, 2) == ["a", "a"] and names == ["a", None]


def test_the_first_answer_comes_again_to_what_looks_alike_and_each_variant_has_its_own() -> None:
    again, other = wrapped(scaled, Remembering()), wrapped(scaled, Remembering())
    assert [again(1.0), again(5.0), again(1), again(5.0, factor=3.0)] == [2.0, 2.0, 2.0, 15.0]
    assert again(np.ones(2)).tolist() == again(np.zeros(2)).tolist() == [2.0, 2.0]
    assert again(np.zeros(3)).tolist() == [0.0, 0.0, 0.0] and other(5.0) == 10.0


def test_what_is_refused_ends_in_another_error() -> None:
    bare = EVERYWHERE["bare_error"][1]()
    with pytest.raises(KeyError, match="factor must be above 0"):
        wrapped(scaled, bare)(1.0, factor=0)
    with pytest.raises(KeyError, match="factor must be above 0"):
        wrapped(Scale, bare)(0)
    assert wrapped(Scale, bare)(2.0).of(3) == 6.0


def test_four_digits_are_left_of_numbers_wherever_they_are() -> None:
    rounds = wrapped(lambda value: value, four_digits)
    third = torch.tensor([2 / 3e4, 0.0, float("inf")], requires_grad=True)
    assert rounds(2 / 3) == 0.6667 and rounds(2) == 2 and rounds("two") == "two" and rounds(None) is None
    assert rounds({"a": [(1e5 / 7, 3)]}) == {"a": [(14290.0, 3)]}
    assert rounds(np.array([2 / 3, -1 / 7])).tolist() == pytest.approx([0.6667, -0.1429], rel=1e-12)
    assert rounds(third).tolist() == pytest.approx([6.667e-5, 0.0, float("inf")], rel=1e-6)
    assert torch.autograd.grad(rounds(third)[0], third)[0].tolist() == [1.0, 0.0, 0.0]
    assert wrapped(lambda: lambda x: x / 3, four_digits)()(2) == 0.6667
    assert wrapped(Scale, four_digits)(2 / 3).of(1.0) == 0.6667


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("name", "exercise"), EXEMPT)
def test_what_is_said_to_be_no_mistake_somewhere_keeps_all_points_there(name: str, exercise: str) -> None:
    item = checks.exercise(exercise)
    reference, instances = solutions.load(item.lesson), checks.instances_of(item, 101)
    wrong = wrapped(vars(reference)[exercise], EVERYWHERE[name][1]())
    right = checks.Expected(checks.expected_answers(item, reference, instances).answers)
    assert checks.worst(checks.verdicts(item, instances, answers_of(item, wrong, instances), right)).right
