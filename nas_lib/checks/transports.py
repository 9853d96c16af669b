"""How a probe reaches the learner's code: in this process, in a subprocess, in a sandbox."""

from __future__ import annotations

import contextlib
import copy
import json
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType
from typing import Any, Protocol

from nas_lib.checks.codec import decode, encode
from nas_lib.checks.exercise import Answer, Exercise, Instance, public_part
from nas_lib.checks.hiding import hidden
from nas_lib.checks.oracles import RemoteOracle, serve
from nas_lib.checks.probing import OutOfTime, read_answer, run_probe


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
        seconds: limit per instance of the main thread's CPU time. It needs a POSIX main thread (a notebook's kernel
            is one); elsewhere there is none.
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
            with hidden(exercise):
                message = run_probe(
                    exercise,
                    self._namespace[target],
                    given,
                    remote if oracle is not None else None,
                    alarm(self._seconds),
                )
        except OutOfTime:
            message = {
                "error": f"OutOfTime: your code took more than {self._seconds:g} s: does a loop never end?"
            }
        return read_answer(_through_json(message), oracle, time.perf_counter() - started)


def _through_json(data: Any) -> Any:
    return json.loads(json.dumps(data))


@contextlib.contextmanager
def alarm(seconds: float | None) -> Iterator[None]:
    """Raise `OutOfTime` in the block after `seconds` of this thread's CPU time, or ten times as long by the clock,
    where the platform has such alarms. CPU time, since a busy machine must not make right code fail; this thread's,
    since many cores that wait for each other spend a lot of it."""
    main = threading.current_thread() is threading.main_thread()
    if seconds is None or not hasattr(signal, "setitimer") or not main:
        yield
        return

    began = time.thread_time()

    def ring(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGALRM or time.thread_time() - began >= seconds:
            raise OutOfTime

    alarms = (
        (signal.ITIMER_PROF, signal.SIGPROF, seconds),
        (signal.ITIMER_REAL, signal.SIGALRM, 10 * seconds),
    )
    before = [signal.signal(number, ring) for _, number, _ in alarms]
    try:
        for timer, _, limit in alarms:
            signal.setitimer(timer, limit, limit / 20)
        yield
    finally:
        for (timer, number, _), handler in zip(alarms, before):
            signal.setitimer(timer, 0.0)
            signal.signal(number, handler)
