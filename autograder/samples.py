"""Sample submissions of each lesson: a perfect, a blank, a half-right and a wrong one, and those that make a grading
day longer: a late one, one that never ends, a copy, and one that is up to no good.

They are made from the student notebook and the lesson's usual mistakes whenever they are needed, so that they never
grow stale. `nas-course grade` without a folder grades them, and the tests know what they earn.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat

import solutions
from autograder.author import build
from autograder.author.lesson import Task, concept_answer, is_check, read_lesson, without_markers

SAMPLES = ("perfect", "blank", "half", "wrong")
TROUBLE = ("late", "endless", "copy", "hostile")
ALL = SAMPLES + TROUBLE
DUE, HANDED_IN = "2026-01-15 23:59 UTC", "2026-01-17 08:30:00 UTC"

CARELESS = "accepts-bad-input"
"""The concept of mistakes that cost a part of the points, in any exercise."""
NO_ACCIDENT = frozenset({CARELESS, "uses-the-library"})

OPEN_ANSWER = "I would ask for equal budgets and for every run, not only the best one."


# In the place of a lesson's first exercise: it never ends; it ends the process, after looking for a way out.
ENDLESS = """\
def {name}(*_, **__):
    while True:
        pass
"""
HOSTILE = """\
import os
import socket


def {name}(*_, **__):
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    finally:
        os._exit(0)
"""


def sources(lesson: str, sample: str) -> dict[str, str]:
    """Which answer goes into each task: "reference", "part", "wrong" or "stub".

    Raises:
        ValueError: no such sample.
    """
    if sample not in ALL:
        raise ValueError(f"sample must be one of {', '.join(ALL)}, got {sample!r}")
    names = [task.name for task in read_lesson(lesson).tasks]
    if sample in ("endless", "hostile"):
        code = (ENDLESS if sample == "endless" else HOSTILE).format(name=names[0])
        return {**dict.fromkeys(names, "reference" if sample == "endless" else "stub"), names[0]: code}
    if sample == "half":
        return _half(lesson)
    return dict.fromkeys(names, {"blank": "stub", "wrong": "wrong"}.get(sample, "reference"))


def earned(lesson: str) -> dict[str, dict[str, float | None]]:
    """What each of `SAMPLES` earns, task by task; None waits for a person."""
    source = read_lesson(lesson)
    shares = {"reference": 1.0, "part": 0.75, "wrong": 0.0, "stub": 0.0}

    def points(task: Task, answer: str) -> float | None:
        if task.kind == "open" and answer != "stub":
            return None
        return shares[answer] * source.points()[task.name]

    answers = {sample: sources(lesson, sample) for sample in SAMPLES}
    return {
        sample: {task.name: points(task, given[task.name]) for task in source.tasks}
        for sample, given in answers.items()
    }


def _half(lesson: str) -> dict[str, str]:
    """The first right in part, the second wrong, then right ones up to half of the points, one wrong, and blanks.

    Where open questions, which wait for a person, have most of the points, it is about half of the others.
    """
    source = read_lesson(lesson)
    points = source.points()
    asked = sum(points[task.name] for task in source.tasks if task.kind != "open")
    half = sum(points.values()) / 2
    left = half if asked > half else 0.6 * asked
    first, then = iter(("part", "wrong")), iter(("wrong",))
    found = {task.name: "stub" for task in source.tasks}
    for name in (task.name for task in source.tasks if task.kind != "open"):
        kind = next(first, "reference")
        if kind == "reference" and points[name] > left:
            kind = next(then, "stub")
        left -= 0 if kind in ("wrong", "stub") else points[name]
        found[name] = kind
    return found


def notebook(lesson: str, answers: dict[str, str]) -> Any:
    """The student notebook with answers put in.

    Args:
        lesson: the lesson's name.
        answers: by task, where the answer comes from ("reference", "part", "wrong", "stub"), or an answer's own code.
    """
    source = read_lesson(lesson)
    written = build.student_notebook(lesson)
    cells = {cell.id: cell for cell in written.cells}
    for task in source.tasks:
        answer = answers.get(task.name, "stub")
        if answer != "stub":
            cells[task.name].source = _answer(lesson, source.cells[task.cell].source, task, answer)
    return written


def _answer(lesson: str, reference: str, task: Task, answer: str) -> str:
    if task.kind == "open":
        return OPEN_ANSWER if answer in ("reference", "part", "wrong") else answer
    if answer == "reference":
        return without_markers(reference)
    if answer not in ("part", "wrong"):
        return answer
    concept = concept_answer(reference)
    if concept:
        return f'{task.name} = "{next(letter for letter in "abcd" if letter != concept[1])}"'
    return without_markers(_mistaken(lesson, task.name, answer == "part"))


def _mistaken(lesson: str, exercise: str, in_part: bool) -> str:
    """The cell with the first usual mistake that is an edit of it, of those that cost all the points or a part."""
    for one in solutions.load(lesson).MISTAKES.get(exercise, []):
        if (
            one.is_wrong
            and one.source
            and (one.concept == CARELESS if in_part else one.concept not in NO_ACCIDENT)
        ):
            return one.source
    raise ValueError(
        f"{exercise} has no usual mistake that costs {'a part' if in_part else 'all'} of the points"
    )


def write(folder: Path, lesson: str, names: Iterable[str] = SAMPLES) -> Path:
    """Write a lesson's samples as submissions, `folder`/<sample>/<lesson>.ipynb; returns `folder`."""
    for name in names:
        path = folder / name / f"{lesson}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        made = notebook(lesson, sources(lesson, name))
        if name == "hostile":
            _claim_points(made)
        if name == "late":
            path.with_name("timestamp.txt").write_text(HANDED_IN + "\n", encoding="utf-8")
        nbformat.write(made, path)
    return folder


def _claim_points(made: Any) -> None:
    """Let the first check cell award a hundred points without checking anything."""
    check = next(cell for cell in made.cells if is_check(cell))
    check.metadata["nbgrader"]["points"] = 100
    check.source = "100"


def write_all(
    folder: Path, lessons: Iterable[str] | None = None, names: Iterable[str] = SAMPLES
) -> list[tuple[Path, str]]:
    """Write samples of all lessons below `folder`; returns (folder of submissions, lesson) for each lesson."""
    wanted, chosen = solutions.lessons() if lessons is None else list(lessons), list(names)
    return [(write(folder / lesson, lesson, chosen), lesson) for lesson in wanted]
