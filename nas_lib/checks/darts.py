"""Checks of lesson 04: mixed operations, the supernet's cell, discretisation, the steps of DARTS, Gumbel-softmax.

Everything is small, smooth and in float64. The cell of `CellSupernet` gets elementwise operations of ours in the
place of its own, so that the judge can compute what each node should be. The steps act on toy models: the bilevel
toy of the DARTS paper (figure 2), whose gradients are known in closed form, and a small smooth regression, on which
the judge differentiates exactly, twice where the second order needs it, and works out the usual mistakes as well.
Which gradient a step used is read off from what the optimiser, a plain momentum of ours, made of it. Gumbel-softmax
samples are judged by exact identities (their gradient, the one-hot of the soft sample) and by counts: right ones
fail by bad luck with probability at most `false_fail`, 14 counts at 2e-9 each in each of two instances (`_stats`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from nas_lib.checks._mistakes import Mistake, close, first_mistake, raised
from nas_lib.checks.codec import NotPlainData, describe
from nas_lib.checks.exercise import RIGHT, Answer, Exercise, Instance, Unacceptable, Verdict, fail, show
from nas_lib.checks.judging import BAD_INPUT, error_verdict
from nas_lib.checks.questions import ConceptQuestion
from nas_lib.checks.registry import register
from nas_lib.judges.reading import cell, is_number, scalar
from nas_lib.judges.statistics import count_range
from nas_lib.spaces import EDGES, OPS

# torch is imported where it is used: looking an exercise up by its name imports the checks of all lessons.

LESSON = "04_darts"
_ALPHA = 2e-9

Array = NDArray[np.float64]


def _close(one: Any, other: Any, tolerance: float = 1e-8) -> bool:
    """`close`, by default as far as gradients of several layers agree."""
    return close(one, other, tolerance)


def _softmax(x: Array, axis: int = -1) -> Array:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _normal(rng: Generator, *shape: int) -> Any:
    return np.round(rng.normal(size=shape), 3).tolist()


def _array(value: Any, shape: Sequence[int], what: str) -> Array:
    """A finite array of that shape; raises `Unacceptable` for anything else."""
    if value is None:
        raise Unacceptable("returns-nothing", f"{what} is None: is there a return statement?")
    if isinstance(value, list):
        try:
            value = np.array(value, dtype=float)
        except (TypeError, ValueError):
            value = describe(value)
    if not isinstance(value, np.ndarray):
        raise Unacceptable("wrong-type", f"{what} should be a tensor, not {describe(value)}")
    if value.shape != tuple(shape):
        raise Unacceptable("wrong-shape", f"{what} should have the shape {tuple(shape)}, not {value.shape}")
    array = np.asarray(value, dtype=float)
    if not np.isfinite(array).all():
        raise Unacceptable("not-finite", f"{what} holds {show(float(array[~np.isfinite(array)][0]))}")
    return array


# ------------------------------------------------------------------------------------------------ mixed_op


class MixedOp(Exercise):
    """`mixed_op(outputs, alphas)`: the weighted sum and its gradients, against the definition."""

    name, lesson = "mixed_op", LESSON
    has_reference = False

    def instances(self, seed: int) -> list[Instance]:
        """Two to six outputs of several shapes; the last ones are bad."""
        rng = default_rng(seed)

        def case(count: int, shape: Sequence[int], **more: Any) -> Instance:
            return {
                "outputs": [_normal(rng, *shape) for _ in range(count)],
                "alphas": _normal(rng, count),
                "upstream": _normal(rng, *shape),
                **more,
            }

        k = int(rng.integers(4, 7))
        shifted = case(3, [2, 3, 2, 2], about="logits around 40")
        shifted["alphas"] = [round(40 + one, 3) for one in shifted["alphas"]]
        ragged = case(3, [2, 4])
        ragged["outputs"][1] = _normal(rng, 1, 4)
        return [
            case(k, [2, 3, 2, 2]),
            shifted,
            case(2, [int(rng.integers(3, 6))], about="two outputs of one dimension"),
            case(4, [4], about="as many outputs as entries in each"),
            case(1, [2, 2], about="a single output"),
            {**case(4, [2, 2]), "alphas": _normal(rng, 5), "bad": "five alphas for four outputs"},
            {**case(4, [2, 2]), "alphas": _normal(rng, 3), "bad": "three alphas for four outputs"},
            {**case(4, [2, 2]), "alphas": _normal(rng, 1, 4), "bad": "alphas of shape (1, 4)"},
            {**ragged, "bad": "outputs of the shapes (2, 4) and (1, 4)"},
            {"outputs": [], "alphas": [], "bad": "no outputs"},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The sum, and the gradients that arrive at logits and outputs."""
        import torch

        outputs = [_tensor(one, grad=True) for one in instance["outputs"]]
        alphas = _tensor(instance["alphas"], grad=True)
        if "bad" in instance:
            return raised(lambda: fn(outputs, alphas))
        mixed = fn(outputs, alphas)
        upstream = _tensor(instance["upstream"])
        if isinstance(mixed, torch.Tensor) and mixed.requires_grad and mixed.shape == upstream.shape:
            (mixed * upstream).sum().backward()
        return {"mixed": mixed, "alphas": alphas.grad, "outputs": [one.grad for one in outputs]}

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Exact; the usual mistakes by what they give."""
        outputs = np.array(instance["outputs"], dtype=float)
        alphas = np.array(instance["alphas"], dtype=float)
        upstream = np.array(instance["upstream"], dtype=float)
        k = len(alphas)
        p = _softmax(alphas)

        def mixed(weights: Array) -> Array:
            return np.tensordot(weights, outputs, axes=1)

        right = mixed(p)
        value = answer.value["mixed"]
        if isinstance(value, np.ndarray) and value.shape == outputs.shape and k > 1:
            return fail(
                "operations-apart",
                "one entry per operation came back: the weighted outputs have to be summed",
            )
        found = _array(value, right.shape, "the mixture")
        if not _close(found, right):
            column = alphas.reshape(k, *[1] * (outputs.ndim - 1))
            mistakes: list[Mistake] = [
                (mixed(alphas), "no-softmax", "the logits themselves are the weights: take their softmax"),
                (
                    mixed(1 / (1 + np.exp(-alphas))),
                    "sigmoid",
                    "each weight is a sigmoid: the operations of an edge compete, by a softmax over all of them",
                ),
                (
                    mixed(np.eye(k)[alphas.argmax()]),
                    "argmax",
                    "only the strongest operation counts: the relaxation mixes all of them",
                ),
                (
                    mixed(np.full(k, 1 / k)),
                    "ignores-alphas",
                    "all operations count alike: the alphas are not used",
                ),
                (
                    (_softmax(outputs * column, axis=0) * outputs).sum(axis=0),
                    "softmax-of-outputs",
                    "the softmax is taken of the outputs: it belongs to the alphas alone",
                ),
                (
                    _softmax(outputs * column, axis=0).sum(axis=0),
                    "softmax-of-outputs",
                    "the softmax is taken of the weighted outputs: it belongs to the alphas alone",
                ),
                (right / k, "mean-of-arrivals", "this is the mean: the weights add up to 1 already, so sum"),
                (
                    mixed(alphas / alphas.sum()) if abs(alphas.sum()) > 1e-9 else None,
                    "no-exponential",
                    "the alphas are divided by their sum: a softmax takes their exponentials first",
                ),
                (mixed(p[::-1]), "reversed-order", "the weights are assigned back to front"),
                (
                    mixed(np.exp(alphas)),
                    "not-normalised",
                    "exp(alpha) is not divided by the sum over the operations",
                ),
            ]
            return first_mistake(found, right, mistakes, _close) or fail(
                "wrong-mixture",
                f"with the weights {show(p)} the mixture begins with {show(float(right.flat[0]))}, "
                f"not {show(float(found.flat[0]))}",
            )
        return self._gradients(answer.value, outputs, p, upstream)

    @staticmethod
    def _gradients(value: dict[str, Any], outputs: Array, p: Array, upstream: Array) -> Verdict:
        worth = np.tensordot(outputs, upstream, axes=upstream.ndim)
        right = p * (worth - p @ worth)
        slopes = value["alphas"]
        if len(p) > 1 and (slopes is None or not _close(slopes, right)):
            return fail(
                "no-gradient-of-alphas",
                f"the gradient that arrives at alphas is {show(slopes)}, not {show(right)}: no detach(), item() "
                "or .data on the way, or nothing can be learned about the architecture",
            )
        for weight, slope in zip(p, value["outputs"], strict=True):
            if slope is None or not _close(slope, weight * upstream):
                return fail(
                    "no-gradient-of-outputs",
                    "the outputs do not get their gradient: the operations' weights would not be trained",
                )
        return RIGHT


def _tensor(value: Any, grad: bool = False) -> Any:
    import torch

    return torch.tensor(value, dtype=torch.float64, requires_grad=grad)


# --------------------------------------------------------------------------------------------- the cell

_BY_SOURCE = tuple(sorted(range(len(EDGES)), key=lambda e: EDGES[e]))


class CellSupernetClass(Exercise):
    """`CellSupernet(channels, alphas).forward(x)`: nodes and gradients, with operations of ours on its edges."""

    name, lesson = "CellSupernet", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """Cells with smooth operations of ours, logits small and large, one with its own operations; bad ones."""
        rng = default_rng(seed)

        def case(**more: Any) -> Instance:
            return {
                "channels": int(rng.integers(2, 5)),
                "alphas": _normal(rng, len(EDGES), len(OPS)),
                "coefficients": _normal(rng, len(EDGES), len(OPS), 3),
                "seed": int(rng.integers(2**31)),
                **more,
            }

        strong = case(channels=1, about="logits that all but decide")
        strong["alphas"] = (4 * np.array(strong["alphas"])).round(3).tolist()
        own = case(about="its own operations")
        own["coefficients"] = None
        return [
            case(),
            strong,
            own,
            case(bad="alphas of shape (5, 6)", alphas=_normal(rng, 5, 6)),
            case(bad="alphas of shape (6, 4)", alphas=_normal(rng, 6, 4)),
            case(bad="alphas of shape (7, 5)", alphas=_normal(rng, 7, 5)),
            case(bad="channels = 0", channels=0),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The output for a seeded input, and the gradient of a weighted sum of it by the logits."""
        import torch

        alphas = torch.nn.Parameter(_tensor(instance["alphas"]))
        if "bad" in instance:
            return raised(lambda: fn(instance["channels"], alphas))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(instance["seed"])
            made = fn(instance["channels"], alphas)
        if not isinstance(made, torch.nn.Module):
            raise NotPlainData(f"returned {describe(made)} where a torch.nn.Module is expected")
        made = made.double()
        if instance["coefficients"] is not None:
            _put_ours(made, instance["coefficients"])
        x, upstream = (
            torch.from_numpy(default_rng([instance["seed"], n]).normal(size=(2, instance["channels"], 4, 4)))
            for n in (1, 2)
        )
        kept = x.clone()
        out = made(x)
        slope = None
        if isinstance(out, torch.Tensor) and out.requires_grad and out.shape == upstream.shape:
            (slope,) = torch.autograd.grad((out * upstream).sum(), alphas, allow_unused=True)
        norms = [one for one in made.modules() if isinstance(one, torch.nn.BatchNorm2d)]
        return {
            "out": out,
            "slope": slope,
            "kept": bool(torch.equal(x, kept)),
            "learnable": [p.requires_grad for norm in norms for p in norm.parameters()],
        }

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """The output first, then the gradient."""
        value, right = answer.value, np.asarray(expected.value["out"], dtype=float)
        about = f" (with {instance['about']})" if instance.get("about") else ""
        found = _array(value["out"], right.shape, "the cell's output")
        if not _close(found, right):
            named = None
            if instance["coefficients"] is not None:
                named = first_mistake(found, right, self._mistakes(instance), _close)
            return named or fail(
                "wrong-cell",
                f"the output begins with {show(float(found.flat[0]))} instead of {show(float(right.flat[0]))}"
                f"{about}: node j is the sum, over its incoming edges i→j, of that edge's mixture at node i",
            )
        if value["slope"] is None or not _close(value["slope"], expected.value["slope"]):
            return fail(
                "no-gradient-of-alphas",
                f"the output is right, but the gradient by alphas is not{about}: use self.alphas itself, "
                "without detach() or .data",
            )
        if value["learnable"] != expected.value["learnable"]:
            return fail(
                "learnable-scale",
                "the batch norms of the operations can learn their scale again, and with it undo what the alphas "
                "say: keep __init__ as it is given",
            )
        if value["kept"] is not True:
            return fail(
                "changes-its-input", "the input was changed: add with a + b, not in place with a += b"
            )
        return RIGHT

    def _mistakes(self, instance: Instance) -> list[Mistake]:
        alphas = np.array(instance["alphas"], dtype=float)
        c = np.array(instance["coefficients"], dtype=float)
        x = default_rng([instance["seed"], 1]).normal(size=(2, instance["channels"], 4, 4))

        def walk(mixing: Array, edges: Sequence[tuple[int, int]] = EDGES, **more: Any) -> Array:
            return _walk(x, mixing, c, edges, **more)

        p = _softmax(alphas)
        return [
            (
                walk(_softmax(alphas, axis=0)),
                "softmax-over-edges",
                "the softmax runs over the edges: it belongs to the operations *of one edge*, a row of alphas",
            ),
            (
                walk(_softmax(alphas.reshape(1, -1)).reshape(alphas.shape)),
                "softmax-over-everything",
                "one softmax runs over all 30 logits: each edge has its own, over its five operations",
            ),
            (walk(alphas), "no-softmax", "the logits themselves are the weights: take their softmax"),
            (walk(np.full_like(p, 1 / len(OPS))), "ignores-alphas", "all operations count alike: use alphas"),
            (
                walk(np.tile(p[0], (len(EDGES), 1))),
                "one-row-for-all",
                "every edge uses the first row of alphas: edge e has row e",
            ),
            (
                walk(p, reads_input=True),
                "reads-the-input",
                "every edge reads the cell's input: edge i→j reads *node i*, which earlier edges have made",
            ),
            (
                walk(p, [EDGES[e] for e in _BY_SOURCE]),
                "edges-out-of-order",
                "the edges are taken in another order than EDGES: (0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)",
            ),
            (walk(p, mean=True), "mean-of-arrivals", "a node is the mean of what arrives: it is the *sum*"),
            (
                walk(p, overwrite=True),
                "last-edge-only",
                "a node keeps only what the last edge delivers: it is the *sum* over its incoming edges",
            ),
            (
                walk(p, all_nodes=True),
                "all-nodes",
                "the output is the sum of the nodes 1, 2 and 3: it is node 3 alone",
            ),
            (
                walk(np.eye(len(OPS))[alphas.argmax(axis=1)]),
                "argmax",
                "only the strongest operation of each edge counts",
            ),
        ]

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """Errors that have a usual cause."""
        if "has no attribute 'edges'" in (answer.error or ""):
            return fail(
                "init-changed", "self.edges is gone: keep __init__ as it is given, and write forward alone"
            )
        return error_verdict(instance, answer)


def _put_ours(made: Any, coefficients: Any) -> None:
    """Put a·tanh(b·x + c) in the place of each operation."""
    import torch

    class Smooth(torch.nn.Module):
        def __init__(self, a: float, b: float, c: float) -> None:
            super().__init__()
            self.numbers = (a, b, c)

        def forward(self, x: Any) -> Any:
            a, b, c = self.numbers
            return a * torch.tanh(b * x + c)

    for row, rows in zip(made.edges, coefficients, strict=True):
        for place, numbers in enumerate(rows):
            row[place] = Smooth(*numbers)


def _walk(
    x: Array,
    mixing: Array,
    c: Array,
    edges: Sequence[tuple[int, int]],
    reads_input: bool = False,
    mean: bool = False,
    overwrite: bool = False,
    all_nodes: bool = False,
) -> Array:
    """What a cell with our operations gives, by its usual misreadings."""
    nodes: list[Array] = [x, np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)]
    arrived = [0, 0, 0, 0]
    for edge in sorted(range(len(edges)), key=lambda e: edges[e][1]):
        source, target = edges[edge]
        read = x if reads_input else nodes[source]
        message = sum(w * a * np.tanh(b * read + d) for w, (a, b, d) in zip(mixing[edge], c[edge]))
        arrived[target] += 1
        count = arrived[target]
        if overwrite:
            nodes[target] = message
        elif mean:
            nodes[target] = (nodes[target] * (count - 1) + message) / count
        else:
            nodes[target] = nodes[target] + message
    return nodes[1] + nodes[2] + nodes[3] if all_nodes else nodes[3]


# ----------------------------------------------------------------------------------------------- discretize


class Discretize(Exercise):
    """`discretize(alphas, exclude_none=True)`: the strongest operation of each edge; no ties occur."""

    name, lesson = "discretize", LESSON
    has_reference = False

    def instances(self, seed: int) -> list[Instance]:
        """`none` strongest on some edges, all logits negative, lists, `exclude_none` both ways; bad ones."""
        rng = default_rng(seed)

        def logits(low: float, high: float) -> list[list[float]]:
            steps = np.linspace(low, high, len(EDGES) * len(OPS)).round(3)
            return rng.permutation(steps).reshape(len(EDGES), len(OPS)).tolist()

        def with_none(rows: list[list[float]]) -> list[list[float]]:
            for edge in rng.permutation(len(EDGES))[:3]:  # here `none` is the strongest
                top = int(np.argmax(rows[edge]))
                rows[edge][0], rows[edge][top] = rows[edge][top], rows[edge][0]
            return rows

        nan = logits(-2, 2)
        nan[int(rng.integers(6))][int(rng.integers(5))] = float("nan")
        return [
            {"alphas": with_none(logits(-2, 3))},
            {"alphas": with_none(logits(-3, -0.5)), "about": "logits that are all negative"},
            {"alphas": with_none(logits(-2, 3)), "exclude_none": False, "about": "exclude_none=False"},
            {
                "alphas": with_none(logits(-2, 3)),
                "exclude_none": True,
                "lists": True,
                "about": "nested lists",
            },
            {"alphas": np.array(logits(-1, 1)).T.tolist(), "bad": "alphas of shape (5, 6)"},
            {"alphas": [row[:4] for row in logits(-1, 1)], "bad": "alphas of shape (6, 4)"},
            {"alphas": logits(-1, 1)[:5], "bad": "five rows of alphas"},
            {"alphas": [*logits(-1, 1), [0.5, 0.1, 0.2, 0.3, 0.4]], "bad": "seven rows of alphas"},
            {"alphas": nan, "bad": "a logit of NaN"},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The architecture; the option is passed only where it is given."""
        alphas = instance["alphas"] if instance.get("lists") else _tensor(instance["alphas"], grad=True)
        options = {"exclude_none": instance["exclude_none"]} if "exclude_none" in instance else {}
        call = lambda: fn(alphas, **options)  # noqa: E731
        return raised(call) if "bad" in instance else call()

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Exact."""
        alphas = np.array(instance["alphas"], dtype=float)
        exclude = instance.get("exclude_none", True)
        right = _strongest(alphas, exclude)
        value = answer.value.tolist() if isinstance(answer.value, np.ndarray) else answer.value
        if type(value) is list and value and all(is_number(scalar(one)) for one in value):
            return fail(
                "numbers-not-names",
                f"these are positions: an architecture is six names, such as {right[0]!r}",
            )
        found = cell(value)
        if len(found) != len(EDGES):
            return fail("wrong-length", f"{len(found)} entries: there are six edges, one operation for each")
        if found == right:
            return RIGHT
        by_column = (*(OPS[int(i) % len(OPS)] for i in alphas.argmax(axis=0)), OPS[0])
        shifted = tuple(OPS[int(i)] for i in alphas[:, 1:].argmax(axis=1))
        masked = np.concatenate([np.zeros((len(EDGES), 1)), alphas[:, 1:]], axis=1)
        mistakes = [
            (
                _strongest(alphas, not exclude),
                "none-chosen" if exclude else "none-always-excluded",
                "`none` is chosen where it is strongest: with exclude_none it is no candidate"
                if exclude
                else "with exclude_none=False `none` is a candidate like the others",
            ),
            (
                _strongest(-alphas, exclude),
                "weakest",
                "the weakest operations are chosen: take the largest logit",
            ),
            (
                tuple(OPS[int(i)] for i in (-alphas).argmax(axis=1)),
                "weakest",
                "the weakest operations are chosen: take the largest logit",
            ),
            (
                shifted,
                "shifted",
                "the names are shifted by one: once `none` is cut off, position 0 means OPS[1]",
            ),
            (
                tuple(OPS[int(i)] for i in masked.argmax(axis=1)),
                "masked-with-zero",
                "`none` is masked with 0, which beats negative logits: mask with -inf, or leave it out",
            ),
            (by_column, "wrong-axis", "the largest logit of each *column* is taken: an edge is a row"),
            (
                tuple(right[::-1]),
                "reversed-order",
                "the edges come out back to front: row e of alphas belongs to EDGES[e]",
            ),
            (
                _sparse(alphas),
                "prunes-edges",
                "edges are dropped, as DARTS does on its own space: here every edge keeps its strongest operation",
            ),
        ]
        for wrong, concept, message in mistakes:
            if wrong != right and found == wrong:
                return fail(concept, message)
        at = next(e for e in range(len(EDGES)) if found[e] != right[e])
        return fail(
            "wrong-operation",
            f"edge {EDGES[at][0]}→{EDGES[at][1]} has the logits {show(alphas[at])} for {', '.join(OPS)}: "
            f"the choice is {right[at]!r}, not {found[at]!r}",
        )

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """Where all that is missing is a word for lists, that costs a part."""
        if instance.get("lists") and answer.error_type in ("AttributeError", "TypeError"):
            return fail(
                "tensors-only",
                f"any sequence will do, so begin with torch.as_tensor: nested lists end in {answer.error}",
                1 - BAD_INPUT,
            )
        return error_verdict(instance, answer)


def _strongest(alphas: Array, exclude_none: bool) -> tuple[str, ...]:
    first = 1 if exclude_none else 0
    return tuple(OPS[first + int(i)] for i in alphas[:, first:].argmax(axis=1))


def _sparse(alphas: Array) -> tuple[str, ...]:
    """DARTS's rule on its own space: each node keeps its two strongest edges."""
    names = list(_strongest(alphas, True))
    strength = _softmax(alphas)[:, 1:].max(axis=1)
    incoming = [e for e, (_, target) in enumerate(EDGES) if target == 3]
    names[min(incoming, key=lambda e: strength[e])] = "none"
    return tuple(names)


# ----------------------------------------------------------------------------------------- toys for the steps


def _toy(spec: Instance) -> Any:
    """The model of a problem: a module with `weights()` and `alphas()`, in float64.

    "closed form": predictions (w², αw, w, α², α, 1), so that a label vector is a polynomial; with the loss of
    `_loss_of` that is any bilevel problem of the kind of the DARTS paper's toy. "smooth": regression by a softmax
    mixture of tanh units, all weights and logits in play.
    """
    import torch

    class Toy(torch.nn.Module):
        w: Any
        a: Any
        v: Any
        b: Any

        def __init__(self) -> None:
            super().__init__()
            for name, value in spec["weights"].items():
                setattr(self, name, torch.nn.Parameter(_tensor(value)))
            for name, value in spec["alphas"].items():
                setattr(self, name, torch.nn.Parameter(_tensor(value)))

        def weights(self) -> list[Any]:
            return [getattr(self, name) for name in spec["weights"]]

        def alphas(self) -> list[Any]:
            return [getattr(self, name) for name in spec["alphas"]]

        def forward(self, x: Any) -> Any:
            if spec["kind"] == "closed form":
                w, a = self.w, self.a
                return torch.cat([w * w, a * w, w, a * a, a, torch.ones_like(a)])
            hidden = torch.einsum(
                "k,kbh->bh", self.a.softmax(0), torch.tanh(torch.einsum("bd,kdh->kbh", x, self.w))
            )
            return torch.einsum("h,bh->b", self.v * self.b.softmax(0), hidden)

    return Toy()


def _loss_of(spec: Instance) -> Callable[[Any, Any], Any]:
    scale = spec.get("scale", 1.0)
    if spec["kind"] == "closed form":
        return lambda out, y: scale * (out * y).sum()
    return lambda out, y: scale * ((out - y) ** 2).mean()


def _batch(spec: Instance, name: str) -> tuple[Any, Any]:
    x, y = spec[name]
    return _tensor(x), _tensor(y)


class Momentum:
    """An optimiser with a memory: v ← 0.9·v + g, parameter ← parameter − rate·v. It has a past already.

    Not one of torch's: what a step does with the optimiser it was given is to be seen from outside.
    """

    def __init__(self, parameters: Sequence[Any], past: Sequence[Any], rate: float) -> None:
        self.param_groups: list[dict[str, Any]] = [{"params": list(parameters), "lr": rate}]
        self.past = [_tensor(one) for one in past]
        self.state: dict[Any, Any] = {}

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for one in self.param_groups[0]["params"]:
            one.grad = None

    def step(self, closure: Any = None) -> Any:
        """One step by the gradients that stand on the parameters; where there is none, the past moves on."""
        import torch

        loss = closure() if closure is not None else None
        with torch.no_grad():
            for place, one in enumerate(self.param_groups[0]["params"]):
                slope = torch.zeros_like(one) if one.grad is None else one.grad
                self.past[place] = 0.9 * self.past[place] + slope
                one -= self.param_groups[0]["lr"] * self.past[place]
        return loss


_RATE = 0.05  # of the optimiser


class Step(Exercise):
    """What the three steps share: problems, probe, and reading the gradient off from what the optimiser did."""

    has_reference = False
    moved = "alphas"
    """The group that the optimiser holds."""

    def problems(self, rng: Generator) -> list[Instance]:
        """Problems that are particular to the step."""
        return []

    def bad(self, rng: Generator) -> list[Instance]:
        """Bad input that is particular to the step."""
        return []

    def call(self, fn: Any, model: Any, spec: Instance, optimizer: Any) -> Any:
        """Call the learner's step."""
        raise NotImplementedError

    def instances(self, seed: int) -> list[Instance]:
        """The paper's toy, two smooth problems with gradients left from before, a weight without influence; bad
        ones."""
        rng = default_rng(seed)
        nan, infinite = smooth(rng), smooth(rng)
        name = "train" if self.moved == "weights" else "valid"
        nan[name][1][0] = float("nan")
        infinite[name][1][0] = float("inf")
        return [
            {**closed_form(rng), "about": "the toy of the DARTS paper"},
            smooth(rng),
            {**smooth(rng), "stale": int(rng.integers(2**31)), "about": "gradients left from before"},
            {**smooth(rng, unused=True), "about": "a weight that the loss does not depend on"},
            *self.problems(rng),
            {**nan, "bad": "a loss of NaN"},
            {**infinite, "bad": "an infinite loss"},
            *self.bad(rng),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """All tensors and gradients after the step, and what it returned."""
        import torch

        model = _toy(instance)
        groups = {"weights": model.weights(), "alphas": model.alphas()}
        optimizer = Momentum(groups[self.moved], instance["past"][self.moved], _RATE)
        if "bad" in instance:
            return raised(lambda: self.call(fn, model, instance, optimizer))
        if "stale" in instance:
            rng = default_rng(instance["stale"])
            for one in (*groups["weights"], *groups["alphas"]):
                one.grad = torch.from_numpy(rng.normal(size=tuple(one.shape)))
        before = {name: [_copy(one.grad) for one in group] for name, group in groups.items()}
        loss = self.call(fn, model, instance, optimizer)
        return {
            "loss": loss,
            "before": before,
            **{name: [one.detach() for one in group] for name, group in groups.items()},
            "gradients": {name: [_copy(one.grad) for one in group] for name, group in groups.items()},
        }

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """What moved, by which gradient, what was left behind, and the loss."""
        value = answer.value
        fixed = "weights" if self.moved == "alphas" else "alphas"
        start = {
            name: [np.array(one, dtype=float) for one in instance[name].values()]
            for name in (fixed, self.moved)
        }
        after = {name: _arrays(value[name], start[name], f"the {name} afterwards") for name in start}
        about = f" (on {instance['about']})" if instance.get("about") else ""
        verdict = self._wrong_gradient(instance, start, after, about)
        if verdict:
            return verdict
        if not _close(_flat(after[fixed]), _flat(start[fixed]), 1e-10):
            return self._moved_others(instance, _flat(after[fixed]), _flat(start[fixed]), about)
        return self._leaks(value) or self._wrong_loss(instance, value["loss"], about) or RIGHT

    def _wrong_gradient(
        self, instance: Instance, start: dict[str, list[Array]], after: dict[str, list[Array]], about: str
    ) -> Verdict | None:
        past = _flat([np.array(one, dtype=float) for one in instance["past"][self.moved]])
        begin, end = _flat(start[self.moved]), _flat(after[self.moved])
        unit = instance.get("scale", 1.0)
        candidates = {name: value / unit for name, value in self.candidates(instance).items()}
        right = candidates["right"]
        found = ((begin - end) / _RATE - 0.9 * past) / unit
        if _close(found, right, self.tolerance(instance)):
            return None
        if _close(end, begin):
            return fail(
                "never-moves-them",
                f"the {self.moved} did not move{about}: the optimiser's step() has to be called",
            )
        if _close(found, -0.9 * past / unit + right, 1e-3):
            return fail(
                "ignores-the-optimizer",
                f"the {self.moved} move by a plain gradient step{about}: let the optimiser that was passed in do it, "
                "it may have momentum or scales of its own",
            )
        mistakes: list[Mistake] = [
            (
                -right,
                "climbs",
                f"the {self.moved} go *up* the loss{about}: the optimiser descends by itself",
            ),
            (
                np.zeros_like(right),
                "empty-gradient",
                f"the optimiser steps without a gradient{about}: fill .grad first",
            ),
        ]
        if "stale" in instance:
            rng = default_rng(instance["stale"])
            stale = {
                name: _flat([rng.normal(size=one.shape) for one in start[name]])
                for name in ("weights", "alphas")
            }[self.moved]
            stale_message = (
                f"gradients from before are added to the new ones on the {self.moved}: clear them first "
                "(optimizer.zero_grad()), or set .grad"
            )
            mistakes += [
                (right + stale, "gradients-from-before", stale_message),
                (
                    stale,
                    "gradients-from-before",
                    f"the optimiser steps by gradients from before: {self.moved}.grad is old",
                ),
            ]
        mistakes += [(found_, *self.words[name]) for name, found_ in candidates.items() if name != "right"]
        tolerance = self.tolerance(instance)
        return first_mistake(found, right, mistakes, partial(close, tolerance=tolerance)) or fail(
            "other-gradient",
            f"the optimiser was given {show(found)} as the gradient of the {self.moved}{about}; it is {show(right)}",
        )

    words: ClassVar[Mapping[str, tuple[str, str]]] = {}
    """Concept and sentence for each wrong candidate."""

    def candidates(self, instance: Instance) -> dict[str, Array]:
        """The right gradient ("right") and those of the usual mistakes."""
        raise NotImplementedError

    def tolerance(self, instance: Instance) -> float:
        """How far from the exact gradient a right one may be."""
        return 1e-8

    def _moved_others(self, instance: Instance, found: Array, start: Array, about: str) -> Verdict:
        return fail(
            "moves-both",
            f"the {'weights' if self.moved == 'alphas' else 'alphas'} changed{about}: this step is for the "
            f"{self.moved} alone",
        )

    def _leaks(self, value: Any) -> Verdict | None:
        return None

    def returned(self, instance: Instance) -> tuple[float, list[tuple[float, str]]]:
        """The loss to return, and other losses with what they are."""
        raise NotImplementedError

    def _wrong_loss(self, instance: Instance, value: Any, about: str) -> Verdict | None:
        value = scalar(value)
        if isinstance(value, np.ndarray) and value.size == 1:
            value = float(value.reshape(()))
        if value is None:
            return fail("returns-nothing", f"{self.name} returned None: is there a return statement?")
        if not is_number(value):
            return fail("wrong-type", f"{self.name} should return a number, not {describe(value)}")
        right, others = self.returned(instance)
        if _close(value, right, 1e-6):
            return None
        for other, what in others:
            if _close(value, other, 1e-6):
                return fail(
                    "returned-loss", f"the loss that is returned is {what}{about}; wanted is {self.wanted}"
                )
        return fail(
            "returned-loss",
            f"the loss that is returned is {show(value)}{about}, not {show(right)}: {self.wanted}",
        )

    wanted = "the loss before the step"

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """Errors that have a usual cause."""
        if "appears to not have been used in the graph" in (answer.error or ""):
            return fail(
                "unused-weight",
                "a weight that the loss does not depend on ends in an error: torch.autograd.grad wants "
                "allow_unused=True then, and gives None for it, which stands for zeros",
                1 - BAD_INPUT,
            )
        if "NoneType" in (answer.error or "") and "does not depend" in str(instance.get("about")):
            return fail(
                "unused-weight",
                "the gradient of a weight that the loss does not depend on is None, and stands for zeros: "
                f"{answer.error}",
                1 - BAD_INPUT,
            )
        return error_verdict(instance, answer)


def _copy(value: Any) -> Any:
    return None if value is None else value.detach().clone()


def _flat(arrays: Sequence[Array]) -> Array:
    return np.concatenate([np.ravel(one) for one in arrays])


def _arrays(values: Any, like: Sequence[Array], what: str) -> list[Array]:
    if not isinstance(values, list) or len(values) != len(like):
        raise Unacceptable("wrong-type", f"{what} should be {len(like)} tensors")
    return [_array(one, other.shape, what) for one, other in zip(values, like)]


def closed_form(rng: Generator, w: float | None = None, a: float | None = None) -> Instance:
    """The DARTS paper's toy (figure 2): L_train = w² − 2αw + α², L_valid = αw − 2w + 1, from some point."""
    point = rng.uniform(-1.5, 1.5, size=2).round(3).tolist()
    none = [[0.0]]  # the toy has no images
    return {
        "kind": "closed form",
        "weights": {"w": [point[0] if w is None else w]},
        "alphas": {"a": [point[1] if a is None else a]},
        "past": {"weights": [_normal(rng, 1)], "alphas": [_normal(rng, 1)]},
        "train": [none, [1.0, -2.0, 0.0, 1.0, 0.0, 0.0]],
        "valid": [none, [0.0, 1.0, -2.0, 0.0, 0.0, 1.0]],
        "weight_lr": round(float(rng.uniform(0.15, 0.4)), 3),
    }


def smooth(rng: Generator, unused: bool = False, **more: Any) -> Instance:
    """A smooth regression: three mixtures of tanh units, two groups of logits."""
    k, d, h = 3, 2, int(rng.integers(2, 4))
    images = {name: int(rng.integers(4, 7)) for name in ("train", "valid")}
    weights = {"w": _normal(rng, k, d, h), "v": _normal(rng, h)} | ({"u": _normal(rng, 2)} if unused else {})
    alphas = {"a": _normal(rng, k), "b": _normal(rng, h)}
    groups = (("weights", weights), ("alphas", alphas))
    return {
        "kind": "smooth",
        "weights": weights,
        "alphas": alphas,
        "past": {name: [_normal(rng, *np.shape(one)) for one in group.values()] for name, group in groups},
        **{
            name: [_normal(rng, n, d), (3 * rng.normal(size=n)).round(3).tolist()]
            for name, n in images.items()
        },
        "weight_lr": round(float(rng.uniform(0.15, 0.4)), 3),
        **more,
    }


class _Exact:
    """Losses and gradients of a problem by autograd, once and twice: what the judge compares with."""

    def __init__(self, spec: Instance) -> None:
        self.spec, self.model, self.loss = spec, _toy(spec), _loss_of(spec)
        self.start = [one.detach().clone() for one in self.model.weights()]

    def at(self, weights: Sequence[Any]) -> _Exact:
        """Put these weights in."""
        import torch

        with torch.no_grad():
            for one, value in zip(self.model.weights(), weights):
                one.copy_(value)
        return self

    def value(self, name: str) -> Any:
        """The loss on the batch of that name."""
        x, y = _batch(self.spec, name)
        return self.loss(self.model(x), y)

    def slopes(self, name: str, group: str, graph: bool = False) -> list[Any]:
        """Gradient of that loss by "weights" or "alphas"."""
        return _grad(self.value(name), getattr(self.model, group)(), graph)

    def ahead(self, name: str = "train") -> list[Any]:
        """The weights after a virtual step on that loss."""
        self.at(self.start)
        rate = self.spec["weight_lr"]
        return [w - rate * s for w, s in zip(self.start, self.slopes(name, "weights"))]

    def mixed(self, name: str, direction: Sequence[Any]) -> Array:
        """∇²_{α,w} L · direction at the present weights, exactly."""
        inner = self.slopes(name, "weights", graph=True)
        along = sum((one * step).sum() for one, step in zip(inner, direction))
        if not along.requires_grad:
            return np.zeros(sum(one.numel() for one in self.model.alphas()))
        return _plain(_grad(along, self.model.alphas()))


def _grad(loss: Any, leaves: Sequence[Any], graph: bool = False) -> list[Any]:
    import torch

    found = torch.autograd.grad(loss, list(leaves), allow_unused=True, create_graph=graph)
    return [torch.zeros_like(leaf) if one is None else one for leaf, one in zip(leaves, found)]


def _plain(tensors: Sequence[Any]) -> Array:
    return _flat([one.detach().numpy() for one in tensors])


# ------------------------------------------------------------------------------------------------- the steps


class WeightStep(Step):
    """`weight_step(model, loss_fn, batch, optimizer)`: by the optimiser, the alphas held still."""

    name, lesson, moved = "weight_step", LESSON, "weights"
    words: ClassVar[Mapping[str, tuple[str, str]]] = {
        "twice": ("summed-twice", "the gradient counts twice: is backward() called two times?"),
    }

    def call(self, fn: Any, model: Any, spec: Instance, optimizer: Any) -> Any:
        """On the training batch."""
        return fn(model, _loss_of(spec), _batch(spec, "train"), optimizer)

    def candidates(self, instance: Instance) -> dict[str, Array]:
        """The gradient of the training loss."""
        right = _plain(_Exact(instance).slopes("train", "weights"))
        return {"right": right, "twice": 2 * right}

    def returned(self, instance: Instance) -> tuple[float, list[tuple[float, str]]]:
        """The training loss before the step."""
        exact = _Exact(instance)
        right = float(exact.value("train").detach())
        past = [_tensor(one) for one in instance["past"]["weights"]]
        slopes = exact.slopes("train", "weights")
        moved = [w - _RATE * (0.9 * p + s) for w, p, s in zip(exact.start, past, slopes)]
        return right, [(float(exact.at(moved).value("train").detach()), "that after the step")]


class AlphaStep(Step):
    """What both steps of the alphas share: weights and their gradients stay as they were."""

    def _moved_others(self, instance: Instance, found: Array, start: Array, about: str) -> Verdict:
        exact = _Exact(instance)
        if _close(found, _plain(exact.ahead()), 1e-6):
            return fail(
                "weights-not-restored",
                f"the weights end where the virtual step has put them{about}: copy them before, and put them back",
            )
        return fail(
            "weights-not-restored",
            f"the weights end {show(float(np.abs(found - start).max()))} away from where they began{about}: this "
            "step is for the alphas alone, and whatever moves the weights on the way has to be undone",
        )

    def _leaks(self, value: Any) -> Verdict | None:
        for before, after in zip(value["before"]["weights"], value["gradients"]["weights"], strict=True):
            if after is None or not np.asarray(after, dtype=float).any():
                continue
            if before is None or not _close(after, before):
                return fail(
                    "leaks-gradients",
                    "a gradient is left on the weights: if the next weight step adds to it, the weights are trained "
                    "on validation images. torch.autograd.grad(loss, model.alphas()) touches nothing else",
                    0.5,
                )
        return None


class AlphaStepFirstOrder(AlphaStep):
    """`alpha_step_first_order(...)`: the gradient of the validation loss, the weights held still."""

    name, lesson = "alpha_step_first_order", LESSON
    words: ClassVar[Mapping[str, tuple[str, str]]] = {
        "twice": ("summed-twice", "the gradient counts twice: is backward() called two times?")
    }

    def call(self, fn: Any, model: Any, spec: Instance, optimizer: Any) -> Any:
        """On the validation batch."""
        return fn(model, _loss_of(spec), _batch(spec, "valid"), optimizer)

    def candidates(self, instance: Instance) -> dict[str, Array]:
        """The gradient of the validation loss."""
        right = _plain(_Exact(instance).slopes("valid", "alphas"))
        return {"right": right, "twice": 2 * right}

    def returned(self, instance: Instance) -> tuple[float, list[tuple[float, str]]]:
        """The validation loss before the step."""
        exact = _Exact(instance)
        return float(exact.value("valid").detach()), []


_ON_TRAINING = (
    "trains-on-training-data",
    "the alphas follow the training loss: their gradient is that of the *validation* loss at w′",
)


class AlphaStepSecondOrder(AlphaStep):
    """`alpha_step_second_order(...)`: against the exact derivative through one virtual step."""

    name, lesson = "alpha_step_second_order", LESSON
    wanted = "the validation loss at the virtual weights w′"
    words: ClassVar[Mapping[str, tuple[str, str]]] = {
        "eps multiplied": (
            "eps-multiplied",
            "the second-order term is all but gone: the difference of the two gradients is *divided* by twice the "
            "radius, (p - n) / (2 * r). `(p - n) / 2 * r` multiplies, the best-known bug of DARTS ports",
        ),
        "no second order": (
            "no-second-order",
            "this is the gradient at w′ alone: the term − weight_lr·∇²L_train·∇L_valid is missing",
        ),
        "first order": (
            "no-virtual-step",
            "this is the first-order gradient, at the weights as they are: take the virtual step w′ first, and "
            "subtract the second-order term",
        ),
        "no virtual step": (
            "no-virtual-step",
            "the validation loss is taken at w: it belongs to w′ = w − weight_lr·∇L_train, the virtual step",
        ),
        "direction at w": (
            "direction-without-virtual-step",
            "the direction is ∇_w L_valid at the *old* weights: take it at w′, where the validation loss is",
        ),
        "added": (
            "second-order-added",
            "the second-order term is added: it is subtracted, by the chain rule of w′",
        ),
        "no rate": ("forgets-the-rate", "the second-order term lacks the factor weight_lr"),
        "half": (
            "half-the-difference",
            "the second-order term is twice too large: the points are 2·r apart, not r",
        ),
        "double": ("twice-the-difference", "the second-order term is half of what it should be"),
        "around the virtual weights": (
            "around-the-virtual-weights",
            "the two gradients are taken around w′: the points are w ± r·∇L_valid, around the weights w themselves",
        ),
        "on validation": (
            "difference-of-validation",
            "the difference is taken of the *validation* loss: it is ∇_α L_train at the two points",
        ),
        "training images": _ON_TRAINING,
        "trained at w": _ON_TRAINING,
        "swapped": (
            "batches-swapped",
            "training and validation batches are swapped: the virtual step is on training images, the loss after "
            "it on validation images",
        ),
        "radius": (
            "radius-not-scaled",
            "eps itself is the radius: it is eps divided by the length of the direction, or a steep loss throws the "
            "weights far away",
        ),
        "up the loss": (
            "virtual-step-up",
            "the virtual step goes *up* the training loss: w′ = w − weight_lr·∇L_train",
        ),
    }

    def problems(self, rng: Generator) -> list[Instance]:
        """A large radius; a validation gradient of zero, as at the toy's start in the paper; no virtual step; losses
        so steep and so flat that the radius has to follow."""
        steep = self._scaled(rng, 300.0, "a steep loss")
        while not self._radius_matters(steep):
            steep = self._scaled(rng, 300.0, "a steep loss")
        return [
            {**closed_form(rng), "eps": 0.3, "about": "the toy of the DARTS paper, eps = 0.3"},
            {**closed_form(rng, w=-2.0, a=2.0), "about": "α = 2, where the toy's ∇_w L_valid is zero"},
            {**smooth(rng), "weight_lr": 0.0, "about": "weight_lr = 0"},
            steep,
            self._scaled(rng, 0.003, "a flat loss"),
        ]

    @staticmethod
    def _scaled(rng: Generator, scale: float, about: str) -> Instance:
        return {**smooth(rng, scale=scale, about=about), "weight_lr": round(rng.uniform(0.2, 0.5) / scale, 6)}

    def _radius_matters(self, steep: Instance) -> bool:
        """Would an answer whose radius is eps itself be told from a right one? Not where the slope is small."""
        found = {name: value / steep["scale"] for name, value in self.candidates(steep).items()}
        return not _close(found["radius"], found["right"], 20 * self.tolerance(steep))

    def bad(self, rng: Generator) -> list[Instance]:
        """Impossible radii and rates."""
        nan = smooth(rng)
        nan["train"][1][0] = float("nan")
        return [
            {**nan, "bad": "a training loss of NaN"},
            {**smooth(rng), "eps": 0.0, "bad": "eps = 0"},
            {**smooth(rng), "eps": -0.01, "bad": "eps = -0.01"},
            {**smooth(rng), "weight_lr": -0.1, "bad": "weight_lr = -0.1"},
            {**smooth(rng), "weight_lr": float("nan"), "bad": "weight_lr = NaN"},
        ]

    def call(self, fn: Any, model: Any, spec: Instance, optimizer: Any) -> Any:
        """eps is passed only where it is given."""
        options = {"eps": spec["eps"]} if "eps" in spec else {}
        batches = _batch(spec, "train"), _batch(spec, "valid")
        return fn(model, _loss_of(spec), *batches, optimizer, spec["weight_lr"], **options)

    def tolerance(self, instance: Instance) -> float:
        """The finite difference's own error: none on the polynomial toy, of the order eps² elsewhere."""
        return 1e-7 if instance["kind"] == "closed form" else 1e-3

    def candidates(self, instance: Instance) -> dict[str, Array]:
        """Exact, by differentiating twice; mistakes likewise, finite differences where the radius matters."""
        exact, rate, eps = _Exact(instance), instance["weight_lr"], instance.get("eps", 0.01)
        ahead = exact.ahead()
        at_w = exact.at(exact.start)
        first = _plain(at_w.slopes("valid", "alphas"))
        old_direction = at_w.slopes("valid", "weights")
        train_alphas = _plain(at_w.slopes("train", "alphas"))
        here = exact.at(ahead)
        there, direction = _plain(here.slopes("valid", "alphas")), here.slopes("valid", "weights")
        train_there = _plain(here.slopes("train", "alphas"))
        train_direction = here.slopes("train", "weights")
        around = here.mixed("train", direction)
        exact.at(exact.start)
        second = exact.mixed("train", direction)
        length = float(np.linalg.norm(_plain(direction)))
        radius = eps / length if length > 0 else 0.0
        found = {
            "right": there - rate * second,
            "eps multiplied": there - rate * second * radius**2,
            "no second order": there,
            "first order": first,
            "no virtual step": first - rate * exact.mixed("train", old_direction),
            "direction at w": there - rate * exact.mixed("train", old_direction),
            "added": there + rate * second,
            "no rate": there - second,
            "half": there - 2 * rate * second,
            "double": there - 0.5 * rate * second,
            "around the virtual weights": there - rate * around,
            "on validation": there - rate * exact.mixed("valid", direction),
            "training images": train_there - rate * exact.mixed("train", train_direction),
        }
        found["trained at w"] = train_alphas
        found |= self._of_other_steps(exact, instance)
        if instance.get("scale") is not None and length > 0:
            found["radius"] = there - rate * _difference(exact, direction, eps)
        return found

    @staticmethod
    def _of_other_steps(exact: _Exact, instance: Instance) -> dict[str, Array]:
        """Swapped batches, and a virtual step in the wrong direction."""
        rate = instance["weight_lr"]
        here = exact.at(exact.ahead("valid"))
        there, direction = _plain(here.slopes("train", "alphas")), here.slopes("train", "weights")
        exact.at(exact.start)
        found = {"swapped": there - rate * exact.mixed("valid", direction)}
        up = [w + rate * s for w, s in zip(exact.start, exact.slopes("train", "weights"))]
        here = exact.at(up)
        there, direction = _plain(here.slopes("valid", "alphas")), here.slopes("valid", "weights")
        exact.at(exact.start)
        found["up the loss"] = there - rate * exact.mixed("train", direction)
        return found

    def returned(self, instance: Instance) -> tuple[float, list[tuple[float, str]]]:
        """The validation loss at the virtual weights."""
        exact = _Exact(instance)
        train, before = float(exact.value("train").detach()), float(exact.value("valid").detach())
        right = float(exact.at(exact.ahead()).value("valid").detach())
        return right, [(before, "the validation loss at w"), (train, "the training loss")]

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """A division by a gradient of zero has a usual cause."""
        if answer.error_type == "ZeroDivisionError":
            return fail("zero-direction", f"{_ZERO}: {answer.error}")
        return super().judge_error(instance, answer)

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """NaN at a gradient of zero has a usual cause too."""
        if "zero" in str(instance.get("about")):
            moved = answer.value["alphas"]
            if isinstance(moved, list) and not all(
                np.isfinite(np.asarray(one, dtype=float)).all() for one in moved
            ):
                return fail("zero-direction", f"{_ZERO}, and eps / 0 makes NaN of the alphas")
        return super().judge(instance, answer, expected)


_ZERO = "where ∇_w L_valid is zero there is no direction to go along, and the second-order term is 0"


def _difference(exact: _Exact, direction: Sequence[Any], radius: float) -> Array:
    """∇²_{α,w} L_train · direction by central differences of this radius."""
    sides = []
    for sign in (1.0, -1.0):
        exact.at([w + sign * radius * step for w, step in zip(exact.start, direction)])
        sides.append(_plain(exact.slopes("train", "alphas")))
    exact.at(exact.start)
    return (sides[0] - sides[1]) / (2 * radius)


# --------------------------------------------------------------------------------------------- gumbel-softmax

_DRAWS = 4_000
_LEVELS = (-1.0, 0.0, 1.0)


class GumbelSoftmaxSample(Exercise):
    """`gumbel_softmax_sample(logits, tau, generator, hard)`: identities of value and gradient, and counts."""

    name, lesson = "gumbel_softmax_sample", LESSON
    false_fail = 2 * 14 * _ALPHA
    has_reference = False

    def instances(self, seed: int) -> list[Instance]:
        """Matrices, one row, three axes; two with many rows for the distribution; bad ones."""
        rng = default_rng(seed)

        def case(*shape: int, tau: float, **more: Any) -> Instance:
            return {
                "logits": _normal(rng, *shape),
                "upstream": _normal(rng, *shape),
                "tau": tau,
                "seeds": [int(one) for one in rng.integers(2**31, size=3)],
                **more,
            }

        low, high = (round(float(rng.uniform(*ends)), 2) for ends in ((0.3, 0.7), (1.5, 3.0)))
        fine: dict[str, Any] = {"tau": 1.0}
        nan = case(2, 3, **fine)
        nan["logits"][1][1] = float("nan")
        return [
            case(6, 5, tau=low, about=f"logits (6, 5), tau = {low}"),
            case(4, 6, tau=high, about=f"logits (4, 6), tau = {high}"),
            case(5, tau=1.0, about="a single row"),
            case(2, 3, 4, tau=low, about="logits with three axes"),
            case(3, tau=high, many=True, about=f"{_DRAWS:,} rows of three logits, tau = {high}"),
            case(3, tau=low, many=True, about=f"{_DRAWS:,} rows of three logits, tau = {low}"),
            case(2, 3, bad="tau = 0", tau=0.0),
            case(2, 3, bad="tau = -1", tau=-1.0),
            case(2, 3, bad="tau = NaN", tau=float("nan")),
            {**nan, "bad": "a logit of NaN"},
            {**case(2, **fine), "logits": 0.5, "bad": "a single number as logits"},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """Samples from given generators, soft and hard, and their gradients."""
        import torch

        first, second, world = instance["seeds"]
        tau = instance["tau"]

        def generator(seed: int) -> Any:
            return torch.Generator().manual_seed(seed)

        if "bad" in instance:
            return raised(lambda: fn(_tensor(instance["logits"]), tau, generator(first)))
        logits = _tensor(instance["logits"])
        if instance.get("many"):
            return {"many": fn(logits.repeat(_DRAWS, 1), tau, generator(first))}
        upstream = _tensor(instance["upstream"])

        def drawn(hard: bool) -> tuple[Any, Any]:
            leaf = logits.clone().requires_grad_()
            sample = fn(leaf, tau, generator(first), hard=hard)
            slope = None
            if isinstance(sample, torch.Tensor) and sample.requires_grad and sample.shape == upstream.shape:
                (slope,) = torch.autograd.grad((sample * upstream).sum(), leaf, allow_unused=True)
            return sample, slope

        soft, hard = drawn(False), drawn(True)
        source = generator(first)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(world)  # what is drawn may not depend on the global generator
            again, following = (fn(logits, tau, source) for _ in range(2))
        return {
            "soft": soft[0],
            "slope": soft[1],
            "hard": hard[0],
            "hard_slope": hard[1],
            "again": again,
            "next": following,
            "other": fn(logits, tau, generator(second)),
        }

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Form, the soft sample's gradient, the hard sample, the generator, and the distribution."""
        logits, tau = np.array(instance["logits"], dtype=float), instance["tau"]
        about = f" (on {instance['about']})"
        if instance.get("many"):
            many = _array(answer.value["many"], (_DRAWS, *logits.shape), "the sample")
            return _wrong_simplex(many, about) or _counts(many, logits, tau) or RIGHT
        value = answer.value
        names = ("soft", "hard", "again", "next", "other")
        found = {name: _array(value[name], logits.shape, f"the {name} sample"[:40]) for name in names}
        soft, upstream = found["soft"], np.array(instance["upstream"], dtype=float)
        return (
            _wrong_simplex(soft, about)
            or _from_the_generator(found, logits, tau)
            or _wrong_slope(value["slope"], soft, upstream, tau, about)
            or _wrong_hard(found["hard"], value["hard_slope"], soft, upstream, tau, about)
            or RIGHT
        )


def _wrong_simplex(sample: Array, about: str) -> Verdict | None:
    """Are the rows distributions over the last axis?"""
    if (sample >= -1e-12).all() and _close(sample.sum(axis=-1), np.ones(sample.shape[:-1]), 1e-7):
        return None
    if sample.ndim > 1 and any(
        _close(sample.sum(axis=axis), np.ones_like(sample.sum(axis=axis)), 1e-7)
        for axis in range(sample.ndim - 1)
    ):
        return fail(
            "wrong-axis",
            f"the entries add up to 1 along another axis: the softmax is over the *last* one{about}",
        )
    if _close(sample.sum(), 1.0, 1e-7):
        return fail(
            "wrong-axis", f"all entries together add up to 1: the softmax is over the last axis alone{about}"
        )
    total = float(sample.sum(axis=-1).flat[0])
    return fail(
        "no-distribution",
        f"the entries of a row add up to {show(total)}, not to 1: end with a softmax{about}",
    )


def _slope(soft: Array, upstream: Array) -> Array:
    """The gradient through a softmax at its result."""
    return soft * (upstream - (soft * upstream).sum(axis=-1, keepdims=True))


def _wrong_slope(slope: Any, soft: Array, upstream: Array, tau: float, about: str) -> Verdict | None:
    right = _slope(soft, upstream) / tau
    if slope is None:
        return fail(
            "cut-from-logits",
            f"the sample comes without a gradient by the logits{about}: only the noise has none, no detach() elsewhere",
        )
    slope = np.asarray(slope, dtype=float)
    if _close(slope, right, 1e-7):
        return None
    if tau != 1:
        mistakes: list[Mistake] = [
            (right * tau, "ignores-tau", "the temperature is not used on the logits: (logits + noise) / tau"),
            (
                right * tau**2,
                "multiplies-by-tau",
                "tau multiplies: a *low* temperature makes samples hard, so divide",
            ),
        ]
        return first_mistake(slope, right, mistakes, partial(close, tolerance=1e-7)) or fail(
            "other-gradient", _slope_words(slope, right, about)
        )
    return fail("other-gradient", _slope_words(slope, right, about))


def _slope_words(slope: Array, right: Array, about: str) -> str:
    ours, theirs = show(np.ravel(right)), show(np.ravel(slope))
    return f"the gradient by the logits is {theirs}, but the sample changes by {ours}{about}"


def _from_the_generator(found: dict[str, Array], logits: Array, tau: float) -> Verdict | None:
    soft = found["soft"]
    quiet = (_softmax(logits / tau), _softmax(logits), _softmax(logits * tau))
    if any(_close(soft, one, 1e-7) for one in quiet):
        return fail("no-noise", "the sample is the softmax of the logits: the Gumbel noise is missing")
    if not _close(found["again"], soft, 1e-7):
        return fail(
            "ignores-generator",
            "two generators with the same seed give different samples: all noise comes from `generator` "
            "(torch.nn.functional.gumbel_softmax has no such argument)",
        )
    if _close(found["other"], soft, 1e-7) or _close(found["next"], soft, 1e-7):
        return fail(
            "fixed-seed", "another generator gives the same sample: use the one passed in, and do not seed it"
        )
    return None


def _wrong_hard(
    hard: Array, slope: Any, soft: Array, upstream: Array, tau: float, about: str
) -> Verdict | None:
    """One-hot of the soft sample in value, the soft sample in gradient."""
    top = (soft == soft.max(axis=-1, keepdims=True)).astype(float)
    if not _close(hard, top, 1e-6):
        if _close(hard, soft, 1e-7):
            return fail(
                "soft-forwarded",
                f"hard=True returns the soft sample{about}: its *value* is one-hot, only its gradient is soft",
            )
        if _close(np.sort(hard, axis=-1), np.sort(top, axis=-1), 1e-6):
            return fail(
                "other-option",
                f"hard=True picks another option than the soft sample of an equal generator{about}: it is that very "
                "sample, rounded to its largest entry",
            )
        return fail(
            "not-one-hot",
            f"with hard=True a row is {show(hard.reshape(-1, hard.shape[-1])[0])}, not one-hot{about}",
        )
    right = _slope(soft, upstream) / tau
    if slope is None or not np.asarray(slope, dtype=float).any():
        return fail(
            "no-straight-through",
            f"with hard=True no gradient comes back{about}: one-hot − soft.detach() + soft has the value of the "
            "first and the gradient of the last; without detach() the soft ones cancel",
        )
    if not _close(slope, right, 1e-6):
        if _close(slope, right * tau, 1e-6) or _close(slope, -right, 1e-6):
            return fail(
                "hard-gradient",
                f"with hard=True the gradient is a multiple of the soft sample's, not it{about}",
            )
        return fail(
            "hard-gradient",
            f"with hard=True the gradient is {show(np.ravel(slope))}, that of the soft sample is "
            f"{show(np.ravel(right))}{about}",
        )
    return None


def _counts(many: Array, logits: Array, tau: float) -> Verdict | None:
    """Is (log of the sample)·tau the logits plus Gumbel noise, row by row? 3 + 9 + 2 counts, 14 for each instance."""
    if _close(np.ptp(many, axis=0), np.zeros(3), 1e-7):
        return fail("same-noise", "all rows are the same sample: each row has noise of its own")
    chances = _softmax(logits)
    top = many.argmax(axis=1)
    for option, chance in enumerate(chances.tolist()):
        count = int((top == option).sum())
        low, high = count_range(_DRAWS, chance, _ALPHA)
        if not low <= count <= high:
            return _biased(many, logits, tau, option, count, chance)
    logs = np.log(np.maximum(many, 1e-300))
    for one, other in combinations(range(3), 2):
        for level in _LEVELS:
            chance = float(_above(logits[one] - logits[other], tau, level))
            count = int((logs[:, one] - logs[:, other] > level).sum())
            low, high = count_range(_DRAWS, chance, _ALPHA)
            if not low <= count <= high:
                return _biased(many, logits, tau, None, count, chance)
    low, high = count_range(_DRAWS // 2, float((chances**2).sum()), _ALPHA)
    for first, second in ((top[0::2], top[1::2]), (top[: _DRAWS // 2], top[_DRAWS // 2 :])):
        same = int((first == second).sum())
        if not low <= same <= high:
            return fail(
                "dependent-rows",
                f"{same} of {_DRAWS // 2:,} pairs of rows pick the same option, {low} to {high} would be chance: each "
                "row has noise of its own",
            )
    return None


def _above(difference: float, tau: float, level: float) -> Any:
    """P(log y_i − log y_j > level): the difference of two Gumbel variables is logistic."""
    return 1 / (1 + np.exp(tau * level - difference))


def _biased(many: Array, logits: Array, tau: float, option: int | None, count: int, chance: float) -> Verdict:
    """The first count that is off; noise that was not divided by tau is recognised by its own distribution."""
    logs = np.log(np.maximum(many, 1e-300))
    unscaled = True
    for one, other in combinations(range(3), 2):
        for level in _LEVELS:
            p = float(_above((logits[one] - logits[other]) / tau, 1.0, level))
            low, high = count_range(_DRAWS, p, _ALPHA)
            unscaled &= low <= int((logs[:, one] - logs[:, other] > level).sum()) <= high
    if unscaled:
        return fail(
            "noise-not-scaled",
            "the noise is added after the division: (logits + noise) / tau, or the temperature would change *which* "
            "option wins, not only how clearly",
        )
    what = f"option {option} is the largest" if option is not None else "a pair of options differs by so much"
    return fail(
        "wrong-noise",
        f"{what} in {count} of {_DRAWS:,} rows, about {_DRAWS * chance:.0f} are expected: Gumbel noise is "
        "−log(−log u) with u uniform on (0, 1), one for each entry",
    )


register(
    MixedOp(),
    CellSupernetClass(),
    Discretize(),
    WeightStep(),
    AlphaStepFirstOrder(),
    AlphaStepSecondOrder(),
    GumbelSoftmaxSample(),
    *(ConceptQuestion(f"concept_04_{number}", LESSON) for number in (1, 2, 3, 4)),
)
