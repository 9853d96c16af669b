"""From the lessons' sources to the student notebooks, and the proof that nothing in between was edited by
hand.

One way only: solutions/*.py -> instructor notebook -> nbgrader's own release steps -> notebooks/, plus the
public expectations of the checks in nas_lib/assets/checks/ and the README's table of lessons. Building twice
on a machine gives the same bytes; `drift` compares what is on disk with a fresh build.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

import solutions
from autograder.author import index
from autograder.author.contents import BY_HAND, all_contents, contents, with_table
from autograder.author.lesson import grade_id, read_lesson
from autograder.author.student_version import digest, release, stamped
from nas_lib import checks

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = Path("notebooks")
PUBLIC_CHECKS = Path("nas_lib/assets/checks")
README = Path("README.md")
# How far expectations may lie apart, relatively, that two processors computed. Judges allow for no less.
ROUNDING = 1e-6

BOOTSTRAP_ID = "bootstrap"
# Where nas_lib is missing: numpy stays what the kernel has loaded, and torch, of which any newer one will do, too.
BOOTSTRAP = """\
import glob, importlib.util, numpy, subprocess, sys
if importlib.util.find_spec("nas_lib") is None:  # as on Colab: from the wheel beside this notebook
    wheels = glob.glob("nas_lib-*.whl"){address}
    pip = [sys.executable, "-m", "pip", "install", "-q", f"numpy=={{numpy.__version__}}", *wheels[:1]]
    assert wheels and not subprocess.run(pip).returncode, "{missing}"
"""
MISSING = "Put the course's nas_lib-*.whl beside this notebook and run this again, or start Jupyter by nas-course lab."
UNREACHED = "pip could not install nas_lib, see above. Is the network up?"


@dataclass(frozen=True)
class Drift:
    """One generated file that is not what the sources say: where it is, and what is wrong with it."""

    path: Path
    kind: str  # "missing", "stale", "edited" or "orphaned"

    def __str__(self) -> str:
        what = {
            "missing": "has not been built",
            "stale": "is not what its source gives any more: run `make build`",
            "edited": "was edited by hand: make the change in solutions/, or move your work elsewhere",
            "orphaned": "belongs to no lesson: delete it, or move it elsewhere",
        }[self.kind]
        return f"{self.path}: {what}"


def install_url(root: Path = ROOT) -> str:
    """The one address notebooks install nas_lib from: `[tool.nas-course] install-url`; "" for the file beside them."""
    return str(_pyproject(root).get("tool", {}).get("nas-course", {}).get("install-url", ""))


def colab_url(root: Path = ROOT) -> str:
    """Where Colab finds the notebooks: `[tool.nas-course] colab-url`; "" where nowhere yet."""
    return str(_pyproject(root).get("tool", {}).get("nas-course", {}).get("colab-url", ""))


def bootstrap(root: Path = ROOT) -> str:
    """Source of the first code cell of every notebook."""
    address = install_url(root)
    elsewhere = f" or [{json.dumps(address)}]" if address else ""
    return BOOTSTRAP.format(address=elsewhere, missing=UNREACHED if address else MISSING).rstrip("\n")


def instructor_notebook(lesson: str, folder: Path = solutions.FOLDER, root: Path = ROOT) -> Any:
    """The lesson with its solutions and mark schemes, a bootstrap cell, and stable cell ids."""
    source = read_lesson(lesson, folder)
    notebook = source.notebook
    first = contents(source).with_header(notebook.cells[0].source).split("\n", 1)
    links = f"{index.links(lesson, folder)} · {contents(source).on_colab(colab_url(root))}"
    notebook.cells[0].source = "\n".join([first[0], "", links, *first[1:]])
    notebook.cells.append(nbformat.v4.new_markdown_cell(index.hand_in(lesson, folder)))
    cells: list[Any] = []
    for cell in notebook.cells:
        if cell.cell_type == "code" and not any(seen.cell_type == "code" for seen in cells):
            cells.append(
                nbformat.v4.new_code_cell(bootstrap(root), id=BOOTSTRAP_ID, metadata={"tags": ["setup"]})
            )
        cell.metadata.pop("lines_to_next_cell", None)  # jupytext's note to itself
        cells.append(cell)
    _name_cells(cells)
    notebook.cells = cells
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def student_notebook(lesson: str, folder: Path = solutions.FOLDER, root: Path = ROOT) -> Any:
    """The lesson as learners get it: nbgrader's release steps, without a gradebook."""
    return release(instructor_notebook(lesson, folder, root))


def render(notebook: Any) -> str:
    """The notebook as the bytes that nbgrader itself would write."""
    text = nbformat.writes(notebook, version=4)
    return text if text.endswith("\n") else text + "\n"


def build(root: Path = ROOT, folder: Path | None = None, force: bool = False) -> list[Path]:
    """Write all generated files below `root` and delete the orphaned ones.

    Work that somebody did in a generated notebook is never overwritten or deleted, unless `force` says so.

    Returns:
        The paths that changed, relative to root.

    Raises:
        ValueError: some notebooks hold work done by hand; the message names them. Nothing has been written
            then.
    """
    folder = root / "solutions" if folder is None else folder
    changed = []
    with tempfile.TemporaryDirectory(prefix="nas-build-") as scratch:
        drifts = _compare(root, folder, Path(scratch))
        by_hand = [
            str(item.path)
            for item in drifts
            if item.kind in ("edited", "orphaned") and not _untouched(root / item.path)
        ]
        if by_hand and not force:
            raise ValueError(
                f"{', '.join(by_hand)} would be lost: not made by the build, or changed since. "
                "Move it elsewhere, or build with --force to overwrite it."
            )
        for drift in drifts:
            target = root / drift.path
            if drift.kind == "orphaned":
                target.unlink()
                if not any(target.parent.iterdir()):
                    target.parent.rmdir()
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(Path(scratch) / drift.path, target)
            changed.append(drift.path)
    return changed


def drift(root: Path = ROOT, folder: Path | None = None) -> list[Drift]:
    """Compare the generated files below `root` with a fresh build; empty when nothing differs."""
    folder = root / "solutions" if folder is None else folder
    with tempfile.TemporaryDirectory(prefix="nas-build-") as scratch:
        return _compare(root, folder, Path(scratch))


def _compare(root: Path, folder: Path, scratch: Path) -> list[Drift]:
    _generate(root, folder, scratch)
    fresh = set(_generated(scratch))
    present = set(_generated(root))
    found = [Drift(path, "missing") for path in fresh - present]
    found += [Drift(path, "orphaned") for path in present - fresh]
    for path in fresh & present:
        if not same_content(root / path, scratch / path):
            found.append(Drift(path, "stale" if _untouched(root / path) else "edited"))
    return sorted(found, key=lambda item: item.path)


def same_content(one: Path, other: Path) -> bool:
    """Do two generated files say the same? Numbers in public checks may differ by what processors round differently."""
    contents = one.read_bytes(), other.read_bytes()
    if contents[0] == contents[1] or one.suffix != ".json":
        return contents[0] == contents[1]
    try:
        return alike(*map(json.loads, contents))
    except ValueError:
        return False


def alike(one: Any, other: Any) -> bool:
    """Are two contents of public checks the same, but for what processors round differently?

    Instances are drawn, not computed: every processor draws the same to the last bit.
    """
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return math.isclose(one, other, rel_tol=ROUNDING, abs_tol=ROUNDING)
    if isinstance(one, dict):
        same = list(one) == list(other) and _drawn(one) == _drawn(other)
        return same and all(map(alike, one.values(), other.values()))
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)


def _settled(fresh: Any, stored: Any) -> Any:
    """The fresh content, with the stored number wherever the two differ by rounding alone.

    An exercise with other instances than the stored one's has other answers, however close some of them lie.
    """
    if alike(fresh, stored):
        return stored
    if isinstance(fresh, dict) and isinstance(stored, dict) and _drawn(fresh) == _drawn(stored):
        return {key: _settled(value, stored.get(key)) for key, value in fresh.items()}
    if isinstance(fresh, list) and isinstance(stored, list) and len(fresh) == len(stored):
        return list(map(_settled, fresh, stored))
    return fresh


def _drawn(content: dict[str, Any]) -> str:
    """The instances of an exercise's public checks, as text; of any other content, nothing."""
    return json.dumps([case["instance"] for case in content.get("cases", [])])


def _keep_digits(fresh: Path, stored: Path) -> None:
    """Let a fresh file of public checks have the stored one's last digits: who builds leaves no mark."""
    with contextlib.suppress(OSError, ValueError):  # nothing to keep: missing, or no JSON
        contents = (json.loads(path.read_text(encoding="utf-8")) for path in (fresh, stored))
        fresh.write_text(checks.public_text(_settled(*contents)), encoding="utf-8", newline="\n")


def _generate(root: Path, folder: Path, into: Path) -> None:
    (into / index.PATH).parent.mkdir(parents=True, exist_ok=True)
    first_page = stamped(index.index_notebook(folder))
    (into / index.PATH).write_text(render(first_page), encoding="utf-8", newline="\n")
    for lesson in solutions.lessons(folder):
        path = into / NOTEBOOKS / lesson / f"{lesson}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(render(student_notebook(lesson, folder, root)), encoding="utf-8", newline="\n")
        if lesson in checks.lessons():
            (into / PUBLIC_CHECKS).mkdir(parents=True, exist_ok=True)
            path = checks.write_public(lesson, solutions.load(lesson, folder), into / PUBLIC_CHECKS)
            _keep_digits(path, root / path.relative_to(into))
    if (root / README).is_file():
        text = with_table((root / README).read_text(encoding="utf-8"), all_contents(folder), colab_url(root))
        (into / README).write_text(text, encoding="utf-8", newline="\n")


def _untouched(path: Path) -> bool:
    """True where a build loses no work: a notebook whose stamp fits its cells, public checks, the README."""
    if path.suffix != ".ipynb":
        return PUBLIC_CHECKS.name in path.parts or path.name == README.name
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        return notebook.metadata.get("nas_course", {}).get("digest") == digest(notebook)
    except Exception:  # whatever it is, it is not what a build wrote
        return False


def _generated(root: Path) -> Iterator[Path]:
    """All that is generated, relative to root: not the pages by hand, nor what Jupyter leaves in the folders."""
    if (root / README).is_file():
        yield README
    for folder in (NOTEBOOKS, PUBLIC_CHECKS):
        for path in sorted((root / folder).rglob("*")):
            inner = path.relative_to(root)
            by_hand = inner.as_posix() in BY_HAND or {".ipynb_checkpoints", "__pycache__"} & set(inner.parts)
            if path.is_file() and not by_hand:
                yield inner


def _name_cells(cells: list[Any]) -> None:
    """Cell ids from the grade_id, else from what the cell says: adding a cell leaves the others alone."""
    taken: set[str] = set()
    for cell in cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        wanted = grade_id(cell) or (
            BOOTSTRAP_ID if cell.get("id") == BOOTSTRAP_ID else f"{cell.cell_type}-{digest}"
        )
        name, copies = wanted[:64], 1
        while name in taken:
            copies += 1
            name = f"{wanted[:58]}-{copies}"
        taken.add(name)
        cell.id = name


def _pyproject(root: Path) -> dict[str, Any]:
    path = root / "pyproject.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
