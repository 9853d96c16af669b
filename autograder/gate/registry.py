"""What the checks are graded by, and the kill table that comes of it.

The variants of an exercise are its usual mistakes and its right answers written another way (`solutions.mistakes`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import solutions
from nas_lib import checks
from nas_lib.checks import Answer, Instance
from nas_lib.checks.exercise import clean
from nas_lib.checks.values import ValueExercise
from solutions.mistakes import Mistake

SEEDS = (101, 202)
SECONDS = 4.0
"""Of CPU for an instance, after which an answer is given up."""


@dataclass(frozen=True)
class Row:
    """What one variant got, over all seeds: its lowest score, and every concept and message that was named."""

    exercise: str
    variant: Mistake
    score: float
    concepts: tuple[str, ...]
    messages: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Did the check do right by this variant, on every seed?

        A right answer keeps all points. A mistake loses some; what it is told is its own sentence, where it has one,
        and else names its concept. Where the answer is a value and the mistake is only to be caught, any will do, as
        for the mistakes of every exercise.
        """
        if not self.variant.is_wrong:
            return self.score == 1.0
        if self.variant.message:
            return self.score < 1.0 and set(self.messages) == {clean(self.variant.message)}
        named = self.concepts == (self.variant.concept,)
        only_caught = self.variant.everywhere or isinstance(checks.exercise(self.exercise), ValueExercise)
        return self.score < 1.0 and (named or only_caught)


def variants(exercise: str) -> list[Mistake]:
    """The mistakes and right answers of an exercise; a concept question's are made from its options.

    Raises:
        ValueError: there is no such exercise.
    """
    item = checks.exercise(exercise)
    if isinstance(item, checks.ConceptQuestion):
        return _answers(item)
    return list(solutions.load(item.lesson).MISTAKES.get(exercise, []))


def _answers(item: checks.ConceptQuestion) -> list[Mistake]:
    """Every wrong option, answers of a wrong form, and the right one in other spellings."""

    def made(name: str, concept: str, make: Callable[[str], Any]) -> Mistake:
        return Mistake(name, concept, "", lambda reference: make(getattr(reference, item.name)))

    def other(step: int) -> Callable[[str], str]:
        return lambda key: item.options[(item.options.index(key) + step) % len(item.options)]

    beyond = chr(ord(item.options[-1]) + 1)
    return [
        *(made(f"wrong_option_{step}", "wrong-option", other(step)) for step in range(1, len(item.options))),
        made("no_such_option", "not-an-option", lambda key: beyond),
        made("two_options", "not-an-option", lambda key: f"{key}{beyond}"),
        made("a_list", "not-an-option", lambda key: [key]),
        made("a_number", "not-an-option", lambda key: 1 + item.options.index(key)),
        made("unanswered", "not-implemented", lambda key: None),
        made("upper_case", "", str.upper),
        made("with_blanks", "", lambda key: f" {key} "),
        made("with_a_bracket", "", lambda key: f"{key})"),
    ]


def kill_table(items: Iterable[checks.Exercise], seeds: Sequence[int] = SEEDS) -> list[Row]:
    """Grade every variant of some exercises on instances of each seed."""
    return [row for item in items for row in grade(item, variants(item.name), seeds)]


def grade(item: checks.Exercise, tried: Sequence[Mistake], seeds: Sequence[int]) -> list[Row]:
    """Grade variants of one exercise on instances of each seed."""
    found = list(zip(*(on_seed(item, tried, seed) for seed in seeds), strict=True))
    return [
        Row(
            item.name,
            variant,
            min(verdict.score for verdict in verdicts),
            tuple(dict.fromkeys(verdict.concept for verdict in verdicts)),
            tuple(dict.fromkeys(verdict.message for verdict in verdicts)),
        )
        for variant, verdicts in zip(tried, found, strict=True)
    ]


def on_seed(item: checks.Exercise, tried: Sequence[Mistake], seed: int) -> list[checks.Verdict]:
    """The verdicts on variants on instances of one seed.

    A mistake answers once: what it said is graded, and is what the judge knows it by.
    """
    reference = solutions.load(item.lesson)
    instances = checks.instances_of(item, seed)

    @functools.cache
    def answers(variant: Mistake) -> list[Answer]:
        return answers_of(item, variant.make(reference), instances)

    expected = checks.expected_answers(item, reference, instances, answers)
    return [checks.worst(checks.verdicts(item, instances, answers(one), expected)) for one in tried]


def answers_of(item: checks.Exercise, fn: Any, instances: Sequence[Instance]) -> list[Answer]:
    """Answers to the instances; after one that never ends, the others are not waited for."""
    transport, found = checks.InProcess({item.name: fn}, SECONDS), list[Answer]()
    for instance in instances:
        endless = bool(found) and found[-1].error_type == "OutOfTime"
        found += [found[-1]] if endless else transport.collect(item, item.name, [instance])
    return found


def render_rows(rows: Sequence[Row]) -> str:
    """Named variants as text: one line each, by exercise, with what was said to the mutants."""
    lines = []
    for exercise in dict.fromkeys(row.exercise for row in rows):
        lines.append(exercise)
        for row in (row for row in rows if row.exercise == exercise):
            mark = "  " if row.holds else "!!"
            what = f"[{', '.join(row.concepts)}] {row.messages[0]}" if row.score < 1 else ""
            lines.append(f" {mark} {row.score:4.2f}  {row.variant.name:<28} {what}".rstrip())
    return "\n".join(lines)
