"""A notebook worked in on Colab, Kaggle, Deepnote or in VS Code: with the wheel alone it runs there, and it is graded.

What each tool makes of a notebook is imitated: metadata, ids, how lines are stored. None of them is asked.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

import solutions
from autograder.author import build, release
from autograder.author.lesson import grade_id
from autograder.corpus._cases import Sheet
from autograder.grade import command

LESSON = "00_start_here"
RIGHT = ("cell_index", "cell_from_index")
"""What the learner has solved; of the rest nothing is written."""


def worked_in() -> dict[str, Any]:
    """The lesson with two right answers and all outputs that a run leaves, as JSON."""
    notebook = copy.deepcopy(build.student_notebook(LESSON))
    answers = Sheet(LESSON, True).notebook
    for cell, solved in zip(notebook.cells, answers["cells"], strict=True):
        if grade_id(cell) in RIGHT:
            cell.source = "".join(solved["source"])
    found = json.loads(nbformat.writes(notebook))
    for number, cell in enumerate(one for one in found["cells"] if one["cell_type"] == "code"):
        cell["execution_count"] = number + 1
        cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": ["✓ \n", "that is right"]}]
    return found


def colab(found: dict[str, Any]) -> dict[str, Any]:
    """Format 4.0: ids become metadata; every cell says who ran it, and outputs are numbered."""
    for number, cell in enumerate(found["cells"]):
        cell["metadata"]["id"] = f"Zk3{number:09d}"
        del cell["id"]
        if cell["cell_type"] == "code":
            user = {"displayName": "A Learner", "userId": "0123456789"}
            run = {
                "status": "ok",
                "timestamp": 1700000000000 + number,
                "user_tz": -60,
                "elapsed": 12,
                "user": user,
            }
            cell["metadata"] |= {
                "executionInfo": run,
                "outputId": f"0a1b2c3d-{number:04d}",
                "colab": {"base_uri": "https://localhost:8080/"},
            }
    found["metadata"] = {
        "colab": {"provenance": [], "toc_visible": True, "gpuType": "T4"},
        "accelerator": "GPU",
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "language_info": {"name": "python"},
        "widgets": {
            "application/vnd.jupyter.widget-state+json": {"state": {}, "version_major": 2, "version_minor": 0}
        },
    }
    return found | {"nbformat": 4, "nbformat_minor": 0}


def vs_code(found: dict[str, Any]) -> dict[str, Any]:
    """Ids of its own, a language in each cell, and all that it knows of the kernel."""
    for number, cell in enumerate(found["cells"]):
        cell["id"] = f"{number:08x}"
        cell["metadata"]["vscode"] = {"languageId": "python" if cell["cell_type"] == "code" else "markdown"}
    found["metadata"] |= {
        "kernelspec": {"name": "python3", "display_name": ".venv (3.12.3)", "language": "python"},
        "language_info": {
            "codemirror_mode": {"name": "ipython", "version": 3},
            "file_extension": ".py",
            "mimetype": "text/x-python",
            "name": "python",
            "nbconvert_exporter": "python",
            "pygments_lexer": "ipython3",
            "version": "3.12.3",
        },
        "orig_nbformat": 4,
    }
    return found


def kaggle(found: dict[str, Any]) -> dict[str, Any]:
    """Format 4.4 without ids; a source is one string; a cell of its own comes first, as in every new notebook there."""
    for cell in found["cells"]:
        del cell["id"]
        cell["source"] = "".join(cell["source"])
        cell["metadata"]["trusted"] = True
        if cell["cell_type"] == "code":
            times = ("iopub.status.busy", "iopub.execute_input", "iopub.status.idle", "shell.execute_reply")
            cell["metadata"]["execution"] = dict.fromkeys(times, "2026-11-29T10:00:00.000000Z")
            cell["outputs"] = []
    first = {"_uuid": "8f2839f25d086af736a60e9eeb907d3b93b6e0e5", "trusted": True}
    source = "# This Python 3 environment comes with many libraries\nimport os\n"
    extra = {"cell_type": "code", "source": source, "metadata": first, "outputs": [], "execution_count": None}
    found["cells"].insert(0, extra)
    found["metadata"] |= {"kaggle": {"accelerator": "none", "dataSources": [], "isInternetEnabled": False}}
    return found | {"nbformat": 4, "nbformat_minor": 4}


def deepnote(found: dict[str, Any]) -> dict[str, Any]:
    """Metadata of its own alone: the course's tags and nbgrader's names are gone; lines of a source are merged."""
    for number, cell in enumerate(found["cells"]):
        del cell["id"]
        cell["source"] = "".join(cell["source"]).rstrip() + "\n"
        kind = "code" if cell["cell_type"] == "code" else "markdown"
        cell["metadata"] = {
            "cell_id": f"{number:032x}",
            "deepnote_cell_type": kind,
            "deepnote_to_be_reexecuted": False,
        }
    found["metadata"] = {
        "deepnote": {},
        "deepnote_execution_queue": [],
        "deepnote_notebook_id": "0123456789abcdef",
        "language_info": {"name": "python"},
        "orig_nbformat": 2,
    }
    return found | {"nbformat": 4, "nbformat_minor": 0}


TOOLS: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = (colab, vs_code, kaggle, deepnote)


@pytest.fixture(scope="module")
def saved() -> dict[str, str]:
    """The notebook as each tool writes it."""
    return {tool.__name__: json.dumps(tool(worked_in()), ensure_ascii=False) for tool in TOOLS}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment that has all that a hosted one has, and no nas_lib: only a wheel can bring that."""
    folder = tmp_path_factory.mktemp("hosted")
    others = folder / "others"
    others.mkdir()
    for place in dict.fromkeys(
        path for path in sys.path if path.endswith(("site-packages", "dist-packages"))
    ):
        for one in Path(place).iterdir():
            ours = (
                one.name.startswith(("nas_lib", "_nas_lib", "_editable", "__editable__"))
                or one.suffix == ".pth"
            )
            if not ours and not (others / one.name).exists():
                (others / one.name).symlink_to(one)
    venv.create(folder / "environment", symlinks=True)
    (site,) = (folder / "environment").rglob("site-packages")
    (site / "others.pth").write_text(f"{others}\n", encoding="utf-8")
    return folder / "environment" / "bin" / "python"


# Cells one after the other until the checks of what the learner has solved have run. What an experiment shows is not
# looked at here: tests/test_lessons.py runs the whole lesson.
RUN = """
import sys, json
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
cells = [one for one in json.load(open(sys.argv[1], encoding="utf-8"))["cells"] if one["cell_type"] == "code"]
wanted = [f'check("{name}"' for name in sys.argv[2:]]
for cell in cells:
    source = "".join(cell["source"])
    if not wanted:
        break
    shell.run_cell(source).raise_error()
    wanted = [one for one in wanted if one not in source]
import nas_lib
print("nas_lib at", nas_lib.__file__)
"""


def run(python: Path, notebook: Path) -> subprocess.CompletedProcess[str]:
    """Run a notebook's first cells, in its folder, where neither the repository nor an index can be reached."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "PIP", "VIRTUAL_ENV", "IPYTHON"))
    }
    own = {
        "PIP_NO_INDEX": "1",
        "MPLBACKEND": "agg",
        "IPYTHONDIR": str(notebook.parent),
        "OMP_NUM_THREADS": "1",
    }
    script = notebook.parent / "run.py"
    script.write_text(RUN, encoding="utf-8")
    return subprocess.run(
        [str(python), "-P", str(script), notebook.name, *RIGHT],
        cwd=notebook.parent,
        env=environment | own,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release.build_wheel(solutions.FOLDER.parent, tmp_path_factory.mktemp("wheel"))


def written(folder: Path, text: str) -> Path:
    path = folder / f"{LESSON}.ipynb"
    path.write_text(text, encoding="utf-8")
    return path


needs_links = pytest.mark.skipif(os.name == "nt", reason="the environment is made of links")


@needs_links
def test_without_the_wheel_a_single_notebook_says_what_it_needs(
    python: Path, saved: dict[str, str], tmp_path: Path
) -> None:
    done = run(python, written(tmp_path, saved["colab"]))
    assert done.returncode != 0
    assert "Put the course's nas_lib-*.whl beside this notebook" in done.stdout + done.stderr


@needs_links
@pytest.mark.parametrize(
    "tool",
    ["colab", "deepnote", *(pytest.param(name, marks=pytest.mark.slow) for name in ("vs_code", "kaggle"))],
)
def test_with_the_wheel_beside_it_a_single_notebook_runs_where_there_is_nothing_else_of_the_course(
    tool: str, python: Path, wheel: Path, saved: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / wheel.name).symlink_to(wheel)
    done = run(python, written(tmp_path, saved[tool]))
    assert done.returncode == 0, f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
    assert f"nas_lib at {python.parents[1]}" in done.stdout
    assert [f"✓ {name}" in done.stdout for name in RIGHT] == [True, True]
    assert "✗" not in done.stdout


@pytest.mark.usefixtures("sandboxed")
def test_what_each_tool_saves_is_graded_alike(saved: dict[str, str], tmp_path: Path) -> None:
    for tool, text in saved.items():
        (tmp_path / "in" / tool).mkdir(parents=True)
        (tmp_path / "in" / tool / f"{LESSON}.ipynb").write_text(text, encoding="utf-8")
    graded = command.grade(tmp_path / "in", LESSON, tmp_path / "course", progress=False)
    earned = {
        row.student: {name: row.points[name] for name in row.points if row.points[name]}
        for row in graded.rows
    }
    assert earned == {tool: {"cell_index": 1.0, "cell_from_index": 1.0} for tool in saved}
