"""Cases of `samples_for_top_fraction`: pairs on which a wrong formula or a wrong rounding shows."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from numpy.random import Generator

from nas_lib.checks.values import FunctionExercise

NAN, INFINITY = math.nan, math.inf
TINY, VANISHING = "a fraction of a billionth", "a fraction that vanishes beside 1"


class SamplesForTopFraction(FunctionExercise):
    """`samples_for_top_fraction(fraction, confidence)`."""

    name, lesson, returns = "samples_for_top_fraction", "01_random_search", "int"
    forgiving: ClassVar = {TINY: 0.5, VANISHING: 0.5}

    def problems(self, rng: Generator) -> list[tuple[str, list[list[Any]]]]:
        """Everyday pairs, confidences just missed by a draw less, rare and easy targets, an exactly reached confidence,
        the whole space, fractions that vanish beside 1."""
        usual = [
            [round(float(f), 3), round(float(c), 2)]
            for f, c in zip(rng.uniform(0.01, 0.3, size=8), rng.uniform(0.5, 0.99, size=8))
        ]
        rare = [
            [float(f"{10 ** float(f):.2g}"), round(float(c), 3)]
            for f, c in zip(rng.uniform(-4, -2.3, size=4), rng.uniform(0.9, 0.999, size=4))
        ]
        # Rarer than one in 15,625: more draws than the course's space has cells.
        rare.append([float(f"{float(rng.uniform(2e-5, 6e-5)):.2g}"), 0.99])
        tight = [
            [float(f), round(1 - (1 - float(f)) ** (int(n) + 0.02), 6)]
            for f, n in zip(rng.uniform(0.02, 0.2, size=4).round(3), rng.integers(5, 30, size=4))
        ]
        easy = [[round(float(f), 3), round(float(f) / 2, 3)] for f in rng.uniform(0.3, 0.9, size=3)]
        # A power of two away from 0 or 1: floats hold fraction, confidence and both complements exactly.
        exact = [[one, one] for one in (0.5, float(rng.choice([0.125, 0.25, 0.75, 0.875])))]
        # Exact as well, but a quotient of logarithms comes out a hair above the whole number.
        several = [[0.25, 0.578125], [0.4375, 0.822021484375], [0.5625, 0.916259765625], [0.5, 0.875]]
        above = [[0.5, 0.7500004], [0.25, 0.578126], [0.75, 0.984376], [0.5, 0.75000001]]
        whole = [[1.0, round(float(rng.uniform(0.5, 0.99)), 2)], [1, 0.95]]
        return [
            ("", usual),
            ("a confidence that one draw less just misses", tight),
            ("a rare target", rare),
            ("a confidence below the fraction", easy),
            ("a confidence that one draw reaches exactly", exact),
            ("a confidence that some draws reach exactly", several),
            ("a confidence that some draws miss by a millionth or less", above),
            ("fraction = 1", whole),
            (TINY, [[float(f"{float(rng.uniform(1e-10, 9e-10)):.2g}"), 0.9]]),
            (VANISHING, [[float(f"{float(rng.uniform(1e-18, 9e-18)):.2g}"), 0.5]]),
        ]

    def bad(self) -> list[tuple[str, list[Any]]]:
        """Outside of the ranges, on both sides."""
        return [
            ("a fraction of 0", [0.0, 0.95]),
            ("a negative fraction", [-0.2, 0.95]),
            ("a fraction above 1", [1.01, 0.95]),
            ("a fraction of 5 (percent?)", [5.0, 0.95]),
            ("a fraction of NaN", [NAN, 0.95]),
            ("an infinite fraction", [INFINITY, 0.95]),
            ("a confidence of 1", [0.1, 1.0]),
            ("a confidence of 0", [0.1, 0.0]),
            ("a negative confidence", [0.1, -0.95]),
            ("a confidence just above 1", [0.1, 1.001]),
            ("a confidence of 95 (percent?)", [0.1, 95.0]),
            ("a confidence of NaN", [0.1, NAN]),
        ]
