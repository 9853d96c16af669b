"""Reads one notebook, or says in one sentence why not.

Nothing here runs or renders what a learner wrote, follows a link, or believes a size.
"""

from __future__ import annotations

import codecs
import itertools
import json
import re
import warnings
from pathlib import Path
from typing import Any

import nbformat

from autograder.intake.archives import NOTEBOOK_BYTES
from autograder.intake.submission import shown
from autograder.sandbox.apart import Beyond, limited

SOURCE_BYTES = 2 * 2**20  # of text and code; pages are made of them, and they are searched
CODE_BYTES = 200_000  # coloured in a page it is ten times as long
MOST_CELLS = 2_000
MOST_BRACKETS = 400_000  # each becomes an object of ours: 20 MB of them would take gigabytes


class Unreadable(ValueError):
    """A submission that cannot be graded, with the reason for the learner."""


def read(path: Path) -> Any:
    """Read a notebook, older formats and a byte order mark included; returns it in nbformat 4.5.

    Raises:
        Unreadable: with a sentence for the learner.
    """
    try:
        return _read(path)
    except Beyond as beyond:
        raise Unreadable(
            f"The notebook cannot be read, as {beyond}: clear its outputs and hand it in again."
        ) from None


@limited(seconds=20, back=nbformat.from_dict, tells=Unreadable)
def _read(path: Path) -> Any:
    if any(part.is_symlink() for part in (path, path.parent, path.parent.parent)):
        raise Unreadable("The notebook is a link to another file: hand in the file itself.")
    if not path.is_file():
        raise Unreadable("There is no notebook: hand one in.")
    if path.stat().st_size > NOTEBOOK_BYTES:
        raise Unreadable(
            f"The notebook is above {NOTEBOOK_BYTES // 2**20} MB: clear its outputs and hand it in again."
        )
    try:
        text = _decode(path.read_bytes())
    except OSError as wrong:
        raise Unreadable(f"The notebook cannot be opened ({wrong.strerror}): hand it in again.") from None
    if text.count("{") + text.count("[") > MOST_BRACKETS:
        raise Unreadable("The notebook holds too much data: clear its outputs and hand it in again.")
    try:
        raw = json.loads(text)
        if isinstance(raw, dict) and raw.get("type") == "notebook" and isinstance(raw.get("content"), dict):
            raw = raw["content"]  # what Jupyter's server answers when it is asked for a notebook
        if not isinstance(raw, dict) or not ("cells" in raw or "worksheets" in raw):
            raise Unreadable(
                "The file is no Jupyter notebook: save it in Jupyter as .ipynb and hand it in again."
            )
        _drop_outputs(raw)
        with warnings.catch_warnings():
            # About ids that are missing or double, which are given anew below.
            warnings.simplefilter("ignore")
            return _tidied(nbformat.reads(json.dumps(raw), as_version=4))
    except Unreadable:
        raise
    except RecursionError:
        raise Unreadable("The notebook is nested too deep to be one that Jupyter wrote.") from None
    except Exception as error:
        reason = shown(str(error).splitlines()[0])[:200] if str(error) else type(error).__name__
        raise Unreadable(
            f"The notebook cannot be read ({reason}): open it in Jupyter, save it and hand it in again."
        ) from None


def _decode(data: bytes) -> str:
    wide = next((name for mark, name in WIDE.items() if data.startswith(mark)), "")
    for encoding in (wide, "utf-8-sig") if wide else ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", "replace")


WIDE = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Encodings by the mark with which a file in them begins; one mark is the beginning of another."""

KEPT = {
    "code": ("cell_type", "id", "metadata", "source", "outputs", "execution_count"),
    "markdown": ("cell_type", "id", "metadata", "source", "attachments"),
    "raw": ("cell_type", "id", "metadata", "source", "attachments"),
}
"""What a cell of each type has."""


def _drop_outputs(raw: dict[str, Any]) -> None:
    """What cells printed and the notebook's metadata count for nothing here, and may be anything."""
    raw["metadata"] = {}
    sheets = raw["worksheets"] if isinstance(raw.get("worksheets"), list) else [raw]
    cells = [cell for sheet in sheets for cell in sheet.get("cells", [])]
    if len(cells) > MOST_CELLS:
        raise Unreadable(f"The notebook has more than {MOST_CELLS:,} cells: hand in the lesson's own.")
    for cell in cells:
        if cell.get("cell_type") == "code":
            cell["outputs"] = []
        if not isinstance(cell.get("metadata"), dict):
            cell["metadata"] = {}
        if sheets is not raw.get("worksheets"):
            _retype(cell)


def _retype(cell: dict[str, Any]) -> None:
    """Cells of types that are none of nbformat 4's, which some tools write all the same, become prose or raw text."""
    kind = cell.get("cell_type")
    if kind == "heading":
        cell["cell_type"], level = "markdown", cell.pop("level", 1)
        source = cell.get("source", "")
        text = "".join(source) if isinstance(source, list) else source
        cell["source"] = f"{'#' * level if type(level) is int and 0 < level < 7 else '#'} {text}"
    elif isinstance(kind, str) and kind not in KEPT:
        cell["cell_type"] = "raw"


def _tidied(notebook: Any) -> Any:
    """Keep what grading and feedback look at, in a valid form; tools fill metadata with anything."""
    ids: set[str] = set()
    for cell in notebook.cells:
        for name in set(cell) - set(KEPT.get(cell.cell_type, cell)):
            del cell[name]
        tags, graded = cell.metadata.get("tags"), cell.metadata.get("nbgrader")
        cell.metadata = nbformat.from_dict({"nbgrader": _flat(graded)} if isinstance(graded, dict) else {})
        if isinstance(tags, list) and tags and all(isinstance(tag, str) for tag in tags):
            cell.metadata["tags"] = list(dict.fromkeys(tag for tag in tags if re.fullmatch(r"[^,]+", tag)))
        if "attachments" in cell:
            cell.attachments = _pictures(cell.attachments)
        cell.source = str(cell.get("source", "")).encode("utf-8", "replace").decode("utf-8")
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        cell.id = _identity(cell.get("id"), ids)
        ids.add(cell.id)
    _limit_sizes(notebook.cells)
    notebook.metadata = nbformat.from_dict({"language_info": {"name": "python"}})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    return notebook


def _flat(claimed: dict[str, Any]) -> dict[str, Any]:
    """What a cell says of itself to nbgrader: names and numbers, no depths that others would have to go down."""
    return {key: value for key, value in claimed.items() if isinstance(value, (str, int, float, bool))}


def _pictures(attached: Any) -> dict[str, dict[str, str]]:
    """What is attached, as far as it has the form that Jupyter gives it."""
    files = attached.items() if isinstance(attached, dict) else ()
    return {
        name: {kind: data for kind, data in bundle.items() if isinstance(data, str)}
        for name, bundle in files
        if isinstance(bundle, dict)
    }


def _identity(given: Any, taken: set[str]) -> str:
    """A cell's id, if it is one and no other cell's; else one of ours."""
    if isinstance(given, str) and given not in taken and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", given):
        return given
    return next(f"cell-{n}" for n in itertools.count(1) if f"cell-{n}" not in taken)


def _limit_sizes(cells: list[Any]) -> None:
    sizes = {
        kind: sum(len(cell.source) for cell in cells if cell.cell_type == kind)
        for kind in ("code", "markdown")
    }
    if sizes["code"] > CODE_BYTES:
        raise Unreadable(
            f"The notebook's code is above {CODE_BYTES // 1000} kB: hand in the lesson's own notebook."
        )
    if sum(len(cell.source) for cell in cells) > SOURCE_BYTES:
        raise Unreadable(
            f"The notebook's text is above {SOURCE_BYTES // 2**20} MB: take large pictures out of it."
        )
