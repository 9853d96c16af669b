"""Cases of `incumbent_curve` and `simple_regret`."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from numpy.random import Generator, default_rng

from nas_lib.checks.exercise import Instance
from nas_lib.checks.forms import given
from nas_lib.checks.values import Part, ValueExercise


def _series(rng: Generator) -> list[Instance]:
    """Sequences of every kind: noisy, negative, tied, whole numbers, sorted both ways, of length one, infinite."""
    noisy = [round(float(one), 2) for one in rng.normal(85, 6, size=int(rng.integers(12, 40)))]
    negative = [round(float(one), 3) for one in rng.normal(-5, 1, size=int(rng.integers(5, 20)))]
    # The first two are the largest and the smallest: what only compares neighbours, or sorts, shows.
    negative = [max(negative), min(negative), *negative]
    tied = [float(one) for one in rng.integers(80, 84, size=15)]
    whole = [int(one) for one in rng.integers(0, 100, size=12)]
    climbing = sorted(noisy[:9])
    tiny = [float(f"{one:.4g}") for one in rng.uniform(1e-6, 9e-5, size=12)]
    return [
        {"values": noisy, "form": "array"},
        {"values": noisy[::-1], "form": "list", "about": "values given as a list"},
        {"values": negative, "form": "array", "about": "negative values"},
        {"values": tied, "form": "list", "about": "values with ties"},
        {"values": whole, "form": "array", "about": "whole numbers"},
        {"values": whole[::-1], "form": "list", "about": "a list of whole numbers"},
        {"values": climbing, "form": "array", "about": "values that only rise"},
        {"values": climbing[::-1], "form": "tuple", "about": "values that only fall, given as a tuple"},
        {"values": [-math.inf, *noisy[:4]], "form": "array", "about": "minus infinity at first"},
        {"values": noisy[:1], "form": "list", "about": "a single value"},
        # Their sum is NaN, though none of them is.
        {
            "values": [*noisy[:3], math.inf, -math.inf],
            "form": "list",
            "about": "both infinities among the values",
        },
        {"values": [0.0] * 5, "form": "array", "about": "values that are all 0"},
        {"values": tiny, "form": "array", "about": "values of a hundred-thousandth"},
        {"values": [0.5 * one for one in negative], "form": "tuple", "about": "a tuple of negative values"},
    ]


def _bad_series(rng: Generator) -> list[Instance]:
    values = [round(float(one), 2) for one in rng.normal(85, 6, size=6)]
    return [
        {"bad": "an empty sequence of values", "values": [], "form": "list"},
        {"bad": "an empty array of values", "values": [], "form": "array"},
        {"bad": "NaN among the values", "values": [*values[:3], math.nan, *values[3:]], "form": "array"},
        {"bad": "NaN as the first value", "values": [math.nan, *values], "form": "list"},
        {"bad": "NaN as the last value", "values": [*values, math.nan], "form": "array"},
    ]


class IncumbentCurve(ValueExercise):
    """`incumbent_curve(values)`."""

    name, lesson, returns = "incumbent_curve", "01_random_search", "array"
    # What float32 rounds off is right as well.
    parts: ClassVar = (Part("result", "the curve", "wrong-curve", tolerance=2e-7, floor=1e-6),)

    def instances(self, seed: int) -> list[Instance]:
        """Sequences of every kind, and bad ones."""
        rng = default_rng(seed)
        close = [round(0.9 + 1e-6 * int(step), 6) for step in rng.permutation(15)]
        return [
            *_series(rng),
            {"values": close, "form": "list", "about": "values that are close together"},
            *_bad_series(rng),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The curve."""
        return fn(given(instance["values"], instance["form"]))


class SimpleRegret(IncumbentCurve):
    """`simple_regret(values, best)`."""

    name = "simple_regret"
    parts: ClassVar = (Part("result", "the regret", "wrong-curve", tolerance=1e-5, floor=1e-6),)

    def instances(self, seed: int) -> list[Instance]:
        """Sequences with an optimum above them, at their top, or (from noise) below it; and bad ones."""
        rng = default_rng(seed)
        cases = [
            {
                **case,
                "best": round(max(filter(math.isfinite, case["values"])) + float(rng.uniform(0.5, 4)), 2),
            }
            for case in _series(rng)
        ]
        cases[-2]["best"] = float(f"{1.1 * max(cases[-2]['values']):.4g}")
        cases[-1] |= {"best": 0, "about": "an optimum of 0"}
        cases[2]["best"] = round(0.5 * max(cases[2]["values"]), 2)  # below 0 as well
        cases[3]["best"] = float(max(cases[3]["values"]))
        cases[4]["best"] = int(max(cases[4]["values"]) + 3)
        # The first value is below `best`, later ones above: a sign changes on the way.
        ordered = sorted(cases[0]["values"])
        values = [ordered[0], *cases[0]["values"][1:], ordered[-1]]
        beaten = {"values": values, "best": ordered[len(ordered) // 2], "about": "values above `best`"}
        cases.append({**cases[0], **beaten})
        return [*cases, *({**case, "best": 95.0} for case in _bad_series(rng))]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The regret."""
        return fn(given(instance["values"], instance["form"]), instance["best"])
