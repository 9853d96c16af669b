"""Which cell of a submission is which cell of the lesson, and what of it has to run before the exercises can
be probed.

Cells are known as in `nas_lib.notebooks.matching`. What a submission claims about points, locks and tags is not
believed: the master's stands.
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

import nbformat

import solutions
from autograder.author.lesson import NOTE_CELL, grade_id, is_check, is_exercise
from autograder.sandbox.apart import limited
from autograder.sandbox.cells import Step
from nas_lib.notebooks.matching import Master, MasterCell, definitions_only, match, plain

GRADER_KEYS = ("nbgrader", "deletable", "editable")
STRAYED_CHARACTERS = 20_000  # of an answer that stands in other cells than its own


@limited(seconds=20, back=nbformat.from_dict)
def restore(notebook: Any, master: Master) -> Any:
    """The notebook with the master's metadata on those cells that are the master's, and on no others.

    Graded cells that the submission lacks are put back where they were: nbgrader does that itself, but fails
    where the cell before one is locked and earns nothing, as the prompt of a written question is. What was written
    beside the untouched cell of a written answer is put into it: nobody would read it elsewhere.
    """
    found = match(notebook.cells, master)
    strayed = _strayed(notebook.cells, master, found)
    for index, cell in enumerate(notebook.cells):
        metadata = cell.metadata if isinstance(cell.metadata, dict) else {}
        for key in GRADER_KEYS:
            metadata.pop(key, None)
        tags = metadata.get("tags", [])
        metadata["tags"] = (
            [tag for tag in tags if tag not in solutions.TAGS] if isinstance(tags, list) else []
        )
        if index in found:
            original = master.cells[found[index]]
            _retype(cell, original.cell_type)
            metadata.update(
                {key: deepcopy(original.metadata[key]) for key in GRADER_KEYS if key in original.metadata}
            )
            metadata["tags"] = ([original.tag] if original.tag else []) + metadata["tags"]
        if not metadata["tags"]:
            del metadata["tags"]
        cell.metadata = metadata
    _add_missing(notebook, master, found)
    for cell in notebook.cells:
        if grade_id(cell) in strayed:
            cell.source, attachments = strayed[str(grade_id(cell))]
            if attachments:
                cell.attachments = nbformat.from_dict(cell.get("attachments", {}) | attachments)
    return notebook


def _retype(cell: Any, cell_type: str) -> None:
    """One key in Jupyter makes prose of code: the master's cells are what they were released as."""
    if cell.cell_type == cell_type:
        return
    cell.cell_type = cell_type
    for name in ("attachments", "outputs", "execution_count"):
        cell.pop(name, None)
    if cell_type == "code":
        cell.outputs, cell.execution_count = [], None


def _add_missing(notebook: Any, master: Master, found: dict[int, int]) -> None:
    where = {place: notebook.cells[index] for index, place in found.items()}
    for place, original in enumerate(master.cells):
        if place in where or not original.metadata.get("nbgrader", {}).get("grade"):
            continue
        make = nbformat.v4.new_code_cell if original.cell_type == "code" else nbformat.v4.new_markdown_cell
        cell = make(original.source, metadata=deepcopy(original.metadata))
        taken = {other.get("id") for other in notebook.cells}
        if original.identity:  # a notebook of nbformat 4.4 or older has none: then the new one stays
            cell.id = (
                original.identity if original.identity not in taken else f"{original.identity[:50]}-restored"
            )
        before = next((where[earlier] for earlier in range(place - 1, -1, -1) if earlier in where), None)
        at = next((index + 1 for index, other in enumerate(notebook.cells) if other is before), 0)
        notebook.cells.insert(at, cell)
        where[place] = cell


def _strayed(
    cells: list[Any], master: Master, found: dict[int, int]
) -> dict[str, tuple[str, dict[str, Any]]]:
    """What the cells of written answers shall say that were left as they were, where learners wrote something that
    may be the answer: around that cell, into its prompt, or, failing these, as prose anywhere. With its attachments."""
    where = {place: index for index, place in found.items()}
    known = {plain(original.source) for original in master.cells}
    texts = {}
    for index, cell in enumerate(cells):
        original = master.cells[found[index]] if index in found else None
        if text := _own_text(cell, original, known):
            texts[index] = text
    near: dict[str, list[int]] = {}  # by answer that was left as it was
    for place, original in enumerate(master.cells):
        at = where.get(place)
        if original.is_answer and (at is None or plain(cells[at].source) == plain(original.source)):
            around = _around(len(cells), found, where.get(place - 1), at)
            near[str(original.grade_id)] = [index for index in around if index in texts]
    taken = {index for indices in near.values() for index in indices}
    far = [index for index in texts if index not in taken and cells[index].cell_type != "code"]
    strayed = {}
    for name, beside in near.items():
        indices, told = (beside, "beside it") if beside else (far, "elsewhere in the notebook")
        if indices:
            text = "\n\n".join(texts[index] for index in indices)[:STRAYED_CHARACTERS]
            attached = [dict(cells[index].get("attachments", {})) for index in indices]
            strayed[name] = (
                f"*This cell was left as it was. What follows was written {told}.*\n\n{text}",
                {file: picture for pictures in attached for file, picture in pictures.items()},
            )
    return strayed


def _own_text(cell: Any, original: MasterCell | None, known: set[str]) -> str:
    """What of a cell is the learner's own text: all of it, or what was added to the lesson's prose; "" if nothing."""
    if original is None:
        if plain(cell.source) in known or cell.get("id") == NOTE_CELL:
            return ""
        return str(cell.source).strip() if cell.cell_type != "code" else _fenced(cell.source)
    if original.is_answer or original.cell_type != "markdown":
        return ""
    lines = {line.strip() for line in original.source.splitlines()}
    return "\n".join(line for line in cell.source.splitlines() if line.strip() not in lines).strip()


def _fenced(code: str) -> str:
    """Code as prose shows it, "" if there is none."""
    ticks = "`" * (1 + max([2, *(len(run) for run in re.findall("`+", code))]))
    return f"{ticks}python\n{code.strip()}\n{ticks}" if code.strip() else ""


def _around(count: int, found: dict[int, int], prompt: int | None, answer: int | None) -> list[int]:
    """The prompt, and the cells below it and around the answer that are none of the lesson's, in their order."""
    around = {prompt} if prompt is not None else set()
    for start, step in ((prompt, 1), (answer, 1), (answer, -1)):
        index = start + step if start is not None else -1
        while 0 <= index < count and index not in found:
            around.add(index)
            index += step
    return sorted(around)


@limited(seconds=20, back=lambda found: [Step(**step) for step in found])
def plan(notebook: Any, master: Master) -> list[Step]:
    """What to run, in order: the master's setup cells, then the learner's own code from top to bottom.

    Provided experiments and checks are left out: they take long, and nothing that counts happens in them. Of
    an experiment that the learner changed, the definitions run, as an exercise may lean on a helper written
    there.
    """
    steps = [
        Step(f"setup {number}", cell.source, None, True)
        for number, cell in enumerate(
            (cell for cell in master.cells if cell.tag == "setup" and cell.cell_type == "code"), start=1
        )
    ]
    texts = {(cell.tag, plain(cell.source)) for cell in master.cells}
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        tag = solutions.tag_of(cell)
        if (
            tag == "check"
            or is_check(cell)
            or (tag in ("setup", "experiment") and (tag, plain(cell.source)) in texts)
        ):
            continue
        source = definitions_only(cell.source) if tag == "experiment" else cell.source
        if source.strip():
            name = grade_id(cell) if is_exercise(cell) else None
            steps.append(Step(name or f"cell {index + 1}", source, index, name is not None))
    return steps
