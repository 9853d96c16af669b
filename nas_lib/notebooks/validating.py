"""What is right, wrong and unfinished in a notebook: its checks, run in a fresh kernel as grading would.

Experiments are left out, as in grading: they take long, and no check hangs on them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from nas_lib.checks.notebook import NotRight
from nas_lib.notebooks.cells import grade_id, is_check, is_exercise, is_open, tag_of
from nas_lib.notebooks.matching import definitions_only

CELL_SECONDS = 300
"""By the clock, for one cell. Checks have a limit of their own, which comes first."""
QUIETLY = ["--log-level=ERROR"]
"""For a kernel, which would warn on the terminal that its sockets on this machine are not encrypted."""
UNWRITTEN = re.compile(r"\s*#\s*YOUR CODE HERE\s+raise NotImplementedError|^\w+ = None\s*$")
UNANSWERED = "YOUR ANSWER HERE"


class Part(NamedTuple):
    """What earns points in a notebook, and how far it is."""

    name: str
    state: Literal["done", "wrong", "unfinished"]
    said: str = ""

    def __str__(self) -> str:
        mark = {"done": "✓", "wrong": "✗", "unfinished": "○"}[self.state]
        return f"{mark} {self.name}" + (f": {self.said}" if self.said else "")


def read(path: Path) -> Any:
    """A notebook.

    Raises:
        ValueError: it is none.
    """
    import nbformat

    try:
        return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{path} is no notebook that can be read ({type(error).__name__}).") from None


def worked_in(notebook: Any) -> bool:
    """Did somebody write an answer?"""
    return any(
        (is_exercise(cell) and not UNWRITTEN.search(cell.source))
        or (is_open(cell) and UNANSWERED not in cell.source)
        for cell in notebook.cells
    )


def validate(path: Path) -> list[Part]:
    """Run a notebook's own cells and checks, and say of every part what came of it.

    Raises:
        ValueError: the file is no notebook, or none of a lesson; no kernel can be started.

    """
    import nbformat

    notebook = read(path)
    cells, checks = [], {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        source = definitions_only(cell.source) if tag_of(cell) == "experiment" else cell.source
        cells.append(nbformat.v4.new_code_cell(source))
        if is_check(cell):
            checks[str(grade_id(cell)).removesuffix("-check")] = cells[-1]
    if not checks:
        raise ValueError(f"{path} has no checks: is it the notebook of a lesson?")
    _run(nbformat.v4.new_notebook(cells=cells), path.parent)
    parts = [_checked(name, cell) for name, cell in checks.items()]
    return [*parts, *_written(notebook)]


def _run(notebook: Any, folder: Path) -> None:
    import nbclient
    from jupyter_client.kernelspec import NoSuchKernel

    client = nbclient.NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=CELL_SECONDS,
        interrupt_on_timeout=True,
        allow_errors=True,
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=QUIETLY,
    )
    try:
        client.execute(env={**os.environ, "NBGRADER_EXECUTION": "validate"})
    except NoSuchKernel:
        raise ValueError("no Python kernel is installed here: pip install ipykernel") from None
    except nbclient.exceptions.DeadKernelError:
        pass  # what was not run has no output, which says so


def _checked(name: str, cell: Any) -> Part:
    errors = [output for output in cell.outputs if output.output_type == "error"]
    if errors:
        said = errors[-1].evalue if errors[-1].ename == NotRight.__name__ else _error(errors[-1])
        return Part(name, "unfinished" if said in ("not implemented yet", "not answered yet") else "wrong", said)
    if cell.execution_count is None:
        return Part(name, "wrong", "its check did not run: something above it ended the kernel, or took too long")
    return Part(name, "done")


def _error(error: Any) -> str:
    return f"{error.ename}: {' '.join(str(error.evalue).split())[:200]}"


def _written(notebook: Any) -> Iterator[Part]:
    for cell in notebook.cells:
        if is_open(cell):
            empty = UNANSWERED in cell.source or not cell.source.strip()
            said = "not answered yet" if empty else "answered; a person will read it"
            yield Part(str(grade_id(cell)), "unfinished" if empty else "done", said)
