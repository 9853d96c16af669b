"""What checks of search functions share: objectives that know the time, and histories held against the log of calls.

They judge only what is true of every search: each value belongs to its architecture, in the order of evaluation, within
the budget. How the architectures were chosen is the exercise's own business.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nas_lib.checks._core import Answer, Instance, Unacceptable, Verdict, show
from nas_lib.checks._forms import cell, column, rows
from nas_lib.checks._history import Objective, entries

Run = list[tuple[tuple[Any, ...], float]]
"""One search: the architectures that were evaluated, in order, with their values."""


class TimedObjective(Objective):
    """An objective that can also depend on time.

    With `_order` "falling" or "rising" in the instance, a value depends on when its architecture was first asked
    for, so that age can be told from merit. The call number `_nan_at` gets NaN.
    """

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self._order, self._nan_at = instance.get("_order"), instance.get("_nan_at")
        self._known: dict[tuple[Any, ...], float] = {}
        self._calls = 0

    def __call__(self, arch: Any) -> float:
        value = super().__call__(arch)
        self._calls += 1
        if self._calls == self._nan_at:
            return math.nan
        if self._order:
            age = len(self._known) / 1000
            value = self._known.setdefault(tuple(arch), 50 + age if self._order == "rising" else 80 - age)
        return value


def read_runs(name: str, instance: Instance, answer: Answer, *, repeats: bool) -> list[Run]:
    """The runs of an answer, one per seed, each in agreement with the calls that were logged.

    Args:
        name: of the learner's function.
        instance: with `seeds` and `budget`.
        answer: what came back, `plain` of each run.
        repeats: may an architecture come more than once in a run?

    Raises:
        Unacceptable: the history of some run is not what was evaluated, or the budget was not kept.
    """
    count, budget = len(instance["seeds"]), instance["budget"]
    histories = rows(answer.value, count, name)
    calls = [call for call in answer.calls if call.method == "objective"]
    archs = [[cell(arch) for arch in entries(history, "archs", name)] for history in histories]
    if not repeats:
        for found in archs:
            twice = next((arch for at, arch in enumerate(found) if arch in found[:at]), None)
            if twice is not None:
                raise Unacceptable(
                    "evaluates-twice", f"{show(list(twice), 120)} was evaluated twice in one run"
                )
    if len(calls) > count * budget:
        raise Unacceptable(*over_budget(calls, instance))
    refused = next((call.refused for call in calls if call.refused), None)
    if refused:
        raise Unacceptable("not-an-arch", refused)
    for found in archs:
        if len(found) != budget:
            raise Unacceptable(
                "wrong-length",
                f"the history has {len(found)} entries with a budget of {budget}: one for each evaluation",
            )
    if len(calls) < count * budget:
        raise Unacceptable(
            "not-evaluated",
            f"the objective was called {len(calls)} times for {count * budget} entries of history",
        )
    log = [(tuple(call.args[0]), float(call.value)) for call in calls]
    runs = [log[start : start + budget] for start in range(0, count * budget, budget)]
    for found, history, run in zip(archs, histories, runs):
        _compare(found, column(history["values"], budget, "the history's values"), run)
    return runs


def over_budget(calls: Sequence[Any], instance: Instance) -> tuple[str, str]:
    """Concept and message where the objective was called too often."""
    count = len(instance["seeds"])
    runs = f" in {count} runs" if count > 1 else ""
    return "over-budget", (
        f"the objective was called {len(calls)} times{runs} with a budget of {instance['budget']}: every call counts"
    )


def search_error(instance: Instance, answer: Answer) -> Verdict | None:
    """What the calls say of a search that raised, where that is more than the exception does."""
    allowed = instance["budget"] * len(instance["seeds"])
    if answer.error_type == "Endless":
        return Verdict(0.0, "endless", "the loop never ends: it draws architectures for ever")
    if answer.error_type == "Refused" and len(answer.calls) <= allowed:
        return Verdict(0.0, "not-an-arch", (answer.error or "").partition(":")[2].strip())
    if answer.error_type not in ("NotPlainData", "NotImplementedError") and len(answer.calls) > allowed:
        return Verdict(0.0, *over_budget(answer.calls, instance))
    return None


def judge_seeds(runs: Sequence[Run]) -> Verdict | None:
    """Runs of which the last has the first one's seed: where does the randomness come from?"""
    *different, again = [[arch for arch, _ in run] for run in runs]
    if again != different[0]:
        return Verdict(
            0.0,
            "ignores-rng",
            "two runs from generators with the same seed differ: all randomness must come from `rng`",
        )
    if all(run == different[0] for run in different):
        return Verdict(
            0.0, "fixed-seed", "generators with different seeds give the same run: use the `rng` passed in"
        )
    return None


def _compare(found: list[tuple[Any, ...]], given: Any, run: Run) -> None:
    """Raise what is wrong with a history, given the calls of its run."""
    archs, values = [arch for arch, _ in run], np.array([value for _, value in run])
    if set(found) - set(archs):
        raise Unacceptable(
            "not-evaluated", "the history holds architectures for which the objective was not called"
        )
    if found != archs:
        raise Unacceptable(
            "wrong-order", "the history is not in the order of evaluation: regret over time needs that order"
        )
    if np.allclose(given, values, rtol=1e-6, atol=1e-9):
        return
    if np.allclose(given, np.maximum.accumulate(values), rtol=1e-6):
        raise Unacceptable(
            "incumbents-not-values",
            "the history's values are the best so far; they should be what each evaluation gave",
        )
    if np.allclose(given, -values, rtol=1e-6):
        raise Unacceptable("negated", "the values have the wrong sign: objectives are maximised as they are")
    at = int(np.argmax(~np.isclose(given, values, rtol=1e-6)))
    raise Unacceptable(
        "wrong-values",
        f"value {show(float(given[at]))} was recorded for an architecture of value {show(float(values[at]))}",
    )
