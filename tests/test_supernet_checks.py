"""Lesson 05's checks against the references of its draft: right code passes, each mistake is named, none for another.

The lesson is not in the registry yet, so the gates that go by the registry do not see these exercises.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import solutions
from autograder.mutants import _registry, supernet  # noqa: F401  (registers the variants)
from autograder.mutants.concepts import speaks_of
from nas_lib.checks import InProcess, grade
from nas_lib.checks._core import roundtrip
from nas_lib.checks.supernet import EXERCISES, EvolveUnderConstraint

REFERENCE = solutions.load("05_supernet", Path(solutions.FOLDER) / "drafts")
BY_NAME = {item.name: item for item in EXERCISES}
SIGNATURES = {
    "sample_path": ("choices", "rng"),
    "fair_paths": ("choices", "rng"),
    "train_single_path_step": ("supernet", "batch", "optimizer", "path"),
    "recalibrate_bn": ("supernet", "path", "batches"),
    "rank_correlation": ("scores", "truth", "top"),
    "evolve_under_constraint": ("evaluate", "cost", "limit", "space", "budget", "population", "rng"),
    "slice_kernel": ("weight", "size", "transform"),
    "slice_width": ("weight", "width", "importance"),
    "progressive_shrinking_schedule": ("step", "phases"),
    "distillation_loss": ("student", "teacher", "labels", "temperature", "weight"),
}

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # wrong answers divide by zero


def variants(name: str) -> list[_registry.Variant]:
    return _registry._VARIANTS[name]


@pytest.mark.parametrize("name", BY_NAME)
def test_the_references_have_the_binding_signatures(name):
    code = getattr(REFERENCE, name).__code__
    assert code.co_varnames[: code.co_argcount] == SIGNATURES[name]
    assert set(SIGNATURES) == set(BY_NAME)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_reference_gets_full_marks(name):
    for seed in range(4):
        verdict = grade(BY_NAME[name], InProcess(REFERENCE), REFERENCE, seed)
        assert verdict.right, (seed, verdict)


@pytest.mark.parametrize("name", BY_NAME)
def test_every_mutant_is_told_its_own_mistake_and_every_alternative_passes(name):
    rows = [_registry.grade_variant(BY_NAME[name], one, (101, 202), REFERENCE) for one in variants(name)]
    assert [(row.variant.name, row.concepts, row.messages) for row in rows if not row.holds] == []
    mutants = [row for row in rows if row.variant.is_mutant]
    assert len(mutants) >= 5 and len(rows) - len(mutants) >= 2
    for row in mutants:
        others = {other.variant.concept for other in mutants} - {row.variant.concept}
        named = [other for other in others for message in row.messages if speaks_of(message, other)]
        assert named == [], row.messages


@pytest.mark.parametrize("name", BY_NAME)
def test_a_stub_is_not_implemented_and_nonsense_gets_nothing(name):
    def stub(*args, **kwargs):
        raise NotImplementedError

    verdict = grade(BY_NAME[name], InProcess({name: stub}), REFERENCE, 0)
    assert (verdict.score, verdict.concept) == (0.0, "not-implemented")
    for value in (None, 0.5, "text", [], {}, [[1]], {"rows": 1}, float("nan"), True):
        assert grade(BY_NAME[name], InProcess({name: lambda *a, **k: value}), REFERENCE, 0).score == 0.0  # noqa: B023


@pytest.mark.parametrize("name", BY_NAME)
def test_instances_follow_from_the_seed_and_are_plain_data(name):
    one, same, other = (BY_NAME[name].instances(seed) for seed in (5, 5, 6))
    assert repr(roundtrip(one)) == repr(roundtrip(same)) != repr(roundtrip(other))


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
