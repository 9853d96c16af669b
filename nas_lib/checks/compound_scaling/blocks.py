"""Cases of `MBConv` and `FusedMBConv`: what they compute in float64, and many outputs while images are dropped.

The check draws the weights, in the order in which the layers stand. What a block computes, in evaluation, in training
and backwards, is compared with the reference; which images it drops is judged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator, default_rng

from nas_lib.checks.codec import NotPlainData, describe
from nas_lib.checks.compound_scaling.shared import LESSON, Array
from nas_lib.checks.exercise import Instance
from nas_lib.checks.nets import double_precision
from nas_lib.checks.values import Part, PartlyRandom

DRAWS, ROWS, SHOWN = 24, 8, 2
"""Passes while images are dropped, images in a batch, and how many of them are compared in every pixel."""
TOLERANCE = 1e-5  # outputs come back as float32


class Block(PartlyRandom):
    """A residual block."""

    lesson = LESSON
    methods = ("forward",)
    changes = (
        "self.*running_mean",
        "self.*running_var",
        "self.*num_batches_tracked",
        "torch's global generator",
        "NumPy's global generator",
        "Python's global generator",
    )
    fused = False
    parts: ClassVar = (
        Part(
            "shapes",
            "the list of the parameters' shapes",
            "layers-changed",
            "the block has parameters of the shapes {found}; leave __init__ as it is: {right}",
            exact=True,
        ),
        Part(
            "repeats",
            "a second pass",
            "drops-in-eval",
            "in evaluation two passes differ: nothing is dropped then",
            exact=True,
        ),
        Part("eval", "the output in evaluation", "block-output", tolerance=TOLERANCE),
        Part("train", "the output in training with drop_rate = 0", "block-output", tolerance=TOLERANCE),
        Part(
            "gradients",
            "the gradients",
            "gradient-cut",
            "the output is right and its gradients are not: something is cut out of the graph (detach, no_grad, "
            ".data) on the way",
            tolerance=TOLERANCE,
        ),
        Part(
            "batches",
            "what the batch norms have seen",
            "computed-again",
            "after one pass in training the batch norms have seen {found} batches: the branch is computed once",
            score=0.5,
            exact=True,
        ),
    )

    def shapes(self, rng: Generator) -> list[dict[str, Any]]:
        """Arguments of the blocks, with what is special about them."""
        c, wide = int(rng.integers(4, 8)), int(rng.integers(2, 5))

        def shape(
            c_in: int,
            c_out: int,
            kernel: int,
            stride: int,
            expand: int,
            se: float,
            about: str = "",
            **given: Any,
        ) -> dict[str, Any]:
            sizes = {"c_in": c_in, "c_out": c_out, "kernel": kernel, "stride": stride, "expand": expand}
            return sizes | {"se": se} | ({"about": about} if about else {}) | given

        return [
            shape(c, c, 3, 1, wide, 0.25),
            shape(c + 2, c + 2, 3, 2, wide, 0.5, "stride 2"),
            # as many out as inside: the last convolution changes the number of channels nowhere else alone
            shape(c, 2 * c, 5, 1, 2, 0.25, "more channels out than in"),
            shape(c + 3, c, 3, 1, 1, 0.25, "expand = 1 and fewer channels out than in"),
            shape(c + 1, c + 1, 5, 1, 1, 0.1, "expand = 1"),
            # round_filters may give such numbers, and they are objects of their own
            shape(c, c, 3, 1, 2, 0.25, "channels that are numpy's ints", numpy=True),
        ]

    def instances(self, seed: int) -> list[Instance]:
        """Blocks with and without a shortcut, with and without expansion; sizes that no block can have."""
        rng = default_rng(seed)
        cases: list[Instance] = []
        for given in self.shapes(rng):
            rate = float(rng.choice([0.25, 0.75]))
            cases.append({**given, "drop": rate, "seed": int(rng.integers(2**31))})
        usual = {
            "c_in": 4,
            "c_out": 4,
            "kernel": 3,
            "stride": 1,
            "expand": 2,
            "se": 0.25,
            "drop": 0.0,
            "seed": 0,
        }
        bad = [{"bad": "an even kernel", "kernel": 4}, {"bad": "a stride of 3", "stride": 3}]
        return [*cases, *(usual | one for one in bad)]

    def arguments(self, instance: Instance, drop: float) -> tuple[Any, ...]:
        """What the constructor gets."""
        integer = np.int64 if instance.get("numpy") else int
        given = (integer(instance["c_in"]), integer(instance["c_out"]))
        given += tuple(instance[key] for key in ("kernel", "stride", "expand"))
        return (*given, drop) if self.fused else (*given, instance["se"], drop)

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """In float64: outputs in evaluation and training, gradients, and many outputs while images are dropped."""
        import torch

        with double_precision():
            torch.manual_seed(instance["seed"])
            block = self._made(fn, instance, instance["drop"]).eval()
            x = torch.from_numpy(images(instance))
            leaf = x.clone().requires_grad_()
            output = block(leaf)
            gradients = _gradients(output, [leaf, *block.parameters()])
            with torch.no_grad():
                again = block(x)
                undropped = self._made(fn, instance, 0.0).train()
                whole = undropped(x.clone())
                block.train()
                passes = DRAWS if has_shortcut(instance) else 2
                drawn = torch.stack([block(x.clone()) for _ in range(passes)])
        return {
            "shapes": [list(parameter.shape) for parameter in block.parameters()],
            "repeats": bool(torch.equal(output, again)),
            # the last bits of float64 are the machine's, and would differ from those that are stored
            "eval": output[:SHOWN].detach().float(),
            "train": whole[:SHOWN].float(),
            "gradients": gradients.float(),
            "batches": sorted({int(n) for name, n in undropped.named_buffers() if name.endswith("_tracked")}),
            "whole": whole.float(),
            "drawn": drawn.float(),
        }

    def _made(self, fn: Any, instance: Instance, drop: float) -> Any:
        import torch

        block = fn(*self.arguments(instance, drop))
        if not isinstance(block, torch.nn.Module) or not any(True for _ in block.parameters()):
            raise NotPlainData(
                f"{self.name}(...) made {describe(block)} without parameters; it has to stay a torch.nn.Module with "
                "its layers as attributes"
            )
        _fill(block, instance["seed"])
        return block


class MBConvBlock(Block):
    """`MBConv(...)`."""

    name = "MBConv"


class FusedBlock(Block):
    """`FusedMBConv(...)`."""

    name, fused = "FusedMBConv", True


def has_shortcut(instance: Instance) -> bool:
    """Is the input added to the branch?"""
    return bool(instance["stride"] == 1 and instance["c_in"] == instance["c_out"])


def images(instance: Instance) -> Array:
    """A batch, (ROWS, channels, 4, 3)."""
    rng = default_rng(instance["seed"])
    return rng.normal(size=(ROWS, instance["c_in"], 4, 3))


def _fill(block: Any, seed: int) -> None:
    """Weights and statistics that are nothing special, in the order in which the layers stand."""
    import torch

    rng = default_rng((seed, 7))
    with torch.no_grad():
        for parameter in block.parameters():
            low = 0.5 if parameter.ndim == 1 else 0.0  # scales and biases
            values = low + rng.normal(size=tuple(parameter.shape)) / math.sqrt(max(1, parameter[0].numel()))
            parameter.copy_(torch.from_numpy(np.asarray(values)))
        for name, buffer in block.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(torch.from_numpy(rng.normal(0, 0.3, tuple(buffer.shape))))
            elif name.endswith("running_var"):
                buffer.copy_(torch.from_numpy(rng.uniform(0.5, 2.0, tuple(buffer.shape))))


def _weights(like: Any) -> Any:
    """Numbers that are nothing special, of the shape of a tensor."""
    import torch

    return torch.cos(1 + 1.7 * torch.arange(like.numel(), dtype=like.dtype)).view_as(like)


def _gradients(output: Any, leaves: Sequence[Any]) -> Any:
    """A weighted sum over each leaf of the gradient of a weighted sum of `output`; 0 where none arrives."""
    import torch

    if not isinstance(output, torch.Tensor) or not output.requires_grad:
        return torch.zeros(len(leaves))
    found = torch.autograd.grad((output * _weights(output)).sum(), list(leaves), allow_unused=True)
    return torch.stack([torch.zeros(()) if one is None else (one * _weights(one)).sum() for one in found])
