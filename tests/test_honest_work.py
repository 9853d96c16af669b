"""Honest work that tools and habits put in odd places: it is graded, or somebody is asked to look."""

# ruff: noqa: E501 - learners' code, and names of files

from __future__ import annotations

import copy
import io
import json
import os
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.utils import determine_grade

from autograder.author import build
from autograder.author.lesson import grade_id
from autograder.corpus._cases import Sheet
from autograder.grade import command
from autograder.grade.course_folder import CUT_OFF, CourseFolder
from autograder.intake import search
from autograder.intake.submission import Submission, is_student, shown
from autograder.judge import matching, scoring
from autograder.judge.results import Outcome, Result, digest
from autograder.nbgrader import config_file
from autograder.nbgrader.review import SaveGrades
from autograder.reports import signs
from autograder.reports.grade_table import Grades, Row, summary, table, write_csv
from autograder.sandbox.process import PlainLauncher
from nas_lib import cli

LESSON = "00_start_here"
ANSWERED, BLANK = (json.dumps(Sheet(LESSON, answered).notebook) for answered in (True, False))
MASTER = matching.Master.of(build.student_notebook(LESSON))
ROOT = Path(__file__).resolve().parents[1]
PROGRAM = [sys.executable, "-c", "import sys; from nas_lib.cli import main; sys.exit(main(sys.argv[1:]))"]


def found(folder: Path, quarantine: Path) -> search.Collection:
    quarantine.mkdir()
    return search.find(folder, LESSON, quarantine)


def put(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


# -- which notebook ----------------------------------------------------------------------------------

COPIES = ["{} (1)", "{}-Copy1", "{} - Copy (2)", "{} copy 2", "{} 2", "Copy of {} (1)", "Kopie von {}", "Copie de {}", "{}_final", "my homework"]  # fmt: skip


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("inner", ["", f"{LESSON}/"])
def test_of_a_blank_original_and_its_copy_the_one_that_was_worked_in_counts(tmp_path, name, inner):
    copied = f"{name.format(LESSON)}.ipynb"
    folder = put(tmp_path / "in", {f"ann/{inner}{LESSON}.ipynb": BLANK, f"ann/{copied}": ANSWERED})
    (one,) = found(folder, tmp_path / "q").submissions
    assert one.path is not None and one.path.name == copied
    assert copied in one.remark
    folder = put(tmp_path / "other", {f"ann/{inner}{LESSON}.ipynb": ANSWERED, f"ann/{copied}": BLANK})
    (one,) = found(folder, tmp_path / "q2").submissions
    assert one.path is not None and one.path.name == f"{LESSON}.ipynb"


def test_of_two_that_were_worked_in_the_learner_is_asked_for_one(tmp_path):
    folder = put(tmp_path / "in", {f"ann/{LESSON}.ipynb": ANSWERED, f"ann/Copy of {LESSON}.ipynb": ANSWERED})
    (one,) = found(folder, tmp_path / "q").submissions
    assert one.path is None and "You handed in 2 notebooks" in one.fault


def test_other_notebooks_beside_the_lessons_do_not_matter(tmp_path):
    files = {
        f"ann/{LESSON}.ipynb": BLANK,
        "ann/Copy of 01_random_search.ipynb": ANSWERED,
        "ann/notes.ipynb": "{}",
    }
    (one,) = found(put(tmp_path / "in", files), tmp_path / "q").submissions
    assert one.path is not None or "notes.ipynb" in one.fault


# -- whose it is -------------------------------------------------------------------------------------

NAMES = [
    "José Müller",
    "अनीता",
    "வள்ளி",
    "วันดี",
    "李雷",
    "Pat O'Shea",
    "Pat O’Shea",
    "Kim Lee–Park",
    "محمد",
    "Łukasz",
    "Ðức",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("layout", ["{}", "{}_12_assignsubmission_file_"])
def test_a_name_is_a_name_in_any_script_and_form(tmp_path, name, form, layout):
    folder = put(
        tmp_path / "in", {f"{layout.format(unicodedata.normalize(form, name))}/{LESSON}.ipynb": ANSWERED}
    )
    collection = found(folder, tmp_path / "q")
    assert collection.left_out == []
    assert collection.submissions[0].student == layout[:2].format(unicodedata.normalize("NFC", name)) + (
        "_12" if "12" in layout else ""
    )


@pytest.mark.parametrize(
    "name", ["", ".", " ann", "a/b", "a\x1b[31mb", "a\u202eb", "[ann]", "*", "é" * 101, "\ud800", "--"]
)
def test_what_is_no_name(name):
    assert not is_student(name)


@pytest.mark.parametrize("suffix", [".tar.gz", ".tgz", ".tar.bz2", ".zip", ".ipynb.zip", ".7z"])
def test_a_students_id_is_what_is_left_without_all_suffixes(tmp_path, suffix):
    folder = put(tmp_path / "in", {f"ann{suffix}": "no archive", "bob.ipynb": ANSWERED})
    assert [one.student for one in found(folder, tmp_path / "q").submissions] == ["ann", "bob"]


def test_no_name_of_a_file_speaks_to_the_terminal(tmp_path, capsys):
    name = "\x1b[2J\x1b]0;owned\x07ann\u202e"
    files = {f"{name}/{LESSON}.ipynb": ANSWERED, f"bob/{name} {LESSON}.ipynb": ANSWERED, f"bob/{name}{LESSON}.ipynb": ANSWERED}  # fmt: skip
    collection = found(put(tmp_path / "in", files), tmp_path / "q")
    told = [*collection.remarks, *(f"{one.fault}{one.remark}" for one in collection.submissions)]
    assert len(told) == 2 and all(map(str.isprintable, told))
    assert shown(name) in told[0]
    assert cli.main(["grade", str(tmp_path / name), "--lesson", LESSON]) == 2
    said = capsys.readouterr().err
    assert "submissions must be" in said and said.strip().isprintable()


# -- open answers ------------------------------------------------------------------------------------

TEXT = "I would pool the noise over the seeds of similar cells."


def place(cells: list[Any], identity: str) -> int:
    return [cell.get("id") for cell in cells].index(identity)


def own(kind: str, source: str = TEXT) -> Any:
    make = {"code": nbformat.v4.new_code_cell, "raw": nbformat.v4.new_raw_cell}
    return make.get(kind, nbformat.v4.new_markdown_cell)(source)


def into_prompt(cells: list[Any], at: int) -> None:
    cells[at - 1].source += f"\n\n**Mine.** {TEXT}"


def into_the_next_text(cells: list[Any], at: int) -> None:
    cells[at + 1].source = f"{TEXT}\n\n{cells[at + 1].source}"


BESIDE: dict[str, Callable[[list[Any], int], Any]] = {
    "below": lambda cells, at: cells.insert(at + 1, own("markdown")),
    "above": lambda cells, at: cells.insert(at, own("markdown")),
    "two below": lambda cells, at: cells.__setitem__(slice(at + 1, at + 1), [own("code", "x = 1"), own("markdown")]),
    "in code": lambda cells, at: cells.insert(at + 1, own("code", f'"""{TEXT}"""')),
    "in a comment": lambda cells, at: cells.insert(at, own("code", f"# {TEXT}")),
    "raw": lambda cells, at: cells.insert(at + 1, own("raw")),
    "in the prompt": into_prompt,
    "in the text below": into_the_next_text,
    "at the end": lambda cells, at: cells.append(own("markdown")),
    "at the top": lambda cells, at: cells.insert(0, own("markdown")),
    "its own cell deleted": lambda cells, at: cells.__setitem__(at, own("code", f"# {TEXT}")),
}  # fmt: skip


def unanswered(change: Callable[[list[Any], int], Any], lost: bool = False) -> Any:
    """A notebook whose open answer stands beside its cell, taken in."""
    notebook = nbformat.from_dict(json.loads(ANSWERED))
    at = place(notebook.cells, "open_00_1")
    notebook.cells[at].source = MASTER.cells[
        place([{"id": cell.identity} for cell in MASTER.cells], "open_00_1")
    ].source
    change(notebook.cells, at)
    if lost:
        for number, cell in enumerate(notebook.cells):
            cell.metadata, cell.id = nbformat.from_dict({}), f"cell-{number}"
    return matching.restore(notebook, MASTER)


def answer_of(notebook: Any) -> Any:
    (cell,) = [
        cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == "open_00_1"
    ]
    return cell


@pytest.mark.parametrize("lost", [False, True], ids=["metadata kept", "metadata lost"])
@pytest.mark.parametrize("where", BESIDE)
def test_an_open_answer_beside_its_cell_waits_for_a_person_who_sees_it_there(where, lost):
    cell = answer_of(unanswered(BESIDE[where], lost))
    assert TEXT in cell.source
    assert determine_grade(cell)[0] is None


@pytest.mark.parametrize("lost", [False, True], ids=["metadata kept", "metadata lost"])
def test_no_answer_at_all_is_none(lost):
    def scratch(cells: list[Any], at: int) -> None:
        cells.insert(3, own("code", "x = 1"))
        cells.append(copy.deepcopy(cells[0]))  # a copy of the lesson's own text is nobody's answer

    assert determine_grade(answer_of(unanswered(scratch, lost)))[0] == 0


def test_an_answer_in_its_cell_stays_as_it_was_whatever_is_written_beside_it():
    notebook = nbformat.from_dict(json.loads(ANSWERED))
    before = answer_of(notebook).source
    notebook.cells.insert(place(notebook.cells, "open_00_1"), own("markdown", "A note."))
    assert answer_of(matching.restore(notebook, MASTER)).source == before


def test_a_picture_comes_with_the_text():
    picture = {"mine.png": {"image/png": "iVBORw0KGgo="}}
    drawn = nbformat.v4.new_markdown_cell("![](attachment:mine.png)", attachments=picture)
    cell = answer_of(unanswered(lambda cells, at: cells.insert(at + 1, drawn)))
    assert cell.attachments == picture and "attachment:mine.png" in cell.source


# -- code --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scratch", "named"),
    [
        ("len = 6; sum = 0", "`len`, `sum`"),
        ("for max in range(3): pass", "`max`"),
        ("def range(n): return []", "`range`"),
        ("from numpy import *", "`abs`, `all`, `any`"),
    ],
)
def test_a_wrong_answer_is_told_which_builtins_the_notebook_has_overwritten(scratch, named):
    sheet = Sheet(LESSON)
    sheet.insert(scratch)
    sheet.cell().source = (
        f"def {sheet.target}({sheet.parameters()}):\n    return len(6), sum(3), max(2), range(2), int('x')"
    )
    notebook = matching.restore(sheet.notebook, MASTER)
    found = scoring.evaluate(
        LESSON, matching.plan(notebook, MASTER), {sheet.target: 1}, launcher=PlainLauncher()
    )
    message = found.outcomes[sheet.target].message
    assert f"your notebook itself has overwritten {named}" in message


def test_a_right_answer_is_not_told_of_builtins():
    sheet = Sheet(LESSON)
    sheet.insert("max = 3")
    notebook = matching.restore(sheet.notebook, MASTER)
    (outcome,) = scoring.evaluate(
        LESSON, matching.plan(notebook, MASTER), {sheet.target: 1}, launcher=PlainLauncher()
    ).outcomes.values()
    assert outcome.score == 1.0 and "overwritten" not in outcome.message


def test_definitions_are_taken_from_an_experiment_as_they_are_written():
    source = 'import os; x = 1; import re as r\r\n@r.cache\n@r.more(\n  2)\ndef f(): return "é"; y = 2\nclass A: pass  # π\nf()'
    assert matching.definitions_only(source) == (
        'import os\nimport re as r\n@r.cache\n@r.more(\n  2)\ndef f(): return "é"; y = 2\nclass A: pass'
    )
    long = "def f(x):\n    return " + " + ".join(["1"] * 900)
    assert matching.definitions_only(f"{long}\nprint(1)") == long


def test_programs_of_any_depth_are_told_apart():
    deep = [f"def {name}(x):\n    return " + " + ".join(["x"] * 900) for name in ("f", "g")]
    assert signs._normal(deep[0], "f") != signs._normal(deep[1], "g") != None  # noqa: E711
    assert signs._normal("def f(a):\n    return a", "f") == signs._normal("def f(b): return b", "f")
    assert signs._normal("def f(a): return [a]", "f") != signs._normal("def f(a): return [[a]]", "f")


# -- where it is told --------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "cp1252"])
def test_a_terminal_without_our_letters_gets_the_table_all_the_same(monkeypatch, encoding):
    terminal = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", terminal)
    assert cli.main([]) == 2
    print("– waits for a person: 李雷")
    terminal.flush()
    assert b"waits for a person" in terminal.buffer.getvalue()  # type: ignore[attr-defined]


def test_who_was_not_graded_makes_the_exit_status(tmp_path, sandboxed):
    folder = put(tmp_path / "in", {"अनीता.ipynb": BLANK, "[bob].ipynb": ANSWERED})
    done = subprocess.run(
        [*PROGRAM, "grade", str(folder), "--lesson", LESSON, "--course", str(tmp_path / "course")],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "iso-8859-1", "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert b"[bob].ipynb: a student's id has letters" in done.stderr
    assert b"\\u0905" in done.stdout


def test_grades_pages_and_answers_are_the_instructors_alone(tmp_path, sandboxed):
    course = tmp_path / "course"
    before = os.umask(0o022)
    try:
        command.grade(put(tmp_path / "in", {"ann.ipynb": BLANK}), LESSON, course, progress=False)
    finally:
        os.umask(before)
    readable = [
        str(path.relative_to(course))
        for path in course.rglob("*")
        if path.stat().st_mode & 0o077
        and path.relative_to(course).parts[0] not in ("release", "nbgrader_config.py")
    ]
    assert readable == []


# -- what was cut off --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> CourseFolder:
    place = CourseFolder(tmp_path_factory.mktemp("cut") / "course")
    place.assign(LESSON)
    return place


@pytest.mark.parametrize("at", ["preprocess", "_add_comment"])
def test_a_submission_whose_storing_was_cut_off_waits_and_is_named(course, tmp_path, monkeypatch, capsys, at):
    """What a kill leaves in the gradebook: everything up to the last commit before it."""

    def cut(*_: object) -> None:
        raise RuntimeError("the power failed")

    student = f"cut at {at}"
    course.hand_in(LESSON, Submission(student, put(tmp_path, {"x.ipynb": ANSWERED}) / "x.ipynb"))
    seeds = course.seeds(LESSON)
    right = {name: Outcome(1.0, "right", "") for name in seeds}
    result = Result(digest(LESSON, course.steps(LESSON, student), seeds), right, {})
    monkeypatch.setattr(SaveGrades, at, cut)
    assert "the power failed" in course.autograde(LESSON, student, result)
    row = next(one for one in command.recall(LESSON, course.root).rows if one.student == student)
    assert row.ungraded == row.note == CUT_OFF
    assert set(row.points.values()) == {None}
    assert cli.main(["report", "--lesson", LESSON, "--course", str(course.root)]) == 1
    assert f"not graded: {student}: grading was cut off" in capsys.readouterr().err
    monkeypatch.undo()
    assert course.autograde(LESSON, student, result) == ""
    row = next(one for one in command.recall(LESSON, course.root).rows if one.student == student)
    assert (row.ungraded, row.note, row.score) == ("", "", 8.0)


@pytest.mark.parametrize("line", ["CLONE = '/other/clone'", 'sys.path.insert(0, "/other/clone")'])
def test_a_course_folder_goes_by_the_clone_that_grades_in_it_and_that_is_said(tmp_path, caplog, line):
    path = config_file.write_config(tmp_path)
    own = "c.CourseDirectory.course_id = 'mine'\n"
    path.write_text(path.read_text("utf-8").replace(f"CLONE = {str(ROOT)!r}", line) + own, encoding="utf-8")
    config_file.write_config(tmp_path)
    text = path.read_text("utf-8")
    assert "/other/clone" not in text and repr(str(ROOT)) in text and text.endswith(own)
    assert "named another clone of the course" in caplog.text
    assert config_file.load_config(tmp_path).CourseDirectory.course_id == "mine"
    caplog.clear()
    config_file.write_config(tmp_path)
    assert not caplog.text


# -- what cannot be read, and what must not be shown -------------------------------------------------


def test_a_folder_that_cannot_be_opened_costs_its_owner_alone(tmp_path, monkeypatch):
    folder = put(tmp_path / "in", {f"ann/{LESSON}.ipynb": ANSWERED, f"bob/{LESSON}.ipynb": ANSWERED})
    real = Path.iterdir

    def closed(path: Path) -> Any:
        if path.name == "bob":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "iterdir", closed)
    collection = found(folder, tmp_path / "q")
    assert [one.student for one in collection.submissions] == ["ann"]
    assert collection.left_out == [f"{folder / 'bob'}: Permission denied, so this was not graded."]


def test_no_note_speaks_to_the_terminal_or_the_spreadsheet(tmp_path):
    note = "\x1b]0;owned\x07\x1b[2Jcould not be graded: \u202e"
    row = Row("ann", {"a": None}, {"a": 1.0}, note=note, ungraded=note)
    grades = Grades(LESSON, ["a"], [row], tmp_path, tmp_path / "x.csv", remarks=[note], left_out=[note])
    write_csv(grades)
    told = [table(grades), summary(grades), *grades.ungraded, grades.out.read_text("utf-8")]
    assert all(text.replace("\n", "").isprintable() for text in told)
    assert shown(note) in told[0] and len(grades.ungraded) == 2


def test_cells_of_a_release_without_ids_are_put_back_in_a_valid_notebook():
    released = build.student_notebook(LESSON)
    released.nbformat_minor = 4
    for cell in released.cells:
        del cell["id"]
    notebook = matching.restore(nbformat.v4.new_notebook(), matching.Master.of(released))
    nbformat.validate(notebook)
    points = {str(grade_id(cell)) for cell in notebook.cells}
    assert {"cell_index-check", "open_00_1"} <= points
