"""An objective whose values and calls stay outside of the learner's process, and the learner's end of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nas_lib.checks.codec import NotPlainData, decode, describe, encode
from nas_lib.checks.exercise import Call, clean, show


class Refused(ValueError):
    """An oracle's refusal, raised inside the learner's code: the argument is wrong, or the budget is
    spent."""


class Oracle:
    """Answers a learner's calls from outside the learner's process, and keeps the log that counts.

    Args:
        methods: what can be called, by name: functions of plain data that return plain data. They may raise
            `Refused`.
        limit: calls that are answered; later ones are logged and refused, so that a runaway loop ends.
    """

    def __init__(self, methods: Mapping[str, Callable[..., Any]], limit: int = 100_000) -> None:
        self._methods = dict(methods)
        self._limit = limit
        self.calls: list[Call] = []

    def call(self, method: str, *args: Any) -> Any:
        """Answer one call with plain data.

        Raises:
            Refused: no such method, an argument that the method rejects, or too many calls.
        """
        try:
            if method not in self._methods:
                raise Refused(f"there is no {show(method)} here")
            if len(self.calls) >= self._limit:
                raise Refused(f"the objective was called more than {self._limit} times")
            try:
                value = self._methods[method](*args)
            except TypeError:
                raise Refused(f"{method} was called with {show(list(args))}") from None
        except Refused as refusal:
            if len(self.calls) < 2 * self._limit:
                self.calls.append(Call(str(method), args, None, str(refusal)))
            raise
        self.calls.append(Call(method, args, value))
        return value


def serve(oracle: Oracle | None, message: Any) -> dict[str, Any]:
    """Answer a message of a `RemoteOracle` (any JSON at all): {"value": …} or {"error": …}. Never raises."""
    try:
        if oracle is None:
            raise Refused("this exercise has no objective")
        if (
            type(message) is not dict
            or type(message.get("method")) is not str
            or type(message.get("args")) is not list
        ):
            raise Refused("malformed call")
        return {"value": encode(oracle.call(message["method"], *decode(message["args"])))}
    except (Refused, ValueError, NotPlainData, RecursionError) as error:
        return {"error": clean(str(error))}


class RemoteOracle:
    """The learner's side of an oracle. `send` takes a message (JSON-able dict) to `serve` and brings back its
    reply."""

    def __init__(self, send: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._send = send

    def call(self, method: str, *args: Any) -> Any:
        """Call a method of the oracle with plain data.

        Raises:
            Refused: the oracle refuses, or an argument is no plain data.
        """
        try:
            wanted = encode(list(args))
        except NotPlainData:
            raise Refused(f"{method} was called with {', '.join(describe(arg) for arg in args)}") from None
        reply = self._send({"method": method, "args": wanted})
        if "error" in reply:
            raise Refused(reply["error"])
        return decode(reply["value"])

    def objective(self, arch: Any) -> float:
        """The value of one architecture, to be maximised."""
        return float(self.call("objective", arch))
