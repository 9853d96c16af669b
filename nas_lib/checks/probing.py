"""The learner's side: a probe drives the learner's code, and what comes of it becomes one JSON-able message.

Nothing here knows what is right, and nothing here decides anything: whatever the learner's code does to this module
costs at most its own points.
"""

from __future__ import annotations

import contextlib
import linecache
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from nas_lib.checks.codec import NotPlainData, decode, describe, encode
from nas_lib.checks.exercise import MESSAGE, Answer, Exercise, Instance, clean, public_part
from nas_lib.checks.holding import Watch, settings_kept, stir
from nas_lib.checks.oracles import Oracle, RemoteOracle
from nas_lib.checks.questions import ConceptQuestion

UNLIMITED = contextlib.nullcontext()


class OutOfTime(BaseException):
    """Raised inside the learner's code when its time is up. No Exception, so that `except Exception` lets it pass."""


class Endless(RuntimeError):
    """Raised by an instance's space or generator when the learner's loop has drawn from it far too often."""


def run_probe(
    exercise: Exercise,
    fn: Any,
    instance: Instance,
    oracle: RemoteOracle | None = None,
    limit: contextlib.AbstractContextManager[Any] = UNLIMITED,
) -> dict[str, Any]:
    """Probe the learner's `fn` on one instance, in the learner's process, and tell what came of it, JSON-able.

    Whatever Exception the learner's code raises becomes one line; what no code should swallow (KeyboardInterrupt, a
    time limit's BaseException) passes.

    Args:
        exercise, fn, instance: what is probed, the learner's code, and on what.
        oracle: answers what the learner's code asks for.
        limit: is around the learner's code alone: no alarm rings while settings are brought back.

    Returns:
        {"value": …} or {"error": "…", "raised": [names of its classes], "afterwards": …}, with "changed" and "kinds",
        as in `Answer`.
    """
    if isinstance(exercise, ConceptQuestion):
        with limit:
            return _told(lambda: exercise.probe(fn, public_part(instance), oracle), fn, Watch())
    if not callable(fn):
        return {
            "error": f"Missing: {exercise.name} is {describe(fn)}, not a function: pass its name, not a call"
        }
    watch = Watch(instance.get("changes", exercise.changes), exercise.methods)
    watched = watch.over(fn)
    with settings_kept():
        stir()
        with limit:
            told = _told(lambda: exercise.probe(watched, public_part(instance), oracle), fn, watch)
    return told | {"changed": watch.changed, "kinds": watch.kinds}


def _told(probe: Any, fn: Any, watch: Watch) -> dict[str, Any]:
    try:
        return {"value": encode(probe())}
    except (Exception, SystemExit) as error:  # `exit()` in an exercise is the learner's mistake, not the end
        returned = bool(watch.kinds) and error is not watch.raised and not _place(error.__traceback__, fn)
        raised = [kind.__name__ for kind in type(error).__mro__]
        return {"error": explain(error, fn), "raised": raised, "afterwards": returned}


def read_answer(message: Any, oracle: Oracle | None = None, seconds: float = 0.0) -> Answer:
    """What `run_probe` said, as it arrives outside: any JSON at all. Never raises."""
    calls = list(oracle.calls) if oracle is not None else []
    if type(message) is not dict:
        return Answer(error="NotPlainData: no answer came back", calls=calls, seconds=seconds)
    told: dict[str, Any] = {key: _names(message.get(key)) for key in ("raised", "changed", "kinds")}
    told["afterwards"] = message.get("afterwards") is True
    if isinstance(message.get("error"), str):
        return Answer(error=clean(message["error"]), calls=calls, seconds=seconds, **told)
    try:
        if "value" not in message:
            raise ValueError("no answer came back")
        return Answer(decode(message["value"]), calls=calls, seconds=seconds, **told)
    except (ValueError, RecursionError) as error:
        return Answer(error=f"NotPlainData: {clean(str(error))}", calls=calls, seconds=seconds)


def _names(said: Any) -> list[str]:
    return [clean(one) for one in said[:64] if type(one) is str] if type(said) is list else []


def explain(error: BaseException, fn: Any = None) -> str:
    """An exception in one line, with the line of the learner's own code where it was raised."""
    name = type(error).__name__.lstrip("_")
    text = f"{name}: {clean(_text_of(error))}"
    if isinstance(error, (NotPlainData, NotImplementedError)):
        return text
    place = _place(error.__traceback__, fn)
    return clean(f"{text} ({place})" if place else text)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)[:MESSAGE]
    except Exception:  # a learner's exception class may not even print
        return "(no message)"


def _place(trace: TracebackType | None, fn: Any) -> str:
    code = getattr(fn, "__code__", None) or getattr(getattr(fn, "__init__", None), "__code__", None)
    frames = traceback.extract_tb(trace)
    own = [frame for frame in frames if code is not None and frame.filename == code.co_filename]
    own = own or [frame for frame in frames if not _is_library(frame.filename)]
    if not own:
        return ""
    line = (own[-1].line or linecache.getline(own[-1].filename, own[-1].lineno or 0)).strip()
    return f"line {own[-1].lineno}: `{line[:80]}`" if line else f"line {own[-1].lineno}"


_LIBRARY = str(Path(__file__).resolve().parents[1])
_PREFIXES = (_LIBRARY, sys.prefix, sys.base_prefix)


def _is_library(filename: str) -> bool:
    return filename.startswith(_PREFIXES) or filename.startswith("<frozen")
