"""Evaluates many submissions: on this machine's cores through joblib, or on a Dask cluster.

Only running and judging happens here, and nothing is written: results come back as they are ready, and the caller
stores them. A process of the grader's that dies takes no submission with it: what it was at is tried again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import itertools
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import nas_lib
import solutions
from autograder.judge import scoring
from autograder.judge.results import Evaluated, Result
from autograder.sandbox import bubblewrap
from autograder.sandbox.cells import Step
from autograder.sandbox.prefork import TemplateLauncher
from autograder.sandbox.process import Launcher
from nas_lib._parallel import belong_to_parent

ATTEMPTS = 3  # after which a submission is the grader's fault, and left to a person
CONNECT_SECONDS = 30
AHEAD = 4  # tasks sent for each core of a cluster: enough that none waits
GRADER = Path(__file__).resolve().parents[1]
STAGES = (
    "author",
    "intake",
    "sandbox",
    "judge",
    "reports",
    "nbgrader",
    "grade",
)  # points and pages are theirs


@dataclass(frozen=True)
class Task:
    """One submission to evaluate."""

    student: str
    lesson: str
    steps: tuple[Step, ...]
    seeds: dict[str, int]
    unsafe: bool = False
    version: str = ""
    """The course's code that the results are to come from; see `code_version`."""


@functools.cache
def code_version() -> str:
    """A digest of the code that decides about points: the library, the grader, and the packages beneath."""
    made = hashlib.sha256(sys.version.encode())
    for package in ("numpy", "scipy", "torch"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            made.update(f"{package} {importlib.metadata.version(package)}".encode())
    library = Path(nas_lib.__file__).parent
    paths = [path for path in library.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    paths += [path for stage in STAGES for path in (GRADER / stage).glob("*.py")]
    for path in sorted([*paths, *solutions.FOLDER.glob("*.py")]):
        made.update(path.name.encode() + b"\0" + path.read_bytes())
    return made.hexdigest()[:32]


# ----------------------------------------------------------------------------------------------------
# One submission


def evaluate(task: Task) -> Evaluated:
    """Run and judge one submission in this process.

    Raises:
        scoring.GradingError: the lesson's own setup fails, or this machine has another version of the course.
        bubblewrap.SandboxMissing: submissions cannot be isolated on this machine.
    """
    launcher = _launcher(task.unsafe)
    if task.version and task.version != code_version():
        raise scoring.GradingError(
            "a worker has another version of the course or its packages than the machine that grades: "
            "install the same on all."
        )
    try:
        # One at a time in a process: while the reference answers, the library's counterparts are switched off.
        with _alone:
            for name, seed in task.seeds.items():
                scoring.problems(task.lesson, name, seed)
            result = scoring.evaluate(task.lesson, task.steps, task.seeds, launcher=launcher)
    except scoring.GradingError:
        raise
    except Exception as error:  # one submission's oddity must not end the batch
        return Evaluated(task.student, None, f"could not be graded: {type(error).__name__}: {error}")
    slowly = launcher.refused if isinstance(launcher, TemplateLauncher) else ""
    return Evaluated(task.student, result, seconds=result.seconds, slowly=slowly)


_alone = threading.Lock()


@functools.cache
def _launcher(unsafe: bool) -> Launcher:
    chosen = bubblewrap.choose(unsafe)
    if isinstance(chosen, bubblewrap.BubblewrapLauncher):
        return TemplateLauncher(chosen.limits)
    return chosen


def close() -> None:
    """End what this process keeps for its next submission."""
    for unsafe in (False, True):
        with contextlib.suppress(bubblewrap.SandboxMissing):
            launcher = _launcher(unsafe)
            if isinstance(launcher, TemplateLauncher):
                launcher.close()
    _launcher.cache_clear()


# ----------------------------------------------------------------------------------------------------
# Many


def evaluate_all(tasks: Iterable[Task], jobs: int = 1, scheduler: str | None = None) -> Iterator[Evaluated]:
    """Evaluate submissions, each once; results come as they are ready.

    Args:
        tasks: the submissions; taken as there is room for them.
        jobs: how many at a time on this machine.
        scheduler: address of a Dask scheduler, such as tcp://host:8786, whose workers do it instead.

    Raises:
        scoring.GradingError, bubblewrap.SandboxMissing: see `evaluate`.
        ValueError: the scheduler cannot be reached, or Dask is not installed.
    """
    if scheduler is not None:
        yield from _on_cluster(tasks, scheduler)
    elif jobs == 1:
        try:
            yield from map(evaluate, tasks)
        finally:
            close()
    else:
        yield from _on_cores(tasks, jobs)


def _on_cores(tasks: Iterable[Task], jobs: int) -> Iterator[Evaluated]:
    from joblib.externals.loky import get_reusable_executor

    try:
        yield from _patiently(tasks, functools.partial(_in_parallel, jobs=jobs))
    finally:
        get_reusable_executor().shutdown(wait=True, kill_workers=True)


def _patiently(
    tasks: Iterable[Task], run: Callable[[Iterable[Task]], Iterator[Evaluated]]
) -> Iterator[Evaluated]:
    """Go on after a process has died: with what it was at, each by itself, and then with all the others."""
    from concurrent.futures.process import BrokenProcessPool

    rest = iter(tasks)
    attempts: Counter[str] = Counter()
    begun: dict[str, Task] = {}
    suspects: list[Task] = []
    while True:
        alone = bool(suspects)
        todo: Iterator[Task] = iter([suspects.pop()]) if alone else rest
        try:
            for done in run(_recorded(todo, begun)):
                begun.pop(done.student, None)
                yield replace(done, attempts=attempts[done.student] + 1)
        except BrokenProcessPool:  # joblib's TerminatedWorkerError is one
            for student, task in list(begun.items()):
                del begun[student]
                attempts[student] += 1
                if attempts[student] < ATTEMPTS:
                    suspects.append(task)
                else:
                    fault = f"could not be graded: the process that graded it died {ATTEMPTS} times"
                    yield Evaluated(student, None, fault, ATTEMPTS)
        else:
            if not alone and not begun:
                return
            if not alone:  # taken by a thread of joblib's while it gave up
                suspects = list(begun.values())


def _recorded(tasks: Iterator[Task], begun: dict[str, Task]) -> Iterator[Task]:
    for task in tasks:
        begun[task.student] = task
        yield task


def _in_parallel(tasks: Iterable[Task], jobs: int) -> Iterator[Evaluated]:
    from joblib import Parallel, delayed

    runs = Parallel(
        n_jobs=jobs, backend="loky", return_as="generator_unordered", batch_size=1, pre_dispatch=2 * jobs
    )
    results: Iterator[Evaluated] = runs(delayed(_undisturbed)(task) for task in tasks)
    try:
        yield from results
    finally:
        with contextlib.suppress(Exception):
            results.close()  # type: ignore[attr-defined]  # a generator: what is still waiting is called off


def _undisturbed(task: Task) -> Evaluated:
    belong_to_parent()  # with it end its sandboxes
    return evaluate(task)


# ----------------------------------------------------------------------------------------------------
# On a cluster


def _on_cluster(tasks: Iterable[Task], scheduler: str) -> Iterator[Evaluated]:
    try:
        from distributed import CancelledError, Client, KilledWorker, as_completed
    except ImportError:
        raise ValueError(
            'a scheduler needs Dask: install the course with its extra "cluster", as in '
            'pip install -e ".[course,cluster]".'
        ) from None
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"scheduler must be the address of a running Dask scheduler, got {scheduler!r}: {error}."
        ) from None
    with client:
        rest = iter(tasks)
        running: dict[str, str] = {}

        def send(count: int) -> list[Any]:
            made = []
            for task in itertools.islice(rest, count):
                # pure=False: equal submissions of two students are two tasks.
                future = client.submit(_as_data, asdict(task), pure=False)
                running[str(future.key)] = task.student
                made.append(future)
            return made

        cores = sum(client.nthreads().values())
        completed = as_completed(send(AHEAD * max(1, cores)), loop=client.loop)
        for future in completed:
            student = running.pop(str(future.key))
            try:
                done = _from_data(future.result())
            except KilledWorker as killed:
                done = Evaluated(student, None, f"could not be graded: {killed}", ATTEMPTS)
            except (CancelledError, OSError) as lost:
                raise ValueError(
                    f"the scheduler {scheduler} was lost ({type(lost).__name__}): what is graded is kept, and the "
                    "same command goes on from there."
                ) from None
            future.release()
            completed.update(send(1))
            yield done


def _as_data(task: dict[str, Any]) -> dict[str, Any]:
    """On a worker: plain data in and out, so that nothing but the course's own code has to agree."""
    steps = tuple(Step(**step) for step in task["steps"])
    done = evaluate(Task(**{**task, "steps": steps}))
    return {
        "student": done.student,
        "fault": done.fault,
        "result": done.result.to_data() if done.result else None,
        "slowly": done.slowly,
    }


def _from_data(data: dict[str, Any]) -> Evaluated:
    result = Result.from_data(data["result"]) if data["result"] else None
    seconds = result.seconds if result else {}
    return Evaluated(data["student"], result, data["fault"], seconds=seconds, slowly=data["slowly"])
