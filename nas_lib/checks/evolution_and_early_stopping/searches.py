"""Cases of `hill_climb` and `regularized_evolution`: what is searched, for how long, and values that test a rule."""

from __future__ import annotations

from typing import Any

from numpy.random import Generator, default_rng

from nas_lib.checks.evolution_and_early_stopping.shared import INFINITY, LESSON, NAN
from nas_lib.checks.exercise import Instance
from nas_lib.checks.searches import SearchExercise, one_run
from nas_lib.spaces import OPS


def _some_ops(rng: Generator, count: int) -> list[str]:
    return [str(op) for op in rng.permutation(OPS)[:count]]


def _seeds(rng: Generator, count: int) -> list[int]:
    """Seeds of `count` different runs, and the first one again."""
    seeds = [int(one) for one in rng.choice(2**31, size=count, replace=False)]
    return [*seeds, seeds[0]]


class HillClimb(SearchExercise):
    """`hill_climb(objective, space, budget, rng)`."""

    name, lesson = "hill_climb", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """Cells and other spaces; budgets that end anywhere, of 1 and of the whole; plateaus; many runs."""
        rng = default_rng(seed)
        uneven = [[3, 5, 7], ["only"], [1, "two"], [16, 24.5, 32, "none"], ["a", "b"]]
        rng.shuffle(uneven)
        small = [["a", "b", "c"], ["k", "l", "m"], ["x", "y"]]
        wide = [[f"{place}-", f"{place}+"] for place in "abcdefghijklm"]
        nothing = {"choices": small, "budget": 18}
        return [
            one_run(
                rng, ops=_some_ops(rng, 3), budget=int(rng.integers(260, 300)), about="a space of 729 cells"
            ),
            one_run(rng, ops=_some_ops(rng, 2), budget=64, about="a budget of the whole space"),
            one_run(
                rng,
                choices=uneven,
                budget=int(rng.integers(30, 44)),
                _range=[-90.0, -40.0],
                about="decisions with 1 to 4 options of mixed types, values below 0",
            ),
            one_run(rng, ops=_some_ops(rng, 2), budget=60, _levels=5, about="values with ties"),
            one_run(rng, ops=_some_ops(rng, 2), budget=40, _levels=1, about="equal values everywhere"),
            one_run(
                rng,
                ops=_some_ops(rng, 2),
                budget=60,
                _range=[10_000.0, 10_000.00003],
                about="large values that differ little",
            ),
            one_run(rng, ops=_some_ops(rng, 4), budget=1, about="a budget of 1"),
            one_run(rng, choices=[["a"], ["b"]], budget=1, about="a space of one architecture"),
            one_run(rng, choices=small, budget=13, seeds=_seeds(rng, 120), about="120 runs of 13 out of 18"),
            # Each climb ends where it began: ten a run, of 14 evaluations each.
            one_run(
                rng,
                choices=wide,
                budget=140,
                seeds=_seeds(rng, 11),
                _order="falling",
                about="11 runs of ten climbs each",
            ),
            one_run(
                rng,
                choices=[list(range(15)), list("abcdefghijklmno")],
                budget=100,
                about="28 neighbours each",
            ),
            one_run(rng, **nothing | {"budget": 0}, bad="a budget of 0"),
            one_run(rng, **nothing | {"budget": -3}, bad="a budget of -3"),
            one_run(
                rng,
                **nothing | {"budget": 19},
                bad="a budget above the 18 architectures of the space",
                _uncalled=True,
            ),
            *_odd_objectives(rng, nothing, (1, 7, 18)),
        ]


class RegularizedEvolution(SearchExercise):
    """`regularized_evolution(objective, space, budget, population, sample, rng)`.

    Tournaments are tried in spaces of many decisions: relatives there seldom share the place of their mutation, so that
    a child tells its parent.
    """

    name, lesson = "regularized_evolution", LESSON
    options = ("population", "sample")

    def instances(self, seed: int) -> list[Instance]:
        """Values at random, old members best, young members best; small spaces; a budget of the first population; many
        runs."""
        rng = default_rng(seed)

        def wide() -> list[list[Any]]:
            sizes = rng.permutation([3, 4] * 8)
            return [[10 * place + step for step in range(size)] for place, size in enumerate(sizes)]

        small = [["a", "b", "c"], ["k", "l", "m"], [1, "two", 3.5], [4, 5, 6]]
        plain = {"choices": wide(), "budget": 30, "population": 10, "sample": 3}
        return [
            one_run(
                rng,
                choices=wide(),
                budget=320,
                population=20,
                sample=6,
                _range=[10_000.0, 10_000.001],
                about="a population of 20, tournaments of 6, values that differ little",
            ),
            one_run(
                rng,
                choices=wide(),
                budget=400,
                population=5,
                sample=2,
                _order="falling",
                about="old members best",
            ),
            one_run(
                rng,
                choices=wide(),
                budget=800,
                population=12,
                sample=1,
                _order="falling",
                about="tournaments of 1",
            ),
            one_run(
                rng,
                choices=[*wide(), *wide()],  # few relatives share a place
                budget=800,
                population=3,
                sample=1,
                _order="falling",
                about="tournaments of 1 in a population of 3",
            ),
            one_run(
                rng,
                choices=wide(),
                budget=800,
                population=8,
                sample=3,
                _order="rising",
                about="young members best",
            ),
            one_run(
                rng,
                ops=list(OPS),
                budget=120,
                population=12,
                sample=12,
                _range=[-90.0, -40.0],
                about="cells, values below 0, tournaments as large as the population",
            ),
            one_run(
                rng,
                choices=[[1, 2, 3], ["a", "b", "c"]],
                budget=60,
                population=12,
                sample=2,
                about="a space smaller than the population",
            ),
            one_run(
                rng,
                choices=wide(),
                budget=5,
                population=5,
                sample=2,
                about="a budget of the first population",
            ),
            one_run(rng, choices=wide(), budget=12, population=2, sample=2, about="a population of 2"),
            one_run(
                rng,
                choices=small,
                budget=13,
                population=12,
                sample=4,
                seeds=_seeds(rng, 80),
                about="80 short runs",
            ),
            one_run(
                rng,
                choices=[list(range(60))],
                budget=60,
                population=5,
                sample=2,
                about="a single decision with 60 options",
            ),
            *(
                one_run(rng, **plain | given, bad=said, _uncalled=True)
                for said, given in (
                    ("a population of 1", {"population": 1, "sample": 1}),
                    ("a population of 0", {"population": 0, "sample": 0}),
                    ("tournaments of 0", {"sample": 0}),
                    ("tournaments of -1", {"sample": -1}),
                    ("tournaments of 11 in a population of 10", {"sample": 11}),
                    ("a budget of 9 with a population of 10", {"budget": 9}),
                    ("a budget of 0", {"budget": 0}),
                )
            ),
            *_odd_objectives(rng, plain, (4, 17, 30)),
        ]


def _odd_objectives(rng: Generator, given: Instance, places: tuple[int, int, int]) -> list[Instance]:
    """Objectives of which the calls of these numbers give what is no finite number."""
    kinds = ((NAN, "NaN"), (INFINITY, "infinity"), (-INFINITY, "minus infinity"))
    return [
        one_run(rng, **given, _odd_at=[place, value], bad=f"an objective that returns {said}")
        for place, (value, said) in zip(places, kinds)
    ]
