"""The ways by which submissions come into nbgrader, made safe: autograde, collect and zip_collect.

nbgrader makes its converters itself, but lets an exporter, two plugins and the exchange's steps be chosen;
`settings.configure` chooses these. So `nbgrader autograde`, `nbgrader zip_collect`, `nbgrader collect` and
Formgrader's buttons check for the sandbox first, and take files in through `intake` alone.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbgrader.api import Grade, Gradebook
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.exchange.default import ExchangeCollect, ExchangeReleaseFeedback
from nbgrader.plugins import ExtractorPlugin, FileNameCollectorPlugin
from sqlalchemy import event

from autograder.author import build
from autograder.intake import hand_ins, reading, search, taking_in
from autograder.intake.archives import NOTEBOOK_BYTES
from autograder.intake.hand_ins import HandIn
from autograder.intake.submission import BESIDE, BESIDE_BYTES, is_student, shown
from autograder.nbgrader import roster, steps
from autograder.sandbox import bubblewrap

SET_ASIDE = "set_aside"
EARLIER = ".autograded_earlier"


class SubmissionExporter(NotebookExporter):
    """What nbgrader's autograde reads and writes notebooks by.

    It is made when autograding starts, before anything is deleted or copied: so it is here that grading is
    refused without a sandbox, and that submitted folders are cleared of what does not belong there.
    """

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        converter: Any = self.parent
        step = steps.CourseStep(parent=self)
        try:
            bubblewrap.choose(unsafe=step.isolation == "none")
        except bubblewrap.SandboxMissing as missing:
            converter.log.error("%s", missing)
            raise NbGraderException(str(missing)) from None
        if type(converter) is Autograde:
            converter.__class__ = KeepingAutograde  # the one thing of it that cannot be configured
        _confine(converter)

    def from_filename(self, filename: str, resources: Any = None, **named: Any) -> tuple[Any, Any]:
        """Read one notebook: what a learner wrote through `reading`, what has been taken in as it is."""
        if not getattr(self.parent, "_sanitizing", True):
            return super().from_filename(filename, resources=resources, **named)
        notebook = reading.read(Path(filename))
        return super().from_file(io.StringIO(nbformat.writes(notebook)), resources=resources, **named)


def _confine(converter: Any) -> None:
    """Clear the folders that are about to be autograded of all that nbgrader should not touch."""
    directory = converter.coursedir
    lesson = directory.assignment_id
    for name in list(converter.assignments):
        folder = Path(name)
        student = folder.parent.name
        if not is_student(student):
            converter.log.error("%s: this cannot be a student's id, so it was not graded.", shown(folder))
            del converter.assignments[name]
            continue
        aside = Path(directory.root) / SET_ASIDE / student / lesson
        remarks, fault = taking_in.confine(folder, lesson, aside, lambda: build.student_notebook(lesson))
        for remark in remarks:
            converter.log.warning("%s", remark)
        if fault:
            root = Path(directory.root)
            came = hand_ins.read(root, lesson, student)
            hand_ins.write(root, lesson, student, replace(came, refused=fault))
        converter.assignments[name] = [str(folder / f"{lesson}.ipynb")]


class KeepingAutograde(Autograde):
    """nbgrader's Autograde; what it breaks off leaves no zeros, and the earlier autograded copy as it was."""

    def convert_notebooks(self) -> None:
        """Autograde all submissions."""
        with _kept(self), _waiting_until_stored():
            super().convert_notebooks()


@contextlib.contextmanager
def _waiting_until_stored() -> Iterator[None]:
    """Grades that nbgrader creates in the block wait for a person until their scores come; it would give them zeros."""

    def wait(grade: Grade, *_: Any) -> None:
        grade.needs_manual_grade = True

    event.listen(Grade, "init", wait)
    try:
        yield
    finally:
        event.remove(Grade, "init", wait)


@contextlib.contextmanager
def _kept(converter: Any) -> Iterator[None]:
    """Put autograded folders back that are gone after the block: --force deletes them first of all."""
    lesson = converter.coursedir.assignment_id
    root = Path(converter.coursedir.root)
    kept: dict[Path, Path] = {}
    for name in converter.assignments:
        student = Path(name).parent.name
        place = Path(converter._format_dest(lesson, student))
        copy = root / EARLIER / student / lesson
        if copy.is_dir() and not _is_whole(place):  # left by a run that was killed
            _move(copy, place)
        if place.is_dir() and converter.force:
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(place, copy, symlinks=True)
            kept[place] = copy
    try:
        yield
    finally:
        for place, copy in kept.items():
            if _is_whole(place):
                shutil.rmtree(copy, ignore_errors=True)
            else:
                _move(copy, place)
                converter.log.warning("%s: the earlier autograded version has been kept.", place)
            with contextlib.suppress(OSError):
                copy.parent.rmdir()
                copy.parent.parent.rmdir()


def _is_whole(place: Path) -> bool:
    """Is an autograded notebook in this folder?"""
    return any(place.glob("*.ipynb"))


def _move(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(source, target)


# ----------------------------------------------------------------------------------------------------
# Collecting


class PlainCollect(ExchangeCollect):
    """nbgrader's collect from the exchange, where learners may write: links are not followed."""

    def do_copy(self, src: str, dest: str, log: Any = None) -> None:
        """Copy the notebooks and nbgrader's own small files of one submission."""
        os.makedirs(dest)
        if os.path.islink(src):
            self.log.warning("%s is a link to another folder, and was not collected.", shown(src))
            return
        for name in sorted(os.listdir(src)):
            limit = BESIDE_BYTES if name in BESIDE else NOTEBOOK_BYTES + 1
            if (name.endswith(".ipynb") or name in BESIDE) and not _copy(
                os.path.join(src, name), os.path.join(dest, name), limit
            ):
                self.log.warning(
                    "%s is a link or the like, and was not collected.", shown(os.path.join(src, name))
                )
        if self.coursedir.groupshared:
            for path, more in ((dest, 0o2770), *((entry.path, 0o660) for entry in os.scandir(dest))):
                os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) | more)


class ReadableFeedback(ExchangeReleaseFeedback):
    """nbgrader's release of feedback; what the course keeps for itself becomes readable where learners fetch it."""

    def copy_files(self) -> None:
        """Copy the pages into the exchange, where their names are what keeps them from others."""
        super().copy_files()
        for page in Path(self.dest_path).glob("*.html"):
            if page.stat().st_uid == os.getuid():
                page.chmod(0o664 if self.coursedir.groupshared else 0o644)


def _copy(source: str, target: str, limit: int) -> bool:
    """Copy the beginning of a regular file; False for anything else."""
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        data = file.read(limit)
    with open(target, "wb") as file:
        file.write(data)
    return True


class IntakeExtractor(ExtractorPlugin):
    """zip_collect's first step: what was downloaded goes through `intake`, one folder for each student."""

    def extract(self, archive_path: str, extracted_path: str) -> None:
        """Take in all submissions in `archive_path` (files, folders, zips) and write them to `extracted_path`."""
        lesson = self.parent.coursedir.assignment_id
        directory = self.parent.coursedir
        try:
            with (
                search.collected(Path(archive_path), lesson) as found,
                Gradebook(directory.db_url, directory.course_id) as gradebook,
            ):
                for remark in found.remarks:
                    self.log.warning("%s", remark)
                for submission in roster.recognised(gradebook, found.submissions):
                    if submission.download:
                        roster.register(gradebook, submission.student, submission.download)
                    folder = Path(extracted_path) / submission.student
                    note = taking_in.take_in(
                        submission, lesson, folder, lambda: build.student_notebook(lesson)
                    )
                    came = HandIn(submission.download, submission.claim or "", refused=note)
                    hand_ins.write(Path(directory.root), lesson, submission.student, came)
                    if note:
                        self.log.warning("%s: %s", submission.student, note)
        except ValueError as wrong:
            self.parent.fail("Nothing has been collected: %s", wrong)


class IntakeCollector(FileNameCollectorPlugin):
    """zip_collect's second step: whose a file is, says the folder that `IntakeExtractor` has put it in."""

    def collect(self, submitted_file: str) -> dict[str, str] | None:
        """The student and the notebook's name; None for other files."""
        path = Path(submitted_file)
        if path.suffix != ".ipynb":
            return None
        found = {"student_id": path.parent.name, "file_id": path.name}
        beside = path.with_name("timestamp.txt")
        if beside.is_file():
            found["timestamp"] = beside.read_text(encoding="utf-8").strip()
        return found
