"""Cases of the three steps: problems of two levels, torch's own optimisers, and what a step moves and leaves behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator, default_rng

from nas_lib.checks.darts.shared import LESSON, normal, rounded, tensor
from nas_lib.checks.darts.toys import (
    ADAM,
    DECAY,
    NO_IMAGES,
    PLAIN,
    batch,
    bent,
    loss_of,
    mixture,
    model_of,
    monomials,
    optimizer_of,
)
from nas_lib.checks.exercise import Instance
from nas_lib.checks.values import Part, ValueExercise

NAN, INFINITY = float("nan"), float("inf")


class Step(ValueExercise):
    """What the three steps share: problems, and a probe that notes all tensors afterwards."""

    returns = "float"
    moved, idle, data = "alphas", "logits", "valid"
    """The group that the optimiser holds, one of its tensors in words, and the batch that its loss is taken on."""

    def problems(self, rng: Generator) -> list[Instance]:
        """Problems that are particular to the step."""
        return []

    def bad(self, rng: Generator) -> list[Instance]:
        """Bad input that is particular to the step."""
        return []

    def call(self, fn: Any, model: Any, spec: Instance, optimizer: Any) -> Any:
        """Call the learner's step."""
        raise NotImplementedError

    def instances(self, seed: int) -> list[Instance]:
        """The paper's toy and mixtures, by several optimisers, with gradients left from before, a weight without
        influence, twice on the same objects, steep and flat and negative losses; bad ones."""
        rng = default_rng(seed)
        return [
            monomials(rng, about="the toy of the DARTS paper"),
            mixture(rng, about="a mixture of linear maps"),
            mixture(rng, optimizer=ADAM, about="an Adam optimiser"),
            self._stale(rng),
            mixture(
                rng, unused="weights", optimizer=PLAIN, about="a weight that the loss does not depend on"
            ),
            mixture(rng, optimizer=DECAY, times=2, about="two steps with the same model and optimiser"),
            self._small(rng),
            self._steep(rng),
            self._flat(rng),
            self._negative(rng),
            self._stale(
                rng,
                unused=self.moved,
                optimizer=PLAIN,
                about=f"an old gradient on {self.idle} without influence",
            ),
            *self.problems(rng),
            *(one | {"changes": []} for one in [*self._endless(rng, self.data), *self.bad(rng)]),
        ]

    def _stale(self, rng: Generator, about: str = "gradients left from before", **more: Any) -> Instance:
        problem = mixture(rng, about=about, **more)
        shapes = {name: list(problem[name].values()) for name in ("weights", "alphas")}
        return problem | {"stale": {name: _like(rng, group) for name, group in shapes.items()}}

    @staticmethod
    def _small(rng: Generator) -> Instance:
        """Weights that sums of larger numbers do not give back to the bit, in two groups with rates of their own."""
        two = DECAY | {"apart": True}
        small = mixture(rng, optimizer=two, about="weights near zero, and an optimiser with two groups")
        small["weights"]["w"] = (1e-5 * np.array(small["weights"]["w"])).round(8).tolist()
        return small

    @staticmethod
    def _steep(rng: Generator) -> Instance:
        """Slopes in the dozens, and rates to match: what is clipped shows."""
        steep = mixture(rng, scale=200.0, optimizer=PLAIN | {"lr": 0.00025}, about="a steep loss")
        return steep | {"weight_lr": round(steep["weight_lr"] / 200, 5)}

    @staticmethod
    def _flat(rng: Generator) -> Instance:
        """Slopes of the size 1e-6, and rates to match: what counts as zero too early shows."""
        flat = mixture(rng, scale=3e-6, optimizer=PLAIN | {"lr": 2e4}, about="a flat loss")
        return flat | {"weight_lr": round(float(rng.uniform(5e4, 1e5)), 1)}

    @staticmethod
    def _negative(rng: Generator) -> Instance:
        """The toy where both of its losses are below zero, in evaluation mode, far from the origin."""
        w, a = (round(float(one), 3) for one in (rng.uniform(-12.5, -11.5), rng.uniform(7, 8)))
        toy = monomials(rng, w=w, a=a, training=False, about="losses below zero, in evaluation mode")
        toy["train"][1][5] = -1000.0
        return toy | {"weight_lr": 0.1}

    @staticmethod
    def _endless(rng: Generator, data: str) -> list[Instance]:
        """Losses that are no number."""
        infinite = mixture(rng, bad=f"an infinite {_NAMES[data]} loss")
        infinite[data][1][0] = INFINITY
        nan = mixture(rng, bad=f"a {_NAMES[data]} loss of NaN")
        nan[data][1][-1] = NAN
        negative = monomials(rng, bad=f"a {_NAMES[data]} loss of minus infinity")
        negative[data][1][5] = -INFINITY
        return [nan, infinite, negative]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """Both groups and the gradients on the weights after the step, and what it returned."""
        model = model_of(instance)
        groups = {"weights": model.weights(), "alphas": model.alphas()}
        optimizer = optimizer_of(instance, groups[self.moved], instance["past"][self.moved])
        for name, slopes in instance.get("stale", {}).items():
            for one, slope in zip(groups[name], slopes):
                one.grad = tensor(slope)
        before = [_copy(one.grad) for one in groups["weights"]]
        losses = [self.call(fn, model, instance, optimizer) for _ in range(instance.get("times", 1))]
        return {
            "loss": losses if len(losses) > 1 else losses[0],
            "left": _flat([_left(one, was) for one, was in zip(groups["weights"], before)]),
            **{name: _flat(group) for name, group in groups.items()},
        }


_NAMES = {"train": "training", "valid": "validation"}


def _like(rng: Generator, values: Sequence[Any]) -> list[Any]:
    return [normal(rng, *np.shape(one)) for one in values]


def _copy(value: Any) -> Any:
    return None if value is None else value.detach().clone()


def _left(weight: Any, before: Any) -> Any:
    """The gradient that a call leaves on a weight: zero where there is none, or the one from before."""
    import torch

    kept = weight.grad is None or (before is not None and torch.equal(weight.grad, before))
    return torch.zeros_like(weight) if kept else weight.grad


def _flat(tensors: Sequence[Any]) -> Any:
    import torch

    return rounded(torch.cat([one.detach().reshape(-1) for one in tensors]))


class WeightStep(Step):
    """`weight_step(model, loss_fn, batch, optimizer)`: by the optimiser, the alphas held still."""

    name, lesson = "weight_step", LESSON
    moved, idle, data = "weights", "a weight", "train"
    changes = ("*.[wvu]", "*.[wvuab].grad", "*.state*")
    parts: ClassVar[tuple[Part, ...]] = (
        Part("weights", "the tensor of all weights after the step", "other-step", tolerance=1e-8),
        Part(
            "alphas",
            concept="moves-both",
            message="the alphas changed: this step is for the weights alone",
            tolerance=1e-8,
        ),
        Part("loss", "the returned loss", "returned-loss", tolerance=1e-6),
    )

    def call(self, fn: Any, model: Any, spec: Instance, optimizer: Any) -> Any:
        """On the training batch."""
        return fn(model, loss_of(spec), batch(spec, "train"), optimizer)


class AlphaStep(Step):
    """What both steps of the alphas share: weights and their gradients stay as they were."""

    changes = ("*.[abc]", "*.[wvuabc].grad", "*.state*")
    parts: ClassVar[tuple[Part, ...]] = (
        Part("alphas", "the tensor of all alphas after the step", "other-step", tolerance=1e-8),
        Part(
            "weights",
            concept="weights-not-restored",
            message="this step is for the alphas alone, and whatever moves the weights on the way has to be undone: "
            "the tensor of all weights {differ}",
            tolerance=1e-8,
        ),
        Part(
            "left",
            concept="leaks-gradients",
            message="a gradient is left on the weights: if the next weight step adds to it, the weights are trained "
            "on validation images. torch.autograd.grad(loss, model.alphas()) touches nothing else",
            score=0.5,
        ),
        Part("loss", "the returned loss", "returned-loss", tolerance=1e-6),
    )


class AlphaStepFirstOrder(AlphaStep):
    """`alpha_step_first_order(...)`: the gradient of the validation loss, the weights held still."""

    name, lesson = "alpha_step_first_order", LESSON

    def call(self, fn: Any, model: Any, spec: Instance, optimizer: Any) -> Any:
        """On the validation batch."""
        return fn(model, loss_of(spec), batch(spec, "valid"), optimizer)


class AlphaStepSecondOrder(AlphaStep):
    """`alpha_step_second_order(...)`: through one virtual step."""

    name, lesson = "alpha_step_second_order", LESSON

    def problems(self, rng: Generator) -> list[Instance]:
        """Points of the difference that count; a validation gradient of zero, as at the toy's start in the paper; no
        virtual step."""
        zero = "α = 2, where the toy's ∇_w L_valid is zero"
        return [
            bent(rng, 0.3, eps=0.3, about="eps = 0.3, and a training loss that bends"),
            bent(rng, 0.01, about="a training loss that bends"),
            monomials(rng, w=-2.0, a=2.0, about=zero),
            mixture(rng, weight_lr=0, about="weight_lr = 0"),
        ]

    def bad(self, rng: Generator) -> list[Instance]:
        """Impossible losses, radii and rates."""
        far = "a validation loss that is infinite after the virtual step alone"
        return [
            *self._endless(rng, "train"),
            monomials(rng, w=2.0, a=1.0, bad=far)
            | {"weight_lr": 1e200, "valid": [NO_IMAGES, [*[1.0], *[0.0] * 6]]},
            mixture(rng, eps=0.0, bad="eps = 0"),
            mixture(rng, eps=-0.01, bad="eps = -0.01"),
            monomials(rng, w=-2.0, a=2.0, eps=NAN, bad="eps = NaN"),
            mixture(rng, bad="weight_lr = -0.1") | {"weight_lr": -0.1},
            mixture(rng, bad="weight_lr = NaN") | {"weight_lr": NAN},
            mixture(rng, bad="an infinite weight_lr") | {"weight_lr": INFINITY},
            mixture(rng, bad="a weight_lr of minus infinity") | {"weight_lr": -INFINITY},
        ]

    def call(self, fn: Any, model: Any, spec: Instance, optimizer: Any) -> Any:
        """eps is passed only where it is given."""
        options = {"eps": spec["eps"]} if "eps" in spec else {}
        batches = batch(spec, "train"), batch(spec, "valid")
        return fn(model, loss_of(spec), *batches, optimizer, spec["weight_lr"], **options)
