"""Cases of `grid_search_coefficients`: fine and coarse grids, other limits, a best point at an end of the grid."""

from __future__ import annotations

import math
from typing import Any

from numpy.random import default_rng

from nas_lib.checks.compound_scaling.shared import LESSON, NAN
from nas_lib.checks.exercise import Exercise, Instance
from nas_lib.checks.oracles import Oracle


class GridSearch(Exercise):
    """`grid_search_coefficients(evaluate, step, tolerance, limit)`: which points were evaluated, and the best one."""

    name, lesson, returns = "grid_search_coefficients", LESSON, "tuple"
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
            # all sums are exact; (2.125, 1, 1) lies just outside
            case(0.125, 0.1247, about="a fine grid"),
            case(0.2, 0.1003, _best=[1.4, 1.0, 1.2], _scale=1e-3, about="accuracies that hardly differ"),
            case(0.25, 0.0, 4.0, about="a tolerance of 0"),  # quarters are exact; some products come near 4
            case(1.0, 3.0, 4.0, about="a tolerance of 3"),  # whole numbers: its ends, 1 and 7, are exact
            case(0.5, 0.0, 1.0, about="a limit of 1"),
            case(0.7, 0.0003, bad="a tolerance that lets no point in"),
            case(0.0, 0.1003, bad="a step of 0"),
            case(-0.1, 0.1003, bad="a step of -0.1"),
            case(-3.0, 0.0, 1.0, bad="a step of -3"),
            case(0.1, -1.0, bad="a tolerance of -1"),
            case(0.1, 0.6, 0.5, bad="a limit of 0.5"),
            case(math.inf, 0.1003, 1.0, bad="an infinite step"),
            case(0.1, math.inf, bad="an infinite tolerance"),
            case(0.1, 0.1003, math.inf, bad="an infinite limit"),
            case(NAN, 0.1003, bad="a step of NaN"),
            case(0.1, NAN, bad="a tolerance of NaN"),
            case(0.1, 0.1003, NAN, bad="a limit of NaN"),
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
            # another weight for each, so that points hardly ever tie and the last one, deepest, is not the worst
            distance = sum(w * (p - b) ** 2 for w, p, b in zip((0.1, 1.3, 1.7), point, best))
            return 80.0 + instance.get("_shift", 0.0) - 10 * instance.get("_scale", 1.0) * distance

        return Oracle({"evaluate": evaluate}, limit=20_000)

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The coefficients that the learner's search returns."""

        def evaluate(alpha: Any, beta: Any, gamma: Any) -> float:
            return float(oracle.call("evaluate", float(alpha), float(beta), float(gamma)))

        given = [instance["step"], instance["tolerance"]]
        given += [instance["limit"]] if instance["limit"] != 2.0 else []
        return fn(evaluate, *given)
