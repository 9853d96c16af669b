"""Judges of lesson 07: which points a grid search tries, what augmentation makes, and which images a block drops.

Right code fails by bad luck with probability at most `false_fail`: 5e-10 for each count (`statistics`).
"""

from nas_lib.judges.compound_scaling import blocks, grid_search, mixup, rand_augment

__all__ = ["blocks", "grid_search", "mixup", "rand_augment"]
