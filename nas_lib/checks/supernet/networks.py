"""Cases of `train_single_path_step` and `recalibrate_bn`: small supernets as plain numbers, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng

from nas_lib.checks.exercise import Instance
from nas_lib.checks.supernet.shared import LESSON, NAN, between, floats
from nas_lib.checks.values import Part, ValueExercise

# torch is imported where it is used: looking an exercise up by its name imports the checks of all lessons.

Option = dict[str, Any]
"""One option of a decision: `weight` (out, in), and for a batch norm behind it `norm` with its tensors by name."""

NUMBERS = 1e-7
SMALL_LOSS = 2.5e-6


class _Log(list[Any]):
    """Calls of a supernet, of its copies as well."""

    def __deepcopy__(self, memo: Any) -> _Log:
        return self


def supernet_of(decisions: Sequence[Sequence[Option]]) -> Any:
    """A supernet in float64: (x, path) -> logits. The options of a decision are called "o0", "o1", ….

    It notes in `seen` the path and the mode of each call. Images (N, C, H, W) pass 1x1 convolutions with `BatchNorm2d`
    where the option says so; before a linear layer and at the end they are averaged. Vectors pass linear layers with
    `BatchNorm1d`.
    """
    import torch
    from torch import nn

    class Supernet(nn.Module):
        """The decisions one after the other; a path names the option of each."""

        def __init__(self) -> None:
            super().__init__()
            self.decisions = nn.ModuleList(
                nn.ModuleDict({f"o{i}": _layers(option) for i, option in enumerate(options)})
                for options in decisions
            )
            self.seen: list[Any] = _Log()

        def forward(self, x: Any, path: Sequence[str]) -> Any:
            self.seen.append([list(path), self.training])
            for decision, option in zip(self.decisions, path, strict=True):
                layers = decision[option]  # type: ignore[index]  # a ModuleDict
                x = layers(x.mean((2, 3)) if x.ndim == 4 and isinstance(layers[0], nn.Linear) else x)
            return x.mean((2, 3)) if x.ndim == 4 else x

    def _layers(option: Option) -> nn.Module:
        weight, norm = torch.tensor(option["weight"], dtype=torch.float64), option.get("norm")
        images = option.get("images", False)
        outputs, inputs = weight.shape
        layer = nn.Conv2d(inputs, outputs, 1) if images else nn.Linear(inputs, outputs)
        made: list[Any] = [layer.double()]
        if norm is not None:
            kind = nn.BatchNorm2d if images else nn.BatchNorm1d
            made += [kind(len(weight), affine="weight" in norm).double(), nn.ReLU()]
        with torch.no_grad():
            layer.weight.copy_(weight.reshape(layer.weight.shape))
            layer.bias.zero_()  # type: ignore[union-attr]
            for name, value in (norm or {}).items():
                getattr(made[1], name).copy_(torch.as_tensor(value))
        return nn.Sequential(*made)

    return Supernet()


def _flat(values: Iterable[Any]) -> list[float]:
    """The numbers of all tensors, one after the other."""
    return [one for value in values for one in value.detach().double().flatten().tolist()]


def _on(path: Sequence[str]) -> tuple[str, ...]:
    """How the names of a path's parameters begin."""
    return tuple(f"decisions.{place}.{option}." for place, option in enumerate(path))


class TrainSinglePathStep(ValueExercise):
    """`train_single_path_step(supernet, batch, optimizer, path)`: one step of the path's weights, no others."""

    name, lesson, returns = "train_single_path_step", LESSON, "float"
    changes = ("*.weight", "*.bias", "*.weight.grad", "*.bias.grad", "optimizer.state*")
    parts = (
        Part(
            "calls",
            "what the supernet was called with (path, and whether in training mode)",
            "other-calls",
            exact=True,
        ),
        Part(
            "off",
            concept="moves-the-others",
            message="options off the path have moved: the loss may depend on the path's weights alone",
            tolerance=0.0,
        ),
        Part(
            "on",
            concept="wrong-step",
            message="the weights of the path move otherwise than one step of the optimizer on the mean cross-entropy "
            "moves them: the list of all these weights {differ}",
            tolerance=1e-6,
        ),
        Part(
            "losses",
            concept="other-loss",
            message="the weights move rightly, but the loss returned {differ}: the mean cross-entropy of the batch "
            "before the step",
            tolerance=1e-6,
            floor=0.1,
        ),
    )

    def instances(self, seed: int) -> list[Instance]:
        """One step and three, old gradients, several optimizers, huge inputs and images of zeros, a tiny loss, frozen
        weights, NaN; bad input."""
        rng = default_rng(seed)

        def case(steps: int, **more: Any) -> Instance:
            width, classes, batch = 4, 3, int(rng.integers(5, 9))
            sizes = [(width, width), (classes, width)]
            return {
                "decisions": [[{"weight": floats(rng, size)} for _ in range(3)] for size in sizes],
                "paths": [[f"o{(step + place) % 2}" for place in (1, 2)] for step in range(steps)],
                "x": floats(rng, (batch, width), -2, 2),
                "y": rng.integers(classes, size=batch).tolist(),
                "optimizer": "SGD",
                "options": {"lr": between(rng, 0.05, 0.3)},
                **more,
            }

        decay = {"lr": 0.1, "weight_decay": 0.3, "momentum": 0.9}
        large = case(1, about="inputs in the thousands")
        large["x"] = [[round(1000 * one, 3) for one in row] for row in large["x"]]
        zeros = case(1, stale=True, options=decay, about="images of zeros, and weight decay")
        zeros["x"] = [[0.0] * len(row) for row in zeros["x"]]
        nan = case(1, about="a pixel of NaN, where the loss is NaN", _left=0.5)
        nan["x"][0][1] = NAN
        few, more = (case(1, changes=["*.grad"], stale=True) for _ in range(2))
        return [
            case(1),
            case(1, stale=True, about="gradients left over from before"),
            case(3, about="three steps in a row"),
            case(3, stale=True, options=decay, about="weight decay and momentum"),
            case(3, optimizer="Adam", options={"lr": 0.05}, about="another optimizer"),
            large,
            zeros,
            self._learned(case(1, about="a batch that is learned already")),
            case(2, frozen=True, about="a decision whose weights are frozen"),
            case(1, x=floats(rng, (1, 4)), y=[2], about="a single image"),
            nan,
            few | {"bad": "a batch with fewer labels than images", "y": few["y"][:-1]},
            more | {"bad": "a batch with more labels than images", "y": [*more["y"], 0]},
            few | {"bad": "a single label for several images", "y": few["y"][:1]},
        ]

    @staticmethod
    def _learned(case: Instance) -> Instance:
        """Labels are what the first path says, and inputs so large that its loss is `SMALL_LOSS`."""
        logits = np.array(case["x"])
        for options, option in zip(case["decisions"], case["paths"][0]):
            logits = logits @ np.array(options[int(option[1:])]["weight"]).T
        gaps = logits - logits.max(1, keepdims=True)
        low, high = 0.0, 1e6
        for _ in range(80):
            scale = (low + high) / 2
            loss = np.log(np.exp(scale * gaps).sum(1)).mean()
            low, high = (scale, high) if loss > SMALL_LOSS else (low, scale)
        x = [[round(scale * one, 3) for one in row] for row in case["x"]]
        return case | {"x": x, "y": gaps.argmax(1).tolist()}

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """Losses, all weights afterwards, and how the supernet was called."""
        import torch

        net = supernet_of(instance["decisions"]).train()
        if instance.get("frozen"):
            net.decisions[0].requires_grad_(False)
        optimizer = getattr(torch.optim, instance["optimizer"])(net.parameters(), **instance["options"])
        if instance.get("stale"):
            for parameter in net.parameters():
                parameter.grad = torch.ones_like(parameter)
        batch = (torch.tensor(instance["x"], dtype=torch.float64), torch.tensor(instance["y"]))
        losses = [fn(net, batch, optimizer, tuple(path)) for path in instance["paths"]]
        used = tuple(name for path in instance["paths"] for name in _on(path))
        named = dict(net.named_parameters())
        return {
            "calls": net.seen,
            "off": _flat(value for name, value in named.items() if not name.startswith(used)),
            "on": _flat(value for name, value in named.items() if name.startswith(used)),
            "losses": losses,
        }


class RecalibrateBn(ValueExercise):
    """`recalibrate_bn(supernet, path, batches)`: the path's statistics over these batches, all else untouched."""

    name, lesson, returns = "recalibrate_bn", LESSON, "nothing"
    changes = ("*.running_mean", "*.running_var", "*.num_batches_tracked")
    parts = (
        Part(
            "first-mean",
            "the running mean of the path's first batch norm",
            "wrong-statistics",
            tolerance=NUMBERS,
        ),
        Part(
            "first-variance",
            "the running variance of the path's first batch norm",
            "wrong-variance",
            "the running variance of the path's first batch norm {differ}: average the batches' unbiased variances",
            tolerance=NUMBERS,
        ),
        Part(
            "mean",
            concept="first-norm-only",
            message="the first batch norm of the path is right, the next one's mean {differ}: all of them collect in "
            "the same pass, in training mode, where each batch is normalised by its own mean and variance",
            tolerance=NUMBERS,
        ),
        Part(
            "variance",
            "the running variance of the path's second batch norm",
            "wrong-variance",
            tolerance=NUMBERS,
        ),
    )

    def instances(self, seed: int) -> list[Instance]:
        """One batch and many of other sizes, single images; supernets in training, evaluation and mixed modes, all
        trained already, with the usual momentum and others, which may differ; batches that come once, and without
        gradients, as in a search; a second path; bad input."""
        rng = default_rng(seed)

        def case(count: int, images: bool = True, equal: bool = False, **more: Any) -> Instance:
            sizes = (
                [6] * count
                if equal
                else rng.permutation([4, 9, 5, 7, 3, 8, 6, *range(10, 16)][:count]).tolist()
            )
            shape = (2, 2, 1) if images else (2,)
            return {
                "decisions": [self._decision(rng, 3, 2, images), self._decision(rng, 4, 3)],
                "paths": [[f"o{i}" for i in rng.integers(2, size=2)]],
                "batches": [
                    floats(rng, (size, *shape), -2 + place, 2 + 2 * place) for place, size in enumerate(sizes)
                ],
                "training": True,
                "momentum": 0.1,
                **more,
            }

        single = case(2, training=False, momentum=[0.03, 0.2])
        images = case(2, about="batches of a single image, in which each channel has two values")
        images["decisions"][1] = self._decision(rng, 4, 3, images=True)
        images["batches"] = [floats(rng, (1, 2, 2, 1), -2, 4) for _ in range(3)]
        return [
            case(3, equal=True),
            case(3, images=False, about="vectors, batches of several sizes"),
            case(1, about="a single batch"),
            case(13, about="thirteen batches of other sizes"),
            images,
            case(3, training=False, about="a supernet in evaluation mode"),
            case(3, once=True, no_grad=True, about="batches that can be read once"),
            case(2, momentum=[0.03, 0.2, None], about="norms with a momentum of 0.03, of 0.2, and of None"),
            case(
                2, momentum=None, stale=True, about="norms that average already, and gradients from training"
            ),
            case(2, frozen=True, about="batch norms in evaluation mode within a supernet in training mode"),
            case(2, paths=[["o0", "o1"], ["o1", "o1"]], about="a second path after the first"),
            case(2, paths=[["o1", "o0"]], about="a path that is no other one when sorted"),
            case(0, bad="no batches at all"),
            case(0, once=True, bad="an iterator without batches"),
            single
            | {"bad": "a batch of a single row", "batches": [single["batches"][0], [[[[1.0], [2.0]]] * 2]]},
        ]

    @staticmethod
    def _decision(rng: Generator, outputs: int, inputs: int, images: bool = False) -> list[Option]:
        """Two options; the second one's batch norm has no scale and shift of its own."""
        options = []
        for i in range(2):
            norm = {
                "running_mean": floats(rng, outputs, 3, 5),
                "running_var": floats(rng, outputs, 4, 9),
                "num_batches_tracked": int(rng.integers(3, 9)),
            }
            own = {"weight": floats(rng, outputs, 0.5, 2), "bias": floats(rng, outputs)}
            weight = floats(rng, (outputs, inputs), 0.3, 1.3)
            options.append({"weight": weight, "images": images, "norm": norm | (own if i == 0 else {})})
        return options

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The statistics of the last path's batch norms."""
        import torch

        net = supernet_of(instance["decisions"]).train(instance["training"])
        norms = [m for m in net.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
        momenta = instance["momentum"] if isinstance(instance["momentum"], list) else [instance["momentum"]]
        for place, norm in enumerate(norms):
            norm.momentum = momenta[place % len(momenta)]
            norm.train(instance["training"] and not instance.get("frozen"))
        if instance.get("frozen"):
            net.decisions[0].requires_grad_(False)
        if instance.get("stale"):
            for parameter in net.parameters():
                parameter.grad = torch.ones_like(parameter)
        made = [(torch.tensor(x, dtype=torch.float64), None) for x in instance["batches"]]
        path: list[str] = []
        for path in instance["paths"]:
            batches: Iterator[Any] | list[Any] = iter(made) if instance.get("once") else made
            with torch.set_grad_enabled(not instance.get("no_grad")):
                fn(net, tuple(path), batches)
        on = [net.get_submodule(f"{name}1") for name in _on(path)]
        return {
            "first-mean": on[0].running_mean,
            "first-variance": on[0].running_var,
            "mean": on[1].running_mean,
            "variance": on[1].running_var,
        }
