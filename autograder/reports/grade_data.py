"""The grades of a lesson as plain data, for programs that read what `nas-course` prints with `--json`."""

from __future__ import annotations

from typing import Any

from autograder.reports.grade_table import Grades, Row


def as_data(grades: Grades) -> dict[str, Any]:
    """Everything that the table, the summary and the CSV are made of, ready for JSON."""
    return {
        "lesson": grades.lesson,
        "course": str(grades.course),
        "csv": str(grades.out),
        "isolation": grades.isolation,
        "tasks": grades.tasks,
        "remarks": grades.remarks,
        "not_graded": grades.ungraded,
        "students": [_of_student(row) for row in grades.rows],
    }


def _of_student(row: Row) -> dict[str, Any]:
    """Points are null where a person has to grade."""
    return {
        "student": row.student,
        "score": row.score,
        "max_score": row.max_score,
        "pending": row.pending,
        "late_seconds": row.late_seconds,
        "late_penalty": row.penalty,
        "note": row.note,
        "signs": [{"kind": sign.kind, "seen": sign.seen} for sign in row.signs],
        "tasks": {
            name: {
                "points": points,
                "max_points": row.max_points.get(name),
                "concept": row.outcomes[name].concept if name in row.outcomes else "",
                "message": row.outcomes[name].message if name in row.outcomes else "",
            }
            for name, points in row.points.items()
        },
    }
