"""Cases of `paired_bootstrap`: differences in whole units, so that the resampled means are known exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import default_rng

from nas_lib.checks.codec import describe
from nas_lib.checks.exercise import Answer, Exercise, Expected, Instance, Verdict
from nas_lib.checks.forms import given


def _odd_interval(results: list[Any]) -> str | None:
    """What the interval of some result is, if it is no tuple."""
    pairs = [one[1] for one in results if isinstance(one, (tuple, list)) and len(one) == 2]
    return next((describe(one) for one in pairs if not isinstance(one, tuple)), None)


class PairedBootstrap(Exercise):
    """`paired_bootstrap(a, b, rng, resamples)`."""

    name, lesson, returns = "paired_bootstrap", "01_random_search", "tuple"
    has_reference = False

    def instances(self, seed: int) -> list[Instance]:
        """Strongly paired runs, a skewed sample, two pairs, equal differences, one resample, repeated seeds,
        `resamples` left out; bad ones."""
        rng = default_rng(seed)

        def seeds(count: int) -> list[int]:
            return [int(one) for one in rng.integers(2**31, size=count)]

        def pairs(differences: Any, **more: Any) -> Instance:
            """Runs around 88 % whose seeds spread far more than the differences do."""
            d = np.round(differences).astype(int)
            b = np.round(rng.normal(8800, 400, size=len(d))).astype(int)
            given = {"a": (b + d).tolist(), "b": b.tolist(), "unit": 0.01, "form": "array", "seeds": seeds(1)}
            return {**given, **more}

        # Sorted, so that leaving out the first pair or the last one moves the interval.
        plain = np.sort(rng.normal(40, 80, size=int(rng.integers(8, 10))))
        # One run far out, and last: a normal approximation, one pair less or a forgotten last pair show.
        skewed = np.append(rng.uniform(10, 60, size=5), rng.integers(500, 700))
        two = rng.permutation([-int(rng.integers(20, 60)), int(rng.integers(80, 200))])
        many = rng.normal(-30, 150, size=9)
        a = [int(one) for one in rng.integers(10, 90, size=7)]
        whole = {"a": a, "b": [one - 4 for one in a], "unit": 1, "form": "list", "seeds": seeds(1)}
        uneven = [int(one) for one in rng.integers(1, 7, size=6)]
        # Their sum is no multiple of 7, and their mean, however rounded, is not their median.
        uneven.append(38 - sum(uneven) % 7)
        again = seeds(6)
        ok = pairs(many, resamples=20)
        return [
            # So many that a percentile of 2 or 3 cannot pass for one of 2.5.
            pairs(plain, resamples=60_000, about="60,000 resamples"),
            pairs(skewed, resamples=20_000, form="list", about="a small skewed sample, given as lists"),
            pairs(two, resamples=2000, about="two pairs"),
            pairs(many, resamples=1, about="resamples=1"),
            # So many and so far apart that three means hardly ever agree.
            pairs(rng.normal(-500, 3000, size=12), resamples=3, about="resamples=3"),
            {**whole, "resamples": 200, "about": "equal differences of whole numbers"},
            {
                **whole,
                "b": [one - d for one, d in zip(a, uneven)],
                "resamples": 200,
                "about": "whole numbers whose mean difference is none",
            },
            pairs(many, resamples=50, seeds=[again[0], *again], repeats=True),
            pairs(many[:3], resamples=10_000, seeds=seeds(1) * 2, default=True, about="`resamples` left out"),
            {**ok, "bad": "an `a` longer than `b`", "b": ok["b"][:-1], "form": "list"},
            {**ok, "bad": "a `b` of length 1 beside a longer `a`", "b": ok["b"][:1]},
            {**ok, "bad": "NaN in `a`", "a": [*ok["a"][:-1], math.nan]},
            {**ok, "bad": "NaN in `b`", "b": [math.nan, *ok["b"][1:]]},
            {**ok, "bad": "a single pair", "a": ok["a"][:1], "b": ok["b"][:1]},
            {**ok, "bad": "no pairs", "a": [], "b": []},
            {**ok, "bad": "resamples=0", "resamples": 0},
            {**ok, "bad": "resamples=-5", "resamples": -5},
        ]

    def explained(
        self, instances: Sequence[Instance], answers: Sequence[Answer], expected: Expected
    ) -> dict[int, Verdict]:
        """The judge's: one interval alone says little of how it was made."""
        found: dict[int, Verdict] = self._judge().explained(instances, answers)
        return found

    def returned(self, value: Any) -> Any:
        """What the first call returned."""
        return value["results"][0] if type(value) is dict and value.get("results") else None

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """One result per seed, and what each generator gives next."""
        given = {"resamples": instance["resamples"]}
        results, following = [], []
        for place, seed in enumerate(instance["seeds"]):
            a, b = self._pairs(instance)
            rng = default_rng(seed)
            left_out = place == 0 and instance.get("default")
            results.append(fn(a, b, rng, **({} if left_out else given)))
            following.append(rng.random())
        return {"results": results, "following": following, "odd": _odd_interval(results)}

    @staticmethod
    def _pairs(instance: Instance) -> list[Any]:
        unit = instance["unit"]
        return [
            given([one if unit == 1 else one * unit for one in instance[key]], instance["form"])
            for key in ("a", "b")
        ]
