"""The exercises by lesson and name. A lesson's checks register themselves when they are imported."""

from __future__ import annotations

import difflib
import importlib

from nas_lib.checks.exercise import Exercise

_LESSONS: dict[str, dict[str, Exercise]] = {}
_SHIPPED = (
    "00_start_here",
    "01_random_search",
    "02_evolution_and_early_stopping",
    "03_rl_controller",
    "04_darts",
    "05_supernet",
    "06_hardware_aware",
    "07_compound_scaling",
    "08_predictors_and_fidelity",
    "09_capstone",
)


def module_of(lesson: str) -> str:
    """The name that a lesson's modules have in `checks`, `judges` and `standins`: its own without the number."""
    return lesson.partition("_")[2]


def register(*new: Exercise) -> None:
    """Add exercises to the registry; lessons' modules call it once, at import.

    Raises:
        ValueError: an exercise of that name is registered already, in any lesson.
    """
    for item in new:
        if any(item.name in known for known in _LESSONS.values()):
            raise ValueError(f"exercise {item.name!r} is registered twice")
        _LESSONS.setdefault(item.lesson, {})[item.name] = item


def lessons() -> list[str]:
    """Lessons that have checks, in teaching order."""
    return sorted({*_SHIPPED, *_LESSONS})


def exercises(lesson: str) -> dict[str, Exercise]:
    """The exercises of a lesson by name, in the lesson's order.

    Raises:
        ValueError: there is no such lesson.
    """
    if lesson in _SHIPPED:
        importlib.import_module(f"nas_lib.checks.{module_of(lesson)}")
    if lesson not in _LESSONS:
        raise ValueError(f"lesson must be one of {', '.join(lessons())}, got {lesson!r}")
    return dict(_LESSONS[lesson])


def exercise(name: str, lesson: str | None = None) -> Exercise:
    """The exercise of that name, in any lesson or in the one given.

    Raises:
        ValueError: there is no such exercise; the message names the closest.
    """
    found = {key: item for one in ([lesson] if lesson else lessons()) for key, item in exercises(one).items()}
    if name not in found:
        close = difflib.get_close_matches(str(name), found, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else f" There are {', '.join(found)}."
        raise ValueError(f"name must be an exercise of {lesson or 'a lesson'}, got {name!r}.{hint}")
    return found[name]
