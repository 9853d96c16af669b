"""The names that learning platforms give to the files of a download, and what stands in them.

Canvas: `leeann_LATE_1234_5678_notebook.ipynb`, with the ids of the student and of the file. Moodle:
`Ann Lee_1234_assignsubmission_file_`, a folder, or in front of the file's name, with the number of the participant
in that assignment.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

_MOODLE = re.compile(
    r"(?P<name>.+)_(?P<number>\d+)_assignsubmission_(?P<kind>file|onlinetext)_?(?P<file>.*)\Z"
)
# Canvas takes digits between underscores out of names, so the first two such numbers are its own.
_CANVAS = re.compile(r"(?P<name>.+?)_(?P<late>LATE_)?(?P<number>\d+)_(?P<attachment>\d+)_(?P<file>.+)\Z")


@dataclass(frozen=True)
class Download:
    """Whose a downloaded file is, as the platform names it."""

    system: str
    """"Canvas" or "Moodle"."""
    name: str
    """The student's: in full from Moodle, without capitals and spaces from Canvas."""
    number: str
    """Canvas's id of the student, Moodle's number of the participant."""
    file: str
    """What the student called the file; "" for a folder."""
    attachment: str = ""
    """Canvas's id of the file, by which it takes feedback back."""
    late: bool = False
    """Canvas has marked it as late. It does not tell the time."""
    text: bool = False
    """It is a text that was typed into Moodle, which holds no notebook."""

    @property
    def student(self) -> str:
        """An id that is this student's alone, as two may share a name."""
        return f"{self.name}_{self.number}"

    @property
    def names(self) -> tuple[str, str]:
        """First and last name, as far as the platform tells them."""
        first, _, last = self.name.rpartition(" ")
        return first, last

    def to_data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Download:
        """Back from plain data."""
        return cls(**data)


def read(name: str) -> Download | None:
    """What the name of a file or folder of a download says; None for other names."""
    name = unicodedata.normalize("NFC", name)  # macOS takes letters and their accents apart
    if moodle := _MOODLE.match(name):
        text = moodle["kind"] == "onlinetext"
        return Download("Moodle", moodle["name"], moodle["number"], moodle["file"], text=text)
    if canvas := _CANVAS.match(name):
        late = canvas["late"] is not None
        return Download(
            "Canvas", canvas["name"], canvas["number"], canvas["file"], canvas["attachment"], late
        )
    return None
