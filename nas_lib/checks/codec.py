"""Plain data as JSON and back: the one form in which values cross between a learner's code and a judge.

`encode` accepts numbers, strings, lists, tuples, dicts, arrays and tensors and rejects everything else;
whatever it lets through has become builtins, so no object of the learner's (one that equals everything, say)
ever meets a judge. `decode` trusts nothing: it reads any JSON or raises ValueError. It never uses pickle.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

DEPTH = 12  # nested deeper than this is a mistake, or a list that contains itself
ITEMS = 2_000_000  # numbers and strings in one value, all together
TEXT = 100_000  # characters in one string
INTEGER_BITS = 1023  # a larger int could not even become a float

_NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_DTYPES = frozenset(
    np.dtype(name).name
    for name in [
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float16",
        "float32",
        "float64",
    ]
)
# Keys that mark what JSON has no form for; a dict of the caller's may not use them.
_FLOAT, _ARRAY = "$float", "$array"


class NotPlainData(TypeError):
    """A value that is no plain data. The message is one sentence that a learner can read."""


def encode(value: Any) -> Any:
    """`value` as something that `json.dumps` writes and `decode` reads back.

    Tuples become lists and numpy scalars become numbers; subclasses of builtins become the builtin itself.

    Raises:
        NotPlainData: some part of `value` is neither a number, a string, None, a list, a tuple, a dict with
            string keys, an array nor a tensor, or it is nested too deep or too large.
    """
    return _encode(value, 0, [ITEMS])


def decode(data: Any) -> Any:
    """What `encode` was given, with lists for tuples, from what `json.loads` read.

    Raises:
        ValueError: `data` is nothing that `encode` writes.
    """
    return _decode(data, 0, [ITEMS])


def roundtrip(value: Any) -> Any:
    """`value` as it arrives on the other side: encoded, written, read and decoded."""
    return decode(json.loads(json.dumps(encode(value), allow_nan=False)))


def describe(value: Any) -> str:
    """What kind of thing `value` is, with its article, as a learner would say it: "a list", "an array",
    "None"."""
    if value is None:
        return "None"
    name = type(value).__name__
    name = {"ndarray": "array", "str": "string", "NoneType": "None", "bool": "bool"}.get(name, name)
    return with_article(name)


def with_article(name: str) -> str:
    """A name as a sentence has it: "a list", "an IndexError"."""
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _encode(value: Any, depth: int, room: list[int]) -> Any:
    kind = type(value)  # not isinstance, which an object can talk to through __class__
    if value is None or kind is bool:
        return value
    if depth > DEPTH:
        raise NotPlainData("returned something nested too deep (does a list contain itself?)")
    room[0] -= 1
    if room[0] < 0:
        raise NotPlainData(f"returned more than {ITEMS:,} values")
    if kind is str:  # nearly everything that a search is asked about
        return _encode_text(value)
    if issubclass(kind, np.generic):
        return _encode_scalar(value)
    if issubclass(kind, int):
        return _encode_int(int.__index__(value))
    if issubclass(kind, float):
        return _encode_float(float.__float__(value))
    if issubclass(kind, str):
        return _encode_text(str.__str__(value))
    if issubclass(kind, tuple):
        return _encode_items(tuple.__iter__(value), depth, room)
    if issubclass(kind, list):
        return _encode_items(list.__iter__(value), depth, room)
    if issubclass(kind, dict):
        return _encode_dict(value, depth, room)
    array = _as_array(value)
    if array is None:
        raise NotPlainData(
            f"returned {describe(value)} where plain data is expected: a number, a string, a list or an array"
        )
    return _encode_array(array, depth, room)


def _encode_items(items: Iterator[Any], depth: int, room: list[int]) -> list[Any]:
    if depth >= DEPTH:
        return [_encode(item, depth + 1, room) for item in items]
    found: list[Any] = []
    plain = 0
    for item in items:
        kind = type(item)  # see `_decode_list`
        if kind is str:
            plain += 1
            found.append(_encode_text(item))
        elif kind is float:
            plain += 1
            found.append(_encode_float(item))
        else:
            found.append(_encode(item, depth + 1, room))
    room[0] -= plain
    if room[0] < 0:
        raise NotPlainData(f"returned more than {ITEMS:,} values")
    return found


def _encode_int(value: int) -> int:
    if value.bit_length() > INTEGER_BITS:
        raise NotPlainData(
            f"returned an integer of {value.bit_length()} bits, which is too large to be meant"
        )
    return value


def _encode_float(value: float) -> Any:
    if math.isfinite(value):
        return value
    return {_FLOAT: "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"}


def _encode_text(value: str) -> str:
    if len(value) > TEXT:
        raise NotPlainData(f"returned a string of {len(value):,} characters")
    # A lone surrogate has no place in JSON.
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def _encode_scalar(value: np.generic) -> Any:
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.floating):
        return _encode_float(float(value))
    if isinstance(value, np.str_):
        return _encode_text(str.__str__(value))
    raise NotPlainData(f"returned a numpy {type(value).__name__} where a number or a string is expected")


def _encode_dict(value: dict[Any, Any], depth: int, room: list[int]) -> dict[str, Any]:
    encoded = {}
    for key, item in dict.items(value):
        if type(key) is not str or key.startswith("$"):
            raise NotPlainData("returned a dict with a key that is no plain string")
        encoded[_encode_text(key)] = _encode(item, depth + 1, room)
    return encoded


def _as_array(value: Any) -> np.ndarray | None:
    """`value` as a numpy array where it is an array, a tensor or offers `__array__` (a pandas Series does);
    else None."""
    torch = sys.modules.get(
        "torch"
    )  # nothing can be a tensor before torch is imported, and importing it is slow
    if torch is not None and issubclass(type(value), torch.Tensor):
        value = value.detach().cpu()
        value = value.float() if value.dtype == torch.bfloat16 else value  # numpy has no bfloat16
        return np.asarray(value.numpy())
    if issubclass(type(value), np.ndarray) or hasattr(type(value), "__array__"):
        return np.asarray(value)
    return None


def _encode_array(array: np.ndarray, depth: int, room: list[int]) -> Any:
    if array.dtype.kind in "OU":  # strings, or anything: worth what its items are worth
        return _encode(array.tolist(), depth + 1, room)
    if array.dtype.name not in _DTYPES:
        raise NotPlainData(f"returned an array of dtype {array.dtype} where real numbers are expected")
    room[0] -= array.size
    if room[0] < 0:
        raise NotPlainData(f"returned more than {ITEMS:,} values")
    flat = array.ravel().tolist()
    if array.dtype.kind == "f":
        flat = [_encode_float(item) for item in flat]
    return {_ARRAY: {"dtype": array.dtype.name, "shape": list(array.shape), "data": flat}}


def _decode(data: Any, depth: int, room: list[int]) -> Any:
    if depth > 2 * DEPTH:
        raise ValueError("nested too deep")
    room[0] -= 1
    if room[0] < 0:
        raise ValueError("too many values")
    if data is None or type(data) in (bool, int, float):
        if type(data) is int and data.bit_length() > INTEGER_BITS:
            raise ValueError("an integer is too large")
        return data
    if type(data) is str:
        if len(data) > TEXT:
            raise ValueError("a string is too long")
        return data
    if type(data) is list:
        return _decode_list(data, depth, room)
    if type(data) is not dict:
        raise ValueError(f"{describe(data)} is no plain data")
    if _FLOAT in data:
        if len(data) != 1 or not isinstance(data[_FLOAT], str) or data[_FLOAT] not in _NON_FINITE:
            raise ValueError("a number is malformed")
        return _NON_FINITE[data[_FLOAT]]
    if _ARRAY in data:
        return _decode_array(data, room)
    return {key: _decode(item, depth + 1, room) for key, item in data.items()}


def _decode_list(data: list[Any], depth: int, room: list[int]) -> list[Any]:
    if depth >= 2 * DEPTH:
        return [_decode(item, depth + 1, room) for item in data]
    found = []
    plain = 0
    for item in data:
        # Most of what comes are strings and floats in lists: a call for each would take most of the time.
        kind = type(item)
        if kind is float or (kind is str and len(item) <= TEXT):
            plain += 1
            found.append(item)
        else:
            found.append(_decode(item, depth + 1, room))
    room[0] -= plain
    if room[0] < 0:
        raise ValueError("too many values")
    return found


def _decode_array(data: dict[str, Any], room: list[int]) -> np.ndarray:
    body = data[_ARRAY]
    if len(data) != 1 or type(body) is not dict or set(body) != {"dtype", "shape", "data"}:
        raise ValueError("an array is malformed")
    dtype, shape, flat = body["dtype"], body["shape"], body["data"]
    if type(flat) is not list or type(shape) is not list or type(dtype) is not str or dtype not in _DTYPES:
        raise ValueError("an array is malformed")
    if len(shape) > 8 or any(type(length) is not int or length < 0 for length in shape):
        raise ValueError("an array's shape is malformed")
    if math.prod(shape) != len(flat):
        raise ValueError("an array's shape does not fit its data")
    room[0] -= len(flat)
    if room[0] < 0:
        raise ValueError("too many values")
    if dict in set(map(type, flat)):  # numbers that JSON has no word for
        flat = [_decode(item, 0, [1]) if type(item) is dict else item for item in flat]
    if not set(map(type, flat)) <= {bool, int, float}:
        raise ValueError("an array holds something other than numbers")
    try:
        return np.array(flat, dtype=dtype).reshape(shape)
    except OverflowError:
        raise ValueError("an array holds an integer that its dtype does not") from None
