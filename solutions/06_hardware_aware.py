# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 06 · Hardware-aware search
#
# **{minutes} · {points}.** At the end of this lesson you will be able to
#
# - measure a latency that means something, and say what each broken rule of the protocol does to
#   it;
# - predict the latency of networks that were never run, from a table of operations, and state the
#   error;
# - say with a roofline what limits a layer on a device that you do not have;
# - search with two objectives: a reward with a target, a Pareto front, its hypervolume;
# - choose architecture and bit width together, and ship the result as float32 and int8.
#
# The notebook computes for one to two minutes. Every latency in it is measured on *your* machine,
# so close what else is busy. Packages onnx and onnxruntime are needed in section 8 only; without
# them it says so and goes on.
#
# ## Accuracy is not enough
# Up to now a network was as good as its accuracy. But a doorbell camera delivers thirty frames per
# second, and a network that needs 40 ms for one is useless there, however accurate. MnasNet (Tan et
# al. 2019) put the *measured* latency of a phone into the search, as a part of the reward.
# ProxylessNAS (Cai et al. 2019) made an *expected* latency differentiable, from a model of the
# latency of each operation; FBNet (Wu et al. 2019) searched by gradient descent over such a look-up
# table. You will build the reward and the table, and begin where most mistakes are made: at the
# stopwatch.
#
# > **What you will read, and what is known.** "Vertex AI, SageMaker Autopilot, AIMET and Apple's
# > chips use NAS." *Vertex AI* does offer NAS as a service, with latency as a possible objective;
# > how good it is, you have from its vendor. *AIMET* (Qualcomm) is a toolkit that quantises and
# > compresses networks that are trained already. *Autopilot*'s documentation names a choice among
# > ready algorithms, their hyper-parameters and ensembles, and no search of architectures. For what
# > *Apple* designs for its chips we found no public source that says how. "Uses NAS" on a product's
# > page is no evidence: ask which space, which objective, and against which baseline.

# %% tags=["setup"]
import copy
import functools
import itertools
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from nas_lib.checks import check
from nas_lib.search import History

# %% [markdown]
# ## 1 · The stopwatch
# A latency has five rules. **Warm up**: the first calls allocate memory and choose algorithms.
# **Synchronise**: a GPU returns from a call when the work is *queued*. **Time single calls**, not a
# block, or there is no spread to see. **Median and quartiles**: other programs only ever make a
# call slower, so the distribution has a long tail to one side. **Pin the threads**: how many a
# library takes depends on the machine and on what ran before.
#
# ### Exercise 6.1 · `benchmark_latency` · ●●○○○ · 10 min · 3 points
# **Why it matters.** Everything below stands on this function. A wrong one does not fail: it
# returns numbers. Example: if the calls take 50, 40 (warm-up), 1, 2, 3 and 9 s, then
# `warmup=2, repeats=4` gives (1.75, 2.5, 4.5).
#
# <details><summary>Hint: "the clock is stopped when the call has been queued"</summary>
# Where <code>synchronize</code> is given, call it three times over: after the warm-up, so that the
# queue is empty when the first timed call starts, and after <em>each</em> timed call, before you
# read the clock. </details>

# %% tags=["exercise"]
def benchmark_latency(fn, warmup, repeats, synchronize=None, clock=time.perf_counter):
    """Quartiles of the time that single calls of `fn` take.

    Args:
        fn: function without arguments.
        warmup: calls before anything is timed, ≥ 0.
        repeats: calls that are timed one by one, ≥ 1.
        synchronize: None, or a function that returns when the device has done all its work.
        clock: function that returns the time in seconds.

    Returns:
        (25th percentile, median, 75th percentile) in seconds, interpolated linearly.

    Raises:
        ValueError: warmup below 0 or repeats below 1.
    """
    ### BEGIN SOLUTION
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup must be ≥ 0 and repeats ≥ 1, got {warmup!r} and {repeats!r}")
    wait = synchronize if synchronize is not None else lambda: None
    for _ in range(warmup):
        fn()
    wait()
    seconds = []
    for _ in range(repeats):
        start = clock()
        fn()
        wait()
        seconds.append(clock() - start)
    return tuple(np.percentile(seconds, [25, 50, 75]).tolist())
    ### END SOLUTION

# %% tags=["check"]
check("benchmark_latency", benchmark_latency)

# %% [markdown]
# Now break the rules one at a time, on a network for images of CIFAR-10's size; where there is a
# GPU it runs there. Without one, a worker thread plays a device with a queue: a call returns as
# soon as the work is handed over.

# %% tags=["experiment"]
from nas_lib import deployment, latency, plotting, real_data
from nas_lib.fallbacks import or_fallback
from nas_lib.lesson import progress
from nas_lib.mobile import build_mobile
from nas_lib.networks import NetworkConfig, build_network, count_macs
from nas_lib.predictions import predict
from nas_lib.spaces import CellSpace, MobileSpace, functions

space = CellSpace()
deployed = NetworkConfig(channels=16, stages=3, in_channels=3, resolution=32, stem_stride=1)
of_table = NetworkConfig()  # in which the course's table trained every cell
bench = or_fallback("benchmark_latency", benchmark_latency)
device = "cuda" if torch.cuda.is_available() else "cpu"

# %% tags=["experiment"]
dense, pointwise = "nor_conv_3x3", "nor_conv_1x1"
cell = (dense, "skip_connect", pointwise, dense, "avg_pool_3x3", dense)
network = build_network(cell, deployed).to(device).eval()
images = torch.rand(1, 3, 32, 32, device=device)

def forward():
    with torch.inference_mode():
        network(images)

def in_ms(quartiles):
    return f"{1e3 * quartiles[1]:8.3f} ms   [{1e3 * quartiles[0]:.3f}, {1e3 * quartiles[2]:.3f}]"

wait = latency.synchronizer(device)

# %% tags=["experiment"]
guess_first = predict("How many times slower is the first call than a warm one?", ...)

# %% tags=["experiment"]
with latency.pinned_threads(1):
    cold, warm = bench(forward, 0, 1, wait), bench(forward, 10, 100, wait)
    print("no warm-up, one call       ", in_ms(cold))
    print("all rules kept             ", in_ms(warm))
    calls = [1e3 * bench(forward, 0, 1, wait)[1] for _ in range(100)]
    print(f"mean, not median            {np.mean(calls):8.3f} ms: slowest call {max(calls):.3f} ms")
    blocks = [bench(lambda: [forward() for _ in range(20)], 0, 1, wait)[1] / 20 for _ in range(5)]
    print(f"means of 5 blocks of 20     {1e3 * min(blocks):8.3f} to {1e3 * max(blocks):.3f} ms")
with latency.pinned_threads(2):
    print("two threads instead of one ", in_ms(bench(forward, 5, 25, wait)))
guess_first.beside(cold[1] / warm[1])

# %% tags=["experiment"]
if device == "cpu":
    with ThreadPoolExecutor(max_workers=1) as worker, latency.pinned_threads(1):
        jobs = []
        queue, drain = (
            (lambda: jobs.append(worker.submit(forward))),
            (lambda: [job.result() for job in jobs]),
        )
        print("queued, not synchronised   ", in_ms(bench(queue, 0, 40)))
        drain(), jobs.clear()
        print("queued, synchronised       ", in_ms(bench(queue, 2, 40, drain)))
else:
    print("not synchronised           ", in_ms(bench(forward, 10, 100)))

# %% [markdown]
# The unsynchronised number is the time to *hand over* the work, and would be the same for a network
# ten times as large.
#
# > **A common mistake.** "Depthwise convolutions have fewer MACs than pointwise ones, but are
# > slower on a GPU." The literature compares them with *dense* ones, and without synchronisation
# > the order reverses (PyTorch issue 18631).
#
# Compare fairly: one dense 3×3, one pointwise and one depthwise 3×3 convolution with **equal**
# multiply-accumulates (MACs), on the same image size, in both memory layouts.

# %% tags=["experiment"]
kinds = {
    "dense 3x3, 16 channels": torch.nn.Conv2d(16, 16, 3, padding=1),
    "pointwise, 48 channels": torch.nn.Conv2d(48, 48, 1),
    "depthwise 3x3, 256 channels": torch.nn.Conv2d(256, 256, 3, padding=1, groups=256),
}
print(f"{'batch 32, 16x16 images':30} {'MACs':>12} {'channels last':>15} {'channels first':>15}")
for name, conv in kinds.items():
    macs = 32 * 16**2 * conv.weight.numel()
    found = []
    for layout in (torch.channels_last, torch.contiguous_format):
        conv = conv.to(device).to(memory_format=layout).eval()
        x = torch.rand(32, conv.in_channels, 16, 16, device=device).contiguous(memory_format=layout)
        with torch.inference_mode(), latency.pinned_threads(1):
            found.append(bench(lambda conv=conv, x=x: conv(x), 5, 40, wait)[1])
    print(f"{name:30} {macs:12,} {1e6 * found[0]:12.0f} µs {1e6 * found[1]:12.0f} µs")

# %% [markdown]
# Equal MACs, other times: a depthwise convolution moves 256 channels through memory where the dense
# one moves 16. MACs count arithmetic only. And the layout can matter more than the operation, so it
# belongs into every table of latencies.
#
# <details><summary>What we got</summary>
#
# On an idle machine the rules make the difference between a number and noise; on a busy one the
# quartiles say so, and two threads may be slower than one. In every run of ours the depthwise
# convolution was the slowest of the three by far, above all with channels first, at 18,874,368 MACs
# for each.
#
# </details>
#
# ## 2 · A table instead of a phone
# A search wants the latency of thousands of networks, and running each on the device takes too
# long. But a space is made of few operations at few shapes: measure each of them once, and add up.
#
# ### Exercise 6.2 · `latency_table` · ●○○○○ · 4 min · 1 point
# **Why it matters.** All 15,625 cells are made of eight layers that take time. Example: two
# operations at three shapes give six entries, one of them `table["nor_conv_3x3", (16, 16, 32)]`.
#
# <details><summary>Hint: "one shape overwrites the other" or "unhashable type"</summary>
# The key is the pair <code>(op, tuple(shape))</code>. </details>

# %% tags=["exercise"]
def latency_table(ops, shapes, measure):
    """Measure every operation once at every shape.

    Args:
        ops: names of operations, at least one.
        shapes: tuples such as (channels in, channels out, height), at least one.
        measure: function of (op, shape) that returns seconds.

    Returns:
        Dict from (op, shape) to seconds, with an entry for every pair.

    Raises:
        ValueError: no operations, no shapes, or a measurement that is not a finite number of 0 or
            more seconds.
    """
    ### BEGIN SOLUTION
    if min(len(ops), len(shapes)) < 1:
        raise ValueError(f"ops and shapes must hold at least one each, got {ops!r} and {shapes!r}")
    table = {}
    for op, shape in itertools.product(ops, shapes):
        seconds = float(measure(op, shape))
        if not (np.isfinite(seconds) and seconds >= 0):
            raise ValueError(
                f"measure must give 0 or more seconds, got {seconds!r} for {op} at {shape}"
            )
        table[op, tuple(shape)] = seconds
    return table
    ### END SOLUTION

# %% tags=["check"]
check("latency_table", latency_table)

# %% [markdown]
# ### Exercise 6.3 · `predict_latency` · ●○○○○ · 3 min · 1 point
# **Why it matters.** A sum is all there is between a search and a device. Example: entries of 2 and
# 3 ms, the first layer twice, the second once, overhead 1 ms: 8 ms.
#
# <details><summary>Hint: "a layer that occurs several times takes its time several times"</summary>
# Go through <code>keys</code> as it is; a set would count each layer once. </details>

# %% tags=["exercise"]
def predict_latency(keys, table, overhead=0.0):
    """Latency of a network as the sum of its layers.

    Args:
        keys: the (op, shape) of each layer, in any order, with repetitions.
        table: dict from (op, shape) to seconds, as `latency_table` makes it.
        overhead: seconds per network that no layer accounts for, ≥ 0.

    Returns:
        Seconds, a float. A network without layers takes the overhead.

    Raises:
        ValueError: a layer that the table does not have, or an overhead that is not a number of 0
            or more.
    """
    ### BEGIN SOLUTION
    if not (np.isfinite(overhead) and overhead >= 0):
        raise ValueError(f"overhead must be 0 or more seconds, got {overhead!r}")
    total = overhead
    for key in keys:
        if key not in table:
            raise ValueError(f"keys must be entries of the table, got {key!r}")
        total += table[key]
    return float(total)
    ### END SOLUTION

# %% tags=["check"]
check("predict_latency", predict_latency)

# %% [markdown]
# Is a sum good enough? Ask it in two spaces: the cells, in the small network in which the course's
# table trained them, and `MobileSpace`, where a network has a resolution and each stage a depth, a
# kernel and an expansion. Measure 62 random networks of each. Twelve *calibrate* the sum with a
# scale and an overhead (what lies between layers is in no entry); the other fifty are new. MACs
# alone are the baseline.

# %% tags=["experiment"]
make_table = or_fallback("latency_table", latency_table)
sum_up = or_fallback("predict_latency", predict_latency)
rng, LAST = np.random.default_rng(6), torch.channels_last

def measure(op, shape):
    """Seconds of one layer on one thread: the lower quartile, as other programs only add time."""
    module = latency.build_layer(latency.Layer(op, shape)).to(device).to(memory_format=LAST).eval()
    x = torch.rand(1, shape[0], shape[2], shape[2], device=device).contiguous(memory_format=LAST)
    with torch.inference_mode(), latency.pinned_threads(1):
        return bench(lambda: module(x), 10, 100, wait)[0]

def whole(net, stem):
    net = net.to(device)
    x = torch.rand(1, stem.shape[0], stem.shape[2], stem.shape[2], device=device)
    return latency.measure_network(net.to(memory_format=LAST), x, warmup=5, repeats=40).low

# %% tags=["experiment"]
cell_archs = [space.from_index(int(i)) for i in rng.choice(len(space), 62, replace=False)]
mobile_archs = [MobileSpace().sample(rng) for _ in range(62)]
spaces = {"cells": [latency.cell_layers(arch, of_table) for arch in cell_archs]}
spaces["mobile"] = [latency.mobile_layers(arch) for arch in mobile_archs]
stages = [(w, w, s) for w, s in zip(of_table.widths, of_table.resolutions)]
table = make_table([op for op in space.ops if op != "none"], stages, measure)
# Stems, heads, bottlenecks too.
every = {layer for networks in spaces.values() for layer in itertools.chain(*networks)}
table |= {tuple(layer): measure(*layer) for layer in sorted(every - table.keys())}

# %% tags=["experiment"]
nets = {
    "cells": [build_network(arch, of_table) for arch in cell_archs],
    "mobile": [build_mobile(arch) for arch in mobile_archs],
}
measured = {"cells": [], "mobile": []}
# Twice, a while apart: a computer's speed drifts too.
for name in progress([*spaces] * 2, unit="space"):
    measured[name].append([whole(net, layers[0]) for net, layers in zip(nets[name], spaces[name])])
seconds = {latency.Layer(*key): value for key, value in table.items()}
macs = {layer: sum(work.macs for work in latency.layer_work(layer)) for layer in seconds}

# %% tags=["experiment"]
guess_cells = predict("Spearman of the sum of entries with 50 measured cells?", ...)

# %% tags=["experiment"]
calibrated, guesses = {}, {}
print(f"{'50 unseen networks':32} {'median error':>12} {'worst':>8} {'bias':>8} {'Spearman':>9}")
for name, networks in spaces.items():
    times = np.min(measured[name], axis=0)
    raw = np.array([sum_up([tuple(layer) for layer in layers], table) for layers in networks])
    # Least squares of the relative error on the first twelve networks: a scale and an overhead.
    calibrated[name], by_macs = (
        latency.LatencyTable(one).calibrated(networks[:12], times[:12]) for one in (seconds, macs)
    )
    guesses[name, "raw sum"] = raw
    guesses[name, "calibrated sum"] = calibrated[name].overhead + calibrated[name].scale * raw
    guesses[name, "calibrated MACs"] = np.array([by_macs.predict(one) for one in networks])

# %% tags=["experiment"]
fits = {}
for (name, guess), values in guesses.items():
    fit = latency.compare(values[12:], np.min(measured[name], axis=0)[12:])
    errors = f"{fit.median_error:12.1%} {fit.worst_error:8.1%} {fit.bias:+8.1%}"
    print(f"{name + ', ' + guess:32} {errors} {fit.spearman:9.3f}")
    fits[name, guess] = fit
guess_cells.beside(fits["cells", "raw sum"].spearman)

# %% tags=["experiment"]
made, panels = plotting.figure(2, 2, sharey="row")
for row, name in zip(panels, spaces):
    for ax, guess in zip(row, ("calibrated sum", "calibrated MACs")):
        x, y = 1e3 * guesses[name, guess][12:], 1e3 * np.min(measured[name], axis=0)[12:]
        labels = {"xlabel": "predicted (ms)", "ylabel": "measured (ms)"}
        plotting.scatter(x, y, ax, diagonal=True, **labels, title=f"{name}: {guess}")

# %% [markdown]
# Read the bias first: a raw sum leaves out what lies between the layers. Then compare the ranks
# with those of the MACs, in both spaces. A cell gets more MACs from more or larger layers; a mobile
# network from a larger image too, with as many layers as before. What that costs depends on whether
# a layer's time is its work or its start. The goal in practice is a median error of at most 10 %
# and a rank correlation of at least 0.95; on a busy machine, try again.
#
# <details><summary>What we got</summary>
#
# On our machine the sums ranked cells nearly perfectly, and mobile networks clearly better than
# their MACs did. Raw sums were too low for both spaces, and two calibrated numbers mended most of
# that.
#
# </details>
#
# ## 3 · A device that you do not have
# A roofline (Williams et al. 2009) knows a device by its peak arithmetic (FLOP/s) and its memory
# bandwidth (bytes/s). A layer cannot be faster than its arithmetic at the peak, nor than its
# traffic at full bandwidth; the two overlap. Every operation also pays an overhead before it does
# anything:
#
# $$t = \max\left(\frac{2 \cdot \mathrm{MACs}}{\mathrm{peak}},\;
# \frac{\mathrm{bytes}}{\mathrm{bandwidth}}\right) + \mathrm{overhead}$$
#
# ### Exercise 6.4 · `roofline_latency` · ●●○○○ · 6 min · 2 points
# **Why it matters.** It tells *why* a layer is slow, and thus whether fewer MACs would help at all.
# Example: 10⁷ MACs and 10⁶ bytes on a device with 20 GFLOP/s, 5 GB/s and no overhead take 1 ms:
# arithmetic is the limit.
#
# <details><summary>Hint: "a multiply-accumulate is two operations"</summary>
# Vendors count a multiplication and an addition as two, so a peak of 48 GFLOP/s means 24 billion
# MACs per second. </details>

# %% tags=["exercise"]
def roofline_latency(macs, bytes_moved, device):
    """Shortest time that one operation can take on a device.

    Args:
        macs, bytes_moved: multiply-accumulates, and bytes between memory and processor; both ≥ 0.
        device: has `peak` (FLOP/s), `bandwidth` (bytes/s) and `overhead` (seconds per operation).

    Returns:
        Seconds, a float.

    Raises:
        ValueError: macs or bytes_moved below 0 or NaN.
    """
    ### BEGIN SOLUTION
    if not (macs >= 0 and bytes_moved >= 0):
        raise ValueError(
            f"macs and bytes_moved must be 0 or more, got {macs!r} and {bytes_moved!r}"
        )
    return float(max(2 * macs / device.peak, bytes_moved / device.bandwidth) + device.overhead)
    ### END SOLUTION

# %% tags=["check"]
check("roofline_latency", roofline_latency)

# %% [markdown]
# Four devices, one of each class. Each figure has a source, such as `DEVICES["a100"].sources`; only
# the overhead is our assumption, since nobody publishes it. So believe the ranks here rather than
# the milliseconds. The **ridge** is where a roofline bends: a layer with fewer FLOP per byte than
# that waits for the memory, one with more for the arithmetic.

# %% tags=["experiment"]
from nas_lib.devices import DEVICES, frame_budget

roofline = or_fallback("roofline_latency", roofline_latency)

def on_device(arch, name, config=deployed):
    """Roofline of a network in ms: its convolutions and poolings one after the other."""
    profile = DEVICES[name]
    works = [
        work for layer in latency.cell_layers(arch, config) for work in latency.layer_work(layer)
    ]
    return 1e3 * sum(
        roofline(work.macs, work.bytes_moved(width=profile.width), profile) for work in works
    )

# %% tags=["experiment"]
some = rng.choice(len(space), 300, replace=False)
bounds = {
    name: np.array([on_device(space.from_index(int(i)), name) for i in some]) for name in DEVICES
}
for profile in DEVICES.values():
    limits = f"{profile.peak / 1e9:9,.0f} GFLOP/s {profile.bandwidth / 1e9:7.1f} GB/s"
    print(f"{profile.name:48} {limits}, ridge {profile.ridge:5.1f} FLOP/byte")

# %% tags=["experiment"]
guess_pi = predict("Spearman of the cells' ranks on a Raspberry Pi and on an A100?", ...)

# %% tags=["experiment"]
print("\nrank agreement (Spearman) over 300 cells:")
for a in DEVICES:
    print(f"{a:16}", "  ".join(f"{spearmanr(bounds[a], bounds[b])[0]:5.2f}" for b in DEVICES))
labels = {"xlabel": "Raspberry Pi 4, roofline (ms)", "ylabel": "A100, roofline (ms)"}
title = "The same cells on two devices"
plotting.scatter(bounds["raspberry_pi_4"], bounds["a100"], **labels, title=title)
guess_pi.beside(spearmanr(bounds["raspberry_pi_4"], bounds["a100"])[0])

# %% tags=["experiment"]
path = real_data.find_nas_bench_201()
real = {} if path is None else real_data.device_latencies(path)
if not real:
    print("Real latencies are not on this machine: the figures below have to do.")
else:
    good = np.all([np.isfinite(values) for values in real.values()], axis=0)
    print(f"\nmeasured on real devices, {good.sum():,} cells (NAS-Bench-201's networks):")
    for a, b in itertools.combinations(real, 2):
        print(f"{a:16} {b:16} {spearmanr(real[a][good], real[b][good])[0]:5.2f}")
    for name, a in (("raspberry_pi_4", "Raspberry Pi 4"), ("pixel_3", "Pixel 3")):
        found = spearmanr(real[a][some], bounds[name], nan_policy="omit")[0]
        print(f"{a:16} {'our roofline':16} {found:5.2f}")

# %% [markdown]
# The two CPUs order these cells alike; CPU and GPU agree less: on the GPU these small layers are
# all overhead, so that it counts *how many* operations a cell has, not how large they are. A search
# has to know its device.
#
# <details><summary>What we got</summary>
#
# The two CPUs agree by 1.00, the Raspberry Pi and the A100 by 0.89. Ridges lie between 2.7 and 18.4
# FLOP per byte, although the peaks differ four hundredfold.
#
# </details>
#  Over the cells that HW-NAS-Bench (Li et al. 2021) measured on all of them, as NAS-Bench-201's
# networks, a Raspberry Pi 4 and a Pixel 3 agree by 0.97, but the Pi and Eyeriss, an accelerator, by
# 0.67 only. `nas-course nb201 FILES --latencies FILE` makes the file (`docs/reproduce.md`).
#
# ## 4 · One number out of two: MnasNet's reward
# A controller or an evolution wants one number. MnasNet multiplies:
#
# $$r = \text{accuracy} \cdot \left(\frac{\text{latency}}{\text{target}}\right)^{\text{exponent}}$$
#
# Within the target the exponent is `alpha`, beyond it `beta`. *Soft*: both are −0.07. *Hard*:
# `alpha` is 0 and `beta` −1, so nothing is gained by being faster than the target.
#
# ### Exercise 6.5 · `mnasnet_reward` · ●●○○○ · 8 min · 3 points
# **Why it matters.** Most blog posts quote the soft form alone, and miss what it does to
# the target. You will see it in a minute. Example: 80 % at 20 ms with a target of 10 ms, `alpha` 0
# and `beta` −1 earns 40. At 5 ms it earns 80.
#
# <details>
# <summary>Hint: "The truth value of an array with more than one element is ambiguous"</summary>
# <code>if</code> asks one question; an array has many answers.
# <code>np.where(latency &lt;= target, alpha, beta)</code> chooses one each. </details>

# %% tags=["exercise"]
def mnasnet_reward(accuracy, latency, target, alpha=-0.07, beta=-0.07):
    """Reward of MnasNet (Tan et al. 2019, equation 2).

    Args:
        accuracy: percent, a number or an array.
        latency: of the same shape, > 0, in any unit.
        target: latency wanted, > 0, in the same unit.
        alpha, beta: exponents for networks within the target, and for slower ones.

    Returns:
        accuracy · (latency / target) ** (alpha if latency ≤ target else beta), of the shape of the
        arguments.

    Raises:
        ValueError: a latency or target that is not above 0, or an accuracy that is not finite.
    """
    ### BEGIN SOLUTION
    accuracy, latency = np.asarray(accuracy, dtype=float), np.asarray(latency, dtype=float)
    if not np.isfinite(accuracy).all():
        raise ValueError(f"accuracy must be finite numbers, got {accuracy}")
    if not (np.isfinite(latency).all() and (latency > 0).all()):
        raise ValueError(f"latency must be positive numbers, got {latency}")
    if not (np.isfinite(target) and target > 0):
        raise ValueError(f"target must be a positive number, got {target!r}")
    reward = accuracy * (latency / target) ** np.where(latency <= target, alpha, beta)
    return reward if reward.ndim else float(reward)
    ### END SOLUTION

# %% tags=["check"]
check("mnasnet_reward", mnasnet_reward)

# %% [markdown]
# Let the reward choose from *all* cells: accuracies come from the course's table, latencies from
# yours. Both are of one network, the cell in the table's small network for 12×12 images, predicted
# by the sum that you have just judged. The targets are quantiles of those latencies. Beside it
# stands what the target means: the most accurate cell within it.

# %% tags=["experiment"]
guess_soft = predict("How many different cells does the soft reward choose for 3 targets?", ...)

# %% tags=["experiment"]
from nas_lib.benchmark import TabularBenchmark

reward_of = or_fallback("mnasnet_reward", mnasnet_reward)
accuracy = TabularBenchmark.load().final("valid")
cells = [space.from_index(i) for i in range(len(space))]
layers = ([tuple(layer) for layer in latency.cell_layers(arch, of_table)] for arch in cells)
lat = np.array([sum_up(one, table) for one in layers])
lat = 1e3 * (calibrated["cells"].overhead + calibrated["cells"].scale * lat)

# %% tags=["experiment"]
print(f"{'':12} {'soft (−0.07, −0.07)':>26} {'hard (0, −1)':>24} {'most accurate within it':>26}")
soft_choices, missed = set(), 0
for share in (0.2, 0.4, 0.6):
    target = float(np.quantile(lat, share))
    soft = int(reward_of(accuracy, lat, target).argmax())
    hard = int(reward_of(accuracy, lat, target, alpha=0.0, beta=-1.0).argmax())
    best = int(np.where(lat <= target, accuracy, -1).argmax())
    soft_choices.add(soft)
    missed += accuracy[hard] != accuracy[best]
    chosen = (f"{accuracy[i]:12.2f} % at {lat[i]:5.3f} ms" for i in (soft, hard, best))
    print(f"to {target:6.3f} ms", *chosen)
print(f"hard: {missed} of 3 constrained optima missed")
guess_soft.beside(len(soft_choices))

# %% [markdown]
# Why? With one exponent the reward is accuracy · latency^exponent / target^exponent. The divisor is
# the same for every network: **the target drops out of the argmax.** The soft form sets an exchange
# rate between accuracy and latency, and no target at all.
#
# <details><summary>What we got</summary>
#
# The soft reward chose 1 cell for all three targets. The hard one chose the most accurate cell
# within the target, in some of our runs with one exception: its factor is no wall either.
#
# </details>
#
# The exponent has a price of its own. Tan et al. had seen that a model of twice the latency is
# about 5 % more accurate, *relatively*, and wanted the reward to call that a fair exchange:
# $1.05 \cdot 2^{\text{exponent}} = 1$, so that the exponent is $-\log_2 1.05 = -0.07$. It is no
# constant of nature, but what accuracy costs in their space.
#
# ### Exercise 6.6 · `hardware_aware_search` · ●●●●○ · 15 min · 4 points
# **Why it matters.** In a real space nobody can list all rewards, so the reward has to *guide* a
# search. Whoever then wants another exchange rate, or a wall, changes one function.
#
# How you propose is up to you: climb a hill, keep a population, or something else, as long as it
# learns from the *rewards*, whatever they are: below 0, or the same for all. The check asks that of
# a space of 4,096, where with a budget of 120 the 20 best evaluations have to be clearly better
# than the 20 best of random search.
#
# <details><summary>Hint: "where do I start?"</summary>
# Evaluate a few random architectures. Then, time and again, take the best so far that has an unseen
# neighbour, <code>space.neighbors(arch)</code>, and evaluate one such neighbour. A dictionary of
# the rewards remembers what was seen. </details>
# <details><summary>Hint: "the loop never ends"</summary>
# With a budget near <code>len(space)</code> hardly anything unseen is left, and drawing until it
# turns up takes for ever. Go through <code>space.from_index(i)</code> in a random order instead.
# </details>

# %% tags=["exercise"]
def hardware_aware_search(accuracy, latency, reward, space, budget, rng):
    """Search for the architecture with the largest reward of accuracy and latency.

    Args:
        accuracy: function of an architecture, percent. A call is a training: one for each
            evaluation.
        latency: function of an architecture, in any unit: a sum over a table, asked as you like.
        reward: function of (accuracy, latency) that returns a number to be maximised.
        space: has `choices`, `sample(rng)`, `neighbors(arch)`, `mutate(arch, rng)`, `index(arch)`,
            `from_index(i)`, `len(space)`; architectures are tuples.
        budget: evaluations, from 1 to len(space).
        rng: numpy Generator, the source of all randomness.

    Returns:
        History of exactly `budget` architectures in the order of evaluation, none of them twice;
        its values are their rewards.

    Raises:
        ValueError: a budget out of range, or a reward that is NaN or infinite.

    Source: Tan et al. (2019), section 3, with a reward and a search of your own.
    """
    ### BEGIN SOLUTION
    if not 1 <= budget <= len(space):
        raise ValueError(f"budget must be from 1 to {len(space)} evaluations, got {budget!r}")
    found = {}
    starts = iter(rng.permutation(len(space)).tolist())
    while len(found) < budget:
        unseen = []
        if len(found) >= 10:  # a few random ones first, then around the best
            for best in sorted(found, key=found.get, reverse=True):
                unseen = [one for one in space.neighbors(best) if one not in found]
                if unseen:
                    break
        if unseen:
            arch = unseen[rng.integers(len(unseen))]
        else:
            arch = space.from_index(next(starts))
            if arch in found:
                continue
        found[arch] = float(reward(accuracy(arch), latency(arch)))
        if not np.isfinite(found[arch]):
            raise ValueError(f"reward must give finite numbers, got {found[arch]} for {arch}")
    return History(list(found), np.array(list(found.values())))
    ### END SOLUTION

# %% tags=["check"]
check("hardware_aware_search", hardware_aware_search)

# %% [markdown]
# Now the exponents as data, with the latencies of your machine. First: what does twice the latency
# buy in this space? Then let rewards choose, with exponents from 0 to −1, and with a wall at the
# middle target: 100 evaluations, ten seeds each. The table knows the best reward and the cell that
# has it; random search gets the same budget.

# %% tags=["experiment"]
print("twice the latency buys, at best,")
for share in (0.1, 0.25, 0.5):
    once = float(np.quantile(lat, share))
    near, far = (accuracy[lat <= limit].max() for limit in (once, 2 * once))
    fair = f"{far / near - 1:+.1%}: fair at exponent {-np.log2(far / near):.2f}"
    print(f"{once:.3f} → {2 * once:.3f} ms: {near:.2f} → {far:.2f} %, {fair}")

# %% tags=["experiment"]
guess_price = predict("Accuracy of the cell that exponent −1 chooses (0: 87 %)?", ..., unit="%")

# %% tags=["experiment"]
search_for = or_fallback("hardware_aware_search", hardware_aware_search)
index, middle = {arch: i for i, arch in enumerate(cells)}, float(np.quantile(lat, 0.4))
rewards = {
    f"exponent {power:g}": functools.partial(reward_of, target=middle, alpha=power, beta=power)
    for power in (0, -0.02, -0.07, -0.3, -1)
}
rewards["wall"] = lambda percent, ms: percent if ms <= middle else 0.0
looked_up = lambda arch: accuracy[index[arch]], lambda arch: lat[index[arch]]
shares, chosen, alike = {}, {}, {}
for name, reward in progress(rewards.items(), unit="reward"):
    every = np.array([reward(percent, ms) for percent, ms in zip(accuracy, lat)])
    chosen[name], shares[name] = int(every.argmax()), []
    alike[name] = int((every > (1 - 1e-9) * every.max()).sum())
    largest = every[index[(dense,) * 6]]
    for rng in map(np.random.default_rng, range(10)):
        ours = search_for(*looked_up, reward, space, 100, rng).values.max()
        random = every[rng.choice(len(every), 100, replace=False)].max()
        shares[name].append(100 * np.array([ours, random, largest]) / every.max())

# %% tags=["experiment"]
labels = {"xlabel": "predicted latency (ms)", "ylabel": "validation accuracy (%)"}
ax = plotting.pareto(lat, accuracy, **labels, title="What each reward chooses")
print(f"{'':13} {'fair for 2x ms':>14} {'best cell':>18} {'alike':>6}  search  random  largest (%)")
for size, (name, i) in enumerate(chosen.items()):
    look = {"marker": "os^Dv*"[size], "ms": 6 + 2 * size, "mfc": "none", "linestyle": "none"}
    ax.plot(lat[i], accuracy[i], color="black", label=name, **look)
    price = f"{2 ** -rewards[name].keywords['alpha'] - 1:+.1%}" if name != "wall" else "-"
    found = " ".join(f"{share:7.2f}" for share in np.mean(shares[name], axis=0))
    print(f"{name:13} {price:>14} {accuracy[i]:7.2f} %, {lat[i]:.3f} ms {alike[name]:6} {found}")
plotting.legend(ax)
guess_price.beside(accuracy[chosen["exponent -1"]])

# %% [markdown]
# *Alike* counts the cells that share the best reward; the last three columns are the reward that
# was found, in percent of the best: by your search, by random search, and by no search, which takes
# the largest cell. An exponent says where on the front to stop paying. Which one is fair changes
# along it, so that −0.07, which Tan et al. took from their models, is a choice here.
#
# <details><summary>What we got</summary>
#
# Twice the latency bought about 184 % more accuracy among the fastest cells, then about 9.3 and
# about 1.9 %. Exponents 0, −0.02, −0.07, −0.3 and −1 chose cells of about 87.04, 86.89, 85.38,
# 79.48 and again 79.48 %. For the first three the search was ahead of random search. For the last
# two it was behind: about 341 cells share the best reward, and random draws meet one soon. The
# largest cell was nearly as good while latency cost nothing, and worth nothing beyond the wall.
#
# </details>
#
# ## 5 · No number at all: the Pareto front
# Any one reward fixes the exchange rate in advance. The alternative is to keep every network that
# no other one beats: a point **dominates** another if it is at least as accurate *and* at least as
# fast, and better in one of the two. What is not dominated is the Pareto front.
#
# ### Exercise 6.7 · `pareto_front` · ●●○○○ · 8 min · 3 points
# **Why it matters.** It is what an engineer wants to see: every sensible offer, and nothing else.
# Example: accuracies 70, 80, 75 at 1, 5, 6 ms: the front is points 0 and 1.
#
# <details><summary>Hint: "is kept, but … is equal in one, better in the other"</summary>
# Ties: of two points with equal latency only the more accurate one may stay, and of two with equal
# accuracy the faster. Sort by latency, and among equal latencies by <em>falling</em> accuracy; then
# keep a point if it is strictly more accurate than all before it. </details>

# %% tags=["exercise"]
def pareto_front(accuracy, latency):
    """Indices of the points that no other point dominates.

    Args:
        accuracy, latency: sequences or arrays (n,), n ≥ 1, to be high and to be low.

    Returns:
        Int array of indices by rising latency. Of points that are equal in both, one.

    Raises:
        ValueError: no points, shapes that are not one (n,), or numbers that are not finite.
    """
    ### BEGIN SOLUTION
    accuracy, latency = np.asarray(accuracy, dtype=float), np.asarray(latency, dtype=float)
    if accuracy.ndim != 1 or len(accuracy) < 1 or latency.shape != accuracy.shape:
        shapes = accuracy.shape, latency.shape
        raise ValueError(f"accuracy and latency must have one shape (n,) with n ≥ 1, got {shapes}")
    if not (np.isfinite(accuracy).all() and np.isfinite(latency).all()):
        raise ValueError(
            f"accuracy and latency must be finite numbers, got {accuracy} and {latency}"
        )
    front, best = [], -float("inf")
    for i in sorted(range(len(accuracy)), key=lambda i: (latency[i], -accuracy[i])):
        if accuracy[i] > best:
            front.append(i)
            best = accuracy[i]
    return np.array(front)
    ### END SOLUTION

# %% tags=["check"]
check("pareto_front", pareto_front)

# %% [markdown]
# Two searches give two fronts. Which one is better? The **hypervolume** is the area that a front
# dominates, up to a reference point that is worse than everything: one number, larger is better,
# and no exchange rate had to be named.
#
# ### Exercise 6.8 · `hypervolume_2d` · ●●●○○ · 10 min · 3 points
# **Why it matters.** It is how multi-objective searches are compared in the literature, and easily
# got wrong by overlaps. Example: reference (60 %, 10 ms). The point (70 %, 4 ms) alone covers 10 ·
# 6 = 60; with (80 %, 8 ms) it is 80.
#
# <details><summary>Hint: "the rectangles … are added, though they overlap"</summary>
# Walk along the front by rising latency. From this point's latency to the next one's (the last
# time: to the reference) the best accuracy reached is this point's. </details>

# %% tags=["exercise"]
def hypervolume_2d(accuracy, latency, reference):
    """Area that the points dominate, up to a reference point.

    Args:
        accuracy, latency: sequences or arrays (n,) with n ≥ 1, to be high and to be low.
        reference: (worst accuracy, worst latency); points not better than it in both count nothing.

    Returns:
        The area in percent times the unit of the latency, a float.

    Raises:
        ValueError: shapes that are not one (n,), numbers that are not finite, or a reference that
            is no pair.
    """
    ### BEGIN SOLUTION
    accuracy, latency = np.asarray(accuracy, dtype=float), np.asarray(latency, dtype=float)
    corner = np.asarray(reference, dtype=float)
    if accuracy.ndim != 1 or latency.shape != accuracy.shape:
        raise ValueError(
            f"accuracy and latency must have one shape (n,), got {accuracy.shape} and "
            f"{latency.shape}"
        )
    if not (np.isfinite(accuracy).all() and np.isfinite(latency).all()):
        raise ValueError(
            f"accuracy and latency must be finite numbers, got {accuracy} and {latency}"
        )
    if corner.shape != (2,) or not np.isfinite(corner).all():
        raise ValueError(f"reference must be two finite numbers, got {reference!r}")
    area, best, slowest = 0.0, corner[0], corner[1]
    # By rising latency, each point adds the strip between the best accuracy so far and its own.
    for i in sorted(range(len(accuracy)), key=lambda i: latency[i]):
        area += max(accuracy[i] - best, 0) * max(slowest - latency[i], 0)
        best = max(best, accuracy[i])
    return float(area)
    ### END SOLUTION

# %% tags=["check"]
check("hypervolume_2d", hypervolume_2d)

# %% [markdown]
# NSGA-II (Deb et al. 2002) is regularized evolution's cousin for several objectives: parents win
# tournaments by their front, and among equals by how alone they are on it. The library's searches
# your table below. (It is tested against pymoo's: their hypervolumes agree within their spread over
# seeds.) Random search gets the same budget.

# %% tags=["experiment"]
guess_volume = predict("Hypervolume that random search reaches with 300 cells?", ..., unit="%")

# %% tags=["experiment"]
from nas_lib.pareto import NSGA2, RandomMulti, run_multi
from nas_lib.rankings import mean_interval, print_verdicts

front_of = or_fallback("pareto_front", pareto_front)
volume = or_fallback("hypervolume_2d", hypervolume_2d)
reference = (float(np.median(accuracy)), float(lat.max()))
everything = volume(accuracy, lat, reference)
both = {arch: (accuracy[i], -lat[i]) for i, arch in enumerate(cells)}  # two values to be maximised

# %% tags=["experiment"]
reached = {"NSGA-II": [], "random search": []}
for seed in progress(range(20)):
    for name, searcher in (("NSGA-II", NSGA2), ("random search", RandomMulti)):
        found = run_multi(searcher(space, np.random.default_rng(seed)), both.get, 300).values
        reached[name].append(100 * volume(found[:, 0], -found[:, 1], reference) / everything)
labels = {"xlabel": "predicted latency (ms)", "ylabel": "validation accuracy (%)"}
plotting.pareto(lat, accuracy, **labels, title="All cells")
print(f"{len(front_of(accuracy, lat))} of {len(space):,} cells are on the front")
for name, shares in reached.items():
    print(f"{name:14} {np.mean(shares):.2f} ± {np.std(shares):.2f} % of the hypervolume, 20 runs")
gaps = np.subtract(*reached.values())
print_verdicts({"NSGA-II − random search": mean_interval(gaps)})  # points, Student's t
guess_volume.beside(np.mean(reached["random search"]))

# %% [markdown]
# <details><summary>What we got</summary>
#
# NSGA-II reached about 95 % of the space's hypervolume with 300 evaluations, random search about 93
# %: more than luck, by the last line. Random search is a strong baseline here too.
#
# </details>

# %% [markdown]
# ## 6 · Fewer bits
# A float32 weight takes four bytes. Most of them carry nothing: quantisation keeps an integer of a
# few bits and one scale for many weights. Symmetric, with b bits and $L = 2^{b-1} - 1$:
#
# $$s = \max|x| / L, \qquad \hat x = s \cdot \mathrm{round}(x / s).$$
#
# The result is still a float, hence *fake* quantisation. Rounding has the derivative 0 almost
# everywhere, so nothing would be learned through it. The straight-through estimator (Bengio et
# al. 2013) simply pretends that it has 1.
#
# ### Exercise 6.9 · `fake_quantize` · ●●●○○ · 12 min · 4 points
# **Why it matters.** With it a network can be trained to *live with* its quantisation, and a search
# can count bits as a decision like any other. Example: x = (1.0, −0.4) with 2 bits has L = 1 and
# s = 1: the result is (1, 0), and the gradient arrives unchanged.
#
# <details><summary>Hint: "no gradient arrives at x"</summary>
# <code>x + (rounded - x).detach()</code> has the value of <code>rounded</code> and the derivative
# 1. </details>

# %% tags=["exercise"]
def fake_quantize(x, bits, per_channel=False):
    """Round to what symmetric integers of a few bits express; the gradient passes straight through.

    Args:
        x: float tensor of any shape.
        bits: of an integer, ≥ 2; the levels are −L … L with L = 2^(bits − 1) − 1.
        per_channel: one scale for each index of axis 0, else one for all.

    Returns:
        Tensor of the shape and type of x: scale · round(x / scale) with scale = max|x| / L. Zeros
        stay zeros. The gradient at x is the one that arrives.

    Raises:
        ValueError: bits below 2, or an x that is not finite.
    """
    ### BEGIN SOLUTION
    if not isinstance(bits, int) or bits < 2:
        raise ValueError(f"bits must be an integer of 2 or more, got {bits!r}")
    if not torch.isfinite(x).all():
        raise ValueError(f"x must be finite numbers, got {x}")
    values = x.detach()
    largest = values.abs().max()
    if per_channel:
        largest = (
            values.abs().reshape(len(values), -1).amax(dim=1).reshape(-1, *[1] * (x.dim() - 1))
        )
    scale = largest / (2 ** (bits - 1) - 1)
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    rounded = torch.round(values / scale) * scale
    return x + (rounded - x).detach()
    ### END SOLUTION

# %% tags=["check"]
check("fake_quantize", fake_quantize)

# %% [markdown]
# Train six different cells for real, briefly, from three seeds each. Then round the weights of one
# to fewer and fewer bits, without any further training, with one scale per layer and with one per
# output channel. Where does it break, and can two more epochs of training *through* the quantised
# weights, with the straight-through gradient, repair it?
#
# To run this at real scale, set `DATASET = "cifar10"` (on Colab: Runtime → Change runtime type → a
# GPU). It downloads 170 MB and trains for about an hour per seed on two processor cores
# (`scripts/benchmarks/real_scale.py` foretells it); on a GPU it was not measured. With "mnist"
# (12 MB) the networks are hardly larger than here, and see 40,000 images twelve times.

# %% tags=["experiment"]
from nas_lib.quantization import deployed_bytes, fine_tuned, quantization_aware, settled
from nas_lib.training import count_correct, load_splits, recipe_for, train

torch.set_num_threads(1)  # networks this small gain nothing from more
DATASET = "cluttered_digits"
quantize = or_fallback("fake_quantize", fake_quantize)
recipe = recipe_for(DATASET)
if DATASET == "cluttered_digits":
    recipe = replace(recipe, epochs=3, train_images=2048, valid_images=1000, final_images=2000)
else:
    network_of = {"cifar10": deployed}.get(DATASET, recipe.network)
    recipe = replace(recipe, network=network_of, epochs=12, train_images=40_000)
splits, SEEDS = load_splits(recipe, DATASET).to(device), range(3)
candidates = [functions()[0][i] for i in (1753, 3506, 5259)]
candidates += [cell, (pointwise,) * 6, (dense,) + ("skip_connect",) * 5]
bar = progress([*itertools.product(candidates, SEEDS)], unit="network")
trained = {job: train(job[0], splits, recipe, job[1]).network.eval() for job in bar}

# %% tags=["experiment"]
@torch.no_grad()
def rounded_copy(network, bits, per_channel=True):
    """A copy whose convolutions have weights of so many bits."""
    twin = copy.deepcopy(network)
    for module in twin.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.weight.copy_(quantize(module.weight, bits, per_channel=per_channel))
    return twin

def accuracy_of(network, images=splits.final_valid):
    return 100 * count_correct(network, *images) / len(images[1])

# %% tags=["experiment"]
guess_bits = predict("How few bits lose less than a point, with a scale per channel?", ...)

# %% tags=["experiment"]
widths = [8, 6, 5, 4, 3, 2]
scales = {"one scale per channel": True, "one scale per layer": False}
curves = {
    name: [accuracy_of(rounded_copy(trained[cell, 0], bits, each)) for bits in widths]
    for name, each in scales.items()
}
full = accuracy_of(trained[cell, 0])
labels = {"xlabel": "bits per weight", "ylabel": "validation accuracy (%)"}
title = "One network, rounded after training (1 run)"
plotting.lines(curves, x=widths, **labels, levels={"float32": full}, title=title)
kept = [bits for bits, value in zip(widths, curves["one scale per channel"]) if value > full - 1]
guess_bits.beside(min(kept))

# %% tags=["experiment"]
for bits in (3, 2):
    aware = quantization_aware(trained[cell, 0], bits)
    before = accuracy_of(aware.eval())
    after = accuracy_of(settled(fine_tuned(aware, *splits.train).eval()))
    print(f"{bits} bits: {before:.1f} % rounded, {after:.1f} % after two epochs through it")

# %% [markdown]
# <details><summary>What we got</summary>
#
# With a scale per channel less than one point is lost down to 5 bits. At 3 bits two epochs through
# the quantisation brought all of the loss back, at 2 bits about two thirds of it.
#
# </details>

# %% [markdown]
# ## 7 · Architecture and bits together
# A flash memory has a size. Is a small network with many bits better, or a large one with few?
# Choosing the architecture first and its bits afterwards cannot find out: the best network at 8
# bits may not fit, and the best that fits at 8 bits may lose against a larger one at 4.
#
# ### Exercise 6.10 · `search_bits` · ●●●○○ · 12 min · 4 points
# **Why it matters.** Every further decision of deployment (bits, pruning, resolution) joins the
# search in this way: as another coordinate of the space.
#
# Any algorithm will do that spends the budget, proposes pairs within the limit only, and none
# twice. Sizes cost nothing, evaluations do. Example: two architectures, bits 4 and 8, three pairs
# that fit, a budget of 10: three evaluations.
#
# <details><summary>Hint: "should be a pair ((arch, bits), History)"</summary>
# <code>History(archs, values)</code> with <code>archs</code> a list of pairs
# <code>(arch, bits)</code> and <code>values</code> an array, both in the order of evaluation.
# </details>

# %% tags=["exercise"]
def search_bits(evaluate, size, archs, bit_choices, size_limit, budget, rng):
    """Search architecture and bit width together, within a limit of size.

    Args:
        evaluate, size: functions of (arch, bits) that return an accuracy in percent (costly) and a
            size (free).
        archs, bit_choices: lists of architectures and of bit widths.
        size_limit: largest size allowed, in the unit of `size`.
        budget: evaluations, ≥ 1; where fewer pairs fit, each of them is evaluated.
        rng: numpy Generator, all the randomness.

    Returns:
        ((arch, bits), History): the best pair, and all pairs evaluated with their accuracies, in
        order.

    Raises:
        ValueError: budget below 1, no pair that fits, or an accuracy that is not finite.
    """
    ### BEGIN SOLUTION
    if budget < 1:
        raise ValueError(f"budget must be 1 evaluation or more, got {budget!r}")
    fitting = [pair for pair in itertools.product(archs, bit_choices) if size(*pair) <= size_limit]
    if not fitting:
        raise ValueError(f"size_limit must let at least one pair fit, got {size_limit!r}")
    pairs, values = [], []
    for i in rng.permutation(len(fitting))[:budget]:
        value = float(evaluate(*fitting[i]))
        if not np.isfinite(value):
            raise ValueError(f"evaluate must give finite accuracies, got {value} for {fitting[i]}")
        pairs.append(fitting[i])
        values.append(value)
    return pairs[int(np.argmax(values))], History(pairs, np.array(values))
    ### END SOLUTION

# %% tags=["check"]
check("search_bits", search_bits)

# %% [markdown]
# Beside the joint search stand the usual order, first the best network that fits at 8 bits, and
# that is it; and no search, the network of the most MACs with as many bits as fit. What costs is
# the six trainings, the same for all three. What was chosen by validation images is then judged on
# test images, which chose nothing: the accuracy by which a search chose flatters it (lesson 01).
# Three seeds, each with trainings and a search of its own.

# %% tags=["experiment"]
guess_joint = predict("Points of test accuracy that the joint search gains?", ..., unit="points")

# %% tags=["experiment"]
def kilobytes(arch, bits):
    return deployed_bytes(latency.cell_layers(arch, recipe.network), bits) / 1024

joint, choices = or_fallback("search_bits", search_bits), [2, 3, 4, 6, 8]
limit = float(np.median([kilobytes(arch, 8) for arch in candidates]))
fitting = [one for one in candidates if kilobytes(one, 8) <= limit]
by_size = sorted(candidates, key=lambda one: -count_macs(one, recipe.network))
pairs = itertools.product(by_size, choices[::-1])
largest = next(pair for pair in pairs if kilobytes(*pair) <= limit)
chosen = {"together": [], "all 8 bits": [], "no search": []}

def rounded_accuracy(seed, arch, bits, images=splits.final_valid):
    return accuracy_of(rounded_copy(trained[arch, seed], bits), images)

# %% tags=["experiment"]
for seed in progress(SEEDS, unit="seed"):
    evaluate, rng = functools.partial(rounded_accuracy, seed), np.random.default_rng(seed)
    pair, _ = joint(evaluate, kilobytes, candidates, choices, limit, 20, rng)
    stepwise = max(fitting, key=functools.partial(evaluate, bits=8)), 8
    for name, (arch, bits) in zip(chosen, (pair, stepwise, largest)):
        values = evaluate(arch, bits), evaluate(arch, bits, splits.test)
        chosen[name].append((arch, bits, *values))

# %% tags=["experiment"]
pairs = list(itertools.product(candidates, choices))
rounded = [rounded_accuracy(0, *pair) for pair in pairs]
sizes = np.array([kilobytes(*pair) for pair in pairs])
xlabel = "size of the deployed network (kB)"
plotting.pareto(sizes, np.array(rounded), xlabel=xlabel, title="Six cells at five bit widths")
print(f"limit {limit:.1f} kB")
for name, found in chosen.items():
    for seed, (arch, bits, valid, test) in zip(SEEDS, found):
        print(f"{name:10} seed {seed}: {bits} bits, {kilobytes(arch, bits):4.1f} kB, ", end="")
        print(f"{valid:.1f} % in validation, {test:.1f} % in the test")
ours, *others = (np.array([one[3] for one in found]) for found in chosen.values())
gains = {f"together − {name}": ours - other for name, other in zip([*chosen][1:], others)}
print_verdicts({name: mean_interval(gain) for name, gain in gains.items()})  # points in the test
guess_joint.beside((ours - others[0]).mean())

# %% [markdown]
# <details><summary>What we got</summary>
#
# Within 25.5 kB the joint search took a larger network at 4 bits in all three seeds, and that had
# about 63 % in the test. The best that fits at 8 bits had about 49 %: about 13.5 points less. No
# search, also at 4 bits, had about 59 %: its about 3.8 points less are not decided.
#
# </details>

# %% [markdown]
# ## 8 · Ship it
# A camera reads the labels of parcels, at 30 frames per second: 1000/30 = 33.3 ms per frame.
# Capture, resizing and display take their part; suppose 10 ms, which leaves 23.3 ms on a Raspberry
# Pi 4. A label has up to 24 digits. They are cut out and read one by one, so that the network has a
# **budget of 0.97 ms** for each. The roofline is a bound that nobody reaches; suppose that the
# network reaches a third of it, and ask which of our six cells keep up.
#
# An estimate chooses the candidates; the device has the last word. What runs there is rarely
# PyTorch. So export the most accurate network *that fits this budget* to ONNX, run it in
# onnxruntime, and let it be quantised to int8, weights *and* activations, the latter calibrated on
# training images. Measure both.

# %% tags=["experiment"]
budget_ms, efficiency = frame_budget(30, other_ms=10) / 24, 1 / 3
print(f"budget {budget_ms:.2f} ms a digit; estimates at a third of the Pi's roofline:")
in_time = {}
for arch in candidates:
    estimate = on_device(arch, "raspberry_pi_4", recipe.network) / efficiency
    valid, macs = accuracy_of(trained[arch, 0]), count_macs(arch, recipe.network) / 1e6
    if fits := estimate <= budget_ms:
        in_time[arch] = valid
    verdict = "fits" if fits else "does NOT fit"
    print(f"{valid:5.1f} % (validation), {macs:4.2f} MMACs, {estimate:.2f} ms {verdict}")
shipped = max(in_time or candidates, key=lambda arch: in_time.get(arch, 0))

# %% tags=["experiment"]
guess_int8 = predict("How many times faster is int8 than float32 here?", ...)

# %% tags=["experiment"]
models, chosen = {}, trained[shipped, 0].cpu()
test_x, test_y = (part.cpu() for part in splits.test)
if deployment.missing():
    print(deployment.missing(), "The rest of the lesson goes on without.")
else:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{name}.onnx" for name in ("float32", "int8")]
        paths[0] = deployment.export_onnx(chosen, paths[0], test_x[:1])
        shown = splits.train[0][:512].cpu().numpy()
        paths[1] = deployment.quantize_int8(paths[0], paths[1], shown)
        models = {path.stem: deployment.OnnxModel(path) for path in paths}
    gap = deployment.largest_difference(chosen, models["float32"], test_x[:256])
    print(f"float32: {gap:.1e} from PyTorch, allowed {deployment.AGREEMENT:g}")
    print(f"{'PyTorch, one image':22} {latency.measure_network(chosen, test_x[:1])}")

# %% tags=["experiment"]
median = {}
for name, model in models.items():
    timings = model.time(test_x[:1].numpy())
    median[name] = timings.median
    right = model.accuracy(test_x.numpy(), test_y.tolist())
    print(f"{name:8} {timings}, test accuracy {right:.2f} %, {model.bytes / 1024:.0f} kB")
if models:
    guess_int8.beside(median["float32"] / median["int8"])

# %% [markdown]
# What was exported is the network that the budget was computed for, and its accuracy is of test
# images that chose nothing. But the milliseconds are of *this* computer; whether the Pi keeps up
# has to be measured there. And look at what its estimate is made of: the overhead of a dozen small
# operations, which is our assumption, outweighs their arithmetic by far. The cell of poolings has a
# fiftieth of the MACs of the first one, and hardly takes less time.
#
# Is int8 faster here? Nobody can tell without measuring: it depends on the processor's integer
# instructions and on how much of the network is convolution. On very small networks the conversions
# can cost more than they save. And the file of a tiny network is mostly description, so that it
# does not shrink to a quarter either.
#
# <details><summary>What we got</summary>
#
# Four of the six fit into 0.97 ms, but not the two most accurate. The one that was shipped had
# about 65 % in the test, as float32 and as int8, within half a point. int8 was the slower of the
# two here, by half, and its file half as large.
#
# </details>
#
# ## Recap
# - A latency is a measurement: warm-up, synchronisation, single calls, quartiles, pinned threads,
#   and the memory layout.
# - A table of layers plus two calibrated numbers predicts networks that were never run; MACs do not
#   see memory.
# - Devices disagree about ranks, and a roofline says why. MnasNet's soft reward is an exchange rate
#   in which the target drops out; the hard one is a target.
# - A front keeps all sensible offers, and its hypervolume compares searches: NSGA-II was ahead of
#   random search by two points of it.
# - Bits are one more decision: within one limit the joint search took a larger network at 4 bits.
#   Ship, then measure: int8 was the slower of the two here.
#
# ### Question 6.1 · `concept_06_1` · ●●○○○ · 2 min · 1 point
# On a GPU a network of 10 layers and one of 100 layers both take 0.2 ms in your measurement. Most
# likely
#
# - **a** the calls were only queued: the clock was stopped without synchronising
# - **b** the GPU computes all layers in parallel
# - **c** the warm-up was too long
# - **d** the median hides the slow calls

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_06_1 = "a"
### END SOLUTION

# %% tags=["check"]
check("concept_06_1", concept_06_1)

# %% [markdown]
# ### Question 6.2 · `concept_06_2` · ●●○○○ · 2 min · 1 point
# A layer with 5 FLOP per byte runs on a device with a ridge of 10 FLOP per byte. Which change makes
# it faster?
#
# - **a** a processor with twice the peak performance and the memory that it has now
# - **b** half the arithmetic with the same traffic
# - **c** none, since the layer is at the roofline
# - **d** int8 instead of float32 in memory, at the same arithmetic speed

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_06_2 = "d"
### END SOLUTION

# %% tags=["check"]
check("concept_06_2", concept_06_2)

# %% [markdown]
# ### Question 6.3 · `concept_06_3` · ●●●○○ · 2 min · 1 point
# With both exponents at −0.07 a search finds a network of 30 ms. You need 20 ms and set the target
# from 30 to 20. The best network is now
#
# - **a** one of at most 20 ms, if there is any in the space
# - **b** the same one as before
# - **c** one of exactly 20 ms
# - **d** a more accurate one

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_06_3 = "b"
### END SOLUTION

# %% tags=["check"]
check("concept_06_3", concept_06_3)

# %% [markdown]
# ### Question 6.4 · `concept_06_4` · ●●●○○ · 2 min · 1 point
# For *every* network the raw sum of table entries is 20 % below the measured latency. What can you
# do without calibrating?
#
# - **a** say which networks keep up with 30 frames per second, but not find the front of accuracy
#   and latency
# - **b** both, since all that counts is which network is faster
# - **c** find the Pareto front, but not say which networks keep up with 30 frames per second
# - **d** neither, since every latency is wrong

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_06_4 = "c"
### END SOLUTION

# %% tags=["check"]
check("concept_06_4", concept_06_4)

# %% [markdown]
# ### Open question 6.1 · `open_06_1` · ●●●○○ · 15 min · 4 points
# A team wants to recognise parcels with a Raspberry Pi 4 at 30 frames per second. They propose to
# search for the network with the fewest FLOPs above 90 % accuracy, on their GPU server, and to
# quantise the winner to int8 "which makes it four times faster". In eight to ten sentences: what
# would you change in this plan, in which order, and what would you measure where? Use what you
# measured in this lesson.
#
# ### BEGIN MARK SCHEME
# One point each, half points allowed:
# 1. The metric: FLOPs do not rank latencies (equal MACs took different times; memory, overhead).
# Latency on the device, or a calibrated table of it; the budget in ms after capture and
# preprocessing.
# 2. The device: ranks differ between devices, so a table from the Pi, not from the server; few
#    whole networks to calibrate.
# 3. The search: a hard target or a front instead of a soft reward; bits inside the search, not
#    after it.
# 4. int8: not four times faster by itself; measure accuracy and latency of both on the Pi,
# calibrate on training images, keep float32 if it wins; protocol (warm-up, quartiles, threads).
# ### END MARK SCHEME

# %% [markdown] tags=["answer"]
# FLOPs are the wrong target: three convolutions with equal MACs took clearly different times here.
# I would start from the budget: 33.3 ms per frame minus capture and preprocessing, measured on the
# Pi. Then a latency table on the Pi itself, in the runtime that ships, calibrated on a dozen whole
# networks; the server ranks networks differently. The search keeps a Pareto front or uses the hard
# reward, because the soft one forgets its target, and bit width is one of its decisions. Whether
# int8 is faster is measured on the Pi for the finalists, warmed up, as quartiles of single calls,
# with its accuracy on test images that played no part in the calibration. If float32 meets the
# budget and is more accurate, I would ship that.

# %% [markdown]
# ## References
# - M. Tan et al. (2019). *MnasNet: Platform-Aware Neural Architecture Search for Mobile.* CVPR.
#   [arXiv:1807.11626](https://arxiv.org/abs/1807.11626).
# - H. Cai, L. Zhu and S. Han (2019). *ProxylessNAS.* ICLR.
#   [arXiv:1812.00332](https://arxiv.org/abs/1812.00332). A differentiable expected latency.
# - B. Wu et al. (2019). *FBNet: Hardware-Aware Efficient ConvNet Design via Differentiable Neural
#   Architecture Search.* CVPR. [arXiv:1812.03443](https://arxiv.org/abs/1812.03443). A latency
#   table in a differentiable search.
# - S. Williams, A. Waterman and D. Patterson (2009). *Roofline: An Insightful Visual Performance
#   Model.* CACM 52(4).
# - C. Li et al. (2021). *HW-NAS-Bench.* ICLR. [arXiv:2103.10584](https://arxiv.org/abs/2103.10584).
# - K. Deb, A. Pratap, S. Agarwal and T. Meyarivan (2002). *A Fast and Elitist Multiobjective
#   Genetic Algorithm: NSGA-II.* IEEE TEC 6(2).
# - Y. Bengio et al. (2013). *Estimating or Propagating Gradients Through Stochastic Neurons.*
#   [arXiv:1308.3432](https://arxiv.org/abs/1308.3432).
# - R. Krishnamoorthi (2018). *Quantizing Deep Convolutional Networks for Efficient Inference.*
#   [arXiv:1806.08342](https://arxiv.org/abs/1806.08342).
#
# **Read next.** C. White et al. (2023). *Neural Architecture Search: Insights from 1000 Papers.*
# [arXiv:2301.08727](https://arxiv.org/abs/2301.08727), on hardware constraints.
