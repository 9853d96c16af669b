"""Judges of lesson 05: draws of paths by their counts, and the search under a limit by what it evaluated.

A count of right code leaves its range with probability `ALPHA` at most. Where every decision has equally many options,
their counts are taken together: decisions are independent, so that a small bias shows which is in all of them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import combinations, pairwise, permutations, product
from typing import Any

import numpy as np

from nas_lib.checks.codec import describe
from nas_lib.checks.exercise import RIGHT, Answer, Instance, Unacceptable, Verdict, fail, show
from nas_lib.checks.judging import CONDUCT
from nas_lib.checks.supernet.drawing import AGAIN
from nas_lib.checks.supernet.search import ISOLATED, cost_of, value_of
from nas_lib.checks.supernet.shared import LESSON
from nas_lib.judges import Judge
from nas_lib.judges.reading import cell, rows
from nas_lib.judges.searches import Run, SearchJudge
from nas_lib.judges.statistics import count_range

ALPHA = 2e-10

Path = tuple[Any, ...]


class DrawingJudge(Judge):
    """What both samplers share: where randomness comes from, and paths of options."""

    lesson = LESSON

    def judge_seeds(self, found: Any, ways: int) -> Verdict | None:
        """All randomness from the generator; `ways` is in how many a single call can end."""
        first = found["draws"][:AGAIN]
        if found["again"] != first:
            return fail(
                "ignores-rng",
                "two generators with the same seed give different paths: all randomness must come from `rng`",
            )
        if ways**AGAIN * ALPHA > 1 and found["other"] == first:
            return fail("fixed-seed", "generators with different seeds give the same paths: draw with `rng`")
        return None

    @staticmethod
    def judge_repeats(draws: Sequence[Any], ways: int) -> Verdict | None:
        """What one call gives says nothing about the next; `ways` is in how many a single call can end."""
        low, high = count_range(len(draws) - 1, 1 / ways, ALPHA)
        times = sum(one == other for one, other in pairwise(draws))
        if low <= times <= high:
            return None
        return fail(
            "depends-on-the-last-call",
            f"{times} of {len(draws)} calls give what the call before them gave, {low} to {high} are chance: each "
            "call draws anew, and keeps nothing in mind",
        )


def _checked_path(value: Any, choices: Sequence[Sequence[Any]], odd: bool = False) -> Path:
    """A path, or a verdict on its form."""
    path = cell(value)
    if len(path) != len(choices):
        raise Unacceptable(
            "wrong-length", f"a path should have {len(choices)} entries, one per decision, not {len(path)}"
        )
    for option, options in zip(path, choices):
        if option not in options:
            _refuse(path, option, options, odd)
    return path


def _refuse(path: Path, option: Any, options: Sequence[Any], odd: bool) -> None:
    if odd:  # options by their names
        raise Unacceptable(
            "changes-options",
            f"{option} came where the options are {', '.join(options)}: a path holds an option as it is, of whatever "
            "type. Draw a position, and take the option itself",
        )
    if type(option) is str and option in map(str, options):
        raise Unacceptable(
            "changes-options",
            f"{show(option)} came where the options are {show(list(options))}: an array, and so rng.choice, turns "
            "options of several types into strings. Draw a position, and take the option itself",
        )
    if type(option) is int and 0 <= option < len(options):
        raise Unacceptable(
            "indices",
            f"these are positions, not options: {show(list(path))}; a path names the options themselves",
        )
    raise Unacceptable("not-an-option-here", f"{show(option)} is none of the options {show(list(options))}")


def _uneven(counts: Sequence[int]) -> tuple[int, int, int] | None:
    """(how many, times, limit): the outcomes that come most often, and more than chance allows; None where none do.

    Looked at are the most frequent one, half of all, and three quarters, which is what too few random swaps prefer. The
    bounds hold for every choice of them.
    """
    n, k = sum(counts), len(counts)
    ordered = sorted(counts, reverse=True)
    for size in sorted({1, k // 2, 3 * k // 4} - {0, k}):
        times = sum(ordered[:size])
        high = count_range(n, size / k, 2 * ALPHA / math.comb(k, size))[1]
        if times > high:
            return size, times, high
    return None


class SamplePathJudge(DrawingJudge):
    """Form, seeds, then counts of options and of pairs of options."""

    exercise = "sample_path"
    false_fail = 1300 * ALPHA
    PAIRED = 8
    """Decisions up to which all pairs are counted; of more only those that follow one another."""

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """The first thing that no right code does."""
        found, choices = answer.value, instance["choices"]
        n = instance["count"]
        odd = instance.get("odd", False)
        paths = [_checked_path(one, choices, odd) for one in rows(found["draws"], n, self.name)]
        columns = list(zip(*paths))
        return (
            self.judge_seeds(found, math.prod(map(len, choices)))
            or self._options(columns, choices)
            or self._pairs(columns, choices)
            or self._together(columns, choices)
            or self.judge_repeats(paths, math.prod(map(len, choices)))
            or RIGHT
        )

    def _options(self, columns: Sequence[Path], choices: Sequence[Sequence[Any]]) -> Verdict | None:
        n = len(columns[0])
        counts = [[column.count(option) for option in options] for column, options in zip(columns, choices)]
        for options, count in zip(choices, counts):
            if n >= 100 and 0 in count:
                return fail(
                    "never-drawn",
                    f"{show(options[count.index(0)])} never came in {n} paths: every option must be possible",
                )
        for options, count in zip(choices, counts):
            low, high = count_range(n, 1 / len(options), ALPHA)
            for option, times in zip(options, count):
                if not low <= times <= high:
                    return fail(
                        "not-uniform",
                        f"draws are not uniform: {show(option)} came {times} times in {n} paths; with equal chances "
                        f"it is {low} to {high}",
                    )
        return None

    @staticmethod
    def _together(columns: Sequence[Path], choices: Sequence[Sequence[Any]]) -> Verdict | None:
        """All decisions at once, option by position, where they are known to be independent."""
        if len(set(map(len, choices))) > 1:
            return None
        counts = [[column.count(option) for option in options] for column, options in zip(columns, choices)]
        totals = [sum(column) for column in zip(*counts)]
        uneven = _uneven(totals)
        if uneven is None:
            return None
        places = sorted(np.argsort(totals)[::-1][: uneven[0]].tolist())
        return fail(
            "not-uniform",
            f"draws are not uniform: over all decisions the options at {show(places)} came {uneven[1]} times in "
            f"{sum(totals)} draws, with equal chances it is {uneven[2]} at most",
        )

    def _pairs(self, columns: Sequence[Path], choices: Sequence[Sequence[Any]]) -> Verdict | None:
        n, places = len(columns[0]), range(len(choices))
        for one, other in combinations(places, 2) if len(places) <= self.PAIRED else pairwise(places):
            cells = len(choices[one]) * len(choices[other])
            low, high = count_range(n, 1 / cells, ALPHA)
            pairs = Counter(zip(columns[one], columns[other]))
            for pair in product(choices[one], choices[other]):
                if not low <= pairs[pair] <= high:
                    return fail(
                        "dependent-decisions",
                        f"decisions {one} and {other} are not independent: {show(pair[0])} and {show(pair[1])} come "
                        f"together {pairs[pair]} times in {n} paths instead of {low} to {high}; draw each decision "
                        "anew",
                    )
        return None


class FairPathsJudge(DrawingJudge):
    """Form and fairness of each call, seeds, then the distribution of orders."""

    exercise = "fair_paths"
    false_fail = 1700 * ALPHA

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """The first thing that no right code does."""
        found, choices = answer.value, instance["choices"]
        odd = instance.get("odd", False)
        drawn = rows(found["draws"], instance["count"], self.name)
        rounds = [self._round(one, choices, odd) for one in drawn]
        ways = math.factorial(len(choices[0])) ** len(choices)
        orders = [
            [tuple(map(list(options).index, column)) for column, options in zip(zip(*paths), choices)]
            for paths in rounds
        ]
        verdict = (
            self.judge_seeds(found, ways)
            or self._orders(orders)
            or self._pairs(orders)
            or self._together(orders)
            or self.judge_repeats(rounds, ways)
        )
        if verdict is None and found["tuples"] is not True:
            verdict = fail("wrong-type", "the paths are right, but each should be a tuple", CONDUCT)
        return verdict or RIGHT

    def _round(self, value: Any, choices: Sequence[Sequence[Any]], odd: bool) -> list[Path]:
        k = len(choices[0])
        if type(value) is not list:
            raise Unacceptable(
                "wrong-type", f"{self.name} should return a list of paths, not {describe(value)}"
            )
        by_decision = [sorted(map(str, one)) if type(one) is list else None for one in value]
        if k > 1 and by_decision == [sorted(map(str, options)) for options in choices]:
            raise Unacceptable(
                "transposed",
                "there is one list per decision: what is asked for is one *path* per option, so transpose",
            )
        paths = [_checked_path(one, choices, odd) for one in value]
        if len(paths) != k:
            raise Unacceptable(
                "wrong-count",
                f"{len(paths)} paths came for {k} options: one step trains as many paths as options",
            )
        for place, column in enumerate(zip(*paths)):
            option, times = Counter(column).most_common(1)[0]
            if times > 1:
                raise Unacceptable(
                    "unfair",
                    f"option {show(option)} of decision {place} comes {times} times in one call: strictly fair is "
                    "each exactly once",
                )
        return paths

    @staticmethod
    def _orders(orders: Sequence[Sequence[Path]]) -> Verdict | None:
        """Each decision's orders."""
        n, k = len(orders), len(orders[0][0])
        every = list(permutations(range(k)))
        low, high = count_range(n, 1 / len(every), ALPHA)
        columns = list(zip(*orders))
        for place, column in enumerate(columns):
            counts = Counter(column)
            if n >= 100 and k > 1 and len(counts) == 1:
                return fail(
                    "not-shuffled", f"decision {place} always has its options in the same order: shuffle"
                )
            for order in every:
                if not low <= counts[order] <= high:
                    return fail(
                        "biased-shuffle",
                        f"the order {show(list(order))} of decision {place} came {counts[order]} times in {n}; all "
                        f"{len(every)} orders are equally likely, {low} to {high} times",
                    )
        return None

    @staticmethod
    def _together(orders: Sequence[Sequence[Path]]) -> Verdict | None:
        """The orders of all decisions, where they are known to be independent."""
        n, decisions, k = len(orders), len(orders[0]), len(orders[0][0])
        every = list(permutations(range(k)))
        together = Counter(order for row in orders for order in row)
        uneven = _uneven([together[order] for order in every])
        if uneven is None:
            return None
        most = [list(order) for order, _ in together.most_common(uneven[0])]
        return fail(
            "biased-shuffle",
            f"the orders {show(most)} came {uneven[1]} times in {n * decisions} shuffles; all {len(every)} orders "
            f"are equally likely, that is {uneven[2]} times at most",
        )

    @staticmethod
    def _pairs(orders: Sequence[Sequence[Path]]) -> Verdict | None:
        """How one decision's order lies to another's: every way equally often."""
        n, decisions, k = len(orders), len(orders[0]), len(orders[0][0])
        low, high = count_range(n, 1 / math.factorial(k), ALPHA)
        for one, other in combinations(range(decisions), 2):
            between = Counter(
                tuple(second[first.index(i)] for i in range(k))
                for first, second in ((row[one], row[other]) for row in orders)
            )
            for lie in permutations(range(k)):
                if not low <= between[lie] <= high:
                    same = " same" if lie == tuple(range(k)) else ""
                    return fail(
                        "one-shuffle-for-all",
                        f"decisions {one} and {other} have the{same} order {show(list(lie))} to each other in "
                        f"{between[lie]} of {n} calls, {low} to {high} are chance: each decision needs a shuffle of "
                        "its own, or the same few paths come again and again",
                    )
        return None


class TrainFairStepJudge(FairPathsJudge):
    """Of many steps: where randomness comes from, and how the decisions' options meet on the paths.

    The order of a step's paths says nothing, since their gradients are added up: who leaves one decision in order and
    shuffles the others draws alike.
    """

    exercise = "train_fair_step"
    false_fail = 600 * ALPHA

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """The first thing that no right code does."""
        if not instance.get("draws"):
            return RIGHT
        found, choices = answer.value, instance["choices"]
        rounds = [
            self._round(one, choices, False) for one in rows(found["draws"], instance["steps"], self.name)
        ]
        ways = math.factorial(len(choices[0])) ** (len(choices) - 1)
        orders = [
            [tuple(map(list(options).index, column)) for column, options in zip(zip(*paths), choices)]
            for paths in rounds
        ]
        return (
            self.judge_seeds(found, ways)
            or self._pairs(orders)
            or self.judge_repeats([sorted(paths) for paths in rounds], ways)
            or RIGHT
        )


class EvolveUnderConstraintJudge(SearchJudge):
    """First of all the limit; then what every search keeps; then where the architectures come from.

    `false_fail` is for right code whose search has bad luck. Over 20 seeds (eight runs each) the weakest of four
    evolutions came 0.33 to 0.56 of the way, 0.44 on average with a standard deviation of 0.053, six of which lie
    between it and the threshold; random architectures 0.01 with one of 0.02. The other bounds are far smaller.
    """

    exercise, lesson = "evolve_under_constraint", LESSON
    false_fail = 1e-8
    SHARE = 0.12
    """Of the way from the mean of all architectures within the limit to the best of them, for late evaluations."""
    NEAR = 2
    """In how many decisions a child may differ from its only parent. Two random architectures of six decisions with
    three options differ in more with chance 0.9."""
    FAR_LATE = 0.05
    """Share of late evaluations that have to be farther from all random ones; of twelve evolutions none had less than
    0.4 in any of four classes. None at all is, where parents are among the random ones."""
    STRAY, STRAY_NARROW = 0.02, 0.15
    """Share of evaluations after a first population of 1 that may be farther from all before them: where every mutant
    keeps the limit, and where one in six does, so that twenty tries find none with chance 0.03. Over six seeds twelve
    evolutions had none in the former and 0.03 at most in the latter case. Whoever draws every tenth at random has 0.07
    in the former, whoever gives up after five tries 0.2 in the latter."""
    FAR_CHILDREN, FAR_DRAWS = 6, 2
    """Of sixteen children as many may be farther, and random ones have to be: P(Bin(16, 0.9) ≤ 2) < 1e-11, and fewer
    than 7 of 16 random ones come in the place of children with probability 5e-7."""

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """What is above the limit must not be evaluated."""
        return self._above(instance, answer) or super().judge(instance, answer, expected)

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """What was evaluated above the limit, or that nothing was, says more than the exception does."""
        verdict = self._above(instance, answer)
        if verdict:
            return verdict
        within = f"an architecture keeps the limit ({instance.get('about')})"
        if answer.error_type in ("Endless", "OutOfTime") and answer.calls and "that a single" in within:
            return fail(
                "endless",
                "the loop never ends where no mutant keeps the limit: after some tries in vain draw a random "
                "architecture within it",
            )
        if answer.error_type in ("ValueError", "RuntimeError") and "cost of a single" in within:
            return fail(
                "strict-limit",
                f"{within}, and an error says that none does: the limit itself is allowed",
            )
        if answer.error_type in ("ValueError", "RuntimeError") and "that a single" in within:
            return fail(
                "gives-up",
                f"{within}, and an error says that none does: random draws may miss it for long, so go through the "
                "space before you give up",
            )
        return super().judge_error(instance, answer)

    def _above(self, instance: Instance, answer: Answer) -> Verdict | None:
        for call in answer.calls:
            if call.method == "objective" and not call.refused:
                price = cost_of(instance, call.args[0])
                if price > instance["limit"]:
                    return fail(
                        "above-the-limit",
                        f"an architecture of cost {show(price)} was evaluated under a limit of "
                        f"{show(instance['limit'])}: look at its cost before you spend an evaluation",
                    )
        return None

    def judge_runs(self, instance: Instance, runs: Sequence[Run]) -> Verdict | None:
        """What this instance is there for."""
        looks = {
            "selection": self._selection,
            "isolated": self._isolated,
            "child": self._child,
            "climb": self._climb,
            "descent": self._descent,
            "draws": self._draws,
            "random": self._random,
        }
        return looks[instance["_judged"]](instance, runs)

    def _selection(self, instance: Instance, runs: Sequence[Run]) -> Verdict | None:
        """Different architectures at the beginning, then late evaluations against all within the limit."""
        population = instance["population"]
        if len({arch for run in runs for arch, _ in run[:population]}) < population:
            return fail(
                "no-variety",
                f"the first {population} evaluations are of hardly any different architectures, in {len(runs)} runs: "
                "each of the first population is a random one within the limit",
            )
        share = self._share(instance, runs)
        if share < -self.SHARE:
            return fail(
                "minimum",
                "what is evaluated gets worse: values are maximised, and this looks for the minimum",
            )
        if share < self.SHARE:
            return fail(
                "no-selection",
                f"late evaluations are hardly better than random architectures within the limit ({100 * share:.0f} % "
                "of the way from their mean to the best of them): children must come from the best",
            )
        return None

    def _climb(self, instance: Instance, runs: Sequence[Run]) -> Verdict | None:
        """As in `_selection`, and children of children: what is far from all that was drawn at random."""
        drawn, late = instance["population"], instance["budget"] // 2
        far = sum(
            min(self._differ(arch, first) for first, _ in run[:drawn]) > self.NEAR
            for run in runs
            for arch, _ in run[-late:]
        )
        verdict = None
        if far < self.FAR_LATE * late * len(runs):
            verdict = fail(
                "parents-of-the-first-population",
                f"only {far} of {late * len(runs)} late evaluations differ from all of the first {drawn} in more than "
                f"{self.NEAR} decisions: parents are the best *so far*, children too, not of the first population",
            )
        verdict = verdict or self._selection(instance, runs)
        if verdict is None:
            return None
        return fail(verdict.concept, f"{verdict.message} (on {instance['about']}; both are allowed)")

    def _descent(self, instance: Instance, runs: Sequence[Run]) -> Verdict | None:
        """From a population of 1 on all are its descendants, near to some of those before them."""
        after = instance["budget"] - 1
        far = sum(
            min(self._differ(run[i][0], before) for before, _ in run[:i]) > self.NEAR
            for run in runs
            for i in range(1, after + 1)
        )
        narrow = instance.get("narrow", False)
        if far <= (self.STRAY_NARROW if narrow else self.STRAY) * after * len(runs):
            return None
        what = (
            "after a few tries in vain random architectures are drawn: try many times, until a child fits"
            if narrow
            else "random architectures are drawn, though children fit: after `population` random ones come children"
        )
        return fail(
            "random-not-children",
            f"{what} ({far} of {after * len(runs)} evaluations after the first differ from all before them in more "
            f"than {self.NEAR} decisions, on {instance['about']})",
        )

    def _draws(self, instance: Instance, runs: Sequence[Run]) -> Verdict | None:
        """The first population: all that keep the limit equally often."""
        within = [a for a in product(*instance["choices"]) if cost_of(instance, a) <= instance["limit"]]
        counts = Counter(arch for run in runs for arch, _ in run)
        n = sum(counts.values())
        low, high = count_range(n, 1 / len(within), ALPHA)
        odd = next((arch for arch in within if not low <= counts[arch] <= high), None)
        if odd is None:
            return None
        return fail(
            "uneven-draws",
            f"of {len(within)} architectures within the limit {show(list(odd))} came {counts[odd]} times in {n} random "
            f"draws, {low} to {high} are chance: all of them are equally likely",
        )

    def _isolated(self, instance: Instance, runs: Sequence[Run]) -> Verdict | None:
        """Where no child fits, a random architecture within the limit comes: each as often as any other.

        The bound holds for every choice of one architecture in each run.
        """
        within = ISOLATED
        most = [Counter(arch for arch, _ in run).most_common(1)[0] for run in runs]
        n, times = instance["budget"] * len(runs), sum(count for _, count in most)
        if times <= count_range(n, 1 / within, 2 * ALPHA / within ** len(runs))[1]:
            return None
        arch, count = max(most, key=lambda one: one[1])
        return fail(
            "no-random-draw",
            f"{within} architectures keep the limit and no mutation leads from one to another, but {count} of "
            f"{instance['budget']} evaluations are of {show(list(arch))}: where no child fits draw a *random* "
            "architecture within the limit, and a child that equals its parent is none",
        )

    def _child(self, instance: Instance, runs: Sequence[Run]) -> Verdict | None:
        """With a population of 1, what comes second is a child of the first."""
        apart = self._apart(runs)
        if 0 in apart:
            return fail(
                "repeats-the-parent",
                "with a population of 1 the second architecture is the first again, though mutants keep the limit: a "
                "child differs from its parents",
            )
        if sum(one > self.NEAR for one in apart) > self.FAR_CHILDREN:
            return fail(
                "ignores-population",
                f"with a population of 1 the second architecture should be a child of the first, and differs from it "
                f"in {show(apart[0])} of {len(instance['choices'])} decisions: after `population` random ones come "
                "children",
            )
        return None

    def _random(self, instance: Instance, runs: Sequence[Run]) -> Verdict | None:
        """With a population of 2, what comes second is drawn as the first was."""
        apart = self._apart(runs)
        if sum(one > self.NEAR for one in apart) > self.FAR_DRAWS:
            return None
        return fail(
            "ignores-population",
            f"with a population of 2 the second architecture should be a random one, and in {len(runs)} runs it "
            f"differs from the first in {show(max(apart))} decisions at most: `population` random ones come first",
        )

    @staticmethod
    def _apart(runs: Sequence[Run]) -> list[int]:
        """In how many decisions the second architecture differs from the first, run by run."""
        return [EvolveUnderConstraintJudge._differ(run[0][0], run[1][0]) for run in runs]

    @staticmethod
    def _differ(one: Sequence[Any], other: Sequence[Any]) -> int:
        return sum(a != b for a, b in zip(one, other))

    @staticmethod
    def _share(instance: Instance, runs: Sequence[Run]) -> float:
        """How far the last third of the evaluations is on the way from the mean within the limit to the best."""
        within = [
            value_of(instance, arch)
            for arch in product(*instance["choices"])
            if cost_of(instance, arch) <= instance["limit"]
        ]
        mean, best = float(np.mean(within)), max(within)
        third = instance["budget"] // 3
        late = float(np.mean([value for run in runs for _, value in run[-third:]]))
        return (late - mean) / (best - mean)

    def share_of(self, instance: Instance, answer: Answer) -> float:
        """The statistic that selection is judged by, of the runs behind an answer."""
        budget = instance["budget"]
        log = [(tuple(call.args[0]), float(call.value)) for call in answer.calls if not call.refused]
        return self._share(instance, [log[i : i + budget] for i in range(0, len(log) - budget, budget)])
