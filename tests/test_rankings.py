"""Differences of rank correlations and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nas_lib.rankings import print_verdicts, tau_differences


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
