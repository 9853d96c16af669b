"""What both judges count: verdicts on what is random, and decisions that differ."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from nas_lib.checks.exercise import Verdict, fail
from nas_lib.judges.statistics import count_range

ALPHA = 2e-9  # how likely one count of right code leaves its range


def count_verdict(
    times: int, n: int, p: float, concept: str, what: str, most: float | None = None
) -> Verdict | None:
    """A verdict where a count of n independent events of mean chance p is out of all proportion.

    The chances may differ: the spread is largest where they are equal (Hoeffding 1956). Of events that depend on those
    before, the chance lies between p and `most`, whatever came before.
    """
    if count_range(n, p, ALPHA)[0] <= times <= count_range(n, p if most is None else most, ALPHA)[1]:
        return None
    return fail(concept, f"{what} in {times} of {n} cases, about {n * p:.0f} expected")


def differences(a: Sequence[Any], b: Sequence[Any]) -> int:
    """In how many decisions two architectures differ."""
    return sum(map(operator.ne, a, b))
