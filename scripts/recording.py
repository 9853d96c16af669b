"""Long studies, recorded job by job: an interrupt costs at most the jobs under way.

A study says what its jobs are, how one is done and how the results become what the course ships. A
`Recording` keeps the results as lines of JSON in one folder, a file for each part (`--part I/K`) of
those who share the work. On its first line stand the settings: what other settings gave is refused,
not mixed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import torch
from tqdm import tqdm

from nas_lib._files import replacing
from nas_lib._resumable import Resumable

Row: TypeAlias = dict[str, Any]
Rows: TypeAlias = dict[str, Row]
"""Rows by the keys of their jobs."""


class NotRecorded(LookupError):
    """A job needs what another one, which is not done, will find."""


Result: TypeAlias = Row | NotRecorded


def numbers(rows: Rows) -> Iterator[str]:
    """A line for each row: its job, and what it says in single numbers."""
    for job, row in rows.items():
        said = (f"{name} {value}" for name, value in row.items() if isinstance(value, int | float))
        yield f"{job}: {', '.join(said)}"


@dataclass(frozen=True)
class Recording:
    """A study and its record.

    Args:
        jobs: what there is to do, in this order: the arguments of `do` by the job's key.
        do: does one job and returns plain data; `need` gives it the rows of jobs before.
        merge: writes what the course ships, from the rows of all jobs; None: nothing is shipped.
        settings: plain data, what all rows have in common.
        folder: of the record.
        target: where `merge` writes.
        show: what there is to say about the rows that are there, in lines.
        key: which job a row belongs to; None: its key is added as "job".
        part: (i, k), do only every k-th job, from the i-th.
    """

    jobs: Mapping[str, tuple[Any, ...]]
    do: Callable[..., Row]
    merge: Callable[[Rows, Path], None] | None
    settings: Mapping[str, Any]
    folder: Path
    target: Path | None = None
    show: Callable[[Rows], Iterable[str]] = numbers
    key: Callable[[Row], str] | None = None
    part: tuple[int, int] = (1, 1)

    @property
    def path(self) -> Path:
        """Where this part is written."""
        return self.folder / f"part-{self.part[0]}-of-{self.part[1]}.jsonl"

    def rows(self) -> Rows:
        """What is done, by whichever part, in the order of the jobs; rows of other jobs last.

        Raises:
            ValueError: it was recorded by other settings.
        """
        found: Rows = {}
        for path in sorted(self.folder.glob("part-*.jsonl")):
            lines = path.read_text(encoding="utf-8").splitlines()
            if lines:
                self._compare(json.loads(lines[0]), path)
            for line in lines[1:]:
                # Who is killed while writing leaves half a line; that job is then done again.
                with contextlib.suppress(json.JSONDecodeError):
                    row = json.loads(line)
                    found[self.key(row) if self.key else row["job"]] = row
        return {job: found[job] for job in self.jobs if job in found} | found

    def need(self, *jobs: str) -> list[Row]:
        """The rows of jobs that others build on.

        Raises:
            NotRecorded: one is not done.
        """
        rows = self.rows()
        for job in jobs:
            if job not in rows:
                raise NotRecorded(job)
        return [rows[job] for job in jobs]

    def complete(self) -> Rows:
        """The rows of all jobs, in their order.

        Raises:
            ValueError: some are missing.
        """
        rows = self.rows()
        missing = [job for job in self.jobs if job not in rows]
        if missing:
            count = f"{len(missing)} of {len(self.jobs)}"
            raise ValueError(f"{count} jobs are not done, first {missing[0]!r}: record them")
        return {job: rows[job] for job in self.jobs}

    def record(self, workers: int = 1, progress: bool = True) -> int:
        """Do what is missing of this part and write it down as it comes; returns the number done.

        Raises:
            ValueError: what is left needs jobs of other parts first.
        """
        mine, done = list(self.jobs)[self.part[0] - 1 :: self.part[1]], self.rows()
        todo = [job for job in mine if job not in done]
        bar = tqdm(
            total=len(mine),
            initial=len(mine) - len(todo),
            unit="job",
            file=sys.stdout,
            ncols=80,
            disable=not progress,
        )
        with bar:
            left = todo
            while left:
                waiting = self._round(left, workers, bar)
                if len(waiting) == len(left):
                    job, missing = next(iter(waiting.items()))
                    raise ValueError(
                        f"{len(waiting)} jobs must wait, {job!r} for {missing.args[0]!r} "
                        "of another part: record again when that is done"
                    )
                left = list(waiting)
        return len(todo)

    def _round(self, jobs: Sequence[str], workers: int, bar: tqdm) -> dict[str, NotRecorded]:
        """Do the jobs that can be done; returns the others, and what they wait for."""
        waiting = {}
        for job, result in self._results(jobs, workers):
            if isinstance(result, NotRecorded):
                waiting[job] = result
            else:
                self._add(job, result)
                bar.update()
        return waiting

    def attempt(self, job: str) -> Result:
        """The row of a job, or what it has to wait for."""
        try:
            return self.do(*self.jobs[job])
        except NotRecorded as missing:
            return missing

    def _results(self, jobs: Sequence[str], workers: int) -> Iterator[tuple[str, Result]]:
        if workers == 1:
            return ((job, self.attempt(job)) for job in jobs)
        return _in_processes(self, jobs, workers)

    def _add(self, job: str, row: Row) -> None:
        """Append a row, after the settings or after what a killed process left of a line."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(row if self.key else {"job": job} | row) + "\n"
        with self.path.open("a+b") as file:
            if file.tell() == 0:
                text = json.dumps(self.settings) + "\n" + text
            else:
                file.seek(-1, os.SEEK_END)
                text = text if file.read(1) == b"\n" else "\n" + text
            file.write(text.encode())

    def _compare(self, recorded: Row, path: Path) -> None:
        ours = json.loads(json.dumps(self.settings))
        if recorded != ours:
            names = [name for name in recorded | ours if recorded.get(name) != ours.get(name)]
            raise ValueError(
                f"{path} was recorded with other settings ({', '.join(sorted(names))}): "
                "move it away or repeat them"
            )


# ---------------------------------------------------------------------- several processes

MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_TOP_PAD_": str(2**26),
}
"""Feature maps come and go many times a second. Keeping their memory, instead of returning it to
the system and faulting it in again, halves the time of small networks (glibc reads this when a
process starts)."""

_own: Recording
"""The recording that a worker process works for."""


def _start(recording: Recording) -> None:
    global _own
    _own = recording
    # Ctrl-C reaches the parent, which alone writes and lets the workers finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


def _attempt(job: str) -> Result:
    return _own.attempt(job)


def _in_processes(
    recording: Recording,
    jobs: Sequence[str],
    workers: int,
) -> Iterator[tuple[str, Result]]:
    """Results as they come. Few jobs are under way at a time, so that an interrupt ends soon."""
    os.environ |= MEMORY
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start, (recording,))
    under_way: dict[Future[Result], str] = {}
    queue = iter(jobs)
    try:
        while True:
            for job in islice(queue, 2 * workers - len(under_way)):
                under_way[pool.submit(_attempt, job)] = job
            if not under_way:
                return
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                yield under_way.pop(future), future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


# ---------------------------------------------------------------------- what studies share


def train(training: Resumable, checkpoint: Path, every: int) -> None:
    """Train to the end, or go on from the checkpoint, which is saved after each `every` steps."""
    if checkpoint.exists():
        training.load(checkpoint)
    while training.step < training.steps:
        training.run(min(training.steps, training.step + every))
        training.save(checkpoint)


def write_json(path: Path, data: Any) -> None:
    """Replace a file in one step, compactly."""
    write_text(path, json.dumps(data, separators=(",", ":"), allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step."""
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="\n")


# ---------------------------------------------------------------------- the command line


class Study(Protocol):
    """A dataclass of everything that can be set, with its recording."""

    @property
    def recording(self) -> Recording:
        """Of the settings that the study has."""


def main(
    description: str | None, study: Study, arguments: Sequence[str] | None = None, workers: int = 1
) -> None:
    """The command line of a study; wrong input ends with one sentence and status 2."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("command", choices=("record", "status", "show", "merge"))
    add("--part", type=part, default=(1, 1), metavar="I/K", help="only every K-th job")
    add("--workers", type=int, default=workers, help=f"processes (default: {workers})")
    add(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another setting, as often as you like, such as folder=/tmp/try or recipe.lr=0.05; "
        + ", ".join(names(study)),
    )
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        for setting in given.set:
            study = changed(study, *setting.partition("=")[::2])
        carry_out(given.command, replace(study.recording, part=given.part), given.workers)
    except KeyboardInterrupt:
        sys.exit("\ninterrupted; what is finished is kept, `record` goes on")
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))


def carry_out(command: str, recording: Recording, workers: int = 1) -> None:
    """Do what the command line asks for."""
    if command == "record":
        print(f"{recording.record(workers)} jobs done")
    elif command == "status":
        done = recording.jobs.keys() & recording.rows().keys()
        print(f"{len(done)} of {len(recording.jobs)} jobs done")
    elif command == "show":
        for line in recording.show(recording.rows()):
            print(line)
    elif recording.merge is None or recording.target is None:
        raise ValueError("nothing is shipped of this study: `show` says what came out")
    else:
        recording.merge(recording.complete(), recording.target)
        print(f"wrote {recording.target}")


def names(study: Any) -> list[str]:
    """What can be set."""
    return [field.name for field in fields(study)] if is_dataclass(study) else []


def changed(study: Any, name: str, text: str) -> Any:
    """The study with another value of a field; `recipe.lr` is a field of its field `recipe`.

    Raises:
        ValueError: there is no such field, or the value is of another kind.
    """
    first, _, rest = name.partition(".")
    if first not in names(study):
        raise ValueError(f"--set must name one of {', '.join(names(study))}, got {first!r}")
    old = getattr(study, first)
    return replace(study, **{first: changed(old, rest, text) if rest else parsed(text, old)})


def parsed(text: str, old: Any) -> Any:
    """A value like the old one: text and paths as they are, anything else as JSON.

    Raises:
        ValueError: it is of another kind.
    """
    if isinstance(old, str | Path):
        return type(old)(text)
    with contextlib.suppress(json.JSONDecodeError):
        value = json.loads(text)
        if isinstance(value, list) and isinstance(old, tuple):
            return tuple(value)
        if isinstance(value, int) and isinstance(old, float):
            return float(value)
        if type(value) is type(old):
            return value
    raise ValueError(f"--set must give something like {old!r}, got {text!r}")


def part(text: str) -> tuple[int, int]:
    """`I/K` of the command line.

    Raises:
        ArgumentTypeError: anything else.
    """
    try:
        i, k = map(int, text.split("/"))
    except ValueError:
        i, k = 0, 0
    if not 1 <= i <= k:
        accepted = "part must be I/K with 1 <= I <= K, such as 2/3"
        raise argparse.ArgumentTypeError(f"{accepted}, got {text!r}")
    return i, k
