"""The library that submissions run with: what solves an exercise is absent from its files."""

# ruff: noqa: E501 - learners' code in one line

from __future__ import annotations

import ast
import base64
import contextlib
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import solutions
from autograder.author import build
from autograder.judge import scoring
from autograder.sandbox import library
from autograder.sandbox.bubblewrap import BubblewrapLauncher, choose
from autograder.sandbox.cells import Step
from autograder.sandbox.prefork import TemplateLauncher
from autograder.sandbox.session import Limits, Session
from nas_lib import checks
from nas_lib.checks.hiding import SWITCHED_OFF, function_of
from nas_lib.standins import STANDINS, standins

LESSONS = checks.lessons()


def bodies(path: Path) -> dict[int, str]:
    """The functions of a file, by the line on which they begin."""
    return {
        min([node.lineno, *(one.lineno for one in node.decorator_list)]): ast.unparse(node.body)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize("lesson", LESSONS)
def test_judges_stand_ins_and_stored_answers_are_absent(lesson: str) -> None:
    made = library.made_for(lesson) / "nas_lib"
    assert not any((made / name).exists() for name in library.ABSENT)
    assert (made / "checks" / "__init__.py").is_file() and (made / "assets" / "cell_table.npz").is_file()
    assert library.made_for(lesson) == made.parent, "made once"


@pytest.mark.parametrize("lesson", LESSONS)
def test_counterparts_are_found_in_their_files_where_importing_finds_them(lesson: str) -> None:
    places = {name: library._read_place(name) for _, name in library._hides(lesson)}
    read = {name: place for name, place in places.items() if place is not None}
    assert read == {name: library._place(name) for name in read}
    assert read


def test_what_grades_a_lesson_without_torch_imports_none() -> None:
    """A second of each process that grades; scipy.stats takes another half."""
    look = (
        "import sys, solutions\nfrom autograder.sandbox import library\nlesson = '01_random_search'\n"
        "solutions.load(lesson); library.made_for(lesson)\nassert not {'torch', 'scipy.stats'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", look], cwd=library.PACKAGE.parent, check=True)


@pytest.mark.parametrize("lesson", LESSONS)
def test_counterparts_have_no_body_and_all_else_is_as_it_was(lesson: str) -> None:
    made = library.made_for(lesson) / "nas_lib"
    gone = {(one.file, one.line) for one in library.counterparts(lesson)}
    raising = f"raise RuntimeError({SWITCHED_OFF!r})"
    for file in {one.file for one in library.counterparts(lesson)}:
        whole = ast.parse((library.PACKAGE / file).read_text(encoding="utf-8"))
        names = [node.name for node in ast.walk(whole) if isinstance(node, ast.FunctionDef)]
        stripped = ast.parse((made / file).read_text(encoding="utf-8"))
        found = [node for node in ast.walk(stripped) if isinstance(node, ast.FunctionDef)]
        absent = [node.name for node in found if ast.unparse(node.body) == raising]
        kept = [text for line, text in bodies(library.PACKAGE / file).items() if (file, line) not in gone]
        assert len(absent) == sum(one == file for one, _ in gone)
        inner = sum(SWITCHED_OFF not in ast.unparse(node.body) for node in found)
        assert inner <= len(kept) and {node.name for node in found} <= set(names)


@pytest.mark.parametrize("lesson", LESSONS)
def test_what_is_hidden_is_there_to_be_hidden(lesson: str) -> None:
    standins(lesson)
    for name in checks.exercises(lesson):
        for hidden in STANDINS[name].hides if name in STANDINS else ():
            if hidden == "scipy.stats:spearmanrho":  # from SciPy 1.17 on
                continue
            assert function_of(hidden) is not None, f"{name} hides {hidden}, which is not there"


@pytest.mark.parametrize("lesson", LESSONS)
def test_an_exercise_gets_back_what_those_before_it_hid_and_nothing_of_its_own(lesson: str) -> None:
    standins(lesson)
    order = [name for name in checks.exercises(lesson) if name in STANDINS]
    for place, name in enumerate(order):
        back = {one["name"] for one in library.given_back(lesson, name)}
        still = {hidden for later in order[place:] for hidden in STANDINS[later].hides}
        assert not back & still
        assert back <= {hidden for earlier in order[:place] for hidden in STANDINS[earlier].hides}


@pytest.mark.parametrize("lesson", LESSONS)
def test_questions_which_are_read_before_all_exercises_get_nothing_back(lesson: str) -> None:
    questions = [
        name for name, item in checks.exercises(lesson).items() if isinstance(item, checks.ConceptQuestion)
    ]
    assert questions
    for name in questions:
        assert library.given_back(lesson, name) == []


def test_exercises_are_probed_in_the_lesson_s_order_whatever_the_order_of_the_seeds(monkeypatch) -> None:
    probed: list[str] = []

    class Transport:
        def answers_to(self, questions):
            return {}

        def collect(self, item, name, instances):
            probed.append(name)
            return [checks.Answer(error="Crash: not run") for _ in instances]

    monkeypatch.setattr(scoring, "problems", lambda lesson, name, seed: ([{}], checks.Expected([])))
    order = list(checks.exercises("01_random_search"))
    outcomes = scoring._outcomes("01_random_search", dict.fromkeys(reversed(order), 7), Transport())  # type: ignore[arg-type]
    assert probed == order == list(outcomes)


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_checks_of_a_lesson_need_nothing_that_is_absent(lesson: str) -> None:
    code = f"import sys; from nas_lib import checks; checks.exercises({lesson!r}); print(checks.__file__)"
    run = subprocess.run(
        [
            sys.executable,
            "-P",
            "-c",
            f"import sys; sys.path.insert(0, {str(library.made_for(lesson))!r}); {code}",
        ],
        capture_output=True,
        text=True,
        env={"PATH": ""},
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(str(library.made_for(lesson)))


ONE_LINERS = """class A:
    @property
    def size(self): return self.rows * 2

    @staticmethod
    def plain(
        a,
    ):
        \'\'\'Says.\'\'\'
        return a


def last(x):
    def inner():
        return x
    return inner()
"""


def test_bodies_go_whatever_the_form_of_the_function() -> None:
    lines = [2, 5, 14]
    names: dict = {}
    exec(library.without_bodies(ONE_LINERS.replace("\\'", "'"), lines), names)
    for call in (lambda: names["A"]().size, lambda: names["A"].plain(1), lambda: names["last"](1)):
        with pytest.raises(RuntimeError, match="switched off"):
            call()


PRY = """
import importlib, os, sys
found = []
for name in ("nas_lib.judges", "nas_lib.standins", "nas_lib.judges.random_search"):
    try:
        importlib.import_module(name)
        found.append(name)
    except ImportError:
        pass
for folder, _, files in os.walk(os.path.dirname(importlib.import_module("nas_lib").__file__)):
    found += [name for name in files if name.endswith(".json") and name[:2].isdigit()]
from nas_lib.search import History
try:
    History([0], [1.0]).regret(2.0)
    found.append("regret")
except RuntimeError as error:
    print(error)
print("found:", found, "path:", [one for one in sys.path if "library" in one])
"""


def test_the_learner_s_process_finds_nothing_of_it(sandboxed: None) -> None:
    with Session("01_random_search", [Step("pry", PRY, 0, True)], launcher=choose()) as session:
        session.start()
        (ran,) = session.ran.values()
    assert ran.error is None, ran.error
    assert "found: [] path: ['/library']" in ran.printed and SWITCHED_OFF in ran.printed


SEARCHED = """
import base64, os
shift = bytes((byte + 101) % 256 for byte in range(256))  # so that what is looked for lies in memory in disguise alone
wanted = [base64.b64decode(line) for line in WANTED.split()]
there, public = set(), set()
for top, _, files in os.walk('/library'):
    for name in files:
        data = open(os.path.join(top, name), 'rb').read().translate(shift)
        public |= {line for line in wanted if line in data}
memory = open('/proc/self/mem', 'rb', 0)
for line in open('/proc/self/maps').read().splitlines():
    place, rights, _, _, file, *_ = line.split()
    low, high = (int(end, 16) for end in place.split('-'))
    if 'r' in rights and file == '0' and high - low < 2**29:
        try:
            memory.seek(low)
            data = memory.read(high - low).translate(shift)
        except (OSError, ValueError, OverflowError):
            continue
        there |= {line for line in wanted if line in data}
back = bytes((byte - 101) % 256 for byte in range(256))
for line in sorted(public | there): print(line.translate(back).decode())
"""
LONG = 40  # characters, of lines that stand in one place alone


def told_lines(lesson: str) -> set[str]:
    """Long lines of the answers, and of the bodies of what would give them away, that no learner is shown."""
    answers = [cell.source for cell in solutions.read(lesson).cells if cell.cell_type == "code"]
    bodies = [library._source(one) for one in library.counterparts(lesson)]
    shown = "".join(cell.source for cell in build.student_notebook(lesson).cells)
    kept = library.made_for(lesson) / "nas_lib"
    shown += "".join(path.read_text("utf-8") for path in kept.rglob("*.py"))
    lines = {line.strip() for text in [*answers, *bodies] for line in text.splitlines()}
    return {line for line in lines if len(line) >= LONG and line[0] not in '#"' and line not in shown}


@pytest.mark.parametrize("forked", [False, True])
@pytest.mark.parametrize("lesson", ["00_start_here", "06_hardware_aware"])
def test_no_line_of_an_answer_is_in_the_learner_s_files_or_memory(
    lesson: str, forked: bool, sandboxed: None
) -> None:
    lines = told_lines(lesson)
    assert len(lines) > 5
    control = (library.PACKAGE / "checks" / "codec.py").read_text("utf-8").splitlines()
    present = next(line for line in control if len(line) >= LONG and '"""' not in line)

    def disguised(line: str) -> str:
        return base64.b64encode(bytes((byte + 101) % 256 for byte in line.encode())).decode()

    source = f"WANTED = {' '.join(map(disguised, [present, *lines]))!r}\n{SEARCHED}"
    launcher = TemplateLauncher() if forked else BubblewrapLauncher()
    if isinstance(launcher, TemplateLauncher) and launcher.refused:
        pytest.skip(launcher.refused)
    limits = Limits(cell_seconds=60.0, total_seconds=90.0)
    with (
        contextlib.closing(launcher) if isinstance(launcher, TemplateLauncher) else contextlib.nullcontext(),
        Session(lesson, [Step("search", source, 0, True)], limits, launcher) as session,
    ):
        session.start()
        (ran,) = session.ran.values()
    assert (ran.error, ran.printed.splitlines()) == (None, [present]), (
        "the one line that is there, and no other"
    )


def test_a_given_back_function_is_the_library_s_own() -> None:
    worker = importlib.import_module("autograder.sandbox.worker")
    from nas_lib.search import History
    from nas_lib.searchers import ConstrainedEvolution

    for name, owner in (("History.regret", History), ("ConstrainedEvolution.__init__", ConstrainedEvolution)):
        module, last = owner.__module__, name.partition(".")[2]
        one = next(
            one
            for lesson in LESSONS
            for one in library.counterparts(lesson)
            if one.name.endswith(name) and one.name.startswith(module.rpartition(".")[0])
        )
        before = vars(owner)[last]
        code = before.__code__
        worker.function_of = function_of
        try:
            worker._give_back(one.name, library._source(one))
            made = vars(owner)[last]
            assert made.__code__.co_names == code.co_names and made.__code__.co_freevars == code.co_freevars
        finally:
            if made is before:
                before.__code__ = code
            else:
                setattr(owner, last, before)


def test_what_belongs_to_a_module_that_nobody_has_imported_is_given_back_when_somebody_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = importlib.import_module("autograder.sandbox.worker")
    for name in ("belated", "belated_too"):
        (tmp_path / f"{name}.py").write_text(
            "def answer():\n    raise RuntimeError('absent')\n\nclass Space:\n    def answer(self):\n"
            "        raise RuntimeError('absent')\n",
            encoding="utf-8",
        )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(worker, "function_of", function_of, raising=False)
    sources = [
        ("belated:answer", "def answer():\n    return 42"),
        ("belated:Space.answer", "def answer(self):\n    return 7"),
    ]
    sys.meta_path.insert(0, worker._GivingBack({"belated": sources}))
    try:
        assert "belated" not in sys.modules
        belated, other = importlib.import_module("belated"), importlib.import_module("belated_too")
        assert (belated.answer(), belated.Space().answer()) == (42, 7)
        with pytest.raises(RuntimeError, match="absent"):
            other.answer()
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("belated.part")
    finally:
        for name in ("belated", "belated_too"):
            sys.modules.pop(name, None)


# Holes that attacks found: objects of the library's, or another library's function of the same purpose.
INDEX = "from nas_lib.spaces import OPS\ndef cell_index(arch): return"
FROM_INDEX = "from nas_lib.spaces import OPS\ndef cell_from_index(i): return"
SPEARMAN, KENDALL = "def spearman(a, b): return float(", "def kendall_tau(a, b): return float("
HOLES = [
    ("cell_index", f"from nas_lib.checks.spaces import ChoiceSpace\n{INDEX} ChoiceSpace([OPS] * 6).index(arch)"),
    ("cell_index", f"from nas_lib.spaces import cells\n{INDEX} cells._all_cells(tuple(OPS)).index(cells.Cell(arch))"),
    ("cell_from_index", f"from nas_lib.checks.spaces import ChoiceSpace\n{FROM_INDEX} ChoiceSpace([OPS] * 6).from_index(i)"),
    ("cell_from_index", f"from nas_lib.spaces import cells\n{FROM_INDEX} cells._all_cells(tuple(OPS))[i]"),
    ("round_filters", "from torchvision.models.mobilenetv2 import _make_divisible\ndef round_filters(filters, width, divisor=8): return _make_divisible(filters * width, divisor)"),
    ("spearman", f"from scipy import stats\n{SPEARMAN}stats.mstats.spearmanr(a, b)[0])"),
    ("spearman", f"from scipy import stats\n{SPEARMAN}stats.spearmanrho(a, b).statistic)"),
    ("kendall_tau", f"from scipy import stats\n{KENDALL}stats.mstats.kendalltau(a, b)[0])"),
    ("kendall_tau", f"import inspect\nfrom scipy import stats\n{KENDALL}inspect.unwrap(stats.kendalltau)(a, b)[0])"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer"), HOLES)
def test_what_once_solved_an_exercise_does_so_no_more(name: str, answer: str, sandboxed: None) -> None:
    lesson = next(one for one in LESSONS if name in checks.exercises(one))
    result = scoring.evaluate(lesson, [Step("answer", answer, 0, True)], {name: 7}, launcher=choose())
    assert result.outcomes[name].score == 0.0
    assert result.outcomes[name].concept in ("uses-the-library", "raises"), result.outcomes[name]
