"""Cases of `hyperband_brackets` and `asha`: rungs that divide and that do not, one worker and many, equal times."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Callable
from typing import Any, ClassVar

from numpy.random import default_rng

from nas_lib.checks.codec import NotPlainData, describe
from nas_lib.checks.exercise import Instance, show
from nas_lib.checks.judging import CONDUCT
from nas_lib.checks.oracles import Oracle, Refused
from nas_lib.checks.predictors_and_fidelity.shared import INFINITY, LESSON, NAN
from nas_lib.checks.values import Part, ValueExercise


class Brackets(Part):
    """Lists of lists of pairs, compared as they are; the first bracket that differs is shown."""

    def differ(self, found: Any, right: Any) -> str:
        """How many brackets there are, or the first that differs."""
        if type(found) is not list or len(found) != len(right):
            many = len(found) if type(found) is list else show(found)
            return (
                f"{many} brackets came back, should be {len(right)}: s runs from S, the largest with "
                "eta^S ≤ max_epochs, down to 0"
            )
        at = next(at for at, (one, other) in enumerate(zip(found, right)) if one != other)
        one, other = found[at], right[at]
        said = f"bracket {at} of the list is {show(one)}, should be {show(other)}"
        if type(one) is not list or len(one) != len(other):
            return said
        columns = [[_column(rungs, place) for rungs in (one, other)] for place in (0, 1)]
        wrong = [what for what, (of, should) in zip(("configs", "epochs"), columns) if of != should]
        return f"{said}: the {' and the '.join(wrong)} differ"


class HyperbandBrackets(ValueExercise):
    """`hyperband_brackets(max_epochs, eta)`."""

    name, lesson, returns = "hyperband_brackets", LESSON, "list"
    parts: ClassVar[tuple[Part, ...]] = (
        Brackets("brackets", "the brackets", "wrong-brackets", "{differ}", exact=True),
        Part("form", "a rung", "wrong-type", "the numbers are right, but {found}", exact=True, score=CONDUCT),
    )

    def instances(self, seed: int) -> list[Instance]:
        """Powers of eta and other numbers, a single epoch, fewer epochs than eta; bad input."""
        rng = default_rng(seed)
        other = [[int(one), int(eta)] for one, eta in zip(rng.integers(30, 400, size=2), (2, 5))]
        calls = [
            ([81, 3], "the paper's own 81 epochs"),
            ([9, 3], ""),
            ([6, 2], "epochs that eta does not divide"),
            ([7, 2], ""),
            ([243, 3], "243 epochs, the fifth power of eta"),
            ([1000, 10], "1000 epochs, the third power of eta"),
            ([729, 3], "729 epochs, the sixth power of eta"),
            ([59_049, 3], "59049 epochs, the tenth power of eta"),
            ([10**9 - 1, 10], "one epoch less than the ninth power of eta"),
            ([216, 6], "216 epochs, the third power of eta"),
            ([392, 7], "392 epochs, eta 7"),
            ([100, 4], "100 epochs, eta 4"),
            *((pair, "") for pair in other),
            ([16, 2], ""),
            ([1, 3], "a single epoch"),
            ([3, 4], "fewer epochs than eta"),
            ([4, 4], "as many epochs as eta"),
        ]
        bad = {
            "max_epochs = 0": [0, 3],
            "max_epochs = -5": [-5, 3],
            "eta = 1": [9, 1],
            "eta = 0": [9, 0],
            "eta = -3": [9, -3],
        }
        return [
            *({"given": given} | ({"about": about} if about else {}) for given, about in calls),
            *({"given": given, "bad": phrase} for phrase, given in bad.items()),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The brackets as lists; and what a rung is."""
        found = fn(*instance["given"])
        if found is None:
            return None
        try:
            rungs = [rung for bracket in found for rung in bracket]
            plain = [[[_whole(one) for one in rung] for rung in bracket] for bracket in found]
        except TypeError:
            raise NotPlainData(
                f"returned {describe(found)}, not a list of brackets, each a list of (configs, epochs)"
            ) from None
        odd = next((rung for rung in rungs if not isinstance(rung, tuple)), None)
        floats = any(isinstance(one, float) for rung in rungs for one in rung)
        outer = next((bracket for bracket in found if not isinstance(bracket, list)), None)
        form = "a rung is a tuple of ints, in a list"
        if odd is not None:
            form = f"a rung is {describe(odd)}: a tuple (configs, epochs) of ints is asked for"
        elif floats:
            form = "a rung holds floats: configs and epochs are ints"
        elif outer is not None:
            form = f"a bracket is {describe(outer)}: a list of rungs is asked for"
        return {"brackets": plain, "form": form}

    def returned(self, value: Any) -> Any:
        """The brackets."""
        return value.get("brackets") if type(value) is dict else None


def _column(rungs: list[Any], place: int) -> list[Any]:
    """The configs or the epochs of a bracket; what is no rung stands as it is."""
    return [rung[place] if type(rung) is list and len(rung) == 2 else rung for rung in rungs]


def _whole(number: Any) -> Any:
    """A whole number as an int, whatever its type: what it is said to be is looked at apart."""
    number = number.item() if hasattr(number, "item") else number
    return int(number) if isinstance(number, float) and number.is_integer() else number


class TimedTraining:
    """A value and a duration for each config and number of epochs, from a secret seed.

    Durations are multiples of an eighth of a second: sums of them are exact. With `_even` an epoch takes one second for
    everybody, with `_flat` every training, and with `_close` an epoch takes a second and some 1024ths. With `_levels`
    there are so few values that many are equal. The call number `_odd_at[0]` gets `_odd_at[1]`, (value, seconds).
    """

    def __init__(self, instance: Instance) -> None:
        self._seed, self._longest = instance["_seed"], instance["max_epochs"]
        self._even, self._levels = instance.get("_even", False), instance.get("_levels", 10_000)
        self._flat, self._close = instance.get("_flat", False), instance.get("_close", False)
        self._base, self._gain = instance.get("_base", 60.0), instance.get("_gain", 5.0)
        self._odd_at = dict([instance.get("_odd_at", (0, None))])
        self._calls = 0

    def __call__(self, config: Any, epochs: Any) -> list[float]:
        """[value, seconds].

        Raises:
            Refused: no such number of epochs, or far too many calls.
        """
        if type(epochs) is float and epochs.is_integer():
            epochs = int(epochs)
        if type(epochs) is not int or not 1 <= epochs <= self._longest:
            raise Refused(
                f"train_to was called with {show(epochs)} epochs: a whole number from 1 to {self._longest} is needed"
            )
        self._calls += 1
        if self._calls > 3_000:
            raise Refused("train_to was called more than 3000 times: the search never ends")
        if self._calls in self._odd_at:
            return list(self._odd_at[self._calls])
        level = self._number("value", config, epochs) % self._levels / self._levels
        speed = 1.0 if self._even else (4 + self._number("speed", config) % 13) / 8
        if self._close:
            speed = 1 + self._number("speed", config) % 5 / 1024
        value = self._base + self._gain * math.log(epochs) + 20 * level
        return [round(value, 6), 1.0 if self._flat else epochs * speed]

    def _number(self, *what: Any) -> int:
        return int(_digest([self._seed, *what]), 16)


def _digest(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, default=repr).encode()).hexdigest()[:12]


class Results(Part):
    """Who was trained how long, in the order in which it ended. Of a mistake's hundred results a digest is kept."""

    def difference(self, wrong: Any, right: Any) -> dict[str, Any]:
        """The digest of a mistake's results."""
        return {"part": self.key, "is": _digest(wrong)}

    def is_difference(self, found: Any, right: Any, difference: dict[str, Any]) -> bool:
        """Are these the mistake's results?"""
        return difference.get("is") == _digest(found)

    def differ(self, found: Any, right: Any) -> str:
        """The first result that differs."""
        at = next(
            (at for at, (one, other) in enumerate(zip(found, right)) if one != other),
            min(len(found), len(right)),
        )
        if at >= len(found) or at >= len(right):
            return f"{len(found)} results came back, should be {len(right)}"
        (config, epochs), (right_config, right_epochs) = found[at], right[at]
        said = (
            f"result {at + 1} is of {show(config)} after {show(epochs)} epochs, "
            f"should be of {show(right_config)} after {show(right_epochs)}"
        )
        if sorted(map(repr, found)) == sorted(map(repr, right)):
            return f"{said}: the same trainings, in another order than that in which they ended"
        return f"{said} (all before it are right: who was free then, and what did the rungs hold?)"


class Asha(ValueExercise):
    """`asha(train_to, propose, workers, eta, min_epochs, max_epochs, seconds)`."""

    name, lesson, returns = "asha", LESSON, "list"
    parts: ClassVar[tuple[Part, ...]] = (
        Results("results", "the results", "wrong-results", "{differ}", exact=True),
        Part("values", "the values", "wrong-values"),
        Part("finished", "the seconds at which they finished", "wrong-times"),
        Part(
            "form",
            "a result",
            "wrong-type",
            "the results are right, but one is {found}: a tuple is asked for",
            exact=True,
            score=CONDUCT,
        ),
        Part(
            "calls",
            "the calls of train_to",
            "trains-twice",
            "train_to is called {found}",
            score=CONDUCT,
            exact=True,
        ),
    )

    def instances(self, seed: int) -> list[Instance]:
        """One worker and many; etas; a last rung cut at `max_epochs`; equal times; ties; configs of each kind."""
        rng = default_rng(seed)

        def case(workers: int, eta: int, low: int, high: int, seconds: float, **given: Any) -> Instance:
            return {
                "workers": workers,
                "eta": eta,
                "min_epochs": low,
                "max_epochs": high,
                "seconds": seconds,
                "_seed": int(rng.integers(2**40)),
                **given,
            }

        many = int(rng.integers(5, 9))
        ok: Instance = {"workers": 3, "eta": 2, "low": 1, "high": 4, "seconds": 20.0}
        return [
            case(1, 2, 1, 4, 60.0, about="one worker"),
            case(4, 3, 1, 9, 60.0, about="four workers, eta 3"),
            case(many, 2, 1, 16, 40.0, _gain=-3.0, about="many workers, values that fall with training"),
            case(4, 2, 2, 7, 60.0, about="a last rung cut at max_epochs"),
            case(9, 2, 1, 8, 40.0, _even=True, about="trainings that end at the same second"),
            case(7, 2, 1, 8, 16.0, _flat=True, about="trainings that all take a second"),
            case(5, 2, 1, 8, 40.0, _close=True, about="trainings that end within a thousandth of a second"),
            case(3, 4, 1, 4, 60.0, _base=-60.0, kind="dicts", about="dicts as configs, values below 0"),
            case(4, 2, 1, 8, 30.0, _levels=2, _gain=0.0, kind="dicts", about="values with ties"),
            case(3, 2, 1, 8, 40.0, kind="cycle", about="configs that come again"),
            case(3, 2, 1, 8, 30.0, kind="empty", about="configs such as None, 0 and an empty dict"),
            case(3, 2, 4, 4, 30.0, about="min_epochs = max_epochs"),
            case(60, 2, 1, 4, 3.0, about="more workers than results"),
            case(2, 2, 1, 4, 0.25, about="seconds in which nothing ends"),
            *(
                case(**ok | given, bad=said, _uncalled=True)
                for said, given in (
                    ("a number of 0 workers", {"workers": 0}),
                    ("a number of -1 workers", {"workers": -1}),
                    ("eta = 1", {"eta": 1}),
                    ("eta = 0", {"eta": 0}),
                    ("eta = -2", {"eta": -2}),
                    ("min_epochs = 0", {"low": 0}),
                    ("min_epochs = -1", {"low": -1}),
                    ("min_epochs above max_epochs", {"low": 5}),
                    ("a limit of 0 seconds", {"seconds": 0.0}),
                    ("a limit of -1 seconds", {"seconds": -1.0}),
                    ("a limit of NaN seconds", {"seconds": NAN}),
                    ("a limit of infinitely many seconds", {"seconds": INFINITY}),
                )
            ),
            *(
                case(**ok, _odd_at=[place, pair], bad=said)
                for said, place, pair in (
                    ("a value that is NaN", 2, [NAN, 1.0]),
                    ("an infinite value", 5, [INFINITY, 1.0]),
                    ("a value of minus infinity", 7, [-INFINITY, 1.0]),
                    ("a training of 0 seconds", 4, [70.0, 0.0]),
                    ("a training of -1 seconds", 6, [70.0, -1.0]),
                    ("a training of NaN seconds", 3, [70.0, NAN]),
                    ("a training of infinitely many seconds", 4, [70.0, INFINITY]),
                )
            ),
        ]

    def oracle(self, instance: Instance) -> Oracle:
        """The trainings."""
        return Oracle({"train_to": TimedTraining(instance)})

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The results, column by column."""
        propose = _proposer(instance.get("kind", "names"))

        asked = 0

        def train_to(config: Any, epochs: Any) -> tuple[float, float]:
            nonlocal asked
            asked += 1
            value, took = oracle.call("train_to", config, epochs)
            return float(value), float(took)

        keys = ("workers", "eta", "min_epochs", "max_epochs", "seconds")
        found = fn(train_to, propose, *(instance[key] for key in keys))
        if found is None:
            return None
        if not isinstance(found, (list, tuple)):
            raise NotPlainData(
                f"returned {describe(found)}, not a list of (config, epochs, value, finished at)"
            )
        for one in found:
            if not isinstance(one, (list, tuple)) or len(one) != 4:
                raise NotPlainData(
                    f"returned {describe(one)} as a result, not (config, epochs, value, finished at)"
                )
        form = next((describe(one) for one in found if not isinstance(one, tuple)), "a tuple")
        columns: list[Any] = [[one[place] for one in found] for place in range(4)]
        often = "once for each training"
        if asked > len(found) + instance["workers"]:
            often = f"{asked} times for {len(found)} results and {instance['workers']} workers: once for each training"
        return {
            "results": [[config, _whole(epochs)] for config, epochs in zip(*columns[:2])],
            "values": columns[2],
            "finished": columns[3],
            "form": form,
            "calls": often,
        }

    def returned(self, value: Any) -> Any:
        """How many results there are."""
        return f"{len(value['results'])} results" if type(value) is dict else None


def _proposer(kind: str) -> Callable[[], Any]:
    """New configs, one at each call: names, dicts, five tuples again and again, or such that count as false."""
    number = itertools.count()
    if kind == "dicts":
        return lambda: {"lr": next(number) / 64, "depth": 3}
    if kind == "cycle":
        five = [("conv", place) for place in range(5)]
        return lambda: five[next(number) % 5]
    if kind == "empty":
        return lambda: (None, 0, {}, "", [])[next(number) % 5]
    return lambda: f"n{next(number)}"
