"""Checks of lesson 01: sampling, random search, regret, the odds of random draws, and the paired bootstrap.

Code that takes a generator may draw from it in any order, so what is random is judged by its distribution.
Bad luck fails right code with probability at most FALSE_FAIL per submission, over all checks of the lesson:

    sample_uniform     506 counts of options, pairs and architectures, 2e-10 each     1.1e-7
    random_search       89 counts (64 architectures, 24 options, 1 distance), 1e-9    0.9e-7
    paired_bootstrap    12 intervals, two sides of two ends, 4e-9 each                2.0e-7

Coincidences (that five other seeds give the same interval, or another seed the same twenty architectures) add
less than 1e-9. Everything else is exact. The bounds are proven (`_stats`): no simulation enters.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal, localcontext
from itertools import combinations
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from nas_lib.checks._choices import ChoiceSpace, GuardedCellSpace
from nas_lib.checks._core import (
    BAD_INPUT,
    RIGHT,
    Answer,
    ConceptQuestion,
    Exercise,
    Instance,
    NotPlainData,
    Oracle,
    Refused,
    Unacceptable,
    Verdict,
    describe,
    error_verdict,
    raised,
    register,
    show,
)
from nas_lib.checks._forms import cell, column, integers, is_number, number, rows, scalar
from nas_lib.checks._interval import PairedSample
from nas_lib.checks._stats import count_range
from nas_lib.spaces import OPS

LESSON = "01_random_search"
FALSE_FAIL = 4.1e-7
_SAMPLE_ALPHA = 2e-10
_SEARCH_ALPHA = 1e-9
_BOOTSTRAP_ALPHA = 4e-9


def _fail(concept: str, message: str, score: float = 0.0) -> Verdict:
    return Verdict(score, concept, message)


# ------------------------------------------------------------------------------------------ sample_uniform


class SampleUniform(Exercise):
    """`sample_uniform(space, rng)`: shares of options, of pairs of options and of whole architectures, exact
    count bounds."""

    name, lesson = "sample_uniform", LESSON
    hides = (
        "nas_lib.spaces:CellSpace.sample",
        "nas_lib.checks._choices:ChoiceSpace.sample",
        "nas_lib.checks._choices:ChoiceSpace.mutate",
    )
    has_reference = False

    def instances(self, seed: int) -> list[Instance]:
        """A space shaped like the cells', one with 1 to 7 options, a tiny one, and impossible ones."""
        rng = default_rng(seed)
        ops = list(rng.permutation(OPS))
        sizes = [1, 2, 3, 7]
        rng.shuffle(sizes)
        # Numbers that could be no positions, others in each decision. One type in one space: an array of an
        # architecture's options keeps it then.
        uneven = [[100 * place + 8 * step for step in range(2, 2 + size)] for place, size in enumerate(sizes)]
        tiny = [["a", "b"], ["c", "d", "e"], ["x", "y"]]
        rng.shuffle(tiny)
        seeds = [int(one) for one in rng.integers(2**31, size=6)]
        return [
            {"choices": [[str(op) for op in ops]] * 6, "draws": 1500, "seed": seeds[0], "other": seeds[1]},
            {
                "choices": uneven,
                "draws": 1000,
                "seed": seeds[2],
                "other": seeds[3],
                "about": f"decisions with {sizes} options",
            },
            {
                "choices": tiny,
                "draws": 1000,
                "seed": seeds[4],
                "other": seeds[5],
                "about": "a space of 12 architectures",
            },
            {"bad": "a space without decisions", "choices": [], "seed": seeds[0]},
            {"bad": "a decision without options", "choices": [["a", "b"], []], "seed": seeds[0]},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """Draws from one generator; the first ones again from a generator of the same seed, and from
        another."""
        space = ChoiceSpace(instance["choices"])
        rng = default_rng(instance["seed"])
        if "bad" in instance:
            return raised(lambda: fn(space, rng))
        draws = [fn(space, rng) for _ in range(instance["draws"])]
        again, other = default_rng(instance["seed"]), default_rng(instance["other"])
        return {
            "draws": draws,
            "again": [fn(space, again) for _ in range(20)],
            "other": [fn(space, other) for _ in range(20)],
        }

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Form first, then the generator, then the distribution."""
        choices = instance["choices"]
        draws = [_one_of(choices, one) for one in rows(answer.value["draws"], instance["draws"], self.name)]
        again = [cell(one) for one in rows(answer.value["again"], 20, self.name)]
        other = [cell(one) for one in rows(answer.value["other"], 20, self.name)]
        if again != draws[:20]:
            return _fail(
                "ignores-rng",
                "two generators with the same seed give different architectures: draw from `rng` only",
            )
        if other == draws[:20]:
            if len(set(draws)) == 1:
                return _fail(
                    "not-random",
                    f"every draw is the same architecture {show(list(draws[0]))}: draw from `rng`",
                )
            return _fail(
                "fixed-seed",
                "generators with different seeds give the same architectures: use the `rng` passed in",
            )
        return (
            _uniform_options(choices, draws)
            or _independent(choices, draws)
            or _uniform_archs(choices, draws)
            or RIGHT
        )

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """A space here has `choices` and nothing of the cells'."""
        if answer.error_type == "AttributeError" and "ChoiceSpace" in (answer.error or ""):
            return _fail(
                "hard-codes-the-space",
                "a space need not be one of cells: `space.choices` lists each decision's options",
            )
        return error_verdict(instance, answer)


def _one_of(choices: Sequence[Sequence[Any]], value: Any) -> tuple[Any, ...]:
    """An architecture whose options are among the decision's own, or the mistake."""
    if is_number(scalar(value)):
        raise Unacceptable(
            "indices-not-options",
            f"{show(scalar(value))} is a number, not an architecture: return the options",
        )
    arch = cell(value)
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
        raise Unacceptable(
            "wrong-options",
            f"decision {place} got {show(option)}, its options are {show(list(options))}: "
            "draw each decision from its own options",
        )
    return arch


def _uniform_options(choices: Sequence[Sequence[Any]], draws: Sequence[tuple[Any, ...]]) -> Verdict | None:
    n = len(draws)
    seen = [Counter(arch[place] for arch in draws) for place in range(len(choices))]
    for place, options in enumerate(choices):
        low, high = count_range(n, 1 / len(options), _SAMPLE_ALPHA)
        missing = [option for option in options if seen[place][option] == 0 and low > 0]
        if missing and len(options) > 2 and len(missing) == 1 and missing[0] in (options[0], options[-1]):
            if missing[0] == options[-1]:
                return _fail(
                    "never-draws-the-last",
                    f"the last option {show(missing[0])} is never drawn: rng.integers(n) leaves out n itself",
                )
            return _fail(
                "never-draws-the-first",
                f"the first option {show(missing[0])} is never drawn: positions begin at 0",
            )
        for option in options:
            count = seen[place][option]
            if not low <= count <= high:
                return _fail(
                    "biased",
                    f"draws are biased: {show(option)} came {count} times in {n} draws "
                    f"of one of {len(options)} options (about {n / len(options):.0f} expected)",
                )
    return None


def _independent(choices: Sequence[Sequence[Any]], draws: Sequence[tuple[Any, ...]]) -> Verdict | None:
    n = len(draws)
    for one, other in combinations(range(len(choices)), 2):
        seen = Counter((arch[one], arch[other]) for arch in draws)
        low, high = count_range(n, 1 / (len(choices[one]) * len(choices[other])), _SAMPLE_ALPHA)
        for a in choices[one]:
            for b in choices[other]:
                if not low <= seen[a, b] <= high:
                    return _fail(
                        "dependent-decisions",
                        f"decisions {one} and {other} are not independent: {show(a)} with {show(b)} "
                        f"came {seen[a, b]} times in {n} draws: draw each decision anew",
                    )
    return None


def _uniform_archs(choices: Sequence[Sequence[Any]], draws: Sequence[tuple[Any, ...]]) -> Verdict | None:
    size, n = math.prod(len(options) for options in choices), len(draws)
    if size > 16:
        return None
    low, high = count_range(n, 1 / size, _SAMPLE_ALPHA)
    seen = Counter(draws)
    counts = [seen[arch] for arch in ChoiceSpace(choices)]
    if all(low <= count <= high for count in counts):
        return None
    return _fail(
        "biased",
        f"of {size} architectures some are drawn {max(counts)} times, some {min(counts)} times in {n} draws",
    )


# ------------------------------------------------------------------------------------------- random_search


def _space(instance: Instance) -> ChoiceSpace | GuardedCellSpace:
    return GuardedCellSpace(instance["ops"]) if "ops" in instance else ChoiceSpace(instance["choices"])


class _Values:
    """The objective: a value per architecture from a seed that stays outside the learner's process."""

    def __init__(self, instance: Instance) -> None:
        self._space = _space(instance)
        self._seed, self._levels = instance["_seed"], instance["_levels"]
        self._low, self._high = instance["_range"]
        self._nan = instance.get("_nan")

    def __call__(self, arch: Any) -> float:
        options = tuple(arch) if type(arch) is list else None
        if options is None or options not in self._space:
            raise Refused(
                f"the objective was called with {show(arch)}, which is no architecture of the space"
            )
        index = self._space.index(options)
        if index == self._nan:
            return math.nan
        digest = hashlib.sha256(json.dumps([self._seed, index]).encode()).digest()
        level = int.from_bytes(digest[:4], "big") % self._levels
        return round(self._low + (self._high - self._low) * level / max(1, self._levels - 1), 6)


class RandomSearch(Exercise):
    """`random_search(objective, space, budget, rng)`: the objective's values and the log of its calls are
    kept outside."""

    name, lesson = "random_search", LESSON
    hides = ("nas_lib.search:RandomSearch.ask",)
    has_reference = False

    def instances(self, seed: int) -> list[Instance]:
        """Cells and other spaces; a budget of 1, of a part and of the whole; ties, negative values; many
        small runs; bad ones."""
        rng = default_rng(seed)

        def case(**given: Any) -> Instance:
            return {
                "seeds": [int(rng.integers(2**31))],
                "_seed": int(rng.integers(2**62)),
                "_levels": 100_003,
                "_range": [40.0, 95.0],
                **given,
            }

        def some(count: int) -> list[str]:
            return [str(op) for op in rng.permutation(OPS)[:count]]

        other = [[3, 5, 7], [1, 2], [16, 24, 32, 48]]
        rng.shuffle(other)
        small = [["a", "b", "c"], ["k", "l", "m"], ["x", "y"]]
        seeds = [int(one) for one in rng.integers(2**31, size=120)]
        nothing = {"ops": some(2), "_levels": 7}
        return [
            case(ops=some(3), budget=int(rng.integers(15, 30)), about="a space of 729 cells"),
            case(choices=other, budget=len(ChoiceSpace(other)), about="a budget of the whole space"),
            case(ops=some(2), budget=64, _range=[-9.0, -1.0], _levels=4, about="negative values with ties"),
            case(ops=some(4), budget=1, about="a budget of 1"),
            case(ops=some(2), budget=6, seeds=[*seeds, seeds[0]], about="120 runs of 6 out of 64 cells"),
            case(bad="a budget of 0", budget=0, **nothing),
            case(
                bad=f"a budget above the {len(ChoiceSpace(small))} architectures of the space",
                choices=small,
                budget=19,
            ),
            case(bad="an objective that returns NaN", budget=18, choices=small, _nan=int(rng.integers(18))),
        ]

    def oracle(self, instance: Instance) -> Oracle:
        """The objective, with a limit far above what any budget here allows."""
        return Oracle(
            {"objective": _Values(instance)}, limit=20 * len(instance["seeds"]) * (instance["budget"] + 10)
        )

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The history of one run per seed."""
        budget = instance["budget"]
        if "bad" in instance:
            return raised(
                lambda: fn(oracle.objective, _space(instance), budget, default_rng(instance["seeds"][0]))
            )
        return [
            _history(fn(oracle.objective, _space(instance), budget, default_rng(seed)))
            for seed in instance["seeds"]
        ]

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Each run against the log of calls; then, over many runs, the distribution of what was proposed."""
        count, budget = len(instance["seeds"]), instance["budget"]
        runs = rows(answer.value, count, self.name)
        calls = [call for call in answer.calls if call.method == "objective"]
        refused = next((call.refused for call in calls if call.refused), None)
        archs = [[cell(one) for one in _list(run, "archs")] for run in runs]
        found = archs[0]
        if len(set(found)) < len(found):
            twice = next(arch for arch, times in Counter(found).items() if times > 1)
            return _fail(
                "repeats-proposals", f"samples with replacement: {show(list(twice), 120)} was proposed twice"
            )
        called = {tuple(call.args[0]) for call in calls if not call.refused}
        if any(arch not in called for run in archs for arch in run):
            return _fail(
                "not-evaluated", "the history holds architectures for which the objective was not called"
            )
        if len(calls) > count * budget:
            return self._too_many(calls, budget, count)
        if refused:
            return _fail("not-an-arch", refused)
        at = 0
        for run, found in zip(runs, archs):
            verdict = _one_run(
                found, run, [(tuple(call.args[0]), call.value) for call in calls[at : at + budget]], budget
            )
            if verdict:
                return verdict
            at += budget
        if count == 1:
            return RIGHT
        return _random_runs(_space(instance), archs, budget) or RIGHT

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """An endless loop, or an objective called too often, says more than the exception does."""
        budget, count = instance["budget"], len(instance["seeds"])
        if answer.error_type == "Endless":
            return _fail(
                "endless", "the loop never ends: it draws architectures for ever without filling the history"
            )
        if answer.error_type == "Refused" and len(answer.calls) <= count * budget:
            return _fail("not-an-arch", (answer.error or "").partition(":")[2].strip())
        if answer.error_type != "NotPlainData" and len(answer.calls) > count * budget:
            return self._too_many(answer.calls, budget, count)
        return error_verdict(instance, answer)

    @staticmethod
    def _too_many(calls: Sequence[Any], budget: int, count: int) -> Verdict:
        runs = f" in {count} runs" if count > 1 else ""
        return _fail(
            "over-budget",
            f"the objective was called {len(calls)} times{runs} with a budget of {budget}: "
            "every call counts, repeats too",
        )


def _history(history: Any) -> dict[str, Any]:
    """Architectures and values of what came back, as plain data."""
    if history is None:
        return {"archs": None, "values": None}
    if not hasattr(history, "archs") or not hasattr(history, "values") or callable(history.values):
        raise NotPlainData(f"returned {describe(history)} where a History(archs, values) is expected")
    return {"archs": list(history.archs), "values": history.values}


def _list(run: Any, key: str) -> list[Any]:
    if type(run) is not dict or run.get(key) is None:
        raise Unacceptable("returns-nothing", "random_search returned None: is there a return statement?")
    value = run[key]
    if type(value) is not list:
        raise Unacceptable("wrong-type", f"the history's {key} should be a list, not {describe(value)}")
    return value


def _one_run(
    found: list[tuple[Any, ...]], run: dict[str, Any], log: list[tuple[tuple[Any, ...], float]], budget: int
) -> Verdict | None:
    """What is wrong with one run, given the calls that were made; None if nothing is."""
    if len(set(found)) < len(found):
        return _fail("repeats-proposals", "samples with replacement: some architectures were proposed twice")
    if len(found) != budget:
        return _fail(
            "wrong-length",
            f"the history has {len(found)} entries with a budget of {budget}: one for each evaluation",
        )
    called = [arch for arch, _ in log]
    if len(called) < budget or set(found) - set(called):
        return _fail(
            "not-evaluated", "the history holds architectures for which the objective was not called"
        )
    given = column(run["values"], budget, "the history's values")
    true = dict(log)
    right = [true[arch] for arch in found]
    if np.allclose(given, right, rtol=1e-6, atol=1e-9):
        if found == called:
            return None
        return _fail(
            "wrong-order", "the history is not in the order of evaluation: regret over time needs that order"
        )
    in_order = [value for _, value in log]
    best_so_far = [max(in_order[: at + 1]) for at in range(budget)]
    if np.allclose(given, best_so_far, rtol=1e-6):
        return _fail(
            "incumbents-not-values",
            "the history's values are the best so far; they should be what each evaluation gave",
        )
    if np.allclose(given, -np.asarray(right), rtol=1e-6):
        return _fail("negated", "the values have the wrong sign: objectives are maximised as they are")
    if np.allclose(np.sort(given), np.sort(right), rtol=1e-6):
        return _fail(
            "mismatched-values",
            "values and architectures do not belong together: values[i] is the value of archs[i]",
        )
    return _fail(
        "wrong-values",
        f"value {show(float(given[0]))} was recorded for an architecture of value {show(right[0])}",
    )


def _random_runs(space: Any, archs: list[list[tuple[Any, ...]]], budget: int) -> Verdict | None:
    """Judge many runs of which the last has the first one's seed."""
    *runs, again = archs
    if again != runs[0]:
        return _fail(
            "ignores-rng",
            "two runs from generators with the same seed differ: all randomness must come from `rng`",
        )
    if all(run == runs[0] for run in runs):
        return _fail(
            "fixed-seed", "every generator gives the same architectures: draw them with the `rng` passed in"
        )
    count, size = len(runs), len(space)
    picked = Counter(arch for run in runs for arch in run)
    high = count_range(count, budget / size, _SEARCH_ALPHA)[1]
    most, times = picked.most_common(1)[0]
    if times > high:
        return _fail(
            "not-uniform",
            f"draws are not uniform: {show(list(most), 110)} was in {times} of {count} runs "
            f"(about {count * budget / size:.0f} expected)",
        )
    # An architecture and the next should have nothing in common; a neighbour comes once in ten by chance.
    close = sum(sum(a != b for a, b in zip(run[0], run[1])) == 1 for run in runs)
    near = sum(len(options) - 1 for options in space.choices) / (size - 1)
    if close > count_range(count, near, _SEARCH_ALPHA)[1]:
        return _fail(
            "not-independent",
            f"the second architecture is a neighbour of the first in {close} of {count} runs: draw anew",
        )
    for place, options in enumerate(space.choices):
        for option in options:
            for chosen, what in ((runs, "all"), ([run[:1] for run in runs], "first")):
                n = sum(len(run) for run in chosen)
                times = sum(arch[place] == option for run in chosen for arch in run)
                low, high = count_range(n, 1 / len(options), _SEARCH_ALPHA)
                if not low <= times <= high:
                    return _fail(
                        "not-uniform",
                        f"draws are not uniform: {times} of {n} architectures ({what} of each run) "
                        f"have {show(option)} as decision {place}",
                    )
    return None


# ------------------------------------------------------------------------------------------ curves, regret


def _given(values: Sequence[float], form: str) -> Any:
    """The values as the learner's function gets them."""
    if form == "array":
        return np.array(values)
    return tuple(values) if form == "tuple" else list(values)


def _series(rng: Generator) -> list[Instance]:
    """Sequences of values of every kind: noisy, negative, tied, whole numbers, sorted both ways, of length
    one."""
    noisy = [round(float(one), 2) for one in rng.normal(85, 6, size=int(rng.integers(12, 40)))]
    negative = [round(float(one), 3) for one in rng.normal(-5, 1, size=int(rng.integers(5, 20)))]
    tied = [float(one) for one in rng.integers(80, 84, size=15)]
    whole = [int(one) for one in rng.integers(0, 100, size=12)]
    climbing = sorted(noisy[:9])
    return [
        {"values": noisy, "form": "array"},
        {"values": noisy[::-1], "form": "list", "about": "values given as a list"},
        {"values": negative, "form": "array", "about": "negative values"},
        {"values": tied, "form": "list", "about": "values with ties"},
        {"values": whole, "form": "array", "about": "whole numbers"},
        {"values": climbing, "form": "array", "about": "values that only rise"},
        {"values": climbing[::-1], "form": "tuple", "about": "values that only fall, given as a tuple"},
        {"values": noisy[:1], "form": "list", "about": "a single value"},
    ]


def _bad_series(rng: Generator) -> list[Instance]:
    values = [round(float(one), 2) for one in rng.normal(85, 6, size=6)]
    return [
        {"bad": "an empty sequence of values", "values": [], "form": "list"},
        {"bad": "NaN among the values", "values": [*values[:3], math.nan, *values[3:]], "form": "array"},
    ]


def _same(found: NDArray[np.float64], right: Any) -> bool:
    # float32 has seven digits, and the values here have four
    return bool(np.allclose(found, np.asarray(right, dtype=float), rtol=2e-6, atol=1e-5))


def _so_far(values: Sequence[float], what: Any) -> list[float]:
    return [float(what(values[: at + 1])) for at in range(len(values))]


def _kept(after: Any, values: Sequence[float]) -> bool:
    return np.array_equal(np.asarray(after, dtype=float), np.asarray(values, dtype=float))


_MUTATES = Verdict(
    0.5, "mutates-input", "the values passed in were changed: work on a copy (np.array(values), list(values))"
)


class _Curve(Exercise):
    """What `incumbent_curve` and `simple_regret` share: exact curves, the input left as it was."""

    has_reference = True

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Exact to float32; a curve that some usual mistake gives is named."""
        values = [float(one) for one in instance["values"]]
        result = answer.value["result"]
        if result is None:
            return _fail("returns-nothing", f"{self.name} returned None: is there a return statement?")
        found = column(result, len(values), self.name)
        right = column(expected.value["result"], len(values), self.name)
        if not _same(found, right):
            # On short or sorted sequences several mistakes look alike: those instances come last.
            concept, message = next(
                (
                    (concept, message)
                    for concept, message, curve in self.suspects(instance, values)
                    if _same(found, curve)
                ),
                ("wrong-curve", "the curve is wrong"),
            )
            return _fail(
                concept, f"{message}: {show(values[:6])} gave {show(found[:6])}, should be {show(right[:6])}"
            )
        if not _kept(answer.value["after"], values):
            return _MUTATES
        return RIGHT

    def suspects(self, instance: Instance, values: list[float]) -> list[tuple[str, str, Any]]:
        """(concept, message, curve) of the usual mistakes."""
        raise NotImplementedError


class IncumbentCurve(_Curve):
    """`incumbent_curve(values)`."""

    name, lesson = "incumbent_curve", LESSON
    hides = ("nas_lib.search:History.incumbent", "nas_lib.search:History.leaders")

    def instances(self, seed: int) -> list[Instance]:
        """Sequences of every kind, and bad ones."""
        rng = default_rng(seed)
        return [*_series(rng), *_bad_series(rng)]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The curve, and the values as they are afterwards."""
        values = _given(instance["values"], instance["form"])
        if "bad" in instance:
            return raised(lambda: fn(values))
        return {"result": fn(values), "after": values}

    def suspects(self, instance: Instance, values: list[float]) -> list[tuple[str, str, Any]]:
        """Usual mistakes of a running maximum."""
        best = _so_far(values, max)
        return [
            ("raw-values", "these are the values themselves, not the best so far", values),
            ("minimum", "best of a minimum instead of a maximum: higher is better", _so_far(values, min)),
            (
                "final-best",
                "the best of all values stands everywhere: entry t may know values[0] to values[t] only",
                [max(values)] * len(values),
            ),
            (
                "starts-at-zero",
                "the best so far starts at 0, which negative values never reach",
                [max(0.0, one) for one in best],
            ),
            (
                "last-two-only",
                "only neighbours are compared: compare with the best so far",
                [max(values[max(0, at - 1) : at + 1]) for at in range(len(values))],
            ),
            (
                "sorts-values",
                "the values are sorted: they must stay in the order of evaluation",
                sorted(values),
            ),
            ("late-by-one", "the curve is late by one: entry t includes values[t]", [values[0], *best[:-1]]),
            ("mean", "this is the mean so far, not the best so far", _so_far(values, np.mean)),
            ("indices", "these are positions: return the values there", _so_far(values, np.argmax)),
        ]


class SimpleRegret(_Curve):
    """`simple_regret(values, best)`."""

    name, lesson = "simple_regret", LESSON
    hides = (
        "nas_lib.search:History.regret",
        "nas_lib.search:History.incumbent",
        "nas_lib.search:History.leaders",
    )

    def instances(self, seed: int) -> list[Instance]:
        """Sequences of every kind with an optimum above them, at their top, or (from noise) below it; and bad
        ones."""
        rng = default_rng(seed)
        cases = []
        for case in _series(rng):
            top = max(case["values"])
            cases.append({**case, "best": round(top + float(rng.uniform(0.5, 4)), 2)})
        cases[3]["best"] = float(max(cases[3]["values"]))
        cases[4]["best"] = int(max(cases[4]["values"]) + 3)
        # The first value is below `best`, later ones above: a sign changes on the way.
        ordered = sorted(cases[0]["values"])
        values = [ordered[0], *cases[0]["values"][1:], ordered[-1]]
        cases.append(
            {**cases[0], "values": values, "best": ordered[len(ordered) // 2], "about": "values above `best`"}
        )
        bad = [{**case, "best": 95.0} for case in _bad_series(rng)]
        return [*cases, *bad]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The regret, and the values as they are afterwards."""
        values = _given(instance["values"], instance["form"])
        if "bad" in instance:
            return raised(lambda: fn(values, instance["best"]))
        return {"result": fn(values, instance["best"]), "after": values}

    def suspects(self, instance: Instance, values: list[float]) -> list[tuple[str, str, Any]]:
        """Usual mistakes of regret."""
        best, top = float(instance["best"]), np.array(_so_far(values, max))
        given = np.array(values)
        return [
            (
                "sign-flipped",
                "the sign is flipped: regret is best − incumbent, positive below the optimum",
                top - best,
            ),
            (
                "no-incumbent",
                "this is the regret of each evaluation: simple regret is that of the best so far",
                best - given,
            ),
            (
                "clipped",
                "negative regret was cut off: a value above `best` has a negative regret",
                np.maximum(best - top, 0),
            ),
            ("absolute", "the absolute value hides that a value beats `best`", np.abs(best - top)),
            ("own-best", "the best of `values` is not the optimum: use `best`", max(values) - top),
            (
                "minimum",
                "the incumbent is a minimum here: higher is better",
                best - np.array(_so_far(values, min)),
            ),
            ("incumbent-not-regret", "this is the incumbent, not its distance to `best`", top),
            (
                "relative",
                "regret is a difference in the units of the values, not a share of `best`",
                (best - top) / best,
            ),
            (
                "cumulative",
                "this adds regrets up: simple regret is that of the incumbent alone",
                np.cumsum(best - given),
            ),
            (
                "cumulative",
                "this adds regrets up: simple regret is that of the incumbent alone",
                np.cumsum(best - top),
            ),
            (
                "final-best",
                "the best of all values stands everywhere: entry t may know values[0] to values[t] only",
                np.full(len(values), best - max(values)),
            ),
        ]


# -------------------------------------------------------------------------------- samples_for_top_fraction


def _is_least(n: int, fraction: float, confidence: float, slack: float) -> bool:
    """Do n draws, and not n − 1, reach the confidence? Near a tie, within relative `slack` of the miss
    chance, both will do."""
    if not 1 <= n <= 10**9:
        return False
    with localcontext() as context:
        context.prec = 60
        stay = 1 - Decimal(fraction)
        allowed = 1 - Decimal(confidence)
        width = allowed * Decimal(slack)
        return stay**n <= allowed + width and (n == 1 or stay ** (n - 1) > allowed - width)


class SamplesForTopFraction(Exercise):
    """`samples_for_top_fraction(fraction, confidence)`: the definition itself, in 60 digits, with room where
    floats tie."""

    name, lesson = "samples_for_top_fraction", LESSON
    hides = ("nas_lib.checks.random_search:_is_least",)
    has_reference = False

    def instances(self, seed: int) -> list[Instance]:
        """Everyday pairs, rare targets, easy targets, an exactly reached confidence, the whole space, and bad
        ones."""
        rng = default_rng(seed)
        usual = [
            [round(float(f), 3), round(float(c), 2)]
            for f, c in zip(rng.uniform(0.01, 0.3, size=8), rng.uniform(0.5, 0.99, size=8))
        ]
        rare = [
            [float(f"{10 ** float(f):.2g}"), round(float(c), 3)]
            for f, c in zip(rng.uniform(-4, -2.3, size=4), rng.uniform(0.9, 0.999, size=4))
        ]
        easy = [[round(float(f), 3), round(float(f) / 2, 3)] for f in rng.uniform(0.3, 0.9, size=3)]
        # A power of two away from 0 or 1: floats hold fraction, confidence and both complements exactly.
        exact = [[one, one] for one in (0.5, float(rng.choice([0.125, 0.25, 0.75, 0.875])))]
        whole = [[1.0, round(float(rng.uniform(0.5, 0.99)), 2)], [1, 0.95]]
        valid = usual[0]
        return [
            {"pairs": usual},
            {"pairs": rare, "about": "a rare target"},
            {"pairs": easy, "about": "a confidence below the fraction"},
            {"pairs": exact, "exact": True, "about": "a confidence that one draw reaches exactly"},
            {"pairs": whole, "about": "fraction = 1"},
            {"bad": "a fraction of 0", "pairs": [[0.0, valid[1]]]},
            {"bad": "a negative fraction", "pairs": [[-0.2, valid[1]]]},
            {"bad": "a fraction above 1", "pairs": [[1.5, valid[1]]]},
            {"bad": "a confidence of 1", "pairs": [[valid[0], 1.0]]},
            {"bad": "a confidence of 0", "pairs": [[valid[0], 0.0]]},
            {"bad": "a confidence above 1 (percent?)", "pairs": [[valid[0], 95.0]]},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The number for each pair."""
        pairs = instance["pairs"]
        if "bad" in instance:
            return raised(lambda: fn(*pairs[0]))
        return [fn(fraction, confidence) for fraction, confidence in pairs]

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """The definition, and what the usual mistakes would give."""
        pairs = instance["pairs"]
        try:
            found, whole = integers(answer.value, len(pairs), self.name)
        except Unacceptable as wrong:
            if wrong.verdict.concept == "not-whole":
                return _fail("not-whole", f"{wrong.verdict.message}: half a draw cannot be made, round up")
            raise
        slack = 0.0 if instance.get("exact") else 1e-9
        right = [_is_least(n, f, c, slack) for n, (f, c) in zip(found, pairs)]
        if all(right):
            if whole:
                return RIGHT
            return _fail(
                "not-an-int",
                f"{show(float(found[0]))} is right, but a float: a number of draws is an int",
                1 - BAD_INPUT,
            )
        at = right.index(False)
        concept, message = self._mistake(instance, found)
        fraction, confidence = pairs[at]
        reached = 1 - (1 - fraction) ** max(found[at], 0)
        return _fail(
            concept,
            f"{message} (fraction {show(float(fraction))}, confidence {show(confidence)}: "
            f"n = {found[at]} reaches {show(reached)})",
        )

    @staticmethod
    def _mistake(instance: Instance, found: list[int]) -> tuple[str, str]:
        pairs = instance["pairs"]

        def fits(change: Any) -> bool:
            return all(change(n, f, c) for n, (f, c) in zip(found, pairs))

        if instance.get("exact") and fits(lambda n, f, c: n == 2):
            return "strict", "off by one at exactly reached confidence: “at least” includes equality"
        if any(f == 1 for f, _ in pairs):
            return "fraction-one", "one draw is enough where everything is good enough"
        if fits(lambda n, f, c: _is_least(n + 1, f, c, 1e-9)):
            return "rounds-down", "rounded down: these draws miss the confidence, round up"
        if fits(lambda n, f, c: _is_least(n - 1, f, c, 1e-9)):
            return "off-by-one", "one draw too many: fewer are enough"
        if fits(lambda n, f, c: _is_least(n, f, c, 1e-9) or _is_least(n + 1, f, c, 1e-9)):
            return "rounds-to-nearest", "rounded to the nearest: these draws miss the confidence, round up"
        if fits(lambda n, f, c: _is_least(n, c, f, 1e-9)):
            return "swapped", "fraction and confidence are swapped"
        if fits(lambda n, f, c: _is_least(n, f, 1 - c, 1e-6)):
            return "miss-and-hit", "the chance to miss must fall to 1 − confidence, not to confidence"
        if fits(lambda n, f, c: abs(n - c / f) <= 1):
            return "linear", "chances to hit were added up: the chances to miss multiply"
        if fits(lambda n, f, c: abs(n - 1 / f) <= 1):
            return "ignores-confidence", "the mean waiting time 1/fraction is not enough for every confidence"
        if any(n < 1 for n in found):
            return "below-one", "no confidence above 0 is reached without a draw"
        return "wrong-number", "not the least number of draws"

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """log(0) is the usual end of fraction = 1."""
        if any(fraction == 1 for fraction, _ in instance["pairs"]) and answer.error_type not in (
            "NotImplementedError",
            "Missing",
        ):
            return _fail(
                "fraction-one",
                f"with fraction = 1 one draw is enough; your code raised {answer.error_type} there",
            )
        return error_verdict(instance, answer)


# ---------------------------------------------------------------------------------------- paired_bootstrap


class PairedBootstrap(Exercise):
    """`paired_bootstrap(a, b, rng, resamples)`: ends of the interval against the exact bootstrap
    distribution.

    The differences are whole numbers of a unit, so the distribution of a resampled mean is a convolution and
    its quantiles are known exactly; the ends may differ from them as far as so many resamples allow.
    """

    name, lesson = "paired_bootstrap", LESSON
    hides = ("nas_lib.search:Comparison.paired",)
    has_reference = False

    def instances(self, seed: int) -> list[Instance]:
        """Strongly paired runs, a skewed sample, two pairs, equal differences, one resample, repeated seeds;
        bad ones."""
        rng = default_rng(seed)

        def seeds(count: int) -> list[int]:
            return [int(one) for one in rng.integers(2**31, size=count)]

        def pairs(differences: Any, **more: Any) -> Instance:
            """Runs around 88 % whose seeds spread far more than the differences do."""
            d = np.round(differences).astype(int)
            b = np.round(rng.normal(8800, 400, size=len(d))).astype(int)
            given = {"a": (b + d).tolist(), "b": b.tolist(), "unit": 0.01, "form": "array", "seeds": seeds(1)}
            return {**given, **more}

        # Sorted, so that leaving out the first pair or the last one moves the interval.
        plain = np.sort(rng.normal(40, 80, size=int(rng.integers(10, 15))))
        # One run far out, and last: a normal approximation, one pair less or a forgotten last pair show.
        skewed = np.append(rng.uniform(10, 60, size=5), rng.integers(500, 700))
        two = rng.permutation([-int(rng.integers(20, 60)), int(rng.integers(80, 200))])
        many = rng.normal(-30, 150, size=9)
        a = [int(one) for one in rng.integers(10, 90, size=7)]
        whole = {"a": a, "b": [one - 4 for one in a], "unit": 1, "form": "list", "seeds": seeds(1)}
        again = seeds(6)
        ok = pairs(many, resamples=20)
        return [
            pairs(plain, resamples=None),
            pairs(skewed, resamples=4000, form="list", about="a small skewed sample, given as lists"),
            pairs(two, resamples=2000, about="two pairs"),
            pairs(many, resamples=1, about="resamples=1"),
            {**whole, "resamples": 200, "about": "equal differences of whole numbers"},
            pairs(many, resamples=50, seeds=[again[0], *again], repeats=True),
            {**ok, "bad": "an `a` longer than `b`", "b": ok["b"][:-1], "form": "list"},
            {**ok, "bad": "a `b` of length 1 beside a longer `a`", "b": ok["b"][:1]},
            {**ok, "bad": "NaN in `a`", "a": [*ok["a"][:-1], math.nan]},
            {**ok, "bad": "a single pair", "a": ok["a"][:1], "b": ok["b"][:1]},
            {**ok, "bad": "resamples=0", "resamples": 0},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """One result per seed, and the inputs as they are afterwards."""
        more = {} if instance["resamples"] is None else {"resamples": instance["resamples"]}
        if "bad" in instance:
            return raised(lambda: fn(*self._pairs(instance), default_rng(instance["seeds"][0]), **more))
        results = []
        for seed in instance["seeds"]:
            a, b = self._pairs(instance)
            results.append(fn(a, b, default_rng(seed), **more))
        before = [np.array(one, dtype=float) for one in self._pairs(instance)]
        return {"results": results, "before": before, "after": [a, b]}

    @staticmethod
    def _pairs(instance: Instance) -> list[Any]:
        unit = instance["unit"]
        return [
            _given([one if unit == 1 else one * unit for one in instance[key]], instance["form"])
            for key in ("a", "b")
        ]

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """The mean, then the interval, then where the randomness comes from."""
        results = [_result(one) for one in rows(answer.value["results"], len(instance["seeds"]), self.name)]
        sample = PairedSample(
            np.array(instance["a"]),
            np.array(instance["b"]),
            instance["unit"],
            instance["resamples"] or 10_000,
            _BOOTSTRAP_ALPHA,
        )
        for mean, low, high in results:
            verdict = sample.judge_mean(mean) or sample.judge_interval(low, high)
            if verdict:
                return verdict
        if instance.get("repeats"):
            first, again, *others = results
            if not sample.same(first, again):
                return _fail(
                    "ignores-rng",
                    "two generators with the same seed give different intervals: draw from `rng` only",
                )
            if all(sample.same(first, other) for other in others):
                return _fail(
                    "fixed-seed",
                    "generators with different seeds give the same interval: use the `rng` passed in",
                )
        if not all(
            _kept(after, before) for after, before in zip(answer.value["after"], answer.value["before"])
        ):
            return Verdict(
                0.5, "mutates-input", "`a` or `b` was changed (a -= b works in place): work on a copy"
            )
        return RIGHT


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
    mean, interval = value
    ends = interval.tolist() if isinstance(interval, np.ndarray) else interval
    if type(ends) is not list or len(ends) != 2:
        raise Unacceptable(
            "wrong-shape", f"paired_bootstrap should return {form}, its second part is {show(ends)}"
        )
    numbers = number(mean, "the mean"), number(ends[0], "the low end"), number(ends[1], "the high end")
    if not all(math.isfinite(one) for one in numbers):
        raise Unacceptable("not-finite", f"paired_bootstrap returned {show(list(numbers))}")
    return numbers


register(
    SampleUniform(),
    RandomSearch(),
    IncumbentCurve(),
    SimpleRegret(),
    SamplesForTopFraction(),
    PairedBootstrap(),
    *(ConceptQuestion(f"concept_01_{number}", LESSON) for number in (1, 2, 3, 4)),
)
