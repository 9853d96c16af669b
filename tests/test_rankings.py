"""Differences of rank correlations and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nas_lib.rankings import mean_interval, print_verdicts, tau_differences


def tau(a, b):
    return stats.kendalltau(a, b).statistic


def test_a_better_order_is_ahead_and_one_as_good_is_not_decided(capsys):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=80)
    noisy = [[truth + scale * rng.normal(size=80) for _ in range(2)] for scale in (0.2, 2.0, 0.2)]
    orders = dict(zip(("good", "poor", "alike"), noisy, strict=True))
    found = tau_differences(orders, truth, "good", tau)
    assert list(found) == ["good − poor", "good − alike"]
    exact = np.mean([tau(one, truth) for one in orders["good"]]) - np.mean(
        [tau(one, truth) for one in orders["poor"]]
    )
    mean, (low, high) = found["good − poor"]
    assert 0 < low < mean < high and abs(mean - exact) < 0.05
    low, high = found["good − alike"][1]
    assert low < 0 < high
    print_verdicts(found | {"poor − good": (-mean, (-1.0, -0.1))})
    verdicts = [line.rpartition(": ")[2] for line in capsys.readouterr().out.splitlines()]
    assert verdicts == ["first ahead", "not decided", "second ahead"]


def test_equal_orders_differ_by_nothing():
    scores = np.random.default_rng(1).normal(size=30)
    assert tau_differences({"a": [scores], "b": [scores]}, scores**3, "a", tau) == {
        "a − b": (0.0, (0.0, 0.0))
    }


def test_an_unknown_order_is_named():
    with pytest.raises(ValueError, match="first must be one of a, got 'b'"):
        tau_differences({"a": [[1, 2]]}, [1, 2], "b", tau)


def test_an_interval_of_a_mean_is_student_s():
    mean, (low, high) = mean_interval([1.0, 2.0, 4.0])
    assert mean == pytest.approx(7 / 3)
    half = 4.302653 * np.std([1, 2, 4], ddof=1) / 3**0.5  # the quantile of 2 degrees of freedom, from a table
    assert (mean - low, high - mean) == pytest.approx((half, half), rel=1e-6)
    narrow = mean_interval([1.0, 2.0, 4.0], confidence=0.5)[1]
    assert low < narrow[0] < narrow[1] < high
    assert mean_interval([3, 3, 3]) == (3.0, (3.0, 3.0))


def test_such_an_interval_holds_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    intervals = [mean_interval(rng.normal(5, 2, 3))[1] for _ in range(2_000)]
    held = sum(low <= 5 <= high for low, high in intervals)
    assert 0.93 * 2_000 < held < 0.97 * 2_000


@pytest.mark.parametrize("values", [[], [1.0], [1.0, np.nan], [[1.0, 2.0], [3.0, 4.0]]])
def test_too_few_numbers_have_no_interval(values):
    with pytest.raises(ValueError, match="values must be at least 2 finite numbers"):
        mean_interval(values)
    with pytest.raises(ValueError, match="confidence must be between 0 and 1, got 95"):
        mean_interval([1.0, 2.0], confidence=95)
