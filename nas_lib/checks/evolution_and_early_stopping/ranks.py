"""Cases of `spearman` and `kendall_tau`: pairs of numbers with and without ties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator, default_rng

from nas_lib.checks.evolution_and_early_stopping.shared import INFINITY, LESSON, NAN
from nas_lib.checks.exercise import Instance
from nas_lib.checks.values import Part, ValueExercise


class RankCorrelation(ValueExercise):
    """What both share: a coefficient of two sequences. float32 is exact enough; only the order of the values is not."""

    lesson, returns = LESSON, "float"
    many = 600
    """Pairs of the largest case."""
    parts: ClassVar[tuple[Part, ...]] = (
        Part(what="the coefficient", concept="wrong-value", tolerance=1e-5, floor=1.0),
    )

    def instances(self, seed: int) -> list[Instance]:
        """Continuous data, ties in one or both, a curve, two pairs, large, tiny and close numbers, many pairs."""
        rng = default_rng(seed)

        def case(a: Sequence[Any], b: Sequence[Any], form: str = "array", **more: Any) -> Instance:
            return {"a": list(a), "b": list(b), "form": form, **more}

        a, b = _noisy(rng, 30, 1.5)
        rank = rng.permutation(9).tolist()
        curved = rng.uniform(0, 6, size=15).round(3)
        tied = rng.integers(0, 5, size=24).tolist()
        tied_too = [int(one) for one in np.clip(np.array(tied) + rng.integers(-1, 3, size=24), 0, 6)]
        close = [0.5 + round(one * 1e-9, 9) for one in rng.permutation(20).tolist()]
        large = (rng.normal(size=20).round(4) * 1e9).round(1).tolist()
        # So far apart that products and quotients of them are 0, and sums lose the small ones.
        small = [float(f"{one:.5g}") for one in rng.normal(size=20) * 1e-12]
        signs, order = rng.choice([-1.0, 1.0], size=20), rng.permutation(20)
        tiny = [float(f"{sign}e{-300 + 3 * size}") for sign, size in zip(signs, order)]
        spread = [float(f"{-sign}e{-200 + 20 * size}") for sign, size in zip(signs, order)]
        good = [1.0, 2.0, 3.0]
        return [
            case(a, b),
            case(*_noisy(rng, 40, 0.5), form="list", about="values given as lists"),
            case(*_noisy(rng, 25, 1.5), form="float32", about="values in float32"),
            case(*_noisy(rng, 20, 1.5), form="strided", about="every other entry of an array"),
            case(
                curved.tolist(),
                np.exp(3 * curved).round(3).tolist(),
                about="a curved relation without noise",
            ),
            case(rank, [3 * one for one in reversed(rank)], form="list", about="lists of whole numbers"),
            case(rank, [20 - one for one in rank], about="opposite order"),
            # So few that every sort leaves equal numbers in their order: ranks by `argsort` are told by name.
            case([1, 1.0, 2, 2.0], [1, 2, 1, 2.5], form="list", about="whole numbers among others, ties"),
            case(tied, rng.normal(size=24).round(4).tolist(), about="ties in a"),
            case(rng.normal(size=24).round(4).tolist(), tied, about="ties in b"),
            case(tied, tied_too, about="ties in both, arrays of whole numbers"),
            case([0, 0, 0, 1], [0, 1, 0, 0], form="tuple", about="all equal but one"),
            case(close, large, about="numbers that are close together, and large ones"),
            case(small, a[:20], about="small numbers"),
            case(tiny, spread, about="tiny numbers, and numbers of very different sizes"),
            case([2, 1], [5, 7], form="tuple", about="two pairs"),
            {
                "count": self.many,
                "seed": int(rng.integers(2**31)),
                "form": "array",
                "about": f"{self.many:,} pairs",
            },
            case(good, [1.0, 2.0], bad="a of another length than b"),
            case([1.0], [1.0], bad="a single pair"),
            case([], [], bad="no pair at all"),
            case([good, good], [good, good], bad="a matrix as a and as b"),
            *(
                case(*_with(good, [5.0, 4.0, 6.0], place, value), bad=f"{said} in {'ab'[place]}")
                for value, said in ((NAN, "NaN"), (INFINITY, "infinity"), (-INFINITY, "minus infinity"))
                for place in (0, 1)
            ),
            case([4.0, 4.0, 4.0], good, bad="a constant a"),
            case(good, [4.0, 4.0, 4.0], bad="a constant b"),
            case([4.0, 4.0], [1.0, 1.0], form="list", bad="a and b constant"),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The coefficient."""
        a, b = (
            _many(instance["seed"], instance["count"])
            if "count" in instance
            else (instance["a"], instance["b"])
        )
        return fn(_formed(a, instance["form"]), _formed(b, instance["form"]))


class Spearman(RankCorrelation):
    """`spearman(a, b)`."""

    name = "spearman"


class KendallTau(RankCorrelation):
    """`kendall_tau(a, b)`."""

    name, many = "kendall_tau", 2_000


def _noisy(rng: Generator, n: int, noise: float) -> tuple[list[float], list[float]]:
    """Numbers that float32 holds exactly, and others that fall with them; ties have cases of their own."""
    while True:
        a = rng.normal(80, 6, size=n)
        b = 3 - 0.2 * a + noise * rng.normal(size=n)
        found = [(np.round(one * 512) / 512).tolist() for one in (a, b)]
        if all(len(set(one)) == n for one in found):
            return found[0], found[1]


def _many(seed: int, count: int) -> tuple[list[int], list[int]]:
    """Whole numbers without ties: in so many, processors sort equal ones each in its own order."""
    rng = default_rng(seed)
    a = rng.permutation(count)
    noisy = a + rng.integers(0, count // 2, size=count)
    return a.tolist(), (count * noisy + rng.permutation(count)).tolist()


def _with(a: list[float], b: list[float], place: int, value: float) -> tuple[list[float], list[float]]:
    """The same with one odd entry, in a (place 0) or in b."""
    found = [list(a), list(b)]
    found[place][1] = value
    return found[0], found[1]


def _formed(values: Sequence[float], form: str) -> Any:
    """The values as the form says."""
    if form == "strided":
        return np.repeat(np.array(values), 2)[::2]
    if form == "float32":
        return np.array(values, dtype=np.float32)
    made: dict[str, Any] = {"array": np.array, "list": list, "tuple": tuple}
    return made[form](values)
