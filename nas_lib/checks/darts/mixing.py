"""Cases of `mixed_op`, `CellSupernet` and `discretize`: from a choice to a mixture, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.random import default_rng

from nas_lib.checks.codec import NotPlainData, describe
from nas_lib.checks.darts.shared import LESSON, normal, rounded, slopes, tensor
from nas_lib.checks.exercise import Instance, Verdict, fail, show
from nas_lib.checks.values import Part, ValueExercise
from nas_lib.spaces import EDGES, OPS

NAN = float("nan")
SHAPE = (len(EDGES), len(OPS))
AT_ALPHAS = "the gradient that arrives at alphas"


class MixedOp(ValueExercise):
    """`mixed_op(outputs, alphas)`: the sum and its gradients."""

    name, lesson, returns = "mixed_op", LESSON, "tensor"
    parts: ClassVar[tuple[Part, ...]] = (
        Part("mixed", "the mixture", "wrong-mixture", tolerance=1e-5),
        Part("alphas", AT_ALPHAS, "no-gradient-of-alphas", tolerance=1e-5, floor=0.1),
        Part("outputs", "the gradient that arrives at the outputs", "no-gradient-of-outputs", tolerance=1e-5),
        Part("later", "the mixture, once alphas have been changed in place,", "old-alphas", tolerance=1e-5),
        Part("dtype", "the dtype of the mixture", "other-dtype", exact=True, score=0.5),
    )

    def instances(self, seed: int) -> list[Instance]:
        """Outputs of several shapes and dtypes, extreme logits, tensors that need no gradient; bad ones."""
        rng = default_rng(seed)

        def case(count: int, shape: Sequence[int], **more: Any) -> Instance:
            return {
                "outputs": [normal(rng, *shape) for _ in range(count)],
                "alphas": normal(rng, count),
                "upstream": normal(rng, *shape),
                **more,
            }

        large = [round(800 + one, 3) for one in rng.permutation([-1.5, 0.25, 1.0]).tolist()]
        ragged = case(3, [2, 4])
        ragged["outputs"][1] = normal(rng, 1, 4)
        late = case(3, [2, 4])
        late["outputs"][2] = normal(rng, 2, 1)
        transposed = case(2, [2, 3])
        transposed["outputs"][1] = normal(rng, 3, 2)
        return [
            case(int(rng.integers(6, 9)), [1, 2, 2, 2]),
            case(3, [2, 2], alphas=large, about="logits around 800"),
            case(3, [2, 2], alphas=[-one for one in large], about="logits around -800"),
            case(3, [2, 2], alphas=rng.permutation([1.0, -3.75, -6.25]).tolist(), about="weights below 1 %"),
            case(2, [int(rng.integers(3, 6))], about="two outputs of one dimension"),
            case(4, [4], about="as many outputs as entries in each"),
            case(1, [2, 2], about="a single output"),
            case(3, [], about="outputs that are single numbers"),
            case(3, [2, 3], grad=False, about="tensors that need no gradient"),
            case(3, [2, 3], dtype="float32", about="float32"),
            case(4, [2, 2], alphas=normal(rng, 5), bad="five alphas for four outputs"),
            case(4, [2, 2], alphas=normal(rng, 3), bad="three alphas for four outputs"),
            case(4, [2, 2], alphas=normal(rng, 1, 4), bad="alphas of shape (1, 4)"),
            case(4, [2, 2], alphas=normal(rng, 4, 1), bad="alphas of shape (4, 1)"),
            case(1, [2, 2], alphas=0.5, bad="a single number as alphas"),
            {**ragged, "bad": "outputs of the shapes (2, 4) and (1, 4)"},
            {**late, "bad": "outputs of the shapes (2, 4), (2, 4) and (2, 1)"},
            {**transposed, "bad": "outputs of the shapes (2, 3) and (3, 2)"},
            {"outputs": [], "alphas": [], "upstream": 0.0, "bad": "no outputs"},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The sum, the gradients that arrive at logits and outputs, and the sum for other logits in the same tensor."""
        import torch

        grad, dtype = instance.get("grad", True), instance.get("dtype", "float64")
        outputs = [tensor(one, grad, dtype) for one in instance["outputs"]]
        alphas = tensor(instance["alphas"], grad, dtype)
        leaves = [alphas, *outputs]
        # A list of its own for each call: what a call does to it is told as that, not by a later sum.
        mixed = fn(list(outputs), alphas)
        arrived = slopes(mixed, tensor(instance["upstream"], dtype=dtype), leaves) if grad else []
        at_alphas, *at_outputs = arrived or [torch.zeros_like(one) for one in leaves]
        with torch.no_grad():
            # Eighths: logits around 800 stay such as float32 holds exactly.
            moved = np.round(8 * np.cos(np.arange(alphas.numel()))) / 8
            alphas += tensor(moved.reshape(tuple(alphas.shape)), dtype=dtype)
            later = fn([tensor(one, grad, dtype) for one in instance["outputs"]], alphas)
        return {
            "mixed": rounded(mixed),
            "alphas": rounded(at_alphas),
            "outputs": [rounded(one).tolist() for one in at_outputs],
            "later": rounded(later),
            "dtype": str(mixed.dtype),
        }


class CellSupernetClass(ValueExercise):
    """`CellSupernet(channels, alphas).forward(x)`: with its own operations, whose weights the check draws."""

    name, lesson, returns = "CellSupernet", LESSON, "tensor"
    methods = ("forward",)
    changes = ("self.*.running_mean*", "self.*.running_var*", "self.*.num_batches_tracked*")
    parts: ClassVar[tuple[Part, ...]] = (
        Part("out", "the cell's output", "wrong-cell", tolerance=1e-6),
        Part("alphas", AT_ALPHAS, "no-gradient-of-alphas", tolerance=1e-6),
        Part("input", "the gradient that arrives at the input", "no-gradient-of-the-input", tolerance=1e-6),
        Part(
            "weights",
            "the list of lengths of the convolutions' gradients",
            "no-gradient-of-weights",
            tolerance=1e-6,
        ),
        Part("later", "the output after alphas has been changed in place", "old-alphas", tolerance=1e-6),
        Part(
            "eval_later",
            "the output in evaluation mode, after alphas has been changed in place,",
            "old-alphas",
            tolerance=1e-6,
        ),
        Part("eval", "the output in evaluation mode", "wrong-in-evaluation", tolerance=1e-6),
        Part(
            "eval_alphas",
            "the gradient that arrives at alphas in evaluation mode",
            "no-gradient-in-evaluation",
            tolerance=1e-6,
        ),
        Part(
            "learnable",
            "which scales and shifts of batch norms can learn",
            "learnable-scale",
            "the batch norms of the operations can learn their scale again, and with it undo what the alphas say: "
            "keep __init__ as it is given",
            exact=True,
        ),
    )

    def instances(self, seed: int) -> list[Instance]:
        """Logits small, large and huge, one channel, logits that are no Parameter; bad ones."""
        rng = default_rng(seed)

        def case(scale: float = 1.0, **more: Any) -> Instance:
            return {
                "channels": 2,
                "alphas": normal(rng, *SHAPE, scale=scale),
                "later": normal(rng, *SHAPE, scale=scale),
                "seed": int(rng.integers(2**31)),
                **more,
            }

        far = case()
        far["alphas"] = (np.array(far["alphas"]) + [[800.0], [-800.0]] * 3).round(3).tolist()
        return [
            case(),
            case(scale=4.0, about="logits that all but decide"),
            far | {"channels": 1, "about": "one channel, and logits around 800 and -800"},
            case(channels=3, parameter=False, about="logits that are no nn.Parameter"),
            case(grad=False, about="logits that need no gradient"),
            case(bad="alphas of shape (5, 6)", alphas=normal(rng, 5, 6)),
            case(bad="alphas of shape (6, 4)", alphas=normal(rng, 6, 4)),
            case(bad="alphas of shape (7, 5)", alphas=normal(rng, 7, 5)),
            case(bad="alphas of shape (30,)", alphas=normal(rng, 30)),
            case(bad="channels = 0", channels=0),
            case(bad="channels = -1", channels=-1),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """In evaluation, in training with gradients, and in both once more after the logits have been changed."""
        import torch

        grad = instance.get("grad", True)
        alphas = tensor(instance["alphas"], grad)
        if instance.get("parameter", True):
            alphas = torch.nn.Parameter(alphas, requires_grad=grad)
        if grad:
            alphas.grad = torch.ones_like(alphas)
        made = fn(instance["channels"], alphas)
        convolutions = self._filled(made, instance["seed"])
        x, upstream, other = (_images(instance, n, size) for n, size in enumerate((2, 2, 1)))
        evaluated = made.eval()(x)
        learning = [alphas] if grad else []
        at_alphas_then = _first(slopes(evaluated, upstream, learning, keep=True), alphas)
        leaf = x.clone().requires_grad_()
        out = made.train()(leaf)
        at_input, *arrived = slopes(out, upstream, [leaf, *convolutions, *learning])
        at_weights, at_alphas = arrived[: len(convolutions)], _first(arrived[len(convolutions) :], alphas)
        norms = [one for one in made.modules() if isinstance(one, torch.nn.BatchNorm2d)]
        self._filled(made, instance["seed"])  # how often an operation has seen a batch is not compared
        with torch.no_grad():
            alphas.copy_(tensor(instance["later"]))
            evaluated_later = made.eval()(other)
            alphas.copy_(alphas.flip(0))
            later = made.train()(other)
        return {
            "out": rounded(out),
            "alphas": rounded(at_alphas),
            "input": rounded(at_input),
            "weights": [float(rounded(slope.norm())) for slope in at_weights],
            "later": rounded(later),
            "eval_later": rounded(evaluated_later),
            "eval": rounded(evaluated),
            "eval_alphas": rounded(at_alphas_then),
            "learnable": sum(p.requires_grad for norm in norms for p in norm.parameters()),
        }

    def _filled(self, made: Any, seed: int) -> list[Any]:
        """Put weights and statistics of ours into the cell's layers; its convolutions' weights."""
        import torch

        if not isinstance(made, torch.nn.Module):
            raise NotPlainData(f"returned {describe(made)} where a torch.nn.Module is expected")
        edges = getattr(made, "edges", None)
        if not isinstance(edges, torch.nn.ModuleList):
            raise NotPlainData("self.edges is gone: keep __init__ as it is given, and write forward alone")
        made.double()
        rng = default_rng(seed)
        convolutions = [one for one in edges.parameters() if one.ndim == 4]
        with torch.no_grad():
            for one in convolutions:
                one.copy_(tensor(normal(rng, *one.shape)))
            for name, buffer in edges.named_buffers():
                if name.endswith(("running_mean", "running_var")):
                    buffer.copy_(tensor(rng.uniform(0.2, 1.5, tuple(buffer.shape)).round(3)))
        return convolutions


def _first(slopes: Sequence[Any], one: Any) -> Any:
    """The first gradient, zeros where there is none."""
    import torch

    return next(iter(slopes), torch.zeros_like(one))


def _images(instance: Instance, number: int, size: int) -> Any:
    shape = (size, instance["channels"], 2, 3)
    return tensor(normal(default_rng([instance["seed"], number]), *shape))


class Discretize(ValueExercise):
    """`discretize(alphas, exclude_none=True)`: the strongest operation of each edge, or any that ties with it."""

    name, lesson, returns = "discretize", LESSON, "arch"
    parts: ClassVar[tuple[Part, ...]] = (
        Part(what="the architecture", concept="wrong-operation", exact=True),
    )

    def instances(self, seed: int) -> list[Instance]:
        """`none` strongest on some edges, logits of every size, lists, `exclude_none` both ways; bad ones."""
        rng = default_rng(seed)

        def logits(low: float, high: float) -> list[list[float]]:
            steps = np.linspace(low, high, len(EDGES) * len(OPS)).round(3)
            return rng.permutation(steps).reshape(SHAPE).tolist()

        def with_none(rows: list[list[float]]) -> list[list[float]]:
            for edge in rng.permutation(len(EDGES))[:3]:  # here `none` is the strongest
                top = int(np.argmax(rows[edge]))
                rows[edge][0], rows[edge][top] = rows[edge][top], rows[edge][0]
            return rows

        def nan(edge: int, op: int) -> list[list[float]]:
            rows = logits(-1, 1)
            rows[edge][op] = NAN
            return rows

        strong = [[1000.0, *row[1:]] for row in logits(-2, 3)]
        tiny = (1e-9 * np.array(with_none(logits(-2, 3)))).tolist()
        ruled_out = with_none(logits(-3, -0.5))  # where minus infinity counts as 0, it wins
        for row, place in zip(ruled_out, rng.permuted(np.tile([1, 2, 3, 4], (len(EDGES), 1)), axis=1)[:, 0]):
            row[place] = -float("inf") if place != int(np.argmax(row[1:])) + 1 else row[place]
        for row in ruled_out[::2]:  # where a number stands for minus infinity, it wins
            row[:] = [1e10 * one for one in row]
        far = np.array(with_none(logits(-2, 3)))
        for row, change in zip(far, (lambda x: x + 1e3, lambda x: x - 1e3, lambda x: 1e10 * (x - 4)) * 2):
            row[1:] = np.roll(
                np.sort(row[1:]), 2 * rng.integers(2)
            )  # the first operation is not the strongest
            row[:] = change(row).round(3)
        level = [[max(row[1:]), *row[1:]] for row in logits(-2, 3)]
        return [
            {"alphas": with_none(logits(-2, 3))},
            {"alphas": with_none(logits(-3, -0.5)), "about": "logits that are all negative"},
            {"alphas": with_none(logits(-2, 3)), "exclude_none": False, "about": "exclude_none=False"},
            {
                "alphas": with_none(logits(-2, 3)),
                "exclude_none": True,
                "form": "lists",
                "about": "nested lists",
            },
            {"alphas": logits(-2, 3), "exclude_none": False, "form": "lists", "about": "nested lists"},
            {"alphas": with_none(logits(-2, 3)), "form": "learning", "about": "logits that need a gradient"},
            {"alphas": with_none(logits(-2, 3)), "form": "float32", "about": "float32"},
            {"alphas": strong, "about": "a logit of 1000 for `none`"},
            {"alphas": tiny, "about": "logits of the size 1e-9"},
            {"alphas": far.tolist(), "about": "logits around 1e3, -1e3 and -1e10"},
            {"alphas": ruled_out, "about": "logits of minus infinity"},
            {"alphas": level, "about": "`none` as strong as the strongest candidate"},
            {"alphas": [[0.0] * len(OPS)] * len(EDGES), "about": "logits that are all 0", "tied": True},
            {"alphas": np.array(logits(-1, 1)).T.tolist(), "bad": "alphas of shape (5, 6)"},
            {"alphas": [row[:4] for row in logits(-1, 1)], "bad": "alphas of shape (6, 4)"},
            {"alphas": logits(-1, 1)[:5], "bad": "five rows of alphas"},
            {"alphas": [*logits(-1, 1), [0.5, 0.1, 0.2, 0.3, 0.4]], "bad": "seven rows of alphas"},
            {"alphas": np.ravel(logits(-1, 1)).tolist(), "bad": "thirty alphas in one row"},
            {"alphas": nan(int(rng.integers(6)), 3), "bad": "a logit of NaN"},
            {"alphas": nan(5, 0), "bad": "a logit of NaN for `none`"},
            {"alphas": nan(2, 4), "exclude_none": False, "form": "lists", "bad": "a logit of NaN in a list"},
            {"alphas": [[NAN] * len(OPS)] * len(EDGES), "bad": "logits that are all NaN"},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The architecture; the option is passed only where it is given."""
        form, alphas = instance.get("form", "tensor"), instance["alphas"]
        if form != "lists":
            dtype = "float32" if form == "float32" else "float64"
            alphas = tensor(alphas, form == "learning", dtype)
        options = {"exclude_none": instance["exclude_none"]} if "exclude_none" in instance else {}
        found = fn(alphas, **options)
        if instance.get("tied") and isinstance(found, (tuple, list)):
            names = [OPS[1] if op in OPS[1:] else op for op in found]  # any candidate is as good as the first
            return names if isinstance(found, list) else tuple(names)
        return found

    def shown(self, instance: Instance, part: Part, found: Any, right: Any) -> Verdict:
        """The first edge with another operation."""
        if type(found) is not list or len(found) != len(right) or not all(type(one) is str for one in found):
            return super().shown(instance, part, found, right)
        at = next(edge for edge, pair in enumerate(zip(found, right)) if pair[0] != pair[1])
        about = f" (on {instance['about']})" if instance.get("about") else ""
        return fail(
            part.concept,
            f"edge {EDGES[at][0]}→{EDGES[at][1]} has the logits {show(instance['alphas'][at])} for "
            f"{', '.join(OPS)}: the choice is {right[at]!r}, not {found[at]!r}{about}",
        )
