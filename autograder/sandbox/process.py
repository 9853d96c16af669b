"""A learner's process as the grader sees it from outside: how it is started, what it has used, how it ends.

What runs in it, and what it says, is none of this module's business (`session`); what it is shut into neither
(`bubblewrap`, `prefork`).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

WORKER = Path(__file__).with_name("worker.py")
TICKS = os.sysconf("SC_CLK_TCK")


class Process(Protocol):
    """The learner's process, with all that it starts."""

    stopped: str | None
    """Why it was killed from outside, if it was: for the learner."""

    def end(self) -> None:
        """Kill it and what it started; returns when it is gone."""
        ...

    def exit_status(self) -> int | None:
        """How it ended (negative for a signal); None if it is still there after a second."""
        ...

    def members(self) -> list[str]:
        """The process and those that it started, as far as they are there, by their place below /proc."""
        ...


class Spawned(subprocess.Popen[bytes]):
    """A process that leads a session of its own."""

    stopped: str | None = None

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

    def members(self) -> list[str]:
        """The processes of its session."""
        return [pid for pid in all_processes() if (stat := _stat(pid)) and stat[3] == str(self.pid)]


def all_processes() -> list[str]:
    """Every process that can be seen from here."""
    return [name for name in os.listdir("/proc") if name.isdigit()] if os.path.isdir("/proc") else []


def _stat(pid: str) -> list[str]:
    """The fields of /proc/<pid>/stat from the third on (state, parent, group, session, …); [] for one that is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def used(pids: Sequence[str]) -> tuple[float, float]:
    """What processes and their ended children have used, in seconds: CPU time, and waiting for a busy machine."""
    cpu = waited = 0.0
    for pid in pids:
        fields = _stat(pid)
        cpu += sum(map(int, fields[11:15])) / TICKS
        with (
            contextlib.suppress(OSError, ValueError, IndexError),
            open(f"/proc/{pid}/schedstat", encoding="ascii") as file,
        ):
            waited += int(file.read().split()[1]) / 1e9
    return cpu, waited


@dataclass(frozen=True)
class Start:
    """What a learner's process is started with."""

    command: Sequence[str]
    fds: Sequence[int]
    """Files that are open in it; no others are."""
    folder: Path
    """Where it starts: its home, which vanishes."""
    environment: Mapping[str, str]
    library: Path
    """The folder, named in `command` as well, that holds the lesson's `nas_lib`."""


class Launcher(Protocol):
    """Starts the learner's process."""

    def launch(self, start: Start) -> Process:
        """Start it, leading a process group of its own."""
        ...


class PlainLauncher:
    """An ordinary subprocess: crashes and endless loops are contained, malice is not.

    Grading chooses it only where an instructor has said so; see `bubblewrap.choose`.
    """

    def launch(self, start: Start) -> Process:
        """Start the process."""
        return Spawned(
            start.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # what cells print is collected inside; what goes past that is lost
            stderr=subprocess.DEVNULL,
            cwd=start.folder,
            env=dict(start.environment),
            pass_fds=tuple(start.fds),
            start_new_session=True,
        )
