"""The check of `random_search`: each history against the log of calls, many of them against the uniform
distribution."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import default_rng

from nas_lib.checks._choices import ChoiceSpace
from nas_lib.checks._core import (
    RIGHT,
    Answer,
    Exercise,
    Instance,
    Oracle,
    Verdict,
    error_verdict,
    raised,
    show,
)
from nas_lib.checks._forms import cell, column, fail, rows
from nas_lib.checks._history import Objective, entries, plain, space_of
from nas_lib.checks._stats import count_range
from nas_lib.spaces import OPS

_ALPHA = 1e-9  # how likely one count of right code leaves its range
_COUNTS = 64 + 24 + 1 + 63  # of architectures, of options, of neighbours, of steps from one to the next


class RandomSearch(Exercise):
    """`random_search(objective, space, budget, rng)`: the objective's values and the log of its calls are
    kept outside."""

    name, lesson = "random_search", "01_random_search"
    hides = ("nas_lib.search:RandomSearch.ask",)
    has_reference = False
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

    def oracle(self, instance: Instance) -> Oracle:
        """The objective, with a limit far above what any budget here allows."""
        return Oracle(
            {"objective": Objective(instance)}, limit=20 * len(instance["seeds"]) * (instance["budget"] + 10)
        )

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The history of one run per seed."""
        budget = instance["budget"]
        if "bad" in instance:
            return raised(
                lambda: fn(oracle.objective, space_of(instance), budget, default_rng(instance["seeds"][0]))
            )
        return [
            plain(fn(oracle.objective, space_of(instance), budget, default_rng(seed)))
            for seed in instance["seeds"]
        ]

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Each run against the log of calls; then, over many runs, the distribution of what was proposed."""
        count, budget = len(instance["seeds"]), instance["budget"]
        runs = rows(answer.value, count, self.name)
        calls = [call for call in answer.calls if call.method == "objective"]
        refused = next((call.refused for call in calls if call.refused), None)
        archs = [[cell(one) for one in entries(run, "archs", self.name)] for run in runs]
        found = archs[0]
        if len(set(found)) < len(found):
            twice = next(arch for arch, times in Counter(found).items() if times > 1)
            return fail(
                "repeats-proposals", f"samples with replacement: {show(list(twice), 120)} was proposed twice"
            )
        called = {tuple(call.args[0]) for call in calls if not call.refused}
        if any(arch not in called for run in archs for arch in run):
            return fail(
                "not-evaluated", "the history holds architectures for which the objective was not called"
            )
        if len(calls) > count * budget:
            return self._too_many(calls, budget, count)
        if refused:
            return fail("not-an-arch", refused)
        at = 0
        for run, found in zip(runs, archs):
            verdict = _one_run(
                found, run, [(tuple(call.args[0]), call.value) for call in calls[at : at + budget]], budget
            )
            if verdict:
                return verdict
            at += budget
        if count == 1:
            return RIGHT
        return _random_runs(space_of(instance), archs, budget) or RIGHT

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """An endless loop, or an objective called too often, says more than the exception does."""
        budget, count = instance["budget"], len(instance["seeds"])
        if answer.error_type == "Endless":
            return fail(
                "endless", "the loop never ends: it draws architectures for ever without filling the history"
            )
        if answer.error_type == "Refused" and len(answer.calls) <= count * budget:
            return fail("not-an-arch", (answer.error or "").partition(":")[2].strip())
        if answer.error_type != "NotPlainData" and len(answer.calls) > count * budget:
            return self._too_many(answer.calls, budget, count)
        return error_verdict(instance, answer)

    @staticmethod
    def _too_many(calls: Sequence[Any], budget: int, count: int) -> Verdict:
        runs = f" in {count} runs" if count > 1 else ""
        return fail(
            "over-budget",
            f"the objective was called {len(calls)} times{runs} with a budget of {budget}: "
            "every call counts, repeats too",
        )


def _one_run(
    found: list[tuple[Any, ...]], run: dict[str, Any], log: list[tuple[tuple[Any, ...], float]], budget: int
) -> Verdict | None:
    """What is wrong with one run, given the calls that were made; None if nothing is."""
    if len(set(found)) < len(found):
        return fail("repeats-proposals", "samples with replacement: some architectures were proposed twice")
    if len(found) != budget:
        return fail(
            "wrong-length",
            f"the history has {len(found)} entries with a budget of {budget}: one for each evaluation",
        )
    called = [arch for arch, _ in log]
    if len(called) < budget or set(found) - set(called):
        return fail("not-evaluated", "the history holds architectures for which the objective was not called")
    given = column(run["values"], budget, "the history's values")
    true = dict(log)
    right = [true[arch] for arch in found]
    if np.allclose(given, right, rtol=1e-6, atol=1e-9):
        if found == called:
            return None
        return fail(
            "wrong-order", "the history is not in the order of evaluation: regret over time needs that order"
        )
    in_order = [value for _, value in log]
    best_so_far = [max(in_order[: at + 1]) for at in range(budget)]
    if np.allclose(given, best_so_far, rtol=1e-6):
        return fail(
            "incumbents-not-values",
            "the history's values are the best so far; they should be what each evaluation gave",
        )
    if np.allclose(given, -np.asarray(right), rtol=1e-6):
        return fail("negated", "the values have the wrong sign: objectives are maximised as they are")
    if np.allclose(np.sort(given), np.sort(right), rtol=1e-6):
        return fail(
            "mismatched-values",
            "values and architectures do not belong together: values[i] is the value of archs[i]",
        )
    return fail(
        "wrong-values",
        f"value {show(float(given[0]))} was recorded for an architecture of value {show(right[0])}",
    )


def _random_runs(space: Any, archs: list[list[tuple[Any, ...]]], budget: int) -> Verdict | None:
    """Judge many runs of which the last has the first one's seed."""
    *runs, again = archs
    if again != runs[0]:
        return fail(
            "ignores-rng",
            "two runs from generators with the same seed differ: all randomness must come from `rng`",
        )
    if all(run == runs[0] for run in runs):
        return fail(
            "fixed-seed", "every generator gives the same architectures: draw them with the `rng` passed in"
        )
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
