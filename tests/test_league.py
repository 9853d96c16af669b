"""The league of lesson 09: who plays, budgets that settings share, and corrections for many comparisons."""

from __future__ import annotations

import gzip
import struct
from functools import partial

import numpy as np
import pytest

from nas_lib import league
from nas_lib.benchmark import TabularBenchmark
from nas_lib.search import RandomSearch, compare, run
from nas_lib.searchers import HillClimbing
from nas_lib.spaces import CellSpace
from scripts.benchmarks.search import made_up_table

SPACE = CellSpace()


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> TabularBenchmark:
    path = tmp_path_factory.mktemp("table") / "cell_table.npz"
    made_up_table().write(path)
    return TabularBenchmark.load(path)


def test_every_method_plays_at_equal_cost(table):
    seconds = 60 * float(np.mean(table.seconds))
    played = compare(league.methods(table.epochs), table, seconds, 2, unit="seconds", progress=False)
    for name, histories in played.histories.items():
        assert all(0.5 * seconds < history.costs.sum() <= seconds * (1 + 1e-9) for history in histories), name
    assert {"successive halving", "Hyperband", "ASHA"} == set(league.methods(6)) - set(league.methods())


def test_settings_share_a_budget_in_turns(table):
    shared = partial(league.Sharing, settings=[RandomSearch, partial(HillClimbing, move="first")])
    history = run(shared, table, 21, seed=3)
    assert len(history) == 21
    rng = np.random.default_rng(np.random.SeedSequence(3).spawn(2)[0])
    searcher = league.Sharing(SPACE, rng, [RandomSearch, RandomSearch])
    first = searcher.ask()
    searcher.tell(first, 1.0)
    assert searcher.least_budget == 2 and searcher.ask() in SPACE


def test_holm_is_the_step_down_of_his_paper():
    # n = 4: 0.01·4, 0.015·3, then 0.03·2 and 0.04·1, of which none may be below the one before.
    p = {"b": 0.03, "a": 0.01, "d": 0.04, "c": 0.015}
    assert league.holm(p) == pytest.approx({"b": 0.06, "a": 0.04, "d": 0.06, "c": 0.045})
    assert list(league.holm(p)) == list(p)
    assert league.holm({"one": 0.8, "two": 0.7}) == {"one": 1.0, "two": 1.0}
    with pytest.raises(ValueError, match=r"p must hold numbers from 0 to 1, got 1.2 for 'x'"):
        league.holm({"x": 1.2})


def test_holm_errs_anywhere_as_rarely_as_it_says():
    rng = np.random.default_rng(0)
    wrong = [min(league.holm(dict(enumerate(rng.random(8)))).values()) <= 0.05 for _ in range(2000)]
    assert 0.035 < np.mean(wrong) < 0.065


def test_ranks_are_shared_where_values_are_equal():
    ranks = league.mean_ranks({"a": [3.0, 1.0], "b": [2.0, 1.0], "c": [1.0, 4.0]})
    assert ranks == {"a": 1.75, "b": 2.25, "c": 2.0}


def test_what_searched_nothing_are_three_cells_of_the_space():
    assert len({*league.UNSEARCHED.values()}) == 3
    assert all(cell in SPACE for cell in league.UNSEARCHED.values())


def test_mnist_is_read_where_it_lies_unpacked_and_else_left_out(tmp_path):
    assert league.small_mnist(None) is None
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b""))
    assert league.small_mnist(tmp_path / "MNIST") is None
    rng = np.random.default_rng(0)
    for name, count in (("train", 12_000), ("t10k", 2100)):
        pixels = rng.integers(256, size=(count, 28, 28), dtype=np.uint8)
        labels = rng.integers(10, size=count, dtype=np.uint8)
        header = struct.pack(">IIII", 2051, count, 28, 28)
        (raw / f"{name}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, count) + labels.tobytes())
    splits = league.small_mnist(tmp_path / "MNIST")
    assert splits is not None and splits.test[0].shape == (2000, 1, 14, 14) and len(splits.valid[1]) == 500
