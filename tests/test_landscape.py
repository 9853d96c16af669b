"""The landscape of a space, held against a climb that goes step by step."""

from __future__ import annotations

import numpy as np
import pytest

from nas_lib.landscape import climb_ends, local_optima
from nas_lib.spaces import CellSpace, ProductSpace

SPACE = CellSpace(ops=("none", "skip_connect", "nor_conv_1x1"))  # 729 cells
VALUES = np.random.default_rng(3).integers(0, 40, len(SPACE)).astype(float)  # with ties


def climb(start: int) -> int:
    at = start
    while True:
        near = [SPACE.index(one) for one in SPACE.neighbors(SPACE.from_index(at))]
        best = max(near, key=lambda one: VALUES[one])
        if VALUES[best] <= VALUES[at]:
            return at
        at = best


def test_climbs_end_where_single_steps_end():
    np.testing.assert_array_equal(climb_ends(SPACE, VALUES), [climb(i) for i in range(len(SPACE))])


def test_local_optima_are_the_cells_on_which_no_climb_leaves():
    stays = np.array([climb(i) == i for i in range(len(SPACE))])
    np.testing.assert_array_equal(local_optima(SPACE, VALUES), stays)
    assert 0 < stays.sum() < len(SPACE) / 4


def test_values_of_another_space_are_refused():
    with pytest.raises(ValueError, match=r"values must have the shape \(729,\), got \(5,\)"):
        local_optima(SPACE, np.zeros(5))


def test_architectures_may_have_different_numbers_of_neighbours():
    space = ProductSpace(
        {"op": ("conv", "skip"), "kernel": (3, 5, 7)}, when={"kernel": lambda op: op == "conv"}
    )
    values = np.array(
        [1.0, 3.0, 2.0, 5.0]
    )  # three convolutions, and the skip that each of them has beside it
    assert local_optima(space, values).tolist() == [False, False, False, True]
    assert climb_ends(space, values).tolist() == [3, 3, 3, 3]
    alone = ProductSpace({"op": ("conv",)})
    assert local_optima(alone, [1.0]).tolist() == [True]


def test_a_value_that_is_no_number_is_named():
    with pytest.raises(ValueError, match="values must be numbers, got NaN for"):
        local_optima(SPACE, np.where(np.arange(len(SPACE)) == 3, np.nan, VALUES))
