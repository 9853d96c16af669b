"""A lesson's source seen as data: its cells, and its graded tasks with title, points and the cells that
belong to them.

Builder, verifier, leak scan and grader all read lessons through this module, so that they agree on what an
exercise is. It reports nothing by itself: what is missing is None here, and `verify` says so with the name of
the file and the cell.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import solutions
from nas_lib.notebooks.cells import grade_id, grader_metadata, is_check, is_exercise, is_open
from solutions.titles import Title, titles

__all__ = [
    "Lesson",
    "Task",
    "concept_answer",
    "grade_id",
    "grader_metadata",
    "is_check",
    "is_exercise",
    "is_open",
    "mark_scheme",
    "read_lesson",
    "split_solution",
    "without_markers",
]

BEGIN_SOLUTION, END_SOLUTION = "### BEGIN SOLUTION", "### END SOLUTION"
BEGIN_SCHEME, END_SCHEME = "### BEGIN MARK SCHEME", "### END MARK SCHEME"

NOTE_CELL = "intake-note"
"""Id of the cell that says why a submission could not be read, in the blank notebook that stands for it."""


@dataclass(frozen=True)
class Task:
    """Something that earns points: an exercise or concept question with its check cell, or an open question.

    Indices point into the lesson's cells; None where the lesson lacks the check.
    """

    name: str
    kind: str  # "exercise", "question" (a concept question) or "open" (graded by a person)
    cell: int
    check: int | None
    title_cell: int
    title: Title


@dataclass
class Lesson:
    """A lesson's name, path, cells (as jupytext reads them) and tasks in order."""

    name: str
    path: Path
    notebook: Any
    tasks: list[Task] = field(default_factory=list)

    @property
    def cells(self) -> list[Any]:
        """The cells, in order."""
        return self.notebook.cells

    def task(self, name: str) -> Task:
        """The task called `name`; raises KeyError when there is none."""
        return next((task for task in self.tasks if task.name == name), None) or _no_task(self, name)

    def points(self) -> dict[str, float]:
        """Points of each task by name, as nbgrader's metadata has them."""
        found = {}
        for task in self.tasks:
            index = task.cell if task.kind == "open" else task.check
            if index is not None:
                found[task.name] = float(grader_metadata(self.cells[index]).get("points", 0))
        return found


def _no_task(lesson: Lesson, name: str) -> Task:
    raise KeyError(
        f"{lesson.name} has no exercise {name!r}; it has {', '.join(task.name for task in lesson.tasks)}"
    )


def split_solution(source: str) -> tuple[str, str]:
    """A cell's source in two: the lines that stay, outside of the solution regions, and those that go.

    A cell without markers goes as a whole, which is how nbgrader treats it.
    """
    stays: list[str] = []
    goes: list[str] = []
    inside = found = False
    for line in source.splitlines():
        if BEGIN_SOLUTION.lstrip("# ") in line:
            inside = found = True
        elif END_SOLUTION.lstrip("# ") in line:
            inside = False
        else:
            (goes if inside else stays).append(line)
    return ("\n".join(stays), "\n".join(goes)) if found else ("", source)


def without_markers(source: str) -> str:
    """The cell as a learner would have written it: the solution stays, its markers go."""
    marks = (BEGIN_SOLUTION.lstrip("# "), END_SOLUTION.lstrip("# "))
    return "\n".join(line for line in source.splitlines() if not any(mark in line for mark in marks))


def mark_scheme(source: str) -> str | None:
    """The text between the mark scheme markers of a cell, or None when it has none."""
    match = re.search(
        r"BEGIN MARK SCHEME[^\n]*\n(.*?)^[^\n]*END MARK SCHEME", source, re.DOTALL | re.MULTILINE
    )
    return match[1] if match else None


def concept_answer(source: str) -> tuple[str, Any] | None:
    """(name, value) where the solution is nothing but `name = <literal>`, as in questions; else None."""
    _, region = split_solution(source)
    try:
        tree = ast.parse(region)
    except SyntaxError:
        return None
    if len(tree.body) == 1 and isinstance(tree.body[0], ast.Assign) and len(tree.body[0].targets) == 1:
        target, value = tree.body[0].targets[0], tree.body[0].value
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant):
            return target.id, value.value
    return None


def read_lesson(name: str, folder: Path = solutions.FOLDER) -> Lesson:
    """Read a lesson's source and find its tasks. Raises ValueError when there is no such lesson."""
    lesson = Lesson(name, solutions.source_path(name, folder), solutions.read(name, folder))
    checks = {grade_id(cell): index for index, cell in enumerate(lesson.cells) if is_check(cell)}
    for index, cell in enumerate(lesson.cells):
        found = titles(cell.source) if cell.cell_type == "markdown" else []
        if found:
            title_cell, title = index, found[-1]
        if not (is_exercise(cell) or is_open(cell)):
            continue
        name = str(grade_id(cell))
        kind = "open" if is_open(cell) else "question" if concept_answer(cell.source) else "exercise"
        lesson.tasks.append(Task(name, kind, index, checks.get(f"{name}-check"), title_cell, title))
    return lesson
