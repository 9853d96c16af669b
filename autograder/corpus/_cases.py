"""What a case of the corpus is made of: the sheet that it writes on, and what it should earn."""

from __future__ import annotations

import copy
import functools
import json
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import nbformat

from autograder import samples
from autograder.author.lesson import Lesson, read_lesson, without_markers

MARKER = "nas-corpus-trace"
"""In the name of everything that a case leaves behind, so that traces of it can be looked for."""
CANARY = "canary-bb41c6f0"
"""A case prints this when it got somewhere that it should not get."""
SECRET = "secret-2f7d90ce"
"""Stands in what no case should be able to read: a classmate's notebook, files outside, a variable."""
ALERT = "corpusAlert"
"""Every script of a case calls this, so that a page in which it would run can be told."""


class Earns(Enum):
    """What is right for a case, of the points that are graded automatically."""

    ALL = "full marks"
    OTHERS = "0 for the target, full marks for the others"
    NOTHING = "0 for all"
    REFUSED = "0 for all, and a sentence why"


class Sheet:
    """A lesson's notebook while a case is written into it; the target is the lesson's first exercise.

    Args:
        lesson: the lesson's name.
        answered: with the reference's answers, or blank.
    """

    def __init__(self, lesson: str, answered: bool = True) -> None:
        self.lesson = lesson
        self.source = _lesson(lesson)
        self.target = next(task.name for task in self.source.tasks if task.kind == "exercise")
        self.graded = [task.name for task in self.source.tasks if task.kind != "open"]
        self.notebook = copy.deepcopy(_notebook(lesson, answered))

    @property
    def cells(self) -> list[Any]:
        """The notebook's cells."""
        return self.notebook.cells

    def cell(self, identity: str | None = None) -> Any:
        """The cell of an exercise (by default the target) or of `<exercise>-check`."""
        wanted = identity or self.target
        return next(cell for cell in self.cells if cell.get("id") == wanted)

    def place(self, identity: str | None = None) -> int:
        """Where that cell stands."""
        return self.cells.index(self.cell(identity))

    def reference(self, name: str | None = None) -> str:
        """The code of an exercise's reference."""
        task = self.source.task(name or self.target)
        return without_markers(self.source.cells[task.cell].source)

    def parameters(self) -> str:
        """The target's parameters as they stand in its definition: `space, rng`."""
        line = next(line for line in self.reference().splitlines() if line.startswith(f"def {self.target}("))
        return line[line.index("(") + 1 : line.rindex(")")]

    def insert(self, source: str, at: int | None = None) -> None:
        """A code cell of the learner's own, by default right before the target's."""
        self.cells.insert(self.place() if at is None else at, nbformat.v4.new_code_cell(self.filled(source)))

    def prose(self, source: str, **more: Any) -> None:
        """A prose cell of the learner's own, before the target's."""
        self.cells.insert(self.place(), nbformat.v4.new_markdown_cell(source, **more))

    def filled(self, source: str) -> str:
        """Code with the lesson's names put in for TARGET, NAMES, LESSON, PARAMETERS, MARKER and CANARY."""
        text = textwrap.dedent(source).strip("\n")
        for name, value in {
            "TARGET": self.target,
            "NAMES": repr(self.graded),
            "LESSON": self.lesson,
            "PARAMETERS": self.parameters(),
            "MARKER": MARKER,
            "CANARY": CANARY,
        }.items():
            text = text.replace(name, value)
        return text


@functools.cache
def _lesson(name: str) -> Lesson:
    return read_lesson(name)


@functools.cache
def _notebook(lesson: str, answered: bool) -> Any:
    names = [task.name for task in _lesson(lesson).tasks]
    return samples.notebook(lesson, dict.fromkeys(names, "reference" if answered else "stub"))


@dataclass(frozen=True)
class Case:
    """One submission of the corpus.

    Attributes:
        name: what it is.
        row: the kind of trouble, as the table groups it.
        earns: what is right.
        change: writes the case into the sheet.
        answered: whether the sheet holds the reference's answers or is blank.
        says: a regular expression that the target's message, or the note of one refused, has to match.
        write: puts the submission into the folder; by default as `<student>.ipynb`.
        noted: the note of one that is graded, as a regular expression; by default there is none.
        slow: takes its time to the limit, and is graded alone to see how long that is.
        named: the kind of sign (`reports.signs`) by which the instructor is told.
        named: the kind of sign (`reports.signs`) by which the instructor is told.
    """

    name: str
    row: str
    earns: Earns
    change: Callable[[Sheet], None] = lambda _: None
    answered: bool = True
    says: str = ""
    write: Callable[[Sheet, Path], None] | None = None
    slow: bool = False
    named: str = ""
    noted: str = ""

    @property
    def student(self) -> str:
        """Who hands it in: the name, without what no student's id has."""
        return " ".join(re.sub(r"[^\w.@ '-]", " ", self.name).split())

    def put(self, folder: Path, lesson: str) -> None:
        """Write the submission into the folder of submissions."""
        sheet = Sheet(lesson, self.answered)
        self.change(sheet)
        path = folder / f"{self.student}.ipynb"
        if self.write:
            self.write(sheet, path)
        else:
            # Not nbformat's own writer: it would refuse or mend what is wrong on purpose.
            path.write_text(json.dumps(sheet.notebook), encoding="utf-8")


def in_cell(name: str, row: str, source: str, earns: Earns = Earns.ALL, **more: Any) -> Case:
    """Code in a cell of the learner's own, before the target's cell, in an answered notebook."""
    return Case(name, row, earns, lambda sheet: sheet.insert(source), **more)


def in_exercise(name: str, row: str, source: str, earns: Earns = Earns.OTHERS, **more: Any) -> Case:
    """Code at the top of the target's cell, with the right answer below it."""

    def change(sheet: Sheet) -> None:
        sheet.cell().source = f"{sheet.filled(source)}\n{sheet.cell().source}"

    return Case(name, row, earns, change, **more)


def in_function(name: str, row: str, source: str, earns: Earns = Earns.OTHERS, **more: Any) -> Case:
    """Code that runs when the target is called, before the right answer is given."""

    def change(sheet: Sheet) -> None:
        body = textwrap.indent(sheet.filled(source), "    ")
        sheet.cell().source += (
            f"\n_right = {sheet.target}\ndef {sheet.target}({sheet.parameters()}, *, _right=_right):\n"
            f"{body}\n    return _right({_passed(sheet)})"
        )

    return Case(name, row, earns, change, **more)


def _passed(sheet: Sheet) -> str:
    names = [part.split("=")[0].split(":")[0].strip() for part in sheet.parameters().split(",")]
    return ", ".join(names)


def instead(name: str, row: str, source: str, earns: Earns = Earns.OTHERS, **more: Any) -> Case:
    """Code in the place of the target's answer, in a notebook that is answered otherwise."""

    def change(sheet: Sheet) -> None:
        sheet.cell().source = sheet.filled(source)

    return Case(name, row, earns, change, **more)


def in_blank(name: str, row: str, source: str, **more: Any) -> Case:
    """Code at the end of a blank notebook, where nothing has been earned."""
    return Case(
        name, row, Earns.NOTHING, lambda sheet: sheet.insert(source, len(sheet.cells)), answered=False, **more
    )


def changed(name: str, row: str, earns: Earns, change: Callable[[Sheet], None], **more: Any) -> Case:
    """A notebook whose cells or metadata are changed."""
    return Case(name, row, earns, change, **more)


def raw(name: str, row: str, earns: Earns, content: Callable[[str], bytes], **more: Any) -> Case:
    """A file of given bytes; `content` gets the answered notebook as JSON."""

    def write(sheet: Sheet, path: Path) -> None:
        path.write_bytes(content(json.dumps(sheet.notebook)))

    return Case(name, row, earns, write=write, **more)


def twin(cell: Any) -> Any:
    """A copy of a cell, its grade_id and id included."""
    return copy.deepcopy(cell)
