"""What a space looks like to a search that goes uphill, from a complete table of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nas_lib.spaces import Space


def local_optima(space: Space, values: ArrayLike) -> NDArray[np.bool_]:
    """Shape (n,): which architectures have no better neighbour.

    Args:
        space: of n architectures.
        values: (n,), in the space's index order.
    """
    heights = _heights(space, values)
    return heights >= heights[_neighbours(space)].max(axis=1)


def climb_ends(space: Space, values: ArrayLike) -> NDArray[np.int64]:
    """Shape (n,): the index where the steepest climb from each architecture ends.

    A climb goes to the best neighbour (the first of several) as long as that one is better.
    """
    heights, around = _heights(space, values), _neighbours(space)
    rows = np.arange(len(heights))
    uphill = around[rows, heights[around].argmax(axis=1)]
    ends = np.where(heights[uphill] > heights, uphill, rows)
    while (ends[ends] != ends).any():  # twice as far with each round
        ends = ends[ends]
    return ends


def _heights(space: Space, values: ArrayLike) -> NDArray[np.float64]:
    heights = np.asarray(values, dtype=float)
    if heights.shape != (len(space),):
        raise ValueError(f"values must have the shape ({len(space)},), got {heights.shape}")
    if np.isnan(heights).any():
        raise ValueError(
            f"values must be numbers, got NaN for {space.from_index(int(np.isnan(heights).argmax()))}"
        )
    return heights


def _neighbours(space: Space) -> NDArray[np.int64]:
    """Shape (n, most neighbours): the indices of each architecture's neighbours; its own where it has fewer."""
    archs: Sequence[Any] = [space.from_index(i) for i in range(len(space))]
    found = [[space.index(near) for near in space.neighbors(arch)] for arch in archs]
    most = max(1, *map(len, found))
    return np.array([near + [i] * (most - len(near)) for i, near in enumerate(found)])
