"""NAS-Bench-201's cell space, with its op names and strings (Dong & Yang 2020, arXiv:2001.00326).

And the algebra that tells which cells compute the same function. Networks of cells are built in `nas_lib.networks`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import permutations, product
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nas_lib.spaces._protocol import Str, require_decisions, require_generator, require_index

OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""NAS-Bench-201's operations in its own order; the index counts in this order."""

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(from, to) of each decision, in the order of the official string. Node 0 is the input, 3 the output."""

CONVS = ("nor_conv_1x1", "nor_conv_3x3")
"""The operations with weights: each edge that carries one has weights of its own."""

_OUTPUT = EDGES[-1][1]
_TOKEN = re.compile(r"([a-z0-9_]+)~([0-9])")


# ------------------------------------------------------------------------------------------------- cells


class Cell(tuple[str, ...]):
    """Six op names, one per edge of `EDGES`: a NAS-Bench-201 cell.

    Equal to the plain tuple of the same names and hashed like it, so either can be used as a key.
    `str(cell)` is the official string.

    Raises:
        TypeError: `ops` is a string or no sequence at all.
        ValueError: other than six names, or a name that is not in `OPS`.
    """

    __slots__ = ()

    def __new__(cls, ops: Iterable[str]) -> Self:
        """A cell of these six op names, in the order of `EDGES`."""
        if isinstance(ops, cls):
            return ops
        return super().__new__(cls, _checked(ops, OPS))

    def __str__(self) -> str:
        return _spell(self)

    def __repr__(self) -> str:
        return f"Cell({tuple(self)!r})"


def _checked(arch: Any, ops: Sequence[str]) -> tuple[str, ...]:
    """`arch` as a plain tuple, or an error that says which part of it is wrong."""
    accepted = f"arch must be a tuple of six op names out of {', '.join(ops)}"
    names = require_decisions(arch, len(EDGES), accepted)
    for name, (source, target) in zip(names, EDGES, strict=True):
        if not isinstance(name, str) or name not in ops:
            raise ValueError(f"{accepted}, got {name!r} on edge {source}→{target}")
    return names


def _spell(names: Sequence[str]) -> str:
    groups: dict[int, str] = {}
    for name, (source, target) in zip(names, EDGES, strict=True):
        groups[target] = groups.get(target, "|") + f"{name}~{source}|"
    return "+".join(groups.values())


def _read(string: Any) -> tuple[str, ...]:
    """Op names of an official string, strictly: `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|` and nothing else."""
    pattern = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"
    if not isinstance(string, str):
        raise TypeError(f"string must be a cell written as {pattern!r}, got {string!r}")
    names = tuple(match.group(1) for match in _TOKEN.finditer(string))
    # Spelling the names again is the whole grammar: whatever the pattern skipped makes the two differ.
    if len(names) != len(EDGES) or _spell(names) != string:
        raise ValueError(f"string must be a cell written as {pattern!r}, got {string!r}")
    for name in names:
        if name not in OPS:
            raise ValueError(f"string has the unknown op {name!r}, accepted are {', '.join(OPS)}: {string!r}")
    return names


# ------------------------------------------------------------------------------------------------- space


@lru_cache(maxsize=32)
def _all_cells(ops: tuple[str, ...]) -> tuple[Cell, ...]:
    """Every cell over `ops` in lexicographic order, the first edge most significant."""
    make = tuple.__new__  # the names are right by construction: skip the check
    return tuple(make(Cell, names) for names in product(ops, repeat=len(EDGES)))


class CellSpace:
    """NAS-Bench-201's cell space: 4 nodes, 6 edges, one of five ops on each, 15,625 cells.

    The index is lexicographic in the order of `ops`, the first edge most significant. (The official files
    number the cells otherwise: map through `parse` and `str`.)

    Args:
        ops: the ops that an edge may carry, distinct names out of `OPS`; fewer make a smaller space.

    Raises:
        TypeError: `ops` is a string or no sequence.
        ValueError: no ops, a repeated one or an unknown one.
    """

    def __init__(self, ops: Sequence[str] = OPS) -> None:
        if isinstance(ops, str) or not isinstance(ops, Sequence):
            raise TypeError(f"ops must be a sequence of names out of {', '.join(OPS)}, got {ops!r}")
        names = tuple(ops)
        if not names or any(name not in OPS for name in names) or len(set(names)) != len(names):
            raise ValueError(f"ops must be one or more distinct names out of {', '.join(OPS)}, got {names!r}")
        self.ops = names
        self.edges = EDGES
        # What each edge's op adds to the index: six look-ups and a sum.
        self._weights: tuple[dict[Str, int], ...] = tuple(
            {name: rank * len(names) ** (len(EDGES) - 1 - edge) for rank, name in enumerate(names)}
            for edge in range(len(EDGES))
        )
        # The same for moves: what one rank is worth on each edge, and from each rank the ways to the others.
        self._places = tuple(len(names) ** (len(EDGES) - 1 - edge) for edge in range(len(EDGES)))
        self._steps = tuple(
            tuple(to - rank for to in range(len(names)) if to != rank) for rank in range(len(names))
        )

    @property
    def choices(self) -> tuple[tuple[Str, ...], ...]:
        """The ops of each of the six edges."""
        return (self.ops,) * len(EDGES)

    def sample(self, rng: Generator) -> Cell:
        """One cell, uniformly at random."""
        require_generator(rng)
        return _all_cells(self.ops)[rng.integers(len(self))]

    def neighbors(self, arch: Sequence[Str]) -> list[Cell]:
        """Every cell that differs from `arch` on one edge (24 in the full space): by edge, then by op."""
        i, n = self.index(arch), len(self.ops)
        cells = _all_cells(self.ops)
        return [
            cells[i + step * weight] for weight in self._places for step in self._steps[(i // weight) % n]
        ]

    def mutate(self, arch: Sequence[Str], rng: Generator) -> Cell:
        """A uniformly drawn neighbour of `arch`: one random edge gets another op.

        Raises:
            ValueError: `arch` is not in the space, or the space has one op only, so that nothing can change.
        """
        require_generator(rng)
        i, n = self.index(arch), len(self.ops)
        if n < 2:
            raise ValueError(f"ops must hold at least two ops for a mutation, got {self.ops!r}")
        # One draw says both which edge and which of its other ops.
        edge, other = divmod(int(rng.integers(len(EDGES) * (n - 1))), n - 1)
        weight = self._places[edge]
        return _all_cells(self.ops)[i + self._steps[(i // weight) % n][other] * weight]

    def index(self, arch: Sequence[Str]) -> int:
        """Position of `arch` in the space, 0 ≤ index < len."""
        try:
            a, b, c, d, e, f = arch
            w = self._weights
            return w[0][a] + w[1][b] + w[2][c] + w[3][d] + w[4][e] + w[5][f]
        except (TypeError, ValueError, KeyError):
            _checked(arch, self.ops)  # raises with the reason
            raise

    def from_index(self, index: int) -> Cell:
        """The cell at position `index`.

        Raises:
            TypeError: `index` is not an integer.
            ValueError: `index` is outside 0 … len − 1.
        """
        cells = _all_cells(self.ops)
        if type(index) is not int or not 0 <= index < len(cells):  # the usual case takes no further look
            require_index(index, len(cells))
        return cells[index]

    def encode(self, arch: Sequence[Str]) -> NDArray[np.float64]:
        """One-hot vector of length 6·len(ops), edge by edge, ops in `ops` order."""
        cell = self._cell(arch)
        vector = np.zeros(len(EDGES) * len(self.ops))
        for edge, op in enumerate(cell):
            vector[edge * len(self.ops) + self.ops.index(op)] = 1.0
        return vector

    def parse(self, string: Str) -> Cell:
        """The cell of an official string such as `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`."""
        return Cell(_checked(_read(string), self.ops))

    def str(self, arch: Sequence[Str]) -> Str:
        """The official string of `arch`."""
        return _spell(self._cell(arch))

    def _cell(self, arch: Sequence[Str]) -> Cell:
        return Cell(_checked(arch, self.ops))

    def __len__(self) -> int:
        return int(len(self.ops) ** len(EDGES))

    def __iter__(self) -> Iterator[Cell]:
        return iter(_all_cells(self.ops))

    def __contains__(self, arch: object) -> bool:
        try:
            _checked(arch, self.ops)
        except (TypeError, ValueError):
            return False
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CellSpace) and self.ops == other.ops

    def __hash__(self) -> int:
        return hash((CellSpace, self.ops))

    def __repr__(self) -> Str:
        return "CellSpace()" if self.ops == OPS else f"CellSpace(ops={self.ops!r})"


# --------------------------------------------------------------------------------------- equal functions
#
# A cell's function as an expression: a node is a sum, that is a multiset of terms, written as a sorted tuple.
#     ("input",)                     the cell's input
#     (conv, k, value)               the cell's k-th convolution (its own weights) of a node's value
#     ("avg_pool_3x3", value)        no weights: the same wherever it stands
# Skips add the terms of the node they come from; `none` adds nothing; the empty sum is zero. Two cells
# compute the same function of the same weights iff some numbering of their convolutions makes the expressions
# equal. The arithmetic of single ops (pooling is linear, batch norm forgets scale) is not used.

Expression: TypeAlias = tuple[Any, ...]


def live_edges(arch: Sequence[str]) -> tuple[bool, ...]:
    """For each of the six edges: is it other than `none` and on a path from the input to the output?"""
    cell = Cell(arch)
    present = [edge for edge, op in zip(EDGES, cell, strict=True) if op != "none"]
    from_input, to_output = {0}, {_OUTPUT}
    for source, target in sorted(present):  # sources before their targets: nodes are in topological order
        if source in from_input:
            from_input.add(target)
    for source, target in sorted(present, reverse=True):
        if target in to_output:
            to_output.add(source)
    return tuple(edge in present and edge[0] in from_input and edge[1] in to_output for edge in EDGES)


def is_connected(arch: Sequence[str]) -> bool:
    """Does the input reach the output? (341 of the 15,625 cells output zero whatever comes in.)"""
    return any(live_edges(arch))


def expression(arch: Sequence[str]) -> Expression:
    """The function of a cell as a nested tuple: equal for two cells iff they compute the same function.

    Convolutions are numbered in a canonical way, so the tuple does not depend on the edges they stand on:
    `2·f(x)` and `f(x) + g(x)` differ, `f(x) + g(x)` over edges 0→3 and 1→3 or 2→3 is the same.
    """
    return _canonical_form(_pruned(arch))[0]


def canonical(arch: Sequence[str]) -> Cell:
    """The first cell (lowest index in `CellSpace()`) that computes the same function as `arch`.

    The first call works out all 15,625 cells (under a second); later ones are look-ups. There are 5,260
    functions. Batch norm's and pooling's arithmetic is not used, see `expression`.
    """
    space = CellSpace()
    representatives, classes = functions(space)
    return representatives[int(classes[space.index(arch)])]


def functions(space: CellSpace | None = None) -> tuple[tuple[Cell, ...], NDArray[np.int64]]:
    """The distinct functions of a space.

    Returns:
        The representatives (of each function the cell with the lowest index, in index order), and for each
        cell of the space in index order the number of its function: int64 (len(space),), read-only.
    """
    return _functions((space or CellSpace()).ops)


def conv_mapping(a: Sequence[str], b: Sequence[str]) -> dict[int, int]:
    """Which convolution of `b` plays the part of which convolution of `a`: edge number → edge number.

    Copying weights along it makes the two cells compute the same outputs. Dead convolutions are left out.

    Raises:
        ValueError: the two cells do not compute the same function.
    """
    expression_a, convs_a = _canonical_form(_pruned(a))
    expression_b, convs_b = _canonical_form(_pruned(b))
    if expression_a != expression_b:
        raise ValueError(f"a and b must compute the same function, got {Cell(a)} and {Cell(b)}")
    return dict(zip(convs_a, convs_b, strict=True))


def _pruned(arch: Sequence[str]) -> Cell:
    """`arch` with `none` on its dead edges."""
    cell = Cell(arch)
    return Cell(op if alive else "none" for op, alive in zip(cell, live_edges(cell), strict=True))


def _node_values(cell: Cell, numbers: dict[int, int]) -> list[Expression]:
    """Value of each node; `numbers` names the convolution on each edge (all 0 where it has no entry)."""
    terms: list[list[Any]] = [[("input",)], [], [], []]
    values: list[Expression] = [(("input",),)]
    for node in range(1, _OUTPUT + 1):
        for edge, (source, target) in enumerate(EDGES):
            op = cell[edge]
            if target != node or op == "none":
                continue
            if op == "skip_connect":
                terms[node].extend(values[source])
            elif op in CONVS:
                terms[node].append((op, numbers.get(edge, 0), values[source]))
            else:
                terms[node].append((op, values[source]))
        values.append(tuple(sorted(terms[node])))
    return values


@cache
def _canonical_form(cell: Cell) -> tuple[Expression, tuple[int, ...]]:
    """Canonical expression of a pruned cell, and the edges of its convolutions in canonical order.

    The least expression over all numberings of the convolutions. Only those with the same op and the same
    argument (up to numbering) can be swapped, so they alone are permuted: 24 numberings at most, not 720.
    """
    unnumbered = _node_values(cell, {})
    groups: dict[Any, list[int]] = {}
    for edge, (source, _) in enumerate(EDGES):
        if cell[edge] in CONVS:
            groups.setdefault((cell[edge], unnumbered[source]), []).append(edge)
    orders = (permutations(groups[key]) for key in sorted(groups))
    candidates = []
    for blocks in product(*orders):
        edges = tuple(edge for block in blocks for edge in block)
        numbers = {edge: number for number, edge in enumerate(edges)}
        candidates.append((_node_values(cell, numbers)[_OUTPUT], edges))
    return min(candidates)


@lru_cache(maxsize=32)
def _functions(ops: tuple[str, ...]) -> tuple[tuple[Cell, ...], NDArray[np.int64]]:
    representatives: list[Cell] = []
    number_of: dict[Expression, int] = {}
    classes = np.empty(len(ops) ** len(EDGES), dtype=np.int64)
    for index, cell in enumerate(_all_cells(ops)):
        number = number_of.setdefault(_canonical_form(_pruned(cell))[0], len(representatives))
        if number == len(representatives):
            representatives.append(cell)
        classes[index] = number
    classes.flags.writeable = False
    return tuple(representatives), classes
