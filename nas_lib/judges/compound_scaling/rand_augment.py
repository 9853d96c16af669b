"""The judge of `rand_augment`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_lib.checks.compound_scaling.rand_augment import picture
from nas_lib.checks.compound_scaling.shared import LESSON
from nas_lib.checks.exercise import RIGHT, Answer, Instance, Verdict, fail, show
from nas_lib.judges import Judge
from nas_lib.judges.statistics import count_range

ALPHA = 1e-8  # how likely one count of right code leaves its range


class RandAugment(Judge):
    """`rand_augment`: every result has to be one that the operations can give, as often as it should."""

    exercise, lesson = "rand_augment", LESSON
    # in each of two instances 14 counts of operations, 9 of signs and one of all signs; in another, five of pairs; one
    # of what is changed at m = 0
    false_fail = (2 * (14 + 9 + 1) + 5 + 1) * ALPHA

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Form, then what each result is, then how often."""
        found, image = answer.value, picture(instance)
        if "shape" in found or np.asarray(found["unique"]).shape[1:] != image.shape:
            shape = found.get("shape") or list(np.asarray(found["unique"]).shape[1:])
            return fail("wrong-shape", f"the image should have the shape {image.shape}, not {tuple(shape)}")
        unique, counts = np.asarray(found["unique"]), np.asarray(found["counts"])
        if unique.dtype != np.uint8:
            return fail("wrong-type", f"rand_augment should return an image of uint8, not of {unique.dtype}")
        if instance["n"] == 0:
            if len(unique) == 1 and np.array_equal(unique[0], image):
                return RIGHT
            return fail("ignores-n", "with n = 0 the image should come back as it is")
        if found["repeats"] is not True:
            return fail(
                "ignores-rng", "generators with the same seed give different images: draw from `rng` alone"
            )
        if found["fixed"] is True and not _at_an_end(instance):
            return fail("fixed-seed", "generators with different seeds give the same image: draw from `rng`")
        if instance["n"] == 1:
            return _of_one(instance, image, unique, counts)
        if instance["n"] > 2:
            return _of_more(instance, image, unique, counts)
        return _of_two(instance, image, unique, counts)


def _at_an_end(instance: Instance) -> bool:
    """At the ends of the scale several operations give one image, so how often each comes is asked elsewhere."""
    return instance["m"] in (0, 30)


OPERATION_SIGNS = range(23)  # nine of the fourteen operations have two directions

Result = tuple[str, int, NDArray[np.uint8]]
"""An operation, its sign and the image that it gives."""


def _results(image: NDArray[np.uint8], level: float, turned: bool = False) -> list[Result]:
    """What each operation gives at a level of 31; `turned`, with height and width exchanged in its strength."""
    import torch

    from nas_lib.augmentation import LEVELS, OPERATIONS, apply_operation

    given = torch.from_numpy(np.ascontiguousarray(image))
    _, height, width = image.shape
    found = []
    for name, operation in OPERATIONS.items():
        strength = operation.strength(level / (LEVELS - 1), *((width, height) if turned else (height, width)))
        for sign in (1, -1) if operation.signed else (1,):
            found.append((name, sign, apply_operation(given, name, sign * strength).numpy()))
    return found


def _matching(found: NDArray[np.uint8], results: Sequence[Result]) -> Result | None:
    """The result that an image is: equal, or apart by the rounding of a strength."""
    for result in results:
        if np.array_equal(result[2], found):
            return result
    differences = [np.abs(result[2].astype(int) - found) for result in results]
    best = int(np.argmin([one.sum() for one in differences]))
    return results[best] if differences[best].max() <= 1 and differences[best].mean() < 0.2 else None


def _of_one(
    instance: Instance, image: NDArray[np.uint8], unique: NDArray[np.uint8], counts: NDArray[Any]
) -> Verdict:
    results = _results(image, instance["m"])
    tally: dict[tuple[str, int], int] = {}
    foreign = []
    for found, count in zip(unique, counts):
        match = _matching(found, results)
        if match is None:
            foreign.append(found)
        else:
            tally[match[:2]] = tally.get(match[:2], 0) + int(count)
    if foreign:
        names = dict.fromkeys(name for name, sign, _ in results if not tally.get((name, sign)))
        return _foreign(instance, image, foreign, list(names))
    total = int(counts.sum())
    if instance["m"] == 0:
        return _at_nothing(image, unique, counts, results)
    if _at_an_end(instance):
        return RIGHT
    for name in dict.fromkeys(result[0] for result in results):
        of_name = [tally.get((name, sign), 0) for sign in (1, -1)]
        low, high = count_range(total, 1 / 14, ALPHA)
        if not low <= sum(of_name) <= high:
            if sum(of_name) == 0:
                return fail(
                    "misses-an-operation",
                    f"in {total} draws {name} never came: all 14 operations are drawn from",
                )
            return fail(
                "unequal-chances",
                f"{name} came {sum(of_name)} times in {total} draws, expected are {show(total / 14)}: all 14 "
                "operations are equally likely (does one come twice in your list, or act like another?)"
                if name != "Identity" or sum(of_name) < low
                else f"Identity, or nothing, came {sum(of_name)} times in {total} draws, expected are "
                f"{show(total / 14)}: each of the n is one of the 14 operations, all equally likely",
            )
    signed = dict.fromkeys(result[0] for result in results if result[1] == -1)
    pairs = {name: [tally.get((name, sign), 0) for sign in (1, -1)] for name in signed}
    together = [sum(of_sign) for of_sign in zip(*pairs.values())]
    for name, (plus, minus) in {**pairs, "such an operation": together}.items():
        low, high = count_range(plus + minus, 0.5, ALPHA)
        if not low <= minus <= high:
            return fail(
                "one-sign",
                f"{name} came {plus} times with a positive strength and {minus} times with a negative one: operations "
                "with two directions take each with probability one half",
            )
    return RIGHT


def _at_nothing(
    image: NDArray[np.uint8], unique: NDArray[np.uint8], counts: NDArray[Any], results: Sequence[Result]
) -> Verdict:
    """At m = 0 an operation with a strength does nothing, and one without does what it always does."""
    total = int(counts.sum())
    changed = sum(int(count) for found, count in zip(unique, counts) if not np.array_equal(found, image))
    working = [name for name, sign, made in results if sign > 0 and not np.array_equal(made, image)]
    low, high = count_range(total, len(working) / 14, ALPHA)
    if low <= changed <= high:
        return RIGHT
    return fail(
        "wrong-strength",
        f"with m = 0 {changed} of {total} images were changed, expected are {show(len(working) * total / 14)}: "
        f"{' and '.join(working)} have no strength and work at every magnitude, the others do nothing",
    )


def _foreign(
    instance: Instance, image: NDArray[np.uint8], foreign: list[NDArray[np.uint8]], missing: list[str]
) -> Verdict:
    """What images are that no operation gives at this magnitude, where some operations never gave theirs."""
    m, found = instance["m"], foreign[0]
    # one wrong strength makes an image or two, a second operation makes hundreds
    if len(foreign) > 2 * len(OPERATION_SIGNS):
        return fail(
            "ignores-n", "with n = 1 more than one operation was applied: the number of operations is n"
        )
    turned = _matching(found, _results(image, m, turned=True))
    if turned is not None:
        return fail(
            "swaps-height-and-width",
            f"{turned[0]} moves by a share of the wrong side: X goes by the width, Y by the height",
        )
    for level in [30 - m, *range(31), m * 30 / 31, m * 30 / 10]:
        if level == m or not 0 <= level <= 30:
            continue
        match = _matching(found, _results(image, level))
        if match is not None and match[0] not in ("Identity", "AutoContrast", "Equalize"):
            return _at_another_level(match[0], level, m)
    if 0 < len(missing) <= 4:
        return fail(
            "wrong-strength",
            f"with m = {m} an image comes out that no operation gives at that magnitude, and not all that "
            f"{' and '.join(missing)} should give: compare the strength there, and its sign, with the table",
        )
    return fail(
        "wrong-strength",
        f"with m = {m} an image comes out that no operation gives at that magnitude: compare your strengths with "
        "the table, one by one",
    )


def _at_another_level(name: str, level: float, m: int) -> Verdict:
    if level == 30 - m:
        return fail(
            "reversed-scale",
            f"the scale of {name} runs backwards: its magnitude {m} is what {level} should be (a higher magnitude "
            "is a stronger change)",
        )
    return fail(
        "wrong-strength",
        f"{name} has at m = {m} the strength of about {show(float(level))}: its scale is another one, from m = 0 to 30",
    )


def _of_more(
    instance: Instance, image: NDArray[np.uint8], unique: NDArray[np.uint8], counts: NDArray[Any]
) -> Verdict:
    """Most of what more than two operations make is nothing that two of them make."""
    m = instance["m"]
    two = {result[2].tobytes() for one in _results(image, m) for result in _results(one[2], m)}
    known = sum(int(count) for found, count in zip(unique, counts) if found.tobytes() in two)
    if known > 0.8 * counts.sum():
        return fail(
            "ignores-n",
            f"with n = {instance['n']} no more than two operations were applied: the number of operations is n",
        )
    return RIGHT


def _of_two(
    instance: Instance, image: NDArray[np.uint8], unique: NDArray[np.uint8], counts: NDArray[Any]
) -> Verdict:
    m, draws = instance["m"], int(counts.sum())
    first = _results(image, m)
    signed = {name for name, sign, _ in first if sign == -1}
    place = {name: i for i, name in enumerate(dict.fromkeys(name for name, _, _ in first))}
    ways: dict[
        bytes, list[tuple[set[str], float]]
    ] = {}  # what is so in each way to make an image, and how likely
    for one in first:
        for two in _results(one[2], m):
            chance = math.prod(1 / 28 if name in signed else 1 / 14 for name in (one[0], two[0]))
            so = {"twice" if one[0] == two[0] else "rising" if place[one[0]] < place[two[0]] else "falling"}
            if {one[0], two[0]} <= signed:
                so.add("same sign" if one[1] == two[1] else "other sign")
            ways.setdefault(two[2].tobytes(), []).append((so, chance))
    sure = {pixels: set.intersection(*(so for so, _ in found)) for pixels, found in ways.items()}
    images = list(ways)
    everything = np.stack([np.frombuffer(one, np.uint8) for one in images]).astype(np.int16)
    unknown, alone = 0, 0
    came: Counter[str] = Counter()
    for found, count in zip(unique, counts):
        pixels = found.tobytes()
        if pixels not in ways:
            differences = np.abs(everything - found.reshape(-1))
            best = int(np.argmin(differences.sum(1)))
            # a rounded pixel of the first may be spread by the second
            pixels = images[best] if (differences[best] > 0).mean() < 0.02 else b""
        unknown += int(count) if not pixels else 0
        came.update(dict.fromkeys(sure.get(pixels, ()), int(count)))
        alone += _matching(found, first) is not None
    if alone == len(unique):
        return fail(
            "ignores-n",
            "with n = 2 only one operation was applied: the second works on what the first has made",
        )
    chances: Counter[str] = Counter()
    for pixels, found_ways in ways.items():
        chances.update(dict.fromkeys(sure[pixels], sum(chance for _, chance in found_ways)))
    ranges = {so: count_range(draws, chance, ALPHA) for so, chance in chances.items()}
    if came["twice"] > ranges["twice"][1]:
        return fail("one-draw-for-all", "the same operation is applied n times: each of the n is drawn anew")
    if unknown > 0.02 * draws:
        return fail(
            "not-one-after-the-other",
            f"{unknown} of {draws} images are not what two operations give, the second working on what "
            "the first has made",
        )
    if came["twice"] < ranges["twice"][0]:
        return fail(
            "without-replacement",
            f"in {draws} draws no operation came twice, or hardly ever: each of the n is drawn anew, from all 14",
        )
    told = {
        ("rising", "falling"): (
            "in-order",
            "the operation that stands first in `OPERATIONS` came first {} times and second {} times: each is drawn "
            "from all 14, whatever came before",
        ),
        ("same sign", "other sign"): (
            "one-sign-for-all",
            "two operations with directions had the same sign {} times and different ones {} times: each draws its own",
        ),
    }
    for sides, (concept, message) in told.items():
        if any(not ranges[so][0] <= came[so] <= ranges[so][1] for so in sides):
            return fail(concept, message.format(*(came[so] for so in sides)))
    return RIGHT
