"""Cases of `evolve_under_constraint`: limits that many, few and single architectures keep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng

from nas_lib.checks.exercise import Instance, show
from nas_lib.checks.histories import plain, space_of
from nas_lib.checks.oracles import Oracle, Refused
from nas_lib.checks.searches import SearchExercise
from nas_lib.checks.spaces import ChoiceSpace
from nas_lib.checks.supernet.shared import INFINITY, LESSON, NAN

CHEAPEST = 0.9
"""What a decision's cheapest option costs where a single architecture keeps the limit."""
ISOLATED = 6
"""Architectures that keep a limit and that no mutation leads between."""


def cost_of(instance: Instance, arch: Sequence[Any]) -> float:
    """The price of an architecture: a sum over its decisions. Without `prices` what its positions say: in a narrow case
    how far they lie apart; else −1 where they are the same everywhere, one of the first `ISOLATED`, which no mutation
    leads between, and which do not lie evenly, and more elsewhere.

    Raises:
        ValueError: it is none of the space.
    """
    if "prices" in instance:
        return _sum_of(instance["prices"], instance["choices"], arch)
    places = {options.index(option) for option, options in zip(arch, instance["choices"], strict=True)}
    if instance.get("narrow"):
        return float(max(places) - min(places))
    return len(places) - 2.0 + (max(places) >= ISOLATED)


def value_of(instance: Instance, arch: Sequence[Any]) -> float:
    """The accuracy of an architecture, a sum of gains that stay outside the learner's process."""
    return _sum_of(instance["_gains"], instance["choices"], arch)


def _sum_of(table: Sequence[Sequence[float]], choices: Sequence[Sequence[Any]], arch: Sequence[Any]) -> float:
    rows = zip(table, choices, arch, strict=True)
    return round(sum(row[options.index(option)] for row, options, option in rows), 6)


class EvolveUnderConstraint(SearchExercise):
    """`evolve_under_constraint(evaluate, cost, limit, space, budget, population, rng)`.

    `_judged` says what the judge looks at beside the limit, the budget and the history.
    """

    name, lesson = "evolve_under_constraint", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """A limit that half of the space keeps, that few keep, that one keeps; architectures within it that no mutation
        leads between, or that few lead between; small budgets and populations; random architectures alone; bad
        input."""
        rng = default_rng(seed)

        def runs(count: int) -> list[int]:
            drawn = [int(one) for one in rng.integers(10**6, size=count)]
            return [*drawn, drawn[0]]

        def alone(about: str, decisions: int, budget: int, population: int, slack: float) -> Instance:
            case = _case(rng, decisions, 3, 0.0)
            limit = round(case["limit"] + slack, 6)
            return case | {"limit": limit, "budget": budget, "population": population, "about": about}

        small = {"budget": 2, "seeds": runs(16)}
        free = alone("a limit of 0, exactly the cost of a single architecture", 3, 12, 4, 0.0)
        free |= {"prices": (np.array(free["prices"]) - CHEAPEST).round(2).tolist(), "limit": 0.0}
        usual = _case(rng, 6, 4, 0.5, seeds=runs(8), _judged="selection")
        usual["choices"][2] = ["skip", 3, 5, 0.5]
        isolated = _case(rng, 3, 14, 0.5, seeds=runs(3), _judged="isolated")
        del isolated["prices"]
        flat = _case(rng, 6, 4, 1.0, budget=60, population=4, seeds=runs(5), _judged="climb")
        flat |= {
            "prices": [[2.5] * 4] * 6,
            "_gains": [[gain - 20 for gain in gains] for gains in flat["_gains"]],
            "limit": 15.0,
            "about": "values below 0, and a limit that is exactly the cost of each architecture",
        }
        narrow = _case(rng, 3, 10, 0.5, budget=8, population=1, seeds=runs(24), _judged="descent")
        del narrow["prices"]
        narrow |= {  # what lies further up is better, so that nobody has to stay where he is
            "narrow": True,
            "_gains": [sorted(gains) for gains in narrow["_gains"]],
            "limit": 1.0,
            "about": "a limit that one mutant in six keeps",
        }
        drawn = _case(rng, 3, 3, 0.35, budget=150, population=150, seeds=runs(4), _judged="draws")
        # Each decision's cheapest option comes last: who counts to one too few never draws the last architecture.
        order = np.argsort(drawn["prices"], axis=1)[:, ::-1]
        for key in ("prices", "_gains"):
            drawn[key] = np.take_along_axis(np.array(drawn[key]), order, 1).tolist()
        bad = _case(rng, 3, 3, 0.5, budget=12, population=4)
        return [
            usual,
            _case(rng, 4, 3, 0.08, budget=30, population=6, about="a limit that few architectures keep"),
            alone("a limit that a single architecture of 27 keeps", 3, 12, 4, 0.001),
            alone("a limit that a single architecture of 729 keeps", 6, 8, 8, 0.001),
            free,
            _case(rng, 6, 3, 1.0, population=1, _judged="child", about="a population of 1", **small),
            _case(rng, 6, 3, 1.0, population=2, _judged="random", about="a population of 2", **small),
            isolated
            | {"limit": -1.0, "budget": 50, "population": 2, "about": "no mutation within the limit"},
            flat,
            _case(rng, 6, 4, 1.0, budget=22, population=1, seeds=runs(8), _judged="descent")
            | {"about": "a limit that every mutant keeps"},
            narrow,
            drawn | {"about": "a budget for the first population alone"},
            _case(rng, 3, 3, 0.5, budget=1, population=4, about="a budget of 1"),
            _case(rng, 3, 3, 0.5, budget=12, population=1, about="a population of 1"),
            bad
            | {"bad": "a limit just below the cheapest architecture's cost", "limit": _cheapest(bad) - 1e-7},
            bad | {"bad": "a limit of NaN", "limit": NAN},
            bad | {"bad": "a limit of infinity", "limit": INFINITY},
            bad | {"bad": "a limit of minus infinity", "limit": -INFINITY},
            bad | {"bad": "a budget of 0", "budget": 0},
            bad | {"bad": "a budget of -1", "budget": -1},
            bad | {"bad": "a population of 0", "population": 0},
            bad | {"bad": "a population of -1", "population": -1},
        ]

    def oracle(self, instance: Instance) -> Oracle:
        """The accuracy; a limit of calls far above what any budget here allows."""
        space = space_of(instance)

        def objective(arch: Any) -> float:
            options = tuple(arch) if type(arch) is list else None
            if options is None or options not in space:
                raise Refused(f"evaluate was called with {show(arch)}, which is no architecture of the space")
            return value_of(instance, options)

        limit = 20 * len(instance["seeds"]) * (max(0, instance["budget"]) + 10)
        return Oracle({"objective": objective}, limit=limit)

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The history of one run per seed."""

        def cost(arch: Any) -> float:
            try:
                return cost_of(instance, arch)
            except (ValueError, TypeError):
                raise Refused(
                    f"cost was called with {show(arch)}, which is no architecture of the space"
                ) from None

        def run(seed: int) -> Any:
            space = ChoiceSpace(instance["choices"])
            given = [instance[key] for key in ("budget", "population")]
            return fn(oracle.objective, cost, instance["limit"], space, *given, default_rng(seed))

        return [plain(run(seed)) for seed in instance["seeds"]]


def _cheapest(instance: Instance) -> float:
    return min(cost_of(instance, arch) for arch in product(*instance["choices"]))


def _case(rng: Generator, decisions: int, options: int, share: float, **more: Any) -> Instance:
    """A space and prices, with a limit that this share of the architectures keeps (0: the cheapest alone)."""
    choices: list[list[Any]] = [[f"{chr(97 + d)}{i}" for i in range(options)] for d in range(decisions)]
    prices = rng.uniform(1, 9, (decisions, options)).round(2)
    if not share:  # no two architectures are the cheapest
        prices[np.arange(decisions), prices.argmin(1)] = CHEAPEST
    # What costs more is worth more, on the whole: so the limit is felt.
    gains = (prices + rng.normal(0, 2.5, prices.shape)).round(3)
    totals = sorted(_sum_of(prices.tolist(), choices, arch) for arch in product(*choices))
    return {
        "choices": choices,
        "prices": prices.tolist(),
        "_gains": gains.tolist(),
        "limit": totals[max(0, math.ceil(share * len(totals)) - 1)],
        "budget": 120,
        "population": 10,
        "seeds": [int(rng.integers(10**6))],
        **more,
    }
