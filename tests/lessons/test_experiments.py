"""Cells of experiments can be taken in at once: about fifteen lines, the rest is the library's."""

from __future__ import annotations

import pytest

import solutions

MOST = 18


@pytest.mark.parametrize("lesson", solutions.lessons())
def test_no_cell_of_an_experiment_is_long(lesson):
    cells = [cell.source for cell in solutions.read(lesson).cells if solutions.tag_of(cell) == "experiment"]
    lines = [[line for line in source.splitlines() if line.strip()] for source in cells]
    assert len(lines) > 5
    assert [f"{cell[0]}: {len(cell)} lines" for cell in lines if len(cell) > MOST] == []
