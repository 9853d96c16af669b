"""Who the students are: brings names and ids of learning platforms into nbgrader's gradebook."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from autograder.intake.downloads import Download
from autograder.intake.submission import Submission
from autograder.reports.lms_files import Student


def recognised(gradebook: Any, submissions: Iterable[Submission]) -> list[Submission]:
    """The submissions of a download under the ids that the gradebook has for those students.

    Raises:
        ValueError: two of them are one student's.
    """
    found: dict[str, Submission] = {}
    known: dict[str, list[Any]] = defaultdict(list)
    for student in gradebook.students:
        known[str(student.lms_user_id)].append(student)
    for submission in submissions:
        if download := submission.download:
            same = [student for student in known.get(download.number, []) if _same(student, download)]
            if len(same) == 1:
                submission = replace(submission, student=same[0].id)
        if submission.student in found:
            raise ValueError(
                f"student {submission.student!r} has handed in twice: {found[submission.student].path} and "
                f"{submission.path}. Move one of them away."
            )
        found[submission.student] = submission
    return list(found.values())


def _same(student: Any, download: Download) -> bool:
    """Canvas has one id for each person. Moodle's numbers are of one assignment: then the names must agree, too."""
    named = {*str(student.first_name or "").split(), *str(student.last_name or "").split()}
    return download.system == "Canvas" or not named or named == set(download.name.split())


def register(gradebook: Any, student: str, download: Download) -> None:
    """Keep what a download tells about a student, where the gradebook knows nothing yet."""
    there = gradebook.update_or_create_student(student)
    news = {} if there.lms_user_id else {"lms_user_id": download.number}
    if not (there.first_name or there.last_name):
        news["first_name"], news["last_name"] = download.names
    if news:
        gradebook.update_or_create_student(student, **news)


def take(gradebook: Any, people: Sequence[Student]) -> tuple[int, int]:
    """Bring a roster into the gradebook; returns how many students are new to it, and how many it had.

    Raises:
        ValueError: somebody could be two of the students that are there.
    """
    there = [
        Student(
            one.id, one.first_name or "", one.last_name or "", one.email or "", str(one.lms_user_id or "")
        )
        for one in gradebook.students
    ]
    new = 0
    for person in people:
        same = [one.id for one in there if one.keys & person.keys]
        if len(same) > 1:
            raise ValueError(
                f"{person.full_name} of the roster could be {' or '.join(map(repr, same))}: "
                "correct their ids in Formgrader."
            )
        new += not same
        told = {
            "first_name": person.first_name,
            "last_name": person.last_name,
            "email": person.email,
            "lms_user_id": person.lms_id,
        }
        gradebook.update_or_create_student(
            same[0] if same else person.id, **{name: text for name, text in told.items() if text}
        )
    return new, len(people) - new
