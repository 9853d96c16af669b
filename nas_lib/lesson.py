"""Small helpers of the notebooks: a quiet progress bar, timing, and what several experiments of a lesson share."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from nas_lib.benchmark import Benchmark
from nas_lib.search import History
from nas_lib.spaces import Space

T = TypeVar("T")

PROXY_SCORES_PATH = Path(__file__).parent / "assets" / "proxy_scores.npz"
"""Scores of untrained networks, written by `scripts/recordings/proxy_scores.py`."""
PROXY_SEEDS, PROXY_BATCH = 3, 64
"""Initialisations (seeds 0, 1, … of `build_network`) and training images behind each recorded score."""


def progress(items: Iterable[T], unit: str = "run") -> Iterator[T]:
    """The items, with a progress bar on standard output (notebooks paint standard error red)."""
    from tqdm import tqdm

    yield from tqdm(items, unit=unit, file=sys.stdout, ncols=80, mininterval=0.5)


def milliseconds(call: Callable[[], Any], repeats: int = 15) -> float:
    """Median processor time of a call, after one that does not count."""
    times = []
    for _ in range(repeats + 1):
        start = time.process_time()
        call()
        times.append(1000 * (time.process_time() - start))
    return float(np.median(times[1:]))


def paired_numbers(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`a` and `b` as float arrays of one length (n,), n ≥ 2: what a rank correlation needs.

    Raises:
        ValueError: other shapes, an entry that is not finite, or a constant, which has no order.
    """
    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if first.ndim != 1 or first.shape != second.shape or len(first) < 2:
        shapes = f"{first.shape} and {second.shape}"
        raise ValueError(f"a and b must be two or more pairs of numbers, got the shapes {shapes}")
    for name, values in (("a", first), ("b", second)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite numbers, got {values[~np.isfinite(values)][0]}")
        if np.ptp(values) == 0:
            raise ValueError(f"{name} must hold at least two different numbers, got {values[0]} everywhere")
    return first, second


class _Spent(Exception):
    """The seconds are used up: raised through a search that counts evaluations."""


def within_seconds(
    search: Callable[[Callable[[Any], float], Space, int, Generator], History],
    benchmark: Benchmark,
    seconds: float,
    rng: Generator,
) -> float:
    """What a search that counts evaluations would choose on a budget of simulated seconds.

    Args:
        search: called as `search(objective, space, budget, rng)`; it is stopped by an exception of the objective.
        benchmark: answers; the search sees `valid`.
        seconds: the evaluations that fit into them are made.

    Returns:
        `test` (percent) of the architecture with the highest `valid` seen.

    Raises:
        ValueError: not even one evaluation fits, or the benchmark knows no seconds.
    """
    seen: list[tuple[float, float]] = []
    left = seconds

    def objective(arch: Any) -> float:
        nonlocal left
        answer = benchmark.query(arch)
        if answer.seconds is None or answer.test is None:
            raise ValueError(f"benchmark must know seconds and test accuracies, got {answer} for {arch}")
        left -= answer.seconds
        if left < 0:
            raise _Spent
        seen.append((answer.valid, answer.test))
        return answer.valid

    with contextlib.suppress(_Spent):
        search(objective, benchmark.space, len(benchmark.space), rng)
    if not seen:
        raise ValueError(f"seconds must pay for at least one evaluation, got {seconds}")
    return max(seen, key=lambda pair: pair[0])[1]


def proxy_scores() -> dict[str, NDArray[np.float64]]:
    """Recorded scores of untrained networks, "synflow" and "grad_norm": (functions, initialisations).

    Row i belongs to the i-th cell of `functions()[0]`, column j to the weights of `build_network(cell, seed=j)`.
    """
    with np.load(PROXY_SCORES_PATH) as data:
        return {name: data[name].astype(float) for name in ("synflow", "grad_norm")}
