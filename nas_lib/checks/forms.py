"""Arguments in the forms in which learners' functions have to take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def given(values: Sequence[float], form: str) -> Any:
    """A sequence of numbers as the learner's function gets it: form is "array", "tuple" or "list"."""
    if form == "array":
        return np.array(values)
    return tuple(values) if form == "tuple" else list(values)
