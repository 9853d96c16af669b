"""Starts learners' processes in milliseconds: forked from one that has imported the lesson's libraries, each in a
sandbox of its own.

Starting Python and importing numpy or torch is most of what a small submission costs. So one process per lesson does
that once, inside a bubblewrap sandbox (`zygote`), and learners' processes are forked from it. Each of them gets its
own namespaces, folders and limits, as `bubblewrap.BubblewrapLauncher` gives them, inside the outer sandbox. Where the
kernel allows no namespaces in a sandbox, bubblewrap starts each submission as before: slower, and just as safe.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from autograder.sandbox.bubblewrap import (
    LIBRARY,
    START_SECONDS,
    BubblewrapLauncher,
    SandboxLimits,
    Watched,
    folders,
    inside,
    moved,
    shown,
)
from autograder.sandbox.process import Process, Start

ZYGOTE = Path(__file__).with_name("zygote.py")
IMPORT_SECONDS = 120.0  # for torch, on a very busy machine
SLOWLY = "No learner's process can be forked here ({why}): each submission takes a second more to start."


class Forked(Watched):
    """A learner's process forked from the template, in its own namespaces."""

    def __init__(self, report: socket.socket) -> None:
        self._report = report
        self._said = b""
        self._status: int | None = None

    def enter(self, limits: SandboxLimits) -> None:
        """Wait until it has shut itself in, begin to watch it, and let it go on.

        Raises:
            OSError: it could not.
        """
        self._report.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._report.settimeout(START_SECONDS)
        try:
            # The kernel itself names the sender, by its number outside of all the sandboxes.
            said, attached, _, _ = self._report.recvmsg(4096, socket.CMSG_SPACE(struct.calcsize("3i")))
            message = json.loads(said or b"{}")
            if not message.get("up"):
                raise OSError(message.get("failed", "the template did not answer"))
            first = struct.unpack("3i", attached[0][2][: struct.calcsize("3i")])[0]
            self.watch(first, limits)
            self._report.send(b"+")
        except (OSError, ValueError, IndexError, struct.error) as wrong:
            self.end()
            raise OSError(f"no process could be forked: {wrong}") from None

    def end(self) -> None:
        """Kill everything in the sandbox; returns when it is gone."""
        self.kill()
        self._hear(10.0)
        self.forget()
        self._report.close()

    def exit_status(self) -> int | None:
        """How it ended (negative for a signal); None if it is still there after a second."""
        self._hear(1.0)
        return self._status

    def _hear(self, seconds: float) -> None:
        """Wait until its guard outside of the namespaces has told how it ended, and has gone itself."""
        deadline = time.monotonic() + seconds
        while (
            self._report.fileno() >= 0
            and select.select([self._report], [], [], max(0.0, deadline - time.monotonic()))[0]
        ):
            try:
                said = self._report.recv(4096)
            except OSError:
                said = b""
            if not said:
                break
            self._said += said
        for line in self._said.splitlines():
            with contextlib.suppress(ValueError):
                status = json.loads(line).get("status")
                if isinstance(status, int):
                    self._status = 128 - status if 128 < status < 192 else status


class Template:
    """The process that others are forked from, for one lesson."""

    def __init__(
        self,
        launcher: BubblewrapLauncher,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        library: Path,
    ) -> None:
        """Start it, and wait until it has imported everything.

        Raises:
            OSError, RuntimeError: it could not be started.
        """
        box = json.dumps({"folders": folders(launcher.limits), "calls": launcher.calls.hex()})
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        python = [sys.executable, "-P", "-s", "-B", str(ZYGOTE), str(theirs.fileno()), box]
        try:
            with launcher.bubblewrap(environment, library, ZYGOTE) as (program, fds):
                self._process = subprocess.Popen(
                    [*program, "--", *python, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    env={},
                    pass_fds=(theirs.fileno(), *fds),
                    start_new_session=True,
                )
        except BaseException:
            self._control.close()
            raise
        finally:
            theirs.close()
        self._control.settimeout(IMPORT_SECONDS)
        try:
            if self._control.recv(16) != b"ready":
                raise OSError("the template ended")
        except OSError:
            self.close()
            raise

    def fork(self, fds: Sequence[int], limits: SandboxLimits) -> Forked:
        """A learner's process with the two descriptors open.

        Raises:
            OSError: it could not be forked, or not be shut in.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            socket.send_fds(self._control, [b"fork"], [*fds, theirs.fileno()])
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        forked = Forked(ours)
        forked.enter(limits)
        return forked

    def close(self) -> None:
        """End it, and with it everything that was forked from it."""
        self._control.close()
        self._process.kill()
        self._process.wait()


def covered() -> str:
    """Why no template can be used, if what it needs lies where each of its forks gets an empty folder; else ""."""
    for path in shown():
        for place in folders(SandboxLimits()):
            if inside(path, place):
                return (
                    f"{path} lies in {place}, of which each learner's process gets an empty one of its own: "
                    f"each submission takes a second more to start; a clone outside of {place} is quick."
                )
    return ""


class TemplateLauncher(BubblewrapLauncher):
    """Forks learners' processes from a template where that is possible, else starts each with bubblewrap.

    A context manager: the template ends with it. Threads may share it.
    """

    def __init__(self, limits: SandboxLimits | None = None) -> None:
        super().__init__(limits)
        self._lock = threading.Lock()
        self._template: Template | None = None
        self._made_for: tuple[object, ...] = ()
        self.refused = covered()
        """Why there is no template, if there can be none here, as a sentence."""

    def __enter__(self) -> TemplateLauncher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the template."""
        with self._lock:
            self._drop()

    def launch(self, start: Start) -> Process:
        """Start the process. What the worker imports, the template has imported already."""
        variables = {name: moved(value, start.folder) for name, value in start.environment.items()}
        arguments = [LIBRARY, *start.command[-2:]]  # of `worker.prepare`
        for _ in range(2):  # the template may have died since: once more with a new one
            with self._lock:
                if self.refused:
                    break
                try:
                    return self._ready(arguments, variables, start.library).fork(start.fds, self.limits)
                except (OSError, RuntimeError) as wrong:
                    self._drop()
                    why = str(wrong) or type(wrong).__name__
        else:
            self.refused = SLOWLY.format(why=why)
        return super().launch(start)

    def _ready(self, arguments: list[str], variables: Mapping[str, str], library: Path) -> Template:
        wanted = (tuple(arguments), tuple(sorted(variables.items())), library)
        if self._template is None or self._made_for != wanted:
            self._drop()
            self._template, self._made_for = Template(self, arguments, variables, library), wanted
        return self._template

    def _drop(self) -> None:
        if self._template is not None:
            self._template.close()
            self._template = None
