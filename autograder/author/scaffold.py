"""`nas-course new-exercise`: the stubs of an exercise, in the three files that are then written by hand.

A task's cells in the lesson, its cases in the lesson's checks, and its usual mistakes, each with TODO where
something is missing: `nas-course verify` and `nas-course mutants` say what. Everything else about the exercise is
derived from these three when the course is built.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import solutions
from autograder.author import build
from autograder.author.lesson import Lesson, read_lesson
from nas_lib.checks.registry import module_of

CELLS = '''\
# %% [markdown]
# ### Exercise {number} · `{name}` · ●●○○○ · 10 min · 2 points
#
# **Why it matters.** TODO: one or two sentences, and an example with numbers.
#
# <details><summary>Hint: "TODO: the error or symptom"</summary>
#
# TODO
#
# </details>

# %% tags=["exercise"]
def {name}(values):
    """TODO: what comes out, in one line.

    Args:
        values: TODO: shape, unit and range.

    Returns:
        TODO: type, shape and unit.

    Raises:
        ValueError: TODO: which input is refused.
    """
    ### BEGIN SOLUTION
    # TODO
    ### END SOLUTION

# %% tags=["check"]
check("{name}", {name})
'''

CASES = '''\
class {camel}(ValueExercise):
    """`{name}(values)`."""

    name, lesson, returns = "{name}", "{lesson}", "float"

    def instances(self, seed: int) -> list[Instance]:
        """TODO: ordinary cases, the smallest and the degenerate one; bad input last."""
        return []

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """What the function makes of the values."""
        return fn(instance["values"])
'''
IMPORTS = """\
from typing import Any

from nas_lib.checks.exercise import Instance
from nas_lib.checks.values import ValueExercise
"""

MISTAKES = """\
# {rule}

book.edits(
    "{name}",
    # TODO: (concept, sentence for the learner, {{part of the solution: what stands there instead}}), some of each
    # kind of `nas-course mutants --kinds`
)


# TODO: right answers written another way, each decorated with @book.right("{name}")
"""
NO_MISTAKES = '''\
"""The usual mistakes of lesson {digits}, and right answers written another way."""

# ruff: noqa: F821  (`book` is given)
# mypy: ignore-errors
'''


def new_exercise(lesson: str, name: str, root: Path = build.ROOT) -> list[Path]:
    """Write the stubs of an exercise behind the last one of its lesson.

    Returns:
        The files to fill in, relative to `root`.

    Raises:
        ValueError: there is no such lesson, or `name` is no name for a function, or taken; nothing is written then.
    """
    source = read_lesson(lesson, root / "solutions")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"name must be that of a function, such as round_filters, got {name!r}")
    for known in solutions.lessons(root / "solutions"):
        if any(task.name == name for task in read_lesson(known, root / "solutions").tasks):
            raise ValueError(f"name must be new, but {known} has an exercise {name!r}")
    words = {
        "name": name,
        "lesson": lesson,
        "number": _next_number(source),
        "camel": "".join(map(str.capitalize, name.split("_"))),
        "digits": lesson[:2],
        "rule": name.rjust(98, "-").replace(f"-{name}", f" {name}"),
    }
    written = [_cells(source, words), _cases(root, words), _mistakes(root, words)]
    return [path.relative_to(root) for path in written]


def _next_number(lesson: Lesson) -> str:
    places = [int(task.title.number.partition(".")[2]) for task in lesson.tasks if task.kind == "exercise"]
    return f"{int(lesson.name[:2])}.{max(places, default=0) + 1}"


def _cells(lesson: Lesson, words: dict[str, str]) -> Path:
    """Behind the check of the last exercise, before what follows it; at the end of a lesson that has none."""
    text = lesson.path.read_text(encoding="utf-8")
    last = [task.name for task in lesson.tasks if task.kind == "exercise"][-1:]
    place = text.index("\n", text.index(f'check("{last[0]}", ')) if last else len(text)
    lesson.path.write_text(
        f"{text[:place]}\n\n{CELLS.format(**words).rstrip()}{text[place:]}", encoding="utf-8"
    )
    return lesson.path


def _cases(root: Path, words: dict[str, str]) -> Path:
    """A module of its own where the lesson's checks are a package, else a class at the end of their module."""
    place = root / "nas_lib" / "checks" / module_of(words["lesson"])
    cases = CASES.format(**words)
    if not place.is_dir():
        path = place.with_suffix(".py")
        text = path.read_text(encoding="utf-8")
        at = text.index("\nregister(\n")
        path.write_text(_registered(_imported(f"{text[:at]}\n{cases}\n{text[at:]}"), words), encoding="utf-8")
        return path
    path, package = place / f"{words['name']}.py", place / "__init__.py"
    path.write_text(
        f'"""Cases of `{words["name"]}`."""\n\nfrom __future__ import annotations\n\n{IMPORTS}\n\n{cases}',
        encoding="utf-8",
    )
    line = f"from nas_lib.checks.{place.name}.{words['name']} import {words['camel']}"
    package.write_text(
        _registered(_with_import(package.read_text(encoding="utf-8"), line), words), encoding="utf-8"
    )
    return path


def _registered(text: str, words: dict[str, str]) -> str:
    """The exercise behind the lesson's others, before its questions."""
    start = text.index("\nregister(\n")
    at = text.find("    *(ConceptQuestion(", start)
    at = text.index("\n)", start) + 1 if at < 0 else at
    return f"{text[:at]}    {words['camel']}(),\n{text[at:]}"


def _imported(text: str) -> str:
    for line in IMPORTS.splitlines():
        if line:
            text = _with_import(text, line)
    return text


def _with_import(text: str, line: str) -> str:
    """A module with one more `from … import …`, in its place among those of the same package."""
    module, _, names = line.removeprefix("from ").partition(" import ")
    imports = [node for node in ast.parse(text).body if isinstance(node, ast.ImportFrom) and node.module]
    for node in imports:
        known = [alias.name for alias in node.names]
        if node.module == module:
            if names in known:
                return text
            return _replaced(text, node, f"from {module} import {', '.join(sorted([*known, names]))}")
    family = module.partition(".")[0]
    before = [
        node for node in imports if str(node.module).partition(".")[0] == family and str(node.module) < module
    ]
    lines = text.splitlines(keepends=True)
    at = (before or imports)[-1].end_lineno or 0
    return "".join([*lines[:at], f"{line}\n", *lines[at:]])


def _replaced(text: str, node: ast.stmt, line: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join([*lines[: node.lineno - 1], f"{line}\n", *lines[node.end_lineno or node.lineno :]])


def _mistakes(root: Path, words: dict[str, str]) -> Path:
    path = root / "solutions" / "mistakes" / f"{words['lesson']}.py"
    text = path.read_text(encoding="utf-8") if path.exists() else NO_MISTAKES.format(**words)
    path.write_text(f"{text.rstrip()}\n\n\n{MISTAKES.format(**words)}", encoding="utf-8")
    return path
