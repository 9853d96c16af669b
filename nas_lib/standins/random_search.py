"""What stands in for the exercises of lesson 01: random search and how it is compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from nas_lib.search import Comparison, History, RandomSearch
from nas_lib.spaces import Space
from nas_lib.standins import RECORDED, stands_in

RECORDED_CONFIDENCE = 0.95
RECORDED_SAMPLES = {0.1: 29, 0.05: 59, 0.02: 149, 0.01: 299, 0.005: 598}
"""Results of the reference's `samples_for_top_fraction` for the fractions that lesson 01 asks for."""


@stands_in(
    "sample_uniform",
    hides=(
        "nas_lib.spaces:CellSpace.sample",
        "nas_lib.spaces:ProductSpace.sample",
        "nas_lib.checks.spaces:ChoiceSpace.sample",
        "nas_lib.checks.spaces:ChoiceSpace.mutate",
        "nas_lib.checks.spaces:GuardedCellSpace.sample",
        "nas_lib.one_shot:uniform_paths",
    ),
)
def sample_uniform(space: Space, rng: Generator) -> Any:
    return space.sample(rng)


@stands_in(
    "random_search",
    hides=("nas_lib.search:RandomSearch.ask",),
)
def random_search(objective: Callable[[Any], float], space: Space, budget: int, rng: Generator) -> History:
    searcher = RandomSearch(space, rng)
    archs = [searcher.ask() for _ in range(budget)]
    return History(archs, np.array([objective(arch) for arch in archs]))


@stands_in(
    "incumbent_curve",
    hides=(
        "nas_lib.search:History.incumbent",
        "nas_lib.search:History.leaders",
    ),
)
def incumbent_curve(values: ArrayLike) -> NDArray[np.float64]:
    return _history_of(values).incumbent()


@stands_in(
    "simple_regret",
    hides=(
        "nas_lib.search:History.regret",
        "nas_lib.search:History.incumbent",
        "nas_lib.search:History.leaders",
    ),
)
def simple_regret(values: ArrayLike, best: float) -> NDArray[np.float64]:
    return _history_of(values).regret(best)


@stands_in("samples_for_top_fraction", RECORDED)
def samples_for_top_fraction(fraction: float, confidence: float) -> int:
    if confidence != RECORDED_CONFIDENCE or fraction not in RECORDED_SAMPLES:
        accepted = ", ".join(f"{known:g}" for known in RECORDED_SAMPLES)
        raise ValueError(
            f"recorded are the fractions {accepted} at confidence {RECORDED_CONFIDENCE:g}, "
            f"got {fraction!r} at {confidence!r}: write samples_for_top_fraction for any others"
        )
    return RECORDED_SAMPLES[fraction]


@stands_in(
    "paired_bootstrap",
    hides=("nas_lib.search:Comparison.paired",),
)
def paired_bootstrap(
    a: ArrayLike, b: ArrayLike, rng: Generator, resamples: int = 10_000
) -> tuple[float, tuple[float, float]]:
    columns = {name: np.asarray(values, dtype=float)[:, None] for name, values in (("a", a), ("b", b))}
    runs = Comparison(np.ones(1), columns, best=0.0, histories={})  # all that its statistics need
    paired = runs.paired("a", "b", resamples=resamples, seed=int(rng.integers(2**31)))
    return paired.mean, (paired.low, paired.high)


def _history_of(values: ArrayLike) -> History:
    array = np.asarray(values, dtype=float)
    return History(list(range(len(array))), array)
