"""Print how fast the table is read, asked and searched, beside the targets (one core, a quiet machine).

    OMP_NUM_THREADS=1 python -m scripts.benchmarks.search

Uses the shipped table, or, where that is not built yet, a made-up one of the same size (and says so).
"""

from __future__ import annotations

import math
import tempfile
import time
from collections import deque
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas_lib import spaces
from nas_lib.benchmark import TABLE_PATH, TableFile, TabularBenchmark
from nas_lib.search import RandomSearch, SearcherFactory, compare
from nas_lib.searchers import HillClimbing, RegularizedEvolution, Reinforce

RUNS, BUDGET = 500, 200


def made_up_table(seeds: int = 3, epochs: int = 12, seed: int = 0) -> TableFile:
    """A table of the real one's format and size, with made-up numbers."""
    rng = np.random.default_rng(seed)
    representatives, function = spaces.functions()
    f, n = len(representatives), len(function)
    quality = rng.beta(4, 2, size=(f, 1, 1))
    valid_size = np.full(epochs, 2_000)
    valid_size[-1] = 10_000
    learning = np.linspace(0.5, 1.0, epochs)
    noise = rng.normal(0, 0.01, (f, seeds, epochs))
    return TableFile(
        function=function.astype(np.uint16),
        valid_correct=(valid_size * np.clip(quality * learning + noise, 0, 1)).astype(np.uint16),
        valid_size=valid_size,
        test_correct=(10_000 * np.clip(quality[:, :, 0] + noise[:, :, -1], 0, 1)).astype(np.uint16),
        test_size=10_000,
        function_seconds=rng.uniform(1, 3, (f, seeds)).astype(np.float32),
        seconds=rng.uniform(1, 3, n).astype(np.float32),
        params=rng.integers(1_000, 9_000, n).astype(np.uint32),
        macs=rng.integers(10**5, 10**6, n).astype(np.uint32),
        recipe={"made up": True},
        cpu="none",
    )


def seconds_of(call: Callable[[], object], repeats: int = 5) -> float:
    """Least CPU time of `call`, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def query_seconds(benchmark: TabularBenchmark, **question: int) -> float:
    """CPU time of one query, averaged over 1,000 random cells."""
    rng = np.random.default_rng(0)
    archs = [benchmark.space.sample(rng) for _ in range(1_000)]

    def ask_all() -> None:
        for arch in archs:
            benchmark.query(arch, **question)

    return seconds_of(ask_all) / len(archs)


# The same searches as bare loops: cells are integers, values are looked up in a list, neighbours in a table.
# No protocol, no costs, no checks; each returns the indices of what it evaluated, in order.


def bare_random(valid: list[float], rng: np.random.Generator) -> list[int]:
    """Random search as a loop: indices in the order of their evaluation."""
    found: list[int] = []
    seen: set[int] = set()
    while len(found) < BUDGET:
        i = int(rng.integers(len(valid)))
        if i not in seen:
            seen.add(i)
            found.append(i)
    return found


def bare_climbing(valid: list[float], rng: np.random.Generator, around: list[list[int]]) -> list[int]:
    """Hill climbing as a loop, with restarts: indices in the order of their evaluation."""
    found: list[int] = []
    seen: set[int] = set()
    while len(found) < BUDGET:
        here = int(rng.integers(len(valid)))
        if here in seen:
            continue
        seen.add(here)
        found.append(here)
        while len(found) < BUDGET:
            unseen = [i for i in around[here] if i not in seen]
            best = here
            for k in rng.permutation(len(unseen)).tolist():
                i = unseen[k]
                seen.add(i)
                found.append(i)
                if valid[i] > valid[best]:
                    best = i
            if best == here:
                break
            here = best
    return found[:BUDGET]


def bare_climbing_cells(valid: list[float], rng: np.random.Generator) -> list[int]:
    """The same on cells instead of integers: the space's own moves, without a prepared table."""
    space = spaces.CellSpace()
    found: list[int] = []
    seen: set[spaces.Arch] = set()

    def look(cell: spaces.Arch) -> float:
        seen.add(cell)
        found.append(space.index(cell))
        return valid[found[-1]]

    while len(found) < BUDGET:
        here = space.sample(rng)
        if here in seen:
            continue
        value = look(here)
        while len(found) < BUDGET:
            unseen = [cell for cell in space.neighbors(here) if cell not in seen]
            best, best_value = here, value
            for k in rng.permutation(len(unseen)).tolist():
                seen_value = look(unseen[k])
                if seen_value > best_value:
                    best, best_value = unseen[k], seen_value
            if best is here:
                break
            here, value = best, best_value
    return found[:BUDGET]


def bare_evolution(valid: list[float], rng: np.random.Generator, around: list[list[int]]) -> list[int]:
    """Regularized evolution as a loop: indices in the order of their evaluation."""
    members = deque(rng.integers(len(valid), size=10).tolist())
    found = list(members)
    while len(found) < BUDGET:
        parent = members[rng.integers(10)]
        for _ in range(2):
            rival = members[rng.integers(10)]
            if valid[rival] > valid[parent]:
                parent = rival
        child = around[parent][rng.integers(24)]
        members.append(child)
        members.popleft()
        found.append(child)
    return found


def bare_reinforce(valid: list[float], rng: np.random.Generator) -> list[int]:
    """REINFORCE with independent softmaxes as a loop over plain numbers, the fastest that we found for so few.

    Indices in the order of their evaluation.
    """
    exp, sqrt = math.exp, math.sqrt
    logits, first, second = ([[0.0] * 5 for _ in range(6)] for _ in range(3))
    baseline = 0.0
    found: list[int] = []
    for step, draws in enumerate(rng.random((BUDGET, 6)).tolist(), start=1):
        index, chosen = 0, []
        for row, draw in zip(logits, draws):
            weights = [exp(logit) for logit in row]
            total = sum(weights)
            action, below = 0, weights[0]
            while below <= draw * total and action < 4:
                action += 1
                below += weights[action]
            index = 5 * index + action
            chosen.append((weights, total, action))
        found.append(index)
        advantage = valid[index] - baseline
        baseline = 0.9 * baseline + 0.1 * valid[index]
        rate, spread = 0.01 / (1 - 0.9**step), 1 / sqrt(1 - 0.999**step)
        for row, mean, square, (weights, total, action) in zip(logits, first, second, chosen):
            for k in range(5):
                gradient = advantage * ((k == action) - weights[k] / total)
                mean[k] = 0.9 * mean[k] + 0.1 * gradient
                square[k] = 0.999 * square[k] + 0.001 * gradient * gradient
                row[k] += rate * mean[k] / (sqrt(square[k]) * spread + 1e-8)
    return found


BARE: dict[str, tuple[SearcherFactory, Callable[..., list[int]], bool]] = {
    "random search": (RandomSearch, bare_random, False),
    # Most of a climb is looking at neighbours, so the loop to compare with is the one that does that too.
    "hill climbing": (HillClimbing, bare_climbing_cells, False),
    "hill climbing, neighbours known": (HillClimbing, bare_climbing, True),
    "regularized evolution": (RegularizedEvolution, bare_evolution, True),
    "REINFORCE": (Reinforce, bare_reinforce, False),
}
"""The library's method, its bare loop, and whether that needs the table of neighbours."""

MOST = 2.0
"""Times the bare loop's CPU time that the library may take, where both do the same work."""
UNEQUAL = ("hill climbing, neighbours known",)
"""Loops that leave a part of the work out: no target."""


def bare_curves(name: str, benchmark: TabularBenchmark, runs: int = RUNS) -> NDArray[np.float64]:
    """(runs, BUDGET) regret of the incumbents: what `compare` reports, from the bare loop."""
    space = benchmark.space
    valid, test = benchmark.final("valid").tolist(), benchmark.final("test")
    _, loop, needs_neighbors = BARE[name]
    tables = [neighbor_table(space)] if needs_neighbors else []
    curves = np.empty((runs, BUDGET))
    for seed in range(runs):
        found = loop(valid, np.random.default_rng(seed), *tables)
        leaders, best, leader = [], -np.inf, -1
        for i in found:
            if valid[i] > best:
                best, leader = valid[i], i
            leaders.append(leader)
        curves[seed] = test[leaders]
    return test.max() - curves


@cache
def neighbor_table(space: spaces.Space) -> list[list[int]]:
    """The indices of the neighbours of each architecture; made once, not part of what is timed."""
    return [[space.index(b) for b in space.neighbors(space.from_index(i))] for i in range(len(space))]


def against_bare(
    name: str, benchmark: TabularBenchmark, runs: int = RUNS, rounds: int = 3
) -> tuple[float, float]:
    """CPU seconds of `compare` and of the bare loop, the least of alternating rounds in this one process."""
    searchers = {name: BARE[name][0]}
    calls = (
        lambda: compare(searchers, benchmark, BUDGET, runs, progress=False),
        lambda: bare_curves(name, benchmark, runs),
    )
    neighbor_table(benchmark.space)
    times = [[seconds_of(call, repeats=1) for call in calls] for _ in range(rounds)]
    ours, bare = (min(column) for column in zip(*times))
    return ours, bare


def main() -> None:
    """Print what everything takes."""
    with tempfile.TemporaryDirectory() as folder:
        path = TABLE_PATH
        if not path.exists():
            path = Path(folder) / "made_up.npz"
            made_up_table().write(path)
            print("the table is not built yet: measured on a made-up one of the same format")
        print(f"table: {path.name}, {path.stat().st_size / 1e6:.2f} MB")
        rows = [("load", 1e3 * seconds_of(lambda: TabularBenchmark.load(path)), "ms", 50)]
        benchmark = TabularBenchmark.load(path)
    questions: list[dict[str, int]] = [{}, {"epochs": 3}, {"seed": 0}]
    for question in questions:
        told = ", ".join(f"{name}={value}" for name, value in question.items())
        rows.append(
            (f"query(arch{', ' + told if told else ''})", 1e6 * query_seconds(benchmark, **question), "µs", 5)
        )
    for what, measured, unit, target in rows:
        print(f"{what:<32}{measured:8.2f} {unit:<3}" + f"target ≤ {target} {unit}")
    print(f"{RUNS} runs of {BUDGET} evaluations{'compare':>20}{'bare loop':>12}{'ratio':>8}")
    for name in BARE:
        ours, bare = against_bare(name, benchmark)
        target = "no target: the loop is given the neighbours" if name in UNEQUAL else f"target ≤ {MOST:g}"
        print(f"{name:<32}{ours:13.2f} s{bare:10.2f} s{ours / bare:8.2f}   {target}")


if __name__ == "__main__":
    main()
