"""From a submission's cells to what each exercise earns.

The learner's code runs in a `Session`; instances, oracle, reference and judge stay here.
"""

from __future__ import annotations

import copy
import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import solutions
from autograder.judge.results import Outcome, Result, digest
from autograder.sandbox.cells import Ran, Step
from autograder.sandbox.process import Launcher
from autograder.sandbox.session import Limits, Replies, Session
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
    exercises,
    expected_answers,
    instances_of,
    public_part,
    read_answer,
    serve,
    verdicts,
    worst,
)


class GradingError(Exception):
    """Something on the grader's side is broken, so that no submission can be graded."""


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
    overwritten = _overwritten(steps, session.ran)
    outcomes = {name: _reminded(outcome, overwritten) for name, outcome in outcomes.items()}
    made_of = digest(lesson, steps, seeds)
    return Result(made_of, outcomes, ran_cells, spent | {"learner's CPU": session.cpu_seconds})


def _overwritten(steps: Sequence[Step], ran: Mapping[int, Ran]) -> list[str]:
    """The built-ins that a notebook's own cells have overwritten; the lesson's setup may have its reasons."""
    own: set[str] = set()
    given: set[str] = set()
    for place, found in ran.items():
        (given if steps[place].cell is None else own).update(found.overwritten)
    return sorted(own - given)


def _reminded(outcome: Outcome, overwritten: Sequence[str]) -> Outcome:
    """A wrong answer's outcome, with what the notebook itself has done to the built-ins that the answer may need."""
    if outcome.score >= 1.0 or outcome.concept in ("not-implemented", "missing") or not overwritten:
        return outcome
    names = ", ".join(f"`{name}`" for name in overwritten)
    reminder = f"your notebook itself has overwritten {names} of Python's own: give those things other names"
    return replace(outcome, message=f"{outcome.message.rstrip('.')}; note that {reminder}")


def _outcomes(lesson: str, seeds: Mapping[str, int], transport: WorkerTransport) -> dict[str, Outcome]:
    # In the lesson's order: while one is probed, what those before it hid is within reach (`library.given_back`).
    items = {name: item for name, item in exercises(lesson).items() if name in seeds}
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
