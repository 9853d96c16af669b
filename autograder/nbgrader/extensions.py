"""More time for single students, also before they have handed in, which nbgrader's gradebook has no place for.

What was granted is kept in the course's folder as the instant until which it lasts, and goes into the gradebook as soon
as there is a submission: so it stands when the due date is moved.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from nas_lib._files import replacing

FILE = ".extensions.json"


def granted(course: Path, lesson: str) -> dict[str, datetime]:
    """Until when each student has got more time for a lesson, in UTC."""
    found = _read(course).get(lesson, {})
    return {student: datetime.fromisoformat(until) for student, until in found.items()}


def grant(gradebook: Any, course: Path, lesson: str, students: Iterable[str], until: datetime | None) -> None:
    """Give students time until an instant in UTC, or with None no more than all others.

    Raises:
        ValueError: somebody who is not in the gradebook.
    """
    wanted = set(students)
    if unknown := sorted(wanted - {one.id for one in gradebook.students}):
        raise ValueError(f"student must be in the gradebook, got {', '.join(map(repr, unknown))}.")
    every = _read(course)
    of_lesson = every.setdefault(lesson, {})
    for student in wanted:
        of_lesson.pop(student, None)
        if until:
            of_lesson[student] = until.isoformat()
    with replacing(course / FILE) as fresh:
        fresh.write_text(json.dumps(every, indent=1, sort_keys=True), encoding="utf-8")
    for submission in gradebook.assignment_submissions(lesson):
        if submission.student_id in wanted:
            submission.extension = None
    apply(gradebook, course, lesson)


def apply(gradebook: Any, course: Path, lesson: str) -> None:
    """Bring what was granted into the gradebook."""
    due, until = gradebook.find_assignment(lesson).duedate, granted(course, lesson)
    for submission in gradebook.assignment_submissions(lesson):
        if due and submission.student_id in until:
            submission.extension = max(until[submission.student_id], due) - due
    gradebook.db.commit()


def _read(course: Path) -> dict[str, dict[str, str]]:
    path = course / FILE
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
