"""Predictors against scikit-learn and their definitions; Bayesian optimisation against what it promises."""

from __future__ import annotations

import itertools
import math
import time
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from nas_lib.benchmark import TabularBenchmark
from nas_lib.search import RandomSearch, compare, run
from nas_lib.spaces import EDGES, OPS, CellSpace, ProductSpace
from nas_lib.surrogates import (
    BayesianOptimization,
    GaussianProcess,
    RidgeEnsemble,
    expected_improvement,
    normal_scores,
    path_features,
)
from tests.test_search import BENCH, SMALL

SPACE = CellSpace()


def data(n: int = 40, m: int = 15, seed: int = 0) -> tuple[Any, Any, Any]:
    """Features of n cells, values for them, features of m others."""
    rng = np.random.default_rng(seed)
    x = np.array([SPACE.encode(SPACE.sample(rng)) for _ in range(n + m)])
    return x[:n], 80 + x[:n] @ rng.normal(size=30) + rng.normal(0, 0.1, n), x[n:]


def filled(surrogate: Any, x: Any) -> Any:
    for row in x:
        surrogate.add(row)
    return surrogate


# ----------------------------------------------------------------------------------------------- features


def walks(arch: Any, node: int = 0) -> list[tuple[str, ...]]:
    """The operations along every path from a node to the output."""
    if node == 3:
        return [()]
    return [
        (op, *rest)
        for op, (source, target) in zip(arch, EDGES)
        if source == node
        for rest in walks(arch, target)
    ]


def test_paths_are_those_of_a_walk_through_the_cell() -> None:
    names = [ops for n in (1, 2, 3) for ops in itertools.product(OPS, repeat=n)]
    rng = np.random.default_rng(0)
    for _ in range(50):
        arch = SPACE.sample(rng)
        features = path_features(arch)
        assert features.shape == (155,) and features.dtype == np.float64
        assert {names[i] for i in np.flatnonzero(features)} == set(walks(arch))


# ---------------------------------------------------------------------------------------------- predictors


@pytest.mark.parametrize(("length", "noise"), [(0.5, 0.3), (2.0, 0.1), (4.0, 0.01)])
def test_the_process_agrees_with_scikit_learn(length: float, noise: float) -> None:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF

    x, y, new = data(100)  # more than there is room for at first
    peer = GaussianProcessRegressor(RBF(length), alpha=noise**2, optimizer=None).fit(x, y - y.mean())
    mean, std = filled(GaussianProcess(length, noise), x).predict(new, y)
    expected = peer.predict(new, return_std=True)
    np.testing.assert_allclose(mean, expected[0] + y.mean(), rtol=0, atol=1e-6)
    np.testing.assert_allclose(std, expected[1], rtol=0, atol=1e-6)


def test_before_anything_is_known_the_prior_is_expected() -> None:
    _, _, new = data()
    for surrogate in (GaussianProcess(), RidgeEnsemble(np.random.default_rng(0))):
        mean, std = surrogate.predict(new, np.empty(0))
        assert (mean == 0).all() and (std == 1).all()


def test_length_and_noise_are_those_that_make_the_values_most_likely() -> None:
    x, y, new = data(40)
    y = normal_scores(y)
    chosen = filled(GaussianProcess(), x)
    mean, std = chosen.predict(new, y)

    def likelihood(length: float, noise: float) -> float:
        kernel = np.exp(-((x[:, None] - x) ** 2).sum(-1) / (2 * length**2)) + noise**2 * np.eye(len(x))
        return float(stats.multivariate_normal(cov=kernel).logpdf(y - y.mean()))

    options = itertools.product(GaussianProcess.LENGTHS, GaussianProcess.NOISES)
    assert (chosen.length, chosen.noise) == max(options, key=lambda pair: likelihood(*pair))
    again = filled(GaussianProcess(chosen.length, chosen.noise), x).predict(new, y)
    np.testing.assert_allclose([mean, std], again, rtol=0, atol=1e-9)


def test_members_are_ridge_regressions_on_their_bootstrap() -> None:
    from sklearn.linear_model import Ridge

    x, y, new = data(60)
    ensemble = filled(RidgeEnsemble(np.random.default_rng(3), members=4, penalty=0.5), x)
    weights = np.array(ensemble._weights)
    assert weights.mean() == pytest.approx(1, abs=4 / math.sqrt(weights.size))
    members = [
        Ridge(alpha=0.5, fit_intercept=False)
        .fit(x, y - y.mean(), sample_weight=weights[:, member])
        .predict(new)
        for member in range(4)
    ]
    mean, std = ensemble.predict(new, y)
    np.testing.assert_allclose(mean, y.mean() + np.mean(members, axis=0), rtol=0, atol=1e-8)
    np.testing.assert_allclose(std, np.std(members, axis=0, ddof=1), rtol=0, atol=1e-8)


def test_expected_improvement_is_the_integral() -> None:
    for mean, std, best in [(1.0, 2.0, 1.5), (-3.0, 0.5, 0.0), (2.0, 0.1, 1.0)]:
        normal = stats.norm(mean, std)
        expected, _ = integrate.quad(lambda v, n=normal, b=best: (v - b) * n.pdf(v), best, mean + 12 * std)
        found = expected_improvement(np.array([mean]), np.array([std]), best)
        assert found[0] == pytest.approx(max(expected, 0.0), abs=1e-8)
    sure = expected_improvement(np.array([2.0, 0.5, 1.0]), np.zeros(3), 1.0)
    assert sure.tolist() == [1.0, 0.0, 0.0]


def test_normal_scores_keep_the_order_and_forget_the_size() -> None:
    values = np.array([10.0, 91.0, 90.0, 91.0, -1e6])
    scores = normal_scores(values)
    assert scores == pytest.approx(stats.norm.ppf([1.5 / 5, 4 / 5, 2.5 / 5, 4 / 5, 0.5 / 5]))
    assert normal_scores(np.full(3, 7.0)) == pytest.approx(np.zeros(3))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda rng: GaussianProcess(0.0), ValueError, r"length must be a positive number, got 0\.0"),
        (lambda rng: GaussianProcess(1.0, math.nan), ValueError, "noise must be a positive number, got nan"),
        (lambda rng: GaussianProcess("1"), TypeError, "length must be a positive number, got '1'"),
        (lambda rng: RidgeEnsemble(0), TypeError, "rng must be a numpy.random.Generator"),
        (lambda rng: RidgeEnsemble(rng, members=1), ValueError, "members must be an integer from 2 up"),
        (lambda rng: RidgeEnsemble(rng, penalty=0), ValueError, "penalty must be a positive number, got 0"),
    ],
)
def test_bad_predictors_are_refused(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(np.random.default_rng(0))


# ---------------------------------------------------------------------------------------------- the search

KINDS: dict[str, Any] = {
    "process": BayesianOptimization,
    "process on paths": partial(BayesianOptimization, encode="paths"),
    "ridge": partial(BayesianOptimization, surrogate="ridge"),
    "ridge on paths": partial(BayesianOptimization, surrogate="ridge", encode="paths"),
}


@pytest.mark.parametrize("name", KINDS)
def test_everything_is_proposed_once(name: str) -> None:
    history = run(partial(KINDS[name], pool=10), BENCH, 1_000, 3)
    assert history.stopped == "exhausted"
    assert sorted(map(SMALL.index, history.archs)) == list(range(64))


@pytest.mark.parametrize("name", KINDS)
def test_it_finds_what_a_sum_over_edges_says_long_before_chance_does(name: str) -> None:
    worth = np.random.default_rng(1).normal(size=(6, 5))
    values = np.array([worth[range(6), [OPS.index(op) for op in cell]].sum() for cell in SPACE])
    bench = TabularBenchmark.from_arrays(SPACE, values)
    methods = {"random": RandomSearch, "model": KINDS[name]}
    comparison = compare(methods, bench, 60, 8, metric="valid", progress=False)
    assert comparison.final["model"].mean() < 0.4 * comparison.final["random"].mean()


def test_the_first_proposals_are_those_of_random_search_and_the_budget_must_pay_for_them() -> None:
    first = run(partial(BayesianOptimization, initial=7), BENCH, 7, 4).archs
    assert first == run(RandomSearch, BENCH, 7, 4).archs
    with pytest.raises(ValueError, match="budget must pay for the first population, 10 evaluations, got 9"):
        run(BayesianOptimization, BENCH, 9, 0)


def test_later_proposals_have_the_highest_expected_improvement_of_their_pool() -> None:
    class Known:
        """Prefers the last cells of the space, and is a little unsure of all."""

        def add(self, x: Any) -> None:
            assert x.shape == (1,)

        def predict(self, x: Any, y: Any) -> Any:
            asked.append(x[:, 0])
            return x[:, 0], np.full(len(x), 0.1)

    asked: list[Any] = []
    method = partial(BayesianOptimization, surrogate=Known, encode=lambda arch: [SMALL.index(arch)], pool=20)
    history = run(method, BENCH, 30, 0)
    assert len(asked) == 20
    for pool, arch in zip(asked, history.archs[10:]):
        assert SMALL.index(arch) == pool.max()


def test_equal_values_and_equal_features_are_no_trouble() -> None:
    flat = TabularBenchmark.from_arrays(SMALL, np.full(64, 5.0))
    assert len(run(BayesianOptimization, flat, 40, 0)) == 40
    same = partial(BayesianOptimization, encode=lambda arch: [1.0, 2.0])
    assert len(run(same, BENCH, 40, 0)) == 40


def test_hundreds_of_searches_can_be_compared() -> None:
    """Measured 1.2 s of computing for 20 runs of 100 evaluations."""
    bench = TabularBenchmark.from_arrays(SPACE, np.random.default_rng(0).normal(size=len(SPACE)))
    start = time.process_time()
    compare({"model": BayesianOptimization}, bench, 100, 20, metric="valid", progress=False)
    assert time.process_time() - start < 10


def test_other_spaces_work_with_their_own_features() -> None:
    space = ProductSpace({"depth": (1, 2, 3), "width": (8, 16, 32), "op": ("a", "b")})
    bench = TabularBenchmark.from_arrays(space, np.arange(18.0))
    assert run(BayesianOptimization, bench, 18, 0).best()[1] == 17.0
    with pytest.raises(
        ValueError, match="encode must be 'one-hot' or a function where the space has no cells"
    ):
        BayesianOptimization(space, np.random.default_rng(0), encode="paths")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"initial": 1}, ValueError, "initial must be an integer from 2 up, got 1"),
        ({"pool": 1.5}, TypeError, "pool must be an integer from 2 up"),
        ({"parents": 0}, ValueError, "parents must be an integer from 1 up, got 0"),
        ({"surrogate": "forest"}, ValueError, "surrogate must be 'gaussian process', 'ridge' or a function"),
        ({"encode": "paths?"}, ValueError, "encode must be 'one-hot', 'paths' or a function, got 'paths"),
    ],
)
def test_bad_options(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        BayesianOptimization(SMALL, np.random.default_rng(0), **options)
    with pytest.raises(ValueError, match="encode must give finite numbers"):
        run(partial(BayesianOptimization, encode=lambda arch: [math.nan]), BENCH, 12, 0)
