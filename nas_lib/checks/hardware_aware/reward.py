"""Cases of `mnasnet_reward`: numbers and arrays, hard and soft, on both sides of the target."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.random import default_rng

from nas_lib.checks.codec import describe
from nas_lib.checks.exercise import Instance
from nas_lib.checks.hardware_aware.latencies import LESSON, NAN, floats
from nas_lib.checks.values import Part, ValueExercise


class MnasnetReward(ValueExercise):
    """`mnasnet_reward(accuracy, latency, target, alpha, beta)`."""

    name, lesson = "mnasnet_reward", LESSON
    parts: ClassVar = (
        Part("result", "the reward", "wrong-number", floor=1e-6),
        Part(
            "form",
            concept="wrong-type",
            message="of arrays the reward is an array, not {found}",
            score=0.75,
            exact=True,
        ),
    )

    def instances(self, seed: int) -> list[Instance]:
        """Below, at and above the target; the defaults; the hard form; arrays; bad numbers."""
        rng = default_rng(seed)

        def case(latency: Any, **given: Any) -> Instance:
            size = len(latency) if isinstance(latency, list) else 1
            accuracy = floats(rng, size, 60, 95)
            return {
                "accuracy": accuracy if isinstance(latency, list) else accuracy[0],
                "latency": latency,
                "target": 10.0,
                "options": {"alpha": -0.05, "beta": -0.4},
                **given,
            }

        fast, slow = floats(rng, 1, 2, 8)[0], floats(rng, 1, 12, 30)[0]
        hard = {"alpha": 0.0, "beta": -1.0}
        table = [floats(rng, 2, 60, 95), floats(rng, 2, 60, 95)]
        return [
            case(slow, about="a network slower than the target"),
            case(fast, about="a network faster than the target"),
            case(fast, options={}, target=floats(rng, 1, 9, 30)[0], about="the default exponents"),
            case(slow, options={}, about="the default exponents, above the target"),
            case(0.4, target=0.5, about="less than one unit of time"),
            case(3e-5, target=2e-5, about="latencies in seconds"),
            case(slow, options=hard, about="the hard form"),
            case(fast, options=hard, about="the hard form, within the target"),
            case(10.0, about="a network exactly at the target"),
            case(10.005, options=hard, about="a network hardly slower than the target"),
            case(1.25, options={}, accuracy=95.0, about="a reward above 100"),
            case(25, target=20, accuracy=80, about="ints"),
            # Code that works on numbers alone loses a part.
            case([fast, slow, 10.0, fast / 3, 2 * slow], about="arrays", _left=0.75),
            case([slow], about="arrays of one entry", _left=0.75),
            case([[fast, slow], [2 * slow, 10.0]], accuracy=table, about="arrays of two axes", _left=0.75),
            case([5, 30, 10], accuracy=[80, 75, 92], about="arrays of ints", _left=0.75),
            case([fast, slow], accuracy=[0.0, 75.0], about="a network that is never right", _left=0.75),
            case(slow, options={"alpha": 0.2, "beta": 0.3}, about="exponents above 0"),
            case(slow, options={"alpha": -0.1, "beta": 0.0}, about="a beta of 0, above the target"),
            case(0.0, bad="a latency of 0"),
            case(-2.0, bad="a latency of -2"),
            case(NAN, bad="a latency of NaN"),
            case([fast, 0.0], bad="a latency of 0 in an array"),
            case([fast, slow], accuracy=[80.0, NAN], bad="an accuracy of NaN in an array"),
            case(fast, target=0.0, bad="a target of 0"),
            case(fast, target=-10.0, bad="a target of -10"),
            case(fast, target=NAN, bad="a target of NaN"),
            case(fast, accuracy=NAN, bad="an accuracy of NaN"),
            case(fast, accuracy=float("inf"), bad="an infinite accuracy"),
            case(fast, accuracy=-float("inf"), bad="an accuracy of minus infinity"),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The reward of numbers, or of arrays."""
        given = [instance["accuracy"], instance["latency"]]
        if isinstance(instance["latency"], list):
            given = [np.array(one) for one in given]
        result = fn(*given, instance["target"], **instance["options"])
        odd = isinstance(given[0], np.ndarray) and not isinstance(result, np.ndarray)
        return {"result": result, "form": describe(result) if odd else "as it should be"}
