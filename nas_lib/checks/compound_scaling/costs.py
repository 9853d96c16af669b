"""The check of `scaled_cost`: exact up to rounding, and which dimension counts how often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nas_lib.checks.compound_scaling.of_numbers import OfNumbers, Rule
from nas_lib.checks.compound_scaling.shared import LESSON, NAN


class ScaledCost(OfNumbers):
    """`scaled_cost(alpha, beta, gamma, phi)`."""

    name, lesson, whole = "scaled_cost", LESSON, False
    hides = (
        "nas_lib.lesson:_scaled_cost",
        "nas_lib.scaling:Coefficients.cost",
        "nas_lib.scaling:Coefficients.at",
    )

    def problems(self, rng: np.random.Generator) -> list[tuple[str, list[list[Any]]]]:
        """Coefficients above 1 and below, whole and broken steps, none and backwards."""

        def draw(low: float, high: float) -> list[float]:
            return [round(float(one), 3) for one in rng.uniform(low, high, 3)]

        return [
            ("", [[*draw(1.05, 1.4), round(float(rng.uniform(1.2, 4)), 2)] for _ in range(4)]),
            ("phi = 1", [[*draw(1.05, 1.4), 1] for _ in range(3)]),
            ("phi = 0", [[*draw(1.05, 1.4), 0]]),
            ("a negative phi", [[*draw(1.05, 1.4), -1.5]]),
            ("coefficients below 1", [[*draw(0.6, 0.95), 2]]),
        ]

    def bad(self) -> list[tuple[str, list[Any]]]:
        """No network has a width of 0."""
        return [
            ("an alpha of 0", [0.0, 1.1, 1.15, 1.0]),
            ("a beta of -1.1", [1.2, -1.1, 1.15, 1.0]),
            ("a gamma of NaN", [1.2, 1.1, NAN, 1.0]),
            ("an infinite phi", [1.2, 1.1, 1.15, float("inf")]),
        ]

    def mistakes(self) -> Sequence[Rule]:
        """Which dimension is squared, and what phi does."""
        squares = (
            "but the width counts twice (channels in and out), and so does the resolution (rows, columns)"
        )
        return [
            ("no-squares", lambda a, b, c, p: (a * b * c) ** p, f"here each counts once: {squares}"),
            (
                "width-once",
                lambda a, b, c, p: (a * b * c**2) ** p,
                "the width counts once here: a convolution has channels in *and* out",
            ),
            (
                "resolution-once",
                lambda a, b, c, p: (a * b**2 * c) ** p,
                "the resolution counts once here: an image has rows *and* columns",
            ),
            (
                "depth-squared",
                lambda a, b, c, p: (a**2 * b**2 * c**2) ** p,
                "the depth is squared as well: twice the blocks cost twice as much",
            ),
            (
                "depth-squared",
                lambda a, b, c, p: (a**2 * b * c) ** p,
                "the depth is squared: twice the blocks cost twice as much, twice the channels four times",
            ),
            (
                "times-phi",
                lambda a, b, c, p: a * b**2 * c**2 * p,
                "phi multiplies here: it is an exponent, the number of steps",
            ),
            (
                "ignores-phi",
                lambda a, b, c, p: a * b**2 * c**2,
                "this is the cost of one step: `phi` is not used",
            ),
            ("assumes-two", lambda a, b, c, p: 2.0**p, "2^phi holds only where alpha·beta²·gamma² is 2"),
            (
                "part-without-phi",
                lambda a, b, c, p: a**p * b**2 * c**2,
                "phi is the exponent of the first factor only: all three grow with it",
            ),
            (
                "part-without-phi",
                lambda a, b, c, p: a * b**2 * (c**2) ** p,
                "phi is the exponent of the last factor only: all three grow with it",
            ),
        ]
