"""The steps by which nbgrader sanitises, scores and gives feedback on a notebook: its own, with ours among them.

Ours translate between nbgrader's notebooks and the stages beneath; what they do is done there (`matching`, `scoring`,
`prose`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from nbconvert.preprocessors import ClearMetadataPreprocessor, CSSHTMLHeaderPreprocessor
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearHiddenTests,
    ClearOutput,
    DeduplicateIds,
    GetGrades,
    IgnorePattern,
    LimitOutput,
    NbGraderPreprocessor,
    OverwriteCells,
    OverwriteKernelspec,
)
from traitlets import Enum, Instance, Unicode

from autograder.judge import matching, outputs
from autograder.judge.matching import Master
from autograder.judge.results import Result, digest
from autograder.judge.seeds import grading_seeds
from autograder.nbgrader import released
from autograder.nbgrader.review import SaveGrades
from autograder.reports import prose
from autograder.reports.feedback import SortIntoTasks
from autograder.reports.penalties import RenewPenalty
from autograder.sandbox import bubblewrap
from autograder.sandbox.process import Launcher


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
        return released.master(Path(self.course_root), names["assignment"], names["notebook"])


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

    result = Instance(
        Result, allow_none=True, help="What the submission earns, where that has been found out already."
    ).tag(config=True)

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Write each exercise's score and message into its check cell, and what the other cells printed.

        Raises:
            ValueError: the result given is that of another submission, or for other seeds.
        """
        names = resources["nbgrader"]
        launcher = bubblewrap.choose(unsafe=self.isolation == "none")
        kind = bubblewrap.isolation(launcher)
        if kind == "none":
            self.log.warning("UNSAFE: learners' code is not isolated from this machine")
        result = self._result(nb, resources, launcher)
        outputs.write(nb, result, kind)
        for name, outcome in result.outcomes.items():
            self.log.info("%s: %s earns %.2f of its points", names["student"], name, outcome.score)
        return nb, resources

    def _result(self, nb: Any, resources: Any, launcher: Launcher) -> Result:
        master, names = self.master(resources), resources["nbgrader"]
        lesson, steps = names["assignment"], matching.plan(nb, master)
        seeds = grading_seeds(Path(self.course_root), lesson, list(master.points))
        if self.result is None:
            from autograder.judge import scoring  # brings the lessons' references; releasing needs none

            return scoring.evaluate(lesson, steps, seeds, launcher=launcher)
        if self.result.made_of != digest(lesson, steps, seeds):
            raise ValueError(
                f"the result for {names['student']} was made of other cells or seeds than those of the submission "
                f"of {lesson} that is there now: grade it again."
            )
        return self.result


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
FEEDBACK = [
    RenewPenalty,
    GetGrades,
    ClearHiddenTests,
    HideMarkSchemes,
    SortIntoTasks,
    CSSHTMLHeaderPreprocessor,
]
