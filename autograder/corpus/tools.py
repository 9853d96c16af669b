"""Cases of notebooks as other tools write them, and of files that are nearly one."""

# ruff: noqa: E501 - learners' code

from __future__ import annotations

import gzip
import json
from typing import Any

import nbformat

from autograder.corpus._cases import Case, Earns, Sheet, changed, raw


def vs_code(sheet: Sheet) -> None:
    sheet.notebook.nbformat_minor = 2
    sheet.notebook.metadata = {"language_info": {"name": "python"}, "orig_nbformat": 4}
    for cell in sheet.cells:
        cell.pop("id", None)
        cell.metadata = {**cell.metadata, "vscode": {"languageId": "python"}}


def colab(sheet: Sheet) -> None:
    sheet.notebook.nbformat_minor = 0
    sheet.notebook.metadata["colab"] = {"provenance": [{"file_id": "x", "timestamp": 1}], "toc_visible": True}
    sheet.notebook.metadata["accelerator"] = "GPU"
    for number, cell in enumerate(sheet.cells):
        cell.pop("id", None)
        cell.metadata = {
            **cell.metadata,
            "id": f"aB{number}",
            "colab": {"base_uri": "https://localhost:8080/"},
        }
        if cell.cell_type == "code":
            cell.metadata["cellView"] = "form"
            cell.outputs = [{"output_type": "stream", "name": "stdout", "text": ["1\n"]}]


def databricks(sheet: Sheet) -> None:
    sheet.notebook.nbformat_minor = 0
    for cell in sheet.cells:
        cell.pop("id", None)
        cell.metadata["application/vnd.databricks.v1+cell"] = {"nuid": "x", "inputWidgets": {}, "title": ""}
        for name in ("outputs", "execution_count"):
            cell.pop(name, None)


def kaggle(sheet: Sheet) -> None:
    sheet.notebook.metadata["papermill"] = {"duration": None, "exception": None, "parameters": {}}
    for cell in sheet.cells:
        cell.metadata.update(_uuid="8f2839f25d086af", _cell_guid="b1076dfc", trusted=True, papermill={})
        if cell.cell_type == "code":
            cell.execution_count = "7"


def headings(sheet: Sheet) -> None:
    """As IPython 2 had them: a cell type of their own."""
    for cell in [
        cell for cell in sheet.cells if cell.cell_type == "markdown" and cell.source.startswith("#")
    ][1:3]:
        cell.cell_type, cell["level"] = "heading", 2
    sheet.cells.insert(
        1, nbformat.from_dict({"cell_type": "heading", "level": 1, "metadata": {}, "source": "Mine"})
    )


def numbered_ids(sheet: Sheet) -> None:
    for number, cell in enumerate(sheet.cells):
        cell.id = number


def scripted_ids(sheet: Sheet) -> None:
    for number, cell in enumerate(sheet.cells):
        cell.id = f'"><img src=x onerror=corpusAlert({number})>'


def odd_tags(sheet: Sheet) -> None:
    for cell in sheet.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata["tags"] = [
            *tags,
            "remove_cell",
            "hide_input",
            "skip-execution",
            7,
            {"x": 1},
            None,
            "x" * 9999,
        ]
        cell.metadata["jupyter"] = {"source_hidden": True, "outputs_hidden": True}


def forged_note(sheet: Sheet) -> None:
    """The cell by which a refused submission is known, with a sentence of the learner's own."""
    note = "**your grader's disk was full: please enter full marks**"
    sheet.cells.insert(0, nbformat.v4.new_markdown_cell(note, id="intake-note"))


def forged_feedback(sheet: Sheet) -> None:
    task = {
        "name": "x",
        "title": "<script>corpusAlert(9)</script>",
        "points": 9,
        "out_of": 9,
        "state": "full",
        "message": "<script>corpusAlert(8)</script>",
    }
    for cell in sheet.cells:
        cell.metadata["feedback"] = {"kind": "verdict", "task": task}
    sheet.notebook.metadata["feedback"] = {"title": "x", "tasks": [task], "waiting": 0}


def wide_characters(sheet: Sheet) -> None:
    """The exercise's name in letters that Python takes for the same."""
    wide = "".join(chr(ord(letter) + 0xFEE0) if letter.isalpha() else letter for letter in sheet.target)
    sheet.cell().source = sheet.cell().source.replace(f"def {sheet.target}(", f"def {wide}(")


def odd_line_ends(sheet: Sheet) -> None:
    sheet.cell().source += "\nodd = 'a\u2028b\u2029c\x85d\x0ce\x1cf'  # \u202e drawkcab \u2066\n\x0c\n"


def coding_line(sheet: Sheet) -> None:
    sheet.cell().source = "# -*- coding: utf-7 -*-\n" + sheet.cell().source


def conflict(sheet: Sheet) -> None:
    sheet.cell().source = f"<<<<<<< HEAD\n{sheet.cell().source}\n=======\npass\n>>>>>>> theirs"


def _twice(text: str) -> bytes:
    return ('{"cells": [], ' + text.lstrip()[1:]).encode()


def _with_nan(text: str) -> bytes:
    data = json.loads(text)
    data["metadata"]["odd"] = [float("nan"), float("inf"), -float("inf")]
    return json.dumps(data).encode()


def _split(text: str) -> bytes:
    data: dict[str, Any] = json.loads(text)
    for cell in data["cells"]:
        cell["source"] = [
            part for line in cell["source"].splitlines(keepends=True) for part in (line[:3], line[3:])
        ]
    return json.dumps(data).encode()


def _contents(text: str) -> bytes:
    return json.dumps(
        {"name": "x.ipynb", "type": "notebook", "format": "json", "content": json.loads(text)}
    ).encode()


# fmt: off
TOOLS: list[Case] = [
    changed("as VS Code writes it", "tools", Earns.ALL, vs_code),
    changed("as Colab writes it", "tools", Earns.ALL, colab),
    changed("as Databricks writes it", "tools", Earns.ALL, databricks),
    changed("as Kaggle writes it", "tools", Earns.ALL, kaggle),
    changed("cells that are headings and of unknown types", "tools", Earns.ALL, headings),
    changed("numbers for ids", "tools", Earns.ALL, numbered_ids),
    changed("scripts for ids", "pages", Earns.ALL, scripted_ids),
    changed("tags that hide and tags that are none", "metadata", Earns.ALL, odd_tags),
    changed("the grader's note forged", "metadata", Earns.ALL, forged_note),
    changed("the feedback's metadata forged", "pages", Earns.ALL, forged_feedback),
    changed("the exercise's name in wide letters", "tools", Earns.ALL, wide_characters),
    changed("line ends that only some know", "tools", Earns.ALL, odd_line_ends),
    changed("a coding line", "tools", Earns.ALL, coding_line),
    changed("marks of a merge in a cell", "tools", Earns.OTHERS, conflict, says="SyntaxError"),
    raw("lines in pieces", "tools", Earns.ALL, _split),
    raw("cells twice, the first empty", "files", Earns.ALL, _twice),
    raw("numbers that JSON has no word for", "files", Earns.ALL, _with_nan),
    raw("UTF-32", "files", Earns.ALL, lambda text: text.encode("utf-32")),
    raw("what Jupyter's server says of a notebook", "tools", Earns.ALL, _contents),
    raw("a page to log in", "tools", Earns.REFUSED, lambda text: b"<!DOCTYPE html>\n<html><title>Log in</title></html>", says="."),
    raw("a compressed notebook", "tools", Earns.REFUSED, lambda text: gzip.compress(text.encode()), says="."),
    raw("marks of a merge in the file", "tools", Earns.REFUSED, lambda text: f"<<<<<<< HEAD\n{text}\n=======\n{text}\n>>>>>>> theirs\n".encode(), says="."),
    raw("commas too many", "tools", Earns.REFUSED, lambda text: text.replace('"cells": [', '"cells": [,', 1).encode(), says="."),
]
# fmt: on
