"""One page about a class: how points are spread, which concepts were missed most, who is waited for, late or to be
looked at. It is a single file that fetches nothing, for a browser or a mail.

What it says is counted in `grade_table`, as for the terminal; here it is only laid out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from autograder.reports.grade_table import Grades, Spread, duration, missed, spreads, to_look_at
from autograder.reports.signs import MEANINGS
from nas_lib._files import replacing, writable

TEMPLATES = Path(__file__).with_name("templates") / "dashboard"
BINS = 10
"""Bars of the distribution: tenths of the points that have been graded."""
SHOWN = 15
"""Concepts that are shown at once; the rest is folded."""


@dataclass(frozen=True)
class Bar:
    """A bar of the distribution: its students, and its height as a share of the highest."""

    label: str
    students: list[str]
    share: float


def page(grades: Grades) -> str:
    """The page, as HTML."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.globals.update(duration=duration, meanings=MEANINGS, shown=SHOWN)
    found = missed(grades)
    return environment.get_template("index.html.j2").render(
        grades=grades,
        mean=_mean(grades),
        bars=_bars(grades),
        spreads=[(one, _parts(one)) for one in spreads(grades)],
        missed=found,
        most_missed=max((one.students for one in found), default=0),
        waiting=[row for row in grades.rows if row.pending],
        late=[row for row in grades.rows if row.late_seconds > 0],
        notes=[row for row in grades.rows if row.note],
        look=to_look_at(grades),
    )


def write(grades: Grades, out: Path) -> None:
    """Write the page, for the instructor's eyes only.

    Raises:
        ValueError: there is no folder for it, or `out` is a folder.
    """
    with replacing(writable("html", out), private=True) as fresh:
        fresh.write_text(page(grades), encoding="utf-8")


def _mean(grades: Grades) -> float | None:
    """Mean percent of what has been graded; None where nothing has."""
    shares = [row.percent for row in grades.rows if row.max_score > row.pending]
    return sum(shares) / len(shares) if shares else None


def _bars(grades: Grades) -> list[Bar]:
    """How many students have which share of their graded points, by tenths; all points are a bar of their own."""
    names: list[list[str]] = [[] for _ in range(BINS + 1)]
    for row in grades.rows:
        if row.max_score > row.pending:
            names[min(BINS, int(row.percent * BINS / 100 + 1e-9))].append(row.student)
    highest = max(map(len, names)) or 1
    width = 100 // BINS
    labels = [f"{place * width}–{(place + 1) * width - 1} %" for place in range(BINS)] + ["100 %"]
    return [Bar(label, found, len(found) / highest) for label, found in zip(labels, names, strict=True)]


def _parts(spread: Spread) -> list[tuple[str, str, int, float]]:
    """A task's students by what they got: (class of the bar, in words, how many, percent of all)."""
    everyone = len(spread.earned) + spread.waiting
    untried = min(spread.untried, spread.none)
    counts: dict[tuple[str, str], int] = {
        ("full", "full marks"): spread.full,
        ("part", "part of the points"): len(spread.earned) - spread.full - spread.none,
        ("none", "tried, no points"): spread.none - untried,
        ("untried", "not tried"): untried,
        ("waiting", "waits for a person"): spread.waiting,
    }
    return [(kind, words, n, 100 * n / everyone) for (kind, words), n in counts.items() if n]
