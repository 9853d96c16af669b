"""Cases of `hardware_aware_search`: rewards of several kinds, spaces small and mixed, budgets up to the whole space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng

from nas_lib.checks.exercise import Instance, show
from nas_lib.checks.hardware_aware.latencies import INFINITY, LESSON, NAN
from nas_lib.checks.histories import plain, space_of
from nas_lib.checks.oracles import Oracle, Refused
from nas_lib.checks.searches import SearchExercise
from nas_lib.checks.spaces import ChoiceSpace


def reward_of(instance: Instance) -> Callable[[float, float], float]:
    """The reward of an instance: what it does with an accuracy and a latency, by `kind`; `at` is its one number."""
    at = instance["at"]
    kinds: dict[str, Callable[[float, float], float]] = {
        "difference": lambda accuracy, latency: accuracy - at * latency,
        "debt": lambda accuracy, latency: accuracy - at * latency - 200,
        "power": lambda accuracy, latency: accuracy * latency**at,
        "wall": lambda accuracy, latency: accuracy if latency <= at else 0.0,
        "target": lambda accuracy, latency: accuracy - 100 * abs(latency / at - 1),
        "constant": lambda accuracy, latency: at,
        "odd": lambda accuracy, latency: at if latency == instance["where"] else accuracy - latency,
    }
    return kinds[instance["kind"]]


def latency_of(instance: Instance, arch: Sequence[Any]) -> float:
    """A sum over the decisions.

    Raises:
        ValueError: it is none of the space.
    """
    return _sum_of(instance["prices"], instance["choices"], arch)


def accuracy_of(instance: Instance, arch: Sequence[Any]) -> float:
    """A sum of gains that stay outside the learner's process."""
    return _sum_of(instance["_gains"], instance["choices"], arch)


def _sum_of(table: Sequence[Sequence[float]], choices: Sequence[Sequence[Any]], arch: Sequence[Any]) -> float:
    rows = zip(table, choices, arch, strict=True)
    return round(sum(row[options.index(option)] for row, options, option in rows), 6)


class HardwareAwareSearch(SearchExercise):
    """`hardware_aware_search(accuracy, latency, reward, space, budget, rng)`.

    `_judged` says that the judge also looks at how good the best evaluations are.
    """

    name, lesson = "hardware_aware_search", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """Rewards that accuracy leads to and rewards that it leads away from; small and mixed spaces, nearly and wholly
        searched; rewards that say nothing; bad input."""
        rng = default_rng(seed)

        def runs(count: int) -> list[int]:
            drawn = [int(one) for one in rng.integers(10**6, size=count)]
            return [*drawn, drawn[0]]

        fast = _case(rng, 6, 4, kind="debt", at=3.0, seeds=runs(6), _judged=True)
        accurate = _case(rng, 6, 4, kind="power", at=-0.1, seeds=runs(6), _judged=True)
        accurate["choices"][2] = ["skip", 3, 5, 0.5]
        mixed = _case(rng, 3, 4, budget=30, about="options of several types")
        mixed["choices"] = [["skip", 3, 5, 0.5], [1, 2, 4, 8], ["a", "b", 1.5, 2]]
        few = _case(rng, 3, 3)
        bad = _case(rng, 3, 3)
        one = _case(rng, 2, 1, budget=1, about="a space of one architecture")
        odd = bad | {"budget": 27, "kind": "odd", "where": _latency_of_some(bad, rng)}
        return [
            fast | {"about": "a reward below 0, which falls by 3 for each unit of latency"},
            accurate | {"about": "the reward accuracy · latency^-0.1"},
            _case(rng, 4, 3, kind="wall", at=18.0, budget=40, about="a limit, and nothing beyond it"),
            _case(rng, 4, 3, kind="target", at=16.0, budget=40, about="a reward below 0"),
            few | {"budget": 27, "about": "a budget for the whole space"},
            few | {"budget": 26, "about": "a budget for all architectures but one"},
            few | {"kind": "wall", "at": 0.0, "budget": 20, "about": "a limit that nothing keeps"},
            few | {"kind": "constant", "at": -3.5, "budget": 20, "about": "a reward that is always -3.5"},
            mixed,
            few | {"budget": 1, "about": "a budget of 1"},
            few | {"budget": 2, "about": "a budget of 2"},
            one,
            bad | {"budget": 0, "bad": "a budget of 0"},
            bad | {"budget": -1, "bad": "a budget of -1"},
            bad | {"budget": 28, "bad": "a budget of 28 in a space of 27"},
            odd | {"at": NAN, "bad": "a reward that is NaN once"},
            odd | {"at": INFINITY, "bad": "a reward that is infinite once"},
            odd | {"at": -INFINITY, "bad": "a reward that is minus infinity once"},
        ]

    def oracle(self, instance: Instance) -> Oracle:
        """The accuracy; a limit of calls far above what any budget here allows."""
        space = space_of(instance)

        def objective(arch: Any) -> float:
            options = tuple(arch) if type(arch) is list else None
            if options is None or options not in space:
                raise Refused(f"accuracy was called with {show(arch)}, which is no architecture of the space")
            return accuracy_of(instance, options)

        limit = 20 * len(instance["seeds"]) * (max(0, instance["budget"]) + 10)
        return Oracle({"objective": objective}, limit=limit)

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The history of one run per seed."""

        def latency(arch: Any) -> float:
            try:
                return latency_of(instance, arch)
            except (ValueError, TypeError):
                raise Refused(
                    f"latency was called with {show(arch)}, which is no architecture of the space"
                ) from None

        def run(seed: int) -> Any:
            space = ChoiceSpace(instance["choices"])
            return fn(
                oracle.objective, latency, reward_of(instance), space, instance["budget"], default_rng(seed)
            )

        return [plain(run(seed)) for seed in instance["seeds"]]


def _latency_of_some(instance: Instance, rng: Generator) -> float:
    """Of an architecture in the middle of the space, alone with its latency."""
    space = ChoiceSpace(instance["choices"])
    return latency_of(instance, space.from_index(int(rng.integers(len(space)))))


def _case(rng: Generator, decisions: int, options: int, **more: Any) -> Instance:
    """A space in which, on the whole, what takes longer is more accurate."""
    prices = rng.uniform(1, 9, (decisions, options)).round(2)
    gains = (prices + rng.normal(0, 1.5, prices.shape) + 40 / decisions).round(3)
    return {
        "choices": [[f"{chr(97 + d)}{i}" for i in range(options)] for d in range(decisions)],
        "prices": prices.tolist(),
        "_gains": np.maximum(gains, 0.1).tolist(),
        "kind": "difference",
        "at": 1.0,
        "budget": 120,
        "seeds": [int(rng.integers(10**6))],
        **more,
    }
