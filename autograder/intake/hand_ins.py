"""How each submission came in: what the learning platform says of it, and what the learner claims.

It is kept in the course's folder, out of reach of what learners hand in, and read when a submission is graded again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from autograder.intake.downloads import Download
from nas_lib._files import replacing

FOLDER = ".handed_in"


@dataclass(frozen=True)
class HandIn:
    """How a submission came in."""

    download: Download | None = None
    claim: str = ""
    """When the learner's own timestamp.txt says that it was handed in. It does not count."""
    when: str = ""
    """When it was handed in, if the platform or the instructor says so."""
    refused: str = ""
    """Why it could not be taken, if it could not."""

    @property
    def marked_late(self) -> bool:
        """Is it known to be late, and not by how much?"""
        return self.download is not None and self.download.late and not self.when

    def note(self, has_due_date: bool) -> str:
        """What the instructor should know about the time, in a sentence; "" if nothing."""
        if self.marked_late and not has_due_date:
            return "Canvas marks it as late, but no due date is set here: give one with --due"
        if self.marked_late:
            return "Canvas marks it as late and tells no time: taken for one second"
        if self.claim and not self.when:
            return f"its own timestamp.txt claims that it was handed in at {self.claim}, which does not count"
        return ""


def write(course: Path, lesson: str, student: str, hand_in: HandIn) -> None:
    """Keep how a submission came in."""
    path = _path(course, lesson, student)
    path.parent.mkdir(parents=True, exist_ok=True)
    download = hand_in.download.to_data() if hand_in.download else None
    data = {"download": download, "claim": hand_in.claim, "when": hand_in.when, "refused": hand_in.refused}
    with replacing(path) as fresh:
        fresh.write_text(json.dumps(data), encoding="utf-8")


def read(course: Path, lesson: str, student: str) -> HandIn:
    """How a submission came in; of others than those that were written nothing is known."""
    try:
        data = json.loads(_path(course, lesson, student).read_text(encoding="utf-8"))
        download = Download.from_data(data["download"]) if data["download"] else None
        return HandIn(download, data["claim"], data["when"], data.get("refused", ""))
    except (OSError, ValueError, KeyError, TypeError):
        return HandIn()


def _path(course: Path, lesson: str, student: str) -> Path:
    return course / FOLDER / lesson / f"{student}.json"
