"""Judges of lesson 01: shares of draws, histories against the log, intervals against the exact distribution."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from nas_lib.checks.exercise import RIGHT, Answer, Instance, Unacceptable, Verdict, fail, show
from nas_lib.checks.histories import space_of
from nas_lib.checks.judging import CONDUCT, error_verdict
from nas_lib.checks.spaces import ChoiceSpace
from nas_lib.judges import Judge
from nas_lib.judges.intervals import PairedSample
from nas_lib.judges.reading import cell, is_number, number, rows, scalar
from nas_lib.judges.searches import Run, SearchJudge
from nas_lib.judges.statistics import count_range

LESSON = "01_random_search"
# How likely one count, or one end of an interval on one side, of right code leaves its range; and how many there are.
DRAW_ALPHA, DRAW_COUNTS = 2e-10, 820
# Architectures, options, neighbours, steps from one to the next, in two cases; and what stands beside the seen, or in
# its own place.
SEEN_ALPHA, SEEN_COUNTS = 2e-8, 2 * 6
RUN_ALPHA, RUN_COUNTS = 1e-9, 2 * (64 + 24 + 1 + 63)
END_ALPHA, INTERVALS = 4e-9, 16
AGREE = 1e-8  # how likely, at most, three means of resamples agree


class UniformSample(Judge):
    """`sample_uniform`: shares of options, of pairs of options and of whole architectures, in exact count bounds."""

    exercise, lesson = "sample_uniform", LESSON
    false_fail = DRAW_COUNTS * DRAW_ALPHA

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Form first, then the generator, then the distribution."""
        choices = instance["choices"]
        draws = _archs(choices, rows(answer.value["draws"], instance["draws"], self.name))
        again = [cell(one) for one in rows(answer.value["again"], 20, self.name)]
        other = [cell(one) for one in rows(answer.value["other"], 20, self.name)]
        if again != draws[:20]:
            return fail(
                "ignores-rng",
                "two generators with the same seed give different architectures: draw from `rng` only",
            )
        if other == draws[:20]:
            if len(set(draws)) == 1:
                return fail(
                    "not-random",
                    f"every draw is the same architecture {show(list(draws[0]))}: draw from `rng`",
                )
            return fail(
                "fixed-seed",
                "generators with different seeds give the same architectures: use the `rng` passed in",
            )
        return (
            _uniform_options(choices, draws)
            or _independent(choices, draws)
            or _uniform_archs(choices, draws)
            or _anew(choices, draws)
            or RIGHT
        )

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """A space here has `choices` and nothing of the cells'."""
        if answer.error_type == "AttributeError" and "ChoiceSpace" in (answer.error or ""):
            return fail(
                "hard-codes-the-space",
                "a space need not be one of cells: `space.choices` lists each decision's options",
            )
        return error_verdict(instance, answer)


def _archs(choices: Sequence[Sequence[Any]], draws: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Architectures whose options are among each decision's own, or the first mistake."""
    archs = []
    known: set[tuple[Any, ...]] = set()
    for value in draws:
        if is_number(scalar(value)):
            raise Unacceptable(
                "indices-not-options",
                f"{show(scalar(value))} is a number, not an architecture: return the options",
            )
        arch = cell(value)
        if arch not in known:  # thousands of draws are of a few architectures
            _require_options(choices, arch)
            known.add(arch)
        archs.append(arch)
    return archs


def _require_options(choices: Sequence[Sequence[Any]], arch: tuple[Any, ...]) -> None:
    """Raise the mistake of an architecture that has another option than its decision's own."""
    if len(arch) != len(choices):
        raise Unacceptable(
            "wrong-length",
            f"an architecture of {len(arch)} options came back; the space has {len(choices)} decisions",
        )
    for place, (option, options) in enumerate(zip(arch, choices)):
        if option in options:
            continue
        if type(option) is int and 0 <= option <= len(options):
            raise Unacceptable(
                "indices-not-options", f"{show(list(arch))} holds positions: return the options themselves"
            )
        if str(option) in map(str, options):
            raise Unacceptable(
                "wrong-options",
                f"decision {place} got {show(option)}, its options are {show(list(options))}: return the option "
                "itself, of its own type (rng.choice makes an array first, and arrays hold one type)",
            )
        raise Unacceptable(
            "wrong-options",
            f"decision {place} got {show(option)}, its options are {show(list(options))}: "
            "draw each decision from its own options",
        )


def _uniform_options(choices: Sequence[Sequence[Any]], draws: Sequence[tuple[Any, ...]]) -> Verdict | None:
    n = len(draws)
    seen = [Counter(arch[place] for arch in draws) for place in range(len(choices))]
    for place, options in enumerate(choices):
        low, high = count_range(n, 1 / len(options), DRAW_ALPHA)
        missing = [option for option in options if seen[place][option] == 0 and low > 0]
        if missing and len(options) > 2 and len(missing) == 1 and missing[0] in (options[0], options[-1]):
            if missing[0] == options[-1]:
                return fail(
                    "never-draws-the-last",
                    f"the last option {show(missing[0])} is never drawn: rng.integers(n) leaves out n itself",
                )
            return fail(
                "never-draws-the-first",
                f"the first option {show(missing[0])} is never drawn: positions begin at 0",
            )
        for option in options:
            count = seen[place][option]
            if not low <= count <= high:
                return fail(
                    "biased",
                    f"draws are biased: {show(option)} came {count} times in {n} draws "
                    f"of one of {len(options)} options (about {n / len(options):.0f} expected)",
                )
        half = len(options) // 2
        count = sum(seen[place][option] for option in options[:half])
        low, high = count_range(n, half / len(options), DRAW_ALPHA)
        if not low <= count <= high:
            return fail(
                "biased",
                f"draws are biased: one of the first {half} of {len(options)} options came {count} times in {n} "
                f"draws (about {n * half / len(options):.0f} expected)",
            )
    return None


def _independent(choices: Sequence[Sequence[Any]], draws: Sequence[tuple[Any, ...]]) -> Verdict | None:
    n = len(draws)
    for one, other in combinations(range(len(choices)), 2):
        seen = Counter((arch[one], arch[other]) for arch in draws)
        low, high = count_range(n, 1 / (len(choices[one]) * len(choices[other])), DRAW_ALPHA)
        for a in choices[one]:
            for b in choices[other]:
                if not low <= seen[a, b] <= high:
                    return fail(
                        "dependent-decisions",
                        f"decisions {one} and {other} are not independent: {show(a)} with {show(b)} "
                        f"came {seen[a, b]} times in {n} draws: draw each decision anew",
                    )
    return None


def _uniform_archs(choices: Sequence[Sequence[Any]], draws: Sequence[tuple[Any, ...]]) -> Verdict | None:
    size, n = math.prod(len(options) for options in choices), len(draws)
    if size > 16:
        return None
    low, high = count_range(n, 1 / size, DRAW_ALPHA)
    seen = Counter(draws)
    counts = [seen[arch] for arch in ChoiceSpace(choices)]
    if all(low <= count <= high for count in counts):
        return None
    return fail(
        "biased",
        f"of {size} architectures some are drawn {max(counts)} times, some {min(counts)} times in {n} draws",
    )


def _anew(choices: Sequence[Sequence[Any]], draws: Sequence[tuple[Any, ...]]) -> Verdict | None:
    """Is a draw independent of the one before? Whether two in a row are equal is, of uniform draws, independent."""
    size, n = math.prod(len(options) for options in choices), len(draws) - 1
    equal = sum(one == other for one, other in pairwise(draws))
    low, high = count_range(n, 1 / size, DRAW_ALPHA)
    if low <= equal <= high:
        return None
    return fail(
        "dependent-draws",
        f"{equal} of {n} draws repeat the one before, about {n / size:.0f} expected: each call draws anew",
    )


class RandomSearch(SearchJudge):
    """`random_search`: each history against the log of calls, many of them against the uniform distribution."""

    exercise, lesson = "random_search", LESSON
    twice = ("repeats-proposals", "samples with replacement: {} was proposed twice")
    false_fail = RUN_COUNTS * RUN_ALPHA + SEEN_COUNTS * SEEN_ALPHA

    def judge_runs(self, instance: Instance, runs: Sequence[Run]) -> Verdict | None:
        """Over many runs, the distribution of what was proposed."""
        return _random_runs(
            space_of(instance), [[arch for arch, _ in run] for run in runs], instance["budget"]
        )


def _random_runs(space: Any, runs: list[list[tuple[Any, ...]]], budget: int) -> Verdict | None:
    """Judge many runs, each from a seed of its own."""
    count, size = len(runs), len(space)
    picked = Counter(arch for run in runs for arch in run)
    low, high = count_range(count, budget / size, RUN_ALPHA)
    for arch in space:
        if not low <= picked[arch] <= high:
            return fail(
                "not-uniform",
                f"draws are not uniform: {show(list(arch), 110)} was in {picked[arch]} of {count} runs "
                f"(about {count * budget / size:.0f} expected)",
            )
    # An architecture and the next should have nothing in common; a neighbour comes once in ten by chance.
    close = sum(sum(a != b for a, b in zip(run[0], run[1])) == 1 for run in runs)
    near = sum(len(options) - 1 for options in space.choices) / (size - 1)
    if close > count_range(count, near, RUN_ALPHA)[1]:
        return fail(
            "not-independent",
            f"the second architecture is a neighbour of the first in {close} of {count} runs: draw anew",
        )
    steps = Counter((space.index(run[1]) - space.index(run[0])) % size for run in runs)
    step, times = steps.most_common(1)[0]
    if times > count_range(count, 1 / (size - 1), RUN_ALPHA)[1]:
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
                low, high = count_range(n, 1 / len(options), RUN_ALPHA)
                if not low <= times <= high:
                    return fail(
                        "not-uniform",
                        f"draws are not uniform: {times} of {n} architectures ({what} of each run) "
                        f"have {show(option)} as decision {place}",
                    )
    return _beside_the_seen(space, runs)


def _beside_the_seen(space: Any, runs: list[list[tuple[Any, ...]]]) -> Verdict | None:
    """What is drawn next: any of the unseen, or one that stands beside what was seen, or in its own place?

    Given what was seen, the next is uniform among the unseen; so are the counts' bounds (Hoeffding 1956).
    """
    archs = list(space)
    place = {arch: row for row, arch in enumerate(archs)}
    near = np.zeros((len(archs), len(archs)), dtype=int)
    for row, arch in enumerate(archs):
        near[row, [place[one] for one in space.neighbors(arch)]] = 1
    two_apart = (near @ near > 0) & (near == 0) & ~np.eye(len(archs), dtype=bool)
    taken = np.array([[place[arch] for arch in run] for run in runs])
    rows, seen = np.arange(len(runs)), np.zeros((len(runs), len(archs)), dtype=bool)
    excess, variance, farthest = 0.0, 0.0, 0.0
    hits: dict[str, int] = defaultdict(int)
    chances: dict[str, float] = defaultdict(float)
    for step, (last, now) in enumerate(pairwise(taken.T), start=1):
        seen[rows, last] = True
        left = len(archs) - step
        around = np.where(seen, 0, seen @ near)
        own = np.zeros_like(seen)
        own[:, step] = True
        mean = around.sum(axis=1) / left
        excess += float((around[rows, now] - mean).sum())
        variance += float(((around**2).sum(axis=1) / left - mean**2).sum())
        farthest = max(farthest, float(np.abs(np.where(seen, 0, around - mean[:, None])).max()))
        events = {
            "that follow one of the seen in the order of the space": np.roll(seen, 1, axis=1),
            "that come before one of the seen in the order of the space": np.roll(seen, -1, axis=1),
            "beside the last one": near[last] > 0,
            "two decisions from the last one": two_apart[last],
            "whose place in the run is their own in the order of the space": own,
        }
        for what, some in events.items():
            hits[what] += int(some[rows, now].sum())
            chances[what] += float((some & ~seen).sum() / left)
    times = len(runs) * (taken.shape[1] - 1)
    for what in hits:
        low, high = count_range(times, chances[what] / times, SEEN_ALPHA)
        if not low <= hits[what] <= high:
            return fail(
                "not-independent",
                f"of the architectures not seen yet, those {what} are taken in {hits[what]} of {times} cases, "
                f"about {chances[what]:.0f} expected: each is as likely as the others",
            )
    # The excess is a sum of steps that are 0 on average, given those before: Freedman's inequality (1975).
    if variance and 2 * math.exp(-(excess**2) / 2 / (variance + farthest * abs(excess) / 3)) < SEEN_ALPHA:
        more = f"{abs(excess) / times:.2f} {'more' if excess > 0 else 'fewer'}"
        return fail(
            "not-independent",
            f"what comes in place of a repeat depends on what was seen: a new architecture has {more} neighbours "
            f"among those before it than one that is not seen yet has on average: draw anew instead",
        )
    return None


class PairedBootstrap(Judge):
    """`paired_bootstrap`: the ends of the interval may differ from the exact ones as far as so many resamples allow."""

    exercise, lesson = "paired_bootstrap", LESSON
    false_fail = INTERVALS * 4 * END_ALPHA + AGREE

    def explained(self, instances: Sequence[Instance], answers: Sequence[Answer]) -> dict[int, Verdict]:
        """The mistake that explains all intervals, where some are wrong."""
        try:
            found = {
                place: (_sample(instance), _result(answer.value["results"][0]))
                for place, (instance, answer) in enumerate(zip(instances, answers))
                if "bad" not in instance and answer.error is None
            }
        except Exception:  # plain data can be anything: `judge` says what is wrong with it
            return {}
        wrong = [place for place, (sample, (_, *ends)) in found.items() if not sample.is_right(*ends)]
        if not wrong or any(sample.judge_mean(mean) for sample, (mean, *_) in found.values()):
            return {}
        fewer = {
            place: said
            for place, (sample, (_, *ends)) in found.items()
            if (said := sample.judge_interval(*ends)) and said.concept.endswith("-resamples")
        }
        if all(high - low <= sample.near for sample, (_, low, high) in found.values()):
            return {}
        too_few = next((one for one in fewer.values() if one.concept == "too-few-resamples"), None)
        if too_few:
            return dict.fromkeys([*wrong, *fewer], too_few)
        fits = [sample.explanations(*ends) for sample, (_, *ends) in found.values()]
        common = set.intersection(*map(set, fits))
        if len({concept for concept, _ in common}) == 1:
            concept, message = min(common, key=lambda one: sum(fit[one] for fit in fits))
            return dict.fromkeys(wrong, fail(concept, message))
        return dict.fromkeys([*wrong, *fewer], next(iter(fewer.values()))) if fewer else {}

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """The mean, then the interval, then where the randomness comes from."""
        results = [_result(one) for one in rows(answer.value["results"], len(instance["seeds"]), self.name)]
        sample = _sample(instance)
        for mean, low, high in results:
            verdict = sample.judge_mean(mean) or sample.judge_interval(low, high)
            if verdict:
                return verdict
        if instance.get("repeats"):
            first, again, *others = results
            if not sample.same(first, again):
                return fail(
                    "ignores-rng",
                    "two generators with the same seed give different intervals: draw from `rng` only",
                )
            if all(sample.same(first, other) for other in others):
                return fail(
                    "fixed-seed",
                    "generators with different seeds give the same interval: use the `rng` passed in",
                )
        if instance.get("default"):
            following = answer.value["following"]
            if not sample.same(*results) or following[0] != following[1]:
                return fail(
                    "default-resamples",
                    "without `resamples` it must draw 10,000 resamples: your result is not that of "
                    "resamples=10_000 with the same seed",
                )
        if answer.value["odd"] is not None:
            what = show(answer.value["odd"], quote=False)
            return fail("wrong-type", f"the interval should be a tuple (low, high), not {what}", CONDUCT)
        return RIGHT


def _sample(instance: Instance) -> PairedSample:
    return PairedSample(
        np.array(instance["a"]), np.array(instance["b"]), instance["unit"], instance["resamples"], END_ALPHA
    )


def _result(value: Any) -> tuple[float, float, float]:
    """(mean, low, high) from (mean, (low, high))."""
    form = "(mean, (low, high))"
    if type(value) is not list:
        what = show(scalar(value))
        raise Unacceptable("wrong-shape", f"paired_bootstrap should return {form}, not {what}")
    if len(value) == 3 and all(is_number(scalar(one)) for one in value):
        raise Unacceptable(
            "wrong-shape", f"paired_bootstrap should return {form}: the interval is a pair of its own"
        )
    if len(value) != 2:
        raise Unacceptable("wrong-shape", f"paired_bootstrap should return {form}, not {len(value)} things")
    mean, ends = value
    ends = ends.tolist() if isinstance(ends, np.ndarray) else ends
    if type(ends) is not list or len(ends) != 2:
        raise Unacceptable(
            "wrong-shape", f"paired_bootstrap should return {form}, its second part is {show(ends)}"
        )
    numbers = number(mean, "the mean"), number(ends[0], "the low end"), number(ends[1], "the high end")
    if not all(math.isfinite(one) for one in numbers):
        raise Unacceptable("not-finite", f"paired_bootstrap returned {show(list(numbers))}")
    return numbers
