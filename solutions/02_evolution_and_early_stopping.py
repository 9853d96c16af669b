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
# # 02 · Evolution and early stopping
#
# **2 hours · 28 points.** At the end of this lesson you will be able to
#
# - climb a search space by its neighbours, and say why a climb needs restarts;
# - let architectures evolve, and say why the oldest should die and not the worst;
# - spend a budget of epochs on many short trainings and a few long ones, and measure what that buys;
# - measure with Spearman's and Kendall's coefficients how well a cheap number predicts an expensive one;
# - score a network that was never trained, and test such a score against the most boring baseline there is: its size.
#
# The notebook computes for about a minute. You need lesson 00 for the space and the table, and from lesson 01 the idea
# of regret; no exercise of either is used here.
#
# ## Two ways to do better than chance
#
# Random search forgets. Its 200th draw knows nothing of the 199 before. There are two ways to do better, and this
# lesson takes both:
#
# 1. **Choose better.** Good architectures may lie near other good ones. Local search and evolution live on that.
# 2. **Pay less.** A full training is a precise answer to a question that may not need one. A few epochs, or no training
#    at all, may be enough to throw bad architectures out.
#
# Evolution was among the most expensive methods in the history of the field: the paper on DARTS compares its own 1.5 to
# 4 GPU-days with 3,150 GPU-days of an evolutionary search. Is it the *search* that costs so much, or the training of
# every architecture to the end?

# %% tags=["setup"]
import copy
import math
from collections import deque

import numpy as np
import torch
from torch.nn import functional as F

from nas_lib.checks import check
from nas_lib.search import History
from nas_lib.spaces import CellSpace

space = CellSpace()
torch.set_num_threads(1)  # networks this small gain nothing from more


def paired_numbers(a, b):
    """`a` and `b` as float arrays of one length, or a ValueError that says what is wrong. Use it where you like."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.ndim != 1 or a.shape != b.shape or len(a) < 2:
        raise ValueError(f"a and b must be two or more pairs of numbers, got the shapes {a.shape} and {b.shape}")
    for name, values in (("a", a), ("b", b)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite numbers, got {values[~np.isfinite(values)][0]}")
        if np.ptp(values) == 0:
            raise ValueError(f"{name} must hold at least two different numbers, got {values[0]} everywhere")
    return a, b


# %% [markdown]
# ## 1 · Climb

# %% [markdown]
# ### Exercise 2.1 · `hill_climb` · ●●●○○ · 20 min · 4 points
#
# **Why it matters.** It is the simplest search that uses what it has seen, and for years nobody compared with it. You
# will see below how far that was justified.
#
# A *neighbour* of a cell differs from it on one edge; `space.neighbors(arch)` lists all of them (24 in our space). Stand
# somewhere at random. Evaluate all neighbours that you have not evaluated yet, in random order. If the best of them is
# better than where you stand, move there and go on. If not, you stand on a **local optimum**: start again at a random
# place. Nothing is ever evaluated twice, and the climb ends in the very evaluation that uses up the budget.
#
# Example: one decision with the options a, b, c, of values 1, 3, 2. From a, both neighbours are evaluated, in random
# order; b is the best and better than a: move. No neighbour of b is unseen, so the climb would start anew, but with all
# three evaluated the space is used up. (A budget of 4 would be an error.)
#
# <details><summary>Hint: "an architecture was evaluated twice"</summary>
#
# Neighbours of your new place were in part neighbours of the old one. And a restart may land on a cell that is known:
# draw again. One set of everything evaluated serves both.
#
# </details>
# <details><summary>Hint: "moves to a neighbour that is not the best"</summary>
#
# Look at *all* unseen neighbours before you move. (Moving to the first one that is better is a good search as well, but
# another one.)
#
# </details>
# <details><summary>Hint: "starts again although a neighbour was better", or the reverse</summary>
#
# Compare the best of the round with the value where you *stand*, not with the best of the whole history: after a
# restart you begin at the bottom of another hill.
#
# </details>
# <details><summary>Hint: "the objective was called too often"</summary>
#
# The budget may end in the middle of a round. Test it before every single evaluation, or cut the list of neighbours to
# what is left.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "hill_climb", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
def hill_climb(objective, space, budget, rng):
    """Local search by best neighbours, with random restarts.

    From a random architecture: evaluate all its neighbours that were never evaluated, in random order; move to
    the best of them if its value is higher than that of the present architecture, and go on from there;
    otherwise (also if no neighbour is left) start again at an architecture drawn at random among the unseen.

    Args:
        objective: function of one architecture that returns a float to be maximised. It is called exactly
            `budget` times, never twice for the same architecture.
        space: any search space, with `space.sample(rng)`, `space.neighbors(arch)` and `len(space)`.
        budget: number of evaluations, from 1 to len(space). It may end in the middle of a round.
        rng: numpy.random.Generator, the only source of randomness.

    Returns:
        History of the evaluations in the order in which they were made: `archs` (list of `budget` distinct
        architectures) and `values` (float array of shape (budget,)).

    Raises:
        ValueError: `budget` is below 1 or above len(space), or the objective returned NaN or an infinite value.

    Source: White, Nolen and Savani (2021), algorithm 1, with restarts.
    """
    ### BEGIN SOLUTION
    if not 1 <= budget <= len(space):
        raise ValueError(f"budget must be from 1 to {len(space)} (all of the space), got {budget!r}")
    archs, values, seen = [], [], set()

    def evaluate(arch):
        value = objective(arch)
        if not math.isfinite(value):
            raise ValueError(f"objective must return a finite number, got {value} for {arch}")
        seen.add(arch)
        archs.append(arch)
        values.append(value)
        return value

    while len(archs) < budget:
        here = space.sample(rng)
        if here in seen:
            continue
        height = evaluate(here)
        while True:
            unseen = [arch for arch in space.neighbors(here) if arch not in seen]
            left = budget - len(archs)
            around = [unseen[i] for i in rng.permutation(len(unseen))[:left]]
            found = [evaluate(arch) for arch in around]
            if not found or max(found) <= height:
                break
            height = max(found)
            here = around[found.index(height)]
    return History(archs, np.array(values, dtype=float))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "hill_climb-check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("hill_climb", hill_climb)

# %% [markdown]
# Look at one climb. Every dot is an evaluation, every step of the line a move, and where the line drops, the climb has
# started again.

# %% tags=["experiment"]
from nas_lib import plotting
from nas_lib.benchmark import TabularBenchmark
from nas_lib.lesson import or_fallback

benchmark = TabularBenchmark.load()
climb = or_fallback("hill_climb", hill_climb)
best_valid = benchmark.best("valid")[1]


def valid_accuracy(arch):
    """Validation accuracy after full training, mean over the seeds (percent)."""
    return benchmark.query(arch).valid


BUDGET = 300
history = climb(valid_accuracy, space, BUDGET, np.random.default_rng(4))
standing, here = [], None
for arch in history.archs:  # a start is no neighbour of where the climb stood
    standing.append(arch)

made, axes = plotting.figure(1, 1, width=6.6, height=3.4)
ax = axes[0, 0]
ax.plot(np.arange(1, BUDGET + 1), history.values, "o", color="#8a8a8a", markersize=3, label="evaluated");

# %% [markdown]
# ## 2 · Evolve

# %% [markdown]
# ### Exercise 2.2 · `regularized_evolution` · ●●●○○ · 20 min · 4 points
#
# **Why it matters.**

# %% nbgrader={"grade": false, "grade_id": "regularized_evolution", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
def regularized_evolution(objective, space, budget, population, sample, rng):
    """Evolution by tournaments, in which the oldest member dies (aging evolution).

    The first `population` evaluations are random architectures. Then, until the budget is spent: draw `sample`
    members of the population at random (with or without repeats), mutate the one with the highest value, evaluate
    the child, let it join the population, and remove the member that was evaluated longest ago.

    Args:
        objective: function of one architecture that returns a float to be maximised; it is called exactly
            `budget` times. A child may repeat an earlier architecture: it is evaluated again all the same.
        space: any search space, with `space.sample(rng)` and `space.mutate(arch, rng)`.
        budget: number of evaluations, at least `population`.
        population: number of members alive, at least 2.
        sample: members in a tournament, from 1 to `population`.
        rng: numpy.random.Generator, the only source of randomness.

    Returns:
        History of all evaluations, also of members that died, in the order in which they were made: `archs` (list
        of `budget` architectures) and `values` (float array of shape (budget,)).

    Raises:
        ValueError: `population`, `sample` or `budget` is out of range, or the objective returned NaN or an
            infinite value.

    Source: Real, Aggarwal, Huang and Le (2019), algorithm 1.
    """
    ### BEGIN SOLUTION
    if population < 2:
        raise ValueError(f"population must be at least 2, got {population!r}")
    if not 1 <= sample <= population:
        raise ValueError(f"sample must be from 1 to the population of {population}, got {sample!r}")
    if budget < population:
        raise ValueError(f"budget must pay for the first population of {population}, got {budget!r}")
    archs, values = [], []
    alive = deque(maxlen=population)  # a full deque drops its oldest entry for a new one
    while len(archs) < budget:
        if len(alive) < population:
            arch = space.sample(rng)
        else:
            tournament = [alive[rng.integers(population)] for _ in range(sample)]
            parent = max(tournament, key=lambda member: member[1])[0]
            arch = space.mutate(parent, rng)
        value = objective(arch)
        if not math.isfinite(value):
            raise ValueError(f"objective must return a finite number, got {value} for {arch}")
        alive.append((arch, value))
        archs.append(arch)
        values.append(value)
    return History(archs, np.array(values, dtype=float))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "regularized_evolution-check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("regularized_evolution", regularized_evolution)

# %% [markdown]
# ### Exercise 2.3 · `successive_halving` · ●●●○○ · 15 min · 3 points

# %% nbgrader={"grade": false, "grade_id": "successive_halving", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
def successive_halving(train_to, configs, eta, min_epochs, max_epochs):
    """Train many a little, keep the best, train those longer.

    The first rung trains every config to `min_epochs`. Of n configs in a rung the best ⌊n/eta⌋ go on, at least
    one, and the next rung trains them to eta times as many epochs, or to `max_epochs` if that is less. The rung
    at `max_epochs` is the last; its best config wins. (A single config that is left early is trained on, rung by
    rung, to `max_epochs`.)

    Args:
        train_to: function of a config and a number of epochs that returns the validation accuracy after training
            that config for so many epochs in all. Each call costs training.
        configs: sequence of at least one config; a config can be anything, also what cannot be hashed.
        eta: an integer, at least 2: how much the rungs shrink and the trainings grow.
        min_epochs: epochs of the first rung, from 1 to `max_epochs`.
        max_epochs: epochs of the last rung.

    Returns:
        (winner, trials): a config, and the list of all (config, epochs, value) in the order of the calls. A rung
        calls its configs one after the other.

    Raises:
        ValueError: no configs, `eta` below 2, `min_epochs` below 1 or above `max_epochs`, or a value that is NaN
            or infinite.

    Source: Jamieson and Talwalkar (2016); one bracket of Hyperband (Li et al. 2018).
    """
    ### BEGIN SOLUTION
    if len(configs) == 0:
        raise ValueError("configs must hold at least one config, got none")
    if eta < 2:
        raise ValueError(f"eta must be at least 2, or nothing is ever dropped, got {eta!r}")
    if not 1 <= min_epochs <= max_epochs:
        raise ValueError(f"min_epochs must be from 1 to max_epochs ({max_epochs}), got {min_epochs!r}")
    racing, epochs, trials = list(configs), min_epochs, []
    while True:
        values = []
        for config in racing:
            value = train_to(config, epochs)
            if not math.isfinite(value):
                raise ValueError(f"train_to must return a finite number, got {value} for {config}")
            values.append(value)
            trials.append((config, epochs, value))
        order = np.argsort(-np.array(values), kind="stable")
        if epochs == max_epochs:
            return racing[order[0]], trials
        racing = [racing[i] for i in order[: max(1, len(racing) // eta)]]
        epochs = min(epochs * eta, max_epochs)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "successive_halving-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("successive_halving", successive_halving)

# %% [markdown]
# ### Exercise 2.4 · `spearman` · ●●○○○ · 10 min · 2 points

# %% nbgrader={"grade": false, "grade_id": "spearman", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
def spearman(a, b):
    """Spearman's rank correlation: Pearson's correlation of the ranks; equal numbers share their mean rank.

    Args:
        a, b: sequences or arrays of shape (n,), n ≥ 2; a[i] belongs to b[i].

    Returns:
        A float from −1 (opposite order) to 1 (the same order).

    Raises:
        ValueError: `a` and `b` differ in shape, have fewer than two pairs, NaN or infinite entries, or one of them
            is constant, so that it has no order (`paired_numbers` tests all that).

    Source: Spearman (1904).
    """
    ### BEGIN SOLUTION
    deviations = []
    for values in paired_numbers(a, b):
        _, group, size = np.unique(values, return_inverse=True, return_counts=True)
        ranks = (np.cumsum(size) - (size - 1) / 2)[group]  # the middle of the ranks that a group of equals takes up
        deviations.append(ranks - ranks.mean())
    x, y = deviations
    return float(x @ y / math.sqrt((x @ x) * (y @ y)))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "spearman-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("spearman", spearman)

# %% [markdown]
# ### Exercise 2.5 · `kendall_tau` · ●●○○○ · 12 min · 2 points

# %% nbgrader={"grade": false, "grade_id": "kendall_tau", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
def kendall_tau(a, b):
    """Kendall's tau-b: how much more often two pairs agree in order than disagree, corrected for ties.

    Over all n(n − 1)/2 pairs i < j: a pair is concordant if a and b order i and j the same way, discordant if they
    order them in opposite ways, and neither if a[i] = a[j] or b[i] = b[j]. With A and B the numbers of pairs that are
    not tied in a and in b, tau-b = (concordant − discordant) / √(A·B).

    Args:
        a, b: sequences or arrays of shape (n,), n ≥ 2, n up to some thousands; a[i] belongs to b[i].

    Returns:
        A float from −1 (opposite order) to 1 (the same order).

    Raises:
        ValueError: `a` and `b` differ in shape, have fewer than two pairs, NaN or infinite entries, or one of them
            is constant, so that it has no order (`paired_numbers` tests all that).

    Source: Kendall (1945).
    """
    ### BEGIN SOLUTION
    a, b = paired_numbers(a, b)
    agreement = untied_a = untied_b = 0.0
    for i in range(1, len(a)):  # all pairs of i with an earlier one at once
        order_a, order_b = np.sign(a[i] - a[:i]), np.sign(b[i] - b[:i])
        agreement += order_a @ order_b
        untied_a += order_a @ order_a
        untied_b += order_b @ order_b
    return float(agreement / math.sqrt(untied_a * untied_b))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "kendall_tau-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("kendall_tau", kendall_tau)

# %% [markdown]
# ### Exercise 2.6 · `synflow_score` · ●●●●○ · 15 min · 3 points

# %% nbgrader={"grade": false, "grade_id": "synflow_score", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
def synflow_score(net, input_shape):
    """Synaptic flow of an untrained network: the sum of θ · ∂R/∂θ over all its parameters, made linear first.

    All parameters are replaced by their absolute values. Then R is the sum of the outputs for one input of ones.

    Args:
        net: torch.nn.Module that maps (1, *input_shape) to outputs of any shape. It is left exactly as it was:
            parameters, their type and gradients, buffers, training mode.
        input_shape: shape of one input without the batch axis, such as (1, 12, 12).

    Returns:
        The score, a float ≥ 0, computed in float64 (float32 overflows on deep networks) and with the network in
        evaluation mode, so that batch norms use their stored statistics and dropout does nothing. A parameter that
        the outputs do not depend on adds nothing.

    Raises:
        ValueError: `net` has no parameters, or parameters that are not finite.

    Source: Tanaka, Kunin, Yamins and Ganguli (2020), equation 2; as a proxy for accuracy, summed over the parameters,
    Abdelfattah, Mehrotra, Dudziak and Lane (2021), section 3.2.
    """
    ### BEGIN SOLUTION
    linear = copy.deepcopy(net).double().eval()  # a copy: nothing has to be put back
    parameters = list(linear.parameters())
    if not parameters or not all(p.isfinite().all() for p in parameters):
        raise ValueError(f"net must have parameters, all of them finite, got {net}")
    with torch.no_grad():
        for parameter in parameters:
            parameter.abs_()
    flow = linear(torch.ones(1, *input_shape, dtype=torch.float64)).sum()
    gradients = torch.autograd.grad(flow, parameters, allow_unused=True)
    products = [(p.detach() * g).sum() for p, g in zip(parameters, gradients) if g is not None]
    return float(sum(products))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "synflow_score-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("synflow_score", synflow_score)

# %% [markdown]
# ### Exercise 2.7 · `grad_norm_score` · ●●○○○ · 10 min · 2 points

# %% nbgrader={"grade": false, "grade_id": "grad_norm_score", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
def grad_norm_score(net, x, y):
    """Gradient norm of an untrained network: how strongly one batch would move its weights.

    Args:
        net: torch.nn.Module that maps images to logits (B, classes), used in the mode in which it is passed in. It
            is left exactly as it was: parameters, gradients, the batch norms' stored statistics.
        x: images, (B, ...).
        y: labels, int64 (B,).

    Returns:
        Sum over the network's parameter tensors of the L2 norm of the gradient of the cross-entropy (mean over the
        batch) with respect to that tensor, a float ≥ 0. A parameter that the logits do not depend on adds nothing.

    Raises:
        ValueError: `net` has no parameters, or the loss on `x` and `y` is not finite (NaN in `x`, an empty batch).

    Source: Abdelfattah, Mehrotra, Dudziak and Lane (2021), section 3.2.
    """
    ### BEGIN SOLUTION
    probe = copy.deepcopy(net)  # a forward pass in training mode moves the statistics of batch norms
    parameters = list(probe.parameters())
    loss = F.cross_entropy(probe(x), y)
    if not parameters or not loss.isfinite():
        raise ValueError(f"net must have parameters and x and y a finite loss, got {len(parameters)} and {loss}")
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    return float(sum(gradient.norm() for gradient in gradients if gradient is not None))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "grad_norm_score-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("grad_norm_score", grad_norm_score)
