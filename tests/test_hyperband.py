"""Hyperband and ASHA against their papers, and what several simulated workers get done."""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from nas_lib.hyperband import ASHA, Hyperband, Trial, brackets, simulate_workers
from nas_lib.search import RandomSearch, compare, run
from nas_lib.spaces import ProductSpace
from tests.test_search import BENCH, SMALL

WIDE = ProductSpace({"number": tuple(range(1_000))})


def number(arch: Any) -> int:
    return WIDE.index(arch)


# ---------------------------------------------------------------------------------------------- Hyperband


def test_the_brackets_of_the_paper() -> None:
    """Table 1 of Li et al. 2018 (R = 81, eta = 3)."""
    assert brackets(81, 3) == [
        [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        [(34, 3), (11, 9), (3, 27), (1, 81)],
        [(15, 9), (5, 27), (1, 81)],
        [(8, 27), (2, 81)],
        [(5, 81)],
    ]
    assert brackets(12, 3) == [[(9, 1), (3, 4), (1, 12)], [(5, 4), (1, 12)], [(3, 12)]]


@pytest.mark.parametrize(("most", "eta"), [(1, 3), (2, 3), (6, 3), (12, 2), (12, 3), (200, 4), (200, 16)])
def test_every_bracket_trains_somebody_to_the_end(most: int, eta: int) -> None:
    found = brackets(most, eta)
    assert len(found) == 1 + math.floor(math.log(most, eta) + 1e-9)
    for rungs in found:
        assert rungs[-1][1] == most
        for (n, epochs), (fewer, longer) in pairwise(rungs):
            assert 1 <= fewer == n // eta and longer // eta == epochs


def test_hyperband_runs_bracket_after_bracket() -> None:
    searcher = Hyperband(WIDE, np.random.default_rng(0), 9, eta=3)
    log = []
    for _ in range(9 + 3 + 1 + 5 + 1 + 3 + 9):
        arch, epochs = searcher.ask()
        log.append((number(arch), epochs))
        searcher.tell(arch, epochs, float(number(arch)))
    first = [one for one, _ in log[:9]]
    best = sorted(first, reverse=True)
    assert log[9:13] == [*((one, 3) for one in best[:3]), (best[0], 9)]
    second = [one for one, _ in log[13:18]]
    assert log[18] == (max(second), 9)
    assert [epochs for _, epochs in log] == [1] * 9 + [3] * 3 + [9] + [3] * 5 + [9] * 4 + [1] * 9
    starts = first + second + [one for one, _ in log[19:]]
    assert len(set(starts)) == len(starts)


def test_hyperband_ends_when_all_have_been_drawn() -> None:
    history = run(partial(Hyperband, max_epochs=4, eta=2), BENCH, 1e6, 0, unit="seconds")
    assert history.stopped == "exhausted" and set(history.archs) == set(SMALL)


# ------------------------------------------------------------------------------------------------- ASHA


def test_the_best_of_a_rung_goes_up_as_soon_as_there_are_enough() -> None:
    searcher = ASHA(WIDE, np.random.default_rng(0), 9, eta=3)
    told: dict[int, list[int]] = {1: [], 3: [], 9: []}
    promoted: dict[int, set[int]] = {1: set(), 3: set()}
    for _ in range(300):
        arch, epochs = searcher.ask()
        # The rule, written down naively: the highest rung with somebody to promote, its best.
        expected = None
        for below, above in ((3, 9), (1, 3)):
            top = sorted(told[below], reverse=True)[: len(told[below]) // 3]
            waiting = [one for one in top if one not in promoted[below]]
            if waiting:
                expected = (waiting[0], above)
                promoted[below].add(waiting[0])
                break
        if expected is None:
            assert epochs == 1 and number(arch) not in told[1]
        else:
            assert (number(arch), epochs) == expected
        told[epochs].append(number(arch))
        searcher.tell(arch, epochs, float(number(arch)))
    assert len(told[9]) > 15


def test_of_equal_values_the_first_told_goes_up() -> None:
    searcher = ASHA(WIDE, np.random.default_rng(0), 2, eta=2)
    pair = [searcher.ask() for _ in range(2)]
    for arch, epochs in reversed(pair):
        searcher.tell(arch, epochs, 1.0)
    assert searcher.ask() == (pair[1][0], 2)


def test_in_the_end_there_is_nothing_left() -> None:
    history = run(partial(ASHA, max_epochs=4, eta=2), BENCH, 1e6, 0, unit="seconds")
    assert history.stopped == "exhausted" and set(history.archs) == set(SMALL)
    values = {
        epochs: {
            arch: value
            for arch, value, length in zip(history.archs, history.values, history.epochs)  # type: ignore[arg-type]
            if length == epochs
        }
        for epochs in (1, 2, 4)
    }
    assert len(values[1]) == 64
    for below, above in ((1, 2), (2, 4)):  # the better half has gone up, and some that were in it for a while
        best = sorted(values[below], key=values[below].__getitem__)[-(len(values[below]) // 2) :]
        assert set(best) <= set(values[above]) < set(values[below])


def test_only_what_was_asked_for_may_be_told_and_once() -> None:
    searcher = ASHA(WIDE, np.random.default_rng(0), 4)
    first, second = searcher.ask(), searcher.ask()
    assert first != second
    with pytest.raises(ValueError, match="arch and epochs must be what was asked for"):
        searcher.tell(first[0], 3, 1.0)
    with pytest.raises(ValueError, match="value must be a finite number, got inf"):
        searcher.tell(*first, math.inf)
    searcher.tell(*first, 1.0)
    with pytest.raises(ValueError, match="arch and epochs must be what was asked for"):
        searcher.tell(*first, 1.0)


@pytest.mark.parametrize("method", [Hyperband, ASHA])
def test_bad_options(method: Any) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(TypeError, match=r"rng must be a numpy\.random\.Generator, got 0"):
        method(SMALL, 0, 4)
    with pytest.raises(ValueError, match="max_epochs must be an integer from 1 up, got 0"):
        method(SMALL, rng, 0)
    with pytest.raises(ValueError, match=r"eta must be an integer from 2 up.*, got 1"):
        method(SMALL, rng, 4, eta=1)
    with pytest.raises(ValueError, match=r"must be .*asked for.*nothing"):
        method(SMALL, rng, 4).tell(SMALL.from_index(0), 1, 1.0)


def test_they_are_compared_with_others_at_equal_seconds_and_the_seed_decides() -> None:
    methods = {
        "random": RandomSearch,
        "hyperband": partial(Hyperband, max_epochs=4),
        "asha": partial(ASHA, max_epochs=4),
    }
    runs = [compare(methods, BENCH, 60, 5, unit="seconds", noise=True, progress=False) for _ in range(2)]
    for name in ("hyperband", "asha"):
        assert np.array_equal(runs[0].values[name], runs[1].values[name])
        archs = [tuple(history.archs) for history in runs[0].histories[name]]
        assert len(set(archs)) == 5
        assert all(history.costs.sum() <= 60 for history in runs[0].histories[name])
        paid = runs[0].histories[name][0]
        for arch in set(paid.archs):  # a training goes on: together it costs one training of that length
            where = [i for i, other in enumerate(paid.archs) if other == arch]
            length = int(paid.epochs[where].max())  # type: ignore[index]
            assert paid.costs[where].sum() == pytest.approx(BENCH.query(arch, length).seconds)


# ------------------------------------------------------------------------------------------ several workers


def test_workers_take_turns_as_they_become_free() -> None:
    order = []

    class InOrder:
        multi_fidelity = True

        def ask(self) -> Any:
            order.append(len(order))
            return order[-1], 1

        def tell(self, arch: Any, epochs: int, value: float) -> None:
            assert value == arch

    def train(arch: int, epochs: int) -> tuple[float, float]:
        return float(arch), 3.0 if arch == 0 else 1.0

    done = simulate_workers(InOrder(), train, 2, 4.0)
    assert done == [
        Trial(a, 1, float(a), t) for a, t in [(1, 1.0), (2, 2.0), (0, 3.0), (3, 3.0), (4, 4.0), (5, 4.0)]
    ]


@pytest.mark.parametrize("workers", [1, 4])
def test_more_workers_get_more_done_and_one_is_a_plain_run(workers: int) -> None:
    searcher = ASHA(SMALL, np.random.default_rng(0), 4, eta=2, resume=False)

    def train(arch: Any, epochs: int) -> tuple[float, float]:
        answer = BENCH.query(arch, epochs)
        return answer.valid, float(answer.seconds or 0)

    done = simulate_workers(searcher, train, workers, 20.0)
    assert [trial.finished for trial in done] == sorted(trial.finished for trial in done)
    assert done[-1].finished <= 20
    busy = sum(float(BENCH.query(arch, epochs).seconds or 0) for arch, epochs, _, _ in done)
    assert 0.8 * workers * 20 < busy <= workers * 20
    if workers == 1:
        alone = run(
            ASHA(SMALL, np.random.default_rng(0), 4, eta=2, resume=False), BENCH, 20, 0, unit="seconds"
        )
        assert [(trial.arch, trial.epochs) for trial in done] == list(zip(alone.archs, alone.epochs))


def test_workers_that_find_nothing_to_do_wait_until_something_is_told() -> None:
    few = ProductSpace({"number": (0, 1, 2, 3)})
    searcher = ASHA(few, np.random.default_rng(0), 4, eta=2)
    done = simulate_workers(searcher, lambda arch, epochs: (float(few.index(arch)), float(epochs)), 8, 100)
    assert [epochs for _, epochs, _, _ in done] == [1, 1, 1, 1, 2, 2, 4]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"workers": 0}, "workers must be an integer from 1 up, got 0"),
        ({"seconds": 0}, "seconds must be a positive number, got 0"),
        (
            {"train_to": lambda arch, epochs: (1.0, -1.0)},
            r"train_to must return seconds from 0 up, got -1\.0",
        ),
    ],
)
def test_bad_workers_are_refused(changes: Any, message: str) -> None:
    given = {"train_to": lambda arch, epochs: (1.0, 1.0), "workers": 2, "seconds": 5.0} | changes
    with pytest.raises(ValueError, match=message):
        simulate_workers(ASHA(SMALL, np.random.default_rng(0), 4), **given)
