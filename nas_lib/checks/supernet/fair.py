"""Cases of `train_fair_step`: supernets whose paths are drawn at random, and whose step is one number for all that.

Each decision of the supernet has the logits of its own images. So the sum of the losses over a fair set of paths, and
with it the step, does not depend on which options met on a path: it is compared with the reference. How options meet is
judged by counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.random import default_rng

from nas_lib.checks.exercise import Instance
from nas_lib.checks.supernet.networks import NUMBERS
from nas_lib.checks.supernet.shared import LESSON, NAN, between, floats
from nas_lib.checks.values import Part, PartlyRandom

AGAIN = 5
"""Steps that are repeated with an equal generator, and with another one."""
MIXED: list[list[Any]] = [["skip", 3, 0.5], ["a", "b", "c"], [2, 3, 5]]


class FairSupernets:
    """Makes the supernet of an instance, which notes how it is called."""

    def __init__(self, instance: Instance) -> None:
        self.choices = [list(options) for options in instance["choices"]]
        self.weights, self.stem, self.unused = (instance[key] for key in ("weights", "stem", "unused"))

    def build(self) -> Any:
        """(x, path) -> logits in float64: a shared linear layer, and for the images of decision d its option's."""
        import torch
        from torch import nn

        choices = self.choices

        def matrix(rows: Any) -> Any:
            return nn.Parameter(torch.tensor(rows, dtype=torch.float64))

        class Supernet(nn.Module):
            """Row i of a batch is for decision i modulo their number."""

            def __init__(self, stem: Any, weights: Any, unused: Any) -> None:
                super().__init__()
                self.stem, self.unused = matrix(stem), matrix(unused)
                self.options = nn.ModuleList(nn.ParameterList(map(matrix, one)) for one in weights)
                self.calls: list[tuple[list[Any], bool]] = _Calls()

            def forward(self, x: Any, path: Sequence[Any]) -> Any:
                self.calls.append((list(path), self.training))
                logits = []
                shared = x @ self.stem.T
                for row in range(len(x)):
                    place = row % len(choices)
                    option = _place(choices[place], path[place])
                    logits.append(self.options[place][option] @ shared[row])  # type: ignore[index]
                return torch.stack(logits)

        return Supernet(self.stem, self.weights, self.unused)


class _Calls(list[Any]):
    """Calls of a supernet, of its copies as well."""

    def __deepcopy__(self, memo: Any) -> _Calls:
        return self


def _place(options: Sequence[Any], option: Any) -> int:
    for place, known in enumerate(options):
        if type(known) is type(option) and known == option:
            return place
    raise ValueError(f"the supernet was called with {option!r}, which is none of the options {options!r}")


def _used(calls: Sequence[Any], choices: Sequence[Sequence[Any]]) -> Any:
    """Of each decision, how often each option was on a path of one step."""
    return [
        [sum(_place(options, path[d]) == place for path, _ in calls) for place in range(len(options))]
        for d, options in enumerate(choices)
    ]


class TrainFairStep(PartlyRandom):
    """`train_fair_step(supernet, batch, optimizer, choices, rng)`: K fair paths, one step by the sum of gradients."""

    name, lesson, returns = "train_fair_step", LESSON, "float"
    changes = (
        "*.stem",
        "*.stem.grad",
        "*.options.*",
        "*.unused.grad",
        "optimizer.state*",
    )
    parts = (
        Part(
            "used",
            concept="unfair",
            message="in a step each option of each decision is on exactly one path: how often each was, decision by "
            "decision, {differ}",
            exact=True,
        ),
        Part(
            "modes",
            concept="eval-mode",
            message="the supernet was in evaluation mode for a path: batch norms must see the batch",
            exact=True,
        ),
        Part(
            "unused",
            concept="moves-the-others",
            message="a weight that is on no path has moved",
            tolerance=0.0,
        ),
        Part(
            "own",
            concept="wrong-step",
            message="the options' weights move otherwise than one step of the optimizer by the sum of the K paths' "
            "gradients moves them: the list of all these weights {differ}",
            tolerance=NUMBERS,
        ),
        Part(
            "stem",
            concept="wrong-step",
            message="the options' weights move rightly, but those that all paths share do not: the gradients of all K "
            "paths are added up on them; the list of these weights {differ}",
            tolerance=NUMBERS,
        ),
        Part(
            "losses",
            concept="other-loss",
            message="the weights move rightly, but the loss returned {differ}: the mean of the K paths' losses, all "
            "before the step",
            tolerance=1e-6,
            floor=0.1,
        ),
    )

    def instances(self, seed: int) -> list[Instance]:
        """Steps on spaces of one to six decisions and one to five options, with old gradients, by several optimizers,
        with frozen weights, a single image, large inputs, NaN in a pixel and in a weight; many steps, for their draws;
        bad input."""
        rng = default_rng(seed)

        def case(decisions: int, size: int, steps: int = 1, **more: Any) -> Instance:
            width, classes, batch = 3, int(rng.integers(3, 5)), decisions + int(rng.integers(2, 5))
            names = [[f"{chr(97 + d)}{i}" for i in range(size)] for d in range(decisions)]
            return {
                "choices": names,
                "stem": floats(rng, (width, width)),
                "weights": floats(rng, (decisions, size, classes, width), -1.5, 1.5),
                "unused": floats(rng, (2, 2)),
                "x": floats(rng, (batch, width), -2, 2),
                "y": rng.integers(classes, size=batch).tolist(),
                "steps": steps,
                "seed": int(rng.integers(10**6)),
                "optimizer": "SGD",
                "options": {"lr": between(rng, 0.05, 0.2)},
                **more,
            }

        decay = {"lr": 0.1, "weight_decay": 0.3, "momentum": 0.9}
        nan = case(2, 2, about="a pixel of NaN, where the loss is NaN", _left=0.5)
        nan["x"][0][1] = NAN
        half = case(
            2, 3, about="weights of one option that are NaN, so that one path's loss is NaN", _left=0.5
        )
        half["weights"][1][2][0][0] = NAN
        large = case(2, 3, about="inputs in the thousands")
        large["x"] = [[1000 * one for one in row] for row in large["x"]]
        single = case(1, 3, about="a single image")
        single |= {"x": single["x"][:1], "y": single["y"][:1]}
        many = case(4, 3, steps=200, draws=True, options={"lr": 1e-3}, about="many steps")
        many |= {"x": many["x"][:4], "y": many["y"][:4]}
        few = case(2, 3, stale=True, changes=["*.grad"])
        return [
            case(2, 3),
            case(3, 2, stale=True, about="gradients left over from before"),
            case(6, 5, about="six decisions of five options"),
            case(2, 3, steps=3, about="three steps in a row"),
            case(2, 3, steps=3, stale=True, options=decay, about="weight decay and momentum"),
            case(2, 3, steps=3, optimizer="Adam", options={"lr": 0.05}, about="another optimizer"),
            case(3, 3, choices=MIXED, lists=True, about="options of several types, in lists"),
            case(1, 4, about="a single decision"),
            case(3, 1, options=decay, steps=2, about="a single option"),
            case(2, 2, frozen=True, about="shared weights that are frozen"),
            single,
            nan,
            half,
            large,
            many,
            few
            | {"bad": "decisions with three and two options", "choices": [["a0", "a1", "a2"], ["b0", "b1"]]},
            few
            | {"bad": "decisions with two and three options", "choices": [["a0", "a1"], ["b0", "b1", "b2"]]},
            few | {"bad": "no decisions", "choices": []},
            few | {"bad": "decisions without options", "choices": [[], []]},
            few | {"bad": "a batch with fewer labels than images", "y": few["y"][:-1]},
            few | {"bad": "a batch with more labels than images", "y": [*few["y"], 0]},
            few | {"bad": "a single label for several images", "y": few["y"][:1]},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """What became of the weights, the losses, and which options each step used; of many steps the paths."""
        made = FairSupernets(instance)
        net, losses, calls = self._steps(fn, instance, made, instance["steps"], instance["seed"])
        found = {
            "used": [_used(one, made.choices) for one in calls],
            "modes": sorted({mode for one in calls for _, mode in one}),
            "unused": net.unused,
            "own": [
                one
                for options in net.options
                for option in options
                for one in option.detach().flatten().tolist()
            ],
            "stem": net.stem,
            "losses": losses,
        }
        if not instance.get("draws"):
            return found
        again, other = (
            _paths(self._steps(fn, instance, made, AGAIN, instance["seed"] + add)[2]) for add in (0, 1)
        )
        return found | {"draws": _paths(calls), "again": again, "other": other}

    def _steps(self, fn: Any, instance: Instance, made: FairSupernets, steps: int, seed: int) -> Any:
        """The supernet after so many steps, their losses, and the calls of each."""
        import torch

        net = made.build().train()
        net.stem.requires_grad_(not instance.get("frozen"))
        optimizer = getattr(torch.optim, instance["optimizer"])(net.parameters(), **instance["options"])
        if instance.get("stale"):
            for parameter in net.parameters():
                parameter.grad = torch.ones_like(parameter)
        batch = (torch.tensor(instance["x"], dtype=torch.float64), torch.tensor(instance["y"]))
        kind: Any = list if instance.get("lists") else tuple
        rng, losses, calls = default_rng(seed), [], []
        for _ in range(steps):
            losses.append(fn(net, batch, optimizer, kind(map(kind, made.choices)), rng))
            calls.append(list(net.calls))
            net.calls.clear()
        return net, losses, calls


def _paths(calls: Sequence[Any]) -> list[Any]:
    """Of each step the paths that the supernet was called with."""
    return [[path for path, _ in one] for one in calls]
