"""The judges of lesson 06's two searches: by what was evaluated, whatever the algorithm.

All is exact, but for one: whether a search is led by its rewards is judged by how good its late evaluations are.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nas_lib.checks.codec import describe
from nas_lib.checks.exercise import RIGHT, Answer, Instance, Unacceptable, Verdict, fail, show
from nas_lib.checks.hardware_aware.latencies import LESSON
from nas_lib.checks.hardware_aware.search import accuracy_of, latency_of, reward_of
from nas_lib.checks.judging import CONDUCT
from nas_lib.judges import Judge
from nas_lib.judges.reading import column, rows
from nas_lib.judges.searches import Run, SearchJudge


class SearchBits(Judge):
    """`search_bits`: each pair once, all within the limit, and the best of them wins."""

    exercise, lesson = "search_bits", "06_hardware_aware"

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """What was called, what the history says of it, and who won."""
        calls = [(call.args[0], call.args[1], call.value) for call in answer.calls if call.refused is None]
        where = {pair: i for i, pair in enumerate(itertools.product(instance["archs"], instance["bits"]))}
        sizes = list(itertools.chain(*instance["sizes"]))
        fits = {pair for pair, i in where.items() if sizes[i] <= instance["limit"]}
        if answer.value.get("kind"):
            return fail(
                "wrong-type",
                f"search_bits should return a pair ((arch, bits), History), not {answer.value['kind']}",
            )
        for arch, bits, _ in calls:
            if (arch, bits) not in fits:
                return fail(
                    "evaluates-what-does-not-fit",
                    f"({show(arch)}, {bits}) was evaluated, and its size {show(sizes[where[arch, bits]])} "
                    f"exceeds the limit {show(instance['limit'])}: ask size() first, it costs nothing",
                )
        pairs = [(arch, bits) for arch, bits, _ in calls]
        if instance.get("again"):
            half = len(pairs) // 2
            if pairs[:half] != pairs[half:]:
                return fail(
                    "ignores-rng",
                    "two runs from generators with the same seed differ: all randomness must come from `rng`",
                )
            pairs, calls = pairs[:half], calls[:half]
        if len(set(pairs)) < len(pairs):
            return fail(
                "pair-twice",
                "a pair was evaluated twice: an evaluation is a training, so remember what was seen",
            )
        due = min(instance["budget"], len(fits))
        if len(pairs) > instance["budget"]:
            return fail(
                "too-many-evaluations", f"{len(pairs)} evaluations, the budget was {instance['budget']}"
            )
        if len(pairs) < due:
            return self._too_few(pairs, fits, due, instance)
        return self._of_the_answer(answer.value, calls)

    @staticmethod
    def _too_few(pairs: list[Any], fits: set[Any], due: int, instance: Instance) -> Verdict:
        missing = fits - set(pairs)
        stuck = len({bits for _, bits in pairs}) == 1 or len({arch for arch, _ in pairs}) == 1
        if stuck and len({bits for _, bits in fits}) > 1 and len({arch for arch, _ in fits}) > 1:
            return fail(
                "one-after-the-other",
                f"{len(pairs)} evaluations instead of {due}: pairs such as {show(min(missing))} are never tried. "
                "Architecture and bits are chosen *together*",
            )
        return fail(
            "under-budget",
            f"{len(pairs)} evaluations where {due} were paid for: go on while pairs are left",
        )

    @staticmethod
    def _of_the_answer(value: dict[str, Any], calls: list[Any]) -> Verdict:
        archs = value.get("archs")
        if type(archs) is not list:
            return fail("wrong-type", f"the history's archs should be a list, not {describe(archs)}")
        seen = [tuple(one) if type(one) is list else one for one in archs]
        values = column(value["values"], len(calls), "the history's values")
        if seen != [(arch, bits) for arch, bits, _ in calls]:
            return fail(
                "wrong-history",
                "the history's archs should be the pairs (arch, bits) in the order of evaluation",
            )
        if not np.allclose(values, [one[2] for one in calls], rtol=1e-9):
            return fail("wrong-history", "the history's values are not what evaluate gave, in order")
        winner = tuple(value["winner"]) if type(value["winner"]) is list else value["winner"]
        if winner not in seen:
            return fail(
                "not-the-best-pair",
                f"the winner should be one of the pairs (arch, bits) evaluated, not {show(winner)}",
            )
        if values[seen.index(winner)] < values.max():
            return fail(
                "not-the-best-pair",
                f"the winner has {show(float(values[seen.index(winner)]))} %, and {show(float(values.max()))} % "
                "was seen: return the *best* pair",
            )
        if value["odd"] or not value["tuple"]:
            return fail(
                "wrong-type",
                f"the pairs are right, but each should be a tuple (arch, bits), not {value['odd'] or 'a list'}",
                CONDUCT,
            )
        return RIGHT


class HardwareAwareSearchJudge(SearchJudge):
    """`hardware_aware_search`: what every search keeps, rewards as values, and evaluations that the rewards lead to.

    `false_fail` is for right code whose search has bad luck. Over 16 seeds (two cases of six runs each) five
    methods came 0.83 to 1.00 of the way on average, with standard deviations up to 0.05;
    random architectures -0.03 with 0.05.
    """

    exercise, lesson = "hardware_aware_search", LESSON
    false_fail = 1e-8
    twice = (
        "arch-twice",
        "{} comes twice in one run: an evaluation is a training, so remember what was seen",
    )
    BEST, SHARE = 20, 0.4
    """So many best evaluations of a run have to be more than this part of the way from what random search has there to
    the best of all architectures."""

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """As of any search whose objective is the reward, but for other numbers in the place of rewards."""
        try:
            return self._other_values(instance, answer) or super().judge(
                instance, self._rewarded(instance, answer), expected
            )
        except Unacceptable as found:
            return self._named(found.verdict)

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """As of any search."""
        return self._named(super().judge_error(instance, answer))

    @staticmethod
    def _named(verdict: Verdict) -> Verdict:
        """The objective has a name here."""
        return replace(verdict, message=verdict.message.replace("the objective", "accuracy"))

    @staticmethod
    def _rewarded(instance: Instance, answer: Answer) -> Answer:
        """The calls with the rewards that belong to them."""
        reward = reward_of(instance)
        calls = [
            call
            if call.refused
            else call._replace(value=reward(call.value, latency_of(instance, call.args[0])))
            for call in answer.calls
        ]
        return replace(answer, calls=calls)

    def _other_values(self, instance: Instance, answer: Answer) -> Verdict | None:
        """Histories of accuracies, of latencies, or of rewards whose arguments are swapped."""
        reward = reward_of(instance)
        pairs = [
            (call.value, latency_of(instance, call.args[0])) for call in answer.calls if not call.refused
        ]
        try:
            found = np.concatenate(
                [
                    np.asarray(one["values"], dtype=float).ravel()
                    for one in rows(answer.value, len(instance["seeds"]), self.name)
                ]
            )
        except (KeyError, TypeError, ValueError):
            return None  # what is wrong with their form is said later
        known = (
            ("accuracy-not-reward", "the history's values are the accuracies", lambda a, t: a),
            ("latency-not-reward", "the history's values are the latencies", lambda a, t: t),
            (
                "swapped-arguments",
                "the history's values are those of reward(latency, accuracy)",
                lambda a, t: reward(t, a),
            ),
        )
        if len(found) != len(pairs) or not pairs or np.allclose(found, [reward(*pair) for pair in pairs]):
            return None
        for concept, text, of in known:
            if np.allclose(found, [of(*pair) for pair in pairs]):
                return fail(concept, f"{text}: they should be reward(accuracy(arch), latency(arch))")
        return None

    def judge_runs(self, instance: Instance, runs: Sequence[Run]) -> Verdict | None:
        """The best evaluations against random search's, by reward; where they are no better, what led to them."""
        if not instance.get("_judged"):
            return None
        reward = reward_of(instance)
        share = self._share(instance, runs, reward)
        if share >= self.SHARE:
            return None
        other = {
            "minimum": (lambda a, t: -reward(a, t), "but worse: rewards are to be maximised"),
            "led-by-accuracy": (lambda a, t: a, "but more accurate: let the reward lead"),
            "led-by-latency": (lambda a, t: -t, "but faster: let the reward lead"),
        }
        led = {concept: self._share(instance, runs, of) for concept, (of, _) in other.items()}
        concept, text = "no-learning", "so let the rewards seen so far decide what is tried next"
        if max(led.values()) >= self.SHARE:
            concept = max(led, key=led.__getitem__)
            text = other[concept][1]
        return fail(
            concept,
            f"the {self.BEST} best of {instance['budget']} evaluations are hardly better by their reward than random "
            f"search's ({100 * share:.0f} % of the way to the best there are), {text} (on {instance['about']})",
        )

    @classmethod
    def _share(cls, instance: Instance, runs: Sequence[Run], of: Callable[[float, float], float]) -> float:
        """How far the best evaluations of all runs are on the way from random search's to the best architectures."""

        def best(archs: Iterable[Sequence[Any]], count: int) -> float:
            found = [of(accuracy_of(instance, arch), latency_of(instance, arch)) for arch in archs]
            return float(np.mean(sorted(found)[-count:]))

        every = [*itertools.product(*instance["choices"])]
        by_chance = best(every, len(every) * cls.BEST // instance["budget"])
        seen = float(np.mean([best([arch for arch, _ in run], cls.BEST) for run in runs]))
        return (seen - by_chance) / (best(every, cls.BEST) - by_chance)

    def share_of(self, instance: Instance, answer: Answer) -> float:
        """The statistic that learning is judged by, of the runs behind an answer."""
        budget = instance["budget"]
        log = [(tuple(call.args[0]), 0.0) for call in answer.calls if not call.refused]
        runs = [log[i : i + budget] for i in range(0, len(log) - budget, budget)]
        return self._share(instance, runs, reward_of(instance))
