"""Cases of `progressive_schedule`: whole schedules at a time."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.random import default_rng

from nas_lib.checks.compound_scaling.shared import LESSON, NAN
from nas_lib.checks.exercise import Instance
from nas_lib.checks.values import Part, ValueExercise

INFINITY = float("inf")


class ProgressiveSchedule(ValueExercise):
    """`progressive_schedule(stage, stages, resolution, magnitude)`."""

    name, lesson, returns = "progressive_schedule", LESSON, "tuple"
    parts: ClassVar = (
        Part(
            "resolution",
            "the resolution",
            "other-schedule",
            "the resolution should run through {right}, not {found}",
        ),
        Part(
            "magnitude",
            "the magnitude",
            "other-schedule",
            "the magnitude should run through {right}, not {found}",
        ),
        Part(
            "whole",
            "the resolution",
            "not-an-int",
            "the resolution is right, but a float: an image has whole pixels",
            score=0.5,
            exact=True,
        ),
    )

    def instances(self, seed: int) -> list[Instance]:
        """Two to seven stages, falling, negative and constant values, a single stage; bad input."""
        rng = default_rng(seed)

        def case(stages: int, **given: Any) -> Instance:
            low = int(rng.integers(8, 13))
            # Steps of a whole number and a bit, unless that would leave something halfway; so steep that growth by a
            # factor is far from it.
            high = low + int((stages - 1) * rng.integers(6, 10)) + (stages - 1) % 2
            ends = [round(float(one), 2) for one in sorted(rng.uniform(0, 20, 2))]
            return {"stages": stages, "resolution": [low, high], "magnitude": ends, **given}

        return [
            case(4),
            case(int(rng.integers(5, 8))),
            case(2, about="two stages"),
            case(1, about="a single stage"),
            case(3, magnitude=[9.0, 1.5], about="a magnitude that falls"),
            case(3, magnitude=[-4.0, 2.5], about="a magnitude that begins below 0"),
            case(3, magnitude=[9.5, 44.0], about="a magnitude above 30"),
            case(4, resolution=[24, 24], about="a resolution that stays"),
            case(4, resolution=[32, 17], about="a resolution that falls"),
            case(4, resolution=[1, 13], about="a resolution that begins at 1"),
            case(10, resolution=[100, 195], about="a bit more or less than half a pixel"),
            case(4, stage=4, bad="stage 4 of 4 (they begin at 0)"),
            case(4, stage=6, bad="stage 6 of 4"),
            case(4, stage=-1, bad="stage -1"),
            case(0, stage=0, bad="a number of 0 stages"),
            case(-2, stage=0, bad="a number of -2 stages"),
            case(3, stage=1, resolution=[0, 24], bad="a first resolution of 0"),
            case(3, stage=1, resolution=[24, 0], bad="a last resolution of 0"),
            case(3, stage=1, resolution=[0.5, 24], bad="a first resolution of 0.5"),
            case(3, stage=1, resolution=[12, INFINITY], bad="an infinite last resolution"),
            case(3, stage=1, resolution=[12, NAN], bad="a last resolution of NaN"),
            case(3, stage=1, resolution=[NAN, 12], bad="a first resolution of NaN"),
            case(3, stage=1, magnitude=[0.0, NAN], bad="a magnitude of NaN"),
            case(3, stage=1, magnitude=[INFINITY, 9.0], bad="an infinite first magnitude"),
            case(3, stage=1, magnitude=[9.0, -INFINITY], bad="a last magnitude of minus infinity"),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The whole schedule, or one stage of it."""
        stages = [instance["stage"]] if "stage" in instance else range(instance["stages"])
        pairs = tuple(instance["resolution"]), tuple(instance["magnitude"])
        found = [fn(stage, instance["stages"], *pairs) for stage in stages]
        sides, strengths = zip(*found)
        whole = all(isinstance(side, (int, np.integer)) for side in sides)
        return {"resolution": list(sides), "magnitude": list(strengths), "whole": whole}
