"""One student's submission as data, and the small files of nbgrader's that may lie beside it."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

STUDENT = re.compile(r"[\w.@ '-]{1,100}\Z")
TIMESTAMP = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?: ?(?:Z|[+-]\d\d:?\d\d)| [A-Za-z_+-]+(?:/[A-Za-z_+-]+)*)?\Z"
)
BESIDE = ("timestamp.txt", "submission_secret.txt")
"""What nbgrader itself puts beside a notebook that is handed in: when, and what the exchange gives feedback back by."""
BESIDE_BYTES = 4096


@dataclass(frozen=True)
class Submission:
    """One student's notebook of one lesson. Without one `path` is None, and `fault` tells the learner why."""

    student: str
    path: Path | None
    fault: str = ""

    @property
    def timestamp(self) -> str | None:
        """When it was handed in, from nbgrader's timestamp.txt beside the notebook; None without one."""
        return timestamp_of(self.path.with_name("timestamp.txt")) if self.path else None


def timestamp_of(path: Path) -> str | None:
    """What a timestamp file says, if that is a time."""
    from nbgrader.utils import parse_utc

    if path.is_symlink() or not path.is_file() or path.stat().st_size > BESIDE_BYTES:
        return None
    text = path.read_text(encoding="utf-8", errors="replace").strip()
    if TIMESTAMP.match(text):
        with contextlib.suppress(ValueError, OverflowError):
            parse_utc(text)
            return text
    return None
