"""Two people who grade one answer at a time, each in a browser of their own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook

from autograder import samples
from autograder.grade import command
from tests import servers

LESSON = "00_start_here"
ROOT = Path(__file__).resolve().parents[1]
TOKEN = "the-tests-own"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course folder in which the open answer of one student waits."""
    folder = tmp_path_factory.mktemp("formgrader")
    samples.write(folder / "in", LESSON, ["perfect"])
    return command.grade(folder / "in", LESSON, folder / "course", progress=False).course


@contextlib.contextmanager
def formgrader(course: Path) -> Iterator[str]:
    """The address of a server with Formgrader."""
    home = course.parent / "home"
    runtime = course.parent / "runtime"
    environment = {**os.environ, "HOME": str(home), "JUPYTER_RUNTIME_DIR": str(runtime)}
    arguments = ["--no-browser", "--allow-root", "--port=0", f"--IdentityProvider.token={TOKEN}"]
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyter", "server", *arguments, f"--ServerApp.root_dir={course}"],
        cwd=course,
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not (found := list(runtime.glob("jpserver-*.json"))) and time.monotonic() < deadline:
            time.sleep(0.2)
        yield json.loads(found[0].read_text(encoding="utf-8"))["url"]
    finally:
        servers.end(server)


class Person:
    """A browser: cookies, and what Formgrader's page would send."""

    def __init__(self, url: str) -> None:
        self._url, self._cookies = url, CookieJar()
        self._open = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._cookies)).open
        self._open(f"{url}api/status?token={TOKEN}")

    def page(self, path: str) -> str:
        with self._open(f"{self._url}formgrader/{path}?token={TOKEN}") as answer:
            return str(answer.read().decode())

    def models(self, kind: str, submission: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(
            self._open(f"{self._url}formgrader/api/{kind}s?submission_id={submission}&token={TOKEN}").read()
        )
        return found

    def save(self, kind: str, model: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """PUT a whole model, as Backbone does."""
        request = urllib.request.Request(
            f"{self._url}formgrader/api/{kind}/{model['id']}",
            json.dumps(model).encode(),
            {"Content-Type": "application/json", "Authorization": f"token {TOKEN}"},
            method="PUT",
        )
        try:
            with self._open(request) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read())


def test_the_second_is_told_and_the_first_ones_points_stand(course):
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        (notebook,) = book.find_submission(LESSON, "perfect").notebooks
        submission = notebook.id
        (waiting,) = [grade.id for grade in notebook.grades if grade.needs_manual_grade]
    with formgrader(course) as url:
        ann, bob = Person(url), Person(url)
        for kind, field, first, second, said in (
            ("grade", "manual_score", 1.5, 0.5, "1.5 points have been given"),
            ("comment", "manual_comment", "Good.", "Bad.", "the comment is 'Good.' now"),
        ):
            (hers,), (his,) = (
                [one for one in person.models(kind, submission) if kind == "comment" or one["id"] == waiting][
                    -1:
                ]
                for person in (ann, bob)
            )
            assert ann.save(kind, {**hers, field: first})[0] == 200
            status, answer = bob.save(kind, {**his, field: second})
            assert status == 409
            assert said in answer["message"]
            again = next(one for one in bob.models(kind, submission) if one["id"] == his["id"])
            assert again[field] == first
            status, saved = bob.save(kind, {**again, field: second})  # having seen it, he may
            assert (status, saved[field]) == (200, second)
            assert bob.save(kind, {**saved, field: first})[0] == 200  # the page goes on with what it got back
        page = ann.page(f"submissions/{submission}/")
        assert len(re.findall(r"status === 409.*alert", page)) == 1
        assert page.count("next that waits for a person") == 1
