"""Print how fast the table is read, asked and searched, beside the targets (one core, a quiet machine).

    OMP_NUM_THREADS=1 python scripts/bench_search.py

Uses the shipped table, or, where that is not built yet, a made-up one of the same size (and says so).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nas_lib import spaces
from nas_lib.benchmark import TABLE_PATH, TableFile, TabularBenchmark
from nas_lib.search import RandomSearch, compare


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


def main() -> None:
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

    def search() -> None:
        compare({"random search": RandomSearch}, benchmark, 200, 500, progress=False)

    rows.append(("random search, 500 runs of 200", seconds_of(search, repeats=3), "s", 5))
    for what, measured, unit, target in rows:
        print(f"{what:<32}{measured:8.2f} {unit:<3}" + f"target ≤ {target} {unit}")


if __name__ == "__main__":
    main()
