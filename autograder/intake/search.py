"""Finds the submissions of a lesson in a folder or a zip, and whose is which.

Layouts: `student/lesson/lesson.ipynb` (nbgrader's own), `student/lesson.ipynb`, `student.ipynb`, `student.zip`, and the
names of Canvas's and Moodle's downloads. What is wrong with one student's submission costs that student alone; two
submissions of one student are for the instructor to sort out, before anything is graded.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import solutions
from autograder.author import build
from autograder.intake import archives, downloads
from autograder.intake.archives import IGNORED, BadArchive
from autograder.intake.downloads import Download
from autograder.intake.reading import Unreadable, read
from autograder.intake.submission import TIMESTAMP, Submission, is_student, read_timestamp, shown
from autograder.sandbox import scratch

SUFFIXES = (".ipynb", archives.SUFFIX, *archives.OTHER_SUFFIXES)


@dataclass
class Collection:
    """What was found: the submissions, and in one sentence each what could not be taken for one."""

    submissions: list[Submission] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Those of the remarks that tell of something not graded."""


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
        self._downloads: dict[str, dict[Path, Download]] = {}
        self._left_out: list[str] = []
        self._remarks: list[str] = []

    def result(self) -> Collection:
        """All that was found, by student."""
        for student, entries in self._downloads.items():
            place = next(iter(entries))
            with self._alone(place):
                self._add(self._of_download(student, entries), place)
        found = [self._found[student][0] for student in sorted(self._found)]
        for submission in found:
            self._remarks += _untimely(submission)
        return Collection(found, self._left_out + self._remarks, self._left_out)

    def opened_class(self, archive: Path) -> Path:
        """Unpack a whole class's archive; returns the folder that holds the students'."""
        folder = self._fresh()
        try:
            self._left_out += map(shown, archives.unpack(archive, folder, archives.CLASS))
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
        return unpacked if inside and all(downloads.read(entry.name) for entry in inside) else None

    def look(self, folder: Path) -> None:
        """Take every entry of the students' folder for what it is."""
        for entry in _entries(folder):
            with self._alone(entry):
                self._take(entry)

    @contextlib.contextmanager
    def _alone(self, entry: Path) -> Iterator[None]:
        """What cannot be read in the block, for want of permission or a fault of the disk, is left out and named."""
        try:
            yield
        except OSError as wrong:
            self._left_out.append(f"{shown(entry)}: {wrong.strerror}, so this was not graded.")

    def _take(self, entry: Path) -> None:
        downloaded = downloads.read(entry.name)
        suffix = entry.suffix.lower()
        folder_of_one = entry.is_dir() and not entry.is_symlink()
        if not folder_of_one and suffix not in SUFFIXES and not entry.is_symlink():
            return
        if downloaded:
            self._downloads.setdefault(downloaded.student, {})[entry] = downloaded
        elif folder_of_one:
            self._add(self._of_folder(_composed(entry.name), entry), entry)
        else:
            self._add(self._of_files(_student_of(entry), {entry: f"{self._lesson}{suffix}"}), entry)

    def _add(self, submission: Submission, place: Path) -> None:
        student = submission.student
        if not is_student(student):
            self._left_out.append(
                f"{shown(place)}: a student's id has letters, digits, spaces and . _ - @ ' only, "
                "so this was not graded."
            )
            return
        if student in self._found:
            raise _twice(student, self._found[student][1], place)
        self._found[student] = submission, place

    def _of_download(self, student: str, entries: Mapping[Path, Download]) -> Submission:
        """What a learning platform's download holds of one student: a folder of theirs, or files."""
        folders = [entry for entry, one in entries.items() if entry.is_dir() and not one.text]
        files = {entry: one.file for entry, one in entries.items() if not entry.is_dir()}
        if len(folders) + bool(files) > 1:
            raise _twice(student, *[*folders, *files][:2])
        made = self._of_folder(student, folders[0]) if folders else self._of_files(student, files)
        chosen = next((one for entry, one in entries.items() if entry == made.path), None)
        return replace(made, theirs=True, download=chosen or next(iter(entries.values())))

    def _of_folder(self, student: str, folder: Path) -> Submission:
        inner = folder / self._lesson
        direct = self._notebooks_in(folder)
        deep = {} if inner.is_symlink() else self._notebooks_in(inner)
        exact = [path for path, name in {**direct, **deep}.items() if name == f"{self._lesson}.ipynb"]
        if len(exact) > 1:
            raise _twice(student, exact[1], exact[0])
        if inner.is_symlink():
            return Submission(student, inner / f"{self._lesson}.ipynb")  # which `read` refuses
        zipped = {
            path: path.name
            for path in (*_entries(folder), *(_entries(inner) if inner.is_dir() else ()))
            if path.suffix.lower() in (archives.SUFFIX, *archives.OTHER_SUFFIXES)
        }
        return self._of_files(student, {**direct, **deep} or zipped)

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
        chosen = replace(self._chosen(student, notebooks), theirs=True)
        if not notebooks and any(folder.rglob("*")):
            chosen = Submission(
                student, None, "The archive holds archives and no notebook: hand in the notebook itself."
            )
        for path in notebooks:
            if path != chosen.path:
                path.unlink()
        return chosen

    def _chosen(self, student: str, notebooks: Mapping[Path, str]) -> Submission:
        """The one that is called after the lesson, whatever its copies are called, else the only one there is.

        Tools that copy leave the lesson's own name on the blank one: of several, what somebody worked in counts.
        """
        named = [path for path, name in notebooks.items() if self._lesson.casefold() in name.casefold()]
        others = [
            path
            for path, name in notebooks.items()
            if path not in named and not any(other in name.casefold() for other in self._others)
        ]
        if len(named) + len(others) <= 1:
            return Submission(student, next(iter(named + others), None))
        candidates = self._worked_in(named) or self._worked_in(others) or named[:1] or others
        names = sorted(shown(notebooks[path]) for path in candidates)
        if len(candidates) == 1:
            told = (
                f"{names[0]} was graded: of {len(named + others)} notebooks the only one that was worked in"
            )
            usual = names == [f"{self._lesson}.ipynb"]
            return Submission(student, candidates[0], remark="" if usual else told)
        return Submission(
            student,
            None,
            f"You handed in {len(candidates)} notebooks ({', '.join(names[:3])}): hand in one, called "
            f"{self._lesson}.ipynb.",
        )

    def _worked_in(self, notebooks: list[Path]) -> list[Path]:
        """Those with something of the lesson's and something that is not; and those of which that cannot be told."""
        return [path for path in notebooks if _is_worked_in(path, _texts_of(self._lesson))]

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


def _untimely(submission: Submission) -> list[str]:
    """What is wrong with the time at which a submission was handed in, in a sentence."""
    try:
        if submission.path and not submission.theirs:
            read_timestamp(submission.path.with_name(TIMESTAMP))
    except ValueError as wrong:
        return [shown(wrong)]
    return []


def _student_of(entry: Path) -> str:
    """The student's id in the name of a file: what is left without all that says what kind of file it is."""
    name = entry.name
    while name.lower().endswith(SUFFIXES):
        name = name.rpartition(".")[0]
    return _composed(name)


def _composed(name: str) -> str:
    """A letter and its accent as one character: macOS takes them apart, and a name is one name."""
    return unicodedata.normalize("NFC", name)


def _twice(student: str, first: Path, second: Path) -> ValueError:
    return ValueError(
        f"student {student!r} has handed in twice: {shown(first)} and {shown(second)}. Move one of them away."
    )


@functools.cache
def _texts_of(lesson: str) -> frozenset[str]:
    """The cells of a lesson as learners get it."""
    return frozenset(_plain(cell.source) for cell in build.student_notebook(lesson).cells)


def _is_worked_in(path: Path, lesson: frozenset[str]) -> bool:
    try:
        texts = {_plain(cell.source) for cell in read(path).cells} - {""}
    except Unreadable:
        return True
    return bool(texts & lesson) and bool(texts - lesson)


def _plain(source: str) -> str:
    return " ".join(source.split())
