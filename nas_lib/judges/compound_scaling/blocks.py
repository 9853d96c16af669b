"""The judges of `MBConv` and `FusedMBConv`: what is random in them."""

from __future__ import annotations

import math

import numpy as np

from nas_lib.checks.compound_scaling.blocks import DRAWS, ROWS, has_shortcut, images
from nas_lib.checks.compound_scaling.shared import LESSON, Array
from nas_lib.checks.exercise import RIGHT, Answer, Instance, Verdict, fail, show
from nas_lib.checks.judging import error_verdict
from nas_lib.judges import Judge
from nas_lib.judges.statistics import count_range

ALPHA = 5e-10  # how likely one count of right code leaves its range
SAME_COUNT = sum((math.comb(ROWS, k) * 0.25**k * 0.75 ** (ROWS - k)) ** DRAWS for k in range(ROWS + 1))


class _Drops(Judge):
    """Which images a block drops, and how those that stay are scaled; what it computes has been compared before."""

    lesson = LESSON
    # In each of three instances one count of dropped images, the chance that all or none of them are, that each pass
    # drops as many as the first, and that images share their fates (most likely in pairs, of fewer than 4140 ways).
    false_fail = 3 * (ALPHA + 2 * 0.75 ** (DRAWS * ROWS) + SAME_COUNT + 4140 * 0.625 ** (4 * DRAWS))

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """The share of the branch in each of many outputs."""
        drawn, whole = (np.asarray(answer.value[key], dtype=float) for key in ("drawn", "whole"))
        return self._dropped(instance, drawn, whole)

    def _dropped(self, instance: Instance, drawn: Array, whole: Array) -> Verdict:
        if drawn.shape[1:] != whole.shape:
            return fail(
                "wrong-shape", f"the output should have the shape {whole.shape}, not {drawn.shape[1:]}"
            )
        rate = instance["drop"]
        x = images(instance)
        if not has_shortcut(instance):
            if _close(drawn, np.broadcast_to(whole, drawn.shape), 1e-5):
                return RIGHT
            return fail(
                "drops-without-shortcut",
                "images are dropped in a block without a shortcut: nothing would be left of them",
            )
        branch = whole - x
        flat = branch.reshape(len(x), -1)
        share = ((drawn - x).reshape(len(drawn), len(x), -1) * flat).sum(-1) / (flat**2).sum(-1)
        rest = (drawn - x) - share[..., None, None, None] * branch
        if np.abs(rest).max() > 1e-4:
            return self._not_a_share(x, whole, drawn)
        dropped = np.abs(share) < 1e-3
        scale = share[~dropped]
        if not dropped.any():
            if _close(scale, np.ones_like(scale), 1e-3):
                return fail(
                    "never-drops", f"with drop_rate = {show(rate)} nothing is ever dropped in training"
                )
            return fail(
                "never-drops", "the branch is scaled and never dropped: the choice is made image by image"
            )
        if len(scale) and not _close(scale, np.full_like(scale, 1 / (1 - rate)), 1e-3):
            if _close(scale, np.ones_like(scale), 1e-3):
                return fail(
                    "not-rescaled",
                    "the branches that stay are not scaled up: without 1/(1 − rate) their mean is another one in "
                    "training than in evaluation",
                )
            return fail(
                "branch-scale",
                f"the branches that stay are multiplied by {show(float(scale[0]))}, should be "
                f"1/(1 − rate) = {show(1 / (1 - rate))}",
            )
        if (dropped.all(1) | ~dropped.any(1)).all():
            return fail(
                "whole-batch",
                "all images of a batch are dropped together: draw one number per *image*, of shape (B, 1, 1, 1)",
            )
        if (dropped == dropped[0]).all():
            return fail("fixed-choice", "the same images are dropped at every pass: draw anew each time")
        alike = (dropped[:, :, None] == dropped[:, None, :]).all(0) & ~np.eye(ROWS, dtype=bool)
        if alike.any(1).all():
            return fail(
                "shared-choice",
                "each image of a batch is dropped together with another one, pass after pass: draw one number per "
                "*image*, of shape (B, 1, 1, 1)",
            )
        if (dropped.sum(1) == dropped[0].sum()).all():
            return fail(
                "exact-share",
                f"each pass drops exactly {int(dropped[0].sum())} of {ROWS} images: each image has a chance "
                "of its own, so that their number varies",
            )
        count, n = int(dropped.sum()), dropped.size
        low, high = count_range(n, rate, ALPHA)
        if low <= count <= high:
            return RIGHT
        kept_low, kept_high = count_range(n, 1 - rate, ALPHA)
        if kept_low <= count <= kept_high:
            return fail(
                "keeps-instead-of-drops",
                f"{count} of {n} images were dropped: drop_rate = {show(rate)} is the chance to *drop*",
            )
        return fail("drop-rate-off", f"{count} of {n} images were dropped, with drop_rate = {show(rate)}")

    @staticmethod
    def _not_a_share(x: Array, whole: Array, drawn: Array) -> Verdict:
        flat = whole.reshape(len(x), -1)
        share = (drawn.reshape(len(drawn), len(x), -1) * flat).sum(-1) / (flat**2).sum(-1)
        kept, own = drawn - (whole - x), x.reshape(len(x), -1)
        part = (kept.reshape(len(drawn), len(x), -1) * own).sum(-1) / (own**2).sum(-1)
        if np.abs(kept - part[..., None, None, None] * x).max() < 1e-4:
            return fail(
                "drops-the-shortcut",
                "the input is dropped, and the branch stays: drop the *branch*, so that a dropped image passes through",
            )
        if np.abs(drawn - share[..., None, None, None] * whole).max() < 1e-4:
            return fail(
                "drops-the-shortcut",
                "the whole output is dropped, the shortcut with it: drop the branch *before* the input is added",
            )
        return fail(
            "drops-pixels",
            "an image's branch is dropped in parts: stochastic depth drops all of it or nothing, so its random "
            "numbers have the shape (B, 1, 1, 1)",
        )

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """What is changed in place is an error where a gradient is due."""
        if "in-place operation" in (answer.error or ""):
            return fail("mutates-input", "the input x was changed in place: add with x + y, not +=")
        return error_verdict(instance, answer)


class MBConv(_Drops):
    """`MBConv`."""

    exercise = "MBConv"


class FusedMBConv(_Drops):
    """`FusedMBConv`."""

    exercise = "FusedMBConv"


def _close(one: Array, other: Array, tolerance: float) -> bool:
    """Equal up to the rounding in which outputs come back."""
    return bool(np.abs(one - other).max(initial=0.0) <= tolerance * (1 + np.abs(other).max(initial=0.0)))
