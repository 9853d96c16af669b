"""A submission's cells on their way through the sandbox, as data: what is to be run, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """A piece of code to run: its name for messages, and the submission's cell that it comes from.

    The essential ones, setup and exercises, run even when other cells have used up the notebook's time.
    """

    name: str
    source: str
    cell: int | None
    essential: bool


@dataclass(frozen=True)
class Ran:
    """What became of one cell: an error in one line or None, what it printed, how long it took."""

    error: str | None
    printed: str
    seconds: float
    late: bool = False  # it was stopped because its time was up
    overwritten: tuple[str, ...] = ()
    """Python's built-ins of whose names the notebook has made something else by then."""
