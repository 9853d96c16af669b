"""The learners' first page, notebooks/index.ipynb, and the links from one lesson to the next.

All of it is counted and read from the lessons' own sources.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat

import solutions
from autograder.author.contents import Contents, all_contents, heading_of

PATH = Path("notebooks/index.ipynb")

START = """\
# NAS from Scratch

Open a lesson by its name. Work through it from top to bottom: write your code where it says YOUR CODE HERE, then run \
the check below it.

{map}

## Your progress

Run the cell below (Shift-Enter) to see your points, as the checks in your saved notebooks showed them last.
"""

# What the lessons take and which methods they teach; the reading site shows it too.
MAP = """\
| lesson | exercises | reading | computing | points | builds on |
| --- | ---: | ---: | ---: | ---: | --- |
{rows}

Exercises and reading are in minutes. Lessons build on each other through the library alone: none needs an answer of \
yours to an earlier one, so that you can go on while something is unfinished.

## The methods

Every search has a space to look in, a strategy that proposes what to look at, and a way to judge what was proposed.

| method | space | proposes | judges by | lesson |
| --- | --- | --- | --- | --- |
{methods}
"""

PROGRESS = """\
from nas_lib.notebooks.progress import show

show()\
"""

COMMANDS = """\
**In a terminal**, in the course's folder (*File → New → Terminal*):

| command | what it does |
| --- | --- |
| `nas-course doctor` | says whether this machine has what the lessons use |
| `nas-course progress` | shows your points by lesson |
| `nas-course validate 01` | runs the checks of a lesson from top to bottom, and names what is wrong or unfinished |
| `nas-course submit 01` | validates, then writes the file to hand in |
| `nas-course update` | brings a newer release without losing answers |
"""

# Method, space, what proposes, what judges, number of the lesson.
METHODS = (
    ("random search", "any", "uniform draws", "full training", "01"),
    ("hill climbing", "any with neighbours", "the best of all neighbours", "full training", "02"),
    (
        "regularized evolution",
        "any with neighbours",
        "mutants of a tournament's winner",
        "full training",
        "02",
    ),
    ("successive halving", "any", "uniform draws", "short trainings; the better ones go on", "02"),
    ("training-free scores", "networks", "uniform draws", "one batch, no training", "02"),
    ("REINFORCE with a controller", "lists of decisions", "a learned distribution", "full training", "03"),
    ("DARTS, SNAS, GDAS", "cells", "a gradient in the architecture", "one network that mixes all", "04"),
    ("single-path supernet", "cells", "evolution within a limit", "weights that all share", "05"),
    ("strictly fair supernet", "cells", "evolution within a limit", "weights that all share", "05"),
    ("ENAS's controller", "cells", "a learned distribution", "weights that all share", "05"),
    ("once-for-all", "sizes of a network", "evolution within a limit", "weights cut from the largest", "05"),
    ("hardware-aware search", "any", "any of these", "accuracy and latency in one reward", "06"),
    ("compound scaling", "depth, width, resolution", "a grid of ratios", "small trainings", "07"),
    ("Bayesian optimisation", "any with an encoding", "a model of what was seen", "full training", "08"),
    ("Hyperband, ASHA", "any", "uniform draws", "trainings of many lengths", "08"),
    ("TuNAS's search", "layers of a network", "learned distributions", "weights that all share", "09"),
)

HAND_IN = """\
---
**Hand in.** Save this notebook. Then, in a terminal in the course's folder (*File → New → Terminal*):

```
nas-course submit {number}
```

It runs the checks from top to bottom, names what is unfinished, and writes one file for you to upload, \
`hand-in/{name}.ipynb`; where your course has an exchange folder, it hands the notebook in there. \
`nas-course validate {number}` only runs the checks.

{links}
"""


def index_notebook(folder: Path = solutions.FOLDER) -> Any:
    """The page that `nas-course lab` opens: lessons, what they take, what they build on."""
    first = START.format(map=course_map(folder=folder).rstrip("\n"))
    cells = [_cell("markdown", first), _cell("code", PROGRESS), _cell("markdown", COMMANDS)]
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    notebook.nbformat_minor = 5
    return notebook


def course_map(beside: str = "", folder: Path = solutions.FOLDER) -> str:
    """What each lesson takes and builds on, and the methods by lesson, as Markdown.

    Args:
        beside: where the lessons' folders lie, as seen from the page: nothing, or a path that ends with a slash.
        folder: the lessons' sources.
    """
    lessons = all_contents(folder)
    rows = "\n".join(_row(one, lessons, beside) for one in lessons)
    return MAP.format(rows=rows, methods="\n".join(_methods(lessons, beside)))


def links(lesson: str, folder: Path = solutions.FOLDER) -> str:
    """Previous lesson, index and next lesson, as one line of Markdown."""
    names = solutions.lessons(folder)
    place = names.index(lesson)
    before, after = names[max(0, place - 1) : place], names[place + 1 : place + 2]
    found = [f"[← {heading_of(name, folder)}]({_from_lesson(name)})" for name in before]
    found += ["[All lessons](../index.ipynb)"]
    found += [f"[{heading_of(name, folder)} →]({_from_lesson(name)})" for name in after]
    return " · ".join(found)


def hand_in(lesson: str, folder: Path = solutions.FOLDER) -> str:
    """The last cell of a lesson."""
    return HAND_IN.format(name=lesson, number=lesson[:2], links=links(lesson, folder)).rstrip("\n")


def _from_lesson(name: str) -> str:
    return f"../{name}/{name}.ipynb"


def _cell(kind: str, source: str) -> Any:
    source = source.rstrip("\n")
    identity = hashlib.sha256(source.encode()).hexdigest()[:12]
    make = nbformat.v4.new_markdown_cell if kind == "markdown" else nbformat.v4.new_code_cell
    return make(source, id=f"{kind}-{identity}")


def _methods(lessons: Sequence[Contents], beside: str) -> Iterator[str]:
    """The rows of the methods that some lesson teaches."""
    by_number = {one.name[:2]: one for one in lessons}
    for method, space, proposes, judges, number in METHODS:
        if number in by_number:
            lesson = f"[{number}]({beside}{_from_index(by_number[number])})"
            yield f"| {method} | {space} | {proposes} | {judges} | {lesson} |"


def _row(one: Contents, lessons: Sequence[Contents], beside: str) -> str:
    by_number = {other.name[:2]: other for other in lessons}
    needs = ", ".join(
        f"[{number}]({beside}{_from_index(by_number[number])})" for number in one.needs if number in by_number
    )
    cells = [
        f"[{one.heading}]({beside}{_from_index(one)})",
        str(one.minutes),
        f"{one.reading:.0f}",
        one.computing or "–",
        f"{one.points:g}",
        needs or "–",
    ]
    return f"| {' | '.join(cells)} |"


def _from_index(one: Contents) -> str:
    return f"{one.name}/{one.name}.ipynb"
