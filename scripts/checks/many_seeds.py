"""Every usual mistake on 200 seeds, the reference and every right answer on 2,000.

    python -m scripts.checks.many_seeds record [--workers N] [--set lesson=03_rl_controller]
        [--set exercise=NAME] [--set seeds=200] [--set right=2000]    grades them
    python -m scripts.checks.many_seeds show [the same settings]    the worst case of each exercise;
        status 1 if a check failed anywhere

A mistake has to lose points on each seed and to be told its own sentence or concept
(`autograder.gate.registry.Row.holds`); a right answer has to keep all. Seeds are done in blocks, those of all exercises
before the next ones, so that whoever stops early has done some of each. The reference's answers to a seed are computed
once for all. A record belongs to a state of the check, of the lesson and of its mistakes: once one of them changes, its
blocks are done anew.
"""

from __future__ import annotations

import hashlib
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from autograder.gate import registry
from autograder.gate.registry import Row as Grade
from autograder.gate.registry import variants
from nas_lib import checks
from nas_lib.checks import ConceptQuestion, Exercise
from nas_lib.checks.registry import module_of
from scripts import recording
from scripts.recording import Recording, Row, Rows
from solutions.mistakes import Mistake

ROOT = Path(__file__).resolve().parents[2]
BLOCK = 20
FIRST_SEED = 1_000_000
REFERENCE = "the reference"


@dataclass(frozen=True)
class ManySeeds:
    """What is graded on how many seeds.

    Attributes:
        lesson, exercise: this one alone; "" for all.
        seeds: of each mistake.
        right: seeds of the reference and of each right answer.
    """

    lesson: str = ""
    exercise: str = ""
    seeds: int = 200
    right: int = 2_000
    folder: Path = Path(__file__).with_suffix("")

    @cached_property
    def items(self) -> list[Exercise]:
        """The exercises.

        Raises:
            ValueError: there are none of these names.
        """
        found = [
            item
            for lesson in checks.lessons()
            if self.lesson in ("", lesson)
            for item in checks.exercises(lesson).values()
            if self.exercise in ("", item.name) and not isinstance(item, ConceptQuestion)
        ]
        if not found:
            raise ValueError(f"no exercise {self.exercise!r} in lesson {self.lesson!r}")
        return found

    @cached_property
    def recording(self) -> Recording:
        """Of these settings."""
        jobs: dict[str, tuple[Any, ...]] = {}
        for first in range(0, max(self.seeds, self.right), BLOCK):
            wrong = range(first, min(first + BLOCK, self.seeds))
            right = range(first, min(first + BLOCK, self.right))
            for item in self.items:
                span = f"mistakes {len(wrong)}, right {len(right)}"
                jobs[f"{item.name} from {first}: {span}; {state(item.lesson)}"] = (
                    item.lesson,
                    item.name,
                    list(wrong),
                    list(right),
                )
        return Recording(jobs, graded, None, {"first_seed": FIRST_SEED}, self.folder, show=self.show)

    def show(self, rows: Rows) -> Iterator[str]:
        """For each exercise what came of it, with a line for each variant that the check does not do right by.

        Then the process ends with status 1 where there is one.
        """
        failed = False
        mine = [row for job, row in rows.items() if job in self.recording.jobs]
        for item in self.items:
            found = merged([row for row in mine if row["exercise"] == item.name])
            if found:
                failed = failed or any(one.failed for one in found.values())
                yield from lines(item.name, found)
        if failed:
            sys.exit(1)


@cache
def state(lesson: str) -> str:
    """A digest of all that the grades of a lesson's exercises are made of, but the library below the checks."""
    others = {module_of(one) for one in checks.lessons()} - {module_of(lesson)}
    mistakes = ROOT / "solutions" / "mistakes"
    files = [ROOT / "solutions" / f"{lesson}.py", mistakes / f"{lesson}.py", mistakes / "everywhere.py"]
    for folder in ("nas_lib/checks", "nas_lib/judges"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not others & {path.stem, *path.relative_to(ROOT).parts}:
                files.append(path)
    found = hashlib.sha256()
    for path in files:
        if path.is_file():
            found.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return found.hexdigest()[:12]


# ---------------------------------------------------------------------- grading


def graded(lesson: str, name: str, wrong: Sequence[int], right: Sequence[int]) -> Row:
    """Grade the mistakes of an exercise on some seeds, and the right answers on others."""
    item = checks.exercise(name, lesson)
    known: dict[str, Tally] = {}
    itself = Mistake(REFERENCE, "", "", lambda names: getattr(names, item.name))
    for seed in sorted({*wrong, *right}):
        tried = [one for one in variants(name) if seed in (wrong if one.is_wrong else right)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # wrong answers divide by zero
            for grade in registry.grade(item, [itself, *tried], [FIRST_SEED + seed]):
                known.setdefault(grade.variant.name, Tally()).add(FIRST_SEED + seed, grade)
    return {"exercise": name, "variants": {variant: asdict(tally) for variant, tally in known.items()}}


@dataclass
class Tally:
    """What became of one variant: on how many seeds it was graded, its scores' range, and where the check failed."""

    wrong: bool = False
    seeds: int = 0
    least: float = 1.0
    most: float = 0.0
    failed: dict[str, str] | None = None

    def add(self, seed: int, grade: Grade) -> None:
        """One more seed."""
        self.wrong, self.seeds = grade.variant.is_wrong, self.seeds + 1
        self.least, self.most = min(self.least, grade.score), max(self.most, grade.score)
        self.failed = self.failed or {}
        if not grade.holds:
            self.failed[str(seed)] = f"{grade.score:.2f} [{grade.concepts[0]}] {grade.messages[0]}"


# ---------------------------------------------------------------------- what came of it


def merged(rows: Sequence[Row]) -> dict[str, Tally]:
    """The tallies of several blocks, by variant."""
    found: dict[str, Tally] = {}
    for row in rows:
        for name, one in row["variants"].items():
            other, before = Tally(**one), found.setdefault(name, Tally())
            found[name] = Tally(
                other.wrong,
                before.seeds + other.seeds,
                min(before.least, other.least),
                max(before.most, other.most),
                (before.failed or {}) | (other.failed or {}),
            )
    return found


def lines(exercise: str, found: dict[str, Tally]) -> Iterator[str]:
    """What to say about an exercise."""
    wrong = {name: one for name, one in found.items() if one.wrong}
    right = {name: one for name, one in found.items() if not one.wrong}
    text = f"{exercise}: {len(right)} right × {max(one.seeds for one in right.values())} seeds"
    lowest = min(right, key=lambda name: right[name].least)
    text += f", lowest {right[lowest].least:.2f} ({lowest})"
    if wrong:
        highest = max(wrong, key=lambda name: wrong[name].most)
        text += f"; {len(wrong)} mistakes × {max(one.seeds for one in wrong.values())} seeds"
        text += f", highest {wrong[highest].most:.2f} ({highest})"
    yield text
    for name, one in found.items():
        if one.failed:
            seed, said = next(iter(one.failed.items()))
            yield f"  !! {name} on {len(one.failed)} of {one.seeds} seeds, first {seed}: {said}"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; `show` ends with status 1 where a check failed."""
    recording.main(__doc__, ManySeeds(), arguments)


if __name__ == "__main__":
    main()
