"""Cases of `sample_uniform`: spaces of every shape, and many draws."""

from __future__ import annotations

from typing import Any

from numpy.random import default_rng

from nas_lib.checks.exercise import Exercise, Instance
from nas_lib.checks.spaces import ChoiceSpace
from nas_lib.spaces import OPS


class SampleUniform(Exercise):
    """`sample_uniform(space, rng)`."""

    name, lesson, returns = "sample_uniform", "01_random_search", "arch"
    has_reference = False

    def instances(self, seed: int) -> list[Instance]:
        """A space shaped like the cells', one with 1 to 7 options, one with many, a tiny one, and impossible ones."""
        rng = default_rng(seed)
        ops = list(rng.permutation(OPS))
        sizes = [1, 2, 3, 7]
        rng.shuffle(sizes)
        # Numbers that could be no positions, others in each decision. One type in one space: an array of an
        # architecture's options keeps it then.
        uneven = [[100 * place + 8 * step for step in range(2, 2 + size)] for place, size in enumerate(sizes)]
        tiny = [["a", "b"], ["c", "d", "e"], ["x", "y"]]
        rng.shuffle(tiny)
        seeds = [int(one) for one in rng.integers(2**31, size=6)]
        return [
            {"choices": [[str(op) for op in ops]] * 6, "draws": 1500, "seed": seeds[0], "other": seeds[1]},
            {
                "choices": uneven,
                "draws": 6000,  # so many that a bias of a tenth of a draw shows
                "seed": seeds[2],
                "other": seeds[3],
                "about": f"decisions with {sizes} options",
            },
            {
                # Of so many options, some come more often where a number from 0 to 9 or 99 is cut to fit.
                "choices": [[f"option {step}" for step in range(67)], [True, False]],
                "draws": 6000,
                "seed": seeds[5],
                "other": seeds[2],
                "about": "a decision with 67 options",
            },
            {
                "choices": tiny,
                "draws": 1000,
                "seed": seeds[4],
                "other": seeds[5],
                "about": "a space of 12 architectures",
            },
            {
                "choices": [
                    [1, "a", 2.5],
                    ["b", 3],
                    *([f"{place}-", f"{place}+"] for place in range(6)),
                ],
                "draws": 400,
                "seed": seeds[0],
                "other": seeds[2],
                "about": "eight decisions, options of mixed types",
                "_left": 0.5,
            },
            *(
                {"bad": phrase, "choices": choices, "draws": 1, "seed": seeds[0], "other": seeds[1]}
                for phrase, choices in (
                    ("a space without decisions", []),
                    ("a last decision without options", [["a", "b"], []]),
                    ("a first decision without options", [[], ["a", "b"]]),
                )
            ),
        ]

    def returned(self, value: Any) -> Any:
        """The first draw."""
        return value["draws"][0] if type(value) is dict and value.get("draws") else None

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """Draws from one generator; the first ones again from a generator of the same seed, and from
        another."""
        space = ChoiceSpace(instance["choices"])
        rng = default_rng(instance["seed"])
        draws = [fn(space, rng) for _ in range(instance["draws"])]
        again, other = default_rng(instance["seed"]), default_rng(instance["other"])
        return {
            "draws": draws,
            "again": [fn(space, again) for _ in range(20)],
            "other": [fn(space, other) for _ in range(20)],
        }
