"""The verdict on answers: what every exercise has in common. What is right is compared in `values`, or by a judge.

Weird answers get 0; nothing here raises for what a learner's process may have said.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from nas_lib.checks.codec import NotPlainData, with_article
from nas_lib.checks.exercise import (
    RIGHT,
    Answer,
    Exercise,
    Expected,
    Instance,
    Unacceptable,
    Verdict,
    clean,
    fail,
    show,
)
from nas_lib.checks.hiding import SWITCHED_OFF

BAD_INPUT = 0.25
"""What a missing error on bad input costs. It can only cost: code in the learner's process could print an error."""
CONDUCT = 0.5
"""What a changed argument or setting, or a result of another type, costs where all else is right."""

RETURNS: dict[str, tuple[str, tuple[str, ...]]] = {
    "float": ("a float", ("float", "numpy.float*", "numpy.ndarray[[]float*]()", "int", "numpy.int*")),
    "int": ("an int", ("int", "numpy.int*")),
    "bool": ("a bool", ("bool", "numpy.bool*")),
    "string": ("a string", ("str",)),
    "array": ("a NumPy array", ("numpy.ndarray*", "*Array*")),
    "floats": ("an array of floats", ("numpy.ndarray[[]float*",)),
    "tensor": ("a tensor", ("torch.*",)),
    "scalar": ("a scalar tensor, of shape ()", ("torch.*()",)),
    "list": ("a list", ("list",)),
    "tuple": ("a tuple", ("tuple",)),
    "arch": ("a tuple", ("tuple",)),
    "dict": ("a dict", ("dict",)),
    "sequence": ("a tuple, a list or an array", ("tuple", "list", "numpy.ndarray*")),
    "nothing": ("nothing (None)", ("NoneType",)),
}
"""What an exercise may say that its function returns: in words, and the types that count as that."""

# An error that nobody raised on purpose does not tell a caller which argument is wrong.
_ACCIDENTS = frozenset(
    ["NotImplementedError", "NameError", "AttributeError", "ZeroDivisionError", "RecursionError", "StopIteration",
     "MemoryError"]
)  # fmt: skip

# Nor does an error of arithmetic, indexing or shapes that went wrong with what was passed in, whatever its class.
_ACCIDENTAL = re.compile(
    r"math domain error|expected a (positive|nonnegative) input|expected argument value > -1|math range error"
    r"|cannot convert float (NaN|infinity)|out of bounds for (axis|dimension)|index out of range in self"
    r"|(max|min)\(\) (arg is an empty sequence|iterable argument is empty)|arg(max|min) of an empty sequence"
    r"|truth value of an (empty )?array"
    r"|len\(\) of (a 0-d tensor|unsized object)|too many indices for|setting an array element with a sequence"
    r"|(inconsistent|The expanded size of the) tensor|size of tensor a \(|size mismatch, got input"
    r"|cannot sample n_sample|expected a non-empty (list of Tensors|TensorList)"
    r"|^(a <= 0|low >= high|high <= 0)\b|negative dimensions are not allowed"
)


# torch says so of an operation that it does not have for a dtype, a stub never.
_TORCHS = re.compile(r"not implemented for '|with a bool tensor is not supported")


def verdicts(
    exercise: Exercise, instances: Sequence[Instance], answers: Sequence[Answer], expected: Expected
) -> list[Verdict]:
    """One verdict per instance."""
    told = exercise.explained(instances, answers, expected)
    found = [
        _softened(three[0], told.get(place) or _verdict(exercise, *three))
        for place, three in enumerate(zip(instances, answers, expected.answers))
    ]
    if len(answers) < len(instances):
        found.append(Verdict(0.0, "missing", "no answer came back"))
    return found


def _softened(instance: Instance, verdict: Verdict) -> Verdict:
    """What an instance leaves ("_left") to code that is wrong there alone."""
    unwritten = verdict.right or verdict.concept in ("not-implemented", "missing", "uses-the-library")
    return verdict if unwritten else replace(verdict, score=max(verdict.score, instance.get("_left", 0.0)))


def worst(found: Sequence[Verdict]) -> Verdict:
    """The lowest verdict, the earliest of equals; 0 where there is none."""
    return min(
        found, key=lambda verdict: verdict.score, default=Verdict(0.0, "missing", "no answer came back")
    )


def _verdict(exercise: Exercise, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
    try:
        if "bad" in instance:
            verdict = judge_bad(exercise, instance, answer)
        elif answer.error is not None:
            verdict = exercise.judge_error(instance, answer)
        elif answer.value is None and not exercise.none_is_answer:
            verdict = Verdict(0.0, "returns-nothing", "nothing came back: is there a return statement?")
        else:
            verdict = exercise.judge(instance, answer, expected)
        if verdict.right:
            verdict = _conduct(exercise, instance, answer)
    except Unacceptable as found:
        verdict = found.verdict
    except Exception as error:  # plain data can be anything: what a judge cannot read is wrong
        what = type(error).__name__
        verdict = fail(
            "unreadable", f"what came back cannot be read as an answer to {exercise.name} ({what})"
        )
    score = float(verdict.score)
    return Verdict(
        min(1.0, max(0.0, score)) if math.isfinite(score) else 0.0, verdict.concept, clean(verdict.message)
    )


def _conduct(exercise: Exercise, instance: Instance, answer: Answer) -> Verdict:
    """What the call did beside its result, which is right."""
    if answer.changed:
        about = f" (with {instance['bad']})" if "bad" in instance else ""
        where = answer.changed[0]
        if " " in where:
            return fail("changes-settings", f"the call changes {where}{about}: leave it as it was", CONDUCT)
        return fail(
            "mutates-input",
            f"the call changes {where}, which was passed in{about}: leave it as it was, and work on a copy",
            CONDUCT,
        )
    if "bad" in instance or not exercise.returns:
        return RIGHT
    words, patterns = RETURNS[exercise.returns]
    odd = next(
        (one for one in answer.kinds if not any(fnmatchcase(one, pattern) for pattern in patterns)), None
    )
    if odd is None:
        return RIGHT
    if exercise.returns == "int" and odd.removeprefix("numpy.").startswith("float"):
        return fail("not-an-int", "the result is right, but a float: return an int", CONDUCT)
    if exercise.returns == "scalar" and odd.startswith("torch."):
        return fail("wrong-type", f"{exercise.name} should return {words}, not a tensor with axes", CONDUCT)
    return fail("wrong-type", f"{exercise.name} should return {words}, not a {odd}", CONDUCT)


def judge_bad(exercise: Exercise, instance: Instance, answer: Answer) -> Verdict:
    """Verdict on bad input: an error of a declared class, raised on purpose, is fine; else it costs `BAD_INPUT`."""
    what, wanted = instance["bad"], tuple(instance.get("raises", exercise.raises))
    raised, text = list(answer.raised), (answer.error or "").partition(":")[2]
    # The first call has to refuse it: not a later one, nor whoever uses what the first returned.
    if answer.error is None or answer.kinds or answer.error_type == NotPlainData.__name__:
        found = exercise.returned(answer.value) if answer.error is None else None
        returned = "" if found is None else f" (it returned {show(found)})"
        return _accepts(f"with {what} no error is raised{returned}: raise {with_article(wanted[0])}")
    if answer.error_type == "OutOfTime" or "Endless" in raised:
        return _accepts(f"with {what} your code never ends: raise {with_article(wanted[0])} before you start")
    if not raised or "NotImplementedError" in raised or SWITCHED_OFF in text:
        return error_verdict(instance, answer)
    if "Refused" in raised:  # a ValueError too, but the objective's own
        return _accepts(f"{what} is passed on ({clean(text)}): raise {with_article(wanted[0])} instead")
    found = _ACCIDENTAL.search(text.strip())
    accidental = [name for name in raised if name in _ACCIDENTS] + ([f'"{found.group()}"'] if found else [])
    if accidental:
        return _accepts(
            f"with {what} your code ends in {clean(accidental[0])}, an accident that does not name the argument: "
            f"raise {with_article(wanted[0])} that does"
        )
    if not set(wanted) & set(raised):
        return fail(
            "wrong-error",
            f"with {what} your code raises {with_article(clean(raised[0]))}: the docstring says {' or '.join(wanted)}",
            1.0 - BAD_INPUT,
        )
    if answer.calls and instance.get("_uncalled"):
        return fail(
            "late-error",
            f"with {what} the {answer.calls[0].method} is called {len(answer.calls)} times before the error: "
            "each call costs, so test the arguments first",
            1.0 - BAD_INPUT,
        )
    return RIGHT


def _accepts(message: str) -> Verdict:
    return fail("accepts-bad-input", message, 1.0 - BAD_INPUT)


def not_implemented() -> Verdict:
    """The verdict on a stub."""
    return Verdict(0.0, "not-implemented", "not implemented yet")


def error_verdict(instance: Instance, answer: Answer) -> Verdict:
    """The general verdict on code that raised, hung, or returned what is no plain data."""
    kind, text = answer.error_type, clean(answer.error or "")
    about = f" (on {instance['about']})" if instance.get("about") else ""
    if kind == "NotImplementedError" and not _TORCHS.search(text):
        return not_implemented()
    if kind == "NotPlainData":
        return fail("wrong-type", text.partition(":")[2].strip() + about)
    if kind == "OutOfTime":
        return fail("too-slow", text.partition(":")[2].strip() + about)
    if kind == "RuntimeError" and "library's own version" in text:
        return fail("uses-the-library", f"{text.partition(':')[2].strip()}: write it yourself")
    if kind == "Missing":
        return fail("missing", text.partition(":")[2].strip())
    if answer.afterwards:
        return fail("raises", f"what your code returned cannot be used: {text}{about}")
    return fail("raises", f"your code raised {text}{about}")
