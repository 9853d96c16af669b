"""The checks of `incumbent_curve` and `simple_regret`: exact curves, and the input left as it was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from nas_lib.checks._mistakes import raised
from nas_lib.checks.exercise import RIGHT, Answer, Exercise, Instance, Verdict, fail, show
from nas_lib.checks.forms import given
from nas_lib.judges.reading import column, kept


def _series(rng: Generator) -> list[Instance]:
    """Sequences of values of every kind: noisy, negative, tied, whole numbers, sorted both ways, of length
    one."""
    noisy = [round(float(one), 2) for one in rng.normal(85, 6, size=int(rng.integers(12, 40)))]
    negative = [round(float(one), 3) for one in rng.normal(-5, 1, size=int(rng.integers(5, 20)))]
    tied = [float(one) for one in rng.integers(80, 84, size=15)]
    whole = [int(one) for one in rng.integers(0, 100, size=12)]
    climbing = sorted(noisy[:9])
    return [
        {"values": noisy, "form": "array"},
        {"values": noisy[::-1], "form": "list", "about": "values given as a list"},
        {"values": negative, "form": "array", "about": "negative values"},
        {"values": tied, "form": "list", "about": "values with ties"},
        {"values": whole, "form": "array", "about": "whole numbers"},
        {"values": climbing, "form": "array", "about": "values that only rise"},
        {"values": climbing[::-1], "form": "tuple", "about": "values that only fall, given as a tuple"},
        {"values": noisy[:1], "form": "list", "about": "a single value"},
    ]


def _bad_series(rng: Generator) -> list[Instance]:
    values = [round(float(one), 2) for one in rng.normal(85, 6, size=6)]
    return [
        {"bad": "an empty sequence of values", "values": [], "form": "list"},
        {"bad": "NaN among the values", "values": [*values[:3], math.nan, *values[3:]], "form": "array"},
    ]


def _same(found: NDArray[np.float64], right: Any) -> bool:
    # float32 has seven digits, and the values here have four
    return bool(np.allclose(found, np.asarray(right, dtype=float), rtol=2e-6, atol=1e-5))


def _so_far(values: Sequence[float], what: Any) -> list[float]:
    return [float(what(values[: at + 1])) for at in range(len(values))]


_MUTATES = Verdict(
    0.5, "mutates-input", "the values passed in were changed: work on a copy (np.array(values), list(values))"
)


class _Curve(Exercise):
    """What `incumbent_curve` and `simple_regret` share: exact curves, the input left as it was."""

    has_reference = True

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Exact to float32; a curve that some usual mistake gives is named."""
        values = [float(one) for one in instance["values"]]
        result = answer.value["result"]
        if result is None:
            return fail("returns-nothing", f"{self.name} returned None: is there a return statement?")
        found = column(result, len(values), self.name)
        right = column(expected.value["result"], len(values), self.name)
        if not _same(found, right):
            # On short or sorted sequences several mistakes look alike: those instances come last.
            concept, message = next(
                (
                    (concept, message)
                    for concept, message, curve in self.suspects(instance, values)
                    if _same(found, curve)
                ),
                ("wrong-curve", "the curve is wrong"),
            )
            return fail(
                concept, f"{message}: {show(values[:6])} gave {show(found[:6])}, should be {show(right[:6])}"
            )
        if not kept(answer.value["after"], values):
            return _MUTATES
        return RIGHT

    def suspects(self, instance: Instance, values: list[float]) -> list[tuple[str, str, Any]]:
        """(concept, message, curve) of the usual mistakes."""
        raise NotImplementedError


class IncumbentCurve(_Curve):
    """`incumbent_curve(values)`."""

    name, lesson = "incumbent_curve", "01_random_search"

    def instances(self, seed: int) -> list[Instance]:
        """Sequences of every kind, and bad ones."""
        rng = default_rng(seed)
        return [*_series(rng), *_bad_series(rng)]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The curve, and the values as they are afterwards."""
        values = given(instance["values"], instance["form"])
        if "bad" in instance:
            return raised(lambda: fn(values))
        return {"result": fn(values), "after": values}

    def suspects(self, instance: Instance, values: list[float]) -> list[tuple[str, str, Any]]:
        """Usual mistakes of a running maximum."""
        best = _so_far(values, max)
        return [
            ("raw-values", "these are the values themselves, not the best so far", values),
            ("minimum", "best of a minimum instead of a maximum: higher is better", _so_far(values, min)),
            (
                "final-best",
                "the best of all values stands everywhere: entry t may know values[0] to values[t] only",
                [max(values)] * len(values),
            ),
            (
                "starts-at-zero",
                "the best so far starts at 0, which negative values never reach",
                [max(0.0, one) for one in best],
            ),
            (
                "last-two-only",
                "only neighbours are compared: compare with the best so far",
                [max(values[max(0, at - 1) : at + 1]) for at in range(len(values))],
            ),
            (
                "sorts-values",
                "the values are sorted: they must stay in the order of evaluation",
                sorted(values),
            ),
            ("late-by-one", "the curve is late by one: entry t includes values[t]", [values[0], *best[:-1]]),
            ("mean", "this is the mean so far, not the best so far", _so_far(values, np.mean)),
            (
                "looks-ahead",
                "entry t is the best of what is still to come: it may know values[0] to values[t] only",
                _so_far(values[::-1], max)[::-1],
            ),
            ("indices", "these are positions: return the values there", _so_far(values, np.argmax)),
        ]


class SimpleRegret(_Curve):
    """`simple_regret(values, best)`."""

    name, lesson = "simple_regret", "01_random_search"

    def instances(self, seed: int) -> list[Instance]:
        """Sequences of every kind with an optimum above them, at their top, or (from noise) below it; and bad
        ones."""
        rng = default_rng(seed)
        cases = []
        for case in _series(rng):
            top = max(case["values"])
            cases.append({**case, "best": round(top + float(rng.uniform(0.5, 4)), 2)})
        cases[3]["best"] = float(max(cases[3]["values"]))
        cases[4]["best"] = int(max(cases[4]["values"]) + 3)
        # The first value is below `best`, later ones above: a sign changes on the way.
        ordered = sorted(cases[0]["values"])
        values = [ordered[0], *cases[0]["values"][1:], ordered[-1]]
        cases.append(
            {**cases[0], "values": values, "best": ordered[len(ordered) // 2], "about": "values above `best`"}
        )
        bad = [{**case, "best": 95.0} for case in _bad_series(rng)]
        return [*cases, *bad]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The regret, and the values as they are afterwards."""
        values = given(instance["values"], instance["form"])
        if "bad" in instance:
            return raised(lambda: fn(values, instance["best"]))
        return {"result": fn(values, instance["best"]), "after": values}

    def suspects(self, instance: Instance, values: list[float]) -> list[tuple[str, str, Any]]:
        """Usual mistakes of regret."""
        best, top = float(instance["best"]), np.array(_so_far(values, max))
        given = np.array(values)
        return [
            (
                "sign-flipped",
                "the sign is flipped: regret is best − incumbent, positive below the optimum",
                top - best,
            ),
            (
                "no-incumbent",
                "this is the regret of each evaluation: simple regret is that of the best so far",
                best - given,
            ),
            (
                "clipped",
                "negative regret was cut off: a value above `best` has a negative regret",
                np.maximum(best - top, 0),
            ),
            ("absolute", "the absolute value hides that a value beats `best`", np.abs(best - top)),
            ("own-best", "the best of `values` is not the optimum: use `best`", max(values) - top),
            (
                "minimum",
                "the incumbent is a minimum here: higher is better",
                best - np.array(_so_far(values, min)),
            ),
            ("incumbent-not-regret", "this is the incumbent, not its distance to `best`", top),
            (
                "relative",
                "regret is a difference in the units of the values, not a share of `best`",
                (best - top) / best,
            ),
            (
                "relative",
                "regret is a difference in the units of the values, not a share of `best`",
                100 * (best - top) / best,
            ),
            (
                "cumulative",
                "this adds regrets up: simple regret is that of the incumbent alone",
                np.cumsum(best - given),
            ),
            (
                "cumulative",
                "this adds regrets up: simple regret is that of the incumbent alone",
                np.cumsum(best - top),
            ),
            (
                "final-best",
                "the best of all values stands everywhere: entry t may know values[0] to values[t] only",
                np.full(len(values), best - max(values)),
            ),
        ]
