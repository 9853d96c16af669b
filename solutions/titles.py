"""The title line of a task, and what nbgrader has to know about the cells below it: all of it follows from the title.

    ### Exercise 1.2 · `random_search` · ●●○○○ · 10 min · 3 points

Name, minutes and points of a task are said there and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

TITLE = re.compile(
    r"^#{2,4}[ ]+(?P<kind>Exercise|Question|Open question)[ ]+(?P<number>\d+\.\d+)[ ]+·[ ]+`(?P<name>\w+)`"
    r"[ ]+·[ ]+(?P<difficulty>[●○]{5})[ ]+·[ ]+(?P<minutes>\d+)[ ]+min[ ]+·[ ]+(?P<points>\d+(?:\.\d+)?)"
    r"[ ]+points?[ ]*$",
    re.MULTILINE,
)
TITLE_LIKE = re.compile(r"^#{2,4}[ ]+(?:Exercise|Question|Open question)\b.*$", re.MULTILINE)
OPEN = "Open question"


@dataclass(frozen=True)
class Title:
    """The title line of a task."""

    kind: str
    number: str
    name: str
    difficulty: int
    minutes: int
    points: float


def titles(source: str) -> list[Title]:
    """Every well-formed title line in a prose cell."""
    return [
        Title(
            kind=match["kind"],
            number=match["number"],
            name=match["name"],
            difficulty=match["difficulty"].count("●"),
            minutes=int(match["minutes"]),
            points=float(match["points"]),
        )
        for match in TITLE.finditer(source)
    ]


def mark(cells: Sequence[Any]) -> None:
    """Give each task's cells nbgrader's metadata: the code tagged `exercise` and `check`, the prose tagged `answer`.

    The nearest title above decides, up to the task's check or answer. A cell without one is left as it is.
    """
    title: Title | None = None
    for cell in cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown" and titles(cell.source):
            title = titles(cell.source)[-1]
            if title.kind == OPEN:
                cell.metadata["nbgrader"] = _metadata(f"{title.name}-prompt", locked=True)
        elif title is None:
            continue
        elif "exercise" in tags:
            cell.metadata["nbgrader"] = _metadata(title.name, solution=True)
        elif "check" in tags:
            cell.metadata["nbgrader"] = _metadata(f"{title.name}-check", points=title.points, locked=True)
            title = None
        elif "answer" in tags and title.kind == OPEN:
            cell.metadata["nbgrader"] = _metadata(title.name, points=title.points, solution=True)
            title = None


def _metadata(
    grade_id: str, *, points: float | None = None, solution: bool = False, locked: bool = False
) -> dict[str, Any]:
    """What is graded has points; what is a solution is the learner's to change."""
    graded = {} if points is None else {"points": int(points) if points == int(points) else points}
    return {
        "grade": points is not None,
        "grade_id": grade_id,
        "locked": locked,
        "schema_version": 3,
        "solution": solution,
        "task": False,
        **graded,
    }
