"""What being late costs, out of all points that a submission has now.

nbgrader's plugin decides (`AssignLatePenalties.plugin_class`), but nbgrader asks it once, when a submission is
autograded: before a person has given points, and before the plugin or the due date was changed. Here it is asked
again, whenever points are about to be shown.
"""

from __future__ import annotations

import logging
from typing import Any

from nbgrader.api import Gradebook
from nbgrader.preprocessors import AssignLatePenalties, NbGraderPreprocessor

_QUIET = logging.getLogger(
    "nas-course.penalties"
)  # nbgrader tells it of each submission, and of each setting
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


def renew(gradebook: Any, lesson: str, config: Any, student: str = "") -> None:
    """Store what the plugin takes off now from the submissions of a lesson.

    Args:
        gradebook: nbgrader's, open.
        lesson: the lesson's name.
        config: the course's; under another one, which need not know the plugin, everything is left as it is.
        student: this one alone; by default everybody.

    Raises:
        ValueError: the plugin cannot be used.
    """
    if "CourseStep" not in config:
        return
    try:
        step = AssignLatePenalties(config=config, log=_QUIET)
        step.init_plugin()
        for submission in gradebook.assignment_submissions(lesson):
            if submission.student_id == student or not student:
                for notebook in submission.notebooks:
                    notebook.late_submission_penalty = _penalty(step, submission, notebook)
    except Exception as error:  # it is a program of the instructor's
        gradebook.db.rollback()
        plugin = config.AssignLatePenalties.get("plugin_class", "nbgrader's")
        raise ValueError(
            f"AssignLatePenalties.plugin_class must be a plugin that works, got {plugin!r}: "
            f"{type(error).__name__}: {error}."
        ) from None
    gradebook.db.commit()


def _penalty(step: Any, submission: Any, notebook: Any) -> float | None:
    late = submission.total_seconds_late
    if late <= 0:
        return None
    penalty = step.plugin_inst.late_submission_penalty(submission.student_id, notebook.score, late)
    return None if penalty is None else step._check_late_penalty(notebook, penalty)


class RenewPenalty(NbGraderPreprocessor):
    """Before a feedback page is written: what nbgrader's own commands show is of now, too."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Store the penalty of the submission whose page is written."""
        names = resources["nbgrader"]
        with Gradebook(names["db_url"]) as gradebook:
            renew(gradebook, names["assignment"], self.config, names["student"])
        return nb, resources
