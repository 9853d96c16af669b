"""Checks of lesson 09: TuNAS's reward, masks and warm-up, and the loop that trains weights and policy in turn.

torch is imported where it is used: looking an exercise up by its name imports the checks of all lessons.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator, default_rng

from nas_lib.checks.codec import describe
from nas_lib.checks.exercise import Instance, Verdict, fail, show
from nas_lib.checks.judging import CONDUCT
from nas_lib.checks.oracles import Refused
from nas_lib.checks.questions import ConceptQuestion
from nas_lib.checks.registry import register
from nas_lib.checks.values import FunctionExercise, Part, TensorExercise, ValueExercise

LESSON = "09_capstone"
NAN, INFINITY = float("nan"), float("inf")


def _floats(rng: Generator, shape: int | Sequence[int], low: float, high: float) -> Any:
    return rng.uniform(low, high, shape).round(6).tolist()


class AbsoluteReward(ValueExercise):
    """`absolute_reward(accuracy, cost, target, beta)` of numbers and of arrays."""

    name, lesson = "absolute_reward", LESSON
    parts: ClassVar = (
        Part("result", "the reward", "wrong-number"),
        Part("form", "what comes back", "wrong-type", exact=True, score=CONDUCT),
    )

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
            case(25 * dear, about="a reward below 0"),
            case(10.004, about="a network almost at the target"),
            case(cheap * 1e-3, target=0.004, about="costs in seconds"),
            case(620_000, target=500_000, accuracy=80, beta=-10, about="ints"),
            case(cheap, beta=0.0, about="a beta of 0"),
            case(0.0, about="a network that costs nothing"),
            # Code that works on numbers alone loses a part.
            case([cheap, dear, 10.0, cheap / 3, *_floats(rng, 16, 1, 30)], about="arrays", _left=0.75),
            case([[cheap, dear], [2 * dear, 10.0]], about="arrays of two axes", _left=0.75),
            case(dear, target=0.0, bad="a target of 0"),
            case(dear, target=-10.0, bad="a target of -10"),
            case(dear, target=NAN, bad="a target of NaN"),
            case(dear, target=INFINITY, bad="an infinite target"),
            case(dear, beta=0.5, bad="a beta above 0"),
            case(dear, beta=NAN, bad="a beta of NaN"),
            case(dear, beta=-INFINITY, bad="a beta of minus infinity"),
            case(-0.5, bad="a cost of -0.5"),
            case(INFINITY, bad="an infinite cost"),
            case(dear, accuracy=NAN, bad="an accuracy of NaN"),
            case(dear, accuracy=INFINITY, bad="an infinite accuracy"),
            case([cheap, NAN], bad="a cost of NaN in an array"),
            case([cheap, dear, -0.5], bad="a cost of -0.5 in an array"),
            case([cheap, dear], accuracy=[80.0, NAN], bad="an accuracy of NaN in an array"),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The reward of numbers, or of arrays."""
        given = [instance["accuracy"], instance["cost"]]
        if isinstance(instance["cost"], list):
            given = [np.array(one) for one in given]
        found = fn(*given, instance["target"], instance["beta"])
        if found is None:
            return None
        arrays = isinstance(instance["cost"], list)
        sound = isinstance(found, np.ndarray if arrays else (int, float, np.number, np.ndarray))
        return {"result": found, "form": "as it should be" if sound else describe(found)}

    def shown(self, instance: Instance, part: Part, found: Any, right: Any) -> Verdict:
        """Of the form, what is asked for."""
        if part.key != "form":
            return super().shown(instance, part, found, right)
        wanted = "an array" if isinstance(instance["cost"], list) else "a number"
        return fail(part.concept, f"of {wanted} comes {found}: {wanted} should come back", part.score)


_REACHED = Part("reached", "", "no-gradient", "gradients reach {found}, should reach {right}", exact=True)
_CONDUCT: tuple[Part, ...] = (
    Part("dtype", "the result's dtype", "wrong-dtype", exact=True, score=CONDUCT),
    Part(
        "fresh",
        "the result",
        "not-a-new-tensor",
        "the result shares its memory with what was passed in: return a new tensor, also where all is on",
        exact=True,
        score=CONDUCT,
    ),
)


class _Masking(TensorExercise):
    """With `grad=False` nothing needs a gradient, so that a change in place would go through. With `strided` the first
    argument does not lie side by side in memory, as after a transposition of these two axes."""

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
        if axes := instance.get("strided"):
            first = self.leaves[0]
            given[first] = given[first].transpose(*axes).contiguous().transpose(*axes)
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
        storage = out.untyped_storage().data_ptr()
        return {
            "result": out.detach(),
            "reached": [name for name, one in grads.items() if one is not None],
            "dtype": str(out.dtype).removeprefix("torch."),
            "fresh": all(given[name].untyped_storage().data_ptr() != storage for name in self.leaves),
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
        _REACHED,
        *map(_gradient, leaves),
        *_CONDUCT,
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

        def whole(*shape: int) -> Any:
            return rng.integers(1, 5, shape).tolist()

        far = case((2, 3), 4, 2)
        far["weight"] = [[one, other, -one - other] for one, other, _ in far["weight"]]
        short, long, turned, wide, narrow, flat, deep, single, rows = (case((2, 3), 5, 2) for _ in range(9))
        single["bias"] = single["bias"][:1]
        rows["bias"] = [rows["bias"]]
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
            # Small whole numbers, with exact sums in each order; then numbers whose differences a float32 loses.
            case(
                (2, 3),
                4,
                2,
                dtype="float16",
                x=whole(2, 3),
                weight=whole(4, 3),
                bias=whole(4),
                about="float16",
            ),
            far | {"x": [[one + 1e6 for one in row] for row in far["x"]], "about": "inputs far from 0"},
            case((2, 5, 3), 4, 3, strided=[0, 1], about="an x that was transposed"),
            case((2, 3), 5, 0, bad="a width of 0"),
            case((2, 3), 5, -2, bad="a width of -2"),
            case((2, 3), 5, 6, bad="a width of 6 for 5 features"),
            short | {"bad": "4 biases for 5 features"},
            long | {"bad": "6 biases for 5 features"},
            single | {"bad": "one bias for 5 features"},
            rows | {"bad": "a bias of the shape (1, 5)"},
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
    parts: ClassVar = (
        Part("result", "the result", "wrong-heads", tolerance=1e-6),
        _REACHED,
        *map(_gradient, leaves),
        *_CONDUCT,
    )

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
            case((2, 3, 2, 3), 3, grad=False, about="all heads, and values that need no gradient"),
            case((2, 4, 3, 2), 3, strided=[1, 2], about="values that were transposed"),
            case((2, 3, 2, 2), 2, dtype="float32", about="float32"),
            case((2, 3, 2, 2), 2, dtype="float16", about="float16"),
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
        return [
            ("step = -1", [-1, 10]),
            ("a warm-up of 0 steps", [3, 0]),
            ("a warm-up of -5 steps", [3, -5]),
        ]


class _Noting:
    """A search that notes what it is asked for, in order; architectures and rewards are given.

    `closed`: an argument was out of range, so that nothing should be asked.
    """

    def __init__(self, archs: Sequence[str], rewards: Sequence[float], closed: bool = False) -> None:
        self._archs, self._rewards, self._closed = iter(archs), iter(rewards), closed
        self._last = 0.0
        self.calls: list[list[Any]] = []
        self.advantages: list[Any] = []

    def sample(self) -> str:
        """The next architecture.

        Raises:
            Refused: an argument was out of range.
        """
        if self._closed:
            raise Refused("search.sample() was called")
        self.calls.append(["sample"])
        return next(self._archs, "one more")

    def train(self, arch: Any) -> float:
        """A step of the weights; the loss."""
        self.calls.append(["train", arch])
        return 2.3

    def score(self, arch: Any) -> float:
        """The next reward."""
        self.calls.append(["score", arch])
        self._last = next(self._rewards, 0.0)
        return self._last

    def learn(self, arch: Any, advantage: Any) -> None:
        """A step of the policy.

        Raises:
            Refused: the reward was not finite.
        """
        if not np.isfinite(self._last):
            raise Refused(f"search.learn() was called after a reward of {show(self._last)}")
        self.calls.append(["learn", arch])
        self.advantages.append(float(advantage))


class _Calls(Part):
    """The log, in the order of the calls."""

    def differ(self, found: Any, right: Any) -> str:
        """The first call that differs, and in which step."""
        at = next(
            (at for at, (one, other) in enumerate(zip(found, right)) if one != other),
            min(len(found), len(right)),
        )
        step = max(0, sum(call[0] == "sample" for call in right[: at + 1]) - 1)
        return f"{_call(found, at)}, should be {_call(right, at)} (call {at + 1}, in step {step})"


def _call(calls: Any, at: int) -> str:
    if at >= len(calls):
        return "no call"
    name, *given = calls[at]
    more = ["…"] if name == "learn" else []
    return f"{name}({', '.join([*map(show, given), *more])})"


class InterleavedSearch(ValueExercise):
    """`interleaved_search(steps, probability, start, search, momentum, rng)`: what it calls, in order, with what."""

    name, lesson, returns = "interleaved_search", LESSON, "sequence"
    parts: ClassVar = (
        _Calls("calls", "what is called", "wrong-calls", "a call is {differ}", exact=True),
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

        def odd(place: int, value: float) -> Instance:
            found = case(6, 2, 2)
            found["rewards"][place] = value
            return found

        level = case(8, 2, 2)
        level["rewards"] = [0.0, 5.0, -3.0, *level["rewards"][3:]]
        even = case(5, 0, 1)
        even["chances"] = default_rng(even["rng"]).random(5).tolist()
        return [
            case(14, 8, 4),
            case(6, 0, 0, about="no warm-up, and a policy that learns from the first step"),
            case(12, 12, 12, about="a policy that never learns"),
            case(1, 0, 0, about="a single step"),
            case(9, 4, 3, momentum=0.0, about="a momentum of 0: the average is the last reward"),
            case(10, 3, 5, momentum=0.95, about="a momentum of 0.95"),
            case(20, 20, 10, chances=[0.5], about="a probability of one half"),
            case(24, 0, 3, chances=[0.0, 0.5, 1.0, 0.5], about="a probability that rises and falls"),
            even | {"about": "a probability that is the number drawn"},
            level | {"about": "a first reward of 0, and one below 0"},
            case(0, 0, 0, closed=True, bad="no steps"),
            case(-3, 0, 0, closed=True, bad="steps = -3"),
            case(6, 2, -1, closed=True, bad="start = -1"),
            case(6, 2, 7, closed=True, bad="a start after the last step"),
            case(6, 2, 2, momentum=1.0, closed=True, bad="a momentum of 1"),
            case(6, 2, 2, momentum=1.5, closed=True, bad="a momentum of 1.5"),
            case(6, 2, 2, momentum=-0.1, closed=True, bad="a momentum of -0.1"),
            case(6, 2, 2, momentum=NAN, closed=True, bad="a momentum of NaN"),
            odd(1, NAN) | {"bad": "a reward of NaN"},
            odd(0, NAN) | {"bad": "a first reward of NaN"},
            odd(2, INFINITY) | {"bad": "an infinite reward"},
            odd(1, -INFINITY) | {"bad": "a reward of minus infinity"},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """Its calls, the advantages, and what it returned."""
        chances, warmup = instance.get("chances"), instance["warmup"]
        search = _Noting(instance["archs"], instance["rewards"], instance.get("closed", False))

        def probability(step: int) -> float:
            if chances is not None:
                return float(chances[int(step) % len(chances)])
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
