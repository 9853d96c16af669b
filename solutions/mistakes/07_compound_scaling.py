"""The usual mistakes of lesson 07, and right answers written another way."""

# ruff: noqa: F821  (`book` is given)
# mypy: ignore-errors

import math
from fractions import Fraction

import numpy as np

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
    ("accepts-bad-input", "", {"not (filters >= 1 and divisor >= 1)": "False"}),
    ("accepts-bad-input", "", {"math.isfinite(width) and ": ""}),
)


@book.right("round_filters")
def over_all_multiples(filters, width, divisor=8):
    if not (filters >= 1 and divisor >= 1 and math.isfinite(width) and width > 0):
        raise ValueError(f"out of range: {filters}, {width}, {divisor}")
    wanted = filters * width
    multiples = [divisor * i for i in range(1, int(wanted / divisor) + 3)]
    best = min(multiples, key=lambda one: (abs(one - wanted), -one))
    return best if best >= 0.9 * wanted else best + divisor


@book.right("round_filters")
def with_fractions(filters, width, divisor=8):
    if not (filters >= 1 and divisor >= 1 and math.isfinite(width) and width > 0):
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
    ("takes-the-nearest", f"this is the nearest whole number: {UP}", {CEIL: "round(repeats * depth)"}),
    (
        "takes-the-nearest",
        f"this is the nearest whole number: {UP}",
        {CEIL: "max(1, round(repeats * depth))"},
    ),
    ("takes-the-nearest", f"this is the nearest whole number: {UP}", {CEIL: "int(repeats * depth + 0.5)"}),
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
    ("adds-the-depth", "the depth multiplies, it is not added", {CEIL: "math.ceil(repeats + depth)"}),
    ("ignores-depth", "`depth` is not used", {CEIL: "repeats"}),
    ("not-an-int", "", {CEIL: "float(math.ceil(repeats * depth))"}),
    ("accepts-bad-input", "", {"math.isfinite(depth) and ": ""}),
    ("accepts-bad-input", "", {"not repeats >= 1": "repeats < -1"}),
)


@book.right("round_repeats")
def by_floor_division(repeats, depth):
    if not (repeats >= 1 and math.isfinite(depth) and depth > 0):
        raise ValueError(f"out of range: {repeats}, {depth}")
    return int(-(-repeats * depth // 1))


@book.right("round_repeats")
def counts_up(repeats, depth):
    if not (repeats >= 1 and math.isfinite(depth) and depth > 0):
        raise ValueError(f"out of range: {repeats}, {depth}")
    blocks = 1
    while blocks < repeats * depth:
        blocks += 1
    return blocks
