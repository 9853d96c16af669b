"""The course's nbgrader configuration: which steps release, sanitise, score and give feedback on a notebook.

nbgrader keeps the assignments, the gradebook, Formgrader and the feedback. Only how code is executed and
scored is ours, put into nbgrader's own configurable lists, so that `nbgrader autograde`, Formgrader's button
and `nas-course grade` all go the same way.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.preprocessors import ClearMetadataPreprocessor, CSSHTMLHeaderPreprocessor
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    DeduplicateIds,
    GetGrades,
    IgnorePattern,
    IncludeHeaderFooter,
    InstantiateTests,
    LimitOutput,
    LockCells,
    NbGraderPreprocessor,
    OverwriteCells,
    OverwriteKernelspec,
    SaveCells,
)
from traitlets import Enum, Unicode
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from autograder.author.lesson import concept_answer
from autograder.judge import matching
from autograder.judge.matching import Master
from autograder.nbgrader.review import SaveGrades
from autograder.reports import prose
from autograder.reports.feedback import TEMPLATES, FeedbackExporter, SortIntoTasks

COURSE_ID = "nas-from-scratch"
CONFIG_FILE = "nbgrader_config.py"
ROOT = Path(__file__).resolve().parents[2]


# ----------------------------------------------------------------------------------------------------
# Release


class ClearAnswers(ClearSolutions):
    """nbgrader's ClearSolutions; a question's stub is `name = None`, so that the notebook runs through."""

    def preprocess_cell(self, cell: Any, resources: Any, cell_index: int) -> tuple[Any, Any]:
        """Replace the solution regions of one cell by its stub."""
        concept = concept_answer(cell.source) if cell.cell_type == "code" else None
        usual = self.code_stub
        if concept:
            self.code_stub: dict[str, str] = {**usual, "python": f"{concept[0]} = None"}
        try:
            return super().preprocess_cell(cell, resources, cell_index)
        finally:
            self.code_stub = usual


class DropEmptyCells(NbGraderPreprocessor):
    """Take out the prose cells of which nothing is left once their mark scheme is gone."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Return the notebook without its empty prose cells."""
        nb.cells = [cell for cell in nb.cells if cell.cell_type == "code" or cell.source.strip()]
        return nb, resources


class Stamp(NbGraderPreprocessor):
    """Write a digest of the cells into the notebook: the builder tells its own work from edits by it."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Stamp the notebook."""
        nb.metadata["nas_course"] = {"digest": digest(nb)}
        return nb, resources


def digest(notebook: Any) -> str:
    """A short hash of all cells, outputs included."""
    cells = json.dumps(notebook.cells, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(cells.encode("utf-8", "surrogatepass")).hexdigest()[:16]


RELEASE = [
    IncludeHeaderFooter,
    InstantiateTests,
    LockCells,
    ClearAnswers,
    ClearOutput,
    CheckCellMetadata,
    ComputeChecksums,
    # Keeps the master of locked cells, hidden tests and mark schemes included: hence before the next two.
    SaveCells,
    ClearHiddenTests,
    ClearMarkScheme,
    DropEmptyCells,
    ComputeChecksums,
    CheckCellMetadata,
    Stamp,
]


def release_steps() -> list[Any]:
    """The release steps without those that need a course folder (header and footer, the gradebook)."""
    config = Config()
    configure(config, None)
    return [step(config=config) for step in RELEASE if step not in (IncludeHeaderFooter, SaveCells)]


# ----------------------------------------------------------------------------------------------------
# Grading


class CourseStep(NbGraderPreprocessor):
    """A step that needs to know the course's folder."""

    course_root = Unicode("", help="The course's folder, with source/ and the course secret.").tag(
        config=True
    )

    isolation = Enum(
        ["bubblewrap", "none"],
        "bubblewrap",
        help="What learners' code runs in. With none it can read and change whatever the grader can.",
    ).tag(config=True)

    def master(self, resources: Any) -> Master:
        """The lesson as it was released, with the cells that belong to it."""
        names = resources["nbgrader"]
        return master(Path(self.course_root), names["assignment"], names["notebook"])


class MatchCells(CourseStep):
    """Give cells the metadata of the master's cells they came from; take all other claims off."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Return the notebook with the master's metadata on the cells that are the master's."""
        return matching.restore(nb, self.master(resources)), resources


class TameProse(CourseStep):
    """Leave nothing in a learner's prose that would run where it is shown; the lesson's own stays."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Return the notebook with its prose and attachments made harmless."""
        prose.tame(nb.cells, {cell.source for cell in self.master(resources).cells})
        return nb, resources


class ScoreExercises(CourseStep):
    """In the place of nbgrader's Execute: cells run in a process of their own, judges run outside of it."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Write each exercise's score and message into its check cell, and what the other cells printed."""
        from autograder.judge import scoring
        from autograder.sandbox import bubblewrap  # brings the lessons' references; releasing needs none

        names = resources["nbgrader"]
        launcher = bubblewrap.choose(unsafe=self.isolation == "none")
        kind = bubblewrap.isolation(launcher)
        if kind == "none":
            self.log.warning("UNSAFE: learners' code is not isolated from this machine")
        result = scoring.score(
            nb, self.master(resources), names["assignment"], Path(self.course_root), launcher
        )
        scoring.write(nb, result, kind)
        for name, outcome in result.outcomes.items():
            self.log.info("%s: %s earns %.2f of its points", names["student"], name, outcome.score)
        return nb, resources


class HideMarkSchemes(NbGraderPreprocessor):
    """Keep mark schemes, which Formgrader shows to graders, out of the learners' feedback."""

    def preprocess_cell(self, cell: Any, resources: Any, cell_index: int) -> tuple[Any, Any]:
        """Cut the mark scheme out of one cell."""
        cell.source = re.sub(
            r"^[^\n]*BEGIN MARK SCHEME.*?(END MARK SCHEME[^\n]*\n?|\Z)", "", cell.source, flags=re.S | re.M
        )
        return cell, resources


SANITIZE = [
    MatchCells,
    TameProse,
    ClearOutput,
    DeduplicateIds,
    OverwriteKernelspec,
    OverwriteCells,
    CheckCellMetadata,
]
AUTOGRADE = [
    ScoreExercises,
    IgnorePattern,
    ClearMetadataPreprocessor,
    LimitOutput,
    SaveGrades,
    AssignLatePenalties,
    CheckCellMetadata,
]
FEEDBACK = [GetGrades, ClearHiddenTests, HideMarkSchemes, SortIntoTasks, CSSHTMLHeaderPreprocessor]


def master(course: Path, assignment: str, notebook: str) -> Master:
    """The master version of a notebook, from the course's source/ folder (cached until that file changes)."""
    path = course / "source" / assignment / f"{notebook}.ipynb"
    return _master(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=32)
def _master(path: Path, _changed: int) -> Master:
    notebook = nbformat.read(path, as_version=4)
    steps = deepcopy(notebook)
    resources: dict[str, Any] = {}
    for step in release_steps():
        steps, resources = step.preprocess(steps, resources)
    return Master.of(steps)


# ----------------------------------------------------------------------------------------------------
# Configuration


def configure(config: Any, course: Path | None, isolation: str | None = None) -> None:
    """Set up nbgrader's configuration.

    Args:
        config: nbgrader's configuration object.
        course: the course's folder, None to build notebooks only.
        isolation: what learners' code runs in, "bubblewrap" or "none"; None leaves it at bubblewrap.
    """
    if isolation is not None:
        config.CourseStep.isolation = isolation
    config.CourseDirectory.course_id = COURSE_ID
    if course is not None:
        config.CourseDirectory.root = str(course.resolve())
        config.CourseStep.course_root = str(course.resolve())
    config.GenerateAssignment.preprocessors = RELEASE
    config.Autograde.sanitize_preprocessors = SANITIZE
    config.Autograde.autograde_preprocessors = AUTOGRADE
    config.GenerateFeedback.preprocessors = FEEDBACK
    config.GenerateFeedback.exporter_class = FeedbackExporter
    config.FeedbackExporter.template_name = "learner_feedback"
    config.FeedbackExporter.extra_template_basedirs = [str(TEMPLATES)]
    # Submissions come in by these alone; given by name, as releasing needs none of them.
    config.Autograde.exporter_class = "autograder.nbgrader.inlets.SubmissionExporter"
    config.ExchangeFactory.collect = "autograder.nbgrader.inlets.PlainCollect"
    config.ZipCollectApp.extractor_plugin = "autograder.nbgrader.inlets.IntakeExtractor"
    config.ZipCollectApp.collector_plugin = "autograder.nbgrader.inlets.IntakeCollector"
    # Feedback and Formgrader's view are both written by this exporter.
    config.HTMLExporter.filters = prose.FILTERS
    config.HTMLExporter.sanitize_html = True
    config.OverwriteCells.add_missing_cells = True
    # Rubrics stand in ordinary locked cells beside the answer, not only in nbgrader's "task" cells.
    config.ClearMarkScheme.enforce_metadata = False


def write_config(course: Path) -> Path:
    """Write the configuration that makes plain nbgrader commands and Formgrader in `course` go our way.

    An instructor's own additions to an existing file are kept.

    Raises:
        ValueError: the folder has an nbgrader_config.py of somebody else's, with which grading would run
            learners' code unsafely.
    """
    path = course / CONFIG_FILE
    if not path.exists():
        path.write_text(CONFIG.format(repository=str(ROOT)), encoding="utf-8")
    elif "autograder.nbgrader.steps" not in path.read_text(encoding="utf-8"):
        raise ValueError(
            f"{path} is not this course's: choose another --course folder, or move that file away."
        )
    return path


def load_config(course: Path) -> Any:
    """The configuration that plain nbgrader commands have in a course's folder, with the instructor's own settings.

    Raises:
        ValueError: the file cannot be run.
    """
    loader = PyFileConfigLoader(CONFIG_FILE, path=str(course))
    try:
        return loader.load_config()
    except Exception as error:  # it is a program of the instructor's
        raise ValueError(f"{course / CONFIG_FILE} cannot be used: {type(error).__name__}: {error}") from None


CONFIG = '''\
"""Written by nas-course: nbgrader and Formgrader started in this folder grade the course's way.

Add your own settings below.
"""

import sys
from pathlib import Path

sys.path.insert(0, {repository!r})
from autograder.nbgrader.steps import configure

c = get_config()
configure(c, Path(__file__).resolve().parent)
'''
