"""Machine-made mutants: each reference with one of Cosmic Ray's operators applied once, graded by the exercise's own
check.

Hand-written mutants show that a check knows the usual mistakes; these show that it leaves nothing out. A mutant that
survives is either listed with a reason in `equivalent/<lesson>.toml`, since it does what the reference does, or is a
gap in the check. Nothing here is for learners' code: mutants of the reference run in a forked process, to be stopped
in time, not to be isolated.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import solutions
from autograder.gate.registry import SEEDS
from nas_lib import checks
from nas_lib.checks import Exercise, Expected, InProcess, Instance, Verdict

FOLDER = Path(__file__).with_name("equivalent")
LEAST_KILLED = 0.95
"""Share of all machine-made mutants of a lesson that has to die."""

# Where a mutant never ends, and Python never gets to ring its alarm: wall-clock seconds for one mutant.
HARD_SECONDS = 60.0
# CPU seconds for one instance, and how many times the reference's own time if that is more.
LEAST_SECONDS, TIMES_REFERENCE = 1.0, 5.0


@dataclass(frozen=True)
class Mutant:
    """One application of one operator.

    Args:
        exercise: the exercise whose reference is mutated.
        operator: Cosmic Ray's name of the operator.
        line, mutated: the first line that differs, before and after.
        source: the whole cell, mutated.
    """

    exercise: str
    operator: str
    line: str
    mutated: str
    source: str


@dataclass(frozen=True)
class Equivalent:
    """A mutant that does what the reference does, and why it is none to be killed."""

    exercise: str
    operator: str
    line: str
    mutated: str
    reason: str

    def covers(self, mutant: Mutant) -> bool:
        """Is it this mutant that is meant?"""
        ours, theirs = ((one.exercise, one.operator, one.line, one.mutated) for one in (self, mutant))
        return ours == theirs


@dataclass(frozen=True)
class Result:
    """What became of one mutant: `concept` and `message` of the verdict that killed it, both "" if it survived."""

    mutant: Mutant
    concept: str = ""
    message: str = ""

    @property
    def killed(self) -> bool:
        """Did it lose points?"""
        return bool(self.concept)


# ------------------------------------------------------------------------------------------------- making


def mutants(lesson: str, exercise: str, folder: Path | None = None) -> list[Mutant]:
    """Every mutant of an exercise's reference, in a fixed order.

    Args:
        lesson: the lesson's name.
        exercise: the exercise's name.
        folder: where the lessons' sources lie, by default that of `solutions`.

    Raises:
        ValueError: the lesson has no exercise cell of that name.
    """
    source = reference_cell(lesson, exercise, folder)
    found = [
        Mutant(exercise, name, *_first_difference(source, mutated), mutated)
        for name, mutated in _mutated(source)
        if mutated != source
    ]
    return list({mutant.source: mutant for mutant in reversed(found)}.values())[::-1]


def reference_cell(lesson: str, exercise: str, folder: Path | None = None) -> str:
    """Source of the cell that holds an exercise's reference.

    Raises:
        ValueError: the lesson has no such cell.
    """
    notebook = solutions.read(lesson, folder or solutions.FOLDER)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == exercise:
            return str(cell.source)
    raise ValueError(f"exercise must have a cell in {lesson}, got {exercise!r}")


def _mutated(source: str) -> Iterator[tuple[str, str]]:
    """(operator, mutated source) of every place where one of Cosmic Ray's operators applies."""
    try:
        from cosmic_ray.mutating import mutate_code
        from cosmic_ray.plugins import get_operator, operator_names
    except ImportError as error:
        raise ValueError(
            f"machine-made mutants need the package cosmic-ray ({error}): pip install -e '.[dev]' brings it"
        ) from error
    for name in operator_names():
        kind = get_operator(name)
        if kind.arguments():
            continue  # it is for chosen variables, which somebody has to name
        occurrence = 0
        while (mutated := mutate_code(source, kind(), occurrence)) is not None:
            yield name.removeprefix("core/"), mutated
            occurrence += 1


def _first_difference(before: str, after: str) -> tuple[str, str]:
    pairs = zip(before.splitlines(), after.splitlines())
    return next((one.strip(), other.strip()) for one, other in pairs if one != other)


# ------------------------------------------------------------------------------------------------ grading


def grade(
    lesson: str,
    exercise: str,
    seeds: Sequence[int] = SEEDS,
    folder: Path | None = None,
    every: int = 1,
) -> list[Result]:
    """Grade machine-made mutants of an exercise on instances of each seed, until they lose points.

    Args:
        lesson: the lesson's name.
        exercise: the exercise's name.
        seeds: of the grading instances.
        folder: where the lessons' sources lie, by default that of `solutions`.
        every: 1 for all mutants, n for every n-th, as a sample.

    Raises:
        ValueError: there is no such exercise, Cosmic Ray is missing, or this system has no `fork`.
        RuntimeError: the reference itself does not get full marks.
    """
    if "fork" not in multiprocessing.get_all_start_methods():
        raise ValueError("machine-made mutants need a system that can fork (Linux, macOS)")
    item = checks.exercise(exercise, lesson)
    trial = _Trial(item, solutions.load(lesson, folder), seeds)
    left = mutants(lesson, exercise, folder)[::every]
    results: list[Result] = []
    while left:
        done = list(_graded_in_a_fork(trial, left))
        results += done
        left = left[len(done) :]
    return results


class _Trial:
    """The instances on which an exercise's mutants are graded, with what the judge expects.

    Args:
        item: the exercise.
        reference: the lesson's namespace.
        seeds: of the instances.
    """

    def __init__(self, item: Exercise, reference: Any, seeds: Sequence[int]) -> None:
        self.item = item
        self._names = dict(vars(reference))
        self._cases: list[tuple[Instance, Expected]] = []
        for seed in seeds:
            instances = checks.instances_of(item, seed)
            right = checks.expected_answers(item, reference, instances).answers
            self._cases += [(one, Expected([answer])) for one, answer in zip(instances, right, strict=True)]
        self._seconds = LEAST_SECONDS
        verdict, slowest = self._judge(self._names)
        if verdict is not None:
            raise RuntimeError(f"the reference of {item.name} does not get full marks: {verdict.message}")
        self._seconds = max(LEAST_SECONDS, TIMES_REFERENCE * slowest)

    def verdict(self, mutant: Mutant) -> Verdict | None:
        """What the check says against a mutant; None if it gets full marks."""
        names = dict(self._names)
        try:
            exec(compile(mutant.source, f"<{mutant.operator}>", "exec", dont_inherit=True), names)
        except Exception as error:
            return Verdict(0.0, "raises", f"the cell raised {type(error).__name__}: {error}")
        return self._judge(names)[0]

    def _judge(self, names: dict[str, Any]) -> tuple[Verdict | None, float]:
        """The first verdict below full marks, and the longest CPU time that an instance took."""
        transport, slowest = InProcess(names, self._seconds), 0.0
        for instance, expected in self._cases:
            started = time.process_time()
            answers = transport.collect(self.item, self.item.name, [instance])
            slowest = max(slowest, time.process_time() - started)
            [verdict] = checks.verdicts(self.item, [instance], answers, expected)
            if not verdict.right:
                return verdict, slowest
        return None, slowest


def _graded_in_a_fork(trial: _Trial, wanted: Sequence[Mutant]) -> Iterator[Result]:
    """Results of the first mutants: of all, or up to one that took the process with it."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_work, args=(trial, wanted, theirs), daemon=True)
    child.start()
    theirs.close()
    try:
        for mutant in wanted:
            try:
                if not ours.poll(HARD_SECONDS):
                    yield Result(mutant, "too-slow", f"it had to be killed after {HARD_SECONDS:g} s")
                    return
                yield Result(mutant, *json.loads(ours.recv_bytes()))
            except EOFError:
                yield Result(mutant, "crash", "it took the process with it")
                return
    finally:
        child.kill()
        child.join()
        ours.close()


def _work(trial: _Trial, wanted: Sequence[Mutant], out: Connection) -> None:
    if "torch" in sys.modules:
        # A fork has none of its parent's threads; waiting for them, a mutant would look too slow, and killed.
        sys.modules["torch"].set_num_threads(1)
    for mutant in wanted:
        verdict = trial.verdict(mutant)
        said = ["", ""] if verdict is None else [verdict.concept or "wrong", verdict.message]
        out.send_bytes(json.dumps(said).encode())


# ----------------------------------------------------------------------------------- equivalent ones, table


def equivalents(lesson: str, folder: Path = FOLDER) -> list[Equivalent]:
    """The mutants of a lesson that are listed as equivalent, with the reasons.

    Raises:
        ValueError: the list cannot be read.
    """
    path = folder / f"{lesson}.toml"
    if not path.is_file():
        return []
    try:
        return [
            Equivalent(**entry) for entry in tomllib.loads(path.read_text(encoding="utf-8"))["equivalent"]
        ]
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} must hold [[equivalent]] tables of {_FIELDS}: {error}") from error


_FIELDS = "exercise, operator, line, mutated and reason"
