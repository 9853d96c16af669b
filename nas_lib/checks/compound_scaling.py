"""Checks of lesson 07: what scaling costs, how it is rounded, the two blocks, the grid search, and augmentation.

Functions of numbers are compared with the reference. Blocks get weights that the check draws, in the order in which
their layers stand, and are compared in evaluation and in training; a usual mistake is recognised by computing what it
would give with the library's own layers. Random augmentation is judged by its results: each has to be one that the
operations, or a pair of images, can give, and they have to come as often as they should. Right code fails by bad luck
with probability at most `false_fail`: 5e-10 for each count (`_stats`).
"""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from nas_lib.checks._core import (
    RIGHT,
    Answer,
    ConceptQuestion,
    Exercise,
    Instance,
    NotPlainData,
    Oracle,
    Unacceptable,
    Verdict,
    describe,
    error_verdict,
    raised,
    register,
    roundtrip,
    show,
)
from nas_lib.checks._forms import fail, integers, is_number, number, rows, scalar
from nas_lib.checks._mistakes import close
from nas_lib.checks._small_nets import double_precision
from nas_lib.checks._stats import count_range

# torch is imported where it is used: looking an exercise up by its name imports the checks of all lessons.

LESSON = "07_compound_scaling"
_ALPHA = 5e-10

Array = NDArray[np.float64]
NAN = float("nan")


# --------------------------------------------------------------------------------------- functions of numbers

Rule = tuple[str, Callable[..., float], str]
"""The concept of a usual mistake, what it gives for the same arguments, and what to say."""


class OfNumbers(Exercise):
    """A function of a few numbers: several calls per instance, and the mistake that explains all of them."""

    whole = True

    def problems(self, rng: np.random.Generator) -> list[tuple[str, list[list[Any]]]]:
        """(what is special, argument lists) of the instances."""
        raise NotImplementedError

    def bad(self) -> list[tuple[str, list[Any]]]:
        """(phrase, arguments) of bad input."""
        raise NotImplementedError

    def mistakes(self) -> Sequence[Rule]:
        """The usual ones, the most telling first."""
        raise NotImplementedError

    def instances(self, seed: int) -> list[Instance]:
        """The problems, and bad input."""
        rng = default_rng(seed)
        return [
            *({"calls": calls} | ({"about": about} if about else {}) for about, calls in self.problems(rng)),
            *({"bad": phrase, "calls": [call]} for phrase, call in self.bad()),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """One answer per call."""
        if "bad" in instance:
            return raised(lambda: fn(*instance["calls"][0]))
        return [fn(*call) for call in instance["calls"]]

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Exact, up to rounding where the result is no whole number."""
        calls = instance["calls"]
        right = [float(one) for one in expected.value]
        are_ints = True
        if self.whole:
            values, are_ints = integers(answer.value, len(calls), self.name)
            found: list[float] = list(map(float, values))
        else:
            found = [number(one, self.name) for one in rows(answer.value, len(calls), self.name)]
        if close(found, right):
            if are_ints:
                return RIGHT
            return fail("not-an-int", f"{show(found[0])} is right, but a float: return an int", 0.5)
        for concept, rule, message in self.mistakes():
            told = [rule(*call) for call in calls]
            if not close(told, right) and close(found, told):
                return fail(concept, message)
        at = next(i for i, pair in enumerate(zip(found, right)) if not close(*pair))
        about = f" ({instance['about']})" if instance.get("about") else ""
        arguments = ", ".join(show(one) for one in calls[at])
        return fail(
            "wrong-result-of-scaling",
            f"{self.name}({arguments}) is {show(found[at])}, should be {show(right[at])}{about}",
        )


class ScaledCost(OfNumbers):
    """`scaled_cost(alpha, beta, gamma, phi)`."""

    name, lesson, whole = "scaled_cost", LESSON, False
    hides = (
        "nas_lib.lesson:_scaled_cost",
        "nas_lib.scaling:Coefficients.cost",
        "nas_lib.scaling:Coefficients.at",
    )

    def problems(self, rng: np.random.Generator) -> list[tuple[str, list[list[Any]]]]:
        """Coefficients above 1 and below, whole and broken steps, none and backwards."""

        def draw(low: float, high: float) -> list[float]:
            return [round(float(one), 3) for one in rng.uniform(low, high, 3)]

        return [
            ("", [[*draw(1.05, 1.4), round(float(rng.uniform(1.2, 4)), 2)] for _ in range(4)]),
            ("phi = 1", [[*draw(1.05, 1.4), 1] for _ in range(3)]),
            ("phi = 0", [[*draw(1.05, 1.4), 0]]),
            ("a negative phi", [[*draw(1.05, 1.4), -1.5]]),
            ("coefficients below 1", [[*draw(0.6, 0.95), 2]]),
        ]

    def bad(self) -> list[tuple[str, list[Any]]]:
        """No network has a width of 0."""
        return [
            ("an alpha of 0", [0.0, 1.1, 1.15, 1.0]),
            ("a beta of -1.1", [1.2, -1.1, 1.15, 1.0]),
            ("a gamma of NaN", [1.2, 1.1, NAN, 1.0]),
            ("an infinite phi", [1.2, 1.1, 1.15, float("inf")]),
        ]

    def mistakes(self) -> Sequence[Rule]:
        """Which dimension is squared, and what phi does."""
        squares = (
            "but the width counts twice (channels in and out), and so does the resolution (rows, columns)"
        )
        return [
            ("no-squares", lambda a, b, c, p: (a * b * c) ** p, f"here each counts once: {squares}"),
            (
                "width-once",
                lambda a, b, c, p: (a * b * c**2) ** p,
                "the width counts once here: a convolution has channels in *and* out",
            ),
            (
                "resolution-once",
                lambda a, b, c, p: (a * b**2 * c) ** p,
                "the resolution counts once here: an image has rows *and* columns",
            ),
            (
                "depth-squared",
                lambda a, b, c, p: (a**2 * b**2 * c**2) ** p,
                "the depth is squared as well: twice the blocks cost twice as much",
            ),
            (
                "depth-squared",
                lambda a, b, c, p: (a**2 * b * c) ** p,
                "the depth is squared: twice the blocks cost twice as much, twice the channels four times",
            ),
            (
                "times-phi",
                lambda a, b, c, p: a * b**2 * c**2 * p,
                "phi multiplies here: it is an exponent, the number of steps",
            ),
            (
                "ignores-phi",
                lambda a, b, c, p: a * b**2 * c**2,
                "this is the cost of one step: `phi` is not used",
            ),
            ("assumes-two", lambda a, b, c, p: 2.0**p, "2^phi holds only where alpha·beta²·gamma² is 2"),
            (
                "part-without-phi",
                lambda a, b, c, p: a**p * b**2 * c**2,
                "phi is the exponent of the first factor only: all three grow with it",
            ),
            (
                "part-without-phi",
                lambda a, b, c, p: a * b**2 * (c**2) ** p,
                "phi is the exponent of the last factor only: all three grow with it",
            ),
        ]


class RoundFilters(OfNumbers):
    """`round_filters(filters, width, divisor)`."""

    name, lesson = "round_filters", LESSON
    hides = ("nas_lib.lesson:_round_filters", "nas_lib.efficientnet:nearest_multiple")

    def problems(self, rng: np.random.Generator) -> list[tuple[str, list[list[Any]]]]:
        """Halves, the rule of 90 % and its border, small numbers, other divisors and none."""
        widths = [1.1, 1.2, 1.4, 1.6, 1.8, 2.0]
        counts = [16, 24, 32, 40, 80, 112, 192, 320, 1280]
        some = [[int(rng.choice(counts)), float(rng.choice(widths)), 8] for _ in range(8)]
        halves = [[4 * int(odd), 1.0, 8] for odd in rng.choice(np.arange(21, 60, 2), 4, replace=False)]
        halves.append([8 * int(rng.integers(11, 30)) + 7, 1.0, 8])  # not halfway: tells rounding down apart
        uneven = [[36, 1.4, 8], [44, 1.6, 8], [100, float(rng.choice([1.1, 1.2])), 8]]
        lost = [[int(filters), 1.0, 8] for filters in rng.permutation([10, 11, 18, 19])]
        divisors = [[int(rng.integers(20, 200)), 1.0, int(one)] for one in rng.permutation([2, 4, 16])]
        divisors += [[48, 1.1, 5], [int(rng.integers(20, 200)), 1.0, 1]]
        tenths = [[10 * int(i), 1.0, 9 * int(j)] for i, j in ((1, 1), (2, 1), (2, 2), (3, 3))]
        unsaid = [[int(rng.choice(counts)), float(width)] for width in rng.permutation(widths)[:4]]
        return [
            ("", some),
            ("halfway between two multiples", halves),
            ("the nearest multiple would lose more than a tenth", lost),
            ("fewer channels than the divisor", [[3, 1.0, 8], [1, 1.0, 4], [5, 0.5, 16]]),
            ("another divisor", divisors),
            ("exactly a tenth is lost", tenths),
            ("the divisor left at its default", unsaid),
            ("filters that are no multiple themselves", uneven),
            ("a width below 1", [[int(rng.choice([96, 160, 320])), 0.75, 8], [64, 0.5, 8]]),
        ]

    def bad(self) -> list[tuple[str, list[Any]]]:
        """Numbers that no network has."""
        return [
            ("a width of 0", [32, 0.0, 8]),
            ("a width of -1", [32, -1.0, 8]),
            ("a width of NaN", [32, NAN, 8]),
            ("an infinite width", [32, float("inf"), 8]),
            ("filters of 0", [0, 1.0, 8]),
            ("a divisor of 0", [32, 1.0, 0]),
        ]

    def mistakes(self) -> Sequence[Rule]:
        """Other ways to round."""

        def kept(value: float, divisor: int, rounded: float) -> float:
            rounded = max(divisor, rounded)
            return rounded + divisor if rounded < 0.9 * value else rounded

        def rule(f: int, w: float, d: int = 8) -> float:
            return max(d, int(f * w + d / 2) // d * d)

        def strict(f: int, w: float, d: int = 8) -> float:
            return rule(f, w, d) + d * (rule(f, w, d) <= 0.9 * f * w)

        half = "halfway between two multiples the larger one is taken"
        return [
            (
                "no-tenth-rule",
                rule,
                "the nearest multiple may lose more than a tenth of the channels: where it is below 0.9·filters·width, "
                "go one multiple up",
            ),
            (
                "exactly-nine-tenths",
                strict,
                "the next multiple is taken only *below* nine tenths of filters·width: exactly nine tenths are enough",
            ),
            (
                "cuts-down",
                lambda f, w, d=8: kept(f * w, d, int(f * w) // d * d),
                "this rounds down: take the *nearest* multiple",
            ),
            (
                "cuts-down",
                lambda f, w, d=8: max(d, int(f * w) // d * d),
                "this rounds down: take the *nearest* multiple",
            ),
            (
                "goes-up",
                lambda f, w, d=8: max(d, math.ceil(f * w / d) * d),
                "this rounds up: take the *nearest* multiple",
            ),
            (
                "half-to-even",
                lambda f, w, d=8: kept(f * w, d, round(f * w / d) * d),
                f"round() is to even: {half}",
            ),
            (
                "half-down",
                lambda f, w, d=8: kept(f * w, d, math.ceil(f * w / d - 0.5) * d),
                f"{half}, and here it is the smaller one",
            ),
            (
                "no-least",
                lambda f, w, d=8: (lambda r: r + d if r < 0.9 * f * w else r)(int(f * w + d / 2) // d * d),
                "a layer needs channels: never fewer than one divisor",
            ),
            (
                "rounds-first",
                lambda f, w, d=8: kept(f * w, d, int((int(f + d / 2) // d * d) * w + d / 2) // d * d),
                "round after multiplying, once",
            ),
            (
                "tenth-of-filters",
                lambda f, w, d=8: (lambda r: r + d if r < 0.9 * f else r)(rule(f, w, d)),
                "the nine tenths are those of filters·width, not of filters",
            ),
            (
                "ignores-divisor",
                lambda f, w, d=8: kept(f * w, 8, int(f * w + 4) // 8 * 8),
                "the multiple is always one of 8: `divisor` is not used",
            ),
            ("no-multiple", lambda f, w, d=8: round(f * w), "this is no multiple of the divisor"),
        ]


class RoundRepeats(OfNumbers):
    """`round_repeats(repeats, depth)`."""

    name, lesson = "round_repeats", LESSON
    hides = ("nas_lib.lesson:_round_repeats",)

    def problems(self, rng: np.random.Generator) -> list[tuple[str, list[list[Any]]]]:
        """Products just above a whole number, whole ones, and multipliers below 1."""
        depths = [1.1, 1.2, 1.4, 1.8, 2.2, 2.6, 3.1]
        some = [[int(rng.integers(1, 7)), float(rng.choice([1.3, 1.7, 2.3, 2.7, 3.1]))] for _ in range(6)]
        return [
            ("", some),
            ("one block", [[1, float(depth)] for depth in rng.permutation(depths)]),
            ("a product that is whole", [[int(rng.integers(1, 6)), 2.0], [4, 1.5], [3, 1.0], [2, 2.5]]),
            ("a depth below 1", [[int(rng.integers(3, 8)), 0.6], [1, 0.3], [4, 0.5]]),
        ]

    def bad(self) -> list[tuple[str, list[Any]]]:
        """No stage is empty."""
        return [
            ("a depth of 0", [3, 0.0]),
            ("a depth of NaN", [3, NAN]),
            ("repeats of 0", [0, 1.2]),
            ("a depth of -1.2", [3, -1.2]),
            ("an infinite depth", [3, float("inf")]),
        ]

    def mistakes(self) -> Sequence[Rule]:
        """Other ways to round."""
        up = "blocks are rounded *up*, so that every multiplier above 1 adds some"
        return [
            ("cuts-down", lambda n, d: int(n * d), f"this rounds down: {up}"),
            ("cuts-down", lambda n, d: max(1, int(n * d)), f"this rounds down: {up}"),
            ("takes-the-nearest", lambda n, d: round(n * d), f"this is the nearest whole number: {up}"),
            ("takes-the-nearest", lambda n, d: int(n * d + 0.5), f"this is the nearest whole number: {up}"),
            (
                "takes-the-nearest",
                lambda n, d: max(1, round(n * d)),
                f"this is the nearest whole number: {up}",
            ),
            (
                "adds-one-more",
                lambda n, d: int(n * d) + 1,
                "where the product is whole already, this adds one too many",
            ),
            (
                "rounds-the-depth",
                lambda n, d: n * math.ceil(d),
                "the product is rounded, not the multiplier alone",
            ),
            ("adds-the-depth", lambda n, d: math.ceil(n + d), "the depth multiplies, it is not added"),
            ("ignores-depth", lambda n, d: n, "`depth` is not used"),
        ]


class ProgressiveSchedule(Exercise):
    """`progressive_schedule(stage, stages, resolution, magnitude)`: whole schedules at a time."""

    name, lesson = "progressive_schedule", LESSON
    hides = ("nas_lib.lesson:_progressive_schedule", "nas_lib.scaling:ramp", "nas_lib.scaling:growing")

    def instances(self, seed: int) -> list[Instance]:
        """Two to seven stages, falling and constant values, a single stage; bad input."""
        rng = default_rng(seed)

        def case(stages: int, **given: Any) -> Instance:
            low = int(rng.integers(8, 20))
            # steps of a whole number and a bit, unless that would leave something halfway
            high = low + int((stages - 1) * rng.integers(3, 8)) + (stages - 1) % 2
            ends = [round(float(one), 2) for one in sorted(rng.uniform(0, 20, 2))]
            return {"stages": stages, "resolution": [low, high], "magnitude": ends, **given}

        return [
            case(4),
            case(int(rng.integers(5, 8))),
            case(2, about="two stages"),
            case(1, about="a single stage"),
            case(3, magnitude=[9.0, 1.5], about="a magnitude that falls"),
            case(4, resolution=[24, 24], about="a resolution that stays"),
            case(4, resolution=[1, 13], about="a resolution that begins at 1"),
            case(4, stage=4, bad="stage 4 of 4 (they begin at 0)"),
            case(4, stage=6, bad="stage 6 of 4"),
            case(4, stage=-1, bad="stage -1"),
            case(0, stage=0, bad="a number of 0 stages"),
            case(3, stage=1, resolution=[0, 24], bad="a first resolution of 0"),
            case(3, stage=1, resolution=[24, 0], bad="a last resolution of 0"),
            case(3, stage=1, resolution=[12, NAN], bad="a resolution of NaN"),
            case(3, stage=1, magnitude=[0.0, NAN], bad="a magnitude of NaN"),
            case(3, stage=1, magnitude=[float("inf"), 9.0], bad="an infinite magnitude"),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The whole schedule."""
        resolution, magnitude = tuple(instance["resolution"]), tuple(instance["magnitude"])
        if "bad" in instance:
            return raised(lambda: fn(instance["stage"], instance["stages"], resolution, magnitude))
        return [fn(stage, instance["stages"], resolution, magnitude) for stage in range(instance["stages"])]

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Sides are ints and exact, magnitudes floats."""
        stages = instance["stages"]
        pairs = rows(answer.value, stages, self.name)
        for pair in pairs:
            if not isinstance(pair, (list, np.ndarray)) or len(pair) != 2:
                return fail(
                    "wrong-type",
                    f"{self.name} returned {describe(pair)} where a pair (resolution, magnitude) is expected",
                )
        sides = [scalar(pair[0]) for pair in pairs]
        levels = [number(pair[1], "the magnitude") for pair in pairs]
        right = [list(pair) for pair in expected.value]
        wanted, tops = [int(pair[0]) for pair in right], [float(pair[1]) for pair in right]
        if not all(is_number(side) for side in sides):
            return fail("wrong-type", f"the resolution should be an int, not {describe(sides[0])}")
        verdict = self._of_line(instance, "resolution", list(map(float, sides)), list(map(float, wanted)))
        verdict = verdict or self._of_line(instance, "magnitude", levels, tops)
        if verdict is None and any(type(side) is not int for side in sides):
            return fail(
                "not-an-int", f"{show(sides[0])} is right, but a float: an image has whole pixels", 0.5
            )
        return verdict or RIGHT

    def _of_line(
        self, instance: Instance, what: str, found: list[float], right: list[float]
    ) -> Verdict | None:
        if close(found, right):
            return None
        (low, high), stages = instance[what], instance["stages"]
        steps = np.arange(stages)
        line = low + (high - low) * steps / max(1, stages - 1)
        if stages == 1:
            line = np.array([float(high)])
        usual = [
            (
                np.full(stages, float(low)) if stages == 1 else None,
                "single-stage-low",
                f"a single stage is the last one too: it gets {show(high)}, what the network is trained for",
            ),
            (
                low + (high - low) * steps / stages,
                "never-arrives",
                f"the last stage has {show(found[-1])}, not {show(high)}: between the first and the last of "
                f"{stages} stages lie {stages - 1} steps",
            ),
            (
                low + (high - low) * (steps + 1) / stages,
                "never-begins",
                f"the first stage has {show(found[0])}, not {show(low)}: stages begin at 0",
            ),
            (np.full(stages, float(high)), "never-grows", f"the {what} does not grow"),
            (np.full(stages, float(low)), "never-grows", f"the {what} does not grow"),
            (
                line[::-1],
                "runs-from-last-to-first",
                f"the {what} runs from the second number of the pair to the first",
            ),
            (
                low * (high / low) ** (steps / max(1, stages - 1)) if low > 0 and high > 0 else None,
                "grows-by-a-factor",
                f"the {what} grows by a constant *factor*: the schedule is linear",
            ),
        ]
        for values, concept, message in usual:
            for rounding in (lambda v: v, np.round, np.floor):
                if values is None or close(rounding(line), rounding(values)):
                    continue
                if close(found, rounding(values)):
                    return fail(concept, message)
        if what == "resolution":
            if close(found, np.floor(line)):
                return fail("cuts-off-pixels", "the resolution is cut off: take the nearest whole number")
            if close(found, np.ceil(line - 1e-9)):
                return fail("cuts-off-pixels", "the resolution is rounded up: take the nearest whole number")
            if close(found, line):
                return fail("left-broken", f"an image has whole pixels: {show(found[1])} has to be rounded")
        other = "magnitude" if what == "resolution" else "resolution"
        if stages > 1 and close([found[0], found[-1]], instance[other]):
            return fail("swapped-pairs", "the two come back in the wrong order: (resolution, magnitude)")
        return fail("other-schedule", f"the {what} should run through {show(right)}, not {show(found)}")


# ------------------------------------------------------------------------------------------------- the stages

_FIELDS = ("expand", "kernel", "stride", "in", "out", "repeats")


class EfficientNetStages(Exercise):
    """`efficientnet_stages(variant)`: all seven stages of each variant."""

    name, lesson = "efficientnet_stages", LESSON
    hides = ("nas_lib.lesson:_efficientnet_stages", "nas_lib.efficientnet:efficientnet_plan")

    def instances(self, seed: int) -> list[Instance]:
        """Every published variant, and none of them."""
        variants = ["b0", *(f"b{i}" for i in default_rng(seed).permutation(np.arange(1, 8)))]
        return [
            *({"variant": one, "about": one} for one in variants),
            *({"bad": f"the variant {one!r}", "variant": one} for one in ("b8", "", 3)),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The stages."""
        from nas_lib import lesson

        given = {"filters": lesson._round_filters, "repeats": lesson._round_repeats}
        # who is stuck on rounding can still do this one; a version without these arguments rounds by itself
        options = {name: one for name, one in given.items() if name in _parameters(fn)}
        if "bad" in instance:
            return raised(lambda: fn(instance["variant"], **options))
        return fn(instance["variant"], **options)

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Exact; tuples, lists or an array."""
        right = [[int(one) for one in stage] for stage in expected.value]
        found = _table(answer.value, len(right))
        if found == right:
            return RIGHT
        variant = instance["variant"]
        for concept, rule, message in _stage_mistakes(variant, right):
            if rule != right and found == rule:
                return fail(concept, message)
        place, stage = next((i, pair) for i, pair in enumerate(zip(found, right)) if pair[0] != pair[1])
        at = next(i for i in range(6) if stage[0][i] != stage[1][i])
        return fail(
            "wrong-stage",
            f"stage {place} of {variant} has {_FIELDS[at]} = {stage[0][at]}, should be {stage[1][at]}: "
            f"{tuple(stage[1])} in all",
        )


def _parameters(fn: Any) -> Sequence[str]:
    """Names of a function's parameters; none where it does not tell."""
    try:
        return list(inspect.signature(fn).parameters)
    except (TypeError, ValueError):
        return []


def _table(value: Any, stages: int) -> list[list[int]]:
    """Stages as rows of six ints, or a verdict on the form."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if type(value) is not list:
        raise Unacceptable(
            "wrong-type", f"efficientnet_stages should return a list of stages, not {describe(value)}"
        )
    found = []
    for stage in value:
        numbers = [scalar(one) for one in (stage.tolist() if isinstance(stage, np.ndarray) else stage)]
        if len(numbers) != 6 or not all(is_number(one) for one in numbers):
            raise Unacceptable("wrong-type", f"a stage should be six numbers {_FIELDS}, not {show(stage)}")
        broken = [one for one in numbers if one != int(one)]
        if broken:
            raise Unacceptable(
                "left-broken",
                f"{show(broken[0])} channels or blocks: they have to be rounded to whole numbers",
            )
        found.append([int(one) for one in numbers])
    if len(found) != stages:
        raise Unacceptable(
            "wrong-length", f"{len(found)} stages came back, a network has {stages}: {stages} entries"
        )
    return found


def _stage_mistakes(variant: str, right: list[list[int]]) -> list[tuple[str, list[list[int]], str]]:
    """What usual mistakes make of a variant."""
    from nas_lib.efficientnet import B0, SCALES, nearest_multiple

    scale = SCALES[variant]

    def made(
        channels: Callable[[int], float] = lambda c: nearest_multiple(c * scale.width, 8),
        blocks: Callable[[int], float] = lambda n: math.ceil(n * scale.depth - 1e-9),
    ) -> list[list[int]]:
        return [
            [
                s.expand,
                s.kernel,
                s.stride,
                int(channels(s.c_in)),
                int(channels(s.c_out)),
                int(blocks(s.repeats)),
            ]
            for s in B0.stages
        ]

    plain = [list(stage[:6]) for stage in B0.stages]
    unchained = [[*stage[:3], base[3], *stage[4:]] for stage, base in zip(right, plain)]
    stem = [[*right[0][:3], 32, *right[0][4:]], *right[1:]]
    up = "blocks are rounded *up* (round_repeats)"
    return [
        ("ignores-the-variant", plain, f"these are the stages of b0: {variant} has more"),
        (
            "width-only",
            made(blocks=lambda n: n),
            "the blocks are those of b0: the depth multiplies the repeats",
        ),
        ("depth-only", made(channels=lambda c: c), "the channels are those of b0: the width multiplies them"),
        (
            "input-not-scaled",
            unchained,
            "the input channels are those of b0: they grow like the outputs before them",
        ),
        (
            "stem-not-scaled",
            stem,
            "the first stage's input is the stem's output, which the width multiplies too",
        ),
        (
            "cuts-down",
            made(blocks=lambda n: max(1, int(n * scale.depth))),
            f"repeats are rounded down: {up}",
        ),
        (
            "takes-the-nearest",
            made(blocks=lambda n: max(1, round(n * scale.depth))),
            f"repeats are rounded to the nearest: {up}",
        ),
        (
            "channels-cut-off",
            made(channels=lambda c: int(c * scale.width)),
            "the channels are no multiples of 8: round_filters rounds them",
        ),
        (
            "swapped-multipliers",
            made(lambda c: nearest_multiple(c * scale.depth, 8), lambda n: math.ceil(n * scale.width - 1e-9)),
            "width and depth are exchanged: the width multiplies channels, the depth repeats",
        ),
    ]


# ------------------------------------------------------------------------------------------------- the blocks

_DRAWS, _ROWS = 12, 8


class Block(Exercise):
    """A residual block: exact in evaluation and with batch statistics; which images it drops, by what comes out.

    What is right comes from the library's block with the same weights: nothing of it has to be stored.
    """

    has_reference = False
    # in each of three instances one count of dropped images, and the chance that all or none of them are
    false_fail = 3 * (_ALPHA + 2 * 0.75 ** (_DRAWS * _ROWS))
    fused = False

    def shapes(self, rng: np.random.Generator) -> list[dict[str, Any]]:
        """Arguments of the blocks, with what is special about them."""
        c, wide = int(rng.integers(4, 8)), int(rng.integers(2, 5))

        def shape(
            c_in: int,
            c_out: int,
            kernel: int,
            stride: int,
            expand: int,
            se: float,
            about: str = "",
            **given: Any,
        ) -> dict[str, Any]:
            sizes = {"c_in": c_in, "c_out": c_out, "kernel": kernel, "stride": stride, "expand": expand}
            return sizes | {"se": se} | ({"about": about} if about else {}) | given

        return [
            shape(c, c, 3, 1, wide, 0.25),
            shape(c + 2, c + 2, 3, 2, wide, 0.5, "stride 2"),
            shape(c, c + 2, 5, 1, 2, 0.25, "more channels out than in"),
            shape(c + 3, c, 3, 1, 1, 0.25, "expand = 1 and fewer channels out than in"),
            shape(c + 1, c + 1, 5, 1, 1, 0.1, "expand = 1"),
            # round_filters may give such numbers, and they are objects of their own
            shape(c, c, 3, 1, 2, 0.25, "channels that are numpy's ints", numpy=True),
        ]

    def instances(self, seed: int) -> list[Instance]:
        """Blocks with and without a shortcut, with and without expansion; sizes that no block can have."""
        rng = default_rng(seed)
        cases: list[Instance] = []
        for given in self.shapes(rng):
            rate = float(rng.choice([0.25, 0.75]))
            cases.append({**given, "drop": rate, "seed": int(rng.integers(2**31))})
        usual = {"c_in": 4, "c_out": 4, "kernel": 3, "stride": 1, "expand": 2, "se": 0.25, "drop": 0.0}
        bad = [{"bad": "an even kernel", "kernel": 4}, {"bad": "a stride of 3", "stride": 3}]
        return [*cases, *(usual | one for one in bad)]

    def arguments(self, instance: Instance, drop: float) -> tuple[Any, ...]:
        """What the constructor gets."""
        integer = np.int64 if instance.get("numpy") else int
        given = (integer(instance["c_in"]), integer(instance["c_out"]))
        given += tuple(instance[key] for key in ("kernel", "stride", "expand"))
        return (*given, drop) if self.fused else (*given, instance["se"], drop)

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """In float64: outputs in evaluation and training, gradients, and many outputs while images are dropped."""
        import torch

        if "bad" in instance:
            return raised(lambda: fn(*self.arguments(instance, instance["drop"])))
        with double_precision():
            torch.manual_seed(instance["seed"])
            block = self._made(fn, instance, instance["drop"])
            x = torch.from_numpy(_images(instance))
            before = x.clone()
            found = _evaluated(block.eval(), x)
            with torch.no_grad():
                found["again"] = block(x)
                found["kept"] = bool(torch.equal(x, before))
                found["train"] = self._made(fn, instance, 0.0).train()(x.clone())
                block.train()
                found["drawn"] = torch.stack([block(x.clone()) for _ in range(_DRAWS)])
        # the last bits of float64 are the machine's, and would differ from those that are stored
        return {name: _single(value) for name, value in found.items()}

    def _made(self, fn: Any, instance: Instance, drop: float) -> Any:
        import torch

        block = fn(*self.arguments(instance, drop))
        if not isinstance(block, torch.nn.Module) or not any(True for _ in block.parameters()):
            raise NotPlainData(
                f"{self.name}(...) made {describe(block)} without parameters; it has to stay a torch.nn.Module with "
                "its layers as attributes"
            )
        _fill(block, instance["seed"])
        return block

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Layers, evaluation, training, gradients, then what is dropped."""
        found, right = answer.value, self._right(instance)
        if found["shapes"] != right["shapes"]:
            return fail(
                "layers-changed",
                f"the block has parameters of the shapes {show(found['shapes'])}; leave __init__ as it is: "
                f"{show(right['shapes'])}",
            )
        wanted = np.shape(right["eval"])
        for value in (found["eval"], found["again"], found["train"]):
            if not isinstance(value, np.ndarray) or value.shape != wanted:
                shape = value.shape if isinstance(value, np.ndarray) else describe(value)
                return fail("wrong-shape", f"the output should have the shape {wanted}, not {shape}")
        if not _alike(found["eval"], right["eval"]):
            return self._wrong_output(instance, np.asarray(found["eval"], dtype=float), "eval")
        if not _alike(found["again"], right["eval"]):
            return fail("drops-in-eval", "in evaluation two passes differ: nothing is dropped then")
        if found["kept"] is not True:
            return fail("changes-the-input", "the input was changed in place: add with x + y, not +=")
        if not _alike(found["train"], right["train"]):
            return self._wrong_output(instance, np.asarray(found["train"], dtype=float), "train")
        if not _same_gradients(found["gradients"], right["gradients"]):
            return fail(
                "gradient-cut",
                "the output is right and its gradients are not: something is cut out of the graph (detach, no_grad, "
                ".data) on the way",
            )
        return self._dropped(instance, np.asarray(found["drawn"], dtype=float), np.asarray(right["train"]))

    def _right(self, instance: Instance) -> dict[str, Any]:
        """Shapes of the parameters, outputs in evaluation and training, and gradients of the library's block."""
        import torch

        with double_precision():
            x = torch.from_numpy(_images(instance))
            right = _evaluated(self._library(instance).eval(), x)
            with torch.no_grad():
                right["train"] = self._library(instance).train()(x)
        return roundtrip({name: _single(value) for name, value in right.items()})

    def _wrong_output(self, instance: Instance, found: Array, mode: str) -> Verdict:
        for value, concept, message in self.mistakes(instance, mode == "train"):
            if value.shape == found.shape and _alike(found, value):
                return fail(concept, message)
        when = "in evaluation" if mode == "eval" else "in training with drop_rate = 0"
        about = f" ({instance['about']})" if instance.get("about") else ""
        return fail(
            "block-output",
            f"{when} the output is wrong{about}: are all layers used, in their order, each once?",
        )

    def mistakes(self, instance: Instance, training: bool) -> Iterator[tuple[Array, str, str]]:
        """What usual mistakes give, from the library's own layers with the same weights."""
        import torch

        with double_precision(), torch.no_grad():
            block = self._library(instance).train(training)
            x = torch.from_numpy(_images(instance))
            rate = instance["drop"]
            for branch, concept, message in self.branches(block, x):
                for output in [branch + x, branch] if branch.shape == x.shape else [branch]:
                    yield output.numpy(), concept, message
            branch = self._library(instance).train(training).branch(x)
            if _has_shortcut(instance):
                yield branch.numpy(), "no-shortcut", "the input is not added, though the shape stays the same"
                yield (
                    (x + branch * (1 - rate)).numpy(),
                    "scaled-in-eval",
                    "the branch is scaled down in evaluation: it is scaled *up* in training instead, by 1/(1 − rate)",
                )
                yield (
                    (x + branch / (1 - rate)).numpy(),
                    "scaled-in-eval",
                    "the branch is scaled up in evaluation: 1/(1 − rate) belongs to training, where some are dropped",
                )
            elif branch.shape == x.shape:
                yield (
                    (x + branch).numpy(),
                    "shortcut-everywhere",
                    "the input is added where it should not be: stride 1 *and* equal channels are needed",
                )

    def _library(self, instance: Instance) -> Any:
        from nas_lib.mobile import BlockPlan

        given = (instance[key] for key in ("c_in", "c_out", "kernel", "stride", "expand"))
        block = self.library_block(BlockPlan(0, 0, *given), instance)
        _fill(block, instance["seed"])
        return block

    def library_block(self, plan: Any, instance: Instance) -> Any:
        """The library's block, which drops nothing."""
        raise NotImplementedError

    def branches(self, block: Any, x: Any) -> Iterator[tuple[Any, str, str]]:
        """The branch with a usual mistake in it: (value, concept, message)."""
        raise NotImplementedError

    def _dropped(self, instance: Instance, drawn: Array, whole: Array) -> Verdict:
        if drawn.shape != (_DRAWS, *whole.shape):
            return fail(
                "wrong-shape", f"the output should have the shape {whole.shape}, not {drawn.shape[1:]}"
            )
        rate = instance["drop"]
        x = _images(instance)
        if not _has_shortcut(instance):
            if _alike(drawn, np.broadcast_to(whole, drawn.shape)):
                return RIGHT
            return fail(
                "drops-without-shortcut",
                "images are dropped in a block without a shortcut: nothing would be left of them",
            )
        branch = whole - x
        flat = branch.reshape(len(x), -1)
        share = ((drawn - x).reshape(_DRAWS, len(x), -1) * flat).sum(-1) / (flat**2).sum(-1)
        rest = (drawn - x) - share[..., None, None, None] * branch
        if np.abs(rest).max() > 1e-4:
            return self._not_a_share(x, whole, drawn)
        dropped = np.abs(share) < 1e-3
        scale = share[~dropped]
        if not dropped.any():
            if close(scale, np.ones_like(scale), 1e-3):
                return fail(
                    "never-drops", f"with drop_rate = {show(rate)} nothing is ever dropped in training"
                )
            return fail(
                "never-drops", "the branch is scaled and never dropped: the choice is made image by image"
            )
        if len(scale) and not close(scale, np.full_like(scale, 1 / (1 - rate)), 1e-3):
            if close(scale, np.ones_like(scale), 1e-3):
                return fail(
                    "not-rescaled",
                    "the branches that stay are not scaled up: without 1/(1 − rate) their mean is another one in "
                    "training than in evaluation",
                )
            return fail(
                "branch-scale",
                f"the branches that stay are multiplied by {show(float(scale[0]))}, should be "
                f"1/(1 − rate) = {show(1 / (1 - rate))}",
            )
        if (dropped.all(1) | ~dropped.any(1)).all():
            return fail(
                "whole-batch",
                "all images of a batch are dropped together: draw one number per *image*, of shape (B, 1, 1, 1)",
            )
        if (dropped == dropped[0]).all():
            return fail("fixed-choice", "the same images are dropped at every pass: draw anew each time")
        count, n = int(dropped.sum()), dropped.size
        low, high = count_range(n, rate, _ALPHA)
        if low <= count <= high:
            return RIGHT
        kept_low, kept_high = count_range(n, 1 - rate, _ALPHA)
        if kept_low <= count <= kept_high:
            return fail(
                "keeps-instead-of-drops",
                f"{count} of {n} images were dropped: drop_rate = {show(rate)} is the chance to *drop*",
            )
        return fail("drop-rate-off", f"{count} of {n} images were dropped, with drop_rate = {show(rate)}")

    @staticmethod
    def _not_a_share(x: Array, whole: Array, drawn: Array) -> Verdict:
        flat = whole.reshape(len(x), -1)
        share = (drawn.reshape(_DRAWS, len(x), -1) * flat).sum(-1) / (flat**2).sum(-1)
        if np.abs(drawn - share[..., None, None, None] * whole).max() < 1e-4:
            return fail(
                "drops-the-shortcut",
                "the whole output is dropped, the shortcut with it: drop the branch *before* the input is added",
            )
        return fail(
            "drops-pixels",
            "an image's branch is dropped in parts: stochastic depth drops all of it or nothing, so its random "
            "numbers have the shape (B, 1, 1, 1)",
        )

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """A sum of two shapes is the usual error, and one in place the other."""
        if "in-place operation" in (answer.error or ""):
            return fail("changes-the-input", "the input was changed in place: add with x + y, not +=")
        if "must match the size of tensor" in (answer.error or ""):
            return fail(
                "shortcut-everywhere",
                "the input is added where it should not be: stride 1 *and* equal channels are needed "
                f"({instance.get('about', 'the shapes differ')})",
            )
        return error_verdict(instance, answer)


class MBConvBlock(Block):
    """`MBConv(...)`."""

    name, lesson = "MBConv", LESSON
    hides = (
        "nas_lib.efficientnet:_Residual.forward",
        "nas_lib.efficientnet:SqueezeExcite.forward",
        "nas_lib.efficientnet:StochasticDepth.forward",
    )

    def library_block(self, plan: Any, instance: Instance) -> Any:
        """With the squeeze of the instance."""
        from nas_lib.efficientnet import MBConv, SqueezeExcite

        block = MBConv(plan)
        block.branch[-2] = SqueezeExcite(plan.hidden, max(1, int(plan.c_in * instance["se"])))
        return block

    def branches(self, block: Any, x: Any) -> Iterator[tuple[Any, str, str]]:
        """Squeeze-excite left out, misplaced or with another function; an activation too many; a layer missing."""
        import torch
        from torch.nn.functional import relu, silu

        *wide, depthwise, excite, project = block.branch
        y = x
        for layer in wide:
            y = layer(y)
        filtered = depthwise(y)

        def gate(values: Any, between: Any = silu, last: Any = torch.sigmoid) -> Any:
            means = values.mean((2, 3), keepdim=True)
            return last(excite.widen(between(excite.reduce(means))))

        yield project(filtered), "no-squeeze", "squeeze-excite is missing: its weights change nothing"
        for between in (relu, lambda v: v):
            yield (
                project(filtered * gate(filtered, between)),
                "no-silu",
                "between the two layers of the squeeze stands something else than SiLU, or nothing",
            )
        yield (
            project(filtered * gate(filtered, silu, lambda v: v)),
            "no-sigmoid",
            "the channels' weights are not between 0 and 1: a sigmoid comes last",
        )
        yield (
            project(filtered * gate(filtered, silu, silu)),
            "no-sigmoid",
            "the channels' weights are not between 0 and 1: a sigmoid comes last, not SiLU",
        )
        yield (
            project(filtered + gate(filtered)),
            "adds-the-gate",
            "the gate is added: it *multiplies* the channels",
        )
        yield (
            project(gate(filtered).expand_as(filtered)),
            "gate-alone",
            "the gate replaces the feature maps: it multiplies them",
        )
        if excite.reduce.in_channels == y.shape[1]:
            yield (
                project(depthwise(y * gate(y))),
                "squeeze-too-early",
                "squeeze-excite comes before the depthwise convolution: it belongs behind it",
            )
            yield (
                project(filtered * gate(y)),
                "squeeze-too-early",
                "the gate is computed from what comes before the depthwise convolution: it belongs behind it",
            )
        means = filtered.amax((2, 3), keepdim=True)
        yield (
            project(filtered * torch.sigmoid(excite.widen(silu(excite.reduce(means))))),
            "max-pool",
            "the squeeze takes each channel's maximum: it takes the mean",
        )
        yield (
            silu(project(filtered * gate(filtered))),
            "activation-at-the-end",
            "an activation follows the projection: the narrow end is linear (the L in MobileNetV2's title)",
        )


class FusedBlock(Block):
    """`FusedMBConv(...)`."""

    name, lesson, fused = "FusedMBConv", LESSON, True
    hides = (
        "nas_lib.efficientnet:_Residual.forward",
        "nas_lib.efficientnet:StochasticDepth.forward",
    )

    def library_block(self, plan: Any, instance: Instance) -> Any:
        """It has no squeeze."""
        from nas_lib.efficientnet import FusedMBConv

        return FusedMBConv(plan)

    def branches(self, block: Any, x: Any) -> Iterator[tuple[Any, str, str]]:
        """An activation too many, or a layer missing."""
        from torch.nn.functional import silu

        first, *rest = block.branch
        if rest:
            wide = first(x)
            yield (
                silu(rest[0](wide)),
                "activation-at-the-end",
                "an activation follows the projection: the narrow end is linear",
            )
            if wide.shape[1] == x.shape[1]:
                yield wide, "no-projection", "the projection is missing"
        else:
            yield (
                silu(first(x)),
                "activation-twice",
                "without expansion the one convolution has its activation already: a second one follows",
            )
            linear = first[1](first[0](x))
            yield linear, "activation-missing", "without expansion the one convolution keeps its activation"


def _alike(one: Any, other: Any) -> bool:
    """Equal up to float32's rounding, in which outputs come back."""
    return close(one, other, 1e-5)


def _single(value: Any) -> Any:
    """Tensors, alone or in a list, as float32."""
    if isinstance(value, list):
        return [_single(one) for one in value]
    return value.float() if hasattr(value, "is_floating_point") else value


def _has_shortcut(instance: Instance) -> bool:
    return instance["stride"] == 1 and instance["c_in"] == instance["c_out"]


def _evaluated(block: Any, x: Any) -> dict[str, Any]:
    """Shapes of a block's parameters, its output and the gradients of that."""
    leaf = x.clone().requires_grad_()
    output = block(leaf)
    return {
        "shapes": [list(parameter.shape) for parameter in block.parameters()],
        "eval": output.detach().clone(),
        "gradients": _gradients(output, [leaf, *block.parameters()]),
    }


def _images(instance: Instance) -> Array:
    rng = default_rng(instance["seed"])
    return rng.normal(size=(_ROWS, instance["c_in"], 4, 3))


def _fill(block: Any, seed: int) -> None:
    """Weights and statistics that are nothing special, in the order in which the layers stand."""
    import torch

    rng = default_rng((seed, 7))
    with torch.no_grad():
        for parameter in block.parameters():
            low = 0.5 if parameter.ndim == 1 else 0.0  # scales and biases
            values = low + rng.normal(size=tuple(parameter.shape)) / math.sqrt(max(1, parameter[0].numel()))
            parameter.copy_(torch.from_numpy(np.asarray(values)))
        for name, buffer in block.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(torch.from_numpy(rng.normal(0, 0.3, tuple(buffer.shape))))
            elif name.endswith("running_var"):
                buffer.copy_(torch.from_numpy(rng.uniform(0.5, 2.0, tuple(buffer.shape))))


def _gradients(output: Any, leaves: Sequence[Any]) -> list[Any]:
    """The gradient of a weighted sum of `output` by each leaf; None where none arrives."""
    import torch

    if not isinstance(output, torch.Tensor) or not output.requires_grad:
        return [None] * len(leaves)
    weights = torch.cos(1 + 1.7 * torch.arange(output.numel(), dtype=output.dtype)).view_as(output)
    return list(torch.autograd.grad((output * weights).sum(), list(leaves), allow_unused=True))


def _same_gradients(found: Sequence[Any], right: Sequence[Any]) -> bool:
    pairs = zip(found, right)
    return len(found) == len(right) and all(
        one is not None and _alike(one, other) for one, other in pairs if other is not None
    )


# --------------------------------------------------------------------------------------------- the grid search


class GridSearch(Exercise):
    """`grid_search_coefficients(evaluate, step, tolerance, limit)`: which points were evaluated, and the best one."""

    name, lesson = "grid_search_coefficients", LESSON
    has_reference = False
    hides = (
        "nas_lib.lesson:_grid_search_coefficients",
        "nas_lib.scaling:coefficient_grid",
        "nas_lib.scaling:Coefficients.cost",
    )

    def instances(self, seed: int) -> list[Instance]:
        """Fine and coarse grids, other limits, a best point at an end of the grid; bad input."""
        rng = default_rng(seed)

        def case(step: float, tolerance: float, limit: float = 2.0, **given: Any) -> Instance:
            best = [round(float(one), 3) for one in rng.uniform(1.0, 1.5, 3)]
            return {"step": step, "tolerance": tolerance, "limit": limit, "_best": best, **given}

        return [
            case(0.1, 0.1003),
            case(0.2, 0.1003, about="a coarse grid"),
            case(0.25, 0.2003, 3.0, about="a limit of 3"),
            case(0.1, 0.1003, _best=[3.0, 1.0, 1.0], about="all into the depth is best"),
            case(0.2, 0.1003, _best=[1.0, 3.0, 1.0], about="all into the width is best"),
            case(0.2, 0.1003, _best=[1.0, 1.0, 3.0], about="all into the resolution is best"),
            case(0.1, 0.1003, _shift=-500.0, about="values below 0"),
            case(1.0, 0.0, 4.0, about="a tolerance of 0"),
            case(1.0, 3.0, 4.0, about="a tolerance of 3"),  # whole numbers: its ends, 1 and 7, are exact
            case(0.5, 0.0, 1.0, about="a limit of 1"),
            case(0.7, 0.0003, bad="a tolerance that lets no point in"),
            case(0.0, 0.1003, bad="a step of 0"),
            case(-0.1, 0.1003, bad="a step of -0.1"),
            case(-3.0, 0.0, 1.0, bad="a step of -3"),
            case(0.1, -1.0, bad="a tolerance of -1"),
            case(0.1, 0.6, 0.5, bad="a limit of 0.5"),
            case(0.2, 0.1003, _nan_from=1.0, bad="an evaluate that returns NaN"),
            case(0.2, 0.1003, _nan_from=1.5, bad="an evaluate that returns NaN for some points"),
        ]

    def oracle(self, instance: Instance) -> Oracle:
        """Accuracies that are highest at a hidden point; they answer any three numbers."""
        best = instance["_best"]

        def evaluate(alpha: Any, beta: Any, gamma: Any) -> float:
            point = [float(alpha), float(beta), float(gamma)]
            if max(point) > instance.get("_nan_from", math.inf):
                return NAN
            # another weight for each, so that no two points tie
            distance = sum(w * (p - b) ** 2 for w, p, b in zip((1.0, 1.3, 1.7), point, best))
            return 80.0 + instance.get("_shift", 0.0) - 10 * distance

        return Oracle({"evaluate": evaluate}, limit=20_000)

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The coefficients that the learner's search returns."""

        def evaluate(alpha: Any, beta: Any, gamma: Any) -> float:
            return float(oracle.call("evaluate", float(alpha), float(beta), float(gamma)))

        given = [instance["step"], instance["tolerance"]]
        given += [instance["limit"]] if instance["limit"] != 2.0 else []
        return raised(lambda: fn(evaluate, *given)) if "bad" in instance else fn(evaluate, *given)

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """The evaluated points first: they say which rule was followed."""
        value = answer.value.tolist() if isinstance(answer.value, np.ndarray) else answer.value
        found = [scalar(one) for one in value] if isinstance(value, list) else []
        if len(found) != 3 or not all(is_number(one) for one in found):
            return fail(
                "wrong-type",
                f"{self.name} should return a tuple (alpha, beta, gamma), not {describe(value)}: {show(value)}",
            )
        right = _grid(instance["step"], instance["tolerance"], instance["limit"])
        asked = [_point(call.args) for call in answer.calls if call.refused is None]
        if not asked:
            return fail("trains-nothing", "`evaluate` was never called: the coefficients are measured")
        verdict = _wrong_points(instance, set(asked), set(right))
        if verdict:
            return verdict
        if len(asked) > len(set(asked)):
            return fail(
                "tries-twice",
                f"{len(asked)} evaluations for {len(set(asked))} points: each is a training, so none is made twice",
                0.5,
            )
        values = {_point(call.args): float(call.value) for call in answer.calls}
        best = max(values, key=lambda point: values[point])
        chosen = _point(found)
        if close(chosen, best, 1e-6):
            return RIGHT
        if close(chosen, min(values, key=lambda point: values[point]), 1e-6):
            return fail("takes-the-lowest", "this is the point with the *lowest* accuracy: higher is better")
        if sorted(chosen) == sorted(best):
            return fail(
                "coefficients-in-other-order",
                f"the coefficients are returned in another order than {best}: alpha, beta, gamma",
            )
        if chosen == _point(asked[-1]):
            return fail("returns-the-last", "this is the last point that was tried, not the best one")
        return fail(
            "second-best-point",
            f"{chosen} has {show(values.get(chosen))}, but {best} has {show(values[best])}",
        )


Point = tuple[float, ...]


def _point(args: Sequence[Any]) -> Point:
    """Coefficients as they are compared: 1 + 0.1 + 0.1 and 1.2 are one point."""
    return tuple(round(float(one), 6) for one in args)


def _grid(
    step: float, tolerance: float, limit: float, powers: Sequence[int] = (1, 2, 2), least: int = 0
) -> list[Point]:
    """Points from 1 on whose product of powers is within the tolerance."""
    most = int((limit + tolerance - 1) / step + 1e-9)
    axis = [round(1 + i * step, 9) for i in range(least, most + 1)]
    return [
        _point(point)
        for point in itertools.product(axis, repeat=3)
        if abs(math.prod(one**power for one, power in zip(point, powers)) - limit) <= tolerance
    ]


def _wrong_points(instance: Instance, asked: set[Point], right: set[Point]) -> Verdict | None:
    """Why other points were evaluated than those within the constraint; None where they were the same."""
    if asked == right:
        return None
    step, tolerance, limit = instance["step"], instance["tolerance"], instance["limit"]
    rules = [
        (
            (1, 1, 1),
            "no-squares",
            "the constraint is taken as alpha·beta·gamma: width and resolution count squared",
        ),
        (
            (1, 2, 1),
            "resolution-once",
            "the resolution is not squared in the constraint: an image has rows *and* columns",
        ),
        (
            (1, 1, 2),
            "width-once",
            "the width is not squared in the constraint: a convolution has channels in *and* out",
        ),
        (
            (2, 2, 2),
            "depth-squared",
            "the depth is squared in the constraint: twice the blocks cost twice as much",
        ),
        (
            (2, 1, 1),
            "depth-squared",
            "the depth is squared in the constraint, and width and resolution are not",
        ),
    ]
    for powers, concept, message in rules:
        if asked == set(_grid(step, tolerance, limit, powers)):
            return fail(concept, message)
    if asked == set(_grid(step, tolerance, limit, least=1)):
        return fail("leaves-out-one", "coefficients of exactly 1 are missing: a dimension may stay as it is")
    missing, extra = right - asked, asked - right
    cost = {point: point[0] * point[1] ** 2 * point[2] ** 2 for point in asked | right}
    if limit != 2.0 and asked == set(_grid(step, tolerance, 2.0)):
        return fail("limit-unused", f"the points cost about 2, not {show(limit)}: `limit` is not used")
    if extra and not missing:
        if all(cost[point] <= limit + tolerance for point in asked):
            return fail(
                "upper-bound-only",
                f"cheaper points such as {min(extra, key=lambda p: cost[p])} are evaluated too: they win nothing for "
                "less, so the comparison is at equal cost",
            )
        worst = max(extra, key=lambda p: abs(cost[p] - limit))
        if min(min(point) for point in asked) < 1:
            return fail("below-one", f"{min(extra, key=min)} was evaluated: no coefficient is below 1")
        return fail(
            "ignores-the-constraint",
            f"{worst} was evaluated, which costs {show(cost[worst])}: only points within {show(tolerance)} of "
            f"{show(limit)} are compared",
        )
    if missing and not extra:
        one = min(missing)
        if all(cost[point] > limit for point in missing):
            return fail(
                "lower-side-only",
                f"{one} costs {show(cost[one])}: a bit above the limit is within the tolerance too",
            )
        if all(cost[point] < limit for point in missing):
            return fail(
                "upper-side-only",
                f"{one} costs {show(cost[one])}: a bit below the limit is within the tolerance too",
            )
        if len(asked) == 1 and len(right) > 1:
            return fail("one-point-only", "only one point was evaluated: try all before you choose")
        return fail(
            "skips-points",
            f"{len(missing)} points were never tried, such as {one}: does each axis end too early?",
        )
    on_grid = {round((one - 1) / step, 4) % 1 in (0.0, 1.0) for point in asked for one in point}
    if on_grid != {True}:
        return fail("wrong-grid", f"{min(extra)} lies beside the grid 1, 1 + step, 1 + 2·step, …")
    one = min(extra)
    return fail(
        "ignores-the-constraint",
        f"{one} was evaluated, which costs {show(cost[one])}, and {min(missing)} was not, which costs "
        f"{show(cost[min(missing)])}",
    )


# ------------------------------------------------------------------------------------------------------- mixup

_BATCHES = 300


class Mixup(Exercise):
    """`mixup(x, y, alpha, rng, classes)`: who was mixed with whom, how much, and what the labels say of it."""

    name, lesson = "mixup", LESSON
    hides = (
        "nas_lib.lesson:_mixup",
        "nas_lib.augmentation:Mixup.__call__",
    )
    has_reference = False
    false_fail = 3 * 3 * _ALPHA

    def instances(self, seed: int) -> list[Instance]:
        """Small, middle and large alphas; bad input."""
        rng = default_rng(seed)

        def case(alpha: float, **given: Any) -> Instance:
            labels = [
                int(one) for one in rng.permutation([0, 4, *rng.integers(0, 5, 5)])
            ]  # both ends are there
            return {"alpha": alpha, "y": labels, "classes": 5, "seed": int(rng.integers(2**31)), **given}

        return [
            case(round(float(rng.uniform(0.2, 0.4)), 2)),
            case(1.0, about="alpha = 1, where all shares are equally likely"),
            case(
                round(float(rng.uniform(3, 6)), 1),
                y=[int(one) for one in rng.integers(1, 6, 7)],
                classes=8,
                about="classes that no image has, the first and the last among them",
            ),
            case(0.0, bad="an alpha of 0"),
            case(-1.0, bad="an alpha of -1"),
            case(NAN, bad="an alpha of NaN"),
            case(float("inf"), bad="an infinite alpha"),
            case(0.3, y=[0, 1, 2], bad="three labels for seven images"),
            case(0.3, y=[0, 1, 2, 3, 4, 0, 1, 2, 3], bad="nine labels for seven images"),
            case(0.3, y=[0, 1, 2, 3, 4, 5, 1], bad="label 5 of 5 classes (they begin at 0)"),
            case(0.3, y=[0, 1, 2, 3, 4, 7, 1], bad="label 7 of 5 classes"),
            case(0.3, y=[0, 1, 2, 3, 4, -1, 1], bad="a label of -1"),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """Many batches from one generator, and some from generators of the same and another seed."""
        import torch

        x = torch.from_numpy(_batch(instance))
        y = torch.tensor(instance["y"])
        before = x.clone(), y.clone()

        def call(rng: Any) -> Any:
            value = fn(x, y, instance["alpha"], rng, instance["classes"])
            if not isinstance(value, (tuple, list)) or len(value) != 2:
                raise NotPlainData(
                    f"mixup returned {describe(value)} where a pair (images, labels) is expected"
                )
            return value

        if "bad" in instance:
            return raised(lambda: call(default_rng(instance["seed"])))
        rng = default_rng(instance["seed"])
        made = [call(rng)]
        kept = bool(torch.equal(x, before[0]) and torch.equal(y, before[1]))
        made += [call(rng) for _ in range(_BATCHES - 1)]
        found = {"images": [one[0] for one in made], "labels": [one[1] for one in made], "kept": kept}
        np.random.seed(1)  # noqa: NPY002 — what is drawn may not depend on the global generators
        torch.manual_seed(1)
        found["again"] = call(default_rng(instance["seed"]))[0]
        found["other"] = [call(default_rng(instance["seed"] + i))[0] for i in range(1, 4)]
        return found

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Form, then pairs, labels and shares."""
        found, x = answer.value, _batch(instance)
        n, classes = len(x), instance["classes"]
        images = _stacked(found["images"], (n, *x.shape[1:]), "the mixed images")
        labels = _stacked(found["labels"], (n, classes), "the soft labels")
        if found["kept"] is not True:
            return fail("changes-the-input", "x or y was changed: mix into a new tensor")
        share, partner = _unmixed(images, x)
        if np.isnan(share).any():
            return _not_a_pair(images, x)
        itself = partner == np.arange(n)
        if itself.mean() > 0.9:
            return fail("mixes-with-itself", "every image comes back unchanged: its partner is itself")
        verdict = _wrong_labels(instance, labels, share, partner)
        if verdict:
            return verdict
        if not np.allclose(np.asarray(found["again"], dtype=float), images[0]):
            return fail(
                "ignores-rng",
                "two generators with the same seed give different batches: draw from `rng` alone",
            )
        if all(np.allclose(np.asarray(one, dtype=float), images[0]) for one in found["other"]):
            return fail("fixed-seed", "generators with different seeds give the same batch: draw from `rng`")
        return _wrong_shares(instance, share, itself) or RIGHT


def _batch(instance: Instance) -> Array:
    return default_rng(instance["seed"]).normal(size=(7, 1, 3, 4))


def _stacked(value: Any, shape: tuple[int, ...], what: str) -> Array:
    """Equal arrays of a list as one array of floats."""
    arrays = [np.asarray(one) for one in rows(value, _BATCHES, "mixup")]
    wrong = next((one for one in arrays if one.shape != shape), None)
    if wrong is not None:
        if what == "the soft labels" and wrong.shape == shape[:1]:
            raise Unacceptable(
                "hard-labels",
                f"the labels have the shape {wrong.shape}: a mixed image has two, so there is a row of "
                f"{shape[1]} shares for each image",
            )
        raise Unacceptable("wrong-shape", f"{what} should have the shape {shape}, not {wrong.shape}")
    stacked = np.stack(arrays).astype(float)
    if not np.isfinite(stacked).all():
        raise Unacceptable("not-finite", f"{what} hold {show(float(stacked[~np.isfinite(stacked)][0]))}")
    return stacked


def _unmixed(images: Array, x: Array) -> tuple[Array, NDArray[np.int64]]:
    """For each mixed image the share of its own and its partner: (batches, n) each; NaN where there is no pair."""
    flat, mixed = x.reshape(len(x), -1), images.reshape(*images.shape[:2], -1)
    n = len(flat)
    share = np.full(images.shape[:2], NAN)
    partner = np.zeros(images.shape[:2], dtype=np.int64)
    rest = np.full(images.shape[:2], 1e-5)
    for j in range(n):
        to_own = flat - flat[j]  # (n, pixels)
        length = (to_own**2).sum(1)
        part = ((mixed - flat[j]) * to_own).sum(2) / np.maximum(length, 1e-12)
        part = np.where(length > 0, part, 1.0)
        off = np.abs(mixed - (part[..., None] * flat + (1 - part[..., None]) * flat[j])).max(2)
        better = (off < rest) & (part > -1e-6) & (part < 1 + 1e-6)
        share, partner, rest = (
            np.where(better, part, share),
            np.where(better, j, partner),
            np.where(better, off, rest),
        )
    itself = np.abs(share - 1) < 1e-6
    partner = np.where(itself, np.arange(n), partner)
    return share, partner


def _not_a_pair(images: Array, x: Array) -> Verdict:
    flat, mixed = x.reshape(len(x), -1), images.reshape(*images.shape[:2], -1)
    # as a combination of all images of the batch
    weights = np.linalg.lstsq(flat.T, mixed.reshape(-1, flat.shape[1]).T, rcond=None)[0].T
    whole = np.abs(weights @ flat - mixed.reshape(-1, flat.shape[1])).max(1) < 1e-5
    total = weights.sum(1)
    if whole.all() and np.abs(total - 1).max() > 1e-3:
        return fail(
            "shares-not-one",
            f"the two shares of an image add up to {show(float(total[np.argmax(np.abs(total - 1))]))}: they are "
            "λ and 1 − λ",
        )
    if whole.all() and (np.sort(np.abs(weights), 1)[:, :-2] > 1e-3).any():
        return fail("more-than-two", "an image is mixed of more than two: each has one partner")
    return fail(
        "not-a-mixture",
        "an image is no mixture λ·own + (1 − λ)·partner of two images, whole ones, of the batch",
    )


def _wrong_labels(
    instance: Instance, labels: Array, share: Array, partner: NDArray[np.int64]
) -> Verdict | None:
    hot = np.eye(instance["classes"])[instance["y"]]
    own, other, part = np.broadcast_to(hot, labels.shape), hot[partner], share[..., None]
    if np.abs(labels - (part * own + (1 - part) * other)).max() < 1e-5:
        return None
    usual: list[tuple[Array, str, str]] = [
        (
            own,
            "labels-not-mixed",
            "the labels are those of the image itself: they are mixed as the images are",
        ),
        (other, "labels-not-mixed", "the labels are those of the partner: they are mixed as the images are"),
        (
            (1 - part) * own + part * other,
            "labels-swapped",
            "the labels have the shares the wrong way round: the label of the image with share λ counts λ",
        ),
        (
            0.5 * own + 0.5 * other,
            "labels-half",
            "the labels are mixed half and half: they have the images' share λ",
        ),
        (
            np.where(part >= 0.5, own, other),
            "labels-not-mixed",
            "the label is that of the larger part: it is mixed as the images are",
        ),
        (part * own, "one-label", "the partner's label is missing: its share is 1 − λ"),
    ]
    # an image that came back whole does not say who its partner was
    known = np.abs(share - 1) > 1e-6
    for value, concept, message in usual:
        if np.abs(labels - value)[known].max() < 1e-5:
            return fail(concept, message)
    total = labels.sum(2)
    if np.abs(total - 1).max() > 1e-5:
        worst = float(total.reshape(-1)[np.argmax(np.abs(total - 1))])
        return fail("labels-not-one", f"the soft labels of an image add up to {show(worst)}, not to 1")
    return fail(
        "labels-disagree",
        "the labels say something else than the images: is it one λ and one permutation for both?",
    )


def _wrong_shares(instance: Instance, share: Array, itself: NDArray[np.bool_]) -> Verdict | None:
    """Does λ, seen at the first image that has a partner, follow Beta(alpha, alpha)?"""
    from scipy.stats import beta

    seen = [float(row[~own][0]) for row, own in zip(share, itself) if not own.all()]
    values, alpha, n = np.array(seen), instance["alpha"], len(seen)

    def fits(law: Any) -> bool:
        inside = int(((values > 0.25) & (values < 0.75)).sum())
        counts = ((values < 0.25).sum(), (values > 0.75).sum(), inside)
        chances = (law.cdf(0.25), 1 - law.cdf(0.75), law.cdf(0.75) - law.cdf(0.25))
        ranges = [count_range(n, float(chance), _ALPHA) for chance in chances]
        return all(low <= count <= high for count, (low, high) in zip(counts, ranges))

    if np.ptp(values) < 1e-6:
        return fail(
            "constant-share", f"λ is always {show(float(values[0]))}: it is drawn anew for each batch"
        )
    if fits(beta(alpha, alpha)):
        return None
    mean = float(values.mean())
    if values.min() > 0.5 - 1e-6:
        return fail(
            "folded", "λ is never below 0.5: it follows the Beta distribution itself, not max(λ, 1 − λ)"
        )
    if values.max() < 0.5 + 1e-6:
        return fail(
            "folded", "λ is never above 0.5: it follows the Beta distribution itself, not min(λ, 1 − λ)"
        )
    if alpha != 1 and fits(beta(1, 1)):
        return fail("uniform-share", "all λ are equally likely: `alpha` is not used")
    if abs(mean - 0.5) > 0.1:
        return fail(
            "unequal-parameters",
            f"λ is {show(mean)} on average: both parameters of the Beta distribution are alpha",
        )
    return fail(
        "wrong-shares",
        f"λ does not follow Beta({show(alpha)}, {show(alpha)}): its sd is {show(float(values.std()))}",
    )


# ------------------------------------------------------------------------------------------------- RandAugment

_SINGLE, _PAIRS = 700, 600
_SIZE = (3, 22, 17)


class RandAugment(Exercise):
    """`rand_augment(image, n, m, rng)`: every result has to be one that the operations can give, as often as it
    should."""

    name, lesson = "rand_augment", LESSON
    hides = (
        "nas_lib.lesson:_rand_augment",
        "nas_lib.augmentation:RandAugment.__call__",
        "nas_lib.augmentation:level_strengths",
        "nas_lib.augmentation:_up_to",
    )
    has_reference = False
    # in each of two instances 14 counts of operations and 9 of signs; in another, one of equal pairs
    false_fail = (2 * (14 + 9) + 1) * _ALPHA

    def instances(self, seed: int) -> list[Instance]:
        """One operation at two magnitudes, two operations, none; the ends of the scale; bad input.

        On long sides a share of 150/331 and one of 151/331, 149/331 or 150/332 differ by a pixel.
        """
        rng = default_rng(seed)
        odd = rng.permutation([9, 11, 19, 21, 23])  # nearer to the middle, scales look alike backwards

        def case(n: int, m: float, draws: int, **given: Any) -> Instance:
            return {"n": n, "m": int(m), "draws": draws, "seed": int(rng.integers(2**31)), **given}

        return [
            case(1, odd[0], _SINGLE),
            case(1, odd[1], _SINGLE),
            case(2, odd[2], _PAIRS, about="two operations"),
            case(0, 9, 3, about="no operation"),
            case(1, 30, 200, about="the highest magnitude"),
            case(1, 30, 150, size=[1, 8, 500], about="the highest magnitude, a wide image"),
            case(1, 30, 150, size=[1, 500, 8], about="the highest magnitude, a tall image"),
            case(1, 0, 100, about="the lowest magnitude"),
            case(-1, 9, 1, bad="n = -1"),
            case(2, 31, 1, bad="m = 31 (magnitudes are 0 to 30)"),
            case(2, -1, 1, bad="m = -1"),
            case(0, 9, 1, kind="float", bad="an image of floats and an n of 0"),
            case(0, 9, 1, kind="flat", bad="an image without a channel axis and an n of 0"),
            case(0, 9, 1, kind="batch", bad="a batch of images and an n of 0"),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """All different results with their counts, and whether the generator decides."""
        import torch

        image = torch.from_numpy(_picture(instance))
        if instance.get("kind") == "float":
            image = image.float() / 255
        if instance.get("kind") == "flat":
            image = image[0]
        if instance.get("kind") == "batch":
            image = image[None]
        before, n, m = image.clone(), instance["n"], instance["m"]
        if "bad" in instance:
            return raised(lambda: fn(image, n, m, default_rng(instance["seed"])))
        rng = default_rng(instance["seed"])
        made = [_pixels(fn(image, n, m, rng)) for _ in range(instance["draws"])]
        shape = next((one.shape for one in made if one.shape != made[0].shape), made[0].shape)
        if shape != made[0].shape:
            return {"shape": list(shape)}
        unique, counts = np.unique(np.stack(made), axis=0, return_counts=True)
        np.random.seed(1)  # noqa: NPY002 — what is drawn may not depend on the global generators
        torch.manual_seed(1)
        rng = default_rng(instance["seed"])
        again = [_pixels(fn(image, n, m, rng)) for _ in range(12)]
        other = [_pixels(fn(image, n, m, default_rng(instance["seed"] + 1 + i))) for i in range(12)]
        return {
            "unique": unique,
            "counts": counts,
            "kept": bool(torch.equal(image, before)),
            "repeats": all(np.array_equal(a, b) for a, b in zip(again, made)),
            "fixed": all(np.array_equal(one, made[0]) for one in other),
        }

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Form, then what each result is, then how often."""
        found, image = answer.value, _picture(instance)
        if "shape" in found or np.asarray(found["unique"]).shape[1:] != image.shape:
            shape = found.get("shape") or list(np.asarray(found["unique"]).shape[1:])
            return fail("wrong-shape", f"the image should have the shape {image.shape}, not {tuple(shape)}")
        unique, counts = np.asarray(found["unique"]), np.asarray(found["counts"])
        if unique.dtype != np.uint8:
            return fail("wrong-type", f"rand_augment should return an image of uint8, not of {unique.dtype}")
        if found["kept"] is not True:
            return fail("changes-the-input", "the image that was passed in has been changed: work on a copy")
        if instance["n"] == 0:
            if len(unique) == 1 and np.array_equal(unique[0], image):
                return RIGHT
            return fail("ignores-n", "with n = 0 the image should come back as it is")
        if found["repeats"] is not True:
            return fail(
                "ignores-rng", "generators with the same seed give different images: draw from `rng` alone"
            )
        if found["fixed"] is True and not _at_an_end(instance):
            return fail("fixed-seed", "generators with different seeds give the same image: draw from `rng`")
        if instance["n"] == 1:
            return _of_one(instance, image, unique, counts)
        return _of_two(instance, image, unique, counts)


def _picture(instance: Instance) -> NDArray[np.uint8]:
    size = tuple(instance.get("size", _SIZE))
    return default_rng(instance["seed"]).integers(20, 220, size, dtype=np.uint8)


def _at_an_end(instance: Instance) -> bool:
    """At the ends of the scale several operations give one image, so how often each comes is asked elsewhere."""
    return instance["m"] in (0, 30)


def _pixels(value: Any) -> NDArray[Any]:
    if isinstance(value, np.ndarray):
        return value
    if not hasattr(value, "numpy"):
        raise NotPlainData(f"rand_augment returned {describe(value)} where an image is expected")
    return value.numpy()


OPERATION_SIGNS = range(23)  # nine of the fourteen operations have two directions

Result = tuple[str, int, NDArray[np.uint8]]
"""An operation, its sign and the image that it gives."""


def _results(image: NDArray[np.uint8], level: float, turned: bool = False) -> list[Result]:
    """What each operation gives at a level of 31; `turned`, with height and width exchanged in its strength."""
    import torch

    from nas_lib.augmentation import LEVELS, OPERATIONS, apply_operation

    given = torch.from_numpy(np.ascontiguousarray(image))
    _, height, width = image.shape
    found = []
    for name, operation in OPERATIONS.items():
        strength = operation.strength(level / (LEVELS - 1), *((width, height) if turned else (height, width)))
        for sign in (1, -1) if operation.signed else (1,):
            found.append((name, sign, apply_operation(given, name, sign * strength).numpy()))
    return found


def _matching(found: NDArray[np.uint8], results: Sequence[Result]) -> Result | None:
    """The result that an image is: equal, or apart by the rounding of a strength."""
    for result in results:
        if np.array_equal(result[2], found):
            return result
    differences = [np.abs(result[2].astype(int) - found) for result in results]
    best = int(np.argmin([one.sum() for one in differences]))
    return results[best] if differences[best].max() <= 1 and differences[best].mean() < 0.2 else None


def _of_one(
    instance: Instance, image: NDArray[np.uint8], unique: NDArray[np.uint8], counts: NDArray[Any]
) -> Verdict:
    results = _results(image, instance["m"])
    tally: dict[tuple[str, int], int] = {}
    foreign = []
    for found, count in zip(unique, counts):
        match = _matching(found, results)
        if match is None:
            foreign.append(found)
        else:
            tally[match[:2]] = tally.get(match[:2], 0) + int(count)
    if foreign:
        return _foreign(instance, image, foreign)
    if _at_an_end(instance):
        return RIGHT
    total = int(counts.sum())
    for name in dict.fromkeys(result[0] for result in results):
        of_name = [tally.get((name, sign), 0) for sign in (1, -1)]
        low, high = count_range(total, 1 / 14, _ALPHA)
        if not low <= sum(of_name) <= high:
            if sum(of_name) == 0:
                return fail(
                    "misses-an-operation",
                    f"in {total} draws {name} never came: all 14 operations are drawn from",
                )
            return fail(
                "unequal-chances",
                f"{name} came {sum(of_name)} times in {total} draws, expected are {show(total / 14)}: all 14 "
                "operations are equally likely (does one come twice in your list, or act like another?)",
            )
    for name in dict.fromkeys(result[0] for result in results if result[1] == -1):
        plus, minus = (tally.get((name, sign), 0) for sign in (1, -1))
        low, high = count_range(plus + minus, 0.5, _ALPHA)
        if not low <= minus <= high:
            return fail(
                "one-sign",
                f"{name} came {plus} times with a positive strength and {minus} times with a negative one: operations "
                "with two directions take each with probability one half",
            )
    return RIGHT


def _foreign(instance: Instance, image: NDArray[np.uint8], foreign: list[NDArray[np.uint8]]) -> Verdict:
    """What images are that no operation gives at this magnitude."""
    m, found = instance["m"], foreign[0]
    # one wrong strength makes an image or two, a second operation makes hundreds
    if len(foreign) > 2 * len(OPERATION_SIGNS):
        return fail(
            "ignores-n", "with n = 1 more than one operation was applied: the number of operations is n"
        )
    turned = _matching(found, _results(image, m, turned=True))
    if turned is not None:
        return fail(
            "swaps-height-and-width",
            f"{turned[0]} moves by a share of the wrong side: X goes by the width, Y by the height",
        )
    for level in [30 - m, *range(31), m * 30 / 31, m * 30 / 10]:
        if level == m or not 0 <= level <= 30:
            continue
        match = _matching(found, _results(image, level))
        if match is not None and match[0] not in ("Identity", "AutoContrast", "Equalize"):
            return _at_another_level(match[0], level, m)
    return fail(
        "wrong-strength",
        f"with m = {m} an image comes out that no operation gives at that magnitude: compare your strengths with "
        "the table, one by one",
    )


def _at_another_level(name: str, level: float, m: int) -> Verdict:
    if level == 30 - m:
        return fail(
            "reversed-scale",
            f"the scale of {name} runs backwards: its magnitude {m} is what {level} should be (a higher magnitude "
            "is a stronger change)",
        )
    return fail(
        "wrong-strength",
        f"{name} has at m = {m} the strength of about {show(float(level))}: its scale is another one, from m = 0 to 30",
    )


def _of_two(
    instance: Instance, image: NDArray[np.uint8], unique: NDArray[np.uint8], counts: NDArray[Any]
) -> Verdict:
    m, draws = instance["m"], int(counts.sum())
    first = _results(image, m)
    signed = {name for name, sign, _ in first if sign == -1}
    ways: dict[bytes, list[tuple[bool, float]]] = {}  # is it one operation twice, and how likely
    for one in first:
        for two in _results(one[2], m):
            chance = math.prod(1 / 28 if name in signed else 1 / 14 for name in (one[0], two[0]))
            ways.setdefault(two[2].tobytes(), []).append((one[0] == two[0], chance))
    twice = {pixels for pixels, found in ways.items() if all(same for same, _ in found)}
    images = list(ways)
    everything = np.stack([np.frombuffer(one, np.uint8) for one in images]).astype(np.int16)
    equal, unknown, alone = 0, 0, 0
    for found, count in zip(unique, counts):
        pixels = found.tobytes()
        if pixels not in ways:
            differences = np.abs(everything - found.reshape(-1))
            best = int(np.argmin(differences.sum(1)))
            # a rounded pixel of the first may be spread by the second
            pixels = images[best] if (differences[best] > 0).mean() < 0.02 else b""
        unknown += int(count) if not pixels else 0
        equal += int(count) if pixels in twice else 0
        alone += _matching(found, first) is not None
    if alone == len(unique):
        return fail(
            "ignores-n",
            "with n = 2 only one operation was applied: the second works on what the first has made",
        )
    chance = sum(one for pixels in twice for _, one in ways[pixels])
    low, high = count_range(draws, chance, _ALPHA)
    if equal > high:
        return fail("one-draw-for-all", "the same operation is applied n times: each of the n is drawn anew")
    if unknown > 0.02 * draws:
        return fail(
            "not-one-after-the-other",
            f"{unknown} of {draws} images are not what two operations give, the second working on what "
            "the first has made",
        )
    if equal < low:
        return fail(
            "without-replacement",
            f"in {draws} draws no operation came twice, or hardly ever: each of the n is drawn anew, from all 14",
        )
    return RIGHT


register(
    ScaledCost(),
    RoundFilters(),
    RoundRepeats(),
    EfficientNetStages(),
    MBConvBlock(),
    FusedBlock(),
    GridSearch(),
    Mixup(),
    RandAugment(),
    ProgressiveSchedule(),
    *(ConceptQuestion(f"concept_07_{number}", LESSON) for number in (1, 2)),
)
