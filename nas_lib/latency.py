"""Latency: how to measure it so that the number means something, and how to predict it from a table of operations.

A network's time is measured on the machine at hand: warmed up, synchronised, with pinned threads, as many single calls
whose quartiles are kept. A `LatencyTable` measures every operation once at every shape, and predicts whole networks
as the sum of their layers, with a scale and an overhead that a few measured networks settle (MnasNet, Tan et al. 2019,
section 3; ProxylessNAS, Cai et al. 2019, section 3.3). Devices that are not at hand are in `nas_lib.devices`.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from nas_lib._numbers import is_integer
from nas_lib.mobile import BlockPlan, InvertedBottleneck, MobileConfig, plan
from nas_lib.networks import NetworkConfig, evaluating
from nas_lib.ops import OPERATIONS, Reduction
from nas_lib.spaces import Cell, MobileArch, live_edges

WARMUP, REPEATS = 10, 200
"""Calls before the clock runs, and calls that are timed one by one."""


# ------------------------------------------------------------------------------------------- measuring


@contextmanager
def pinned_threads(threads: int = 1) -> Iterator[None]:
    """Let PyTorch use exactly `threads` threads in a `with` block, and put the number back afterwards.

    How many threads a library takes by default depends on the machine, on the environment and on what ran before, so a
    latency without the number says little.

    Raises:
        ValueError: `threads` is not an integer from 1 up.
    """
    if not is_integer(threads) or threads < 1:
        raise ValueError(f"threads must be an integer from 1 up, got {threads!r}")
    before = torch.get_num_threads()
    torch.set_num_threads(int(threads))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def synchronizer(device: torch.device | str) -> Callable[[], None] | None:
    """What waits until a device has done all that was asked of it; None where every call waits by itself (the CPU).

    Calls of a GPU return when the work is *queued*. Without this the clock measures the queue. Of several GPUs it is
    the given one that is waited for ("cuda:1"); "cuda" is the one that is current when it is called.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return partial(torch.cuda.synchronize, torch.device(device))
    if kind == "mps":
        return torch.mps.synchronize
    return None


@dataclass(frozen=True, eq=False)
class Timings:
    """Single calls of one function, in the order in which they ran.

    Attributes:
        seconds: float64 (n,).
    """

    seconds: NDArray[np.float64]

    @property
    def low(self) -> float:
        """25th percentile, in seconds: the figure to compare on a busy machine, since nothing makes a call faster."""
        return float(np.percentile(self.seconds, 25))

    @property
    def median(self) -> float:
        """Median, in seconds."""
        return float(np.median(self.seconds))

    @property
    def high(self) -> float:
        """75th percentile, in seconds."""
        return float(np.percentile(self.seconds, 75))

    @property
    def spread(self) -> float:
        """Half the distance of the quartiles as a share of the median."""
        return (self.high - self.low) / 2 / self.median if self.median else 0.0

    def __str__(self) -> str:
        return f"{1e3 * self.median:.3f} ms (quartiles {1e3 * self.low:.3f} to {1e3 * self.high:.3f})"


def time_calls(
    call: Callable[[], Any],
    *,
    warmup: int = WARMUP,
    repeats: int = REPEATS,
    synchronize: Callable[[], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Timings:
    """Time single calls of a function.

    The first calls allocate memory, choose algorithms and fill caches: they run before the clock does. Each timed call
    starts on a device that has nothing left to do, and ends when its own work is done.

    Args:
        call: what is measured; its result is dropped.
        warmup: calls before the first timed one, ≥ 0.
        repeats: timed calls, ≥ 1.
        synchronize: waits for the device, see `synchronizer`.
        clock: seconds, rising.

    Raises:
        ValueError: a number out of range, or a clock that runs backwards.
    """
    for name, value, least in (("warmup", warmup, 0), ("repeats", repeats, 1)):
        if not is_integer(value) or value < least:
            raise ValueError(f"{name} must be an integer from {least} up, got {value!r}")
    wait = synchronize or (lambda: None)
    for _ in range(warmup):
        call()
    wait()
    seconds = np.empty(repeats)
    for i in range(repeats):
        started = clock()
        call()
        wait()
        seconds[i] = clock() - started
    if (seconds < 0).any():
        raise ValueError(f"clock must not run backwards, got a call of {seconds.min()} s")
    return Timings(seconds)


def measure_network(
    network: nn.Module,
    images: torch.Tensor,
    *,
    threads: int = 1,
    warmup: int = WARMUP,
    repeats: int = REPEATS,
) -> Timings:
    """Time the forward passes of a network on one batch of images, without gradients, in evaluation mode.

    Batch norms are folded into nothing: this is the network as PyTorch runs it, in channels-last memory.

    Args:
        network: any module; it is moved nowhere, and the modes of its parts are put back.
        images: (B, C, H, W), on the network's device.
        threads: of the CPU.
        warmup, repeats: see `time_calls`.
    """
    if not isinstance(images, torch.Tensor):
        raise TypeError(f"images must be a tensor (B, C, H, W), got {type(images).__name__}")
    images = images.contiguous(memory_format=torch.channels_last) if images.ndim == 4 else images
    with evaluating(network), torch.inference_mode(), pinned_threads(threads):
        return time_calls(
            lambda: network(images),
            warmup=warmup,
            repeats=repeats,
            synchronize=synchronizer(images.device),
        )


# ---------------------------------------------------------------------------------------------- layers


class Layer(NamedTuple):
    """One operation at one shape: what a latency table has an entry for.

    Attributes:
        op: its name: one of `nas_lib.spaces.OPS`, "reduction", "stem_s2", "mbconv_k3_e4_s1", "head" (of ten classes;
            of a hundred it is "head_100"), "pool".
        shape: (channels in, channels out, height of the input); images are square.
    """

    op: str
    shape: tuple[int, int, int]


class Work(NamedTuple):
    """What one convolution has to do for one image.

    Attributes:
        macs: multiply-accumulates.
        weights: numbers in its kernel.
        activations: numbers that it reads and writes.
        channels: that it puts out; each has a scale and a bias once batch norm is folded in.
    """

    macs: int
    weights: int
    activations: int
    channels: int

    def bytes_moved(self, batch: int = 1, width: int = 4) -> int:
        """Bytes between memory and processor at `width` bytes per number, everything being moved once."""
        return width * (self.weights + batch * self.activations)


_MBCONV = re.compile(r"mbconv_k(\d+)_e(\d+)_s(\d+)")
_STEM = re.compile(r"stem_s(\d+)")
_HEAD = re.compile(r"head(?:_(\d+))?")  # with the number of classes, where they are not ten
HEAD_CLASSES = 10
"""Of a head that does not say how many."""


def cell_layers(arch: Sequence[str], config: NetworkConfig | None = None) -> list[Layer]:
    """The layers that the network of a cell computes: stem, live edges of every stage, reductions, classifier.

    Edges that cannot influence the output cost no time, and `none` is no layer. Sums of nodes are no layers either;
    their time is in the scale and overhead of a calibrated table.
    """
    arch, config = Cell(arch), config or NetworkConfig()
    widths, sizes = config.widths, config.resolutions
    layers = [Layer(f"stem_s{config.stem_stride}", (config.in_channels, widths[0], config.resolution))]
    for stage, (width, size) in enumerate(zip(widths, sizes, strict=True)):
        if stage:
            layers.append(Layer("reduction", (widths[stage - 1], width, sizes[stage - 1])))
        layers += [
            Layer(op, (width, width, size))
            for op, live in zip(arch, live_edges(arch), strict=True)
            if live and op != "none"
        ]
    return [*layers, Layer("pool", (widths[-1], config.classes, sizes[-1]))]


def edge_layers(op: str, config: NetworkConfig | None = None) -> list[Layer]:
    """The layers that an operation on one live edge of the cell adds to its network: one in each stage, `none` none."""
    config = config or NetworkConfig()
    if op == "none":
        return []
    return [Layer(op, (w, w, size)) for w, size in zip(config.widths, config.resolutions, strict=True)]


def mobile_layers(arch: Sequence[float], config: MobileConfig | None = None) -> list[Layer]:
    """The layers of a mobile network: stem, inverted bottlenecks, head with its classifier."""
    arch, config = MobileArch(arch), config or MobileConfig()
    stem, channels, _ = config.scaled(arch.width)
    size = arch.resolution
    layers = [Layer("stem_s1", (config.in_channels, stem, size))]
    for block in plan(arch, config):
        name = f"mbconv_k{block.kernel}_e{block.expand}_s{block.stride}"
        layers.append(Layer(name, (block.c_in, block.c_out, size)))
        size = -(-size // block.stride)
    head = "head" if config.classes == HEAD_CLASSES else f"head_{config.classes}"
    return [*layers, Layer(head, (channels[-1], config.scaled(arch.width)[2], size))]


def build_layer(layer: Layer) -> nn.Module:
    """The module of a layer, freshly drawn, as it stands in a network.

    Raises:
        ValueError: there is no such operation.
    """
    op, (c_in, c_out, _) = layer
    if op in OPERATIONS:
        return OPERATIONS[op](c_in, 1)
    if op == "reduction":
        return Reduction(c_in, c_out)
    if op == "pool":
        return nn.Sequential(
            nn.BatchNorm2d(c_in), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Conv2d(c_in, c_out, 1), nn.Flatten()
        )
    if found := _HEAD.fullmatch(op):
        return nn.Sequential(
            nn.Conv2d(c_in, c_out, 1, bias=False),
            nn.BatchNorm2d(c_out),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(c_out, int(found[1] or HEAD_CLASSES)),
        )
    if found := _STEM.fullmatch(op):
        stride = int(found[1])
        return nn.Sequential(nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out))
    if found := _MBCONV.fullmatch(op):
        kernel, expand, stride = map(int, found.groups())
        return InvertedBottleneck(BlockPlan(0, 0, c_in, c_out, kernel, stride, expand))
    named = "reduction, pool, head, head_<classes>, stem_s<stride>, mbconv_k<k>_e<expand>_s<stride>"
    accepted = f"{', '.join(OPERATIONS)}, {named}"
    raise ValueError(f"layer must have one of the operations {accepted}, got {op!r}")


def layer_work(layer: Layer) -> list[Work]:
    """The convolutions of a layer in order, for one image; batch norms, ReLUs and sums are not counted.

    A skip connection is no work at all; a pooling has no multiply-accumulates but moves its feature maps.
    """
    op, (c_in, c_out, size) = layer
    if op == "skip_connect" or op == "none":
        return []
    if op == "avg_pool_3x3":
        return [Work(0, 0, 2 * c_in * size**2, 0)]
    if op in ("nor_conv_1x1", "nor_conv_3x3"):
        return [_conv(c_in, c_out, int(op[-1]), size, size)]
    if op == "reduction":
        return [_conv(c_in, c_out, 1, size // 2, size // 2)]
    if op == "pool":
        return [_conv(c_in, c_out, 1, 1, 1)]
    if found := _HEAD.fullmatch(op):
        return [_conv(c_in, c_out, 1, size, size), _conv(c_out, int(found[1] or HEAD_CLASSES), 1, 1, 1)]
    if found := _STEM.fullmatch(op):
        return [_conv(c_in, c_out, 3, size, -(-size // int(found[1])))]
    if found := _MBCONV.fullmatch(op):
        kernel, expand, stride = map(int, found.groups())
        hidden, after = c_in * expand, -(-size // stride)
        moved = hidden * (size**2 + after**2)
        depthwise = Work(kernel**2 * hidden * after**2, kernel**2 * hidden, moved, hidden)
        return [_conv(c_in, hidden, 1, size, size), depthwise, _conv(hidden, c_out, 1, after, after)]
    build_layer(layer)  # says what is accepted
    raise AssertionError(f"{op} can be built, but its work is not known")


def _conv(c_in: int, c_out: int, kernel: int, size: int, after: int) -> Work:
    weights = kernel**2 * c_in * c_out
    return Work(weights * after**2, weights, c_in * size**2 + c_out * after**2, c_out)


# ----------------------------------------------------------------------------------------------- table


@dataclass(frozen=True, eq=False)
class LatencyTable:
    """Seconds per layer, and what turns their sum into the latency of a network.

    predicted = `overhead` + `scale` · Σ entries. Straight from measuring, the scale is 1 and the overhead 0, which is
    too low as a rule: calls between layers, sums of nodes and cold caches are in no entry. `calibrated` settles both.

    Attributes:
        seconds: by layer.
        scale, overhead: of the prediction; the overhead in seconds.
    """

    seconds: dict[Layer, float]
    scale: float = 1.0
    overhead: float = 0.0

    @classmethod
    def measure(
        cls,
        layers: Iterable[Layer],
        *,
        batch: int = 1,
        threads: int = 1,
        warmup: int = WARMUP,
        repeats: int = REPEATS,
        device: torch.device | str = "cpu",
    ) -> LatencyTable:
        """Measure every distinct layer on random feature maps; its entry is the median of `repeats` calls.

        Args:
            layers: any number, repeated ones are measured once.
            batch: images at a time.
            threads, warmup, repeats: see `measure_network`.
            device: where to measure.
        """
        seconds = {}
        for layer in dict.fromkeys(layers):
            c_in, _, size = layer.shape
            module = build_layer(layer).to(device).to(memory_format=torch.channels_last)
            images = torch.rand(batch, c_in, size, size, device=device)
            timings = measure_network(module, images, threads=threads, warmup=warmup, repeats=repeats)
            seconds[layer] = timings.median
        return cls(seconds)

    def predict(self, layers: Iterable[Layer]) -> float:
        """Seconds that a network of these layers takes.

        Raises:
            ValueError: a layer has no entry.
        """
        total = 0.0
        for layer in layers:
            if layer not in self.seconds:
                raise ValueError(f"layers must be among the {len(self.seconds)} of this table, got {layer}")
            total += self.seconds[layer]
        return self.overhead + self.scale * total

    def calibrated(self, networks: Sequence[Iterable[Layer]], measured: ArrayLike) -> LatencyTable:
        """The same entries with the scale and overhead that fit measured networks best.

        Least squares of the *relative* error, so that slow networks do not decide alone.

        Args:
            networks: the layers of each network; two or more, of different sums. Ten are enough in practice.
            measured: seconds of each, (n,), all above 0.

        Raises:
            ValueError: too few networks, or measurements that do not fit them.
        """
        plain = replace(self, scale=1.0, overhead=0.0)
        sums = np.array([plain.predict(layers) for layers in networks])
        seconds = np.asarray(measured, dtype=float)
        if seconds.shape != sums.shape or not (np.isfinite(seconds).all() and (seconds > 0).all()):
            raise ValueError(f"measured must be {len(sums)} positive numbers of seconds, got {measured!r}")
        if len(sums) < 2 or math.isclose(sums.min(), sums.max()):
            raise ValueError(f"networks must be two or more of different sums, got the sums {sums}")
        design = np.column_stack([sums, np.ones_like(sums)]) / seconds[:, None]
        (scale, overhead), *_ = np.linalg.lstsq(design, np.ones_like(sums), rcond=None)
        return replace(self, scale=float(scale), overhead=float(overhead))


@dataclass(frozen=True)
class Fit:
    """How well predictions agree with measurements.

    Attributes:
        median_error, worst_error: of the absolute value of (predicted − measured) / measured, as shares.
        bias: median of (predicted − measured) / measured.
        spearman: rank correlation.
        networks: how many were compared.
    """

    median_error: float
    worst_error: float
    bias: float
    spearman: float
    networks: int


def compare(predicted: ArrayLike, measured: ArrayLike) -> Fit:
    """Compare predictions with measurements, both in seconds, (n,) with n ≥ 2."""
    from scipy.stats import spearmanr

    guess, truth = np.asarray(predicted, dtype=float), np.asarray(measured, dtype=float)
    if guess.shape != truth.shape or guess.ndim != 1 or len(guess) < 2:
        raise ValueError(
            f"predicted and measured must be equally many numbers, two or more, got {guess.shape} and {truth.shape}"
        )
    if not np.isfinite(guess).all():
        raise ValueError(f"predicted must be finite seconds, got {guess[~np.isfinite(guess)][0]}")
    if not (np.isfinite(truth).all() and (truth > 0).all()):
        raise ValueError(
            f"measured must be positive seconds, got {truth[~((truth > 0) & np.isfinite(truth))][0]}"
        )
    error = (guess - truth) / truth
    return Fit(
        float(np.median(np.abs(error))),
        float(np.abs(error).max()),
        float(np.median(error)),
        float(spearmanr(guess, truth)[0]),
        len(truth),
    )
