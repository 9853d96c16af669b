"""The yardstick tells what is within a limit from what is not, by processor time and not by the clock."""

from __future__ import annotations

import time

from yardstick import _unit, takes_at_most


def test_what_takes_four_units_is_between_two_and_eight():
    def four() -> None:
        for _ in range(4):
            _unit()

    assert takes_at_most(0.4, four)
    assert not takes_at_most(0.1, four)


def test_waiting_costs_nothing():
    assert takes_at_most(0.05, lambda: time.sleep(0.2))
