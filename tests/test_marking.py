"""The page on which one question of all students is marked: what it shows, what it stores, and to whom it answers."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder import samples
from autograder.author.lesson import grade_id
from autograder.grade import command, marking
from autograder.grade.course_folder import CourseFolder
from autograder.nbgrader import marks
from nas_lib import cli

LESSON, QUESTION = "00_start_here", "open_00_1"
ROOT = Path(__file__).resolve().parents[1]
HOSTILE = """<script>steal()</script></article><img src="x" onerror="steal()">
<a href="javascript:steal()">more</a>

I would ask for *more seeds*.
"""


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course folder: an answer that waits, a hostile one, and one that nobody wrote."""
    folder = tmp_path_factory.mktemp("marking")
    samples.write(folder / "in", LESSON, ["perfect", "blank"])
    notebook = nbformat.read(folder / "in" / "perfect" / f"{LESSON}.ipynb", as_version=4)
    next(cell for cell in notebook.cells if grade_id(cell) == QUESTION).source = HOSTILE
    nbformat.write(notebook, folder / "in" / "eve.ipynb")
    return command.grade(folder / "in", LESSON, folder / "course", progress=False).course


@contextlib.contextmanager
def served(course: Path) -> Iterator[tuple[str, str]]:
    """The command at work: address of the page without its token, and the token."""
    arguments = ["mark", "--lesson", LESSON, "--course", str(course), "--no-browser"]
    with subprocess.Popen(
        [sys.executable, "-m", "nas_lib.cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs ignore Ctrl-C, and hand that down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        try:
            address, token = str(process.stdout.readline()).strip().split("?token=")  # type: ignore[union-attr]
            yield address, token
            process.send_signal(signal.SIGINT)
            said, wrong = process.communicate(timeout=30)
            assert process.returncode == 0 and not wrong
            assert re.search(rf"^{QUESTION}: \d of 3 answers wait\.$", said, re.MULTILINE)
        finally:
            process.kill()


def ask(url: str, body: Any = None, **headers: str) -> tuple[int, Any, str]:
    """Status, headers and text of an answer; with a body the question is a PUT."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method="GET" if body is None else "PUT")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers, refused.read().decode()


def book(course: Path) -> Any:
    return Gradebook(f"sqlite:///{course / 'gradebook.db'}")


def stored(course: Path, student: str) -> tuple[float | None, bool, str | None]:
    with book(course) as open_book:
        found = {one.student: one for one in marks.answers(open_book, LESSON, QUESTION)}[student]
        return found.grade.manual_score, found.grade.needs_manual_grade, found.comment.manual_comment


def test_one_question_is_marked_over_http(course):
    with served(course) as (address, token):
        key = {"Authorization": f"token {token}"}
        api = f"{address}api/{QUESTION}"
        assert address.startswith("http://127.0.0.1:")

        for refused in (address, f"{address}?token=wrong", f"{address}{QUESTION}"):
            assert ask(refused)[0] == 403
        assert ask(f"{address}?token={token}", Host="evil.example")[0] == 403
        assert ask(api, {"student": "perfect"})[0] == 403
        assert ask(f"{address}open_99_9?token={token}")[0] == 404
        assert ask(f"{address}api/open_99_9", {}, **key)[0] == 404

        status, headers, page = ask(f"{address}?token={token}")
        assert status == 200
        (nonce,) = re.findall(r"script-src 'nonce-([^']+)'", headers["Content-Security-Policy"])
        assert re.findall(r"<script[^>]*>", page) == [f'<script nonce="{nonce}">']
        assert page.count("<article") == page.count("</article>") == 3
        assert "steal" not in page and "onerror" not in page and "more seeds" in page
        assert "compares the gap with the seed" in page and "Not answered." in page
        assert '<span id="left">2</span> of 3 wait' in page

        given = {
            student: {"student": student, "answer": digest, **json.loads(state.replace("&#34;", '"'))}
            for student, digest, state in re.findall(
                r'data-student="(\w+)" data-answer="(\w+)" data-given="([^"]+)"', page
            )
        }
        assert {name: (one["points"], one["waits"]) for name, one in given.items()} == {
            "blank": (0.0, False),
            "eve": (None, True),
            "perfect": (None, True),
        }
        asked = {name: given["perfect"][name] for name in ("student", "answer", "version")}

        status, _, answer = ask(api, {**asked, "points": 1.5}, **key)
        assert status == 200 and json.loads(answer)["points"] == 1.5 and not json.loads(answer)["waits"]
        assert stored(course, "perfect") == (1.5, False, None)

        status, _, answer = ask(api, {**asked, "points": 0}, **key)
        assert status == 409 and "1.5 points have been given" in json.loads(answer)["message"]
        assert stored(course, "perfect") == (1.5, False, None)

        said = {**asked, "version": given["perfect"]["comment_version"], "comment": "Good: <b>seeds</b>"}
        status, _, answer = ask(api, said, **key)
        assert status == 200
        assert ask(api, {**said, "comment": "Bad"}, **key)[0] == 409
        assert stored(course, "perfect") == (1.5, False, "Good: <b>seeds</b>")
        _, _, page = ask(f"{address}{QUESTION}?token={token}")
        assert "Good: \\u003cb" in page and "<b>seeds" not in page

        fresh = {**asked, "version": json.loads(answer)["version"]}
        for points in (2.5, -1, "2", True, float("nan")):
            status, _, told = ask(api, {**fresh, "points": points}, **key)
            assert status == 400 and "points must be" in json.loads(told)["message"]
        status, _, told = ask(api, {**fresh, "answer": "another", "points": 1}, **key)
        assert status == 409 and "graded anew" in json.loads(told)["message"]
        assert ask(api, {**fresh, "student": "nobody", "points": 1}, **key)[0] == 404
        assert ask(api, ["no", "object"], **key)[0] == 400
        assert stored(course, "perfect")[0] == 1.5

        assert ask(api, {**fresh, "points": None}, **key)[0] == 200
        assert stored(course, "perfect")[:2] == (None, True)


def test_a_port_that_is_taken_is_named(course, capsys):
    with socket.create_server((marking.ADDRESS, 0)) as taken:
        port = taken.getsockname()[1]
        arguments = ["mark", "--course", str(course), "--lesson", LESSON, "--port", str(port)]
        assert cli.main(arguments) == 2
    assert f"port must be one that can be listened on, got {port}" in capsys.readouterr().err


def test_of_two_who_looked_at_the_same_time_one_is_told(course):
    with book(course) as first, book(course) as second:
        (ann,) = (one.grade for one in marks.answers(first, LESSON, QUESTION) if one.student == "eve")
        (bob,) = (one.grade for one in marks.answers(second, LESSON, QUESTION) if one.student == "eve")
        seen = marks.version(ann)
        assert seen == marks.version(bob)
        marks.give(first, ann, 2.0, seen)
        with pytest.raises(marks.Overtaken, match="2 points have been given"):
            marks.give(second, bob, 0.5, seen)
        assert bob.manual_score == 2.0
        marks.give(second, bob, 0.5, marks.version(bob))
    assert stored(course, "eve")[:2] == (0.5, False)


def test_marks_are_halves_with_one_key_each():
    assert marking.keys(2.0) == [
        (0.0, "0", "0"),
        (0.5, "0.5", "Shift+0"),
        (1.0, "1", "1"),
        (1.5, "1.5", "Shift+1"),
        (2.0, "2", "2"),
    ]
    assert {key.removeprefix("Shift+") for _, _, key in marking.keys(12.0)} == set("0123456789")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--lesson", "99_none"], "lesson must be one of"),
        (["--lesson", "01_random_search"], "01_random_search is not assigned in"),
        (["--lesson", LESSON, "--question", "open_9"], f"question must be one of {QUESTION}, got 'open_9'"),
        (["--lesson", LESSON, "--port", "99999"], "port must be from 0 to 65535, got 99999"),
        (
            ["--lesson", LESSON, "--course", "nowhere"],
            "course must be a folder in which something was graded",
        ),
    ],
)
def test_what_cannot_be_marked_is_said_in_one_sentence(course, options, told, capsys):
    assert cli.main(["mark", "--course", str(course), *options]) == 2
    assert told in capsys.readouterr().err


def test_each_lesson_with_an_open_question_has_a_rubric(course, tmp_path):
    place = CourseFolder(tmp_path / "other")
    place.assign("01_random_search")
    (question,) = marking.questions(place, "01_random_search")
    assert question.points == 4 and "point" in question.rubric and "MARK SCHEME" not in question.text
