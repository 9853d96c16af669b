"""The cell space: official strings, numbering, neighbourhoods, and which cells are the same function.

The last is checked against an oracle that shares no idea with the library: every convolution becomes a random
scalar function (a keyed hash), cells are evaluated as numbers, and all renamings of convolutions are tried.
"""

from __future__ import annotations

import copy
import hashlib
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_lib import spaces
from nas_lib.spaces import EDGES, OPS, Cell, CellSpace, Space

SPACE = CellSpace()
CELLS = st.tuples(*[st.sampled_from(OPS)] * 6)
WINNER = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
SHARED = Path(os.environ.get("NAS_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


@pytest.fixture(scope="module")
def official_strings() -> list[str]:
    path = SHARED / "nb201_cifar10.npz"
    if not path.exists():
        pytest.skip(f"the real NAS-Bench-201 strings are not at {path} (set NAS_SHARED_DATA)")
    with np.load(path) as data:
        return [text.decode() for text in data["arch"]]


# ------------------------------------------------------------------------------------------------ strings


def test_every_official_string_parses_and_prints_round(official_strings: list[str]) -> None:
    cells = [SPACE.parse(text) for text in official_strings]
    assert [str(cell) for cell in cells] == official_strings
    assert [SPACE.str(tuple(cell)) for cell in cells] == official_strings
    assert sorted(map(SPACE.index, cells)) == list(range(15_625))


def test_string_spells_the_edges_in_the_documented_order() -> None:
    names = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3", "none")
    spelled = "|none~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|none~2|"
    assert SPACE.str(names) == spelled and SPACE.parse(spelled) == names
    assert EDGES == ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


@pytest.mark.parametrize(
    "string",
    [
        "",
        " " + WINNER,
        WINNER + "\n",
        WINNER[:-1],
        WINNER + "|",
        WINNER.replace("~2", "~1"),
        WINNER.replace("+", ""),
        WINNER.replace("|nor_conv_3x3~0|+", "", 1),
        WINNER + "+" + WINNER,
        WINNER.upper(),
        None,
        7,
        WINNER.encode(),
    ],
)
def test_other_strings_are_refused(string: object) -> None:
    error = ValueError if isinstance(string, str) else TypeError
    with pytest.raises(error, match="string must be a cell written as"):
        SPACE.parse(string)  # type: ignore[arg-type]


def test_unknown_op_in_a_string_is_named() -> None:
    with pytest.raises(ValueError, match="unknown op 'nor_conv_7x7', accepted are none, skip_connect"):
        SPACE.parse(WINNER.replace("skip_connect", "nor_conv_7x7"))


def test_a_smaller_space_does_not_parse_what_it_lacks() -> None:
    with pytest.raises(ValueError, match="'skip_connect' on edge 0→3"):
        CellSpace(ops=("none", "nor_conv_3x3")).parse(WINNER)


# -------------------------------------------------------------------------------------------------- cells


@given(CELLS)
def test_cell_is_interchangeable_with_its_tuple(names: tuple[str, ...]) -> None:
    cell = Cell(names)
    assert cell == names and hash(cell) == hash(names) and {names: 1}[cell] == 1
    for clone in (pickle.loads(pickle.dumps(cell)), copy.deepcopy(cell), eval(repr(cell), {"Cell": Cell})):
        assert type(clone) is Cell and clone == cell
    assert SPACE.parse(str(cell)) == cell


def test_cell_is_frozen() -> None:
    cell = SPACE.from_index(0)
    with pytest.raises(AttributeError):
        cell.note = "x"  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        cell[0] = "none"  # type: ignore[index]


BAD_ARCHS = [
    (("none",) * 5, "got 5 entries"),
    (("none",) * 7, "got 7 entries"),
    (("none",) * 5 + ("max_pool",), "got 'max_pool' on edge 2→3"),
    (("none", None, *("none",) * 4), "got None on edge 0→2"),
    ((["none"], *("none",) * 5), r"got \['none'\] on edge 0→1"),
    (WINNER, "got the string"),
    ("abcdef", "got the string"),
    (None, "got None"),
    (3, "got 3"),
]


@pytest.mark.parametrize(("arch", "message"), BAD_ARCHS)
def test_every_function_refuses_a_bad_arch_with_one_sentence(arch: object, message: str) -> None:
    rng = np.random.default_rng(0)
    calls: list[Callable[[], object]] = [
        lambda: Cell(arch),  # type: ignore[arg-type]
        lambda: SPACE.index(arch),  # type: ignore[arg-type]
        lambda: SPACE.neighbors(arch),  # type: ignore[arg-type]
        lambda: SPACE.mutate(arch, rng),  # type: ignore[arg-type]
        lambda: SPACE.encode(arch),  # type: ignore[arg-type]
        lambda: SPACE.str(arch),  # type: ignore[arg-type]
        lambda: spaces.canonical(arch),  # type: ignore[arg-type]
        lambda: spaces.expression(arch),  # type: ignore[arg-type]
        lambda: spaces.live_edges(arch),  # type: ignore[arg-type]
        lambda: spaces.conv_mapping(arch, arch),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises((TypeError, ValueError), match=message) as caught:
            call()
        assert str(caught.value).startswith("arch must be a tuple of six op names out of none, skip_connect")
        assert "\n" not in str(caught.value)
    assert arch not in SPACE


# -------------------------------------------------------------------------------------------------- space


def test_space_follows_the_protocol() -> None:
    assert isinstance(SPACE, Space)
    assert SPACE.choices == (OPS,) * 6 and len(SPACE) == 15_625 and SPACE.edges == EDGES


def test_order_is_lexicographic_with_the_first_edge_most_significant() -> None:
    assert list(SPACE) == list(product(OPS, repeat=6))
    assert SPACE.index(("skip_connect",) + ("none",) * 5) == 5**5
    assert SPACE.index(("none",) * 5 + ("skip_connect",)) == 1


@pytest.mark.parametrize("ops", [OPS, OPS[:2], ("nor_conv_3x3", "skip_connect", "none"), ("none",)])
def test_index_and_from_index_are_inverse_in_any_op_order(ops: tuple[str, ...]) -> None:
    space = CellSpace(ops=ops)
    assert len(space) == len(ops) ** 6 == len(list(space))
    assert [space.index(cell) for cell in space] == list(range(len(space)))
    assert [space.from_index(i) for i in range(len(space))] == list(space) == list(product(ops, repeat=6))


@given(CELLS)
def test_neighbors_are_all_cells_one_edge_away_and_symmetric(names: tuple[str, ...]) -> None:
    near = SPACE.neighbors(names)
    assert len(near) == len(set(near)) == 24
    assert all(sum(a != b for a, b in zip(names, other, strict=True)) == 1 for other in near)
    assert all(names in SPACE.neighbors(other) for other in near)


def test_mutations_are_uniform_over_the_neighbors() -> None:
    rng = np.random.default_rng(5)
    arch = SPACE.parse(WINNER)
    near = SPACE.neighbors(arch)
    draws = 24_000
    counts = np.zeros(len(near))
    for _ in range(draws):
        counts[near.index(SPACE.mutate(arch, rng))] += 1  # a mutation outside the neighbours raises here
    chi2 = ((counts - draws / 24) ** 2 / (draws / 24)).sum()
    assert chi2 < 78  # chi-squared with 23 degrees of freedom: 5e-8 beyond 78


def test_samples_are_uniform_over_the_space() -> None:
    space = CellSpace(ops=("none", "nor_conv_3x3"))
    rng = np.random.default_rng(6)
    draws = 32_000
    counts = np.bincount([space.index(space.sample(rng)) for _ in range(draws)], minlength=64)
    chi2 = ((counts - draws / 64) ** 2 / (draws / 64)).sum()
    assert chi2 < 144  # 63 degrees of freedom: 2e-8 beyond 144


def test_draws_depend_on_the_generator_alone() -> None:
    def draw() -> list[Cell]:
        rng = np.random.default_rng(9)
        cell = SPACE.sample(rng)
        return [cell, *(SPACE.mutate(cell, rng) for _ in range(5))]

    assert draw() == draw()


@given(CELLS)
def test_encode_is_one_hot_and_tells_cells_apart(names: tuple[str, ...]) -> None:
    vector = SPACE.encode(names)
    assert vector.shape == (30,) and vector.dtype == np.float64
    hot = vector.reshape(6, 5)
    assert set(vector) == {0.0, 1.0} and (hot.sum(axis=1) == 1).all()
    assert tuple(OPS[i] for i in hot.argmax(axis=1)) == names


def test_encode_of_a_smaller_space_has_its_own_width() -> None:
    space = CellSpace(ops=("nor_conv_3x3", "none"))
    assert space.encode(("none",) + ("nor_conv_3x3",) * 5).tolist() == [0, 1] + [1, 0] * 5


@pytest.mark.parametrize("index", [-1, 15_625, 10**30])
def test_index_out_of_range_is_refused(index: int) -> None:
    with pytest.raises(ValueError, match=f"index must be from 0 to 15624, got {index}"):
        SPACE.from_index(index)


@pytest.mark.parametrize("index", [True, np.True_, 1.0, np.float64(1), "1", None, [1]])
def test_index_that_is_no_integer_is_refused(index: object) -> None:
    with pytest.raises(TypeError, match="index must be an integer from 0 to 15624, got"):
        SPACE.from_index(index)  # type: ignore[arg-type]


def test_numpy_integers_are_integers() -> None:
    assert SPACE.from_index(np.uint16(77)) == SPACE.from_index(77)  # type: ignore[arg-type]


@pytest.mark.parametrize("rng", [None, 0, np.random.RandomState(0), np.random])
def test_randomness_must_be_a_generator(rng: object) -> None:
    for call in (lambda: SPACE.sample(rng), lambda: SPACE.mutate(("none",) * 6, rng)):  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"rng must be a numpy\.random\.Generator"):
            call()


@pytest.mark.parametrize("ops", [(), ("none", "none"), ("none", "max_pool"), "none", None, {"none": 1}, (1,)])
def test_bad_op_lists_are_refused(ops: object) -> None:
    with pytest.raises((TypeError, ValueError), match="ops must be"):
        CellSpace(ops=ops)  # type: ignore[arg-type]


def test_a_space_of_one_op_has_nowhere_to_go() -> None:
    space = CellSpace(ops=("none",))
    assert space.neighbors(("none",) * 6) == []
    with pytest.raises(ValueError, match="at least two ops"):
        space.mutate(("none",) * 6, np.random.default_rng(0))


def test_spaces_are_equal_by_their_ops() -> None:
    two = ("none", "nor_conv_3x3")
    assert CellSpace() == SPACE != CellSpace(ops=two) == CellSpace(ops=two) != CellSpace(ops=two[::-1])
    assert len({CellSpace(), SPACE, CellSpace(ops=two)}) == 2
    assert eval(repr(CellSpace(ops=two)), {"CellSpace": CellSpace}) == CellSpace(ops=two)
    assert ("skip_connect",) * 6 in SPACE and ("skip_connect",) * 6 not in CellSpace(ops=two)


# ------------------------------------------------------------------------------------- which are the same


MODULUS = 2**61 - 1


@cache
def random_function(name: object, x: int) -> int:
    """One fixed random scalar function per name.

    A cryptographic hash: Python's own is nearly linear, so that g(x) + p(f(x)) and p(x) + g(f(x)) collide.
    """
    return int.from_bytes(hashlib.blake2b(f"{name!r} of {x}".encode(), digest_size=8).digest()) % MODULUS


def evaluate(cell: tuple[str, ...], functions: dict[int, object], pool: int | None = None) -> int | None:
    """The output for one fixed input. `functions` names the function on each edge that carries a convolution.

    With `pool` a pooling multiplies by it, as a linear map of scalars does. None is the value of a node that
    nothing reaches; it stays None through any operation.
    """
    values: list[int | None] = [123456789, None, None, None]
    for node in (1, 2, 3):
        for edge, (source, target) in enumerate(EDGES):
            x = values[source]
            if target != node or x is None or cell[edge] == "none":
                continue
            if cell[edge] != "skip_connect":
                if pool is not None and cell[edge] == "avg_pool_3x3":
                    x *= pool
                else:
                    x = random_function(functions.get(edge, cell[edge]), x)
            values[node] = (x if values[node] is None else values[node] + x) % MODULUS  # type: ignore[operator]
    return values[3]


def matters(cell: tuple[str, ...], edge: int) -> bool:
    """Does another function on this edge change the output?"""
    if cell[edge] == "none":
        return False
    changed = (*cell[:edge], "nor_conv_1x1", *cell[edge + 1 :])
    return evaluate(changed, {edge: "something"}) != evaluate(changed, {edge: "something else"})


def signature(cell: tuple[str, ...], pool: int | None = None) -> object:
    """Least output over all ways of handing functions to the convolutions that matter."""
    by_op = {
        op: [edge for edge in range(6) if cell[edge] == op and matters(cell, edge)]
        for op in ("nor_conv_1x1", "nor_conv_3x3")
    }
    outputs = []
    for orders in product(*(permutations(range(len(edges))) for edges in by_op.values())):
        functions: dict[int, object] = {}
        for (op, edges), order in zip(by_op.items(), orders, strict=True):
            functions |= {edge: (op, number) for edge, number in zip(edges, order, strict=True)}
        outputs.append(evaluate(cell, functions, pool))
    return None if outputs[0] is None else min(outputs)  # type: ignore[type-var]


def test_the_space_has_5260_functions_and_341_disconnected_cells() -> None:
    representatives, classes = spaces.functions()
    assert len(representatives) == 5_260 and classes.max() == 5_259
    assert sum(not spaces.is_connected(cell) for cell in SPACE) == 341
    # The disconnected ones are one function, zero, and it is the all-none cell's.
    assert (classes == 0).sum() == 341 and representatives[0] == ("none",) * 6


def test_cells_are_merged_exactly_when_a_renaming_of_convolutions_makes_them_equal() -> None:
    """All 15,625 cells against the oracle: same partition."""
    _, classes = spaces.functions()
    pairs = {(int(number), signature(cell)) for number, cell in zip(classes, SPACE, strict=True)}
    assert len(pairs) == len({number for number, _ in pairs}) == len({value for _, value in pairs}) == 5_260


def test_with_linear_pooling_the_5260_forms_compute_at_most_5044_functions() -> None:
    """What lesson 00 says of the arithmetic that `functions` does not use."""
    representatives, _ = spaces.functions()
    assert len({signature(cell, pool=987_654_321) for cell in representatives}) == 5_044


def structure(cell: tuple[str, ...]) -> str:
    """Dong and Yang's own string of a cell's structure: a zero that is added stays in it, as `#`."""
    nodes = ["0", "", "", ""]
    for node in (1, 2, 3):
        terms = []
        for (source, target), op in zip(EDGES, cell, strict=True):
            if target == node:
                if op == "none" or nodes[source] == "#":
                    terms.append("#")
                else:
                    terms.append(nodes[source] if op == "skip_connect" else f"({nodes[source]})@{op}")
        nodes[node] = "+".join(sorted(terms))
    return nodes[3]


def test_nas_bench_201_counts_6466_structures_as_added_zeros_count() -> None:
    """By the benchmark's own rule, which lesson 00 holds against ours."""
    assert len({structure(cell) for cell in SPACE}) == 6_466
    chain = ("nor_conv_3x3", "none", "skip_connect", "none", "none", "skip_connect")
    edge = ("nor_conv_3x3", "none", "none", "none", "skip_connect", "none")
    assert spaces.canonical(chain) == spaces.canonical(edge)
    assert structure(chain) != structure(edge) and structure(chain).count("#") != structure(edge).count("#")


def test_live_edges_are_those_that_can_change_the_output() -> None:
    for cell in SPACE:
        assert spaces.live_edges(cell) == tuple(matters(cell, edge) for edge in range(6))
        assert spaces.is_connected(cell) == (evaluate(cell, {}) is not None)


def test_canonical_is_idempotent_and_the_first_of_its_class() -> None:
    _, classes = spaces.functions()
    first: dict[int, int] = {}
    for index, number in enumerate(classes.tolist()):
        first.setdefault(number, index)
        representative = spaces.canonical(SPACE.from_index(index))
        assert SPACE.index(representative) == first[number]
        assert type(representative) is Cell
    assert all(spaces.canonical(SPACE.from_index(i)) == SPACE.from_index(i) for i in first.values())


@given(CELLS, CELLS)
def test_expressions_are_equal_exactly_within_a_class(a: tuple[str, ...], b: tuple[str, ...]) -> None:
    assert (spaces.expression(a) == spaces.expression(b)) == (spaces.canonical(a) == spaces.canonical(b))
    assert spaces.expression(spaces.canonical(a)) == spaces.expression(a)
    hash(spaces.expression(a))


@settings(max_examples=300)
@given(CELLS, st.randoms(use_true_random=False))
def test_copying_functions_along_conv_mapping_keeps_the_output(names: tuple[str, ...], random) -> None:  # type: ignore[no-untyped-def]
    _, classes = spaces.functions()
    number = classes[SPACE.index(names)]
    other = SPACE.from_index(random.choice(np.flatnonzero(classes == number).tolist()))
    mapping = spaces.conv_mapping(names, other)
    live = spaces.live_edges(names)
    assert sorted(mapping) == [e for e in range(6) if live[e] and names[e].startswith("nor_conv")]
    assert all(names[a] == other[b] for a, b in mapping.items())
    assert len(set(mapping.values())) == len(mapping)
    functions = {edge: (edge, random.random()) for edge in mapping}
    moved: dict[int, object] = {mapping[edge]: function for edge, function in functions.items()}
    assert evaluate(other, moved) == evaluate(names, dict(functions))


def test_conv_mapping_of_different_functions_is_refused() -> None:
    with pytest.raises(ValueError, match="a and b must compute the same function"):
        spaces.conv_mapping(("nor_conv_3x3",) * 6, ("nor_conv_1x1",) * 6)


LETTERS = dict(zip("·s13p", OPS, strict=True))  # one letter an edge, `·` for none


@pytest.mark.parametrize(
    ("a", "b", "same", "why"),
    [
        ("···3··", "3···s·", True, "f(x) on edge 0→3, f(x) made on 0→1 and handed on"),
        ("···3··", "1p13··", True, "dead edges"),
        ("3s··s3", "s3··3s", True, "f(x) + g(x)"),
        ("3·s·ss", "33··ss", False, "2·f(x) and f(x) + g(x)"),
        ("s··ss·", "···s··", False, "x + x and x"),
        ("p·s·ss", "pp··ss", True, "2·pool(x), however made"),
        ("s··sp·", "······", False, "x + pool(x) and 0"),
        ("sss··p", "pp··ss", False, "pool(x + x) and 2·pool(x): linearity is not used"),
        ("3·3··s", "1·3··s", False, "kernel sizes differ"),
        ("3·1··s", "1·3··s", False, "order of kernels differs"),
    ],
)
def test_what_counts_as_the_same_function(a: str, b: str, same: bool, why: str) -> None:
    first, second = (tuple(LETTERS[letter] for letter in spelled) for spelled in (a, b))
    assert (spaces.canonical(first) == spaces.canonical(second)) == same, why


def test_functions_of_a_smaller_space_name_members_of_it() -> None:
    space = CellSpace(ops=("nor_conv_3x3", "skip_connect"))  # the full space's representatives have a `none`
    representatives, classes = spaces.functions(space)
    assert all(cell in space for cell in representatives)
    for number, cell in zip(classes, space, strict=True):
        assert spaces.canonical(representatives[number]) == spaces.canonical(cell)
    assert len({spaces.canonical(cell) for cell in space}) == len(representatives)


def test_functions_cannot_be_overwritten() -> None:
    with pytest.raises(ValueError, match="read-only"):
        spaces.functions()[1][0] = 1


# -------------------------------------------------------------------------------------------------- speed


def test_import_is_light_and_the_whole_space_is_canonicalised_in_a_second() -> None:
    """In a fresh interpreter: nothing computed and no torch at import; `canonical` then takes 0.35 s."""
    code = (
        "import sys, time\n"
        "import numpy\n"
        "start = time.process_time(); import nas_lib.spaces.cells as s; imported = time.process_time() - start\n"
        "assert s._functions.cache_info().currsize == s._all_cells.cache_info().currsize == 0\n"
        "assert 'torch' not in sys.modules\n"
        "start = time.process_time(); s.canonical(('none',) * 6); computed = time.process_time() - start\n"
        "print(imported, computed)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported, computed = map(float, done.stdout.split())
    assert imported < 0.2 and computed < 2.0


def test_index_takes_about_a_microsecond() -> None:
    cell = SPACE.parse(WINNER)
    start = time.process_time()
    for _ in range(20_000):
        SPACE.index(cell)
    assert (time.process_time() - start) / 20_000 < 3e-6  # measured 0.3 µs
