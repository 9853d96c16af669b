"""Checks of lesson 00: the order of the cell space, and which operations of a cell can influence its output.

All answers are exact, so nothing here is statistical. Each instance varies with the seed and holds the cells
on which the usual mistakes (another order of edges or operations, one-sided reachability) give another
number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nas_lib.checks._mistakes import raised
from nas_lib.checks.exercise import RIGHT, Answer, Exercise, Instance, Unacceptable, Verdict, show
from nas_lib.checks.judging import BAD_INPUT
from nas_lib.checks.questions import ConceptQuestion
from nas_lib.checks.registry import register
from nas_lib.judges.reading import cell, integers, rows
from nas_lib.spaces import EDGES, OPS, is_connected, live_edges

LESSON = "00_start_here"
SIZE = len(OPS) ** len(EDGES)
_ALPHABETICAL = tuple(sorted(OPS))


def random_cells(rng: np.random.Generator, count: int, none: float = 1 / len(OPS)) -> list[list[str]]:
    """`count` cells, each edge `none` with that probability, the other ops alike."""
    weights = [none] + [(1 - none) / (len(OPS) - 1)] * (len(OPS) - 1)
    return [
        [OPS[digit] for digit in row] for row in rng.choice(len(OPS), size=(count, len(EDGES)), p=weights)
    ]


def _translated(arch: Sequence[str]) -> list[str]:
    """The cell whose number is the one that `arch` gets where operations are sorted by name."""
    return [OPS[_ALPHABETICAL.index(name)] for name in arch]


def bad_cells(rng: np.random.Generator) -> list[Instance]:
    """Cells that are none: an unknown op, too few ops, too many."""
    arch = random_cells(rng, 1)[0]
    unknown = list(arch)
    unknown[int(rng.integers(len(EDGES)))] = "max_pool_3x3"
    return [
        {"bad": "an unknown op ('max_pool_3x3')", "archs": [unknown]},
        {"bad": "a cell of five ops", "archs": [arch[:-1]]},
        {"bad": "a cell of seven ops", "archs": [[*arch, OPS[int(rng.integers(len(OPS)))]]]},
    ]


class _OfCells(Exercise):
    """What `cell_index` and `count_active_ops` share: one whole number for each of the instance's cells."""

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """What the learner's function says of each cell."""
        archs = [tuple(arch) for arch in instance["archs"]]
        if "bad" in instance:
            return raised(lambda: fn(archs[0]))
        return [fn(arch) for arch in archs]


# ----------------------------------------------------------------------------------------------- the index


class CellIndex(_OfCells):
    """`cell_index(arch)`: exact integers on cells that tell orders apart."""

    name, lesson = "cell_index", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """Random cells, each with its mirror image and its image under sorted op names; the first and the
        last; bad ones."""
        rng = np.random.default_rng(seed)
        cells = [
            image
            for one in random_cells(rng, 12)
            for image in (one, one[::-1], _translated(one), _translated(one)[::-1])
        ]
        # One cell with each of its edges changed in turn: no edge can be left out unnoticed.
        cells += [
            [*one[:edge], OPS[(OPS.index(one[edge]) + 1) % len(OPS)], *one[edge + 1 :]]
            for one in cells[:1]
            for edge in range(len(EDGES))
        ]
        ends = [[OPS[0]] * len(EDGES), [OPS[-1]] * len(EDGES)]
        return [{"archs": cells}, {"archs": ends, "about": "the first and the last cell"}, *bad_cells(rng)]

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Exact; the reference's numbers of the images tell which other order was used."""
        archs = [tuple(arch) for arch in instance["archs"]]
        found, whole = integers(answer.value, len(archs), "cell_index")
        right = integers(expected.value, len(archs), "cell_index")[0]
        if found == right:
            return RIGHT if whole else _not_an_int(found[0])
        numbers = dict(zip(archs, right))

        def counts_in(image: Callable[[Sequence[str]], Sequence[str]]) -> bool:
            """Does every cell get the number of its image, as far as the image is among the cells?"""
            pairs = [(one, numbers.get(tuple(image(arch)))) for arch, one in zip(archs, found)]
            known = [one == other for one, other in pairs if other is not None]
            return len(known) > 2 and all(known)

        if counts_in(lambda arch: arch[::-1]):
            return Verdict(
                0.0,
                "edge-order",
                "the last edge counts most here: the first edge is the most significant digit",
            )
        if counts_in(_translated) or counts_in(lambda arch: _translated(arch)[::-1]):
            return Verdict(
                0.0, "op-order", "operations are sorted by name here: the space counts in the order of `OPS`"
            )
        if found == [SIZE - 1 - value for value in right]:
            return Verdict(
                0.0, "op-order", "operations count backwards here: the space counts in the order of `OPS`"
            )
        shifts = {one - other for one, other in zip(found, right)}
        if shifts in ({1}, {-1}):
            return Verdict(0.0, "off-by-one", "every number is off by one: the first cell has number 0")
        # The reference's number in base 5 are the cell's digits; some other base read them.
        if any(
            found == [int(np.base_repr(value, len(OPS)), base) for value in right]
            for base in (6, 7, 8, 9, 10)
        ):
            return Verdict(
                0.0,
                "wrong-base",
                f"the digits are right, the base is not: {len(OPS)} operations per edge, so base {len(OPS)}",
            )
        if any(not 0 <= value < SIZE for value in found):
            value = next(value for value in found if not 0 <= value < SIZE)
            return Verdict(
                0.0, "out-of-range", f"{show(value)} is no number of a cell: they run from 0 to {SIZE - 1}"
            )
        if len(set(found)) < len(set(archs)):
            return Verdict(
                0.0, "not-one-to-one", "two different cells get the same number: do all six edges count?"
            )
        return _first_difference("wrong-number", "cell_index", archs, found, right)


def _not_an_int(value: Any) -> Verdict:
    return Verdict(
        1 - BAD_INPUT,
        "not-an-int",
        f"{show(value)} is right, but a float; numbers of things are ints: use // or int()",
    )


def _first_difference(
    concept: str, name: str, given: Sequence[Any], found: Sequence[Any], right: Sequence[Any]
) -> Verdict:
    at = next(at for at, (one, other) in enumerate(zip(found, right)) if one != other)
    return Verdict(
        0.0,
        concept,
        f"{name}({show(given[at], 160)}) is {show(found[at], 160)}, should be {show(right[at], 160)}",
    )


class CellFromIndex(Exercise):
    """`cell_from_index(i)`: exact cells, with neighbouring numbers among them."""

    name, lesson = "cell_from_index", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """Random runs of three neighbouring numbers, the two ends, and numbers outside."""
        rng = np.random.default_rng(seed)
        # In fives, so that no two runs touch; two runs among the small numbers, whose first digits are zeros.
        small = rng.choice(np.arange(1, 25), size=2, replace=False)
        large = rng.choice(np.arange(125, SIZE // 5), size=6, replace=False)
        middle = np.concatenate([small, large]) * 5 + rng.integers(1, 4, size=8)
        numbers = [int(number) + step for number in middle for step in (-1, 0, 1)]
        return [
            {"numbers": numbers},
            {"numbers": [0, SIZE - 1], "about": "the first and the last number"},
            {"bad": f"number {SIZE}, one beyond the last,", "numbers": [SIZE]},
            {"bad": "a number far beyond the last", "numbers": [SIZE + int(rng.integers(1, 5 * SIZE))]},
            {"bad": "number -1", "numbers": [-1]},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The cell of each number."""
        if "bad" in instance:
            return raised(lambda: fn(instance["numbers"][0]))
        return [fn(number) for number in instance["numbers"]]

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Exact; the reference's neighbours tell an offset."""
        numbers = instance["numbers"]
        given = rows(answer.value, len(numbers), "cell_from_index")
        right = [cell(one) for one in expected.value]
        if all(type(one) is list and one and all(type(digit) is int for digit in one) for one in given):
            raise Unacceptable(
                "digits-not-names", "these are positions in `OPS`; a cell holds the names: OPS[digit]"
            )
        found = [cell(one) for one in given]
        if found == right:
            return RIGHT
        if found == [one[::-1] for one in right]:
            return Verdict(
                0.0,
                "edge-order",
                "the cells come out back to front: divmod gives the last edge's digit first",
            )
        if found == [tuple(_ALPHABETICAL[OPS.index(name)] for name in one) for one in right]:
            return Verdict(
                0.0, "op-order", "operations are sorted by name here: the space counts in the order of `OPS`"
            )
        known = dict(zip(numbers, right))
        for step in (1, -1):
            pairs = [
                (one, known[number + step]) for number, one in zip(numbers, found) if number + step in known
            ]
            if pairs and all(one == other for one, other in pairs):
                return Verdict(
                    0.0,
                    "off-by-one",
                    f"number i gives the cell of number i{step:+d}: the first cell has number 0",
                )
        digits = [list(np.base_repr(number, len(OPS))) for number in numbers]
        short = [tuple(OPS[int(digit)] for digit in one) for one in digits]
        if all(one[: len(names)] == names for one, names in zip(found, short)):
            return Verdict(
                0.0,
                "lost-zeros",
                "leading zeros are lost: a small number has six digits as well, the first of them zeros",
            )
        if len(set(found)) < len(set(numbers)):
            return Verdict(
                0.0, "not-one-to-one", "two different numbers give the same cell: do all six digits come out?"
            )
        return _first_difference("wrong-cell", "cell_from_index", numbers, found, right)


# ------------------------------------------------------------------------------------------ active operations

# Kinds of cells. Which of them come out wrong tells which half of the definition is missing.
KINDS = ("full", "live", "unfed", "unheard", "both", "disconnected")


def _kind(arch: Sequence[str]) -> str:
    """full: no `none`. live: every operation active. unfed, unheard, both: some operation is not reached by
    the input, does not reach the output, or there are both. disconnected: nothing is active."""
    live = live_edges(arch)
    dead = [edge for edge, name, alive in zip(EDGES, arch, live) if name != "none" and not alive]
    if not any(live):
        return "disconnected"
    if not dead:
        return "live" if "none" in arch else "full"
    fed = [source in _fed(arch) for source, _ in dead]
    return "unheard" if all(fed) else "both" if any(fed) else "unfed"


def _fed(arch: Sequence[str]) -> set[int]:
    """Nodes that the input reaches: those from which a single edge to the output would connect the cell."""
    found = {0}
    for node in (1, 2):
        bridge = ["skip_connect" if source == node else "none" for source in range(3)]
        if is_connected([*arch[:3], *bridge]):
            found.add(node)
    return found


def _dead_chains(rng: np.random.Generator) -> list[list[str]]:
    """Cells in which two dead operations in a row keep each other company: 0→1→2 leading nowhere, 1→2→3 from
    nowhere."""
    cells = []
    for dead in ((0, 2), (2, 5)):
        arch = [str(op) for op in rng.choice(OPS[1:], size=len(EDGES))]
        cells.append([name if edge in (*dead, 3) else "none" for edge, name in enumerate(arch)])
    return cells


def _one_step(arch: Sequence[str]) -> int:
    """The count of operations with some operation, or the cell's end, right before and right after."""
    edges = [edge for edge, name in zip(EDGES, arch) if name != "none"]
    starts, ends = {3} | {source for source, _ in edges}, {0} | {target for _, target in edges}
    return sum(source in ends and target in starts for source, target in edges)


class CountActiveOps(_OfCells):
    """`count_active_ops(arch)`: exact counts, by kind of cell, so that the kinds that fail name the
    mistake."""

    name, lesson = "count_active_ops", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """Six cells of each kind, the cells of nothing and of skips only, and bad ones."""
        rng = np.random.default_rng(seed)
        found: dict[str, list[list[str]]] = {kind: [] for kind in KINDS}
        while any(len(archs) < 6 for archs in found.values()):
            for arch in random_cells(rng, 20, none=float(rng.choice([0.0, 0.3, 0.5, 0.6]))):
                archs = found[_kind(arch)]
                if len(archs) < 6 and arch not in archs:
                    archs.append(arch)
        ends = [["none"] * len(EDGES), ["skip_connect"] * len(EDGES)]
        archs = [arch for kind in found.values() for arch in kind] + _dead_chains(rng) + ends
        return [{"archs": archs}, *bad_cells(rng)]

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Exact; what is counted wrongly, and in which kinds of cells, names the mistake."""
        archs = [tuple(arch) for arch in instance["archs"]]
        found, whole = integers(answer.value, len(archs), "count_active_ops")
        right = integers(expected.value, len(archs), "count_active_ops")[0]
        if found == right:
            return RIGHT if whole else _not_an_int(found[0])
        wrong = {_kind(arch) for arch, one, other in zip(archs, found, right) if one != other}
        present = [sum(name != "none" for name in arch) for arch in archs]
        example = _first_difference("", "count_active_ops", archs, found, right).message

        def verdict(concept: str, message: str) -> Verdict:
            return Verdict(0.0, concept, f"{message}: {example}")

        if found == [len(EDGES)] * len(archs):
            return verdict("counts-none", "`none` is no operation")
        if found == present:
            return verdict("counts-dead-ops", "operations on no path from input to output are counted too")
        if found == [count - sum(live) for arch, count in zip(archs, present) for live in [live_edges(arch)]]:
            return verdict("counts-the-dead", "the dead operations are counted, not the active ones")
        for skipped in ("skip_connect", "avg_pool_3x3"):
            if found == [_without(arch, count, {skipped}) for arch, count in zip(archs, right)]:
                return verdict("ignores-an-op", f"{skipped} is an operation and counts")
        if found == [
            _without(arch, count, {"skip_connect", "avg_pool_3x3"}) for arch, count in zip(archs, right)
        ]:
            return verdict("ignores-an-op", "operations without weights count as well")
        if found == [min(count, 1) for count in right] or set(found) <= {0, 1}:
            return verdict(
                "says-connected", "this only says whether the cell is connected: count its active operations"
            )
        if "full" in wrong or "live" in wrong:
            return verdict("misses-active-ops", "active operations are missed or counted twice")
        if found == [_one_step(arch) for arch in archs]:
            return verdict(
                "one-step-only", "follow paths to their ends: looking at the next edges only is not enough"
            )
        if all(one >= other for one, other in zip(found, right)) and "unfed" not in wrong:
            return verdict("forgets-the-output", "an operation must also lead on to the output")
        if all(one >= other for one, other in zip(found, right)) and "unheard" not in wrong:
            return verdict("forgets-the-input", "an operation must also be fed by the input")
        return verdict("wrong-count", "the count is wrong")


def _without(arch: Sequence[str], count: int, ops: set[str]) -> int:
    """The count without the active operations that are among `ops`."""
    return count - sum(name in ops for name, alive in zip(arch, live_edges(arch)) if alive)


register(
    CellIndex(),
    CellFromIndex(),
    CountActiveOps(),
    *(ConceptQuestion(f"concept_00_{number}", LESSON) for number in (1, 2, 3)),
)
