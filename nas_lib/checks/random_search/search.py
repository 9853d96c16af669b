"""The check of `random_search`: each history against the log of calls, many of them against the uniform
distribution."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from numpy.random import default_rng

from nas_lib.checks.exercise import Instance, Verdict, fail, show
from nas_lib.checks.histories import space_of
from nas_lib.checks.searches import SearchExercise
from nas_lib.checks.spaces import ChoiceSpace
from nas_lib.judges.searches import Run
from nas_lib.judges.statistics import count_range
from nas_lib.spaces import OPS

_ALPHA = 1e-9  # how likely one count of right code leaves its range
_COUNTS = 64 + 24 + 1 + 63  # of architectures, of options, of neighbours, of steps from one to the next


class RandomSearch(SearchExercise):
    """`random_search(objective, space, budget, rng)`: the objective's values and the log of its calls are
    kept outside."""

    name, lesson = "random_search", "01_random_search"
    twice = ("repeats-proposals", "samples with replacement: {} was proposed twice")
    false_fail = _COUNTS * _ALPHA

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
            case(bad="a budget of 0", budget=0, **nothing),
            case(
                bad=f"a budget above the {len(ChoiceSpace(small))} architectures of the space",
                choices=small,
                budget=19,
            ),
            *(
                case(bad=f"an objective that returns {what}", budget=18, choices=small, _odd=[odd, value])
                for odd, what, value in zip(
                    rng.integers(18, size=2).tolist(), ("NaN", "infinity"), (math.nan, math.inf)
                )
            ),
        ]

    def judge_runs(self, instance: Instance, runs: Sequence[Run]) -> Verdict | None:
        """Over many runs, the distribution of what was proposed."""
        return _random_runs(
            space_of(instance), [[arch for arch, _ in run] for run in runs], instance["budget"]
        )


def _random_runs(space: Any, runs: list[list[tuple[Any, ...]]], budget: int) -> Verdict | None:
    """Judge many runs, each from a seed of its own."""
    count, size = len(runs), len(space)
    picked = Counter(arch for run in runs for arch in run)
    high = count_range(count, budget / size, _ALPHA)[1]
    most, times = picked.most_common(1)[0]
    if times > high:
        return fail(
            "not-uniform",
            f"draws are not uniform: {show(list(most), 110)} was in {times} of {count} runs "
            f"(about {count * budget / size:.0f} expected)",
        )
    # An architecture and the next should have nothing in common; a neighbour comes once in ten by chance.
    close = sum(sum(a != b for a, b in zip(run[0], run[1])) == 1 for run in runs)
    near = sum(len(options) - 1 for options in space.choices) / (size - 1)
    if close > count_range(count, near, _ALPHA)[1]:
        return fail(
            "not-independent",
            f"the second architecture is a neighbour of the first in {close} of {count} runs: draw anew",
        )
    steps = Counter((space.index(run[1]) - space.index(run[0])) % size for run in runs)
    step, times = steps.most_common(1)[0]
    if times > count_range(count, 1 / (size - 1), _ALPHA)[1]:
        return fail(
            "not-independent",
            f"in {times} of {count} runs the second architecture comes {step} after the first in the order of "
            "the space, so it is not independent of the first: draw anew",
        )
    for place, options in enumerate(space.choices):
        for option in options:
            for chosen, what in ((runs, "all"), ([run[:1] for run in runs], "first")):
                n = sum(len(run) for run in chosen)
                times = sum(arch[place] == option for run in chosen for arch in run)
                low, high = count_range(n, 1 / len(options), _ALPHA)
                if not low <= times <= high:
                    return fail(
                        "not-uniform",
                        f"draws are not uniform: {times} of {n} architectures ({what} of each run) "
                        f"have {show(option)} as decision {place}",
                    )
    return None
