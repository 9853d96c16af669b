"""Cases of `slice_kernel` and `slice_width`: what is cut out, and the gradients that reach the large weights."""

from __future__ import annotations

from typing import Any

from numpy.random import default_rng

from nas_lib.checks.codec import NotPlainData, describe
from nas_lib.checks.exercise import Instance
from nas_lib.checks.judging import CONDUCT
from nas_lib.checks.supernet.shared import INFINITY, LESSON, NAN, floats
from nas_lib.checks.values import Part, ValueExercise

NUMBERS = 1e-6
GRADIENT = (
    "no gradient arrives at `{0}`, or a wrong one: small networks train the weights of large ones, so cut out of the "
    "tensor itself, without .data, .detach() or numpy"
)


DTYPE = Part(
    "dtype",
    concept="wrong-dtype",
    message="the numbers are right, but their dtype {differ}, that of `weight`: it is part of the same network",
    score=CONDUCT,
    exact=True,
)


def _dtype(result: Any) -> str:
    return str(getattr(result, "dtype", "none")).removeprefix("torch.")


def _whole(indices: Any) -> bool:
    kind = str(getattr(indices, "dtype", ""))
    return "float" not in kind if kind else not any(isinstance(one, float) for one in indices)


def _gradient(key: str, of: str) -> Part:
    return Part(key, f"the gradient at `{of}`", "no-gradient", GRADIENT.format(of), 1e-5, 1.0)


def _pull(result: Any, *leaves: Any) -> list[Any]:
    """Gradients of a sum whose terms all count differently; zeros where none arrives."""
    import torch

    if isinstance(result, torch.Tensor) and result.requires_grad:
        weights = torch.arange(1, result.numel() + 1, dtype=result.dtype).reshape(result.shape)
        (result * weights).sum().backward()
    return [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]


class SliceKernel(ValueExercise):
    """`slice_kernel(weight, size, transform=None)`: the centre, times the matrix; gradients reach both."""

    name, lesson, returns = "slice_kernel", LESSON, "tensor"
    parts = (
        Part("result", "the tensor of kernels", "wrong-kernels", tolerance=NUMBERS),
        _gradient("weight", "weight"),
        _gradient("transform", "transform"),
        DTYPE,
    )

    def instances(self, seed: int) -> list[Instance]:
        """From 7 to 5 and 3, from 5 to 3, to the same size, to 1, even ones; with and without a matrix; bad input."""
        rng = default_rng(seed)

        def case(large: int, small: int, matrix: bool, **more: Any) -> Instance:
            transform = floats(rng, (small**2, small**2)) if matrix else None
            return {
                "weight": floats(rng, (2, 1, large, large)),
                "size": small,
                "transform": transform,
                **more,
            }

        plain, times = case(5, 3, False), case(5, 3, True)
        return [
            case(7, 3, False),
            case(5, 3, True),
            case(7, 5, True),
            case(5, 5, False, about="the same size"),
            case(3, 3, True, about="the same size, with a matrix"),
            case(5, 1, False, about="a size of 1"),
            case(3, 1, True, about="a size of 1 out of 3, with a matrix"),
            case(1, 1, False, about="a kernel of size 1"),
            case(4, 2, True, about="even sizes"),
            case(5, 3, True, dtype="float32", about="float32"),
            case(3, 1, True, frozen=True, about="weights that need no gradient"),
            case(5, 3, True, weight=floats(rng, (3, 2, 5, 5)), about="several channels, with a matrix"),
            plain | {"bad": "a size of 7 out of 5", "size": 7},
            plain | {"bad": "a size of 2, which has no centre in 5,", "size": 2},
            plain | {"bad": "a size of 4, which has no centre in 5,", "size": 4},
            plain | {"bad": "a size of -1", "size": -1},
            case(4, 2, False, bad="a size of 0", size=0),
            case(4, 2, False, bad="a size of 3, which has no centre in 4,", size=3),
            times | {"bad": "a matrix for a larger size", "transform": floats(rng, (25, 25))},
            times | {"bad": "a matrix for a smaller size", "transform": floats(rng, (1, 1))},
            times | {"bad": "a matrix with too many columns", "transform": floats(rng, (9, 25))},
            times | {"bad": "a matrix with too many rows", "transform": floats(rng, (25, 9))},
            times | {"bad": "a matrix of 27 rows and 3 columns", "transform": floats(rng, (27, 3))},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The kernels, and what arrives at weight and matrix; without a matrix none is passed."""
        import torch

        dtype = getattr(torch, instance.get("dtype", "float64"))
        weight = torch.tensor(instance["weight"], dtype=dtype, requires_grad=not instance.get("frozen"))
        if instance["transform"] is None:
            result = fn(weight, instance["size"])
            weight_grad = _pull(result, weight)[0]
            return {"result": result, "weight": weight_grad, "transform": 0, "dtype": _dtype(result)}
        transform = torch.tensor(instance["transform"], dtype=dtype, requires_grad=True)
        result = fn(weight, instance["size"], transform)
        pulled = dict(zip(("weight", "transform"), _pull(result, weight, transform)))
        return {"result": result, **pulled, "dtype": _dtype(result)}


class SliceWidth(ValueExercise):
    """`slice_width(weight, width, importance)`: the most important rows, most important first, and which they are."""

    name, lesson, returns = "slice_width", LESSON, "tuple"
    parts = (
        Part("indices", "the tensor of indices", "wrong-rows"),
        Part(
            "rows",
            concept="mismatched-rows",
            message="the rows are not those that the indices name, in their order: the tensor of rows {differ}",
            tolerance=NUMBERS,
        ),
        _gradient("weight", "weight"),
        DTYPE,
        Part(
            "whole",
            concept="wrong-type",
            message="the indices are right, but no whole numbers: rows are numbered by ints",
            score=CONDUCT,
            exact=True,
        ),
    )

    def instances(self, seed: int) -> list[Instance]:
        """Vectors, matrices, kernels; ties, negative, whole and nearly equal importances, all rows; bad input."""
        rng = default_rng(seed)

        def case(n: int, width: int, shape: tuple[int, ...], **more: Any) -> Instance:
            importance = (rng.permutation(n) * 0.5 + 0.25).tolist()
            return {"weight": floats(rng, (n, *shape)), "width": width, "importance": importance, **more}

        ties = rng.permutation([3.0, 3.0, 1.0, 1.0, 1.0, 1.0, 2.0, 0.0]).tolist()
        many = rng.integers(0, 3, 40).astype(float).tolist()
        five = case(5, 2, (3,))
        start = five["importance"][:4]
        return [
            case(7, 3, (4,)),
            case(6, 4, (2, 2, 2), about="kernels of shape (6, 2, 2, 2)"),
            case(8, 5, (3,), importance=ties, about="ties"),
            case(40, 17, (2,), importance=many, about="many ties, where the lower index comes first"),
            case(7, 6, (2,), importance=(rng.permutation(7) - 5.0).tolist(), about="importances below 0"),
            case(
                5,
                3,
                (2,),
                weight=rng.normal(size=(5, 2)).round(7).tolist(),
                importance=[5e3, 1e3, 7e3, 3e3, 2e3],
                about="importances in the thousands",
            ),
            case(6, 3, (2,), importance=[int(one) for one in rng.permutation(6)], about="whole numbers"),
            case(
                5,
                3,
                (2,),
                importance=[1 + 1e-10 * i for i in (0, 1, 50, 4, 3)],
                about="tiny differences",
            ),
            case(5, 5, (3,), about="all rows"),
            case(6, 1, (3,), about="a single row"),
            case(1, 1, (2,), about="a single row of one"),
            case(6, 2, (), about="a weight of one dimension"),
            case(6, 3, (2,), dtype="float32", about="float32"),
            case(6, 3, (2,), importance=[2.0] * 6, about="equal importances"),
            case(4, 2, (2,), frozen=True, about="a weight that needs no gradient"),
            five | {"bad": "a width of 0", "width": 0},
            five | {"bad": "a width of -1", "width": -1},
            five | {"bad": "a width of 6 out of 5", "width": 6},
            five | {"bad": "an importance of NaN", "importance": [*start, NAN]},
            five | {"bad": "an importance of infinity", "importance": [*start, INFINITY]},
            five | {"bad": "an importance of minus infinity", "importance": [-INFINITY, *start]},
            five | {"bad": "too few importances", "importance": start},
            five | {"bad": "too many importances", "importance": [*five["importance"], 0.0]},
            five | {"bad": "a single importance for all", "importance": 1.5},
            five
            | {"bad": "importances in two dimensions", "importance": [[one] for one in five["importance"]]},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """Rows and indices, and what arrives at the weight."""
        import torch

        dtype = getattr(torch, instance.get("dtype", "float64"))
        weight = torch.tensor(instance["weight"], dtype=dtype, requires_grad=not instance.get("frozen"))
        importance = torch.tensor(instance["importance"])
        if importance.dtype.is_floating_point:
            importance = torch.tensor(instance["importance"], dtype=dtype)
        result = fn(weight, instance["width"], importance)
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise NotPlainData(f"returned {describe(result)} where a pair (rows, indices) is expected")
        chosen, indices = result
        return {
            "rows": chosen,
            "indices": indices,
            "weight": _pull(chosen, weight)[0],
            "dtype": _dtype(chosen),
            "whole": _whole(indices),
        }
