"""Wrong and right implementations of lesson 04's exercises."""

# Learners write no type hints, and some of these are wrong about types on purpose.
# mypy: ignore-errors

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from autograder.gate.concepts import says
from autograder.gate.registry import alternative, mutant
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
        "operations-apart": r"one entry per operation came back",
        "reversed-order": r"back to front",
        "wrong-mixture": r"the mixture begins with",
        "no-gradient-of-alphas": r"arrives at alphas is|gradient by alphas is not",
        "no-gradient-of-outputs": r"outputs do not get their gradient",
        "softmax-over-edges": r"softmax runs over the edges",
        "softmax-over-everything": r"over all 30 logits",
        "one-row-for-all": r"the first row of alphas",
        "reads-the-input": r"every edge reads the cell's input",
        "edges-out-of-order": r"in another order than EDGES",
        "mean-of-arrivals": r"(is|are) the mean",
        "last-edge-only": r"what the last edge delivers",
        "all-nodes": r"sum of the nodes 1, 2 and 3",
        "init-changed": r"self\.edges is gone",
        "learnable-scale": r"can learn their scale again",
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
        "wrong-operation": r"the choice is",
        "never-moves-them": r"did not move",
        "ignores-the-optimizer": r"by a plain gradient step",
        "climbs": r"go \*up\* the loss",
        "empty-gradient": r"steps without a gradient",
        "cut-from-logits": r"comes without a gradient by the logits",
        "gradients-from-before": r"gradients from before",
        "summed-twice": r"counts twice: is backward",
        "moves-both": r"step is for the weights alone",
        "unused-weight": r"stands for zeros",
        "returned-loss": r"loss that is returned",
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
        "ignores-tau": r"temperature is not used",
        "multiplies-by-tau": r"tau multiplies",
        "noise-not-scaled": r"added after the division",
        "wrong-noise": r"Gumbel noise is −log",
        "ignores-generator": r"generators with the same seed give different samples",
        "tensors-only": r"any sequence will do",
        "not-one-hot": r"with hard=True a row is",
        "same-noise": r"all rows are the same sample",
        "soft-forwarded": r"hard=True returns the soft sample",
        "other-option": r"picks another option",
        "no-straight-through": r"with hard=True no gradient",
        "hard-gradient": r"with hard=True the gradient is",
        "no-distribution": r"entries of a row add up to",
        "other-gradient": r"was given .* as the gradient|but the sample changes by",
    }
)

# ----------------------------------------------------------------------------------------------- mixed_op


def _fits(outputs, alphas):
    if (
        len(outputs) == 0
        or alphas.shape != (len(outputs),)
        or any(one.shape != outputs[0].shape for one in outputs)
    ):
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
_mix("mean_of_the_mixture", "mean-of-arrivals", lambda a: a.softmax(0) / len(a))
_mix("exponentials_alone", "not-normalised", lambda a: a.exp())
_mix("detached_weights", "no-gradient-of-alphas", lambda a: a.detach().softmax(0))
_mix("weights_as_floats", "no-gradient-of-alphas", lambda a: a.softmax(0).tolist())
_mix("reversed_weights", "reversed-order", lambda a: a.softmax(0).flip(0))
_mix("temperature", "wrong-mixture", lambda a: (a / 2).softmax(0))


@mutant("mixed_op", concept="softmax-of-outputs")
def softmax_of_the_products(outputs, alphas):
    _fits(outputs, alphas)
    return torch.softmax(torch.stack([a * one for a, one in zip(alphas, outputs)]), dim=0).sum(0)


@mutant("mixed_op", concept="operations-apart")
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
    "strongest_only",
    "argmax",
    mixing=lambda self: F.one_hot(self.alphas.argmax(1), len(OPS)) + 0 * self.alphas,
)
_cell("scales_that_learn", "learnable-scale", freeze=lambda self: None)
_cell("alphas_detached", "no-gradient-of-alphas", mixing=lambda self: self.alphas.detach().softmax(1))


@mutant("CellSupernet", concept="reads-the-input")
class every_edge_reads_x(_Given):
    def forward(self, x):
        return sum(self.message(edge, x) for edge, (_, target) in enumerate(EDGES) if target == 3)


@mutant("CellSupernet", concept="edges-out-of-order")
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


@mutant("CellSupernet", concept="mean-of-arrivals")
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


@mutant("CellSupernet", concept="init-changed")
class layers_of_its_own(nn.Module):
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
_choice("off_by_one", "shifted", lambda a, no: _names(a[:, 1:].argmax(1)) if no else _names(a.argmax(1)))
_choice("by_column", "wrong-axis", lambda a, no: (*_names(a.argmax(0) % 5), "none"))
_choice(
    "smallest_logit",
    "weakest",
    lambda a, no: _names(a[:, 1:].argmin(1), OPS[1:]) if no else _names(a.argmin(1)),
)
_choice("positions", "numbers-not-names", lambda a, no: tuple(int(no) + a[:, int(no) :].argmax(1)))
_choice("five_edges", "wrong-length", lambda a, no: _names(a[:5, int(no) :].argmax(1), OPS[int(no) :]))
_choice("one_string", "wrong-type", lambda a, no: str(Cell(_names(a[:, 1:].argmax(1), OPS[1:]))))
_choice(
    "other_direction", "reversed-order", lambda a, no: _names(a[:, int(no) :].argmax(1), OPS[int(no) :])[::-1]
)


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
    return _names(
        alphas[:, int(exclude_none) :].argmax(1) % (5 - int(exclude_none)), OPS[int(exclude_none) :]
    )


# ---------------------------------------------------------------------------------------------- the steps


def _loss(model, loss_fn, batch):
    loss = loss_fn(model(batch[0]), batch[1])
    if not torch.isfinite(loss):
        raise ValueError(f"loss must be finite, got {loss}")
    return loss


def _slopes(loss, tensors):
    found = torch.autograd.grad(loss, tensors, allow_unused=True)
    return [torch.zeros_like(one) if slope is None else slope for one, slope in zip(tensors, found)]


def _step(optimizer, tensors, slopes):
    for one, slope in zip(tensors, slopes):
        one.grad = slope
    optimizer.step()


def _moved(tensors, by, scale):
    with torch.no_grad():
        for one, slope in zip(tensors, by):
            one += scale * slope


@alternative("weight_step")
def by_backward(model, loss_fn, batch, optimizer):
    loss = _loss(model, loss_fn, batch)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


@alternative("weight_step")
def by_freezing_the_alphas(model, loss_fn, batch, optimizer):
    for alpha in model.alphas():
        alpha.requires_grad_(False)
    try:
        loss = _loss(model, loss_fn, batch)
        model.zero_grad()
        loss.backward()
        optimizer.step()
    finally:
        for alpha in model.alphas():
            alpha.requires_grad_(True)
    return float(loss.detach())


def _weights(name, concept, run):
    def wrong(model, loss_fn, batch, optimizer):
        return run(model, loss_fn, batch, optimizer, _loss(model, loss_fn, batch))

    wrong.__name__ = name
    mutant("weight_step", concept=concept)(wrong)


def _descend(model, optimizer, loss, scale=1.0):
    _step(optimizer, model.weights(), [scale * one for one in _slopes(loss, model.weights())])
    return loss.item()


def _never_clears(model, loss_fn, batch, optimizer, loss):
    loss.backward()
    optimizer.step()
    return loss.item()


def _steps_by_hand(model, loss_fn, batch, optimizer, loss):
    _moved(model.weights(), _slopes(loss, model.weights()), -optimizer.param_groups[0]["lr"])
    return loss.item()


def _clears_too_late(model, loss_fn, batch, optimizer, loss):
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def _moves_the_alphas(model, loss_fn, batch, optimizer, loss):
    slopes = _slopes_kept(loss, model.alphas())
    _descend(model, optimizer, loss)
    _moved(model.alphas(), slopes, -0.01)
    return loss.item()


def _backward_twice(model, loss_fn, batch, optimizer, loss):
    optimizer.zero_grad()
    loss.backward(retain_graph=True)
    loss.backward()
    optimizer.step()
    return loss.item()


_weights("never_clears", "gradients-from-before", _never_clears)
_weights("steps_by_hand", "ignores-the-optimizer", _steps_by_hand)
_weights("clears_before_the_step", "empty-gradient", _clears_too_late)
_weights("moves_the_alphas_too", "moves-both", _moves_the_alphas)
_weights("backward_twice", "summed-twice", _backward_twice)
_weights("ascends", "climbs", lambda m, f, b, o, loss: _descend(m, o, loss, -1.0))
_weights("halves", "other-gradient", lambda m, f, b, o, loss: _descend(m, o, loss, 0.5))
_weights("only_the_loss", "never-moves-them", lambda m, f, b, o, loss: loss.item())
_weights(
    "loss_after_the_step",
    "returned-loss",
    lambda m, f, b, o, loss: (_descend(m, o, loss), f(m(b[0]), b[1]).item())[1],
)
_weights("forgets_to_return", "returns-nothing", lambda m, f, b, o, loss: (_descend(m, o, loss), None)[1])


@mutant("weight_step", concept="unused-weight")
def knows_no_unused_weight(model, loss_fn, batch, optimizer):
    loss = _loss(model, loss_fn, batch)
    _step(optimizer, model.weights(), torch.autograd.grad(loss, model.weights()))
    return loss.item()


@mutant("weight_step", concept="accepts-bad-input")
def steps_by_nan(model, loss_fn, batch, optimizer):
    return _descend(model, optimizer, loss_fn(model(batch[0]), batch[1]))


@alternative("alpha_step_first_order")
def by_backward_and_putting_back(model, loss_fn, valid_batch, alpha_optimizer):
    kept = [weight.grad for weight in model.weights()]
    loss = _loss(model, loss_fn, valid_batch)
    alpha_optimizer.zero_grad()
    loss.backward(inputs=model.alphas())
    alpha_optimizer.step()
    for weight, grad in zip(model.weights(), kept):
        weight.grad = grad
    return loss.detach()


@alternative("alpha_step_first_order")
def clearing_everything_afterwards(model, loss_fn, valid_batch, alpha_optimizer):
    loss = _loss(model, loss_fn, valid_batch)
    model.zero_grad()
    loss.backward()
    alpha_optimizer.step()
    model.zero_grad()
    return float(loss.detach())


def _first(name, concept, run):
    def wrong(model, loss_fn, valid_batch, alpha_optimizer):
        return run(model, alpha_optimizer, _loss(model, loss_fn, valid_batch))

    wrong.__name__ = name
    mutant("alpha_step_first_order", concept=concept)(wrong)


def _follow(model, optimizer, loss, scale=1.0):
    _step(optimizer, model.alphas(), [scale * one for one in _slopes(loss, model.alphas())])
    return loss.item()


def _leaks(model, optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _adds_up(model, optimizer, loss):
    loss.backward(inputs=model.alphas())
    optimizer.step()
    return loss.item()


def _trains_the_weights_too(model, optimizer, loss):
    slopes = _slopes_kept(loss, model.weights())
    _follow(model, optimizer, loss)
    _moved(model.weights(), slopes, -0.05)
    return loss.item()


def _slopes_kept(loss, tensors):
    found = torch.autograd.grad(loss, tensors, allow_unused=True, retain_graph=True)
    return [torch.zeros_like(one) if slope is None else slope for one, slope in zip(tensors, found)]


def _by_hand(model, optimizer, loss):
    _moved(model.alphas(), _slopes(loss, model.alphas()), -optimizer.param_groups[0]["lr"])
    return loss.item()


_first("leaves_gradients_on_the_weights", "leaks-gradients", _leaks)
_first("adds_to_old_gradients", "gradients-from-before", _adds_up)
_first("trains_the_weights_too", "weights-not-restored", _trains_the_weights_too)
_first("moves_alphas_by_hand", "ignores-the-optimizer", _by_hand)
_first("climbs", "climbs", lambda m, o, loss: _follow(m, o, loss, -1.0))
_first("scaled", "other-gradient", lambda m, o, loss: _follow(m, o, loss, 0.1))
_first("does_not_step", "never-moves-them", lambda m, o, loss: loss.item())
_first(
    "steps_without_gradients", "empty-gradient", lambda m, o, loss: (o.zero_grad(), o.step(), loss.item())[2]
)
_first("twice", "summed-twice", lambda m, o, loss: _follow(m, o, loss, 2.0))
_first("returns_none", "returns-nothing", lambda m, o, loss: (_follow(m, o, loss), None)[1])


@mutant("alpha_step_first_order", concept="accepts-bad-input")
def follows_nan(model, loss_fn, valid_batch, alpha_optimizer):
    return _follow(model, alpha_optimizer, loss_fn(model(valid_batch[0]), valid_batch[1]))


# ------------------------------------------------------------------------------------------- second order


def _checked(weight_lr, eps):
    if not weight_lr >= 0 or not eps > 0:
        raise ValueError(f"weight_lr must be from 0 up and eps above it, got {weight_lr!r} and {eps!r}")


@alternative("alpha_step_second_order")
def by_differentiating_twice(model, loss_fn, train_batch, valid_batch, alpha_optimizer, weight_lr, eps=0.01):
    """Exact, through a functional call: no finite difference at all."""
    _checked(weight_lr, eps)
    weights, alphas = model.weights(), model.alphas()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    inner = torch.autograd.grad(
        _loss(model, loss_fn, train_batch), weights, create_graph=True, allow_unused=True
    )
    ahead = {names[id(w)]: w if g is None else w - weight_lr * g for w, g in zip(weights, inner)}
    out = torch.func.functional_call(model, ahead, (valid_batch[0],))
    loss = loss_fn(out, valid_batch[1])
    if not torch.isfinite(loss):
        raise ValueError(f"loss must be finite, got {loss}")
    _step(alpha_optimizer, alphas, _slopes(loss, alphas))
    return loss.detach()


@alternative("alpha_step_second_order")
def on_copies_of_the_model(model, loss_fn, train_batch, valid_batch, alpha_optimizer, weight_lr, eps=0.01):
    """As DARTS's own code: an unrolled copy of the network, and the finite difference on further copies."""
    _checked(weight_lr, eps)
    inner = _slopes(_loss(model, loss_fn, train_batch), model.weights())

    def copied(by, scale):
        other = copy.deepcopy(model)
        _moved(other.weights(), by, scale)
        return other

    unrolled = copied(inner, -weight_lr)
    loss = _loss(unrolled, loss_fn, valid_batch)
    slopes = _slopes_kept(loss, unrolled.alphas())
    v = _slopes(loss, unrolled.weights())
    length = torch.cat([one.reshape(-1) for one in v]).norm()
    if length > 0:
        r = eps / length
        sides = [copied(v, sign * r) for sign in (1, -1)]
        p, n = (_slopes(_loss(one, loss_fn, train_batch), one.alphas()) for one in sides)
        slopes = [s - weight_lr * (up - down) / (2 * r) for s, up, down in zip(slopes, p, n)]
    _step(alpha_optimizer, model.alphas(), slopes)
    return loss.item()


class _SecondOrder:
    """The reference's walk in parts that mutants replace."""

    def __init__(self, model, loss_fn, train_batch, valid_batch, optimizer, rate, eps):
        self.model, self.loss_fn, self.optimizer, self.rate, self.eps = model, loss_fn, optimizer, rate, eps
        self.train, self.valid = train_batch, valid_batch
        self.start = [one.detach().clone() for one in model.weights()]

    def loss(self, batch):
        return _loss(self.model, self.loss_fn, batch)

    def put(self, values):
        with torch.no_grad():
            for one, value in zip(self.model.weights(), values):
                one.copy_(value)

    def virtual(self):
        slopes = _slopes(self.loss(self.train), self.model.weights())
        self.put([w - self.rate * g for w, g in zip(self.start, slopes)])

    def at_virtual(self):
        """(loss, its gradient by the alphas, its gradient by the weights) at w′."""
        loss = self.loss(self.valid)
        return loss.detach(), _slopes_kept(loss, self.model.alphas()), _slopes(loss, self.model.weights())

    def radius(self, v):
        return self.eps / torch.cat([one.reshape(-1) for one in v]).norm()

    def sides(self, v, r):
        found = []
        for sign in (1, -1):
            self.put([w + sign * r * one for w, one in zip(self.start, v)])
            found.append(_slopes(self.loss(self.train), self.model.alphas()))
        return found

    def combine(self, slope, p, n, r):
        return slope - self.rate * (p - n) / (2 * r)

    def back(self):
        self.put(self.start)

    def apply(self, slopes):
        _step(self.optimizer, self.model.alphas(), slopes)

    def run(self):
        self.virtual()
        loss, slopes, v = self.at_virtual()
        if any(one.any() for one in v):
            r = self.radius(v)
            slopes = [self.combine(s, p, n, r) for s, p, n in zip(slopes, *self.sides(v, r))]
        self.back()
        self.apply(slopes)
        return loss


def _second(name, concept, **methods):
    kind = type(name, (_SecondOrder,), methods)

    def wrong(model, loss_fn, train_batch, valid_batch, alpha_optimizer, weight_lr, eps=0.01):
        _checked(weight_lr, eps)
        return kind(model, loss_fn, train_batch, valid_batch, alpha_optimizer, weight_lr, eps).run()

    wrong.__name__ = name
    mutant("alpha_step_second_order", concept=concept)(wrong)


_second(
    "multiplies_by_the_radius",
    "eps-multiplied",
    combine=lambda self, s, p, n, r: s - self.rate * ((p - n) / 2.0 * r),
)
_second("no_virtual_step", "no-virtual-step", virtual=lambda self: None)
_second("first_order", "no-virtual-step", virtual=lambda self: None, combine=lambda self, s, p, n, r: s)
_second("no_second_order", "no-second-order", combine=lambda self, s, p, n, r: s)
_second("adds_it", "second-order-added", combine=lambda self, s, p, n, r: s + self.rate * (p - n) / (2 * r))
_second("forgets_the_rate", "forgets-the-rate", combine=lambda self, s, p, n, r: s - (p - n) / (2 * r))
_second(
    "one_radius_apart", "half-the-difference", combine=lambda self, s, p, n, r: s - self.rate * (p - n) / r
)
_second("radius_is_eps", "radius-not-scaled", radius=lambda self, v: self.eps)
_second("weights_stay_moved", "weights-not-restored", back=lambda self: None)
_second(
    "virtual_step_uphill",
    "virtual-step-up",
    virtual=lambda self: self.put(
        [w + self.rate * g for w, g in zip(self.start, _slopes(self.loss(self.train), self.model.weights()))]
    ),
)


def _around_virtual(self):
    _SecondOrder.virtual(self)
    self.kept, self.start = self.start, [one.detach().clone() for one in self.model.weights()]


_second(
    "around_the_virtual_weights",
    "around-the-virtual-weights",
    virtual=_around_virtual,
    back=lambda self: self.put(self.kept),
)


def _validation_sides(self, v, r):
    self.train = self.valid
    return _SecondOrder.sides(self, v, r)


_second("difference_of_validation", "difference-of-validation", sides=_validation_sides)


def _on_training_images(self):
    self.valid = self.train
    return _SecondOrder.at_virtual(self)


_second("alphas_on_training_images", "trains-on-training-data", at_virtual=_on_training_images)


def _old_direction(self):
    loss, slopes, _ = _SecondOrder.at_virtual(self)
    self.put(self.start)
    return loss, slopes, _slopes(self.loss(self.valid), self.model.weights())


_second("direction_at_the_old_weights", "direction-without-virtual-step", at_virtual=_old_direction)


def _swap(self):
    self.train, self.valid = self.valid, self.train
    return _SecondOrder.virtual(self)


_second("swaps_the_batches", "batches-swapped", virtual=_swap)


def _leaky(self):
    loss = self.loss(self.valid)
    for one in (*self.model.weights(), *self.model.alphas()):
        one.grad = None
    loss.backward()
    zeros = [torch.zeros_like(one) if one.grad is None else one.grad.clone() for one in self.model.weights()]
    return loss.detach(), [one.grad.clone() for one in self.model.alphas()], zeros


_second("backward_leaves_gradients", "leaks-gradients", at_virtual=_leaky)


def _adding(self, slopes):
    for one, slope in zip(self.model.alphas(), slopes):
        one.grad = slope if one.grad is None else one.grad + slope
    self.optimizer.step()


_second("adds_to_what_is_there", "gradients-from-before", apply=_adding)
_second(
    "alphas_by_hand",
    "ignores-the-optimizer",
    apply=lambda self, slopes: _moved(self.model.alphas(), slopes, -self.optimizer.param_groups[0]["lr"]),
)


def _old_loss(self):
    first = self.loss(self.valid).detach()
    self.virtual()
    _, slopes, v = self.at_virtual()
    if any(one.any() for one in v):
        r = self.radius(v)
        slopes = [self.combine(s, p, n, r) for s, p, n in zip(slopes, *self.sides(v, r))]
    self.back()
    self.apply(slopes)
    return first


_second("returns_the_loss_before", "returned-loss", run=_old_loss)


def _divides_by_zero(self):
    self.virtual()
    loss, slopes, v = self.at_virtual()
    r = self.radius(v)
    slopes = [self.combine(s, p, n, r) for s, p, n in zip(slopes, *self.sides(v, r))]
    self.back()
    self.apply(slopes)
    return loss


def _unchecked_sides(self, v, r):
    found = []
    for sign in (1, -1):
        self.put([w + sign * r * one for w, one in zip(self.start, v)])
        found.append(_slopes(self.loss_fn(self.model(self.train[0]), self.train[1]), self.model.alphas()))
    return found


_second("divides_by_zero", "zero-direction", run=_divides_by_zero, sides=_unchecked_sides)


@mutant("alpha_step_second_order", concept="accepts-bad-input")
def takes_any_radius(model, loss_fn, train_batch, valid_batch, alpha_optimizer, weight_lr, eps=0.01):
    return _SecondOrder(model, loss_fn, train_batch, valid_batch, alpha_optimizer, weight_lr, eps).run()


# ------------------------------------------------------------------------------------------ gumbel_softmax


def _tempered(logits, tau):
    if not tau > 0 or logits.ndim == 0 or logits.isnan().any():
        raise ValueError(f"tau must be positive and logits numbers with an axis, got {tau} and {logits}")


def _gumbel(logits, generator):
    return -torch.log(-torch.log(torch.rand(logits.shape, generator=generator, dtype=logits.dtype)))


def _straight(y):
    one_hot = torch.zeros_like(y).scatter(-1, y.argmax(-1, keepdim=True), 1.0)
    return one_hot + y - y.detach()


@alternative("gumbel_softmax_sample")
def by_exponential_noise(logits, tau, generator, hard=False):
    _tempered(logits, tau)
    noise = -torch.empty_like(logits).exponential_(generator=generator).log()
    y = F.softmax((logits + noise) / tau, dim=-1)
    return _straight(y) if hard else y


@alternative("gumbel_softmax_sample")
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


def _sample(name, concept, soft=None, hard=_straight):
    def wrong(logits, tau, generator, hard_=False):
        _tempered(logits, tau)
        made = soft or (lambda lg, t, g: torch.softmax((lg + _gumbel(lg, g)) / t, dim=-1))
        y = made(logits, tau, generator)
        return hard(y) if hard_ else y

    def named(logits, tau, generator, hard=False):
        return wrong(logits, tau, generator, hard)

    named.__name__ = name
    mutant("gumbel_softmax_sample", concept=concept)(named)


_sample("no_noise", "no-noise", lambda lg, t, g: torch.softmax(lg / t, -1))
_sample("first_axis", "wrong-axis", lambda lg, t, g: torch.softmax((lg + _gumbel(lg, g)) / t, 0))
_sample("no_temperature", "ignores-tau", lambda lg, t, g: torch.softmax(lg + _gumbel(lg, g), -1))
_sample("times_tau", "multiplies-by-tau", lambda lg, t, g: torch.softmax((lg + _gumbel(lg, g)) * t, -1))
_sample(
    "noise_after_division", "noise-not-scaled", lambda lg, t, g: torch.softmax(lg / t + _gumbel(lg, g), -1)
)
_sample("minus_gumbel", "wrong-noise", lambda lg, t, g: torch.softmax((lg - _gumbel(lg, g)) / t, -1))
_sample(
    "gaussian_noise",
    "wrong-noise",
    lambda lg, t, g: torch.softmax((lg + torch.randn(lg.shape, generator=g, dtype=lg.dtype)) / t, -1),
)
_sample(
    "one_noise_for_all_rows",
    "same-noise",
    lambda lg, t, g: torch.softmax((lg + _gumbel(lg[(0,) * (lg.ndim - 1)], g)) / t, -1),
)
_sample("global_noise", "ignores-generator", lambda lg, t, g: F.gumbel_softmax(lg, t))
_sample(
    "own_seed",
    "fixed-seed",
    lambda lg, t, g: torch.softmax((lg + _gumbel(lg, torch.Generator().manual_seed(0))) / t, -1),
)
_sample("no_softmax", "no-distribution", lambda lg, t, g: (lg + _gumbel(lg, g)) / t)
_sample(
    "logits_detached",
    "cut-from-logits",
    lambda lg, t, g: torch.softmax((lg.detach() + _gumbel(lg, g)) / t, -1),
)
_sample("no_detach", "no-straight-through", hard=lambda y: _straight(y).detach() - y + y)
_sample("one_hot_alone", "no-straight-through", hard=lambda y: _straight(y).detach())
_sample(
    "soft_sample_forwarded",
    "soft-forwarded",
    hard=lambda y: y + _straight(y).detach() - _straight(y).detach(),
)
_sample("adds_the_soft_sample", "not-one-hot", hard=lambda y: _straight(y).detach() + y)
_sample("smallest_entry", "other-option", hard=lambda y: _straight(1 - y) + 2 * (y - y.detach()))
_sample("twice_the_gradient", "hard-gradient", hard=lambda y: _straight(y) + y - y.detach())


@mutant("gumbel_softmax_sample", concept="accepts-bad-input")
def at_any_temperature(logits, tau, generator, hard=False):
    y = torch.softmax((logits + _gumbel(logits, generator)) / tau, dim=-1)
    return _straight(y) if hard else y
