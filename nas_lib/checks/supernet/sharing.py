"""Cases of `enas_controller_step`: a small controller, rewards that a shared weight has a part in, and what moves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from numpy.random import default_rng

from nas_lib.checks.codec import NotPlainData, describe
from nas_lib.checks.exercise import Instance
from nas_lib.checks.judging import CONDUCT
from nas_lib.checks.supernet.shared import INFINITY, LESSON, NAN, between, floats
from nas_lib.checks.values import Part, ValueExercise

NUMBERS = 1e-6  # rewards may be float32


def controller_of(biases: Sequence[Sequence[float]], links: Sequence[Any]) -> Any:
    """A controller as lesson 03's, in float64: the scores of a decision depend on the choice before it.

    It notes in `drawn` the numbers that `sample` was called with.
    """
    import torch
    from torch import nn

    def parameters(values: Sequence[Any]) -> Any:
        return nn.ParameterList(torch.tensor(one, dtype=torch.float64) for one in values)

    class Controller(nn.Module):
        """Architectures decision by decision."""

        def __init__(self) -> None:
            super().__init__()
            self.biases, self.links = parameters(biases), parameters(links)
            self.unused = nn.Parameter(torch.ones(2, dtype=torch.float64))
            self.drawn: list[Any] = []

        def sample(self, n: int, generator: torch.Generator) -> Any:
            """Actions (n, D) int64, log-probabilities (n,) and entropies (n,)."""
            if n < 1:
                raise ValueError(f"n must be 1 or more, got {n}")
            self.drawn.append(int(n))
            shares = torch.rand(n, len(self.biases), generator=generator, dtype=torch.float64)
            return self._walk(n, lambda place, p: (p.cumsum(1) < shares[:, place, None]).sum(1))

        def log_prob(self, actions: Any) -> Any:
            """(n,) log-probabilities of given actions (n, D)."""
            return self._walk(len(actions), lambda place, p: actions[:, place])[1]

        def _walk(self, n: int, choose: Any) -> Any:
            chosen: list[Any] = []
            log_probs, entropies = torch.zeros(n, dtype=torch.float64), torch.zeros(n, dtype=torch.float64)
            for place, bias in enumerate(self.biases):
                scores = bias.expand(n, -1)
                if place:
                    scores = scores + self.links[place - 1][chosen[-1]]
                log_p = scores.log_softmax(1)
                action = choose(place, log_p.detach().exp()).clamp(max=len(bias) - 1)
                chosen.append(action)
                log_probs = log_probs + log_p.gather(1, action[:, None])[:, 0]
                entropies = entropies - (log_p.exp() * log_p).sum(1)
            return torch.stack(chosen, 1), log_probs, entropies

    return Controller()


class EnasControllerStep(ValueExercise):
    """`enas_controller_step(controller, score, ...)`: one step of the controller, none of what scores."""

    name, lesson, returns = "enas_controller_step", LESSON, "tuple"
    changes = (
        "controller.biases*",
        "controller.links*",
        "controller.unused.grad",
        "controller.drawn*",
        "optimizer.state*",
    )
    parts = (
        Part(
            "sampled",
            concept="other-samples",
            message="what controller.sample was asked for, call by call, {differ}: n architectures, once",
            exact=True,
        ),
        Part(
            "scored",
            concept="other-scores",
            message="what was scored, call by call, {differ}: the (n, D) actions that controller.sample gives with "
            "this `generator`, as they are, in one call",
            exact=True,
        ),
        Part(
            "unused",
            concept="moves-the-others",
            message="a weight of the controller that has no part in its samples has moved",
            tolerance=0.0,
        ),
        Part(
            "weights",
            concept="wrong-step",
            message="the controller moves otherwise than one step of the optimizer on "
            "−mean((R − b)·log p) − entropy_weight·mean(H) moves it: the list of its weights {differ}",
            tolerance=NUMBERS,
        ),
        Part(
            "shared",
            concept="trains-the-shared-weights",
            message="a gradient arrives at the weights that the rewards come from: rewards are numbers here, so detach "
            "them",
            tolerance=NUMBERS,
        ),
        Part(
            "means",
            concept="other-mean",
            message="the controller moves rightly, but the mean reward returned {differ}",
            tolerance=NUMBERS,
        ),
        Part(
            "baselines",
            concept="other-baseline",
            message="the controller moves rightly, but the new baseline {differ}: decay·baseline + (1 − decay)·mean "
            "reward",
            tolerance=NUMBERS,
        ),
        Part(
            "plain",
            concept="wrong-type",
            message="the numbers are right, but mean reward and new baseline should be two floats, not tensors",
            score=CONDUCT,
            exact=True,
        ),
    )

    def instances(self, seed: int) -> list[Instance]:
        """One step and several, batches from one up, one decision and decisions of several sizes, decays and weights at
        their ends, rewards in several forms, several optimizers; bad input."""
        rng = default_rng(seed)

        def case(sizes: Sequence[int], n: int, steps: int = 1, **more: Any) -> Instance:
            return {
                "biases": [floats(rng, size, -0.6, 0.6) for size in sizes],
                "links": [floats(rng, pair) for pair in pairwise(sizes)],
                "gains": [floats(rng, size, 0, 9) for size in sizes],
                "level": between(rng, 50, 60),
                "n": n,
                "steps": steps,
                "baseline": between(rng, 52, 58),
                "decay": between(rng, 0.6, 0.9),
                "entropy_weight": between(rng, 0.5, 2),
                "seed": int(rng.integers(10**6)),
                "optimizer": "SGD",
                "options": {"lr": between(rng, 0.01, 0.05)},
                **more,
            }

        decay = {"lr": 0.02, "weight_decay": 0.3, "momentum": 0.9}
        bad = case((2, 3, 4), 5, stale=True, changes=["controller.drawn*"])
        wrong = [
            (f"{said} among the rewards", {"spoilt": value})
            for said, value in (("NaN", NAN), ("infinity", INFINITY), ("minus infinity", -INFINITY))
        ]
        return [
            case((3, 4, 2), 6),
            case((3, 3), 5, stale=True, about="gradients left over from before"),
            case((5,) * 6, 16, about="six decisions of five options"),
            case((3, 2, 4), 4, steps=3, about="three steps in a row"),
            case((3, 2), 5, steps=3, stale=True, options=decay, about="weight decay and momentum"),
            case((3, 2), 5, steps=3, optimizer="Adam", options={"lr": 0.05}, about="another optimizer"),
            case((4, 3), 1, about="a single sample"),
            case((4,), 5, about="a single decision"),
            case((1, 3, 1), 4, about="decisions with one option"),
            case((3, 3), 5, baseline=0.0, about="a baseline of 0"),
            case((3, 3), 5, decay=0, about="a decay of 0"),
            case((3, 3), 5, decay=1, about="a decay of 1"),
            case((3, 3), 5, entropy_weight=0, about="an entropy weight of 0"),
            case(
                (3, 3),
                5,
                entropy_weight=-0.5,
                baseline=-4,
                about="a negative weight, and a negative baseline",
            ),
            case((3, 3), 5, baseline=-50.0, level=-70.0, about="rewards below 0"),
            case((3, 3), 5, level=5000.0, about="rewards in the thousands"),
            case((3, 3), 6, form="list", about="rewards in a list"),
            case((3, 3), 6, form="array", about="rewards in an array"),
            case((3, 3), 6, form="counts", about="rewards that are whole numbers"),
            case((3, 3), 6, form="float32", about="rewards in float32"),
            case((3, 3), 6, form="shared", about="rewards with a gradient to the supernet's weights"),
            case((3, 3), 6, form="shared", training=False, about="a controller in evaluation mode"),
            case((2, 2), 4, equal=True, about="rewards that all equal the baseline"),
            *(bad | {"bad": said} | what for said, what in wrong),
            *(
                bad | {"bad": said, "form": form} | what
                for (said, what), form in zip(wrong, ("list", "array", "shared"))
            ),
            bad | {"bad": "a reward too few", "cut": 1},
            bad | {"bad": "a reward too many", "cut": -1},
            bad | {"bad": "one reward for five samples", "cut": 4},
            bad | {"bad": "a single number for all rewards", "form": "number"},
            bad | {"bad": "rewards of shape (5, 1)", "form": "column"},
            *(
                bad | {"bad": f"{phrase} of {said}", key: value}
                for key, phrase, said, value in (
                    ("decay", "a decay", "-0.1", -0.1),
                    ("decay", "a decay", "1.5", 1.5),
                    ("decay", "a decay", "NaN", NAN),
                    ("baseline", "a baseline", "NaN", NAN),
                    ("baseline", "a baseline", "infinity", INFINITY),
                    ("entropy_weight", "an entropy weight", "NaN", NAN),
                    ("entropy_weight", "an entropy weight", "infinity", INFINITY),
                    ("n", "an n", "0", 0),
                )
            ),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The controller's weights, what it was asked for, what was scored, and what came back."""
        import torch

        controller = controller_of(instance["biases"], instance["links"]).train(
            instance.get("training", True)
        )
        optimizer = getattr(torch.optim, instance["optimizer"])(
            controller.parameters(), **instance["options"]
        )
        if instance.get("stale"):
            for parameter in controller.parameters():
                parameter.grad = torch.ones_like(parameter)
        shared = torch.tensor(1.0, dtype=torch.float64, requires_grad=instance.get("form") == "shared")
        gains = [torch.tensor(one, dtype=torch.float64) for one in instance["gains"]]
        scored: list[Any] = []

        def score(actions: Any) -> Any:
            if not isinstance(actions, torch.Tensor) or actions.ndim != 2 or actions.dtype != torch.int64:
                raise NotPlainData(
                    f"score was called with {describe(actions)}, it takes the (n, D) int64 tensor of actions"
                )
            scored.append(actions.tolist())
            rewards = sum(gain[actions[:, place]] for place, gain in enumerate(gains))
            return self._formed(rewards + instance["level"], instance, shared)

        settings = instance["decay"], instance["n"], instance["entropy_weight"]
        generator, baseline = torch.Generator().manual_seed(instance["seed"]), instance["baseline"]
        means, baselines, plain = [], [], True
        for _ in range(instance["steps"]):
            result = fn(controller, score, optimizer, baseline, *settings, generator)
            if not isinstance(result, (tuple, list)) or len(result) != 2:
                raise NotPlainData(
                    f"returned {describe(result)} where a pair (mean reward, new baseline) is expected"
                )
            means.append(result[0])
            baselines.append(result[1])
            plain = plain and not any(isinstance(one, torch.Tensor) for one in result)
            baseline = float(result[1])
        named = dict(controller.named_parameters())
        return {
            "sampled": controller.drawn,
            "scored": scored,
            "unused": named.pop("unused"),
            "weights": [one for value in named.values() for one in value.detach().flatten().tolist()],
            "shared": torch.zeros(()) if shared.grad is None else shared.grad,
            "means": means,
            "baselines": baselines,
            "plain": plain,
        }

    @staticmethod
    def _formed(rewards: Any, instance: Instance, shared: Any) -> Any:
        """The rewards as the instance has them."""
        import torch

        form = instance.get("form")
        if instance.get("equal"):
            rewards = torch.full_like(rewards, instance["baseline"])
        if "spoilt" in instance:
            rewards[1] = instance["spoilt"]
        if "cut" in instance:
            cut = instance["cut"]
            rewards = rewards[:-cut] if cut > 0 else torch.cat([rewards, rewards[:1]])
        if form == "number":
            return float(rewards[0])
        if form == "counts":
            return rewards.round().long()
        if form == "column":
            return rewards[:, None]
        if form == "list":
            return rewards.tolist()
        if form == "array":
            return rewards.numpy()
        if form == "float32":
            return rewards.float()
        return rewards * shared
