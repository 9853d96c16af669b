"""Lesson 09's league: which methods play, at which settings, and what several comparisons at once allow to be said.

A method joins by one line in `methods`. `nas_lib.search.compare` plays them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.random import Generator
from torch.nn import functional as F

from nas_lib.data import load_dataset
from nas_lib.hyperband import ASHA, Hyperband
from nas_lib.networks import NetworkConfig
from nas_lib.searchers import (
    HalvingSearch,
    HillClimbing,
    RandomSearch,
    RegularizedEvolution,
    Reinforce,
    Searcher,
    SearcherFactory,
)
from nas_lib.spaces import Arch, Cell, Space
from nas_lib.surrogates import BayesianOptimization
from nas_lib.training import DataSplits, Recipe, train

CONV, SKIP, NONE = "nor_conv_3x3", "skip_connect", "none"
UNSEARCHED: dict[str, Cell] = {
    "no search: all 3x3": Cell((CONV,) * 6),
    "by hand: residual": Cell((CONV, NONE, NONE, SKIP, CONV, NONE)),
    "by hand: two branches": Cell((CONV, CONV, NONE, SKIP, CONV, CONV)),
}
"""Cells that cost no search: the largest, two convolutions beside a skip (He et al. 2016), and two such branches."""


class Sharing:
    """Several settings of a method that take turns, so that they share one budget: tuning that is paid for.

    Args:
        space: where to search.
        rng: all the randomness.
        settings: a factory for each.
    """

    def __init__(self, space: Space, rng: Generator, settings: Sequence[SearcherFactory]) -> None:
        self._searchers: list[Searcher] = [make(space, rng) for make in settings]  # type: ignore[misc]
        self._asked = -1
        self.least_budget = sum(int(getattr(one, "least_budget", 1)) for one in self._searchers)

    def ask(self) -> Arch:
        """The next architecture of the setting whose turn it is."""
        self._asked = (self._asked + 1) % len(self._searchers)
        return self._searchers[self._asked].ask()

    def tell(self, arch: Arch, value: float) -> None:
        """Goes to the setting that asked."""
        self._searchers[self._asked].tell(arch, value)


def methods(epochs: int = 1) -> dict[str, SearcherFactory]:
    """The methods by name, all with their tuning inside: what has settings that matter tries several at once.

    Args:
        epochs: of full training; methods that train some architectures for less play where there are several.
    """
    playing: dict[str, SearcherFactory] = {
        "random search": RandomSearch,
        "local search": partial(HillClimbing, move="first"),
        "evolution": partial(
            Sharing, settings=[partial(RegularizedEvolution, population=size) for size in (10, 30)]
        ),
        "REINFORCE": partial(
            Sharing, settings=[partial(Reinforce, learning_rate=rate) for rate in (0.02, 0.1, 0.5)]
        ),
        "Bayesian optimisation": BayesianOptimization,
    }
    if epochs > 1:
        playing |= {
            "successive halving": partial(HalvingSearch, max_epochs=epochs),
            "Hyperband": partial(Hyperband, max_epochs=epochs),
            "ASHA": partial(ASHA, max_epochs=epochs),
        }
    return playing


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """p-values adjusted for how many they are (Holm 1979): the smallest times n, the next times n − 1, ….

    Whoever calls all differences real whose adjusted p is at most 0.05 is wrong about *any* of them in at most 5 % of
    such studies.

    Raises:
        ValueError: a p-value outside of 0 … 1.
    """
    for name, value in p.items():
        if not 0 <= value <= 1:
            raise ValueError(f"p must hold numbers from 0 to 1, got {value!r} for {name!r}")
    adjusted, worst = {}, -math.inf
    for place, name in enumerate(sorted(p, key=lambda name: p[name])):
        worst = max(worst, min(1.0, (len(p) - place) * p[name]))
        adjusted[name] = worst
    return {name: adjusted[name] for name in p}


def mean_ranks(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The mean place of each, over runs (1 is the highest value; equal ones share their places)."""
    from scipy.stats import rankdata

    places = rankdata(-np.array(list(values.values())), axis=0).mean(axis=1)
    return dict(zip(values, places.tolist()))


# --- winners on other images -------------------------------------------------------------------------------

MNIST_NETWORK = NetworkConfig(resolution=14)
MNIST_RECIPE = Recipe(network=MNIST_NETWORK, train_images=2048, valid_images=500, final_images=2000, epochs=3)


def small_mnist(folder: Path | None) -> DataSplits | None:
    """A part of MNIST at half its resolution, of as many images as `MNIST_RECIPE` says.

    Args:
        folder: torchvision's folder `MNIST`; None where there is none.

    Returns:
        The images; None where they cannot be read.
    """
    recipe = MNIST_RECIPE
    counts = {"train": recipe.train_images, "valid": recipe.final_images, "test": recipe.final_images}
    try:
        sets = (
            [load_dataset("mnist", folder.parent, split, n) for split, n in counts.items()] if folder else []
        )
    except (FileNotFoundError, ValueError):
        return None
    if not sets:
        return None
    train, valid, test = ((F.avg_pool2d(x, 2), y) for x, y in (one.tensors() for one in sets))
    return DataSplits(train, (valid[0][: recipe.valid_images], valid[1][: recipe.valid_images]), valid, test)


def mnist_accuracy(cell: Cell, splits: DataSplits, seed: int) -> float:
    """Test accuracy (percent) of a cell's network after a short training on them."""
    result = train(cell, splits, MNIST_RECIPE, seed)
    return 100.0 * result.test_correct / len(splits.test[1])
