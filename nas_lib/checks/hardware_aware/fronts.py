"""Cases of `pareto_front` and `hypervolume_2d`: spread points, ties, copies, one point that beats all others."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from nas_lib.checks.exercise import Instance
from nas_lib.checks.hardware_aware.latencies import INFINITY, LESSON, NAN, floats
from nas_lib.checks.values import Part, ValueExercise

Array = NDArray[np.float64]


def problems(rng: Generator) -> list[Instance]:
    """Spread points, ties in either objective, copies, one point."""
    n = int(rng.integers(9, 14))
    few = {
        "accuracy": rng.integers(70, 75, 12).astype(float).tolist(),
        "latency": rng.integers(1, 6, 12).astype(float).tolist(),
    }
    rising = sorted(floats(rng, 6, 60, 90))
    return [
        {"accuracy": floats(rng, n, 60, 95), "latency": floats(rng, n, 2, 30)},
        few | {"about": "many equal accuracies and latencies"},
        {
            "accuracy": [70.0, 80.0, 80.0, 90.0, 90.0, 60.0],
            "latency": [5.0, 5.0, 5.0, 9.0, 12.0, 1.0],
            "about": "copies, and equal accuracies or latencies",
        },
        {
            "accuracy": rising,
            "latency": sorted(floats(rng, 6, 2, 20)),
            "about": "points that are all on the front",
        },
        {
            "accuracy": rising[::-1],
            "latency": sorted(floats(rng, 6, 2, 20)),
            "about": "one point that beats all others",
        },
        {
            "accuracy": [90.0, 70.0, 75.0, 72.0, 90.0, 80.0],
            "latency": [11.0, 3.0, 3.0, 3.0, 8.0, 8.0],
            "about": "the best of equals in the middle",
        },
        {"accuracy": [60.0, 90.0], "latency": [1.0, 1.00001], "about": "latencies that hardly differ"},
        {
            "accuracy": sorted(floats(rng, 15, 60, 90)),
            "latency": sorted(floats(rng, 15, 2, 20)),
            "about": "fifteen points on the front",
        },
        {"accuracy": [82, 75, 91, 60], "latency": [4, 3, 9, 5], "about": "lists of ints", "form": "list"},
        {"accuracy": [81.5], "latency": [4.0], "about": "a single point"},
        {"accuracy": [0.0], "latency": [4.0], "about": "a network that is never right"},
        {"accuracy": [-3.0, -1.0, -2.0], "latency": [-4.0, -1.0, -2.0], "about": "values below 0"},
        {
            "accuracy": [80 + 5e-7 * place for place in range(5)],
            "latency": [3e-5 * (1 + 1e-7 * place) for place in range(5)],
            "about": "points that hardly differ, all on the front",
        },
    ]


def bad() -> list[Instance]:
    """Lengths that differ, and what is no number."""
    return [
        {"bad": "more accuracies than latencies", "accuracy": [80.0, 81.0], "latency": [3.0]},
        {"bad": "more latencies than accuracies", "accuracy": [80.0], "latency": [3.0, 4.0]},
        {"bad": "one number each", "accuracy": 80.0, "latency": 3.0},
        {"bad": "latencies in a column", "accuracy": [80.0, 81.0], "latency": [[3.0], [4.0]]},
        {
            "bad": "a pair of matrices",
            "accuracy": [[80.0, 82.0], [81.0, 83.0]],
            "latency": [[3.0, 5.0], [4.0, 6.0]],
        },
        *(
            {"bad": f"{article} {name} of {said}", "accuracy": [80.0, 81.0], "latency": [3.0, 4.0]}
            | {name: [80.0, value]}
            for article, name in (("an", "accuracy"), ("a", "latency"))
            for said, value in (("NaN", NAN), ("infinity", INFINITY), ("minus infinity", -INFINITY))
        ),
    ]


def points(instance: Instance) -> tuple[Any, Any]:
    """As arrays, or as the lists that they are."""
    accuracy, latency = instance["accuracy"], instance["latency"]
    if instance.get("form") == "list":
        return list(accuracy), list(latency)
    return np.array(accuracy, dtype=float), np.array(latency, dtype=float)


class ParetoFront(ValueExercise):
    """`pareto_front(accuracy, latency)`: compared as points, since either index of a copy is right."""

    name, lesson, returns = "pareto_front", LESSON, "array"
    parts: ClassVar = (
        Part("form", "what comes back", "not-indices", exact=True),
        Part(
            "front",
            "the front",
            "wrong-front",
            "the front, as pairs of accuracy and latency, is {found}, should be {right}",
        ),
    )

    def instances(self, seed: int) -> list[Instance]:
        """The problems, and bad input."""
        empty: Instance = {"bad": "no points", "accuracy": [], "latency": []}
        return [*problems(default_rng(seed)), *bad(), empty]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The points behind the indices that come back."""
        accuracy, latency = points(instance)
        result = fn(accuracy, latency)
        if result is None:
            return None
        indices, n = np.asarray(result), len(instance["accuracy"])
        form = _form(indices, n)
        if form != "indices":
            return {"form": form, "front": []}
        # not from what was passed in, which may have been sorted
        front = [[float(instance[key][i]) for key in ("accuracy", "latency")] for i in indices.tolist()]
        return {"form": "indices", "front": front}


def _form(indices: NDArray[Any], n: int) -> str:
    """What an array is that should be the indices of some of n points."""
    if not indices.size:
        return "no indices at all"  # whatever their dtype
    if indices.dtype.kind == "b":
        return "a mask of True and False"
    if indices.ndim != 1:
        return f"an array of the shape {indices.shape}"
    whole = indices.dtype.kind in "iuf" and (indices == np.floor(indices)).all()
    if not whole or ((indices < 0) | (indices >= n)).any():
        return "numbers that are no indices"
    return "indices" if indices.dtype.kind in "iu" else "indices as floats"


class Hypervolume(ValueExercise):
    """`hypervolume_2d(accuracy, latency, reference)`."""

    name, lesson, returns = "hypervolume_2d", LESSON, "float"
    parts: ClassVar = (Part("result", "the area", "wrong-area", floor=1e-4),)

    def instances(self, seed: int) -> list[Instance]:
        """The problems with a reference beyond all points, and one that cuts some off; bad input."""
        rng = default_rng(seed)
        whole = [one | {"reference": [50.0, 40.0]} for one in problems(rng)]
        n = int(rng.integers(10, 14))
        cut = {
            "accuracy": [*floats(rng, n, 60, 95), 55.0, 96.0],
            "latency": [*floats(rng, n, 2, 30), 1.0, 45.0],
            "reference": [70.0, 20.0],
            "about": "points beyond the reference",
        }
        low = {
            "accuracy": floats(rng, 6, 60, 95),
            "latency": floats(rng, 6, 2, 30),
            "reference": [12.5, 40.0],
            "about": "a reference of low accuracy",
        }
        nothing = {
            "accuracy": [60.0, 65.0],
            "latency": [3.0, 30.0],
            "reference": [70.0, 20.0],
            "about": "no point better than the reference",
        }
        seconds = {
            "accuracy": floats(rng, 6, 60, 95),
            "latency": [1e-6 * one for one in floats(rng, 6, 2, 30)],
            "reference": [50.0, 4e-5],
            "about": "latencies of microseconds",
        }
        negative = {
            "accuracy": [-3.0, -1.0, -2.0],
            "latency": [-4.0, -1.0, -2.0],
            "reference": [-9.0, 4.0],
            "about": "values below 0, better than the reference",
        }
        good = {"accuracy": [80.0], "latency": [3.0]}
        references = {
            "a reference of three numbers": [1.0, 2.0, 3.0],
            "a reference of one number": [70.0],
            "a reference with an accuracy of NaN": [NAN, 9.0],
            "a reference with an infinite latency": [70.0, INFINITY],
        }
        refused = [good | {"bad": phrase, "reference": one} for phrase, one in references.items()]
        sound = [*whole, cut, low, nothing, seconds, negative]
        return [*sound, *(one | {"reference": [50.0, 40.0]} for one in bad()), *refused]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The area."""
        return fn(*points(instance), tuple(instance["reference"]))
