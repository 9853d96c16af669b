"""Networks as plain data, for checks of functions that take a network: a few layers with given weights.

`build` makes the torch module in the learner's process; `snapshot` notes everything about it that a scoring function
must leave alone. Judges never need torch.
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
"""`kind` ("linear", "conv", "norm", "relu", "flatten", "dropout", "dead") and its arrays."""


def linear(rng: Generator, n_in: int, n_out: int, *, bias: bool = True, positive: bool = False) -> Layer:
    """A linear layer with normal weights (or their absolute values) and biases."""
    weight = rng.normal(0, 0.8, size=(n_out, n_in))
    layer: Layer = {"kind": "linear", "weight": np.abs(weight) if positive else weight}
    return layer | ({"bias": rng.normal(0, 0.5, size=n_out)} if bias else {})


def conv(rng: Generator, n_in: int, n_out: int) -> Layer:
    """A 3x3 convolution with padding, without bias."""
    return {"kind": "conv", "weight": rng.normal(0, 0.4, size=(n_out, n_in, 3, 3))}


def norm(rng: Generator, channels: int) -> Layer:
    """A batch norm whose stored mean is 0, while scale, shift and stored variance are nothing special."""
    return {
        "kind": "norm",
        "weight": rng.normal(1, 0.4, size=channels),
        "bias": rng.normal(0, 0.3, size=channels),
        "variance": rng.uniform(0.3, 4.0, size=channels),
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
        if kind in ("linear", "dead"):
            module = nn.Linear(weight.shape[1], weight.shape[0], bias="bias" in layer)
        elif kind == "conv":
            module = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1, bias=False)
        elif kind == "norm":
            module = nn.BatchNorm2d(len(weight))
            assert module.running_var is not None
            module.running_var.copy_(torch.from_numpy(layer["variance"]))
        elif kind == "dropout":
            module = nn.Dropout(0.5)
        else:
            module = {"relu": nn.ReLU, "flatten": nn.Flatten}[kind]()
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                parameter.copy_(torch.from_numpy(layer[name]))
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


def snapshot(net: nn.Module) -> dict[str, Any]:
    """Everything of a network that a score must not change, as comparable values by a phrase for messages."""
    parameters, buffers = list(net.parameters()), list(net.buffers())
    return {
        "the type of its parameters": [str(p.dtype) for p in parameters],
        "its parameters": [p.detach().double().numpy().copy() for p in parameters],
        "the gradients on its parameters": [
            None if p.grad is None else p.grad.double().numpy().copy() for p in parameters
        ],
        "the stored statistics of its batch norms": [b.double().numpy().copy() for b in buffers],
        "its mode (train or eval)": [module.training for module in net.modules()],
        "which parameters need a gradient": [p.requires_grad for p in parameters],
    }


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What differs between two snapshots."""
    return [what for what in before if not _equal(before[what], after[what])]


def _equal(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return len(one) == len(other) and all(
        type(a) is type(b) and (np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b)
        for a, b in zip(one, other)
    )


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
