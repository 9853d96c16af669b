"""Cases of `rank_correlation`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import default_rng

from nas_lib.checks.exercise import Instance
from nas_lib.checks.supernet.shared import INFINITY, LESSON, NAN, floats
from nas_lib.checks.values import Part, ValueExercise

# A float32 result, or another order of summation, is as right.
TAU = Part("tau", "the correlation", "wrong-correlation", tolerance=1e-6, floor=1.0)


class RankCorrelation(ValueExercise):
    """`rank_correlation(scores, truth, top=None)`: tau-b, over all or among the best by truth."""

    name, lesson, returns = "rank_correlation", LESSON, "float"
    parts = (TAU,)

    def instances(self, seed: int) -> list[Instance]:
        """Without and with `top`, ties in both, ties at the border of the best, nothing to order; bad input."""
        rng = default_rng(seed)

        def case(n: int, **more: Any) -> Instance:
            truth = 70 + 15 * rng.permutation(n) / n + rng.uniform(0, 5 / n, n)
            scores = truth - 15 * rng.choice([-0.3, 0.3], n) + rng.normal(0, 3, n)
            return {"scores": scores.round(2).tolist(), "truth": truth.round(3).tolist(), "top": None, **more}

        def whole(low: int, high: int, n: int) -> list[int]:
            return [int(one) for one in rng.integers(low, high, n)]

        border = np.concatenate([np.arange(40), [50] * 6, np.arange(60, 64)])
        order = rng.permutation(len(border))
        # The best eight come in order and the others the other way round, so that each one more among the best shows.
        rank = rng.permutation(24)
        close = {"truth": (80 + 1e-9 * rank).tolist(), "top": None}
        close["scores"] = (80 + 1e-9 * np.where(rank >= 16, rank, 15 - rank)).tolist()
        backwards = case(30, top=0.5, about="scores that order the other way round")
        backwards["scores"] = [round(160 - one, 2) for one in backwards["scores"]]
        return [
            case(25),
            case(63, top=0.25),
            case(37, top=0.3, form="list", about="top = 0.3 of 37, given as lists"),
            case(37, top=0.28, form="tuple", about="top = 0.28 of 37, given as tuples"),
            case(24, truth=whole(0, 5, 24), scores=whole(0, 6, 24), about="many ties, whole numbers"),
            case(
                30,
                truth=whole(0, 8, 30),
                scores=whole(0, 6, 30),
                top=0.4,
                form="list",
                about="many ties, and a top",
            ),
            case(
                len(border),
                truth=[int(one) for one in border[order]],
                scores=[int(one) for one in rng.permutation(len(border))],
                top=6 / len(border),
                about="ties at the border of the best",
            ),
            backwards,
            case(20, form="float32", about="float32"),
            case(12, top=1.0, about="top = 1.0"),
            case(12, top=1, about="top = 1"),
            close | {"about": "numbers that differ by a billionth"},
            close | {"top": 8 / 24, "about": "numbers that differ by a billionth, and a top"},
            case(2, about="a single pair of architectures"),
            case(6, scores=[50.0] * 6, about="equal scores"),
            case(6, truth=[50] * 6, form="list", about="equal truths"),
            case(8, truth=[1, 2, 3, 4, 9, 9, 9, 9], top=0.25, about="equal truths among the best"),
            case(9, top=0.001, about="a top that keeps one architecture, which has no order"),
            *self._bad(floats(rng, 6, 50, 90)),
        ]

    @staticmethod
    def _bad(good: list[float]) -> list[Instance]:
        case: Instance = {"scores": good, "truth": good[::-1], "top": None}
        return [
            case | {"bad": "more scores than truths", "truth": good[:-1]},
            case | {"bad": "fewer scores than truths", "scores": good[:-1]},
            case | {"bad": "more scores than truths, with a top,", "truth": good[:-1], "top": 0.5},
            case | {"bad": "fewer scores than truths, with a top,", "scores": good[:-1], "top": 0.5},
            case | {"bad": "two matrices", "scores": [good[:3], good[3:]], "truth": [good[3:], good[:3]]},
            *(
                case
                | {
                    "bad": f"a {'score' if which == 'scores' else which} of {said}",
                    which: [*good[:-1], value],
                }
                for which in ("scores", "truth")
                for said, value in (("NaN", NAN), ("infinity", INFINITY), ("minus infinity", -INFINITY))
            ),
            case
            | {"bad": "a truth of minus infinity, with a top,", "truth": [*good[:-1], -INFINITY], "top": 0.5},
            case
            | {
                "bad": "a score of NaN below the best, with a top,",
                "scores": [NAN, *good[1:]],
                "truth": [0.0, *good[1:]],
                "top": 0.5,
            },
            case | {"bad": "a top of 0", "top": 0.0},
            case | {"bad": "a top of -0.5", "top": -0.5},
            case | {"bad": "a top of 1.5", "top": 1.5},
            case | {"bad": "a top of NaN", "top": NAN},
            case | {"bad": "a top of infinity", "top": INFINITY},
            case | {"bad": "a single architecture", "scores": [1.0], "truth": [2.0]},
            case | {"bad": "no architectures", "scores": [], "truth": []},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The correlation; without a `top` it is not passed."""
        form = instance.get("form", "array")
        made: Any = {"list": list, "tuple": tuple, "array": np.array, "float32": np.float32}[form]
        more = {} if instance["top"] is None else {"top": instance["top"]}
        return {"tau": fn(made(instance["scores"]), made(instance["truth"]), **more)}
