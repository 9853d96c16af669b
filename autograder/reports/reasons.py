"""`nas-course reasons`: which option of a concept question is right, and why each other one is wrong.

For who studies alone from the whole repository, and for who teaches. A question shows nothing before it is answered.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat

import solutions
from autograder.author.lesson import concept_answer
from nas_lib.checks import ConceptQuestion, exercises
from nas_lib.checks.exercise import Unacceptable
from solutions.reasons import REASONS


def key(lesson: str) -> dict[str, str]:
    """Question → right letter, in the lesson's order."""
    cells = (cell for cell in solutions.read(lesson).cells if cell.cell_type == "code")
    answers = (concept_answer(cell.source) for cell in cells)
    return {name: letter for name, letter in filter(None, answers) if isinstance(letter, str)}


def answered(notebook: Any, lesson: str) -> dict[str, str]:
    """Question → letter, where a notebook's code assigns one that can be read. Nothing of it is run."""
    found = {}
    questions = {name: one for name, one in exercises(lesson).items() if isinstance(one, ConceptQuestion)}
    for cell in notebook.cells:
        for name, value in _assigned(cell.source) if cell.cell_type == "code" else ():
            if name in questions:
                try:
                    found[name] = questions[name].letter(value)
                except Unacceptable:
                    found.pop(name, None)
    return found


def reasons(lesson: str, path: Path) -> list[str]:
    """Lines for each question of the lesson, by the answers in the notebook at `path`.

    Raises:
        ValueError: there is no such lesson, or the file is no notebook.
        OSError: the file cannot be read.
    """
    if lesson not in solutions.lessons():
        raise ValueError(f"lesson must be one of {', '.join(solutions.lessons())}, got {lesson!r}")
    try:
        given = answered(nbformat.reads(path.read_text(encoding="utf-8"), as_version=4), lesson)
    except (ValueError, AttributeError, KeyError) as error:
        raise ValueError(f"{path} is no notebook") from error
    lines = []
    for name, right in key(lesson).items():
        letter = given.get(name)
        if letter is None:
            lines.append(f"○ {name}: not answered yet")
            continue
        lines.append(f"{'✓' if letter == right else '✗'} {name}: you said {letter}, right is {right}")
        lines += [f"    {option}  {why}" for option, why in sorted(REASONS[name].items())]
    return lines


def _assigned(source: str) -> Iterator[tuple[str, Any]]:
    source = re.sub(r"(?m)^\s*[%!].*$", "", source)
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            yield from ((one.id, node.value.value) for one in node.targets if isinstance(one, ast.Name))
