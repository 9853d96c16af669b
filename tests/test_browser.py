"""The learner's way in a real browser, from the index to the hand-in."""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograder.author import build
from autograder.author.lesson import without_markers
from tests import browsing

LESSON = "00_start_here"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A learner's copy of the lessons."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copytree(browsing.ROOT / "notebooks", folder / "notebooks")
    nbformat.write(build.student_notebook(LESSON), folder / "notebooks" / LESSON / f"{LESSON}.ipynb")
    return folder


@pytest.fixture(scope="module")
def address(browser: Any, course: Path) -> Iterator[str]:
    """What `make lab` starts."""
    command = [sys.executable, "-m", "nas_lib.cli", "lab", "--folder", str(course)]
    with browsing.jupyter(course, command) as started:
        yield started


@pytest.fixture(scope="module")
def lab(browser: Any, address: str) -> Any:
    """JupyterLab where `make lab` opens it."""
    page = browsing.page(browser)
    page.complaints = browsing.complaints(page)
    page.goto(address)
    page.get_by_role("heading", name="NAS from Scratch").wait_for()
    run_all(page)
    return page


@pytest.fixture(scope="module")
def lesson(lab: Any) -> Any:
    """The lesson behind the link in the index, in the same page, run before anything is answered."""
    lab.get_by_role("link", name="00 · Start here").first.click()
    lab.get_by_role("heading", name="00 · Start here").wait_for()
    run_all(lab)
    said(lab, "concept_00_3", "○")
    return lab


def menu(page: Any, first: str, *path: str) -> None:
    """Choose from the menus, by what stands there."""
    labels = page.locator(".lm-MenuBar-itemLabel, .lm-Menu-itemLabel")
    places = [labels.filter(has_text=re.compile(f"^{name}$")).first for name in (first, *path)]
    places[0].click()
    for place in places[1:-1]:
        place.hover()  # a click would close what it opens
    places[-1].click()


def run_all(page: Any) -> None:
    """Run all cells. Without a kernel JupyterLab runs none and doesn't say so: it's asked again until one is queued."""
    prompt = page.locator(
        ".jp-NotebookPanel:visible .jp-CodeCell .jp-InputPrompt", has_text=re.compile(r"\[[*1]")
    )
    deadline = time.monotonic() + browsing.SECONDS
    while not prompt.count():
        assert time.monotonic() < deadline, "no kernel came"
        menu(page, "Run", "Run All Cells")
        page.wait_for_timeout(1000)


def cell(page: Any, text: str) -> Any:
    """The code cell of the notebook in front in whose code there is a text."""
    code = page.locator(".jp-InputArea", has_text=text)
    return page.locator(".jp-NotebookPanel:visible .jp-CodeCell", has=code)


def said(page: Any, name: str, sign: str) -> Any:
    """What an exercise's check says, once it begins with a sign."""
    output = cell(page, f'check("{name}"').locator(".jp-OutputArea-output", has_text=f"{sign} {name}:")
    output.wait_for()
    return output


def answer(page: Any, name: str, text: str, pasted: bool = False) -> None:
    """Write an answer in the place of the stub, and run it and its check."""
    page.locator("#jp-main-dock-panel .lm-TabBar-tabLabel", has_text=LESSON).click()
    cell(page, f"def {name}(").locator(".jp-InputArea .cm-content").click()
    page.keyboard.press("Control+A")
    (page.keyboard.insert_text if pasted else page.keyboard.type)(text)
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Shift+Enter")


def right(name: str) -> str:
    cells = {one.id: one.source for one in build.instructor_notebook(LESSON).cells}
    return without_markers(cells[name])


def test_the_index_comes_first_and_nothing_else_asks_for_attention(lab: Any) -> None:
    cell(lab, "progress").locator(".jp-OutputArea-output", has_text=re.compile(r"of \d+ points")).wait_for()
    browsing.shot(lab, "index")
    assert lab.locator(".Toastify__toast, .jp-Dialog").count() == 0
    assert lab.get_by_role("menuitem", name="Nbgrader").count() == 0


def test_a_lesson_runs_from_top_to_bottom_before_anything_is_answered(lesson: Any) -> None:
    told = said(lesson, "cell_index", "○")
    told.scroll_into_view_if_needed()
    assert told.inner_text().strip() == "○ cell_index: not implemented yet"
    assert (
        lesson.locator(".jp-RenderedText[data-mime-type*='error'], [data-mime-type*='stderr']").count() == 0
    )
    figure = cell(lesson, "draw_cells").locator("img").first
    figure.scroll_into_view_if_needed()
    assert figure.evaluate("one => one.naturalWidth / one.getAttribute('width')") == pytest.approx(
        1.44, abs=0.02
    )
    assert figure.get_attribute("alt").count("a cell: ") > 1
    browsing.shot(lesson, "figure")
    drawn = lesson.locator(".jp-OutputArea-output img")
    assert drawn.count() >= 10 and all(one.get_attribute("alt") for one in drawn.all())
    assert browsing.barriers(lesson, ".jp-Notebook", "image-alt") == []


def test_a_wrong_answer_is_told_what_is_wrong_and_the_reference_turns_it_green(lesson: Any) -> None:
    answer(lesson, "cell_index", "def cell_index(arch): return 0")
    told = said(lesson, "cell_index", "✗")
    told.scroll_into_view_if_needed()
    browsing.shot(lesson, "wrong")
    assert "is 0, should be" in told.inner_text()
    answer(lesson, "cell_index", right("cell_index"), pasted=True)
    said(lesson, "cell_index", "✓").scroll_into_view_if_needed()
    browsing.shot(lesson, "right")


def test_validate_names_what_is_unfinished(lesson: Any) -> None:
    lesson.get_by_role("button", name="Validate").first.click()
    told = lesson.locator(".jp-Dialog")
    told.get_by_text("cell_from_index").first.wait_for()
    browsing.shot(lesson, "validate")
    assert "not implemented yet" in told.inner_text() and "cell_index: " not in told.inner_text()
    assert "notebook.py" not in told.inner_text()
    told.get_by_role("button").last.click()
    told.wait_for(state="detached")


def test_the_last_cell_says_how_to_hand_in_and_a_terminal_does_it(lesson: Any, course: Path) -> None:
    command = re.search(
        r"nas-course submit \d\d", lesson.locator(".jp-MarkdownCell:visible").last.inner_text()
    )
    assert command
    answer(lesson, "cell_index", right("cell_index"), pasted=True)
    said(lesson, "cell_index", "✓")
    menu(lesson, "File", "Save Notebook")
    menu(lesson, "File", "New", "Terminal")
    terminal = lesson.locator(".jp-Terminal .xterm-accessibility")
    terminal.get_by_text(re.compile(r"[#$%>]\s*$")).last.wait_for()
    lesson.keyboard.type(f"{command.group()}\n")
    terminal.get_by_text("hand-in").last.wait_for()
    browsing.shot(lesson, "hand_in")
    handed_in = nbformat.read(course / "hand-in" / f"{LESSON}.ipynb", 4)
    assert right("cell_index") in {one.source for one in handed_in.cells}


def test_a_lesson_is_readable_in_the_dark_and_on_a_narrow_screen(lesson: Any) -> None:
    menu(lesson, "Settings", "Theme", "JupyterLab Dark")
    lesson.locator("body[data-jp-theme-light='false']").wait_for(state="attached")
    answer(lesson, "cell_index", "def cell_index(arch): return sum(map(len, arch))")
    table = cell(lesson, 'check("cell_index"').locator("table")
    table.scroll_into_view_if_needed()
    browsing.shot(lesson, "wrong_dark")
    lesson.set_viewport_size({"width": 800, "height": 900})
    table.scroll_into_view_if_needed()
    browsing.shot(lesson, "wrong_dark_800")
    assert table.locator("caption").inner_text().startswith("cell_index, the result: ")
    contrast = """one => ["color", "backgroundColor"].map(name => {
        while (name === "backgroundColor" && getComputedStyle(one)[name].endsWith(", 0)")) one = one.parentElement;
        return getComputedStyle(one)[name].match(/[0-9]+/g).slice(0, 3).reduce((sum, part) => sum + +part, 0);
    })"""
    for place in ("caption", "td", "tbody th"):
        text, ground = table.locator(place).first.evaluate(contrast)
        assert text > 450 > 250 > ground, f"{place}: bright on dark"
    menu(lesson, "Settings", "Theme", "JupyterLab Light")


def test_a_lesson_fits_a_phone(browser: Any, address: str) -> None:
    """In Notebook 7, which is for small screens: nothing lies beside the page."""
    page = browsing.page(browser, width=390, height=844)
    page.goto(f"{address}notebooks/index.ipynb")
    page.get_by_role("heading", name="NAS from Scratch").wait_for()
    page.locator(".jp-Notebook a", has_text="00 · Start here").first.wait_for()
    browsing.shot(page, "phone_index")
    page.goto(f"{address}notebooks/{LESSON}/{LESSON}.ipynb")
    page.get_by_role("heading", name="Exercise 0.1").scroll_into_view_if_needed()
    browsing.shot(page, "phone_lesson")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.close()


@pytest.mark.parametrize("trusted", [True, False], ids=["ones-own", "somebody-elses"])
def test_the_view_of_all_cells_outlives_its_kernel(
    browser: Any, lesson: Any, address: str, course: Path, trusted: bool
) -> None:
    """Live where scripts may run, else as its picture: here in a notebook that no kernel has run."""
    menu(lesson, "File", "Save Notebook")
    file = course / "notebooks" / LESSON / f"{LESSON}.ipynb"
    deadline = time.monotonic() + browsing.SECONDS
    while "explorer-" not in file.read_text(encoding="utf-8"):
        assert time.monotonic() < deadline, "nothing was saved"
        time.sleep(0.2)
    text = file.read_text(encoding="utf-8")
    other = file.with_name(f"{trusted}.ipynb".lower())
    # Jupyter trusts what it has signed, whatever it is called.
    other.write_text(text if trusted else text.replace("Start here", "Begin here"), encoding="utf-8")
    page = browsing.page(browser)
    page.goto(f"{address}lab/workspaces/{other.stem}/tree/{LESSON}/{other.name}")
    output = cell(page, "explore(benchmark)").locator(".jp-OutputArea-output").first
    output.wait_for(state="attached")
    output.scroll_into_view_if_needed()
    if trusted:
        output.get_by_label("operation on edge 0→3").select_option("none")
        assert output.locator(".count").inner_text().startswith("3,125 of 15,625 cells")
    else:
        picture = output.locator("img")
        assert picture.is_visible() and picture.get_attribute("alt").startswith("15,625 cells by ")
        assert output.inner_text().strip() == ""
    browsing.shot(page, f"explorer_{other.stem}")
    page.close()


def test_nothing_was_written_into_the_console(lesson: Any) -> None:
    """But for JupyterLab's own question to a kernel about widgets that it has no more."""
    assert [one for one in lesson.complaints if not one.startswith("Comm not found")] == []
