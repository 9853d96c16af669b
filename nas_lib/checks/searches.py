"""What probes of search functions share: an objective outside, spaces to search, one run per seed."""

from __future__ import annotations

from typing import Any

from numpy.random import Generator, default_rng

from nas_lib.checks.exercise import Exercise, Instance
from nas_lib.checks.histories import Objective, plain, space_of
from nas_lib.checks.oracles import Oracle


def one_run(rng: Generator, **given: Any) -> Instance:
    """An instance of a search: one run, secret values; `given` adds to it and replaces."""
    return {
        "seeds": [int(rng.integers(2**31))],
        "_seed": int(rng.integers(2**62)),
        "_levels": 10_000_019,
        "_range": [40.0, 90.0],
        **given,
    }


class TimedObjective(Objective):
    """An objective that can also depend on time.

    With `_order` "falling" or "rising" in the instance, a value depends on when its architecture was first asked
    for, so that age can be told from merit. With `_odd_at` = [number, value] the call of that number gets that value.
    """

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self._order, self._odd_at = instance.get("_order"), dict([instance.get("_odd_at", (0, 0))])
        self._known: dict[tuple[Any, ...], float] = {}
        self._calls = 0

    def __call__(self, arch: Any) -> float:
        """The value of an architecture, at this call."""
        value = super().__call__(arch)
        self._calls += 1
        if self._calls in self._odd_at:
            return float(self._odd_at[self._calls])
        if self._order:
            age = len(self._known) / 1000
            value = self._known.setdefault(tuple(arch), 50 + age if self._order == "rising" else 80 - age)
        return value


class SearchExercise(Exercise):
    """A search function: an objective outside, one run per seed; of many runs the last has the first one's seed."""

    has_reference = False
    options: tuple[str, ...] = ()
    """Arguments beside the budget, by their keys in the instance."""

    def oracle(self, instance: Instance) -> Oracle:
        """The objective, with a limit far above what any budget here allows."""
        limit = 20 * len(instance["seeds"]) * (max(0, instance["budget"]) + 10)
        return Oracle({"objective": TimedObjective(instance)}, limit=limit)

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The history of one run per seed; the last of many has the first one's seed."""

        def run(seed: int) -> Any:
            more = [instance[key] for key in self.options]
            return fn(oracle.objective, space_of(instance), instance["budget"], *more, default_rng(seed))

        return [plain(run(seed)) for seed in instance["seeds"]]
