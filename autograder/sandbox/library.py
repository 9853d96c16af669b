"""The `nas_lib` that a lesson's submissions run with: made for the lesson, without anything that solves it.

Judges, stand-ins and stored answers are absent from its files, and the bodies of the library's counterparts of the
lesson's exercises are replaced by an error. Nothing is switched off inside the learner's process, so nothing can be
switched on again there. An exercise may build on those before it, as lessons do: while it is probed, the counterparts
of the *earlier* ones are given back, when their own probes are over.
"""

from __future__ import annotations

import ast
import functools
import os
import shutil
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nas_lib
from autograder.sandbox.scratch import Scratch
from nas_lib import checks
from nas_lib.checks.hiding import SWITCHED_OFF, function_of
from nas_lib.standins import STANDINS, standins

ABSENT = ("judges", "standins", "assets/checks", "assets/answers")
TRANSPARENT = ("property", "staticmethod", "classmethod", "functools.cache", "cache")
"""Decorators behind which the function itself is found."""
PACKAGE = Path(nas_lib.__file__).resolve().parent
_KEPT: dict[int, list[Scratch]] = {}  # folders live as long as the process that made them


@dataclass(frozen=True)
class Counterpart:
    """A function of the library that would give an exercise away.

    Args:
        name: "nas_lib.search:History.regret".
        exercise: which one.
        file: where it stands, relative to the package.
        line: of its first line there, decorators included.
    """

    name: str
    exercise: str
    file: Path
    line: int


def folder() -> Path:
    """The folder on whose path `import nas_lib` finds the whole library."""
    return PACKAGE.parent


def made_for(lesson: str) -> Path:
    """A folder on whose path `import nas_lib` finds the library made for a lesson; it vanishes with this process."""
    return _made_for(lesson, os.getpid())


@functools.cache
def _made_for(lesson: str, process: int) -> Path:
    scratch = Scratch("library")
    _KEPT.setdefault(process, []).append(scratch)
    copy = scratch.path / "nas_lib"
    hidden = {str(PACKAGE / one) for one in ABSENT}

    def ignored(where: str, names: list[str]) -> set[str]:
        return {one for one in names if one == "__pycache__" or os.path.join(where, one) in hidden}

    shutil.copytree(PACKAGE, copy, ignore=ignored)
    by_file: dict[Path, list[int]] = {}
    for one in counterparts(lesson):
        by_file.setdefault(one.file, []).append(one.line)
    for file, lines in by_file.items():
        path = copy / file
        path.write_text(without_bodies(path.read_text(encoding="utf-8"), lines), encoding="utf-8")
    return scratch.path


@functools.cache
def counterparts(lesson: str) -> tuple[Counterpart, ...]:
    """The library's counterparts of a lesson's exercises, in the order of the exercises."""
    return tuple(
        Counterpart(name, exercise, file.relative_to(PACKAGE), line)
        for exercise, name in _hides(lesson)
        if (found := _read_place(name) or _place(name)) is not None
        and (file := found[0]).is_relative_to(PACKAGE)
        for line in found[1:]
    )


def _place(name: str) -> tuple[Path, int] | None:
    """The file and the line where a function begins."""
    if (function := function_of(name)) is None:
        return None
    return Path(function.__code__.co_filename).resolve(), function.__code__.co_firstlineno


def _read_place(name: str) -> tuple[Path, int] | None:
    """The same, read in its module's file; None where that does not tell. To import the module may take a second."""
    module, _, path = name.partition(":")
    parts = module.split(".")
    place = PACKAGE.parent.joinpath(*parts)
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    if parts[0] != PACKAGE.name or not file.is_file():
        return None
    body = _parsed(file).body
    *owners, last = path.split(".")
    for owner in owners:
        classes = [node for node in body if isinstance(node, ast.ClassDef) and node.name == owner]
        if len(classes) != 1:
            return None
        body = classes[0].body
    found = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == last]
    if len(found) != 1 or not all(ast.unparse(one) in TRANSPARENT for one in found[0].decorator_list):
        return None
    return file, _first_line(found[0])


@functools.cache
def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def foreign(lesson: str) -> list[str]:
    """Counterparts in other libraries ("scipy.stats:kendalltau"), whose files are not ours to change."""
    return [name for _, name in _hides(lesson) if not name.startswith("nas_lib.")]


def given_back(lesson: str, exercise: str) -> list[Mapping[str, str]]:
    """The sources of the counterparts that an exercise may build on: those of the exercises before it.

    What is also a counterpart of this one, or of a later one, stays absent. Questions are read before any exercise is
    probed, and build on nothing.
    """
    if isinstance(checks.exercise(exercise, lesson), checks.ConceptQuestion):
        return []
    order = list(checks.exercises(lesson))
    before = set(order[: order.index(exercise)])
    absent = {(one.file, one.line) for one in counterparts(lesson) if one.exercise not in before}
    return [
        {"name": one.name, "source": _source(one)}
        for one in counterparts(lesson)
        if one.exercise in before and (one.file, one.line) not in absent
    ]


def _hides(lesson: str) -> list[tuple[str, str]]:
    standins(lesson)
    return [
        (exercise, name)
        for exercise in checks.exercises(lesson)
        if exercise in STANDINS
        for name in STANDINS[exercise].hides
    ]


@functools.cache
def _source(one: Counterpart) -> str:
    source = (PACKAGE / one.file).read_text(encoding="utf-8")
    (node,) = _functions(source, [one.line])
    lines = source.splitlines()[node.lineno - 1 : node.end_lineno]  # without decorators
    return textwrap.dedent("\n".join(lines))


def _functions(source: str, lines: list[int]) -> list[Any]:
    found = {
        _first_line(node): node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    return [found[line] for line in sorted(set(lines))]


def _first_line(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return min([function.lineno, *(one.lineno for one in function.decorator_list)])


def without_bodies(source: str, lines: list[int]) -> str:
    """A module's source in which the functions that begin on these lines raise instead of computing."""
    text = source.splitlines()
    for node in reversed(_functions(source, lines)):
        first, last = node.body[0], node.end_lineno
        head = text[: first.lineno - 1]
        indent = " " * (node.col_offset + 4)
        if first.lineno == node.lineno:  # def f(x): return x
            head.append(text[first.lineno - 1].encode()[: first.col_offset].decode())
        text = [*head, f'{indent}raise RuntimeError("{SWITCHED_OFF}")', *text[last:]]
    return "\n".join(text) + "\n"
