"""Does anything in the learner's process solve an exercise? Tries every callable of the library made for its lesson.

In the sandbox, as a submission would, and judged outside like one. A callable that is right on every sound instance is
a hole, whatever it does with bad input or to its arguments: a line of the learner's would mend that. It belongs into
the `hides` of what stands in for the exercise, or, from the checks, among the judges.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import solutions
from autograder.gate import candidates
from autograder.judge.scoring import problems
from autograder.sandbox import bubblewrap
from autograder.sandbox.cells import Step
from autograder.sandbox.session import Limits, Session
from nas_lib import checks
from nas_lib.checks import Answer, ConceptQuestion, Exercise, Expected, Instance, Oracle, Verdict
from solutions import DEFINITION_TAGS

SEED = 101
BESIDE = ("wrong-type", "not-an-int", "mutates-input", "changes-settings")
"""Concepts that are wrong beside a result that is right (`judging.CONDUCT`)."""
DAY = 86_400.0
TAKE_OVER = """
import sys, types
sys.modules["candidates"] = types.ModuleType("candidates")
exec({source!r}, vars(sys.modules["candidates"]))
sys.modules["candidates"].checks.run_probe = sys.modules["candidates"].Sweep({whole})
"""


@dataclass(frozen=True)
class Hole:
    """A callable of the library that solves an exercise, with the arguments that it gets, and what it would earn."""

    exercise: str
    answer: str
    score: float


@dataclass(frozen=True)
class Swept:
    """What came of one exercise: attempts, how many gave an answer, seconds of CPU in the sandbox, and the holes."""

    exercise: str
    tried: int
    answered: int
    seconds: float
    holes: tuple[Hole, ...]


def sweep(lesson: str, only: Sequence[str] = (), whole: bool = True) -> list[Swept]:
    """Sweep a lesson's exercises, or `only` some.

    Args:
        lesson: the lesson's name.
        only: names of exercises.
        whole: all modules and orders of arguments; else what the lesson imports, and the arguments as they are.

    Raises:
        RuntimeError: the sweep itself failed.
    """
    steps = _steps(lesson, whole)
    limits = Limits(probe_seconds=DAY, patience=DAY, message_bytes=2**30)
    launcher = bubblewrap.BubblewrapLauncher(bubblewrap.SandboxLimits(memory_bytes=8 * 2**30))
    with Session(lesson, steps, limits, launcher) as session:
        session.start()
        for place, ran in session.ran.items():
            if ran.error:
                raise RuntimeError(f"{steps[place].name} failed: {ran.error}")
        return [
            _swept(session, item)
            for name, item in checks.exercises(lesson).items()
            if not isinstance(item, ConceptQuestion) and (not only or name in only)
        ]


def _steps(lesson: str, whole: bool) -> list[Step]:
    """The lesson's definitions, as in a submission without a fault, and what takes over the probes."""
    cells = [
        cell.source for cell in solutions.read(lesson).cells if solutions.tag_of(cell) in DEFINITION_TAGS
    ]
    source = Path(candidates.__file__).read_text(encoding="utf-8")
    taken_over = TAKE_OVER.format(source=source, whole=whole)
    return [
        *(Step(f"cell {place}", cell, None, True) for place, cell in enumerate(cells)),
        Step("candidates", taken_over, None, True),
    ]


def render(found: Sequence[Swept]) -> str:
    """A line for each exercise, and one for each hole."""
    lines = []
    for one in found:
        lines.append(
            f"{one.exercise:<34} {one.tried:7,} tried, {one.answered:6,} answered, {one.seconds:6.1f} s"
        )
        lines += [f"  !! {hole.answer} earns {hole.score:.2f}" for hole in one.holes]
    return "\n".join(lines)


def _swept(session: Session, item: Exercise) -> Swept:
    instances, expected = problems(item.lesson, item.name, SEED)
    asked = _Asked(session, item, instances, expected)
    sound = [place for place, instance in enumerate(instances) if "bad" not in instance]
    found = asked.answers(sound[:1])
    near = [label for label, answers in found.items() if all(map(solves, asked.verdicts(answers)))]
    holes = []
    for label, answers in asked.answers(range(len(instances)), near).items() if near else ():
        verdicts = asked.verdicts(answers)
        if all(solves(verdicts[place]) for place in sound):
            holes.append(Hole(item.name, label, checks.worst(verdicts).score))
    control = [hole for hole in holes if hole.answer == candidates.REFERENCE]
    if [hole.score for hole in control] != [1.0]:
        raise RuntimeError(f"the sweep does not find the reference of {item.name}: nothing would be found")
    holes.remove(control[0])
    return Swept(item.name, asked.tried, len(found), asked.seconds, tuple(holes))


def solves(verdict: Verdict) -> bool:
    """Is the result right, whatever else the call did?"""
    return verdict.right or (verdict.score > 0 and verdict.concept in BESIDE)


class _Asked:
    """One exercise's instances, and what the callables answer to them."""

    def __init__(
        self, session: Session, item: Exercise, instances: Sequence[Instance], expected: Expected
    ) -> None:
        self._session, self._item, self._instances, self._expected = session, item, instances, expected
        reference = getattr(solutions.load(item.lesson), item.name)
        self._parameters = None if isinstance(reference, type) else list(signature(reference).parameters)
        self.tried, self.seconds = 0, 0.0

    def answers(self, places: Sequence[int], only: Sequence[str] = ()) -> dict[str, dict[int, Answer]]:
        """Answers by callable and place; without `only` those alone that are no error.

        Raises:
            RuntimeError: the learner's process ended.
        """
        oracles: dict[tuple[int, int], Oracle | None] = {}

        def oracle(place: int, number: int) -> Oracle | None:
            if (place, number) not in oracles:
                oracles[place, number] = self._item.oracle(copy.deepcopy(self._instances[place]))
            return oracles[place, number]

        def serve(asked: int, message: Any) -> dict[str, Any]:
            number, *args = message["args"]
            return checks.serve(oracle(places[asked], number), message | {"args": args})

        came = self._session.probe(
            [(self._item.name, checks.encode(self._job(place, only))) for place in places], serve
        )
        if came.error or len(came.replies) < len(places):
            raise RuntimeError(f"the sweep of {self._item.name} broke off: {came.error}")
        found: dict[str, dict[int, Answer]] = {}
        for place, reply in zip(places, came.replies):
            if "error" in reply:
                raise RuntimeError(f"the sweep of {self._item.name} failed: {reply['error']}")
            self.tried, self.seconds = max(self.tried, reply["tried"]), self.seconds + reply["seconds"]
            for number, message, labels in reply["answers"]:
                calls = None if number is None else oracle(place, number)
                answer = checks.read_answer(json.loads(message), calls)
                found |= {label: found.get(label, {}) | {place: answer} for label in labels}
        return found

    def _job(self, place: int, only: Sequence[str]) -> dict[str, Any]:
        instance = self._instances[place]
        return {
            "instance": checks.public_part(instance),
            "parameters": self._parameters,
            "only": list(only),
            "oracle": self._item.oracle(copy.deepcopy(instance)) is not None,
        }

    def verdicts(self, answers: Mapping[int, Answer]) -> list[Verdict]:
        """On answers by place, each judged by itself: no usual mistake is looked for."""
        found = []
        for place, answer in sorted(answers.items()):
            right = Expected([self._expected.answers[place]])
            found += checks.verdicts(self._item, [self._instances[place]], [answer], right)
        return found
