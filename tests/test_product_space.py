"""Spaces out of decisions: what they admit is what a plain loop over all combinations admits."""

from __future__ import annotations

import itertools
import math
import pickle
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_lib.benchmark import TabularBenchmark
from nas_lib.search import RandomSearch, compare, run
from nas_lib.searchers import ConstrainedEvolution, HillClimbing, RegularizedEvolution, Reinforce
from nas_lib.spaces import ProductArch, ProductSpace, Space, product

CHOICES: dict[str, Any] = {"op": ("conv", "pool", "skip"), "kernel": (3, 5, 7), "width": range(8, 41, 8)}
WHEN: dict[str, Callable[..., bool]] = {"kernel": lambda op: op != "skip", "width": lambda op: op == "conv"}


def small(kernel: Any, width: Any) -> bool:
    return (kernel or 1) * (width or 8) <= 120


def seven_only_in_pools(arch: Any) -> bool:
    return arch.kernel != 7 or arch.op == "pool"


SPACE = ProductSpace(CHOICES, when=WHEN, where=[small, seven_only_in_pools])
PLAIN = ProductSpace({"a": (1, 2, 3), "b": ("x", "y"), "c": (0.5, 1.5)})
SPACES = {
    "plain": PLAIN,
    "conditions and constraints": SPACE,
    "constraint": ProductSpace({f"d{i}": range(4) for i in range(4)}, where=lambda arch: sum(arch) % 3 == 0),
    "nested": ProductSpace(
        {"depth": (1, 2, 3), "second": ("a", "b"), "third": ("a", "b"), "size": (1, 2, 3)},
        when={
            "second": lambda depth: depth > 1,
            "third": lambda depth: depth > 2,
            "size": lambda third: third == "a",
        },
    ),
}


def uncounted(space: ProductSpace, monkeypatch: pytest.MonkeyPatch) -> ProductSpace:
    """The same space when its constraints are too entangled to be counted."""
    arguments = {
        "choices": dict(zip(space.names, space.choices, strict=True)),
        "when": {space.names[i]: one.function for i, one in space._when.items()},
        "where": [one.function for one in space._where],
    }
    monkeypatch.setattr(product, "COUNT_LIMIT", 20)
    made = ProductSpace(**arguments)
    assert made.size is None
    return made


def admitted(space: ProductSpace) -> list[tuple[Any, ...]]:
    """By looking at every combination of options and None, in order."""
    found = []
    ways = [(*options, None) if i in space._when else options for i, options in enumerate(space.choices)]
    for values in itertools.product(*ways):
        made = [
            i not in space._when
            or space._when[i].function(**{space.names[j]: values[j] for j in space._when[i].uses})
            for i in range(len(values))
        ]
        if [value is not None for value in values] != made:
            continue
        named = dict(zip(space.names, values, strict=True))
        arch = ProductArch(values, space.names)
        if all(
            one.function(arch) if one.whole else one.function(**{space.names[j]: values[j] for j in one.uses})
            for one in space._where
        ):
            assert named == {**dict.fromkeys(space.names), **arch.asdict()}
            found.append(values)
    return found


# ------------------------------------------------------------------------------------ what is in the space


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_numbers_spellings_and_membership_are_those_of_a_plain_loop(space: ProductSpace) -> None:
    expected = admitted(space)
    assert isinstance(space, Space)
    assert len(space) == space.size == len(expected) > 5
    assert [tuple(arch) for arch in space] == expected
    for number, values in enumerate(expected):
        arch = space.from_index(number)
        assert arch == values and hash(arch) == hash(values)
        assert space.index(values) == space.index(arch) == number
        assert space.parse(space.str(values)) == values and values in space
    inside = set(expected)
    for values in itertools.product(*((*options, None) for options in space.choices)):
        assert (values in space) == (values in inside)
    for bad in (-1, len(expected)):
        with pytest.raises(ValueError, match="index must be from 0 to"):
            space.from_index(bad)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_neighbors_differ_in_one_of_the_decisions_that_both_make(space: ProductSpace) -> None:
    everything = admitted(space)

    def differing(a: tuple[Any, ...], b: tuple[Any, ...]) -> int:
        return sum(x != y for x, y in zip(a, b, strict=True) if x is not None and y is not None)

    for values in everything:
        found = [tuple(arch) for arch in space.neighbors(values)]
        assert len(found) == len(set(found))
        assert set(found) == {other for other in everything if differing(values, other) == 1}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("counted", [True, False])
def test_draws_are_uniform_over_what_is_admitted(
    space: ProductSpace, counted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = admitted(space)
    if not counted:
        if not space._where:
            pytest.skip("without constraints everything can be counted")
        space = uncounted(space, monkeypatch)
    rng = np.random.default_rng(0)
    draws = 300 * len(expected)
    counts = Counter(tuple(space.sample(rng)) for _ in range(draws))
    assert set(counts) == set(expected)
    chi2 = sum((counts[values] - 300) ** 2 / 300 for values in expected)
    freedom = len(expected) - 1
    assert chi2 < freedom + 6 * math.sqrt(2 * freedom)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_mutations_take_a_random_decision_and_another_option_of_it(space: ProductSpace) -> None:
    """Decisions with equal chances, then their other options with equal chances, as far as they are admitted."""
    rng = np.random.default_rng(1)
    for values in (admitted(space)[0], admitted(space)[-1]):
        neighbors = {tuple(arch) for arch in space.neighbors(values)}
        seen = Counter(tuple(space.mutate(values, rng)) for _ in range(4_000))
        assert set(seen) == neighbors
    plain = Counter(tuple(PLAIN.mutate((1, "x", 0.5), rng)) for _ in range(6_000))
    assert plain[2, "x", 0.5] == pytest.approx(
        1_000, abs=180
    )  # one of three decisions, one of two other options
    assert plain[1, "y", 0.5] == pytest.approx(2_000, abs=220)


def test_where_hardly_any_change_is_admitted_a_mutation_finds_it_or_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bits = {f"b{i}": (0, 1) for i in range(8)}
    chain = ProductSpace(bits, where=lambda arch: sorted(arch, reverse=True) == list(arch))
    monkeypatch.setattr(product, "TRIES", 1)
    rng = np.random.default_rng(0)
    found = Counter(tuple(chain.mutate((1, 1, 0, 0, 0, 0, 0, 0), rng)) for _ in range(400))
    assert set(found) == {(1, 1, 1, 0, 0, 0, 0, 0), (1, 0, 0, 0, 0, 0, 0, 0)} and min(found.values()) > 140
    even = ProductSpace(bits, where=lambda arch: sum(arch) % 2 == 0)
    assert even.neighbors((0,) * 8) == []
    with pytest.raises(
        ValueError, match=r"arch must have a neighbour, got .*no other option of any one decision"
    ):
        even.mutate((0,) * 8, rng)


def test_a_space_beyond_numpy_s_integers_is_counted_and_drawn_from() -> None:
    layers = {f"kernel{i}": (3, 5, 7) for i in range(60)}
    depths = ProductSpace(
        {"depth": range(1, 61)} | layers,
        when={f"kernel{i}": (lambda depth, i=i: depth > i) for i in range(60)},
    )
    assert depths.size == sum(3**depth for depth in range(1, 61))
    with pytest.raises(OverflowError):
        len(depths)
    rng = np.random.default_rng(0)
    drawn = [depths.sample(rng) for _ in range(600)]
    # Two of three architectures have the full depth, two of nine one layer less.
    found = Counter(arch.depth for arch in drawn)
    assert found[60] == pytest.approx(400, abs=70) and found[59] == pytest.approx(133, abs=60)
    assert all(depths.from_index(depths.index(arch)) == arch for arch in drawn[:20])
    assert len(run(RandomSearch, Any_(depths), 30, seed=0)) == 30


class Any_:
    """A benchmark over any space: the value is the number of threes, in percent."""

    seeds, epochs = 1, 1

    def __init__(self, space: ProductSpace) -> None:
        self.space: Any = space

    def query(self, arch: Any, epochs: Any = None, seed: Any = None) -> Any:
        from nas_lib.benchmark import Evaluation

        self.space.index(arch)  # refuses what is not in the space
        value = 100 * sum(entry == 3 for entry in arch) / len(arch)
        return Evaluation(value, value, 1.0, None, None)

    def best(self, metric: str = "test") -> Any:
        return None, 100.0


def test_constraints_that_cannot_be_counted_are_kept_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    space = uncounted(SPACE, monkeypatch)
    expected = set(admitted(SPACE))
    assert {tuple(arch) for arch in space} == expected
    numbers = [space.index(arch) for arch in space]
    assert numbers == sorted(set(numbers)) and [space.from_index(i) for i in numbers] == list(iter(space))
    with pytest.raises(OverflowError, match="space cannot count its architectures"):
        len(space)
    missing = next(i for i in range(numbers[-1]) if i not in numbers)
    with pytest.raises(
        ValueError, match=r"index must be the number of an architecture, got .* breaks the constr"
    ):
        space.from_index(missing)
    history = run(RandomSearch, Any_(space), 500, seed=0)
    assert len(history) == len(expected) and history.stopped == "exhausted"
    monkeypatch.setattr(product, "DRAWS", 50)
    never = ProductSpace({f"d{i}": range(4) for i in range(4)}, where=lambda arch: sum(arch) == -1)
    with pytest.raises(ValueError, match="constraints that admit none of 50 drawn"):
        never.sample(np.random.default_rng(0))
    with pytest.raises(ValueError, match="when must tie few decisions together"):
        ProductSpace({f"d{i}": range(4) for i in range(4)}, when={"d3": lambda arch: sum(arch) % 2 == 0})


# ------------------------------------------------------------------------------- searchers, tables, features


@pytest.mark.parametrize(
    "method",
    [
        RandomSearch,
        HillClimbing,
        RegularizedEvolution,
        Reinforce,
        partial(ConstrainedEvolution, cost=lambda arch: arch.width or 0, limit=32, population=5, parents=3),
    ],
    ids=["random", "hill", "evolution", "reinforce", "constrained"],
)
@pytest.mark.parametrize("counted", [True, False])
def test_every_searcher_searches_it(method: Any, counted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    space = SPACE if counted else uncounted(SPACE, monkeypatch)
    expected = set(admitted(SPACE))
    for seed in range(5):
        history = run(method, Any_(space), 15, seed=seed)
        assert set(map(tuple, history.archs)) <= expected and len(history) >= 10


def test_a_table_in_its_order_and_a_comparison() -> None:
    values = np.arange(float(len(SPACE)))
    table = TabularBenchmark.from_arrays(SPACE, values, values)
    assert table.best() == (SPACE.from_index(len(SPACE) - 1), len(SPACE) - 1)
    result = compare({"a": RandomSearch, "b": RegularizedEvolution}, table, 12, 20, progress=False)
    assert result.curves["a"].shape == (20, 12)


def test_reinforce_climbs_the_exact_gradient_of_the_policy_over_what_is_left() -> None:
    """The mean of its steps' gradients against that of the expected value, by numerical differentiation."""
    space = SPACES["nested"]
    archs = [tuple(arch) for arch in space]
    values = np.random.default_rng(3).normal(size=len(archs))
    searcher = Reinforce(space, np.random.default_rng(0))
    start = np.random.default_rng(4).normal(size=searcher.logits.shape)
    searcher.logits = logits = np.where(np.isfinite(searcher.logits), start, -np.inf)

    def probability(arch: tuple[Any, ...], logits: np.ndarray) -> float:
        p = 1.0
        for row, (value, options) in enumerate(zip(arch, space.choices, strict=True)):
            if value is not None:
                weights = np.exp(logits[row, : len(options)])
                p *= weights[options.index(value)] / weights.sum()
        return p

    assert sum(probability(arch, logits) for arch in archs) == pytest.approx(1)
    gradient, step = np.zeros_like(logits), 1e-6
    for at in zip(*np.nonzero(np.isfinite(logits)), strict=True):
        up, down = logits.copy(), logits.copy()
        up[at] += step
        down[at] -= step
        means = [values @ [probability(arch, x) for arch in archs] for x in (up, down)]
        gradient[at] = (means[0] - means[1]) / (2 * step)
    taken: list[np.ndarray] = []
    searcher._ascend = taken.append  # type: ignore[method-assign]
    counts: Counter[tuple[Any, ...]] = Counter()
    for _ in range(20_000):
        arch = searcher.ask()
        counts[tuple(arch)] += 1
        searcher.baseline = 0.0
        searcher.tell(arch, values[archs.index(arch)])
    mean, error = np.mean(taken, axis=0), np.std(taken, axis=0) / math.sqrt(len(taken))
    assert (abs(mean - gradient) <= 5 * error + 1e-6).all() and abs(gradient).max() > 0.05
    for arch in archs:
        expected = 20_000 * probability(arch, logits)
        assert counts[arch] == pytest.approx(expected, abs=5.5 * math.sqrt(expected) + 1)


def test_features_are_one_hot_or_one_s_own() -> None:
    assert SPACE.encode(("skip", None, None)).tolist() == [0, 0, 1] + [0] * 8
    assert SPACE.encode(("conv", 5, 24)).tolist() == [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0]
    own = ProductSpace(CHOICES, encode=lambda arch: [arch.kernel, arch.width])
    assert own.encode(("conv", 5, 24)).tolist() == [5, 24]
    for bad in (lambda arch: [[1.0]], lambda arch: [math.nan]):
        with pytest.raises(ValueError, match="encode must give a vector of finite numbers"):
            ProductSpace(CHOICES, encode=bad).encode(("conv", 5, 24))


def test_spellings_of_one_s_own() -> None:
    def spell(arch: Any) -> str:
        return f"{arch.a}{arch.b}"

    def read(string: str) -> dict[str, Any]:
        return {"a": int(string[0]), "b": string[1:]}

    choices = {"a": (1, 2), "b": ("x", "y")}
    also = ProductSpace(choices, parse=read)  # reads both
    assert also.str((2, "x")) == "a=2 b=x" and also.parse("a=2 b=x") == also.parse("2x") == (2, "x")
    own = ProductSpace(choices, parse=read, spell=spell)
    assert own.str((2, "x")) == "2x" and own.parse("2x") == (2, "x")
    with pytest.raises(ValueError, match=r"arch must be in this space, got .*b='z'"):
        own.parse("2z")
    with pytest.raises(ValueError, match="parse must be given with spell"):
        ProductSpace(choices, spell=spell)
    shapes = ProductSpace({"shape": ((3, 3), (3, 33)), "layer": (dict, list), "text": ("a b=1", "a", "")})
    assert len({shapes.str(arch) for arch in shapes}) == 12
    assert all(shapes.parse(shapes.str(arch)) == arch for arch in shapes)


@given(st.text(max_size=30))
def test_other_strings_are_refused(string: str) -> None:
    with pytest.raises(
        ValueError, match="string must be an architecture written as 'op=conv kernel=3 width=8'"
    ):
        SPACE.parse(string)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_small_space_agrees_with_the_plain_loop(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 3), min_size=2, max_size=4))
    choices = {f"x{i}": tuple(range(size)) for i, size in enumerate(sizes)}
    pick = st.integers(0, 2)
    when = {}
    for i in range(1, len(sizes)):
        if data.draw(st.booleans()):
            j, level = data.draw(st.integers(0, i - 1)), data.draw(pick)
            when[f"x{i}"] = eval(f"lambda x{j}: x{j} is not None and x{j} >= {level}")
    salt = data.draw(st.integers(0, 10**6))
    share = data.draw(st.sampled_from([0.3, 0.8, 1.0]))

    def kept(arch: Any) -> bool:
        return hash((salt, *[-1 if value is None else value for value in arch])) % 1000 < 1000 * share

    if not any(map(kept, ProductSpace(choices, when=when))):
        with pytest.raises(ValueError, match="where must admit at least one architecture"):
            ProductSpace(choices, when=when, where=kept)
        return
    space = ProductSpace(choices, when=when, where=kept)
    assert [tuple(arch) for arch in space] == admitted(space)
    assert all(space.index(arch) == i for i, arch in enumerate(space))


# ------------------------------------------------------------------------------------------ architectures


def test_an_architecture_is_a_tuple_with_names() -> None:
    arch = SPACE.from_index(0)
    assert (arch.op, arch.kernel, arch.width) == tuple(arch) == ("conv", 3, 8)
    assert SPACE.parse("op=skip kernel=- width=-").asdict() == {"op": "skip"}
    assert repr(arch) == "ProductArch(op='conv', kernel=3, width=8)"
    assert pickle.loads(pickle.dumps(arch)) == arch and pickle.loads(pickle.dumps(arch)).kernel == 3
    with pytest.raises(AttributeError, match=r"no decision 'depth' \(decided: op, kernel, width\)"):
        arch.depth  # noqa: B018
    with pytest.raises(AttributeError, match="frozen"):
        arch.kernel = 5


def test_numbers_of_another_type_are_the_space_s_own_options() -> None:
    assert SPACE.index(("conv", np.int64(5), 24.0)) == SPACE.index(("conv", 5, 24))
    arch = ProductSpace({"a": np.arange(3)}).from_index(1)
    assert type(arch.a) is int


def test_spaces_are_equal_when_everything_about_them_is() -> None:
    again = ProductSpace(CHOICES, when=WHEN, where=[small, seven_only_in_pools])
    assert again == SPACE and hash(again) == hash(SPACE) and again != ProductSpace(CHOICES, when=WHEN)
    assert pickle.loads(pickle.dumps(PLAIN)) == PLAIN
    assert repr(SPACE) == f"ProductSpace(op: 3, kernel: 3, width: 5; {len(SPACE)} architectures)"


# --------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"choices": {}}, ValueError, "choices must hold the options of each decision, .* got none"),
        ({"choices": "abc"}, TypeError, "choices must hold the options of each decision, .* got 'abc'"),
        ({"choices": 3}, TypeError, "choices must hold the options of each decision, .* got 3"),
        ({"choices": {"a": "xy"}}, TypeError, "got 'xy' for a"),
        ({"choices": {"a": {1, 2}}}, TypeError, "got {1, 2} for a"),
        ({"choices": {"a": 3}}, TypeError, "got 3 for a"),
        ({"choices": {"a": ()}}, ValueError, r"one or more distinct options, got \(\) for a"),
        ({"choices": {"a": (1, True)}}, ValueError, r"distinct options, got \(1, True\) for a"),
        ({"choices": {"a": (1, None)}}, ValueError, "choices must not have None"),
        ({"choices": {"a": ([1], [2])}}, TypeError, "hashable options"),
        ({"choices": {"a": (math.nan,)}}, ValueError, "options that equal themselves"),
        ({"choices": {"a": (1, "1")}}, ValueError, "options of different spelling"),
        ({"choices": {"a b": (1,)}}, ValueError, "names that a parameter can have, got 'a b'"),
        ({"choices": {"class": (1,)}}, ValueError, "names that a parameter can have, got 'class'"),
        ({"choices": {"arch": (1,)}}, ValueError, "must not have the name 'arch'"),
        ({"choices": {"index": (1,)}}, ValueError, "must not have the name 'index'"),
        ({"when": [1]}, TypeError, "when must be a dict of predicates"),
        (
            {"when": {"depth": bool}},
            ValueError,
            "when must name decisions out of op, kernel, width, got 'depth'",
        ),
        ({"when": {"kernel": 3}}, TypeError, r"when\['kernel'\] must be a function of decisions, got 3"),
        (
            {"when": {"kernel": lambda width: True}},
            ValueError,
            r"when\['kernel'\] must have parameters named after decisions out of op, or `arch`, got 'width'",
        ),
        ({"where": 3}, TypeError, "where must be a predicate or several, got 3"),
        ({"where": lambda depth: True}, ValueError, r"where\[0\] must have parameters named .*, got 'depth'"),
        ({"where": lambda width: width < 0}, ValueError, "where must admit at least one architecture"),
        (
            {"where": lambda width: width / 0},
            ValueError,
            r"where\[0\] must answer with True or False, got ZeroDivisionError .* for width=8",
        ),
        ({"encode": 3}, TypeError, "encode must be a function, got 3"),
        ({"parse": "x"}, TypeError, "parse must be a function, got 'x'"),
    ],
)
def test_bad_spaces_are_refused(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ProductSpace(**({"choices": CHOICES} | arguments))


@pytest.mark.parametrize(
    ("arch", "error", "message"),
    [
        (("conv", 3), ValueError, r"one option per decision \(op, kernel, width\), got 2 entries"),
        ("conv", TypeError, r"got the string 'conv' \(a space's parse\(\) reads strings\)"),
        (3, TypeError, "got 3"),
        (("conv", 4, 8), ValueError, r"has kernel=4 where the space offers \(3, 5, 7\)"),
        (("conv", [3], 8), ValueError, r"has kernel=\[3\] where the space offers"),
        (("skip", 3, None), ValueError, "must have None for kernel here"),
        (("conv", None, 8), ValueError, "must have an option for kernel here"),
        (("conv", 7, 8), ValueError, r"breaks the constraint where\[1\]"),
    ],
)
def test_what_is_not_in_the_space_is_refused_with_the_reason(
    arch: Any, error: type[Exception], message: str
) -> None:
    rng = np.random.default_rng(0)
    for method in (SPACE.index, SPACE.str, SPACE.encode, SPACE.neighbors, partial(SPACE.mutate, rng=rng)):
        with pytest.raises(error, match=message):
            method(arch)
    assert arch not in SPACE


def test_too_many_neighbours_and_beginnings_that_lead_nowhere() -> None:
    wide = ProductSpace(
        {"on": (0, 1)} | {f"d{i}": range(8) for i in range(8)},
        when={f"d{i}": lambda on: on == 1 for i in range(8)},
    )
    off = (0, *[None] * 8)
    with pytest.raises(
        ValueError, match="arch must have at most 100000 neighbours, got more at a change of on"
    ):
        wide.neighbors(off)
    assert wide.mutate(off, np.random.default_rng(0)).on == 1
    assert SPACE.options(("conv",)) == (3, 5) and SPACE.options(("skip",)) == (None,)
    for bad in (("conv", 7), ("skip", None, None), ("flip",)):
        with pytest.raises(ValueError, match="decided must be the first decisions of an architecture"):
            SPACE.options(bad)


@pytest.mark.parametrize(
    ("options", "spelt"),
    [
        (np.linspace(0, 1, 3), ["rate=0.0", "rate=0.5", "rate=1.0"]),
        (list(np.linspace(0, 1, 3)), ["rate=0.0", "rate=0.5", "rate=1.0"]),
        ((np.int64(3), np.int64(5)), ["rate=3", "rate=5"]),
    ],
)
def test_numpys_numbers_are_spelt_as_numbers(options: Any, spelt: list[str]) -> None:
    space = ProductSpace({"rate": options})
    assert [space.str(arch) for arch in space] == spelt
    assert all(space.parse(space.str(arch)) == arch for arch in space)


def test_options_that_read_like_two_decisions_are_refused() -> None:
    with pytest.raises(ValueError, match="do not read like two decisions, got 'x b=y' for a"):
        ProductSpace({"a": ("x", "x b=y"), "b": ("y", "y b=y")})


def test_own_functions_that_give_something_else_are_named() -> None:
    choices = {"a": (1, 2, 3)}
    for encoded in ([[1], [2, 3]], None, ["x"], [math.nan]):
        with pytest.raises(ValueError, match="encode must give a vector of finite numbers"):
            ProductSpace(choices, encode=lambda arch, e=encoded: e).encode((1,))  # type: ignore[arg-type, misc]
    own: Any = ProductSpace(choices, parse=lambda text: (int(text),), spell=lambda arch: arch.a)
    with pytest.raises(ValueError, match="spell must give a string, got 1"):
        own.str((1,))
    with pytest.raises(ValueError, match=r"string must be an architecture .* parse ends with ValueError"):
        ProductSpace(choices, parse=lambda text: (int(text),)).parse("one")
