"""Grading end to end: the bundled samples, nbgrader's traps, and learners' code that hangs, crashes or merely
looks odd.

Everything runs through nbgrader's own steps with the course's configuration; only `evaluate` is called
directly where the gradebook does not matter. A crash is tried on short time limits.
"""

# ruff: noqa: E501 - learners' code in one line

from __future__ import annotations

import csv
import functools
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from learner_processes import processes
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import determine_grade
from traitlets.config import Config

import solutions
from autograder import samples
from autograder.author import build
from autograder.author.lesson import read_lesson, without_markers
from autograder.grade import batch, command
from autograder.grade.course_folder import CourseFolder
from autograder.intake import search
from autograder.judge import matching, outputs, scoring
from autograder.judge.results import Outcome, Result
from autograder.judge.seeds import SECRET_FILE, SECRET_VARIABLE, SEEDS_FILE, grading_seeds
from autograder.nbgrader import config_file
from autograder.reports import grade_table
from autograder.sandbox import bubblewrap
from autograder.sandbox.cells import Step
from autograder.sandbox.process import PlainLauncher
from autograder.sandbox.session import Launcher, Limits, Session
from nas_lib import cli

ZERO, ONE = "00_start_here", "01_random_search"
SHORT = Limits(cell_seconds=1.0, probe_seconds=2.0, total_seconds=6.0)

EXPECTED = {lesson: samples.earned(lesson) for lesson in (ZERO, ONE)}


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, grade_table.Grades]:
    """The samples of both lessons, graded into one course folder."""
    folder = tmp_path_factory.mktemp("grading")
    return {
        lesson: command.grade(submissions, lesson, folder / "course", jobs=2, progress=False)
        for submissions, lesson in samples.write_all(folder / "submissions", [ZERO, ONE])
    }


def rows(grades: grade_table.Grades) -> dict[str, grade_table.Row]:
    return {row.student: row for row in grades.rows}


def autograded(grades: grade_table.Grades, student: str) -> Any:
    path = grades.course / "autograded" / student / grades.lesson / f"{grades.lesson}.ipynb"
    return nbformat.read(path, as_version=4)


def cell_named(notebook: Any, identity: str) -> Any:
    (found,) = [
        cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == identity
    ]
    return found


def output_text(cell: Any) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


# -- samples -------------------------------------------------------------------------------------------------
# -------------


@pytest.mark.parametrize("lesson", [ZERO, ONE])
@pytest.mark.parametrize("sample", samples.SAMPLES)
def test_samples_earn_what_they_should(graded, lesson, sample):
    row = rows(graded[lesson])[sample]
    assert row.points == EXPECTED[lesson][sample]
    assert row.note == ""
    assert {"perfect": 100.0, "blank": 0.0, "wrong": 0.0}.get(sample, row.percent) == row.percent
    assert sample != "half" or 40 < row.percent < 60


@pytest.mark.parametrize("lesson", [ZERO, ONE])
def test_csv_has_one_column_per_task_and_the_table_shows_all(graded, lesson):
    grades = graded[lesson]
    with open(grades.out, newline="", encoding="utf-8") as file:
        found = {line["student"]: line for line in csv.DictReader(file)}
    assert sorted(found) == sorted(samples.SAMPLES)
    assert list(found["perfect"])[2 : -len(grade_table.FIXED_COLUMNS)] == [
        task.name for task in read_lesson(lesson).tasks
    ]
    assert float(found["perfect"]["percent"]) == 100.0
    assert float(found["blank"]["score"]) == 0.0
    assert float(found["half"]["score"]) == sum(value or 0 for value in EXPECTED[lesson]["half"].values())
    open_question = next(task.name for task in read_lesson(lesson).tasks if task.kind == "open")
    assert found["perfect"][open_question] == ""
    assert float(found["perfect"]["pending"]) > 0
    text = grade_table.table(grades)
    assert all(sample in text for sample in samples.SAMPLES)
    assert "100 %" in text


def test_a_written_answer_waits_for_a_person_in_the_gradebook(graded):
    grades = graded[ONE]
    with CourseFolder(grades.course).gradebook() as gradebook:
        waiting = gradebook.find_submission(ONE, "perfect")
        assert waiting.needs_manual_grade
        assert [item.cell.name for item in waiting.notebooks[0].grades if item.needs_manual_grade] == [
            "open_01_1"
        ]
        assert not gradebook.find_submission(ONE, "blank").needs_manual_grade


def test_graders_see_the_rubric_and_learners_do_not(graded):
    grades = graded[ONE]
    lesson = read_lesson(ONE)
    scheme = next(
        text for cell in lesson.cells if (text := re.search(r"BEGIN MARK SCHEME\n(.*?)\n", cell.source))
    )[1]
    shown = " ".join(cell.source for cell in autograded(grades, "perfect").cells)
    page = (grades.course / "feedback" / "perfect" / ONE / f"{ONE}.html").read_text("utf-8")
    submitted = (grades.course / "submitted" / "perfect" / ONE / f"{ONE}.ipynb").read_text("utf-8")
    assert scheme in shown
    assert scheme not in page
    assert scheme not in submitted


def test_feedback_names_the_mistake(graded):
    page = (graded[ONE].course / "feedback" / "wrong" / ONE / f"{ONE}.html").read_text("utf-8")
    message = output_text(cell_named(autograded(graded[ONE], "wrong"), "incumbent_curve-check"))
    assert re.fullmatch(r"✗ .{15,} \(0 of 1 points\)", " ".join(message.split()))
    assert message.split("(")[0].strip()[3:30] in page  # whose first letter is a capital there


def test_release_of_the_course_is_the_student_notebook(graded):
    for lesson, grades in graded.items():
        released = (grades.course / "release" / lesson / f"{lesson}.ipynb").read_text("utf-8")
        assert released == build.render(build.student_notebook(lesson))


def test_a_regrade_is_identical_and_the_secret_is_private(graded):
    before = graded[ONE]
    seeds = before.course / SEEDS_FILE
    recorded = seeds.read_text("utf-8")
    for private in (seeds, before.course / SECRET_FILE):
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
    notebook = autograded(before, "half")
    again = command.grade(
        before.course.parent / "submissions" / ONE, ONE, before.course, jobs=1, progress=False
    )
    assert again.rows == before.rows
    assert seeds.read_text("utf-8") == recorded
    assert [cell.get("outputs") for cell in autograded(again, "half").cells] == [
        cell.get("outputs") for cell in notebook.cells
    ]


def test_every_course_has_other_instances(tmp_path, monkeypatch):
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    for name in "ab":
        (tmp_path / name).mkdir()
    first, second = (grading_seeds(tmp_path / name, ONE, ["random_search", "simple_regret"]) for name in "ab")
    assert len({*first.values(), *second.values()}) == 4
    monkeypatch.setenv(SECRET_VARIABLE, "shared by two graders")
    for name in "cd":
        (tmp_path / name).mkdir()
    third, fourth = (grading_seeds(tmp_path / name, ONE, ["random_search"]) for name in "cd")
    assert third == fourth
    # What the class was graded with stands, even when the secret is lost.
    assert grading_seeds(tmp_path / "a", ONE, ["random_search"])["random_search"] == first["random_search"]


# -- nbgrader's own way into it
# -------------------------------------------------------------------------------------------


def nbgrader(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )


def test_plain_nbgrader_in_the_course_folder_goes_the_same_way(graded):
    grades = graded[ZERO]
    target = grades.course / "autograded" / "half" / ZERO / f"{ZERO}.ipynb"
    before = nbformat.read(target, as_version=4)
    os.chmod(target, 0o644)
    target.write_text("{}", encoding="utf-8")
    done = nbgrader(grades.course, "autograde", ZERO, "--student", "half", "--force")
    assert done.returncode == 0, done.stderr
    after = autograded(grades, "half")
    assert [cell.get("outputs") for cell in after.cells] == [cell.get("outputs") for cell in before.cells]
    assert CourseFolder(grades.course).row(ZERO, "half", "").points == EXPECTED[ZERO]["half"]


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_stock_autograding_awards_nothing(graded, tmp_path):
    """Without our configuration nbgrader trusts the check cells; they refuse to earn anything there."""
    plain = tmp_path / "plain"
    for name in ("source", "submitted"):
        place = plain / name / ("perfect" if name == "submitted" else "") / ZERO
        place.mkdir(parents=True)
    shutil.copy(graded[ZERO].course / "source" / ZERO / f"{ZERO}.ipynb", plain / "source" / ZERO)
    notebook = samples.notebook(ZERO, samples.sources(ZERO, "perfect"))
    # The experiments take minutes; what the check cells earn is the question here.
    notebook.cells = [cell for cell in notebook.cells if solutions.tag_of(cell) != "experiment"]
    nbformat.write(notebook, plain / "submitted" / "perfect" / ZERO / f"{ZERO}.ipynb")
    config = Config()
    config.CourseDirectory.root = str(plain)
    config.ClearMarkScheme.enforce_metadata = (
        False  # the one thing without which stock nbgrader refuses our rubrics
    )
    api = NbGraderAPI(coursedir=CourseDirectory(config=config), config=config)
    for done in (api.generate_assignment(ZERO), api.autograde(ZERO, "perfect")):
        assert done["success"], done
    found = nbformat.read(plain / "autograded" / "perfect" / ZERO / f"{ZERO}.ipynb", as_version=4)
    checks = [
        cell
        for cell in found.cells
        if cell.metadata.get("nbgrader", {}).get("grade_id", "").endswith("-check")
    ]
    assert len(checks) == 6
    for cell in checks:
        (error,) = [output for output in cell.outputs if output.output_type == "error"]
        assert "nas-course grade" in error.evalue
        assert determine_grade(cell)[0] == 0


# -- what determine_grade makes of a cell
# ---------------------------------------------------------------------------------


def grade_cell(outputs: list[Any], points: float = 3.0) -> Any:
    metadata = {
        "grade": True,
        "solution": False,
        "locked": True,
        "points": points,
        "grade_id": "x-check",
        "schema_version": 3,
    }
    return nbformat.v4.new_code_cell("check('x', x)", outputs=outputs, metadata={"nbgrader": metadata})


@pytest.mark.parametrize(
    "message", ["", "two\nlines", "\x1b[31mred\x1b[0m", "0.5", "\ud800", "<script>", "x" * 50_000]
)
def test_a_grade_cell_has_one_score_in_range(message):
    for score in (0.0, 1e-9, 0.25, 1 / 3, 0.75, 0.9999999, 1.0):
        for points in (0.5, 1.0, 3.0):
            cell = grade_cell(outputs.grade_outputs(Outcome(score, "", message), points), points)
            earned, most = determine_grade(cell)
            assert most == points
            assert earned == pytest.approx(score * points, abs=1e-6)
            assert 0 <= earned <= points
            assert sum(output.output_type == "execute_result" for output in cell.outputs) == 1
            assert not any(output.get("name") == "stderr" for output in cell.outputs)
            assert "\x1b" not in json.dumps(cell)
    nbformat.validate(nbformat.v4.new_notebook(cells=[cell]))


def test_why_the_learners_cells_are_never_scored_by_what_they_print():
    """nbgrader's own reading of a cell's outputs, which this course must not depend on."""

    def outcome(*outputs: Any) -> float:
        return determine_grade(grade_cell(list(outputs)))[0]

    def result(text: str) -> Any:
        return nbformat.v4.new_output("execute_result", data={"text/plain": text})

    bar = nbformat.v4.new_output("stream", name="stderr", text="100%|####| 10/10")
    assert outcome() == 3.0  # nothing at all is full marks
    assert outcome(bar) == 0  # a progress bar is none
    for odd in ("np.float64(0.5)", "tensor(0.5)", "False", "nan"):
        assert outcome(result(odd)) == 3.0


# -- learners' code
# -------------------------------------------------------------------------------------------------------


PERFECT = samples.sources(ZERO, "perfect")
RIGHT = dict.fromkeys(PERFECT, "reference")


@functools.cache
def master() -> matching.Master:
    """The lesson that is released."""
    return matching.Master.of(build.student_notebook(ZERO))


@pytest.fixture(scope="module", autouse=True)
def _one_template() -> Iterator[None]:
    """Submissions are forked from one process that has imported everything, as those of a class are."""
    yield
    batch.close()


def evaluate(
    answers: dict[str, str],
    change: Callable[[Any], None] | None = None,
    limits: Limits | None = None,
    launcher: Launcher | None = None,
) -> Result:
    """Grade a notebook of lesson 00 without a gradebook."""
    notebook = samples.notebook(ZERO, answers)
    if change:
        change(notebook)
    steps = matching.plan(matching.restore(notebook, master()), master())
    seeds = dict.fromkeys(master().points, 7)
    return scoring.evaluate(ZERO, steps, seeds, limits, launcher or batch._launcher(False))


def scores(result: Result) -> dict[str, float]:
    return {name: outcome.score for name, outcome in result.outcomes.items()}


FULL = dict.fromkeys(
    ["cell_index", "cell_from_index", "count_active_ops", "concept_00_1", "concept_00_2", "concept_00_3"], 1.0
)


def insert(source: str, place: str = "cell_index") -> Callable[[Any], None]:
    """A cell of the learner's own, in front of an exercise."""

    def change(notebook: Any) -> None:
        at = next(number for number, cell in enumerate(notebook.cells) if cell.id == place)
        notebook.cells.insert(at, nbformat.v4.new_code_cell(textwrap.dedent(source)))

    return change


def with_reference(name: str, before: str = "", after: str = "") -> dict[str, str]:
    """The perfect notebook with something written around one exercise's solution."""
    lesson = read_lesson(ZERO)
    code = without_markers(lesson.cells[lesson.task(name).cell].source)
    return {**RIGHT, name: f"{textwrap.dedent(before)}\n{code}\n{textwrap.dedent(after)}"}


NOISE = """
    import sys, warnings
    from tqdm import tqdm
    inner_cell_index = cell_index
    def cell_index(arch):
        warnings.warn("careful")
        print("to stderr", file=sys.stderr)
        for _ in tqdm(range(3)):
            pass
        print("to stdout")
        return inner_cell_index(arch)
"""
HARMLESS: dict[str, dict[str, Any]] = {
    "warnings, progress bars and prints": {"answers": with_reference("cell_index", after=NOISE)},
    "builtins shadowed at top level": {"change": insert("print = dict = list = abs = max = isinstance = 0")},
    "input": {"change": insert("name = input('your name? ')")},
    "magics and shell lines": {
        "change": insert(
            "%matplotlib inline\n!echo hello\nfiles = !ls\n%time x = 1\nassert x == 1 and files == []"
        )
    },
    "magics around an exercise": {"answers": with_reference("cell_index", before="%%time\nimport math")},
    "top-level await": {"change": insert("import asyncio\nawait asyncio.sleep(0)\ny = 1")},
    "an error in a cell of one's own": {"change": insert("1 / 0")},
    "a syntax error in a cell of one's own": {"change": insert("def broken(:")},
    "exit in a cell": {"change": insert("import sys\nsys.exit(1)")},
    "quitting a cell": {"change": insert("raise KeyboardInterrupt")},
    "endless loop in a cell of one's own": {"change": insert("while True:\n    pass"), "limits": SHORT},
    "endless loop that swallows everything": {
        "change": insert(
            "while True:\n    try:\n        while True: pass\n    except BaseException:\n        pass"
        ),
        "limits": SHORT,
    },
    "sleeping": {"change": insert("import time\ntime.sleep(1000)"), "limits": SHORT},
    "ignored signals": {
        "change": insert(
            "import signal\nfor n in (signal.SIGALRM, signal.SIGPROF): signal.signal(n, signal.SIG_IGN)\nsignal.pthread_sigmask(signal.SIG_BLOCK, [14, 27])\nwhile True: pass"
        ),
        "limits": SHORT,
    },
    "endless printing": {"change": insert("while True:\n    print('x' * 1000)"), "limits": SHORT},
    "killing the process": {"change": insert("import os\nos.kill(os.getpid(), 9)")},
    "leaving the process": {"change": insert("import os\nos._exit(0)")},
    "a crash": {"change": insert("import ctypes\nctypes.string_at(0)")},
    "closing all files": {"change": insert("import os\nos.closerange(0, 200)")},
    "a helper used by an exercise": {
        "change": insert("def helper(arch):\n    return OPS.index(arch)"),
        "answers": {
            **RIGHT,
            "cell_index": "def cell_index(arch):\n    if len(arch) != 6 or not all(a in OPS for a in arch):\n        raise ValueError(arch)\n    n = 0\n    for a in arch:\n        n = 5 * n + helper(a)\n    return n",
        },
    },
    "an import added to the setup cell": {
        "change": lambda notebook: notebook.cells.__getitem__(
            next(n for n, cell in enumerate(notebook.cells) if "import numpy" in cell.source)
        ).update(source="import numpy as np\nimport functools as ft"),
        "answers": with_reference("cell_index", after="assert ft.reduce"),
    },
    "threads": {
        "change": insert("import threading, time\nthreading.Thread(target=time.sleep, args=(100,)).start()")
    },
    "chdir": {"change": insert("import os\nos.chdir('/')")},
}


@pytest.mark.parametrize("name", HARMLESS)
def test_right_answers_keep_their_marks_beside(name):
    case = {"answers": RIGHT, **HARMLESS[name]}
    result = evaluate(case["answers"], case.get("change"), case.get("limits"))
    assert scores(result) == FULL, result.outcomes


LOST: dict[str, tuple[str, str, str]] = {
    "endless loop": ("def cell_index(arch):\n    while True: pass", "too-slow", "does a loop never end"),
    "endless loop that swallows everything": (
        "def cell_index(arch):\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass",
        "too-slow",
        "does a loop never end",
    ),
    "leaving the process": (
        "def cell_index(arch):\n    import os\n    os._exit(0)",
        "crash",
        "ended the whole Python process",
    ),
    "killing the process": (
        "def cell_index(arch):\n    import os\n    os.kill(os.getpid(), 9)",
        "crash",
        "SIGKILL",
    ),
    "killing the parent": (
        "def cell_index(arch):\n    import os\n    os.kill(os.getppid(), 9)\n    os._exit(1)",
        "crash",
        "process",
    ),
    "killing the group": ("def cell_index(arch):\n    import os\n    os.killpg(0, 9)", "crash", "SIGKILL"),
    "a crash": ("def cell_index(arch):\n    import ctypes\n    ctypes.string_at(0)", "crash", "SIGSEGV"),
    "deep recursion": ("def cell_index(arch):\n    return cell_index(arch)", "raises", "RecursionError"),
    "exit": ("def cell_index(arch):\n    exit()", "raises", "exit"),
    "a syntax error": ("def cell_index(arch)\n    return 1", "cell-failed", "SyntaxError"),
    "an error at the top": ("1 / 0\ndef cell_index(arch): return 1", "cell-failed", "ZeroDivisionError"),
    "endless loop in its cell": (
        "while True: pass\ndef cell_index(arch): return 1",
        "cell-failed",
        "stopped after",
    ),
    "a crash of its cell": (
        "import os\nos._exit(3)\ndef cell_index(arch): return 1",
        "cell-failed",
        "exit status 3",
    ),
    "renamed": ("def cellindex(arch): return 1", "missing", "cell_index is not defined"),
    "no function": ("cell_index = 3", "missing", "not a function"),
    "an object that equals everything": (
        "class Same:\n    __eq__ = lambda *_: True\n    __hash__ = None\ndef cell_index(arch): return Same()",
        "wrong-type",
        "Same",
    ),
    "a bool": ("def cell_index(arch): return True", "wrong-type", "bool"),
    "the solutions": (
        "from solutions import load\ncell_index = load('00_start_here').cell_index",
        "cell-failed",
        "not available",
    ),
    "the library's own": ("cell_index = space.index", "uses-the-library", "library"),
    "forged replies": (
        "import os\n"
        "def cell_index(arch):\n"
        "    for fd in range(3, 30):\n"
        '        try: os.write(fd, b\'{"op": "answer", "answer": {"value": []}}\\n{"op": "ended", "status": 0}\\nnonsense\\n\')\n'
        "        except OSError: pass\n"
        "    return 0",
        "",
        "",
    ),
    "too much": ("def cell_index(arch): return 'x' * 10**6", "wrong-type", "characters"),
}


@pytest.mark.parametrize("name", LOST)
def test_one_exercise_is_lost_and_no_other(name):
    code, concept, message = LOST[name]
    started = time.monotonic()
    result = evaluate({**RIGHT, "cell_index": code}, limits=SHORT)
    assert time.monotonic() - started < 30
    outcome = result.outcomes["cell_index"]
    assert outcome.score == 0
    assert message in outcome.message
    assert concept in ("", outcome.concept)
    assert scores(result) == {**FULL, "cell_index": 0.0}


@pytest.mark.parametrize(
    ("body", "concept"),
    [("while True: pass", "too-slow"), ("import os; os._exit(0)", "crash"), ("return 1 / 0", "raises")],
)
def test_an_answer_that_runs_code_when_it_is_read_costs_no_other_answer(body, concept):
    """Concept questions are read in one process."""
    odd = f"class Odd:\n    def __array__(self, *_, **__):\n        {body}\nconcept_00_1 = Odd()"
    result = evaluate({**RIGHT, "concept_00_1": odd}, limits=SHORT)
    assert scores(result) == {**FULL, "concept_00_1": 0.0}
    assert result.outcomes["concept_00_1"].concept == concept


def test_a_changed_library_earns_nothing():
    change = "import nas_lib.checks as core\ncore.run_probe = lambda *a: {'value': [0]}\ncore.encode = lambda value: [0]\n"
    result = evaluate(dict.fromkeys(RIGHT, "stub"), insert(change))
    assert set(scores(result).values()) == {0.0}


def test_provided_experiments_and_checks_are_not_run():
    planned = matching.plan(*planned_for(samples.notebook(ZERO, RIGHT)))
    lesson = read_lesson(ZERO)
    experiments = [cell.source for cell in lesson.cells if solutions.tag_of(cell) == "experiment"]
    assert experiments
    run = [step.source for step in planned]
    assert not set(experiments) & set(run)
    assert not any("check(" in source and "import" not in source for source in run)
    assert [step.name for step in planned if step.cell is not None] == list(FULL)


def planned_for(notebook: Any) -> tuple[Any, matching.Master]:
    return matching.restore(notebook, master()), master()


def test_definitions_in_a_changed_experiment_are_kept_and_its_run_is_not():
    notebook = samples.notebook(ZERO, RIGHT)
    cell = next(cell for cell in notebook.cells if solutions.tag_of(cell) == "experiment")
    cell.source = "import math\nraise RuntimeError\ndef helper():\n    return 1\n"
    (step,) = [step for step in matching.plan(*planned_for(notebook)) if "helper" in step.source]
    assert step.source == "import math\ndef helper():\n    return 1"


def test_what_cells_print_is_kept_short_and_clean():
    result = evaluate(
        RIGHT,
        insert(
            "print('\\x1b[31mred\\x1b[0m', 'lone \\ud800 surrogate')\nfor _ in range(10**5): print('y' * 100)"
        ),
    )
    (ran,) = [ran for ran in result.cells.values() if "red" in ran.printed]
    assert len(ran.printed) < 20_000
    (output,) = outputs._printed(ran)
    assert output.text.startswith("red lone  surrogate\n")
    assert "\x1b" not in output.text


def test_the_learners_process_knows_no_secret(monkeypatch):
    monkeypatch.setenv(SECRET_VARIABLE, "do not tell")
    monkeypatch.setenv("MY_TOKEN", "do not tell")
    result = evaluate(
        RIGHT,
        insert(
            "import os, sys\nprint(sorted(os.environ), sys.argv, os.getcwd(), sys.path)\nprint(os.environ)"
        ),
        launcher=bubblewrap.choose(),  # begins with the environment as it is now
    )
    printed = " ".join(ran.printed for ran in result.cells.values())
    assert "PATH" in printed
    for word in ("do not tell", "MY_TOKEN", "NAS_COURSE", "NBGRADER"):
        assert word not in printed


def test_nothing_is_left_running_or_lying_about(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    marker = f"left-over-{os.getpid()}"
    evaluate(
        RIGHT,
        insert(
            f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)', '{marker}'])"
        ),
        launcher=bubblewrap.choose(),
    )
    assert list(tmp_path.iterdir()) == []
    assert not processes(marker)


def test_the_launcher_is_a_replaceable_piece():
    seen: list[tuple[Any, ...]] = []

    class Watching(PlainLauncher):
        def launch(self, start):
            seen.append(start)
            return super().launch(start)

    with Session(ZERO, [Step("one", "x = 1", 0, True)], launcher=Watching()) as session:
        session.start()
        assert session.ran[0].error is None
    (start,) = seen
    assert start.command[0] == sys.executable
    assert [str(fd) for fd in start.fds] == start.command[5:7]
    assert start.environment["HOME"] == str(start.folder)
    assert not start.folder.exists()


def test_the_course_s_own_setup_may_take_as_long_as_starting_up() -> None:
    """`import torch` on a busy machine; the learner's time begins after it."""
    slow = "import time\ntime.sleep(1.2)\nx = 1"
    steps = [Step("setup 1", slow, None, True), Step("one", slow, 0, False)]
    with Session(ZERO, steps, Limits(cell_seconds=0.5, total_seconds=1.0)) as session:
        session.start()
        assert session.ran[0].error is None
        assert "stopped after 0.5 seconds" in str(session.ran[1].error)


def test_a_broken_setup_is_the_graders_fault():
    with pytest.raises(scoring.GradingError, match=r"setup 1 of 00_start_here failed .* ModuleNotFoundError"):
        scoring.evaluate(ZERO, [Step("setup 1", "import nothing_of_that_name", None, True)], {})


# -- odd but honest notebooks, through the gradebook
# ------------------------------------------------------------------------


def lose_metadata(notebook: Any) -> None:
    for cell in notebook.cells:
        cell.metadata = {}


def lose_metadata_and_ids(notebook: Any) -> None:
    lose_metadata(notebook)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"new-{number}"


def rename_ids(notebook: Any) -> None:
    for number, cell in enumerate(notebook.cells):
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.grade_id = f"mine-{number}"


def move_cells(notebook: Any) -> None:
    code = [cell for cell in notebook.cells if cell.metadata.get("nbgrader")]
    notebook.cells = [cell for cell in notebook.cells if cell not in code] + code[::-1]


def delete_checks(notebook: Any) -> None:
    notebook.cells = [cell for cell in notebook.cells if solutions.tag_of(cell) != "check"]


def copy_cells(notebook: Any) -> None:
    notebook.cells += [
        nbformat.from_dict(json.loads(json.dumps(cell)))
        for cell in notebook.cells
        if cell.metadata.get("nbgrader")
    ]


def greedy(notebook: Any) -> None:
    for cell in notebook.cells:
        if solutions.tag_of(cell) == "check":
            cell.metadata.nbgrader.points = 100
            cell.source = "100"
            cell.outputs = [nbformat.v4.new_output("execute_result", data={"text/plain": "100"})]


def old_schema(notebook: Any) -> None:
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.schema_version = 1


def own_kernel(notebook: Any) -> None:
    notebook.metadata = {"kernelspec": {"name": "my-env", "display_name": "Mine", "language": "python"}}


def strange_metadata(notebook: Any) -> None:
    for cell in notebook.cells:
        cell.metadata = {"nbgrader": ["?"], "tags": "exercise"}


ODD: dict[str, Callable[[Any], None]] = {
    "lost metadata": lose_metadata,
    "lost metadata and ids": lose_metadata_and_ids,
    "renamed ids": rename_ids,
    "moved cells": move_cells,
    "deleted checks": delete_checks,
    "copied cells": copy_cells,
    "greedy": greedy,
    "old schema": old_schema,
    "own kernel": own_kernel,
    "strange metadata": strange_metadata,
}
UNREADABLE = {
    "empty": b"",
    "no json": b"hello",
    "a list": b"[]",
    "half": b'{"cells": [',
    "binary": bytes(range(256)),
}


@pytest.fixture(scope="module")
def odd(graded, tmp_path_factory: pytest.TempPathFactory) -> dict[str, grade_table.Row]:
    """Perfect answers in odd notebooks, unreadable files and a blank greedy notebook, graded in one batch."""
    folder = tmp_path_factory.mktemp("odd")
    for name, change in ODD.items():
        notebook = samples.notebook(ZERO, RIGHT)
        change(notebook)
        (folder / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    notebook = samples.notebook(ZERO, {})
    greedy(notebook)
    (folder / "blank and greedy.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    right = json.dumps(samples.notebook(ZERO, RIGHT))
    (folder / "byte order mark.ipynb").write_bytes(right.encode("utf-8-sig"))
    (folder / "utf-16.ipynb").write_bytes(right.encode("utf-16"))
    old = nbformat.convert(nbformat.reads(right, as_version=4), 3)
    (folder / "nbformat 3.ipynb").write_text(nbformat.writes(old, version=3), encoding="utf-8")
    for name, content in UNREADABLE.items():
        (folder / f"{name}.ipynb").write_bytes(content)
    (folder / "nothing").mkdir()
    (folder / "link.ipynb").symlink_to(graded[ZERO].course / SECRET_FILE)
    return rows(command.grade(folder, ZERO, graded[ZERO].course, folder / "odd.csv", jobs=2, progress=False))


@pytest.mark.parametrize("name", [*ODD, "byte order mark", "utf-16", "nbformat 3"])
def test_honest_work_in_an_odd_notebook_gets_full_marks(odd, name):
    row = odd[name]
    assert {task: points for task, points in row.points.items() if task in FULL} == {
        task: points for task, points in EXPECTED[ZERO]["perfect"].items() if task in FULL
    }, row.note
    assert row.max_score == 10


def test_a_greedy_blank_notebook_gets_nothing(odd):
    assert odd["blank and greedy"].score == 0
    assert odd["blank and greedy"].max_score == 10


@pytest.mark.parametrize("name", [*UNREADABLE, "nothing", "link"])
def test_what_cannot_be_read_gets_nothing_and_a_reason(graded, odd, name):
    row = odd[name]
    assert row.score == 0
    assert row.max_score == 10
    assert row.note.endswith(("it in again.", "hand one in.", "the file itself."))
    page = (graded[ZERO].course / "feedback" / name / ZERO / f"{ZERO}.html").read_text("utf-8")
    assert row.note.split("(")[0][:40] in page


# -- one submission never stops the others
# --------------------------------------------------------------------------------


def test_a_failure_of_one_submission_costs_it_alone(graded, tmp_path, monkeypatch):
    real = scoring.evaluate

    def failing(lesson, steps, seeds, *rest, **named):
        if any("trouble" in step.source for step in steps):
            raise MemoryError("no room")
        return real(lesson, steps, seeds, *rest, **named)

    monkeypatch.setattr(scoring, "evaluate", failing)
    samples.write(tmp_path / "in", ZERO, ["perfect"])
    notebook = samples.notebook(ZERO, {**RIGHT, "cell_index": "trouble = 1"})
    nbformat.write(notebook, tmp_path / "in" / "ann.ipynb")
    found = rows(
        command.grade(tmp_path / "in", ZERO, graded[ZERO].course, tmp_path / "out.csv", progress=False)
    )
    assert found["perfect"].percent == 100
    assert "MemoryError" in found["ann"].note


def test_late_submissions_are_marked(graded, tmp_path):
    place = samples.write(tmp_path / "in", ZERO, ["perfect", "blank"])
    (place / "blank" / "timestamp.txt").write_text("2026-10-02 01:00:00 UTC", encoding="utf-8")
    (place / "perfect" / "timestamp.txt").write_text("2026-10-01 01:00:00 UTC", encoding="utf-8")
    done = command.grade(
        place, ZERO, graded[ZERO].course, tmp_path / "out.csv", due="2026-10-02 00:00:00 UTC", progress=False
    )
    assert {row.student: row.late_seconds for row in done.rows} == {"blank": 3600.0, "perfect": 0.0}
    with pytest.raises(ValueError, match="due must be a date"):
        command.grade(place, ZERO, graded[ZERO].course, tmp_path / "out.csv", due="soon", progress=False)


# -- intake and command line
# ----------------------------------------------------------------------------------------------


def test_all_three_layouts_are_found(tmp_path):
    for path in (
        f"ann/{ZERO}/{ZERO}.ipynb",
        f"bob/{ZERO}.ipynb",
        "cyd.ipynb",
        ".DS_Store",
        "__MACOSX/x.ipynb",
        "notes.txt",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("{}", encoding="utf-8")
    (tmp_path / "dan").mkdir()
    found = {item.student: item.path for item in search.find(tmp_path, ZERO, tmp_path / "none").submissions}
    assert sorted(found) == ["ann", "bob", "cyd", "dan"]
    assert found["dan"] is None


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no submission of 00_start_here in"),
        (["notes.txt"], "no submission of"),
        (["ann.ipynb", f"ann/{ZERO}.ipynb"], "'ann' has handed in twice"),
        ([f"ann/{ZERO}.ipynb", f"ann/{ZERO}/{ZERO}.ipynb"], "'ann' has handed in twice"),
        (["a+b.ipynb"], "a student's id has letters"),
        ([f"{ZERO}.ipynb"], "one student's folder"),
    ],
)
def test_a_bad_folder_is_one_clear_sentence(tmp_path, files, message):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(message)):
        search.find(tmp_path, ZERO, tmp_path / "none")


def test_the_command_line_grades_and_explains(graded, tmp_path, capsys):
    place = samples.write(tmp_path / "in", ZERO, ["perfect"])
    arguments = [
        "grade",
        str(place),
        "--lesson",
        ZERO,
        "--course",
        str(graded[ZERO].course),
        "--out",
        str(tmp_path / "grades.csv"),
    ]
    assert cli.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "perfect" in printed
    assert "100 %" in printed
    assert (tmp_path / "grades.csv").exists()
    for wrong, said in (
        (["grade", str(place)], "lesson must be given"),
        (["grade", str(place), "--lesson", "77_nothing"], "lesson must be one of"),
        (
            ["grade", str(tmp_path / "nowhere"), "--lesson", ZERO, "--course", str(tmp_path / "c")],
            "submissions must be a folder",
        ),
        (["grade", str(place), "--lesson", ZERO, "--jobs", "0"], "jobs must be at least 1"),
        (
            [
                "grade",
                str(place),
                "--lesson",
                ZERO,
                "--course",
                str(graded[ZERO].course),
                "--out",
                str(tmp_path / "no" / "x.csv"),
            ],
            "out must be a file in a folder that exists",
        ),
    ):
        assert cli.main(wrong) == 2, wrong
        error = capsys.readouterr().err
        assert said in error
        assert "Traceback" not in error


def test_a_foreign_configuration_is_not_used(tmp_path):
    (tmp_path / config_file.CONFIG_FILE).write_text("c = get_config()\n", encoding="utf-8")
    with pytest.raises(ValueError, match="is not this course's"):
        CourseFolder(tmp_path)


def test_names_that_a_spreadsheet_would_run_are_made_harmless(tmp_path):
    row = grade_table.Row("=cmd()", {"a": 1.0}, {"a": 1.0}, note="-1+1")
    grades = grade_table.Grades(ZERO, ["a"], [row], tmp_path, tmp_path / "x.csv")
    grade_table.write_csv(grades)
    with open(grades.out, newline="", encoding="utf-8") as file:
        (line,) = csv.DictReader(file)
    assert line["student"] == "'=cmd()"
    assert line["note"] == "'-1+1"
