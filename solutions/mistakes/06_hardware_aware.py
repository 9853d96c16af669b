"""The usual mistakes of lesson 06, and right answers written another way."""

# ruff: noqa: F821  (`book` is given)
# mypy: ignore-errors

import itertools
import math
import statistics
import time

import numpy as np
import torch

from nas_lib.search import History

# --------------------------------------------------------------------------------- benchmark_latency

QUARTILES = "np.percentile(seconds, [25, 50, 75])"
LISTED = f"{QUARTILES}.tolist()"
WARM = "    for _ in range(warmup):\n        fn()\n"
EMPTIED = "    wait()\n    seconds = []"
TIMED = "        fn()\n        wait()\n        seconds"
QUEUED = (
    "the clock is stopped when the call has been *queued*: call synchronize() after fn(), before you "
    "read the clock"
)
LINEARLY = "between two times a percentile is interpolated linearly, as np.percentile does by default"
PULLED = "mean and standard deviation are pulled up by single slow calls: take the median and the quartiles"

book.edits(
    "benchmark_latency",
    ("milliseconds", "these are milliseconds: return seconds", {QUARTILES: f"(1e3 * {QUARTILES})"}),
    (
        "swapped",
        "the percentiles are swapped: the lowest comes first",
        {"[25, 50, 75]": "[75, 50, 25]"},
    ),
    (
        "times-the-warm-up",
        "the warm-up calls are in the statistics: run them before you time",
        {WARM: "", "range(repeats)": "range(warmup + repeats)"},
    ),
    (
        "no-warm-up",
        "the very first calls are timed: call fn `warmup` times before the clock starts",
        {WARM: ""},
    ),
    (
        "range-not-quartiles",
        "minimum and maximum are not quartiles: one disturbed call would decide them. Take the 25th and 75th "
        "percentile",
        {"[25, 50, 75]": "[0, 50, 100]"},
    ),
    (
        "mean-not-median",
        PULLED,
        {LISTED: "(np.mean(seconds) + np.std(seconds) * np.array([-1, 0, 1])).tolist()"},
    ),
    (
        "mean-not-median",
        "the middle number is the mean, which a single slow call pulls up: take the median",
        {LISTED: "[np.percentile(seconds, 25), np.mean(seconds), np.percentile(seconds, 75)]"},
    ),
    (
        "block-timing",
        "all calls are timed together, as one block: time each call by itself, or there is no spread to see",
        {LISTED: "[float(np.mean(seconds))] * 3"},
    ),
    (
        "other-percentiles",
        "the quartiles are the 25th and the 75th percentile; these lie further out",
        {"[25, 50, 75]": "[10, 50, 90]"},
    ),
    (
        "other-percentiles",
        LINEARLY,
        {LISTED: "np.percentile(seconds, [25, 50, 75], method='lower').tolist()"},
    ),
    *(
        ("other-percentiles", LINEARLY, {LISTED: f"np.percentile(seconds, [25, 50, 75], method={rule!r})"})
        for rule in ("nearest", "midpoint", "hazen", "weibull")  # the last is statistics.quantiles' default
    ),
    ("not-synchronised", QUEUED, {TIMED: "        fn()\n        seconds"}),
    (
        "not-synchronised",
        QUEUED,
        {TIMED: "        fn()\n        seconds", EMPTIED: "    seconds = []"},
    ),
    (
        "not-synchronised",
        QUEUED,
        {"start = clock()\n        fn()\n        wait()": "wait()\n        start = clock()\n        fn()"},
    ),
    (
        "starts-too-early",
        "the first timed call also pays for what the warm-up left in the queue: synchronize() before the "
        "clock starts",
        {EMPTIED: "    seconds = []"},
    ),
    (
        "ignores-the-clock",
        "no time passes here: read `clock`, before and after each call",
        {"start = clock()": "start = 0.0", "clock() - start": "0.0"},
    ),
    (
        "first-call-left-out",
        "the first timed call is left out: the warm-up has had its calls, all `repeats` count",
        {LISTED: "np.percentile(seconds[1:] or seconds, [25, 50, 75]).tolist()"},
    ),
    (
        "slowest-left-out",
        "the slowest call is left out: the median needs no help against it, so let all `repeats` count",
        {LISTED: "np.percentile(sorted(seconds)[:-1] or seconds, [25, 50, 75]).tolist()"},
    ),
    (
        "other-number-of-repeats",
        "one call more than `repeats` is timed",
        {"range(repeats)": "range(repeats + 1)"},
    ),
    (
        "other-number-of-repeats",
        "one call fewer than `repeats` is timed",
        {"range(repeats)": "range(max(1, repeats - 1))"},
    ),
    (
        "shares-not-percent",
        "np.percentile takes percent, from 0 to 100; np.quantile takes shares",
        {"[25, 50, 75]": "[0.25, 0.5, 0.75]"},
    ),
    (
        "not-sorted",
        "these are three of the times in the order of the calls: a percentile is one of the *sorted* times",
        {LISTED: "[seconds[len(seconds) * i // 4] for i in (1, 2, 3)]"},
    ),
    (
        "other-percentiles",
        LINEARLY,
        {LISTED: "[sorted(seconds)[len(seconds) * i // 4] for i in (1, 2, 3)]"},
    ),
    ("wrong-type", "", {f"tuple({LISTED})": LISTED}),
    ("wrong-number-of-calls", "", {"    return tuple(": "    fn()\n    return tuple("}),
    (
        "one-number",
        "three numbers are asked for: 25th percentile, median, 75th",
        {f"tuple({LISTED})": "float(np.median(seconds))"},
    ),
    ("accepts-bad-input", "", {"warmup < 0 or repeats < 1": "repeats < 1"}),
    ("accepts-bad-input", "", {"warmup < 0 or repeats < 1": "warmup < 0"}),
    ("zero-is-none", "", {"range(warmup)": "range(warmup or 1)"}),
    (
        "single-repeat",
        "",
        {
            "return tuple(np.percentile(seconds, [25, 50, 75]).tolist())": "import statistics\n\n    return tuple(statistics.quantiles(seconds, n=4, method='inclusive'))"
        },
    ),
    (
        "swapped",
        "the median comes second: after the 25th percentile, before the 75th",
        {"[25, 50, 75]": "[50, 25, 75]"},
    ),
    (
        "clock-started-once",
        "the clock is started once, so that every call has the time of all before it: read it before *each* call",
        {"    seconds = []\n": "    seconds = []\n    start = clock()\n", "        start = clock()\n": ""},
    ),
    (
        "one-warm-up-missing",
        "one warm-up call is missing, so that the last of them is timed: `warmup` calls come first",
        {"in range(warmup)": "in range(1, warmup)"},
    ),
    (
        "leaves-out-slow-calls",
        "",
        {
            QUARTILES: "np.percentile([one for one in seconds if one <= 10 * np.median(seconds)], [25, 50, 75])"
        },
    ),
    ("changes-settings", "", {EMPTIED: f"    __import__('gc').disable()\n{EMPTIED}"}),
)


@book.wrong("benchmark_latency", "ignores-the-clock")
def another_clock(fn, warmup, repeats, synchronize=None, clock=time.perf_counter):
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup and repeats are out of range: {warmup}, {repeats}")
    for _ in range(warmup):
        fn()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        fn()
        if synchronize:
            synchronize()
        seconds.append(time.perf_counter() - start)
    return tuple(np.percentile(seconds, [25, 50, 75]))


@book.right("benchmark_latency")
def by_statistics(fn, warmup, repeats, synchronize=None, clock=time.perf_counter):
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup and repeats are out of range: {warmup}, {repeats}")
    for _ in range(warmup):
        fn()
    if synchronize:
        synchronize()
    seconds = []
    while len(seconds) < repeats:
        start = clock()
        fn()
        if synchronize:
            synchronize()
        seconds.append(clock() - start)
    return tuple(seconds * 3 if repeats == 1 else statistics.quantiles(seconds, n=4, method="inclusive"))


@book.right("benchmark_latency")
def by_one_loop(fn, warmup, repeats, synchronize=None, clock=time.perf_counter):
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup and repeats are out of range: {warmup}, {repeats}")
    wait = synchronize or (lambda: None)
    stamps = np.empty((warmup + repeats, 2))
    for row in stamps:
        wait()
        row[0] = clock()
        fn()
        wait()
        row[1] = clock()
    return tuple(np.quantile(np.diff(stamps[warmup:], axis=1), (0.25, 0.5, 0.75)))


@book.right("benchmark_latency")
def by_sorting(fn, warmup, repeats, synchronize=None, clock=time.perf_counter):
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup and repeats are out of range: {warmup}, {repeats}")

    def timed():
        start = clock()
        fn()
        if synchronize is not None:
            synchronize()
        return clock() - start

    _ = [timed() for _ in range(warmup)]
    seconds = sorted(timed() for _ in range(repeats))

    def at(share):
        low = int(share * (repeats - 1))
        high = min(low + 1, repeats - 1)
        return seconds[low] + (share * (repeats - 1) - low) * (seconds[high] - seconds[low])

    return at(0.25), at(0.5), at(0.75)


# ------------------------------------------------------------------------------------- latency_table

ENTRY = "table[op, tuple(shape)] = seconds"
PAIRS = "itertools.product(ops, shapes)"
MISSES = "every operation has to be measured at *every* shape"

book.edits(
    "latency_table",
    (
        "forgets-the-shape",
        "the keys are operations alone, so that one shape overwrites the other: a key is a pair (op, shape)",
        {ENTRY: "table[op] = seconds"},
    ),
    (
        "forgets-the-operation",
        "the keys are shapes alone, so that one operation overwrites the other: a key is a pair (op, shape)",
        {ENTRY: "table[tuple(shape)] = seconds"},
    ),
    (
        "swapped",
        "operation and shape are swapped: the key is (op, shape)",
        {ENTRY: "table[tuple(shape), op] = seconds"},
    ),
    (
        "string-keys",
        "the key is the pair (op, shape), not a string",
        {ENTRY: 'table[f"{op}-{shape}"] = seconds'},
    ),
    ("misses-pairs", MISSES, {PAIRS: "zip(ops, shapes)"}),
    ("misses-pairs", MISSES, {PAIRS: "itertools.product(ops[:5], shapes)"}),
    ("misses-pairs", MISSES, {PAIRS: "((op, shapes[0]) for op in ops)"}),
    (
        "wrong-type",
        "a dict from (op, shape) to seconds is asked for, not a list",
        {"return table": "return [[table[op, tuple(shape)] for shape in shapes] for op in ops]"},
    ),
    (
        "flat-keys",
        "the key is a pair (op, shape), with the shape as one thing: not a longer tuple",
        {ENTRY: "table[(op, *shape)] = seconds"},
    ),
    (
        "measures-again",
        "",
        {"float(measure(op, shape))": "float(measure(op, shape) + measure(op, shape)) / 2"},
    ),
    (
        "milliseconds",
        "the entries are milliseconds: keep what `measure` gives",
        {ENTRY: f"{ENTRY} * 1e3"},
    ),
    (
        "rounded",
        "the entries are rounded: keep what `measure` gives",
        {ENTRY: "table[op, tuple(shape)] = round(seconds, 6)"},
    ),
    ("rounded", "", {ENTRY: "table[op, tuple(shape)] = round(seconds, 9)"}),
    ("accepts-bad-input", "", {"np.isfinite(seconds) and ": ""}),
    ("accepts-bad-input", "", {" and seconds >= 0": ""}),
    ("accepts-bad-input", "", {"min(len(ops), len(shapes)) < 1": "len(ops) < 1"}),
    ("accepts-bad-input", "", {"min(len(ops), len(shapes)) < 1": "len(shapes) < 1"}),
    (
        "mutates-input",
        "",
        {"    table = {}\n": "    ops.sort()\n    shapes.reverse()\n    table = {}\n"},
    ),
    ("refuses-what-takes-no-time", "", {"seconds >= 0": "seconds > 0"}),
    (
        "refuses-good-input",
        "",
        {ENTRY: f"if seconds > 60:\n            raise ValueError(seconds)\n        {ENTRY}"},
    ),
    ("misses-pairs", "", {PAIRS: 'itertools.product([op for op in ops if op != "none"], shapes)'}),
)


def _once_for_alike(alike):
    def table_of_the_alike(ops, shapes, measure):
        if not ops or not shapes:
            raise ValueError("ops and shapes must not be empty")
        table, seen = {}, {}
        for op, shape in itertools.product(ops, shapes):
            key = (op, *alike(shape))
            seconds = seen[key] = seen[key] if key in seen else measure(op, shape)
            if not 0 <= seconds < math.inf:
                raise ValueError(f"measure gave {seconds}")
            table[op, shape] = seconds
        return table

    return table_of_the_alike


# What two shapes have in common is no reason to measure one of them only.
for _places in ((0, 1), (0, 2), (1, 2)):
    book.wrong("latency_table", "takes-shapes-for-alike")(
        _once_for_alike(lambda shape, places=_places: [shape[place] for place in places])
    )


@book.wrong("latency_table", "remembers-another-device")
def kept_between_calls(ops, shapes, measure, kept={}):  # noqa: B006 — the mistake
    for pair in itertools.product(ops, shapes):
        if pair not in kept:
            kept[pair] = measure(*pair)
    table = {pair: kept[pair] for pair in itertools.product(ops, shapes)}
    if not table or not all(0 <= one < math.inf for one in table.values()):
        raise ValueError(f"nothing to measure, or odd measurements: {table}")
    return table


@book.right("latency_table")
def shapes_first(ops, shapes, measure):
    table = {}
    for shape in shapes:
        for op in ops:
            table[(op, shape)] = np.float64(measure(op, shape))
    if not table or not all(0 <= one < math.inf for one in table.values()):
        raise ValueError(f"nothing to measure, or odd measurements: {table}")
    return table


@book.right("latency_table")
def by_a_closure(ops, shapes, measure):
    if not ops or not shapes:
        raise ValueError("ops and shapes must not be empty")

    def checked(op, shape):
        value = measure(op, shape)
        if value < 0 or value != value or value == math.inf:
            raise ValueError(f"{op} at {shape} took {value}")
        return value

    return dict(((op, shape), checked(op, shape)) for op in ops for shape in shapes)


@book.right("latency_table")
def by_comprehension(ops, shapes, measure):
    if len(ops) * len(shapes) == 0:
        raise ValueError("ops and shapes must not be empty")
    table = {pair: measure(*pair) for pair in itertools.product(ops, shapes)}
    if not np.isfinite(list(table.values())).all() or min(table.values()) < 0:
        raise ValueError(f"measure must give seconds, got {table}")
    return table


# ----------------------------------------------------------------------------------- predict_latency

ADD = "total += table[key]"
TOTAL = "return float(total)"

book.edits(
    "predict_latency",
    (
        "counts-repeats-once",
        "a layer that occurs several times takes its time several times: add it up for each occurrence",
        {"for key in keys:": "for key in dict.fromkeys(keys):"},
    ),
    (
        "no-overhead",
        "the overhead is missing: it is added once per network",
        {"total = overhead": "total = 0.0"},
    ),
    (
        "overhead-per-layer",
        "the overhead is added for each layer: it belongs to the network, once",
        {"total = overhead": "total = 0.0", ADD: f"{ADD} + overhead"},
    ),
    (
        "overhead-multiplied",
        "the overhead is multiplied: it is added",
        {TOTAL: "return float((total - overhead) * overhead)"},
    ),
    (
        "overhead-subtracted",
        "the overhead is subtracted: it is added",
        {TOTAL: "return float(total - 2 * overhead)"},
    ),
    (
        "mean-of-layers",
        "this is the mean of the layers: they run one after the other, so their times add up",
        {TOTAL: "return float(overhead + (total - overhead) / max(1, len(keys)))"},
    ),
    (
        "slowest-only",
        "only the slowest layer counts: they run one after the other, so their times add up",
        {ADD: "total = max(total, overhead + table[key])"},
    ),
    (
        "overhead-needs-layers",
        "a network without layers takes the overhead, too",
        {TOTAL: "return float(total) if keys else 0.0"},
    ),
    ("a-few-layers", "", {"for key in keys:": "for key in keys[:20]:"}),
    (
        "sums-the-table",
        "the whole table is summed: only the layers of this network count",
        {TOTAL: "return float(overhead + sum(table.values()))"},
    ),
    ("rounded", "the sum is rounded: return it as it is", {TOTAL: "return round(float(total), 6)"}),
    ("rounded", "", {TOTAL: "return round(float(total), 9)"}),
    (
        "forgets-the-shape",
        "an operation takes another time at another shape: look the pair (op, shape) up",
        {ADD: "total += {op: seconds for (op, _), seconds in table.items()}[key[0]]"},
    ),
    ("refuses-what-takes-no-time", "", {"key not in table": "not table.get(key)"}),
    (
        "accepts-bad-input",
        "",
        {
            "key not in table": "key[0] not in {op for op, _ in table}",
            ADD: "total += table.get(key, 0.0)",
        },
    ),
    (
        "accepts-bad-input",
        "",
        {
            "key not in table": "key[1] not in {shape for _, shape in table}",
            ADD: "total += table.get(key, 0.0)",
        },
    ),
    (
        "milliseconds",
        "these are milliseconds: return seconds",
        {TOTAL: "return 1e3 * float(total)"},
    ),
    ("returns-nothing", "", {TOTAL: "float(total)"}),
    (
        "accepts-bad-input",
        "",
        {'raise ValueError(f"keys must be entries of the table, got {key!r}")': "continue"},
    ),
    ("wrong-error", "", {"key not in table": "False"}),
    (
        "accepts-bad-input",
        "",
        {"np.isfinite(overhead) and overhead >= 0": "overhead >= 0 or overhead != overhead"},
    ),
    (
        "accepts-bad-input",
        "",
        {"np.isfinite(overhead) and overhead >= 0": "not np.isnan(overhead)"},
    ),
    ("mutates-input", "", {"total = overhead": "total = overhead\n    keys.sort()"}),
    (
        "overhead-as-a-factor",
        "the overhead is taken for a share of the sum: it is seconds, added once",
        {TOTAL: "return float((total - overhead) * (1 + overhead))"},
    ),
    ("rounded", "the prediction is rounded: return it as it is", {TOTAL: "return round(float(total), 4)"}),
)


@book.right("predict_latency")
def by_sum(keys, table, overhead=0.0):
    if not overhead >= 0 or any(key not in table for key in keys):
        raise ValueError(f"odd overhead or keys: {overhead}, {keys}")
    return overhead + sum(table[key] for key in keys)


@book.right("predict_latency")
def by_counting(keys, table, overhead=0.0):
    if math.isnan(overhead) or overhead < 0:
        raise ValueError(f"overhead must be 0 or more, got {overhead}")
    try:
        return np.float64(sum(keys.count(key) * table[key] for key in dict.fromkeys(keys)) + overhead)
    except KeyError as error:
        raise ValueError(f"{error} is not in the table") from None


@book.right("predict_latency")
def by_recursion(keys, table, overhead=0.0):
    if not (np.isfinite(overhead) and overhead >= 0):
        raise ValueError(f"overhead must be 0 or more, got {overhead}")
    if not keys:
        return float(overhead)
    first, *rest = keys
    if first not in table:
        raise ValueError(f"{first} is not in the table")
    return table[first] + by_recursion(rest, table, overhead)


# ---------------------------------------------------------------------------------- roofline_latency

ARITHMETIC, TRAFFIC = "2 * macs / device.peak", "bytes_moved / device.bandwidth"
ROOF = f"max({ARITHMETIC}, {TRAFFIC}) + device.overhead"
LONGER = (
    "the shorter of the two decides here, or only one of them counts: a layer takes the *longer* of "
    "2·macs/peak and bytes/bandwidth"
)

book.edits(
    "roofline_latency",
    (
        "macs-not-flops",
        "a multiply-accumulate is two operations, and the peak counts operations: 2·macs/peak",
        {ARITHMETIC: "macs / device.peak"},
    ),
    (
        "sum-not-maximum",
        "arithmetic and traffic overlap: the *longer* of the two decides, not their sum",
        {ROOF: f"{ARITHMETIC} + {TRAFFIC} + device.overhead"},
    ),
    ("not-the-longer", LONGER, {"max(": "min("}),
    ("not-the-longer", LONGER, {ROOF: f"{ARITHMETIC} + device.overhead"}),
    ("not-the-longer", LONGER, {ROOF: f"{TRAFFIC} + device.overhead"}),
    ("no-overhead", "the overhead per operation is missing", {" + device.overhead": ""}),
    (
        "overhead-inside",
        "the overhead hides behind the work here: it comes before it, so add it to the maximum",
        {ROOF: f"max({ARITHMETIC}, {TRAFFIC}, device.overhead)"},
    ),
    (
        "overhead-inside",
        "the overhead is added to the arithmetic alone: it comes before all work, so add it to the maximum",
        {ROOF: f"max({ARITHMETIC} + device.overhead, {TRAFFIC})"},
    ),
    (
        "overhead-inside",
        "the overhead is added to the traffic alone: it comes before all work, so add it to the maximum",
        {ROOF: f"max({ARITHMETIC}, {TRAFFIC} + device.overhead)"},
    ),
    (
        "macs-not-flops",
        "the MACs are halved: one is two operations, and the peak counts operations, so 2·macs/peak",
        {ARITHMETIC: "macs / 2 / device.peak"},
    ),
    (
        "swapped",
        "peak and bandwidth are exchanged: operations go by the peak, bytes by the bandwidth",
        {ROOF: "max(2 * macs / device.bandwidth, bytes_moved / device.peak) + device.overhead"},
    ),
    (
        "whole-seconds",
        "a division by // leaves whole seconds: take /",
        {ARITHMETIC: "2 * macs // device.peak", TRAFFIC: "bytes_moved // device.bandwidth"},
    ),
    (
        "other-units",
        "peak and bandwidth are in FLOP/s and bytes/s here, not in billions of them",
        {ARITHMETIC: f"{ARITHMETIC} / 1e9", TRAFFIC: f"{TRAFFIC} / 1e9"},
    ),
    (
        "nothing-without-arithmetic",
        "a layer that computes nothing still moves bytes: pooling, or a skip, takes time as well",
        {ROOF: f"(max({ARITHMETIC}, {TRAFFIC}) if macs else 0.0) + device.overhead"},
    ),
    (
        "nothing-without-traffic",
        "without traffic the arithmetic still takes its time",
        {ROOF: f"(max({ARITHMETIC}, {TRAFFIC}) if bytes_moved else 0.0) + device.overhead"},
    ),
    ("milliseconds", "these are milliseconds: return seconds", {ROOF: f"1e3 * ({ROOF})"}),
    (
        "traffic-doubled",
        "only the arithmetic is doubled (a multiply-accumulate is two operations); bytes count once",
        {TRAFFIC: "2 * bytes_moved / device.bandwidth"},
    ),
    ("rounded", "the time is rounded: return it as it is", {ROOF: f"round({ROOF}, 6)"}),
    (
        "accepts-bad-input",
        "",
        {"not (macs >= 0 and bytes_moved >= 0)": "macs < 0 or bytes_moved < 0"},
    ),
    ("accepts-bad-input", "", {"not (macs >= 0 and bytes_moved >= 0)": "not macs >= 0"}),
    ("accepts-bad-input", "", {"not (macs >= 0 and bytes_moved >= 0)": "not bytes_moved >= 0"}),
    (
        "mutates-input",
        "",
        {
            "    return float": "    device.peak /= 2\n    return float",
            ARITHMETIC: "macs / device.peak",
        },
    ),
    ("refuses-what-takes-no-time", "", {"macs >= 0 and": "macs > 0 and"}),
    ("refuses-what-takes-no-time", "", {"bytes_moved >= 0": "bytes_moved > 0"}),
    (
        "bits-not-bytes",
        "the bytes are turned into bits: the bandwidth counts bytes, too",
        {TRAFFIC: f"8 * {TRAFFIC}"},
    ),
    (
        "overhead-needs-work",
        "a layer without work takes the overhead, too",
        {"return float(": "return 0.0 if macs == bytes_moved == 0 else float("},
    ),
    (
        "overhead-subtracted",
        "the overhead is subtracted: it is added",
        {"+ device.overhead": "- device.overhead"},
    ),
    ("int-overflow", "", {TRAFFIC: "(bytes_moved % 2**31) / device.bandwidth"}),
    ("accepts-bad-input", "", {"not (macs >= 0 and bytes_moved >= 0)": "not macs * bytes_moved >= 0"}),
)


@book.right("roofline_latency")
def by_cases(macs, bytes_moved, device):
    if math.isnan(macs) or math.isnan(bytes_moved) or min(macs, bytes_moved) < 0:
        raise ValueError(f"work must be 0 or more, got {macs} and {bytes_moved}")
    arithmetic, traffic = 2 * macs / device.peak, bytes_moved / device.bandwidth
    return (arithmetic if arithmetic > traffic else traffic) + device.overhead


@book.right("roofline_latency")
def by_intensity(macs, bytes_moved, device):
    if not macs >= 0 or not bytes_moved >= 0:
        raise ValueError(f"work must be 0 or more, got {macs} and {bytes_moved}")
    if not bytes_moved:
        return 2 * macs / device.peak + device.overhead
    attainable = min(device.peak, device.bandwidth * 2 * macs / bytes_moved)
    return (2 * macs / attainable if macs else bytes_moved / device.bandwidth) + device.overhead


@book.right("roofline_latency")
def by_numpy(macs, bytes_moved, device):
    work = np.array([2.0 * macs, bytes_moved])
    if not (work >= 0).all():
        raise ValueError(f"work must be 0 or more, got {work}")
    return (work / [device.peak, device.bandwidth]).max() + device.overhead


# ------------------------------------------------------------------------------------ mnasnet_reward

RATIO, EXPONENT = "(latency / target)", "np.where(latency <= target, alpha, beta)"
REWARD = f"accuracy * {RATIO} ** {EXPONENT}"

book.edits(
    "mnasnet_reward",
    (
        "swapped",
        "alpha and beta are swapped: alpha is for networks within the target, beta for slower ones",
        {"target, alpha, beta)": "target, beta, alpha)"},
    ),
    (
        "alpha-only",
        "alpha is used on both sides: a network slower than the target gets beta",
        {EXPONENT: "alpha"},
    ),
    (
        "beta-only",
        "beta is used on both sides: a network within the target gets alpha",
        {EXPONENT: "beta"},
    ),
    (
        "ignores-the-exponents",
        "alpha and beta are not used: −0.07 is only the default",
        {EXPONENT: "-0.07"},
    ),
    (
        "inverted-ratio",
        "a slower network gets *more* reward: the ratio is latency/target, and the exponents keep their sign",
        {RATIO: "(target / latency)"},
    ),
    (
        "added",
        "the penalty is added: MnasNet multiplies the accuracy by it",
        {REWARD: f"accuracy + {RATIO} ** {EXPONENT}"},
    ),
    (
        "factor-not-exponent",
        "the weight multiplies the ratio: it is its *exponent*",
        {REWARD: f"accuracy * {RATIO} * {EXPONENT}"},
    ),
    (
        "nothing-below-the-target",
        "within the target the reward is the accuracy alone here: that is so only for alpha = 0",
        {REWARD: f"np.where(latency <= target, accuracy, accuracy * {RATIO} ** beta)"},
    ),
    (
        "cut-off",
        "networks above the target get nothing: they get (latency/target)^beta",
        {REWARD: f"np.where(latency <= target, accuracy * {RATIO} ** alpha, 0.0)"},
    ),
    (
        "fractions",
        "accuracies are percent here and stay percent: do not divide by 100",
        {REWARD: f"accuracy / 100 * {RATIO} ** {EXPONENT}"},
    ),
    (
        "difference-not-ratio",
        "the exponent belongs to latency/target, not to their difference",
        {REWARD: f"accuracy * np.exp((latency - target) * {EXPONENT})"},
    ),
    (
        "ignores-the-target",
        "the latency is not divided by the target: the ratio is latency/target",
        {RATIO: "latency"},
    ),
    (
        "logarithm-added",
        "the logarithm of the reward's factor is added to the accuracy: MnasNet multiplies by (latency/target)^exponent",
        {REWARD: f"accuracy + {EXPONENT} * np.log{RATIO}"},
    ),
    (
        "decides-for-all",
        "one exponent is chosen for the whole array: `np.where` chooses one for each entry",
        {EXPONENT: "(alpha if np.all(latency <= target) else beta)"},
    ),
    (
        "decides-for-all",
        "one exponent is chosen for the whole array: `np.where` chooses one for each entry",
        {EXPONENT: "(beta if np.all(latency > target) else alpha)"},
    ),
    (
        "cut-at-100",
        "the reward is cut at 100: a network faster than the target may earn more than its accuracy",
        {REWARD: f"np.minimum({REWARD}, 100.0)"},
    ),
    (
        "near-the-target",
        "a network hardly slower than the target counts as within it: latency ≤ target, and nothing more",
        {EXPONENT: "np.where(latency <= 1.01 * target, alpha, beta)"},
    ),
    (
        "numbers-only",
        "an `if` cannot decide for a whole array: `np.where` chooses an exponent for each entry",
        {EXPONENT: "(alpha if latency <= target else beta)"},
    ),
    (
        "wrong-type",
        "",
        {"return reward if reward.ndim": "return reward.astype(int) if reward.ndim"},
    ),
    (
        "refuses-a-network-that-is-never-right",
        "",
        {"not np.isfinite(accuracy).all()": "not (accuracy > 0).all()"},
    ),
    (
        "one-axis-only",
        "",
        {"return reward if reward.ndim": "return np.array([float(one) for one in reward]) if reward.ndim"},
    ),
    (
        "exponents-below-0-only",
        "",
        {EXPONENT: "-abs(np.where(latency <= target, alpha, beta))"},
    ),
    ("accepts-bad-input", "", {"not np.isfinite(accuracy).all()": "np.isinf(accuracy).any()"}),
    (
        "accepts-bad-input",
        "",
        {"not np.isfinite(accuracy).all()": "accuracy.ndim == 0 and not np.isfinite(accuracy)"},
    ),
    ("accepts-bad-input", "", {" and (latency > 0).all()": ""}),
    ("accepts-bad-input", "", {"np.isfinite(target) and target > 0": "target != 0"}),
    (
        "accepts-bad-input",
        "",
        {"np.isfinite(target) and target > 0": "target >= 0 or target < 0 or target != target"},
    ),
    (
        "mutates-input",
        "",
        {
            "    reward = ": "    latency = latency if latency.ndim == 0 else np.divide(latency, target, out=latency) * target\n    reward = "
        },
    ),
    (
        "whole-numbers",
        "",
        {
            "    accuracy, latency = np.asarray(accuracy, dtype=float)": "    given = np.asarray(accuracy).dtype\n    accuracy, latency = np.asarray(accuracy, dtype=float)",
            "return reward if reward.ndim else float(reward)": "reward = reward.astype(given)\n    return reward if reward.ndim else float(reward)",
        },
    ),
    (
        "zero-is-none",
        "",
        {"np.where(latency <= target, alpha, beta)": "np.where(latency <= target, alpha or beta, beta)"},
    ),
    (
        "zero-is-none",
        "",
        {"np.where(latency <= target, alpha, beta)": "np.where(latency <= target, alpha, beta or alpha)"},
    ),
    (
        "power-before-the-ratio",
        "the power is taken of the latency alone, before the division: (latency / target) needs its brackets",
        {f"{RATIO} **": "latency **", EXPONENT: f"{EXPONENT} / target"},
    ),
    (
        "accuracy-in-the-power",
        "the accuracy is raised to the power as well: only latency / target is",
        {f"accuracy * {RATIO} **": f"(accuracy * {RATIO}) **"},
    ),
    (
        "zero-is-none",
        "an exponent of 0 is taken for one that was not given: 0 is a number like the others",
        {EXPONENT: "np.where(latency <= target, alpha or -0.07, beta or -0.07)"},
    ),
    (
        "always-a-penalty",
        "the exponents are made negative: they keep the sign that they have",
        {EXPONENT: "np.where(latency <= target, -abs(alpha), -abs(beta))"},
    ),
    ("wrong-type", "", {"return reward if": "return reward.tolist() if"}),
    ("accepts-bad-input", "", {"not np.isfinite(accuracy).all()": "not (accuracy < np.inf).all()"}),
)


@book.right("mnasnet_reward")
def reward_by_logarithms(accuracy, latency, target, alpha=-0.07, beta=-0.07):
    accuracy, latency = np.array(accuracy, dtype=float), np.array(latency, dtype=float)
    if not (np.isfinite(accuracy).all() and (latency > 0).all() and target > 0):
        raise ValueError(f"out of range: {accuracy}, {latency}, {target}")
    excess = np.log(latency / target)
    return accuracy * np.exp(np.where(excess > 0, beta, alpha) * excess)


@book.right("mnasnet_reward")
def reward_entry_by_entry(accuracy, latency, target, alpha=-0.07, beta=-0.07):
    if np.ndim(latency):
        pairs = zip(accuracy, latency)
        return np.array([reward_entry_by_entry(a, t, target, alpha, beta) for a, t in pairs])
    if not (math.isfinite(accuracy) and latency > 0 and target > 0):
        raise ValueError(f"out of range: {accuracy}, {latency}, {target}")
    ratio = latency / target
    return accuracy * ratio**alpha if ratio <= 1 else accuracy * ratio**beta


@book.right("mnasnet_reward")
def reward_in_two_parts(accuracy, latency, target, alpha=-0.07, beta=-0.07):
    if not (np.isfinite(accuracy).all() and np.all(np.asarray(latency) > 0) and target > 0):
        raise ValueError(f"out of range: {accuracy}, {latency}, {target}")
    ratio = np.asarray(latency) / target
    return accuracy * np.minimum(ratio, 1) ** alpha * np.maximum(ratio, 1) ** beta


# -------------------------------------------------------------------------------------- pareto_front

KEY = "key=lambda i: (latency[i], -accuracy[i])"
BETTER = "if accuracy[i] > best:"
FRONT = "return np.array(front)"
START = 'front, best = [], -float("inf")'
ORDER = "the points are right, their order is not: sort them by rising latency"
DOMINATED = "a point is kept that another one beats: at least as good in both, better in one"
SMALL = "a point is missing that nothing beats"

book.edits(
    "pareto_front",
    (
        "minimises-accuracy",
        "the *least* accurate points are kept: accuracy is to be high",
        {START: f"accuracy = -accuracy\n    {START}"},
    ),
    (
        "maximises-latency",
        "the *slowest* points are kept: latency is to be low",
        {KEY: "key=lambda i: (-latency[i], -accuracy[i])", FRONT: "return np.array(front[::-1])"},
    ),
    ("weakly-dominated", DOMINATED, {KEY: "key=lambda i: latency[i]"}),
    ("weakly-dominated", DOMINATED, {KEY: "key=lambda i: (latency[i], accuracy[i])"}),
    (
        "weakly-dominated",
        DOMINATED,
        {
            BETTER: "if all(accuracy[j] <= accuracy[i] or latency[j] >= latency[i] for j in range(len(accuracy))):"
        },
    ),
    (
        "keeps-copies",
        "two points that are equal in both are both kept: one of them is enough",
        {
            BETTER: "same = front and (accuracy[i], latency[i]) == (accuracy[front[-1]], latency[front[-1]])\n"
            "        if same or accuracy[i] > best:"
        },
    ),
    (
        "equals-kept",
        "a point that is as accurate as a faster one is kept: it is beaten",
        {"accuracy[i] > best": "accuracy[i] >= best"},
    ),
    ("not-by-latency", ORDER, {FRONT: "return np.array(front[::-1])"}),
    ("not-by-latency", ORDER, {FRONT: "return np.array(sorted(front))"}),
    (
        "a-mask",
        "this is a mask of True and False: return indices, `np.flatnonzero(mask)` has them",
        {FRONT: "return np.isin(np.arange(len(accuracy)), front)"},
    ),
    (
        "not-indices",
        "indices are asked for, not the points themselves",
        {FRONT: "return np.column_stack([accuracy[front], latency[front]])"},
    ),
    (
        "all-points",
        "all points come back: leave out those that another point beats",
        {FRONT: 'return np.argsort(latency, kind="stable")'},
    ),
    ("front-too-small", SMALL, {FRONT: "return np.array(front[1:] or front)"}),
    ("front-too-small", SMALL, {FRONT: "return np.array(front[-1:])"}),
    ("front-too-small", SMALL, {FRONT: "return np.array(front[:1])"}),
    (
        "starts-at-zero",
        "the best accuracy so far starts at 0, which a network that is never right does not beat",
        {START: "front, best = [], 0.0"},
    ),
    (
        "indices-as-floats",
        "these are the right indices as floats: no array can be indexed by them, so return ints",
        {FRONT: "return np.array(front, dtype=float)"},
    ),
    (
        "better-than-the-one-before",
        "each point is compared with the one before it alone: it has to be more accurate than *all* that are faster",
        {"            best = accuracy[i]\n": "        best = accuracy[i]\n"},
    ),
    (
        "loses-copies",
        "of points that are equal in both none is left: one of them stays",
        {
            BETTER: "if ((accuracy >= accuracy[i]) & (latency <= latency[i])).sum() == 1:",
        },
    ),
    (
        "beaten-in-one",
        "a point is left out where another is better in *one* of the two: it has to be at least as good in the other",
        {
            BETTER: "if not ((accuracy > accuracy[i]) | (latency < latency[i])).any():",
        },
    ),
    (
        "starts-at-zero",
        "the best accuracy so far starts at -1, which accuracies below it do not beat: begin below every number",
        {START: "front, best = [], -1.0"},
    ),
    ("front-too-small", SMALL, {FRONT: "return np.array(front[:10])"}),
    (
        "last-of-equals",
        "of points with the same latency only the last one is looked at: the most accurate of them counts",
        {
            START: f"last = dict(zip(latency, range(len(latency))))\n    {START}",
            BETTER: "if last[latency[i]] == i and accuracy[i] > best:",
        },
    ),
    ("a-bit-is-not-enough", "", {KEY: "key=lambda i: latency[i] - 1e-6 * accuracy[i]"}),
    ("wrong-shape", "", {FRONT: "return np.array(front)[:, None]"}),
    ("rounds-first", "", {START: f"accuracy = accuracy.round(3)\n    {START}"}),
    ("rounds-first", "", {START: f"latency = latency.round(6)\n    {START}"}),
    ("rounds-first", "", {START: f"accuracy = accuracy.astype(np.float32)\n    {START}"}),
    ("a-bit-is-not-enough", "", {"accuracy[i] > best": "accuracy[i] > best + 1e-6"}),
    ("wrong-type", "", {FRONT: "return front"}),
    ("accepts-bad-input", "", {" or len(accuracy) < 1": ""}),
    ("accepts-bad-input", "", {" or latency.shape != accuracy.shape": ""}),
    ("accepts-bad-input", "", {"np.isfinite(accuracy).all() and ": ""}),
    ("accepts-bad-input", "", {" and np.isfinite(latency).all()": ""}),
    ("mutates-input", "", {START: f"latency -= latency.min()\n    {START}"}),
    (
        "swapped",
        "accuracy and latency are exchanged: accuracy is to be high, latency to be low",
        {START: f"accuracy, latency = latency, accuracy\n    {START}"},
    ),
    (
        "convex-hull",
        "a point in a hollow between two others is left out: nothing beats it, so it stays",
        {
            FRONT: "inner = [\n"
            "        b for a, b, c in zip(front, front[1:], front[2:])\n"
            "        if (accuracy[b] - accuracy[a]) * (latency[c] - latency[a])\n"
            "        < (accuracy[c] - accuracy[a]) * (latency[b] - latency[a])\n"
            "    ]\n"
            "    return np.array([i for i in front if i not in inner])"
        },
    ),
    (
        "looks-points-up",
        "",
        {FRONT: "return np.array([accuracy.tolist().index(accuracy[i]) for i in front])"},
    ),
    (
        "accepts-bad-input",
        "",
        {
            "latency.shape != accuracy.shape": "latency.size != accuracy.size",
            START: f"latency = latency.ravel()\n    {START}",
        },
    ),
)


def _points(accuracy, latency):
    a, t = np.array(accuracy, dtype=float), np.array(latency, dtype=float)
    if a.ndim != 1 or a.shape != t.shape or not (np.isfinite(a).all() and np.isfinite(t).all()):
        raise ValueError(f"accuracy and latency must be finite and of one length, got {a} and {t}")
    return a, t


@book.right("pareto_front")
def front_by_definition(accuracy, latency):
    a, t = _points(accuracy, latency)
    if not len(a):
        raise ValueError("no points")
    kept = {}
    for i in range(len(a)):
        if not any(a[j] >= a[i] and t[j] <= t[i] and (a[j], t[j]) != (a[i], t[i]) for j in range(len(a))):
            kept[a[i], t[i]] = i  # the last of the copies
    return np.array(sorted(kept.values(), key=lambda i: t[i]))


@book.right("pareto_front")
def front_by_accumulation(accuracy, latency):
    a, t = _points(accuracy, latency)
    if a.size == 0:
        raise ValueError("no points")
    order = np.lexsort((-a, t))
    before = np.concatenate([[-np.inf], np.maximum.accumulate(a[order])[:-1]])
    return order[a[order] > before]


@book.right("pareto_front")
def front_from_the_accurate_end(accuracy, latency):
    a, t = _points(accuracy, latency)
    if len(a) == 0:
        raise ValueError("no points")
    front, fastest = [], np.inf
    for i in sorted(range(len(a)), key=lambda i: (-a[i], t[i])):
        if t[i] < fastest:
            front.insert(0, i)
            fastest = t[i]
    return np.array(front, dtype=np.int32)


# ------------------------------------------------------------------------------------ hypervolume_2d

STRIP = "max(accuracy[i] - best, 0) * max(slowest - latency[i], 0)"
BEST = "best = max(best, accuracy[i])"
CORNER = "area, best, slowest = 0.0, corner[0], corner[1]"
BEYOND = "points beyond the reference take area away or add some: leave them out"

book.edits(
    "hypervolume_2d",
    (
        "counts-overlaps",
        "the rectangles of all points are added, though they overlap: count what they cover together once",
        {"max(accuracy[i] - best, 0)": "max(accuracy[i] - corner[0], 0)"},
    ),
    (
        "counts-overlaps",
        "the rectangles of the front are added, though they overlap: each step adds only what is new",
        {STRIP: "(accuracy[i] > best) * max(accuracy[i] - corner[0], 0) * max(slowest - latency[i], 0)"},
    ),
    (
        "no-running-maximum",
        "the best accuracy so far must not fall: a slower point that is less accurate adds nothing",
        {BEST: "best = accuracy[i]"},
    ),
    ("beyond-the-reference", BEYOND, {"max(slowest - latency[i], 0)": "(slowest - latency[i])"}),
    ("beyond-the-reference", BEYOND, {"max(slowest - latency[i], 0)": "abs(slowest - latency[i])"}),
    (
        "ignores-the-reference",
        "the area begins at the reference's accuracy, not at 0",
        {CORNER: "area, best, slowest = 0.0, 0.0, corner[1]"},
    ),
    (
        "bounding-box",
        "this is the box around all points: below the steps of the front nothing is dominated",
        {
            "return float(area)": "return float(max(accuracy.max() - corner[0], 0) * max(slowest - latency.min(), 0))"
        },
    ),
    (
        "stops-at-the-last-point",
        "the area ends at the slowest point: it goes on to the reference",
        {CORNER: "area, best, slowest = 0.0, corner[0], min(corner[1], latency.max())"},
    ),
    (
        "one-point-only",
        "this is the rectangle of a single point: the points together dominate more",
        {
            "area += max(accuracy[i] - best, 0) * max(slowest - latency[i], 0)": "area = max(area, max(accuracy[i] - corner[0], 0) * max(slowest - latency[i], 0))"
        },
    ),
    (
        "not-sorted",
        "the strips only fit together by rising latency: sort the points first",
        {"sorted(range(len(accuracy)), key=lambda i: latency[i])": "range(len(accuracy))"},
    ),
    (
        "not-sorted",
        "the points are taken from the slowest on: sort them by *rising* latency",
        {"key=lambda i: latency[i]": "key=lambda i: -latency[i]"},
    ),
    (
        "swapped",
        "reference holds the worst accuracy first, then the worst latency",
        {CORNER: "area, best, slowest = 0.0, corner[1], corner[0]"},
    ),
    (
        "last-of-equals",
        "of points with the same latency only the last one is looked at: the most accurate of them counts",
        {
            "sorted(range(len(accuracy)), key=lambda i: latency[i])": "sorted(dict(zip(latency.tolist(), range(len(latency)))).values(), key=lambda i: latency[i])"
        },
    ),
    (
        "share-not-area",
        "the area is divided by that of a whole box: return it in percent times the unit of the latency",
        {"return float(area)": "return float(area / ((100 - corner[0]) * corner[1]))"},
    ),
    (
        "fractions",
        "accuracies are percent here and stay percent: do not divide by 100",
        {"return float(area)": "return float(area / 100)"},
    ),
    ("rounded", "", {"return float(area)": "return round(float(area), 6)"}),
    (
        "leaves-out-what-is-below-0",
        "",
        {CORNER: f"{CORNER}\n    latency = np.where(accuracy > 0, latency, np.inf)"},
    ),
    (
        "no-running-maximum",
        "the best accuracy so far must not fall: a slower point that is less accurate adds nothing",
        {
            STRIP: "(accuracy[i] - best) * (slowest - latency[i]) if accuracy[i] > corner[0] and "
            "latency[i] < slowest else 0",
            BEST: "best = accuracy[i] if accuracy[i] > corner[0] and latency[i] < slowest else best",
        },
    ),
    ("accepts-bad-input", "", {"corner.shape != (2,) or ": ""}),
    ("accepts-bad-input", "", {" or not np.isfinite(corner).all()": " or np.isnan(corner).any()"}),
    ("accepts-bad-input", "", {"np.isfinite(accuracy).all() and ": ""}),
    ("accepts-bad-input", "", {" and np.isfinite(latency).all()": ""}),
    (
        "accepts-bad-input",
        "",
        {" or latency.shape != accuracy.shape": " or len(latency) < len(accuracy)"},
    ),
    (
        "mutates-input",
        "",
        {CORNER: f"{CORNER}\n    accuracy -= 0.0 * accuracy + best\n    best = 0.0"},
    ),
    (
        "refuses-good-input",
        "",
        {
            "    if corner.shape": "    if (latency < 0).any():\n        raise ValueError(latency)\n    if corner.shape"
        },
    ),
)


@book.wrong(
    "hypervolume_2d",
    "no-running-maximum",
    "the best accuracy so far must not fall: up to the next latency it is that of the best point *so far*",
)
def strips_of_each_point(accuracy, latency, reference):
    a, t = _points(accuracy, latency)
    corner = np.array(reference, dtype=float)
    if not len(a) or corner.shape != (2,) or not np.isfinite(corner).all():
        raise ValueError(f"no points, or a reference that is no pair: {reference!r}")
    better = sorted((x, y) for x, y in zip(t, a) if x < corner[1] and y > corner[0])
    ends = [x for x, _ in better[1:]] + [corner[1]]
    return float(sum((y - corner[0]) * (end - x) for (x, y), end in zip(better, ends)))


@book.wrong(
    "hypervolume_2d",
    "trapezoids",
    "points are joined by straight lines: between two points only the worse accuracy is reached, so "
    "the front is a staircase",
)
def straight_lines(accuracy, latency, reference):
    a, t = _points(accuracy, latency)
    worst, slowest = reference
    if not np.isfinite(reference).all():
        raise ValueError(f"reference must be finite, got {reference}")
    inside = np.flatnonzero((a > worst) & (t < slowest))
    if not len(inside):
        return 0.0
    front = front_by_definition(a[inside], t[inside])
    a, t = a[inside][front], t[inside][front]
    heights, at = np.append(a, a[-1]) - worst, np.append(t, slowest)
    return float(np.sum((heights[1:] + heights[:-1]) / 2 * np.diff(at)))


@book.right("hypervolume_2d")
def by_columns(accuracy, latency, reference):
    a, t = _points(accuracy, latency)
    if np.shape(reference) != (2,) or not np.isfinite(reference).all():
        raise ValueError(f"reference must be a finite pair, got {reference}")
    inside = (a > reference[0]) & (t < reference[1])
    if not inside.any():
        return 0.0
    order = np.argsort(t[inside], kind="stable")
    heights = np.maximum.accumulate(a[inside][order]) - reference[0]
    return float(heights @ np.diff(np.append(t[inside][order], reference[1])))


@book.right("hypervolume_2d")
def by_a_grid(accuracy, latency, reference):
    a, t = _points(accuracy, latency)
    worst, slowest = reference
    if not (math.isfinite(worst) and math.isfinite(slowest)):
        raise ValueError(f"reference must be finite, got {reference}")
    xs, ys = (
        np.unique([*np.minimum(t, slowest), slowest]),
        np.unique([worst, *np.maximum(a, worst)]),
    )
    area = 0.0
    for low, high in zip(xs, xs[1:]):
        for bottom, top in zip(ys, ys[1:]):
            if ((t <= low) & (a >= top)).any():
                area += (high - low) * (top - bottom)
    return area


@book.right("hypervolume_2d")
def by_horizontal_strips(accuracy, latency, reference):
    a, t = _points(accuracy, latency)
    if len(reference) != 2 or not all(map(math.isfinite, reference)):
        raise ValueError(f"reference must be a finite pair, got {reference}")
    area, fastest = 0.0, float(reference[1])
    levels = sorted(set(a[a > reference[0]]), reverse=True)
    for level, below in zip(levels, [*levels[1:], reference[0]]):
        fastest = min(fastest, t[a >= level].min())
        area += (level - below) * (reference[1] - fastest)
    return np.float64(area)


# ------------------------------------------------------------------------------------- fake_quantize

LEVELS = "(2 ** (bits - 1) - 1)"
ROUND = "torch.round(values / scale)"
ROUNDED = f"rounded = {ROUND} * scale"
THROUGH = "return x + (rounded - x).detach()"
EACH = "values.abs().reshape(len(values), -1).amax(dim=1).reshape(-1, *[1] * (x.dim() - 1))"
WHICH = "one scale for all, or one for each channel: `per_channel` says which, and here it is the other"
TOO_MANY = (
    "the scale is max/2^(bits−1): a symmetric range ends at 2^(bits−1) − 1, or the largest weight needs "
    "a level that there is not"
)
CONSTANT = "a constant keeps the scale from 0, which weighs where weights are tiny: replace a scale of 0 only"
STOPPED = (
    "no gradient arrives at x, since rounding has none: straight-through lets it pass as if nothing "
    "had been rounded"
)

book.edits(
    "fake_quantize",
    ("per-channel-ignored", WHICH, {"if per_channel:": "if False:"}),
    ("per-channel-ignored", WHICH, {"if per_channel:": "if x.dim():"}),
    (
        "input-channel-scales",
        "the scales belong to axis 1 here: a kernel's output channels are axis 0",
        {
            EACH: "values.abs().amax(dim=[d for d in range(x.dim()) if d != min(1, x.dim() - 1)], keepdim=True) if x.dim() > 1 else values.abs()"
        },
    ),
    (
        "stays-integer",
        "these are the integers: multiply by the scale again, so that the weights keep their size",
        {ROUNDED: f"rounded = {ROUND}"},
    ),
    (
        "floors",
        "values are rounded down: take the *nearest* level",
        {"torch.round(": "torch.floor("},
    ),
    (
        "floors",
        "values are rounded towards 0: take the *nearest* level",
        {"torch.round(": "torch.trunc("},
    ),
    ("one-level-too-many", TOO_MANY, {LEVELS: "2 ** (bits - 1)"}),
    (
        "one-level-too-many",
        TOO_MANY,
        {
            LEVELS: "2 ** (bits - 1)",
            ROUND: f"{ROUND}.clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)",
        },
    ),
    (
        "forgets-the-sign",
        "there are 2^bits − 1 levels on each side here: one bit is the sign, 2^(bits−1) − 1 are left",
        {LEVELS: "(2**bits - 1)"},
    ),
    (
        "loses-the-sign",
        "negative weights have become positive",
        {ROUND: "torch.round(values.abs() / scale)"},
    ),
    (
        "not-symmetric",
        "the range runs from the smallest to the largest value: symmetric means from −max|x| to max|x|, "
        "with 0 as a level",
        {
            ROUNDED: "low, width = values.min(), (values.max() - values.min()).clamp(min=1e-12) / (2**bits - 1)\n"
            "    rounded = low + torch.round((values - low) / width) * width"
        },
    ),
    ("not-quantized", "x comes back as it was", {ROUNDED: "rounded = values"}),
    (
        "divides-by-zero",
        "where all weights are 0 the scale must not be 0: zeros stay zeros",
        {"    scale = torch.where(scale > 0, scale, torch.ones_like(scale))\n": ""},
    ),
    (
        "constant-in-the-scale",
        CONSTANT,
        {f"scale = largest / {LEVELS}": f"scale = largest / {LEVELS} + 1e-8"},
    ),
    (
        "constant-in-the-scale",
        CONSTANT,
        {f"scale = largest / {LEVELS}": f"scale = (largest / {LEVELS}).clamp(min=1e-8)"},
    ),
    ("no-gradient", STOPPED, {THROUGH: "return rounded"}),
    ("no-gradient", STOPPED, {THROUGH: "return torch.round(x / scale) * scale"}),
    (
        "gradient-of-the-scale",
        "the largest value gets another gradient than the rest: part of it runs through the scale. "
        "Compute the scale from x.detach()",
        {
            "values = x.detach()": "values = x",
            THROUGH: "levels = x / scale\n    return (levels + (torch.round(levels) - levels).detach()) * scale",
        },
    ),
    (
        "gradient-over-the-scale",
        "the gradient is divided by the scale: straight-through hands on what comes in",
        {THROUGH: "levels = x / scale\n    return levels + (rounded - levels).detach()"},
    ),
    (
        "largest-not-absolute",
        "the scale comes from the largest value, and a larger one below 0 is overlooked: take max|x|",
        {"values.abs().max()": "values.max()", "values.abs().reshape": "values.reshape"},
    ),
    (
        "half-the-range",
        "the scale comes from half the range, (max − min)/2: symmetric means from −max|x| to max|x|",
        {"largest = values.abs().max()": "largest = (values.max() - values.min()) / 2"},
    ),
    (
        "xor-not-power",
        "in Python `^` is no power but exclusive or: take 2**(bits - 1)",
        {LEVELS: "(max(1, (2 ^ (bits - 1)) - 1))"},
    ),
    (
        "floors",
        "values are rounded up: take the *nearest* level",
        {ROUND: "torch.ceil(values / scale)"},
    ),
    (
        "rounds-at-random",
        "values are rounded at random, to the level above or below: take the *nearest*",
        {
            ROUND: "torch.floor(values / scale + torch.rand(x.shape, generator=torch.Generator().manual_seed(1)))"
        },
    ),
    (
        "last-axis-scales",
        "there is a scale for each row of the last axis here: a channel is an index of axis 0, with all its weights",
        {
            "values.abs().reshape(len(values), -1).amax(dim=1).reshape(-1, *[1] * (x.dim() - 1))": "values.abs().amax(dim=-1, keepdim=True)"
        },
    ),
    (
        "largest-over-channels",
        "the largest value is taken over the channels: a scale belongs to one channel, and is the largest of *its* weights",
        {
            "values.abs().reshape(len(values), -1).amax(dim=1).reshape(-1, *[1] * (x.dim() - 1))": "values.abs().amax(dim=0, keepdim=True)"
        },
    ),
    (
        "clipped-gradient",
        "the gradient at the largest values is 0: nothing lies beyond the levels here, so it passes everywhere",
        {
            THROUGH: "through = torch.where(values.abs() < largest, x, values)\n    return through + (rounded - x).detach()"
        },
    ),
    (
        "zero-tensor-only",
        "a channel of zeros is divided by a scale of 0: look at each scale, not at the tensor as a whole",
        {
            "torch.where(scale > 0, scale, torch.ones_like(scale))": "scale if values.any() else torch.ones_like(scale)"
        },
    ),
    ("accepts-bad-input", "", {"not torch.isfinite(x).all()": "x.isnan().any() or x.max() == torch.inf"}),
    ("eight-bits-at-most", "", {"or bits < 2": "or not 2 <= bits <= 8"}),
    ("mutates-input", "", {"values = x.detach()": "values = x.requires_grad_().detach()"}),
    ("other-dtype", "", {THROUGH: "return (x + (rounded - x).detach()).double()"}),
    ("accepts-bad-input", "", {" or bits < 2": ""}),
    ("accepts-bad-input", "", {"not torch.isfinite(x).all()": "torch.isnan(x).any()"}),
    ("accepts-bad-input", "", {"not torch.isfinite(x).all()": "torch.isinf(x).any()"}),
    ("mutates-input", "", {THROUGH: "x.data.copy_(rounded)\n    return x * 1.0"}),
    ("kernels-only", "", {"reshape(-1, *[1] * (x.dim() - 1))": "reshape(-1, 1, 1, 1)"}),
    ("kernels-only", "", {"    if per_channel:": "    if per_channel and x.dim() > 1:"}),
    (
        "ignores-bits",
        "the scale is that of eight bits whatever `bits` says: use the argument",
        {LEVELS: "127"},
    ),
    (
        "refuses-good-input",
        "",
        {"bits < 2": "not 2 <= bits <= 16"},
    ),
)


class _Through(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale):
        return torch.round(x / scale) * scale

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


@book.right("fake_quantize")
def by_an_autograd_function(x, bits, per_channel=False):
    if bits < 2 or not torch.isfinite(x).all():
        raise ValueError(f"bits must be 2 or more and x finite, got {bits} and {x}")
    size = x.detach().abs()
    largest = size.flatten(1).amax(1).view(-1, *[1] * (x.ndim - 1)) if per_channel and x.ndim > 1 else size
    largest = largest if per_channel else size.max()
    return _Through.apply(x, torch.where(largest > 0, largest, 1.0) / (2 ** (bits - 1) - 1))


@book.right("fake_quantize")
def by_a_loop_over_channels(x, bits, per_channel=False):
    if per_channel:
        return torch.stack([by_a_loop_over_channels(channel, bits) for channel in x])
    if bits < 2 or not torch.isfinite(x).all():
        raise ValueError(f"bits must be 2 or more and x finite, got {bits} and {x}")
    top, size = 2 ** (bits - 1) - 1, float(x.detach().abs().max())
    if size == 0:
        return x * 1.0
    levels = torch.clamp(torch.round(x.detach() * top / size), -top, top)
    return x - x.detach() + levels * size / top


@book.right("fake_quantize")
def by_a_gradient_hook(x, bits, per_channel=False):
    top = 2 ** (bits - 1) - 1
    if top < 1 or not bool(torch.isfinite(x).all()):
        raise ValueError(f"bits must be 2 or more and x finite, got {bits} and {x}")
    with torch.no_grad():
        axes = list(range(1, x.ndim)) if per_channel else list(range(x.ndim))
        size = x.abs().amax(axes, keepdim=True) if axes else x.abs()
        scale = size.div(top).masked_fill(size == 0, 1.0)
        delta = (x / scale).round().mul(scale) - x
    return x + delta


# --------------------------------------------------------------------------------------- search_bits

FITTING = "[pair for pair in itertools.product(archs, bit_choices) if size(*pair) <= size_limit]"
DRAWS = "rng.permutation(len(fitting))[:budget]"
BEGIN = "pairs, values = [], []"
ANSWER = "return pairs[int(np.argmax(values))], History(pairs, np.array(values))"

book.edits(
    "search_bits",
    ("evaluates-what-does-not-fit", "", {" if size(*pair) <= size_limit]": "]"}),
    ("evaluates-what-does-not-fit", "", {"<= size_limit": "<= 2 * size_limit"}),
    ("pair-twice", "", {DRAWS: "rng.integers(len(fitting), size=min(budget, len(fitting)))"}),
    ("too-many-evaluations", "", {"[:budget]": "[: budget + 1]"}),
    ("under-budget", "", {"[:budget]": "[: max(1, budget - 1)]"}),
    ("under-budget", "", {"<= size_limit": "< size_limit"}),
    (
        "one-after-the-other",
        "",
        {
            BEGIN: f"fitting = [pair for pair in fitting if pair[1] == max(bits for _, bits in fitting)]\n    {BEGIN}"
        },
    ),
    (
        "one-after-the-other",
        "",
        {BEGIN: f"fitting = [pair for pair in fitting if pair[0] == fitting[0][0]]\n    {BEGIN}"},
    ),
    ("not-the-best-pair", "", {"pairs[int(np.argmax(values))], ": "pairs[-1], "}),
    ("not-the-best-pair", "", {"np.argmax": "np.argmin"}),
    (
        "not-the-best-pair",
        "",
        {
            "return pairs[int(np.argmax(values))]": "return max(zip([0.0, *values], [None, *pairs]), key=lambda one: one[0])[1]"
        },
    ),
    ("evaluates-what-does-not-fit", "", {"<= size_limit": "<= 1.01 * size_limit"}),
    ("evaluates-what-does-not-fit", "", {"size(*pair) <= size_limit": "int(size(*pair)) <= int(size_limit)"}),
    ("ignores-rng", "", {DRAWS: "np.random.default_rng().permutation(len(fitting))[:budget]"}),
    ("wrong-type", "", {"History(pairs, ": "History([list(pair) for pair in pairs], "}),
    (
        "wrong-type",
        "",
        {"return pairs[int(np.argmax(values))]": "return list(pairs[int(np.argmax(values))])"},
    ),
    ("wrong-history", "", {"History(pairs, ": "History([arch for arch, _ in pairs], "}),
    ("wrong-history", "", {"History(pairs, np.array(values))": "History(pairs, np.sort(values))"}),
    ("wrong-type", "", {ANSWER: "return History(pairs, np.array(values))"}),
    ("accepts-bad-input", "", {"budget < 1": "False", "[:budget]": "[: max(1, budget)]"}),
    (
        "accepts-bad-input",
        "",
        {
            "        if not np.isfinite(value):": "        value = float(np.nan_to_num(value))\n        if False:"
        },
    ),
    ("mutates-input", "", {BEGIN: f"archs.clear()\n    {BEGIN}"}),
    ("mutates-input", "", {BEGIN: f"bit_choices.sort()\n    {BEGIN}"}),
)


def _fitting(size, archs, bit_choices, size_limit, budget):
    fits = [(arch, bits) for arch in archs for bits in bit_choices if size(arch, bits) <= size_limit]
    if not fits or budget < 1:
        raise ValueError(f"nothing fits into {size_limit}, or a budget of {budget}")
    return fits


def _told(evaluate, pairs):
    values = []
    for pair in pairs:
        values.append(evaluate(*pair))
        if not math.isfinite(values[-1]):
            raise ValueError(f"evaluate must be finite, got {values[-1]}")
    return pairs[int(np.argmax(values))], History(pairs, np.array(values))


@book.right("search_bits")
def smallest_first(evaluate, size, archs, bit_choices, size_limit, budget, rng):
    fits = _fitting(size, archs, bit_choices, size_limit, budget)
    return _told(evaluate, sorted(fits, key=lambda pair: size(*pair))[:budget])


@book.right("search_bits")
def near_the_best(evaluate, size, archs, bit_choices, size_limit, budget, rng):
    left = _fitting(size, archs, bit_choices, size_limit, budget)
    pairs, values = [], []
    while left and len(pairs) < budget:
        best = pairs[int(np.argmax(values))] if pairs else left[0]
        near = [pair for pair in left if pair[0] == best[0] or pair[1] == best[1]] or left
        pair = near[int(rng.integers(len(near)))]
        left.remove(pair)
        pairs.append(pair)
        values.append(evaluate(*pair))
        if not math.isfinite(values[-1]):
            raise ValueError(f"evaluate must be finite, got {values[-1]}")
    return pairs[int(np.argmax(values))], History(pairs, values)


@book.right("search_bits")
def by_rejection(evaluate, size, archs, bit_choices, size_limit, budget, rng):
    due = min(budget, len(_fitting(size, archs, bit_choices, size_limit, budget)))
    pairs = []
    while len(pairs) < due:
        pair = archs[rng.integers(len(archs))], bit_choices[rng.integers(len(bit_choices))]
        if pair not in pairs and size(*pair) <= size_limit:
            pairs.append(pair)
    return _told(evaluate, pairs)


# ----------------------------------------------------------------------------- hardware_aware_search

OUT_OF_RANGE = "if not 1 <= budget <= len(space):"
ORDERED = "sorted(found, key=found.get, reverse=True)"
STARTS = "iter(rng.permutation(len(space)).tolist())"
LED = "if len(found) >= 10:"
VALUE = "float(reward(accuracy(arch), latency(arch)))"
PICKED = "unseen[rng.integers(len(unseen))]"
RESULT = "History(list(found), np.array(list(found.values())))"
FINITE = "if not np.isfinite(found[arch]):"
CALLS = "accuracy(arch), latency(arch)"

book.edits(
    "hardware_aware_search",
    ("accuracy-not-reward", "", {VALUE: "float(accuracy(arch))"}),
    ("latency-not-reward", "", {VALUE: "0 * accuracy(arch) + latency(arch)"}),
    ("swapped-arguments", "", {CALLS: "latency(arch), accuracy(arch)"}),
    ("negated", "", {"np.array(list(found.values()))": "-np.array(list(found.values()))"}),
    ("wrong-values", "", {CALLS: "accuracy(arch), latency(space.from_index(0))"}),
    (
        "led-by-accuracy",
        "",
        {
            "found = {}": "found, seen = {}, {}",
            ORDERED: "sorted(found, key=seen.get, reverse=True)",
            VALUE: "float(reward(seen.setdefault(arch, accuracy(arch)), latency(arch)))",
        },
    ),
    ("led-by-latency", "", {ORDERED: "sorted(found, key=latency)"}),
    ("minimum", "", {ORDERED: "sorted(found, key=found.get)"}),
    ("no-learning", "", {LED: "if False:"}),
    ("no-learning", "", {ORDERED: "list(found)[::-1]"}),
    ("no-learning", "", {ORDERED: "list(found)"}),
    (
        "no-learning",
        "",
        {ORDERED: "sorted((one for one in found if found[one] > 0), key=found.get, reverse=True)"},
    ),
    (
        "arch-twice",
        "",
        {
            "            if arch in found:\n                continue": "            pass",
            RESULT: "History(told, np.array([found[one] for one in told]))",
            "found = {}": "found, told = {}, []",
            "while len(found) < budget:": "while len(told) < budget:",
            f"found[arch] = {VALUE}": f"found[arch] = {VALUE}\n        told.append(arch)",
            "if one not in found]": "if one is not best]",
        },
    ),
    ("over-budget", "", {VALUE: f"max({VALUE}, {VALUE})"}),
    ("over-budget", "", {"while len(found) < budget:": "while len(found) <= min(budget, len(space) - 1):"}),
    ("over-budget", "", {"found = {}": "accuracy(space.sample(rng))\n    found = {}"}),
    ("wrong-length", "", {"while len(found) < budget:": "while len(found) < max(1, budget - 1):"}),
    ("wrong-length", "", {RESULT: "History([max(found, key=found.get)], [max(found.values())])"}),
    ("wrong-order", "", {RESULT: "History(list(found)[::-1], np.array(list(found.values()))[::-1])"}),
    ("wrong-order", "", {RESULT: "History(sorted(found, key=found.get), np.sort(list(found.values())))"}),
    (
        "incumbents-not-values",
        "",
        {"np.array(list(found.values()))": "np.maximum.accumulate(list(found.values()))"},
    ),
    ("mismatched-values", "", {"np.array(list(found.values()))": "np.sort(list(found.values()))"}),
    ("ignores-rng", "", {STARTS: "iter(np.random.permutation(len(space)).tolist())"}),
    ("ignores-rng", "", {PICKED: "unseen[np.random.randint(len(unseen))]"}),
    ("fixed-seed", "", {"found = {}": "rng = np.random.default_rng(0)\n    found = {}"}),
    ("fixed-seed", "", {STARTS: "iter(range(len(space)))", PICKED: "unseen[0]"}),
    ("not-an-arch", "", {CALLS: "accuracy(tuple(map(str, arch))), latency(arch)"}),
    ("not-an-arch", "", {CALLS: "accuracy(space.index(arch)), latency(arch)"}),
    ("raises", "", {VALUE: "float(np.exp(np.log(reward(accuracy(arch), latency(arch)))))"}),
    ("returns-nothing", "", {f"return {RESULT}": RESULT}),
    ("wrong-type", "", {RESULT: "(list(found), np.array(list(found.values())))"}),
    ("wrong-type", "", {RESULT: "max(found, key=found.get)"}),
    ("changes-settings", "", {"found = {}": "np.random.seed(0)\n    found = {}"}),
    ("accepts-bad-input", "", {OUT_OF_RANGE: "if budget > len(space):"}),
    (
        "accepts-bad-input",
        "",
        {
            OUT_OF_RANGE: "if budget < 1:",
            "while len(found) < budget:": "while len(found) < min(budget, len(space)):",
        },
    ),
    ("accepts-bad-input", "", {OUT_OF_RANGE: "if not 0 <= budget <= len(space):"}),
    ("accepts-bad-input", "", {FINITE: "found[arch] = float(np.nan_to_num(found[arch]))\n        if False:"}),
    (
        "accepts-bad-input",
        "",
        {FINITE: "found[arch] = max(found[arch], -1e9)\n        if not np.isfinite(found[arch]):"},
    ),
    ("wrong-error", "", {OUT_OF_RANGE: "assert budget >= 1\n    if not 1 <= budget <= len(space):"}),
)


def _affordable(space, budget):
    if budget < 1 or budget > len(space):
        raise ValueError(f"budget must be 1 to {len(space)}, got {budget}")


def _rated(reward, percent, seconds):
    value = reward(percent, seconds)
    if not math.isfinite(value):
        raise ValueError(f"reward must be finite, got {value}")
    return value


@book.right("hardware_aware_search")
def by_hill_climbing(accuracy, latency, reward, space, budget, rng):
    """The steepest ascent of lesson 02, with restarts at random unseen architectures."""
    _affordable(space, budget)
    archs, values, seen, width = [], [], set(), 0
    order = [space.from_index(int(i)) for i in rng.permutation(len(space))]
    here, queue = -math.inf, []
    while len(archs) < budget:
        if not queue:
            best = max(range(len(archs) - width, len(archs)), key=values.__getitem__) if archs else None
            if archs and values[best] > here:
                here = values[best]
                queue = [one for one in space.neighbors(archs[best]) if one not in seen]
                queue = [queue[i] for i in rng.permutation(len(queue))]
            if not queue:
                here = -math.inf
                queue = [next(one for one in order if one not in seen)]
            width = len(queue)
        arch = queue.pop()
        seen.add(arch)
        archs.append(arch)
        values.append(_rated(reward, accuracy(arch), latency(arch)))
    return History(archs, np.array(values))


@book.right("hardware_aware_search")
def by_aging_evolution(accuracy, latency, reward, space, budget, rng):
    """Regularized evolution with a memory: mutants until one is new, a random new one after 50 tries."""
    _affordable(space, budget)
    archs, values, alive = [], [], []
    while len(archs) < budget:
        arch = None
        if len(alive) >= 20:
            for _ in range(50):
                drawn = rng.choice(len(alive), size=5, replace=False)
                parent = max((alive[i] for i in drawn), key=lambda one: values[one])
                mutant = space.mutate(archs[parent], rng)
                if mutant not in archs:
                    arch = mutant
                    break
        if arch is None:
            left = [i for i in range(len(space)) if space.from_index(i) not in archs]
            arch = space.from_index(left[int(rng.integers(len(left)))])
        archs.append(arch)
        values.append(_rated(reward, accuracy(arch), latency(arch)))
        alive = [*alive, len(archs) - 1][-20:]
    return History(archs, np.array(values))


@book.right("hardware_aware_search")
def by_crossing_the_best(accuracy, latency, reward, space, budget, rng):
    """A genetic algorithm: generations of 20, crossing among the best ten, values as a list."""
    _affordable(space, budget)
    rewards = {}
    while len(rewards) < budget:
        best = sorted(rewards, key=rewards.get)[-10:]
        for _ in range(20):
            child = space.sample(rng)
            if len(rewards) >= 20:
                one, other = (best[int(i)] for i in rng.integers(len(best), size=2))
                child = tuple(a if rng.random() < 0.5 else b for a, b in zip(one, other))
                child = space.mutate(child, rng) if rng.random() < 0.5 else child
            if child in rewards:
                rest = rng.permutation(len(space)) if rng.random() < 0.2 else ()
                child = next((a for a in map(space.from_index, map(int, rest)) if a not in rewards), None)
            if child is not None and len(rewards) < budget:
                rewards[child] = _rated(reward, accuracy(child), latency(child))
    return History(list(rewards), list(rewards.values()))


@book.right("hardware_aware_search")
def by_a_fitted_sum(accuracy, latency, reward, space, budget, rng):
    """Least squares of the rewards on which option stands where; mostly the best by it, sometimes a random one."""
    _affordable(space, budget)
    places = [(d, option) for d, options in enumerate(space.choices) for option in options]
    every = [space.from_index(i) for i in range(len(space))]
    table = np.array([[arch[d] == option for d, option in places] for arch in every], dtype=float)
    told, values = [], []
    left = set(range(len(space)))
    while len(told) < budget:
        choose = sorted(left)
        at = choose[int(rng.integers(len(choose)))]
        if len(told) >= 15 and rng.random() < 0.8:
            x = table[told]
            weights = np.linalg.solve(
                x.T @ x + 0.1 * np.eye(x.shape[1]), x.T @ (np.array(values) - np.mean(values))
            )
            at = choose[int((table[choose] @ weights).argmax())]
        left.remove(at)
        told.append(at)
        values.append(_rated(reward, accuracy(every[at]), latency(every[at])))
    return History([every[i] for i in told], np.array(values))


@book.right("hardware_aware_search")
def by_annealing(accuracy, latency, reward, space, budget, rng):
    """Simulated annealing whose temperature follows the spread of the rewards seen; the table of latencies first."""
    _affordable(space, budget)
    seconds = {space.from_index(i): latency(space.from_index(i)) for i in range(len(space))}
    rewards, here = {}, None
    while len(rewards) < budget:
        unseen = [] if here is None else [one for one in space.neighbors(here) if one not in rewards]
        if not unseen:
            unseen = [one for one in seconds if one not in rewards]
        arch = unseen[int(rng.integers(len(unseen)))]
        rewards[arch] = _rated(reward, accuracy(arch), seconds[arch])
        spread = float(np.std(list(rewards.values()))) * (1 - len(rewards) / budget) / 5
        if here is None or rewards[arch] >= rewards[here]:
            here = arch
        elif spread > 0 and rng.random() < math.exp((rewards[arch] - rewards[here]) / spread):
            here = arch
    return History(list(rewards), np.array(list(rewards.values())))


@book.wrong("hardware_aware_search", "too-slow")
def mutants_of_the_best_until_one_is_new(accuracy, latency, reward, space, budget, rng):
    _affordable(space, budget)
    rewards = {}
    arch = space.sample(rng)
    while len(rewards) < budget:
        rewards[arch] = _rated(reward, accuracy(arch), latency(arch))
        best = max(rewards, key=rewards.get)
        while arch in rewards and len(rewards) < budget:
            arch = space.mutate(best, rng)
    return History(list(rewards), list(rewards.values()))


@book.wrong("hardware_aware_search", "arch-twice")
def evolution_without_a_memory(accuracy, latency, reward, space, budget, rng):
    _affordable(space, budget)
    archs, values = [], []
    for i in range(budget):
        arch = space.sample(rng)
        if i >= 10:
            parents = rng.integers(i - 10, i, size=3)
            arch = space.mutate(archs[max(parents, key=values.__getitem__)], rng)
        archs.append(arch)
        values.append(_rated(reward, accuracy(arch), latency(arch)))
    return History(archs, values)


@book.wrong("hardware_aware_search", "wrong-length")
def climbing_once(accuracy, latency, reward, space, budget, rng):
    """Ends on the first hilltop."""
    _affordable(space, budget)
    here = space.sample(rng)
    rewards = {here: _rated(reward, accuracy(here), latency(here))}
    while len(rewards) < budget:
        near = [one for one in space.neighbors(here) if one not in rewards]
        near = [near[i] for i in rng.permutation(len(near))][: budget - len(rewards)]
        rewards |= {arch: _rated(reward, accuracy(arch), latency(arch)) for arch in near}
        best = max(rewards, key=rewards.get)
        if best == here:
            break
        here = best
    return History(list(rewards), list(rewards.values()))


_TRAINED = {}


@book.wrong("hardware_aware_search", "not-evaluated")
def accuracies_kept_between_calls(accuracy, latency, reward, space, budget, rng):
    """What an earlier search has trained is not trained again: another accuracy, another answer."""

    def known(arch):
        if arch not in _TRAINED:
            _TRAINED[arch] = accuracy(arch)
        return _TRAINED[arch]

    return by_aging_evolution(known, latency, reward, space, budget, rng)


@book.wrong("hardware_aware_search", "no-learning")
def at_random(accuracy, latency, reward, space, budget, rng):
    _affordable(space, budget)
    archs = [space.from_index(int(i)) for i in rng.permutation(len(space))[:budget]]
    return History(archs, [_rated(reward, accuracy(arch), latency(arch)) for arch in archs])
