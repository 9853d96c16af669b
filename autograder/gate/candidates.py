"""What the sweep tries as the answer to an exercise: every callable of the library made for a lesson.

`sweep` hands this file to a session as a cell of a submission, so it runs in the sandbox and imports nothing of the
instructor's. From then on a probe of an exercise tries all of them, each with the arguments in several orders, and
answers with what came back without an error. Each batch runs in a process of its own, since some of them never end,
end the process, or change the library for those after them.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import gc
import importlib
import inspect
import itertools
import json
import os
import pkgutil
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from nas_lib import checks
from nas_lib.checks import probing

Attempt = tuple[str, Callable[..., Any]]

FILLERS = (max, min, sum, None, 0, 1, 2, 0.5)
"""What stands for one argument that a callable wants beyond those of the exercise."""
EXCLUDED = {
    "nas_lib.cli": "commands, which read files and print",
    "nas_lib.doctor": "looks at the machine, and starts processes",
    "nas_lib.plotting": "draws figures, a tenth of a second each",
}
"""Modules whose callables are not tried, and why."""
REFERENCE = "the reference"
BATCH = 1_000  # attempts in one process
STILL_SECONDS = 20.0  # by the clock, after which a process that says nothing is killed
LEAST_SECONDS, TIMES_REFERENCE = 0.25, 4.0  # of CPU for one attempt
LATE = 2  # attempts of one callable that run out of time, and no more of it are tried
BYTES = 3 * 2**30  # of address space, beyond what is in use
DEPTH = 3  # of dicts and lists of a module that are looked through


# ------------------------------------------------------------------------------ what there is to try


def library_modules(whole: bool) -> list[ModuleType]:
    """All modules of the library, or those that are imported already."""
    importlib.import_module("torch")  # once, and not by each attempt that needs it
    if whole:
        package = importlib.import_module("nas_lib")
        for found in pkgutil.walk_packages(package.__path__, "nas_lib."):
            if found.name not in EXCLUDED and not found.name.endswith("__main__"):
                with contextlib.suppress(ImportError):
                    importlib.import_module(found.name)
    return [module for name, module in sorted(sys.modules.items()) if _ours(name) and name not in EXCLUDED]


def callables(modules: Iterable[ModuleType]) -> dict[str, Callable[..., Any]]:
    """Functions, classes, methods, functions within functions, and what objects and tables of the modules offer."""
    found: dict[str, Callable[..., Any]] = {}
    seen: set[Any] = set()
    for module in modules:
        for name, value in list(vars(module).items()):
            for label, one in _within(value, f"{module.__name__}:{name}", DEPTH):
                which = (one.__func__, id(one.__self__)) if isinstance(one, MethodType) else id(one)
                if which not in seen and not _excluded(one):
                    seen.add(which)
                    found[label] = one
    return found


def _ours(name: Any) -> bool:
    return isinstance(name, str) and (name == "nas_lib" or name.startswith("nas_lib."))


def _excluded(one: Any) -> bool:
    return getattr(one, "__module__", "") in EXCLUDED


def _within(value: Any, label: str, depth: int) -> Iterator[Attempt]:
    if isinstance(value, FunctionType):
        if _ours(value.__module__):
            yield label, value
            yield from _inner(value, value.__code__, label)
    elif isinstance(value, type):
        if _ours(value.__module__):
            yield label, value
            yield from _methods(value, label)
    elif isinstance(value, (ModuleType, BuiltinFunctionType)) or not depth:
        return
    elif isinstance(value, dict):
        for key, one in list(value.items()):
            yield from _within(one, f"{label}[{key!r}]", depth - 1)
    elif isinstance(value, (list, tuple)):
        for place, one in enumerate(value):
            yield from _within(one, f"{label}[{place}]", depth - 1)
    elif isinstance(value, functools.partial) or hasattr(value, "__wrapped__"):
        yield label, value
    elif _ours(type(value).__module__):
        yield from _bound(value, label)


def _inner(function: FunctionType, code: CodeType, label: str) -> Iterator[Attempt]:
    """Functions within a function that need none of its variables."""
    for one in code.co_consts:
        if isinstance(one, CodeType) and one.co_flags & inspect.CO_OPTIMIZED:
            inner = f"{label}.{one.co_name}"
            if not one.co_freevars and not one.co_name.endswith(("comp>", "genexpr>")):
                yield inner, FunctionType(one, function.__globals__)
            yield from _inner(function, one, inner)


def _methods(owner: type, label: str) -> Iterator[Attempt]:
    for name, value in list(vars(owner).items()):
        place = f"{label}.{name}"
        if isinstance(value, (staticmethod, classmethod)):
            yield place, getattr(owner, name)
        elif isinstance(value, property) and value.fget is not None:
            yield place, value.fget
        elif isinstance(value, functools.cached_property):
            yield place, value.func
        else:
            yield from _within(value, place, 1)


def _bound(value: Any, label: str) -> Iterator[Attempt]:
    for owner in type(value).__mro__:
        if _ours(owner.__module__):
            for name, one in list(vars(owner).items()):
                if isinstance(one, FunctionType):
                    yield f"{label}.{name}", MethodType(one, value)


# ------------------------------------------------------------------------------ with which arguments


def orders(count: int, whole: bool) -> list[tuple[int, ...]]:
    """Orders of so many arguments: all of up to three, else as they are and with two exchanged."""
    plain = tuple(range(count))
    if not whole:
        return [plain]
    if count <= 3:
        return list(itertools.permutations(plain))
    return [plain, *(_exchanged(plain, *pair) for pair in itertools.combinations(plain, 2))]


def _exchanged(plain: tuple[int, ...], i: int, j: int) -> tuple[int, ...]:
    order = list(plain)
    order[i], order[j] = order[j], order[i]
    return tuple(order)


def attempts(label: str, one: Callable[..., Any], parameters: Sequence[str], whole: bool) -> list[Attempt]:
    """A callable as a function of an exercise's parameters.

    In several orders, the last ones left out where it needs fewer, the last one made up where it needs one more, or by
    their names. Without `whole`: as they are, or with `max` as one more.
    """
    least, most, named = _takes(one)
    found: dict[tuple[Any, ...], Attempt] = {}
    for order in orders(len(parameters), whole):
        for count in range(1, len(order) + 1):
            some = order[:count]
            if least <= count <= most:
                found.setdefault(some, (f"{label}{_said(some, parameters)}", _calling(one, some, parameters)))
            if least == count + 1:
                for filler in FILLERS if whole else FILLERS[:1]:
                    text = f"{label}{_said(some, parameters, filler)}"
                    filled = _calling(one, some, parameters, (filler,))
                    found.setdefault((*some, repr(filler)), (text, filled))
    if named and set(named) <= set(parameters):
        places = tuple(parameters.index(name) for name in named)
        text = f"{label}({', '.join(f'{name}={name}' for name in named)})"
        found[("named",)] = (text, _calling(one, places, parameters, names=named))
    return list(found.values())


def _takes(one: Callable[..., Any]) -> tuple[int, float, list[str]]:
    """How many positional arguments it needs and takes at most, and all that it needs where one has to be named."""
    try:
        known = list(inspect.signature(one).parameters.values())
    except (TypeError, ValueError):
        return 0, 9, []
    needed = [each for each in known if each.default is each.empty and each.kind <= each.KEYWORD_ONLY]
    needed = [each for each in needed if each.kind != each.VAR_POSITIONAL]
    if any(each.kind == each.KEYWORD_ONLY for each in needed):
        return 99, 0, [each.name for each in needed]
    positional = sum(each.kind <= each.POSITIONAL_OR_KEYWORD for each in known)
    most = 99 if any(each.kind == each.VAR_POSITIONAL for each in known) else positional
    return len(needed), most, []


def _said(order: Sequence[int], parameters: Sequence[str], *fillers: Any) -> str:
    filled = [getattr(filler, "__name__", repr(filler)) for filler in fillers]
    return f"({', '.join([*(parameters[place] for place in order), *filled])})"


def _calling(
    one: Callable[..., Any],
    order: Sequence[int],
    parameters: Sequence[str],
    fillers: tuple[Any, ...] = (),
    names: Sequence[str] = (),
) -> Callable[..., Any]:
    """A function of the exercise's parameters, by its names for them: what it may change goes by those."""

    def answer(*args: Any, **kwargs: Any) -> Any:
        given = dict(zip(parameters, args)) | kwargs
        values = [given[parameters[place]] for place in order]
        if names:
            return one(**dict(zip(names, values)))
        return one(*values, *fillers)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    answer.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, kind) for name in parameters]
    )
    return answer


# ------------------------------------------------------------------------------ trying them


class Sweep:
    """Answers a probe with the answers of all callables.

    Args:
        whole: all modules and orders; else those modules that are imported already, and the arguments as they are.
    """

    def __init__(self, whole: bool) -> None:
        self._whole = whole
        self._callables = callables(library_modules(whole))

    def __call__(
        self, exercise: checks.Exercise, fn: Any, job: dict[str, Any], oracle: Any
    ) -> dict[str, Any]:
        """Stands for `run_probe`.

        Args:
            exercise: the exercise.
            fn: the reference, which is tried last: where it is not found, nothing would be.
            job: the "instance"; the "parameters" of the reference, None for a class; labels of what is "only" to be
                tried (empty: everything); whether there is an "oracle".
            oracle: gets the number of the attempt as first argument.

        Returns:
            How many were "tried", in how many "seconds" of CPU, and their "answers": (number of the attempt where
            there is an oracle, what `run_probe` said as JSON, labels of all that it said so of).
        """
        for timer in (signal.ITIMER_PROF, signal.ITIMER_REAL):
            signal.setitimer(timer, 0.0)
        began = _cpu_seconds()
        seconds = max(LEAST_SECONDS, TIMES_REFERENCE * _takes_itself(exercise, fn, job, oracle))
        gc.freeze()
        todo = [*self._attempts(job["parameters"], set(job["only"])), (REFERENCE, fn)]
        found: dict[tuple[int | None, str], list[str]] = {}
        place = 0
        while place < len(todo):
            batch = todo[place : place + BATCH]
            lines = _apart(_tried(exercise, batch, place, job | {"seconds": seconds}, oracle))
            done = 0
            for done, line in enumerate(lines, start=1):
                if line:
                    key = (place + done - 1 if job["oracle"] else None, line)
                    found.setdefault(key, []).append(todo[place + done - 1][0])
            place += done if done == len(batch) else done + 1  # the next one ended the process, or never ends
        return {
            "tried": len(todo) - 1,
            "seconds": _cpu_seconds() - began,
            "answers": [[*key, labels] for key, labels in found.items()],
        }

    def _attempts(self, parameters: list[str] | None, only: set[str]) -> list[Attempt]:
        if parameters is None:
            made: list[Attempt] = [
                (label, one) for label, one in self._callables.items() if isinstance(one, type)
            ]
        else:
            made = [
                attempt
                for label, one in self._callables.items()
                for attempt in attempts(label, one, parameters, self._whole)
            ]
        return [(label, one) for label, one in made if not only or label in only]


def _apart(work: Iterator[str]) -> Iterator[str]:
    """The lines that `work` gives in a process of its own, until it ends, or is silent for too long."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read)
            for line in work:
                data = memoryview(f"{line}\n".encode())
                while data:
                    data = data[os.write(write, data) :]
        finally:
            os._exit(0)
    os.close(write)
    unread = b""
    try:
        while select.select([read], [], [], STILL_SECONDS)[0] and (block := os.read(read, 1 << 18)):
            *lines, unread = (unread + block).split(b"\n")
            yield from map(bytes.decode, lines)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(read)


def _tried(
    exercise: checks.Exercise, batch: Sequence[Attempt], first: int, job: dict[str, Any], oracle: Any
) -> Iterator[str]:
    """What came of each attempt, as JSON; an empty line for an error or nothing, unless it is asked for."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + BYTES, hard))
    late: dict[str, int] = {}
    for number, (label, fn) in enumerate(batch, start=first):
        name = label.partition("(")[0]
        own = _Numbered(oracle, number) if job["oracle"] else None
        message: dict[str, Any] = {"error": "OutOfTime: as others of it"}
        if late.get(name, 0) < LATE:
            try:
                with _alarm(job["seconds"]):
                    message = _answer(exercise, fn, copy.deepcopy(job["instance"]), own, bool(job["only"]))
            except probing.OutOfTime:
                late[name] = late.get(name, 0) + 1
            except BaseException as error:
                message = {"error": probing.explain(error)}
        nothing = "error" in message or (message["value"] is None and not exercise.none_is_answer)
        yield "" if nothing and not job["only"] else json.dumps(message)


def _answer(
    exercise: checks.Exercise, fn: Any, instance: dict[str, Any], oracle: Any, held: bool
) -> dict[str, Any]:
    """What `run_probe` says; at first without what it holds, which takes far longer than most attempts."""
    if held:
        return RUN_PROBE(exercise, fn, instance, oracle)
    return {"value": checks.encode(exercise.probe(fn, instance, oracle))}


def _takes_itself(exercise: checks.Exercise, fn: Any, job: dict[str, Any], oracle: Any) -> float:
    """Seconds of CPU for the reference, once all that it imports is there, for every process that begins here."""
    for number in (-2, -1):
        began = time.process_time()
        own = _Numbered(oracle, number) if job["oracle"] else None
        RUN_PROBE(exercise, fn, copy.deepcopy(job["instance"]), own)
    return time.process_time() - began


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise OutOfTime in the block after so many seconds of CPU, however long the machine takes for them."""

    def ring(*_: Any) -> None:
        raise probing.OutOfTime

    signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)


def _cpu_seconds() -> float:
    """Of this process and of those that it has waited for."""
    return sum(os.times()[:4])


def _address_space() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


class _Numbered(checks.RemoteOracle):
    """An oracle that says which attempt asks."""

    def __init__(self, oracle: checks.RemoteOracle, number: int) -> None:
        self._oracle, self._number = oracle, number

    def call(self, method: str, *args: Any) -> Any:
        """Call a method, with the number in front."""
        return self._oracle.call(method, self._number, *args)


RUN_PROBE = checks.run_probe
