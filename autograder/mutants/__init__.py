"""Wrong and right implementations of every exercise, by which the checks themselves are graded.

A mutant has to lose points and to get the message that names its concept, an alternative has to keep all points:
`gate` registers and tries them. Instructors only: nothing here reaches learners.
"""
