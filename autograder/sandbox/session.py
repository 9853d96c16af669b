"""The grader's end of a learner's process: starts it, runs the cells in it, asks it for answers, kills it in
time.

Everything that comes back is data of unknown worth: it is bounded, parsed as JSON and decoded, and nothing
more. How the process is started is a replaceable piece (`process.Launcher`), so that isolation can change without
anything else noticing.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.sandbox import bubblewrap, library
from autograder.sandbox.cells import Ran, Step
from autograder.sandbox.process import WORKER, Launcher, Process, Start, used
from autograder.sandbox.scratch import Scratch

GRACE_SECONDS = 1.0  # after the learner's own alarm, before the whole process is killed
SPENT_SECONDS = 2.0  # what an exercise's cell still gets once the notebook has used up its time
LOOK_SECONDS = 0.5  # quicker requests are not looked at
PIPE_BYTES = (
    1 << 16
)  # what a pipe holds; room for more is memory that the kernel gives and takes back each time
HARD = 4.0  # times the limit, and no machine is busy enough to be excused any longer


@dataclass(frozen=True)
class Limits:
    """Seconds and sizes that one submission may use.

    Seconds are those of CPU time. Code that sleeps instead may take `patience` times as long by the clock, less
    what a busy machine keeps it waiting: honest code is not to fail because others are at work.
    """

    # Until the process answers, and for each of the course's own setup cells: imports on a busy machine.
    start_seconds: float = 60.0
    cell_seconds: float = 6.0
    probe_seconds: float = 6.0  # for all probes of one request: all instances of an exercise
    total_seconds: float = 60.0  # for all cells together, restarts included
    patience: float = 2.0
    message_bytes: int = 32 * 1024 * 1024


_AS_JSON = json.JSONEncoder(allow_nan=False).encode


class Clock:
    """How long one request to a process may still go on; see `Limits` for what counts."""

    def __init__(self, process: Process | None, seconds: float, patience: float) -> None:
        self._process, self._seconds, self._patience = process, seconds, patience
        self._began = time.monotonic()
        self._next_look = self._began + LOOK_SECONDS
        # Looking at every process costs more than most requests take: it begins with the first look.
        self._first: tuple[float, float, float] | None = None

    def pause(self) -> float | None:
        """Seconds after which to ask again; None if the time is up."""
        now = time.monotonic()
        if now >= self._next_look:
            elapsed = now - self._began
            if self.spent() >= self._seconds or elapsed >= HARD * self._patience * self._seconds:
                return None
            self._next_look = now + LOOK_SECONDS / 2
        return max(0.001, self._next_look - now)

    def spent(self) -> float:
        """Seconds that count so far."""
        elapsed = time.monotonic() - self._began
        if elapsed < LOOK_SECONDS or self._process is None:
            return elapsed
        cpu, waited = used(self._process.members())
        excused = waited + _own_work()
        if self._first is None:
            self._first = (cpu, excused, elapsed)
        before = self._first[2]  # all of it was at work, for all that is known
        asleep = elapsed - before - (excused - self._first[1])
        return max(before + cpu - self._first[0], (before + asleep) / self._patience)


def _own_work() -> float:
    """Seconds that this thread, the grader's end, has worked, or been kept waiting by a busy machine."""
    with (
        contextlib.suppress(OSError, ValueError),
        open("/proc/thread-self/schedstat", encoding="ascii") as file,
    ):
        return sum(map(int, file.read().split()[:2])) / 1e9
    return 0.0


class Lost(Exception):
    """The learner's process died, hung, or said something unreadable. The message is for the learner."""

    def __init__(self, message: str, late: bool = False) -> None:
        super().__init__(message)
        self.late = late

    def as_error(self) -> str:
        """As the error of an answer: what went wrong as an exception's name, then the message."""
        return f"{'OutOfTime' if self.late else 'Crash'}: {self}"


@dataclass(frozen=True)
class Replies:
    """What came back: one reply for each probe, or fewer and the reason."""

    replies: list[Any]
    seconds: list[float]
    error: str | None


class Session:
    """One submission's process. A context manager: nothing of it is left running afterwards.

    A cell that kills or hangs the process is left out and the others are run again in a new one, so that it
    costs no more than the exercises that need it.
    """

    def __init__(
        self,
        lesson: str,
        steps: Sequence[Step],
        limits: Limits | None = None,
        launcher: Launcher | None = None,
    ) -> None:
        self._lesson = lesson
        self._steps = list(steps)
        self._limits = limits or Limits()
        self._launcher = launcher or bubblewrap.choose()
        self._process: Process | None = None
        self._folder: Scratch | None = None
        self._read_fd = self._write_fd = -1
        self._received = bytearray()
        self._left_out: set[int] = set()
        self._spent = 0.0
        self._probes = 0
        self._imports = ",".join(sorted(imports(step.source for step in steps if step.cell is None)))
        self.ran: dict[int, Ran] = {}
        """What became of each step, by its place."""
        self.seconds = dict.fromkeys(("start", "cells", "probes"), 0.0)
        """Where the time went, by the clock."""
        self.cpu_seconds = 0.0
        """CPU time of the processes that are gone."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Make sure that a process is there in which the cells have been run."""
        while self._process is None:
            began = time.monotonic()
            self._launch()
            launched = time.monotonic()
            self.seconds["start"] += launched - began
            complete = self._run_steps()
            self.seconds["cells"] += time.monotonic() - launched
            if complete:
                return

    def probe(
        self, probes: Sequence[tuple[str, Any]], serve: Callable[[int, Any], dict[str, Any]]
    ) -> Replies:
        """Let exercises' probes run, one after the other, in one child of the learner's process.

        Args:
            probes: exercises by name, each with an instance, JSON-able. They share time and fate.
            serve: answers a probe's calls to the oracle: (its place, message) -> reply, both JSON-able.
        """
        self.start()
        began = time.monotonic()
        try:
            return self._probe(list(probes), serve)
        finally:
            self.seconds["probes"] += time.monotonic() - began

    def _probe(self, probes: list[tuple[str, Any]], serve: Callable[[int, Any], dict[str, Any]]) -> Replies:
        replies: list[Any] = []
        seconds: list[float] = []
        clock = self._clock(self._limits.probe_seconds + 1.0 + GRACE_SECONDS)
        # A number for each, so that what an earlier one still says is not taken for this one's.
        self._probes += 1
        request = {"op": "probe", "of": self._probes, "lesson": self._lesson, "probes": probes}
        request["library"] = library.given_back(self._lesson, probes[0][0]) if probes else []
        request["foreign"] = library.foreign(self._lesson)
        request |= {"seconds": self._limits.probe_seconds, "patience": self._limits.patience}
        began = time.monotonic()
        try:
            self._send(request, clock)
            while True:
                message = self._receive(clock)
                if message.get("of") != self._probes:
                    continue
                if message.get("op") == "call":
                    self._send({"op": "reply", "reply": serve(len(replies), message.get("wanted"))}, clock)
                elif message.get("op") == "answer" and len(replies) < len(probes):
                    replies.append(message.get("answer"))
                    seconds.append(time.monotonic() - began)
                    began = time.monotonic()
                elif message.get("op") == "ended":
                    missing = len(replies) < len(probes)
                    return Replies(replies, seconds, self._ended(message.get("status")) if missing else None)
        except Lost as lost:
            self._kill()
            return Replies(replies, seconds, lost.as_error())

    def _clock(self, seconds: float) -> Clock:
        return Clock(self._process, seconds, self._limits.patience)

    def _ended(self, status: Any) -> str:
        if status == "late":
            return _out_of_time(self._limits.probe_seconds)
        return f"Crash: {_death(status if isinstance(status, int) else None)}"

    def close(self) -> None:
        """Kill the process and everything that it started, and remove its folder."""
        self._kill()

    # -- cells -------------------------------------------------------------------------------------

    def _run_steps(self) -> bool:
        """Run the cells; False when one of them took the process with it (it is left out from then on)."""
        for place, step in enumerate(self._steps):
            if place in self._left_out:
                continue
            seconds = self._allowance(step)
            if seconds <= 0:
                self.ran[place] = Ran(
                    f"not run: the notebook had used up its {self._limits.total_seconds:g} seconds", "", 0.0
                )
                continue
            started = time.monotonic()
            clock = self._clock(seconds + GRACE_SECONDS)
            try:
                request = {"op": "run", "name": step.name, "source": step.source, "seconds": seconds}
                self._send({**request, "patience": self._limits.patience}, clock)
                reply = self._receive(clock)
                while reply.get("op") != "ran":
                    reply = self._receive(clock)
            except Lost as lost:
                self.ran[place] = Ran(str(lost), "", time.monotonic() - started, lost.late)
                self._left_out.add(place)
                self._kill()
                return False
            finally:
                if step.cell is not None:
                    self._spent += clock.spent()
            error, printed, late = reply.get("error"), reply.get("printed"), bool(reply.get("late"))
            error = None if error is None else str(error)
            overwritten = _builtin_names(reply.get("overwritten"))
            self.ran[place] = Ran(error, str(printed or ""), time.monotonic() - started, late, overwritten)
            if late:  # should the cells have to be run again, its time is not spent twice
                self._left_out.add(place)
        return True

    def _allowance(self, step: Step) -> float:
        if step.cell is None:
            # The course's own setup, before any code of the learner's: what takes long there is `import torch` on
            # a busy machine, and nobody's fault.
            return self._limits.start_seconds
        left = self._limits.total_seconds - self._spent
        if step.essential:
            return max(min(self._limits.cell_seconds, left), SPENT_SECONDS)
        return min(self._limits.cell_seconds, left)

    # -- process -----------------------------------------------------------------------------------

    def _launch(self) -> None:
        self._folder = Scratch("learner")
        home = self._folder.path
        their_read, self._write_fd = os.pipe()
        self._read_fd, their_write = os.pipe()
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self._write_fd, False)
        self._received = bytearray()
        # -P: the working folder is not on the path, so a numpy.py written there shadows nothing. -s: no user
        # site.
        command = [sys.executable, "-P", "-s", "-B", str(WORKER), str(their_read), str(their_write)]
        made = library.made_for(self._lesson)
        command += [str(made), self._lesson, self._imports]
        try:
            self._process = self._launcher.launch(
                Start(command, (their_read, their_write), home, _environment(home), made)
            )
        finally:
            os.close(their_read)
            os.close(their_write)
        try:
            if self._receive(self._clock(self._limits.start_seconds)).get("op") != "ready":
                raise Lost("it did not start as it should")
        except Lost as lost:
            self._kill()
            raise RuntimeError(
                f"the learner's process could not be started with {sys.executable}: {lost}"
            ) from None

    def _kill(self) -> None:
        if self._process is not None:
            self.cpu_seconds += used(self._process.members())[0]
            self._process.end()
            self._process = None
        for fd in (self._read_fd, self._write_fd):
            if fd >= 0:
                os.close(fd)
        self._read_fd = self._write_fd = -1
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    # -- messages ----------------------------------------------------------------------------------

    def _send(self, message: dict[str, Any], clock: Clock) -> None:
        data = memoryview(_AS_JSON(message).encode() + b"\n")
        while data:
            try:
                data = data[os.write(self._write_fd, data[:PIPE_BYTES]) :]
            except BlockingIOError:
                self._await([], [self._write_fd], clock)
            except OSError:
                raise Lost(self._obituary()) from None

    def _await(self, read: list[int], write: list[int], clock: Clock) -> None:
        """Wait until a pipe is ready."""
        while (pause := clock.pause()) is not None:
            if any(select.select(read, write, [], pause)):
                return
        raise self._overdue()

    def _receive(self, clock: Clock) -> dict[str, Any]:
        """The next message that is a JSON object; other lines, of a child killed in one, are passed over."""
        searched = 0
        while True:
            end = self._received.find(b"\n", searched)
            if end >= 0:
                line = bytes(self._received[:end])
                del self._received[: end + 1]
                searched = 0
                with contextlib.suppress(ValueError, RecursionError):
                    message = json.loads(line)
                    if isinstance(message, dict):
                        return message
                continue
            searched = len(self._received)
            if searched > self._limits.message_bytes:
                raise Lost(f"it returned more than {self._limits.message_bytes // 2**20} MB")
            self._await([self._read_fd], [], clock)
            block = os.read(self._read_fd, PIPE_BYTES)
            if not block:
                raise Lost(self._obituary())
            self._received += block

    def _overdue(self) -> Lost:
        if self._process is not None and self._process.stopped:
            return Lost(self._process.stopped)
        return Lost("it had to be stopped, as it went on after its time was up", late=True)

    def _obituary(self) -> str:
        if self._process is None:
            return _death(None)
        status = self._process.exit_status()
        return self._process.stopped or _death(status)


def imports(sources: Iterable[str]) -> set[str]:
    """Modules that pieces of code import at their top level."""
    found: set[str] = set()
    for source in sources:
        with contextlib.suppress(SyntaxError, ValueError):
            for node in ast.parse(source).body:
                if isinstance(node, ast.Import):
                    found |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found.add(node.module)
    return found


def _environment(folder: Path) -> dict[str, str]:
    """A clean environment: no secrets of the grader's, one thread, no display, and a home that vanishes."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": str(folder),
        "PYTHONHASHSEED": "0",  # sets of strings iterate alike in every regrade
        **dict.fromkeys(
            ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
        ),
        # Some processors need another OpenBLAS kernel than it would choose; the machine's setting holds for
        # learners too.
        **{
            name: os.environ[name] for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE") if name in os.environ
        },
    }


def _builtin_names(said: Any) -> tuple[str, ...]:
    """What of a list of unknown worth are names of Python's built-ins."""
    names = {name for name in said if isinstance(name, str)} if isinstance(said, list) else set()
    return tuple(sorted(names & set(dir(builtins))))


def _death(status: int | None) -> str:
    """How a process ended, for a learner. `status` as subprocess gives it: negative for a signal."""
    if status is None:
        return "stopped: it broke off its connection to the grader"
    if status < 0:
        name = signal.Signals(-status).name if -status in signal.valid_signals() else f"signal {-status}"
        return f"the Python process died of {name} while it ran"
    return f"your code ended the whole Python process, as os._exit does (exit status {status})"


def _out_of_time(seconds: float) -> str:
    return f"OutOfTime: your code ran for more than {seconds:g} s: does a loop never end?"
