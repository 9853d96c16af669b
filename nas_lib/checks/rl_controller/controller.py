"""Cases and probe of `Controller`, on spaces so small that every architecture can be listed.

It gets weights that the check draws; what it does with them is for its judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from nas_lib.checks.codec import NotPlainData, describe
from nas_lib.checks.exercise import Exercise, Instance
from nas_lib.checks.nets import double_precision
from nas_lib.checks.rl_controller.shared import LESSON

Array = NDArray[np.float64]

ROWS = 48
"""Rows of a sample that are looked at one by one; an instance's "draws" are counted."""
CALL = 16
"""Rows of each of an instance's "calls", whose samples are counted as well."""
NEVER = -25.0
"""The logit of what is all but impossible."""
LATER = 0.5
"""All weights are multiplied by this in the end: a controller has to notice."""


def architectures(sizes: Sequence[int]) -> list[list[int]]:
    """All of them as positions of options, the first decision most significant."""
    return [list(arch) for arch in product(*(range(size) for size in sizes))]


def weights_of(instance: Instance, seed: int) -> dict[str, Array]:
    """Numbers for the layers that the lesson gives, by the names of their parameters."""
    hidden, embedding, sizes = instance["hidden"], instance["embedding"], instance["sizes"]
    shapes: dict[str, tuple[int, ...]] = {
        "start": (1, embedding),
        **{f"embed.{t}.weight": (size, embedding) for t, size in enumerate(sizes)},
        "cell.weight_ih": (4 * hidden, embedding),
        "cell.weight_hh": (4 * hidden, hidden),
        "cell.bias_ih": (4 * hidden,),
        "cell.bias_hh": (4 * hidden,),
        **{f"head.{t}.weight": (size, hidden) for t, size in enumerate(sizes)},
        **{f"head.{t}.bias": (size,) for t, size in enumerate(sizes)},
    }
    rng = default_rng(seed)
    made = {name: rng.normal(0, 0.3 if "head" in name else 0.8, shape) for name, shape in shapes.items()}
    # Options from rare to frequent, in random order: a distribution in which a biased draw shows.
    spread = {f"head.{t}.bias": 0.9 * rng.permutation(size) for t, size in enumerate(sizes)}
    for t, top in enumerate(instance.get("tops", ())):
        logits = np.eye(sizes[t])[0] * top
        logits[sizes[t] - instance.get("never", 0) :] = NEVER
        spread[f"head.{t}.bias"] = rng.permutation(logits)
        made[f"head.{t}.weight"] *= 0.2
    if "steep" in instance:  # the first decision is open, and the options before decide the later ones
        later = [name for name in made if "head" in name and "head.0" not in name]
        made |= {name: instance["steep"] * made[name] for name in later}
        spread["head.0.bias"] *= 0.25
    if "level" in instance:  # all options alike
        spread = {name: np.full(one.shape, instance["level"]) for name, one in spread.items()}
        made |= {name: 0 * one for name, one in made.items() if "head" in name}
    return made | spread


def mixture(n: int) -> Array:
    """Weights that differ from row to row, so that no mistake cancels out."""
    return np.cos(1.0 + 1.7 * np.arange(n))


class ControllerClass(Exercise):
    """`Controller(choices, hidden, embedding)`: what it says, its slopes, and its samples."""

    name, lesson, methods = "Controller", LESSON, ("sample", "log_prob")
    has_reference = False

    def instances(self, seed: int) -> list[Instance]:
        """Spaces of 2 to 512 architectures with 1 to 512 options per decision, up to seven of them, and bad input."""
        rng = default_rng(seed)
        shapes = [[2, 1, 3, 2], [2] * 7, [7, 8]]
        for sizes in shapes:
            rng.shuffle(sizes)
        if shapes[0][0] == 1 or shapes[0][-1] == 1:  # in the middle, the state has to carry over it
            shapes[0] = [2, 1, 3, 2] if rng.random() < 0.5 else [3, 2, 1, 2]

        def case(sizes: Sequence[int], **given: Any) -> Instance:
            return {
                "sizes": [int(size) for size in sizes],
                "hidden": int(rng.integers(5, 10)),
                "embedding": int(rng.integers(3, 8)),
                "seeds": [int(one) for one in rng.integers(2**31, size=6)],
                "draws": 400 if max(sizes) == 8 else 200,
                **given,
            }

        def bad(phrase: str, sizes: Sequence[int] = (2, 4, 3), **given: Any) -> Instance:
            return {"bad": phrase, "sizes": list(sizes), **given}

        return [
            *(case(sizes, about=f"decisions with {sizes} options") for sizes in shapes[:2]),
            case(
                shapes[2], steep=8.0, about=f"decisions with {shapes[2]} options, the second led by the first"
            ),
            # Half of the draws are one option, half any of 255, and 256 are all but impossible: what takes the likely
            # too often or too rarely shows here, and what takes the impossible.
            case(
                [512], numbers=True, tops=[5.54], never=256, draws=1000, calls=32, about="a single decision"
            ),
            case([4, 3], float32=True, about="float32"),
            # One option as likely as 31 others together, then one that is taken all but always.
            case([32, 8], tops=[3.4, 6.5], draws=400, about="rare options"),
            case([2], level=900.0, pairs=250, about="two equal options with logits near 900"),
            bad("n = 0", n=0),
            bad("n = -1", n=-1),
            bad("choices without a decision", (), n=2),
            bad("a decision without options", (2, 0, 3), n=2),
            bad("action 2 where a decision has two options,", actions=[[0, 1, 2], [2, 1, 2]]),
            bad("action 5 where a decision has four options,", actions=[[0, 1, 2], [1, 5, 2]]),
            bad("action 3 where the last decision has three options,", actions=[[0, 1, 3]]),
            bad("action -1", actions=[[0, 1, 2], [1, 3, -1]]),
            bad("actions for four decisions out of three", actions=[[0, 1, 2, 0], [1, 1, 2, 0]]),
            bad("actions for two decisions out of three", actions=[[0, 1], [1, 1]]),
            bad("actions of shape (3,), a single architecture,", actions=[0, 1, 1]),
            bad("actions of shape (1, 3, 1)", actions=[[[0], [1], [1]]]),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """In float64, with given weights: log-probabilities of everything, slopes, samples."""
        import torch

        choices: Any = [[f"option {i}" for i in range(size)] for size in instance["sizes"]]
        if "n" in instance:
            return fn(choices, hidden=4, embedding=3).sample(instance["n"], _generator(0))
        if "actions" in instance:
            return fn(choices, hidden=4, embedding=3).log_prob(torch.tensor(instance["actions"]))
        if instance.get("numbers"):
            choices = instance["sizes"]
        if instance.get("float32"):
            return self._behaviour(fn, choices, instance)
        with double_precision():
            return self._behaviour(fn, choices, instance)

    @staticmethod
    def _behaviour(fn: Any, choices: Any, instance: Instance) -> dict[str, Any]:
        import torch

        start, drawn, way, first, second, world = instance["seeds"]
        torch.manual_seed(start)
        controller: Any = fn(choices, instance["hidden"], instance["embedding"])
        twin = fn(choices, instance["hidden"], instance["embedding"])
        if not hasattr(controller, "named_parameters"):
            raise NotPlainData(
                f"Controller(...) made {describe(controller)}; it has to stay a torch.nn.Module with its layers "
                "as attributes"
            )
        given = weights_of(instance, drawn)
        alike = _same(controller, twin)
        more = [name for name, _ in controller.named_parameters() if name not in given]
        layers = _fill(controller, given)
        if layers is not None:
            return {"layers": layers}
        controller.start.grad = torch.ones_like(controller.start)  # not for the methods to touch
        direction = weights_of(instance, way)
        everything = torch.tensor(architectures(instance["sizes"]))
        log_probs = controller.log_prob(everything)
        source = _generator(first)
        drawn_first = controller.sample(ROWS, source)
        actions, sampled, entropies = _three(drawn_first)
        found = {
            "all": log_probs,
            "singly": [controller.log_prob(everything[at : at + 1]) for at in range(min(5, len(everything)))],
            "actions": actions,
            "log_probs": sampled,
            "entropies": entropies,
            "one": list(_three(controller.sample(1, source))),
            "next": _three(controller.sample(ROWS, source))[0],
            "other": _three(controller.sample(ROWS, _generator(second)))[0],
            "pairs": [_three(controller.sample(2, source))[0] for _ in range(instance.get("pairs", 0))],
            "alike": alike,
            "more": more,
            "kind": describe(drawn_first) if not isinstance(drawn_first, tuple) else "",
        }
        slopes = [_slope(one, controller, direction) for one in (log_probs, sampled, entropies)]
        torch.manual_seed(world)  # what is drawn may not depend on the global generator
        found["again"] = _three(controller.sample(ROWS, _generator(first)))[0]
        with torch.no_grad():
            source = _generator(second)
            found["many"] = _three(controller.sample(instance["draws"], source))[0]
            found["calls"] = [
                _three(controller.sample(CALL, source))[0] for _ in range(instance.get("calls", 0))
            ]
            _fill(controller, {name: LATER * one for name, one in given.items()})
            found["later"] = controller.log_prob(everything)
        return found | {"slopes": slopes}


def _generator(seed: int) -> Any:
    import torch

    return torch.Generator().manual_seed(seed)


def _same(one: Any, other: Any) -> bool:
    pairs = list(zip(one.parameters(), other.parameters()))
    return bool(pairs) and all(a.shape == b.shape and bool((a == b).all()) for a, b in pairs)


def _fill(controller: Any, given: dict[str, Array]) -> list[str] | None:
    """Put numbers into the controller's layers; the names of those that are missing or of another shape, if any."""
    import torch

    there = dict(controller.named_parameters())
    missing = [name for name, one in given.items() if name not in there or there[name].shape != one.shape]
    if missing:
        return missing
    with torch.no_grad():
        for name, one in given.items():
            there[name].copy_(torch.from_numpy(one))
    return None


def _three(value: Any) -> tuple[Any, Any, Any]:
    if not isinstance(value, (tuple, list)) or len(value) != 3:
        what = f"{describe(value)} of {len(value)}" if isinstance(value, (tuple, list)) else describe(value)
        raise NotPlainData(f"sample returned {what} where (actions, log_probs, entropies) is expected")
    return value[0], value[1], value[2]


def _slope(values: Any, controller: Any, direction: dict[str, Array]) -> float | None:
    """What autograd says of the change of Σ wᵢ·valuesᵢ along a direction; None where no gradient flows."""
    import torch

    if not isinstance(values, torch.Tensor) or not values.requires_grad or values.ndim != 1:
        return None
    there = dict(controller.named_parameters())
    total = (torch.as_tensor(mixture(len(values))) * values).sum()
    gradients = torch.autograd.grad(
        total, [there[name] for name in direction], allow_unused=True, retain_graph=True
    )
    pairs = zip(gradients, direction.values())
    return sum(
        float((part.double() * torch.from_numpy(step)).sum()) for part, step in pairs if part is not None
    )
