"""Submissions as they arrive: finding them in a folder, and reading one into a notebook or saying in one
sentence why not.

Nothing here runs or renders what a learner wrote. Layouts: `student/lesson/lesson.ipynb` (nbgrader's own),
`student/lesson.ipynb` and `student.ipynb`.
"""

from __future__ import annotations

import itertools
import json
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

NOTEBOOK_BYTES = 20 * 1024 * 1024
IGNORED = re.compile(r"\.|__|~|Thumbs\.db$|desktop\.ini$")  # what file managers and editors leave behind
STUDENT = re.compile(r"[\w.@ '-]{1,100}\Z")


class Unreadable(ValueError):
    """A submission that cannot be graded, with the reason for the learner."""


@dataclass(frozen=True)
class Submission:
    """One student's notebook of one lesson; `path` is None when the student's folder has none."""

    student: str
    path: Path | None

    @property
    def timestamp(self) -> str | None:
        """When it was handed in, from nbgrader's timestamp.txt beside the notebook; None without one."""
        if self.path is None:
            return None
        beside = self.path.with_name("timestamp.txt")
        if not beside.is_file() or beside.is_symlink() or beside.stat().st_size > 200:
            return None
        return beside.read_text(encoding="utf-8", errors="replace").strip() or None


def find(folder: Path, lesson: str) -> list[Submission]:
    """The submissions of a lesson in a folder, by student.

    Raises:
        ValueError: no such folder, no submission in it, two of one student, or a name that cannot be a
            student's id.
    """
    if not folder.is_dir():
        raise ValueError(f"submissions must be a folder, got {str(folder)!r}, which is none.")
    found: dict[str, Submission] = {}
    for entry in sorted(folder.iterdir()):
        if IGNORED.match(entry.name):
            continue
        if entry.is_dir() and not entry.is_symlink():
            submission = _in_folder(entry, lesson)
        elif entry.suffix == ".ipynb":
            submission = Submission(entry.stem, entry)
        else:
            continue
        if not STUDENT.match(submission.student):
            raise ValueError(f"{entry}: a student's id has letters, digits, spaces and . _ - @ ' only.")
        if submission.student in found:
            raise ValueError(
                f"student {submission.student!r} has handed in twice: "
                f"{found[submission.student].path} and {submission.path}. "
                "Move one of them away."
            )
        found[submission.student] = submission
    if not any(submission.path for submission in found.values()):
        raise ValueError(
            f"no submission of {lesson} in {folder}: expected "
            f"<student>/{lesson}/{lesson}.ipynb, <student>/{lesson}.ipynb or <student>.ipynb."
        )
    if list(found) == [lesson]:
        raise ValueError(
            f"{folder} seems to be one student's folder: give the folder that holds the students'."
        )
    return list(found.values())


def _in_folder(folder: Path, lesson: str) -> Submission:
    places = [folder / lesson / f"{lesson}.ipynb", folder / f"{lesson}.ipynb"]
    there = [place for place in places if place.is_symlink() or place.exists()]
    if len(there) > 1:
        raise ValueError(
            f"student {folder.name!r} has handed in twice: {there[0]} and {there[1]}. Move one of them away."
        )
    return Submission(folder.name, there[0] if there else None)


def read(path: Path) -> Any:
    """Read a notebook, older formats and a byte order mark included; returns it in nbformat 4.5.

    Raises:
        Unreadable: with a sentence for the learner.
    """
    if any(part.is_symlink() for part in (path, path.parent)):
        raise Unreadable("The notebook is a link to another file: hand in the file itself.")
    if not path.is_file():
        raise Unreadable("There is no notebook: hand one in.")
    if path.stat().st_size > NOTEBOOK_BYTES:
        raise Unreadable(
            f"The notebook is above {NOTEBOOK_BYTES // 2**20} MB: clear its outputs and hand it in again."
        )
    text = _decode(path.read_bytes())
    try:
        raw = json.loads(text)
        if not isinstance(raw, dict) or not ("cells" in raw or "worksheets" in raw):
            raise Unreadable(
                "The file is no Jupyter notebook: save it in Jupyter as .ipynb and hand it in again."
            )
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # about ids that are missing or double, which are given anew below
            return _tidied(nbformat.reads(text, as_version=4))
    except Unreadable:
        raise
    except RecursionError:
        raise Unreadable("The notebook is nested too deep to be one that Jupyter wrote.") from None
    except Exception as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise Unreadable(
            f"The notebook cannot be read ({reason}): open it in Jupyter, save it and hand it in again."
        ) from None


def _decode(data: bytes) -> str:
    for encoding in (
        ("utf-16", "utf-8-sig") if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252")
    ):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", "replace")


def _tidied(notebook: Any) -> Any:
    """Keep what grading and feedback look at, in a valid form; tools fill metadata with anything."""
    ids: set[str] = set()
    for cell in notebook.cells:
        metadata = cell.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        tags, graded = metadata.get("tags"), metadata.get("nbgrader")
        cell.metadata = nbformat.from_dict({"nbgrader": graded} if isinstance(graded, dict) else {})
        if isinstance(tags, list) and tags and all(isinstance(tag, str) for tag in tags):
            cell.metadata["tags"] = list(dict.fromkeys(tag for tag in tags if re.fullmatch(r"[^,]+", tag)))
        cell.source = str(cell.get("source", "")).encode("utf-8", "replace").decode("utf-8")
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        identity = cell.get("id")
        if (
            not isinstance(identity, str)
            or identity in ids
            or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", identity)
        ):
            cell.id = identity = next(f"cell-{n}" for n in itertools.count(1) if f"cell-{n}" not in ids)
        ids.add(identity)
    notebook.metadata = nbformat.from_dict({"language_info": {"name": "python"}})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    return notebook
