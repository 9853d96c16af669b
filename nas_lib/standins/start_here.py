"""What stands in for the exercises of lesson 00: numbers of cells and live operations."""

from __future__ import annotations

from collections.abc import Sequence

from nas_lib.spaces import Cell, CellSpace, live_edges
from nas_lib.standins import stands_in


@stands_in(
    "cell_index",
    hides=(
        "nas_lib.spaces:CellSpace.index",
        "nas_lib.spaces:CellSpace.__iter__",
        "nas_lib.spaces.cells:_all_cells",
        "nas_lib.checks.spaces:ChoiceSpace.index",
    ),
)
def cell_index(arch: Sequence[str]) -> int:
    return CellSpace().index(arch)


@stands_in(
    "cell_from_index",
    hides=(
        "nas_lib.spaces:CellSpace.from_index",
        "nas_lib.spaces:CellSpace.__iter__",
        "nas_lib.spaces.cells:_all_cells",
        "nas_lib.checks.spaces:ChoiceSpace.from_index",
    ),
)
def cell_from_index(i: int) -> Cell:
    return CellSpace().from_index(i)


@stands_in(
    "count_active_ops",
    hides=("nas_lib.spaces:live_edges",),
)
def count_active_ops(arch: Sequence[str]) -> int:
    return sum(live_edges(arch))
