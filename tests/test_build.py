"""From source to student notebook: what is taken out, what stays, and which faults and leaks are found.

Most tests run on a small lesson of their own (tests/fixtures/lessons), broken in one way at a time; the
course's own lessons are held against the same rules at the end.
"""

# ruff: noqa: E501 - lessons' own lines and broken versions of them

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.utils import compute_checksum
from products import kept

import solutions
from autograder.author import build, contents, leaks, verify
from autograder.author.lesson import read_lesson
from nas_lib import checks

FIXTURES = Path(__file__).parent / "fixtures" / "lessons"
FIXTURE = "90_fixture"
SOURCE = (FIXTURES / f"{FIXTURE}.py").read_text(encoding="utf-8")
LESSONS = solutions.lessons()


def write_lesson(folder: Path, text: str = SOURCE, name: str = FIXTURE) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


def course(root: Path, text: str = SOURCE) -> Path:
    """A root with the fixture lesson as its only source."""
    write_lesson(root / "solutions", text)
    shutil.copy(build.ROOT / "pyproject.toml", root)
    return root


def student_cells() -> list[Any]:
    return build.student_notebook(FIXTURE, FIXTURES).cells


def cell_named(cells: list[Any], identity: str) -> Any:
    return next(cell for cell in cells if cell.id == identity)


# -- load ----------------------------------------------------------------------------------------------------
# -------------


def test_load_runs_definitions_and_no_experiment():
    loaded = solutions.load(FIXTURE, FIXTURES)  # its experiment raises
    assert loaded.harmonic_mean([1, 2, 4]) == pytest.approx(12 / 7)
    assert loaded.SCALE == 2.0
    assert loaded.concept_90_1 == "c"
    assert solutions.load(FIXTURE, FIXTURES) is loaded


def test_load_keeps_the_line_numbers_of_the_source():
    code = solutions.load(FIXTURE, FIXTURES).harmonic_mean.__code__
    assert code.co_filename.endswith(f"{FIXTURE}.py")
    assert SOURCE.splitlines()[code.co_firstlineno - 1].startswith("def harmonic_mean")


@pytest.mark.parametrize("name", ["", "77_nothing", "random_search", "../../etc/passwd", None])
def test_load_names_the_lessons_when_there_is_no_such_one(name):
    with pytest.raises(ValueError, match=r"lesson must be one of .*01_random_search"):
        solutions.load(name)


def test_load_leaves_no_half_loaded_module_behind(tmp_path):
    write_lesson(tmp_path / "halfway", SOURCE.replace("SCALE = 2.0", "SCALE = 1 / 0"))
    with pytest.raises(ZeroDivisionError):
        solutions.load(FIXTURE, tmp_path / "halfway")
    assert not [name for name in sys.modules if "halfway" in name]


# -- student notebooks
# ----------------------------------------------------------------------------------------------------


def test_student_notebook_has_stubs_and_no_answers():
    cells = student_cells()
    stub = cell_named(cells, "harmonic_mean").source
    assert "def harmonic_mean(values, default=0.0):" in stub
    assert "Harmonic mean of positive numbers" in stub
    assert "raise NotImplementedError()" in stub
    assert "reciprocals" not in stub
    assert cell_named(cells, "concept_90_1").source == "concept_90_1 = None"
    method = cell_named(cells, "Counter").source
    assert "self.seen = {}" in method
    assert "repr(value)" not in method
    text = json.dumps(cells)
    for secret in ("BEGIN SOLUTION", "MARK SCHEME", "equal amounts", '= \\"c\\"'):
        assert secret not in text


def test_minutes_and_points_are_the_sums_over_the_titles():
    first = student_cells()[0].source
    assert "**16 minutes of exercises, 1 of reading · 7 points.** [Words and symbols](" in first
    counted = contents.contents(read_lesson(FIXTURE, FIXTURES))
    assert (counted.minutes, counted.points, counted.notebook) == (
        16,
        7,
        f"notebooks/{FIXTURE}/{FIXTURE}.ipynb",
    )


def test_reading_time_counts_what_learners_read(tmp_path):
    more = "\n# %% [markdown]\n# " + "\n# ".join(["<b>ten</b> $a + b$ https://example.org/x"] * 200)
    times = []
    for text in (SOURCE, SOURCE + more, SOURCE.replace("Whenever equal", "Whenever " + "really " * 400)):
        write_lesson(tmp_path, text)
        times.append(contents.contents(read_lesson(FIXTURE, tmp_path)).reading)
    assert times == [times[0], times[0] + 1, times[0]]


def test_build_writes_the_rows_of_the_readme_and_nothing_else_of_it(tmp_path):
    root = course(tmp_path)
    before, after = "# Course\n\n", "\nMore | text.\n"
    (root / "README.md").write_text(
        f"{before}{contents.TABLE_HEAD}\n|---|---:|---:|\n| an old row |\n{after}", encoding="utf-8"
    )
    build.build(root)
    text = (root / "README.md").read_text(encoding="utf-8")
    assert text.startswith(before) and text.endswith(after)
    rows = text.removeprefix(before).removesuffix(after).splitlines()[2:]
    heading = "A small lesson for the tests of builder, verifier and leak scan"
    assert rows == [f"| [{heading}](notebooks/{FIXTURE}/{FIXTURE}.ipynb) | 16 | 7 |"]
    assert build.build(root) == []
    (root / "README.md").write_text(text.replace("| 16 |", "| 60 |"), encoding="utf-8")
    assert [(item.path.name, item.kind) for item in build.drift(root)] == [("README.md", "stale")]


def test_stub_raises_and_notebook_has_no_outputs():
    cells = student_cells()
    namespace: dict[str, Any] = {}
    exec(cell_named(cells, "harmonic_mean").source, namespace)
    with pytest.raises(NotImplementedError):
        namespace["harmonic_mean"]([1.0])
    for cell in cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
        else:
            assert cell.source.strip(), "an emptied mark scheme cell was left behind"


def test_cell_ids_are_unique_and_survive_an_insertion():
    before = {cell.id for cell in student_cells()}
    assert len(before) == len(student_cells())


def test_adding_a_cell_leaves_the_other_ids_alone(tmp_path):
    grown = SOURCE.replace(
        "# %% [markdown]\n# ### Exercise 90.2",
        "# %% [markdown]\n# New.\n\n# %% [markdown]\n# ### Exercise 90.2",
    )
    write_lesson(tmp_path, grown)
    before = [cell.id for cell in student_cells()]
    after = [cell.id for cell in build.student_notebook(FIXTURE, tmp_path).cells]
    assert len(after) == len(before) + 1
    assert [identity for identity in after if identity in before] == before


def test_checksums_are_those_that_nbgrader_computes():
    graded = [cell for cell in student_cells() if cell.metadata.get("nbgrader")]
    assert len(graded) == 8
    for cell in graded:
        assert cell.metadata.nbgrader.checksum == compute_checksum(cell)


def test_build_is_repeatable_and_valid(tmp_path):
    root = course(tmp_path)
    assert build.build(root) == [Path("notebooks/90_fixture/90_fixture.ipynb"), Path("notebooks/index.ipynb")]
    first = (root / "notebooks/90_fixture/90_fixture.ipynb").read_bytes()
    assert build.build(root) == []
    assert build.build(root, force=True) == []
    (root / "notebooks/90_fixture/90_fixture.ipynb").unlink()
    build.build(root)
    assert (root / "notebooks/90_fixture/90_fixture.ipynb").read_bytes() == first
    nbformat.validate(json.loads(first))


# -- drift ---------------------------------------------------------------------------------------------------
# -------------


@pytest.mark.parametrize(
    ("kind", "spoil"),
    [
        ("missing", lambda notebook: notebook.unlink()),
        (
            "edited",
            lambda notebook: notebook.write_text(
                notebook.read_text("utf-8").replace("rates", "races"), "utf-8"
            ),
        ),
        ("edited", lambda notebook: notebook.write_text("{}", "utf-8")),
        ("orphaned", lambda notebook: (notebook.parent / "mine.ipynb").write_text("{}", "utf-8")),
    ],
)
def test_drift_names_the_file(tmp_path, kind, spoil):
    root = course(tmp_path)
    build.build(root)
    assert build.drift(root) == []
    spoil(root / "notebooks/90_fixture/90_fixture.ipynb")
    (found,) = build.drift(root)
    assert found.kind == kind
    assert str(found).startswith("notebooks/90_fixture/")


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ('{"a": [1.0, 2.5]}', '{"a": [1.0, 2.5000000001]}', True),
        ('{"a": [1.0, 2.5]}', '{"a": [1.0, 2.501]}', False),
        ('{"a": [1.0, 2.5]}', '{"a": [1.0]}', False),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}', False),
        ('{"a": 1}', '{"a": 1.0}', False),
        ('{"a": true}', '{"a": 1}', False),
        ('{"a": "x"}', '{"a": "y"}', False),
        ('{"a": NaN}', '{"a": 1.0}', False),
        ('{"cases": [{"instance": [1e-12, NaN]}]}', '{"cases": [{"instance": [1e-12, NaN]}]}', True),
        ('{"cases": [{"instance": [1e-12]}]}', '{"cases": [{"instance": [2e-12]}]}', False),
        ("not JSON", '{"a": 1.0}', False),
    ],
)
def test_public_checks_may_differ_by_rounding_alone(tmp_path, before, after, same):
    (tmp_path / "one.json").write_text(before)
    (tmp_path / "other.json").write_text(after)
    assert build.same_content(tmp_path / "one.json", tmp_path / "other.json") is same


def test_a_build_keeps_the_digits_that_differ_by_rounding_alone(tmp_path, monkeypatch):
    def write(lesson: str, reference: Any, folder: Path) -> Path:
        path = folder / f"{lesson}.json"
        path.write_text(checks.public_text(content))
        return path

    monkeypatch.setattr(checks, "lessons", lambda: [FIXTURE])
    monkeypatch.setattr(checks, "write_public", write)

    def exercise(instance: float, expected: float) -> dict[str, Any]:
        return {"cases": [{"instance": instance, "expected": expected}]}

    root = course(tmp_path)
    content = {"a": [1.0, 2.5], "b": {"c": [0.1]}, "e": exercise(0.25, 1e-12), "f": exercise(0.25, 1.0)}
    build.build(root)
    rounded = {"a": [1.0000000000000002, 3.5], "f": exercise(0.25, 1.0000000000000002)}
    content = {**content, **rounded, "b": {"c": [0.1, 0.2]}, "d": 1, "e": exercise(0.5, 2e-12)}
    assert build.build(root) == [build.PUBLIC_CHECKS / f"{FIXTURE}.json"]
    stored = json.loads((root / build.PUBLIC_CHECKS / f"{FIXTURE}.json").read_text())
    assert stored == content | {"a": [1.0, 3.5], "f": exercise(0.25, 1.0)}


def test_a_changed_source_makes_a_stale_notebook_and_a_removed_one_an_orphan(tmp_path):
    root = course(tmp_path)
    build.build(root)
    write_lesson(root / "solutions", SOURCE.replace("The mean that rates need.", "The mean of rates."))
    assert ("90_fixture.ipynb", "stale") in [(item.path.name, item.kind) for item in build.drift(root)]
    build.build(root)
    assert build.drift(root) == []
    (root / "solutions" / f"{FIXTURE}.py").unlink()
    assert [(item.path.name, item.kind) for item in build.drift(root)] == [
        (f"{FIXTURE}.ipynb", "orphaned"),
        ("index.ipynb", "stale"),  # it no longer leads there
    ]
    build.build(root)
    assert not (root / "notebooks" / FIXTURE).exists()


@pytest.mark.parametrize("removed", [False, True])
def test_build_never_destroys_somebody_s_work(tmp_path, removed):
    root = course(tmp_path)
    build.build(root)
    path = root / "notebooks/90_fixture/90_fixture.ipynb"
    worked = path.read_text("utf-8").replace("raise NotImplementedError()", "return 12.0")
    path.write_text(worked, "utf-8")
    if removed:
        (root / "solutions" / f"{FIXTURE}.py").unlink()
    with pytest.raises(ValueError, match=r"90_fixture\.ipynb would be lost"):
        build.build(root)
    assert path.read_text("utf-8") == worked
    build.build(root, force=True)
    assert not path.exists() or "12.0" not in path.read_text("utf-8")


# -- bootstrap
# ------------------------------------------------------------------------------------------------------------


def run_bootstrap(
    folder: Path, *, library: bool = False, pip: int = 0, root: Path = build.ROOT
) -> subprocess.CompletedProcess[str]:
    """Run the first cell in a fresh interpreter whose pip only writes down what it was asked for."""
    setting = f"""
import importlib.util, json, subprocess, sys
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: real(name, *rest) if name != "nas_lib" or {library} else None
class Done: returncode = {pip}
subprocess.run = lambda command: (print(json.dumps(command[1:])), Done)[1]
"""
    return subprocess.run(
        [sys.executable, "-c", setting + build.bootstrap(root)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


def with_addresses(root: Path, **addresses: str) -> Path:
    """A course whose pyproject.toml names these."""
    text = (root / "pyproject.toml").read_text("utf-8")
    for name, address in addresses.items():
        text, found = re.subn(rf'^{name}-url = ""', f'{name}-url = "{address}"', text, flags=re.MULTILINE)
        assert found == 1
    (root / "pyproject.toml").write_text(text, "utf-8")
    return root


WHEEL = "nas_lib-0.1.0-py3-none-any.whl"
PIP = ["-m", "pip", "install", "-q", f"numpy=={metadata.version('numpy')}"]


def test_every_notebook_begins_with_five_lines_that_do_nothing_where_the_library_is_there(tmp_path):
    assert cell_named(student_cells(), build.BOOTSTRAP_ID).source == build.bootstrap()
    assert len(build.bootstrap().splitlines()) <= 5
    (tmp_path / WHEEL).touch()
    done = run_bootstrap(tmp_path, library=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_where_the_library_is_missing_the_wheel_beside_the_notebook_is_installed_and_numpy_stays(tmp_path):
    for folder in ("content", "kaggle"):  # whatever the place
        (tmp_path / folder).mkdir()
        (tmp_path / folder / WHEEL).touch()
        done = run_bootstrap(tmp_path / folder)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout) == [*PIP, WHEEL]


def test_without_a_wheel_and_without_an_address_nothing_is_installed_and_one_sentence_says_what_to_do(
    tmp_path,
):
    assert not re.search(r"https?:|git\+", build.bootstrap()), "an address that anybody might claim"
    done = run_bootstrap(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Put the course's nas_lib-*.whl beside this notebook" in done.stderr.splitlines()[-1]
    (tmp_path / WHEEL).touch()
    assert "beside this notebook" in run_bootstrap(tmp_path, pip=1).stderr.splitlines()[-1]


def test_addresses_come_from_one_place(tmp_path):
    address, colab = f"https://example.org/{WHEEL}", "https://example.org/colab"
    root = with_addresses(course(tmp_path), install=address, colab=colab)
    assert json.loads(run_bootstrap(tmp_path, root=root).stdout) == [*PIP, address]
    assert "Is the network up?" in run_bootstrap(tmp_path, root=root, pip=1).stderr.splitlines()[-1]
    (tmp_path / WHEEL).touch()
    assert json.loads(run_bootstrap(tmp_path, root=root).stdout) == [*PIP, WHEEL], "the file goes first"

    badge = f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab}/notebooks/{FIXTURE}/"
    (root / "README.md").write_text(f"{contents.TABLE_HEAD}\n|---|---:|---:|\n", encoding="utf-8")
    build.build(root)
    notebook = root / "notebooks" / FIXTURE / f"{FIXTURE}.ipynb"
    assert f"[Open in Colab]({colab}/notebooks/{FIXTURE}/" in nbformat.read(notebook, 4).cells[0].source
    row = (root / "README.md").read_text("utf-8").splitlines()[-1]
    assert f"{FIXTURE}.ipynb) {badge}" in row and row.endswith("| 16 | 7 |")
    assert "(https://colab.research.google.com/) (upload this file)" in student_cells()[0].source


# -- verifier ------------------------------------------------------------------------------------------------
# -------------


def test_the_fixture_has_no_fault():
    assert verify.verify(FIXTURE, FIXTURES) == []


def swap(old: str, new: str) -> Callable[[str], str]:
    def broken(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return broken


CHECK = '# %% tags=["check"]\ncheck("harmonic_mean", harmonic_mean)\n'
HINT = (
    '# <details><summary>Hint: "ZeroDivisionError"</summary>\n'
    "# A zero among the values makes the mean zero. </details>\n"
)

BROKEN = {
    "title missing": (
        swap("# ### Exercise 90.1 · `harmonic_mean` · ●●○○○ · 5 min · 2 points\n", ""),
        "no title line above it",
    ),
    "no minutes": (
        swap("●●○○○ · 5 min · 2 points", "●●○○○ · 2 points"),
        "lacks difficulty, minutes or points",
    ),
    "no difficulty": (swap("●●○○○ · 5 min · 2 points", "○○○○○ · 5 min · 2 points"), "no number from 1 to 5"),
    "other name in title": (swap("`harmonic_mean` ·", "`harmonic` ·"), "defines no 'harmonic'"),
    "number of another lesson": (swap("Exercise 90.1", "Exercise 9.1"), "of another lesson"),
    "number twice": (swap("Exercise 90.2", "Exercise 90.1"), "exists twice"),
    "kind of title": (swap("### Question 90.1", "### Exercise 90.3"), "titled 'Question'"),
    "no check": (swap(CHECK, ""), "no check cell"),
    "check elsewhere": (
        swap(CHECK, '# %% tags=["experiment"]\n1\n\n' + CHECK),
        "not beside it",
    ),
    "check of another task": (
        lambda text: swap(CHECK, "")(text) + "\n" + CHECK,
        "is tagged 'check' but has no title line above it",
    ),
    "check does more": (
        swap('check("harmonic_mean", harmonic_mean)', 'check("harmonic_mean", harmonic_mean)\n1'),
        "one call and nothing else",
    ),
    "check of another": (
        swap('check("Counter", Counter)', 'check("Counter", harmonic_mean)'),
        "one call and nothing else",
    ),
    "check without exercise": (
        swap('# %% tags=["exercise"]\ndef harmonic', '# %% tags=["setup"]\ndef harmonic'),
        "belongs to no exercise",
    ),
    "no points": (swap("5 min · 2 points", "5 min · 0 points"), "earns no points"),
    "no hint": (swap(HINT, ""), "no hint"),
    "name twice": (swap("`Counter` ·", "`harmonic_mean` ·"), "already the name of cell"),
    "two cells to write in": (
        swap(CHECK, '# %% tags=["exercise"]\n### BEGIN SOLUTION\n1\n### END SOLUTION\n\n' + CHECK),
        "already the name of cell",
    ),
    "answer to nothing": (
        swap("### Open question 90.1", "### Question 90.2"),
        "is tagged 'answer' but answers no open question",
    ),
    "unclosed solution": (
        swap(
            "    return len(numbers) / reciprocals\n    ### END SOLUTION\n",
            "    return len(numbers) / reciprocals\n",
        ),
        "BEGIN SOLUTION without END",
    ),
    "unopened solution": (
        swap("    ### BEGIN SOLUTION\n    numbers", "    numbers"),
        "END SOLUTION without BEGIN",
    ),
    "nested solution": (
        swap("    if not numbers:\n", "    ### BEGIN SOLUTION\n    if not numbers:\n"),
        "twice without",
    ),
    "unclosed scheme": (swap("# ### END MARK SCHEME\n", ""), "BEGIN MARK SCHEME without END"),
    "signature in solution": (
        lambda text: swap(
            '    """Harmonic',
            '    pass\n\n\n### BEGIN SOLUTION\ndef harmonic_mean(values, default=None):\n    """Harmonic',
        )(
            swap("    ### BEGIN SOLUTION\n    numbers", "    numbers")(text)
        ).replace("reciprocals\n    ### END SOLUTION", "reciprocals\n### END SOLUTION"),
        "is not the reference's",
    ),
    "stub gone": (
        lambda text: swap("def harmonic_mean(", "### BEGIN SOLUTION\ndef harmonic_mean(")(
            swap("    ### BEGIN SOLUTION\n    numbers", "    numbers")(text)
        ).replace("reciprocals\n    ### END SOLUTION", "reciprocals\n### END SOLUTION"),
        "the stub lacks 'harmonic_mean'",
    ),
    "method gone from the stub": (
        lambda text: swap("    def tell(", "    ### BEGIN SOLUTION\n    def tell(")(
            swap("        ### BEGIN SOLUTION\n        key", "        key")(text)
        ),
        "the stub lacks 'Counter.tell'",
    ),
    "no docstring": (
        swap(
            '    """Harmonic mean of positive numbers; `default` for none at all, 0.0 if any of them is zero."""\n',
            "",
        ),
        "no docstring",
    ),
    "no solution region": (
        lambda text: text.replace("### BEGIN SOLUTION\nconcept", "concept").replace(
            '"c"\n### END SOLUTION', '"c"'
        ),
        "no solution region",
    ),
    "solution outside of a solution cell": (
        swap("SCALE = 2.0", "### BEGIN SOLUTION\nSCALE = 2.0\n### END SOLUTION"),
        "is no solution cell",
    ),
    "untagged": (swap('# %% tags=["setup"]', "# %%"), "exactly one course tag"),
    "setup not first": (
        swap('# %% tags=["setup"]', '# %% tags=["experiment"]\n1\n\n# %% tags=["setup"]'),
        "not a setup cell",
    ),
    "no rubric": (
        lambda text: text[: text.index("# %% [markdown]\n# ### BEGIN MARK SCHEME")],
        "has no rubric",
    ),
    "no header": (swap("**{minutes} · {points}.** ", ""), "does not say how long the lesson takes"),
    "too much to read": (
        lambda text: text + "\n# %% [markdown]\n" + "# five words on each line\n" * 801,
        "minutes to read, more than 20",
    ),
    "too full a cell": (
        swap("SCALE = 2.0", "if True:\n" + "    SCALE = 2.0\n" * verify.MOST_STATEMENTS),
        "statements are too many for one cell",
    ),
    "a long line of code": (swap("SCALE = 2.0", "SCALE = 2.0  # " + "x" * 86), "a line of 101 characters"),
    "a long line of prose": (
        lambda text: text + "\n# %% [markdown]\n# " + "words " * 16 + "end\n",
        "a line of 101 characters",
    ),
    "concept name": (swap('concept_90_1 = "c"', 'concept_90_2 = "c"'), "the solution is concept_90_2"),
    "empty solution": (
        lambda text: re.sub(
            r"(        ### BEGIN SOLUTION\n).*?(        ### END)", r"\1        # later\n\2", text, flags=re.S
        ),
        "the solution region is empty",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_fault_is_found_for_its_own_reason(tmp_path, name):
    spoil, reason = BROKEN[name]
    text = spoil(SOURCE)
    assert text != SOURCE
    write_lesson(tmp_path, text)
    problems = [str(problem) for problem in verify.verify(FIXTURE, tmp_path)]
    matching = [problem for problem in problems if reason in problem]
    assert matching, problems
    assert matching[0].startswith("90_fixture.py, ")
    assert matching[0].count(". ") >= 1, "the message says how to mend it"


# -- leaks ---------------------------------------------------------------------------------------------------
# -------------


@pytest.fixture(scope="module")
def fixture_answers() -> leaks.Answers:
    return leaks.answers([read_lesson(FIXTURE, FIXTURES)])


def planted(tmp_path: Path, source: str, cell_type: str = "code") -> Path:
    notebook = build.student_notebook(FIXTURE, FIXTURES)
    make = nbformat.v4.new_code_cell if cell_type == "code" else nbformat.v4.new_markdown_cell
    notebook.cells.append(make(source))
    path = tmp_path / "planted.ipynb"
    path.write_text(build.render(notebook), encoding="utf-8")
    return path


def test_the_student_notebook_is_clean(tmp_path, fixture_answers):
    path = tmp_path / "clean.ipynb"
    path.write_text(build.render(build.student_notebook(FIXTURE, FIXTURES)), encoding="utf-8")
    assert leaks.scan(path, fixture_answers) == []


def test_the_instructor_notebook_is_not(tmp_path, fixture_answers):
    path = tmp_path / "instructor.ipynb"
    path.write_text(build.render(build.instructor_notebook(FIXTURE, FIXTURES)), encoding="utf-8")
    found = " ".join(leak.what for leak in leaks.scan(path, fixture_answers))
    for answer in (
        "harmonic_mean",
        "Counter",
        "concept_90_1",
        "mark scheme",
        "model answer",
        "BEGIN SOLUTION",
    ):
        assert answer in found


RENAMED = '''
def mean_of_rates(xs, otherwise):
    """Other words."""
    floats = [float(x) for x in xs]   # no comment
    if not floats:
        return otherwise
    if min(floats) == 0.0: return 0.0

    total = m.fsum(1.0 / x for x in floats)
    return len(floats) / total
'''
PARTIAL = """
if ready:
    numbers = [float(v) for v in data]
    if not numbers:
        return fallback
    if min(numbers) == 0.0:
        return 0.0
    inverse = math.fsum(1.0 / n for n in numbers)
    print(inverse)
"""
METHOD = "def note(self, item):\n    name = repr(item)\n    self.seen[name] = self.seen.get(name, 0) + 1\n    return self.seen[name]\n"
PLANTED = {
    "renamed variables": (RENAMED, "code", "harmonic_mean"),
    "a part of it inside other code": (
        "def f(data):\n" + PARTIAL.replace("\n", "\n    "),
        "code",
        "harmonic_mean",
    ),
    "a method, without its class": (METHOD, "code", "Counter"),
    "fenced in prose": (f"Try this:\n```python\n{RENAMED}```\n", "markdown", "harmonic_mean"),
    "verbatim in prose": (
        "So:\n\n    reciprocals = x\n\n"
        + "numbers = [float(value) for value in values]\nif not numbers:\n    return default\nif min(numbers) == 0.0:\n    return 0.0\nreciprocals = math.fsum(1.0 / number for number in numbers)\nreturn len(numbers) / reciprocals",
        "markdown",
        "harmonic_mean",
    ),
    "concept key in code": ("concept_90_1='c'", "code", "the key of concept_90_1"),
    "concept key in prose": (
        "The answer of `concept_90_1` is **c**.".replace("**c**", '"c"'),
        "markdown",
        "the key of concept_90_1",
    ),
    "rubric": (
        "<!-- 1 point for NAMING rates,\n1 point for equal amounts of work at each rate -->",
        "markdown",
        "mark scheme",
    ),
    "model answer": (
        "equal amounts of work are done at *different* rates, because the total",
        "markdown",
        "model answer",
    ),
    "solution marker": ("### BEGIN SOLUTION", "code", "BEGIN SOLUTION"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_leak_is_found(tmp_path, fixture_answers, name):
    source, cell_type, answer = PLANTED[name]
    found = leaks.scan(planted(tmp_path, source, cell_type), fixture_answers)
    assert [leak for leak in found if answer in leak.what], found
    assert all("planted.ipynb cell" in leak.where for leak in found)


HARMLESS = {
    "another way": "def harmonic_mean(values, default=0.0):\n    return len(values) / sum(1 / v for v in values) if values else default",
    "the same signature and docstring": 'def harmonic_mean(values, default=0.0):\n    """Harmonic mean of positive numbers."""\n    raise NotImplementedError()',
    "common ground": "def f(x):\n    if not x:\n        return 0.0\n    return None",
    "concept stub": "concept_90_1 = None  # a, b or c",
    "another letter": "concept_90_1 = 'a'",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_no_false_alarm(tmp_path, fixture_answers, name):
    assert leaks.scan(planted(tmp_path, HARMLESS[name]), fixture_answers) == []


def test_leaks_in_outputs_metadata_archives_and_json_are_found(tmp_path, fixture_answers):
    notebook = build.student_notebook(FIXTURE, FIXTURES)
    code = next(cell for cell in notebook.cells if cell.cell_type == "code")
    code.outputs = [nbformat.v4.new_output("stream", name="stdout", text='concept_90_1 = "c"\n')]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "output.ipynb").write_text(build.render(notebook), encoding="utf-8")
    (tmp_path / "in" / "public.json").write_text(
        json.dumps({"exercises": [{"name": "concept_90_1", "expected": "c"}]}), encoding="utf-8"
    )
    (tmp_path / "in" / "options.json").write_text(
        json.dumps({"concept_90_1": ["a", "b", "c"]}), encoding="utf-8"
    )
    (tmp_path / "in" / "helper.py").write_text(RENAMED, encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "inner.whl", "w") as wheel:
        wheel.write(tmp_path / "in" / "helper.py", "nas_lib/helper.py")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.write(tmp_path / "inner.whl", "nas/inner.whl")
        archive.writestr("nas/solutions/x.txt", "nothing")
    found = {
        (Path(leak.where.split("!")[-1].split(" ")[0]).name, leak.what)
        for leak in leaks.scan(tmp_path, fixture_answers)
    }
    names = {name for name, _ in found}
    assert {"output.ipynb", "public.json", "helper.py", "x.txt"} <= names
    assert "options.json" not in names


# -- the course itself
# ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lesson", LESSONS)
def test_lesson_has_no_fault(lesson):
    assert [str(problem) for problem in verify.verify(lesson)] == []


def test_notebooks_are_what_the_sources_give():
    sources = ("nas_lib", "solutions", "autograder", "notebooks", "pyproject.toml", "README.md")
    with kept("drift", drift, sources) as found:
        assert found == [], "run `make build` and commit notebooks/ and nas_lib/assets/checks/"


def drift() -> list[str]:
    return [str(item) for item in build.drift()]


def test_no_answer_reaches_the_student_notebooks_or_the_library():
    secrets = leaks.all_answers()
    assert len(secrets.windows) > 20, "the references were not collected"
    found = leaks.scan(build.ROOT / "notebooks", secrets) + leaks.scan(build.ROOT / "nas_lib", secrets)
    assert [str(leak) for leak in found] == []


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_reference_would_be_found(lesson, tmp_path):
    """Each exercise's own reference, with its variables renamed, is recognised: the scan is not blind to any
    of them.
    """
    secrets = leaks.all_answers()
    source = read_lesson(lesson)
    for task in source.tasks:
        if task.kind == "exercise":
            tree = ast.parse(source.cells[task.cell].source)
            for node in ast.walk(tree):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    renamed = node.id
                    for other in ast.walk(tree):
                        if isinstance(other, ast.Name) and other.id == renamed:
                            other.id = f"other_{renamed}"
            path = tmp_path / f"{task.name}.py"
            path.write_text(ast.unparse(tree), encoding="utf-8")
            assert any(f":{task.name}" in leak.what for leak in leaks.scan(path, secrets)), task.name
