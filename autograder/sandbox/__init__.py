"""The learner's process, shut in: takes the cells to run, and gives the answers that exercises' probes got.

What comes back is data of unknown worth, and no expected value is known here: comparing is `judge`'s part.
"""
