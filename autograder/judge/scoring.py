"""From a submission's cells to what each exercise earns, and from there into the notebook that nbgrader
stores.

The learner's code runs in a `Session`; instances, oracle, reference and judge stay here. A grade cell gets
exactly one number and a message on standard output, because nbgrader takes anything on stderr for a failure
and most other results for full marks.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import os
import re
import secrets
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat

import solutions
from autograder.author.lesson import grade_id, is_check
from autograder.judge.matching import Master, Step, plan
from autograder.sandbox.session import Launcher, Limits, Ran, Replies, Session
from nas_lib.checks import (
    Answer,
    ConceptQuestion,
    Exercise,
    Expected,
    Instance,
    Oracle,
    Verdict,
    encode,
    exercise,
    expected_answers,
    grading_seed,
    instances_of,
    public_part,
    read_answer,
    serve,
    verdicts,
    worst,
)

SECRET_VARIABLE = "NAS_COURSE_SECRET"
SECRET_FILE = ".course_secret"
SEEDS_FILE = ".course_seeds.json"
TEXT_CHARACTERS = 10_000
OUTCOME = "nas_course"  # key in the metadata of a grade cell's output


@dataclass(frozen=True)
class Outcome:
    """What an exercise earns: a share of its points from 0 to 1, the wrong concept, the message."""

    score: float
    concept: str
    message: str


@dataclass(frozen=True)
class Result:
    """Everything that grading one submission found out."""

    outcomes: dict[str, Outcome]
    cells: dict[int, Ran]  # by the cell's place in the submission
    seconds: dict[str, float] = field(default_factory=dict, compare=False)
    """Where the time went, by the clock: start, cells, probes, judging; and the CPU time of the learner's processes."""

    @property
    def timed_out(self) -> tuple[str, ...]:
        """What was stopped because its time was up: exercises by name, cells by place ("cell 3")."""
        exercises = [name for name, outcome in self.outcomes.items() if outcome.concept == "too-slow"]
        return (*exercises, *(f"cell {place + 1}" for place, ran in self.cells.items() if ran.late))

    def to_data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Result:
        """Back from plain data."""
        return cls(
            {name: Outcome(**outcome) for name, outcome in data["outcomes"].items()},
            {int(place): Ran(**ran) for place, ran in data["cells"].items()},
            dict(data["seconds"]),
        )


class GradingError(Exception):
    """Something on the grader's side is broken, so that no submission can be graded."""


# ----------------------------------------------------------------------------------------------------
# Secret and seeds


def course_secret(course: Path) -> str:
    """The course's secret: from the environment, else from a file in its folder, made for the owner alone.

    Raises:
        ValueError: the file is empty.
    """
    if os.environ.get(SECRET_VARIABLE):
        return os.environ[SECRET_VARIABLE]
    path = course / SECRET_FILE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        secret = path.read_text(encoding="utf-8").strip()
        if not secret:
            raise ValueError(
                f"{path} is empty: restore it, or delete it to draw new grading instances."
            ) from None
        return secret
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        secret = secrets.token_hex(32)
        file.write(secret + "\n")
    return secret


def grading_seeds(course: Path, lesson: str, exercises: Sequence[str]) -> dict[str, int]:
    """The seed of each exercise's instances, recorded in the course's folder: a regrade uses the same.

    What is recorded stands, even if the secret has changed since: the class is graded alike.
    """
    path = course / SEEDS_FILE
    recorded: dict[str, dict[str, int]] = (
        json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    )
    known = recorded.setdefault(lesson, {})
    missing = [name for name in exercises if name not in known]
    if missing:
        secret = course_secret(course)
        known.update({name: grading_seed(secret, lesson, name) for name in missing})
        fresh = path.with_suffix(".new")
        with os.fdopen(
            os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as file:
            json.dump(recorded, file, indent=1, sort_keys=True)
        os.replace(fresh, path)
    return {name: known[name] for name in exercises}


# ----------------------------------------------------------------------------------------------------
# Judging


class WorkerTransport:
    """Reaches the learner's code in a session; the oracle's values and counts stay on this side."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def collect(self, exercise: Exercise, target: str, instances: Sequence[Instance]) -> list[Answer]:
        """One answer per instance, in order; what came to nothing is an answer with an error."""
        oracles: list[Oracle | None] = [exercise.oracle(copy.deepcopy(instance)) for instance in instances]
        came = self._session.probe(
            [(target, encode(public_part(instance))) for instance in instances],
            lambda place, message: serve(oracles[min(place, len(oracles) - 1)], message),
        )
        return [self._answer(came, place, oracle) for place, oracle in enumerate(oracles)]

    def answers_to(self, questions: Sequence[ConceptQuestion]) -> dict[str, list[Answer]]:
        """What concept questions were answered with, by name; nothing where one answer may have cost another its own.

        All from one child: starting one takes far longer than reading a letter.
        """
        if not questions:
            return {}
        probes: list[tuple[str, Any]] = [(question.name, {}) for question in questions]
        came = self._session.probe(probes, lambda place, message: serve(None, message))
        answers = [self._answer(came, place, None) for place in range(len(probes))]
        if any(answer.error_type in ("Crash", "OutOfTime") for answer in answers):
            return {}
        return {question.name: [answer] for question, answer in zip(questions, answers, strict=True)}

    @staticmethod
    def _answer(came: Replies, place: int, oracle: Oracle | None) -> Answer:
        if place < len(came.replies):
            return read_answer(came.replies[place], oracle, came.seconds[place])
        return Answer(
            error=came.error or "Crash: no answer came back", calls=list(oracle.calls) if oracle else []
        )


@functools.cache
def problems(lesson: str, name: str, seed: int) -> tuple[list[Instance], Expected]:
    """An exercise's instances for a seed, with the reference's and the usual mistakes' answers.

    Computed once for the whole class, here, outside of every learner's process.
    """
    item = exercise(name, lesson)
    instances = instances_of(item, seed)
    return instances, expected_answers(item, _reference(lesson), instances)


def _reference(lesson: str) -> ModuleType:
    return solutions.load(lesson)


def evaluate(
    lesson: str,
    steps: Sequence[Step],
    seeds: Mapping[str, int],
    limits: Limits | None = None,
    launcher: Launcher | None = None,
) -> Result:
    """Run a submission's cells, probe its exercises and judge them.

    Args:
        lesson: the lesson's name.
        steps: what to run, from `matching.plan`.
        seeds: the exercises to grade, with the seeds of their instances.
        limits, launcher: see `session`.

    Raises:
        GradingError: the lesson's own setup failed, so that the fault is not the learner's.
    """
    with Session(lesson, steps, limits, launcher) as session:
        session.start()
        for place, step in enumerate(steps):
            ran = session.ran.get(place)
            if step.cell is None and ran is not None and ran.error:
                raise GradingError(
                    f"{step.name} of {lesson} failed before any code of the learner's ran: {ran.error}"
                )
        transport = WorkerTransport(session)
        began, before = time.monotonic(), sum(session.seconds.values())
        outcomes = _outcomes(lesson, seeds, transport)
        spent = {
            **session.seconds,
            "judging": time.monotonic() - began - (sum(session.seconds.values()) - before),
        }
        ran_cells = {
            step.cell: session.ran[place]
            for place, step in enumerate(steps)
            if step.cell is not None and place in session.ran
        }
    failures = {
        step.name: session.ran[place].error for place, step in enumerate(steps) if place in session.ran
    }
    for name, outcome in outcomes.items():
        if outcome.concept == "missing" and failures.get(name):
            outcomes[name] = Outcome(
                0.0, "cell-failed", f"your cell did not run to its end: {failures[name]}"
            )
    return Result(outcomes, ran_cells, spent | {"learner's CPU": session.cpu_seconds})


def _outcomes(lesson: str, seeds: Mapping[str, int], transport: WorkerTransport) -> dict[str, Outcome]:
    items = {name: exercise(name, lesson) for name in seeds}
    answers = transport.answers_to([item for item in items.values() if isinstance(item, ConceptQuestion)])
    outcomes = {}
    for name, item in items.items():
        instances, expected = problems(lesson, name, seeds[name])
        came = answers.get(name) or transport.collect(item, name, instances)
        outcomes[name] = _outcome(item, instances, came, expected)
    return outcomes


def _outcome(
    item: Exercise, instances: Sequence[Instance], answers: Sequence[Answer], expected: Expected
) -> Outcome:
    crashed = next((answer for answer in answers if answer.error_type == "Crash"), None)
    if crashed is not None:
        verdict = Verdict(0.0, "crash", (crashed.error or "").partition(":")[2].strip())
    else:
        verdict = worst(verdicts(item, instances, answers, expected))
    return Outcome(verdict.score, verdict.concept, verdict.message)


# ----------------------------------------------------------------------------------------------------
# In nbgrader

_READY: dict[tuple[str, tuple[Step, ...], tuple[tuple[str, int], ...]], Result] = {}


@contextlib.contextmanager
def remembered(
    lesson: str, steps: Sequence[Step], seeds: Mapping[str, int], result: Result
) -> Iterator[None]:
    """Have a result ready for `score` meanwhile: evaluating goes on in parallel, nbgrader stores one by one."""
    key = (lesson, tuple(steps), tuple(seeds.items()))
    _READY[key] = result
    try:
        yield
    finally:
        _READY.pop(key, None)


def score(
    notebook: Any, master: Master, lesson: str, course: Path, launcher: Launcher | None = None
) -> Result:
    """What a submission, matched against the master, earns; evaluated now unless that has been done."""
    steps = plan(notebook, master)
    seeds = grading_seeds(course, lesson, list(master.points))
    ready = _READY.get((lesson, tuple(steps), tuple(seeds.items())))
    return ready if ready is not None else evaluate(lesson, steps, seeds, launcher=launcher)


def write(notebook: Any, result: Result, isolation: str = "") -> None:
    """Write a result into the notebook as outputs; whatever outputs it had before are gone.

    Args:
        notebook: the submission.
        result: what grading it found out.
        isolation: what its code ran in, kept for reports.
    """
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        cell.outputs, cell.execution_count = [], None
        name = str(grade_id(cell)).removesuffix("-check")
        if is_check(cell) and name in result.outcomes:
            points = float(cell.metadata["nbgrader"]["points"])
            cell.outputs = grade_outputs(result.outcomes[name], points, isolation)
        elif is_check(cell):
            cell.outputs = grade_outputs(
                Outcome(0.0, "missing", "this cell grades no exercise of the lesson"), 0.0
            )
        elif index in result.cells:
            cell.outputs = _printed(result.cells[index])


def grade_outputs(outcome: Outcome, points: float, isolation: str = "") -> list[Any]:
    """The outputs of a grade cell: the message, and one number for `determine_grade` to read."""
    earned = min(points, max(0.0, round(outcome.score * points, 6)))
    mark = "✓" if outcome.score >= 1.0 else "✗"
    text = f"{mark} {printable(outcome.message) or 'right'} ({earned:g} of {points:g} points)"
    text = (
        textwrap.fill(text, 100, subsequent_indent="  ", break_on_hyphens=False) + "\n"
    )  # feedback pages do not wrap
    return [
        nbformat.v4.new_output("stream", name="stdout", text=text),
        nbformat.v4.new_output(
            "execute_result",
            data={"text/plain": repr(float(earned))},
            metadata={
                OUTCOME: {**asdict(outcome), "message": printable(outcome.message), "isolation": isolation}
            },
            execution_count=None,
        ),
    ]


def read_outcomes(notebook: Any) -> dict[str, Outcome]:
    """The outcomes that `write` left in an autograded notebook, by exercise."""
    return {
        name: Outcome(float(left["score"]), str(left["concept"]), str(left["message"]))
        for name, left in _left(notebook).items()
    }


def read_isolation(notebook: Any) -> str:
    """What the code of an autograded notebook ran in; "" where that is not known."""
    return next((str(left.get("isolation", "")) for left in _left(notebook).values()), "")


def _left(notebook: Any) -> dict[str, dict[str, Any]]:
    return {
        str(grade_id(cell)).removesuffix("-check"): output.metadata[OUTCOME]
        for cell in notebook.cells
        if is_check(cell)
        for output in cell.outputs
        if OUTCOME in output.get("metadata", {})
    }


def _printed(ran: Ran) -> list[Any]:
    text = printable(ran.printed) + (f"\n{printable(ran.error)}" if ran.error else "")
    return (
        [nbformat.v4.new_output("stream", name="stdout", text=text.lstrip("\n") + "\n")]
        if text.strip()
        else []
    )


def printable(text: str) -> str:
    """Text that a page can show: no terminal codes, control characters or lone surrogates, not too long."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text[: 2 * TEXT_CHARACTERS])
    # A progress bar draws over its line: the last state is what one would see.
    text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    text = "".join(character for character in text if character in "\n\t" or character.isprintable())
    return text[:TEXT_CHARACTERS]
