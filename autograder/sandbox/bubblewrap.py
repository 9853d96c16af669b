"""Runs the learner's process in a bubblewrap sandbox, and decides whether grading may start without one.

Inside there are the system's programs, Python, the lesson's `nas_lib` and the worker's one file, all read-only; a small
home and temporary folder in memory; no network, no other process, no variable of the grader's; no call of the kernel's
that no notebook needs (`seccomp`). Memory and processes are counted from outside, because a limit that a process
carries counts itself alone. It does not guard against faults of the kernel, nor against somebody who already runs
programs as the grader.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nas_lib
from autograder.sandbox import seccomp
from autograder.sandbox.process import (
    WORKER,
    Launcher,
    PlainLauncher,
    Process,
    Spawned,
    Start,
    all_processes,
)

UNSAFE_VARIABLE = "NAS_COURSE_UNSAFE"
HOME, SCRATCH, SHARED, LIBRARY = "/home/learner", "/tmp", "/dev/shm", "/library"
WATCH_SECONDS = 0.05
FILE_RECORD = 1024  # bytes of the kernel's memory for each file, however empty: inode, name
START_SECONDS = 30.0  # for bubblewrap itself, on a very busy machine
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
# What libraries look up when they are loaded; nothing else of /etc.
SETTINGS = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime")
HELP = "or grade with --unsafe on a machine that you can do without"


class SandboxMissing(ValueError):
    """Submissions cannot be isolated on this machine. The message says why and what to do."""


@dataclass(frozen=True)
class SandboxLimits:
    """What one submission may use. Bytes of memory are those of its own in all its processes together, with the files
    in its folders, which are in memory too: Python with torch loaded is about 0.3 GB of it."""

    memory_bytes: int = 2 * 2**30
    processes: int = 64  # threads and bubblewrap's first process included
    cpu_seconds: int = 150  # of each process
    open_files: int = 512  # half of them for one cell or probe, if earlier ones left none open
    file_bytes: int = 64 * 2**20
    home_bytes: int = 128 * 2**20
    scratch_bytes: int = 128 * 2**20


def folders(limits: SandboxLimits) -> dict[str, int]:
    """The folders in memory that can be written to inside, with their sizes in bytes."""
    return {SCRATCH: limits.scratch_bytes, HOME: limits.home_bytes, SHARED: limits.scratch_bytes}


class Watched:
    """Everything in a sandbox, known from outside by the sandbox's first process.

    With that one, the kernel ends every other process in the sandbox, before it is itself gone.
    """

    stopped: str | None = None
    _first = _table = -1

    def watch(self, first: int, limits: SandboxLimits) -> None:
        """Take hold of the sandbox by its first process, and begin to count what it uses.

        Raises:
            OSError: there is no such process.
        """
        self._over = threading.Event()
        self._first = os.pidfd_open(first)
        self._namespace = os.readlink(f"/proc/{first}/ns/pid")
        self._table = _own_table(first)
        # Two threads: measuring memory may wait long for processes that are busy forking, counting must not.
        self._watchers = [
            threading.Thread(target=self._watch, args=(excess, limits), daemon=True)
            for excess in (_too_many, _too_much)
        ]
        for watcher in self._watchers:
            watcher.start()

    def members(self) -> list[str]:
        """The processes in the sandbox, by their place below /proc."""
        if self._first < 0:
            return []
        if self._table < 0:
            return _members(self._namespace)
        return [f"self/fd/{self._table}/{name}" for name in os.listdir(self._table) if name.isdigit()]

    def kill(self) -> None:
        """Kill everything in the sandbox."""
        if self._first >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._first, signal.SIGKILL)

    def forget(self) -> None:
        """Stop watching; the sandbox is gone."""
        if self._first >= 0:
            self._over.set()
            for watcher in self._watchers:
                watcher.join()
            os.close(self._first)
            if self._table >= 0:
                os.close(self._table)
            self._first = self._table = -1

    def _watch(
        self, excess: Callable[[Sequence[str], SandboxLimits], str | None], limits: SandboxLimits
    ) -> None:
        # Where the grader is root, the kernel does not hold learners to RLIMIT_NPROC, and this thread has to
        # get its turn among hundreds of processes. Nobody else may ask for that, or needs to.
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -10)
        while not self._over.wait(WATCH_SECONDS):
            members = self.members()
            if not members:
                return
            why = excess(members, limits)
            if why:
                self.stopped = f"it was stopped, as {why}"  # before the kill, which the grader sees at once
                self.kill()
                return


class Confined(Watched, Spawned):
    """A process in a sandbox of bubblewrap's."""

    def enter(self, info_fd: int, limits: SandboxLimits) -> None:
        """Wait until the sandbox is there, and begin to watch it.

        Raises:
            RuntimeError: bubblewrap gave up.
        """
        said = _read_all(info_fd, START_SECONDS)
        try:
            self.watch(int(json.loads(said)["child-pid"]), limits)
        except (ValueError, KeyError, OSError):
            self.end()
            raise RuntimeError("bubblewrap could not start the learner's process") from None

    def kill(self) -> None:
        """Kill everything in the sandbox, or bubblewrap while there is none."""
        if self._first >= 0:
            Watched.kill(self)
        elif self.returncode is None:
            Spawned.kill(self)

    def end(self) -> None:
        """Kill everything in the sandbox; returns when it is gone."""
        self.kill()
        try:
            self.wait(timeout=10.0)
        except subprocess.TimeoutExpired:
            Spawned.end(self)
        self.forget()

    def exit_status(self) -> int | None:
        """As subprocess gives it; bubblewrap reports a signal as 128 more than its number."""
        status = super().exit_status()
        return 128 - status if status is not None and 128 < status < 192 else status


def _own_table(first: int) -> int:
    """A sandbox's own /proc, an open folder; -1 while it is not mounted there yet.

    It lists the sandbox's processes alone: looking at each of the machine's takes far longer.
    """
    with contextlib.suppress(OSError):
        table = os.open(f"/proc/{first}/root/proc", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.readlink("self", dir_fd=table)
        except FileNotFoundError:  # we are not among them, so it is theirs
            return table
        os.close(table)
    return -1


def _members(namespace: str) -> list[str]:
    """The processes in a PID namespace."""
    found = []
    for pid in all_processes():
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/ns/pid") == namespace:
                found.append(pid)
    return found


def _too_many(members: Sequence[str], limits: SandboxLimits) -> str | None:
    """What to tell if these are too many processes, or have too many threads."""
    too_many = f"your code had started more than {limits.processes} processes or threads"
    if len(members) > limits.processes:  # at once: looking at each takes long while they all run
        return too_many
    threads = sum(_fields(f"/proc/{pid}/status").get("Threads", 1) for pid in members)
    return too_many if threads > limits.processes else None


def _too_much(members: Sequence[str], limits: SandboxLimits) -> str | None:
    """What to tell if these processes use too much memory together."""
    if len(members) > limits.processes:
        return None  # measuring them all takes long, and `_too_many` knows the better reason
    beside = _held_open(members)
    for look in (_roughly, _exactly):  # exactly takes longer
        own, mapped = map(sum, zip(*map(look, members), strict=True))
        # What is mapped of files in memory is in the folders, which have it even if nobody maps it.
        if own + max(mapped, _files(members, limits)) + beside <= limits.memory_bytes:
            return None
    return f"your code used more than {limits.memory_bytes / 2**30:.3g} GB of memory"


def _roughly(pid: str) -> tuple[int, int]:
    """Bytes of memory by a process's status table, its own and in files; pages shared with forks are in each's."""
    status = _fields(f"/proc/{pid}/status")
    own = sum(status.get(part, 0) for part in ("RssAnon", "VmSwap", "VmPTE"))
    return own * 1024, status.get("RssShmem", 0) * 1024


def _exactly(pid: str) -> tuple[int, int]:
    """The same, with shared pages divided among those who share them; 0 for a process that is gone."""
    shares = _fields(f"/proc/{pid}/smaps_rollup")
    if "Pss_Anon" not in shares:  # it has just ended, or the kernel does not tell
        return _roughly(pid)
    tables = _fields(f"/proc/{pid}/status").get("VmPTE", 0)
    own = shares["Pss_Anon"] + shares.get("SwapPss", 0) + tables
    return own * 1024, shares.get("Pss_Shmem", 0) * 1024


def _files(members: Sequence[str], limits: SandboxLimits) -> int:
    """Bytes in the folders in memory, of deleted files and for empty ones too, as one of the processes sees them."""
    for pid in members:
        with contextlib.suppress(OSError):
            found = [
                (os.statvfs(f"/proc/{pid}/root{place}"), size) for place, size in folders(limits).items()
            ]
            # Another size is another folder: the sandbox is not made yet, and these are the machine's own.
            return sum(
                (one.f_blocks - one.f_bfree) * one.f_frsize + (one.f_files - one.f_ffree) * FILE_RECORD
                for one, size in found
                if 0 <= one.f_blocks * one.f_frsize - size < one.f_frsize
            )
    return 0


def _fields(path: str) -> dict[str, int]:
    """The numbers (kB where they have a unit) in one of /proc's tables; {} for a process that is gone."""
    found: dict[str, int] = {}
    with contextlib.suppress(OSError), open(path, encoding="ascii", errors="replace") as file:
        for line in file:
            name, _, value = line.partition(":")
            number = value.split()
            if number and number[0].isdigit():
                found.setdefault(name, int(number[0]))
    return found


def _held_open(members: Sequence[str]) -> int:
    """Bytes that lie in no process and no folder: what sockets may hold, and files without a folder (memfd_create)."""
    sizes: dict[str, int] = {}
    for pid in members:
        folder = f"/proc/{pid}/fd"
        with contextlib.suppress(OSError):
            for name in os.listdir(folder):
                with contextlib.suppress(OSError):
                    what = os.readlink(f"{folder}/{name}")
                    if what.startswith("socket:"):
                        sizes[what] = _socket_bytes()
                    elif what.startswith("/memfd:"):
                        known = os.stat(f"{folder}/{name}")
                        sizes[str(known.st_ino)] = known.st_blocks * 512
    return sum(sizes.values())


@functools.cache
def _socket_bytes() -> int:
    """The most that waits in a socket of the usual size, which learners cannot change (`seccomp`)."""
    with contextlib.suppress(OSError), open("/proc/sys/net/core/wmem_default", encoding="ascii") as file:
        return int(file.read())
    return 0


def _read_all(fd: int, seconds: float) -> bytes:
    """All that comes through a pipe until it is closed, then close this end."""
    deadline, data = time.monotonic() + seconds, b""
    try:
        while select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0]:
            block = os.read(fd, 4096)
            if not block:
                break
            data += block
    finally:
        os.close(fd)
    return data


class BubblewrapLauncher:
    """Starts the learner's process in a sandbox of its own (Linux with bubblewrap 0.8 or newer).

    Args:
        limits: what one submission may use.
        calls: the filter of the kernel's calls; by default the course's, where the kernel takes it.
    """

    def __init__(self, limits: SandboxLimits | None = None, calls: bytes | None = None) -> None:
        self.limits = limits or SandboxLimits()
        self.calls = calls if calls is not None else b"" if unfiltered() else seccomp.program()

    def launch(self, start: Start) -> Process:
        """Start the process. Its folder does not exist inside; a home in memory stands for it.

        Raises:
            RuntimeError: bubblewrap gave up.
        """
        variables = {name: moved(value, start.folder) for name, value in start.environment.items()}
        command = [LIBRARY if part == str(start.library) else part for part in start.command]
        info_read, info_write = os.pipe()
        try:
            with self.bubblewrap(variables, start.library) as (program, fds):
                process = Confined(
                    [*program, "--info-fd", str(info_write), "--", *command],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    env={},
                    pass_fds=(*start.fds, *fds, info_write),
                    start_new_session=True,
                )
        except BaseException:
            os.close(info_read)
            raise
        finally:
            os.close(info_write)
        process.enter(info_read, self.limits)
        return process

    @contextlib.contextmanager
    def bubblewrap(
        self, environment: Mapping[str, str], library: Path | None = None, template: Path | None = None
    ) -> Iterator[tuple[list[str], list[int]]]:
        """bubblewrap, told to read its arguments from file descriptors, and these, open for the block.

        Its command line can be read inside, in /proc/1/cmdline, and shall not say what lies where outside.
        """
        arguments = self.arguments(environment, library, template)
        fds = [_in_memory("arguments", b"\0".join(map(os.fsencode, arguments)))]
        program = [shutil.which("bwrap") or "bwrap", "--args", str(fds[0])]
        if self.calls and not template:  # whose forks filter their own, when they have made their namespaces
            fds.append(_in_memory("calls", self.calls))
            program += ["--seccomp", str(fds[1])]
        try:
            yield program, fds
        finally:
            for fd in fds:
                os.close(fd)

    def arguments(
        self, environment: Mapping[str, str], library: Path | None = None, template: Path | None = None
    ) -> list[str]:
        """bubblewrap's arguments, up to the command.

        Args:
            environment: the variables inside.
            library: the folder with the lesson's `nas_lib`, which lies at `LIBRARY` inside.
            template: the script of the process that learners' processes are forked from: it may make namespaces,
                and sees the machine's process table, which each of its forks covers by its own.
        """
        made = ["--unshare-user", "--unshare-pid", "--unshare-ipc"]
        made += ["--unshare-uts", "--unshare-net", "--unshare-cgroup-try"]
        made += [] if template else ["--disable-userns"]
        made += ["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "grading"]
        made += ["--uid", "1000", "--gid", "1000", "--clearenv"]
        ours = {
            "PATH": os.pathsep.join([os.path.dirname(sys.executable), "/usr/bin", "/bin"]),
            "USER": "learner",
            "NAS_RLIMITS": self._rlimits(),
        }
        for name, value in {**environment, **ours}.items():
            made += ["--setenv", name, value]
        # The folders in memory come first: Python may be installed below one of them.
        sizes = folders(self.limits)
        for place in (SCRATCH, HOME):
            made += ["--size", str(sizes[place]), "--tmpfs", place]
        for path in SYSTEM:
            if os.path.islink(path):
                made += ["--symlink", os.readlink(path), path]
            elif os.path.isdir(path):
                made += ["--ro-bind", path, path]
        for path in SETTINGS:
            made += ["--ro-bind-try", path, path]
        for path in [*shown(), *([str(template)] if template else [])]:
            made += ["--ro-bind", path, path]
        made += ["--ro-bind", str(library), LIBRARY] if library else []
        whole = str(Path(nas_lib.__file__).resolve().parent)
        if any(inside(whole, path) for path in (*shown(), *SYSTEM)):  # installed among Python's own packages
            made += ["--tmpfs", whole, "--remount-ro", whole]
        made += ["--dev", "/dev", "--size", str(sizes[SHARED]), "--tmpfs", SHARED]
        made += ["--ro-bind", "/dev/zero", "/dev/zero"]  # closes it: mapped, it is memory without a size
        made += ["--bind", "/proc", "/proc"] if template else ["--proc", "/proc", "--remount-ro", "/proc"]
        # What bubblewrap made to mount all this on would otherwise be the learner's to write to.
        made += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", HOME]
        return made

    def _rlimits(self) -> str:
        """For the worker, which takes them upon itself before it runs anything of the learner's."""
        limits = self.limits
        made = {"CPU": limits.cpu_seconds, "NOFILE": limits.open_files, "FSIZE": limits.file_bytes, "CORE": 0}
        if _kernel() >= (5, 14):  # before, all of the user's processes outside counted as well
            # A wall behind the count from outside, which comes late but tells the learner why.
            made["NPROC"] = 2 * limits.processes
        return json.dumps(made)


def shown() -> list[str]:
    """What of Python, the library and the worker has to be visible, beyond the system's own folders.

    Raises:
        SandboxMissing: Python is installed in a folder that holds the repository, which would show the
            solutions.
    """
    executable = os.path.realpath(sys.executable)
    pythons = [sys.prefix, sys.base_prefix]
    if not any(inside(executable, place) for place in (*pythons, *SYSTEM)):
        pythons.append(os.path.dirname(executable))
    repository = str(WORKER.resolve().parents[2])
    for place in pythons:
        if inside(repository, place):
            raise SandboxMissing(
                f"Python is installed in {place}, which holds this repository with its solutions: "
                "make an environment of its own for the course (make venv)."
            )
    wanted = [*pythons, str(WORKER)]
    return [path for path in dict.fromkeys(wanted) if not any(inside(path, place) for place in SYSTEM)]


def _in_memory(name: str, data: bytes) -> int:
    """A file in memory that holds the data, ready to be read; the caller closes it."""
    descriptor = os.memfd_create(name)
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def inside(path: str, folder: str) -> bool:
    """Is the path in the folder, or the folder itself?"""
    return os.path.commonpath([path, folder]) == folder


def moved(value: str, folder: Path) -> str:
    """A variable's value inside, where the learner's folder is the home."""
    return SCRATCH if value == tempfile.gettempdir() else value.replace(str(folder), HOME)


def _kernel() -> tuple[int, ...]:
    numbers = platform.release().split("-")[0].split(".")[:2]
    return tuple(int(number) for number in numbers if number.isdigit())


def missing() -> str:
    """Why no sandbox can be started here, with the remedy, in one sentence; "" if one can."""
    return trial()[0]


def unfiltered() -> str:
    """Why the kernel's calls are not filtered in sandboxes here, in one sentence; "" if they are."""
    return trial()[1]


@functools.cache
def trial() -> tuple[str, str]:
    """`missing` and `unfiltered`. They are tried, not guessed: containers and security modules forbid in many ways."""
    if not sys.platform.startswith("linux"):
        return (
            "submissions can be isolated on Linux only (with bubblewrap): grade in a Linux machine, "
            f"virtual machine or container, {HELP}."
        ), ""
    if shutil.which("bwrap") is None:
        return (
            "bubblewrap, which isolates submissions from this machine, is not installed: "
            f"apt-get install bubblewrap (dnf install bubblewrap), {HELP}."
        ), ""
    calls = seccomp.program()
    unknown = "" if calls else f"their numbers on {platform.machine()} are not known"
    try:
        refused = unknown or _tried(calls)
        said = refused and _tried(b"")
    except SandboxMissing as wrong:
        return str(wrong), ""
    except (OSError, subprocess.TimeoutExpired) as wrong:
        return f"bubblewrap cannot be run ({wrong}): install it again, {HELP}.", ""
    if not said:
        without = "the sandbox holds, but memory that no process maps is not counted"
        return "", refused and f"The kernel's calls are not filtered here ({refused}): {without}."
    if "nknown option" in said:
        return f"bubblewrap is too old ({said}): version 0.8 or newer is needed, {HELP}.", ""
    return (
        f"bubblewrap is installed but may not isolate submissions here ({said}): allow user namespaces "
        "(in a container: run it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined; "
        f"on Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0), {HELP}."
    ), ""


def _tried(calls: bytes) -> str:
    """What bubblewrap says if no sandbox with that filter can be started, else "".

    Raises:
        SandboxMissing, OSError, subprocess.TimeoutExpired: it cannot even be tried.
    """
    with BubblewrapLauncher(calls=calls).bubblewrap({}) as (program, fds):
        tried = subprocess.run(
            [*program, "--", sys.executable, "-I", "-S", "-c", ""],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=START_SECONDS,
            stdin=subprocess.DEVNULL,
            pass_fds=fds,
        )
    if tried.returncode == 0:
        return ""
    return (tried.stderr.strip().splitlines() or [f"exit status {tried.returncode}"])[-1][:200]


def available() -> bool:
    """Can submissions be isolated here?"""
    return not missing()


def choose(unsafe: bool = False) -> Launcher:
    """How learners' code is started: in a sandbox, unless somebody has said in so many words to do without.

    Args:
        unsafe: start it as an ordinary process; the variable NAS_COURSE_UNSAFE=1 says the same.

    Raises:
        SandboxMissing: no sandbox can be started here.
    """
    if unsafe or os.environ.get(UNSAFE_VARIABLE) == "1":
        return PlainLauncher()
    if missing():
        raise SandboxMissing(f"Nothing has been graded: {missing()}")
    return BubblewrapLauncher()


def isolation(launcher: Any) -> str:
    """The launcher's kind, for reports: "bubblewrap" or "none"."""
    return "bubblewrap" if isinstance(launcher, BubblewrapLauncher) else "none"
