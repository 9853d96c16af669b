"""Checks of lesson 00: the order of the cell space, and which operations of a cell can influence its output.

All answers are exact. In instances a cell is a word of six letters, one per operation; functions get and give tuples of
names.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator, default_rng

from nas_lib.checks.exercise import Instance, Verdict, fail, show
from nas_lib.checks.questions import ConceptQuestion
from nas_lib.checks.registry import register
from nas_lib.checks.values import Numbers, Part, ValueExercise, apart
from nas_lib.spaces import EDGES, OPS

LESSON = "00_start_here"
LETTERS = {
    "none": "n",
    "skip_connect": "s",
    "nor_conv_1x1": "1",
    "nor_conv_3x3": "3",
    "avg_pool_3x3": "p",
    # No operations of the space, though all but the first are near.
    "max_pool_3x3": "m",
    "nor_conv": "c",
    "None": "N",
    "nor_conv_3x3_bn": "b",
}
NAMES = {letter: name for name, letter in LETTERS.items()}
SHOWN = 160  # characters of a cell in a message


def arch_of(word: str) -> tuple[str, ...]:
    """The cell that a word of letters stands for."""
    # New strings, as a file or a user's input gives them: `is "none"` is no way to compare names.
    return tuple("".join([*NAMES[letter]]) for letter in word)


def word_of(arch: Any) -> Any:
    """A cell (of any length) as a word; what are no names in a row as it is, and text so that it is no word."""
    if isinstance(arch, str):
        return {"text": str(arch)}
    names = arch.tolist() if isinstance(arch, np.ndarray) else arch
    if isinstance(names, (tuple, list)) and all(isinstance(name, str) and name in LETTERS for name in names):
        return "".join(LETTERS[name] for name in names)
    return arch


def _others(letter: str) -> list[str]:
    return [LETTERS[name] for name in OPS if LETTERS[name] != letter]


def words(rng: Generator, count: int) -> list[str]:
    """Cells that are drawn uniformly."""
    return ["".join(row) for row in rng.choice([LETTERS[name] for name in OPS], (count, len(EDGES))).tolist()]


class OfCells(ValueExercise):
    """A whole number for each of an instance's cells."""

    returns = "int"
    parts: ClassVar = (Numbers(concept="wrong-number"),)

    def cells(self, rng: Generator) -> list[tuple[str, Sequence[str]]]:
        """(what is special, words) of the instances."""
        raise NotImplementedError

    def instances(self, seed: int) -> list[Instance]:
        """The cells, and what is none: an unknown operation on each edge, too few, too many."""
        rng = default_rng(seed)
        cells = [
            {"cells": list(some)} | ({"about": about} if about else {}) for about, some in self.cells(rng)
        ]
        [word] = words(rng, 1)
        bad = [
            *(
                ("an unknown op ('max_pool_3x3')", f"{word[:edge]}m{word[edge + 1 :]}")
                for edge in range(len(EDGES))
            ),
            ("an unknown op ('max_pool_3x3') that leads nowhere", "nnnsmn"),
            ("an unknown op ('nor_conv')", f"{word[:-1]}c"),
            ("an unknown op ('None')", f"{word[:-1]}N"),
            ("an unknown op ('nor_conv_3x3_bn')", f"{word[:-1]}b"),
            ("a cell of five ops", word[:-1]),
            ("a cell of seven ops", word + words(rng, 1)[0][0]),
            ("a cell of twelve ops", word + word),
            ("a cell without ops", ""),
        ]
        return [*cells, *({"bad": phrase, "cells": [one]} for phrase, one in bad)]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """What the function says of each cell."""
        return [fn(arch_of(word)) for word in instance["cells"]]

    def case(self, instance: Instance, part: Part, at: int, right: Any) -> str:
        """The call."""
        return f"{self.name}({show(arch_of(instance['cells'][at]), SHOWN)})"

    def shown(self, instance: Instance, part: Part, found: Any, right: Any) -> Verdict:
        """The first cell whose number differs."""
        if found.shape != right.shape:
            return super().shown(instance, part, found, right)
        at = int(np.argmax(found != right))
        one, other = apart(found[at].item(), right[at].item())
        return fail(part.concept, f"{self.case(instance, part, at, right)} is {one}, should be {other}")


class CellIndex(OfCells):
    """`cell_index(arch)`."""

    name, lesson = "cell_index", LESSON

    def cells(self, rng: Generator) -> list[tuple[str, Sequence[str]]]:
        """Random cells; one with each of its edges changed in turn, so that none can be left out; the two ends."""
        some = words(rng, 24)
        changed = [
            f"{some[0][:edge]}{rng.choice(_others(one))}{some[0][edge + 1 :]}"
            for edge, one in enumerate(some[0])
        ]
        ends = [LETTERS[OPS[0]] * len(EDGES), LETTERS[OPS[-1]] * len(EDGES)]
        return [("", [*some, *changed]), ("the first and the last cell", ends)]


class CountActiveOps(OfCells):
    """`count_active_ops(arch)`: every pattern of present and missing edges."""

    name, lesson = "count_active_ops", LESSON
    parts: ClassVar = (Numbers(concept="wrong-count"),)

    def cells(self, rng: Generator) -> list[tuple[str, Sequence[str]]]:
        """All 64 patterns, with drawn operations; and all operations alike."""
        present = [LETTERS[name] for name in OPS if name != "none"]
        patterns = np.array(list(np.ndindex(*[2] * len(EDGES))))
        drawn = np.where(patterns > 0, rng.choice(present, patterns.shape), LETTERS["none"])
        alike = [LETTERS[name] * len(EDGES) for name in OPS]
        return [("", ["".join(row) for row in rng.permutation(drawn).tolist()]), ("all edges alike", alike)]


class CellFromIndex(ValueExercise):
    """`cell_from_index(i)`."""

    name, lesson, returns = "cell_from_index", LESSON, "arch"
    parts: ClassVar = (Part(what="the cell", concept="wrong-cell", exact=True),)

    def instances(self, seed: int) -> list[Instance]:
        """Numbers of one digit to six, the two ends, numbers from NumPy, and numbers outside."""
        rng = default_rng(seed)
        last = len(OPS) ** len(EDGES) - 1
        sizes = [len(OPS) ** power for power in range(len(EDGES) + 1)]
        numbers = [int(rng.integers(low, high)) for low, high in pairwise(sizes)]
        numbers += [int(one) for one in rng.integers(sizes[-2], last, 10)]
        return [
            {"numbers": numbers},
            {"numbers": [0, last], "about": "the first and the last number"},
            {"numbers": numbers[-3:], "numpy": True, "about": "NumPy's integers"},
            {"bad": f"number {last + 1}, one beyond the last,", "numbers": [last + 1]},
            {"bad": "a number far beyond the last", "numbers": [last + int(rng.integers(2, 5 * last))]},
            {"bad": "number -1", "numbers": [-1]},
            {"bad": "a number far below 0", "numbers": [-int(rng.integers(2, last))]},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The cell of each number, as a word."""
        kind = np.int64 if instance.get("numpy") else int
        return [word_of(fn(kind(number))) for number in instance["numbers"]]

    def case(self, instance: Instance, part: Part, at: int, right: Any) -> str:
        """The call."""
        return f"{self.name}({instance['numbers'][at]})"

    def entry(self, value: Any) -> str:
        """The cell."""
        return show(self.returned(value), SHOWN)

    def shown(self, instance: Instance, part: Part, found: Any, right: Any) -> Verdict:
        """The first number whose cell differs."""
        if type(found) is not list or len(found) != len(right):
            return super().shown(instance, part, found, right)
        at = next(at for at, pair in enumerate(zip(found, right)) if pair[0] != pair[1])
        one, other = self.returned(found[at]), arch_of(right[at])
        if one is None:
            return fail("returns-nothing", f"{self.name} returned None: is there a return statement?")
        return fail(
            part.concept,
            f"{self.case(instance, part, at, right)} is {show(one, SHOWN)}, should be {show(other, SHOWN)}",
        )

    def returned(self, value: Any) -> Any:
        """The cell that a word stands for, or what else came back."""
        found = super().returned(value)
        if type(value) is dict:
            return value.get("text")
        return arch_of(found) if type(found) is str else found


register(
    CellIndex(),
    CellFromIndex(),
    CountActiveOps(),
    *(ConceptQuestion(f"concept_00_{number}", LESSON) for number in (1, 2, 3)),
)
