"""Judges of lesson 02: searches, by the log of their evaluations.

It tells where a climb stood and which parents a child can have. What is random is judged by counts; bad luck fails
right code with probability at most `false_fail`:

    hill_climb               35 counts (starts, orders, restarts), 2e-9 each      0.7e-7
    regularized_evolution    58 counts (first members, parents), 2e-9 each        1.2e-7

A decision that no mutation meets by chance adds less than 1e-10. The bounds are proven
(`statistics`): no simulation enters.
"""

from nas_lib.judges.evolution_and_early_stopping import evolution, hill_climb

__all__ = ["evolution", "hill_climb"]
