"""The corpus: submissions that attack, break or merely surprise the grader, and what is right for each.

Each case is data: a name, what it changes in a lesson's notebook, what it should earn, and what its author
should be told. They are made from any lesson's student notebook and graded by the real `grade.command.grade`, beside
honest classmates; then it is looked for harm (`harm`). `nas-course corpus` prints the table.
"""

from __future__ import annotations

from autograder.corpus._cases import Case, Earns, Sheet
from autograder.corpus.run import Outcome, archives, cases, line, run, summary

__all__ = ["Case", "Earns", "Outcome", "Sheet", "archives", "cases", "line", "run", "summary"]
