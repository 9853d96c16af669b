"""Cases of `ridge_predictor`, `gaussian_process` and `expected_improvement`: small data of every shape."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.random import default_rng

from nas_lib.checks.codec import NotPlainData, describe
from nas_lib.checks.exercise import Instance
from nas_lib.checks.judging import CONDUCT
from nas_lib.checks.predictors_and_fidelity.shared import INFINITY, LESSON, NAN, form, spoiled, table
from nas_lib.checks.values import Part, ValueExercise


def _bad_data(good: Instance) -> list[Instance]:
    """Shapes that do not fit and numbers that are not finite, in x and y."""
    return [
        good | {"bad": "x of one axis", "x": [row[0] for row in good["x"]], "x_new": [[0.5]]},
        good | {"bad": "no architectures", "x": np.zeros((0, 2)), "y": []},
        good | {"bad": "one value too few", "y": good["y"][:-1]},
        good | {"bad": "one value too many", "y": [*good["y"], 80.0]},
        good | {"bad": "values of two axes", "y": [[one] for one in good["y"]]},
        good | {"bad": "NaN in x", "x": spoiled(good["x"], NAN)},
        good | {"bad": "infinity in x", "x": spoiled(good["x"], INFINITY)},
        good | {"bad": "NaN in y", "y": spoiled(good["y"], NAN)},
        good | {"bad": "infinity in y", "y": spoiled(good["y"], -INFINITY)},
    ]


class RidgePredictor(ValueExercise):
    """`ridge_predictor(x, y, penalty)`: predictions of a whole batch, and of each row alone."""

    name, lesson = "ridge_predictor", LESSON
    parts: ClassVar[tuple[Part, ...]] = (
        Part("batch", "the array of predictions", "wrong-predictions", tolerance=1e-8),
        Part("alone", "the list of predictions row by row", "wrong-predictions", tolerance=1e-8),
        Part(
            "later",
            "the array of another fit's predictions, to each value + 1,",
            "wrong-predictions",
            tolerance=1e-8,
        ),
        Part("form", "what the function returns", "wrong-type", exact=True, score=CONDUCT),
    )

    def instances(self, seed: int) -> list[Instance]:
        """More cells than features and fewer, one cell, zeros and ones, features that are constant; bad input."""
        rng = default_rng(seed)

        def case(n: int, d: int, penalty: float, **given: Any) -> Instance:
            return {
                "x": table(rng, n, d, shift=1.5),
                "y": (80 + 3 * rng.normal(size=n)).round(3).tolist(),
                "x_new": table(rng, 4, d, shift=0.5),
                "penalty": penalty,
                **given,
            }

        bits = rng.integers(0, 2, size=(6, 12))
        bits[:, 3] = 1
        good = case(5, 2, 1.0)
        sizes = case(9, 2, 0.5, about="features of very different sizes")
        for key in ("x", "x_new"):
            sizes[key] = [[one, round(500 * other, 1)] for one, other in sizes[key]]
        again = table(rng, 3, 2)
        return [
            case(9, 3, round(float(rng.uniform(0.3, 3)), 2)),
            case(12, 2, 25.0, about="a large penalty"),
            case(12, 3, 1e-5, about="a small penalty"),
            case(4, 9, 0.5, about="more features than architectures"),
            case(1, 3, 1.0, about="a single architecture"),
            case(3, 2, 2.0, y=[81.0] * 3, about="equal values"),
            case(6, 12, 1.0, x=bits.tolist(), x_new=(1 - bits).tolist(), about="zeros and ones, as ints"),
            case(5, 2, 1.0, y=[-3.0, -1.0, -2.5, -1.5, -2.0], about="values below 0"),
            case(6, 2, 1, as_list=True, about="lists, and a penalty that is an int"),
            case(12, 2, 0.7, about="as much data as in an earlier case"),
            sizes,
            case(5, 2, 0.4, x=[*again, *again[:2]], y=[80.02, 80.35, 80.11, 80.3, 80.05], x_new=again)
            | {"about": "architectures that were trained twice, and are asked about"},
            *_bad_data(good),
            *(
                good | {"bad": f"a penalty of {said}", "penalty": value}
                for said, value in (("0", 0.0), ("-1", -1.0), ("NaN", NAN), ("infinity", INFINITY))
            ),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The predictions of some rows together, and of each alone, after another fit to as many numbers; and its."""
        make: Any = (lambda one: one) if instance.get("as_list") else np.array
        predictor = fn(make(instance["x"]), make(instance["y"]), instance["penalty"])
        more = (np.array(instance["y"]) + 1.0).tolist()
        later = fn(make(instance["x"]), make(more), instance["penalty"])
        if predictor is None:
            return None
        if not callable(predictor) or not callable(later):
            raise NotPlainData(f"returned {describe(predictor)}, not a function of encodings")
        rows = np.array(instance["x_new"])
        batch, alone = predictor(rows), [predictor(row[None]) for row in rows]
        return {"batch": batch, "alone": alone, "later": later(rows), "form": form(batch, *alone)}


class GaussianProcess(ValueExercise):
    """`gaussian_process(x, y, x_new, length, noise)`."""

    name, lesson, returns = "gaussian_process", LESSON, "tuple"
    parts: ClassVar[tuple[Part, ...]] = (
        Part("mean", "the mean", "wrong-mean", tolerance=1e-8),
        Part("std", "the standard deviation", "wrong-std", tolerance=1e-7, floor=1.0),
        Part("form", "mean or standard deviation", "wrong-type", exact=True, score=CONDUCT),
    )

    def instances(self, seed: int) -> list[Instance]:
        """One point and several, near and far, long and short lengths, much noise and little; bad input."""
        rng = default_rng(seed)

        def case(n: int, d: int, length: float, noise: float, **given: Any) -> Instance:
            return {
                "x": table(rng, n, d),
                "y": (1.5 + rng.normal(size=n)).round(3).tolist(),
                "x_new": table(rng, 5, d),
                "length": length,
                "noise": noise,
                **given,
            }

        # With next to no noise the variance at the training points is rounding, and often a bit below 0.
        grid = [[x, y] for x in range(4) for y in range(3)]
        one = table(rng, 1, 2)
        twice = [*table(rng, 3, 2), *one, *one]
        near = table(rng, 6, 2)
        good = case(4, 2, 1.0, 0.1)
        return [
            case(7, 2, round(float(rng.uniform(1.2, 2.5)), 2), round(float(rng.uniform(0.05, 0.4)), 3)),
            case(1, 2, 1.3, 0.5, x=one, x_new=[*one, *table(rng, 2, 2)], about="a single point"),
            case(6, 3, 0.6, 0.02, about="a short length"),
            case(6, 3, 4.0, 0.3, about="a long length"),
            case(6, 2, 1.4, 3.0, about="a noise above the variance of the kernel"),
            case(6, 2, 1.0, 0.01, x=near, x_new=near, about="asked at the training points"),
            case(6, 2, 0.5, 0.05, x_new=table(rng, 4, 2, shift=60.0), about="asked far from all data"),
            case(5, 2, 1.5, 0.2, x=twice, x_new=twice, about="a point that is there twice"),
            case(5, 2, 1.5, 0.2, y=[2.0] * 5, about="equal values"),
            case(4, 155, 5.0, 0.1, about="more features than points"),
            case(6, 2, 1.5, 0.2, x=table(rng, 6, 2, shift=300.0), x_new=table(rng, 5, 2, shift=300.0))
            | {"about": "encodings far from 0"},
            case(12, 2, 0.5, 1e-17, x=grid, x_new=grid, about="points that are known without noise"),
            case(6, 2, 30.0, 0.1, x=table(rng, 6, 2, 20.0), x_new=table(rng, 5, 2, 20.0))
            | {"about": "large encodings, and a length to match"},
            case(3, 2, 1, 1, x=[[0, 1], [1, 1], [1, 0]], y=[1, 3, 2], x_new=[[0, 0], [1, 1]])
            | {"about": "ints"},
            case(2, 2, 1.0, 0.2, y=[7000.0, 7001.0], about="values in the thousands"),
            case(40, 3, 1.2, 0.1, about="40 points"),
            case(2, 2, 1.0, 0.01, x=[[0.0, 0.0], [1.0, 0.0]], y=[-3.0, -2.0], x_new=[[1.6, 0.2]])
            | {"about": "one new point, better than all that were seen"},
            *_bad_data(good),
            good | {"bad": "x_new with a feature too many", "x_new": table(rng, 3, 3)},
            good | {"bad": "x_new of one axis", "x_new": [0.5, 1.0]},
            good | {"bad": "NaN in x_new", "x_new": spoiled(good["x_new"], NAN)},
            good | {"bad": "infinity in x_new", "x_new": spoiled(good["x_new"], INFINITY)},
            *(
                good | {"bad": f"a {name} of {said}", name: value}
                for name in ("length", "noise")
                for said, value in (("0", 0.0), ("-0.5", -0.5), ("NaN", NAN), ("infinity", INFINITY))
            ),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """Mean and standard deviation."""
        given = [np.array(instance[key]) for key in ("x", "y", "x_new")]
        found = fn(*given, instance["length"], instance["noise"])
        if found is None:
            return None
        if not isinstance(found, (tuple, list)) or len(found) != 2:
            raise NotPlainData(f"returned {describe(found)}, not (mean, std)")
        return dict(zip(("mean", "std"), found)) | {"form": form(*found)}


class ExpectedImprovement(ValueExercise):
    """`expected_improvement(mean, std, best)`."""

    name, lesson, returns = "expected_improvement", LESSON, "floats"
    parts: ClassVar[tuple[Part, ...]] = (
        Part(what="the expected improvement", concept="wrong-improvement", tolerance=1e-8, floor=1e-9),
    )

    def instances(self, seed: int) -> list[Instance]:
        """Above, at and below the best; std of 0, small and large; shapes; bad input."""
        rng = default_rng(seed)

        def case(mean: Any, std: Any, best: float, **given: Any) -> Instance:
            return {"mean": mean, "std": std, "best": best, **given}

        n = int(rng.integers(4, 7))
        mean = rng.normal(80, 2, size=n).round(3).tolist()
        std = rng.uniform(0.5, 3, size=n).round(3).tolist()
        good = case([80.0, 81.0], [1.0, 2.0], 80.5)
        return [
            case(mean, std, 80.5),
            case([82.25, 84.25], [1.5, 1.25], 80.0, about="means above the best"),
            case([78.0, 76.5], [1.5, 1.0], 80.0, about="means below the best"),
            case([80.0], [0.7], 80.0, about="a mean that equals the best"),
            case([82.0, 80.0, 77.0], [0.0, 0.0, 0.0], 80.0, about="an std of 0"),
            case([82.0, 81.0, 78.0, 79.0], [0.0, 1.0, 0.0, 2.0], 80.0, about="some stds of 0"),
            case([-2.0, -3.5, -1.0], [1.0, 2.5, 0.0], -1.5, about="values below 0"),
            case([80.001, 80.0], [1e-4, 1e-3], 80.0, about="small stds"),
            case([80.0, 80.0], [1e-9, 3e-10], 80.0, about="tiny stds"),
            case([75.0, 82.0], [6.0, 9.0], 80.0, about="large stds"),
            case([[81.0, 79.0], [80.0, 82.0]], [[1.0, 2.0], [0.5, 0.0]], 80.0, about="two axes"),
            case([81, 79], [1, 2], 80, about="ints"),
            case([81.5, 79.0], [1.0, 2.0], 80.0, as_list=True, about="a list and a tuple"),
            good | {"bad": "an std of -1", "std": [1.0, -1.0]},
            good | {"bad": "more means than stds", "std": [1.0]},
            good | {"bad": "more stds than means", "mean": [80.0]},
            good | {"bad": "means of the shape (2, 1) and stds of (2,)", "mean": [[80.0], [81.0]]},
            *(
                good | {"bad": f"{article} {name} of {said}", name: [80.0, value]}
                for article, name in (("a", "mean"), ("an", "std"))
                for said, value in (("NaN", NAN), ("infinity", INFINITY))
            ),
            good | {"bad": "a mean of minus infinity", "mean": [80.0, -INFINITY]},
            good | {"bad": "a best of NaN", "best": NAN},
            good | {"bad": "a best of minus infinity", "best": -INFINITY},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The improvements of arrays, or of sequences, looked at after those of another call."""
        mean, std = instance["mean"], instance["std"]
        mean, std = (mean, tuple(std)) if instance.get("as_list") else (np.array(mean), np.array(std))
        found = fn(mean, std, instance["best"])
        fn(
            np.zeros(np.shape(found)), np.ones(np.shape(found)), 0.0
        )  # in one array it would overwrite the first
        return found
