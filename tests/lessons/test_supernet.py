"""What the judges of lesson 05 rest on: bounds that the mildest mistakes overstep, and right code keeps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import solutions
from nas_lib import checks
from nas_lib.checks import InProcess
from nas_lib.checks.histories import space_of
from nas_lib.checks.supernet.search import ISOLATED, cost_of
from nas_lib.judges import judge_of
from nas_lib.judges.statistics import count_range
from nas_lib.judges.supernet import ALPHA, EvolveUnderConstraintJudge

LESSON = "05_supernet"
REFERENCE = solutions.load(LESSON)
MISSED = 1e-6  # a mistake that is listed may pass as often


def most(n, k, size=None):
    """How often the half of k outcomes that come most often, or so many of them, may come in n draws."""
    size = k // 2 if size is None else size
    return count_range(n, size / k, 2 * ALPHA / math.comb(k, size))[1]


def test_a_biased_draw_and_a_naive_shuffle_are_beyond_chance():
    """int(10 * u) % 4 gives two of four options 6/10, integers(16) % 3 one of three 6/16; swapping with anyone gives
    three of six orders 15/27, and four swaps of two random places 18 of 24 orders 13/16."""
    (draws, _, many, *_), (shuffles, four, *_) = (
        checks.exercise(name, LESSON).instances(0) for name in ("sample_path", "fair_paths")
    )
    assert {len(options) for options in draws["choices"]} == {4}
    n = draws["count"] * len(draws["choices"])
    assert stats.binom.cdf(most(n, 4), n, 6 / 10) < MISSED
    assert {len(options) for options in shuffles["choices"]} == {3}
    n = shuffles["count"] * len(shuffles["choices"])
    assert stats.binom.cdf(most(n, 6), n, 15 / 27) < MISSED
    assert {len(options) for options in many["choices"]} == {3}
    n = many["count"] * len(many["choices"])
    assert stats.binom.cdf(most(n, 3), n, 6 / 16) < MISSED
    assert {len(options) for options in four["choices"]} == {4}
    n = four["count"] * len(four["choices"])
    assert stats.binom.cdf(most(n, 24, 18), n, 13 / 16) < MISSED


def test_a_child_is_told_from_a_random_architecture():
    """Of 3^6 architectures all but 73 differ from a given one in more than two decisions."""
    judge, far = EvolveUnderConstraintJudge(), 1 - (1 + 12 + 60) / 3**6
    item = checks.exercise("evolve_under_constraint", LESSON)
    cases = [one for one in item.instances(0) if one.get("_judged") in ("child", "random")]
    assert [len(one["choices"]) for one in cases] == [6, 6]
    runs = len(cases[0]["seeds"]) - 1
    assert stats.binom.cdf(judge.FAR_CHILDREN, runs, far) < MISSED  # random ones in the place of children
    assert stats.binom.cdf(judge.FAR_DRAWS, runs, far) < 1e-9  # random ones where they belong


def test_what_descends_from_one_architecture_is_told_from_random_draws():
    """Of 4^6 architectures all but 154 of 4,096 differ from a given one in more than two decisions; one mutant in six
    keeps the narrow limit, so that 20 tries hardly ever fail."""
    judge, item = EvolveUnderConstraintJudge(), checks.exercise("evolve_under_constraint", LESSON)
    wide, narrow = (one for one in item.instances(0) if one.get("_judged") == "descent")
    assert all(cost_of(wide, arch) <= wide["limit"] for arch in space_of(wide))
    space = space_of(narrow)
    within = [arch for arch in space if cost_of(narrow, arch) <= narrow["limit"]]
    shares = [
        np.mean([cost_of(narrow, one) <= narrow["limit"] for one in space.neighbors(arch)]) for arch in within
    ]
    assert 0.1 < np.mean(shares) < 0.2
    runs, after = len(narrow["seeds"]) - 1, narrow["budget"] - 1
    missed = np.mean([(1 - share) ** 20 for share in shares])
    high = judge.STRAY_NARROW * after * runs
    assert stats.binom.sf(high, after * runs, missed) < 1e-6  # though each of them were far from all before


def test_single_architectures_are_within_their_limits():
    """The traps are the same in each course: one architecture keeps the limit, and six that no mutation joins."""
    item = checks.exercise("evolve_under_constraint", LESSON)
    for seed in range(20):
        for case in item.instances(seed):
            within = [arch for arch in space_of(case) if cost_of(case, arch) <= case["limit"]]
            if "a single" in case.get("about", ""):
                assert len(within) == 1
            if case.get("_judged") == "isolated":
                apart = [sum(a != b for a, b in zip(x, y)) for x in within for y in within if x != y]
                assert len(within) == ISOLATED and set(apart) == {3}
                # Whoever goes on from a random index to the next one that fits takes the first of them this often:
                share = 1 - within_places(case, within)[-1] / len(list(space_of(case)))
                n = case["budget"] * (len(case["seeds"]) - 1)
                high = count_range(n, 1 / ISOLATED, 2 * ALPHA / ISOLATED ** (len(case["seeds"]) - 1))[1]
                assert stats.binom.cdf(high, n, share) < MISSED


def within_places(case, within):
    """Their indices in the space."""
    return [index for index, arch in enumerate(space_of(case)) if arch in within]


@pytest.mark.slow
def test_right_searches_stay_far_above_the_threshold_of_selection():
    """What `false_fail` of evolve_under_constraint stands on: the share of the way to the best, over many seeds."""
    item = checks.exercise("evolve_under_constraint", LESSON)
    judge = judge_of(item)
    others = [one.make(REFERENCE) for one in REFERENCE.MISTAKES[item.name] if not one.is_wrong]
    shares = []
    for seed in range(60):
        instances = [
            one for one in checks.instances_of(item, seed) if one.get("_judged") in ("selection", "climb")
        ]
        for fn in (REFERENCE.evolve_under_constraint, *others):
            answers = InProcess({item.name: fn}).collect(item, item.name, instances)
            shares += [judge.share_of(*pair) for pair in zip(instances, answers)]
    assert min(shares) > 2 * judge.SHARE, np.quantile(shares, [0, 0.01, 0.1, 0.5])
