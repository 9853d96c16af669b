"""The usual mistakes of lesson 07, and right answers written another way."""

# ruff: noqa: F821  (`book` is given)
# mypy: ignore-errors

import math
from fractions import Fraction

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.ops import SqueezeExcitation, stochastic_depth
from torchvision.transforms.v2 import functional as pixels

from nas_lib.augmentation import OPERATIONS, apply_operation, level_strengths
from nas_lib.efficientnet import B0, SCALES, conv_norm

# --------------------------------------------------------------------------------------- scaled_cost

SQUARES = "but the width counts twice (channels in and out), and so does the resolution (rows, columns)"
COST = "alpha * beta**2 * gamma**2"
CHECK = "not (math.isfinite(value) and value > 0)"

book.edits(
    "scaled_cost",
    ("no-squares", f"here each counts once: {SQUARES}", {COST: "alpha * beta * gamma"}),
    (
        "width-once",
        "the width counts once here: a convolution has channels in *and* out",
        {"beta**2": "beta"},
    ),
    (
        "resolution-once",
        "the resolution counts once here: an image has rows *and* columns",
        {"gamma**2": "gamma"},
    ),
    (
        "depth-squared",
        "the depth is squared as well: twice the blocks cost twice as much",
        {"(alpha *": "(alpha**2 *"},
    ),
    (
        "depth-squared",
        "the depth is squared: twice the blocks cost twice as much, twice the channels four times",
        {COST: "alpha**2 * beta * gamma"},
    ),
    (
        "times-phi",
        "phi multiplies here: it is an exponent, the number of steps",
        {") ** phi": ") * phi"},
    ),
    (
        "whole-steps",
        "phi is cut off to a whole number: half a step is one too",
        {") ** phi": ") ** int(phi)"},
    ),
    (
        "whole-steps",
        "phi is rounded to a whole number: half a step is one too",
        {") ** phi": ") ** round(phi)"},
    ),
    (
        "never-shrinks",
        "a negative phi makes the network cheaper: here it makes it dearer",
        {") ** phi": ") ** abs(phi)"},
    ),
    (
        "part-without-phi",
        "phi is the exponent of the last two factors only: all three grow with it",
        {f"({COST}) ** phi": "alpha * (beta**2 * gamma**2) ** phi"},
    ),
    ("ignores-phi", "this is the cost of one step: `phi` is not used", {") ** phi": ")"}),
    (
        "assumes-two",
        "2^phi holds only where alpha·beta²·gamma² is 2",
        {f"({COST})": "2.0"},
    ),
    (
        "part-without-phi",
        "phi is the exponent of the first factor only: all three grow with it",
        {f"({COST}) ** phi": "alpha**phi * beta**2 * gamma**2"},
    ),
    (
        "part-without-phi",
        "phi is the exponent of the last factor only: all three grow with it",
        {f"({COST}) ** phi": "alpha * beta**2 * gamma ** (2 * phi)"},
    ),
    ("accepts-bad-input", "", {CHECK: "value == 0", "not math.isfinite(phi)": "False"}),
    ("accepts-bad-input", "", {CHECK: "not value > 0"}),
    ("zero-is-none", "", {") ** phi": ") ** (phi or 1)"}),
)


@book.right("scaled_cost")
def by_logarithms(alpha, beta, gamma, phi):
    if not all(math.isfinite(one) and one > 0 for one in (alpha, beta, gamma)) or not math.isfinite(phi):
        raise ValueError(f"out of range: {alpha}, {beta}, {gamma}, {phi}")
    return math.exp(phi * (math.log(alpha) + 2 * math.log(beta) + 2 * math.log(gamma)))


@book.right("scaled_cost")
def one_dimension_at_a_time(alpha, beta, gamma, phi):
    if not all(math.isfinite(one) and one > 0 for one in (alpha, beta, gamma)) or not math.isfinite(phi):
        raise ValueError(f"out of range: {alpha}, {beta}, {gamma}, {phi}")
    depth, width, resolution = (np.float64(one) ** phi for one in (alpha, beta, gamma))
    return depth * width * width * resolution * resolution


# ------------------------------------------------------------------------------------- round_filters

NEAREST = "int(wanted + divisor / 2) // divisor * divisor"
TENTH = "    if rounded < 0.9 * wanted:\n        rounded += divisor\n"
DOWN = "this rounds down: take the *nearest* multiple"
HALF = "halfway between two multiples the larger one is taken"

book.edits(
    "round_filters",
    (
        "no-tenth-rule",
        "the nearest multiple may lose more than a tenth of the channels: where it is below 0.9·filters·width, "
        "go one multiple up",
        {TENTH: ""},
    ),
    (
        "exactly-nine-tenths",
        "the next multiple is taken only *below* nine tenths of filters·width: exactly nine tenths are enough",
        {"rounded < 0.9": "rounded <= 0.9"},
    ),
    ("cuts-down", DOWN, {NEAREST: "int(wanted) // divisor * divisor"}),
    ("cuts-down", DOWN, {NEAREST: "int(wanted) // divisor * divisor", TENTH: ""}),
    (
        "goes-up",
        "this rounds up: take the *nearest* multiple",
        {NEAREST: "math.ceil(wanted / divisor) * divisor"},
    ),
    ("half-to-even", f"round() is to even: {HALF}", {NEAREST: "round(wanted / divisor) * divisor"}),
    (
        "half-down",
        f"{HALF}, and here it is the smaller one",
        {NEAREST: "math.ceil(wanted / divisor - 0.5) * divisor"},
    ),
    (
        "rounds-first",
        "round after multiplying, once",
        {"wanted = filters * width": "wanted = int(filters + divisor / 2) // divisor * divisor * width"},
    ),
    (
        "tenth-of-filters",
        "the nine tenths are those of filters·width, not of filters",
        {"0.9 * wanted": "0.9 * filters"},
    ),
    (
        "ignores-divisor",
        "the multiple is always one of 8: `divisor` is not used",
        {"wanted = filters * width": "wanted, divisor = filters * width, 8"},
    ),
    (
        "no-multiple",
        "this is no multiple of the divisor",
        {f"max(divisor, {NEAREST})": "round(wanted)", TENTH: ""},
    ),
    ("not-an-int", "", {"int(rounded)": "float(rounded)"}),
    ("ignores-divisor", "", {"rounded += divisor": "rounded += 8"}),
    ("other-share", "", {"0.9 * wanted": "0.89 * wanted"}),
    (
        "multiple-of-eight-at-least",
        "at least one *divisor* comes out, and here it is 8",
        {f"max(divisor, {NEAREST})": f"max(8, {NEAREST})"},
    ),
    (
        "cuts-the-product-off",
        "filters·width is cut off to a whole number before it is rounded: it may be a broken one",
        {"wanted = filters * width": "wanted = int(filters * width)"},
    ),
    (
        "cuts-half-the-divisor-off",
        "of an odd divisor half is no whole number: `divisor // 2` cuts it off",
        {"divisor / 2": "divisor // 2"},
    ),
    ("accepts-bad-input", "", {"1 <= filters": "0 < filters"}),
    ("accepts-bad-input", "", {"not (1 <= filters < math.inf and 1 <= divisor < math.inf)": "False"}),
    ("accepts-bad-input", "", {"not (1 <= filters < math.inf and 1": "not (filters >= 1 and 1"}),
    ("accepts-bad-input", "", {"not (1 <= filters < math.inf and 1": "filters < 1 or not (1"}),
    ("accepts-bad-input", "", {" and 1 <= divisor < math.inf)": " and divisor >= 1)"}),
    ("accepts-bad-input", "", {" and 1 <= divisor < math.inf)": ") or divisor < 1"}),
    ("accepts-bad-input", "", {"math.isfinite(width) and ": ""}),
)


@book.right("round_filters")
def over_all_multiples(filters, width, divisor=8):
    if not (1 <= filters < math.inf and 1 <= divisor < math.inf and math.isfinite(width) and width > 0):
        raise ValueError(f"out of range: {filters}, {width}, {divisor}")
    wanted = filters * width
    multiples = [divisor * i for i in range(1, int(wanted / divisor) + 3)]
    best = min(multiples, key=lambda one: (abs(one - wanted), -one))
    return best if best >= 0.9 * wanted else best + divisor


@book.right("round_filters")
def with_fractions(filters, width, divisor=8):
    if not (1 <= filters < math.inf and 1 <= divisor < math.inf and math.isfinite(width) and width > 0):
        raise ValueError(f"out of range: {filters}, {width}, {divisor}")
    wanted = Fraction(filters * width)
    steps = max(1, (wanted / divisor + Fraction(1, 2)).__floor__())
    return np.int64((steps + (steps * divisor < 0.9 * float(wanted))) * divisor)


# ------------------------------------------------------------------------------------- round_repeats

UP = "blocks are rounded *up*, so that every multiplier above 1 adds some"
CEIL = "math.ceil(repeats * depth)"

book.edits(
    "round_repeats",
    ("cuts-down", f"this rounds down: {UP}", {CEIL: "int(repeats * depth)"}),
    ("cuts-down", f"this rounds down: {UP}", {CEIL: "max(1, int(repeats * depth))"}),
    (
        "takes-the-nearest",
        f"this is the nearest whole number: {UP}",
        {CEIL: "round(repeats * depth)"},
    ),
    (
        "takes-the-nearest",
        f"this is the nearest whole number: {UP}",
        {CEIL: "max(1, round(repeats * depth))"},
    ),
    (
        "takes-the-nearest",
        f"this is the nearest whole number: {UP}",
        {CEIL: "int(repeats * depth + 0.5)"},
    ),
    (
        "adds-one-more",
        "where the product is whole already, this adds one too many",
        {CEIL: "int(repeats * depth) + 1"},
    ),
    (
        "rounds-the-depth",
        "the product is rounded, not the multiplier alone",
        {CEIL: "repeats * math.ceil(depth)"},
    ),
    (
        "adds-the-depth",
        "the depth multiplies, it is not added",
        {CEIL: "math.ceil(repeats + depth)"},
    ),
    ("ignores-depth", "`depth` is not used", {CEIL: "repeats"}),
    ("not-an-int", "", {CEIL: "float(math.ceil(repeats * depth))"}),
    ("accepts-bad-input", "", {"math.isfinite(depth) and ": ""}),
    ("a-bit-is-left-out", "", {CEIL: "math.ceil(repeats * depth - 0.05)"}),
    ("a-bit-is-left-out", "", {CEIL: "math.ceil(repeats * depth - 0.0005)"}),
    ("a-bit-is-left-out", "", {CEIL: "math.ceil(repeats * depth - 1e-5)"}),
    (
        "never-shrinks",
        "a depth below 1 makes a stage shorter: the blocks of the base network are no lower bound",
        {CEIL: "max(repeats, math.ceil(repeats * depth))"},
    ),
    ("accepts-bad-input", "", {"not 1 <= repeats": "not 0 < repeats"}),
    ("accepts-bad-input", "", {"not 1 <= repeats < math.inf": "repeats < -1"}),
    ("accepts-bad-input", "", {"not 1 <= repeats < math.inf": "repeats < 1"}),
    ("accepts-bad-input", "", {"not 1 <= repeats < math.inf": "not repeats >= 1"}),
)


@book.right("round_repeats")
def by_floor_division(repeats, depth):
    if not (1 <= repeats < math.inf and math.isfinite(depth) and depth > 0):
        raise ValueError(f"out of range: {repeats}, {depth}")
    return int(-(-repeats * depth // 1))


@book.right("round_repeats")
def counts_up(repeats, depth):
    if not (1 <= repeats < math.inf and math.isfinite(depth) and depth > 0):
        raise ValueError(f"out of range: {repeats}, {depth}")
    blocks = 1
    while blocks < repeats * depth:
        blocks += 1
    return blocks


# ------------------------------------------------------------------------------- efficientnet_stages

CHANNELS = "filters(stage.c_in, scale.width), filters(stage.c_out, scale.width)"
TIMES = "repeats(stage.repeats, scale.depth)"
ROUNDED_UP = "blocks are rounded *up* (round_repeats)"

book.edits(
    "efficientnet_stages",
    (
        "ignores-the-variant",
        "these are the stages of b0: the variant has more",
        {CHANNELS: "stage.c_in, stage.c_out", TIMES: "stage.repeats"},
    ),
    (
        "width-only",
        "the blocks are those of b0: the depth multiplies the repeats",
        {TIMES: "stage.repeats"},
    ),
    (
        "depth-only",
        "the channels are those of b0: the width multiplies them",
        {CHANNELS: "stage.c_in, stage.c_out"},
    ),
    (
        "input-not-scaled",
        "the input channels are those of b0: they grow like the outputs before them",
        {"filters(stage.c_in, scale.width)": "stage.c_in"},
    ),
    (
        "stem-not-scaled",
        "the first stage's input is the stem's output, which the width multiplies too",
        {"    return stages": "    stages[0] = (*stages[0][:3], 32, *stages[0][4:])\n    return stages"},
    ),
    (
        "cuts-down",
        f"repeats are rounded down: {ROUNDED_UP}",
        {TIMES: "max(1, int(stage.repeats * scale.depth))"},
    ),
    (
        "takes-the-nearest",
        f"repeats are rounded to the nearest: {ROUNDED_UP}",
        {TIMES: "max(1, round(stage.repeats * scale.depth))"},
    ),
    (
        "channels-cut-off",
        "the channels are no multiples of 8: round_filters rounds them",
        {CHANNELS: "int(stage.c_in * scale.width), int(stage.c_out * scale.width)"},
    ),
    (
        "left-broken",
        "broken numbers of channels: they have to be rounded to whole numbers",
        {CHANNELS: "stage.c_in * scale.width, stage.c_out * scale.width"},
    ),
    (
        "swapped-multipliers",
        "width and depth are exchanged: the width multiplies channels, the depth repeats",
        {
            CHANNELS: "filters(stage.c_in, scale.depth), filters(stage.c_out, scale.depth)",
            TIMES: "repeats(stage.repeats, scale.width)",
        },
    ),
    (
        "wrong-length",
        "a network has seven stages: one entry for each",
        {"return stages": "return stages[:6]"},
    ),
    (
        "ignores-filters",
        "`filters` is passed in and not used: call it, so that another rounding can be tried",
        {CHANNELS: "round_filters(stage.c_in, scale.width), round_filters(stage.c_out, scale.width)"},
    ),
    (
        "ignores-repeats",
        "`repeats` is passed in and not used: call it, so that another rounding can be tried",
        {TIMES: "round_repeats(stage.repeats, scale.depth)"},
    ),
    ("wrong-type", "", {"return stages": "return [list(stage) for stage in stages]"}),
    (
        "not-an-int",
        "the numbers are right, but floats: channels and blocks are ints",
        {"return stages": "return [tuple(map(float, stage)) for stage in stages]"},
    ),
    (
        "ignores-filters",
        "",
        {CHANNELS: f"*((stage.c_in, stage.c_out) if scale.width == 1 else ({CHANNELS})),"},
    ),
    ("wrong-error", "", {"variant not in SCALES": "False"}),
    (
        "accepts-bad-input",
        "",
        {
            "scale = SCALES[variant]": 'scale = SCALES.get(variant, SCALES["b0"])',
            "variant not in SCALES": "False",
        },
    ),
    ("wrong-type", "", {"return stages": "return np.array(stages)"}),
    (
        "swapped-arguments",
        "`filters` is called with its arguments exchanged: filters(channels, width)",
        {CHANNELS: "filters(scale.width, stage.c_in), filters(scale.width, stage.c_out)"},
    ),
    (
        "scaled-twice",
        "the channels in are multiplied twice: what came out of the stage before is scaled already",
        {"filters(stage.c_in, scale.width)": "filters(filters(stage.c_in, scale.width), scale.width)"},
    ),
    (
        "other-order",
        "kernel and expand are exchanged: (expand, kernel, stride, channels in, channels out, blocks)",
        {"(stage.expand, stage.kernel,": "(stage.kernel, stage.expand,"},
    ),
    (
        "other-order",
        "channels in and out are exchanged: (expand, kernel, stride, channels in, channels out, blocks)",
        {CHANNELS: "filters(stage.c_out, scale.width), filters(stage.c_in, scale.width)"},
    ),
    (
        "single-blocks-stay",
        "stages of one block are not scaled: rounded up, they grow too",
        {TIMES: "stage.repeats if stage.repeats == 1 else repeats(stage.repeats, scale.depth)"},
    ),
)


@book.right("efficientnet_stages")
def chained(variant, *, filters, repeats):
    if variant not in SCALES:
        raise ValueError(f"no such variant: {variant}")
    scale = SCALES[variant]
    before, found = filters(32, scale.width), []
    for s in B0.stages:
        after = filters(s.c_out, scale.width)
        found.append((s.expand, s.kernel, s.stride, before, after, repeats(s.repeats, scale.depth)))
        before = after
    return found


@book.right("efficientnet_stages")
def by_comprehension(variant, *, filters, repeats):
    scale = SCALES.get(variant)
    if scale is None:
        raise ValueError(f"variant must be one of {list(SCALES)}")
    return [
        (
            *s[:3],
            *(int(filters(c, scale.width)) for c in s[3:5]),
            np.int64(repeats(s[5], scale.depth)),
        )
        for s in B0.stages
    ]


# ------------------------------------------------------------------------------------------- blocks

GATED = "y * torch.sigmoid(gate)"
PROJECTED = f"y = self.project({GATED})"
POOLED = "y.mean((2, 3), keepdim=True)"
NARROW = "an activation follows the projection: the narrow end is linear (the L in MobileNetV2's title)"
CUT = (
    "the output is right and its gradients are not: something is cut out of the graph (detach, no_grad, "
    ".data) on the way"
)
EVERYWHERE = "the input is added where it should not be: stride 1 *and* equal channels are needed"
BETWEEN = "between the two layers of the squeeze stands something else than SiLU, or nothing"
SIGMOID = "the channels' weights are not between 0 and 1: a sigmoid comes last"
EARLY = "squeeze-excite comes before the depthwise convolution: it belongs behind it"

book.edits(
    "MBConv",
    (
        "no-squeeze",
        "squeeze-excite is missing: its weights change nothing",
        {PROJECTED: "y = self.project(y)"},
    ),
    ("no-silu", BETWEEN, {"F.silu(": "F.relu("}),
    ("no-silu", BETWEEN, {f"F.silu(self.reduce({POOLED}))": f"self.reduce({POOLED})"}),
    ("no-sigmoid", SIGMOID, {"torch.sigmoid(gate)": "gate"}),
    ("no-sigmoid", SIGMOID, {"torch.sigmoid(gate)": "F.silu(gate)"}),
    (
        "adds-the-gate",
        "the gate is added: it *multiplies* the channels",
        {GATED: "y + torch.sigmoid(gate)"},
    ),
    (
        "gate-alone",
        "the gate replaces the feature maps: it multiplies them",
        {GATED: "torch.sigmoid(gate).expand_as(y)"},
    ),
    (
        "squeeze-too-early",
        EARLY,
        {
            "y = self.depthwise(self.expand(x))": "y = self.expand(x)",
            PROJECTED: f"y = self.project(self.depthwise({GATED}))",
        },
    ),
    ("squeeze-too-early", EARLY, {POOLED: "self.expand(x).mean((2, 3), keepdim=True)"}),
    (
        "gate-per-pixel",
        "each pixel has a gate of its own: the squeeze takes the mean over all pixels of a channel first",
        {POOLED: "y"},
    ),
    (
        "max-pool",
        "the squeeze takes each channel's maximum: it takes the mean",
        {POOLED: "y.amax((2, 3), keepdim=True)"},
    ),
    (
        "gate-of-the-batch",
        "the squeeze takes the mean over the images of the batch as well: each image has a gate of its own",
        {POOLED: "y.mean((0, 2, 3), keepdim=True)"},
    ),
    (
        "adds-the-gate",
        "the channels are multiplied by 1 + gate: they are multiplied by the gate",
        {GATED: "y * (1 + torch.sigmoid(gate))"},
    ),
    (
        "silu-twice",
        "a SiLU stands between the second layer of the squeeze and the sigmoid: only the sigmoid comes last",
        {"torch.sigmoid(gate)": "torch.sigmoid(F.silu(gate))"},
    ),
    (
        "activation-after-the-gate",
        "an activation stands between the gate and the last convolution: the depthwise layer has its own already",
        {PROJECTED: f"y = self.project(F.silu({GATED}))"},
    ),
    ("activation-at-the-end", NARROW, {PROJECTED: f"y = F.silu(self.project({GATED}))"}),
    ("gradient-cut", CUT, {"torch.sigmoid(gate)": "torch.sigmoid(gate).detach()"}),
)

FUSED = "y = self.project(self.fused(x))"
LINEAR = "without expansion the one convolution"

book.edits(
    "FusedMBConv",
    (
        "activation-at-the-end",
        NARROW,
        {
            FUSED: "y = self.project(self.fused(x))\n        y = y if isinstance(self.project, nn.Identity) else F.silu(y)"
        },
    ),
    (
        "activation-twice",
        f"{LINEAR} has its activation already: a second one follows",
        {
            FUSED: "y = self.fused(x)\n        y = F.silu(y) if isinstance(self.project, nn.Identity) else self.project(y)"
        },
    ),
    (
        "activation-twice",
        "a further activation follows the last layer: it has none",
        {FUSED: "y = F.silu(self.project(self.fused(x)))"},
    ),
    (
        "activation-missing",
        f"{LINEAR} keeps its activation",
        {
            FUSED: "y = self.fused[1](self.fused[0](x)) if isinstance(self.project, nn.Identity) else self.project(self.fused(x))"
        },
    ),
    (
        "activation-missing",
        "the first convolution keeps its activation",
        {FUSED: "y = self.project(self.fused[1](self.fused[0](x)))"},
    ),
    ("gradient-cut", CUT, {FUSED: "y = self.project(self.fused(x).detach())"}),
    ("in-place", "", {"return x + y": "x += y\n        return x"}),
    (
        "skips-the-last-layer",
        "the last convolution is left out where the first one has as many channels as the block: expand = 1 alone "
        "does without it",
        {FUSED: "y = self.fused(x)\n        y = y if y.shape[1] == self.out_channels else self.project(y)"},
    ),
)

ADDED = "        return x + y"
SHORTCUT = "self.stride != 1 or self.in_channels != self.out_channels"
TRAINS = "if self.training and self.drop_rate > 0:"
STAYS = "stays = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.drop_rate"
SCALED = "y = y * stays / (1 - self.drop_rate)"
DROPPED = f"        {TRAINS}\n            {STAYS}\n            {SCALED}\n"
AGAIN = (
    "        for part in self.modules():\n"
    "            if isinstance(part, nn.BatchNorm2d) and part.num_features == y.shape[1]:\n"
    "                part(y)\n"
)
CONDITION = f"        if {SHORTCUT}:\n            return y\n"

for block in ("MBConv", "FusedMBConv"):
    book.edits(
        block,
        (
            "no-shortcut",
            "the input is not added, though the shape stays the same",
            {ADDED: "        return y"},
        ),
        (
            "no-shortcut",
            "the shortcut is missing where channels are equal and not the same object: compare with ==",
            {SHORTCUT: "self.stride != 1 or self.in_channels is not self.out_channels"},
        ),
        ("shortcut-everywhere", EVERYWHERE, {SHORTCUT: "self.stride != 1"}),
        ("shortcut-everywhere", EVERYWHERE, {SHORTCUT: "self.in_channels != self.out_channels"}),
        ("shortcut-everywhere", EVERYWHERE, {CONDITION: ""}),
        (
            "shortcut-everywhere",
            EVERYWHERE,
            {SHORTCUT: "self.stride != 1 or self.in_channels < self.out_channels"},
        ),
        (
            "scaled-in-eval",
            "the branch is scaled down in evaluation: it is scaled *up* in training instead, by 1/(1 − rate)",
            {
                SCALED: "y = y * stays",
                TRAINS: f"if not self.training:\n            y = y * (1 - self.drop_rate)\n        {TRAINS}",
            },
        ),
        (
            "scaled-in-eval",
            "the branch is scaled up in evaluation: 1/(1 − rate) belongs to training, where some are dropped",
            {TRAINS: f"if not self.training:\n            y = y / (1 - self.drop_rate)\n        {TRAINS}"},
        ),
        (
            "activation-after-the-sum",
            "an activation follows the addition, as in a ResNet: the sum is the block's output",
            {ADDED: "        return F.silu(x + y)"},
        ),
        (
            "keeps-instead-of-drops",
            "with drop_rate = 0 every branch is dropped: drop_rate is the chance to *drop*, a number from `torch.rand` "
            "is below it that often",
            {STAYS: STAYS.replace(">=", "<"), " and self.drop_rate > 0": ""},
        ),
        ("drops-the-shortcut", "", {SCALED: "x = x * stays / (1 - self.drop_rate)"}),
        ("drops-in-eval", "", {TRAINS: "if self.drop_rate > 0:"}),
        ("never-drops", "", {DROPPED: ""}),
        ("never-drops", "", {SCALED: "y = y / (1 - self.drop_rate)"}),
        ("not-rescaled", "", {SCALED: "y = y * stays"}),
        ("branch-scale", "", {SCALED: "y = y * stays / self.drop_rate"}),
        ("whole-batch", "", {"torch.rand(len(x), 1, 1, 1,": "torch.rand(1, 1, 1, 1,"}),
        (
            "drops-pixels",
            "",
            {"torch.rand(len(x), 1, 1, 1, device=x.device)": "torch.rand_like(y)"},
        ),
        (
            "drops-pixels",
            "",
            {"torch.rand(len(x), 1, 1, 1,": "torch.rand(len(x), y.shape[1], 1, 1,"},
        ),
        ("keeps-instead-of-drops", "", {STAYS: STAYS.replace(">=", "<")}),
        ("drops-the-shortcut", "", {SCALED: "return (x + y) * stays / (1 - self.drop_rate)"}),
        ("drops-without-shortcut", "", {DROPPED: "", CONDITION: f"{DROPPED}{CONDITION}"}),
        ("fixed-choice", "", {STAYS: f"torch.manual_seed(0)\n            {STAYS}"}),
        (
            "shared-choice",
            "",
            {
                STAYS: "stays = torch.rand((len(x) + 1) // 2, device=x.device) >= self.drop_rate\n"
                "            stays = torch.cat([stays, stays])[: len(x)].view(-1, 1, 1, 1)"
            },
        ),
        ("computed-again", "", {CONDITION: f"{AGAIN}{CONDITION}"}),
        (
            "exact-share",
            "",
            {
                STAYS: "order = torch.randperm(len(x)).view(-1, 1, 1, 1)\n            stays = order >= round(self.drop_rate * len(x))"
            },
        ),
    )


class _Inverted(nn.Module):
    """MBConv's layers, and its forward in steps that mutants exchange."""

    def __init__(self, in_channels, out_channels, kernel, stride, expand, se_ratio, drop_rate):
        super().__init__()
        hidden, squeezed = in_channels * expand, max(1, int(in_channels * se_ratio))
        self.expand = conv_norm(in_channels, hidden, 1) if expand != 1 else nn.Identity()
        self.depthwise = conv_norm(hidden, hidden, kernel, stride, groups=hidden)
        self.reduce = nn.Conv2d(hidden, squeezed, 1)
        self.restore = nn.Conv2d(squeezed, hidden, 1)
        self.project = conv_norm(hidden, out_channels, 1, act=False)
        self.in_channels, self.out_channels, self.stride = in_channels, out_channels, stride
        self.drop_rate = drop_rate

    def gate(self, y):
        return torch.sigmoid(self.restore(F.silu(self.reduce(y.mean((2, 3), keepdim=True)))))

    def branch(self, x):
        y = self.depthwise(self.expand(x))
        return self.project(y * self.gate(y))

    def has_shortcut(self):
        return self.stride == 1 and self.in_channels == self.out_channels

    def drop(self, y):
        return _drop(y, self.drop_rate, self.training)

    def forward(self, x):
        y = self.branch(x)
        return x + self.drop(y) if self.has_shortcut() else y


class _Fused(nn.Module):
    """The same for FusedMBConv."""

    def __init__(self, in_channels, out_channels, kernel, stride, expand, drop_rate):
        super().__init__()
        hidden = in_channels * expand if expand != 1 else out_channels
        self.fused = conv_norm(in_channels, hidden, kernel, stride)
        self.project = conv_norm(hidden, out_channels, 1, act=False) if expand != 1 else nn.Identity()
        self.in_channels, self.out_channels, self.stride = in_channels, out_channels, stride
        self.drop_rate = drop_rate

    def branch(self, x):
        return self.project(self.fused(x))

    has_shortcut, drop, forward = _Inverted.has_shortcut, _Inverted.drop, _Inverted.forward


def _drop(y, rate, training):
    if not training or rate == 0:
        return y
    return y * (torch.rand(len(y), 1, 1, 1) >= rate) / (1 - rate)


@book.wrong("MBConv", "layers-changed")
class QuarterSqueeze(_Inverted):
    """The published ratio, whatever `se_ratio` is."""

    def __init__(self, in_channels, out_channels, kernel, stride, expand, se_ratio, drop_rate):
        super().__init__(in_channels, out_channels, kernel, stride, expand, 0.25, drop_rate)


@book.wrong("FusedMBConv", "layers-changed")
class AlwaysAsWideAsTheInput(_Fused):
    """Without expansion, as many channels out as in."""

    def __init__(self, in_channels, out_channels, kernel, stride, expand, drop_rate):
        super().__init__(in_channels, out_channels, kernel, stride, expand, drop_rate)
        if expand == 1:
            self.fused = conv_norm(in_channels, in_channels, kernel, stride)


@book.wrong("MBConv", "changes-settings")
class FindsAnomalies(_Inverted):
    """And slows down all training that comes after it."""

    def __init__(self, *given):
        super().__init__(*given)
        torch.autograd.set_detect_anomaly(True)


@book.wrong("FusedMBConv", "changes-settings")
class HidesDivisionsByZero(_Fused):
    def __init__(self, *given):
        super().__init__(*given)
        np.seterr(divide="ignore")


@book.right("MBConv")
class WithTorchvisionsParts(nn.Module):
    """torchvision's stochastic depth and squeeze, layers in a Sequential."""

    def __init__(self, in_channels, out_channels, kernel, stride, expand, se_ratio, drop_rate):
        super().__init__()
        hidden = in_channels * expand
        layers = [conv_norm(in_channels, hidden, 1)] if expand != 1 else []
        layers.append(conv_norm(hidden, hidden, kernel, stride, groups=hidden))
        layers.append(SqueezeExcitation(hidden, max(1, int(in_channels * se_ratio)), activation=nn.SiLU))
        layers.append(conv_norm(hidden, out_channels, 1, act=False))
        self.layers, self.rate = nn.Sequential(*layers), drop_rate

    def forward(self, x):
        y = self.layers(x)
        return x + stochastic_depth(y, self.rate, "row", self.training) if y.shape == x.shape else y


@book.right("MBConv")
class ComparesShapes(_Inverted):
    """Whatever has the input's shape gets it added; survivors are listed, and scattered into zeros."""

    def forward(self, x):
        y = self.branch(x)
        if y.shape != x.shape:
            return y
        if not self.training:
            return y.add(x)
        alive = (torch.rand(len(x)) >= self.drop_rate).nonzero().flatten()
        return x.index_add(0, alive, y[alive], alpha=1 / (1 - self.drop_rate))


@book.right("MBConv")
class ChoosesWithWhere(_Inverted):
    """Each dropped image keeps its input; the gate is made with matrices."""

    def gate(self, y):
        means = y.flatten(2).mean(2)
        weights = F.linear(
            F.silu(F.linear(means, self.reduce.weight.flatten(1), self.reduce.bias)),
            self.restore.weight.flatten(1),
            self.restore.bias,
        )
        return weights.sigmoid()[..., None, None]

    def forward(self, x):
        y = self.branch(x)
        if x.shape != y.shape:
            return y
        if self.training and self.drop_rate:
            gone = torch.bernoulli(torch.full((len(x), 1, 1, 1), self.drop_rate)).bool()
            return torch.where(gone, x, x + y / (1 - self.drop_rate))
        return x + y


@book.right("FusedMBConv")
class FusedWithStochasticDepth(_Fused):
    """torchvision's stochastic depth."""

    def forward(self, x):
        y = self.branch(x)
        return x + stochastic_depth(y, self.drop_rate, "row", self.training) if x.shape == y.shape else y


@book.right("FusedMBConv")
class FusedAddsOntoACopy(_Fused):
    """In place, but not in the input; factors of 0 and 1/(1 − rate) drawn with numpy."""

    def forward(self, x):
        y = self.branch(x)
        if not self.has_shortcut():
            return y
        factors = np.ones(len(x))
        if self.training:
            stays = np.random.default_rng().binomial(1, 1 - self.drop_rate, len(x))
            factors = stays / (1 - self.drop_rate)
        output = x.clone()
        output += torch.from_numpy(factors).to(y)[:, None, None, None] * y
        return output


@book.right("FusedMBConv")
class FusedImageByImage(_Fused):
    """A loop over the images that stay."""

    def forward(self, x):
        y = self.branch(x)
        if self.stride != 1 or self.in_channels != self.out_channels:
            return y
        if not self.training or self.drop_rate == 0:
            return y.add(x)
        kept = [
            one / (1 - self.drop_rate) if np.random.default_rng().random() >= self.drop_rate else one * 0
            for one in y
        ]
        return x + torch.stack(kept)


# --------------------------------------------------------------------- grid_search_coefficients

COST_OF = "a * b**2 * c**2"
INSIDE = f"abs({COST_OF} - limit) <= tolerance"
BEST = "return points[int(np.argmax(accuracies))]"

book.edits(
    "grid_search_coefficients",
    ("no-squares", "", {COST_OF: "a * b * c"}),
    ("width-once", "", {COST_OF: "a * b * c**2"}),
    ("resolution-once", "", {COST_OF: "a * b**2 * c"}),
    ("depth-squared", "", {COST_OF: "a**2 * b**2 * c**2"}),
    ("upper-bound-only", "", {INSIDE: f"{COST_OF} <= limit + tolerance"}),
    ("ignores-the-constraint", "", {INSIDE: "True"}),
    ("leaves-out-one", "", {"1 + i * step for i": "1 + (i + 1) * step for i"}),
    ("limit-unused", "", {INSIDE: f"abs({COST_OF} - 2) <= tolerance"}),
    ("lower-side-only", "", {INSIDE: f"limit - tolerance <= {COST_OF} <= limit"}),
    ("upper-side-only", "", {INSIDE: f"limit <= {COST_OF} <= limit + tolerance"}),
    (
        "lower-side-only",
        "",
        {"int((limit + tolerance - 1) / step) + 2": "int((limit - 1) / step + 1e-9) + 1"},
    ),
    ("ignores-the-constraint", "", {INSIDE: f"{INSIDE} + 1e-3"}),
    ("wrong-grid", "", {"1 + i * step for i": "round(1 + i * step, 2) for i"}),
    ("second-best-point", "", {"[evaluate(*point)": "[round(evaluate(*point), 1)"}),
    ("takes-the-lowest", "", {"np.argmax": "np.argmin"}),
    ("tries-twice", "", {BEST: f"evaluate(*points[int(np.argmax(accuracies))])\n    {BEST}"}),
    ("coefficients-in-other-order", "", {BEST: f"{BEST}[::-1]"}),
    ("trains-nothing", "", {"evaluate(*point) for point in points": "0.0 for point in points"}),
    ("wrong-type", "", {BEST: "return list(points[int(np.argmax(accuracies))])"}),
    (
        "accepts-bad-input",
        "",
        {"any(math.isnan(accuracy) for accuracy in accuracies)": "math.isnan(accuracies[0])"},
    ),
    (
        "accepts-bad-input",
        "",
        {"step > 0 and tolerance >= 0 and limit >= 1": "step > 0 and tolerance >= 0"},
    ),
    ("accepts-bad-input", "", {"all(map(math.isfinite, sizes))": "not math.isnan(sum(sizes))"}),
    (
        "accepts-bad-input",
        "",
        {"    if not points:": "    points = points or [(1.0, 1.0, 1.0)]\n    if not points:"},
    ),
    ("upper-bound-only", "", {"<= tolerance\n": "<= (tolerance or 0.1)\n"}),
)


def _grid_arguments(step, tolerance, limit):
    if not (0 < step < math.inf and 0 <= tolerance < math.inf and 1 <= limit < math.inf):
        raise ValueError(f"out of range: {step}, {tolerance}, {limit}")


def _axes(step, tolerance, limit):
    return [1 + i * step for i in range(int((limit + tolerance - 1) / step + 1e-9) + 1)]


@book.right("grid_search_coefficients")
def three_loops(evaluate, step, tolerance, limit=2.0):
    _grid_arguments(step, tolerance, limit)
    best = None
    for gamma in _axes(step, tolerance, limit):
        for beta in _axes(step, tolerance, limit):
            for alpha in _axes(step, tolerance, limit):
                if abs(alpha * beta**2 * gamma**2 - limit) <= tolerance:
                    value = evaluate(alpha, beta, gamma)
                    if math.isnan(value):
                        raise ValueError("evaluate returned NaN")
                    if best is None or value > best[0]:
                        best = value, (alpha, beta, gamma)
    if best is None:
        raise ValueError(f"no point is within {tolerance}")
    return best[1]


@book.right("grid_search_coefficients")
def cheapest_first(evaluate, step, tolerance, limit=2.0):
    _grid_arguments(step, tolerance, limit)
    axis = _axes(step, tolerance, limit)
    cost = {(a, b, c): a * (b * c) ** 2 for c in axis for a in axis for b in axis}
    inside = [p for p in sorted(cost, key=cost.get) if limit - tolerance <= cost[p] <= limit + tolerance]
    tried = [(evaluate(*p), p) for p in inside]
    if not tried or any(value != value for value, _ in tried):
        raise ValueError(f"no point within {tolerance}, or NaN: {tried}")
    return max(tried)[1]


@book.right("grid_search_coefficients")
def vectorised(evaluate, step, tolerance, limit=2.0):
    _grid_arguments(step, tolerance, limit)
    axis = 1 + step * np.arange(int((limit + tolerance) / step) + 2)
    grid = np.stack(np.meshgrid(axis, axis, axis), -1).reshape(-1, 3)
    rows = grid[np.abs(grid[:, 0] * grid[:, 1] ** 2 * grid[:, 2] ** 2 - limit) <= tolerance]
    values = np.array([evaluate(*row) for row in rows])
    if not len(rows) or np.isnan(values).any():
        raise ValueError(f"no point within {tolerance}, or NaN: {values}")
    return tuple(rows[values.argmax()])


# -------------------------------------------------------------------------------------------- mixup

IMAGES = "share * x + (1 - share) * x[partner]"
LABELS = "share * labels + (1 - share) * labels[partner]"
SHARE = "float(rng.beta(alpha, alpha))"
PERMUTED = "torch.as_tensor(rng.permutation(len(x)), device=x.device)"

book.edits(
    "mixup",
    ("labels-not-mixed", "", {LABELS: "labels"}),
    ("labels-not-mixed", "", {LABELS: "labels[partner]"}),
    ("labels-not-mixed", "", {LABELS: "(labels if share >= 0.5 else labels[partner])"}),
    ("labels-swapped", "", {LABELS: "(1 - share) * labels + share * labels[partner]"}),
    ("labels-half", "", {LABELS: "0.5 * labels + 0.5 * labels[partner]"}),
    ("one-label", "", {LABELS: "share * labels"}),
    ("hard-labels", "", {LABELS: "y"}),
    ("shares-not-one", "", {IMAGES: "x + (1 - share) * x[partner]"}),
    ("constant-share", "", {SHARE: "0.5"}),
    ("folded", "", {SHARE: "(lambda one: max(one, 1 - one))(float(rng.beta(alpha, alpha)))"}),
    ("uniform-share", "", {SHARE: "float(rng.random())"}),
    ("unequal-parameters", "", {SHARE: "float(rng.beta(alpha + 1, alpha))"}),
    ("mixes-with-itself", "", {PERMUTED: "torch.arange(len(x))"}),
    (
        "partners-with-replacement",
        "",
        {PERMUTED: "torch.as_tensor(rng.integers(len(x), size=len(x)))"},
    ),
    (
        "labels-disagree",
        "",
        {LABELS: "share * labels + (1 - share) * labels[torch.as_tensor(rng.permutation(len(x)))]"},
    ),
    (
        "ignores-rng",
        "",
        {PERMUTED: "torch.randperm(len(x))", SHARE: "float(np.random.beta(alpha, alpha))"},
    ),
    (
        "fixed-seed",
        "",
        {f"share = {SHARE}": f"rng = np.random.default_rng(0)\n    share = {SHARE}"},
    ),
    ("more-than-two", "", {IMAGES: "share * x + (1 - share) * x.mean(0, keepdim=True)"}),
    ("wrong-type", "", {f"return {IMAGES}, {LABELS}": f"return [{IMAGES}, {LABELS}]"}),
    ("wrong-type", "", {f"return {IMAGES}, {LABELS}": f"return ({IMAGES}).numpy(), {LABELS}"}),
    ("wrong-type", "", {f"return {IMAGES}, {LABELS}": f"return {IMAGES}, ({LABELS}).tolist()"}),
    ("wrong-shares", "", {SHARE: "min(0.95, max(0.05, float(rng.beta(alpha, alpha))))"}),
    ("wrong-shares", "", {SHARE: "min(0.99, max(0.01, float(rng.beta(alpha, alpha))))"}),
    ("wrong-shares", "", {SHARE: "float(rng.beta(2 * alpha, 2 * alpha))"}),
    ("wrong-shares", "", {SHARE: "float(rng.beta(alpha / 2, alpha / 2))"}),
    ("wrong-shares", "", {SHARE: "float(rng.beta(alpha**0.5, alpha**0.5))"}),
    (
        "other-dtype",
        "",
        {
            f"return {IMAGES}": "share = torch.full((len(x), 1, 1, 1), share, dtype=torch.float64)\n"
            f"    return {IMAGES}",
            LABELS: "share[:, :, 0, 0] * labels + (1 - share[:, :, 0, 0]) * labels[partner]",
        },
    ),
    ("wrong-shape", "", {"device=x.device)[y]": "device=x.device)[y].squeeze()"}),
    (
        "mutates-input",
        "",
        {
            f"return {IMAGES}, {LABELS}": f"labels = {LABELS}\n"
            "    x.copy_(share * x + (1 - share) * x[partner])\n    return x, labels"
        },
    ),
    ("coarse-share", "", {SHARE: "round(float(rng.beta(alpha, alpha)), 1)"}),
    (
        "accepts-bad-input",
        "",
        {
            "math.isfinite(alpha) and alpha > 0": "not math.isinf(alpha)",
            SHARE: "float(rng.beta(max(alpha, 1e-3), max(alpha, 1e-3))) if alpha == alpha else 0.5",
        },
    ),
    ("accepts-bad-input", "", {"y.min() < 0 or ": ""}),
    ("accepts-bad-input", "", {" or y.max() >= classes": "", ")[y]": ")[y % classes]"}),
)


@book.wrong("mixup", "not-a-mixture")
def a_share_for_each_pixel(x, y, alpha, rng, classes):
    hot, partner = _hot(x, y, alpha, classes), rng.permutation(len(x))
    share = torch.from_numpy(rng.beta(alpha, alpha, tuple(x.shape)))
    part = share.mean((1, 2, 3))[:, None]
    return share * x + (1 - share) * x[partner], part * hot + (1 - part) * hot[partner]


def _hot(x, y, alpha, classes):
    if not (math.isfinite(alpha) and alpha > 0) or len(y) != len(x) or not 0 <= y.min() <= y.max() < classes:
        raise ValueError(f"out of range: {alpha}, {y}, {classes}")
    return F.one_hot(y, classes).to(x.dtype)


@book.right("mixup")
def with_the_one_before(x, y, alpha, rng, classes):
    hot = _hot(x, y, alpha, classes)
    s = rng.beta(alpha, alpha)
    return torch.lerp(x.roll(1, 0), x, s), torch.lerp(hot.roll(1, 0), hot, s)


@book.right("mixup")
def a_share_for_each(x, y, alpha, rng, classes):
    _hot(x, y, alpha, classes)
    n = len(x)
    s, p = (
        torch.from_numpy(rng.beta(alpha, alpha, n)).to(x.dtype),
        torch.from_numpy(rng.permutation(n)),
    )
    labels = torch.zeros(n, classes, dtype=x.dtype)
    labels[torch.arange(n), y] += s
    labels[torch.arange(n), y[p]] += 1 - s
    w = s.view(-1, *[1] * (x.ndim - 1))
    return w * x + (1 - w) * x[p], labels


@book.right("mixup")
def by_a_matrix(x, y, alpha, rng, classes):
    hot = _hot(x, y, alpha, classes)
    order = rng.permutation(len(x))
    s = rng.beta(alpha, alpha)
    matrix = torch.from_numpy(s * np.eye(len(x)) + (1 - s) * np.eye(len(x))[order]).float()
    return torch.tensordot(matrix.to(x.dtype), x, 1), matrix.to(hot.dtype) @ hot


# ------------------------------------------------------------------------------------- rand_augment

NAMES = "[rng.choice(list(OPERATIONS)) for _ in range(n)]"
SIGN = " * rng.choice([-1, 1])"
POSTERIZE, SOLARIZE = "round(8 - 4 * share)", '"Solarize": 1 - share'

book.edits(
    "rand_augment",
    ("reversed-scale", "", {POSTERIZE: "round(4 + 4 * share)"}),
    ("reversed-scale", "", {SOLARIZE: '"Solarize": share'}),
    ("swaps-height-and-width", "", {"share, (height, width)": "share, (width, height)"}),
    ("wrong-strength", "", {"m / 30": "min(1.0, m / 10)"}),
    ("wrong-strength", "", {"    share, (": "    n = n if m else 0\n    share, ("}),
    ("wrong-strength", "", {'"Rotate": 30': '"Rotate": 45'}),
    ("one-sign", "", {SIGN: ""}),
    ("one-sign", "", {SIGN: " * rng.choice([-1, 1, 1, 1])"}),
    ("one-sign", "", {SIGN: " * (1 if rng.random() < 0.6 else -1)"}),
    (
        "one-sign-for-all",
        "",
        {SIGN: " * one", "    for name in [": "    one = rng.choice([-1, 1])\n    for name in ["},
    ),
    ("unequal-chances", "", {"list(OPERATIONS))": 'list(OPERATIONS) + ["Posterize"])'}),
    ("unequal-chances", "", {"list(OPERATIONS))": "list(OPERATIONS) + list(OPERATIONS)[:10])"}),
    (
        "unequal-chances",
        "",
        {"list(OPERATIONS))": 'list(OPERATIONS) + [one for one in OPERATIONS if one != "Equalize"])'},
    ),
    ("in-order", "", {NAMES: "[list(OPERATIONS)[i] for i in sorted(rng.integers(14, size=n))]"}),
    ("ignores-n", "", {"range(n)": "range(min(n, 2))"}),
    ("wrong-strength", "", {POSTERIZE: "math.ceil(8 - 4 * share)"}),
    ("wrong-strength", "", {POSTERIZE: "int(8 - 4 * share)"}),
    ("misses-an-operation", "", {"list(OPERATIONS))": "list(OPERATIONS)[1:])"}),
    ("unequal-chances", "", {"list(OPERATIONS))": 'list(OPERATIONS) + ["Rotate"] * 6)'}),
    ("without-replacement", "", {NAMES: "[list(OPERATIONS)[i] for i in rng.permutation(14)[:n]]"}),
    ("one-draw-for-all", "", {NAMES: "[rng.choice(list(OPERATIONS))] * n"}),
    ("ignores-n", "", {"range(n)": "range(min(n, 1))"}),
    ("ignores-n", "", {"range(n)": "range(2 if n else 0)"}),
    (
        "ignores-rng",
        "",
        {NAMES: "[list(OPERATIONS)[int(torch.randint(14, ()))] for _ in range(n)]"},
    ),
    ("fixed-seed", "", {"    share, (": "    rng = np.random.default_rng(0)\n    share, ("}),
    ("wrong-type", "", {"return image.clone()": "return image.float()"}),
    ("accepts-bad-input", "", {" or image.ndim != 3": ""}),
    ("accepts-bad-input", "", {" or image.dtype != torch.uint8": ""}),
    ("accepts-bad-input", "", {"n < 0": "False"}),
    ("accepts-bad-input", "", {"not 0 <= m <= 30": "m < 0"}),
    ("accepts-bad-input", "", {"not 0 <= m <= 30": "m > 30"}),
)


@book.wrong("rand_augment", "not-one-after-the-other")
def each_on_the_original(image, n, m, rng):
    _augmented_arguments(image, n, m)
    made = [image]
    for i in rng.integers(14, size=n):
        name = list(OPERATIONS)[i]
        value = _strength(name, m / 30, *image.shape[1:])
        made.append(apply_operation(image, name, value * rng.choice([-1, 1]) if name in SIGNED else value))
    return torch.stack(made[1:] or made).float().mean(0).to(torch.uint8)


SIGNED = (
    "ShearX",
    "ShearY",
    "TranslateX",
    "TranslateY",
    "Rotate",
    "Brightness",
    "Color",
    "Contrast",
    "Sharpness",
)


def _augmented_arguments(image, n, m):
    fine = isinstance(image, torch.Tensor) and image.dtype == torch.uint8 and image.ndim == 3
    if not fine or n < 0 or not 0 <= m <= 30:
        raise ValueError(f"out of range: {getattr(image, 'shape', image)}, {n}, {m}")


def _strength(name, share, height, width):
    most = {
        "ShearX": 0.3,
        "ShearY": 0.3,
        "TranslateX": 150 / 331 * width,
        "TranslateY": 150 / 331 * height,
    }
    most |= {"Rotate": 30.0, **dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), 0.9)}
    if name == "Posterize":
        return round(8 - 4 * share)
    return 1 - share if name == "Solarize" else most.get(name, 0.0) * share


@book.right("rand_augment")
def from_the_librarys_levels(image, n, m, rng):
    _augmented_arguments(image, n, m)
    for name in rng.choice(list(OPERATIONS), size=n):
        strength = level_strengths(name, *image.shape[1:])[m]
        image = apply_operation(image, name, -strength if name in SIGNED and rng.random() < 0.5 else strength)
    return image.clone()


@book.right("rand_augment")
def right_by_names(image, n, m, rng):
    _augmented_arguments(image, n, m)
    for _ in range(n):
        name = rng.choice(tuple(OPERATIONS))
        value = _strength(name, m / 30, *image.shape[1:])
        image = apply_operation(image, str(name), -value if name in SIGNED and rng.random() > 0.5 else value)
    return image.clone()


@book.right("rand_augment")
def sign_first_and_the_rest_by_itself(image, n, m, rng):
    _augmented_arguments(image, n, m)
    if n == 0:
        return image.clone()
    sign, number = rng.permutation([-1, 1])[0], int(rng.random() * 14)
    name, (height, width) = list(OPERATIONS)[number], image.shape[1:]
    strength = _strength(name, m / 30, height, width) * (sign if name in SIGNED else 1)
    return sign_first_and_the_rest_by_itself(apply_operation(image, name, strength), n - 1, m, rng)


@book.right("rand_augment")
def with_torchvisions_operations(image, n, m, rng):
    _augmented_arguments(image, n, m)
    _, height, width = image.shape
    share = m / 30

    def affine(translate=(0, 0), shear=(0.0, 0.0), **center):
        return pixels.affine(
            image, 0.0, list(translate), 1.0, [math.degrees(math.atan(s)) for s in shear], **center
        )

    for i in rng.integers(0, 14, n):
        s = share * rng.choice((-1.0, 1.0))
        image = (
            lambda: image,
            lambda: affine(shear=(0.3 * s, 0.0), center=[0, 0]),
            lambda: affine(shear=(0.0, 0.3 * s), center=[0, 0]),
            lambda: affine((int(150 / 331 * width * s), 0)),
            lambda: affine((0, int(150 / 331 * height * s))),
            lambda: pixels.rotate(image, 30 * s),
            lambda: pixels.adjust_brightness(image, 1 + 0.9 * s),
            lambda: pixels.adjust_saturation(image, 1 + 0.9 * s),
            lambda: pixels.adjust_contrast(image, 1 + 0.9 * s),
            lambda: pixels.adjust_sharpness(image, 1 + 0.9 * s),
            lambda: pixels.posterize(image, round(8 - 4 * share)),
            lambda: pixels.solarize(image, 255 * (1 - share)),
            lambda: pixels.autocontrast(image),
            lambda: pixels.equalize(image),
        )[i]()
    return image.clone()


# ------------------------------------------------------------------------------ progressive_schedule

PART = "stage / (stages - 1) if stages > 1 else 1.0"
LINE = "first + (last - first) * share"
PIXELS = "the resolution is {}: take the nearest whole number"

book.edits(
    "progressive_schedule",
    (
        "never-arrives",
        "the last stage does not get the last values: between the first and the last of n stages lie n − 1 steps",
        {PART: "stage / stages"},
    ),
    (
        "never-begins",
        "the first stage does not get the first values: stages begin at 0",
        {PART: "(stage + 1) / stages"},
    ),
    (
        "single-stage-low",
        "a single stage is the last one too: it gets the last values, what the network is trained for",
        {"else 1.0": "else 0.0"},
    ),
    ("never-grows", "the values do not grow", {PART: "1.0"}),
    ("never-grows", "the values do not grow", {PART: "0.0"}),
    (
        "runs-from-last-to-first",
        "the schedule runs from the second number of the pair to the first",
        {PART: "1 - stage / (stages - 1) if stages > 1 else 1.0"},
    ),
    (
        "grows-by-a-factor",
        "the resolution grows by a constant *factor*: the schedule is linear",
        {
            "return round(side)": "side = resolution[0] * (resolution[1] / resolution[0]) ** share\n    return round(side)"
        },
    ),
    ("cuts-off-pixels", PIXELS.format("cut off"), {"round(side)": "int(side)"}),
    ("cuts-off-pixels", PIXELS.format("rounded up"), {"round(side)": "math.ceil(side - 1e-9)"}),
    (
        "left-broken",
        "an image has whole pixels: the resolution has to be rounded",
        {"round(side)": "side"},
    ),
    (
        "rounds-the-magnitude",
        "the magnitude is rounded: only pixels have to be whole",
        {"float(strength)": "float(round(strength))"},
    ),
    (
        "swapped-pairs",
        "the two come back in the wrong order: (resolution, magnitude)",
        {"return round(side), float(strength)": "return float(strength), round(side)"},
    ),
    ("not-an-int", "", {"round(side)": "float(round(side))"}),
    ("other-schedule", "", {"round(side)": "int(side + 0.4)"}),
    ("other-schedule", "", {"float(strength)": "min(30.0, float(strength))"}),
    (
        "cut-off-at-zero",
        "the magnitude is cut off below 0: any finite number is one",
        {"float(strength)": "max(0.0, float(strength))"},
    ),
    (
        "cut-off-at-zero",
        "the magnitude has lost its sign: any finite number is one",
        {"float(strength)": "abs(float(strength))"},
    ),
    (
        "whole-steps",
        "the step between two stages is rounded, so that errors add up: round each stage's resolution",
        {
            "return round(side)": "step = round((resolution[1] - resolution[0]) / max(1, stages - 1))\n"
            "    side = resolution[0] + stage * step if stages > 1 else side\n    return round(side)"
        },
    ),
    ("accepts-bad-input", "", {"not min(resolution) >= 1": "not min(resolution) > 0"}),
    (
        "accepts-bad-input",
        "",
        {"for one in (*resolution, *magnitude)": "for one in (resolution[0], *magnitude)"},
    ),
    ("other-schedule", "", {"round(side)": "int(side + 0.6)"}),
    (
        "wrong-type",
        "",
        {"return round(side), float(strength)": "return [round(side), float(strength)]"},
    ),
    ("accepts-bad-input", "", {"not 0 <= stage < stages": "stage >= stages"}),
    ("accepts-bad-input", "", {"not 0 <= stage < stages": "stage < 0"}),
    ("accepts-bad-input", "", {"not min(resolution) >= 1 or ": ""}),
    ("accepts-bad-input", "", {"not min(resolution) >= 1": "not resolution[0] >= 1"}),
    ("accepts-bad-input", "", {"(*resolution, *magnitude)": "resolution"}),
)


def _stage(stage, stages, resolution, magnitude):
    fine = stages >= 1 and 0 <= stage < stages and min(resolution) >= 1
    if not fine or not all(math.isfinite(one) for one in (*resolution, *magnitude)):
        raise ValueError(f"out of range: {stage} of {stages}, {resolution}, {magnitude}")


@book.right("progressive_schedule")
def weighted_ends(stage, stages, resolution, magnitude):
    _stage(stage, stages, resolution, magnitude)
    last = 1.0 if stages == 1 else stage / (stages - 1)
    side, strength = ((1 - last) * one + last * other for one, other in (resolution, magnitude))
    return math.floor(side + 0.5), strength


@book.right("progressive_schedule")
def by_linspace(stage, stages, resolution, magnitude):
    _stage(stage, stages, resolution, magnitude)
    at = stages - 1 if stages > 1 else 1
    sides, strengths = (np.linspace(*pair, max(2, stages)) for pair in (resolution, magnitude))
    return int(np.rint(sides[stage if stages > 1 else at])), strengths[stage if stages > 1 else at]


@book.right("progressive_schedule")
def by_interpolation(stage, stages, resolution, magnitude):
    _stage(stage, stages, resolution, magnitude)
    if stages == 1:
        return resolution[1], float(magnitude[1])
    ends = [0, stages - 1]
    return int(np.interp(stage, ends, resolution) + 0.5), float(np.interp(stage, ends, magnitude))
