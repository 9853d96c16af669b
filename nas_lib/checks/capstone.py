"""Checks of lesson 09: TuNAS's reward, masks and warm-up, and the loop that trains weights and policy in turn.

torch is imported where it is used: looking an exercise up by its name imports the checks of all lessons.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator, default_rng

from nas_lib.checks.exercise import Instance
from nas_lib.checks.questions import ConceptQuestion
from nas_lib.checks.registry import register
from nas_lib.checks.values import FunctionExercise, Part, TensorExercise, ValueExercise

LESSON = "09_capstone"
NAN, INFINITY = float("nan"), float("inf")


def _floats(rng: Generator, shape: int | Sequence[int], low: float, high: float) -> Any:
    return rng.uniform(low, high, shape).round(3).tolist()


class AbsoluteReward(ValueExercise):
    """`absolute_reward(accuracy, cost, target, beta)` of numbers and of arrays."""

    name, lesson = "absolute_reward", LESSON
    parts: ClassVar = (Part("result", "the reward", "wrong-number"),)

    def instances(self, seed: int) -> list[Instance]:
        """Below, at and above the target, in several units; arrays; bad numbers."""
        rng = default_rng(seed)

        def case(cost: Any, **given: Any) -> Instance:
            shape = np.shape(cost)
            accuracy = _floats(rng, shape, 60, 95)
            return {"accuracy": accuracy, "cost": cost, "target": 10.0, "beta": -7.5, **given}

        cheap, dear = _floats(rng, 1, 2, 8)[0], _floats(rng, 1, 12, 30)[0]
        return [
            case(dear, about="a network above the target"),
            case(cheap, about="a network below the target"),
            case(10.0, about="a network exactly at the target"),
            case(3.1 * dear, beta=-0.5, about="a network far above the target"),
            case(cheap * 1e-3, target=0.004, about="costs in seconds"),
            case(620_000, target=500_000, accuracy=80, beta=-10, about="ints"),
            case(cheap, beta=0.0, about="a beta of 0"),
            case(0.0, about="a network that costs nothing"),
            # Code that works on numbers alone loses a part.
            case([cheap, dear, 10.0, cheap / 3], about="arrays", _left=0.75),
            case([[cheap, dear], [2 * dear, 10.0]], about="arrays of two axes", _left=0.75),
            case(dear, target=0.0, bad="a target of 0"),
            case(dear, target=-10.0, bad="a target of -10"),
            case(dear, target=NAN, bad="a target of NaN"),
            case(dear, beta=0.5, bad="a beta above 0"),
            case(dear, beta=NAN, bad="a beta of NaN"),
            case(-0.5, bad="a cost of -0.5"),
            case(INFINITY, bad="an infinite cost"),
            case(dear, accuracy=NAN, bad="an accuracy of NaN"),
            case([cheap, NAN], bad="a cost of NaN in an array"),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The reward of numbers, or of arrays."""
        given = [instance["accuracy"], instance["cost"]]
        if isinstance(instance["cost"], list):
            given = [np.array(one) for one in given]
        return fn(*given, instance["target"], instance["beta"])


class _Masking(TensorExercise):
    """With `grad=False` nothing needs a gradient, so that a change in place would go through."""

    returns = "tensor"

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The result, and gradients for a given one behind it."""
        import torch

        dtype = getattr(torch, instance.get("dtype", "float64"))
        given = {
            name: torch.tensor(np.asarray(instance[name]), dtype=dtype)
            if name in self.leaves
            else instance[name]
            for name in self.arguments
        }
        for name in self.leaves:
            given[name].requires_grad_(instance.get("grad", True))
        out = fn(*given.values())
        if not isinstance(out, torch.Tensor):
            return {"result": out}
        if out.requires_grad:
            # Another weight for each entry: a plain sum cannot tell where it comes from.
            weights = torch.arange(1, out.numel() + 1, dtype=out.dtype).reshape(out.shape)
            (out * weights).sum().backward()
        grads = {name: given[name].grad for name in self.leaves}
        return {
            "result": out.detach(),
            **{name: torch.zeros_like(given[name]) if g is None else g for name, g in grads.items()},
        }


def _gradient(name: str) -> Part:
    return Part(name, f"the gradient that arrives at {name}", "wrong-gradient", tolerance=1e-5)


class MaskedLinear(_Masking):
    """`masked_linear(x, weight, bias, width)`: the features, and the gradients at all three."""

    name, lesson = "masked_linear", LESSON
    leaves = ("x", "weight", "bias")
    arguments = (*leaves, "width")
    parts: ClassVar = (
        Part("result", "the result", "wrong-features", tolerance=1e-5),
        *map(_gradient, leaves),
    )

    def instances(self, seed: int) -> list[Instance]:
        """Rows, tokens and single vectors; one feature, some, and all; square layers; bad shapes and widths."""
        rng = default_rng(seed)

        def case(shape: Sequence[int], features: int, width: int, **given: Any) -> Instance:
            return {
                "x": _floats(rng, shape, -2, 2),
                "weight": _floats(rng, (features, shape[-1]), -1, 1),
                "bias": _floats(rng, features, 0.5, 2),
                "width": width,
                **given,
            }

        short, long, turned, wide, narrow, flat, deep = (case((2, 3), 5, 2) for _ in range(7))
        short["bias"] = short["bias"][:4]
        long["bias"] = [*long["bias"], 1.0]
        turned["weight"] = np.array(turned["weight"]).T.tolist()
        wide["x"] = [[*row, 1.0] for row in wide["x"]]
        narrow["x"] = [row[:2] for row in narrow["x"]]
        flat["weight"] = flat["weight"][0]
        deep["weight"] = [[[one, one] for one in row] for row in deep["weight"]]
        return [
            case((4, 3), 6, 2),
            case((2, 5, 3), 4, 3, about="tokens (B, T, features)"),
            case((3, 3), 3, 2, about="as many rows as features"),
            case((4,), 5, 3, about="a single vector"),
            case((3, 4), 5, 1, about="a width of 1"),
            case((3, 4), 5, 5, about="the full width"),
            case((2, 2, 3), 5, 4, grad=False, about="tensors that need no gradient"),
            case((3, 4), 6, 4, dtype="float32", about="float32"),
            case((2, 3), 5, 0, bad="a width of 0"),
            case((2, 3), 5, -2, bad="a width of -2"),
            case((2, 3), 5, 6, bad="a width of 6 for 5 features"),
            short | {"bad": "4 biases for 5 features"},
            long | {"bad": "6 biases for 5 features"},
            turned | {"bad": "a weight of the shape (3, 5) for inputs (2, 3)"},
            wide | {"bad": "a weight of the shape (5, 3) for inputs (2, 4)"},
            narrow | {"bad": "a weight of the shape (5, 3) for inputs (2, 2)"},
            flat | {"bad": "a weight of the shape (3,)"},
            deep | {"bad": "a weight of the shape (5, 3, 2)"},
        ]


class MaskedHeads(_Masking):
    """`masked_heads(values, active)`: values and their gradient."""

    name, lesson = "masked_heads", LESSON
    leaves = ("values",)
    arguments = (*leaves, "active")
    parts: ClassVar = (Part("result", "the result", "wrong-heads", tolerance=1e-6), *map(_gradient, leaves))

    def instances(self, seed: int) -> list[Instance]:
        """All sizes different and all equal, one head, some and all; bad shapes and numbers."""
        rng = default_rng(seed)

        def case(shape: Sequence[int], active: int, **given: Any) -> Instance:
            return {"values": _floats(rng, shape, 0.5, 2), "active": active, **given}

        return [
            case((2, 4, 3, 5), 2),
            case((3, 3, 3, 3), 2, about="as many heads as images, tokens and numbers"),
            case((2, 4, 3, 2), 1, about="one head"),
            case((1, 3, 4, 2), 3, about="all heads"),
            case((5, 2, 6, 1), 1, about="heads of one number"),
            case((2, 4, 2, 3), 3, grad=False, about="values that need no gradient"),
            case((2, 3, 2, 2), 2, dtype="float32", about="float32"),
            case((2, 4, 3, 5), 0, bad="no active heads"),
            case((2, 4, 3, 5), -1, bad="active = -1"),
            case((2, 4, 3, 5), 5, bad="5 active heads of 4"),
            case((4, 3, 5), 2, bad="values of three axes"),
            case((2, 3, 2, 2, 2), 2, bad="values of five axes"),
        ]


class WarmupProbability(FunctionExercise):
    """`warmup_probability(step, warmup)`."""

    name, lesson, returns = "warmup_probability", LESSON, "float"

    def problems(self, rng: Generator) -> list[tuple[str, list[list[Any]]]]:
        """Within the warm-up, at its ends, and long after."""
        warmup = int(rng.integers(30, 90))
        inside = sorted(rng.choice(np.arange(1, warmup), 4, replace=False).tolist())
        return [
            ("", [[step, warmup] for step in inside]),
            ("the first step", [[0, warmup], [0, 1]]),
            ("the last step of the warm-up", [[warmup - 1, warmup]]),
            ("the first step after the warm-up", [[warmup, warmup], [1, 1]]),
            ("long after the warm-up", [[warmup + 5, warmup], [40 * warmup, warmup]]),
            ("a long warm-up", [[1, 10**6], [3 * 10**5, 10**6]]),
        ]

    def bad(self) -> list[tuple[str, list[Any]]]:
        """Below the range."""
        return [("step = -1", [-1, 10]), ("a warm-up of 0 steps", [3, 0]), ("a warm-up of -5 steps", [3, -5])]


class _Noting:
    """A search that notes what it is asked for, in order; architectures and rewards are given."""

    def __init__(self, archs: Sequence[str], rewards: Sequence[float]) -> None:
        self._archs, self._rewards = iter(archs), iter(rewards)
        self.calls: list[list[Any]] = []
        self.advantages: list[Any] = []

    def sample(self) -> str:
        """The next architecture."""
        self.calls.append(["sample"])
        return next(self._archs, "one more")

    def train(self, arch: Any) -> float:
        """A step of the weights; the loss."""
        self.calls.append(["train", arch])
        return 2.3

    def score(self, arch: Any) -> float:
        """The next reward."""
        self.calls.append(["score", arch])
        return next(self._rewards, 0.0)

    def learn(self, arch: Any, advantage: Any) -> None:
        """A step of the policy."""
        self.calls.append(["learn", arch])
        self.advantages.append(float(advantage))


class InterleavedSearch(ValueExercise):
    """`interleaved_search(steps, probability, start, search, momentum, rng)`: what it calls, in order, with what."""

    name, lesson = "interleaved_search", LESSON
    parts: ClassVar = (
        Part("calls", "the list of calls", "wrong-calls", exact=True),
        Part("advantages", "the list of advantages", "wrong-advantage", tolerance=1e-7),
        Part("result", "the list of rewards", "wrong-result", tolerance=1e-7),
    )

    def instances(self, seed: int) -> list[Instance]:
        """With and without warm-up, a policy that starts at once, late and never, momenta; bad numbers."""
        rng = default_rng(seed)

        def case(steps: int, warmup: int, start: int, **given: Any) -> Instance:
            return {
                "steps": steps,
                "warmup": warmup,
                "start": start,
                "archs": [f"net{i}" for i in rng.integers(100, 1000, max(steps, 1)).tolist()],
                "rewards": _floats(rng, max(steps, 1), 40, 90),
                "momentum": 0.8,
                "rng": int(rng.integers(2**31)),
                **given,
            }

        nan = case(6, 2, 2)
        nan["rewards"][1] = NAN
        return [
            case(14, 8, 4),
            case(6, 0, 0, about="no warm-up, and a policy that learns from the first step"),
            case(12, 12, 12, about="a policy that never learns"),
            case(1, 0, 0, about="a single step"),
            case(9, 4, 3, momentum=0.0, about="a momentum of 0: the average is the last reward"),
            case(10, 3, 5, momentum=0.95, about="a momentum of 0.95"),
            case(20, 20, 10, constant=0.5, about="a probability of one half"),
            case(0, 0, 0, bad="no steps"),
            case(-3, 0, 0, bad="steps = -3"),
            case(6, 2, -1, bad="start = -1"),
            case(6, 2, 7, bad="a start after the last step"),
            case(6, 2, 2, momentum=1.0, bad="a momentum of 1"),
            case(6, 2, 2, momentum=1.5, bad="a momentum of 1.5"),
            case(6, 2, 2, momentum=-0.1, bad="a momentum of -0.1"),
            nan | {"bad": "a reward of NaN"},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """Its calls, the advantages, and what it returned."""
        search = _Noting(instance["archs"], instance["rewards"])
        constant, warmup = instance.get("constant"), instance["warmup"]

        def probability(step: int) -> float:
            if constant is not None:
                return float(constant)
            return max(0.0, 1.0 - step / warmup) if warmup else 0.0

        found = fn(
            instance["steps"],
            probability,
            instance["start"],
            search,
            instance["momentum"],
            default_rng(instance["rng"]),
        )
        return {"calls": search.calls, "advantages": search.advantages, "result": found}


register(
    AbsoluteReward(),
    MaskedLinear(),
    MaskedHeads(),
    WarmupProbability(),
    InterleavedSearch(),
    *(ConceptQuestion(f"concept_09_{number}", LESSON) for number in (1, 2, 3, 4)),
)
