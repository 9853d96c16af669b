"""The checks of `MBConv` and `FusedMBConv`: the branch of each, and the usual mistakes in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nas_lib.checks.compound_scaling.residual import Block
from nas_lib.checks.compound_scaling.shared import LESSON
from nas_lib.checks.exercise import Instance


class MBConvBlock(Block):
    """`MBConv(...)`."""

    name, lesson = "MBConv", LESSON

    def library_block(self, plan: Any, instance: Instance) -> Any:
        """With the squeeze of the instance."""
        from nas_lib.efficientnet import MBConv, SqueezeExcite

        block = MBConv(plan)
        block.branch[-2] = SqueezeExcite(plan.hidden, max(1, int(plan.c_in * instance["se"])))
        return block

    def branches(self, block: Any, x: Any) -> Iterator[tuple[Any, str, str]]:
        """Squeeze-excite left out, misplaced or with another function; an activation too many; a layer missing."""
        import torch
        from torch.nn.functional import relu, silu

        *wide, depthwise, excite, project = block.branch
        y = x
        for layer in wide:
            y = layer(y)
        filtered = depthwise(y)

        def gate_of(means: Any, between: Any = silu, last: Any = torch.sigmoid) -> Any:
            return last(excite.widen(between(excite.reduce(means))))

        def gate(values: Any, *functions: Any) -> Any:
            return gate_of(values.mean((2, 3), keepdim=True), *functions)

        yield project(filtered), "no-squeeze", "squeeze-excite is missing: its weights change nothing"
        for between in (relu, lambda v: v):
            yield (
                project(filtered * gate(filtered, between)),
                "no-silu",
                "between the two layers of the squeeze stands something else than SiLU, or nothing",
            )
        yield (
            project(filtered * gate(filtered, silu, lambda v: v)),
            "no-sigmoid",
            "the channels' weights are not between 0 and 1: a sigmoid comes last",
        )
        yield (
            project(filtered * gate(filtered, silu, silu)),
            "no-sigmoid",
            "the channels' weights are not between 0 and 1: a sigmoid comes last, not SiLU",
        )
        yield (
            project(filtered + gate(filtered)),
            "adds-the-gate",
            "the gate is added: it *multiplies* the channels",
        )
        yield (
            project(gate(filtered).expand_as(filtered)),
            "gate-alone",
            "the gate replaces the feature maps: it multiplies them",
        )
        if excite.reduce.in_channels == y.shape[1]:
            yield (
                project(depthwise(y * gate(y))),
                "squeeze-too-early",
                "squeeze-excite comes before the depthwise convolution: it belongs behind it",
            )
            yield (
                project(filtered * gate(y)),
                "squeeze-too-early",
                "the gate is computed from what comes before the depthwise convolution: it belongs behind it",
            )
        yield (
            project(filtered * gate_of(filtered)),
            "gate-per-pixel",
            "each pixel has a gate of its own: the squeeze takes the mean over all pixels of a channel first",
        )
        yield (
            project(filtered * gate_of(filtered.amax((2, 3), keepdim=True))),
            "max-pool",
            "the squeeze takes each channel's maximum: it takes the mean",
        )
        yield (
            silu(project(filtered * gate(filtered))),
            "activation-at-the-end",
            "an activation follows the projection: the narrow end is linear (the L in MobileNetV2's title)",
        )


class FusedBlock(Block):
    """`FusedMBConv(...)`."""

    name, lesson, fused = "FusedMBConv", LESSON, True

    def library_block(self, plan: Any, instance: Instance) -> Any:
        """It has no squeeze."""
        from nas_lib.efficientnet import FusedMBConv

        return FusedMBConv(plan)

    def branches(self, block: Any, x: Any) -> Iterator[tuple[Any, str, str]]:
        """An activation too many, or a layer missing."""
        from torch.nn.functional import silu

        first, *rest = block.branch
        if rest:
            wide = first(x)
            yield (
                silu(rest[0](wide)),
                "activation-at-the-end",
                "an activation follows the projection: the narrow end is linear",
            )
            if wide.shape[1] == x.shape[1]:
                yield wide, "no-projection", "the projection is missing"
        else:
            yield (
                silu(first(x)),
                "activation-twice",
                "without expansion the one convolution has its activation already: a second one follows",
            )
            linear = first[1](first[0](x))
            yield linear, "activation-missing", "without expansion the one convolution keeps its activation"
