"""Points and comments that people give, in nbgrader's gradebook: nobody's are written over unseen.

Whoever gives some says what was there when they looked. If that is not so any more, nothing is stored, and they are
told what is there now.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import select, update


class Overtaken(ValueError):
    """Somebody else was faster. The message says what they have given."""


@dataclass(frozen=True)
class Waiting:
    """One student's answer to an open question, with what people have given for it.

    Args:
        student: their id.
        notebook: nbgrader's id of the submitted notebook, which Formgrader's addresses are made of.
        grade: with the points.
        comment: beside them.
    """

    student: str
    notebook: str
    grade: Any
    comment: Any


def answers(gradebook: Gradebook, lesson: str, question: str) -> list[Waiting]:
    """All answers to a question that have been graded or wait to be, by student."""

    def of(kind: Any) -> Any:
        return (
            select(kind, SubmittedAssignment.student_id)
            .join(SubmittedNotebook, kind.notebook_id == SubmittedNotebook.id)
            .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
            .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
            .join(BaseCell, kind.cell_id == BaseCell.id)
            .where(Assignment.name == lesson, BaseCell.name == question)
            .order_by(SubmittedAssignment.student_id)
        )

    comments = {comment.notebook_id: comment for comment, _ in gradebook.db.execute(of(Comment))}
    return [
        Waiting(student, grade.notebook_id, grade, comments.get(grade.notebook_id))
        for grade, student in gradebook.db.execute(of(Grade))
    ]


def version(given: Any) -> str:
    """What a person has given, a grade or a comment of nbgrader's, in one line."""
    if isinstance(given, Comment):
        return json.dumps(given.manual_comment)
    return json.dumps([given.manual_score, given.extra_credit])


def give(gradebook: Gradebook, grade: Any, points: float | None, seen: str) -> None:
    """Store a person's points; None takes them back.

    Args:
        gradebook: nbgrader's, open.
        grade: what they are for.
        points: at most those of the question.
        seen: the version that the person had in view.

    Raises:
        Overtaken: there is another one by now.
        ValueError: so many points cannot be given.
    """
    if points is not None and not 0 <= points <= grade.max_score:
        raise ValueError(f"points must be from 0 to {grade.max_score:g}, got {points:g}.")
    score, extra = json.loads(seen)
    _replace(
        gradebook,
        grade,
        {"manual_score": score, "extra_credit": extra},
        manual_score=points,
        needs_manual_grade=points is None and grade.auto_score is None,
    )


def say(gradebook: Gradebook, comment: Any, text: str, seen: str) -> None:
    """Store a person's comment; "" takes it back.

    Raises:
        Overtaken: there is another one by now.
    """
    _replace(gradebook, comment, {"manual_comment": json.loads(seen)}, manual_comment=text or None)


def _replace(gradebook: Gradebook, given: Any, seen: dict[str, Any], **fresh: Any) -> None:
    """Compare and store in one statement, which no other process comes between."""
    columns = type(given).__table__.c
    unchanged = [columns[name].is_not_distinct_from(value) for name, value in seen.items()]
    statement = update(type(given).__table__).where(columns.id == given.id, *unchanged).values(**fresh)
    done = gradebook.db.execute(statement)
    gradebook.db.commit()
    gradebook.db.refresh(given)
    if not done.rowcount:
        raise Overtaken(overtaken(given))


def overtaken(there: Any) -> str:
    """What to tell the person who came second: a grade or comment of the first one's is there."""
    if isinstance(there, Comment):
        given = (
            f"the comment is {there.manual_comment!r} now"
            if there.manual_comment
            else "there is no comment now"
        )
    elif there.manual_score is None:
        given = "their points have been taken back"
    else:
        given = f"{there.manual_score:g} points have been given"
    return (
        f"Somebody else was at this answer after you opened the page: {given}. Yours was not kept: load the page "
        "again, and change theirs if you have to."
    )
