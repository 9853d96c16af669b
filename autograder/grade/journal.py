"""What a grading run has found out so far, in a file that outlives its sudden end: one JSON line for each result.

It only saves work: the gradebook stays the truth for points. A line is found again by a digest of everything that
determines it, so a changed submission, lesson or course is evaluated anew; a line cut short by a crash is passed over.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any


def digest(*parts: Any) -> str:
    """A digest of JSON-able things and bytes."""
    made = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else json.dumps(part, sort_keys=True).encode()
        made.update(len(data).to_bytes(8, "big") + data)
    return made.hexdigest()[:32]


@contextlib.contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Keep other grading runs out of a course folder; the kernel lifts this when the process ends in any way.

    Raises:
        ValueError: another run is at work there.
    """
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(
                f"another run is grading in {folder}: wait for it, or end it and start again."
            ) from None
        yield
    finally:
        os.close(lock)


class Journal:
    """The results of one lesson in a course folder, and what of them nbgrader has stored. A context manager.

    Args:
        path: the file; it is made for the owner alone.
        version: of what is alike for the whole class. Lines of another one are dropped.
        afresh: forget what is there.
    """

    def __init__(self, path: Path, version: str, afresh: bool = False) -> None:
        self._path, self._version = path, version
        self._places: dict[str, tuple[int, int]] = {}  # results stay in the file: a class of them is large
        self._notes: dict[str, dict[str, str]] = {}
        if afresh:
            path.unlink(missing_ok=True)
        self._read()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def result(self, key: str) -> dict[str, Any] | None:
        """The result kept under a key."""
        if key not in self._places:
            return None
        start, length = self._places[key]
        found: dict[str, Any] = json.loads(os.pread(self._file, length, start))["result"]
        return found

    def add(self, key: str, result: dict[str, Any]) -> None:
        """Keep a result."""
        self._places[key] = self._write({"version": self._version, "key": key, "result": result})

    def note(self, kind: str, student: str) -> str:
        """What was last noted about a student; "" if nothing."""
        return self._notes.get(kind, {}).get(student, "")

    def set_note(self, kind: str, student: str, text: str) -> None:
        """Note something about a student, such as what of their work nbgrader has stored."""
        self._notes.setdefault(kind, {})[student] = text
        self._write({"version": self._version, "kind": kind, "student": student, "note": text})

    def _write(self, line: dict[str, Any]) -> tuple[int, int]:
        data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        start = os.fstat(self._file).st_size
        written = os.write(self._file, data)
        if written != len(data):  # the disk is full: half a line must not spoil the next
            os.ftruncate(self._file, start)
            raise OSError(f"{self._path} cannot be written to: the disk is full.")
        return start, len(data) - 1

    def _read(self) -> None:
        """Take in the lines of this version; the others, and what a crash left of one, are cut out of the file."""
        if not self._path.exists():
            return
        fresh, place, lost = self._path.with_suffix(".new"), 0, False
        opener = functools.partial(os.open, mode=0o600)
        with open(self._path, "rb") as file, open(fresh, "wb", opener=opener) as copy:
            for raw in file:
                line: Any = None
                with contextlib.suppress(ValueError):
                    line = json.loads(raw)
                if not raw.endswith(b"\n") or not self._is_ours(line):
                    lost = True
                    continue
                copy.write(raw)
                if "key" in line:
                    self._places[line["key"]] = (place, len(raw) - 1)
                else:
                    self._notes.setdefault(line["kind"], {})[line["student"]] = line["note"]
                place += len(raw)
        if lost:
            os.replace(fresh, self._path)
        else:
            fresh.unlink()

    def _is_ours(self, line: Any) -> bool:
        if not isinstance(line, dict) or line.get("version") != self._version:
            return False
        return isinstance(line.get("result"), dict) or {"kind", "student", "note"} <= set(line)
