"""The five operations of a cell, and the fixed blocks around cells, in plain PyTorch.

Every block takes `groups`: with `groups=S` it holds S independent copies that lie side by side on the channel axis,
which is how `nas_lib.training.train_packed` trains several seeds at once. `groups=1` is the ordinary network.
Which operations exist is said in `nas_lib.spaces.OPS`; this module only builds them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


class ReLUConvBN(nn.Sequential):
    """ReLU, convolution, batch norm, in NAS-Bench-201's order: (B, groups·C_in, H, W) -> (B, groups·C_out, H, W)."""

    def __init__(self, c_in: int, c_out: int, kernel: int, groups: int = 1) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(groups * c_in, groups * c_out, kernel, padding=kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(groups * c_out),
        )


class Reduction(nn.Sequential):
    """Halves the resolution and changes the width between two stages.

    There is no 3x3 convolution here (NAS-Bench-201's residual block has two): all spatial work is left to the
    searched cell, so that the choice of the cell matters.
    """

    def __init__(self, c_in: int, c_out: int, groups: int = 1) -> None:
        super().__init__(nn.AvgPool2d(2), ReLUConvBN(c_in, c_out, kernel=1, groups=groups))


class Zero(nn.Module):
    """The operation `none`: its output is zero whatever comes in."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Zeros of the shape of `x`."""
        return torch.zeros_like(x)


OPERATIONS: dict[str, Callable[[int, int], nn.Module]] = {
    "none": lambda channels, groups: Zero(),
    "skip_connect": lambda channels, groups: nn.Identity(),
    "nor_conv_1x1": lambda channels, groups: ReLUConvBN(channels, channels, 1, groups),
    "nor_conv_3x3": lambda channels, groups: ReLUConvBN(channels, channels, 3, groups),
    "avg_pool_3x3": lambda channels, groups: nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
}
"""How to build each operation: name -> (channels, groups) -> module that keeps the shape (B, groups·channels, H, W)."""
