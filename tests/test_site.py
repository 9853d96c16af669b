"""The reading site: pages made of lessons, executed or not, with solutions folded and no link that leads nowhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest

import solutions
from autograder.author import index, running, site
from nas_lib import plotting
from nas_lib.notebooks import pictures
from tests import browsing

LESSON, DRAWN = "03_rl_controller", "01_random_search"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site without outputs but for one figure: Sphinx itself ends with an error where a link leads nowhere."""
    notebook = solutions.read(DRAWN)
    cell = next(one for one in notebook.cells if "experiment" in one.metadata.get("tags", []))
    axes = plotting.lines({"mine": [1, 2]}, xlabel="x", ylabel="y", title="One picture")
    forms, metadata = pictures.bundle(axes.get_figure())  # type: ignore[arg-type]
    cell.outputs = [nbformat.v4.new_output("display_data", data=forms, metadata=metadata)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "executed", lambda name: notebook)
        return site.make(tmp_path_factory.mktemp("site") / "pages", lessons=[DRAWN]).parent


def text(pages: Path, page: str) -> str:
    return (pages / page).read_text(encoding="utf-8")


def test_every_lesson_and_guide_has_its_page(pages: Path) -> None:
    start = text(pages, "index.html")
    for lesson in solutions.lessons():
        assert f'href="notebooks/{lesson}/{lesson}.html"' in start
    for page in (
        "notebooks/glossary",
        "README",
        "CONTRIBUTING",
        "docs/instructor_guide",
        "docs/table/README",
    ):
        assert f'href="{page}.html"' in start and (pages / f"{page}.html").is_file()
    assert "nas_lib.search.compare" in text(pages, "api/nas_lib.search.html")
    assert not [
        page for page in (pages / "api").glob("*.html") if re.search("judges|checks|standins", page.name)
    ]


def test_the_start_page_maps_the_methods_to_their_lessons(pages: Path) -> None:
    start = text(pages, "index.html")
    for method, _, _, _, number in index.METHODS:
        printed = re.escape(method.replace("'", "’"))
        row = re.search(rf"<td[^>]*><p>{printed}</p></td>.*?</tr>", start, re.DOTALL)
        assert row and re.search(rf'href="notebooks/{number}_\w+/{number}_\w+\.html"', row[0]), method


def test_links_within_the_site_lead_somewhere(pages: Path) -> None:
    for page in pages.rglob("*.html"):
        for link in re.findall(r'(?:href|src)="([^"#?]+)', page.read_text(encoding="utf-8")):
            if not re.match(r"[a-z]+:", link):
                assert (page.parent / link).exists(), f"{page.relative_to(pages)} links {link}"


def test_nothing_is_fetched_from_elsewhere(pages: Path) -> None:
    page = text(pages, f"notebooks/{LESSON}/{LESSON}.html")
    assert re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="https?:[^"]+', page) == []
    assert "mathjax" in page.lower()


def test_a_figure_is_one_picture_with_its_text(pages: Path) -> None:
    found = re.findall(r"<img[^>]*>", text(pages, f"notebooks/{DRAWN}/{DRAWN}.html"))
    drawn = [one for one in found if "base64," in one or "_images/" in one]
    assert len(drawn) == 1 and 'alt="One picture. y from' in drawn[0] and "mine from 1 to 2" in drawn[0]


def test_solutions_schemes_and_model_answers_are_folded_away(pages: Path) -> None:
    page = text(pages, f"notebooks/{LESSON}/{LESSON}.html")
    assert "BEGIN SOLUTION" not in page and "MARK SCHEME" not in page
    folded = re.findall(r"<details.*?</details>", page, re.DOTALL)
    assert sum("Show the solution" in one for one in folded) == sum(
        "exercise" in cell.metadata.get("tags", []) for cell in solutions.read(LESSON).cells
    )
    assert (
        sum("How it is marked" in one for one in folded)
        == sum("A model answer" in one for one in folded)
        == 1
    )


def test_a_page_shows_what_its_lesson_showed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(running, "KEPT", tmp_path)
    monkeypatch.setattr(running, "execute", _execute_two_cells)
    found = running.run(LESSON)
    assert (found.lesson, found.right, found.points) == (LESSON, 1, 23)
    assert 0.0 < found.processor < found.seconds + 60.0 and 20.0 < found.megabytes < 4_000.0
    shown = site.readable(LESSON, running.executed(LESSON))
    assert [one.text for cell in shown.cells for one in cell.get("outputs", ())] == [
        "✓ exact_policy_gradient\n"
    ]
    assert found.row.split()[:4] == [LESSON, "23", "1", "of"]
    assert running.total([found, found]).points == 46


def _execute_two_cells(notebook: nbformat.NotebookNode) -> None:
    """A check that succeeds, and the cell that measures, which is the last."""
    check = next(cell for cell in notebook.cells if "check" in cell.metadata.get("tags", []))
    check.outputs = [nbformat.v4.new_output("stream", text="✓ exact_policy_gradient\n")]
    last = nbformat.v4.new_notebook(cells=[notebook.cells[-1]])
    EXECUTE(last)


EXECUTE = running.execute


def test_a_lesson_that_has_changed_since_is_not_shown_as_it_was(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(running, "KEPT", tmp_path)
    assert running.executed(LESSON) is None
    with pytest.raises(ValueError, match=f"verify --course {solutions.lessons()[0]}"):
        site.make(tmp_path / "pages")


def test_both_ways_through_the_course_name_every_lesson() -> None:
    page = (solutions.FOLDER.parent / "docs" / "syllabus.md").read_text(encoding="utf-8")
    eight, four, needs = (
        page.split(f"## {title}")[1].split("\n## ")[0] for title in ("In eight", "In four", "What each")
    )
    for lesson in solutions.lessons():
        assert lesson in eight and lesson in four and f"| {lesson} |" in needs


def test_all_cells_have_a_page_of_their_own(pages: Path) -> None:
    page = text(pages, "explorer.html")
    assert "mount(host, " in page and "15,625 cells by" in page
    replayed = json.loads(re.findall(r'"path": (\{[^}]*\})', page)[0])
    assert len(replayed["cells"]) == len(replayed["leaders"]) == site.REPLAYED
    assert 'href="explorer.html"' in text(pages, "index.html")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_on_the_pages_keeps_anybody_out(pages: Path, dark: bool) -> None:
    with browsing.browser() as started:
        # axe-core reads style sheets in a way that is not open to pages in files, and a console says so, later.
        page, read = (browsing.page(started, dark=dark) for _ in range(2))
        said = browsing.complaints(page)
        for name in (
            "index.html",
            "notebooks/00_start_here/00_start_here.html",
            "docs/instructor_guide.html",
            "api/nas_lib.spaces.html",
        ):
            for one in (page, read):
                one.goto((pages / name).as_uri())
            assert said == [], name
            assert browsing.barriers(read) == [], name


def test_the_pages_fit_a_phone(pages: Path) -> None:
    """Nothing lies beside the page: what is wider is scrolled within."""
    with browsing.browser() as started:
        page = browsing.page(started, width=390, height=844)
        for name in ("index", f"notebooks/{DRAWN}/{DRAWN}", "explorer", "docs/instructor_guide"):
            page.goto((pages / f"{name}.html").as_uri())
            browsing.shot(page, f"phone_site_{Path(name).name}")
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
