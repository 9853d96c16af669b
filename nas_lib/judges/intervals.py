"""Judging a bootstrap interval against the exact distribution of the resampled mean, and naming what it is
instead.

The differences are whole numbers of a unit, so that distribution is a convolution, known exactly. Whether an
interval is right is decided by proven bounds alone; only the name of the mistake is a guess, the closest of
the usual ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nas_lib.checks.exercise import Verdict, show
from nas_lib.judges.statistics import Lattice

LEVELS = (0.025, 0.975)
OTHER_LEVELS = (
    (0.05, 0.95),
    (0.035, 0.965),
    (0.015, 0.985),
    (0.005, 0.995),
    (0.1, 0.9),
    (0.25, 0.75),
    (0.16, 0.84),
    (0.01, 0.99),
)


class Guess(NamedTuple):
    """A usual mistake: its name, a sentence, and the interval that it gives (in units)."""

    concept: str
    message: str
    low: float
    high: float


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
        if abs(mean - self.mean) < 0.5 * self._error():
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
                "one resample has one mean, so that both ends are equal: `resamples` is not used",
            )
        if 2 < self.resamples < 10 and high - low <= self.near and self.d.std() > 0:
            return Verdict(
                0.0,
                "too-few-resamples",
                f"{self.resamples} resamples have different means, but both ends are equal: "
                "draw as many as `resamples` says",
            )
        right = Lattice.draws(self.d.tolist(), len(self.d))
        if self._allows(right, low, high):
            return None
        if high - low <= self.near:
            return Verdict(
                0.0,
                "no-resampling",
                f"both ends are {show(low)}: draw n pairs *with* replacement for each resample",
            )
        if high < self.mean - self.near or low > self.mean + self.near:
            return self._beside_the_mean(low, high)
        scale = len(self.d) / self.unit
        expected = [right.quantile(level) / scale for level in LEVELS]
        width = max(expected[1] - expected[0], self.near)
        closest = min(
            self._guesses(right), key=lambda guess: max(abs(guess.low - low), abs(guess.high - high))
        )
        if max(abs(closest.low - low), abs(closest.high - high)) < 0.08 * max(width, high - low):
            return Verdict(0.0, closest.concept, closest.message)
        return Verdict(
            0.0,
            "wrong-interval",
            f"the interval is ({show(low)}, {show(high)}), "
            f"about ({show(expected[0])}, {show(expected[1])}) was expected",
        )

    def _beside_the_mean(self, low: float, high: float) -> Verdict:
        shifted = low + self.mean, high + self.mean
        if self._allows(Lattice.draws(self.d.tolist(), len(self.d)), *shifted):
            return Verdict(
                0.0, "centred", "the interval is centred at zero: resample the differences themselves"
            )
        return Verdict(
            0.0,
            "wrong-level",
            f"the mean is not in ({show(low)}, {show(high)}): np.percentile counts to 100, np.quantile to 1",
        )

    def _allows(self, right: Lattice, low: float, high: float) -> bool:
        scale = self.unit / len(self.d)
        for end, level in zip((low, high), LEVELS):
            least, most = right.percentile_range(level, self.resamples, self.alpha)
            if not least * scale - self.near <= end <= most * scale + self.near:
                return False
        return True

    def _error(self) -> float:
        return float(self.d.std()) * self.unit / math.sqrt(len(self.d))

    def _guesses(self, right: Lattice) -> Iterator[Guess]:
        """The intervals that the usual mistakes give, with infinitely many resamples."""
        d, n, unit = self.d.tolist(), len(self.d), self.unit

        def ends(
            distribution: Lattice, size: int, levels: tuple[float, float] = LEVELS
        ) -> tuple[float, float]:
            return (
                distribution.quantile(levels[0]) / size * unit,
                distribution.quantile(levels[1]) / size * unit,
            )

        both = Lattice.draws(self.a.tolist(), n).minus(Lattice.draws(self.b.tolist(), n))
        yield Guess(
            "unpaired",
            "bootstrap resamples a and b independently, which throws the pairing away: "
            "the interval is too wide",
            *ends(both, n),
        )
        yield Guess(
            "no-mean",
            "these are percentiles of single differences: take the mean of each resample first",
            *ends(Lattice.draws(d, 1), 1),
        )
        for part, which in ((d[:-1], "last"), (d[1:], "first")):
            yield Guess(
                f"never-draws-the-{which}",
                f"the {which} pair is never drawn: rng.integers(n) gives 0 to n − 1",
                *ends(Lattice.draws(part, n), n),
            )
        for size in sorted({n - 1, n + 1, n // 2, 2 * n} - {0, n}):
            yield Guess(
                "wrong-size",
                f"each resample seems to have {size} pairs; it must have all n = {n}",
                *ends(Lattice.draws(d, size), size),
            )
        both_or_one = [
            pair for low, high in OTHER_LEVELS for pair in ((low, high), (low, LEVELS[1]), (LEVELS[0], high))
        ]
        for levels in both_or_one:
            yield Guess(
                "wrong-level",
                f"the ends are about the percentiles {100 * levels[0]:g} and {100 * levels[1]:g}: "
                "95 % lie between 2.5 and 97.5",
                *ends(right, n, levels),
            )
        low, high = ends(right, n)
        yield Guess(
            "centred",
            "the interval is centred at zero: resample the differences themselves",
            low - self.mean,
            high - self.mean,
        )
        yield Guess(
            "basic-interval",
            "this interval is mirrored at the mean (2·mean − percentile): "
            "the percentiles themselves are the ends",
            2 * self.mean - high,
            2 * self.mean - low,
        )
        yield from self._formulas()
        yield self._medians()

    def _formulas(self) -> Iterator[Guess]:
        """mean ± a multiple of the standard error."""
        from scipy import stats  # slow to import, and only wrong intervals need it

        n = len(self.d)
        for multiple in (1.96, float(stats.t.ppf(0.975, n - 1))):
            for error in (self._error(), self._error() * math.sqrt(n / (n - 1))):
                yield Guess(
                    "normal-approximation",
                    "this interval is the mean ± a multiple of the standard error, a normal approximation: "
                    "take percentiles of the resampled means",
                    self.mean - multiple * error,
                    self.mean + multiple * error,
                )

    def _medians(self) -> Guess:
        rng = np.random.default_rng(0)  # for a message only: nothing is decided here
        n = len(self.d)
        medians = np.median(self.d[rng.integers(n, size=(40_000, n))], axis=1) * self.unit
        low, high = np.quantile(medians, LEVELS)
        return Guess("median", "the medians of the resamples were taken: take their means", low, high)
