"""The table: resumable, nothing lost, nothing mixed, and what it holds is what was recorded."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas_lib.benchmark import TabularBenchmark
from nas_lib.networks import count_macs, count_params
from nas_lib.spaces import Cell, CellSpace, functions
from nas_lib.training import Recipe, train
from scripts.recording import Recording
from scripts.table.build import SEEDS, Table, price_of_cells

TINY = Recipe(train_images=64, valid_images=50, final_images=100, epochs=2, batch_size=32)
SPACE = CellSpace()
REPRESENTATIVES, FUNCTION = functions(SPACE)


def made_up_row(number: int, arch: Cell) -> dict[str, Any]:
    """A row as training would give it, with numbers that tell where they belong."""
    seeds = range(len(SEEDS))
    return {
        "function": number,
        "arch": SPACE.str(arch),
        "valid": [[number % 50, (number + seed) % 101] for seed in seeds],
        "test": [(number * 7 + seed) % 101 for seed in seeds],
        "seconds": [0.1 + arch.count("nor_conv_3x3")] * len(seeds),
    }


def first(table: Table, count: int) -> Recording:
    """The recording of the first jobs only."""
    return replace(table.recording, jobs=dict(list(table.recording.jobs.items())[:count]))


def test_the_order_holds_every_function_once_and_mixes_them() -> None:
    order = [number for number, _ in Table().recording.jobs.values()]
    assert sorted(order) == list(range(5260))
    assert 2000 < np.mean(order[:40]) < 3300  # a random sample, not the first functions


def test_functions_are_trained_by_the_recipe_and_none_twice(tmp_path: Path) -> None:
    table = Table(TINY, folder=tmp_path)
    assert first(table, 2).record(progress=False) == 2
    before = table.recording.rows()
    assert first(table, 3).record(progress=False) == 1
    after = table.recording.rows()
    assert len(after) == 3 and all(after[job] == row for job, row in before.items())
    for row in before.values():
        arch = REPRESENTATIVES[row["function"]]
        assert row["arch"] == SPACE.str(arch)
        plain = train(arch, table.splits, TINY, seed=1)  # sums are in another order
        assert abs(plain.test_correct - row["test"][1]) <= 2


def test_further_seeds_are_recorded_apart(tmp_path: Path) -> None:
    """And are the same trainings that the table would have of them."""
    three = Table(TINY, seeds=(0, 1, 2), folder=tmp_path / "three")
    one = Table(TINY, seeds=(2,), folder=tmp_path / "one")
    number, arch = next(iter(three.recording.jobs.values()))
    (found,), (*_, right) = one.do(number, arch)["test"], three.do(number, arch)["test"]
    assert abs(found - right) <= 2  # sums are in another order
    assert one.recording.settings["seeds"] == [2]


def test_an_unfinished_table_says_how_much_is_missing(tmp_path: Path) -> None:
    made_up = replace(Table(TINY, folder=tmp_path).recording, do=made_up_row)
    replace(made_up, jobs=dict(list(made_up.jobs.items())[3:])).record(progress=False)
    with pytest.raises(ValueError, match="3 of 5260 jobs are not done"):
        made_up.complete()
    with pytest.raises(ValueError, match=r"other settings \(recipe\)"):
        Table(folder=tmp_path).recording.complete()


def test_the_table_holds_what_was_recorded(tmp_path: Path) -> None:
    made_up = Table(TINY, folder=tmp_path)
    rows = {job: made_up_row(*what) for job, what in made_up.recording.jobs.items()}
    made_up.merge(rows, tmp_path / "table.npz")
    table = TabularBenchmark.load(tmp_path / "table.npz")
    assert table.epochs == 2 and table.seeds == 3
    rng = np.random.default_rng(0)
    for index in rng.integers(15_625, size=50):
        arch, row = SPACE.from_index(int(index)), rows[str(FUNCTION[index])]
        for seed in range(3):
            result = table.query(arch, seed=seed)
            assert result.valid == pytest.approx(row["valid"][seed][1] / TINY.final_images * 100)
            assert result.test == pytest.approx(row["test"][seed] / TINY.final_images * 100)
            early = table.query(arch, epochs=1, seed=seed)
            assert early.valid == pytest.approx(row["valid"][seed][0] / TINY.valid_images * 100)
        assert result.params == count_params(arch, TINY.network)
        assert result.macs == count_macs(arch, TINY.network)
        assert result.seconds == pytest.approx(0.1 + arch.count("nor_conv_3x3"), abs=0.01)


def test_prices_of_cells_are_fitted_from_the_functions() -> None:
    cost = {"none": 0, "skip_connect": 0.1, "nor_conv_1x1": 0.5, "nor_conv_3x3": 1.5, "avg_pool_3x3": 0.3}
    true = np.array([2 + sum(cost[op] for op in arch) for arch in SPACE])
    sample = list(SPACE)[::7]
    noise = np.random.default_rng(0).normal(0, 0.2, len(sample))
    fitted = price_of_cells(true[::7] + noise, sample, list(SPACE))
    assert np.abs(fitted - true).max() < 0.05


@pytest.mark.slow
def test_interrupting_the_command_loses_nothing_finished(tmp_path: Path) -> None:
    """Several processes are killed at work, then the record goes on."""
    code = (
        "from pathlib import Path; from scripts.table.build import Table; from nas_lib.training import Recipe;"
        f"Table({TINY!r}, folder=Path({str(tmp_path)!r})).recording.record(workers=2)"
    ).replace("NetworkConfig(", "__import__('nas_lib.networks').networks.NetworkConfig(")
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[1], start_new_session=True
    )
    table, deadline = Table(TINY, folder=tmp_path), time.monotonic() + 120
    while time.monotonic() < deadline and len(table.recording.rows()) <= 4:
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = table.recording.rows()
    assert len(before) > 4
    first(table, 3 + max(map(list(table.recording.jobs).index, before))).record(progress=False)
    after = table.recording.rows()
    assert all(after[job] == row for job, row in before.items()) and len(after) > len(before)
