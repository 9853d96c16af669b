"""What recorders of long studies share: finished jobs as lines of JSON, and a command line that goes on with the rest.

A run that is interrupted loses at most the job at work. Files of several machines lie side by side in one folder
(`--part I/K`); lines recorded by other settings are refused, not mixed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from nas_lib._resumable import Resumable

Row = dict[str, Any]


class Record:
    """Finished jobs in a folder: `<name>-<part>.jsonl`, the settings on the first line, a job on each further one."""

    def __init__(self, folder: Path, settings: Row, part: tuple[int, int] = (1, 1)) -> None:
        self._folder = folder
        self._settings = json.loads(json.dumps(settings))
        self._part = part
        self.path = folder / f"part-{part[0]}-of-{part[1]}.jsonl"

    def rows(self) -> dict[str, Row]:
        """Every finished job by its key.

        Raises:
            ValueError: a file was recorded by other settings.
        """
        found: dict[str, Row] = {}
        for path in sorted(self._folder.glob("part-*.jsonl")):
            first, *lines = path.read_text(encoding="utf-8").splitlines()
            recorded = json.loads(first)
            if recorded != self._settings:
                names = sorted(
                    name
                    for name in recorded.keys() | self._settings.keys()
                    if recorded.get(name) != self._settings.get(name)
                )
                raise ValueError(
                    f"{path} was recorded with other settings ({', '.join(names)}): move it away or repeat them"
                )
            for line in lines:
                # A process that was killed while writing may leave half a line; the job is then done again.
                with contextlib.suppress(json.JSONDecodeError):
                    row = json.loads(line)
                    found[row["job"]] = row
        return found

    def add(self, job: str, row: Row) -> None:
        """Append a finished job, after the settings or after what a killed process left of a line."""
        self._folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"job": job} | row) + "\n"
        with self.path.open("a+b") as file:
            if file.tell() == 0:
                text = json.dumps(self._settings) + "\n" + text
            else:
                file.seek(-1, os.SEEK_END)
                text = text if file.read(1) == b"\n" else "\n" + text
            file.write(text.encode())

    def mine(self, jobs: Sequence[str]) -> list[str]:
        """The jobs of this part that are not finished."""
        done = self.rows()
        return [job for job in jobs[self._part[0] - 1 :: self._part[1]] if job not in done]

    def work(self, jobs: Sequence[str], do: Callable[[str], Row], progress: bool = True) -> int:
        """Do what is missing of this part and append it as it comes; returns the number of jobs done."""
        todo = self.mine(jobs)
        bar = tqdm(todo, unit="job", file=sys.stdout, ncols=80, disable=not progress)
        for job in bar:
            self.add(job, do(job))
        return len(todo)

    def all(self, jobs: Sequence[str]) -> list[Row]:
        """The rows of all jobs, in their order.

        Raises:
            ValueError: some are missing.
        """
        rows = self.rows()
        missing = [job for job in jobs if job not in rows]
        if missing:
            raise ValueError(
                f"{len(missing)} of {len(jobs)} jobs are not done, first {missing[0]!r}: record them"
            )
        return [rows[job] for job in jobs]


class Study(ABC):
    """A list of jobs and the record of those that are finished."""

    jobs: list[str]
    record: Record

    @abstractmethod
    def do(self, job: str) -> Row:
        """Do one job."""

    @abstractmethod
    def estimate(self) -> float:
        """Processor seconds of all jobs, from a little of each kind measured here."""

    @abstractmethod
    def merged(self) -> dict[str, Any]:
        """Everything recorded, as one piece of plain data."""

    def work(self, progress: bool = True) -> int:
        """Do what is missing of this part; returns the number of jobs done."""
        return self.record.work(self.jobs, self.do, progress)

    def shown(self) -> list[str]:
        """Lines about what is finished."""
        return [
            f"{len(self.jobs) - len(set(self.jobs) - self.record.rows().keys())} of {len(self.jobs)} jobs"
        ]


def train(training: Resumable, checkpoint: Path, every: int) -> None:
    """Train to the end, or go on from the checkpoint, which is saved after each `every` steps and stays in the end."""
    if checkpoint.exists():
        training.load(checkpoint)
    while training.step < training.steps:
        training.run(min(training.steps, training.step + every))
        training.save(checkpoint)


def command_line(description: str | None, folder: Path) -> argparse.ArgumentParser:
    """The command line that all recorders have; they add what their studies take."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("plan", "record", "show", "merge"))
    parser.add_argument("--folder", type=Path, default=folder, help="of finished jobs")
    parser.add_argument(
        "--part", type=part, default=(1, 1), metavar="I/K", help="only every K-th job, from the I-th"
    )
    parser.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    return parser


def run(command: str, make: Callable[[], Study], target: Path) -> None:
    """Do what the command line asks for; wrong input ends with one sentence."""
    try:
        study = make()
        if command == "plan":
            print(f"{len(study.jobs)} jobs, about {in_words(study.estimate())} of one core here")
        elif command == "record":
            print(f"{study.work()} jobs done")
        elif command == "show":
            print("\n".join(study.shown()))
        else:
            write_json(target, study.merged())
            print(f"wrote {target}")
    except KeyboardInterrupt:
        sys.exit("\ninterrupted; finished jobs and the last checkpoint are kept, `record` goes on")
    except (ValueError, FileNotFoundError) as error:
        sys.exit(str(error))


def write_json(path: Path, data: Any) -> None:
    """Replace a file in one step, compactly."""
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_text(json.dumps(data, separators=(",", ":"), allow_nan=False) + "\n", encoding="utf-8")
    os.replace(unfinished, path)


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
        raise argparse.ArgumentTypeError(f"part must be I/K with 1 <= I <= K, such as 2/3, got {text!r}")
    return i, k


def in_words(seconds: float) -> str:
    """A duration for people: `40 s`, `12 min`, `3.5 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
