"""Looks after gradebook.db, the one file of a course that cannot be made again: is it usable, and a copy of it from
before each run.

What stands in it is nbgrader's matter. A gradebook that is no SQLite file (nbgrader can use PostgreSQL) is its
server's to look after.
"""

from __future__ import annotations

import errno
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

BACKUP = "gradebook.backup.db"
WAIT_SECONDS = 5.0  # for another program that is writing
_FULL = re.compile(r"No space left on device|disk is full|Disk quota exceeded|File too large")


class Unusable(ValueError):
    """The gradebook cannot be used. The message says why and what to do."""


class DiskFull(ValueError):
    """There is no room left. The message says what has been kept."""


def check(course: Path) -> None:
    """Make sure that a course's gradebook can be read and written; one that is not there yet can.

    Raises:
        Unusable: it cannot.
    """
    path = course / "gradebook.db"
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)) as database:
            found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise sqlite3.DatabaseError(found)
            database.execute("BEGIN IMMEDIATE")
            database.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise Unusable(_sentence(path, str(error))) from None


def _sentence(path: Path, reason: str) -> str:
    if "locked" in reason:
        return f"{path} is being written by another program: wait until it is done, or end it, and run this again."
    if "readonly" in reason or "unable to open" in reason:
        return f"{path} cannot be opened for writing ({reason}): give yourself the permission and run this again."
    if "I/O error" in reason:
        return f"{path} cannot be written ({reason}): look after the disk, its room and your quota, and run this again."
    backup = path.with_name(BACKUP)
    remedy = f"copy {backup} over it" if backup.exists() else "restore a copy of it"
    return f"{path} is damaged ({reason.splitlines()[0]}): {remedy}, or move it away to begin a new one."


def back_up(course: Path) -> None:
    """Keep a copy of the gradebook as it is now, in the place of the last one."""
    path = course / "gradebook.db"
    if not path.exists():
        return
    fresh = course / (BACKUP + ".new")
    fresh.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, timeout=WAIT_SECONDS)) as now, closing(sqlite3.connect(fresh)) as copy:
        now.backup(copy)
    os.replace(fresh, course / BACKUP)


@contextmanager
def trouble_in_one_sentence(course: Path) -> Iterator[None]:
    """Errors of the database and a full disk inside the block become one sentence.

    Raises:
        Unusable, DiskFull: instead of them.
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        reason = str(getattr(error, "orig", None) or error)
        raise (
            full(course) if is_full(reason) else Unusable(_sentence(course / "gradebook.db", reason))
        ) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise full(course) from None
        raise


def is_full(reason: str) -> bool:
    """Does this error message say that there is no room on the disk?"""
    return bool(_FULL.search(reason))


def full(course: Path) -> DiskFull:
    """The error to raise where there is no room."""
    return DiskFull(
        f"no room is left on the disk of {course}: what had been graded is kept; "
        "make room and run the same command again."
    )
