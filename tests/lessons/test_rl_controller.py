"""Lesson 03: the reference against autograd, enumeration and definitions, and what stands in for it."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import solutions
from autograder import samples
from autograder.grade import command
from nas_lib import checks
from nas_lib.spaces import CellSpace
from nas_lib.standins import STANDINS, standins

LESSON = solutions.load("03_rl_controller")
standins("03_rl_controller")
CHOICES = (("a", "b", "c"), (1,), (10, 20), ("k", "l", "m", "n"))
EVERYTHING = torch.tensor(list(itertools.product(*(range(len(options)) for options in CHOICES))))
REWARDS = st.lists(st.integers(-9, 9), min_size=1, max_size=12)
SHARES = st.fractions(0, 1, max_denominator=8)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def controller() -> Any:
    """In float64, away from its nearly uniform beginning."""
    torch.manual_seed(0)
    made = LESSON.Controller(CHOICES, hidden=8, embedding=5).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.5 * torch.randn(parameter.shape, generator=_generator(1), dtype=torch.float64)
    return made


# --- exact_policy_gradient ---


@pytest.mark.parametrize("seed", range(5))
def test_the_exact_gradient_is_that_of_autograd(seed: int) -> None:
    logits, rewards = torch.randn(2, 6, generator=_generator(seed), dtype=torch.float64) * 3
    leaf = logits.clone().requires_grad_()
    (torch.softmax(leaf, 0) @ rewards).backward()
    torch.testing.assert_close(LESSON.exact_policy_gradient(logits, rewards), leaf.grad)


def test_the_example_of_the_text() -> None:
    assert LESSON.exact_policy_gradient([0, 0], [1, 0]).tolist() == [0.25, -0.25]


def test_huge_logits_and_tensors_of_any_kind_are_fine() -> None:
    sure = LESSON.exact_policy_gradient(torch.tensor([900.0, -900.0], requires_grad=True), np.array([1, 2]))
    assert sure.tolist() == [0.0, 0.0] and sure.dtype == torch.float32


@pytest.mark.parametrize(
    ("logits", "rewards"),
    [
        ([0.0, 1.0], [1.0]),
        ([0.0], [1.0, 2.0]),
        ([], []),
        ([[0.0]], [[1.0]]),
        (0.0, 1.0),
        ([0.0, 1.0], [1.0, math.nan]),
    ],
)
def test_what_is_no_decision_is_refused(logits: Any, rewards: Any) -> None:
    with pytest.raises(ValueError, match="rewards"):
        LESSON.exact_policy_gradient(logits, rewards)


# --- reinforce_loss ---


def test_the_loss_by_its_definition_and_its_gradients() -> None:
    log_probs = torch.tensor([-1.0, -3.0], requires_grad=True)
    entropies = torch.tensor([2.0, 1.0], requires_grad=True)
    baseline = torch.tensor(1.0, requires_grad=True)
    loss = LESSON.reinforce_loss(log_probs, torch.tensor([3.0, 0.0]), baseline, entropies, 0.5)
    assert loss.item() == pytest.approx(-(2 * -1 + -1 * -3) / 2 - 0.5 * 1.5)
    loss.backward()
    assert log_probs.grad is not None and log_probs.grad.tolist() == [-1.0, 0.5]
    assert entropies.grad is not None and entropies.grad.tolist() == [-0.25, -0.25]
    assert baseline.grad is None


def test_its_expected_gradient_is_the_exact_one_whatever_the_baseline() -> None:
    logits = torch.randn(4, generator=_generator(), dtype=torch.float64)
    rewards = torch.randn(4, generator=_generator(1), dtype=torch.float64)
    exact = LESSON.exact_policy_gradient(logits, rewards)
    for baseline in (0.0, 5.0):
        total = torch.zeros(4, dtype=torch.float64)
        for action, chance in enumerate(torch.softmax(logits, 0)):
            leaf = logits.clone().requires_grad_()
            log_prob = leaf.log_softmax(0)[action : action + 1]
            none = torch.zeros(1, dtype=torch.float64)
            LESSON.reinforce_loss(log_prob, rewards[action : action + 1], baseline, none, 0.0).backward()
            assert leaf.grad is not None
            total -= chance * leaf.grad
        torch.testing.assert_close(total, exact)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"rewards": torch.tensor([1.0, math.nan])}, "rewards"),
        ({"rewards": torch.tensor([[1.0], [2.0]])}, "rewards"),
        ({"rewards": torch.tensor([1.0])}, "rewards"),
        ({"log_probs": -torch.ones(2, 2)}, "log_probs"),
        ({"log_probs": -torch.ones(1)}, "log_probs"),
        ({"entropies": torch.ones(3)}, "entropies"),
        ({"entropies": torch.ones(1)}, "entropies"),
        ({"baseline": torch.ones(2, 1)}, "baseline"),
        ({"baseline": torch.ones(1)}, "baseline"),
        ({"baseline": math.nan}, "baseline"),
    ],
)
def test_wrong_shapes_and_nan_are_refused_by_name(change: dict[str, Any], name: str) -> None:
    fine = {
        "log_probs": -torch.ones(2),
        "rewards": torch.ones(2),
        "baseline": 0.0,
        "entropies": torch.ones(2),
    }
    with pytest.raises(ValueError, match=name):
        LESSON.reinforce_loss(**(fine | change), entropy_weight=0.1)


# --- sequences of rewards ---


@given(rewards=REWARDS, decay=SHARES)
def test_the_moving_average_by_its_definition(rewards: list[int], decay: Fraction) -> None:
    found = LESSON.ema_baseline(rewards, float(decay))
    for t in range(len(rewards)):
        weighted = [(1 - decay) * decay ** (t - 1 - s) * rewards[s] for s in range(t)]
        assert found[t] == pytest.approx(float(sum(weighted)), abs=1e-9)


@given(rewards=REWARDS, gamma=SHARES)
def test_returns_by_their_definition(rewards: list[int], gamma: Fraction) -> None:
    array = np.array(rewards, dtype=float)
    found = LESSON.discounted_returns(array, float(gamma))
    for t in range(len(rewards)):
        exact = sum(gamma ** (s - t) * rewards[s] for s in range(t, len(rewards)))
        assert found[t] == pytest.approx(float(exact), abs=1e-9)
    np.testing.assert_array_equal(array, rewards)


def test_returns_outlast_the_powers_of_gamma() -> None:
    np.testing.assert_allclose(LESSON.discounted_returns(np.ones(5_000), 0.5)[:4_000], 2.0)


@pytest.mark.parametrize("name", ["ema_baseline", "discounted_returns"])
@pytest.mark.parametrize(
    ("rewards", "option", "said"),
    [
        ([1.0, math.nan], 0.5, "rewards"),
        ([math.inf], 0.5, "rewards"),
        ([], 0.5, "rewards"),
        ([[1.0, 2.0]], 0.5, "rewards"),
        (1.0, 0.5, "rewards"),
        ([1.0], 1.1, "1.1"),
        ([1.0], -0.1, "-0.1"),
        ([1.0], math.nan, "nan"),
    ],
)
def test_bad_sequences_and_options_are_refused(name: str, rewards: Any, option: float, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        getattr(LESSON, name)(rewards, option)


# --- Controller ---


def test_the_controller_is_one_distribution_over_the_space(controller: Any) -> None:
    assert controller.log_prob(EVERYTHING).exp().sum().item() == pytest.approx(1, abs=1e-12)


def test_samples_follow_the_log_probabilities_and_carry_them(controller: Any) -> None:
    actions, log_probs, entropies = controller.sample(20_000, _generator(2))
    torch.testing.assert_close(log_probs, controller.log_prob(actions))
    assert actions.dtype == torch.int64 and log_probs.requires_grad and entropies.requires_grad
    sizes = [len(options) for options in CHOICES]
    counts = np.bincount(np.ravel_multi_index(tuple(actions.T.numpy()), sizes), minlength=len(EVERYTHING))
    p = controller.log_prob(EVERYTHING).exp().detach().numpy()
    assert stats.chisquare(counts, 20_000 * p / p.sum()).pvalue > 1e-6
    # The mean of the entropies along samples is the entropy of the whole, up to the samples' noise.
    error = float(entropies.detach().std()) / math.sqrt(20_000)
    assert entropies.mean().item() == pytest.approx(-float(p @ np.log(p)), abs=5 * error)


def test_an_early_decision_changes_a_late_one(controller: Any) -> None:
    chances = controller.log_prob(EVERYTHING).exp().detach().reshape(3, 1, 2, 4)
    last = chances / chances.sum(-1, keepdim=True)  # p(last | all before)
    assert float((last[0, 0, 0] - last[1, 0, 0]).abs().max()) > 1e-3


def test_numbers_of_options_and_the_cell_space_will_do_as_choices() -> None:
    assert LESSON.Controller([3, 1, 2, 4]).sizes == LESSON.Controller(CHOICES).sizes == [3, 1, 2, 4]
    space = CellSpace()
    actions, _, entropies = LESSON.Controller(space.choices).sample(3, _generator())
    assert actions.shape == (3, 6) and float(entropies.detach().mean()) == pytest.approx(
        6 * math.log(5), abs=0.1
    )


@pytest.mark.parametrize("choices", [(), (("a",), ())])
def test_a_controller_needs_options(choices: Any) -> None:
    with pytest.raises(ValueError, match="choices"):
        LESSON.Controller(choices)


def test_bad_calls_of_a_controller_are_refused(controller: Any) -> None:
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        controller.sample(0, _generator())
    for rows in ([[0, 0, 0]], [[0] * 5], [0] * 4, [[[0]] * 4], [[0, 0, 2, 0]], [[0, -1, 0, 0]]):
        with pytest.raises(ValueError, match="actions"):
            controller.log_prob(torch.tensor(rows))


def test_reinforce_with_these_parts_climbs_to_the_best_of_a_small_space(controller: Any) -> None:
    rewards = torch.arange(len(EVERYTHING), dtype=torch.float64)
    optimizer, generator, means = torch.optim.Adam(controller.parameters(), lr=0.02), _generator(), []
    for _ in range(150):
        actions, log_probs, entropies = controller.sample(16, generator)
        numbers = np.ravel_multi_index(tuple(actions.T.numpy()), [len(options) for options in CHOICES])
        means.append(float(rewards[numbers].mean()))
        baseline = LESSON.ema_baseline(means, 0.9)[-1]
        loss = LESSON.reinforce_loss(log_probs, rewards[numbers], baseline, entropies, 0.01)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert np.mean(means[-10:]) > 0.9 * float(rewards.max()) > np.mean(means[:10])


# --- what stands in ---


def test_what_stands_in_agrees_with_the_references() -> None:
    stand_in = {name: one.function for name, one in STANDINS.items()}
    logits, rewards = torch.randn(2, 5, generator=_generator(), dtype=torch.float64)
    for name, arguments in (
        ("exact_policy_gradient", (logits, rewards)),
        ("reinforce_loss", (-logits.abs(), rewards, 0.3, logits.abs(), 0.2)),
        ("reinforce_loss", (-logits.abs(), rewards, logits, logits.abs(), 0.2)),
        ("ema_baseline", (rewards, 0.7)),
        ("discounted_returns", (rewards, 0.7)),
    ):
        np.testing.assert_allclose(stand_in[name](*arguments), getattr(LESSON, name)(*arguments))
    options, log_probs, _ = stand_in["Controller"](CHOICES).sample(4, _generator())
    assert options.shape == (4, 4) and log_probs.shape == (4,)


@pytest.mark.parametrize(
    "name", ["exact_policy_gradient", "reinforce_loss", "ema_baseline", "Controller", "discounted_returns"]
)
def test_what_stands_in_is_switched_off_while_it_would_be_an_answer(name: str) -> None:
    item = checks.exercise(name)
    verdict = checks.grade(item, checks.InProcess({name: STANDINS[name].function}), LESSON, seed=5)
    assert verdict.score == 0 and verdict.concept == "uses-the-library"


def test_the_check_leaves_torch_as_it_was() -> None:
    torch.set_default_dtype(torch.float32)
    checks.grade(checks.exercise("Controller"), checks.InProcess(LESSON), LESSON, seed=3)
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.slow
@pytest.mark.usefixtures("sandboxed")
def test_the_samples_earn_what_they_should_in_the_sandbox(tmp_path: Path) -> None:
    """A class, backward passes in forks and torch's import, all through grading as an instructor starts it."""
    submissions = samples.write(tmp_path / "submissions", "03_rl_controller")
    grades = command.grade(submissions, "03_rl_controller", tmp_path / "course", jobs=1, progress=False)
    assert {row.student: row.points for row in grades.rows} == samples.earned("03_rl_controller")
