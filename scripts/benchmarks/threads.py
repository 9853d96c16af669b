"""Measures whether a small training gains by more than one thread, on a machine of its own and on a shared one.

    python -m scripts.benchmarks.threads [--steps N] [--rounds N]      some minutes

Trains one random cell by a shortened recipe, each time in a process of its own: with PyTorch's default number of
threads and with one, alone and beside as many processes as there are cores that do nothing but compute. All four take
turns in each round, and what is printed are the ratios within a round: default over one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence

import numpy as np

DEFAULT, ONE = 0, 1
BUSY = "while True: pass"


def training(threads: int, steps: int) -> dict[str, float]:
    """Seconds of clock and processor of a training in this process, after a first one that doesn't count."""
    import torch

    from nas_lib.training import RECIPE, load_splits, train
    from scripts.benchmarks.packed import random_cells, shortened

    if threads:
        torch.set_num_threads(threads)
    (cell,), recipe = random_cells(1), shortened(RECIPE, steps)
    splits = load_splits(recipe)
    for _ in range(2):
        wall, processor = time.perf_counter(), time.process_time()
        train(cell, splits, recipe)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return {"wall": wall, "processor": processor, "threads": torch.get_num_threads()}


def measured(threads: int, steps: int, beside: int) -> dict[str, float]:
    """The same in a process of its own, beside others."""
    without = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(beside)]
    try:
        command = [
            sys.executable,
            "-m",
            "scripts.benchmarks.threads",
            "--steps",
            str(steps),
            "--one",
            str(threads),
        ]
        done = subprocess.run(command, env=without, stdout=subprocess.PIPE, text=True, check=True)
    finally:
        for other in others:
            other.kill()
            other.wait()
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--steps", type=int, default=60, help="of a training (default: 60)")
    parser.add_argument("--rounds", type=int, default=5, help="in which all four are measured (default: 5)")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one is not None:
        print(json.dumps(training(given.one, given.steps)))
        return
    cores = os.cpu_count() or 1
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{cores} cores{load}; {given.rounds} rounds of {given.steps} steps; default over one thread:")
    rounds = []
    for number in range(given.rounds):
        found = {
            (threads, beside): measured(threads, given.steps, beside)
            for beside in (0, cores)
            for threads in (DEFAULT, ONE)
        }
        told = (f"{one['wall']:.1f} s ({one['processor']:.1f} of processor)" for one in found.values())
        print(f"  round {number + 1}: {', '.join(told)}", flush=True)
        rounds.append(found)
    for beside in (0, cores):
        for clock in ("wall", "processor"):
            ratios = [one[DEFAULT, beside][clock] / one[ONE, beside][clock] for one in rounds]
            spread = f"{min(ratios):.2g}–{max(ratios):.2g}"
            print(f"  beside {beside} busy processes, {clock:<10}{np.median(ratios):6.2g}   ({spread})")
    print(f"the default was {rounds[0][DEFAULT, 0]['threads']:g} threads")


if __name__ == "__main__":
    main()
