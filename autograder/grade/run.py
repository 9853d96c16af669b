"""One grading run in a course folder: evaluates what needs it, stores each result as it comes, writes the pages.

This process alone writes the gradebook. What it has found out stands in a journal, so a run that was cut off at any
moment goes on where it stopped, and a later one does only what has changed.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

from autograder.grade import batch, progress
from autograder.grade.batch import Task
from autograder.grade.course_folder import CourseFolder
from autograder.grade.journal import Journal, digest
from autograder.judge.results import Evaluated, Result
from autograder.nbgrader import config_file, gradebook


class Stopped(KeyboardInterrupt):
    """Ctrl-C, with what has become of the run in one sentence."""


class Run:
    """One grading run: evaluates the submissions that need it, and stores each result as it comes."""

    def __init__(self, place: CourseFolder, lesson: str, kind: str, kept: Journal, regrade: bool) -> None:
        self._place, self._lesson, self._kind, self._journal = place, lesson, kind, kept
        self._seeds = place.seeds(lesson)
        self._settings = config_file.digest(place.root)
        self._regrade = regrade
        self._interrupt = _Interrupt()
        self._keys: dict[str, str] = {}
        self.evaluated: dict[str, Evaluated] = {}
        self.broken: dict[str, str] = {}

    def evaluate(self, students: Sequence[str], jobs: int, scheduler: str | None, show: bool) -> None:
        """Evaluate and store the submissions of these students.

        Raises:
            Stopped: Ctrl-C. What has been stored stays.
            scoring.GradingError: the lesson's setup fails for everyone.
        """
        known = [student for student in students if self._is_known(student)]
        waiting = sorted(set(students) - set(known))
        unplanned: dict[str, str] = {}
        results = batch.evaluate_all(self._tasks(waiting, unplanned), jobs, scheduler)
        bar = progress.shown(f"grading {self._lesson}", len(students), show)
        try:
            with self._interrupt:
                for student in known:
                    self._finish(self._from_journal(student), bar)
                for done in results:
                    if done.result is not None:
                        self._journal.add(self._keys[done.student], done.result.to_data())
                    self._finish(done, bar)
                for student, fault in unplanned.items():
                    self._finish(Evaluated(student, None, fault), bar)
        except KeyboardInterrupt:
            raise Stopped(
                f"Stopped after {len(self.evaluated)} of {len(students)} submissions: what is graded is kept, "
                "and the same command goes on from there."
            ) from None
        finally:
            bar.close()
            results.close()  # type: ignore[attr-defined]  # a generator: what is running is ended

    def pages(self, students: Sequence[str], jobs: int) -> dict[str, str]:
        """Write the feedback pages of those of whom there is something new to say; returns what went wrong."""
        from joblib import Parallel, delayed

        said = _said(self._place, self._lesson)
        digests = {student: digest(self._stamp(student), said.get(student)) for student in students}
        folder = self._place.root / "feedback"
        stale = [
            student
            for student in students
            if self._regrade
            or self._journal.note("page", student) != digests[student]
            or not (folder / student / self._lesson / f"{self._lesson}.html").is_file()
        ]
        parts = min(jobs, 1 + len(stale) // 8)  # a process of its own takes seconds to start
        wrong: dict[str, str] = {}
        # Pages are made from the gradebook, which is only read here.
        shares = (stale[start::parts] for start in range(parts))
        work = (
            delayed(_pages)(self._place.root, self._kind, self._lesson, share) for share in shares if share
        )
        written: set[str] = set()
        try:
            for share, missing in Parallel(n_jobs=parts, return_as="generator")(work):
                wrong |= missing
                written |= set(share) - set(missing)
                for student in set(share) - set(missing):
                    self._journal.set_note("page", student, digests[student])
        except BrokenProcessPool as broken:  # the grades are there: a page that fails must not hide them
            lost = [student for student in stale if student not in written | set(wrong)]
            wrong |= dict.fromkeys(
                lost, f"no feedback page: {type(broken).__name__} while pages were written"
            )
        return wrong

    def _is_known(self, student: str) -> bool:
        path = self._place.root / "submitted" / student / self._lesson / f"{self._lesson}.ipynb"
        self._keys[student] = digest(path.read_bytes())
        return not self._regrade and self._journal.result(self._keys[student]) is not None

    def _tasks(self, students: Sequence[str], unplanned: dict[str, str]) -> Iterator[Task]:
        """What is to be evaluated; where that cannot be told, `unplanned` gets the student and the reason."""
        for student in students:
            try:
                yield self._task(student)
            except Exception as error:  # whatever a submission makes our own code raise costs it alone
                unplanned[student] = f"could not be graded, as {error or type(error).__name__}"

    def _task(self, student: str) -> Task:
        steps = tuple(self._place.steps(self._lesson, student))
        unsafe = self._kind == "none"
        return Task(student, self._lesson, steps, self._seeds, unsafe, batch.code_version())

    def _from_journal(self, student: str) -> Evaluated:
        result = Result.from_data(self._journal.result(self._keys[student]) or {})
        return Evaluated(student, result, kept=True, seconds=result.seconds)

    def _stamp(self, student: str) -> str:
        """Of everything that determines what nbgrader stores of a submission."""
        beside = self._place.root / "submitted" / student / self._lesson / "timestamp.txt"
        when = beside.read_bytes() if beside.exists() else b""
        return digest(self._keys[student], when, self._settings)

    def _finish(self, done: Evaluated, bar: Any) -> None:
        began = time.monotonic()
        if done.result is None:
            self.broken[done.student] = done.fault
        else:
            with self._interrupt.held():
                self._store(done.student, done.result)
        seconds = {**done.seconds, "storing": time.monotonic() - began}
        self.evaluated[done.student] = replace(done, result=_brief(done.result), seconds=seconds)
        bar.set_postfix(self._counts(), refresh=False)
        bar.update()

    def _store(self, student: str, result: Result) -> None:
        stamp = self._stamp(student)
        stored = self._place.root / "autograded" / student / self._lesson / f"{self._lesson}.ipynb"
        fresh = self._journal.note("stored", student) == stamp and stored.is_file()
        if fresh and not self._regrade:
            return
        fault = self._place.autograde(self._lesson, student, result)
        if fault:
            self.broken[student] = fault
        else:
            self._journal.set_note("stored", student, stamp)

    def _counts(self) -> dict[str, int]:
        done = self.evaluated.values()
        counts = {
            "from before": sum(one.kept for one in done),
            "timeouts": sum(bool(one.timed_out) for one in done),
            "crashes": sum(bool(one.crashed) for one in done),
            "not graded": len(self.broken),
        }
        return {name: count for name, count in counts.items() if count}


def _brief(result: Result | None) -> Result | None:
    """Without what the cells printed, which would fill the memory with a large class's."""
    if result is None:
        return None
    return replace(result, cells={place: replace(ran, printed="") for place, ran in result.cells.items()})


def _said(place: CourseFolder, lesson: str) -> dict[str, Any]:
    """By student, everything in the gradebook that a feedback page tells."""
    found: dict[str, Any] = {}
    with place.gradebook() as book:
        for submission in book.find_assignment(lesson).submissions:
            told: list[Any] = [float(submission.total_seconds_late)]
            for notebook in submission.notebooks:
                told.append(float(notebook.late_submission_penalty or 0))
                told += [
                    [
                        grade.cell.name,
                        float(grade.score),
                        float(grade.extra_credit or 0),
                        grade.needs_manual_grade,
                    ]
                    for grade in notebook.grades
                ]
                told += [[comment.name, comment.comment] for comment in notebook.comments]
            found[submission.student_id] = told
    return found


class _Interrupt:
    """Ctrl-C ends the block, but not in the middle of storing a submission: nbgrader would take it for a failure."""

    def __init__(self) -> None:
        self._holding = self._wanted = False
        self._before: Any = None

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._ring)

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _ring(self, *_: object) -> None:
        if not self._holding:
            raise KeyboardInterrupt
        self._wanted = True

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Put it off until the end of the block."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
        if self._wanted:
            raise KeyboardInterrupt


def _pages(
    root: Path, kind: str, lesson: str, students: Sequence[str]
) -> tuple[Sequence[str], dict[str, str]]:
    with gradebook.kept_open():
        return students, CourseFolder(root, kind).write_feedback(lesson, students)
