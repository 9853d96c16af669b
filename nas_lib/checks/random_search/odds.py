"""The check of `samples_for_top_fraction`: the definition itself, in 60 digits."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

from numpy.random import default_rng

from nas_lib.checks._mistakes import raised
from nas_lib.checks.exercise import RIGHT, Answer, Exercise, Instance, Unacceptable, Verdict, fail, show
from nas_lib.checks.judging import BAD_INPUT, error_verdict
from nas_lib.judges.reading import integers


def _is_least(n: int, fraction: float, confidence: float, slack: float) -> bool:
    """Do n draws, and not n − 1, reach the confidence? Near a tie, within relative `slack` of the miss
    chance, both will do."""
    if not 1 <= n <= 10**9:
        return False
    with localcontext() as context:
        context.prec = 60
        stay = 1 - Decimal(fraction)
        allowed = 1 - Decimal(confidence)
        width = allowed * Decimal(slack)
        return stay**n <= allowed + width and (n == 1 or stay ** (n - 1) > allowed - width)


class SamplesForTopFraction(Exercise):
    """`samples_for_top_fraction(fraction, confidence)`: the definition itself, in 60 digits, with room where
    floats tie."""

    name, lesson = "samples_for_top_fraction", "01_random_search"
    has_reference = False

    def instances(self, seed: int) -> list[Instance]:
        """Everyday pairs, confidences just missed by a draw less, rare targets, easy targets, an exactly reached
        confidence, the whole space, and bad ones."""
        rng = default_rng(seed)
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
        whole = [[1.0, round(float(rng.uniform(0.5, 0.99)), 2)], [1, 0.95]]
        valid = usual[0]
        return [
            {"pairs": usual},
            {"pairs": tight, "tight": True, "about": "a confidence that one draw less just misses"},
            {"pairs": rare, "about": "a rare target"},
            {"pairs": easy, "about": "a confidence below the fraction"},
            {"pairs": exact, "exact": True, "about": "a confidence that one draw reaches exactly"},
            {"pairs": whole, "about": "fraction = 1"},
            {"bad": "a fraction of 0", "pairs": [[0.0, valid[1]]]},
            {"bad": "a negative fraction", "pairs": [[-0.2, valid[1]]]},
            {"bad": "a fraction above 1", "pairs": [[round(float(rng.uniform(1.01, 1.6)), 2), valid[1]]]},
            {"bad": "a confidence of 1", "pairs": [[valid[0], 1.0]]},
            {"bad": "a confidence of 0", "pairs": [[valid[0], 0.0]]},
            {"bad": "a negative confidence", "pairs": [[valid[0], -valid[1]]]},
            {"bad": "a confidence just above 1", "pairs": [[valid[0], 1.001]]},
            {"bad": "a confidence above 1 (percent?)", "pairs": [[valid[0], 95.0]]},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The number for each pair."""
        pairs = instance["pairs"]
        if "bad" in instance:
            return raised(lambda: fn(*pairs[0]))
        return [fn(fraction, confidence) for fraction, confidence in pairs]

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """The definition, and what the usual mistakes would give."""
        pairs = instance["pairs"]
        try:
            found, whole = integers(answer.value, len(pairs), self.name)
        except Unacceptable as wrong:
            if wrong.verdict.concept == "not-whole":
                return fail("not-whole", f"{wrong.verdict.message}: half a draw cannot be made, round up")
            raise
        slack = 0.0 if instance.get("exact") else 1e-9
        right = [_is_least(n, f, c, slack) for n, (f, c) in zip(found, pairs)]
        if all(right):
            if whole:
                return RIGHT
            return fail(
                "not-an-int",
                f"{show(float(found[0]))} is right, but a float: a number of draws is an int",
                1 - BAD_INPUT,
            )
        at = right.index(False)
        concept, message = self._mistake(instance, found)
        fraction, confidence = pairs[at]
        reached = 1 - (1 - fraction) ** max(found[at], 0)
        return fail(
            concept,
            f"{message} (fraction {show(float(fraction))}, confidence {show(confidence)}: "
            f"n = {found[at]} reaches {show(reached)})",
        )

    @staticmethod
    def _mistake(instance: Instance, found: list[int]) -> tuple[str, str]:
        pairs = instance["pairs"]

        def fits(change: Any) -> bool:
            return all(change(n, f, c) for n, (f, c) in zip(found, pairs))

        if instance.get("exact") and fits(lambda n, f, c: n == 2):
            return (
                "strict",
                "a draw too many where the confidence is reached exactly: “at least” includes equality",
            )
        if any(f == 1 for f, _ in pairs):
            return "fraction-one", "one draw is enough where everything is good enough"
        nearest = (
            "rounds-to-nearest",
            "rounded to the nearest: these draws miss the confidence, round up",
        )
        if instance.get("tight") and fits(lambda n, f, c: any(_is_least(m, f, c, 1e-9) for m in (n, n + 1))):
            return nearest  # what rounds down has failed before
        if fits(lambda n, f, c: _is_least(n + 1, f, c, 1e-9)):
            return "rounds-down", "rounded down: these draws miss the confidence, round up"
        if fits(lambda n, f, c: _is_least(n - 1, f, c, 1e-9)):
            return "off-by-one", "one draw too many: fewer are enough"
        if fits(lambda n, f, c: _is_least(n, f, c, 1e-9) or _is_least(n + 1, f, c, 1e-9)):
            return nearest
        if fits(lambda n, f, c: _is_least(n, c, f, 1e-9)):
            return "swapped", "fraction and confidence are swapped"
        if fits(lambda n, f, c: _is_least(n, f, 1 - c, 1e-6)):
            return "miss-and-hit", "the chance to miss must fall to 1 − confidence, not to confidence"
        if fits(lambda n, f, c: abs(n - c / f) <= 1):
            return "linear", "chances to hit were added up: the chances to miss multiply"
        if fits(lambda n, f, c: abs(n - 1 / f) <= 1):
            return "ignores-confidence", "the mean waiting time 1/fraction is not enough for every confidence"
        top = max(found)
        if top > 1 and fits(lambda n, f, c: n == top or _is_least(n, f, c, 1e-9)):
            return "capped", f"{top} is no upper limit: draws may repeat, and rare targets take more"
        if any(n < 1 for n in found):
            return "below-one", "no confidence above 0 is reached without a draw"
        return "wrong-number", "not the least number of draws"

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """log(0) is the usual end of fraction = 1."""
        if any(fraction == 1 for fraction, _ in instance["pairs"]) and answer.error_type not in (
            "NotImplementedError",
            "Missing",
        ):
            return fail(
                "fraction-one",
                f"with fraction = 1 one draw is enough; your code raised {answer.error_type} there",
            )
        return error_verdict(instance, answer)
