"""One student's submission as data, and the small files of nbgrader's that may lie beside it."""

from __future__ import annotations

import contextlib
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from autograder.intake import times
from autograder.intake.downloads import Download

ID_SIGNS = " .@_'\N{RIGHT SINGLE QUOTATION MARK}-\N{EN DASH}"
ID_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"  # parts of letters in Persian and Indian names
ID_BYTES = 200  # it becomes the name of a folder, of which systems take 255
TIMESTAMP, SECRET = "timestamp.txt", "submission_secret.txt"
BESIDE = (TIMESTAMP, SECRET)
"""What nbgrader itself puts beside a notebook that is handed in: when, and what the exchange gives feedback back by."""
BESIDE_BYTES = 4096


@dataclass(frozen=True)
class Submission:
    """One student's notebook of one lesson. Without one `path` is None, and `fault` tells the learner why."""

    student: str
    path: Path | None
    fault: str = ""
    theirs: bool = False
    """What lies beside the notebook comes from the learner: a time there is a claim."""
    download: Download | None = None
    """Whose it is by the learning platform that it was downloaded from."""
    when: str = ""
    """When it was handed in, in nbgrader's words, if the platform or the instructor says so."""
    remark: str = ""
    """What the instructor should know of it, though it can be graded."""

    @property
    def timestamp(self) -> str | None:
        """When it was handed in, in nbgrader's words, as said or from timestamp.txt beside it; None if not known."""
        return self.when or (None if self.theirs else self._beside)

    @property
    def claim(self) -> str | None:
        """When the learner's own timestamp.txt says that it was handed in, in nbgrader's words."""
        return self._beside if self.theirs else None

    @property
    def _beside(self) -> str | None:
        return timestamp_of(self.path.with_name(TIMESTAMP)) if self.path else None


def is_student(name: str) -> bool:
    """Can this be a student's id? Letters of any script, with what belongs to them, digits, and `ID_SIGNS`."""
    letters = name.translate(dict.fromkeys(map(ord, ID_SIGNS + ID_JOINERS)))
    return (
        0 < len(name.encode("utf-8", "replace")) <= ID_BYTES
        and bool(letters)
        and all(unicodedata.category(character)[0] in "LMN" for character in letters)
        and name.strip(" .") == name
    )


def shown(name: object) -> str:
    """A name that strangers gave, for people to read: what is no printable character appears as its escape."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in str(name)
    )


def timestamp_of(path: Path) -> str | None:
    """What a timestamp file says, in nbgrader's words; None if there is none, or it holds no time."""
    with contextlib.suppress(ValueError):
        if moment := read_timestamp(path):
            return times.written(moment)
    return None


def read_timestamp(path: Path) -> datetime | None:
    """The instant in a timestamp file, in UTC, which is meant where it names no zone; None if there is no such file.

    Raises:
        ValueError: with a sentence that names the file.
    """
    if not path.is_symlink() and not path.is_file():
        return None
    text = "" if path.is_symlink() or path.stat().st_size > BESIDE_BYTES else _decoded(path.read_bytes())
    try:
        return times.instant(text, zone="UTC")
    except ValueError as reason:
        raise ValueError(
            f"{path}: a timestamp must be a time such as {times.EXAMPLES}, got {text[:40]!r}: {reason}; "
            "so this counts as handed in on time."
        ) from None


def _decoded(data: bytes) -> str:
    """The text of a file as Unix and Windows tools write it."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return data.decode(encoding, errors="replace").strip()
