"""The instructor's day: the summary, late work and regrades, exports to Canvas and Moodle, feedback pages, and what
bad input ends in.

One course folder is graded once for all of it; what a test changes there it puts on a copy.
"""

# ruff: noqa: E501 - the LMSs' headers in one line

from __future__ import annotations

import argparse
import csv
import errno
import io
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.api import Gradebook
from traitlets.utils.importstring import import_item

import solutions
from autograder import samples
from autograder.author import build
from autograder.author.lesson import read_lesson, without_markers
from autograder.grade import batch, command
from autograder.grade.course_folder import CourseFolder
from autograder.intake.submission import Submission
from autograder.judge import matching, outputs, scoring
from autograder.judge.results import Outcome, Result, digest
from autograder.judge.seeds import SECRET_FILE, SEEDS_FILE
from autograder.nbgrader import gradebook
from autograder.reports import grade_table, lms, signs, spreadsheets
from autograder.reports.signs import Sign
from autograder.sandbox import bubblewrap, prefork, session
from nas_lib import cli
from tests import browsing

LESSON = "00_start_here"
OPEN = "open_00_1"
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> grade_table.Grades:
    """The samples of one lesson, trouble included, graded on short time limits."""
    folder = tmp_path_factory.mktemp("day")
    ((submissions, lesson),) = samples.write_all(folder / "submissions", [LESSON], samples.ALL)
    short = session.Limits(cell_seconds=5.0, probe_seconds=2.0, total_seconds=20.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "Limits", lambda: short)
        return command.grade(submissions, lesson, folder / "course", jobs=2, due=samples.DUE, progress=False)


@pytest.fixture
def course(day: grade_table.Grades, tmp_path: Path) -> Path:
    """A copy of the graded course folder."""
    return Path(shutil.copytree(day.course, tmp_path / "course"))


def row(grades: grade_table.Grades, student: str) -> grade_table.Row:
    return next(one for one in grades.rows if one.student == student)


def book(course: Path) -> Any:
    return Gradebook(f"sqlite:///{course / 'gradebook.db'}")


# -- summary -----------------------------------------------------------------------------------------------


def test_the_summary_of_a_day(day):
    text = " ".join(grade_table.summary(day).split())
    assert f"Summary of {LESSON}: 8 submissions" in text
    for task in day.tasks:
        assert task in text
    assert re.search(r"Out of time: endless: cell_index \(your code ran for more than", text)
    assert re.search(r"Crashed or stopped: hostile: cell_index \(.*exit status 0", text)
    assert "Late: late: 1 day 8 hours, nothing taken off" in text
    assert "hostile (os._exit, socket)" in text
    assert "edited-check" in text and "hostile (cell_index)" in text
    assert re.search(r"same-answers: .* copy, late, perfect \(", text)
    assert re.search(rf"Waiting for a person: \d+ points in 5 submissions \({OPEN}\)", text)
    assert "Isolation: " in text
    assert "1 cell_index, " in text  # by concept, with the number of students


def test_a_slow_start_is_said_where_it_is_slow(day):
    assert [remark for remark in day.remarks if "lies in" in remark] == list(
        filter(None, [prefork.covered()])
    )


def test_observations_are_no_accusations_and_say_what_they_may_mean(day):
    text = grade_table.summary(day)
    assert "observations, no findings, and changed no grade" in text
    for kind, meaning in signs.MEANINGS.items():
        assert (f"{kind}: " in text) == any(sign.kind == kind for one in day.rows for sign in one.signs) or (
            kind == "same-answers"
        )
        assert len(meaning) > 60
    assert not re.search(r"cheat|plagiari|dishonest|fraud|guilty", text, re.IGNORECASE)


def test_trouble_costs_its_own_exercise_alone(day):
    assert row(day, "endless").points["cell_index"] == 0
    assert (
        row(day, "endless").score == row(day, "perfect").score - row(day, "perfect").max_points["cell_index"]
    )
    assert row(day, "hostile").score == 0
    assert row(day, "hostile").max_score == row(day, "perfect").max_score


def rows_of(*given: tuple[str, float | None, str, str]) -> grade_table.Grades:
    """Grades of one exercise out of two points: (student, points, concept, message)."""
    rows = [
        grade_table.Row(
            name,
            {"search": points},
            {"search": 2.0},
            outcomes={"search": Outcome((points or 0) / 2, concept, said)},
        )
        for name, points, concept, said in given
    ]
    return grade_table.Grades("90_made_up", ["search"], rows, Path(), Path("grades.csv"), "bubblewrap")


def test_means_and_shares_are_of_those_whose_points_are_known():
    text = grade_table.summary(
        rows_of(("a", 2.0, "", ""), ("b", 1.0, "late-start", "starts late"), ("c", 0.0, "late-start", "starts late"),
                ("d", 0.0, "not-implemented", "not implemented yet"), ("e", None, "", ""))
    )  # fmt: skip
    line = next(line for line in text.splitlines() if line.startswith("search "))
    assert " ".join(line.split()) == "search 0.75 2 25 % 50 % 1 (1 more wait for a person)"
    assert "2  search, late-start: starts late" in text
    assert "not-implemented" not in text


def test_what_nobody_did_is_not_mentioned():
    text = grade_table.summary(rows_of(("a", 2.0, "", "")))
    for title in ("went wrong", "Out of time", "Crashed", "Look at these", "Late", "Waiting", "Not graded"):
        assert title not in text


def test_unsafe_grading_is_said_in_the_summary():
    grades = rows_of(("a", 2.0, "", ""))
    grades.isolation = "none"
    assert "Isolation: NONE" in grade_table.summary(grades)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "less than a second"),
        (1, "1 second"),
        (3_600, "1 hour"),
        (90_061, "1 day 1 hour"),
        (172_800, "2 days"),
    ],
)
def test_durations_read_well(seconds, text):
    assert grade_table.duration(seconds) == text


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_on_a_feedback_page_keeps_anybody_out(day: grade_table.Grades, dark: bool) -> None:
    with browsing.browser() as started:
        page = browsing.page(started, dark=dark)
        for student in ("perfect", "half"):
            [file] = day.course.glob(f"feedback/{student}/{LESSON}/*.html")
            page.goto(file.as_uri())
            assert browsing.barriers(page) == [], student


# -- signs -------------------------------------------------------------------------------------------------


def master() -> matching.Master:
    return matching.Master.of(build.student_notebook(LESSON))


def signs_in(answer: str) -> list[Sign]:
    names = samples.sources(LESSON, "blank")
    return signs.of_submission(samples.notebook(LESSON, {**names, "cell_index": answer}), master(), {})


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("import urllib.request", "urllib.request"),
        ("from subprocess import run", "subprocess"),
        ("import os\nos.kill(1, 9)", "os.kill"),
        ("from os import kill as end", "os.kill"),
        ("import os as machine\nmachine.register_at_fork(after_in_child=print)", "os.register_at_fork"),
        ("open('../gradebook.db')", "gradebook.db"),
        ("text = f'/proc/{pid}/mem'", "/proc/"),
        ("%time open('/proc/self/maps')", "/proc/"),
        ("__import__('ctypes')", "ctypes"),
    ],
)
def test_ways_out_of_the_notebook_are_seen(code, seen):
    assert Sign("reaches-out", seen) in signs_in(code)


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("import gc", "gc"),
        ("import importlib\nimportlib.import_module('gc')", "gc"),
        ("import sys as s\ns._getframe(1).f_back", "_getframe"),
        ("look = getattr(sys, '_getframe')", "_getframe"),
        ("import inspect\ninspect.currentframe()", "inspect.currentframe"),
        ("from inspect import stack", "inspect.stack"),
        ("print.__self__.f.__code__", "__code__"),
        ("def f(): pass\nf.__globals__['x']", "__globals__"),
        ("().__class__.__base__.__subclasses__()", "__subclasses__"),
        ("import types\ntypes.FunctionType(f, {})", "types.FunctionType"),
        ("exec(text)", "exec"),
        ("import builtins\nbuiltins.eval(text)", "eval"),
        ("import nas_lib.checks.hiding", "nas_lib.checks.hiding"),
        ("from nas_lib import checks\nchecks.run_probe = print", "nas_lib.checks.run_probe"),
        ("from nas_lib.standins import STANDINS", "nas_lib.standins"),
        ("from solutions import load", "solutions"),
        ("name = 'nas_lib.checks.hiding'", "nas_lib.checks.hiding"),
        ("text = open('nas_lib/standins/start_here.py')", "nas_lib/standins"),
        ("from nas_lib.spaces import cells as c\nc._all_cells(())", "nas_lib.spaces.cells._all_cells"),
        (
            "from nas_lib.spaces import CellSpace\nCellSpace()._weights[0]",
            "nas_lib.spaces.CellSpace._weights",
        ),
        ("space._weights", "nas_lib.spaces.CellSpace._weights"),
    ],
)
def test_what_looks_into_the_checks_and_python_s_internals_is_seen(code, seen):
    assert Sign("reaches-in", seen) in signs_in(code)


@pytest.mark.parametrize("lesson", solutions.lessons())
def test_right_and_usual_wrong_answers_show_no_sign(lesson):
    ours = matching.Master.of(build.student_notebook(lesson))
    unknown = matching.Master((), {})  # the lesson's own cells are taken for the learner's, too
    colab = Sign("reaches-out", "subprocess")  # installs the course there
    for sample in ("perfect", "blank", "wrong"):
        work = samples.notebook(lesson, samples.sources(lesson, sample))
        assert signs.of_submission(work, ours, {}) == []
        assert signs.of_submission(work, unknown, {}) == [colab]


@pytest.mark.parametrize("sample", samples.SAMPLES)
def test_ordinary_work_shows_no_sign(day, sample):
    assert row(day, sample).signs == []


@pytest.mark.parametrize(
    "code",
    [
        *("this is no Python", "x = '\ud800'", "(" * 500, "import math, os\nos.path.join('a')"),
        *("import torch, re\ntorch.compile(net)\nre.compile('a')\nnet.eval()", "getattr(net, 'conv1')"),
        *("from nas_lib.checks import check\ncheck('cell_index', cell_index)", "%timeit cell_index(arch)"),
        "class Net:\n    def __init__(self):\n        self._weights = []\n        super().__init__()",
        "import sys\ncolab = 'google.colab' in sys.modules\nsys.path.append('..')",
    ],
)
def test_odd_code_is_no_sign_and_no_failure(code):
    assert signs_in(code) == []


def answers_of(code: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return signs.fingerprint(samples.notebook(LESSON, code), master())


ONE_WAY = {
    "cell_index": """
def cell_index(arch):
    \"\"\"The number of a cell.\"\"\"
    number = 0
    for name in arch:
        if name not in OPS:
            raise ValueError("unknown operation")
        number = number * len(OPS) + OPS.index(name)
    return number
""",
    "cell_from_index": """
def cell_from_index(i):
    names = []
    for _ in EDGES:
        i, digit = divmod(i, len(OPS))
        names.append(OPS[digit])
    return tuple(reversed(names))
""",
}


def test_a_fingerprint_sees_through_layout_comments_and_names():
    disguised = {
        "cell_index": ONE_WAY["cell_index"]
        .replace("arch", "cell")
        .replace("number", "total")
        .replace("The ", "My "),
        "cell_from_index": "# my own\n"
        + ONE_WAY["cell_from_index"].replace("names", "found").replace("    ", "  "),
    }
    assert answers_of(ONE_WAY) == answers_of(disguised) != ()
    other = {**ONE_WAY, "cell_index": ONE_WAY["cell_index"].replace("len(OPS) +", "5 +")}
    assert answers_of(other) != answers_of(ONE_WAY)


def test_small_or_single_or_missing_answers_have_no_fingerprint():
    assert answers_of(samples.sources(LESSON, "blank")) == ()
    assert answers_of({"cell_index": ONE_WAY["cell_index"]}) == ()
    assert answers_of({**ONE_WAY, "cell_index": "cell_index = len"}) == ()


# -- late work and regrades --------------------------------------------------------------------------------


def regrade(course: Path, *students: str) -> grade_table.Grades:
    return command.grade(course / "submitted", LESSON, course, progress=False, students=students)


def test_seconds_late_and_no_penalty_by_default(day):
    late = row(day, "late")
    assert late.late_seconds == 32 * 3600 + 31 * 60  # from 23:59 to 08:30 on the second day after
    assert late.penalty == 0
    assert late.score == row(day, "perfect").score
    assert {one.student for one in day.rows if one.late_seconds} == {"late"}


def test_a_manual_grade_and_its_comment_stand_through_a_regrade_until_the_answer_changes(course):
    with book(course) as gradebook_:
        given = gradebook_.find_grade(OPEN, LESSON, LESSON, "perfect")
        given.manual_score, given.needs_manual_grade = 1.5, False
        gradebook_.find_comment(OPEN, LESSON, LESSON, "perfect").manual_comment = "Say **which** runs."
        gradebook_.db.commit()
    before = command.recall(LESSON, course)
    assert row(before, "perfect").points[OPEN] == 1.5
    after = regrade(course, "perfect")
    assert after.rows == before.rows
    page = (course / "feedback" / "perfect" / LESSON / f"{LESSON}.html").read_text("utf-8")
    assert "Say <strong>which</strong> runs." in page

    path = course / "submitted" / "perfect" / LESSON / f"{LESSON}.ipynb"
    path.write_text(path.read_text("utf-8").replace("equal budgets", "the same budget"), encoding="utf-8")
    changed = row(regrade(course, "perfect"), "perfect")
    assert changed.points[OPEN] is None
    assert changed.note == f"graded by a person before the last change, look again: {OPEN}"
    with book(course) as gradebook_:
        assert gradebook_.find_grade(OPEN, LESSON, LESSON, "perfect").manual_score == 1.5
        assert gradebook_.find_comment(OPEN, LESSON, LESSON, "perfect").comment == "Say **which** runs."


def test_one_student_is_regraded_after_a_check_was_mended(course, monkeypatch):
    def generous(lesson: str, steps: Any, seeds: dict[str, int], *_: Any, **__: Any) -> Result:
        return Result(digest(lesson, steps, seeds), {name: Outcome(1.0, "", "") for name in seeds}, {})

    monkeypatch.setattr(scoring, "evaluate", generous)
    monkeypatch.setattr(batch, "code_version", lambda: "with the mended check")
    done = regrade(course, "wrong")
    assert row(done, "wrong").score == row(done, "perfect").score > 0
    assert row(done, "half").score < row(done, "perfect").score  # the others as they were
    assert {one.student for one in done.rows} == set(samples.ALL)
    with open(done.out, newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(samples.ALL)
    with pytest.raises(ValueError, match=r"student must have a submission in .*, got 'nobody'"):
        regrade(course, "nobody")


def test_a_result_is_stored_with_its_own_submission_alone(course):
    place = CourseFolder(course)
    steps, seeds = place.steps(LESSON, "half"), place.seeds(LESSON)
    before = place.row(LESSON, "half")
    perfect = {name: Outcome(1.0, "", "") for name in seeds}
    for others in (
        digest(LESSON, steps[:-1], seeds),
        digest(LESSON, steps, {**seeds, "cell_index": seeds["cell_index"] + 1}),
        digest("01_random_search", steps, seeds),
    ):
        assert place.autograde(LESSON, "half", Result(others, perfect, {})) == (
            "the result for half was made of other cells or seeds than those of the submission of "
            f"{LESSON} that is there now: grade it again."
        )
        assert place.row(LESSON, "half") == before
    assert place.autograde(LESSON, "half", Result(digest(LESSON, steps, seeds), perfect, {})) == ""
    earned = place.row(LESSON, "half").points
    assert all(earned[name] == before.max_points[name] for name in seeds)
    # None is left over for the next time: without a result the submission is evaluated.
    assert place.autograde(LESSON, "half") == ""
    assert place.row(LESSON, "half") == before


def use_the_guides_plugin(course: Path) -> None:
    """As the guide describes it: a class in the course folder, named in nbgrader_config.py."""
    guide = (ROOT / "docs" / "instructor_guide.md").read_text("utf-8")
    plugin = next(
        block for block in re.findall(r"```python\n(.*?)```", guide, re.S) if "LateSubmissionPlugin" in block
    )
    setting = re.search(r"^c\.AssignLatePenalties\.plugin_class = .*$", guide, re.M)
    (course / "late.py").write_text(plugin, encoding="utf-8")
    with open(course / "nbgrader_config.py", "a", encoding="utf-8") as file:
        file.write(f"\nsys.path.insert(0, str(Path(__file__).resolve().parent))\n{setting[0]}\n")


def test_a_late_penalty_is_a_plugin_of_nbgraders_and_counts_without_a_regrade(course):
    use_the_guides_plugin(course)
    done = run(course, "-m", "nas_lib.cli", *again(course, "--student", "late"))
    assert done.returncode == 0, done.stderr[-2000:]
    assert "late: 1 day 8 hours, 1.6 points taken off" in done.stdout
    late = row(command.recall(LESSON, course), "late")
    assert late.penalty == pytest.approx(0.2 * 8)  # two days begun, a tenth each
    assert late.score == pytest.approx(8 - late.penalty)
    page = course / "feedback" / "late" / LESSON / f"{LESSON}.html"
    assert "1 day 8 hours late: 1.6 points taken off" in visible(page.read_text("utf-8"))


def test_a_late_penalty_is_of_all_points_also_of_those_that_a_person_gave_later(course, capsys):
    use_the_guides_plugin(course)
    with book(course) as gradebook_:
        given = gradebook_.find_grade(OPEN, LESSON, LESSON, "late")
        given.manual_score, given.needs_manual_grade = 2.0, False
        gradebook_.db.commit()
    late = row(command.recall(LESSON, course), "late")
    assert (late.penalty, late.score) == (pytest.approx(0.2 * 10), pytest.approx(8.0))
    with book(course) as gradebook_:
        gradebook_.find_grade(OPEN, LESSON, LESSON, "late").manual_score = 1.0
        gradebook_.db.commit()
    done = run(course, "-m", "nbgrader", "generate_feedback", LESSON, "--student", "late", "--force")
    assert done.returncode == 0, done.stderr[-2000:]
    page = course / "feedback" / "late" / LESSON / f"{LESSON}.html"
    assert "1.8 points taken off" in visible(page.read_text("utf-8"))
    with book(course) as gradebook_:
        gradebook_.find_grade(OPEN, LESSON, LESSON, "late").manual_score = 0.0
        gradebook_.db.commit()
    exporter = "--exporter=autograder.reports.lms.CanvasExportPlugin"
    done = run(course, "-m", "nbgrader", "export", exporter, "--to=canvas.csv")
    assert done.returncode == 0, done.stderr[-2000:]
    assert {line["SIS Login ID"]: line[LESSON] for line in read(course / "canvas.csv")}["late"] == "6.4"


def test_a_plugin_that_does_not_work_is_one_sentence(course, capsys):
    with open(course / "nbgrader_config.py", "a", encoding="utf-8") as file:
        file.write('\nc.AssignLatePenalties.plugin_class = "no_such_module.Plugin"\n')
    report = ["report", "--lesson", LESSON, "--course", str(course)]
    assert "AssignLatePenalties.plugin_class must be a plugin that works" in refused(report, capsys)


def test_what_is_regraded_is_one_students_alone(course, monkeypatch):
    graded: list[str] = []
    evaluate = batch.evaluate
    monkeypatch.setattr(batch, "evaluate", lambda task: (graded.append(task.student), evaluate(task))[1])
    again_ = ["blank", "half", "perfect", "wrong"]
    command.grade(course / "submitted", LESSON, course, progress=False, students=["half"], regrade=True)
    assert graded == ["half"]
    command.grade(course / "submitted", LESSON, course, progress=False, students=again_)
    assert graded == ["half"]  # nobody's results were lost
    command.grade(course / "submitted", LESSON, course, progress=False, students=["half"], regrade=True)
    assert graded == ["half", "half"]


def test_a_broken_configuration_is_one_sentence(course, capsys):
    with open(course / "nbgrader_config.py", "a", encoding="utf-8") as file:
        file.write("\nc.Autograde = no_such_name\n")
    assert "nbgrader_config.py cannot be used: NameError: name 'no_such_name'" in refused(
        again(course), capsys
    )


# -- exports -----------------------------------------------------------------------------------------------


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PATH": programs, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )


def name_students(course: Path) -> None:
    with book(course) as gradebook_:
        for student, first, last, email, lms in (
            ("half", "Zoë", "Ørsted", "zoe@example.org", "101"),
            ("blank", "=cmd()", '李, "Bo"', "bo@example.org", "102"),
            ("perfect", "Ann", "Lee", "Ann@example.org", "103"),
        ):
            gradebook_.update_or_create_student(
                student, first_name=first, last_name=last, email=email, lms_user_id=lms
            )


def export(course: Path, kind: str, capsys: Any = None, **options: Any) -> list[dict[str, str]]:
    plugin = getattr(lms, f"{kind}ExportPlugin")(to=str(course / "out.csv"), **options)
    with book(course) as gradebook_:
        plugin.export(gradebook_)
    return read(course / "out.csv")


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))


CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,Essay (11),00 Start Here (12),Current Score,Final Score
,,,,,,Manual Posting,,
    Points Possible,,,,,5,10,(read only),(read only)
"Ørsted, Zoë",101,u-1,zoe,"A, B",4,,80,80
"Bo, 李",102,u-2,bo,A,3,1,60,60
"Lee, Ann",103,u-3,ann,A,3,1,60,60
"Guest, Not Here",109,u-9,guest,A,,,,
"Student, Test",110,,,A,,,,
"""
WORKSHEET = """\
Identifier,Full name,Email address,Status,Grade,Maximum grade,Grade can be changed,Last modified (submission),Last modified (grade),Feedback comments
Participant 101,Zoë Ørsted,zoe@example.org,Submitted for grading,,10.00,Yes,"Monday, 5 January 2026, 9:00 AM",-,
Participant 9102,李 Bo,BO@example.org,Submitted for grading,3,10.00,Yes,-,-,
Participant 109,Not Here,guest@example.org,No submission,,10.00,Yes,-,-,
"""
GRADER_REPORT = """\
First name,Last name,ID number,Email address,Assignment: 00 Start here (Real),Course total (Real),Last downloaded from this course
Zoë,Ørsted,,zoe@example.org,-,-,1768000000
Ann,Lee,,Ann@example.org,-,-,1768000000
"""


def test_canvas_without_a_template_has_the_importers_columns(course):
    name_students(course)
    found = export(course, "Canvas")
    assert list(found[0]) == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", LESSON]
    assert found[0]["Student"].strip() == "Points Possible" and found[0][LESSON] == "10"
    by_id = {line["ID"]: line for line in found}
    assert by_id["101"]["Student"] == "Ørsted, Zoë"
    assert float(by_id["101"][LESSON]) == row(command.recall(LESSON, course), "half").score
    assert by_id["102"]["Student"] == '李, "Bo", =cmd()'
    assert by_id["102"][LESSON] == "0"


def test_points_that_wait_for_a_person_are_no_zeros(course, capsys):
    name_students(course)
    assert "103" not in {line["ID"] for line in export(course, "Canvas")}
    said = capsys.readouterr().out
    assert "left out (waiting for a person: copy, endless, late, perfect, wrong)" in said
    so_far = {line["ID"]: line[LESSON] for line in export(course, "Canvas", pending="so-far")}
    assert so_far["103"] == "8"
    with book(course) as gradebook_:
        gradebook_.add_student("absent", lms_user_id="104")
    assert "104" not in {line["ID"] for line in export(course, "Canvas")}
    assert {line["ID"]: line[LESSON] for line in export(course, "Canvas", missing="zero")}["104"] == "0"


def test_canvas_own_export_is_filled_in(course, capsys):
    name_students(course)
    (course / "canvas.csv").write_text(CANVAS, encoding="utf-8-sig")
    found = export(course, "Canvas", into=str(course / "canvas.csv"))
    assert (course / "out.csv").read_bytes().startswith(b"\xef\xbb\xbf")  # as it came
    assert list(found[0]) == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "00 Start Here (12)"]
    lines = {line["ID"]: line for line in found if line["ID"]}
    assert sorted(lines) == ["101", "102"]  # the others' fields in Canvas stay as they are
    assert lines["101"]["Section"] == "A, B"
    assert float(lines["101"]["00 Start Here (12)"]) == row(command.recall(LESSON, course), "half").score
    assert lines["102"]["00 Start Here (12)"] == "0"
    assert f"Not in {course / 'canvas.csv'}, so not exported: copy, " in capsys.readouterr().out


def test_moodles_worksheet_is_filled_in(course):
    name_students(course)
    (course / "sheet.csv").write_text(WORKSHEET, encoding="utf-8")
    found = export(course, "Moodle", into=str(course / "sheet.csv"))
    assert list(found[0]) == WORKSHEET.splitlines()[0].split(",")
    lines = {line["Identifier"]: line for line in found}
    assert sorted(lines) == ["Participant 101", "Participant 9102"]
    assert lines["Participant 9102"]["Grade"] == "0"  # by e-mail address, whatever its letters' case
    assert lines["Participant 101"]["Last modified (submission)"] == "Monday, 5 January 2026, 9:00 AM"


def test_moodles_grader_report_and_a_file_of_our_own(course):
    name_students(course)
    (course / "report.csv").write_text(GRADER_REPORT, encoding="utf-8")
    found = export(course, "Moodle", into=str(course / "report.csv"), pending="so-far")
    assert {line["Email address"]: line["Assignment: 00 Start here (Real)"] for line in found} == {
        "zoe@example.org": f"{row(command.recall(LESSON, course), 'half').score:g}",
        "Ann@example.org": "8",
    }
    own = export(course, "Moodle")
    assert list(own[0]) == ["First name", "Last name", "ID number", "Email address", LESSON]
    assert {line["ID number"]: line["First name"] for line in own}["102"] == "'=cmd()"
    assert all(line[LESSON] for line in own)  # an empty field would erase a grade there


@pytest.mark.parametrize(
    ("text", "kept"),
    [("-5", True), ("+49 30 1", False), ("=1+1", False), ("@x", False), ("-", True), ("", True), ("Ørsted", True),
     ("\t=1", False), ("  =1", False), ("-1.5%", True)],
)  # fmt: skip
def test_no_text_field_is_a_formula(text, kept):
    assert (spreadsheets.harmless(text) == text) is kept
    assert spreadsheets.harmless(text).lstrip("'") == text


@pytest.mark.parametrize(
    ("kind", "content", "options", "message"),
    [
        ("Canvas", None, {}, "into must be a file that can be read"),
        ("Canvas", "", {}, "into must be an export with a header"),
        ("Canvas", "a,b\n1,2\n", {}, "is no export of Canvas' gradebook"),
        ("Canvas", CANVAS.replace("00 Start Here", "Week 1"), {}, "HEADER is one of: 'Essay (11)', 'Week 1 (12)'"),
        ("Canvas", CANVAS.replace(",5,10,", ",5,100,"), {}, "out of 10 points here and out of 100 in the LMS"),
        ("Canvas", CANVAS, {"assignment": ["77_none"]}, "assignment must be one of 00_start_here, got '77_none'"),
        ("Canvas", CANVAS, {"student": ["nobody"]}, "student must be in the gradebook, got nobody"),
        ("Canvas", CANVAS.replace("102,u-2", "101,u-2"), {}, "student 'half' fits 2 rows"),
        ("Moodle", "Name,Grade\nx,1\n", {}, "it needs a column Identifier"),
        ("Moodle", WORKSHEET.replace("Last modified (grade)", "x"), {}, "without which Moodle refuses it"),
    ],
)  # fmt: skip
def test_a_wrong_template_ends_in_one_sentence_and_no_file(course, caplog, kind, content, options, message):
    name_students(course)
    path = course / "given.csv"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(SystemExit):
        export(course, kind, into=str(path), **options)
    assert message in caplog.text
    assert not (course / "out.csv").exists()


def test_points_are_converted_only_when_asked_for(course):
    name_students(course)
    (course / "canvas.csv").write_text(CANVAS.replace(",5,10,", ",5,100,"), encoding="utf-8")
    found = export(course, "Canvas", into=str(course / "canvas.csv"), rescale=True)
    half = next(line for line in found if line["ID"] == "101")
    assert float(half["00 Start Here (12)"]) == pytest.approx(
        10 * row(command.recall(LESSON, course), "half").score
    )


# -- feedback ----------------------------------------------------------------------------------------------


def page(grades: grade_table.Grades, student: str) -> str:
    return (grades.course / "feedback" / student / LESSON / f"{LESSON}.html").read_text("utf-8")


def visible(html: str) -> str:
    body = html.partition("<body>")[2]
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<(style|script).*?</\1>", "", body, flags=re.S)).split())


@pytest.mark.parametrize("sample", samples.ALL)
def test_points_stand_at_the_top_and_the_message_beside_its_answer(day, sample):
    html = page(day, sample)
    one = row(day, sample)
    top = visible(html.partition("</table>")[0])
    assert f"{one.score:g} of {one.max_score:g} points" in top
    for task, points in one.points.items():
        assert re.search(rf"{task} .{{1,30}} {'–' if points is None else format(points, 'g')} of", top)
    for task in ("cell_index", "count_active_ops"):
        beside = html.partition(f'<a id="task-{task}">')[2].partition("</div>")[0]
        outcome = one.outcomes[task]
        assert f"{one.points[task]:g} of {one.max_points[task]:g} points" in visible("<body>" + beside)
        assert outcome.score == 1.0 or len(visible("<body>" + beside).split("points", 1)[1]) > 15


def test_a_page_shows_nothing_that_learners_should_not_see(day):
    secret = (day.course / SECRET_FILE).read_text("utf-8").strip()
    seeds = re.findall(r"\d{6,}", (day.course / SEEDS_FILE).read_text("utf-8"))
    assert seeds
    lesson = read_lesson(LESSON)
    reference = without_markers(lesson.cells[lesson.task("cell_index").cell].source)
    body = reference.rpartition('"""')[2].strip()
    for sample in ("blank", "half", "wrong", "endless", "hostile"):
        html = page(day, sample)
        assert secret not in html
        assert not [seed for seed in seeds if seed in html]
        assert "MARK SCHEME" not in html and "HIDDEN" not in html
        assert " ".join(body.split()) not in visible(html)
        for internal in (
            "grade_id",
            "autograd",
            "probe",
            "concept:",
            "Traceback",
            "nbgrader",
            "course_secret",
        ):
            assert internal not in visible(html), internal
        assert 'check("' not in visible(html)


def test_what_was_left_as_it_was_is_told_once(day):
    blank = visible(page(day, "blank"))
    assert "No response" not in blank
    assert "0 of 2 points Not answered" in blank
    assert "not graded yet, up to 2 points A person reads this answer" in visible(page(day, "perfect"))


def test_a_page_is_readable_on_a_phone_and_in_print_and_loads_nothing_but_formulas(day):
    html = page(day, "half")
    assert 'name="viewport"' in html and "@media print" in html
    assert set(re.findall(r'(?:src|href)="(https?://[^/"]+)', html.partition("<body>")[0])) <= {
        "https://cdnjs.cloudflare.com"
    }
    assert len(html) < 400_000


def test_messages_cannot_run_anything(course):
    nasty = "<script>alert(1)</script>"
    path = course / "autograded" / "wrong" / LESSON / f"{LESSON}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if outputs.OUTCOME in output.get("metadata", {}):
                output.metadata[outputs.OUTCOME]["message"] = f"{nasty} in `{nasty}`"
    path.chmod(0o644)
    nbformat.write(notebook, path)
    place = CourseFolder(course)
    assert place.write_feedback(LESSON, ["wrong"]) == {}
    html = (course / "feedback" / "wrong" / LESSON / f"{LESSON}.html").read_text("utf-8")
    assert html.count("&lt;script&gt;alert(1)") >= 2
    assert nasty not in html


def test_what_could_not_be_read_says_so_first_and_in_the_table(course, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "eve.ipynb").write_text("no notebook", encoding="utf-8")
    done = command.grade(tmp_path / "in", LESSON, course, progress=False)
    (eve,) = done.rows
    assert eve.note.startswith("The notebook cannot be read")
    assert row(command.recall(LESSON, course), "eve").note == eve.note
    assert f"eve: {eve.note[:40]}" in grade_table.summary(done)
    top = visible(
        (course / "feedback" / "eve" / LESSON / f"{LESSON}.html").read_text("utf-8").partition("<table")[0]
    )
    assert "The notebook cannot be read" in top


# -- bad input ---------------------------------------------------------------------------------------------


def refused(arguments: list[str], capsys: Any) -> str:
    """The one sentence that a command ends in."""
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err.strip()
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1, said
    return said


def intact(course: Path) -> bool:
    """Is the gradebook as it was?"""
    with sqlite3.connect(course / "gradebook.db") as database:
        return database.execute("PRAGMA integrity_check").fetchone()[0] == "ok" and (
            database.execute("SELECT count(*) FROM grade WHERE auto_score > 0").fetchone()[0] > 0
        )


def again(course: Path, *more: str) -> list[str]:
    return ["grade", str(course / "submitted"), "--lesson", LESSON, "--course", str(course), *more]


def test_the_sandbox_comes_before_the_input(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv(bubblewrap.UNSAFE_VARIABLE, raising=False)
    monkeypatch.setattr(bubblewrap, "missing", lambda: "bubblewrap is not installed.")
    for arguments in (["grade", "/nowhere"], ["grade", "/nowhere", "--lesson", "77_none", "--jobs", "0"]):
        assert "Nothing has been graded: bubblewrap" in refused(arguments, capsys)


def test_bad_arguments(course, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for arguments, message in (
        (again(course, "--lesson", "77_none"), "lesson must be one of"),
        (["grade", str(tmp_path / "empty"), "--lesson", LESSON, "--course", str(course)], "no submission of"),
        (again(course, "--jobs", "0"), "jobs must be at least 1, got 0"),
        (
            again(course, "--out", str(tmp_path / "no" / "x.csv")),
            "out must be a file in a folder that exists",
        ),
        (again(course, "--out", str(tmp_path)), "out must be a file in a folder that exists"),
        (again(course, "--due", "2026-13-45"), "due must be a date such as"),
        (again(course, "--student", "nobody"), "student must have a submission in"),
        (
            ["report", "--lesson", LESSON, "--course", str(tmp_path / "none")],
            "course must be a folder in which",
        ),
        (
            ["report", "--lesson", "01_random_search", "--course", str(course)],
            "no submission of 01_random_search",
        ),
    ):
        assert message in refused(arguments, capsys), arguments
        assert intact(course)


def test_grading_the_submitted_folder_itself_loses_nothing_of_it(course):
    folder = course / "submitted" / "late" / LESSON
    (folder / "submission_secret.txt").write_text("the exchange's", encoding="utf-8")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    place = CourseFolder(course)
    assert place.hand_in(LESSON, Submission("late", folder / f"{LESSON}.ipynb")) == ""
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert sorted(before) == [f"{LESSON}.ipynb", "submission_secret.txt", "timestamp.txt"]


def test_two_submissions_of_one_student(course, capsys):
    shutil.copy(
        course / "submitted" / "half" / LESSON / f"{LESSON}.ipynb", course / "submitted" / "half.ipynb"
    )
    assert "'half' has handed in twice" in refused(again(course), capsys)
    assert intact(course)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_bytes(b"SQLite format 3\0" + b"garbage" * 1000), "is damaged"),
        (lambda path: path.write_text("no database"), "is damaged (file is not a database)"),
        (lambda path: (path.unlink(), path.mkdir()), "cannot be opened for writing"),
    ],
)
def test_a_damaged_gradebook_is_left_alone_and_its_copy_named(course, capsys, spoil, message):
    gradebook.back_up(course)
    path = course / "gradebook.db"
    spoil(path)
    before = path.read_bytes() if path.is_file() else b""
    said = refused(again(course), capsys)
    assert message in said
    if path.is_file():
        assert f"copy {course / gradebook.BACKUP} over it" in said
        assert path.read_bytes() == before
        shutil.copy(course / gradebook.BACKUP, path)  # what the sentence says helps
        assert intact(course)


def test_a_gradebook_without_permission(course, capsys, monkeypatch):
    """Tests may run as root, whom no permission stops: SQLite's answer is played."""

    def denied(*_: Any, **__: Any) -> None:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    monkeypatch.setattr(gradebook.sqlite3, "connect", denied)
    assert "cannot be opened for writing (attempt to write a readonly" in refused(again(course), capsys)


def test_a_gradebook_that_another_program_is_writing(course, capsys, monkeypatch):
    monkeypatch.setattr(gradebook, "WAIT_SECONDS", 0.1)
    other = sqlite3.connect(course / "gradebook.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert "is being written by another program" in refused(again(course), capsys)
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert intact(course)


def no_room(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_before_grading(course, capsys, monkeypatch):
    monkeypatch.setattr(nbformat, "write", no_room)
    assert "no room is left on the disk of" in refused(again(course), capsys)
    assert intact(course)


def test_a_full_disk_while_grades_are_stored_keeps_what_was_there(course, capsys, monkeypatch):
    from nbconvert.writers import FilesWriter

    copy = course / "autograded" / "half" / LESSON / f"{LESSON}.ipynb"
    before = copy.read_bytes()
    monkeypatch.setattr(FilesWriter, "write", no_room)
    said = refused(again(course, "--student", "half", "--regrade"), capsys)
    assert "what had been graded is kept; make room and run the same command again" in said
    assert copy.read_bytes() == before
    assert intact(course)
    monkeypatch.undo()
    assert cli.main(again(course, "--student", "half")) == 0
    assert copy.exists()


def test_a_file_size_limit_is_a_full_disk_too(course):
    """For real: nothing longer than 100 kB can be written, the gradebook included."""
    code = (
        "import resource, sys; from nas_lib import cli;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "sys.exit(cli.main(sys.argv[1:]))"
    )
    done = run(course, "-c", code, *again(course))
    assert done.returncode == 2, done.stderr
    assert re.search(r"^nas-course: .*(no room is left|cannot be written)", done.stderr.splitlines()[-1])
    assert "Traceback" not in done.stderr
    assert intact(course)


def test_a_course_folder_of_another_version_of_the_lesson(course, capsys, monkeypatch):
    real = build.instructor_notebook

    def without_a_task(lesson: str) -> Any:
        notebook = real(lesson)
        notebook.cells = [cell for cell in notebook.cells if "count_active_ops" not in str(cell.metadata)]
        return notebook

    monkeypatch.setattr(build, "instructor_notebook", without_a_task)
    said = refused(again(course), capsys)
    assert "its cells have changed since submissions were graded here; use another --course folder" in said
    assert intact(course)


def test_a_copy_of_the_gradebook_from_before_the_run_is_kept(course):
    with book(course) as gradebook_:
        gradebook_.find_grade(OPEN, LESSON, LESSON, "perfect").manual_score = 2.0
        gradebook_.db.commit()
    before = (course / "gradebook.db").read_bytes()
    regrade(course, "blank")
    kept = sqlite3.connect(course / gradebook.BACKUP)
    assert kept.execute("SELECT count(*) FROM grade WHERE manual_score = 2.0").fetchone() == (1,)
    kept.close()
    assert before != b""


def test_errors_of_the_database_become_one_sentence(tmp_path):
    from sqlalchemy.exc import OperationalError

    for reason, kind, message in (
        ("database or disk is full", gradebook.DiskFull, "no room is left"),
        ("database is locked", gradebook.Unusable, "is being written"),
        ("database disk image is malformed", gradebook.Unusable, "is damaged"),
    ):
        with pytest.raises(kind, match=message), gradebook.trouble_in_one_sentence(tmp_path):
            raise OperationalError("UPDATE grade", {}, Exception(reason))
    with pytest.raises(PermissionError), gradebook.trouble_in_one_sentence(tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied")


# -- the guide ---------------------------------------------------------------------------------------------

GUIDE = (ROOT / "docs" / "instructor_guide.md").read_text("utf-8")
COMMANDS = [
    line.removeprefix("$ ")
    for block in re.findall(r"```console\n(.*?)```", GUIDE, re.S)
    for line in block.splitlines()
    if line.startswith("$ ")
]


@pytest.mark.parametrize("command", [one for one in COMMANDS if one.startswith("nas-course ")])
def test_the_guides_commands_are_commands(command):
    arguments = cli.build_parser(ROOT).parse_args(shlex.split(command)[1:])
    assert callable(arguments.run)
    for lesson in [getattr(arguments, "lesson", None), *(getattr(arguments, "lessons", None) or [])]:
        assert lesson is None or lesson in solutions.lessons()


@pytest.mark.parametrize("command", [one for one in COMMANDS if one.startswith("nbgrader ")])
def test_the_guides_nbgrader_commands_are_nbgraders(command):
    from nbgrader.apps import ExportApp, NbGraderApp

    _, name, *rest = shlex.split(command)
    app = NbGraderApp().subcommands[name][0]
    while rest and rest[0] in (inner := app().subcommands):
        app = inner[rest.pop(0)][0]
        app = import_item(app) if isinstance(app, str) else app
    for option in (word.lstrip("-").partition("=")[0] for word in rest if word.startswith("-")):
        if "." in option:
            kind, trait = option.split(".")
            assert trait in getattr(lms, kind).class_trait_names(config=True), option
            assert app is ExportApp
        else:
            assert option in {
                one for key in (*app.aliases, *app.flags) for one in ([key] if isinstance(key, str) else key)
            }


def test_the_guides_other_words_are_true():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert {one.split()[1] for one in COMMANDS if one.startswith("make ")} <= targets
    assert {one.split()[0] for one in COMMANDS} <= {"make", "nas-course", "nbgrader", "jupyter"}
    help_text = " ".join(parser.format_help() for parser in _parsers(cli.build_parser(ROOT)))
    for option in re.findall(r"`(--[a-z]+)`", GUIDE):
        assert f"{option} " in help_text or f"{option}\n" in help_text, option
    for kind, trait in re.findall(r"--(\w+ExportPlugin)\.(\w+)", GUIDE):
        assert trait in getattr(lms, kind).class_trait_names(config=True)
    for kind in signs.MEANINGS:
        assert f"*{kind}*" in GUIDE
    assert gradebook.BACKUP in GUIDE and SECRET_FILE in GUIDE and SEEDS_FILE in GUIDE
    assert "docs/instructor_guide.md" in (ROOT / "README.md").read_text("utf-8")


def _parsers(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    found = [parser]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found += [inner for one in action.choices.values() for inner in _parsers(one)]
    return found


def test_the_guides_error_sentences_are_the_programs():
    """What the table of troubles quotes stands in the code, but for what is filled in."""
    elsewhere = [ROOT / "solutions" / "__init__.py", ROOT / "nas_lib" / "_files.py"]
    code = " ".join(
        re.sub(r'"\s*\n\s*f?"', "", path.read_text("utf-8"))
        for path in [*sorted((ROOT / "autograder").rglob("*.py")), *elsewhere]
    )
    code = code.replace("{missing()}", "bubblewrap").replace("{argument}", "out")
    quoted = re.findall(r"^\| `(.+?)`", GUIDE.partition("## Troubleshooting")[2], re.M)
    assert len(quoted) > 12
    for sentence in quoted:
        assert sentence in code, sentence


def test_assign_makes_a_course_folder(tmp_path, capsys):
    assert (
        cli.main(["assign", LESSON, "--course", str(tmp_path / "course"), "--due", "2026-10-01 23:59 UTC"])
        == 0
    )
    released = tmp_path / "course" / "release" / LESSON / f"{LESSON}.ipynb"
    assert capsys.readouterr().out.strip() == str(released)
    assert released.read_text("utf-8") == build.render(build.student_notebook(LESSON))
    with book(tmp_path / "course") as gradebook_:
        assert str(gradebook_.find_assignment(LESSON).duedate) == "2026-10-01 23:59:00"
    assert "lesson must be one of" in refused(
        ["assign", "77_none", "--course", str(tmp_path / "other")], capsys
    )
    assert not (tmp_path / "other").exists()
