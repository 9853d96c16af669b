"""How far a learner is: points by lesson, read from the notebooks as they were saved last.

A check counts as it was shown last, whatever has been changed since; `nas-course validate` runs them again. Of concept
questions and open answers it says how many are answered: what they are worth, grading will tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_lib.notebooks.cells import grade_id, grader_metadata, is_check, is_open
from nas_lib.notebooks.lessons import found, home
from nas_lib.notebooks.validating import UNANSWERED, read

WIDTH = 16  # with the longest name and points a line fits into JupyterLab on a small screen
CONCEPT = "concept_"
"""How the names of concept questions begin."""


@dataclass(frozen=True)
class Progress:
    """One lesson.

    Args:
        lesson: its name.
        points: of the checks that showed ✓.
        to_earn: of all checks.
        answered, to_answer: points of the questions that have an answer, and of all.
        fault: why it could not be read, else "".
    """

    lesson: str
    points: float = 0.0
    to_earn: float = 0.0
    answered: float = 0.0
    to_answer: float = 0.0
    fault: str = ""

    def __str__(self) -> str:
        if self.fault:
            return f"{self.lesson:<33}{self.fault}"
        share = (self.points + self.answered) / (self.to_earn + self.to_answer or 1.0)
        full = int(WIDTH * share)  # full only where nothing is left
        points = f"{self.points:g} of {self.to_earn:g} points"
        answered = f", questions worth {self.answered:g} of {self.to_answer:g} answered"
        return f"{self.lesson:<33}{'█' * full}{'░' * (WIDTH - full)}  {points}{answered}"


def progress(folder: Path) -> list[Progress]:
    """Every lesson's, in teaching order.

    Args:
        folder: the course's folder, or its notebooks.

    Raises:
        ValueError: there are no lessons.
    """
    return [_of(name, path) for name, path in found(home(folder)).items()]


def total(lessons: Sequence[Progress]) -> Progress:
    """All of them as one."""
    names = ("points", "to_earn", "answered", "to_answer")
    return Progress("all", **{name: sum(getattr(one, name) for one in lessons) for name in names})


def show(folder: Path | str = ".") -> None:
    """Print every lesson's progress, and the sum."""
    lessons = progress(Path(folder))
    for one in (*lessons, total(lessons)):
        print(one)


def _of(name: str, path: Path) -> Progress:
    try:
        notebook = read(path)
    except (ValueError, OSError) as error:
        return Progress(name, fault=str(error))
    earned, answered = [0.0, 0.0], [0.0, 0.0]  # so far, and of all
    for cell in notebook.cells:
        worth = _points(cell)
        if is_check(cell):
            to = answered if str(grade_id(cell)).startswith(CONCEPT) else earned
            done = _right(cell)
        elif is_open(cell):
            to, done = answered, UNANSWERED not in cell.source and bool(cell.source.strip())
        else:
            continue
        to[0] += worth * done
        to[1] += worth
    return Progress(name, earned[0], earned[1], answered[0], answered[1])


def _right(cell: Any) -> bool:
    """Did the check say last that all is right, or that there is an answer?"""
    said = "".join(
        str(output.get("text", "")) for output in cell.get("outputs", ()) if output.output_type == "stream"
    )
    return "✓" in said and "✗" not in said


def _points(cell: Any) -> float:
    worth = grader_metadata(cell).get("points", 0)
    return float(worth) if isinstance(worth, int | float) else 0.0
