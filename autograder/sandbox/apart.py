"""The grader's own work on learners' text, in a process beside it and under limits: parsing, matching, rendering.

A text may be made to take our parsers' time, memory or stack. That then ends a process that has nothing else to do,
and the caller hears `Beyond` of this one submission. Only our own code runs here; learners' code has `session`.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import math
import multiprocessing
import os
import pickle
import resource
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any, NoReturn, ParamSpec, TypeVar

MEMORY_BYTES = 2**30  # beyond what the process holds when it is made
DEPTH = 5_000  # calls: an honest sum of a thousand terms is a tree of that depth
PATIENCE = 60  # the clock's time for each second of the processor's: machines are busy

P = ParamSpec("P")
R = TypeVar("R")


class Beyond(ValueError):
    """A text that took more than it may. The message goes on after "as ": "it took more than 20 s"."""


def limited(
    seconds: int, back: Callable[[Any], Any] = lambda found: found, tells: type[ValueError] = Beyond
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function work in the process beside; calls that it makes in there are plain calls.

    Args:
        seconds: of the processor's time that one call may take.
        back: what makes the result of JSON, in which it comes back; data classes arrive as dictionaries.
        tells: the error by which the function says something of the text itself; its message comes through.

    The function is found by its name, and its arguments must be picklable. Calling it raises `Beyond` where the text
    is too much for it, or fails it in any other way.
    """

    def put_apart(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def called(*args: P.args, **named: P.kwargs) -> R:
            if _inside:
                return function(*args, **named)
            question = (function.__module__, function.__qualname__, args, named, seconds)
            reply = _ask(pickle.dumps(question), seconds)
            if "told" in reply:
                raise tells(reply["told"]) if reply["by"] == tells.__name__ else Beyond(reply["told"])
            result: R = back(reply["found"])
            return result

        return called

    return put_apart


# ----------------------------------------------------------------------------------------------------
# The side that asks

_inside = False  # whether this is the process beside
_lock = threading.Lock()
_helper: _Helper | None = None


class _Helper:
    """The process beside. It is forked, as importing the parsers takes seconds, and ends with this one."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._line, theirs = multiprocessing.Pipe()
        with warnings.catch_warnings():
            # From Python 3.12 on: of locks that other threads may hold. Ours runs no code that takes them.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if not self._pid:
            _serve(theirs)
        theirs.close()

    def ask(self, question: bytes, seconds: int) -> dict[str, Any]:
        """The answer to one question.

        Raises:
            Beyond: none came.
        """
        self._line.send_bytes(question)
        if not self._line.poll(PATIENCE * seconds):
            raise Beyond(f"it took more than {PATIENCE * seconds} s")
        reply: dict[str, Any] = json.loads(self._line.recv_bytes())
        return reply

    def close(self) -> int:
        """End it; returns how it ended, negative for a signal."""
        self._line.close()
        time.sleep(0.01)  # it may be ending: then its own reason is the one to hear
        with contextlib.suppress(ProcessLookupError):
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if not pid:
                os.kill(self._pid, signal.SIGKILL)
                _, status = os.waitpid(self._pid, 0)
            return os.waitstatus_to_exitcode(status)
        return 0


def _ask(question: bytes, seconds: int) -> dict[str, Any]:
    """Ask the helper, which is made where there is none, and ended where it gives no answer."""
    global _helper
    with _lock:
        if _helper is None or _helper.owner != os.getpid():  # a fork of ours needs one of its own
            _helper = _Helper()
        try:
            return _helper.ask(question, seconds)
        except (Beyond, EOFError, OSError) as wrong:
            ended, _helper = _helper.close(), None
            if isinstance(wrong, Beyond):
                raise
        except BaseException:  # Ctrl-C: the answer that is on its way must not be taken for another's
            _helper.close()
            _helper = None
            raise
    if ended == -signal.SIGXCPU:
        raise Beyond(f"it took more than {seconds} s")
    raise Beyond(f"it ended the process that looked at it ({ended})")


@atexit.register
def close() -> None:
    """End the process beside, if there is one; the next call makes another."""
    global _helper
    with _lock:
        if _helper is not None and _helper.owner == os.getpid():
            _helper.close()
        _helper = None


# ----------------------------------------------------------------------------------------------------
# The side that answers


def _serve(line: Connection) -> NoReturn:
    """Answer questions until the other side is gone. Runs in the fork, which must never return to what forked it."""
    global _inside
    _inside = True
    try:
        _settle(line.fileno())
        while True:
            line.send_bytes(_answer(line.recv_bytes()))
    except (EOFError, OSError):
        os._exit(0)
    finally:
        os._exit(1)


def _settle(line: int) -> None:
    """Let go of all that was the parent's: files with their locks, signals; and take on the limits."""
    gc.freeze()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    for number in (signal.SIGTERM, signal.SIGXCPU):
        signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    os.closerange(3, line)
    os.closerange(line + 1, 65_536)
    sys.setrecursionlimit(DEPTH)
    with contextlib.suppress(OSError, ValueError):
        with open("/proc/self/statm", encoding="ascii") as file:
            held = int(file.read().split()[0]) * resource.getpagesize()
        _lower(resource.RLIMIT_AS, held + MEMORY_BYTES)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(limit: int, value: int) -> None:
    _, most = resource.getrlimit(limit)
    resource.setrlimit(limit, (value if most == resource.RLIM_INFINITY else min(value, most), most))


def _allow(seconds: int) -> None:
    """Let the kernel end this process when it has used so much more of the processor's time."""
    _lower(resource.RLIMIT_CPU, math.ceil(time.process_time()) + seconds)


def _answer(question: bytes) -> bytes:
    try:
        module, name, args, named, seconds = pickle.loads(question)
        function = getattr(importlib.import_module(module), name)
        _allow(seconds)  # from now on: importing is none of the text's doing
        found = function(*args, **named)
        return json.dumps({"found": found}, default=asdict).encode()
    except RecursionError:
        told = "it is nested too deep"
    except MemoryError:
        told = f"it took more than {MEMORY_BYTES // 2**20} MB of memory"
    except ValueError as error:
        return json.dumps({"told": str(error), "by": type(error).__name__}).encode()
    except Exception as error:
        told = f"the grader failed on it ({type(error).__name__}: {error})"[:300]
    return json.dumps({"told": told, "by": Beyond.__name__}).encode()
