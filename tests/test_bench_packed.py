"""The measurement of packing: what it divides by what, in which order, and that it runs."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from nas_lib.spaces import is_connected
from nas_lib.training import RECIPE, Recipe
from scripts.benchmarks import packed as bench_packed
from scripts.benchmarks.packed import PLAIN, Cost, measure, random_cells, report, shortened, speed_ups

TINY = Recipe(train_images=32, valid_images=8, final_images=8, epochs=1, batch_size=32)


def test_a_shortened_training_keeps_batch_and_share_of_evaluation() -> None:
    short = shortened(RECIPE, 40)
    assert short.batch_size == RECIPE.batch_size and short.network == RECIPE.network
    assert short.epochs == 1 and short.steps_per_epoch == 40
    evaluated = (RECIPE.epochs - 1) * RECIPE.valid_images + 2 * RECIPE.final_images
    trained = RECIPE.epochs * RECIPE.steps_per_epoch * RECIPE.batch_size
    assert 2 * short.final_images / short.train_images == pytest.approx(evaluated / trained, rel=0.01)


def test_cost_is_that_of_one_network(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 16.0, 20.0, 26.0])
    monkeypatch.setattr(bench_packed, "time", SimpleNamespace(process_time=lambda: next(clock)))
    monkeypatch.setattr(bench_packed, "train", lambda *_: SimpleNamespace(seconds=4.0))
    monkeypatch.setattr(bench_packed, "train_packed", lambda *a: [SimpleNamespace(seconds=1.5)] * len(a[3]))
    assert bench_packed.cost((), None, TINY, PLAIN) == Cost(steps=4.0, whole=6.0)
    assert bench_packed.cost((), None, TINY, 3) == Cost(steps=1.5, whole=2.0)


def test_every_repeat_measures_everything_and_the_first_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def cost(cell, splits, recipe, count) -> Cost:
        calls.append((cell, count))
        return Cost(len(calls), 100.0 * count)

    monkeypatch.setattr(bench_packed, "load_splits", lambda recipe: None)
    monkeypatch.setattr(bench_packed, "cost", cost)
    cells = random_cells(2)
    costs = measure(cells, TINY, counts=(2, 3), repeats=3, progress=False)
    assert set(costs) == {PLAIN, 2, 3} and all(values.shape == (3, 2, 2) for values in costs.values())
    blocks = [calls[start : start + 3] for start in range(0, len(calls), 3)]
    assert len(blocks) == 4 * 2
    assert all(sorted(count for _, count in block) == [PLAIN, 2, 3] for block in blocks)
    assert [block[0][0] for block in blocks] == cells * 4
    assert len({tuple(count for _, count in block) for block in blocks}) > 1  # the order changes
    assert min(values[..., 0].min() for values in costs.values()) == 7  # the first six calls don't count
    assert (costs[3][..., 1] == 300).all()


def test_speed_up_is_plain_over_packed_within_each_repeat() -> None:
    plain = np.array([[[2.0, 3.0]], [[20.0, 30.0]], [[4.0, 6.0]]])  # the second repeat was ten times slower
    packed = plain / np.array([2.0, 1.5])
    (steps, whole), *_ = speed_ups({PLAIN: plain, 4: packed}).values()
    assert tuple(steps) == pytest.approx((2, 2, 2)) and tuple(whole) == pytest.approx((1.5, 1.5, 1.5))
    text = report({PLAIN: plain, 4: packed})
    assert (
        "1 random cells x 3 repeats" in text and "2.00x (2.00–2.00)" in text and "1.50x (1.50–1.50)" in text
    )


def test_spread_goes_over_cells_and_repeats() -> None:
    plain = np.ones((5, 2, 2))
    packed = 1 / np.arange(1.0, 11).reshape(5, 2, 1).repeat(2, axis=2)
    steps, _ = speed_ups({PLAIN: plain, 3: packed})[3]
    assert (steps.median, steps.low, steps.high) == pytest.approx((5.5, 1.9, 9.1))


def test_random_cells_compute_something() -> None:
    cells = random_cells(40)
    assert len(set(cells)) == 40 and all(is_connected(cell) for cell in cells)
    assert cells[:3] == random_cells(3)


def test_it_measures_real_trainings() -> None:
    costs = measure(random_cells(1), TINY, counts=(2,), repeats=1, progress=False)
    assert all((values > 0).all() for values in costs.values())
    assert all(
        (values[..., 0] <= values[..., 1]).all() for values in costs.values()
    )  # steps are part of the whole
