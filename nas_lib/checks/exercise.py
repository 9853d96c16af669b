"""What a check is made of: exercises, the answers to them, and what a judge says of one.

An instance is a dict of plain data. Its keys that begin with "_" (an objective's secret seed), "bad" and
"about" stay with the judge and the oracle; `public_part` is what may cross into the learner's process.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from nas_lib.checks.oracles import Oracle

Instance = dict[str, Any]
"""One concrete problem: plain data, different for each seed.

`"about"` may name it in a phrase for messages. `"bad"` (a phrase such as "a budget of 0") makes it bad input: the probe
is driven as ever, and an error of the class that the exercise declares has to come of it; with `"_uncalled"`, before
anything that costs is called. `"_left"` is the share of the
points that stays where this instance alone goes wrong: for what few would think of.
"""

PRIVATE = ("bad", "about")
MESSAGE = 400  # characters of a message; the rest is cut


def public_part(instance: Instance) -> Instance:
    """The instance as the learner's process may see it."""
    return {key: value for key, value in instance.items() if key not in PRIVATE and not key.startswith("_")}


class Call(NamedTuple):
    """One entry of an oracle's log: method, arguments and what was answered, or why it was refused."""

    method: str
    args: tuple[Any, ...]
    value: Any = None
    refused: str | None = None


@dataclass(frozen=True)
class Answer:
    """What came back from one probe.

    Args:
        value: the plain data that the probe returned.
        error: what went wrong instead, in one line that begins with the exception's name: "TypeError: … (line
            3: `code`)".
        raised: names of the classes of that exception, its own first.
        changed: what a call changed though the exercise does not allow it, by path ("rewards", "model.bn.training").
        kinds: types of what the learner's function returned ("float", "torch.Tensor[float32]").
        afterwards: no call of the learner's function raised the error: what it had returned could not be used.
        calls: the oracle's own log, kept outside the learner's process.
        seconds: wall time of the probe.
    """

    value: Any = None
    error: str | None = None
    raised: Sequence[str] = ()
    changed: Sequence[str] = ()
    kinds: Sequence[str] = ()
    afterwards: bool = False
    calls: Sequence[Call] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def error_type(self) -> str:
        """Name of the exception in `error`; "" where nothing went wrong."""
        return (self.error or "").partition(":")[0].strip()


@dataclass(frozen=True)
class Known:
    """A usual mistake as data: what is wrong, what a learner is told, and how its answers differ from the right ones.

    Args:
        concept, message: the verdict where it explains an answer.
        differs: for each instance the first part that is not the reference's (`Part.difference`), None where all are.
    """

    concept: str
    message: str
    differs: Sequence[dict[str, Any] | None]


@dataclass(frozen=True)
class Expected:
    """What the judge holds answers against: the reference's, one per instance, and the usual mistakes.

    The mistakes are made when somebody asks for them, and then once: who is right needs none.
    """

    answers: Sequence[Answer]
    mistakes: Callable[[], Sequence[Known]] = tuple

    @functools.cached_property
    def known(self) -> Sequence[Known]:
        """How the usual mistakes differ from the reference."""
        return self.mistakes()


@dataclass(frozen=True)
class Verdict:
    """What a judge says of one answer: score from 0 to 1, the concept that is wrong ("" when none is), and why."""

    score: float
    concept: str = ""
    message: str = ""

    @property
    def right(self) -> bool:
        """Full marks?"""
        return self.score >= 1.0


RIGHT = Verdict(1.0)


def fail(concept: str, message: str, score: float = 0.0) -> Verdict:
    """A verdict on a mistake, without points unless `score` says otherwise."""
    return Verdict(score, concept, message)


class Unacceptable(Exception):
    """Raised by helpers of a judge as soon as the verdict is clear."""

    def __init__(self, concept: str, message: str, score: float = 0.0) -> None:
        super().__init__(message)
        self.verdict = Verdict(score, concept, message)


class Exercise(ABC):
    """One exercise: problems, and how to drive the learner's code on them.

    Subclasses set `name` and `lesson`. The probe runs in the learner's process and knows no expected value. Who judges
    what comes back runs outside and sees plain data only: `values.ValueExercise` compares declared parts with the
    reference's; exercises of behaviour have a judge in `nas_lib.judges`.
    """

    name: str
    lesson: str
    changes: tuple[str, ...] = ()
    """What a call may change, as patterns of paths ("optimizer*", "model.*"); everything else is held (`holding`).

    An instance may have its own "changes": where bad input is to be refused before anything moves, none.
    """
    methods: tuple[str, ...] = ()
    """Of a class: the methods whose calls are held like a function's."""
    returns: str = ""
    """What the function returns, a key of `judging.RETURNS`; "" where the judge looks at it itself."""
    raises: tuple[str, ...] = ("ValueError",)
    """Classes of errors that refuse bad input, as the docstring names them; an instance may have its own "raises"."""
    has_reference: ClassVar[bool] = True
    """False where the judge needs no reference answer: nothing is computed or stored then."""
    none_is_answer: ClassVar[bool] = False
    """True where None, too, is for the judge to read."""

    @abstractmethod
    def instances(self, seed: int) -> list[Instance]:
        """The problems for this seed, simplest first; bad input last."""

    def oracle(self, instance: Instance) -> Oracle | None:
        """What answers the learner's calls of the objective on this instance; None where there is none."""
        return None

    @abstractmethod
    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """Drive the learner's `fn` on the public part of `instance`; return plain data."""

    def stored(self, value: Any) -> Any:
        """What is kept of the reference's answer for the notebook's check."""
        return value

    @property
    def false_fail(self) -> float:
        """How likely bad luck fails right code, at most; 0 where everything is exact."""
        return self._judge().false_fail

    def returned(self, value: Any) -> Any:
        """What the learner's function returned, out of what the probe made of it; None where that says nothing."""
        if type(value) is list and len(value) == 1:  # of a single call
            return self.returned(value[0])
        if type(value) is dict:
            return value.get("result")
        return value

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Judge an answer without error; `expected` is the reference's. May raise `Unacceptable`."""
        return self._judge().judge(instance, answer, expected)

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """Judge an answer with an error."""
        return self._judge().judge_error(instance, answer)

    def explained(
        self, instances: Sequence[Instance], answers: Sequence[Answer], expected: Expected
    ) -> dict[int, Verdict]:
        """Verdicts by place for answers that usual mistakes explain; empty where the judge says everything itself."""
        return {}

    def _judge(self) -> Any:
        from nas_lib.judges import judge_of  # absent where the learner's code is graded

        return judge_of(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.lesson}/{self.name}>"


def show(value: Any, limit: int = 70, quote: bool = True, digits: int = 6) -> str:
    """A value in a message: short, on one line, floats without noise."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if type(value) is float:
        text = f"{value:.{digits}g}"
    elif type(value) is list and value and all(type(item) in (int, float) for item in value):
        shown = [show(item, digits=digits) for item in value[:8]]
        text = f"[{', '.join(shown)}{', …' if len(value) > 8 else ''}]"
    else:
        text = repr(value) if quote else str(value)
    text = clean(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def clean(text: str) -> str:
    """Text as one printable line of bounded length."""
    line = " ".join(str(text).split())
    line = "".join(character for character in line if character.isprintable())
    return line if len(line) <= MESSAGE else line[: MESSAGE - 1] + "…"
