"""Networks as plain data, for checks of functions that take a network: a few layers with given weights.

`build` makes the torch module in the learner's process. Judges never need torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import Generator

if TYPE_CHECKING:
    from torch import nn

Layer = dict[str, Any]
"""`kind` ("linear", "tied", "conv", "norm", "relu", "flatten", "dropout", "dead") and its arrays.

"dead" is a linear layer that leads nowhere; "tied" one with the weight of the first layer, the same parameter.
"""


def linear(rng: Generator, n_in: int, n_out: int, *, bias: bool = True, positive: bool = False) -> Layer:
    """A linear layer with normal weights (or their absolute values) and biases."""
    weight = rng.normal(0, 0.8, size=(n_out, n_in)).round(3)
    layer: Layer = {"kind": "linear", "weight": np.abs(weight) if positive else weight}
    return layer | ({"bias": rng.normal(0, 0.5, size=n_out).round(3)} if bias else {})


def conv(rng: Generator, n_in: int, n_out: int) -> Layer:
    """A 3x3 convolution with padding, without bias."""
    return {"kind": "conv", "weight": rng.normal(0, 0.4, size=(n_out, n_in, 3, 3)).round(3)}


def norm(rng: Generator, channels: int) -> Layer:
    """A batch norm whose stored mean is below 0, while scale, shift and stored variance are nothing special."""
    return {
        "kind": "norm",
        "weight": rng.normal(1, 0.4, size=channels).round(3),
        "bias": rng.normal(0, 0.3, size=channels).round(3),
        "mean": rng.uniform(-1.0, -0.2, size=channels).round(3),
        "variance": rng.uniform(0.3, 4.0, size=channels).round(3),
    }


def build(layers: Sequence[Layer], dtype: str = "float64") -> nn.Module:
    """The layers as a module, one after the other; in training mode."""
    import torch
    from torch import nn

    made: list[nn.Module] = []
    dead: list[nn.Module] = []
    for layer in layers:
        kind = layer["kind"]
        weight: Any = layer.get("weight")
        module: nn.Module
        if kind in ("linear", "tied", "dead"):
            module = nn.Linear(weight.shape[1], weight.shape[0], bias="bias" in layer)
        elif kind == "conv":
            module = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1, bias=False)
        elif kind == "norm":
            module = nn.BatchNorm2d(len(weight))
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.copy_(torch.from_numpy(layer["mean"]))
            module.running_var.copy_(torch.from_numpy(layer["variance"]))
        elif kind == "dropout":
            module = nn.Dropout(0.5)
        else:
            module = {"relu": nn.ReLU, "flatten": nn.Flatten}[kind]()
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                parameter.copy_(torch.from_numpy(layer[name]))
        if kind == "tied":
            module.weight = made[0].weight
        (dead if kind == "dead" else made).append(module)
    alive = nn.Sequential(*made)
    net = _with_dead_ends(alive, dead) if dead else alive
    return net.to(getattr(torch, dtype))


def _with_dead_ends(alive: nn.Module, dead: Sequence[nn.Module]) -> nn.Module:
    from torch import nn

    class Network(nn.Module):
        """Computes with its first part; the rest is there and leads nowhere, as some edges of a cell do."""

        def __init__(self) -> None:
            super().__init__()
            self.unused = nn.ModuleList(dead)
            self.used = alive

        def forward(self, x: Any) -> Any:
            return self.used(x)

    return Network()


def give_gradients(net: nn.Module, value: float) -> None:
    """Leave a gradient on every parameter, as an earlier backward pass does."""
    import torch

    for parameter in net.parameters():
        parameter.grad = torch.full_like(parameter, value)


@contextmanager
def double_precision() -> Iterator[None]:
    """float64 for new tensors and layers: `torch.zeros(n, hidden)` then fits the parameters."""
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
