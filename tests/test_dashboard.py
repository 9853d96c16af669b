"""The page about a class: it says what the grade table says, whatever students are called and have written."""

from __future__ import annotations

import re
import stat
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.judge.results import Outcome
from autograder.reports import dashboard
from autograder.reports.grade_table import Grades, Row, shared_answers
from autograder.reports.signs import Sign
from nas_lib import cli
from tests import browsing

ODD = "<script>alert(1)</script>\"'&{{ 7 * 7 }}"


class Page(HTMLParser):
    """The tags of a page, and its text by tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def titles(self) -> list[str]:
        return [given["title"] or "" for _, given in self.tags if "title" in given]


def a_row(student: str, earned: float | None, concept: str = "", said: str = "") -> Row:
    score = (earned or 0.0) / 2
    outcomes = {} if earned is None else {"search": Outcome(score, concept, said)}
    return Row(student, {"search": earned}, {"search": 2.0}, outcomes=outcomes)


def a_class(*rows: Row) -> Grades:
    return Grades("90_made_up", ["search"], list(rows), Path(), Path("grades.csv"), "bubblewrap")


def test_each_student_stands_in_one_bar_and_one_part() -> None:
    some = [a_row("a", 2.0), a_row("b", 1.0, "c", "half"), a_row("c", 0.0, "not-implemented", "…")]
    page = Page(dashboard.page(a_class(*some, a_row("d", 0.0, "wrong", "all wrong"), a_row("e", None))))
    titles = page.titles()
    assert titles[:11] == ["c, d", *[""] * 4, "b", *[""] * 4, "a"], "ten tenths, and all points"
    assert titles[11:] == [
        "1: full marks",
        "1: part of the points",
        "1: tried, no points",
        "1: not tried",
        "1: waits for a person",
    ]
    assert "mean 38 % of what has been graded" in page.text
    assert "2 points in 1 submission;" in page.text


def test_what_was_missed_most_stands_first_and_the_rest_is_folded() -> None:
    rows = [a_row(f"s{i}", 0.0, f"concept-{i}", f"told {i}") for i in range(dashboard.SHOWN + 2)]
    text = Page(dashboard.page(a_class(*rows, a_row("x", 0.0, "concept-7", "told 7")))).text
    assert text.index("concept-7") < text.index("concept-0") and "2 more" in text


def test_what_students_write_is_text_and_nothing_is_fetched() -> None:
    row = a_row(ODD, 0.0, ODD, ODD)
    row.note, row.late_seconds, row.signs = ODD, 90.0, [Sign("reaches-out", ODD)]
    page = Page(dashboard.page(a_class(row)))
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in page.tags}
    assert not any(name in given for _, given in page.tags for name in ("src", "href", "onload", "onclick"))
    assert page.text.count("{{ 7 * 7 }}") >= 5 and "1 minute 30 seconds" in page.text


@given(st.lists(st.tuples(st.text(max_size=8), st.none() | st.floats(0, 2)), max_size=6))
def test_any_class_has_a_page(people: list[tuple[str, float | None]]) -> None:
    page = Page(dashboard.page(a_class(*(a_row(name, earned, "c", name) for name, earned in people))))
    assert f"{len(people)} submission" in page.text


def test_the_page_is_written_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    out = tmp_path / "class.html"
    out.write_text("old", encoding="utf-8")
    dashboard.write(a_class(a_row("a", 2.0)), out)
    assert out.read_text("utf-8").rstrip().endswith("</html>")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["class.html"]
    for place in (tmp_path, tmp_path / "nowhere" / "class.html"):
        with pytest.raises(ValueError, match="html must be a file in a folder that exists"):
            dashboard.write(a_class(), place)


@pytest.mark.parametrize(
    ("options", "name"), [(["--html"], "class_90_made_up.html"), (["--html", "my.html"], "my.html")]
)
def test_the_command_says_where_the_page_is(options, name, tmp_path, monkeypatch, capsys) -> None:
    grades = a_class(a_row("a", 2.0))
    grades.course = tmp_path
    monkeypatch.setattr("autograder.grade.command.recall", lambda *_: grades)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["report", "--lesson", "90_made_up", "--course", str(tmp_path), *options]) == 0
    assert re.search(rf"Class: .*{re.escape(name)}$", capsys.readouterr().out, re.MULTILINE)
    assert (tmp_path / name).is_file()


def answering(student: str, *answers: str) -> Row:
    """A student with large answers: "e1" is one way to write exercise e."""
    return Row(student, answers=tuple((one[0], one) for one in answers))


def test_students_who_share_two_answers_belong_together_whatever_else_they_wrote() -> None:
    rows = [
        answering("ann", "a1", "b1", "c1"),
        answering("bob", "a1", "b1", "c2"),
        answering("cyd", "a2", "b1", "c2"),
        answering("dan", "a1", "b3", "c3"),
        answering("eve", "a4", "b4", "c4"),
    ]
    assert shared_answers(rows) == [(["ann", "bob", "cyd"], ["a", "b", "c"])]


def test_the_usual_way_to_write_an_answer_says_nothing() -> None:
    rows = [answering(f"s{i:02}", "a1", "b1", f"c{i}") for i in range(5)]
    rows += [answering(f"t{i:02}", f"a{9 + i}", f"b{9 + i}") for i in range(3)]
    assert shared_answers(rows) == []
    assert shared_answers(rows[:2] + rows[5:]) == [(["s00", "s01"], ["a", "b"])]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_on_the_page_keeps_anybody_out(tmp_path: Path, dark: bool) -> None:
    some = [a_row("a", 2.0), a_row("b", 1.0, "c", "half"), a_row("c", 0.0, "not-implemented", "…")]
    text = dashboard.page(a_class(*some, a_row("d", 0.0, "wrong", "all wrong"), a_row("e", None)))
    (tmp_path / "class.html").write_text(text, encoding="utf-8")
    with browsing.browser() as started:
        page = browsing.page(started, dark=dark)
        said = browsing.complaints(page)
        page.goto((tmp_path / "class.html").as_uri())
        assert browsing.barriers(page) == said == []
