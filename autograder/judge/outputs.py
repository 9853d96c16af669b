"""A result as the outputs of a notebook's cells, in which nbgrader stores it; and back from there.

A grade cell gets exactly one number and a message on standard output, because nbgrader takes anything on stderr for a
failure and most other results for full marks.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import asdict
from typing import Any

import nbformat

from autograder.author.lesson import grade_id, is_check
from autograder.judge.results import Outcome, Result
from autograder.sandbox.cells import Ran

TEXT_CHARACTERS = 10_000
OUTCOME = "nas_course"  # key in the metadata of a grade cell's output


def write(notebook: Any, result: Result, isolation: str = "") -> None:
    """Write a result into the notebook as outputs; whatever outputs it had before are gone.

    Args:
        notebook: the submission.
        result: what grading it found out.
        isolation: what its code ran in, kept for reports.
    """
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        cell.outputs, cell.execution_count = [], None
        name = str(grade_id(cell)).removesuffix("-check")
        if is_check(cell) and name in result.outcomes:
            points = float(cell.metadata["nbgrader"]["points"])
            cell.outputs = grade_outputs(result.outcomes[name], points, isolation)
        elif is_check(cell):
            cell.outputs = grade_outputs(
                Outcome(0.0, "missing", "this cell grades no exercise of the lesson"), 0.0
            )
        elif index in result.cells:
            cell.outputs = _printed(result.cells[index])


def grade_outputs(outcome: Outcome, points: float, isolation: str = "") -> list[Any]:
    """The outputs of a grade cell: the message, and one number for `determine_grade` to read."""
    earned = min(points, max(0.0, round(outcome.score * points, 6)))
    mark = "✓" if outcome.score >= 1.0 else "✗"
    text = f"{mark} {printable(outcome.message) or 'right'} ({earned:g} of {points:g} points)"
    text = (
        textwrap.fill(text, 100, subsequent_indent="  ", break_on_hyphens=False) + "\n"
    )  # feedback pages do not wrap
    return [
        nbformat.v4.new_output("stream", name="stdout", text=text),
        nbformat.v4.new_output(
            "execute_result",
            data={"text/plain": repr(float(earned))},
            metadata={
                OUTCOME: {**asdict(outcome), "message": printable(outcome.message), "isolation": isolation}
            },
            execution_count=None,
        ),
    ]


def read_outcomes(notebook: Any) -> dict[str, Outcome]:
    """The outcomes that `write` left in an autograded notebook, by exercise."""
    return {
        name: Outcome(float(left["score"]), str(left["concept"]), str(left["message"]))
        for name, left in _left(notebook).items()
    }


def read_isolation(notebook: Any) -> str:
    """What the code of an autograded notebook ran in; "" where that is not known."""
    return next((str(left.get("isolation", "")) for left in _left(notebook).values()), "")


def _left(notebook: Any) -> dict[str, dict[str, Any]]:
    return {
        str(grade_id(cell)).removesuffix("-check"): output.metadata[OUTCOME]
        for cell in notebook.cells
        if is_check(cell)
        for output in cell.outputs
        if OUTCOME in output.get("metadata", {})
    }


def _printed(ran: Ran) -> list[Any]:
    text = printable(ran.printed) + (f"\n{printable(ran.error)}" if ran.error else "")
    return (
        [nbformat.v4.new_output("stream", name="stdout", text=text.lstrip("\n") + "\n")]
        if text.strip()
        else []
    )


def printable(text: str) -> str:
    """Text that a page can show: no terminal codes, control characters or lone surrogates, not too long."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text[: 2 * TEXT_CHARACTERS])
    # A progress bar draws over its line: the last state is what one would see.
    text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    text = "".join(character for character in text if character in "\n\t" or character.isprintable())
    return text[:TEXT_CHARACTERS]
