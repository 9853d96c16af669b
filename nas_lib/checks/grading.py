"""From an exercise and a way to reach the learner's code to a verdict, with the reference on this side."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from nas_lib.checks.codec import roundtrip
from nas_lib.checks.exercise import Answer, Exercise, Expected, Instance, Known, Verdict
from nas_lib.checks.judging import verdicts, worst
from nas_lib.checks.transports import InProcess, Transport
from nas_lib.checks.values import ValueExercise

MISTAKE_SECONDS = 2.0  # of CPU for a mistake that never ends


def grade(exercise: Exercise, transport: Transport, reference: Any, seed: int) -> Verdict:
    """Grade one exercise on the instances of `seed`: the worst instance decides.

    Args:
        exercise: the exercise.
        transport: reaches the learner's code.
        reference: the lesson's namespace with the reference implementations (`solutions.load(lesson)`).
        seed: see `grading_seed`.
    """
    instances = instances_of(exercise, seed)
    answers = transport.collect(exercise, exercise.name, instances)
    return worst(verdicts(exercise, instances, answers, expected_answers(exercise, reference, instances)))


def instances_of(exercise: Exercise, seed: int) -> list[Instance]:
    """The instances of a seed as they arrive on the other side, bad input last: what hangs there costs nothing else."""
    return sorted(map(roundtrip, exercise.instances(seed)), key=lambda instance: "bad" in instance)


def expected_answers(
    exercise: Exercise,
    reference: Any,
    instances: Sequence[Instance],
    answered: Callable[[Any], Sequence[Answer]] | None = None,
) -> Expected:
    """The reference's answers to `instances`, and how the usual mistakes (`reference.MISTAKES`) differ from them.

    Empty answers where the judge needs none.

    Args:
        exercise, reference: see `grade`.
        instances: from `instances_of`.
        answered: what a mistake answers, for who has that already; by default it is asked.

    Raises:
        RuntimeError: the reference itself raised, or changed what it must not.
    """
    if not exercise.has_reference:
        return Expected([Answer() for _ in instances])
    answers = InProcess(reference, seconds=None).collect(exercise, exercise.name, instances)
    for instance, answer in zip(instances, answers):
        if answer.error is not None and "bad" not in instance:
            raise RuntimeError(f"the reference of {exercise.name} failed: {answer.error}")
        if answer.changed:
            raise RuntimeError(f"the reference of {exercise.name} changes {', '.join(answer.changed)}")
    if not isinstance(exercise, ValueExercise):
        return Expected(answers)
    sound = [instance for instance in instances if "bad" not in instance]  # they stand first

    def asked(mistake: Any) -> Sequence[Answer]:
        wrong = InProcess({exercise.name: mistake.make(reference)}, seconds=MISTAKE_SECONDS)
        return wrong.collect(exercise, exercise.name, sound)

    def known(mistake: Any) -> Known:
        found = zip((answered or asked)(mistake), answers[: len(sound)])
        differs = [exercise.difference(wrong, right) for wrong, right in found]
        return Known(mistake.concept, mistake.message, differs + [None] * (len(instances) - len(sound)))

    told = [one for one in getattr(reference, "MISTAKES", {}).get(exercise.name, ()) if one.message]
    return Expected(answers, lambda: list(map(known, told)))


def grading_seed(secret: str, lesson: str, exercise: str) -> int:
    """Seed of an exercise's grading instances: the same for the whole class, unknown without the course's secret."""
    text = json.dumps([secret, lesson, exercise])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
