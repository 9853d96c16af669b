"""The verdict on a lesson's checks: do they kill what is wrong, name it, and spare what is right?

`of_lesson` grades named variants and, where asked, the machine-made mutants; `render` prints the kill table and
`Report.faults` says what keeps the gate shut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from autograder.gate import machine
from autograder.gate.registry import SEEDS, Row, kill_table, render_rows
from nas_lib import checks

LEAST_WRONG, LEAST_RIGHT = 5, 2
"""Named mutants of its own and alternatives that each exercise has to have."""


@dataclass(frozen=True)
class Report:
    """What came of grading the checks of one lesson.

    Args:
        lesson: the lesson's name.
        exercises: those of the lesson that were graded.
        rows: the named mutants and alternatives.
        results: the machine-made mutants by exercise; empty where they were not asked for.
        equivalents: what is listed as equivalent.
    """

    lesson: str
    exercises: Sequence[str]
    rows: Sequence[Row]
    results: dict[str, list[machine.Result]] = field(default_factory=dict)
    equivalents: Sequence[machine.Equivalent] = ()

    @property
    def faults(self) -> list[str]:
        """Why the gate is shut, one sentence each; empty where all is well."""
        found = []
        for exercise in self.exercises:
            wrong, right = _kinds(self.rows, exercise)
            own = [row for row in wrong if not row.variant.everywhere]
            if len(own) < LEAST_WRONG or len(right) < LEAST_RIGHT:
                found.append(
                    f"{exercise} has {len(own)} named mutants and {len(right)} alternatives; "
                    f"there must be {LEAST_WRONG} and {LEAST_RIGHT}"
                )
        found += [fault_of(row) for row in self.rows if not row.holds]
        return found + (self._machine_faults() if self.results else [])

    def _machine_faults(self) -> list[str]:
        survivors = [one.mutant for done in self.results.values() for one in done if not one.killed]
        found = [
            f"{one.exercise}: {one.operator} survives and is not listed as equivalent: {one.mutated}"
            for one in survivors
            if not any(listed.covers(one) for listed in self.equivalents)
        ]
        found += [
            f"{listed.exercise}: {listed.operator} is listed as equivalent, but no such mutant survives: "
            f"{listed.mutated}"
            for listed in self.equivalents
            if not any(listed.covers(one) for one in survivors)
        ]
        made = sum(len(done) for done in self.results.values())
        if len(survivors) > (1 - machine.LEAST_KILLED) * made:
            found.append(
                f"{len(survivors)} of {made} machine-made mutants survive: "
                f"at least {machine.LEAST_KILLED:.0%} have to die"
            )
        return found


def of_lesson(
    lesson: str, with_machine: bool = False, only: str = "", seeds: Sequence[int] = SEEDS
) -> Report:
    """Grade the checks of a lesson.

    Args:
        lesson: the lesson's name.
        with_machine: the machine-made mutants too; they take longer.
        only: this exercise alone.
        seeds: the named variants are graded on instances of each.

    Raises:
        ValueError: there is no such lesson or exercise; or machine-made mutants are asked for and cannot be made here.
    """
    items = checks.exercises(lesson)  # names the lessons, if there is none of that name
    if only:
        items = {only: checks.exercise(only, lesson)}
    results = {}
    if with_machine:
        results = {
            name: machine.grade(lesson, name)
            for name, item in items.items()
            if not isinstance(item, checks.ConceptQuestion)
        }
    listed = [one for one in machine.equivalents(lesson) if one.exercise in items]
    return Report(lesson, list(items), kill_table(items.values(), seeds), results, listed)


def render(report: Report) -> str:
    """The kill table as text: a line for each exercise, then for each named variant, then what survived."""
    return "\n\n".join(filter(None, (_summary(report), render_rows(report.rows), _survivors(report))))


def _summary(report: Report) -> str:
    heads = [report.lesson, "mutants killed", "concepts", "alternatives kept"]
    heads += ["machine-made killed", "equivalent"] if report.results else []
    lines, totals = [heads], [0] * 7
    for exercise in report.exercises:
        wrong, right = _kinds(report.rows, exercise)
        done = report.results.get(exercise, [])
        dead = sum(one.killed for one in done)
        numbers = [sum(row.holds for row in wrong), len(wrong), len({row.variant.concept for row in wrong})]
        numbers += [sum(row.holds for row in right), len(right), dead, len(done)]
        totals = [total + number for total, number in zip(totals, numbers)]
        lines.append(_line(exercise, numbers, bool(report.results)))
    lines.append(_line("all", totals, bool(report.results)))
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines
    )


def _line(name: str, numbers: Sequence[int], with_machine: bool) -> list[str]:
    killed, wrong, concepts, kept, right, dead, made = numbers
    line = [name, f"{killed} of {wrong}", str(concepts), f"{kept} of {right}"]
    if with_machine:
        line += [f"{dead} of {made}" + (f" ({dead / made:.1%})" if made else ""), str(made - dead)]
    return line


def _survivors(report: Report) -> str:
    if not report.equivalents or not report.results:
        return ""
    lines = ["Machine-made mutants listed as equivalent:"]
    for one in report.equivalents:
        lines.append(f"  {one.exercise}: {one.mutated}\n    {one.operator}; {one.reason}")
    return "\n".join(lines)


def _kinds(rows: Sequence[Row], exercise: str) -> tuple[list[Row], list[Row]]:
    own = [row for row in rows if row.exercise == exercise]
    return [row for row in own if row.variant.is_wrong], [row for row in own if not row.variant.is_wrong]


def fault_of(row: Row) -> str:
    """What the check did wrong by a variant, in one sentence."""
    variant, said = row.variant, "; ".join(row.messages)
    if not variant.is_wrong:
        return f"{row.exercise}: the right answer {variant.name} lost points: {said}"
    if row.score == 1.0:
        return f"{row.exercise}: the mistake {variant.name} lost nothing"
    if variant.message:
        return f"{row.exercise}: {variant.name} was told “{said}”, not its own sentence “{variant.message}”"
    named = ", ".join(concept or "nothing" for concept in row.concepts)
    return f"{row.exercise}: {variant.name} was told of {named}, not of {variant.concept}: {said}"
