"""`nas-course grade`: from a folder of submissions to a gradebook that Formgrader opens, feedback pages and a
CSV.

What is graded lies in a course folder of nbgrader's own layout (`course_folder`), how a run goes stands in `run`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from autograder.author.lesson import Lesson, read_lesson
from autograder.grade import batch, journal
from autograder.grade.course_folder import CourseFolder
from autograder.grade.journal import Journal, digest
from autograder.grade.run import Run
from autograder.intake import search, times
from autograder.intake.search import Collection
from autograder.intake.submission import Submission
from autograder.nbgrader import extensions, gradebook
from autograder.nbgrader import roster as nbgrader_roster
from autograder.reports import lms_files
from autograder.reports.grade_table import Grades, write_csv
from autograder.reports.spreadsheets import Sheet
from autograder.sandbox import bubblewrap
from nas_lib import checks
from nas_lib._files import writable


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
    roster: Path | None = None,
    zone: str = "",
    trust_timestamps: bool = False,
) -> Grades:
    """Grade the submissions of a lesson.

    Args:
        submissions: folder or zip of submissions, in one of the layouts of `search`.
        lesson: the lesson's name.
        folder: the course folder; made if absent, and used again for regrades and other lessons.
        out: where the CSV goes; by default into the course folder.
        jobs: submissions evaluated at the same time.
        due: due date, for the column of seconds late; by default the one already in the gradebook.
        progress: show a progress bar on stderr.
        unsafe: run learners' code without a sandbox; the reports are marked.
        students: grade these alone; the report still has everybody who has been graded.
        scheduler: address of a Dask scheduler whose workers run and judge the submissions, instead of `jobs` here.
        regrade: evaluate the submissions anew; else those that nothing has changed about keep what an earlier run
            found out.
        roster: Canvas's or Moodle's own CSV, for names and ids; a worksheet of Moodle's also says when each handed in.
        zone: the time zone of the times in that worksheet.
        trust_timestamps: take a timestamp.txt that learners have put into their own archive for the time of handing in.

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
    seconds: dict[str, float] = {}
    with search.collected(submissions, lesson) as found:
        place = CourseFolder(folder, kind)
        out = _target(out, place, lesson)
        with journal.only_run(place.root):
            with _timed(seconds, "preparing"):
                gradebook.back_up(place.root)
                if roster:
                    enrol(place, roster)
                there = _timely(place, lesson, found, roster, zone, trust_timestamps)
                there = place.recognised(there)
                chosen = _chosen(there, students, submissions)
                place.assign(lesson)
                if due:
                    place.set_due(lesson, due)
                notes = {one.student: place.hand_in(lesson, one) or one.remark for one in chosen}
                place.note_hand_ins(lesson, notes)
            master = place.source(lesson).read_bytes()
            version = digest(batch.code_version(), lesson, master, place.seeds(lesson), kind)
            # What is known of those who are not graded now stays known.
            forget = regrade and not students
            with Journal(place.root / f".grading_{lesson}.jsonl", version, forget) as kept:
                run = Run(place, lesson, kind, kept, regrade)
                with _timed(seconds, "grading"), gradebook.quick_writing(place.db_url):
                    run.evaluate(list(notes), jobs, scheduler, progress)
                    place.renew_penalties(lesson)
                with _timed(seconds, "feedback"):
                    faults = run.pages([student for student in notes if student not in run.broken], jobs)
    faults |= run.broken
    notes = {name: "; ".join(filter(None, (note, faults.get(name)))) for name, note in notes.items()}
    earlier = {one.student for one in there} & set(place.students(lesson))
    with gradebook.kept_open():
        rows = [place.row(lesson, student, notes.get(student, "")) for student in sorted({*notes, *earlier})]
    for row in rows:
        row.ungraded = run.broken.get(row.student) or row.ungraded
    names = [task.name for task in source.tasks]
    sandbox = {
        bubblewrap.unfiltered() if kind != "none" else "",
        *(one.slowly for one in run.evaluated.values()),
    }
    remarks = [*found.remarks, *sorted(filter(None, sandbox))]
    grades = Grades(
        lesson, names, rows, place.root, out, kind, remarks, found.left_out, run.evaluated, seconds
    )
    write_csv(grades)
    return grades


def _chosen(there: Sequence[Submission], students: Sequence[str], source: Path) -> Sequence[Submission]:
    """The submissions of these students; everybody's if none is named."""
    if unknown := sorted(set(students) - {one.student for one in there}):
        raise ValueError(f"student must have a submission in {source}, got {', '.join(map(repr, unknown))}.")
    return [one for one in there if not students or one.student in students]


def _timely(
    place: CourseFolder, lesson: str, found: Collection, roster: Path | None, zone: str, trust: bool
) -> Sequence[Submission]:
    """The submissions, with the times that Moodle's worksheet tells, or that learners claim and are believed."""
    came = {one.student: place.came(lesson, one) for one in found.submissions}
    told: dict[str, datetime] = {}
    if any(one.download and one.download.system == "Moodle" and not one.when for one in came.values()):
        if roster:
            told, wrong = lms_files.handed_in(Sheet.read(roster, "roster"), _known_zone(zone))
            if wrong and not zone:
                raise ValueError(
                    f"zone must be the time zone of the times in {roster}, such as Europe/Berlin."
                )
            found.remarks += [f"{roster}: {sentence}" for sentence in wrong]
        else:
            found.remarks.append(
                "Moodle's download tells no times, so nobody counts as late: --roster takes them from the worksheet."
            )

    def when(student: str) -> str:
        download = came[student].download
        if download and download.number in told:
            return times.written(told[download.number])
        return came[student].claim if trust else ""

    return [replace(one, when=when(one.student)) for one in found.submissions]


def _known_zone(zone: str) -> str:
    try:
        times.instant("2026-01-01 12:00", zone or "UTC")
    except ValueError as reason:
        raise ValueError(f"zone must be a time zone such as Europe/Berlin, got {zone!r}: {reason}.") from None
    return zone


def enrol(place: CourseFolder, roster: Path) -> tuple[int, int]:
    """Take names and ids of students from Canvas's or Moodle's own CSV; how many are new, how many were there.

    Raises:
        ValueError: it is no such file, or somebody in it could be two of the students that are there.
    """
    people = lms_files.people(Sheet.read(roster, "roster"), str(roster))
    with place.gradebook() as book:
        return nbgrader_roster.take(book, people)


def extend(lesson: str, students: Sequence[str], folder: Path, until: str = "") -> dict[str, str]:
    """Give students more time for a lesson.

    Args:
        lesson: the lesson's name.
        students: who gets it; nobody, to see what has been granted.
        folder: the course folder.
        until: when it ends, such as "2026-10-05 23:59 UTC"; "" takes it back.

    Returns:
        Everybody who has more time for the lesson, with its end.

    Raises:
        ValueError: a lesson that is not assigned in that folder, an unknown student, or no instant.
    """
    _gradable(lesson)
    place = existing(folder)
    if not place.is_assigned(lesson):
        raise ValueError(f"{lesson} is not assigned in {folder}: nas-course assign {lesson}.")
    if students:
        moment = times.instant_of("until", until) if until else None
        with place.gradebook() as book:
            extensions.grant(book, place.root, lesson, students, moment)
        place.renew_penalties(lesson)
    return {name: times.written(end) for name, end in sorted(extensions.granted(place.root, lesson).items())}


@contextlib.contextmanager
def _timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    seconds[part] = time.monotonic() - began


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
    place = existing(folder)
    there = place.students(lesson)
    if not there:
        raise ValueError(f"no submission of {lesson} has been graded in {folder}.")
    place.renew_penalties(lesson)
    with gradebook.kept_open():
        rows = [place.row(lesson, student) for student in there]
    kind = "none" if any(row.isolation == "none" for row in rows) else "bubblewrap"
    grades = Grades(
        lesson, [task.name for task in source.tasks], rows, place.root, _target(out, place, lesson), kind
    )
    write_csv(grades)
    return grades


def existing(folder: Path) -> CourseFolder:
    """A course folder that is there.

    Raises:
        ValueError: it is not.
    """
    if not (folder / "gradebook.db").is_file():
        raise ValueError(f"course must be a folder in which something was graded, got {str(folder)!r}.")
    return CourseFolder(folder)


def _target(out: Path | None, place: CourseFolder, lesson: str) -> Path:
    """Where the CSV goes."""
    return writable("out", out or place.root / f"grades_{lesson}.csv")


def _gradable(lesson: str) -> Lesson:
    source = read_lesson(lesson)
    known = checks.exercises(lesson)
    missing = [task.name for task in source.tasks if task.kind != "open" and task.name not in known]
    if missing:
        raise ValueError(f"{lesson} cannot be graded: nas_lib.checks knows no {', '.join(missing)}.")
    return source
