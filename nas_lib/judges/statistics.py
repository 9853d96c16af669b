"""Bounds that random answers keep except with a probability that is proven, and exact bootstrap
distributions.

All bounds are Chernoff's (P(count ≥ k) ≤ exp(−n·KL(k/n ‖ p)) for a count with mean n·p), which also hold for
draws without replacement (Hoeffding 1963, theorem 4). They are a little wider than exact binomial ones and
need no library. No check computes a false-fail rate by simulation.
"""

from __future__ import annotations

import functools
import math
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def divergence(q: float, p: float) -> float:
    """KL divergence in nats between two coins, from q to p; q, p in [0, 1]."""
    total = 0.0
    for one, other in ((q, p), (1 - q, 1 - p)):
        if one > 0:
            if other <= 0:
                return math.inf
            total += one * math.log(one / other)
    return max(total, 0.0)


# A class is judged on the same instances: bounds are asked for again and again.
@functools.lru_cache(maxsize=1 << 14)
def count_range(n: int, p: float, alpha: float) -> tuple[int, int]:
    """(low, high): a count of successes in n draws with chance p each leaves low … high with probability ≤
    alpha.

    The draws may be independent or without replacement.
    """
    need = math.log(2 / alpha)  # alpha / 2 for each side

    def plausible(count: int) -> bool:
        return n * divergence(count / n, p) < need

    # Plausible counts lie around the mean, without gaps.
    centre = round(n * p)
    low = bisect_left(range(centre), True, key=plausible)
    high = bisect_left(range(centre + 1, n + 1), True, key=lambda count: not plausible(count)) + centre
    return low, high


def mean_range(
    values: NDArray[np.float64], chances: NDArray[np.float64], n: int, alpha: float
) -> tuple[float, float]:
    """(low, high): the mean of n independent draws from a known distribution leaves it with probability ≤ alpha.

    Cramér and Chernoff: P(mean ≥ x) ≤ exp(n·(log E[exp(λV)] − λx)) for every λ > 0, so that each λ tried gives a
    valid bound and the tightest is taken.

    Args:
        values, chances: the distribution, (k,) each; chances need not add up to exactly 1.
    """
    p, need = chances / chances.sum(), math.log(2 / alpha) / n
    mean = float(p @ values)
    centred = values - mean
    widest = float(np.abs(centred).max())
    if widest == 0:
        return mean, mean
    scales = np.geomspace(1e-3, 50.0, 200) / widest

    def bound(deviations: NDArray[np.float64]) -> float:
        shift = deviations.max()  # keeps exp in range
        logs = [math.log(p @ np.exp(scale * (deviations - shift))) + scale * shift for scale in scales]
        return float(np.min((np.array(logs) + need) / scales))

    return mean - bound(-centred), mean + bound(centred)


@functools.lru_cache(maxsize=1 << 12)
def _level(count: float, n: int, alpha: float, above: bool) -> float:
    """The chance p, above or below count/n, at which n draws give `count` with probability ≤ alpha only."""
    share, need = count / n, math.log(1 / alpha)
    inside, outside = share, 1.0 if above else 0.0
    if n * divergence(share, outside) < need:
        return outside
    for _ in range(60):
        middle = (inside + outside) / 2
        if n * divergence(share, middle) < need:
            inside = middle
        else:
            outside = middle
    return outside


class Lattice:
    """A distribution on integers (in units of one step of a lattice), held exactly: probabilities of start,
    start + 1, …"""

    def __init__(self, start: int, chances: NDArray[np.float64]) -> None:
        self.start = start
        self.chances = chances
        self._cumulative = np.cumsum(chances)

    @classmethod
    def draws(cls, values: Sequence[int], size: int) -> Lattice:
        """The sum of `size` draws with replacement from integer `values`."""
        low, high = min(values), max(values)
        one = np.bincount(np.asarray(values) - low, minlength=high - low + 1) / len(values)
        return cls(low * size, _power(one, size))

    def minus(self, other: Lattice) -> Lattice:
        """The difference of two independent ones."""
        chances = _convolve(self.chances, other.chances[::-1])
        return Lattice(self.start - (other.start + len(other.chances) - 1), chances)

    def chance_below(self, value: float) -> float:
        """P(X ≤ value)."""
        at = math.floor(value) - self.start
        return 0.0 if at < 0 else float(self._cumulative[min(at, len(self._cumulative) - 1)])

    def quantile(self, level: float) -> int:
        """The least integer x with P(X ≤ x) ≥ level."""
        at = int(np.searchsorted(self._cumulative, level - 1e-12))
        return self.start + min(at, len(self._cumulative) - 1)

    def percentile_range(self, level: float, n: int, alpha: float) -> tuple[int, int]:
        """Where the `level` quantile of n draws lies, except with probability ≤ alpha on either side.

        Any usual definition of a sample quantile is covered: all take order statistics beside n·level, or a
        value between two of them.
        """
        first = max(1, math.floor(n * level) - 1)
        last = min(n, math.floor(n * level) + 2)
        # x_(first) < x needs at least `first` draws below x; x_(last) > x needs at most last − 1 draws up to
        # x.
        too_low = _level(first, n, alpha, above=False)
        too_high = _level(last - 1, n, alpha, above=True)
        low = self.start + int(np.searchsorted(self._cumulative, too_low, side="right"))
        high = self.quantile(too_high)
        support = np.flatnonzero(self.chances > 1e-15) + self.start
        return max(low, int(support[0])), min(max(high, low), int(support[-1]))


def _convolve(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    if min(len(a), len(b)) < 64:
        return np.convolve(a, b)
    size = len(a) + len(b) - 1
    product = np.fft.irfft(np.fft.rfft(a, size) * np.fft.rfft(b, size), size)
    return np.maximum(product, 0.0)  # rounding leaves −1e-17 here and there


def _power(one: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    result = np.ones(1)
    while size:
        if size & 1:
            result = _convolve(result, one)
        size >>= 1
        if size:
            one = _convolve(one, one)
    return result
