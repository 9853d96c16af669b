"""The judge of `mixup`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_lib.checks.compound_scaling.mixup import BATCHES, batch
from nas_lib.checks.compound_scaling.shared import LESSON, NAN, Array
from nas_lib.checks.exercise import RIGHT, Answer, Instance, Unacceptable, Verdict, fail, show
from nas_lib.checks.judging import CONDUCT
from nas_lib.judges import Judge
from nas_lib.judges.reading import rows
from nas_lib.judges.statistics import count_range

ALPHA = 5e-10  # how likely one count of right code leaves its range
WHOLE = 1e-6  # so near to 1 a share is 1
EDGES = (0.001, 0.02, 0.1, 0.25, 0.75, 0.9, 0.98, 0.999)  # shares of λ below them are compared


class Mixup(Judge):
    """`mixup`: who was mixed with whom, how much, and what the labels say of it."""

    exercise, lesson = "mixup", LESSON
    false_fail = (3 * len(EDGES) + 2) * ALPHA  # and how far from 1/2 λ lies, where alpha is 1 or more

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Form, then pairs, labels and shares."""
        found, x = answer.value, batch(instance)
        n, classes = len(x), instance["classes"]
        images = _stacked(found["images"], (n, *x.shape[1:]), "the mixed images")
        labels = _stacked(found["labels"], (n, classes), "the soft labels")
        if n == 1:
            return _of_one_image(images[0], labels[0], x, instance)
        share, partner = _unmixed(images, x)
        if np.isnan(share).any():
            return _not_a_pair(images, x)
        itself = partner == np.arange(n)
        if itself.mean() > 0.9:
            return fail("mixes-with-itself", "every image comes back unchanged: its partner is itself")
        if any(_repeats(row[~own]) for row, own in zip(partner, itself)):
            return fail(
                "partners-with-replacement",
                "two images of a batch have the same partner: the partners are a permutation of the batch",
            )
        verdict = _wrong_labels(instance, labels, share, partner)
        if verdict:
            return verdict
        if not np.allclose(np.asarray(found["again"], dtype=float), images[0]):
            return fail(
                "ignores-rng",
                "two generators with the same seed give different batches: draw from `rng` alone",
            )
        if all(np.allclose(np.asarray(one, dtype=float), images[0]) for one in found["other"]):
            return fail("fixed-seed", "generators with different seeds give the same batch: draw from `rng`")
        verdict = _wrong_shares(instance, share, itself)
        if verdict is None and found["dtype"] != str(x.dtype):
            return fail(
                "other-dtype",
                f"the mixed images are {show(found['dtype'], quote=False)}, and x is {x.dtype}: they are like x",
                CONDUCT,
            )
        if verdict is None and found["kinds"]:
            said = show(found["kinds"][0], quote=False)
            return fail("wrong-type", f"images and labels should be tensors, not {said}", CONDUCT)
        return verdict or RIGHT


def _of_one_image(images: Array, labels: Array, x: Array, instance: Instance) -> Verdict:
    """A single image is its own partner."""
    hot = np.eye(instance["classes"])[instance["y"]]
    if np.abs(images - x).max() < 1e-5 and np.abs(labels - hot).max() < 1e-5:
        return RIGHT
    return fail("not-a-mixture", "in a batch of one image its partner is itself: image and label stay")


def _stacked(value: Any, shape: tuple[int, ...], what: str) -> Array:
    """Equal arrays of a list as one array of floats."""
    arrays = [np.asarray(one) for one in rows(value, BATCHES if shape[0] > 1 else 1, "mixup")]
    wrong = next((one for one in arrays if one.shape != shape), None)
    if wrong is not None:
        if what == "the soft labels" and wrong.shape == shape[:1]:
            raise Unacceptable(
                "hard-labels",
                f"the labels have the shape {wrong.shape}: a mixed image has two, so there is a row of "
                f"{shape[1]} shares for each image",
            )
        raise Unacceptable("wrong-shape", f"{what} should have the shape {shape}, not {wrong.shape}")
    stacked = np.stack(arrays).astype(float)
    if not np.isfinite(stacked).all():
        raise Unacceptable("not-finite", f"{what} hold {show(float(stacked[~np.isfinite(stacked)][0]))}")
    return stacked


def _unmixed(images: Array, x: Array) -> tuple[Array, NDArray[np.int64]]:
    """For each mixed image the share of its own and its partner: (batches, n) each; NaN where there is no pair."""
    flat, mixed = x.reshape(len(x), -1), images.reshape(*images.shape[:2], -1)
    n = len(flat)
    share = np.full(images.shape[:2], NAN)
    partner = np.zeros(images.shape[:2], dtype=np.int64)
    rest = np.full(images.shape[:2], 1e-5)
    for j in range(n):
        to_own = flat - flat[j]  # (n, pixels)
        length = (to_own**2).sum(1)
        part = ((mixed - flat[j]) * to_own).sum(2) / np.maximum(length, 1e-12)
        part = np.where(length > 0, part, 1.0)
        off = np.abs(mixed - (part[..., None] * flat + (1 - part[..., None]) * flat[j])).max(2)
        better = (off < rest) & (part > -1e-6) & (part < 1 + 1e-6)
        share, partner, rest = (
            np.where(better, part, share),
            np.where(better, j, partner),
            np.where(better, off, rest),
        )
    itself = np.abs(share - 1) < WHOLE
    partner = np.where(itself, np.arange(n), partner)
    return share, partner


def _not_a_pair(images: Array, x: Array) -> Verdict:
    flat, mixed = x.reshape(len(x), -1), images.reshape(*images.shape[:2], -1)
    # as a combination of all images of the batch
    weights = np.linalg.lstsq(flat.T, mixed.reshape(-1, flat.shape[1]).T, rcond=None)[0].T
    whole = np.abs(weights @ flat - mixed.reshape(-1, flat.shape[1])).max(1) < 1e-5
    total = weights.sum(1)
    if whole.all() and np.abs(total - 1).max() > 1e-3:
        return fail(
            "shares-not-one",
            f"the two shares of an image add up to {show(float(total[np.argmax(np.abs(total - 1))]))}: they are "
            "λ and 1 − λ",
        )
    if whole.all() and (np.sort(np.abs(weights), 1)[:, :-2] > 1e-3).any():
        return fail("more-than-two", "an image is mixed of more than two: each has one partner")
    return fail(
        "not-a-mixture",
        "an image is no mixture λ·own + (1 − λ)·partner of two images, whole ones, of the batch",
    )


def _wrong_labels(
    instance: Instance, labels: Array, share: Array, partner: NDArray[np.int64]
) -> Verdict | None:
    hot = np.eye(instance["classes"])[instance["y"]]
    own, other, part = np.broadcast_to(hot, labels.shape), hot[partner], share[..., None]
    if np.abs(labels - (part * own + (1 - part) * other)).max() < 1e-5:
        return None
    usual: list[tuple[Array, str, str]] = [
        (
            own,
            "labels-not-mixed",
            "the labels are those of the image itself: they are mixed as the images are",
        ),
        (other, "labels-not-mixed", "the labels are those of the partner: they are mixed as the images are"),
        (
            (1 - part) * own + part * other,
            "labels-swapped",
            "the labels have the shares the wrong way round: the label of the image with share λ counts λ",
        ),
        (
            0.5 * own + 0.5 * other,
            "labels-half",
            "the labels are mixed half and half: they have the images' share λ",
        ),
        (
            np.where(part >= 0.5, own, other),
            "labels-not-mixed",
            "the label is that of the larger part: it is mixed as the images are",
        ),
        (part * own, "one-label", "the partner's label is missing: its share is 1 − λ"),
    ]
    # an image that came back whole does not say who its partner was
    known = np.abs(share - 1) > 1e-6
    for value, concept, message in usual:
        if np.abs(labels - value)[known].max() < 1e-5:
            return fail(concept, message)
    total = labels.sum(2)
    if np.abs(total - 1).max() > 1e-5:
        worst = float(total.reshape(-1)[np.argmax(np.abs(total - 1))])
        return fail("labels-not-one", f"the soft labels of an image add up to {show(worst)}, not to 1")
    return fail(
        "labels-disagree",
        "the labels say something else than the images: is it one λ and one permutation for both?",
    )


def _wrong_shares(instance: Instance, share: Array, itself: NDArray[np.bool_]) -> Verdict | None:
    """Does λ, seen at the first image that has a partner, follow Beta(alpha, alpha)?

    A batch that came back as it was does not say whether λ was 1 up to rounding or each image its own partner, and is
    left out: the law is that of smaller λ.
    """
    from scipy.stats import beta, chi2

    seen = [float(row[~own][0]) for row, own in zip(share, itself) if not own.all()]
    values, alpha, n = np.array(seen), instance["alpha"], len(seen)

    def fits(parameter: float) -> bool:
        law = beta(parameter, parameter)
        counts = [int((values < edge).sum()) for edge in EDGES]
        ranges = [count_range(n, float(law.cdf(edge) / law.cdf(1 - WHOLE)), ALPHA) for edge in EDGES]
        if not all(low <= count <= high for count, (low, high) in zip(counts, ranges)):
            return False
        # Of the right law, the chance of a λ farther from 1/2 is uniform, so −2·log of it is χ² with 2 degrees of
        # freedom. Below alpha = 1 too many λ are 0 or 1 up to rounding.
        farther = 2 * law.cdf(np.minimum(values, 1 - values).clip(1e-9))
        spread = -2 * np.log(np.minimum(farther, 1)).sum()
        return bool(parameter < 1 or ALPHA / 2 < chi2.cdf(spread, 2 * n) < 1 - ALPHA / 2)

    if np.ptp(values) < 1e-6:
        return fail(
            "constant-share", f"λ is always {show(float(values[0]))}: it is drawn anew for each batch"
        )
    different = len(np.unique(values.round(6)))
    if different < n / 3:
        return fail(
            "coarse-share", f"λ takes only {different} values in {n} batches: it is any number in (0, 1)"
        )
    if fits(alpha):
        return None
    mean = float(values[values > WHOLE].mean())  # what is left out at one end is left out at the other
    if values.min() > 0.5 - 1e-6:
        return fail(
            "folded", "λ is never below 0.5: it follows the Beta distribution itself, not max(λ, 1 − λ)"
        )
    if values.max() < 0.5 + 1e-6:
        return fail(
            "folded", "λ is never above 0.5: it follows the Beta distribution itself, not min(λ, 1 − λ)"
        )
    if alpha != 1 and different > 0.9 * n and fits(1.0):
        return fail(
            "uniform-share",
            f"all λ are about equally likely, as with alpha = 1, but alpha is {show(alpha)}: does `rng.beta` get it?",
        )
    if abs(mean - 0.5) > 0.1:
        return fail(
            "unequal-parameters",
            f"λ is {show(mean)} on average: both parameters of the Beta distribution are alpha",
        )
    sd, right = float(values.std()), float(beta(alpha, alpha).std())
    return fail(
        "wrong-shares",
        f"λ does not follow Beta({show(alpha)}, {show(alpha)}): in {n} batches its sd is {show(sd, digits=2)}, where "
        f"{show(right, digits=2)} is right, and it lies from {show(float(values.min()), digits=2)} to "
        f"{show(float(values.max()), digits=2)}",
    )


def _repeats(partners: NDArray[np.int64]) -> bool:
    """Does an image come twice among the partners?"""
    return len(set(partners.tolist())) < len(partners)
