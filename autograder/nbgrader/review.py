"""What a person has graded stands through a regrade, as long as what it was given for is the same.

nbgrader keeps manual scores and comments when a submission is graded again, but asks for each of them to be looked at
again. Here that is asked only where there is a reason: the answer has changed, or the automatic score beside which
the person set theirs. Nothing is graded here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook
from nbgrader.preprocessors import SaveAutoGrades
from nbgrader.utils import determine_grade

from nas_lib._files import replacing

FOLDER = ".reviewed"
"""In the course's folder: per lesson and student, digests of the answers that the gradebook's grades are for."""


class SaveGrades(SaveAutoGrades):
    """nbgrader's SaveAutoGrades; a person's grade for an unchanged answer needs no second look.

    A notebook's scores are stored together or not at all, whatever ends the process.
    """

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Store the scores, and remember which answers they are for."""
        names = resources["nbgrader"]
        self.notebook_id, self.assignment_id = names["notebook"], names["assignment"]
        self.student_id, self.db_url = names["student"], names["db_url"]
        path = _record(Path(self.config.CourseDirectory.root), names["assignment"], names["student"])
        self._before = _read(path)
        self._now: dict[str, str] = {}
        self.gradebook = Gradebook(self.db_url)
        with self.gradebook, _one_commit(self.gradebook.db):
            for index, cell in enumerate(nb.cells):
                nb.cells[index], resources = self.preprocess_cell(cell, resources, index)
        _write(path, self._now)
        return nb, resources

    def _add_score(self, cell: Any, resources: Any) -> None:
        name = cell.metadata["nbgrader"]["grade_id"]
        grade = self.gradebook.find_grade(name, self.notebook_id, self.assignment_id, self.student_id)
        settled = grade.manual_score is not None and not grade.needs_manual_grade
        automatic = grade.auto_score
        self._now[name] = _digest(cell.source)
        super()._add_score(cell, resources)
        unchanged = (
            self._before.get(name) == self._now[name] and determine_grade(cell, self.log)[0] == automatic
        )
        if settled and unchanged:
            grade.needs_manual_grade = False
            self.gradebook.db.commit()


@contextlib.contextmanager
def _one_commit(session: Any) -> Iterator[None]:
    """Commit a session of the gradebook's at the end of the block, and at none of the commits in it."""
    session.commit = session.flush
    try:
        yield
    finally:
        del session.commit
    session.commit()


def _digest(source: str) -> str:
    return hashlib.sha256(source.strip().encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _record(course: Path, lesson: str, student: str) -> Path:
    return course / FOLDER / lesson / f"{student}.json"


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # nothing known: then everything is looked at again
    return found if isinstance(found, dict) else {}


def _write(path: Path, digests: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as fresh:
        fresh.write_text(json.dumps(digests, indent=1, sort_keys=True), encoding="utf-8")
