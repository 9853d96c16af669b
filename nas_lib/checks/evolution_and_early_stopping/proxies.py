"""Cases of `synflow_score` and `grad_norm_score`: small networks, each with one difficulty, easiest first."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator, default_rng

from nas_lib.checks.evolution_and_early_stopping.shared import INFINITY, LESSON, NAN
from nas_lib.checks.exercise import Instance
from nas_lib.checks.nets import Layer, build, conv, give_gradients, linear, norm
from nas_lib.checks.values import Part, ValueExercise

SEED = 20_190_617
RELU, FLATTEN, DROPOUT = ({"kind": kind} for kind in ("relu", "flatten", "dropout"))


class NetworkScore(ValueExercise):
    """What both share: a number per network. The tolerance leaves room for float32 where the network is in float32."""

    lesson, returns = LESSON, "float"
    parts: ClassVar[tuple[Part, ...]] = (
        Part(what="the score", concept="wrong-score", tolerance=1e-5, floor=1e-12),
    )

    def call(self, fn: Any, net: Any, instance: Instance) -> Any:
        """The learner's score of a network."""
        raise NotImplementedError

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The score of the instance's network. Equal dropout for all who leave it on."""
        import torch

        torch.manual_seed(SEED)
        net = network(instance)
        score = self.call(fn, net, instance)
        if not instance.get("again"):
            return score
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.mul_(1.5)
        return [float(score), float(self.call(fn, net, instance))]


def network(instance: Instance) -> Any:
    """The network of an instance, with its modes, frozen parameters and gradients of an earlier pass."""
    net = build(instance["layers"], instance.get("dtype", "float64"))
    net.train(instance.get("training", True))
    modules, parameters = list(net.modules()), list(net.parameters())
    for place in instance.get("evaluating", []):
        modules[place].eval()
    if "gradient" in instance:
        give_gradients(net, instance["gradient"])
    for place in instance.get("frozen", []):
        parameters[place].requires_grad_(False)
    return net


def _mlp(rng: Generator, *widths: int, **options: Any) -> list[Layer]:
    """Linear layers with ReLUs between them."""
    layers = [linear(rng, n_in, n_out, **options) for n_in, n_out in pairwise(widths)]
    return [one for layer in layers for one in (layer, RELU)][:-1]


def _with(layers: list[Layer], place: int, key: str, value: float) -> list[Layer]:
    """The same layers with one odd number among the weights (or biases) of a layer."""
    array = layers[place][key].copy()
    array.flat[0] = value
    return [*layers[:place], layers[place] | {key: array}, *layers[place + 1 :]]


def _sure(rng: Generator, classes: int) -> Layer:
    """A layer that gives each unit vector a logit 12 or more above the others: gradients are tiny."""
    weight = 12 * np.eye(classes) - rng.uniform(0, 2, size=(classes, classes)).round(3) * (
        1 - np.eye(classes)
    )
    return {"kind": "linear", "weight": weight, "bias": np.zeros(classes)}


class SynflowScore(NetworkScore):
    """`synflow_score(net, input_shape)`."""

    name = "synflow_score"

    def instances(self, seed: int) -> list[Instance]:
        """Signs, biases, batch norms, modes, dead ends, frozen and tied parameters, a deep network."""
        rng = default_rng(seed)
        n, h, k = (int(one) for one in rng.integers(3, 7, size=3))
        first, last = (linear(rng, *one, bias=False, positive=True) for one in ((n, h), (h, k)))
        biased = linear(rng, n, k, positive=True) | {"bias": rng.uniform(0.5, 2, size=k).round(3)}
        small = {"kind": "linear"} | {key: biased[key] * 1e-7 for key in ("weight", "bias")}
        images = [conv(rng, 2, 3), norm(rng, 3), RELU, conv(rng, 3, 2), norm(rng, 2)]
        deep = [linear(rng, 4, 4, bias=False) for _ in range(8)]
        for layer in deep:
            layer["weight"] = layer["weight"] * 1e6
        mlp, side = _mlp(rng, n, h, h, k), int(rng.integers(3, 5))
        dead = linear(rng, 3, 3) | {"kind": "dead"}
        tied = [linear(rng, h, h), RELU, linear(rng, h, h) | {"kind": "tied"}, RELU, linear(rng, h, k)]
        gradient = round(float(rng.uniform(2, 9)), 3)

        def case(layers: list[Layer], shape: list[int], about: str = "", **more: Any) -> Instance:
            return {"layers": layers, "shape": shape, **({"about": about} if about else {}), **more}

        return [
            case([first, last], [n], "two layers of positive weights"),
            case([biased], [n], "positive weights and biases"),
            case(mlp[2:], [h], "weights and biases of both signs"),
            case(mlp, [n], "a float32 network", dtype="float32"),
            case(images, [2, side, side + 1], "batch norms in training mode, outputs of four axes"),
            case(
                [*images, FLATTEN], [2, side, side], "batch norms of which one is in training", evaluating=[5]
            ),
            case([linear(rng, n, h), DROPOUT, linear(rng, h, k)], [n], "dropout"),
            case([*mlp, dead], [n], "parameters that lead nowhere"),
            case(mlp, [n], "frozen parameters", frozen=[0, 3], _left=0.5),
            case(
                mlp, [n], "a frozen network in evaluation mode", frozen=[*range(6)], training=False, _left=0.5
            ),
            case(tied, [h], "two layers that share their weight", _left=0.5),
            case(deep, [4], "eight layers of large weights in float32", dtype="float32"),
            case(mlp, [n], "a network with gradients", gradient=gradient, training=False),
            case([small], [n], "small positive weights and biases"),
            case(mlp, [n], "a network asked twice, with other weights the second time", again=True),
            case([RELU], [n], bad="a network without parameters"),
            case(_with(mlp, 4, "weight", NAN), [n], dtype="float32", frozen=[0], bad="NaN among the weights"),
            case(_with(mlp, 0, "bias", INFINITY), [n], bad="infinity among the biases"),
            case(_with(mlp, 2, "weight", -INFINITY), [n], bad="minus infinity among the weights"),
            case([*mlp, *_with([dead], 0, "weight", NAN)], [n], bad="NaN in a layer that leads nowhere"),
        ]

    def call(self, fn: Any, net: Any, instance: Instance) -> Any:
        """With the shape as a tuple."""
        return fn(net, tuple(instance["shape"]))


class GradNormScore(NetworkScore):
    """`grad_norm_score(net, x, y)`."""

    name = "grad_norm_score"

    def instances(self, seed: int) -> list[Instance]:
        """One layer, several, batch norms in each mode, dead ends, frozen and tied parameters, large logits."""
        rng = default_rng(seed)
        batch, n, h, k = (int(one) for one in rng.integers(4, 8, size=4))
        x, y = rng.normal(size=(batch, n)).round(3), rng.integers(k, size=batch)
        layer, mlp = linear(rng, n, k), _mlp(rng, n, h, k)
        images = [conv(rng, 1, 3), norm(rng, 3), RELU, conv(rng, 3, 2), norm(rng, 2), FLATTEN]
        side = 3
        images.append(linear(rng, 2 * side * side, k))
        pictures = rng.normal(size=(batch, 1, side, side)).round(3)
        dead = linear(rng, 3, 3) | {"kind": "dead"}
        square = [linear(rng, n, n), RELU, linear(rng, n, n) | {"kind": "tied"}, RELU, linear(rng, n, k)]
        large = layer | {"weight": layer["weight"] * 1000}
        far = linear(rng, 1, 2) | {"weight": np.array([[1e8], [-1e8]]), "bias": np.zeros(2)}
        gradient = round(float(rng.uniform(2, 9)), 3)
        many, classes = 100 * rng.normal(size=(40, n)).round(3), rng.integers(12, size=40)
        sure = _sure(rng, k)

        def case(layers: list[Layer], about: str = "", x: Any = x, y: Any = y, **more: Any) -> Instance:
            return {"layers": layers, "x": x, "y": y, **({"about": about} if about else {}), **more}

        def odd(value: float, place: Any = 0) -> Any:
            found = x.copy()
            found[-1, place] = value
            return found

        return [
            case([layer], "one layer"),
            case(mlp, "two layers"),
            case(mlp, "a float32 network", dtype="float32"),
            case(mlp, "a single image", x[:1], y[:1]),
            case([large], "logits in the hundreds"),
            case([linear(rng, n, 12)], "40 large images of 12 classes", many, classes),
            case([sure], "labels that are predicted with certainty", np.eye(k), np.arange(k)),
            case(images, "batch norms in training mode", pictures),
            case(images, "batch norms in evaluation mode", pictures, training=False),
            case(images, "batch norms of which one is in evaluation mode", pictures, evaluating=[2]),
            case([*mlp[:2], DROPOUT, mlp[2]], "dropout in evaluation mode", training=False),
            case([*mlp, dead], "parameters that lead nowhere"),
            case(mlp, "frozen parameters", frozen=[0, 3], _left=0.5),
            case(mlp, "a frozen network", frozen=[*range(4)], _left=0.5),
            case(square, "two layers that share their weight", _left=0.5),
            case(mlp, "a network with gradients", gradient=gradient),
            case(mlp, "a network asked twice, with other weights the second time", again=True),
            case([RELU], y=np.zeros(batch, dtype=int), bad="a network without parameters"),
            case(images, x=np.full_like(pictures, NAN), frozen=[0], bad="NaN in x"),
            # A whole row of them: one alone may end in a ReLU, and the loss stays finite.
            case(mlp, x=odd(INFINITY, slice(None)), bad="infinity in x"),
            case(mlp, x=x[:0], y=y[:0], bad="an empty batch"),
            case(_with(mlp, 0, "weight", NAN), bad="NaN among the weights"),
            case(
                [far],
                x=np.array([[1.5e300]]),
                y=np.array([1]),
                bad="logits so far apart that the loss is infinite",
            ),
        ]

    def call(self, fn: Any, net: Any, instance: Instance) -> Any:
        """With the batch as tensors."""
        import torch

        dtype = getattr(torch, instance.get("dtype", "float64"))
        x, y = torch.tensor(instance["x"], dtype=dtype), torch.tensor(instance["y"], dtype=torch.int64)
        return fn(net, x, y)
