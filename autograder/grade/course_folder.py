"""An nbgrader course folder with its gradebook: what grading puts there, has nbgrader do there, and reads from there.

It drives nbgrader (generate_assignment, autograde, generate_feedback). What a submission earns is found out elsewhere
(`batch`) and given to it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import nbformat
from traitlets.config import Config

from autograder.author import build
from autograder.intake import hand_ins, reading, taking_in, times
from autograder.intake.hand_ins import HandIn
from autograder.intake.submission import TIMESTAMP, Submission
from autograder.judge import matching, outputs
from autograder.judge.results import Result
from autograder.judge.seeds import course_secret, grading_seeds
from autograder.nbgrader import config_file, extensions, gradebook, released, roster
from autograder.reports import penalties, signs
from autograder.reports.grade_table import Row
from autograder.sandbox.apart import Beyond
from autograder.sandbox.cells import Step

PRIVATE = ("source", "submitted", "autograded", "feedback")
EXECUTION = "NBGRADER_EXECUTION"
"""The variable by which nbgrader tells code that it is being graded."""
CUT_OFF = "grading was cut off before its points were stored: grade it again"
"""Of a submission that the gradebook has without its scores."""


class CourseFolder:
    """An nbgrader course folder: its usual subfolders, gradebook.db, and our configuration."""

    def __init__(self, root: Path, isolation: str | None = None) -> None:
        self.root = root.resolve()
        self._isolation = isolation
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        gradebook.check(self.root)
        config_file.write_config(self.root)
        course_secret(self.root)
        # nbgrader finds alembic through PATH, which lacks the environment's programs unless it was activated.
        programs = str(Path(sys.executable).parent)
        if programs not in os.environ.get("PATH", "").split(os.pathsep):
            os.environ["PATH"] = programs + os.pathsep + os.environ.get("PATH", "")
        self._api = self._connect()
        self._make_private()

    def _connect(self) -> Any:
        from nbgrader.apps.api import NbGraderAPI
        from nbgrader.coursedir import CourseDirectory

        config = config_file.load_config(self.root)
        if self._isolation is not None:
            config.CourseStep.isolation = self._isolation
        # The submissions of one lesson take minutes; nbgrader's own account of it is in the results of each
        # step.
        logger = logging.getLogger("nas-course.nbgrader")
        logger.propagate = False
        logger.addHandler(logging.NullHandler())
        config.NbGraderAPI.log_level = "WARN"
        return NbGraderAPI(coursedir=CourseDirectory(config=config, log=logger), config=config, log=logger)

    def _make_private(self) -> None:
        """Answers, grades and pages are the instructor's alone, unless the course is one that a group shares.

        From here on that goes for every file that this process makes.
        """
        if self._api.coursedir.groupshared:
            return
        os.umask(0o077)
        for name in PRIVATE:
            (self.root / name).mkdir(exist_ok=True)
        database = Path(self.db_url.removeprefix("sqlite:///"))
        if self.db_url.startswith("sqlite:///"):
            database.touch()
        for path, mode in (*((self.root / name, 0o700) for name in PRIVATE), (database, 0o600)):
            if path.exists() and path.stat().st_uid == os.getuid():
                path.chmod(mode)

    @property
    def db_url(self) -> str:
        """Where the gradebook is."""
        return str(self._api.coursedir.db_url)

    def gradebook(self) -> Any:
        """The gradebook, as a context manager."""
        return self._api.gradebook

    def source(self, lesson: str) -> Path:
        """The lesson with its solutions, of which nbgrader makes the assignment."""
        return self.root / "source" / lesson / f"{lesson}.ipynb"

    def assign(self, lesson: str) -> None:
        """Put the lesson's source in place and let nbgrader make the assignment of it, if need be.

        Raises:
            ValueError: the lesson has changed since submissions of it were graded here, or nbgrader refuses
                it.
        """
        source = self.source(lesson)
        text = build.render(build.instructor_notebook(lesson))
        released = self.root / "release" / lesson / f"{lesson}.ipynb"
        if (
            source.exists()
            and source.read_text(encoding="utf-8") == text
            and released.exists()
            and self.is_assigned(lesson)
        ):
            return
        before = source.read_text(encoding="utf-8") if source.exists() else None
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(text, encoding="utf-8")
        done = self._api.generate_assignment(lesson, force=True, create=True)
        if not done["success"]:
            if before is not None:
                source.write_text(before, encoding="utf-8")
            reason = _reason(done)
            if "submissions associated" in reason:
                reason = (
                    "its cells have changed since submissions were graded here; use another --course folder"
                )
            raise ValueError(f"{lesson} cannot be assigned in {self.root}: {reason}.")

    def is_assigned(self, lesson: str) -> bool:
        """Is the lesson an assignment of this course?"""
        from nbgrader.api import MissingEntry

        with self.gradebook() as book:
            try:
                book.find_notebook(lesson, lesson)
            except MissingEntry:
                return False
            return True

    def set_due(self, lesson: str, due: str) -> None:
        """Set the lesson's due date, such as "2026-10-01 23:59 UTC".

        Raises:
            ValueError: that is no instant.
        """
        moment = times.instant_of("due", due)
        with self.gradebook() as book:
            book.update_or_create_assignment(lesson, duedate=moment)

    def renew_penalties(self, lesson: str) -> None:
        """Store what being late costs now: points, extensions, the due date and the plugin may have changed.

        Raises:
            ValueError: the plugin cannot be used.
        """
        with self.gradebook() as book:
            extensions.apply(book, self.root, lesson)
            penalties.renew(book, lesson, self._api.config)

    def hand_in(self, lesson: str, submission: Submission) -> str:
        """Put a submission into submitted/; returns what was wrong with it, "" if nothing."""
        folder = self.root / "submitted" / submission.student / lesson
        # Written aside first: the submission may lie in that very folder, and the disk may be full.
        with tempfile.TemporaryDirectory(dir=self.root, prefix=".handing-in-") as fresh:
            note = taking_in.take_in(
                submission, lesson, Path(fresh, lesson), lambda: build.student_notebook(lesson)
            )
            came = self.came(lesson, submission)
            came = replace(came, when=submission.when or came.when, refused=note or came.refused)
            hand_ins.write(self.root, lesson, submission.student, came)
            shutil.rmtree(folder, ignore_errors=True)
            folder.parent.mkdir(parents=True, exist_ok=True)
            Path(fresh, lesson).rename(folder)
        return note

    def came(self, lesson: str, submission: Submission) -> HandIn:
        """How a submission comes in; one that was taken in before came as it did then."""
        path = submission.path and submission.path.resolve()
        if path and path.is_relative_to(self.root / "submitted"):
            return hand_ins.read(self.root, lesson, submission.student)
        return HandIn(submission.download, submission.claim or "")

    def recognised(self, submissions: Iterable[Submission]) -> list[Submission]:
        """Submissions under the ids that the gradebook has for their students, who may come from elsewhere.

        Raises:
            ValueError: two of them are one student's.
        """
        with self.gradebook() as book:
            return roster.recognised(book, submissions)

    def note_hand_ins(self, lesson: str, students: Iterable[str]) -> None:
        """Bring into the gradebook how submissions came in: whose they are, and when."""
        from nbgrader.api import MissingEntry

        with self.gradebook() as book:
            due = book.find_assignment(lesson).duedate
            for student in students:
                came = hand_ins.read(self.root, lesson, student)
                if came.download:
                    roster.register(book, student, came.download)
                folder = self.root / "submitted" / student / lesson
                if came.marked_late:  # by how much is not known: the least that is late
                    taking_in.set_time(folder, due and times.written(due + timedelta(seconds=1)))
                if not (folder / TIMESTAMP).exists():
                    with contextlib.suppress(
                        MissingEntry
                    ):  # nbgrader would keep an earlier submission's time
                        book.find_submission(lesson, student).timestamp = None
            book.db.commit()

    def _master(self, lesson: str) -> matching.Master:
        return released.master(self.root, lesson, lesson)

    def seeds(self, lesson: str) -> dict[str, int]:
        """The seeds of a lesson's exercises in this course."""
        return grading_seeds(self.root, lesson, list(self._master(lesson).points))

    def steps(self, lesson: str, student: str) -> list[Step]:
        """What of a student's submission has to be run."""
        notebook = nbformat.read(self.root / "submitted" / student / lesson / f"{lesson}.ipynb", as_version=4)
        master = self._master(lesson)
        return matching.plan(matching.restore(notebook, master), master)

    def autograde(self, lesson: str, student: str, result: Result | None = None) -> str:
        """Let nbgrader store one submission's grades; returns what went wrong, "" if nothing.

        Args:
            lesson: the lesson's name.
            student: whose.
            result: what the submission was found to earn; without it, it is evaluated now. One that was made of another
                submission, or for other seeds, is refused.

        Raises:
            gradebook.DiskFull: there is no room left.
        """
        from nbgrader.converters import Autograde
        from nbgrader.utils import capture_log, temp_attrs

        before = os.environ.get(EXECUTION)
        try:
            with (
                warnings.catch_warnings(),
                temp_attrs(self._api.coursedir, assignment_id=lesson, student_id=student),
            ):
                warnings.filterwarnings(
                    "ignore", module=r"nbgrader\."
                )  # SQLAlchemy on how nbgrader builds its rows
                app = Autograde(coursedir=self._api.coursedir, parent=self._api)
                app.update_config(Config({"ScoreExercises": {"result": result}}))
                app.force = app.create_student = True
                done = capture_log(app)
        finally:
            os.environ.pop(EXECUTION, None)  # nbgrader leaves it behind when it fails
            if before is not None:
                os.environ[EXECUTION] = before
        if done["success"]:
            return ""
        if gradebook.is_full(f"{done.get('error')} {done.get('log')}"):
            raise gradebook.full(self.root)
        return _reason(done)

    def write_feedback(self, lesson: str, students: Sequence[str]) -> dict[str, str]:
        """Write the students' feedback pages anew; returns what went wrong, by student.

        All in one run of nbgrader's, which compiles its page template once.
        """
        from nbgrader.converters import GenerateFeedback
        from nbgrader.utils import capture_log

        wanted = set(students)

        class Pages(GenerateFeedback):
            """nbgrader's own, for some of the students."""

            def init_notebooks(self) -> None:
                super().init_notebooks()
                self.assignments: dict[str, list[str]] = {
                    folder: notebooks
                    for folder, notebooks in self.assignments.items()
                    if Path(folder).parent.name in wanted
                }

        pages = {student: self.root / "feedback" / student / lesson for student in students}
        for page in pages.values():
            shutil.rmtree(page, ignore_errors=True)
        if not pages:
            return {}
        config = Config()
        config.HTMLExporter.template_name = "feedback"  # as nbgrader's own API does
        self._api.coursedir.assignment_id, self._api.coursedir.student_id = lesson, "*"
        app = Pages(coursedir=self._api.coursedir, parent=self._api)
        app.update_config(config)
        app.force = True
        done = capture_log(app)
        return {
            student: f"no feedback page: {_reason(done)}"
            for student, page in pages.items()
            if not (page / f"{lesson}.html").exists()
        }

    def students(self, lesson: str) -> list[str]:
        """Who has a graded submission of the lesson in the gradebook."""
        with self.gradebook() as book:
            return sorted(one.student_id for one in book.assignment_submissions(lesson))

    def row(self, lesson: str, student: str, note: str = "") -> Row:
        """A student's grades as the gradebook has them, with what the files of the submission tell."""
        from nbgrader.api import MissingEntry

        row = Row(student, note=note)
        again = []
        with self.gradebook() as book:
            try:
                submission = book.find_submission(lesson, student)
            except MissingEntry:
                row.ungraded = note or "it is not in the gradebook"
                return row
            row.late_seconds = float(submission.total_seconds_late)
            row.penalty = float(submission.late_submission_penalty or 0.0)
            came = hand_ins.read(self.root, lesson, student)
            timely = came.note(submission.duedate is not None)
            for notebook in submission.notebooks:
                if any(map(_is_unfinished, notebook.grades)):
                    row.ungraded = note or CUT_OFF
                for grade in notebook.grades:
                    name = grade.cell.name.removesuffix("-check")
                    row.points[name] = None if grade.needs_manual_grade else float(grade.score)
                    row.max_points[name] = float(grade.max_score)
                    if grade.needs_manual_grade and grade.manual_score is not None:
                        again.append(name)
        self._look_into(row, lesson, came)
        again_told = f"graded by a person before the last change, look again: {', '.join(again)}"
        for told in (row.ungraded, timely, again_told if again else ""):
            _add_note(row, told)
        return row

    def _look_into(self, row: Row, lesson: str, came: HandIn) -> None:
        """Add what the judges said and what deserves a look, from the files of a graded submission."""
        autograded, submitted = (
            self.root / step / row.student / lesson / f"{lesson}.ipynb"
            for step in ("autograded", "submitted")
        )
        if not (autograded.is_file() and submitted.is_file()):
            return
        graded = nbformat.read(autograded, as_version=4)
        row.outcomes, row.isolation = outputs.read_outcomes(graded), outputs.read_isolation(graded)
        try:
            notebook = reading.read(submitted)  # plain `nbgrader autograde` leaves there what was handed in
        except reading.Unreadable:
            return
        master = self._master(lesson)
        if taking_in.is_refusal(notebook, came.refused):
            row.note, row.ungraded = row.note or came.refused, row.ungraded or came.refused
        try:
            row.signs = signs.of_submission(notebook, master, row.outcomes)
            row.answers = signs.fingerprint(notebook, master)
        except Beyond as beyond:
            _add_note(row, f"its code could not be looked through, as {beyond}: look at it yourself")


def _is_unfinished(grade: Any) -> bool:
    """Was storing it cut off? A check's score never waits for a person but before it is there."""
    scores = (grade.auto_score, grade.manual_score)
    return grade.needs_manual_grade and grade.cell.cell_type == "code" and scores == (None, None)


def _add_note(row: Row, text: str) -> None:
    if text not in row.note:
        row.note = "; ".join(filter(None, (row.note, text)))


def _reason(done: dict[str, Any]) -> str:
    """The last thing that nbgrader said about a failure, in one line."""
    log, traceback = (str(done.get(part, "")).strip().splitlines() for part in ("log", "error"))
    inner = [line.strip() for line in log if "Error: " in line][-1:]
    errors = [line.removeprefix("[ERROR]").strip() for line in log if line.startswith("[ERROR]")]
    said = next(filter(None, (*inner, *errors[:1], *traceback[-1:])), "nbgrader gave no reason")
    return outputs.printable(said.removeprefix("ValueError: "))[:300]
