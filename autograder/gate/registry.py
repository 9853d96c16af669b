"""The registry of mutants and alternatives, and the kill table that comes of grading them.

A mutant is a plausible wrong implementation with the concept that its verdict must name; an alternative is a
right one written another way. Modules of this package, one per lesson, register theirs with the decorators.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import solutions
from autograder.gate.concepts import speaks_of
from nas_lib import checks

SEEDS = (101, 202)


@dataclass(frozen=True)
class Variant:
    """One implementation. `make` builds it from the reference namespace, which most do not look at.

    `concept` is what the judge must name, "" for an alternative.
    """

    exercise: str
    name: str
    concept: str
    make: Callable[[Any], Any]

    @property
    def is_mutant(self) -> bool:
        """Wrong on purpose?"""
        return bool(self.concept)


@dataclass(frozen=True)
class Row:
    """What one variant got, over all seeds: its lowest score, and every concept and message that was
    named."""

    variant: Variant
    score: float
    concepts: tuple[str, ...]
    messages: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Did the check do right by this variant, on every seed?

        A mutant has to lose points for its own concept, in words that name it; an alternative none at all.
        """
        if not self.variant.is_mutant:
            return self.score == 1.0
        concept = self.variant.concept
        named = all(speaks_of(message, concept) for message in self.messages)
        return self.score < 1.0 and self.concepts == (concept,) and named


_VARIANTS: dict[str, list[Variant]] = {}


def mutant(exercise: str, *, concept: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a wrong implementation of `exercise`; its verdict must name `concept`.

    Raises:
        ValueError: `concept` is empty.
    """
    if not concept:
        raise ValueError(f"concept must name what is wrong with a mutant of {exercise}, got {concept!r}")
    return _registrar(exercise, concept)


def alternative(exercise: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a right implementation of `exercise`, written another way than the reference."""
    return _registrar(exercise, "")


def _registrar(exercise: str, concept: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(implementation: Callable[..., Any]) -> Callable[..., Any]:
        _add(Variant(exercise, implementation.__name__, concept, lambda reference: implementation))
        return implementation

    return register


def _add(variant: Variant) -> None:
    known = _VARIANTS.setdefault(variant.exercise, [])
    if any(other.name == variant.name for other in known):
        raise ValueError(f"{variant.name!r} is registered twice for {variant.exercise}")
    known.append(variant)


def variants(exercise: str) -> list[Variant]:
    """The registered implementations of an exercise; a concept question's are made from its options.

    Raises:
        ValueError: there is no such exercise.
    """
    item = checks.exercise(exercise)
    if isinstance(item, checks.ConceptQuestion):
        return _answers(item)
    # The lesson's module of this package is called like its module (or package) of checks.
    lesson = type(item).__module__.removeprefix("nas_lib.checks.").partition(".")[0]
    importlib.import_module(f"autograder.mutants.{lesson}")
    return list(_VARIANTS.get(exercise, []))


def _answers(item: checks.ConceptQuestion) -> list[Variant]:
    """Every wrong option, answers of a wrong form, and the right one in other spellings."""

    def made(name: str, concept: str, make: Callable[[str], Any]) -> Variant:
        return Variant(item.name, name, concept, lambda reference: make(getattr(reference, item.name)))

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


def kill_table(lesson: str, seeds: Sequence[int] = SEEDS, reference: Any = None) -> list[Row]:
    """Grade every variant of a lesson's exercises on instances of each seed.

    Args:
        lesson: the lesson's name.
        seeds: of the grading instances.
        reference: the namespace with the reference implementations, by default the lesson's own.
    """
    reference = solutions.load(lesson) if reference is None else reference
    return [
        grade_variant(item, variant, seeds, reference)
        for name, item in checks.exercises(lesson).items()
        for variant in variants(name)
    ]


def grade_variant(item: checks.Exercise, variant: Variant, seeds: Sequence[int], reference: Any) -> Row:
    """Grade one variant on instances of each seed."""
    transport = checks.InProcess({item.name: variant.make(reference)}, seconds=2.0)
    found = [checks.grade(item, transport, reference, seed) for seed in seeds]
    return Row(
        variant,
        min(verdict.score for verdict in found),
        tuple(dict.fromkeys(verdict.concept for verdict in found)),
        tuple(dict.fromkeys(verdict.message for verdict in found)),
    )


def render_rows(rows: Sequence[Row]) -> str:
    """Named variants as text: one line each, by exercise, with what was said to the mutants."""
    lines = []
    for exercise in dict.fromkeys(row.variant.exercise for row in rows):
        lines.append(exercise)
        for row in (row for row in rows if row.variant.exercise == exercise):
            mark = "  " if row.holds else "!!"
            what = f"[{', '.join(row.concepts)}] {row.messages[0]}" if row.score < 1 else ""
            lines.append(f" {mark} {row.score:4.2f}  {row.variant.name:<28} {what}".rstrip())
    return "\n".join(lines)
