"""What is shown of learners' prose: nothing that runs, and all that honest Markdown has.

The attacks are those of the corpus; here each is rendered alone, and in a real browser all together.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.corpus import harm
from autograder.corpus._cases import ALERT
from autograder.corpus.notebooks import FINE, SCRIPTS
from autograder.reports import prose


@pytest.mark.parametrize("name", SCRIPTS)
def test_nothing_runs_in_rendered_prose(name):
    assert harm.in_page(prose.render(SCRIPTS[name])) == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_nothing_runs_where_the_harmless_text_is_rendered_by_others(name):
    """Formgrader started in another folder knows none of our filters."""
    source = prose.harmless(SCRIPTS[name])
    assert harm.in_page(prose._rendered(source, {})) == []


PIECES = [
    "<",
    ">",
    "script",
    "img src=x onerror=",
    f"{ALERT}(1)",
    '"',
    "'",
    "`",
    "[a](",
    ")",
    "javascript:",
    "\n",
    "\n\n",
]
PIECES += ["    ", "&lt;", "<!--", "-->", "<div>", "$", "<p", " title=", "<svg>", "<style>", "\\"]


@given(st.lists(st.sampled_from(PIECES), max_size=14))
def test_no_mixture_of_pieces_runs(pieces):
    source = "".join(pieces)
    assert harm.in_page(prose.render(source)) == []
    assert harm.in_page(prose._rendered(prose.harmless(source), {})) == []


def test_the_look_for_scripts_finds_them():
    """Else the tests above could not fail."""
    ran = [name for name, source in SCRIPTS.items() if "time" not in name and "end" not in name]
    for name in set(ran) - {"code that leaves its fence", "a mermaid diagram", "mathematics with a script"}:
        assert harm.in_page(prose._rendered(SCRIPTS[name], {})), name


def test_honest_markdown_survives():
    page = prose.render(FINE)
    for part in (
        "<table>",
        "text-align:right",
        "<details><summary>More</summary>",
        "<code>code &lt; 1</code>",
    ):
        assert part in page
    for part in (
        "\\begin{aligned}",
        "$a &lt; b$",
        'href="https://example.org"',
        'src="data:image/png;base64,',
        "<b>regret</b>",
    ):
        assert part in page
    assert '<a class="anchor-link" href="#text-My-notes-on-regret"' in page
    assert prose.harmless(FINE) == FINE


def test_attached_pictures_survive_and_nothing_else_that_is_attached():
    png = {"image/png": "iVBORw0KGgo="}
    cell = nbformat.v4.new_markdown_cell(
        "![a](attachment:a.png)", attachments={"a.png": png, "b": {"text/html": "PGI+"}}
    )
    prose.tame([cell], set())
    assert cell.attachments == {"a.png": png}
    assert 'src="data:image/png;base64,iVBORw0KGgo="' in prose.render(cell.source, cell.attachments)


def test_every_picture_has_an_alternative_text() -> None:
    """A screen reader else reads a kilobyte of base64."""
    given = prose.render('<img src="data:image/png;base64,iVBORw0KGgo=" alt="my curve">')
    bare = prose.render('<img src="data:image/png;base64,iVBORw0KGgo=">')
    assert given.count("alt=") == bare.count("alt=") == 1
    assert 'alt="my curve"' in given


def test_code_is_coloured_as_before():
    page = prose.render("```python\ndef f(x): return 1\n```")
    assert '<div class="highlight">' in page
    assert '<span class="k">def</span>' in page


def test_the_lessons_own_prose_is_left_alone():
    own = '<img src="x.png" width="300">'
    cells = [nbformat.v4.new_markdown_cell(own), nbformat.v4.new_markdown_cell(f"{own} ")]
    prose.tame(cells, {own})
    assert cells[0].source == own
    assert "x.png" not in cells[1].source


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium")
def test_nothing_runs_in_a_real_browser(tmp_path):
    """All attacks in one page; the unsanitised page shows that the browser would have run them."""

    def ran(name: str, body: str) -> str:
        caught = (
            f"<script>window.{ALERT} = n => document.documentElement.setAttribute('data-ran', 'yes')</script>"
        )
        (tmp_path / name).write_text(
            f"<html><head><meta charset='utf-8'>{caught}</head><body>{body}</body></html>", "utf-8"
        )
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000"]
        command += [
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
        ]
        done = subprocess.run(
            [*command, (tmp_path / name).as_uri()], capture_output=True, text=True, timeout=300
        )
        return (
            "yes"
            if 'data-ran="yes"' in done.stdout
            else "no"
            if ALERT in Path(tmp_path / name).read_text()
            else "?"
        )

    quick = [source for name, source in SCRIPTS.items() if "time" not in name and "end" not in name]
    assert ran("raw.html", "".join(prose._rendered(source, {}) for source in quick)) == "yes"
    assert ran("clean.html", "".join(map(prose.render, quick))) == "no"
    assert (
        ran("harmless.html", "".join(prose._rendered(prose.harmless(source), {}) for source in quick)) == "no"
    )
