"""Cases of `rand_augment`: one operation and two, none, the ends of the scale; many results from one generator."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from nas_lib.checks.codec import NotPlainData, describe
from nas_lib.checks.compound_scaling.shared import LESSON
from nas_lib.checks.exercise import Exercise, Instance

_SINGLE, _PAIRS = 4400, 600
"""So many that an operation drawn half as often as the others is told from chance, or a sign one time in four."""
_SIZE = (3, 22, 17)
_SMALL = [3, 16, 12]


class RandAugment(Exercise):
    """`rand_augment(image, n, m, rng)`."""

    name, lesson, returns = "rand_augment", LESSON, "tensor"
    has_reference = False

    def instances(self, seed: int) -> list[Instance]:
        """One operation at two magnitudes, two operations, four, none; the ends of the scale; bad input.

        On long sides a share of 150/331 and one of 151/331, 149/331 or 150/332 differ by a pixel.
        """
        rng = default_rng(seed)
        # Nearer to the middle, scales look alike backwards. Bits are rounded up at the first, and down at the second.
        many, few = int(rng.choice([9, 11, 23])), int(rng.choice([19, 21]))

        def case(n: int, m: float, draws: int, **given: Any) -> Instance:
            return {"n": n, "m": int(m), "draws": draws, "seed": int(rng.integers(2**31)), **given}

        return [
            case(1, many, _SINGLE),
            case(1, few, 200, about="another magnitude"),
            case(2, int(rng.choice([9, 11, 19, 21, 23])), _PAIRS, size=_SMALL, about="two operations"),
            case(4, many, 20, size=_SMALL, about="four operations"),
            case(0, 9, 3, about="no operation"),
            case(1, 30, 200, about="the highest magnitude"),
            case(1, 30, 200, size=[1, 4, 500], about="the highest magnitude, a wide image"),
            case(1, 30, 200, size=[1, 500, 4], about="the highest magnitude, a tall image"),
            case(1, 0, 160, about="the lowest magnitude"),
            case(-1, 9, 1, bad="n = -1"),
            case(2, 31, 1, bad="m = 31 (magnitudes are 0 to 30)"),
            case(2, -1, 1, bad="m = -1"),
            case(0, 9, 1, kind="float", bad="an image of floats and an n of 0"),
            case(0, 9, 1, kind="flat", bad="an image without a channel axis and an n of 0"),
            case(0, 9, 1, kind="batch", bad="a batch of images and an n of 0"),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """All different results with their counts, and whether the generator decides."""
        import torch

        image = torch.from_numpy(picture(instance))
        if instance.get("kind") == "float":
            image = image.float() / 255
        if instance.get("kind") == "flat":
            image = image[0]
        if instance.get("kind") == "batch":
            image = image[None]
        with _each_once():
            return self._drawn(fn, image, instance)

    @staticmethod
    def _drawn(fn: Any, image: Any, instance: Instance) -> dict[str, Any]:
        import torch

        n, m = instance["n"], instance["m"]
        rng = default_rng(instance["seed"])
        made = [_pixels(fn(image, n, m, rng)) for _ in range(instance["draws"])]
        shape = next((one.shape for one in made if one.shape != made[0].shape), made[0].shape)
        if shape != made[0].shape:
            return {"shape": list(shape)}
        places: dict[bytes, list[int]] = {}  # of equal images, in the order of the first
        for place, one in enumerate(made):
            places.setdefault(one.tobytes(), []).append(place)
        np.random.seed(1)  # noqa: NPY002 — what is drawn may not depend on the global generators
        torch.manual_seed(1)
        rng = default_rng(instance["seed"])
        again = [_pixels(fn(image, n, m, rng)) for _ in range(12)]
        other = [_pixels(fn(image, n, m, default_rng(instance["seed"] + 1 + i))) for i in range(12)]
        return {
            "unique": np.stack([made[first] for first, *_ in places.values()]),
            "counts": np.array([len(equal) for equal in places.values()]),
            "repeats": all(np.array_equal(a, b) for a, b in zip(again, made)),
            "fixed": all(np.array_equal(one, made[0]) for one in other),
        }


@contextlib.contextmanager
def _each_once() -> Iterator[None]:
    """The library's operations compute once what they make of an image at a strength: thousands of draws are asked
    which results come and how often, and there are few different ones."""
    from nas_lib.augmentation import OPERATIONS

    plain = dict(OPERATIONS)
    OPERATIONS.update({name: one._replace(apply=_once(one.apply)) for name, one in plain.items()})
    try:
        yield
    finally:
        OPERATIONS.update(plain)


def _once(apply: Callable[[Any, float], Any]) -> Callable[[Any, float], Any]:
    made: dict[Any, Any] = {}

    def remembered(image: Any, strength: float) -> Any:
        key = strength, tuple(image.shape), image.numpy().tobytes()
        if key not in made:
            made[key] = apply(image, strength)
        return made[key].clone()

    return remembered


def picture(instance: Instance) -> NDArray[np.uint8]:
    """The image of an instance."""
    size = tuple(instance.get("size", _SIZE))
    return default_rng(instance["seed"]).integers(20, 220, size, dtype=np.uint8)


def _pixels(value: Any) -> NDArray[Any]:
    if isinstance(value, np.ndarray):
        return value
    if not hasattr(value, "numpy"):
        raise NotPlainData(f"rand_augment returned {describe(value)} where an image is expected")
    return value.numpy()
