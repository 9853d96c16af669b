"""The check of `efficientnet_stages`: all seven stages of each published network."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.random import default_rng

from nas_lib.checks._mistakes import raised
from nas_lib.checks.codec import describe
from nas_lib.checks.compound_scaling.shared import LESSON
from nas_lib.checks.exercise import RIGHT, Answer, Exercise, Instance, Unacceptable, Verdict, fail, show
from nas_lib.judges.reading import is_number, scalar

_FIELDS = ("expand", "kernel", "stride", "in", "out", "repeats")


class EfficientNetStages(Exercise):
    """`efficientnet_stages(variant)`: all seven stages of each variant."""

    name, lesson = "efficientnet_stages", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """Every published variant, and none of them."""
        rng = default_rng(seed)
        # at the depths of the others, rounding down, to the nearest or not at all are sometimes the same
        telling = f"b{rng.integers(3, 7)}"
        others = [f"b{i}" for i in rng.permutation(np.arange(1, 8)) if f"b{i}" != telling]
        variants = ["b0", telling, *others]
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
