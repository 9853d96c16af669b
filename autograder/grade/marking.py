"""One question, everybody's answers: a page on this machine on which a person gives points, one keystroke each.

It is served to whoever has the token in its address, on 127.0.0.1 alone. Points and comments go into nbgrader's
gradebook as they are given, so that Formgrader, reports and exports have them at once.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jupyter_server.serverapp import list_running_servers
from nbgrader.api import MissingEntry
from tornado import netutil, web
from tornado.httpserver import HTTPServer

from autograder.author.lesson import grade_id, mark_scheme, read_lesson
from autograder.grade.course_folder import CourseFolder
from autograder.nbgrader import marks
from autograder.reports import prose
from autograder.reports.feedback import NO_RESPONSE
from autograder.reports.spreadsheets import number

TEMPLATES = Path(__file__).parents[1] / "reports" / "templates" / "marking"
ADDRESS = "127.0.0.1"
STEP = 0.5
"""Points are given in halves; others can be typed."""
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Learners' prose is sanitised before it is shown; should anything be left in it, the browser runs none of it."""


@dataclass(frozen=True)
class Question:
    """An open question: its text, its rubric and the course's own answer, as HTML."""

    name: str
    points: float
    text: str
    rubric: str
    model: str


@dataclass(frozen=True)
class Shown:
    """One student's answer as the page shows it.

    Args:
        student: their id.
        text: the answer, as HTML; "" if there is none.
        digest: of the answer, by which the page tells to which one points are given.
        given: as `state` has it.
        formgrader: where the whole notebook is shown, if Formgrader is running.
    """

    student: str
    text: str
    digest: str
    given: dict[str, Any] = field(default_factory=dict)
    formgrader: str = ""


def questions(place: CourseFolder, lesson: str) -> list[Question]:
    """The open questions of a lesson, in its order.

    Raises:
        ValueError: it has none, or it is not assigned in this course.
    """
    source = place.source(lesson)
    wanted = [task for task in read_lesson(lesson).tasks if task.kind == "open"]
    if not wanted or not source.is_file():
        why = "has no open question" if not wanted else f"is not assigned in {place.root}"
        raise ValueError(f"lesson must be one with answers to mark: {lesson} {why}.")
    cells = {grade_id(cell): cell.source for cell in nbformat.read(source, as_version=4).cells}
    found = []
    for task in wanted:
        prompt = cells.get(f"{task.name}-prompt", "")
        found.append(
            Question(
                task.name,
                task.title.points,
                prose.render(prompt.split("### BEGIN MARK SCHEME")[0]),
                prose.render(mark_scheme(prompt) or ""),
                prose.render(cells.get(task.name, "")),
            )
        )
    return found


def state(waiting: marks.Waiting) -> dict[str, Any]:
    """What has been given for an answer: for the page, and for JSON."""
    grade, comment = waiting.grade, waiting.comment
    return {
        "grade": grade.id,
        "comment": comment.id if comment is not None else "",
        "points": None if grade.needs_manual_grade and grade.manual_score is None else float(grade.score),
        "said": (comment is not None and comment.manual_comment) or "",
        "waits": bool(grade.needs_manual_grade),
        "version": marks.version(grade),
        "comment_version": marks.version(comment) if comment is not None else "null",
    }


class Desk:
    """What the page shows and stores, of one lesson in one course folder."""

    def __init__(self, place: CourseFolder, lesson: str) -> None:
        self.place, self.lesson = place, lesson
        self.questions = {question.name: question for question in questions(place, lesson)}

    def answers(self, question: str) -> list[Shown]:
        """Everybody's answers to a question, by student."""
        formgrader = self._formgrader()
        with self.place.gradebook() as book:
            found = []
            for one in marks.answers(book, self.lesson, question):
                cell = self._cell(one.student, question)
                source = cell.source.strip() if cell is not None else ""
                unanswered = one.comment is not None and one.comment.auto_comment == NO_RESPONSE
                text = "" if unanswered or not source else prose.render(source, cell.get("attachments"))
                address = f"{formgrader}submissions/{one.notebook}/#{question}" if formgrader else ""
                found.append(Shown(one.student, text, _digest(source), state(one), address))
            return found

    def waiting(self) -> dict[str, tuple[int, int]]:
        """How many answers to each question wait, and of how many."""
        with self.place.gradebook() as book:
            found = {name: marks.answers(book, self.lesson, name) for name in self.questions}
            return {
                name: (sum(bool(one.grade.needs_manual_grade) for one in those), len(those))
                for name, those in found.items()
            }

    def store(self, question: str, student: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Store points or a comment; returns the answer's state now.

        Raises:
            marks.Overtaken: somebody else has changed it since, or the answer itself is another one.
            ValueError: what was asked makes no sense.
        """
        with self.place.gradebook() as book:
            there = [one for one in marks.answers(book, self.lesson, question) if one.student == student]
            if not there:
                raise MissingEntry(f"{student} has no answer to {question}")
            (one,) = there
            cell = self._cell(student, question)
            if _digest(cell.source.strip() if cell is not None else "") != asked["answer"]:
                raise marks.Overtaken(
                    "This answer has been graded anew after you opened the page, and it is another one now. "
                    "Yours was not kept: load the page again."
                )
            if "points" in asked:
                points = asked["points"]
                if points is not None and type(points) not in (int, float):
                    raise ValueError(f"points must be a number, got {points!r}.")
                marks.give(book, one.grade, points, asked["version"])
            elif one.comment is not None:
                marks.say(book, one.comment, str(asked["comment"]), asked["version"])
            return state(one)

    def _cell(self, student: str, question: str) -> Any:
        path = self.place.root / "autograded" / student / self.lesson / f"{self.lesson}.ipynb"
        if not path.is_file():
            return None
        # Written by nbgrader after all checks: no second look at the whole notebook for one cell of it.
        notebook = nbformat.v4.reads_json(path.read_text(encoding="utf-8"))
        return next((cell for cell in notebook.cells if grade_id(cell) == question), None)

    def _formgrader(self) -> str:
        """The address of a Formgrader that shows this course; "" if none is running."""
        for server in list_running_servers():
            if Path(server["root_dir"]).resolve() == self.place.root:
                return f"{server['url']}formgrader/"
        return ""


def _digest(source: str) -> str:
    return hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def keys(points: float) -> list[tuple[float, str, str]]:
    """The marks that one keystroke gives: (points, as text, key); halves are given with Shift."""
    halves = [step * STEP for step in range(int(points / STEP) + 1)]
    return [(one, number(one), ("Shift+" if one % 1 else "") + str(int(one))) for one in halves if one < 10]


class _Handler(web.RequestHandler):
    """Answers to whoever has the token, and to nobody whom another page has sent here."""

    def initialize(self, desk: Desk, token: str) -> None:
        self.desk, self.token = desk, token

    def prepare(self) -> None:
        given = self.request.headers.get("Authorization", "").removeprefix("token ") or self.get_argument(
            "token", ""
        )
        here = self.request.host_name in (ADDRESS, "localhost")  # not a name that somebody has pointed here
        if not here or not secrets.compare_digest(given.encode(), self.token.encode()):
            raise web.HTTPError(403)

    def set_default_headers(self) -> None:
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")

    def write_error(self, status_code: int, **_: Any) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(
            "The address needs the token that nas-course mark has printed."
            if status_code == 403
            else self._reason
        )

    def compute_etag(self) -> None:
        return None


class Page(_Handler):
    """A question with all answers."""

    def get(self, question: str) -> None:
        """Show it; without a name, the first question."""
        asked = self.desk.questions.get(question) if question else next(iter(self.desk.questions.values()))
        if asked is None:
            raise web.HTTPError(404)
        nonce = secrets.token_urlsafe(16)
        self.set_header("Content-Security-Policy", POLICY.format(nonce=nonce))
        self.write(
            _template().render(
                lesson=self.desk.lesson,
                question=asked,
                answers=self.desk.answers(asked.name),
                waiting=self.desk.waiting(),
                keys=keys(asked.points),
                token=self.token,
                nonce=nonce,
            )
        )


class Store(_Handler):
    """Points or a comment for one answer."""

    def put(self, question: str) -> None:
        """Store them; 409 and a sentence if somebody else was faster."""
        if question not in self.desk.questions:
            raise web.HTTPError(404)
        try:
            asked = json.loads(self.request.body)
            self.write(self.desk.store(question, str(asked["student"]), asked))
        except marks.Overtaken as told:
            self._refuse(409, str(told))
        except MissingEntry:
            raise web.HTTPError(404) from None
        except (ValueError, KeyError, TypeError) as wrong:
            self._refuse(400, str(wrong))

    def _refuse(self, status: int, sentence: str) -> None:
        self.set_status(status)
        self.write({"message": sentence})


def application(desk: Desk, token: str) -> web.Application:
    """The web application of one desk."""
    known = {"desk": desk, "token": token}
    return web.Application([(r"/api/(\w+)", Store, known), (r"/(\w*)", Page, known)], log_function=_silent)


def _silent(_: web.RequestHandler) -> None:
    """Requests are of no interest, and their addresses hold the token."""


@functools.cache
def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("index.html.j2")


def serve(desk: Desk, port: int, question: str, ready: Callable[[str], None]) -> None:
    """Serve the page until the process is interrupted.

    Args:
        desk: what is shown and stored.
        port: to listen on; 0 takes a free one.
        question: the one to begin with; "" for the first.
        ready: called with the page's address once it answers.

    Raises:
        ValueError: there is no such question, or the port cannot be had.
    """
    if question and question not in desk.questions:
        raise ValueError(f"question must be one of {', '.join(desk.questions)}, got {question!r}.")
    if not 0 <= port < 2**16:
        raise ValueError(f"port must be from 0 to {2**16 - 1}, got {port}.")
    token = secrets.token_urlsafe(24)

    async def until_interrupted() -> None:
        try:
            sockets = netutil.bind_sockets(port, ADDRESS)
        except OSError as wrong:
            raise ValueError(f"port must be one that can be listened on, got {port}: {wrong}.") from None
        server = HTTPServer(application(desk, token))
        server.add_sockets(sockets)
        ready(f"http://{ADDRESS}:{sockets[0].getsockname()[1]}/{question}?token={token}")
        await asyncio.Event().wait()

    asyncio.run(until_interrupted())
