"""What the checks of lesson 03 share: numbers that are drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

LESSON = "03_rl_controller"
NAN, INFINITY = float("nan"), float("inf")
FLOAT32 = 1e-5
"""What may be lost, relatively, where everything is computed in float32."""


def floats(rng: Generator, size: int, low: float, high: float) -> list[float]:
    """Numbers between low and high."""
    return [round(float(value), 3) for value in rng.uniform(low, high, size)]


def apart(rng: Generator, size: int) -> list[float]:
    """Accuracies from 50 to 95, none near another, in random order."""
    steps = 50 + 45 * (np.arange(size) + rng.uniform(0.1, 0.6, size)) / size
    return [round(float(value), 3) for value in rng.permutation(steps)]


def with_one(values: Sequence[float], place: int, value: float) -> list[float]:
    """The values with another one at a place."""
    return [*values[:place], value, *values[place + 1 :]]
