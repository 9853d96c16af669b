"""Judges of behaviour: what is right of a search, a sampler or a controller, where no single value is.

One module per lesson, called like its checks. The notebook's own check uses them as well; where submissions are graded,
they stay outside and are absent from the library that the learner's process sees.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from typing import ClassVar

from nas_lib.checks.exercise import Answer, Exercise, Instance, Verdict
from nas_lib.checks.judging import error_verdict
from nas_lib.checks.registry import module_of

_JUDGES: dict[tuple[str, str], Judge] = {}


class Judge(ABC):
    """The judge of one exercise. Defining a subclass with an `exercise` and a `lesson` registers it."""

    exercise: ClassVar[str]
    lesson: ClassVar[str]
    false_fail: ClassVar[float] = 0.0
    """How likely bad luck fails right code, at most; `statistics` has proven bounds."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "exercise" in vars(cls):
            _JUDGES[cls.lesson, cls.exercise] = cls()

    @property
    def name(self) -> str:
        """Of the exercise."""
        return self.exercise

    @abstractmethod
    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Judge an answer without error; `expected` is the reference's. May raise `Unacceptable`."""

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """Judge an answer with an error. The default gives 0 and says what was raised."""
        return error_verdict(instance, answer)


def judge_of(item: Exercise) -> Judge:
    """The judge of an exercise of behaviour.

    Raises:
        LookupError: there is none.
    """
    if (item.lesson, item.name) not in _JUDGES:
        importlib.import_module(f"nas_lib.judges.{module_of(item.lesson)}")
    if (item.lesson, item.name) not in _JUDGES:
        raise LookupError(f"{item.name} of {item.lesson} has neither parts nor a judge")
    return _JUDGES[item.lesson, item.name]
