"""What a grading run found, and how it is shown: the grade table and the summary for the terminal, and the CSV.

Nothing is graded here, and no gradebook is read: rows come from `grade`, with the outcomes that `scoring` gave and the
signs that `signs` saw.
"""

from __future__ import annotations

import csv
import itertools
import textwrap
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autograder.intake.submission import shown
from autograder.judge.results import Evaluated, Outcome
from autograder.reports import signs
from autograder.reports.signs import MEANINGS, Sign
from autograder.reports.spreadsheets import harmless
from nas_lib._files import replacing

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
    ungraded: str = ""
    """Why this submission's work has not been graded, "" if it has."""

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
    """What could not be taken for anyone's submission, and what else is not as usual, in one sentence each."""
    left_out: list[str] = field(default_factory=list)
    """Those of the remarks that tell of something not graded."""
    evaluated: Mapping[str, Evaluated] = field(default_factory=dict)
    """By student what the run found out: outcomes with concept and message, time, retries. Points: see the rows."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """What the run's parts took by the clock: preparing, grading, feedback."""

    @property
    def ungraded(self) -> list[str]:
        """Whose work has not been graded and why, in one sentence each: refused, failed, or taken for nobody's."""
        named = [f"{row.student}: {row.ungraded}" for row in self.rows if row.ungraded]
        return [shown(sentence) for sentence in (*named, *self.left_out)]


def write_csv(grades: Grades) -> None:
    """Write the grade table; a task that waits for a person has an empty field."""
    with replacing(grades.out) as fresh, open(fresh, "w", encoding="utf-8", newline="") as file:
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
                    harmless(shown(row.note)),
                ]
            )


def table(grades: Grades) -> str:
    """The grade table for the terminal, one line per student and a line of means."""
    header = ["student", *grades.tasks, "score", "of", "pending", "percent", "note"]
    lines = [
        [row.student]
        + ["–" if row.points.get(task) is None else f"{row.points[task]:g}" for task in grades.tasks]
        + [f"{row.score:g}", f"{row.max_score:g}", f"{row.pending:g}", f"{row.percent:.0f} %"]
        + [shown("; ".join(filter(None, ("late" if row.late_seconds else "", row.note))))]
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
    text += map(shown, grades.remarks)
    return "\n".join(text)


# ----------------------------------------------------------------------------------------------------
# What is known of the class

UNTRIED = frozenset({"not-implemented"})


@dataclass(frozen=True)
class Spread:
    """How one task went: points by student, of those who have any yet."""

    task: str
    most: float
    """Points that the task gives at most."""
    earned: Sequence[float]
    untried: int
    """Students who left the exercise as it was."""
    waiting: int
    """Students whose points a person has yet to give."""

    @property
    def full(self) -> int:
        """Students with all points."""
        return sum(abs(value - self.most) < 1e-9 for value in self.earned)

    @property
    def none(self) -> int:
        """Students without points, those who left it untried among them."""
        return sum(abs(value) < 1e-9 for value in self.earned)

    @property
    def mean(self) -> float | None:
        """Mean points; None where nobody has any yet."""
        return sum(self.earned) / len(self.earned) if self.earned else None


def spreads(grades: Grades) -> list[Spread]:
    """How each task went, in the lesson's order."""
    found = []
    for task in grades.tasks:
        points = [row.points[task] for row in grades.rows if task in row.points]
        most = next((row.max_points[task] for row in grades.rows if task in row.max_points), 0.0)
        untried = sum(row.outcomes[task].concept in UNTRIED for row in grades.rows if task in row.outcomes)
        earned = [value for value in points if value is not None]
        found.append(Spread(task, most, earned, untried, len(points) - len(earned)))
    return found


@dataclass(frozen=True)
class Missed:
    """A concept that was missed in one exercise, by how many, and what most of them were told."""

    exercise: str
    concept: str
    students: int
    message: str


def missed(grades: Grades) -> list[Missed]:
    """What went wrong, the commonest first."""
    told: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in grades.rows:
        for name, outcome in row.outcomes.items():
            if outcome.score < 1.0 and outcome.concept not in UNTRIED:
                told[name, outcome.concept].append(outcome.message)
    order = {task: place for place, task in enumerate(grades.tasks)}
    found = [
        Missed(name, concept, len(messages), Counter(messages).most_common(1)[0][0])
        for (name, concept), messages in told.items()
    ]
    return sorted(
        found, key=lambda one: (-one.students, order.get(one.exercise, 0), one.exercise, one.concept)
    )


def to_look_at(grades: Grades) -> dict[str, list[str]]:
    """Who a person may want to look at, by kind of sign (`signs.MEANINGS`); kinds that nobody shows left out."""
    seen: dict[str, list[str]] = {kind: [] for kind in MEANINGS}
    for row in grades.rows:
        for kind in MEANINGS:
            found = [sign.seen for sign in row.signs if sign.kind == kind]
            if found:
                seen[kind].append(f"{row.student} ({', '.join(found)})")
    for names, tasks in shared_answers(grades.rows):
        seen["same-answers"].append(f"{_names(names)} ({', '.join(tasks)})")
    return {kind: found for kind, found in seen.items() if found}


# ----------------------------------------------------------------------------------------------------
# Summary

WIDTH = 110
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
            "Not graded or not as usual",
            [shown(f"{row.student}: {row.note}") for row in grades.rows if row.note],
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
    for one in spreads(grades):
        name = one.task.ljust(width)
        if one.mean is None:
            lines.append(f"{name}       –  {one.most:g}  (waits for a person)")
            continue
        lines.append(
            f"{name}  {one.mean:6.2f}  {one.most:2g}  {_share(one.full, one.earned)}"
            f"  {_share(one.none, one.earned, 9)}  {one.untried or '–':>9}"
            + (f"  ({one.waiting} more wait for a person)" if one.waiting else "")
        )
    return lines


def _share(part: int, whole: Sequence[object], width: int = 10) -> str:
    return f"{100 * part / len(whole):.0f} %".rjust(width)


def _by_concept(grades: Grades) -> list[str]:
    """Which mistakes were made by how many, the commonest first, each with what one of the learners was told."""
    lines = [
        f"{one.students:>3}  {one.exercise}, {one.concept}: "
        f"{textwrap.shorten(one.message, 160, placeholder=' …')}"
        for one in missed(grades)
    ]
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
    """Groups of students who have larger answers in common: (students, exercises).

    Two belong together who share as many as `signs.SHARED`; what others changed or left out does not part them. An
    answer that a quarter of the class gives is how one writes it, and says nothing.
    """
    rows = list(rows)
    owners: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        for answer in row.answers:
            owners[answer].append(row.student)
    usual = max(4, len(rows) / 4)
    common: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (exercise, _), names in owners.items():
        if len(names) <= usual:
            for pair in itertools.combinations(sorted(names), 2):
                common[pair].append(exercise)
    group_of: dict[str, set[str]] = {}
    for (one, other), exercises in common.items():
        if len(exercises) >= signs.SHARED:
            together = group_of.get(one, {one}) | group_of.get(other, {other})
            group_of.update(dict.fromkeys(together, together))
    groups = sorted({tuple(sorted(group)) for group in group_of.values()})
    return [(list(group), _in_common(group, common)) for group in groups]


def _in_common(group: Sequence[str], common: Mapping[tuple[str, str], list[str]]) -> list[str]:
    found = (name for pair in itertools.combinations(group, 2) for name in common.get(pair, ()))
    return list(dict.fromkeys(found))


def _to_look_at(grades: Grades) -> list[str]:
    lines = []
    for kind, found in to_look_at(grades).items():
        lines += [f"{kind}: {MEANINGS[kind]}.", *(f"  {line}" for line in found)]
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
        f"({', '.join(tasks)}). Mark them with nas-course mark --lesson {grades.lesson}, or in Formgrader."
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
