"""The table builder: resumable, sharded, nothing lost, nothing mixed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nas_lib.benchmark import TabularBenchmark
from nas_lib.networks import count_macs, count_params
from nas_lib.spaces import CellSpace, functions
from nas_lib.training import Recipe, load_splits, train
from scripts.table import build as build_table
from scripts.table.build import (
    append_row,
    header,
    merge,
    price_of_cells,
    read_rows,
    shard_path,
    shard_plan,
    train_missing,
)

TINY = Recipe(train_images=64, valid_images=50, final_images=100, epochs=2, batch_size=32)
SPACE = CellSpace()
REPRESENTATIVES, FUNCTION = functions(SPACE)


def made_up_row(number: int) -> dict:
    """A row as the trainer would write it, with numbers that tell where they belong."""
    seeds = range(len(build_table.SEEDS))
    return {
        "function": number,
        "arch": SPACE.str(REPRESENTATIVES[number]),
        "valid": [[number % 50, (number + seed) % 101] for seed in seeds],
        "test": [(number * 7 + seed) % 101 for seed in seeds],
        "seconds": [0.1 + len([op for op in REPRESENTATIVES[number] if op == "nor_conv_3x3"])] * len(seeds),
    }


def write_shards(folder: Path, leave_out: set[int] = frozenset(), recipe: Recipe = TINY) -> None:
    for number, members in enumerate(shard_plan(len(REPRESENTATIVES))):
        lines = [header(recipe), *(made_up_row(n) for n in members if n not in leave_out)]
        shard_path(number, folder).write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_the_plan_holds_every_function_once_and_mixes_them() -> None:
    plan = shard_plan(5260)
    assert sorted(n for shard in plan for n in shard) == list(range(5260))
    assert plan == shard_plan(5260)
    assert 2000 < np.mean(plan[0]) < 3300  # the first shard is a random sample, not the first functions


def test_training_stops_resumes_and_trains_nothing_twice(tmp_path: Path) -> None:
    assert train_missing(1, recipe=TINY, folder=tmp_path, limit=2) == 2
    first = read_rows(TINY, tmp_path)
    assert train_missing(2, recipe=TINY, folder=tmp_path, limit=3) == 3
    rows = read_rows(TINY, tmp_path)
    assert len(rows) == 5 and all(rows[n] == row for n, row in first.items())
    assert list(rows) == shard_plan(len(REPRESENTATIVES))[0][:5] or len(set(rows)) == 5
    lines = shard_path(0, tmp_path).read_text().splitlines()
    assert len(lines) == 6
    number, row = next(iter(first.items()))
    plain = train(REPRESENTATIVES[number], load_splits(TINY), TINY, seed=1)
    assert (
        abs(plain.test_correct - row["test"][1]) <= 2
    )  # trained by the same recipe and seed, in another order of sums


def test_half_a_line_is_trained_again(tmp_path: Path) -> None:
    """A run killed while writing leaves half a line: its function counts as missing, and the next row is whole."""
    path = shard_path(0, tmp_path)
    for number in (5, 9):
        append_row(made_up_row(number), path, TINY)
    path.write_text(path.read_text()[:-20])
    assert set(read_rows(TINY, tmp_path)) == {5}
    for number in (9, 12):
        append_row(made_up_row(number), path, TINY)
    assert read_rows(TINY, tmp_path) == {number: made_up_row(number) for number in (5, 9, 12)}


def test_parts_share_the_work(tmp_path: Path) -> None:
    train_missing(1, recipe=TINY, folder=tmp_path, part=(2, 3), limit=1)
    assert shard_path(1, tmp_path).exists() and not shard_path(0, tmp_path).exists()


def test_shards_of_another_recipe_are_refused(tmp_path: Path) -> None:
    write_shards(tmp_path, recipe=Recipe(epochs=3))
    with pytest.raises(ValueError, match="another recipe"):
        merge(tmp_path / "table.npz", TINY, tmp_path)


def test_an_unfinished_table_says_how_much_is_missing(tmp_path: Path) -> None:
    write_shards(tmp_path, leave_out={3, 77, 5259})
    with pytest.raises(ValueError, match="3 of 5260 functions are not trained yet"):
        merge(tmp_path / "table.npz", TINY, tmp_path)
    assert not (tmp_path / "table.npz").exists()


def test_the_table_holds_what_the_shards_say(tmp_path: Path) -> None:
    write_shards(tmp_path)
    merge(tmp_path / "table.npz", TINY, tmp_path)
    table = TabularBenchmark.load(tmp_path / "table.npz")
    assert table.epochs == 2 and table.seeds == 3
    rng = np.random.default_rng(0)
    for index in rng.integers(15_625, size=50):
        arch, row = SPACE.from_index(int(index)), made_up_row(int(FUNCTION[index]))
        for seed in range(3):
            result = table.query(arch, seed=seed)
            assert result.valid == pytest.approx(row["valid"][seed][1] / TINY.final_images * 100)
            assert result.test == pytest.approx(row["test"][seed] / TINY.final_images * 100)
            early = table.query(arch, epochs=1, seed=seed)
            assert early.valid == pytest.approx(row["valid"][seed][0] / TINY.valid_images * 100)
        assert result.params == count_params(arch, TINY.network) and result.macs == count_macs(
            arch, TINY.network
        )
        convs = sum(op == "nor_conv_3x3" for op in arch)
        assert result.seconds == pytest.approx(0.1 + convs, abs=0.01)


def test_prices_of_cells_are_fitted_from_the_functions() -> None:
    cost = {"none": 0, "skip_connect": 0.1, "nor_conv_1x1": 0.5, "nor_conv_3x3": 1.5, "avg_pool_3x3": 0.3}
    true = np.array([2 + sum(cost[op] for op in arch) for arch in SPACE])
    sample = list(SPACE)[::7]
    noise = np.random.default_rng(0).normal(0, 0.2, len(sample))
    fitted = price_of_cells(true[::7] + noise, sample, list(SPACE))
    assert np.abs(fitted - true).max() < 0.05


@pytest.mark.slow
def test_interrupting_the_command_loses_nothing_finished(tmp_path: Path) -> None:
    """Ctrl-C on the real command line, then going on."""
    code = (
        "from pathlib import Path; from scripts.table import build as b; from nas_lib.training import Recipe;"
        "b.RECIPE = Recipe(train_images=64, valid_images=50, final_images=100, epochs=2, batch_size=32);"
        f"b.train_missing(2, recipe=b.RECIPE, folder=Path({str(tmp_path)!r}))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[1], start_new_session=True
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (
        shard_path(0, tmp_path).exists() and len(read_rows(TINY, tmp_path)) > 4
    ):
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = read_rows(TINY, tmp_path)
    assert len(before) > 4
    train_missing(2, recipe=TINY, folder=tmp_path, limit=3)
    after = read_rows(TINY, tmp_path)
    assert all(after[n] == row for n, row in before.items()) and len(after) == len(before) + 3
