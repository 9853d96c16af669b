"""The independent check of the table: it accepts what seeds do, finds what they don't, and trains nothing twice."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nas_lib.benchmark import TableFile
from nas_lib.spaces import Cell, CellSpace, functions
from nas_lib.training import Recipe
from scripts.benchmarks.search import made_up_table
from scripts.table import build as build_table
from scripts.table import check as check_table
from scripts.table.check import (
    FIRST_SEED,
    Known,
    Noise,
    Verdict,
    common_sd,
    draw_cells,
    imitate,
    judge,
    own_residuals,
    plain_trainer,
    report,
    residuals,
    retrain,
    statistics,
)

SPACE = CellSpace()
FUNCTION = functions(SPACE)[1]
TINY = Recipe(train_images=64, valid_images=50, final_images=100, epochs=2, batch_size=32)


class World:
    """A space whose true accuracies and noise are known: the worse a function, the noisier, with heavy tails."""

    def __init__(self, seed: int = 0, common: float = 0.0) -> None:
        self.rng = np.random.default_rng(seed)
        self.truth = 100 * self.rng.beta(6, 2, len(np.unique(FUNCTION)))
        offsets = common * self.rng.standard_normal(3)
        both = [self.train(number, offsets) for number in range(len(self.truth))]
        self.known = Known(
            np.arange(len(self.truth)),
            {"valid": np.array([valid for valid, _ in both]), "test": np.array([test for _, test in both])},
        )

    def sd(self, number: int) -> float:
        return float(np.interp(self.truth[number], (20, 90), (2.5, 0.4)))

    def train(self, number: int, offsets: np.ndarray, more: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        """Validation and test accuracy of new trainings, one for each offset (in standard deviations)."""
        sd = self.sd(number)
        shared = self.rng.standard_t(5, len(offsets)) / math.sqrt(5 / 3)
        own = self.rng.standard_normal((2, len(offsets)))
        valid, test = self.truth[number] + sd * (offsets + more * (0.9 * shared + math.sqrt(0.19) * own))
        return valid, test

    def trainer(self, change: Callable[[int, float], float] = lambda number, value: value, more: float = 1.0):
        """A trainer of this world; `change` is what is wrong with it, `more` its noise."""

        def trainer(cell: Cell, seed: int) -> tuple[float, float]:
            number = int(FUNCTION[SPACE.index(cell)])
            valid, test = self.train(number, np.zeros(1), more)
            return change(number, float(valid[0])), change(number, float(test[0]))

        return trainer

    def check(self, path: Path, cells: int = 24, alarm: float = 1e-3, **wrong) -> Verdict:
        drawn = draw_cells(cells, self.known.number, int(self.rng.integers(2**31)))
        new = retrain(drawn, lambda: self.trainer(**wrong), path, progress=False)
        path.unlink()
        return judge(self.known, new, alarm, draws=max(12_500, math.ceil(15 / alarm)))


WORLD = World()


@pytest.fixture(autouse=True)
def _same_draws_in_any_order() -> None:
    WORLD.rng = np.random.default_rng(1)


# --- noise and residuals ---


def test_the_noise_follows_the_level_of_accuracy() -> None:
    noise = Noise(WORLD.known.values["test"])
    numbers = np.argsort(WORLD.truth)[100:-100:400]
    true = np.array([WORLD.sd(number) for number in numbers])
    assert np.abs(noise(WORLD.truth[numbers]) / true - 1).max() < 0.25
    assert noise(-1000.0) > 0 and noise(1000.0) > 0


def test_noise_is_never_zero() -> None:
    assert (Noise(np.full((30, 3), 50.0))(np.array([10.0, 50.0])) == 0.01).all()


def test_the_residuals_of_the_table_have_the_size_of_the_noise() -> None:
    values = WORLD.known.values["test"]
    usual = own_residuals(values, Noise(values))
    assert usual.shape == values.shape and abs(usual.mean()) < 0.03
    assert usual.std() == pytest.approx(1, abs=0.03)
    by_hand = (values[7, 1] - (values[7, 0] + values[7, 2]) / 2) / (
        Noise(values)((values[7, 0] + values[7, 2]) / 2)
    )
    assert usual[7, 1] == pytest.approx(by_hand / math.sqrt(1.5))


def test_residuals_of_new_trainings_have_the_size_of_the_noise() -> None:
    values, rng = WORLD.known.values["test"], np.random.default_rng(1)
    new = np.array([WORLD.train(number, np.zeros(1))[1][0] for number in rng.permutation(2000)])
    mean = values.mean(1)[np.random.default_rng(1).permutation(2000)]
    assert residuals(new, mean, 3, Noise(values)).std() == pytest.approx(1, abs=0.05)


def test_what_seeds_have_in_common_is_found() -> None:
    for common in (0.0, 0.5):
        values, rng = WORLD.truth[:, None] + np.zeros((1, 40)), np.random.default_rng(2)
        values = values + rng.standard_normal(values.shape) + common * rng.standard_normal((1, 40))
        sd = math.sqrt(1 + common**2)
        assert common_sd(values, Noise(values)) == pytest.approx(common / sd, abs=0.12 if common else 0.03)


def test_imitated_checks_move_together() -> None:
    z, rng = np.random.default_rng(0).standard_normal(5000), np.random.default_rng(0)
    alone, together = (imitate(z, shift, 24, 20_001, rng)["mean"] for shift in (0.0, 0.3))
    assert len(alone) == 20_001
    assert np.sqrt((alone**2).mean()) == pytest.approx(math.sqrt(1 / 24), rel=0.05)
    assert np.sqrt((together**2).mean()) == pytest.approx(math.sqrt(1 / 24 + 0.09), rel=0.05)


def test_the_three_statistics() -> None:
    values = statistics(np.array([[1.0, -3.0], [0.5, 0.5]]))
    assert values["mean"].tolist() == [1.0, 0.5]
    assert values["squares"].tolist() == [10.0, 0.5] and values["worst"].tolist() == [3.0, 0.5]


# --- the verdict ---


def test_a_right_table_passes(tmp_path: Path) -> None:
    for _ in range(20):
        assert WORLD.check(tmp_path / "new.jsonl").passed


def test_false_alarms_are_as_rare_as_stated(tmp_path: Path) -> None:
    failed = sum(not WORLD.check(tmp_path / "new.jsonl", alarm=0.1).passed for _ in range(100))
    # the six tests overlap, so that they fail together less often than six times each alone
    assert 1 <= failed <= 10 + 3 * math.sqrt(10)


def test_false_alarms_stay_rare_where_seeds_have_much_in_common(tmp_path: Path) -> None:
    failed = sum(not World(seed, common=0.4).check(tmp_path / "new.jsonl").passed for seed in range(12))
    assert failed <= 1


WRONG = {
    "a bug that costs two points everywhere": {"change": lambda number, value: value - 2},
    "two points too many": {"change": lambda number, value: value + 2},
    "accuracies of another function in one cell of six": {
        "change": lambda number, value: value if number % 6 else WORLD.truth[(number * 7 + 100) % 5260]
    },
    "more noise than seeds have": {"more": 4.0},
}


@pytest.mark.parametrize("wrong", list(WRONG))
def test_a_wrong_table_is_found(wrong: str, tmp_path: Path) -> None:
    found = [not WORLD.check(tmp_path / "new.jsonl", **WRONG[wrong]).passed for _ in range(10)]
    assert sum(found) >= 9, wrong


def test_one_wrong_cell_among_many_is_found(tmp_path: Path) -> None:
    cells = draw_cells(24, WORLD.known.number)
    broken = int(FUNCTION[cells[5]])
    new = retrain(cells, WORLD.trainer, tmp_path / "new.jsonl", progress=False)
    assert judge(WORLD.known, new).passed
    valid, test = new[cells[5]]
    verdict = judge(WORLD.known, new | {cells[5]: (valid - 12 * WORLD.sd(broken), test)})
    assert not verdict.passed
    worst = {(one.metric, one.statistic): one.p for one in verdict.tests}
    assert worst["valid", "worst"] < 1e-3 / 6 < worst["test", "worst"]
    assert int(np.abs(verdict.z["valid"]).argmax()) == 5


def test_the_detectable_shift_is_detected(tmp_path: Path) -> None:
    shift = WORLD.check(tmp_path / "new.jsonl").detectable
    assert 0.2 < shift < 2
    found = [
        not WORLD.check(tmp_path / "new.jsonl", change=lambda number, value: value + 1.3 * shift).passed
        for _ in range(10)
    ]
    assert sum(found) >= 8


def test_too_few_draws_are_refused() -> None:
    with pytest.raises(ValueError, match="draws must be at least"):
        judge(WORLD.known, {0: (50.0, 50.0)}, 1e-3, draws=1000)


def test_the_report_shows_every_cell_and_what_is_outside(tmp_path: Path) -> None:
    cells = draw_cells(24, WORLD.known.number)
    new = retrain(
        cells, lambda: WORLD.trainer(lambda _, value: value - 5), tmp_path / "new.jsonl", progress=False
    )
    text = report(WORLD.known, new, judge(WORLD.known, new))
    assert all(SPACE.str(SPACE.from_index(index)) in text for index in cells)
    assert "OUTSIDE the seed noise" in text and text.count("   OUTSIDE") >= 4
    good = retrain(cells, WORLD.trainer, tmp_path / "good.jsonl", progress=False)
    text = report(WORLD.known, good, judge(WORLD.known, good))
    assert "OUTSIDE" not in text and text.endswith("inside the seed noise")


# --- drawing, training, records ---


def test_cells_are_drawn_not_functions() -> None:
    cells = draw_cells(400, np.arange(5260))
    assert len({int(FUNCTION[index]) for index in cells}) == len(cells) == 400
    representatives = functions(SPACE)[0]
    others = sum(SPACE.from_index(index) != representatives[FUNCTION[index]] for index in cells)
    assert 120 < others < 330
    assert draw_cells(30, np.arange(5260)) == cells[:30] != draw_cells(30, np.arange(5260), seed=1)


def test_only_cells_of_known_functions_are_drawn() -> None:
    known = np.arange(0, 5260, 37)
    cells = draw_cells(20, known)
    assert {int(FUNCTION[index]) for index in cells} <= set(known.tolist())
    assert draw_cells(len(known), known)[:20] == cells
    with pytest.raises(ValueError, match="must not exceed the 143 functions"):
        draw_cells(144, known)


def test_records_are_kept_and_nothing_is_trained_twice(tmp_path: Path) -> None:
    path, trained = tmp_path / "out" / "new.jsonl", []

    def trainer(cell: Cell, seed: int) -> tuple[float, float]:
        if len(trained) == 3:
            raise KeyboardInterrupt
        trained.append((cell, seed))
        return 50.0 + len(trained), 60.0

    cells = draw_cells(6, np.arange(5260))
    with pytest.raises(KeyboardInterrupt):
        retrain(cells, lambda: trainer, path, progress=False)
    assert trained == [(SPACE.from_index(index), FIRST_SEED + index) for index in cells[:3]]
    assert not {seed for _, seed in trained} & set(build_table.SEEDS)
    path.write_text(path.read_text()[:-10])  # killed while writing the third
    rest = []
    new = retrain(cells, lambda: lambda cell, seed: (rest.append(cell), (1.0, 2.0))[1], path, progress=False)
    assert rest == [SPACE.from_index(index) for index in cells[2:]]
    assert list(new) == cells and new[cells[0]] == (51.0, 60.0) and new[cells[2]] == (1.0, 2.0)
    assert retrain(cells, lambda: pytest.fail("nothing is missing"), path, progress=False) == new


def test_records_of_another_recipe_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "new.jsonl"
    retrain([5], lambda: lambda cell, seed: (1.0, 2.0), path, progress=False)
    with pytest.raises(ValueError, match="another recipe"):
        retrain([5], lambda: lambda cell, seed: (1.0, 2.0), path, TINY, progress=False)


def test_the_plain_trainer_agrees_with_the_table_builder() -> None:
    """Trained for real: the same seed gives what the packed trainer gives, up to the order of sums."""
    build_table._start_worker(TINY, "cpu")
    arch = SPACE.parse("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|skip_connect~2|")
    row = build_table.train_function(int(FUNCTION[SPACE.index(arch)]), tuple(arch), TINY)
    for k, seed in enumerate(build_table.SEEDS):
        valid, test = plain_trainer(TINY)(arch, seed)
        assert abs(valid - row["valid"][k][-1]) <= 3 and abs(test - row["test"][k]) <= 3


# --- tables and shards ---


def test_shards_and_their_table_say_the_same(tmp_path: Path) -> None:
    for number, members in enumerate(build_table.shard_plan(5260)):
        rows = [
            {
                "function": n,
                "arch": "",
                "valid": [[n % 50, (n + seed) % 101] for seed in range(3)],
                "test": [(7 * n + seed) % 101 for seed in range(3)],
                "seconds": [1.0] * 3,
            }
            for n in members
        ]
        lines = [build_table.header(TINY), *rows]
        build_table.shard_path(number, tmp_path).write_text(
            "".join(json.dumps(line) + "\n" for line in lines)
        )
    shards = Known.of_shards(tmp_path, TINY)
    assert shards.number.tolist() == list(range(5260))
    assert shards.values["test"][8].tolist() == [56, 57, 58] and shards.values["valid"][8].tolist() == [
        8,
        9,
        10,
    ]
    build_table.merge(tmp_path / "table.npz", TINY, tmp_path)
    table = Known.of_table(tmp_path / "table.npz", TINY)
    for metric in ("valid", "test"):
        assert np.allclose(table.values[metric], shards.values[metric])
    with pytest.raises(ValueError, match="another recipe"):
        Known.of_table(tmp_path / "table.npz")
    for path in sorted(tmp_path.glob("part-*.jsonl"))[3:]:
        path.unlink()
    some = Known.of_shards(tmp_path, TINY)
    assert len(some.number) == 3 * build_table.SHARD_SIZE
    assert np.allclose(some.values["test"], table.values["test"][some.number])


@pytest.mark.parametrize(("shift", "code"), [(0.0, 0), (-3.0, 1), (None, 2)])
def test_the_command_exits_by_the_verdict(
    shift: float | None,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    """The new trainings are on record already, so that nothing has to be trained; None: there is no table."""
    path = tmp_path / "table.npz"
    if shift is not None:
        made_up = made_up_table(epochs=check_table.RECIPE.epochs)
        recipe = build_table.header(check_table.RECIPE)["recipe"] | {"seeds": list(build_table.SEEDS)}
        TableFile(**vars(made_up) | {"recipe": recipe}).write(path)
        known = Known.of_table(path)
        cells = draw_cells(check_table.CELLS, known.number)

        def trainer(cell: Cell, seed: int) -> tuple[float, float]:
            mean = known.values["test"][FUNCTION[SPACE.index(cell)]].mean()
            return tuple((mean + shift + WORLD.rng.normal(0, 1, 2)).tolist())

        retrain(cells, lambda: trainer, tmp_path / "part-1-of-1.jsonl", progress=False)
    monkeypatch.setattr("sys.argv", ["check_table.py", "--table", str(path), "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as exit_:
        check_table.main()
    assert exit_.value.code == code
    written = capsys.readouterr()
    if code == 2:
        assert "there is no table at" in written.err
    else:
        assert ("OUTSIDE" in written.out) == bool(code)


def test_the_table_that_is_shipped_passes_with_the_trainings_on_record(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Its counts, up to 10,000, do not fit times 100 into their own type; nothing is trained here."""
    monkeypatch.setattr(check_table, "train", None)
    monkeypatch.setattr("sys.argv", ["check_table.py", "--cells", "40"])
    with pytest.raises(SystemExit) as exit_:
        check_table.main()
    assert exit_.value.code == 0, capsys.readouterr().out
