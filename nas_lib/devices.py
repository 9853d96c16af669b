"""Devices that are not at hand, as rooflines: what limits a layer there, its arithmetic or its memory traffic.

A roofline (Williams, Waterman and Patterson 2009) knows a device by two numbers, peak arithmetic and memory bandwidth.
It is a bound that real kernels stay below, not a prediction in milliseconds: use it to rank networks and to see what
limits them. Every figure says where it comes from; what no vendor publishes is named as an assumption.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nas_lib.latency import Layer, Work, layer_work

ASSUMED = "assumption"
"""How the source of a figure begins that nobody publishes."""


@dataclass(frozen=True)
class Device:
    """A roofline profile.

    Attributes:
        name: what a reader knows it by.
        peak: FLOP/s in `precision` (a multiply-accumulate is two).
        bandwidth: bytes/s between memory and processor.
        overhead: seconds per operation, before it does anything.
        precision: of numbers, "float32" or "float16".
        width: bytes per number.
        sources: for `peak`, `bandwidth` and `overhead` where the figure comes from and how it was computed.
    """

    name: str
    peak: float
    bandwidth: float
    overhead: float
    precision: str
    width: int
    sources: Mapping[str, str]

    def __post_init__(self) -> None:
        for field in ("peak", "bandwidth"):
            if not 0 < getattr(self, field) < float("inf"):
                raise ValueError(f"{field} must be a positive number, got {getattr(self, field)!r}")
        if not 0 <= self.overhead < float("inf"):
            raise ValueError(f"overhead must be 0 or more seconds, got {self.overhead!r}")

    @property
    def ridge(self) -> float:
        """FLOP per byte above which arithmetic, and below which memory, is the limit."""
        return self.peak / self.bandwidth

    def bound(self, work: Work, batch: int = 1) -> float:
        """Seconds of one operation: the longer of its arithmetic and its traffic, and the overhead."""
        arithmetic = 2 * batch * work.macs / self.peak
        traffic = work.bytes_moved(batch, self.width) / self.bandwidth
        return self.overhead + max(arithmetic, traffic)

    def network_bound(self, layers: Iterable[Layer], batch: int = 1) -> float:
        """Seconds of all convolutions and poolings of these layers, one after the other."""
        return sum(self.bound(work, batch) for layer in layers for work in layer_work(layer))


DEVICES: dict[str, Device] = {
    "raspberry_pi_4": Device(
        "Raspberry Pi 4 (4x Cortex-A72)",
        peak=48e9,
        bandwidth=5.56e9,
        overhead=20e-6,
        precision="float32",
        width=4,
        sources={
            "peak": "4 cores at 1.5 GHz (Raspberry Pi 4 Model B product brief) times 8 FLOP per cycle: two 64-bit "
            "FP/SIMD pipes with fused multiply-add (Arm, Cortex-A72 Software Optimization Guide, UAN 0016)",
            "bandwidth": "measured with STREAM (scale) on a Pi 4, 5,562 MB/s: "
            "https://www.sci-pi.org.uk/bench/stream.html; the LPDDR4-3200 interface of 32 bits could move 12.8 GB/s",
            "overhead": f"{ASSUMED}: a framework's dispatch of one operation on a slow core",
        },
    ),
    "pixel_3": Device(
        "Pixel 3 phone (4x Kryo 385 Gold)",
        peak=80e9,
        bandwidth=29.9e9,
        overhead=10e-6,
        precision="float32",
        width=4,
        sources={
            "peak": "4 large cores at 2.5 GHz (Google, Pixel 3 technical specifications) times 8 FLOP per cycle "
            "(two 64-bit FP/SIMD pipes with fused multiply-add, as in the Cortex-A75 that they derive from)",
            "bandwidth": "quad-channel (4 x 16 bit) LPDDR4X-3733, "
            "https://en.wikichip.org/wiki/qualcomm/snapdragon_800/845: 3,733 MT/s x 8 bytes; "
            "the interface's limit, not measured",
            "overhead": f"{ASSUMED}: a framework's dispatch of one operation on a fast mobile core",
        },
    ),
    "jetson_nano": Device(
        "Jetson Nano edge accelerator (128 CUDA cores)",
        peak=472e9,
        bandwidth=25.6e9,
        overhead=20e-6,
        precision="float16",
        width=2,
        sources={
            "peak": "472 GFLOP/s in float16 (NVIDIA, Jetson Nano module data sheet)",
            "bandwidth": "25.6 GB/s, 64-bit LPDDR4 (NVIDIA, Jetson Nano module data sheet)",
            "overhead": f"{ASSUMED}: a kernel launch from a slow host core",
        },
    ),
    "a100": Device(
        "A100 data-centre GPU (40 GB)",
        peak=19.5e12,
        bandwidth=1_555e9,
        overhead=5e-6,
        precision="float32",
        width=4,
        sources={
            "peak": "19.5 TFLOP/s in float32 without tensor cores (NVIDIA, A100 Tensor Core GPU data sheet)",
            "bandwidth": "1,555 GB/s HBM2 (NVIDIA, A100 Tensor Core GPU data sheet)",
            "overhead": f"{ASSUMED}: a kernel launch; microseconds are measured, for example in "
            "https://www.cs.virginia.edu/~mwb7w/cuda_support/kernel_overhead.html",
        },
    ),
}
"""One device of each class: single-board computer, phone, edge accelerator, data-centre GPU."""


def frame_budget(fps: float, other_ms: float = 0.0) -> float:
    """Milliseconds that a network may take so that a camera's frames are kept up with.

    Args:
        fps: frames per second, > 0.
        other_ms: what everything else needs per frame (capture, resizing, display), in ms, ≥ 0.

    Raises:
        ValueError: an argument out of range, or nothing is left for the network.
    """
    if not 0 < fps < float("inf"):
        raise ValueError(f"fps must be a positive number, got {fps!r}")
    if not 0 <= other_ms < 1e3 / fps:
        raise ValueError(
            f"other_ms must be from 0 up to, but without, the frame's {1e3 / fps:.1f} ms, got {other_ms!r}"
        )
    return 1e3 / fps - other_ms
