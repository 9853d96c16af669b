"""What stands in for the exercises of lesson 08: scikit-learn's regressions, and searches written another way."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from nas_lib.hyperband import brackets
from nas_lib.search import History, RandomSearch
from nas_lib.spaces import Cell, Space
from nas_lib.standins import stands_in
from nas_lib.surrogates import path_features

Array = NDArray[np.float64]


@stands_in(
    "path_encoding",
    hides=("nas_lib.surrogates:path_features", "nas_lib.surrogates:_path_places"),
)
def path_encoding(arch: Sequence[str]) -> Array:
    return path_features(Cell(arch))


@stands_in(
    "ridge_predictor",
    "scikit-learn's",
    hides=(
        "nas_lib.surrogates:RidgeEnsemble.predict",
        "sklearn.linear_model._ridge:_BaseRidge.fit",
        "sklearn.linear_model._ridge:_ridge_regression",
        "sklearn.kernel_ridge:KernelRidge.fit",
    ),
)
def ridge_predictor(x: ArrayLike, y: ArrayLike, penalty: float) -> Callable[[ArrayLike], Array]:
    from sklearn.linear_model import Ridge

    fitted = Ridge(alpha=penalty).fit(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    return lambda x_new: np.asarray(fitted.predict(np.asarray(x_new, dtype=float)))


@stands_in(
    "gaussian_process",
    "scikit-learn's",
    hides=(
        "nas_lib.surrogates:GaussianProcess.add",
        "nas_lib.surrogates:GaussianProcess.predict",
        "sklearn.gaussian_process:GaussianProcessRegressor.fit",
        "sklearn.gaussian_process:GaussianProcessRegressor.predict",
    ),
)
def gaussian_process(
    x: ArrayLike, y: ArrayLike, x_new: ArrayLike, length: float, noise: float
) -> tuple[Array, Array]:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF

    values = np.asarray(y, dtype=float)
    process = GaussianProcessRegressor(RBF(length, "fixed"), alpha=noise, optimizer=None)
    process.fit(np.asarray(x, dtype=float), values - values.mean())
    mean, std = process.predict(np.asarray(x_new, dtype=float), return_std=True)
    return values.mean() + mean, std


@stands_in("expected_improvement", hides=("nas_lib.surrogates:expected_improvement",))
def expected_improvement(mean: ArrayLike, std: ArrayLike, best: float) -> Array:
    from nas_lib import surrogates

    return surrogates.expected_improvement(np.asarray(mean, dtype=float), np.asarray(std, dtype=float), best)


@stands_in(
    "bayesian_optimization",
    hides=(
        "nas_lib.surrogates:BayesianOptimization._propose",
        "nas_lib.surrogates:BayesianOptimization._candidates",
        "nas_lib.surrogates:BayesianOptimization._learn",
    ),
)
def bayesian_optimization(
    objective: Callable[[Any], float],
    space: Space,
    budget: int,
    initial: int,
    pool: int,
    fit: Callable[[list[Any], Array], Callable[[list[Any]], tuple[Array, Array]]],
    rng: Generator,
    acquisition: Callable[[Array, Array, float], Array] | None = None,
) -> History:
    choose, first = acquisition or expected_improvement, RandomSearch(space, rng)
    values: dict[Any, float] = {}
    for _ in range(initial):
        arch = first.ask()
        values[arch] = float(objective(arch))
    while len(values) < budget:
        draw = RandomSearch(space, rng)
        fresh = (arch for arch in iter(draw.ask, None) if arch not in values)
        candidates = list(itertools.islice(fresh, min(pool, len(space) - len(values))))
        predicted = fit(list(values), np.array(list(values.values())))(candidates)
        best = int(np.argmax(choose(*predicted, max(values.values()))))
        values[candidates[best]] = float(objective(candidates[best]))
    return History(list(values), np.array(list(values.values())))


@stands_in("hyperband_brackets", hides=("nas_lib.hyperband:brackets",))
def hyperband_brackets(max_epochs: int, eta: int) -> list[list[tuple[int, int]]]:
    return brackets(max_epochs, eta)


@stands_in(
    "asha",
    hides=(
        "nas_lib.hyperband:ASHA._promotion",
        "nas_lib.hyperband:ASHA.ask",
        "nas_lib.hyperband:ASHA.tell",
        "nas_lib.hyperband:simulate_workers",
    ),
)
def asha(
    train_to: Callable[[Any, int], tuple[float, float]],
    propose: Callable[[], Any],
    workers: int,
    eta: int,
    min_epochs: int,
    max_epochs: int,
    seconds: float,
) -> list[tuple[Any, int, float, float]]:
    lengths = list(
        itertools.takewhile(lambda one: one < max_epochs, (min_epochs * eta**k for k in itertools.count()))
    )
    lengths.append(max_epochs)
    ended: list[list[list[Any]]] = [[] for _ in lengths]  # per rung: [value, config, promoted]
    ends = np.zeros(workers)
    jobs: list[Any] = [None] * workers
    order, number, trials = np.zeros(workers), itertools.count(1), []
    while (now := ends.min()) <= seconds:
        free = sorted(np.flatnonzero(ends == now).tolist(), key=lambda worker: order[worker])
        for worker in free:
            if jobs[worker] is not None:
                rung, config, value = jobs[worker]
                ended[rung].append([value, config, False])
                trials.append((config, lengths[rung], value, float(now)))
        for worker in free:
            rung, config = _job(ended, eta) or (0, propose())
            value, took = train_to(config, lengths[rung])
            jobs[worker], ends[worker], order[worker] = (rung, config, value), now + took, next(number)
    return trials


def _job(ended: list[list[list[Any]]], eta: int) -> tuple[int, Any] | None:
    for rung in range(len(ended) - 1, 0, -1):
        below = ended[rung - 1]
        for entry in sorted(below, key=lambda one: -one[0])[: len(below) // eta]:
            if not entry[2]:
                entry[2] = True
                return rung, entry[1]
    return None


@stands_in("naswot_score")
def naswot_score(net: Any, x: Any) -> float:
    import copy

    import torch
    from torch import nn

    found: list[Any] = []
    alone = copy.deepcopy(net)
    for module in alone.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(lambda _, __, out: found.append(torch.where(out > 0, 1.0, -1.0)))
    with torch.no_grad():
        alone(x)
    signs = torch.cat([one.reshape(len(x), -1) for one in found], dim=1).double()
    both = (signs.shape[1] + signs @ signs.T) / 2
    return float(torch.logdet(both))
