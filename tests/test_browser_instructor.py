"""The instructor's way in a real browser: the bundled class in Formgrader, feedback, the page about the class."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook

from autograder import samples
from autograder.grade import command
from nas_lib import cli
from tests import browsing

LESSON = "00_start_here"


@pytest.fixture(scope="module")
def course(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make grade` leaves of one lesson: the bundled class but for those who cost a time limit."""
    folder = tmp_path_factory.mktemp("instructor")
    submissions = samples.write(folder / "submissions", LESSON, samples.SAMPLES)
    return command.grade(submissions, LESSON, folder / "course", jobs=2, progress=False).course


@pytest.fixture(scope="module")
def formgrader(browser: Any, course: Path) -> Iterator[Any]:
    """Formgrader as the guide has it opened: `jupyter lab` in the course folder, then its menu."""
    server = course.parent / "server"
    server.mkdir()
    with browsing.jupyter(server, [sys.executable, "-m", "jupyterlab"], course) as address:
        page = browsing.page(browser)
        page.goto(f"{address}lab")
        page.locator(".jp-LauncherCard").first.wait_for()
        labels = page.locator(".lm-MenuBar-itemLabel, .lm-Menu-itemLabel")
        labels.filter(has_text="Nbgrader").first.click()
        labels.filter(has_text="Formgrader").first.click()
        yield page.frame_locator("iframe").first


def row(formgrader: Any, text: str) -> list[str]:
    """The cells of the row that is marked by a text, once it is there."""
    found = formgrader.locator("tbody tr", has_text=text).first
    found.wait_for()
    return [one.inner_text().strip() for one in found.locator("td").all()]


def test_formgrader_shows_the_bundled_class(formgrader: Any) -> None:
    assert str(len(samples.SAMPLES)) in row(formgrader, LESSON)
    browsing.shot(formgrader.owner.page, "formgrader")
    formgrader.get_by_role("link", name="Manual Grading").click()
    formgrader.locator("thead", has_text="Score").wait_for()
    row(formgrader, LESSON)
    formgrader.get_by_role("link", name=LESSON).click()
    formgrader.locator("thead", has_text="Avg. Score").wait_for()
    row(formgrader, LESSON)
    formgrader.locator("tbody").get_by_role("link", name=LESSON).click()
    row(formgrader, f"Submission #{len(samples.SAMPLES)}")
    browsing.shot(formgrader.owner.page, "formgrader_class")
    shown = [row(formgrader, f"Submission #{n + 1}")[2].split(" / ")[0] for n in range(len(samples.SAMPLES))]
    right = [sum(points or 0.0 for points in tasks.values()) for tasks in samples.earned(LESSON).values()]
    assert sorted(map(float, shown)) == pytest.approx(sorted(right), abs=0.01)


def test_a_mark_given_in_formgrader_is_in_the_gradebook(formgrader: Any, course: Path) -> None:
    formgrader.get_by_role("link", name="Submission #1").first.click()
    box = formgrader.locator("input.score").last  # the open question is the last
    box.wait_for()
    deadline = time.monotonic() + browsing.SECONDS
    while 1.5 not in marks(course) and time.monotonic() < deadline:
        # Formgrader fetches the marks after its page is there, and what was typed before goes.
        box.fill("")
        box.fill("1.5")
        box.press("Tab")
        formgrader.owner.page.wait_for_timeout(2000)
    assert marks(course).count(1.5) == 1
    browsing.shot(formgrader.owner.page, "formgrader_submission")


def marks(course: Path) -> list[float]:
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        return [
            grade.manual_score
            for one in book.notebook_submissions(LESSON, LESSON)
            for grade in one.grades
            if grade.manual_score is not None
        ]


def test_a_feedback_page_opens_with_what_each_check_found(browser: Any, course: Path) -> None:
    page = browsing.page(browser)
    [file] = course.glob(f"feedback/half/{LESSON}/*.html")
    page.goto(file.as_uri())
    browsing.shot(page, "feedback")
    text = page.locator("body").inner_text()
    assert text.startswith("00 · Start here") and "4.75 of 10 points." in text
    assert re.search(r"cell_index\s+◐ part of the points\s+0.75 of 1", text)


def test_the_page_about_the_class_opens(browser: Any, course: Path) -> None:
    out = course.parent / "class.html"
    assert cli.main(["report", "--lesson", LESSON, "--course", str(course), "--html", str(out)]) == 0
    page = browsing.page(browser)
    said = browsing.complaints(page)
    page.goto(out.as_uri())
    browsing.shot(page, "class", full_page=True)
    text = page.locator("body").inner_text()
    for student in samples.SAMPLES:
        assert student in text or page.get_by_title(student).count(), student
    assert said == []
