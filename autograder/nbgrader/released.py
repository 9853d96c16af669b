"""A lesson as a course released it: the master that its submissions are matched against, whatever they claim."""

from __future__ import annotations

import functools
from pathlib import Path

import nbformat

from autograder.author import student_version
from autograder.judge.matching import Master


def master(course: Path, assignment: str, notebook: str) -> Master:
    """The master version of a notebook, from the course's source/ folder (cached until that file changes)."""
    path = course / "source" / assignment / f"{notebook}.ipynb"
    return _master(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=32)
def _master(path: Path, _changed: int) -> Master:
    return Master.of(student_version.release(nbformat.read(path, as_version=4)))
