"""A process that has imported what a lesson needs and runs nothing: learners' processes are forked from it.

It is started as a script by `prefork`, inside a bubblewrap sandbox that already hides the grader's machine. No
code of a learner's ever runs in it. Each process forked from it first shuts itself in once more, away from its
siblings: user, PID, mount, IPC, network and host name namespaces of its own, empty folders to write to, no
capability, no way to any of them, and none of the kernel's calls that no notebook needs. It says that it is there
only when all of that has been done; what fails ends it, before any of the learner's code.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import platform
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import worker  # type: ignore[import-not-found]

del sys.path[0]

# From the kernel's headers.
CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
APART = (
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWCGROUP
)
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 24, 38, 47, 4
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
CAPABILITY_VERSION_3 = 0x20080522
IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)  # as Python does when it starts: writing raises instead
LAST_CAPABILITY = "/proc/sys/kernel/cap_last_cap"
# A process inherits its parent's keys; a keyring of its own keeps them apart.
KEYCTL, KEYCTL_JOIN_SESSION_KEYRING = {"x86_64": 250, "aarch64": 219}, 1

_libc = ctypes.CDLL(None, use_errno=True)


def _must(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(kind: str, place: str, flags: int, options: str = "") -> None:
    text = [part.encode() for part in (kind, place, kind, options)]
    _must(_libc.mount(text[0], text[1], text[2], flags, text[3] or None), f"mount {kind} on {place}")


class _Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


@dataclass(frozen=True)
class Box:
    """What a process shuts itself in with.

    Args:
        folders: in memory, to write to, with their sizes in bytes.
        calls: the filter of the kernel's calls (`seccomp`), in hexadecimal digits; "" for none.
    """

    folders: dict[str, int]
    calls: str


def serve(control: socket.socket, box: Box) -> None:
    """Fork a process for each message, which brings its three descriptors: to read from, to write to, to report to."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here
    gc.collect()
    gc.freeze()
    control.send(b"ready")
    while True:
        said, fds, _, _ = socket.recv_fds(control, 16, 3)
        if not said:
            os._exit(0)  # the grader has gone
        if os.fork() == 0:
            control.close()
            _guard(fds, box)
        for fd in fds:
            os.close(fd)


def _guard(fds: Sequence[int], box: Box) -> None:
    """In the first fork: make namespaces, in which a child lives; tell how that one ended. Never returns."""
    report = fds[2]
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _keep(fds)
        user, group = os.getuid(), os.getgid()
        last = _last_capability()
        _must(_libc.unshare(APART), "unshare")
        # Itself and nobody else: the kernel allows this much without any right outside.
        for name, line in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(line)
        child = os.fork()
        if child == 0:
            _first(fds, box, last)
        for fd in fds[:2]:
            os.close(fd)
        _, status = os.waitpid(child, 0)
        _tell(report, status=os.waitstatus_to_exitcode(status))
        os._exit(0)
    except BaseException as error:
        _fail(report, error)


def _first(fds: Sequence[int], box: Box, last_capability: int) -> None:
    """The first process of the new PID namespace, with which all others end. Never returns."""
    report = fds[2]
    try:
        os.setsid()
        _shut_in(box, last_capability)
        _tell(report, up=True)
        # The grader takes hold of this process before anything of the learner's can end it.
        if os.read(report, 1) != b"+":
            os._exit(1)
        os.close(report)
    except BaseException as error:
        _fail(report, error)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        try:
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                with contextlib.suppress(OSError, ValueError):
                    signal.signal(number, signal.SIG_IGN if number in IGNORED else signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.setsid()
            worker.begin(fds[0], fds[1])
            os._exit(0)
        finally:
            os._exit(1)
    for fd in fds[:2]:
        os.close(fd)
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(128 - code if code < 0 else code)  # as bubblewrap tells a signal


def _shut_in(box: Box, last_capability: int) -> None:
    """Cover all that is shared with other learners' processes, and give up every right to uncover it."""
    _must(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "make mounts private")
    for place, size in box.folders.items():
        _mount("tmpfs", place, MS_NOSUID | MS_NODEV, f"size={size},mode=0755")
    _mount("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    quiet = MS_NOSUID | MS_NODEV | MS_NOEXEC
    _mount("proc", "/proc", quiet)
    with open("/proc/sys/user/max_user_namespaces", "w", encoding="ascii") as file:
        file.write("0")
    _must(
        _libc.mount(b"none", b"/proc", None, quiet | MS_REMOUNT | MS_BIND | MS_RDONLY, None), "remount /proc"
    )
    os.chdir(os.environ["HOME"])  # the new one: the old one had the same name
    number = KEYCTL.get(platform.machine())
    if (
        number is not None
    ):  # fails where the kernel has no keys, or a filter forbids them: nothing to keep apart
        _libc.syscall(number, KEYCTL_JOIN_SESSION_KEYRING, None)
    for capability in range(last_capability + 1):
        _must(_libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0), "drop from the bounding set")
    _must(_libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "clear ambient capabilities")
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    _must(_libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")
    _must(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    if box.calls:
        calls = bytes.fromhex(box.calls)
        program = _Program(len(calls) // 8, calls)
        _must(_libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0), "filter calls")


def _last_capability() -> int:
    with open(LAST_CAPABILITY, encoding="ascii") as file:
        return int(file.read())


def _keep(fds: Sequence[int]) -> None:
    """Close every other descriptor."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in fds:
            with contextlib.suppress(OSError):
                os.close(int(name))


def _tell(report: int, **message: Any) -> None:
    os.write(report, json.dumps(message).encode() + b"\n")


def _fail(report: int, error: BaseException) -> None:
    with contextlib.suppress(OSError):
        _tell(report, failed=f"{type(error).__name__}: {error}")
    os._exit(1)


def main() -> None:
    """Arguments: the control socket's descriptor, what `Box` holds (JSON), those of `prepare`."""
    worker.prepare(*sys.argv[3:6])
    serve(socket.socket(fileno=int(sys.argv[1])), Box(**json.loads(sys.argv[2])))


if __name__ == "__main__":
    main()
