"""The check of `grid_search_coefficients`: which points were evaluated, and the best one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import default_rng

from nas_lib.checks._mistakes import close, raised
from nas_lib.checks.codec import describe
from nas_lib.checks.compound_scaling.shared import LESSON, NAN
from nas_lib.checks.exercise import RIGHT, Answer, Exercise, Instance, Verdict, fail, show
from nas_lib.checks.oracles import Oracle
from nas_lib.judges.reading import is_number, scalar


class GridSearch(Exercise):
    """`grid_search_coefficients(evaluate, step, tolerance, limit)`: which points were evaluated, and the best one."""

    name, lesson = "grid_search_coefficients", LESSON
    has_reference = False

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
            # another weight for each, so that points hardly ever tie
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
        if close(chosen, best, 1e-6) or values.get(chosen) == values[best]:  # of equals, any
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
