"""Judging a bootstrap interval against the exact distribution of the resampled mean, and naming what it is
instead.

The differences are whole numbers of a unit, so that distribution is a convolution, known exactly. Whether an
interval is right is decided by proven bounds alone; only the name of the mistake is a guess, the closest of
the usual ones that can give all of what came back.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas_lib.checks.exercise import Verdict, show
from nas_lib.judges.statistics import Lattice

LEVELS = (0.025, 0.975)
NAMED = 1e-4  # how likely a mistake is not told by its name, for either side of either end
OTHER_LEVELS = (
    (0.05, 0.95),
    (0.02, 0.98),
    (0.03, 0.97),
    (0.04, 0.96),
    (0.035, 0.965),
    (0.015, 0.985),
    (0.005, 0.995),
    (0.1, 0.9),
    (0.25, 0.75),
    (0.16, 0.84),
    (0.01, 0.99),
)


Allows = Callable[[float, float], bool]
Guess = tuple[str, str, float, float, Allows]
"""A usual mistake: its concept, a sentence, the interval that it gives on average, and whether it may give another."""


@dataclass(frozen=True)
class PairedSample:
    """The runs of two methods in whole units, as an instance holds them.

    Args:
        a, b: (n,) integers.
        unit: what one of them is worth; results are in units times this.
        resamples: how many resamples the learner's code draws.
        alpha: chance of failing right code, for either side of either end.
    """

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    unit: float
    resamples: int
    alpha: float

    @property
    def d(self) -> NDArray[np.int64]:
        """The differences."""
        return self.a - self.b

    @property
    def mean(self) -> float:
        """The mean difference."""
        return float(self.d.mean()) * self.unit

    @property
    def near(self) -> float:
        """What float32 may lose: about seven digits of the numbers that are subtracted."""
        return 1e-6 * float(max(np.abs(self.a).max(), np.abs(self.b).max())) * self.unit

    def same(self, one: tuple[float, ...], other: tuple[float, ...]) -> bool:
        """Equal results, up to the order in which a vectorised sum adds?"""
        return all(abs(a - b) <= self.near for a, b in zip(one, other))

    def judge_mean(self, mean: float) -> Verdict | None:
        """What is wrong with the mean; None if nothing is."""
        if abs(mean - self.mean) <= self.near:
            return None
        found, right = show(mean), show(self.mean)
        if abs(mean + self.mean) <= self.near:
            return Verdict(0.0, "swapped", f"the mean is of b − a, not of a − b: {found} instead of {right}")
        if abs(mean - float(np.median(self.d)) * self.unit) <= self.near:
            return Verdict(0.0, "median", f"{found} is the median of the differences; the mean is {right}")
        if any(mean == round(mean, k) and abs(mean - self.mean) <= 0.5001 * 10.0**-k for k in range(6)):
            return Verdict(
                0.0, "rounded", f"the mean of a − b is {right}; {found} is rounded: keep all digits"
            )
        if abs(mean - self.mean) < 6 * self._error() / math.sqrt(self.resamples):
            return Verdict(
                0.0,
                "mean-of-resamples",
                f"the mean of a − b is {right} exactly; {found} looks like the mean of the resamples",
            )
        return Verdict(0.0, "wrong-mean", f"the mean of a − b is {right}, not {found}")

    def judge_interval(self, low: float, high: float) -> Verdict | None:
        """What is wrong with the interval; None if it is one that right code may give."""
        if low > high + self.near:
            return Verdict(
                0.0, "reversed-interval", f"the interval is upside down: ({show(low)}, {show(high)})"
            )
        if self.resamples == 1 and high - low > self.near:
            return Verdict(
                0.0,
                "ignores-resamples",
                "with resamples=1 there is one mean, which both ends are: "
                f"here they are {show(low)} and {show(high)}",
            )
        if 2 < self.resamples < 10 and high - low <= self.near and self.d.std() > 0:
            return Verdict(
                0.0,
                "too-few-resamples",
                f"{self.resamples} resamples have different means, but both ends are equal: "
                "draw as many as `resamples` says",
            )
        if self.is_right(low, high):
            return None
        if high - low <= self.near:
            return Verdict(
                0.0,
                "no-resampling",
                f"both ends are {show(low)}: draw n pairs *with* replacement for each resample",
            )
        expected = [self._right.quantile(level) * self.unit / len(self.d) for level in LEVELS]
        return Verdict(
            0.0,
            "wrong-interval",
            f"the interval is ({show(low)}, {show(high)}), "
            f"about ({show(expected[0])}, {show(expected[1])}) was expected",
        )

    def is_right(self, low: float, high: float) -> bool:
        """Is it an interval that right code may give?"""
        return self._may_be(self._right, len(self.d))(low, high)

    def explanations(self, low: float, high: float) -> dict[tuple[str, str], float]:
        """The usual mistakes that may give this interval, as (concept, sentence), and how far off theirs is."""
        return {
            (concept, message): max(abs(low - least), abs(high - most))
            for concept, message, least, most, allows in self._guesses()
            if allows(low, high)
        }

    @functools.cached_property
    def _right(self) -> Lattice:
        return _resampled(tuple(self.d.tolist()))

    def _may_be(
        self, distribution: Lattice, size: float, levels: tuple[float, float] = LEVELS, resamples: int = 0
    ) -> Allows:
        """Whether an interval can be that of so many draws from a distribution of `size` times the mean, in units."""
        scale, count = self.unit / size, resamples or self.resamples
        alpha = self.alpha if distribution is self._right and levels == LEVELS else NAMED
        ranges = [distribution.percentile_range(level, count, alpha) for level in levels]

        def allows(low: float, high: float) -> bool:
            if count == 1 and high - low > self.near:  # all percentiles of one number are that number
                return False
            return all(
                least * scale - self.near <= end <= most * scale + self.near
                for end, (least, most) in zip((low, high), ranges)
            )

        return allows

    def _error(self) -> float:
        return float(self.d.std()) * self.unit / math.sqrt(len(self.d))

    def _guesses(self) -> Iterator[Guess]:
        """What the usual mistakes give."""
        d, n = self.d.tolist(), len(self.d)

        def drawn(
            concept: str,
            message: str,
            distribution: Lattice,
            size: int = n,
            levels: tuple[float, float] = LEVELS,
        ) -> Guess:
            ends = [distribution.quantile(level) / size * self.unit for level in levels]
            return concept, message, *ends, self._may_be(distribution, size, levels)  # type: ignore[return-value]

        yield drawn(
            "unpaired",
            "bootstrap resamples a and b independently, which throws the pairing away: the interval is too wide",
            Lattice.draws(self.a.tolist(), n).minus(Lattice.draws(self.b.tolist(), n)),
        )
        yield drawn(
            "no-mean",
            "these are percentiles of single differences: take the mean of each resample first",
            Lattice.draws(d, 1),
            1,
        )
        for part, which in ((d[:-1], "last"), (d[1:], "first")):
            yield drawn(
                f"never-draws-the-{which}",
                f"the {which} pair is never drawn: rng.integers(n) gives 0 to n − 1",
                Lattice.draws(part, n),
            )
        sizes = (
            (n - 1, "one less than there are"),
            (n + 1, "one more than there are"),
            (max(1, n // 2), "half of them"),
            (2 * n, "twice as many"),
        )
        for size, how in sizes:
            yield drawn(
                "wrong-size",
                f"each resample seems to hold another number of pairs than n, {how}: draw n pairs",
                Lattice.draws(d, size),
                size,
            )
        for levels in OTHER_LEVELS:
            for pair in (levels, (levels[0], LEVELS[1]), (LEVELS[0], levels[1])):
                yield drawn(
                    "wrong-level",
                    f"the ends are about the percentiles {100 * pair[0]:g} and {100 * pair[1]:g}: "
                    "95 % lie between 2.5 and 97.5",
                    self._right,
                    levels=pair,
                )
        yield drawn(
            "wrong-level",
            "these are the percentiles 0.025 and 0.975: np.percentile counts to 100, np.quantile to 1",
            self._right,
            levels=(LEVELS[0] / 100, LEVELS[1] / 100),
        )
        yield from self._moved()
        yield from self._formulas()
        yield self._medians()

    def _moved(self) -> Iterator[Guess]:
        """The right ends, shifted or mirrored."""
        low, high = (self._right.quantile(level) * self.unit / len(self.d) for level in LEVELS)
        mean = self.mean
        yield (
            "centred",
            "the interval is centred at zero: resample the differences themselves",
            low - mean,
            high - mean,
            lambda one, other: self.is_right(one + mean, other + mean),
        )
        yield (
            "basic-interval",
            "this interval is mirrored at the mean (2·mean − percentile): the percentiles themselves are the ends",
            2 * mean - high,
            2 * mean - low,
            lambda one, other: self.is_right(2 * mean - other, 2 * mean - one),
        )

    def _formulas(self) -> Iterator[Guess]:
        """mean ± a multiple of the standard error, from a formula or from the resamples."""
        from scipy import stats  # slow to import, and only wrong intervals need it

        n = len(self.d)
        for multiple in (1.96, float(stats.t.ppf(0.975, n - 1))):
            for error in (self._error(), self._error() * math.sqrt(n / (n - 1))):
                low, high = self.mean - multiple * error, self.mean + multiple * error
                spread = 2 * self.near + multiple * error * (8 / math.sqrt(2 * self.resamples) + 1e-3)

                def allows(one: float, other: float, low: float = low, spread: float = spread) -> bool:
                    middle = abs((one + other) / 2 - self.mean) <= 2 * self.near
                    return middle and abs(one - low) <= spread

                yield (
                    "normal-approximation",
                    "this interval is the mean ± a multiple of the standard error, a normal approximation: "
                    "take percentiles of the resampled means",
                    low,
                    high,
                    allows,
                )

    def _medians(self) -> Guess:
        rng = np.random.default_rng(0)  # for a message only: nothing is decided here
        n, count = len(self.d), 40_000
        medians = np.median(self.d[rng.integers(n, size=(count, n))], axis=1)
        twice = Lattice.draws(np.round(2 * medians).astype(int).tolist(), 1)
        low, high = (float(end) * self.unit for end in np.quantile(medians, LEVELS))
        allows = self._may_be(twice, 2, resamples=min(self.resamples, count // 4))
        return "median", "the medians of the resamples were taken: take their means", low, high, allows


@functools.lru_cache(maxsize=64)
def _resampled(differences: tuple[int, ...]) -> Lattice:
    """The sum of a resample, exactly; the same for everybody in a class."""
    return Lattice.draws(differences, len(differences))
