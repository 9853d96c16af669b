"""The judge of lesson 04's samples: identities that hold for every draw, and counts over many rows.

A sample's gradient follows from the sample itself, the hard sample from the soft one. Whether the noise is Gumbel's is
counted: how often each option wins, how often two noises lie further apart than each of seventeen levels, and how often
two rows agree. 56 counts in each of two instances, each left by bad luck with probability at most `ALPHA`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_lib.checks.codec import describe
from nas_lib.checks.darts.gumbel import PAIRS, ROWS, STEPS
from nas_lib.checks.exercise import RIGHT, Answer, Instance, Unacceptable, Verdict, fail, show
from nas_lib.judges import Judge
from nas_lib.judges.statistics import count_range

ALPHA = 2e-9
COUNTS = 3 + len(PAIRS) * len(STEPS) + 2
NEAR = {"float32": 1e-4}
"""How near numbers are that are equal; 1e-7 in float64."""
COARSE = 1e-5
"""How near numbers are that differ by the accuracy of float32."""
NAMES = ("soft", "hard", "again", "next", "other")

Array = NDArray[np.float64]


class GumbelSoftmaxSampleJudge(Judge):
    """Form, the soft sample's gradient, the hard sample, the generator, and the distribution."""

    exercise, lesson = "gumbel_softmax_sample", "04_darts"
    false_fail = 2 * COUNTS * ALPHA

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """The counts of a large sample, or all that a small one has to satisfy."""
        logits, tau = np.array(instance["logits"], dtype=float), float(instance["tau"])
        about = f" (on {instance['about']})"
        if "rows" in instance:
            return _wrong_counts(answer.value, logits, tau, instance, about) or RIGHT
        value, near = answer.value, NEAR.get(instance.get("dtype", ""), 1e-7)
        found = {name: _array(value[name], logits.shape, f"the {name} sample") for name in NAMES}
        upstream = np.array(instance["upstream"], dtype=float)
        right = _slope(found["soft"], upstream) / tau
        return (
            _wrong_simplex(found["soft"], about, near)
            or _ruled_out(found["soft"], logits, about)
            or _always_hard(found["soft"], about)
            or _wrong_source(found, logits, tau, near)
            or _repeated([_array(one, logits.shape, "a later sample") for one in value["others"]])
            or _wrong_slope(value["slope"], right, tau, about, near)
            or _wrong_hard(found["hard"], found["soft"], about, near)
            or _wrong_hard_slope(value["hard_slope"], right, tau, about, near)
            or RIGHT
        )


def _array(value: Any, shape: Sequence[int], what: str) -> Array:
    """A finite array of that shape; raises `Unacceptable` for anything else."""
    if value is None:
        raise Unacceptable("returns-nothing", f"{what} is None: is there a return statement?")
    if not isinstance(value, np.ndarray):
        raise Unacceptable("wrong-type", f"{what} should be a tensor, not {describe(value)}")
    if value.shape != tuple(shape):
        raise Unacceptable("wrong-shape", f"{what} should have the shape {tuple(shape)}, not {value.shape}")
    array = np.asarray(value, dtype=float)
    if not np.isfinite(array).all():
        raise Unacceptable("not-finite", f"{what} holds {show(float(array[~np.isfinite(array)][0]))}")
    return array


def _close(one: Any, other: Any, near: float) -> bool:
    one, other = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    return one.shape == other.shape and bool(np.abs(one - other).max() <= near * (1 + np.abs(other).max()))


def _softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _wrong_simplex(sample: Array, about: str, near: float) -> Verdict | None:
    """Are the rows distributions over the last axis?"""

    def sums_to_one(axis: int | None) -> bool:
        total = sample.sum(axis=axis)
        return _close(total, np.ones_like(total), near)

    if (sample >= -near).all() and sums_to_one(-1):
        return None
    if any(sums_to_one(axis) for axis in range(sample.ndim - 1)):
        return fail(
            "wrong-axis",
            f"the entries add up to 1 along another axis: the softmax is over the *last* one{about}",
        )
    if sums_to_one(None):
        return fail(
            "wrong-axis", f"all entries together add up to 1: the softmax is over the last axis alone{about}"
        )
    return _no_distribution(float(sample.sum(axis=-1).flat[0]), about)


def _no_distribution(total: float, about: str) -> Verdict:
    if abs(total - 1) < COARSE:
        return _coarse(f"the entries of a row add up to 1{about}")
    return fail(
        "no-distribution",
        f"the entries of a row add up to {show(total)}, not to 1: end with a softmax{about}",
    )


def _coarse(what: str) -> Verdict:
    return fail("coarse-dtype", f"{what} no better than float32 has it: compute in the dtype of the logits")


def _wrong_source(found: dict[str, Array], logits: Array, tau: float, near: float) -> Verdict | None:
    """Is there noise, and does it come from the generator that was passed in?"""
    if logits.shape[-1] == 1:
        return None  # a single option is always drawn
    soft = found["soft"]
    if any(_close(soft, _softmax(one), near) for one in (logits / tau, logits, logits * tau)):
        return fail(
            "no-noise",
            "the sample is the softmax of the logits: the Gumbel noise is missing, or the same for all options of a "
            "row, where it cancels",
        )
    if not _close(found["again"], soft, near):
        return fail(
            "ignores-generator",
            "two generators with the same seed give different samples: all noise comes from `generator` "
            "(torch.nn.functional.gumbel_softmax has no such argument)",
        )
    if _close(found["other"], soft, near) or _close(found["next"], soft, near):
        return fail(
            "fixed-seed", "another generator gives the same sample: use the one passed in, and do not seed it"
        )
    return None


def _ruled_out(sample: Array, logits: Array, about: str) -> Verdict | None:
    """Is an option of minus infinity never drawn?"""
    drawn = sample[logits == -np.inf]
    if not drawn.any():
        return None
    return fail(
        "draws-the-impossible",
        f"an option with a logit of minus infinity gets {show(float(drawn.max()))}, not 0: no number stands for minus "
        f"infinity, as the other logits may be lower{about}",
    )


def _repeated(samples: Sequence[Array]) -> Verdict | None:
    """Does each call draw anew?"""
    if len({one.tobytes() for one in samples}) == len(samples):
        return None
    return fail(
        "fixed-seed",
        f"of {len(samples)} samples drawn one after the other from the same generator some are the same: draw from "
        "`generator` itself, and make no other one of a few seeds",
    )


def _always_hard(soft: Array, about: str) -> Verdict | None:
    """Is a sample soft where nothing else is asked for?"""
    if soft.shape[-1] == 1 or not np.isin(soft, (0.0, 1.0)).all():
        return None
    return fail(
        "always-hard", f"without hard=True the sample is one-hot: it is the softmax itself then{about}"
    )


def _slope(soft: Array, upstream: Array) -> Array:
    """The gradient through a softmax at its result."""
    return soft * (upstream - (soft * upstream).sum(axis=-1, keepdims=True))


def _wrong_slope(slope: Any, right: Array, tau: float, about: str, near: float) -> Verdict | None:
    if slope is None:
        return fail(
            "cut-from-logits",
            f"the sample comes without a gradient by the logits{about}: only the noise has none, no detach() elsewhere",
        )
    if _close(slope, right, near):
        return None
    if tau != 1 and _close(slope, right * tau, near):
        return fail("ignores-tau", "the temperature is not used on the logits: (logits + noise) / tau")
    if tau != 1 and _close(slope, right * tau**2, near):
        return fail("multiplies-by-tau", "tau multiplies: a *low* temperature makes samples hard, so divide")
    if _close(slope, right, COARSE):
        return _coarse(f"the gradient by the logits is right{about}")
    factor = _factor(slope, right)
    if factor is not None:
        return fail(
            "other-gradient",
            f"the gradient by the logits is {show(factor)} times what the sample itself says{about}: in "
            "(logits + noise) / tau the logits stand once, and are divided by tau as it is given",
        )
    return fail(
        "other-gradient",
        f"the gradient by the logits {_apart(slope, right)}, as the sample itself says{about}: "
        "the noise is a constant, the logits are not",
    )


def _factor(found: Any, right: Array) -> float | None:
    """The number by which all of a gradient is too large, if there is one."""
    found = np.asarray(found, dtype=float)
    if found.shape != right.shape or not right.any():
        return None
    factor = float((found * right).sum() / (right * right).sum())
    return round(factor, 4) if factor > 0 and _close(found, factor * right, 1e-6) else None


def _apart(found: Any, right: Array) -> str:
    """Where two arrays of one shape differ most, in words."""
    found = np.asarray(found, dtype=float)
    at = int(np.abs(found - right).argmax())
    place = ", ".join(str(int(one)) for one in np.unravel_index(at, right.shape))
    return f"has {show(float(found.flat[at]))} at [{place}], should have {show(float(right.flat[at]))}"


def _wrong_hard(hard: Array, soft: Array, about: str, near: float) -> Verdict | None:
    """Is it the one-hot of the soft sample?"""
    top = (soft == soft.max(axis=-1, keepdims=True)).astype(float)
    if _close(hard, top, 10 * near):
        return None
    if _close(hard, soft, near):
        return fail(
            "soft-forwarded",
            f"hard=True returns the soft sample{about}: its *value* is one-hot, only its gradient is soft",
        )
    if _close(np.sort(hard, axis=-1), np.sort(top, axis=-1), 10 * near):
        return fail(
            "other-option",
            f"hard=True picks another option than the soft sample of an equal generator{about}: it is that very "
            "sample, rounded to its largest entry",
        )
    return fail(
        "not-one-hot",
        f"with hard=True a row is {show(hard.reshape(-1, hard.shape[-1])[0])}, not one-hot{about}",
    )


def _wrong_hard_slope(slope: Any, right: Array, tau: float, about: str, near: float) -> Verdict | None:
    """Is it the soft sample's gradient?"""
    if slope is not None and _close(slope, right, 10 * near):
        return None
    if slope is None or not np.asarray(slope, dtype=float).any():
        return fail(
            "no-straight-through",
            f"with hard=True no gradient comes back{about}: one-hot − soft.detach() + soft has the value of the "
            "first and the gradient of the last; without detach() the soft ones cancel",
        )
    return fail(
        "hard-gradient",
        f"with hard=True the gradient is not that of the soft sample{about}: it {_apart(slope, right)}",
    )


def _wrong_counts(value: Any, logits: Array, tau: float, instance: Instance, about: str) -> Verdict | None:
    """Is (log of the sample)·tau the logits plus Gumbel noise, row by row?"""
    if type(value) is not dict or "top" not in value:
        found = f"have the shape {show(value['shape'])}" if type(value) is dict else f"be {describe(value)}"
        wanted = [*instance["rows"], len(logits)]
        raise Unacceptable("wrong-shape", f"the sample should be a tensor of the shape {wanted}, not {found}")
    if not (value["off"] <= 1e-7 and value["least"] >= 0):
        return _no_distribution(1 + value["off"], about)
    if value["spread"] <= 1e-7:
        return fail("same-noise", "all rows are the same sample: each row has noise of its own")
    chances = _softmax(logits)
    for option, (count, chance) in enumerate(zip(value["top"], chances.tolist())):
        if not _plausible(count, chance):
            return _biased(value, instance, logits, f"option {option} is the largest", count, chance)
    for pair, counts in zip(PAIRS, value["beyond"]):
        for step, count in zip(STEPS, counts):
            chance = float(1 / (1 + np.exp(step)))  # the difference of two Gumbel variables is logistic
            if not _plausible(count, chance):
                what = f"the noises of options {pair[0]} and {pair[1]} differ by more than {step}"
                return _biased(value, instance, logits, what, count, chance)
    low, high = count_range(ROWS // 2, float((chances**2).sum()), ALPHA)
    for same in value["agree"]:
        if not low <= same <= high:
            return fail(
                "dependent-rows",
                f"{same:,} of {ROWS // 2:,} pairs of rows pick the same option, {low:,} to {high:,} would be chance: "
                "each row has noise of its own",
            )
    return None


def _plausible(count: Any, chance: float) -> bool:
    low, high = count_range(ROWS, chance, ALPHA)
    return low <= count <= high


def _biased(value: Any, instance: Instance, logits: Array, what: str, count: int, chance: float) -> Verdict:
    """The first count that is off; shared noise, and noise not divided by tau, are recognised by their own counts."""
    shares = np.array(value["top"]) / ROWS
    if max(value["agree"]) > ROWS // 2 * (1 + float((shares**2).sum())) / 2:
        return fail(
            "dependent-rows", "rows share their noise: each row has noise of its own, whatever the axes"
        )

    def unscaled(pair: tuple[int, int], level: float) -> float:
        gap = (logits[pair[0]] - logits[pair[1]]) / instance["tau"]
        return float(1 / (1 + np.exp(level - gap)))

    if all(
        _plausible(found, unscaled(pair, level))
        for pair, levels, counts in zip(PAIRS, instance["levels"], value["beyond"])
        for level, found in zip(levels, counts)
    ):
        return fail(
            "noise-not-scaled",
            "the noise is added after the division: (logits + noise) / tau, or the temperature would change *which* "
            "option wins, not only how clearly",
        )
    other = _other_tau(value, instance, logits)
    if other is not None:
        return fail(
            "other-temperature",
            f"with tau = {show(instance['tau'])} the entries lie as far apart as with a tau of about {show(other)}: "
            "divide by tau as it is given",
        )
    return fail(
        "wrong-noise",
        f"{what} in {count:,} of {ROWS:,} rows, about {ROWS * chance:,.0f} are expected: Gumbel noise is "
        "−log(−log u) with u uniform on (0, 1), one for each entry",
    )


def _other_tau(value: Any, instance: Instance, logits: Array) -> float | None:
    """The temperature that all counts of distances fit, if there is one: read off one count, held against all."""
    tau, shares = instance["tau"], np.array(value["beyond"]) / ROWS
    gaps = np.array([[logits[one] - logits[other] + step for step in STEPS] for one, other in PAIRS])
    readable = np.where((shares > 0.03) & (shares < 0.97), np.abs(gaps), 0.0)
    at = np.unravel_index(int(readable.argmax()), readable.shape)
    if readable[at] < 0.2:
        return None
    bare = gaps - np.array(STEPS)  # the distance of the logits; the noise adds the rest
    other = tau * float((np.log(1 / shares[at] - 1) + bare[at]) / gaps[at])
    expected = 1 / (1 + np.exp(gaps * other / tau - bare))
    if other <= 0 or abs(np.log(other / tau)) < 0.1 or np.abs(shares - expected).max() > 0.01:
        return None
    return round(other, 3)
