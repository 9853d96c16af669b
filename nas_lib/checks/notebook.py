"""The learner's entry: `check("random_search", random_search)` says what is right and what is not."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nas_lib.checks.exercise import Exercise, Verdict
from nas_lib.checks.judging import verdicts, worst
from nas_lib.checks.public import read_public
from nas_lib.checks.questions import ConceptQuestion
from nas_lib.checks.registry import exercise
from nas_lib.checks.transports import InProcess


@dataclass(frozen=True, repr=False)
class Report:
    """What `check` found. It shows as nothing, since everything has been printed."""

    name: str
    right: bool
    verdicts: tuple[Verdict, ...] = ()

    def __repr__(self) -> str:
        return ""

    def _ipython_display_(self) -> None:
        return None


def check(name: str, fn: Any, *, lesson: str | None = None) -> Report:
    """Check your own `fn` on the public instances of exercise `name`, and print what is right or wrong about
    it.

    For a concept question `fn` is your answer, and only its form is checked. Grading uses other instances of
    the same kind. Prints to standard output; wrong answers raise nothing.

    Args:
        name: the exercise's name.
        fn: your function (or class, or answer): the thing itself, not a call of it.
        lesson: only where two lessons have an exercise of this name.

    Raises:
        ValueError: there is no such exercise.
        RuntimeError: nbgrader's autograding executes this cell; nothing can be earned here.
        AssertionError: nbgrader's Validate executes this cell and something is wrong.
    """
    mode = os.environ.get("NBGRADER_EXECUTION")
    if mode and mode != "validate":
        # Code in the learner's process must never decide what the learner earns.
        raise RuntimeError("checks earn nothing here: grade with `nas-course grade`")
    report = _report(exercise(name, lesson), fn)
    if mode == "validate" and not report.right:
        raise AssertionError(
            "; ".join(dict.fromkeys(item.message for item in report.verdicts if not item.right))
        )
    return report


def _report(item: Exercise, fn: Any) -> Report:
    try:
        stored = read_public(item.lesson)[item.name]
    except (OSError, ValueError, KeyError):
        _say(f"– {item.name}: its public checks are missing from this nas_lib; install it again")
        return Report(item.name, False, (Verdict(0.0, "missing", "the public checks are missing"),))
    # Progress bars and warnings go to stderr, which a notebook paints red and nbgrader takes for an error.
    with contextlib.redirect_stderr(sys.stdout):
        answers = InProcess({item.name: fn}).collect(item, item.name, stored.instances)
    found = verdicts(item, stored.instances, answers, stored.expected)
    report = Report(item.name, worst(found).right, tuple(found))
    for line in _lines(item, found, fn):
        _say(line)
    return report


def _lines(item: Exercise, found: Sequence[Verdict], fn: Any) -> list[str]:
    wrong = sorted((verdict for verdict in found if not verdict.right), key=lambda verdict: verdict.score)
    if not wrong and isinstance(item, ConceptQuestion):
        return [f'✓ {item.name}: "{item.letter(fn)}" is an answer; whether it is right, grading will tell']
    if not wrong:
        count = f"all {len(found)} cases" if len(found) > 1 else "the case"
        return [f"✓ {item.name}: right in {count} tried here (grading tries others of the same kind)"]
    if wrong[0].concept == "not-implemented":
        return [f"○ {item.name}: {wrong[0].message}"]
    # Missing errors on bad input are worth a word once the rest works.
    main = [verdict for verdict in wrong if verdict.score == 0] or wrong
    by_concept = {verdict.concept: verdict for verdict in reversed(main)}
    first = sorted(by_concept.values(), key=wrong.index)[:3]
    lines = [f"✗ {item.name}: {verdict.message}" for verdict in first]
    if all(verdict.score > 0 for verdict in wrong):
        lines.append("  The rest is right; this costs a part of the points.")
    return [
        *lines,
        f"  ({len(wrong)} of {len(found)} cases. Edit your cell, run it, then run this cell again.)",
    ]


def _say(line: str) -> None:
    try:
        print(line)
    except UnicodeEncodeError:  # a console that knows no ✓
        print(line.replace("✓", "[ok]").replace("✗", "[wrong]").encode("ascii", "replace").decode())
