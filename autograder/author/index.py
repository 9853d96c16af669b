"""The learners' first page, notebooks/index.ipynb, and the links from one lesson to the next.

All of it is counted and read from the lessons' own sources.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat

import solutions
from autograder.author.contents import Contents, all_contents, heading_of

PATH = Path("notebooks/index.ipynb")

INDEX = """\
# NAS from Scratch

Open a lesson by its name. Work through it from top to bottom: write your code where it says YOUR CODE HERE, then run \
the check below it.

| lesson | exercises | reading | computing | points | builds on |
| --- | ---: | ---: | ---: | ---: | --- |
{rows}

Exercises and reading are in minutes. Lessons build on each other through the library alone: none needs an answer of \
yours to an earlier one, so that you can go on while something is unfinished.

**In a terminal**, in the course's folder (*File → New → Terminal*):

| command | what it does |
| --- | --- |
| `nas-course doctor` | says whether this machine has what the lessons use |
| `nas-course validate 01` | runs the checks of a lesson from top to bottom, and names what is wrong or unfinished |
| `nas-course submit 01` | validates, then writes the file to hand in |
| `nas-course update` | brings a newer release without losing answers |
"""

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
    lessons = all_contents(folder)
    source = INDEX.format(rows="\n".join(_row(one, lessons) for one in lessons)).rstrip("\n")
    identity = hashlib.sha256(source.encode()).hexdigest()[:12]
    cell = nbformat.v4.new_markdown_cell(source, id=f"markdown-{identity}")
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata=metadata)
    notebook.nbformat_minor = 5
    return notebook


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


def _row(one: Contents, lessons: Sequence[Contents]) -> str:
    by_number = {other.name[:2]: other for other in lessons}
    needs = ", ".join(
        f"[{number}]({_from_index(by_number[number])})" for number in one.needs if number in by_number
    )
    cells = [
        f"[{one.heading}]({_from_index(one)})",
        str(one.minutes),
        f"{one.reading:.0f}",
        one.computing or "–",
        f"{one.points:g}",
        needs or "–",
    ]
    return f"| {' | '.join(cells)} |"


def _from_index(one: Contents) -> str:
    return f"{one.name}/{one.name}.ipynb"
