"""Lessons executed from top to bottom in a kernel of their own, whole or as a rehearsal.

A rehearsal is the whole lesson, all cells and figures, with fewer repetitions of what it repeats: fewer runs of a
comparison, fewer steps of a training.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat

import solutions
from autograder.author import running
from autograder.author.build import student_notebook

SECONDS = 180  # that a cell may take on two cores
ANSI = re.compile(r"\x1b\[[0-9;]*m")
GOT = re.compile(r"<details><summary>What we got</summary>(.+?)</details>", re.DOTALL)
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")

# As the lesson has it, once, and how often in a rehearsal.
FEWER: dict[str, dict[str, str]] = {
    "02_evolution_and_early_stopping": {
        "RUNS = 200": "RUNS = 20",
        "SEEDS, grid = range(1000, 1050)": "SEEDS, grid = range(1000, 1005)",
    },
    "03_rl_controller": {
        "BATCH, UPDATES = 16, 250": "BATCH, UPDATES = 16, 80",
        "range(10, 16), range(100)": "range(10, 12), range(40)",
        "BUDGET, RUNS = 200, 30": "BUDGET, RUNS = 200, 3",
    },
    "04_darts": {
        "darts.SearchConfig(network": "darts.SearchConfig(epochs=2, network",
    },
    "05_supernet": {
        "6000, 0.1": "300, 0.1",
        "train_fair_step), 1000": "train_fair_step), 50",
        "N, UPDATES = 16, 40": "N, UPDATES = 4, 5",
        "RUNS, answers = 5,": "RUNS, answers = 2,",
        "distinct_functions(150,": "distinct_functions(30,",
        "budget=150, population=30": "budget=30, population=10",
        '(300, {"kernels": (3,)})': '(30, {"kernels": (3,)})',
        '(400, {"depths": (2, 1)})': '(40, {"depths": (2, 1)})',
        '(500, {"expands": (2,)})': '(50, {"expands": (2,)})',
        "for cell in cells[:3]:": "for cell in cells[:1]:",
        'progress(range(800), "step")': 'progress(range(40), "step")',
        "train_images=2048, valid_images=500": "train_images=512, valid_images=100",
        "x=range(40, 801, 40)": "x=range(40, 41, 40)",
        "distinct_archs(mobile, 60,": "distinct_archs(mobile, 6,",
    },
    "06_hardware_aware": {
        "module(x), 10, 100, wait)": "module(x), 2, 10, wait)",
        "in_ms(bench(forward, 5, 25, wait))": "in_ms(bench(forward, 1, 3, wait))",
        "warmup=5, repeats=40": "warmup=1, repeats=5",
        "epochs=3, train_images=2048, valid_images=1000, final_images=2000": (
            "epochs=1, train_images=512, valid_images=200, final_images=200"
        ),
        "for seed in progress(range(20)):": "for seed in progress(range(4)):",
    },
    "07_compound_scaling": {
        "in PUBLISHED.items():": "in [*PUBLISHED.items()][:4]:",
        "recipe, device = ScalingRecipe(), usable_device()": (
            "recipe, device = ScalingRecipe(train_images=400, test_images=400), usable_device()"
        ),
    },
    "08_predictors_and_fidelity": {
        "SIZES, REPEATS = (10, 20, 50, 100, 200, 500), 6": "SIZES, REPEATS = (10, 50), 2",
        "BUDGET, RUNS = 100, 12": "BUDGET, RUNS = 30, 2",
        "progress(range(60))": "progress(range(3))",
        "SHORT, CELLS, IMAGES = 2, 24, 2000": "SHORT, CELLS, IMAGES = 1, 8, 200",
        "rng.choice(len(cells), 300, False)": "rng.choice(len(cells), 120, False)",
        "rng.choice(top, 150, False)": "rng.choice(top, 40, False)",
        "library | by_epochs, 100, 20)": "library | by_epochs, 4, 2)",
        "real_data.SECONDS, library, 50, 4)": "real_data.SECONDS, library, 4, 2)",
    },
    "09_capstone": {
        "recipe = VitRecipe(steps=1000)": "recipe = VitRecipe(400, 300, 100, steps=100, batch_size=32)",
        "BUDGET, RUNS = 170.0, 100": "BUDGET, RUNS = 120.0, 3",
        "milliseconds(module, x, 3, 20)": "milliseconds(module, x, 1, 3)",
    },
}


def notebook_of(lesson: str, done: bool, whole: bool) -> Any:
    """The lesson with the references or as learners get it, whole or as a rehearsal.

    Raises:
        ValueError: what a rehearsal shortens does not stand in the lesson, or more than once.
    """
    notebook = solutions.read(lesson) if done else student_notebook(lesson)
    for old, new in () if whole else FEWER.get(lesson, {}).items():
        cells = [cell for cell in notebook.cells for _ in range(cell.source.count(old))]
        if len(cells) != 1:
            raise ValueError(
                f"{lesson} must hold {old!r} once, for the rehearsal to shorten; found {len(cells)}"
            )
        cells[0].source = cells[0].source.replace(old, new)
    return notebook


def execute(notebook: Any, table: Path) -> dict[str, Any]:
    """What a notebook showed: its two streams, the number of figures, and values shown as text.

    Args:
        notebook: the lesson, which gets the outputs.
        table: the benchmark's table that it is led to.

    Raises:
        CellExecutionError: a cell ended in an error.
        CellTimeoutError: a cell took longer than `SECONDS`.
    """
    where = f"from pathlib import Path\nimport nas_lib.benchmark\nnas_lib.benchmark.TABLE_PATH = Path({str(table)!r})"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(where))
    running.execute(notebook, SECONDS)
    outputs = [one for cell in notebook.cells if cell.cell_type == "code" for one in cell.outputs]
    streams = dict.fromkeys(("stdout", "stderr"), "")
    for one in outputs:
        if one.output_type == "stream":
            streams[one.name] += ANSI.sub("", one.text)
    return streams | {
        "got": _got(notebook.cells),
        "figures": sum(one.output_type == "display_data" and "image/png" in one.data for one in outputs),
        "shown": [one.data.get("text/plain", "") for one in outputs if one.output_type == "execute_result"],
    }


def _got(cells: list[Any]) -> list[tuple[str, str]]:
    """Each "What we got" of a lesson, with all that was printed since the one before it."""
    found, printed = [], ""
    for cell in cells:
        if cell.cell_type == "code":
            printed += "".join(ANSI.sub("", one.text) for one in cell.outputs if one.output_type == "stream")
        for told in GOT.findall(cell.source) if cell.cell_type == "markdown" else ():
            found.append((told, printed))
            printed = ""
    return found


def unfounded(told: str, printed: str) -> list[str]:
    """Numbers of a text that nothing printed bears out.

    A number has to be a printed one, rounded to its digits; behind the word "about" it may lie 15 % off, as what is
    trained anew on another processor does. What stands in code, in a formula, in "3×3" or behind "lesson" is no result.
    """
    prose = re.sub(r"`[^`]*`|\$[^$]*\$|\d+ ?× ?\d+|(?:lesson|section|question) [\d.]*\d|\w+-\d+", "", told)
    known = [float(one.replace(",", "")) for one in NUMBER.findall(printed)]
    missing = []
    for match in NUMBER.finditer(prose):
        text = match[0].replace(",", "")
        value, digits = float(text), len(text.partition(".")[2])
        about = prose[: match.start()].rstrip(" +−\n").endswith("about")
        width = 0.15 * value if about else 0.5001 * 10.0**-digits
        if not any(abs(one - value) <= width for one in known):
            missing.append(match[0])
    return missing
