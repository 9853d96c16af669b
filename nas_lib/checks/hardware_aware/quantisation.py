"""Cases of `fake_quantize` and `search_bits`."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

import numpy as np
from numpy.random import default_rng

from nas_lib.checks.codec import describe
from nas_lib.checks.exercise import Exercise, Instance, show
from nas_lib.checks.hardware_aware.latencies import INFINITY, LESSON, NAN, floats
from nas_lib.checks.histories import plain
from nas_lib.checks.oracles import Oracle, Refused
from nas_lib.checks.values import Part, ValueExercise


class FakeQuantize(ValueExercise):
    """`fake_quantize(x, bits, per_channel)`: values, the gradient that arrives at x, and the type."""

    name, lesson, returns = "fake_quantize", LESSON, "tensor"
    parts: ClassVar = (
        Part("result", "the result", "wrong-levels", tolerance=1e-6, floor=1e-12),
        Part("gradient", "the gradient at x", "wrong-gradient", tolerance=1e-6),
        Part("type", "the type of the result", "other-dtype", score=0.5, exact=True),
    )

    def instances(self, seed: int) -> list[Instance]:
        """Matrices and kernels, few and many bits, one scale and many, zeros, tiny weights, no axes; bad numbers."""
        rng = default_rng(seed)

        def case(shape: tuple[int, ...], bits: int, per_channel: bool = False, **given: Any) -> Instance:
            spread = rng.uniform(0.2, 3, shape[:1] + (1,) * (len(shape) - 1))
            # No value half way between two levels: rounding there is a matter of taste.
            return {
                "x": np.round(rng.normal(0, 1, shape) * spread, 4).tolist(),
                "incoming": np.round(rng.normal(0, 1, shape), 3).tolist(),
                "bits": bits,
                "per_channel": per_channel,
                **given,
            }

        def with_entry(value: float, bad: str) -> Instance:
            made = case((2, 3), 4, bad=bad)
            made["x"][0][1] = value
            return made

        dead = case((3, 4), 4, True, about="a channel of zeros")
        dead["x"][1] = [0.0] * 4
        return [
            case((3, 5), 4),
            case((4, 3, 3, 3), 3, True, about="a scale for each channel"),
            case((4, 6), 8, about="eight bits"),
            case((2, 7), 2, about="two bits"),
            case((5, 5), 4, True, about="a square matrix with a scale for each row"),
            case((3, 4), 4) | {"x": np.zeros((3, 4)).tolist(), "about": "zeros"},
            dead,
            case((4, 5), 4, unit=1e-9, about="tiny weights"),
            case((3, 6), 16, about="sixteen bits"),
            case((3, 4), 20, about="twenty bits"),
            case((4, 3), 5, True, constant=True, about="an x that needs no gradient"),
            case((6,), 4, about="a vector"),
            case((5,), 4, True, about="a vector with a scale for each entry", _left=0.5),
            case((2, 3, 4, 4), 4, True, layout="channels last", about="a kernel stored channels last"),
            case((3, 5), 4, type="float32", about="float32"),
            case((), 4, about="a tensor without axes"),
            case((2, 3), 1, bad="one bit"),
            case((2, 3), 0, bad="no bits"),
            case((2, 3), -4, bad="-4 bits"),
            with_entry(NAN, "an x with NaN"),
            with_entry(INFINITY, "an x with infinity"),
            with_entry(-INFINITY, "an x with minus infinity"),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """What comes out, its type, and the gradient at x for a given one behind it."""
        import torch

        dtype = getattr(torch, instance.get("type", "float64"))
        x = torch.tensor(instance["x"], dtype=dtype) * instance.get("unit", 1.0)
        if instance.get("layout"):
            x = x.contiguous(memory_format=torch.channels_last)
        x.requires_grad_(not instance.get("constant"))
        out = fn(x, instance["bits"], **({"per_channel": True} if instance["per_channel"] else {}))
        if isinstance(out, torch.Tensor) and out.requires_grad and out.shape == x.shape:
            (out * torch.tensor(instance["incoming"], dtype=out.dtype)).sum().backward()
        gradient = torch.zeros_like(x) if x.grad is None else x.grad
        return {"result": out, "gradient": gradient, "type": str(getattr(out, "dtype", describe(out)))}


class SearchBits(Exercise):
    """`search_bits(...)`: judged by what was evaluated: each pair once, all within the limit."""

    name, lesson, has_reference = "search_bits", LESSON, False

    def instances(self, seed: int) -> list[Instance]:
        """Budgets for a part and for all of what fits, one pair that fits; nothing that does, no budget, NaN."""
        rng = default_rng(seed)

        def case(n: int, bits: list[int], fitting: int, budget: int, **given: Any) -> Instance:
            archs = [f"net{i}" for i in rng.permutation(n).tolist()]
            # So different that the smallest fit with any bits, and the largest with none.
            weights = [round(10 * 1.6**i) for i in rng.permutation(n).tolist()]
            sizes = [[float(weight * width) for width in bits] for weight in weights]
            limit = sorted(itertools.chain(*sizes))[fitting - 1] if fitting else 1
            over = itertools.cycle((0.25, 1e-6))  # the smallest pairs that are too large are so by little
            for row in sizes:
                row[:] = [limit + next(over) if limit < one < 1.3 * limit else one for one in row]
            return {
                "archs": archs,
                "bits": bits,
                "sizes": sizes,
                "limit": limit,
                "budget": budget,
                "_values": [floats(rng, len(bits), 60, 95) for _ in range(n)],
                "_odd": None,
                "rng": int(rng.integers(2**31)),
                **given,
            }

        never = case(4, [2, 4, 8], 9, 9, about="accuracies of 0")
        never["_values"] = [[0.0] * 3 for _ in range(4)]
        close = case(4, [4, 2], 8, 8, about="accuracies that hardly differ")
        close["_values"] = [[round(80 + 1e-4 * one, 6) for one in row] for row in close["_values"]]
        lone = case(4, [2, 4], 8, 8, bad="one accuracy of minus infinity among others")
        lone["_values"][2][0] = -INFINITY
        return [
            case(6, [2, 4, 8], 11, 6),
            case(5, [3, 4, 6, 8], 13, 13, about="a budget for all that fits"),
            never,
            case(4, [2, 3, 4], 7, 40, about="a budget for more than what fits"),
            case(5, [2, 8], 1, 3, about="one pair that fits"),
            case(3, [2, 4], 5, 1, about="a budget of 1"),
            case(8, [4, 16, 2, 8], 30, 40, about="bit widths in no order, and 30 pairs that fit"),
            close,
            case(6, [2, 4, 8], 12, 8, again=True, about="two runs from generators with the same seed"),
            case(4, [2, 4], 0, 5, bad="a limit that nothing fits"),
            case(4, [2, 4], 5, 0, bad="a budget of 0"),
            case(0, [2, 4], 0, 4, bad="no architectures") | {"limit": 100},
            case(3, [], 0, 4, bad="no bit widths") | {"limit": 100},
            case(4, [2, 4], 5, -2, bad="a budget of -2"),
            case(4, [2, 4], 5, 5, bad="an accuracy of NaN", _odd=NAN),
            case(4, [2, 4], 5, 5, bad="an infinite accuracy", _odd=INFINITY),
            case(4, [2, 4], 5, 5, bad="an accuracy of minus infinity", _odd=-INFINITY),
            lone,
        ]

    def oracle(self, instance: Instance) -> Oracle:
        """Accuracies; the log says what was evaluated."""

        def evaluate(arch: Any, bits: Any) -> float:
            if arch not in instance["archs"] or bits not in instance["bits"]:
                raise Refused(f"evaluate was called with {show(arch)} and {show(bits)}, which are no options")
            if instance["_odd"] is not None:
                return float(instance["_odd"])
            return float(instance["_values"][instance["archs"].index(arch)][instance["bits"].index(bits)])

        return Oracle({"evaluate": evaluate}, limit=200)

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The winner and the history."""

        def size(arch: Any, bits: Any) -> float:
            return float(instance["sizes"][instance["archs"].index(arch)][instance["bits"].index(bits)])

        def run() -> Any:
            return fn(
                lambda arch, bits: oracle.call("evaluate", arch, int(bits)),
                size,
                list(instance["archs"]),
                list(instance["bits"]),
                float(instance["limit"]),
                instance["budget"],
                default_rng(instance["rng"]),
            )

        found = run()
        if instance.get("again"):
            run()
        if not isinstance(found, tuple) or len(found) != 2:
            return {"winner": None, "kind": describe(found)}
        winner, history = found
        return {"winner": winner, "tuple": isinstance(winner, tuple), **plain(history)}
