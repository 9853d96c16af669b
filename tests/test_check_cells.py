"""Checks in a real kernel: what a notebook shows when cells break off, loops never end, or somebody interrupts."""

from __future__ import annotations

import nbformat
import pytest

from nas_lib.checks.cells import judges_older

nbclient = pytest.importorskip("nbclient")

CELLS = {
    "import": "from nas_lib.checks import check, notebook\nnotebook.SECONDS = 0.3",
    "endless": "def cell_index(arch):\n    while True: pass",
    "endless-check": "check('cell_index', cell_index)",
    "older": "def cell_index(arch):\n    return 3",
    "older-check": "check('cell_index', cell_index)",
    "syntax": "def cell_index(arch):\n    return 4 +",
    "syntax-check": "check('cell_index', cell_index)",
    "name": "@no_such_name\ndef cell_index(arch):\n    return 4",
    "name-check": "check('cell_index', cell_index)",
    "magic": "%%time\n%matplotlib inline\ndef cell_index(arch):\n    return 5",
    "magic-check": "check('cell_index', cell_index)",
    "later": "def cell_index(arch):\n    return 6\n\nno_such_name",
    "later-check": "check('cell_index', cell_index)",
    "letter": "concept_00_1 = 'a'",
    "letter-broken": "concept_00_1 = 'b",
    "letter-check": "check('concept_00_1', concept_00_1)",
    "interrupt": "import os, signal, time\n"
    "def cell_index(arch):\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(5)",
    "interrupt-check": "check('cell_index', cell_index)",
}


@pytest.fixture(scope="module")
def shown() -> dict[str, str]:
    """What each of the cells shows."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in CELLS.values()])
    nbclient.NotebookClient(notebook, timeout=120, allow_errors=True, kernel_name="python3").execute()
    return {
        name: "\n".join(one.get("text") or "\n".join(one.get("traceback", [])) for one in cell.outputs)
        for name, cell in zip(CELLS, notebook.cells)
    }


def test_a_loop_that_never_ends_is_one_sentence(shown):
    assert shown["endless-check"] == (
        "✗ cell_index: your code took more than 0.3 s: does a loop never end? (No further case was tried.)\n"
    )


@pytest.mark.parametrize("broken", ["syntax", "name"])
def test_a_cell_that_broke_off_leaves_the_older_definition_which_is_said(shown, broken):
    assert "Error" in shown[broken]
    assert "! cell_index: the cell with your newest version broke off" in shown[f"{broken}-check"]
    assert "is 3, should be" in shown[f"{broken}-check"]


@pytest.mark.parametrize(("cell", "value"), [("older", 3), ("magic", 5), ("later", 6)])
def test_nothing_is_said_of_the_newest_definition(shown, cell, value):
    """Also where magics stand around it, or where the cell broke off below it."""
    assert f"is {value}, should be" in shown[f"{cell}-check"]
    assert "broke off" not in shown[f"{cell}-check"]


def test_an_older_answer_to_a_question_is_said_to_be_one(shown):
    assert "! concept_00_1: the cell with your newest version broke off" in shown["letter-check"]


def test_an_interrupt_shows_one_sentence(shown):
    assert shown["interrupt-check"] == "cell_index: the check was interrupted before it knew."


def test_outside_of_a_notebook_nothing_is_claimed():
    assert not judges_older("cell_index", lambda arch: 3)
