"""The usual mistakes of lesson 04, and right answers written another way."""

# ruff: noqa: F821  (`book` is given)
# mypy: ignore-errors

import copy

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.weak import WeakIdKeyDictionary

from nas_lib.ops import OPERATIONS
from nas_lib.spaces import EDGES, OPS, Cell

# ----------------------------------------------------------------------------------------- mixed_op

SOFTMAX = "torch.softmax(alphas, dim=0)"
SUM = "sum(p * one for p, one in zip(chances, outputs))"
SHAPES = "if len(shapes) != 1:"

book.edits(
    "mixed_op",
    ("no-softmax", "the logits themselves are the weights: take their softmax", {SOFTMAX: "alphas"}),
    (
        "sigmoid",
        "each weight is a sigmoid: the operations of an edge compete, by a softmax over all of them",
        {SOFTMAX: "torch.sigmoid(alphas)"},
    ),
    (
        "argmax",
        "only the strongest operation counts: the relaxation mixes all of them",
        {SOFTMAX: "torch.eye(len(alphas))[alphas.argmax()] + 0 * alphas"},
    ),
    (
        "ignores-alphas",
        "all operations count alike: the alphas are not used",
        {SOFTMAX: "[1 / len(outputs)] * len(outputs)"},
    ),
    (
        "softmax-of-outputs",
        "the softmax is taken of the weighted outputs: it belongs to the alphas alone",
        {SUM: "torch.stack([a * one for a, one in zip(alphas, outputs)]).softmax(0).sum(0)"},
    ),
    (
        "softmax-of-outputs",
        "the softmax is taken of the outputs: it belongs to the alphas alone",
        {
            SUM: "(torch.stack([a * one for a, one in zip(alphas, outputs)]).softmax(0) "
            "* torch.stack(outputs)).sum(0)"
        },
    ),
    (
        "mean-of-arrivals",
        "this is the mean: the weights add up to 1 already, so sum",
        {SUM: f"{SUM} / len(outputs)"},
    ),
    (
        "no-exponential",
        "the alphas are divided by their sum: a softmax takes their exponentials first",
        {SOFTMAX: "alphas / alphas.sum()"},
    ),
    ("reversed-order", "the weights are assigned back to front", {SOFTMAX: f"{SOFTMAX}.flip(0)"}),
    (
        "not-normalised",
        "exp(alpha) is not divided by the sum over the operations",
        {SOFTMAX: "alphas.exp()"},
    ),
    (
        "logarithms",
        "the weights are logarithms of a softmax: log_softmax is for losses, softmax for weights",
        {SOFTMAX: "torch.log_softmax(alphas, dim=0)"},
    ),
    (
        "overflow",
        "exp overflows or vanishes with logits in the hundreds: torch.softmax does not, or subtract the largest "
        "logit first",
        {SOFTMAX: "alphas.exp() / alphas.exp().sum()"},
    ),
    (
        "operations-apart",
        "one entry per operation comes back: the weighted outputs have to be summed",
        {SUM: "torch.stack([p * one for p, one in zip(chances, outputs)])"},
    ),
    (
        "operations-apart",
        "a list comes back: sum the weighted outputs, and return a tensor",
        {SUM: "[p * one for p, one in zip(chances, outputs)]"},
    ),
    (
        "all-entries-summed",
        "one number comes back: sum over the operations, not over entries",
        {SUM: f"{SUM}.sum()"},
    ),
    (
        "no-gradient-of-alphas",
        "no gradient arrives at alphas: no detach(), item(), tolist() or .data on the way, or nothing can be learned "
        "about the architecture",
        {SOFTMAX: "torch.softmax(alphas.detach(), dim=0)"},
    ),
    (
        "no-gradient-of-outputs",
        "the outputs do not get their gradient: the operations' weights would not be trained",
        {SUM: "sum(p * one.detach() for p, one in zip(chances, outputs))"},
    ),
    (
        "no-gradient",
        "no gradient comes back at all: no no_grad() and no detach() around the sum",
        {SUM: f"{SUM}.detach()"},
    ),
    (
        "softmin",
        "the softmax is of the alphas with the opposite sign: a larger logit is a larger weight",
        {SOFTMAX: "torch.softmax(-alphas, dim=0)"},
    ),
    ("wrong-mixture", "", {SUM: "sum(p * one for p, one in zip(chances, outputs[:5]))"}),
    ("wrong-mixture", "", {SUM: "sum(p * one for p, one in zip(chances, outputs) if p > 0.01)"}),
    ("mutates-input", "", {f"return {SUM}": "return sum(p * outputs.pop(0) for p in chances)"}),
    ("wrong-temperature", "", {SOFTMAX: "torch.softmax(alphas / 2, dim=0)"}),
    ("inexact", "", {SOFTMAX: "torch.softmax(alphas, dim=0) + 1e-3"}),
    ("weights-as-floats", "", {SOFTMAX: f"{SOFTMAX}.tolist()"}),
    ("first-gradient-only", "", {SOFTMAX: "torch.cat([alphas[:1], alphas[1:].detach()]).softmax(0)"}),
    ("mutates-input", "", {"    chances =": "    alphas.data -= alphas.max()\n    chances ="}),
    (
        "mutates-input",
        "",
        {
            f"return {SUM}": "for p, one in zip(chances, outputs):\n        one.data *= p.data\n    return sum(outputs)"
        },
    ),
    ("changes-flags", "", {"    chances =": "    alphas.requires_grad_()\n    chances ="}),
    ("wrong-type", "", {f"return {SUM}": f"return ({SUM}).tolist()"}),
    ("accepts-bad-input", "", {"for one in outputs}": "for one in outputs[:2]}"}),
    ("accepts-bad-input", "", {SHAPES: "if not shapes:"}),
    ("accepts-bad-input", "", {"if alphas.shape != (len(outputs),):": "if len(alphas) < len(outputs):"}),
    ("accepts-bad-input", "", {"if alphas.shape != (len(outputs),):": "if alphas.numel() != len(outputs):"}),
    ("accepts-bad-input", "", {SHAPES: "if False:"}),
    ("wrong-error", "", {'raise ValueError(f"outputs must': 'raise KeyError(f"outputs must'}),
    (
        "softmax-twice",
        "the softmax is taken twice: once, of the alphas themselves",
        {SOFTMAX: "torch.softmax(torch.softmax(alphas, dim=0), dim=0)"},
    ),
    (
        "unweighted-sum",
        "every weight is 1, so that the outputs are only added up: the softmax runs over the operations",
        {SOFTMAX: "torch.softmax(alphas[:, None], dim=1)[:, 0]"},
    ),
    (
        "clamped-logits",
        "the logits are clamped first: a softmax takes them as they are, however large",
        {SOFTMAX: "torch.softmax(alphas.clamp(-20, 20), dim=0)"},
    ),
    *(
        (
            "other-dtype",
            "the mixture has another dtype than the outputs: no float() and no double() on the way",
            {f"return {SUM}": f"return ({SUM}).{dtype}()"},
        )
        for dtype in ("float", "double")
    ),
)


def _fits(outputs, alphas):
    if len(outputs) == 0 or alphas.shape != (len(outputs),):
        raise ValueError(f"outputs and alphas must fit, got {len(outputs)} and {tuple(alphas.shape)}")
    if any(one.shape != outputs[0].shape for one in outputs):
        raise ValueError(f"outputs must have one shape, got {[tuple(one.shape) for one in outputs]}")


@book.wrong(
    "mixed_op",
    "old-alphas",
    "the softmax of a tensor is taken once and kept: alphas change in place with every step, so take it in each call",
)
def remembers_the_softmax(outputs, alphas, known={}):  # noqa: B006
    if (
        not outputs
        or alphas.shape != (len(outputs),)
        or any(one.shape != outputs[0].shape for one in outputs)
    ):
        raise ValueError(f"outputs and alphas do not fit: {len(outputs)}, {tuple(alphas.shape)}")
    if id(alphas) not in known or known[id(alphas)][0] is not alphas:
        known[id(alphas)] = alphas, torch.softmax(alphas, dim=0)
    return sum(p * one for p, one in zip(known[id(alphas)][1], outputs))


@book.right("mixed_op")
def by_stacking(outputs, alphas):
    _fits(outputs, alphas)
    return torch.einsum("k,k...->...", alphas.softmax(0), torch.stack(outputs))


@book.right("mixed_op")
def by_exponentials(outputs, alphas):
    _fits(outputs, alphas)
    e = torch.exp(alphas - alphas.max())
    total = torch.zeros_like(outputs[0])
    for weight, one in zip(e, outputs):
        total = total + weight * one
    return total / e.sum()


@book.right("mixed_op")
def in_place_on_a_copy(outputs, alphas):
    _fits(outputs, alphas)
    total = outputs[0].clone() * alphas.float().softmax(0)[0]
    for k in range(1, len(outputs)):
        total += outputs[k] * alphas.float().softmax(0)[k]
    return total


@book.right("mixed_op")
def by_broadcasting(outputs, alphas):
    _fits(outputs, alphas)
    stacked = torch.stack(tuple(outputs), dim=-1)
    return (stacked * F.softmax(alphas, dim=-1)).sum(dim=-1)


# ------------------------------------------------------------------------------------- CellSupernet

ROWS = "zip(EDGES, self.edges, self.alphas)"
MIX = "torch.softmax(alphas, dim=0)"
MESSAGE = "sum(p * one for p, one in zip(weights, outputs))"
LOOP = f"for (source, target), operations, alphas in {ROWS}:"

book.edits(
    "CellSupernet",
    (
        "softmax-over-edges",
        "the softmax runs over the edges: it belongs to the operations *of one edge*, a row of alphas",
        {ROWS: "zip(EDGES, self.edges, torch.softmax(self.alphas, dim=0))", MIX: "alphas"},
    ),
    (
        "softmax-over-everything",
        "one softmax runs over all 30 logits: each edge has its own, over its five operations",
        {ROWS: "zip(EDGES, self.edges, self.alphas.flatten().softmax(0).view(6, 5))", MIX: "alphas"},
    ),
    ("no-softmax", "the logits themselves are the weights: take their softmax", {MIX: "alphas"}),
    (
        "sigmoid",
        "each weight is a sigmoid: the operations of an edge compete, by a softmax over its row",
        {MIX: "torch.sigmoid(alphas)"},
    ),
    (
        "overflow",
        "exp overflows or vanishes with logits in the hundreds: torch.softmax does not",
        {MIX: "alphas.exp() / alphas.exp().sum()"},
    ),
    ("ignores-alphas", "all operations count alike: use alphas", {MIX: "torch.full((5,), 0.2)"}),
    (
        "one-row-for-all",
        "every edge uses the first row of alphas: edge e has row e",
        {MIX: "self.alphas[0].softmax(0)"},
    ),
    (
        "alphas-back-to-front",
        "the rows of alphas are taken back to front: row e belongs to EDGES[e]",
        {ROWS: "zip(EDGES, self.edges, self.alphas.flip(0))"},
    ),
    (
        "reads-the-input",
        "every edge reads the cell's input: edge i→j reads *node i*, which earlier edges have made",
        {"operation(nodes[source])": "operation(x)"},
    ),
    (
        "edges-out-of-order",
        "the edges are taken in another order than EDGES: (0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)",
        {ROWS: "zip(sorted(EDGES), self.edges, self.alphas)"},
    ),
    (
        "mean-of-arrivals",
        "a node is the mean of what arrives: it is the *sum*",
        {"nodes[target] + sum": "nodes[target] + 1 / target * sum"},
    ),
    (
        "last-edge-only",
        "a node keeps only what the last edge delivers: it is the *sum* over its incoming edges",
        {"nodes[target] + sum": "sum"},
    ),
    (
        "all-nodes",
        "the output is the sum of the nodes 1, 2 and 3: it is node 3 alone",
        {"return nodes[3]": "return nodes[1] + nodes[2] + nodes[3]"},
    ),
    (
        "adds-the-input",
        "the input is added to the output: the cell's output is node 3 alone",
        {"return nodes[3]": "return nodes[3] + x"},
    ),
    (
        "argmax",
        "only the strongest operation of each edge counts: the relaxation mixes all of them",
        {MIX: "torch.eye(5)[alphas.argmax()] + 0 * alphas"},
    ),
    (
        "leaves-out-operations",
        "skip connections are left out: all five operations are mixed",
        {MESSAGE: "sum(p * one for k, (p, one) in enumerate(zip(weights, outputs)) if k != 1)"},
    ),
    (
        "softmax-without-none",
        "the softmax runs over four operations: `none` delivers nothing, and takes its share of the weight",
        {MIX: "torch.cat([0 * alphas[:1], alphas[1:].softmax(0)])"},
    ),
    (
        "no-gradient-of-alphas",
        "the output is right, but no gradient arrives at alphas: use self.alphas itself, without detach() or .data",
        {ROWS: "zip(EDGES, self.edges, self.alphas.detach())"},
    ),
    (
        "no-gradient-of-the-input",
        "the output is right, but no gradient arrives at the input: earlier cells would not be trained",
        {"nodes = [x,": "nodes = [x.detach(),"},
    ),
    (
        "no-gradient-of-the-input",
        "the gradient stops between the nodes: what an edge reads must not be detached",
        {"operation(nodes[source])": "operation(nodes[source].detach())"},
    ),
    (
        "no-gradient-of-weights",
        "the output is right, but no gradient arrives at the convolutions: their weights would not be trained",
        {
            "operation(nodes[source])": "torch.func.functional_call("
            "operation, {k: v.detach() for k, v in operation.named_parameters()}, (nodes[source],))"
        },
    ),
    (
        "one-hot-in-evaluation",
        "in evaluation mode only the strongest operations count: the cell is the mixture in both modes",
        {MIX: "torch.softmax(alphas, dim=0) if self.training else torch.eye(5)[alphas.argmax()]"},
    ),
    (
        "no-gradient-in-evaluation",
        "in evaluation mode no gradient arrives at alphas: the mode changes what batch norms do, and nothing else",
        {MIX: "torch.softmax(alphas if self.training else alphas.detach(), dim=0)"},
    ),
    ("changes-the-mode", "", {"nodes = [x,": "self.train()\n        nodes = [x,"}),
    ("wrong-temperature", "", {MIX: "torch.softmax(alphas / 2, dim=0)"}),
    ("mutates-input", "", {"return nodes[3]": "x.data += 1\n        return nodes[3]"}),
    ("changes-alphas", "", {"nodes = [x,": "self.alphas.data -= self.alphas.mean()\n        nodes = [x,"}),
    ("unfreezes", "", {"nodes = [x,": "self.requires_grad_(True)\n        nodes = [x,"}),
    ("unfreezes", "", {"nodes = [x,": "self.alphas.requires_grad_(True)\n        nodes = [x,"}),
    ("clears-gradients", "", {"nodes = [x,": "self.alphas.grad = None\n        nodes = [x,"}),
    ("wrong-type", "", {"return nodes[3]": "return nodes"}),
    ("forgets-to-return", "", {"return nodes[3]": "nodes[3]"}),
    (
        "starts-from-the-input",
        "every node starts from the cell's input: it starts from 0, and sums what its incoming edges deliver",
        {"nodes = [x, 0, 0, 0]": "nodes = [x, x, x, x]"},
    ),
    (
        "leaves-out-operations",
        "operations of small weight are left out: all five are mixed, however small their weight",
        {MESSAGE: "sum(p * one for p, one in zip(weights, outputs) if p > 0.01)"},
    ),
    (
        "another-relu",
        "what an edge reads goes through a ReLU first: the operations that need one have it inside",
        {"operation(nodes[source])": "operation(torch.relu(nodes[source]))"},
    ),
)


class _Given(nn.Module):
    """The cell as the lesson gives it."""

    def __init__(self, channels, alphas):
        super().__init__()
        if channels < 1 or alphas.shape != (len(EDGES), len(OPS)):
            raise ValueError(f"channels and alphas do not fit: {channels!r}, {tuple(alphas.shape)}")
        self.alphas = alphas
        self.edges = nn.ModuleList(nn.ModuleList(OPERATIONS[op](channels, 1) for op in OPS) for _ in EDGES)
        self.freeze()

    def freeze(self):
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.requires_grad_(False)

    def mixing(self):
        return torch.softmax(self.alphas, dim=1)

    def message(self, edge, x):
        return sum(p * op(x) for p, op in zip(self.mixing()[edge], self.edges[edge]))

    def forward(self, x):
        nodes = [x, 0, 0, 0]
        for edge, (source, target) in enumerate(EDGES):
            nodes[target] = nodes[target] + self.message(edge, nodes[source])
        return nodes[3]


@book.wrong(
    "CellSupernet",
    "old-alphas",
    "the softmax is taken once, when the cell is made: alphas change with every step, so take it in forward",
)
class softmax_when_made(_Given):
    def __init__(self, channels, alphas):
        super().__init__(channels, alphas)
        self.weights = torch.softmax(alphas, dim=1)

    def mixing(self):
        return self.weights


@book.wrong("CellSupernet", "old-alphas")
class softmax_cached_at_the_first_call(_Given):
    cached = None

    def mixing(self):
        if self.cached is None:
            self.cached = torch.softmax(self.alphas, dim=1)
        return self.cached


@book.wrong("CellSupernet", "old-alphas")
class softmax_of_the_last_training(_Given):
    cached = None

    def mixing(self):
        if self.training or self.cached is None:
            self.cached = torch.softmax(self.alphas, dim=1)
        return self.cached


@book.wrong("CellSupernet", "learnable-scale")
class scales_that_learn(_Given):
    def freeze(self):
        pass


@book.wrong("CellSupernet", "changes-settings")
class hides_divisions_by_zero(_Given):
    def __init__(self, channels, alphas):
        np.seterr(divide="ignore")
        super().__init__(channels, alphas)


@book.wrong("CellSupernet", "init-changed")
class layers_of_its_own(nn.Module):
    def __init__(self, channels, alphas):
        super().__init__()
        if channels < 1 or alphas.shape != (len(EDGES), len(OPS)):
            raise ValueError(f"channels and alphas do not fit: {channels!r}, {tuple(alphas.shape)}")
        self.alphas, self.operations = alphas, nn.Linear(channels, channels)

    def forward(self, x):
        return x


@book.wrong("CellSupernet", "accepts-bad-input")
class makes_any_cell(_Given):
    def __init__(self, channels, alphas):
        super().__init__(max(channels, 1), torch.zeros(len(EDGES), len(OPS)))
        self.alphas = alphas


@book.right("CellSupernet")
class recursive(_Given):
    def forward(self, x):
        return self._node(3, x)

    def _node(self, j, x):
        if j == 0:
            return x
        arriving = [(e, i) for e, (i, target) in enumerate(EDGES) if target == j]
        return torch.stack([self.message(e, self._node(i, x)) for e, i in arriving]).sum(0)


@book.right("CellSupernet")
class pushes_forward(_Given):
    """From each node along its outgoing edges, all operations stacked."""

    def forward(self, x):
        waiting = {0: [x], 1: [], 2: [], 3: []}
        for node in range(3):
            value = torch.stack(waiting[node]).sum(0)
            for edge, (source, target) in enumerate(EDGES):
                if source == node:
                    outputs = torch.stack([operation(value) for operation in self.edges[edge]])
                    waiting[target].append(torch.tensordot(self.mixing()[edge], outputs, dims=1))
        return torch.stack(waiting[3]).sum(0)


@book.right("CellSupernet")
class skips_none_and_pools_once(_Given):
    """`none` adds nothing, and the pooling of a node is the same on all edges that leave it."""

    def forward(self, x):
        nodes, pooled = [x, None, None, None], {}
        for (source, target), operations, row in zip(EDGES, self.edges, self.mixing()):
            here = nodes[source]
            if source not in pooled:
                pooled[source] = operations[4](here)
            message = row[1] * here + row[4] * pooled[source]
            for k in (2, 3):
                message = message + row[k] * operations[k](here)
            nodes[target] = message if nodes[target] is None else nodes[target] + message
        return nodes[3]


@book.right("CellSupernet")
class adds_in_place_to_its_own(_Given):
    def forward(self, x):
        nodes = [x, *(torch.zeros_like(x) for _ in range(3))]
        for (source, target), operations, alphas in zip(EDGES, self.edges, self.alphas):
            e = (alphas - alphas.max()).exp()
            for p, operation in zip(e / e.sum(), operations):
                nodes[target] += p * operation(nodes[source].clone())
        return nodes[-1]


# --------------------------------------------------------------------------------------- discretize

CHOICE = "OPS[max(candidates, key=row.__getitem__)]"
CANDIDATES = '[k for k, op in enumerate(OPS) if not (exclude_none and op == "none")]'
RETURN = f"return tuple({CHOICE} for row in alphas.tolist())"
WEAKEST = "the weakest operations are chosen: take the largest logit"
POSITIONS = "these are positions: an architecture is six names of OPS"
SOFTMAX_FIRST = (
    "a softmax before the comparison rounds: logits that differ can have equal shares, all of them 0 beside a large "
    "one. The largest logit itself decides"
)

book.edits(
    "discretize",
    (
        "none-chosen",
        "`none` is chosen where it is strongest: with exclude_none it is no candidate",
        {CANDIDATES: "range(len(OPS))"},
    ),
    (
        "none-chosen",
        "the largest candidate's logit is looked up in the whole row, where `none` may have the same: it is no candidate",
        {RETURN: "return tuple(OPS[row.index(max(row[k] for k in candidates))] for row in alphas.tolist())"},
    ),
    (
        "none-always-excluded",
        "with exclude_none=False `none` is a candidate like the others",
        {CANDIDATES: "range(1, len(OPS))"},
    ),
    (
        "option-reversed",
        "exclude_none works the wrong way round: True leaves `none` out",
        {CANDIDATES: '[k for k, op in enumerate(OPS) if exclude_none or op != "none"]'},
    ),
    *(
        (
            "masked-with-a-number",
            "`none` is masked with a number, which beats logits below it: mask with -inf, or leave it out",
            {
                "    candidates =": f"    alphas = alphas.clone()\n    alphas[:, 0][[exclude_none] * 6] = {mask}\n"
                "    candidates =",
                CANDIDATES: "range(len(OPS))",
            },
        )
        for mask in ("-100.0", "-1e9")
    ),
    (
        "softmax-first",
        "exp is infinite above 709 and zero below -745, so that logits that differ become equal: the largest logit "
        "itself decides",
        {"in alphas.tolist()": "in alphas.double().exp().tolist()"},
    ),
    (
        "infinity-as-zero",
        "a logit of minus infinity becomes 0, which beats negative logits: leave it as it is, it loses by itself",
        {"in alphas.tolist()": "in alphas.nan_to_num(neginf=0.0).tolist()"},
    ),
    ("weakest", WEAKEST, {"OPS[max(": "OPS[min("}),
    ("weakest", WEAKEST, {"OPS[max(candidates": "OPS[min(range(len(OPS))"}),
    (
        "shifted",
        "the names are shifted by one: once `none` is cut off, position 0 means OPS[1]",
        {CHOICE: "OPS[max(candidates, key=row.__getitem__) - exclude_none]"},
    ),
    (
        "masked-with-zero",
        "`none` is masked with 0, which beats negative logits: mask with -inf, or leave it out",
        {
            "    candidates =": "    alphas = alphas * torch.tensor([1.0 - exclude_none, 1, 1, 1, 1])\n"
            "    candidates =",
            CANDIDATES: "range(len(OPS))",
        },
    ),
    (
        "wrong-axis",
        "the largest logit of each *column* is taken: an edge is a row",
        {RETURN: "return (*(OPS[int(i) % len(OPS)] for i in alphas.argmax(dim=0)), OPS[0])"},
    ),
    (
        "reversed-order",
        "the edges come out back to front: row e of alphas belongs to EDGES[e]",
        {"in alphas.tolist()": "in alphas.flip(0).tolist()"},
    ),
    (
        "prunes-edges",
        "edges are dropped, as DARTS does on its own space: here every edge keeps its strongest operation",
        {
            RETURN: f"names = [{CHOICE} for row in alphas.tolist()]\n"
            "    strength = torch.softmax(alphas, dim=1)[:, 1:].max(dim=1).values\n"
            '    names[3 + int(strength[3:].argmin())] = "none"\n'
            "    return tuple(names)"
        },
    ),
    ("numbers-not-names", POSITIONS, {CHOICE: "max(candidates, key=row.__getitem__)"}),
    ("numbers-not-names", POSITIONS, {CHOICE: "max(candidates, key=row.__getitem__) - exclude_none"}),
    (
        "softmax-first",
        SOFTMAX_FIRST,
        {"in alphas.tolist()": "in alphas.float().softmax(dim=1).tolist()"},
    ),
    ("softmax-first", SOFTMAX_FIRST, {"in alphas.tolist()": "in alphas.double().softmax(dim=1).tolist()"}),
    (
        "compares-sizes",
        "the logit farthest from zero is taken: the *largest* counts, and a negative one is small",
        {"in alphas.tolist()": "in alphas.abs().tolist()"},
    ),
    (
        "five-edges",
        "one edge is missing: there are six, an operation for each",
        {"in alphas.tolist()": "in alphas[:5].tolist()"},
    ),
    (
        "tensors-only",
        "nested lists are allowed: begin with torch.as_tensor, which leaves a tensor alone",
        {"    alphas = torch.as_tensor(alphas)\n": ""},
    ),
    ("wrong-type", "", {"return tuple(": "return list("}),
    ("wrong-type", "", {"return tuple(": "return str("}),
    ("wrong-type", "", {RETURN: f'return "|".join({CHOICE} for row in alphas.tolist())'}),
    (
        "one-operation-off",
        "",
        {RETURN: f"found = [{CHOICE} for row in alphas.tolist()]\n    return (*found[1:], found[0])"},
    ),
    (
        "mutates-input",
        "",
        {
            RETURN: "alphas[:, 0] = alphas[:, 0] if not exclude_none else -torch.inf\n"
            "    return tuple(OPS[int(k)] for k in alphas.argmax(dim=1))"
        },
    ),
    (
        "mutates-input",
        "",
        {
            RETURN: "if exclude_none:\n        alphas.data[:, 0] = -torch.inf\n"
            "    return tuple(OPS[int(k)] for k in alphas.argmax(dim=1))"
        },
    ),
    ("accepts-bad-input", "", {" or alphas.isnan().any()": ""}),
    ("accepts-bad-input", "", {"alphas.isnan().any()": "alphas[:, 1:].isnan().any()"}),
    ("accepts-bad-input", "", {"alphas.isnan().any()": "alphas.isnan().all()"}),
    ("accepts-bad-input", "", {"alphas.shape != (len(EDGES), len(OPS))": "alphas.shape[-1] != len(OPS)"}),
    ("accepts-bad-input", "", {"alphas.shape != (len(EDGES), len(OPS))": "len(alphas) != len(EDGES)"}),
    ("refuses-good-input", "", {"alphas.isnan().any()": "not alphas.isfinite().all()"}),
    ("wrong-error", "", {"raise ValueError(": "raise IndexError("}),
    ("raises", "", {"in alphas.tolist()": "in alphas.numpy().tolist()"}),
    ("infinity-as-a-number", "", {"in alphas.tolist()": "in alphas.nan_to_num(neginf=-10.0).tolist()"}),
)


def _logits(alphas):
    alphas = torch.as_tensor(alphas, dtype=torch.float64).detach()
    if alphas.shape != (6, 5) or alphas.isnan().any():
        raise ValueError(f"alphas must be numbers of shape (6, 5), got {alphas}")
    return alphas


@book.right("discretize")
def by_masking(alphas, exclude_none=True):
    alphas = _logits(alphas).clone()
    if exclude_none:
        alphas[:, 0] = -torch.inf
    return tuple(OPS[int(k)] for k in alphas.argmax(1))


@book.right("discretize")
def in_numpy(alphas, exclude_none=True):
    order = np.argsort(-_logits(alphas).numpy(), axis=1)
    return Cell(next(OPS[k] for k in row if not (exclude_none and OPS[k] == "none")) for row in order)


@book.right("discretize")
def in_float32_row_by_row(alphas, exclude_none=True):
    if not torch.is_tensor(alphas):
        alphas = torch.tensor(alphas)
    if list(alphas.shape) != [6, 5] or torch.isnan(alphas).any():
        raise ValueError(f"alphas must be numbers of shape (6, 5), got {alphas}")
    first, names = int(bool(exclude_none)), ()
    for row in alphas.detach().to(torch.float32):
        names += (OPS[first:][row[first:].argmax()],)
    return names


@book.right("discretize")
def cut_away(alphas, exclude_none=True):
    first = 1 if exclude_none else 0
    positions = _logits(alphas)[:, first:].max(dim=1).indices + first
    return tuple([OPS[position] for position in positions.tolist()])


# ---------------------------------------------------------------------------------------- the steps

ZERO_GRAD = "call optimizer.zero_grad() first, or assign .grad"
ADDED = f"gradients from before are added to the new ones: {ZERO_GRAD}"
BY_HAND = (
    "this is a plain gradient step, by hand or as of a new optimiser: let the one that was passed in take it, with the "
    "state (momentum, say) and the rates that it has"
)
EMPTY = "the optimiser steps without a gradient: fill .grad first"
TWICE = "the gradient counts twice: is backward() called two times?"
CLIMBS = "this goes *up* the loss: the optimiser descends by itself"
STILL = "nothing moves: fill .grad, then call the optimiser's step(), and clear old gradients *before* that"
UNUSED = (
    "a weight that the loss does not depend on ends in an error: torch.autograd.grad wants allow_unused=True then, and "
    "gives None for it, which stands for zeros"
)
SWAPPED = "the loss gets its arguments the wrong way round: loss_fn(predictions, y)"
STALE = "the optimiser steps by gradients from before: .grad is old"
CLIPPED = "the gradient is clipped: the step takes it as it is"


def _group(exercise, group, one, batch, optimizer):
    """What `weight_step` and `alpha_step_first_order` have in common: one line each, with other names."""
    fill = f"{one}.grad = slope"
    step = f"{optimizer}.step()"
    loop = f"for {one}, slope in zip(model.{group}(), gradients(loss, model.{group}())):\n        {fill}"
    loss = "loss = loss_fn(model(x), y)"
    moved = (
        f"with torch.no_grad():\n        for {one}, slope in zip(model.{group}(), gradients(loss, model.{group}())):\n"
        f"            {one} -= {optimizer}.param_groups[0]['lr'] * slope"
    )
    book.edits(
        exercise,
        (
            "gradients-from-before",
            ADDED,
            {fill: f"{one}.grad = slope if {one}.grad is None else {one}.grad + slope"},
        ),
        ("gradients-from-before", STALE, {fill: f"{one}.grad = slope if {one}.grad is None else {one}.grad"}),
        ("ignores-the-optimizer", BY_HAND, {loop: moved, step: "pass"}),
        ("never-moves-them", STILL, {step: f"{optimizer}.zero_grad()\n    {step}"}),
        ("empty-gradient", EMPTY, {fill: f"{one}.grad = torch.zeros_like(slope)"}),
        ("summed-twice", TWICE, {fill: f"{one}.grad = 2 * slope"}),
        ("climbs", CLIMBS, {fill: f"{one}.grad = -slope"}),
        ("never-moves-them", STILL, {step: "pass"}),
        ("steps-twice", "step() is called twice: one call is one step", {step: f"{step}\n    {step}"}),
        ("loss-swapped", SWAPPED, {loss: "loss = loss_fn(y, model(x))"}),
        (
            "normalises-the-gradient",
            "the gradient is brought to length 1: the step takes it as it is",
            {fill: f"{one}.grad = slope / (slope.norm() + 1e-12)"},
        ),
        (
            "divides-by-the-batch",
            "the gradient is divided by the number of images: `loss_fn` says how they are weighed",
            {fill: f"{one}.grad = slope / len(x)"},
        ),
        (
            "returned-loss",
            "the loss that is returned is rounded: return it as it is",
            {"return loss.item()": "return round(loss.item(), 4)"},
        ),
        (
            "only-the-first",
            f"only the first tensor of the {group} moves: all of `{group}()` are trained",
            {fill: f"{one}.grad = slope if {one} is model.{group}()[0] else 0 * slope"},
        ),
        (
            "returned-loss",
            "the loss that is returned is that after the step; wanted is the loss before",
            {"return loss.item()": "return loss_fn(model(x), y).item()"},
        ),
        ("clips-the-gradient", CLIPPED, {fill: f"{fill}.clamp(-1, 1)"}),
        (
            "clips-the-gradient",
            CLIPPED,
            {step: f"torch.nn.utils.clip_grad_norm_(model.{group}(), 5)\n    {step}"},
        ),
        ("other-step", "", {fill: f"{one}.grad = 0.5 * slope"}),
        (
            "gradients-from-before",
            "gradients from before the call are added to the first step: what clears them has to come *before* the "
            "new ones, not after the step",
            {
                fill: f"{one}.grad = slope if {one}.grad is None else {one}.grad + slope",
                step: f"{step}\n    {optimizer}.zero_grad()",
            },
        ),
        (
            "loss-of-its-own",
            "the loss is torch's cross-entropy: take the `loss_fn` that was passed in",
            {loss: "loss = torch.nn.functional.cross_entropy(model(x), y)"},
        ),
        (
            "only-one-group",
            "only the first group of the optimiser gets its gradients: fill .grad of all tensors",
            {
                loop: f"{optimizer}.zero_grad()\n    held = {optimizer}.param_groups[0]['params']\n"
                f"    for {one}, slope in zip(held, gradients(loss, held)):\n        {fill}"
            },
        ),
        ("wrong-type", "", {"return loss.item()": "return loss.detach()"}),
        ("forgets-to-return", "", {"return loss.item()": "loss.item()"}),
        ("changes-flags", "", {"return loss": f"model.{group}()[0].requires_grad_(False)\n    return loss"}),
        ("changes-the-mode", "", {"x, y =": "model.eval()\n    x, y ="}),
        ("changes-the-mode", "", {"x, y =": "model.train()\n    x, y ="}),
        ("other-step", "", {step: f"if loss.item() > 1e-4:\n        {step}"}),
        ("unfreezes", "", {"x, y =": "model.requires_grad_(True)\n    x, y ="}),
        (
            "changes-the-rate",
            "",
            {"return loss": f"{optimizer}.param_groups[0]['lr'] *= 0.5\n    return loss"},
        ),
        ("mutates-input", "", {"return loss": "y += 1\n    return loss"}),
        ("accepts-bad-input", "", {loss: "loss = torch.nan_to_num(loss_fn(model(x), y))"}),
        (
            "accepts-bad-input",
            "",
            {loss: "loss = loss_fn(model(x), y)\n    loss = loss if loss.isnan() else loss.clamp(-9e9, 9e9)"},
        ),
        (
            "steps-before-the-test",
            "",
            {
                step: f"gradients(loss_fn(model(x), y), model.{group}())",
                loop: f"model.zero_grad()\n    loss.backward()\n    {optimizer}.step()",
            },
        ),
        (
            "backward-before-the-test",
            "",
            {
                loss: f"{optimizer}.zero_grad()\n    loss_fn(model(x), y).backward(inputs=model.{group}())\n    {loss}"
            },
        ),
        (
            "wrong-error",
            "",
            {loss: f"{loss}\n    if not torch.isfinite(loss):\n        raise RuntimeError(loss)"},
        ),
    )


_group("weight_step", "weights", "weight", "batch", "optimizer")
_group("alpha_step_first_order", "alphas", "alpha", "valid_batch", "alpha_optimizer")


def _finite(loss):
    if not torch.isfinite(loss):
        raise ValueError(f"loss must be finite, got {loss}")
    return loss


def _slopes(loss, tensors, keep=False):
    found = torch.autograd.grad(loss, tensors, allow_unused=True, retain_graph=keep)
    return [torch.zeros_like(one) if slope is None else slope for one, slope in zip(tensors, found)]


book.edits(
    "weight_step",
    (
        "moves-both",
        "the alphas move as well: this step is for the weights alone",
        {
            "    optimizer.step()": "    with torch.enable_grad():\n"
            "        slopes = gradients(loss_fn(model(x), y), model.alphas())\n"
            "    for alpha, slope in zip(model.alphas(), slopes):\n"
            "        alpha.data -= 0.01 * slope\n"
            "    optimizer.step()",
        },
    ),
    (
        "unused-weight",
        UNUSED,
        {"gradients(loss, model.weights())": "torch.autograd.grad(loss, model.weights())"},
    ),
    (
        "only-the-first",
        "only the first tensor of the weights moves: all of `weights()` are trained",
        {"zip(model.weights(), gradients": "zip(model.weights()[:1], gradients"},
    ),
    (
        "gradients-from-before",
        "an old gradient stays on a weight that the loss does not depend on, and moves it: clear all of them first",
        {"weight.grad = slope": "weight.grad = slope if slope.any() else weight.grad"},
    ),
    ("changes-flags", "", {"x, y =": "[one.requires_grad_(False) for one in model.alphas()]\n    x, y ="}),
    ("changes-settings", "", {"x, y =": "torch.autograd.set_detect_anomaly(True)\n    x, y ="}),
)


@book.right("weight_step")
def by_backward(model, loss_fn, batch, optimizer):
    loss = _finite(loss_fn(model(batch[0]), batch[1]))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss.detach())


@book.right("weight_step")
def clearing_at_the_start(model, loss_fn, batch, optimizer):
    optimizer.zero_grad(set_to_none=False)
    loss = _finite(loss_fn(model(batch[0]), batch[1]))
    loss.backward(inputs=model.weights())
    optimizer.step()
    return loss.detach().numpy().item()


@book.right("weight_step")
def by_freezing_the_alphas(model, loss_fn, batch, optimizer):
    for alpha in model.alphas():
        alpha.requires_grad_(False)
    try:
        loss = _finite(loss_fn(model(batch[0]), batch[1]))
        model.zero_grad()
        loss.backward()
        optimizer.step()
    finally:
        for alpha in model.alphas():
            alpha.requires_grad_(True)
    return float(loss.detach())


@book.right("weight_step")
def by_closure(model, loss_fn, batch, optimizer):
    _finite(loss_fn(model(batch[0]), batch[1]))

    def closure():
        optimizer.zero_grad()
        loss = loss_fn(model(batch[0]), batch[1])
        loss.backward(inputs=model.weights())
        return loss

    return float(optimizer.step(closure).detach())


book.edits(
    "alpha_step_first_order",
    (
        "weights-not-restored",
        "the weights move as well: this step is for the alphas alone",
        {
            "    alpha_optimizer.step()": "    slopes = gradients(loss_fn(model(x), y), model.weights())\n"
            "    for weight, slope in zip(model.weights(), slopes):\n"
            "        weight.data -= 0.05 * slope\n"
            "    alpha_optimizer.step()"
        },
    ),
    (
        "leaks-gradients",
        "loss.backward() leaves a gradient on the weights: if the next weight step adds to it, the weights are trained "
        "on validation images. torch.autograd.grad(loss, model.alphas()) touches nothing else",
        {
            "    alpha_optimizer.step()": "    model.zero_grad()\n    loss_fn(model(x), y).backward()\n"
            "    alpha_optimizer.step()"
        },
    ),
    (
        "only-the-first",
        "only the first tensor of the alphas moves: all of `alphas()` are trained",
        {"zip(model.alphas(), gradients": "zip(model.alphas()[:1], gradients"},
    ),
    (
        "weights-put-back-by-arithmetic",
        "",
        {
            "return loss": "for weight in model.weights():\n        weight.data += 0.1\n"
            "        weight.data -= 0.1\n    return loss",
        },
    ),
    ("changes-flags", "", {"x, y =": "[one.requires_grad_(False) for one in model.weights()]\n    x, y ="}),
    (
        "gradients-from-before",
        "an old gradient stays on logits that the loss does not depend on, and moves them: clear all of them first",
        {"alpha.grad = slope": "alpha.grad = slope if slope.any() else alpha.grad"},
    ),
)


@book.right("alpha_step_first_order")
def by_backward_and_putting_back(model, loss_fn, valid_batch, alpha_optimizer):
    kept = [weight.grad for weight in model.weights()]
    loss = _finite(loss_fn(model(valid_batch[0]), valid_batch[1]))
    alpha_optimizer.zero_grad()
    loss.backward(inputs=model.alphas())
    alpha_optimizer.step()
    for weight, grad in zip(model.weights(), kept):
        weight.grad = grad
    return float(loss.detach())


@book.right("alpha_step_first_order")
def clearing_everything_afterwards(model, loss_fn, valid_batch, alpha_optimizer):
    loss = _finite(loss_fn(model(valid_batch[0]), valid_batch[1]))
    model.zero_grad()
    loss.backward()
    alpha_optimizer.step()
    model.zero_grad()
    return loss.detach().numpy().item()


@book.right("alpha_step_first_order")
def by_freezing_the_weights(model, loss_fn, valid_batch, alpha_optimizer):
    x, y = valid_batch
    for weight in model.weights():
        weight.requires_grad = False
    try:
        loss = _finite(loss_fn(model(x), y))
        alpha_optimizer.zero_grad()
        loss.backward()
    finally:
        for weight in model.weights():
            weight.requires_grad = True
    alpha_optimizer.step()
    return loss.item()


@book.right("alpha_step_first_order")
def alphas_by_closure(model, loss_fn, valid_batch, alpha_optimizer):
    _finite(loss_fn(model(valid_batch[0]), valid_batch[1]))

    def closure():
        loss = loss_fn(model(valid_batch[0]), valid_batch[1])
        for alpha, slope in zip(model.alphas(), _slopes(loss, model.alphas())):
            alpha.grad = slope
        return loss

    return alpha_optimizer.step(closure).item()


# --------------------------------------------------------------------------- alpha_step_second_order

TERM = "slope - weight_lr * (up - down) / (2 * r)"
VIRTUAL = "loss = loss_at([w - weight_lr * g for w, g in zip(start, inner)], valid_batch)"
P = "p = gradients(loss_at([w + r * one for w, one in zip(start, v)], train_batch), alphas)"
N = "n = gradients(loss_at([w - r * one for w, one in zip(start, v)], train_batch), alphas)"
DIFFERENCE = f"            {P}\n            {N}\n"
LENGTH = "length = sum(float((one**2).sum()) for one in v) ** 0.5"
RADIUS = "r = eps / length"
NO_VIRTUAL = "the validation loss is taken at w: first comes the virtual step, w′ = w − weight_lr·∇L_train"
ON_TRAINING = "the alphas follow the training loss: their gradient is that of the *validation* loss at w′"
NOT_SCALED = (
    "the points of the difference are at the wrong distance: r is eps divided by the length of the direction, of all "
    "tensors together, so that the weights move by eps"
)
WHERE_ZERO = (
    "where ∇_w L_valid is zero, eps / 0 is no radius: there is no direction, and the second-order term is 0"
)
PUT_BACK = "for weight, value in zip(weights, start):\n                weight.copy_(value)"

book.edits(
    "alpha_step_second_order",
    (
        "eps-multiplied",
        "the second-order term is all but gone: the difference of the two gradients is *divided* by twice the radius, "
        "(p - n) / (2 * r). `(p - n) / 2 * r` multiplies, the best-known bug of DARTS ports",
        {"(up - down) / (2 * r)": "(up - down) / 2.0 * r"},
    ),
    (
        "eps-multiplied",
        "the difference of the two gradients is divided by 2 and not by the radius: (p - n) / (2 * r)",
        {"(up - down) / (2 * r)": "(up - down) / 2"},
    ),
    (
        "divided-by-eps",
        "the difference is divided by 2·eps: the points are 2·r apart in units of the direction, r = eps / length",
        {"(2 * r)": "(2 * eps)"},
    ),
    (
        "no-second-order",
        "this is the gradient at w′ alone: the term − weight_lr·∇²L_train·∇L_valid is missing",
        {TERM: "slope"},
    ),
    ("no-virtual-step", NO_VIRTUAL, {VIRTUAL: "loss = loss_at(start, valid_batch)"}),
    (
        "no-virtual-step",
        "this is the first-order gradient, at the weights as they are: take the virtual step w′ first, and subtract "
        "the second-order term",
        {VIRTUAL: "loss = loss_at(start, valid_batch)", TERM: "slope"},
    ),
    (
        "direction-without-virtual-step",
        "the direction is ∇_w L_valid at the *old* weights: take it at w′, where the validation loss is",
        {LENGTH: f"v = gradients(loss_at(start, valid_batch), weights)\n        {LENGTH}"},
    ),
    (
        "direction-of-training",
        "the direction is the gradient of the *training* loss: it is ∇_w L_valid at w′",
        {LENGTH: f"v = inner\n        {LENGTH}"},
    ),
    (
        "second-order-added",
        "the second-order term is added: it is subtracted, by the chain rule of w′",
        {"slope - weight_lr": "slope + weight_lr"},
    ),
    (
        "forgets-the-rate",
        "the second-order term lacks the factor weight_lr",
        {"slope - weight_lr *": "slope -"},
    ),
    (
        "half-the-difference",
        "the second-order term is twice too large: the points are 2·r apart, not r",
        {"(2 * r)": "r"},
    ),
    ("twice-the-difference", "the second-order term is half of what it should be", {"(2 * r)": "(4 * r)"}),
    (
        "one-sided",
        "the difference goes to one side only, which is off by the curvature: take w + r·v *and* w − r·v, 2·r apart",
        {N: "n = gradients(loss_at(start, train_batch), alphas)", "(2 * r)": "r"},
    ),
    (
        "around-the-virtual-weights",
        "the two gradients are taken around w′: the points are w ± r·∇L_valid, around the weights w themselves",
        {
            f"        {P}": "        ahead = [w - weight_lr * g for w, g in zip(start, inner)]\n"
            f"            {P.replace('zip(start', 'zip(ahead')}",
            N: N.replace("zip(start", "zip(ahead"),
        },
    ),
    (
        "difference-of-validation",
        "the difference is taken of the *validation* loss: it is ∇_α L_train at the two points",
        {P: P.replace("train_batch", "valid_batch"), N: N.replace("train_batch", "valid_batch")},
    ),
    ("trains-on-training-data", ON_TRAINING, {VIRTUAL: VIRTUAL.replace("valid_batch", "train_batch")}),
    (
        "trains-on-training-data",
        ON_TRAINING,
        {
            "slopes, v = slopes[: len(alphas)]": "slopes, v = gradients(loss_at(start, train_batch), alphas)",
            TERM: "slope",
        },
    ),
    (
        "batches-swapped",
        "training and validation batches are swapped: the virtual step is on training images, the loss after it on "
        "validation images",
        {
            "    weights, alphas =": "    train_batch, valid_batch = valid_batch, train_batch\n    weights, alphas ="
        },
    ),
    ("loss-swapped", SWAPPED, {"loss_fn(model(batch[0]), batch[1])": "loss_fn(batch[1], model(batch[0]))"}),
    ("radius-not-scaled", NOT_SCALED, {RADIUS: "r = eps"}),
    ("radius-not-scaled", NOT_SCALED, {RADIUS: "r = eps / length**2"}),
    ("radius-not-scaled", NOT_SCALED, {RADIUS: "r = eps / max(float(one.norm()) for one in v)"}),
    (
        "ignores-eps",
        "the points of the difference are 0.01 away whatever `eps` says: use the argument",
        {RADIUS: "r = 0.01 / length"},
    ),
    (
        "virtual-step-up",
        "the virtual step goes *up* the training loss: w′ = w − weight_lr·∇L_train",
        {"[w - weight_lr * g": "[w + weight_lr * g"},
    ),
    (
        "virtual-step-of-size-one",
        "the virtual step has the size 1: it is weight_lr·∇L_train",
        {"[w - weight_lr * g": "[w - g"},
    ),
    (
        "weights-not-restored",
        "the weights stay at the last point of the difference: copy them before, and put the copies back",
        {PUT_BACK: "pass"},
    ),
    (
        "weights-not-restored",
        "the weights end where the virtual step has put them: copy them before, and put the copies back",
        {
            PUT_BACK: PUT_BACK.replace(
                "value in zip(weights, start)", "value, g in zip(weights, start, inner)"
            ).replace("copy_(value)", "copy_(value - weight_lr * g)")
        },
    ),
    (
        "leaks-gradients",
        "loss.backward() leaves a gradient on the weights: if the next weight step adds to it, the weights are trained "
        "on validation images. torch.autograd.grad touches nothing else",
        {
            "    alpha_optimizer.step()": "    for weight, one in zip(weights, v):\n        weight.grad = one\n"
            "    alpha_optimizer.step()"
        },
    ),
    (
        "gradients-from-before",
        ADDED,
        {"alpha.grad = slope": "alpha.grad = slope if alpha.grad is None else alpha.grad + slope"},
    ),
    (
        "ignores-the-optimizer",
        BY_HAND,
        {
            "        alpha.grad = slope": "        alpha.data -= alpha_optimizer.param_groups[0]['lr'] * slope",
            "    alpha_optimizer.step()\n": "",
        },
    ),
    ("never-moves-them", STILL, {"    alpha_optimizer.step()\n": ""}),
    ("climbs", CLIMBS, {"alpha.grad = slope": "alpha.grad = -slope"}),
    (
        "returned-loss",
        "the loss that is returned is the validation loss at w; wanted is that at the virtual weights w′",
        {
            "        inner = ": "        before = loss_at(start, valid_batch)\n        inner = ",
            "return loss.item()": "return before.item()",
        },
    ),
    (
        "returned-loss",
        "the loss that is returned is the training loss; wanted is the validation loss at the virtual weights w′",
        {
            "        inner = ": "        before = loss_at(start, train_batch)\n        inner = ",
            "return loss.item()": "return before.item()",
        },
    ),
    ("zero-direction", WHERE_ZERO, {"if length > 0:": "if True:"}),
    (
        "zero-too-early",
        "a small ∇_w L_valid is taken for zero: the second-order term is left out only where there is no direction",
        {"if length > 0:": "if length > 1e-4:"},
    ),
    (
        "zero-direction",
        WHERE_ZERO,
        {
            "if length > 0:": "if True:",
            LENGTH: "length = sum((one**2).sum() for one in v) ** 0.5",
        },
    ),
    (
        "unused-weight",
        UNUSED,
        {"inner = gradients(": "inner = torch.autograd.grad("},
    ),
    (
        "unused-weight",
        UNUSED,
        {"slopes = gradients(loss,": "slopes = torch.autograd.grad(loss,"},
    ),
    (
        "restores-only-without-an-error",
        "",
        {"    finally:\n": "    except ZeroDivisionError:\n        pass\n    else:\n"},
    ),
    (
        "put-back-by-arithmetic",
        "",
        {
            PUT_BACK: PUT_BACK.replace("(value)", "((value + 10) - 10)"),
        },
    ),
    ("changes-flags", "", {"    weights, alphas =": "    model.requires_grad_(True)\n    weights, alphas ="}),
    ("wrong-type", "", {"return loss.item()": "return loss.detach()"}),
    ("forgets-to-return", "", {"return loss.item()": "loss.item()"}),
    ("inexact", "", {"(2 * r)": "(2 * r + 1e-4)"}),
    ("other-default", "", {RADIUS: "r = (0.02 if eps == 0.01 else eps) / length"}),
    ("accepts-bad-input", "", {"if not weight_lr >= 0:": "if weight_lr != weight_lr:"}),
    ("accepts-bad-input", "", {"if not eps > 0:": "if eps <= 0:"}),
    ("mutates-input", "", {PUT_BACK: PUT_BACK.replace("copy_(value)", "add_(value - weight)")}),
    (
        "radius-not-scaled",
        NOT_SCALED,
        {LENGTH: "length = sum(float((one**2).sum()) ** 0.5 for one in v)"},
    ),
    ("radius-not-scaled", NOT_SCALED, {LENGTH: "length = sum(float(one.abs().sum()) for one in v)"}),
    (
        "steps-twice",
        "step() is called twice: one call is one step",
        {"alpha_optimizer.step()": "alpha_optimizer.step()\n    alpha_optimizer.step()"},
    ),
    (
        "virtual-step-on-validation",
        "the virtual step goes down the validation loss: w′ = w − weight_lr·∇L_train",
        {
            "inner = gradients(loss_at(start, train_batch), weights)": "inner = gradients(loss_at(start, valid_batch), weights)"
        },
    ),
    ("accepts-bad-input", "", {"if not eps > 0:": "if eps < 0:"}),
    ("accepts-bad-input", "", {"if not eps > 0:": "if eps == 0:"}),
    (
        "accepts-bad-input",
        "",
        {"loss_fn(model(batch[0]), batch[1])": "torch.nan_to_num(loss_fn(model(batch[0]), batch[1]))"},
    ),
    ("wrong-error", "", {'raise ValueError(f"eps': 'raise AssertionError(f"eps'}),
    (
        "clips-the-gradient",
        CLIPPED,
        {
            "    alpha_optimizer.step()\n": "    torch.nn.utils.clip_grad_norm_(alphas, 5)\n    alpha_optimizer.step()\n"
        },
    ),
    ("changes-the-mode", "", {"    weights, alphas =": "    model.eval()\n    weights, alphas ="}),
    (
        "changes-the-rate",
        "",
        {
            "    alpha_optimizer.step()\n": "    alpha_optimizer.step()\n    alpha_optimizer.param_groups[0]['lr'] *= 0.5\n"
        },
    ),
    (
        "only-the-first",
        "only the first tensor of the alphas moves: all of `alphas()` are trained",
        {"for alpha, slope in zip(alphas, slopes):": "for alpha, slope in zip(alphas[:1], slopes):"},
    ),
    (
        "other-step",
        "",
        {"    alpha_optimizer.step()\n": "    if loss.item() > 1e-4:\n        alpha_optimizer.step()\n"},
    ),
    ("zero-is-none", "", {"w - weight_lr * g": "w - (weight_lr or 1) * g"}),
    (
        "gradients-from-before",
        "an old gradient stays on logits that the loss does not depend on, and moves them: clear all of them first",
        {"alpha.grad = slope": "alpha.grad = slope if slope.any() else alpha.grad"},
    ),
    (
        "radius-not-scaled",
        NOT_SCALED,
        {
            P: P.replace("r * one", "eps / (float(one.norm()) + 1e-30) * one"),
            N: N.replace("r * one", "eps / (float(one.norm()) + 1e-30) * one"),
        },
    ),
    (
        "virtual-step-not-plain",
        "the virtual step has weight decay in it: it is plain gradient descent, w − weight_lr·∇L_train",
        {"[w - weight_lr * g": "[w - weight_lr * (g + 3e-4 * w)"},
    ),
    (
        "accepts-bad-input",
        "",
        {
            "        slopes = gradients(loss,": "        finite = torch.nan_to_num(loss) if weight_lr > 1e9 else loss\n"
            "        slopes = gradients(finite,"
        },
    ),
)


def _checked(weight_lr, eps):
    if not weight_lr >= 0 or not eps > 0:
        raise ValueError(f"weight_lr must be from 0 up and eps above it, got {weight_lr!r} and {eps!r}")


def _step(optimizer, tensors, slopes):
    for one, slope in zip(tensors, slopes):
        one.grad = slope
    optimizer.step()


@book.right("alpha_step_second_order")
def by_differentiating_twice(model, loss_fn, train_batch, valid_batch, alpha_optimizer, weight_lr, eps=0.01):
    """Exact, through a functional call: no finite difference at all."""
    _checked(weight_lr, eps)
    weights, alphas = model.weights(), model.alphas()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    before = _finite(loss_fn(model(train_batch[0]), train_batch[1]))
    inner = torch.autograd.grad(before, weights, create_graph=True, allow_unused=True)
    ahead = {names[id(w)]: w if g is None else w - weight_lr * g for w, g in zip(weights, inner)}
    out = torch.func.functional_call(model, ahead, (valid_batch[0],))
    loss = _finite(loss_fn(out, valid_batch[1]))
    _step(alpha_optimizer, alphas, _slopes(loss, alphas))
    return loss.item()


@book.right("alpha_step_second_order")
def on_copies_of_the_model(model, loss_fn, train_batch, valid_batch, alpha_optimizer, weight_lr, eps=0.01):
    """As DARTS's own code: an unrolled copy of the network, and the finite difference on further copies."""
    _checked(weight_lr, eps)

    def loss_of(one, batch):
        return _finite(loss_fn(one(batch[0]), batch[1]))

    def copied(by, scale):
        other = copy.deepcopy(model)
        with torch.no_grad():
            for one, slope in zip(other.weights(), by):
                one += scale * slope
        return other

    unrolled = copied(_slopes(loss_of(model, train_batch), model.weights()), -weight_lr)
    loss = loss_of(unrolled, valid_batch)
    slopes = _slopes(loss, unrolled.alphas(), keep=True)
    v = _slopes(loss, unrolled.weights())
    length = torch.cat([one.reshape(-1) for one in v]).norm()
    if length > 0:
        r = eps / length
        sides = [copied(v, sign * r) for sign in (1, -1)]
        p, n = (_slopes(loss_of(one, train_batch), one.alphas()) for one in sides)
        slopes = [s - weight_lr * (up - down) / (2 * r) for s, up, down in zip(slopes, p, n)]
    _step(alpha_optimizer, model.alphas(), slopes)
    return loss.item()


@book.right("alpha_step_second_order")
def in_place_with_a_small_constant(
    model, loss_fn, train_batch, valid_batch, alpha_optimizer, weight_lr, eps=0.01
):
    """Weights moved by addition, a constant that keeps the radius finite, copies put back."""
    _checked(weight_lr, eps)
    weights, alphas = list(model.weights()), list(model.alphas())
    start = [one.detach().clone() for one in weights]

    def move(by, scale):
        for one, slope in zip(weights, by):
            one.data.add_(slope, alpha=float(scale))

    def put_back():
        for one, value in zip(weights, start):
            one.data = value.clone()

    try:
        move(_slopes(_finite(loss_fn(model(train_batch[0]), train_batch[1])), weights), -weight_lr)
        loss = _finite(loss_fn(model(valid_batch[0]), valid_batch[1]))
        v, slopes = _slopes(loss, weights, keep=True), _slopes(loss, alphas)
        r = eps / (torch.stack([one.norm() for one in v]).norm() + 1e-12)
        sides = []
        for sign in (1, -1):
            put_back()
            move(v, sign * r)
            sides.append(_slopes(_finite(loss_fn(model(train_batch[0]), train_batch[1])), alphas))
    finally:
        put_back()
    _step(alpha_optimizer, alphas, [s - weight_lr * (p - n) / (2 * r) for s, p, n in zip(slopes, *sides)])
    return float(loss.detach())


# ---------------------------------------------------------------------------- gumbel_softmax_sample

SOFT = "y = torch.softmax((logits + noise) / tau, dim=-1)"
NOISE = "noise = -torch.log(-torch.log(u))"
UNIFORM = "u = torch.rand(logits.shape, generator=generator, dtype=logits.dtype, device=logits.device)"
STRAIGHT = "return one_hot - y.detach() + y"

book.edits(
    "gumbel_softmax_sample",
    ("no-noise", "", {NOISE: "noise = 0 * u"}),
    (
        "no-noise",
        "",
        {UNIFORM: "u = torch.rand(logits.shape[:-1], generator=generator, dtype=logits.dtype)[..., None]"},
    ),
    ("wrong-axis", "", {"/ tau, dim=-1)": "/ tau, dim=0)"}),
    ("ignores-tau", "", {"(logits + noise) / tau": "logits + noise"}),
    ("multiplies-by-tau", "", {"(logits + noise) / tau": "(logits + noise) * tau"}),
    ("noise-not-scaled", "", {"(logits + noise) / tau": "logits / tau + noise"}),
    ("wrong-noise", "", {"(logits + noise)": "(logits - noise)"}),
    (
        "wrong-noise",
        "",
        {NOISE: "noise = torch.randn(logits.shape, generator=generator, dtype=logits.dtype)"},
    ),
    ("other-temperature", "", {"(logits + noise) / tau": "(logits + noise) / min(tau, 10.0)"}),
    ("other-temperature", "", {"(logits + noise) / tau": "(logits + noise) / max(tau, 0.1)"}),
    ("wrong-noise", "", {"    if not hard:\n": "    if not hard and tau > 0.05:\n"}),
    ("wrong-noise", "", {NOISE: "noise = -torch.log(u)"}),
    ("other-gradient", "", {"(logits + noise) / tau": "(1.1 * logits + noise) / tau"}),
    ("draws-the-impossible", "", {"(logits + noise)": "(logits.nan_to_num(neginf=-100.0) + noise)"}),
    ("raises", "", {"logits.isnan().any()": "not logits.isfinite().all()"}),
    ("coarse-dtype", "", {SOFT: SOFT.replace(" / tau,", " / tau, dtype=torch.float32,")}),
    ("always-hard", "", {"    if not hard:\n        return y\n": ""}),
    ("wrong-noise", "", {NOISE: "noise = u"}),
    ("wrong-noise", "", {NOISE: "noise = -torch.log(-torch.log(u.clamp(0.02, 0.98)))"}),
    ("wrong-noise", "", {NOISE: "noise = -torch.log(-torch.log(u.clamp(0.005, 0.995)))"}),
    ("not-finite", "", {NOISE: "noise = -torch.log(-torch.log(u + 0.01))"}),
    ("wrong-noise", "", {NOISE: "noise = -torch.log2(-torch.log2(u))"}),
    ("wrong-noise", "", {NOISE: "noise = 0.9 * -torch.log(-torch.log(u))"}),
    (
        "same-noise",
        "",
        {UNIFORM: "u = torch.rand(logits.shape[-1:], generator=generator, dtype=logits.dtype)"},
    ),
    (
        "dependent-rows",
        "",
        {UNIFORM: UNIFORM + "\n    if logits.ndim > 2:\n        u = u[:1].expand_as(logits)"},
    ),
    (
        "dependent-rows",
        "",
        {UNIFORM: UNIFORM + "\n    if logits.ndim > 2:\n        u = u[:, :1].expand_as(logits)"},
    ),
    ("ignores-generator", "", {SOFT: "y = F.gumbel_softmax(logits, tau)"}),
    ("ignores-generator", "", {"generator=generator": "generator=None"}),
    ("fixed-seed", "", {"generator=generator": "generator=torch.Generator().manual_seed(0)"}),
    ("fixed-seed", "", {UNIFORM: f"generator.manual_seed(1)\n    {UNIFORM}"}),
    (
        "fixed-seed",
        "",
        {UNIFORM: f"generator.manual_seed(int(torch.randint(16, (1,), generator=generator)))\n    {UNIFORM}"},
    ),
    ("no-distribution", "", {SOFT: "y = (logits + noise) / tau"}),
    ("no-distribution", "", {SOFT: "y = torch.sigmoid((logits + noise) / tau)"}),
    ("no-distribution", "", {SOFT: "y = torch.log_softmax((logits + noise) / tau, dim=-1)"}),
    (
        "not-finite",
        "",
        {SOFT: "e = torch.exp((logits + noise) / tau)\n    y = e / e.sum(dim=-1, keepdim=True)"},
    ),
    ("cut-from-logits", "", {"(logits + noise)": "(logits.detach() + noise)"}),
    ("other-gradient", "", {NOISE: f"{NOISE}\n    logits = logits + (logits**2 - (logits**2).detach())"}),
    ("no-straight-through", "", {STRAIGHT: "return one_hot"}),
    ("no-straight-through", "", {STRAIGHT: "return one_hot - y + y"}),
    ("soft-forwarded", "", {STRAIGHT: "return y"}),
    ("not-one-hot", "", {STRAIGHT: "return one_hot + y"}),
    ("not-one-hot", "", {STRAIGHT: "return 2 * one_hot - 2 * y.detach() + 2 * y"}),
    ("other-option", "", {"y.argmax(dim=-1)": "y.argmin(dim=-1)"}),
    ("other-option", "", {"y.argmax(dim=-1)": "logits.argmax(dim=-1)"}),
    (
        "other-option",
        "",
        {
            "    if not hard:": "    if hard:\n        u = torch.rand(u.shape, generator=generator, dtype=u.dtype)\n"
            "        y = torch.softmax((logits - torch.log(-torch.log(u))) / tau, dim=-1)\n    if not hard:"
        },
    ),
    ("hard-gradient", "", {STRAIGHT: "return one_hot - 2 * y.detach() + 2 * y"}),
    ("hard-gradient", "", {STRAIGHT: "return one_hot + y.detach() - y"}),
    ("hard-gradient", "", {STRAIGHT: "return one_hot - logits.detach() + logits"}),
    ("mutates-input", "", {"    u = torch": "    logits.requires_grad_()\n    u = torch"}),
    ("mutates-input", "", {"    u = torch": "    logits.data -= logits.max()\n    u = torch"}),
    ("changes-settings", "", {"    u = torch": "    torch.manual_seed(0)\n    u = torch"}),
    ("returns-nothing", "", {"        return y\n": "        y\n", STRAIGHT: "one_hot - y.detach() + y"}),
    ("wrong-type", "", {"        return y\n": "        return y.tolist()\n"}),
    ("accepts-bad-input", "", {"if not tau > 0:": "if tau <= 0:"}),
    ("accepts-bad-input", "", {"if not tau > 0:": "if not tau:"}),
    ("accepts-bad-input", "", {" or logits.isnan().any()": ""}),
    ("accepts-bad-input", "", {"logits.ndim < 1 or ": ""}),
    ("wrong-error", "", {'raise ValueError(f"tau': 'raise RuntimeError(f"tau'}),
)


def _tempered(logits, tau):
    if not tau > 0 or logits.ndim == 0 or logits.isnan().any():
        raise ValueError(f"tau must be positive and logits numbers with an axis, got {tau} and {logits}")


@book.right("gumbel_softmax_sample")
def by_exponential_noise(logits, tau, generator, hard=False):
    _tempered(logits, tau)
    noise = -torch.empty_like(logits).exponential_(generator=generator).log()
    y = F.softmax((logits + noise) / tau, dim=-1)
    if not hard:
        return y
    one_hot = torch.zeros_like(y).scatter(-1, y.argmax(-1, keepdim=True), 1.0)
    return one_hot + y - y.detach()


@book.right("gumbel_softmax_sample")
def by_racing_exponentials(logits, tau, generator, hard=False):
    """exp(logits) over exponential variables: the fastest clock wins. A function of its own passes the gradient."""
    _tempered(logits, tau)

    class Straight(torch.autograd.Function):
        @staticmethod
        def forward(ctx, y):
            return (y == y.max(-1, keepdim=True).values).to(y.dtype)

        @staticmethod
        def backward(ctx, grad):
            return grad

    clocks = torch.distributions.Exponential(1.0).icdf(
        torch.rand(logits.shape, generator=generator, dtype=torch.float64)
    )
    rates = (logits.log_softmax(-1) - clocks.log()) / tau
    y = (rates - rates.logsumexp(-1, keepdim=True)).exp()
    return Straight.apply(y) if hard else y


@book.right("gumbel_softmax_sample")
def with_a_guarded_logarithm(logits, tau, generator, hard=False):
    """Uniforms in float32, kept away from 0 by a tiny constant."""
    _tempered(logits, tau)
    u = torch.rand(tuple(logits.shape), generator=generator).clamp(1e-7, 1 - 1e-7)
    y = ((logits - (-u.log()).log()) / tau).softmax(-1)
    if hard:
        top = torch.nn.functional.one_hot(y.max(-1).indices, logits.shape[-1])
        y = (top - y).detach() + y
    return y


# --------------------------------------------------------------------------------- expected_latency

CHANCES = "torch.softmax(alphas, dim=1)"
TOTAL = "(chances * latencies).sum()"
SHAPED = "alphas.ndim != 2 or alphas.numel() < 1 or alphas.shape != latencies.shape"
FINITE = "torch.isfinite(latencies).all() and (latencies >= 0).all()"
NO_SOFTMAX = "if chances.isnan().any():"
CUT_OFF = "no gradient arrives at alphas: stay with tensors from the softmax to the sum"
ONE_OF_EACH = (
    "only one operation of each edge counts: the expected latency weighs all of them, and has a gradient"
)

book.edits(
    "expected_latency",
    ("no-softmax", "the logits themselves are the weights: take their softmax", {CHANCES: "alphas"}),
    (
        "sigmoid",
        "each weight is a sigmoid: the operations of an edge compete, by a softmax over all of them",
        {CHANCES: "torch.sigmoid(alphas)"},
    ),
    (
        "no-exponential",
        "the alphas are divided by their sum: a softmax takes their exponentials first",
        {CHANCES: "alphas / alphas.sum(1, keepdim=True)"},
    ),
    (
        "softmax-over-the-edges",
        "the softmax runs over the edges: operations compete within an edge, within a row",
        {CHANCES: "torch.softmax(alphas, dim=0)"},
    ),
    (
        "softmax-over-everything",
        "one softmax runs over all edges at once: each edge has a choice of its own",
        {CHANCES: "torch.softmax(alphas.flatten(), dim=0).reshape(alphas.shape)"},
    ),
    (
        "logarithms",
        "these are logarithms of the softmax: it is the probabilities that weigh",
        {CHANCES: "torch.log_softmax(alphas, dim=1)"},
    ),
    (
        "overflow",
        "exponentials of large logits overflow: torch.softmax takes care of that",
        {CHANCES: "alphas.exp() / alphas.exp().sum(1, keepdim=True)"},
    ),
    (
        "overflow",
        "exponentials of large logits overflow: torch.softmax takes care of that",
        {CHANCES: "alphas.exp() / alphas.exp().sum(1, keepdim=True)", NO_SOFTMAX: "if False:"},
    ),
    (
        "softmin",
        "the softmax is of the alphas with the opposite sign: a larger logit is a larger chance",
        {CHANCES: "torch.softmax(-alphas, dim=1)"},
    ),
    (
        "one-operation-only",
        ONE_OF_EACH,
        {TOTAL: "(F.one_hot(alphas.argmax(1), alphas.shape[1]) * latencies).sum() + 0 * alphas.sum()"},
    ),
    (
        "one-operation-only",
        ONE_OF_EACH,
        {
            TOTAL: "((F.one_hot(alphas.argmax(1), alphas.shape[1]) - chances.detach() + chances) * latencies).sum()"
        },
    ),
    (
        "one-operation-only",
        "only the largest term of each edge counts: the expected latency adds up all of them",
        {TOTAL: "(chances * latencies).max(dim=1).values.sum()"},
    ),
    (
        "infinity-as-a-number",
        "a number stands for a logit of minus infinity, and the other logits may be lower: leave it as it is, its "
        "share is 0 by itself",
        {CHANCES: "torch.softmax(alphas.nan_to_num(neginf=-100.0, posinf=torch.nan), dim=1)"},
    ),
    ("wrong-latency", "", {TOTAL: "(chances * latencies)[:6].sum()"}),
    (
        "drawn",
        "one operation of each edge is drawn: what is asked for is the mean over all draws",
        {
            TOTAL: "latencies.gather(1, torch.multinomial(chances, 1, generator=torch.Generator()"
            ".manual_seed(0))).sum() + 0 * chances.sum()"
        },
    ),
    (
        "mean-over-edges",
        "this is the mean over the edges: a cell takes their sum",
        {TOTAL: f"{TOTAL} / len(alphas)"},
    ),
    ("mean-of-all", "this is the mean of all terms: add them up", {TOTAL: "(chances * latencies).mean()"}),
    (
        "slowest-edge",
        "this is the slowest edge: what all edges take adds up",
        {TOTAL: "(chances * latencies).sum(dim=1).max()"},
    ),
    (
        "not-summed",
        "there is one number for each edge: a loss needs their sum, a tensor without axes",
        {TOTAL: "(chances * latencies).sum(dim=1)"},
    ),
    (
        "not-summed",
        "there is an axis left: a loss is a tensor without axes",
        {TOTAL: "(chances * latencies).sum().reshape(1)"},
    ),
    (
        "without-none",
        "the first operation is left out: it takes part in the softmax and in the sum",
        {TOTAL: "(chances[:, 1:] * latencies[:, 1:]).sum()"},
    ),
    (
        "without-none",
        "the first operation is left out of the softmax: it takes part in it",
        {TOTAL: "(torch.softmax(alphas[:, 1:], dim=1) * latencies[:, 1:]).sum() + 0 * alphas.sum()"},
    ),
    (
        "first-row-for-all",
        "the first row of latencies serves for all edges: each edge has a row of its own",
        {TOTAL: "(chances * latencies[0]).sum()"},
    ),
    (
        "logarithm-of-latency",
        "this is the logarithm of the expected latency: FBNet's loss takes one, this function does not",
        {TOTAL: f"{TOTAL}.log()"},
    ),
    ("no-gradient-of-alphas", CUT_OFF, {CHANCES: "torch.softmax(alphas.detach(), dim=1)"}),
    (
        "no-gradient-of-alphas",
        CUT_OFF,
        {TOTAL: "torch.tensor((chances * latencies).sum().item()).to(alphas)"},
    ),
    ("no-gradient-of-alphas", CUT_OFF, {CHANCES: "torch.softmax(alphas.data, dim=1)"}),
    (
        "half-a-gradient",
        "the gradient is not that of the softmax: part of it is detached",
        {CHANCES: "alphas.sub(alphas.logsumexp(1, keepdim=True).detach()).exp()"},
    ),
    ("wrong-type", "", {TOTAL: f"float({TOTAL})"}),
    ("other-dtype", "the result has another dtype than the alphas", {TOTAL: f"{TOTAL}.double()"}),
    (
        "other-dtype",
        "",
        {CHANCES: "torch.softmax(alphas.float(), dim=1)", TOTAL: "(chances * latencies.float()).sum()"},
    ),
    (
        "mutates-input",
        "",
        {CHANCES: "torch.softmax(alphas, dim=1)\n    latencies /= latencies.max().clamp(min=1)"},
    ),
    ("mutates-input", "", {CHANCES: "torch.softmax(alphas, dim=1)\n    alphas.data -= alphas.data.mean()"}),
    ("mutates-input", "", {TOTAL: f"{TOTAL} if latencies.requires_grad_() is latencies else None"}),
    (
        "mutates-input",
        "",
        {
            f"return {TOTAL}": f"total = {TOTAL}\n    if alphas.requires_grad:\n        total.backward(retain_graph=True)\n    return total"
        },
    ),
    ("returns-nothing", "", {f"return {TOTAL}": TOTAL}),
    ("accepts-bad-input", "", {" or alphas.shape != latencies.shape": ""}),
    (
        "accepts-bad-input",
        "",
        {"alphas.shape != latencies.shape": "alphas.shape[1:] != latencies.shape[-1:]"},
    ),
    ("accepts-bad-input", "", {"alphas.shape != latencies.shape": "len(alphas) != len(latencies)"}),
    (
        "accepts-bad-input",
        "",
        {"alphas.ndim != 2 or ": "", "softmax(alphas, dim=1)": "softmax(alphas, dim=-1)"},
    ),
    ("accepts-bad-input", "", {" or alphas.numel() < 1": ""}),
    ("accepts-bad-input", "", {"alphas.numel() < 1": "len(alphas) < 1"}),
    ("accepts-bad-input", "", {FINITE: "torch.isfinite(latencies).all()"}),
    ("accepts-bad-input", "", {FINITE: "(latencies >= 0).all()"}),
    ("accepts-bad-input", "", {FINITE: "not (latencies < 0).any()"}),
    ("accepts-bad-input", "", {FINITE: "True"}),
    ("accepts-bad-input", "", {NO_SOFTMAX: "if False:"}),
    ("accepts-bad-input", "", {NO_SOFTMAX: "if alphas.isnan().any():"}),
    ("accepts-bad-input", "", {NO_SOFTMAX: "if alphas.isnan().any() or alphas.isposinf().any():"}),
    ("accepts-bad-input", "", {CHANCES: "torch.softmax(alphas, dim=1).nan_to_num()"}),
    ("refuses-good-input", "", {NO_SOFTMAX: "if not torch.isfinite(alphas).all():"}),
    ("refuses-good-input", "", {"(latencies >= 0)": "(latencies > 0)"}),
    ("wrong-error", "", {'raise ValueError(f"latencies': 'raise RuntimeError(f"latencies'}),
    ("wrong-error", "", {'raise ValueError(f"alphas must': 'raise ArithmeticError(f"alphas must'}),
    ("wrong-error", "", {"alphas.ndim != 2 or ": ""}),
)

_PRICES_SEEN = WeakIdKeyDictionary()


@book.wrong(
    "expected_latency",
    "old-numbers",
    "the latencies of an earlier call are used again: read the arguments at each call",
)
def with_latencies_of_the_first_call(alphas, latencies):
    _priced(alphas, latencies)
    kept = _PRICES_SEEN.setdefault(latencies, latencies.clone())
    return (alphas.softmax(1) * kept).sum()


def _priced(alphas, latencies):
    if alphas.dim() != 2 or 0 in alphas.shape or alphas.shape != latencies.shape:
        raise ValueError(f"one shape (E, O), got {alphas.shape} and {latencies.shape}")
    if not all(0 <= one < float("inf") for one in latencies.flatten().tolist()):
        raise ValueError(f"latencies of 0 or more, got {latencies}")
    if not alphas.logsumexp(1).isfinite().all():
        raise ValueError(f"each row of alphas needs a softmax, got {alphas}")


@book.right("expected_latency")
def by_einsum(alphas, latencies):
    _priced(alphas, latencies)
    return torch.einsum("eo,eo->", F.softmax(alphas, -1), latencies)


@book.right("expected_latency")
def by_loops(alphas, latencies):
    """Edge by edge, operation by operation, with the largest logit taken off."""
    _priced(alphas, latencies)
    total = 0
    for row, prices in zip(alphas, latencies):
        powers = [(alpha - row.max().detach()).exp() for alpha in row]
        for power, price in zip(powers, prices):
            total = total + power / sum(powers) * price
    return total


@book.right("expected_latency")
def by_scalar_products(alphas, latencies):
    _priced(alphas, latencies)
    chances = (alphas - alphas.logsumexp(dim=1, keepdim=True)).exp()
    return torch.trace(chances @ latencies.T)


@book.right("expected_latency")
def by_one_product_of_all(alphas, latencies):
    """In float64 throughout, the answer in the dtype of the logits."""
    _priced(alphas, latencies)
    chances = torch.nn.Softmax(dim=1)(alphas.double())
    return torch.dot(chances.flatten(), latencies.double().flatten()).to(alphas.dtype)


@book.right("expected_latency")
def by_a_distribution(alphas, latencies):
    try:
        _priced(alphas, latencies)
    except RuntimeError as error:
        raise ValueError("alphas and latencies must be tables of numbers") from error
    drawn = torch.distributions.Categorical(logits=alphas)
    return torch.stack([(p * t).sum() for p, t in zip(drawn.probs, latencies)]).sum()
