"""Wrong and right implementations of every exercise, by which the checks themselves are graded.

`kill_table(lesson)` grades them all: a mutant has to lose points and to get the message that names its
concept, an alternative has to keep all points. Instructors only: nothing here reaches learners.
"""

from autograder.mutants._registry import Row, Variant, alternative, kill_table, mutant, render, variants

__all__ = ["Row", "Variant", "alternative", "kill_table", "mutant", "render", "variants"]
