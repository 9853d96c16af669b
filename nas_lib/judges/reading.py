"""Readers of plain data for judges: numbers, integers and cells out of whatever came back, or a verdict on
its form.

They raise `Unacceptable` with a sentence for the learner. They know no exercise and compare nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_lib.checks.codec import describe
from nas_lib.checks.exercise import Unacceptable, show

_OPTIONS = frozenset([str, int, float, bool])


def is_number(value: Any) -> bool:
    """A plain number: an int or a float, no bool."""
    return type(value) in (int, float)


def scalar(value: Any) -> Any:
    """A zero-dimensional or one-element array as the number in it; anything else as it is."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return value.item()
    return value


def number(value: Any, what: str) -> float:
    """One number, as a float."""
    value = scalar(value)
    if value is None:
        raise Unacceptable("returns-nothing", f"{what} is None: is there a return statement?")
    if not is_number(value):
        raise Unacceptable("wrong-type", f"{what} should be a number, not {describe(value)}: {show(value)}")
    return float(value)


def rows(value: Any, count: int, what: str) -> list[Any]:
    """`count` answers, one per call of the learner's function."""
    if type(value) is not list or len(value) != count:
        raise Unacceptable("wrong-type", f"{what} did not answer {count} calls")
    if any(one is None for one in value):
        raise Unacceptable("returns-nothing", f"{what} returned None: is there a return statement?")
    return value


def integers(value: Any, count: int, what: str) -> tuple[list[int], bool]:
    """`count` whole numbers, one per call, and whether all of them were ints rather than floats such as
    3.0."""
    given = [scalar(one) for one in rows(value, count, what)]
    for one in given:
        if not is_number(one):
            raise Unacceptable("wrong-type", f"{what} should return an int, not {describe(one)}: {show(one)}")
        if one != one or one in (float("inf"), float("-inf")) or one != int(one):
            raise Unacceptable("not-whole", f"{what} should return a whole number, not {show(one)}")
    return [int(one) for one in given], all(type(one) is int for one in given)


def column(value: Any, length: int, what: str) -> NDArray[np.float64]:
    """A one-dimensional array (or list) of `length` numbers, as float64."""
    if isinstance(value, np.ndarray):
        array = value
    elif type(value) is list and all(is_number(scalar(one)) for one in value):
        array = np.array([float(scalar(one)) for one in value])
    elif is_number(value):
        raise Unacceptable(
            "one-number",
            f"{what} should be an array with one entry per evaluation, not the one number {show(value)}",
        )
    else:
        raise Unacceptable(
            "wrong-type", f"{what} should be an array of numbers, not {describe(value)}: {show(value)}"
        )
    if array.ndim != 1:
        raise Unacceptable("wrong-shape", f"{what} should have the shape ({length},), not {array.shape}")
    if array.dtype.kind == "b":
        raise Unacceptable("wrong-type", f"{what} should be an array of numbers, not of bools")
    if len(array) != length:
        raise Unacceptable("wrong-length", f"{what} should have {length} entries, not {len(array)}")
    return np.asarray(array, dtype=np.float64)


def cell(value: Any) -> tuple[Any, ...]:
    """An architecture: a tuple of options (a list here, since that is what JSON has)."""
    if type(value) is str:
        raise Unacceptable(
            "wrong-type", f"an architecture is a tuple of options, not the string {show(value)}"
        )
    if type(value) is not list:
        raise Unacceptable(
            "wrong-type", f"an architecture is a tuple of options, not {describe(value)}: {show(value)}"
        )
    if _OPTIONS.issuperset(map(type, value)):  # the usual case takes no further look
        return tuple(value)
    options = tuple(scalar(option) for option in value)
    if not _OPTIONS.issuperset(map(type, options)):
        raise Unacceptable("wrong-type", f"an architecture is a tuple of options, not {show(value)}")
    return options


def kept(after: Any, values: Sequence[float]) -> bool:
    """Are the values, as they came back, still those that were passed in?"""
    return np.array_equal(np.asarray(after, dtype=float), np.asarray(values, dtype=float))


def entries(run: Any, key: str, name: str) -> list[Any]:
    """The list under `key` ("archs") of what `plain` made of the history that `name` returned."""
    if type(run) is not dict or run.get(key) is None:
        raise Unacceptable("returns-nothing", f"{name} returned None: is there a return statement?")
    value = run[key]
    if type(value) is not list:
        raise Unacceptable("wrong-type", f"the history's {key} should be a list, not {describe(value)}")
    return value
