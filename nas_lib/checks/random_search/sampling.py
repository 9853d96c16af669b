"""The check of `sample_uniform`: shares of options, of pairs of options and of whole architectures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from numpy.random import default_rng

from nas_lib.checks._mistakes import raised
from nas_lib.checks.exercise import RIGHT, Answer, Exercise, Instance, Unacceptable, Verdict, fail, show
from nas_lib.checks.judging import error_verdict
from nas_lib.checks.spaces import ChoiceSpace
from nas_lib.judges.reading import cell, is_number, rows, scalar
from nas_lib.judges.statistics import count_range
from nas_lib.spaces import OPS

_ALPHA = 2e-10  # how likely one count of right code leaves its range
_COUNTS = 506  # of options, pairs of options and architectures, at most


class SampleUniform(Exercise):
    """`sample_uniform(space, rng)`: shares of options, of pairs of options and of whole architectures, exact
    count bounds."""

    name, lesson = "sample_uniform", "01_random_search"
    has_reference = False
    false_fail = _COUNTS * _ALPHA

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
        low, high = count_range(n, 1 / len(options), _ALPHA)
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
    return None


def _independent(choices: Sequence[Sequence[Any]], draws: Sequence[tuple[Any, ...]]) -> Verdict | None:
    n = len(draws)
    for one, other in combinations(range(len(choices)), 2):
        seen = Counter((arch[one], arch[other]) for arch in draws)
        low, high = count_range(n, 1 / (len(choices[one]) * len(choices[other])), _ALPHA)
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
    low, high = count_range(n, 1 / size, _ALPHA)
    seen = Counter(draws)
    counts = [seen[arch] for arch in ChoiceSpace(choices)]
    if all(low <= count <= high for count in counts):
        return None
    return fail(
        "biased",
        f"of {size} architectures some are drawn {max(counts)} times, some {min(counts)} times in {n} draws",
    )
