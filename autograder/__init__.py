"""The instructor's side of the course: building the notebooks, verifying lessons, grading submissions,
releasing.

Nothing imports this package: learners get along without it, and `nas-course` shows its commands only where it
is found.
"""
