"""Submissions on their way in: from whatever a learning platform or a student made of them to one notebook each.

Takes a folder or a zip that strangers wrote and gives, for each student, a notebook or one sentence that says why there
is none. Nothing is run or rendered here. Its entry is `find`.
"""

from autograder.intake.search import Collection, find
from autograder.intake.submission import Submission

__all__ = ["Collection", "Submission", "find"]
