"""`nas-course reproduce`: on made-up data in the real file's format, the page that shows it, real data where it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nas_lib import cli, real_data, reproduce
from nas_lib.benchmark import TabularBenchmark
from nas_lib.search import RandomSearch, compare
from nas_lib.spaces import OPS, CellSpace
from nas_lib.surrogates import BayesianOptimization
from tests.test_search import nas_bench_201  # noqa: F401  (a fixture)

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reproduce.md"
SPACE = CellSpace()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real file's columns with made-up numbers, its rows in another order than the space's."""
    rng = np.random.default_rng(0)
    order = rng.permutation(len(SPACE))
    worth = rng.normal(0, 3, (6, 5))
    quality = np.array([worth[range(6), [OPS.index(op) for op in cell]].sum() for cell in SPACE])
    path = tmp_path_factory.mktemp("real") / real_data.FILE
    np.savez(
        path,
        arch=np.array([SPACE.str(SPACE.from_index(i)).encode() for i in order.tolist()]),
        valid_acc_12=(60 + quality + rng.normal(0, 1, len(SPACE)))[order].astype(np.float32),
        valid_acc_200=(70 + quality)[order].astype(np.float32),
        train_time_200_s=rng.uniform(1_000, 4_000, len(SPACE))[order].astype(np.float32),
    )
    return path


def test_both_lengths_are_read_and_a_long_training_costs_all_of_its_time(file: Path) -> None:
    both, short = real_data.two_lengths(file), real_data.nas_bench_201(file)
    with np.load(file) as data:
        for row in (0, 7, 12_345):
            arch = SPACE.parse(data["arch"][row].decode())
            brief, full = both.query(arch, 12), both.query(arch)
            assert brief == short.query(arch)._replace(test=None)
            assert full == both.query(arch, 200)
            assert full.valid == full.test == data["valid_acc_200"][row]
            assert full.seconds == pytest.approx(data["train_time_200_s"][row] + 3)
        assert both.best()[1] == data["valid_acc_200"].max()
    with pytest.raises(ValueError, match="epochs must be 12, 200 or None for all, got 100"):
        both.query(arch, 100)


def test_each_method_has_a_row_and_pays_for_what_it_trains(file: Path) -> None:
    rows = {row.method: row for row in reproduce.nas_bench_201(file, seeds=3)}
    assert list(rows) == [*reproduce.METHODS, *reproduce.FIDELITY_METHODS]
    assert set(reproduce.PUBLISHED) <= set(rows)
    short, both = real_data.nas_bench_201(file), real_data.two_lengths(file)
    for row in rows.values():
        assert row.best == both.best()[1] and row.mean <= row.best and row.sd >= 0
        # No more than the cheapest cells would allow.
        assert 10 < row.evaluations < real_data.SECONDS / short.seconds.min()  # type: ignore[union-attr]
    for name, method in reproduce.FIDELITY_METHODS.items():
        run = compare({name: method}, both, real_data.SECONDS, 1, unit="seconds", progress=False)
        history = run.histories[name][0]
        assert set(history.epochs.tolist()) == {12, 200}  # type: ignore[union-attr]
        spent = sum(both.query(arch, int(n)).seconds or 0 for arch, n in zip(history.archs, history.epochs))  # type: ignore[arg-type]
        assert history.costs.sum() == pytest.approx(spent) and spent <= real_data.SECONDS
        assert run.values[name][0, -1] == both.query(history.best()[0]).test


def test_the_command_prints_ours_beside_the_published(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["reproduce", "nb201", "--data", str(file), "--seeds", "2", "--jobs", "1"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("NAS-Bench-201, CIFAR-10: 2 runs of each method, 20,000 simulated seconds each.")
    for row in reproduce.nas_bench_201(file, seeds=2):
        assert str(row) in said
    assert "REA 94.02 (0.35 below) in Dong et al. 2021" in said
    assert all(source in said for source in reproduce.SOURCES.values())


def test_without_the_data_there_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(real_data.FOLDER_VARIABLE, str(tmp_path))
    assert cli.main(["reproduce", "nb201"]) == 2
    assert "--data must name the file with NAS-Bench-201's results" in capsys.readouterr().err
    np.savez(tmp_path / "other.npz", arch=np.zeros(3))
    assert cli.main(["reproduce", "nb201", "--data", str(tmp_path / "other.npz")]) == 2
    assert "path must be a file with the column train_time_200_s" in capsys.readouterr().err


def test_the_page_shows_what_the_command_prints_of_each_method() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in (*reproduce.METHODS, *reproduce.FIDELITY_METHODS):
        assert f"\n{name} " in page
    for figures in reproduce.PUBLISHED.values():
        assert all(str(figure) in page for figure in figures)
    for column in ("arch", "valid_acc_12", "valid_acc_200", "train_time_200_s"):
        assert f"`{column}`" in page


def test_a_predictor_beats_chance_on_real_data(nas_bench_201: TabularBenchmark) -> None:  # noqa: F811
    methods = {"random": RandomSearch, "model": BayesianOptimization}
    comparison = compare(methods, nas_bench_201, 20_000, 30, unit="seconds", progress=False)
    assert comparison.paired("model", "random").low > 0
