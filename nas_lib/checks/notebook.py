"""The learner's entry: `check("random_search", random_search)` says what is right and what is not."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from nas_lib.checks.cells import judges_older
from nas_lib.checks.exercise import Answer, Exercise, Expected, Instance, Verdict, clean, show
from nas_lib.checks.judging import verdicts, worst
from nas_lib.checks.public import read_public
from nas_lib.checks.questions import ConceptQuestion
from nas_lib.checks.registry import exercise
from nas_lib.checks.tables import as_text, displayed
from nas_lib.checks.transports import InProcess
from nas_lib.checks.values import ValueExercise
from nas_lib.notebooks import model_answers

SECONDS = 5.0
"""Of the learner's CPU time for one case: the slowest reference takes a fifth of it for all of them."""
LINES, CHARACTERS = 20, 2000
"""How much a check lets the learner's code print."""
WARNINGS = 300
"""Characters of what Python warned of."""


class Interrupted(KeyboardInterrupt):
    """A check that was interrupted. It stops what else was to run, and shows as one sentence in a notebook."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class NotRight(AssertionError):
    """What nbgrader's Validate is told of a wrong answer: one sentence, without lines of this module."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


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
        NotRight: nbgrader's Validate executes this cell and something is wrong.
        Interrupted: somebody pressed the button, or Ctrl-C.
    """
    mode = os.environ.get("NBGRADER_EXECUTION")
    if mode and mode != "validate":
        # Code in the learner's process must never decide what the learner earns.
        raise RuntimeError("checks earn nothing here: grade with `nas-course grade`")
    report = _report(exercise(name, lesson), fn)
    if mode == "validate" and not report.right:
        raise NotRight("; ".join(dict.fromkeys(item.message for item in report.verdicts if not item.right)))
    return report


def _report(item: Exercise, fn: Any) -> Report:
    try:
        stored = read_public(item.lesson)[item.name]
    except (OSError, ValueError, KeyError):
        _say(f"– {item.name}: its public checks are missing from this nas_lib; install it again")
        return Report(item.name, False, (Verdict(0.0, "missing", "the public checks are missing"),))
    try:
        # Else each stands above the verdict, with a path and a line of ours, as often as it comes.
        with _kept_short(), warnings.catch_warnings(record=True) as warned:
            answers = _answers(item, fn, stored.instances)
    except KeyboardInterrupt:
        raise Interrupted(f"{item.name}: the check was interrupted before it knew.") from None
    tried = len(answers)
    expected = Expected(stored.expected.answers[:tried], lambda: stored.expected.known)
    found = verdicts(item, stored.instances[:tried], answers, expected)
    report = Report(item.name, worst(found).right, tuple(found))
    if judges_older(item.name, fn):
        _say(
            f"! {item.name}: the cell with your newest version broke off with an error before it defined "
            f"{item.name}. What follows is about the version from before."
        )
    stopped = answers[-1].error_type == "OutOfTime"
    for line in _lines(item, found, fn, stopped):
        _say(line)
    if isinstance(item, ValueExercise) and not report.right and not stopped:
        first = _main(found)[0]
        at = found.index(first)
        caption, entries = item.compared(stored.instances[at], answers[at], expected.answers[at])
        said = len(entries) == 1 and all(text in first.message for text in entries[0][1:3])
        if entries and not said and not displayed(caption, entries):
            _say(as_text(caption, entries))
    kinds = dict.fromkeys(f"{one.category.__name__}: {clean(str(one.message))}" for one in warned)
    if kinds and not report.right:
        _say(f"  (While your code ran, Python warned: {show('; '.join(kinds), WARNINGS, quote=False)})")
    if report.right:
        model_answers.show(item.lesson, item.name)
    return report


def _main(found: Sequence[Verdict]) -> list[Verdict]:
    """What is wrong and said first: missing errors on bad input are worth a word once the rest works."""
    wrong = sorted((verdict for verdict in found if not verdict.right), key=lambda verdict: verdict.score)
    return [verdict for verdict in wrong if verdict.score == 0] or wrong


def _answers(item: Exercise, fn: Any, instances: Sequence[Instance]) -> list[Answer]:
    """The answers up to the first that does not come: where one loop never ends, the others hardly will."""
    transport, answers = InProcess({item.name: fn}, SECONDS), list[Answer]()
    for instance in instances:
        answers += transport.collect(item, item.name, [instance])
        if answers[-1].error_type == "OutOfTime":
            break
    return answers


def _lines(item: Exercise, found: Sequence[Verdict], fn: Any, stopped: bool) -> list[str]:
    wrong = [verdict for verdict in found if not verdict.right]
    if not wrong and isinstance(item, ConceptQuestion):
        letter, right = item.letter(fn), model_answers.right_letter(item.lesson, item.name)
        if right is None:
            return [f'✓ {item.name}: "{letter}" is an answer; whether it is right, grading will tell']
        return [f'{"✓" if letter == right else "✗"} {item.name}: you said "{letter}", right is "{right}"']
    if not wrong:
        count = f"all {len(found)} cases" if len(found) > 1 else "the case"
        return [f"✓ {item.name}: right in {count} tried here (grading tries others of the same kind)"]
    main = _main(found)
    if main[0].concept == "not-implemented":
        return [f"○ {item.name}: {main[0].message}"]
    if stopped:  # nothing else is worth a word before that is mended
        main = [found[-1]]
    by_concept = {verdict.concept: verdict for verdict in reversed(main)}
    first = sorted(by_concept.values(), key=main.index)[:3]
    lines = [f"✗ {item.name}: {verdict.message}" for verdict in first]
    if stopped:
        return [f"{lines[0]} (No further case was tried.)"]
    if all(verdict.score > 0 for verdict in wrong):
        several = len(lines) > 1
        lines.append(
            "  These cost a part of the points."
            if several
            else "  The rest is right; this costs a part of the points."
        )
    count = f"{len(wrong)} of {len(found)} cases fail" if len(found) > 1 else "The case fails"
    return [*lines, f"  ({count}. Edit your cell, run it, then run this cell again.)"]


class _Short(io.TextIOBase):
    """Passes on the first lines of what is written to it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lines, self._left = stream, LINES, CHARACTERS

    def write(self, text: str) -> int:
        if self._lines > 0 and self._left > 0:
            shown = "".join(text.splitlines(keepends=True)[: self._lines])[: self._left]
            self._stream.write(shown)
            self._lines -= shown.count("\n")
            self._left -= len(shown)
            if self._lines <= 0 or self._left <= 0:
                self._stream.write("\n" * (not shown.endswith("\n")))
                self._stream.write("… (whatever else your code prints is left out here)\n")
        return len(text)

    def flush(self) -> None:
        self._stream.flush()


@contextlib.contextmanager
def _kept_short() -> Iterator[None]:
    """What is printed in the block goes to standard output, up to a length.

    Progress bars and warnings write to stderr, which a notebook paints red and nbgrader takes for an error.
    """
    short = _Short(sys.stdout)
    with contextlib.redirect_stdout(short), contextlib.redirect_stderr(short):
        yield


def _say(line: str) -> None:
    try:
        print(line)
    except UnicodeEncodeError:  # a console that knows no ✓
        print(line.replace("✓", "[ok]").replace("✗", "[wrong]").encode("ascii", "replace").decode())
