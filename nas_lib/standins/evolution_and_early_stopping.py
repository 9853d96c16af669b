"""What stands in for the exercises of lesson 02: local search, evolution, halving, proxies, ranks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from nas_lib.lesson import paired_numbers, proxy_scores
from nas_lib.search import History, Searcher
from nas_lib.searchers import HillClimbing, RegularizedEvolution, SuccessiveHalving
from nas_lib.spaces import Space, functions
from nas_lib.standins import RECORDED, stands_in


@stands_in(
    "hill_climb",
    hides=(
        "nas_lib.searchers:HillClimbing._propose",
        "nas_lib.searchers:HillClimbing._learn",
    ),
)
def hill_climb(objective: Callable[[Any], float], space: Space, budget: int, rng: Generator) -> History:
    return _told(HillClimbing(space, rng), objective, budget)


@stands_in(
    "regularized_evolution",
    hides=(
        "nas_lib.searchers:RegularizedEvolution._propose",
        "nas_lib.searchers:RegularizedEvolution._learn",
    ),
)
def regularized_evolution(
    objective: Callable[[Any], float], space: Space, budget: int, population: int, sample: int, rng: Generator
) -> History:
    return _told(RegularizedEvolution(space, rng, population, sample), objective, budget)


@stands_in(
    "successive_halving",
    hides=(
        "nas_lib.searchers:Race.ask",
        "nas_lib.searchers:Race.tell",
        "nas_lib.searchers:_rungs",
        "nas_lib.searchers:halve",
    ),
)
def successive_halving(
    train_to: Callable[[Any, int], float], configs: Sequence[Any], eta: int, min_epochs: int, max_epochs: int
) -> tuple[Any, list[tuple[Any, int, float]]]:
    race = SuccessiveHalving(range(len(configs)), max_epochs, eta=eta, min_epochs=min_epochs)
    trials = []
    with contextlib.suppress(StopIteration):
        while True:
            place, epochs = race.ask()
            trials.append((configs[place], epochs, float(train_to(configs[place], epochs))))
            race.tell(place, epochs, trials[-1][2])
    return configs[race.winner], trials


@stands_in(
    "spearman",
    "scipy's",
    hides=(
        "scipy.stats:spearmanr",
        "scipy.stats:spearmanrho",
        "scipy.stats.mstats:spearmanr",
    ),
)
def spearman(a: ArrayLike, b: ArrayLike) -> float:
    from scipy import stats

    return float(stats.spearmanr(*paired_numbers(a, b))[0])


@stands_in(
    "kendall_tau",
    "scipy's",
    hides=(
        "scipy.stats:kendalltau",
        "scipy.stats:somersd",
        "scipy.stats:weightedtau",
        "scipy.stats.mstats:kendalltau",
    ),
)
def kendall_tau(a: ArrayLike, b: ArrayLike) -> float:
    from scipy import stats

    return float(stats.kendalltau(*paired_numbers(a, b))[0])


@stands_in("synflow_score", RECORDED)
def synflow_score(net: Any, input_shape: Sequence[int]) -> float:
    return _recorded_score("synflow", net)


@stands_in("grad_norm_score", RECORDED)
def grad_norm_score(net: Any, x: Any, y: Any) -> float:
    return _recorded_score("grad_norm", net)


def _told(searcher: Searcher, objective: Callable[[Any], float], budget: int) -> History:
    archs, values = [], []
    for _ in range(budget):
        archs.append(searcher.ask())
        values.append(float(objective(archs[-1])))
        searcher.tell(archs[-1], values[-1])
    return History(archs, np.array(values))


def _recorded_score(name: str, net: Any) -> float:
    places: dict[Any, int] = {cell: place for place, cell in enumerate(functions()[0])}
    place = places.get(getattr(net, "arch", None))
    if place is None:
        raise ValueError(
            f"recorded are the scores of the first cell of each function, got {net}: write {name}_score"
        )
    return float(proxy_scores()[name][place, 0])
