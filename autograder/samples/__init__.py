"""Sample submissions of each lesson: a perfect, a blank, a half-right and a wrong one.

They are made from the student notebook whenever they are needed, so that they never grow stale: which answer goes into which
exercise is data here. `nas-course grade` without a folder grades them, and the tests know what they earn.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat

import solutions
from autograder import build
from autograder.lesson import Task, concept_answer, read_lesson, without_markers
from autograder.samples import wrong

SAMPLES = ("perfect", "blank", "half", "wrong")

# The half-right sample: right answers to these, in part to those with "part", nothing for the rest.
HALF: dict[str, dict[str, str]] = {
    "00_start_here": {
        "cell_index": "part",
        "count_active_ops": "reference",
        "concept_00_1": "reference",
        "concept_00_2": "wrong",
    },
    "01_random_search": {
        "sample_uniform": "reference",
        "random_search": "reference",
        "incumbent_curve": "part",
        "simple_regret": "wrong",
        "samples_for_top_fraction": "reference",
        "concept_01_1": "reference",
        "concept_01_2": "wrong",
    },
    "03_rl_controller": {
        "exact_policy_gradient": "reference",
        "reinforce_loss": "part",
        "ema_baseline": "reference",
        "Controller": "wrong",
        "concept_03_1": "reference",
        "concept_03_2": "wrong",
    },
}
OPEN_ANSWER = "I would ask for equal budgets and for every run, not only the best one."


def sources(lesson: str, sample: str) -> dict[str, str]:
    """Which answer goes into each task: "reference", "part", "wrong" or "stub".

    Raises:
        ValueError: no such sample, or none of this lesson.
    """
    if sample not in SAMPLES:
        raise ValueError(f"sample must be one of {', '.join(SAMPLES)}, got {sample!r}")
    names = [task.name for task in read_lesson(lesson).tasks]
    if sample == "half":
        if lesson not in HALF:
            raise ValueError(f"there is no half-right sample of {lesson}")
        return {name: HALF[lesson].get(name, "stub") for name in names}
    return dict.fromkeys(names, {"perfect": "reference", "blank": "stub", "wrong": "wrong"}[sample])


def notebook(lesson: str, answers: dict[str, str]) -> Any:
    """The student notebook with answers put in.

    Args:
        lesson: the lesson's name.
        answers: by task, where the answer comes from ("reference", "part", "wrong", "stub"), or the code of an answer itself.
    """
    source = read_lesson(lesson)
    written = build.student_notebook(lesson)
    cells = {cell.id: cell for cell in written.cells}
    for task in source.tasks:
        answer = answers.get(task.name, "stub")
        if answer != "stub":
            cells[task.name].source = _answer(source.cells[task.cell].source, task, answer)
    return written


def _answer(reference: str, task: Task, answer: str) -> str:
    if task.kind == "open":
        return OPEN_ANSWER if answer in ("reference", "part", "wrong") else answer
    if answer == "reference":
        return without_markers(reference)
    if answer not in ("part", "wrong"):
        return answer
    concept = concept_answer(reference)
    if concept:
        return f'{task.name} = "{next(letter for letter in "abcd" if letter != concept[1])}"'
    return textwrap.dedent(
        inspect.getsource(getattr(wrong if answer == "wrong" else wrong.right_in_part, task.name))
    )


def write(folder: Path, lesson: str, names: Iterable[str] = SAMPLES) -> Path:
    """Write a lesson's samples as submissions, `folder`/<sample>/<lesson>.ipynb; returns `folder`."""
    for name in names:
        path = folder / name / f"{lesson}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook(lesson, sources(lesson, name)), path)
    return folder


def write_all(folder: Path, lessons: Iterable[str] | None = None) -> list[tuple[Path, str]]:
    """Write the samples of all lessons below `folder`; returns (folder of submissions, lesson) for each lesson."""
    wanted = solutions.lessons() if lessons is None else list(lessons)
    return [(write(folder / lesson, lesson), lesson) for lesson in wanted]
