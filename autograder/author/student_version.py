"""From the instructor's notebook to the learners': nbgrader's release steps, with ours among them.

The builder goes through them without a course folder, nbgrader itself (`nbgrader generate_assignment`, Formgrader's
button) with one; both make the same notebook.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    IncludeHeaderFooter,
    InstantiateTests,
    LockCells,
    NbGraderPreprocessor,
    SaveCells,
)
from traitlets.config import Config

from autograder.author.lesson import concept_answer


class ClearAnswers(ClearSolutions):
    """nbgrader's ClearSolutions; a question's stub is `name = None`, so that the notebook runs through."""

    def preprocess_cell(self, cell: Any, resources: Any, cell_index: int) -> tuple[Any, Any]:
        """Replace the solution regions of one cell by its stub."""
        concept = concept_answer(cell.source) if cell.cell_type == "code" else None
        usual = self.code_stub
        if concept:
            self.code_stub: dict[str, str] = {**usual, "python": f"{concept[0]} = None"}
        try:
            return super().preprocess_cell(cell, resources, cell_index)
        finally:
            self.code_stub = usual


class DropEmptyCells(NbGraderPreprocessor):
    """Take out the prose cells of which nothing is left once their mark scheme is gone."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Return the notebook without its empty prose cells."""
        nb.cells = [cell for cell in nb.cells if cell.cell_type == "code" or cell.source.strip()]
        return nb, resources


class Stamp(NbGraderPreprocessor):
    """Write a digest of the cells into the notebook: the builder tells its own work from edits by it."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Stamp the notebook."""
        return stamped(nb), resources


def stamped(notebook: Any) -> Any:
    """A notebook with the digest of its cells in its metadata."""
    notebook.metadata["nas_course"] = {"digest": digest(notebook)}
    return notebook


def digest(notebook: Any) -> str:
    """A short hash of all cells, outputs included."""
    cells = json.dumps(notebook.cells, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(cells.encode("utf-8", "surrogatepass")).hexdigest()[:16]


RELEASE = [
    IncludeHeaderFooter,
    InstantiateTests,
    LockCells,
    ClearAnswers,
    ClearOutput,
    CheckCellMetadata,
    ComputeChecksums,
    # Keeps the master of locked cells, hidden tests and mark schemes included: hence before the next two.
    SaveCells,
    ClearHiddenTests,
    ClearMarkScheme,
    DropEmptyCells,
    ComputeChecksums,
    CheckCellMetadata,
    Stamp,
]


def configure(config: Any) -> None:
    """Have nbgrader release lessons by these steps."""
    config.GenerateAssignment.preprocessors = RELEASE
    # Rubrics stand in ordinary locked cells beside the answer, not only in nbgrader's "task" cells.
    config.ClearMarkScheme.enforce_metadata = False


def release(notebook: Any) -> Any:
    """The learners' version of an instructor notebook: answers and outputs go, checksums come.

    Left out are the steps that need a course folder (header and footer, the gradebook).
    """
    config = Config()
    configure(config)
    resources: dict[str, Any] = {}
    for step in RELEASE:
        if step not in (IncludeHeaderFooter, SaveCells):
            notebook, resources = step(config=config).preprocess(notebook, resources)
    return notebook
