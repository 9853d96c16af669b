"""The page that a learner gets back: points by exercise at the top, and beside each answer what was wrong with it.

nbgrader writes the pages (`nbgrader generate_feedback`, Formgrader's button); ours are its exporter and one step that
sorts a graded notebook into tasks. Nothing is judged here.
"""

from __future__ import annotations

import functools
import html
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nbconvert.exporters import HTMLExporter
from nbconvert.filters.highlight import Highlight2HTML
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor

import solutions
from autograder.author import lesson
from autograder.judge.outputs import read_outcomes
from autograder.reports.grade_table import duration
from solutions.titles import titles

TEMPLATES = Path(__file__).with_name("templates")
NO_RESPONSE = "No response."
"""nbgrader's own comment on an answer that was left as it was."""


@dataclass(frozen=True)
class Task:
    """A graded task as the page shows it."""

    name: str
    title: str
    points: float
    out_of: float
    state: str
    """"full", "part", "none" or "waiting" (for a person)."""
    message: str
    """HTML."""


class FeedbackExporter(HTMLExporter):
    """nbconvert's HTML exporter with the page of `templates/learner_feedback`."""

    def from_notebook_node(  # type: ignore[override]  # as in HTMLExporter
        self, nb: Any, resources: Any = None, **kw: Any
    ) -> tuple[str, Any]:
        """The page as the template makes it.

        HTMLExporter parses it once more to add what other templates lack, which takes a third of a page's time.
        """
        self.register_filter("highlight_code", _highlighted)
        made: tuple[str, Any] = super(HTMLExporter, self).from_notebook_node(
            nb, self._init_resources(resources), **kw
        )
        return made


def _highlighted(source: str, language: str | None = None, metadata: Any = None) -> str:
    return _coloured(source)


@functools.lru_cache(maxsize=1024)
def _coloured(source: str) -> str:
    """Code as HTML; most cells of a class's notebooks are the lesson's own."""
    page: str = Highlight2HTML()(source)
    return page


class SortIntoTasks(NbGraderPreprocessor):
    """Tell the template what each cell is: a task's text, answer or verdict, or something in between."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Fill `resources["feedback"]` and each cell's `metadata.feedback`."""
        names = resources["nbgrader"]
        with Gradebook(names["db_url"]) as gradebook:
            submission = gradebook.find_submission(names["assignment"], names["student"])
            waiting = {
                grade.cell.name
                for notebook in submission.notebooks
                if notebook.name == names["notebook"]
                for grade in notebook.grades
                if grade.needs_manual_grade
            }
            late = float(submission.total_seconds_late or 0.0)
        titled = _titles(nb)
        outcomes = read_outcomes(nb)
        tasks = []
        unanswered: set[str] = set()
        for cell in nb.cells:
            task = None
            identity = str(lesson.grade_id(cell) or "")
            grades = lesson.grader_metadata(cell)
            if grades.get("comment") == NO_RESPONSE:  # nobody's comment; the message says it
                grades["comment"] = None
                unanswered.add(identity)
            if lesson.is_check(cell) or lesson.is_open(cell):
                name = identity.removesuffix("-check")
                told = outcomes[name].message if name in outcomes else ""
                if lesson.is_open(cell):
                    told = "not answered" if name in unanswered else ""
                task = _task(cell, name, titled.get(name, name), identity in waiting, told)
                tasks.append(task)
            cell.metadata["feedback"] = {"kind": _kind(cell), "task": asdict(task) if task else None}
        resources["feedback"] = {
            "title": _heading(nb) or names["notebook"],
            "tasks": [asdict(task) for task in tasks],
            "note": next((c.source for c in nb.cells if c.metadata["feedback"]["kind"] == "note"), ""),
            "waiting": sum(task.out_of for task in tasks if task.state == "waiting"),
            "late": duration(late) if late > 0 else "",
            "blocks": _blocks(nb.cells),
        }
        return nb, resources


def _task(cell: Any, name: str, title: str, waiting: bool, message: str) -> Task:
    grades = cell.metadata["nbgrader"]
    points, out_of = float(grades.get("score") or 0.0), float(grades.get("points") or 0.0)
    if waiting:
        state = "waiting"
    elif points >= out_of:
        state = "full"
    else:
        state = "part" if points > 0 else "none"
    if waiting and lesson.is_open(cell):
        message = "a person reads this answer"
    return Task(name, title, points, out_of, state, _sentence(message))


def _sentence(message: str) -> str:
    """A judge's message as HTML: everything escaped, what stands in backticks as code, the first word capital."""
    first = message.partition(" ")[0]
    if first.isalpha() and first.islower():
        message = message[0].upper() + message[1:]
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", html.escape(message))


def _kind(cell: Any) -> str:
    """What the page does with a cell."""
    if lesson.is_check(cell):
        return "verdict"
    if lesson.is_open(cell) or lesson.is_exercise(cell):
        return "answer"
    if cell.get("id") == lesson.NOTE_CELL:
        return "note"
    if cell.cell_type == "markdown" and titles(cell.source):
        return "text"
    # Cells that the learner added and that broke are shown: an exercise may have suffered from them.
    if cell.cell_type == "code" and cell.get("outputs") and not solutions.tag_of(cell):
        return "own"
    return "between"


def _blocks(cells: list[Any]) -> list[dict[str, Any]]:
    """Runs of cells of the page: the lesson's text in between is one block, folded away, until the next task."""
    blocks: list[dict[str, Any]] = []
    for index, cell in enumerate(cells):
        between = cell.metadata["feedback"]["kind"] == "between"
        if not blocks or blocks[-1]["between"] != between or not between:
            blocks.append({"between": between, "cells": []})
        blocks[-1]["cells"].append(index)
    return blocks


def _titles(nb: Any) -> dict[str, str]:
    return {
        title.name: f"{title.kind} {title.number}"
        for cell in nb.cells
        if cell.cell_type == "markdown"
        for title in titles(cell.source)
    }


def _heading(nb: Any) -> str | None:
    for cell in nb.cells:
        found = re.search(r"^# +(.+)$", cell.source, re.MULTILINE) if cell.cell_type == "markdown" else None
        if found:
            return found[1].strip()
    return None
