"""Names that several checks of lesson 08 use."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator

from nas_lib.checks.codec import describe

LESSON = "08_predictors_and_fidelity"
NAN, INFINITY = float("nan"), float("inf")


def table(rng: Generator, rows: int, columns: int, scale: float = 1.0, shift: float = 0.0) -> list[Any]:
    """A matrix of normal numbers as lists, rounded so that they cross as they are."""
    found: list[Any] = (shift + scale * rng.normal(size=(rows, columns))).round(4).tolist()
    return found


def spoiled(rows: list[Any], value: float) -> list[Any]:
    """The same with its last number replaced."""
    last = rows[-1]
    return [*rows[:-1], [*last[:-1], value] if isinstance(last, list) else value]


def form(*found: Any) -> str:
    """What came back in place of an array."""
    return next((describe(one) for one in found if not isinstance(one, np.ndarray)), "an array")
