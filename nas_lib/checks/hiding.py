"""The library's counterparts of an exercise, switched off while a learner's own version is checked in the notebook.

What is switched off stands beside each stand-in (`nas_lib.standins`). Where submissions are graded, stand-ins and
counterparts are absent from the library's files, and nothing is left to switch off.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from nas_lib.checks.exercise import Exercise

SWITCHED_OFF = "the library's own version of this exercise is switched off while yours is checked"


def _switched_off(*args: Any, **kwargs: Any) -> Any:
    # Runs as the body of library functions, so it can use no name of this module.
    raise RuntimeError("the library's own version of this exercise is switched off while yours is checked")


@contextlib.contextmanager
def hidden(exercise: Exercise) -> Iterator[None]:
    """Switch the library's counterparts of an exercise off: calling one raises, however it was imported or bound.

    The function's code object is exchanged, not its name, so references taken earlier are switched off as well.
    """
    found = [function for function in _counterparts(exercise) if not function.__code__.co_freevars]
    codes = [function.__code__ for function in found]
    try:
        for function in found:
            function.__code__ = _switched_off.__code__
        yield
    finally:
        for function, code in zip(found, codes):
            function.__code__ = code


def _counterparts(exercise: Exercise) -> list[FunctionType]:
    try:
        from nas_lib.standins import STANDINS, standins
    except ImportError:  # where submissions are graded
        return []
    standins(exercise.lesson)
    standin = STANDINS.get(exercise.name)
    if standin is None:
        return []
    named = [function_of(name) for name in standin.hides]
    own = standin.function if isinstance(standin.function, FunctionType) else None
    return [one for one in (own, *named) if one is not None]


def function_of(name: str) -> FunctionType | None:
    """The plain Python function that "module:Class.method" names; None where the library has none (any more)."""
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = vars(found)[part]
    except (ImportError, KeyError, TypeError):
        return None
    found = getattr(found, "__func__", None) or getattr(found, "fget", None) or found
    found = inspect.unwrap(found) if callable(found) else found  # however many decorators are around it
    return found if isinstance(found, FunctionType) else None
