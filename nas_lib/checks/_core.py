"""The framework of all checks: an exercise makes instances, a probe drives the learner's code, a judge
compares plain data.

Probe and judge share nothing but JSON, so the same exercise serves the learner's notebook (both in one
process, public instances, stored expectations) and grading (the probe in the learner's process, the judge
outside, fresh seeds). This module knows no exercise, no notebook and no sandbox: lessons' modules hold the
first, the grader brings the others.

How grading uses it:

    in the learner's process                          outside of it
    message = run_probe(exercise, fn, instance,       reply = serve(oracle, message)         for each call
                        RemoteOracle(send))           answer = read_answer(message, oracle, seconds)
                                                      verdict = grade(exercise, transport, references, seed)

An instance is a dict of plain data. Keys that begin with "_" (an objective's secret seed) stay with the judge
and the oracle: `public_part` is what may cross into the learner's process.
"""

from __future__ import annotations

import contextlib
import copy
import difflib
import hashlib
import importlib
import json
import linecache
import math
import os
import re
import signal
import sys
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, FunctionType, TracebackType
from typing import Any, NamedTuple, Protocol

import numpy as np

from nas_lib.checks._codec import NotPlainData, decode, describe, encode, roundtrip

__all__ = [
    "PUBLIC_SEED",
    "Answer",
    "Call",
    "ConceptQuestion",
    "Exercise",
    "InProcess",
    "Instance",
    "NotPlainData",
    "Oracle",
    "RemoteOracle",
    "Report",
    "Transport",
    "Unacceptable",
    "Verdict",
    "check",
    "decode",
    "describe",
    "encode",
    "exercise",
    "exercises",
    "grade",
    "grading_seed",
    "hidden",
    "lessons",
    "public_part",
    "public_text",
    "read_answer",
    "reference_answers",
    "register",
    "roundtrip",
    "run_probe",
    "serve",
    "show",
    "verdicts",
    "write_public",
]

Instance = dict[str, Any]
"""One concrete problem: plain data, different for each seed. `"about"` may name it in a phrase for
messages."""

PUBLIC_SEED = 20_190_220
"""Seed of the instances in the learner's notebook; grading uses others."""

PUBLIC_FOLDER = Path(__file__).resolve().parents[1] / "assets" / "checks"

MESSAGE = 400  # characters of a message; the rest is cut
_PRIVATE = "_"


# ------------------------------------------------------------------------------------------ what crosses


class Call(NamedTuple):
    """One entry of an oracle's log: method, arguments and what was answered, or why it was refused."""

    method: str
    args: tuple[Any, ...]
    value: Any = None
    refused: str | None = None


@dataclass(frozen=True)
class Answer:
    """What came back from one probe.

    Args:
        value: the plain data that the probe returned.
        error: what went wrong instead, in one line that begins with the exception's name: "TypeError: … (line
            3: `code`)".
        calls: the oracle's own log, kept outside the learner's process.
        seconds: wall time of the probe.
    """

    value: Any = None
    error: str | None = None
    calls: Sequence[Call] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def error_type(self) -> str:
        """Name of the exception in `error`; "" where nothing went wrong."""
        return (self.error or "").partition(":")[0].strip()


@dataclass(frozen=True)
class Verdict:
    """What a judge says of one answer: score from 0 to 1, the concept that is wrong ("" when none is), and
    why."""

    score: float
    concept: str = ""
    message: str = ""

    @property
    def right(self) -> bool:
        """Full marks?"""
        return self.score >= 1.0


RIGHT = Verdict(1.0)


class Unacceptable(Exception):
    """Raised by helpers of a judge as soon as the verdict is clear."""

    def __init__(self, concept: str, message: str, score: float = 0.0) -> None:
        super().__init__(message)
        self.verdict = Verdict(score, concept, message)


# ---------------------------------------------------------------------------------------------- exercise


class Exercise(ABC):
    """One exercise: problems, how to drive the learner's code on them, and how to judge what comes back.

    Subclasses set `name` and `lesson`. The probe runs in the learner's process and knows no expected value;
    the judge runs outside and sees plain data only. An instance with the key `"bad"` (a phrase such as
    "a budget of 0") is bad input: the probe reports `raised(...)`, and `judge_bad` takes `BAD_INPUT` off
    where no clear error was raised.
    """

    name: str
    lesson: str
    hides: tuple[str, ...] = ()
    """The library's counterparts ("nas_lib.spaces:CellSpace.index"), switched off while the probe runs."""
    has_reference = True
    """False where the judge needs no reference answer: nothing is computed or stored then."""
    false_fail: float = 0.0
    """How likely bad luck fails right code, at most; 0 where everything is exact. `_stats` has proven bounds."""

    @abstractmethod
    def instances(self, seed: int) -> list[Instance]:
        """The problems for this seed, simplest first."""

    def oracle(self, instance: Instance) -> Oracle | None:
        """What answers the learner's calls of the objective on this instance; None where there is none."""
        return None

    @abstractmethod
    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """Drive the learner's `fn` on the public part of `instance`; return plain data."""

    @abstractmethod
    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Judge an answer without error; `expected` is the reference's. May raise `Unacceptable`."""

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """Judge an answer with an error. The default gives 0 and says what was raised."""
        return error_verdict(instance, answer)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.lesson}/{self.name}>"


BAD_INPUT = 0.25
"""What a missing error on bad input costs. It can only cost: code in the learner's process could print an
error."""

# An error that nobody raised on purpose does not tell a caller which argument is wrong.
_ACCIDENTS = frozenset(
    [
        "NotImplementedError",
        "NameError",
        "AttributeError",
        "ZeroDivisionError",
        "RecursionError",
        "StopIteration",
        "MemoryError",
    ]
)

# Nor does an error of arithmetic, indexing or shapes that went wrong with what was passed in, whatever its class.
_ACCIDENTAL = re.compile(
    r"math domain error|expected a (positive|nonnegative) input|expected argument value > -1|math range error"
    r"|cannot convert float (NaN|infinity)|out of bounds for (axis|dimension)|index out of range in self"
    r"|(max|min)\(\) (arg is an empty sequence|iterable argument is empty)|arg(max|min) of an empty sequence"
    r"|truth value of an (empty )?array"
    r"|len\(\) of (a 0-d tensor|unsized object)|too many indices for|setting an array element with a sequence"
    r"|(inconsistent|The expanded size of the) tensor|size of tensor a \(|size mismatch, got input"
    r"|cannot sample n_sample|^a <= 0$"
)


def raised(call: Callable[[], Any]) -> dict[str, Any]:
    """What a probe returns on bad input: the names of the exception's classes and its text, or what was
    returned."""
    try:
        value = call()
    except Exception as error:
        return {"raised": [kind.__name__ for kind in type(error).__mro__], "text": _text_of(error)}
    try:
        return {"raised": None, "returned": repr(value)[:80]}
    except Exception:
        return {"raised": None, "returned": describe(value)}


def judge_bad(instance: Instance, answer: Answer) -> Verdict:
    """Verdict on bad input: any error raised on purpose is fine; no error, or an accidental one, costs
    `BAD_INPUT`."""
    what = instance["bad"]
    partly = 1.0 - BAD_INPUT
    if answer.error_type == "OutOfTime":
        return Verdict(
            partly,
            "accepts-bad-input",
            f"with {what} your code never ends: raise a ValueError before you start",
        )
    if answer.error is not None:
        return error_verdict(instance, answer)
    names = answer.value.get("raised") if isinstance(answer.value, dict) else None
    if names is None:
        returned = answer.value.get("returned") if isinstance(answer.value, dict) else ""
        return Verdict(
            partly,
            "accepts-bad-input",
            f"{what} is accepted (it returned {show(returned, quote=False)}): raise a ValueError instead",
        )
    names = [str(name) for name in names] if isinstance(names, list) and names else ["?"]
    if "NotImplementedError" in names:
        return not_implemented()
    if "Endless" in names:
        return Verdict(
            partly,
            "accepts-bad-input",
            f"with {what} your code never ends: raise a ValueError before you start",
        )
    text = answer.value.get("text")
    if "Refused" in names:  # a ValueError too, but the objective's own
        return Verdict(
            partly,
            "accepts-bad-input",
            f"{what} is accepted ({clean(str(text))}): raise a ValueError instead",
        )
    found = _ACCIDENTAL.search(text) if isinstance(text, str) else None
    accidental = [name for name in names if name in _ACCIDENTS] + ([f'"{found.group()}"'] if found else [])
    if accidental:
        return Verdict(
            partly,
            "accepts-bad-input",
            f"{what} ends in {clean(accidental[0])}, an accident that does not name the argument: "
            "raise a ValueError that does",
        )
    return RIGHT


def not_implemented() -> Verdict:
    """The verdict on a stub."""
    return Verdict(0.0, "not-implemented", "not implemented yet")


def error_verdict(instance: Instance, answer: Answer) -> Verdict:
    """The general verdict on code that raised, hung, or returned what is no plain data."""
    kind, text = answer.error_type, clean(answer.error or "")
    about = f" (on {instance['about']})" if instance.get("about") else ""
    if kind == "NotImplementedError":
        return not_implemented()
    if kind == "NotPlainData":
        return Verdict(0.0, "wrong-type", text.partition(":")[2].strip() + about)
    if kind == "OutOfTime":
        return Verdict(0.0, "too-slow", text.partition(":")[2].strip() + about)
    if kind == "RuntimeError" and "library's own version" in text:
        return Verdict(0.0, "uses-the-library", f"{text.partition(':')[2].strip()}: write it yourself")
    if kind == "Missing":
        return Verdict(0.0, "missing", text.partition(":")[2].strip())
    return Verdict(0.0, "raises", f"your code raised {text}{about}")


def show(value: Any, limit: int = 70, quote: bool = True) -> str:
    """A value in a message: short, on one line, floats without noise."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if type(value) is float:
        text = f"{value:.6g}"
    elif type(value) is list and value and all(type(item) in (int, float) for item in value):
        text = f"[{', '.join(show(item) for item in value[:8])}{', …' if len(value) > 8 else ''}]"
    else:
        text = repr(value) if quote else str(value)
    text = clean(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def clean(text: str) -> str:
    """Text as one printable line of bounded length."""
    line = " ".join(str(text).split())
    line = "".join(character for character in line if character.isprintable())
    return line if len(line) <= MESSAGE else line[: MESSAGE - 1] + "…"


# ---------------------------------------------------------------------------------------------- registry

_LESSONS: dict[str, dict[str, Exercise]] = {}
_MODULES = {
    "00_start_here": "start_here",
    "01_random_search": "random_search",
    "02_evolution_and_early_stopping": "evolution",
    "03_rl_controller": "rl_controller",
    "04_darts": "darts",
    "05_supernet": "supernet",
    "06_hardware_aware": "hardware_aware",
    "07_compound_scaling": "compound_scaling",
}


def register(*new: Exercise) -> None:
    """Add exercises to the registry; lessons' modules call it once, at import.

    Raises:
        ValueError: an exercise of that name is registered already, in any lesson.
    """
    for item in new:
        if any(item.name in known for known in _LESSONS.values()):
            raise ValueError(f"exercise {item.name!r} is registered twice")
        _LESSONS.setdefault(item.lesson, {})[item.name] = item


def _load(lesson: str) -> None:
    if lesson in _MODULES:
        importlib.import_module(f"nas_lib.checks.{_MODULES[lesson]}")


def lessons() -> list[str]:
    """Lessons that have checks, in teaching order."""
    return sorted({*_MODULES, *_LESSONS})


def exercises(lesson: str) -> dict[str, Exercise]:
    """The exercises of a lesson by name, in the lesson's order.

    Raises:
        ValueError: there is no such lesson.
    """
    _load(lesson)
    if lesson not in _LESSONS:
        raise ValueError(f"lesson must be one of {', '.join(lessons())}, got {lesson!r}")
    return dict(_LESSONS[lesson])


def exercise(name: str, lesson: str | None = None) -> Exercise:
    """The exercise of that name, in any lesson or in the one given.

    Raises:
        ValueError: there is no such exercise; the message names the closest.
    """
    found = {key: item for one in ([lesson] if lesson else lessons()) for key, item in exercises(one).items()}
    if name not in found:
        close = difflib.get_close_matches(str(name), found, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else f" There are {', '.join(found)}."
        raise ValueError(f"name must be an exercise of {lesson or 'a lesson'}, got {name!r}.{hint}")
    return found[name]


# ------------------------------------------------------------------------------------------------ oracle


class Refused(ValueError):
    """An oracle's refusal, raised inside the learner's code: the argument is wrong, or the budget is
    spent."""


class Oracle:
    """Answers a learner's calls from outside the learner's process, and keeps the log that counts.

    Args:
        methods: what can be called, by name: functions of plain data that return plain data. They may raise
            `Refused`.
        limit: calls that are answered; later ones are logged and refused, so that a runaway loop ends.
    """

    def __init__(self, methods: Mapping[str, Callable[..., Any]], limit: int = 100_000) -> None:
        self._methods = dict(methods)
        self._limit = limit
        self.calls: list[Call] = []

    def call(self, method: str, *args: Any) -> Any:
        """Answer one call with plain data.

        Raises:
            Refused: no such method, an argument that the method rejects, or too many calls.
        """
        try:
            if method not in self._methods:
                raise Refused(f"there is no {show(method)} here")
            if len(self.calls) >= self._limit:
                raise Refused(f"the objective was called more than {self._limit} times")
            try:
                value = self._methods[method](*args)
            except TypeError:
                raise Refused(f"{method} was called with {show(list(args))}") from None
        except Refused as refusal:
            if len(self.calls) < 2 * self._limit:
                self.calls.append(Call(str(method), args, None, str(refusal)))
            raise
        self.calls.append(Call(method, args, value))
        return value


def serve(oracle: Oracle | None, message: Any) -> dict[str, Any]:
    """Answer a message of a `RemoteOracle` (any JSON at all): {"value": …} or {"error": …}. Never raises."""
    try:
        if oracle is None:
            raise Refused("this exercise has no objective")
        if (
            type(message) is not dict
            or type(message.get("method")) is not str
            or type(message.get("args")) is not list
        ):
            raise Refused("malformed call")
        return {"value": encode(oracle.call(message["method"], *decode(message["args"])))}
    except (Refused, ValueError, NotPlainData, RecursionError) as error:
        return {"error": clean(str(error))}


class RemoteOracle:
    """The learner's side of an oracle. `send` takes a message (JSON-able dict) to `serve` and brings back its
    reply."""

    def __init__(self, send: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._send = send

    def call(self, method: str, *args: Any) -> Any:
        """Call a method of the oracle with plain data.

        Raises:
            Refused: the oracle refuses, or an argument is no plain data.
        """
        try:
            wanted = encode(list(args))
        except NotPlainData:
            raise Refused(f"{method} was called with {', '.join(describe(arg) for arg in args)}") from None
        reply = self._send({"method": method, "args": wanted})
        if "error" in reply:
            raise Refused(reply["error"])
        return decode(reply["value"])

    def objective(self, arch: Any) -> float:
        """The value of one architecture, to be maximised."""
        return float(self.call("objective", arch))


# ------------------------------------------------------------------------------------- the learner's side


class OutOfTime(BaseException):
    """Raised inside the learner's code when its time is up. No Exception, so that `except Exception` lets it
    pass."""


class Endless(RuntimeError):
    """Raised by an instance's space or generator when the learner's loop has drawn from it far too often."""


def public_part(instance: Instance) -> Instance:
    """The instance as the learner's process may see it: without the keys that begin with "_"."""
    return {key: value for key, value in instance.items() if not key.startswith(_PRIVATE)}


def run_probe(
    exercise: Exercise, fn: Any, instance: Instance, oracle: RemoteOracle | None = None
) -> dict[str, Any]:
    """Probe the learner's `fn` on one instance, in the learner's process: {"value": …} or {"error": "…"},
    JSON-able.

    Whatever Exception the learner's code raises becomes one line; what no code should swallow
    (KeyboardInterrupt, a time limit's BaseException) passes. The library's counterparts of the exercise are
    switched off meanwhile.
    """
    given = public_part(instance)
    try:
        if not isinstance(exercise, ConceptQuestion) and not callable(fn):
            raise _Missing(f"{exercise.name} is {describe(fn)}, not a function: pass its name, not a call")
        with hidden(exercise):
            value = exercise.probe(fn, given, oracle)
        return {"value": encode(value)}
    except (Exception, SystemExit) as error:  # `exit()` in an exercise is the learner's mistake, not the end
        return {"error": explain(error, fn)}


class _Missing(Exception):
    pass


def read_answer(message: Any, oracle: Oracle | None = None, seconds: float = 0.0) -> Answer:
    """What `run_probe` said, as it arrives outside: any JSON at all. Never raises."""
    calls = list(oracle.calls) if oracle is not None else []
    if type(message) is dict and isinstance(message.get("error"), str):
        return Answer(error=clean(message["error"]), calls=calls, seconds=seconds)
    try:
        if type(message) is not dict or "value" not in message:
            raise ValueError("no answer came back")
        return Answer(decode(message["value"]), calls=calls, seconds=seconds)
    except (ValueError, RecursionError) as error:
        return Answer(error=f"NotPlainData: {clean(str(error))}", calls=calls, seconds=seconds)


def explain(error: BaseException, fn: Any = None) -> str:
    """An exception in one line, with the line of the learner's own code where it was raised."""
    name = type(error).__name__.lstrip("_")
    text = f"{name}: {clean(_text_of(error))}"
    if isinstance(error, (NotPlainData, _Missing, NotImplementedError)):
        return text
    place = _place(error.__traceback__, fn)
    return clean(f"{text} ({place})" if place else text)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)[:MESSAGE]
    except Exception:  # a learner's exception class may not even print
        return "(no message)"


def _place(trace: TracebackType | None, fn: Any) -> str:
    code = getattr(fn, "__code__", None) or getattr(getattr(fn, "__init__", None), "__code__", None)
    frames = traceback.extract_tb(trace)
    own = [frame for frame in frames if code is not None and frame.filename == code.co_filename]
    own = own or [frame for frame in frames if not _is_library(frame.filename)]
    if not own:
        return ""
    line = (own[-1].line or linecache.getline(own[-1].filename, own[-1].lineno or 0)).strip()
    return f"line {own[-1].lineno}: `{line[:80]}`" if line else f"line {own[-1].lineno}"


_LIBRARY = str(Path(__file__).resolve().parents[1])
_PREFIXES = (_LIBRARY, sys.prefix, sys.base_prefix)


def _is_library(filename: str) -> bool:
    return filename.startswith(_PREFIXES) or filename.startswith("<frozen")


def _switched_off(*args: Any, **kwargs: Any) -> Any:
    # Runs as the body of library functions, so it can use no name of this module.
    raise RuntimeError("the library's own version of this exercise is switched off while yours is checked")


@contextlib.contextmanager
def hidden(exercise: Exercise) -> Iterator[None]:
    """Switch the library's counterparts of an exercise off: calling one raises, however it was imported or
    bound.

    The function's code object is exchanged, not its name, so references taken earlier are switched off as
    well.
    """
    functions = [function for name in exercise.hides if (function := _function(name)) is not None]
    codes = [function.__code__ for function in functions]
    try:
        for function in functions:
            function.__code__ = _switched_off.__code__
        yield
    finally:
        for function, code in zip(functions, codes):
            function.__code__ = code


def _function(name: str) -> FunctionType | None:
    """The plain Python function that "module:Class.method" names; None where the library has none (any
    more)."""
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = vars(found)[part]
    except (ImportError, KeyError, TypeError):
        return None
    found = (
        getattr(found, "__func__", None)
        or getattr(found, "fget", None)
        or getattr(found, "__wrapped__", None)
        or found
    )
    return found if isinstance(found, FunctionType) and not found.__code__.co_freevars else None


# -------------------------------------------------------------------------------------------- transports


class Transport(Protocol):
    """How a probe reaches the learner's code: in this process, in a subprocess, in a sandbox."""

    def collect(self, exercise: Exercise, target: str, instances: Sequence[Instance]) -> list[Answer]:
        """Probe what the learner calls `target` on each instance; one answer each, in order. Never raises for
        what the learner's code does."""
        ...


class InProcess:
    """A transport within this process. Values still go through JSON, so that it shows what grading would see.

    Args:
        namespace: the learner's names (or a module): where `target` is looked up.
        seconds: CPU time limit per instance. It needs a POSIX main thread (a notebook's kernel is one); elsewhere
            there is none.
    """

    def __init__(self, namespace: Any, seconds: float | None = 20.0) -> None:
        self._namespace = namespace if isinstance(namespace, Mapping) else vars(namespace)
        self._seconds = seconds

    def collect(self, exercise: Exercise, target: str, instances: Sequence[Instance]) -> list[Answer]:
        """One answer per instance."""
        return [self._answer(exercise, target, instance) for instance in instances]

    def _answer(self, exercise: Exercise, target: str, instance: Instance) -> Answer:
        if target not in self._namespace:
            return Answer(error=f"Missing: {target} is not defined")
        oracle = exercise.oracle(copy.deepcopy(instance))
        remote = RemoteOracle(lambda message: _through_json(serve(oracle, _through_json(message))))
        given = decode(_through_json(encode(public_part(instance))))
        started = time.perf_counter()
        try:
            with _alarm(self._seconds):
                message = run_probe(
                    exercise, self._namespace[target], given, remote if oracle is not None else None
                )
        except OutOfTime:
            message = {
                "error": f"OutOfTime: your code took more than {self._seconds:g} s: does a loop never end?"
            }
        return read_answer(_through_json(message), oracle, time.perf_counter() - started)


def _through_json(data: Any) -> Any:
    return json.loads(json.dumps(data))


@contextlib.contextmanager
def _alarm(seconds: float | None) -> Iterator[None]:
    """Raise `OutOfTime` in the block after `seconds` of CPU time, or ten times as long by the clock, where the
    platform has such alarms. CPU time, since a busy machine must not make right code fail."""
    main = threading.current_thread() is threading.main_thread()
    if seconds is None or not hasattr(signal, "setitimer") or not main:
        yield
        return

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise OutOfTime

    alarms = (
        (signal.ITIMER_PROF, signal.SIGPROF, seconds),
        (signal.ITIMER_REAL, signal.SIGALRM, 10 * seconds),
    )
    before = [signal.signal(number, ring) for _, number, _ in alarms]
    try:
        for timer, _, limit in alarms:
            signal.setitimer(timer, limit)
        yield
    finally:
        for (timer, number, _), handler in zip(alarms, before):
            signal.setitimer(timer, 0.0)
            signal.signal(number, handler)


# ----------------------------------------------------------------------------------------------- judging


def grade(exercise: Exercise, transport: Transport, reference: Any, seed: int) -> Verdict:
    """Grade one exercise on the instances of `seed`: the worst instance decides.

    Args:
        exercise: the exercise.
        transport: reaches the learner's code.
        reference: the lesson's namespace with the reference implementations (`solutions.load(lesson)`).
        seed: see `grading_seed`.
    """
    instances = [roundtrip(instance) for instance in exercise.instances(seed)]
    answers = transport.collect(exercise, exercise.name, instances)
    expected = reference_answers(exercise, reference, instances)
    return worst(verdicts(exercise, instances, answers, expected))


def reference_answers(exercise: Exercise, reference: Any, instances: Sequence[Instance]) -> list[Answer]:
    """The reference's answers to `instances`; empty ones where the judge needs none.

    Raises:
        RuntimeError: the reference itself raised.
    """
    if not exercise.has_reference:
        return [Answer() for _ in instances]
    answers = InProcess(reference, seconds=None).collect(exercise, exercise.name, instances)
    for answer in answers:
        if answer.error is not None:
            raise RuntimeError(f"the reference of {exercise.name} failed: {answer.error}")
    return answers


def verdicts(
    exercise: Exercise, instances: Sequence[Instance], answers: Sequence[Answer], expected: Sequence[Answer]
) -> list[Verdict]:
    """One verdict per instance. Weird answers get 0; they never raise."""
    found = [_verdict(exercise, *three) for three in zip(instances, answers, expected)]
    if len(answers) < len(instances):
        found.append(Verdict(0.0, "missing", "no answer came back"))
    return found


def _verdict(exercise: Exercise, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
    try:
        if "bad" in instance:
            verdict = judge_bad(instance, answer)
        elif answer.error is not None:
            verdict = exercise.judge_error(instance, answer)
        elif answer.value is None and not isinstance(exercise, ConceptQuestion):
            verdict = Verdict(0.0, "returns-nothing", "nothing came back: is there a return statement?")
        else:
            verdict = exercise.judge(instance, answer, expected)
    except Unacceptable as found:
        verdict = found.verdict
    except Exception as error:  # plain data can be anything: what a judge cannot read is wrong
        what = type(error).__name__
        verdict = Verdict(
            0.0, "unreadable", f"what came back cannot be read as an answer to {exercise.name} ({what})"
        )
    score = float(verdict.score)
    return Verdict(
        min(1.0, max(0.0, score)) if math.isfinite(score) else 0.0, verdict.concept, clean(verdict.message)
    )


def worst(found: Sequence[Verdict]) -> Verdict:
    """The lowest verdict, the earliest of equals; 0 where there is none."""
    return min(
        found, key=lambda verdict: verdict.score, default=Verdict(0.0, "missing", "no answer came back")
    )


def grading_seed(secret: str, lesson: str, exercise: str) -> int:
    """Seed of an exercise's grading instances: the same for the whole class, unknown without the course's
    secret."""
    text = json.dumps([secret, lesson, exercise])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


# -------------------------------------------------------------------------------------- concept questions


class ConceptQuestion(Exercise):
    """A multiple-choice question. In the notebook only the answer's form is checked; the key stays with the
    grader.

    Args:
        name: the variable that the learner assigns, such as "concept_01_1".
        lesson: the lesson's name.
        options: the letters, such as "abcd".
    """

    def __init__(self, name: str, lesson: str, options: str = "abcd") -> None:
        self.name, self.lesson, self.options = name, lesson, options

    def instances(self, seed: int) -> list[Instance]:
        """One instance, the question itself."""
        return [{}]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The learner's answer as it is."""
        return fn

    def letter(self, value: Any) -> str:
        """The option that `value` names: "b", " B ", "b)" and "(b)" are all b. Raises `Unacceptable` for
        anything else."""
        if value is None:
            raise Unacceptable("not-implemented", "not answered yet")
        letter = value.strip(" \t\n().:").lower() if type(value) is str else ""
        if len(letter) != 1 or letter not in self.options:
            wanted = ", ".join(f'"{option}"' for option in self.options)
            raise Unacceptable(
                "not-an-option", f"the answer is one letter out of {wanted}, not {show(value)}"
            )
        return letter

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Right or wrong; without a key (in the notebook) any option will do."""
        letter = self.letter(answer.value)
        if expected.value is None or letter == self.letter(expected.value):
            return RIGHT
        return Verdict(0.0, "wrong-option", f'"{letter}" is not the right option: read the recap again')


# ------------------------------------------------------------------------------------- the learner's entry


@dataclass(frozen=True, repr=False)
class Report:
    """What `check` found. It shows as nothing, since everything has been printed."""

    name: str
    right: bool
    verdicts: tuple[Verdict, ...] = ()

    def __repr__(self) -> str:
        return ""

    def _ipython_display_(self) -> None:
        return None


def check(name: str, fn: Any, *, lesson: str | None = None) -> Report:
    """Check your own `fn` on the public instances of exercise `name`, and print what is right or wrong about
    it.

    For a concept question `fn` is your answer, and only its form is checked. Grading uses other instances of
    the same kind. Prints to standard output; wrong answers raise nothing.

    Args:
        name: the exercise's name.
        fn: your function (or class, or answer): the thing itself, not a call of it.
        lesson: only where two lessons have an exercise of this name.

    Raises:
        ValueError: there is no such exercise.
        RuntimeError: nbgrader's autograding executes this cell; nothing can be earned here.
        AssertionError: nbgrader's Validate executes this cell and something is wrong.
    """
    mode = os.environ.get("NBGRADER_EXECUTION")
    if mode and mode != "validate":
        # Code in the learner's process must never decide what the learner earns.
        raise RuntimeError("checks earn nothing here: grade with `nas-course grade`")
    report = _report(exercise(name, lesson), fn)
    if mode == "validate" and not report.right:
        raise AssertionError(
            "; ".join(dict.fromkeys(item.message for item in report.verdicts if not item.right))
        )
    return report


def _report(item: Exercise, fn: Any) -> Report:
    try:
        stored = read_public(item.lesson)[item.name]
    except (OSError, ValueError, KeyError):
        _say(f"– {item.name}: its public checks are missing from this nas_lib; install it again")
        return Report(item.name, False, (Verdict(0.0, "missing", "the public checks are missing"),))
    instances = [instance for instance, _ in stored]
    # Progress bars and warnings go to stderr, which a notebook paints red and nbgrader takes for an error.
    with contextlib.redirect_stderr(sys.stdout):
        answers = InProcess({item.name: fn}).collect(item, item.name, instances)
    found = verdicts(item, instances, answers, [expected for _, expected in stored])
    report = Report(item.name, worst(found).right, tuple(found))
    for line in _lines(item, found, fn):
        _say(line)
    return report


def _lines(item: Exercise, found: Sequence[Verdict], fn: Any) -> list[str]:
    wrong = sorted((verdict for verdict in found if not verdict.right), key=lambda verdict: verdict.score)
    if not wrong and isinstance(item, ConceptQuestion):
        return [f'✓ {item.name}: "{item.letter(fn)}" is an answer; whether it is right, grading will tell']
    if not wrong:
        count = f"all {len(found)} cases" if len(found) > 1 else "the case"
        return [f"✓ {item.name}: right in {count} tried here (grading tries others of the same kind)"]
    if wrong[0].concept == "not-implemented":
        return [f"○ {item.name}: {wrong[0].message}"]
    # Missing errors on bad input are worth a word once the rest works.
    main = [verdict for verdict in wrong if verdict.score == 0] or wrong
    by_concept = {verdict.concept: verdict for verdict in reversed(main)}
    first = sorted(by_concept.values(), key=wrong.index)[:3]
    lines = [f"✗ {item.name}: {verdict.message}" for verdict in first]
    if all(verdict.score > 0 for verdict in wrong):
        lines.append("  The rest is right; this costs a part of the points.")
    return [
        *lines,
        f"  ({len(wrong)} of {len(found)} cases. Edit your cell, run it, then run this cell again.)",
    ]


def _say(line: str) -> None:
    try:
        print(line)
    except UnicodeEncodeError:  # a console that knows no ✓
        print(line.replace("✓", "[ok]").replace("✗", "[wrong]").encode("ascii", "replace").decode())


# ---------------------------------------------------------------------------------------- public instances


def write_public(lesson: str, reference: Any, folder: Path | str | None = None) -> Path:
    """Write a lesson's public instances with the reference's answers; the same bytes each time.

    Concept questions get no answer: the key never leaves the grader.

    Args:
        lesson: the lesson's name.
        reference: namespace with the reference implementations (`solutions.load(lesson)`).
        folder: where `<lesson>.json` goes, by default into `nas_lib/assets/checks`.

    Returns:
        The path written.
    """
    stored: dict[str, Any] = {}
    for name, item in exercises(lesson).items():
        instances = item.instances(PUBLIC_SEED)
        if isinstance(item, ConceptQuestion):
            expected = [Answer() for _ in instances]
        else:
            expected = reference_answers(item, reference, instances)
        stored[name] = [
            {"instance": encode(instance)}
            # What bad input should give is no secret and no reference's business.
            | (
                {"expected": encode(answer.value)}
                if answer.value is not None and "bad" not in instance
                else {}
            )
            for instance, answer in zip(instances, expected)
        ]
    path = Path(folder or PUBLIC_FOLDER) / f"{lesson}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(public_text({"lesson": lesson, "exercises": stored}), encoding="utf-8", newline="\n")
    return path


def public_text(data: dict[str, Any]) -> str:
    """What a file of public checks holds, one case per line: a changed case is one changed line in a diff."""
    text = json.dumps(data, indent=None, separators=(",", ":"), allow_nan=False)
    return text.replace('{"instance"', '\n{"instance"') + "\n"


def read_public(lesson: str, folder: Path | str | None = None) -> dict[str, list[tuple[Instance, Answer]]]:
    """A lesson's public instances with the reference's answers, by exercise.

    Raises:
        OSError: the file is missing.
        ValueError: it is no such file.
    """
    path = Path(folder or PUBLIC_FOLDER) / f"{lesson}.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: [(decode(case["instance"]), Answer(decode(case.get("expected")))) for case in cases]
        for name, cases in data["exercises"].items()
    }
