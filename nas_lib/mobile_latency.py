"""How long a network of `MobileSpace` takes, as the sum over its parts: each part is measured once, on one machine.

A look-up table makes a limit in milliseconds as cheap to check as one in MACs, which is how Once-for-All specialises
(Cai et al. 2020, section 3.4). Sums leave out what happens between the parts, so compare a chosen network with a
measurement of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import nn

from nas_lib.latency import synchronizer, time_calls
from nas_lib.mobile import MobileConfig, MobileNetwork, plan
from nas_lib.spaces import MobileArch, MobileSpace
from nas_lib.spaces.mobile import spelt

WARM_UP, CALLS = 10, 100


def milliseconds(network: nn.Module, x: torch.Tensor, warm_up: int = WARM_UP, calls: int = CALLS) -> float:
    """Lower quartile of individually timed calls, in milliseconds.

    The quartile, since whatever else the machine does only ever adds time. The network is put into evaluation mode;
    the number of threads is the caller's business.
    """
    network.eval()
    wait = synchronizer(x.device)
    with torch.inference_mode():
        return 1000.0 * time_calls(lambda: network(x), warmup=warm_up, repeats=calls, synchronize=wait).low


def parts(arch: Sequence[float], config: MobileConfig | None = None) -> list[str]:
    """Names of the parts of a network: `stem r`, each block with its shape, `head r`; r is the size of their input.

    Equal names are equal computations.
    """
    arch, config = MobileArch(arch), config or MobileConfig()
    size, width = arch.resolution, f"w{spelt(arch.width)}"
    names = [f"stem {width} r{size}"]
    for b in plan(arch, config):
        names.append(f"block {b.c_in}-{b.c_out} k{b.kernel} s{b.stride} e{b.expand} r{size}")
        size = -(-size // b.stride)
    return [*names, f"head {width} r{size}"]


def measure_parts(
    space: MobileSpace,
    config: MobileConfig | None = None,
    measure: Callable[[nn.Module, torch.Tensor], float] = milliseconds,
    device: torch.device | str = "cpu",
) -> dict[str, float]:
    """Milliseconds of every part that a network of `space` can have, one image at a time.

    Args:
        space, config: the networks.
        measure: times a module on an input; another one simulates a device.
        device: where.
    """
    config = config or MobileConfig()
    found: dict[str, float] = {}
    for arch in _covering(space):
        network, size = MobileNetwork(arch, config).to(device).eval(), arch.resolution
        modules: list[nn.Module] = [
            network.stem,
            *network.blocks,
            nn.Sequential(network.head, network.classifier),
        ]
        x = torch.zeros(1, config.in_channels, size, size, device=device)
        for name, module in zip(parts(arch, config), modules, strict=True):
            if name not in found:
                found[name] = measure(module, x)
            with torch.inference_mode():
                x = module(x)
    return found


def _covering(space: MobileSpace) -> Iterable[MobileArch]:
    """Architectures that have every part between them: full depth, and every kernel and expansion throughout."""
    resolutions, widths, depths, kernels, expands = space.choices[:5]
    stages = (len(space.choices) - 2) // 3
    for resolution in resolutions:
        for width in widths:
            for kernel in kernels:
                for expand in expands:
                    stage = (int(max(depths)), int(kernel), int(expand))
                    yield MobileArch.of(int(resolution), width, [stage] * stages)


def predicted_milliseconds(
    arch: Sequence[float], table: Mapping[str, float], config: MobileConfig | None = None
) -> float:
    """Sum of the parts.

    Raises:
        ValueError: the table lacks a part.
    """
    names = parts(arch, config)
    missing = [name for name in names if name not in table]
    if missing:
        raise ValueError(f"table must have all parts of {MobileArch(arch)}, got none for {missing[0]!r}")
    return float(sum(table[name] for name in names))
