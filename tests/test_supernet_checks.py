"""What the check of lesson 05's search rests on; the rest of its checks stands before the gates of all lessons."""

from __future__ import annotations

import numpy as np
import pytest
from nas_lib.checks._core import roundtrip

import solutions
from autograder.gate.registry import variants
from nas_lib.checks import InProcess
from nas_lib.checks.supernet import EvolveUnderConstraint

REFERENCE = solutions.load("05_supernet")


@pytest.mark.slow
def test_right_searches_stay_far_above_the_threshold_of_selection():
    """What `false_fail` of evolve_under_constraint stands on: the share of the way to the best, over many seeds."""
    item = EvolveUnderConstraint()
    right = [REFERENCE.evolve_under_constraint] + [
        one.make(REFERENCE) for one in variants(item.name) if not one.is_mutant
    ]
    shares = []
    for seed in range(60):
        instance = roundtrip(item.instances(seed)[0])
        for fn in right:
            (answer,) = InProcess({item.name: fn}).collect(item, item.name, [instance])
            shares.append(item.share_of(instance, answer))
    assert min(shares) > 2 * item.SHARE, np.quantile(shares, [0, 0.01, 0.1, 0.5])
