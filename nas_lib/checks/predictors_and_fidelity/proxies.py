"""Cases of `naswot_score`: small networks with one ReLU and several, batch norms in each mode, images of each shape."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.random import default_rng

from nas_lib.checks.exercise import Instance
from nas_lib.checks.judging import CONDUCT
from nas_lib.checks.nets import build, conv, linear, norm
from nas_lib.checks.predictors_and_fidelity.shared import INFINITY, LESSON, NAN
from nas_lib.checks.values import Part, ValueExercise

RELU, FLATTEN = ({"kind": kind} for kind in ("relu", "flatten"))


SINGULAR = -10.0  # far below the logarithm of a determinant that is not 0 up to rounding


class Score(Part):
    """Where two images have equal codes the determinant is 0, and what its logarithm is, rounding decides."""

    def same(self, one: Any, right: Any) -> bool:
        """Equal up to the tolerance, or both of a determinant of 0?"""
        if one.shape == right.shape == () and right < SINGULAR:
            return bool(np.isnan(one) or one < SINGULAR)
        return super().same(one, right)


class NaswotScore(ValueExercise):
    """`naswot_score(net, x)`. Numbers of units far above those of images: determinants far from 0."""

    name, lesson, returns = "naswot_score", LESSON, "float"
    parts: ClassVar[tuple[Part, ...]] = (
        Score("result", "the score", "wrong-score", tolerance=1e-5),
        Part("hooks", "the number of hooks", "changes-hooks", exact=True, score=CONDUCT),
    )

    def instances(self, seed: int) -> list[Instance]:
        """One ReLU, several, one that is called twice; batch norms; a single image; bad input."""
        rng = default_rng(seed)
        batch, n, h = int(rng.integers(4, 7)), int(rng.integers(5, 8)), int(rng.integers(24, 30))
        x = rng.normal(size=(batch, n)).round(3)
        pictures = rng.normal(size=(batch + 8, 1, 4, 5)).round(3)
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
        many = [linear(rng, n, 400), RELU]
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
            case([*one[:2], *one[:1], RELU], x, form="twice", about="a ReLU module that is called twice"),
            case(deep[:3], x, form="in place", about="activations that are changed in place afterwards"),
            case([linear(rng, n, 24), RELU, linear(rng, 24, 3)], x, form="turned")
            | {"about": "a ReLU whose output was transposed"},
            case(deep, x, form="nested", about="ReLUs within other modules"),
            case(deep, x, form="others", about="activations of other kinds beside a ReLU"),
            case(images, pictures, training=False, hooked=True, about="a network that has hooks already"),
            case(many, rng.normal(size=(200, n)).round(3), about="200 images"),
            # Few think of it, and a Cholesky factor is not to be had there.
            case(one, np.concatenate([x, x[:1]]), about="two equal images", _left=0.75),
            case(one, x[:1], about="a single image"),
            case([*one, RELU], about="a ReLU at the end"),
            case([one[0], one[2]], bad="a network without a ReLU"),
            case([conv(rng, 1, 3), norm(rng, 3), FLATTEN], pictures, bad="batch norms without a ReLU"),
            case(one, form="unused", bad="a ReLU through which nothing runs"),
            case(one, x[:0], bad="no images"),
            case(one, odd(NAN), bad="NaN in x"),
            case(one, odd(INFINITY), bad="infinity in x"),
            case(one, odd(-INFINITY), bad="minus infinity in x"),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The score of the instance's network."""
        import torch

        dtype = instance.get("dtype", "float64")
        net = _arranged(instance.get("form", ""), instance["layers"], dtype)
        net.train(instance.get("training", True))
        for weight in net.parameters():
            weight.grad = torch.ones_like(weight)
        if instance.get("hooked"):
            for module in net.modules():
                module.register_forward_hook(_nothing)
        found = fn(net, torch.tensor(np.asarray(instance["x"]), dtype=getattr(torch, dtype)))
        if found is None:
            return None
        return {"result": found, "hooks": sum(len(module._forward_hooks) for module in net.modules())}


def _nothing(module: Any, inputs: Any, output: Any) -> None:
    """A hook that changes nothing."""


def _arranged(form: str, layers: Any, dtype: str) -> Any:
    """The layers one after the other, or in another arrangement."""
    from torch import nn

    made: Any = build(layers, dtype)
    if form == "nested":
        return nn.Sequential(nn.Sequential(nn.Sequential(*made[:2]), *made[2:4]), *made[4:])
    if form == "others":
        return nn.Sequential(made[0], nn.GELU(), made[2], nn.LeakyReLU(), made[4], nn.ReLU())
    return _drawn_by_hand(form, made) if form else made


def _drawn_by_hand(form: str, made: Any) -> Any:
    """Networks whose `forward` says what is done: two layers through one ReLU, and so on."""
    import torch
    from torch import nn

    class Network(nn.Module):
        """The layers of `made`."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.relu, self.second = made[0], made[1], made[2]
            if form == "in place":
                self.relu = nn.ReLU(inplace=True)
            if form == "twice":
                with torch.no_grad():
                    self.second.weight.neg_()

        def forward(self, x: Any) -> Any:
            if form == "unused":
                return self.first(x)
            if form == "twice":
                return self.relu(self.first(x)) + self.relu(self.second(x))
            if form == "turned":
                return self.second(self.relu(self.first(x).reshape(-1, 4, 6).transpose(1, 2)).flatten(1))
            found = self.relu(self.first(x))
            found.sub_(1.5)
            return self.second(found)

    return Network()
