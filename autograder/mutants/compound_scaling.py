"""Wrong and right implementations of lesson 07's exercises."""

# Learners write no type hints, and some of these are wrong about types on purpose.
# mypy: ignore-errors

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.ops import SqueezeExcitation, stochastic_depth
from torchvision.transforms.v2 import functional as pixels

from autograder.gate.concepts import says
from autograder.gate.registry import alternative, mutant
from nas_lib.augmentation import OPERATIONS, apply_operation
from nas_lib.efficientnet import B0, SCALES, conv_norm

says(
    {
        "no-squares": r"here each counts once|as alpha·beta·gamma",
        "width-once": r"channels in \*and\* out",
        "resolution-once": r"rows \*and\* columns",
        "depth-squared": r"the depth is squared",
        "times-phi": r"phi multiplies here",
        "ignores-phi": r"`phi` is not used",
        "assumes-two": r"2\^phi holds only",
        "part-without-phi": r"phi is the exponent of the",
        "wrong-result-of-scaling": r"is .*, should be",
        "no-tenth-rule": r"may lose more than a tenth",
        "exactly-nine-tenths": r"exactly nine tenths are enough",
        "cuts-down": r"rounds down|are rounded down",
        "goes-up": r"this rounds up",
        "half-to-even": r"round\(\) is to even",
        "half-down": r"here it is the smaller one",
        "no-least": r"never fewer than one divisor",
        "rounds-first": r"round after multiplying",
        "tenth-of-filters": r"not of filters",
        "ignores-divisor": r"`divisor` is not used",
        "no-multiple": r"no multiple of the divisor",
        "takes-the-nearest": r"the nearest whole number: blocks|rounded to the nearest",
        "adds-one-more": r"adds one too many",
        "rounds-the-depth": r"not the multiplier alone",
        "adds-the-depth": r"it is not added",
        "ignores-depth": r"`depth` is not used",
        "ignores-the-variant": r"these are the stages of b0",
        "width-only": r"the blocks are those of b0",
        "depth-only": r"the channels are those of b0",
        "input-not-scaled": r"the input channels are those of b0",
        "stem-not-scaled": r"the stem's output",
        "channels-cut-off": r"are no multiples of 8",
        "swapped-multipliers": r"width and depth are exchanged",
        "left-broken": r"have to be rounded|has to be rounded",
        "wrong-stage": r"stage \d of b\d has",
        "layers-changed": r"leave __init__ as it is",
        "drops-in-eval": r"two passes differ",
        "gradient-cut": r"cut out of the graph",
        "no-shortcut": r"the input is not added",
        "shortcut-everywhere": r"added where it should not be",
        "scaled-in-eval": r"the branch is scaled (up|down) in evaluation",
        "block-output": r"the output is wrong",
        "drops-without-shortcut": r"in a block without a shortcut",
        "never-drops": r"nothing is ever dropped|never dropped",
        "not-rescaled": r"are not scaled up",
        "branch-scale": r"are multiplied by",
        "whole-batch": r"dropped together",
        "fixed-choice": r"the same images are dropped",
        "keeps-instead-of-drops": r"is the chance to \*drop\*",
        "drop-rate-off": r"images were dropped, with",
        "drops-the-shortcut": r"the shortcut with it",
        "drops-pixels": r"dropped in parts",
        "no-squeeze": r"squeeze-excite is missing",
        "no-silu": r"something else than SiLU",
        "no-sigmoid": r"a sigmoid comes last",
        "adds-the-gate": r"the gate is added",
        "gate-alone": r"the gate replaces",
        "gate-per-pixel": r"each pixel has a gate",
        "squeeze-too-early": r"before the depthwise convolution",
        "max-pool": r"each channel's maximum",
        "activation-at-the-end": r"an activation follows the projection",
        "no-projection": r"the projection is missing",
        "activation-twice": r"a second one follows",
        "activation-missing": r"keeps its activation",
        "trains-nothing": r"was never called",
        "tries-twice": r"none is made twice",
        "takes-the-lowest": r"the \*lowest\* accuracy",
        "coefficients-in-other-order": r"in another order",
        "returns-the-last": r"the last point that was tried",
        "second-best-point": r"has .*, but .* has",
        "leaves-out-one": r"coefficients of exactly 1 are missing",
        "limit-unused": r"`limit` is not used",
        "upper-bound-only": r"cheaper points such as",
        "below-one": r"no coefficient is below 1",
        "ignores-the-constraint": r"was evaluated, which costs",
        "lower-side-only": r"above the limit is within the tolerance",
        "upper-side-only": r"below the limit is within the tolerance",
        "one-point-only": r"only one point was evaluated",
        "skips-points": r"points were never tried",
        "wrong-grid": r"lies beside the grid",
        "hard-labels": r"a row of \d+ shares",
        "mixes-with-itself": r"its partner is itself",
        "shares-not-one": r"the two shares of an image add up",
        "more-than-two": r"mixed of more than two",
        "not-a-mixture": r"is no mixture",
        "labels-not-mixed": r"mixed as the images are",
        "labels-swapped": r"the wrong way round",
        "labels-half": r"half and half",
        "one-label": r"partner's label is missing",
        "labels-not-one": r"the soft labels of an image add up",
        "labels-disagree": r"something else than the images",
        "constant-share": r"λ is always",
        "folded": r"λ is never",
        "uniform-share": r"`alpha` is not used",
        "unequal-parameters": r"both parameters of the Beta",
        "wrong-shares": r"λ does not follow",
        "changes-the-input": r"was changed in place|x or y was changed|has been changed",
        "ignores-n": r"with n = \d",
        "misses-an-operation": r"never came",
        "unequal-chances": r"equally likely \(",
        "one-sign": r"operations with two directions",
        "swaps-height-and-width": r"a share of the wrong side",
        "reversed-scale": r"runs backwards",
        "wrong-strength": r"its scale is another one|no operation gives at that magnitude",
        "not-one-after-the-other": r"are not what two operations give",
        "without-replacement": r"no operation came twice",
        "one-draw-for-all": r"the same operation is applied n times",
        "never-arrives": r"the last stage has",
        "never-begins": r"the first stage has",
        "single-stage-low": r"a single stage is the last",
        "never-grows": r"does not grow",
        "runs-from-last-to-first": r"from the second number of the pair to the first",
        "grows-by-a-factor": r"constant \*factor\*",
        "cuts-off-pixels": r"take the nearest whole number",
        "swapped-pairs": r"in the wrong order: \(resolution",
        "other-schedule": r"should run through",
    }
)


def _check(condition, name, value):
    if not condition:
        raise ValueError(f"{name} is out of range: {value!r}")


def _rule(exercise, name, concept, check, formula):
    """A mutant of one line: `formula` after the checks of the arguments."""

    def wrong(*args):
        check(*args)
        return formula(*args)

    wrong.__name__ = name
    mutant(exercise, concept=concept)(wrong)


# -------------------------------------------------------------------------------------------- scaled_cost


def _finite(alpha, beta, gamma, phi):
    for name, value in {"alpha": alpha, "beta": beta, "gamma": gamma}.items():
        _check(math.isfinite(value) and value > 0, name, value)
    _check(math.isfinite(phi), "phi", phi)


for _name, _concept, _formula in (
    ("product", "no-squares", lambda a, b, c, p: (a * b * c) ** p),
    ("width_once", "width-once", lambda a, b, c, p: (a * b * c**2) ** p),
    ("resolution_once", "resolution-once", lambda a, b, c, p: (a * b**2 * c) ** p),
    ("depth_squared", "depth-squared", lambda a, b, c, p: (a**2 * b * c) ** p),
    ("all_squared", "depth-squared", lambda a, b, c, p: (a * b * c) ** (2 * p)),
    ("multiplies", "times-phi", lambda a, b, c, p: a * b**2 * c**2 * p),
    ("one_step", "ignores-phi", lambda a, b, c, p: a * b**2 * c**2),
    ("doublings", "assumes-two", lambda a, b, c, p: 2.0**p),
    ("depth_alone_grows", "part-without-phi", lambda a, b, c, p: a**p * b**2 * c**2),
):
    _rule("scaled_cost", _name, _concept, _finite, _formula)


@mutant("scaled_cost", concept="accepts-bad-input")
def takes_anything(alpha, beta, gamma, phi):
    return float(np.float64(alpha * beta**2 * gamma**2) ** phi)


@alternative("scaled_cost")
def by_logarithms(alpha, beta, gamma, phi):
    _finite(alpha, beta, gamma, phi)
    return math.exp(phi * (math.log(alpha) + 2 * math.log(beta) + 2 * math.log(gamma)))


@alternative("scaled_cost")
def with_the_exponents_inside(alpha, beta, gamma, phi):
    _finite(alpha, beta, gamma, phi)
    return math.prod([alpha**phi, beta ** (2 * phi), gamma ** (2 * phi)])


@alternative("scaled_cost")
def one_dimension_at_a_time(alpha, beta, gamma, phi):
    _finite(alpha, beta, gamma, phi)
    depth, width, resolution = (np.float64(one) ** phi for one in (alpha, beta, gamma))
    return depth * width * width * resolution * resolution


# ------------------------------------------------------------------------------------------ round_filters


def _filters(filters, width, divisor=8):
    _check(filters >= 1, "filters", filters)
    _check(math.isfinite(width) and width > 0, "width", width)
    _check(divisor >= 1, "divisor", divisor)


def _near(value, divisor):
    return int(value + divisor / 2) // divisor * divisor


def _kept(value, divisor, rounded):
    rounded = max(divisor, rounded)
    return rounded + divisor if rounded < 0.9 * value else rounded


for _name, _concept, _formula in (
    ("nearest_only", "no-tenth-rule", lambda f, w, d=8: max(d, _near(f * w, d))),
    (
        "a_tenth_is_too_much",
        "exactly-nine-tenths",
        lambda f, w, d=8: max(d, _near(f * w, d)) + d * (max(d, _near(f * w, d)) <= 0.9 * f * w),
    ),
    ("floors", "cuts-down", lambda f, w, d=8: _kept(f * w, d, int(f * w) // d * d)),
    ("ceils", "goes-up", lambda f, w, d=8: max(d, math.ceil(f * w / d) * d)),
    ("python_s_round", "half-to-even", lambda f, w, d=8: _kept(f * w, d, round(f * w / d) * d)),
    ("halves_go_down", "half-down", lambda f, w, d=8: _kept(f * w, d, math.ceil(f * w / d - 0.5) * d)),
    (
        "rounds_twice",
        "rounds-first",
        lambda f, w, d=8: _kept(f * w, d, _near(_near(f, d) * w, d)),
    ),
    ("always_eight", "ignores-divisor", lambda f, w, d=8: _kept(f * w, 8, _near(f * w, 8))),
    ("any_number", "no-multiple", lambda f, w, d=8: round(f * w)),
):
    _rule("round_filters", _name, _concept, _filters, _formula)


@mutant("round_filters", concept="not-an-int")
def as_a_float(filters, width, divisor=8):
    _filters(filters, width, divisor)
    return float(_kept(filters * width, divisor, _near(filters * width, divisor)))


@mutant("round_filters", concept="accepts-bad-input")
def never_refuses(filters, width, divisor=8):
    divisor = divisor or 8
    value = 0 if math.isnan(width) else filters * width
    return _kept(value, divisor, _near(value, divisor))


@alternative("round_filters")
def over_all_multiples(filters, width, divisor=8):
    _filters(filters, width, divisor)
    wanted = filters * width
    multiples = [divisor * i for i in range(1, int(wanted / divisor) + 3)]
    best = min(multiples, key=lambda one: (abs(one - wanted), -one))
    return best if best >= 0.9 * wanted else best + divisor


@alternative("round_filters")
def by_the_remainder(filters, width, divisor=8):
    _filters(filters, width, divisor)
    wanted = filters * width
    below, rest = divmod(wanted, divisor)
    steps = max(1, int(below) + (rest >= divisor / 2))
    return (steps if 10 * steps * divisor >= 9 * wanted else steps + 1) * divisor


@alternative("round_filters")
def with_fractions(filters, width, divisor=8):
    _filters(filters, width, divisor)
    wanted = Fraction(filters * width)
    steps = max(1, (wanted / divisor + Fraction(1, 2)).__floor__())
    return np.int64((steps + (steps * divisor < 0.9 * float(wanted))) * divisor)


# ------------------------------------------------------------------------------------------ round_repeats


def _repeats(repeats, depth):
    _check(repeats >= 1, "repeats", repeats)
    _check(math.isfinite(depth) and depth > 0, "depth", depth)


for _name, _concept, _formula in (
    ("floors_blocks", "cuts-down", lambda n, d: max(1, int(n * d))),
    ("nearest_blocks", "takes-the-nearest", lambda n, d: max(1, round(n * d))),
    ("always_one_more", "adds-one-more", lambda n, d: int(n * d) + 1),
    ("whole_multiplier", "rounds-the-depth", lambda n, d: n * math.ceil(d)),
    ("sums", "adds-the-depth", lambda n, d: math.ceil(n + d)),
    ("same_as_before", "ignores-depth", lambda n, d: n),
    ("a_float", "not-an-int", lambda n, d: float(np.ceil(n * d))),
):
    _rule("round_repeats", _name, _concept, _repeats, _formula)


@mutant("round_repeats", concept="accepts-bad-input")
def any_depth(repeats, depth):
    return 1 if math.isnan(depth) else math.ceil(repeats * depth)


@alternative("round_repeats")
def by_floor_division(repeats, depth):
    _repeats(repeats, depth)
    return int(-(-repeats * depth // 1))


@alternative("round_repeats")
def one_by_one(repeats, depth):
    _repeats(repeats, depth)
    return np.arange(0, repeats * depth, 1).size


@alternative("round_repeats")
def counts_up(repeats, depth):
    _repeats(repeats, depth)
    blocks = 1
    while blocks < repeats * depth:
        blocks += 1
    return blocks


# ------------------------------------------------------------------------------------ efficientnet_stages


def _stages(name, concept, channels=None, blocks=None, change=None):
    """A mutant with other channels or blocks, or whose finished stages are changed."""

    def wrong(variant):
        _check(variant in SCALES, "variant", variant)
        scale = SCALES[variant]
        wide = channels or (lambda c, s: _kept(c * s.width, 8, _near(c * s.width, 8)))
        deep = blocks or (lambda n, s: math.ceil(n * s.depth))
        made = [
            (*s[:3], wide(s.c_in, scale), wide(s.c_out, scale), deep(s.repeats, scale)) for s in B0.stages
        ]
        return change(made) if change else made

    wrong.__name__ = name
    mutant("efficientnet_stages", concept=concept)(wrong)


_stages("always_b0", "ignores-the-variant", lambda c, s: c, lambda n, s: n)
_stages("wider_only", "width-only", blocks=lambda n, s: n)
_stages("deeper_only", "depth-only", channels=lambda c, s: c)
_stages(
    "old_inputs",
    "input-not-scaled",
    change=lambda made: [(*a[:3], b.c_in, *a[4:]) for a, b in zip(made, B0.stages)],
)
_stages("old_stem", "stem-not-scaled", change=lambda made: [(*made[0][:3], 32, *made[0][4:]), *made[1:]])
_stages("floored_repeats", "cuts-down", blocks=lambda n, s: max(1, int(n * s.depth)))
_stages("nearest_repeats", "takes-the-nearest", blocks=lambda n, s: max(1, round(n * s.depth)))
_stages("truncated_channels", "channels-cut-off", channels=lambda c, s: int(c * s.width))
_stages("raw_products", "left-broken", channels=lambda c, s: c * s.width)
_stages(
    "exchanged",
    "swapped-multipliers",
    lambda c, s: _kept(c * s.depth, 8, _near(c * s.depth, 8)),
    lambda n, s: math.ceil(n * s.width),
)
_stages("six_stages", "wrong-length", change=lambda made: made[:6])


@mutant("efficientnet_stages", concept="accepts-bad-input")
def some_variant(variant):
    scale = SCALES.get(variant, SCALES["b0"])
    return [
        (
            *s[:3],
            *(_kept(c * scale.width, 8, _near(c * scale.width, 8)) for c in (s.c_in, s.c_out)),
            math.ceil(s.repeats * scale.depth),
        )
        for s in B0.stages
    ]


@alternative("efficientnet_stages")
def chained(variant, filters=None, repeats=None):
    _check(variant in SCALES, "variant", variant)
    scale = SCALES[variant]
    before, found = over_all_multiples(32, scale.width), []
    for s in B0.stages:
        after = over_all_multiples(s.c_out, scale.width)
        found.append([s.expand, s.kernel, s.stride, before, after, counts_up(s.repeats, scale.depth)])
        before = after
    return found


@alternative("efficientnet_stages")
def as_an_array(variant):
    return np.array(chained(variant))


@alternative("efficientnet_stages")
def from_torchvision(variant):
    from torchvision.models.efficientnet import _efficientnet_conf

    _check(variant in SCALES, "variant", variant)
    scale = SCALES[variant]
    stages, _ = _efficientnet_conf(f"efficientnet_{variant}", width_mult=scale.width, depth_mult=scale.depth)
    return [
        (s.expand_ratio, s.kernel, s.stride, s.input_channels, s.out_channels, s.num_layers) for s in stages
    ]


# ------------------------------------------------------------------------------------------------- blocks


def _drop(y, rate, training):
    if not training or rate == 0:
        return y
    return y * (torch.rand(len(y), 1, 1, 1) >= rate) / (1 - rate)


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


def _block(exercise, name, concept, **methods):
    """A mutant of a block with other methods."""
    base = _Inverted if exercise == "MBConv" else _Fused
    mutant(exercise, concept=concept)(type(name, (base,), methods))


def _squeezed(gate):
    """A branch whose gate is made of the filtered maps by `gate(block, y)`."""

    def branch(self, x):
        y = self.depthwise(self.expand(x))
        return self.project(gate(self, y))

    return branch


def _plain_drop(self, y):
    return y * (torch.rand(len(y), 1, 1, 1) >= self.drop_rate) if self.training else y


def _batch_drop(self, y):
    return y * (torch.rand(1) >= self.drop_rate) / (1 - self.drop_rate) if self.training else y


def _pixel_drop(self, y):
    return F.dropout(y, self.drop_rate, self.training)


def _channel_drop(self, y):
    return F.dropout2d(y, self.drop_rate, self.training)


def _survival(self, y):
    if not self.training or self.drop_rate == 0:
        return y
    return y * (torch.rand(len(y), 1, 1, 1) < self.drop_rate) / (1 - self.drop_rate)


def _wrong_divisor(self, y):
    if not self.training or self.drop_rate == 0:
        return y
    return y * (torch.rand(len(y), 1, 1, 1) >= self.drop_rate) / self.drop_rate


def _always(self, y):
    return y if self.drop_rate == 0 else _drop(y, self.drop_rate, True)


def _old_style(self, y):
    return _plain_drop(self, y) if self.training else y * (1 - self.drop_rate)


def _everything_dropped(self, x):
    y = self.branch(x)
    return self.drop(x + y) if self.has_shortcut() else y


def _drops_everywhere(self, x):
    y = self.drop(self.branch(x))
    return x + y if self.has_shortcut() else y


def _never_adds(self, x):
    return self.branch(x)


def _adds_to_any_channels(self):
    return self.stride == 1


def _adds_at_any_stride(self):
    return self.in_channels == self.out_channels


def _fixed(self, y):
    if not self.training or self.drop_rate == 0:
        return y
    torch.manual_seed(0)
    return _drop(y, self.drop_rate, True)


def _in_place(self, x):
    y = self.branch(x)
    if not self.has_shortcut():
        return y
    x += self.drop(y)
    return x


def _detached_gate(self, y):
    return y * self.gate(y).detach()


for _exercise in ("MBConv", "FusedMBConv"):
    for _name, _concept, _methods in (
        ("NeverDrops", "never-drops", {"drop": lambda self, y: y}),
        ("NotRescaled", "not-rescaled", {"drop": _plain_drop}),
        ("WholeBatch", "whole-batch", {"drop": _batch_drop}),
        ("DropsPixels", "drops-pixels", {"drop": _pixel_drop}),
        ("DropsChannels", "drops-pixels", {"drop": _channel_drop}),
        ("SurvivalRate", "keeps-instead-of-drops", {"drop": _survival}),
        ("DividesByTheRate", "branch-scale", {"drop": _wrong_divisor}),
        ("OldStyle", "scaled-in-eval", {"drop": _old_style}),
        ("ShortcutToo", "drops-the-shortcut", {"forward": _everything_dropped}),
        ("DropsEverywhere", "drops-without-shortcut", {"forward": _drops_everywhere}),
        ("NoShortcut", "no-shortcut", {"forward": _never_adds}),
        ("AnyChannels", "shortcut-everywhere", {"has_shortcut": _adds_to_any_channels}),
        ("AnyStride", "shortcut-everywhere", {"has_shortcut": _adds_at_any_stride}),
        ("FixedChoice", "fixed-choice", {"drop": _fixed}),
        (
            "ActivationAtTheEnd",
            "activation-at-the-end",
            {
                "branch": lambda self, x: F.silu(
                    (_Inverted if hasattr(self, "gate") else _Fused).branch(self, x)
                )
            },
        ),
    ):
        _block(_exercise, _name, _concept, **_methods)

for _name, _concept, _gate in (
    ("NoSqueeze", "no-squeeze", lambda self, y: y),
    (
        "Relu",
        "no-silu",
        lambda self, y: y * torch.sigmoid(self.restore(F.relu(self.reduce(y.mean((2, 3), keepdim=True))))),
    ),
    (
        "NoSigmoid",
        "no-sigmoid",
        lambda self, y: y * self.restore(F.silu(self.reduce(y.mean((2, 3), keepdim=True)))),
    ),
    (
        "LinearSqueeze",
        "no-silu",
        lambda self, y: y * torch.sigmoid(self.restore(self.reduce(y.mean((2, 3), keepdim=True)))),
    ),
    (
        "PixelGate",
        "gate-per-pixel",
        lambda self, y: y * torch.sigmoid(self.restore(F.silu(self.reduce(y)))),
    ),
    ("AddsTheGate", "adds-the-gate", lambda self, y: y + self.gate(y)),
    ("GateAlone", "gate-alone", lambda self, y: self.gate(y).expand_as(y)),
    (
        "MaxPool",
        "max-pool",
        lambda self, y: y * torch.sigmoid(self.restore(F.silu(self.reduce(y.amax((2, 3), keepdim=True))))),
    ),
    ("DetachedGate", "gradient-cut", _detached_gate),
):
    _block("MBConv", _name, _concept, branch=_squeezed(_gate))


def _early(self, x):
    y = self.expand(x)
    return self.project(self.depthwise(y * self.gate(y)))


_block("MBConv", "SqueezeTooEarly", "squeeze-too-early", branch=_early)
_block("FusedMBConv", "InPlace", "changes-the-input", forward=_in_place)


@mutant("MBConv", concept="layers-changed")
class QuarterSqueeze(_Inverted):
    """The published ratio, whatever `se_ratio` is."""

    def __init__(self, in_channels, out_channels, kernel, stride, expand, se_ratio, drop_rate):
        super().__init__(in_channels, out_channels, kernel, stride, expand, 0.25, drop_rate)


@mutant("FusedMBConv", concept="layers-changed")
class AlwaysAsWideAsTheInput(_Fused):
    """Without expansion, as many channels out as in."""

    def __init__(self, in_channels, out_channels, kernel, stride, expand, drop_rate):
        super().__init__(in_channels, out_channels, kernel, stride, expand, drop_rate)
        if expand == 1:
            self.fused = conv_norm(in_channels, in_channels, kernel, stride)


for _exercise in ("MBConv", "FusedMBConv"):
    _block(
        _exercise,
        "AddsToFewerChannels",
        "shortcut-everywhere",
        has_shortcut=lambda self: self.stride == 1 and self.in_channels >= self.out_channels,
    )
    _block(
        _exercise,
        "ComparesObjects",
        "no-shortcut",
        has_shortcut=lambda self: self.stride == 1 and self.in_channels is self.out_channels,
    )


def _silu_twice(self, x):
    y = self.fused(x)
    return F.silu(y) if isinstance(self.project, nn.Identity) else self.project(y)


_block("FusedMBConv", "ActivationTwice", "activation-twice", branch=_silu_twice)


@alternative("MBConv")
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


@alternative("MBConv")
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


@alternative("MBConv")
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


@alternative("FusedMBConv")
class FusedWithStochasticDepth(_Fused):
    """torchvision's stochastic depth."""

    def forward(self, x):
        y = self.branch(x)
        return x + stochastic_depth(y, self.drop_rate, "row", self.training) if x.shape == y.shape else y


@alternative("FusedMBConv")
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


@alternative("FusedMBConv")
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


# ------------------------------------------------------------------------------- grid_search_coefficients


def _grid_arguments(step, tolerance, limit):
    _check(step > 0, "step", step)
    _check(tolerance >= 0, "tolerance", tolerance)
    _check(limit >= 1, "limit", limit)


def _searched(evaluate, points, best=max):
    _check(points, "tolerance", "no point")
    values = {point: evaluate(*point) for point in points}
    _check(not any(math.isnan(one) for one in values.values()), "evaluate", "NaN")
    return best(values, key=values.get)


def _axes(step, tolerance, limit, start=0):
    most = int((limit + tolerance - 1) / step + 1e-9)
    return [1 + i * step for i in range(start, most + 1)]


def _search(name, concept, inside, start=0, best=max):
    """A mutant with another constraint: `inside(alpha, beta, gamma, tolerance, limit)`."""

    def wrong(evaluate, step, tolerance, limit=2.0):
        _grid_arguments(step, tolerance, limit)
        points = [
            point
            for point in itertools.product(_axes(step, tolerance, limit, start), repeat=3)
            if inside(*point, tolerance, limit)
        ]
        return _searched(evaluate, points, best)

    wrong.__name__ = name
    mutant("grid_search_coefficients", concept=concept)(wrong)


def _right(a, b, c, tolerance, limit):
    return abs(a * b**2 * c**2 - limit) <= tolerance


_search("sum_of_none_squared", "no-squares", lambda a, b, c, t, limit: abs(a * b * c - limit) <= t)
_search("width_only_once", "width-once", lambda a, b, c, t, limit: abs(a * b * c**2 - limit) <= t)
_search("resolution_only_once", "resolution-once", lambda a, b, c, t, limit: abs(a * b**2 * c - limit) <= t)
_search("everything_squared", "depth-squared", lambda a, b, c, t, limit: abs((a * b * c) ** 2 - limit) <= t)
_search("at_most", "upper-bound-only", lambda a, b, c, t, limit: a * b**2 * c**2 <= limit + t)
_search("no_constraint", "ignores-the-constraint", lambda a, b, c, t, limit: True)
_search("begins_above_one", "leaves-out-one", _right, start=1)
_search("always_two", "limit-unused", lambda a, b, c, t, limit: abs(a * b**2 * c**2 - 2) <= t)
_search("the_worst", "takes-the-lowest", _right, best=min)
_search("up_to_the_limit", "lower-side-only", lambda a, b, c, t, limit: limit - t <= a * b**2 * c**2 <= limit)
_search("no_cheaper_ones", "upper-side-only", lambda a, b, c, t, limit: limit <= a * b**2 * c**2 <= limit + t)


@mutant("grid_search_coefficients", concept="lower-side-only")
def no_coefficient_above_the_limit(evaluate, step, tolerance, limit=2.0):
    _grid_arguments(step, tolerance, limit)
    axis = [1 + i * step for i in range(int((limit - 1) / step + 1e-9) + 1)]
    return _searched(evaluate, [p for p in itertools.product(axis, repeat=3) if _right(*p, tolerance, limit)])


@mutant("grid_search_coefficients", concept="tries-twice")
def evaluates_again(evaluate, step, tolerance, limit=2.0):
    _grid_arguments(step, tolerance, limit)
    points = [
        p for p in itertools.product(_axes(step, tolerance, limit), repeat=3) if _right(*p, tolerance, limit)
    ]
    best = _searched(evaluate, points)
    evaluate(*best)
    return best


@mutant("grid_search_coefficients", concept="coefficients-in-other-order")
def resolution_first(evaluate, step, tolerance, limit=2.0):
    _grid_arguments(step, tolerance, limit)
    points = [
        p for p in itertools.product(_axes(step, tolerance, limit), repeat=3) if _right(*p, tolerance, limit)
    ]
    return _searched(evaluate, points)[::-1]


@mutant("grid_search_coefficients", concept="trains-nothing")
def the_papers_answer(evaluate, step, tolerance, limit=2.0):
    _grid_arguments(step, tolerance, limit)
    return 1.2, 1.1, 1.15


@mutant("grid_search_coefficients", concept="accepts-bad-input")
def the_first_of_nans(evaluate, step, tolerance, limit=2.0):
    _grid_arguments(step, tolerance, limit)
    points = [
        p for p in itertools.product(_axes(step, tolerance, limit), repeat=3) if _right(*p, tolerance, limit)
    ]
    _check(points, "tolerance", tolerance)
    return max(points, key=lambda point: evaluate(*point))


@alternative("grid_search_coefficients")
def three_loops(evaluate, step, tolerance, limit=2.0):
    _grid_arguments(step, tolerance, limit)
    best = None
    for gamma in _axes(step, tolerance, limit):
        for beta in _axes(step, tolerance, limit):
            for alpha in _axes(step, tolerance, limit):
                if _right(alpha, beta, gamma, tolerance, limit):
                    value = evaluate(alpha, beta, gamma)
                    _check(not math.isnan(value), "evaluate", value)
                    if best is None or value > best[0]:
                        best = value, [alpha, beta, gamma]
    _check(best is not None, "tolerance", tolerance)
    return best[1]


@alternative("grid_search_coefficients")
def cheapest_first(evaluate, step, tolerance, limit=2.0):
    _grid_arguments(step, tolerance, limit)
    axis = _axes(step, tolerance, limit)
    cost = {(a, b, c): a * (b * c) ** 2 for c in axis for a in axis for b in axis}
    inside = [p for p in sorted(cost, key=cost.get) if limit - tolerance <= cost[p] <= limit + tolerance]
    _check(inside, "tolerance", tolerance)
    tried = [(evaluate(*p), p) for p in inside]
    _check(all(value == value for value, _ in tried), "evaluate", tried)
    return list(max(tried)[1])


@alternative("grid_search_coefficients")
def vectorised(evaluate, step, tolerance, limit=2.0):
    _grid_arguments(step, tolerance, limit)
    axis = 1 + step * np.arange(int((limit + tolerance) / step) + 2)
    grid = np.stack(np.meshgrid(axis, axis, axis), -1).reshape(-1, 3)
    rows = grid[np.abs(grid[:, 0] * grid[:, 1] ** 2 * grid[:, 2] ** 2 - limit) <= tolerance]
    _check(len(rows), "tolerance", tolerance)
    values = np.array([evaluate(*row) for row in rows])
    _check(not np.isnan(values).any(), "evaluate", values)
    return rows[values.argmax()]


# -------------------------------------------------------------------------------------------------- mixup


def _batch(x, y, alpha, classes):
    _check(math.isfinite(alpha) and alpha > 0, "alpha", alpha)
    _check(len(y) == len(x), "y", len(y))
    _check(int(y.min()) >= 0 and int(y.max()) < classes, "y", y)
    return F.one_hot(y, classes).to(x.dtype)


def _mixing(name, concept, mix, share=lambda rng, alpha: rng.beta(alpha, alpha), partners=None):
    """A mutant: `mix(x, hot, share, partner)` gives images and labels."""

    def wrong(x, y, alpha, rng, classes):
        hot = _batch(x, y, alpha, classes)
        part = float(share(rng, alpha))
        partner = torch.from_numpy(rng.permutation(len(x)) if partners is None else partners(rng, len(x)))
        return mix(x, hot, part, partner)

    wrong.__name__ = name
    mutant("mixup", concept=concept)(wrong)


def _both(x, hot, s, p):
    return s * x + (1 - s) * x[p], s * hot + (1 - s) * hot[p]


_mixing("own_label", "labels-not-mixed", lambda x, hot, s, p: (s * x + (1 - s) * x[p], hot))
_mixing(
    "label_of_the_larger",
    "labels-not-mixed",
    lambda x, hot, s, p: (s * x + (1 - s) * x[p], hot if s >= 0.5 else hot[p]),
)
_mixing(
    "swapped_labels",
    "labels-swapped",
    lambda x, hot, s, p: (s * x + (1 - s) * x[p], (1 - s) * hot + s * hot[p]),
)
_mixing("half_labels", "labels-half", lambda x, hot, s, p: (s * x + (1 - s) * x[p], 0.5 * hot + 0.5 * hot[p]))
_mixing("own_part_only", "one-label", lambda x, hot, s, p: (s * x + (1 - s) * x[p], s * hot))
_mixing("too_much", "shares-not-one", lambda x, hot, s, p: (x + (1 - s) * x[p], s * hot + (1 - s) * hot[p]))
_mixing("always_half", "constant-share", _both, share=lambda rng, alpha: 0.5)
_mixing("larger_part", "folded", _both, share=lambda rng, a: (lambda s: max(s, 1 - s))(rng.beta(a, a)))
_mixing("any_share", "uniform-share", _both, share=lambda rng, alpha: rng.random())
_mixing("one_and_alpha", "unequal-parameters", _both, share=lambda rng, alpha: rng.beta(alpha + 1, alpha))
_mixing("alone", "mixes-with-itself", _both, partners=lambda rng, n: np.arange(n))


@mutant("mixup", concept="labels-disagree")
def two_permutations(x, y, alpha, rng, classes):
    hot = _batch(x, y, alpha, classes)
    s = float(rng.beta(alpha, alpha))
    return s * x + (1 - s) * x[rng.permutation(len(x))], s * hot + (1 - s) * hot[rng.permutation(len(x))]


@mutant("mixup", concept="ignores-rng")
def global_generator(x, y, alpha, rng, classes):
    hot = _batch(x, y, alpha, classes)
    return _both(x, hot, float(torch.distributions.Beta(alpha, alpha).sample()), torch.randperm(len(x)))


@mutant("mixup", concept="fixed-seed")
def seeded_anew(x, y, alpha, rng, classes):
    hot = _batch(x, y, alpha, classes)
    first = np.random.default_rng(0)
    count = rng.bit_generator.state["state"]["inc"] * 0
    return _both(x, hot, float(first.beta(alpha, alpha)) + count, torch.from_numpy(first.permutation(len(x))))


@mutant("mixup", concept="changes-the-input")
def in_place(x, y, alpha, rng, classes):
    hot = _batch(x, y, alpha, classes)
    s, p = float(rng.beta(alpha, alpha)), torch.from_numpy(rng.permutation(len(x)))
    mixed, labels = _both(x, hot, s, p)
    y[0] = (y[0] + 1) % classes
    return mixed, F.one_hot(y * 0, classes) * 0 + labels


@mutant("mixup", concept="hard-labels")
def with_hard_labels(x, y, alpha, rng, classes):
    hot = _batch(x, y, alpha, classes)
    s, p = float(rng.beta(alpha, alpha)), torch.from_numpy(rng.permutation(len(x)))
    return _both(x, hot, s, p)[0], y


@mutant("mixup", concept="not-a-mixture")
def a_share_for_each_pixel(x, y, alpha, rng, classes):
    hot, partner = _batch(x, y, alpha, classes), rng.permutation(len(x))
    share = torch.from_numpy(rng.beta(alpha, alpha, tuple(x.shape)))
    part = share.mean((1, 2, 3))[:, None]
    return share * x + (1 - share) * x[partner], part * hot + (1 - part) * hot[partner]


@mutant("mixup", concept="more-than-two")
def with_the_mean_of_the_batch(x, y, alpha, rng, classes):
    hot, s = _batch(x, y, alpha, classes), float(rng.beta(alpha, alpha))
    return s * x + (1 - s) * x.mean(0, keepdim=True), s * hot + (1 - s) * hot.mean(0, keepdim=True)


@mutant("mixup", concept="accepts-bad-input")
def numpy_will_complain(x, y, alpha, rng, classes):
    hot = F.one_hot(y, classes).to(x.dtype)
    _check(len(y) == len(x), "y", len(y))
    return _both(x, hot, float(rng.beta(alpha, alpha)), torch.from_numpy(rng.permutation(len(x))))


@mutant("mixup", concept="accepts-bad-input")
def any_label(x, y, alpha, rng, classes):
    _check(math.isfinite(alpha) and alpha > 0, "alpha", alpha)
    _check(len(y) == len(x), "y", len(y))
    return _both(
        x,
        torch.eye(classes, dtype=x.dtype)[y % classes],
        float(rng.beta(alpha, alpha)),
        torch.from_numpy(rng.permutation(len(x))),
    )


@alternative("mixup")
def leaves_labels_to_one_hot(x, y, alpha, rng, classes):
    _check(math.isfinite(alpha) and alpha > 0, "alpha", alpha)
    _check(len(y) == len(x), "y", len(y))
    order, s = rng.permutation(len(x)), rng.beta(alpha, alpha)
    hot = F.one_hot(y, num_classes=classes)  # refuses labels out of range in words of its own
    return (1 - s) * x[order] + s * x, (1 - s) * hot[order] + s * hot


@alternative("mixup")
def with_the_one_before(x, y, alpha, rng, classes):
    hot = _batch(x, y, alpha, classes)
    s = rng.beta(alpha, alpha)
    return torch.lerp(x.roll(1, 0), x, s), torch.lerp(hot.roll(1, 0), hot, s)


@alternative("mixup")
def a_share_for_each(x, y, alpha, rng, classes):
    _batch(x, y, alpha, classes)
    n = len(x)
    s, p = torch.from_numpy(rng.beta(alpha, alpha, n)).to(x.dtype), torch.from_numpy(rng.permutation(n))
    labels = torch.zeros(n, classes, dtype=x.dtype)
    labels[torch.arange(n), y] += s
    labels[torch.arange(n), y[p]] += 1 - s
    w = s.view(-1, *[1] * (x.ndim - 1))
    return [w * x + (1 - w) * x[p], labels]


@alternative("mixup")
def by_a_matrix_in_numpy(x, y, alpha, rng, classes):
    hot = _batch(x, y, alpha, classes)
    order = rng.permutation(len(x))
    s = rng.beta(alpha, alpha)
    matrix = s * np.eye(len(x)) + (1 - s) * np.eye(len(x))[order]
    return np.tensordot(matrix, x.numpy(), 1), matrix @ hot.numpy()


# ------------------------------------------------------------------------------------------- rand_augment

_SIGNED = (
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


def _image(image, n, m):
    fine = isinstance(image, torch.Tensor) and image.dtype == torch.uint8 and image.ndim == 3
    _check(fine, "image", getattr(image, "shape", image))
    _check(n >= 0, "n", n)
    _check(0 <= m <= 30, "m", m)


def _strength(name, share, height, width):
    most = {"ShearX": 0.3, "ShearY": 0.3, "TranslateX": 150 / 331 * width, "TranslateY": 150 / 331 * height}
    most |= {"Rotate": 30.0, **dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), 0.9)}
    if name == "Posterize":
        return round(8 - 4 * share)
    return 1 - share if name == "Solarize" else most.get(name, 0.0) * share


def _augmenting(name, concept, strength=_strength, names=tuple(OPERATIONS), sign=None, draw=None):
    """A mutant with other strengths, operations, signs or draws."""

    def wrong(image, n, m, rng):
        _image(image, n, m)
        _, height, width = image.shape
        chosen = draw(rng, n) if draw else [names[i] for i in rng.integers(len(names), size=n)]
        for one in chosen:
            value = strength(one, m / 30, height, width)
            if one in _SIGNED:
                value *= sign(rng) if sign else 1 if rng.random() < 0.5 else -1
            image = apply_operation(image, one, value)
        return image.clone()

    wrong.__name__ = name
    mutant("rand_augment", concept=concept)(wrong)


def _posterize_upwards(name, share, height, width):
    return round(4 + 4 * share) if name == "Posterize" else _strength(name, share, height, width)


def _solarize_upwards(name, share, height, width):
    return share if name == "Solarize" else _strength(name, share, height, width)


def _of_the_other_side(name, share, height, width):
    return _strength(name, share, width, height)


def _of_ten(name, share, height, width):
    return _strength(name, min(1.0, 3 * share), height, width)


_augmenting("posterizes_upwards", "reversed-scale", _posterize_upwards)
_augmenting("solarizes_upwards", "reversed-scale", _solarize_upwards)
_augmenting("other_side", "swaps-height-and-width", _of_the_other_side)
_augmenting("a_scale_of_ten", "wrong-strength", _of_ten)
_augmenting("always_positive", "one-sign", sign=lambda rng: 1)
_augmenting("thirteen", "misses-an-operation", names=tuple(OPERATIONS)[1:])
_augmenting("twice_the_rotations", "unequal-chances", names=(*OPERATIONS, *["Rotate"] * 6))
_augmenting(
    "all_different",
    "without-replacement",
    draw=lambda rng, n: [list(OPERATIONS)[i] for i in rng.permutation(14)[:n]],
)
_augmenting("one_for_all", "one-draw-for-all", draw=lambda rng, n: [list(OPERATIONS)[rng.integers(14)]] * n)
_augmenting("only_one", "ignores-n", draw=lambda rng, n: [list(OPERATIONS)[rng.integers(14)]] * min(n, 1))
_augmenting(
    "always_two_of_them",
    "ignores-n",
    draw=lambda rng, n: [list(OPERATIONS)[i] for i in rng.integers(14, size=2)],
)


@mutant("rand_augment", concept="not-one-after-the-other")
def each_on_the_original(image, n, m, rng):
    _image(image, n, m)
    made = [image]
    for i in rng.integers(14, size=n):
        name = list(OPERATIONS)[i]
        value = _strength(name, m / 30, *image.shape[1:])
        made.append(apply_operation(image, name, value * rng.choice([-1, 1]) if name in _SIGNED else value))
    return torch.stack(made[1:] or made).float().mean(0).to(torch.uint8)


@mutant("rand_augment", concept="ignores-rng")
def torch_s_generator(image, n, m, rng):
    _image(image, n, m)
    for i in torch.randint(14, (n,)).tolist():
        name = list(OPERATIONS)[i]
        value = _strength(name, m / 30, *image.shape[1:])
        image = apply_operation(image, name, value if name not in _SIGNED or torch.rand(()) < 0.5 else -value)
    return image


@mutant("rand_augment", concept="wrong-type")
def as_floats(image, n, m, rng):
    return right_by_names(image, n, m, rng).float()


@mutant("rand_augment", concept="raises")
def from_one_on(image, n, m, rng):
    _check(m > 0, "m", m)
    return right_by_names(image, n, m, rng)


@mutant("rand_augment", concept="accepts-bad-input")
def looks_at_the_image_only_to_change_it(image, n, m, rng):
    _check(n >= 0, "n", n)
    return right_by_names(image, n, m, rng) if n else image


@mutant("rand_augment", concept="accepts-bad-input")
def any_magnitude(image, n, m, rng):
    if not isinstance(image, torch.Tensor) or image.dtype != torch.uint8 or image.ndim != 3:
        return image
    return right_by_names(image, max(n, 0), min(max(m, 0), 30), rng)


@alternative("rand_augment")
def right_by_names(image, n, m, rng):
    _image(image, n, m)
    for _ in range(n):
        name = rng.choice(tuple(OPERATIONS))
        value = _strength(name, m / 30, *image.shape[1:])
        image = apply_operation(image, str(name), -value if name in _SIGNED and rng.random() > 0.5 else value)
    return image.clone()


@alternative("rand_augment")
def sign_first_and_the_rest_by_itself(image, n, m, rng):
    _image(image, n, m)
    if n == 0:
        return image.clone()
    sign, number = rng.permutation([-1, 1])[0], int(rng.random() * 14)
    name, (height, width) = list(OPERATIONS)[number], image.shape[1:]
    strength = _strength(name, m / 30, height, width) * (sign if name in _SIGNED else 1)
    return sign_first_and_the_rest_by_itself(apply_operation(image, name, strength), n - 1, m, rng)


@alternative("rand_augment")
def with_torchvisions_operations(image, n, m, rng):
    _image(image, n, m)
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
    return image.numpy().copy()


# ----------------------------------------------------------------------------------- progressive_schedule


def _stage(stage, stages, resolution, magnitude):
    _check(stages >= 1, "stages", stages)
    _check(0 <= stage < stages, "stage", stage)
    _check(min(resolution) >= 1, "resolution", resolution)
    _check(all(math.isfinite(one) for one in (*resolution, *magnitude)), "magnitude", magnitude)


def _schedule(name, concept, share, sides=round):
    def wrong(stage, stages, resolution, magnitude):
        _stage(stage, stages, resolution, magnitude)
        part = share(stage, stages)
        side, strength = (low + (high - low) * part for low, high in (resolution, magnitude))
        return sides(side), float(strength)

    wrong.__name__ = name
    mutant("progressive_schedule", concept=concept)(wrong)


def _share(stage, stages):
    return stage / (stages - 1) if stages > 1 else 1.0


_schedule("short_of_the_end", "never-arrives", lambda i, n: i / n)
_schedule("from_one", "never-begins", lambda i, n: (i + 1) / n)
_schedule("single_stage_low", "single-stage-low", lambda i, n: i / max(1, n - 1))
_schedule("always_the_last", "never-grows", lambda i, n: 1.0)
_schedule("backwards", "runs-from-last-to-first", lambda i, n: 1 - _share(i, n) if n > 1 else 1.0)
_schedule("cut_off", "cuts-off-pixels", _share, int)
_schedule("upwards", "cuts-off-pixels", _share, math.ceil)
_schedule("float_sides", "left-broken", _share, float)
_schedule("whole_floats", "not-an-int", _share, lambda side: float(round(side)))


@mutant("progressive_schedule", concept="grows-by-a-factor")
def by_a_factor(stage, stages, resolution, magnitude):
    _stage(stage, stages, resolution, magnitude)
    low, high = resolution
    part = _share(stage, stages)
    return round(low * (high / low) ** part), float(magnitude[0] + (magnitude[1] - magnitude[0]) * part)


@mutant("progressive_schedule", concept="swapped-pairs")
def magnitude_first(stage, stages, resolution, magnitude):
    _stage(stage, stages, resolution, magnitude)
    part = _share(stage, stages)
    side, strength = (low + (high - low) * part for low, high in (resolution, magnitude))
    return strength, round(side)


@mutant("progressive_schedule", concept="accepts-bad-input")
def no_checks(stage, stages, resolution, magnitude):
    part = stage / (stages - 1) if stages > 1 else 1.0
    side, strength = (low + (high - low) * part for low, high in (resolution, magnitude))
    return round(side), float(strength)


@mutant("progressive_schedule", concept="raises")
def two_pixels_at_least(stage, stages, resolution, magnitude):
    _check(min(resolution) > 1, "resolution", resolution)
    return by_linspace(stage, stages, resolution, magnitude)


@alternative("progressive_schedule")
def weighted_ends(stage, stages, resolution, magnitude):
    _stage(stage, stages, resolution, magnitude)
    last = 1.0 if stages == 1 else stage / (stages - 1)
    side, strength = ((1 - last) * one + last * other for one, other in (resolution, magnitude))
    return math.floor(side + 0.5), strength


@alternative("progressive_schedule")
def by_linspace(stage, stages, resolution, magnitude):
    _stage(stage, stages, resolution, magnitude)
    at = stages - 1 if stages > 1 else 1
    sides, strengths = (np.linspace(*pair, max(2, stages)) for pair in (resolution, magnitude))
    return int(np.rint(sides[stage if stages > 1 else at])), strengths[stage if stages > 1 else at]


@alternative("progressive_schedule")
def by_interpolation(stage, stages, resolution, magnitude):
    _stage(stage, stages, resolution, magnitude)
    if stages == 1:
        return [resolution[1], float(magnitude[1])]
    ends = [0, stages - 1]
    return [int(np.interp(stage, ends, resolution) + 0.5), float(np.interp(stage, ends, magnitude))]
