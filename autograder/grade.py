"""`nas-course grade`: from a folder of submissions to a gradebook that Formgrader opens, feedback pages and a
CSV.

It drives nbgrader (generate_assignment, autograde, generate_feedback) in a course folder of nbgrader's own
layout. Learners' code runs in parallel, each submission in a process of its own, before nbgrader stores the
results one after the other.
"""

from __future__ import annotations

import csv
import logging
import os
import shutil
import sys
import textwrap
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from autograder import build, course, intake, matching, sandbox, scoring
from autograder.intake import Submission
from autograder.lesson import Lesson, read_lesson
from autograder.session import Launcher
from nas_lib import checks

FIXED_COLUMNS = ("score", "max_score", "pending", "percent", "late_seconds", "isolation", "note")


@dataclass
class Row:
    """One student's grades: points per task (None where a person has to grade), and what went wrong."""

    student: str
    points: dict[str, float | None] = field(default_factory=dict)
    max_points: dict[str, float] = field(default_factory=dict)
    late_seconds: float = 0.0
    note: str = ""

    @property
    def score(self) -> float:
        """Points earned so far."""
        return sum(value for value in self.points.values() if value is not None)

    @property
    def max_score(self) -> float:
        """All points of the lesson."""
        return sum(self.max_points.values())

    @property
    def pending(self) -> float:
        """Points that wait for a person."""
        return sum(self.max_points[name] for name, value in self.points.items() if value is None)

    @property
    def percent(self) -> float:
        """Points earned, in percent of those that have been graded."""
        graded = self.max_score - self.pending
        return 100.0 * self.score / graded if graded else 0.0


@dataclass
class Grades:
    """The result of one grading run."""

    lesson: str
    tasks: list[str]
    rows: list[Row]
    course: Path
    out: Path
    isolation: str = "none"
    """What learners' code ran in, "bubblewrap" or "none": reports say so."""
    remarks: list[str] = field(default_factory=list)
    """What could not be taken for anyone's submission, in one sentence each."""


class CourseFolder:
    """An nbgrader course folder: its usual subfolders, gradebook.db, and our configuration."""

    def __init__(self, root: Path, isolation: str | None = None) -> None:
        self.root = root.resolve()
        self._isolation = isolation
        self.root.mkdir(parents=True, exist_ok=True)
        course.check_gradebook(self.root)
        course.write_config(self.root)
        scoring.course_secret(self.root)
        # nbgrader finds alembic through PATH, which lacks the environment's programs unless it was activated.
        programs = str(Path(sys.executable).parent)
        if programs not in os.environ.get("PATH", "").split(os.pathsep):
            os.environ["PATH"] = programs + os.pathsep + os.environ.get("PATH", "")
        self._api = self._connect()

    def _connect(self) -> Any:
        from nbgrader.apps.api import NbGraderAPI
        from nbgrader.coursedir import CourseDirectory
        from traitlets.config import Config

        config = Config()
        course.configure(config, self.root, self._isolation)
        # The submissions of one lesson take minutes; nbgrader's own account of it is in the results of each
        # step.
        logger = logging.getLogger("nas-course.nbgrader")
        logger.propagate = False
        logger.addHandler(logging.NullHandler())
        config.NbGraderAPI.log_level = "WARN"
        return NbGraderAPI(coursedir=CourseDirectory(config=config, log=logger), config=config, log=logger)

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

        with self.gradebook() as gradebook:
            try:
                gradebook.find_notebook(lesson, lesson)
            except MissingEntry:
                return False
            return True

    def set_due(self, lesson: str, due: str) -> None:
        """Set the lesson's due date, such as "2026-10-01 23:59 UTC".

        Raises:
            ValueError: that is no date.
        """
        with self.gradebook() as gradebook:
            try:
                gradebook.update_or_create_assignment(lesson, duedate=due)
            except (ValueError, OverflowError):
                raise ValueError(f'due must be a date such as "2026-10-01 23:59 UTC", got {due!r}.') from None

    def hand_in(self, lesson: str, submission: Submission) -> str:
        """Put a submission into submitted/; returns what was wrong with it, "" if nothing."""
        folder = self.root / "submitted" / submission.student / lesson
        shutil.rmtree(folder, ignore_errors=True)
        return intake.take_in(submission, lesson, folder, lambda: build.student_notebook(lesson))

    def steps(self, lesson: str, student: str) -> list[matching.Step]:
        """What of a student's submission has to be run."""
        notebook = nbformat.read(self.root / "submitted" / student / lesson / f"{lesson}.ipynb", as_version=4)
        master = course.master(self.root, lesson, lesson)
        return matching.plan(matching.restore(notebook, master), master)

    def autograde(self, lesson: str, student: str) -> str:
        """Let nbgrader store one submission's grades; returns what went wrong, "" if nothing."""
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", module=r"nbgrader\."
            )  # SQLAlchemy on how nbgrader builds its rows
            done = self._api.autograde(lesson, student, force=True, create=True)
        return "" if done["success"] else _reason(done)

    def write_feedback(self, lesson: str, students: Sequence[str]) -> dict[str, str]:
        """Write the students' feedback pages; returns what went wrong, by student.

        All in one run of nbgrader's, which compiles its page template once; it leaves pages alone that are
        there already.
        """
        pages = {student: self.root / "feedback" / student / lesson for student in students}
        for page in pages.values():
            shutil.rmtree(page, ignore_errors=True)
        done = self._api.generate_feedback(lesson, force=False)
        return {
            student: f"no feedback page: {_reason(done)}"
            for student, page in pages.items()
            if not (page / f"{lesson}.html").exists()
        }

    def row(self, lesson: str, student: str, note: str) -> Row:
        """A student's grades as the gradebook has them."""
        from nbgrader.api import MissingEntry

        row = Row(student, note=note)
        with self.gradebook() as gradebook:
            try:
                submission = gradebook.find_submission(lesson, student)
            except MissingEntry:
                return row
            row.late_seconds = float(submission.total_seconds_late)
            for notebook in submission.notebooks:
                for grade in notebook.grades:
                    name = grade.cell.name.removesuffix("-check")
                    row.points[name] = None if grade.needs_manual_grade else float(grade.score)
                    row.max_points[name] = float(grade.max_score)
        return row


def grade(
    submissions: Path,
    lesson: str,
    folder: Path,
    out: Path | None = None,
    jobs: int = 1,
    due: str | None = None,
    progress: bool = True,
    unsafe: bool = False,
) -> Grades:
    """Grade all submissions of a lesson.

    Args:
        submissions: folder or zip of submissions, in one of the layouts of `intake`.
        lesson: the lesson's name.
        folder: the course folder; made if absent, and used again for regrades and other lessons.
        out: where the CSV goes; by default into the course folder.
        jobs: submissions evaluated at the same time.
        due: due date, for the column of seconds late; by default the one already in the gradebook.
        progress: show a progress bar on stderr.
        unsafe: run learners' code without a sandbox; the reports are marked.

    Raises:
        sandbox.SandboxMissing: no sandbox can be started here.
        ValueError: no such lesson, no submissions, two of one student, or a course folder that is not ours.
        scoring.GradingError: the lesson does not run on this machine, so that no one can be graded.
    """
    launcher = sandbox.choose(unsafe)  # before anything of the input is looked at
    kind = sandbox.isolation(launcher)
    source = _gradable(lesson)
    with intake.collected(submissions, lesson) as found:
        place = CourseFolder(folder, kind)
        out = out or place.root / f"grades_{lesson}.csv"
        if not out.resolve().parent.is_dir():
            raise ValueError(f"out must lie in a folder that exists, got {str(out)!r}.")
        place.assign(lesson)
        if due:
            place.set_due(lesson, due)
        notes = {submission.student: place.hand_in(lesson, submission) for submission in found.submissions}
    broken = evaluate_all(place, lesson, list(notes), jobs, progress, launcher)
    for student in _bar([student for student in notes if student not in broken], "storing", progress):
        if fault := place.autograde(lesson, student):
            broken[student] = fault
    missing = place.write_feedback(lesson, [student for student in notes if student not in broken])
    rows = [
        place.row(
            lesson, student, "; ".join(filter(None, (note, broken.get(student) or missing.get(student))))
        )
        for student, note in notes.items()
    ]
    names = [task.name for task in source.tasks]
    grades = Grades(lesson, names, rows, place.root, out, kind, found.remarks)
    write_csv(grades)
    return grades


def _gradable(lesson: str) -> Lesson:
    source = read_lesson(lesson)
    known = checks.exercises(lesson)
    missing = [task.name for task in source.tasks if task.kind != "open" and task.name not in known]
    if missing:
        raise ValueError(f"{lesson} cannot be graded: nas_lib.checks knows no {', '.join(missing)}.")
    return source


def evaluate_all(
    place: CourseFolder,
    lesson: str,
    students: Sequence[str],
    jobs: int,
    progress: bool,
    launcher: Launcher | None = None,
) -> dict[str, str]:
    """Run and judge the students' submissions, `jobs` at a time; nbgrader's steps find the results ready.

    Returns:
        What went wrong on the grader's side, by student: such a submission is left out, the others are
        graded.

    Raises:
        scoring.GradingError: the lesson's setup fails for everyone.
    """
    from joblib import Parallel, delayed

    names = list(course.master(place.root, lesson, lesson).points)
    seeds = scoring.grading_seeds(place.root, lesson, names)
    # Before the threads start: while the reference answers, the library's counterparts of an exercise are
    # switched off.
    for name, seed in seeds.items():
        scoring.problems(lesson, name, seed)

    def one(student: str) -> tuple[str, str]:
        try:
            steps = place.steps(lesson, student)
            result = scoring.evaluate(lesson, steps, seeds, launcher=launcher)
            scoring.remember(lesson, steps, seeds, result)
        except scoring.GradingError:
            raise
        except Exception as error:  # one submission's oddity must not end the batch
            return student, f"could not be graded: {type(error).__name__}: {error}"
        return student, ""

    # Threads: the work is done in the learners' processes, each with a core of its own.
    runs = Parallel(n_jobs=jobs, prefer="threads", return_as="generator_unordered")(
        delayed(one)(student) for student in students
    )
    return {
        student: fault for student, fault in _bar(runs, f"grading {lesson}", progress, len(students)) if fault
    }


def write_csv(grades: Grades) -> None:
    """Write the grade table; a task that waits for a person has an empty field."""
    fresh = grades.out.with_name(grades.out.name + ".new")
    with open(fresh, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["student", "lesson", *grades.tasks, *FIXED_COLUMNS])
        for row in grades.rows:
            cells = [row.points.get(task) for task in grades.tasks]
            writer.writerow(
                [_harmless(row.student), grades.lesson]
                + ["" if value is None else f"{value:g}" for value in cells]
                + [f"{row.score:g}", f"{row.max_score:g}", f"{row.pending:g}", f"{row.percent:.2f}"]
                + [f"{row.late_seconds:.0f}", grades.isolation, _harmless(row.note)]
            )
    os.replace(fresh, grades.out)


def _harmless(text: str) -> str:
    """A spreadsheet takes a field that begins like this for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def table(grades: Grades) -> str:
    """The grade table for the terminal, one line per student and a line of means."""
    header = ["student", *grades.tasks, "score", "of", "pending", "percent", "note"]
    lines = [
        [row.student]
        + ["–" if row.points.get(task) is None else f"{row.points[task]:g}" for task in grades.tasks]
        + [f"{row.score:g}", f"{row.max_score:g}", f"{row.pending:g}", f"{row.percent:.0f} %"]
        + [("late; " if row.late_seconds else "") + row.note]
        for row in grades.rows
    ]
    # Long names of exercises stand on a slope of their own in no terminal: number them and list them below.
    header[1 : 1 + len(grades.tasks)] = [str(number) for number in range(1, len(grades.tasks) + 1)]
    widths = [max(len(line[column]) for line in [header, *lines]) for column in range(len(header))]
    text = [f"{grades.lesson}: {len(grades.rows)} submission{'s' if len(grades.rows) != 1 else ''}"]
    if grades.isolation == "none":
        text[0] = (
            f"UNSAFE, graded without isolation: any submission could have changed these grades\n{text[0]}"
        )
    for line in [header, ["-" * width for width in widths], *lines]:
        left = line[0].ljust(widths[0])
        middle = "  ".join(value.rjust(width) for value, width in zip(line[1:-1], widths[1:-1], strict=True))
        text.append(f"{left}  {middle}  {line[-1]}".rstrip())
    names = ", ".join(f"{number} {task}" for number, task in enumerate(grades.tasks, start=1))
    tasks = f"Tasks: {names}. – waits for a person; percent is of what has been graded."
    text.append(textwrap.fill(tasks, 100, subsequent_indent="  "))
    text += grades.remarks
    return "\n".join(text)


def _reason(done: dict[str, Any]) -> str:
    """The last thing that nbgrader said about a failure, in one line."""
    lines = [line for line in str(done.get("error", "")).strip().splitlines() if line.strip()]
    errors = [line for line in str(done.get("log", "")).splitlines() if line.startswith("[ERROR]")]
    said = " ".join(errors[:1]).removeprefix("[ERROR]").strip()
    inner = next((line for line in reversed(str(done.get("log", "")).splitlines()) if "Error: " in line), "")
    return scoring.printable(inner.strip() or said or (lines[-1] if lines else "nbgrader gave no reason"))[
        :300
    ]


def _bar(items: Iterable[Any], label: str, progress: bool, total: int | None = None) -> Iterable[Any]:
    if not progress:
        return items
    from tqdm import tqdm

    return tqdm(items, desc=label, total=total, unit="submission", leave=False, disable=None)
