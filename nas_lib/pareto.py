"""Several objectives at once: non-dominated sorting, hypervolume, and NSGA-II over a search space.

All objectives are maximised, as everywhere in this library: give −latency, not latency. Points are rows of an array
(n, objectives). Nothing is trained or measured here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from nas_lib._keeping import keeping
from nas_lib._numbers import is_integer
from nas_lib.search import RandomSearch
from nas_lib.spaces import Arch, Space

Points = NDArray[np.float64]


def _points(points: ArrayLike, name: str = "points") -> Points:
    try:
        array = np.asarray(points, dtype=float)
    except (TypeError, ValueError) as error:  # rows of different lengths, or no numbers
        raise ValueError(f"{name} must have the shape (n, objectives), got {points!r} ({error})") from None
    if array.ndim != 2 or array.shape[1] < 1:
        raise ValueError(f"{name} must have the shape (n, objectives), got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite numbers, got {array[~np.isfinite(array)][0]}")
    return array


def non_dominated(points: ArrayLike) -> NDArray[np.bool_]:
    """Which points nothing dominates: no other is at least as good in every objective and better in one.

    Equal points do not dominate each other, so all copies of a point are kept.

    Args:
        points: (n, objectives), maximised.
    """
    array = _points(points)
    keep = np.ones(len(array), dtype=bool)
    # In falling lexicographic order nothing is dominated by what comes later.
    order = np.lexsort(-array.T[::-1])
    front: list[int] = []
    for i in order.tolist():
        rivals = array[front]
        beaten = (rivals >= array[i]).all(axis=1) & (rivals > array[i]).any(axis=1)
        if beaten.any():
            keep[i] = False
        else:
            front.append(i)
    return keep


def fronts(points: ArrayLike) -> NDArray[np.int64]:
    """Rank of each point in non-dominated sorting: 0 is the front, 1 the front of what is left, and so on."""
    array = _points(points)
    ranks = np.full(len(array), -1)
    rank = 0
    while (left := np.flatnonzero(ranks < 0)).size:
        ranks[left[non_dominated(array[left])]] = rank
        rank += 1
    return ranks


def crowding_distance(points: ArrayLike) -> Points:
    """How alone each point of a front is (Deb et al. 2002, section III-B); infinite at the ends of each objective."""
    array = _points(points)
    distance = np.zeros(len(array))
    if not len(array):
        return distance
    for column in array.T:
        order = np.argsort(column, kind="stable")
        distance[order[[0, -1]]] = np.inf
        extent = column[order[-1]] - column[order[0]]
        if extent > 0:
            distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / extent
    return distance


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """Volume that the points dominate above a reference point (Zitzler and Thiele 1999); larger is better.

    Points that are not better than the reference in every objective add nothing. Slices along the last objective,
    recursively: exact, and fast enough for a few hundred points in two or three objectives.

    Args:
        points: (n, objectives), maximised.
        reference: (objectives,), the worst value of each.
    """
    array, corner = _points(points), np.asarray(reference, dtype=float)
    if corner.shape != array.shape[1:] or not np.isfinite(corner).all():
        raise ValueError(f"reference must be {array.shape[1]} finite numbers, got {reference!r}")
    return _volume(np.maximum(array - corner, 0.0)[(array > corner).all(axis=1)])


def _volume(points: Points) -> float:
    """Volume between the origin and points of positive coordinates."""
    if not len(points):
        return 0.0
    if points.shape[1] == 1:
        return float(points.max())
    points = points[np.argsort(-points[:, -1], kind="stable")]
    heights = points[:, -1] - np.append(points[1:, -1], 0.0)
    # Between one height and the next lower one, the slice is what all points above that height dominate.
    if points.shape[1] == 2:
        return float(np.maximum.accumulate(points[:, 0]) @ heights)
    return sum(_volume(points[: i + 1, :-1]) * height for i, height in enumerate(heights.tolist()) if height)


# ----------------------------------------------------------------------------------------------- search


@dataclass(frozen=True, eq=False)
class MultiHistory:
    """What a search with several objectives evaluated, in order.

    Attributes:
        archs: the architectures.
        values: (n, objectives), maximised.
    """

    archs: list[Arch]
    values: Points

    def front(self) -> MultiHistory:
        """What nothing seen dominates, each point once, by rising first objective."""
        _, first = np.unique(self.values, axis=0, return_index=True)
        kept = first[non_dominated(self.values[first])]
        return MultiHistory([self.archs[i] for i in kept.tolist()], self.values[kept])

    def __len__(self) -> int:
        return len(self.archs)


class NSGA2:
    """NSGA-II (Deb et al. 2002): tournaments by front and crowding, crossover, mutation, elitist survival.

    `ask` gives one architecture at a time and `tell` takes its objectives; a generation is complete when `population`
    have been told. The decisions of a child come from either parent with equal chance; with chance `mutation` it then
    moves to a random neighbour. No architecture is proposed twice while others are left nearby: of `TRIES` children
    the first unseen one is taken, else a random architecture.

    Args:
        space: where to search; its `choices` are one option per decision, and `index` takes the tuple of them.
        rng: all the randomness.
        population: survivors of each generation, even and ≥ 4.
        mutation: chance from 0 to 1 that a child is mutated.
    """

    TRIES = 20

    def __init__(self, space: Space, rng: Generator, population: int = 20, mutation: float = 0.7) -> None:
        if not isinstance(rng, Generator):
            raise TypeError(f"rng must be a numpy.random.Generator, got {rng!r}")
        if not is_integer(population) or population < 4 or population % 2:
            raise ValueError(f"population must be an even integer from 4 up, got {population!r}")
        if not 0 <= mutation <= 1:
            raise ValueError(f"mutation must be a chance from 0 to 1, got {mutation!r}")
        self.population, self.mutation = int(population), mutation
        self._space, self._rng = space, rng
        self._seen: set[Arch] = set()
        self._parents: list[tuple[Arch, Points]] = []
        self._children: list[tuple[Arch, Points]] = []
        self._ranks: NDArray[np.int64] = np.zeros(0, dtype=int)
        self._crowding: Points = np.zeros(0)
        self._asked: Arch | None = None

    def ask(self) -> Arch:
        """The next architecture to evaluate.

        Raises:
            RuntimeError: the objectives of the last one have not been told.
        """
        if self._asked is not None:
            raise RuntimeError(f"ask must wait until tell has given the objectives of {self._asked}")
        arch = self._fresh(self._child if self._parents else lambda: self._space.sample(self._rng))
        self._seen.add(arch)
        self._asked = arch
        return arch

    def tell(self, arch: Arch, values: Sequence[float]) -> None:
        """Learn the objectives of the architecture that was asked for last; all of them are maximised.

        Raises:
            ValueError: another architecture, or values that are not finite.
        """
        if self._asked is None or arch != self._asked:
            raise ValueError(f"arch must be the one that was asked for last ({self._asked}), got {arch}")
        told = _points([values], "values")[0]
        before = next((known for _, known in (*self._parents, *self._children)), told)
        if told.shape != before.shape:
            raise ValueError(f"values must be as many objectives as before, {len(before)}, got {len(told)}")
        self._asked = None
        self._children.append((arch, told))
        if len(self._children) == self.population:
            self._survive()

    def _fresh(self, propose: Callable[[], Arch]) -> Arch:
        for _ in range(self.TRIES):
            arch = propose()
            if arch not in self._seen:
                return arch
        return self._space.sample(self._rng)

    def _survive(self) -> None:
        """The best `population` of parents and children: whole fronts, then the least crowded of the next one."""
        everyone = self._parents + self._children
        values = np.array([value for _, value in everyone])
        ranks = fronts(values)
        crowding = np.zeros(len(everyone))
        for rank in range(int(ranks.max()) + 1):
            members = np.flatnonzero(ranks == rank)
            crowding[members] = crowding_distance(values[members])
        kept = np.lexsort((-crowding, ranks))[: self.population]
        self._parents = [everyone[i] for i in kept.tolist()]
        self._ranks, self._crowding, self._children = ranks[kept], crowding[kept], []

    def _winner(self) -> Arch:
        one, other = self._rng.integers(len(self._parents), size=2).tolist()
        better = min((one, other), key=lambda i: (self._ranks[i], -self._crowding[i]))
        return self._parents[better][0]

    def _child(self) -> Arch:
        mother, father = tuple(self._winner()), tuple(self._winner())
        from_mother = self._rng.random(len(mother)) < 0.5
        options = tuple(m if first else f for m, f, first in zip(mother, father, from_mother.tolist()))
        try:
            child = self._space.from_index(self._space.index(options))
        except (
            ValueError
        ):  # conditions or constraints of the space, which both parents keep and this child breaks
            return self._space.mutate(mother, self._rng)
        return self._space.mutate(child, self._rng) if self._rng.random() < self.mutation else child


class RandomMulti:
    """Random search without repetition, for comparison: it learns nothing from what it is told."""

    def __init__(self, space: Space, rng: Generator) -> None:
        self._search = RandomSearch(space, rng)

    def ask(self) -> Arch:
        """The next architecture; StopIteration after the last one."""
        return self._search.ask()

    def tell(self, arch: Arch, values: Sequence[float]) -> None:
        """Does nothing."""


def run_multi(
    searcher: Any,
    objectives: Callable[[Arch], Sequence[float]],
    budget: int,
    known: dict[Arch, Any] | None = None,
) -> MultiHistory:
    """Let a searcher evaluate `budget` architectures.

    Args:
        searcher: `ask()` and `tell(arch, values)`, such as `NSGA2`.
        objectives: their values, all maximised, always equally many.
        budget: evaluations, ≥ 1.
        known: where values are kept and looked up, so that a repeated architecture is not evaluated again; it counts.

    Returns:
        What was evaluated: less than the budget where the searcher has nothing left to propose (StopIteration), or
        after an interruption, with a warning.

    Raises:
        ValueError: a budget out of range, or objectives that are no finite numbers. Whatever the searcher or the
            objectives raise comes through, with the evaluations made so far in the exception's `history`.
    """
    if not is_integer(budget) or budget < 1:
        raise ValueError(f"budget must be an integer from 1 up, got {budget!r}")
    values = {} if known is None else known
    archs: list[Arch] = []

    def history() -> MultiHistory:
        return MultiHistory(archs, np.array([values[arch] for arch in archs], dtype=float))

    with keeping("history", history, archs, "evaluations made"):
        for _ in range(budget):
            try:
                arch = searcher.ask()
            except StopIteration:
                break
            if arch not in values:
                values[arch] = _objectives(objectives(arch), arch, values[archs[0]] if archs else None)
            archs.append(arch)  # before `tell`, which may raise: this evaluation is made
            searcher.tell(arch, values[arch])
    if not archs:
        raise ValueError(f"searcher must propose at least one architecture, got none from {searcher!r}")
    return history()


def _objectives(told: Any, arch: Arch, before: Sequence[float] | None) -> tuple[float, ...]:
    """What the objectives said, as numbers, or ValueError: one NaN would be on every front."""
    try:
        found = tuple(map(float, told))
    except (TypeError, ValueError):
        found = ()
    if not found or not all(map(math.isfinite, found)) or len(found) != len(before or found):
        many = (
            f"{len(before)} finite numbers, as before" if before else "one finite number for each objective"
        )
        raise ValueError(f"objectives must give {many}, got {told!r} for {arch}")
    return found
