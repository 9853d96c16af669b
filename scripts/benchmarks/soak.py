"""Grades many made-up submissions, right, wrong, looping and crashing ones, and watches what it costs the machine.

Prints throughput and memory at intervals, and at the end what is left behind: processes, folders, open files. Memory
is flat if the last quarter's peak is not above the second's. It takes long, so no test runs it in full.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat

from autograder import samples
from autograder.grade import command

LESSON = "00_start_here"
LOOP = "def cell_index(arch):\n    while True: pass"
CRASH = "import os\ndef cell_index(arch):\n    os.kill(os.getpid(), 9)"
LEAVING = "import os\nos._exit(3)\ndef cell_index(arch): return 1"
WRONG = "def cell_index(arch):\n    return {number}"
# Of 50 submissions; what `cell_index` is in them. None is the reference.
MIX: list[str | None] = [LOOP, CRASH, LEAVING, *[WRONG] * 12, *["stub"] * 5, *[None] * 30]


def kind(answer: str | None) -> str:
    """The name of what a submission does."""
    names = {LOOP: "loop", CRASH: "crash", LEAVING: "exit", WRONG: "wrong", "stub": "blank"}
    return "right" if answer is None else names[answer]


def write(folder: Path, count: int) -> dict[str, str]:
    """Write the submissions; returns what kind each student's is."""
    folder.mkdir()
    right = dict.fromkeys(samples.sources(LESSON, "perfect"), "reference")
    made: dict[str, Any] = {}
    kinds = {}
    for number in range(count):
        answer = MIX[number * 7 % len(MIX)]
        student = f"s{number:05d}"
        kinds[student] = kind(answer)
        if answer not in made:  # one notebook of each kind is made; the rest differ in a comment
            made[str(answer)] = samples.notebook(LESSON, {**right, "cell_index": answer or "reference"})
        notebook = made[str(answer)]
        text = nbformat.writes(notebook).replace('"cells": [', '"cells": [\n' + note(number) + ",", 1)
        (folder / f"{student}.ipynb").write_text(text.replace("{number}", str(number)), encoding="utf-8")
    return kinds


def note(number: int) -> str:
    """A cell as JSON that makes a submission unlike the others."""
    return (
        f'{{"cell_type": "code", "id": "note", "metadata": {{}}, "outputs": [], "execution_count": null, '
        f'"source": "# submission {number}"}}'
    )


def resident(pid: int | str = "self") -> int:
    """MB of memory that a process holds."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") // 2**20
    except OSError:
        return 0


def descendants() -> list[int]:
    """The processes below this one."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    parents[int(name)] = int(file.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found, todo = [], [os.getpid()]
    while todo:
        parent = todo.pop()
        children = [pid for pid, above in parents.items() if above == parent]
        found += children
        todo += children
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1000, help="submissions (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--every", type=float, default=10.0, help="seconds between two lines (default: %(default)s)"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nas-soak-") as folder:
        root = Path(folder)
        tempfile.tempdir = str(root / "tmp")
        Path(tempfile.tempdir).mkdir()
        kinds = write(root / "in", arguments.count)
        open_before = len(os.listdir("/proc/self/fd"))
        samples_taken: list[tuple[float, int, int, int]] = []
        over = threading.Event()
        began = time.monotonic()

        def watch() -> None:
            while not over.wait(arguments.every):
                stored = sum(1 for _ in (root / "course").glob("autograded/*/*/*.ipynb"))
                below = sum(map(resident, descendants()))
                samples_taken.append((time.monotonic() - began, stored, resident(), below))
                seconds, stored, own, below = samples_taken[-1]
                print(
                    f"{seconds:6.0f} s  {stored:5d} stored  grader {own:5d} MB  its processes {below:6d} MB",
                    flush=True,
                )

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            done = command.grade(root / "in", LESSON, root / "course", jobs=arguments.jobs, progress=False)
        finally:
            over.set()
            watcher.join()
        points: dict[str, Counter[float]] = {}
        for row in done.rows:
            points.setdefault(kinds[row.student], Counter())[row.score] += 1
        for name, counts in sorted(points.items()):
            print(f"{name:6} {dict(counts)} points")
        print(
            f"{arguments.count / done.seconds['grading']:.2f} submissions a second, {done.seconds['grading']:.0f} s; "
            f"feedback {done.seconds['feedback']:.0f} s; notes {sum(bool(row.note) for row in done.rows)}"
        )
        memory = [own for _, stored, own, _ in samples_taken if stored]
        if len(memory) >= 8:
            quarter = len(memory) // 4
            second, last = max(memory[quarter : 2 * quarter]), max(memory[-quarter:])
            print(f"the grader's memory: {second} MB in the second quarter, {last} MB in the last")
        time.sleep(1.0)
        print(
            f"left: {len(descendants())} processes, {len(os.listdir(tempfile.tempdir))} folders or files, "
            f"{len(os.listdir('/proc/self/fd')) - open_before} more open descriptors"
        )
        tempfile.tempdir = None


if __name__ == "__main__":
    main()
