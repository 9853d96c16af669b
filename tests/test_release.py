"""The learners' zip: what is in it, what is not, that it installs, and that a leak stops it."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import solutions
from autograder.author import build, leaks, release
from autograder.author.contents import BY_HAND
from autograder.author.lesson import read_lesson, without_markers
from nas_lib import checks, doctor


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the course's sources with fresh notebooks, so that these tests do not depend on what lies in
    notebooks/.
    """
    copy = tmp_path_factory.mktemp("course")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "write_public", stored_public_checks)
        for name in ("nas_lib", "solutions"):
            shutil.copytree(build.ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copyfile(build.ROOT / name, copy / name)
        (copy / "notebooks").mkdir(exist_ok=True)
        for page in BY_HAND:
            shutil.copyfile(build.ROOT / page, copy / page)
        build.build(copy)
        yield copy


def stored_public_checks(lesson: str, reference: Any, folder: Path) -> Path:
    """Those of the repository: that they are what the sources give is test_build's affair, and takes long."""
    return Path(shutil.copy(build.ROOT / build.PUBLIC_CHECKS / f"{lesson}.json", folder))


@pytest.fixture(scope="module")
def archive(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release.release(tmp_path_factory.mktemp("dist"), root)


def inside(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def test_zip_holds_what_a_learner_needs_and_nothing_else(archive):
    names = {name.removeprefix(f"{release.NAME}/") for name in inside(archive)}
    wheels = {name for name in names if name.endswith(".whl")}
    notebooks = {f"notebooks/{lesson}/{lesson}.ipynb" for lesson in solutions.lessons()}
    assert len(wheels) == 1
    first = "notebooks/index.ipynb"
    assert names == {"README.md", "requirements.txt", "LICENSE", *BY_HAND, first} | wheels | notebooks


def test_notebooks_in_the_zip_are_the_student_versions(archive, root):
    for name, data in inside(archive).items():
        if name.endswith(".ipynb") and not name.endswith(("/index.ipynb", "/project_template.ipynb")):
            lesson = Path(name).stem
            assert data.decode() == build.render(build.student_notebook(lesson, root / "solutions", root))
            assert all(not cell.get("outputs") for cell in json.loads(data)["cells"])


def test_readme_has_commands_for_windows_and_every_lesson(archive):
    text = inside(archive)[f"{release.NAME}/README.md"].decode()
    assert ".venv\\Scripts\\python -m pip install -r requirements.txt" in text
    assert ".venv/bin/python -m pip install -r requirements.txt" in text
    for lesson in solutions.lessons():
        assert f"notebooks/{lesson}/{lesson}.ipynb" in text
    assert "make " not in text


def test_requirements_are_the_wheel_jupyter_and_what_deploys_networks(archive):
    lines = inside(archive)[f"{release.NAME}/requirements.txt"].decode().splitlines()
    assert lines[0].startswith("./nas_lib-")
    assert [Requirement(line).name for line in lines[1:]] == [
        "ipykernel",
        "jupyterlab",
        "onnx",
        "onnxruntime",
    ]


def test_requirements_cover_whatever_a_lesson_imports(archive):
    """Directly; what a package needs in turn, pip brings."""
    lines = inside(archive)[f"{release.NAME}/requirements.txt"].decode().splitlines()
    wanted = [*map(Requirement, lines[1:]), *doctor.requirements()]
    there = {doctor._module(one) for one in wanted} | {"nas_lib", *sys.stdlib_module_names}
    for lesson in solutions.lessons():
        for cell in read_lesson(lesson).cells:
            for node in ast.walk(ast.parse(cell.source)) if cell.cell_type == "code" else ():
                names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
                names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
                assert {name.partition(".")[0] for name in names} <= there, (lesson, names)


def test_the_wheel_alone_checks_an_answer(archive, tmp_path):
    """Installed from the zip, outside of the repository, the library finds its public checks and judges with
    them.
    """
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(tmp_path)
    folder = tmp_path / release.NAME
    (wheel,) = folder.glob("*.whl")
    assert f"./{wheel.name}" in (folder / "requirements.txt").read_text("utf-8").splitlines()
    place = tmp_path / "site"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(place),
        str(wheel),
    ]
    subprocess.run(pip, check=True, timeout=120)
    code = (
        "import nas_lib, sys\n"
        "from nas_lib.checks import check\n"
        f"assert nas_lib.__file__.startswith({str(place)!r}), nas_lib.__file__\n"
        "assert 'torch' not in sys.modules\n"
        "def incumbent_curve(values):\n"
        "    return values\n"
        "check('incumbent_curve', incumbent_curve)\n"
    )
    # -I: neither the working folder nor an editable installation of the repository is on the path.
    script = tmp_path / "use.py"
    script.write_text(f"import sys\nsys.path[:0] = [{str(place)!r}]\n" + code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "✗ incumbent_curve" in done.stdout


def test_public_checks_of_every_lesson_are_in_the_wheel(archive):
    (wheel,) = (data for name, data in inside(archive).items() if name.endswith(".whl"))
    path = archive.with_name("inner.whl")
    path.write_bytes(wheel)
    names = set(inside(path))
    assert {f"nas_lib/assets/checks/{lesson}.json" for lesson in checks.lessons()} <= names
    assert not {name for name in names if name.startswith(("solutions", "autograder", "tests"))}


def test_the_wheel_lies_beside_the_zip_for_single_notebooks(archive):
    (wheel,) = archive.parent.glob("nas_lib-*.whl")
    assert wheel.read_bytes() in inside(archive).values()


def test_same_sources_give_the_same_bytes(archive, root, tmp_path):
    assert release.release(tmp_path, root).read_bytes() == archive.read_bytes()


def test_a_leak_in_the_library_stops_the_release(root, tmp_path):
    copy = tmp_path / "course"
    shutil.copytree(root, copy)
    lesson = read_lesson("01_random_search")
    tree = ast.parse(without_markers(lesson.cells[lesson.task("random_search").cell].source))
    names = {"archs": "tried", "seen": "known", "arch": "candidate", "value": "result"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
    (copy / "nas_lib" / "helpful.py").write_text(ast.unparse(tree), encoding="utf-8")
    with pytest.raises(ValueError, match=r"answers would leak: .*helpful\.py.*random_search"):
        release.release(tmp_path / "dist", copy)
    assert not list((tmp_path / "dist").glob("*.zip"))


def test_stale_notebooks_stop_the_release(root, tmp_path):
    copy = tmp_path / "course"
    shutil.copytree(root, copy)
    notebook = copy / "notebooks" / "01_random_search" / "01_random_search.ipynb"
    notebook.write_text(notebook.read_text("utf-8").replace("Exercise", "Task"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"01_random_search\.ipynb: was edited by hand"):
        release.release(tmp_path / "dist", copy)


def test_the_zip_has_been_searched_for_every_answer(archive):
    secrets = leaks.all_answers()
    assert secrets.concepts
    assert secrets.runs
    assert [str(leak) for leak in leaks.scan(archive, secrets)] == []


def test_a_wheel_that_cannot_be_built_is_one_sentence(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        "[build-system]\nrequires = []\nbuild-backend = 'nothing'\n", encoding="utf-8"
    )
    os.makedirs(tmp_path / "nas_lib")
    with pytest.raises(ValueError, match="wheel of nas_lib could not be built"):
        release.build_wheel(tmp_path, tmp_path)
