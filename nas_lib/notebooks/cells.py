"""What a cell of a lesson is: its tag, and nbgrader's metadata on it."""

from __future__ import annotations

from typing import Any

TAGS = ("setup", "exercise", "check", "experiment")
"""The one tag that every code cell carries; the builder, the verifier and the grader all go by it."""


def tag_of(cell: Any) -> str | None:
    """The cell's one course tag, or None for prose and untagged cells."""
    found = [tag for tag in cell.metadata.get("tags", []) if tag in TAGS]
    return found[0] if len(found) == 1 else None


def grader_metadata(cell: Any) -> dict[str, Any]:
    """nbgrader's metadata of a cell; an empty dict where there is none or where it is not even a mapping."""
    found = cell.metadata.get("nbgrader", {})
    return found if isinstance(found, dict) else {}


def grade_id(cell: Any) -> str | None:
    """The cell's nbgrader id, or None."""
    return grader_metadata(cell).get("grade_id") or None


def is_check(cell: Any) -> bool:
    """True for an autograded cell: it earns points and nothing in it is the learner's."""
    metadata = grader_metadata(cell)
    return cell.cell_type == "code" and bool(metadata.get("grade")) and not metadata.get("solution")


def is_open(cell: Any) -> bool:
    """True for a written answer that a person grades."""
    metadata = grader_metadata(cell)
    return bool(metadata.get("grade")) and bool(metadata.get("solution"))


def is_exercise(cell: Any) -> bool:
    """True for a code cell in which the learner writes a solution that a check cell grades."""
    metadata = grader_metadata(cell)
    return cell.cell_type == "code" and bool(metadata.get("solution")) and not metadata.get("grade")
