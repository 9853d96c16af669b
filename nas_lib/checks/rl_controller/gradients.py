"""Cases of `exact_policy_gradient` and `reinforce_loss`: numbers and gradients, from tensors and other forms."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.random import default_rng

from nas_lib.checks.exercise import Answer, Instance, Verdict, fail, show
from nas_lib.checks.judging import BAD_INPUT
from nas_lib.checks.rl_controller.shared import FLOAT32, INFINITY, LESSON, NAN, apart, floats, with_one
from nas_lib.checks.values import Part, ValueExercise


class _InAnyForm(ValueExercise):
    """Takes tensors, but also what can be made one: an instance says in its "form" what it holds."""

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """Where all that is missing is a word for other forms, that costs a part."""
        kind = answer.error_type
        if instance.get("form") and kind in ("AttributeError", "TypeError", "RuntimeError"):
            return fail(
                "tensors-only",
                f"{instance['about']} will do as well, so begin with torch.as_tensor: "
                f"they end in {answer.error}",
                1 - BAD_INPUT,
            )
        return super().judge_error(instance, answer)


class ExactPolicyGradient(_InAnyForm):
    """`exact_policy_gradient(logits, rewards)`: at the logits, and again after somebody has moved them."""

    name, lesson, returns = "exact_policy_gradient", LESSON, "tensor"
    parts: ClassVar = (
        Part("gradient", "the gradient", "wrong-gradient", tolerance=FLOAT32, floor=1.0),
        Part(
            "moved",
            "the gradient",
            "stale",
            "after the same logits were moved, a second call is wrong: the gradient {differ}",
            tolerance=FLOAT32,
            floor=1.0,
        ),
    )

    def instances(self, seed: int) -> list[Instance]:
        """Two to eight options, rewards around 0 and far from it, one option, logits that exp cannot take, lists;
        bad ones."""
        rng = default_rng(seed)
        k = int(rng.integers(6, 9))
        huge = rng.permutation([900.0, 898.5, 897.0, -900.0]).tolist()
        four = floats(rng, 4, 50, 90)
        place = int(rng.integers(4))

        def case(logits: Any, rewards: Any, about: str = "", form: str = "") -> Instance:
            told = {"about": about} if about else {}
            return {"logits": logits, "rewards": rewards, **told, **({"form": form} if form else {})}

        def bad(phrase: str, logits: Any, rewards: Any) -> Instance:
            return {"bad": phrase, "logits": logits, "rewards": rewards}

        logits = floats(rng, 4, -2, 2)
        return [
            case(floats(rng, k, -2, 2), floats(rng, k, -3, 3)),
            case(floats(rng, 3, -1, 1), apart(rng, 3), "rewards of 50 to 95"),
            case(floats(rng, 2, -3, 3), [*floats(rng, 1, -1, -0.2), *floats(rng, 1, 0.2, 1)], "two options"),
            case(huge, [float(i) for i in rng.permutation(5)[:4]], "logits of ±900"),
            case(floats(rng, 1, -3, 3), floats(rng, 1, 1, 5), "a single option"),
            case(floats(rng, 4, -2, 2), [1.5, 1.5, 1.5, 1.5], "equal rewards"),
            case(floats(rng, 5, -2, 2), floats(rng, 5, -3, 3), "tensors of float32", "float32"),
            case(floats(rng, 4, -2, 2), floats(rng, 4, -3, 3), "logits that require a gradient", "leaf"),
            case(floats(rng, 4, -2, 2), floats(rng, 4, -3, 3), "two lists", "lists"),
            bad("more logits than rewards", [0.5, 1.0, -1.0], [1.0]),
            bad("more rewards than logits", [0.5], [1.0, 2.0, 4.0]),
            bad("a reward of NaN", logits, with_one(four, place, NAN)),
            bad("an infinite reward", logits, with_one(four, place, INFINITY)),
            bad("a reward of minus infinity", logits, with_one(four, place, -INFINITY)),
            bad("no options at all", [], []),
            bad("a pair of numbers", 0.5, 1.0),
            bad("a pair of matrices", np.eye(3).tolist(), np.eye(3).tolist()),
            bad("a pair of columns", [[0.5], [1.0]], [[1.0], [2.0]]),
            bad("rewards of shape (1, 4)", logits, [four]),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The gradient, and the one after the caller has added 0, 1, 2, … to the logits."""
        import torch

        form = instance.get("form")
        dtype = torch.float32 if form == "float32" else torch.float64
        logits, rewards = instance["logits"], instance["rewards"]
        if form != "lists":
            logits = torch.tensor(logits, dtype=dtype, requires_grad=form == "leaf")
            rewards = torch.tensor(rewards, dtype=dtype)
        found = {"gradient": fn(logits, rewards)}
        with torch.no_grad():
            for i in range(len(logits)):
                logits[i] += i
        return found | {"moved": fn(logits, rewards)}

    def shown(self, instance: Instance, part: Part, found: Any, right: Any) -> Verdict:
        """The differing entry, and what the function was given."""
        verdict = super().shown(instance, part, found, right)
        given = f"logits {show(instance['logits'])} and rewards {show(instance['rewards'])}"
        return fail(verdict.concept, f"{verdict.message}, for {given}")


class ReinforceLoss(_InAnyForm):
    """`reinforce_loss(...)`: the loss and its gradients, also where rewards and baseline could carry one."""

    name, lesson, returns = "reinforce_loss", LESSON, "scalar"
    parts: ClassVar = (
        Part("loss", "the loss", "wrong-loss", tolerance=FLOAT32, floor=10.0),
        Part("log_probs", "the gradient by log_probs", "wrong-weights", tolerance=FLOAT32, floor=1.0),
        Part("entropies", "the gradient by entropies", "wrong-entropy-term", tolerance=FLOAT32, floor=0.1),
        Part("advantages", "the gradient by rewards and baseline", "gradient-through-the-advantage"),
    )

    def instances(self, seed: int) -> list[Instance]:
        """Batches of 1 to 9; a baseline per batch or per sample; weights from 0 up; a learned baseline; other forms."""
        rng = default_rng(seed)

        def case(n: int, **given: Any) -> Instance:
            rewards = apart(rng, n)
            return {
                "log_probs": floats(rng, n, -9, -0.5),
                "rewards": rewards,
                "baseline": round(float(np.mean(rewards) - rng.choice([-1, 1]) * rng.uniform(2, 4)), 3),
                "entropies": floats(rng, n, 0.5, 8),
                "weight": round(float(rng.uniform(0.2, 3)), 3),
                **given,
            }

        n = int(rng.integers(4, 7))
        place = int(rng.integers(n))
        close = [75.0, *floats(rng, n - 1, 60, 90)]
        square = [floats(rng, n, -2, -0.5) for _ in range(n)]
        names = ("log_probs", "rewards", "entropies")
        numbers, columns = dict.fromkeys(names, 2.0), {name: [[2.0]] * n for name in names}
        nobody = with_one(apart(rng, n), place, NAN), with_one(apart(rng, n), place, INFINITY)
        return [
            case(n + 2),
            case(n + 1, weight=0.0, about="an entropy weight of 0"),
            case(n, baseline=floats(rng, n, 60, 90), about="a baseline for each sample"),
            case(
                n + 3, baseline=floats(rng, n + 3, 60, 90), form="learned", about="a baseline with parameters"
            ),
            case(1, about="a single sample"),
            case(
                n, baseline=0, log_probs=floats(rng, n, -90, -30), about="a baseline of 0, and rare samples"
            ),
            case(
                n,
                rewards=close,
                baseline=[75.0, *(one + 2 for one in close[1:])],
                about="a reward as expected",
            ),
            case(n + 1, rewards=floats(rng, n + 1, -1, 1), baseline=0.25, about="rewards between -1 and 1"),
            case(n, weight=-0.5, about="a negative entropy weight"),
            case(n, form="float32", about="tensors of float32"),
            case(n, entropies=[0.0] * n, form="other entropies", about="entropies of float32"),
            case(n, baseline=floats(rng, n, 60, 90), form="arrays", about="arrays of rewards and baselines"),
            case(n, baseline=72, form="arrays", about="an array of rewards"),
            case(n, bad="a reward of NaN", rewards=nobody[0]),
            case(n, bad="an infinite reward", rewards=nobody[1]),
            case(n, bad="a reward of minus infinity", rewards=[-one for one in nobody[1]]),
            case(n, bad="a baseline of NaN", baseline=NAN),
            case(n, bad="an infinite baseline", baseline=INFINITY),
            case(n, bad="a baseline of NaN for one sample", baseline=nobody[0]),
            case(n, bad="an infinite baseline for one sample", baseline=nobody[1]),
            case(
                n, bad="an infinite reward with an infinite baseline", rewards=nobody[1], baseline=nobody[1]
            ),
            case(n, bad=f"rewards of shape ({n}, 1)", rewards=[[one] for one in floats(rng, n, 55, 95)]),
            case(n, bad=f"log_probs of shape ({n}, {n}), one per decision,", log_probs=square),
            case(n, bad="an entropy too many", entropies=floats(rng, n + 1, 1, 8)),
            case(n, bad="an entropy too few", entropies=floats(rng, n - 1, 1, 8)),
            case(n, bad="one entropy for all", entropies=[2.0]),
            case(n, bad=f"entropies of shape ({n}, 1)", entropies=[[one] for one in floats(rng, n, 1, 8)]),
            case(n, bad=f"log_probs of shape ({n}, 1)", log_probs=[[one] for one in floats(rng, n, -9, -1)]),
            case(n, bad=f"one log-probability for {n} rewards", log_probs=[-2.5]),
            case(n, bad=f"one reward for {n} samples", rewards=[70.0]),
            case(n, bad=f"one reward and one entropy for {n} samples", rewards=[70.0], entropies=[2.0]),
            case(n, bad=f"a baseline of shape ({n}, 1)", baseline=[[one] for one in floats(rng, n, 55, 95)]),
            case(n, bad="a baseline too many", baseline=floats(rng, n + 1, 55, 95)),
            case(n, bad="a baseline of shape (1,)", baseline=[70.0]),
            case(n, bad=f"log_probs, rewards and entropies of shape ({n}, 1)", **columns),
            case(n, bad="one number each for log_probs, rewards and entropies", **numbers),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The loss and what arrives where after backward()."""
        import torch

        form = instance.get("form")
        dtype = torch.float32 if form == "float32" else torch.float64
        other = torch.float32 if form == "other entropies" else dtype
        learned = form == "learned"
        leaves = {
            "log_probs": torch.tensor(instance["log_probs"], dtype=dtype, requires_grad=True),
            "entropies": torch.tensor(instance["entropies"], dtype=other, requires_grad=True),
            "rewards": torch.tensor(instance["rewards"], dtype=dtype, requires_grad=learned),
        }
        baseline: Any = instance["baseline"]
        if type(baseline) is list:
            baseline = leaves["baseline"] = torch.tensor(baseline, dtype=dtype, requires_grad=learned)
        rewards: Any = leaves["rewards"]
        if form == "arrays":
            rewards = rewards.numpy()
            baseline = baseline.numpy() if isinstance(baseline, torch.Tensor) else baseline
        loss = fn(leaves["log_probs"], rewards, baseline, leaves["entropies"], instance["weight"])
        if isinstance(loss, torch.Tensor):
            if loss.requires_grad:
                loss.sum().backward()
            loss = loss.reshape(()) if loss.numel() == 1 else loss
        # Where no gradient arrives, it is 0.
        grads = {
            name: torch.zeros_like(one) if one.grad is None else one.grad for name, one in leaves.items()
        }
        through = [grads.pop(name) for name in ("rewards", "baseline") if name in leaves]
        return {"loss": loss, "advantages": torch.stack(through) if learned else 0.0} | grads
