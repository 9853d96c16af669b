"""The learner's process: runs the cells of one submission, then lets each exercise's probe call what they
defined.

It is started as a script by `session`, speaks JSON lines over two file descriptors of its own (never stdout),
and knows no expected value: probes return plain data, and a judge on the other side compares. It imports
nothing of the instructor's side. It is no sandbox itself, it runs in one (`sandbox`): whatever the learner's
code does to this process, the other side takes only data from it and kills it in time.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import contextlib
import importlib.abc
import inspect
import io
import json
import linecache
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import CodeType, FrameType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas_lib.checks import Exercise, _core

PRINTED_CHARACTERS = 10_000  # kept of each cell; the rest is dropped as it is printed
FILE_BYTES = 64 * 1024 * 1024
INSTANCE_SECONDS = 5.0
BAD_INPUT_SECONDS = 2.0  # refusing bad input takes no time at all
# `import solutions` would hand out the answers wherever the course is installed from its own folder.
FORBIDDEN_MODULES = frozenset({"solutions", "autograder"})


class Printed(io.TextIOBase):
    """Standard output and error of the learner's code: keeps the beginning, drops the rest."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._room = PRINTED_CHARACTERS
        self._dropped = False

    def write(self, text: str) -> int:
        """Take what is printed, as far as there is room."""
        if self._room > 0:
            self._pieces.append(text[: self._room])
        self._dropped = self._dropped or len(text) > self._room
        self._room = max(0, self._room - len(text))
        return len(text)

    def writable(self) -> bool:
        """It is."""
        return True

    def text(self) -> str:
        """What was printed."""
        return "".join(self._pieces) + ("\n... (the rest is cut)" if self._dropped else "")


class Channel:
    """JSON lines to and from the grader."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._in = os.fdopen(read_fd, "rb", buffering=0)
        self._out = write_fd
        self._waiting = b""
        # Bound now: what the learner's code later does to these modules does not garble an honest answer.
        self._dumps, self._loads, self._write = json.dumps, json.loads, os.write

    def send(self, message: dict[str, Any], fresh_line: bool = False) -> None:
        """Send a message; `fresh_line` first ends a line that a killed child may have left unfinished."""
        text = ("\n" if fresh_line else "") + self._dumps(message) + "\n"
        data = memoryview(text.encode("ascii"))
        while data:
            data = data[self._write(self._out, data) :]

    def receive(self) -> dict[str, Any] | None:
        """The next message; None when the grader has hung up."""
        while b"\n" not in self._waiting:
            block = self._in.read(1 << 16)
            if not block:
                return None
            self._waiting += block
        line, self._waiting = self._waiting.split(b"\n", 1)
        message: dict[str, Any] = self._loads(line)
        return message


class _Forbidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] in FORBIDDEN_MODULES:
            raise ImportError(f"{name} is not available while a notebook is graded")


class _Shell:
    """What `get_ipython()` gives a cell here: magics that wrap code run that code, all others do nothing."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace

    def run_line_magic(self, name: str, line: str, *_: Any, **__: Any) -> None:
        """`%time statement` runs the statement."""
        if name == "time" and line.strip():
            exec(compile(line, "<magic>", "exec"), self._namespace)

    def run_cell_magic(self, name: str, line: str, cell: str) -> None:
        """`%%time` and the like run the cell's body."""
        if name in ("time", "capture", "prun"):
            exec(_python(cell, "<magic>"), self._namespace)

    def getoutput(self, *_: Any, **__: Any) -> list[str]:
        """No command is run, so it prints nothing."""
        return []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


class Worker:
    """Runs cells in one namespace, and probes in forks of it."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        # A module of its own, as a kernel's __main__ is: `sum = 0` at top level there changes nothing here.
        module = ModuleType("__main__")
        self._namespace = module.__dict__
        shell = _Shell(self._namespace)
        self._namespace.update(
            __builtins__=builtins, get_ipython=lambda: shell, display=lambda *things, **_: print(*things)
        )
        sys.modules["__main__"] = module
        builtins.input = lambda *_: ""  # nobody is there to answer

    def serve(self) -> None:
        """Answer the grader until it hangs up."""
        self._channel.send({"op": "ready"})
        while (message := self._channel.receive()) is not None:
            # Anything else is the reply to a call of a child that did not live to read it.
            if message.get("op") == "run":
                self._channel.send(
                    {"op": "ran", **self._run(message["name"], message["source"], message["seconds"])}
                )
            elif message.get("op") == "probe":
                self._fork(message)

    def _run(self, name: str, source: str, seconds: float) -> dict[str, Any]:
        """Run one cell. Whatever it raises becomes one line, and the next cell can run."""
        printed, error, late = Printed(), None, False
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            try:
                with _alarm(seconds):
                    self._execute(source, f"<{name}>")
            except _core.OutOfTime:
                error, late = f"stopped after {seconds:g} seconds", True
            except SyntaxError as wrong:
                error = _explain_syntax(wrong, f"<{name}>")
            except BaseException as wrong:  # SystemExit and KeyboardInterrupt end a cell, not the notebook
                error = _core.explain(wrong)
        _single_thread()
        return {"error": error, "late": late, "printed": printed.text()}

    def _execute(self, source: str, filename: str) -> None:
        lines = [line + "\n" for line in source.splitlines()]
        linecache.cache[filename] = (
            len(source),
            None,
            lines,
            filename,
        )  # so that messages can quote the line
        code = _python(source, filename)
        if code.co_flags & inspect.CO_COROUTINE:
            asyncio.run(eval(code, self._namespace))
        else:
            exec(code, self._namespace)

    def _fork(self, message: dict[str, Any]) -> None:
        """Probe one exercise in a child, so that a crash or a changed library costs this exercise alone."""
        child = os.fork()
        if child == 0:
            try:
                self._probe(message)
                os._exit(0)
            finally:
                os._exit(1)
        # The child's own alarm comes first, unless the learner's code ignores it.
        status = _wait(child, time.monotonic() + message["seconds"] + 1.0)
        self._channel.send({"op": "ended", "of": message["of"], "status": status}, fresh_line=True)

    def _probe(self, message: dict[str, Any]) -> None:
        exercise = _core.exercise(message["exercise"], message["lesson"])
        oracle = _core.RemoteOracle(lambda wanted: self._call(message["of"], wanted))
        deadline = time.monotonic() + message["seconds"]
        hung = False
        for place, encoded in enumerate(message["instances"]):
            instance = _core.decode(encoded)
            seconds = BAD_INPUT_SECONDS if "bad" in instance else INSTANCE_SECONDS
            seconds = min(seconds, deadline - time.monotonic())
            if hung or seconds <= 0:
                # The worst instance decides, so that there is nothing left to win.
                answer: dict[str, Any] = {"error": "OutOfTime: your code used up the exercise's time"}
            else:
                answer = self._answer(exercise, instance, oracle, seconds, place)
                hung = "bad" not in instance and str(answer.get("error", "")).startswith("OutOfTime")
            self._channel.send({"op": "answer", "of": message["of"], "answer": answer})

    def _answer(
        self, exercise: Exercise, instance: dict[str, Any], oracle: Any, seconds: float, place: int
    ) -> dict[str, Any]:
        if exercise.name not in self._namespace:
            return {"error": f"Missing: {exercise.name} is not defined"}
        _reseed(place)
        sink = Printed()
        with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
            try:
                with _alarm(seconds):
                    return _core.run_probe(exercise, self._namespace[exercise.name], instance, oracle)
            except _core.OutOfTime:
                return {
                    "error": f"OutOfTime: your code ran for more than {seconds:.3g} s: does a loop never end?"
                }
            except BaseException as wrong:  # an exception class of the learner's that is no Exception
                return {"error": _core.explain(wrong)}

    def _call(self, number: int, wanted: dict[str, Any]) -> dict[str, Any]:
        self._channel.send({"op": "call", "of": number, "wanted": wanted})
        reply = self._channel.receive()
        if reply is None:
            os._exit(1)
        answered: dict[str, Any] = reply["reply"]
        return answered


def _python(source: str, filename: str) -> CodeType:
    """Compile a cell; magics and shell lines become calls of `_Shell`, and top-level await is fine."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        return compile(source, filename, "exec", flags=flags, dont_inherit=True)
    except SyntaxError as wrong:
        from IPython.core.inputtransformer2 import TransformerManager

        try:
            plain = TransformerManager().transform_cell(source)
        except SyntaxError:
            raise wrong from None
        return compile(plain, filename, "exec", flags=flags, dont_inherit=True)


def _explain_syntax(wrong: SyntaxError, filename: str) -> str:
    if wrong.filename != filename:  # raised while the cell ran, by an import or an eval of its own
        return _core.explain(wrong)
    line = (wrong.text or "").strip()[:80]
    return f"{type(wrong).__name__}: {wrong.msg} (line {wrong.lineno}: `{line}`)"


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise OutOfTime in the block after `seconds`."""

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise _core.OutOfTime

    signal.signal(signal.SIGALRM, ring)
    # Again and again: an `except BaseException: pass` around a loop swallows the first ones.
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)


def _wait(child: int, deadline: float) -> int | str:
    """Wait for a child; "late" if it had to be killed, else its exit status (negative for a signal)."""
    pause = 0.0005
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "late"
        time.sleep(pause)
        pause = min(0.01, 2 * pause)


def _reseed(place: int) -> None:
    """Code that draws from a global generator gives the same in every regrade."""
    random.seed(place)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(place)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(place)


def _single_thread() -> None:
    """A backward pass in a fork hangs when torch had more than one thread before."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "set_num_threads"):
        torch.set_num_threads(1)


def _limit_resources() -> None:
    import resource  # POSIX only, as grading is

    limits = {"CORE": 0, "FSIZE": FILE_BYTES, **json.loads(os.environ.pop("NAS_RLIMITS", "{}"))}
    for name, most in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))  # hard: it cannot be raised again


def main() -> None:
    """Arguments: the two file descriptors, the folder that holds nas_lib, and the lesson."""
    global _core
    read_fd, write_fd, library, lesson = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    _limit_resources()
    if library not in sys.path:
        sys.path.append(library)
    # Before any of the learner's code: later imports of these find them here.
    from nas_lib.checks import _core

    _core.exercises(lesson)
    sys.meta_path.insert(0, _Forbidden())
    for fd in (read_fd, write_fd):
        os.set_inheritable(fd, False)  # processes that a cell starts have no business with the grader
    sys.argv[:] = [""]
    Worker(Channel(read_fd, write_fd)).serve()


if __name__ == "__main__":
    main()
