"""Networks from architectures: a stem, stages of one cell each, and a classifier.

The network is deliberately plain, so that it can be read beside the drawing of its cell. Counting parameters and
multiply-accumulates of a cell builds nothing and lives here too; training is in `nas_lib.training`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from operator import index
from typing import Any

import torch
from torch import nn

from nas_lib._numbers import make_plain, require_counts, seed_number
from nas_lib.ops import OPERATIONS, Reduction
from nas_lib.spaces import EDGES, Cell, live_edges


@dataclass(frozen=True)
class NetworkConfig:
    """Everything about a network but its cell. The defaults are the network of the table.

    `channels` is the width of the first stage; each further stage doubles it and halves the resolution. The stem
    divides the resolution of the images by `stem_stride`.

    Raises:
        ValueError: a number that is no integer from 1 up, or stages without a pixel.
    """

    channels: int = 16
    stages: int = 2
    in_channels: int = 1
    classes: int = 10
    resolution: int = 12
    stem_stride: int = 2

    def __post_init__(self) -> None:
        make_plain(self)
        require_counts(self, *vars(self))
        if self.resolutions[-1] < 1:
            raise ValueError(
                f"resolution must leave a pixel for each of {self.stages} stages with a stem of stride "
                f"{self.stem_stride}, got {self.resolution}"
            )

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each stage."""
        return tuple(self.channels * 2**stage for stage in range(self.stages))

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Height and width of each stage's feature maps."""
        first = -(-self.resolution // self.stem_stride)  # the stem pads: a part of a stride is a pixel
        return tuple(first // 2**stage for stage in range(self.stages))


class CellBlock(nn.Module):
    """One cell: node 0 is the input, every later node sums what its incoming edges deliver, node 3 is the output.

    (B, groups·C, H, W) -> the same shape. Edges that cannot influence the output are built, since their parameters
    belong to the cell, but not computed.
    """

    def __init__(self, arch: Sequence[str], channels: int, groups: int = 1) -> None:
        super().__init__()
        self.live = live_edges(arch)
        self.edges = nn.ModuleList(OPERATIONS[op](channels, groups) for op in arch)

    def dead_layers(self) -> set[nn.Module]:
        """The layers on edges that cannot influence the output."""
        return {
            layer
            for edge, live in zip(self.edges, self.live, strict=True)
            if not live
            for layer in edge.modules()
        }

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes the nodes in order."""
        nodes: list[torch.Tensor | None] = [x, None, None, None]
        for (source, target), live, operation in zip(EDGES, self.live, self.edges, strict=True):
            if live:
                message = operation(nodes[source])
                arrived = nodes[target]
                nodes[target] = message if arrived is None else arrived + message
        output = nodes[3]
        return torch.zeros_like(x) if output is None else output


class CellNetwork(nn.Module):
    """Stem, then per stage one cell, with a `Reduction` between stages, then global average pooling and a classifier.

    Images (B, groups·in_channels, H, W) -> logits (B, classes), or (B, groups, classes) if `groups` > 1. With groups,
    the network is that many independent networks computed together: see `pack`.
    """

    def __init__(self, arch: Sequence[str], config: NetworkConfig | None = None, groups: int = 1) -> None:
        super().__init__()
        self.arch = arch = Cell(arch)
        self.config = config = config or NetworkConfig()
        self.groups = groups
        widths = config.widths
        self.stem = nn.Sequential(
            nn.Conv2d(
                groups * config.in_channels,
                groups * widths[0],
                kernel_size=3,
                stride=config.stem_stride,
                padding=1,
                groups=groups,
                bias=False,
            ),
            nn.BatchNorm2d(groups * widths[0]),
        )
        body: list[nn.Module] = []
        for stage, width in enumerate(widths):
            if stage:
                body.append(Reduction(widths[stage - 1], width, groups))
            body.append(CellBlock(arch, width, groups))
        self.body = nn.Sequential(*body)
        self.head = nn.Sequential(nn.BatchNorm2d(groups * widths[-1]), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        # A linear layer, written as 1x1 convolution because that has groups.
        self.classifier = nn.Conv2d(groups * widths[-1], groups * config.classes, 1, groups=groups)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images to logits."""
        features = self.head(self.body(self.stem(x)))
        logits = self.classifier(features).flatten(1)
        return logits if self.groups == 1 else logits.unflatten(1, (self.groups, -1))


def build_network(arch: Sequence[str], config: NetworkConfig | None = None, seed: int = 0) -> CellNetwork:
    """The network of a cell with freshly drawn weights; equal `seed` gives equal weights.

    Weights follow He et al. (2015), normal with fan-out; batch norms start at scale 1 and shift 0. Layers draw in the
    order in which they stand in the network; those of edges without influence draw from a generator of their own, so
    that such edges change nothing for the others.
    """
    network = CellNetwork(arch, config)
    generator, unused = (torch.Generator().manual_seed(seed_number(seed)) for _ in range(2))
    dead = {layer for block in network.body if isinstance(block, CellBlock) for layer in block.dead_layers()}
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            source = unused if module in dead else generator
            nn.init.kaiming_normal_(module.weight, mode="fan_out", generator=source)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network


def pack(networks: Sequence[CellNetwork]) -> CellNetwork:
    """S networks of one architecture as a single network with `groups=S` and the same weights.

    Works because every parameter and buffer has its output channels first: packing is concatenation.
    """
    if not networks:
        raise ValueError("networks is empty; accepted: one or more networks of one architecture")
    first = networks[0]
    if any(network.arch != first.arch or network.config != first.config for network in networks):
        raise ValueError("networks have different architectures or configurations; accepted: copies of one")
    packed = _like(CellNetwork(first.arch, first.config, groups=len(networks)), first)
    states = [network.state_dict() for network in networks]
    packed.load_state_dict(
        {
            name: torch.cat([state[name] for state in states]) if value.ndim else value
            for name, value in states[0].items()
        }
    )
    return packed.train(first.training)


def unpack(packed: CellNetwork) -> list[CellNetwork]:
    """The networks in a packed one, with copies of its weights: the inverse of `pack`."""
    networks = [_like(CellNetwork(packed.arch, packed.config), packed) for _ in range(packed.groups)]
    for i, network in enumerate(networks):
        state = {n: v.chunk(packed.groups)[i] if v.ndim else v for n, v in packed.state_dict().items()}
        network.load_state_dict(state)
        network.train(packed.training)
    return networks


def _like(network: CellNetwork, other: CellNetwork) -> CellNetwork:
    """On the other's device, in its precision."""
    weight = other.classifier.weight
    return network.to(weight.device, weight.dtype)


def count_params(arch: Sequence[str], config: NetworkConfig | None = None) -> int:
    """Trainable parameters of the network of `arch`, those of edges without influence included."""
    arch, config = Cell(arch), config or NetworkConfig()
    widths = config.widths
    total = config.in_channels * 9 * widths[0] + 2 * widths[0]
    total += sum(a * b + 2 * b for a, b in pairwise(widths))
    total += sum(_kernel_area(op) * w * w + 2 * w for op in arch for w in widths if _kernel_area(op))
    return total + 2 * widths[-1] + widths[-1] * config.classes + config.classes


def count_macs(arch: Sequence[str], config: NetworkConfig | None = None) -> int:
    """Multiply-accumulates of the convolutions for one image, those of edges without influence included.

    Batch norm, ReLU, pooling and sums are not counted, as is usual.
    """
    arch, config = Cell(arch), config or NetworkConfig()
    widths, areas = config.widths, [r * r for r in config.resolutions]
    total = config.in_channels * 9 * widths[0] * areas[0]
    total += sum(a * b * area for a, b, area in zip(widths, widths[1:], areas[1:], strict=False))
    total += sum(
        _kernel_area(op) * w * w * area for op in arch for w, area in zip(widths, areas, strict=True)
    )
    return total + widths[-1] * config.classes


def _kernel_area(op: Any) -> int:
    return {"nor_conv_1x1": 1, "nor_conv_3x3": 9}.get(op, 0)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode for a block; then each part is in the mode that it had, also after an error.

    Parts may differ: batch norms that are frozen evaluate within a network that trains.
    """
    modes = [(part, part.training) for part in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


@contextmanager
def _unfused() -> Iterator[None]:
    """Attention layers and Transformer blocks computed step by step in evaluation too."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def traced_macs(
    network: nn.Module, shape: Sequence[int] | torch.Tensor | tuple[Any, ...] | Mapping[str, Any]
) -> int:
    """Multiply-accumulates of one image, counted while any network computes: convolutions, products of matrices and
    vectors, recurrent layers, attention.

    PyTorch's own counter does it, with what it leaves out; `count_macs` and its kin give the same numbers without
    building anything. On the `meta` device nothing is computed, so the largest network takes a moment. The modes of its
    parts stay as they were.

    Args:
        network: any module, on any device, of any precision.
        shape: of its input with a batch of one, such as (1, 3, 224, 224); a batch of B counts B times. For a network
            that takes no images, the input itself: a tensor (as of token numbers), a tuple of all positional arguments,
            or a dict of arguments by name.

    Raises:
        TypeError: `network` is no module.
        ValueError: a shape that no input can have, or an operation whose multiply-accumulates are not known.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    if not isinstance(network, nn.Module):
        raise TypeError(f"network must be a torch.nn.Module, got {network!r}")
    positional, named = _arguments(network, shape)
    counter = FlopCounterMode(display=False, custom_mapping=_also_counted())
    # Fused kernels of attention are one call, of which the counter knows nothing on a CPU.
    try:
        with evaluating(network), torch.no_grad(), _unfused(), sdpa_kernel(SDPBackend.MATH), counter:
            network(*positional, **named)
    except Exception as error:
        if not isinstance(shape, (torch.Tensor, Mapping)):
            error.add_note(
                f"The network was given zeros of shape {shape}; other input can be given itself as `shape`."
            )
        raise
    return counter.get_total_flops() // 2


def _arguments(network: nn.Module, shape: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What the network is called with: zeros of a shape, or the input itself."""
    if isinstance(shape, torch.Tensor):
        return (shape,), {}
    if isinstance(shape, Mapping):
        return (), dict(shape)
    if isinstance(shape, tuple) and any(isinstance(one, (torch.Tensor, Mapping)) for one in shape):
        return shape, {}
    try:
        sizes = tuple(map(index, shape))
    except TypeError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise ValueError(
            "shape must be the input's, integers from 1 up such as (1, 3, 224, 224), or the input itself, "
            f"got {shape!r}"
        )
    weights = (one for one in (*network.parameters(), *network.buffers()) if one.is_floating_point())
    like = next(weights, torch.zeros(()))
    return (torch.zeros(sizes, device=like.device, dtype=like.dtype),), {}


def _also_counted() -> dict[Any, Callable[..., int]]:
    """What PyTorch's counter takes for 0: the FLOP of further operations, by the shapes of their arguments."""
    aten = torch.ops.aten

    def of_first(
        first: Any, *_: Any, **__: Any
    ) -> int:  # matrix or vector by a vector: each number of it once
        return 2 * prod(first)

    def of_second(_: Any, second: Any, *__: Any, **___: Any) -> int:
        return 2 * prod(second)

    def outer(_: Any, one: Any, other: Any, *__: Any, **___: Any) -> int:
        return 2 * prod(one) * prod(other)

    def added_batches(_: Any, one: Any, other: Any, *__: Any, **___: Any) -> int:
        return 2 * prod(one) * other[-1]

    def distances(one: Any, other: Any, *_: Any, **__: Any) -> int:
        return 2 * prod(one) * other[-2]

    def bilinear(one: Any, weight: Any, *_: Any, **__: Any) -> int:
        return 2 * one[0] * prod(weight)

    def recurrent_cpu(
        x: Any, to_hidden: Any, hidden: Any, *_: Any, **__: Any
    ) -> int:  # one layer, one direction
        return 2 * x[0] * x[1] * (prod(to_hidden) + prod(hidden))

    def recurrent_cudnn(x: Any, weights: Any, *_: Any, **__: Any) -> int:
        if len(x) != 3:
            raise ValueError(
                "network must take recurrent layers' input unpacked to be counted, got a packed sequence"
            )
        return 2 * x[0] * x[1] * sum(prod(one) for one in weights if len(one) == 2)

    def unknown(name: str) -> Callable[..., int]:
        def refuse(*_: Any, **__: Any) -> int:
            raise ValueError(
                f"network must compute by operations whose multiply-accumulates are known, got {name}"
            )

        return refuse

    found: dict[Any, Callable[..., int]] = {
        aten.mv: of_first,
        aten.dot: of_first,
        aten.vdot: of_first,
        aten.addmv: of_second,
        aten.addr: outer,
        aten.addbmm: added_batches,
        aten._euclidean_dist: distances,
        aten._cdist_forward: distances,
        aten._trilinear: bilinear,
        aten.mkldnn_rnn_layer: recurrent_cpu,
        aten._cudnn_rnn: recurrent_cudnn,
    }
    for name in ("_sparse_addmm", "_sparse_sparse_matmul", "conv_tbc", "_lstm_mps", "miopen_rnn", "_int_mm"):
        if hasattr(aten, name):  # not every version of PyTorch has each
            found[getattr(aten, name)] = unknown(name)
    return found
