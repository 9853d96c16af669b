"""Guesses before an experiment: a learner writes one down, and sees it beside the result.

Nothing here is graded or stored: a guess stands in its cell and nowhere else, and every lesson runs without one.
"""

from __future__ import annotations

import math
import numbers
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, repr=False)
class Prediction:
    """A question, and what the learner expects. Made by `predict`.

    Args:
        question: what was asked.
        guess: a finite number, one of the options, or None.
        unit: of a number, as printed behind it.
    """

    question: str
    guess: float | str | None = None
    unit: str = ""

    @property
    def value(self) -> float | None:
        """The guess where it is a number, for a line in a figure (`nas_lib.plotting.guess`)."""
        return None if isinstance(self.guess, str) else self.guess

    def beside(self, result: float | str) -> None:
        """Print the guess beside the result, which is a number in the unit of the guess, or an option.

        Raises:
            ValueError: it is neither.
        """
        guessed = "no guess" if self.guess is None else f"you said {self._shown(self.guess)}"
        print(f"{self.question} {guessed}; result: {self._shown(result)}")

    def _shown(self, value: float | str) -> str:
        try:
            text = value if isinstance(value, str) else f"{float(value):,.4g}"
        except (TypeError, ValueError, RuntimeError, OverflowError):
            raise ValueError(f"result must be a number or an option, got {value!r}") from None
        return f"{text} {self.unit}".rstrip()

    def __repr__(self) -> str:
        return f"<Prediction: {self.question}>"


def _finite(guess: Any) -> float | None:
    """The guess as a finite number; None where it is none, or too large to be one."""
    if isinstance(guess, bool) or not isinstance(guess, numbers.Real):
        return None
    try:
        number = float(guess)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def predict(question: str, guess: Any = ..., *, options: Sequence[str] = (), unit: str = "") -> Prediction:
    """Ask a learner for a guess, before the experiment that answers it.

    A guess that cannot be read is said in one printed sentence and counts as none: nobody's notebook stops here.

    Args:
        question: ends with "?".
        guess: what the learner writes in place of `...`: a number, or one of the options.
        options: what may be answered; none where a number is asked for.
        unit: of the number.

    Raises:
        ValueError: the question is no question.
    """
    if not isinstance(question, str) or not question.endswith("?"):
        raise ValueError(f"question must end with a question mark, got {question!r}")
    wanted = f"one of {', '.join(map(repr, options))}" if options else "a number"
    hint = f"Write {wanted} in place of ... and run this cell; or go on without."
    if guess is ... or guess is None:
        print(f"Guess: {question} {hint}")
        return Prediction(question, None, unit)
    if options:
        read: float | str | None = guess if isinstance(guess, str) and guess in options else None
    else:
        read = _finite(guess)
    made = Prediction(question, read, unit)
    said = f"Not {reprlib.repr(guess)}. {hint}" if read is None else f"You say {made._shown(read)}."
    print(f"Guess: {question} {said}")
    return made
