"""The network of the cell space with all five operations on every edge, mixed by weights: what DARTS, SNAS and GDAS
search in.

It is the network of the table (`nas_lib.networks`) with a `MixedCell` in the place of each cell. Operations that
read the same node are computed together, and with `hard` only one operation per edge is computed at all. How the
mixing weights come about and how everything is trained is in `nas_lib.darts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas_lib._numbers import is_integer, seed_number
from nas_lib.networks import CellBlock, CellNetwork, NetworkConfig
from nas_lib.ops import Reduction
from nas_lib.spaces import EDGES, OPS, Cell

__all__ = ["MixedCell", "MixedSupernet", "inherit"]

_LEAVING = tuple(tuple(e for e, (source, _) in enumerate(EDGES) if source == node) for node in range(3))
"""Edges that leave each node but the last: they share their input."""

_KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}
_SKIP, _POOL = OPS.index("skip_connect"), OPS.index("avg_pool_3x3")
_LARGE = 8
"""Rows and columns from which pooling by additions is the faster one."""
_MOMENTUM, _EPS = 0.1, 1e-5  # of every batch norm, torch's defaults


class MixedCell(nn.Module):
    """A cell whose every edge delivers Σ_k mixing[edge, k] · op_k(input): (B, C, H, W) -> the same shape.

    The same mathematics as computing 6 x 5 operations one by one, arranged by input: the edges that leave a node
    share its ReLU and its pooling, each kernel size is one convolution with all their filters, and the mixing weight
    of a convolution is the scale of its batch norm, which has none of its own (Liu et al. 2019, section 3.1: a
    learnt scale could undo the mixing weight).

    Args:
        channels: C.
        alphas: logits (6, 5), shared by all cells of a network; `mixing` is their softmax by default.

    Raises:
        ValueError: fewer than one channel.
    """

    zeros: Tensor

    def __init__(self, channels: int, alphas: Tensor) -> None:
        super().__init__()
        if channels < 1:
            raise ValueError(f"channels must be at least 1, got {channels!r}")
        self.channels, self.alphas = channels, alphas
        self.filters = nn.ParameterDict()
        self.register_buffer("zeros", torch.zeros(len(EDGES) * channels), persistent=False)
        for op, node, edges in _groups():
            name, n = f"{op}_{node}", len(edges) * channels
            weight = torch.empty(n, channels, _KERNELS[op], _KERNELS[op])
            for part in weight.split(channels):  # fan-out is that of one operation, not of all together
                nn.init.kaiming_normal_(part, mode="fan_out")
            self.filters[name] = nn.Parameter(weight)
            self.register_buffer(f"mean_{name}", torch.zeros(n))
            self.register_buffer(f"var_{name}", torch.ones(n))

    def forward(self, x: Tensor, mixing: Tensor | None = None, hard: bool = False) -> Tensor:
        """Computes the nodes in order.

        Args:
            x: (B, C, H, W).
            mixing: (6, 5) weights of the operations; softmax of the logits by default.
            hard: every row of `mixing` is one-hot (as a number; it may carry a gradient): only the operation with
                the one is computed. Its weight gets its gradient, the weights that are zero get none, as in GDAS
                (Dong & Yang 2019, section 3.2).
        """
        if mixing is None:
            mixing = torch.softmax(self.alphas, dim=-1)
        elif mixing.shape != (len(EDGES), len(OPS)):
            raise ValueError(f"mixing must have shape ({len(EDGES)}, {len(OPS)}), got {tuple(mixing.shape)}")
        chosen = mixing.argmax(dim=-1).tolist() if hard else None
        nodes: list[Tensor | None] = [x, None, None, None]
        for node, edges in enumerate(_LEAVING):
            arrived = nodes[node]
            if arrived is None:  # only `none` leads here
                continue
            if chosen is None:
                messages: list[Tensor | None] = [*self._messages(node, arrived, mixing)]
            else:
                messages = [self._message(edge, chosen[edge], arrived, mixing) for edge in edges]
            for edge, message in zip(edges, messages, strict=True):
                target = EDGES[edge][1]
                before = nodes[target]
                if message is not None:
                    nodes[target] = message if before is None else before + message
        output = nodes[3]
        return torch.zeros_like(x) if output is None else output

    def _messages(self, node: int, x: Tensor, mixing: Tensor) -> list[Tensor]:
        """What all edges that leave `node` deliver, each (B, C, H, W)."""
        edges = _LEAVING[node]
        rows = mixing[list(edges)]
        active = F.relu(x)
        convolved = [
            self._convolved(op, node, slice(None), active, rows[:, OPS.index(op)]) for op in _KERNELS
        ]
        pooled = _pool(x)
        return [
            part + skip * x + pool * pooled
            for part, skip, pool in zip(
                (convolved[0] + convolved[1]).chunk(len(edges), dim=1), rows[:, _SKIP], rows[:, _POOL]
            )
        ]

    def _message(self, edge: int, op: int, x: Tensor, mixing: Tensor) -> Tensor | None:
        """What one edge delivers by one operation; None stands for zeros."""
        weight = mixing[edge, op]
        if OPS[op] == "none":
            return None
        if op == _SKIP:
            return weight * x
        if op == _POOL:
            return weight * _pool(x)
        node = EDGES[edge][0]
        return self._convolved(OPS[op], node, self._place(edge), F.relu(x), weight[None])

    def _convolved(self, op: str, node: int, part: slice, active: Tensor, weights: Tensor) -> Tensor:
        """Convolutions of one kernel size on one input, normalised and weighted: (B, edges·C, H, W)."""
        name = f"{op}_{node}"
        filters = self.filters[name][part]
        mean, var = self.get_buffer(f"mean_{name}")[part], self.get_buffer(f"var_{name}")[part]
        y = F.conv2d(active, filters, padding=_KERNELS[op] // 2)
        scale, shift = weights.repeat_interleave(self.channels), self.zeros[: len(filters)]
        return F.batch_norm(y, mean, var, scale, shift, self.training, _MOMENTUM, _EPS)

    def _place(self, edge: int) -> slice:
        """Where an edge's filters lie among those that share its input."""
        rank = _LEAVING[EDGES[edge][0]].index(edge)
        return slice(rank * self.channels, (rank + 1) * self.channels)

    def views(self, edge: int, op: str) -> dict[str, Tensor]:
        """The weights and statistics of one convolution, under the names of `nas_lib.ops.ReLUConvBN`'s state.

        They share memory with the cell: copying into them loads an operation.
        """
        name, part = f"{op}_{EDGES[edge][0]}", self._place(edge)
        return {
            "1.weight": self.filters[name].detach()[part],
            "2.running_mean": self.get_buffer(f"mean_{name}")[part],
            "2.running_var": self.get_buffer(f"var_{name}")[part],
        }


def _groups() -> Iterator[tuple[str, int, tuple[int, ...]]]:
    """(kernel size by its op's name, node, edges that leave it): one convolution each."""
    for op in _KERNELS:
        for node, edges in enumerate(_LEAVING):
            yield op, node, edges


def _pool(x: Tensor) -> Tensor:
    """Averages over the neighbours that there are, (B, C, H, W) -> the same shape.

    On processors torch's own pooling, unless channels come last, takes several times as long as additions of whole
    maps, once these are large.
    """
    if x.device.type != "cpu" or min(x.shape[-2:]) < _LARGE or not x.is_contiguous():
        return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    sums: Tensor = _Sums.apply(x)
    return sums * _share(*x.shape[-2:], x.dtype)


class _Sums(torch.autograd.Function):
    """Sums over neighbourhoods of 3x3, with zeros beyond the edges. It is its own transpose: backward is forward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        rows = x.clone()
        rows[..., 1:, :] += x[..., :-1, :]
        rows[..., :-1, :] += x[..., 1:, :]
        sums = rows.clone()
        sums[..., 1:] += rows[..., :-1]
        sums[..., :-1] += rows[..., 1:]
        return sums

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        found: Tensor = _Sums.apply(*gradients)
        return found


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # what is kept must do for training, whoever asks first
def _share(height: int, width: int, dtype: torch.dtype) -> Tensor:
    """One over the number of neighbours, itself included, of each pixel: (height, width)."""
    counted: Tensor = _Sums.apply(torch.ones(height, width, dtype=dtype))
    return 1 / counted


class MixedSupernet(nn.Module):
    """Stem, stages of mixed cells, and classifier: the network of `nas_lib.networks` with nothing decided yet.

    Images (B, in_channels, H, W) -> logits (B, classes).

    Args:
        config: widths, resolution and so on; by default those of the table.
        cells: cells in each stage. The table's network has one; NAS-Bench-201's has five.
        cell: makes a cell from (channels, logits); `MixedCell` by default. `mixing` and `hard` of `forward` need
            one that takes them.
        seed: of the initial weights. The logits start at 1e-3 times a standard normal, as in DARTS.

    Raises:
        ValueError: fewer than one cell per stage.
    """

    def __init__(
        self,
        config: NetworkConfig | None = None,
        cells: int = 1,
        cell: Callable[[int, nn.Parameter], nn.Module] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not is_integer(cells) or cells < 1:
            raise ValueError(f"cells must be at least 1 per stage, an integer, got {cells!r}")
        self.config = config = config or NetworkConfig()
        make = cell or MixedCell
        with torch.random.fork_rng(devices=[]):  # torch's layers take their weights from the global generator
            torch.manual_seed(seed_number(seed))
            self.logits = nn.Parameter(1e-3 * torch.randn(len(EDGES), len(OPS)))
            widths = config.widths
            self.stem = nn.Sequential(
                nn.Conv2d(config.in_channels, widths[0], 3, config.stem_stride, padding=1, bias=False),
                nn.BatchNorm2d(widths[0]),
            )
            body: list[nn.Module] = []
            for stage, width in enumerate(widths):
                if stage:
                    body.append(Reduction(widths[stage - 1], width))
                body.extend(make(width, self.logits) for _ in range(cells))
            self.body = nn.ModuleList(body)
            self.head = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
            self.classifier = nn.Conv2d(widths[-1], config.classes, 1)

    def forward(self, x: Tensor, mixing: Tensor | None = None, hard: bool = False) -> Tensor:
        """Images to logits; `mixing` and `hard` as in `MixedCell.forward`, the same for all cells."""
        x = self.stem(x)
        for block in self.body:
            x = block(x) if mixing is None or isinstance(block, Reduction) else block(x, mixing, hard)
        return self.classifier(self.head(x)).flatten(1)

    def weights(self) -> list[nn.Parameter]:
        """Everything that is trained on training images: all parameters but the logits."""
        return [one for one in self.parameters() if one is not self.logits and one.requires_grad]

    def alphas(self) -> list[nn.Parameter]:
        """What is trained on validation images: the logits, one tensor (6, 5)."""
        return [self.logits]


def inherit(supernet: MixedSupernet, arch: Sequence[str]) -> CellNetwork:
    """The network of one cell with copies of the supernet's weights and statistics, nothing trained.

    Works for `MixedCell` and for cells with a module per operation, `cell.edges[edge][position in OPS]`.

    Raises:
        ValueError: the supernet has several cells per stage, which `CellNetwork` has not.
    """
    arch = Cell(arch)
    network = CellNetwork(arch, supernet.config).to(supernet.logits.device, supernet.logits.dtype)
    if len(network.body) != len(supernet.body):
        raise ValueError(
            f"supernet must have one cell per stage, got {len(supernet.body)} blocks in its body"
        )
    for name in ("stem", "head", "classifier"):
        getattr(network, name).load_state_dict(getattr(supernet, name).state_dict())
    for ours, theirs in zip(network.body, supernet.body, strict=True):
        if not isinstance(ours, CellBlock):
            ours.load_state_dict(theirs.state_dict())
            continue
        for edge, op in enumerate(arch):
            if op in _KERNELS:
                ours.edges[edge].load_state_dict(_state(theirs, edge, op), strict=False)
    return network.train(supernet.training)


def _state(cell: Any, edge: int, op: str) -> dict[str, Tensor]:
    if isinstance(cell, MixedCell):
        return cell.views(edge, op)
    return cell.edges[edge][OPS.index(op)].state_dict()
