"""What grading a submission found out, as data: each exercise's outcome, what its cells printed, what became of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from autograder.sandbox.cells import Ran, Step


@dataclass(frozen=True)
class Outcome:
    """What an exercise earns: a share of its points from 0 to 1, the wrong concept, the message."""

    score: float
    concept: str
    message: str


@dataclass(frozen=True)
class Result:
    """Everything that grading one submission found out."""

    made_of: str
    """What was evaluated, see `digest`."""
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
            str(data["made_of"]),
            {name: Outcome(**outcome) for name, outcome in data["outcomes"].items()},
            {
                int(place): Ran(**{**ran, "overwritten": tuple(ran["overwritten"])})
                for place, ran in data["cells"].items()
            },
            dict(data["seconds"]),
        )


@dataclass(frozen=True)
class Evaluated:
    """What became of one student's submission."""

    student: str
    result: Result | None
    """Each exercise's outcome with its concept and message; None where the grader failed."""
    fault: str = ""
    """What went wrong on the grader's side: no fault of the student's, who gets no grade yet."""
    attempts: int = 1
    """How often it was begun: more than once if a process of the grader's died over it."""
    kept: bool = False
    """It comes from an earlier run."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Where the time went, by the clock: start, cells, probes, judging, storing."""
    slowly: str = ""
    """Why learners' processes start slowly where it was graded, if they do."""

    @property
    def timed_out(self) -> tuple[str, ...]:
        """What was stopped because its time was up: exercises by name, cells by place."""
        return self.result.timed_out if self.result else ()

    @property
    def crashed(self) -> tuple[str, ...]:
        """Exercises in which the learner's process died."""
        outcomes = self.result.outcomes.items() if self.result else ()
        return tuple(name for name, outcome in outcomes if outcome.concept == "crash")


def digest(lesson: str, steps: Sequence[Step], seeds: Mapping[str, int]) -> str:
    """Of all that a submission's result is made of: what is run, and the instances of which exercises it is given."""
    made_of = [lesson, [asdict(step) for step in steps], dict(seeds)]
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:32]
