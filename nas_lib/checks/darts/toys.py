"""Small problems with two levels, as data, and the models, losses and optimisers that are built from them.

∇_α L_train is a polynomial of degree two in the weights wherever a right step looks at it. So a central difference is
exact, and so is differentiating twice; a difference to one side is not. Where a `bend` is added, even that depends on
the points at which the difference is taken: it vanishes where the weights have moved by that much, and nowhere near.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

from nas_lib.checks.darts.shared import normal, tensor
from nas_lib.checks.exercise import Instance

MOMENTUM = {"kind": "SGD", "lr": 0.05, "momentum": 0.9}
DECAY = {"kind": "SGD", "lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}
PLAIN = {"kind": "SGD", "lr": 0.05}
ADAM = {"kind": "Adam", "lr": 0.05, "betas": [0.5, 0.999], "weight_decay": 0.001}
NO_IMAGES = [[0.0]]


def monomials(rng: Generator, w: float | None = None, a: float | None = None, **more: Any) -> Instance:
    """The DARTS paper's toy (figure 2): L_train = w² − 2αw + α², L_valid = αw − 2w + 1, from some point."""
    point = rng.uniform(-1.5, 1.5, size=2).round(3).tolist()
    return {
        "kind": "monomials",
        "weights": {"w": [point[0] if w is None else w]},
        "alphas": {"a": [point[1] if a is None else a]},
        "along": [1.0],
        "from": [0.0],
        "past": {"weights": [normal(rng, 1)], "alphas": [normal(rng, 1)]},
        "train": [NO_IMAGES, [1.0, -2.0, 0.0, 1.0, 0.0, 0.0, 0.0]],
        "valid": [NO_IMAGES, [0.0, 1.0, -2.0, 0.0, 0.0, 1.0, 0.0]],
        "weight_lr": round(float(rng.uniform(0.15, 0.4)), 3),
        "optimizer": MOMENTUM,
        **more,
    }


def bent(rng: Generator, bend: float, **more: Any) -> Instance:
    """The paper's toy on a line through two weights, with a bend that vanishes at this distance from where it begins.

    The validation loss is steeper than 1, so that its slope is no direction of length 1.
    """
    toy = monomials(rng, a=round(2 - float(rng.uniform(1.35, 1.65)), 3))
    return toy | {
        "weights": {"w": normal(rng, 1), "v": normal(rng, 1)},
        "along": [0.6, 0.8],
        "from": "start",
        "bend": bend,
        "past": toy["past"] | {"weights": [normal(rng, 1), normal(rng, 1)]},
        "train": [NO_IMAGES, [*toy["train"][1][:6], 1.0]],
        **more,
    }


def mixture(rng: Generator, unused: str | None = None, **more: Any) -> Instance:
    """A regression by a softmax mixture of linear maps, with batches of unequal size and a frozen scale; in the group
    `unused`, one more tensor on which the loss does not depend."""
    k, d, h = 3, 2, int(rng.integers(2, 4))
    first = int(rng.integers(4, 7))
    images = {"train": first, "valid": first + int(rng.choice([-1, 1]))}
    weights = {"w": normal(rng, k, d, h), "v": normal(rng, d)}
    alphas = {"a": normal(rng, k), "b": normal(rng, h)}
    groups = (("weights", weights), ("alphas", alphas))
    if unused:
        dict(groups)[unused]["u" if unused == "weights" else "c"] = normal(rng, 2)
    return {
        "kind": "mixture",
        "weights": weights,
        "alphas": alphas,
        "past": {name: [normal(rng, *np.shape(one)) for one in group.values()] for name, group in groups},
        **{name: [normal(rng, n, d), normal(rng, n, scale=3.0)] for name, n in images.items()},
        "weight_lr": round(float(rng.uniform(0.15, 0.4)), 3),
        "optimizer": MOMENTUM,
        **more,
    }


def model_of(spec: Instance) -> Any:
    """The model of a problem: a module in float64 with `weights()` and `alphas()`."""
    import torch

    class Toy(torch.nn.Module):
        w: Any
        v: Any
        a: Any
        b: Any

        def __init__(self) -> None:
            super().__init__()
            for name, value in (spec["weights"] | spec["alphas"]).items():
                setattr(self, name, torch.nn.Parameter(tensor(value)))
            self.scale = torch.nn.Parameter(tensor(0.8), requires_grad=False)

        def weights(self) -> list[Any]:
            return [getattr(self, name) for name in spec["weights"]]

        def alphas(self) -> list[Any]:
            return [getattr(self, name) for name in spec["alphas"]]

        def forward(self, x: Any) -> Any:
            return self.line() if spec["kind"] == "monomials" else self.mixed(x)

        def mixed(self, x: Any) -> Any:
            """One prediction for each row of x."""
            maps = torch.einsum("k,h,kdh->d", self.a.softmax(0), self.b.softmax(0), self.w)
            return self.scale * (x @ (maps + self.v))

        def line(self) -> Any:
            """(t², αt, t, α², α, 1, α·bend), where t is the place on a line: a batch's labels are coefficients."""
            start = list(spec["weights"].values()) if spec["from"] == "start" else [spec["from"]]
            t = sum(c * (w - tensor(s)) for c, w, s in zip(spec["along"], self.weights(), start))
            far = t / spec.get("bend", 1.0)
            bend = far**2 * (far**2 - 1) ** 2 * t
            return torch.cat([t * t, self.a * t, t, self.a**2, self.a, torch.ones_like(t), self.a * bend])

    made = Toy().train(spec.get("training", True))
    made.add_module("still", torch.nn.Identity().train(not made.training))
    return made


def loss_of(spec: Instance) -> Callable[[Any, Any], Any]:
    """The loss of predictions and labels, in this order."""
    scale = spec.get("scale", 1.0)
    if spec["kind"] == "monomials":
        return lambda out, y: scale * (out * y).sum()
    return lambda out, y: scale * ((out - y) ** 2 + 0.25 * out**2).mean()


def batch(spec: Instance, name: str) -> tuple[Any, Any]:
    """The batch of that name."""
    x, y = spec[name]
    return tensor(x), tensor(y)


def optimizer_of(spec: Instance, group: list[Any], past: list[Any]) -> Any:
    """One of torch's optimisers over a group of tensors, after one step by the gradients `past`, of which only what it
    remembers is left."""
    import torch

    options = {key: value for key, value in spec["optimizer"].items() if key not in ("kind", "apart")}
    held = group
    if spec["optimizer"].get("apart"):
        held = [{"params": group[:1]}, {"params": group[1:], "lr": options["lr"] / 2}]
    made = getattr(torch.optim, spec["optimizer"]["kind"])(held, **options)
    start = [one.detach().clone() for one in group]
    for one, slope in zip(group, past):
        one.grad = tensor(slope)
    made.step()
    for one, value in zip(group, start):
        one.data.copy_(value)
        one.grad = None
    return made
