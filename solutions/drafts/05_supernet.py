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
# # 05 · One network for all
#
# **150 minutes · 37 points.** At the end of this lesson you will be able to
#
# - train thousands of architectures in one set of weights, one random path at a time, and say what is fair about it;
# - judge an architecture by inherited weights, and know why its batch norms must be recalibrated first;
# - measure how far a supernet's ranking can be trusted, over all cells and among the best;
# - search under a limit on cost that no evaluation may break;
# - build a network that shrinks in kernel, width and depth, and train it so that every size is good as it is.
#
# ## Training once
#
# Every search so far paid for each architecture: train it, look at its accuracy, throw its weights away. Lesson 04
# trained one network that holds all operations, but as a *mixture*, and the mixture is not what is deployed. One-shot
# methods take the next step. They train a **supernet** in which each architecture is a *path*, and each training step
# uses one path alone. Afterwards any architecture can be judged in a fraction of a second, with the weights that it
# shares with all the others.
#
# Two questions decide whether that is worth anything. Do inherited accuracies *rank* architectures as training them by
# themselves would? And can a network be good enough *as it is inherited*, so that nothing has to be trained again for
# the next phone? The first is asked in sections 1 to 4, the second, which is Once-for-All's, in sections 5 to 7.

# %% tags=["setup"]
import math

import numpy as np
import torch
from torch.nn import functional as F

from nas_lib.checks import check
from nas_lib.search import History
from nas_lib.spaces import OPS, CellSpace

space = CellSpace()

# %% [markdown]
# ## 1 · Which path?
#
# A path names one option for each decision. Single-path one-shot (Guo et al. 2020) draws it *uniformly*: every option of
# every decision equally likely, each decision by itself. No architecture is preferred while the weights are trained, so
# that none wins later because it was trained more.
#
# ### Exercise 5.1 · `sample_path` · ●○○○○ · 6 min · 2 points
#
# **Why it matters.** DARTS trains weights and choices together, and what gets ahead early is trained more and gets
# further ahead. Uniform sampling cuts that knot: first train the weights of all, then search.
#
# `choices` holds the options of each decision, as `space.choices` does; decisions may have different numbers of them.
# Example: `sample_path([("a", "b"), (3, 5, 7)], rng)` is `("b", 3)` or one of five others.
#
# <details><summary>Hint: "... came 0 times"</summary>
#
# `rng.integers(n)` draws from 0 to n − 1; with `n - 1` as its argument the last option never comes.
#
# </details>
# <details><summary>Hint: "come together ... times"</summary>
#
# Draw once for each decision. One draw for all of them makes paths in which every decision has its first option, or every
# decision its second.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "sample_path", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
def sample_path(choices, rng):
    """One path: an option of each decision, uniformly and independently (Guo et al. 2020, section 3.2).

    Args:
        choices: the options of each decision, a sequence of non-empty sequences.
        rng: numpy.random.Generator, all the randomness.

    Returns:
        Tuple with one option per decision.

    Raises:
        ValueError: no decisions, or one without options.
        TypeError: `rng` is no generator.
    """
    ### BEGIN SOLUTION
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy.random.Generator, got {rng!r}")
    if not len(choices) or any(len(options) == 0 for options in choices):
        raise ValueError(f"choices must be one or more decisions with options, got {choices!r}")
    return tuple(options[int(rng.integers(len(options)))] for options in choices)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "sample_path-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("sample_path", sample_path)

# %% [markdown]
# Uniform sampling is fair in the long run only. After n steps an option has been trained n/K times *on average*, and the
# spread around it grows as √n. FairNAS (Chu et al. 2021) asks for more: in every step each option of each decision is
# trained **exactly once**. A step then consists of K paths, where K is the number of options, and their gradients are
# added up before the optimiser moves.
#
# ### Exercise 5.2 · `fair_paths` · ●●○○○ · 10 min · 2 points
#
# **Why it matters.** Two options that were trained on different batches, at different learning rates, are hard to
# compare. After a strictly fair step all have had the same.
#
# Return K paths in which each option of each decision occurs exactly once; every such arrangement must be equally likely.
# Example: for `[("a", "b"), ("c", "d")]` it is `[("a", "c"), ("b", "d")]`, or `[("a", "d"), ("b", "c")]`, or one of these
# in the other order.
#
# <details><summary>Hint: "where do I start?"</summary>
#
# Shuffle the options of each decision by themselves (`rng.permutation`). What do the first entries of all decisions form?
#
# </details>
# <details><summary>Hint: "there is one list per decision"</summary>
#
# You have columns; paths are rows. `zip(*columns)` turns one into the other.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "fair_paths", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
def fair_paths(choices, rng):
    """Paths in which each option of each decision occurs exactly once (Chu et al. 2021, algorithm 1).

    Args:
        choices: the options of each decision, K everywhere.
        rng: numpy.random.Generator, all the randomness.

    Returns:
        List of K paths, each a tuple with one option per decision; the decisions' orders are independent.

    Raises:
        ValueError: no decisions or options, or decisions with different numbers of options.
    """
    ### BEGIN SOLUTION
    sizes = {len(options) for options in choices}
    if len(sizes) != 1 or 0 in sizes:
        raise ValueError(f"choices must have equally many options, one or more, everywhere, got {choices!r}")
    columns = [[options[i] for i in rng.permutation(len(options))] for options in choices]
    return list(zip(*columns))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "fair_paths-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("fair_paths", fair_paths)

# %% [markdown]
# What does fairness change? Count how often each operation of one edge is trained, by both rules and at equal cost.

# %% tags=["experiment"]
from nas_lib import plotting

passes = 5 * np.arange(1, 401)
gaps = {}
for name in ("uniform", "strictly fair"):
    rng = np.random.default_rng(0)
    if name == "uniform":
        paths = [sample_path(space.choices, rng) for _ in range(passes[-1])]
    else:
        paths = [path for _ in passes for path in fair_paths(space.choices, rng)]
    trained = np.cumsum([[path[0] == op for op in OPS] for path in paths], axis=0)[passes - 1]
    gaps[name] = trained.max(1) - trained.min(1)
plotting.lines(
    gaps,
    x=passes,
    xlabel="passes",
    ylabel="times trained, most minus least",
    title="How unequally the five operations of edge 0→1 are trained",
)
print(f"after {passes[-1]:,} passes: {gaps['uniform'][-1]} uniform, {gaps['strictly fair'][-1]} strictly fair")

# %% [markdown]
# ## 2 · One step
#
# The supernet is called as `supernet(x, path)` and computes that path alone. So a step costs no more than a step of an
# ordinary network, however many architectures the supernet holds.
#
# ### Exercise 5.3 · `train_single_path_step` · ●●○○○ · 12 min · 3 points
#
# **Why it matters.** Whatever is off the path must stay *exactly* as it was. That is less obvious than it sounds: an
# optimiser moves every weight that has a gradient, and a gradient of zeros counts as one. Weight decay and momentum then
# pull at weights that were not used.
#
# Do one step on `batch = (x, y)`: cross-entropy of the path's logits, averaged over the batch. Gradients may be left over
# from an earlier step. Return the loss before the step, as a number.
#
# <details><summary>Hint: "gradients left over"</summary>
#
# `backward()` *adds* to what is in `.grad`. Clear it first.
#
# </details>
# <details><summary>Hint: "options off the path have moved"</summary>
#
# `optimizer.zero_grad()` sets gradients to `None`, so that the optimiser passes over what the path does not use;
# `set_to_none=False` leaves zeros, on which weight decay and momentum act.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "train_single_path_step", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
def train_single_path_step(supernet, batch, optimizer, path):
    """One optimiser step of the weights on one path (Guo et al. 2020, section 3.2); all others stay as they are.

    Args:
        supernet: module in training mode; `supernet(x, path)` gives logits (B, classes).
        batch: images (B, ...) and labels (B,).
        optimizer: over the supernet's parameters.
        path: which architecture, one option per decision.

    Returns:
        The loss before the step, the mean cross-entropy, a float.
    """
    ### BEGIN SOLUTION
    x, y = batch
    optimizer.zero_grad()
    loss = F.cross_entropy(supernet(x, path), y)
    loss.backward()
    optimizer.step()
    return loss.item()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "train_single_path_step-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("train_single_path_step", train_single_path_step)

# %% [markdown]
# Now train one. The network is that of the table, with all five operations on each of the six edges of both cells; the
# batch norms of the operations have no scale and shift of their own, since one pair could not suit every cell. Each of the
# steps below sees one random cell.

# %% tags=["experiment"]
from nas_lib.lesson import progress
from nas_lib.networks import count_macs
from nas_lib.one_shot import BatchOrder, Supernet, half_cosine
from nas_lib.training import count_correct, load_splits

STEPS, RATE = 6000, 0.1
splits = load_splits()
torch.set_num_threads(1)
supernet = Supernet(seed=0).to(memory_format=torch.channels_last).train()
optimizer = torch.optim.SGD(supernet.parameters(), RATE, momentum=0.9, nesterov=True, weight_decay=5e-5)
batches, rng = BatchOrder(len(splits.train[1]), 64, seed=0), np.random.default_rng(0)
losses = []
for step in progress(range(STEPS), "step"):
    for group in optimizer.param_groups:
        group["lr"] = half_cosine(RATE, step, STEPS)
    rows = batches(step)
    batch = splits.train[0][rows], splits.train[1][rows]
    losses.append(train_single_path_step(supernet, batch, optimizer, sample_path(space.choices, rng)))
smooth = np.convolve(losses, np.ones(100) / 100, "valid")
plotting.lines(
    {"mean of 100 steps": smooth},
    xlabel="step",
    ylabel="cross-entropy",
    title="One supernet in training, a random cell at each step",
)

# %% [markdown]
# ## 3 · Judging a path
#
# A batch norm learns two kinds of things: a scale and a shift by gradient, a mean and a variance by *averaging what it
# sees*. In a supernet it sees another path at every step. Its averages describe a mixture of all of them, and in
# evaluation mode each single path is normalised with numbers that fit none.
#
# The remedy costs a few forward passes: forget the averages, show the path some training images, and average again.
#
# ### Exercise 5.4 · `recalibrate_bn` · ●●●○○ · 18 min · 4 points
#
# **Why it matters.** Without it, inherited accuracies may hardly be better than guessing, and rank nothing.
#
# Give the batch norms on `path` the plain average, over the batches, of each batch's mean and unbiased variance: what
# PyTorch collects in training mode with `momentum = None` after `reset_running_stats()`. Weights, momenta and modes end
# as they were, and no gradient is left behind. `batches` may be an iterator that can be read once.
#
# <details><summary>Hint: "the statistics are the old ones"</summary>
#
# Batch norms collect in training mode only, and only while something is computed: `supernet(x, path)` under
# `torch.no_grad()`.
#
# </details>
# <details><summary>Hint: "momentum 0.1 keeps most of the old"</summary>
#
# `running = 0.9 * running + 0.1 * new` forgets slowly and weighs late batches more. A batch norm whose `momentum` is
# `None` keeps the plain average since its last reset instead.
#
# </details>
# <details><summary>Hint: "does not leave in it"</summary>
#
# Note `module.training` of every module before you begin, and put it back in the end, also if something fails: a `try:
# ... finally: ...` does both.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "recalibrate_bn", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
def recalibrate_bn(supernet, path, batches):
    """Collect batch-norm statistics for one path (Guo et al. 2020, section 3.2), cumulative over the batches.

    Args:
        supernet: module; `supernet(x, path)` computes the path.
        path: which architecture.
        batches: iterable of (x, y); labels are not used.

    Raises:
        ValueError: no batches.
    """
    ### BEGIN SOLUTION
    norms = [m for m in supernet.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    modes = [(module, module.training) for module in supernet.modules()]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    supernet.train()
    count = 0
    try:
        with torch.no_grad():
            for x, _ in batches:
                supernet(x, path)
                count += 1
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode
    if count == 0:
        raise ValueError("batches must hold at least one batch, got none")
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "recalibrate_bn-check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("recalibrate_bn", recalibrate_bn)

# %% [markdown]
# How much does it matter? The same cells, with the same weights, before and after.

# %% tags=["experiment"]
import copy

from nas_lib.one_shot import distinct_functions

cells = distinct_functions(150, np.random.default_rng(1))
calibration = [(x, None) for x in splits.train[0][:1024].split(256)]


class Path(torch.nn.Module):
    """One path of a supernet, as an ordinary network."""

    def __init__(self, net, path):
        super().__init__()
        self.net, self.path = net, path

    def forward(self, x):
        return self.net(x, self.path)


def inherited(cell, recalibrate=True):
    """Validation accuracy (percent) with the supernet's weights."""
    if recalibrate:
        recalibrate_bn(supernet, cell, calibration)
    return 100 * count_correct(Path(supernet, cell), *splits.valid) / len(splits.valid[1])


stale = copy.deepcopy(supernet.state_dict())
before = np.array([inherited(cell, recalibrate=False) for cell in progress(cells, "cell")])
after = np.array([inherited(cell) for cell in progress(cells, "cell")])
supernet.load_state_dict(stale)
plotting.scatter(
    before,
    after,
    xlabel="as training left the batch norms (%)",
    ylabel="recalibrated (%)",
    diagonal=True,
    title="Inherited accuracy",
)
print(f"mean inherited accuracy: {before.mean():.1f} % before, {after.mean():.1f} % after recalibration")

# %% [markdown]
# ## 4 · What is the ranking worth?
#
# A search does not need inherited accuracies to be *right*; it needs them to put better architectures first. Kendall's
# tau counts pairs: how many of them do both orders agree on? And since a search ends among the good ones, the pairs that
# matter are those among the best.
#
# ### Exercise 5.5 · `rank_correlation` · ●●○○○ · 12 min · 3 points
#
# **Why it matters.** You will read that weight sharing ranks architectures reliably, and that it does not. Both are
# measured on something. Here you measure it yourself, against the table.
#
# Return tau-b between scores and truth; you may use `scipy.stats.kendalltau`. With `top`, keep only the best by *truth*:
# those at least as good as the ⌈top·n⌉-th best, so that ties at the border all count. Example: with truths 1, 2, 3, 3 and
# `top=0.25`, both threes are kept.
#
# <details><summary>Hint: "the best are chosen by score"</summary>
#
# The question is: of the architectures that really are good, does the supernet see which are better? Choosing by score
# asks something else.
#
# </details>
# <details><summary>Hint: "architectures that tie ... are left out"</summary>
#
# Sort the truths, take the value at the border, and keep all that are at least as high; `argsort()[:k]` cuts through ties.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "rank_correlation", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
def rank_correlation(scores, truth, top=None):
    """Kendall's tau-b between scores and truth, over all or among the best by truth.

    Args:
        scores: (n,) inherited accuracies.
        truth: (n,) accuracies after training each by itself.
        top: None for all, or the fraction of the best by truth, 0 < top ≤ 1.

    Returns:
        Float from −1 to 1; NaN where all scores, or all truths, are equal.

    Raises:
        ValueError: other shapes than (n,) twice with n ≥ 2, a value that is not finite, or a fraction out of range.
    """
    ### BEGIN SOLUTION
    from scipy import stats

    scores, truth = np.asarray(scores, dtype=float), np.asarray(truth, dtype=float)
    if scores.ndim != 1 or scores.shape != truth.shape or len(scores) < 2:
        raise ValueError(f"scores and truth must be (n,) with n ≥ 2, got {scores.shape} and {truth.shape}")
    if not (np.isfinite(scores).all() and np.isfinite(truth).all()):
        raise ValueError("scores and truth must be finite numbers, got NaN or infinity")
    if top is not None:
        if not 0 < top <= 1:
            raise ValueError(f"top must be a fraction above 0 and up to 1, got {top!r}")
        border = np.sort(truth)[-math.ceil(top * len(truth) - 1e-9)]
        scores, truth = scores[truth >= border], truth[truth >= border]
    return float(stats.kendalltau(scores, truth).statistic)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "rank_correlation-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("rank_correlation", rank_correlation)

# %% tags=["experiment"]
from nas_lib.benchmark import TabularBenchmark

table = TabularBenchmark.load()
truth = np.array([table.query(cell).test for cell in cells])
plotting.scatter(truth, after, xlabel="trained by itself (%)", ylabel="inherited (%)", title="Two orders of the same cells")
rank = {
    name: (rank_correlation(values, truth), rank_correlation(values, truth, top=0.2))
    for name, values in {
        "inherited, recalibrated": after,
        "inherited, as training left it": before,
        "number of MACs": np.array([count_macs(cell) for cell in cells], dtype=float),
    }.items()
}
plotting.dots(
    {
        f"all {len(cells)} cells": {name: taus[0] for name, taus in rank.items()},
        "the best fifth": {name: taus[1] for name, taus in rank.items()},
    },
    xlabel="Kendall's tau with the table",
    baseline="number of MACs",
)
best = rank["inherited, recalibrated"]
print(f"tau of the supernet: {best[0]:.2f} over all, {best[1]:.2f} among the best fifth")
print(f"tau of MACs alone:   {rank['number of MACs'][0]:.2f} and {rank['number of MACs'][1]:.2f}")

# %% [markdown]
# One supernet, one seed, and few cells near the top. The committed study `scripts/supernet_rankings.py` trains longer,
# with several seeds and by both rules, and scores several hundred cells; here are its numbers.

# %% tags=["experiment"]
import json
from pathlib import Path as File

import nas_lib

assets = File(nas_lib.__file__).parent / "assets"
study = json.loads((assets / "supernet_rankings.json").read_text())
studied = [space.from_index(index) for index in study["archs"]]
known = np.array([table.query(cell).test for cell in studied])
taus = {}
for one in study["runs"]:
    sampling = one["job"].split()[0]
    scores = one["scores"]
    taus.setdefault(sampling, []).append([rank_correlation(scores, known), rank_correlation(scores, known, top=0.1)])
for sampling, values in taus.items():
    (all_cells, top), (low, low_top), (high, high_top) = np.mean(values, 0), np.min(values, 0), np.max(values, 0)
    print(
        f"{sampling:8} {len(values)} seeds: tau {all_cells:.2f} ({low:.2f} to {high:.2f}) over {len(known)} cells, "
        f"{top:.2f} ({low_top:.2f} to {high_top:.2f}) in the top 10 %"
    )
means = {sampling: np.mean(values, 0) for sampling, values in taus.items()}
gap = means["fair"] - means["uniform"]
spread = max(np.ptp(values, axis=0)[0] for values in taus.values())
verdict = "more" if abs(gap[0]) > spread else "no more"
print(f"fair minus uniform: {gap[0]:+.2f} over all, {verdict} than seeds of one rule differ ({spread:.2f})")

# %% [markdown]
# Read both columns. A supernet that tells good cells from bad ones can be nearly blind among the good ones, where a
# search spends its time. How large the difference is, the numbers above say for this space.

# %% [markdown]
# ## 5 · Searching under a limit
#
# With a supernet an evaluation takes a fraction of a second, so that evolution can look at hundreds of architectures. And
# since nothing is trained, the search can be repeated for every device: *at most so many MACs, at most so many
# milliseconds*. Guo et al. search with a hard limit. What costs too much is never evaluated.
#
# ### Exercise 5.6 · `evolve_under_constraint` · ●●●●○ · 25 min · 5 points
#
# **Why it matters.** A penalty in the objective trades accuracy against cost, and where it ends depends on a weight that
# nobody knows beforehand. A limit says what is wanted. But it brings a trap: near a tight limit most mutants are too
# expensive, and a loop that tries "until one fits" may never end.
#
# Evaluate `population` random architectures within the limit. Then, until `budget` evaluations are spent, evaluate
# children of the best so far, by mutation (`space.mutate(arch, rng)`), crossing, or both, as you like. Every evaluated
# architecture has `cost(arch) <= limit`; `cost` is free and may be called as often as you wish, `evaluate` counts. An
# architecture may be evaluated again. Where no child fits after many tries, draw a random architecture within the limit
# instead; where nothing in the space fits, raise an error.
#
# <details><summary>Hint: "an architecture of cost ... was evaluated"</summary>
#
# Ask `cost` *before* `evaluate`, for the first population too.
#
# </details>
# <details><summary>Hint: "the loop never ends"</summary>
#
# Bound the tries: `for _ in range(100)`, and something else after it. For the random draws, note that a space can be
# counted (`len(space)`, `space.from_index(i)`): going through it in random order ends for certain.
#
# </details>
# <details><summary>Hint: "hardly better than random"</summary>
#
# Children must come from the best architectures evaluated so far, not from any of them.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "evolve_under_constraint", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
def evolve_under_constraint(evaluate, cost, limit, space, budget, population, rng):
    """Evolution among the architectures within a limit (Guo et al. 2020, algorithm 1, one child at a time).

    Args:
        evaluate: function of an architecture, to be maximised; called `budget` times.
        cost: function of an architecture; free.
        limit: the highest cost that is allowed, itself included; finite.
        space: with `sample`, `mutate`, `from_index`, `len`.
        budget: number of evaluations, ≥ 1.
        population: random architectures at the beginning, ≥ 1.
        rng: numpy.random.Generator, all the randomness.

    Returns:
        History with `budget` entries in the order of evaluation, all within the limit.

    Raises:
        ValueError: nothing in the space is within the limit, or a number out of range.
    """
    ### BEGIN SOLUTION
    if budget < 1 or population < 1 or not math.isfinite(limit):
        raise ValueError(
            f"budget and population must be 1 or more and limit finite, got {budget}, {population}, {limit}"
        )

    def fitting():
        for index in rng.permutation(len(space)):
            arch = space.from_index(int(index))
            if cost(arch) <= limit:
                return arch
        raise ValueError(f"limit must admit at least one architecture of the space, got {limit}")

    def child(best):
        for _ in range(50):
            mutant = space.mutate(best[int(rng.integers(len(best)))], rng)
            if cost(mutant) <= limit:
                return mutant
        return fitting()

    archs, values = [], []
    while len(archs) < budget:
        if len(archs) < population:
            arch = fitting()
        else:
            order = np.argsort(-np.array(values), kind="stable")[: max(1, population // 2)]
            arch = child([archs[i] for i in order])
        values.append(evaluate(arch))
        archs.append(arch)
    return History(archs, np.array(values))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "evolve_under_constraint-check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("evolve_under_constraint", evolve_under_constraint)

# %% [markdown]
# Three limits, one supernet. The search below looks at inherited accuracy only; the table then tells what the cell that
# it found is worth, and what the best cell within the limit would have been.

# %% tags=["experiment"]
macs = np.array([count_macs(cell) for cell in space])
test = np.array([table.query(cell).test for cell in space])
for share in (0.2, 0.5, 0.9):
    limit = float(np.quantile(macs, share))
    history = evolve_under_constraint(
        inherited, count_macs, limit, space, budget=60, population=12, rng=np.random.default_rng(0)
    )
    found, value = history.best()
    within = test[macs <= limit]
    real = table.query(found).test
    print(
        f"at most {limit / 1e3:,.0f} kMACs: found {space.str(found)}, inherited {value:.1f} %, by itself {real:.2f} % "
        f"({within.max() - real:.2f} below the best within the limit; better than {100 * np.mean(within < real):.1f} % of them)"
    )

# %% [markdown]
# ## 6 · A network that shrinks
#
# So far every operation had weights of its own. Once-for-All (Cai et al. 2020) shares more: a 3x3 kernel is the *centre*
# of the 5x5 one, a narrow block is the *first channels* of a wide one, a shallow stage is the *first blocks* of a deep
# one. One set of weights, the largest network's, holds them all.
#
# ### Exercise 5.7 · `slice_kernel` · ●●○○○ · 12 min · 3 points
#
# **Why it matters.** A kernel's centre has learned to work together with its border. Used alone it needs to be adapted,
# and one small matrix per kernel size does that: OFA multiplies the flattened centre with it.
#
# Cut the centre out of `weight` and, if there is a matrix, multiply: each flattened kernel is a row of length size² that
# stands on the *left* of the matrix. Gradients have to reach both. Example: from 5x5 to 3x3 rows and columns 1 to 3 stay.
#
# <details><summary>Hint: "this is the upper left corner"</summary>
#
# With margin = (k − size) // 2 the centre begins at `margin` and ends before `k - margin`.
#
# </details>
# <details><summary>Hint: "the matrix is used transposed"</summary>
#
# `flat @ transform` with `flat` of shape (out, in, size²).
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "slice_kernel", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
def slice_kernel(weight, size, transform=None):
    """A smaller kernel out of a larger one (Cai et al. 2020, section 3.3, "elastic kernel size").

    Args:
        weight: tensor (O, I, k, k).
        size: of the smaller kernel, 1 ≤ size ≤ k, odd if k is odd and even if it is even.
        transform: None, or a tensor (size², size²) that flattened kernels are multiplied with from the right.

    Returns:
        Tensor (O, I, size, size); gradients reach `weight` and `transform`.

    Raises:
        ValueError: a size without a centre in k, or a matrix of another shape.
    """
    ### BEGIN SOLUTION
    k = weight.shape[-1]
    if not 1 <= size <= k or (k - size) % 2:
        raise ValueError(f"size must be from 1 to {k} with a centre in it, got {size}")
    margin = (k - size) // 2
    centre = weight[:, :, margin : k - margin, margin : k - margin]
    if transform is None:
        return centre
    if tuple(transform.shape) != (size**2, size**2):
        raise ValueError(f"transform must be ({size**2}, {size**2}), got {tuple(transform.shape)}")
    return (centre.flatten(2) @ transform).unflatten(2, (size, size))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "slice_kernel-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("slice_kernel", slice_kernel)

# %% [markdown]
# Which channels should a narrow block keep? The first ones are as good as any when training begins. But when the large
# network is trained already, some channels matter more. OFA sorts them once, by the size of the weights that read them,
# and then takes the first.
#
# ### Exercise 5.8 · `slice_width` · ●●○○○ · 10 min · 2 points
#
# **Why it matters.** With the important channels first, a narrow network begins near the wide one's accuracy instead of
# from nothing.
#
# Keep the `width` most important rows of `weight`, the most important first, and say which they are. Equal importances
# keep their order: the lower index first. Example: importances 1, 3, 3 and width 2 give the indices 1, 2.
#
# <details><summary>Hint: "of equally important rows the lower index comes first"</summary>
#
# `torch.argsort(..., descending=True, stable=True)` keeps the order of equal entries; an ascending sort turned round
# reverses it.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "slice_width", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
def slice_width(weight, width, importance):
    """The most important rows of a weight (Cai et al. 2020, section 3.3, "elastic width").

    Args:
        weight: tensor (n, ...), a row per channel.
        width: how many to keep, 1 ≤ width ≤ n.
        importance: tensor (n,), finite; higher is more important.

    Returns:
        (rows, indices): tensor (width, ...) by falling importance, ties to the lower index, and the rows' numbers
        (width,). Gradients reach `weight`.

    Raises:
        ValueError: a width out of range, or importances that are not n finite numbers.
    """
    ### BEGIN SOLUTION
    importance = torch.as_tensor(importance)
    if not 1 <= width <= len(weight):
        raise ValueError(f"width must be from 1 to {len(weight)}, got {width}")
    if importance.shape != (len(weight),) or not torch.isfinite(importance).all():
        raise ValueError(f"importance must be {len(weight)} finite numbers, got {importance.tolist()}")
    indices = torch.argsort(importance, descending=True, stable=True)[:width]
    return weight[indices], indices
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "slice_width-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("slice_width", slice_width)

# %% [markdown]
# The library's `ElasticNetwork` is made of these two cuts, and of the first blocks of each stage. A network that is cut
# out computes *exactly* what its part of the large one computes, to the last bit.

# %% tags=["experiment"]
from nas_lib.mobile import ElasticNetwork, mobile_macs
from nas_lib.spaces import MobileSpace

mobile = MobileSpace()
elastic = ElasticNetwork(mobile, seed=0).eval()
rng = np.random.default_rng(0)
for arch in [mobile.smallest, *(mobile.sample(rng) for _ in range(4)), mobile.largest]:
    x = torch.randn(4, 1, arch.resolution, arch.resolution)
    same = torch.equal(elastic(x, arch), elastic.extract(arch)(x))
    print(f"{arch!s:28} {mobile_macs(arch) / 1e3:7,.0f} kMACs   cut out: {'the same bits' if same else 'DIFFERENT'}")

# %% [markdown]
# ## 7 · Training every size at once
#
# Draw a random size at each step, and the small networks disturb the large ones from the beginning. **Progressive
# shrinking** turns the order round: train the largest network first, then let smaller kernels in, then shallower stages,
# then narrower blocks. What has been let in stays in.
#
# ### Exercise 5.9 · `progressive_shrinking_schedule` · ●●○○○ · 10 min · 2 points
#
# **Why it matters.** The largest network is the best start for the smaller ones, and their teacher. But if only the
# newest sizes were trained, the older ones would be forgotten.
#
# `phases` is a sequence of pairs (first step, options by decision), in any order. Return what is allowed at `step`: for
# each decision the union of the options of all phases that have begun. A phase begins *at* its first step. Options may
# come in any order, each once. Example: with phases `(0, {"kernel": (5,)})` and `(100, {"kernel": (3,)})` it is
# `{"kernel": (5,)}` at step 99 and `{"kernel": (3, 5)}` at step 100.
#
# <details><summary>Hint: "only the latest phase counts"</summary>
#
# Go through all phases, and add the options of each that has begun; `dict.update` replaces instead.
#
# </details>
# <details><summary>Hint: "phases may come in any order"</summary>
#
# A `break` at the first phase that has not begun misses those listed after it.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "progressive_shrinking_schedule", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
def progressive_shrinking_schedule(step, phases):
    """What may be drawn at a step of progressive shrinking (Cai et al. 2020, section 3.3).

    Args:
        step: number of the step, from 0 up.
        phases: sequence of (first step, {decision: options}), in any order; it stays as it is.

    Returns:
        Dict of decision -> tuple of options: the union over all phases begun, each option once.

    Raises:
        ValueError: a negative step, no phases, or a step at which none has begun.
    """
    ### BEGIN SOLUTION
    begun = [options for first, options in phases if first <= step]
    if step < 0 or not begun:
        raise ValueError(f"step must be 0 or more, and a phase must have begun, got {step} with {phases!r}")
    allowed = {}
    for options in begun:
        for name, values in options.items():
            allowed.setdefault(name, set()).update(values)
    return {name: tuple(sorted(values)) for name, values in allowed.items()}
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "progressive_shrinking_schedule-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("progressive_shrinking_schedule", progressive_shrinking_schedule)

# %% [markdown]
# The largest network, trained first, knows more than the labels: that this 7 looks somewhat like a 1, say. Smaller
# networks learn from its answers beside the labels, which is called distillation (Hinton et al. 2015). A *temperature* T
# divides the logits before the softmax, so that the small probabilities count.
#
# ### Exercise 5.10 · `distillation_loss` · ●●●○○ · 15 min · 3 points
#
# **Why it matters.** Each small network gets a few steps of its own only. A teacher's answer tells it more per image
# than a label does.
#
# Return $(1 - w)\,\mathrm{CE}(\text{student}, \text{labels}) + w\,T^2\,\mathrm{KL}(p \,\|\, q)$, where p and q are the
# softmax of the teacher's and the student's logits divided by T; both parts are means over the batch. The factor T² makes
# up for gradients that soften with T. No gradient reaches the teacher. With equal logits the second part is 0.
#
# <details><summary>Hint: "the divergence is the wrong way round"</summary>
#
# `F.kl_div(log_q, log_p, log_target=True)` is KL(p‖q): PyTorch takes the *second* distribution first.
#
# </details>
# <details><summary>Hint: "averaged over classes, too"</summary>
#
# `reduction="mean"` divides by all entries; `"batchmean"` by the number of images.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "distillation_loss", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
def distillation_loss(student, teacher, labels, temperature, weight):
    """Cross-entropy with labels and divergence from a teacher's softened answers (Hinton et al. 2015, section 2).

    Args:
        student, teacher: logits (B, classes).
        labels: (B,) int64.
        temperature: T > 0.
        weight: w of the teacher's part, 0 ≤ w ≤ 1.

    Returns:
        Scalar tensor; its gradient reaches the student's logits alone.

    Raises:
        ValueError: shapes that differ, or a temperature or weight out of range.
    """
    ### BEGIN SOLUTION
    if student.shape != teacher.shape or not temperature > 0 or not 0 <= weight <= 1:
        raise ValueError(
            "student and teacher must have one shape, temperature be above 0 and weight from 0 to 1, got "
            f"{tuple(student.shape)}, {tuple(teacher.shape)}, {temperature}, {weight}"
        )
    log_p = F.log_softmax(teacher.detach() / temperature, dim=1)
    log_q = F.log_softmax(student / temperature, dim=1)
    soft = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return (1 - weight) * F.cross_entropy(student, labels) + weight * temperature**2 * soft
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "distillation_loss-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("distillation_loss", distillation_loss)

# %% [markdown]
# ## 8 · Does it work?
#
# A once-for-all training takes minutes here, so it was recorded: `scripts/mobile_table.py` trains a sample of the
# networks by themselves, `scripts/ofa_runs.py` trains elastic networks by three schemes and judges the same sample with
# inherited weights. *Progressive* is all of the above, *undistilled* goes without the teacher, *joint* draws every size
# from the first step.

# %% tags=["experiment"]
alone = json.loads((assets / "mobile_table.json").read_text())
ofa = json.loads((assets / "ofa_runs.json").read_text())
by_itself = np.mean(alone["accuracy"], axis=1)
schemes = {}
for one in ofa["runs"]:
    scores = np.array(one["inherited"])
    row = rank_correlation(scores, by_itself), rank_correlation(scores, by_itself, top=0.25), (scores - by_itself).mean()
    schemes.setdefault(one["job"].split()[0], []).append(row)
for scheme, values in schemes.items():
    tau, top, gap = np.mean(values, 0)
    print(
        f"{scheme:12} {len(values)} seeds: tau {tau:.2f} over {len(by_itself)} networks, {top:.2f} among the best quarter; "
        f"inherited minus stand-alone {gap:+.1f} points"
    )

# %% [markdown]
# And the promise itself: one training, many budgets. For each latency limit the search looked for the best network within
# it by inherited accuracy. Nothing was trained again. Beside it stands the same architecture, trained for that limit
# alone.

# %% tags=["experiment"]
for one in ofa["runs"]:
    if "specialised" in one:
        print(f"seed {one['job'].split()[1]}, trained once in {one['training_seconds']:.0f} s")
        for found in one["specialised"]:
            print(
                f"  ≤ {found['limit_ms']:.2f} ms: {found['arch']:28} measured {found['measured_ms']:.2f} ms, "
                f"as inherited {found['inherited']:.1f} %, trained alone {found['alone']:.1f} % "
                f"({found['alone_seconds']:.0f} s more)"
            )
found = [budget for one in ofa["runs"] for budget in one.get("specialised", [])]
gap = np.array([budget["inherited"] - budget["alone"] for budget in found])
print(f"inherited minus trained alone: {gap.mean():+.1f} points on average, from {gap.min():+.1f} to {gap.max():+.1f}")

# %% [markdown]
# > **A common mistake.** You will read that Once-for-All trains in three to five GPU-days, and that progressive shrinking
# > ranks sub-networks with a Kendall tau above 99 %. The paper's training takes 1,200 GPU-hours, that is 50 GPU-days; it
# > pays because it is spent once for all devices. The second figure we could not find in it. What tau is here, you have
# > just measured.
#
# ## 9 · Recap
#
# - A supernet holds every architecture of a space in one set of weights; a path is trained at the cost of one network.
# - Uniform sampling treats options equally on average, strict fairness in every step.
# - What is off the path must not move: no gradient is not the same as a gradient of zeros.
# - Batch-norm statistics of a supernet fit no path. Recalibrate before you judge.
# - A ranking is judged over all *and* among the best, against training each by itself, over seeds.
# - A hard limit is checked before an evaluation is spent, and the search must end also where little fits.
# - Once-for-all shares more: centres of kernels, first channels, first blocks. Large first, then smaller, with a teacher.
#
# ## 10 · Questions

# %% [markdown]
# ### Question 5.1 · `concept_05_1` · ●●○○○ · 1 min · 1 point
#
# A supernet was trained with uniform sampling. In evaluation mode every cell scores about 10 % on ten classes, in training
# mode (on large batches) between 50 and 80 %. What is wrong?
#
# - **a** the learning rate was too high, and the weights have diverged
# - **b** the running statistics of the batch norms fit no single path
# - **c** the paths were not sampled fairly
# - **d** the validation images are harder than the training images

# %% nbgrader={"grade": false, "grade_id": "concept_05_1", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
### BEGIN SOLUTION
concept_05_1 = "b"
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "concept_05_1-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("concept_05_1", concept_05_1)

# %% [markdown]
# ### Question 5.2 · `concept_05_2` · ●●○○○ · 1 min · 1 point
#
# Each of the six edges has five operations. How many forward passes does one strictly fair step need?
#
# - **a** 1
# - **b** 6
# - **c** 30
# - **d** 5

# %% nbgrader={"grade": false, "grade_id": "concept_05_2", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
### BEGIN SOLUTION
concept_05_2 = "d"
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "concept_05_2-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("concept_05_2", concept_05_2)

# %% [markdown]
# ### Question 5.3 · `concept_05_3` · ●●●○○ · 2 min · 1 point
#
# Over all cells a supernet's tau is 0.7; among the top 10 % it is 0.1. You may train twenty cells by yourself. Which use
# of the supernet is best supported by these two numbers?
#
# - **a** let it choose a hundred good candidates, and spend the trainings among them
# - **b** train the twenty cells with its highest scores, and trust their order
# - **c** do not use it: 0.1 shows that its weights are useless
# - **d** train its best cell twenty times with different seeds

# %% nbgrader={"grade": false, "grade_id": "concept_05_3", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
### BEGIN SOLUTION
concept_05_3 = "a"
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "concept_05_3-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("concept_05_3", concept_05_3)

# %% [markdown]
# ### Question 5.4 · `concept_05_4` · ●●○○○ · 1 min · 1 point
#
# Why does progressive shrinking begin with the largest network?
#
# - **a** it has the fewest weights to share, so it trains fastest
# - **b** its batch norms need the most images
# - **c** it is the start and the teacher of the smaller ones, which then disturb it less
# - **d** small networks cannot be trained before large ones, since their kernels do not exist yet

# %% nbgrader={"grade": false, "grade_id": "concept_05_4", "locked": false, "schema_version": 3, "solution": true, "task": false} tags=["exercise"]
### BEGIN SOLUTION
concept_05_4 = "c"
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "concept_05_4-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["check"]
check("concept_05_4", concept_05_4)

# %% [markdown] nbgrader={"grade": false, "grade_id": "open_05_1-prompt", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ### Open question 5.1 · `open_05_1` · ●●●○○ · 15 min · 4 points
#
# A company ships one application to forty kinds of phones. A team proposes to train a once-for-all network once, and to
# pick a sub-network for each phone by inherited accuracy. A second team would rather take one hand-made network and
# scale its width to each phone's budget, training forty times. In eight to ten sentences: what has to be measured before
# you decide, and how? Where could each proposal fail? What do the numbers of this lesson say about it, and what do they
# not say?
#
# ### BEGIN MARK SCHEME
# One point each, half points allowed:
# 1. Cost: one long training plus cheap searches against forty trainings; where they break even, with the lesson's times;
#    latency has to be measured on each phone, not predicted from MACs.
# 2. Quality: inherited accuracy against the same network trained alone at several budgets (the recorded gap), over seeds;
#    the comparison at equal latency, with the scaled network included.
# 3. Failure: rankings are coarse near the top, so the choice may be no better than a random one within the budget;
#    recalibration is needed for each choice; scaling by width alone may waste the budget on some devices.
# 4. Limits of the evidence: one small space, small images, few seeds; what would be repeated at full size.
# ### END MARK SCHEME

# %% [markdown] nbgrader={"grade": true, "grade_id": "open_05_1", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# Before deciding I would measure three things at a handful of budgets: the latency of the candidates on real phones, the
# accuracy of the sub-network as it is inherited, and that of the same network and of the scaled one trained alone, each
# over several seeds and at equal latency. Once-for-all costs one long training and a short search per phone, scaling costs
# forty trainings; with the times recorded above I can say at how many phones the first becomes cheaper. It can fail in two
# ways. Inherited weights may fall behind training alone, which the last table shows per budget. And the ranking near the
# top may be so coarse that the search picks little better than chance within the limit, so I would train a few of its
# candidates. Scaling fails where width is the wrong thing to give up, for instance where resolution costs most. Whatever is
# chosen needs its batch norms recalibrated. All of this was measured on one space of small networks and images with few
# seeds; the direction may hold at full size, the gaps need not.

# %% [markdown]
# ## References
#
# - Z. Guo, X. Zhang, H. Mu, W. Heng, Z. Liu, Y. Wei and J. Sun (2020). *Single Path One-Shot Neural Architecture Search
#   with Uniform Sampling.* ECCV. [arXiv:1904.00420](https://arxiv.org/abs/1904.00420).
# - X. Chu, B. Zhang and R. Xu (2021). *FairNAS: Rethinking Evaluation Fairness of Weight Sharing Neural Architecture
#   Search.* ICCV. [arXiv:1907.01845](https://arxiv.org/abs/1907.01845).
# - H. Cai, C. Gan, T. Wang, Z. Zhang and S. Han (2020). *Once-for-All: Train One Network and Specialize it for Efficient
#   Deployment.* ICLR. [arXiv:1908.09791](https://arxiv.org/abs/1908.09791).
# - G. Hinton, O. Vinyals and J. Dean (2015). *Distilling the Knowledge in a Neural Network.*
#   [arXiv:1503.02531](https://arxiv.org/abs/1503.02531).
# - K. Yu, C. Sciuto, M. Jaggi, C. Musat and M. Salzmann (2020). *Evaluating the Search Phase of Neural Architecture
#   Search.* ICLR. [arXiv:1902.08142](https://arxiv.org/abs/1902.08142). On how little a supernet's ranking may say.
