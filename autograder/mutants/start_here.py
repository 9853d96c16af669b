"""Wrong and right implementations of lesson 00's exercises."""

# Learners write no type hints, and some of these are wrong about types on purpose.
# mypy: ignore-errors

from __future__ import annotations

import functools
import itertools

import numpy as np

from autograder.gate.concepts import says
from autograder.gate.registry import alternative, mutant
from nas_lib.spaces import EDGES, OPS, CellSpace, live_edges

says(
    {
        "edge-order": r"the last edge counts most|back to front",
        "op-order": r"sorted by name|operations count backwards",
        "wrong-base": r"the base is not",
        "out-of-range": r"is no number of a cell",
        "not-one-to-one": r"two different (cells|numbers)",
        "digits-not-names": r"a cell holds the names",
        "lost-zeros": r"leading zeros",
        "counts-dead-ops": r"on no path from input to output",
        "forgets-the-output": r"must also lead on to the output",
        "forgets-the-input": r"must also be fed by the input",
        "one-step-only": r"follow paths to their ends",
        "ignores-an-op": r"counts?( as well)?:",
        "counts-the-dead": r"dead operations are counted",
        "counts-none": r"`none` is no operation",
        "says-connected": r"whether the cell is connected",
        "misses-active-ops": r"active operations are missed",
    }
)


def _validated(arch):
    if len(arch) != 6 or not set(arch) <= set(OPS):
        raise ValueError(f"arch must be six op names, got {arch!r}")


# -------------------------------------------------------------------------------------------- cell_index


@alternative("cell_index")
def index_by_horner(arch):
    _validated(arch)
    return functools.reduce(lambda number, name: number * 5 + OPS.index(name), arch, 0)


@alternative("cell_index")
def index_by_dot_product(arch):
    _validated(arch)
    digits = np.array([OPS.index(name) for name in arch])
    return digits @ (5 ** np.arange(6)[::-1])  # a numpy integer


@alternative("cell_index")
def index_by_parsing_base_5(arch):
    _validated(arch)
    return int("".join(str(OPS.index(name)) for name in arch), 5)


@alternative("cell_index")
def index_by_ravel(arch):
    digits = [
        {name: digit for digit, name in enumerate(OPS)}[name] for name in arch
    ]  # a KeyError names the op
    return np.ravel_multi_index(digits, (len(OPS),) * len(EDGES))


@alternative("cell_index")
def index_by_recursion(arch):
    _validated(arch)

    def number(names):
        return 0 if not names else number(names[:-1]) * 5 + OPS.index(names[-1])

    return number(tuple(arch))


@mutant("cell_index", concept="edge-order")
def last_edge_counts_most(arch):
    _validated(arch)
    return sum(OPS.index(name) * 5**place for place, name in enumerate(arch))


@mutant("cell_index", concept="op-order")
def alphabetical_ops(arch):
    _validated(arch)
    return functools.reduce(lambda number, name: number * 5 + sorted(OPS).index(name), arch, 0)


@mutant("cell_index", concept="op-order")
def alphabetical_ops_and_last_edge_first(arch):
    _validated(arch)
    return sum(sorted(OPS).index(name) * 5**place for place, name in enumerate(arch))


@mutant("cell_index", concept="op-order")
def ops_from_the_last_to_the_first(arch):
    _validated(arch)
    return functools.reduce(lambda number, name: number * 5 + OPS[::-1].index(name), arch, 0)


@mutant("cell_index", concept="off-by-one")
def counts_from_one(arch):
    _validated(arch)
    return 1 + functools.reduce(lambda number, name: number * 5 + OPS.index(name), arch, 0)


@mutant("cell_index", concept="wrong-base")
def base_six(arch):
    _validated(arch)
    return functools.reduce(lambda number, name: number * len(EDGES) + OPS.index(name), arch, 0)


@mutant("cell_index", concept="wrong-base")
def decimal_digits(arch):
    _validated(arch)
    return int("".join(str(OPS.index(name)) for name in arch))


@mutant("cell_index", concept="out-of-range")
def digits_from_one(arch):
    _validated(arch)
    return functools.reduce(lambda number, name: number * 5 + OPS.index(name) + 1, arch, 0)


@mutant("cell_index", concept="not-one-to-one")
def forgets_the_last_edge(arch):
    _validated(arch)
    return functools.reduce(lambda number, name: number * 5 + OPS.index(name), arch[:-1], 0)


@mutant("cell_index", concept="accepts-bad-input")
def unknown_ops_count_as_minus_one(arch):
    return sum(
        "".join(OPS).find(name) * 0 + (OPS.index(name) if name in OPS else -1) * 5 ** (5 - i)
        for i, name in enumerate(arch)
    )


@mutant("cell_index", concept="accepts-bad-input")
def takes_shorter_cells(arch):
    return functools.reduce(lambda number, name: number * 5 + OPS.index(name), arch, 0)


@mutant("cell_index", concept="accepts-bad-input")
def takes_longer_cells(arch):
    if len(arch) < 6:
        raise ValueError(f"arch must be six op names, got {arch!r}")
    return functools.reduce(lambda number, name: number * 5 + OPS.index(name), arch, 0)


@mutant("cell_index", concept="not-an-int")
def float_index(arch):
    _validated(arch)
    return float(sum(OPS.index(name) * 5.0 ** (5 - place) for place, name in enumerate(arch)))


@mutant("cell_index", concept="wrong-type")
def returns_text(arch):
    _validated(arch)
    return "".join(str(OPS.index(name)) for name in arch)


@mutant("cell_index", concept="returns-nothing")
def prints_the_index(arch):
    _validated(arch)
    int("".join(str(OPS.index(name)) for name in arch), 5)


@mutant("cell_index", concept="uses-the-library")
def asks_the_library_for_the_index(arch):
    return CellSpace().index(arch)


# --------------------------------------------------------------------------------------- cell_from_index


def _in_range(i):
    if not 0 <= i < 15_625:
        raise ValueError(f"i must be from 0 to 15624, got {i!r}")


def _digits(i, base=5):
    return [i // base**place % base for place in range(5, -1, -1)]


@alternative("cell_from_index")
def from_powers(i):
    _in_range(i)
    return tuple(OPS[digit] for digit in _digits(i))


@alternative("cell_from_index")
def from_unravel(i):
    _in_range(i)
    return [OPS[digit] for digit in np.unravel_index(i, (5,) * 6)]  # a list


@alternative("cell_from_index")
def from_enumeration(i):
    _in_range(i)
    return next(itertools.islice(itertools.product(OPS, repeat=6), i, None))


@alternative("cell_from_index")
def from_string_of_digits(i):
    _in_range(i)
    return tuple(np.array(OPS)[[int(digit) for digit in np.base_repr(i, 5).zfill(6)]])  # numpy strings


@mutant("cell_from_index", concept="edge-order")
def back_to_front(i):
    _in_range(i)
    return tuple(OPS[digit] for digit in _digits(i)[::-1])


@mutant("cell_from_index", concept="op-order")
def from_alphabetical_ops(i):
    _in_range(i)
    return tuple(sorted(OPS)[digit] for digit in _digits(i))


@mutant("cell_from_index", concept="off-by-one")
def from_one_based_number(i):
    _in_range(i)
    return tuple(OPS[digit] for digit in _digits(max(i - 1, 0)))


@mutant("cell_from_index", concept="digits-not-names")
def digits_only(i):
    _in_range(i)
    return tuple(_digits(i))


@mutant("cell_from_index", concept="not-one-to-one")
def last_digit_is_lost(i):
    _in_range(i)
    names = []
    for _ in EDGES:
        i = i // 5
        names.append(OPS[i % 5])
    return tuple(reversed(names))


@mutant("cell_from_index", concept="lost-zeros")
def leading_zeros_are_lost_to_the_end(i):
    _in_range(i)
    digits = [int(digit) for digit in np.base_repr(i, 5)]
    return tuple(OPS[digit] for digit in digits + [0] * (6 - len(digits)))


@mutant("cell_from_index", concept="lost-zeros")
def as_many_ops_as_digits(i):
    _in_range(i)
    return tuple(OPS[int(digit)] for digit in np.base_repr(i, 5))


@mutant("cell_from_index", concept="accepts-bad-input")
def only_just_beyond_is_wrong(i):
    if i in (-1, 15_625):
        raise ValueError(f"i must be from 0 to 15624, got {i!r}")
    return tuple(OPS[digit] for digit in _digits(i))


@mutant("cell_from_index", concept="raises")
def base_six_digits(i):
    _in_range(i)
    return tuple(OPS[digit] for digit in _digits(i, base=6))


@mutant("cell_from_index", concept="accepts-bad-input")
def wraps_around(i):
    return tuple(OPS[digit] for digit in _digits(i))


@mutant("cell_from_index", concept="accepts-bad-input")
def negative_numbers_count_from_the_end(i):
    return list(itertools.product(OPS, repeat=6))[i]


@mutant("cell_from_index", concept="wrong-type")
def official_string(i):
    _in_range(i)
    return CellSpace().str(tuple(OPS[digit] for digit in _digits(i)))


@mutant("cell_from_index", concept="uses-the-library")
def asks_the_library_for_the_cell(i):
    return CellSpace().from_index(i)


# -------------------------------------------------------------------------------------- count_active_ops


def _present(arch):
    _validated(arch)
    return [edge for edge, name in zip(EDGES, arch) if name != "none"]


@alternative("count_active_ops")
def by_enumerating_paths(arch):
    present = set(_present(arch))
    paths = [[(0, 3)], [(0, 1), (1, 3)], [(0, 2), (2, 3)], [(0, 1), (1, 2), (2, 3)]]
    return len({edge for path in paths if set(path) <= present for edge in path})


@alternative("count_active_ops")
def by_recursive_search(arch):
    present = _present(arch)

    def reaches(source, target):
        return source == target or any(a == source and reaches(b, target) for a, b in present)

    return sum(reaches(0, a) and reaches(b, 3) for a, b in present)


@alternative("count_active_ops")
def by_matrix_closure(arch):
    adjacency = np.eye(4, dtype=np.int64)
    for a, b in _present(arch):
        adjacency[a, b] = 1
    closure = np.linalg.matrix_power(adjacency, 4) > 0
    return np.int64(sum(closure[0, a] and closure[b, 3] for a, b in _present(arch)))


@alternative("count_active_ops")
def by_pruning_until_nothing_changes(arch):
    edges = set(_present(arch))
    while True:
        kept = {
            (a, b)
            for a, b in edges
            if (a == 0 or any(d == a for _, d in edges)) and (b == 3 or any(c == b for c, _ in edges))
        }
        if kept == edges:
            return len(kept)
        edges = kept


@mutant("count_active_ops", concept="counts-dead-ops")
def everything_but_none(arch):
    return len(_present(arch))


@mutant("count_active_ops", concept="forgets-the-output")
def only_fed_by_the_input(arch):
    fed = {0}
    for a, b in _present(arch):
        if a in fed:
            fed.add(b)
    return sum(a in fed for a, b in _present(arch))


@mutant("count_active_ops", concept="forgets-the-input")
def only_heard_by_the_output(arch):
    heard = {3}
    for a, b in reversed(sorted(_present(arch))):
        if b in heard:
            heard.add(a)
    return sum(b in heard for a, b in _present(arch))


@mutant("count_active_ops", concept="one-step-only")
def looks_one_edge_ahead(arch):
    edges = _present(arch)
    return sum(
        (a == 0 or any(d == a for _, d in edges)) and (b == 3 or any(c == b for c, _ in edges))
        for a, b in edges
    )


@mutant("count_active_ops", concept="ignores-an-op")
def skips_do_not_count(arch):
    _validated(arch)
    return sum(alive and name != "skip_connect" for alive, name in zip(_alive(arch), arch))


@mutant("count_active_ops", concept="ignores-an-op")
def only_convolutions_count(arch):
    _validated(arch)
    return sum(alive and name.startswith("nor_conv") for alive, name in zip(_alive(arch), arch))


@mutant("count_active_ops", concept="counts-the-dead")
def counts_what_has_no_influence(arch):
    _validated(arch)
    return sum(name != "none" and not alive for alive, name in zip(_alive(arch), arch))


@mutant("count_active_ops", concept="counts-none")
def counts_all_edges(arch):
    _validated(arch)
    return len([name for name in arch if name is not None])


@mutant("count_active_ops", concept="says-connected")
def is_it_connected(arch):
    _validated(arch)
    return int(any(_alive(arch)))


@mutant("count_active_ops", concept="misses-active-ops")
def longest_path_only(arch):
    present = set(_present(arch))
    paths = [[(0, 1), (1, 2), (2, 3)], [(0, 1), (1, 3)], [(0, 2), (2, 3)], [(0, 3)]]
    return next((len(path) for path in paths if set(path) <= present), 0)


@mutant("count_active_ops", concept="accepts-bad-input")
def any_name_is_an_op(arch):
    arch = tuple(arch) + ("none",) * (6 - len(arch))
    return by_enumerating_paths(tuple(name if name in OPS else "skip_connect" for name in arch))


@mutant("count_active_ops", concept="accepts-bad-input")
def ignores_what_comes_after_six_ops(arch):
    if len(arch) < 6:
        raise ValueError(f"arch must be six op names, got {arch!r}")
    return by_enumerating_paths(tuple(arch[:6]))


@mutant("count_active_ops", concept="uses-the-library")
def asks_the_library_for_live_edges(arch):
    return sum(live_edges(arch))


def _alive(arch):
    present = {edge for edge, name in zip(EDGES, arch) if name != "none"}
    paths = [[(0, 3)], [(0, 1), (1, 3)], [(0, 2), (2, 3)], [(0, 1), (1, 2), (2, 3)]]
    alive = {edge for path in paths if set(path) <= present for edge in path}
    return [edge in alive for edge in EDGES]
