"""Checks of lesson 05: which path is trained, how, what its batch norms need, what a ranking is worth, search under a
limit, and the parts of once-for-all.

Networks cross as plain numbers (`_Paths` builds them); what happens to weights is compared with the reference to
rounding. Draws are judged by their counts: right code fails by bad luck with probability at most `false_fail`. A search
under a limit may draw and mutate as it likes; that it selects is judged by the mean value of what it evaluates late,
against the exact mean of all architectures within the limit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations, permutations, product
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from nas_lib.checks._mistakes import Mistake, close, first_mistake, raised
from nas_lib.checks.codec import NotPlainData, describe
from nas_lib.checks.exercise import RIGHT, Answer, Exercise, Instance, Unacceptable, Verdict, fail, show
from nas_lib.checks.histories import plain, space_of
from nas_lib.checks.oracles import Oracle, Refused
from nas_lib.checks.questions import ConceptQuestion
from nas_lib.checks.registry import register
from nas_lib.checks.searches import SearchExercise
from nas_lib.checks.spaces import ChoiceSpace
from nas_lib.judges.reading import cell, kept, number, rows
from nas_lib.judges.searches import Run
from nas_lib.judges.statistics import count_range

# torch is imported where it is used: looking an exercise up by its name imports the checks of all lessons.

LESSON = "05_supernet"
_ALPHA = 2e-9

Array = NDArray[np.float64]


def _floats(rng: Generator, size: int | tuple[int, ...], low: float = -1.0, high: float = 1.0) -> Any:
    return rng.uniform(low, high, size).round(3).tolist()


def _array(value: Any, shape: tuple[int, ...], what: str) -> Array:
    """An array (or nested lists) of numbers of this shape."""
    if value is None:
        raise Unacceptable("returns-nothing", f"{what} is None: is there a return statement?")
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise Unacceptable("wrong-type", f"{what} should be a tensor, not {describe(value)}") from None
    if array.shape != shape:
        raise Unacceptable("wrong-shape", f"{what} should have the shape {shape}, not {array.shape}")
    return array


# ------------------------------------------------------------------------------------------------ drawing


class _Drawing(Exercise):
    """What both samplers share: many calls with one generator, the first again with an equal one, and input kept."""

    lesson = LESSON

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The draws, the first five of an equal generator and of another one, and the choices afterwards."""
        if "bad" in instance:
            rng = instance["rng"] if "rng" in instance else default_rng(instance["seed"])
            return raised(lambda: fn(instance["choices"], rng))
        choices = [tuple(options) for options in instance["choices"]]
        mutable = [list(options) for options in choices]
        rng, again, other = (default_rng(instance["seed"] + add) for add in (0, 0, 1))
        return {
            "draws": [fn(choices, rng) for _ in range(instance["count"])],
            "again": [fn(choices, again) for _ in range(5)],
            "other": [fn(choices, other) for _ in range(5)],
            "lists": fn(mutable, rng),
            "after": mutable,
        }

    def judge_seeds(self, instance: Instance, found: Any) -> Verdict | None:
        """All randomness from the generator, and nothing changed."""
        first = found["draws"][:5]
        if found["again"] != first:
            return fail(
                "ignores-rng",
                "two generators with the same seed give different paths: all randomness must come from `rng`",
            )
        if found["other"] == first:
            return fail("fixed-seed", "generators with different seeds give the same paths: draw with `rng`")
        if found["after"] != [list(options) for options in instance["choices"]]:
            return fail("mutates-input", "the lists in `choices` were changed: shuffle a copy")
        return None


def _checked_path(value: Any, choices: Sequence[Sequence[Any]], what: str) -> tuple[Any, ...]:
    """A path, or a verdict on its form."""
    path = cell(value)
    if len(path) != len(choices):
        raise Unacceptable(
            "wrong-length", f"{what} should have {len(choices)} entries, one per decision, not {len(path)}"
        )
    for option, options in zip(path, choices, strict=True):
        if option not in options:
            if type(option) is int and 0 <= option < len(options):
                raise Unacceptable(
                    "indices",
                    f"these are positions, not options: {show(list(path))}; a path names the options themselves",
                )
            raise Unacceptable(
                "not-an-option-here", f"{show(option)} is none of the options {show(list(options))}"
            )
    return path


class SamplePath(_Drawing):
    """`sample_path(choices, rng)`: every option of every decision equally likely, decisions independent."""

    name = "sample_path"
    false_fail = 2 * 60 * _ALPHA

    def instances(self, seed: int) -> list[Instance]:
        """Decisions with equally many options and with different numbers of them; bad input."""
        rng = default_rng(seed)
        ops = [f"op{i}" for i in range(int(rng.integers(3, 5)))]
        # The single option does not come first: whoever takes that decision's length for all would draw nothing else.
        sizes = [int(rng.choice([2, 3, 5])), 1]
        sizes += rng.permutation([size for size in (2, 3, 5) if size != sizes[0]]).tolist()
        mixed: list[list[Any]] = [
            [f"{chr(97 + place)}{i}" for i in range(size)] for place, size in enumerate(sizes)
        ]
        mixed[sizes.index(3)] = [3, 5, 7]
        draws = [int(one) for one in rng.integers(10**6, size=2)]
        return [
            {"choices": [ops] * 3, "seed": draws[0], "count": 1500},
            {"choices": mixed, "seed": draws[1], "count": 1500, "about": "decisions of different sizes"},
            {"bad": "no decisions", "choices": [], "seed": 0},
            {"bad": "a decision without options", "choices": [ops, []], "seed": 0},
            {"bad": "a seed instead of a generator", "choices": [ops, ops], "rng": 7},
        ]

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Form, seeds, then counts of options and of pairs of options."""
        found, choices = answer.value, instance["choices"]
        n = instance["count"]
        paths = [_checked_path(one, choices, "a path") for one in rows(found["draws"], n, self.name)]
        verdict = self.judge_seeds(instance, found)
        if verdict:
            return verdict
        columns = list(zip(*paths, strict=True))
        for column, options in zip(columns, choices, strict=True):
            missing = [option for option in options if option not in column]
            if missing:
                return fail(
                    "never-drawn",
                    f"{show(missing[0])} never came in {n} paths: every option must be possible",
                )
        for column, options in zip(columns, choices, strict=True):
            low, high = count_range(n, 1 / len(options), _ALPHA)
            counts = Counter(column)
            for option in options:
                if not low <= counts[option] <= high:
                    return fail(
                        "not-uniform",
                        f"draws are not uniform: {show(option)} came {counts[option]} times in {n} paths; with equal "
                        f"chances it is {low} to {high}",
                    )
        for one, other in combinations(range(len(choices)), 2):
            cells = len(choices[one]) * len(choices[other])
            low, high = count_range(n, 1 / cells, _ALPHA)
            pairs = Counter(zip(columns[one], columns[other], strict=True))
            for pair in product(choices[one], choices[other]):
                if not low <= pairs[pair] <= high:
                    return fail(
                        "dependent-decisions",
                        f"decisions {one} and {other} are not independent: {show(pair[0])} and {show(pair[1])} come "
                        f"together {pairs[pair]} times in {n} paths instead of {low} to {high}; draw each decision "
                        "anew",
                    )
        return RIGHT


class FairPaths(_Drawing):
    """`fair_paths(choices, rng)`: each option of each decision exactly once, in orders that are independent."""

    name = "fair_paths"
    false_fail = 2 * 150 * _ALPHA

    def instances(self, seed: int) -> list[Instance]:
        """Two to four options per decision; a single one; bad input."""
        rng = default_rng(seed)

        def choices(decisions: int, options: int) -> list[list[str]]:
            return [[f"{chr(97 + place)}{i}" for i in range(options)] for place in range(decisions)]

        draws = [int(one) for one in rng.integers(10**6, size=3)]
        return [
            {"choices": choices(3, 3), "seed": draws[0], "count": 900},
            {"choices": choices(2, 4), "seed": draws[1], "count": 900},
            {"choices": choices(4, 2), "seed": draws[2], "count": 900, "about": "two options"},
            {
                "bad": "decisions with two and three options",
                "choices": [["a", "b"], ["c", "d", "e"]],
                "seed": 0,
            },
            {"bad": "no decisions", "choices": [], "seed": 0},
            {"bad": "decisions without options", "choices": [[], []], "seed": 0},
        ]

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Form and fairness of each call, seeds, then the distribution of orders."""
        found, choices = answer.value, instance["choices"]
        n, k = instance["count"], len(choices[0])
        rounds = [self._round(one, choices) for one in rows(found["draws"], n, self.name)]
        verdict = self.judge_seeds(instance, found)
        if verdict:
            return verdict
        orders = [list(zip(*paths, strict=True)) for paths in rounds]
        numbered = [
            [
                tuple(options.index(option) for option in column)
                for column, options in zip(one, choices, strict=True)
            ]
            for one in orders
        ]
        low, high = count_range(n, 1 / math.factorial(k), _ALPHA)
        for place in range(len(choices)):
            counts = Counter(one[place] for one in numbered)
            if len(counts) == 1:
                return fail(
                    "not-shuffled", f"decision {place} always has its options in the same order: shuffle"
                )
            for order in permutations(range(k)):
                if not low <= counts[order] <= high:
                    return fail(
                        "biased-shuffle",
                        f"the order {show(list(order))} of decision {place} came {counts[order]} times in {n}; all "
                        f"{math.factorial(k)} orders are equally likely, {low} to {high} times",
                    )
        chance = count_range(n, 1 / math.factorial(k), _ALPHA)
        for one, other in combinations(range(len(choices)), 2):
            same = sum(order[one] == order[other] for order in numbered)
            if not chance[0] <= same <= chance[1]:
                return fail(
                    "one-shuffle-for-all",
                    f"decisions {one} and {other} have the same order in {same} of {n} calls: each decision needs a "
                    "shuffle of its own, or the same few paths come again and again",
                )
        return RIGHT

    def _round(self, value: Any, choices: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
        k = len(choices[0])
        if type(value) is not list:
            raise Unacceptable(
                "wrong-type", f"{self.name} should return a list of paths, not {describe(value)}"
            )
        by_decision = [sorted(map(str, one)) if type(one) is list else None for one in value]
        if len(value) == len(choices) and by_decision == [sorted(options) for options in choices]:
            raise Unacceptable(
                "transposed",
                "there is one list per decision: what is asked for is one *path* per option, so transpose",
            )
        paths = [_checked_path(one, choices, "a path") for one in value]
        if len(paths) != k:
            raise Unacceptable(
                "wrong-count",
                f"{len(paths)} paths came for {k} options: one step trains as many paths as options",
            )
        for place, column in enumerate(zip(*paths, strict=True)):
            option, times = Counter(column).most_common(1)[0]
            if times > 1:
                raise Unacceptable(
                    "unfair",
                    f"option {show(option)} of decision {place} comes {times} times in one call: strictly fair is "
                    "each exactly once",
                )
        return paths


# ---------------------------------------------------------------------------------- networks as plain data


def _paths_net(weights: Sequence[Sequence[Any]], norms: Sequence[Any] | None = None) -> Any:
    """A supernet of linear layers, one per option of each decision: (x, path) -> logits; float64.

    It notes in `seen` the path and the mode of each call. With `norms` every option has a batch norm behind it.
    """
    import torch
    from torch import nn

    class Paths(nn.Module):
        """The decisions one after the other; a path names the option of each."""

        def __init__(self) -> None:
            super().__init__()
            self.decisions = nn.ModuleList(
                nn.ModuleDict(self._options(place)) for place in range(len(weights))
            )
            self.seen: list[Any] = []

        @staticmethod
        def _options(place: int) -> dict[str, nn.Module]:
            made: dict[str, nn.Module] = {}
            for i, weight in enumerate(weights[place]):
                layer = nn.Linear(len(weight[0]), len(weight)).double()
                with torch.no_grad():
                    layer.weight.copy_(torch.tensor(weight, dtype=torch.float64))
                    layer.bias.zero_()
                parts: list[nn.Module] = [layer]
                if norms is not None:
                    norm = nn.BatchNorm1d(len(weight)).double()
                    for name, value in norms[place][i].items():
                        getattr(norm, name).data.copy_(torch.tensor(value, dtype=torch.float64))
                    parts += [norm, nn.ReLU()]
                made[f"o{i}"] = nn.Sequential(*parts)
            return made

        def forward(self, x: Any, path: Sequence[str]) -> Any:
            self.seen.append({"path": list(path), "training": self.training})
            for decision, option in zip(self.decisions, path, strict=True):
                x = decision[option](x)  # type: ignore[index]  # a ModuleDict
            return x

    return Paths()


def _numbers(net: Any) -> dict[str, Any]:
    return {name: value.detach().double().numpy().copy() for name, value in net.state_dict().items()}


class _Sgd:
    """SGD as PyTorch's, whose own optimisers import for seconds what is not needed here."""

    def __init__(self, parameters: Any, lr: float, momentum: float = 0.0, weight_decay: float = 0.0) -> None:
        self.param_groups: list[dict[str, Any]] = [{"params": list(parameters), "lr": lr}]
        self._momentum, self._decay = momentum, weight_decay
        self._buffers: dict[int, Any] = {}

    def zero_grad(self, set_to_none: bool = True) -> None:
        for parameter in self.param_groups[0]["params"]:
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad.zero_()

    def step(self) -> None:
        for parameter in self.param_groups[0]["params"]:
            if parameter.grad is None:
                continue
            gradient = parameter.grad + self._decay * parameter.detach()
            if self._momentum:
                before = self._buffers.get(id(parameter))
                gradient = gradient if before is None else self._momentum * before + gradient
                self._buffers[id(parameter)] = gradient
            parameter.data -= self.param_groups[0]["lr"] * gradient


class TrainSinglePathStep(Exercise):
    """`train_single_path_step(supernet, batch, optimizer, path)`: one step of the path's weights, no others."""

    name, lesson = "train_single_path_step", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """One and three steps, old gradients, weight decay and momentum on what the path leaves out; bad input."""
        rng = default_rng(seed)

        def case(steps: int, **more: Any) -> Instance:
            width, classes, batch = 4, 3, int(rng.integers(5, 9))
            sizes = [(width, width), (width, width), (classes, width)]
            weights = [[_floats(rng, size) for _ in range(3)] for size in sizes]
            paths = [[f"o{i}" for i in rng.integers(3, size=3)] for _ in range(steps)]
            return {
                "weights": weights,
                "paths": paths,
                "x": _floats(rng, (batch, width), -2, 2),
                "y": rng.integers(classes, size=batch).tolist(),
                "options": {"lr": round(float(rng.uniform(0.05, 0.3)), 3)},
                **more,
            }

        decay = {"lr": 0.1, "weight_decay": 0.3, "momentum": 0.9}
        few, foreign = case(1), case(1)
        return [
            case(1),
            case(1, stale=True, about="gradients left over from before"),
            case(3, about="three steps in a row"),
            case(3, stale=True, options=decay, about="weight decay"),
            few | {"bad": "a batch with fewer labels than images", "y": few["y"][:-1]},
            foreign | {"bad": "a path with an option that the supernet lacks", "paths": [["o0", "o1", "o3"]]},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """Losses, all weights afterwards, and how the supernet was called."""
        import torch

        net = _paths_net(instance["weights"]).train()
        optimizer = _Sgd(net.parameters(), **instance["options"])
        if instance.get("stale"):
            for parameter in net.parameters():
                parameter.grad = torch.ones_like(parameter)
        batch = (torch.tensor(instance["x"], dtype=torch.float64), torch.tensor(instance["y"]))
        if "bad" in instance:
            return raised(lambda: fn(net, batch, optimizer, tuple(instance["paths"][0])))
        losses = [fn(net, batch, optimizer, tuple(path)) for path in instance["paths"]]
        return {
            "losses": losses,
            "weights": _numbers(net),
            "seen": net.seen,
            "training": net.training,
            "frozen": any(not parameter.requires_grad for parameter in net.parameters()),
        }

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Which paths were computed, what moved and how far, then the losses."""
        found, right = answer.value, expected.value
        wanted = [list(path) for path in instance["paths"]]
        called = [one["path"] for one in found["seen"]]
        if any(path not in called for path in wanted):
            return fail(
                "another-path", f"the supernet was not called with the path {show(wanted[0])} that was given"
            )
        if len(called) > len(wanted):
            return fail(
                "many-forward-passes",
                f"the supernet was called {len(called)} times in {len(wanted)} steps: one path and one pass a step are "
                "what makes single-path training cheap",
            )
        if not all(one["training"] for one in found["seen"]):
            return fail("eval-mode", "the supernet was in evaluation mode: batch norms must see the batch")
        start = {name: np.array(value) for name, value in self._start(instance).items()}
        verdict = self._moved(instance, start, found["weights"], right["weights"])
        if found["frozen"]:
            return fail(
                "freezes-for-good",
                "weights are left with requires_grad=False, and steps on other paths may no longer train them: what is "
                "off the path gets no gradient anyway",
            )
        if verdict:
            return verdict
        if not found["training"]:
            return fail("eval-mode", "the supernet was in training mode and is left in evaluation mode")
        if any(one is None for one in found["losses"]):
            return fail("returns-nothing", f"{self.name} returned None: is there a return statement?")
        losses = [
            number(np.reshape(one, ()) if isinstance(one, np.ndarray) and one.size == 1 else one, "the loss")
            for one in found["losses"]
        ]
        if not close(losses, right["losses"], 1e-6):
            return fail(
                "other-loss",
                f"the weights move rightly, but the loss returned is {show(losses[0])} instead of "
                f"{show(right['losses'][0])}: the mean cross-entropy of the batch before the step",
            )
        return RIGHT

    @staticmethod
    def _start(instance: Instance) -> dict[str, Any]:
        start = {}
        for place, options in enumerate(instance["weights"]):
            for i, weight in enumerate(options):
                start[f"decisions.{place}.o{i}.0.weight"] = weight
                start[f"decisions.{place}.o{i}.0.bias"] = [0.0] * len(weight)
        return start

    def _moved(self, instance: Instance, start: Any, found: Any, right: Any) -> Verdict | None:
        if all(close(found[name], right[name], 1e-8) for name in right):
            return None
        used = {
            f"decisions.{place}.{option}." for path in instance["paths"] for place, option in enumerate(path)
        }
        others = [name for name in right if not any(name.startswith(one) for one in used)]
        if all(close(found[name], start[name]) for name in right):
            return fail(
                "never-steps",
                "no weight has moved: backward() computes gradients, optimizer.step() uses them, and zero_grad() "
                "between the two throws them away",
            )
        on_path = {name: right[name] - start[name] for name in right if name not in others}
        gone = {name: np.asarray(found[name]) - start[name] for name in on_path}
        if any(not close(found[name], start[name]) for name in others):
            if instance["options"].get("weight_decay"):
                return fail(
                    "decays-the-others",
                    "options off the path have moved: a gradient of zeros is still a gradient, and weight decay acts "
                    "on it. zero_grad() sets gradients to None by default, so that they are left alone",
                )
            if len(instance["paths"]) == 1 and not instance.get("stale"):
                return fail(
                    "moves-the-others",
                    "options off the path have moved in a first step: the loss may depend on the path's weights alone",
                )
            return fail(
                "keeps-gradients",
                "options off the path have moved, by gradients left over from an earlier step: clear them before "
                "backward()",
            )
        size = len(instance["y"])
        if len(instance["paths"]) == 1 and not instance.get("stale"):
            mistakes = [
                (-1.0, "wrong-sign", "the sign is reversed: the weights go up the loss"),
                (
                    float(size),
                    "sum-not-mean",
                    "this is the step of the sum over the batch, not the mean",
                ),
            ]
            for factor, concept, message in mistakes:
                if all(close(gone[name], factor * on_path[name], 1e-7) for name in on_path):
                    return fail(concept, message)
        if instance.get("stale") or len(instance["paths"]) > 1:
            return fail(
                "keeps-gradients",
                "the step contains gradients from an earlier one: clear them before backward()",
            )
        return fail(
            "wrong-step", "the weights of the path move otherwise than one step of cross-entropy moves them"
        )


class RecalibrateBn(Exercise):
    """`recalibrate_bn(supernet, path, batches)`: the path's statistics over these batches, all else untouched."""

    name, lesson = "recalibrate_bn", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """One batch and several; supernets in training, evaluation and mixed modes, all trained for some steps already,
        with the usual momentum and another; batches that come once; bad input."""
        rng = default_rng(seed)

        def case(count: int, **more: Any) -> Instance:
            width = 4
            weights = [[_floats(rng, (width, width)) for _ in range(2)] for _ in range(2)]
            norms = [
                [
                    {
                        "weight": _floats(rng, width, 0.5, 2),
                        "bias": _floats(rng, width),
                        "running_mean": _floats(rng, width, 3, 5),
                        "running_var": _floats(rng, width, 4, 9),
                        "num_batches_tracked": int(rng.integers(3, 9)),
                    }
                    for _ in range(2)
                ]
                for _ in range(2)
            ]
            return {
                "weights": weights,
                "norms": norms,
                "path": [f"o{i}" for i in rng.integers(2, size=2)],
                "batches": [_floats(rng, (6, width), -2 + place, 2 + 2 * place) for place in range(count)],
                "training": True,
                "momentum": 0.1,
                **more,
            }

        single = case(2)
        return [
            case(3),
            case(1, about="a single batch"),
            case(4, training=False, about="a supernet in evaluation mode"),
            case(3, once=True, about="batches that can be read once"),
            case(2, momentum=0.03, about="a momentum of 0.03"),
            case(2, frozen=True, about="batch norms in evaluation mode within a supernet in training mode"),
            case(0, bad="no batches at all"),
            single | {"bad": "a batch of a single row", "batches": [x[:1] for x in single["batches"]]},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """All weights and statistics afterwards, modes, momenta, and how the supernet was called."""
        import torch
        from torch import nn

        net = _paths_net(instance["weights"], instance["norms"]).train(instance["training"])
        norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm1d)]
        for norm in norms:
            norm.momentum = instance["momentum"]
            norm.train(instance["training"] and not instance.get("frozen"))
        batches: Any = [
            (torch.tensor(x, dtype=torch.float64), torch.zeros(len(x), dtype=torch.int64))
            for x in instance["batches"]
        ]
        if instance.get("once"):
            batches = iter(batches)
        if "bad" in instance:
            return raised(lambda: fn(net, tuple(instance["path"]), batches))
        fn(net, tuple(instance["path"]), batches)
        return {
            "state": _numbers(net),
            "modes": [module.training for module in net.modules()],
            "momenta": [norm.momentum for norm in norms],
            "gradients": any(parameter.grad is not None for parameter in net.parameters()),
            "frozen": any(not parameter.requires_grad for parameter in net.parameters()),
            "seen": [one["path"] for one in net.seen],
        }

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """What must not change, then the statistics of the path."""
        found, right = answer.value, expected.value
        for name, value in right["state"].items():
            if name.endswith(("weight", "bias")) and not close(found["state"][name], value):
                return fail("weights-changed", "weights have moved: recalibration only collects statistics")
        verdict = self._statistics(instance, found["state"], right["state"])
        if verdict and found["seen"] and instance["path"] not in found["seen"]:
            return fail(
                "nothing-happens", f"the supernet was never called with the path {show(instance['path'])}"
            )
        if verdict:
            return verdict
        if found["modes"] != right["modes"]:
            if instance.get("frozen"):
                return fail(
                    "mode-changed",
                    "the batch norms came in evaluation mode, within a supernet in training mode, and are in training "
                    "mode now: one mode for all is not enough, put every module's mode back",
                )
            mode = "training" if instance["training"] else "evaluation"
            return fail(
                "mode-changed",
                f"the supernet came in {mode} mode and does not leave in it: put every module's mode back",
            )
        if found["momenta"] != right["momenta"]:
            return fail(
                "momentum-left",
                f"the batch norms' momentum was {show(right['momenta'][0])} and is {show(found['momenta'][0])} now: "
                "put it back, or training will go on with other averages",
            )
        if found["gradients"] or found["frozen"]:
            return fail(
                "weights-changed", "gradients were computed or switched off for good: use torch.no_grad()"
            )
        return RIGHT

    def _statistics(self, instance: Instance, found: Any, right: Any) -> Verdict | None:
        """The first batch norm of the path decides by what mistake the others differ."""
        names = [f"decisions.{place}.{option}.1" for place, option in enumerate(instance["path"])]
        wrong = [
            f"{name}.{what}"
            for name in names
            for what in ("running_mean", "running_var")
            if not close(found[f"{name}.{what}"], right[f"{name}.{what}"], 1e-8)
        ]
        if not wrong:
            return None
        place, option = 0, instance["path"][0]
        before = instance["norms"][place][int(option[1:])]
        old = np.array(before["running_mean"])
        weight = np.array(instance["weights"][place][int(option[1:])])
        means = [(np.array(x) @ weight.T).mean(0) for x in instance["batches"]]
        mean = np.asarray(found[f"{names[0]}.running_mean"])

        def forgetting(start: Array) -> Array:
            for one in means:
                start = start + instance["momentum"] * (one - start)
            return start

        def lingering(tracked: int) -> Array:
            average = old
            for count, one in enumerate(means, start=tracked + 1):
                average = average + (one - average) / count
            return average

        average = f"average with momentum {instance['momentum']:g}"
        mistakes: list[Mistake] = [
            (
                old,
                "nothing-happens",
                "the statistics are the old ones: batch norms collect only in training mode",
            ),
            (
                0 * old,
                "nothing-happens",
                "the statistics were reset, but nothing was collected: batch norms collect "
                "only in training mode",
            ),
            (
                forgetting(old),
                "exponential-average",
                f"the {average} keeps most of the old statistics: reset them and "
                "take the plain average over the batches (momentum = None)",
            ),
            (
                forgetting(0 * old),
                "exponential-average",
                f"after the reset the {average} is still near "
                "its start: take the plain average over the batches (momentum = None)",
            ),
            (
                means[-1],
                "last-batch-only",
                "the statistics are those of the last batch: average over all of them",
            ),
            (
                means[0],
                "first-batch-only",
                "the statistics are those of the first batch: average over all of them",
            ),
            (sum(means), "summed", "the batches' means are added up, not averaged"),
            *(
                (
                    lingering(tracked),
                    "old-statistics-linger",
                    "the old statistics take part in the average: reset them first",
                )
                for tracked in (1, before["num_batches_tracked"])
            ),
        ]
        verdict = first_mistake(mean, right[f"{names[0]}.running_mean"], mistakes)
        if verdict:
            return verdict
        if wrong[0] == f"{names[0]}.running_mean":
            return fail(
                "wrong-statistics",
                f"the running mean of the first batch norm is {show(mean)}, should be "
                f"{show(np.asarray(right[wrong[0]]))}",
            )
        if wrong[0].endswith("running_var"):
            return fail(
                "wrong-variance",
                "the means are right, the variances are not: average the batches' unbiased "
                "variances, as batch norm does with momentum = None",
            )
        return fail(
            "first-norm-only",
            "the first batch norm of the path is right, the next is not: all of them collect in the same pass, in "
            "training mode, where each batch is normalised by its own mean and variance",
        )


# ------------------------------------------------------------------------------------------------ ranking


def _kendall(a: Array, b: Array, corrected: bool = True) -> float:
    """Tau-b (or tau-a) by counting pairs."""
    upper = np.triu_indices(len(a), 1)
    da, db = (np.sign(np.subtract.outer(v, v))[upper] for v in (a, b))
    if not corrected:
        return float((da * db).mean())
    size = math.sqrt(float((da != 0).sum()) * float((db != 0).sum()))
    return float((da * db).sum() / size) if size else math.nan


def _spearman(a: Array, b: Array) -> float:
    ranks = [np.array([(v < x).sum() + ((v == x).sum() + 1) / 2 for x in v]) for v in (a, b)]
    return _pearson(*ranks)


def _pearson(a: Array, b: Array) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) and np.ptp(b) else math.nan


class RankCorrelation(Exercise):
    """`rank_correlation(scores, truth, top=None)`: tau-b, over all or among the best by truth."""

    name, lesson = "rank_correlation", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """Without and with `top`, ties in both, ties at the border of the best; bad input."""
        rng = default_rng(seed)

        def case(n: int, **more: Any) -> Instance:
            truth = rng.normal(size=n).cumsum() * 2 + 70
            return {
                "scores": (truth + rng.normal(0, 4, n)).round(3).tolist(),
                "truth": truth.round(3).tolist(),
                "top": None,
                **more,
            }

        tied = rng.integers(0, 5, 24).astype(float)
        border = np.concatenate([np.arange(40.0), [50.0] * 6, np.arange(60.0, 64.0)])
        order = rng.permutation(len(border))
        good = _floats(rng, 6, 50, 90)
        nan = [*good[:-1], float("nan")]
        return [
            case(25),
            case(240, top=0.25),  # so many that two mistakes hardly ever give the same number
            case(137, top=0.1, about="top = 0.1 of 137"),
            case(244, top=0.3, about="top = 0.3 of 244"),
            case(
                24,
                truth=tied.tolist(),
                scores=rng.integers(0, 6, 24).astype(float).tolist(),
                about="many ties",
            ),
            case(
                len(border),
                truth=border[order].tolist(),
                scores=rng.permutation(len(border)).astype(float).tolist(),
                top=6 / len(border),
                about="ties at the border of the best",
            ),
            case(12, top=1.0, about="top = 1"),
            case(2, about="a single pair of architectures"),
            case(6, scores=[50.0] * 6, about="equal scores"),
            {"bad": "more scores than truths", "scores": good, "truth": good[:-1], "top": None},
            {"bad": "fewer scores than truths", "scores": good[:-1], "truth": good, "top": None},
            {"bad": "more scores than truths, with a top,", "scores": good, "truth": good[:-1], "top": 0.5},
            {"bad": "fewer scores than truths, with a top,", "scores": good[:-1], "truth": good, "top": 0.5},
            {
                "bad": "two matrices",
                "scores": [good[:3], good[3:]],
                "truth": [good[3:], good[:3]],
                "top": None,
            },
            {"bad": "a score of NaN", "scores": nan, "truth": good, "top": None},
            {"bad": "a top of 0", "scores": good, "truth": good, "top": 0.0},
            {"bad": "a top of -0.5", "scores": good, "truth": good, "top": -0.5},
            {"bad": "a top of 1.5", "scores": good, "truth": good, "top": 1.5},
            {"bad": "a single architecture", "scores": [1.0], "truth": [2.0], "top": None},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The correlation, and what was passed in afterwards; without a `top` it is not passed."""
        given = [np.array(instance[key], dtype=np.float64) for key in ("scores", "truth")]
        more = {} if instance["top"] is None else {"top": instance["top"]}
        if "bad" in instance:
            return raised(lambda: fn(*given, **more))
        return {"tau": fn(*given, **more), "after": given}

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Exact; usual mistakes by what they give."""
        found = number(answer.value["tau"], "the correlation")
        right = float(expected.value["tau"])
        scores, truth = (np.array(instance[key], dtype=float) for key in ("scores", "truth"))
        given = [instance[key] for key in ("scores", "truth")]
        if not all(kept(after, before) for after, before in zip(answer.value["after"], given, strict=True)):
            return fail("mutates-input", "scores or truth were changed: sort a copy")
        if close(found, right) or (math.isnan(found) and math.isnan(right)):
            return RIGHT
        if math.isnan(right):
            return fail(
                "not-nan",
                f"with {instance['about']} there is no order to agree with: return NaN, not {show(found)}",
            )
        top = instance["top"] or 1.0
        n = len(truth)
        rank = max(1, math.ceil(top * n - 1e-9))
        best = truth >= np.sort(truth)[n - rank]
        by_score = scores >= np.sort(scores)[n - rank]
        worst = truth <= np.sort(truth)[rank - 1]
        exactly = np.argsort(-truth, kind="stable")[:rank]
        last = np.argsort(truth, kind="stable")[::-1][:rank]
        fewer = np.argsort(-truth, kind="stable")[: max(2, math.floor(top * n + 1e-9))]
        fewer = fewer if len(fewer) < rank else fewer[:1]  # one alone has no order: no mistake to tell
        strictly = truth > np.sort(truth)[n - rank]
        a, b = scores[best], truth[best]
        agree = np.sign(np.subtract.outer(a, a)) * np.sign(np.subtract.outer(b, b))
        ignored = "`top` is not used: this is the correlation over all"
        mistakes: list[Mistake] = [
            (_kendall(scores, truth), "ignores-top", ignored),
            (-right, "wrong-sign", "the sign is reversed: scores that order as the truth does have +1"),
            (
                _kendall(a, b, False),
                "ignores-ties",
                "this is tau-a, which counts tied pairs as if they could agree: "
                "tau-b divides by the pairs that are not tied",
            ),
            (
                float(agree.sum() / np.abs(agree).sum()) if agree.any() else math.nan,
                "gamma-not-tau",
                "this is Goodman and Kruskal's gamma, tau without tied pairs: tau-b divides by √(pairs that differ in "
                "score · pairs that differ in truth), also where the other is tied",
            ),
            (
                _kendall(a.argsort(), b.argsort()),
                "argsort-is-no-rank",
                "this is the correlation of two `argsort`s, which hold positions and no ranks: pass the values",
            ),
            (
                _kendall(scores[by_score], truth[by_score]),
                "best-by-score",
                "the best are chosen by score: choose them "
                "by `truth`, since the question is how well the truly good ones are told apart",
            ),
            (_spearman(a, b), "spearman", "this is Spearman's correlation of ranks, not Kendall's of pairs"),
            (
                _pearson(a, b),
                "pearson",
                "this is Pearson's correlation of values; only their order may count",
            ),
            (
                _kendall(scores[worst], truth[worst]),
                "worst-not-best",
                "this is among the *lowest* of truth: accuracies are maximised",
            ),
            *(
                (_kendall(scores[which], truth[which]), concept, message)
                for which, concept, message in (
                    (
                        fewer,
                        "rounds-down",
                        f"{len(fewer)} of {n} are kept: the number of the best is rounded down, take ⌈top·n⌉ = {rank}",
                    ),
                    (
                        exactly,
                        "drops-ties",
                        "architectures that tie with the last of the best are left out: all count",
                    ),
                    (
                        last,
                        "drops-ties",
                        "architectures that tie with the last of the best are left out: all count",
                    ),
                    (
                        strictly,
                        "drops-ties",
                        "the last of the best is left out, with all that tie with it: it counts",
                    ),
                )
                if len(truth[which]) > 1
            ),
        ]
        mistakes = [one for one in mistakes if math.isfinite(one[0])]
        about = f" ({instance['about']})" if instance.get("about") else ""
        return first_mistake(found, right, mistakes) or fail(
            "wrong-correlation", f"the correlation is {show(found)}, should be {show(right)}{about}"
        )


# ----------------------------------------------------------------------------------- search under a limit


def _sum_of(table: Sequence[Sequence[float]], choices: Sequence[Sequence[Any]], arch: Sequence[Any]) -> float:
    return round(
        sum(row[options.index(option)] for row, options, option in zip(table, choices, arch, strict=True)), 6
    )


class EvolveUnderConstraint(SearchExercise):
    """`evolve_under_constraint(...)`: within the limit and the budget, and late evaluations better than chance.

    `false_fail` is for right code whose search has bad luck. Over 60 seeds (eight runs each) four different evolutions
    came at least 0.33 of the way; the weakest had a mean of 0.42 with a standard deviation of 0.04, almost seven of
    which lie between it and the threshold.
    """

    name, lesson = "evolve_under_constraint", LESSON
    false_fail = 1e-8
    SHARE = 0.15
    """Of the way from the mean of all architectures within the limit to the best of them, for late evaluations."""

    def instances(self, seed: int) -> list[Instance]:
        """A limit that half of the space keeps, one that few keep, one that a single architecture keeps; bad input."""
        rng = default_rng(seed)

        def case(decisions: int, options: int, share: float, **more: Any) -> Instance:
            choices = [[f"{chr(97 + d)}{i}" for i in range(options)] for d in range(decisions)]
            prices = rng.uniform(1, 9, (decisions, options)).round(2)
            # What costs more is worth more, on the whole: so the limit is felt.
            gains = (prices + rng.normal(0, 2.5, prices.shape)).round(3)
            totals = [_sum_of(prices.tolist(), choices, arch) for arch in product(*choices)]
            limit = float(np.sort(totals)[max(0, math.ceil(share * len(totals)) - 1)])
            return {
                "choices": choices,
                "prices": prices.tolist(),
                "_gains": gains.tolist(),
                "limit": limit,
                "budget": 90,
                "population": 10,
                "seeds": [int(one) for one in rng.integers(10**6, size=1)],
                **more,
            }

        runs = [int(one) for one in rng.integers(10**6, size=8)]
        bad = {"budget": 12, "population": 4}
        return [
            case(6, 4, 0.5, seeds=[*runs, runs[0]]),
            case(4, 3, 0.08, budget=30, population=6, about="a limit that few architectures keep"),
            case(
                3, 3, 0.0, budget=12, population=4, about="a limit that a single architecture keeps, exactly"
            ),
            case(3, 3, 0.5, budget=1, population=4, about="a budget of 1"),
            case(3, 3, 0.5, budget=12, population=1, about="a population of 1"),
            case(3, 3, 0.5, limit=0.5, bad="a limit below the cheapest architecture's cost", **bad),
            case(3, 3, 0.5, limit=float("nan"), bad="a limit of NaN", **bad),
            case(3, 3, 0.5, limit=float("inf"), bad="a limit of infinity", **bad),
            case(3, 3, 0.5, bad="a budget of 0", **bad | {"budget": 0}),
            case(3, 3, 0.5, bad="a population of 0", **bad | {"population": 0}),
        ]

    def oracle(self, instance: Instance) -> Oracle:
        """The accuracy, a sum of gains; a limit of calls far above what any budget here allows."""
        space = space_of(instance)

        def objective(arch: Any) -> float:
            options = tuple(arch) if type(arch) is list else None
            if options is None or options not in space:
                raise Refused(f"evaluate was called with {show(arch)}, which is no architecture of the space")
            return _sum_of(instance["_gains"], instance["choices"], options)

        limit = 20 * len(instance["seeds"]) * (max(0, instance["budget"]) + 10)
        return Oracle({"objective": objective}, limit=limit)

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The history of one run per seed."""

        def cost(arch: Any) -> float:
            try:
                return _sum_of(instance["prices"], instance["choices"], arch)
            except (ValueError, TypeError):
                raise Refused(
                    f"cost was called with {show(arch)}, which is no architecture of the space"
                ) from None

        def run(seed: int) -> Any:
            space = ChoiceSpace(instance["choices"])
            given = [instance[key] for key in ("budget", "population")]
            return fn(oracle.objective, cost, instance["limit"], space, *given, default_rng(seed))

        if "bad" in instance:
            return raised(lambda: run(instance["seeds"][0]))
        return [plain(run(seed)) for seed in instance["seeds"]]

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """First of all the limit: what is above it must not be evaluated."""
        return self._above(instance, answer) or super().judge(instance, answer, expected)

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """Two limits say more than the exception does: the one that a single architecture keeps, and few calls."""
        verdict = self._above(instance, answer)
        if verdict:
            return verdict
        single = instance.get("about", "").startswith("a limit that a single")
        if single and answer.error_type not in ("NotImplementedError", "NotPlainData", "Missing"):
            if answer.error_type in ("Endless", "OutOfTime") and answer.calls:
                return fail(
                    "endless",
                    "the loop never ends where no mutant keeps the limit: after some tries in vain draw a random "
                    "architecture within it",
                )
            if not answer.calls:
                return fail(
                    "strict-limit",
                    "nothing was evaluated where one architecture costs exactly the limit: the limit itself is allowed",
                )
        return super().judge_error(instance, answer)

    def _above(self, instance: Instance, answer: Answer) -> Verdict | None:
        for call in answer.calls:
            if call.method == "objective" and not call.refused:
                price = _sum_of(instance["prices"], instance["choices"], call.args[0])
                if price > instance["limit"]:
                    return fail(
                        "above-the-limit",
                        f"an architecture of cost {show(price)} was evaluated under a limit of "
                        f"{show(instance['limit'])}: look at its cost before you spend an evaluation",
                    )
        return None

    def judge_runs(self, instance: Instance, runs: Sequence[Run]) -> Verdict | None:
        """Different architectures at the beginning, then late evaluations against all within the limit."""
        population = instance["population"]
        if len({arch for run in runs for arch, _ in run[:population]}) < population:
            return fail(
                "no-variety",
                f"the first {population} evaluations are of hardly any different architectures, in {len(runs)} runs: "
                "each of the first population is a random one within the limit",
            )
        share = self._share(instance, runs)
        if share < -self.SHARE:
            return fail(
                "minimum",
                "what is evaluated gets worse: values are maximised, and this looks for the minimum",
            )
        if share < self.SHARE:
            return fail(
                "no-selection",
                f"late evaluations are hardly better than random architectures within the limit ({100 * share:.0f} % "
                "of the way from their mean to the best of them): children must come from the best",
            )
        return None

    @staticmethod
    def _share(instance: Instance, runs: Sequence[Run]) -> float:
        """How far the last third of the evaluations is on the way from the mean within the limit to the best."""
        choices = instance["choices"]
        within = [
            _sum_of(instance["_gains"], choices, arch)
            for arch in product(*choices)
            if _sum_of(instance["prices"], choices, arch) <= instance["limit"]
        ]
        mean, best = float(np.mean(within)), max(within)
        third = instance["budget"] // 3
        late = float(np.mean([value for run in runs for _, value in run[-third:]]))
        return (late - mean) / (best - mean)

    def share_of(self, instance: Instance, answer: Answer) -> float:
        """The statistic that selection is judged by, of the runs behind an answer."""
        budget = instance["budget"]
        log = [(tuple(call.args[0]), float(call.value)) for call in answer.calls if not call.refused]
        return self._share(instance, [log[i : i + budget] for i in range(0, len(log) - budget, budget)])


# ------------------------------------------------------------------------------------------ once-for-all


class SliceKernel(Exercise):
    """`slice_kernel(weight, size, transform=None)`: the centre, times the matrix; gradients reach both."""

    name, lesson = "slice_kernel", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """From 7 to 5 and 3, from 5 to 3, to the same size, to 1; with and without a matrix; bad input."""
        rng = default_rng(seed)

        def case(large: int, small: int, matrix: bool, **more: Any) -> Instance:
            shape = (int(rng.integers(2, 4)), int(rng.integers(1, 3)), large, large)
            return {
                "weight": rng.normal(size=shape),
                "size": small,
                "transform": rng.normal(size=(small**2, small**2)) if matrix else None,
                **more,
            }

        return [
            case(7, 3, False),
            case(5, 3, True),
            case(7, 5, True),
            case(5, 5, False, about="the same size"),
            case(5, 5, True, about="the same size, with a matrix"),
            case(5, 1, False, about="a size of 1"),
            case(3, 1, True, about="a size of 1 out of 3"),
            case(4, 2, False, about="even sizes"),
            case(5, 3, False, bad="a size of 7 out of 5", size=7),
            case(5, 3, False, bad="a size of 2, which has no centre in 5,", size=2),
            case(5, 3, False, bad="a size of 4, which has no centre in 5,", size=4),
            case(4, 2, False, bad="a size of 0", size=0),
            case(5, 3, True, bad="a matrix for a larger size", transform=rng.normal(size=(25, 25))),
            case(5, 3, True, bad="a matrix for a smaller size", transform=rng.normal(size=(1, 1))),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The kernels, and what arrives at weight and matrix."""
        import torch

        weight = torch.tensor(instance["weight"], requires_grad=True)
        transform = instance["transform"]
        if transform is not None:
            transform = torch.tensor(transform, requires_grad=True)

        def call() -> Any:
            return (
                fn(weight, instance["size"]) if transform is None else fn(weight, instance["size"], transform)
            )

        if "bad" in instance:
            return raised(call)
        result = call()
        if isinstance(result, torch.Tensor) and result.requires_grad:
            (
                result * torch.arange(result.numel(), dtype=torch.float64).reshape(result.shape)
            ).sum().backward()
        return {
            "result": result,
            "weight": weight.grad,
            "transform": None if transform is None else transform.grad,
            "after": weight.detach(),
        }

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Exact."""
        weight, size, transform = (instance[key] for key in ("weight", "size", "transform"))
        o, i, k, _ = weight.shape
        right = np.asarray(expected.value["result"])
        cut = answer.value["result"]
        if size == k and isinstance(cut, np.ndarray) and not cut.size:
            return fail(
                "empty-cut",
                f"from {k} to {k} nothing is left: with margin 0 the slice [margin:-margin] is empty, so end at "
                "k - margin",
            )
        found = _array(cut, (o, i, size, size), "the kernels")
        margin = (k - size) // 2
        middle = slice(margin, margin + size)
        centre = weight[:, :, middle, middle]
        if not close(found, right):
            bare = None if transform is None else centre
            mistakes: list[Mistake] = [
                (bare, "ignores-the-transform", "`transform` is not used: this is the bare centre"),
                (
                    weight[:, :, :size, :size],
                    "corner",
                    "this is the upper left corner: the centre of the kernel is what "
                    "a smaller one shares, so that it looks at the same place",
                ),
                (
                    weight[:, :, k - size :, k - size :],
                    "corner",
                    "this is the lower right corner, not the centre",
                ),
                *(
                    (
                        weight[:, :, start : start + size, start : start + size],
                        "off-by-one",
                        f"this begins at row and column {start}, off by one: the centre of {k} begins at {margin}",
                    )
                    for start in (margin + 1, max(0, margin - 1))
                ),
                (right.swapaxes(2, 3), "swapped", "rows and columns of the kernels are swapped"),
            ]
            if transform is not None:
                flat = centre.reshape(o, i, -1)
                corner = weight[:, :, :size, :size].reshape(o, i, -1) @ transform
                mistakes += [
                    (
                        (flat @ transform.T).reshape(right.shape),
                        "transposed-matrix",
                        "the matrix is used transposed: the "
                        "flattened kernel is a row and stands on the left of it",
                    ),
                    (
                        corner.reshape(right.shape),
                        "corner",
                        "the upper left corner is transformed, not the centre",
                    ),
                ]
            return first_mistake(found, right, mistakes) or fail(
                "wrong-kernels",
                f"the first kernel is {show(found[0, 0].ravel())}, should be {show(right[0, 0].ravel())}",
            )
        for what in ("weight", "transform"):
            wanted = expected.value[what]
            if wanted is not None and (
                answer.value[what] is None or not close(answer.value[what], wanted, 1e-8)
            ):
                return fail(
                    "no-gradient",
                    f"no gradient arrives at `{what}`, or a wrong one: small kernels train the weights of large ones, "
                    "so cut out with slices of the tensor itself, without .data, .detach() or numpy",
                )
        if not close(answer.value["after"], weight):
            return fail("mutates-input", "the large kernels were changed")
        return RIGHT


class SliceWidth(Exercise):
    """`slice_width(weight, width, importance)`: the most important rows, most important first, and which they are."""

    name, lesson = "slice_width", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """Matrices and kernels, ties, negative importances, all rows; bad input."""
        rng = default_rng(seed)

        def case(n: int, width: int, shape: tuple[int, ...], **more: Any) -> Instance:
            importance = rng.permutation(n) * 0.5 + 0.25
            return {
                "weight": rng.normal(size=(n, *shape)),
                "width": width,
                "importance": importance.tolist(),
                **more,
            }

        ties = rng.permutation([3.0, 3.0, 1.0, 1.0, 1.0, 1.0, 2.0, 0.0]).tolist()
        many = rng.integers(0, 3, 40).astype(float).tolist()
        negative = (rng.permutation(7) - 3.0).tolist()
        nan = [*_floats(rng, 4, 0, 1), float("nan")]
        return [
            case(7, 3, (4,)),
            case(6, 4, (2, 3, 3), about="kernels of shape (6, 2, 3, 3)"),
            case(8, 5, (3,), importance=ties, about="ties"),
            case(40, 17, (2,), importance=many, about="many ties"),
            case(7, 4, (2,), importance=negative, about="importances below 0"),
            case(5, 5, (3,), about="all rows"),
            case(6, 1, (3,), about="a single row"),
            case(5, 0, (3,), bad="a width of 0"),
            case(5, 6, (3,), bad="a width of 6 out of 5"),
            case(5, 2, (3,), bad="an importance of NaN", importance=nan),
            case(5, 2, (3,), bad="too few importances", importance=[1.0, 2.0, 3.0]),
            case(5, 2, (3,), bad="too many importances", importance=[1.0, 2.0, 3.0, 4.0, 5.0, 0.0]),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """Rows and indices, and what arrives at the weight."""
        import torch

        weight = torch.tensor(instance["weight"], requires_grad=True)
        importance = torch.tensor(instance["importance"], dtype=torch.float64)

        def call() -> Any:
            return fn(weight, instance["width"], importance)

        if "bad" in instance:
            return raised(call)
        result = call()
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise NotPlainData(f"returned {describe(result)} where a pair (rows, indices) is expected")
        chosen, indices = result
        if isinstance(chosen, torch.Tensor) and chosen.requires_grad:
            (
                chosen * torch.arange(chosen.numel(), dtype=torch.float64).reshape(chosen.shape)
            ).sum().backward()
        return {
            "rows": chosen,
            "indices": indices,
            "grad": weight.grad,
            "after": weight.detach(),
            "importance": importance,
        }

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Indices first, since they say what was done, then the rows."""
        weight, width = instance["weight"], instance["width"]
        importance = np.array(instance["importance"])
        n = len(weight)
        right = np.asarray(expected.value["indices"], dtype=float)
        kept_rows, numbers = answer.value["rows"], answer.value["indices"]
        if np.shape(kept_rows) == (width,) and np.shape(numbers) == (width, *weight.shape[1:]):
            return fail("swapped", "the pair is swapped: first the rows, then their indices")
        found = _array(numbers, (width,), "the indices")
        falling = np.argsort(-importance, kind="stable")
        if not close(found, right):
            size = np.abs(weight).reshape(n, -1).sum(1)
            flipped = np.argsort(importance, kind="stable")[::-1]
            by_size = np.argsort(-size, kind="stable")[:width]
            mistakes: list[Mistake] = [
                (
                    np.sort(right),
                    "in-index-order",
                    "the right rows, but in the order of the weight: the most important "
                    "comes first, so that a narrower version is the beginning of a wider one",
                ),
                (
                    right[::-1],
                    "least-important-first",
                    "the right rows, but the least important of them first",
                ),
                (
                    np.argsort(importance, kind="stable")[:width],
                    "least-important",
                    "these are the *least* important rows",
                ),
                (
                    flipped[:width],
                    "ties-reversed",
                    "of equally important rows the lower index comes first; an ascending "
                    "order turned round does the opposite",
                ),
                (
                    np.arange(width),
                    "ignores-importance",
                    "these are the first rows: `importance` is not used",
                ),
                (by_size, "own-importance", "the rows are ranked by their own size: use `importance`"),
                (
                    importance[falling[:width]],
                    "values-not-indices",
                    "these are the importances themselves: the second part says which rows they belong to",
                ),
                (
                    np.argsort(falling)[:width],
                    "ranks-not-indices",
                    "these are the ranks of the first rows; asked for are the rows with the first ranks: one argsort",
                ),
                (
                    np.argsort(-np.abs(importance), kind="stable")[:width],
                    "absolute-importance",
                    "an importance below 0 is low, not high: do not take absolute values",
                ),
            ]
            if close(np.sort(importance[found.astype(int) % n]), np.sort(importance[falling[:width]])):
                mistakes.append(
                    (found, "ties-reversed", "of equally important rows the lower index comes first")
                )
            return first_mistake(found, right, mistakes) or fail(
                "wrong-rows",
                f"for importances {show(importance)} the rows are {show(right)}, not {show(found)}",
            )
        shape = (width, *weight.shape[1:])
        rows_found = _array(kept_rows, shape, "the kept rows")
        if not close(rows_found, weight[falling[:width]]):
            if close(rows_found, weight[:width]):
                return fail(
                    "ignores-importance", "the rows are the first ones, not those that the indices name"
                )
            return fail("mismatched-rows", "the rows are not those that the indices name, in their order")
        if answer.value["grad"] is None or not close(answer.value["grad"], expected.value["grad"], 1e-8):
            return fail(
                "no-gradient",
                "no gradient arrives at `weight`, or a wrong one: narrow layers train the weights of wide ones",
            )
        if not close(answer.value["after"], weight):
            return fail("mutates-input", "the weight was changed")
        if not kept(answer.value["importance"], importance.tolist()):
            return fail(
                "mutates-input", "`importance` was changed: the caller still needs it, so work on a copy"
            )
        return RIGHT


class ProgressiveShrinkingSchedule(Exercise):
    """`progressive_shrinking_schedule(step, phases)`: what all phases begun so far allow, together."""

    name, lesson = "progressive_shrinking_schedule", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """Every step around the beginning of a phase; phases in any order and two at once; options named again; bad
        input."""
        rng = default_rng(seed)
        a, b, c = sorted(int(one) for one in rng.choice(np.arange(10, 200), 3, replace=False))
        phases = [
            [0, {"kernel": [7], "depth": [4], "expand": [6]}],
            [a, {"kernel": [5, 3]}],
            [b, {"depth": [3, 2]}],
            [c, {"expand": [4, 3], "depth": [2, 1]}],
        ]
        steps = [0, a - 1, a, a + 1, b - 1, b, c - 1, c, c + 500]
        return [
            {"phases": phases, "steps": steps},
            {
                "phases": [phases[i] for i in rng.permutation(4)],
                "steps": steps,
                "about": "phases in another order",
            },
            {"phases": [[0, {"resolution": [8, 12]}]], "steps": [0, 5], "about": "a single phase"},
            {
                "phases": [[0, {"kernel": [5]}], [a, {"width": [1, 2]}]],
                "steps": [a - 1, a],
                "about": "a phase that brings a decision of its own",
            },
            {
                "phases": [phases[0], [a, {"kernel": [5]}], [a, {"kernel": [3], "depth": [2]}]],
                "steps": [a - 1, a],
                "about": "two phases that begin at the same step",
            },
            {"bad": "a step of -1", "phases": phases, "steps": [-1]},
            {"bad": "no phases", "phases": [], "steps": [0]},
            {"bad": "a step before the first phase", "phases": phases[1:], "steps": [a - 1]},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """What is allowed at each step, as sorted lists, and the phases afterwards."""
        phases = [(first, dict(options)) for first, options in instance["phases"]]
        if "bad" in instance:
            return raised(lambda: fn(instance["steps"][0], phases))
        found = [fn(step, phases) for step in instance["steps"]]
        return {
            "allowed": [self._plain(one) for one in found],
            "after": [[first, options] for first, options in phases],
        }

    @staticmethod
    def _plain(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            str(name): sorted(options)
            if isinstance(options, (set, frozenset, list, tuple, np.ndarray))
            else options
            for name, options in value.items()
        }

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Exact, in any order of options."""
        steps, phases = instance["steps"], instance["phases"]
        allowed = rows(answer.value["allowed"], len(steps), self.name)
        for step, found, right in zip(steps, allowed, expected.value["allowed"], strict=True):
            if type(found) is not dict:
                raise Unacceptable(
                    "wrong-type",
                    f"{self.name} should return a dict of options by decision, not {describe(found)}",
                )
            if found == right:
                continue
            return self._wrong(step, phases, found, right)
        if answer.value["after"] != [[first, options] for first, options in phases]:
            return fail("mutates-input", "the phases were changed: the next call will see other ones")
        return RIGHT

    def _wrong(self, step: int, phases: Any, found: dict[str, Any], right: dict[str, Any]) -> Verdict:
        def union(which: Callable[[int], bool]) -> dict[str, list[Any]]:
            together: dict[str, set[Any]] = {}
            for first, options in phases:
                if which(first):
                    for name, values in options.items():
                        together.setdefault(name, set()).update(values)
            return {name: sorted(values) for name, values in together.items()}

        by_time = sorted(phases, key=lambda phase: phase[0])
        begun = [phase for phase in by_time if phase[0] <= step]
        replaced: dict[str, Any] = {}
        for _, options in begun:
            replaced |= {name: sorted(values) for name, values in options.items()}
        listed = [phase for phase in phases if phase[0] <= step]
        until: list[Any] = []
        for phase in phases:
            if phase[0] > step:
                break
            until.append(phase)
        in_order = union(lambda first: any(first == one[0] for one in until))
        repeated = {name: sorted(set(v)) for name, v in found.items() if type(v) is list} == right
        latest = {name: sorted(values) for name, values in begun[-1][1].items()}
        last_listed = {name: sorted(values) for name, values in listed[-1][1].items()}
        one_per_step: dict[str, set[Any]] = {}
        for first, options in dict(phases).items():
            for name, values in options.items() if first <= step else ():
                one_per_step.setdefault(name, set()).update(values)
        candidates = [
            (
                found == {name: sorted(values) for name, values in one_per_step.items()},
                "loses-a-phase",
                "two phases begin at the same step, and one of them is lost: a dict by first step has room for one",
            ),
            (
                found == {name: right[name] for name in by_time[0][1]} and len(found) < len(right),
                "drops-new-decisions",
                f"{show(sorted(set(right) - set(found)))} is missing: a phase may bring a decision that none before it "
                "names",
            ),
            (
                found == in_order,
                "needs-sorted-phases",
                "phases may come in any order: look at all of them, not only up "
                "to the first that has not begun",
            ),
            (
                repeated,
                "repeats-options",
                "options come twice: then they would be drawn twice as often. A union holds each once",
            ),
            (
                found == union(lambda first: True),
                "all-at-once",
                f"at step {step} everything is allowed already: only phases that have begun count",
            ),
            (
                found == union(lambda first: first < step),
                "one-step-late",
                "a phase begins *at* its first step, not after it",
            ),
            (
                found in (latest, last_listed),
                "forgets-earlier-phases",
                f"at step {step} only the latest phase counts: "
                "what was open stays open, or the large networks would be forgotten",
            ),
            (
                found == replaced,
                "replaces-options",
                f"at step {step} the options of an earlier phase are replaced: what "
                "was open stays open, so take the union",
            ),
        ]
        for holds, concept, message in candidates:
            if holds:
                return fail(concept, message)
        return fail("wrong-schedule", f"at step {step} {show(right, 90)} is allowed, not {show(found, 90)}")


class DistillationLoss(Exercise):
    """`distillation_loss(student, teacher, labels, temperature, weight)`: value and gradients."""

    name, lesson = "distillation_loss", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """Weights from 0 to 1, temperatures from below 1 up, large logits; bad input."""
        rng = default_rng(seed)

        def case(temperature: float, weight: float, scale: float = 1.0, **more: Any) -> Instance:
            n, classes = int(rng.integers(4, 8)), int(rng.integers(3, 6))
            return {
                "student": (scale * rng.normal(0, 2, (n, classes))).round(3).tolist(),
                "teacher": (scale * rng.normal(0, 2, (n, classes))).round(3).tolist(),
                "labels": rng.integers(classes, size=n).tolist(),
                "temperature": temperature,
                "weight": weight,
                **more,
            }

        def between(low: float, high: float) -> float:
            return round(float(rng.uniform(low, high)), 3)

        square = case(2.0, 0.5)
        return [
            case(between(2, 5), between(0.2, 0.45)),
            case(between(1.5, 4), 1.0, about="the teacher alone"),
            case(between(2, 4), 0.0, about="labels alone"),
            case(between(0.4, 0.8), between(0.55, 0.8), about="a temperature below 1"),
            case(2.0, between(0.3, 0.6), 300.0, about="logits in the hundreds"),
            square | {"bad": "a temperature of 0", "temperature": 0.0},
            square | {"bad": "a temperature of -2", "temperature": -2.0},
            square | {"bad": "answers for fewer images than the teacher's", "student": square["student"][:1]},
            square | {"bad": "a weight of 1.5", "weight": 1.5},
            square | {"bad": "a weight of -0.1", "weight": -0.1},
            square
            | {"bad": "a single teacher's answer for several images", "teacher": square["teacher"][:1]},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The loss, and what arrives at both networks' logits."""
        import torch

        student, teacher = (
            torch.tensor(instance[key], dtype=torch.float64, requires_grad=True)
            for key in ("student", "teacher")
        )
        labels = torch.tensor(instance["labels"])

        def call() -> Any:
            return fn(student, teacher, labels, instance["temperature"], instance["weight"])

        if "bad" in instance:
            return raised(call)
        loss = call()
        if isinstance(loss, torch.Tensor) and loss.requires_grad:
            loss.sum().backward()
        return {"loss": loss, "student": student.grad, "teacher": teacher.grad}

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """The value first, named by what the usual mistakes give, then gradients."""
        value = answer.value["loss"]
        if isinstance(value, np.ndarray) and value.size > 1:
            return fail(
                "not-averaged", f"the loss should be one number, not an array {value.shape}: take the mean"
            )
        found = number(np.reshape(value, ()) if isinstance(value, np.ndarray) else value, "the loss")
        right = float(expected.value["loss"])
        if not close(found, right, 1e-8):
            logits = np.abs([instance["student"], instance["teacher"]]).max()
            if not math.isfinite(found) and logits < 50:
                return fail(
                    "log-of-the-target",
                    f"the loss is {show(found)} with small logits. F.kl_div takes log-probabilities first and "
                    "probabilities as target, or log-probabilities for both with log_target=True",
                )
            if not math.isfinite(found):
                return fail(
                    "overflow",
                    f"exp overflows or vanishes with logits in the hundreds, and the loss is {show(found)}: use "
                    "log_softmax",
                )
            return self._wrong(instance, found, right)
        if answer.value["student"] is None or not close(
            answer.value["student"], expected.value["student"], 1e-8
        ):
            return fail(
                "no-gradient",
                "no gradient arrives at the student's logits, or a wrong one: nothing would be learned",
            )
        teacher = answer.value["teacher"]
        if teacher is not None and np.abs(teacher).max() > 1e-12:
            return fail(
                "trains-the-teacher",
                "a gradient arrives at the teacher: it would learn to be imitated. Detach its logits",
            )
        return RIGHT

    @staticmethod
    def _wrong(instance: Instance, found: float, right: float) -> Verdict:
        s, t = (np.array(instance[key], dtype=float) for key in ("student", "teacher"))
        y, temperature, w = np.array(instance["labels"]), instance["temperature"], instance["weight"]

        def log_softmax(z: Array) -> Array:
            z = z - z.max(1, keepdims=True)
            return z - np.log(np.exp(z).sum(1, keepdims=True))

        def kl(p: Array, q: Array) -> float:
            return float((np.exp(p) * (p - q)).sum(1).mean())

        def hard(z: Array) -> float:
            return float(-log_softmax(z)[np.arange(len(y)), y].mean())

        p, q = log_softmax(t / temperature), log_softmax(s / temperature)
        ce, soft, square = hard(s), kl(p, q), temperature**2
        cross = float(-(np.exp(p) * q).sum(1).mean())
        n, classes = s.shape

        def mixed(one: float, other: float, weight: float = w) -> float:
            return (1 - weight) * one + weight * other

        mistakes: list[Mistake] = [
            (
                mixed(ce, soft),
                "no-temperature-squared",
                "the factor T² is missing: softened logits give gradients 1/T² "
                "as large, so that raising T would switch the teacher off",
            ),
            (
                mixed(ce, temperature * soft),
                "no-temperature-squared",
                "the teacher's part is multiplied by T; T² is what keeps its gradient's size",
            ),
            (
                mixed(ce, square * kl(q, p)),
                "reversed-divergence",
                "the divergence is the wrong way round: KL(teacher‖"
                "student), the teacher's probabilities weigh",
            ),
            (
                mixed(square * soft, ce),
                "swapped-shares",
                "`weight` is the share of the teacher; here the labels have it",
            ),
            (
                ce + w * square * soft,
                "labels-count-fully",
                "the labels' part has to be weighed with 1 − weight",
            ),
            (
                mixed(ce, square * kl(log_softmax(t), q)),
                "teacher-not-softened",
                "the teacher's logits have to be divided by the temperature, too",
            ),
            (
                mixed(ce, square * kl(p, log_softmax(s))),
                "student-not-softened",
                "the student's logits have to be divided by the temperature, too",
            ),
            (
                mixed(ce, square * kl(log_softmax(t), log_softmax(s))),
                "no-temperature",
                "the temperature softens neither distribution",
            ),
            (
                mixed(hard(s / temperature), square * soft),
                "labels-softened",
                "the cross-entropy with the labels takes the logits as they are, without temperature",
            ),
            (
                mixed(ce, square * soft / classes),
                "averaged-over-classes",
                "the divergence is averaged over classes, too: "
                "sum over classes and average over images (reduction='batchmean')",
            ),
            (
                mixed(ce, square * soft * n),
                "sum-not-mean",
                "the divergence is summed, not averaged, over the batch",
            ),
            (
                mixed(ce, square * cross),
                "cross-entropy-not-divergence",
                "this is the cross-entropy with the teacher: the "
                "divergence is 0 where both agree, so subtract the teacher's entropy",
            ),
            (-right, "wrong-sign", "the sign is reversed"),
            (
                mixed(ce, square * float((np.exp(p) * (p - np.exp(q))).sum(1).mean())),
                "log-of-the-target",
                "the student's probabilities go into F.kl_div as they are: it takes their logarithms, log_softmax",
            ),
            (
                mixed(ce, square * kl(log_softmax(t * temperature), log_softmax(s * temperature))),
                "multiplied-by-temperature",
                "the logits are multiplied by T, which sharpens the softmax: divide them",
            ),
            (
                square * mixed(ce, soft),
                "square-on-both",
                "T² multiplies the labels' part, too: only the teacher's gradients soften with T",
            ),
            (
                mixed(ce, soft / square),
                "divided-by-square",
                "the teacher's part is divided by T², which weakens its gradients once more: multiply",
            ),
            (
                mixed(
                    ce,
                    square * kl(log_softmax(t.T / temperature), log_softmax(s.T / temperature)) * classes / n,
                ),
                "softmax-over-images",
                "the softmax of the divergence runs over the images (dim=0): an image's classes have to sum to 1",
            ),
        ]
        verdict = first_mistake(found, right, [one for one in mistakes if math.isfinite(one[0])])
        if verdict is None and close(found, right, 3e-6):
            return fail(
                "inexact",
                f"the loss is off by {show(abs(found - right))}: leave out small constants inside logarithms "
                "(log_softmax needs none), and compute in the precision of the logits",
            )
        return verdict or fail("other-loss", f"the loss is {show(found)}, should be {show(right)}")


register(
    SamplePath(),
    FairPaths(),
    TrainSinglePathStep(),
    RecalibrateBn(),
    RankCorrelation(),
    EvolveUnderConstraint(),
    SliceKernel(),
    SliceWidth(),
    ProgressiveShrinkingSchedule(),
    DistillationLoss(),
    *(ConceptQuestion(f"concept_05_{number}", LESSON) for number in (1, 2, 3, 4)),
)
