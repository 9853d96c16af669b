"""Wrong and right implementations of lesson 04's exercises."""

# Learners write no type hints, and some of these are wrong about types on purpose.
# mypy: ignore-errors

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from autograder.mutants._registry import alternative, mutant
from autograder.mutants.concepts import says
from nas_lib.ops import OPERATIONS
from nas_lib.spaces import EDGES, OPS, Cell

says(
    {
        "no-softmax": r"logits themselves are the weights",
        "sigmoid": r"is a sigmoid",
        "argmax": r"only the strongest operation",
        "ignores-alphas": r"all operations count alike",
        "softmax-of-outputs": r"softmax is taken of the",
        "no-exponential": r"divided by their sum",
        "not-normalised": r"is not divided by the sum",
        "not-summed": r"one entry per operation came back",
        "back-to-front": r"back to front",
        "wrong-mixture": r"the mixture begins with",
        "no-gradient-of-alphas": r"arrives at alphas is|gradient by alphas is not",
        "no-gradient-of-outputs": r"outputs do not get their gradient",
        "softmax-over-edges": r"softmax runs over the edges",
        "softmax-over-everything": r"over all 30 logits",
        "one-row-for-all": r"the first row of alphas",
        "reads-the-input": r"every edge reads the cell's input",
        "edge-order": r"in another order than EDGES|the last edge counts most|back to front",
        "mean-not-sum": r"(is|are) the mean",
        "last-edge-only": r"what the last edge delivers",
        "all-nodes": r"sum of the nodes 1, 2 and 3",
        "init-changed": r"self\.edges is gone",
        "changes-its-input": r"the input was changed",
        "wrong-cell": r"the output begins with",
        "none-chosen": r"`none` is chosen where",
        "none-always-excluded": r"a candidate like the others",
        "weakest": r"the weakest operations",
        "shifted": r"shifted by one",
        "masked-with-zero": r"masked with 0",
        "wrong-axis": r"largest logit of each \*column\*|softmax is over the",
        "prunes-edges": r"edges are dropped",
        "numbers-not-names": r"these are positions",
        "tensors-only": r"any sequence will do|nested lists will do",
        "wrong-operation": r"the choice is",
        "no-step": r"did not move",
        "ignores-the-optimizer": r"by a plain gradient step",
        "wrong-sign": r"go \*up\* the loss",
        "no-gradient": r"steps without a gradient|comes without a gradient",
        "old-gradients": r"gradients from before|earlier backward pass",
        "summed-twice": r"counts twice: is backward",
        "moves-both": r"step is for the weights alone",
        "unused-weight": r"stands for zeros",
        "wrong-loss": r"loss that is returned|gradients are right, the loss is not",
        "weights-not-restored": r"the weights end",
        "leaks-gradients": r"a gradient is left on the weights",
        "eps-multiplied": r"\*divided\* by twice the radius",
        "no-second-order": r"gradient at w′ alone",
        "no-virtual-step": r"first-order gradient|the validation loss is taken at w:",
        "direction-without-virtual-step": r"at the \*old\* weights",
        "second-order-added": r"term is added",
        "forgets-the-rate": r"lacks the factor weight_lr",
        "half-the-difference": r"twice too large",
        "around-the-virtual-weights": r"taken around w′",
        "difference-of-validation": r"taken of the \*validation\* loss",
        "trains-on-training-data": r"follow the training loss",
        "batches-swapped": r"batches are swapped",
        "radius-not-scaled": r"eps itself is the radius",
        "virtual-step-up": r"the virtual step goes \*up\*",
        "zero-direction": r"there is no direction",
        "no-noise": r"noise is missing",
        "ignores-generator": r"generators with the same seed give different samples",
        "fixed-seed": r"generators? (with different seeds )?gives? the same",
        "ignores-tau": r"temperature is not used",
        "multiplies-by-tau": r"tau multiplies",
        "noise-not-scaled": r"added after the division",
        "wrong-noise": r"Gumbel noise is −log",
        "same-noise": r"all rows are the same sample",
        "soft-forwarded": r"hard=True returns the soft sample",
        "other-option": r"picks another option",
        "no-straight-through": r"with hard=True no gradient",
        "hard-gradient": r"with hard=True the gradient is",
        "no-distribution": r"entries of a row add up to",
        "wrong-gradient": r"the gradient is \[.*\], not|the gradient says .* really changes by|was given .* as the gradient",
    }
)

# ----------------------------------------------------------------------------------------------- mixed_op


def _fits(outputs, alphas):
    if len(outputs) == 0 or alphas.shape != (len(outputs),) or any(one.shape != outputs[0].shape for one in outputs):
        raise ValueError(f"outputs and alphas must fit, got {len(outputs)} and {tuple(alphas.shape)}")


@alternative("mixed_op")
def by_stacking(outputs, alphas):
    _fits(outputs, alphas)
    return torch.einsum("k,k...->...", alphas.softmax(0), torch.stack(outputs))


@alternative("mixed_op")
def by_exponentials(outputs, alphas):
    _fits(outputs, alphas)
    e = torch.exp(alphas - alphas.max())
    total = torch.zeros_like(outputs[0])
    for weight, one in zip(e, outputs):
        total = total + weight * one
    return total / e.sum()


def _mix(name, concept, weights):
    def wrong(outputs, alphas):
        _fits(outputs, alphas)
        return sum(w * one for w, one in zip(weights(alphas), outputs))

    wrong.__name__ = name
    mutant("mixed_op", concept=concept)(wrong)


_mix("raw_logits", "no-softmax", lambda a: a)
_mix("sigmoids", "sigmoid", lambda a: a.sigmoid())
_mix("strongest_alone", "argmax", lambda a: F.one_hot(a.argmax(), len(a)) + 0 * a)
_mix("plain_mean", "ignores-alphas", lambda a: torch.full_like(a, 1 / len(a)))
_mix("divided_by_the_sum", "no-exponential", lambda a: a / a.sum())
_mix("mean_of_the_mixture", "mean-not-sum", lambda a: a.softmax(0) / len(a))
_mix("exponentials_alone", "not-normalised", lambda a: a.exp())
_mix("detached_weights", "no-gradient-of-alphas", lambda a: a.detach().softmax(0))
_mix("weights_as_floats", "no-gradient-of-alphas", lambda a: a.softmax(0).tolist())
_mix("reversed_weights", "back-to-front", lambda a: a.softmax(0).flip(0))
_mix("temperature", "wrong-mixture", lambda a: (a / 2).softmax(0))


@mutant("mixed_op", concept="softmax-of-outputs")
def softmax_of_the_products(outputs, alphas):
    _fits(outputs, alphas)
    return torch.softmax(torch.stack([a * one for a, one in zip(alphas, outputs)]), dim=0).sum(0)


@mutant("mixed_op", concept="not-summed")
def keeps_them_apart(outputs, alphas):
    _fits(outputs, alphas)
    return torch.stack([p * one for p, one in zip(alphas.softmax(0), outputs)])


@mutant("mixed_op", concept="no-gradient-of-outputs")
def detaches_the_outputs(outputs, alphas):
    _fits(outputs, alphas)
    return sum(p * one.detach() for p, one in zip(alphas.softmax(0), outputs))


@mutant("mixed_op", concept="accepts-bad-input")
def zips_whatever_comes(outputs, alphas):
    return sum(p * one for p, one in zip(torch.softmax(alphas, 0), outputs))


# ------------------------------------------------------------------------------------------- CellSupernet


class _Given(nn.Module):
    def __init__(self, channels, alphas):
        super().__init__()
        if channels < 1 or alphas.shape != (len(EDGES), len(OPS)):
            raise ValueError(f"channels and alphas do not fit: {channels!r}, {tuple(alphas.shape)}")
        self.alphas = alphas
        self.edges = nn.ModuleList(nn.ModuleList(OPERATIONS[op](channels, 1) for op in OPS) for _ in EDGES)

    def mixing(self):
        return torch.softmax(self.alphas, dim=1)

    def message(self, edge, x):
        return sum(p * op(x) for p, op in zip(self.mixing()[edge], self.edges[edge]))

    def forward(self, x):
        nodes = [x, 0, 0, 0]
        for edge, (source, target) in enumerate(EDGES):
            nodes[target] = nodes[target] + self.message(edge, nodes[source])
        return nodes[3]


@alternative("CellSupernet")
class recursive(_Given):
    def forward(self, x):
        return self._node(3, x)

    def _node(self, j, x):
        if j == 0:
            return x
        arriving = [(e, i) for e, (i, target) in enumerate(EDGES) if target == j]
        return torch.stack([self.message(e, self._node(i, x)) for e, i in arriving]).sum(0)


@alternative("CellSupernet")
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


def _cell(name, concept, **methods):
    mutant("CellSupernet", concept=concept)(type(name, (_Given,), methods))


_cell("softmax_over_edges", "softmax-over-edges", mixing=lambda self: torch.softmax(self.alphas, dim=0))
_cell(
    "softmax_over_all",
    "softmax-over-everything",
    mixing=lambda self: self.alphas.flatten().softmax(0).view_as(self.alphas),
)
_cell("no_softmax", "no-softmax", mixing=lambda self: self.alphas)
_cell("uniform", "ignores-alphas", mixing=lambda self: 0 * self.alphas + 1 / len(OPS))
_cell("first_row", "one-row-for-all", mixing=lambda self: self.alphas.softmax(1)[:1].expand(6, -1))
_cell(
    "strongest_only", "argmax", mixing=lambda self: F.one_hot(self.alphas.argmax(1), len(OPS)) + 0 * self.alphas
)
_cell("alphas_detached", "no-gradient-of-alphas", mixing=lambda self: self.alphas.detach().softmax(1))
_cell("no_edges_left", "init-changed", forward=lambda self, x: x)


@mutant("CellSupernet", concept="reads-the-input")
class every_edge_reads_x(_Given):
    def forward(self, x):
        return sum(self.message(edge, x) for edge, (_, target) in enumerate(EDGES) if target == 3)


@mutant("CellSupernet", concept="edge-order")
class sorted_edges(_Given):
    def forward(self, x):
        nodes, order = [x, 0, 0, 0], sorted(EDGES)
        for _, target, source in sorted((t, t, s) for s, t in EDGES):
            nodes[target] = nodes[target] + self.message(order.index((source, target)), nodes[source])
        return nodes[3]


@mutant("CellSupernet", concept="last-edge-only")
class overwrites_nodes(_Given):
    def forward(self, x):
        nodes = [x, 0, 0, 0]
        for edge, (source, target) in enumerate(EDGES):
            nodes[target] = self.message(edge, nodes[source])
        return nodes[3]


@mutant("CellSupernet", concept="mean-not-sum")
class means_at_nodes(_Given):
    def forward(self, x):
        nodes = [[x], [], [], []]
        for edge, (source, target) in enumerate(EDGES):
            nodes[target].append(self.message(edge, torch.stack(nodes[source]).mean(0)))
        return torch.stack(nodes[3]).mean(0)


@mutant("CellSupernet", concept="all-nodes")
class sums_all_nodes(_Given):
    def forward(self, x):
        nodes = [x, 0, 0, 0]
        for edge, (source, target) in enumerate(EDGES):
            nodes[target] = nodes[target] + self.message(edge, nodes[source])
        return nodes[1] + nodes[2] + nodes[3]


@mutant("CellSupernet", concept="wrong-cell")
class adds_the_input(_Given):
    def forward(self, x):
        return x + super().forward(x)


class _NoEdges(nn.Module):
    def __init__(self, channels, alphas):
        super().__init__()
        if channels < 1 or alphas.shape != (len(EDGES), len(OPS)):
            raise ValueError(f"channels and alphas do not fit: {channels!r}, {tuple(alphas.shape)}")
        self.alphas, self.operations = alphas, nn.Linear(channels, channels)

    def forward(self, x):
        return x


# --------------------------------------------------------------------------------------------- discretize


def _logits(alphas):
    alphas = torch.as_tensor(alphas, dtype=torch.float64).detach()
    if alphas.shape != (6, 5) or alphas.isnan().any():
        raise ValueError(f"alphas must be numbers of shape (6, 5), got {alphas}")
    return alphas


def _names(positions, ops=OPS):
    return tuple(ops[int(i)] for i in positions)


@alternative("discretize")
def by_masking(alphas, exclude_none=True):
    alphas = _logits(alphas).clone()
    if exclude_none:
        alphas[:, 0] = -torch.inf
    return list(_names(alphas.softmax(1).argmax(1)))


@alternative("discretize")
def in_numpy(alphas, exclude_none=True):
    order = np.argsort(-_logits(alphas).numpy(), axis=1)
    return Cell(next(OPS[k] for k in row if not (exclude_none and OPS[k] == "none")) for row in order)


def _choice(name, concept, choose):
    def wrong(alphas, exclude_none=True):
        return choose(_logits(alphas), exclude_none)

    wrong.__name__ = name
    mutant("discretize", concept=concept)(wrong)


_choice("none_may_win", "none-chosen", lambda a, no: _names(a.argmax(1)))
_choice("none_never_wins", "none-always-excluded", lambda a, no: _names(a[:, 1:].argmax(1), OPS[1:]))
_choice(
    "off_by_one", "shifted", lambda a, no: _names(a[:, 1:].argmax(1)) if no else _names(a.argmax(1))
)
_choice("by_column", "wrong-axis", lambda a, no: (*_names(a.argmax(0)), "none"))
_choice(
    "smallest_logit",
    "weakest",
    lambda a, no: _names(a[:, 1:].argmin(1), OPS[1:]) if no else _names(a.argmin(1)),
)
_choice("positions", "numbers-not-names", lambda a, no: tuple(int(no) + a[:, int(no) :].argmax(1)))
_choice("five_edges", "wrong-length", lambda a, no: _names(a[:5, int(no) :].argmax(1), OPS[int(no) :]))
_choice("one_string", "wrong-type", lambda a, no: str(Cell(_names(a[:, 1:].argmax(1), OPS[1:]))))
_choice("other_direction", "back-to-front", lambda a, no: _names(a[:, int(no) :].argmax(1), OPS[int(no) :])[::-1])


@mutant("discretize", concept="masked-with-zero")
def masks_with_zero(alphas, exclude_none=True):
    alphas = _logits(alphas).clone()
    if exclude_none:
        alphas[:, 0] = 0.0
    return _names(alphas.argmax(1))


@mutant("discretize", concept="tensors-only")
def knows_no_lists(alphas, exclude_none=True):
    if tuple(alphas.shape) != (6, 5) or alphas.isnan().any():
        raise ValueError(f"alphas must be numbers of shape (6, 5), got {alphas}")
    return _names(alphas[:, int(exclude_none) :].argmax(1), OPS[int(exclude_none) :])


@mutant("discretize", concept="accepts-bad-input")
def looks_at_nothing(alphas, exclude_none=True):
    alphas = torch.as_tensor(alphas)
    return _names(alphas[:, int(exclude_none) :].argmax(1) % (5 - int(exclude_none)), OPS[int(exclude_none) :])
