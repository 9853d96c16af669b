"""What a grading run found, and how it is shown: the grade table and the summary for the terminal, and the CSV.

Nothing is graded here, and no gradebook is read: rows come from `grade`, with the outcomes that `scoring` gave and the
signs that `signs` saw.
"""

from __future__ import annotations

import csv
import os
import textwrap
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autograder.judge.results import Evaluated, Outcome
from autograder.reports import signs
from autograder.reports.signs import MEANINGS, Sign
from autograder.reports.spreadsheets import harmless

FIXED_COLUMNS = (
    "score",
    "max_score",
    "pending",
    "percent",
    "late_seconds",
    "late_penalty",
    "isolation",
    "note",
)


@dataclass
class Row:
    """One student's grades: points per task (None where a person has to grade), and what went wrong."""

    student: str
    points: dict[str, float | None] = field(default_factory=dict)
    max_points: dict[str, float] = field(default_factory=dict)
    late_seconds: float = 0.0
    note: str = ""
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    """What the judges said of each exercise; empty where nothing was judged."""
    signs: list[Sign] = field(default_factory=list)
    """What a person may want to look at."""
    answers: tuple[tuple[str, str], ...] = ()
    """Fingerprint of the larger answers, see `signs.fingerprint`."""
    penalty: float = 0.0
    """Points taken off for being late."""
    isolation: str = ""
    """What the submission ran in; "" where that is not known."""

    @property
    def score(self) -> float:
        """Points earned so far, less the penalty for being late."""
        return max(0.0, sum(value for value in self.points.values() if value is not None) - self.penalty)

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
    remarks: list[str] = field(default_factory=list)
    """What could not be taken for anyone's submission, in one sentence each."""
    evaluated: Mapping[str, Evaluated] = field(default_factory=dict)
    """By student what the run found out: outcomes with concept and message, time, retries. Points: see the rows."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """What the run's parts took by the clock: preparing, grading, feedback."""


def write_csv(grades: Grades) -> None:
    """Write the grade table; a task that waits for a person has an empty field."""
    fresh = grades.out.with_name(grades.out.name + ".new")
    with open(fresh, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["student", "lesson", *grades.tasks, *FIXED_COLUMNS])
        for row in grades.rows:
            cells = [row.points.get(task) for task in grades.tasks]
            writer.writerow(
                [harmless(row.student), grades.lesson]
                + ["" if value is None else f"{value:g}" for value in cells]
                + [f"{row.score:g}", f"{row.max_score:g}", f"{row.pending:g}", f"{row.percent:.2f}"]
                + [
                    f"{row.late_seconds:.0f}",
                    f"{row.penalty:g}",
                    row.isolation or grades.isolation,
                    harmless(row.note),
                ]
            )
    os.replace(fresh, grades.out)


def table(grades: Grades) -> str:
    """The grade table for the terminal, one line per student and a line of means."""
    header = ["student", *grades.tasks, "score", "of", "pending", "percent", "note"]
    lines = [
        [row.student]
        + ["–" if row.points.get(task) is None else f"{row.points[task]:g}" for task in grades.tasks]
        + [f"{row.score:g}", f"{row.max_score:g}", f"{row.pending:g}", f"{row.percent:.0f} %"]
        + ["; ".join(filter(None, ("late" if row.late_seconds else "", row.note)))]
        for row in grades.rows
    ]
    # Long names of exercises stand on a slope of their own in no terminal: number them and list them below.
    header[1 : 1 + len(grades.tasks)] = [str(number) for number in range(1, len(grades.tasks) + 1)]
    widths = [max(len(line[column]) for line in [header, *lines]) for column in range(len(header))]
    text = [f"{grades.lesson}: {_count(len(grades.rows), 'submission')}"]
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
    text += grades.remarks
    return "\n".join(text)


# ----------------------------------------------------------------------------------------------------
# Summary

WIDTH = 110
UNTRIED = frozenset({"not-implemented"})
NAMED = 12  # students named in one line; the rest is counted


def summary(grades: Grades) -> str:
    """What the class found hard and what a person should look at, for the terminal; one section after the other,
    those without anything to say left out."""
    sections = [
        _by_task(grades),
        _by_concept(grades),
        _titled("Out of time", _exercises(grades, signs.late)),
        _titled("Crashed or stopped", _exercises(grades, signs.stopped)),
        _to_look_at(grades),
        _titled("Late", _late(grades)),
        _titled(
            "Not graded or not as usual", [f"{row.student}: {row.note}" for row in grades.rows if row.note]
        ),
        _waiting(grades),
        _isolation(grades),
    ]
    return "\n\n".join("\n".join(_wrapped(section)) for section in sections if section)


def _wrapped(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()) + 4)
        yield from textwrap.wrap(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False) or [""]


def _titled(title: str, lines: Sequence[str]) -> list[str]:
    return [f"{title}:", *(f"  {line}" for line in lines)] if lines else []


def _by_task(grades: Grades) -> list[str]:
    """Mean points, share of full marks and of nothing, of those whose points are known."""
    width = max((len(task) for task in grades.tasks), default=0)
    shares = [row.percent for row in grades.rows if row.max_score > row.pending]
    mean = f", mean {sum(shares) / len(shares):.0f} % of what has been graded" if shares else ""
    lines = [f"Summary of {grades.lesson}: {_count(len(grades.rows), 'submission')}{mean}", ""]
    lines.append(f"{'exercise'.ljust(width)}    mean  of  full marks  no points  not tried")
    for task in grades.tasks:
        points = [row.points[task] for row in grades.rows if row.points.get(task) is not None]
        most = next((row.max_points[task] for row in grades.rows if task in row.max_points), 0.0)
        if not points:
            lines.append(f"{task.ljust(width)}       –  {most:g}  (waits for a person)")
            continue
        earned = [value for value in points if value is not None]
        full, none = (sum(abs(value - goal) < 1e-9 for value in earned) for goal in (most, 0.0))
        untried = sum(row.outcomes[task].concept in UNTRIED for row in grades.rows if task in row.outcomes)
        lines.append(
            f"{task.ljust(width)}  {sum(earned) / len(earned):6.2f}  {most:2g}  {_share(full, earned)}"
            f"  {_share(none, earned, 9)}  {untried or '–':>9}"
            + (f"  ({waiting} more wait for a person)" if (waiting := _waiting_for(grades, task)) else "")
        )
    return lines


def _waiting_for(grades: Grades, task: str) -> int:
    return sum(row.points.get(task, 0.0) is None for row in grades.rows)


def _share(part: int, whole: Sequence[object], width: int = 10) -> str:
    return f"{100 * part / len(whole):.0f} %".rjust(width)


def _by_concept(grades: Grades) -> list[str]:
    """Which mistakes were made by how many, the commonest first, each with what one of the learners was told."""
    students: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for row in grades.rows:
        for name, outcome in row.outcomes.items():
            if outcome.score < 1.0 and outcome.concept not in UNTRIED:
                students[name, outcome.concept].append((row.student, outcome.message))
    order = {task: place for place, task in enumerate(grades.tasks)}
    lines = []
    for (name, concept), found in sorted(
        students.items(), key=lambda item: (-len(item[1]), order.get(item[0][0], 0), item[0])
    ):
        message, _ = Counter(message for _, message in found).most_common(1)[0]
        lines.append(
            f"{len(found):>3}  {name}, {concept}: {textwrap.shorten(message, 160, placeholder=' …')}"
        )
    return _titled("What went wrong, by number of students", lines)


def _exercises(grades: Grades, is_so: Callable[[Outcome], bool]) -> list[str]:
    lines = []
    for row in grades.rows:
        found = {name: outcome for name, outcome in row.outcomes.items() if is_so(outcome)}
        if found:
            reason = textwrap.shorten(next(iter(found.values())).message, 120, placeholder=" …")
            lines.append(f"{row.student}: {', '.join(found)} ({reason})")
    return lines


def shared_answers(rows: Iterable[Row]) -> list[tuple[list[str], list[str]]]:
    """Groups of students with the same larger answers: (students, exercises)."""
    groups: dict[tuple[tuple[str, str], ...], list[str]] = defaultdict(list)
    for row in rows:
        if row.answers:
            groups[row.answers].append(row.student)
    return [(names, [name for name, _ in answers]) for answers, names in groups.items() if len(names) > 1]


def _to_look_at(grades: Grades) -> list[str]:
    seen: dict[str, list[str]] = {kind: [] for kind in MEANINGS}
    for row in grades.rows:
        for kind in MEANINGS:
            found = [sign.seen for sign in row.signs if sign.kind == kind]
            if found:
                seen[kind].append(f"{row.student} ({', '.join(found)})")
    for names, tasks in shared_answers(grades.rows):
        seen["same-answers"].append(f"{_names(names)} ({', '.join(tasks)})")
    lines = []
    for kind, found in seen.items():
        if found:
            lines.append(f"{kind}: {MEANINGS[kind]}.")
            lines += [f"  {line}" for line in found]
    return _titled("Look at these. They are observations, no findings, and changed no grade", lines)


def _late(grades: Grades) -> list[str]:
    return [
        f"{row.student}: {duration(row.late_seconds)}"
        + (f", {row.penalty:g} points taken off" if row.penalty else ", nothing taken off")
        for row in grades.rows
        if row.late_seconds > 0
    ]


def duration(seconds: float) -> str:
    """The two largest units of a time: "1 day 2 hours", "59 seconds"."""
    left, parts = round(seconds), []
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        number, left = divmod(left, size)
        if number:
            parts.append(_count(number, unit))
    return " ".join(parts[:2]) or "less than a second"


def _waiting(grades: Grades) -> list[str]:
    waiting = [row for row in grades.rows if row.pending]
    if not waiting:
        return []
    tasks = [task for task in grades.tasks if any(row.points.get(task, 0.0) is None for row in waiting)]
    points = sum(row.pending for row in waiting)
    return [
        f"Waiting for a person: {points:g} points in {_count(len(waiting), 'submission')} "
        f"({', '.join(tasks)}). Grade them in Formgrader, under Manual Grading."
    ]


def _isolation(grades: Grades) -> list[str]:
    if grades.isolation == "none":
        return ["Isolation: NONE. Any submission could have changed these grades, or anything else of yours."]
    return [f"Isolation: {grades.isolation}. Each submission ran in a sandbox of its own."]


def _names(names: Sequence[str]) -> str:
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("s" if number != 1 else "")
