"""The check of `progressive_schedule`: whole schedules at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import default_rng

from nas_lib.checks._mistakes import close, raised
from nas_lib.checks.codec import describe
from nas_lib.checks.compound_scaling.shared import LESSON, NAN
from nas_lib.checks.exercise import RIGHT, Answer, Exercise, Instance, Verdict, fail, show
from nas_lib.judges.reading import is_number, number, rows, scalar


class ProgressiveSchedule(Exercise):
    """`progressive_schedule(stage, stages, resolution, magnitude)`: whole schedules at a time."""

    name, lesson = "progressive_schedule", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """Two to seven stages, falling and constant values, a single stage; bad input."""
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
        if what == "resolution":
            if close(found, np.floor(line)):
                return fail("cuts-off-pixels", "the resolution is cut off: take the nearest whole number")
            if close(found, np.ceil(line - 1e-9)):
                return fail("cuts-off-pixels", "the resolution is rounded up: take the nearest whole number")
            if close(found, line):
                return fail("left-broken", f"an image has whole pixels: {show(found[1])} has to be rounded")
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
        other = "magnitude" if what == "resolution" else "resolution"
        if stages > 1 and close([found[0], found[-1]], instance[other]):
            return fail("swapped-pairs", "the two come back in the wrong order: (resolution, magnitude)")
        return fail("other-schedule", f"the {what} should run through {show(right)}, not {show(found)}")
