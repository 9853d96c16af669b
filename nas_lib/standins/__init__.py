"""What stands in for each exercise while a learner's own version is unfinished, so that the rest of a lesson can run.

One module per lesson, called like its checks. Stand-ins go another way than the exercise asks for (the library's own
searchers, scipy, recorded results), and the decorator also says which parts of the library would give the answer away:
they are switched off while the notebook checks a learner's function, and are absent, together with this package, from
the library that a submission is graded with.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from nas_lib.checks.registry import module_of

F = TypeVar("F", bound=Callable[..., Any])
LIBRARY, RECORDED = "the library's own version", "a table of recorded results"


@dataclass(frozen=True)
class Standin:
    """What stands in for an exercise.

    Args:
        function: with the exercise's signature.
        what: in words, as the subject of a sentence.
        hides: the library's counterparts of the exercise ("nas_lib.spaces:CellSpace.index").
    """

    function: Callable[..., Any]
    what: str
    hides: tuple[str, ...]


STANDINS: dict[str, Standin] = {}


def stands_in(exercise: str, what: str = LIBRARY, hides: Sequence[str] = ()) -> Callable[[F], F]:
    """Register the decorated function for an exercise; see `Standin`.

    Raises:
        ValueError: something stands in for it already.
    """

    def register(function: F) -> F:
        if exercise in STANDINS:
            raise ValueError(f"two functions stand in for {exercise!r}")
        STANDINS[exercise] = Standin(function, what, tuple(hides))
        return function

    return register


def standins(lesson: str) -> None:
    """Load what stands in for a lesson's exercises into `STANDINS`; nothing for a lesson of somebody else's."""
    name = f"nas_lib.standins.{module_of(lesson)}"
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
