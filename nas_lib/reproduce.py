"""Published comparisons of search methods, run again with the course's methods: `nas-course reproduce`."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas_lib import real_data
from nas_lib.benchmark import Benchmark
from nas_lib.hyperband import ASHA, Hyperband
from nas_lib.search import RandomSearch, SearcherFactory, compare
from nas_lib.searchers import HalvingSearch, HillClimbing, RegularizedEvolution, Reinforce
from nas_lib.surrogates import BayesianOptimization

SEEDS = 500


@dataclass(frozen=True)
class Published:
    """A published mean *test* accuracy (percent) on CIFAR-10, and of the best cell there is."""

    of: str
    accuracy: float
    source: str
    best: float = 94.37

    def __str__(self) -> str:
        return f"{self.of} {self.accuracy:.2f} ({self.best - self.accuracy:.2f} below) in {self.source}"


_DONG_2020, _DONG_2021 = "Dong & Yang 2020", "Dong et al. 2021"
SOURCES = {
    _DONG_2020: "NAS-Bench-201, ICLR 2020, arXiv:2001.00326 (12,000 simulated seconds)",
    _DONG_2021: "NATS-Bench, TPAMI 2021, arXiv:2009.00437 (20,000 simulated seconds)",
}
PUBLISHED = {
    "random search": (
        Published("random search", 93.70, _DONG_2020),
        Published("random search", 93.86, _DONG_2021),
    ),
    "regularized evolution": (Published("REA", 93.92, _DONG_2020), Published("REA", 94.02, _DONG_2021)),
    "REINFORCE": (Published("REINFORCE", 93.85, _DONG_2020), Published("REINFORCE", 93.90, _DONG_2021)),
    "Hyperband": (Published("BOHB", 93.61, _DONG_2020), Published("BOHB", 93.94, _DONG_2021)),
}
"""By our method the figures to hold it against; BOHB is Hyperband with a model in place of the random draws."""

FULL, SHORT = real_data.FULL_EPOCHS, real_data.SEARCH_EPOCHS
METHODS: dict[str, SearcherFactory] = {
    "random search": RandomSearch,
    "regularized evolution": RegularizedEvolution,
    "REINFORCE": Reinforce,
    "local search": functools.partial(HillClimbing, move="first"),
    "Bayesian optimisation, process": BayesianOptimization,
    "Bayesian optimisation, ridge": functools.partial(BayesianOptimization, surrogate="ridge"),
}
"""They train each cell for `SHORT` epochs, as in the papers, and hand over the best one by that."""
_ANEW = functools.partial(functools.partial, max_epochs=FULL, resume=False)
FIDELITY_METHODS: dict[str, SearcherFactory] = {
    "successive halving": _ANEW(HalvingSearch, eta=17, min_epochs=SHORT),
    "Hyperband": _ANEW(Hyperband, eta=16),
    "ASHA": _ANEW(ASHA, eta=17, min_epochs=SHORT),
}
"""They also pay for trainings of `FULL` epochs, from the start, and hand over the best one of these. The data has no
length between: eta is what makes one rung of each."""


@dataclass(frozen=True)
class Row:
    """What one method came to: of its runs, the evaluations, and the accuracy (percent) that each handed over."""

    method: str
    evaluations: float
    mean: float
    sd: float
    best: float

    def __str__(self) -> str:
        beside = "; ".join(map(str, PUBLISHED.get(self.method, ())))
        ours = f"{self.evaluations:6.0f}   {self.mean:.2f} ± {self.sd:.2f} {self.best - self.mean:8.2f}"
        return f"{self.method:<32}{ours}   {beside}".rstrip()


def nas_bench_201(path: Path | str, seeds: int = SEEDS, jobs: int = 1) -> Iterator[Row]:
    """Every method on real NAS-Bench-201, on `real_data.SECONDS` simulated seconds for each run.

    Args:
        path: as in `real_data.nas_bench_201`.
        seeds: runs of each method.
        jobs: processes that share them.

    Returns:
        A row for each method, as soon as it has run. The data is read at once.
    """
    plan = (METHODS, real_data.nas_bench_201(path)), (FIDELITY_METHODS, real_data.two_lengths(path))
    return (row for methods, benchmark in plan for row in _rows(methods, benchmark, seeds, jobs))


def _rows(methods: dict[str, SearcherFactory], benchmark: Benchmark, seeds: int, jobs: int) -> Iterator[Row]:
    for name, method in methods.items():
        comparison = compare(
            {name: method}, benchmark, real_data.SECONDS, seeds, unit="seconds", progress=False, jobs=jobs
        )
        found = comparison.values[name][:, -1]
        evaluations = float(np.mean([len(history) for history in comparison.histories[name]]))
        yield Row(name, evaluations, float(found.mean()), float(found.std()), comparison.best)


def print_nas_bench_201(path: Path | str, seeds: int = SEEDS, jobs: int | None = None) -> None:
    """`nas_bench_201`, as a table beside the published figures."""
    jobs = (os.cpu_count() or 1) if jobs is None else jobs
    start = time.perf_counter()
    rows = nas_bench_201(path, seeds, jobs)  # says what is wrong with the file before anything is printed
    print(
        f"NAS-Bench-201, CIFAR-10: {seeds} runs of each method, {real_data.SECONDS:,} simulated seconds each."
    )
    print(
        f"Ours is *validation* accuracy after {FULL} epochs, mean ± sd over runs: this data has no test accuracy."
    )
    print(
        "Published is mean test accuracy. What compares is how far each stays below the best cell there is, in points."
    )
    print()
    print(f"{'':<32}{'cells':>6}{'accuracy':>16}{'below':>9}   published")
    for row in rows:
        print(row, flush=True)
    print(f"{'the best cell':<32}{'':>6}   {row.best:.2f}{'0.00':>16}   94.37")
    print()
    for short, long in SOURCES.items():
        print(f"{short}: {long}")
    print(
        f"{time.perf_counter() - start:.0f} s on this machine, {jobs} {'process' if jobs == 1 else 'processes'}."
    )
