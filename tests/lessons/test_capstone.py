"""Lesson 09: the references against definitions and each other, and the samples' grades."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import solutions
from autograder import samples
from autograder.grade import command
from nas_lib.benchmark import TABLE_PATH, TabularBenchmark
from nas_lib.networks import count_macs
from nas_lib.spaces import OPS, CellSpace
from nas_lib.standins import capstone as standins

LESSON = solutions.load("09_capstone")


def test_missing_the_target_costs_the_same_in_both_directions():
    assert LESSON.absolute_reward(90.0, 120, 100, -10) == pytest.approx(88)
    assert LESSON.absolute_reward(90.0, 80, 100, -10) == pytest.approx(88)
    assert LESSON.absolute_reward(90.3, 50, 100, -10) < LESSON.absolute_reward(90.0, 100, 100, -10)


def test_masks_are_what_a_smaller_layer_computes():
    layer = torch.nn.Linear(5, 6)
    x = torch.randn(2, 4, 5)
    found = LESSON.masked_linear(x, layer.weight, layer.bias, 4)
    small = torch.nn.functional.linear(x, layer.weight[:4], layer.bias[:4])
    torch.testing.assert_close(found[..., :4], small)
    assert found.shape == (2, 4, 6) and found[..., 4:].abs().sum() == 0
    values = torch.randn(3, 4, 2, 5)
    heads = LESSON.masked_heads(values, 3)
    assert torch.equal(heads[:, :3], values[:, :3]) and heads[:, 3:].abs().sum() == 0


def test_the_warm_up_is_a_line():
    found = [LESSON.warmup_probability(step, 200) for step in (0, 50, 100, 199, 200, 5000)]
    assert found == pytest.approx([1, 0.75, 0.5, 0.005, 0, 0])


class Noting:
    """Notes what it is asked for."""

    def __init__(self, rewards):
        self.rewards, self.calls = iter(rewards), []

    def sample(self):
        self.calls.append("sample")
        return "arch"

    def train(self, arch):
        self.calls.append(("train", arch))

    def score(self, arch):
        self.calls.append("score")
        return next(self.rewards)

    def learn(self, arch, advantage):
        self.calls.append(("learn", round(advantage, 9)))


@pytest.mark.parametrize("loop", [LESSON.interleaved_search, standins.interleaved_search])
def test_the_example_of_the_lesson(loop):
    search = Noting([60.0, 70.0, 70.0])
    rewards = loop(4, lambda step: float(step == 0), 1, search, 0.9, np.random.default_rng(0))
    assert list(rewards) == [60.0, 70.0, 70.0]
    assert search.calls == [
        *("sample", ("train", None)),
        *("sample", ("train", "arch"), "score", ("learn", 0.0)),
        *("sample", ("train", "arch"), "score", ("learn", 10.0)),
        *("sample", ("train", "arch"), "score", ("learn", 9.0)),
    ]


def test_macs_add_up_over_edges_which_is_the_bound_of_the_lesson():
    space, none = CellSpace(), ("none",) * 6
    base = count_macs(none)
    edges = [[count_macs((*none[:e], op, *none[e + 1 :])) - base for op in OPS] for e in range(6)]
    assert min(map(min, edges)) == 0
    for seed in range(50):
        cell = space.sample(np.random.default_rng(seed))
        assert count_macs(cell) == base + sum(edges[e][OPS.index(op)] for e, op in enumerate(cell))


@pytest.mark.skipif(not TABLE_PATH.exists(), reason="the table has not been built")
def test_the_soft_reward_forgets_its_target_and_the_absolute_one_does_not():
    table = TabularBenchmark.load()
    macs, accuracy = table.macs.astype(float), table.final("valid")
    soft, absolute = set(), []
    for target in (200_000, 400_000, 600_000):
        soft.add(int(np.argmax(accuracy * (macs / target) ** -0.07)))
        absolute.append(macs[np.argmax(LESSON.absolute_reward(accuracy, macs, target, -20.0))] / target)
    assert len(soft) == 1 and np.allclose(absolute, 1, atol=0.07)


@pytest.mark.slow
@pytest.mark.usefixtures("sandboxed")
def test_the_samples_are_graded_as_they_are_meant(tmp_path):
    submissions = samples.write(tmp_path / "submissions", "09_capstone")
    grades = command.grade(submissions, "09_capstone", tmp_path / "course", jobs=1, progress=False)
    assert {row.student: row.points for row in grades.rows} == samples.earned("09_capstone")
