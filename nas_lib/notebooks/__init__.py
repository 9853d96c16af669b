"""A learner's notebooks as files: which cell is which, what is unfinished, handing in, and a newer release.

The grader knows cells by the same rules. Nothing here earns points, and nothing is needed where lessons run.
"""
