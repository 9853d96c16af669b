"""The usual mistakes of each exercise, and right answers written another way: each is said here, once.

`<lesson>.py` records, for each exercise, edits of its reference: the concept that the edited code gets wrong, the
sentence that a learner is told, and the edit ({old: new}, each `old` exactly once in the solution; or a whole function
where no edit says it). From this one list come the diagnosis of a check (`nas_lib.checks.values` names a mistake by its
answers), the named mutants that the gate tries, right answers that must keep full marks, and the sample submissions.
A mistake that is only to be caught, or that a judge of behaviour names itself, has an empty sentence. A right answer
has no concept. What any right answer can do wrong besides stands in `everywhere`, for all exercises at once; `kinds` says
in which ways a check can be blind, and which mistakes try it. Nothing of this reaches learners.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from solutions.mistakes.everywhere import EVERYWHERE, applies, wrapped

F = TypeVar("F", bound=Callable[..., Any])
BEGIN = "### BEGIN SOLUTION"


@dataclass(frozen=True)
class Mistake:
    """One implementation of an exercise.

    Args:
        name: distinct within the exercise.
        concept: what it gets wrong; "" for a right answer.
        message: what a learner is told; "" where the judge says it.
        make: builds it from the reference's namespace.
        source: the cell as its author would have handed it in, markers and all; "" for what is no edit.
        everywhere: it is one of every exercise, and is only to be caught.
    """

    name: str
    concept: str
    message: str
    make: Callable[[Any], Any]
    source: str = ""
    everywhere: bool = False

    @property
    def is_wrong(self) -> bool:
        """Wrong on purpose?"""
        return bool(self.concept)


class Book:
    """Collects the mistakes of one lesson; its file gets it as `book`.

    Args:
        cells: the sources of the lesson's exercise cells, by exercise.
    """

    def __init__(self, cells: Mapping[str, str]) -> None:
        self._cells = cells
        self.of: dict[str, list[Mistake]] = {}

    def edits(self, exercise: str, *rows: tuple[str, str, dict[str, str]]) -> None:
        """Add mistakes that are edits of the reference: (concept, sentence, {old: new}). No concept: a right answer.

        Raises:
            ValueError: there is no such exercise, or some `old` does not stand once in its solution.
        """
        for concept, message, changes in rows:
            source = self._edited(exercise, changes)
            self._add(
                exercise, Mistake(concept or "right", concept, message, _compiled(exercise, source), source)
            )

    def wrong(self, exercise: str, concept: str, message: str = "") -> Callable[[F], F]:
        """Add a mistake written as a whole function (or class)."""

        def add(implementation: F) -> F:
            name = getattr(implementation, "__name__", concept)
            self._add(exercise, Mistake(name, concept, message, lambda reference: implementation))
            return implementation

        return add

    def right(self, exercise: str) -> Callable[[F], F]:
        """Add a right answer written another way."""
        return self.wrong(exercise, "")

    def everywhere(self) -> None:
        """Add to each exercise the mistakes of all."""
        for exercise in self.of:
            for name, (concept, around) in EVERYWHERE.items():
                if applies(name, exercise):
                    self._add(
                        exercise, Mistake(name, concept, "", _wrapping(exercise, around), everywhere=True)
                    )

    def _add(self, exercise: str, mistake: Mistake) -> None:
        known = self.of.setdefault(exercise, [])
        name = mistake.name
        same = sum(re.fullmatch(rf"{re.escape(name)}(-\d+)?", other.name) is not None for other in known)
        known.append(replace(mistake, name=f"{name}-{same + 1}") if same else mistake)

    def _edited(self, exercise: str, changes: Mapping[str, str]) -> str:
        if exercise not in self._cells:
            raise ValueError(f"exercise must be one of {', '.join(self._cells)}, got {exercise!r}")
        head, begin, tail = self._cells[exercise].partition(BEGIN)
        for old, new in changes.items():
            if tail.count(old) != 1:
                raise ValueError(
                    f"{exercise}: {old!r} must stand once in the solution, found {tail.count(old)} times"
                )
            tail = tail.replace(old, new)
        return head + begin + tail


def _compiled(exercise: str, source: str) -> Callable[[Any], Any]:
    code = compile(source, f"<{exercise}, edited>", "exec", dont_inherit=True)

    def make(reference: Any) -> Any:
        names = dict(_names(reference))
        exec(code, names)
        return names[exercise]

    return make


def _wrapping(exercise: str, around: Callable[[], Any]) -> Callable[[Any], Any]:
    return lambda reference: wrapped(_names(reference)[exercise], around())


def _names(reference: Any) -> Mapping[str, Any]:
    return reference if isinstance(reference, Mapping) else vars(reference)


def load(lesson: str, notebook: Any, folder: Path) -> dict[str, Sequence[Mistake]]:
    """The mistakes of a lesson, by exercise; none where the folder of its source has no record of them."""
    path = folder / "mistakes" / f"{lesson}.py"
    if not path.is_file():
        return {}
    cells = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell.source for cell in notebook.cells}
    module = ModuleType(f"solutions.mistakes.{lesson}")
    module.__dict__.update(
        book=Book({name: source for name, source in cells.items() if name}), __file__=str(path)
    )
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module.__dict__)
    book = module.__dict__["book"]
    book.everywhere()
    return dict(book.of)
