"""The judge of `grid_search_coefficients`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nas_lib.checks.codec import describe
from nas_lib.checks.compound_scaling.shared import LESSON
from nas_lib.checks.exercise import RIGHT, Answer, Instance, Verdict, fail, show
from nas_lib.judges import Judge
from nas_lib.judges.reading import is_number, scalar

ALPHA = 5e-10  # how likely one count of right code leaves its range


class GridSearch(Judge):
    """`grid_search_coefficients`: which points were evaluated, and the best one."""

    exercise, lesson = "grid_search_coefficients", LESSON

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
        if chosen == best or values.get(chosen) == values[best]:  # of equals, any
            return RIGHT
        if chosen == min(values, key=lambda point: values[point]):
            return fail("takes-the-lowest", "this is the point with the *lowest* accuracy: higher is better")
        if sorted(chosen) == sorted(best):
            return fail(
                "coefficients-in-other-order",
                f"the coefficients are returned in another order than {best}: alpha, beta, gamma",
            )
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
