"""What a grading run found, and how it is shown: the grade table for the terminal and the CSV.

Nothing is graded here, and no gradebook is read: rows come from `grade`, with the outcomes that `scoring` gave.
"""

from __future__ import annotations

import csv
import os
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

from autograder.scoring import Outcome

FIXED_COLUMNS = ("score", "max_score", "pending", "percent", "late_seconds", "isolation", "note")


@dataclass
class Row:
    """One student's grades: points per task (None where a person has to grade), and what went wrong."""

    student: str
    points: dict[str, float | None] = field(default_factory=dict)
    max_points: dict[str, float] = field(default_factory=dict)
    late_seconds: float = 0.0
    note: str = ""
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    """What the judges said of each exercise; empty where nothing was judged in this run."""

    @property
    def score(self) -> float:
        """Points earned so far."""
        return sum(value for value in self.points.values() if value is not None)

    @property
    def max_score(self) -> float:
        """All points of the lesson."""
        return sum(self.max_points.values())

    @property
    def pending(self) -> float:
        """Points that wait for a person."""
        return sum(self.max_points[name] for name, value in self.points.items() if value is None)

    @property
    def percent(self) -> float:
        """Points earned, in percent of those that have been graded."""
        graded = self.max_score - self.pending
        return 100.0 * self.score / graded if graded else 0.0


@dataclass
class Grades:
    """The result of one grading run."""

    lesson: str
    tasks: list[str]
    rows: list[Row]
    course: Path
    out: Path
    isolation: str = "none"
    """What learners' code ran in, "bubblewrap" or "none": reports say so."""


def write_csv(grades: Grades) -> None:
    """Write the grade table; a task that waits for a person has an empty field."""
    fresh = grades.out.with_name(grades.out.name + ".new")
    with open(fresh, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["student", "lesson", *grades.tasks, *FIXED_COLUMNS])
        for row in grades.rows:
            cells = [row.points.get(task) for task in grades.tasks]
            writer.writerow(
                [_harmless(row.student), grades.lesson]
                + ["" if value is None else f"{value:g}" for value in cells]
                + [f"{row.score:g}", f"{row.max_score:g}", f"{row.pending:g}", f"{row.percent:.2f}"]
                + [f"{row.late_seconds:.0f}", grades.isolation, _harmless(row.note)]
            )
    os.replace(fresh, grades.out)


def _harmless(text: str) -> str:
    """A spreadsheet takes a field that begins like this for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def table(grades: Grades) -> str:
    """The grade table for the terminal, one line per student and a line of means."""
    header = ["student", *grades.tasks, "score", "of", "pending", "percent", "note"]
    lines = [
        [row.student]
        + ["–" if row.points.get(task) is None else f"{row.points[task]:g}" for task in grades.tasks]
        + [f"{row.score:g}", f"{row.max_score:g}", f"{row.pending:g}", f"{row.percent:.0f} %"]
        + [("late; " if row.late_seconds else "") + row.note]
        for row in grades.rows
    ]
    # Long names of exercises stand on a slope of their own in no terminal: number them and list them below.
    header[1 : 1 + len(grades.tasks)] = [str(number) for number in range(1, len(grades.tasks) + 1)]
    widths = [max(len(line[column]) for line in [header, *lines]) for column in range(len(header))]
    text = [f"{grades.lesson}: {len(grades.rows)} submission{'s' if len(grades.rows) != 1 else ''}"]
    if grades.isolation == "none":
        text[0] = (
            f"UNSAFE, graded without isolation: any submission could have changed these grades\n{text[0]}"
        )
    for line in [header, ["-" * width for width in widths], *lines]:
        left = line[0].ljust(widths[0])
        middle = "  ".join(value.rjust(width) for value, width in zip(line[1:-1], widths[1:-1], strict=True))
        text.append(f"{left}  {middle}  {line[-1]}".rstrip())
    names = ", ".join(f"{number} {task}" for number, task in enumerate(grades.tasks, start=1))
    tasks = f"Tasks: {names}. – waits for a person; percent is of what has been graded."
    text.append(textwrap.fill(tasks, 100, subsequent_indent="  "))
    return "\n".join(text)
