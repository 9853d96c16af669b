"""Cases of `progressive_shrinking_schedule` and `distillation_loss`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import default_rng

from nas_lib.checks.exercise import Instance, Verdict, fail, show
from nas_lib.checks.judging import CONDUCT
from nas_lib.checks.supernet.shared import INFINITY, LESSON, NAN, between, floats
from nas_lib.checks.values import Part, TensorExercise, ValueExercise

NUMBERS = 1e-5  # float32 inside is as right, and T² enlarges what it rounds


class ProgressiveShrinkingSchedule(ValueExercise):
    """`progressive_shrinking_schedule(step, phases)`: what all phases begun so far allow, together."""

    name, lesson, returns = "progressive_shrinking_schedule", LESSON, "dict"
    parts = (
        Part("allowed", "what is allowed, step by step,", "wrong-schedule", exact=True),
        Part(
            "tuples",
            concept="wrong-type",
            message="the options are right, but each decision's should be a tuple",
            score=CONDUCT,
            exact=True,
        ),
    )

    def instances(self, seed: int) -> list[Instance]:
        """Every step around the beginning of a phase; phases in any order and two at once; options named again; options
        of several types; bad input."""
        rng = default_rng(seed)
        a, b, c = sorted(int(one) for one in rng.choice(np.arange(10, 200, 2), 3, replace=False))
        phases: list[Any] = [
            [0, {"kernel": [7], "depth": [4], "expand": [6]}],
            [a, {"kernel": [5, 3]}],
            [b, {"depth": [3, 2], "kernel": [5]}],
            [c, {"expand": [4, 3], "depth": [2, 1]}],
        ]
        words = [[0, {"op": ["conv"], "drop": [0.5]}], [a, {"op": ["skip", "conv"], "drop": [0.25, 0.0]}]]
        together = [phases[0], [a, {"kernel": [5]}], [a, {"kernel": [3], "depth": [2]}]]
        steps = [0, a - 1, a, a + 1, b - 1, b, c - 1, c, c + 500]
        return [
            {"phases": phases, "steps": steps},
            {"phases": phases[::-1], "steps": steps, "about": "the last phase first"},
            {"phases": [phases[i] for i in (2, 0, 3, 1)], "steps": steps, "about": "phases in another order"},
            {"phases": phases, "steps": [c, 0, b, a - 1], "about": "steps that go back"},
            {"phases": [[0, {"resolution": [8, 12]}]], "steps": [0, 5], "about": "a single phase"},
            {
                "phases": [[0, {"kernel": [5]}], [a, {"width": [1, 2]}]],
                "steps": [a - 1, a],
                "about": "a phase that brings a decision of its own",
            },
            {"phases": together, "steps": [a - 1, a], "about": "two phases that begin at the same step"},
            {"phases": words, "steps": [0, a], "about": "words and fractions"},
            {"phases": phases[2:], "steps": [b, c], "about": "phases that begin after step 0"},
            {
                "phases": [[0, {"kernel": [3, 3, 5]}], [a, {"kernel": [7, 7]}]],
                "steps": [0, a],
                "about": "options that a phase names twice",
            },
            {"bad": "a step of -1", "phases": phases, "steps": [-1]},
            {"bad": "no phases", "phases": [], "steps": [0]},
            {"bad": "a step before the first phase", "phases": phases[1:], "steps": [a - 1]},
            {"bad": "a step before the first phase", "phases": phases[:0:-1], "steps": [a - 1]},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """What is allowed at each step, as sorted lists, and whether the options come in tuples."""

        def phases() -> list[Any]:
            return [
                (first, {name: tuple(one) if name == "depth" else list(one) for name, one in options.items()})
                for first, options in instance["phases"]
            ]

        found = [fn(step, phases()) for step in instance["steps"]]
        options = [one for allowed in found if isinstance(allowed, dict) for one in allowed.values()]
        return {
            "allowed": [
                [step, self._plain(allowed)] for step, allowed in zip(instance["steps"], found, strict=True)
            ],
            "tuples": all(isinstance(one, tuple) for one in options),
        }

    def shown(self, instance: Instance, part: Part, found: Any, right: Any) -> Verdict:
        """The first step, and the first decision, where they differ."""
        if part.key != "allowed":
            return super().shown(instance, part, found, right)
        step, one, other = next((a[0], a[1], b[1]) for a, b in zip(found, right) if a != b)
        if type(one) is dict:
            name = next(name for name in {**other, **one} if one.get(name) != other.get(name))
            said = [f"{key[name]!r}" if name in key else "nothing" for key in (one, other)]
            text = f"at step {step} {name!r} allows {said[0]}, should allow {said[1]}"
        else:
            text = f"at step {step} came {show(one)}, should be {show(other)}"
        first = {name for name, options in instance["phases"]}
        begins = f" (phases begin at {', '.join(map(str, sorted(first)))})"
        about = f" (on {instance['about']})" if instance.get("about") else ""
        return fail(part.concept, f"{text}{begins}{about}", part.score)

    @staticmethod
    def _plain(allowed: Any) -> Any:
        """In one order, since any will do."""
        if not isinstance(allowed, dict):
            return allowed
        several = (tuple, list, set, frozenset, np.ndarray)
        return {
            name: sorted(np.asarray(one).tolist() if isinstance(one, np.ndarray) else one)
            if isinstance(one, several)
            else one
            for name, one in sorted(allowed.items())
        }


class DistillationLoss(TensorExercise):
    """`distillation_loss(student, teacher, labels, temperature, weight)`: value and gradients."""

    name, lesson, returns = "distillation_loss", LESSON, "tensor"
    arguments, leaves = ("student", "teacher", "labels", "temperature", "weight"), ("student", "teacher")
    parts = (
        Part("result", "the loss", "other-loss", tolerance=NUMBERS),
        Part(
            "student",
            concept="no-gradient",
            message="the loss is right, but a wrong gradient arrives at the student's logits, or none: it {differ}",
            tolerance=NUMBERS,
        ),
        Part(
            "teacher",
            concept="trains-the-teacher",
            message="a gradient arrives at the teacher: detach its logits",
            tolerance=NUMBERS,
        ),
    )

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The loss and its gradients; of a validation batch the loss alone."""
        import torch

        if not instance.get("validation"):
            return super().probe(fn, instance, oracle)
        given = {name: self.tensor(name, instance[name]) for name in self.arguments}
        for name in self.leaves:
            given[name].requires_grad_(False)
        with torch.no_grad():
            return {"result": fn(*given.values())} | {
                name: torch.zeros_like(given[name]) for name in self.leaves
            }

    def instances(self, seed: int) -> list[Instance]:
        """Weights from 0 to 1, temperatures from below 1 up, large and equal logits, a single image; bad input."""
        rng = default_rng(seed)

        def case(temperature: float, weight: float, scale: float = 1.0, n: int = 0, **more: Any) -> Instance:
            n, classes = n or int(rng.integers(4, 8)), int(rng.integers(3, 6))
            return {
                "student": floats(rng, (n, classes), -4 * scale, 4 * scale),
                "teacher": floats(rng, (n, classes), -4 * scale, 4 * scale),
                "labels": rng.integers(classes, size=n).tolist(),
                "temperature": temperature,
                "weight": weight,
                **more,
            }

        wide = case(2.0, 0.5, n=7)
        square, same = case(2.0, 0.5), case(3, 0.5, about="equal logits")
        large = case(1.0, between(rng, 0.3, 0.6), 150.0, about="logits in the hundreds")
        large["student"][0][:2], large["teacher"][0][:2] = [-600.0, 600.0], [600.0, -600.0]
        return [
            case(between(rng, 2, 5), between(rng, 0.2, 0.45)),
            case(between(rng, 1.5, 4), 1.0, about="the teacher alone"),
            case(between(rng, 2, 4), 0, about="labels alone"),
            case(between(rng, 0.4, 0.8), between(rng, 0.55, 0.8), about="a temperature below 1"),
            large,
            case(20, 0.5, about="a temperature of 20"),
            case(between(rng, 2, 4), between(rng, 0.2, 0.45), n=1, about="a single image"),
            same | {"teacher": same["student"]},
            case(
                between(rng, 2, 4),
                between(rng, 0.2, 0.45),
                validation=True,
                about="logits that need no gradient, under torch.no_grad()",
            ),
            *(
                square | {"bad": f"a {key} of {said}", key: value}
                for key, said, value in (
                    ("temperature", "0", 0.0),
                    ("temperature", "-2", -2.0),
                    ("temperature", "NaN", NAN),
                    ("temperature", "infinity", INFINITY),
                    ("weight", "1.5", 1.5),
                    ("weight", "-0.1", -0.1),
                    ("weight", "NaN", NAN),
                    ("weight", "infinity", INFINITY),
                )
            ),
            square | {"bad": "answers for fewer images than the teacher's", "student": square["student"][:1]},
            square
            | {"bad": "a single teacher's answer for several images", "teacher": square["teacher"][:1]},
            square
            | {
                "bad": "a teacher with a single class",
                "teacher": [row[:1] for row in square["teacher"]],
            },
            wide
            | {
                "bad": "a teacher's logits with images and classes exchanged",
                "teacher": [list(row) for row in zip(*wide["teacher"])],
            },
            square | {"bad": "fewer labels than images", "labels": square["labels"][:-1]},
            square | {"bad": "more labels than images", "labels": [*square["labels"], 0]},
        ]
