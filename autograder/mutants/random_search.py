"""Wrong and right implementations of lesson 01's exercises."""

# Learners write no type hints, and some of these are wrong about types on purpose.
# mypy: ignore-errors

from __future__ import annotations

import itertools
import math
import random
import types

import numpy as np
from scipy import stats

from autograder.gate.concepts import says
from autograder.gate.registry import alternative, mutant
from nas_lib.search import History, RandomSearch

says(
    {
        "biased": r"draws are biased",
        "dependent-decisions": r"are not independent: .* draw each decision anew",
        "wrong-options": r"from its own options",
        "hard-codes-the-space": r"need not be one of cells",
        "indices-not-options": r"return the options",
        "not-random": r"every draw is the same",
        "repeats-proposals": r"samples with replacement",
        "over-budget": r"times.* with a budget of",
        "not-evaluated": r"for which the objective was not called",
        "wrong-order": r"not in the order of evaluation",
        "mismatched-values": r"do not belong together",
        "incumbents-not-values": r"are the best so far; they should be",
        "negated": r"wrong sign",
        "not-uniform": r"draws are not uniform",
        "not-independent": r"a neighbour of the first|not independent of the first",
        "not-an-arch": r"which is no architecture",
        "raw-values": r"the values themselves",
        "final-best": r"stands everywhere",
        "starts-at-zero": r"starts at 0",
        "last-two-only": r"only neighbours are compared",
        "late-by-one": r"late by one",
        "sorts-values": r"the values are sorted",
        "indices": r"these are positions",
        "sign-flipped": r"the sign is flipped",
        "no-incumbent": r"the regret of each evaluation",
        "clipped": r"negative regret was cut off",
        "absolute": r"the absolute value",
        "own-best": r"the best of `values` is not the optimum",
        "incumbent-not-regret": r"this is the incumbent",
        "relative": r"not a share of `best`",
        "cumulative": r"adds regrets up",
        "rounds-down": r"rounded down",
        "rounds-to-nearest": r"rounded to the nearest",
        "capped": r"is no upper limit",
        "looks-ahead": r"what is still to come",
        "strict": r"“at least” includes equality",
        "miss-and-hit": r"to 1 − confidence, not to confidence",
        "linear": r"were added up",
        "ignores-confidence": r"not enough for every confidence",
        "fraction-one": r"with fraction = 1 one draw|where everything is good enough",
        "unpaired": r"throws the pairing away",
        "median": r"\bmedians?\b",
        "mean-of-resamples": r"like the mean of the resamples",
        "wrong-level": r"percentiles .* 95 % lie between|np\.percentile counts to 100",
        "normal-approximation": r"a normal approximation",
        "basic-interval": r"mirrored at the mean",
        "no-resampling": r"\*with\* replacement for each resample",
        "no-mean": r"percentiles of single differences",
        "wrong-size": r"it must have all n",
        "centred": r"centred at zero",
        "reversed-interval": r"upside down",
        "ignores-resamples": r"`resamples` is not used",
        "too-few-resamples": r"as many as `resamples` says",
        "default-resamples": r"without `resamples`",
    }
)

# ---------------------------------------------------------------------------------------- sample_uniform


def _offered(space):
    if not space.choices or not all(space.choices):
        raise ValueError(f"space must offer options for each decision, got {space.choices!r}")
    return space.choices


@alternative("sample_uniform")
def by_choice(space, rng):
    return tuple(rng.choice(options) for options in _offered(space))  # numpy scalars


@alternative("sample_uniform")
def by_scaled_uniforms(space, rng):
    choices = _offered(space)
    return [options[int(u * len(options))] for u, options in zip(rng.random(len(choices)), choices)]


@alternative("sample_uniform")
def by_one_index(space, rng):
    sizes = [len(options) for options in _offered(space)]
    digits = np.unravel_index(rng.integers(math.prod(sizes)), sizes)
    return tuple(options[digit] for options, digit in zip(space.choices, digits))


@alternative("sample_uniform")
def by_shuffling_each(space, rng):
    return tuple(options[rng.permutation(len(options))[0]] for options in _offered(space))


@mutant("sample_uniform", concept="never-draws-the-last")
def leaves_out_the_last_option(space, rng):
    return tuple(options[rng.integers(0, max(1, len(options) - 1))] for options in _offered(space))


@mutant("sample_uniform", concept="never-draws-the-first")
def leaves_out_the_first_option(space, rng):
    return tuple(options[rng.integers(min(1, len(options) - 1), len(options))] for options in _offered(space))


@mutant("sample_uniform", concept="biased")
def rounds_to_the_nearest_option(space, rng):
    return tuple(options[round(rng.random() * (len(options) - 1))] for options in _offered(space))


@mutant("sample_uniform", concept="biased")
def bell_shaped(space, rng):
    return tuple(options[int(len(options) * rng.beta(2, 2))] for options in _offered(space))


@mutant("sample_uniform", concept="biased")
def keeps_the_first_option_half_of_the_time(space, rng):
    return tuple(
        options[0] if rng.random() < 0.5 else options[rng.integers(len(options))]
        for options in _offered(space)
    )


@mutant("sample_uniform", concept="dependent-decisions")
def one_position_for_all_decisions(space, rng):
    u = rng.random()
    return tuple(options[int(u * len(options))] for options in _offered(space))


@mutant("sample_uniform", concept="dependent-decisions")
def no_option_twice_in_a_row(space, rng):
    names = []
    for options in _offered(space):
        allowed = [option for option in options if not names or option != names[-1]] or list(options)
        names.append(allowed[rng.integers(len(allowed))])
    return tuple(names)


@mutant("sample_uniform", concept="wrong-options")
def options_of_the_first_decision(space, rng):
    options = _offered(space)[0]
    return tuple(options[rng.integers(len(options))] for _ in space.choices)


@mutant("sample_uniform", concept="hard-codes-the-space")
def ops_of_the_cell_space(space, rng):
    return tuple(space.ops[rng.integers(len(space.ops))] for _ in space.edges)


@mutant("sample_uniform", concept="indices-not-options")
def positions_instead_of_options(space, rng):
    return tuple(int(rng.integers(len(options))) for options in _offered(space))


@mutant("sample_uniform", concept="indices-not-options")
def number_of_the_architecture(space, rng):
    return rng.integers(math.prod(len(options) for options in _offered(space)))


@mutant("sample_uniform", concept="ignores-rng")
def python_s_own_generator(space, rng):
    return tuple(random.choice(options) for options in _offered(space))


@mutant("sample_uniform", concept="ignores-rng")
def numpy_s_global_generator(space, rng):
    return tuple(options[np.random.randint(len(options))] for options in _offered(space))  # noqa: NPY002


@mutant("sample_uniform", concept="not-random")
def seeds_anew_at_each_call(space, rng):
    rng = np.random.default_rng(0)
    return tuple(options[rng.integers(len(options))] for options in _offered(space))


@mutant("sample_uniform", concept="accepts-bad-input")
def nothing_from_nothing(space, rng):
    return tuple(options[rng.integers(len(options))] for options in space.choices)


@mutant("sample_uniform", concept="uses-the-library")
def asks_the_space(space, rng):
    return space.sample(rng)


# ----------------------------------------------------------------------------------------- random_search


def _affordable(budget, space):
    if not 1 <= budget <= len(space):
        raise ValueError(f"budget must be from 1 to {len(space)}, got {budget!r}")


def _finite(value):
    if not math.isfinite(value):
        raise ValueError(f"objective must return a number, got {value!r}")
    return value


def _distinct(space, count, rng):
    archs = []
    while len(archs) < count:
        arch = space.sample(rng)
        if arch not in archs:
            archs.append(arch)
    return archs


@alternative("random_search")
def by_permuting_indices(objective, space, budget, rng):
    _affordable(budget, space)
    archs = [space.from_index(int(index)) for index in rng.permutation(len(space))[:budget]]
    return History(archs, np.array([_finite(objective(arch)) for arch in archs]))


@alternative("random_search")
def by_choice_without_replacement(objective, space, budget, rng):
    _affordable(budget, space)
    everything = list(itertools.product(*space.choices))
    archs = [everything[index] for index in rng.choice(len(everything), size=budget, replace=False)]
    return History(archs, [_finite(objective(list(arch))) for arch in archs])


@alternative("random_search")
def by_a_dict_of_values(objective, space, budget, rng):
    _affordable(budget, space)
    values = {}
    while len(values) < budget:
        arch = tuple(options[rng.integers(len(options))] for options in space.choices)
        if arch not in values:
            values[arch] = _finite(objective(arch))
    return History(list(values), np.fromiter(values.values(), dtype=np.float64))


@alternative("random_search")
def by_shuffling_and_popping(objective, space, budget, rng):
    _affordable(budget, space)
    left = [space.from_index(index) for index in range(len(space))]
    rng.shuffle(left)
    archs = [left.pop() for _ in range(budget)]
    # Any object with these two will do.
    return types.SimpleNamespace(archs=archs, values=[_finite(objective(arch)) for arch in archs])


@mutant("random_search", concept="repeats-proposals")
def draws_with_replacement(objective, space, budget, rng):
    _affordable(budget, space)
    archs = [space.sample(rng) for _ in range(budget)]
    return History(archs, np.array([_finite(objective(arch)) for arch in archs]))


@mutant("random_search", concept="wrong-length")
def repeats_shorten_the_history(objective, space, budget, rng):
    _affordable(budget, space)
    archs = list(dict.fromkeys(space.sample(rng) for _ in range(budget)))
    return History(archs, np.array([_finite(objective(arch)) for arch in archs]))


@mutant("random_search", concept="wrong-length")
def one_short(objective, space, budget, rng):
    _affordable(budget, space)
    archs = _distinct(space, budget, rng)[: max(1, budget - 1)]
    return History(archs, np.array([_finite(objective(arch)) for arch in archs]))


@mutant("random_search", concept="wrong-length")
def keeps_improvements_only(objective, space, budget, rng):
    _affordable(budget, space)
    archs, values = [], []
    for arch in _distinct(space, budget, rng):
        value = _finite(objective(arch))
        if not values or value > values[-1]:
            archs.append(arch)
            values.append(value)
    return History(archs, np.array(values))


@mutant("random_search", concept="over-budget")
def evaluates_before_it_looks_for_repeats(objective, space, budget, rng):
    _affordable(budget, space)
    archs, values = [], []
    while len(archs) < budget:
        arch = space.sample(rng)
        value = _finite(objective(arch))
        if arch not in archs:
            archs.append(arch)
            values.append(value)
    return History(archs, np.array(values))


@mutant("random_search", concept="over-budget")
def evaluates_twice(objective, space, budget, rng):
    _affordable(budget, space)
    archs = [arch for arch in _distinct(space, budget, rng) if _finite(objective(arch)) is not None]
    return History(archs, np.array([objective(arch) for arch in archs]))


@mutant("random_search", concept="over-budget")
def evaluates_one_more(objective, space, budget, rng):
    _affordable(budget, space)
    archs = _distinct(space, min(budget + 1, len(space)), rng)
    values = [_finite(objective(arch)) for arch in archs]
    return History(archs[:budget], np.array(values[:budget]))


@mutant("random_search", concept="not-evaluated")
def records_another_architecture(objective, space, budget, rng):
    _affordable(budget, space)
    archs, values = [], []
    while len(archs) < budget:
        value = _finite(objective(space.sample(rng)))
        arch = space.sample(rng)
        if arch not in archs:
            archs.append(arch)
            values.append(value)
        elif len(space) == budget:
            return by_permuting_indices(objective, space, budget, rng)
    return History(archs, np.array(values))


@mutant("random_search", concept="wrong-order")
def sorted_by_value(objective, space, budget, rng):
    _affordable(budget, space)
    pairs = [(_finite(objective(arch)), arch) for arch in _distinct(space, budget, rng)]
    pairs.sort(key=lambda pair: pair[0], reverse=True)
    return History([arch for _, arch in pairs], np.array([value for value, _ in pairs]))


@mutant("random_search", concept="mismatched-values")
def sorted_values_only(objective, space, budget, rng):
    _affordable(budget, space)
    archs = _distinct(space, budget, rng)
    return History(archs, np.sort([_finite(objective(arch)) for arch in archs]))


@mutant("random_search", concept="incumbents-not-values")
def records_the_best_so_far(objective, space, budget, rng):
    _affordable(budget, space)
    archs = _distinct(space, budget, rng)
    return History(archs, np.maximum.accumulate([_finite(objective(arch)) for arch in archs]))


@mutant("random_search", concept="negated")
def minimises(objective, space, budget, rng):
    _affordable(budget, space)
    archs = _distinct(space, budget, rng)
    return History(archs, np.array([-_finite(objective(arch)) for arch in archs]))


@mutant("random_search", concept="fixed-seed")
def in_index_order(objective, space, budget, rng):
    _affordable(budget, space)
    archs = [space.from_index(index) for index in range(budget)]
    return History(archs, np.array([_finite(objective(arch)) for arch in archs]))


@mutant("random_search", concept="fixed-seed")
def seeds_its_own_generator(objective, space, budget, rng):
    return by_permuting_indices(objective, space, budget, np.random.default_rng(0))


@mutant("random_search", concept="ignores-rng")
def unseeded_generator(objective, space, budget, rng):
    return by_permuting_indices(objective, space, budget, np.random.default_rng())


@mutant("random_search", concept="not-uniform")
def shuffles_the_first_ones_only(objective, space, budget, rng):
    _affordable(budget, space)
    archs = [space.from_index(int(index)) for index in rng.permutation(budget)]
    return History(archs, np.array([_finite(objective(arch)) for arch in archs]))


@mutant("random_search", concept="not-uniform")
def first_option_preferred(objective, space, budget, rng):
    _affordable(budget, space)
    archs = []
    while len(archs) < budget:
        arch = tuple(options[int(len(options) * rng.random() ** 1.8)] for options in space.choices)
        if arch not in archs:
            archs.append(arch)
    return History(archs, np.array([_finite(objective(arch)) for arch in archs]))


@mutant("random_search", concept="not-independent")
def a_walk_through_the_neighbours(objective, space, budget, rng):
    _affordable(budget, space)
    archs = [space.sample(rng)]
    while len(archs) < budget:
        unseen = [arch for arch in space.neighbors(archs[-1]) if arch not in archs]
        archs.append(unseen[rng.integers(len(unseen))] if unseen else _distinct_from(archs, space, rng))
    return History(archs, np.array([_finite(objective(arch)) for arch in archs]))


@mutant("random_search", concept="not-independent")
def every_seventh_from_a_random_one_on(objective, space, budget, rng):
    _affordable(budget, space)
    start, size = int(rng.integers(len(space))), len(space)
    indices = dict.fromkeys((start + 7 * t) % size for t in range(size))
    indices = list(dict.fromkeys([*indices, *range(size)]))[:budget]
    archs = [space.from_index(index) for index in indices]
    return History(archs, np.array([_finite(objective(arch)) for arch in archs]))


def _distinct_from(archs, space, rng):
    while (arch := space.sample(rng)) in archs:
        pass
    return arch


@mutant("random_search", concept="not-an-arch")
def evaluates_numbers(objective, space, budget, rng):
    _affordable(budget, space)
    archs = _distinct(space, budget, rng)
    return History(archs, np.array([_finite(objective(space.index(arch))) for arch in archs]))


@mutant("random_search", concept="wrong-type")
def returns_the_best_only(objective, space, budget, rng):
    _affordable(budget, space)
    return max(_distinct(space, budget, rng), key=objective)


@mutant("random_search", concept="accepts-bad-input")
def waits_for_more_than_there_is(objective, space, budget, rng):
    if budget < 1:
        raise ValueError(f"budget must be positive, got {budget}")
    archs = _distinct(space, budget, rng)
    return History(archs, np.array([objective(arch) for arch in archs]))


@mutant("random_search", concept="accepts-bad-input")
def spends_what_there_is(objective, space, budget, rng):
    if budget < 1:
        raise ValueError(f"budget must be positive, got {budget}")
    return by_permuting_indices(objective, space, min(budget, len(space)), rng)


@mutant("random_search", concept="accepts-bad-input")
def empty_history_for_no_budget(objective, space, budget, rng):
    return by_permuting_indices(objective, space, budget, rng) if budget else History([], np.array([]))


@mutant("random_search", concept="accepts-bad-input")
def nan_counts_as_zero(objective, space, budget, rng):
    _affordable(budget, space)
    archs = _distinct(space, budget, rng)
    return History(archs, np.nan_to_num([objective(arch) for arch in archs]))


@mutant("random_search", concept="over-budget")
def evaluates_everything_and_picks(objective, space, budget, rng):
    _affordable(budget, space)
    values = {arch: _finite(objective(arch)) for arch in space}
    archs = _distinct(space, budget, rng)
    return History(archs, np.array([values[arch] for arch in archs]))


@mutant("random_search", concept="uses-the-library")
def asks_the_library_s_searcher(objective, space, budget, rng):
    _affordable(budget, space)
    searcher = RandomSearch(space, rng)
    archs = [searcher.ask() for _ in range(budget)]
    return History(archs, np.array([_finite(objective(arch)) for arch in archs]))


# --------------------------------------------------------------------------------------- incumbent_curve


def _numbers(values):
    values = np.array(values, dtype=float)
    if values.size == 0 or np.isnan(values).any():
        raise ValueError(f"values must be numbers, got {values!r}")
    return values


@alternative("incumbent_curve")
def by_a_loop(values):
    best, curve = -math.inf, []
    for value in _numbers(values).tolist():
        best = max(best, value)
        curve.append(best)
    return curve  # a list


@alternative("incumbent_curve")
def by_accumulate(values):
    return np.array(list(itertools.accumulate(_numbers(values), max)), dtype=np.float32)


@alternative("incumbent_curve")
def by_a_triangle(values):
    values = _numbers(values)
    return np.where(np.tri(len(values), dtype=bool), values, -np.inf).max(axis=1)


@alternative("incumbent_curve")
def by_recursion(values):
    values = list(_numbers(values))
    if len(values) == 1:
        return tuple(values)
    before = by_recursion(values[:-1])
    return (*before, max(before[-1], values[-1]))


@mutant("incumbent_curve", concept="minimum")
def best_is_the_minimum(values):
    return np.minimum.accumulate(_numbers(values))


@mutant("incumbent_curve", concept="raw-values")
def values_as_they_are(values):
    return _numbers(values)


@mutant("incumbent_curve", concept="final-best")
def best_of_all(values):
    values = _numbers(values)
    return np.full(len(values), values.max())


@mutant("incumbent_curve", concept="one-number")
def best_only(values):
    return _numbers(values).max()


@mutant("incumbent_curve", concept="starts-at-zero")
def starts_from_zero(values):
    best, curve = 0.0, []
    for value in _numbers(values):
        best = max(best, value)
        curve.append(best)
    return np.array(curve)


@mutant("incumbent_curve", concept="last-two-only")
def compares_neighbours(values):
    values = _numbers(values)
    return np.array([values[0], *np.maximum(values[:-1], values[1:])])


@mutant("incumbent_curve", concept="late-by-one")
def late_by_one(values):
    best = np.maximum.accumulate(_numbers(values))
    return np.concatenate([best[:1], best[:-1]])


@mutant("incumbent_curve", concept="sorts-values")
def sorts(values):
    return np.sort(_numbers(values))


@mutant("incumbent_curve", concept="looks-ahead")
def best_of_the_future(values):
    return np.maximum.accumulate(_numbers(values)[::-1])[::-1]


@mutant("incumbent_curve", concept="indices")
def positions_of_the_best(values):
    values = _numbers(values)
    return np.array([values[: t + 1].argmax() for t in range(len(values))])


@mutant("incumbent_curve", concept="wrong-length")
def one_entry_short(values):
    return np.maximum.accumulate(_numbers(values))[1:]


@mutant("incumbent_curve", concept="wrong-length")
def one_entry_per_improvement(values):
    return np.unique(np.maximum.accumulate(_numbers(values)))


@mutant("incumbent_curve", concept="mutates-input")
def works_in_place(values):
    if len(values) == 0 or np.isnan(np.asarray(values)).any():
        raise ValueError("values must be numbers")
    for t in range(1, len(values)) if not isinstance(values, tuple) else ():
        values[t] = max(values[t - 1], values[t])
    return np.maximum.accumulate(values)


@mutant("incumbent_curve", concept="accepts-bad-input")
def nan_spreads(values):
    if len(values) == 0:
        raise ValueError("values must not be empty")
    return np.maximum.accumulate(np.asarray(values, dtype=float))


@mutant("incumbent_curve", concept="accepts-bad-input")
def nothing_is_fine(values):
    if np.isnan(np.asarray(values, dtype=float)).any():
        raise ValueError("values must be numbers")
    return np.maximum.accumulate(np.asarray(values, dtype=float))


@mutant("incumbent_curve", concept="uses-the-library")
def asks_the_history(values):
    return History(list(values), _numbers(values)).incumbent()


# ----------------------------------------------------------------------------------------- simple_regret


@alternative("simple_regret")
def regret_by_a_loop(values, best):
    regret, curve = math.inf, []
    for value in _numbers(values):
        regret = min(regret, best - value)
        curve.append(regret)
    return curve


@alternative("simple_regret")
def regret_by_running_minimum(values, best):
    return np.minimum.accumulate(np.float32(best) - _numbers(values).astype(np.float32))


@alternative("simple_regret")
def regret_by_prefixes(values, best):
    values = _numbers(values).tolist()
    return tuple(best - max(values[: t + 1]) for t in range(len(values)))


@mutant("simple_regret", concept="sign-flipped")
def incumbent_minus_best(values, best):
    return np.maximum.accumulate(_numbers(values)) - best


@mutant("simple_regret", concept="no-incumbent")
def regret_of_each_evaluation(values, best):
    return best - _numbers(values)


@mutant("simple_regret", concept="clipped")
def never_negative(values, best):
    return np.maximum(best - np.maximum.accumulate(_numbers(values)), 0)


@mutant("simple_regret", concept="absolute")
def absolute_distance(values, best):
    return np.abs(best - np.maximum.accumulate(_numbers(values)))


@mutant("simple_regret", concept="own-best")
def best_of_the_run(values, best):
    values = _numbers(values)
    return values.max() - np.maximum.accumulate(values)


@mutant("simple_regret", concept="minimum")
def worst_so_far(values, best):
    return best - np.minimum.accumulate(_numbers(values))


@mutant("simple_regret", concept="incumbent-not-regret")
def incumbent_itself(values, best):
    return np.maximum.accumulate(_numbers(values))


@mutant("simple_regret", concept="relative")
def share_of_the_best(values, best):
    return (best - np.maximum.accumulate(_numbers(values))) / best


@mutant("simple_regret", concept="cumulative")
def cumulative_regret(values, best):
    return np.cumsum(best - _numbers(values))


@mutant("simple_regret", concept="one-number")
def final_regret_only(values, best):
    return best - _numbers(values).max()


@mutant("simple_regret", concept="mutates-input")
def subtracts_in_place(values, best):
    if len(values) == 0 or np.isnan(np.asarray(values)).any():
        raise ValueError("values must be numbers")
    if isinstance(values, np.ndarray) and values.dtype == float:
        np.maximum.accumulate(values, out=values)
    return best - np.maximum.accumulate(values)


@mutant("simple_regret", concept="accepts-bad-input")
def nan_in_regret(values, best):
    if len(values) == 0:
        raise ValueError("values must not be empty")
    return best - np.maximum.accumulate(np.asarray(values, dtype=float))


@mutant("simple_regret", concept="uses-the-library")
def asks_the_history_for_regret(values, best):
    return History(list(values), _numbers(values)).regret(best)


# ------------------------------------------------------------------------------ samples_for_top_fraction


def _in_range(fraction, confidence):
    if not (0 < fraction <= 1 and 0 < confidence < 1):
        raise ValueError(
            f"fraction must be in (0, 1] and confidence in (0, 1), got {fraction!r}, {confidence!r}"
        )


@alternative("samples_for_top_fraction")
def by_counting_up(fraction, confidence):
    _in_range(fraction, confidence)
    n, miss = 0, 1.0
    while 1 - miss < confidence:
        n, miss = n + 1, miss * (1 - fraction)
    return n


@alternative("samples_for_top_fraction")
def by_the_power_itself(fraction, confidence):
    _in_range(fraction, confidence)
    return next(n for n in itertools.count(1) if 1 - (1 - fraction) ** n >= confidence)


@alternative("samples_for_top_fraction")
def by_bisection(fraction, confidence):
    _in_range(fraction, confidence)
    low, high = 0, 1
    while 1 - (1 - fraction) ** high < confidence:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if 1 - (1 - fraction) ** middle >= confidence else (middle, high)
    return high


@alternative("samples_for_top_fraction")
def by_numpy_logarithms(fraction, confidence):
    _in_range(fraction, confidence)
    with np.errstate(divide="ignore"):
        return np.int64(max(1, np.ceil(np.log2(1 - confidence) / np.log2(1.0 - fraction))))


@alternative("samples_for_top_fraction")
def by_plain_logarithms(fraction, confidence):
    _in_range(fraction, confidence)
    return 1 if fraction == 1 else math.ceil(math.log10(1 - confidence) / math.log10(1 - fraction))


@alternative("samples_for_top_fraction")
def by_the_geometric_quantile(fraction, confidence):
    _in_range(fraction, confidence)
    return int(stats.geom.ppf(confidence, fraction)) if fraction < 1 else 1


def _exact(fraction, confidence):
    return math.log(1 - confidence) / math.log(1 - fraction) if fraction < 1 else 0.5


@mutant("samples_for_top_fraction", concept="rounds-down")
def floor_instead_of_ceil(fraction, confidence):
    _in_range(fraction, confidence)
    return max(1, math.floor(_exact(fraction, confidence)))


@mutant("samples_for_top_fraction", concept="rounds-down")
def truncates(fraction, confidence):
    _in_range(fraction, confidence)
    return int(_exact(fraction, confidence))


@mutant("samples_for_top_fraction", concept="rounds-to-nearest")
def rounds(fraction, confidence):
    _in_range(fraction, confidence)
    return max(1, round(_exact(fraction, confidence)))


@mutant("samples_for_top_fraction", concept="rounds-to-nearest")
def rounds_before_it_rounds_up(fraction, confidence):
    _in_range(fraction, confidence)
    return max(1, math.ceil(round(_exact(fraction, confidence), 1)))


@mutant("samples_for_top_fraction", concept="capped")
def never_more_than_there_are_cells(fraction, confidence):
    _in_range(fraction, confidence)
    return min(15_625, math.ceil(_exact(fraction, confidence)))


@mutant("samples_for_top_fraction", concept="strict")
def strictly_above(fraction, confidence):
    _in_range(fraction, confidence)
    return next(n for n in itertools.count(1) if 1 - (1 - fraction) ** n > confidence)


@mutant("samples_for_top_fraction", concept="strict")
def floor_plus_one(fraction, confidence):
    _in_range(fraction, confidence)
    return math.floor(_exact(fraction, confidence)) + 1


@mutant("samples_for_top_fraction", concept="off-by-one")
def one_more(fraction, confidence):
    _in_range(fraction, confidence)
    return math.ceil(_exact(fraction, confidence)) + 1


@mutant("samples_for_top_fraction", concept="swapped")
def arguments_swapped(fraction, confidence):
    _in_range(fraction, confidence)
    return math.ceil(_exact(confidence, fraction)) if fraction < 1 else 1


@mutant("samples_for_top_fraction", concept="miss-and-hit")
def confidence_instead_of_its_complement(fraction, confidence):
    _in_range(fraction, confidence)
    return math.ceil(math.log(confidence) / math.log(1 - fraction)) if fraction < 1 else 1


@mutant("samples_for_top_fraction", concept="linear")
def adds_chances_up(fraction, confidence):
    _in_range(fraction, confidence)
    return math.ceil(confidence / fraction)


@mutant("samples_for_top_fraction", concept="ignores-confidence")
def mean_waiting_time(fraction, confidence):
    _in_range(fraction, confidence)
    return math.ceil(1 / fraction)


@mutant("samples_for_top_fraction", concept="fraction-one")
def logarithm_of_zero(fraction, confidence):
    _in_range(fraction, confidence)
    return math.ceil(math.log(1 - confidence) / math.log(1 - fraction))


@mutant("samples_for_top_fraction", concept="fraction-one")
def no_draw_for_everything(fraction, confidence):
    _in_range(fraction, confidence)
    with np.errstate(divide="ignore"):
        return int(np.ceil(np.log(1 - confidence) / np.log(1.0 - fraction)))


@mutant("samples_for_top_fraction", concept="not-an-int")
def float_from_ceil(fraction, confidence):
    _in_range(fraction, confidence)
    return float(np.ceil(_exact(fraction, confidence)))


@mutant("samples_for_top_fraction", concept="not-whole")
def not_rounded(fraction, confidence):
    _in_range(fraction, confidence)
    return _exact(fraction, confidence)


@mutant("samples_for_top_fraction", concept="accepts-bad-input")
def any_confidence(fraction, confidence):
    if not 0 < fraction <= 1:
        raise ValueError("fraction must be in (0, 1]")
    confidence = min(confidence, 1 - 1e-12)
    return max(1, math.ceil(_exact(fraction, confidence)))


@mutant("samples_for_top_fraction", concept="accepts-bad-input")
def leaves_large_arguments_to_the_logarithm(fraction, confidence):
    if fraction <= 0 or confidence <= 0:
        raise ValueError("fraction and confidence must be positive")
    return max(1, math.ceil(math.log(1 - confidence) / math.log(1 - fraction))) if fraction != 1 else 1


@mutant("samples_for_top_fraction", concept="accepts-bad-input")
def a_confidence_of_one_is_fine(fraction, confidence):
    if not (0 < fraction <= 1 and 0 < confidence <= 1):
        raise ValueError("fraction and confidence must be in (0, 1]")
    return math.ceil(_exact(fraction, min(confidence, 1 - 1e-9)))


@mutant("samples_for_top_fraction", concept="accepts-bad-input")
def a_fraction_above_one_is_one(fraction, confidence):
    if not (0 < fraction and 0 < confidence < 1):
        raise ValueError("fraction must be above 0 and confidence in (0, 1)")
    return math.ceil(_exact(min(fraction, 1), confidence))


@mutant("samples_for_top_fraction", concept="accepts-bad-input")
def a_confidence_below_zero_is_zero(fraction, confidence):
    if not (0 < fraction <= 1 and confidence < 1 and confidence != 0):
        raise ValueError("fraction must be in (0, 1] and confidence in (0, 1)")
    return max(1, math.ceil(_exact(fraction, confidence)))


@mutant("samples_for_top_fraction", concept="accepts-bad-input")
def any_fraction(fraction, confidence):
    if not 0 < confidence < 1:
        raise ValueError("confidence must be in (0, 1)")
    n, miss = 0, 1.0
    while 1 - miss < confidence:  # for ever, where the fraction is 0
        n, miss = n + 1, miss * (1 - abs(fraction))
    return n


# -------------------------------------------------------------------------------------- paired_bootstrap


def _pairs(a, b, resamples=1):
    a, b = np.array(a, dtype=float), np.array(b, dtype=float)
    if a.shape != b.shape or len(a) < 2 or np.isnan(a - b).any() or resamples < 1:
        raise ValueError(f"a and b must be two or more pairs, got {a!r} and {b!r}; resamples {resamples!r}")
    return a, b


def _means(d, rng, resamples, size=None):
    size = len(d) if size is None else size
    return d[rng.integers(len(d), size=(resamples, size))].mean(axis=1)


def _ends(means, low=2.5, high=97.5):
    low, high = np.percentile(means, [low, high])
    return float(low), float(high)


@alternative("paired_bootstrap")
def vectorised(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    return (a - b).mean(), np.percentile(_means(a - b, rng, resamples), [2.5, 97.5])


@alternative("paired_bootstrap")
def by_counts_of_pairs(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    weights = rng.multinomial(len(a), np.full(len(a), 1 / len(a)), size=resamples) / len(a)
    means = np.sort(weights @ a - weights @ b)
    low, high = means[int(0.025 * resamples)], means[min(resamples - 1, int(0.975 * resamples))]
    return [np.mean(a - b), [low, high]]


@alternative("paired_bootstrap")
def by_scipy(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    found = stats.bootstrap((a - b,), np.mean, n_resamples=resamples, method="percentile", rng=rng)
    return float((a - b).mean()), tuple(found.confidence_interval)


@alternative("paired_bootstrap")
def in_single_precision(a, b, rng, resamples=10_000):
    d = np.float32(_pairs(a, b, resamples)[0]) - np.float32(b)
    means = np.array([rng.choice(d, size=len(d)).mean() for _ in range(resamples)])
    return d.mean(), (
        np.quantile(means, 0.025, method="inverted_cdf"),
        np.quantile(means, 0.975, method="higher"),
    )


@mutant("paired_bootstrap", concept="unpaired")
def resamples_each_on_its_own(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    return float((a - b).mean()), _ends(_means(a, rng, resamples) - _means(b, rng, resamples))


@mutant("paired_bootstrap", concept="swapped")
def b_minus_a(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    return float((b - a).mean()), _ends(_means(b - a, rng, resamples))


@mutant("paired_bootstrap", concept="median")
def median_of_differences(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    return float(np.median(a - b)), _ends(_means(a - b, rng, resamples))


@mutant("paired_bootstrap", concept="median")
def medians_of_resamples(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    d = a - b
    return float(d.mean()), _ends(np.median(d[rng.integers(len(d), size=(resamples, len(d)))], axis=1))


@mutant("paired_bootstrap", concept="mean-of-resamples")
def mean_of_the_resampled_means(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    means = _means(a - b, rng, resamples)
    return float(means.mean()), _ends(means)


@mutant("paired_bootstrap", concept="wrong-level")
def ninety_percent(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    return float((a - b).mean()), _ends(_means(a - b, rng, resamples), 5, 95)


@mutant("paired_bootstrap", concept="wrong-level")
def ninety_three_percent(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    return float((a - b).mean()), _ends(_means(a - b, rng, resamples), 3.5, 96.5)


@mutant("paired_bootstrap", concept="wrong-level")
def one_end_a_percent_off(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    return float((a - b).mean()), _ends(_means(a - b, rng, resamples), 2.5, 96.5)


@mutant("paired_bootstrap", concept="wrong-level")
def five_percent_below_none_above(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    return float((a - b).mean()), _ends(_means(a - b, rng, resamples), 5, 97.5)


@mutant("paired_bootstrap", concept="default-resamples")
def a_thousand_unless_told_otherwise(a, b, rng, resamples=1_000):
    a, b = _pairs(a, b, resamples)
    return float((a - b).mean()), _ends(_means(a - b, rng, resamples))


@mutant("paired_bootstrap", concept="default-resamples")
def one_resample_short_unless_told_otherwise(a, b, rng, resamples=9_999):
    a, b = _pairs(a, b, resamples)
    return float((a - b).mean()), _ends(_means(a - b, rng, resamples))


@mutant("paired_bootstrap", concept="wrong-level")
def percent_taken_for_fractions(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    return float((a - b).mean()), _ends(_means(a - b, rng, resamples), 0.025, 0.975)


@mutant("paired_bootstrap", concept="normal-approximation")
def standard_error_of_the_sample(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    d = a - b
    half = 1.96 * d.std(ddof=1) / math.sqrt(len(d))
    return float(d.mean()), (d.mean() - half, d.mean() + half)


@mutant("paired_bootstrap", concept="normal-approximation")
def standard_error_of_the_resamples(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    half = 1.96 * _means(a - b, rng, resamples).std()
    mean = float((a - b).mean())
    return mean, (mean - half, mean + half)


@mutant("paired_bootstrap", concept="normal-approximation")
def student_t(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    d = a - b
    half = stats.t.ppf(0.975, len(d) - 1) * d.std(ddof=1) / math.sqrt(len(d))
    return float(d.mean()), (d.mean() - half, d.mean() + half)


@mutant("paired_bootstrap", concept="basic-interval")
def mirrored_at_the_mean(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    mean = float((a - b).mean())
    low, high = _ends(_means(a - b, rng, resamples))
    return mean, (2 * mean - high, 2 * mean - low)


@mutant("paired_bootstrap", concept="no-resampling")
def without_replacement(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    return float((a - b).mean()), _ends([rng.permutation(a - b).mean() for _ in range(resamples)])


@mutant("paired_bootstrap", concept="no-mean")
def percentiles_of_single_differences(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    return float((a - b).mean()), _ends(rng.choice(a - b, size=resamples))


@mutant("paired_bootstrap", concept="wrong-size")
def one_pair_less(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    return float((a - b).mean()), _ends(_means(a - b, rng, resamples, len(a) - 1))


@mutant("paired_bootstrap", concept="wrong-size")
def half_of_the_pairs(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    return float((a - b).mean()), _ends(_means(a - b, rng, resamples, len(a) // 2))


@mutant("paired_bootstrap", concept="never-draws-the-last")
def last_pair_left_out(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    d = a - b
    return float(d.mean()), _ends(d[rng.integers(len(d) - 1, size=(resamples, len(d)))].mean(axis=1))


@mutant("paired_bootstrap", concept="centred")
def centred_at_zero(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    d = a - b
    return float(d.mean()), _ends(_means(d - d.mean(), rng, resamples))


@mutant("paired_bootstrap", concept="reversed-interval")
def upside_down(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    return float((a - b).mean()), _ends(_means(a - b, rng, resamples))[::-1]


@mutant("paired_bootstrap", concept="ignores-resamples")
def always_ten_thousand(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    return float((a - b).mean()), _ends(_means(a - b, rng, 10_000))


@mutant("paired_bootstrap", concept="too-few-resamples")
def a_tenth_of_the_resamples(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    return float((a - b).mean()), _ends(_means(a - b, rng, math.ceil(resamples / 10)))


@mutant("paired_bootstrap", concept="ignores-rng")
def global_generator(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    return float((a - b).mean()), _ends(_means(a - b, np.random.default_rng(), resamples))


@mutant("paired_bootstrap", concept="fixed-seed")
def generator_of_its_own(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    return float((a - b).mean()), _ends(_means(a - b, np.random.default_rng(0), resamples))


@mutant("paired_bootstrap", concept="mutates-input")
def subtracts_b_in_place(a, b, rng, resamples=10_000):
    _pairs(a, b, resamples)
    if isinstance(a, np.ndarray):
        a -= b
        d = a
    else:
        d = np.array(a) - np.array(b)
    return float(d.mean()), _ends(_means(d, rng, resamples))


@mutant("paired_bootstrap", concept="wrong-shape")
def three_numbers(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    return (float((a - b).mean()), *_ends(_means(a - b, rng, resamples)))


@mutant("paired_bootstrap", concept="accepts-bad-input")
def broadcasts(a, b, rng, resamples=10_000):
    d = np.asarray(a) - np.asarray(b)
    if len(d) < 2 or np.isnan(d).any() or resamples < 1:
        raise ValueError("a and b must be two or more pairs")
    return float(d.mean()), _ends(_means(d, rng, resamples))


@mutant("paired_bootstrap", concept="accepts-bad-input")
def zips_to_the_shorter(a, b, rng, resamples=10_000):
    d = np.array([one - other for one, other in zip(a, b)])
    if len(d) < 2 or np.isnan(d).any() or resamples < 1:
        raise ValueError("a and b must be two or more pairs")
    return float(d.mean()), _ends(_means(d, rng, resamples))
