"""The judge of lesson 03's controller: its log-probabilities, their slopes, its entropies and its samples.

The layers are the lesson's and their weights are the check's, so there is one right distribution (`policies`).
Log-probabilities that are not its are held against what any distribution has to be, and against the usual mistakes.
Everything is exact up to rounding but samples: right ones fail by bad luck with probability at most `false_fail`, for
at most 808 counts of architectures and options, 175 of equal rows and 7 means (`statistics`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_lib.checks.codec import describe
from nas_lib.checks.exercise import RIGHT, Answer, Instance, Verdict, fail, show
from nas_lib.checks.judging import CONDUCT, error_verdict
from nas_lib.checks.rl_controller.controller import CALL, ROWS, architectures
from nas_lib.checks.rl_controller.shared import LESSON
from nas_lib.judges import Judge
from nas_lib.judges.policies import Array, Policy, Right
from nas_lib.judges.statistics import count_range, mean_range

ALPHA = 1e-9
LISTED = 128  # architectures of a space in which each is counted


def close(one: Any, other: Any, tolerance: float) -> bool:
    """Are these numbers of one shape and equal up to `tolerance`, relative to one plus the largest of `other`?"""
    one, other = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    if one.shape != other.shape or not np.isfinite(one).all():
        return False
    return bool(np.abs(one - other).max(initial=0.0) <= tolerance * (1 + np.abs(other).max(initial=0.0)))


class ControllerJudge(Judge):
    """Form, then the distribution and its gradient, then what is drawn from it."""

    exercise, lesson = "Controller", LESSON
    false_fail = (808 + 175 + 7) * ALPHA

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """The first thing that is wrong."""
        found = answer.value
        if "layers" in found:
            return _other_layers(found["layers"])
        verdict = _malformed(instance["sizes"], instance["draws"], found)
        if verdict:
            return (
                _overflow(verdict.message)
                if verdict.concept == "not-finite" and "level" in instance
                else verdict
            )
        right = Right(instance)
        return (
            _wrong_log_probs(right, found)
            or _wrong_gradient(right, found)
            or _wrong_samples(right.policy, found)
            or _wrong_entropies(right, found)
            or _unasked(found)
            or RIGHT
        )

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """Errors that have a usual cause."""
        text = answer.error or ""
        if "probability tensor contains either" in text and "level" in instance:
            return _overflow("torch.multinomial is given NaN or infinity")
        if "probability tensor contains either" in text:
            return fail(
                "not-probabilities",
                "torch.multinomial needs probabilities, all ≥ 0: take the softmax of the logits first",
            )
        if "dtype" in text or "Double" in text or "Float" in text:
            kind = "float32" if instance.get("float32") else "float64"
            return fail(
                "fixed-dtype",
                f"{kind} parameters end in {text}: make new tensors with dtype=… or like an existing one",
            )
        return error_verdict(instance, answer)


def _overflow(what: str) -> Verdict:
    return fail(
        "overflow",
        f"with logits near 900 {what}: exp overflows above 709. Only differences of logits matter: torch.softmax and "
        "torch.log_softmax subtract the largest first",
    )


def _other_layers(missing: Sequence[str]) -> Verdict:
    names = ", ".join(str(one) for one in missing[:3])
    return fail(
        "other-layers",
        f"the layers are given and have to stay as they are: there is no {show(names, quote=False)} of the given shape",
    )


# --------------------------------------------------------------------------------------------------- form


def _malformed(sizes: Sequence[int], draws: int, found: dict[str, Any]) -> Verdict | None:
    """Shapes, dtypes and options in range."""
    n, decisions = len(architectures(sizes)), len(sizes)
    for name in ("all", "later"):
        verdict = _not_a_column(found[name], n, "log_prob")
        if verdict:
            return verdict
    for name, rows in (("actions", ROWS), ("again", ROWS), ("other", ROWS), ("next", ROWS), ("many", draws)):
        verdict = _no_actions(found[name], (rows, decisions), np.array(sizes))
        if verdict:
            return verdict
    for name, what in (("log_probs", "sample's log_probs"), ("entropies", "sample's entropies")):
        verdict = _not_a_column(found[name], ROWS, what)
        if verdict:
            return verdict
    few = [(2, one) for one in found["pairs"]] + [(CALL, one) for one in found["calls"]]
    for rows, one in few:
        verdict = _no_actions(one, (rows, decisions), np.array(sizes))
        if verdict:
            return verdict
    shapes = [one.shape if isinstance(one, np.ndarray) else () for one in found["one"]]
    if shapes != [(1, decisions), (1,), (1,)]:
        return fail(
            "wrong-shape",
            f"the parts of sample(1) should have the shapes (1, {decisions}), (1,), (1,), not {shapes}",
        )
    return None


def _no_actions(actions: Any, shape: tuple[int, int], sizes: NDArray[np.int64]) -> Verdict | None:
    if not isinstance(actions, np.ndarray) or actions.shape != shape:
        came = actions.shape if isinstance(actions, np.ndarray) else describe(actions)
        return fail("wrong-shape", f"sample's actions should have the shape {shape}, not {came}")
    if actions.dtype != np.int64:
        return fail(
            "wrong-type",
            f"sample's actions should be a tensor of int64, not of {actions.dtype}: they are positions of options",
        )
    outside = ((actions < 0) | (actions >= sizes)).any(axis=0)
    if outside.any():
        place = int(np.flatnonzero(outside)[0])
        return fail(
            "outside-its-options",
            f"decision {place} got option {int(actions[:, place].max())} and has {sizes[place]}: "
            "each decision has its own number of options",
        )
    return None


def _not_a_column(value: Any, n: int, what: str) -> Verdict | None:
    if isinstance(value, np.ndarray) and value.ndim == 2 and value.shape[0] == n and value.shape[1] > 1:
        return fail(
            "not-summed",
            f"{what} has the shape {value.shape}, one entry per decision: sum over the decisions",
        )
    if not isinstance(value, np.ndarray) or value.shape != (n,):
        shape = value.shape if isinstance(value, np.ndarray) else describe(value)
        return fail("wrong-shape", f"{what} should have the shape ({n},), not {shape}")
    if not np.isfinite(np.asarray(value, dtype=float)).all():
        return fail("not-finite", f"{what} holds {show(float(value[~np.isfinite(value)][0]))}")
    return None


# --------------------------------------------------------------------------------------- log-probabilities


def _wrong_log_probs(right: Right, found: dict[str, Any]) -> Verdict | None:
    """Are they those of the one distribution that the layers make?"""
    log_probs, later = (np.asarray(found[name], dtype=float) for name in ("all", "later"))
    singly = np.array([np.asarray(one, dtype=float).reshape(-1)[0] for one in found["singly"]])
    if not close(singly, log_probs[: len(singly)], right.tolerance):
        at = int(np.argmax(np.abs(singly - log_probs[: len(singly)])))
        return fail(
            "mixes-rows",
            f"log_prob of one architecture is {show(float(singly[at]))} alone and {show(float(log_probs[at]))} among "
            "others: rows must not touch each other, nor calls. Is the softmax over the last dimension, and the "
            "state a new one in each call?",
        )
    if not close(log_probs, right.policy.log_probs, right.tolerance):
        theirs = Policy(right.sizes, log_probs)
        return (
            _no_distribution(theirs)
            or _forgetful(theirs)
            or _mistaken(right, log_probs)
            or _unlike(right, log_probs)
        )
    if not close(later, right.later.log_probs, right.tolerance):
        return fail(
            "stale",
            "after the weights were changed, as an optimiser does, log_prob is wrong: compute everything from the "
            "layers at each call",
        )
    return None


def _no_distribution(policy: Policy) -> Verdict | None:
    """Is exp(log_prob) a distribution over the space at all?"""
    log_probs, decisions = policy.log_probs, len(policy.sizes)
    total = float(policy.chances.sum())
    if abs(total - 1) < 1e-4:
        return None
    if abs(log_probs.sum() - 1) < 1e-4 and (log_probs >= 0).all():
        return fail("not-log", "these are probabilities: log_prob returns their logarithms")
    if abs(np.exp(decisions * log_probs).sum() - 1) < 1e-4:
        return fail(
            "mean-not-sum",
            "this is the mean over the decisions: the probability of an architecture is the *product* of "
            "those of its decisions, so its logarithm is a sum",
        )
    if abs(np.exp(-log_probs).sum() - 1) < 1e-4:
        return fail("wrong-sign", "the sign is reversed: log-probabilities are at most 0")
    return fail(
        "not-a-distribution",
        f"over all {len(log_probs)} architectures the probabilities exp(log_prob) add up to {show(total)}, "
        "not to 1. Every decision takes a softmax over its own options, and their logarithms are added",
    )


def _forgetful(policy: Policy) -> Verdict | None:
    """Does each decision depend on each earlier one?"""
    sizes, unmoved = policy.sizes, []
    pairs = [(s, t) for t in range(len(sizes)) for s in range(t) if sizes[s] > 1 and sizes[t] > 1]
    for earlier, place in pairs:
        p = policy.conditional(place)
        if np.ptp(p, axis=earlier).max() < 1e-9:
            unmoved.append((earlier, place))
    if not unmoved:
        return next(filter(None, (_merged(policy, earlier, place) for earlier, place in pairs)), None)
    if len(unmoved) == len(pairs):
        return fail(
            "ignores-earlier-decisions",
            "no decision depends on those before it: the option that was taken has to be fed to the next step, "
            "through its embedding",
        )
    earlier, place = unmoved[0]
    if all(place - earlier > 1 for earlier, place in unmoved):
        return fail(
            "forgets-the-state",
            f"decision {place} does not depend on decision {earlier}: the LSTM's state has to be carried from "
            "step to step, not begun anew",
        )
    return fail(
        "ignores-a-decision",
        f"decision {place} does not depend on decision {earlier}: each step reads the embedding of the option "
        "taken just before",
    )


def _merged(policy: Policy, earlier: int, place: int) -> Verdict | None:
    """Are two options of one decision the same to a later one?"""
    p = np.moveaxis(policy.conditional(place), earlier, 0)
    for one, other in combinations(range(len(p)), 2):
        if np.abs(p[one] - p[other]).max() < 1e-9:
            return fail(
                "merges-options",
                f"options {one} and {other} of decision {earlier} are the same to decision {place}: each option has "
                "an embedding of its own, `self.embed[t](action)` with the t at which it was taken",
            )
    return None


def _mistaken(right: Right, log_probs: Array) -> Verdict | None:
    """Is it the walk with one thing left out?"""
    widest = [head for head, size in enumerate(right.sizes) if size == max(right.sizes)]
    anew = (
        "of the state (h, c) only {} is carried on, and {} begins with zeros at each step: both belong to it"
    )
    walks: list[tuple[dict[str, Any], str, str]] = [
        (
            {"starts": False},
            "no-start",
            "the first input is zeros here: at step 0 it is `self.start`, a parameter that is learned like the others",
        ),
        (
            {"carries": ""},
            "forgets-the-state",
            "the LSTM's state has to be carried from step to step, not begun anew",
        ),
        ({"carries": "h"}, "forgets-the-state", anew.format("h", "c")),
        ({"carries": "c"}, "forgets-the-state", anew.format("c", "h")),
        *(
            (
                {"head": head},
                "shared-head",
                f"all decisions use `self.head[{head}]`: decision t has a layer of its own, `self.head[t]`",
            )
            for head in widest
        ),
    ]
    for wrong, concept, message in walks:
        if close(log_probs, right.at(**wrong).log_probs, right.tolerance):
            return fail(concept, message)
    return None


def _unlike(right: Right, log_probs: Array) -> Verdict:
    at = int(np.argmax(np.abs(log_probs - right.policy.log_probs)))
    return fail(
        "another-distribution",
        f"these are log-probabilities, but not those of the layers: for the architecture "
        f"{show(architectures(right.sizes)[at])} log_prob is {show(float(log_probs[at]))}, should be "
        f"{show(float(right.policy.log_probs[at]))}. Step t feeds `self.start` or the option before to `self.cell`, "
        "with the state of the step before, and its h to `self.head[t]`",
    )


# ------------------------------------------------------------------------------------------------ gradients


def _wrong_gradient(right: Right, found: dict[str, Any]) -> Verdict | None:
    """Is the gradient, in log_prob and in sample, the slope of what log_prob says?"""
    alone, sampled, _ = found["slopes"]
    ahead, behind = right.ahead.log_probs, right.behind.log_probs
    if alone is None:
        return fail(
            "no-gradient",
            "log_prob comes without a gradient, so that nothing could be learned: return a tensor, and no "
            "detach(), item() or no_grad() on the way",
        )
    slope = right.slope(ahead, behind)
    if not close(alone, slope, 100 * right.tolerance):
        return fail(
            "wrong-gradient",
            f"along one direction the gradient says {show(alone)}, and log_prob really changes by "
            f"{show(slope)}: something is cut out of the graph (detach, no_grad, .data) on the way",
        )
    numbers = right.policy.rows(found["actions"])
    if not close(found["log_probs"], right.policy.log_probs[numbers], right.tolerance):
        return _disagreeing(right, found, numbers)
    if sampled is None:
        return fail(
            "sample-without-gradient",
            "sample's log_probs come without a gradient: REINFORCE differentiates them. Only the draw itself "
            "has none",
        )
    slope = right.slope(ahead[numbers], behind[numbers])
    if not close(sampled, slope, 100 * right.tolerance):
        return fail(
            "sample-without-gradient",
            f"the gradient of sample's log_probs is {show(sampled)} along a direction in which "
            f"that of log_prob is {show(slope)}: a part of it is cut off",
        )
    return None


def _disagreeing(right: Right, found: dict[str, Any], numbers: NDArray[np.int64]) -> Verdict:
    sampled, log_probs = np.asarray(found["log_probs"], dtype=float), right.policy.log_probs[numbers]
    if close(sampled, log_probs / len(right.sizes), right.tolerance):
        return fail("mean-not-sum", "sample's log_probs are means over the decisions: they have to be sums")
    if close(sampled, np.exp(log_probs), right.tolerance):
        return fail("not-log", "sample's log_probs are probabilities: take their logarithms")
    at = int(np.argmax(np.abs(sampled - log_probs)))
    return fail(
        "sample-disagrees",
        f"sample says {show(float(sampled[at]))} for the architecture {show(found['actions'][at].tolist())} and "
        f"log_prob says {show(float(log_probs[at]))}: both have to walk through the same steps",
    )


# -------------------------------------------------------------------------------------------------- samples


def _wrong_samples(policy: Policy, found: dict[str, Any]) -> Verdict | None:
    """Do samples come from the generator, and from the distribution?"""
    actions = {name: np.asarray(found[name]) for name in ("actions", "again", "other", "next", "many")}
    many = policy.rows(actions["many"])
    off = _biased(policy, many, actions["many"]) if found["calls"] else None
    if off is not None:  # bias alone can make samples equal where half of all draws are one option
        return off
    varied = float((policy.chances**2).sum()) ** ROWS < 1e-15  # equal samples cannot be a coincidence then
    if varied and len(set(many.tolist())) == 1:
        if all((policy.rows(one) == many[0]).all() for one in actions.values()):
            return fail("greedy", "always the most likely option is taken: *draw* from the distribution")
        return fail("not-random", "all rows are the same architecture: draw each row by itself")
    if not (actions["again"] == actions["actions"]).all():
        return fail(
            "ignores-generator",
            "two generators with the same seed give different samples: pass `generator` on to whatever draws",
        )
    if varied and (actions["other"] == actions["actions"]).all():
        return fail(
            "fixed-seed", "generators with different seeds give the same sample: use the one passed in"
        )
    if varied and (actions["next"] == actions["actions"]).all():
        return fail(
            "fixed-seed", "a second sample from the same generator repeats the first: do not seed it anew"
        )
    calls = [np.asarray(one) for one in found["calls"]]
    if len({one.tobytes() for one in calls}) < len(calls):
        return fail(
            "fixed-seed",
            f"of {len(calls)} samples drawn one after the other from the same generator some are the same: draw from "
            "`generator` itself, and make no other one of a few seeds",
        )
    counted = np.concatenate([actions["many"], *calls])
    return (
        _biased(policy, policy.rows(counted), counted)
        or _repeating(policy, many)
        or _paired(policy, many, found["pairs"])
    )


def _biased(policy: Policy, many: NDArray[np.int64], actions: NDArray[Any]) -> Verdict | None:
    counts = np.bincount(many, minlength=len(policy.chances)).tolist()
    each = zip(architectures(policy.sizes), policy.chances.tolist(), counts) if len(counts) <= LISTED else ()
    expected: list[tuple[str, float, int]] = [
        (f"architecture {show(arch)}", p, count) for arch, p, count in each
    ]
    table = policy.chances.reshape(policy.sizes)
    for place, size in enumerate(policy.sizes):
        others = tuple(other for other in range(len(policy.sizes)) if other != place)
        seen = np.bincount(actions[:, place], minlength=size).tolist()
        options = zip(range(size), table.sum(axis=others).tolist(), seen)
        expected += [(f"option {i} of decision {place}", p, count) for i, p, count in options]
    draws = len(many)
    for what, chance, count in expected:
        p = min(1.0, chance)
        low, high = count_range(draws, p, ALPHA)
        if not low <= count <= high:
            return fail(
                "biased-samples",
                f"{what} came {count} times in {draws:,} samples; by log_prob it should come about "
                f"{draws * p:.0f} times. Draw from the softmax of the logits, each decision given the options "
                "drawn before",
            )
    found = float(policy.log_probs[many].mean())
    least, most = mean_range(policy.log_probs, policy.chances, draws, ALPHA)
    if not least <= found <= most:
        return fail(
            "biased-samples",
            f"samples are {'less' if found < least else 'more'} likely than they should be: by their own log_prob "
            f"the mean is {show(found)}, about {show(float(policy.chances @ policy.log_probs))} is expected. Draw "
            "from the very probabilities whose logarithms you return",
        )
    return None


def _repeating(policy: Policy, many: NDArray[np.int64]) -> Verdict | None:
    """Are rows drawn independently? Neighbours, and rows half a batch apart, agree as often as chance has it."""
    half = len(many) // 2
    low, high = count_range(half, min(1.0, float((policy.chances**2).sum())), ALPHA)
    for one, other in ((many[0::2], many[1::2]), (many[:half], many[half:])):
        same = int((one == other).sum())
        if not low <= same <= high:
            return fail(
                "dependent-rows",
                f"{same} of {half:,} pairs of rows are equal, {low} to {high} would be chance: draw each row by "
                "itself",
            )
    return None


def _paired(policy: Policy, many: NDArray[np.int64], pairs: Sequence[Any]) -> Verdict | None:
    """Are rows independent at any distance, and in small samples? Rows that avoid or mirror each other show here.

    The options are two and equally likely, so that whether rows at one distance agree is a fair coin for each pair.
    """
    small = sum(bool((two[0] == two[1]).all()) for two in map(np.asarray, pairs))
    counts = [(f"in {len(pairs)} samples of two rows", len(pairs), small)] if pairs else []
    for apart in range(1, len(many) - 39) if pairs else ():
        same = int((many[apart:] == many[:-apart]).sum())
        counts.append((f"{apart} rows apart", len(many) - apart, same))
    for where, number, same in counts:
        low, high = count_range(number, float((policy.chances**2).sum()), ALPHA)
        if not low <= same <= high:
            return fail(
                "dependent-rows",
                f"{where}, {same} of {number} pairs of rows are equal, {low} to {high} would be chance: draw each row "
                "by itself, whatever the others are",
            )
    return None


def _unasked(found: dict[str, Any]) -> Verdict | None:
    """What is beside the methods: initial weights, layers and the form of what sample returns."""
    if found["alike"]:
        return fail(
            "fixed-seed",
            "two controllers, made one after the other, begin with the same weights: leave torch's global seed alone",
            CONDUCT,
        )
    if found["more"]:
        return fail(
            "other-layers",
            f"the layers are given and have to stay as they are: {show(found['more'][0], quote=False)} is none of them",
            CONDUCT,
        )
    if found["kind"]:
        return fail("wrong-type", f"sample returns {found['kind']}: a tuple of three is expected", CONDUCT)
    return None


# ------------------------------------------------------------------------------------------------ entropies


def _wrong_entropies(right: Right, found: dict[str, Any]) -> Verdict | None:
    """Is each row's entropy the sum of its decisions' entropies, with a gradient?"""
    actions = np.asarray(found["actions"])
    entropies = np.asarray(found["entropies"], dtype=float)
    parts = right.policy.entropies_at(actions)
    sums = parts.sum(axis=1)
    if not close(entropies, sums, right.tolerance):
        surprise = -right.policy.log_probs[right.policy.rows(actions)]
        return _named_entropies(entropies, parts, surprise, right.tolerance) or fail(
            "wrong-entropy",
            f"the entropies of {show(actions[0].tolist())} are {show(parts[0])}, together "
            f"{show(float(sums[0]))}, not {show(float(entropies[0]))}: −Σ p·log p of each decision, given the "
            "options before it, summed over the decisions",
        )
    ahead, behind = (one.entropies_at(actions).sum(axis=1) for one in (right.ahead, right.behind))
    found_slope, slope = found["slopes"][2], right.slope(ahead, behind)
    if found_slope is None or not close(found_slope, slope, 100 * right.tolerance):
        return fail(
            "entropy-without-gradient",
            "the entropies come without their gradient, so that an entropy bonus would change nothing: "
            "no detach() on them",
        )
    return None


def _named_entropies(entropies: Array, parts: Array, surprise: Array, tolerance: float) -> Verdict | None:
    sums = parts.sum(axis=1)
    mistakes = [
        (-sums, "wrong-sign", "the entropies are negative: H = −Σ p·log p"),
        (sums / np.log(2), "bits", "these entropies are in bits: use the natural logarithm"),
        (
            surprise,
            "surprise-not-entropy",
            "−log p of what was drawn is one "
            "sample of the entropy. The entropy of a decision is the sum −Σ p·log p over *all* its options",
        ),
        (
            parts.mean(axis=1),
            "mean-not-sum",
            "these are means over the decisions: an architecture's entropy is the sum",
        ),
        (
            parts[:, -1],
            "last-decision-only",
            "only the last decision's entropy is returned: add up those of all decisions",
        ),
        (
            np.full(len(sums), sums.mean()),
            "averaged",
            "every row has the mean of the batch: each row has an entropy of its own",
        ),
    ]
    named = (fail(concept, text) for value, concept, text in mistakes if close(entropies, value, tolerance))
    return next(named, None)
