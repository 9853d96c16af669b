"""What counts as a number in an argument: Python's and numpy's, but no truth value.

Seeds, budgets and sizes come out of `np.arange` and `np.linspace` as often as they are written by hand.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeGuard

import numpy as np


def is_integer(value: Any) -> TypeGuard[int]:
    """Is it a whole number by its type?"""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_number(value: Any) -> TypeGuard[float]:
    """Is it a real number by its type, whole or not?"""
    return is_integer(value) or isinstance(value, (float, np.floating))


def seed_number(seed: Any) -> int:
    """A seed as torch's generators take it, which refuse numpy's integers.

    Raises:
        TypeError, ValueError: no integer, or a negative one.
    """
    accepted = "seed must be an integer from 0 up"
    if not is_integer(seed):
        raise TypeError(f"{accepted}, got {seed!r}")
    if seed < 0:
        raise ValueError(f"{accepted}, got {seed!r}")
    return int(seed)


def make_plain(settings: Any) -> None:
    """Replace numpy's scalars in a frozen dataclass by Python's numbers, and lists by tuples.

    `torch.load` does not read numpy's back from a file that it distrusts, nor has a list a hash.
    """
    for field in fields(settings):
        object.__setattr__(settings, field.name, _plain(getattr(settings, field.name)))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return (
        tuple(map(_plain, value)) if isinstance(value, (list, np.ndarray)) or type(value) is tuple else value
    )


def require_counts(settings: Any, *names: str) -> None:
    """ValueError unless these attributes are integers from 1 up."""
    for name in names:
        value = getattr(settings, name)
        if not is_integer(value) or value < 1:
            raise ValueError(f"{name} must be an integer from 1 up, got {value!r}")
