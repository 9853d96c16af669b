"""The repository as a whole: what is installed, what is shipped, and that its files tell the same story.

Nothing here tests what the course computes; each module has its own tests.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from autograder.author import contents, verify
from nas_lib import cli

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
BIGGEST = 5_000_000  # bytes of any one file in the repository

# conda-forge calls a few packages otherwise than PyPI does.
CONDA_NAMES = {"pytorch": "torch"}
TARGETS = (
    "help",
    "venv",
    "lab",
    "test",
    "slow-test",
    "build",
    "grade",
    "corpus",
    "sweep",
    "site",
    "table",
    "release",
)

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    # A make that started these tests must not pass its own flags and variables on.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=600,
    )


def repository_files() -> list[Path]:
    """What is, or would be, committed."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    assert listed.returncode == 0, listed.stderr
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


# -- requirements ----------------------------------------------------------------------------------


def of_pyproject(pyproject: dict[str, Any]) -> dict[str, SpecifierSet]:
    project = pyproject["project"]
    lines = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    return {"python": SpecifierSet(project["requires-python"])} | by_name(lines)


def of_environment(environment: dict[str, Any]) -> dict[str, SpecifierSet]:
    lines = [line for line in environment["dependencies"] if isinstance(line, str) and line != "pip"]
    return by_name([*lines, *(line for line in of_pip(environment) if not line.startswith("--"))])


def of_pip(environment: dict[str, Any]) -> list[str]:
    """What pip installs into the conda environment: what conda-forge does not have."""
    return [line for item in environment["dependencies"] if isinstance(item, dict) for line in item["pip"]]


def by_name(lines: Iterable[str]) -> dict[str, SpecifierSet]:
    requirements = [Requirement(line) for line in lines]
    names = [canonicalize_name(requirement.name) for requirement in requirements]
    assert len(names) == len(set(names)), (
        f"listed twice: {sorted({name for name in names if names.count(name) > 1})}"
    )
    return {CONDA_NAMES.get(name, name): one.specifier for name, one in zip(names, requirements)}


def differences(pyproject: dict[str, Any], environment: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Requirements that the two files do not agree on: {name: (in pyproject.toml, in environment.yml)}."""
    ours, theirs = of_pyproject(pyproject), of_environment(environment)
    return {
        name: (str(ours.get(name)), str(theirs.get(name)))
        for name in sorted(ours.keys() | theirs.keys())
        if ours.get(name) != theirs.get(name)
    }


def pins() -> dict[str, SpecifierSet]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return by_name(line for line in lines if line and not line.startswith("#"))


def environment_yml() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def test_conda_environment_has_the_requirements_of_pyproject():
    assert differences(PYPROJECT, environment_yml()) == {}


@pytest.mark.parametrize("name", ["python", "torch", "nbgrader", "ruff"])
@pytest.mark.parametrize("drift", ["bound", "dropped"])
def test_any_drift_between_the_two_is_noticed(name: str, drift: str):
    environment = environment_yml()
    place = next(
        number
        for number, line in enumerate(environment["dependencies"])
        if isinstance(line, str) and re.match(rf"(py)?{name}>=", line)
    )
    if drift == "bound":
        environment["dependencies"][place] += ".1"
    else:
        del environment["dependencies"][place]
    assert list(differences(PYPROJECT, environment)) == [name]


def test_a_package_that_only_conda_gets_is_noticed():
    environment = environment_yml()
    environment["dependencies"].append("pandas>=2")
    assert differences(PYPROJECT, environment) == {"pandas": ("None", ">=2")}


def test_conda_environment_installs_this_folder():
    assert [line for line in of_pip(environment_yml()) if line.startswith("--")] == ["--editable ."]


def test_library_requirements_are_lower_bounds_only():
    # Anything else would make pip replace the torch and numpy that a hosted runtime brings.
    for line in PYPROJECT["project"]["dependencies"]:
        assert [one.operator for one in Requirement(line).specifier] == [">="], line


def test_constraints_pin_every_requirement_within_its_bounds():
    for name, pin in pins().items():
        assert re.fullmatch(r"==[\w.]+", str(pin)), f"{name}: only exact public versions belong here"
    for name, bounds in of_pyproject(PYPROJECT).items():
        if name != "python":
            assert bounds.contains(str(pins()[name]).removeprefix("==")), (
                f"{name}{pins()[name]} is outside {bounds}"
            )


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or sys.version_info[:2] != (3, 11),
    reason="constraints.txt was made on Linux with Python 3.11; other machines need a few packages more",
)
def test_constraints_hold_what_the_requirements_need_in_turn():
    """Every package that comes along with a requirement is pinned: what was tested is what is installed."""
    seen: set[str] = set()
    here: set[str] = set()
    todo = [name for name in of_pyproject(PYPROJECT) if name != "python"]
    while todo:
        name = canonicalize_name(todo.pop())
        if name in seen:
            continue
        seen.add(name)
        try:
            needs = [Requirement(line) for line in metadata.requires(name) or []]
        except metadata.PackageNotFoundError:
            continue  # for another system or Python
        todo += [one.name for one in needs if one.marker is None or one.marker.evaluate({"extra": ""})]
        here.add(name)
    assert {"torch", "sympy", "traitlets"} <= here  # the walk went somewhere
    assert here - pins().keys() == set()


def test_pinned_versions_run_on_the_first_python_that_the_course_admits():
    """Some releases ask for a later 3.11 than the one that a stable Linux brings."""
    least = PYPROJECT["project"]["requires-python"].removeprefix(">=") + ".0"
    for name, pin in pins().items():
        try:
            about = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue  # for another system
        if pin.contains(about["Version"]):
            assert SpecifierSet(about.get("Requires-Python") or "").contains(least), f"{name}{pin}"


# -- code ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", [("ruff", "check", "."), ("mypy",)], ids=lambda tool: tool[0])
def test_linter_and_type_checker_have_nothing_to_say(tool: tuple[str, ...]):
    done = run(sys.executable, "-m", *tool)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


def test_importing_the_library_is_light():
    code = (
        "import sys, time; start = time.process_time(); import nas_lib; spent = time.process_time() - start\n"
        "print(spent, *({name.split('.')[0] for name in sys.modules} & {'torch', 'numpy', 'matplotlib'}))"
    )
    spent, *loaded = run(sys.executable, "-c", code).stdout.split()
    assert loaded == []
    assert float(spent) < 0.1


@pytest.mark.parametrize("module", ["spaces", "benchmark", "search", "data", "checks", "cli", "doctor"])
def test_what_needs_no_torch_does_not_import_it(module: str):
    done = run(sys.executable, "-c", f"import sys, nas_lib.{module}; sys.exit('torch' in sys.modules)")
    assert done.returncode == 0, done.stderr or f"nas_lib.{module} imports torch"


def test_imports_go_one_way():
    """nas_lib needs no other folder, lessons need nas_lib alone, and nothing needs the autograder."""
    allowed = {"nas_lib": set(), "solutions": {"nas_lib"}}
    ours = {"nas_lib", "solutions", "autograder", "scripts", "tests"}
    for folder, others in allowed.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            wrong = imported(path) & ours - others - {folder}
            assert not wrong, f"{path.relative_to(ROOT)} imports {', '.join(sorted(wrong))}"


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


# -- make and CI -----------------------------------------------------------------------------------


def make_targets() -> list[str]:
    return re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)


@needs_make
def test_plain_make_lists_every_target_with_what_it_does():
    shown = dict(re.findall(r"^  make (\S+) +(\S.*)$", run("make").stdout, flags=re.MULTILINE))
    assert tuple(shown) == TARGETS
    assert sorted(shown) == sorted(make_targets())
    assert run("make", "help").stdout == run("make").stdout


@needs_make
def test_make_installs_once_and_again_when_the_requirements_change(tmp_path: Path):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()
    assert "pip install" in run("make", "-n", "test", cwd=tmp_path).stdout

    stamp = tmp_path / ".venv" / ".installed"
    stamp.touch()
    for target in set(TARGETS) - {"help", "venv"}:
        planned = run("make", "-n", target, cwd=tmp_path).stdout
        assert planned.startswith(".venv/bin/"), target
        assert "pip" not in planned, target

    later = stamp.stat().st_mtime + 10
    os.utime(tmp_path / "constraints.txt", (later, later))
    assert "pip install --constraint constraints.txt" in run("make", "-n", "test", cwd=tmp_path).stdout


@needs_make
def test_torch_can_come_from_an_index_of_its_own(tmp_path: Path):
    planned = run("make", "-n", "venv", f"VENV={tmp_path}/env", "TORCH_INDEX=https://example.org/cpu").stdout
    first, second = [line for line in planned.splitlines() if "pip install" in line]
    wanted = [f"{name}{pins()[name]}" for name in ("torch", "torchvision")]
    assert first.endswith(f"--index-url https://example.org/cpu {' '.join(wanted)}")
    assert "example.org" not in second


@needs_make
@pytest.mark.parametrize("version", [None, "(3, 10)"], ids=["no such Python", "Python 3.10"])
def test_make_says_in_a_sentence_that_python_is_missing_or_too_old(tmp_path: Path, version: str | None):
    python = tmp_path / "python"
    if version:  # answers the question for sys.version_info as that version would
        python.write_text(
            f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = {version}; $2"\n'
        )
        python.chmod(0o755)
    done = run("make", "venv", f"VENV={tmp_path}/env", f"PYTHON={python}")
    assert done.returncode != 0
    sentence, *rest = done.stderr.splitlines()
    assert sentence.startswith("No Python 3.11 or newer found")
    assert str(python) in sentence
    assert all(line.startswith("make:") for line in rest)
    assert not (tmp_path / "env").exists()


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize("status", [0, 3])
def test_ci_ends_as_make_test_does(tmp_path: Path, status: int):
    programs(
        tmp_path, {"make": f'echo "make $*"\nexit {status}', "git": "", "bwrap": "", "apt-get": "exit 9"}
    )
    path = os.pathsep.join([str(tmp_path), str(Path(sys.executable).parent), os.environ["PATH"]])
    done = run("bash", ROOT / ".ci" / "run", cwd=tmp_path, PATH=path)
    assert (done.stdout, done.returncode) == ("make test\n", status), done.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_ci_installs_what_a_bare_machine_lacks_and_stops_when_it_cannot(tmp_path: Path):
    apt = 'echo "$@" >&2\ncase "$1" in install) exit 7;; esac'
    programs(tmp_path, {"apt-get": apt, "sudo": 'exec "$@"'})
    for name in ("bash", "sh", "dirname", "id"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    done = run(tmp_path / "bash", ROOT / ".ci" / "run", PATH=str(tmp_path))
    updated, installed = done.stderr.splitlines()
    assert updated.startswith("update")
    assert installed.endswith("python3 python3-venv make git bubblewrap")
    assert done.returncode == 7


def programs(folder: Path, scripts: dict[str, str]) -> None:
    for name, lines in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{lines}\n")
        (folder / name).chmod(0o755)


# -- README ----------------------------------------------------------------------------------------


def lesson_rows() -> list[str]:
    """The README's table as the lessons' sources want it: heading, sums over the title lines, badge."""
    colab = PYPROJECT["tool"]["nas-course"]["colab-url"]
    rows = []
    for path in sorted((ROOT / "solutions").glob("[0-9][0-9]_*.py")):
        source = path.read_text(encoding="utf-8")
        heading = re.search(r"^# # (.+)$", source, flags=re.MULTILINE)
        assert heading, f"{path.name} has no heading"
        titles = re.findall(r"^# #{2,4} .*· (\d+) min · (\d+(?:\.\d+)?) points?$", source, flags=re.MULTILINE)
        minutes, points = sum(int(minute) for minute, _ in titles), sum(float(point) for _, point in titles)
        notebook = f"notebooks/{path.stem}/{path.stem}.ipynb"
        picture = "https://colab.research.google.com/assets/colab-badge.svg"
        badge = f" [![Open in Colab]({picture})]({colab}/{notebook})" if colab else ""
        rows.append(f"| [{heading[1]}]({notebook}){badge} | {minutes} | {points:g} |")
    return rows


def test_readme_lists_the_lessons_as_their_sources_have_them():
    rows = lesson_rows()
    assert rows
    shown = [line for line in README.splitlines() if line.startswith("| [")]
    assert shown == rows, "run `make build`; the README's lesson table should read:\n" + "\n".join(rows)


def test_readme_names_commands_that_exist():
    targets = set(re.findall(r"`?make ([a-z][a-z-]*)\b", "\n".join(code_in(README))))
    assert {"lab", "test", "build", "grade", "corpus", "table", "release"} <= targets
    assert targets <= set(make_targets())
    commands = set(re.findall(r"nas-course ([a-z][a-z0-9-]*)", README))
    assert {"doctor", "grade"} <= commands
    assert commands <= set(course_commands())


def test_contributing_names_commands_and_files_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert set(re.findall(r"make ([a-z][a-z-]*)`", text)) <= set(make_targets())
    commands = set(re.findall(r"nas-course ([a-z][a-z0-9-]*)", text))
    assert {"new-exercise", "verify", "mutants", "build"} <= commands <= set(course_commands())
    paths = [one for one in code_in(text) if re.fullmatch(r"[\w.<>]+(/[\w.<>]*)+", one)]
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()  # such folders are there after a run
    paths = [one for one in paths if f"/{one}" not in ignored]
    assert len(paths) > 12
    for path in paths:
        lessons = [one.stem for one in (ROOT / "solutions").glob("[0-9]*.py")]
        filled = {path.replace("<lesson>", one).replace("<name>", one.partition("_")[2]) for one in lessons}
        assert any((ROOT / one).exists() for one in filled), path


def test_contributing_names_the_limits_that_are_held():
    text = " ".join((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split())
    assert (
        f"at most {verify.MOST_READING_MINUTES} minutes, a cell has at most {verify.MOST_STATEMENTS} statements"
        in text
    )
    assert f"lines end at column {verify.LONGEST_LINE}" in text
    assert f"`{contents.HEADER}`" in text


def code_in(text: str) -> list[str]:
    """Fenced blocks and inline code of a Markdown text."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return fenced + re.findall(
        r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    )


def course_commands() -> list[str]:
    actions = cli.build_parser()._actions
    return [name for one in actions if isinstance(one, argparse._SubParsersAction) for name in one.choices]


def test_readme_names_files_that_exist():
    links = [target for target in re.findall(r"\]\(([^)\s]+)\)", README) if "://" not in target]
    folders = re.findall(r"^([\w./]+/) {2,}", README, flags=re.MULTILINE)
    assert {"nas_lib/", "solutions/", "tests/"} <= set(folders)
    missing = [name for name in [*links, *folders] if not (ROOT / name).exists()]
    assert missing == []


def test_make_help_and_environment_agree_on_the_least_python():
    least = PYPROJECT["project"]["requires-python"].removeprefix(">=")
    for name in ("README.md", "Makefile"):
        assert f"Python {least} or newer" in (ROOT / name).read_text(encoding="utf-8"), name


# -- what is shipped -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    done = run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        ROOT,
        "--no-deps",
        "--no-build-isolation",
        "--quiet",
        "--wheel-dir",
        folder,
    )
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_wheel_holds_the_library_with_its_assets_and_nothing_else(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")}
    assert all(name.startswith("nas_lib/") for name in names), "solutions and autograder stay out"
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in repository_files()
        if path.is_relative_to(ROOT / "nas_lib") and path.suffix != ".pyc"
    }
    assert names == expected
    assert {"nas_lib/py.typed", "nas_lib/cli.py"} <= names
    assert any(name.startswith("nas_lib/assets/checks/") for name in names)


def test_library_works_from_its_wheel_alone(wheel: Path, tmp_path: Path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    # -P and the empty folder: neither the checkout nor its editable install may help out.
    code = (
        f"import sys; sys.path[:] = [{str(tmp_path)!r}] + [p for p in sys.path if p != {str(ROOT)!r}]\n"
        "import nas_lib.checks, nas_lib.cli; from nas_lib.spaces import CellSpace\n"
        "print(nas_lib.__file__, len(CellSpace()))\n"
        "sys.exit(nas_lib.cli.main(['--help']))"
    )
    done = run(sys.executable, "-P", "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{tmp_path / 'nas_lib' / '__init__.py'} 15625\n")
    commands = re.findall(r"^    (\w+)(?: |$)", done.stdout, flags=re.MULTILINE)
    learners = ["doctor", "lab", "validate", "progress", "submit", "update", "reproduce", "nb201"]
    assert commands == learners, "the learner's commands alone"


def test_no_file_names_the_machine_it_was_written_on():
    # Put together here, so that this file does not find itself.
    places = ["/work/" + name for name in ("main", "shared", "plan")]
    places += ["/opt/" + name for name in ("pypi", "wheels")]
    if len(ROOT.parts) > 2:
        places.append(str(ROOT))
    for path in repository_files():
        text = path.read_bytes()
        for place in places:
            assert place.encode() not in text, f"{path.relative_to(ROOT)} names {place}"


def test_no_file_is_big():
    sizes = {path.relative_to(ROOT).as_posix(): path.stat().st_size for path in repository_files()}
    assert {name: size for name, size in sizes.items() if size > BIGGEST} == {}


def test_notebooks_are_stored_without_outputs():
    notebooks = [path for path in repository_files() if path.suffix == ".ipynb" and "notebooks" in path.parts]
    assert len(notebooks) >= len(lesson_rows())
    for path in notebooks:
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            assert not cell.get("outputs"), path.name
            assert cell.get("execution_count") is None, path.name
