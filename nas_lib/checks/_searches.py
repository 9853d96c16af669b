"""What checks of search functions share: an objective kept outside the learner's process, and a history held against
the log of its calls.

They judge only what is true of every search: each value belongs to its architecture, in the order of evaluation, within
the budget. How the architectures were chosen is the exercise's own business.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nas_lib.checks._choices import ChoiceSpace, GuardedCellSpace
from nas_lib.checks._core import (
    Answer,
    Instance,
    NotPlainData,
    Refused,
    Unacceptable,
    Verdict,
    describe,
    show,
)
from nas_lib.checks._forms import cell, column, rows

Run = list[tuple[tuple[Any, ...], float]]
"""One search: the architectures that were evaluated, in order, with their values."""


def space_of(instance: Instance) -> ChoiceSpace | GuardedCellSpace:
    """The space of an instance: cells over its `ops`, or any `choices`."""
    return GuardedCellSpace(instance["ops"]) if "ops" in instance else ChoiceSpace(instance["choices"])


class Objective:
    """A value per architecture from a secret seed, distinct up to one in a million unless there are few `_levels`.

    With `_order` "falling" or "rising" the value depends on when an architecture was first asked for, so that age can
    be told from merit. The call number `_nan_at` gets NaN.
    """

    def __init__(self, instance: Instance) -> None:
        self._space = space_of(instance)
        self._seed, self._levels = instance["_seed"], instance.get("_levels", 10_000_019)
        self._order, self._nan_at = instance.get("_order"), instance.get("_nan_at")
        self._known: dict[Any, float] = {}
        self._calls = 0

    def __call__(self, arch: Any) -> float:
        options = tuple(arch) if type(arch) is list else None
        if options is None or options not in self._space:
            raise Refused(
                f"the objective was called with {show(arch)}, which is no architecture of the space"
            )
        self._calls += 1
        if self._calls == self._nan_at:
            return math.nan
        if options not in self._known:
            self._known[options] = self._value(options)
        return self._known[options]

    def _value(self, options: tuple[Any, ...]) -> float:
        if self._order:
            age = len(self._known) / 1000
            return 50 + age if self._order == "rising" else 80 - age
        digest = hashlib.sha256(json.dumps([self._seed, self._space.index(options)]).encode()).digest()
        return 40 + 50 * (int.from_bytes(digest[:6], "big") % self._levels) / self._levels


def plain_history(history: Any) -> dict[str, Any]:
    """Architectures and values of what a learner's search returned, for its probe."""
    if history is None:
        return {"archs": None, "values": None}
    if not hasattr(history, "archs") or not hasattr(history, "values") or callable(history.values):
        raise NotPlainData(f"returned {describe(history)} where a History(archs, values) is expected")
    return {"archs": list(history.archs), "values": history.values}


def read_runs(name: str, instance: Instance, answer: Answer, *, repeats: bool) -> list[Run]:
    """The runs of an answer, one per seed, each in agreement with the calls that were logged.

    Args:
        name: of the learner's function.
        instance: with `seeds` and `budget`.
        answer: what came back, `plain_history` of each run.
        repeats: may an architecture come more than once in a run?

    Raises:
        Unacceptable: the history of some run is not what was evaluated, or the budget was not kept.
    """
    count, budget = len(instance["seeds"]), instance["budget"]
    histories = rows(answer.value, count, name)
    calls = [call for call in answer.calls if call.method == "objective"]
    archs = [[cell(arch) for arch in _list(history, "archs", name)] for history in histories]
    if not repeats:
        for found in archs:
            twice = next((arch for at, arch in enumerate(found) if arch in found[:at]), None)
            if twice is not None:
                raise Unacceptable(
                    "repeats-proposals", f"{show(list(twice), 120)} was evaluated twice in one run"
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


def _list(history: Any, key: str, name: str) -> list[Any]:
    if type(history) is not dict or history.get(key) is None:
        raise Unacceptable("returns-nothing", f"{name} returned None: is there a return statement?")
    value = history[key]
    if type(value) is not list:
        raise Unacceptable("wrong-type", f"the history's {key} should be a list, not {describe(value)}")
    return value


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
