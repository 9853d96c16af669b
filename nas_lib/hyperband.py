"""Search methods that decide how long to train, beyond one bracket of halving: Hyperband and ASHA.

Both speak the protocol of `nas_lib.search.FidelitySearcher`, so that `run` and `compare` play them on a budget of
simulated seconds. `simulate_workers` plays one with several workers at once, which is what ASHA is for.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, NamedTuple

from numpy.random import Generator

from nas_lib._numbers import is_number
from nas_lib.search import FidelitySearcher, RandomSearch
from nas_lib.searchers import Race, _check_generator, _drawn, _not_finite, _rungs, _whole
from nas_lib.spaces import Arch, Space


def brackets(max_epochs: int, eta: int = 3) -> list[list[tuple[int, int]]]:
    """The brackets of Hyperband (Li et al. 2018, arXiv:1603.06560, algorithm 1), the one that stops earliest first.

    With s_max = ⌊log_eta max_epochs⌋, bracket s = s_max, …, 0 starts with n = ⌈(s_max + 1)·eta^s / (s + 1)⌉
    architectures. Its rung i = 0, …, s trains the best ⌊n / eta^i⌋ of them to max_epochs / eta^(s − i) epochs, rounded
    down: all brackets cost about the same, and each trains somebody to the end.

    Args:
        max_epochs: length of full training, at least 1.
        eta: an integer ≥ 2.

    Returns:
        For each bracket, (architectures, epochs) of each rung.
    """
    max_epochs, eta = _whole("max_epochs", max_epochs, 1), _whole("eta", eta, 2)
    most = 0
    while eta ** (most + 1) <= max_epochs:
        most += 1
    starts = [(s, -(-(most + 1) * eta**s // (s + 1))) for s in range(most, -1, -1)]
    return [[(n // eta**i, max_epochs // eta ** (s - i)) for i in range(s + 1)] for s, n in starts]


class Hyperband:
    """Successive halving that hedges how early to stop: bracket after bracket, then all over again.

    Li et al. 2018, arXiv:1603.06560. No architecture is drawn twice. Of equal values, those that came first stay.

    Args:
        space: where to search.
        rng: all the randomness.
        max_epochs, eta: as in `brackets`.
        resume: a rung goes on from the weights of the one before; otherwise it is paid from the start again.
    """

    multi_fidelity = True

    def __init__(
        self, space: Space, rng: Generator, max_epochs: int, *, eta: int = 3, resume: bool = True
    ) -> None:
        _check_generator(rng)
        self.resume = bool(resume)
        self._brackets = brackets(max_epochs, eta)
        self._draw = RandomSearch(space, rng)
        self._begun = 0
        self._race: Race | None = None

    def ask(self) -> tuple[Arch, int]:
        """The next architecture and the epochs to train it to; StopIteration when all have been drawn."""
        if self._race is None or self._race.over:
            self._race = self._begin()
        return self._race.ask()

    def _begin(self) -> Race:
        rungs = self._brackets[self._begun % len(self._brackets)]
        archs = _drawn(self._draw, rungs[0][0])
        self._begun += 1
        return Race(archs, rungs)

    def tell(self, arch: Arch, epochs: int, value: float) -> None:
        """The value of what was asked for last, after that many epochs.

        Raises:
            ValueError: another architecture or length, or a value that is not finite.
        """
        if self._race is None:
            raise ValueError(
                f"arch and epochs must be what was asked for last (nothing), got {arch}, {epochs}"
            )
        self._race.tell(arch, epochs, value)


class ASHA:
    """Halving that never waits for a rung to be full (Li et al. 2020, arXiv:1810.05934, algorithm 2).

    Whenever somebody is free: the best architecture that is among the top ⌊n/eta⌋ of the n told in its rung, and was
    not promoted yet, goes up to the next rung; the highest rungs are looked at first. Where there is none, a new
    random architecture begins at the lowest. Several may be asked for before any is told, as by several workers.

    Args:
        space: where to search.
        rng: all the randomness.
        max_epochs, eta, min_epochs: the rungs, as in `SuccessiveHalving`.
        resume: a rung goes on from the weights of the one before; otherwise it is paid from the start again.

    Of equal values, those that were told first count as better.
    """

    multi_fidelity = True

    def __init__(
        self,
        space: Space,
        rng: Generator,
        max_epochs: int,
        *,
        eta: int = 3,
        min_epochs: int = 1,
        resume: bool = True,
    ) -> None:
        _check_generator(rng)
        self.resume = bool(resume)
        self._epochs = [epochs for _, epochs in _rungs(1, eta, min_epochs, max_epochs)]
        self._eta = int(eta)
        self._draw = RandomSearch(space, rng)
        self._told: list[list[tuple[float, int, Arch]]] = [[] for _ in self._epochs]  # best first
        self._promoted: list[set[Arch]] = [set() for _ in self._epochs]
        self._out: set[tuple[Arch, int]] = set()
        self._count = 0

    def ask(self) -> tuple[Arch, int]:
        """The next architecture and the epochs to train it to.

        Raises:
            StopIteration: nobody can be promoted, and all architectures have been drawn.
        """
        asked = self._promotion() or (self._draw.ask(), self._epochs[0])
        self._out.add(asked)
        return asked

    def _promotion(self) -> tuple[Arch, int] | None:
        for rung in range(len(self._epochs) - 2, -1, -1):
            told, promoted = self._told[rung], self._promoted[rung]
            top = len(told) // self._eta
            if len(promoted) >= top and all(arch in promoted for _, _, arch in told[:top]):
                continue
            for _, _, arch in told[:top]:
                if arch not in promoted:
                    promoted.add(arch)
                    return arch, self._epochs[rung + 1]
        return None

    def tell(self, arch: Arch, epochs: int, value: float) -> None:
        """The value of one that was asked for, after that many epochs.

        Raises:
            ValueError: it was not asked for, or was told before; or a value that is not finite.
        """
        if (arch, epochs) not in self._out:
            asked = ", ".join(f"{one} for {length}" for one, length in self._out) or "nothing"
            raise ValueError(f"arch and epochs must be what was asked for ({asked}), got {arch}, {epochs}")
        if not math.isfinite(value):
            raise _not_finite(value, arch)
        self._out.remove((arch, epochs))
        # The negative value and the number of the telling: the best first, and of equal ones the first.
        insort(self._told[self._epochs.index(epochs)], (-value, self._count, arch))
        self._count += 1


class Trial(NamedTuple):
    """One training of a simulated run: what, how long in all, its value, and when it ended (seconds from the start)."""

    arch: Arch
    epochs: int
    value: float
    finished: float


def simulate_workers(
    searcher: FidelitySearcher,
    train_to: Callable[[Arch, int], tuple[float, float]],
    workers: int,
    seconds: float,
) -> list[Trial]:
    """What several workers get done in a time, each asking for the next training as soon as its last one ends.

    Args:
        searcher: may be asked again before it is told, as `ASHA` may.
        train_to: trains an architecture to a number of epochs, and returns its value and the seconds that it took.
        workers: at least 1; of those that end at the same moment, the one that began first is first.
        seconds: trainings that would end later are not finished, and not told.

    Returns:
        The finished trainings in the order in which they ended.
    """
    workers = _whole("workers", workers, 1)
    if not (is_number(seconds) and seconds > 0):
        raise ValueError(f"seconds must be a positive number, got {seconds!r}")
    running: list[tuple[float, int, Any]] = []  # by when they end
    done: list[Trial] = []
    begun, now, idle, exhausted = 0, 0.0, workers, False
    while True:
        while idle and not exhausted:
            try:
                arch, epochs = searcher.ask()
            except StopIteration:
                exhausted = True  # until something is told
                break
            answer = train_to(arch, epochs)
            if not isinstance(answer, tuple) or len(answer) != 2:
                raise TypeError(f"train_to must return a value and seconds, got {answer!r} for {arch}")
            value, cost = answer
            if not cost >= 0:
                raise ValueError(f"train_to must return seconds from 0 up, got {cost!r} for {arch}")
            heappush(running, (now + cost, begun, (arch, epochs, value)))
            begun, idle = begun + 1, idle - 1
        if not running or running[0][0] > seconds:
            return done
        now, _, (arch, epochs, value) = heappop(running)
        done.append(Trial(arch, epochs, float(value), now))
        searcher.tell(arch, epochs, float(value))
        idle, exhausted = idle + 1, False
