"""The lessons' sources, one py:percent notebook each, and `load`, which runs a lesson's definitions without
its experiments.

Tests, judges and the builder take the reference implementations from here, so they use the very code that a
notebook shows. It is not for learners: the student notebooks, the wheel and the learners' zip carry nothing
of it.
"""

from __future__ import annotations

import difflib
import functools
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from nas_lib.notebooks.cells import TAGS, tag_of
from solutions import mistakes
from solutions.titles import mark

__all__ = ["DEFINITION_TAGS", "FOLDER", "TAGS", "lessons", "load", "read", "source_path", "tag_of"]

FOLDER = Path(__file__).resolve().parent

DEFINITION_TAGS = ("setup", "exercise")


def lessons(folder: Path = FOLDER) -> list[str]:
    """Names of the lessons in `folder`, in teaching order ("00_start_here", "01_random_search", ...)."""
    return sorted(path.stem for path in folder.glob("[0-9][0-9]_*.py"))


def source_path(lesson: str, folder: Path = FOLDER) -> Path:
    """Path of a lesson's source. Raises ValueError that lists the lessons when there is no such lesson."""
    names = lessons(folder)
    if lesson not in names:
        # "random_search" and "01" are what people type; say which lesson they mean instead of guessing
        # silently.
        close = [name for name in names if str(lesson) and str(lesson) in name]
        close = close or difflib.get_close_matches(str(lesson), names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"lesson must be one of {', '.join(names) or '(none found)'}, got {lesson!r}.{hint}")
    return folder / f"{lesson}.py"


def read(lesson: str, folder: Path = FOLDER) -> Any:
    """The lesson's source as a notebook, markers and all, with nbgrader's metadata on the cells of its tasks."""
    import jupytext  # heavy, and not needed by those who only ask for the names of the lessons

    notebook = jupytext.reads(source_path(lesson, folder).read_text(encoding="utf-8"), fmt="py:percent")
    mark(notebook.cells)
    return notebook


def load(lesson: str, folder: Path | None = None) -> ModuleType:
    """Run the setup and exercise cells of a lesson, references included, and return their namespace.

    Experiments and checks are not run. `MISTAKES` in it are the usual mistakes by exercise (`solutions.mistakes`). The
    result is cached: two calls return the same module.

    Args:
        lesson: name of the lesson, such as "01_random_search".
        folder: where the sources lie; by default this package's own folder.

    Raises:
        ValueError: there is no such lesson.
    """
    return _load(lesson, FOLDER if folder is None else Path(folder).resolve())


@functools.cache
def _load(lesson: str, folder: Path) -> ModuleType:
    path = source_path(lesson, folder)
    notebook = read(lesson, folder)
    starts = _first_lines(path, len(notebook.cells))
    # A real module in sys.modules: dataclasses with postponed annotations and pickling look their class's
    # module up.
    name = f"solutions.{lesson}" if folder == FOLDER else f"solutions.{folder.name}.{lesson}"
    module = ModuleType(name, notebook.cells[0].source if notebook.cells else "")
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        for cell, start in zip(notebook.cells, starts):
            if cell.cell_type == "code" and tag_of(cell) in DEFINITION_TAGS:
                # Blank lines in front make tracebacks and inspect.getsource point at the lesson's own lines.
                code = compile("\n" * start + cell.source, str(path), "exec", dont_inherit=True)
                exec(code, module.__dict__)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    module.__dict__["MISTAKES"] = mistakes.load(lesson, notebook, folder)
    return module


def _first_lines(path: Path, cells: int) -> list[int]:
    """For each cell the number of lines before its first one; zeros where the two cannot be matched up."""
    lines = path.read_text(encoding="utf-8").splitlines()
    starts = [number for number, line in enumerate(lines, start=1) if line.startswith("# %%")]
    return starts if len(starts) == cells else [0] * cells
