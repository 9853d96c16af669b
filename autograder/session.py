"""The grader's end of a learner's process: starts it, runs the cells in it, asks it for answers, kills it in
time.

Everything that comes back is data of unknown worth: it is bounded, parsed as JSON and decoded, and nothing
more. How the process is started is a replaceable piece (`Launcher`), so that isolation can change without
anything else noticing.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import nas_lib
from autograder.matching import Step

WORKER = Path(__file__).with_name("worker.py")
GRACE_SECONDS = 2.0  # after the learner's own alarm, before the whole process is killed
SPENT_SECONDS = 2.0  # what an exercise's cell still gets once the notebook has used up its time


@dataclass(frozen=True)
class Limits:
    """Wall-clock seconds and sizes that one submission may use."""

    # Until the process answers, and for each of the course's own setup cells: imports on a busy machine.
    start_seconds: float = 60.0
    cell_seconds: float = 10.0
    probe_seconds: float = 10.0  # for all instances of one exercise
    total_seconds: float = 60.0  # for all cells together, restarts included
    message_bytes: int = 32 * 1024 * 1024


@dataclass(frozen=True)
class Ran:
    """What became of one cell: an error in one line or None, what it printed, how long it took."""

    error: str | None
    printed: str
    seconds: float


class Process(subprocess.Popen[bytes]):
    """The learner's process, leading a process group of its own."""

    stopped: str | None = None
    """Why it was killed from outside, if it was: for the learner."""

    def end(self) -> None:
        """Kill it and what it started in its group; returns when it is gone."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()

    def exit_status(self) -> int | None:
        """How it ended (negative for a signal); None if it is still there after a second."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(timeout=1.0)
        return None


class Launcher(Protocol):
    """Starts the learner's process."""

    def launch(
        self, command: Sequence[str], fds: Sequence[int], folder: Path, environment: Mapping[str, str]
    ) -> Process:
        """Start `command` in `folder`, leading a process group of its own, with `fds` open and no others."""
        ...


class PlainLauncher:
    """An ordinary subprocess: crashes and endless loops are contained, malice is not.

    Grading chooses it only where an instructor has said so; see `sandbox.choose`.
    """

    def launch(
        self, command: Sequence[str], fds: Sequence[int], folder: Path, environment: Mapping[str, str]
    ) -> Process:
        """Start the process."""
        return Process(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # what cells print is collected inside; what goes past that is lost
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=dict(environment),
            pass_fds=tuple(fds),
            start_new_session=True,
        )


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
    """What came back from a probe: one reply for each instance, or fewer and the reason."""

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
        self._launcher = launcher or _usual_launcher()
        self._process: Process | None = None
        self._folder: Path | None = None
        self._read_fd = self._write_fd = -1
        self._received = bytearray()
        self._left_out: set[int] = set()
        self._spent = 0.0
        self._probes = 0
        self.ran: dict[int, Ran] = {}
        """What became of each step, by its place."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Make sure that a process is there in which the cells have been run."""
        while self._process is None:
            self._launch()
            if self._run_steps():
                return

    def probe(
        self, exercise: str, instances: Sequence[Any], serve: Callable[[int, Any], dict[str, Any]]
    ) -> Replies:
        """Let the exercise's probe run on each instance.

        Args:
            exercise: which probe.
            instances: JSON-able, one after the other.
            serve: answers the probe's calls to the oracle: (place of the instance, message) -> reply, both
                JSON-able.
        """
        self.start()
        replies: list[Any] = []
        seconds: list[float] = []
        deadline = time.monotonic() + self._limits.probe_seconds + 2 * GRACE_SECONDS
        self._probes += (
            1  # a number for each, so that what an earlier one still says is not taken for this one's
        )
        request = {
            "op": "probe",
            "of": self._probes,
            "lesson": self._lesson,
            "exercise": exercise,
            "instances": list(instances),
        }
        began = time.monotonic()
        try:
            self._send({**request, "seconds": self._limits.probe_seconds}, deadline)
            while True:
                message = self._receive(deadline)
                if message.get("of") != self._probes:
                    continue
                if message.get("op") == "call":
                    self._send({"op": "reply", "reply": serve(len(replies), message.get("wanted"))}, deadline)
                elif message.get("op") == "answer" and len(replies) < len(instances):
                    replies.append(message.get("answer"))
                    seconds.append(time.monotonic() - began)
                    began = time.monotonic()
                elif message.get("op") == "ended":
                    missing = len(replies) < len(instances)
                    return Replies(replies, seconds, self._ended(message.get("status")) if missing else None)
        except Lost as lost:
            self._kill()
            return Replies(replies, seconds, lost.as_error())

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
            try:
                deadline = started + seconds + GRACE_SECONDS
                self._send(
                    {"op": "run", "name": step.name, "source": step.source, "seconds": seconds}, deadline
                )
                reply = self._receive(deadline)
                while reply.get("op") != "ran":
                    reply = self._receive(deadline)
            except Lost as lost:
                self.ran[place] = Ran(str(lost), "", time.monotonic() - started)
                self._left_out.add(place)
                self._kill()
                return False
            finally:
                if step.cell is not None:
                    self._spent += time.monotonic() - started
            error, printed = reply.get("error"), reply.get("printed")
            self.ran[place] = Ran(
                None if error is None else str(error), str(printed or ""), time.monotonic() - started
            )
            if reply.get("late"):
                self._left_out.add(
                    place
                )  # should the cells have to be run again, its time is not spent twice
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
        self._folder = Path(tempfile.mkdtemp(prefix="nas-learner-"))
        their_read, self._write_fd = os.pipe()
        self._read_fd, their_write = os.pipe()
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self._write_fd, False)
        self._received = bytearray()
        # -P: the working folder is not on the path, so a numpy.py written there shadows nothing. -s: no user
        # site.
        command = [sys.executable, "-P", "-s", "-B", str(WORKER), str(their_read), str(their_write)]
        command += [str(library_folder()), self._lesson]
        try:
            self._process = self._launcher.launch(
                command, (their_read, their_write), self._folder, _environment(self._folder)
            )
        finally:
            os.close(their_read)
            os.close(their_write)
        try:
            if self._receive(time.monotonic() + self._limits.start_seconds).get("op") != "ready":
                raise Lost("it did not start as it should")
        except Lost as lost:
            self._kill()
            raise RuntimeError(
                f"the learner's process could not be started with {sys.executable}: {lost}"
            ) from None

    def _kill(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None
        for fd in (self._read_fd, self._write_fd):
            if fd >= 0:
                os.close(fd)
        self._read_fd = self._write_fd = -1
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    # -- messages ----------------------------------------------------------------------------------

    def _send(self, message: dict[str, Any], deadline: float) -> None:
        data = memoryview(json.dumps(message, allow_nan=False).encode() + b"\n")
        while data:
            _, ready, _ = select.select([], [self._write_fd], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise self._overdue()
            try:
                data = data[os.write(self._write_fd, data[:65536]) :]
            except BlockingIOError:
                continue
            except OSError:
                raise Lost(self._obituary()) from None

    def _receive(self, deadline: float) -> dict[str, Any]:
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
            ready, _, _ = select.select([self._read_fd], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise self._overdue()
            block = os.read(self._read_fd, 1 << 18)
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


def _usual_launcher() -> Launcher:
    from autograder import sandbox  # which builds on this module

    return sandbox.choose()


def library_folder() -> Path:
    """The folder on whose path `import nas_lib` works."""
    return Path(nas_lib.__file__).resolve().parents[1]


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


def _death(status: int | None) -> str:
    """How a process ended, for a learner. `status` as subprocess gives it: negative for a signal."""
    if status is None:
        return "stopped: it broke off its connection to the grader"
    if status < 0:
        name = signal.Signals(-status).name if -status in signal.valid_signals() else f"signal {-status}"
        return f"the Python process died of {name} while it ran"
    return f"the Python process was ended while it ran (exit status {status})"


def _out_of_time(seconds: float) -> str:
    return f"OutOfTime: your code ran for more than {seconds:g} s: does a loop never end?"
