"""The usual mistakes of lesson 00, and right answers written another way."""

# ruff: noqa: F821  (`book` is given)
# mypy: ignore-errors

import functools
import itertools

import numpy as np

from nas_lib.spaces import EDGES, OPS, CellSpace, live_edges

IN_ORDER = "the space counts in the order of `OPS`"

# ----------------------------------------------------------------------------------------- cell_index

DIGIT = "OPS.index(name)"
SIX = "len(arch) != len(EDGES)"

book.edits(
    "cell_index",
    (
        "edge-order",
        "the last edge counts most here: the first edge is the most significant digit",
        {"for name in arch:": "for name in arch[::-1]:"},
    ),
    ("op-order", f"operations are sorted by name here: {IN_ORDER}", {DIGIT: "sorted(OPS).index(name)"}),
    (
        "op-order",
        f"operations are sorted by name here, and the last edge counts most: {IN_ORDER}, and the first "
        "edge is the most significant digit",
        {DIGIT: "sorted(OPS).index(name)", "for name in arch:": "for name in arch[::-1]:"},
    ),
    ("op-order", f"operations count backwards here: {IN_ORDER}", {DIGIT: "OPS[::-1].index(name)"}),
    (
        "off-by-one",
        "every number is one too large: the first cell has number 0",
        {"return number": "return number + 1"},
    ),
    (
        "off-by-one",
        "the digits run from 1 to 5 here: places in `OPS` are counted from 0",
        {DIGIT: f"{DIGIT} + 1"},
    ),
    (
        "wrong-base",
        "the digits are right, the base is not: it is the number of operations, 5, not of edges",
        {"number * len(OPS)": "number * len(EDGES)"},
    ),
    (
        "wrong-base",
        "the digits are read as those of a decimal number: there are five operations per edge, so the base "
        "is 5",
        {"number * len(OPS)": "number * 10"},
    ),
    (
        "not-one-to-one",
        "the last edge does not count: two cells that differ only there get the same number",
        {"for name in arch:": "for name in arch[:-1]:"},
    ),
    (
        "not-one-to-one",
        "the first edge does not count: two cells that differ only there get the same number",
        {"for name in arch:": "for name in arch[1:]:"},
    ),
    (
        "not-one-to-one",
        "the places are added up as they are: each edge needs a power of 5 of its own",
        {"number * len(OPS)": "number"},
    ),
    (
        "not-one-to-one",
        "the places are multiplied by 5 once, all alike: each edge needs a power of 5 of its own",
        {"number * len(OPS) + OPS.index(name)": "number + len(OPS) * OPS.index(name)"},
    ),
    ("wrong-type", "", {"return number": "return float(number)"}),
    ("wrong-type", "", {"return number": "return np.base_repr(number, 5)"}),
    ("wrong-type", "", {"return number": "return [number]"}),
    ("wrong-type", "", {"return number": "return np.array([number])"}),
    ("changes-settings", "", {"return number": "np.random.seed(0)\n    return number"}),
    (
        "accepts-bad-input",
        "",
        {
            "name not in OPS": "not any(one.startswith(name) for one in OPS)",
            DIGIT: "[one.startswith(name) for one in OPS].index(True)",
        },
    ),
    (
        "accepts-bad-input",
        "",
        {
            "name not in OPS": "not any(name.startswith(one) for one in OPS)",
            DIGIT: "[name.startswith(one) for one in OPS].index(True)",
        },
    ),
    (
        "accepts-bad-input",
        "",
        {"name not in OPS": "name.lower() not in OPS", DIGIT: "OPS.index(name.lower())"},
    ),
    ("returns-nothing", "", {"return number": "number"}),
    ("accepts-bad-input", "", {"name not in OPS": "False", DIGIT: "(OPS.index(name) if name in OPS else 0)"}),
    ("accepts-bad-input", "", {SIX: "len(arch) < len(EDGES)"}),
    ("accepts-bad-input", "", {SIX: "len(arch) > len(EDGES)"}),
    ("accepts-bad-input", "", {SIX: "not arch"}),
    ("wrong-error", "", {"name not in OPS": "False", DIGIT: "dict(zip(OPS, range(5)))[name]"}),
    ("wrong-error", "", {"raise ValueError(f\"arch must have": "raise IndexError(f\"arch must have"}),
)  # fmt: skip


@book.wrong("cell_index", "uses-the-library")
def asks_the_library_for_the_index(arch):
    return CellSpace().index(arch)


@book.wrong("cell_index", "uses-the-library")
def goes_through_the_library_s_space(arch):
    return list(CellSpace()).index(arch)


def _validated(arch):
    if len(arch) != 6 or not set(arch) <= set(OPS):
        raise ValueError(f"arch must be six op names, got {arch!r}")


@book.right("cell_index")
def by_horner(arch):
    _validated(arch)
    return functools.reduce(lambda number, name: number * 5 + OPS.index(name), arch, 0)


@book.right("cell_index")
def by_a_dot_product(arch):
    _validated(arch)
    digits = np.array([OPS.index(name) for name in arch])
    return digits @ (5 ** np.arange(6)[::-1])


@book.right("cell_index")
def by_parsing_base_5(arch):
    _validated(arch)
    return int("".join(str(OPS.index(name)) for name in arch), 5)


@book.right("cell_index")
def by_ravel(arch):
    _validated(arch)
    return np.ravel_multi_index([OPS.index(name) for name in arch], (len(OPS),) * len(EDGES))


@book.right("cell_index")
def by_recursion(arch):
    _validated(arch)

    def number(names):
        return 0 if not names else number(names[:-1]) * 5 + OPS.index(names[-1])

    return number(tuple(arch))


@book.right("cell_index")
def in_a_list_of_all(arch):
    _validated(arch)
    return list(itertools.product(OPS, repeat=6)).index(arch)


# ------------------------------------------------------------------------------------ cell_from_index

TURNED = "tuple(reversed(names))"
RANGE = "not 0 <= i <= last"

book.edits(
    "cell_from_index",
    (
        "edge-order",
        "the cells come out back to front: divmod gives the last edge's digit first",
        {TURNED: "tuple(names)"},
    ),
    ("op-order", f"operations are sorted by name here: {IN_ORDER}", {"OPS[digit]": "sorted(OPS)[digit]"}),
    ("op-order", f"operations count backwards here: {IN_ORDER}", {"OPS[digit]": "OPS[-1 - digit]"}),
    (
        "off-by-one",
        "number i gives the cell before it: the first cell has number 0",
        {"names = []": "names, i = [], max(i - 1, 0)"},
    ),
    (
        "off-by-one",
        "number i gives the cell after it: the first cell has number 0",
        {"names = []": "names, i = [], min(i + 1, last)"},
    ),
    (
        "digits-not-names",
        "these are places in `OPS`; a cell holds the names: OPS[digit]",
        {"OPS[digit]": "digit"},
    ),
    (
        "not-one-to-one",
        "the last digit is lost: take the remainder before you divide",
        {"i, digit = divmod(i, len(OPS))": "i = i // len(OPS)\n        digit = i % len(OPS)"},
    ),
    (
        "lost-zeros",
        "leading zeros are lost: a small number has six digits as well, the first of them zeros",
        {"for _ in EDGES:": "while i:"},
    ),
    (
        "lost-zeros",
        "leading zeros come last here: a small number has six digits as well, the *first* of them zeros",
        {"for _ in EDGES:": "while i:", TURNED: f"{TURNED} + (OPS[0],) * (len(EDGES) - len(names))"},
    ),
    (
        "same-digit",
        "every edge gets the last digit: go on with what is left of the number",
        {"i, digit = divmod(i, len(OPS))": "digit = i % len(OPS)"},
    ),
    ("wrong-base", "", {"divmod(i, len(OPS))": "divmod(i, len(EDGES))"}),
    ("wrong-type", "", {TURNED: "names[::-1]"}),
    ("wrong-type", "", {TURNED: "np.array(names[::-1])"}),
    ("wrong-type", "", {TURNED: "(name for name in names[::-1])"}),
    ("wrong-cell", "", {TURNED: "CellSpace().str(tuple(reversed(names)))"}),
    ("not-one-to-one", "", {TURNED: "tuple(reversed(names))[:5]"}),
    ("accepts-bad-input", "", {"names = []": "names = []\n    i %= last + 1", RANGE: "False"}),
    ("changes-settings", "", {f"return {TURNED}": f"np.random.seed(0)\n    return {TURNED}"}),
    ("returns-nothing", "", {f"return {TURNED}": TURNED}),
    ("accepts-bad-input", "", {RANGE: "i > last"}),
    ("accepts-bad-input", "", {RANGE: "i < 0"}),
    ("accepts-bad-input", "", {RANGE: "i < 0 or i > last + 1"}),
    ("accepts-bad-input", "", {RANGE: "i < -1 or i > last"}),
    ("accepts-bad-input", "", {RANGE: "i in (-1, last + 1)"}),
    ("accepts-bad-input", "", {RANGE: "False"}),
    ("wrong-error", "", {"raise ValueError": "raise IndexError"}),
    ("ints-only", "", {RANGE: "type(i) is not int or i < 0 or i > last"}),
)


@book.wrong("cell_from_index", "uses-the-library")
def asks_the_library_for_the_cell(i):
    return CellSpace().from_index(i)


@book.wrong("cell_from_index", "accepts-bad-input")
def negative_numbers_count_from_the_end(i):
    return list(itertools.product(OPS, repeat=6))[i]


def _in_range(i):
    if not 0 <= i < 15_625:
        raise ValueError(f"i must be from 0 to 15624, got {i!r}")


@book.right("cell_from_index")
def from_powers(i):
    _in_range(i)
    return tuple(OPS[i // 5**place % 5] for place in range(5, -1, -1))


@book.right("cell_from_index")
def from_unravel(i):
    _in_range(i)
    return tuple(OPS[digit] for digit in np.unravel_index(i, (5,) * 6))


@book.right("cell_from_index")
def from_enumeration(i):
    _in_range(i)
    return next(itertools.islice(itertools.product(OPS, repeat=6), int(i), None))


@book.right("cell_from_index")
def from_a_string_of_digits(i):
    _in_range(i)
    return tuple(np.array(OPS)[[int(digit) for digit in np.base_repr(i, 5).zfill(6)]])


# ----------------------------------------------------------------------------------- count_active_ops

COUNT = "sum(source in fed and target in heard for source, target in present)"
PRESENT = 'if name != "none"]'
NAMED = (
    "sum(edge[0] in fed and edge[1] in heard and name not in {} for edge, name in zip(EDGES, arch) "
    'if name != "none")'
)
SWEEPS = "for _ in range(3):  # the longest path has three edges, so three sweeps find everything"

book.edits(
    "count_active_ops",
    (
        "counts-dead-ops",
        "operations on no path from input to output are counted too",
        {COUNT: "len(present)"},
    ),
    (
        "forgets-the-output",
        "an operation must also lead on to the output: dead ends are counted here",
        {"source in fed and target in heard": "source in fed"},
    ),
    (
        "forgets-the-input",
        "an operation must also be fed by the input: edges out of unfed nodes are counted here",
        {"source in fed and target in heard": "target in heard"},
    ),
    (
        "needs-both",
        "operations that the input feeds *or* that reach the output are counted: it takes both",
        {"source in fed and target in heard": "source in fed or target in heard"},
    ),
    (
        "one-step-only",
        "follow paths to their ends: looking at the next edges only is not enough",
        {
            "fed, heard = {0}, {3}": "fed, heard = {0} | {b for _, b in present}, {3} | {a for a, _ in present}"
        },
    ),
    (
        "one-step-only",
        "one sweep over the edges finds the next nodes only: repeat it until nothing changes",
        {"range(3)": "range(1)"},
    ),
    (
        "ignores-an-op",
        "skip_connect is an operation and counts",
        {COUNT: NAMED.format("('skip_connect',)")},
    ),
    (
        "ignores-an-op",
        "avg_pool_3x3 is an operation and counts",
        {COUNT: NAMED.format("('avg_pool_3x3',)")},
    ),
    (
        "ignores-an-op",
        "operations without weights count as well",
        {COUNT: NAMED.format("('skip_connect', 'avg_pool_3x3')")},
    ),
    (
        "ignores-an-op",
        "a skip connection is taken for a missing edge: it hands its input on, and counts",
        {PRESENT: 'if name not in ("none", "skip_connect")]'},
    ),
    (
        "counts-the-dead",
        "the dead operations are counted, not the active ones",
        {COUNT: f"len(present) - {COUNT}"},
    ),
    ("counts-none", "all edges are counted: `none` is no operation", {COUNT: "len(arch)"}),
    (
        "counts-none",
        "edges with `none` are counted where they lie between the right nodes: `none` is no operation",
        {COUNT: "sum(source in fed and target in heard for source, target in EDGES)"},
    ),
    (
        "says-connected",
        "this only says whether the cell is connected: count its active operations",
        {COUNT: f"min(1, {COUNT})"},
    ),
    (
        "counts-nodes",
        "these are the nodes on paths, not the operations on them",
        {COUNT: "len(fed & heard - {0, 3})"},
    ),
    (
        "wrong-edges",
        "the six operations are taken for the edges 0→1, 0→2, 0→3, 1→2, …: `EDGES` has 1→2 before 0→3",
        {"zip(EDGES, arch)": "zip(sorted(EDGES), arch)"},
    ),
    (
        "one-step-only",
        "one sweep over the edges in the order of `EDGES` is too little on the way back from the output: "
        "repeat it until nothing changes",
        {
            "range(3)": "range(1)",
            "fed |= {target for source, target in present if source in fed}": "for source, target in "
            "present:\n            fed |= {target} if source in fed else set()",
            "heard |= {source for source, target in present if target in heard}": "for source, target in "
            "present:\n            heard |= {source} if target in heard else set()",
        },
    ),
    (
        "ignores-an-op",
        "avg_pool_3x3 is taken for a missing edge: it hands something on, and counts",
        {PRESENT: 'if name not in ("none", "avg_pool_3x3")]'},
    ),
    (
        "counts-kinds",
        "these are the different kinds of active operations: each edge counts for itself",
        {
            COUNT: "len({name for (a, b), name in zip(EDGES, arch) if name != 'none' and a in fed and b in "
            "heard})"
        },
    ),
    (
        "wrong-ends",
        "an edge counts if where it *begins* is reached from the input, and the output from where it *ends*: "
        "the two are swapped here",
        {"source in fed and target in heard": "target in fed and source in heard"},
    ),
    (
        "counts-nodes",
        "these are the nodes on paths, the two ends included, not the operations on them",
        {COUNT: "len(fed & heard)"},
    ),
    ("wrong-count", "", {f"return {COUNT}": f"return {COUNT} if 3 in fed else -1"}),
    ("wrong-type", "", {COUNT: f"[{COUNT}]"}),
    ("changes-settings", "", {f"return {COUNT}": f"np.random.seed(0)\n    return {COUNT}"}),
    (
        "accepts-bad-input",
        "",
        {
            " or any(name not in OPS for name in arch)": "",
            f"return {COUNT}": "if any(name not in OPS and a in fed and b in heard for (a, b), name in "
            f"zip(EDGES, arch)):\n        raise ValueError(arch)\n    return {COUNT}",
        },
    ),
    ("wrong-type", "", {COUNT: f"float({COUNT})"}),
    ("wrong-type", "", {COUNT: f"{COUNT} > 0"}),
    ("returns-nothing", "", {f"return {COUNT}": COUNT}),
    ("accepts-bad-input", "", {"len(arch) != len(EDGES) or ": ""}),
    ("accepts-bad-input", "", {"len(arch) != len(EDGES)": "len(arch) < len(EDGES)"}),
    ("accepts-bad-input", "", {"len(arch) != len(EDGES)": "len(arch) > len(EDGES)"}),
    ("accepts-bad-input", "", {" or any(name not in OPS for name in arch)": ""}),
    ("accepts-bad-input", "", {"any(name not in OPS for name in arch)": "all(name not in OPS for name in arch)"}),
    ("accepts-bad-input", "", {"any(name not in OPS for name in arch)": "arch[0] not in OPS"}),
    ("wrong-error", "", {"raise ValueError": "raise TypeError"}),
)  # fmt: skip

PATHS = [[(0, 3)], [(0, 1), (1, 3)], [(0, 2), (2, 3)], [(0, 1), (1, 2), (2, 3)]]


def _present(arch):
    _validated(arch)
    return [edge for edge, name in zip(EDGES, arch) if name != "none"]


def _open(arch):
    present = set(_present(arch))
    return [path for path in PATHS if set(path) <= present]


@book.wrong(
    "count_active_ops",
    "misses-active-ops",
    "only the longest path is counted: the operations on all paths from input to output count",
)
def longest_path_only(arch):
    return max(map(len, _open(arch)), default=0)


@book.wrong("count_active_ops", "counts-paths", "the paths are counted, not the operations on them")
def number_of_paths(arch):
    return len(_open(arch))


@book.wrong(
    "count_active_ops",
    "counts-twice",
    "an operation on two paths is counted twice: collect the edges in a set",
)
def once_per_path(arch):
    return sum(map(len, _open(arch)))


@book.wrong(
    "count_active_ops",
    "misses-active-ops",
    "the path with three edges, 0→1→2→3, is missing: its operations are active as well",
)
def only_short_paths(arch):
    return len({edge for path in _open(arch) if len(path) < 3 for edge in path})


@book.wrong("count_active_ops", "uses-the-library")
def asks_the_library_for_live_edges(arch):
    return sum(live_edges(arch))


@book.right("count_active_ops")
def by_enumerating_paths(arch):
    return len({edge for path in _open(arch) for edge in path})


@book.right("count_active_ops")
def by_recursive_search(arch):
    present = _present(arch)

    def reaches(source, target):
        return source == target or any(a == source and reaches(b, target) for a, b in present)

    return sum(reaches(0, a) and reaches(b, 3) for a, b in present)


@book.right("count_active_ops")
def by_matrix_closure(arch):
    adjacency = np.eye(4, dtype=np.int64)
    for a, b in _present(arch):
        adjacency[a, b] = 1
    closure = np.linalg.matrix_power(adjacency, 4) > 0
    return np.int64(sum(closure[0, a] and closure[b, 3] for a, b in _present(arch)))


@book.right("count_active_ops")
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
