"""Cases of `efficientnet_stages`: all seven stages of each published network, and other rounding than the paper's."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

import numpy as np
from numpy.random import default_rng

from nas_lib.checks.codec import describe
from nas_lib.checks.compound_scaling.shared import LESSON
from nas_lib.checks.exercise import Instance
from nas_lib.checks.oracles import Oracle
from nas_lib.checks.values import Part, ValueExercise


class EfficientNetStages(ValueExercise):
    """`efficientnet_stages(variant, *, filters, repeats)`."""

    name, lesson, returns = "efficientnet_stages", LESSON, "list"
    parts: ClassVar = (
        Part(
            "result",
            "the table of stages (expand, kernel, stride, channels in, channels out, blocks)",
            "wrong-stage",
        ),
        Part(
            "rows",
            "the stages",
            "wrong-type",
            "the numbers are right, but a stage is {found}: {right} is asked for",
            score=0.5,
            exact=True,
        ),
    )

    def instances(self, seed: int) -> list[Instance]:
        """Every published variant, another way to round, and variants that are none."""
        rng = default_rng(seed)
        # at the depths of the others, rounding down, to the nearest or not at all are sometimes the same
        telling = f"b{rng.integers(3, 7)}"
        others = [f"b{i}" for i in rng.permutation(np.arange(1, 8)) if f"b{i}" != telling]
        return [
            *({"variant": one, "about": one} for one in ("b0", telling, *others)),
            *(
                {"variant": one, "odd": True, "about": f"{one} with other `filters` and `repeats`"}
                | {"_left": 0.5}
                for one in (telling, "b0")  # where both multipliers are 1
            ),
            *({"bad": f"the variant {one!r}", "variant": one} for one in ("b8", "", "B0", "b", 3, None)),
        ]

    def oracle(self, instance: Instance) -> Oracle:
        """How channels and blocks are rounded: stays outside, since two exercises ask for it."""
        if instance.get("odd"):
            return Oracle(
                # each says which of its two arguments came first
                {"filters": lambda c, w: round(10 * c * w + c), "repeats": lambda n, d: round(10 * n * d + n)}
            )
        from nas_lib.standins.compound_scaling import round_filters, round_repeats

        return Oracle({"filters": round_filters, "repeats": round_repeats})

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The stages. Who is stuck on rounding can still do this one."""
        given = {
            "filters": lambda channels, width: oracle.call("filters", channels, width),
            "repeats": lambda blocks, depth: oracle.call("repeats", blocks, depth),
        }
        # A version without these arguments rounds by itself, and is right wherever nothing else is asked for.
        taken = inspect.signature(fn).parameters
        found = fn(instance["variant"], **{name: one for name, one in given.items() if name in taken})
        rows = found if isinstance(found, (list, tuple)) else []
        return {"result": found, "rows": next(filter(None, map(_oddity, rows)), "a tuple of ints")}


def _oddity(row: Any) -> str:
    """What a stage is, where it is no tuple of ints."""
    if not isinstance(row, tuple):
        return describe(row)
    return next(
        (f"a tuple with {describe(one)}" for one in row if not isinstance(one, (int, np.integer))), ""
    )
