"""The reading site: every lesson executed with the reference, glossary, library, guides, as pages for any browser.

Pages are gathered into one folder that is laid out as the repository is, so that links between them hold; Sphinx then
makes them HTML. A link that leads nowhere is an error.
"""

from __future__ import annotations

import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat

import nas_lib
import solutions
from autograder.author import index, running
from autograder.author.contents import BY_HAND, contents
from autograder.author.lesson import mark_scheme, read_lesson, without_markers
from nas_lib import explorer
from nas_lib.benchmark import TabularBenchmark
from nas_lib.search import run
from nas_lib.searchers import RegularizedEvolution

CONFIGURATION = Path("docs/site")
# Pages by hand, beside the lessons.
PAGES = ("README.md", "CONTRIBUTING.md", *BY_HAND)
EXPLORER, REPLAYED = "explorer", 100
ALL_CELLS = f"""\
# All cells

Each point is one of the 15,625 cells of the course's table, as lesson 00 introduces them. Point at one to see it, or go
from cell to cell with the arrow keys. Ask for operations on edges, and see what accuracy such cells have. *Play*
replays {REPLAYED} evaluations of regularized evolution, a method of lesson 02: open circles are the cells it evaluated.

```{{raw}} html
:file: {EXPLORER}.inc
```
"""
FOLDED = "<details><summary>{title}</summary>\n\n{text}\n\n</details>"
BESIDE = re.compile(r"\]\((?!https?:|#|mailto:)([^)\s#]+)(#[^)\s]*)?\)")


def make(into: Path, lessons: list[str] | None = None, root: Path = solutions.FOLDER.parent) -> Path:
    """Make the site, of lessons as they were executed last.

    Args:
        into: folder of the HTML; what is in it goes.
        lessons: which have been executed; the others' pages have no outputs (default: none is without).
        root: the repository.

    Returns:
        The start page.

    Raises:
        ValueError: a lesson that should have outputs has not been executed since it was changed, or Sphinx found
            something wrong, such as a link that leads nowhere.
    """
    names = solutions.lessons(root / "solutions")
    pages = {
        name: _executed(name) if lessons is None or name in lessons else solutions.read(name)
        for name in names
    }
    source = into.with_name(f"{into.name}-pages")
    for folder in (source, into):
        shutil.rmtree(folder, ignore_errors=True)
    gather(pages, source, root)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", str(source), str(into)]
    made = subprocess.run(command, cwd=root, stderr=subprocess.PIPE, text=True)
    if made.returncode:
        raise ValueError(f"the pages in {source} hold faults:\n{made.stderr.strip()}")
    shutil.rmtree(source)
    return into / "index.html"


def gather(pages: dict[str, Any], source: Path, root: Path = solutions.FOLDER.parent) -> None:
    """Write all that Sphinx reads: lessons by name, other pages, the list of the library's modules."""
    shutil.copytree(root / CONFIGURATION, source)
    for path in [*map(Path, PAGES), *sorted(path.relative_to(root) for path in _guides(root))]:
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        text = (root / path).read_text(encoding="utf-8")
        (source / path).write_text(_within(text, path.parent, root), encoding="utf-8")
    for picture in (root / "docs").rglob("*.png"):
        (source / picture.relative_to(root)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, source / picture.relative_to(root))
    for name, notebook in pages.items():
        path = source / "notebooks" / name / f"{name}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(nbformat.writes(readable(name, notebook)), encoding="utf-8")
    table = index.course_map("notebooks/", root / "solutions").rstrip("\n")
    listed = "\n".join(f"notebooks/{name}/{name}" for name in pages)
    start = source / "index.md"
    start.write_text(start.read_text("utf-8").format(map=table, pages=listed), encoding="utf-8")
    (source / "api.md").write_text(_library(), encoding="utf-8")
    (source / f"{EXPLORER}.md").write_text(ALL_CELLS, encoding="utf-8")
    benchmark = TabularBenchmark.load()
    replayed = run(RegularizedEvolution, benchmark, REPLAYED, seed=0)
    view = explorer.fragment(explorer.pack(benchmark, replayed))
    (source / f"{EXPLORER}.inc").write_text(view, encoding="utf-8")


def readable(lesson: str, notebook: Any) -> Any:
    """A lesson as a page: solutions, model answers and mark schemes are folded away, and links lead to pages."""
    header = contents(read_lesson(lesson))
    cells = []
    for number, cell in enumerate(notebook.cells):
        tags = cell.metadata.get("tags", [])
        source = without_markers(cell.source) if cell.cell_type == "code" else cell.source
        if number == 0:
            source = header.with_header(source)
        if cell.cell_type == "markdown":
            scheme = mark_scheme(source)
            if scheme is not None:
                asked = source[: source.index("### BEGIN MARK SCHEME")].rstrip()
                source = f"{asked}\n\n{FOLDED.format(title='How it is marked', text=scheme.strip())}"
            if "answer" in tags:
                source = FOLDED.format(title="A model answer", text=source)
        elif "exercise" in tags:
            cell.metadata["tags"] = [*tags, "hide-input"]
            cell.metadata["mystnb"] = {
                "code_prompt_show": "Show the solution",
                "code_prompt_hide": "Hide the solution",
            }
        elif "setup" in tags:
            cell.metadata["tags"] = [*tags, "hide-input"]
            cell.metadata["mystnb"] = {
                "code_prompt_show": "Show the imports",
                "code_prompt_hide": "Hide the imports",
            }
        cell.source = source.replace("../index.ipynb", "../../index.md")
        cells.append(cell)
    links = index.links(lesson).replace("../index.ipynb", "../../index.md")
    cells.append(nbformat.v4.new_markdown_cell(f"---\n{links}"))
    notebook.cells = cells
    return notebook


def _executed(lesson: str) -> Any:
    notebook = running.executed(lesson)
    if notebook is None:
        raise ValueError(
            f"{lesson} has not been executed since it or the library was changed: "
            f"`nas-course verify --course {lesson}` does that."
        )
    return notebook


def _guides(root: Path) -> Iterator[Path]:
    for path in (root / "docs").rglob("*.md"):
        if CONFIGURATION not in path.relative_to(root).parents:
            yield path


def _within(text: str, folder: Path, root: Path) -> str:
    """A page whose links to files that are no pages of the site are plain words."""

    def plain(match: re.Match[str]) -> str:
        target = (root / folder / match[1]).resolve()
        page = target.suffix in {".md", ".ipynb", ".png"} and target.is_file()
        return match[0] if page else "]"

    return BESIDE.sub(plain, text)


def _library() -> str:
    public = [one.name for one in pkgutil.iter_modules(nas_lib.__path__) if not one.name.startswith("_")]
    listed = "\n   ".join(
        f"nas_lib.{name}" for name in public if name not in {"checks", "judges", "standins"}
    )
    directive = f".. autosummary::\n   :toctree: api\n\n   {listed}"
    return f"# The library\n\n```{{eval-rst}}\n{directive}\n```\n"
