"""What a feedback page says, in a few lines: for the field that a learning platform has for a comment."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat

from autograder.judge.outputs import read_outcomes
from autograder.judge.results import Outcome
from autograder.reports.feedback import NO_RESPONSE
from autograder.reports.spreadsheets import number

BEGINNING = "Points: "
"""How a comment of ours begins, by which it is known later."""


def comment(submission: Any, graded: Path) -> str:
    """The points of a submission by task, with what was wrong and a person's comments, as HTML in one line.

    Args:
        submission: nbgrader's, from its gradebook.
        graded: the autograded notebook; without it the messages are left out.
    """
    outcomes = read_outcomes(nbformat.read(graded, as_version=4)) if graded.is_file() else {}
    penalty = float(submission.late_submission_penalty or 0.0)
    score = max(0.0, float(submission.score) - penalty)
    lines = [f"{BEGINNING}{number(score)} of {number(float(submission.max_score))}"]
    if penalty:
        lines[0] += f", {number(penalty)} taken off for being late"
    for notebook in submission.notebooks:
        said = {one.name: one.comment for one in notebook.comments if one.comment}
        lines += [_task(grade, outcomes, said) for grade in notebook.grades]
    return "<br>".join(html.escape(line).replace("\n", "<br>") for line in lines)


def _task(grade: Any, outcomes: Mapping[str, Outcome], said: Mapping[str, str]) -> str:
    name = grade.cell.name.removesuffix("-check")
    if grade.needs_manual_grade:
        return f"{name}: not graded yet"
    told = [f"{name}: {number(float(grade.score))} of {number(float(grade.max_score))}"]
    if name in outcomes and outcomes[name].score < 1.0:
        told.append(outcomes[name].message)
    told += [said[key] for key in {name, grade.cell.name} if key in said and said[key] != NO_RESPONSE]
    return ". ".join(text.rstrip(". ") for text in told)
