"""Cases of `random_search`: spaces and budgets of every size, and many small runs."""

from __future__ import annotations

import math
from typing import Any

from numpy.random import default_rng

from nas_lib.checks.exercise import Instance
from nas_lib.checks.searches import SearchExercise
from nas_lib.checks.spaces import ChoiceSpace
from nas_lib.spaces import OPS


class RandomSearch(SearchExercise):
    """`random_search(objective, space, budget, rng)`."""

    name, lesson = "random_search", "01_random_search"

    def instances(self, seed: int) -> list[Instance]:
        """Cells and other spaces; a budget of 1, of a part and of the whole; ties, negative values; many
        small runs; bad ones."""
        rng = default_rng(seed)

        def case(**given: Any) -> Instance:
            return {
                "seeds": [int(rng.integers(2**31))],
                "_seed": int(rng.integers(2**62)),
                "_levels": 100_003,
                "_range": [40.0, 95.0],
                **given,
            }

        def some(count: int) -> list[str]:
            return [str(op) for op in rng.permutation(OPS)[:count]]

        other = [[3, 5, 7], [1, 2], [16, 24, 32, 48]]
        rng.shuffle(other)
        small = [["a", "b", "c"], ["k", "l", "m"], ["x", "y"]]
        seeds = [int(one) for one in rng.integers(2**31, size=120)]
        nothing = {"ops": some(2), "_levels": 7}
        return [
            case(ops=some(3), budget=int(rng.integers(260, 300)), about="a space of 729 cells"),
            case(choices=other, budget=len(ChoiceSpace(other)), about="a budget of the whole space"),
            case(ops=some(2), budget=64, _range=[-9.0, -1.0], _levels=4, about="negative values with ties"),
            case(ops=some(4), budget=1, about="a budget of 1"),
            case(ops=some(2), budget=6, seeds=[*seeds, seeds[0]], about="120 runs of 6 out of 64 cells"),
            case(  # so many that what replaces a repeat shows
                choices=[["off", "on"]] * 6,
                budget=60,
                seeds=[*seeds[:48], seeds[0]],
                about="48 runs of 60 out of 64 architectures",
            ),
            case(ops=some(2), budget=30, _range=[1e-6, 9e-5], about="values of a hundred-thousandth"),
            case(bad="a budget of 0", budget=0, **nothing),
            case(bad="a budget of -3", budget=-3, **nothing),
            case(
                bad=f"a budget above the {len(ChoiceSpace(small))} architectures of the space",
                choices=small,
                budget=19,
                _uncalled=True,
            ),
            *(
                case(bad=f"an objective that returns {what}", budget=18, choices=small, _odd=[odd, value])
                for odd, what, value in zip(
                    rng.integers(18, size=3).tolist(),
                    ("NaN", "infinity", "minus infinity"),
                    (math.nan, math.inf, -math.inf),
                )
            ),
        ]
