"""What the checks of lesson 05 share: its name, and numbers that are the same on every machine."""

from __future__ import annotations

from typing import Any

from numpy.random import Generator

LESSON = "05_supernet"
NAN, INFINITY = float("nan"), float("inf")


def floats(rng: Generator, size: int | tuple[int, ...], low: float = -1.0, high: float = 1.0) -> Any:
    """Nested lists of uniform numbers with three decimals."""
    return rng.uniform(low, high, size).round(3).tolist()


def between(rng: Generator, low: float, high: float) -> float:
    """One of them."""
    return round(float(rng.uniform(low, high)), 3)
