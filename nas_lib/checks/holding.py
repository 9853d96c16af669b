"""Everything that a call must leave alone: noted before it, compared after it, also where it ends in an error.

A function may change what its exercise declares (`Exercise.changes`), by default nothing. Held are its arguments
(arrays, tensors, containers, models with their gradients and modes, optimizers) and the process's own settings: global
generators, default dtype, grad mode, threads, error and warnings settings, the garbage collector. Generators passed in
are there to be drawn from, and are not held.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import inspect
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from types import SimpleNamespace
from typing import Any

import numpy as np

EACH = 12  # calls of a probe that are all held; later ones only where their number is a power of two
PATHS = 20  # different changes that are told
_MODULES, _WARNINGS, _DRAWN = "imported modules", "the warnings filters", "torch's global generator"
_PLAIN = (bool, int, float, complex, str, bytes, type(None))


class Watch:
    """Holds what calls of one function (or of a class's methods) must not change, and notes what they return or raise.

    Args:
        changes: patterns of paths that may change.
        methods: where the function is a class, the methods that are held.
    """

    def __init__(self, changes: Sequence[str] = (), methods: Sequence[str] = ()) -> None:
        self._allowed, self._methods = tuple(changes), tuple(methods)
        self._calls = 0
        self._began_at: dict[Any, Any] = {}
        self.changed: list[str] = []
        self.kinds: list[str] = []
        self.raised: BaseException | None = None

    def over(self, fn: Any) -> Any:
        """The function, watched. A class becomes a subclass of itself whose constructor and methods are watched."""
        if isinstance(fn, type):
            held = {name: self._around(getattr(fn, name)) for name in self._methods if hasattr(fn, name)}
            held["__init__"] = self._making(fn.__init__)  # type: ignore[misc]
            try:
                return type(fn.__name__, (fn,), {**held, "__doc__": fn.__doc__, "__module__": fn.__module__})
            except TypeError:  # a final class: nothing can be watched, and nothing depends on it
                return fn
        return self._around(fn)

    def _around(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        names = _parameters(fn)

        @functools.wraps(fn)
        def held(*args: Any, **kwargs: Any) -> Any:
            self._calls += 1
            if self._calls > EACH and self._calls & (self._calls - 1):
                return self._called(fn, args, kwargs)
            given = _named(names, args) | kwargs
            before = snapshot(given)
            try:
                result = self._called(fn, args, kwargs)
            finally:
                self._note(before, snapshot(given))
            kind = kind_of(result)
            if kind not in self.kinds and len(self.kinds) < PATHS:
                self.kinds.append(kind)
            return result

        return held

    def _called(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        try:
            return fn(*args, **kwargs)
        except BaseException as error:
            self.raised = error
            raise

    def _making(self, init: Callable[..., Any]) -> Callable[..., Any]:
        """A constructor, watched but for the object that it fills. It may draw weights, which moves torch's
        generator, but must not seed it: then two objects that begin at different states end at the same."""

        names = _parameters(init)[1:]

        @functools.wraps(init)
        def held(made: Any, *args: Any, **kwargs: Any) -> None:
            given = _named(names, args) | kwargs
            before = snapshot(given)
            try:
                self._called(init, (made, *args), kwargs)
            finally:
                after = snapshot(given)
                began, ended = before.get(_DRAWN), after.get(_DRAWN)
                if ended is not None and self._began_at.setdefault(ended, began) == began:
                    before[_DRAWN] = ended
                self._note(before, after)

        return held

    def _note(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        for path in differing(before, after):
            allowed = any(fnmatchcase(path, pattern) for pattern in self._allowed)
            if not allowed and path not in self.changed and len(self.changed) < PATHS:
                self.changed.append(path)


def _parameters(fn: Callable[..., Any]) -> list[str]:
    try:
        return list(inspect.signature(fn).parameters)
    except (TypeError, ValueError):
        return []


def _named(names: Sequence[str], args: Sequence[Any]) -> dict[str, Any]:
    return {names[i] if i < len(names) else f"argument {i + 1}": one for i, one in enumerate(args)}


def kind_of(value: Any) -> str:
    """The type of a value as patterns can match it: "float", "numpy.ndarray[int64]", "torch.Tensor[float32]"."""
    kind = type(value)
    plain = next((one for one in (tuple, list, dict) if issubclass(kind, one)), None)
    if plain is not None:
        return plain.__name__
    name = (
        kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__.split('.')[0]}.{kind.__name__}"
    )
    if isinstance(value, np.ndarray):
        return f"{name}[{value.dtype}]" if value.ndim else f"{name}[{value.dtype}]()"
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        return f"{name}[{dtype}]" if value.ndim else f"{name}[{dtype}]()"
    return name


def snapshot(given: Mapping[str, Any]) -> dict[str, Any]:
    """Comparable values by path, of arguments and of the process's settings."""
    found = dict(_settings())
    seen: set[int] = set()
    for name, value in given.items():
        for path, one in _walk(value, name, seen):
            found[path] = one
    return found


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Paths whose values differ, or that are there only before or after."""
    ignored = {_MODULES}
    if before[_MODULES] != after[_MODULES]:
        ignored.add(_WARNINGS)  # an import may bring its own filters
    for path in {**before, **after}:
        if path not in ignored and (path not in before or path not in after or before[path] != after[path]):
            yield path


def _walk(value: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    torch = sys.modules.get("torch")
    if isinstance(value, _PLAIN):
        yield path, (type(value), value if value == value else "nan")
        return
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        yield path, (value.dtype.str, value.shape, _bytes(value))
    elif isinstance(value, np.generic):
        yield path, (value.dtype.str, value.tobytes())
    elif isinstance(value, Mapping) and hasattr(value, "items"):
        yield path, ("keys", [repr(key) for key in value])
        for key, item in value.items():
            yield from _walk(item, f"{path}[{key!r}]", seen)
    elif type(value) in (list, tuple):
        yield path, (type(value), len(value), [type(item) for item in value])
        for i, item in enumerate(value):
            yield from _walk(item, f"{path}[{i}]", seen)
    elif isinstance(value, SimpleNamespace):
        for key, item in vars(value).items():
            yield from _walk(item, f"{path}.{key}", seen)
    elif isinstance(value, (set, frozenset)):
        yield path, frozenset(map(repr, value))
    elif torch is not None and isinstance(value, torch.Tensor):
        yield from _tensor(value, path, seen)
    elif torch is not None and isinstance(value, torch.nn.Module):
        yield from _module(value, path, seen)
    elif torch is not None and isinstance(value, torch.optim.Optimizer):
        yield from _optimizer(value, path, seen)


def _bytes(array: np.ndarray) -> Any:
    return list(map(repr, array.ravel())) if array.dtype.hasobject else array.tobytes()


def _tensor(value: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    import torch

    plain = value.detach().cpu().contiguous()
    bits = plain.reshape(-1).view(torch.uint8).numpy().tobytes() if plain.numel() else b""
    yield path, (str(value.dtype), tuple(value.shape), bits)
    yield f"{path}.requires_grad", value.requires_grad
    if value.is_leaf:
        if value.grad is None or not value.grad.any():  # zeros are what a cleared gradient may leave
            yield f"{path}.grad", None
        else:
            yield from (
                (where, one)
                for where, one in _tensor(value.grad, f"{path}.grad", seen)
                if where == f"{path}.grad"
            )


def _module(value: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    for name, part in value.named_modules():
        place = f"{path}.{name}" if name else path
        for key, one in vars(part).items():
            if isinstance(one, _PLAIN) and not key.startswith("_"):
                yield f"{place}.{key}", one
        yield f"{place}.hooks", [len(one) for key, one in vars(part).items() if key.endswith("_hooks")]
        for key, one in (*part._parameters.items(), *part._buffers.items()):
            if one is not None and id(one) not in seen:
                seen.add(id(one))
                yield from _tensor(one, f"{place}.{key}", seen)


def _optimizer(value: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    state = value.state_dict()
    yield from _walk(state["param_groups"], f"{path}.param_groups", seen)
    fresh: set[int] = set()
    for key, one in state["state"].items():
        yield from _walk(one, f"{path}.state[{key!r}]", fresh)


@contextlib.contextmanager
def settings_kept() -> Iterator[None]:
    """The process's settings as they were after the block, whatever it does: a learner's mistake must not spoil the
    next call, or the rest of the notebook. Where a call is watched it is told (`Watch`); here it is only undone.
    """
    torch: Any = sys.modules.get("torch")
    torch = torch if hasattr(torch, "get_rng_state") else None
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    errors, collects = np.geterr(), gc.isenabled()
    if torch is not None:
        drawn, dtype = torch.get_rng_state(), torch.get_default_dtype()
        grad, threads = torch.is_grad_enabled(), torch.get_num_threads()
        anomalies = torch.is_anomaly_enabled()
    try:
        with warnings.catch_warnings():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        np.seterr(**errors)
        (gc.enable if collects else gc.disable)()
        if torch is not None:
            torch.set_rng_state(drawn)
            torch.set_default_dtype(dtype)
            torch.set_grad_enabled(grad)
            torch.autograd.set_detect_anomaly(anomalies)
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)


def stir() -> None:
    """Bring the global generators into a state that no seed of a learner's gives.

    Else a call that seeds one of them would change nothing the second time.
    """
    torch: Any = sys.modules.get("torch")
    random.random()
    np.random.random()  # noqa: NPY002
    if hasattr(torch, "get_rng_state"):
        torch.rand(1)


def _settings() -> Iterator[tuple[str, Any]]:
    """The process's own settings, by what a learner would call them."""
    yield _MODULES, len(sys.modules)
    yield "Python's global generator", random.getstate()
    state: Any = np.random.get_state()  # noqa: NPY002
    yield "NumPy's global generator", (state[0], state[1].tobytes(), *state[2:])
    yield "NumPy's error settings", tuple(np.geterr().items())
    yield "Python's garbage collector", gc.isenabled()
    yield _WARNINGS, tuple(warnings.filters)
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_rng_state"):
        yield _DRAWN, torch.get_rng_state().numpy().tobytes()
        yield "torch's default dtype", torch.get_default_dtype()
        yield "torch's grad mode", torch.is_grad_enabled()
        yield "torch's number of threads", torch.get_num_threads()
        yield "torch's anomaly detection", torch.is_anomaly_enabled()
