"""Runs the corpus through the real grading and compares what came out with what is right."""

from __future__ import annotations

import functools
import json
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from autograder.corpus import harm
from autograder.corpus._cases import CANARY, SECRET, Case, Earns, Sheet
from autograder.corpus.aftermath import LEFT
from autograder.corpus.answers import ANSWERS
from autograder.corpus.code import CODE
from autograder.corpus.notebooks import NOTEBOOKS
from autograder.corpus.tools import TOOLS
from autograder.corpus.zips import DOWNLOADS, ZIPS, Download, zipped
from autograder.grade import command
from autograder.intake import reading, search
from autograder.judge import matching
from autograder.nbgrader import settings
from autograder.reports.grade_table import Grades, Row

BYSTANDERS = ("aa honest", "mm blank", "zz honest")
"""Classmates in every batch, whose grades nobody may touch."""
BATCH = 25
SLOW_SECONDS = 15.0
"""What a submission may take that runs into every limit there is."""


@dataclass
class Outcome:
    """What came out for one case: right if there are no faults."""

    name: str
    row: str
    wanted: str
    got: str
    faults: list[str] = field(default_factory=list)
    seconds: float | None = None

    @property
    def right(self) -> bool:
        """Nothing is wrong."""
        return not self.faults


def cases() -> list[Case]:
    """All notebooks of the corpus."""
    return [*CODE, *LEFT, *ANSWERS, *NOTEBOOKS, *TOOLS, *ZIPS]


def archives() -> list[Download]:
    """All classes' downloads of the corpus."""
    return list(DOWNLOADS)


def run(
    lesson: str, chosen: Sequence[Case], downloads: Sequence[Download], folder: Path, jobs: int = 2
) -> Iterator[Outcome]:
    """Grade cases in one course folder, the slow ones each alone, the others in batches; yields what came out.

    Args:
        lesson: whose notebook they are made from.
        chosen: the cases.
        downloads: classes' downloads, which are only collected.
        folder: an empty folder to work in.
        jobs: submissions graded at the same time.
    """
    for number, download in enumerate(downloads):
        yield collected(lesson, download, folder / "downloads" / str(number))
    grades = _Grades(lesson, folder, jobs)
    quick = [case for case in chosen if not case.slow]
    for start in range(0, len(quick), BATCH):
        yield from grades.batch(quick[start : start + BATCH])
    slow = [case for case in chosen if case.slow]
    usual = grades.baseline() if slow else 0.0
    for case in slow:
        started = time.monotonic()
        (outcome, others) = grades.batch([case])
        outcome.seconds = max(0.0, time.monotonic() - started - usual)
        if outcome.seconds > 2 * SLOW_SECONDS:  # twice: other programs may keep the machine busy
            outcome.faults.append(f"took {outcome.seconds:.0f} s")
        yield from (outcome, others)


class _Grades:
    """One course folder, and what came out of it."""

    def __init__(self, lesson: str, folder: Path, jobs: int) -> None:
        self.lesson = lesson
        self.folder = folder
        self.jobs = jobs
        self._number = 0
        (folder / "outside.txt").write_text(SECRET, encoding="utf-8")
        (folder / "outside.ipynb").write_text(json.dumps(Sheet(lesson).notebook) + SECRET, encoding="utf-8")

    def baseline(self) -> float:
        """Seconds that a batch takes without any case."""
        self._graded([])
        started = time.monotonic()
        self._graded([])
        return time.monotonic() - started

    def batch(self, chosen: Sequence[Case]) -> list[Outcome]:
        """Grade some cases beside the bystanders; a last outcome says what became of these and of the rest."""
        with harm.Watch(self.folder).watching() as found:
            done = self._graded(chosen)
        rows = {row.student: row for row in done.rows}
        outcomes = [self._compared(case, rows.get(case.student)) for case in chosen]
        found += [fault for name in BYSTANDERS for fault in self._bystander(name, rows.get(name))]
        names = ", ".join(case.name for case in chosen) if len(chosen) < 3 else f"{len(chosen)} cases"
        wanted = "nobody else's grade, no trace"
        return [*outcomes, Outcome(f"beside {names}", "harm", wanted, "harm" if found else wanted, found)]

    def _graded(self, chosen: Sequence[Case]) -> Grades:
        self._number += 1
        submissions = self.folder / f"in-{self._number}"
        submissions.mkdir()
        for case in chosen:
            case.put(submissions, self.lesson)
        for name in BYSTANDERS:
            sheet = Sheet(self.lesson, answered="blank" not in name)
            sheet.insert(f"# {SECRET}")
            (submissions / f"{name}.ipynb").write_text(json.dumps(sheet.notebook), encoding="utf-8")
        done = command.grade(submissions, self.lesson, self.folder / "course", jobs=self.jobs, progress=False)
        shutil.rmtree(submissions)
        return done

    def _bystander(self, name: str, row: Row | None) -> list[str]:
        wanted = 0.0 if "blank" in name else 1.0
        shares = self._shares(row) if row else {}
        return [] if shares and set(shares.values()) == {wanted} else [f"{name} got {shares or 'nothing'}"]

    def _shares(self, row: Row) -> dict[str, float]:
        return {
            name: points / row.max_points[name]
            for name, points in row.points.items()
            if points is not None and name in graded_names(self.lesson)
        }

    def _compared(self, case: Case, row: Row | None) -> Outcome:
        if row is None:
            return Outcome(case.name, case.row, case.earns.value, "not graded", ["not graded"])
        shares = self._shares(row)
        target = graded_names(self.lesson)[0]
        faults = []
        if not _fits(case.earns, shares, target):
            lost = ", ".join(f"{name} {share:g}" for name, share in shares.items() if share < 1)
            faults.append(f"earned all but {lost or 'nothing'}" if shares else "has no grades")
        note = row.note if case.earns is Earns.REFUSED else self._message(case.student, target)
        if case.earns is not Earns.REFUSED and not re.fullmatch(case.noted, row.note):
            faults.append(f"note: {row.note}")
        if not re.search(case.says, note, re.IGNORECASE) or (
            case.earns is Earns.REFUSED and not note.endswith(".")
        ):
            faults.append(f"says {note[:120]!r}")
        if case.named and case.named not in {sign.kind for sign in row.signs}:
            faults.append(f"{case.named} is not named to the instructor")
        faults += self._pages(case)
        return Outcome(
            case.name, case.row, case.earns.value, f"{row.score:g} of {row.max_score:g}: {note[:70]}", faults
        )

    def _notebook(self, student: str) -> Path:
        return self.folder / "course" / "autograded" / student / self.lesson / f"{self.lesson}.ipynb"

    def _message(self, student: str, exercise: str) -> str:
        """What the author is told about an exercise."""
        path = self._notebook(student)
        if not path.is_file():
            return ""
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.metadata.get("nbgrader", {}).get("grade_id") == f"{exercise}-check":
                text = "".join(output.get("text", "") for output in cell.outputs)
                return " ".join(text.split())
        return ""

    def _pages(self, case: Case) -> list[str]:
        """What is wrong with the pages that show the submission, to its author and to graders."""
        path = self._notebook(case.student)
        page = self.folder / "course" / "feedback" / case.student / self.lesson / f"{self.lesson}.html"
        if not page.is_file():
            return ["no feedback page"]
        faults = harm.in_page(page.read_text("utf-8"))
        printed = json.dumps([cell.get("outputs") for cell in nbformat.read(path, as_version=4).cells])
        faults += [f"printed {word}" for word in (CANARY, SECRET) if word in printed]
        if case.row == "pages":
            faults += [f"in Formgrader: {fault}" for fault in harm.in_page(formgrader_page(path))]
            stock = formgrader_page(path, ours=False)
            faults += [f"in a Formgrader of another folder: {fault}" for fault in harm.in_page(stock)]
        return faults


@functools.cache
def graded_names(lesson: str) -> list[str]:
    """The exercises that are graded automatically, the target first."""
    sheet = Sheet(lesson)
    return [sheet.target, *(name for name in sheet.graded if name != sheet.target)]


def _fits(earns: Earns, shares: dict[str, float], target: str) -> bool:
    if not shares:
        return False
    match earns:
        case Earns.ALL:
            return set(shares.values()) == {1.0}
        case Earns.OTHERS:
            return shares[target] == 0.0 and all(
                share == 1.0 for name, share in shares.items() if name != target
            )
        case _:
            return set(shares.values()) == {0.0}


def formgrader_page(path: Path, ours: bool = True) -> str:
    """The page that Formgrader shows of an autograded notebook; without `ours`, one that knows no settings."""
    from nbconvert.exporters import HTMLExporter
    from nbgrader.server_extensions.formgrader import handlers
    from traitlets.config import Config

    config = Config()
    if ours:
        settings.configure(config, path.parent)
    config.HTMLExporter.template_name = "formgrade"
    config.HTMLExporter.extra_template_basedirs = [handlers.template_path]
    resources: dict[str, Any] = {
        **dict.fromkeys(("assignment_id", "notebook_id", "submission_id", "student", "notebook_path"), "x"),
        **dict.fromkeys(("last_name", "first_name", "base_url"), ""),
        **{"index": 0, "total": 1},
    }
    page, _ = HTMLExporter(config=config).from_filename(str(path), resources=resources)
    return str(page)


def collected(lesson: str, download: Download, folder: Path) -> Outcome:
    """Collect a whole class's download and compare who was found."""
    right = json.dumps(Sheet(lesson).notebook).encode()
    folder.mkdir(parents=True)
    archive = folder / "download.zip"
    archive.write_bytes(zipped(download.members(lesson, right)))
    wanted = download.fails or ", ".join(download.students)
    outcome = Outcome(f"download: {download.name}", "archives", wanted, "")
    try:
        with search.collected(archive, lesson) as found:
            outcome.got = ", ".join(submission.student for submission in found.submissions)
            remarks = " ".join(found.remarks)
            for submission in found.submissions:
                if submission.path is None and "bad" not in download.name:
                    outcome.faults.append(f"{submission.student}: {submission.fault}")
                elif submission.path is not None:
                    matching.restore(
                        reading.read(submission.path), matching.Master.of(Sheet(lesson, False).notebook)
                    )
    except ValueError as error:
        outcome.got, remarks = str(error), ""
    if outcome.got != wanted and not (download.fails and download.fails in outcome.got):
        outcome.faults.append(f"found {outcome.got}")
    if download.says not in remarks:
        outcome.faults.append(f"said {remarks!r}")
    return outcome


def line(outcome: Outcome) -> str:
    """One case: what was wanted and what came out, and below it what is wrong with that."""
    seconds = f" [{outcome.seconds:.0f} s]" if outcome.seconds is not None else ""
    mark = "right" if outcome.right else "WRONG"
    told = f"{mark}  {outcome.name:50}  {outcome.wanted} | {outcome.got}{seconds}"
    return "\n".join([told, *(f"       {fault}" for fault in outcome.faults)])


def summary(outcomes: Sequence[Outcome]) -> str:
    """How many are right, by row of the table."""
    lines = []
    for row in (*dict.fromkeys(outcome.row for outcome in outcomes), None):
        of_row = [outcome for outcome in outcomes if row in (outcome.row, None)]
        lines.append(f"{row or 'all':12} {sum(outcome.right for outcome in of_row)}/{len(of_row)}")
    return "\n".join(lines)
