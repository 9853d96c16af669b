"""Cases of `expected_latency`: the price of a mixture, and its gradient."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.random import default_rng

from nas_lib.checks.darts.mixing import AT_ALPHAS, NAN
from nas_lib.checks.darts.shared import LESSON, normal, rounded, slopes, tensor
from nas_lib.checks.exercise import Instance
from nas_lib.checks.values import Part, ValueExercise

INFINITY = float("inf")


class ExpectedLatency(ValueExercise):
    """`expected_latency(alphas, latencies)`: the number, its gradient, and both again for other arguments."""

    name, lesson, returns = "expected_latency", LESSON, "tensor"
    parts: ClassVar[tuple[Part, ...]] = (
        Part("result", "the expected latency", "wrong-latency", tolerance=1e-5),
        Part("alphas", AT_ALPHAS, "no-gradient-of-alphas", tolerance=1e-5, floor=0.1),
        Part(
            "later",
            "the expected latency, once both tensors have been changed in place,",
            "old-numbers",
            tolerance=1e-5,
        ),
        Part("type", "the type of the result", "other-dtype", score=0.5, exact=True),
    )

    def instances(self, seed: int) -> list[Instance]:
        """Tables of several shapes and both dtypes, extreme logits, operations that take no time; bad ones."""
        rng = default_rng(seed)

        def prices(*shape: int) -> Any:
            return rng.uniform(0.5, 9, shape).round(3).tolist()

        def case(edges: int, ops: int, **more: Any) -> Instance:
            return {"alphas": normal(rng, edges, ops), "latencies": prices(edges, ops), **more}

        def with_alpha(value: float, place: tuple[int, int], **more: Any) -> Instance:
            made = case(3, 4, **more)
            made["alphas"][place[0]][place[1]] = value
            return made

        def with_latency(value: float, place: tuple[int, int], **more: Any) -> Instance:
            made = case(3, 4, **more)
            made["latencies"][place[0]][place[1]] = value
            return made

        def ruled_out(**more: Any) -> Instance:
            made = case(4, 5, **more)
            for edge, op in enumerate(rng.permutation(5)[:3].tolist()):
                made["alphas"][edge][op] = -INFINITY
            return made

        far = case(3, 4, about="logits around 800 and -800")
        far["alphas"] = np.add(_eighths(far["alphas"]), [[800.0], [-800.0], [0.0]]).tolist()
        free = case(6, 5, about="operations that take no time")
        free["latencies"] = [[0.0, 0.0, *row[2:]] for row in free["latencies"]]
        alike = case(3, 4, about="operations that all take the same time")
        alike["latencies"] = [[row[0]] * 4 for row in alike["latencies"]]
        low = ruled_out(about="logits of minus infinity, beside others around -100,000")
        low["alphas"] = (_eighths(low["alphas"]) - 1e5).tolist()
        lost = ruled_out(bad="an infinite latency of an operation that is ruled out")
        lost["latencies"][0][lost["alphas"][0].index(-INFINITY)] = INFINITY
        barred = case(3, 4, bad="a row of logits that are all minus infinity")
        barred["alphas"][1] = [-INFINITY] * 4
        return [
            case(6, 5),
            case(int(rng.integers(2, 5)), int(rng.integers(6, 9)), about="fewer edges and more operations"),
            case(4, 4, about="as many edges as operations"),
            case(1, 4, about="a single edge"),
            case(4, 1, about="a single operation on each edge"),
            far,
            free,
            alike,
            case(3, 4, latencies=[[0.0] * 4] * 3, about="latencies that are all 0"),
            ruled_out(about="logits of minus infinity"),
            low,
            case(3, 4, latencies=(1e4 * np.array(prices(3, 4))).tolist(), about="latencies of ten thousands"),
            case(3, 4, grad=False, about="logits that need no gradient"),
            case(8, 3, dtype="float32", about="float32"),
            case(1, 1, about="a single operation on a single edge"),
            case(6, 5, latencies=prices(5, 6), bad="latencies of shape (5, 6) for alphas of shape (6, 5)"),
            case(4, 5, latencies=prices(5), bad="one row of latencies, of shape (5,), for four edges"),
            case(4, 5, latencies=prices(1, 5), bad="latencies of shape (1, 5) for four edges"),
            case(4, 5, latencies=prices(4, 1), bad="latencies of shape (4, 1) for five operations"),
            case(3, 4, latencies=prices(2, 3, 4), bad="latencies of shape (2, 3, 4) for alphas of (3, 4)"),
            {"alphas": normal(rng, 5), "latencies": prices(5), "bad": "alphas and latencies of shape (5,)"},
            {
                "alphas": normal(rng, 2, 3, 4),
                "latencies": prices(2, 3, 4),
                "bad": "alphas and latencies of three axes",
            },
            {"alphas": [[], [], []], "latencies": [[], [], []], "bad": "edges without operations"},
            {"alphas": [], "latencies": [], "edges": 0, "bad": "no edges"},
            with_alpha(NAN, (1, 2), bad="a logit of NaN"),
            with_alpha(INFINITY, (2, 3), bad="a logit of plus infinity"),
            barred,
            with_latency(-0.5, (0, 1), bad="a latency of -0.5"),
            with_latency(NAN, (2, 0), bad="a latency of NaN"),
            with_latency(INFINITY, (1, 3), bad="an infinite latency"),
            with_latency(-INFINITY, (0, 0), bad="a latency of minus infinity"),
            lost,
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The number, the gradient that arrives at the logits, and the number for others in the same tensors."""
        import torch

        dtype = instance.get("dtype", "float64")
        alphas = tensor(instance["alphas"], instance.get("grad", True), dtype)
        latencies = tensor(instance["latencies"], dtype=dtype)
        if "edges" in instance:
            alphas, latencies = (one.reshape(instance["edges"], 5) for one in (alphas.detach(), latencies))
        found = fn(alphas, latencies)
        learning = [alphas] if instance.get("grad", True) else []
        at_alphas = next(iter(slopes(found, tensor(1.0, dtype=dtype), learning)), torch.zeros_like(alphas))
        with torch.no_grad():
            alphas += tensor(_moved(alphas), dtype=dtype)
            latencies += tensor(_moved(latencies) + 1, dtype=dtype)
            later = fn(alphas, latencies)
        return {
            "result": rounded(found),
            "alphas": rounded(at_alphas),
            "later": rounded(later),
            "type": str(found.dtype) if isinstance(found, torch.Tensor) else "",
        }


def _moved(values: Any) -> Any:
    """Other numbers from −1 to 1 for each entry."""
    return _eighths(np.cos(1 + np.arange(values.numel()))).reshape(tuple(values.shape))


def _eighths(values: Any) -> Any:
    """Rounded so that float32 holds them, with 800 or 100,000 added."""
    return np.round(8 * np.asarray(values)) / 8
