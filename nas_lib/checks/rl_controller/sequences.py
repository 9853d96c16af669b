"""Cases of `ema_baseline` and `discounted_returns`: columns of floats, from rewards in any form."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator, default_rng

from nas_lib.checks.exercise import Instance, Verdict, fail, show
from nas_lib.checks.rl_controller.shared import FLOAT32, INFINITY, LESSON, NAN, floats, with_one
from nas_lib.checks.values import Part, ValueExercise


def tiny(rng: Generator, size: int) -> list[float]:
    """Numbers between 1e-5 and 9e-5."""
    return [round(1e-5 * one, 8) for one in floats(rng, size, 1, 9)]


class OfRewards(ValueExercise):
    """What the two functions of a sequence of rewards share: columns of floats, from rewards in any form."""

    returns = "floats"
    parts: ClassVar = (Part(what="the result", concept="wrong-values", tolerance=FLOAT32, floor=1e-5),)
    option: ClassVar[str]

    def problems(self, rng: Generator) -> list[tuple[list[Any], float, str]]:
        """(rewards, option, what is special about them) of the instances; the form is what the last says first."""
        raise NotImplementedError

    def instances(self, seed: int) -> list[Instance]:
        """The problems, other forms of rewards, and bad input."""
        rng = default_rng(seed)
        whole = [int(one) for one in rng.integers(2, 10, 4)]
        good, place = floats(rng, 6, 50, 90), int(rng.integers(6))
        share = round(float(rng.uniform(0.3, 0.7)), 2)

        def bad(phrase: str, rewards: Any = good, option: float = 0.9, form: str = "array") -> Instance:
            return {"bad": phrase, "rewards": rewards, "option": option, "form": form}

        return [
            *(
                {"rewards": rewards, "option": option, "form": "array"} | ({"about": about} if about else {})
                for rewards, option, about in self.problems(rng)
            ),
            *(
                {"rewards": rewards, "option": share, "form": form, "about": about}
                for rewards, form, about in (
                    (floats(rng, 4, 1, 9), "tuple", "a tuple"),
                    (whole, "list", "a list of whole numbers"),
                    (whole, "array", "an array of whole numbers"),
                    (floats(rng, 4, 1, 9), "float32", "an array of float32"),
                )
            ),
            bad("a reward of NaN", with_one(good, place, NAN)),
            bad("an infinite reward", with_one(good, place, INFINITY)),
            bad("a reward of minus infinity in a list", with_one(good, place, -INFINITY), form="list"),
            bad("a last reward of NaN", with_one(good, 5, NAN)),
            bad("a first reward of NaN", with_one(good, 0, NAN)),
            bad("no rewards", []),
            bad("an empty list", [], form="list"),
            bad("rewards of shape (1, 6)", [good]),
            bad("rewards of shape (6, 1)", [[one] for one in good]),
            bad("one number for the rewards", good[0]),
            *(
                bad(f"a {self.option} of {said}", option=value)
                for said, value in (
                    ("1.5", 1.5),
                    ("1.001", 1.001),
                    ("-0.1", -0.1),
                    ("NaN", NAN),
                    ("infinity", INFINITY),
                )
            ),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The result for the rewards in their form."""
        rewards, form = instance["rewards"], instance["form"]
        if form in ("array", "float32"):
            rewards = np.array(rewards, dtype=np.float32 if form == "float32" else None)
        return fn(tuple(rewards) if form == "tuple" else rewards, instance["option"])

    def shown(self, instance: Instance, part: Part, found: Any, right: Any) -> Verdict:
        """A number too many or too few has a reason of its own; else the entry, and the option."""
        if found.shape == (len(right) + 1,):
            return fail(
                "one-too-many",
                f"{len(found)} entries for {len(right)} rewards: there is one per reward, no more",
            )
        verdict = super().shown(instance, part, found, right)
        return fail(verdict.concept, f"with {self.option} = {show(instance['option'])} {verdict.message}")


class EmaBaseline(OfRewards):
    """`ema_baseline(rewards, decay)`."""

    name, lesson, option = "ema_baseline", LESSON, "decay"

    def problems(self, rng: Generator) -> list[tuple[list[Any], float, str]]:
        """Decays from 0 to 1, one reward, negative rewards, and many."""
        return [
            (floats(rng, int(rng.integers(6, 9)), 50, 95), round(float(rng.uniform(0.6, 0.95)), 3), ""),
            (
                [-3.5, *floats(rng, int(rng.integers(4, 7)), -5, 5)],
                round(float(rng.uniform(0.1, 0.4)), 3),
                "",
            ),
            (floats(rng, 5, 1, 9), 0, "a decay of 0"),
            (floats(rng, 5, 1, 9), 1, "a decay of 1"),
            (floats(rng, 1, 50, 95), 0.9, "a single reward"),
            (floats(rng, 30, 50, 95), 0.99, "30 rewards"),
            (floats(rng, 120, -9, 95), 0.995, "120 rewards"),
            (tiny(rng, 6), 0.6, "rewards of the size 1e-5"),
            ([*floats(rng, 2, 50, 95), 0.0, 0.0, *floats(rng, 2, 50, 95)], 0.7, "rewards of 0"),
        ]


class DiscountedReturns(OfRewards):
    """`discounted_returns(rewards, gamma)`: also where powers of gamma vanish, and where none does."""

    name, lesson, option = "discounted_returns", LESSON, "gamma"

    def problems(self, rng: Generator) -> list[tuple[list[Any], float, str]]:
        """Gammas from 0 to 1, a reward at the end only, and more steps than powers of gamma can follow."""
        terminal = [0.0] * int(rng.integers(3, 6)) + floats(rng, 1, 50, 95)
        return [
            (floats(rng, int(rng.integers(6, 9)), -5, 9), round(float(rng.uniform(0.5, 0.95)), 3), ""),
            (terminal, round(float(rng.uniform(0.5, 0.9)), 3), "a reward at the end only"),
            (floats(rng, 6, -5, 9), 1, "a gamma of 1"),
            (floats(rng, 6, -5, 9), 0, "a gamma of 0"),
            (floats(rng, 1, 1, 9), 0.7, "a single reward"),
            (floats(rng, 50, -1, 1), 1e-8, "50 rewards and a tiny gamma"),
            (floats(rng, 120, 50, 95), 1, "120 rewards, and a gamma of 1"),
            (floats(rng, 120, 1, 9), 0.99, "120 rewards"),
            (tiny(rng, 6), 0.9, "rewards of the size 1e-5"),
        ]
