"""The usual mistakes of lesson 01, and right answers written another way."""

# ruff: noqa: F821  (`book` is given)
# mypy: ignore-errors

import itertools
import math
import random
import types
from fractions import Fraction

import numpy as np

from nas_lib.search import History

# ------------------------------------------------------------------------------------ sample_uniform

DRAW = "options[rng.integers(len(options))] for options in choices"
LIBRARY = "switched off where it is checked"

book.edits(
    "sample_uniform",
    (
        "never-draws-the-last",
        "",
        {DRAW: "options[rng.integers(max(1, len(options) - 1))] for options in choices"},
    ),
    (
        "never-draws-the-first",
        "",
        {DRAW: "options[rng.integers(min(1, len(options) - 1), len(options))] for options in choices"},
    ),
    (
        "biased",
        "",
        {DRAW: "options[round(rng.random() * (len(options) - 1))] for options in choices"},
    ),
    ("biased", "", {DRAW: "options[int(len(options) * rng.beta(2, 2))] for options in choices"}),
    (
        "biased",
        "",
        {DRAW: "options[0 if rng.random() < 0.5 else rng.integers(len(options))] for options in choices"},
    ),
    ("biased", "", {DRAW: "options[int(rng.random() * 10) % len(options)] for options in choices"}),
    ("biased", "", {DRAW: "options[rng.integers(100) % len(options)] for options in choices"}),
    (
        "biased",
        "",
        {DRAW: "options[0 if rng.random() < 0.03 else rng.integers(len(options))] for options in choices"},
    ),
    (
        "dependent-decisions",
        "",
        {f"tuple({DRAW})": "(lambda u: tuple(o[int(u * len(o))] for o in choices))(rng.random())"},
    ),
    (
        "wrong-options",
        "",
        {DRAW: "choices[0][rng.integers(len(choices[0]))] for options in choices"},
    ),
    (
        "hard-codes-the-space",
        "",
        {DRAW: "space.ops[rng.integers(len(space.ops))] for _ in space.edges"},
    ),
    ("indices-not-options", "", {DRAW: "int(rng.integers(len(options))) for options in choices"}),
    ("indices-not-options", "", {f"tuple({DRAW})": "rng.integers(math.prod(map(len, choices)))"}),
    ("ignores-rng", "", {DRAW: "np.random.choice(options) for options in choices"}),
    (
        "ignores-rng",
        "",
        {"choices = space.choices": "choices, rng = space.choices, np.random.default_rng()"},
    ),
    (
        "not-random",
        "",
        {"choices = space.choices": "choices, rng = space.choices, np.random.default_rng(0)"},
    ),
    ("wrong-length", "", {"for options in choices)": "for options in choices[:-1])"}),
    ("wrong-options", "", {f"tuple({DRAW})": f"tuple({DRAW})[::-1]"}),
    ("wrong-options", "", {DRAW: "str(options[rng.integers(len(options))]) for options in choices"}),
    ("changes-settings", "", {f"return tuple({DRAW})": f"np.random.seed(0)\n    return tuple({DRAW})"}),
    (
        "wrong-error",
        "",
        {
            "not choices or not all(choices)": "not choices",
            DRAW: "options[int(rng.random() * len(options))] for options in choices",
        },
    ),
    ("wrong-type", "", {f"tuple({DRAW})": f"[{DRAW}]"}),
    ("wrong-options", "", {DRAW: "rng.choice(options) for options in choices"}),
    ("wrong-length", "", {f"tuple({DRAW})": f"tuple({DRAW})[:6]"}),
    ("accepts-bad-input", "", {"not choices or not all(choices)": "not choices"}),
    ("accepts-bad-input", "", {"not choices or not all(choices)": "not all(choices)"}),
    ("uses-the-library", "", {f"tuple({DRAW})": "space.sample(rng)"}),
)


@book.wrong("sample_uniform", "dependent-decisions")
def no_option_twice_in_a_row(space, rng):
    if not space.choices or not all(space.choices):
        raise ValueError(f"space must offer options for each decision, got {space.choices!r}")
    names = []
    for options in space.choices:
        allowed = [option for option in options if not names or option != names[-1]] or list(options)
        names.append(allowed[rng.integers(len(allowed))])
    return tuple(names)


def never_the_same_again():
    last = []

    def sample_uniform(space, rng):
        if not space.choices or not all(space.choices):
            raise ValueError(f"space must offer options for each decision, got {space.choices!r}")
        while True:
            arch = tuple(options[rng.integers(len(options))] for options in space.choices)
            if last != [arch]:
                last[:] = [arch]
                return arch

    return sample_uniform


book.wrong("sample_uniform", "dependent-draws")(never_the_same_again())


@book.wrong("sample_uniform", "ignores-rng")
def python_s_own_generator(space, rng):
    if not space.choices or not all(space.choices):
        raise ValueError(f"space must offer options for each decision, got {space.choices!r}")
    return tuple(random.choice(options) for options in space.choices)


@book.right("sample_uniform")
def by_scaled_uniforms(space, rng):
    if not space.choices or not all(space.choices):
        raise ValueError(f"space must offer options for each decision, got {space.choices!r}")
    draws = rng.random(len(space.choices))
    return tuple(options[int(u * len(options))] for options, u in zip(space.choices, draws))


@book.right("sample_uniform")
def by_another_generator(space, rng):
    if not space.choices or not all(space.choices):
        raise ValueError(f"space must offer options for each decision, got {space.choices!r}")
    own = random.Random(int(rng.integers(2**62)))
    return tuple(own.choice(options) for options in space.choices)


@book.right("sample_uniform")
def by_one_index(space, rng):
    sizes = [len(options) for options in space.choices]
    if not sizes or min(sizes) == 0:
        raise ValueError(f"space must offer options for each decision, got {space.choices!r}")
    digits = np.unravel_index(rng.integers(math.prod(sizes)), sizes)
    return tuple(options[digit] for options, digit in zip(space.choices, digits))


@book.right("sample_uniform")
def by_shuffling_each(space, rng):
    if not space.choices or any(len(options) == 0 for options in space.choices):
        raise ValueError(f"space must offer options for each decision, got {space.choices!r}")
    arch = []
    for options in space.choices:
        arch.append(options[rng.permutation(len(options))[0]])
    return tuple(arch)


# ------------------------------------------------------------------------------------- random_search

SKIP = "if arch in seen:\n            continue  # a repeat costs a draw, not an evaluation"
DRAWN = "space.sample(rng)"
VALUES = "np.array(values, dtype=float)"
HISTORY = f"return History(archs, {VALUES})"
START = "archs, values, seen = [], [], set()"

book.edits(
    "random_search",
    ("repeats-proposals", "", {f"        {SKIP}\n": ""}),
    ("wrong-length", "", {"while len(archs) < budget:": "for _ in range(budget):"}),
    ("wrong-length", "", {"len(archs) < budget": "len(archs) < max(1, budget - 1)"}),
    (
        "wrong-length",
        "",
        {
            HISTORY: "keep = [i for i, value in enumerate(values) if value == max(values[: i + 1])]\n"
            "    return History([archs[i] for i in keep], np.array([values[i] for i in keep]))"
        },
    ),
    (
        "over-budget",
        "",
        {
            "        value = objective(arch)\n": "",
            SKIP: "value = objective(arch)\n        if arch in seen:\n            continue",
        },
    ),
    ("over-budget", "", {"values.append(value)": "values.append(objective(arch))"}),
    ("over-budget", "", {HISTORY: f"objective(archs[-1])\n    {HISTORY}"}),
    ("not-evaluated", "", {"value = objective(arch)": "value = objective(space.from_index(0))"}),
    (
        "wrong-order",
        "",
        {
            HISTORY: "order = np.argsort(values)[::-1]\n"
            "    return History([archs[i] for i in order], np.array(values)[order])"
        },
    ),
    ("mismatched-values", "", {VALUES: "np.sort(values)"}),
    ("incumbents-not-values", "", {VALUES: "np.maximum.accumulate(values)"}),
    ("negated", "", {VALUES: "-np.array(values)"}),
    ("fixed-seed", "", {DRAWN: "space.from_index(len(archs))"}),
    ("fixed-seed", "", {START: f"{START}\n    rng = np.random.default_rng(0)"}),
    ("ignores-rng", "", {START: f"{START}\n    rng = np.random.default_rng()"}),
    (
        "not-uniform",
        "",
        {DRAWN: "tuple(options[int(len(options) * rng.random() ** 1.8)] for options in space.choices)"},
    ),
    ("not-uniform", "", {DRAWN: "space.from_index(int(rng.integers(budget)))"}),
    (
        "not-independent",
        "",
        {DRAWN: "space.mutate(archs[-1], rng) if archs and rng.random() < 0.9 else space.sample(rng)"},
    ),
    (
        "not-independent",
        "",
        {
            DRAWN: "space.from_index((space.index(archs[-1]) + 1) % len(space)) if archs else space.sample(rng)"
        },
    ),
    # A repeat is replaced by a walk: from the last architecture, from itself.
    (
        "not-independent",
        "",
        {
            SKIP: "if arch in seen:\n            arch = archs[-1]\n        while arch in seen:\n"
            "            arch = space.mutate(arch, rng)"
        },
    ),
    (
        "not-independent",
        "",
        {SKIP: "while arch in seen:\n            arch = space.mutate(arch, rng)"},
    ),
    ("not-uniform", "", {DRAWN: "space.from_index(int(rng.integers(max(budget, len(space) - 1))))"}),
    ("not-an-arch", "", {"value = objective(arch)": "value = objective(space.index(arch))"}),
    ("accepts-bad-input", "", {"not 1 <= budget <= len(space)": "not 1 <= budget"}),
    ("accepts-bad-input", "", {"not 1 <= budget <= len(space)": "budget > len(space)"}),
    (
        "accepts-bad-input",
        "",
        {
            "        if not math.isfinite": "        value = float(np.nan_to_num(value))\n        if not math.isfinite"
        },
    ),
    ("changes-settings", "", {START: f"{START}\n    np.random.seed(0)"}),
    (
        "not-independent",
        "",
        {
            SKIP: "while arch in seen:\n            arch = space.from_index((space.index(arch) + 1) % len(space))"
        },
    ),
    (
        "not-independent",
        "",
        {
            SKIP: "while arch in seen:\n            arch = space.from_index((space.index(arch) - 1) % len(space))"
        },
    ),
    ("wrong-values", "", {VALUES: "np.round(values, 3)"}),
    ("wrong-type", "", {HISTORY: "return History([list(arch) for arch in archs], np.array(values))"}),
    ("wrong-type", "", {HISTORY: "return archs, np.array(values)"}),
    ("raises", "", {"not 1 <= budget <= len(space)": "not 1 <= budget < len(space)"}),
    (
        "accepts-bad-input",
        "",
        {"        if not math.isfinite": "        value = max(value, -1e9)\n        if not math.isfinite"},
    ),
)


@book.wrong("random_search", "late-error")
def tests_its_budget_last(objective, space, budget, rng):
    archs = [space.from_index(int(index)) for index in rng.permutation(len(space))[: max(1, budget)]]
    values = np.array([objective(arch) for arch in archs])
    if len(archs) != budget or not np.isfinite(values).all():
        raise ValueError(f"budget must be from 1 to {len(space)}, got {budget!r}, and values finite")
    return History(archs, values)


@book.wrong("random_search", "not-independent")
def shuffles_without_leaving_one_in_place(objective, space, budget, rng):
    if not 1 <= budget <= len(space):
        raise ValueError(f"budget must be from 1 to {len(space)}, got {budget!r}")
    archs = list(space)
    for last in range(len(archs) - 1, 0, -1):  # Sattolo's: one cycle through all
        other = int(rng.integers(last))
        archs[last], archs[other] = archs[other], archs[last]
    values = np.array([objective(arch) for arch in archs[:budget]])
    if not np.isfinite(values).all():
        raise ValueError(f"objective must return finite numbers, got {values}")
    return History(archs[:budget], values)


@book.wrong("random_search", "uses-the-library")
def asks_the_library(objective, space, budget, rng):
    from nas_lib.search import RandomSearch

    if not 1 <= budget <= len(space):
        raise ValueError(f"budget must be from 1 to {len(space)}, got {budget!r}")
    searcher = RandomSearch(space, rng)
    archs = [searcher.ask() for _ in range(budget)]
    values = [objective(arch) for arch in archs]
    if not np.isfinite(values).all():
        raise ValueError(f"objective must return finite numbers, got {values}")
    return History(archs, np.array(values))


@book.right("random_search")
def by_permuting_indices(objective, space, budget, rng):
    if not 1 <= budget <= len(space):
        raise ValueError(f"budget must be from 1 to {len(space)}, got {budget!r}")
    archs = [space.from_index(int(index)) for index in rng.permutation(len(space))[:budget]]
    values = np.array([objective(arch) for arch in archs])
    if not np.isfinite(values).all():
        raise ValueError(f"objective must return finite numbers, got {values}")
    return History(archs, values)


@book.right("random_search")
def by_a_dict_of_values(objective, space, budget, rng):
    if not 1 <= budget <= len(space):
        raise ValueError(f"budget must be from 1 to {len(space)}, got {budget!r}")
    values = {}
    while len(values) < budget:
        arch = tuple(options[rng.integers(len(options))] for options in space.choices)
        if arch not in values:
            values[arch] = objective(arch)
            if not math.isfinite(values[arch]):
                raise ValueError(f"objective must return a finite number, got {values[arch]}")
    return History(list(values), np.fromiter(values.values(), dtype=np.float64))


@book.right("random_search")
def by_shuffling_and_popping(objective, space, budget, rng):
    if not 1 <= budget <= len(space):
        raise ValueError(f"budget must be from 1 to {len(space)}, got {budget!r}")
    left = list(itertools.product(*space.choices))
    rng.shuffle(left)
    archs, values = [], []
    while len(archs) < budget:
        archs.append(left.pop())
        values.append(float(objective(list(archs[-1]))))
        if not math.isfinite(values[-1]):
            raise ValueError(f"objective must return a finite number, got {values[-1]}")
    # Any object with these two will do.
    return types.SimpleNamespace(archs=archs, values=values)


# ----------------------------------------------------------------------------------- incumbent_curve

CURVE = "return np.maximum.accumulate(values)"
EVERYWHERE = "the best of all values stands everywhere: entry t may know values[0] to values[t] only"
ONE_NUMBER = "an array with one entry per evaluation is asked for, not the one number"
NAN_TEST = " or np.isnan(values).any()"

book.edits(
    "incumbent_curve",
    (
        "raw-values",
        "these are the values themselves, not the best so far",
        {CURVE: "return values"},
    ),
    (
        "minimum",
        "best of a minimum instead of a maximum: higher is better",
        {CURVE: "return np.minimum.accumulate(values)"},
    ),
    ("final-best", EVERYWHERE, {CURVE: "return np.full(len(values), values.max())"}),
    (
        "starts-at-zero",
        "the best so far starts at 0, which negative values never reach",
        {CURVE: "return np.maximum.accumulate(np.maximum(values, 0))"},
    ),
    (
        "last-two-only",
        "only neighbours are compared: compare with the best so far",
        {CURVE: "return np.array([values[0], *np.maximum(values[:-1], values[1:])])"},
    ),
    (
        "sorts-values",
        "the values are sorted: they must stay in the order of evaluation",
        {CURVE: "return np.sort(values)"},
    ),
    (
        "late-by-one",
        "the curve is late by one: entry t includes values[t]",
        {CURVE: "return np.maximum.accumulate([values[0], *values[:-1]])"},
    ),
    (
        "mean",
        "this is the mean so far, not the best so far",
        {CURVE: "return np.cumsum(values) / np.arange(1, len(values) + 1)"},
    ),
    (
        "looks-ahead",
        "entry t is the best of what is still to come: it may know values[0] to values[t] only",
        {CURVE: "return np.maximum.accumulate(values[::-1])[::-1]"},
    ),
    (
        "indices",
        "these are positions: return the values there",
        {CURVE: "return np.array([values[: t + 1].argmax() for t in range(len(values))])"},
    ),
    ("one-number", ONE_NUMBER, {CURVE: "return values.max()"}),
    (
        "wrong-length",
        "there should be as many entries as values: entry 0 is values[0]",
        {CURVE: "return np.maximum.accumulate(values)[1:]"},
    ),
    (
        "wrong-length",
        "there should be as many entries as values, also where nothing improves",
        {CURVE: "return np.unique(np.maximum.accumulate(values))"},
    ),
    ("wrong-type", "", {CURVE: "return np.maximum.accumulate(values).tolist()"}),
    ("", "", {"values = np.asarray(values, dtype=float)": "values = np.asarray(values)"}),
    ("raises", "", {NAN_TEST: " or not np.isfinite(values).all()"}),
    ("raises", "", {NAN_TEST: " or np.isnan(values.sum())"}),
    ("raises", "", {NAN_TEST: f" or not values.any(){NAN_TEST}"}),
    ("accepts-bad-input", "", {NAN_TEST: " or np.isnan(values[0])"}),
    ("wrong-curve", "", {CURVE: "return np.round(np.maximum.accumulate(values), 4)"}),
    (
        "small-steps",
        "a small improvement is passed over: any larger value is a new best",
        {
            CURVE: "curve = [values[0]]\n    for value in values[1:]:\n"
            "        curve.append(value if value > curve[-1] + 1e-4 * abs(curve[-1]) else curve[-1])\n"
            "    return np.array(curve)"
        },
    ),
    ("changes-settings", "", {CURVE: f"np.seterr(all='ignore')\n    {CURVE}"}),
    ("accepts-bad-input", "", {NAN_TEST: ""}),
    ("accepts-bad-input", "", {"not values.size or ": ""}),
    ("uses-the-library", "", {CURVE: "return History(list(values), values).incumbent()"}),
    (
        "mutates-input",
        "",
        {
            "values = np.asarray(values, dtype=float)": "values = np.asarray(values)",
            CURVE: "return np.maximum.accumulate(values, out=values)",
        },
    ),
    (
        "starts-at-a-number",
        "",
        {"return np.maximum.accumulate(values)": "return np.maximum.accumulate(np.maximum(values, -1e9))"},
    ),
)


@book.right("incumbent_curve")
def by_accumulate(values):
    if len(values) == 0 or any(math.isnan(value) for value in values):
        raise ValueError(f"values must be numbers, got {values!r}")
    return np.array(list(itertools.accumulate(values, max)), dtype=np.float32)


@book.right("incumbent_curve")
def in_a_loop(values):
    if len(values) == 0:
        raise ValueError("values is empty")
    curve, best = np.empty(len(values)), -np.inf
    for t, value in enumerate(values):
        if value != value:
            raise ValueError("values holds nan")
        best = value if value > best else best
        curve[t] = best
    return curve


@book.right("incumbent_curve")
def by_a_triangle(values):
    values = np.array(values, dtype=float)
    if values.size == 0 or np.isnan(values).any():
        raise ValueError(f"values must be numbers, got {values!r}")
    return np.where(np.tri(len(values), dtype=bool), values, -np.inf).max(axis=1)


# ------------------------------------------------------------------------------------- simple_regret

REGRET = "return best - np.maximum.accumulate(values)"
UNITS = "regret is a difference in the units of the values, not a share of `best`"
SUMS = "this adds regrets up: simple regret is that of the incumbent alone"

book.edits(
    "simple_regret",
    (
        "sign-flipped",
        "the sign is flipped: regret is best − incumbent, positive below the optimum",
        {REGRET: "return np.maximum.accumulate(values) - best"},
    ),
    (
        "no-incumbent",
        "this is the regret of each evaluation: simple regret is that of the best so far",
        {REGRET: "return best - values"},
    ),
    (
        "clipped",
        "negative regret was cut off: a value above `best` has a negative regret",
        {REGRET: "return np.maximum(best - np.maximum.accumulate(values), 0)"},
    ),
    (
        "absolute",
        "the absolute value hides that a value beats `best`",
        {REGRET: "return np.abs(best - np.maximum.accumulate(values))"},
    ),
    (
        "own-best",
        "the best of `values` is not the optimum: use `best`",
        {REGRET: "return values.max() - np.maximum.accumulate(values)"},
    ),
    (
        "minimum",
        "the incumbent is a minimum here: higher is better",
        {REGRET: "return best - np.minimum.accumulate(values)"},
    ),
    (
        "incumbent-not-regret",
        "this is the incumbent, not its distance to `best`",
        {REGRET: "return np.maximum.accumulate(values)"},
    ),
    ("relative", UNITS, {REGRET: "return (best - np.maximum.accumulate(values)) / best"}),
    ("relative", UNITS, {REGRET: "return 100 * (best - np.maximum.accumulate(values)) / best"}),
    ("cumulative", SUMS, {REGRET: "return np.cumsum(best - values)"}),
    ("cumulative", SUMS, {REGRET: "return np.cumsum(best - np.maximum.accumulate(values))"}),
    ("final-best", EVERYWHERE, {REGRET: "return np.full(len(values), best - values.max())"}),
    ("one-number", ONE_NUMBER, {REGRET: "return best - values.max()"}),
    (
        "starts-at-zero",
        "the best so far starts at 0, which negative values never reach",
        {REGRET: "return best - np.maximum.accumulate(np.maximum(values, 0))"},
    ),
    (
        "late-by-one",
        "the regret is late by one: entry t includes values[t]",
        {REGRET: "return best - np.maximum.accumulate([values[0], *values[:-1]])"},
    ),
    (
        "own-best",
        "an optimum of 0 is taken for none at all: use `best` whatever it is",
        {REGRET: "return (best or values.max()) - np.maximum.accumulate(values)"},
    ),
    (
        "hundred",
        "this is the distance to 100: use `best`",
        {REGRET: "return 100 - np.maximum.accumulate(values)"},
    ),
    ("wrong-curve", "", {REGRET: "return np.round(best - np.maximum.accumulate(values), 4)"}),
    ("wrong-curve", "", {REGRET: "return int(best) - np.maximum.accumulate(values)"}),
    ("wrong-curve", "", {REGRET: "return max(best, 0) - np.maximum.accumulate(values)"}),
    ("", "", {"values = np.asarray(values, dtype=float)": "values = np.asarray(values)"}),
    (
        "wrong-type",
        "",
        {
            REGRET: f"{REGRET}.tolist()".replace(
                "return best - np.maximum.accumulate(values)", "return (best - np.maximum.accumulate(values))"
            )
        },
    ),
    ("raises", "", {NAN_TEST: " or not np.isfinite(values).all()"}),
    ("raises", "", {NAN_TEST: f"{NAN_TEST} or values.max() > best"}),
    ("changes-settings", "", {REGRET: f"np.seterr(all='ignore')\n    {REGRET}"}),
    ("accepts-bad-input", "", {NAN_TEST: ""}),
    ("accepts-bad-input", "", {"not values.size or ": ""}),
    ("uses-the-library", "", {REGRET: "return History(list(values), values).regret(best)"}),
    (
        "mutates-input",
        "",
        {
            "values = np.asarray(values, dtype=float)": "values = np.asarray(values)",
            REGRET: "return best - np.maximum.accumulate(values, out=values)",
        },
    ),
    (
        "",
        "",
        {REGRET: "return np.minimum.accumulate(np.float32(best) - values.astype(np.float32))"},
    ),
    (
        "",
        "",
        {REGRET: "return np.array([best - max(values[: t + 1].tolist()) for t in range(len(values))])"},
    ),
    (
        "whole-numbers",
        "",
        {
            "values = np.asarray(values, dtype=float)": "given = np.asarray(values).dtype\n    values = np.asarray(values, dtype=float)",
            "return best - np.maximum.accumulate(values)": "return (best - np.maximum.accumulate(values)).astype(given)",
        },
    ),
)


@book.right("simple_regret")
def of_the_smallest_distance(values, best):
    if len(values) == 0 or any(map(math.isnan, values)):
        raise ValueError(f"values must be numbers, got {values!r}")
    return np.array(list(itertools.accumulate((best - value for value in values), min)), dtype=float)


# -------------------------------------------------------------------------- samples_for_top_fraction

CEIL = "max(1, math.ceil(exact * (1 - 1e-12)))"
EXACT = "math.log1p(-confidence) / math.log1p(-fraction)"
NEAREST = "rounded to the nearest: these draws miss the confidence, round up"
DOWN = "rounded down: these draws miss the confidence, round up"
TINY = "a tiny fraction vanishes beside 1: math.log1p(-fraction) is log(1 − fraction) without that loss"
ONE = "with fraction = 1 one draw is enough where everything is good enough"

book.edits(
    "samples_for_top_fraction",
    ("rounds-down", DOWN, {CEIL: "max(1, math.floor(exact))"}),
    ("rounds-down", DOWN, {CEIL: "int(exact)"}),
    ("rounds-to-nearest", NEAREST, {CEIL: "max(1, round(exact))"}),
    ("rounds-to-nearest", NEAREST, {CEIL: "max(1, math.ceil(round(exact, 1)))"}),
    (
        "capped",
        "15,625 is no upper limit: draws may repeat, and rare targets take more",
        {CEIL: "min(15_625, math.ceil(exact * (1 - 1e-12)))"},
    ),
    (
        "strict",
        "a draw too many where the confidence is reached exactly: “at least” includes equality",
        {CEIL: "max(1, math.floor(exact) + 1)"},
    ),
    ("off-by-one", "one draw too many: fewer are enough", {CEIL: "math.ceil(exact) + 1"}),
    (
        "swapped",
        "fraction and confidence are swapped",
        {EXACT: "math.log1p(-fraction) / math.log1p(-confidence)"},
    ),
    (
        "miss-and-hit",
        "the chance to miss must fall to 1 − confidence, not to confidence",
        {EXACT: "math.log(confidence) / math.log1p(-fraction)"},
    ),
    (
        "linear",
        "chances to hit were added up: the chances to miss multiply",
        {EXACT: "confidence / fraction"},
    ),
    (
        "ignores-confidence",
        "the mean waiting time 1/fraction is not enough for every confidence",
        {EXACT: "1 / fraction"},
    ),
    ("fraction-one", ONE, {"    if fraction == 1:\n        return 1\n": ""}),
    ("fraction-one", ONE, {"return 1\n": "return 0\n"}),
    (
        "rare-targets",
        TINY,
        {EXACT: "math.log(1 - confidence) / math.log(1 - fraction)"},
    ),
    (
        "whole-quotients",
        "where the quotient should be a whole number, rounding can leave it a hair above: test whether one draw "
        "less is enough already, up to rounding",
        {CEIL: "max(1, math.ceil(exact))"},
    ),
    (
        "stops-short",
        "a confidence that these draws miss, if only by a millionth, takes one more: allow for rounding only",
        {CEIL: "max(1, math.ceil(exact - 1e-3))"},
    ),
    (
        "stops-short",
        "a confidence that these draws miss, if only by a hundred-millionth, takes one more: allow for rounding only",
        {CEIL: "max(1, math.ceil(exact - 1e-6))"},
    ),
    ("wrong-type", "", {CEIL: "[max(1, math.ceil(exact * (1 - 1e-12)))]"}),
    ("not-rounded", "half a draw cannot be made: round up", {CEIL: "max(1, exact)"}),
    ("not-an-int", "", {CEIL: "float(max(1, math.ceil(exact * (1 - 1e-12))))"}),
    ("below-one", "", {CEIL: "math.ceil(exact - 1)"}),
    ("accepts-bad-input", "", {"not 0 < fraction <= 1": "not 0 < fraction"}),
    (
        "accepts-bad-input",
        "",
        {
            "not 0 < fraction <= 1": "fraction > 1",
            EXACT: "math.log1p(-confidence) / (math.log1p(-fraction) if fraction > 0 else -1.0)",
        },
    ),
    ("accepts-bad-input", "", {"not 0 < confidence < 1": "not 0 <= confidence < 1"}),
    (
        "accepts-bad-input",
        "",
        {
            "not 0 < confidence < 1": "not 0 < confidence",
            "math.log1p(-confidence)": "(math.log1p(-confidence) if confidence < 1 else -1.0)",
        },
    ),
)


@book.right("samples_for_top_fraction")
def by_numpy(fraction, confidence):
    if not 0 < fraction <= 1 or not 0 < confidence < 1:
        raise ValueError(f"out of range: {fraction}, {confidence}")
    with np.errstate(divide="ignore"):
        quotient = np.log1p(-confidence) / np.log1p(-float(fraction))
    return max(1, int(np.ceil(quotient * (1 - 1e-13))))


@book.right("samples_for_top_fraction")
def corrected_by_the_definition(fraction, confidence):
    if not (0 < fraction <= 1 and 0 < confidence < 1):
        raise ValueError(f"out of range: {fraction}, {confidence}")
    if fraction == 1:
        return 1
    n = max(1, math.floor(math.log1p(-confidence) / math.log1p(-fraction)))
    while n < 10**6 and (1 - Fraction(fraction)) ** n > 1 - Fraction(confidence) if n < 400 else False:
        n += 1
    return n if n < 400 else math.ceil(math.log1p(-confidence) / math.log1p(-fraction))


@book.right("samples_for_top_fraction")
def with_bits(fraction, confidence):
    if not (0 < fraction <= 1 and 0 < confidence < 1):
        raise ValueError(f"out of range: {fraction}, {confidence}")
    if fraction >= confidence:
        return 1
    bits = math.log1p(-confidence) / math.log(2), math.log1p(-fraction) / math.log(2)
    return np.int64(math.ceil(bits[0] / bits[1] - 1e-9))


# ---------------------------------------------------------------------------------- paired_bootstrap

RESAMPLE = "rng.integers(n, size=(resamples, n))"
MEANS = f"difference[{RESAMPLE}].mean(axis=1)"
MEAN = "float(difference.mean())"
ENDS = "np.percentile(means, [2.5, 97.5])"

book.edits(
    "paired_bootstrap",
    ("unpaired", "", {MEANS: f"a[{RESAMPLE}].mean(axis=1) - b[{RESAMPLE}].mean(axis=1)"}),
    ("swapped", "", {"difference = a - b": "difference = b - a"}),
    ("median", "", {MEAN: "float(np.median(difference))"}),
    ("median", "", {MEANS: f"np.median(difference[{RESAMPLE}], axis=1)"}),
    ("mean-of-resamples", "", {MEAN: "float(means.mean())"}),
    ("wrong-level", "", {"[2.5, 97.5]": "[5, 95]"}),
    ("wrong-level", "", {"[2.5, 97.5]": "[3.5, 96.5]"}),
    ("wrong-level", "", {"[2.5, 97.5]": "[2.5, 96.5]"}),
    ("wrong-level", "", {"[2.5, 97.5]": "[5, 97.5]"}),
    ("wrong-level", "", {"[2.5, 97.5]": "[0.025, 0.975]"}),
    ("wrong-level", "", {"[2.5, 97.5]": "[2, 98]"}),
    ("wrong-level", "", {"[2.5, 97.5]": "[3, 97]"}),
    ("wrong-interval", "", {ENDS: "means.min(), means.max()"}),
    ("wrong-interval", "", {MEANS: "rng.dirichlet(np.ones(n), resamples) @ difference"}),
    (
        "wrong-interval",
        "",
        {MEANS: "(rng.choice([-1, 1], (resamples, n)) * difference).mean(axis=1) + difference.mean()"},
    ),
    ("rounded", "", {MEAN: f"round({MEAN}, 3)"}),
    ("wrong-mean", "", {"difference = a - b": "difference = np.abs(a - b)"}),
    ("wrong-type", "", {"(float(low), float(high))": "[float(low), float(high)]"}),
    ("wrong-type", "", {"(float(low), float(high))": "np.array([low, high])"}),
    ("wrong-size", "", {RESAMPLE: "rng.integers(n, size=(resamples, n + 1))"}),
    ("ignores-resamples", "", {RESAMPLE: "rng.integers(n, size=(1_000, n))"}),
    ("accepts-bad-input", "", {"np.isnan(difference).any()": "np.isnan(b).any()"}),
    (
        "changes-settings",
        "",
        {"    n = len(difference)\n": "    n = len(difference)\n    np.random.seed(0)\n"},
    ),
    (
        "normal-approximation",
        "",
        {ENDS: "difference.mean() + np.array([-1.96, 1.96]) * difference.std(ddof=1) / math.sqrt(n)"},
    ),
    (
        "normal-approximation",
        "",
        {ENDS: "difference.mean() + np.array([-1.96, 1.96]) * means.std()"},
    ),
    ("basic-interval", "", {ENDS: "2 * difference.mean() - np.percentile(means, [97.5, 2.5])"}),
    (
        "no-resampling",
        "",
        {MEANS: "np.array([rng.permutation(difference).mean() for _ in range(resamples)])"},
    ),
    ("no-mean", "", {MEANS: "rng.choice(difference, size=resamples)"}),
    ("wrong-size", "", {RESAMPLE: "rng.integers(n, size=(resamples, n - 1))"}),
    ("wrong-size", "", {RESAMPLE: "rng.integers(n, size=(resamples, n // 2))"}),
    ("never-draws-the-last", "", {RESAMPLE: "rng.integers(n - 1, size=(resamples, n))"}),
    ("centred", "", {MEANS: f"(difference - difference.mean())[{RESAMPLE}].mean(axis=1)"}),
    ("reversed-interval", "", {"(float(low), float(high))": "(float(high), float(low))"}),
    ("ignores-resamples", "", {RESAMPLE: "rng.integers(n, size=(10_000, n))"}),
    ("too-few-resamples", "", {RESAMPLE: "rng.integers(n, size=(max(1, resamples // 2), n))"}),
    ("too-few-resamples", "", {RESAMPLE: "rng.integers(n, size=(math.ceil(resamples / 10), n))"}),
    (
        "ignores-rng",
        "",
        {"    n = len(difference)\n": "    n, rng = len(difference), np.random.default_rng()\n"},
    ),
    (
        "fixed-seed",
        "",
        {"    n = len(difference)\n": "    n, rng = len(difference), np.random.default_rng(0)\n"},
    ),
    ("wrong-shape", "", {"(float(low), float(high))": "float(low), float(high)"}),
    (
        "wrong-type",
        "",
        {f"return {MEAN}, (float(low), float(high))": f"return [{MEAN}, (float(low), float(high))]"},
    ),
    (
        "mutates-input",
        "",
        {
            "np.asarray(a, dtype=float), np.asarray(b, dtype=float)": "np.asarray(a), np.asarray(b)",
            "difference = a - b": "a -= b\n    difference = a * 1.0",
        },
    ),
    ("accepts-bad-input", "", {"a.shape != b.shape or ": ""}),
    (
        "accepts-bad-input",
        "",
        {"a.shape != b.shape or ": "", "difference = a - b": "difference = a[: len(b)] - b"},
    ),
    ("accepts-bad-input", "", {"np.isnan(difference).any()": "np.isnan(a).any()"}),
    ("accepts-bad-input", "", {"resamples < 1": "resamples == 0"}),
    ("accepts-bad-input", "", {"len(a) < 2": "len(a) < 1"}),
    (
        "rounded",
        "",
        {
            "    a, b = np.asarray(a, dtype=float)": "    given = np.asarray(a).dtype\n    a, b = np.asarray(a, dtype=float)",
            "float(difference.mean())": "float(difference.mean() if given.kind == 'f' else round(difference.mean()))",
        },
    ),
)


def _pairs(a, b, resamples):
    a, b = np.array(a, dtype=float), np.array(b, dtype=float)
    if a.shape != b.shape or len(a) < 2 or np.isnan(a - b).any() or resamples < 1:
        raise ValueError(f"a and b must be two or more pairs, got {a!r} and {b!r}; resamples {resamples!r}")
    return a, b


@book.wrong("paired_bootstrap", "default-resamples")
def a_thousand_unless_told_otherwise(a, b, rng, resamples=1_000):
    a, b = _pairs(a, b, resamples)
    means = (a - b)[rng.integers(len(a), size=(resamples, len(a)))].mean(axis=1)
    return float((a - b).mean()), tuple(np.percentile(means, [2.5, 97.5]))


@book.right("paired_bootstrap")
def by_counts_of_pairs(a, b, rng, resamples=10_000):
    a, b = _pairs(a, b, resamples)
    weights = rng.multinomial(len(a), np.full(len(a), 1 / len(a)), size=resamples) / len(a)
    means = np.sort(weights @ a - weights @ b)
    low, high = means[int(0.025 * resamples)], means[min(resamples - 1, int(0.975 * resamples))]
    return np.mean(a - b), (low, high)


@book.right("paired_bootstrap")
def by_scipy(a, b, rng, resamples=10_000):
    from scipy import stats  # takes half a second, and who grades needs it not

    a, b = _pairs(a, b, resamples)
    found = stats.bootstrap((a - b,), np.mean, n_resamples=resamples, method="percentile", rng=rng)
    return float((a - b).mean()), tuple(found.confidence_interval)


@book.right("paired_bootstrap")
def in_single_precision(a, b, rng, resamples=10_000):
    d = np.float32(_pairs(a, b, resamples)[0]) - np.float32(b)
    means = np.array([rng.choice(d, size=len(d)).mean() for _ in range(resamples)])
    return d.mean(), (
        np.quantile(means, 0.025, method="inverted_cdf"),
        np.quantile(means, 0.975, method="higher"),
    )
