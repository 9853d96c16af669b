"""Which of the kernel's calls a learner's process may make, as a program that the kernel runs before each of them.

Namespaces, empty folders and limits keep learners in already; this closes doors that no notebook has business with:
looking into other processes, new namespaces, keys, parts of the kernel that are young and intricate, and memory that
nobody outside could count. Python carries on where a call is refused: it is an OSError, or the C library takes an
older call.

The program is written in the kernel's classic BPF (Documentation/userspace-api/seccomp_filter.rst, linux/filter.h): a
few loads, comparisons and returns. Each rule ends in a return or falls through to the next, so no jump is longer than
its rule.
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Mapping
from dataclasses import dataclass

# Operations of classic BPF, and where they find things in `struct seccomp_data`.
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000

CLONE_NEW = 0x7E020000
"""Flags of `clone` that ask for a new namespace of any kind."""
MAP_SHARED, MAP_ANONYMOUS = 0x01, 0x20
SOL_SOCKET, SEND_BUFFER = 1, (7, 32)
FAMILIES = (1, 16)
"""AF_UNIX, and AF_NETLINK, with which the C library lists interfaces: there is no network to speak others with."""


@dataclass(frozen=True)
class Machine:
    """A kind of processor.

    Args:
        audit: the kernel's number for it.
        column: of its numbers of calls in `CALLS`.
        foreign: numbers from this one on are those of another convention on the same processor; 0 for none.
    """

    audit: int
    column: int
    foreign: int = 0


MACHINES = {"x86_64": Machine(0xC000003E, 0, 0x40000000), "aarch64": Machine(0xC00000B7, 1)}

# Numbers on x86_64 and aarch64 (-1: there is no such call), from the kernel's tables.
CALLS: Mapping[str, tuple[int, int]] = {
    "clone": (56, 220),
    "mmap": (9, 222),
    "setsockopt": (54, 208),
    "socket": (41, 198),
    "socketpair": (53, 199),
    # Other processes' memory and files.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    # New namespaces and mounts; files by handle, past every path.
    "unshare": (272, 97),
    "setns": (308, 268),
    "clone3": (435, 435),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    # Parts of the kernel in which faults have been found again and again.
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_setup": (206, 0),
    "fanotify_init": (300, 262),
    "modify_ldt": (154, -1),
    # Keys of the user's, which namespaces do not keep apart.
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # The machine's own state.
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    # Memory that belongs to no process: System V's, queues, files without a folder, pages given to a pipe.
    "shmget": (29, 194),
    "shmctl": (31, 195),
    "shmat": (30, 196),
    "shmdt": (67, 197),
    "semget": (64, 190),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "semop": (65, 193),
    "msgget": (68, 186),
    "msgctl": (71, 187),
    "msgrcv": (70, 188),
    "msgsnd": (69, 189),
    "mq_open": (240, 180),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "vmsplice": (278, 75),
}
IN_PART = ("clone", "mmap", "setsockopt", "socket", "socketpair")
"""Calls that are refused with some arguments only."""
ABSENT = ("clone3", "io_uring_setup", "memfd_create", "memfd_secret")
"""Calls of which libraries believe that an old kernel lacks them, and take another way."""


def program(machine: str | None = None) -> bytes:
    """The filter for a kind of processor (by default this one's); b"" where its numbers are not known."""
    of = MACHINES.get(machine or platform.machine())
    if of is None:
        return b""
    numbers = {name: both[of.column] for name, both in CALLS.items() if both[of.column] >= 0}
    code = [_load(ARCHITECTURE), _jump(EQUAL, of.audit, 1, 0), _return(KILL), _load(NUMBER)]
    if of.foreign:
        code += [_jump(AT_LEAST, of.foreign, 0, 1), _refuse(errno.ENOSYS)]
    for name, number in numbers.items():
        if name in IN_PART:
            code += _rule(number, _in_part(name))
        else:
            code += _rule(number, [_refuse(errno.ENOSYS if name in ABSENT else errno.EPERM)])
    return b"".join([*code, _return(ALLOW)])


def _in_part(name: str) -> list[bytes]:
    """What becomes of a call that is refused with some arguments."""
    if name == "clone":
        return [_argument(0), _jump(ANY_BIT, CLONE_NEW, 0, 1), _refuse(errno.EPERM), _return(ALLOW)]
    if name == "mmap":  # shared memory lies in files, whose folders have a size
        both = [_jump(ANY_BIT, MAP_ANONYMOUS, 0, 2), _jump(ANY_BIT, MAP_SHARED, 0, 1)]
        return [_argument(3), *both, _refuse(errno.EPERM), _return(ALLOW)]
    if name == "setsockopt":  # so that sockets can be counted at the usual size
        sizes = [_jump(EQUAL, SEND_BUFFER[0], 1, 0), _jump(EQUAL, SEND_BUFFER[1], 0, 1)]
        socket_level = [_argument(1), _jump(EQUAL, SOL_SOCKET, 0, 4)]
        return [*socket_level, _argument(2), *sizes, _refuse(errno.EPERM), _return(ALLOW)]
    known = [_jump(EQUAL, FAMILIES[0], 2, 0), _jump(EQUAL, FAMILIES[1], 1, 0)]
    return [_argument(0), *known, _refuse(errno.EAFNOSUPPORT), _return(ALLOW)]


def _rule(number: int, then: list[bytes]) -> list[bytes]:
    """Instructions for one call, all of which end in a return."""
    return [_jump(EQUAL, number, 0, len(then)), *then]


def _load(offset: int) -> bytes:
    return _instruction(LOAD, offset)


def _argument(place: int) -> bytes:
    """Load the lower half of an argument; both kinds of processors store it first."""
    return _load(ARGUMENTS + 8 * place)


def _jump(how: int, value: int, if_so: int, if_not: int) -> bytes:
    """Compare what is loaded, and skip as many instructions."""
    return _instruction(how, value, if_so, if_not)


def _return(action: int) -> bytes:
    return _instruction(RETURN, action)


def _refuse(number: int) -> bytes:
    return _return(REFUSE | number)


def _instruction(code: int, value: int, if_so: int = 0, if_not: int = 0) -> bytes:
    """A `struct sock_filter`."""
    return struct.pack("=HBBI", code, if_so, if_not, value)
