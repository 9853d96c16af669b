"""Processor time as the reference machine would count it, on any machine, however busy.

A fixed small computation of the kinds that checks consist of is timed beside what is measured; the two share whatever
slows this machine down. The reference machine is a quiet core on which that takes `UNIT` seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

UNIT = 0.05


def takes_at_most(limit: float, call: Callable[[], Any], attempts: int = 3) -> bool:
    """Would `call` end there within `limit` processor seconds? One attempt is enough: others only add to it."""
    return any(_seconds(call) / _seconds(_unit) * UNIT <= limit for _ in range(attempts))


def _seconds(call: Callable[[], Any]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def _unit() -> None:
    """Python, small arrays and small tensors, a third of the time each."""
    rng, total = np.random.default_rng(0), 0
    for i in range(330_000):
        total += i % 7
    for _ in range(1_700):
        np.sort(rng.normal(size=(8, 32)), axis=1).cumsum()
    weights = torch.ones(16, 16, requires_grad=True)
    for _ in range(240):
        torch.tanh(weights @ weights.T).sum().backward()
