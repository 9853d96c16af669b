"""What the checks of functions of a few numbers have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.random import default_rng

from nas_lib.checks._core import (
    RIGHT,
    Answer,
    Exercise,
    Instance,
    Verdict,
    raised,
    show,
)
from nas_lib.checks._forms import fail, integers, number, rows
from nas_lib.checks._mistakes import close

Rule = tuple[str, Callable[..., float], str]
"""The concept of a usual mistake, what it gives for the same arguments, and what to say."""


class OfNumbers(Exercise):
    """A function of a few numbers: several calls per instance, and the mistake that explains all of them."""

    whole = True

    def problems(self, rng: np.random.Generator) -> list[tuple[str, list[list[Any]]]]:
        """(what is special, argument lists) of the instances."""
        raise NotImplementedError

    def bad(self) -> list[tuple[str, list[Any]]]:
        """(phrase, arguments) of bad input."""
        raise NotImplementedError

    def mistakes(self) -> Sequence[Rule]:
        """The usual ones, the most telling first."""
        raise NotImplementedError

    def instances(self, seed: int) -> list[Instance]:
        """The problems, and bad input."""
        rng = default_rng(seed)
        return [
            *({"calls": calls} | ({"about": about} if about else {}) for about, calls in self.problems(rng)),
            *({"bad": phrase, "calls": [call]} for phrase, call in self.bad()),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """One answer per call."""
        if "bad" in instance:
            return raised(lambda: fn(*instance["calls"][0]))
        return [fn(*call) for call in instance["calls"]]

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Exact, up to rounding where the result is no whole number."""
        calls = instance["calls"]
        right = [float(one) for one in expected.value]
        are_ints = True
        if self.whole:
            values, are_ints = integers(answer.value, len(calls), self.name)
            found: list[float] = list(map(float, values))
        else:
            found = [number(one, self.name) for one in rows(answer.value, len(calls), self.name)]
        if close(found, right):
            if are_ints:
                return RIGHT
            return fail("not-an-int", f"{show(found[0])} is right, but a float: return an int", 0.5)
        for concept, rule, message in self.mistakes():
            told = [rule(*call) for call in calls]
            if not close(told, right) and close(found, told):
                return fail(concept, message)
        at = next(i for i, pair in enumerate(zip(found, right)) if not close(*pair))
        about = f" ({instance['about']})" if instance.get("about") else ""
        arguments = ", ".join(show(one) for one in calls[at])
        return fail(
            "wrong-result-of-scaling",
            f"{self.name}({arguments}) is {show(found[at])}, should be {show(right[at])}{about}",
        )
