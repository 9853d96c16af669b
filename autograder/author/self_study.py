"""Our own answers as the self-study edition shows them, once the learner's own is right."""

from __future__ import annotations

import ast
import json
from typing import Any

import solutions
from autograder.author.lesson import concept_answer, read_lesson, without_markers
from solutions.reasons import REASONS


def answers(lesson: str) -> dict[str, dict[str, Any]]:
    """By exercise: its "source" without docstrings; by question: its "letter", and the "reasons" for each option.

    Raises:
        ValueError: there is no such lesson.
    """
    read = read_lesson(lesson)
    found: dict[str, dict[str, Any]] = {}
    for task in read.tasks:
        source = read.cells[task.cell].source
        if task.kind == "question":
            _, letter = concept_answer(source) or ("", "")
            found[task.name] = {"letter": letter, "reasons": REASONS[task.name]}
        elif task.kind == "exercise":
            found[task.name] = {"source": without_docstrings(without_markers(source))}
    return found


def files() -> dict[str, str]:
    """What the self-study edition's library has beyond the others': path within `nas_lib` → text."""
    return {
        f"assets/answers/{lesson}.json": json.dumps(answers(lesson), ensure_ascii=False, indent=1) + "\n"
        for lesson in solutions.lessons()
    }


def without_docstrings(source: str) -> str:
    """Code whose comments stay: the learner has the docstrings in the cell above."""
    gone: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            first = node.body[0]
            gone |= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
            if len(node.body) > 1 and not source.splitlines()[first.end_lineno or first.lineno].strip():
                gone.add((first.end_lineno or first.lineno) + 1)
    return "\n".join(line for number, line in enumerate(source.splitlines(), 1) if number not in gone)
