"""The checks of `round_filters` and `round_repeats`: exact, halves and borders among the cases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nas_lib.checks.compound_scaling.of_numbers import OfNumbers, Rule
from nas_lib.checks.compound_scaling.shared import LESSON, NAN


def _choice(rng: np.random.Generator, options: list[Any], count: int) -> list[Any]:
    """Different options, in random order."""
    return [options[i] for i in rng.permutation(len(options))[:count]]


class RoundFilters(OfNumbers):
    """`round_filters(filters, width, divisor)`."""

    name, lesson = "round_filters", LESSON
    hides = ("nas_lib.lesson:_round_filters", "nas_lib.efficientnet:nearest_multiple")

    def problems(self, rng: np.random.Generator) -> list[tuple[str, list[list[Any]]]]:
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
        uneven = [[36, 1.4, 8], [44, 1.6, 8], [100, float(rng.choice([1.1, 1.2])), 8]]
        lost = [[int(filters), 1.0, 8] for filters in rng.permutation([10, 11, 18, 19])]
        divisors = [[int(rng.integers(20, 200)), 1.0, int(one)] for one in rng.permutation([2, 4, 16])]
        divisors += [[48, 1.1, 5], [int(rng.integers(20, 200)), 1.0, 1]]
        tenths = [[10 * int(i), 1.0, 9 * int(j)] for i, j in ((1, 1), (2, 1), (2, 2), (3, 3))]
        unsaid = [[int(rng.choice(counts)), float(width)] for width in rng.permutation(widths)[:4]]
        return [
            ("", some),
            ("halfway between two multiples", halves),
            ("the nearest multiple would lose more than a tenth", lost),
            ("fewer channels than the divisor", [[3, 1.0, 8], [1, 1.0, 4], [5, 0.5, 16]]),
            ("another divisor", divisors),
            ("exactly a tenth is lost", tenths),
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
            ("an infinite width", [32, float("inf"), 8]),
            ("filters of 0", [0, 1.0, 8]),
            ("a divisor of 0", [32, 1.0, 0]),
        ]

    def mistakes(self) -> Sequence[Rule]:
        """Other ways to round."""

        def kept(value: float, divisor: int, rounded: float) -> float:
            rounded = max(divisor, rounded)
            return rounded + divisor if rounded < 0.9 * value else rounded

        def rule(f: int, w: float, d: int = 8) -> float:
            return max(d, int(f * w + d / 2) // d * d)

        def strict(f: int, w: float, d: int = 8) -> float:
            return rule(f, w, d) + d * (rule(f, w, d) <= 0.9 * f * w)

        half = "halfway between two multiples the larger one is taken"
        return [
            (
                "no-tenth-rule",
                rule,
                "the nearest multiple may lose more than a tenth of the channels: where it is below 0.9·filters·width, "
                "go one multiple up",
            ),
            (
                "exactly-nine-tenths",
                strict,
                "the next multiple is taken only *below* nine tenths of filters·width: exactly nine tenths are enough",
            ),
            (
                "cuts-down",
                lambda f, w, d=8: kept(f * w, d, int(f * w) // d * d),
                "this rounds down: take the *nearest* multiple",
            ),
            (
                "cuts-down",
                lambda f, w, d=8: max(d, int(f * w) // d * d),
                "this rounds down: take the *nearest* multiple",
            ),
            (
                "goes-up",
                lambda f, w, d=8: max(d, math.ceil(f * w / d) * d),
                "this rounds up: take the *nearest* multiple",
            ),
            (
                "half-to-even",
                lambda f, w, d=8: kept(f * w, d, round(f * w / d) * d),
                f"round() is to even: {half}",
            ),
            (
                "half-down",
                lambda f, w, d=8: kept(f * w, d, math.ceil(f * w / d - 0.5) * d),
                f"{half}, and here it is the smaller one",
            ),
            (
                "no-least",
                lambda f, w, d=8: (lambda r: r + d if r < 0.9 * f * w else r)(int(f * w + d / 2) // d * d),
                "a layer needs channels: never fewer than one divisor",
            ),
            (
                "rounds-first",
                lambda f, w, d=8: kept(f * w, d, int((int(f + d / 2) // d * d) * w + d / 2) // d * d),
                "round after multiplying, once",
            ),
            (
                "tenth-of-filters",
                lambda f, w, d=8: (lambda r: r + d if r < 0.9 * f else r)(rule(f, w, d)),
                "the nine tenths are those of filters·width, not of filters",
            ),
            (
                "ignores-divisor",
                lambda f, w, d=8: kept(f * w, 8, int(f * w + 4) // 8 * 8),
                "the multiple is always one of 8: `divisor` is not used",
            ),
            ("no-multiple", lambda f, w, d=8: round(f * w), "this is no multiple of the divisor"),
        ]


class RoundRepeats(OfNumbers):
    """`round_repeats(repeats, depth)`."""

    name, lesson = "round_repeats", LESSON
    hides = ("nas_lib.lesson:_round_repeats",)

    def problems(self, rng: np.random.Generator) -> list[tuple[str, list[list[Any]]]]:
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
            ("a product that is whole", [[int(rng.integers(1, 6)), 2.0], [4, 1.5], [3, 1.0], [2, 2.5]]),
            ("a depth below 1", [[int(rng.integers(3, 8)), 0.6], [1, 0.3], [4, 0.5]]),
        ]

    def bad(self) -> list[tuple[str, list[Any]]]:
        """No stage is empty."""
        return [
            ("a depth of 0", [3, 0.0]),
            ("a depth of NaN", [3, NAN]),
            ("repeats of 0", [0, 1.2]),
            ("a depth of -1.2", [3, -1.2]),
            ("an infinite depth", [3, float("inf")]),
        ]

    def mistakes(self) -> Sequence[Rule]:
        """Other ways to round."""
        up = "blocks are rounded *up*, so that every multiplier above 1 adds some"
        return [
            ("cuts-down", lambda n, d: int(n * d), f"this rounds down: {up}"),
            ("cuts-down", lambda n, d: max(1, int(n * d)), f"this rounds down: {up}"),
            ("takes-the-nearest", lambda n, d: round(n * d), f"this is the nearest whole number: {up}"),
            ("takes-the-nearest", lambda n, d: int(n * d + 0.5), f"this is the nearest whole number: {up}"),
            (
                "takes-the-nearest",
                lambda n, d: max(1, round(n * d)),
                f"this is the nearest whole number: {up}",
            ),
            (
                "adds-one-more",
                lambda n, d: int(n * d) + 1,
                "where the product is whole already, this adds one too many",
            ),
            (
                "rounds-the-depth",
                lambda n, d: n * math.ceil(d),
                "the product is rounded, not the multiplier alone",
            ),
            ("adds-the-depth", lambda n, d: math.ceil(n + d), "the depth multiplies, it is not added"),
            ("ignores-depth", lambda n, d: n, "`depth` is not used"),
        ]
