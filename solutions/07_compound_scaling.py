# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 07 · Compound scaling
#
# **{minutes} · {points}.** At the end of this lesson you will be able to
#
# - say what depth, width and resolution cost, and divide a budget among them;
# - build the blocks of EfficientNet and EfficientNetV2, and state the sizes of B0 to B7 to the last
#   parameter;
# - find scaling coefficients by a grid search at equal cost, and judge them over seeds;
# - write mixup and RandAugment, and let images and regularisation grow together during training;
# - compare ways to scale by trainings, and say where compound scaling loses.
#
# The notebook computes for two to three minutes and needs nothing from earlier lessons. A GPU is
# used where there is one.
#
# ## A network is found. How do you make it larger?
#
# A search gives a network for *one* budget. With eight times the budget one could search again, or
# scale: more blocks (ResNet-50 to ResNet-152), more channels (Wide ResNet), or larger images. Tan
# and Le (2019) observed that each of the three alone saturates, and scaled all three together. Of
# their EfficientNet-B0 to B7 the largest reached 84.3 % accuracy on ImageNet (top-1: its most
# probable class is the right one) with 66 million parameters, 8.4 times fewer than the best before
# it (GPipe), and 6.1 times faster.
#
# > **A common mistake.** You will read that the scaling coefficient φ "was found by neural
# > architecture search". The search, like MnasNet's, found B0. A small *grid search* on B0 then
# > found the ratio in which depth, width and resolution share a budget. And φ is found by
# > nobody: it is the knob on which *you* set your budget.

# %% tags=["setup"]
import itertools
import math
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from nas_lib.augmentation import OPERATIONS, apply_operation, level_strengths
from nas_lib.checks import check
from nas_lib.efficientnet import B0, SCALES, conv_norm
from nas_lib.fallbacks import or_fallback
from nas_lib.lesson import progress

# %% [markdown]
# ## 1 · What a step costs
#
# A convolution with k×k weights, C channels in and out, on r×r pixels takes k²·C²·r²
# multiply-accumulates (MACs), and a network has d of them. So the cost grows with d and with the
# *squares* of the width and of the resolution. Scale the depth by
# $\mathtt{alpha}^\phi$, the width by $\mathtt{beta}^\phi$ and the resolution by
# $\mathtt{gamma}^\phi$, and the cost is multiplied by
#
# $$(\mathtt{alpha} \cdot \mathtt{beta}^2 \cdot \mathtt{gamma}^2)^\phi.$$
#
# Tan and Le ask that the product in brackets be about 2, so that φ counts doublings.
#
# ### Exercise 7.1 · `scaled_cost` · ●○○○○ · 4 min · 1 point
#
# **Why it matters.** "We double all three" sounds like a factor of eight. It is not.
#
# Example: `scaled_cost(2, 1, 1, 3)` is 8, and `scaled_cost(1.2, 1.1, 1.15, 1)` is 1.92.
#
# <details><summary>Hint: "the width counts once here"</summary>
# A layer twice as wide has twice the channels out, each a sum over twice the channels in.</details>

# %% tags=["exercise"]
def scaled_cost(alpha, beta, gamma, phi):
    """How often the multiply-accumulates of a network grow when it is scaled.

    Args:
        alpha, beta, gamma: what depth, width and resolution are multiplied by in one step, each
            > 0.
        phi: number of steps; need not be whole, and is negative where the network shrinks.

    Returns:
        (alpha · beta² · gamma²)^phi, a float.

    Raises:
        ValueError: a coefficient is not above 0, or a number is NaN or infinite.

    Source: Tan & Le (2019), eq. 3.
    """
    ### BEGIN SOLUTION
    for name, value in {"alpha": alpha, "beta": beta, "gamma": gamma}.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a finite number above 0, got {value!r}")
    if not math.isfinite(phi):
        raise ValueError(f"phi must be finite, got {phi!r}")
    return (alpha * beta**2 * gamma**2) ** phi
    ### END SOLUTION

# %% tags=["check"]
check("scaled_cost", scaled_cost)

# %% tags=["experiment"]
cost_of = or_fallback("scaled_cost", scaled_cost)
print(f"all three doubled: {cost_of(2, 2, 2, 1):.0f} times the cost")
once, six = (cost_of(1.2, 1.1, 1.15, phi) for phi in (1, 6))
print(f"alpha, beta, gamma = 1.2, 1.1, 1.15: {once:.3f} times, and {six:.1f} times at phi = 6")

# %% [markdown]
# ## 2 · Whole numbers
#
# Nobody can build 2.4 blocks or 35.2 channels. EfficientNet rounds blocks up, and channels by the
# rule of MobileNetV2's code: take the nearest multiple of 8, which hardware likes (halfway, the
# larger; at least one divisor), and if that loses more than a tenth of the channels asked for, one
# multiple more.
#
# ### Exercise 7.2 · `round_filters` · ●●○○○ · 8 min · 2 points
#
# **Why it matters.** One channel too many in one stage, and no published parameter count and no
# checkpoint fits.
#
# Examples: 32 · 1.1 = 35.2 becomes 32; 20 becomes 24 (halfway between 16 and 24); 11 becomes 16, as
# 8 is below 0.9 · 11.
#
# <details><summary>Hint: "the nearest multiple may lose more than a tenth"</summary>
# Compare the *rounded* number with nine tenths of the product. (`round(2.5)` is 2 in Python,
# `int(2.5 + 0.5)` is 3.)</details>

# %% tags=["exercise"]
def round_filters(filters, width, divisor=8):
    """Channels of a scaled layer.

    Args:
        filters: channels of the layer in the base network, ≥ 1.
        width: multiplier, > 0.
        divisor: the result is a multiple of it, ≥ 1.

    Returns:
        int: the multiple of `divisor` nearest to filters·width (halfway, the larger), at least
        `divisor`; where it is below 0.9·filters·width, the next larger multiple.

    Raises:
        ValueError: an argument is out of range, NaN or infinite.
    """
    ### BEGIN SOLUTION
    if not (1 <= filters < math.inf and 1 <= divisor < math.inf):
        raise ValueError(f"filters and divisor must be finite, ≥ 1: {filters!r}, {divisor!r}")
    if not (math.isfinite(width) and width > 0):
        raise ValueError(f"width must be a finite number above 0, got {width!r}")
    wanted = filters * width
    rounded = max(divisor, int(wanted + divisor / 2) // divisor * divisor)
    if rounded < 0.9 * wanted:
        rounded += divisor
    return int(rounded)
    ### END SOLUTION

# %% tags=["check"]
check("round_filters", round_filters)

# %% [markdown]
# ### Exercise 7.3 · `round_repeats` · ●○○○○ · 3 min · 1 point
#
# **Why it matters.** The smallest stages have one block. Rounded to the nearest, they would stay at
# one until the depth is 1.5; rounded up, a depth of 1.1 doubles them. That is why small steps of φ
# are not small. Examples: 3 blocks at depth 1.1 become 4, 1 block at 1.1 becomes 2, and 4 blocks at
# 1.5 are exactly 6.
#
# <details><summary>Hint: "this adds one too many"</summary>
# `math.ceil` leaves whole numbers alone; `int(x) + 1` does not.</details>

# %% tags=["exercise"]
def round_repeats(repeats, depth):
    """Blocks of a scaled stage: repeats·depth, rounded up to an int.

    Args:
        repeats: blocks of the stage in the base network, ≥ 1.
        depth: multiplier, > 0.

    Raises:
        ValueError: an argument is out of range, NaN or infinite.
    """
    ### BEGIN SOLUTION
    if not 1 <= repeats < math.inf:
        raise ValueError(f"repeats must be finite and at least 1, got {repeats!r}")
    if not (math.isfinite(depth) and depth > 0):
        raise ValueError(f"depth must be a finite number above 0, got {depth!r}")
    return math.ceil(repeats * depth)
    ### END SOLUTION

# %% tags=["check"]
check("round_repeats", round_repeats)

# %% [markdown]
# ## 3 · B0 to B7, to the last parameter
#
# `B0.stages` holds the base network, seven stages with `expand`, `kernel`, `stride`, `c_in`,
# `c_out` and `repeats`. `SCALES["b3"]` holds the multipliers `width` and `depth` of B3, the
# `resolution` of its images and its dropout. (The published multipliers are rounded by hand: B7's
# 2.0 and 3.1 are only about 1.1^φ and 1.2^φ for one φ.)
#
# ### Exercise 7.4 · `efficientnet_stages` · ●●○○○ · 8 min · 2 points
#
# **Why it matters.** If your counts are those of an independent implementation for all eight
# networks, you know them.
#
# Use `filters` and `repeats`, which are your `round_filters` and `round_repeats` unless somebody
# passes others. Example: the first stage of B1 is `(1, 3, 1, 32, 16, 2)`.
#
# <details><summary>Hint: "the input channels are those of b0"</summary>
# What goes into a stage came out of the one before it, and the stem's 32 channels grow as
# well.</details>

# %% tags=["exercise"]
def efficientnet_stages(variant, *, filters=round_filters, repeats=round_repeats):
    """The stages of a published EfficientNet.

    Args:
        variant: "b0" … "b7".
        filters, repeats: called as `filters(channels, width)` and `repeats(blocks, depth)`.

    Returns:
        List of seven tuples of ints: (expand, kernel, stride, channels in, channels out, blocks).

    Raises:
        ValueError: no such variant.

    Source: Tan & Le (2019), table 1, and the multipliers of the authors' code.
    """
    ### BEGIN SOLUTION
    if variant not in SCALES:
        raise ValueError(f"variant must be one of {', '.join(SCALES)}, got {variant!r}")
    scale = SCALES[variant]
    stages = []
    for stage in B0.stages:
        channels = filters(stage.c_in, scale.width), filters(stage.c_out, scale.width)
        times = repeats(stage.repeats, scale.depth)
        stages.append((stage.expand, stage.kernel, stage.stride, *channels, times))
    return stages
    ### END SOLUTION

# %% tags=["check"]
check("efficientnet_stages", efficientnet_stages)

# %% [markdown]
# Now the counts. Your stages become a network on PyTorch's `meta` device, where tensors have shapes
# and no numbers, so B7 takes no memory. Beside it stands torchvision's own network, counted by the
# same counter, and what the paper prints. The last three rows are EfficientNetV2, with the
# library's stages.

# %% tags=["experiment"]
from torchvision import models

from nas_lib.efficientnet import PUBLISHED, EfficientNet, StagePlan, efficientnet_plan
from nas_lib.networks import traced_macs

stages_of = or_fallback("efficientnet_stages", efficientnet_stages)
filters_of = or_fallback("round_filters", round_filters)


def count(network, side):
    """Parameters and multiply-accumulates of a network."""
    return sum(p.numel() for p in network.parameters()), traced_macs(network, (1, 3, side, side))


def plan_of(variant):
    """The variant's plan, with your stages and your rounding where it is one of B0 to B7."""
    plan = efficientnet_plan(variant)
    if variant not in SCALES:
        return plan
    stages = tuple(StagePlan(*s) for s in stages_of(variant))
    return replace(plan, stages=stages, head=filters_of(1280, SCALES[variant].width))

# %% tags=["experiment"]
equal = True
print("      parameters  torchvision   paper  MACs (10⁹)  torchvision   paper")
for variant, (millions, billions) in PUBLISHED.items():
    plan = plan_of(variant)
    with torch.device("meta"):
        ours, theirs = EfficientNet(plan), getattr(models, f"efficientnet_{variant}")()
    params, macs = count(ours, plan.resolution)
    their_params, their_macs = count(theirs, plan.resolution)
    equal &= params == their_params and macs == their_macs
    sizes = f"{params:12,} {their_params:12,} {millions:6g}M"
    print(f"{variant:5}{sizes} {macs / 1e9:11.3f} {their_macs / 1e9:12.3f} {billions:7g}")
print("All counts are equal." if equal else "The counts differ: look at your stages.")

# %% [markdown]
# The papers write "FLOPs" and mean multiply-accumulates; their figures are rounded, and differ from
# this count by a few per cent. A factor of two between two papers is more often a definition than a
# result.
#
# ## 4 · The block: MBConv
#
# MBConv is MobileNetV2's inverted bottleneck with two additions. A 1×1 convolution *widens*, a
# depthwise convolution *filters* each channel by itself, and a 1×1 convolution without activation
# *narrows* again. Before the last stands **squeeze-and-excite**: the mean of each channel goes
# through two small layers (SiLU between them, a sigmoid at the end), and the result, one number
# from 0 to 1 per channel, multiplies it. If stride and channels allow, the input is added.
#
# **Stochastic depth** drops this branch while training, image by image, with probability
# `drop_rate`; a dropped image passes through unchanged. What stays is divided by 1 − `drop_rate`,
# so that its mean is right, and in evaluation nothing happens. Where there is no shortcut nothing
# is dropped, since nothing would be left.
#
# ### Exercise 7.5 · `MBConv` · ●●●●○ · 20 min · 5 points
#
# **Why it matters.** This block, with small changes, is in MnasNet, MobileNetV3, EfficientNet and
# Once-for-All's space. Its usual mistakes all train: a gate that is added, an activation at the
# narrow end, a whole batch dropped at once.
#
# The layers are given; write `forward`. Example: with `drop_rate=0.5`, about half of a batch comes
# back as it was, and the other half with twice the branch added.
#
# <details><summary>Hint: "draw one number per image"</summary>
# `torch.rand(len(x), 1, 1, 1)` broadcasts over channels and pixels; `self.training` is True after
# `.train()` and False after `.eval()`.</details>

# %% tags=["exercise"]
class MBConv(nn.Module):
    """Inverted bottleneck with squeeze-and-excite and stochastic depth.

    Args:
        in_channels, out_channels: of the feature maps.
        kernel, stride: of the depthwise convolution; an odd side, and 1 or 2.
        expand: how many times as wide the block is inside; at 1 there is no widening layer.
        se_ratio: channels of the squeeze, as a share of `in_channels`.
        drop_rate: chance that an image's branch is dropped in training, 0 ≤ drop_rate < 1.

    Raises:
        ValueError: an even kernel, or a stride that is neither 1 nor 2.

    Source: Tan & Le (2019), section 4; Hu et al. (2018), eq. 2–4; Huang et al. (2016).
    """

    def __init__(self, in_channels, out_channels, kernel, stride, expand, se_ratio, drop_rate):
        super().__init__()
        hidden, squeezed = in_channels * expand, max(1, int(in_channels * se_ratio))
        # conv_norm: convolution, batch norm and, unless act=False, SiLU
        self.expand = conv_norm(in_channels, hidden, 1) if expand != 1 else nn.Identity()
        self.depthwise = conv_norm(hidden, hidden, kernel, stride, groups=hidden)
        self.reduce = nn.Conv2d(hidden, squeezed, 1)
        self.restore = nn.Conv2d(squeezed, hidden, 1)
        self.project = conv_norm(hidden, out_channels, 1, act=False)
        self.in_channels, self.out_channels, self.stride = in_channels, out_channels, stride
        self.drop_rate = drop_rate

    def forward(self, x):
        """(B, in_channels, H, W) → (B, out_channels, ⌈H/stride⌉, ⌈W/stride⌉); `x` stays as is."""
        ### BEGIN SOLUTION
        y = self.depthwise(self.expand(x))
        gate = self.restore(F.silu(self.reduce(y.mean((2, 3), keepdim=True))))
        y = self.project(y * torch.sigmoid(gate))
        if self.stride != 1 or self.in_channels != self.out_channels:
            return y
        if self.training and self.drop_rate > 0:
            stays = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.drop_rate
            y = y * stays / (1 - self.drop_rate)
        return x + y
        ### END SOLUTION

# %% tags=["check"]
check("MBConv", MBConv)

# %% [markdown]
# ### Exercise 7.6 · `FusedMBConv` · ●●○○○ · 8 min · 2 points
#
# **Why it matters.** A depthwise convolution has few multiply-accumulates and keeps the hardware
# idle: it reads much and computes little. EfficientNetV2 (Tan & Le 2021) therefore replaces the
# first two layers by *one dense* convolution in the early stages, without squeeze-and-excite;
# dropping and shortcut stay. More arithmetic, and often less time.
#
# <details><summary>Hint: "the input is added where it should not be"</summary>
# Stride 1 *and* as many channels out as in.</details>

# %% tags=["exercise"]
class FusedMBConv(nn.Module):
    """MBConv with one dense convolution for its first two, without squeeze-and-excite.

    Args:
        in_channels, out_channels: of the feature maps.
        kernel, stride: of the dense convolution.
        expand: how many times as wide the block is inside; at 1 the dense convolution is the only
            one.
        drop_rate: chance that an image's branch is dropped in training, 0 ≤ drop_rate < 1.

    Raises:
        ValueError: an even kernel, or a stride that is neither 1 nor 2.

    Source: Tan & Le (2021), figure 2; without squeeze-and-excite as in their table 4.
    """

    def __init__(self, in_channels, out_channels, kernel, stride, expand, drop_rate):
        super().__init__()
        hidden = in_channels * expand if expand != 1 else out_channels
        self.fused = conv_norm(in_channels, hidden, kernel, stride)
        self.project = (
            conv_norm(hidden, out_channels, 1, act=False) if expand != 1 else nn.Identity()
        )
        self.in_channels, self.out_channels, self.stride = in_channels, out_channels, stride
        self.drop_rate = drop_rate

    def forward(self, x):
        """(B, in_channels, H, W) → (B, out_channels, ⌈H/stride⌉, ⌈W/stride⌉); `x` stays as is."""
        ### BEGIN SOLUTION
        y = self.project(self.fused(x))
        if self.stride != 1 or self.in_channels != self.out_channels:
            return y
        if self.training and self.drop_rate > 0:
            stays = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.drop_rate
            y = y * stays / (1 - self.drop_rate)
        return x + y
        ### END SOLUTION

# %% tags=["check"]
check("FusedMBConv", FusedMBConv)

# %% [markdown]
# Is the dense block faster on *your* machine? Milliseconds by the clock, and how many MACs each
# does in a second.

# %% tags=["experiment"]
from nas_lib.predictions import predict

guess_fused = predict("At how many of the three places is the fused block faster?", ...)

# %% tags=["experiment"]
from nas_lib import plotting
from nas_lib.scaling import seconds_per_batch

# The networks of this lesson are tiny: a second thread would only get in the way.
torch.set_num_threads(1)
wide_block, fused_block = or_fallback("MBConv", MBConv), or_fallback("FusedMBConv", FusedMBConv)
places = {
    "early: 12 channels, 48 px": (12, 48),
    "middle: 32 channels, 24 px": (32, 24),
    "late: 80 channels, 12 px": (80, 12),
}

def blocks(channels):
    """The two blocks with so many channels in and out."""
    made = {
        "MBConv": wide_block(channels, channels, 3, 1, 4, 0.25, 0.0),
        "Fused-MBConv": fused_block(channels, channels, 3, 1, 4, 0.0),
    }
    return {name: one.to(memory_format=torch.channels_last) for name, one in made.items()}

# %% tags=["experiment"]
took = {"MBConv": {}, "Fused-MBConv": {}}
for place, (channels, side) in places.items():
    x = torch.randn(8, channels, side, side).to(memory_format=torch.channels_last)
    for name, block in blocks(channels).items():
        seconds = seconds_per_batch(block, x)
        macs = 8 * traced_macs(block, (1, channels, side, side))
        took[name][place] = 1000 * seconds
        print(f"{place:27} {name:13} {macs:12,} MACs, {macs / seconds / 1e9:.1f} billion a second")
title = "MBConv and Fused-MBConv at three places of a network"
plotting.dots(took, xlabel="milliseconds per batch of 8", title=title)
guess_fused.beside(sum(took["Fused-MBConv"][one] < took["MBConv"][one] for one in places))

# %% [markdown]
# Compare the MACs per second: a block with more MACs can still be faster. Whether it is depends on
# the place in the network and on the device. So V2 *searched* where to put which block, with
# measured time in the reward.
#
# <details><summary>What we got</summary>
#
# On our processor, idle, the fused block did more than twice as many MACs in a second everywhere.
# Early in the network, with 12 channels, that was just about enough for its larger number of them;
# with 80 channels it was not, and the fused block was slower.
#
# </details>
#
# ## 5 · How to divide the budget
#
# The base network of our own is tiny: three blocks, 12×12 images. Its images, the course's
# cluttered digits, fit the question: a scene is drawn at 48×48 and averaged down, so a higher
# resolution shows the *same* scene with more detail.

# %% tags=["experiment"]
from nas_lib.data import cluttered_digits
from nas_lib.scaling import BASE, FAMILIES, match_macs, plan_macs, recorded_runs

plotting.image_grid(
    {f"{side} px": cluttered_digits("train", 8, side).images for side in (8, 12, 17, 24, 34, 48)}
)
base_macs = plan_macs(BASE)
print(f"base network: {BASE.depth} blocks, {base_macs:,} MACs at {BASE.resolution} px")

# %% [markdown]
# Which ratio? Try all points of a grid 1, 1 + step, 1 + 2·step, … whose cost is close enough to
# 2, train a network for each, and keep the best. Nothing cleverer is in the paper.
#
# ### Exercise 7.7 · `grid_search_coefficients` · ●●●○○ · 12 min · 4 points
#
# **Why it matters.** A comparison at unequal cost compares budgets. A cheaper point is no fair
# competitor either.
#
# `evaluate(alpha, beta, gamma)` trains a network and returns its accuracy: call it once for each
# point and no other. Example: with step 0.2 and tolerance 0.1 six points are around a limit of 2,
# such as (2, 1, 1), (1, 1.4, 1), (1.4, 1.2, 1).
#
# <details><summary>Hint: "a point on the edge is missing"</summary>
# Sums of 0.1 are not exact: count with integers, 1 + i·step, and do not add step by step. An axis
# that is too long does no harm: the constraint throws its points out.</details>

# %% tags=["exercise"]
def grid_search_coefficients(evaluate, step, tolerance, limit=2.0):
    """The best scaling coefficients on a grid, at equal cost.

    Args:
        evaluate: called as `evaluate(alpha, beta, gamma)`, once per point; returns an accuracy (%)
            to maximise.
        step: distance of the grid's points, > 0. Each coefficient is 1, 1 + step, 1 + 2·step, …
        tolerance: points with |alpha·beta²·gamma² − limit| ≤ tolerance are tried, ≥ 0.
        limit: cost of one step of scaling, ≥ 1.

    Returns:
        Tuple (alpha, beta, gamma) of floats, the point with the highest accuracy (of equals, any).

    Raises:
        ValueError: a number is out of range or infinite, no point is within the tolerance, or an
            accuracy is NaN.

    Source: Tan & Le (2019), section 3.3, step 1.
    """
    ### BEGIN SOLUTION
    sizes = step, tolerance, limit
    if not (all(map(math.isfinite, sizes)) and step > 0 and tolerance >= 0 and limit >= 1):
        raise ValueError(
            f"step must be > 0, tolerance ≥ 0 and limit ≥ 1, got {step!r}, {tolerance!r} and "
            f"{limit!r}"
        )
    axis = [1 + i * step for i in range(int((limit + tolerance - 1) / step) + 2)]
    points = [
        (a, b, c)
        for a, b, c in itertools.product(axis, repeat=3)
        if abs(a * b**2 * c**2 - limit) <= tolerance
    ]
    if not points:
        raise ValueError(
            f"tolerance must let a point of the grid in, none is within {tolerance} of {limit} "
            f"(step {step})"
        )
    accuracies = [evaluate(*point) for point in points]
    if any(math.isnan(accuracy) for accuracy in accuracies):
        raise ValueError(f"evaluate must return numbers, got NaN among {accuracies}")
    return points[int(np.argmax(accuracies))]
    ### END SOLUTION

# %% tags=["check"]
check("grid_search_coefficients", grid_search_coefficients)

# %% [markdown]
# Run it, with step 0.1 and tolerance 0.05: ten points, among them each dimension alone, pairs, and
# one that scales all three. Each network costs four times the base, within a tenth: `match_macs`
# chooses whole numbers of blocks, channels and pixels. The accuracies are of *validation* images;
# the test images are for what is reported afterwards. Where `scripts/recordings/scaling_runs.py`
# has recorded trainings (two seeds, eight epochs), they answer; else each network is trained now,
# for one epoch from two seeds, which is enough to see how noisy a search is.

# %% tags=["experiment"]
ways = ("depth", "width", "resolution", "two of them", "all three")
guess_best = predict("What does the best of the ten points scale?", ..., options=ways)

# %% tags=["experiment"]
from nas_lib.scaling import Coefficients, ScalingRecipe, digits, fit, usable_device

search = or_fallback("grid_search_coefficients", grid_search_coefficients)
recipe, device = ScalingRecipe(), usable_device()  # 4,000 images, 12 epochs, AdamW
images = digits(recipe)


def by_name(runs):
    """Accuracies of recorded runs, by the run's name."""
    return {
        name: np.array([run["accuracy"] for run in runs if run["name"] == name])
        for name in dict.fromkeys(run["name"] for run in runs)
    }

# %% tags=["experiment"]
grid_runs = by_name(recorded_runs("grid"))
bar, choosing = progress(range(10), unit="point"), digits(recipe, "valid")


def evaluate(alpha, beta, gamma):
    """Mean validation accuracy (%) at these coefficients: recorded, or of two short trainings."""
    next(bar, None)
    name = f"{alpha:.1f} {beta:.1f} {gamma:.1f}"
    if name not in grid_runs:
        plan = match_macs(BASE, Coefficients(alpha, beta, gamma), 4 * base_macs)
        brief = replace(recipe, epochs=1)
        grid_runs[name] = np.array(
            [fit(plan, choosing, brief, seed, device=device).accuracy for seed in (0, 1)]
        )
    return grid_runs[name].mean()

# %% tags=["experiment"]
best = search(evaluate, 0.1, 0.05)
next(bar, None)  # the last point is done as well
bar.close()
ranked = sorted(grid_runs, key=lambda name: -grid_runs[name].mean())
groups = {name.replace(" ", "\n"): grid_runs[name] for name in ranked}
xlabel, ylabel = "alpha, beta, gamma (depth, width, resolution)", "validation accuracy (%)"
title = "Ten ways to spend the fourfold, best mean first"
plotting.boxes(groups, xlabel=xlabel, ylabel=ylabel, title=title);

# %% tags=["experiment"]
first, second = (grid_runs[name] for name in ranked[:2])
spread = np.mean([values.std(ddof=1) for values in grid_runs.values()])
gap, error = first.mean() - second.mean(), spread * (2 / len(first)) ** 0.5
shown = ", ".join(f"{float(one):.1f}" for one in best)
print(f"best point: ({shown}), {first.mean():.2f} % over {len(first)} seeds")
print(f"second best: {gap:.2f} points behind; the seeds of one network have an sd of {spread:.2f}")
print(f"so the order of these two is {'more than chance' if gap > 2 * error else 'not decided'}")
scaled = [way for way, one in zip(ways, best) if one > 1]
guess_best.beside(scaled[0] if len(scaled) == 1 else ways[len(scaled) + 1])
every = next(name for name in ranked if "1.0" not in name.split())
behind = first.mean() - grid_runs[every].mean()
print(f"({every.replace(' ', ', ')}), which scales all three, lies {behind:.2f} points behind")

# %% [markdown]
# Read the third line before you quote the first. Width alone came out ahead, and four points are
# nearly equal, the one that scales all three among them: two seeds decide nothing there. Resolution
# alone comes last by far, and that is decided. But it was decided after eight epochs, and larger
# images learn slowly, as you will see. EfficientNet's 1.2, 1.1, 1.15 won such a search too, on
# ImageNet, for B0.
#
# <details><summary>What we got</summary>
#
# (1.0, 1.4, 1.0) came out ahead with 86.53 %, 0.09 points before the next, where the seeds of one
# network have a standard deviation of 1.63 points: not decided. (1.4, 1.1, 1.1) lies 0.47 points
# behind.
#
# </details>
#
# ### The families
#
# Now the paper's central experiment. Spend twice and four times the base's cost on depth alone, on
# width alone (which is what the grid found), on resolution alone, or on all three in the paper's
# ratio ("compound"). Nine networks, trained now, for three epochs each, and judged on test images:

# %% tags=["experiment"]
short = replace(recipe, epochs=3)
start = fit(BASE, images, short, seed=9, device=device).accuracy
live = {}
for family in progress(FAMILIES, unit="family"):
    live[family] = [start]
    for factor in (2, 4):
        plan = match_macs(BASE, FAMILIES[family], factor * base_macs)
        live[family].append(fit(plan, images, short, seed=9, device=device).accuracy)
        sizes = f"{plan.depth:2} blocks, {plan.stages[-1].c_out:2} channels, {plan.resolution} px"
        print(f"{family:10} {factor} times: {sizes}")

# %% tags=["experiment"]
labels = {
    "xlabel": "multiply-accumulates, in units of the base network",
    "ylabel": "test accuracy (%)",
}
plotting.lines(live, x=(1, 2, 4), **labels, title="One seed, three epochs")
order = sorted(live, key=lambda family: -live[family][-1])
found = ", ".join(f"{family} {live[family][-1]:.1f} %" for family in order)
print(f"at four times the cost, three epochs: {found}; base {start:.1f} %")

# %% [markdown]
# `scripts/recordings/scaling_runs.py` repeats this at 2, 4 and 8 times the cost with three seeds
# and twelve epochs, and at 8 times the cost once more with forty-eight. Seeds are paired (equal
# seed, equal order of images): look at the differences.

# %% tags=["experiment"]
families = ("compound", "depth", "width", "resolution")
guess_ahead = predict("Ahead at 8 times the cost after 12 epochs?", ..., options=families)
guess_last = predict("What do 48 epochs add to resolution alone?", ..., unit="points")

# %% tags=["experiment"]
from nas_lib.scaling import by_family

MISSING = "These runs are not recorded in this version of the course, so nothing is shown here."
recorded = {12: by_family(recorded_runs("scale")), 48: by_family(recorded_runs("longer"))}
if recorded[12]:
    title = f"Recorded, 12 epochs, {len(recorded[12]['depth'])} seeds: where should the budget go?"
    axes = plotting.lines(recorded[12], x=(1, 2, 4, 8), **labels, title=title)
    axes.set_xscale("log", base=2)
for epochs, factor, place in ((12, 4, 2), (12, 8, 3), (48, 8, 1)) if recorded[48] else ():
    means = {name: curves.mean(axis=0) for name, curves in recorded[epochs].items()}
    order = sorted(means, key=lambda name: -means[name][place])
    found = ", ".join(f"{name} {means[name][place]:.1f}" for name in order)
    print(f"{epochs} epochs, {factor} times the cost: {found}; base {means['depth'][0]:.1f} %")

# %% tags=["experiment"]
from nas_lib.rankings import mean_interval, print_verdicts

rows = {
    f"over {name}, {epochs} epochs": mean_interval(curves["compound"][:, -1] - curves[name][:, -1])
    for epochs, curves in recorded.items()
    for name in (families[1:] if curves else ())
}
if rows:
    title = "Compound's lead at 8 times the cost, 95 % intervals"
    plotting.intervals(rows, xlabel="difference in test accuracy (points)", title=title)
    print_verdicts(rows)
    ends = {name: curves[:, -1].mean() for name, curves in recorded[12].items()}
    guess_ahead.beside(max(ends, key=ends.get))
    guess_last.beside(recorded[48]["resolution"][:, -1].mean() - ends["resolution"])
else:
    print(MISSING)

# %% [markdown]
# <details><summary>What we got</summary>
#
# At four times the cost and after three epochs width led by far, about 76.7 % against about 65.9
# for the paper's ratio. After twelve it is the other way round, 87.0 against 89.8. At 8 times the
# cost, after twelve and after forty-eight epochs: the paper's ratio 91.7 and 94.0 %, width alone
# 89.0 and 89.3, depth alone 84.9 and 88.6, resolution alone 71.4 and 85.8, the base 80.0 and 85.0.
# The paper's ratio is ahead of width, which is what the grid had found, by 2.78 points and then by
# 4.70.
#
# </details>
#
# After twelve epochs three seeds do not decide between the paper's ratio and width alone: the
# interval of the difference holds zero. After forty-eight the ratio is ahead of all three single
# dimensions, beyond doubt. The order depends on how long is trained: after three epochs it was
# another one, so a grid search by short trainings finds what learns *fast*. Resolution alone shows
# it best. After twelve epochs it is far *below* the base, as if larger images did harm; after
# forty-eight it is level with it. So the training was not finished, and larger images without more
# width or depth to use them add nothing that three seeds could show. The paper's claim, that the
# three dimensions help each other, holds for this small family too. The method carries over to
# other data: find the ratio again, on validation images and with trainings that are long enough.
# The ratio need not.
#
# **At real scale**, on CIFAR-10: `load_dataset("cifar10", root, download=True)` for both splits,
# `resized(train, test)` of `nas_lib.scaling`,
# `ScalingRecipe(train_images=50_000, test_images=10_000)`,
# `replace(BASE, in_channels=3, resolution=16)`. Nine networks take about 10 minutes on two
# processor cores (`scripts/benchmarks/real_scale.py`); GPUs such as Colab's were not timed.
#
# ## 6 · Regularisation: mixup and RandAugment
#
# Larger networks overfit more. Against that, EfficientNet (2019) was trained with AutoAugment, a
# *learned* policy.
#
# > **A common mistake.** "EfficientNet was trained with RandAugment and mixup, and without them B7
# > falls to 82.1 %." The first is EfficientNetV2's recipe, two years later, and the second is not
# > in the papers. What RandAugment's authors report for B7 is 85.0 %: 1.0 points over baseline
# > augmentation and 0.6 over AutoAugment.
#
# **Mixup** (Zhang et al. 2018) trains on mixtures. Draw a share λ from a Beta distribution, both of
# whose parameters are `alpha`, give each image of the batch a partner of the same batch, and mix
# images and labels alike:
#
# $$\tilde x_i = \lambda\, x_i + (1 - \lambda)\, x_j,
# \qquad \tilde y_i = \lambda\, y_i + (1 - \lambda)\, y_j.$$
#
# ### Exercise 7.8 · `mixup` · ●●○○○ · 10 min · 3 points
#
# **Why it matters.** Five lines, and a place for a mistake: with labels mixed the wrong way round
# it trains, just worse.
#
# Example: for λ = 0.9, a 3 with a little of a 7 has the label 0.9 at class 3 and 0.1 at class 7.
#
# <details><summary>Hint: "the labels say something else than the images"</summary>
# Partners: `rng.permutation(len(x))` as an index, the same one for images *and* labels.</details>

# %% tags=["exercise"]
def mixup(x, y, alpha, rng, classes):
    """Mix each image of a batch, and its label, with another one of the batch.

    Args:
        x: float tensor of shape (B, C, H, W); it stays as it is.
        y: int64 tensor of shape (B,), classes from 0.
        alpha: both parameters of the Beta distribution of the share λ, > 0.
        rng: numpy Generator; draws λ (one per batch will do) and the partners (any permutation of
            the batch).
        classes: number of classes.

    Returns:
        (mixed images like x, soft labels (B, classes)): λ·own + (1 − λ)·partner of both.

    Raises:
        ValueError: alpha is not a number above 0, lengths differ, or a label is out of range.

    Source: Zhang et al. (2018), eq. 2.
    """
    ### BEGIN SOLUTION
    if not (math.isfinite(alpha) and alpha > 0):
        raise ValueError(f"alpha must be a finite number above 0, got {alpha!r}")
    if y.shape != x.shape[:1]:
        raise ValueError(
            f"y must have one label for each of {len(x)} images, got the shape {tuple(y.shape)}"
        )
    if y.min() < 0 or y.max() >= classes:
        raise ValueError(
            f"y must hold classes from 0 on, below {classes}, got {y.min()} to {y.max()}"
        )
    share = float(rng.beta(alpha, alpha))
    partner = torch.as_tensor(rng.permutation(len(x)), device=x.device)
    labels = torch.eye(classes, dtype=x.dtype, device=x.device)[y]
    return share * x + (1 - share) * x[partner], share * labels + (1 - share) * labels[partner]
    ### END SOLUTION

# %% tags=["check"]
check("mixup", mixup)

# %% [markdown]
# **RandAugment** (Cubuk et al. 2019) has two knobs instead of a learned policy: apply `n`
# operations, each drawn uniformly (and anew) from fourteen, all at one magnitude `m` from 0 to 30.
# What a magnitude means differs:
#
# | operations | strength at magnitude m | either sign |
# |---|---|---|
# | Identity, AutoContrast, Equalize | none | |
# | ShearX, ShearY | slope 0.3 · m/30 | yes |
# | TranslateX, TranslateY | 150/331 · m/30 of the image's width (X) or height (Y), in pixels | yes |
# | Rotate | 30 · m/30 degrees | yes |
# | Brightness, Color, Contrast, Sharpness | relative change 0.9 · m/30 | yes |
# | Posterize | bits that are kept: 8 − 4 · m/30, rounded | |
# | Solarize | threshold 1 − m/30 of full brightness, above which pixels are inverted | |
#
# Where "either sign" is possible each has probability one half. The operations are the library's,
# checked pixel by pixel against torchvision's: `apply_operation(image, name, strength)`;
# `OPERATIONS` lists the names.

# %% tags=["experiment"]
one = torch.from_numpy(cluttered_digits("train", 3, 24).images[2])
shown = {
    m: [apply_operation(one, name, level_strengths(name, 24, 24)[m]).numpy() for name in OPERATIONS]
    for m in (10, 20, 30)
}
short = [
    name.replace("Translate", "Trans").replace("AutoContrast", "AutoCon.") for name in OPERATIONS
]
plotting.image_grid({f"m = {m}": np.stack(row) for m, row in shown.items()}, column_titles=short);

# %% [markdown]
# ### Exercise 7.9 · `rand_augment` · ●●●○○ · 15 min · 4 points
#
# **Why it matters.** Fewer bits and a lower threshold are *stronger* changes. Ported upwards they
# still look augmented.
#
# Example: `rand_augment(image, 0, 9, rng)` is the image; with n = 1 and m = 9, a rotation is by 9
# or by −9 degrees.
#
# <details><summary>Hint: "an image comes out that no operation gives"</summary>
# Print the strengths for m = 30: 0.3, 45 % of the side, 30, 0.9, 4 bits, 0.</details>

# %% tags=["exercise"]
def rand_augment(image, n, m, rng):
    """Apply n random operations at magnitude m, one after the other.

    Args:
        image: uint8 tensor of shape (C, H, W), C = 1 or 3; it stays as it is.
        n: number of operations, ≥ 0, each drawn uniformly from `OPERATIONS`, with replacement.
        m: magnitude, an int from 0 to 30; see the table.
        rng: numpy Generator; draws operations and signs.

    Returns:
        uint8 tensor of the same shape.

    Raises:
        ValueError: image, n or m is not as above.

    Source: Cubuk et al. (2019), figure 2; strengths as in torchvision's RandAugment.
    """
    ### BEGIN SOLUTION
    if not isinstance(image, torch.Tensor) or image.dtype != torch.uint8 or image.ndim != 3:
        raise ValueError(
            f"image must be a uint8 tensor (C, H, W), got {type(image).__name__} "
            f"{getattr(image, 'shape', '')}"
        )
    if n < 0:
        raise ValueError(f"n must be at least 0, got {n!r}")
    if not 0 <= m <= 30:
        raise ValueError(f"m must be from 0 to 30, got {m!r}")
    share, (height, width) = m / 30, image.shape[-2:]
    signed = {
        "ShearX": 0.3,
        "ShearY": 0.3,
        "TranslateX": 150 / 331 * width,
        "TranslateY": 150 / 331 * height,
        "Rotate": 30,
    }
    signed |= dict.fromkeys(["Brightness", "Color", "Contrast", "Sharpness"], 0.9)
    for name in [rng.choice(list(OPERATIONS)) for _ in range(n)]:
        if name in signed:
            strength = signed[name] * share * rng.choice([-1, 1])
        else:
            strength = {"Posterize": round(8 - 4 * share), "Solarize": 1 - share}.get(name, 0)
        image = apply_operation(image, name, float(strength))
    return image.clone()
    ### END SOLUTION

# %% tags=["check"]
check("rand_augment", rand_augment)

# %% [markdown]
# Look at your own work: ten scenes through your `rand_augment`, and as a batch through your
# `mixup`.

# %% tags=["experiment"]
augment, mix = or_fallback("rand_augment", rand_augment), or_fallback("mixup", mixup)
rng = np.random.default_rng(7)
scenes = torch.from_numpy(cluttered_digits("train", 10, 24).images)
mixed, soft = mix(scenes.float(), torch.arange(10) % 10, 0.4, rng, 10)
rows = {"scenes": scenes.numpy()}
for m in (9, 25):
    changed = [torch.as_tensor(augment(one, 2, m, rng)) for one in scenes]
    rows[f"n = 2, m = {m}"] = torch.stack(changed).numpy()
rows["mixup"] = torch.as_tensor(mixed).round().to(torch.uint8).numpy()
plotting.image_grid(rows)
share = float(soft[0].max())
print(f"the first image and its label are mixed with the shares {share:.2f} and {1 - share:.2f}")

# %% [markdown]
# Does it help here? Recorded: a network of twice the base's cost, 24 epochs, three seeds.

# %% tags=["experiment"]
guess_gain = predict("How many points does RandAugment bring?", ..., unit="points")

# %% tags=["experiment"]
augmented = by_name(recorded_runs("augment"))
if augmented:
    plotting.boxes(
        augmented,
        xlabel="mixup: alpha 0.2, RandAugment: n = 2, m = 6",
        ylabel="test accuracy (%)",
        title="What augmentation does",
    )
for name, values in augmented.items():
    gain = values - augmented["none"]
    error = gain.std(ddof=1) / len(gain) ** 0.5
    print(f"{name:12} {values.mean():.2f} %, {gain.mean():+.2f} ± {error:.2f} against none")
    if name == "RandAugment":
        guess_gain.beside(gain.mean())
if not augmented:
    print(MISSING)

# %% [markdown]
# <details><summary>What we got</summary>
#
# Without augmentation 87.43 %. Mixup brings 2.49 points, RandAugment 4.68, both together 4.78: with
# so few images there is much to gain, and the second of them adds next to nothing.
#
# </details>
#
# ## 7 · Progressive learning
#
# Small images train fast, and a network that sees them can be regularised less. EfficientNetV2
# begins with small images and weak augmentation, and lets *both* grow. (Others had grown the images
# alone, and lost accuracy.)
#
# ### Exercise 7.10 · `progressive_schedule` · ●○○○○ · 5 min · 2 points
#
# **Why it matters.** A schedule that never quite arrives trains for another resolution than the one
# of the test.
#
# Example: four stages, resolution (12, 24) and magnitude (0, 9): stage 0 has 12 px and magnitude 0,
# stage 1 has 16 and 3, the last one 24 and 9. A single stage has the last values.
#
# <details><summary>Hint: "the last stage has 21, not 24"</summary>
# Between four stages lie three steps.</details>

# %% tags=["exercise"]
def progressive_schedule(stage, stages, resolution, magnitude):
    """Resolution and strength of the augmentation in one stage of progressive learning.

    Args:
        stage: 0 … stages − 1.
        stages: ≥ 1.
        resolution: (first, last) side of the images in pixels, each ≥ 1.
        magnitude: (first, last) strength, any finite numbers.

    Returns:
        (int, float) on straight lines from first to last, the resolution rounded to the nearest
        whole number. A single stage has the last values.

    Raises:
        ValueError: stage or stages is out of range, or a number of the pairs.

    Source: Tan & Le (2021), algorithm 1.
    """
    ### BEGIN SOLUTION
    if not stages >= 1 or not 0 <= stage < stages:
        raise ValueError(
            f"stage must be one of 0 … stages − 1, and stages at least 1, got {stage!r} of "
            f"{stages!r}"
        )
    if not min(resolution) >= 1 or not all(math.isfinite(one) for one in (*resolution, *magnitude)):
        raise ValueError(
            f"resolution must be ≥ 1 and magnitude finite, got {resolution!r} and {magnitude!r}"
        )
    share = stage / (stages - 1) if stages > 1 else 1.0
    side, strength = (first + (last - first) * share for first, last in (resolution, magnitude))
    return round(side), float(strength)
    ### END SOLUTION

# %% tags=["check"]
check("progressive_schedule", progressive_schedule)

# %% [markdown]
# Small images save *time*, so time is to be equal. Recorded: each way got the same processor
# seconds on one thread, with the compound network of twice the base's cost, enlarged to images of
# 24 px and tested there; three seeds.

# %% tags=["experiment"]
schedule = or_fallback("progressive_schedule", progressive_schedule)
print("stages:", [schedule(stage, 4, (12, 24), (0.0, 6.0)) for stage in range(4)])
progressive = recorded_runs("progressive")
ways = by_name(progressive)
for name, values in ways.items():
    steps = np.mean([run["steps"] for run in progressive if run["name"] == name])
    print(f"{name:20} {values.mean():.2f} ± {values.std(ddof=1):.2f} %, {steps:,.0f} steps")
if ways:
    labels = {"xlabel": "images during training", "ylabel": "test accuracy at 24 px (%)"}
    groups = {name.replace(" ", "\n"): values for name, values in ways.items()}
    plotting.boxes(groups, **labels, title="Equal time, other images")
    for other in ("large images", "growing images only"):
        gain = ways["growing"] - ways[other]
        print(f"growing − {other}: {gain.mean():+.2f} ({gain.min():+.2f} … {gain.max():+.2f})")
else:
    print(MISSING)

# %% [markdown]
# <details><summary>What we got</summary>
#
# Large images 82.42 %, growing images and regularisation 90.08, growing images alone 91.39.
#
# </details>
#
# Growing images beat large ones in every seed: time is well spent on many cheap steps first. But
# growing the images *alone* did better still than growing images and regularisation together, also
# in every seed. That is the opposite of the paper's result on ImageNet. Our trainings are short,
# about fourteen passes over the images; whether that is the reason, these runs do not tell.

# %% [markdown]
# ## 8 · Recap
#
# - Cost grows with depth, with the square of the width and with the square of the resolution. All
#   three doubled: 32 times.
# - B0 was searched; the ratio comes from a grid search on B0 at equal cost; φ is the user's choice.
# - Rounding decides the published sizes: channels to the nearest multiple of 8 (never a tenth
#   below), blocks up.
# - MBConv: widen, filter, squeeze and excite, narrow without activation. Stochastic depth drops
#   whole branches, image by image.
# - Fused-MBConv trades more arithmetic for better use of the hardware. Where that pays has to be
#   measured.
# - Which ratio is best depends on data, base and length of training. A grid of short trainings
#   found width; after long ones the paper's ratio was ahead of every single dimension.
# - Mixup mixes labels as it mixes images. RandAugment has two knobs. Progressive learning turns
#   them up with the resolution; in our short trainings growing the images alone was better, in all
#   three seeds.
#
# ## 9 · Questions
#
# ### Question 7.1 · `concept_07_1` · ●○○○○ · 1 min · 1 point
# Where does EfficientNet's φ come from?
#
# - **a** from a neural architecture search on a base like MobileNetV3
# - **b** from the user, who sets the budget with it
# - **c** from the grid search that also gives the ratio
# - **d** from the accuracy of B0, through a fitted power law

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_07_1 = "b"
### END SOLUTION

# %% tags=["check"]
check("concept_07_1", concept_07_1)

# %% [markdown]
# ### Question 7.2 · `concept_07_2` · ●●○○○ · 1 min · 1 point
# Stochastic depth with `drop_rate` 0.2 does *not* divide the branches that stay by 0.8. What
# happens?
#
# - **a** in evaluation, branches are 25 % larger on average than what later layers saw in training
# - **b** nothing: batch norm in the branch corrects it
# - **c** training fails, since gradients are 20 % too small
# - **d** in evaluation, one image in five still loses its branch

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_07_2 = "a"
### END SOLUTION

# %% tags=["check"]
check("concept_07_2", concept_07_2)

# %% [markdown]
# ### Question 7.3 · `concept_07_3` · ●●○○○ · 2 min · 1 point
# You scale the stages of B0 by EfficientNet's 1.2, 1.1 and 1.15 with φ = 3. By about how much do
# MACs and parameters grow?
#
# - **a** both 7 times, as each MAC has its parameter
# - **b** MACs 7 times, parameters 3 times
# - **c** MACs 7 times, parameters twice
# - **d** both 3 times, as φ = 3 counts three steps

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_07_3 = "b"
### END SOLUTION

# %% tags=["check"]
check("concept_07_3", concept_07_3)

# %% [markdown]
# ### Question 7.4 · `concept_07_4` · ●●○○○ · 2 min · 1 point
# EfficientNet's ratio was searched around B0, the smallest network, and then used up to B7. What
# justifies that?
#
# - **a** a theorem: at a given cost the best ratio of the three does not depend on the size of the
#   network
# - **b** the constraint that each step double the cost, which only this ratio fulfils at every φ
# - **c** its price alone: around B7 a better ratio may exist, but each point would train a B7
# - **d** the search that found B0, which optimised the ratio along with the blocks

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_07_4 = "c"
### END SOLUTION

# %% tags=["check"]
check("concept_07_4", concept_07_4)

# %% [markdown]
# ### Open question 7.1 · `open_07_1` · ●●●○○ · 15 min · 4 points
#
# Your team has a network for 96×96 microscope images and may now spend eight times the compute. A
# colleague proposes "EfficientNet's 1.2, 1.1, 1.15 with φ = 3". In eight to ten sentences: what
# speaks for it and what against? Plan an experiment that costs at most a tenth of the final
# training, say what you would hold equal, how many runs you need and what result would change your
# mind. What do multiply-accumulates leave out? Use what you measured in this lesson.
#
# ### BEGIN MARK SCHEME
# One point each, half points allowed:
# 1. For and against: 1.92^3 is about 7.1, so the budget fits; but the ratio was found on ImageNet
#    for B0, and whether more resolution helps depends on the detail in the images. Cites a family
#    that won or lost here.
# 2. The experiment: a grid at small φ, short trainings at equal (matched) cost and recipe; single
#    dimensions as baselines.
# 3. Evidence: several paired seeds, because differences are of the size of the seeds' spread; names
#    what would decide it (an interval without zero) and what would change the plan.
# 4. Limits: MACs are not time, memory or parameters (depthwise against dense blocks, resolution and
#    memory), and the regularisation has to grow with the network, or large ones are judged
#    unfairly.
# ### END MARK SCHEME

# %% [markdown] tags=["answer"]
# The proposal fits the budget, since 1.92 to the third is about 7.1. But the ratio was found on
# ImageNet for B0, and whether microscope images hold detail beyond 96 pixels is a question about
# the instrument. I would take networks of twice the present cost, train each for a tenth of the
# epochs, and compare six points of a coarse grid around a product of 2, with depth, width and
# resolution alone among them. Equal must be the multiply-accumulates (whole numbers matched), the
# recipe and the order of the images; five paired seeds, since three often decide nothing. If the
# interval of the difference to the proposal excludes zero, I take the other point; if none does,
# the fastest, because multiply-accumulates are not time: a dense block can beat a depthwise one,
# and large images cost memory. I would let augmentation grow with the network, or large ones look
# worse.

# %% [markdown]
# ## References
#
# - M. Tan and Q. V. Le (2019). *EfficientNet: Rethinking Model Scaling for Convolutional Neural
#   Networks.* ICML. [arXiv:1905.11946](https://arxiv.org/abs/1905.11946).
# - M. Tan and Q. V. Le (2021). *EfficientNetV2: Smaller Models and Faster Training.* ICML.
#   [arXiv:2104.00298](https://arxiv.org/abs/2104.00298).
# - M. Sandler et al. (2018). *MobileNetV2: Inverted Residuals and Linear Bottlenecks.* CVPR.
#   [arXiv:1801.04381](https://arxiv.org/abs/1801.04381).
# - J. Hu, L. Shen and G. Sun (2018). *Squeeze-and-Excitation Networks.* CVPR.
#   [arXiv:1709.01507](https://arxiv.org/abs/1709.01507).
# - G. Huang et al. (2016). *Deep Networks with Stochastic Depth.* ECCV.
#   [arXiv:1603.09382](https://arxiv.org/abs/1603.09382).
# - H. Zhang et al. (2018). *mixup: Beyond Empirical Risk Minimization.* ICLR.
#   [arXiv:1710.09412](https://arxiv.org/abs/1710.09412).
# - E. D. Cubuk et al. (2019). *RandAugment: Practical Automated Data Augmentation with a Reduced
#   Search Space.* [arXiv:1909.13719](https://arxiv.org/abs/1909.13719).
#
# **Read next.** I. Bello et al. (2021). *Revisiting ResNets: Improved Training and Scaling
# Strategies.* NeurIPS. [arXiv:2103.07579](https://arxiv.org/abs/2103.07579): how much of
# such a lead is training, and that the best way to scale depends on the training. Z. Liu et
# al. (2022). *A ConvNet for the 2020s.* CVPR. [arXiv:2201.03545](https://arxiv.org/abs/2201.03545):
# what hand-made networks reach since.
