"""Devices that are not at hand, as rooflines: what limits a layer there, its arithmetic or its memory traffic.

A roofline (Williams, Waterman and Patterson 2009) knows a device by two numbers, peak arithmetic and memory bandwidth.
It is a bound that real kernels stay below, not a prediction in milliseconds: use it to rank networks and to see what
limits them. Every figure says where it comes from; what nobody publishes is named as an assumption. Only the Raspberry
Pi's bandwidth is measured; the other three are limits of the memory interface, and flatter their devices by that much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nas_lib._numbers import is_number
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
            if not is_number(getattr(self, field)) or not 0 < getattr(self, field) < float("inf"):
                raise ValueError(f"{field} must be a positive number, got {getattr(self, field)!r}")
        if not is_number(self.overhead) or not 0 <= self.overhead < float("inf"):
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


# Peaks and bandwidths are written as the products that they are. A fused multiply-add is two FLOP.
DEVICES: dict[str, Device] = {
    "raspberry_pi_4": Device(
        "Raspberry Pi 4 (4x Cortex-A72)",
        peak=4 * 8 * 1.5e9,
        bandwidth=5_561.9e6,
        overhead=20e-6,
        precision="float32",
        width=4,
        sources={
            "peak": "cores x FLOP per cycle x clock. 4 cores at 1.5 GHz (specifications, "
            "https://magpi.raspberrypi.com/articles/raspberry-pi-4-specs-benchmarks; boards with the C0 chip, from "
            "2021 on, run at 1.8 GHz). 8 FLOP per cycle: one multiply-add of four float32, as measured on a "
            "Cortex-A72, 15.9 GFLOP/s of one core at 2.0 GHz (https://wlog.flatlib.jp/2015/10/30/n1787/)",
            "bandwidth": "measured with STREAM on a Pi 4, its fastest kernel (scale), "
            "https://www.sci-pi.org.uk/bench/stream.html",
            "overhead": f"{ASSUMED}: a framework's dispatch of one operation on a slow core",
        },
    ),
    "pixel_3": Device(
        "Pixel 3 phone (4x Kryo 385 Gold)",
        peak=4 * 8 * 2.5e9,
        bandwidth=4 * 16 / 8 * 3_733e6,
        overhead=10e-6,
        precision="float32",
        width=4,
        sources={
            "peak": "large cores x FLOP per cycle x clock. 4 cores at 2.5 GHz "
            "(https://wiki.lineageos.org/devices/blueline; the chip, a Snapdragon 845, allows 2.8). 8 FLOP per cycle: "
            "one multiply-add of four float32, as measured on this chip at its full clock, 22.3 GFLOP/s of one large "
            "core and 84.4 of four (https://wlog.flatlib.jp/2019/1/5/)",
            "bandwidth": "channels x bytes x transfers: 4 x 16 bit of LPDDR4X-3733 (Snapdragon 845, "
            "https://en.wikichip.org/wiki/qualcomm/snapdragon_800/845; the width from "
            "https://www.anandtech.com/show/12114); the interface's limit",
            "overhead": f"{ASSUMED}: a framework's dispatch of one operation on a fast mobile core",
        },
    ),
    "jetson_nano": Device(
        "Jetson Nano edge accelerator (128 CUDA cores)",
        peak=2 * 256 * 922e6,
        bandwidth=64 / 8 * 2 * 1_600e6,
        overhead=20e-6,
        precision="float16",
        width=2,
        sources={
            "peak": "FLOP x multiply-adds per cycle x clock: NVIDIA's 472 GFLOP/s (Jetson Nano specifications). 256 "
            "float16 multiply-adds per cycle and multiprocessor of compute capability 5.3 (CUDA C Programming Guide, "
            "throughput of native arithmetic instructions); one multiprocessor at 922 MHz (deviceQuery, "
            "https://gist.github.com/r7vme/45ad34e9c2e8d8cd1c01d94975ee6bee)",
            "bandwidth": "bytes x 2 transfers per cycle x clock: 64-bit LPDDR4 at 1,600 MHz, NVIDIA's 25.6 GB/s "
            "(Jetson Nano specifications); the interface's limit",
            "overhead": f"{ASSUMED}: a kernel launch from a slow host core",
        },
    ),
    "a100": Device(
        "A100 data-centre GPU (40 GB)",
        peak=2 * 6_912 * 1.41e9,
        bandwidth=5_120 / 8 * 2 * 1_215e6,
        overhead=5e-6,
        precision="float32",
        width=4,
        sources={
            "peak": "FLOP x cores x boost clock, without tensor cores: NVIDIA's 19.5 TFLOP/s (A100 data sheet). "
            "6,912 cores at 1,410 MHz (deviceQuery, https://upb-pc2.atlassian.net/wiki/spaces/PC2DOK/pages/1900609)",
            "bandwidth": "bytes x 2 transfers per cycle x clock: NVIDIA's 1,555 GB/s (A100 data sheet). 5,120-bit HBM2 "
            "at 1,215 MHz (deviceQuery, same address); the interface's limit",
            "overhead": f"{ASSUMED}: a kernel launch from a fast host core",
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
    if not is_number(fps) or not 0 < fps < float("inf"):
        raise ValueError(f"fps must be a positive number, got {fps!r}")
    if not is_number(other_ms) or not 0 <= other_ms < 1e3 / fps:
        raise ValueError(
            f"other_ms must be from 0 up to, but without, the frame's {1e3 / fps:.1f} ms, got {other_ms!r}"
        )
    return 1e3 / fps - other_ms
