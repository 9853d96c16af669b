"""Wrong and right implementations of lesson 06's exercises."""

# Learners write no type hints, and some of these are wrong about types on purpose.
# mypy: ignore-errors

from __future__ import annotations

import itertools
import statistics
import time

import numpy as np
import torch

from autograder.gate.concepts import says
from autograder.gate.registry import alternative, mutant
from nas_lib.search import History

says(
    {
        "milliseconds": r"these are milliseconds",
        "times-the-warm-up": r"warm-up calls are in the statistics",
        "no-warm-up": r"the very first calls are timed",
        "range-not-quartiles": r"minimum and maximum are not quartiles",
        "mean-not-median": r"take the median",
        "block-timing": r"as one block",
        "starts-too-early": r"left in the queue",
        "not-synchronised": r"has been \*queued\*",
        "ignores-the-clock": r"no time passes",
        "wrong-number-of-calls": r"fn ran \d+ times",
        "wrong-quartiles": r"the quartiles of .* are",
        "forgets-the-shape": r"one shape overwrites the other",
        "string-keys": r"not the string",
        "misses-pairs": r"at \*every\* shape",
        "measures-again": r"once each is enough",
        "wrong-entry": r"measure gave",
        "counts-repeats-once": r"takes its time several times",
        "no-overhead": r"overhead (per operation )?is missing",
        "overhead-per-layer": r"the overhead is added for each layer",
        "overhead-multiplied": r"the overhead is multiplied",
        "slowest-only": r"only the slowest layer",
        "sums-the-table": r"the whole table is summed",
        "macs-not-flops": r"is two operations",
        "sum-not-maximum": r"not their sum",
        "overhead-inside": r"hides behind the work",
        "not-the-longer": r"the shorter of the two decides",
        "wrong-number": r"gives .* should be|earns .*, not",
        "wrong-keys": r"each should be a pair",
        "wrong-area": r"the area is",
        "not-quantized": r"comes back as it was",
        "mean-of-layers": r"mean of the layers",
        "nothing-below-the-target": r"that is so only for alpha = 0",
        "alpha-only": r"alpha is used on both sides",
        "beta-only": r"beta is used on both sides",
        "ignores-the-exponents": r"is only the default",
        "inverted-ratio": r"gets \*more\* reward",
        "added": r"the penalty is added",
        "factor-not-exponent": r"it is its \*exponent\*",
        "cut-off": r"get nothing",
        "fractions": r"do not divide by 100",
        "numbers-only": r"arrays end in",
        "minimises-accuracy": r"\*least\* accurate",
        "maximises-latency": r"\*slowest\* points are kept",
        "dominated": r"is better in both",
        "weakly-dominated": r"is equal in one, better in the other",
        "keeps-copies": r"are both kept",
        "not-by-latency": r"their order is",
        "a-mask": r"a mask of True and False",
        "not-indices": r"are these the points themselves",
        "front-too-small": r"is missing, and nothing beats it",
        "counts-overlaps": r"though they overlap",
        "beyond-the-reference": r"points beyond the reference",
        "bounding-box": r"the box around all points",
        "trapezoids": r"joined by straight lines",
        "stops-at-the-last-point": r"goes on to the reference",
        "per-channel-ignored": r"here it is the other",
        "input-channel-scales": r"belong to axis 1",
        "stays-integer": r"these are the integers",
        "floors": r"take the \*nearest\* level",
        "one-level-too-many": r"a level that there is not",
        "forgets-the-sign": r"one bit is the sign",
        "loses-the-sign": r"have become positive",
        "not-symmetric": r"symmetric means",
        "divides-by-zero": r"the scale must not be",
        "gradient-of-the-scale": r"runs through the scale",
        "evaluates-what-does-not-fit": r"exceeds the limit",
        "pair-twice": r"was evaluated twice",
        "too-many-evaluations": r"the budget was",
        "under-budget": r"go on while pairs are left",
        "one-after-the-other": r"chosen \*together\*",
        "wrong-history": r"the history's (archs|values)",
        "not-the-best-pair": r"the winner (should|has)",
    }
)

# --------------------------------------------------------------------------------------- benchmark_latency


def _counted(warmup, repeats):
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup and repeats must be at least 0 and 1, got {warmup} and {repeats}")


def _wait(synchronize):
    return synchronize or (lambda: None)


def _timed(fn, warmup, repeats, synchronize, clock):
    _counted(warmup, repeats)
    wait = _wait(synchronize)
    for _ in range(warmup):
        fn()
    wait()
    seconds = []
    for _ in range(repeats):
        start = clock()
        fn()
        wait()
        seconds.append(clock() - start)
    return seconds


@alternative("benchmark_latency")
def by_statistics(fn, warmup, repeats, synchronize=None, clock=time.perf_counter):
    seconds = _timed(fn, warmup, repeats, synchronize, clock)
    if len(seconds) == 1:
        return seconds * 3
    return statistics.quantiles(seconds, n=4, method="inclusive")


@alternative("benchmark_latency")
def by_one_loop(fn, warmup, repeats, synchronize=None, clock=time.perf_counter):
    _counted(warmup, repeats)
    stamps = np.empty((warmup + repeats, 2))
    for row in stamps:
        _wait(synchronize)()
        row[0] = clock()
        fn()
        _wait(synchronize)()
        row[1] = clock()
    return np.quantile(np.diff(stamps[warmup:], axis=1), (0.25, 0.5, 0.75))


@alternative("benchmark_latency")
def by_sorting(fn, warmup, repeats, synchronize=None, clock=time.perf_counter):
    seconds = sorted(_timed(fn, warmup, repeats, synchronize, clock))

    def at(share):
        place = share * (len(seconds) - 1)
        low = int(place)
        high = min(low + 1, len(seconds) - 1)
        return seconds[low] + (place - low) * (seconds[high] - seconds[low])

    return at(0.25), at(0.5), at(0.75)


def _bench(name, concept, made):
    """A mutant of one line: `made(seconds)` of rightly timed calls."""

    def wrong(fn, warmup, repeats, synchronize=None, clock=time.perf_counter):
        return made(np.array(_timed(fn, warmup, repeats, synchronize, clock)))

    wrong.__name__ = name
    mutant("benchmark_latency", concept=concept)(wrong)


_bench("in_milliseconds", "milliseconds", lambda s: 1e3 * np.percentile(s, [25, 50, 75]))
_bench("high_to_low", "swapped", lambda s: np.percentile(s, [75, 50, 25]))
_bench("minimum_to_maximum", "range-not-quartiles", lambda s: (s.min(), np.median(s), s.max()))
_bench("mean_and_deviation", "mean-not-median", lambda s: (s.mean() - s.std(), s.mean(), s.mean() + s.std()))
_bench(
    "mean_in_the_middle",
    "mean-not-median",
    lambda s: (*np.percentile(s, [25]), s.mean(), np.percentile(s, 75)),
)
_bench("deciles", "wrong-quartiles", lambda s: np.percentile(s, [10, 50, 90]))
_bench("the_median", "one-number", lambda s: float(np.median(s)))


def _protocol(name, concept, before=True, after=True, warm=True, drop=True, extra=0, real=False):
    """A mutant that breaks one rule: what is waited for, what is run first, what is left out."""

    def wrong(fn, warmup, repeats, synchronize=None, clock=time.perf_counter):
        _counted(warmup, repeats)
        if real:
            clock = time.perf_counter
        wait, seconds = _wait(synchronize), []
        for _ in range(warmup + extra if warm and drop else 0):
            fn()
        if before:
            wait()
        for _ in range(repeats if drop else warmup + repeats):
            start = clock()
            fn()
            if after:
                wait()
            seconds.append(clock() - start if not real else 0.0)
        return np.percentile(seconds, [25, 50, 75])

    wrong.__name__ = name
    mutant("benchmark_latency", concept=concept)(wrong)


_protocol("never_waits", "not-synchronised", before=False, after=False)
_protocol("waits_before_only", "not-synchronised", after=False)
_protocol("starts_with_a_full_queue", "starts-too-early", before=False)
_protocol("no_warm_up_at_all", "no-warm-up", warm=False)
_protocol("keeps_the_warm_up", "times-the-warm-up", drop=False)
_protocol("another_clock", "ignores-the-clock", real=True)


@mutant("benchmark_latency", concept="block-timing")
def one_block(fn, warmup, repeats, synchronize=None, clock=time.perf_counter):
    return (sum(_timed(fn, warmup, repeats, synchronize, clock)) / repeats,) * 3


@mutant("benchmark_latency", concept="wrong-number-of-calls")
def one_call_for_luck(fn, warmup, repeats, synchronize=None, clock=time.perf_counter):
    seconds = _timed(fn, warmup, repeats, synchronize, clock)
    fn()
    return np.percentile(seconds, [25, 50, 75])


@mutant("benchmark_latency", concept="accepts-bad-input")
def no_questions(fn, warmup, repeats, synchronize=None, clock=time.perf_counter):
    return np.percentile(_timed(fn, max(0, warmup), max(1, repeats), synchronize, clock), [25, 50, 75])


# ------------------------------------------------------------------------------------------ latency_table


def _measured(ops, shapes, measure):
    if not len(ops) or not len(shapes):
        raise ValueError(f"ops and shapes must not be empty, got {ops} and {shapes}")

    def checked(op, shape):
        value = measure(op, shape)
        if not 0 <= value < float("inf"):
            raise ValueError(f"measure must give seconds, got {value}")
        return value

    return checked


@alternative("latency_table")
def by_comprehension(ops, shapes, measure):
    checked = _measured(ops, shapes, measure)
    return {(op, shape): checked(op, shape) for op in ops for shape in shapes}


@alternative("latency_table")
def shapes_first(ops, shapes, measure):
    checked, table = _measured(ops, shapes, measure), {}
    for shape in shapes:
        for op in ops:
            table[(op, shape)] = np.float64(checked(op, shape))
    return table


def _table(name, concept, made):
    def wrong(ops, shapes, measure):
        return made(ops, shapes, _measured(ops, shapes, measure))

    wrong.__name__ = name
    mutant("latency_table", concept=concept)(wrong)


_table("by_operation", "forgets-the-shape", lambda o, s, m: {op: m(op, shape) for op in o for shape in s})
_table(
    "shape_and_operation", "swapped", lambda o, s, m: {(shape, op): m(op, shape) for op in o for shape in s}
)
_table("strings", "string-keys", lambda o, s, m: {f"{op}-{shape}": m(op, shape) for op in o for shape in s})
_table("side_by_side", "misses-pairs", lambda o, s, m: {(op, shape): m(op, shape) for op, shape in zip(o, s)})
_table("the_first_shape", "misses-pairs", lambda o, s, m: {(op, s[0]): m(op, s[0]) for op in o})
_table("rows", "wrong-type", lambda o, s, m: [[m(op, shape) for shape in s] for op in o])
_table("flat_keys", "wrong-keys", lambda o, s, m: {(op, *shape): m(op, shape) for op in o for shape in s})
_table(
    "measured_twice",
    "measures-again",
    lambda o, s, m: {(op, sh): (m(op, sh) + m(op, sh)) / 2 for op in o for sh in s},
)
_table("in_ms", "wrong-entry", lambda o, s, m: {(op, shape): 1e3 * m(op, shape) for op in o for shape in s})


@mutant("latency_table", concept="accepts-bad-input")
def keeps_nan(ops, shapes, measure):
    if not len(ops) or not len(shapes):
        raise ValueError("ops and shapes must not be empty")
    return {(op, shape): measure(op, shape) for op in ops for shape in shapes}


# ---------------------------------------------------------------------------------------- predict_latency


def _entries(keys, table, overhead):
    if not 0 <= overhead < float("inf"):
        raise ValueError(f"overhead must be 0 or more, got {overhead}")
    return [table[key] for key in keys]


@alternative("predict_latency")
def by_sum(keys, table, overhead=0.0):
    return overhead + sum(_entries(keys, table, overhead))


@alternative("predict_latency")
def by_counting(keys, table, overhead=0.0):
    _entries(keys, table, overhead)
    return np.float64(sum(keys.count(key) * table[key] for key in dict.fromkeys(keys)) + overhead)


def _predict(name, concept, made):
    def wrong(keys, table, overhead=0.0):
        return made(_entries(keys, table, overhead), keys, table, overhead)

    wrong.__name__ = name
    mutant("predict_latency", concept=concept)(wrong)


_predict("each_layer_once", "counts-repeats-once", lambda e, k, t, o: o + sum(t[key] for key in set(k)))
_predict("without_overhead", "no-overhead", lambda e, k, t, o: sum(e))
_predict("overhead_each_time", "overhead-per-layer", lambda e, k, t, o: sum(one + o for one in e))
_predict("overhead_as_factor", "overhead-multiplied", lambda e, k, t, o: sum(e) * o if o else sum(e))
_predict("mean_of_layers", "mean-of-layers", lambda e, k, t, o: o + sum(e) / max(1, len(e)))
_predict("the_slowest", "slowest-only", lambda e, k, t, o: o + max(e, default=0.0))
_predict("everything_there_is", "sums-the-table", lambda e, k, t, o: o + sum(t.values()))
_predict("nothing_back", "returns-nothing", lambda e, k, t, o: None)


@mutant("predict_latency", concept="accepts-bad-input")
def unknown_layers_are_free(keys, table, overhead=0.0):
    _entries([], table, overhead)
    return overhead + sum(table.get(key, 0.0) for key in keys)


# --------------------------------------------------------------------------------------- roofline_latency


def _work(macs, bytes_moved, device):
    if not (macs >= 0 and bytes_moved >= 0):
        raise ValueError(f"macs and bytes_moved must be 0 or more, got {macs} and {bytes_moved}")
    return 2 * macs / device.peak, bytes_moved / device.bandwidth, device.overhead


@alternative("roofline_latency")
def by_cases(macs, bytes_moved, device):
    arithmetic, traffic, overhead = _work(macs, bytes_moved, device)
    return (arithmetic if arithmetic > traffic else traffic) + overhead


@alternative("roofline_latency")
def by_intensity(macs, bytes_moved, device):
    _, _, overhead = _work(macs, bytes_moved, device)
    if not bytes_moved:
        return 2 * macs / device.peak + overhead
    attainable = min(device.peak, device.bandwidth * 2 * macs / bytes_moved)
    return (2 * macs / attainable if macs else bytes_moved / device.bandwidth) + overhead


def _roofline(name, concept, made):
    def wrong(macs, bytes_moved, device):
        return made(*_work(macs, bytes_moved, device))

    wrong.__name__ = name
    mutant("roofline_latency", concept=concept)(wrong)


_roofline("counts_macs", "macs-not-flops", lambda a, t, o: max(a / 2, t) + o)
_roofline("adds_both", "sum-not-maximum", lambda a, t, o: a + t + o)
_roofline("the_shorter", "not-the-longer", lambda a, t, o: min(a, t) + o)
_roofline("forgets_overhead", "no-overhead", lambda a, t, o: max(a, t))
_roofline("overhead_overlaps", "overhead-inside", lambda a, t, o: max(a, t, o))
_roofline("arithmetic_alone", "not-the-longer", lambda a, t, o: a + o)
_roofline("traffic_alone", "not-the-longer", lambda a, t, o: t + o)
_roofline("in_thousandths", "milliseconds", lambda a, t, o: 1e3 * (max(a, t) + o))
_roofline("twice_the_traffic", "wrong-number", lambda a, t, o: max(a, 2 * t) + o)


@mutant("roofline_latency", concept="accepts-bad-input")
def negative_work(macs, bytes_moved, device):
    return max(2 * macs / device.peak, bytes_moved / device.bandwidth) + device.overhead


# ----------------------------------------------------------------------------------------- mnasnet_reward


def _ratio(accuracy, latency, target):
    accuracy, latency = np.asarray(accuracy, dtype=float), np.asarray(latency, dtype=float)
    if not (np.isfinite(accuracy).all() and (latency > 0).all() and 0 < target < float("inf")):
        raise ValueError(
            f"accuracy, latency and target must be finite and positive, got {accuracy}, {latency}, {target}"
        )
    return accuracy, latency / target


@alternative("mnasnet_reward")
def by_logarithms(accuracy, latency, target, alpha=-0.07, beta=-0.07):
    accuracy, ratio = _ratio(accuracy, latency, target)
    excess = np.log(ratio)
    return accuracy * np.exp(np.where(excess > 0, beta, alpha) * excess)


@alternative("mnasnet_reward")
def by_a_loop(accuracy, latency, target, alpha=-0.07, beta=-0.07):
    accuracy, ratio = _ratio(accuracy, latency, target)
    rewards = [a * r ** (alpha if r <= 1 else beta) for a, r in zip(accuracy.ravel(), ratio.ravel())]
    return rewards if accuracy.ndim else float(rewards[0])


def _reward(name, concept, made):
    def wrong(accuracy, latency, target, alpha=-0.07, beta=-0.07):
        return made(*_ratio(accuracy, latency, target), alpha, beta)

    wrong.__name__ = name
    mutant("mnasnet_reward", concept=concept)(wrong)


_reward("exponents_swapped", "swapped", lambda a, r, x, y: a * r ** np.where(r <= 1, y, x))
_reward("soft_by_alpha", "alpha-only", lambda a, r, x, y: a * r**x)
_reward("soft_by_beta", "beta-only", lambda a, r, x, y: a * r**y)
_reward("always_the_paper", "ignores-the-exponents", lambda a, r, x, y: a * r**-0.07)
_reward("target_over_latency", "inverted-ratio", lambda a, r, x, y: a * (1 / r) ** np.where(r <= 1, x, y))
_reward("a_sum", "added", lambda a, r, x, y: a + r ** np.where(r <= 1, x, y))
_reward("a_product", "factor-not-exponent", lambda a, r, x, y: a * r * np.where(r <= 1, x, y))
_reward("flat_below", "nothing-below-the-target", lambda a, r, x, y: np.where(r <= 1, a, a * r**y))
_reward("all_or_nothing", "cut-off", lambda a, r, x, y: np.where(r <= 1, a * r**x, 0.0))
_reward("of_fractions", "fractions", lambda a, r, x, y: a / 100 * r ** np.where(r <= 1, x, y))


@mutant("mnasnet_reward", concept="numbers-only")
def asks_once(accuracy, latency, target, alpha=-0.07, beta=-0.07):
    accuracy, ratio = _ratio(accuracy, latency, target)
    return accuracy * ratio ** (alpha if ratio <= 1 else beta)


@mutant("mnasnet_reward", concept="accepts-bad-input")
def whatever_comes(accuracy, latency, target, alpha=-0.07, beta=-0.07):
    ratio = np.asarray(latency, dtype=float) / np.float64(target)
    return accuracy * ratio ** np.where(ratio <= 1, alpha, beta)


# ------------------------------------------------------------------------------------------- pareto_front


def _points(accuracy, latency):
    accuracy, latency = np.asarray(accuracy, dtype=float), np.asarray(latency, dtype=float)
    if accuracy.shape != latency.shape or accuracy.ndim != 1:
        raise ValueError(f"accuracy and latency must be equally long, got {accuracy} and {latency}")
    if not (np.isfinite(accuracy).all() and np.isfinite(latency).all()):
        raise ValueError(f"accuracy and latency must be finite, got {accuracy} and {latency}")
    return accuracy, latency


def _nonempty(accuracy, latency):
    if np.size(accuracy) == 0:
        raise ValueError("accuracy must hold one point or more")
    return _points(accuracy, latency)


@alternative("pareto_front")
def by_definition(accuracy, latency):
    a, t = _nonempty(accuracy, latency)
    kept = {}
    for i in range(len(a)):
        if not any(a[j] >= a[i] and t[j] <= t[i] and (a[j], t[j]) != (a[i], t[i]) for j in range(len(a))):
            kept[a[i], t[i]] = i  # the last of the copies
    return sorted(kept.values(), key=lambda i: t[i])


@alternative("pareto_front")
def by_accumulation(accuracy, latency):
    a, t = _nonempty(accuracy, latency)
    order = np.lexsort((-a, t))
    before = np.concatenate([[-np.inf], np.maximum.accumulate(a[order])[:-1]])
    return order[a[order] > before]


@alternative("pareto_front")
def from_the_accurate_end(accuracy, latency):
    a, t = _nonempty(accuracy, latency)
    front, fastest = [], np.inf
    for i in sorted(range(len(a)), key=lambda i: (-a[i], t[i])):
        if t[i] < fastest:
            front.insert(0, i)
            fastest = t[i]
    return np.array(front)


def _front(name, concept, made):
    def wrong(accuracy, latency):
        return made(*_nonempty(accuracy, latency))

    wrong.__name__ = name
    mutant("pareto_front", concept=concept)(wrong)


def _kept(a, t, beats):
    order = np.argsort(t, kind="stable")
    return [i for i in order if not any(beats(a[j], t[j], a[i], t[i]) for j in range(len(a)))]


_front("least_accurate", "minimises-accuracy", lambda a, t: by_definition(-a, t))
_front("the_slow_ones", "maximises-latency", lambda a, t: by_definition(a, -t)[::-1])
_front(
    "better_in_both_only", "weakly-dominated", lambda a, t: _kept(a, t, lambda b, s, x, y: b > x and s < y)
)
_front(
    "copies_and_all",
    "keeps-copies",
    lambda a, t: _kept(a, t, lambda b, s, x, y: b >= x and s <= y and (b > x or s < y)),
)
_front("most_accurate_first", "not-by-latency", lambda a, t: by_definition(a, t)[::-1])
_front("as_they_came", "not-by-latency", lambda a, t: sorted(by_definition(a, t)))
_front("true_and_false", "a-mask", lambda a, t: np.isin(np.arange(len(a)), by_definition(a, t)))
_front("the_points", "not-indices", lambda a, t: [(a[i], t[i]) for i in by_definition(a, t)])
_front("all_of_them", "dominated", lambda a, t: np.argsort(t, kind="stable"))
_front("without_the_fastest", "front-too-small", lambda a, t: by_definition(a, t)[1:] or by_definition(a, t))
_front("the_best_alone", "front-too-small", lambda a, t: [by_definition(a, t)[-1]])


@mutant("pareto_front", concept="accepts-bad-input")
def nothing_is_checked(accuracy, latency):
    a, t = np.asarray(accuracy, dtype=float), np.asarray(latency, dtype=float)
    best, front = -np.inf, []
    for i in sorted(range(min(len(a), len(t))), key=lambda i: (t[i], -a[i])):
        if a[i] > best:
            front.append(i)
            best = a[i]
    return front


# ----------------------------------------------------------------------------------------- hypervolume_2d


def _corner(reference):
    worst, slowest = reference
    if not (np.isfinite(worst) and np.isfinite(slowest)):
        raise ValueError(f"reference must be two finite numbers, got {reference}")
    return worst, slowest


def _staircase(accuracy, latency, reference):
    """Accuracies and latencies of the front's points that are better than the reference, by rising latency."""
    a, t = _points(accuracy, latency)
    worst, slowest = _corner(reference)
    inside = (a > worst) & (t < slowest)
    a, t = a[inside], t[inside]
    front = by_definition(a, t) if len(a) else []
    return a[front], t[front], worst, slowest


@alternative("hypervolume_2d")
def by_columns(accuracy, latency, reference):
    a, t, worst, slowest = _staircase(accuracy, latency, reference)
    return float((a - worst) @ np.diff(np.append(t, slowest))) if len(a) else 0.0


@alternative("hypervolume_2d")
def by_a_grid(accuracy, latency, reference):
    a, t = _points(accuracy, latency)
    worst, slowest = _corner(reference)
    xs, ys = np.unique([*np.minimum(t, slowest), slowest]), np.unique([worst, *np.maximum(a, worst)])
    area = 0.0
    for low, high in zip(xs, xs[1:]):
        for bottom, top in zip(ys, ys[1:]):
            if ((t <= low) & (a >= top)).any():
                area += (high - low) * (top - bottom)
    return area


def _volume(name, concept, made):
    def wrong(accuracy, latency, reference):
        a, t = _points(accuracy, latency)
        return float(made(a, t, *_corner(reference)))

    wrong.__name__ = name
    mutant("hypervolume_2d", concept=concept)(wrong)


def _unclipped(a, t, worst, slowest):
    front = by_definition(a, t)
    return (a[front] - worst) @ np.diff(np.append(t[front], slowest))


def _joined(a, t, worst, slowest):
    a, t, *_ = _staircase(a, t, (worst, slowest))
    return np.trapezoid(np.append(a, a[-1]) - worst, np.append(t, slowest)) if len(a) else 0.0


def _ends_early(a, t, worst, slowest):
    a, t, *_ = _staircase(a, t, (worst, slowest))
    return (a - worst) @ np.diff(np.append(t, t[-1])) if len(a) else 0.0


def _of_the_front(a, t, worst, slowest):
    a, t, *_ = _staircase(a, t, (worst, slowest))
    return (a - worst) @ (slowest - t)


_volume("all_rectangles", "counts-overlaps", lambda a, t, w, s: np.maximum(a - w, 0) @ np.maximum(s - t, 0))
_volume("rectangles_of_the_front", "counts-overlaps", _of_the_front)
_volume("reference_forgotten", "beyond-the-reference", _unclipped)
_volume("one_big_box", "bounding-box", lambda a, t, w, s: max((a - w).max(), 0) * max((s - t).max(), 0))
_volume("straight_lines", "trapezoids", _joined)
_volume("to_the_last_point", "stops-at-the-last-point", _ends_early)
_volume(
    "one_point_only", "wrong-area", lambda a, t, w, s: (np.maximum(a - w, 0) * np.maximum(s - t, 0)).max()
)


@mutant("hypervolume_2d", concept="accepts-bad-input")
def takes_nan(accuracy, latency, reference):
    a, t = (np.asarray(one, dtype=float) for one in (accuracy, latency))
    n, (worst, slowest) = min(len(a), len(t)), reference[:2]
    area, best = 0.0, worst
    for i in np.lexsort((-a[:n], t[:n])):
        if t[i] < slowest and a[i] > best:
            area, best = area + (a[i] - best) * (slowest - t[i]), a[i]
    return area


# ------------------------------------------------------------------------------------------ fake_quantize


def _top(x, bits):
    if bits < 2 or not torch.isfinite(x).all():
        raise ValueError(f"bits must be 2 or more and x finite, got {bits} and {x}")
    return 2 ** (bits - 1) - 1


def _largest(x, per_channel, axis=0):
    if not per_channel:
        return x.abs().max()
    return x.abs().amax([dim for dim in range(x.ndim) if dim != axis], keepdim=True)


def _scale(x, top, per_channel, axis=0):
    largest = _largest(x.detach(), per_channel, axis)
    return torch.where(largest > 0, largest, 1.0) / top


class _Through(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale):
        return torch.round(x / scale) * scale

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


@alternative("fake_quantize")
def by_an_autograd_function(x, bits, per_channel=False):
    return _Through.apply(x, _scale(x, _top(x, bits), per_channel))


@alternative("fake_quantize")
def by_a_loop_over_channels(x, bits, per_channel=False):
    if per_channel:
        return torch.stack([by_a_loop_over_channels(channel, bits) for channel in x])
    top, size = _top(x, bits), float(x.detach().abs().max())
    if size == 0:
        return x * 1.0
    levels = torch.clamp(torch.round(x.detach() * top / size), -top, top)
    return x - x.detach() + levels * size / top


def _quantizer(name, concept, levels):
    """A mutant whose values are `levels(x, scale, top, bits)`, with the right gradient."""

    def wrong(x, bits, per_channel=False):
        top = _top(x, bits)
        values = x.detach()
        return x + (levels(values, _scale(values, top, per_channel), top, bits) - values).detach()

    wrong.__name__ = name
    mutant("fake_quantize", concept=concept)(wrong)


def _asymmetric(x, scale, top, bits):
    low, width = x.min(), torch.clamp(x.max() - x.min(), min=1e-12) / (2**bits - 1)
    return low + torch.round((x - low) / width) * width


def _other_scale(levels):
    return lambda x, s, top, bits: torch.round(x / (s * top / levels(bits))) * (s * top / levels(bits))


_quantizer("only_integers", "stays-integer", lambda x, s, top, bits: torch.round(x / s))
_quantizer("rounds_down", "floors", lambda x, s, top, bits: torch.floor(x / s) * s)
_quantizer("cuts_off", "floors", lambda x, s, top, bits: torch.trunc(x / s) * s)
_quantizer("a_power_of_two", "one-level-too-many", _other_scale(lambda bits: 2 ** (bits - 1)))
_quantizer("all_bits_for_size", "forgets-the-sign", _other_scale(lambda bits: 2**bits - 1))
_quantizer("positive_only", "loses-the-sign", lambda x, s, top, bits: torch.round(x.abs() / s) * s)
_quantizer("from_least_to_most", "not-symmetric", _asymmetric)
_quantizer("as_it_was", "not-quantized", lambda x, s, top, bits: x)


def _scaled(name, concept, scale):
    def wrong(x, bits, per_channel=False):
        s = scale(x.detach(), _top(x, bits), per_channel)
        return x + (torch.round(x.detach() / s) * s - x.detach())

    wrong.__name__ = name
    mutant("fake_quantize", concept=concept)(wrong)


_scaled("one_scale_always", "per-channel-ignored", lambda x, top, each: _scale(x, top, False))
_scaled("always_per_channel", "per-channel-ignored", lambda x, top, each: _scale(x, top, True))
_scaled("input_channels", "input-channel-scales", lambda x, top, each: _scale(x, top, each, axis=1))
_scaled("a_scale_of_zero", "divides-by-zero", lambda x, top, each: _largest(x, each) / top)


@mutant("fake_quantize", concept="no-gradient")
def plain_rounding(x, bits, per_channel=False):
    s = _scale(x, _top(x, bits), per_channel)
    return torch.round(x / s) * s


@mutant("fake_quantize", concept="no-gradient")
def without_grad(x, bits, per_channel=False):
    with torch.no_grad():
        return by_an_autograd_function(x, bits, per_channel)


@mutant("fake_quantize", concept="gradient-of-the-scale")
def scale_in_the_graph(x, bits, per_channel=False):
    largest = _largest(x, per_channel)
    s = torch.where(largest > 0, largest, 1.0) / _top(x, bits)
    levels = x / s
    return (levels + (torch.round(levels) - levels).detach()) * s


@mutant("fake_quantize", concept="wrong-gradient")
def gradient_over_the_scale(x, bits, per_channel=False):
    s = _scale(x, _top(x, bits), per_channel)
    levels = x / s
    return levels + (torch.round(levels) * s - levels).detach()


@mutant("fake_quantize", concept="accepts-bad-input")
def one_bit_will_do(x, bits, per_channel=False):
    return _Through.apply(x, _scale(x, max(1, 2 ** (max(bits, 1) - 1) - 1), per_channel))


# -------------------------------------------------------------------------------------------- search_bits


def _fitting(size, archs, bit_choices, size_limit, budget):
    fits = [(arch, bits) for arch in archs for bits in bit_choices if size(arch, bits) <= size_limit]
    if not fits or budget < 1:
        raise ValueError(
            f"size_limit must let a pair fit and budget be 1 or more, got {size_limit} and {budget}"
        )
    return fits


def _finite(evaluate):
    def checked(arch, bits):
        value = evaluate(arch, bits)
        if not np.isfinite(value):
            raise ValueError(f"evaluate must be finite, got {value}")
        return value

    return checked


def _told(evaluate, pairs):
    values = [_finite(evaluate)(*pair) for pair in pairs]
    return pairs[int(np.argmax(values))], History(pairs, np.array(values))


@alternative("search_bits")
def smallest_first(evaluate, size, archs, bit_choices, size_limit, budget, rng):
    fits = _fitting(size, archs, bit_choices, size_limit, budget)
    return _told(evaluate, sorted(fits, key=lambda pair: size(*pair))[:budget])


@alternative("search_bits")
def near_the_best(evaluate, size, archs, bit_choices, size_limit, budget, rng):
    left = _fitting(size, archs, bit_choices, size_limit, budget)
    pairs, values = [], []
    while left and len(pairs) < budget:
        best = pairs[int(np.argmax(values))] if pairs else left[0]
        near = [pair for pair in left if pair[0] == best[0] or pair[1] == best[1]] or left
        pair = near[int(rng.integers(len(near)))]
        left.remove(pair)
        pairs.append(pair)
        values.append(_finite(evaluate)(*pair))
    return list(pairs[int(np.argmax(values))]), History([list(pair) for pair in pairs], values)


def _searcher(name, concept, chosen, finish=lambda winner, history: (winner, history)):
    """A mutant that evaluates the pairs `chosen(fits, every, rng, budget)`, and returns `finish(winner, history)`."""

    def wrong(evaluate, size, archs, bit_choices, size_limit, budget, rng):
        fits = _fitting(size, archs, bit_choices, size_limit, budget)
        every = list(itertools.product(archs, bit_choices))
        return finish(*_told(evaluate, chosen(fits, every, rng, budget)))

    wrong.__name__ = name
    mutant("search_bits", concept=concept)(wrong)


def _drawn(fits, every, rng, budget):
    return [fits[i] for i in rng.permutation(len(fits))[:budget]]


_searcher("everything_at_all", "evaluates-what-does-not-fit", lambda f, e, rng, b: e[::-1][:b])
_searcher("with_repetition", "pair-twice", lambda f, e, rng, b: [f[i % max(1, len(f) - 1)] for i in range(b)])
_searcher("one_more", "too-many-evaluations", lambda f, e, rng, b: _drawn(f, e, rng, b + 1))
_searcher("one_less", "under-budget", lambda f, e, rng, b: _drawn(f, e, rng, max(1, b - 1)))
_searcher(
    "widest_bits_only",
    "one-after-the-other",
    lambda f, e, rng, b: [pair for pair in f if pair[1] == max(bits for _, bits in f)][:b],
)
_searcher(
    "one_network_only",
    "one-after-the-other",
    lambda f, e, rng, b: [pair for pair in f if pair[0] == f[0][0]][:b],
)
_searcher("the_last_wins", "not-the-best-pair", _drawn, lambda w, h: (h.archs[-1], h))
_searcher("the_worst_wins", "not-the-best-pair", _drawn, lambda w, h: (h.archs[int(np.argmin(h.values))], h))
_searcher(
    "archs_alone", "wrong-history", _drawn, lambda w, h: (w, History([arch for arch, _ in h.archs], h.values))
)
_searcher("sorted_values", "wrong-history", _drawn, lambda w, h: (w, History(h.archs, np.sort(h.values))))
_searcher("history_alone", "wrong-type", _drawn, lambda w, h: h)


@mutant("search_bits", concept="accepts-bad-input")
def a_budget_of_one_at_least(evaluate, size, archs, bit_choices, size_limit, budget, rng):
    fits = _fitting(size, archs, bit_choices, size_limit, max(1, budget))
    return _told(evaluate, _drawn(fits, [], rng, max(1, budget)))
