"""The course's settings for nbgrader: by which steps it releases, sanitises, scores and gives feedback.

nbgrader keeps the assignments, the gradebook, Formgrader and the feedback. Only how code is executed and scored is
ours, put into nbgrader's own configurable lists, so that `nbgrader autograde`, Formgrader's button and
`nas-course grade` all go the same way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autograder.author import student_version
from autograder.nbgrader import formgrader, steps
from autograder.reports import prose
from autograder.reports.feedback import TEMPLATES, FeedbackExporter

COURSE_ID = "nas-from-scratch"


def configure(config: Any, course: Path, isolation: str | None = None) -> None:
    """Set up nbgrader's configuration.

    Args:
        config: nbgrader's configuration object.
        course: the course's folder.
        isolation: what learners' code runs in, "bubblewrap" or "none"; None leaves it at bubblewrap.
    """
    if isolation is not None:
        config.CourseStep.isolation = isolation
    config.CourseDirectory.course_id = COURSE_ID
    config.CourseDirectory.root = str(course.resolve())
    config.CourseStep.course_root = str(course.resolve())
    student_version.configure(config)
    config.Autograde.sanitize_preprocessors = steps.SANITIZE
    config.Autograde.autograde_preprocessors = steps.AUTOGRADE
    config.GenerateFeedback.preprocessors = steps.FEEDBACK
    config.GenerateFeedback.exporter_class = FeedbackExporter
    config.FeedbackExporter.template_name = "learner_feedback"
    config.FeedbackExporter.extra_template_basedirs = [str(TEMPLATES)]
    # Submissions come in by these alone; given by name, as releasing needs none of them.
    config.Autograde.exporter_class = "autograder.nbgrader.inlets.SubmissionExporter"
    for exporter in (config.SubmissionExporter, config.FeedbackExporter):
        exporter.optimistic_validation = True  # after all steps together, not after each
    config.ExchangeFactory.collect = "autograder.nbgrader.inlets.PlainCollect"
    config.ZipCollectApp.extractor_plugin = "autograder.nbgrader.inlets.IntakeExtractor"
    config.ZipCollectApp.collector_plugin = "autograder.nbgrader.inlets.IntakeCollector"
    # Answers and grades are the instructor's alone; nbgrader's own would let everybody on the machine read them.
    config.Autograde.permissions = 400
    config.GenerateFeedback.permissions = 600
    config.ExchangeFactory.release_feedback = "autograder.nbgrader.inlets.ReadableFeedback"
    # Feedback and Formgrader's view are both written by this exporter.
    config.HTMLExporter.filters = prose.FILTERS
    config.HTMLExporter.sanitize_html = True
    config.OverwriteCells.add_missing_cells = True
    formgrader.watch()
