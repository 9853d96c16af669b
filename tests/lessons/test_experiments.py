"""Cells of experiments can be taken in at once: about fifteen lines, the rest is the library's."""

from __future__ import annotations

import pytest

import solutions

MOST = 18
LONGER = {
    "06_hardware_aware": 8,
    "07_compound_scaling": 7,
}
"""Cells that are still longer, by lesson. These numbers only fall."""


def _long(lesson: str) -> list[str]:
    cells = [cell.source for cell in solutions.read(lesson).cells if solutions.tag_of(cell) == "experiment"]
    lines = [[line for line in source.splitlines() if line.strip()] for source in cells]
    return [cell[0] for cell in lines if len(cell) > MOST]


@pytest.mark.parametrize("lesson", solutions.lessons())
def test_no_more_cells_of_experiments_are_long_than_is_known(lesson):
    assert len(_long(lesson)) == LONGER.get(lesson, 0), _long(lesson)
