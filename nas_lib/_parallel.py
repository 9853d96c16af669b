"""One function for many items: here, in processes of this machine, or on a Dask cluster, always with the same results.

A process that dies (out of memory, killed) costs only the item that it was at, which another one takes up.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from nas_lib._numbers import is_integer

Item = TypeVar("Item")
Result = TypeVar("Result")

DEATHS = 3
"""Deaths of a process without any item finished in between, before they are taken to be the items' fault."""
CONNECT_SECONDS = 10


def each(
    function: Callable[[Item], Result], items: Sequence[Item], jobs: int = 1, scheduler: str | None = None
) -> Iterator[tuple[Item, Result]]:
    """(item, function(item)) for every item, as they are finished.

    Args:
        function: what is done; with more than one job it travels by cloudpickle, so that any function will do.
        items: distinct and hashable.
        jobs: processes of this machine; 1 is this very process.
        scheduler: address of a Dask scheduler, whose workers do it instead; they need the same version of nas_lib.

    Raises:
        TypeError, ValueError: `jobs` or `scheduler` is no such thing.
        RuntimeError: processes died again and again over an item.
        Exception: whatever the function raises.
    """
    if not is_integer(jobs):
        raise TypeError(f"jobs must be an integer from 1 up, got {jobs!r}")
    if jobs < 1:
        raise ValueError(f"jobs must be an integer from 1 up, got {jobs!r}")
    if scheduler is not None:
        return _on_cluster(function, items, scheduler)
    if jobs == 1:
        return ((item, function(item)) for item in items)
    return _in_processes(function, items, jobs)


def _in_processes(
    function: Callable[[Item], Result], items: Sequence[Item], jobs: int
) -> Iterator[tuple[Item, Result]]:
    from joblib import parallel_config
    from joblib.externals.loky import get_reusable_executor

    try:
        with parallel_config(backend="loky", n_jobs=jobs):
            yield from _patiently(_Work(function), items)
    except BaseException:  # what is still running shall not go on behind the caller's back
        get_reusable_executor().shutdown(wait=True, kill_workers=True)
        raise


def _on_cluster(
    function: Callable[[Item], Result], items: Sequence[Item], scheduler: str
) -> Iterator[tuple[Item, Result]]:
    try:
        from distributed import Client
    except ImportError:
        raise ValueError("scheduler needs Dask: `pip install distributed`") from None
    from joblib import parallel_config

    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(
            f"scheduler must be the address of a running Dask scheduler, got {scheduler!r}: {error}"
        ) from None
    work = _Work(function)
    with client, parallel_config(backend="dask", client=client, n_jobs=-1, scatter=[work]):
        yield from _patiently(work, items)


class _Work:
    """A function on its way to other processes: pickled once, and unpickled once in each of them.

    So it may go on changing here (caches that fill), and its caches there serve all items of a process.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        try:
            from cloudpickle import dumps  # what joblib needs, or older ones bring along
        except ImportError:
            from joblib.externals.cloudpickle import dumps

        self.content: bytes = dumps(function)
        self.digest = hashlib.sha256(self.content).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Work) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @functools.lru_cache(maxsize=1)  # noqa: B019  # one for each process, which is what it is for
    def function(self) -> Callable[[Any], Any]:
        """The function, the same one at every call."""
        found: Callable[[Any], Any] = pickle.loads(self.content)
        return found


def _patiently(work: _Work, items: Sequence[Item]) -> Iterator[tuple[Item, Any]]:
    """Go on with what is left after a process has died."""
    from concurrent.futures.process import BrokenProcessPool

    from joblib import Parallel, delayed

    fatal: tuple[type[BaseException], ...] = (BrokenProcessPool,)  # joblib's TerminatedWorkerError is one
    with contextlib.suppress(ImportError):
        from distributed import KilledWorker

        fatal = (*fatal, KilledWorker)
    left = dict.fromkeys(items)
    deaths = 0
    while left:
        runs = Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="2 * n_jobs")
        results: Any = runs(delayed(_undisturbed)(work, item) for item in tuple(left))
        try:
            for item, result in results:
                del left[item]
                deaths = 0
                yield item, result
        except fatal as error:
            deaths += 1
            if deaths == DEATHS:
                names = ", ".join(map(str, list(left)[:3])) + (", …" if len(left) > 3 else "")
                raise RuntimeError(
                    f"the process at work died {DEATHS} times without finishing anything; not done: {names}"
                ) from error
        finally:
            with contextlib.suppress(Exception):
                results.close()  # what is still waiting is called off


def _undisturbed(work: _Work, item: Item) -> tuple[Item, Any]:
    if threading.current_thread() is threading.main_thread():  # a worker of Dask's has its own habits
        belong_to_parent()
    return item, work.function()(item)


def belong_to_parent() -> None:
    """In a process that works for another: Ctrl-C is the parent's business, and without the parent there is none."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()


@functools.cache
def _end_with_parent() -> None:
    """Such a process outlives a parent that was killed, by minutes, and would go on with what it is at."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
