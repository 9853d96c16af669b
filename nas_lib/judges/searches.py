"""What judges of search functions share: histories held against the log of calls.

They judge only what is true of every search: each value belongs to its architecture, in the order of evaluation, within
the budget. How the architectures were chosen is the exercise's own business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from nas_lib.checks.exercise import RIGHT, Answer, Instance, Unacceptable, Verdict, show
from nas_lib.checks.judging import CONDUCT, error_verdict
from nas_lib.judges import Judge
from nas_lib.judges.reading import cell, column, entries, rows

Run = list[tuple[tuple[Any, ...], float]]
"""One search: the architectures that were evaluated, in order, with their values."""


class SearchJudge(Judge):
    """Histories against the log of calls; how each was searched; then, over many runs, their distribution."""

    twice: ClassVar[tuple[str, str] | None] = None
    """Concept, and what to say of an architecture ("{}") that comes twice in a run; None where it may."""

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """The histories against the log, then how each was searched, then the randomness over many runs."""
        runs = _read_runs(self.name, instance, answer, self.twice)
        for run in runs:
            verdict = self.judge_run(instance, run)
            if verdict:
                return verdict
        verdict = None if len(runs) == 1 else _judge_seeds(runs) or self.judge_runs(instance, runs[:-1])
        return verdict or _judge_form(answer) or RIGHT

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """An endless loop, or an objective called too often, says more than the exception does."""
        return _search_error(instance, answer) or error_verdict(instance, answer)

    def judge_run(self, instance: Instance, run: Run) -> Verdict | None:
        """What is wrong with the way that one run went; None if nothing is."""
        return None

    def judge_runs(self, instance: Instance, runs: Sequence[Run]) -> Verdict | None:
        """What is wrong with the distribution of independent runs; None if nothing is."""
        return None


def _read_runs(name: str, instance: Instance, answer: Answer, twice: tuple[str, str] | None) -> list[Run]:
    """The runs of an answer, one per seed, each in agreement with the calls that were logged.

    Args:
        name: of the learner's function.
        instance: with `seeds` and `budget`.
        answer: what came back, `plain` of each run.
        twice: see `SearchJudge.twice`.

    Raises:
        Unacceptable: the history of some run is not what was evaluated, or the budget was not kept.
    """
    count, budget = len(instance["seeds"]), instance["budget"]
    histories = rows(answer.value, count, name)
    calls = [call for call in answer.calls if call.method == "objective"]
    archs = [[cell(arch) for arch in entries(history, "archs", name)] for history in histories]
    if twice is not None:
        concept, text = twice
        for found in archs:
            arch, times = Counter(found).most_common(1)[0] if found else ((), 0)
            if times > 1:
                raise Unacceptable(concept, text.format(show(list(arch), 120)))
    called = {tuple(call.args[0]) for call in calls if not call.refused}
    if any(arch not in called for found in archs for arch in found):
        raise Unacceptable(
            "not-evaluated", "the history holds architectures for which the objective was not called"
        )
    if len(calls) > count * budget:
        raise Unacceptable(*_over_budget(calls, instance))
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


def _over_budget(calls: Sequence[Any], instance: Instance) -> tuple[str, str]:
    """Concept and message where the objective was called too often."""
    count = len(instance["seeds"])
    runs = f" in {count} runs" if count > 1 else ""
    return "over-budget", (
        f"the objective was called {len(calls)} times{runs} with a budget of {instance['budget']}: every call counts"
    )


def _search_error(instance: Instance, answer: Answer) -> Verdict | None:
    """What the calls say of a search that raised, where that is more than the exception does."""
    allowed = instance["budget"] * len(instance["seeds"])
    if answer.error_type == "Endless":
        return Verdict(0.0, "endless", "the loop never ends: it draws architectures for ever")
    if answer.error_type == "Refused" and len(answer.calls) <= allowed:
        return Verdict(0.0, "not-an-arch", (answer.error or "").partition(":")[2].strip())
    if answer.error_type not in ("NotPlainData", "NotImplementedError") and len(answer.calls) > allowed:
        return Verdict(0.0, *_over_budget(answer.calls, instance))
    return None


def _judge_form(answer: Answer) -> Verdict | None:
    """Are the architectures still what the space gave?"""
    odd = next((history["odd"] for history in answer.value if history.get("odd")), None)
    if odd is None:
        return None
    return Verdict(
        CONDUCT,
        "wrong-type",
        f"the history holds {show(odd, quote=False)} as an architecture: keep the tuples that the space gave",
    )


def _judge_seeds(runs: Sequence[Run]) -> Verdict | None:
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
    if np.allclose(np.sort(given), np.sort(values), rtol=1e-6):
        raise Unacceptable(
            "mismatched-values",
            "values and architectures do not belong together: values[i] is the value of archs[i]",
        )
    at = int(np.argmax(~np.isclose(given, values, rtol=1e-6)))
    raise Unacceptable(
        "wrong-values",
        f"value {show(float(given[at]))} was recorded for an architecture of value {show(float(values[at]))}",
    )
