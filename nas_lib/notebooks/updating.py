"""`nas-course update`: the notebooks of a newer release, with the learner's answers in them.

Cells are matched as in grading. Whatever is replaced lies in a backup, untouched.
"""

from __future__ import annotations

import ast
import hashlib
import re
import shutil
import subprocess
import sys
import time
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from nas_lib._files import replacing
from nas_lib.notebooks import lessons
from nas_lib.notebooks.cells import grade_id, is_exercise, is_open, tag_of
from nas_lib.notebooks.matching import UNPARSABLE, Master, match
from nas_lib.notebooks.validating import UNANSWERED, UNWRITTEN, read

BACKUP = "backup"
# Ids that the build gives by what a cell says: such a cell is the lesson's, and is edited where it says something else.
_GIVEN = re.compile(r"(?:code|markdown)-([0-9a-f]{12})(?:-\d+)?")
_TEMPLATE = "project_template.ipynb"  # one may have worked in it all the same
_PAGES = ("index.ipynb", "glossary.md", "bring_your_own.md", _TEMPLATE)  # among the notebooks; the others beside the folder of notebooks
_OURS = (*_PAGES, "README.md", "requirements.txt", "LICENSE")


@dataclass
class Merged:
    """A newer notebook with what the learner wrote, and what there is to say about it."""

    notebook: Any
    answers: int = 0
    own: int = 0
    changed: list[str] = field(default_factory=list)
    """Exercises whose text is another one now: the learner's cell stays."""
    replaced: int = 0
    """Cells of the lesson that the learner had changed and that are new ones now."""

    def __str__(self) -> str:
        told = [f"{self.answers} answers kept"]
        if self.own:
            told.append(f"{self.own} cells of your own kept")
        if self.changed:
            told.append(f"read {', '.join(self.changed)} again in the backup or the new release: the text changed")
        if self.replaced:
            told.append(f"{self.replaced} cells of the lesson that you had changed are new: yours are in the backup")
        return "; ".join(told)


def merged(old: Any, new: Any) -> Merged:
    """Carry what a learner wrote in `old` into `new`, the lesson's notebook of a newer release.

    Answers go into their cells, and cells that the learner added stay below the cell that they followed. Outputs are
    left out: they belong to the older version.
    """
    result, stubs = Merged(new), [cell.source for cell in new.cells]
    found = match(old.cells, Master.of(new))
    after: dict[int, list[Any]] = {}
    last = -1
    for place, cell in enumerate(old.cells):
        last = found.get(place, last)
        if place in found:
            target = new.cells[found[place]]
            if is_exercise(target) or is_open(target):
                if _is_written(cell):
                    target.source = cell.source
                    _take_pictures(cell, target)
                    result.answers += 1
                    if _asked(cell.source) != _asked(stubs[found[place]]):
                        result.changed.append(str(grade_id(target)))
            elif tag_of(target) != "check" and _is_edited(cell) and cell.source != target.source:
                # The ids are the same, so the release's text is: the difference is the learner's.
                target.source = cell.source
                _take_pictures(cell, target)
                result.own += 1
        elif _is_answer(cell):
            if _is_written(cell):  # of a task that the release has no longer
                after.setdefault(last, []).append(_loose(cell))
                result.answers += 1
        elif not _is_the_lesson_s(cell):
            if cell.source.strip():
                after.setdefault(last, []).append(_loose(cell))
                result.own += 1
        elif _is_edited(cell) and not any(map(is_open, old.cells[place + 1 : place + 2])):
            result.replaced += 1  # the prompt of a written answer says less than what its id was made from
    cells, taken = list(after.get(-1, [])), {cell.get("id") for cell in new.cells}
    for place, cell in enumerate(new.cells):
        cells += [cell, *after.get(place, [])]
    for cell in (one for ones in after.values() for one in ones):
        if not cell.get("id") or cell.id in taken:
            cell.id = uuid.uuid4().hex[:12]
        taken.add(cell.id)
    new.cells = cells
    return result


def update(folder: Path, release: Path | None) -> Iterator[str]:
    """Bring the notebooks of a release into a learner's folder; yields what there is to say.

    Args:
        folder: the course's folder, or its notebooks.
        release: the newer release, as the learners' zip or a folder; None pulls it into a clone with git.

    Raises:
        ValueError: there is no release, or git cannot pull; everything is as it was then.
    """
    home = lessons.home(folder)
    top = home.parent if home.name == "notebooks" else home
    if release is None:
        yield from _pulled(home)
        return
    contents = _contents(release)
    kept = _backed_up(home, top)
    yield f"Your notebooks as they were: {kept}"
    yield from _brought(kept, home, contents)
    for name, content in contents.items():
        place = (home if name in _PAGES else top) / name
        if (name in _OURS or name.endswith(".whl")) and not (name == _TEMPLATE and place.exists()):
            with replacing(place) as fresh:
                fresh.write_bytes(content)
    wheel = next((name for name in contents if name.endswith(".whl")), None)
    if wheel is not None:
        yield f"Now install what belongs to it: {sys.executable} -m pip install --force-reinstall --no-deps {top / wheel}"
        if "requirements.txt" in contents:
            yield f"and then: {sys.executable} -m pip install -r {top / 'requirements.txt'}"


def _brought(kept: Path, home: Path, contents: Mapping[str, bytes]) -> Iterator[str]:
    import nbformat

    before = lessons.found(kept)
    for name, content in contents.items():
        lesson = PurePosixPath(name).stem
        if not name.endswith(".ipynb") or not lessons.LESSON.fullmatch(lesson):
            continue
        target = home / lesson / f"{lesson}.ipynb"
        new = nbformat.reads(content.decode("utf-8"), as_version=4)
        said = "new"
        if lesson in before:
            made = merged(read(before[lesson]), new)
            new, said = made.notebook, str(made)
        text = nbformat.writes(new)
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as fresh:
            fresh.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8", newline="\n")
        yield f"{lesson}: {said}"


def _contents(release: Path) -> dict[str, bytes]:
    """What a release brings, by name: its notebooks, the library's wheel, and what says how to install it."""
    if release.is_dir():
        paths = sorted(path for path in release.rglob("*") if path.is_file())
        found = {path.relative_to(release).as_posix(): path.read_bytes() for path in paths if _is_brought(path.name)}
    elif zipfile.is_zipfile(release):
        with zipfile.ZipFile(release) as zipped:
            found = {name: zipped.read(name) for name in zipped.namelist() if _is_brought(PurePosixPath(name).name)}
    else:
        raise ValueError(f"the release must be the learners' zip or its folder, got {str(release)!r}.")
    brought = {}
    for name, content in found.items():
        path = PurePosixPath(name)
        folder = path.parent.name
        if path.name in _PAGES:
            fits = folder == "notebooks"
        else:
            fits = folder == path.stem if path.suffix == ".ipynb" else len(path.parts) <= 2
        if fits and BACKUP not in path.parts and ".venv" not in path.parts:
            brought[path.name] = content
    if not any(lessons.LESSON.fullmatch(PurePosixPath(name).stem) for name in brought):
        raise ValueError(f"{release} holds no lessons: is it a release of this course?")
    return brought


def _is_brought(name: str) -> bool:
    return name in _OURS or name.endswith((".ipynb", ".whl"))


def _backed_up(home: Path, top: Path) -> Path:
    stamp = time.strftime("%Y-%m-%d_%H%M%S")
    kept = top / BACKUP / stamp
    number = 1
    while kept.exists():
        number += 1
        kept = top / BACKUP / f"{stamp}_{number}"
    for name in lessons.found(home):
        shutil.copytree(home / name, kept / name, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    return kept


def _pulled(home: Path) -> Iterator[str]:
    """In a clone: set the notebooks aside, pull, and put the answers in again."""
    top = Path(_git(home, "rev-parse", "--show-toplevel").strip() or home)
    kept = _backed_up(home, top)
    yield f"Your notebooks as they were: {kept}"
    tracked = str(home.relative_to(top))
    try:
        _git(top, "checkout", "--quiet", "HEAD", "--", tracked)
        _git(top, "pull", "--quiet", "--ff-only")
    except ValueError:
        for name in lessons.found(kept):
            shutil.copytree(kept / name, home / name, dirs_exist_ok=True)
        raise
    fresh = {f"{name}.ipynb": path.read_bytes() for name, path in lessons.found(home).items()}
    yield from _brought(kept, home, fresh)
    yield f"Now install what belongs to it: make venv (or {sys.executable} -m pip install --editable {top})"


def _git(folder: Path, *command: str) -> str:
    try:
        done = subprocess.run(["git", *command], cwd=folder, capture_output=True, text=True)
    except FileNotFoundError:
        raise ValueError("git is not installed: give the learners' zip of the newer release instead.") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise ValueError(
            f"git {command[0]} failed ({said[-1] if said else 'it said nothing'}); your notebooks are as they were. "
            "Without a clone, give the learners' zip of the newer release: nas-course update FILE"
        )
    return done.stdout


def _is_answer(cell: Any) -> bool:
    return is_exercise(cell) or is_open(cell)


def _is_written(cell: Any) -> bool:
    text = cell.source
    return bool(text.strip()) and not UNWRITTEN.search(text) and UNANSWERED not in text


def _is_the_lesson_s(cell: Any) -> bool:
    return bool(
        _GIVEN.fullmatch(cell.get("id", "")) or cell.get("id") == "bootstrap" or grade_id(cell) or tag_of(cell)
    )


def _is_edited(cell: Any) -> bool:
    """Does a cell of the lesson say something else than it was released with? Its id tells."""
    given = _GIVEN.fullmatch(cell.get("id", ""))
    made = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return given is not None and given[1] != made


def _asked(source: str) -> list[Any]:
    """What an exercise's cell asks for: names, arguments and docstrings of what it defines."""
    try:
        body = ast.parse(source).body
    except UNPARSABLE:
        return []
    return [
        (node.name, ast.unparse(node.args) if isinstance(node, ast.FunctionDef) else "", ast.get_docstring(node))
        for node in body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node)
    ]


def _take_pictures(cell: Any, target: Any) -> None:
    if cell.get("attachments"):
        target.attachments = cell.attachments


def _loose(cell: Any) -> Any:
    """A cell that is the learner's alone, without marks of the course or outputs."""
    for key in ("nbgrader", "deletable", "editable"):
        cell.metadata.pop(key, None)
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    return cell

