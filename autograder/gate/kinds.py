"""Which exercise has mistakes of which kind, and why it has none where there are none (`solutions.mistakes.kinds`).

Two kinds are tried by the framework itself, on every exercise: a trap is a case with a name, which comes with every
seed, so that no class gets another one; and `nas-course sweep` tries all of the library as the answer. These count
beside the rows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from operator import and_

from autograder.gate.registry import variants
from nas_lib import checks
from nas_lib.checks import ConceptQuestion, Exercise
from solutions.mistakes import everywhere
from solutions.mistakes.kinds import KINDS, kind_of

SEEDS = (101, 202)
NUMBER = re.compile(r"\d[\d.,]*(e[-+]?\d+)?")


@dataclass(frozen=True)
class Place:
    """What tries one kind of mistake on one exercise.

    Args:
        exercise, kind: where.
        rows: so many usual mistakes.
        traps: so many cases that come with every seed; 0 where these try another kind.
        swept: the whole library is tried as the answer.
        reason: why there is nothing to try; "" where none is given.
    """

    exercise: str
    kind: str
    rows: int
    traps: int = 0
    swept: bool = False
    reason: str = ""

    @property
    def filled(self) -> bool:
        """Is the kind tried here?"""
        return bool(self.rows or self.traps or self.swept)

    def __str__(self) -> str:
        said = [str(self.rows)] if self.rows else []
        said += [f"{self.traps} traps"] if self.traps else []
        return ", ".join(said + ["swept"] * self.swept) or "–"


def functions(lesson: str) -> list[Exercise]:
    """The exercises of a lesson that are no question."""
    return [one for one in checks.exercises(lesson).values() if not isinstance(one, ConceptQuestion)]


def places(lesson: str) -> list[Place]:
    """The places of a lesson, exercise by exercise, in the order of the kinds."""
    found = []
    for item in functions(lesson):
        rows = Counter(kind_of(item.name, one.concept) for one in variants(item.name) if one.is_wrong)
        for kind in KINDS:
            reasons = [why for why, names in KINDS[kind].absent.items() if item.name in names.split()]
            named_cases = traps(item) if kind == "luck" else 0
            place = Place(item.name, kind, rows[kind], named_cases, kind == "reach", "; ".join(reasons))
            found.append(place)
    return found


def traps(item: Exercise) -> int:
    """How many named cases (special ones, and bad input) come with every seed, whatever numbers are drawn for them."""
    return reduce(and_, (named(item, seed) for seed in SEEDS)).total()


@cache
def named(item: Exercise, seed: int) -> Counter[str]:
    """The names of an exercise's cases on a seed, numbers left out."""
    said = (one.get("bad") or one.get("about") for one in checks.instances_of(item, seed))
    return Counter(NUMBER.sub("#", name) for name in said if name)


def faults(found: Sequence[Place]) -> list[str]:
    """Places without mistakes and without a reason, and reasons where there are mistakes; one sentence each."""
    said = []
    for one in found:
        what = f"of the kind {one.kind!r} ({KINDS[one.kind].what})"
        if not one.filled and not one.reason:
            said.append(f"{one.exercise} has no mistake {what}, and no reason is given")
        if one.filled and one.reason:
            said.append(f"{one.exercise} has mistakes {what}, and a reason why not: {one.reason}")
    return said


def strangers() -> Iterator[str]:
    """What is declared and belongs to nothing: concepts of no mistake, or of two kinds, and unknown exercises."""
    items = [item for lesson in checks.lessons() for item in functions(lesson)]
    names = {item.name for item in items}
    used = {(item.name, one.concept) for item in items for one in variants(item.name)}
    concepts = {concept for _, concept in used} | {f"{name}.{concept}" for name, concept in used}
    for concept, count in Counter(one for kind in KINDS.values() for one in kind.concepts.split()).items():
        if concept not in concepts:
            yield f"no mistake has the concept {concept}"
        if count > 1:
            yield f"{concept} has {count} kinds"
    declared = [kind.absent for kind in KINDS.values()] + list(everywhere.NOT_AT.values())
    for name in {
        name for absent in declared for listed in absent.values() for name in listed.split()
    } - names:
        yield f"there is no exercise {name}"


def render(lesson: str, found: Sequence[Place]) -> str:
    """The table of a lesson, a line for each exercise, and the reasons of its empty places below it."""
    lines = [[lesson, *KINDS]]
    for name in dict.fromkeys(one.exercise for one in found):
        lines.append([name, *(str(one) for one in found if one.exercise == name)])
    widths = [max(map(len, column)) for column in zip(*lines)]
    table = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    empty: dict[str, list[str]] = {}
    for one in found:
        if not one.filled:
            empty.setdefault(f"  – {one.kind}: {one.reason or '!! no reason'}", []).append(one.exercise)
    return "\n".join(table + [f"{why} ({', '.join(names)})" for why, names in empty.items()])
