"""Cells of experiments can be taken in at once: about fifteen lines, the rest is the library's."""

from __future__ import annotations

import ast

import pytest

import solutions

MOST = 18


@pytest.mark.parametrize("lesson", solutions.lessons())
def test_no_cell_of_an_experiment_is_long(lesson):
    cells = [cell.source for cell in solutions.read(lesson).cells if solutions.tag_of(cell) == "experiment"]
    lines = [[line for line in source.splitlines() if line.strip()] for source in cells]
    assert len(lines) > 5
    assert [f"{cell[0]}: {len(cell)} lines" for cell in lines if len(cell) > MOST] == []


SILENT = {"explore", "print", "print_verdicts", "plotting.legend", "plotting.guess", "plotting.half_points"}


@pytest.mark.parametrize("lesson", solutions.lessons())
def test_no_cell_ends_in_a_value_that_would_show_as_text(lesson):
    shown = []
    for cell in solutions.read(lesson).cells:
        last = ast.parse(cell.source).body[-1] if solutions.tag_of(cell) == "experiment" else None
        if isinstance(last, ast.Expr) and not cell.source.rstrip().endswith(";"):
            call = ast.unparse(last.value.func) if isinstance(last.value, ast.Call) else "no call"
            shown += [] if call in SILENT or call.endswith(".beside") else [ast.unparse(last)]
    assert shown == []
