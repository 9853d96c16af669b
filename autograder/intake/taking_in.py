"""Puts submissions where nbgrader grades them: what can be read as it is, else a blank notebook that says why not."""

from __future__ import annotations

import html
import itertools
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat

from autograder.author.lesson import NOTE_CELL
from autograder.intake.reading import Unreadable, read
from autograder.intake.submission import (
    BESIDE,
    BESIDE_BYTES,
    SECRET,
    TIMESTAMP,
    Submission,
    shown,
    timestamp_of,
)


def take_in(submission: Submission, lesson: str, folder: Path, blank: Callable[[], Any]) -> str:
    """Write a submission into an empty folder, as nbgrader wants it; returns what was wrong, "" if nothing.

    One that cannot be read is replaced by a blank notebook that says why, so that its author gets feedback.

    Args:
        submission: whose it is and where.
        lesson: what the notebook shall be called.
        folder: where it goes.
        blank: makes the lesson's notebook as it is given to learners.
    """
    folder.mkdir(parents=True, exist_ok=True)
    note = ""
    try:
        if submission.fault:
            raise Unreadable(submission.fault)
        if submission.path is None:
            raise Unreadable(f"There is no {lesson}.ipynb: hand one in.")
        notebook = read(submission.path)
    except Unreadable as unreadable:
        note = str(unreadable)
        notebook = refusal(note, blank)
    nbformat.write(notebook, folder / f"{lesson}.ipynb")
    if submission.path is not None and not submission.theirs:
        secret = submission.path.with_name(SECRET)
        if _may_stay(secret, secret.parent):
            shutil.copyfile(secret, folder / SECRET)
    set_time(folder, submission.timestamp)
    return note


def set_time(folder: Path, when: str | None) -> None:
    """Say in a submission's folder when it was handed in, in nbgrader's words, which alone it reads right."""
    if when:
        (folder / TIMESTAMP).write_text(f"{when}\n", encoding="utf-8")
    else:
        (folder / TIMESTAMP).unlink(missing_ok=True)


def refusal(note: str, blank: Callable[[], Any]) -> Any:
    """The blank notebook with a sentence at its top: why a submission was not taken."""
    notebook = blank()
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(_as_prose(note), id=NOTE_CELL))
    return notebook


def is_refusal(notebook: Any, note: str) -> bool:
    """Is this the notebook that `refusal` made for this reason? Anybody can write such a cell, with any sentence."""
    if not note or not notebook.cells:
        return False
    first = notebook.cells[0]
    return first.get("id") == NOTE_CELL and bool(first.source == _as_prose(note))


def _as_prose(note: str) -> str:
    plain = re.sub(r"([\\\\`*_\[\]])", r"\\\1", html.escape(note, quote=False))
    return f"**{plain}**"


def confine(folder: Path, lesson: str, aside: Path, blank: Callable[[], Any]) -> tuple[list[str], str]:
    """Leave in a submitted folder only what nbgrader may touch: a readable notebook and its own small files.

    nbgrader copies all that lies there, through links too, into the folders that it serves and gives back.

    Args:
        folder: `submitted/<student>/<lesson>`.
        lesson: what the notebook is called.
        aside: where other files go, with .txt at the end of their names, so that nothing takes them for more.
        blank: makes the lesson's notebook as it is given to learners.

    Returns:
        A sentence for each thing that was done, and why the notebook was replaced, "" if it was not.
    """
    remarks: list[str] = []
    for place in (folder.parent, folder):
        if place.is_symlink():
            place.unlink()
            remarks.append(f"{place} was a link to another folder, and has been removed.")
    folder.mkdir(parents=True, exist_ok=True)
    notebook = folder / f"{lesson}.ipynb"
    fault = (
        "; ".join(remarks) and "What you handed in is a link to another folder: hand in the notebook itself."
    )
    try:
        read(notebook)
    except Unreadable as unreadable:
        fault = fault or str(unreadable)
        remarks.append(f"{notebook}: {fault}")
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder before the folder
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        elif not (path == notebook and not fault) and not _may_stay(path, folder):
            remarks.append(_set_aside(path, folder, aside))
    if fault:
        nbformat.write(refusal(fault, blank), notebook)
    set_time(folder, timestamp_of(folder / TIMESTAMP))
    return [shown(remark) for remark in remarks], fault


def _may_stay(path: Path, folder: Path) -> bool:
    if path.parent != folder or path.name not in BESIDE or path.is_symlink() or not path.is_file():
        return False
    if path.name == TIMESTAMP:
        return timestamp_of(path) is not None
    return path.stat().st_size <= BESIDE_BYTES


def _set_aside(path: Path, folder: Path, aside: Path) -> str:
    if path.is_symlink() or not path.is_file():
        path.unlink()
        return f"{path} was no file but a link or the like, and has been removed."
    aside.mkdir(parents=True, exist_ok=True)
    name = "__".join(path.relative_to(folder).parts)[-200:]
    target = next(
        place
        for number in itertools.count()
        if not (place := aside / f"{name}{f'.{number}' if number else ''}.txt").exists()
    )
    os.replace(path, target)
    return f"{path} is not part of the submission, and lies in {target} now."
