"""Names that several checks of lesson 02 use."""

from __future__ import annotations

LESSON = "02_evolution_and_early_stopping"
NAN, INFINITY = float("nan"), float("inf")
