"""Whatever becomes of one notebook, the run goes on: others keep their grades, and who has none is named.

Notebooks are mutilated at random, in their structure and in their sources, and go all the way from the folder of
submissions to the report; only the sandbox is left out, but for a small class at the end.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder.corpus._cases import Sheet
from autograder.grade import batch, command
from autograder.grade.batch import Task
from autograder.grade.course_folder import CourseFolder
from autograder.intake.submission import Submission
from autograder.judge.results import Evaluated, Outcome, Result, digest
from autograder.reports import grade_table
from autograder.sandbox.cells import Ran
from nas_lib import cli

LESSON = "00_start_here"
SOUND = {True: Sheet(LESSON).notebook, False: Sheet(LESSON, False).notebook}


def sum_of(terms: int) -> str:
    return "def helper(x):\n    return " + " + ".join(["1"] * terms) + "\n"


# -- mutilations -------------------------------------------------------------------------------------

ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.just([]), st.just({})
)
JSON = st.recursive(
    ODD, lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=9), one, max_size=3)
)
NESTED = st.builds(
    lambda brackets, n: brackets[0] * n + "1" + brackets[1:] * n,
    st.sampled_from(["()", "[]", "{}", "-", "~", "("]),
    st.integers(1, 3000),
)
PIECES = [
    "\\\\(",
    "\\\\[",
    "\\begin{a}",
    "$",
    "`",
    "[a](b",
    "*a **b ",
    "<div>",
    "<!--",
    "~~a",
    "> ",
    "|a|\n|-|\n",
    "&#",
    "[[",
]
SOURCE = st.one_of(
    st.text(max_size=200),
    NESTED,
    st.builds(sum_of, st.sampled_from([500, 990, 3000, 20_000])),
    st.builds(lambda piece, n: piece * n, st.sampled_from(PIECES), st.integers(1, 4000)),
    st.builds(lambda n: "x" + ".a" * n + "()" * n, st.integers(1, 3000)),
    st.builds(
        lambda n: "".join(f"{' ' * d}if 1:\n" for d in range(n)) + " " * n + "pass", st.integers(1, 120)
    ),
    st.sampled_from(
        ["\x00", "\ud800", "\x1b[31m", "def f(:", "len = 6; sum = 0", "\ufeff", "from numpy import *"]
    ),
)


@st.composite
def mutilated(draw: st.DrawFn) -> Any:
    """A notebook of the lesson's, or what a few accidents have left of one."""
    notebook: Any = copy.deepcopy(SOUND[draw(st.booleans())])
    notebook = json.loads(json.dumps(notebook))
    for _ in range(draw(st.integers(1, 4))):
        cells = notebook.get("cells") if isinstance(notebook, dict) else None
        if not isinstance(cells, list) or not cells:
            break
        at = draw(st.integers(0, len(cells) - 1))
        cell = cells[at]
        kind = draw(
            st.sampled_from(["source", "add", "key", "lose", "move", "twin", "metadata", "top", "whole"])
        )
        if kind == "add":
            source, type_ = draw(SOURCE), draw(st.sampled_from(["code", "markdown", "raw", "heading", ""]))
            cells.insert(at, {"cell_type": type_, "metadata": {}, "source": source})
        elif kind == "move":
            cells.insert(draw(st.integers(0, len(cells) - 1)), cells.pop(at))
        elif kind == "twin":
            cells.insert(at, copy.deepcopy(cell))
        elif kind == "lose":
            del cells[at : at + draw(st.integers(1, 20))]
        elif kind == "top":
            notebook[draw(st.sampled_from(["cells", "metadata", "nbformat", "nbformat_minor"]))] = draw(JSON)
        elif kind == "whole":
            cells[at] = draw(JSON)
        elif isinstance(cell, dict) and kind == "source":
            cell["source"] = draw(SOURCE) + (str(cell.get("source")) if draw(st.booleans()) else "")
        elif isinstance(cell, dict) and kind == "key":
            cell[draw(st.sampled_from(["cell_type", "id", "source", "outputs", "attachments"]))] = draw(JSON)
        elif isinstance(cell, dict):
            cell["metadata"] = draw(st.one_of(JSON, st.fixed_dictionaries({"nbgrader": JSON, "tags": JSON})))
    return notebook


def text_of(notebook: Any) -> bytes:
    return json.dumps(notebook).encode("utf-8", "surrogatepass")


def unjudged(tasks: Iterable[Task], *_: Any) -> Iterator[Evaluated]:
    """In the place of the sandbox: everybody's cells print something, and all answers are half right."""
    for task in tasks:
        outcomes = {name: Outcome(0.5, "half", "`x` is \x1b[31mnot right") for name in task.seeds}
        cells = {
            step.cell: Ran("ValueError: no", "\x1b[2Jtext" * 9, 0.1)
            for step in task.steps
            if step.cell is not None
        }
        yield Evaluated(task.student, Result(digest(task.lesson, task.steps, task.seeds), outcomes, cells))


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> CourseFolder:
    place = CourseFolder(tmp_path_factory.mktemp("mutilated") / "course")
    place.assign(LESSON)
    return place


QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@settings(QUICK, max_examples=40)
@given(notebook=mutilated())
def test_every_notebook_is_planned_or_refused_in_one_sentence(course, tmp_path_factory, notebook):
    path = tmp_path_factory.mktemp("in") / f"{LESSON}.ipynb"
    path.write_bytes(text_of(notebook))
    note = course.hand_in(LESSON, Submission("ann", path))
    assert not note or (note.endswith((".", "again.")) and note.isprintable())
    steps = course.steps(LESSON, "ann")
    assert all(step.source.strip() for step in steps)


@settings(QUICK, max_examples=2)
@given(notebooks=st.lists(mutilated(), min_size=6, max_size=8))
def test_no_notebook_ends_a_run_or_its_report(course, tmp_path_factory, monkeypatch, capsys, notebooks):
    monkeypatch.setattr(batch, "evaluate_all", unjudged)
    folder = tmp_path_factory.mktemp("class")
    for number, notebook in enumerate([*notebooks, SOUND[True]]):
        (folder / f"student {number}.ipynb").write_bytes(text_of(notebook))
    grades = command.grade(folder, LESSON, course.root, folder / "out.csv", progress=False, regrade=True)
    rows = {row.student: row for row in grades.rows}
    victim = rows[f"student {len(notebooks)}"]
    assert (victim.score, victim.ungraded, victim.note) == (4.0, "", "")
    assert "\x1b" not in grade_table.table(grades) + grade_table.summary(grades) + grades.out.read_text(
        "utf-8"
    )
    for student, row in rows.items():
        assert len(row.points) == len(grades.tasks), student
        assert row.ungraded or row.score == 4.0, student
        assert (course.root / "feedback" / student / LESSON / f"{LESSON}.html").is_file(), student
    status = cli.main(["report", "--lesson", LESSON, "--course", str(course.root)])
    named = capsys.readouterr().err
    assert status == (1 if named else 0)
    assert all(f"{student}: " in named for student, row in rows.items() if row.ungraded)


# -- in the sandbox ----------------------------------------------------------------------------------


def put(folder: Path, student: str, sheet: Sheet) -> None:
    (folder / f"{student}.ipynb").write_bytes(text_of(sheet.notebook))


def test_long_sums_and_slow_prose_cost_nobody_a_grade(tmp_path, capsys, sandboxed):
    put(tmp_path, "victim", Sheet(LESSON))
    for terms in (500, 990):
        sheet = Sheet(LESSON)
        experiment = next(cell for cell in sheet.cells if "experiment" in cell.metadata.get("tags", []))
        experiment.source = sum_of(terms) + experiment.source
        put(tmp_path, f"experiment {terms}", sheet)
        sheet = Sheet(LESSON)
        sheet.cell().source = sum_of(terms) + sheet.cell().source
        put(tmp_path, f"exercise {terms}", sheet)
    sheet = Sheet(LESSON)
    sheet.prose("\\\\(" * 16_000)
    put(tmp_path, "slow", sheet)
    (tmp_path / "broken.ipynb").write_text("{", encoding="utf-8")
    course = tmp_path / "course"
    arguments = ["--lesson", LESSON, "--course", str(course)]
    assert cli.main(["grade", str(tmp_path), *arguments]) == 1  # somebody's work was not graded, and is named
    said = capsys.readouterr()
    assert "not graded: broken: The notebook cannot be read" in said.err
    assert said.err.count("not graded: ") == 1
    full = [line for line in said.out.splitlines() if line.endswith("100 %")]
    assert [line.split("  ")[0] for line in full] == sorted(
        [
            "victim",
            "slow",
            *(f"{kind} {terms}" for kind in ("exercise", "experiment") for terms in (500, 990)),
        ]
    )
    assert cli.main(["report", *arguments]) == 1
    assert "not graded: broken: " in capsys.readouterr().err
