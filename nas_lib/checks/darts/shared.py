"""What the checks of lesson 04 share: numbers as lists and as tensors, and gradients that may not arrive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import Generator

LESSON = "04_darts"
DIGITS = 9
"""Decimals of what comes back: beyond them a number depends on the processor."""


def normal(rng: Generator, *shape: int, scale: float = 1.0) -> Any:
    """Normal numbers with three decimals, as nested lists."""
    return np.round(scale * rng.normal(size=shape), 3).tolist()


def tensor(value: Any, grad: bool = False, dtype: str = "float64") -> Any:
    """Numbers as a tensor, a leaf with `grad`."""
    import torch

    return torch.tensor(value, dtype=getattr(torch, dtype), requires_grad=grad)


def slopes(result: Any, upstream: Any, leaves: Sequence[Any], keep: bool = False) -> list[Any]:
    """Gradient of Σ result · upstream by each leaf; zeros where none arrives, or where the result does not fit.

    With `keep`, what was computed once and for all can be differentiated again.
    """
    import torch

    zeros = [torch.zeros_like(one) for one in leaves]
    learning = [one for one in leaves if one.requires_grad]
    if not learning or not isinstance(result, torch.Tensor) or not result.requires_grad:
        return zeros
    if result.shape != upstream.shape:
        return zeros
    total = (result * upstream).sum()
    found = iter(torch.autograd.grad(total, learning, allow_unused=True, retain_graph=keep))
    arrived = [next(found) if one.requires_grad else None for one in leaves]
    return [zero if slope is None else slope for zero, slope in zip(zeros, arrived)]


def rounded(value: Any) -> Any:
    """A tensor without what differs between processors; anything else as it is."""
    import torch

    if not isinstance(value, torch.Tensor) or not value.is_floating_point():
        return value
    return value.detach().double().round(decimals=DIGITS)
