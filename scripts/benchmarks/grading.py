"""How much faster grading is than plain serial `nbgrader autograde`, both in one run on the same submissions.

Plain means nbgrader's own configuration: a Jupyter kernel for each submission, no isolation. It gets the submissions
with the experiment cells taken out, which our grading does not run either; `--experiments` also measures a few with
them in. nbgrader refuses to award the course's checks, so its kernel does not even run them; `--checks` lets it.
Every submission differs in a comment, so that none is taken for another. Feedback pages are timed apart:
`nbgrader autograde` makes none. The two take turns, since machines are rarely idle; the load is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

import solutions
from autograder import samples
from autograder.author import build
from autograder.grade import command, run
from autograder.reports.grade_table import Grades
from autograder.sandbox import apart

TORCH = "import torch"
LEARNS = "layer = torch.nn.Linear(16, 16)\nlayer(torch.ones(4, 16)).square().sum().backward()\n"
RUN_CHECKS = "import os\nos.environ.pop('NBGRADER_EXECUTION', None)"


def code_cell(source: str, tag: str | None = None) -> Any:
    """A cell, with a tag of the lesson's if it has one."""
    return nbformat.v4.new_code_cell(source, metadata={"tags": [tag]} if tag else {})


@contextlib.contextmanager
def torch_in_setup(wanted: bool) -> Iterator[None]:
    """The lesson as if its setup imported torch, for as long as no lesson does that itself."""
    make = build.instructor_notebook

    def made(lesson: str, *rest: Any, **named: Any) -> Any:
        notebook = make(lesson, *rest, **named)
        cell = code_cell(TORCH, "setup")
        cell.id = "torch-setup"
        notebook.cells.insert(1, cell)
        return notebook

    try:
        if wanted:
            build.instructor_notebook = made  # type: ignore[assignment]
        yield
    finally:
        build.instructor_notebook = make


def submission(lesson: str, number: int, torch: bool) -> Any:
    """A perfect submission that no other equals; with torch, it trains a little."""
    notebook = samples.notebook(lesson, samples.sources(lesson, "perfect"))
    source = f"# submission {number}\n" + (f"{TORCH}\n{LEARNS}" if torch else "")
    notebook.cells.insert(2, code_cell(source))
    return notebook


def without_experiments(notebook: Any) -> Any:
    """The notebook without the cells that no exercise needs."""
    notebook.cells = [cell for cell in notebook.cells if solutions.tag_of(cell) != "experiment"]
    return notebook


def cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    return sum(os.times()[:4])


class Plain:
    """A course folder graded by nbgrader as it comes."""

    def __init__(self, root: Path, lesson: str) -> None:
        from nbgrader.apps.api import NbGraderAPI
        from nbgrader.coursedir import CourseDirectory
        from traitlets.config import Config

        self._root, self._lesson = root, lesson
        source = root / "source" / lesson / f"{lesson}.ipynb"
        source.parent.mkdir(parents=True)
        source.write_text(build.render(build.instructor_notebook(lesson)), encoding="utf-8")
        config = Config()
        config.CourseDirectory.root = str(root)
        # The one setting without which it refuses this course's rubrics.
        config.ClearMarkScheme.enforce_metadata = False
        log = logging.getLogger("plain")
        log.addHandler(logging.NullHandler())
        log.propagate = False
        self._api = NbGraderAPI(coursedir=CourseDirectory(config=config, log=log), config=config, log=log)
        done = self._api.generate_assignment(lesson)
        if not done["success"]:
            raise RuntimeError(f"nbgrader cannot assign {lesson}: {done}")

    def seconds(self, students: dict[str, Any]) -> tuple[float, float]:
        """What `nbgrader autograde` takes for these notebooks, one after the other: by the clock, and of CPU."""
        for student, notebook in students.items():
            path = self._root / "submitted" / student / self._lesson / f"{self._lesson}.ipynb"
            path.parent.mkdir(parents=True)
            nbformat.write(notebook, path)
        began, before = time.monotonic(), cpu_seconds()
        for student in students:
            done = self._api.autograde(self._lesson, student)
            if not done["success"]:
                raise RuntimeError(f"nbgrader failed: {done}")
        return time.monotonic() - began, cpu_seconds() - before


class Spent(NamedTuple):
    """CPU seconds of a run: of the learners' processes, and of all others while submissions were evaluated and stored,
    and in the whole run, with intake, feedback pages and table."""

    learners: float
    evaluating: float
    whole: float


def graded(root: Path, lesson: str, jobs: int) -> tuple[Grades, Spent]:
    """Our grades, and the CPU seconds that they took."""
    real, spent = run.Run.evaluate, [0.0]

    def evaluate(self: run.Run, *rest: Any) -> None:
        before = cpu_seconds()
        real(self, *rest)
        apart.close()  # a process is counted when it has ended
        spent[0] = cpu_seconds() - before

    run.Run.evaluate = evaluate  # type: ignore[method-assign]
    began = cpu_seconds()
    try:
        done = command.grade(root / "in", lesson, root / "course", jobs=jobs, progress=False)
    finally:
        run.Run.evaluate = real  # type: ignore[method-assign]
    apart.close()
    # The sandboxes' processes are nobody's children: they are counted apart.
    learners = sum(one.seconds.get("learner's CPU", 0.0) for one in done.evaluated.values())
    return done, Spent(learners, spent[0], cpu_seconds() - began)


class Measured(NamedTuple):
    """Milliseconds per submission, by the clock and of CPU, of plain nbgrader and of ours, and what else came of it."""

    plain: float
    plain_cpu: float
    ours: float
    ours_cpu: float
    spent: Spent
    done: Grades
    with_experiments: float | None


def parser_of_this() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lesson", default="01_random_search")
    parser.add_argument(
        "--count", type=int, default=40, help="submissions that we grade (default: %(default)s)"
    )
    parser.add_argument(
        "--plain", type=int, default=10, help="submissions that nbgrader grades (default: %(default)s)"
    )
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--torch",
        action="store_true",
        help="as if the lesson's setup imported torch, and each submission used it",
    )
    parser.add_argument(
        "--checks", action="store_true", help="let plain nbgrader's kernel run the check cells"
    )
    parser.add_argument(
        "--experiments", type=int, default=0, metavar="N", help="also N submissions with experiments"
    )
    return parser


def measure(arguments: argparse.Namespace) -> Measured:
    """Grades with both, in turn."""
    warnings.simplefilter("ignore")
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    logging.disable(logging.WARNING)
    lesson, count, plain = arguments.lesson, arguments.count, arguments.plain
    with tempfile.TemporaryDirectory(prefix="nas-bench-") as folder, torch_in_setup(arguments.torch):
        root = Path(folder)
        baseline = Plain(root / "plain", lesson)

        def stripped(number: int) -> Any:
            notebook = without_experiments(submission(lesson, number, arguments.torch))
            if arguments.torch:
                notebook.cells.insert(1, code_cell(TORCH))
            if arguments.checks:
                notebook.cells.insert(0, code_cell(RUN_CHECKS))
            return notebook

        half = max(1, plain // 2)
        before = baseline.seconds({f"a{number}": stripped(number) for number in range(half)})
        for number in range(count):
            path = root / "in" / f"s{number:04d}.ipynb"
            path.parent.mkdir(exist_ok=True)
            nbformat.write(submission(lesson, number, arguments.torch), path)
        done, spent = graded(root, lesson, arguments.jobs)
        imperfect = [row for row in done.rows if row.percent < 100 or row.note]
        if imperfect:
            raise RuntimeError(f"perfect submissions did not get full marks: {imperfect[:3]}")
        after = baseline.seconds({f"b{number}": stripped(number) for number in range(half)})
        each, each_cpu = (1e3 * (one + other) / (2 * half) for one, other in zip(before, after, strict=True))
        ours, ours_cpu = (
            1e3 * seconds / count for seconds in (done.seconds["grading"], spent.evaluating + spent.learners)
        )
        slow = None
        if arguments.experiments:
            full = {
                f"e{number}": submission(lesson, number, arguments.torch)
                for number in range(arguments.experiments)
            }
            slow = 1e3 * baseline.seconds(full)[0] / arguments.experiments
    return Measured(each, each_cpu, ours, ours_cpu, spent, done, slow)


def main() -> None:
    """Measure and print."""
    arguments = parser_of_this().parse_args()
    lesson, count, half = arguments.lesson, arguments.count, max(1, arguments.plain // 2)
    each, each_cpu, ours, ours_cpu, spent, done, slow = measure(arguments)
    cores = min(arguments.jobs, len(os.sched_getaffinity(0)))
    checks = "run" if arguments.checks else "refused"
    print(
        f"{lesson}{' with torch in its setup' if arguments.torch else ''}, {arguments.jobs} jobs on "
        f"{len(os.sched_getaffinity(0))} cores, isolation {done.isolation}, load {os.getloadavg()[0]:.1f}"
    )
    print(f"ms per submission{'':45} by the clock     CPU")
    plain_name = f"plain nbgrader autograde, serial, checks {checks} ({2 * half})"
    print(f"{plain_name:62} {each:12.0f} {each_cpu:7.0f}")
    print(f"{f'nas-course grade, its start included ({count})':62} {ours:12.0f} {ours_cpu:7.0f}")
    for text, seconds in (
        ("outside the learners' processes", spent.evaluating),
        ("the same with intake, pages and table", spent.whole),
    ):
        print(f"{f'  {text}':62} {'':12} {1e3 * seconds / count:7.0f}")
    ratio = each_cpu * cores / ours_cpu
    print(f"{'ratio; of CPU as if all cores were ours alone':62} {each / ours:12.2f} {ratio:7.2f}")
    if slow is not None:
        print(f"{'plain, with the experiments in':62} {slow:12.0f}\n{'ratio':62} {slow / ours:12.2f}")
    print(
        "of ours, by the clock (the parts overlap in parallel; the first start of each process is in its mean):"
    )
    parts = {
        "start": "isolation: sandbox, Python, imports",
        "cells": "cells",
        "probes": "probes, with the oracle's answers",
        "judging": "judging",
        "storing": "database and autograded notebook",
    }
    for part, text in parts.items():
        times = sorted(one.seconds.get(part, 0.0) for one in done.evaluated.values())
        print(f"  {text:38} mean {1e3 * sum(times) / count:7.1f}  median {1e3 * times[count // 2]:7.1f} ms")
    print(f"  {'feedback page (not in the ratio)':38} mean {1e3 * done.seconds['feedback'] / count:7.1f} ms")
    print(
        f"  {'intake and assignment (not in it)':38} mean {1e3 * done.seconds['preparing'] / count:7.1f} ms"
    )


if __name__ == "__main__":
    main()
