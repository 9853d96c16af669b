"""Cases of `bayesian_optimization`: spaces and budgets of every size, a predictor whose answers come from outside."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import default_rng

from nas_lib.checks.codec import describe
from nas_lib.checks.exercise import Instance, show
from nas_lib.checks.histories import plain, space_of
from nas_lib.checks.oracles import Oracle, Refused
from nas_lib.checks.predictors_and_fidelity.shared import INFINITY, LESSON, NAN
from nas_lib.checks.searches import SearchExercise, TimedObjective, one_run
from nas_lib.spaces import OPS


class Surrogate:
    """A predictor that knows nothing: mean and std of an architecture come from a secret seed, and change with each
    evaluation that it is fitted to."""

    def __init__(self, instance: Instance) -> None:
        self._space, self._seed = space_of(instance), instance["_seed"]
        self._low, self._high = instance["_predicted" if "_predicted" in instance else "_range"]
        self._fitted = 0

    def fit(self, archs: Any, values: Any, forms: Any) -> int:
        """How many evaluations it was fitted to.

        Raises:
            Refused: what was passed in are no architectures with a value each.
        """
        self._known("fit", archs)
        if len(np.ravel(values)) != len(archs):
            raise Refused(
                f"fit was called with {len(archs)} architectures and {len(np.ravel(values))} values"
            )
        self._fitted = len(archs)
        return self._fitted

    def predict(self, archs: Any, form: Any) -> list[list[float]]:
        """[means, stds].

        Raises:
            Refused: what was passed in are no architectures.
        """
        places = self._known("the predictor", archs)
        numbers = [self._number(place) for place in places]
        width = self._high - self._low
        means = [self._low + width * (one % 9973) / 9973 for one in numbers]
        stds = [width * (1 + one // 9973 % 97) / 97 for one in numbers]
        return [means, stds]

    def _known(self, who: str, archs: Any) -> list[int]:
        listed = [tuple(arch) for arch in archs] if type(archs) is list else None
        odd = archs if listed is None else next((one for one in listed if one not in self._space), None)
        if listed is None or odd is not None:
            raise Refused(
                f"{who} was called with {show(odd)}: a list of architectures of the space is needed"
            )
        return [self._space.index(arch) for arch in listed]

    def _number(self, place: int) -> int:
        digest = hashlib.sha256(json.dumps([self._seed, self._fitted, place]).encode()).digest()
        return int.from_bytes(digest[:6], "big")


class BayesianOptimization(SearchExercise):
    """`bayesian_optimization(objective, space, budget, initial, pool, fit, rng, acquisition)`.

    The acquisition here is mean + 2 · std − best: an answer must not depend on the exercise before. With `default` none
    is passed in, and where the learner's code looks for its own `expected_improvement` it finds that acquisition.
    """

    name, lesson = "bayesian_optimization", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """Cells and other spaces; pools of 1 and of more than is left; a budget of the whole space; many runs."""
        rng = default_rng(seed)
        uneven = [[3, 5, 7], ["only"], [1, "two"], [16, 24.5, 32, "none"]]
        rng.shuffle(uneven)
        small = [["a", "b", "c"], ["k", "l", "m"], ["x", "y"]]
        nothing = {"choices": small, "budget": 12, "initial": 4, "pool": 3}
        seeds = [int(one) for one in rng.choice(2**31, size=100, replace=False)]
        ops = [str(op) for op in rng.permutation(OPS)[:3]]
        return [
            one_run(rng, ops=ops, budget=30, initial=8, pool=12, about="a space of 729 cells"),
            one_run(
                rng,
                choices=uneven,
                budget=24,
                initial=5,
                pool=6,
                _range=[-90.0, -40.0],
                about="a budget of the whole space, options of mixed types, values below 0",
            ),
            one_run(rng, choices=small, budget=10, initial=1, pool=4, about="a single random evaluation"),
            one_run(rng, choices=small, budget=9, initial=9, pool=4, about="random evaluations alone"),
            one_run(rng, choices=small, budget=10, initial=3, pool=1, about="pools of 1"),
            # Each acquisition is below 0.
            one_run(rng, choices=small, budget=12, initial=3, pool=50, _predicted=[0.0, 10.0])
            | {"about": "pools larger than the space"},
            one_run(rng, choices=small, budget=14, initial=4, pool=3, _levels=2, about="values with ties"),
            one_run(rng, choices=[list("abcdefghij"), list("klmnopqrst")], budget=100, initial=93, pool=3)
            | {"about": "the last of 100 architectures"},
            one_run(rng, choices=[["a"], ["b"]], budget=1, initial=1, pool=1, about="a space of one"),
            # Means above the best value, where an std counts for little: a confidence bound would say otherwise.
            one_run(rng, ops=ops, budget=22, initial=5, pool=60, default=True, _predicted=[60.0, 140.0])
            | {"about": "acquisition=None"},
            one_run(
                rng,
                choices=small,
                budget=5,
                initial=3,
                pool=4,
                seeds=[*seeds, seeds[0]],
                about="100 runs of 5 out of 18",
            ),
            *(
                one_run(rng, **nothing | given, bad=said, _uncalled=True)
                for said, given in (
                    ("a budget of 0", {"budget": 0}),
                    ("a budget of -2", {"budget": -2, "initial": -2}),
                    ("a budget above the 18 architectures of the space", {"budget": 19}),
                    ("a number of 0 initial evaluations", {"initial": 0}),
                    ("a number of -1 initial evaluations", {"initial": -1}),
                    ("more initial evaluations than the budget", {"initial": 13}),
                    ("pools of 0", {"pool": 0}),
                    ("pools of -3", {"pool": -3}),
                )
            ),
            *(
                one_run(rng, **nothing, _odd_at=[place, value], bad=f"an objective that returns {said}")
                for place, value, said in (
                    (2, NAN, "NaN"),
                    (6, INFINITY, "infinity"),
                    (12, -INFINITY, "−infinity"),
                )
            ),
        ]

    def oracle(self, instance: Instance) -> Oracle:
        """The objective, the predictor and the acquisition, all in one log."""
        surrogate, runs = Surrogate(instance), len(instance["seeds"])

        def acquire(mean: Any, std: Any, best: Any, forms: Any) -> list[float]:
            found: list[float] = (np.ravel(mean) + 2 * np.ravel(std) - float(best)).tolist()
            return found

        answers: dict[str, Any] = {
            "objective": TimedObjective(instance),
            "fit": surrogate.fit,
            "predict": surrogate.predict,
            "acquire": acquire,
        }
        return Oracle(answers, limit=200 * runs * (max(0, instance["budget"]) + 10))

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The history of one run per seed."""

        def fit(archs: Any, values: Any) -> Any:
            held = describe(values) if np.ndim(values) == 1 else f"an array of the shape {np.shape(values)}"
            forms = [describe(archs), held]
            oracle.call("fit", [list(arch) for arch in archs], np.ravel(values).tolist(), forms)

            def predict(candidates: Any) -> Any:
                asked = [list(arch) for arch in candidates]
                means, stds = oracle.call("predict", asked, describe(candidates))
                return np.array(means), np.array(stds)

            return predict

        def acquisition(mean: Any, std: Any, best: Any) -> Any:
            both = np.ravel(mean).tolist(), np.ravel(std).tolist()
            found = oracle.call("acquire", *both, float(best), [describe(mean), describe(std)])
            return np.array(found)

        def run(seed: int) -> Any:
            given = [instance[key] for key in ("budget", "initial", "pool")]
            more = [] if instance.get("default") else [acquisition]
            return fn(oracle.objective, space_of(instance), *given, fit, default_rng(seed), *more)

        if instance.get("default"):
            with _in_place_of(fn, "expected_improvement", acquisition):
                return [plain(run(seed)) for seed in instance["seeds"]]

        return [plain(run(seed)) for seed in instance["seeds"]]


@contextlib.contextmanager
def _in_place_of(fn: Any, name: str, other: Any) -> Iterator[None]:
    """While this lasts, `fn` finds `other` under a global name, if it has that name at all."""
    names = getattr(inspect.unwrap(fn), "__globals__", {})
    there = name in names
    before = names.get(name)
    if there:
        names[name] = other
    try:
        yield
    finally:
        if there:
            names[name] = before
