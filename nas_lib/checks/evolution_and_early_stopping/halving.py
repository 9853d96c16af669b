"""Cases of `successive_halving`, and the parts that are compared: who was trained how long, and what was noted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from numpy.random import Generator, default_rng

from nas_lib.checks.codec import NotPlainData, describe
from nas_lib.checks.evolution_and_early_stopping.shared import INFINITY, LESSON, NAN
from nas_lib.checks.exercise import Instance, Unacceptable, show
from nas_lib.checks.judging import CONDUCT
from nas_lib.checks.oracles import Oracle, Refused
from nas_lib.checks.values import Part, ValueExercise

FORM = "(winner, list of (config, epochs, value))"


class Training:
    """A value for each config and number of epochs, all different, from a secret seed.

    With a negative `_slope` values fall with training: the best of all is in the first rung then, and wins nothing.
    With `_pairs` two configs each share their value at `min_epochs`. With a `_scale` below 1 all values lie so much
    closer together. The call number `_odd_at[0]` gets `_odd_at[1]`.
    """

    def __init__(self, instance: Instance) -> None:
        self._configs = instance["configs"]
        self._shortest, self._longest = instance["min_epochs"], instance["max_epochs"]
        self._seed, self._slope = instance["_seed"], instance.get("_slope", 5)
        self._base, self._pairs = instance.get("_base", 60), instance.get("_pairs", False)
        self._scale = instance.get("_scale", 1)
        self._odd_at = dict([instance.get("_odd_at", (0, 0))])
        self._limit, self._calls = 20 * (len(self._configs) + 10), 0

    def __call__(self, config: Any, epochs: Any) -> tuple[int, float]:
        """The config's position in the list, and its value after so many epochs.

        Raises:
            Refused: no such config, no such number of epochs, or far too many calls.
        """
        if config not in self._configs:
            raise Refused(f"train_to was called with {show(config)}, which is none of the configs")
        if type(epochs) is float and epochs.is_integer():
            epochs = int(epochs)
        if type(epochs) is not int or epochs < 1:
            raise Refused(
                f"train_to was called with {show(epochs)} epochs: a whole number from 1 up is needed"
            )
        if epochs > 10 * self._longest:
            raise Refused(f"train_to was called with {epochs} epochs, where max_epochs is {self._longest}")
        self._calls += 1
        if self._calls > self._limit:
            raise Refused(f"train_to was called more than {self._limit} times: the race never ends")
        place = self._configs.index(config)
        return place, float(self._odd_at.get(self._calls, self._value(place, epochs)))

    def _value(self, place: int, epochs: int) -> float:
        if self._pairs and epochs == self._shortest:
            order = default_rng(self._seed).permutation(len(self._configs)).tolist()
            return self._base + order.index(place) // 2
        # Curves that cross: who leads early need not lead late.
        level = default_rng([self._seed, place, epochs]).uniform(-10, 10)
        return round(float(self._base + self._scale * (self._slope * math.log(epochs) + level)), 9)


class Rungs(Part):
    """The calls rung by rung: epochs, and which configs, in any order."""

    def read(self, value: Any) -> Any:
        """[epochs, positions of the configs] of each run of calls with equal epochs."""
        rungs: list[tuple[int, list[int]]] = []
        for place, epochs, _ in _triples(value, "calls"):
            if not rungs or rungs[-1][0] != epochs:
                rungs.append((epochs, []))
            rungs[-1][1].append(place)
        return [[epochs, sorted(places, key=repr)] for epochs, places in rungs]

    def differ(self, found: Any, right: Any) -> str:
        """The sizes and epochs where they differ, else the configs of the first rung that differs."""
        shapes = [
            ([len(places) for _, places in one], [epochs for epochs, _ in one]) for one in (found, right)
        ]
        if shapes[0] != shapes[1]:
            (sizes, epochs), (right_sizes, right_epochs) = shapes
            return (
                f"rungs of {show(sizes)} configs at {show(epochs)} epochs, "
                f"should be {show(right_sizes)} at {show(right_epochs)}"
            )
        at = next(at for at, (one, other) in enumerate(zip(found, right)) if one != other)
        return (
            f"the rung at {found[at][0]} epochs trains the configs {show(found[at][1])} (positions in the list), "
            f"should train {show(right[at][1])}: the best of the rung before go on"
        )


class Trials(Part):
    """The list of trials against the calls that were made."""

    def read(self, value: Any) -> Any:
        """How the trials agree with the calls."""
        both = value.get("trials") if type(value) is dict else None
        calls, trials = _triples(both, "calls"), _triples(both, "trials")
        if trials == calls:
            return "the calls in their order"
        if sorted(map(repr, trials)) == sorted(map(repr, calls)):
            return "the calls in another order"
        if len(trials) != len(calls):
            return f"not the calls: {len(trials)} for {len(calls)} calls"
        columns = zip(("configs", "epochs", "values"), zip(*trials), zip(*calls))
        return f"the calls with other {' and '.join(what for what, one, other in columns if one != other)}"

    def differ(self, found: Any, right: Any) -> str:
        """What they are."""
        return f"the trials are {found}; they should be all (config, epochs, value) in the order of the calls"


class Form(Part):
    """What a trial is."""

    def differ(self, found: Any, right: Any) -> str:
        """What it is, and should be."""
        return f"a trial should be {right} (config, epochs, value), not {found}"


def _triples(value: Any, key: str) -> list[list[Any]]:
    """The triples under a key of an answer.

    Raises:
        Unacceptable: there are none, or their last entries are no plain numbers.
    """
    found = value.get(key) if type(value) is dict else None
    if type(found) is not list or any(type(one) is not list or len(one) != 3 for one in found):
        raise Unacceptable("wrong-shape", f"the {key} did not come back as triples")
    odd = [one for _, *pair in found for one in pair if type(one) not in (int, float)]
    if odd:
        raise Unacceptable("wrong-type", f"epochs and values are numbers, not {describe(odd[0])}")
    return found


class SuccessiveHalving(ValueExercise):
    """`successive_halving(train_to, configs, eta, min_epochs, max_epochs)`: the rungs, as they were called."""

    name, lesson, returns = "successive_halving", LESSON, "tuple"
    parts: ClassVar[tuple[Part, ...]] = (
        Rungs("calls", "the calls", "wrong-rungs", "{differ}", exact=True),
        Trials("trials", "the trials", "wrong-trials", "{differ}", exact=True),
        Part(
            "winner",
            "the winner",
            "wrong-winner",
            "the winner {differ}: the best of the last rung",
            exact=True,
        ),
        Form("form", "the form", "wrong-type", "{differ}", exact=True, score=CONDUCT),
    )

    def instances(self, seed: int) -> list[Instance]:
        """Several etas; numbers that divide and that do not; a last rung cut at `max_epochs`; one survivor early;
        configs of every kind, tied values, values below 0."""
        rng = default_rng(seed)

        def race(configs: Sequence[Any], eta: int, low: int, high: int, **more: Any) -> Instance:
            return {
                "configs": list(configs),
                "eta": eta,
                "min_epochs": low,
                "max_epochs": high,
                "_seed": int(rng.integers(2**62)),
                **more,
            }

        twice = _settings(rng, 5)  # of ten, five go on: one of two equal ones is left behind
        odd, ok = _names(rng, int(rng.choice([22, 23, 29, 31]))), _names(rng, 6)
        kernels, widths = (
            rng.permutation([1, 3, 5, 7]).tolist(),
            rng.permutation([8, 16, 24, 32, 48]).tolist(),
        )
        cells = [[f"conv{kernel}", width] for kernel in kernels for width in widths]
        return [
            race(_names(rng, 45), 3, 1, 9, _slope=-15, about="45 configs, eta 3, epochs 1 to 9"),
            race(odd, 2, 1, 16, _slope=-15, about="a number that eta does not divide"),
            race(cells, 3, 2, 25, _slope=-15, about="tuples as configs, and a last rung cut at max_epochs"),
            race(_settings(rng, 13), 4, 1, 1024, about="dicts as configs, of which one is left early"),
            race(
                _settings(rng, 16), 2, 2, 8, _pairs=True, about="dicts as configs that tie in the first rung"
            ),
            race(
                _names(rng, 12), 3, 1, 3, _base=-60, as_tuple=True, about="a tuple of configs, values below 0"
            ),
            race([*twice, *twice], 2, 1, 8, about="configs that come twice"),
            race(
                _names(rng, 27),
                5,
                1,
                125,
                _base=1e6,
                _scale=1e-5,
                about="large values that differ little, epochs 1 to 5³",
            ),
            race(_names(rng, 17), 2, 4, 4, about="min_epochs = max_epochs"),
            race(_names(rng, 3), 5, 1, 7, about="fewer configs than eta"),
            race(_names(rng, 1), 3, 1, 9, about="a single config"),
            race(_names(rng, 17), 2, 4, 16, about="as many configs as in an earlier race"),
            race(ok, 1, 1, 4, bad="eta = 1", _uncalled=True),
            race(ok, 0, 1, 4, bad="eta = 0", _uncalled=True),
            race(ok, -2, 1, 4, bad="eta = -2", _uncalled=True),
            race([], 2, 1, 4, bad="no configs"),
            race(ok, 2, 0, 4, bad="min_epochs = 0", _uncalled=True),
            race(ok, 2, -1, 4, bad="min_epochs = -1", _uncalled=True),
            race(ok, 2, 5, 4, bad="min_epochs above max_epochs", _uncalled=True),
            race(ok, 2, 1, 4, _odd_at=[int(rng.integers(2, 6)), NAN], bad="a value that is NaN"),
            race(ok, 2, 1, 4, _odd_at=[7, INFINITY], bad="an infinite value in the second rung"),
            race(ok, 2, 1, 4, _odd_at=[10, -INFINITY], bad="a value of minus infinity in the last rung"),
        ]

    def oracle(self, instance: Instance) -> Oracle:
        """The trainings."""
        return Oracle({"train_to": Training(instance)})

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """Calls, trials and winner."""
        configs: Any = [tuple(one) if type(one) is list else one for one in instance["configs"]]
        calls, made = [], []

        def train_to(config: Any, epochs: Any) -> float:
            place, value = oracle.call("train_to", config, epochs)
            calls.append([place, int(epochs), float(value)])
            made.append([instance["configs"][place], *calls[-1][1:]])
            return float(value)

        given = tuple(configs) if instance.get("as_tuple") else configs
        result = fn(train_to, given, instance["eta"], instance["min_epochs"], instance["max_epochs"])
        winner, trials = _read(result)
        odd = next((describe(trial) for trial in trials if not isinstance(trial, tuple)), "a tuple")
        both = {"calls": made, "trials": trials}
        return {"calls": calls, "trials": both, "winner": winner, "form": odd}

    def returned(self, value: Any) -> Any:
        """The winner."""
        return value["winner"] if type(value) is dict and value.get("winner") else None


def _read(result: Any) -> tuple[Any, list[Any]]:
    """Winner and trials, as lists."""
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise NotPlainData(f"returned {describe(result)}, not {FORM}")
    winner, trials = result
    if not isinstance(trials, list):
        raise NotPlainData(f"returned {describe(trials)} of trials, not {FORM}")
    for trial in trials:
        if not isinstance(trial, (tuple, list)) or len(trial) != 3:
            raise NotPlainData(f"returned {describe(trial)} as a trial, not {FORM}")
    return winner, trials


def _names(rng: Generator, count: int) -> list[str]:
    return [f"n{int(one)}" for one in rng.choice(1000, size=count, replace=False)]


def _settings(rng: Generator, count: int) -> list[Any]:
    return [
        {"lr": round(0.01 * k, 2), "depth": int(d)} for k, d in enumerate(rng.integers(2, 9, size=count), 1)
    ]
