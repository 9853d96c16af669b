"""Wrong and right implementations of every exercise, by which the checks themselves are graded.

A mutant has to lose points and to get the message that names its concept, an alternative has to keep all points:
`report.of_lesson` tries them all, with machine-made mutants of the references if asked. Instructors only: nothing
here reaches learners.
"""

from autograder.mutants._registry import Row, alternative, kill_table, mutant, variants
from autograder.mutants.concepts import says

__all__ = ["Row", "alternative", "kill_table", "mutant", "says", "variants"]
