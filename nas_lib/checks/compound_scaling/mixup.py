"""Cases of `mixup`: small, middle and large alphas, many batches from one generator."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import default_rng

from nas_lib.checks.codec import NotPlainData, describe
from nas_lib.checks.compound_scaling.shared import LESSON, NAN, Array
from nas_lib.checks.exercise import Exercise, Instance

BATCHES = 600
"""So many that Beta(2·alpha, 2·alpha) is told from Beta(alpha, alpha)."""


class Mixup(Exercise):
    """`mixup(x, y, alpha, rng, classes)`: who was mixed with whom, how much, and what the labels say of it."""

    name, lesson, returns = "mixup", LESSON, "tuple"
    has_reference = False

    def instances(self, seed: int) -> list[Instance]:
        """Small, middle and large alphas; bad input."""
        rng = default_rng(seed)

        def case(alpha: float, **given: Any) -> Instance:
            labels = [
                int(one) for one in rng.permutation([0, 4, *rng.integers(0, 5, 5)])
            ]  # both ends are there
            return {"alpha": alpha, "y": labels, "classes": 5, "seed": int(rng.integers(2**31)), **given}

        return [
            # so small that of twice of it not all shares are about equally likely
            case(round(float(rng.uniform(0.2, 0.3)), 2)),
            case(1.0, kind="float32", about="alpha = 1, where all shares are equally likely"),
            case(
                round(float(rng.uniform(3, 6)), 1),
                y=[int(one) for one in rng.integers(1, 6, 7)],
                classes=8,
                about="classes that no image has, the first and the last among them",
            ),
            case(0.5, y=[3], images=1, about="a batch of one image"),
            case(0.0, bad="an alpha of 0"),
            case(-1.0, bad="an alpha of -1"),
            case(NAN, bad="an alpha of NaN"),
            case(float("inf"), bad="an infinite alpha"),
            case(0.3, y=[0, 1, 2], bad="three labels for seven images"),
            case(0.3, y=[0, 1, 2, 3, 4, 0, 1, 2, 3], bad="nine labels for seven images"),
            case(0.3, y=[0, 1, 2, 3, 4, 5, 1], bad="label 5 of 5 classes (they begin at 0)"),
            case(0.3, y=[0, 1, 2, 3, 4, 7, 1], bad="label 7 of 5 classes"),
            case(0.3, y=[0, 1, 2, 3, 4, -1, 1], bad="a label of -1"),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """Many batches from one generator, and some from generators of the same and another seed."""
        import torch

        x = torch.from_numpy(batch(instance))
        y = torch.tensor(instance["y"])

        def call(rng: Any) -> Any:
            # copies: what one call changes in place would come back in the next as another mistake
            value = fn(x.clone(), y.clone(), instance["alpha"], rng, instance["classes"])
            if not isinstance(value, (tuple, list)) or len(value) != 2:
                raise NotPlainData(
                    f"mixup returned {describe(value)} where a pair (images, labels) is expected"
                )
            return value

        rng = default_rng(instance["seed"])
        made = [call(rng) for _ in range(BATCHES if len(x) > 1 else 1)]
        found: dict[str, Any] = {"images": [one[0] for one in made], "labels": [one[1] for one in made]}
        found["kinds"] = list(dict.fromkeys(describe(part) for part in made[0] if not torch.is_tensor(part)))
        found["dtype"] = str(getattr(made[0][0], "dtype", "")).removeprefix("torch.")
        np.random.seed(1)  # noqa: NPY002 — what is drawn may not depend on the global generators
        torch.manual_seed(1)
        found["again"] = call(default_rng(instance["seed"]))[0]
        found["other"] = [call(default_rng(instance["seed"] + i))[0] for i in range(1, 4)]
        return found


def batch(instance: Instance) -> Array:
    """The images of an instance."""
    images = default_rng(instance["seed"]).normal(size=(instance.get("images", 7), 1, 3, 4))
    return images.astype(instance.get("kind", "float64"))
