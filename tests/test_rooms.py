"""The autograder as a building: rooms by stage, each leaning on those below it alone, and not too many floors."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (ROOT / "autograder").rglob("*.py")
}
# From the ground upwards: a module may import from its own room and from those named before it.
ROOMS = ("author", "sandbox", "intake", "judge", "reports", "nbgrader", "grade")
# Who tries all of that out, and the commands.
ABOVE = ("gate", "samples", "corpus", "cli")
FLOORS = 10


def imported(module: str) -> set[str]:
    """The autograder's modules that a module imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner & MODULES.keys() or {str(node.module)}
    return found & MODULES.keys() - {module}


GRAPH = {module: imported(module) for module in MODULES}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_imports_are_read_inside_functions_too():
    assert "autograder.grade.command" in GRAPH["autograder.cli"]
    assert "autograder.sandbox.cells" in GRAPH["autograder.judge.matching"]


def test_no_circle_and_few_floors():
    floors: dict[str, int] = {}
    for module in TopologicalSorter(GRAPH).static_order():  # raises CycleError, with the circle
        floors[module] = 1 + max((floors[below] for below in GRAPH[module]), default=0)
    assert floors.keys() == MODULES.keys()
    assert max(floors.values()) <= FLOORS, [name for name, floor in floors.items() if floor > FLOORS]


def test_every_room_is_known():
    assert {room(module) for module in MODULES} == {"", *ROOMS, *ABOVE}


@pytest.mark.parametrize("place", range(len(ROOMS)), ids=ROOMS)
def test_a_room_leans_on_those_below_it(place: int):
    below = set(ROOMS[: place + 1])
    for module in MODULES:
        if room(module) == ROOMS[place]:
            assert {room(one) for one in GRAPH[module]} <= below, module


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_says_what_it_is_for_and_at_most_names_its_own_entry(name: str):
    module = ast.parse(MODULES[f"autograder.{name}"].read_text(encoding="utf-8"))
    assert ast.get_docstring(module)
    for statement in module.body[1:]:
        if isinstance(statement, ast.ImportFrom):
            assert str(statement.module).startswith(f"autograder.{name}.")
        else:
            assert ast.unparse(statement).startswith("__all__ = ")
