"""Cases of `naswot_score`: small networks with one ReLU and several, batch norms in each mode, images of each shape."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.random import default_rng

from nas_lib.checks.exercise import Instance
from nas_lib.checks.nets import build, conv, linear, norm
from nas_lib.checks.predictors_and_fidelity.shared import INFINITY, LESSON, NAN
from nas_lib.checks.values import Part, ValueExercise

RELU, FLATTEN = ({"kind": kind} for kind in ("relu", "flatten"))


class NaswotScore(ValueExercise):
    """`naswot_score(net, x)`. Numbers of units far above those of images: determinants far from 0."""

    name, lesson, returns = "naswot_score", LESSON, "float"
    parts: ClassVar[tuple[Part, ...]] = (Part(what="the score", concept="wrong-score", tolerance=1e-5),)

    def instances(self, seed: int) -> list[Instance]:
        """One ReLU, several, one that is called twice; batch norms; a single image; bad input."""
        rng = default_rng(seed)
        batch, n, h = int(rng.integers(4, 7)), int(rng.integers(5, 8)), int(rng.integers(24, 30))
        x = rng.normal(size=(batch, n)).round(3)
        pictures = rng.normal(size=(batch, 1, 4, 5)).round(3)
        one = [linear(rng, n, h), RELU, linear(rng, h, 3)]
        deep = [
            linear(rng, n, h),
            RELU,
            linear(rng, h, h),
            RELU,
            linear(rng, h, 20),
            RELU,
            linear(rng, 20, 3),
        ]
        images = [conv(rng, 1, 4), norm(rng, 4), RELU, conv(rng, 4, 3), norm(rng, 3), RELU, FLATTEN]
        images.append(linear(rng, 3 * 4 * 5, 3))
        open_mostly = [one[0] | {"bias": np.full(h, 1.5)}, RELU, one[2]]

        def case(layers: Any, x: Any = x, **given: Any) -> Instance:
            return {"layers": layers, "x": x, **given}

        def odd(value: float) -> Any:
            found = x.copy()
            found[-1, -1] = value
            return found

        return [
            case(one, about="one ReLU"),
            case(deep, about="three ReLUs"),
            case(open_mostly, about="units that are open for most images"),
            case(images, pictures, about="batch norms in training mode"),
            case(images, pictures, training=False, about="batch norms in evaluation mode"),
            case(deep, dtype="float32", about="a float32 network"),
            case([*one[:2], *one[:1], RELU], x, square=True, about="a ReLU module that is called twice"),
            case(one, x[:1], about="a single image"),
            case([*one, RELU], about="a ReLU at the end"),
            case([one[0], one[2]], bad="a network without a ReLU"),
            case(one, x[:0], bad="no images"),
            case(one, odd(NAN), bad="NaN in x"),
            case(one, odd(INFINITY), bad="infinity in x"),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The score of the instance's network."""
        import torch

        dtype = instance.get("dtype", "float64")
        net = build(instance["layers"], dtype)
        if instance.get("square"):
            net = _same_relu_twice(instance["layers"], dtype)
        net.train(instance.get("training", True))
        return fn(net, torch.tensor(np.asarray(instance["x"]), dtype=getattr(torch, dtype)))


def _same_relu_twice(layers: Any, dtype: str) -> Any:
    """Two linear layers on the same input, both through one ReLU module."""
    import torch
    from torch import nn

    class Network(nn.Module):
        """The sum of both."""

        def __init__(self) -> None:
            super().__init__()
            made: Any = build(layers, dtype)
            self.first, self.relu, self.second = made[0], made[1], made[2]
            with torch.no_grad():
                self.second.weight.neg_()

        def forward(self, x: Any) -> Any:
            return self.relu(self.first(x)) + self.relu(self.second(x))

    return Network()
