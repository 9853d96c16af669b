"""Cases of the four exercises on latencies: measured, tabulated, added up, and foretold from a roofline."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator, default_rng

from nas_lib.checks.codec import describe
from nas_lib.checks.exercise import Instance
from nas_lib.checks.values import Part, ValueExercise

LESSON = "06_hardware_aware"
NAN, INFINITY = math.nan, math.inf
SMALL = 1e-9  # seconds: below this, numbers count as equal to rounding
MICRO = 2.0**-20  # seconds; a power of 2, so that no rounding to decimals keeps what is measured


def floats(rng: Generator, size: int, low: float, high: float) -> list[float]:
    """Numbers with three decimals."""
    return [round(float(value), 3) for value in rng.uniform(low, high, size)]


class _Machine:
    """Calls take the seconds that are listed; a queued call's time passes when the device is waited for."""

    def __init__(self, seconds: Sequence[float], queued: bool) -> None:
        self._seconds, self._queued = itertools.cycle(seconds), queued
        self._now, self._pending = 3.0, 0.0
        self.calls = self.reads = 0

    def call(self) -> None:
        self.calls += 1
        self._pending += next(self._seconds)
        if not self._queued:
            self.wait()

    def wait(self) -> None:
        self._now, self._pending = self._now + self._pending, 0.0

    def clock(self) -> float:
        self.reads += 1
        return self._now


class BenchmarkLatency(ValueExercise):
    """`benchmark_latency(...)`: quartiles on a made-up machine, where each broken rule has numbers of its own."""

    name, lesson, returns = "benchmark_latency", LESSON, "tuple"
    parts: ClassVar = (
        Part(
            "clock",
            "the clock",
            "ignores-the-clock",
            "no time passes here: read `clock`, before and after each call",
            exact=True,
        ),
        Part("result", "the result (25th percentile, median, 75th)", "wrong-quartiles", floor=SMALL),
        Part("calls", "the number of calls of fn", "wrong-number-of-calls", score=0.75),
    )

    def instances(self, seed: int) -> list[Instance]:
        """Slow first calls, skewed times, a device with a queue, microseconds, one repeat, no warm-up; bad numbers."""
        rng = default_rng(seed)

        def case(warmup: int, repeats: int, unit: float = 1.0, **given: Any) -> Instance:
            slow = [float(round(one)) for one in floats(rng, warmup, 40, 60)]
            # Skewed, so that mean and median differ; binary fractions, so that sums and differences are exact.
            timed = (2.0 + np.round(rng.exponential(3.0, repeats) * 1024) / 1024).tolist()
            return {
                "warmup": warmup,
                "repeats": repeats,
                "seconds": [unit * one for one in (*slow, *timed)],
                **given,
            }

        tiny = 2.0**-17
        held_up = case(2, 9, about="a call that another program holds up")
        held_up["seconds"][5] = 1000.0
        return [
            case(int(rng.integers(3, 6)), int(rng.integers(9, 14))),
            case(
                int(rng.integers(2, 5)), int(rng.integers(8, 12)), queued=True, about="a device with a queue"
            ),
            case(2, int(rng.integers(8, 12)), tiny, about="calls of microseconds"),
            case(2, 1, about="a single repeat"),
            case(0, 6, about="no warm-up"),
            case(3, 2, queued=True, about="a queue and two repeats"),
            held_up,
            case(2, 4) | {"bad": "a warmup of -1", "warmup": -1},
            case(2, 4) | {"bad": "repeats of 0", "repeats": 0},
            case(2, 4) | {"bad": "repeats of -2", "repeats": -2},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The three numbers, whether the clock was read, and how often the function was called."""
        machine = _Machine(instance["seconds"], bool(instance.get("queued")))
        wait = machine.wait if instance.get("queued") else None
        result = fn(
            machine.call, instance["warmup"], instance["repeats"], synchronize=wait, clock=machine.clock
        )
        clock = "read" if machine.reads > 1 else "not read"
        return {"clock": clock, "result": result, "calls": machine.calls}


class LatencyTable(ValueExercise):
    """`latency_table(ops, shapes, measure)`: an entry for every pair, measured once."""

    name, lesson, returns = "latency_table", LESSON, "dict"
    parts: ClassVar = (
        Part(
            "keys",
            "the table",
            "wrong-keys",
            "the keys are {found}; each pair (op, shape) is one",
            exact=True,
        ),
        Part("entries", "the table, sorted by its keys,", "wrong-entry", floor=SMALL),
        Part("measured", "the number of measurements", "measures-again", score=0.75),
    )

    def instances(self, seed: int) -> list[Instance]:
        """A few operations at a few shapes; nothing to measure; measurements that are none."""
        rng = default_rng(seed)
        names = ["nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3", "skip_connect", "mbconv_k3_e4_s1"]
        names += ["mbconv_k5_e4_s1", "mbconv_k3_e6_s2", "none"]
        rng.shuffle(names)

        def case(ops: int, shapes: int, unit: float = 1.0, **given: Any) -> Instance:
            sizes = [
                [int(c), int(c), int(s)]
                for c, s in zip(rng.permutation([8, 16, 24, 32])[:shapes], (32, 16, 8, 4))
            ]
            seconds = [[unit * one for one in floats(rng, shapes, 1, 9)] for _ in range(ops)]
            return {"ops": names[:ops], "shapes": sizes, "seconds": seconds, **given}

        def odd(value: float, place: tuple[int, int], phrase: str) -> Instance:
            made = case(2, 2, bad=phrase)
            made["seconds"][place[0]][place[1]] = value
            return made

        quick = case(2, 2, about="an operation that takes no time")
        quick["seconds"] = [[0.0, 0.25], [0.5, 2.0]]
        alike = [[16, 16, 32], [16, 16, 16], [16, 32, 16], [32, 16, 16]]
        unsorted = case(3, 3)
        for key in ("ops", "shapes"):  # neither rising nor falling
            second, first, third = sorted(unsorted[key])
            unsorted[key] = [first, second, third]
        return [
            unsorted,
            case(int(rng.integers(2, 5)), 4, MICRO, about="microseconds"),
            case(1, 1, about="one operation at one shape"),
            quick,
            case(2, 4, about="shapes that differ in one number") | {"shapes": alike},
            case(8, 2, about="eight operations"),
            case(2, 2, 2.0**16, about="hours"),
            case(2, 2, before=True, about="a second device"),
            case(0, 2) | {"bad": "no operations"},
            case(2, 0) | {"bad": "no shapes"},
            odd(NAN, (1, 1), "a measurement of NaN"),
            odd(-1.0, (0, 1), "a measurement of -1 s"),
            odd(INFINITY, (0, 1), "an infinite measurement"),
            odd(-INFINITY, (0, 0), "a measurement of minus infinity"),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The entries by their keys, and how often was measured."""
        ops, shapes = list(instance["ops"]), [tuple(shape) for shape in instance["shapes"]]
        measured = 0

        def measure(op: Any, shape: Any) -> float:
            nonlocal measured
            if op not in ops or shape not in shapes:
                raise ValueError(f"measure takes an operation and a shape, got {op!r} and {shape!r}")
            measured += 1
            return float(instance["seconds"][ops.index(op)][shapes.index(shape)])

        if instance.get("before"):
            fn(list(ops), list(shapes), lambda op, shape: 10.0)
        table = fn(list(ops), list(shapes), measure)
        if not isinstance(table, dict):
            return {"keys": describe(table), "entries": [], "measured": measured}
        keys = sorted(table, key=repr)
        return {"keys": keys, "entries": [table[key] for key in keys], "measured": measured}


class PredictLatency(ValueExercise):
    """`predict_latency(keys, table, overhead)`: the sum over layers, with repetition, and one overhead."""

    name, lesson, returns = "predict_latency", LESSON, "float"
    parts: ClassVar = (Part("result", "the prediction", "wrong-number", floor=SMALL),)

    def instances(self, seed: int) -> list[Instance]:
        """Networks with repeated layers, with and without an overhead, many layers, one, none; what the table lacks."""
        rng = default_rng(seed)
        seconds = floats(rng, 5, 1, 9)

        def case(places: Sequence[int], overhead: float | None, unit: float = 1.0, **given: Any) -> Instance:
            table = [[f"op{i // 2}", [8 * (i + 1), 16, 4], unit * value] for i, value in enumerate(seconds)]
            return {"places": list(places), "table": table, "overhead": overhead, **given}

        free = case([1, 3, 1], 1.5, about="a layer that takes no time")
        free["table"][3][2] = 0.0
        repeated = [0, 1, 1, 3, 3, 3, *rng.integers(5, size=3).tolist()]
        return [
            case(repeated, round(float(rng.uniform(2, 5)), 3)),
            case(rng.permutation(5)[:4].tolist(), None, about="no overhead given"),
            case(repeated[::-1], 26 * MICRO, MICRO, about="microseconds"),
            case([2], round(float(rng.uniform(2, 5)), 3), about="a single layer"),
            case([4, 4], 3, about="an overhead that is an int"),
            case([], 2.5, about="a network without layers"),
            case([], 0, about="neither layers nor an overhead"),
            case(rng.integers(5, size=60).tolist(), 1.5, about="a network of 60 layers"),
            free,
            case([0, 7], 0.0, bad="a last layer that the table does not have"),
            case([0, 5], 0.0, bad="a layer that the table has at other shapes only"),
            case([0, 6], 0.0, bad="a layer that the table has for other operations only"),
            case([7, 0], 0.0, bad="a first layer that the table does not have"),
            case([0, 1], -1.0, bad="an overhead of -1 s"),
            case([0, 1], NAN, bad="an overhead of NaN"),
            case([0, 1], -INFINITY, bad="an overhead of minus infinity"),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The prediction."""
        table = {(op, tuple(shape)): value for op, shape, value in instance["table"]}
        known = [*table, ("op0", (40, 16, 4)), ("op3", (8, 16, 4)), ("unknown", (1, 1, 1))]
        given = [known[place] for place in instance["places"]], table
        return fn(*given) if instance["overhead"] is None else fn(*given, instance["overhead"])


class RooflineLatency(ValueExercise):
    """`roofline_latency(macs, bytes_moved, device)`: the longer of arithmetic and traffic, and the overhead."""

    name, lesson, returns = "roofline_latency", LESSON, "float"
    parts: ClassVar = (Part("result", "the latency", "wrong-number", floor=SMALL),)

    def instances(self, seed: int) -> list[Instance]:
        """Bound by arithmetic, by memory, at the ridge, nothing but overhead; negative work."""
        rng = default_rng(seed)

        def case(macs: float, moved: float, **given: Any) -> Instance:
            peak, bandwidth = floats(rng, 1, 20, 90)[0] * 1e9, floats(rng, 1, 4, 20)[0] * 1e9
            overhead = round(float(rng.uniform(5, 40)), 2) * 1e-6
            device = {"peak": peak, "bandwidth": bandwidth, "overhead": overhead}
            return {"macs": macs, "moved": moved, **device, **given}

        return [
            case(float(rng.integers(1, 9)) * 1e3, 400.0, about="a tiny layer"),
            case(
                float(rng.integers(50, 90)) * 1e6,
                float(rng.integers(1, 9)) * 1e5,
                about="a layer with much arithmetic",
            ),
            case(
                float(rng.integers(1, 9)) * 1e4,
                float(rng.integers(20, 90)) * 1e6,
                about="a layer with much traffic",
            ),
            # Without the factor 2 memory would be the limit here.
            case(20e6, 3e6, peak=40e9, bandwidth=5e9, about="a layer near the ridge"),
            case(20_000_000, 3_000_000, peak=40e9, bandwidth=50e9, about="counts that are ints"),
            case(0.0, 0.0, about="a layer without work"),
            case(0.0, 4e6, about="a layer that computes nothing"),
            case(3e7, 0.0, about="a layer without traffic"),
            case(4e11, 3e6, about="hundreds of billions of MACs"),
            case(3e6, 2e10, about="billions of bytes"),
            case(3e6, 4e5, overhead=0.0, about="a device without overhead"),
            case(-1.0, 4e5, bad="-1 MACs"),
            case(1e6, -0.5, bad="-0.5 bytes"),
            case(-2.0, -3.0, bad="-2 MACs and -3 bytes"),
            case(NAN, 4e5, bad="NaN MACs"),
            case(1e6, NAN, bad="NaN bytes"),
            case(-INFINITY, 4e5, bad="minus infinitely many MACs"),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The latency on a device of plain attributes."""
        device = SimpleNamespace(
            **{name: instance[name] for name in ("peak", "bandwidth", "overhead")}, name="made up"
        )
        return fn(instance["macs"], instance["moved"], device)
