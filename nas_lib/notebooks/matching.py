"""Which cell of a learner's notebook is which cell of the lesson as it was released.

A cell is known by its grade_id, else by its cell id, else by what it says or defines: learners' tools lose
metadata, and honest work must not be lost with them.
"""

from __future__ import annotations

import ast
import functools
import re
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from nas_lib.notebooks.cells import grade_id, is_check, tag_of

# What Python's parser raises on learners' code; the last two where it is nested too deep.
UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError)


@dataclass(frozen=True)
class MasterCell:
    """One cell of the lesson as it was released."""

    identity: str
    grade_id: str | None
    tag: str | None
    cell_type: str
    source: str
    metadata: dict[str, Any]

    @property
    def exercise(self) -> str | None:
        """Name of the exercise whose solution goes into this cell."""
        return self.grade_id if self.metadata.get("nbgrader") and self.tag == "exercise" else None

    @property
    def is_answer(self) -> bool:
        """Does a person grade what is written here?"""
        return self.cell_type == "markdown" and bool(self.metadata.get("nbgrader", {}).get("grade"))


@dataclass(frozen=True)
class Master:
    """The lesson as it was released: its cells in order, and the points of each check cell by exercise."""

    cells: tuple[MasterCell, ...]
    points: dict[str, float]

    @classmethod
    def of(cls, notebook: Any) -> Master:
        """Take a student notebook apart."""
        cells = tuple(
            MasterCell(
                identity=cell.get("id", ""),
                grade_id=grade_id(cell),
                tag=tag_of(cell),
                cell_type=cell.cell_type,
                source=cell.source,
                metadata=deepcopy(dict(cell.metadata)),
            )
            for cell in notebook.cells
        )
        points = {
            str(grade_id(cell)).removesuffix("-check"): float(cell.metadata["nbgrader"]["points"])
            for cell in notebook.cells
            if is_check(cell)
        }
        return cls(cells, points)


def match(cells: list[Any], master: Master) -> dict[int, int]:
    """Pair cells with the master's, each used once: {place in the submission: place in the master}."""
    found: dict[int, int] = {}
    for same in (_same_grade_id, _same_identity, _same_text, _same_definition):
        for place, original in enumerate(master.cells):
            if place in found.values():
                continue
            candidates = [
                index for index, cell in enumerate(cells) if index not in found and same(cell, original)
            ]
            if candidates:
                found[candidates[-1]] = (
                    place  # of several copies the last one is what a run from top to bottom leaves
                )
    _match_answers(cells, master, found)
    return found


def _match_answers(cells: list[Any], master: Master, found: dict[int, int]) -> None:
    """A written answer says what it wants: failing all else it is the prose right below its prompt."""
    for place, original in enumerate(master.cells):
        if place in found.values() or not original.is_answer:
            continue
        below = next((index + 1 for index, earlier in found.items() if earlier == place - 1), None)
        if (
            below is not None
            and below < len(cells)
            and below not in found
            and cells[below].cell_type == "markdown"
        ):
            found[below] = place


def _same_grade_id(cell: Any, original: MasterCell) -> bool:
    return original.grade_id is not None and grade_id(cell) == original.grade_id


def _same_identity(cell: Any, original: MasterCell) -> bool:
    return (
        bool(original.identity)
        and cell.get("id") == original.identity
        and cell.cell_type == original.cell_type
    )


def _same_text(cell: Any, original: MasterCell) -> bool:
    return (
        cell.cell_type == original.cell_type
        and not original.is_answer  # all of them say the same as long as nobody has answered
        and bool(plain(cell.source))
        and plain(cell.source) == plain(original.source)
    )


def _same_definition(cell: Any, original: MasterCell) -> bool:
    return (
        original.exercise is not None
        and cell.cell_type == "code"
        and original.exercise in _defined(cell.source)
    )


@functools.lru_cache(maxsize=4096)
def plain(source: str) -> str:
    """A cell's text without what only spaces and line ends say."""
    return re.sub(r"\s+", " ", source).strip()


@functools.lru_cache(maxsize=4096)
def _defined(source: str) -> set[str]:
    """Names that a cell defines at its top level."""
    try:
        body = ast.parse(source).body
    except UNPARSABLE:
        return set(re.findall(r"^(?:def|class)\s+(\w+)", source, re.MULTILINE))
    names = {
        node.name for node in body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    }
    for node in body:
        if isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def definitions_only(source: str) -> str:
    """A cell's imports, functions and classes as they are written there."""
    source = re.sub(r"\r\n?", "\n", source)
    try:
        body = ast.parse(source).body
        written = source.encode()
    except UNPARSABLE:
        return ""
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    begins = [0, *(found.end() for found in re.finditer(b"\n", written))]  # places are counted in bytes
    pieces = []
    for node in body:
        if isinstance(node, kinds):
            first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
            start = begins[first - 1] + (node.col_offset if first == node.lineno else 0)
            end = begins[int(node.end_lineno or 0) - 1] + int(node.end_col_offset or 0)
            pieces.append(written[start:end].decode())
    return "\n".join(pieces)
