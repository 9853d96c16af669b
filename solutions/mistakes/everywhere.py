"""Mistakes that every exercise knows, said once: a right answer that does one thing wrong besides.

Each makes a wrong answer of any right one. They are rows in the mistakes of every exercise, but of those in `NOT_AT`,
where nothing would be wrong. A check has to catch them, whatever it says.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

Around = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
"""Makes one call of a right function, and does something wrong around it."""

DIGITS = 4


def settings_left_changed(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Silences NumPy's warnings for good."""
    np.seterr(all="ignore")
    return fn(*args, **kwargs)


def writes_into_arguments(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Leaves something in whatever can be written into of what was passed in."""
    result = fn(*args, **kwargs)
    for one in (*args, *kwargs.values()):
        _scribble(one)
    return result


def bare_error(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Refuses what is to be refused, with an error that no docstring names."""
    try:
        return fn(*args, **kwargs)
    except (ValueError, TypeError) as error:
        raise KeyError(str(error)) from None


def four_digits(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Rounds what comes out to a few digits; gradients pass."""
    return _rounded(fn(*args, **kwargs))


class Remembering:
    """Gives the first answer again to arguments that look like those of an earlier call: of the same types and sizes."""

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}

    def __call__(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        key = (fn.__name__, *map(_looks, args), *((name, _looks(kwargs[name])) for name in sorted(kwargs)))
        if key not in self._known:
            self._known[key] = fn(*args, **kwargs)
        return self._known[key]


EVERYWHERE: Mapping[str, tuple[str, Callable[[], Around]]] = {
    "settings_left_changed": ("changes-settings", lambda: settings_left_changed),
    "writes_into_arguments": ("mutates-input", lambda: writes_into_arguments),
    "answers_as_before": ("answers-as-before", Remembering),
    "bare_error": ("wrong-error", lambda: bare_error),
    "four_digits": ("rounded", lambda: four_digits),
}
"""Concept and mistake by name. Each variant gets one of its own: some remember."""

NOT_AT: Mapping[str, Mapping[str, str]] = {
    "settings_left_changed": {},
    "writes_into_arguments": {
        "its arguments are numbers, names, tuples, functions, a space or a generator: nothing to write into": """
            cell_index cell_from_index count_active_ops sample_uniform random_search samples_for_top_fraction hill_climb
            regularized_evolution evolve_under_constraint benchmark_latency roofline_latency hardware_aware_search
            scaled_cost round_filters round_repeats efficientnet_stages grid_search_coefficients progressive_schedule
            bayesian_optimization hyperband_brackets asha warmup_probability
        """,
    },
    "answers_as_before": {},
    "bare_error": {},
    "four_digits": {
        "it returns whole numbers, names or nothing": """
            cell_index cell_from_index count_active_ops sample_uniform samples_for_top_fraction discretize sample_path
            fair_paths recalibrate_bn progressive_shrinking_schedule pareto_front round_filters round_repeats
            efficientnet_stages rand_augment path_encoding hyperband_brackets
        """,
        "it returns points of a grid, which have few digits": "grid_search_coefficients",
        "float32 is allowed, and keeps as few digits of a difference of large numbers": "paired_bootstrap",
    },
}
"""By mistake, for each reason the exercises at which nothing would be wrong, separated by blanks."""


def applies(mistake: str, exercise: str) -> bool:
    """Can this mistake be wrong at this exercise?"""
    return not any(exercise in names.split() for names in NOT_AT[mistake].values())


def wrapped(right: Any, around: Around) -> Any:
    """A right function with `around` around its calls; of a right class its public methods, and what refuses input."""
    if isinstance(right, type):
        methods = {
            name: wrapped(one, around)
            for name, one in vars(right).items()
            if callable(one) and (not name.startswith("_") or (name == "__init__" and around is bare_error))
        }
        return type(right.__name__, (right,), {**methods, "__module__": right.__module__})

    @functools.wraps(right)
    def wrong(*args: Any, **kwargs: Any) -> Any:
        return around(right, args, kwargs)

    return wrong


def _looks(value: Any) -> Any:
    size = getattr(value, "shape", None)
    return type(value), len(value) if size is None and hasattr(value, "__len__") else size


def _scribble(value: Any) -> None:
    if isinstance(value, list):
        value.append(None)
    elif isinstance(value, dict):
        value["scribble"] = None
    elif isinstance(value, np.ndarray):
        value[...] = value[::-1] if value.dtype.kind not in "iuf" else value + 1
    elif _is_tensor(value):
        value.data += 1
    elif hasattr(value, "train"):
        value.train(not value.training)


def _rounded(value: Any) -> Any:
    if isinstance(value, (float, np.floating)):
        return type(value)(f"{value:.{DIGITS}g}")
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return _of_digits(value)
    if _is_tensor(value) and value.is_floating_point():
        rounded = value.new_tensor(_of_digits(value.detach().cpu().double().numpy()))
        return value + (rounded - value.detach()).nan_to_num(0.0)  # infinity − infinity is none
    if isinstance(value, (list, tuple)):
        return (
            type(value)(map(_rounded, value))
            if not hasattr(value, "_fields")
            else type(value)(*map(_rounded, value))
        )
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _rounded(getattr(value, field.name)) for field in fields(value)})
    if callable(value) and not isinstance(value, type):
        return wrapped(value, four_digits)
    return value


def _of_digits(values: np.ndarray) -> np.ndarray:
    sizes = np.abs(np.where(np.isfinite(values) & (values != 0), values, 1.0))
    unit = 10.0 ** (np.floor(np.log10(sizes)) - DIGITS + 1)
    return np.where(np.isfinite(values), np.round(values / unit) * unit, values).astype(values.dtype)


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)
