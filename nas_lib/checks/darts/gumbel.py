"""Cases of `gumbel_softmax_sample`: small samples with their gradients, and counts over a hundred thousand rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator, default_rng

from nas_lib.checks.darts.shared import LESSON, normal, slopes, tensor
from nas_lib.checks.exercise import Exercise, Instance

ROWS = 100_000
DRAWS = 40
"""Samples that one generator gives, one after the other, in the case where none is to come twice."""
STEPS = tuple(range(-8, 9))
"""How far apart two noises are to be, in the counts."""
PAIRS = ((0, 1), (0, 2), (1, 2))
NAN, INFINITY = float("nan"), float("inf")


class GumbelSoftmaxSample(Exercise):
    """`gumbel_softmax_sample(logits, tau, generator, hard)`."""

    name, lesson, returns = "gumbel_softmax_sample", LESSON, "tensor"
    has_reference = False

    def instances(self, seed: int) -> list[Instance]:
        """Matrices, one row, three axes, one option, large logits, float32; two for the distribution; bad ones."""
        rng = default_rng(seed)

        def case(*shape: int, tau: float = 1.0, **more: Any) -> Instance:
            return {
                "logits": normal(rng, *shape),
                "upstream": normal(rng, *shape),
                "tau": tau,
                "seeds": [int(one) for one in rng.integers(2**31, size=2)],
                **more,
            }

        low, high = (round(float(rng.uniform(*ends)), 2) for ends in ((0.3, 0.7), (1.5, 3.0)))
        large = case(3, 4)
        large["logits"] = [[round(800 + one, 3) for one in row] for row in large["logits"]]
        ruled_out = case(3, 4)
        ruled_out["logits"] = (np.round(8 * np.array(ruled_out["logits"])) / 8 - 1e5).tolist()
        for row, place in zip(ruled_out["logits"], rng.permutation(4)):
            row[place] = -INFINITY
        nan = case(2, 3)
        nan["logits"][1][1] = NAN
        return [
            case(6, 5, tau=low, about=f"logits (6, 5), tau = {low}"),
            case(4, 6, tau=high, about=f"logits (4, 6), tau = {high}"),
            case(5, tau=2, draws=DRAWS, about="a single row, tau = 2"),
            case(2, 3, 4, tau=low, about="logits with three axes"),
            case(3, 1, tau=high, about="a single option"),
            large | {"about": "logits around 800"},
            ruled_out | {"about": "logits of minus infinity, beside others around -100,000"},
            case(3, 5, tau=high, dtype="float32", about="float32"),
            self._many(rng, 20.0, [ROWS]),
            self._many(rng, 0.03, [ROWS // 40, 40]),
            case(2, 3, bad="tau = 0", tau=0.0),
            case(2, 3, bad="tau = -1", tau=-1.0),
            case(2, 3, bad="tau = NaN", tau=NAN),
            case(2, 3, bad="a tau of minus infinity", tau=-INFINITY),
            {**nan, "bad": "a logit of NaN"},
            {**nan, "logits": [NAN, 0.5], "upstream": [1.0, 0.0], "bad": "a logit of NaN in a single row"},
            {**case(2), "logits": 0.5, "bad": "a single number as logits"},
        ]

    @staticmethod
    def _many(rng: Generator, tau: float, rows: list[int]) -> Instance:
        logits = normal(rng, 3)
        return {
            "logits": logits,
            "tau": tau,
            "seeds": [int(rng.integers(2**31))],
            "rows": rows,
            "levels": [
                [round((logits[one] - logits[other] + step) / tau, 6) for step in STEPS]
                for one, other in PAIRS
            ],
            "about": f"{ROWS:,} rows of three logits, tau = {tau}",
        }

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """Samples from given generators, soft and hard, and their gradients; or counts."""
        import torch

        tau, dtype = instance["tau"], instance.get("dtype", "float64")
        logits = tensor(instance["logits"], dtype=dtype)

        def generator(which: int = 0) -> Any:
            return torch.Generator().manual_seed(instance["seeds"][which])

        if "rows" in instance:
            return tally(fn(logits.repeat(*instance["rows"], 1), tau, generator()), instance)
        upstream = tensor(instance["upstream"], dtype=dtype)

        def drawn(hard: bool) -> tuple[Any, Any]:
            leaf = logits.clone().requires_grad_()
            sample = fn(leaf, tau, generator(), hard=hard)
            learns = isinstance(sample, torch.Tensor) and sample.requires_grad
            return sample, slopes(sample, upstream, [leaf])[0] if learns else None

        soft, hard = drawn(False), drawn(True)
        source = generator()
        again, following, *others = (fn(logits, tau, source) for _ in range(2 + instance.get("draws", 0)))
        return {
            "soft": soft[0],
            "slope": soft[1],
            "hard": hard[0],
            "hard_slope": hard[1],
            "again": again,
            "next": following,
            "others": others,
            "other": fn(logits, tau, generator(1)),
        }


def tally(sample: Any, instance: Instance) -> Any:
    """Counts of a large sample: which option is largest, how far apart two are, how often rows agree.

    Of a tensor of another shape the shape; what is no tensor goes on as it is.
    """
    import torch

    if not isinstance(sample, torch.Tensor):
        return sample
    if tuple(sample.shape) != (*instance["rows"], len(instance["logits"])):
        return {"shape": list(sample.shape)}
    rows = np.asarray(sample.detach(), dtype=np.float64).reshape(ROWS, -1)
    top, half = rows.argmax(axis=1), ROWS // 2
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(rows)
        apart = [logs[:, one] - logs[:, other] for one, other in PAIRS]
        beyond = [[int((gap > level).sum()) for level in own] for gap, own in zip(apart, instance["levels"])]
    return {
        "least": float(rows.min()),
        "off": float(np.abs(rows.sum(axis=1) - 1).max()),
        "spread": float(np.ptp(rows, axis=0).max()),
        "top": np.bincount(top, minlength=rows.shape[1]).tolist(),
        "beyond": beyond,
        "agree": [int((top[0::2] == top[1::2]).sum()), int((top[:half] == top[half:]).sum())],
    }
