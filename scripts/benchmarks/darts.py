"""Measures one DARTS update, weights and alphas, of the library's supernet against the taught one, and GDAS's cost.

    python -m scripts.benchmarks.darts [--repeats N] [--sizes NAME ...] [--device cpu]      one thread, a few minutes

The baseline is lesson 04's `CellSupernet`: every operation of every edge by itself, the same mathematics. Both start
from the same weights. First their logits and gradients are compared (`difference`, relative to the largest entry), in
float64 too, since fifteen cells of ReLUs and batch norms amplify float32's rounding: the last two columns say how far
each is from float64 when it computes in float32. Then updates are timed in turn, so that a disturbance of the machine
hits both, and a ratio is taken within each repeat.
Nothing is concluded about accuracy.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional as F
from tqdm import tqdm

import solutions
from nas_lib.darts import METHODS, Bilevel, Relaxed
from nas_lib.networks import NetworkConfig
from nas_lib.spaces import EDGES, OPS
from nas_lib.supernet import MixedCell, MixedSupernet


class Size(NamedTuple):
    """A supernet and its batch."""

    config: NetworkConfig
    cells: int  # per stage
    batch: int


def _nas_bench_201(channels: int) -> Size:
    return Size(NetworkConfig(channels, 3, in_channels=3, resolution=32, stem_stride=1), cells=5, batch=16)


SIZES = {
    "course": Size(NetworkConfig(), cells=1, batch=64),
    "NAS-Bench-201, C=16": _nas_bench_201(16),
    "NAS-Bench-201, C=8": _nas_bench_201(8),
    "NAS-Bench-201, C=32": _nas_bench_201(32),
}
"""NAS-Bench-201's supernet has C=16, three stages of five cells at 32x32, batch 16; its widths around that."""

FORMATS = {"NCHW": torch.contiguous_format, "channels last": torch.channels_last}
KINDS = ("plain", "library", "GDAS")


class Row(NamedTuple):
    """Medians over the repeats: milliseconds per update, and ratios within a repeat."""

    milliseconds: dict[str, float]
    ratios: tuple[float, ...]  # plain / library, of each repeat
    gdas: float  # GDAS / library's DARTS
    difference: float
    exact: float  # the difference in float64
    rounding: float  # of the library's float32, against the taught one in float64
    rounding_plain: float  # of the taught one's float32

    @property
    def faster(self) -> float:
        """The median of the ratios."""
        return float(np.median(self.ratios))


def copy_weights(library: MixedSupernet, plain: MixedSupernet) -> None:
    """Give the taught supernet the weights of the library's."""
    state = {name: value for name, value in library.state_dict().items() if "filters" not in name}
    plain.load_state_dict(state, strict=False)
    for ours, theirs in zip(library.body, plain.body, strict=True):
        if isinstance(ours, MixedCell):
            for edge in range(len(EDGES)):
                for op in ("nor_conv_1x1", "nor_conv_3x3"):
                    module: Any = theirs.edges[edge][OPS.index(op)]  # type: ignore[index]
                    module.load_state_dict(ours.views(edge, op), strict=False)


def pair(size: Size, device: str = "cpu", seed: int = 0) -> tuple[MixedSupernet, MixedSupernet]:
    """The library's supernet and the taught one with the same weights."""
    taught = solutions.load("04_darts").CellSupernet
    library = MixedSupernet(size.config, size.cells, seed=seed)
    plain = MixedSupernet(size.config, size.cells, cell=taught, seed=seed)
    with torch.no_grad():
        library.logits.copy_(torch.randn(6, 5, generator=torch.Generator().manual_seed(seed)))
    copy_weights(library, plain)
    return library.to(device), plain.to(device)


def batches(size: Size, device: str = "cpu", seed: int = 0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """A training and a validation batch of noise."""
    draw = torch.Generator().manual_seed(seed)
    shape = size.batch, size.config.in_channels, size.config.resolution, size.config.resolution
    return [
        (
            torch.randn(shape, generator=draw).to(device),
            torch.randint(10, shape[:1], generator=draw).to(device),
        )
        for _ in range(2)
    ]


def results(
    net: MixedSupernet, batch: tuple[torch.Tensor, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and the gradient that reaches the alphas, in float64."""
    out = net(batch[0])
    (slope,) = torch.autograd.grad(F.cross_entropy(out, batch[1]), net.logits)
    return out.detach().double(), slope.double()


def difference(found: Sequence[torch.Tensor], right: Sequence[torch.Tensor]) -> float:
    """Largest deviation in any of the tensors, relative to its largest entry."""
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(found, right, strict=True))


def _updates(library: MixedSupernet, plain: MixedSupernet) -> dict[str, Bilevel]:
    methods = {"plain": "DARTS, first order", "library": "DARTS, first order", "GDAS": "GDAS"}
    made = {}
    for kind, method in methods.items():
        model = Relaxed(plain if kind == "plain" else library, METHODS[method])
        optimizers = torch.optim.SGD(model.weights(), 1e-4), torch.optim.Adam(model.alphas(), 1e-4)
        made[kind] = Bilevel(model, F.cross_entropy, *optimizers)
    return made


def measure(
    size: Size, memory_format: torch.memory_format, repeats: int, device: str = "cpu", bar: Any = None
) -> Row:
    """Times updates in turn, the order changing; one further repeat comes first and is dropped."""
    library, plain = (net.to(memory_format=memory_format) for net in pair(size, device))  # type: ignore[call-overload]
    train, valid = ((x.to(memory_format=memory_format), y) for x, y in batches(size, device))
    single = [results(net, train) for net in (library, plain)]
    doubled = [
        results(copy.deepcopy(net).double(), (train[0].double(), train[1])) for net in (library, plain)
    ]
    updates, rng = _updates(library, plain), np.random.default_rng(0)
    times = {kind: np.empty(repeats + 1) for kind in KINDS}
    for repeat in range(repeats + 1):
        for kind in rng.permutation(KINDS).tolist():
            times[kind][repeat] = _seconds(updates[kind], train, valid, device)
            if bar is not None:
                bar.update()
    kept = {kind: values[1:] for kind, values in times.items()}
    return Row(
        {kind: 1000 * float(np.median(values)) for kind, values in kept.items()},
        tuple((kept["plain"] / kept["library"]).tolist()),
        float(np.median(kept["GDAS"] / kept["library"])),
        difference(*single),
        difference(*doubled),
        difference(single[0], doubled[1]),
        difference(single[1], doubled[1]),
    )


def _seconds(update: Bilevel, train: Any, valid: Any, device: str) -> float:
    """Processor seconds on the CPU; on an accelerator seconds by the clock, until it has finished."""
    if device == "cpu":
        start = time.process_time()
        update(train, valid)
        return time.process_time() - start
    torch.cuda.synchronize()
    start = time.perf_counter()
    update(train, valid)
    torch.cuda.synchronize()
    return time.perf_counter() - start


def report(rows: dict[tuple[str, str], Row], repeats: int) -> str:
    """The measurement as a table."""
    lines = [
        f"one update of weights and alphas, median of {repeats} repeats; one thread",
        f"{'supernet':22} {'memory format':14} {'plain ms':>9} {'library ms':>11} {'faster':>7} "
        f"{'GDAS ms':>8} {'GDAS/DARTS':>11} {'difference':>11} {'in float64':>11} "
        f"{'rounding':>9} {'of plain':>9}",
    ]
    for (size, memory), row in rows.items():
        plain, library, gdas = (row.milliseconds[kind] for kind in KINDS)
        lines.append(
            f"{size:22} {memory:14} {plain:9.1f} {library:11.1f} {row.faster:6.2f}x {gdas:8.1f} "
            f"{row.gdas:11.2f} {row.difference:11.1e} {row.exact:11.1e} {row.rounding:9.1e} {row.rounding_plain:9.1e}"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=7, help="repeats that count (default: 7)")
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES), help="supernets")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    given = parser.parse_args(arguments)
    if given.repeats < 1:
        parser.error(f"--repeats must be at least 1, got {given.repeats}")
    torch.set_num_threads(1)
    total = len(given.sizes) * len(FORMATS) * (given.repeats + 1) * len(KINDS)
    rows = {}
    with tqdm(total=total, unit="update", file=sys.stdout) as bar:
        for name in given.sizes:
            for memory, memory_format in FORMATS.items():
                rows[name, memory] = measure(SIZES[name], memory_format, given.repeats, given.device, bar)
    print(report(rows, given.repeats))


if __name__ == "__main__":
    main()
