"""The filter of the kernel's calls, read by a small machine of the tests' own: what it refuses on each processor.

That the kernel reads it likewise is tried in `test_sandbox`.
"""

from __future__ import annotations

import errno
import os
import re
import struct
from pathlib import Path

import pytest

from autograder.sandbox import seccomp
from autograder.sandbox.seccomp import ABSENT, CALLS, IN_PART, MACHINES

# Numbers of calls that notebooks live on: read, write, openat, execve, futex, fork's wait4, getrandom, prlimit64.
NEEDED = {"x86_64": (0, 1, 257, 59, 202, 61, 318, 302), "aarch64": (63, 64, 56, 221, 98, 260, 278, 261)}
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
AF_UNIX, AF_INET, AF_VSOCK = 1, 2, 40


def outcome(machine: str, number: int, *arguments: int, audit: int | None = None) -> str:
    """What becomes of a call: "allowed", "killed" or the error's name."""
    audit = MACHINES[machine].audit if audit is None else audit
    data = struct.pack("<IIQ6Q", number, audit, 0, *arguments, *[0] * (6 - len(arguments)))
    code = list(struct.iter_unpack("<HBBI", seccomp.program(machine)))
    place, loaded = 0, 0
    while True:
        what, if_so, if_not, value = code[place]
        place += 1
        if what == seccomp.LOAD:
            (loaded,) = struct.unpack_from("<I", data, value)
        elif what == seccomp.RETURN:
            known = {seccomp.ALLOW: "allowed", seccomp.KILL: "killed"}
            return known.get(value) or errno.errorcode[value & 0xFFFF]
        else:
            holds = {
                seccomp.EQUAL: loaded == value,
                seccomp.AT_LEAST: loaded >= value,
                seccomp.ANY_BIT: bool(loaded & value),
            }[what]
            place += if_so if holds else if_not


def of(machine: str, name: str, *arguments: int) -> str:
    return outcome(machine, CALLS[name][MACHINES[machine].column], *arguments)


@pytest.mark.parametrize("machine", MACHINES)
def test_what_no_notebook_needs_is_refused_and_what_it_needs_is_not(machine: str) -> None:
    for name, numbers in CALLS.items():
        if name not in IN_PART and numbers[MACHINES[machine].column] >= 0:
            assert of(machine, name) == ("ENOSYS" if name in ABSENT else "EPERM"), name
    assert {outcome(machine, number) for number in NEEDED[machine]} == {"allowed"}


@pytest.mark.parametrize("machine", MACHINES)
def test_some_arguments_are_refused_alone(machine: str) -> None:
    fork, thread, new_user, new_network = 17, 0x3D0F00, 0x10000000, 0x40000000
    assert of(machine, "clone", fork) == of(machine, "clone", thread) == "allowed"
    assert of(machine, "clone", new_user | fork) == of(machine, "clone", new_network | thread) == "EPERM"
    private, shared, validated, anonymous = 2, 1, 3, 32
    maps = {kind: of(machine, "mmap", 0, 4096, 3, kind) for kind in (private, shared, private | anonymous)}
    assert set(maps.values()) == {"allowed"}
    assert of(machine, "mmap", 0, 4096, 3, shared | anonymous) == "EPERM"
    assert of(machine, "mmap", 0, 4096, 3, validated | anonymous | 0x4000) == "EPERM"
    for name in ("socket", "socketpair"):
        assert of(machine, name, AF_UNIX) == "allowed"
        assert of(machine, name, AF_INET) == of(machine, name, AF_VSOCK) == "EAFNOSUPPORT"
    to_send, to_receive, nodelay = 7, 8, 1
    assert of(machine, "setsockopt", 3, 1, to_send) == of(machine, "setsockopt", 3, 1, 32) == "EPERM"
    assert of(machine, "setsockopt", 3, 1, to_receive) == of(machine, "setsockopt", 3, 6, 7) == "allowed"
    assert of(machine, "setsockopt", 3, 6, nodelay) == "allowed"


def test_calls_of_another_convention_do_not_slip_through() -> None:
    x32, i386 = 0x40000000, 0x40000003
    assert outcome("x86_64", x32 | 1) == "ENOSYS"
    assert outcome("x86_64", 4, audit=i386) == "killed"
    assert outcome("aarch64", 64, audit=0x40000028) == "killed", "of 32-bit ARM"


def test_without_numbers_there_is_no_filter() -> None:
    assert seccomp.program("riscv64") == b""
    assert seccomp.program() == seccomp.program(os.uname().machine)


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_the_kernel_s_own(machine: str) -> None:
    if not HEADERS[machine].is_file():
        pytest.skip(f"the kernel's headers are not installed ({HEADERS[machine]})")
    text = HEADERS[machine].read_text(encoding="ascii")
    kernels = {name: int(number) for name, number in re.findall(r"__NR(?:3264)?_(\w+)\s+(\d+)", text)}
    ours = {name: numbers[MACHINES[machine].column] for name, numbers in CALLS.items()}
    newer = {name for name in ours if name not in kernels}  # than these headers
    assert len(newer) < 8
    assert {name: kernels[name] for name in ours if name in kernels} == {
        name: number for name, number in ours.items() if name not in newer
    }
