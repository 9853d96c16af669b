"""What in a submission deserves a second look by a person: cells changed that nobody should change, code that reaches
out of the notebook, processes that ended themselves, answers that several students share.

These are observations, no verdicts: each kind comes with the sentence that says what it may mean, and none of them
changes a grade.
"""

from __future__ import annotations

import ast
import hashlib
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from autograder.author.lesson import grader_metadata
from autograder.judge.results import Outcome
from autograder.reports import reach
from autograder.sandbox.apart import limited
from nas_lib.notebooks.matching import UNPARSABLE, Master, match

# Kind -> what was seen, and what it may mean. The order is that of the report.
MEANINGS = {
    reach.OUT: (
        "the code names a way out of the notebook (network, other processes, files of the system's); "
        "the sandbox has none of them, and many such lines are harmless"
    ),
    reach.IN: (
        "the code names Python's internals, or private parts of the checks and of the course's library; "
        "no answer is there to be found, but this is how people look for one"
    ),
    "ended-process": (
        "the process was ended from within, or by a fault of a library; the exercise concerned earned nothing"
    ),
    "odd-reply": "what came back was no answer of the course's own code; it counted as none",
    "edited-check": (
        "a check cell, its points or its lock differ from the lesson; grading put the original back, "
        "and people do edit cells by accident"
    ),
    "same-answers": (
        "several students' answers are the same program once comments, layout and names of variables are "
        "taken away; for short exercises that also happens to people who worked alone"
    ),
}

_ENDED = re.compile(r"process died of|process was ended|broke off its connection")
_ODD = re.compile(r"\bno answer came back|it returned more than|did not start as it should")
_LATE = re.compile(
    r"time was up|used up (?:its|the)|ran for more than|stopped after [\d.]+ seconds|\bOutOfTime\b"
)
_STOPPED = re.compile(r"it was stopped, as|" + _ENDED.pattern)
LARGE = 40  # syntax nodes: shorter answers look alike by nature
SHARED = 2  # large answers that have to agree


@dataclass(frozen=True)
class Sign:
    """Something that was seen: its kind (a key of `MEANINGS`) and what exactly."""

    kind: str
    seen: str


@limited(seconds=20, back=lambda found: [Sign(**sign) for sign in found])
def of_submission(notebook: Any, master: Master, outcomes: Mapping[str, Outcome]) -> list[Sign]:
    """The signs in one submission; `notebook` is as it was handed in, before anything was restored."""
    found = sorted(set(_reached(notebook, master)), key=lambda sign: (sign.kind, sign.seen))
    for name, outcome in outcomes.items():
        if ended_itself(outcome):
            found.append(Sign("ended-process", name))
        elif _ODD.search(outcome.message):
            found.append(Sign("odd-reply", name))
    return found + [Sign("edited-check", name) for name in _edited(notebook, master)]


def late(outcome: Outcome) -> bool:
    """Did the exercise earn less because its code ran out of time?"""
    return outcome.score < 1.0 and (outcome.concept == "too-slow" or bool(_LATE.search(outcome.message)))


def stopped(outcome: Outcome) -> bool:
    """Did the exercise's process end before there was an answer, for another reason than time?"""
    return not late(outcome) and (outcome.concept == "crash" or bool(_STOPPED.search(outcome.message)))


def ended_itself(outcome: Outcome) -> bool:
    """Did the process end from within, and not because the grader stopped it?"""
    return stopped(outcome) and bool(_ENDED.search(outcome.message))


def _reached(notebook: Any, master: Master) -> Iterator[Sign]:
    """What the learner's own code names; what the lesson brought is not theirs, but its imports are known to it."""
    lessons = {" ".join(cell.source.split()) for cell in master.cells}
    known: dict[str, str] = {}
    for cell in notebook.cells:
        tree = _parsed(cell.source) if cell.cell_type == "code" else None
        if tree is not None:
            found = [Sign(kind, seen) for kind, seen in reach.reached(tree, known)]
            yield from found if " ".join(cell.source.split()) not in lessons else ()


def _parsed(source: str) -> ast.Module | None:
    """The syntax tree of a cell, magics and shell lines as the calls that they are; None for what is no Python.

    A learner's odd escapes are not to be warned of here.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except SyntaxError:
            from IPython.core.inputtransformer2 import TransformerManager
        except UNPARSABLE:
            return None
        try:
            return ast.parse(TransformerManager().transform_cell(source))
        except UNPARSABLE:
            return None


def _edited(notebook: Any, master: Master) -> Iterator[str]:
    """Names of the lesson's check cells that were changed. Deleted ones and lost metadata are no sign."""
    for index, place in match(notebook.cells, master).items():
        original, cell = master.cells[place], notebook.cells[index]
        if original.tag != "check" or original.grade_id is None:
            continue
        lesson = original.metadata.get("nbgrader", {})
        claimed = grader_metadata(cell)
        changed = {key for key in ("points", "locked") if claimed and claimed.get(key) != lesson.get(key)}
        if changed or "".join(cell.source.split()) != "".join(original.source.split()):
            yield original.grade_id.removesuffix("-check")


@limited(seconds=20, back=lambda found: tuple((exercise, made) for exercise, made in found))
def fingerprint(notebook: Any, master: Master) -> tuple[tuple[str, str], ...]:
    """The large answers of a submission as (exercise, digest), alike for programs that differ in comments, layout and
    names of local variables only; empty where there are fewer than `SHARED`."""
    stubs = {cell.exercise: _normal(cell.source, cell.exercise) for cell in master.cells if cell.exercise}
    found = []
    for index, place in sorted(match(notebook.cells, master).items(), key=lambda pair: pair[1]):
        exercise = master.cells[place].exercise
        if exercise is None:
            continue
        normal = _normal(notebook.cells[index].source, exercise)
        if normal is not None and normal != stubs[exercise] and normal[0] >= LARGE:
            found.append((exercise, normal[1]))
    return tuple(found) if len(found) >= SHARED else ()


def _normal(source: str, exercise: str) -> tuple[int, str] | None:
    tree = _parsed(source)
    if tree is None:
        return None
    bound = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    bound |= {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    bound.discard(exercise)
    names: dict[str, str] = {}
    nodes = 0
    for node in ast.walk(tree):
        nodes += 1
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_text(body[0]):
            node.body = body[1:] or [ast.Pass()]  # type: ignore[attr-defined]
        if isinstance(node, ast.arg) and node.arg in bound:
            node.arg, node.annotation = names.setdefault(node.arg, f"v{len(names)}"), None
        elif isinstance(node, ast.Name) and node.id in bound:
            node.id = names.setdefault(node.id, f"v{len(names)}")
    return nodes, hashlib.sha256(_spelled(tree).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _spelled(tree: ast.AST) -> str:
    """A tree in one line, alike for equal trees alone. Not `ast.dump`, which goes as deep as the tree does."""
    pieces: list[str] = []
    waiting: list[Any] = [tree]
    while waiting:
        piece = waiting.pop()
        if isinstance(piece, ast.AST):
            waiting.append(")")
            waiting += reversed(
                [part for name in piece._fields for part in (name, getattr(piece, name, None))]
            )
            pieces.append(f"{type(piece).__name__}(")
        elif isinstance(piece, list):
            waiting += ["]", *reversed(piece)]
            pieces.append("[")
        else:
            pieces.append(repr(piece))
    return " ".join(pieces)


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
