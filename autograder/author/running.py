"""Lessons executed from top to bottom, each in a kernel of its own, and what that takes.

What a lesson showed is kept in `.cache/executed/` under a digest of its cells and of the library, so that pages are
made of it without running it again.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

import solutions
from autograder.author.contents import contents
from autograder.author.lesson import read_lesson
from nas_lib import checks
from nas_lib._files import replacing
from nas_lib.notebooks.validating import QUIETLY

SECONDS = 600.0
"""That a cell may take, on a busy machine too."""

KEPT = solutions.FOLDER.parent / ".cache" / "executed"

# The kernel's own cost, printed by a last cell that nobody sees.
COST = """\
import json, resource, sys, time
unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, kilobytes elsewhere
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
print(json.dumps({"processor": time.process_time(), "peak": peak}))
"""


@dataclass(frozen=True)
class Run:
    """A lesson that was executed with the reference.

    Args:
        lesson: its name.
        seconds: from start to end, the kernel's start included.
        processor: seconds of processor that the kernel took.
        megabytes: the most memory that the kernel held.
        right: checks that said all is right.
        checks: checks that the lesson has.
        points: what the lesson is worth.
    """

    lesson: str
    seconds: float
    processor: float
    megabytes: float
    right: int
    checks: int
    points: float

    @property
    def row(self) -> str:
        """As a line of the table that `HEAD` begins."""
        return (
            f"{self.lesson:<36}{self.points:7g}{f'{self.right} of {self.checks}':>11}"
            f"{self.seconds:9.0f}{self.processor:11.0f}{self.megabytes:8.0f}"
        )


HEAD = f"{'lesson':<36}{'points':>7}{'checks':>11}{'seconds':>9}{'processor':>11}{'MB':>8}"


def total(runs: Sequence[Run]) -> Run:
    """All of them as one; of memory the largest."""
    added = {
        name: sum(getattr(one, name) for one in runs)
        for name in ("seconds", "processor", "right", "checks", "points")
    }
    return Run("all", megabytes=max((one.megabytes for one in runs), default=0.0), **added)


def execute(notebook: Any, seconds: float = SECONDS) -> None:
    """Execute a notebook's cells in a kernel of its own; the cells get their outputs.

    It runs in the course's folder, with the course's library, and shows figures whatever this process does.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell ended in an error.
        nbclient.exceptions.CellTimeoutError: a cell took longer than `seconds`.
    """
    from nbclient import NotebookClient

    root = str(solutions.FOLDER.parent)
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    environment["PYTHONPATH"] = os.pathsep.join([root, environment.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    resources = {"metadata": {"path": root}}
    more: dict[str, Any] = {
        "resources": resources,
        "extra_arguments": QUIETLY,
        "store_widget_state": False,
    }  # megabytes that no page reads
    client = NotebookClient(notebook, timeout=seconds, kernel_name="python3", **more)
    client.execute(env=environment)


def run(lesson: str) -> Run:
    """Execute a lesson with the reference, and keep what it showed.

    Raises:
        ValueError: there is no such lesson.
        nbclient.exceptions.CellExecutionError: a cell ended in an error.
    """
    notebook = solutions.read(lesson)
    notebook.cells.append(nbformat.v4.new_code_cell(COST))
    began = time.monotonic()
    execute(notebook)
    seconds = time.monotonic() - began
    cost = json.loads(notebook.cells.pop().outputs[0].text)
    found = Run(
        lesson,
        seconds,
        cost["processor"],
        cost["peak"],
        sum(text.count("✓") for text in _printed(notebook)),
        len(checks.exercises(lesson)),
        contents(read_lesson(lesson)).points,
    )
    KEPT.mkdir(parents=True, exist_ok=True)
    with replacing(_place(lesson)) as fresh:
        fresh.write_text(nbformat.writes(notebook), encoding="utf-8")
    for old in KEPT.glob(f"{lesson}-*.ipynb"):
        if old != _place(lesson):
            old.unlink(missing_ok=True)
    return found


def executed(lesson: str) -> Any | None:
    """The lesson as it was executed last, or None where its cells or the library have changed since."""
    place = _place(lesson)
    return nbformat.reads(place.read_text(encoding="utf-8"), as_version=4) if place.is_file() else None


def _printed(notebook: Any) -> Iterator[str]:
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "stream":
                yield output.text


def _place(lesson: str) -> Path:
    told = hashlib.sha256(f"{_library()}{solutions.source_path(lesson).read_text('utf-8')}".encode())
    return KEPT / f"{lesson}-{told.hexdigest()[:16]}.ipynb"


@functools.cache
def _library() -> str:
    """A digest of everything in nas_lib: an executed lesson shows what the library does."""
    told = hashlib.sha256()
    folder = solutions.FOLDER.parent / "nas_lib"
    for path in sorted(
        path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ):
        told.update(f"{path.relative_to(folder)} ".encode() + path.read_bytes())
    return told.hexdigest()
