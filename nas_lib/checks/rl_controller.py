"""Checks of lesson 03: the exact policy gradient, REINFORCE's loss, its baseline, returns, and the controller.

The functions are compared with the reference, gradients included. A controller is judged by what it does and not
by how it is built: on spaces so small that every architecture can be listed, its log-probabilities must be
those of one distribution, their gradient must be the slope of what they say, entropies and samples must belong
to that distribution, and each decision must depend on all earlier ones. Right samples fail by bad luck with
probability at most `false_fail`: at most 107 counts of architectures and options, 8 of equal rows and
4 means, 2e-9 each (`_stats`). Everything else is exact up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from nas_lib.checks._mistakes import Mistake, close, first_mistake, raised
from nas_lib.checks.codec import NotPlainData, describe
from nas_lib.checks.exercise import RIGHT, Answer, Exercise, Instance, Unacceptable, Verdict, fail, show
from nas_lib.checks.judging import BAD_INPUT, error_verdict
from nas_lib.checks.nets import double_precision
from nas_lib.checks.questions import ConceptQuestion
from nas_lib.checks.registry import register
from nas_lib.judges.reading import column, is_number, scalar
from nas_lib.judges.statistics import count_range, mean_range

# torch is imported where it is used: looking an exercise up by its name imports the checks of all lessons.

LESSON = "03_rl_controller"
_ALPHA = 2e-9

Array = NDArray[np.float64]


def _floats(rng: np.random.Generator, size: int, low: float, high: float) -> list[float]:
    return [round(float(value), 3) for value in rng.uniform(low, high, size)]


# ----------------------------------------------------------------------------- one decision, by enumeration


class ExactPolicyGradient(Exercise):
    """`exact_policy_gradient(logits, rewards)`: exact values; the usual mistakes by what they give."""

    name, lesson = "exact_policy_gradient", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """Two to seven options, rewards around 0 and far from it, one option, logits that exp cannot take, lists;
        bad ones."""
        rng = default_rng(seed)
        k = int(rng.integers(4, 8))
        huge = [900.0, 898.5, 897.0, -900.0]
        rng.shuffle(huge)
        nan = _floats(rng, 4, 50, 90)
        nan[int(rng.integers(4))] = float("nan")
        return [
            {"logits": _floats(rng, k, -2, 2), "rewards": _floats(rng, k, -3, 3)},
            {
                "logits": _floats(rng, 3, -1, 1),
                "rewards": _floats(rng, 3, 60, 95),
                "about": "rewards of 60 to 95",
            },
            {"logits": _floats(rng, 2, -3, 3), "rewards": _floats(rng, 2, -1, 1), "about": "two options"},
            {"logits": huge, "rewards": _floats(rng, 4, 0, 5), "about": "logits of ±900"},
            {"logits": _floats(rng, 1, -3, 3), "rewards": _floats(rng, 1, 1, 5), "about": "a single option"},
            {
                "logits": _floats(rng, 4, -2, 2),
                "rewards": _floats(rng, 4, -3, 3),
                "lists": True,
                "about": "lists",
            },
            {"bad": "more logits than rewards", "logits": [0.5, 1.0, -1.0], "rewards": [1.0]},
            {"bad": "more rewards than logits", "logits": [0.5], "rewards": [1.0, 2.0, 4.0]},
            {"bad": "a reward of NaN", "logits": _floats(rng, 4, -1, 1), "rewards": nan},
            {"bad": "no options at all", "logits": [], "rewards": []},
            {"bad": "a pair of numbers", "logits": 0.5, "rewards": 1.0},
            {"bad": "a pair of matrices", **{key: np.eye(3).tolist() for key in ("logits", "rewards")}},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The gradient for two float64 tensors, or two lists."""
        import torch

        given = [instance[key] for key in ("logits", "rewards")]
        if not instance.get("lists"):
            given = [torch.tensor(one, dtype=torch.float64) for one in given]
        return raised(lambda: fn(*given)) if "bad" in instance else fn(*given)

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Exact; a tensor, an array or a list will do."""
        logits, rewards = (np.array(instance[key], dtype=float) for key in ("logits", "rewards"))
        right = column(expected.value, len(logits), self.name)
        value = answer.value
        if isinstance(value, np.ndarray) and value.shape == (len(logits), len(logits)) and len(logits) > 1:
            return fail(
                "jacobian",
                "this is a matrix of derivatives: the expected reward is one number, so its "
                f"gradient has one entry per logit, {len(logits)} of them",
            )
        if is_number(scalar(value)) and len(logits) > 1:
            return fail(
                "value-not-gradient", "one number came back: the gradient has an entry for each logit"
            )
        found = column(value, len(logits), self.name)
        # What is made of a list may well be float32, torch's default.
        if close(found, right, 1e-5 if instance.get("lists") else 1e-9):
            return RIGHT
        if not np.isfinite(found).all():
            return fail(
                "overflow",
                f"with logits of {show(logits)} the gradient is {show(found)}: exp overflows above 709. "
                "Subtract the largest logit first, or let torch.softmax do it",
            )
        chances = np.exp(logits - logits.max())
        chances /= chances.sum()
        mean = float(chances @ rewards)
        mistakes: list[Mistake] = [
            (
                -right,
                "wrong-sign",
                "the sign is reversed: this is the way down. The gradient of the expected "
                "reward points to *better* options",
            ),
            (
                chances * rewards,
                "no-expected-reward",
                "p·r is what each option contributes to the expected "
                "reward. But raising one logit takes probability from all the others: the softmax couples them",
            ),
            (
                rewards - mean,
                "no-probability",
                "r − E[r] misses a factor: an option that is rarely chosen moves the expected reward little",
            ),
            (
                rewards,
                "by-probability",
                "this is the derivative by the *probabilities*; asked for is the one "
                "by the logits, through the softmax",
            ),
            (
                chances * (rewards - rewards.mean()),
                "wrong-mean",
                "the reward is compared with the plain mean "
                "of the rewards: take the mean under the policy, Σ p·r",
            ),
            (
                chances * (1 - chances) * rewards,
                "diagonal-only",
                "only the diagonal of the softmax's "
                "derivative is used: logit i also changes the probability of every other option j, by −p_i·p_j",
            ),
            (
                np.full(len(logits), mean),
                "value-not-gradient",
                "this is the expected reward, not its gradient",
            ),
            (
                right / len(logits),
                "divided",
                "the expectation is a sum over options weighted by p: "
                "nothing has to be divided by their number",
            ),
        ]
        total = float(found.sum())
        hint = "" if close(total, 0.0, 1e-6) else f"; its entries add up to 0, yours to {show(total)}"
        return first_mistake(found, right, mistakes) or fail(
            "wrong-gradient",
            f"for logits {show(logits)} and rewards {show(rewards)} the gradient is {show(right)}, "
            f"not {show(found)}{hint}",
        )

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """Where all that is missing is a word for lists, that costs a part."""
        if instance.get("lists") and answer.error_type in ("AttributeError", "TypeError"):
            return fail(
                "tensors-only",
                f"any sequence will do, so begin with torch.as_tensor: two lists end in {answer.error}",
                1 - BAD_INPUT,
            )
        return error_verdict(instance, answer)


# ------------------------------------------------------------------------------------------------- the loss


class ReinforceLoss(Exercise):
    """`reinforce_loss(...)`: the loss and its gradients, also where rewards and baseline could carry one."""

    name, lesson = "reinforce_loss", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """Batches of 1 to 9; a baseline per batch or per sample; weights from 0 up; a learned baseline."""
        rng = default_rng(seed)

        def case(n: int, **given: Any) -> Instance:
            return {
                "log_probs": _floats(rng, n, -9, -0.5),
                "rewards": _floats(rng, n, 55, 95),
                "baseline": round(float(rng.uniform(60, 90)), 3),
                "entropies": _floats(rng, n, 0.5, 8),
                "weight": round(float(rng.uniform(0.2, 3)), 3),
                **given,
            }

        n = int(rng.integers(4, 7))
        nan = _floats(rng, n, 55, 95)
        nan[int(rng.integers(n))] = float("nan")
        square = [_floats(rng, n, -2, -0.5) for _ in range(n)]
        names = ("log_probs", "rewards", "entropies")
        numbers, columns = dict.fromkeys(names, 2.0), {name: [[2.0]] * n for name in names}
        return [
            case(n + 2),
            case(n + 1, weight=0.0, about="an entropy weight of 0"),
            case(n, baseline=_floats(rng, n, 60, 90), about="a baseline for each sample"),
            case(
                n + 3, baseline=_floats(rng, n + 3, 60, 90), learned=True, about="a baseline with parameters"
            ),
            case(1, about="a single sample"),
            case(n, bad="a reward of NaN", rewards=nan),
            case(n, bad=f"rewards of shape ({n}, 1)", rewards=[[one] for one in _floats(rng, n, 55, 95)]),
            case(n, bad=f"log_probs of shape ({n}, {n}), one per decision,", log_probs=square),
            case(n, bad="an entropy too many", entropies=_floats(rng, n + 1, 1, 8)),
            case(n, bad="an entropy too few", entropies=_floats(rng, n - 1, 1, 8)),
            case(n, bad=f"one log-probability for {n} rewards", log_probs=[-2.5]),
            case(n, bad=f"one reward for {n} samples", rewards=[70.0], entropies=[2.0]),
            case(n, bad=f"a baseline of shape ({n}, 1)", baseline=[[one] for one in _floats(rng, n, 55, 95)]),
            case(n, bad=f"log_probs, rewards and entropies of shape ({n}, 1)", **columns),
            case(n, bad="one number each for log_probs, rewards and entropies", **numbers),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The loss and what arrives where after backward()."""
        import torch

        def tensor(key: str, grad: bool) -> Any:
            return torch.tensor(instance[key], dtype=torch.float64, requires_grad=grad)

        learned = bool(instance.get("learned"))
        log_probs, entropies = tensor("log_probs", True), tensor("entropies", True)
        rewards = tensor("rewards", learned)
        number = isinstance(instance["baseline"], float)
        baseline = instance["baseline"] if number else tensor("baseline", learned)

        def call() -> Any:
            return fn(log_probs, rewards, baseline, entropies, instance["weight"])

        if "bad" in instance:
            return raised(call)
        loss = call()
        if isinstance(loss, torch.Tensor) and loss.requires_grad:
            loss.sum().backward()
        leaves = {"log_probs": log_probs, "entropies": entropies, "rewards": rewards, "baseline": baseline}
        return {"loss": loss} | {name: getattr(leaf, "grad", None) for name, leaf in leaves.items()}

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """The loss first, then what each gradient is."""
        n, found, right = len(instance["log_probs"]), answer.value, expected.value
        loss, wanted = _scalar(found["loss"], n), float(right["loss"])
        if found["log_probs"] is None:
            return fail(
                "no-gradient",
                "no gradient arrives at log_probs, so that nothing would be learned: compute with the tensor "
                "itself (no .detach(), .item() or float() on it) and return a tensor",
            )
        pull, push = _gradient(found["log_probs"], n), _gradient(found["entropies"], n)
        right_pull, right_push = _gradient(right["log_probs"], n), _gradient(right["entropies"], n)
        # One part is right where the mistake is in the other.
        verdict = self._of_the_reward(instance, pull, right_pull) or self._of_the_entropy(push, right_push, n)
        if verdict:
            return verdict
        if any(
            np.abs(_gradient(found[name], n)).max() > 1e-12
            for name in ("rewards", "baseline")
            if found[name] is not None
        ):
            return fail(
                "gradient-through-the-advantage",
                "a gradient runs through R − b: where the baseline has parameters, the policy's loss would "
                "train them to make the loss small. Detach R − b",
            )
        if not close(loss, wanted):
            return fail(
                "wrong-loss",
                f"the gradients are right, the loss is not: {show(loss)} instead of {show(wanted)}",
            )
        return RIGHT

    @staticmethod
    def _of_the_reward(instance: Instance, pull: Array, right: Array) -> Verdict | None:
        """What is wrong with the gradient by log_probs; None if nothing is."""
        if close(pull, right):
            return None
        n = len(right)
        b = np.broadcast_to(np.array(instance["baseline"], dtype=float), n) / n
        r = np.array(instance["rewards"]) / n
        advantage = r - b
        mistakes: list[Mistake] = [
            (
                -right,
                "wrong-sign",
                "the sign is reversed: optimisers go *down* the loss, so that good "
                "architectures would become less likely. Mind the minus in front of the mean",
            ),
            (
                n * right,
                "sum-not-mean",
                "this is the sum over the batch, not the mean: the step would grow with the batch",
            ),
            (
                right - b,
                "no-baseline",
                "the baseline is not subtracted: every reward is positive, so that "
                "every sample is made more likely",
            ),
            (right - 2 * b, "adds-the-baseline", "the baseline is added instead of subtracted"),
            (n * (right - b), "no-baseline", "the baseline is not subtracted, and the sum is not a mean"),
            (
                b - r.mean() + 0 * r,
                "mean-before-product",
                "the mean is taken of R − b alone: then every sample "
                "is pushed the same way, whatever its own reward",
            ),
            (-(r - r.mean()), "own-baseline", "the mean of the batch is subtracted instead of `baseline`"),
            (
                -advantage * np.exp(instance["log_probs"]),
                "probability-not-log",
                "the reward weighs the probability; REINFORCE weighs its logarithm",
            ),
            (
                np.full(n, -advantage.mean()),
                "mean-before-product",
                "two means are multiplied: each reward "
                "belongs to its own log-probability, so multiply first and take the mean last",
            ),
        ]
        if n > 1 and close(np.ptp(pull), 0.0) and not close(np.ptp(right), 0.0):
            return fail(
                "mean-before-product",
                "every sample is pushed the same way: each reward belongs to its own log-probability, so "
                "multiply first and take the mean last",
            )
        if n > 1 and (spread := float(right.std())) > 0 and close(np.corrcoef(pull, right)[0, 1], 1.0, 1e-7):
            scale = float(pull.std()) / spread
            mistakes.append(
                (
                    scale * right + (pull - scale * right).mean(),
                    "rescaled",
                    "the advantages are shifted or rescaled: use R − b as it is",
                )
            )
        return first_mistake(pull, right, mistakes) or fail(
            "wrong-weights",
            f"the gradient by log_probs is {show(pull)}; −(R − b)/n would be {show(right)}",
        )

    @staticmethod
    def _of_the_entropy(push: Array, right: Array, n: int) -> Verdict | None:
        if close(push, right):
            return None
        mistakes: list[Mistake] = [
            (
                -right,
                "penalises-entropy",
                "the entropy is punished: the loss has to *fall* when the entropy rises, so it is subtracted",
            ),
            (0 * right, "no-entropy", "the entropy does not count (or is cut off from its gradient)"),
            (
                n * right,
                "sum-not-mean",
                "the entropies are summed, not averaged: the step would grow with the batch",
            ),
            (
                np.full(n, -1 / n),
                "ignores-the-weight",
                "the entropy counts fully: `entropy_weight` is not used",
            ),
        ]
        return first_mistake(push, right, mistakes) or fail(
            "wrong-entropy-term",
            f"the gradient by entropies is {show(push)}; −entropy_weight/n would be {show(right)}",
        )


def _scalar(value: Any, n: int) -> float:
    if isinstance(value, np.ndarray) and value.size == 1:
        return float(value.reshape(()))
    if isinstance(value, np.ndarray):
        concept, hint = "not-averaged", "take the mean"
        if value.shape == (n, n):
            concept, hint = "broadcasting", "two shapes were broadcast"
        raise Unacceptable(concept, f"the loss should be one number, not an array {value.shape}: {hint}")
    if type(value) not in (int, float):
        kind = describe(value)
        raise Unacceptable(
            "returns-nothing" if value is None else "wrong-type", f"the loss should be one number, not {kind}"
        )
    return float(value)


def _gradient(value: Any, n: int) -> Array:
    return np.zeros(n) if value is None else np.asarray(value, dtype=float).reshape(-1)


# ------------------------------------------------------------------------------- sequences over the rewards


class OfRewards(Exercise):
    """What the two functions of a sequence of rewards share: exact columns, and no change of the argument."""

    option: str

    def problems(self, rng: np.random.Generator) -> list[tuple[list[float], float, str]]:
        """(rewards, option, what is special about them) of the instances."""
        raise NotImplementedError

    def mistakes(self, rewards: Array, option: float, right: Array) -> list[Mistake]:
        """The usual ones."""
        raise NotImplementedError

    def instances(self, seed: int) -> list[Instance]:
        """The problems, and bad input."""
        rng = default_rng(seed)
        cases: list[Instance] = [
            {"rewards": rewards, "option": option} | ({"about": about} if about else {})
            for rewards, option, about in self.problems(rng)
        ]
        nan = _floats(rng, 6, 50, 90)
        nan[int(rng.integers(6))] = float("nan")
        good = _floats(rng, 5, 50, 90)
        return [
            *cases,
            {"bad": "a reward of NaN", "rewards": nan, "option": 0.9},
            {"bad": "no rewards", "rewards": [], "option": 0.9},
            {"bad": "rewards of shape (1, 5)", "rewards": [good], "option": 0.9},
            {"bad": "one number for the rewards", "rewards": good[0], "option": 0.9},
            {"bad": f"a {self.option} of 1.5", "rewards": good, "option": 1.5},
            {"bad": f"a {self.option} of -0.1", "rewards": good, "option": -0.1},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The result for a float64 array, and that array afterwards."""
        rewards = np.array(instance["rewards"], dtype=np.float64)
        if "bad" in instance:
            return raised(lambda: fn(rewards, instance["option"]))
        return {"result": fn(rewards, instance["option"]), "after": rewards}

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Exact."""
        rewards, option = np.array(instance["rewards"]), instance["option"]
        if answer.value["result"] is None:
            return fail("returns-nothing", f"{self.name} returned None: is there a return statement?")
        found = _entries(answer.value["result"], len(rewards), self.name)
        right = column(expected.value["result"], len(rewards), self.name)
        if not close(found, right):
            about = f" (on {instance['about']})" if instance.get("about") else ""
            return self._wrong(rewards, option, found, right, about)
        if not close(answer.value["after"], rewards):
            return fail("changes-its-argument", "the array of rewards was changed: work on a copy")
        return RIGHT

    def _wrong(self, rewards: Array, option: float, found: Array, right: Array, about: str) -> Verdict:
        if not np.isfinite(found).all():
            return fail(
                "not-finite",
                f"{self.option} = {show(option)} gives {show(float(found[~np.isfinite(found)][0]))}{about}: "
                "no power of it may be divided by",
            )
        named = first_mistake(found, right, self.mistakes(rewards, option, right))
        if named:
            return named
        at = int(np.argmax(np.abs(found - right)))
        return fail(
            "wrong-values",
            f"with {self.option} = {show(option)} entry {at} is {show(float(found[at]))}, "
            f"should be {show(float(right[at]))}{about}",
        )


def _entries(value: Any, n: int, name: str) -> Array:
    """A column; a number or one entry too many has a reason of its own here."""
    if is_number(scalar(value)) and n > 1:
        raise Unacceptable(
            "one-number",
            f"{name} should be an array with one entry per reward, not the one number {show(scalar(value))}",
        )
    if isinstance(value, (np.ndarray, list)) and len(np.atleast_1d(value)) == n + 1:
        raise Unacceptable(
            "one-too-many", f"{n + 1} entries for {n} rewards: there is one per reward, no more"
        )
    return column(value, n, name)


def _step_by_step(rewards: Array, start: float, keep: float, add: float) -> Array:
    """x ← keep·x + add·r from `start`, after each reward: what averages and sums of many kinds are."""
    values = [start]
    for reward in rewards.tolist():
        values.append(keep * values[-1] + add * reward)
    return np.array(values[1:])


class EmaBaseline(OfRewards):
    """`ema_baseline(rewards, decay)`: exact; a baseline that sees its own reward is told so."""

    name, lesson, option = "ema_baseline", LESSON, "decay"

    def problems(self, rng: np.random.Generator) -> list[tuple[list[float], float, str]]:
        """Decays from 0 to 1, one reward, negative rewards."""
        decay = round(float(rng.uniform(0.6, 0.95)), 3)
        return [
            (_floats(rng, int(rng.integers(8, 16)), 50, 95), decay, ""),
            (_floats(rng, int(rng.integers(8, 16)), -5, 5), round(float(rng.uniform(0.1, 0.4)), 3), ""),
            (_floats(rng, 6, 1, 9), 0.0, "a decay of 0"),
            (_floats(rng, 6, 1, 9), 1.0, "a decay of 1"),
            (_floats(rng, 1, 50, 95), 0.9, "a single reward"),
            (_floats(rng, 300, 50, 95), 0.99, "300 rewards"),
        ]

    def mistakes(self, rewards: Array, option: float, right: Array) -> list[Mistake]:
        """Averages that see too much, start elsewhere, or forget at another rate."""
        n, before = len(rewards), np.concatenate([[0.0], rewards[:-1]])
        seen = _step_by_step(rewards, 0.0, option, 1 - option)
        first = float(rewards[0])
        counts = np.arange(n)
        swapped = _step_by_step(before, 0.0, 1 - option, option)
        peeks = "the baseline at t contains reward t: it would subtract a part of the very reward it judges, "
        corrected = right[1:] / (1 - option ** counts[1:]) if option < 1 and n > 1 else np.zeros(0)
        return [
            (seen, "sees-its-own-reward", peeks + "which biases the gradient. b[t] may use rewards[:t] only"),
            (
                _step_by_step(rewards, first, option, 1 - option),
                "sees-its-own-reward",
                peeks + "and it starts from rewards[0]. Start from b[0] = 0",
            ),
            (
                np.concatenate([[0.0], _step_by_step(rewards[1:], 0.0, option, 1 - option)]),
                "sees-its-own-reward",
                peeks + "and reward 0 is in none. b[t] uses rewards[t − 1]",
            ),
            (
                np.concatenate([[first], _step_by_step(rewards[:-1], first, option, 1 - option)]),
                "starts-at-the-first-reward",
                "b[0] is rewards[0]: before anything is known the baseline is 0",
            ),
            (
                swapped,
                "swapped-weights",
                "`decay` is the share of the *old* value, 1 − decay that of the new "
                "reward; here they are swapped",
            ),
            (
                _step_by_step(rewards, 0.0, 1 - option, option),
                "swapped-weights",
                "`decay` is the share of the *old* value; and b[t] may use rewards[:t] only",
            ),
            (
                _step_by_step(before, 0.0, option, 1.0),
                "unweighted",
                "the new reward counts fully: it needs "
                "the weight 1 − decay, or the baseline grows beyond all rewards",
            ),
            (
                np.concatenate([[0.0], np.cumsum(rewards)[:-1] / np.maximum(counts[1:], 1)])
                if n > 1
                else None,
                "plain-mean",
                "this is the plain mean of the earlier rewards: it never forgets, and `decay` is not used",
            ),
            (
                np.concatenate([[0.0], corrected]) if len(corrected) else None,
                "bias-corrected",
                "the start from 0 is corrected away (as Adam does): here it is part of the definition",
            ),
            (before, "last-reward", "this is the reward before, not an average"),
            (
                np.concatenate([[0.0, 0.0], seen[:-2]])[:n],
                "too-late",
                "the baseline lags: b[t] may use all of rewards[:t], the last one included",
            ),
            (
                rewards - right,
                "advantage-not-baseline",
                "these are the rewards minus the baseline: return the baseline itself",
            ),
        ]


class DiscountedReturns(OfRewards):
    """`discounted_returns(rewards, gamma)`: exact, also where powers of gamma vanish."""

    name, lesson, option = "discounted_returns", LESSON, "gamma"

    def problems(self, rng: np.random.Generator) -> list[tuple[list[float], float, str]]:
        """Gammas from 0 to 1, a reward at the end only, and more steps than powers of gamma can follow."""
        terminal = [0.0] * int(rng.integers(4, 8)) + _floats(rng, 1, 50, 95)
        return [
            (_floats(rng, int(rng.integers(6, 12)), -5, 9), round(float(rng.uniform(0.5, 0.95)), 3), ""),
            (terminal, round(float(rng.uniform(0.5, 0.9)), 3), "a reward at the end only"),
            (_floats(rng, 7, -5, 9), 1.0, "a gamma of 1"),
            (_floats(rng, 7, -5, 9), 0.0, "a gamma of 0"),
            (_floats(rng, 1, 1, 9), 0.7, "a single reward"),
            (_floats(rng, 1500, -1, 1), round(float(rng.uniform(0.4, 0.6)), 3), "1,500 rewards"),
        ]

    def mistakes(self, rewards: Array, option: float, right: Array) -> list[Mistake]:
        """Sums in the wrong direction, without the own reward, or discounted from the start."""
        n, steps = len(rewards), np.arange(len(rewards))
        powers = float(option) ** steps
        later = np.concatenate([right[1:], [0.0]])
        whole = np.cumsum(rewards[::-1])[::-1]
        return [
            (
                _step_by_step(rewards, 0.0, option, 1.0),
                "runs-forward",
                "each entry sums the *past*. A decision "
                "is credited with what comes after it: run through the rewards from the end",
            ),
            (
                powers * right,
                "discounted-from-the-start",
                "every reward is discounted from step 0 on: the "
                "return at t counts the steps from t, so that its own reward has the weight 1",
            ),
            (later, "misses-its-own-reward", "the reward of step t itself is missing from the return at t"),
            (
                option * later,
                "misses-its-own-reward",
                "the reward of step t itself is missing from the return",
            ),
            (
                option * right,
                "one-power-too-many",
                "the reward of step t itself has the weight gamma: it is not discounted, gamma^0 = 1",
            ),
            (whole, "ignores-gamma", "nothing is discounted: `gamma` is not used"),
            (
                np.full(n, right[0]),
                "one-return-for-all",
                "every step gets the return of the first: the return at t counts rewards t, t + 1, … only",
            ),
            (
                right[::-1],
                "back-to-front",
                "the returns come out in reverse: the last one is computed first, and belongs at the end",
            ),
            (
                rewards * powers,
                "no-sum",
                "each reward is discounted by itself: a return is a *sum* over the rewards to come",
            ),
            (
                rewards + option * np.concatenate([rewards[1:], [0.0]]),
                "next-reward-only",
                "only the next reward "
                "is added: all later ones count too, gamma² for the one after, and so on",
            ),
            (
                _step_by_step(rewards[::-1], 0.0, option, 1 - option)[::-1],
                "averaged",
                "this is a moving average: the reward of step t itself has the weight 1, not 1 − gamma",
            ),
        ]


# -------------------------------------------------------------------------------------------- the controller

_STEP = 1e-4  # of the finite differences, in float64
_ROWS = 200
_DRAWS = 8_000


class ControllerClass(Exercise):
    """`Controller(choices, hidden, embedding)`: one distribution, its gradient, its entropies and its samples."""

    name, lesson = "Controller", LESSON
    false_fail = (107 + 8 + 4) * _ALPHA
    has_reference = False

    def instances(self, seed: int) -> list[Instance]:
        """Spaces of 4 to 36 architectures with 1 to 6 options per decision, and bad input."""
        rng = default_rng(seed)
        shapes = [[3, 2, 4], [2, 1, 3, 2], [2, 2, 2, 2, 2]]
        for sizes in shapes[:2]:
            rng.shuffle(sizes)
        if shapes[1][0] == 1 or shapes[1][-1] == 1:  # in the middle, the state has to carry over it
            shapes[1] = [2, 1, 3, 2] if rng.random() < 0.5 else [3, 2, 1, 2]

        def case(sizes: Sequence[int], **given: Any) -> Instance:
            return {
                "sizes": [int(size) for size in sizes],
                "hidden": int(rng.integers(5, 10)),
                "embedding": int(rng.integers(3, 8)),
                "seeds": [int(one) for one in rng.integers(2**31, size=5)],
                **given,
            }

        small: dict[str, Any] = {"sizes": [2, 4, 3], "n": 2}
        return [
            *(case(sizes, about=f"decisions with {sizes} options") for sizes in shapes),
            case([int(rng.integers(4, 7))], about="a single decision"),
            case(bad="n = 0", **{**small, "n": 0}),
            case(bad="choices without a decision", **{**small, "sizes": []}),
            case(bad="a decision without options", **{**small, "sizes": [2, 0, 3]}),
            case(bad="action 2 where a decision has two options,", actions=[[0, 1, 2], [2, 1, 2]], **small),
            case(bad="action 5 where a decision has four options,", actions=[[0, 1, 2], [1, 5, 2]], **small),
            case(bad="action -1", actions=[[0, 1, 2], [1, 3, -1]], **small),
            case(
                bad="actions for four decisions out of three", actions=[[0, 1, 2, 0], [1, 1, 2, 0]], **small
            ),
            case(bad="actions for two decisions out of three", actions=[[0, 1], [1, 1]], **small),
            case(bad="actions of shape (3,), a single architecture,", actions=[0, 1, 2], **small),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """In float64, with parameters far from their start: log-probabilities of everything, at the
        parameters and beside them; slopes; samples."""
        import torch

        choices = [[f"option {i}" for i in range(size)] for size in instance["sizes"]]
        with double_precision():
            torch.manual_seed(instance["seeds"][0])
            if "bad" in instance:
                return raised(lambda: self._bad(fn, choices, instance))
            controller = fn(choices, hidden=instance["hidden"], embedding=instance["embedding"])
            if not isinstance(controller, torch.nn.Module) or not any(True for _ in controller.parameters()):
                raise NotPlainData(
                    f"Controller(...) made {describe(controller)} without parameters; it has to stay a "
                    "torch.nn.Module with its layers as attributes"
                )
            return self._behaviour(controller, instance)

    @staticmethod
    def _bad(fn: Any, choices: Any, instance: Instance) -> Any:
        import torch

        controller = fn(choices, hidden=4, embedding=3)
        if "actions" in instance:
            return controller.log_prob(torch.tensor(instance["actions"]))
        return controller.sample(instance["n"], torch.Generator().manual_seed(0))

    @staticmethod
    def _behaviour(controller: Any, instance: Instance) -> dict[str, Any]:
        import torch

        _, shake, first, second, world = instance["seeds"]
        parameters = [one for one in controller.parameters() if one.requires_grad]
        noise = torch.Generator().manual_seed(shake)
        _move(parameters, [0.5 * torch.randn(one.shape, generator=noise) for one in parameters])
        direction = [torch.randn(one.shape, generator=noise) for one in parameters]
        length = sum(float(part.square().sum()) for part in direction) ** 0.5
        direction = [3 * part / length for part in direction]
        everything = torch.tensor(architectures(instance["sizes"]))

        def generator(seed: int) -> Any:
            return torch.Generator().manual_seed(seed)

        def slope(values: Any) -> Any:
            return _slope(values, parameters, direction)

        log_probs = controller.log_prob(everything)
        source = generator(first)
        actions, sampled, entropies = _three(controller.sample(_ROWS, source))
        torch.manual_seed(world)  # what is drawn may not depend on the global generator
        again = _three(controller.sample(_ROWS, generator(first)))[0]
        found = {
            "all": log_probs,
            "singly": [controller.log_prob(everything[at : at + 1]) for at in range(min(5, len(everything)))],
            "slope": slope(log_probs),
            "actions": actions,
            "log_probs": sampled,
            "entropies": entropies,
            "sampled_slope": slope(sampled),
            "entropy_slope": slope(entropies),
            "again": again,
            "other": _three(controller.sample(_ROWS, generator(second)))[0],
            "next": _three(controller.sample(_ROWS, source))[0],
            "one": list(_three(controller.sample(1, source))),
        }
        with torch.no_grad():
            found["many"] = _three(controller.sample(_DRAWS, generator(second)))[0]
            for name, sign in (("ahead", 1.0), ("behind", -1.0)):
                _move(parameters, [sign * _STEP * part for part in direction])
                found[name] = controller.log_prob(everything)
                _move(parameters, [-sign * _STEP * part for part in direction])
        return found

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Form, then the distribution, then what belongs to it."""
        sizes, found = instance["sizes"], answer.value
        verdict = _malformed(sizes, found)
        if verdict:
            return verdict
        policy = Policy(sizes, np.asarray(found["all"], dtype=float))
        return (
            _no_distribution(policy, found)
            or _forgetful(policy)
            or _detached(policy, found)
            or _wrong_samples(policy, found)
            or _wrong_entropies(policy, found)
            or RIGHT
        )

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """Errors that have a usual cause."""
        text = answer.error or ""
        if "probability tensor contains either" in text:
            return fail(
                "not-probabilities",
                "torch.multinomial needs probabilities, all ≥ 0: take the softmax of the logits first",
            )
        if "dtype" in text or "Double" in text or "Float" in text:
            return fail(
                "fixed-dtype",
                f"float64 parameters end in {text}: make new tensors with dtype=… or like an existing one",
            )
        return error_verdict(instance, answer)


def _move(parameters: Sequence[Any], steps: Sequence[Any]) -> None:
    import torch

    with torch.no_grad():
        for parameter, step in zip(parameters, steps):
            parameter += step


def _three(value: Any) -> tuple[Any, Any, Any]:
    if not isinstance(value, (tuple, list)) or len(value) != 3:
        what = f"{describe(value)} of {len(value)}" if isinstance(value, (tuple, list)) else describe(value)
        raise NotPlainData(f"sample returned {what} where (actions, log_probs, entropies) is expected")
    return value[0], value[1], value[2]


def _slope(values: Any, parameters: Sequence[Any], direction: Sequence[Any]) -> float | None:
    """What autograd says of the change of Σ wᵢ·valuesᵢ along a direction; None where no gradient flows."""
    import torch

    if not isinstance(values, torch.Tensor) or not values.requires_grad or values.ndim != 1:
        return None
    total = (torch.as_tensor(_weights(len(values))) * values).sum()
    gradients = torch.autograd.grad(total, list(parameters), allow_unused=True, retain_graph=True)
    return sum(float((part * step).sum()) for part, step in zip(gradients, direction) if part is not None)


def _weights(n: int) -> Array:
    """Weights that differ from row to row, so that no mistake cancels out."""
    return np.cos(1.0 + 1.7 * np.arange(n))


def architectures(sizes: Sequence[int]) -> list[list[int]]:
    """All of them as positions of options, the first decision most significant."""
    return [list(arch) for arch in product(*(range(size) for size in sizes))]


class Policy:
    """A distribution over all architectures, from their log-probabilities: chances, conditionals, entropies."""

    def __init__(self, sizes: Sequence[int], log_probs: Array) -> None:
        self.sizes = tuple(sizes)
        self.log_probs = log_probs
        self.chances = np.exp(log_probs)

    def rows(self, actions: NDArray[Any]) -> NDArray[np.int64]:
        """Numbers of the architectures."""
        return np.ravel_multi_index(tuple(np.asarray(actions).T), self.sizes)

    def conditional(self, place: int) -> Array:
        """p(option of decision `place` | the options before): an axis per decision up to this one."""
        table = self.chances.reshape(self.sizes)
        prefix = table.sum(axis=tuple(range(place + 1, len(self.sizes))))
        return prefix / prefix.sum(axis=-1, keepdims=True)

    def entropies_at(self, actions: NDArray[Any]) -> Array:
        """(rows, decisions): the entropy of each decision, given the row's earlier options."""
        found = []
        for place in range(len(self.sizes)):
            p = self.conditional(place)
            table = -(p * np.log(np.maximum(p, 1e-300))).sum(axis=-1)
            found.append(np.broadcast_to(table[tuple(actions[:, :place].T)], len(actions)))
        return np.stack(found, axis=1)


def _malformed(sizes: Sequence[int], found: dict[str, Any]) -> Verdict | None:
    """Shapes, dtypes and options in range."""
    n, decisions = len(architectures(sizes)), len(sizes)
    verdict = _not_a_column(found["all"], n, "log_prob")
    if verdict:
        return verdict
    for name, rows in (
        ("actions", _ROWS),
        ("again", _ROWS),
        ("other", _ROWS),
        ("next", _ROWS),
        ("many", _DRAWS),
    ):
        actions = found[name]
        if not isinstance(actions, np.ndarray) or actions.shape != (rows, decisions):
            shape = actions.shape if isinstance(actions, np.ndarray) else describe(actions)
            return fail(
                "wrong-shape", f"sample's actions should have the shape ({rows}, {decisions}), not {shape}"
            )
        if actions.dtype != np.int64:
            return fail(
                "wrong-type",
                f"sample's actions should be a tensor of int64, not of {actions.dtype}: they are positions of options",
            )
        if (actions < 0).any() or (actions >= np.array(sizes)).any():
            place = int(np.flatnonzero(((actions < 0) | (actions >= np.array(sizes))).any(axis=0))[0])
            return fail(
                "outside-its-options",
                f"decision {place} got option {int(actions[:, place].max())} and has {sizes[place]}: "
                "each decision has its own number of options",
            )
    for name, what in (("log_probs", "sample's log_probs"), ("entropies", "sample's entropies")):
        verdict = _not_a_column(found[name], _ROWS, what)
        if verdict:
            return verdict
    alone = found["one"]
    shapes = [one.shape if isinstance(one, np.ndarray) else () for one in alone]
    if shapes != [(1, decisions), (1,), (1,)]:
        return fail(
            "wrong-shape",
            f"the parts of sample(1) should have the shapes (1, {decisions}), (1,), (1,), not {shapes}",
        )
    return None


def _not_a_column(value: Any, n: int, what: str) -> Verdict | None:
    if isinstance(value, np.ndarray) and value.ndim == 2 and value.shape[0] == n and value.shape[1] > 1:
        return fail(
            "not-summed",
            f"{what} has the shape {value.shape}, one entry per decision: sum over the decisions",
        )
    if not isinstance(value, np.ndarray) or value.shape != (n,):
        shape = value.shape if isinstance(value, np.ndarray) else describe(value)
        return fail("wrong-shape", f"{what} should have the shape ({n},), not {shape}")
    if not np.isfinite(np.asarray(value, dtype=float)).all():
        return fail("not-finite", f"{what} holds {show(float(value[~np.isfinite(value)][0]))}")
    return None


def _no_distribution(policy: Policy, found: dict[str, Any]) -> Verdict | None:
    """Is exp(log_prob) one distribution over the space, row by row?"""
    log_probs, decisions = policy.log_probs, len(policy.sizes)
    singly = np.array([np.asarray(one, dtype=float).reshape(-1)[0] for one in found["singly"]])
    if not close(singly, log_probs[: len(singly)], 1e-6):
        at = int(np.argmax(np.abs(singly - log_probs[: len(singly)])))
        return fail(
            "mixes-rows",
            f"log_prob of one architecture is {show(float(singly[at]))} alone and {show(float(log_probs[at]))} among "
            "others: rows must not touch each other, nor calls. Is the softmax over the last dimension, and the "
            "state a new one in each call?",
        )
    total = float(policy.chances.sum())
    if abs(total - 1) < 1e-6:
        return None
    if abs(log_probs.sum() - 1) < 1e-6 and (log_probs >= 0).all():
        return fail("not-log", "these are probabilities: log_prob returns their logarithms")
    if abs(np.exp(decisions * log_probs).sum() - 1) < 1e-6:
        return fail(
            "mean-not-sum",
            "this is the mean over the decisions: the probability of an architecture is the *product* of "
            "those of its decisions, so its logarithm is a sum",
        )
    if abs(np.exp(-log_probs).sum() - 1) < 1e-6:
        return fail("wrong-sign", "the sign is reversed: log-probabilities are at most 0")
    return fail(
        "not-a-distribution",
        f"over all {len(log_probs)} architectures the probabilities exp(log_prob) add up to {show(total)}, "
        "not to 1. Every decision takes a softmax over its own options, and their logarithms are added",
    )


def _forgetful(policy: Policy) -> Verdict | None:
    """Does each decision depend on each earlier one?"""
    sizes, unmoved = policy.sizes, []
    pairs = [(s, t) for t in range(len(sizes)) for s in range(t) if sizes[s] > 1 and sizes[t] > 1]
    for earlier, place in pairs:
        p = policy.conditional(place)
        if np.ptp(p, axis=earlier).max() < 1e-9:
            unmoved.append((earlier, place))
    if not unmoved:
        return next(filter(None, (_merged(policy, earlier, place) for earlier, place in pairs)), None)
    if len(unmoved) == len(pairs):
        return fail(
            "ignores-earlier-decisions",
            "no decision depends on those before it: the option that was taken has to be fed to the next step, "
            "through its embedding",
        )
    earlier, place = unmoved[0]
    if all(place - earlier > 1 for earlier, place in unmoved):
        return fail(
            "forgets-the-state",
            f"decision {place} does not depend on decision {earlier}: the LSTM's state has to be carried from "
            "step to step, not begun anew",
        )
    return fail(
        "ignores-a-decision",
        f"decision {place} does not depend on decision {earlier}: each step reads the embedding of the option "
        "taken just before",
    )


def _merged(policy: Policy, earlier: int, place: int) -> Verdict | None:
    """Are two options of one decision the same to a later one?"""
    p = np.moveaxis(policy.conditional(place), earlier, 0)
    for one, other in combinations(range(len(p)), 2):
        if np.abs(p[one] - p[other]).max() < 1e-9:
            return fail(
                "merges-options",
                f"options {one} and {other} of decision {earlier} are the same to decision {place}: each option has "
                "an embedding of its own, `self.embed[t](action)` with the t at which it was taken",
            )
    return None


def _detached(policy: Policy, found: dict[str, Any]) -> Verdict | None:
    """Is the gradient of log_prob, in log_prob and in sample, the slope of what log_prob says?"""
    if found["slope"] is None:
        return fail(
            "no-gradient",
            "log_prob comes without a gradient, so that nothing could be learned: return a tensor, and no "
            "detach(), item() or no_grad() on the way",
        )
    rise = (np.asarray(found["ahead"], dtype=float) - np.asarray(found["behind"], dtype=float)) / (2 * _STEP)
    right = float(_weights(len(rise)) @ rise)
    if not close(found["slope"], right, 1e-4):
        return fail(
            "wrong-gradient",
            f"along one direction the gradient says {show(found['slope'])}, and log_prob really changes by "
            f"{show(right)}: something is cut out of the graph (detach, no_grad, .data) on the way",
        )
    numbers = policy.rows(found["actions"])
    if not close(found["log_probs"], policy.log_probs[numbers], 1e-6):
        return _disagreeing(policy, found, numbers)
    if found["sampled_slope"] is None:
        return fail(
            "sample-without-gradient",
            "sample's log_probs come without a gradient: REINFORCE differentiates them. Only the draw itself "
            "has none",
        )
    right = float(_weights(_ROWS) @ rise[numbers])
    if not close(found["sampled_slope"], right, 1e-4):
        return fail(
            "sample-without-gradient",
            f"the gradient of sample's log_probs is {show(found['sampled_slope'])} along a direction in which "
            f"that of log_prob is {show(right)}: a part of it is cut off",
        )
    return None


def _disagreeing(policy: Policy, found: dict[str, Any], numbers: NDArray[np.int64]) -> Verdict:
    sampled = np.asarray(found["log_probs"], dtype=float)
    if close(sampled, policy.log_probs[numbers] / len(policy.sizes), 1e-6):
        return fail("mean-not-sum", "sample's log_probs are means over the decisions: they have to be sums")
    if close(sampled, np.exp(policy.log_probs[numbers]), 1e-6):
        return fail("not-log", "sample's log_probs are probabilities: take their logarithms")
    return fail(
        "sample-disagrees",
        f"sample says {show(float(sampled[0]))} for the architecture {show(found['actions'][0].tolist())} and "
        f"log_prob says {show(float(policy.log_probs[numbers][0]))}: both have to walk through the same steps",
    )


def _wrong_samples(policy: Policy, found: dict[str, Any]) -> Verdict | None:
    """Do samples come from the generator, and from the distribution?"""
    actions = {name: np.asarray(found[name]) for name in ("actions", "again", "other", "next", "many")}
    many = policy.rows(actions["many"])
    varied = float((policy.chances**2).sum()) ** _ROWS < 1e-15  # equal samples cannot be a coincidence then
    if varied and len(set(many.tolist())) == 1:
        if many[0] == policy.chances.argmax() or _greedy(policy) == many[0]:
            return fail("greedy", "always the most likely option is taken: *draw* from the distribution")
        return fail("not-random", "all rows are the same architecture: draw each row by itself")
    if not (actions["again"] == actions["actions"]).all():
        return fail(
            "ignores-generator",
            "two generators with the same seed give different samples: pass `generator` on to whatever draws",
        )
    if varied and (actions["other"] == actions["actions"]).all():
        return fail(
            "fixed-seed", "generators with different seeds give the same sample: use the one passed in"
        )
    if varied and (actions["next"] == actions["actions"]).all():
        return fail(
            "fixed-seed", "a second sample from the same generator repeats the first: do not seed it anew"
        )
    return _biased(policy, many, actions["many"])


def _greedy(policy: Policy) -> int:
    options: list[int] = []
    for place in range(len(policy.sizes)):
        options.append(int(policy.conditional(place)[tuple(options)].argmax()))
    return int(policy.rows(np.array([options]))[0])


def _biased(policy: Policy, many: NDArray[np.int64], actions: NDArray[Any]) -> Verdict | None:
    counts = np.bincount(many, minlength=len(policy.chances)).tolist()
    expected: list[tuple[str, float, int]] = [
        (f"architecture {show(arch)}", p, count)
        for arch, p, count in zip(architectures(policy.sizes), policy.chances.tolist(), counts)
    ]
    table = policy.chances.reshape(policy.sizes)
    for place, size in enumerate(policy.sizes):
        others = tuple(other for other in range(len(policy.sizes)) if other != place)
        seen = np.bincount(actions[:, place], minlength=size).tolist()
        options = zip(range(size), table.sum(axis=others).tolist(), seen)
        expected += [(f"option {i} of decision {place}", p, count) for i, p, count in options]
    for what, chance, count in expected:
        p = min(1.0, chance)
        low, high = count_range(_DRAWS, p, _ALPHA)
        if not low <= count <= high:
            return fail(
                "biased-samples",
                f"{what} came {count} times in {_DRAWS:,} samples; by log_prob it should come about "
                f"{_DRAWS * p:.0f} times. Draw from the softmax of the logits, each decision given the options "
                "drawn before",
            )
    found = float(policy.log_probs[many].mean())
    least, most = mean_range(policy.log_probs, policy.chances, _DRAWS, _ALPHA)
    if not least <= found <= most:
        return fail(
            "biased-samples",
            f"samples are {'less' if found < least else 'more'} likely than they should be: by their own log_prob "
            f"the mean is {show(found)}, about {show(float(policy.chances @ policy.log_probs))} is expected. Draw "
            "from the very probabilities whose logarithms you return",
        )
    return _repeating(policy, many)


def _repeating(policy: Policy, many: NDArray[np.int64]) -> Verdict | None:
    """Are rows drawn independently? Neighbours, and rows half a batch apart, agree as often as chance has it."""
    half = _DRAWS // 2
    low, high = count_range(half, min(1.0, float((policy.chances**2).sum())), _ALPHA)
    for one, other in ((many[0::2], many[1::2]), (many[:half], many[half:])):
        same = int((one == other).sum())
        if not low <= same <= high:
            return fail(
                "dependent-rows",
                f"{same} of {half:,} pairs of rows are equal, {low} to {high} would be chance: draw each row by "
                "itself",
            )
    return None


def _wrong_entropies(policy: Policy, found: dict[str, Any]) -> Verdict | None:
    """Is each row's entropy the sum of its decisions' entropies, with a gradient?"""
    actions = np.asarray(found["actions"])
    entropies = np.asarray(found["entropies"], dtype=float)
    parts = policy.entropies_at(actions)
    right = parts.sum(axis=1)
    if not close(entropies, right, 1e-6):
        several = len(policy.sizes) > 1
        mistakes: list[Mistake] = [
            (-right, "wrong-sign", "the entropies are negative: H = −Σ p·log p"),
            (right / np.log(2), "bits", "these entropies are in bits: use the natural logarithm"),
            (
                -policy.log_probs[policy.rows(actions)],
                "surprise-not-entropy",
                "−log p of what was drawn is one "
                "sample of the entropy. The entropy of a decision is the sum −Σ p·log p over *all* its options",
            ),
            (
                parts.mean(axis=1) if several else None,
                "mean-not-sum",
                "these are means over the decisions: an architecture's entropy is the sum",
            ),
            (
                parts[:, -1] if several else None,
                "last-decision-only",
                "only the last decision's entropy is returned: add up those of all decisions",
            ),
            (
                np.full(len(right), right.mean()),
                "averaged",
                "every row has the mean of the batch: each row has an entropy of its own",
            ),
        ]
        return first_mistake(entropies, right, mistakes) or fail(
            "wrong-entropy",
            f"the entropies of {show(actions[0].tolist())} are {show(parts[0])}, together "
            f"{show(float(right[0]))}, not {show(float(entropies[0]))}: −Σ p·log p of each decision, given the "
            "options before it, summed over the decisions",
        )
    if all(size == 1 for size in policy.sizes):
        return None
    ahead, behind = (
        Policy(policy.sizes, np.asarray(found[name], dtype=float)).entropies_at(actions).sum(axis=1)
        for name in ("ahead", "behind")
    )
    rise = float(_weights(len(right)) @ (ahead - behind)) / (2 * _STEP)
    if found["entropy_slope"] is None or not close(found["entropy_slope"], rise, 1e-4):
        return fail(
            "entropy-without-gradient",
            "the entropies come without their gradient, so that an entropy bonus would change nothing: "
            "no detach() on them",
        )
    return None


register(
    ExactPolicyGradient(),
    ReinforceLoss(),
    EmaBaseline(),
    ControllerClass(),
    DiscountedReturns(),
    *(ConceptQuestion(f"concept_03_{number}", LESSON) for number in (1, 2, 3, 4)),
)
