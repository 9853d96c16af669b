# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04 · Differentiable search
#
# **{minutes} · {points}.** At the end of this lesson you will be able to
#
# - turn the choice of an operation into a mixture, and build a cell in which all 15,625 cells are
#   present at once;
# - write the two steps of DARTS, and the second-order step whose best-known implementation is
#   wrong;
# - test a gradient against exact differentiation, and say when a finite difference can be trusted;
# - draw discrete choices that still pass a gradient on (Gumbel-softmax), and search with them
#   (SNAS, GDAS);
# - measure what is lost between a supernet and the cell that comes out of it, and recognise a
#   search that collapses;
# - put an expected latency into the loss, and say what becomes of it in the cell.
#
# The notebook computes for about two minutes, most of it in sections 6 and 9. You need the space,
# the data and the table of lesson 00; no exercise of an earlier lesson is used here.
#
# ## A choice that can be differentiated
#
# Random search, evolution and the controller treat a network as a black box: train it, read off one
# number. DARTS (Liu, Simonyan and Yang 2019) opens the box. Put *all* candidates on each edge,
# weigh them, and let gradient descent find the weights, beside the network's own. One training
# replaces thousands.
#
# > **A common mistake.** "DARTS cut the cost of a search from 22,000 GPU-days to 4." The first
# > number belongs to another paper and another space. DARTS compares itself with about 2,000
# > GPU-days (reinforcement learning) and 3,150 (evolution) on a space like its own; its first-order
# > version took 1.5, its second-order version 4.
#
# What comes out may be far worse than what the search believed in. On NAS-Bench-201 the cells that
# DARTS finds reach 54.30 % test accuracy on CIFAR-10, where random search has 93.70 and the best
# cell 94.37: all edges have become skip connections. On our table every cell's accuracy is known,
# so you can see how large the gap is here, and where it opens.

# %% tags=["setup"]
import itertools

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from nas_lib.checks import check
from nas_lib.ops import OPERATIONS
from nas_lib.spaces import EDGES, OPS


def gradients(loss, tensors):
    """Gradient of a scalar loss by each tensor, zeros where it depends on none; no .grad moves."""
    if not torch.isfinite(loss).all():
        raise ValueError(f"loss must be a finite number, got {loss.detach()}")
    found = torch.autograd.grad(loss, tensors, allow_unused=True)
    return [torch.zeros_like(one) if slope is None else slope for one, slope in zip(tensors, found)]

# %% [markdown]
# ## 1 · From a choice to a mixture
#
# One edge of a cell has five candidates, $o_1, \dots, o_5$. Give each a number $\alpha_k$, and let
# the edge deliver
#
# $$\bar o(x) = \sum_k p_k\, o_k(x), \qquad p_k = \frac{e^{\alpha_k}}{\sum_j e^{\alpha_j}}.$$
#
# For $\alpha_3 \to \infty$ the edge *is* operation 3. In between it is something that no cell of
# the space can be. That is the bargain of the whole lesson: the mixture has a gradient, and it is
# not what you want in the end.
#
# ### Exercise 4.1 · `mixed_op` · ●○○○○ · 8 min · 2 points
#
# **Why it matters.** The softmax lets operations *compete*: what one gains, the others lose.
#
# Example: the outputs `[2, 2]` and `[6, 10]` with equal logits give `[4, 6]`.
#
# <details><summary>Hint: "the size of tensor a must match the size of tensor b"</summary>
# A weight is a single number, and multiplies a whole output. Loop over pairs, or stack the outputs
# into (K, …) and use
# <code>torch.tensordot(p, stacked, dims=1)</code>.</details>

# %% tags=["exercise"]
def mixed_op(outputs, alphas):
    """The softmax-weighted sum of what the candidates of one edge deliver.

    Args:
        outputs: list of K ≥ 1 float tensors of one shape, one per operation.
        alphas: float tensor (K,), the logits of the operations.

    Returns:
        Float tensor of the outputs' shape and dtype, Σ_k softmax(alphas)_k · outputs[k], with
        gradients to both.

    Raises:
        ValueError: no outputs, outputs of different shapes, or other than one logit for each.

    Source: Liu et al. (2019), equation 2.
    """
    ### BEGIN SOLUTION
    if alphas.shape != (len(outputs),):
        raise ValueError(
            f"alphas must be one logit for each of {len(outputs)} outputs, got "
            f"{tuple(alphas.shape)}"
        )
    shapes = {tuple(one.shape) for one in outputs}
    if len(shapes) != 1:
        raise ValueError(f"outputs must have one shape, got {sorted(shapes)}")
    chances = torch.softmax(alphas, dim=0)
    return sum(p * one for p, one in zip(chances, outputs))
    ### END SOLUTION

# %% tags=["check"]
check("mixed_op", mixed_op)

# %% [markdown]
# Now a whole cell. Node 0 is its input. Node j is the sum of what the edges i→j deliver, each a
# mixture of all five operations applied to node i. Six edges with five logits each: $\alpha$ is a
# table of shape (6, 5), shared by all cells of the network.
#
# ### Exercise 4.2 · `CellSupernet` · ●●●○○ · 20 min · 4 points
#
# **Why it matters.** This cell contains every cell of the space. The layers are given:
# `self.edges[e][k]` is the operation `OPS[k]` on the edge `EDGES[e]`. Write `forward`; row e of
# `self.alphas` belongs to edge e.
#
# One line of `__init__` deserves a look. The batch norms lose their learnable scale, as in the
# paper. If they kept it, an operation with a small $p_k$ could make itself loud again by its scale,
# and $\alpha$ would mean nothing.
#
# <details><summary>Hint: "where do I start?"</summary>
# <code>nodes = [x, 0, 0, 0]</code>, then go through
# <code>zip(EDGES, self.edges, self.alphas)</code>. <code>EDGES</code> is ordered such that a node
# is complete before anything reads it.</details>
# <details><summary>Hint: "the softmax runs over the edges"</summary>
# <code>torch.softmax(self.alphas, dim=0)</code> normalises columns. The competitors are the five
# operations of one edge, a row.</details>

# %% tags=["exercise"]
class CellSupernet(nn.Module):
    """One cell with all five operations on each of its six edges.

    Args:
        channels: C ≥ 1, of input and output.
        alphas: float tensor (6, 5), logits of the operations of each edge, shared by all cells of a
            network.

    Raises:
        ValueError: fewer than one channel, or alphas of another shape.
    """

    def __init__(self, channels, alphas):
        super().__init__()
        if channels < 1 or alphas.shape != (len(EDGES), len(OPS)):
            shape = tuple(alphas.shape)
            raise ValueError(
                f"channels must be at least 1 and alphas of shape (6, 5), got {channels!r} and "
                f"{shape}"
            )
        self.alphas = alphas
        self.edges = nn.ModuleList(
            nn.ModuleList(OPERATIONS[op](channels, 1) for op in OPS) for _ in EDGES
        )
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d):  # scale 1 and shift 0 for good
                layer.requires_grad_(False)

    def forward(self, x):
        """Computes the nodes in order: (B, C, H, W) -> the same shape.

        Node 0 is x; node j is the sum, over its incoming edges e = (i, j), of Σ_k
        softmax(alphas[e])_k · op_k(node i); node 3 is the output. In training as in evaluation, and
        with the alphas as they are at each call.

        Changes: what the batch norms keep in training, nothing else.

        Source: Liu et al. (2019), equations 1 and 2, on the cell of Dong and Yang (2020).
        """
        ### BEGIN SOLUTION
        nodes = [x, 0, 0, 0]
        for (source, target), operations, alphas in zip(EDGES, self.edges, self.alphas):
            outputs = [operation(nodes[source]) for operation in operations]
            weights = torch.softmax(alphas, dim=0)
            nodes[target] = nodes[target] + sum(p * one for p, one in zip(weights, outputs))
        return nodes[3]
        ### END SOLUTION

# %% tags=["check"]
check("CellSupernet", CellSupernet)

# %% [markdown]
# `MixedSupernet` of the library puts such cells where the network of lesson 00 has its cell, and
# offers what the coming steps need: `weights()` and `alphas()`, two lists of tensors. What does it
# cost to have everything at once?
#
# The lesson also runs on real images: set `DATASET` to "mnist" or "cifar10", which is fetched once
# (12 or 170 MB). An update takes about 1.1 or 1.4 times as long. The table's ranks stay those of
# the digits.

# %% tags=["experiment"]
from nas_lib import darts, plotting
from nas_lib.benchmark import TabularBenchmark
from nas_lib.fallbacks import or_fallback
from nas_lib.lesson import milliseconds
from nas_lib.networks import build_network
from nas_lib.supernet import MixedSupernet
from nas_lib.training import load_splits, recipe_for

# The networks of this lesson are tiny: a second thread would only get in the way.
torch.set_num_threads(1)
benchmark = TabularBenchmark.load()
DATASET = "cluttered_digits"  # or "mnist", "cifar10"
recipe = recipe_for(DATASET)
splits = load_splits(recipe, DATASET)
Mixed = or_fallback("CellSupernet", CellSupernet)

# %% tags=["experiment"]
batch = splits.train[0][:64], splits.train[1][:64]
one_cell = build_network(("nor_conv_3x3",) * 6, recipe.network)
supernet = MixedSupernet(recipe.network, cell=Mixed)
for name, net in (("the cell with six 3x3 convolutions", one_cell), ("the supernet", supernet)):
    cost = milliseconds(lambda net=net: F.cross_entropy(net(batch[0]), batch[1]).backward())
    parameters = sum(one.numel() for one in net.parameters())
    print(f"{name:36} {parameters:7,} parameters, {cost:5.1f} ms for a step of 64 images")

# %% [markdown]
# The supernet is dearer than any one cell by a factor, not by 15,625. That is the attraction.
#
# ## 2 · Back to a choice
#
# At the end an architecture has to come out: on every edge the operation with the largest logit.
# DARTS leaves out `none`, although it takes part in the mixture: raising the logit of `none` only
# scales down what the edge delivers, the next batch norm scales it up again, and the loss hardly
# tells how strong `none` should be.
#
# ### Exercise 4.3 · `discretize` · ●●○○○ · 8 min · 2 points
#
# **Why it matters.** One line has room for two slips: an index off by one, and a mask of 0 that
# wins where all other logits are negative.
#
# Example: a row with the logits 2, −1, −3, −0.5, −2 gives `"nor_conv_3x3"`; with
# `exclude_none=False` it gives `"none"`.
#
# <details><summary>Hint: "the names are shifted by one"</summary>
# <code>alphas[:, 1:].argmax(dim=1)</code> counts from the second operation. Take the names out of
# <code>OPS[1:]</code> as well.</details>
# <details><summary>Hint: "'list' object has no attribute …"</summary>
# <code>alphas = torch.as_tensor(alphas)</code> at the beginning makes a tensor of nested
# lists.</details>

# %% tags=["exercise"]
def discretize(alphas, exclude_none=True):
    """The cell of the strongest operation on each edge.

    Args:
        alphas: float tensor (or nested list) of shape (6, 5), logits in the order of EDGES and OPS.
            One of minus infinity rules its operation out.
        exclude_none: whether `none` is no candidate.

    Returns:
        Tuple of six op names, in the order of EDGES. Where candidates tie, any of them will do.

    Raises:
        ValueError: another shape, or a logit that is NaN.

    Source: Liu et al. (2019), section 2.4; every edge is kept here, where theirs keep two per node.
    """
    ### BEGIN SOLUTION
    alphas = torch.as_tensor(alphas)
    if alphas.shape != (len(EDGES), len(OPS)) or alphas.isnan().any():
        raise ValueError(
            f"alphas must be numbers of shape ({len(EDGES)}, {len(OPS)}), got {alphas}"
        )
    candidates = [k for k, op in enumerate(OPS) if not (exclude_none and op == "none")]
    return tuple(OPS[max(candidates, key=row.__getitem__)] for row in alphas.tolist())
    ### END SOLUTION

# %% tags=["check"]
check("discretize", discretize)

# %% [markdown]
# ## 3 · Two levels
#
# Weights $w$ are trained on training images. If $\alpha$ were trained on the same images, it would
# choose whatever *memorises* best. So the training images are split in two: one half for $w$, the
# other for $\alpha$. Written down, it is a problem within a problem:
#
# $$\min_\alpha\; L_{valid}(w^*(\alpha), \alpha)
# \qquad\text{where}\qquad w^*(\alpha) = \arg\min_w L_{train}(w, \alpha).$$
#
# Nobody solves the inner problem for each $\alpha$. DARTS takes turns: one step of $\alpha$ on a
# validation batch, one step of $w$ on a training batch.
#
# ### Exercise 4.4 · `weight_step` · ●●○○○ · 10 min · 2 points
#
# **Why it matters.** Two groups of parameters live in one network and in one computation graph.
# `loss.backward()` fills the gradients of *both*. `gradients` of the set-up cell asks for the
# gradient of one group and touches nothing else.
#
# Models offer `weights()` and `alphas()`, lists of tensors; the loss is `loss_fn(model(x), y)`.
#
# <details><summary>Hint: "the weights move by a plain gradient step"</summary>
# The optimiser has its own idea of a step (momentum, weight decay). Put the gradient where it
# looks, <code>w.grad = g</code>, and call <code>optimizer.step()</code>.</details>
# <details><summary>Hint: "gradients from before are added"</summary>
# <code>backward()</code> adds to what is there. <code>optimizer.zero_grad()</code> comes first, or
# assign <code>.grad</code> as above.</details>

# %% tags=["exercise"]
def weight_step(model, loss_fn, batch, optimizer):
    """One step of the weights on a training batch, the alphas held still.

    Args:
        model: maps x to predictions; `weights()` and `alphas()` list its two groups of tensors. A
            weight on which the loss does not depend has the gradient zero, or none.
        loss_fn: maps (predictions, y) to a scalar tensor.
        batch: the pair (x, y).
        optimizer: a torch optimiser over the weights. Gradients that stand on them from before do
            not count.

    Returns:
        The loss before the step, a float.

    Changes: the weights and what the optimiser keeps. Gradients may stay on weights and alphas, as
        every step makes sure that those from before do not count.

    Raises:
        ValueError: the loss is NaN or infinite; nothing is changed then, but for old gradients that
            may be cleared.
    """
    ### BEGIN SOLUTION
    x, y = batch
    loss = loss_fn(model(x), y)
    for weight, slope in zip(model.weights(), gradients(loss, model.weights())):
        weight.grad = slope
    optimizer.step()
    return loss.item()
    ### END SOLUTION

# %% tags=["check"]
check("weight_step", weight_step)

# %% [markdown]
# ### Exercise 4.5 · `alpha_step_first_order` · ●●○○○ · 10 min · 3 points
#
# **Why it matters.** Simply hold $w$ still and follow $\nabla_\alpha L_{valid}(w, \alpha)$. Mind
# the symmetric danger: a gradient of the *validation* loss that stays behind on the weights is
# added to the next weight step if that one does not clear it. Then weights are trained on
# validation images and no error tells.
#
# <details><summary>Hint: "a gradient is left on the weights"</summary>
# <code>loss.backward()</code> reaches all leaves. <code>gradients(loss, model.alphas())</code>
# reaches the alphas alone.</details>

# %% tags=["exercise"]
def alpha_step_first_order(model, loss_fn, valid_batch, alpha_optimizer):
    """One step of the alphas on a validation batch, the weights held still.

    Args:
        model, loss_fn: as in `weight_step`.
        valid_batch: the pair (x, y).
        alpha_optimizer: a torch optimiser over the alphas. Gradients that stand on them from before
            do not count.

    Returns:
        The validation loss before the step, a float.

    Changes: the alphas, their gradients and what the optimiser keeps. The weights keep their
        values, and no gradient is left on them (those from before may stay or go).

    Raises:
        ValueError: the loss is NaN or infinite; nothing is changed then, as in `weight_step`.

    Source: Liu et al. (2019), equation 6 with ξ = 0.
    """
    ### BEGIN SOLUTION
    x, y = valid_batch
    loss = loss_fn(model(x), y)
    for alpha, slope in zip(model.alphas(), gradients(loss, model.alphas())):
        alpha.grad = slope
    alpha_optimizer.step()
    return loss.item()
    ### END SOLUTION

# %% tags=["check"]
check("alpha_step_first_order", alpha_step_first_order)

# %% [markdown]
# ## 4 · The second order
#
# Holding $w$ still ignores that $w$ will *react* to a new $\alpha$. DARTS approximates the reaction
# by a single virtual step,
#
# $$w' = w - \xi\, \nabla_w L_{train}(w, \alpha),$$
#
# and differentiates $L_{valid}(w'(\alpha), \alpha)$, in which $\alpha$ now appears twice. The chain
# rule gives
#
# $$\nabla_\alpha L_{valid}(w', \alpha) \;-\; \xi\, \nabla^2_{\alpha, w} L_{train}(w, \alpha)\; v,
# \qquad v = \nabla_{w'} L_{valid}(w', \alpha).$$
#
# The matrix $\nabla^2_{\alpha,w} L_{train}$ has as many columns as there are weights. It is never
# built: its product with $v$ is the *change* of $\nabla_\alpha L_{train}$ along $v$, and a change
# can be measured. With $r = \varepsilon / \lVert v \rVert$ and $w^\pm = w \pm r v$,
#
# $$\nabla^2_{\alpha, w} L_{train}\; v \;\approx\;
# \frac{\nabla_\alpha L_{train}(w^+, \alpha) - \nabla_\alpha L_{train}(w^-, \alpha)}{2 r}.$$
#
# > **A common mistake.** The most copied PyTorch port computes `(p - n) / 2. * eps`. That
# > *multiplies* by the radius instead of dividing by it, so the second-order term is smaller by the
# > square of a small number: it is switched off. Only a test of the gradient tells.
#
# ### Exercise 4.6 · `alpha_step_second_order` · ●●●●● · 30 min · 6 points
#
# **Why it matters.** It is hard to get right by looking at it, and easy to test: the check holds it
# against exact differentiation in float64.
#
# Example, the toy of the paper: $L_{train} = w^2 - 2\alpha w + \alpha^2$,
# $L_{valid} = \alpha w - 2w + 1$. At $\alpha = 1$, $w = 0$ with $\xi = \tfrac14$: $w' = \tfrac12$,
# $v = \alpha - 2 = -1$, $\nabla^2_{\alpha,w} L_{train} = -2$, and the gradient is
# $w' - \xi \cdot (-2) \cdot v = \tfrac12 - \tfrac12 = 0$.
#
# <details><summary>Hint: "where do I start?"</summary>
#
# Copy the weights; gradient of the training loss, virtual step in place (`with torch.no_grad(): w
# -= …`); validation loss there, its gradients by alphas *and* by weights; put w + r·v in, gradient
# of the training loss by the alphas; the same at w − r·v; put the copies back; combine; step.
#
# </details>
# <details>
# <summary>Hint: "a leaf Variable that requires grad is being used in an in-place
# operation"</summary>
# Changing weights in place belongs into <code>with torch.no_grad():</code>. The losses belong
# outside.</details>
# <details><summary>Hint: "the weights end … away from where they began"</summary>
# <code>w + r·v − 2r·v + r·v</code> is not exactly w in floating point, and an error on the way
# leaves the weights moved. Copy them at the beginning (<code>w.detach().clone()</code>) and put the
# copies back in a <code>finally:</code>.</details>
# <details><summary>Hint: "NaN" or "division by zero"</summary>
#
# Where v is zero there is no direction. The second-order term is 0 then. It happens: the toy in the
# paper starts at such a point, $\alpha = 2$.
#
# </details>

# %% tags=["exercise"]
def alpha_step_second_order(
    model, loss_fn, train_batch, valid_batch, alpha_optimizer, weight_lr, eps=0.01
):
    """One step of the alphas on the validation loss after one virtual step of the weights.

    Args:
        model, loss_fn: as in `weight_step`.
        train_batch, valid_batch: pairs (x, y).
        alpha_optimizer: a torch optimiser over the alphas. Gradients that stand on them from before
            do not count.
        weight_lr: ξ ≥ 0, size of the virtual step, which is plain gradient descent.
        eps: > 0; the finite difference takes points at a distance of eps from the weights, in all
            tensors together, on both sides. Differentiating twice in its place is right as well.

    Returns:
        The validation loss at the virtual weights, a float.

    Changes: the alphas, their gradients and what the optimiser keeps. The weights end as they were,
        to the bit, and no gradient is left on them; also where an error is raised.

    Raises:
        ValueError: a loss is NaN or infinite, weight_lr is negative, NaN or infinite, or eps is NaN
            or not positive; nothing is changed then, as in `weight_step`.

    Source: Liu et al. (2019), equations 6 to 8.
    """
    ### BEGIN SOLUTION
    if not weight_lr >= 0:
        raise ValueError(f"weight_lr must be a number from 0 up, got {weight_lr!r}")
    if not eps > 0:
        raise ValueError(f"eps must be a positive number, got {eps!r}")
    weights, alphas = model.weights(), model.alphas()
    start = [weight.detach().clone() for weight in weights]

    def loss_at(values, batch):
        with torch.no_grad():
            for weight, value in zip(weights, values):
                weight.copy_(value)
        return loss_fn(model(batch[0]), batch[1])

    try:
        inner = gradients(loss_at(start, train_batch), weights)
        loss = loss_at([w - weight_lr * g for w, g in zip(start, inner)], valid_batch)
        slopes = gradients(loss, [*alphas, *weights])
        slopes, v = slopes[: len(alphas)], slopes[len(alphas) :]
        length = sum(float((one**2).sum()) for one in v) ** 0.5
        if length > 0:
            r = eps / length
            p = gradients(loss_at([w + r * one for w, one in zip(start, v)], train_batch), alphas)
            n = gradients(loss_at([w - r * one for w, one in zip(start, v)], train_batch), alphas)
            slopes = [
                slope - weight_lr * (up - down) / (2 * r) for slope, up, down in zip(slopes, p, n)
            ]
    finally:
        with torch.no_grad():
            for weight, value in zip(weights, start):
                weight.copy_(value)
    for alpha, slope in zip(alphas, slopes):
        alpha.grad = slope
    alpha_optimizer.step()
    return loss.item()
    ### END SOLUTION

# %% tags=["check"]
check("alpha_step_second_order", alpha_step_second_order)

# %% [markdown]
# On the toy everything can be worked out. For given $\alpha$ the inner problem has the solution
# $w^* = \alpha$. So the outer one is to minimise $\alpha^2 - 2\alpha + 1$: the optimum is
# $\alpha = w = 1$. Where do the two orders go?

# %% tags=["experiment"]
from nas_lib.predictions import predict

guess_alpha = predict("On which α does the first order come to rest?", ...)

# %% tags=["experiment"]
from nas_lib.bilevel_toys import MixedLayers, PaperToy, term_agreement

step_of_weights = or_fallback("weight_step", weight_step)
first_order = or_fallback("alpha_step_first_order", alpha_step_first_order)
second_order = or_fallback("alpha_step_second_order", alpha_step_second_order)


def toy_path(xi, steps=400):
    """Positions (α, w) of alternating steps; ξ = 0 is the first order."""
    toy = PaperToy()
    outer, inner = torch.optim.SGD(toy.alphas(), 0.05), torch.optim.SGD(toy.weights(), 0.1)
    path = []
    for _ in range(steps):
        path.append((toy.a.item(), toy.w.item()))
        if xi == 0:
            first_order(toy, toy.loss, toy.VALID, outer)
        else:
            second_order(toy, toy.loss, toy.TRAIN, toy.VALID, outer, xi)
        step_of_weights(toy, toy.loss, toy.TRAIN, inner)
    return np.array(path)

# %% tags=["experiment"]
rates = (0.0, 0.1, 0.25, 0.5)
paths = {xi: toy_path(xi) for xi in rates}
made, axes = plotting.figure(1, 2, width=4.4, height=3.2)
for xi, look in zip(rates, plotting.LOOKS):
    axes[0, 0].plot(*paths[xi].T, color=look.color, linestyle=look.line, label=f"ξ = {xi:g}")
    axes[0, 0].plot(*paths[xi][-1], color=look.color, marker=look.marker)
axes[0, 0].plot(1, 1, "k*", markersize=12)
axes[0, 0].set(xlabel="α", ylabel="w", title="Paths from (2, −2); the star is the optimum")
plotting.legend(axes[0, 0])
losses = {f"ξ = {xi:g}": (paths[xi][:, 0] - 1) ** 2 for xi in rates}
labels = {"xlabel": "step", "ylabel": "L_valid at w*(α)"}
plotting.lines(losses, axes[0, 1], **labels, title="What each α is really worth")
for xi in rates:
    alpha, w = paths[xi][-1]
    print(f"ξ = {xi:<5g} rests at α = {alpha:.3f}, w = {w:.3f}; paper {4 * xi / (1 + 2 * xi):.3f}")
guess_alpha.beside(round(paths[0][-1, 0], 3))

# %% [markdown]
# "On paper": where the steps come to rest, $w = \alpha$ and $w' + 2\xi(\alpha - 2) = 0$. Hence
# $\alpha = 4\xi/(1 + 2\xi)$. The first order comes to rest at 0, and only with $\xi = \tfrac12$
# does one virtual step solve the inner problem completely. The second order is no small correction
# here.
#
# <details><summary>What we got</summary>
#
# The first order rests at 0.000, as far from the optimum as one can see; ξ = 0.1, 0.25 and 0.5 rest
# at 0.333, 0.667 and 1.000, as on paper.
#
# </details>
#
# A toy is smooth. A network with ReLUs is not: within the radius of the finite difference some
# units switch on and off, and each switch is a kink in the loss. Two mixed layers, once around tanh
# and once around ReLU, on real images: how well does your second-order term agree with the exact
# one, by differentiating twice?

# %% tags=["experiment"]
images, labels = splits.train[0][:128].double(), splits.train[1][:128]
halves = (images[:64], labels[:64]), (images[64:], labels[64:])
radii = 10.0 ** np.arange(-5, 1)
bends = {"tanh": torch.tanh, "ReLU": torch.relu}
agreement = {
    name: [
        term_agreement(
            second_order, MixedLayers(bend, images[0].numel()), *halves, 0.5, float(eps)
        )
        for eps in radii
    ]
    for name, bend in bends.items()
}

# %% tags=["experiment"]
ax = plotting.lines(
    agreement,
    x=radii,
    xlabel="eps (length of the move from w)",
    ylabel="cosine with the exact term",
    title="Second-order term: finite difference against exact differentiation",
)
ax.set_xscale("log")
ax.axvline(0.01, color="black", linewidth=1)
for name, values in agreement.items():
    print(f"{name}: " + ", ".join(f"{value:.4f} at {eps:g}" for eps, value in zip(radii, values)))

# %% [markdown]
# The vertical line is the paper's $\varepsilon = 0.01$. Wherever a curve drops, the step goes in
# some other direction, and no error will tell you. So test gradients on smooth functions, in
# float64, and with a small radius. If a formula is wrong there, it is wrong everywhere; if it is
# right, it may still be noisy on the real network.
#
# <details><summary>What we got</summary>
#
# With tanh the two agree up to a radius of 0.1. With ReLU the cosine is 0.80 at the paper's 0.01,
# and 1.0000 only up to 0.0001.
#
# </details>

# %% [markdown]
# ## 5 · A choice that is drawn
#
# A mixture is not a cell, and the weights of a supernet are trained for the mixture. Two methods
# draw a choice instead. Take the logits, add noise of its own to each, and look which is largest.
# If the noise is **Gumbel** noise, $g = -\log(-\log u)$ with $u$ uniform on (0, 1), then option k
# wins with probability $\text{softmax}(\alpha)_k$, exactly. The largest has no gradient, so it is
# softened by a temperature $\tau$:
#
# $$y = \text{softmax}\bigl((\alpha + g) / \tau\bigr).$$
#
# For a low $\tau$ this is nearly one-hot, for a high one nearly uniform, and *which* entry is
# largest does not depend on $\tau$. The noise is fixed once it has been drawn, so $y$ is a
# differentiable function of $\alpha$. SNAS (Xie et al. 2019) uses $y$ in the place of the softmax
# of section 1. (In the paper weights and logits then learn from the same images, in a single
# backward pass. Ours keeps the two levels of DARTS, so that our methods differ in the mixing
# alone.)
#
# GDAS (Dong and Yang 2019) goes one step further. It *forwards* the one-hot vector, so that one
# operation per edge has to be computed, and sends the gradient back as if $y$ had been forwarded.
# This is the **straight-through** estimator, in one line: `one_hot - y.detach() + y` has the value
# of `one_hot` and the gradient of `y`.
#
# ### Exercise 4.7 · `gumbel_softmax_sample` · ●●●○○ · 20 min · 4 points
#
# **Why it matters.** Without the detach the two `y` cancel and nothing is learned; with the soft
# vector forwarded the network is a mixture again; with noise outside of the division the
# temperature changes *what* is drawn.
#
# <details><summary>Hint: "two generators with the same seed give different samples"</summary>
# <code>torch.rand(logits.shape, generator=generator, dtype=logits.dtype)</code> draws u.
# <code>torch.rand_like</code> and <code>F.gumbel_softmax</code> take no generator.</details>
# <details><summary>Hint: "with hard=True no gradient comes back"</summary>
# A one-hot vector made by argmax has no gradient. <code>one_hot - y + y</code> has none either: the
# two y cancel. One of them needs <code>.detach()</code>.</details>

# %% tags=["exercise"]
def gumbel_softmax_sample(logits, tau, generator, hard=False):
    """A draw from the Gumbel-softmax (concrete) distribution, row by row.

    Args:
        logits: float tensor (…, K), K ≥ 1; the last axis holds the options. One of minus infinity
            rules its option out.
        tau: temperature, > 0.
        generator: a torch.Generator, the source of all noise. Equal generators give the same noise,
            hard or not.
        hard: forward the one-hot of the largest entry of each row, with the gradient of the soft
            sample.

    Returns:
        Float tensor of the shape of logits, whose rows add up to 1, with a gradient to the logits.

    Raises:
        ValueError: tau is not positive, a logit is NaN, or logits have no axis.

    Source: Jang et al. (2017) and Maddison et al. (2017); straight-through as in Dong and Yang
        (2019).
    """
    ### BEGIN SOLUTION
    if not tau > 0:
        raise ValueError(f"tau must be a positive number, got {tau!r}")
    if logits.ndim < 1 or logits.isnan().any():
        raise ValueError(f"logits must be numbers with at least one axis, got {logits}")
    u = torch.rand(logits.shape, generator=generator, dtype=logits.dtype, device=logits.device)
    noise = -torch.log(-torch.log(u))
    y = torch.softmax((logits + noise) / tau, dim=-1)
    if not hard:
        return y
    one_hot = F.one_hot(y.argmax(dim=-1), y.shape[-1]).to(y.dtype)
    return one_hot - y.detach() + y
    ### END SOLUTION

# %% tags=["check"]
check("gumbel_softmax_sample", gumbel_softmax_sample)

# %% tags=["experiment"]
draw = or_fallback("gumbel_softmax_sample", gumbel_softmax_sample)
example = torch.tensor([0.0, 0.5, 1.0, 2.0, -1.0])
rows = example.repeat(4_000, 1)
temperatures = (0.1, 0.5, 2.0, 10.0)
drawn = {tau: draw(rows, tau, torch.Generator().manual_seed(1)) for tau in temperatures}
made, axes = plotting.figure(1, 2, width=4.6, height=3.2)
largest = {f"τ = {tau:g}": one.max(dim=1).values for tau, one in drawn.items()}
labels = {"xlabel": "largest entry of a sample", "ylabel": "number of samples"}
plotting.histogram(largest, axes[0, 0], **labels)
shares = {f"τ = {tau:g}": F.one_hot(one.argmax(1), 5).float().mean(0) for tau, one in drawn.items()}
ax = plotting.lines(
    shares | {"softmax of the logits": example.softmax(0)}, axes[0, 1],
    xlabel="option", ylabel="share of samples\nin which it is largest",
)
ax.set_xticks(range(5));

# %% tags=["experiment"]
for tau, one in drawn.items():
    print(f"τ = {tau:<4g} the mean of the samples is {np.round(one.mean(0).numpy(), 3)}")
print(f"the softmax of the logits    {np.round(example.softmax(0).numpy(), 3)}")

# %% [markdown]
# The winner is right at every temperature. The *mean* of the soft samples is not: for a high $\tau$
# it is far from the probabilities. So SNAS and GDAS begin with a high temperature, whose gradients
# are tame, and lower it as they go.
#
# <details><summary>What we got</summary>
#
# The option with probability 0.563 has a mean of about 0.56 at τ = 0.1, but of about 0.35 at τ = 2
# and about 0.23 at τ = 10.
#
# </details>
#
# What does one update of weights and alphas cost by each method?

# %% tags=["experiment"]
config = darts.SearchConfig(network=recipe.network)
other = splits.train[0][64:128], splits.train[1][64:128]
for name, method in darts.METHODS.items():
    model = darts.Relaxed(MixedSupernet(recipe.network), method)
    optimizers = torch.optim.SGD(model.weights(), 0.01), torch.optim.Adam(model.alphas(), 0.01)
    update = darts.Bilevel(model, F.cross_entropy, *optimizers, order=method.order)
    cost = milliseconds(lambda update=update: update(batch, other))
    print(f"{name:20} {cost:6.1f} ms for an update of both")

# %% [markdown]
# ## 6 · A search, live
#
# Now search: first-order DARTS, with your cell, your steps and your rule at the end. Half of the
# 4,096 training images train the weights, the other half the alphas; SGD with a cosine for the
# weights, Adam for the alphas, 20 epochs. The stop button ends it early and keeps what it has.

# %% tags=["experiment"]
choose = or_fallback("discretize", discretize)


def one_update(model, weight_optimizer, alpha_optimizer, train_batch, valid_batch):
    """The alphas, then the weights."""
    valid_loss = first_order(model, F.cross_entropy, valid_batch, alpha_optimizer)
    return step_of_weights(model, F.cross_entropy, train_batch, weight_optimizer), valid_loss


run = darts.search(splits, "DARTS, first order", config, seed=0, cell=Mixed, update=one_update)

# %% tags=["experiment"]
edges = {
    f"edge {source}→{target}": path
    for (source, target), path in zip(EDGES, run.mixing.permute(1, 2, 0))
}
plotting.op_paths(edges, xlabel="epoch", ylabel="softmax of α", across=3)
cell = choose(run.logits[-1])
plotting.draw_cell(cell, title="the cell that comes out")
print(f"{run.seconds:.0f} s of processor time for the search")
margins = run.mixing[-1][:, 1:].topk(2, dim=1).values
shown = ", ".join(f"{a:.2f}/{b:.2f}" for a, b in margins.tolist())
print(f"weight of the chosen operation and of the next: {shown}")

# %% [markdown]
# Look at the last line first. If the chosen operation carries 0.4 of the weight and the next 0.3,
# then most of what the edge computes is thrown away. This **discretisation gap** can be followed in
# four stages: (1) the supernet as it is; (2) the chosen cell with the weights that it inherits,
# once as they are, once after its batch norms have seen the cell's own activations; (3) the cell
# trained from scratch by the table's recipe; (4) its place among all 15,625 cells.

# %% tags=["experiment"]
guess_cell = predict("Accuracy of the chosen cell with its inherited weights?", ..., unit="%")

# %% tags=["experiment"]
test = benchmark.final("test")  # (cells,), percent, mean over seeds, in the space's index order


def rank(arch):
    """1 for the best cell of the table by test accuracy."""
    return 1 + int((test > test[benchmark.space.index(arch)]).sum())

# %% tags=["experiment"]
inherited = darts.inherited_accuracy(run.supernet, cell, splits)
retrained = darts.retrained_accuracy(cell, splits, recipe, seed=100)
stages = {
    "1  supernet": darts.supernet_accuracy(run, splits, config),
    "2a cell, inherited weights": inherited.as_is,
    "2b ... and new batch-norm statistics": inherited.renormalised,
    "3  cell, trained from scratch": retrained.valid,
}
title = "One search: where the accuracy goes"
plotting.dots({"validation accuracy (%)": stages}, xlabel="percent", title=title)
lost, back = stages["1  supernet"] - inherited.as_is, retrained.valid - inherited.as_is
print(f"discretising costs {lost:.1f} points at once; training from scratch brings {back:.1f}")
found = test[benchmark.space.index(cell)]
print(f"4  in the table: {found:.2f} % test accuracy, rank {rank(cell):,} of {len(test):,}")
guess_cell.beside(inherited.as_is)

# %% [markdown]
# <details><summary>What we got</summary>
#
# The supernet had about 84.7 %. With its weights the chosen cell fell to about 16 %, hardly more
# than guessing, with new batch-norm statistics it had about 66 %, and trained from scratch about 86
# %.
#
# </details>

# %% [markdown]
# ## 7 · Four methods, many seeds
#
# `python -m scripts.recordings.darts_runs record` has run each method with several seeds, by one
# configuration, none tuned by itself, but for one thing: GDAS, which computes one operation per
# edge, had five times the epochs, and so about the seconds of DARTS. Below stand two rivals without
# a gradient: the largest cell, and random search for the same processor time.

# %% tags=["experiment"]
guess_ahead = predict("How many of the 20 searches find a better cell than the largest?", ...)
guess_random = predict("How many of the 10 DARTS searches beat random search?", ...)

# %% tags=["experiment"]
recorded = darts.recorded_runs()
methods = list(darts.METHODS)
by_method = {name: [one for one in recorded if one.method == name] for name in methods}
fields = ("supernet", "inherited", "renormalised", "retrained_valid")
print("means over seeds (%)  supernet  as it is  new norms  retrained  table   ranks")
for name, runs in by_method.items():
    means = [np.mean([getattr(one, field) for one in runs]) for field in fields]
    accuracy = np.mean([test[benchmark.space.index(one.cell)] for one in runs])
    ranks = sorted(rank(one.cell) for one in runs)
    columns = " ".join(f"{value:9.2f}" for value in (*means, accuracy))
    print(f"{name:20} {columns}   {', '.join(f'{one:,}' for one in ranks)}")

# %% tags=["experiment"]
from nas_lib.search import random_winners

largest = rank(("nor_conv_3x3",) * 6)
ranks_of, ahead = np.array([rank(one) for one in benchmark.space]), 0
for name, runs in by_method.items():
    seconds = np.mean([one.seconds for one in runs])
    trainings = max(1, round(seconds / benchmark.seconds.mean()))
    median = np.median(ranks_of[random_winners(benchmark, trainings, np.random.default_rng(0))])
    print(f"{name:20} {seconds:5.1f} s: {trainings} random cells, median rank {median:,.0f}")
    ahead += name.startswith("DARTS") and sum(rank(one.cell) < median for one in runs)
print(f"no search: the cell of six 3x3 convolutions has rank {largest}")
guess_ahead.beside(sum(rank(one.cell) < largest for one in recorded))
guess_random.beside(ahead)

# %% tags=["experiment"]
ranks = {
    name.replace(", ", ",\n"): [rank(one.cell) for one in runs] for name, runs in by_method.items()
}
labels = {"xlabel": "", "ylabel": f"rank among {len(test):,} cells", "point": "search"}
ax = plotting.boxes(ranks, **labels, title="True rank of the found cells")
ax.set_yscale("log")
ax.axhline(largest, color="black", linestyle="--", label="no search: the largest cell")
plotting.legend(ax)

# %% [markdown]
# No search of any method is ahead of simply taking the largest cell, rank
# 11; SNAS *returns* it, five times out of five. Of the ten DARTS searches eight rank above the
# median random search of the same time. GDAS spreads most: its five cells lie far apart, and their
# median behind random search (of seconds that were measured on a busy machine).
#
# <details><summary>What we got</summary>
#
# Median ranks: DARTS 105 (first order) and 161 (second), SNAS 11, GDAS 1,069, from 129 to 8,192.
# Random search of the same time, 18, 33, 10 and 30 trainings, has 753, 420, 1,159 and 473.
#
# </details>
#
# Does the supernet's accuracy tell which seed found the better cell? And where do the operations
# go: does a method **collapse**, onto skip connections, as on the CIFAR-10 version of this space,
# or onto the largest operation, or not at all?

# %% tags=["experiment"]
guess_collapse = predict("On how many of the 6 edges does DARTS choose a skip, on average?", ...)

# %% tags=["experiment"]
counts = {name: np.mean([one.counts for one in runs], axis=0) for name, runs in by_method.items()}
edges_of = {name: one[:: len(one) // 20].T for name, one in counts.items()}  # (operations, 21)
labels = {"xlabel": "twentieths of the search"}
labels["ylabel"] = "edges of the chosen cell,\nmean over seeds"
plotting.op_paths(edges_of, **labels, across=4)
for name, one in counts.items():
    print(f"{name:20} " + ", ".join(f"{op} {count:.1f}" for op, count in zip(OPS, one[-1])))
guess_collapse.beside(float(counts[methods[0]][-1][OPS.index("skip_connect")]))

# %% tags=["experiment"]
from scipy import stats

searches = [one for one in recorded if one.method.startswith("DARTS")]
truth = [test[benchmark.space.index(one.cell)] for one in searches]
tau, p = stats.kendalltau([one.supernet for one in searches], truth)
print(f"supernet against table: tau {tau:.2f} over {len(truth)} DARTS searches (p = {p:.2f})")

# %% [markdown]
# <details><summary>What we got</summary>
#
# First-order DARTS ends with 0.4 skips and 4.0 convolutions 3×3 among six edges: no collapse. SNAS
# collapses onto the 3×3 convolution, 6.0 of 6, which here is no bad cell. The supernet's accuracy
# does not tell which seed did better: tau 0.18 over 10 searches, p = 0.47.
#
# </details>

# %% [markdown]
# ## 8 · Stop earlier?
#
# Two remedies need no new algorithm. *The curvature* (Zela et al. 2020): the largest eigenvalue of
# $\nabla^2_\alpha L_{valid}$ rises before DARTS degenerates, because a sharp minimum in $\alpha$
# does not survive the jump to a corner of the simplex. Stop when it has risen by a given factor,
# and go back to where it began. *The skip count* (after DARTS+, Liang et al. 2019, which stops as
# soon as a cell has two): stop before it has more than two skip connections. Which epoch of the
# recorded searches would they have kept, and what is that cell worth?

# %% tags=["experiment"]
darts_runs = {name: runs for name, runs in by_method.items() if name.startswith("DARTS")}
made, axes = plotting.figure(1, 2, width=4.6, height=3.2)
curves = {name: [one.curvature for one in runs] for name, runs in darts_runs.items()}
epochs = np.arange(1, len(darts_runs[methods[0]][0].curvature) + 1)
title, ylabel = "Each line is one search", "dominant eigenvalue"
plotting.lines(curves, axes[0, 0], x=epochs, xlabel="epoch", ylabel=ylabel, title=title)


def regret(cell):
    """Points of test accuracy behind the best cell."""
    return test.max() - test[benchmark.space.index(cell)]


regrets = {
    name: [[regret(cell) for cell in one.cells] for one in runs]
    for name, runs in darts_runs.items()
}
no_search = {"no search": regret(("nor_conv_3x3",) * 6)}
labels = {"xlabel": "epoch", "ylabel": "test regret of the\nchosen cell (points)"}
plotting.half_points(plotting.lines(regrets, axes[0, 1], levels=no_search, **labels))

# %% tags=["experiment"]
rules = {
    "run to the end": lambda one: len(one.cells) - 1,
    "curvature": lambda one: darts.stop_at_curvature(one.curvature),
    "at most two skips": lambda one: darts.stop_at_skips(one.cells),
}
for name, runs in darts_runs.items():
    for rule, keep in rules.items():
        kept = [keep(one) for one in runs]
        cells = [one.cells[epoch] for one, epoch in zip(runs, kept)]
        mean, median = np.mean(list(map(regret, cells))), np.median(list(map(rank, cells)))
        print(f"{name:20} {rule:18} epochs {kept}, regret {mean:.2f}, median rank {median:,.0f}")

# %% [markdown]
# <details><summary>What we got</summary>
#
# Cells of epoch 3, which the curvature keeps, have a mean regret of 1.10 (first order) and 0.94
# points (second), those of epoch 20 1.64 and 1.52. The skip rule keeps epoch 20 in all ten.
#
# </details>
#
# The skip rule kept every epoch: its symptom did not appear. The curvature fired in all ten
# searches, as early as the rule allows, which is no warning either: the eigenvalue also grows
# because the supernet learns. The early cells have a mean regret half a point lower, but an
# interval includes zero.
#
# ### Where DARTS fails
#
# So take it where it does fall ill. Zela et al. (2020) found simple subspaces on which DARTS
# degenerates; their *S2* leaves two candidates on each edge, a (separable) 3×3 convolution and the
# skip. Our table knows all 64 cells of it. First-order DARTS has
# searched there too, recorded, with three seeds and two and a half times the epochs.

# %% tags=["experiment"]
guess_s2 = predict("DARTS's rank among the 64 cells of S2, median of three seeds?", ...)

# %% tags=["experiment"]
small = darts.recorded_runs(subspace=True)
cells = [*itertools.product(small[0].ops, repeat=len(EDGES))]
known = np.array([test[benchmark.space.index(cell)] for cell in cells])
epochs = np.arange(1, len(small[0].curvature) + 1)
made, axes = plotting.figure(1, 2, width=4.6, height=3.2)
lines = {"DARTS, first order": [one.curvature for one in small]}
plotting.lines(lines, axes[0, 0], x=epochs, xlabel="epoch", ylabel=ylabel, title=title)
lines = {"DARTS, first order": [[regret(cell) for cell in one.cells] for one in small]}
plotting.half_points(plotting.lines(lines, axes[0, 1], levels=no_search, **labels))

# %% tags=["experiment"]
def rank_in_s2(cell):
    """1 for the best of the 64 cells."""
    return 1 + int((known > test[benchmark.space.index(cell)]).sum())


for rule, keep in rules.items():
    kept = [keep(one) for one in small]
    ends = [one.cells[epoch] for one, epoch in zip(small, kept)]
    skips, ranks = [cell.count("skip_connect") for cell in ends], list(map(rank_in_s2, ends))
    accuracy = ", ".join(f"{test[benchmark.space.index(cell)]:.1f}" for cell in ends)
    print(f"{rule:18} epochs {kept}, skips {skips}, {accuracy} %, ranks {ranks}")
    if rule == "run to the end":
        guess_s2.beside(np.median(ranks))
print(f"best of S2 {known.max():.1f} %, median {np.median(known):.1f} %")
print(f"no search: rank {rank_in_s2(('nor_conv_3x3',) * 6)} of {len(known)}")

# %% [markdown]
# <details><summary>What we got</summary>
#
# Run to the end the three searches have 6, 2 and 2 skips and ranks 64, 12 and 22 of 64. Stopped by
# the curvature, at epoch 3, all three have rank 1, the cell of convolutions alone. The skip rule
# stops two of them, at epochs 12 and 16, and ends at ranks 11, 12 and 9.
#
# </details>
#
# Here is the collapse, and here the remedies work. With time the skips win, it is thought because
# they need no training. One search ends on skips alone, the *worst* cell of S2, and its
# eigenvalue climbs to three times that of the others. But the rule fires as early as above, where
# it cured nothing, and the best cell of S2 is the largest, which no search needs to find.

# %% [markdown]
# ## 9 · Latency in the loss
#
# A device wants more than accuracy. Which operation an edge will have is open during a search, but
# its *expected* latency is known, by the softmax that mixes the outputs, and it has a gradient.
# FBNet (Wu et al. 2019) and ProxylessNAS (Cai et al. 2019) put it into the loss of the
# architecture, the latter as a plain sum:
#
# $$L_{valid}(w, \alpha) + \text{weight} \cdot \sum_e \sum_k \text{softmax}(\alpha_e)_k \cdot
# \text{latency}_{e,k}.$$
#
# ### Exercise 4.8 · `expected_latency` · ●●○○○ · 8 min · 2 points
#
# **Why it matters.** It makes a table of latencies, which has no gradient, into a term of the loss,
# which has one. Example: two edges with equal logits, latencies `[0, 4]` and `[2, 6]`: 2 + 4 = 6.
#
# <details><summary>Hint: "no gradient arrives at alphas"</summary>
# Stay with tensors to the end: <code>float(…)</code>, <code>.item()</code>, <code>.detach()</code>
# and numpy cut the gradient off.</details>

# %% tags=["exercise"]
def expected_latency(alphas, latencies):
    """Latency of a cell whose operations are drawn by the softmax of its logits, on average.

    Args:
        alphas: float tensor (E, O), E edges with O operations each, both ≥ 1: the logits. One of
            minus infinity rules its operation out.
        latencies: tensor (E, O) of the same dtype, what each operation takes on each edge, ≥ 0.

    Returns:
        Tensor without axes, in the unit of latencies: Σ_e Σ_k softmax(alphas[e])_k ·
        latencies[e, k], with a gradient to alphas.

    Raises:
        ValueError: alphas or latencies of another shape; a row of alphas that has no softmax, since
            it holds NaN or plus infinity or nothing but minus infinity; latencies that are
            negative, infinite or NaN.

    Source: Cai et al. (2019), section 3.3; Wu et al. (2019), sections 3.2 and 3.3.
    """
    ### BEGIN SOLUTION
    if alphas.ndim != 2 or alphas.numel() < 1 or alphas.shape != latencies.shape:
        shapes = tuple(alphas.shape), tuple(latencies.shape)
        raise ValueError(f"alphas and latencies must have one shape (E, O), got {shapes}")
    if not (torch.isfinite(latencies).all() and (latencies >= 0).all()):
        raise ValueError(f"latencies must be finite numbers of 0 or more, got {latencies}")
    chances = torch.softmax(alphas, dim=1)
    if chances.isnan().any():
        raise ValueError(f"alphas must have a softmax in each row, got {alphas}")
    return (chances * latencies).sum()
    ### END SOLUTION

# %% tags=["check"]
check("expected_latency", expected_latency)

# %% [markdown]
# The latencies are the roofline of a Raspberry Pi 4 (lesson 06), in ms: what an operation on one
# edge adds to the network of the table. The weight says how much loss a millisecond is worth. First
# one search live, as in section 6.

# %% tags=["experiment"]
from nas_lib.devices import DEVICES
from nas_lib.latency import edge_layers
from nas_lib.spaces import live_edges

price, pi = or_fallback("expected_latency", expected_latency), DEVICES["raspberry_pi_4"]
row = [1e3 * pi.network_bound(edge_layers(op, recipe.network)) for op in OPS]
latencies, WEIGHT = torch.tensor([row] * len(EDGES)), 1.0
print(", ".join(f"{op} {ms:.3f} ms" for op, ms in zip(OPS, row)))


def priced_update(model, weight_optimizer, alpha_optimizer, train_batch, valid_batch):
    """The alphas with their latency in the loss, then the weights without."""

    def loss_fn(predictions, y):
        return F.cross_entropy(predictions, y) + WEIGHT * price(model.alphas()[0], latencies)

    valid_loss = first_order(model, loss_fn, valid_batch, alpha_optimizer)
    return step_of_weights(model, F.cross_entropy, train_batch, weight_optimizer), valid_loss

# %% tags=["experiment"]
guess_ms = predict("Latency of the cell, if six 3×3 convolutions take 0.303 ms?", ..., unit="ms")

# %% tags=["experiment"]
def cell_ms(arch):
    """What the live edges of a cell take."""
    return sum(row[OPS.index(op)] for op, live in zip(arch, live_edges(arch)) if live)


priced = darts.search(splits, methods[0], config, seed=0, update=priced_update)
expected = [float(price(alphas, latencies)) for alphas in priced.logits]
paths = {"expected, of the mixture": expected, "of the chosen cell": [*map(cell_ms, priced.cells)]}
labels = {"xlabel": "epoch", "ylabel": "latency (ms)"}
plotting.lines(paths, **labels, title="One search with latency in its loss")
found = test[benchmark.space.index(priced.cells[-1])]
print(f"expected latency {expected[0]:.3f} → {expected[-1]:.3f} ms")
print(f"chosen cell {cell_ms(priced.cells[-1]):.3f} ms, {found:.2f} % in the table")
print(f"mean weight of none: {priced.mixing[-1][:, 0].mean():.2f}")
guess_ms.beside(cell_ms(priced.cells[-1]))

# %% [markdown]
# The loss got what it asked for: the *mixture* became fast. The cheapest way there is `none`, which
# takes no time, and which `discretize` leaves out.
#
# What does the weight do? `scripts/recordings/latency_runs.py` has searched with three values and
# five seeds; 0 are the searches of section 7. Beside each found cell stands what needs no search at
# its latency: 3×3 convolutions on as many edges as fit, skips on the others, and random search for
# the same time, within that latency.

# %% tags=["experiment"]
by_weight = {0.0: by_method[methods[0]]}
for one in darts.recorded_priced_runs():
    by_weight.setdefault(one.weight, []).append(one)
ms, conv = np.array([cell_ms(arch) for arch in benchmark.space]), OPS.index("nor_conv_3x3")
trainings = round(np.mean([one.seconds for one in by_weight[1.0]]) / benchmark.seconds.mean())


def without_search(limit):
    """Test accuracy, on average: by hand, and of random search within a latency."""
    many = int((limit + 1e-9) / row[conv])
    by_hand = known[[cell.count("nor_conv_3x3") == many for cell in cells]]
    rng = np.random.default_rng(0)
    random = random_winners(benchmark, trainings, rng, allowed=ms <= limit + 1e-9)
    return by_hand.mean(), test[random].mean()

# %% tags=["experiment"]
labels = {"xlabel": "latency (ms)", "ylabel": "test accuracy (%)"}
ax = plotting.pareto(ms, test, **labels, title="All cells and the found ones")
print(f"weight  expected ms  cell ms  accuracy  by hand  random ({trainings})  five seeds (%)")
for (weight, runs), marker in zip(by_weight.items(), "osD^"):
    found = [benchmark.space.index(one.cell) for one in runs]
    ax.plot(ms[found], test[found], marker, color="black", mfc="none", label=f"weight {weight:g}")
    hoped = np.mean([float(price(torch.tensor(one.logits[-1]), latencies)) for one in runs])
    rivals = np.mean([without_search(limit) for limit in ms[found]], axis=0)
    columns = f"{hoped:12.3f} {ms[found].mean():8.3f} {test[found].mean():9.2f}"
    seeds = ", ".join(f"{value:.1f}" for value in test[found])
    print(f"{weight:6g} {columns} {rivals[0]:8.2f} {rivals[1]:12.2f}  {seeds}")
plotting.legend(ax)

# %% [markdown]
# <details><summary>What we got</summary>
#
# Live, the expected latency fell to about 0.053 ms, but the chosen cell takes about 0.10. By weight
# the cells take 0.269, 0.185, 0.101 and 0.081 ms and have 85.68, 83.21, 70.89 and 77.35 %; one with
# weight 1 is of skips alone, 30.1 %. By hand it is 85.17, 82.19, 70.48 and 77.44 %, by random
# search 84.62, 83.47, 72.04 and 81.05 %: the search is ahead of both only at weight 0.
#
# </details>

# %% [markdown]
# ## 10 · Recap
#
# - A softmax mixture makes the choice of an operation differentiable. The mixture is not a cell of
#   the space.
# - Weights learn from training images, alphas from validation images. A gradient
#   that stays behind on the other's leaves must not count in the next step.
# - The second order follows one virtual step; its matrix product is a finite difference, *divided*
#   by twice the radius.
# - Gradients are tested on smooth functions in float64. On ReLU networks even a right formula can
#   be noisy.
# - Gumbel noise draws from the softmax exactly; the temperature only softens it; straight-through
#   forwards one operation.
# - A supernet's accuracy is not the accuracy of its cell. Follow it down the stages, over seeds, to
#   the rank in the table: none of our 20 searches was ahead of the largest cell.
# - DARTS can collapse onto skips, given few candidates and time. Stopping early cures that; where
#   nothing collapses, it cures nothing.
# - An expected latency has a gradient and can stand in the loss. It is the mixture's, not the
#   cell's.
#
# ## 11 · Questions
#
# ### Question 4.1 · `concept_04_1` · ●○○○○ · 1 min · 1 point
#
# Why are the alphas trained on other images than the weights?
#
# - **a** so that both optimisers can run in parallel
# - **b** because the second order needs two different losses, or its gradient would be zero
# - **c** because the weights would otherwise get too small a learning rate
# - **d** so that no operation is rewarded for fitting the training images better

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_04_1 = "d"
### END SOLUTION

# %% tags=["check"]
check("concept_04_1", concept_04_1)

# %% [markdown]
# ### Question 4.2 · `concept_04_2` · ●●○○○ · 2 min · 1 point
#
# A port of DARTS computes the second-order term as `(p - n) / 2. * r`, with
# $r = 0.01/\lVert v \rVert$ about 0.01. What do its searches look like?
#
# - **a** they diverge, since the term is ten thousand times too large
# - **b** they end in an error, since the shapes do not fit
# - **c** like those of the first order at w′: the term is ten thousand times too small
# - **d** like right ones: the optimiser of the alphas divides by the gradient's size, and so makes
#   up for the factor

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_04_2 = "c"
### END SOLUTION

# %% tags=["check"]
check("concept_04_2", concept_04_2)

# %% [markdown]
# ### Question 4.3 · `concept_04_3` · ●●○○○ · 2 min · 1 point
#
# You halve the temperature of `gumbel_softmax_sample(..., hard=True)`. What changes?
#
# - **a** how often each option is drawn: the strongest one more often, the weakest one less
# - **b** the values of the samples: they become more nearly one-hot
# - **c** nothing at all, since a hard sample is one-hot at any temperature
# - **d** only the gradients: how often each option is drawn stays the same

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_04_3 = "d"
### END SOLUTION

# %% tags=["check"]
check("concept_04_3", concept_04_3)

# %% [markdown]
# ### Question 4.4 · `concept_04_4` · ●●●○○ · 2 min · 1 point
#
# A supernet has 82 % validation accuracy, its cell with inherited weights 20 %, with new batch-norm
# statistics 61 %, trained from scratch 85 %. What is the most that you may conclude?
#
# - **a** the search has failed, since the inherited cell lost most of the accuracy
# - **b** much of the first loss was wrong statistics, and none of the first three numbers tells how
#   good the cell is
# - **c** the cell is among the best, since it beats the supernet that contains it
# - **d** the search should have run longer, until the supernet reached 85 %

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_04_4 = "b"
### END SOLUTION

# %% tags=["check"]
check("concept_04_4", concept_04_4)

# %% [markdown]
# ### Open question 4.1 · `open_04_1` · ●●●●○ · 15 min · 4 points
#
# Your group has run DARTS once on a new space. The supernet reached 94 %, the found cell, trained
# from scratch, 91 %, and five of its eight edges are skip connections. One member wants the second
# order, one wants early stopping, one wants GDAS. In eight to ten sentences: which measurements
# would you make first, in which order, and what would each tell you? Which remedy follows from
# which finding? How would you know that the search is better than spending the same compute on
# random cells? Use what you measured in this lesson.
#
# ### BEGIN MARK SCHEME
# One point each, half points allowed:
# 1. Stages: separates supernet, inherited cell (with and without new batch-norm statistics) and
#    retrained cell; says that the supernet's accuracy is no estimate of the cell's.
# 2. Diagnosis: several seeds; path of the alphas and of the counts; curvature over time; whether
#    the gradient itself is right (a test on a smooth problem) before an order is blamed.
# 3. Remedies tied to findings: early stopping if the cell was better earlier or the curvature
#    rises; sampling if the mixture is the problem; the second order only if its term is right and
#    differs from noise; none if there is no symptom.
# 4. A fair baseline: random search with equal compute, tuning included, paired over seeds with an
#    interval.
# ### END MARK SCHEME

# %% [markdown] tags=["answer"]
# I would first repeat the search with five seeds, and train random cells for the same compute. Then
# I would follow each run through its stages: the 94 % of the supernet belong to a mixture and say
# nothing about the cell. From the stored alphas I would draw the cell of every epoch and train a
# few: if an early one is better than the last and the curvature or the number of skips rises in
# between, early stopping is the remedy. If all are equally poor, stopping cannot help; if the
# chosen operations win by small margins, the mixture is the problem, and I would sample instead of
# mixing. Which sampler, the lesson leaves open: GDAS's five searches spread from rank 129 to 8,192
# there, in about DARTS's time, so I would want many seeds. The second order comes last: it costs
# several times as much, and its gradient has to be tested against exact differentiation on a smooth
# problem first. In the end the interval of the difference to random cells decides.

# %% [markdown]
# ## References
#
# - H. Liu, K. Simonyan and Y. Yang (2019). *DARTS: Differentiable Architecture Search.* ICLR.
#   [arXiv:1806.09055](https://arxiv.org/abs/1806.09055).
# - S. Xie, H. Zheng, C. Liu and L. Lin (2019). *SNAS: Stochastic Neural Architecture Search.* ICLR.
#   [arXiv:1812.09926](https://arxiv.org/abs/1812.09926).
# - X. Dong and Y. Yang (2019). *Searching for a Robust Neural Architecture in Four GPU Hours*
#   (GDAS). CVPR. [arXiv:1910.04465](https://arxiv.org/abs/1910.04465).
# - E. Jang, S. Gu and B. Poole (2017). *Categorical Reparameterization with Gumbel-Softmax.* ICLR.
#   [arXiv:1611.01144](https://arxiv.org/abs/1611.01144).
# - C. J. Maddison, A. Mnih and Y. W. Teh (2017). *The Concrete Distribution.* ICLR.
#   [arXiv:1611.00712](https://arxiv.org/abs/1611.00712).
# - A. Zela, T. Elsken, T. Saikia, Y. Marrakchi, T. Brox and F. Hutter (2020). *Understanding and
#   Robustifying Differentiable Architecture Search.* ICLR.
#   [arXiv:1909.09656](https://arxiv.org/abs/1909.09656).
# - H. Liang et al. (2019). *DARTS+: Improved Differentiable Architecture Search with Early
#   Stopping.* [arXiv:1909.06035](https://arxiv.org/abs/1909.06035).
# - H. Cai, L. Zhu and S. Han (2019). *ProxylessNAS.* ICLR.
#   [arXiv:1812.00332](https://arxiv.org/abs/1812.00332).
# - B. Wu et al. (2019). *FBNet.* CVPR. [arXiv:1812.03443](https://arxiv.org/abs/1812.03443).
# - X. Dong and Y. Yang (2020). *NAS-Bench-201.* ICLR.
#   [arXiv:2001.00326](https://arxiv.org/abs/2001.00326).
#
# **Read next.** C. White et al. (2023). *Neural Architecture Search: Insights from 1000 Papers.*
# [arXiv:2301.08727](https://arxiv.org/abs/2301.08727), on one-shot methods.
