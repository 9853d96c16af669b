"""`nas-course grade`: from a folder of submissions to a gradebook that Formgrader opens, feedback pages and a
CSV.

It drives nbgrader (generate_assignment, autograde, generate_feedback) in a course folder of nbgrader's own
layout. Learners' code runs in parallel (`batch`); this process alone writes the gradebook, each submission as soon
as its result is there, and a journal lets a run that was cut off go on where it stopped.
"""

from __future__ import annotations

import itertools
import logging
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat

from autograder.author import build
from autograder.author.lesson import Lesson, read_lesson
from autograder.grade import batch, journal
from autograder.grade.journal import Journal, digest
from autograder.grade.run import Run, quick, seeds_of
from autograder.intake import inbox
from autograder.intake.inbox import Submission
from autograder.judge import matching, scoring
from autograder.nbgrader import gradebook, steps
from autograder.reports import signs
from autograder.reports.grade_table import Grades, Row, write_csv
from autograder.sandbox import bubblewrap
from nas_lib import checks

EXECUTION = "NBGRADER_EXECUTION"
"""The variable by which nbgrader tells code that it is being graded."""


class CourseFolder:
    """An nbgrader course folder: its usual subfolders, gradebook.db, and our configuration."""

    def __init__(self, root: Path, isolation: str | None = None) -> None:
        self.root = root.resolve()
        self._isolation = isolation
        self.root.mkdir(parents=True, exist_ok=True)
        gradebook.check(self.root)
        steps.write_config(self.root)
        scoring.course_secret(self.root)
        # nbgrader finds alembic through PATH, which lacks the environment's programs unless it was activated.
        programs = str(Path(sys.executable).parent)
        if programs not in os.environ.get("PATH", "").split(os.pathsep):
            os.environ["PATH"] = programs + os.pathsep + os.environ.get("PATH", "")
        self._api = self._connect()

    def _connect(self) -> Any:
        from nbgrader.apps.api import NbGraderAPI
        from nbgrader.coursedir import CourseDirectory

        config = steps.load_config(self.root)
        if self._isolation is not None:
            config.CourseStep.isolation = self._isolation
        # The submissions of one lesson take minutes; nbgrader's own account of it is in the results of each
        # step.
        logger = logging.getLogger("nas-course.nbgrader")
        logger.propagate = False
        logger.addHandler(logging.NullHandler())
        config.NbGraderAPI.log_level = "WARN"
        return NbGraderAPI(coursedir=CourseDirectory(config=config, log=logger), config=config, log=logger)

    @property
    def db_url(self) -> str:
        """Where the gradebook is."""
        return str(self._api.coursedir.db_url)

    def gradebook(self) -> Any:
        """The gradebook, as a context manager."""
        return self._api.gradebook

    def assign(self, lesson: str) -> None:
        """Put the lesson's source in place and let nbgrader make the assignment of it, if need be.

        Raises:
            ValueError: the lesson has changed since submissions of it were graded here, or nbgrader refuses
                it.
        """
        source = self.root / "source" / lesson / f"{lesson}.ipynb"
        text = build.render(build.instructor_notebook(lesson))
        released = self.root / "release" / lesson / f"{lesson}.ipynb"
        if (
            source.exists()
            and source.read_text(encoding="utf-8") == text
            and released.exists()
            and self._is_assigned(lesson)
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

    def _is_assigned(self, lesson: str) -> bool:
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
            ValueError: that is no date.
        """
        with self.gradebook() as book:
            try:
                book.update_or_create_assignment(lesson, duedate=due)
            except (ValueError, OverflowError):
                raise ValueError(f'due must be a date such as "2026-10-01 23:59 UTC", got {due!r}.') from None

    def hand_in(self, lesson: str, submission: Submission) -> str:
        """Put a submission into submitted/; returns what was wrong with it, "" if nothing."""
        folder = self.root / "submitted" / submission.student / lesson
        # Written aside first: the submission may lie in that very folder, and the disk may be full.
        with tempfile.TemporaryDirectory(dir=self.root, prefix=".handing-in-") as fresh:
            note = inbox.take_in(
                submission, lesson, Path(fresh, lesson), lambda: build.student_notebook(lesson)
            )
            shutil.rmtree(folder, ignore_errors=True)
            folder.parent.mkdir(parents=True, exist_ok=True)
            Path(fresh, lesson).rename(folder)
        return note

    def steps(self, lesson: str, student: str) -> list[matching.Step]:
        """What of a student's submission has to be run."""
        notebook = nbformat.read(self.root / "submitted" / student / lesson / f"{lesson}.ipynb", as_version=4)
        master = steps.master(self.root, lesson, lesson)
        return matching.plan(matching.restore(notebook, master), master)

    def autograde(self, lesson: str, student: str) -> str:
        """Let nbgrader store one submission's grades; returns what went wrong, "" if nothing.

        Raises:
            gradebook.DiskFull: there is no room left.
        """
        graded = self.root / "autograded" / student / lesson
        before = os.environ.get(EXECUTION)
        kept = self.root / "autograded" / f".{student}-{lesson}.kept"  # nbgrader removes it before it begins
        if kept.is_dir():  # a run was killed here
            _put_back(kept, graded)
        if graded.is_dir():
            graded.rename(kept)
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings(
                    "ignore", module=r"nbgrader\."
                )  # SQLAlchemy on how nbgrader builds its rows
                done = self._api.autograde(lesson, student, force=True, create=True)
        finally:
            _put_back(kept, graded)
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
        from traitlets.config import Config

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
                return row
            row.late_seconds = float(submission.total_seconds_late)
            row.penalty = float(submission.late_submission_penalty or 0.0)
            for notebook in submission.notebooks:
                for grade in notebook.grades:
                    name = grade.cell.name.removesuffix("-check")
                    row.points[name] = None if grade.needs_manual_grade else float(grade.score)
                    row.max_points[name] = float(grade.max_score)
                    if grade.needs_manual_grade and grade.manual_score is not None:
                        again.append(name)
        self._look_into(row, lesson)
        if again:
            changed = f"graded by a person before the last change, look again: {', '.join(again)}"
            row.note = "; ".join(filter(None, (row.note, changed)))
        return row

    def _look_into(self, row: Row, lesson: str) -> None:
        """Add what the judges said and what deserves a look, from the files of a graded submission."""
        autograded, submitted = (
            self.root / step / row.student / lesson / f"{lesson}.ipynb"
            for step in ("autograded", "submitted")
        )
        if not (autograded.is_file() and submitted.is_file()):
            return
        graded = nbformat.read(autograded, as_version=4)
        row.outcomes, row.isolation = scoring.read_outcomes(graded), scoring.read_isolation(graded)
        try:
            notebook = inbox.read(submitted)  # plain `nbgrader autograde` leaves there what was handed in
        except inbox.Unreadable:
            return
        master = steps.master(self.root, lesson, lesson)
        row.note = row.note or inbox.refused(notebook)
        row.signs = signs.of_submission(notebook, master, row.outcomes)
        row.answers = signs.fingerprint(notebook, master)


def assign(lessons: Sequence[str], folder: Path, due: str | None = None) -> list[Path]:
    """Make lessons the assignments of a course folder, ready to be released; returns the released notebooks.

    Args:
        lessons: names of lessons.
        folder: the course folder; made if absent.
        due: due date of all of them; by default the one already in the gradebook.

    Raises:
        ValueError: no such lesson, a course folder that is not ours, or no date.
    """
    for lesson in lessons:
        _gradable(lesson)
    place = CourseFolder(folder)
    for lesson in lessons:
        place.assign(lesson)
        if due:
            place.set_due(lesson, due)
    return [place.root / "release" / lesson / f"{lesson}.ipynb" for lesson in lessons]


def grade(
    submissions: Path,
    lesson: str,
    folder: Path,
    out: Path | None = None,
    jobs: int = 1,
    due: str | None = None,
    progress: bool = True,
    unsafe: bool = False,
    students: Sequence[str] = (),
    scheduler: str | None = None,
    regrade: bool = False,
) -> Grades:
    """Grade the submissions of a lesson.

    Args:
        submissions: folder or zip of submissions, in one of the layouts of `inbox`.
        lesson: the lesson's name.
        folder: the course folder; made if absent, and used again for regrades and other lessons.
        out: where the CSV goes; by default into the course folder.
        jobs: submissions evaluated at the same time.
        due: due date, for the column of seconds late; by default the one already in the gradebook.
        progress: show a progress bar on stderr.
        unsafe: run learners' code without a sandbox; the reports are marked.
        students: grade these alone; the report still has everybody who has been graded.
        scheduler: address of a Dask scheduler whose workers run and judge the submissions, instead of `jobs` here.
        regrade: evaluate every submission anew; else those that nothing has changed about keep what an earlier run
            found out.

    Returns:
        The grades of everybody in the folder; those who were not graded now as the gradebook has them.

    Raises:
        run.Stopped: Ctrl-C; what has been graded is kept.
        bubblewrap.SandboxMissing: no sandbox can be started here.
        ValueError: no such lesson, no submissions, two of one student, or a course folder that is not ours.
        scoring.GradingError: the lesson does not run on this machine, so that no one can be graded.
    """
    kind = bubblewrap.isolation(bubblewrap.choose(unsafe))  # before anything of the input is looked at
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}.")
    source = _gradable(lesson)
    with inbox.collected(submissions, lesson) as found:
        there = [submission.student for submission in found.submissions]
        if unknown := sorted(set(students) - set(there)):
            raise ValueError(
                f"student must have a submission in {submissions}, got {', '.join(map(repr, unknown))}."
            )
        place = CourseFolder(folder, kind)
        out = _target(out, place, lesson)
        marks = [time.monotonic()]
        with journal.only_run(place.root):
            gradebook.back_up(place.root)
            place.assign(lesson)
            if due:
                place.set_due(lesson, due)
            notes = {
                submission.student: place.hand_in(lesson, submission)
                for submission in found.submissions
                if not students or submission.student in students
            }
            version = digest(batch.code_version(), lesson, seeds_of(place, lesson), kind)
            with Journal(place.root / f".grading_{lesson}.jsonl", version, regrade) as kept:
                run = Run(place, lesson, kind, due, kept)
                marks.append(time.monotonic())
                with quick(place.db_url):
                    run.evaluate(list(notes), jobs, scheduler, progress)
                marks.append(time.monotonic())
                missing = run.pages([student for student in notes if student not in run.broken], jobs)
                marks.append(time.monotonic())
    faults = {**missing, **run.broken}
    rows = [
        place.row(lesson, student, "; ".join(filter(None, (note, faults.get(student)))))
        for student, note in notes.items()
    ]
    graded = set(place.students(lesson))
    rows += [place.row(lesson, student) for student in there if student in graded - set(notes)]
    rows.sort(key=lambda row: row.student)
    names = [task.name for task in source.tasks]
    parts = zip(("preparing", "grading", "feedback"), itertools.pairwise(marks), strict=True)
    seconds = {name: end - start for name, (start, end) in parts}
    grades = Grades(lesson, names, rows, place.root, out, kind, found.remarks, run.evaluated, seconds)
    write_csv(grades)
    return grades


def recall(lesson: str, folder: Path, out: Path | None = None) -> Grades:
    """The grades of a lesson as the gradebook has them now, manual ones included; writes the CSV again.

    Args:
        lesson: the lesson's name.
        folder: the course folder.
        out: where the CSV goes; by default into the course folder.

    Raises:
        ValueError: no such lesson, or nothing of it has been graded in that folder.
    """
    source = _gradable(lesson)
    if not (folder / "gradebook.db").is_file():
        raise ValueError(f"course must be a folder in which something was graded, got {str(folder)!r}.")
    place = CourseFolder(folder)
    rows = [place.row(lesson, student) for student in place.students(lesson)]
    if not rows:
        raise ValueError(f"no submission of {lesson} has been graded in {folder}.")
    kind = "none" if any(row.isolation == "none" for row in rows) else "bubblewrap"
    grades = Grades(
        lesson, [task.name for task in source.tasks], rows, place.root, _target(out, place, lesson), kind
    )
    write_csv(grades)
    return grades


def _target(out: Path | None, place: CourseFolder, lesson: str) -> Path:
    """Where the CSV goes."""
    out = out or place.root / f"grades_{lesson}.csv"
    if not out.resolve().parent.is_dir() or out.is_dir():
        raise ValueError(f"out must be a file in a folder that exists, got {str(out)!r}.")
    return out


def _put_back(kept: Path, graded: Path) -> None:
    """Restore a submission's earlier autograded copy, unless there is a new one."""
    if any(graded.glob("*.ipynb")):
        shutil.rmtree(kept, ignore_errors=True)
    elif kept.is_dir():
        shutil.rmtree(graded, ignore_errors=True)
        graded.parent.mkdir(parents=True, exist_ok=True)
        kept.rename(graded)


def _gradable(lesson: str) -> Lesson:
    source = read_lesson(lesson)
    known = checks.exercises(lesson)
    missing = [task.name for task in source.tasks if task.kind != "open" and task.name not in known]
    if missing:
        raise ValueError(f"{lesson} cannot be graded: nas_lib.checks knows no {', '.join(missing)}.")
    return source


def _reason(done: dict[str, Any]) -> str:
    """The last thing that nbgrader said about a failure, in one line."""
    lines = [line for line in str(done.get("error", "")).strip().splitlines() if line.strip()]
    errors = [line for line in str(done.get("log", "")).splitlines() if line.startswith("[ERROR]")]
    said = " ".join(errors[:1]).removeprefix("[ERROR]").strip()
    inner = next((line for line in reversed(str(done.get("log", "")).splitlines()) if "Error: " in line), "")
    return scoring.printable(inner.strip() or said or (lines[-1] if lines else "nbgrader gave no reason"))[
        :300
    ]
