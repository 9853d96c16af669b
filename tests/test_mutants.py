"""The checks graded: every mutant loses points for its own mistake, every alternative keeps them all."""

from __future__ import annotations

import warnings

import pytest

import solutions
from autograder.mutants import kill_table, mutant, render, variants
from autograder.mutants._registry import grade_variant
from nas_lib import checks

LESSONS = checks.lessons()
EXERCISES = [item for lesson in LESSONS for item in checks.exercises(lesson).values()]
ALTERNATIVES = [
    pytest.param(item, variant, id=f"{item.name}-{variant.name}")
    for item in EXERCISES
    for variant in variants(item.name)
    if not variant.is_mutant
]


@pytest.mark.parametrize("lesson", LESSONS)
def test_kill_table(lesson, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some mutants divide by zero
        rows = kill_table(lesson)
    with capsys.disabled():
        print(f"\nKill table of {lesson}\n{render(rows)}")
    assert [
        (row.variant.exercise, row.variant.name, row.score, row.concepts) for row in rows if not row.holds
    ] == []
    for row in rows:
        # What is wrong, in words: never empty, never a bare "assertion failed".
        assert not row.variant.is_mutant or all(len(message.split()) >= 3 for message in row.messages), row


@pytest.mark.parametrize("item", EXERCISES, ids=lambda item: item.name)
def test_there_are_enough_of_both_kinds(item):
    found = variants(item.name)
    assert sum(variant.is_mutant for variant in found) >= 5
    assert sum(not variant.is_mutant for variant in found) >= 2


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # scipy's bootstrap warns of a single resample
@pytest.mark.parametrize(("item", "variant"), ALTERNATIVES)
def test_alternatives_keep_full_marks_on_twenty_seeds(item, variant):
    row = grade_variant(item, variant, range(2_000, 2_020), solutions.load(item.lesson))
    assert row.holds, row.messages


def test_a_mutant_must_say_what_is_wrong_with_it():
    with pytest.raises(ValueError, match="concept"):
        mutant("cell_index", concept="")
    with pytest.raises(ValueError, match="Did you mean"):
        variants("cell_indx")
