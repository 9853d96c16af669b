"""Checks of lesson 06: timing, latency tables, rooflines, rewards, Pareto fronts, quantisation and their joint search.

Timing is checked on a machine made of numbers, whose clock stands still unless it works, so that nothing depends on
how busy the computer is. Numbers are compared with the reference's; what the usual mistakes would have given is
computed beside it and named. A search is judged by what it evaluated, whatever its algorithm. Everything is exact.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from nas_lib.checks._mistakes import Mistake, first_mistake, raised
from nas_lib.checks.codec import describe
from nas_lib.checks.exercise import RIGHT, Answer, Exercise, Instance, Verdict, fail, show
from nas_lib.checks.histories import plain
from nas_lib.checks.judging import BAD_INPUT, error_verdict
from nas_lib.checks.oracles import Oracle, Refused
from nas_lib.checks.questions import ConceptQuestion
from nas_lib.checks.registry import register
from nas_lib.judges.reading import column, is_number, number, scalar

# torch is imported where it is used: looking an exercise up by its name imports the checks of all lessons.

LESSON = "06_hardware_aware"

Array = NDArray[np.float64]


def _close(one: Any, other: Any, tolerance: float = 1e-9) -> bool:
    one, other = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    if one.shape != other.shape or not np.isfinite(one).all():
        return False
    return bool(np.abs(one - other).max(initial=0.0) <= tolerance * np.abs(other).max(initial=1e-300))


_first_mistake = functools.partial(first_mistake, equal=_close)


def _floats(rng: np.random.Generator, size: int, low: float, high: float) -> list[float]:
    return [round(float(value), 3) for value in rng.uniform(low, high, size)]


def _about(instance: Instance) -> str:
    return f" (on {instance['about']})" if instance.get("about") else ""


class NumberExercise(Exercise):
    """What the exercises share whose answer is one number of plain arguments."""

    lesson = LESSON

    def arguments(self, instance: Instance) -> tuple[Any, ...]:
        """What the function is called with."""
        raise NotImplementedError

    def mistakes(self, instance: Instance, right: float) -> list[Mistake]:
        """The usual ones."""
        raise NotImplementedError

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The result, or what is raised on bad input."""
        given = self.arguments(instance)
        return raised(lambda: fn(*given)) if "bad" in instance else fn(*given)

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Exact up to rounding."""
        found, right = number(answer.value, self.name), number(expected.value, self.name)
        if _close(found, right) or found == right:
            return RIGHT
        return _first_mistake(found, right, self.mistakes(instance, right)) or fail(
            "wrong-number", f"{self.name} gives {show(found)}, should be {show(right)}{_about(instance)}"
        )


# ------------------------------------------------------------------------------------------------- timing


class _Machine:
    """Calls take the seconds that are listed; a queued call's time passes when the device is waited for."""

    def __init__(self, seconds: Sequence[float], queued: bool) -> None:
        self._seconds, self._queued = itertools.cycle(seconds), queued
        self._now, self._pending = 3.0, 0.0
        self.calls = 0

    def call(self) -> None:
        self.calls += 1
        self._pending += next(self._seconds)
        if not self._queued:
            self.wait()

    def wait(self) -> None:
        self._now, self._pending = self._now + self._pending, 0.0

    def clock(self) -> float:
        return self._now


class BenchmarkLatency(Exercise):
    """`benchmark_latency(...)`: quartiles on a made-up machine, where each broken rule has numbers of its own."""

    name, lesson = "benchmark_latency", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """Slow first calls, skewed times, a device with a queue, one repeat, no warm-up; bad numbers."""
        rng = default_rng(seed)

        def case(warmup: int, repeats: int, **given: Any) -> Instance:
            slow = _floats(rng, warmup, 40, 60)
            # Skewed, so that mean and median differ; binary fractions, so that sums and differences are exact.
            timed = (2.0 + np.round(rng.exponential(3.0, repeats) * 1024) / 1024).tolist()
            return {"warmup": warmup, "repeats": repeats, "seconds": [*map(round, slow), *timed], **given}

        return [
            case(int(rng.integers(3, 6)), int(rng.integers(9, 14))),
            case(
                int(rng.integers(2, 5)), int(rng.integers(8, 12)), queued=True, about="a device with a queue"
            ),
            case(2, 1, about="a single repeat"),
            case(0, 6, about="no warm-up"),
            case(3, 2, queued=True, about="a queue and two repeats"),
            case(2, 4) | {"bad": "a warmup of -1", "warmup": -1},
            case(2, 4) | {"bad": "repeats of 0", "repeats": 0},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The three numbers, and how often the function was called."""
        machine = _Machine(instance["seconds"], bool(instance.get("queued")))
        wait = machine.wait if instance.get("queued") else None

        def call() -> Any:
            return fn(
                machine.call, instance["warmup"], instance["repeats"], synchronize=wait, clock=machine.clock
            )

        return raised(call) if "bad" in instance else {"result": call(), "calls": machine.calls}

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Compare the quartiles, then count the calls."""
        value = answer.value["result"]
        if value is None:
            return fail("returns-nothing", "benchmark_latency returned None: is there a return statement?")
        if is_number(scalar(value)):
            return fail(
                "one-number",
                f"three numbers are asked for (25th percentile, median, 75th), not the one number {show(value)}",
            )
        found, right = column(value, 3, self.name), column(expected.value["result"], 3, self.name)
        calls, wanted = answer.value["calls"], instance["warmup"] + instance["repeats"]
        if _close(found, right):
            if calls != wanted:
                return fail(
                    "wrong-number-of-calls",
                    f"fn ran {calls} times, should be {wanted}: warmup + repeats",
                    1 - BAD_INPUT,
                )
            return RIGHT
        return _first_mistake(found, right, self._mistakes(instance, right)) or fail(
            "wrong-quartiles",
            f"the quartiles of {show(instance['seconds'][instance['warmup'] :])} are {show(right)}, not "
            f"{show(found)}{_about(instance)}",
        )

    @staticmethod
    def _mistakes(instance: Instance, right: Array) -> list[Mistake]:
        seconds, warmup, repeats = np.array(instance["seconds"]), instance["warmup"], instance["repeats"]
        timed = seconds[warmup : warmup + repeats]

        def quartiles(values: Any) -> Array:
            return np.percentile(values, [25, 50, 75])

        pending = timed.copy()
        pending[0] += seconds[:warmup].sum()
        mean, deviation = float(timed.mean()), float(timed.std())
        found: list[Mistake] = [
            (right * 1e3, "milliseconds", "these are milliseconds: return seconds"),
            (right[::-1], "swapped", "the percentiles are swapped: the lowest comes first"),
            (
                quartiles(seconds),
                "times-the-warm-up",
                "the warm-up calls are in the statistics: run them before you time",
            ),
            (
                quartiles(seconds[:repeats]),
                "no-warm-up",
                "the very first calls are timed: call fn `warmup` times before the clock starts",
            ),
            (
                [timed.min(), np.median(timed), timed.max()],
                "range-not-quartiles",
                "minimum and maximum are not quartiles: one disturbed call would decide them. Take the 25th and 75th "
                "percentile",
            ),
            (
                [right[0], mean, right[2]],
                "mean-not-median",
                "the middle number is the mean, which a single slow call pulls up: take the median",
            ),
            (
                [mean - deviation, mean, mean + deviation],
                "mean-not-median",
                "mean and standard deviation are pulled up by single slow calls: take the median and the quartiles",
            ),
            (
                [mean] * 3,
                "block-timing",
                "all calls are timed together, as one block: time each call by itself, or there is no spread to see",
            ),
        ]
        if instance.get("queued"):
            late = np.zeros(repeats)
            late[-1] = timed.sum()
            unsynchronised = (
                "the clock is stopped when the call has been *queued*: call synchronize() after fn(), before you "
                "read the clock"
            )
            found += [
                (
                    quartiles(pending),
                    "starts-too-early",
                    "the first timed call also pays for what the warm-up left in the queue: synchronize() before the "
                    "clock starts",
                ),
                *((wrong, "not-synchronised", unsynchronised) for wrong in ([0.0] * 3, quartiles(late))),
            ]
            if repeats > 1:  # a queue that is emptied before each call and not after it
                found.append((quartiles(np.zeros(repeats)), "not-synchronised", unsynchronised))
        elif float(right.min()) > 1:
            found.append(
                ([0.0] * 3, "ignores-the-clock", "no time passes: read `clock`, before and after each call")
            )
        return found


class LatencyTableExercise(Exercise):
    """`latency_table(ops, shapes, measure)`: an entry for every pair, measured once."""

    name, lesson = "latency_table", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """A few operations at a few shapes; nothing to measure; measurements that are none."""
        rng = default_rng(seed)
        names = ["nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3", "skip_connect", "mbconv_k3_e4_s1"]
        rng.shuffle(names)

        def case(ops: int, shapes: int, **given: Any) -> Instance:
            sizes = [
                [int(c), int(c), int(s)]
                for c, s in zip(rng.permutation([8, 16, 24, 32])[:shapes], (32, 16, 8, 4))
            ]
            seconds = [_floats(rng, shapes, 1, 9) for _ in range(ops)]
            return {"ops": names[:ops], "shapes": sizes, "seconds": seconds, **given}

        nan = case(2, 2)
        nan["seconds"][1][1] = float("nan")
        negative, endless, quick = case(2, 2), case(2, 2), case(2, 2, about="an operation that takes no time")
        negative["seconds"][0][1] = -1.0
        endless["seconds"][0][1] = float("inf")
        quick["seconds"] = [[0.0, 0.25], [0.5, 2.0]]
        return [
            case(3, 2),
            case(int(rng.integers(2, 5)), 4),
            case(1, 1, about="one operation at one shape"),
            quick,
            case(0, 2) | {"bad": "no operations"},
            case(2, 0) | {"bad": "no shapes"},
            nan | {"bad": "a measurement of NaN"},
            negative | {"bad": "a measurement of -1 s"},
            endless | {"bad": "an infinite measurement"},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The entries, and what was measured."""
        ops, shapes = list(instance["ops"]), [tuple(shape) for shape in instance["shapes"]]
        measured: list[list[int]] = []

        def measure(op: Any, shape: Any) -> float:
            if op not in ops or shape not in shapes:
                raise ValueError(
                    f"measure was called with {op!r} and {shape!r}: it takes an operation and a shape"
                )
            measured.append([ops.index(op), shapes.index(shape)])
            return float(instance["seconds"][ops.index(op)][shapes.index(shape)])

        if "bad" in instance:
            return raised(lambda: fn(ops, shapes, measure))
        table = fn(ops, shapes, measure)
        entries = [[key, value] for key, value in table.items()] if isinstance(table, dict) else table
        return {"is_dict": isinstance(table, dict), "entries": entries, "measured": measured}

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """The keys, then the values, then how often was measured."""
        if answer.value["entries"] is None:
            return fail("returns-nothing", "latency_table returned None: is there a return statement?")
        if not answer.value["is_dict"]:
            return fail(
                "wrong-type", f"latency_table should return a dict, not {describe(answer.value['entries'])}"
            )
        found = {repr(key): (key, value) for key, value in answer.value["entries"]}
        right = {repr(key): value for key, value in expected.value["entries"]}
        if found.keys() != right.keys():
            return self._wrong_keys(instance, found, right)
        for name, wanted in right.items():
            value = scalar(found[name][1])
            if not is_number(value) or not _close(value, wanted):
                return fail(
                    "wrong-entry",
                    f"the entry of {show(found[name][0])} is {show(value)}, measure gave {show(wanted)}",
                )
        if len(answer.value["measured"]) != len(right):
            return fail(
                "measures-again",
                f"measure ran {len(answer.value['measured'])} times for {len(right)} entries: once each is enough",
                1 - BAD_INPUT,
            )
        return RIGHT

    @staticmethod
    def _wrong_keys(instance: Instance, found: dict[str, Any], right: dict[str, Any]) -> Verdict:
        keys = [key for key, _ in found.values()]
        if any(type(key) is str and key in instance["ops"] for key in keys):
            return fail(
                "forgets-the-shape",
                "the keys are operations alone, so that one shape overwrites the other: a key is a pair (op, shape)",
            )
        if any(type(key) is str for key in keys):
            return fail("string-keys", f"the key is the pair (op, shape), not the string {show(keys[0])}")
        if any(type(key) is list and len(key) == 2 and key[1] in instance["ops"] for key in keys):
            return fail("swapped", "operation and shape are swapped: the key is (op, shape)")
        if len(found) < len(right) and found.keys() <= right.keys():
            return fail(
                "misses-pairs",
                f"{len(found)} of {len(right)} entries: every operation has to be measured at *every* shape",
            )
        return fail("wrong-keys", f"the keys are {show(keys[:3])}; each should be a pair (op, shape)")


class PredictLatency(NumberExercise):
    """`predict_latency(keys, table, overhead)`: the sum over layers, with repetition, and one overhead."""

    name = "predict_latency"

    def instances(self, seed: int) -> list[Instance]:
        """Networks with repeated layers, with and without an overhead, one layer, none; what the table lacks."""
        rng = default_rng(seed)
        table = [[f"op{i}", [8 * (i + 1), 16, 4], value] for i, value in enumerate(_floats(rng, 5, 1, 9))]

        def case(places: Sequence[int], overhead: float | None, **given: Any) -> Instance:
            return {"places": list(places), "table": table, "overhead": overhead, **given}

        repeated = [0, 1, 1, 3, 3, 3, *rng.integers(5, size=3).tolist()]
        return [
            case(repeated, round(float(rng.uniform(2, 5)), 3)),
            case(rng.permutation(5)[:4].tolist(), None, about="no overhead given"),
            case([2], round(float(rng.uniform(2, 5)), 3), about="a single layer"),
            case([], 2.5, about="a network without layers"),
            case([0, 7], 0.0, bad="a layer that the table does not have"),
            case([0, 1], -1.0, bad="an overhead of -1 s"),
            case([0, 1], float("nan"), bad="an overhead of NaN"),
            case([0, 1], float("inf"), bad="an infinite overhead"),
        ]

    def arguments(self, instance: Instance) -> tuple[Any, ...]:
        """Keys, table and, where there is one, the overhead."""
        table = {(op, tuple(shape)): value for op, shape, value in instance["table"]}
        keys = [*table, *(("unknown", (1, 1, 1)) for _ in range(3))]
        given = ([keys[place] for place in instance["places"]], table)
        return given if instance["overhead"] is None else (*given, instance["overhead"])

    def mistakes(self, instance: Instance, right: float) -> list[Mistake]:
        """Sums over other things."""
        values = [entry[2] for entry in instance["table"]]
        entries, overhead = [values[place] for place in instance["places"]], instance["overhead"] or 0.0
        once = sum(values[place] for place in set(instance["places"]))
        return [
            (
                overhead + once,
                "counts-repeats-once",
                "a layer that occurs several times takes its time several times: add it up for each occurrence",
            ),
            (sum(entries), "no-overhead", "the overhead is missing: it is added once per network"),
            (
                sum(entries) + overhead * len(entries),
                "overhead-per-layer",
                "the overhead is added for each layer: it belongs to the network, once",
            ),
            (sum(entries) * overhead, "overhead-multiplied", "the overhead is multiplied: it is added"),
            (sum(entries) - overhead, "overhead-subtracted", "the overhead is subtracted: it is added"),
            (
                overhead + sum(entries) / max(1, len(entries)),
                "mean-of-layers",
                "this is the mean of the layers: they run one after the other, so their times add up",
            ),
            (
                overhead + max(entries, default=0.0),
                "slowest-only",
                "only the slowest layer counts: they run one after the other, so their times add up",
            ),
            (
                overhead + sum(values),
                "sums-the-table",
                "the whole table is summed: only the layers of this network count",
            ),
        ]


class RooflineLatency(NumberExercise):
    """`roofline_latency(macs, bytes_moved, device)`: the longer of arithmetic and traffic, and the overhead."""

    name = "roofline_latency"

    def instances(self, seed: int) -> list[Instance]:
        """Bound by arithmetic, by memory, at the ridge, nothing but overhead; negative work."""
        rng = default_rng(seed)

        def case(macs: float, moved: float, **given: Any) -> Instance:
            peak, bandwidth = _floats(rng, 1, 20, 90)[0] * 1e9, _floats(rng, 1, 4, 20)[0] * 1e9
            overhead = round(float(rng.uniform(5, 40)), 2) * 1e-6
            return {
                "macs": macs,
                "moved": moved,
                "peak": peak,
                "bandwidth": bandwidth,
                "overhead": overhead,
                **given,
            }

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
            case(0.0, 0.0, about="a layer without work"),
            case(3e6, 4e5, overhead=0.0, about="a device without overhead"),
            case(-1.0, 4e5, bad="-1 MACs"),
            case(1e6, -0.5, bad="-0.5 bytes"),
            case(float("nan"), 4e5, bad="NaN MACs"),
        ]

    def arguments(self, instance: Instance) -> tuple[Any, ...]:
        """Work and a device of plain attributes."""
        device = SimpleNamespace(
            **{name: instance[name] for name in ("peak", "bandwidth", "overhead")}, name="made up"
        )
        return instance["macs"], instance["moved"], device

    def mistakes(self, instance: Instance, right: float) -> list[Mistake]:
        """Other combinations of the same three times."""
        once, traffic = instance["macs"] / instance["peak"], instance["moved"] / instance["bandwidth"]
        arithmetic, overhead = 2 * once, instance["overhead"]
        return [
            (
                overhead + max(once, traffic),
                "macs-not-flops",
                "a multiply-accumulate is two operations, and the peak counts operations: 2·macs/peak",
            ),
            (
                overhead + arithmetic + traffic,
                "sum-not-maximum",
                "arithmetic and traffic overlap: the *longer* of the two decides, not their sum",
            ),
            (
                overhead + min(arithmetic, traffic),
                "not-the-longer",
                "the shorter of the two decides here, or only one of them counts: a layer takes the *longer* of "
                "2·macs/peak and bytes/bandwidth",
            ),
            (max(arithmetic, traffic), "no-overhead", "the overhead per operation is missing"),
            (
                max(arithmetic, traffic, overhead),
                "overhead-inside",
                "the overhead hides behind the work here: it comes before it, so add it to the maximum",
            ),
            (right * 1e3, "milliseconds", "these are milliseconds: return seconds"),
        ]


# ------------------------------------------------------------------------------------------------- reward


class MnasnetReward(Exercise):
    """`mnasnet_reward(...)`: numbers and arrays, hard and soft."""

    name, lesson = "mnasnet_reward", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """Below, at and above the target; the defaults; the hard form; arrays; bad numbers."""
        rng = default_rng(seed)

        def case(latency: Any, **given: Any) -> Instance:
            size = len(latency) if isinstance(latency, list) else 1
            accuracy = _floats(rng, size, 60, 95)
            return {
                "accuracy": accuracy if isinstance(latency, list) else accuracy[0],
                "latency": latency,
                "target": 10.0,
                "options": {"alpha": -0.05, "beta": -0.4},
                **given,
            }

        fast, slow = _floats(rng, 1, 2, 8)[0], _floats(rng, 1, 12, 30)[0]
        return [
            case([fast, slow, 10.0, fast / 3, 2 * slow], about="arrays"),
            case(slow, about="a network slower than the target"),
            case(fast, about="a network faster than the target"),
            case(fast, options={}, target=_floats(rng, 1, 9, 30)[0], about="the default exponents"),
            case(slow, options={}, about="the default exponents, above the target"),
            case(0.4, target=0.5, about="less than one unit of time"),
            case(slow, options={"alpha": 0.0, "beta": -1.0}, about="the hard form"),
            case(fast, options={"alpha": 0.0, "beta": -1.0}, about="the hard form, within the target"),
            case(10.0, about="a network exactly at the target"),
            case(0.0, bad="a latency of 0"),
            case(-2.0, bad="a latency of -2"),
            case(fast, target=0.0, bad="a target of 0"),
            case(fast, target=-10.0, bad="a target of -10"),
            case(fast, target=float("inf"), bad="an infinite target"),
            case(float("nan"), bad="a latency of NaN"),
            case(fast, accuracy=float("nan"), bad="an accuracy of NaN"),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The reward of numbers, or of arrays."""
        given = [instance["accuracy"], instance["latency"]]
        if isinstance(instance["latency"], list):
            given = [np.array(one) for one in given]

        def call() -> Any:
            return fn(*given, instance["target"], **instance["options"])

        return raised(call) if "bad" in instance else call()

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Exact; the usual mistakes by what they give."""
        many = isinstance(instance["latency"], list)
        read: Callable[[Any], Any] = (
            (lambda value: column(value, len(instance["latency"]), self.name))
            if many
            else (lambda value: number(value, self.name))
        )
        found, right = read(answer.value), read(expected.value)
        if _close(found, right):
            return RIGHT
        a = np.asarray(instance["accuracy"], dtype=float)
        ratio = np.asarray(instance["latency"], dtype=float) / instance["target"]
        options = {"alpha": -0.07, "beta": -0.07, **instance["options"]}
        alpha, beta = options["alpha"], options["beta"]
        default = np.where(ratio <= 1, -0.07, -0.07)
        mistakes: list[Mistake] = [
            (
                a * ratio ** np.where(ratio <= 1, beta, alpha),
                "swapped",
                "alpha and beta are swapped: alpha is for networks within the target, beta for slower ones",
            ),
            (
                a * ratio**alpha,
                "alpha-only",
                "alpha is used on both sides: a network slower than the target gets beta",
            ),
            (
                a * ratio**beta,
                "beta-only",
                "beta is used on both sides: a network within the target gets alpha",
            ),
            (
                a * ratio**default,
                "ignores-the-exponents",
                "alpha and beta are not used: −0.07 is only the default",
            ),
            (
                a * (1 / ratio) ** np.where(ratio <= 1, alpha, beta),
                "inverted-ratio",
                "a slower network gets *more* reward: with negative exponents the ratio is latency/target",
            ),
            (
                a + ratio ** np.where(ratio <= 1, alpha, beta),
                "added",
                "the penalty is added: MnasNet multiplies the accuracy by it",
            ),
            (
                a * ratio * np.where(ratio <= 1, alpha, beta),
                "factor-not-exponent",
                "the weight multiplies the ratio: it is its *exponent*",
            ),
            (
                np.where(ratio <= 1, a, a * ratio**beta),
                "nothing-below-the-target",
                "within the target the reward is the accuracy alone here: that is so only for alpha = 0",
            ),
            (
                np.where(ratio <= 1, a * ratio**alpha, 0.0),
                "cut-off",
                "networks above the target get nothing: they get (latency/target)^beta",
            ),
            (
                a / 100 * ratio ** np.where(ratio <= 1, alpha, beta),
                "fractions",
                "accuracies are percent here and stay percent: do not divide by 100",
            ),
        ]
        return _first_mistake(found, right, mistakes) or fail(
            "wrong-number",
            f"accuracy {show(instance['accuracy'])} at {show(instance['latency'])} with target "
            f"{show(instance['target'])}, alpha {alpha} and beta {beta} earns {show(right)}, not {show(found)}",
        )

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """An `if` on arrays costs a part."""
        if isinstance(instance["latency"], list) and answer.error_type in ("ValueError", "TypeError"):
            return fail(
                "numbers-only",
                f"arrays end in {answer.error}: `np.where` chooses an exponent for each entry",
                1 - BAD_INPUT,
            )
        return error_verdict(instance, answer)


# ------------------------------------------------------------------------------------------------- fronts


def _front(accuracy: Array, latency: Array) -> list[int]:
    """By definition, copies left out; in no special order."""
    points = list(zip(accuracy.tolist(), latency.tolist()))
    kept: list[int] = []
    for i, (a, t) in enumerate(points):
        dominated = any(b >= a and s <= t and (b > a or s < t) for b, s in points)
        if not dominated and all(points[j] != (a, t) for j in kept):
            kept.append(i)
    return kept


class Points(Exercise):
    """What the two exercises on accuracies and latencies share."""

    lesson = LESSON

    def problems(self, rng: np.random.Generator) -> list[Instance]:
        """Spread points, ties in either objective, copies, one point."""
        n = int(rng.integers(9, 14))
        few = {
            "accuracy": rng.integers(70, 75, 12).astype(float).tolist(),
            "latency": rng.integers(1, 6, 12).astype(float).tolist(),
        }
        rising = sorted(_floats(rng, 6, 60, 90))
        return [
            {"accuracy": _floats(rng, n, 60, 95), "latency": _floats(rng, n, 2, 30)},
            few | {"about": "many equal accuracies and latencies"},
            {
                "accuracy": [70.0, 80.0, 80.0, 90.0, 90.0, 60.0],
                "latency": [5.0, 5.0, 5.0, 9.0, 12.0, 1.0],
                "about": "copies, and equal accuracies or latencies",
            },
            {
                "accuracy": rising,
                "latency": sorted(_floats(rng, 6, 2, 20)),
                "about": "points that are all on the front",
            },
            {
                "accuracy": rising[::-1],
                "latency": sorted(_floats(rng, 6, 2, 20)),
                "about": "one point that beats all others",
            },
            {"accuracy": [81.5], "latency": [4.0], "about": "a single point"},
            {"accuracy": [0.0], "latency": [4.0], "about": "a network that is never right"},
        ]

    def bad(self) -> list[Instance]:
        """Lengths that differ, and what is no number."""
        return [
            {"bad": "more accuracies than latencies", "accuracy": [80.0, 81.0], "latency": [3.0]},
            {"bad": "more latencies than accuracies", "accuracy": [80.0], "latency": [3.0, 4.0]},
            {"bad": "one number each", "accuracy": 80.0, "latency": 3.0},
            {
                "bad": "a pair of matrices",
                "accuracy": [[80.0, 82.0], [81.0, 83.0]],
                "latency": [[3.0, 5.0], [4.0, 6.0]],
            },
            {"bad": "an accuracy of NaN", "accuracy": [80.0, float("nan")], "latency": [3.0, 4.0]},
            {"bad": "an infinite latency", "accuracy": [80.0, 81.0], "latency": [3.0, float("inf")]},
        ]

    def points(self, instance: Instance) -> tuple[Array, Array]:
        """As arrays."""
        return np.array(instance["accuracy"], dtype=float), np.array(instance["latency"], dtype=float)


class ParetoFront(Points):
    """`pareto_front(accuracy, latency)`: judged by points, since either index of a copy is right."""

    name = "pareto_front"

    def instances(self, seed: int) -> list[Instance]:
        """The problems, and bad input."""
        empty: Instance = {"bad": "no points", "accuracy": [], "latency": []}
        return [*self.problems(default_rng(seed)), *self.bad(), empty]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The indices."""
        given = self.points(instance)
        return raised(lambda: fn(*given)) if "bad" in instance else fn(*given)

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Which points, then in which order."""
        accuracy, latency = self.points(instance)
        found = self._indices(answer.value, accuracy, latency)
        if isinstance(found, Verdict):
            return found
        points = [(accuracy[i], latency[i]) for i in found]
        right = [(accuracy[i], latency[i]) for i in _front(accuracy, latency)]
        if set(points) != set(right):
            return self._wrong_points(instance, set(points), set(right))
        if len(points) > len(right):
            return fail(
                "keeps-copies", "two points that are equal in both are both kept: one of them is enough"
            )
        if points != sorted(points, key=lambda point: point[1]):
            by_accuracy = points == sorted(points, key=lambda point: -point[0])
            return fail(
                "not-by-latency",
                f"the points are right, their order is {'by falling accuracy' if by_accuracy else 'another'}: "
                "sort them by rising latency",
            )
        return RIGHT

    def _indices(self, value: Any, accuracy: Array, latency: Array) -> list[int] | Verdict:
        n = len(accuracy)
        if isinstance(value, np.ndarray):
            if value.dtype.kind == "b":
                return fail(
                    "a-mask",
                    "this is a mask of True and False: return indices, `np.flatnonzero(mask)` has them",
                )
            value = value.tolist()
        if type(value) is not list:
            return fail(
                "wrong-type", f"pareto_front should return an array of indices, not {describe(value)}"
            )
        value = [scalar(one) for one in value]
        if len(value) == n and value and all(type(one) is bool for one in value):
            return fail(
                "a-mask", "this is a mask of True and False: return indices, `np.flatnonzero(mask)` has them"
            )
        if any(not is_number(one) or one != int(one) or not 0 <= one < n for one in value):
            return fail(
                "not-indices",
                f"indices of the {n} points are asked for, not {show(value)}: are these the points themselves?",
            )
        return [int(one) for one in value]

    def _wrong_points(self, instance: Instance, found: set[Any], right: set[Any]) -> Verdict:
        accuracy, latency = self.points(instance)
        for sign, flip, concept, message in (
            (-1, 1, "minimises-accuracy", "the *least* accurate points are kept: accuracy is to be high"),
            (1, -1, "maximises-latency", "the *slowest* points are kept: latency is to be low"),
        ):
            other = {(accuracy[i], latency[i]) for i in _front(sign * accuracy, flip * latency)}
            if found == other != right:
                return fail(concept, message)
        extra, missing = sorted(found - right), sorted(right - found)
        if extra:
            a, t = extra[0]
            b, s = next((b, s) for b, s in zip(accuracy, latency) if b >= a and s <= t and (b > a or s < t))
            weak = "weakly-dominated" if b == a or s == t else "dominated"
            what = "equal in one, better in the other" if weak == "weakly-dominated" else "better in both"
            return fail(
                weak,
                f"the point {show(a)} % at {show(t)} is kept, but {show(b)} % at {show(s)} is {what}",
            )
        a, t = missing[0]
        return fail(
            "front-too-small",
            f"the point {show(a)} % at {show(t)} is missing, and nothing beats it{_about(instance)}",
        )


class Hypervolume(Points):
    """`hypervolume_2d(accuracy, latency, reference)`: exact areas."""

    name = "hypervolume_2d"

    def instances(self, seed: int) -> list[Instance]:
        """The problems with a reference beyond all points, and one that cuts some off; bad input."""
        rng = default_rng(seed)
        problems = [one | {"reference": [50.0, 40.0]} for one in self.problems(rng)]
        n = int(rng.integers(10, 14))
        cut = {
            "accuracy": [*_floats(rng, n, 60, 95), 55.0, 96.0],
            "latency": [*_floats(rng, n, 2, 30), 1.0, 45.0],
            "reference": [70.0, 20.0],
            "about": "points beyond the reference",
        }
        low = {
            "accuracy": _floats(rng, 6, 60, 95),
            "latency": _floats(rng, 6, 2, 30),
            "reference": [12.5, 40.0],
            "about": "a reference of low accuracy",
        }
        nothing = {
            "accuracy": [60.0, 65.0],
            "latency": [3.0, 30.0],
            "reference": [70.0, 20.0],
            "about": "no point better than the reference",
        }
        bad = [one | {"reference": [50.0, 40.0]} for one in self.bad()]
        three: Instance = {
            "bad": "a reference of three numbers",
            "accuracy": [80.0],
            "latency": [3.0],
            "reference": [1.0, 2.0, 3.0],
        }
        one: Instance = {
            "bad": "a reference of one number",
            "accuracy": [80.0],
            "latency": [3.0],
            "reference": [70.0],
        }
        nan: Instance = {
            "bad": "a reference of NaN",
            "accuracy": [80.0],
            "latency": [3.0],
            "reference": [float("nan"), 9.0],
        }
        return [problems[5], *problems[:5], low, cut, nothing, *bad, one, three, nan]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The area."""
        given = (*self.points(instance), tuple(instance["reference"]))
        return raised(lambda: fn(*given)) if "bad" in instance else fn(*given)

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Exact up to rounding."""
        found, right = number(answer.value, self.name), number(expected.value, self.name)
        if abs(found - right) <= 1e-9 * max(1.0, abs(right)):
            return RIGHT
        return _first_mistake(found, right, self._mistakes(instance)) or fail(
            "wrong-area", f"the area is {show(right)}, not {show(found)}{_about(instance)}"
        )

    def _mistakes(self, instance: Instance) -> list[Mistake]:
        accuracy, latency = self.points(instance)
        worst, slowest = instance["reference"]
        wide, high = accuracy - worst, slowest - latency
        front = sorted(_front(accuracy, latency), key=lambda i: latency[i])
        inside = [i for i in front if wide[i] > 0 and high[i] > 0]
        a, t = accuracy[front], latency[front]
        steps = np.diff(np.append(t, slowest))
        lower = np.diff(np.append(worst, a))
        kept = accuracy[inside], latency[inside]
        return [
            (
                float(np.maximum(wide, 0) @ np.maximum(high, 0)),
                "counts-overlaps",
                "the rectangles of all points are added, though they overlap: count what they cover together once",
            ),
            (
                float(wide[inside] @ high[inside]),
                "counts-overlaps",
                "the rectangles of the front are added, though they overlap: each step adds only what is new",
            ),
            (
                float((a - worst) @ steps),
                "beyond-the-reference",
                "points beyond the reference take area away or add some: leave them out",
            ),
            (
                float(lower @ (slowest - t)),
                "beyond-the-reference",
                "points beyond the reference take area away or add some: leave them out",
            ),
            (
                float(max(wide.max(), 0) * max(high.max(), 0)),
                "bounding-box",
                "this is the box around all points: below the steps of the front nothing is dominated",
            ),
            (
                float(np.trapezoid(np.append(kept[0], kept[0][-1:]) - worst, np.append(kept[1], slowest)))
                if inside
                else None,
                "trapezoids",
                "points are joined by straight lines: between two points only the worse accuracy is reached, so "
                "the front is a staircase",
            ),
            (
                float((kept[0] - worst) @ np.diff(np.append(kept[1], kept[1][-1:]))) if inside else None,
                "stops-at-the-last-point",
                "the area ends at the slowest point of the front: it goes on to the reference",
            ),
        ]


# ------------------------------------------------------------------------------------------- quantisation


class FakeQuantize(Exercise):
    """`fake_quantize(x, bits, per_channel)`: values and the gradient that arrives at x."""

    name, lesson = "fake_quantize", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """Matrices and kernels, few and many bits, one scale and many, zeros; bad numbers."""
        rng = default_rng(seed)

        def case(shape: tuple[int, ...], bits: int, per_channel: bool = False, **given: Any) -> Instance:
            x = rng.normal(0, 1, shape) * rng.uniform(0.2, 3, (shape[0],) + (1,) * (len(shape) - 1))
            # No value half way between two levels: rounding there is a matter of taste.
            return {
                "x": np.round(x, 4).tolist(),
                "incoming": np.round(rng.normal(0, 1, shape), 3).tolist(),
                "bits": bits,
                "per_channel": per_channel,
                **given,
            }

        zeros = np.zeros((3, 4))
        dead = case((3, 4), 4, True, about="a channel of zeros")
        dead["x"][1] = [0.0] * 4
        nan = case((2, 3), 4)
        nan["x"][0][1] = float("nan")
        return [
            case((3, 5), 4),
            case((4, 3, 3, 3), 3, True, about="a scale for each channel"),
            case((4, 6), 8, about="eight bits"),
            case((2, 7), 2, about="two bits"),
            case((5, 5), 4, True, about="a square matrix with a scale for each row"),
            case((3, 4), 4) | {"x": zeros.tolist(), "about": "zeros"},
            dead,
            case((2, 3), 1, bad="one bit"),
            case((2, 3), 0, bad="no bits"),
            nan | {"bad": "an x with NaN"},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """What comes out, the gradient at x for a given one behind it, and x afterwards."""
        import torch

        x = torch.tensor(instance["x"], dtype=torch.float64, requires_grad=True)
        if "bad" in instance:
            return raised(lambda: fn(x, instance["bits"], instance["per_channel"]))
        before = x.detach().clone()
        options = {"per_channel": True} if instance["per_channel"] else {}
        out = fn(x, instance["bits"], **options)
        if isinstance(out, torch.Tensor) and out.requires_grad and out.shape == x.shape:
            (out * torch.tensor(instance["incoming"], dtype=torch.float64)).sum().backward()
        return {"out": out, "gradient": x.grad, "changed": not torch.equal(before, x.detach())}

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """The values, then the gradient, then the argument."""
        x = np.array(instance["x"], dtype=float)
        found, right = answer.value["out"], np.asarray(expected.value["out"], dtype=float)
        if found is None:
            return fail("returns-nothing", "fake_quantize returned None: is there a return statement?")
        if not isinstance(found, np.ndarray) or found.shape != x.shape:
            shape = found.shape if isinstance(found, np.ndarray) else describe(found)
            return fail("wrong-shape", f"the result should have the shape {x.shape}, not {shape}")
        found = found.astype(float)
        if not np.isfinite(found).all():
            return fail(
                "divides-by-zero",
                f"{instance.get('about', 'this input')} gives {show(float(found[~np.isfinite(found)][0]))}: "
                "where the largest size is 0 the scale must not be",
            )
        if not np.allclose(found, right, rtol=1e-6, atol=1e-9):
            return self._wrong_values(instance, found, right)
        if answer.value["changed"]:
            return fail("mutates-input", "x was changed: work on a new tensor")
        return self._wrong_gradient(instance, answer.value["gradient"]) or RIGHT

    @staticmethod
    def _wrong_values(instance: Instance, found: Array, right: Array) -> Verdict:
        x, bits = np.array(instance["x"], dtype=float), instance["bits"]
        top = 2 ** (bits - 1) - 1
        others = tuple(range(1, x.ndim))

        def quantized(
            largest: Any, levels: float = top, rounding: Callable[[Any], Any] = np.round, scaled: bool = True
        ) -> Array:
            scale = np.where(np.asarray(largest) > 0, np.asarray(largest), 1.0) / levels
            return np.asarray(rounding(x / scale) * (scale if scaled else 1.0))

        def span(per_channel: bool, axes: tuple[int, ...] = others) -> Any:
            return np.abs(x).max(axis=axes, keepdims=True) if per_channel else np.abs(x).max()

        largest = span(instance["per_channel"])
        second = tuple(i for i in range(x.ndim) if i != 1)
        low, width = x.min(), max(float(np.ptp(x)), 1e-12) / (2**bits - 1)
        mistakes: list[Mistake] = [
            (
                quantized(span(False)) if instance["per_channel"] else quantized(span(True)),
                "per-channel-ignored",
                "one scale for all, or one for each channel: `per_channel` says which, and here it is the other",
            ),
            (
                quantized(span(True, second)) if instance["per_channel"] else None,
                "input-channel-scales",
                "the scales belong to axis 1 here: a kernel's output channels are axis 0",
            ),
            (
                quantized(largest, scaled=False),
                "stays-integer",
                "these are the integers: multiply by the scale again, so that the weights keep their size",
            ),
            (
                quantized(largest, rounding=np.floor),
                "floors",
                "values are rounded down: take the *nearest* level",
            ),
            (
                quantized(largest, rounding=np.trunc),
                "floors",
                "values are rounded towards 0: take the *nearest* level",
            ),
            (
                quantized(largest, 2 ** (bits - 1)),
                "one-level-too-many",
                "the scale is max/2^(bits−1): a symmetric range ends at 2^(bits−1) − 1, or the largest weight needs "
                "a level that there is not",
            ),
            (
                np.clip(quantized(largest, 2 ** (bits - 1), scaled=False), -top - 1, top)
                * np.asarray(largest)
                / 2 ** (bits - 1),
                "one-level-too-many",
                "the scale is max/2^(bits−1): a symmetric range ends at 2^(bits−1) − 1, or the largest weight needs "
                "a level that there is not",
            ),
            (
                quantized(largest, 2**bits - 1),
                "forgets-the-sign",
                "there are 2^bits − 1 levels on each side here: one bit is the sign, 2^(bits−1) − 1 are left",
            ),
            (
                quantized(largest, 2 ** (bits - 1) - 1, lambda v: np.round(np.abs(v))),
                "loses-the-sign",
                "negative weights have become positive",
            ),
            (
                low + np.round((x - low) / width) * width,
                "not-symmetric",
                "the range runs from the smallest to the largest value: symmetric means from −max|x| to max|x|, "
                "with 0 as a level",
            ),
            (x, "not-quantized", "x comes back as it was"),
        ]
        for value, concept, message in mistakes:
            if (
                value is not None
                and np.allclose(found, value, rtol=1e-6)
                and not np.allclose(value, right, rtol=1e-6)
            ):
                return fail(concept, message)
        at = np.unravel_index(int(np.abs(found - right).argmax()), x.shape)
        return fail(
            "wrong-levels",
            f"with {bits} bits {show(float(x[at]))} becomes {show(float(right[at]))}, not {show(float(found[at]))}"
            f"{_about(instance)}",
        )

    @staticmethod
    def _wrong_gradient(instance: Instance, found: Any) -> Verdict | None:
        incoming = np.array(instance["incoming"], dtype=float)
        if found is None or not np.abs(np.asarray(found, dtype=float)).max() > 0:
            return fail(
                "no-gradient",
                "no gradient arrives at x, since rounding has none: straight-through lets it pass as if nothing "
                "had been rounded",
            )
        found = np.asarray(found, dtype=float)
        if found.shape == incoming.shape and np.allclose(found, incoming, rtol=1e-6, atol=1e-9):
            return None
        same = np.isclose(found, incoming, rtol=1e-6, atol=1e-9)
        if same.mean() > 0.5:
            return fail(
                "gradient-of-the-scale",
                "the largest value gets another gradient than the rest: part of it runs through the scale. "
                "Compute the scale from x.detach()",
            )
        return fail(
            "wrong-gradient",
            f"the gradient is {show(found.ravel()[:3])}, not {show(incoming.ravel()[:3])}: straight-through "
            "hands on what comes in",
        )


class SearchBits(Exercise):
    """`search_bits(...)`: judged by what was evaluated: each pair once, all within the limit."""

    name, lesson = "search_bits", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """Budgets for a part and for all of what fits, one pair that fits; nothing that does, no budget, NaN."""
        rng = default_rng(seed)

        def case(n: int, bits: list[int], fitting: int, budget: int, **given: Any) -> Instance:
            archs = [f"net{i}" for i in rng.permutation(n).tolist()]
            sizes = [
                [weight * width for width in bits] for weight in rng.permutation(range(10, 10 + n)).tolist()
            ]
            limit = sorted(itertools.chain(*sizes))[fitting - 1] if fitting else 1
            return {
                "archs": archs,
                "bits": bits,
                "sizes": sizes,
                "limit": limit,
                "budget": budget,
                "_values": [_floats(rng, len(bits), 60, 95) for _ in range(n)],
                "_nan": False,
                "rng": int(rng.integers(2**31)),
                **given,
            }

        return [
            case(6, [2, 4, 8], 11, 6),
            case(5, [3, 4, 6, 8], 13, 13, about="a budget for all that fits"),
            case(4, [2, 3, 4], 7, 40, about="a budget for more than what fits"),
            case(5, [2, 8], 1, 3, about="one pair that fits"),
            case(3, [2, 4], 5, 1, about="a budget of 1"),
            case(4, [2, 4], 0, 5, bad="a limit that nothing fits"),
            case(4, [2, 4], 5, 0, bad="a budget of 0"),
            case(0, [2, 4], 0, 4, bad="no architectures") | {"limit": 100},
            case(4, [2, 4], 5, 5, bad="an accuracy of NaN", _nan=True),
        ]

    def oracle(self, instance: Instance) -> Oracle:
        """Accuracies; the log says what was evaluated."""

        def evaluate(arch: Any, bits: Any) -> float:
            if arch not in instance["archs"] or bits not in instance["bits"]:
                raise Refused(f"evaluate was called with {show(arch)} and {show(bits)}, which are no options")
            if instance["_nan"]:
                return float("nan")
            return float(instance["_values"][instance["archs"].index(arch)][instance["bits"].index(bits)])

        return Oracle({"evaluate": evaluate}, limit=200)

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The winner and the history."""

        def size(arch: Any, bits: Any) -> float:
            return float(instance["sizes"][instance["archs"].index(arch)][instance["bits"].index(bits)])

        def call() -> Any:
            return fn(
                lambda arch, bits: oracle.call("evaluate", arch, int(bits)),
                size,
                list(instance["archs"]),
                list(instance["bits"]),
                float(instance["limit"]),
                instance["budget"],
                default_rng(instance["rng"]),
            )

        if "bad" in instance:
            return raised(call)
        found = call()
        if not isinstance(found, tuple) or len(found) != 2:
            return {"winner": None, "kind": describe(found)}
        winner, history = found
        return {"winner": winner, **plain(history)}

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """What was called, what the history says of it, and who won."""
        calls = [(call.args[0], call.args[1], call.value) for call in answer.calls if call.refused is None]
        where = {pair: i for i, pair in enumerate(itertools.product(instance["archs"], instance["bits"]))}
        sizes = list(itertools.chain(*instance["sizes"]))
        fits = {pair for pair, i in where.items() if sizes[i] <= instance["limit"]}
        if answer.value.get("kind"):
            return fail(
                "wrong-type",
                f"search_bits should return a pair ((arch, bits), History), not {answer.value['kind']}",
            )
        for arch, bits, _ in calls:
            if (arch, bits) not in fits:
                return fail(
                    "evaluates-what-does-not-fit",
                    f"({show(arch)}, {bits}) was evaluated, and its size {show(sizes[where[arch, bits]])} "
                    f"exceeds the limit {show(instance['limit'])}: ask size() first, it costs nothing",
                )
        pairs = [(arch, bits) for arch, bits, _ in calls]
        if len(set(pairs)) < len(pairs):
            return fail(
                "pair-twice",
                "a pair was evaluated twice: an evaluation is a training, so remember what was seen",
            )
        due = min(instance["budget"], len(fits))
        if len(pairs) > instance["budget"]:
            return fail(
                "too-many-evaluations", f"{len(pairs)} evaluations, the budget was {instance['budget']}"
            )
        if len(pairs) < due:
            return self._too_few(pairs, fits, due, instance)
        return self._of_the_answer(answer.value, calls)

    @staticmethod
    def _too_few(pairs: list[Any], fits: set[Any], due: int, instance: Instance) -> Verdict:
        missing = fits - set(pairs)
        stuck = len({bits for _, bits in pairs}) == 1 or len({arch for arch, _ in pairs}) == 1
        if stuck and len({bits for _, bits in fits}) > 1 and len({arch for arch, _ in fits}) > 1:
            return fail(
                "one-after-the-other",
                f"{len(pairs)} evaluations instead of {due}: pairs such as {show(min(missing))} are never tried. "
                "Architecture and bits are chosen *together*",
            )
        return fail(
            "under-budget",
            f"{len(pairs)} evaluations where {due} were paid for{_about(instance)}: go on while pairs are left",
        )

    @staticmethod
    def _of_the_answer(value: dict[str, Any], calls: list[Any]) -> Verdict:
        archs = value.get("archs")
        if type(archs) is not list:
            return fail("wrong-type", f"the history's archs should be a list, not {describe(archs)}")
        seen = [tuple(one) if type(one) is list else one for one in archs]
        values = column(value["values"], len(calls), "the history's values")
        if seen != [(arch, bits) for arch, bits, _ in calls]:
            return fail(
                "wrong-history",
                "the history's archs should be the pairs (arch, bits) in the order of evaluation",
            )
        if not _close(values, [one[2] for one in calls]):
            return fail("wrong-history", "the history's values are not what evaluate gave, in order")
        winner = tuple(value["winner"]) if type(value["winner"]) is list else value["winner"]
        if winner not in seen:
            return fail(
                "not-the-best-pair",
                f"the winner should be one of the pairs (arch, bits) evaluated, not {show(winner)}",
            )
        if values[seen.index(winner)] < values.max():
            return fail(
                "not-the-best-pair",
                f"the winner has {show(float(values[seen.index(winner)]))} %, and {show(float(values.max()))} % "
                "was seen: return the *best* pair",
            )
        return RIGHT


register(
    BenchmarkLatency(),
    LatencyTableExercise(),
    PredictLatency(),
    RooflineLatency(),
    MnasnetReward(),
    ParetoFront(),
    Hypervolume(),
    FakeQuantize(),
    SearchBits(),
    *(ConceptQuestion(f"concept_06_{number}", LESSON) for number in (1, 2, 3, 4)),
)
