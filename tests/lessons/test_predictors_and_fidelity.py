"""Lesson 08: references against scikit-learn, integrals, definitions and the paper's own table; its stand-ins."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import Ridge
from torch import nn

import solutions
from nas_lib import hyperband, surrogates
from nas_lib.networks import NetworkConfig, build_network
from nas_lib.spaces import OPS, CellSpace
from nas_lib.standins import STANDINS, standins
from tests.test_search import BENCH, SMALL

LESSON = solutions.load("08_predictors_and_fidelity")
SPACE = CellSpace()
standins("08_predictors_and_fidelity")


def standin(name: str) -> Any:
    return STANDINS[name].function


# --- encodings ---


def test_no_two_cells_share_a_path_encoding() -> None:
    rows = np.array([LESSON.path_encoding(cell) for cell in SPACE])
    assert rows.shape == (15_625, 155) and set(np.unique(rows)) == {0.0, 1.0}
    assert len(np.unique(rows, axis=0)) == 15_625
    # One path of length 1, one of length 3, and two of length 2, which may carry one sequence.
    assert (rows[:, :5].sum(axis=1) == 1).all() and (rows[:, 30:].sum(axis=1) == 1).all()
    assert set(rows[:, 5:30].sum(axis=1)) == {1.0, 2.0}


def test_the_librarys_encoding_is_the_same() -> None:
    for index in range(0, 15_625, 97):
        cell = SPACE.from_index(index)
        np.testing.assert_array_equal(LESSON.path_encoding(cell), surrogates.path_features(cell))
        np.testing.assert_array_equal(LESSON.path_encoding(cell), standin("path_encoding")(cell))


def test_equal_operations_everywhere_are_three_sequences() -> None:
    for number, op in enumerate(OPS):
        ones = np.flatnonzero(LESSON.path_encoding((op,) * 6))
        assert ones.tolist() == [number, 5 + 6 * number, 30 + 31 * number]


# --- predictors ---


def data(n: int, d: int, seed: int = 0) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(80, 3, size=n), rng.normal(size=(17, d))


@pytest.mark.parametrize(("n", "d"), [(30, 4), (6, 40), (1, 3)])
@pytest.mark.parametrize("penalty", [0.01, 1.0, 50.0])
def test_ridge_is_scikit_learns(n: int, d: int, penalty: float) -> None:
    x, y, new = data(n, d)
    theirs = Ridge(alpha=penalty).fit(x, y).predict(new)
    np.testing.assert_allclose(LESSON.ridge_predictor(x, y, penalty)(new), theirs, rtol=1e-8)
    np.testing.assert_allclose(standin("ridge_predictor")(x, y, penalty)(new), theirs, rtol=1e-8)


@pytest.mark.parametrize(("n", "d"), [(40, 3), (8, 155), (1, 2)])
@pytest.mark.parametrize(("length", "noise"), [(1.0, 0.1), (4.0, 0.01), (0.5, 2.0)])
def test_the_process_is_scikit_learns_to_eight_digits(n: int, d: int, length: float, noise: float) -> None:
    x, y, new = data(n, d)
    theirs = GaussianProcessRegressor(RBF(length), alpha=noise, optimizer=None).fit(x, y - y.mean())
    mean, std = theirs.predict(new, return_std=True)
    for process in (LESSON.gaussian_process, standin("gaussian_process")):
        ours, spread = process(x, y, new, length, noise)
        np.testing.assert_allclose(ours, mean + y.mean(), rtol=0, atol=1e-8)
        np.testing.assert_allclose(spread, std, rtol=0, atol=1e-8)


def test_the_librarys_process_is_the_same() -> None:
    x, y, new = data(20, 5)
    process = surrogates.GaussianProcess(length=1.5, noise=0.3)  # there, a standard deviation
    for row in x:
        process.add(row)
    for one, other in zip(process.predict(new, y), LESSON.gaussian_process(x, y, new, 1.5, 0.09)):
        np.testing.assert_allclose(one, other, atol=1e-8)


def test_far_from_all_data_the_prediction_is_the_mean_of_the_values() -> None:
    x, y, new = data(9, 2)
    mean, std = LESSON.gaussian_process(x, y, new + 1e4, 1.0, 0.1)
    np.testing.assert_allclose(mean, y.mean())
    np.testing.assert_allclose(std, 1.0)


# --- expected improvement ---


@given(st.floats(-5, 5), st.floats(0.01, 3), st.floats(-5, 5))
def test_expected_improvement_is_the_integral(mean: float, std: float, best: float) -> None:
    found = LESSON.expected_improvement([mean], [std], best)[0]
    low, high = max(best, mean - 12 * std), mean + 12 * std
    gain = 0.0
    if high > low:
        gain = integrate.quad(lambda v: (v - best) * stats.norm.pdf(v, mean, std), low, high)[0]
    assert found == pytest.approx(gain, abs=1e-7)


def test_without_uncertainty_it_is_exact() -> None:
    found = LESSON.expected_improvement([82.25, 80.0, 79.0], [0.0, 0.0, 0.0], 80.0)
    assert found.tolist() == [2.25, 0.0, 0.0]
    for one in (surrogates.expected_improvement, standin("expected_improvement")):
        given = np.array([82.25, 80.0, 79.0, 81.0]), np.array([0.0, 0.0, 1.0, 2.0])
        np.testing.assert_allclose(one(*given, 80.0), LESSON.expected_improvement(*given, 80.0))


# --- Bayesian optimisation ---


def process(archs: list[Any], values: Any) -> Any:
    rows = np.array([SMALL.encode(arch) for arch in archs])

    def predict(candidates: list[Any]) -> Any:
        new = np.array([SMALL.encode(arch) for arch in candidates])
        return LESSON.gaussian_process(rows, values, new, 2.0, 0.1)

    return predict


@pytest.mark.parametrize("search", [LESSON.bayesian_optimization, standin("bayesian_optimization")])
def test_it_is_better_than_chance(search: Any) -> None:
    def quality(arch: Any) -> float:
        return float(sum(i * (op == "nor_conv_3x3") for i, op in enumerate(arch)))

    best = [search(quality, SPACE, 40, 10, 60, one_hot, np.random.default_rng(seed)) for seed in range(8)]
    chance = [quality(SPACE.sample(np.random.default_rng(seed))) for seed in range(320)]
    assert np.mean([max(history.values) for history in best]) > np.sort(chance)[-8:].mean() + 1
    assert all(len(set(history.archs)) == 40 for history in best)


def one_hot(archs: list[Any], values: Any) -> Any:
    rows = np.array([SPACE.encode(arch) for arch in archs])
    return lambda new: LESSON.gaussian_process(
        rows, values, np.array([SPACE.encode(arch) for arch in new]), 2.0, 0.1
    )


def test_it_goes_on_until_the_space_is_used_up() -> None:
    size = len(SMALL)
    history = LESSON.bayesian_optimization(
        lambda arch: BENCH.query(arch).valid, SMALL, size, 3, 5, process, np.random.default_rng(0)
    )
    assert set(history.archs) == set(SMALL)


# --- Hyperband ---


def test_the_brackets_are_those_of_the_papers_first_table() -> None:
    published = [
        [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        [(34, 3), (11, 9), (3, 27), (1, 81)],
        [(15, 9), (5, 27), (1, 81)],
        [(8, 27), (2, 81)],
        [(5, 81)],
    ]
    assert LESSON.hyperband_brackets(81, 3) == published


@given(st.integers(1, 5000), st.integers(2, 12))
def test_brackets_are_the_librarys_and_shrink_as_halving_does(epochs: int, eta: int) -> None:
    found = LESSON.hyperband_brackets(epochs, eta)
    assert found == hyperband.brackets(epochs, eta) == standin("hyperband_brackets")(epochs, eta)
    for bracket in found:
        assert bracket[-1][1] == epochs and bracket[-1][0] >= 1
        assert all(b == a // eta for (a, _), (b, _) in itertools.pairwise(bracket))


# --- ASHA ---


def durations(config: int, epochs: int) -> tuple[float, float]:
    rng = np.random.default_rng([config, epochs])
    return float(rng.normal()), float(epochs * rng.uniform(0.5, 1.5))


@pytest.mark.parametrize("workers", [1, 3, 16])
@pytest.mark.parametrize("eta", [2, 3])
def test_a_run_is_the_librarys_where_no_two_trainings_end_together(workers: int, eta: int) -> None:
    names: dict[Any, int] = {}
    searcher = hyperband.ASHA(SPACE, np.random.default_rng(0), 9, eta=eta)

    def train_to(arch: Any, epochs: int) -> tuple[float, float]:
        return durations(names.setdefault(arch, len(names)), epochs)

    theirs = hyperband.simulate_workers(searcher, train_to, workers, 40.0)
    theirs = [(names[one.arch], *one[1:]) for one in theirs]
    for search in (LESSON.asha, standin("asha")):
        assert search(durations, itertools.count().__next__, workers, eta, 1, 9, 40.0) == theirs


def test_no_worker_is_ever_idle_and_promotions_are_among_the_best() -> None:
    eta, workers = 3, 5
    results = LESSON.asha(durations, itertools.count().__next__, workers, eta, 1, 9, 200.0)
    spent = sum(durations(config, epochs)[1] for config, epochs, _, _ in results)
    assert workers * 200.0 - spent < workers * 9 * 1.5  # what is still running at the end
    for rung in (1, 3):
        below = [value for _, epochs, value, _ in results if epochs == rung]
        above = [config for config, epochs, _, _ in results if epochs == eta * rung]
        assert len(above) == len(set(above)) and 0 < len(above) < len(below)
    ends = [end for *_, end in results]
    assert ends == sorted(ends) and ends[-1] <= 200.0


def test_the_example_of_the_lesson() -> None:
    values = {"A": 70.0, "B": 80.0, "C": 75.0, "D": 60.0}
    results = LESSON.asha(lambda c, e: (values[c], float(e)), iter("ABCD").__next__, 2, 2, 1, 2, 2.0)
    assert results == [("A", 1, 70.0, 1.0), ("B", 1, 80.0, 1.0), ("C", 1, 75.0, 2.0)]


# --- naswot ---


def test_naswot_by_hand() -> None:
    net = nn.Sequential(nn.Linear(2, 4, bias=False), nn.ReLU())
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    x = torch.tensor([[1.0, 1.0], [1.0, -1.0]])  # codes 1111 and 1110
    assert LESSON.naswot_score(net, x) == pytest.approx(math.log(16 - 9))


def test_naswot_leaves_a_network_of_the_course_as_it_was() -> None:
    net = build_network(("nor_conv_3x3", "skip_connect", "nor_conv_1x1") * 2, NetworkConfig(), seed=0)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    x = torch.randn(8, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    score = LESSON.naswot_score(net, x)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules()) and net.training
    assert score == pytest.approx(standin("naswot_score")(net, x), rel=1e-9)
