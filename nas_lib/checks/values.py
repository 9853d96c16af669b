"""Exercises whose answer is a value of the arguments: declared, not programmed.

A subclass says how the function is driven and which `parts` of what comes back are compared, in which order. No formula
of a mistake or of the right answer stands here: a wrong answer is named by what the usual mistakes answer (`Known`),
where they explain it, and else shown beside the right one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator, default_rng

from nas_lib.checks.codec import describe
from nas_lib.checks.exercise import (
    RIGHT,
    Answer,
    Exercise,
    Expected,
    Instance,
    Known,
    Unacceptable,
    Verdict,
    fail,
    show,
)
from nas_lib.checks.judging import error_verdict
from nas_lib.checks.tables import ROWS, Entry

SAMPLE = 8  # entries of a large array that are kept of a mistake's answer
MISCOUNT = 0.01  # of a large array's wrong entries, by which an answer may differ from the mistake that it is taken for
SAME_AT = 1e-6  # how near, relatively, an answer is to a mistake's that it is taken for
DIGITS = 17


@dataclass(frozen=True)
class Part:
    """One thing of an answer that is compared: a number, an array, or (with `exact`) any plain data.

    Args:
        key: where it stands in the answer; "result" is also the whole of an answer that is no dict.
        what: in words, as the subject of a sentence ("the loss").
        concept: the verdict where it is wrong and no usual mistake explains it.
        message: said then; it may hold {differ} ("has 0.5 at [3], should have 0.7"), {found} and {right}. Empty:
            `what` and {differ}.
        tolerance: allowed difference, relative to the largest right number, or to `floor` if that is larger.
        floor: below this size, numbers are compared with `tolerance` · `floor`.
        score: what is left where this part alone is wrong.
        exact: plain data that has to be equal, such as architectures or names.
    """

    key: str = "result"
    what: str = "the result"
    concept: str = "wrong-result"
    message: str = ""
    tolerance: float = 1e-9
    floor: float = 1e-3
    score: float = 0.0
    exact: bool = False

    def read(self, value: Any) -> Any:
        """This part of an answer: an array of float64, or plain data where `exact`.

        Raises:
            Unacceptable: it is missing, or no numbers.
        """
        if type(value) is not dict or (self.key not in value and self.key == "result"):
            value = {"result": value}
        if self.key not in value:
            raise Unacceptable("missing", f"{self.what} did not come back")
        found = value[self.key]
        if found is None and not self.exact:
            raise Unacceptable("returns-nothing", f"{self.what} is None: is there a return statement?")
        return _plain(found) if self.exact else self._numbers(found)

    def _numbers(self, found: Any) -> np.ndarray:
        if type(found) is list and any(one is None for one in found):
            raise Unacceptable("returns-nothing", f"{self.what} holds None: is there a return statement?")
        try:
            array = np.asarray(found)
        except ValueError:
            raise Unacceptable("wrong-shape", f"{self.what} has rows of different lengths") from None
        if array.dtype.kind not in "iuf" and array.size:
            odd = found
            if type(found) is list:  # the entry says more than the list
                odd = next((one for one in found if type(one) not in (int, float)), found)
            raise Unacceptable(
                "wrong-type", f"{self.what} should be numbers, not {describe(odd)}: {show(odd)}"
            )
        return array.astype(np.float64)

    def same(self, one: Any, right: Any) -> bool:
        """Equal, up to the tolerance? What is no number equals what is none."""
        if self.exact:
            return type(one) is type(right) and one == right
        if one.shape != right.shape or np.array_equal(one, right):
            return one.shape == right.shape
        scale = max(np.abs(right[np.isfinite(right)]).max(initial=0.0), self.floor)
        return np.allclose(one, right, rtol=0, atol=self.tolerance * scale, equal_nan=True)

    def difference(self, wrong: Any, right: Any) -> dict[str, Any]:
        """What a mistake gives here, as data: all of it where `exact` or small, else a sample of where it differs."""
        if self.exact:
            return {"part": self.key, "is": wrong}
        flat, places = wrong.ravel(), self._apart(wrong, right)
        at = places[np.unique(np.linspace(0, len(places) - 1, min(SAMPLE, len(places))).astype(int))]
        return {
            "part": self.key,
            "shape": list(wrong.shape),
            "count": len(places),
            "at": at.tolist(),
            "values": [float(f"{one:.9g}") for one in flat[at].tolist()],
        }

    def is_difference(self, found: Any, right: Any, difference: dict[str, Any]) -> bool:
        """Does an answer have here what a mistake gives?"""
        if self.exact:
            return "is" in difference and self.same(found, difference["is"])
        if "at" not in difference or list(found.shape) != difference["shape"]:
            return False
        count = len(self._apart(found, right))
        if abs(count - difference["count"]) > MISCOUNT * difference["count"]:
            return False
        values = np.asarray(difference["values"], dtype=np.float64)
        scale = np.abs(values[np.isfinite(values)]).max(initial=0.0)
        return np.allclose(
            found.ravel()[difference["at"]],
            values,
            rtol=0,
            atol=max(SAME_AT, self.tolerance) * max(scale, self.floor),
            equal_nan=True,
        )

    def _apart(self, one: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Places of the flat array where it is not the right one's; all where the shapes differ."""
        if one.shape != right.shape:
            return np.arange(one.size)
        scale = max(np.abs(right[np.isfinite(right)]).max(initial=0.0), self.floor)
        near = np.isclose(one.ravel(), right.ravel(), rtol=0, atol=self.tolerance * scale, equal_nan=True)
        return np.flatnonzero(~near)

    def pairs(self, found: Any, right: Any) -> list[tuple[Any, Any, bool]]:
        """(found, right, whether they agree) of each entry; none where the two have not the same shape."""
        if not self.exact:
            if found.shape != right.shape:
                return []
            wrong = set(self._apart(found, right).tolist())
            both = zip(found.ravel().tolist(), right.ravel().tolist())
            return [(*pair, at not in wrong) for at, pair in enumerate(both)]
        if type(found) is not list or type(right) is not list:
            return [(found, right, False)]
        return [(*pair, self.same(*pair)) for pair in zip(found, right)] if len(found) == len(right) else []

    def differ(self, found: Any, right: Any) -> str:
        """Where found and right differ, in words, with as many digits as it takes to see it."""
        if self.exact:
            return f"is {show(found)}, should be {show(right)}"
        if found.shape != right.shape and right.ndim == 0:
            return f"is an array of the shape {found.shape}, should be one number, {show(right.item())}"
        if found.shape != right.shape:
            return f"has the shape {found.shape}, should have {right.shape}"
        if found.ndim == 0:
            return "is {}, should be {}".format(*apart(found.item(), right.item()))
        first = self._apart(found, right)[0]
        at = [int(one) for one in np.unravel_index(first, found.shape)]
        one, other = apart(found.ravel()[first].item(), right.ravel()[first].item())
        return f"has {one} at [{', '.join(map(str, at))}], should have {other}"


class Numbers(Part):
    """What several calls return, a number each: what is none is shown as it came back from its call."""

    def _numbers(self, found: Any) -> np.ndarray:
        for one in found if type(found) is list else ():
            if one is None:
                raise Unacceptable(
                    "returns-nothing", "the function returned None: is there a return statement?"
                )
            if type(one) not in (bool, int, float):
                odd = one.tolist() if isinstance(one, np.ndarray) else one
                raise Unacceptable(
                    "wrong-type", f"a call should return a number, not {describe(one)}: {show(odd)}"
                )
        return super()._numbers(found)


def apart(one: Any, other: Any) -> tuple[str, str]:
    """Two numbers, or lists of them, as text with enough digits to differ; of words, the words."""
    for digits in range(6, DIGITS):
        texts = show(one, quote=False, digits=digits), show(other, quote=False, digits=digits)
        if texts[0] != texts[1]:
            return texts
    return (repr(one), repr(other)) if isinstance(one, float) else texts


def _plain(value: Any) -> Any:
    """Arrays as lists, all the way down, so that plain data can be compared with ==."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if type(value) is list:
        return [_plain(one) for one in value]
    if type(value) is dict:
        return {key: _plain(one) for key, one in value.items()}
    return value


class ValueExercise(Exercise):
    """Compares part after part with the reference's."""

    false_fail = 0.0
    parts: ClassVar[tuple[Part, ...]] = (Part(),)

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """The first part that differs decides."""
        part = self.first_wrong(answer, expected)
        if part is None:
            return RIGHT
        return self.shown(instance, part, part.read(answer.value), part.read(expected.value))

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """The general verdict on code that raised."""
        return error_verdict(instance, answer)

    def shown(self, instance: Instance, part: Part, found: Any, right: Any) -> Verdict:
        """The verdict on a part that no usual mistake explains: what it is, and what it should be."""
        one, other = apart(found, right)
        text = (part.message or f"{part.what} {{differ}}").format(
            found=one, right=other, differ=part.differ(found, right)
        )
        about = f" (on {instance['about']})" if instance.get("about") else ""
        return fail(part.concept, text + about, part.score)

    def compared(self, instance: Instance, answer: Answer, expected: Answer) -> tuple[str, list[Entry]]:
        """A table of what was found and what is right in the first part that differs: its caption and its lines, all
        of a few and else the first that differ. There are none where the two cannot be held side by side."""
        try:
            part = (
                None if answer.error is not None or "bad" in instance else self.first_wrong(answer, expected)
            )
        except Unacceptable:
            part = None
        if part is None:
            return "", []
        found, right = part.read(answer.value), part.read(expected.value)
        pairs = part.pairs(found, right)
        wrong = sum(not same for *_, same in pairs)
        places = [at for at, (*_, same) in enumerate(pairs) if len(pairs) <= ROWS or not same][:ROWS]
        entries = []
        for at in places:
            one, other, same = pairs[at]
            texts = (self.entry(one), self.entry(other)) if part.exact or same else apart(one, other)
            entries.append(Entry(self.case(instance, part, at, right), texts[0], texts[1], same))
        about = f", on {instance['about']}" if instance.get("about") else ""
        count = f": {wrong} of {len(pairs)} differ" if len(pairs) > 1 else ""
        first = f", here the first {len(entries)}" if wrong > len(entries) else ""
        return f"{self.name}, {part.what}{about}{count}{first}", entries

    def case(self, instance: Instance, part: Part, at: int, right: Any) -> str:
        """What the `at`-th entry of a part is called."""
        if np.ndim(right) == 0 or (part.exact and type(right) is not list):
            return part.what
        return show([int(one) for one in np.unravel_index(at, (len(right),) if part.exact else right.shape)])

    def entry(self, value: Any) -> str:
        """An entry as the table shows it."""
        return show(value)

    def stored(self, value: Any) -> Any:
        """The parts."""
        keys = [part.key for part in self.parts]
        return {key: value[key] for key in keys} if type(value) is dict and keys[0] in value else value

    def first_wrong(self, answer: Answer, expected: Answer) -> Part | None:
        """The first part that differs from the reference's; None where all are right. May raise `Unacceptable`."""
        for part in self.parts:
            if not part.same(part.read(answer.value), part.read(expected.value)):
                return part
        return None

    def difference(self, wrong: Answer, right: Answer) -> dict[str, Any] | None:
        """What tells a mistake's answer from the reference's, as data: its first part that differs, or its error."""
        if wrong.error is not None:
            return {"error": wrong.error_type}
        try:
            part = self.first_wrong(wrong, right)
        except Unacceptable as found:
            return {"unreadable": found.verdict.concept}
        return None if part is None else part.difference(part.read(wrong.value), part.read(right.value))

    def explained(
        self, instances: Sequence[Instance], answers: Sequence[Answer], expected: Expected
    ) -> dict[int, Verdict]:
        """A mistake that explains all answers is named; else one that alone explains an answer, and would not have
        made another wrong that is right: of two mistakes in one answer, neither is refuted so."""
        sound = [
            place
            for place, (instance, _) in enumerate(zip(instances, answers))
            if "bad" not in instance and place < len(expected.answers)
        ]
        wrong = [
            (column, place)
            for column, place in enumerate(sound)
            if not self._is_right(answers[place], expected.answers[place])
        ]
        if not wrong:
            return {}
        fits = [
            [self._explains(one, place, answers[place], expected.answers[place]) for place in sound]
            for one in expected.known
        ]
        whole = [one for one, row in zip(expected.known, fits) if all(row)]
        right = set(sound) - {place for _, place in wrong}
        possible = [
            (one, row)
            for one, row in zip(expected.known, fits)
            if not any(one.differs[place] for place in right)
        ]
        found = {}
        for column, place in wrong:
            here = [one for one, row in possible if row[column] and one.differs[place]]
            said = _agreed([one for one in here if one in whole]) or (None if whole else _agreed(here))
            if said is not None:
                found[place] = fail(said.concept, said.message, self._left(said, place))
        return found

    def _is_right(self, answer: Answer, expected: Answer) -> bool:
        try:
            return (
                answer.error is None
                and answer.value is not None
                and self.first_wrong(answer, expected) is None
            )
        except Unacceptable:
            return False

    def _explains(self, mistake: Known, place: int, answer: Answer, expected: Answer) -> bool:
        said = mistake.differs[place]
        if said is None:
            return self._is_right(answer, expected)
        if "error" in said:
            return answer.error_type == said["error"] not in ("NotImplementedError", "Missing")
        try:
            part = None if answer.error is not None else self.first_wrong(answer, expected)
        except Unacceptable as found:
            return found.verdict.concept == said.get("unreadable")
        return (
            part is not None
            and part.key == said.get("part")
            and part.is_difference(part.read(answer.value), part.read(expected.value), said)
        )

    def _left(self, mistake: Known, place: int) -> float:
        said = mistake.differs[place] or {}
        return next((part.score for part in self.parts if part.key == said.get("part")), 0.0)


def _agreed(mistakes: Sequence[Known]) -> Known | None:
    """The mistake, where all that explain an answer are about one concept."""
    return mistakes[0] if len({one.concept for one in mistakes}) == 1 else None


class FunctionExercise(ValueExercise):
    """A function of a few numbers: several calls per instance, each with one number as its result."""

    parts: ClassVar[tuple[Part, ...]] = (Numbers(concept="wrong-number"),)

    forgiving: ClassVar[dict[str, float]] = {}
    """What is left ("_left") where a case alone is wrong, by what is special about it."""

    def problems(self, rng: Generator) -> list[tuple[str, list[list[Any]]]]:
        """(what is special, argument lists) of the instances."""
        raise NotImplementedError

    def bad(self) -> list[tuple[str, list[Any]]]:
        """(phrase, arguments) of bad input."""
        raise NotImplementedError

    def instances(self, seed: int) -> list[Instance]:
        """The problems, and bad input."""
        rng = default_rng(seed)
        return [
            *(
                {"calls": calls}
                | ({"about": about} if about else {})
                | ({"_left": self.forgiving[about]} if about in self.forgiving else {})
                for about, calls in self.problems(rng)
            ),
            *({"bad": phrase, "calls": [call]} for phrase, call in self.bad()),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """One answer per call."""
        return [fn(*call) for call in instance["calls"]]

    def case(self, instance: Instance, part: Part, at: int, right: Any) -> str:
        """The call."""
        return f"{self.name}({', '.join(show(one) for one in instance['calls'][at])})"

    def shown(self, instance: Instance, part: Part, found: Any, right: Any) -> Verdict:
        """The first call whose result differs."""
        if found.shape != right.shape:
            return super().shown(instance, part, found, right)
        at = next(i for i, pair in enumerate(zip(found, right)) if not part.same(*map(np.asarray, pair)))
        one, other = apart(found[at].item(), right[at].item())
        about = f" ({instance['about']})" if instance.get("about") else ""
        call = self.case(instance, part, at, right)
        return fail(part.concept, f"{call} is {one}, should be {other}{about}", part.score)


class TensorExercise(ValueExercise):
    """A function of tensors (and plain numbers) that returns one; gradients at some arguments are compared as well.

    The instance holds the arguments by name; lists and arrays become float64 tensors, of whole numbers int64 ones.
    """

    arguments: ClassVar[tuple[str, ...]]
    leaves: ClassVar[tuple[str, ...]] = ()
    """Arguments whose gradient is looked at, under their own names."""

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The result and the gradients of its sum; zeros where none arrives."""
        import torch

        given = {name: self.tensor(name, instance[name]) for name in self.arguments}
        out = fn(*given.values())
        if isinstance(out, torch.Tensor) and out.requires_grad:
            out.sum().backward()
        grads = {name: given[name].grad for name in self.leaves}
        return {
            "result": out,
            **{name: torch.zeros_like(given[name]) if g is None else g for name, g in grads.items()},
        }

    def tensor(self, name: str, value: Any) -> Any:
        """An argument as the function gets it."""
        import torch

        if not isinstance(value, (list, np.ndarray)):
            return value
        whole = np.asarray(value).dtype.kind in "iu"
        dtype = torch.int64 if whole else torch.float64
        return torch.tensor(np.asarray(value), dtype=dtype, requires_grad=name in self.leaves and not whole)


class PartlyRandom(ValueExercise):
    """Parts are compared with the reference's; once they are right, a judge reads the rest, which is random."""

    @property
    def false_fail(self) -> float:  # type: ignore[override]
        """That of the judge."""
        return self._judge().false_fail

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """The parts, then what is random."""
        verdict = super().judge(instance, answer, expected)
        return self._judge().judge(instance, answer, expected) if verdict.right else verdict

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """The judge's."""
        return self._judge().judge_error(instance, answer)
