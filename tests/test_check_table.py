"""The independent check of the table: it accepts what seeds do, finds what they don't, and trains nothing twice."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas_lib.benchmark import TableFile
from nas_lib.spaces import CellSpace, functions
from nas_lib.training import RECIPE, Recipe
from scripts import recording
from scripts.benchmarks.search import made_up_table
from scripts.table import build, check
from scripts.table.check import (
    Check,
    Known,
    Noise,
    Verdict,
    common_sd,
    draw_cells,
    imitate,
    judge,
    own_residuals,
    report,
    residuals,
    statistics,
)
from tests.test_build_table import made_up_row

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

    def trained(
        self,
        cells: list[int],
        change: Callable[[int, float], float] = lambda number, value: value,
        more: float = 1.0,
    ) -> dict[int, tuple[float, float]]:
        """New trainings in this world; `change` is what is wrong with them, `more` their noise."""
        new = {}
        for index in cells:
            number = int(FUNCTION[index])
            valid, test = self.train(number, np.zeros(1), more)
            new[index] = change(number, float(valid[0])), change(number, float(test[0]))
        return new

    def check(self, cells: int = 24, alarm: float = 1e-3, **wrong: Any) -> Verdict:
        drawn = draw_cells(cells, self.known.number, int(self.rng.integers(2**31)))
        new = self.trained(drawn, **wrong)
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


def test_a_right_table_passes() -> None:
    for _ in range(20):
        assert WORLD.check().passed


def test_false_alarms_are_as_rare_as_stated() -> None:
    failed = sum(not WORLD.check(alarm=0.1).passed for _ in range(100))
    # the six tests overlap, so that they fail together less often than six times each alone
    assert 1 <= failed <= 10 + 3 * math.sqrt(10)


def test_false_alarms_stay_rare_where_seeds_have_much_in_common() -> None:
    failed = sum(not World(seed, common=0.4).check().passed for seed in range(12))
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
def test_a_wrong_table_is_found(wrong: str) -> None:
    found = [not WORLD.check(**WRONG[wrong]).passed for _ in range(10)]
    assert sum(found) >= 9, wrong


def test_one_wrong_cell_among_many_is_found() -> None:
    cells = draw_cells(24, WORLD.known.number)
    broken = int(FUNCTION[cells[5]])
    new = WORLD.trained(cells)
    assert judge(WORLD.known, new).passed
    valid, test = new[cells[5]]
    verdict = judge(WORLD.known, new | {cells[5]: (valid - 12 * WORLD.sd(broken), test)})
    assert not verdict.passed
    worst = {(one.metric, one.statistic): one.p for one in verdict.tests}
    assert worst["valid", "worst"] < 1e-3 / 6 < worst["test", "worst"]
    assert int(np.abs(verdict.z["valid"]).argmax()) == 5


def test_the_detectable_shift_is_detected() -> None:
    shift = WORLD.check().detectable
    assert 0.2 < shift < 2
    found = [not WORLD.check(change=lambda number, value: value + 1.3 * shift).passed for _ in range(10)]
    assert sum(found) >= 8


def test_too_few_draws_are_refused() -> None:
    with pytest.raises(ValueError, match="draws must be at least"):
        judge(WORLD.known, {0: (50.0, 50.0)}, 1e-3, draws=1000)


def test_the_report_shows_every_cell_and_what_is_outside() -> None:
    cells = draw_cells(24, WORLD.known.number)
    new = WORLD.trained(cells, lambda _, value: value - 5)
    text = report(WORLD.known, new, judge(WORLD.known, new))
    assert all(SPACE.str(SPACE.from_index(index)) in text for index in cells)
    assert "OUTSIDE the seed noise" in text and text.count("   OUTSIDE") >= 4
    good = WORLD.trained(cells)
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


def test_the_first_cells_stay_when_more_are_asked_for(tmp_path: Path) -> None:
    few, many = (list(Check(cells=count, folder=tmp_path).recording.jobs) for count in (6, 30))
    assert many[:6] == few and len(set(many)) == 30


@pytest.mark.parametrize("wrong", [{"cells": 0}, {"alarm": 0.6}, {"alarm": 1e-5}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Check(**wrong)


def test_cells_are_trained_by_seeds_that_the_table_does_not_have_and_agree_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Trained for real: the same seed gives what packed training gives, up to the order of sums."""
    assert max(build.SEEDS) < check.FIRST_SEED
    arch = SPACE.parse("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|skip_connect~2|")
    index = SPACE.index(arch)
    row = build.Table(TINY).do(int(FUNCTION[index]), arch)
    anew = Check(recipe=TINY)
    for k, seed in enumerate(build.SEEDS):
        monkeypatch.setattr(check, "FIRST_SEED", seed - index)
        new = anew.do(index)
        assert new["seed"] == seed and new["arch"] == row["arch"]
        assert abs(new["valid"] - row["valid"][k][-1]) <= 3 and abs(new["test"] - row["test"][k]) <= 3


# --- tables and records ---


def test_a_record_and_its_table_say_the_same(tmp_path: Path) -> None:
    table = build.Table(TINY, folder=tmp_path)
    whole = replace(table.recording, do=made_up_row)
    replace(whole, jobs=dict(list(whole.jobs.items())[:120])).record(progress=False)
    some = Known.of_record(table)
    assert len(some.number) == 120
    whole.record(progress=False)
    record = Known.of_record(table)
    assert record.number.tolist() == list(range(5260))
    assert record.values["test"][8].tolist() == [56, 57, 58]
    assert record.values["valid"][8].tolist() == [8, 9, 10]
    table.merge(whole.complete(), tmp_path / "table.npz")
    known = Known.of_table(tmp_path / "table.npz", TINY)
    for metric in ("valid", "test"):
        assert np.allclose(known.values[metric], record.values[metric])
    assert np.allclose(some.values["test"], known.values["test"][some.number])
    with pytest.raises(ValueError, match="another recipe"):
        Known.of_table(tmp_path / "table.npz")


@pytest.mark.parametrize(("shift", "code"), [(0.0, 0), (-3.0, 1), (None, 2)])
def test_the_command_exits_by_the_verdict(
    shift: float | None, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The new trainings are on record already, so that nothing has to be trained; None: there is no table."""
    path = tmp_path / "table.npz"
    if shift is not None:
        made_up = made_up_table(epochs=RECIPE.epochs)
        recipe = RECIPE.as_dict() | {"seeds": list(build.SEEDS)}
        TableFile(**vars(made_up) | {"recipe": recipe}).write(path)
        known = Known.of_table(path)

        def do(index: int) -> dict[str, Any]:
            mean = known.values["test"][FUNCTION[index]].mean()
            valid, test = (mean + shift + WORLD.rng.normal(0, 1, 2)).tolist()
            arch = SPACE.str(SPACE.from_index(index))
            return {"arch": arch, "seed": check.FIRST_SEED + index, "valid": valid, "test": test}

        replace(Check(table=path, folder=tmp_path).recording, do=do).record(progress=False)
    assert status("--set", f"table={path}", "--set", f"folder={tmp_path}") == code
    written = capsys.readouterr()
    if code == 2:
        assert "there is no table at" in written.err
    else:
        assert ("OUTSIDE" in written.out) == bool(code)


def test_the_table_that_is_shipped_passes_with_the_trainings_on_record(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its counts, up to 10,000, do not fit times 100 into their own type."""
    assert status("--set", "cells=40") == 0, capsys.readouterr().out


def status(*arguments: str) -> str | int | None:
    """How `show` ends."""
    try:
        recording.main(None, Check(), ["show", *arguments])
    except SystemExit as exit_:
        return exit_.code
    return 0
