"""What a check declares and what the learner's docstring says cannot part."""

from __future__ import annotations

from typing import Any

import pytest

from autograder.author.declarations import docstrings, faults, sections
from autograder.author.lesson import read_lesson
from nas_lib import checks


class Scaled(checks.Exercise):
    """`scale(values, factor)`, which writes into `values`."""

    name, lesson, returns, changes = "scale", "none", "list", ("values*",)

    def instances(self, seed: int) -> list[dict[str, Any]]:
        return [{"factor": 2}, {"factor": 0, "bad": "a factor of 0"}]

    def probe(self, fn: Any, instance: Any, oracle: Any) -> Any:
        return fn([1], instance["factor"])


SOURCE = '''def scale(values, factor):
    """Multiply numbers.

    Args:
        values: some numbers.

    Returns:
        The list `values`.

    Changes:
        values: holds the products afterwards.

    Raises:
        ValueError: factor is 0.
    """
    raise NotImplementedError
'''


def test_a_docstring_that_says_what_is_declared_has_no_faults() -> None:
    assert list(faults(Scaled(), SOURCE)) == []
    assert sections(docstrings(SOURCE))["Raises"] == "ValueError: factor is 0."


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("ValueError", "TypeError", "raises TypeError, the check asks for ValueError"),
        ("    Raises:\n        ValueError: factor is 0.\n", "", "the docstring raises nothing"),
        ("Changes:", "Note:", "lets 'values' change"),
        ("list `values`", "same `values`", "asks for 'list' as result"),
    ],
)
def test_where_they_part_is_said(old: str, new: str, fault: str) -> None:
    (found,) = faults(Scaled(), SOURCE.replace(old, new))
    assert fault in found


def test_a_change_that_the_check_does_not_allow_is_a_fault_of_the_text() -> None:
    class Held(Scaled):
        changes = ()

    (found,) = faults(Held(), SOURCE)
    assert "the check holds everything" in found


@pytest.mark.parametrize("lesson", checks.lessons())
def test_the_lessons_docstrings_say_what_their_checks_declare(lesson: str) -> None:
    read, known = read_lesson(lesson), checks.exercises(lesson)
    tasks = [task for task in read.tasks if task.kind == "exercise"]
    assert [
        (task.name, fault)
        for task in tasks
        for fault in faults(known[task.name], read.cells[task.cell].source)
    ] == []
