"""Lesson 02: references against scipy, the library, definitions and closed forms; its stand-ins and recorded scores."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from torch import nn
from torch.nn import functional as F

import solutions
from nas_lib import plotting, real_data
from nas_lib.benchmark import TabularBenchmark
from nas_lib.data import cluttered_digits
from nas_lib.lesson import PROXY_BATCH, PROXY_SEEDS, paired_numbers, proxy_scores, within_seconds
from nas_lib.networks import build_network
from nas_lib.search import History, RandomSearch, run
from nas_lib.searchers import HillClimbing, RegularizedEvolution, SuccessiveHalving
from nas_lib.spaces import CellSpace, functions
from nas_lib.standins import STANDINS, standins
from scripts.benchmarks import search as bench_search
from scripts.recordings.proxy_scores import Proxies
from tests.test_search import BENCH, SMALL

LESSON = solutions.load("02_evolution_and_early_stopping")
TIED = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=40)
FREE = st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=2, max_size=40)


def _differ(a: Any, b: Any) -> int:
    return sum(x != y for x, y in zip(a, b, strict=True))


def _quality(arch: Any) -> float:
    return BENCH.query(arch).valid


# --- hill climbing ---


@given(budget=st.integers(1, len(SMALL)), seed=st.integers(0, 500))
def test_a_climb_can_be_read_round_by_round(budget: int, seed: int) -> None:
    calls: list[Any] = []
    history = LESSON.hill_climb(
        lambda arch: calls.append(arch) or _quality(arch), SMALL, budget, np.random.default_rng(seed)
    )
    assert isinstance(history, History) and history.archs == calls
    assert len(set(calls)) == len(calls) == budget
    values = dict(zip(history.archs, history.values))
    left, seen = list(history.archs), set()
    while left:
        here = left.pop(0)
        seen.add(here)
        while left:
            unseen = [arch for arch in SMALL.neighbors(here) if arch not in seen]
            found, left = left[: len(unseen)], left[len(unseen) :]
            assert set(found) <= set(unseen)
            seen.update(found)
            best = max(found, key=values.__getitem__, default=here)
            if values[best] <= values[here]:
                break
            here = best


def test_a_climb_moves_on_a_ridge_and_not_on_a_plateau() -> None:
    rng = np.random.default_rng(0)
    ridge = LESSON.hill_climb(SMALL.index, SMALL, 22, rng)  # always a better neighbour until the last cell
    assert ridge.values.max() == len(SMALL) - 1
    plateau = LESSON.hill_climb(lambda arch: 1.0, SMALL, 8, rng)
    start, *around, restart = plateau.archs
    assert {_differ(start, arch) for arch in around} == {1} and len(around) == 6 and restart not in around


# --- evolution ---


@given(
    population=st.integers(2, 12), sample=st.integers(1, 12), more=st.integers(0, 60), seed=st.integers(0, 99)
)
def test_children_have_a_parent_among_the_youngest(
    population: int, sample: int, more: int, seed: int
) -> None:
    assume(sample <= population)
    space, count = CellSpace(), itertools.count()
    history = LESSON.regularized_evolution(
        lambda arch: -float(next(count)),
        space,
        population + more,
        population,
        sample,
        np.random.default_rng(seed),
    )
    assert len(history) == population + more == next(count)
    for at in range(population, len(history)):
        alive = history.archs[at - population : at]
        assert any(_differ(arch, history.archs[at]) == 1 for arch in alive)


def test_the_best_of_a_tournament_of_everyone_is_nearly_always_the_best() -> None:
    """Values fall with time: the best is the oldest. Draws with repeats hold it with probability 1 − (1 − 1/4)^8."""
    space, count = CellSpace(), itertools.count()
    history = LESSON.regularized_evolution(
        lambda arch: -float(next(count)), space, 2_000, 4, 4, np.random.default_rng(1)
    )
    oldest = np.mean([_differ(history.archs[at], history.archs[at - 4]) == 1 for at in range(4, 2_000)])
    assert (
        oldest > 1 - (3 / 4) ** 4 - 0.05
    )  # a sibling of the oldest may pass for it, so there is no upper bound


@pytest.mark.parametrize(
    ("ours", "library"),
    [
        (LESSON.hill_climb, HillClimbing),
        (
            lambda objective, space, budget, rng: LESSON.regularized_evolution(
                objective, space, budget, 10, 3, rng
            ),
            partial(RegularizedEvolution, population=10, sample=3),
        ),
    ],
    ids=["hill climbing", "evolution"],
)
def test_the_searches_find_what_the_library_s_find(ours: Callable[..., History], library: Any) -> None:
    """Mean over 400 runs of the best after 25 evaluations, within 4.5 standard errors of the difference."""
    seeds = range(400)
    mine = np.array([ours(_quality, SMALL, 25, np.random.default_rng(seed)).values.max() for seed in seeds])
    theirs = np.array([run(library, BENCH, 25, 10_000 + seed).values.max() for seed in seeds])
    assert mine.mean() == pytest.approx(
        theirs.mean(), abs=4.5 * math.hypot(stats.sem(mine), stats.sem(theirs))
    )


# --- successive halving ---


@given(
    n=st.integers(1, 40),
    eta=st.integers(2, 5),
    low=st.integers(1, 4),
    more=st.integers(0, 30),
    seed=st.integers(0, 99),
)
def test_halving_is_that_of_the_library(n: int, eta: int, low: int, more: int, seed: int) -> None:
    curves = np.random.default_rng(seed).normal(size=(n, low + more + 1))
    high = low + more
    winner, trials = LESSON.successive_halving(lambda i, epochs: curves[i, epochs], range(n), eta, low, high)
    race, expected = SuccessiveHalving(range(n), high, eta=eta, min_epochs=low), []
    while len(expected) < len(trials):
        arch, epochs = race.ask()
        expected.append((arch, epochs, curves[arch, epochs]))
        race.tell(*expected[-1])
    assert trials == expected and winner == race.winner


def test_configs_need_not_be_hashable() -> None:
    configs = [{"width": width} for width in (3, 1, 2)]
    winner, trials = LESSON.successive_halving(lambda c, epochs: c["width"], configs, 3, 1, 3)
    assert winner == {"width": 3} and [(c["width"], e) for c, e, _ in trials] == [
        (3, 1),
        (1, 1),
        (2, 1),
        (3, 3),
    ]


def _small_search(name: str, **changes: Any) -> Any:
    """Call a search with one argument changed; the objective fails where it is evaluated at all."""

    def never(arch: Any) -> float:
        raise AssertionError("evaluated")

    arguments = {"objective": never, "space": SMALL, "budget": 20, "rng": np.random.default_rng(0)}
    if name == "regularized_evolution":
        arguments |= {"population": 10, "sample": 3}
    return getattr(LESSON, name)(**(arguments | changes))


@pytest.mark.parametrize(
    ("name", "changes", "named"),
    [
        ("hill_climb", {"budget": 0}, "budget"),
        ("hill_climb", {"budget": 65}, "budget"),
        ("hill_climb", {"objective": lambda arch: math.nan}, "objective"),
        ("regularized_evolution", {"budget": 9}, "budget must pay for the first population of 10, got 9"),
        ("regularized_evolution", {"population": 1, "sample": 1}, "population"),
        ("regularized_evolution", {"sample": 0}, "sample"),
        ("regularized_evolution", {"sample": 11}, "sample"),
        ("regularized_evolution", {"objective": lambda arch: math.inf}, "objective"),
    ],
)
def test_searches_refuse_bad_input_by_name(name: str, changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        _small_search(name, **changes)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"eta": 1}, "eta must be at least 2, .*, got 1"),
        ({"configs": []}, "configs"),
        ({"min_epochs": 0}, "min_epochs"),
        ({"min_epochs": 5}, "min_epochs"),
        ({"train_to": lambda config, epochs: math.nan}, "train_to"),
    ],
)
def test_halving_refuses_bad_input_by_name(changes: dict[str, Any], named: str) -> None:
    arguments = {
        "train_to": lambda config, epochs: 1.0,
        "configs": "abc",
        "eta": 2,
        "min_epochs": 1,
        "max_epochs": 4,
    }
    with pytest.raises(ValueError, match=named):
        LESSON.successive_halving(**(arguments | changes))


# --- rank correlation ---


@given(pairs=TIED | FREE)
def test_rank_correlations_are_those_of_scipy(pairs: list[tuple[float, float]]) -> None:
    a, b = (np.array(column, dtype=float) for column in zip(*pairs))
    assume(np.ptp(a) > 0 and np.ptp(b) > 0)
    before = a.copy(), b.copy()
    assert LESSON.spearman(a, list(b)) == pytest.approx(stats.spearmanr(a, b)[0], abs=1e-9)
    assert LESSON.kendall_tau(tuple(a), b) == pytest.approx(stats.kendalltau(a, b)[0], abs=1e-9)
    np.testing.assert_array_equal((a, b), before)


@given(values=st.lists(st.integers(-50, 50), min_size=3, max_size=30, unique=True), seed=st.integers(0, 99))
def test_only_the_order_counts(values: list[int], seed: int) -> None:
    a, b = np.array(values, dtype=float), np.random.default_rng(seed).normal(size=len(values))
    for coefficient in (LESSON.spearman, LESSON.kendall_tau):
        assert coefficient(a, a) == pytest.approx(1) and coefficient(a, -a) == pytest.approx(-1)
        assert (
            coefficient(a**3 + 7, b) == pytest.approx(coefficient(a, b)) == pytest.approx(coefficient(b, a))
        )


def test_tau_of_ties_by_hand() -> None:
    assert LESSON.kendall_tau([1, 2, 3], [10, 30, 20]) == pytest.approx(1 / 3)
    assert LESSON.kendall_tau([1, 2, 3], [10, 20, 20]) == pytest.approx(2 / math.sqrt(6))
    assert LESSON.kendall_tau([1, 1, 2, 2], [1, 2, 1, 2]) == 0
    assert LESSON.spearman([1, 2, 3, 4], [10, 20, 20, 30]) == pytest.approx(4.5 / math.sqrt(22.5))


@pytest.mark.parametrize(
    ("a", "b", "named"),
    [
        ([1, 2], [1, 2, 3], "a and b"),
        ([1], [1], "a and b"),
        ([[1, 2]], [[1, 2]], "a and b"),
        ([1, math.nan], [1, 2], "a must be finite"),
        ([1, 2], [math.inf, 2], "b must be finite"),
        ([1, 2], [3, 3], "b must hold at least two different numbers, got 3"),
    ],
)
def test_what_has_no_order_is_refused(a: Any, b: Any, named: str) -> None:
    for coefficient in (LESSON.spearman, LESSON.kendall_tau, paired_numbers):
        with pytest.raises(ValueError, match=named):
            coefficient(a, b)


# --- scores of untrained networks ---


def _mlp(*widths: int, bias: bool = True, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    layers = [nn.Linear(a, b, bias=bias) for a, b in itertools.pairwise(widths)]
    return nn.Sequential(*[one for layer in layers for one in (layer, nn.ReLU())][:-1])


def _paths(net: nn.Sequential) -> float:
    """Sum over all paths from input to output of the product of the absolute weights on them."""
    flow = None
    for layer in net:
        if isinstance(layer, nn.Linear):
            weight = layer.weight.detach().double().abs().numpy()
            flow = weight.sum(axis=1) if flow is None else weight @ flow
    return float(flow.sum())


def test_synflow_of_the_lesson_s_example() -> None:
    net = _mlp(2, 1, 1, bias=False)
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[3.0, -4.0]]))
        net[2].weight.fill_(-5.0)
    assert LESSON.synflow_score(net, (2,)) == pytest.approx(70)


@pytest.mark.parametrize("widths", [(3, 2), (3, 5, 2), (4, 6, 5, 3)])
def test_every_layer_carries_the_whole_flow(widths: tuple[int, ...]) -> None:
    """Without biases R is the sum over all paths, and θ · ∂R/∂θ summed over a layer counts each path once."""
    net = _mlp(*widths, bias=False)
    assert LESSON.synflow_score(net, widths[:1]) == pytest.approx((len(widths) - 1) * _paths(net))


def _published(net: nn.Module, shape: tuple[int, ...]) -> float:
    """The measure of its authors' public code: |θ| in all of the state, |θ · grad| of the layers' weights."""
    net = copy.deepcopy(net).double().eval()
    with torch.no_grad():
        for value in net.state_dict().values():
            value.abs_()
    net(torch.ones(1, *shape, dtype=torch.float64)).sum().backward()
    layers = [layer for layer in net.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    return sum(float((layer.weight * layer.weight.grad).detach().abs().sum()) for layer in layers)


def test_synflow_is_the_published_measure_where_layers_have_weights_only() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.ReLU(), nn.BatchNorm2d(4, affine=False), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(16, 3, bias=False),
    )  # fmt: skip
    assert LESSON.synflow_score(net, (2, 4, 4)) == pytest.approx(_published(net, (2, 4, 4)))
    assert LESSON.synflow_score(_mlp(3, 4, 2, bias=False), (3,)) == pytest.approx(
        _published(_mlp(3, 4, 2, bias=False), (3,))
    )


def test_synflow_does_not_see_signs_and_counts_biases_and_batch_norms() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten())
    with torch.no_grad():
        for parameter, value in zip(
            net.parameters(), ([[[[2.0]]], [[[-3.0]]]], [1.0, -1.0], [-2.0, 1.0], [0.5, -1.0])
        ):
            parameter.copy_(torch.tensor(value))
    # One pixel of 1, stored mean 0 and variance 1. Channels: (2·1 + 1)·2 + 0.5 = 6.5 and (3·1 + 1)·1 + 1 = 5.
    scale = 1 / math.sqrt(1 + net[1].eps)
    weights, biases, gammas, betas = 2 * 2 + 3, 1 * 2 + 1, 3 * 2 + 4, 0.5 + 1
    assert LESSON.synflow_score(net, (1, 1, 1)) == pytest.approx(scale * (weights + biases + gammas) + betas)
    flipped = copy.deepcopy(net)
    with torch.no_grad():
        for parameter in flipped.parameters():
            parameter.neg_()
    assert LESSON.synflow_score(flipped, (1, 1, 1)) == pytest.approx(LESSON.synflow_score(net, (1, 1, 1)))


def test_a_flow_beyond_float32_is_finite() -> None:
    net = _mlp(*[4] * 9, bias=False)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(1e6)
    score = LESSON.synflow_score(net, (4,))
    assert score > float(np.finfo(np.float32).max) and score == pytest.approx(8 * _paths(net))


def test_grad_norm_of_one_layer_in_closed_form() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 3)), rng.integers(4, size=5)
    net = _mlp(3, 4).double()
    weight, bias = (p.detach().numpy() for p in net.parameters())
    chances = np.exp(x @ weight.T + bias)
    error = (chances / chances.sum(axis=1, keepdims=True) - np.eye(4)[y]) / 5
    expected = np.linalg.norm(error.T @ x) + np.linalg.norm(error.sum(axis=0))
    assert LESSON.grad_norm_score(net, torch.tensor(x), torch.tensor(y)) == pytest.approx(expected)


def test_grad_norm_by_finite_differences() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2)).double()
    x, y = torch.randn(6, 3, dtype=torch.float64), torch.tensor([0, 1, 1, 0, 1, 0])
    expected, step = 0.0, 1e-6
    for place, parameter in enumerate(net.parameters()):
        slopes = []
        for entry in range(parameter.numel()):
            losses = []
            for sign in (1, -1):
                moved = copy.deepcopy(net)
                with torch.no_grad():
                    list(moved.parameters())[place].view(-1)[entry] += sign * step
                losses.append(float(F.cross_entropy(moved(x), y).detach()))
            slopes.append((losses[0] - losses[1]) / (2 * step))
        expected += float(np.linalg.norm(slopes))
    assert LESSON.grad_norm_score(net, x, y) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_scores_leave_the_network_as_it_was(training: bool) -> None:
    arch = CellSpace().parse(
        "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|none~2|"
    )  # a dead end
    net = build_network(arch).train(training)
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    x, y = cluttered_digits("train", 4, 12, seed=0).tensors()
    assert LESSON.synflow_score(net, (1, 12, 12)) > 0 and LESSON.grad_norm_score(net, x, y) > 0
    for name, value in net.state_dict().items():
        assert value.dtype == before[name].dtype and torch.equal(value, before[name])
    assert all(module.training is training for module in net.modules())
    assert all(torch.equal(p.grad, torch.ones_like(p)) for p in net.parameters())


@pytest.mark.parametrize("net", [nn.ReLU(), nn.Linear(2, 2)])
def test_scores_refuse_networks_without_a_score(net: nn.Module) -> None:
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(math.nan)
    with pytest.raises(ValueError, match="net must have"):
        LESSON.synflow_score(net, (2,))
    with pytest.raises(ValueError, match="finite loss"):
        LESSON.grad_norm_score(net, torch.full((3, 2), math.nan), torch.tensor([0, 1, 0]))


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="finite loss"):
        LESSON.grad_norm_score(nn.Linear(2, 2), torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64))


# --- recorded scores ---


def test_recorded_scores_are_complete_and_those_of_the_reference() -> None:
    recorded, cells = proxy_scores(), functions()[0]
    x, y = cluttered_digits("train", PROXY_BATCH, 12, seed=0).tensors()
    for name, scores in recorded.items():
        assert (
            scores.shape == (len(cells), PROXY_SEEDS) and np.isfinite(scores).all() and (scores >= 0).all()
        ), name
    for place in range(7, len(cells), 1_300):
        net = build_network(cells[place], seed=1)
        assert recorded["synflow"][place, 1] == pytest.approx(
            LESSON.synflow_score(net, (1, 12, 12)), rel=1e-5
        )
        assert recorded["grad_norm"][place, 1] == pytest.approx(LESSON.grad_norm_score(net, x, y), rel=1e-3)


def test_scores_are_recorded_as_they_are_shipped() -> None:
    study, shipped = Proxies(), proxy_scores()
    for place in (7, 2_000):
        row = study.do(functions()[0][place])
        np.testing.assert_allclose(row["synflow"], shipped["synflow"][place], rtol=1e-5)
        np.testing.assert_allclose(row["grad_norm"], shipped["grad_norm"][place], rtol=1e-3)
        assert all(np.float32(x) == np.float32(f"{x:.9g}") for x in row["synflow"])


# --- stand-ins and helpers ---


def test_what_stands_in_agrees_with_the_references() -> None:
    standins("02_evolution_and_early_stopping")
    stand_in = {name: one.function for name, one in STANDINS.items()}
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 9, 50), rng.integers(0, 9, 50)
    for name in ("spearman", "kendall_tau"):
        assert stand_in[name](a, b) == pytest.approx(getattr(LESSON, name)(a, b))
    curves = rng.normal(size=(20, 10))
    race = [{"row": row} for row in range(20)], 3, 1, 9

    def train_to(config: dict[str, int], epochs: int) -> float:
        return float(curves[config["row"], epochs])

    assert stand_in["successive_halving"](train_to, *race) == LESSON.successive_halving(train_to, *race)
    assert len(set(stand_in["hill_climb"](_quality, SMALL, 64, rng).archs)) == 64
    assert len(stand_in["regularized_evolution"](_quality, SMALL, 30, 10, 3, rng)) == 30
    net, (x, y) = (
        build_network(functions()[0][77]),
        cluttered_digits("train", PROXY_BATCH, 12, seed=0).tensors(),
    )
    assert stand_in["synflow_score"](net, (1, 12, 12)) == pytest.approx(
        LESSON.synflow_score(net, (1, 12, 12)), rel=1e-5
    )
    assert stand_in["grad_norm_score"](net, x, y) == pytest.approx(
        LESSON.grad_norm_score(net, x, y), rel=1e-3
    )
    with pytest.raises(ValueError, match="write synflow_score"):
        stand_in["synflow_score"](nn.Linear(2, 2), (2,))


def test_a_budget_of_seconds_ends_a_search_that_counts_evaluations() -> None:
    def in_order(objective: Any, space: Any, budget: int, rng: Any) -> History:
        return History(list(range(budget)), np.array([objective(space.from_index(i)) for i in range(budget)]))

    valid, rng = np.arange(64.0), np.random.default_rng(0)
    bench = TabularBenchmark.from_arrays(SMALL, valid, test=valid + 0.5, seconds=np.full(64, 10.0))
    assert within_seconds(in_order, bench, 50, rng) == 4.5  # five evaluations fit
    assert within_seconds(in_order, bench, 59.9, rng) == 4.5
    assert within_seconds(in_order, bench, 1e9, rng) == 63.5
    with pytest.raises(ValueError, match="seconds must pay for at least one evaluation, got 9"):
        within_seconds(in_order, bench, 9, rng)
    with pytest.raises(ValueError, match="benchmark must know seconds"):
        within_seconds(in_order, TabularBenchmark.from_arrays(SMALL, valid), 50, rng)


def test_dots_show_every_value_and_the_baseline() -> None:
    figure = plotting.dots(
        {"all": {"a": 0.5, "b": -0.2}, "top": {"a": 0.1, "b": 0.3}}, xlabel="tau", baseline="a"
    )
    left, right = figure.axes
    assert [tick.get_text() for tick in left.get_yticklabels()] == ["a", "b"]
    assert [text.get_text() for text in right.texts] == ["0.10", "0.30"]
    assert left.get_xlabel() == "tau" and [ax.get_title(loc="left") for ax in figure.axes] == ["all", "top"]
    dashed = [line.get_xdata()[0] for line in right.lines if line.get_linestyle() == "--"]
    assert 0.1 in dashed


# --- real NAS-Bench-201, and speed ---

# Validation accuracy after 200 epochs (percent), mean and sd of 500 runs. Evolution: published with the data. Hill
# climbing: measured here with the library's own; local search published with the data (91.44) takes the first better
# neighbour, see tests/test_searchers.py.
KNOWN: dict[str, tuple[Callable[..., History], float, float]] = {
    "hill climbing": (LESSON.hill_climb, 91.33, 0.27),
    "evolution": (
        lambda objective, space, budget, rng: LESSON.regularized_evolution(
            objective, space, budget, 10, 3, rng
        ),
        91.31,
        0.30,
    ),
}


def _on_nas_bench_201(name: str, runs: int) -> float:
    path = real_data.find_nas_bench_201()
    if path is None:
        pytest.skip(
            f"the real NAS-Bench-201 values are not here: {real_data.FOLDER_VARIABLE} names their folder"
        )
    bench = real_data.nas_bench_201(path)
    seconds = real_data.SECONDS
    return float(
        np.mean(
            [within_seconds(KNOWN[name][0], bench, seconds, np.random.default_rng(i)) for i in range(runs)]
        )
    )


@pytest.mark.parametrize("name", KNOWN)
def test_the_references_on_nas_bench_201(name: str) -> None:
    """40 runs: the tolerance grows by four standard errors of their mean."""
    _, mean, sd = KNOWN[name]
    assert _on_nas_bench_201(name, 40) == pytest.approx(mean, abs=0.1 + 4 * sd / math.sqrt(40))


@pytest.mark.slow
@pytest.mark.parametrize("name", KNOWN)
def test_500_runs_of_the_references_on_nas_bench_201(name: str) -> None:
    assert _on_nas_bench_201(name, 500) == pytest.approx(KNOWN[name][1], abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in bench_search.BARE if name not in bench_search.UNEQUAL])
def test_the_protocol_costs_no_more_than_the_search_itself(name: str, tmp_path: Path) -> None:
    bench_search.made_up_table().write(tmp_path / "table.npz")
    ours, bare = bench_search.against_bare(name, TabularBenchmark.load(tmp_path / "table.npz"), rounds=5)
    assert ours <= bench_search.MOST * bare


def test_random_search_has_a_bare_loop_too() -> None:
    assert {RandomSearch, HillClimbing, RegularizedEvolution} <= {
        method for method, _, _ in bench_search.BARE.values()
    }
