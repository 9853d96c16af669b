"""The datasheet: its statistics against brute force on a small table, its words, and that the committed one is true."""

from __future__ import annotations

import math
import re
import statistics
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_lib.benchmark import TABLE_PATH, TableFile
from nas_lib.networks import count_macs, count_params
from nas_lib.spaces import CellSpace, canonical, functions, is_connected, live_edges
from scripts.table import datasheet
from scripts.table import statistics as stats
from scripts.table.build import price_of_cells
from scripts.table.statistics import Measured

SPACE = CellSpace(("none", "skip_connect", "nor_conv_3x3"))
CELLS = list(SPACE)
REPRESENTATIVES, FUNCTION = functions(SPACE)


def small_table(
    seed: int = 0, *, noise: float = 1.0, taste: float = 0.0, skip: float = 4.0, seeds: int = 3
) -> TableFile:
    """A made-up table of 729 cells: convolutions and skips help, `taste` is what each function has of its own.

    `noise` and `taste` are standard deviations in points, `skip` what a live skip adds.
    """
    rng = np.random.default_rng(seed)
    worth = {"none": 0.0, "skip_connect": skip, "nor_conv_3x3": 9.0}
    quality = np.array(
        [
            10 + sum(worth[op] for op, live in zip(cell, live_edges(cell), strict=True) if live)
            for cell in REPRESENTATIVES
        ]
    )
    quality = (quality + taste * rng.standard_normal(len(quality)))[:, None, None]
    valid_size = np.array([200, 200, 1000])
    share = (quality + noise * rng.standard_normal((len(quality), seeds, 4))) / 100
    learnt = np.array([0.5, 0.8, 1.0])
    measured = 1 + 0.2 * np.array([[cell.count("nor_conv_3x3")] for cell in REPRESENTATIVES])
    measured = measured * rng.uniform(0.9, 1.1, measured.shape) * np.ones((1, seeds))
    return TableFile(
        function=FUNCTION,
        valid_correct=(share[:, :, :3].clip(0, 1) * learnt * valid_size).astype(int),
        valid_size=valid_size,
        test_correct=(share[:, :, 3].clip(0, 1) * 1000).astype(int),
        test_size=1000,
        function_seconds=measured,
        seconds=price_of_cells(
            measured.mean(1), [tuple(c) for c in REPRESENTATIVES], [tuple(c) for c in CELLS]
        ),
        params=np.array([count_params(cell) for cell in CELLS]),
        macs=np.array([count_macs(cell) for cell in CELLS]),
        recipe={"epochs": 3, "network": {"channels": 8}, "seeds": list(range(seeds))},
        cpu="a processor",
    )


TABLE = small_table()
M = Measured.of(TABLE, SPACE)
ACCURACY = {cell: float(np.mean(TABLE.test_correct[FUNCTION[i]]) / 10) for i, cell in enumerate(CELLS)}


def slow_tau(a: list[float], b: list[float]) -> float:
    """Kendall's tau-b from its definition."""
    agree = tied_a = tied_b = pairs = 0
    for i, j in combinations(range(len(a)), 2):
        x, y = np.sign(a[i] - a[j]), np.sign(b[i] - b[j])
        agree, tied_a, tied_b, pairs = agree + x * y, tied_a + (x == 0), tied_b + (y == 0), pairs + 1
    return float(agree / math.sqrt((pairs - tied_a) * (pairs - tied_b)))


# --- ranks and spread ---

scores = st.lists(st.integers(0, 8), min_size=2, max_size=30)


@given(scores, st.randoms(use_true_random=False))
def test_tau_counts_pairs(a: list[int], random) -> None:
    b = [value + random.randint(-2, 2) for value in a]
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert math.isnan(stats.tau(a, b)) and math.isnan(stats.rho(a, b)) and math.isnan(stats.pearson(a, b))
    else:
        assert stats.tau(a, b) == pytest.approx(slow_tau(a, b))


@given(scores, st.sampled_from([0.01, 0.1, 0.25, 1.0]))
def test_the_top_is_what_sorting_says_with_ties_at_the_border(values: list[int], share: float) -> None:
    border = sorted(values, reverse=True)[max(1, math.ceil(round(share * len(values), 6))) - 1]
    assert stats.top(values, share).tolist() == [value >= border for value in values]


@given(scores)
def test_places_and_distances_are_counted(values: list[int]) -> None:
    for item, value in enumerate(values):
        assert stats.rank_of(values, item) == 1 + sum(other > value for other in values)
    assert stats.within(values, (0, 1, 2.5)) == [
        sum(max(values) - value <= distance for value in values) for distance in (0, 1, 2.5)
    ]
    quarters = stats.quartiles(values)
    counts = np.bincount(quarters, minlength=4)
    assert counts.max() - counts.min() <= 1
    for a, b in combinations(range(len(values)), 2):
        assert (values[a] <= values[b]) or (quarters[a] >= quarters[b])


def test_a_distance_of_a_tenth_is_not_lost_to_rounding() -> None:
    assert stats.within([0.7, 0.8, 0.8 - 0.3], (0.1, 0.3)) == [2, 3]


def test_pooled_sd_is_the_root_of_the_mean_variance() -> None:
    variances = [statistics.variance(row) for row in M.test.tolist()]
    assert stats.pooled_sd(M.test) == pytest.approx(math.sqrt(statistics.mean(variances)))
    assert math.isnan(stats.pooled_sd(M.test[:0])) and math.isnan(stats.pooled_sd(M.test[:, :1]))


# --- seeds ---


def test_agreement_is_the_mean_over_pairs_of_seeds() -> None:
    m = Measured.of(small_table(3, noise=3), SPACE)
    rows = m.test[:80].tolist()
    by_mean = sorted((sum(row) / 3 for row in rows), reverse=True)[7]
    everywhere, top, elsewhere = [], [], []
    for a, b in combinations(range(3), 2):
        third = 3 - a - b
        by_third = sorted((row[third] for row in rows), reverse=True)[7]
        good = [row for row in rows if sum(row) / 3 >= by_mean]
        other = [row for row in rows if row[third] >= by_third]
        for result, chosen in ((everywhere, rows), (top, good), (elsewhere, other)):
            result.append(slow_tau([row[a] for row in chosen], [row[b] for row in chosen]))
    expected = [statistics.mean(each) for each in (everywhere, top, elsewhere)]
    assert list(stats.agreement(m.test[:80])) == pytest.approx(expected)
    assert math.isnan(stats.agreement(m.test[:, :2]).top_elsewhere)


def test_choosing_by_the_mean_of_the_compared_seeds_lowers_their_agreement() -> None:
    m = Measured.of(small_table(1, noise=4), SPACE)
    assert stats.agreement(m.test).top < stats.agreement(m.test).top_elsewhere - 0.05


@pytest.mark.parametrize(("noise", "seeds"), [(0.5, 3), (1.0, 3), (1.0, 2), (2.0, 5)])
def test_the_reliability_of_a_mean_is_that_of_a_table_made_twice(noise: float, seeds: int) -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=8_000)
    once, twice = (truth[:, None] + noise * rng.normal(size=(len(truth), seeds)) for _ in range(2))
    found = stats.reliability(once)
    assert found.single == pytest.approx(1 / (1 + noise**2), abs=0.03)
    assert found.mean == pytest.approx(stats.pearson(once.mean(1), twice.mean(1)), abs=0.03)
    assert found.tau == pytest.approx(stats.tau(once.mean(1), truth), abs=0.03)
    top = stats.reliability(once, elsewhere=True)
    if seeds == 2:
        assert all(math.isnan(value) for value in top)
    else:
        assert top.single < found.single - 0.05 and top.mean < found.mean - 0.02


def test_seed_offsets_find_a_lucky_seed() -> None:
    before, after = stats.seed_offsets(M.test), stats.seed_offsets(M.test + np.array([0, 3, 0]))
    assert np.subtract(after, before) == pytest.approx(np.array([-1, 2, -1]))
    assert sum(before) == pytest.approx(0)


def test_optimism_is_what_the_winner_loses_elsewhere() -> None:
    rows, losses = M.test.tolist(), []
    for left_out in range(3):
        rest = [(row[left_out - 1] + row[left_out - 2]) / 2 for row in rows]
        winner = rest.index(max(rest))
        losses.append(rest[winner] - rows[winner][left_out])
    assert stats.optimism(M.test) == pytest.approx(statistics.mean(losses))
    pure_noise = np.random.default_rng(0).normal(50, 1, (500, 3))
    assert stats.optimism(pure_noise) == pytest.approx(
        3.0 / math.sqrt(2), abs=1
    )  # the best of 500 is 3 sd up


def test_undecided_counts_what_lies_within_the_error_of_a_difference() -> None:
    m = Measured.of(small_table(noise=5), SPACE)
    means = [statistics.mean(row) for row in m.test.tolist()]
    good = m.test[stats.top(means)]
    error = math.sqrt(statistics.mean(statistics.variance(row) for row in good.tolist()) * 2 / 3)
    assert stats.undecided(m.test) == sum(max(means) - mean < 1.96 * error for mean in means) > 1
    assert stats.undecided(np.repeat([[1.0], [2.0], [2.0]], 3, axis=1)) == 2


# --- structure ---


def test_cells_and_functions_are_not_confused() -> None:
    assert len(M.cells) == 729 and len(M.first) == len(REPRESENTATIVES) == M.cells_per_function.size
    for i in range(0, 729, 7):
        assert M.cell_accuracy[i] == pytest.approx(ACCURACY[canonical(CELLS[i])])
        assert M.cells[M.first[M.function[i]]] == canonical(CELLS[i])
        assert M.connected[i] == is_connected(CELLS[i])
    assert M.cells_per_function.sum() == 729 and (M.cells_per_function == np.bincount(FUNCTION)).all()


def test_a_function_is_shown_by_a_cell_without_dead_convolutions() -> None:
    for cell in functions(CellSpace())[0]:
        assert all(live or op == "none" for op, live in zip(cell, live_edges(cell), strict=True))


def test_a_table_of_another_space_is_refused() -> None:
    with pytest.raises(ValueError, match="functions of"):
        Measured.of(TABLE, CellSpace(("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")))


@pytest.mark.parametrize("instead", ["none", "nor_conv_3x3"])
def test_effects_pair_every_cell_with_its_counterpart(instead: str) -> None:
    differences: dict[str, list[float]] = {"all": [], "live": [], "connected": [], "top": []}
    border = sorted(ACCURACY.values(), reverse=True)[72]
    for cell in CELLS:
        for edge, op in enumerate(cell):
            if op == "skip_connect":
                other = SPACE.parse(SPACE.str([*cell[:edge], instead, *cell[edge + 1 :]]))
                change = ACCURACY[cell] - ACCURACY[other]
                differences["all"].append(change)
                if live_edges(cell)[edge]:
                    differences["live"].append(change)
                    if is_connected(other):
                        differences["connected"].append(change)
                        if max(ACCURACY[cell], ACCURACY[other]) >= border:
                            differences["top"].append(change)
                else:
                    assert change == 0
    assert len(differences["all"]) == 729 * 6 // 3
    measured = stats.effects(M, "skip_connect", instead)
    for effect, values in zip(measured.values(), differences.values(), strict=True):
        assert effect.pairs == len(values) > 0
        assert effect.mean == pytest.approx(statistics.mean(values))
        assert effect.median == pytest.approx(statistics.median(values))
        assert effect.better == pytest.approx(sum(value > 0 for value in values) / len(values))


def test_only_live_skips_count() -> None:
    expected = [
        sum(op == "skip_connect" and live for op, live in zip(cell, live_edges(cell), strict=True))
        for cell in CELLS
    ]
    assert stats.live_skips(M).tolist() == expected


# --- epochs, price ---


def test_fidelity_compares_each_epoch_with_the_final_test_accuracy() -> None:
    few = np.arange(0, len(M.first), 4)
    m = Measured(**vars(M) | {"valid": M.valid[few], "test": M.test[few]})
    final = [statistics.mean(row) for row in m.test.tolist()]
    good = stats.top(final)
    for epoch, row in enumerate(stats.fidelity(m)):
        values = m.valid[:, :, epoch]
        mean = values.mean(1)
        single = [slow_tau(values[:, seed].tolist(), final) for seed in range(3)]
        single_top = [
            slow_tau(values[good, seed].tolist(), np.array(final)[good].tolist()) for seed in range(3)
        ]
        expected = (
            slow_tau(mean.tolist(), final),
            slow_tau(mean[good].tolist(), np.array(final)[good].tolist()),
            statistics.mean(single),
            statistics.mean(single_top),
        )
        assert tuple(row) == pytest.approx(expected)


def test_the_price_is_taken_apart_and_its_fit_measured() -> None:
    prices = stats.prices(M)
    assert prices is not None and list(prices) == ["network", "skip_connect", "nor_conv_3x3"]
    for i in range(0, 729, 31):
        parts = prices["network"] + sum(prices[op] for op in CELLS[i] if op != "none")
        assert M.seconds[i] == pytest.approx(parts, rel=1e-4)
    measured = TABLE.function_seconds.mean(1).tolist()
    fitted = [M.seconds[CELLS.index(cell)] for cell in REPRESENTATIVES]
    mean = statistics.mean(measured)
    unexplained = sum((a - b) ** 2 for a, b in zip(measured, fitted, strict=True)) / sum(
        (a - mean) ** 2 for a in measured
    )
    assert stats.price_fit(M) == pytest.approx(1 - unexplained, abs=1e-5)
    assert 0.8 < stats.price_fit(M) < 0.99
    scrambled = Measured(**vars(M) | {"seconds": np.random.default_rng(0).permutation(M.seconds)})
    assert stats.prices(scrambled) is None


def test_functions_timed_on_a_slow_machine_are_found_and_the_prices_with_them() -> None:
    rng = np.random.default_rng(4)
    slow = rng.random(len(REPRESENTATIVES)) < 0.3
    fitted = np.asarray(M.seconds[M.first], dtype=np.float64)
    timed = fitted * np.where(slow, 3.0, 1.0) * np.exp(rng.normal(0, 0.05, len(fitted)))
    two = stats.speeds(Measured(**vars(M) | {"function_seconds": timed[:, None]}))
    assert two is not None
    assert two.functions == ((~slow).sum(), slow.sum())
    assert two.factors[1] / two.factors[0] == pytest.approx(3, rel=0.03)
    assert two.fit > 0.9 and two.agreement > 0.99
    # Where all ran on one machine, the page says nothing of two.
    assert "machines of different speed" not in " ".join(datasheet.render(TABLE, SPACE).split())
    assert stats.speeds(Measured(**vars(M) | {"function_seconds": -timed[:, None]})) is None


# --- acceptance ---


def verdicts(table: TableFile) -> list[bool]:
    return [one.met for one in stats.criteria(Measured.of(table, SPACE))]


def test_criteria_that_fail_are_missed() -> None:
    """In the small table the largest cell is the best, parameters decide everything, and skips do little."""
    largest, size, everywhere, _, skips = stats.criteria(M)
    assert not largest.met and largest.measured == "rank 1 of 729 cells"
    good = stats.top(M.cell_accuracy)
    over_cells = stats.rho(M.params[good], M.cell_accuracy[good])
    assert abs(over_cells) > 0.4 and not size.met and f"{over_cells:.2f} over cells" in size.measured
    assert everywhere.met and not skips.met
    assert verdicts(small_table(noise=30))[2:4] == [False, False]


def test_criteria_that_hold_are_met() -> None:
    assert verdicts(small_table(5, taste=8, skip=9.5, noise=0.5)) == [True] * 5


def test_the_least_favourable_value_decides() -> None:
    """Validation alone may spoil the agreement of seeds, whatever the test accuracies say."""
    table = small_table(5, taste=8, skip=9.5, noise=0.5)
    spoilt = table.valid_correct.copy()
    spoilt[:, :, -1] = np.random.default_rng(0).integers(0, 1000, spoilt.shape[:2])
    worse = TableFile(**vars(table) | {"valid_correct": spoilt})
    assert verdicts(worse) == [True, True, False, False, True]


# --- words and figures ---


def test_numbers_are_written_plainly() -> None:
    assert datasheet.number(1234.567) == "1,234.57"
    assert datasheet.number(-0.001) == "0.00" and datasheet.number(-1.5, 1) == "−1.5"
    assert datasheet.number(float("nan")) == "–"
    assert [datasheet.signed(x) for x in (0.5, -0.5, 0.0)] == ["+0.50", "−0.50", "0.00"]
    assert datasheet.percent(0.1234) == "12.3 %"


def test_flow_breaks_prose_and_nothing_else() -> None:
    code = "```\n\n" + "|op~0|+" * 30 + "\n\n```"
    table = "| " + "x " * 90 + "|"
    prose = "word " * 40
    text = datasheet.flow(f"{code}\n\n{table}\n\n{prose}\n\n- {prose}\n- {prose}")
    assert code in text and table in text
    *_, plain, items = text.split("\n\n")
    assert plain.split() == prose.split() and max(map(len, plain.splitlines())) <= 116
    assert items.split() == ["-", *prose.split(), "-", *prose.split()]
    assert [line[:2] for line in items.splitlines()] == ["- ", "  ", "- ", "  "]


def test_the_text_depends_on_the_table_alone() -> None:
    text = datasheet.render(TABLE, SPACE)
    assert text == datasheet.render(small_table(), SPACE)
    assert text != datasheet.render(small_table(1), SPACE)
    assert TABLE.content_hash in text and "a processor" in text
    assert "nan" not in text.lower().split()


def test_what_the_text_says_is_what_was_computed() -> None:
    text = " ".join(datasheet.render(TABLE, SPACE).split())
    best = max(REPRESENTATIVES, key=ACCURACY.__getitem__)
    assert f"1 {SPACE.str(best)} " in text
    assert "**missed**" in text and "| rank 1 of 729 cells | **missed** |" in text
    disconnected = sum(not is_connected(cell) for cell in CELLS)
    assert f"In {disconnected} of the 729 cells no path leads" in text
    near = stats.within(list(ACCURACY.values()), (5,))[0]
    assert f" {near} ({100 * near / 729:.2f} %) |" in text
    assert f"R² = {stats.price_fit(M):.3f}" in text


def test_the_tables_of_the_text_are_complete() -> None:
    lines = datasheet.render(TABLE, SPACE).splitlines()
    columns = {
        i: len(re.findall(r"(?<!\\)\|", line)) for i, line in enumerate(lines) if line.startswith("| ")
    }
    assert len(columns) > 40
    for i, count in columns.items():
        assert columns.get(i - 1, count) == count, lines[i]


def test_writing_leaves_every_figure_that_the_text_shows(tmp_path: Path) -> None:
    datasheet.write(TABLE, tmp_path, SPACE)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)
    assert sorted(shown) == sorted(datasheet.FIGURES)
    assert {path.name for path in tmp_path.iterdir()} == {"README.md", *shown}
    assert all((tmp_path / name).stat().st_size > 2_000 for name in shown)


def test_every_axis_of_the_figures_has_a_name() -> None:
    for name, figure in datasheet.draw(TABLE, SPACE).items():
        axes = [ax for ax in figure.axes if ax.axison]
        assert all(ax.get_xlabel() and ax.get_ylabel() for ax in axes), name
        assert axes or name == "best_cells.png"


def test_the_committed_datasheet_is_that_of_the_table_in_the_library() -> None:
    if not TABLE_PATH.exists():
        pytest.skip("the table is not built yet")
    committed = datasheet.FOLDER / "README.md"
    assert committed.read_text(encoding="utf-8") == datasheet.render(TableFile.read(TABLE_PATH)), (
        "docs/table is out of date: python -m scripts.table.datasheet"
    )
    assert all((datasheet.FOLDER / name).is_file() for name in datasheet.FIGURES)
