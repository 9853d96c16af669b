"""Judge of lesson 08: a Bayesian optimisation, by the log of its evaluations and of what it asked its predictor.

Each step is read from the log: what the predictor was fitted to, which candidates it was asked about, and which of them
was evaluated. What is random, the first evaluations and the pools, is judged by counts; bad luck fails right code with
probability at most `false_fail`: 20 counts of 2e-9 each.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nas_lib.checks.exercise import RIGHT, Answer, Call, Instance, Verdict, fail, show
from nas_lib.checks.histories import space_of
from nas_lib.checks.judging import CONDUCT
from nas_lib.checks.predictors_and_fidelity.shared import LESSON
from nas_lib.judges.evolution_and_early_stopping.counts import ALPHA, count_verdict
from nas_lib.judges.searches import SearchJudge
from nas_lib.judges.statistics import count_range
from nas_lib.surrogates import expected_improvement

Arch = tuple[Any, ...]


@dataclass
class Step:
    """One evaluation, and what was asked of the predictor since the one before."""

    arch: Arch
    fitted: list[tuple[Arch, float]] | None
    """What the predictor was fitted to last; None where it was not fitted since the evaluation before."""
    candidates: list[Arch] = field(default_factory=list)
    means: list[float] = field(default_factory=list)
    stds: list[float] = field(default_factory=list)
    bests: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    """The means and stds that the acquisition was told, in any order."""
    forms: list[tuple[str, str, str]] = field(default_factory=list)
    """(who was called, with what, with what it should be)."""


class BayesianOptimizationJudge(SearchJudge):
    """`bayesian_optimization`: the log as of every search, then step by step, then the randomness of what was drawn."""

    exercise, lesson = "bayesian_optimization", LESSON
    false_fail = 20 * ALPHA

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """As of every search; where that is right, the steps."""
        verdict = super().judge(instance, answer, expected)
        if verdict.concept not in ("", "wrong-type"):
            return verdict
        runs = _runs(answer.calls, instance["budget"])
        for run in runs:
            found = _steps(instance, run) or _near_the_best(instance, run) or _kept(instance, run)
            if found := found or _forms(run):
                return found
        if len(runs) > 1 and (found := _drawn(instance, runs[:-1])):
            return found
        return verdict if verdict.concept else RIGHT

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """The calls of the objective are those that are counted."""
        return super().judge_error(instance, replace(answer, calls=_evaluations(answer.calls)))


def _evaluations(calls: Sequence[Call]) -> list[Call]:
    return [call for call in calls if call.method == "objective"]


def _runs(calls: Sequence[Call], budget: int) -> list[list[tuple[Step, float]]]:
    """The log as runs of steps, with the value of each."""
    steps: list[tuple[Step, float]] = []
    step = Step((), None)
    for call in calls:
        if call.refused:
            continue
        if call.method == "fit":
            archs, values, (listed, held) = call.args
            step = Step((), [(tuple(arch), float(value)) for arch, value in zip(archs, values)])
            step.forms += [("fit", f"{listed} of architectures", "a list of architectures")]
            step.forms += [("fit", f"{held} of values", "an array of values")]
        elif call.method == "predict":
            means, stds = call.value
            step.candidates += [tuple(arch) for arch in call.args[0]]
            step.means += means
            step.stds += stds
            step.forms += [("the predictor", f"{call.args[1]} of candidates", "a list of candidates")]
        elif call.method == "acquire":
            step.bests.append(float(call.args[2]))
            step.asked += [*call.args[0], *call.args[1]]
            step.forms += [("the acquisition", one, "an array") for one in call.args[3]]
        else:
            step.arch = tuple(call.args[0])
            steps.append((step, float(call.value)))
            step = Step((), None)
    return [steps[start : start + budget] for start in range(0, len(steps), budget)]


def _steps(instance: Instance, run: list[tuple[Step, float]]) -> Verdict | None:
    """What is wrong with the first step that is."""
    space = space_of(instance)
    for at, (step, _) in enumerate(run):
        done = [(one.arch, value) for one, value in run[:at]]
        where = f"evaluation {at + 1}"
        if step.arch in dict(done):
            return fail(
                "not-distinct", f"{where} repeats {show(list(step.arch), 110)}, which was evaluated before"
            )
        if at < instance["initial"]:
            if step.candidates:
                return fail(
                    "too-few-random",
                    f"{where} is chosen by the predictor: the first {instance['initial']} are random",
                )
            continue
        if not step.candidates:
            return fail("not-predicted", f"{where} is chosen without the predictor's word on any candidate")
        found = _data(step, done, where) or _candidates(instance, len(space), step, done, where)
        found = found or _choice(step, done, where, instance.get("default", False))
        if found:
            return found
    return None


def _forms(run: list[tuple[Step, float]]) -> Verdict | None:
    """Was everything passed on as the docstring says?"""
    for step, _ in run:
        for who, found, right in step.forms:
            if found != right:
                return fail("wrong-type", f"{who} is called with {found}: it takes {right}", CONDUCT)
    return None


def _data(step: Step, done: list[tuple[Arch, float]], where: str) -> Verdict | None:
    """Was the predictor fitted to all evaluations?"""
    if step.fitted is None:
        return fail(
            "not-refitted", f"before {where} the predictor is not fitted anew: the last value is lost on it"
        )
    archs = [arch for arch, _ in step.fitted]
    if len(archs) < len(done):
        return fail(
            "fits-a-part",
            f"before {where} the predictor is fitted to {len(archs)} of {len(done)} evaluations: it should see all",
        )
    if sorted(map(repr, step.fitted)) != sorted(map(repr, done)):
        return fail(
            "wrong-data", f"before {where} the predictor is fitted to other values than were evaluated"
        )
    return None


def _candidates(
    instance: Instance, size: int, step: Step, done: list[tuple[Arch, float]], where: str
) -> Verdict | None:
    """Are they distinct, new, and as many as there should be?"""
    seen = {arch for arch, _ in done}
    known = next((arch for arch in step.candidates if arch in seen), None)
    if known is not None:
        return fail(
            "not-distinct",
            f"before {where}, {show(list(known), 110)} is a candidate, which was evaluated before",
        )
    if len(set(step.candidates)) < len(step.candidates):
        return fail("not-distinct", f"before {where} a candidate is there twice: draw distinct ones")
    wanted = min(instance["pool"], size - len(done))
    if len(step.candidates) != wanted:
        return fail(
            "wrong-pool",
            f"before {where} there are {len(step.candidates)} candidates, should be {wanted}, with a pool of "
            f"{instance['pool']} and {size - len(done)} architectures left",
        )
    return None


def _choice(step: Step, done: list[tuple[Arch, float]], where: str, default: bool) -> Verdict | None:
    """Was the candidate of the highest acquisition evaluated, and the acquisition told the best value?

    Where none was passed in (`default`) and the learner's `expected_improvement` was not called, its formula may stand
    in the code itself.
    """
    if not step.bests and not default:
        return fail("other-acquisition", f"before {where} the `acquisition` passed in is not called")
    best = max(value for _, value in done)
    if any(abs(one - best) > 1e-9 * max(1.0, abs(best)) for one in step.bests):
        return fail(
            "wrong-best",
            f"before {where} the acquisition is told that the best value is {show(step.bests[0])}: it is {show(best)}",
        )
    if step.arch not in step.candidates:
        return fail(
            "not-a-candidate", f"{where} is none of the candidates that the predictor was asked about"
        )
    means, stds = np.array(step.means), np.array(step.stds)
    scores = means + 2 * stds if step.bests else expected_improvement(means, stds, best)
    rank = int(np.sum(scores > scores[step.candidates.index(step.arch)] + 1e-9))
    if rank and default:
        return fail(
            "other-acquisition",
            f"with acquisition=None, {where} is not the candidate of the highest `expected_improvement`",
        )
    if rank and not set(step.asked) <= {*step.means, *step.stds}:
        return fail(
            "other-predictions",
            f"before {where} the acquisition is told other means or stds than the predictor returned",
        )
    if rank and sorted(step.asked[: len(step.means)]) == sorted(step.stds) != sorted(step.means):
        return fail(
            "other-predictions",
            f"before {where} the acquisition is told the stds in place of the means: the order is (mean, std, best)",
        )
    if rank:
        return fail(
            "not-the-best-candidate",
            f"{where} is the candidate with acquisition number {rank + 1} of {len(scores)}: take the highest",
        )
    return None


def _near_the_best(instance: Instance, run: list[tuple[Step, float]]) -> Verdict | None:
    """Are candidates neighbours of the best so far more often than chance makes them, in a large space?

    Whatever came before, the chance of each is at most its number of neighbours by what is left at the end.
    """
    space = space_of(instance)
    if len(space) < 200:
        return None
    near = total = 0
    for at, (step, _) in enumerate(run):
        if step.candidates:
            best = max(run[:at], key=lambda one: one[1])[0].arch
            near += sum(arch in space.neighbors(best) for arch in step.candidates)
            total += len(step.candidates)
    chance = sum(len(options) - 1 for options in space.choices) / (len(space) - len(run))
    if near <= count_range(total, chance, ALPHA)[1]:
        return None
    return fail(
        "biased-pool",
        f"{near} of {total} candidates are neighbours of the best so far, at most {total * chance:.0f} expected: "
        "candidates are drawn from the whole space",
    )


def _kept(instance: Instance, run: list[tuple[Step, float]]) -> Verdict | None:
    """Are candidates those of the step before more often than chance makes them, in a large space?"""
    space = space_of(instance)
    if len(space) < 200:
        return None
    pools = [set(step.candidates) for step, _ in run if step.candidates]
    again = sum(len(one & other) for one, other in itertools.pairwise(pools))
    total, chance = sum(map(len, pools[1:])), instance["pool"] / (len(space) - len(run))
    if again <= count_range(total, chance, ALPHA)[1]:
        return None
    return fail(
        "biased-pool",
        f"{again} of {total} candidates were candidates in the step before, at most {total * chance:.0f} expected: "
        "draw them anew in every step, from the whole space",
    )


def _drawn(instance: Instance, runs: Sequence[list[tuple[Step, float]]]) -> Verdict | None:
    """Over many runs: is each option as frequent as it should be, among the first evaluations and in the first pool?

    Both are a uniform subset of the space, so the counts are hypergeometric: less spread than the binomial bounds.
    """
    initial = instance["initial"]
    groups = {
        "not-uniform": ("a first evaluation", [step.arch for run in runs for step, _ in run[:initial]]),
        "biased-pool": ("a candidate", [arch for run in runs for arch in run[initial][0].candidates]),
    }
    for concept, (what, archs) in groups.items():
        for place, options in enumerate(instance["choices"]):
            for option in options:
                times = sum(arch[place] == option for arch in archs)
                said = f"{what} has {show(option)} as decision {place}"
                if found := count_verdict(times, len(archs), 1 / len(options), concept, said):
                    return found
    return None
