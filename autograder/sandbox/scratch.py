"""Temporary folders that vanish with the run that made them, or, if that one was killed, with a later one.

A folder is its maker's for as long as the maker holds a lock on it; the kernel lets go of the lock whatever ends the
maker. It is not for what has to outlive a run: that lies in the course folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PREFIX = "nas-course-"
FRESH_SECONDS = 60.0  # younger ones may not have been locked yet


class Scratch:
    """An empty folder of one's own, until `close`. Making one clears away what killed runs left behind."""

    def __init__(self, purpose: str) -> None:
        clear_abandoned()
        self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{purpose}-"))
        self._lock = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self) -> None:
        """Delete it, with what it holds."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


@contextlib.contextmanager
def folder(purpose: str) -> Iterator[Path]:
    """An empty folder that is there until the block ends. `purpose` becomes part of its name."""
    made = Scratch(purpose)
    try:
        yield made.path
    finally:
        made.close()


def clear_abandoned() -> None:
    """Delete the folders whose makers are gone; those of another user's are left to that user."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.lstat().st_mtime < FRESH_SECONDS or path.lstat().st_uid != os.getuid():
                continue
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)
