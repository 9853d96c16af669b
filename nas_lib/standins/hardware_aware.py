"""What stands in for the exercises of lesson 06: latency, searches by reward, Pareto fronts and quantisation."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from nas_lib.search import History
from nas_lib.spaces import Space
from nas_lib.standins import stands_in


@stands_in(
    "benchmark_latency",
    hides=("nas_lib.latency:time_calls",),
)
def benchmark_latency(
    fn: Callable[[], Any],
    warmup: int,
    repeats: int,
    synchronize: Callable[[], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[float, float, float]:
    from nas_lib.latency import time_calls

    found = time_calls(fn, warmup=warmup, repeats=repeats, synchronize=synchronize, clock=clock)
    return found.low, found.median, found.high


@stands_in(
    "latency_table",
    hides=("nas_lib.latency:LatencyTable.measure",),
)
def latency_table(
    ops: Sequence[str], shapes: Sequence[tuple[int, ...]], measure: Callable[[str, tuple[int, ...]], float]
) -> dict[tuple[str, tuple[int, ...]], float]:
    return {(op, shape): measure(op, shape) for op in ops for shape in shapes}


@stands_in(
    "predict_latency",
    hides=("nas_lib.latency:LatencyTable.predict",),
)
def predict_latency(keys: Sequence[Any], table: Mapping[Any, float], overhead: float = 0.0) -> float:
    from nas_lib.latency import LatencyTable

    return LatencyTable(dict(table), overhead=overhead).predict(keys)


@stands_in(
    "roofline_latency",
    hides=("nas_lib.devices:Device.bound",),
)
def roofline_latency(macs: float, bytes_moved: float, device: Any) -> float:
    # In one line: macs per second are half the FLOP per second.
    return device.overhead + float(np.maximum(macs / (device.peak / 2), bytes_moved / device.bandwidth))


@stands_in("mnasnet_reward")
def mnasnet_reward(
    accuracy: ArrayLike, latency: ArrayLike, target: float, alpha: float = -0.07, beta: float = -0.07
) -> Any:
    excess = np.log(np.asarray(latency, dtype=float) / target)
    return accuracy * np.exp(alpha * np.minimum(excess, 0.0) + beta * np.maximum(excess, 0.0))


@stands_in(
    "hardware_aware_search",
    hides=(
        "nas_lib.searchers:HillClimbing._propose",
        "nas_lib.searchers:HillClimbing._learn",
    ),
)
def hardware_aware_search(
    accuracy: Callable[[Any], float],
    latency: Callable[[Any], float],
    reward: Callable[[float, float], float],
    space: Space,
    budget: int,
    rng: Generator,
) -> History:
    from nas_lib.searchers import HillClimbing

    searcher = HillClimbing(space, rng, move="first")
    archs: list[Any] = []
    values: list[float] = []
    while len(archs) < budget:
        archs.append(searcher.ask())
        values.append(reward(accuracy(archs[-1]), latency(archs[-1])))
        searcher.tell(archs[-1], values[-1])
    return History(archs, np.array(values))


@stands_in(
    "pareto_front",
    hides=(
        "nas_lib.pareto:non_dominated",
        "nas_lib.pareto:fronts",
        "nas_lib.plotting:pareto",
    ),
)
def pareto_front(accuracy: ArrayLike, latency: ArrayLike) -> NDArray[np.int64]:
    from nas_lib.pareto import non_dominated

    points = np.column_stack([np.asarray(latency, dtype=float), -np.asarray(accuracy, dtype=float)])
    _, first = np.unique(points, axis=0, return_index=True)
    return first[non_dominated(-points[first])]


@stands_in(
    "hypervolume_2d",
    hides=(
        "nas_lib.pareto:hypervolume",
        "nas_lib.pareto:_volume",
    ),
)
def hypervolume_2d(accuracy: ArrayLike, latency: ArrayLike, reference: Sequence[float]) -> float:
    from nas_lib.pareto import hypervolume

    points = np.column_stack([np.asarray(accuracy, dtype=float), -np.asarray(latency, dtype=float)])
    return hypervolume(points, [reference[0], -reference[1]])


@stands_in(
    "fake_quantize",
    hides=("nas_lib.quantization:rounded_weights",),
)
def fake_quantize(x: Any, bits: int, per_channel: bool = False) -> Any:
    from nas_lib.quantization import rounded_weights

    return rounded_weights(x, bits, axis=0 if per_channel else None)


@stands_in(
    "search_bits",
    hides=("nas_lib.quantization:evolve_bits",),
)
def search_bits(
    evaluate: Callable[[Any, int], float],
    size: Callable[[Any, int], float],
    archs: Sequence[Any],
    bit_choices: Sequence[int],
    size_limit: float,
    budget: int,
    rng: Generator,
) -> tuple[tuple[Any, int], History]:
    from nas_lib.quantization import evolve_bits

    found = evolve_bits(evaluate, size, archs, bit_choices, size_limit, budget, rng)
    best = max(found, key=lambda one: one[2])
    return best[:2], History([(arch, bits) for arch, bits, _ in found], np.array([one[2] for one in found]))
