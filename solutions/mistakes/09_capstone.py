"""The usual mistakes of lesson 09, and right answers written another way."""

# ruff: noqa: F821  (`book` is given)
# mypy: ignore-errors

import math

import numpy as np
import torch
from torch import nn

# ----------------------------------------------------------------------------------- absolute_reward

PENALTY = "beta * np.abs(cost / target - 1)"
REWARD = f"accuracy + {PENALTY}"
IN_RANGE = "np.isfinite(target) and target > 0 and np.isfinite(beta) and beta <= 0"
FINITE = "np.isfinite(accuracy).all() and np.isfinite(cost).all() and np.all(cost >= 0)"

book.edits(
    "absolute_reward",
    (
        "wrong-sign",
        "the penalty is subtracted, and with a beta below 0 that is a *bonus* for missing the target: add it",
        {REWARD: f"accuracy - {PENALTY}"},
    ),
    (
        "multiplied",
        "the accuracy is multiplied by 1 + the penalty here: the penalty is *added* to the accuracy",
        {REWARD: f"accuracy * (1 + {PENALTY})"},
    ),
    (
        "multiplied",
        "the accuracy is multiplied by 1 + the penalty in percent here: the penalty is *added* to the accuracy",
        {REWARD: f"accuracy * (1 + {PENALTY} / 100)"},
    ),
    (
        "ignores-beta",
        "`beta` is not used: it says how many points a deviation of 100 % costs",
        {PENALTY: "-np.abs(cost / target - 1)"},
    ),
    (
        "percent-twice",
        "the deviation enters in percent here: `beta` is per 100 %, so it enters as a share",
        {PENALTY: "beta * np.abs(100 * cost / target - 100)"},
    ),
    (
        "one-sided",
        "a network below the target is not penalised here: the deviation counts in both directions",
        {"np.abs(cost / target - 1)": "np.maximum(cost / target - 1, 0)"},
    ),
    (
        "no-absolute-value",
        "without the absolute value a cheaper network is always better, and the target is forgotten again",
        {"np.abs(cost / target - 1)": "(cost / target - 1)"},
    ),
    (
        "not-relative",
        "the deviation is a share of the target, |cost/target − 1|, and not a difference in MACs",
        {"np.abs(cost / target - 1)": "np.abs(cost - target)"},
    ),
    (
        "squared",
        "the deviation enters as it is, not squared: squares hardly see a small one",
        {"np.abs(cost / target - 1)": "(cost / target - 1) ** 2"},
    ),
    (
        "multiplied",
        "that is MnasNet's form: here the penalty is *added* to the accuracy",
        {REWARD: "accuracy * (cost / target) ** beta"},
    ),
    (
        "inverted-ratio",
        "the ratio is upside down: it is cost/target",
        {"cost / target": "target / np.where(cost == 0, 1e-9, cost)"},
    ),
    (
        "fractions",
        "accuracies are percent here and stay percent: do not divide by 100",
        {REWARD: f"accuracy / 100 + {PENALTY}"},
    ),
    (
        "one-sided",
        "",
        {REWARD: f"np.where(cost > target, accuracy + {PENALTY}, accuracy)"},
    ),
    (
        "numbers-only",
        "an `if` or max() cannot decide for a whole array: np.abs takes arrays as they are",
        {"np.abs(cost / target - 1)": "max(cost / target - 1, 1 - cost / target)"},
    ),
    ("returns-nothing", "", {"    return reward if": "    reward if"}),
    (
        "accepts-bad-input",
        "",
        {IN_RANGE: "np.isfinite(target) and target != 0 and np.isfinite(beta)"},
    ),
    ("accepts-bad-input", "", {IN_RANGE: "target > 0"}),
    ("accepts-bad-input", "", {FINITE: "np.isfinite(accuracy).all()"}),
    ("accepts-bad-input", "", {FINITE: "np.isfinite(cost).all() and np.all(cost >= 0)"}),
    ("accepts-bad-input", "", {FINITE: "not np.isnan(accuracy).any() and not np.isnan(cost).any()"}),
    (
        "one-sided",
        "a network above the target is not penalised here: the deviation counts in both directions",
        {"np.abs(cost / target - 1)": "np.maximum(1 - cost / target, 0)"},
    ),
    (
        "fractions",
        "beta is points for a deviation of 100 %, which is a deviation of 1: it is not divided by 100",
        {REWARD: "accuracy + beta / 100 * np.abs(cost / target - 1)"},
    ),
    (
        "not-relative",
        "the deviation is a share of the *target*, and not of the larger of the two",
        {"np.abs(cost / target - 1)": "np.abs(cost - target) / np.maximum(cost, target)"},
    ),
    (
        "logarithm",
        "the deviation is |cost/target − 1|, without a logarithm",
        {"np.abs(cost / target - 1)": "np.abs(np.log(np.maximum(cost, 1e-9) / target))"},
    ),
    (
        "capped",
        "a deviation of more than 100 % counts in full too: nothing is cut off at 1",
        {"np.abs(cost / target - 1)": "np.minimum(np.abs(cost / target - 1), 1)"},
    ),
    (
        "cut-at-zero",
        "a reward may be below 0: it is cut off there",
        {REWARD: f"np.maximum({REWARD}, 0)"},
    ),
    (
        "tolerant",
        "a network almost at the target is not penalised here: every deviation counts",
        {
            "np.abs(cost / target - 1)": "np.where(np.isclose(cost, target, rtol=1e-3), 0, np.abs(cost / target - 1))"
        },
    ),
    (
        "whole-ratio",
        "the ratio is cut to a whole number: divide with /, not with //",
        {"cost / target": "cost // target"},
    ),
    (
        "multiplied",
        "the penalty is *added* to the accuracy, not multiplied with it",
        {REWARD: f"accuracy * {PENALTY}"},
    ),
    ("rounded", "the reward is rounded here: return it as it is", {REWARD: f"np.round({REWARD}, 2)"}),
    (
        "one-number",
        "of arrays an array comes back, one reward for each network: here it is their mean",
        {"return reward if reward.ndim else": "return float(reward.mean()) if reward.ndim else"},
    ),
    (
        "whole-numbers",
        "accuracies that are ints make the reward an int here: it is a float",
        {
            "accuracy, cost = np": "given = np.asarray(accuracy).dtype\n    accuracy, cost = np",
            REWARD: f"({REWARD}).astype(given)",
        },
    ),
    ("wrong-type", "", {"return reward if reward.ndim": "return reward.tolist() if reward.ndim"}),
    ("wrong-type", "", {"float(reward)": "torch.tensor(float(reward))"}),
    ("accepts-bad-input", "", {IN_RANGE: "target > 0 and np.isfinite(beta) and beta <= 0"}),
    ("accepts-bad-input", "", {IN_RANGE: "np.isfinite(target) and target > 0 and beta <= 0"}),
    (
        "accepts-bad-input",
        "",
        {FINITE: "np.isfinite(accuracy).any() and np.isfinite(cost).all() and np.all(cost >= 0)"},
    ),
    (
        "accepts-bad-input",
        "",
        {FINITE: "np.isfinite(accuracy).all() and np.isfinite(cost).all() and np.any(cost >= 0)"},
    ),
    ("zero-is-none", "", {"beta * np.abs": "(beta or -1) * np.abs"}),
)


def _reward_is_possible(accuracy, cost, target, beta):
    sound = all(np.isfinite(one).all() for one in (accuracy, cost, target, beta))
    if not sound or target <= 0 or beta > 0 or np.min(cost) < 0:
        raise ValueError(f"out of range: {accuracy}, {cost}, {target}, {beta}")


@book.right("absolute_reward")
def reward_by_the_larger_side(accuracy, cost, target, beta):
    _reward_is_possible(accuracy, cost, target, beta)
    ratio = np.asarray(cost) / target
    return accuracy + beta * np.maximum(ratio - 1, 1 - ratio)


@book.right("absolute_reward")
def reward_over_one_denominator(accuracy, cost, target, beta):
    _reward_is_possible(accuracy, cost, target, beta)
    return (target * np.asarray(accuracy, dtype=float) + beta * np.fabs(cost - np.float64(target))) / target


@book.right("absolute_reward")
def reward_entry_by_entry(accuracy, cost, target, beta):
    if np.ndim(cost):
        return np.array([reward_entry_by_entry(a, c, target, beta) for a, c in zip(accuracy, cost)])
    _reward_is_possible(accuracy, cost, target, beta)
    return float(accuracy + beta * math.fabs(cost / target - 1))


@book.right("absolute_reward")
def reward_by_the_lower_of_two_lines(accuracy, cost, target, beta):
    _reward_is_possible(accuracy, cost, target, beta)
    slope = np.array(cost, dtype=float)
    slope /= target
    slope -= 1
    return np.minimum(accuracy + beta * slope, accuracy - beta * slope)


# ------------------------------------------------------------------------------------- masked_linear

LINEAR = "F.linear(x, weight, bias) * on"
ON = "torch.arange(len(weight), device=x.device) < width"
SHAPES = "weight.ndim != 2 or x.shape[-1] != weight.shape[1] or bias.shape != weight.shape[:1]"
WIDTHS = "not 1 <= width <= len(weight)"

book.edits(
    "masked_linear",
    (
        "scaled",
        "the features that are on are scaled down by width/out here: masks leave them as they are",
        {LINEAR: f"{LINEAR} * (width / len(weight))"},
    ),
    (
        "activation",
        "an activation follows here: the layer is linear",
        {LINEAR: "F.relu(F.linear(x, weight, bias)) * on"},
    ),
    (
        "bias-stays",
        "features beyond the width keep their bias: mask what comes *out* of the layer, bias and all",
        {LINEAR: "F.linear(x, weight * on[:, None], bias)"},
    ),
    (
        "masks-inputs",
        "this masks the numbers that go *in*: the width says how many features come out",
        {LINEAR: "F.linear(x * (torch.arange(x.shape[-1]) < width), weight, bias)"},
    ),
    (
        "no-mask",
        "all features are on: those beyond `width` have to be zero",
        {LINEAR: "F.linear(x, weight, bias)"},
    ),
    (
        "last-features",
        "the last features are on: smaller networks use the first ones, which all widths share",
        {ON: "torch.arange(len(weight), device=x.device) >= len(weight) - width"},
    ),
    (
        "off-by-one",
        "one feature too many is on: of a width of 2 the features 0 and 1 are",
        {ON: "torch.arange(len(weight), device=x.device) <= width"},
    ),
    (
        "off-by-one",
        "one feature too few is on: of a width of 2 the features 0 and 1 are",
        {ON: "torch.arange(len(weight), device=x.device) < width - 1"},
    ),
    (
        "off-by-one",
        "one feature too few is on: of a width of 2 the features 0 and 1 are",
        {ON: "torch.arange(len(weight), device=x.device) < max(width - 1, 1)"},
    ),
    (
        "cut-not-masked",
        "the features are cut off: the shape stays (…, out) for every width, with zeros at the end",
        {LINEAR: "F.linear(x, weight, bias)[..., :width]"},
    ),
    (
        "scaled",
        "the features that are on are scaled up, as dropout does: masks leave them as they are",
        {LINEAR: "F.linear(x, weight, bias) * on * (len(weight) / width)"},
    ),
    (
        "no-gradient",
        "no gradient comes through: the weights could not learn. The mask needs none, the rest does",
        {LINEAR: "(F.linear(x, weight, bias) * on).detach()"},
    ),
    (
        "no-bias",
        "the bias is missing",
        {LINEAR: "F.linear(x, weight) * on"},
    ),
    ("mutates-input", "", {LINEAR: "F.linear(x, weight.data.mul_(on[:, None]), bias) * on"}),
    ("returns-nothing", "", {f"return {LINEAR}": LINEAR}),
    ("accepts-bad-input", "", {WIDTHS: "width > len(weight)"}),
    ("accepts-bad-input", "", {WIDTHS: "width < 1"}),
    ("accepts-bad-input", "", {WIDTHS: "width == 0"}),
    ("accepts-bad-input", "", {SHAPES: "False"}),
    (
        "turned-round",
        "the features that should be on are off, and the others are on",
        {ON: "torch.arange(len(weight), device=x.device) >= width"},
    ),
    (
        "masks-tokens",
        "this masks tokens: features are the last axis",
        {
            LINEAR: "F.linear(x, weight, bias) * ((torch.arange(x.shape[-2]) < width)[:, None] if x.ndim > 1 else on)"
        },
    ),
    (
        "loses-a-gradient",
        "no gradient reaches the weight: it could not learn",
        {LINEAR: "F.linear(x, weight.detach(), bias) * on"},
    ),
    (
        "loses-a-gradient",
        "no gradient reaches the bias: it could not learn",
        {LINEAR: "F.linear(x, weight, bias.detach()) * on"},
    ),
    (
        "loses-a-gradient",
        "no gradient reaches x: the layers before could not learn",
        {LINEAR: "F.linear(x.detach(), weight, bias) * on"},
    ),
    (
        "leaks-gradients",
        "gradients reach features that are off: multiply by the mask itself",
        {LINEAR: "(all_on := F.linear(x, weight, bias)) - (all_on * ~on).detach()"},
    ),
    (
        "activation",
        "GELU comes afterwards: return what the layer itself gives",
        {LINEAR: "F.gelu(F.linear(x, weight, bias)) * on"},
    ),
    (
        "not-transposed",
        "the weight is (out, in): it is transposed also where both are equal",
        {LINEAR: "F.linear(x, weight if len(weight) != weight.shape[1] else weight.T, bias) * on"},
    ),
    (
        "not-zero",
        "features that are off are 0, not −infinity: that is for what goes into a softmax",
        {LINEAR: 'F.linear(x, weight, bias).masked_fill(~on, float("-inf"))'},
    ),
    (
        "keeps-the-mask",
        "the mask of an earlier call with as many features is used again here, whatever the width",
        {ON: "masked_linear.__dict__.setdefault(str(len(weight)), torch.arange(len(weight)) < width)"},
    ),
    ("loses-digits", "", {LINEAR: "F.linear(x.float(), weight.float(), bias.float()).to(x.dtype) * on"}),
    ("wrong-dtype", "", {LINEAR: "F.linear(x, weight, bias) * on.float()"}),
    ("wrong-dtype", "", {LINEAR: "F.linear(x, weight, bias) * on.double()"}),
    ("wrong-dtype", "", {LINEAR: f"({LINEAR}).float()"}),
    ("raises", "", {LINEAR: "F.linear(x.view(-1, x.shape[-1]), weight, bias).view(*x.shape[:-1], -1) * on"}),
    ("accepts-bad-input", "", {SHAPES: SHAPES.replace("bias.shape != weight", "bias.shape[-1:] != weight")}),
    ("accepts-bad-input", "", {SHAPES: f"bias.shape != (1,) and ({SHAPES})"}),
)


def _fits(x, weight, bias, width):
    if x.shape[-1:] != weight.shape[1:] or bias.shape != weight.shape[:1] or not 0 < width <= len(bias):
        raise ValueError(f"x, weight, bias or width do not fit: {x.shape}, {weight.shape}, {width}")


@book.right("masked_linear")
def linear_cut_and_padded(x, weight, bias, width):
    _fits(x, weight, bias, width)
    found = x @ weight[:width].T + bias[:width]
    return nn.functional.pad(found, (0, len(bias) - width))


@book.right("masked_linear")
def linear_with_masked_weights_and_bias(x, weight, bias, width):
    _fits(x, weight, bias, width)
    on = torch.zeros_like(bias)
    on[:width] = 1
    return torch.einsum("...i,oi->...o", x, weight * on[:, None]) + bias * on


@book.right("masked_linear")
def linear_written_into_zeros(x, weight, bias, width):
    _fits(x, weight, bias, width)
    found = nn.functional.linear(x, weight, bias)
    return torch.where(torch.arange(len(bias)) < width, found, torch.zeros_like(found))


@book.right("masked_linear")
def linear_feature_by_feature(x, weight, bias, width):
    _fits(x, weight, bias, width)
    features = [(x * row).sum(-1) + shift for row, shift in zip(weight, bias)]
    features[width:] = [torch.zeros_like(one) for one in features[width:]]
    return torch.stack(features, dim=-1)


# -------------------------------------------------------------------------------------- masked_heads

MASKED = "values * on[:, None, None]"
HEADS_ON = "torch.arange(heads, device=values.device) < active"
ACTIVE = "not 1 <= active <= heads"

book.edits(
    "masked_heads",
    (
        "one-head",
        "one head alone is on: the first `active` of them are",
        {HEADS_ON: "torch.arange(heads, device=values.device) == active - 1"},
    ),
    (
        "masks-tokens",
        "this masks tokens: heads are the *second* axis, so that the mask needs the shape (H, 1, 1)",
        {HEADS_ON: "torch.arange(values.shape[2]) < active", MASKED: "values * on[:, None]"},
    ),
    (
        "masks-numbers",
        "this masks the numbers within each head: heads are the second axis",
        {HEADS_ON: "torch.arange(values.shape[3]) < active", MASKED: "values * on"},
    ),
    (
        "masks-images",
        "this masks whole images: the batch is the first axis, heads are the second",
        {HEADS_ON: "torch.arange(len(values)) < active", MASKED: "values * on[:, None, None, None]"},
    ),
    (
        "no-mask",
        "all heads are on: those beyond `active` have to be zero",
        {MASKED: "values * 1"},
    ),
    (
        "last-heads",
        "the last heads are on: all networks share the first ones",
        {HEADS_ON: "torch.arange(heads, device=values.device) >= heads - active"},
    ),
    (
        "off-by-one",
        "one head too many is on: active = 1 leaves head 0 alone",
        {HEADS_ON: "torch.arange(heads, device=values.device) <= active"},
    ),
    (
        "cut-not-masked",
        "the heads are cut off: the shape stays (B, H, T, d), with zeros for those that are off",
        {MASKED: "values[:, :active]"},
    ),
    (
        "scaled",
        "the heads that are on are scaled up, as dropout does: masks leave them as they are",
        {MASKED: "values * on[:, None, None] * (heads / active)"},
    ),
    (
        "no-gradient",
        "no gradient comes through: heads that are on have to learn",
        {MASKED: "(values * on[:, None, None]).detach()"},
    ),
    ("mutates-input", "", {MASKED: "values.data.mul_(on[:, None, None])"}),
    ("returns-nothing", "", {f"return {MASKED}": MASKED}),
    ("accepts-bad-input", "", {ACTIVE: "active > heads"}),
    ("accepts-bad-input", "", {ACTIVE: "active < 1"}),
    ("accepts-bad-input", "", {"values.ndim != 4": "values.ndim < 3"}),
    (
        "turned-round",
        "the heads that should be on are off, and the others are on",
        {HEADS_ON: "torch.arange(heads, device=values.device) >= active"},
    ),
    (
        "masks-numbers",
        "the mask is lined up with the last axis where that is as long: give it the shape (H, 1, 1)",
        {MASKED: "values * (on if heads == values.shape[3] else on[:, None, None])"},
    ),
    (
        "masks-tokens",
        "the mask is lined up with the tokens where they are as many: give it the shape (H, 1, 1)",
        {MASKED: "values * (on[:, None] if heads == values.shape[2] else on[:, None, None])"},
    ),
    (
        "reshaped",
        "the axes are reshaped here, which mixes heads with tokens: the second axis are the heads as it is",
        {
            MASKED: "(values.reshape(len(values), values.shape[2], heads, -1) * on[:, None]).reshape(values.shape)"
        },
    ),
    (
        "transposed",
        "heads and tokens have changed places: the shape stays (B, H, T, d)",
        {MASKED: "(values * on[:, None, None]).transpose(1, 2)"},
    ),
    (
        "first-image",
        "heads are off for the first image alone: they are off for all",
        {MASKED: "torch.cat([values[:1] * on[:, None, None], values[1:]])"},
    ),
    (
        "leaks-gradients",
        "gradients reach heads that are off: multiply by the mask itself",
        {MASKED: "values - (values * ~on[:, None, None]).detach()"},
    ),
    ("not-a-new-tensor", "", {MASKED: "values if active == heads else values * on[:, None, None]"}),
    ("not-a-new-tensor", "", {MASKED: "values[:] if active == heads else values * on[:, None, None]"}),
    (
        "off-by-one",
        "one head too few is on: active = 2 leaves heads 0 and 1",
        {HEADS_ON: "torch.arange(heads, device=values.device) < max(active - 1, 1)"},
    ),
    (
        "not-zero",
        "heads that are off are 0, not a large number below 0: that is for what goes into a softmax",
        {MASKED: "values.masked_fill(~on[:, None, None], -1e9)"},
    ),
    (
        "keeps-the-mask",
        "the mask of an earlier call with as many heads is used again here, whatever is active",
        {HEADS_ON: "masked_heads.__dict__.setdefault(str(heads), torch.arange(heads) < active)"},
    ),
    ("raises", "", {MASKED: "(values.view(*values.shape[:2], -1) * on[:, None]).view(values.shape)"}),
    ("wrong-dtype", "", {MASKED: "values * on[:, None, None].float()"}),
    ("wrong-dtype", "", {MASKED: "values * on[:, None, None].double()"}),
    ("wrong-dtype", "", {MASKED: f"({MASKED}).float()"}),
    ("raises", "", {MASKED: "(values.view(-1) * 1).view(values.shape) * on[:, None, None]"}),
)


def _has_heads(values, active):
    if values.dim() != 4 or active < 1 or active > values.size(1):
        raise ValueError(f"values or active do not fit: {tuple(values.shape)}, {active}")


@book.right("masked_heads")
def heads_joined_with_zeros(values, active):
    _has_heads(values, active)
    return torch.cat([values[:, :active], torch.zeros_like(values[:, active:])], dim=1)


@book.right("masked_heads")
def heads_zeroed_in_a_copy(values, active):
    _has_heads(values, active)
    kept = values.clone()
    kept[:, active:] = 0
    return kept


@book.right("masked_heads")
def heads_by_an_index(values, active):
    _has_heads(values, active)
    off = torch.arange(active, values.size(1))
    return values.index_fill(1, off, 0.0)


@book.right("masked_heads")
def heads_one_by_one(values, active):
    _has_heads(values, active)
    heads = [one if place < active else one * 0 for place, one in enumerate(values.unbind(1))]
    return torch.stack(heads, dim=1)


# ------------------------------------------------------------------------------- warmup_probability

LINE = "max(0.0, 1 - step / warmup)"
STEPS = "step < 0 or warmup < 1"

book.edits(
    "warmup_probability",
    (
        "whole-number",
        "the probability is cut off to a whole number, so that it is 0 from step 1 on",
        {LINE: "int(max(0.0, 1 - step / warmup))"},
    ),
    (
        "wrong-bound",
        "min and max are exchanged: of 0 and the line the *larger* one is taken",
        {LINE: "min(0.0, 1 - step / warmup)"},
    ),
    (
        "begins-again",
        "after the warm-up everything is trained at once again: the probability stays at 0",
        {LINE: "(1 - step / warmup if step <= warmup else 1.0)"},
    ),
    (
        "below-zero",
        "after the warm-up the line goes on below 0: a probability stays at 0",
        {LINE: "1 - step / warmup"},
    ),
    (
        "rises",
        "this rises from 0 to 1: at first everything is trained at once, and later nothing is",
        {LINE: "min(1.0, step / warmup)"},
    ),
    (
        "constant",
        "",
        {LINE: "max(0.0, 1.0 - step // warmup)"},
    ),
    (
        "too-late",
        "the line reaches 0 one step too late: at step `warmup` it is 0 already",
        {LINE: "max(0.0, 1 - step / (warmup + 1))"},
    ),
    (
        "too-early",
        "the line is one step ahead: at step 0 it is 1",
        {LINE: "max(0.0, 1 - (step + 1) / warmup)"},
    ),
    (
        "constant",
        "the probability is 1 up to the end of the warm-up here: it falls linearly",
        {LINE: "float(step < warmup)"},
    ),
    (
        "not-linear",
        "this falls, but not along a line",
        {LINE: "max(0.0, 1 - step / warmup) ** 2"},
    ),
    (
        "not-linear",
        "this falls for ever, and never reaches 0",
        {LINE: "float(np.exp(-step / warmup))"},
    ),
    ("wrong-type", "", {LINE: f"int({LINE})"}),
    ("returns-nothing", "", {f"return {LINE}": LINE}),
    ("accepts-bad-input", "", {STEPS: "warmup < 1"}),
    ("accepts-bad-input", "", {STEPS: "step < 0 or warmup == 0"}),
    ("accepts-bad-input", "", {STEPS: "step < 0 or warmup < 0"}),
    (
        "rises-again",
        "after the warm-up the line rises again here: it stays at 0",
        {LINE: "abs(1 - step / warmup)"},
    ),
    (
        "rises-again",
        "after the warm-up it starts again from 1 here: it stays at 0",
        {LINE: "1 - step % warmup / warmup"},
    ),
    (
        "too-early",
        "the line reaches 0 one step too early: at step `warmup` − 1 a bit is left",
        {LINE: "max(0.0, 1 - step / max(warmup - 1, 1))"},
    ),
    (
        "not-linear",
        "this falls along a cosine, not along a line",
        {LINE: "float(1 + np.cos(np.pi * min(1.0, step / warmup))) / 2"},
    ),
    ("never-zero", "this ends at a small number: it falls to 0", {LINE: "max(0.01, 1 - step / warmup)"}),
    (
        "fixed-length",
        "the warm-up is as long as `warmup` says, not 200 steps",
        {LINE: "max(0.0, 1 - step / 200)"},
    ),
    ("rounded", "the probability is rounded here: return it as it is", {LINE: f"round({LINE}, 2)"}),
    ("rounded", "the probability is rounded here: return it as it is", {LINE: f"round({LINE}, 4)"}),
    ("wrong-type", "", {LINE: f"np.array([{LINE}])"}),
)


@book.right("warmup_probability")
def probability_by_cases(step, warmup):
    if step < 0 or warmup <= 0:
        raise ValueError(f"step or warmup out of range: {step}, {warmup}")
    if step >= warmup:
        return 0.0
    return (warmup - step) / warmup


@book.right("warmup_probability")
def probability_clipped(step, warmup):
    if min(step, warmup - 1) < 0:
        raise ValueError(f"step or warmup out of range: {step}, {warmup}")
    return float(np.clip(1 - step / warmup, 0, 1))


@book.right("warmup_probability")
def probability_interpolated(step, warmup):
    if step < 0 or warmup < 1:
        raise ValueError(f"step or warmup out of range: {step}, {warmup}")
    return np.interp(step, (0, warmup), (1.0, 0.0))


@book.right("warmup_probability")
def probability_of_the_steps_that_are_left(step, warmup):
    if step < 0 or warmup < 1:
        raise ValueError(f"step or warmup out of range: {step}, {warmup}")
    return max(0, warmup - step) / warmup


# -------------------------------------------------------------------------------- interleaved_search

DRAW = "everything = rng.random() < probability(step)"
TRAIN = "search.train(None if everything else arch)"
SCORE = "reward = search.score(arch)"
FIRST = "average = reward if average is None else average"
LEARN = "search.learn(arch, reward - average)"
AVERAGE = "average = momentum * average + (1 - momentum) * reward"
FINITE_REWARD = "not np.isfinite(reward)"
RANGE = "steps < 1 or not 0 <= start <= steps"

book.edits(
    "interleaved_search",
    (
        "sees-its-own-reward",
        "the average holds the very reward that it is compared with: subtract first, update afterwards",
        {f"{LEARN}\n        {AVERAGE}": f"{AVERAGE}\n        {LEARN}"},
    ),
    (
        "starts-from-zero",
        "the average starts from 0, so that the first architectures all look good: start from the first reward",
        {FIRST: "average = 0.0 if average is None else average"},
    ),
    (
        "no-baseline",
        "the policy learns from the reward itself: subtract the average of the earlier ones",
        {LEARN: "search.learn(arch, reward)"},
    ),
    (
        "wrong-sign",
        "the advantage is turned round: better than the average is above 0",
        {LEARN: "search.learn(arch, average - reward)"},
    ),
    (
        "momentum-swapped",
        "momentum is the share of the *old* average that is kept; here it is that of the new reward",
        {AVERAGE: "average = momentum * reward + (1 - momentum) * average"},
    ),
    (
        "plain-mean",
        "this is the mean of all earlier rewards: a moving average forgets, at the rate 1 − momentum",
        {AVERAGE: "average = average + (reward - average) / (len(rewards) + 1)"},
    ),
    (
        "last-reward",
        "the reward before is the baseline here: keep `momentum` of the old average",
        {AVERAGE: "average = reward"},
    ),
    (
        "another-architecture",
        "the architecture that is scored is not the one that was trained: one per step, for both",
        {SCORE: "arch = search.sample()\n        reward = search.score(arch)"},
    ),
    (
        "scores-first",
        "the reward is taken before the step of the weights: train first, then score",
        {
            f"        {TRAIN}\n        if step < start:\n            continue\n        {SCORE}": (
                f"        if step < start:\n            {TRAIN}\n            continue\n"
                f"        {SCORE}\n        {TRAIN}"
            )
        },
    ),
    (
        "never-everything",
        "nothing is ever trained all at once: with the given probability train(None)",
        {TRAIN: "search.train(arch)"},
    ),
    (
        "always-everything",
        "everything is trained in every step: above the probability train(arch)",
        {TRAIN: "search.train(None)"},
    ),
    (
        "turned-round",
        "everything is trained where the draw lies *above* the probability: a probability of 1 then never does it",
        {DRAW: "everything = rng.random() > probability(step)"},
    ),
    (
        "not-at-random",
        "everything is trained whenever the probability is above a half: draw, `rng.random() < probability(step)`",
        {DRAW: "everything = probability(step) > 0.5"},
    ),
    (
        "learns-too-early",
        "the policy learns from step 0 on: it waits until step `start`",
        {"if step < start:": "if step < 0:"},
    ),
    (
        "learns-too-late",
        "the policy begins one step too late: step `start` is the first in which it learns",
        {"if step < start:": "if step <= start:"},
    ),
    (
        "skips-warm-up-steps",
        "where everything is trained nothing is scored here: from step `start` on every step has a reward",
        {"if step < start:": "if step < start or everything:"},
    ),
    (
        "one-step-too-few",
        "a step is missing: there are `steps` of them, from 0 on",
        {"range(steps)": "range(steps - 1)"},
    ),
    (
        "steps-from-one",
        "steps count from 0: the first one's probability is probability(0)",
        {"range(steps)": "range(1, steps + 1)"},
    ),
    (
        "returns-advantages",
        "the advantages come back: asked for are the rewards",
        {"rewards.append(reward)": "rewards.append(reward - average)"},
    ),
    ("returns-nothing", "", {"    return rewards": "    rewards"}),
    ("accepts-bad-input", "", {FINITE_REWARD: "False"}),
    ("accepts-bad-input", "", {RANGE: "steps < 1"}),
    ("accepts-bad-input", "", {RANGE: "not 0 <= start <= steps"}),
    ("accepts-bad-input", "", {RANGE: "steps < 1 or start < 0"}),
    ("accepts-bad-input", "", {"0 <= momentum < 1": "0 <= momentum <= 1"}),
    ("accepts-bad-input", "", {"0 <= momentum < 1": "momentum < 1"}),
    ("accepts-bad-input", "", {"not 0 <= momentum < 1": "momentum < 0 or momentum >= 1"}),
    ("accepts-bad-input", "", {FINITE_REWARD: "np.isnan(reward)"}),
    ("accepts-bad-input", "", {FINITE_REWARD: "np.isinf(reward)"}),
    ("accepts-bad-input", "", {FINITE_REWARD: "rewards and not np.isfinite(reward)"}),
    (
        "accepts-bad-input",
        "",
        {
            FINITE_REWARD: "False",
            "    return rewards": "    if not np.isfinite(rewards).all():\n        raise ValueError(rewards)\n    return rewards",
        },
    ),
    (
        "accepts-bad-input",
        "",
        {"not 0 <= momentum < 1": "search.sample() and not 0 <= momentum < 1"},
    ),
    (
        "saves-draws",
        "one rng.random() in every step, needed or not: here none is drawn where the probability is 0",
        {DRAW: "everything = probability(step) > 0 and rng.random() < probability(step)"},
    ),
    (
        "saves-draws",
        "one rng.random() in every step, needed or not: here none is drawn where the probability is 1",
        {DRAW: "everything = probability(step) >= 1 or rng.random() < probability(step)"},
    ),
    (
        "draws-twice",
        "two numbers are drawn in each step: one is, so that all later draws are others",
        {DRAW: "everything = rng.random(2)[0] < probability(step)"},
    ),
    ("ignores-rng", "", {DRAW: "everything = np.random.random() < probability(step)"}),
    (
        "other-step",
        "the probability is that of step 0 throughout: ask for it in every step",
        {DRAW: "everything = rng.random() < probability(0)"},
    ),
    (
        "other-step",
        "the probability is that of the next step: ask for the step itself",
        {DRAW: "everything = rng.random() < probability(step + 1)"},
    ),
    (
        "trains-twice",
        "everything *or* the architecture is trained in a step: here both are",
        {TRAIN: "everything and search.train(None)\n        search.train(arch)"},
    ),
    (
        "trains-nothing",
        "where everything should be trained, nothing is: call search.train(None)",
        {TRAIN: "everything or search.train(arch)"},
    ),
    (
        "trains-last",
        "the weights are trained after the policy has learned: train first, then score and learn",
        {
            TRAIN: f"if step < start:\n            {TRAIN}",
            "rewards.append(reward)": f"rewards.append(reward)\n        {TRAIN}",
        },
    ),
    (
        "scores-twice",
        "an architecture is scored twice: once for each step, since the images cost time",
        {SCORE: f"search.score(arch)\n        {SCORE}"},
    ),
    (
        "scores-too-early",
        "before step `start` nothing is scored: nobody learns from it",
        {"if step < start:": "if step < start:\n            search.score(arch)"},
    ),
    (
        "samples-twice",
        "two architectures are sampled in a step: one is",
        {"arch = search.sample()": "search.sample()\n        arch = search.sample()"},
    ),
    (
        "learns-too-early",
        "the policy begins one step too early: step `start` is the first in which it learns",
        {"if step < start:": "if step + 1 < start:"},
    ),
    (
        "skips-the-first",
        "the first advantage is 0, but search.learn is called with it as with every other",
        {LEARN: f"rewards and {LEARN}"},
    ),
    (
        "first-advantage",
        "the first advantage is the reward itself here: there is no average before it, so it is 0",
        {LEARN: "search.learn(arch, reward - average if rewards else reward)"},
    ),
    (
        "average-of-zero",
        "an average of 0 is taken for none here: compare with None",
        {FIRST: "average = average or reward"},
    ),
    (
        "averages-advantages",
        "the average is one of the rewards, not of the advantages",
        {AVERAGE: "average = momentum * average + (1 - momentum) * (reward - average)"},
    ),
    (
        "normalised",
        "the advantage is reward − average, not divided by anything",
        {LEARN: "search.learn(arch, (reward - average) / (abs(average) or 1.0))"},
    ),
    (
        "rounded",
        "the advantage is rounded here: pass it on as it is",
        {LEARN: "search.learn(arch, round(reward - average, 2))"},
    ),
    (
        "one-step-too-many",
        "there is a step too many: they are 0 … steps − 1",
        {"range(steps)": "range(steps + 1)"},
    ),
    (
        "averages-advantages",
        "the average is one of the rewards, not of the advantages",
        {
            AVERAGE: "average += (momentum - 1) * average + (1 - momentum) * (reward - average) if rewards else 0.0"
        },
    ),
    (
        "returns-advantages",
        "the advantages come back: asked for are the rewards",
        {
            LEARN: "advantage = reward - average\n        search.learn(arch, advantage)",
            "rewards.append(reward)": "rewards.append(advantage)",
        },
    ),
    (
        "returns-averages",
        "the averages come back: asked for are the rewards",
        {"rewards.append(reward)": "rewards.append(average)"},
    ),
    (
        "rounded",
        "the rewards come back as whole numbers: return them as they are",
        {"rewards.append(reward)": "rewards.append(int(reward))"},
    ),
    (
        "returns-all-steps",
        "steps before `start` have no reward: steps − start rewards come back",
        {"    return rewards": "    return [0.0] * start + rewards"},
    ),
    (
        "samples-first",
        "all architectures are sampled before the first step here: one in each, by the policy as it is then",
        {
            "rewards, average = [], None": "rewards, average = [], None\n    sampled = [search.sample() for _ in range(steps)]",
            "arch = search.sample()": "arch = sampled[step]",
        },
    ),
    (
        "at-the-probability",
        "everything is trained also where the draw equals the probability here: only where it is below",
        {DRAW: "everything = rng.random() <= probability(step)"},
    ),
    (
        "other-step",
        "from step `start` on everything is never trained at once here: the probability holds in every step",
        {DRAW: "everything = rng.random() < (probability(step) if step < start else 0.0)"},
    ),
    (
        "clipped",
        "the advantage is cut off at −10 and 10 here: pass it on as it is",
        {LEARN: "search.learn(arch, float(np.clip(reward - average, -10, 10)))"},
    ),
    (
        "normalised",
        "the advantage is divided by the standard deviation of the rewards here: it is reward − average",
        {
            LEARN: "search.learn(arch, (reward - average) / ((np.std(rewards) if len(rewards) > 1 else 0) or 1.0))"
        },
    ),
    (
        "ignores-momentum",
        "`momentum` is not used: 0.9 of the old average are kept here",
        {AVERAGE: "average = 0.9 * average + 0.1 * reward"},
    ),
    (
        "best-as-baseline",
        "the best reward so far is the baseline here: it is a moving average",
        {AVERAGE: "average = max(average, reward)"},
    ),
    (
        "bias-corrected",
        "the average is divided by 1 − momentum^n here: it starts from the first reward, not from 0, and needs no correction",
        {LEARN: "search.learn(arch, reward - average / (1 - momentum ** len(rewards)) if rewards else 0.0)"},
    ),
    (
        "keeps-the-average",
        "the average of an earlier call goes on here: each call starts from its own first reward",
        {
            "rewards, average = [], None": 'rewards, average = [], interleaved_search.__dict__.get("kept")',
            "rewards.append(reward)": "rewards.append(reward)\n        interleaved_search.kept = average",
        },
    ),
    (
        "learns-from-the-good",
        "only what is at least as good as the average is learned from here: every reward from step `start` on is",
        {LEARN: f"reward >= average and {LEARN}"},
    ),
    ("wrong-type", "", {"    return rewards": "    return torch.tensor(rewards)"}),
    ("raises", "", {"0 <= start <= steps": "0 <= start < steps"}),
    (
        "zero-is-none",
        "",
        {
            "momentum * average + (1 - momentum) * reward": "(momentum or 0.9) * average + (1 - (momentum or 0.9)) * reward"
        },
    ),
)


def _loop_is_possible(steps, start, momentum):
    if not (steps > 0 and 0 <= start <= steps and 0 <= momentum < 1):
        raise ValueError(f"steps, start or momentum out of range: {steps}, {start}, {momentum}")


def _finite(reward):
    if not math.isfinite(reward):
        raise ValueError(f"search must give finite rewards, got {reward}")
    return reward


@book.right("interleaved_search")
def loop_with_all_draws_first(steps, probability, start, search, momentum, rng):
    _loop_is_possible(steps, start, momentum)
    chances, rewards, average = rng.random(steps), np.empty(steps - start), 0.0
    for step in range(steps):
        arch = search.sample()
        if chances[step] < probability(step):
            search.train(None)
        else:
            search.train(arch)
        if step >= start:
            rewards[step - start] = reward = _finite(search.score(arch))
            advantage = reward - average if step > start else 0.0
            search.learn(arch, advantage)
            average = average + (1 - momentum) * advantage if step > start else reward
    return rewards


@book.right("interleaved_search")
def loop_in_two_phases(steps, probability, start, search, momentum, rng):
    _loop_is_possible(steps, start, momentum)
    rewards, baselines = [], []

    def train(step):
        arch = search.sample()
        search.train(None if rng.uniform() < probability(step) else arch)
        return arch

    for step in range(start):
        train(step)
    for step in range(start, steps):
        arch = train(step)
        rewards.append(_finite(search.score(arch)))
        if step == start:
            baselines.append(rewards[0])
        else:
            baselines.append(momentum * baselines[-1] + (1 - momentum) * rewards[-2])
        search.learn(arch, rewards[-1] - baselines[-1])
    return tuple(rewards)


@book.right("interleaved_search")
def loop_with_the_average_moved_by_a_share(steps, probability, start, search, momentum, rng):
    _loop_is_possible(steps, start, momentum)
    rewards = np.empty(steps - start)
    for step in range(steps):
        arch, draw = search.sample(), rng.random()
        search.train(arch if draw >= probability(step) else None)
        if step >= start:
            rewards[step - start] = reward = _finite(search.score(arch))
            if step == start:
                average = reward
            search.learn(arch, reward - average)
            average += (1 - momentum) * (reward - average)
    return rewards
