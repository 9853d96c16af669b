"""Sample submissions of each lesson: a perfect, a blank, a half-right and a wrong one, and those that make a grading day
longer: a late one, one that never ends, a copy, and one that is up to no good.

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
from autograder.author import build
from autograder.author.lesson import Task, concept_answer, is_check, read_lesson, without_markers
from autograder.samples import wrong

SAMPLES = ("perfect", "blank", "half", "wrong")
TROUBLE = ("late", "endless", "copy", "hostile")
ALL = SAMPLES + TROUBLE
DUE, HANDED_IN = "2026-01-15 23:59 UTC", "2026-01-17 08:30:00 UTC"

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
    "02_evolution_and_early_stopping": {
        "hill_climb": "reference",
        "regularized_evolution": "wrong",
        "successive_halving": "reference",
        "spearman": "part",
        "kendall_tau": "reference",
        "synflow_score": "wrong",
        "concept_02_1": "reference",
        "concept_02_2": "wrong",
    },
    "03_rl_controller": {
        "exact_policy_gradient": "reference",
        "reinforce_loss": "part",
        "ema_baseline": "reference",
        "Controller": "wrong",
        "concept_03_1": "reference",
        "concept_03_2": "wrong",
    },
    "04_darts": {
        "mixed_op": "part",
        "CellSupernet": "wrong",
        "discretize": "reference",
        "weight_step": "reference",
        "alpha_step_first_order": "part",
        "concept_04_1": "reference",
        "concept_04_2": "wrong",
    },
    "05_supernet": {
        "sample_path": "reference",
        "fair_paths": "wrong",
        "train_single_path_step": "reference",
        "rank_correlation": "part",
        "slice_kernel": "part",
        "slice_width": "reference",
        "distillation_loss": "wrong",
        "concept_05_1": "reference",
        "concept_05_2": "wrong",
    },
    "06_hardware_aware": {
        "benchmark_latency": "reference",
        "latency_table": "part",
        "predict_latency": "reference",
        "mnasnet_reward": "reference",
        "pareto_front": "wrong",
        "fake_quantize": "wrong",
        "concept_06_1": "reference",
        "concept_06_2": "wrong",
    },
    "07_compound_scaling": {
        "scaled_cost": "reference",
        "round_filters": "part",
        "round_repeats": "reference",
        "MBConv": "wrong",
        "mixup": "reference",
        "progressive_schedule": "part",
        "concept_07_1": "reference",
        "concept_07_2": "wrong",
    },
}
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
        ValueError: no such sample, or none of this lesson.
    """
    if sample not in ALL:
        raise ValueError(f"sample must be one of {', '.join(ALL)}, got {sample!r}")
    names = [task.name for task in read_lesson(lesson).tasks]
    if sample in ("endless", "hostile"):
        code = (ENDLESS if sample == "endless" else HOSTILE).format(name=names[0])
        return {**dict.fromkeys(names, "reference" if sample == "endless" else "stub"), names[0]: code}
    if sample == "half":
        if lesson not in HALF:
            raise ValueError(f"there is no half-right sample of {lesson}")
        return {name: HALF[lesson].get(name, "stub") for name in names}
    return dict.fromkeys(names, {"blank": "stub", "wrong": "wrong"}.get(sample, "reference"))


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
