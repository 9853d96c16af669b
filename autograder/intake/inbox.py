"""Submissions as they arrive: finding them in a folder or a zip, and reading one into a notebook or saying in
one sentence why not.

Nothing here runs or renders what a learner wrote, follows a link, or believes a size. Layouts:
`student/lesson/lesson.ipynb` (nbgrader's own), `student/lesson.ipynb`, `student.ipynb`, `student.zip`, and the
names of Canvas's and Moodle's downloads. What is wrong with one student's submission costs that student alone;
two submissions of one student are for the instructor to sort out, before anything is graded.
"""

from __future__ import annotations

import contextlib
import html
import itertools
import json
import os
import re
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

import solutions
from autograder.intake import archives
from autograder.intake.archives import IGNORED, NOTEBOOK_BYTES, BadArchive
from autograder.sandbox import scratch

NOTE_CELL = "intake-note"
"""Id of the cell that says why a submission could not be read, in the notebook that stands for it."""
SOURCE_BYTES = 2 * 2**20  # of text and code; pages are made of them, and they are searched
CODE_BYTES = 200_000  # coloured in a page it is ten times as long
MOST_CELLS = 2_000
MOST_BRACKETS = 400_000  # each becomes an object of ours: 20 MB of them would take gigabytes
STUDENT = re.compile(r"[\w.@ '-]{1,100}\Z")
TIMESTAMP = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?: ?(?:Z|[+-]\d\d:?\d\d)| [A-Za-z_+-]+(?:/[A-Za-z_+-]+)*)?\Z"
)
BESIDE = ("timestamp.txt", "submission_secret.txt")
"""What nbgrader itself puts beside a notebook that is handed in: when, and what the exchange gives feedback back by."""
BESIDE_BYTES = 4096
DOWNLOADS = (
    re.compile(
        r"(?P<name>.+)_(?P<number>\d+)_assignsubmission_(?:file|onlinetext)_?(?P<file>.*)\Z"
    ),  # Moodle
    re.compile(r"(?P<name>[^_]+)_(?:LATE_)?(?P<number>\d+)_\d+_(?P<file>.+)\Z"),  # Canvas
)
COPY = re.compile(r"(?:[ _-]*\(\d+\)|-\d+|[ _-]+copy\d*)\Z", re.IGNORECASE)
"""What browsers, Canvas and file managers add to the name of a second copy."""


class Unreadable(ValueError):
    """A submission that cannot be graded, with the reason for the learner."""


@dataclass(frozen=True)
class Submission:
    """One student's notebook of one lesson. Without one `path` is None, and `fault` tells the learner why."""

    student: str
    path: Path | None
    fault: str = ""

    @property
    def timestamp(self) -> str | None:
        """When it was handed in, from nbgrader's timestamp.txt beside the notebook; None without one."""
        return _timestamp(self.path.with_name("timestamp.txt")) if self.path else None


def _timestamp(path: Path) -> str | None:
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


@dataclass
class Collection:
    """What was found: the submissions, and in one sentence each what could not be taken for one."""

    submissions: list[Submission] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


# ----------------------------------------------------------------------------------------------------
# Finding


@contextlib.contextmanager
def collected(source: Path, lesson: str) -> Iterator[Collection]:
    """The submissions of a lesson in a folder or zip, as `find` gives them.

    Archives are unpacked into a temporary folder, which is there until the block ends.
    """
    with scratch.folder("intake") as quarantine:
        yield find(source, lesson, quarantine)


def find(source: Path, lesson: str, quarantine: Path) -> Collection:
    """The submissions of a lesson, by student.

    Args:
        source: the folder of submissions, or a zip of it (as Canvas and Moodle give it).
        lesson: the lesson's name.
        quarantine: an empty folder that archives are unpacked into.

    Raises:
        ValueError: no such folder or zip, no submission in it, or two of one student.
    """
    search = _Search(lesson, quarantine)
    if source.is_file() and source.suffix.lower() == archives.SUFFIX:
        folder = search.opened_class(source)
    elif source.is_dir():
        folder = search.only_download(source) or source
    else:
        raise ValueError(f"submissions must be a folder or a .zip, got {str(source)!r}, which is neither.")
    search.look(folder)
    found = search.result()
    if not any(submission.path or submission.fault for submission in found.submissions):
        raise ValueError(
            " ".join(found.remarks[:1])
            or f"no submission of {lesson} in {source}: expected <student>/{lesson}/{lesson}.ipynb, "
            f"<student>/{lesson}.ipynb, <student>.ipynb or <student>.zip."
        )
    if [submission.student for submission in found.submissions] == [lesson]:
        raise ValueError(
            f"{source} seems to be one student's folder: give the folder that holds the students'."
        )
    return found


class _Search:
    """Looks for one lesson's submissions, and remembers whose is which."""

    def __init__(self, lesson: str, quarantine: Path) -> None:
        self._lesson = lesson
        self._others = {other.casefold() for other in solutions.lessons() if other != lesson}
        self._quarantine = quarantine
        self._unpacked = 0
        self._found: dict[str, tuple[Submission, Path]] = {}
        self._downloads: dict[str, dict[Path, str]] = {}
        self._remarks: list[str] = []

    def result(self) -> Collection:
        """All that was found, by student."""
        for student, files in self._downloads.items():
            self._add(self._of_files(student, files), next(iter(files)))
        return Collection([self._found[student][0] for student in sorted(self._found)], self._remarks)

    def opened_class(self, archive: Path) -> Path:
        """Unpack a whole class's archive; returns the folder that holds the students'."""
        folder = self._fresh()
        try:
            self._remarks += archives.unpack(archive, folder, archives.CLASS)
        except BadArchive as bad:
            raise ValueError(f"{archive} cannot be taken: {bad}.") from None
        entries = _entries(folder)
        if len(entries) == 1 and entries[0].is_dir() and not self._notebooks_in(entries[0]):
            return entries[0]  # the zip of a folder
        return folder

    def only_download(self, folder: Path) -> Path | None:
        """The unpacked archive, where the folder holds nothing but one that is a learning platform's download.

        Only alone: one among others is a student's, who shall not hand in for others by such names.
        """
        entries = _entries(folder)
        if len(entries) != 1 or entries[0].suffix.lower() != archives.SUFFIX or entries[0].is_symlink():
            return None
        try:
            unpacked = self.opened_class(entries[0])
        except ValueError:
            return None
        inside = _entries(unpacked)
        return unpacked if inside and all(_download(entry.name) for entry in inside) else None

    def look(self, folder: Path) -> None:
        """Take every entry of the students' folder for what it is."""
        for entry in _entries(folder):
            downloaded = _download(entry.name)
            suffix = entry.suffix.lower()
            if entry.is_dir() and not entry.is_symlink():
                self._add(self._of_folder(downloaded[0] if downloaded else entry.name, entry), entry)
            elif (
                suffix not in (".ipynb", archives.SUFFIX, *archives.OTHER_SUFFIXES) and not entry.is_symlink()
            ):
                continue
            elif downloaded:
                self._downloads.setdefault(downloaded[0], {})[entry] = downloaded[1]
            else:
                self._add(self._of_files(_student_of(entry), {entry: f"{self._lesson}{suffix}"}), entry)

    def _add(self, submission: Submission, place: Path) -> None:
        student = submission.student
        if not STUDENT.match(student) or student.strip(" .") != student:
            self._remarks.append(
                f"{place}: a student's id has letters, digits, spaces and . _ - @ ' only, "
                "so this was not graded."
            )
            return
        if student in self._found:
            before = self._found[student][1]
            raise ValueError(
                f"student {student!r} has handed in twice: {before} and {place}. Move one of them away."
            )
        self._found[student] = submission, place

    def _of_folder(self, student: str, folder: Path) -> Submission:
        inner = folder / self._lesson
        direct = self._notebooks_in(folder)
        deep = {} if inner.is_symlink() else self._notebooks_in(inner)
        exact = [path for path, name in {**direct, **deep}.items() if name == f"{self._lesson}.ipynb"]
        if len(exact) > 1:
            raise ValueError(
                f"student {student!r} has handed in twice: {exact[1]} and {exact[0]}. Move one of them away."
            )
        if inner.is_symlink():
            return Submission(student, inner / f"{self._lesson}.ipynb")  # which `read` refuses
        zipped = {
            path: path.name
            for path in (*_entries(folder), *(_entries(inner) if inner.is_dir() else ()))
            if path.suffix.lower() in (archives.SUFFIX, *archives.OTHER_SUFFIXES)
        }
        return self._of_files(student, deep or direct or zipped)

    def _of_files(self, student: str, files: Mapping[Path, str]) -> Submission:
        """One of the files that a student handed in, by their own names: a notebook, else what is in a zip."""
        notebooks = {path: name for path, name in files.items() if name.lower().endswith(".ipynb")}
        if not notebooks and files:
            (archive, *more) = files
            if more:
                return Submission(
                    student, None, f"You handed in {len(files)} archives: hand in one notebook."
                )
            return self._of_archive(student, archive)
        return self._chosen(student, notebooks)

    def _of_archive(self, student: str, archive: Path) -> Submission:
        if archive.is_symlink():
            return Submission(
                student, None, "What you handed in is a link to another file: hand in the file itself."
            )
        if archive.suffix.lower() != archives.SUFFIX:
            return Submission(
                student, None, f"{archive.suffix} files are not opened: hand in the notebook itself."
            )
        folder = self._fresh()
        try:
            archives.unpack(archive, folder, archives.ONE)
        except BadArchive as bad:
            shutil.rmtree(folder, ignore_errors=True)
            return Submission(
                student, None, f"The archive cannot be taken, as {bad}: hand in the notebook itself."
            )
        notebooks = {path: path.name for path in sorted(folder.rglob("*.ipynb"))}
        chosen = self._chosen(student, notebooks)
        if not notebooks and any(folder.rglob("*")):
            chosen = Submission(
                student, None, "The archive holds archives and no notebook: hand in the notebook itself."
            )
        for path in notebooks:
            if path != chosen.path:
                path.unlink()
        return chosen

    def _chosen(self, student: str, notebooks: Mapping[Path, str]) -> Submission:
        """The one that is called after the lesson, else the only one there is."""
        own = {
            path: COPY.sub("", name[: -len(".ipynb")]).casefold()
            for path, name in notebooks.items()
            if name[: -len(".ipynb")].casefold() not in self._others
        }
        named = [path for path, name in own.items() if name == self._lesson.casefold()]
        candidates = named or list(own)
        if len(candidates) == 1:
            return Submission(student, candidates[0])
        if not candidates:
            return Submission(student, None)
        names = ", ".join(sorted(notebooks[path] for path in candidates)[:3])
        return Submission(
            student,
            None,
            f"You handed in {len(candidates)} notebooks ({names}): hand in one, called {self._lesson}.ipynb.",
        )

    def _notebooks_in(self, folder: Path) -> dict[Path, str]:
        if not folder.is_dir():
            return {}
        return {path: path.name for path in _entries(folder) if path.suffix.lower() == ".ipynb"}

    def _fresh(self) -> Path:
        self._unpacked += 1
        folder = self._quarantine / str(self._unpacked)
        folder.mkdir()
        return folder


def _entries(folder: Path) -> list[Path]:
    return [entry for entry in sorted(folder.iterdir()) if not IGNORED.match(entry.name)]


def _download(name: str) -> tuple[str, str] | None:
    """Whose file of a learning platform's download this is, and what its owner called it; None for others."""
    for pattern in DOWNLOADS:
        if match := pattern.match(name):
            return f"{match['name']}_{match['number']}", match["file"]
    return None


def _student_of(entry: Path) -> str:
    return entry.stem if entry.suffix else entry.name


# ----------------------------------------------------------------------------------------------------
# Taking in


def take_in(submission: Submission, lesson: str, folder: Path, blank: Callable[[], Any]) -> str:
    """Write a submission into an empty folder, as nbgrader wants it; returns what was wrong, "" if nothing.

    One that cannot be read is replaced by a blank notebook that says why, so that its author gets feedback.

    Args:
        submission: whose it is and where.
        lesson: what the notebook shall be called.
        folder: where it goes.
        blank: makes the lesson's notebook as it is given to learners.
    """
    folder.mkdir(parents=True, exist_ok=True)
    note = ""
    try:
        if submission.fault:
            raise Unreadable(submission.fault)
        if submission.path is None:
            raise Unreadable(f"There is no {lesson}.ipynb: hand one in.")
        notebook = read(submission.path)
    except Unreadable as unreadable:
        note = str(unreadable)
        notebook = refusal(note, blank)
    nbformat.write(notebook, folder / f"{lesson}.ipynb")
    if submission.path is not None:
        for beside in map(submission.path.with_name, BESIDE):
            if _may_stay(beside, beside.parent):
                shutil.copyfile(beside, folder / beside.name)
    return note


def refusal(note: str, blank: Callable[[], Any]) -> Any:
    """The blank notebook with a sentence at its top: why a submission was not taken."""
    notebook = blank()
    plain = re.sub(r"([\\\\`*_\[\]])", r"\\\1", html.escape(note, quote=False))
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(f"**{plain}**", id=NOTE_CELL))
    return notebook


def refused(notebook: Any) -> str:
    """Why `refusal` made this notebook, "" if it did not."""
    if not notebook.cells or notebook.cells[0].get("id") != NOTE_CELL:
        return ""
    return html.unescape(re.sub(r"\\([\\`*_\[\]])", r"\1", notebook.cells[0].source.strip("*")))


def confine(folder: Path, lesson: str, aside: Path, blank: Callable[[], Any]) -> list[str]:
    """Leave in a submitted folder only what nbgrader may touch: a readable notebook and its own small files.

    nbgrader copies all that lies there, through links too, into the folders that it serves and gives back.

    Args:
        folder: `submitted/<student>/<lesson>`.
        lesson: what the notebook is called.
        aside: where other files go, with .txt at the end of their names, so that nothing takes them for more.
        blank: makes the lesson's notebook as it is given to learners.

    Returns:
        A sentence for each thing that was done.
    """
    remarks: list[str] = []
    for place in (folder.parent, folder):
        if place.is_symlink():
            place.unlink()
            remarks.append(f"{place} was a link to another folder, and has been removed.")
    folder.mkdir(parents=True, exist_ok=True)
    notebook = folder / f"{lesson}.ipynb"
    fault = (
        "; ".join(remarks) and "What you handed in is a link to another folder: hand in the notebook itself."
    )
    try:
        read(notebook)
    except Unreadable as unreadable:
        fault = fault or str(unreadable)
        remarks.append(f"{notebook}: {fault}")
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder before the folder
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        elif not (path == notebook and not fault) and not _may_stay(path, folder):
            remarks.append(_set_aside(path, folder, aside))
    if fault:
        nbformat.write(refusal(fault, blank), notebook)
    return remarks


def _may_stay(path: Path, folder: Path) -> bool:
    if path.parent != folder or path.name not in BESIDE or path.is_symlink() or not path.is_file():
        return False
    if path.name == "timestamp.txt":
        return _timestamp(path) is not None
    return path.stat().st_size <= BESIDE_BYTES


def _set_aside(path: Path, folder: Path, aside: Path) -> str:
    if path.is_symlink() or not path.is_file():
        path.unlink()
        return f"{path} was no file but a link or the like, and has been removed."
    aside.mkdir(parents=True, exist_ok=True)
    name = "__".join(path.relative_to(folder).parts)[-200:]
    target = next(
        place
        for number in itertools.count()
        if not (place := aside / f"{name}{f'.{number}' if number else ''}.txt").exists()
    )
    os.replace(path, target)
    return f"{path} is not part of the submission, and lies in {target} now."


# ----------------------------------------------------------------------------------------------------
# Reading


def read(path: Path) -> Any:
    """Read a notebook, older formats and a byte order mark included; returns it in nbformat 4.5.

    Raises:
        Unreadable: with a sentence for the learner.
    """
    if any(part.is_symlink() for part in (path, path.parent, path.parent.parent)):
        raise Unreadable("The notebook is a link to another file: hand in the file itself.")
    if not path.is_file():
        raise Unreadable("There is no notebook: hand one in.")
    if path.stat().st_size > NOTEBOOK_BYTES:
        raise Unreadable(
            f"The notebook is above {NOTEBOOK_BYTES // 2**20} MB: clear its outputs and hand it in again."
        )
    text = _decode(path.read_bytes())
    if text.count("{") + text.count("[") > MOST_BRACKETS:
        raise Unreadable("The notebook holds too much data: clear its outputs and hand it in again.")
    try:
        raw = json.loads(text)
        if not isinstance(raw, dict) or not ("cells" in raw or "worksheets" in raw):
            raise Unreadable(
                "The file is no Jupyter notebook: save it in Jupyter as .ipynb and hand it in again."
            )
        _drop_outputs(raw)
        with warnings.catch_warnings():
            # About ids that are missing or double, which are given anew below.
            warnings.simplefilter("ignore")
            return _tidied(nbformat.reads(json.dumps(raw), as_version=4))
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


KEPT = {
    "code": ("cell_type", "id", "metadata", "source", "outputs", "execution_count"),
    "markdown": ("cell_type", "id", "metadata", "source", "attachments"),
    "raw": ("cell_type", "id", "metadata", "source", "attachments"),
}
"""What a cell of each type has."""


def _drop_outputs(raw: dict[str, Any]) -> None:
    """What cells printed and the notebook's metadata count for nothing here, and may be anything."""
    raw["metadata"] = {}
    sheets = raw["worksheets"] if isinstance(raw.get("worksheets"), list) else [raw]
    for cell in (cell for sheet in sheets for cell in sheet.get("cells", [])):
        if cell.get("cell_type") == "code":
            cell["outputs"] = []
        if not isinstance(cell.get("metadata"), dict):
            cell["metadata"] = {}


def _tidied(notebook: Any) -> Any:
    """Keep what grading and feedback look at, in a valid form; tools fill metadata with anything."""
    ids: set[str] = set()
    for cell in notebook.cells:
        for name in set(cell) - set(KEPT.get(cell.cell_type, cell)):
            del cell[name]
        tags, graded = cell.metadata.get("tags"), cell.metadata.get("nbgrader")
        cell.metadata = nbformat.from_dict({"nbgrader": graded} if isinstance(graded, dict) else {})
        if isinstance(tags, list) and tags and all(isinstance(tag, str) for tag in tags):
            cell.metadata["tags"] = list(dict.fromkeys(tag for tag in tags if re.fullmatch(r"[^,]+", tag)))
        cell.source = str(cell.get("source", "")).encode("utf-8", "replace").decode("utf-8")
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        cell.id = _identity(cell.get("id"), ids)
        ids.add(cell.id)
    _limit_sizes(notebook.cells)
    notebook.metadata = nbformat.from_dict({"language_info": {"name": "python"}})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    return notebook


def _identity(given: Any, taken: set[str]) -> str:
    """A cell's id, if it is one and no other cell's; else one of ours."""
    if isinstance(given, str) and given not in taken and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", given):
        return given
    return next(f"cell-{n}" for n in itertools.count(1) if f"cell-{n}" not in taken)


def _limit_sizes(cells: list[Any]) -> None:
    sizes = {
        kind: sum(len(cell.source) for cell in cells if cell.cell_type == kind)
        for kind in ("code", "markdown")
    }
    if len(cells) > MOST_CELLS:
        raise Unreadable(f"The notebook has more than {MOST_CELLS:,} cells: hand in the lesson's own.")
    if sizes["code"] > CODE_BYTES:
        raise Unreadable(
            f"The notebook's code is above {CODE_BYTES // 1000} kB: hand in the lesson's own notebook."
        )
    if sum(len(cell.source) for cell in cells) > SOURCE_BYTES:
        raise Unreadable(
            f"The notebook's text is above {SOURCE_BYTES // 2**20} MB: take large pictures out of it."
        )
