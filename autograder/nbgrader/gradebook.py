"""Looks after gradebook.db, the one file of a course that cannot be made again: is it usable, a copy of it from before
each run, and many small writes to it in little time.

What stands in it is nbgrader's matter. A gradebook that is no SQLite file (nbgrader can use PostgreSQL) is its
server's to look after.
"""

from __future__ import annotations

import errno
import functools
import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jsonschema.exceptions import best_match
from jsonschema.validators import validator_for

from nas_lib._files import replacing

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
    with (
        replacing(course / BACKUP) as fresh,
        closing(sqlite3.connect(path, timeout=WAIT_SECONDS)) as now,
        closing(sqlite3.connect(fresh)) as copy,
    ):
        now.backup(copy)


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


@contextmanager
def quick_writing(db_url: str) -> Iterator[None]:
    """Make the gradebook quick for many small writes by this process, which is the only one that writes.

    SQLite's write-ahead log needs no wait for the disk at each commit, and survives a crash of the machine
    all the same.
    """
    path = Path(db_url.removeprefix("sqlite:///"))
    with ExitStack() as stack:
        if path.is_file():
            # As long as one connection is open, the log is not written back at each close of another.
            held = stack.enter_context(closing(sqlite3.connect(path)))
            held.execute("PRAGMA journal_mode = WAL")
            stack.callback(_one_file, held)
        stack.enter_context(kept_open(["PRAGMA synchronous = NORMAL"] if path.is_file() else []))
        yield


@contextmanager
def kept_open(settings: Sequence[str] = ()) -> Iterator[None]:
    """Make nbgrader's many openings of one gradebook cheap.

    It opens the gradebook nine times for each submission: it gets the same engine each time, which has its statements
    compiled already and its connection open, and looks once whether the tables are there. And it checks its own schema
    for each cell: once is enough.

    Args:
        settings: SQL that each connection begins with.
    """
    import nbgrader.api
    from nbgrader.nbgraderformat import common
    from sqlalchemy import event

    make, tables = nbgrader.api.create_engine, nbgrader.api.Base.metadata
    create_all = tables.create_all
    engines: dict[str, Any] = {}
    complete: set[Any] = set()

    def begin(connection: Any, _: Any) -> None:
        for setting in settings:
            connection.execute(setting)

    def once(url: str, **named: Any) -> Any:
        if url not in engines:
            made = engines[url] = make(url, **named)
            event.listen(made, "connect", begin)
            stack.callback(made.dispose)
            made.dispose = lambda: None  # what closing a gradebook does
        return engines[url]

    def create_once(bind: Any) -> None:
        if bind not in complete:
            create_all(bind=bind)
            complete.add(bind)

    with ExitStack() as stack:
        for owner, name, ours in (
            (nbgrader.api, "create_engine", once),
            (tables, "create_all", create_once),
            (common, "jsonschema", SimpleNamespace(validate=_validate)),
        ):
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, ours)
        yield


def _validate(instance: Any, schema: Any) -> None:
    """As jsonschema.validate does, without checking the schema itself each time."""
    if error := best_match(_validator(json.dumps(schema)).iter_errors(instance)):
        raise error


@functools.cache
def _validator(schema: str) -> Any:
    made = json.loads(schema)
    kind = validator_for(made)
    kind.check_schema(made)
    return kind(made)


def _one_file(gradebook: sqlite3.Connection) -> None:
    """Back to a gradebook that is one file, as it was, unless somebody else has it open (Formgrader)."""
    with suppress(sqlite3.OperationalError):
        gradebook.execute("PRAGMA journal_mode = DELETE")
