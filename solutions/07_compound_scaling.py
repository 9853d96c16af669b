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
# **115 minutes · 29 points.** At the end of this lesson you will be able to
#
# - say what depth, width and resolution cost, and divide a budget among them;
# - build the blocks of EfficientNet and EfficientNetV2, and state the sizes of B0 to B7 to the last parameter;
# - find scaling coefficients by a grid search at equal cost, and judge them over seeds;
# - write mixup and RandAugment, and let images and regularisation grow together during training;
# - compare ways to scale by trainings, and say where compound scaling loses.
#
# The notebook computes for about two minutes. It needs nothing from earlier lessons. Where a GPU is there it is used.
#
# ## A network is found. How do you make it larger?
#
# A search gives a network for *one* budget. With eight times the budget one could search again, or scale: more blocks
# (ResNet-50 to ResNet-152), more channels (Wide ResNet), or larger images. Tan and Le (2019) observed that each of the
# three alone saturates, and scaled all three together. Their family, EfficientNet-B0 to B7, reached 84.3 % top-1 accuracy
# on ImageNet with 66 million parameters, 8.4 times fewer than the best network before it (GPipe), and ran 6.1 times
# faster.
#
# > **A common mistake.** You will read that the scaling coefficient φ "was found by neural architecture search". The
# > search, like MnasNet's, found B0. A small *grid search* on B0 then found the ratio α, β, γ in which depth, width and
# > resolution share a budget. And φ is found by nobody: it is the knob on which *you* set your budget.

# %% tags=["setup"]
import itertools
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from nas_lib.augmentation import OPERATIONS, apply_operation
from nas_lib.checks import check
from nas_lib.efficientnet import B0, SCALES, conv_norm

# %% [markdown]
# ## 1 · What a step costs
#
# A convolution with k×k weights, C channels in and out, on r×r pixels takes k²·C²·r² multiply-accumulates (MACs), and
# a network has d of them. So the cost grows with d, with the *square* of the width and with the *square* of the
# resolution. Scale the depth by $\alpha^\phi$, the width by $\beta^\phi$ and the resolution by $\gamma^\phi$, and the
# cost is multiplied by
#
# $$(\alpha \cdot \beta^2 \cdot \gamma^2)^\phi.$$
#
# Tan and Le ask for $\alpha\beta^2\gamma^2 \approx 2$, so that φ counts doublings.
#
# ### Exercise 7.1 · `scaled_cost` · ●○○○○ · 4 min · 1 point
#
# **Why it matters.** "We double all three" sounds like a factor of eight. It is not.
#
# Example: `scaled_cost(2, 1, 1, 3)` is 8, and `scaled_cost(1.2, 1.1, 1.15, 1)` is 1.92.
#
# <details><summary>Hint: "the width counts once here"</summary>
#
# A layer that is twice as wide has twice the channels out, each a sum over twice the channels in.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "scaled_cost", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
def scaled_cost(alpha, beta, gamma, phi):
    """How often the multiply-accumulates of a network grow when it is scaled.

    Args:
        alpha, beta, gamma: what depth, width and resolution are multiplied by in one step, each > 0.
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

# %% nbgrader={"grade": true, "grade_id": "scaled_cost-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("scaled_cost", scaled_cost)

# %% tags=["experiment"]
from nas_lib.lesson import or_fallback

cost_of = or_fallback("scaled_cost", scaled_cost)
print(f"all three doubled: {cost_of(2, 2, 2, 1):.0f} times the cost")
print(f"alpha, beta, gamma = 1.2, 1.1, 1.15: {cost_of(1.2, 1.1, 1.15, 1):.3f} times, and {cost_of(1.2, 1.1, 1.15, 6):.1f} times at phi = 6")

# %% [markdown]
# ## 2 · Whole numbers
#
# Nobody can build 2.4 blocks or 35.2 channels. EfficientNet rounds channels to a multiple of 8, which hardware likes, and
# blocks up. The rule for channels comes from MobileNetV2's code: take the nearest multiple (halfway, the larger), at
# least one divisor, and if that loses more than a tenth of the channels asked for, one multiple more.
#
# ### Exercise 7.2 · `round_filters` · ●●○○○ · 8 min · 2 points
#
# **Why it matters.** One channel too many in one stage, and no published parameter count comes out right. All checkpoints
# of these networks hang on this rule.
#
# Examples: 32 · 1.1 = 35.2 becomes 32; 20 becomes 24 (halfway between 16 and 24); 11 becomes 16, since 8 is below
# 0.9 · 11.
#
# <details><summary>Hint: "round() is to even"</summary>
#
# `round(2.5)` is 2 in Python: it goes to the even neighbour. `int(x + 0.5)` goes up.
#
# </details>
# <details><summary>Hint: "the nearest multiple may lose more than a tenth"</summary>
#
# Compare the *rounded* number with nine tenths of the product, and add a divisor if it is smaller.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "round_filters", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
def round_filters(filters, width, divisor=8):
    """Channels of a scaled layer.

    Args:
        filters: channels of the layer in the base network, ≥ 1.
        width: multiplier, > 0.
        divisor: the result is a multiple of it, ≥ 1.

    Returns:
        int: the multiple of `divisor` nearest to filters·width (halfway, the larger), at least `divisor`;
        where it is below 0.9·filters·width, the next larger multiple.

    Raises:
        ValueError: an argument is out of range, NaN or infinite.
    """
    ### BEGIN SOLUTION
    if not (filters >= 1 and divisor >= 1):
        raise ValueError(f"filters and divisor must be at least 1, got {filters!r} and {divisor!r}")
    if not (math.isfinite(width) and width > 0):
        raise ValueError(f"width must be a finite number above 0, got {width!r}")
    wanted = filters * width
    rounded = max(divisor, int(wanted + divisor / 2) // divisor * divisor)
    if rounded < 0.9 * wanted:
        rounded += divisor
    return int(rounded)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "round_filters-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("round_filters", round_filters)

# %% [markdown]
# ### Exercise 7.3 · `round_repeats` · ●○○○○ · 3 min · 1 point
#
# **Why it matters.** The smallest stages have one block. Rounded to the nearest, they would stay at one until the depth
# is 1.5; rounded up, a depth of 1.1 doubles them. That is why small steps of φ are not small.
#
# Examples: 3 blocks at depth 1.1 become 4, 1 block at 1.1 becomes 2, and 4 blocks at 1.5 are exactly 6.

# %% nbgrader={"grade": false, "grade_id": "round_repeats", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
def round_repeats(repeats, depth):
    """Blocks of a scaled stage: repeats·depth, rounded up to an int.

    Args:
        repeats: blocks of the stage in the base network, ≥ 1.
        depth: multiplier, > 0.

    Raises:
        ValueError: an argument is out of range, NaN or infinite.
    """
    ### BEGIN SOLUTION
    if not repeats >= 1:
        raise ValueError(f"repeats must be at least 1, got {repeats!r}")
    if not (math.isfinite(depth) and depth > 0):
        raise ValueError(f"depth must be a finite number above 0, got {depth!r}")
    return math.ceil(repeats * depth)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "round_repeats-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("round_repeats", round_repeats)

# %% [markdown]
# ## 3 · B0 to B7, to the last parameter
#
# `B0.stages` holds the base network, seven stages with `expand`, `kernel`, `stride`, `c_in`, `c_out` and `repeats`.
# `SCALES["b3"]` holds the multipliers `width` and `depth` of B3, the `resolution` of its images and its dropout. (The
# published multipliers are rounded by hand: B7's 2.0 and 3.1 are only about 1.1^φ and 1.2^φ for one φ.)
#
# ### Exercise 7.4 · `efficientnet_stages` · ●●○○○ · 8 min · 2 points
#
# **Why it matters.** If your counts agree with those of an independent implementation for all eight networks, then
# you know the architecture and do not just believe that you do.
#
# Use `filters` and `repeats`, which are your `round_filters` and `round_repeats` unless somebody passes others. Example:
# the first stage of B1 is `(1, 3, 1, 32, 16, 2)`.
#
# <details><summary>Hint: "the input channels are those of b0"</summary>
#
# What goes into a stage is what came out of the one before it, and the stem's 32 channels grow as well.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "efficientnet_stages", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
def efficientnet_stages(variant, filters=round_filters, repeats=round_repeats):
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
        stages.append((stage.expand, stage.kernel, stage.stride, *channels, repeats(stage.repeats, scale.depth)))
    return stages
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "efficientnet_stages-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("efficientnet_stages", efficientnet_stages)

# %% [markdown]
# Now the counts. Your stages become a network on PyTorch's `meta` device, where tensors have shapes and no numbers, so
# B7 takes no memory. Beside it stands torchvision's own network, counted by the same counter, and what the paper prints.
# The last three rows are EfficientNetV2, with the library's stages.

# %% tags=["experiment"]
from dataclasses import replace

from torchvision import models

from nas_lib.efficientnet import PUBLISHED, EfficientNet, StagePlan, efficientnet_plan
from nas_lib.networks import traced_macs

stages_of = or_fallback("efficientnet_stages", efficientnet_stages)
filters_of = or_fallback("round_filters", round_filters)


def count(network, side):
    """Parameters and multiply-accumulates of a network."""
    return sum(p.numel() for p in network.parameters()), traced_macs(network, (1, 3, side, side))


print(f"{'':5} {'parameters':>12} {'torchvision':>12} {'paper':>7} {'MACs (10⁹)':>11} {'torchvision':>12} {'paper':>6}")
equal = True
for variant, (millions, billions) in PUBLISHED.items():
    plan = efficientnet_plan(variant)
    if variant in SCALES:
        plan = replace(plan, stages=tuple(StagePlan(*s) for s in stages_of(variant)), head=filters_of(1280, SCALES[variant].width))
    with torch.device("meta"):
        ours, theirs = EfficientNet(plan), getattr(models, f"efficientnet_{variant}")()
    (params, macs), (their_params, their_macs) = count(ours, plan.resolution), count(theirs, plan.resolution)
    equal &= params == their_params and macs == their_macs
    print(f"{variant:5} {params:12,} {their_params:12,} {millions:6g}M {macs / 1e9:11.3f} {their_macs / 1e9:12.3f} {billions:6g}")
print("All counts are equal." if equal else "The counts differ: look at your stages.")

# %% [markdown]
# The papers write "FLOPs" and mean multiply-accumulates, and their figures differ from this count by a few per cent:
# they are rounded, and what is counted is not quite the same. A factor of two between two papers is more often a
# definition than a result.
#
# ## 4 · The block: MBConv
#
# MBConv is MobileNetV2's inverted bottleneck with two additions. A 1×1 convolution *widens*, a depthwise convolution
# *filters* each channel by itself, and a 1×1 convolution without activation *narrows* again. Between the last two stands
# **squeeze-and-excite**: the mean of each channel goes through two small layers (SiLU between them, a sigmoid at the end),
# and the result, one number between 0 and 1 per channel, multiplies the channel. If stride and channels allow, the input
# is added.
#
# **Stochastic depth** drops this branch while training, image by image, with probability `drop_rate`; a dropped image
# passes through unchanged. What stays is divided by 1 − `drop_rate`, so that its mean is right, and in evaluation nothing
# happens. Where there is no shortcut nothing is dropped, since nothing would be left.
#
# ### Exercise 7.5 · `MBConv` · ●●●○○ · 20 min · 5 points
#
# **Why it matters.** This block, with small changes, is in MnasNet, MobileNetV3, EfficientNet, Once-for-All's space and
# every mobile benchmark. Its popular mistakes all train: a gate that is added, an activation behind the narrow end,
# branches dropped for the whole batch at once.
#
# The layers are given; write `forward`. Example: with `drop_rate=0.5`, about half of a batch comes back exactly as it was,
# and the other half with twice the branch added.
#
# <details><summary>Hint: "draw one number per image"</summary>
#
# `torch.rand(len(x), 1, 1, 1, device=x.device)` has one number per image, and broadcasts over channels and pixels.
#
# </details>
# <details><summary>Hint: "two passes differ in evaluation"</summary>
#
# `self.training` is True after `.train()` and False after `.eval()`.
#
# </details>
# <details><summary>Hint: "the gate"</summary>
#
# `y.mean((2, 3), keepdim=True)` has the shape (B, channels, 1, 1), which is what `self.reduce` wants. Multiply `y` by
# what `self.restore` and the sigmoid make of it.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "MBConv", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
class MBConv(nn.Module):
    """Inverted bottleneck with squeeze-and-excite and stochastic depth.

    Args:
        in_channels, out_channels: of the feature maps.
        kernel: side of the depthwise convolution, odd.
        stride: of the depthwise convolution, 1 or 2.
        expand: how many times as wide the block is inside; at 1 there is no widening layer.
        se_ratio: channels of the squeeze, as a share of `in_channels`.
        drop_rate: chance that an image's branch is dropped in training, 0 ≤ drop_rate < 1.

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
        """(B, in_channels, H, W) → (B, out_channels, ⌈H/stride⌉, ⌈W/stride⌉); `x` stays as it is."""
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

# %% nbgrader={"grade": true, "grade_id": "MBConv-check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("MBConv", MBConv)

# %% [markdown]
# ### Exercise 7.6 · `FusedMBConv` · ●●○○○ · 8 min · 2 points
#
# **Why it matters.** A depthwise convolution has few multiply-accumulates and keeps the hardware idle: it reads much and
# computes little. EfficientNetV2 (Tan & Le 2021) therefore replaces the first two layers by *one dense* convolution in
# the early stages, and leaves squeeze-and-excite out there. More arithmetic, and often less time.
#
# Stochastic depth and the shortcut are those of MBConv.

# %% nbgrader={"grade": false, "grade_id": "FusedMBConv", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
class FusedMBConv(nn.Module):
    """MBConv with one dense convolution instead of the widening and the depthwise one, without squeeze-and-excite.

    Args:
        in_channels, out_channels: of the feature maps.
        kernel, stride: of the dense convolution.
        expand: how many times as wide the block is inside; at 1 the dense convolution is the only one.
        drop_rate: chance that an image's branch is dropped in training, 0 ≤ drop_rate < 1.

    Source: Tan & Le (2021), figure 2.
    """

    def __init__(self, in_channels, out_channels, kernel, stride, expand, drop_rate):
        super().__init__()
        hidden = in_channels * expand if expand != 1 else out_channels
        self.fused = conv_norm(in_channels, hidden, kernel, stride)
        self.project = conv_norm(hidden, out_channels, 1, act=False) if expand != 1 else nn.Identity()
        self.in_channels, self.out_channels, self.stride = in_channels, out_channels, stride
        self.drop_rate = drop_rate

    def forward(self, x):
        """(B, in_channels, H, W) → (B, out_channels, ⌈H/stride⌉, ⌈W/stride⌉); `x` stays as it is."""
        ### BEGIN SOLUTION
        y = self.project(self.fused(x))
        if self.stride != 1 or self.in_channels != self.out_channels:
            return y
        if self.training and self.drop_rate > 0:
            stays = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.drop_rate
            y = y * stays / (1 - self.drop_rate)
        return x + y
        ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "FusedMBConv-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("FusedMBConv", FusedMBConv)

# %% [markdown]
# Is the dense block faster on *your* machine? Both blocks at the sizes of V2-S's stages, one thread, batch 8 and half
# of its channels and pixels: milliseconds by the clock, and how many MACs each does in a second.

# %% tags=["experiment"]
from nas_lib import plotting
from nas_lib.scaling import seconds_per_batch

torch.set_num_threads(1)  # the networks of this lesson are tiny: a second thread would only get in the way
wide_block, fused_block = or_fallback("MBConv", MBConv), or_fallback("FusedMBConv", FusedMBConv)
places = {"early: 12 channels, 48 px": (12, 48), "middle: 32 channels, 24 px": (32, 24), "late: 80 channels, 12 px": (80, 12)}
took = {"MBConv": {}, "Fused-MBConv": {}}
for place, (channels, side) in places.items():
    x = torch.randn(8, channels, side, side).to(memory_format=torch.channels_last)
    made = {"MBConv": wide_block(channels, channels, 3, 1, 4, 0.25, 0.0), "Fused-MBConv": fused_block(channels, channels, 3, 1, 4, 0.0)}
    macs = {}
    for name, block in made.items():
        block = block.to(memory_format=torch.channels_last)
        macs[name] = 8 * traced_macs(block, (1, channels, side, side))
        took[name][place] = 1000 * seconds_per_batch(block, x)
    ratio = took["MBConv"][place] / took["Fused-MBConv"][place]
    speed = {name: macs[name] / took[name][place] / 1e6 for name in made}
    verdict = "faster" if ratio > 1.05 else "slower" if ratio < 0.95 else "equally fast"
    print(f"{place:27} fused: {macs['Fused-MBConv'] / macs['MBConv']:.1f} times the MACs, {verdict} ({ratio:.2f} times the speed);"
          f" {speed['MBConv']:.1f} and {speed['Fused-MBConv']:.1f} billion MACs per second")
plotting.dots(took, xlabel="milliseconds per batch of 8", title="MBConv and Fused-MBConv at three places of a network");

# %% [markdown]
# Whatever the figure says on your machine: count the MACs per second. A dense convolution does more of them per second
# everywhere; whether that makes up for their greater number depends on the place in the network and on the device. That
# is why V2 *searched* where to put which block, with measured time in the reward.
