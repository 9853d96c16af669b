"""What the checks of both blocks have in common: exact outputs and gradients, and which images are dropped.

The check draws the weights, in the order in which the layers stand; what is right comes from the library's block with
the same weights, and so does what a usual mistake would give.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.random import default_rng

from nas_lib.checks._mistakes import close, raised
from nas_lib.checks.codec import NotPlainData, describe, roundtrip
from nas_lib.checks.compound_scaling.shared import ALPHA, Array
from nas_lib.checks.exercise import RIGHT, Answer, Exercise, Instance, Verdict, fail, show
from nas_lib.checks.judging import error_verdict
from nas_lib.checks.nets import double_precision
from nas_lib.judges.statistics import count_range

_DRAWS, _ROWS = 12, 8


class Block(Exercise):
    """A residual block: exact in evaluation and with batch statistics; which images it drops, by what comes out.

    What is right comes from the library's block with the same weights: nothing of it has to be stored.
    """

    has_reference = False
    # in each of three instances one count of dropped images, and the chance that all or none of them are
    false_fail = 3 * (ALPHA + 2 * 0.75 ** (_DRAWS * _ROWS))
    fused = False

    def shapes(self, rng: np.random.Generator) -> list[dict[str, Any]]:
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
            shape(c, c + 2, 5, 1, 2, 0.25, "more channels out than in"),
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
        usual = {"c_in": 4, "c_out": 4, "kernel": 3, "stride": 1, "expand": 2, "se": 0.25, "drop": 0.0}
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

        if "bad" in instance:
            return raised(lambda: fn(*self.arguments(instance, instance["drop"])))
        with double_precision():
            torch.manual_seed(instance["seed"])
            block = self._made(fn, instance, instance["drop"])
            x = torch.from_numpy(_images(instance))
            before = x.clone()
            found = _evaluated(block.eval(), x)
            with torch.no_grad():
                found["again"] = block(x)
                found["kept"] = bool(torch.equal(x, before))
                found["train"] = self._made(fn, instance, 0.0).train()(x.clone())
                block.train()
                found["drawn"] = torch.stack([block(x.clone()) for _ in range(_DRAWS)])
        # the last bits of float64 are the machine's, and would differ from those that are stored
        return {name: _single(value) for name, value in found.items()}

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

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Layers, evaluation, training, gradients, then what is dropped."""
        found, right = answer.value, self._right(instance)
        if found["shapes"] != right["shapes"]:
            return fail(
                "layers-changed",
                f"the block has parameters of the shapes {show(found['shapes'])}; leave __init__ as it is: "
                f"{show(right['shapes'])}",
            )
        wanted = np.shape(right["eval"])
        for value in (found["eval"], found["again"], found["train"]):
            if not isinstance(value, np.ndarray) or value.shape != wanted:
                shape = value.shape if isinstance(value, np.ndarray) else describe(value)
                return fail("wrong-shape", f"the output should have the shape {wanted}, not {shape}")
        if not _alike(found["eval"], right["eval"]):
            return self._wrong_output(instance, np.asarray(found["eval"], dtype=float), "eval")
        if not _alike(found["again"], right["eval"]):
            return fail("drops-in-eval", "in evaluation two passes differ: nothing is dropped then")
        if found["kept"] is not True:
            return fail("changes-the-input", "the input was changed in place: add with x + y, not +=")
        if not _alike(found["train"], right["train"]):
            return self._wrong_output(instance, np.asarray(found["train"], dtype=float), "train")
        if not _same_gradients(found["gradients"], right["gradients"]):
            return fail(
                "gradient-cut",
                "the output is right and its gradients are not: something is cut out of the graph (detach, no_grad, "
                ".data) on the way",
            )
        return self._dropped(instance, np.asarray(found["drawn"], dtype=float), np.asarray(right["train"]))

    def _right(self, instance: Instance) -> dict[str, Any]:
        """Shapes of the parameters, outputs in evaluation and training, and gradients of the library's block."""
        import torch

        with double_precision():
            x = torch.from_numpy(_images(instance))
            right = _evaluated(self._library(instance).eval(), x)
            with torch.no_grad():
                right["train"] = self._library(instance).train()(x)
        return roundtrip({name: _single(value) for name, value in right.items()})

    def _wrong_output(self, instance: Instance, found: Array, mode: str) -> Verdict:
        for value, concept, message in self.mistakes(instance, mode == "train"):
            if value.shape == found.shape and _alike(found, value):
                return fail(concept, message)
        when = "in evaluation" if mode == "eval" else "in training with drop_rate = 0"
        about = f" ({instance['about']})" if instance.get("about") else ""
        return fail(
            "block-output",
            f"{when} the output is wrong{about}: are all layers used, in their order, each once?",
        )

    def mistakes(self, instance: Instance, training: bool) -> Iterator[tuple[Array, str, str]]:
        """What usual mistakes give, from the library's own layers with the same weights."""
        import torch

        with double_precision(), torch.no_grad():
            block = self._library(instance).train(training)
            x = torch.from_numpy(_images(instance))
            rate = instance["drop"]
            for branch, concept, message in self.branches(block, x):
                for output in [branch + x, branch] if branch.shape == x.shape else [branch]:
                    yield output.numpy(), concept, message
            branch = self._library(instance).train(training).branch(x)
            if _has_shortcut(instance):
                yield branch.numpy(), "no-shortcut", "the input is not added, though the shape stays the same"
                yield (
                    (x + branch * (1 - rate)).numpy(),
                    "scaled-in-eval",
                    "the branch is scaled down in evaluation: it is scaled *up* in training instead, by 1/(1 − rate)",
                )
                yield (
                    (x + branch / (1 - rate)).numpy(),
                    "scaled-in-eval",
                    "the branch is scaled up in evaluation: 1/(1 − rate) belongs to training, where some are dropped",
                )
            elif branch.shape == x.shape:
                yield (
                    (x + branch).numpy(),
                    "shortcut-everywhere",
                    "the input is added where it should not be: stride 1 *and* equal channels are needed",
                )

    def _library(self, instance: Instance) -> Any:
        from nas_lib.mobile import BlockPlan

        given = (instance[key] for key in ("c_in", "c_out", "kernel", "stride", "expand"))
        block = self.library_block(BlockPlan(0, 0, *given), instance)
        _fill(block, instance["seed"])
        return block

    def library_block(self, plan: Any, instance: Instance) -> Any:
        """The library's block, which drops nothing."""
        raise NotImplementedError

    def branches(self, block: Any, x: Any) -> Iterator[tuple[Any, str, str]]:
        """The branch with a usual mistake in it: (value, concept, message)."""
        raise NotImplementedError

    def _dropped(self, instance: Instance, drawn: Array, whole: Array) -> Verdict:
        if drawn.shape != (_DRAWS, *whole.shape):
            return fail(
                "wrong-shape", f"the output should have the shape {whole.shape}, not {drawn.shape[1:]}"
            )
        rate = instance["drop"]
        x = _images(instance)
        if not _has_shortcut(instance):
            if _alike(drawn, np.broadcast_to(whole, drawn.shape)):
                return RIGHT
            return fail(
                "drops-without-shortcut",
                "images are dropped in a block without a shortcut: nothing would be left of them",
            )
        branch = whole - x
        flat = branch.reshape(len(x), -1)
        share = ((drawn - x).reshape(_DRAWS, len(x), -1) * flat).sum(-1) / (flat**2).sum(-1)
        rest = (drawn - x) - share[..., None, None, None] * branch
        if np.abs(rest).max() > 1e-4:
            return self._not_a_share(x, whole, drawn)
        dropped = np.abs(share) < 1e-3
        scale = share[~dropped]
        if not dropped.any():
            if close(scale, np.ones_like(scale), 1e-3):
                return fail(
                    "never-drops", f"with drop_rate = {show(rate)} nothing is ever dropped in training"
                )
            return fail(
                "never-drops", "the branch is scaled and never dropped: the choice is made image by image"
            )
        if len(scale) and not close(scale, np.full_like(scale, 1 / (1 - rate)), 1e-3):
            if close(scale, np.ones_like(scale), 1e-3):
                return fail(
                    "not-rescaled",
                    "the branches that stay are not scaled up: without 1/(1 − rate) their mean is another one in "
                    "training than in evaluation",
                )
            return fail(
                "branch-scale",
                f"the branches that stay are multiplied by {show(float(scale[0]))}, should be "
                f"1/(1 − rate) = {show(1 / (1 - rate))}",
            )
        if (dropped.all(1) | ~dropped.any(1)).all():
            return fail(
                "whole-batch",
                "all images of a batch are dropped together: draw one number per *image*, of shape (B, 1, 1, 1)",
            )
        if (dropped == dropped[0]).all():
            return fail("fixed-choice", "the same images are dropped at every pass: draw anew each time")
        count, n = int(dropped.sum()), dropped.size
        low, high = count_range(n, rate, ALPHA)
        if low <= count <= high:
            return RIGHT
        kept_low, kept_high = count_range(n, 1 - rate, ALPHA)
        if kept_low <= count <= kept_high:
            return fail(
                "keeps-instead-of-drops",
                f"{count} of {n} images were dropped: drop_rate = {show(rate)} is the chance to *drop*",
            )
        return fail("drop-rate-off", f"{count} of {n} images were dropped, with drop_rate = {show(rate)}")

    @staticmethod
    def _not_a_share(x: Array, whole: Array, drawn: Array) -> Verdict:
        flat = whole.reshape(len(x), -1)
        share = (drawn.reshape(_DRAWS, len(x), -1) * flat).sum(-1) / (flat**2).sum(-1)
        if np.abs(drawn - share[..., None, None, None] * whole).max() < 1e-4:
            return fail(
                "drops-the-shortcut",
                "the whole output is dropped, the shortcut with it: drop the branch *before* the input is added",
            )
        return fail(
            "drops-pixels",
            "an image's branch is dropped in parts: stochastic depth drops all of it or nothing, so its random "
            "numbers have the shape (B, 1, 1, 1)",
        )

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """A sum of two shapes is the usual error, and one in place the other."""
        if "in-place operation" in (answer.error or ""):
            return fail("changes-the-input", "the input was changed in place: add with x + y, not +=")
        if "must match the size of tensor" in (answer.error or ""):
            return fail(
                "shortcut-everywhere",
                "the input is added where it should not be: stride 1 *and* equal channels are needed "
                f"({instance.get('about', 'the shapes differ')})",
            )
        return error_verdict(instance, answer)


def _alike(one: Any, other: Any) -> bool:
    """Equal up to float32's rounding, in which outputs come back."""
    return close(one, other, 1e-5)


def _single(value: Any) -> Any:
    """Tensors, alone or in a list, as float32."""
    if isinstance(value, list):
        return [_single(one) for one in value]
    return value.float() if hasattr(value, "is_floating_point") else value


def _has_shortcut(instance: Instance) -> bool:
    return instance["stride"] == 1 and instance["c_in"] == instance["c_out"]


def _evaluated(block: Any, x: Any) -> dict[str, Any]:
    """Shapes of a block's parameters, its output and the gradients of that."""
    leaf = x.clone().requires_grad_()
    output = block(leaf)
    return {
        "shapes": [list(parameter.shape) for parameter in block.parameters()],
        "eval": output.detach().clone(),
        "gradients": _gradients(output, [leaf, *block.parameters()]),
    }


def _images(instance: Instance) -> Array:
    rng = default_rng(instance["seed"])
    return rng.normal(size=(_ROWS, instance["c_in"], 4, 3))


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


def _gradients(output: Any, leaves: Sequence[Any]) -> list[Any]:
    """The gradient of a weighted sum of `output` by each leaf; None where none arrives."""
    import torch

    if not isinstance(output, torch.Tensor) or not output.requires_grad:
        return [None] * len(leaves)
    weights = torch.cos(1 + 1.7 * torch.arange(output.numel(), dtype=output.dtype)).view_as(output)
    return list(torch.autograd.grad((output * weights).sum(), list(leaves), allow_unused=True))


def _same_gradients(found: Sequence[Any], right: Sequence[Any]) -> bool:
    pairs = zip(found, right)
    return len(found) == len(right) and all(
        one is not None and _alike(one, other) for one, other in pairs if other is not None
    )
