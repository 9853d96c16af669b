"""Is one better than the other, or is it not decided? Intervals for means and differences of rank correlations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

Interval = tuple[float, tuple[float, float]]
"""A mean and its interval (low, high)."""


def tau_differences(
    orders: Mapping[str, Sequence[ArrayLike]],
    truth: ArrayLike,
    first: str,
    rank: Callable[[ArrayLike, ArrayLike], float],
    resamples: int = 300,
) -> dict[str, Interval]:
    """How far one order's rank correlation with the truth lies above that of each other, with 95 % intervals.

    Architectures are resampled with replacement, and all orders are judged on the same draw: the interval says what
    other architectures might have given.

    Args:
        orders: name → scores of one or more runs, each (n,); a name's correlations are averaged over its runs.
        truth: (n,).
        first: the order that the others are held against.
        rank: correlation of two arrays, such as Kendall's tau.
        resamples: bootstrap draws.

    Returns:
        "first − other" → (mean, (low, high)).
    """
    if first not in orders:
        raise ValueError(f"first must be one of {', '.join(orders)}, got {first!r}")
    values = np.asarray(truth)
    draws = np.random.default_rng(0).integers(len(values), size=(resamples, len(values)))
    taus = {
        name: np.array([np.mean([rank(np.asarray(one)[i], values[i]) for one in runs]) for i in draws])
        for name, runs in orders.items()
    }
    gaps = {name: taus[first] - tau for name, tau in taus.items() if name != first}
    return {
        f"{first} − {name}": (float(gap.mean()), (float(low), float(high)))
        for name, gap in gaps.items()
        for low, high in [np.percentile(gap, (2.5, 97.5))]
    }


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Mean of a few independent numbers, such as paired differences by seed, and its interval by Student's t.

    Args:
        values: (n,), n ≥ 2.
        confidence: chance that such an interval holds the true mean, where the numbers are normally distributed.

    Raises:
        ValueError: fewer than two numbers, one that is not finite, or a confidence that is not between 0 and 1.
    """
    numbers = np.asarray(values, dtype=float)
    if numbers.ndim != 1 or len(numbers) < 2 or not np.isfinite(numbers).all():
        raise ValueError(f"values must be at least 2 finite numbers in one row, got {values!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence!r}")
    from scipy import stats  # takes longer than the rest of this module

    mean, n = float(numbers.mean()), len(numbers)
    half = stats.t.ppf((1 + confidence) / 2, n - 1) * numbers.std(ddof=1) / n**0.5
    return mean, (mean - float(half), mean + float(half))


def print_verdicts(differences: Mapping[str, Interval]) -> None:
    """One line for each difference: does its interval leave out zero?"""
    for name, (mean, (low, high)) in differences.items():
        verdict = "first ahead" if low > 0 else "second ahead" if high < 0 else "not decided"
        print(f"{name:28} {mean:+.2f} ({low:+.2f} … {high:+.2f}): {verdict}")
