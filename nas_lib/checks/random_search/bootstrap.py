"""The check of `paired_bootstrap`: the ends of its interval against the exact bootstrap distribution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.random import default_rng

from nas_lib.checks._mistakes import raised
from nas_lib.checks.exercise import RIGHT, Answer, Exercise, Instance, Unacceptable, Verdict, fail, show
from nas_lib.checks.forms import given
from nas_lib.judges.intervals import PairedSample
from nas_lib.judges.reading import is_number, kept, number, rows, scalar

_ALPHA = 4e-9  # how likely one end of an interval of right code leaves its range on one side
_INTERVALS = 15


class PairedBootstrap(Exercise):
    """`paired_bootstrap(a, b, rng, resamples)`: ends of the interval against the exact bootstrap
    distribution.

    The differences are whole numbers of a unit, so the distribution of a resampled mean is a convolution and
    its quantiles are known exactly; the ends may differ from them as far as so many resamples allow.
    """

    name, lesson = "paired_bootstrap", "01_random_search"
    has_reference = False
    false_fail = _INTERVALS * 4 * _ALPHA

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
        again = seeds(6)
        ok = pairs(many, resamples=20)
        return [
            # So many that a percentile of 3.5 or 96.5 cannot pass for one of 2.5 or 97.5.
            pairs(plain, resamples=28_000, about="28,000 resamples"),
            pairs(skewed, resamples=4000, form="list", about="a small skewed sample, given as lists"),
            pairs(two, resamples=2000, about="two pairs"),
            pairs(many, resamples=1, about="resamples=1"),
            pairs(many, resamples=5, about="resamples=5"),
            {**whole, "resamples": 200, "about": "equal differences of whole numbers"},
            pairs(many, resamples=50, seeds=[again[0], *again], repeats=True),
            pairs(many[:3], resamples=10_000, seeds=seeds(1) * 2, default=True, about="`resamples` left out"),
            {**ok, "bad": "an `a` longer than `b`", "b": ok["b"][:-1], "form": "list"},
            {**ok, "bad": "a `b` of length 1 beside a longer `a`", "b": ok["b"][:1]},
            {**ok, "bad": "NaN in `a`", "a": [*ok["a"][:-1], math.nan]},
            {**ok, "bad": "a single pair", "a": ok["a"][:1], "b": ok["b"][:1]},
            {**ok, "bad": "resamples=0", "resamples": 0},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """One result per seed, what each generator gives next, and the inputs as they are afterwards."""
        given = {"resamples": instance["resamples"]}
        if "bad" in instance:
            return raised(lambda: fn(*self._pairs(instance), default_rng(instance["seeds"][0]), **given))
        results, following = [], []
        for place, seed in enumerate(instance["seeds"]):
            a, b = self._pairs(instance)
            rng = default_rng(seed)
            left_out = place == 0 and instance.get("default")
            results.append(fn(a, b, rng, **({} if left_out else given)))
            following.append(rng.random())
        before = [np.array(one, dtype=float) for one in self._pairs(instance)]
        return {"results": results, "following": following, "before": before, "after": [a, b]}

    @staticmethod
    def _pairs(instance: Instance) -> list[Any]:
        unit = instance["unit"]
        return [
            given([one if unit == 1 else one * unit for one in instance[key]], instance["form"])
            for key in ("a", "b")
        ]

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """The mean, then the interval, then where the randomness comes from."""
        results = [_result(one) for one in rows(answer.value["results"], len(instance["seeds"]), self.name)]
        sample = PairedSample(
            np.array(instance["a"]),
            np.array(instance["b"]),
            instance["unit"],
            instance["resamples"],
            _ALPHA,
        )
        for mean, low, high in results:
            verdict = sample.judge_mean(mean) or sample.judge_interval(low, high)
            if verdict:
                return verdict
        if instance.get("repeats"):
            first, again, *others = results
            if not sample.same(first, again):
                return fail(
                    "ignores-rng",
                    "two generators with the same seed give different intervals: draw from `rng` only",
                )
            if all(sample.same(first, other) for other in others):
                return fail(
                    "fixed-seed",
                    "generators with different seeds give the same interval: use the `rng` passed in",
                )
        if instance.get("default"):
            following = answer.value["following"]
            if not sample.same(*results) or following[0] != following[1]:
                return fail(
                    "default-resamples",
                    "without `resamples` it must draw 10,000 resamples: your result is not that of "
                    "resamples=10_000 with the same seed",
                )
        if not all(
            kept(after, before) for after, before in zip(answer.value["after"], answer.value["before"])
        ):
            return Verdict(
                0.5, "mutates-input", "`a` or `b` was changed (a -= b works in place): work on a copy"
            )
        return RIGHT


def _result(value: Any) -> tuple[float, float, float]:
    """(mean, low, high) from (mean, (low, high))."""
    form = "(mean, (low, high))"
    if type(value) is not list:
        what = show(scalar(value))
        raise Unacceptable("wrong-shape", f"paired_bootstrap should return {form}, not {what}")
    if len(value) == 3 and all(is_number(scalar(one)) for one in value):
        raise Unacceptable(
            "wrong-shape", f"paired_bootstrap should return {form}: the interval is a pair of its own"
        )
    if len(value) != 2:
        raise Unacceptable("wrong-shape", f"paired_bootstrap should return {form}, not {len(value)} things")
    mean, interval = value
    ends = interval.tolist() if isinstance(interval, np.ndarray) else interval
    if type(ends) is not list or len(ends) != 2:
        raise Unacceptable(
            "wrong-shape", f"paired_bootstrap should return {form}, its second part is {show(ends)}"
        )
    numbers = number(mean, "the mean"), number(ends[0], "the low end"), number(ends[1], "the high end")
    if not all(math.isfinite(one) for one in numbers):
        raise Unacceptable("not-finite", f"paired_bootstrap returned {show(list(numbers))}")
    return numbers
