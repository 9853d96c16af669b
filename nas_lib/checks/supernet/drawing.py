"""Cases of `sample_path` and `fair_paths`: many draws with one generator, the first again with an equal one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import Generator, RandomState, default_rng

from nas_lib.checks.codec import describe
from nas_lib.checks.exercise import Exercise, Instance, show
from nas_lib.checks.supernet.shared import LESSON

AGAIN = 5
"""Draws that are repeated with an equal generator, and with another one."""
MIXED: list[list[Any]] = [["skip", 3, 0.5], ["a", "b", "c"], [2, 3, 5]]
"""Options of several types in one decision, which an array would turn into strings."""
ODD: dict[str, Any] = {
    "None": None, "0": 0, "''": "", "(3, 3)": (3, 3), "(3, 5)": (3, 5), "(5, 5)": (5, 5),
    "[5]": [5], "{'kernel': 3}": {"kernel": 3}, "7": 7,
}  # fmt: skip
"""Options by their names: false ones, and such as no set, key or array takes as they are."""
ODD_CHOICES = [["None", "0", "''"], ["(3, 3)", "(3, 5)", "(5, 5)"], ["[5]", "{'kernel': 3}", "7"]]


def _name(option: Any) -> Any:
    """The name of one of the odd options; what is none of them comes back in words."""
    for name, known in ODD.items():
        if type(option) is type(known) and option == known:
            return name
    return f"{describe(option)} ({show(option)})"


def _named(sizes: Sequence[int]) -> list[list[str]]:
    """Options that say which decision they belong to."""
    return [[f"{chr(97 + place % 26)}{i}" for i in range(size)] for place, size in enumerate(sizes)]


def _seeds(rng: Generator, count: int) -> list[int]:
    return [int(one) for one in rng.integers(10**6, size=count)]


class Drawing(Exercise):
    """What both samplers share."""

    lesson = LESSON
    has_reference = False

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The draws, and the first ones of an equal generator and of another."""
        kind = list if instance.get("lists") else tuple
        odd = instance.get("odd", False)

        def draw(rng: Any) -> Any:
            choices = [[ODD[one] for one in options] if odd else options for options in instance["choices"]]
            found = fn(kind(map(kind, choices)), rng)
            return self.named(found) if odd else found

        if "rng" in instance:
            legacy = instance["rng"] == "RandomState"
            return draw(RandomState(0) if legacy else instance["rng"])
        rng, again, other = (default_rng(instance["seed"] + add) for add in (0, 0, 1))
        return {
            "draws": [draw(rng) for _ in range(instance["count"])],
            "again": [draw(again) for _ in range(AGAIN)],
            "other": [draw(other) for _ in range(AGAIN)],
        }

    def named(self, path: Any) -> Any:
        """A path of odd options by their names."""
        if not isinstance(path, (tuple, list, np.ndarray)):
            return path
        names = list(map(_name, path))
        return tuple(names) if isinstance(path, tuple) else names


class SamplePath(Drawing):
    """`sample_path(choices, rng)`: every option of every decision equally likely, decisions independent."""

    name, returns = "sample_path", "tuple"

    def instances(self, seed: int) -> list[Instance]:
        """Equally many options and different numbers of them, few and mixed ones; bad input."""
        rng = default_rng(seed)
        ops = [f"op{i}" for i in range(4)]
        # The single option does not come first: whoever takes that decision's length for all would draw nothing else.
        sizes = [3, 1, *rng.permutation([2, 5]).tolist()]
        draws = _seeds(rng, 4)
        good = {"choices": [ops, ops], "seed": 0, "count": 1}
        return [
            {"choices": [ops] * 8, "seed": draws[0], "count": 800},
            {
                "choices": [options[::-1] for options in _named(sizes)],
                "seed": draws[1],
                "count": 800,
                "lists": True,
                "about": "decisions of different sizes",
            },
            {"choices": _named([3] * 38), "seed": draws[3], "count": 500, "about": "38 decisions"},
            {"choices": MIXED, "seed": draws[2], "count": 200, "about": "options of several types"},
            {
                "choices": ODD_CHOICES,
                "seed": draws[2],
                "count": 100,
                "odd": True,
                "about": "options of any type",
            },
            {"choices": [ops], "seed": draws[3], "count": 200, "lists": True, "about": "a single decision"},
            {"choices": [["only"], [7]], "seed": 0, "count": AGAIN, "about": "nothing to choose"},
            good | {"bad": "no decisions", "choices": []},
            good | {"bad": "a decision without options", "choices": [ops, []]},
            good | {"bad": "a first decision without options", "choices": [[], ops]},
            good | {"bad": "a seed instead of a generator", "rng": 7, "raises": ["TypeError"]},
            good | {"bad": "None instead of a generator", "rng": None, "raises": ["TypeError"]},
            good
            | {
                "bad": "NumPy's old RandomState instead of a Generator",
                "rng": "RandomState",
                "raises": ["TypeError"],
            },
        ]


class FairPaths(Drawing):
    """`fair_paths(choices, rng)`: each option of each decision exactly once, in orders that are independent."""

    name, returns = "fair_paths", "list"

    def named(self, path: Any) -> Any:
        """A list of paths by the names of their options."""
        named = super().named
        return [named(one) for one in path] if isinstance(path, (tuple, list, np.ndarray)) else path

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The rounds, and whether all their paths are tuples."""
        found = super().probe(fn, instance, oracle)
        rounds = [one for one in found["draws"] if isinstance(one, (list, tuple))]
        return found | {"tuples": all(isinstance(path, tuple) for paths in rounds for path in paths)}

    def instances(self, seed: int) -> list[Instance]:
        """One to four options per decision, mixed ones; a single decision; bad input."""
        draws = _seeds(default_rng(seed), 4)
        good = {"seed": 0, "count": 1}
        return [
            {"choices": _named([3] * 8), "seed": draws[0], "count": 1500},
            {"choices": _named([4] * 8), "seed": draws[1], "count": 1000, "lists": True},
            {"choices": _named([4, 4]), "seed": draws[0], "count": 700, "about": "two decisions"},
            {"choices": _named([2] * 4), "seed": draws[2], "count": 200, "about": "two options"},
            {"choices": MIXED, "seed": draws[3], "count": 60, "about": "options of several types"},
            {
                "choices": ODD_CHOICES,
                "seed": draws[3],
                "count": 40,
                "odd": True,
                "about": "options of any type",
            },
            {"choices": _named([3]), "seed": draws[1], "count": 300, "about": "a single decision"},
            {"choices": _named([1] * 3), "seed": 0, "count": AGAIN, "about": "a single option"},
            good | {"bad": "decisions with two, three and two options", "choices": _named([2, 3, 2])},
            good | {"bad": "decisions with three, three and two options", "choices": _named([3, 3, 2])},
            good | {"bad": "no decisions", "choices": []},
            good | {"bad": "decisions without options", "choices": [[], []]},
        ]
