"""Lesson 04 and its library: gradients against autograd and the paper's toy, the fast supernet against the taught one,
searches that can be interrupted, recordings that go on, and what stands in for an exercise."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional as F

import solutions
from autograder import samples
from autograder.grade import command
from nas_lib import bilevel_toys, checks, darts, plotting, supernet
from nas_lib.checks.darts import toys
from nas_lib.lesson import milliseconds
from nas_lib.networks import CellNetwork, NetworkConfig
from nas_lib.spaces import EDGES, OPS, CellSpace
from nas_lib.standins import STANDINS, standins
from nas_lib.training import DataSplits, Recipe
from scripts.benchmarks import darts as bench_darts
from scripts.recordings import darts_runs, latency_runs
from scripts.recordings.darts_runs import Searches
from scripts.recordings.latency_runs import PricedSearches

LESSON = solutions.load("04_darts")
standins("04_darts")
EXERCISES = [
    "mixed_op", "CellSupernet", "discretize", "weight_step", "alpha_step_first_order", "alpha_step_second_order",
    "gumbel_softmax_sample",
]  # fmt: skip
SPACE = CellSpace()
TINY = NetworkConfig(channels=4, stages=2)
CONFIG = darts.SearchConfig(network=TINY, train_images=64, epochs=2, batch_size=16)
RECIPE = Recipe(network=TINY, train_images=32, valid_images=16, final_images=16, epochs=1, batch_size=16)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def splits() -> DataSplits:
    """Noise with labels: enough to search on, nothing to learn."""
    draw = _generator(3)

    def some(n: int) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.randn(n, 1, 12, 12, generator=draw), torch.randint(10, (n,), generator=draw)

    valid = some(16)
    return DataSplits(train=some(64), valid=valid, final_valid=valid, test=some(16))


@pytest.mark.parametrize("size", [(2, 3, 8, 8), (1, 2, 9, 17), (2, 4, 32, 32)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pooling_by_additions_is_torchs_pooling(size: tuple[int, ...], dtype: torch.dtype) -> None:
    """In value, gradient and second gradient; maps of other sizes go to torch's own."""
    supernet._share.cache_clear()
    with torch.inference_mode():
        supernet._pool(torch.ones(size, dtype=dtype))

    def moments(pool: Callable[[torch.Tensor], torch.Tensor]) -> list[torch.Tensor]:
        x = torch.randn(size, dtype=dtype, generator=torch.Generator().manual_seed(0)).requires_grad_()
        y = pool(x)
        (first,) = torch.autograd.grad((y**3).sum(), x, create_graph=True)
        (second,) = torch.autograd.grad((first**2).sum(), x)
        return [y, first, second]

    def torchs(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)

    for ours, theirs in zip(moments(supernet._pool), moments(torchs), strict=True):
        torch.testing.assert_close(ours, theirs)
    assert supernet._share.cache_info().currsize


# --- exercises: mixed_op, CellSupernet, discretize ---


def test_the_example_of_a_mixture() -> None:
    outputs = [torch.tensor([2.0, 2.0]), torch.tensor([6.0, 10.0])]
    assert LESSON.mixed_op(outputs, torch.zeros(2)).tolist() == [4.0, 6.0]


@pytest.mark.parametrize(
    ("outputs", "alphas"),
    [
        ([], torch.zeros(0)),
        ([torch.ones(2)], torch.zeros(2)),
        ([torch.ones(2)] * 2, torch.zeros(1, 2)),
        ([torch.ones(2, 1), torch.ones(2)], torch.zeros(2)),
    ],
)
def test_outputs_and_logits_that_do_not_fit_are_refused(outputs: Any, alphas: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"outputs|alphas"):
        LESSON.mixed_op(outputs, alphas)


@pytest.mark.parametrize("seed", range(4))
def test_a_cell_with_decided_logits_is_the_cell_of_the_space(seed: int) -> None:
    """With one logit far above the others of its edge, the supernet's cell computes that discrete cell."""
    arch = SPACE.sample(np.random.default_rng(seed))
    alphas = torch.full((6, 5), -1e4)
    alphas[range(6), [OPS.index(op) for op in arch]] = 0.0
    net = supernet.MixedSupernet(TINY, cell=LESSON.CellSupernet, seed=seed)
    with torch.no_grad():
        net.logits.copy_(alphas)
    x = torch.randn(3, 1, 12, 12, generator=_generator(seed))
    discrete = supernet.inherit(net, arch)
    assert isinstance(discrete, CellNetwork) and discrete.arch == arch
    torch.testing.assert_close(net.eval()(x), discrete.eval()(x))


def test_the_examples_of_discretisation() -> None:
    rows = [[2.0, -1.0, -3.0, -0.5, -2.0]] * 6
    assert LESSON.discretize(rows) == ("nor_conv_3x3",) * 6
    assert LESSON.discretize(torch.tensor(rows), exclude_none=False) == ("none",) * 6


@pytest.mark.parametrize("alphas", [torch.zeros(5, 6), torch.zeros(6, 4), torch.full((6, 5), math.nan)])
def test_logits_of_another_shape_are_refused(alphas: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="alphas"):
        LESSON.discretize(alphas)
    if alphas.shape != (6, 5):
        with pytest.raises(ValueError, match="alphas"):
            LESSON.CellSupernet(4, alphas)


# --- exercises: the steps ---


def _slope_of(step: Any, model: Any, *given: Any) -> torch.Tensor:
    """The gradient that a step of the alphas uses, by a step of size 1."""
    before = [one.detach().clone() for one in model.alphas()]
    *batches, rest = given
    step(model, model.loss, *batches, torch.optim.SGD(model.alphas(), 1.0), *rest)
    return torch.cat([(a - b.detach()).flatten() for a, b in zip(before, model.alphas())])


@pytest.mark.parametrize("xi", [0.0, 0.1, 0.25, 0.5])
@pytest.mark.parametrize(("alpha", "w"), [(1.0, 0.0), (2.0, -2.0), (-0.7, 1.3)])
def test_the_second_order_is_the_papers_toy_in_closed_form(xi: float, alpha: float, w: float) -> None:
    toy = bilevel_toys.PaperToy()
    with torch.no_grad():
        toy.a.fill_(alpha)
        toy.w.fill_(w)
    ahead = w - xi * (2 * w - 2 * alpha)
    found = _slope_of(LESSON.alpha_step_second_order, toy, toy.TRAIN, toy.VALID, (xi,))
    assert float(found) == pytest.approx(ahead + 2 * xi * (alpha - 2), abs=1e-9)
    assert toy.w.item() == w and toy.w.grad is None


def test_both_orders_come_to_rest_where_they_should() -> None:
    for xi in (0.0, 0.25, 0.5):
        toy = bilevel_toys.PaperToy()
        outer, inner = torch.optim.SGD(toy.alphas(), 0.05), torch.optim.SGD(toy.weights(), 0.1)
        for _ in range(600):
            if xi:
                LESSON.alpha_step_second_order(toy, toy.loss, toy.TRAIN, toy.VALID, outer, xi)
            else:
                LESSON.alpha_step_first_order(toy, toy.loss, toy.VALID, outer)
            LESSON.weight_step(toy, toy.loss, toy.TRAIN, inner)
        assert toy.a.item() == pytest.approx(4 * xi / (1 + 2 * xi), abs=1e-3)


def test_the_finite_difference_is_exact_where_functions_are_smooth() -> None:
    draw = _generator(1)
    x, y = (
        torch.rand(64, 1, 12, 12, generator=draw, dtype=torch.float64),
        torch.randint(10, (64,), generator=draw),
    )
    halves = (x[:32], y[:32]), (x[32:], y[32:])
    model = bilevel_toys.MixedLayers(torch.tanh)
    before = [one.detach().clone() for one in (*model.weights(), *model.alphas())]
    good = bilevel_toys.term_agreement(LESSON.alpha_step_second_order, model, *halves, 0.5, 1e-4)
    assert good > 1 - 1e-6
    assert all(torch.equal(a, b) for a, b in zip(before, (*model.weights(), *model.alphas())))


def test_steps_leave_the_other_group_and_its_gradients_alone() -> None:
    toy = bilevel_toys.PaperToy()
    toy.w.grad = torch.tensor(5.0, dtype=torch.float64)
    LESSON.alpha_step_first_order(toy, toy.loss, toy.VALID, torch.optim.SGD(toy.alphas(), 0.1))
    assert toy.w.item() == -2.0 and toy.w.grad.item() == 5.0
    optimizer = torch.optim.SGD(toy.weights(), 0.1)
    alpha = toy.a.item()
    loss = LESSON.weight_step(toy, toy.loss, toy.TRAIN, optimizer)
    assert toy.a.item() == alpha and loss == pytest.approx(4 + 4 * alpha + alpha**2)
    assert toy.w.item() == pytest.approx(-2.0 - 0.1 * (-4 - 2 * alpha))


def test_a_loss_that_is_nan_changes_nothing() -> None:
    toy = bilevel_toys.PaperToy()
    bad = (None, torch.full((5,), math.nan, dtype=torch.float64))
    optimizer = torch.optim.SGD(toy.alphas(), 0.1)
    calls = (
        lambda: LESSON.weight_step(toy, toy.loss, bad, torch.optim.SGD(toy.weights(), 0.1)),
        lambda: LESSON.alpha_step_first_order(toy, toy.loss, bad, optimizer),
        lambda: LESSON.alpha_step_second_order(toy, toy.loss, toy.TRAIN, bad, optimizer, 0.1),
    )
    for call in calls:
        with pytest.raises(ValueError, match="loss"):
            call()
    assert (toy.a.item(), toy.w.item()) == (2.0, -2.0)


@pytest.mark.parametrize(
    ("rate", "eps", "name"),
    [(-0.1, 0.01, "weight_lr"), (math.nan, 0.01, "weight_lr"), (0.1, 0.0, "eps"), (0.1, math.nan, "eps")],
)
def test_impossible_rates_and_radii_are_refused(rate: float, eps: float, name: str) -> None:
    toy = bilevel_toys.PaperToy()
    optimizer = torch.optim.SGD(toy.alphas(), 0.1)
    with pytest.raises(ValueError, match=name):
        LESSON.alpha_step_second_order(toy, toy.loss, toy.TRAIN, toy.VALID, optimizer, rate, eps)


# --- exercises: Gumbel-softmax ---


@pytest.mark.parametrize("sample", [LESSON.gumbel_softmax_sample, darts.concrete_sample])
@pytest.mark.parametrize("tau", [0.2, 1.0, 4.0])
def test_which_option_wins_follows_the_softmax_at_any_temperature(sample: Any, tau: float) -> None:
    logits = torch.tensor([0.3, -1.0, 1.5, 0.0], dtype=torch.float64)
    winners = sample(logits.repeat(20_000, 1), tau, _generator(5)).argmax(1)
    counts = torch.bincount(winners, minlength=4).numpy()
    expected = 20_000 * torch.softmax(logits, 0).numpy()
    assert stats.chisquare(counts, expected * counts.sum() / expected.sum()).pvalue > 1e-6


@pytest.mark.parametrize("sample", [LESSON.gumbel_softmax_sample, darts.concrete_sample])
def test_a_hard_sample_is_the_soft_one_rounded_with_its_gradient(sample: Any) -> None:
    logits = torch.randn(6, 5, generator=_generator(), dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(6, 5, generator=_generator(1), dtype=torch.float64)
    soft, hard = (sample(logits, 0.7, _generator(2), hard=one) for one in (False, True))
    torch.testing.assert_close(hard, F.one_hot(soft.argmax(1), 5).double())
    slopes = [torch.autograd.grad((one * upstream).sum(), logits)[0] for one in (soft, hard)]
    torch.testing.assert_close(*slopes)
    y = soft.detach()
    by_hand = (
        torch.stack([(torch.diag(row) - torch.outer(row, row)) @ u for row, u in zip(y, upstream)]) / 0.7
    )
    torch.testing.assert_close(slopes[0], by_hand)


@pytest.mark.parametrize(
    ("logits", "tau"), [(torch.zeros(2), 0.0), (torch.zeros(2), math.nan), (torch.tensor(1.0), 1.0)]
)
def test_impossible_samples_are_refused(logits: torch.Tensor, tau: float) -> None:
    with pytest.raises(ValueError, match=r"tau|logits"):
        LESSON.gumbel_softmax_sample(logits, tau, _generator())


# --- the fast supernet ---


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("cells", [1, 2])
def test_the_fast_supernet_computes_what_the_taught_one_does(cells: int, training: bool) -> None:
    size = bench_darts.Size(NetworkConfig(channels=4, stages=3, in_channels=2, resolution=16), cells, batch=6)
    library, plain = bench_darts.pair(size)
    batch = bench_darts.batches(size)[0]
    library(batch[0])  # moves the statistics away from their start
    plain(batch[0])
    library.train(training)
    plain.train(training)
    assert bench_darts.difference(*(bench_darts.results(net, batch) for net in (library, plain))) < 1e-4
    slopes = [
        torch.autograd.grad(
            F.cross_entropy(net(batch[0]), batch[1]), [net.stem[0].weight, net.classifier.weight]
        )
        for net in (library, plain)
    ]
    for ours, theirs in zip(*slopes):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


def test_only_the_weights_are_weights() -> None:
    for cell in (None, LESSON.CellSupernet):
        net = supernet.MixedSupernet(TINY, cell=cell)
        assert net.alphas() == [net.logits] and net.logits.shape == (6, 5)
        ours = {id(one) for one in net.weights()}
        assert id(net.logits) not in ours and len(ours) == len(net.weights())
        assert not any(one is part for one in net.weights() for part in net.alphas())
    plain = supernet.MixedSupernet(TINY, cell=LESSON.CellSupernet)
    assert sum(one.numel() for one in net.weights()) == sum(one.numel() for one in plain.weights())


@pytest.mark.parametrize("seed", range(6))
def test_the_hard_path_is_the_soft_one_at_a_corner(seed: int) -> None:
    """Same outputs as mixing with a one-hot row, and only the chosen weights get a gradient."""
    net = supernet.MixedSupernet(TINY, seed=seed).eval()
    chosen = torch.randint(5, (6,), generator=_generator(seed))
    mixing = F.one_hot(chosen, 5).float().requires_grad_()
    x = torch.randn(3, 1, 12, 12, generator=_generator(seed))
    hard, soft = net(x, mixing, hard=True), net(x, mixing)
    torch.testing.assert_close(hard, soft)
    if hard.requires_grad and (chosen != 0).any():
        (slope,) = torch.autograd.grad(hard.square().sum(), mixing, allow_unused=True)
        (full,) = torch.autograd.grad(soft.square().sum(), mixing)
        rows = torch.arange(6)
        if slope is not None:
            live = slope[rows, chosen] != 0
            torch.testing.assert_close(
                slope[rows, chosen][live], full[rows, chosen][live], rtol=1e-3, atol=1e-4
            )
            assert float((slope * (1 - mixing.detach())).abs().max()) == 0.0


def test_a_supernet_of_several_cells_per_stage_has_no_network_to_inherit_to() -> None:
    with pytest.raises(ValueError, match="one cell per stage"):
        supernet.inherit(supernet.MixedSupernet(TINY, cells=2), ("none",) * 6)
    with pytest.raises(ValueError, match="cells"):
        supernet.MixedSupernet(TINY, cells=0)


def test_inheriting_copies_weights_and_statistics() -> None:
    net = supernet.MixedSupernet(TINY, seed=1)
    for _ in range(3):
        net(torch.randn(8, 1, 12, 12, generator=_generator(2)))
    arch = ("nor_conv_3x3", "nor_conv_1x1", "skip_connect", "avg_pool_3x3", "nor_conv_3x3", "none")
    with torch.no_grad():
        net.logits.fill_(-1e4)
        net.logits[range(6), [OPS.index(op) for op in arch]] = 0.0
    discrete = supernet.inherit(net, arch)
    x = torch.randn(3, 1, 12, 12, generator=_generator(5))
    torch.testing.assert_close(discrete.eval()(x), net.eval()(x))
    weight: Any = discrete.stem[0].weight
    with torch.no_grad():
        weight.zero_()
    assert float(net.stem[0].weight.detach().abs().max()) > 0  # a copy


# --- updates and the loop ---


@pytest.mark.parametrize("order", [1, 2])
def test_the_librarys_update_is_that_of_the_references(order: int) -> None:
    def state(update: Any) -> list[torch.Tensor]:
        model = bilevel_toys.MixedLayers(torch.tanh)
        optimizers = (
            torch.optim.SGD(model.weights(), 0.1, momentum=0.9),
            torch.optim.Adam(model.alphas(), 0.1),
        )
        for _ in range(3):
            update(model, *optimizers)
        return [one.detach() for one in (*model.weights(), *model.alphas())]

    draw = _generator(1)
    x, y = (
        torch.rand(32, 1, 12, 12, generator=draw, dtype=torch.float64),
        torch.randint(10, (32,), generator=draw),
    )
    train, valid = (x[:16], y[:16]), (x[16:], y[16:])

    def theirs(model: Any, inner: Any, outer: Any) -> None:
        darts.Bilevel(model, F.cross_entropy, inner, outer, order)(train, valid)

    def ours(model: Any, inner: Any, outer: Any) -> None:
        if order == 1:
            LESSON.alpha_step_first_order(model, F.cross_entropy, valid, outer)
        else:
            LESSON.alpha_step_second_order(model, F.cross_entropy, train, valid, outer, 0.1)
        LESSON.weight_step(model, F.cross_entropy, train, inner)

    for a, b in zip(state(theirs), state(ours)):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("method", darts.METHODS)
def test_every_method_searches(method: str, splits: DataSplits) -> None:
    run = darts.search(
        splits, method, CONFIG, seed=1, curvature=not darts.METHODS[method].sampled, progress=False
    )
    assert run.mixing.shape == (3, 6, 5) and len(run.train_loss) == len(run.valid_loss) == 2
    assert not torch.equal(run.logits[0], run.logits[-1])
    assert len(run.curvature) == (0 if darts.METHODS[method].sampled else 2)
    assert 0 <= darts.supernet_accuracy(run, splits, CONFIG) <= 100
    again = darts.search(splits, method, CONFIG, seed=1, progress=False)
    assert torch.equal(again.logits[-1], run.logits[-1])
    inherited = darts.inherited_accuracy(run.supernet, run.cells[-1], splits)
    assert 0 <= inherited.as_is <= 100 and 0 <= inherited.renormalised <= 100


def test_the_learners_parts_can_be_put_in(splits: DataSplits) -> None:
    def update(model: Any, inner: Any, outer: Any, train: Any, valid: Any) -> tuple[float, float]:
        loss = LESSON.alpha_step_first_order(model, F.cross_entropy, valid, outer)
        return LESSON.weight_step(model, F.cross_entropy, train, inner), loss

    run = darts.search(splits, config=CONFIG, cell=LESSON.CellSupernet, update=update, progress=False)
    assert LESSON.discretize(run.logits[-1]) == run.cells[-1]
    hard = darts.search(splits, "GDAS", CONFIG, sample=LESSON.gumbel_softmax_sample, progress=False)
    assert len(hard.cells) == 3


def test_weights_and_logits_never_see_the_same_images(splits: DataSplits) -> None:
    seen: list[set[float]] = [set(), set()]

    def update(model: Any, inner: Any, outer: Any, *batches: Any) -> tuple[float, float]:
        for images, (x, _) in zip(seen, batches):
            images.update(x.sum(dim=(1, 2, 3)).tolist())
        return 0.0, 0.0

    darts.search(splits, config=CONFIG, update=update, progress=False)
    assert len(seen[0]) == len(seen[1]) == 32 and not seen[0] & seen[1]


def test_an_interrupted_search_keeps_what_it_has(
    splits: DataSplits, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []

    def update(*_: Any) -> tuple[float, float]:
        calls.append(0)
        if len(calls) > CONFIG.steps_per_epoch:
            raise KeyboardInterrupt
        return 1.0, 2.0

    run = darts.search(splits, config=CONFIG, update=update)
    assert run.interrupted and len(run.logits) == 2 and run.train_loss == [pytest.approx(1.0)]
    said = capsys.readouterr()
    assert said.err == "" and "1/2" in said.out


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"method": "PC-DARTS"}, "method"),
        ({"config": replace(CONFIG, train_images=4096)}, "training images"),
        ({"amp": True}, "amp"),
    ],
)
def test_searches_that_cannot_be_are_refused(change: dict[str, Any], match: str, splits: DataSplits) -> None:
    given = {"method": "SNAS", "config": CONFIG} | change
    with pytest.raises(ValueError, match=match):
        darts.search(splits, progress=False, **given)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch_size": 33}, {"batch_size": 0}, {"tau": (1.0, 0.0)}])
def test_configurations_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(CONFIG, **wrong)


def test_the_hessian_is_that_of_finite_differences() -> None:
    net = supernet.MixedSupernet(TINY, seed=2).double()
    for _ in range(4):
        net(torch.randn(16, 1, 12, 12, generator=_generator(2), dtype=torch.float64))
    draw = _generator(4)
    batch = (
        torch.randn(8, 1, 12, 12, generator=draw, dtype=torch.float64),
        torch.randint(10, (8,), generator=draw),
    )
    hessian = darts.alpha_hessian(net, F.cross_entropy, batch)
    assert net.training and hessian.shape == (30, 30)
    net.eval()
    direction = torch.randn(6, 5, generator=draw, dtype=torch.float64)
    slopes = []
    for sign in (1, -1):
        with torch.no_grad():
            net.logits.add_(sign * 1e-5 * direction)
        slopes.append(torch.autograd.grad(F.cross_entropy(net(batch[0]), batch[1]), net.logits)[0])
        with torch.no_grad():
            net.logits.sub_(sign * 1e-5 * direction)
    measured = ((slopes[0] - slopes[1]) / 2e-5).flatten()
    torch.testing.assert_close(hessian @ direction.flatten(), measured, rtol=1e-3, atol=1e-6)


def test_rules_for_stopping_early() -> None:
    flat = [1.0] * 12
    assert darts.stop_at_curvature(flat) == 12
    rising = [1.0] * 6 + [4.0] * 6
    kept = darts.stop_at_curvature(rising)
    assert 3 <= kept <= 6  # back to where the eigenvalue was still low
    assert darts.stop_at_curvature([1.0, 2.0]) == 2
    skips = [("none",) * (6 - n) + ("skip_connect",) * n for n in (6, 0, 1, 2, 3, 2)]
    assert darts.stop_at_skips(skips) == 3
    assert darts.stop_at_skips(skips[:4]) == 3


# --- recordings and measurements ---


def test_searches_are_recorded_seed_by_seed_and_read_back(
    tmp_path: Path, splits: DataSplits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(darts_runs, "load_splits", lambda recipe: splits)
    path = tmp_path / "runs.jsonl"
    one, two = (Searches(tuple(range(seeds)), CONFIG, RECIPE, tmp_path / "record") for seeds in (1, 2))
    jobs = len(darts.METHODS) + 1  # and one on the subspace
    assert [made.recording.record(progress=False) for made in (one, two)] == [jobs] * 2
    two.merge(two.recording.complete(), path)
    runs = darts.recorded_runs(path)
    assert [(run.method, run.seed) for run in runs] == [
        (name, seed) for name in darts.METHODS for seed in (0, 1)
    ]
    for run in runs:
        times = two.times_gdas if darts.METHODS[run.method].hard else 1
        assert len(run.cells) == 1 + 2 * times and sum(run.counts[0]) == 6 and run.cell == run.cells[-1]
        assert 0 <= run.retrained_test <= 100
    small = darts.recorded_runs(path, subspace=True)
    assert [run.seed for run in small] == [0, 1] and all(len(run.cells) == 6 for run in small)
    assert {op for run in small for cell in run.cells for op in cell} <= {"skip_connect", "nor_conv_3x3"}
    with pytest.raises(ValueError, match=r"other settings \(search\)"):
        replace(two, search=replace(CONFIG, lr=0.1)).recording.rows()


def test_searches_with_a_price_are_recorded_and_read_back(
    tmp_path: Path, splits: DataSplits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency_runs, "load_splits", lambda recipe: splits)
    made = PricedSearches((0.0, 100.0), (0,), search=CONFIG, recipe=RECIPE, folder=tmp_path / "record")
    assert made.recording.record(progress=False) == 2
    made.merge(made.recording.complete(), tmp_path / "runs.json")
    free, dear = darts.recorded_priced_runs(tmp_path / "runs.json")
    assert (free.weight, dear.weight, dear.seed) == (0.0, 100.0, 0) and len(dear.logits) == 3
    plain = darts.search(splits, latency_runs.METHOD, CONFIG, seed=0, progress=False)
    assert torch.allclose(torch.tensor(free.logits), torch.stack(plain.logits), atol=1e-3)
    prices = latency_runs.prices_of(made.device, TINY)
    costs = [
        [float(darts.expected_price(torch.tensor(one), prices)) for one in run.logits] for run in (free, dear)
    ]
    assert costs[0][0] == costs[1][0] and costs[1][-1] < min(costs[0][-1], costs[1][0])
    assert dear.cell == darts.chosen_cell(torch.tensor(dear.logits[-1]))


def test_what_a_mixture_costs_is_between_its_operations_and_has_their_gradient() -> None:
    prices = latency_runs.prices_of("raspberry_pi_4", TINY).double()
    logits = torch.randn(
        6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    ).requires_grad_()
    assert torch.autograd.gradcheck(darts.expected_price, (logits, prices))
    assert 0 < darts.expected_price(logits, prices) < prices.max(1).values.sum()
    decided = torch.full((6, 5), -1e4).scatter(1, torch.tensor([[3]] * 6), 1e4)
    assert float(darts.expected_price(decided, prices.float())) == pytest.approx(float(prices[:, 3].sum()))
    assert prices[:, OPS.index("none")].abs().max() == 0 == prices[:, OPS.index("skip_connect")].abs().max()


def test_a_broken_recording_is_said_plainly(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_text(json.dumps({"method": "SNAS"}) + "\n")
    with pytest.raises(ValueError, match="line 1"):
        darts.recorded_runs(path)


def test_the_shipped_recording_is_complete() -> None:
    runs = darts.recorded_runs()
    config = json.loads(darts.RUNS_PATH.with_suffix(".json").read_text())
    for name, method in darts.METHODS.items():
        own = [run for run in runs if run.method == name]
        assert len(own) >= 5 and len({run.seed for run in own}) == len(own)
        epochs = config["epochs"] * (config["times_gdas"] if method.hard else 1)
        for run in own:
            assert len(run.cells) == epochs + 1
            assert len(run.curvature) == (0 if method.sampled else epochs)


def test_the_bench_compares_within_repeats_and_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    size = bench_darts.Size(TINY, cells=1, batch=4)
    slower = 1.0  # the machine gets slower with every repeat: ratios within a repeat must not care
    calls = []

    def seconds(update: Any, *_: Any) -> float:
        nonlocal slower
        kind = "plain" if hasattr(update.model.supernet.body[0], "edges") else "library"
        kind = "GDAS" if update.model.method.hard else kind
        calls.append(kind)
        slower *= 2 if len(calls) % 3 == 1 else 1
        return slower * {"plain": 3.0, "library": 2.0, "GDAS": 0.5}[kind]

    monkeypatch.setattr(bench_darts, "_seconds", seconds)
    row = bench_darts.measure(size, torch.channels_last, repeats=3)
    assert row.faster == pytest.approx(1.5) and row.gdas == pytest.approx(0.25)
    assert row.difference < 1e-4 and row.exact < 1e-10
    assert row.exact < row.rounding < 1e-3 and row.exact < row.rounding_plain < 1e-3
    text = bench_darts.report({("course", "NCHW"): row}, 3)
    assert "1.50x" in text and "0.25" in text
    assert [sorted(calls[at : at + 3]) for at in (0, 3, 6, 9)] == [["GDAS", "library", "plain"]] * 4


def test_the_bench_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(bench_darts.SIZES, "course", bench_darts.Size(TINY, cells=1, batch=4))
    bench_darts.main(["--repeats", "1", "--sizes", "course"])
    assert "channels last" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        bench_darts.main(["--repeats", "0"])


# --- checks and stand-ins ---


@pytest.mark.parametrize("name", EXERCISES)
def test_what_stands_in_is_switched_off_while_it_would_be_an_answer(name: str) -> None:
    verdict = checks.grade(
        checks.exercise(name), checks.InProcess({name: STANDINS[name].function}), LESSON, 5
    )
    assert verdict.score == 0 and verdict.concept == "uses-the-library"


@pytest.mark.parametrize("name", [name for name in EXERCISES if name != "CellSupernet"])
def test_what_stands_in_agrees_with_the_references(name: str) -> None:
    """All but the cell, whose layers lie differently, pass the very checks once they are switched on."""
    item = checks.exercise(name)
    instances = [one for one in checks.instances_of(item, 7) if "bad" not in one]
    answers = [
        checks.read_answer(checks.run_probe(item, STANDINS[name].function, checks.public_part(one)))
        for one in instances
    ]
    found = checks.verdicts(item, instances, answers, checks.expected_answers(item, LESSON, instances))
    assert [verdict for verdict in found if not verdict.right] == []


@pytest.mark.parametrize("eps", [1e-3, 0.1, 1.0])
def test_the_radius_matters_only_where_the_training_loss_bends(eps: float) -> None:
    """So that a right difference equals the exact term on every toy, and one at other points does not."""
    step, rng = LESSON.alpha_step_second_order, np.random.default_rng(3)

    def moved(problem: Any, radius: float) -> torch.Tensor:
        model, loss = toys.model_of(problem), toys.loss_of(problem)
        optimizer = torch.optim.SGD(model.alphas(), 1.0)
        batches = toys.batch(problem, "train"), toys.batch(problem, "valid")
        step(model, loss, *batches, optimizer, problem["weight_lr"], radius)
        return torch.cat(model.alphas()).detach()

    for smooth in (toys.monomials(rng), toys.mixture(rng)):
        torch.testing.assert_close(moved(smooth, eps), moved(smooth, 0.3), rtol=0, atol=1e-9)
    bent = toys.bent(rng, 0.3)
    straight = bent | {"train": [bent["train"][0], [*bent["train"][1][:6], 0.0]]}
    torch.testing.assert_close(moved(bent, 0.3), moved(straight, 0.3), rtol=0, atol=1e-9)
    assert (moved(bent, eps) - moved(straight, eps)).abs().max() > 1e-6


@pytest.mark.slow
@pytest.mark.usefixtures("sandboxed")
def test_the_samples_earn_what_they_should_in_the_sandbox(tmp_path: Path) -> None:
    submissions = samples.write(tmp_path / "submissions", "04_darts")
    grades = command.grade(submissions, "04_darts", tmp_path / "course", jobs=1, progress=False)
    assert {row.student: row.points for row in grades.rows} == samples.earned("04_darts")


def test_paths_are_drawn_per_operation_and_times_are_medians() -> None:
    made = plotting.op_paths(
        {"a": np.ones((5, 4)), "b": np.zeros((5, 4))}, xlabel="epoch", ylabel="share", across=3
    )
    assert [len(ax.lines) for ax in made.axes] == [5, 5]
    assert made.axes[0].get_ylabel() == "share" and made.axes[1].get_xlabel() == "epoch"
    assert len({(line.get_linestyle(), line.get_marker()) for line in made.axes[0].lines}) == 5
    calls: list[int] = []
    assert milliseconds(lambda: calls.append(0), repeats=3) >= 0 and len(calls) == 4


def test_edges_are_grouped_by_their_source_in_the_fast_cell() -> None:
    flat = [edge for edges in supernet._LEAVING for edge in edges]
    assert sorted(flat) == list(range(6))
    assert all(EDGES[edge][0] == node for node, edges in enumerate(supernet._LEAVING) for edge in edges)
