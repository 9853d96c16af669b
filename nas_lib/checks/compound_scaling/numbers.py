"""Cases of `scaled_cost`, `round_filters` and `round_repeats`: functions of a few numbers."""

from __future__ import annotations

import math
from typing import Any

from numpy.random import Generator

from nas_lib.checks.compound_scaling.shared import LESSON, NAN
from nas_lib.checks.values import FunctionExercise

INFINITY = float("inf")
NO_NUMBERS = (("NaN", NAN), ("infinity", INFINITY))


class ScaledCost(FunctionExercise):
    """`scaled_cost(alpha, beta, gamma, phi)`."""

    name, lesson, returns = "scaled_cost", LESSON, "float"

    def problems(self, rng: Generator) -> list[tuple[str, list[list[Any]]]]:
        """Coefficients above 1 and below, whole and broken steps, none and backwards."""

        def draw(low: float, high: float) -> list[float]:
            return [round(float(one), 3) for one in rng.uniform(low, high, 3)]

        return [
            ("", [[*draw(1.05, 1.4), round(float(rng.uniform(1.2, 4)), 2)] for _ in range(4)]),
            ("phi = 1", [[*draw(1.05, 1.4), 1] for _ in range(3)]),
            ("phi = 0", [[*draw(1.05, 1.4), 0]]),
            ("a negative phi", [[*draw(1.05, 1.4), -1.5]]),
            ("coefficients below 1", [[*draw(0.6, 0.95), 2]]),
            ("whole numbers", [[2, 2, 3, 1], [1, 1, 1, 4]]),
        ]

    def bad(self) -> list[tuple[str, list[Any]]]:
        """No network has a width of 0."""
        good = [1.2, 1.1, 1.15, 1.0]
        return [
            *(
                (f"{article} {name} of {said}", [*good[:place], value, *good[place + 1 :]])
                for place, (article, name) in enumerate((("an", "alpha"), ("a", "beta"), ("a", "gamma")))
                for said, value in (("0", 0.0), ("-1.1", -1.1), ("NaN", NAN), ("infinity", INFINITY))
            ),
            ("an infinite phi", [*good[:3], INFINITY]),
            ("a phi of minus infinity", [*good[:3], -INFINITY]),
            ("a phi of NaN", [*good[:3], NAN]),
        ]


def _choice(rng: Generator, options: list[Any], count: int) -> list[Any]:
    """Different options, in random order."""
    return [options[i] for i in rng.permutation(len(options))[:count]]


class RoundFilters(FunctionExercise):
    """`round_filters(filters, width, divisor)`."""

    name, lesson, returns = "round_filters", LESSON, "int"

    def problems(self, rng: Generator) -> list[tuple[str, list[list[Any]]]]:
        """Halves, the rule of 90 % and its border, small numbers, other divisors and none."""
        widths = [1.1, 1.2, 1.4, 1.6, 1.8, 2.0]
        counts = [16, 24, 32, 40, 80, 112, 192, 320, 1280]
        products = {(count, width): count * width % 8 for count in counts for width in widths}
        # as many that go down as go up, and none halfway: no way to round looks like another
        some = [
            [*pair, 8]
            for low, high in ((0.5, 3.5), (4.5, 7.5))
            for pair in _choice(rng, [pair for pair, rest in products.items() if low < rest < high], 4)
        ]
        # two above even and two above odd multiples; the last is not halfway and tells rounding down apart
        halves = [[4 * odd, 1.0, 8] for least in (21, 23) for odd in _choice(rng, [*range(least, 60, 4)], 2)]
        halves.append([8 * int(rng.integers(11, 30)) + 7, 1.0, 8])
        uneven = [[36, 1.4, 8], [44, 1.6, 8], [100, float(rng.choice([1.1, 1.2])), 8], [1537, 1.4, 8]]
        lost = [[int(filters), 1.0, 8] for filters in rng.permutation([10, 11, 18, 19])]
        divisors = [[int(rng.integers(20, 200)), 1.0, int(one)] for one in rng.permutation([2, 4, 16])]
        divisors += [[48, 1.1, 5], [int(rng.integers(20, 200)), 1.0, 1]]
        tenths = [[10 * int(i), 1.0, 9 * int(j)] for i, j in ((1, 1), (2, 1), (2, 2), (3, 3))]
        unsaid = [[int(rng.choice(counts)), float(width)] for width in rng.permutation(widths)[:4]]
        return [
            ("", some),
            ("halfway between two multiples", halves),
            ("the nearest multiple would lose more than a tenth", lost),
            ("a tenth of another divisor's multiples", [[22, 1.0, 16], [5, 1.0, 4], [11, 0.5, 4]]),
            ("fewer channels than the divisor", [[3, 1.0, 8], [1, 1.0, 4], [5, 0.5, 16], [1, 0.4, 8]]),
            ("another divisor", divisors),
            ("exactly a tenth is lost", tenths),
            ("a bit more than a tenth is lost, or a bit less", [[143, 0.5, 16], [141, 0.5, 16]]),
            ("the divisor left at its default", unsaid),
            ("filters that are no multiple themselves", uneven),
            ("a width below 1", [[int(rng.choice([96, 160, 320])), 0.75, 8], [64, 0.5, 8]]),
        ]

    def bad(self) -> list[tuple[str, list[Any]]]:
        """Numbers that no network has."""
        return [
            ("a width of 0", [32, 0.0, 8]),
            ("a width of -1", [32, -1.0, 8]),
            ("a width of NaN", [32, NAN, 8]),
            ("an infinite width", [32, INFINITY, 8]),
            ("filters of 0", [0, 1.0, 8]),
            ("filters of 0.5", [0.5, 1.0, 8]),
            ("a divisor of 0", [32, 1.0, 0]),
            ("a divisor of -8", [32, 1.0, -8]),
            *((f"filters of {said}", [value, 1.0, 8]) for said, value in NO_NUMBERS),
            *((f"a divisor of {said}", [32, 1.0, value]) for said, value in NO_NUMBERS),
        ]


class RoundRepeats(FunctionExercise):
    """`round_repeats(repeats, depth)`."""

    name, lesson, returns = "round_repeats", LESSON, "int"

    def problems(self, rng: Generator) -> list[tuple[str, list[list[Any]]]]:
        """Products just above a whole number, whole ones, and multipliers below 1."""
        depths = [1.1, 1.2, 1.4, 1.8, 2.2, 2.6, 3.1]
        pairs = [(blocks, depth) for blocks in range(1, 7) for depth in (1.3, 1.7, 2.3, 2.7, 3.1)]
        some = [
            [*pair]
            for low, high in ((0.05, 0.45), (0.55, 0.95))  # rounded to the nearest, as many go down as go up
            for pair in _choice(rng, [one for one in pairs if low < math.prod(one) % 1 < high], 3)
        ]
        return [
            ("", some),
            ("one block", [[1, float(depth)] for depth in rng.permutation(depths)]),
            ("a product just above a whole number", [[2, 1.000001], [3, 1.34], [5, 1.61], [1, 2.01]]),
            ("a product that is whole", [[int(rng.integers(1, 6)), 2.0], [4, 1.5], [3, 1.0], [40, 2.5]]),
            ("a depth below 1", [[int(rng.integers(3, 8)), 0.6], [1, 0.3], [4, 0.5]]),
        ]

    def bad(self) -> list[tuple[str, list[Any]]]:
        """No stage is empty."""
        return [
            ("a depth of 0", [3, 0.0]),
            ("a depth of NaN", [3, NAN]),
            ("repeats of 0", [0, 1.2]),
            ("repeats of 0.5", [0.5, 1.2]),
            ("a depth of -1.2", [3, -1.2]),
            ("an infinite depth", [3, INFINITY]),
            ("repeats of -2", [-2, 1.2]),
            *((f"repeats of {said}", [value, 1.2]) for said, value in NO_NUMBERS),
        ]
