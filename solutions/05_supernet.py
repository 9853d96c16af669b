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
# **{minutes} · {points}.** At the end of this lesson you will be able to
#
# - train thousands of architectures in one set of weights, one random path at a time, and say what
#   is fair about it;
# - judge an architecture by inherited weights, and know why its batch norms must be recalibrated
#   first;
# - measure how far a supernet's ranking can be trusted, over all cells and among the best;
# - search under a limit on cost that no evaluation may break, and let a controller learn from
#   shared weights;
# - build a network that shrinks in kernel, width and depth, and train it so that every size is good
#   as it is.
#
# The notebook computes for three to four minutes. You need the space and the table from lesson 00;
# no exercise of an earlier lesson is used here.
#
# ## Training once
#
# Lesson 04 trained one network that holds all operations, but as a *mixture*, which is not what is
# deployed. One-shot methods train a **supernet** in which each architecture is a *path*, and each
# step trains one path alone. Afterwards any architecture can be judged in a fraction of a second,
# with the weights that it shares with all the others.
#
# Do inherited accuracies *rank* architectures as training them by themselves would (sections 1 to
# 5)? And can a network be good enough *as it is inherited*, so that nothing has to be trained again
# for the next phone (sections 6 to 8)?

# %% tags=["setup"]
import copy
import math
import time

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
# A path names one option for each decision. Single-path one-shot (Guo et al. 2020) draws it
# *uniformly*: every option of every decision equally likely, each decision by itself. No
# architecture is preferred while the weights are trained, so that none wins later because it was
# trained more.
#
# ### Exercise 5.1 · `sample_path` · ●○○○○ · 3 min · 1 point
#
# **Why it matters.** In DARTS what gets ahead early is trained more and gets further ahead. Uniform
# sampling cuts that knot.
#
# Draw anew for each decision of `choices` (as `space.choices`). Options may be of any type: a path
# holds them as they are. Example: `sample_path([("a", "b"), (3, 5, 7)], rng)` is `("b", 3)` or one
# of five others.
#
# <details><summary>Hint: "come together ... times"</summary>
#
# One draw for all decisions gives each its first option, or each its second.
#
# </details>

# %% tags=["exercise"]
def sample_path(choices, rng):
    """One option of each decision, drawn uniformly and independently (Guo et al. 2020, section 3).

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
    if not len(choices) or not all(len(options) for options in choices):
        raise ValueError(f"choices must be one or more decisions with options, got {choices!r}")
    return tuple(options[int(rng.integers(len(options)))] for options in choices)
    ### END SOLUTION

# %% tags=["check"]
check("sample_path", sample_path)

# %% [markdown]
# Uniform sampling is fair in the long run only. After n steps an option has been trained n/K times
# *on average*, and the spread around it grows as √n. FairNAS (Chu et al. 2021) asks for more: in
# every step each option of each decision is trained **exactly once**. A step then consists of K
# paths, one per option, whose gradients are added up.
#
# ### Exercise 5.2 · `fair_paths` · ●●○○○ · 10 min · 2 points
#
# **Why it matters.** Options that were trained on different batches are hard to compare. After a
# strictly fair step all have had the same.
#
# Return K paths in which each option of each decision occurs exactly once. Every decision has a
# random order of its own, the first one, too: all such lists of paths are equally likely. Example:
# for `[("a", "b"), ("c", "d")]` it is `[("a", "c"), ("b", "d")]` or `[("a", "d"), ("b", "c")]`,
# each in both orders.
#
# <details><summary>Hint: "there is one list per decision"</summary>
#
# You have columns; paths are rows. `zip(*columns)` turns one into the other.
#
# </details>

# %% tags=["exercise"]
def fair_paths(choices, rng):
    """Paths that hold each option of each decision exactly once (Chu et al. 2021, algorithm 1).

    Args:
        choices: the options of each decision, K everywhere.
        rng: numpy.random.Generator, all the randomness.

    Returns:
        List of K paths, each a tuple with one option per decision; the decisions' orders are
        independent.

    Raises:
        ValueError: no decisions or options, or decisions with different numbers of options.
    """
    ### BEGIN SOLUTION
    sizes = {len(options) for options in choices}
    if len(sizes) != 1 or 0 in sizes:
        raise ValueError(
            f"choices must have equally many options, one or more, everywhere, got {choices!r}"
        )
    columns = [[options[i] for i in rng.permutation(len(options))] for options in choices]
    return list(zip(*columns))
    ### END SOLUTION

# %% tags=["check"]
check("fair_paths", fair_paths)

# %% [markdown]
# How often is each operation of one edge trained, by both rules and at equal cost?

# %% tags=["experiment"]
from nas_lib.predictions import predict

guess_gap = predict("Uniform, 2,000 passes: the most trained minus the least trained?", ...)

# %% tags=["experiment"]
from nas_lib import plotting
from nas_lib.fallbacks import or_fallback
from nas_lib.lesson import progress

draw, draw_fairly = or_fallback("sample_path", sample_path), or_fallback("fair_paths", fair_paths)
passes, rng = 5 * np.arange(1, 401), np.random.default_rng(0)
drawn = {
    "uniform": [draw(space.choices, rng) for _ in range(passes[-1])],
    "strictly fair": [path for _ in passes for path in draw_fairly(space.choices, rng)],
}
gaps = {
    name: np.ptp(np.cumsum([[path[0] == op for op in OPS] for path in paths], 0)[passes - 1], 1)
    for name, paths in drawn.items()
}

# %% tags=["experiment"]
ax = plotting.lines(
    gaps,
    x=passes,
    xlabel="passes",
    ylabel="times trained, most minus least",
    title="How unequally the five operations of edge 0→1 are trained",
)
plotting.guess(ax, guess_gap)
print(f"after {passes[-1]:,} passes strictly fair: {gaps['strictly fair'][-1]}")
guess_gap.beside(int(gaps["uniform"][-1]))

# %% [markdown]
# <details><summary>What we got</summary>
#
# After 2,000 passes one operation had been trained 55 times more often than another, of some four
# hundred times each: a difference of chance, which fair sampling takes to 0.
#
# </details>

# %% [markdown]
# ## 2 · One step
#
# `supernet(x, path)` computes that path alone. So a step costs no more than one of an ordinary
# network, however many architectures the supernet holds.
#
# ### Exercise 5.3 · `train_single_path_step` · ●●○○○ · 12 min · 3 points
#
# **Why it matters.** Whatever is off the path must stay *exactly* as it was. An optimiser moves
# every weight that has a gradient, and a gradient of zeros counts as one. Weight decay and momentum
# then pull at weights that were not used.
#
# Do one step on the path's mean cross-entropy over `batch = (x, y)`, with a single forward pass;
# return the loss before it. Old gradients may be there.
#
# <details><summary>Hint: "options off the path have moved"</summary>
#
# `optimizer.zero_grad()` sets gradients to `None`, so that the optimiser passes over what the path
# does not use; `set_to_none=False` leaves zeros, on which weight decay and momentum act.
#
# </details>

# %% tags=["exercise"]
def train_single_path_step(supernet, batch, optimizer, path):
    """One optimiser step of the weights on one path (Guo et al. 2020, section 3), and of no others.

    Args:
        supernet: module in training mode, which it keeps; `supernet(x, path)` gives logits (B,
            classes).
        batch: images (B, ...) and labels (B,).
        optimizer: over the supernet's parameters.
        path: which architecture, one option per decision.

    Returns:
        The loss before the step, the mean cross-entropy, a float.

    Changes:
        Weights on the path, gradients, and the optimizer's state.

    Raises:
        ValueError: labels and images of different numbers; no weight has moved then. A loss that is
            not finite is no error: the step is taken, and it is returned.
    """
    ### BEGIN SOLUTION
    optimizer.zero_grad()
    loss = F.cross_entropy(supernet(batch[0], path), batch[1])
    loss.backward()
    optimizer.step()
    return loss.item()
    ### END SOLUTION

# %% tags=["check"]
check("train_single_path_step", train_single_path_step)

# %% [markdown]
# With K updates for K paths the second would train on weights that the first has just moved. So
# FairNAS runs all K on *one* batch, adds up their gradients, and updates once.
#
# ### Exercise 5.4 · `train_fair_step` · ●●●○○ · 12 min · 3 points
#
# **Why it matters.** Added up or averaged? Each option is on one of the K paths: the sum gives it
# that path's whole gradient, as a single-path step does, an average only one K-th. What all paths
# share, such as the stem, gets K gradients at once.
#
# Draw paths as `fair_paths` does (or by `nas_lib.one_shot.fair_round`, if yours is unfinished). Run
# each once on the whole batch, add up the gradients of their mean cross-entropies, make one step,
# and return the mean of the K losses. Old gradients may be there. Example: with the losses 2.1, 2.4
# and 2.7 the step goes down the gradient of 7.2, and 2.4 is returned.
#
# <details><summary>Hint: "where do gradients add up?"</summary>
#
# `backward()` adds to what is in `.grad`. So clear once, call it K times, and step once.
#
# </details>

# %% tags=["exercise"]
def train_fair_step(supernet, batch, optimizer, choices, rng):
    """One optimiser step on K strictly fair paths (FairNAS; Chu et al. 2021, algorithm 1).

    Args:
        supernet: module in training mode, which it keeps; `supernet(x, path)` gives logits (B,
            classes).
        batch: images (B, ...) and labels (B,), the same for all paths.
        optimizer: over the supernet's parameters.
        choices: the options of each decision, K everywhere.
        rng: numpy.random.Generator, all the randomness.

    Returns:
        The mean of the K paths' losses before the step, each a mean cross-entropy; a float.

    Changes:
        Weights, gradients, and the optimizer's state; no weight that is on no path.

    Raises:
        ValueError: decisions with different numbers of options, none of either, or labels and
            images of different numbers; no weight has moved then. A loss that is not finite is no
            error: it goes into the step and the mean, as in a single-path step.
    """
    ### BEGIN SOLUTION
    paths = fair_paths(choices, rng)
    optimizer.zero_grad()
    losses = []
    for path in paths:
        loss = F.cross_entropy(supernet(batch[0], path), batch[1])
        loss.backward()
        losses.append(loss.item())
    optimizer.step()
    return sum(losses) / len(losses)
    ### END SOLUTION

# %% tags=["check"]
check("train_fair_step", train_fair_step)

# %% [markdown]
# Now train one: the network of the table, with all five operations on each edge of both cells. The
# operations' batch norms have no scale and shift of their own, since one pair could not suit every
# cell.
#
# On real images, set `DATASET` to "mnist" or "cifar10", which is fetched once (12 or 170 MB). A
# step takes about 1.1 or 1.4 times as long. The table's ranks stay those of the digits.

# %% tags=["experiment"]
from nas_lib.networks import count_macs
from nas_lib.one_shot import BatchOrder, SinglePathSupernet, half_cosine
from nas_lib.training import load_splits, recipe_for

train_step, STEPS, RATE = or_fallback("train_single_path_step", train_single_path_step), 6000, 0.1
torch.set_num_threads(1)  # such small networks gain nothing by more
device = "cuda" if torch.cuda.is_available() else "cpu"
DATASET = "cluttered_digits"  # or "mnist", "cifar10"
recipe = recipe_for(DATASET)
splits = load_splits(recipe, DATASET).to(device)

# %% tags=["experiment"]
def trained(advance, steps, seed):
    """A new supernet and its losses, after calls of advance(supernet, batch, optimizer, rng)."""
    net = SinglePathSupernet(recipe.network, seed=seed).to(device)
    net = net.to(memory_format=torch.channels_last).train()
    sgd = torch.optim.SGD(net.parameters(), RATE, momentum=0.9, nesterov=True, weight_decay=5e-5)
    batches, rng = BatchOrder(len(splits.train[1]), 64, seed), np.random.default_rng(seed)
    losses = []
    for step in progress(range(steps), "step"):
        sgd.param_groups[0]["lr"] = half_cosine(RATE, step, steps)
        batch = tuple(part[batches(step)] for part in splits.train)
        losses.append(advance(net, batch, sgd, rng))
    return net, losses


def single(net, batch, sgd, rng):
    """One step on one random path."""
    return train_step(net, batch, sgd, draw(space.choices, rng))

# %% tags=["experiment"]
started = time.process_time()
supernet, losses = trained(single, STEPS, seed=0)
supernet_seconds = time.process_time() - started
smooth = {"mean of 100 steps": np.convolve(losses, np.ones(100) / 100, "valid")}
title = "One supernet in training, a random cell at each step"
plotting.lines(smooth, xlabel="step", ylabel="cross-entropy", title=title);

# %% [markdown]
# A pass costs the same in both rules, so compare them at equal *passes*: a thousand single-path
# steps, or two hundred fair ones, judged by forty random cells on a batch of 500 validation images,
# whose own statistics normalise them.

# %% tags=["experiment"]
rules = ("single paths", "fair steps")
guess_rule = predict("After 1,000 passes each, whose cells inherit more?", ..., options=rules)

# %% tags=["experiment"]
from nas_lib.one_shot import batch_accuracy, distinct_functions

fair_step, PASSES = or_fallback("train_fair_step", train_fair_step), 1000
forty = distinct_functions(40, np.random.default_rng(2))
unseen = tuple(part[:500] for part in splits.valid)


def fair(net, batch, sgd, rng):
    """One step on five fair paths."""
    return fair_step(net, batch, sgd, space.choices, rng)


inherits = {}
for rule, advance, steps in zip(rules, (single, fair), (PASSES, PASSES // len(OPS))):
    net, its_losses = trained(advance, steps, seed=1)
    inherits[rule] = np.mean([batch_accuracy(net, cell, unseen) for cell in forty])
    print(f"{rule}, {steps} updates: last losses {np.mean(its_losses[-steps // 10:]):.2f},")
    print(f"    inherited accuracy {inherits[rule]:.1f} %")
guess_rule.beside(max(inherits, key=inherits.get))

# %% [markdown]
# <details><summary>What we got</summary>
#
# Single paths inherit about 26 %, fair steps about 20 %: as many passes, a fifth of the updates.
# One seed, and early.
#
# </details>
# %% [markdown]
# ## 3 · Judging a path
#
# A batch norm gets its mean and variance by *averaging what it sees*, in a supernet another path at
# every step. So in evaluation mode each path is normalised with numbers that fit none. The remedy
# costs a few forward passes: forget the averages, show the path some training images, and average
# again.
#
# ### Exercise 5.5 · `recalibrate_bn` · ●●●○○ · 18 min · 4 points
#
# **Why it matters.** Without it, inherited accuracies may hardly be better than guessing, and rank
# nothing.
#
# Give the batch norms on `path` the plain average, over the batches, of each batch's mean and
# unbiased variance: what PyTorch collects in training mode with `momentum = None` after
# `reset_running_stats()`. Norms are of any kind (`BatchNorm1d`, `BatchNorm2d`). Weights and their
# gradients, every norm's momentum and every module's mode end as they were, also where an error
# ends the call. Statistics of norms off the path may change. `batches` may be an iterator, to be
# read once.
#
# <details><summary>Hint: "the call changes ….training"</summary>
#
# Note `module.training` of every module before you begin, and put each back in a `finally:`, so
# also if something fails.
#
# </details>

# %% tags=["exercise"]
def recalibrate_bn(supernet, path, batches):
    """Collect batch-norm statistics for one path over all batches (Guo et al. 2020, section 3).

    Args:
        supernet: module; `supernet(x, path)` computes the path.
        path: which architecture.
        batches: iterable of (x, y); labels are not used and may be None.

    Returns:
        Nothing.

    Changes:
        Running statistics of the supernet's batch norms.

    Raises:
        ValueError: no batches, or one with too few values for a variance.
    """
    ### BEGIN SOLUTION
    norms = [m for m in supernet.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    modes = [(module, module.training) for module in supernet.modules()]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    supernet.train()
    seen = False
    try:
        with torch.no_grad():
            for x, _ in batches:
                supernet(x, path)
                seen = True
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode
    if not seen:
        raise ValueError("batches must hold at least one batch, got none")
    ### END SOLUTION

# %% tags=["check"]
check("recalibrate_bn", recalibrate_bn)

# %% tags=["experiment"]
calibrate = or_fallback("recalibrate_bn", recalibrate_bn)
cells = distinct_functions(150, np.random.default_rng(1))
calibration = [(x, None) for x in splits.train[0][:1024].split(256)]
x_valid, y_valid = (part[:2000].split(500) for part in splits.valid)


@torch.no_grad()
def inherited(cell, recalibrate=True):
    """Validation accuracy (percent) with the supernet's weights."""
    if recalibrate:
        calibrate(supernet, cell, calibration)
    supernet.eval()
    hits = [(supernet(x, cell).argmax(1) == y).float().mean() for x, y in zip(x_valid, y_valid)]
    return 100 * float(torch.stack(hits).mean())

# %% tags=["experiment"]
guess_bn = predict("How many points does recalibration bring, on average?", ..., unit="points")

# %% tags=["experiment"]
before = np.array([inherited(cell, recalibrate=False) for cell in progress(cells, "cell")])
after = np.array([inherited(cell) for cell in progress(cells, "cell")])
labels = {"xlabel": "as training left the batch norms (%)", "ylabel": "recalibrated (%)"}
plotting.scatter(before, after, **labels, diagonal=True, title="Inherited accuracy")
print(f"mean inherited accuracy: {before.mean():.1f} % before, {after.mean():.1f} % after")
guess_bn.beside(after.mean() - before.mean())

# %% [markdown]
# <details><summary>What we got</summary>
#
# On average about 35 % before and about 55 % after recalibration. Training the same cells by
# themselves gives far more: inherited accuracies are no accuracies, at best an order.
#
# </details>

# %% [markdown]
# ## 4 · What is the ranking worth?
#
# A search needs inherited accuracies not to be *right* but to put better architectures first.
# Kendall's tau counts pairs: on how many do both orders agree? And since a search ends among the
# good ones, those are the pairs that matter.
#
# ### Exercise 5.6 · `rank_correlation` · ●○○○○ · 5 min · 1 point
#
# **Why it matters.** You will read that weight sharing ranks architectures reliably, and that it
# does not. Here you measure it.
#
# Return tau-b; use `scipy.stats`. With `top`, keep only the best by *truth*: those at least as good
# as the ⌈top·n⌉-th best, with all that tie at the border. Example: with truths 1, 2, 3, 3 and
# `top=0.25`, both threes are kept.
#
# <details><summary>Hint: "architectures that tie ... are left out"</summary>
#
# Compare with the value at the border; `argsort()[:k]` cuts through ties.
#
# </details>

# %% tags=["exercise"]
def rank_correlation(scores, truth, top=None):
    """Kendall's tau-b between scores and truth, over all or among the best by truth.

    Args:
        scores: (n,) inherited accuracies, an array or any sequence of numbers.
        truth: (n,) accuracies after training each by itself.
        top: None for all, or the fraction of the best by truth, 0 < top ≤ 1.

    Returns:
        Float from −1 to 1; NaN where all scores, or all truths, are equal, or one is left.

    Raises:
        ValueError: other shapes than (n,) twice with n ≥ 2, a value that is not finite, or a
            fraction out of range.
    """
    ### BEGIN SOLUTION
    from scipy import stats

    scores, truth = np.asarray(scores, dtype=float), np.asarray(truth, dtype=float)
    if scores.ndim != 1 or scores.shape != truth.shape or len(scores) < 2:
        raise ValueError(
            f"scores and truth must be (n,) with n ≥ 2, got {scores.shape} and {truth.shape}"
        )
    if not (np.isfinite(scores).all() and np.isfinite(truth).all()):
        raise ValueError("scores and truth must be finite numbers, got NaN or infinity")
    if top is not None:
        if not 0 < top <= 1:
            raise ValueError(f"top must be a fraction above 0 and up to 1, got {top!r}")
        border = np.sort(truth)[-math.ceil(top * len(truth) - 1e-9)]
        scores, truth = scores[truth >= border], truth[truth >= border]
    return float(stats.kendalltau(scores, truth).statistic)
    ### END SOLUTION

# %% tags=["check"]
check("rank_correlation", rank_correlation)

# %% tags=["experiment"]
from nas_lib.benchmark import TabularBenchmark

table, rank = TabularBenchmark.load(), or_fallback("rank_correlation", rank_correlation)
truth = np.array([table.query(cell).test for cell in cells])
labels = {"xlabel": "trained by itself (%)", "ylabel": "inherited (%)"}
plotting.scatter(truth, after, **labels, title="Two orders of the same cells");

# %% tags=["experiment"]
guess_top = predict("Inherited accuracy's tau among the best fifth of these cells?", ...)

# %% tags=["experiment"]
orders = {
    "inherited, recalibrated": after,
    "inherited, as training left it": before,
    "number of MACs": [count_macs(cell) for cell in cells],
}
panels = {f"all {len(cells)} cells": None, "the best fifth": 0.2}
taus = {
    panel: {name: rank(scores, truth, top) for name, scores in orders.items()}
    for panel, top in panels.items()
}
plotting.dots(taus, xlabel="Kendall's tau with the table", baseline="number of MACs")
for panel, found in taus.items():
    print(f"{panel}: " + ", ".join(f"{name} {tau:.2f}" for name, tau in found.items()))
guess_top.beside(taus["the best fifth"]["inherited, recalibrated"])

# %% [markdown]
# One supernet, one seed, few cells near the top: `scripts/recordings/supernet_rankings.py` recorded
# several seeds of both rules.

# %% tags=["experiment"]
from nas_lib.one_shot import recorded_rankings

archs, runs = recorded_rankings()
known = np.array([table.query(arch).test for arch in archs])
macs = np.array([count_macs(arch) for arch in archs])
for rule in ("uniform", "fair"):
    scores = [run.scores for run in runs if run.sampling == rule]
    everywhere, on_top = ([rank(one, known, top) for one in scores] for top in (None, 0.1))
    print(f"{rule:8} {len(scores)} seeds: tau {min(everywhere):.2f} to {max(everywhere):.2f} over")
    print(f"    {len(archs)} cells, {min(on_top):.2f} to {max(on_top):.2f} in the top 10 %")
print(f"MACs alone: tau {rank(macs, known):.2f}, {rank(macs, known, 0.1):.2f} in the top 10 %")

# %% [markdown]
# How rough is a tau over fifty architectures, the top 10 %? A bootstrap tells: draw as many, with
# replacement, compute every tau again on the *same* draw, and look at the differences (lesson 01).

# %% tags=["experiment"]
from nas_lib.rankings import mean_interval, print_verdicts, tau_differences

best = known >= np.sort(known)[-len(known) // 10]
orders = {
    rule: [np.array(run.scores)[best] for run in runs if run.sampling == rule]
    for rule in ("uniform", "fair")
}
gaps = tau_differences(orders | {"MACs": [macs[best]]}, known[best], "uniform", rank)
title = f"Among the {best.sum()} best cells: mean and 95 % interval"
plotting.intervals(gaps, xlabel="difference of Kendall's tau", title=title)
print_verdicts(gaps)

# %% [markdown]
# A supernet that tells good cells from bad ones can be nearly blind among the good ones, where a
# search spends its time. Of our two rules uniform sampling is ahead there. Whether it orders good
# cells better than counting MACs, fifty cells do not decide.
#
# <details><summary>What we got</summary>
#
# Over 500 cells uniform sampling has a tau of 0.74 to 0.75, fair sampling 0.72 to 0.73, MACs 0.71.
# In the top 10 % it is 0.14 to 0.27, 0.08 to 0.17 and 0.31. There uniform is 0.09 ahead of fair
# (0.04 to 0.16), and its 0.11 behind MACs are not decided.
#
# </details>
#
# ## 5 · Searching under a limit
#
# Since nothing is trained, the search can be repeated for every device: *at most so many MACs, at
# most so many milliseconds*. Guo et al. search with a hard limit. What costs too much is never
# evaluated.
#
# ### Exercise 5.7 · `evolve_under_constraint` · ●●●●○ · 25 min · 5 points
#
# **Why it matters.** Where a penalty in the objective ends depends on a weight that nobody knows
# beforehand; a limit says what is wanted. But near a tight one most mutants are too expensive, and
# a loop that tries "until one fits" may never end.
#
# Evaluate `population` random architectures within the limit, all of them equally likely. Then,
# until `budget` evaluations are spent, evaluate children of the best so far, by mutation
# (`space.mutate(arch, rng)`), crossing, or both, as you like; a child differs from its parents.
# Every evaluated architecture has `cost(arch) <= limit`; `cost` is free and may be called as often
# as you wish, `evaluate` counts. An architecture may be evaluated again. Only where no child fits
# after many tries (20 or more), draw another random architecture within the limit instead; where
# nothing in the space fits, raise an error.
#
# <details><summary>Hint: "the loop never ends"</summary>
#
# Bound the tries: `for _ in range(100)`, and something else after it. For the random draws, note
# that a space can be counted (`len(space)`, `space.from_index(i)`): going through it in random
# order ends for certain.
#
# </details>

# %% tags=["exercise"]
def evolve_under_constraint(evaluate, cost, limit, space, budget, population, rng):
    """Evolution within a limit on cost, one child at a time (Guo et al. 2020, algorithm 1).

    Args:
        evaluate: function of an architecture, to be maximised; called `budget` times.
        cost: function of an architecture; free.
        limit: the highest cost that is allowed, itself included; finite, may be below 0.
        space: with `sample`, `mutate`, `from_index`, `len`.
        budget: number of evaluations, ≥ 1.
        population: how many random architectures come first, ≥ 1; the rest are children.
        rng: numpy.random.Generator, all the randomness.

    Returns:
        History with `budget` entries in the order of evaluation, all within the limit.

    Raises:
        ValueError: nothing in the space is within the limit, or a number out of range.
    """
    ### BEGIN SOLUTION
    if budget < 1 or population < 1 or not math.isfinite(limit):
        raise ValueError(
            f"budget and population must be 1 or more and limit finite, got {budget}, "
            f"{population}, {limit}"
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
    for i in range(budget):
        best = np.argsort(-np.array(values), kind="stable")[:5]
        archs.append(fitting() if i < population else child([archs[k] for k in best]))
        values.append(evaluate(archs[i]))
    return History(archs, np.array(values))
    ### END SOLUTION

# %% tags=["check"]
check("evolve_under_constraint", evolve_under_constraint)

# %% [markdown]
# Three limits, one supernet. The search looks at inherited accuracy only; the table then tells what
# its cell is worth, and the best within the limit. Beside it stands what the same processor time
# buys without a supernet, random search within the limit, each cell trained once; and no search:
# any cell of the most MACs that the limit allows.

# %% tags=["experiment"]
names = ("the supernet", "random search")
guess_limit = predict("Which finds the better cell at the loosest limit?", ..., options=names)

# %% tags=["experiment"]
from nas_lib.training import train

evolve = or_fallback("evolve_under_constraint", evolve_under_constraint)
started = time.process_time()
for cell in cells[:3]:
    train(cell, splits, recipe, seed=100)
one_training = (time.process_time() - started) / 3


macs = np.array([count_macs(cell) for cell in space])
test = np.array([table.query(cell).test for cell in space])

# %% tags=["experiment"]
from nas_lib.search import random_winners

limits = np.quantile(macs, (0.2, 0.5, 0.9)).tolist()
for limit in limits:
    started, rng = time.process_time(), np.random.default_rng(0)
    history = evolve(inherited, count_macs, limit, space, budget=150, population=30, rng=rng)
    seconds = supernet_seconds + time.process_time() - started
    trainings = max(1, round(seconds / one_training))
    (found, value), allowed = history.best(), macs <= limit
    real, best = table.query(found).test, test[allowed].max()
    print(f"at most {limit / 1e3:,.0f} kMACs: {space.str(found)}, inherited {value:.1f} %,")
    print(f"    by itself {real:.2f} %, {best - real:.2f} below the best within the limit")
    chance = test[random_winners(table, trainings, rng, allowed=allowed)]
    low, middle, high = np.percentile(chance, (10, 50, 90))
    print(f"    {trainings} trainings, {seconds:.0f} s: {middle:.2f} ({low:.2f} … {high:.2f})")
    most = test[allowed & (macs == macs[allowed].max())].mean()
    print(f"    no search, the most MACs within the limit: {most:.2f} on average")
guess_limit.beside(names[0] if real > middle else names[1])

# %% [markdown]
# Let each of the three recorded supernets with uniform sampling (section 4) choose the best of 150
# random cells within the limit, 500 times over.

# %% tags=["experiment"]
where, rng = np.array([space.index(arch) for arch in archs]), np.random.default_rng(0)
uniform = [np.array(run.scores) for run in runs if run.sampling == "uniform"]
for limit in limits:
    pools = rng.choice(np.flatnonzero(macs[where] <= limit), size=(500, 150))
    chosen = [np.take_along_axis(pools, scores[pools].argmax(1)[:, None], 1) for scores in uniform]
    medians = ", ".join(f"{np.median(known[one]):.2f}" for one in chosen)
    luck = np.random.default_rng(1)
    chance = test[random_winners(table, trainings, luck, allowed=macs <= limit)]
    print(f"at most {limit / 1e3:,.0f} kMACs: medians of three supernets {medians} %,")
    print(f"    of random search, {trainings} trainings: {np.median(chance):.2f} %")

# %% [markdown]
# <details><summary>What we got</summary>
#
# The one search: at the two tighter limits as good as the median random search of the same time
# (about 57.4 and about 80.1 %), at the loosest four points behind (about 80.1 against about 84.0).
# No search is far behind at the tight limits (50.34 and 67.46 %), less so at the loosest (82.02).
# The recorded supernets: 58.57 in all three, 81.62 to 82.06, and 83.64 to 84.58, so a point or two
# ahead at the tighter limits, and not ahead at the loosest.
#
# </details>
#
# A supernet is hardly a cheaper way to *one* cell on this space, where a training takes seconds.
# What it offers is the second limit, and the fortieth.

# %% [markdown]
# ### A controller that asks the supernet
#
# Lesson 03's controller paid a training for each reward. ENAS (Pham et al. 2018) pays a forward
# pass: a path's accuracy, by shared weights, on a batch of validation images. It trains weights and
# controller in turns. Here the controller's turn is left: *the weights stay as they are*.
#
# ### Exercise 5.8 · `enas_controller_step` · ●●●○○ · 15 min · 3 points
#
# **Why it matters.** ENAS's authors count a thousand times fewer GPU-hours than a controller needs
# that trains for each reward. What such a cheap reward is *worth*, the experiment shows.
#
# Sample n architectures, score them in one call, and do one step on lesson 03's loss,
# $-\frac1n \sum (R_i - b) \log p_i - \text{weight}\cdot\frac1n \sum H_i$, with the baseline b
# that comes in. The rewards move it afterwards, to decay·b + (1 − decay)·mean(R). Return the mean
# reward and that new baseline. No gradient goes through rewards; old gradients may be there.
# Example: rewards 60 and 70, baseline 50 and decay 0.9 return (65.0, 51.5).
#
# <details><summary>Hint: "a gradient arrives at the weights that the rewards come from"</summary>
#
# `rewards.detach()` makes them numbers. A score that a supernet computes may bring along its graph.
#
# </details>

# %% tags=["exercise"]
def enas_controller_step(
    controller, score, optimizer, baseline, decay, n, entropy_weight, generator
):
    """One REINFORCE step of a controller by shared weights' rewards (Pham et al. 2018, sec. 2.2).

    Args:
        controller: as in lesson 03; `controller.sample(n, generator)` gives actions (n, D) int64,
            log-probabilities (n,) and entropies (n,), the latter two with their gradients.
        score: function of the actions (n, D) as they were sampled; gives n rewards, ints or floats
            in a tensor, an array or a list. It costs forward passes: call it once.
        optimizer: over the controller's parameters.
        baseline: moving average of the rewards so far, a finite number.
        decay: share of the old baseline that is kept, 0 ≤ decay ≤ 1.
        n: how many architectures, ≥ 1.
        entropy_weight: what a nat of entropy is worth, in units of the reward; a finite number.
        generator: torch.Generator, all the randomness.

    Returns:
        Tuple of two floats: the mean reward, and the new baseline.

    Changes:
        Weights and gradients of the controller, and the optimizer's state.

    Raises:
        ValueError: a number out of range, or rewards that are not n finite numbers, (n,). Nothing
            has changed then: no weight, no gradient, no state of the optimizer.
    """
    ### BEGIN SOLUTION
    if not (0 <= decay <= 1 and math.isfinite(baseline) and math.isfinite(entropy_weight)):
        raise ValueError(
            "decay must be from 0 to 1, baseline and entropy_weight finite, got "
            f"{decay}, {baseline} and {entropy_weight}"
        )
    actions, log_probs, entropies = controller.sample(n, generator)
    rewards = torch.as_tensor(score(actions), dtype=log_probs.dtype).detach()
    if rewards.shape != (n,) or not torch.isfinite(rewards).all():
        raise ValueError(f"score must give {n} finite rewards, got {rewards.tolist()}")
    loss = -((rewards - baseline) * log_probs).mean() - entropy_weight * entropies.mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    mean = rewards.mean().item()
    return mean, decay * baseline + (1 - decay) * mean
    ### END SOLUTION

# %% tags=["check"]
check("enas_controller_step", enas_controller_step)

# %% [markdown]
# First live: your step, the library's LSTM, and your supernet, which scores on 500 validation
# images. The settings are lesson 03's for few rewards, found there on the table. Beside it as many
# random picks. Both hand over the path with the highest score; the table says what it is worth.

# %% tags=["experiment"]
from nas_lib.controller import ArchPolicy

step_controller = or_fallback("enas_controller_step", enas_controller_step)
N, UPDATES = 16, 40
places = len(OPS) ** np.arange(5, -1, -1)  # of the six decisions, in a cell's index


def scored_by_controller(score, seed):
    """Indices of the cells that a learning controller scores, and their rewards, in order."""
    torch.manual_seed(seed)  # its first weights
    controller, generator = ArchPolicy([len(OPS)] * 6), torch.Generator().manual_seed(seed)
    adam, seen = torch.optim.Adam(controller.parameters(), lr=0.02), []

    def noted(actions):
        rewards = score(actions.numpy() @ places)
        seen.extend(zip(actions.numpy() @ places, rewards))
        return torch.as_tensor(rewards, dtype=torch.float32)

    baseline = float(noted(controller.sample(N, generator)[0]).mean())
    for _ in range(UPDATES - 1):
        given = baseline, 0.9, N, 1.0, generator
        _, baseline = step_controller(controller, noted, adam, *given)
    return tuple(np.array(column) for column in zip(*seen))

# %% tags=["experiment"]
def ask(indices):
    """Accuracies (percent) with the trained supernet's weights."""
    return [batch_accuracy(supernet, space.from_index(int(i)), unseen) for i in indices]


PATHS, largest = N * UPDATES, test[space.index(("nor_conv_3x3",) * 6)]
random_cells = np.random.default_rng(0).integers(len(space), size=PATHS)
both = {
    "the controller": scored_by_controller(ask, 0),
    "random picks": (random_cells, np.array(ask(random_cells))),
}
for name, (tried, rewards) in both.items():
    found = tried[rewards.argmax()]
    print(f"{name}: best score {rewards.max():.1f} %, by itself {test[found]:.2f} %")
print(f"no search: {largest:.2f} %; the best of the space: {test.max():.2f} %")

# %% [markdown]
# `scripts/recordings/shared_rewards.py` trained five supernets and asked each about every cell, so
# that rewards can be looked up.

# %% tags=["experiment"]
options = ("the controller's", "the random picks'", "no search")
guess_enas = predict("Whose cells are best, on average over 25 searches?", ..., options=options)

# %% tags=["experiment"]
from nas_lib.one_shot import recorded_rewards

RUNS, answers = 5, recorded_rewards()
paths, worth = [], {name: [] for name in ("the controller", "random picks")}
for answer in progress(answers, "supernet"):
    for seed in range(RUNS):
        luck = np.random.default_rng(seed).integers(len(space), size=PATHS)
        tried = scored_by_controller(answer.__getitem__, seed)[0]
        paths.append(tried.reshape(UPDATES, N))
        for name, cells_seen in zip(worth, (tried, luck)):
            worth[name].append(test[cells_seen[answer[cells_seen].argmax()]])
of = [answer[one].mean(1) for answer, one in zip(np.repeat(answers, RUNS, 0), paths)]
curves = {"reward (shared weights)": of, "worth (table)": [test[one].mean(1) for one in paths]}
labels = {"xlabel": "paths scored", "ylabel": "mean accuracy of a step's cells (%)"}
title = f"What the controller learns: {len(answers)} supernets, {RUNS} runs each"
plotting.lines(curves, x=N * np.arange(1, UPDATES + 1), **labels, title=title);

# %% tags=["experiment"]
worth = {name: np.reshape(found, (len(answers), RUNS)) for name, found in worth.items()}
for name, found in worth.items():
    each = ", ".join(f"{one:.2f}" for one in found.mean(1))
    print(f"{name}: {found.mean():.2f} % on average, by supernet {each}")
print(f"no search: {largest:.2f} %; the best of the space: {test.max():.2f} %")
gaps = (worth["the controller"] - worth["random picks"]).mean(1)
print_verdicts({"controller − random picks": mean_interval(gaps)})  # over supernets, Student's t
means = dict(zip(options, [*(found.mean() for found in worth.values()), largest]))
guess_enas.beside(max(means, key=means.get))

# %% [markdown]
# Within some ten steps the controller leaves the bad cells, and then neither reward nor worth
# rises: these weights can tell no more. No search, a single training, is ahead of both.
#
# <details><summary>What we got</summary>
#
# Live, both hand over a cell of about 86 %, a point below no search. By the recorded supernets the
# controller's searches end at about 85.7 % on average, the random picks' at 83.67 %, with one
# supernet at 79.90 %. The controller is ahead with each supernet, but its lead of about 2.1 points
# has an interval from about −0.6 to about 4.8: five supernets do not decide it.
#
# </details>

# %% [markdown]
# ## 6 · A network that shrinks
#
# So far every operation had weights of its own. Once-for-All (Cai et al. 2020) shares more: a 3x3
# kernel is the *centre* of the 5x5 one, a narrow block is the *first channels* of a wide one, a
# shallow stage is the *first blocks* of a deep one. One set of weights, the largest network's,
# holds them all.
#
# ### Exercise 5.9 · `slice_kernel` · ●●○○○ · 12 min · 3 points
#
# **Why it matters.** A kernel's centre has learned to work together with its border. Used alone it
# needs to be adapted: OFA multiplies the flattened centre with a small matrix per kernel size.
#
# Cut the centre out of `weight` and, if there is a matrix, multiply: each flattened kernel is a row
# of length size² that stands on the *left* of the matrix. Gradients have to reach both. Example:
# from 5x5 to 3x3 rows and columns 1 to 3 stay.
#
# <details><summary>Hint: "this is the upper left corner"</summary>
#
# With margin = (k − size) // 2 the centre begins at `margin` and ends before `k - margin`.
#
# </details>

# %% tags=["exercise"]
def slice_kernel(weight, size, transform=None):
    """A smaller kernel out of a larger one (Cai et al. 2020, section 3.3, "elastic kernel size").

    Args:
        weight: tensor (O, I, k, k).
        size: of the smaller kernel, 1 ≤ size ≤ k, odd if k is odd and even if it is even.
        transform: None, or a tensor (size², size²) that flattened kernels are multiplied with from
            the right.

    Returns:
        Tensor (O, I, size, size) of `weight`'s dtype; gradients reach `weight` and `transform`.

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
    square = (size**2, size**2)
    if tuple(transform.shape) != square:
        raise ValueError(f"transform must be {square}, got {tuple(transform.shape)}")
    return (centre.flatten(2) @ transform).unflatten(2, (size, size))
    ### END SOLUTION

# %% tags=["check"]
check("slice_kernel", slice_kernel)

# %% [markdown]
# Which channels should a narrow block keep? In a trained network some matter more. OFA sorts them
# once, by the size of the weights that read them, and then takes the first.
#
# ### Exercise 5.10 · `slice_width` · ●●○○○ · 10 min · 2 points
#
# **Why it matters.** With the important channels first, a narrow network begins near the wide one
# instead of from nothing.
#
# Keep the `width` most important rows of `weight`, the most important first, and say which they
# are. Equal importances keep their order: the lower index first. Example: importances 1, 3, 3 and
# width 2 give the indices 1, 2.
#
# <details><summary>Hint: "of equally important rows the lower index comes first"</summary>
#
# `torch.argsort(..., descending=True, stable=True)` keeps the order of equal entries; an ascending
# sort turned round reverses it.
#
# </details>

# %% tags=["exercise"]
def slice_width(weight, width, importance):
    """The most important rows of a weight (Cai et al. 2020, section 3.3, "elastic width").

    Args:
        weight: tensor (n, ...), a row per channel.
        width: how many to keep, 1 ≤ width ≤ n.
        importance: tensor (n,), finite; higher is more important.

    Returns:
        Tuple (rows, indices): tensor (width, ...) of `weight`'s dtype by falling importance, ties
        to the lower index, and the rows' numbers (width,), ints. Gradients reach `weight`.

    Raises:
        ValueError: a width out of range, or importances that are not n finite numbers.
    """
    ### BEGIN SOLUTION
    importance = torch.as_tensor(importance)
    if not 1 <= width <= len(weight):
        raise ValueError(f"width must be from 1 to {len(weight)}, got {width}")
    if importance.shape != (len(weight),) or not torch.isfinite(importance).all():
        raise ValueError(
            f"importance must be {len(weight)} finite numbers, got {importance.tolist()}"
        )
    indices = torch.argsort(importance, descending=True, stable=True)[:width]
    return weight[indices], indices
    ### END SOLUTION

# %% tags=["check"]
check("slice_width", slice_width)

# %% [markdown]
# The library's `ElasticNetwork` is made of these two cuts, and of the first blocks of each stage. A
# network that is cut out computes *exactly* what its part of the large one computes.

# %% tags=["experiment"]
from nas_lib.mobile import ElasticNetwork, mobile_macs
from nas_lib.spaces import MobileSpace

mobile = MobileSpace()
elastic, rng = ElasticNetwork(mobile, seed=0).eval(), np.random.default_rng(0)
for arch in [mobile.smallest, *(mobile.sample(rng) for _ in range(4)), mobile.largest]:
    x = torch.randn(4, 1, arch.resolution, arch.resolution)
    same = torch.equal(elastic(x, arch), elastic.extract(arch)(x))
    print(f"{arch!s:28} {mobile_macs(arch) / 1e3:7,.0f} kMACs   the same bits cut out: {same}")

# %% [markdown]
# ## 7 · Training every size at once
#
# Draw a random size at each step, and the small networks disturb the large ones from the beginning.
# **Progressive shrinking** trains the largest network first, then lets smaller kernels in, then
# shallower stages, then narrower blocks.
#
# ### Exercise 5.11 · `progressive_shrinking_schedule` · ●●○○○ · 10 min · 2 points
#
# **Why it matters.** If only the newest sizes were trained, the older ones would be forgotten.
#
# `phases` is a sequence of pairs (first step, options by decision), in any order. Return what is
# allowed at `step`: for each decision the union of the options of all phases that have begun. A
# phase begins *at* its first step; two may begin together. Options may come in any order, each
# once. Example: with phases `(0, {"kernel": (5,)})` and `(100, {"kernel": (3,)})` it is
# `{"kernel": (5,)}` at step 99 and `{"kernel": (3, 5)}` at step 100.
#
# <details><summary>Hint: "only the latest phase counts"</summary>
#
# Go through all phases, and add the options of each that has begun; `dict.update` replaces instead.
#
# </details>

# %% tags=["exercise"]
def progressive_shrinking_schedule(step, phases):
    """What may be drawn at a step of progressive shrinking (Cai et al. 2020, section 3.3).

    Args:
        step: number of the step.
        phases: sequence of (first step, {decision: options}), in any order.

    Returns:
        Dict of decision -> tuple of options: the union over all phases begun, each option once.

    Raises:
        ValueError: no phase has begun at this step.
    """
    ### BEGIN SOLUTION
    begun = [options for first, options in phases if first <= step]
    if not begun:
        raise ValueError(f"step must be one at which a phase has begun, got {step} with {phases!r}")
    allowed = {}
    for options in begun:
        for name, values in options.items():
            allowed.setdefault(name, set()).update(values)
    return {name: tuple(sorted(values)) for name, values in allowed.items()}
    ### END SOLUTION

# %% tags=["check"]
check("progressive_shrinking_schedule", progressive_shrinking_schedule)

# %% [markdown]
# The largest network knows more than the labels: that this 7 looks somewhat like a 1, say. Smaller
# ones learn from its answers (distillation, Hinton et al. 2015). A *temperature* divides the logits
# before the softmax, so that the small probabilities count.
#
# ### Exercise 5.12 · `distillation_loss` · ●●●○○ · 15 min · 3 points
#
# **Why it matters.** Each small network gets few steps of its own. A teacher's answer tells it more
# per image than a label.
#
# Return
# $$(1 - \text{weight})\cdot\mathrm{CE}(\text{student}, \text{labels})
# + \text{weight}\cdot\text{temperature}^2\cdot\mathrm{KL}(p \,\|\, q),$$
# where p and q are the softmax of the teacher's and the student's logits divided by the
# temperature; both parts are means over the batch. Its square makes up for gradients that soften
# with it. No gradient reaches the teacher. With equal logits the second part is 0.
#
# <details><summary>Hint: "the divergence is the wrong way round"</summary>
#
# `F.kl_div(log_q, log_p, log_target=True)` is KL(p‖q): PyTorch takes the *second* distribution
# first.
#
# </details>

# %% tags=["exercise"]
def distillation_loss(student, teacher, labels, temperature, weight):
    """Cross-entropy with labels and divergence from a teacher (Hinton et al. 2015, section 2).

    Args:
        student, teacher: logits (B, classes), which may be in the hundreds.
        labels: (B,) int64.
        temperature: T > 0, finite.
        weight: w of the teacher's part, 0 ≤ w ≤ 1.

    Returns:
        Scalar tensor; its gradient reaches the student's logits alone.

    Raises:
        ValueError: shapes that differ, labels of another number, or a temperature or weight out of
            range.
    """
    ### BEGIN SOLUTION
    if student.shape != teacher.shape:
        shapes = tuple(student.shape), tuple(teacher.shape)
        raise ValueError(f"student and teacher must have one shape, got {shapes}")
    if not (math.isfinite(temperature) and temperature > 0 and 0 <= weight <= 1):
        raise ValueError(
            "temperature must be finite and above 0 and weight from 0 to 1, got "
            f"{temperature} and {weight}"
        )
    log_p = F.log_softmax(teacher.detach() / temperature, dim=1)
    log_q = F.log_softmax(student / temperature, dim=1)
    soft = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return (1 - weight) * F.cross_entropy(student, labels) + weight * temperature**2 * soft
    ### END SOLUTION

# %% tags=["check"]
check("distillation_loss", distillation_loss)

# %% [markdown]
# Put both to work: too briefly for good networks, but long enough to watch the largest and the
# smallest.

# %% tags=["experiment"]
from nas_lib.elastic_training import inherited_accuracy, load_sizes

schedule = or_fallback("progressive_shrinking_schedule", progressive_shrinking_schedule)
distil = or_fallback("distillation_loss", distillation_loss)
BEGIN = [
    (0, {"kernels": (5,), "depths": (3,), "expands": (4,)}),
    (300, {"kernels": (3,)}),
    (400, {"depths": (2, 1)}),
    (500, {"expands": (2,)}),
]

# %% tags=["experiment"]
guess_small = predict("The smallest network's accuracy after 800 steps?", ..., unit="%")

# %% tags=["experiment"]
sizes = load_sizes(mobile.choices[0], train_images=2048, valid_images=500).to(device)
elastic, teacher = ElasticNetwork(mobile, seed=0).to(device).train(), None
rng = np.random.default_rng(0)
optimizer = torch.optim.SGD(elastic.parameters(), 0.05, momentum=0.9, nesterov=True)
curves = {mobile.largest: [], mobile.smallest: []}


def loss_on(arch, teacher):
    """Of one batch: the labels' loss, or the distillation loss where there is a teacher."""
    images, answers = sizes.train[arch.resolution]
    rows = rng.integers(len(answers), size=64)
    x, y = images[rows], answers[rows]
    logits, large = elastic(x, arch), (arch.resolution, *mobile.largest[1:])
    if teacher is None:
        return F.cross_entropy(logits, y)
    return distil(logits, teacher(x, large), y, 2.0, 0.5)

# %% tags=["experiment"]
for step in progress(range(800), "step"):
    if step == BEGIN[1][0]:  # the largest network, as the first phase leaves it
        teacher = copy.deepcopy(elastic).requires_grad_(False)
    loss = loss_on(MobileSpace(**schedule(step, BEGIN)).sample(rng), teacher)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 40 == 39:
        for one, accuracies in curves.items():
            accuracies.append(inherited_accuracy(elastic, one, sizes))

# %% tags=["experiment"]
names = {
    f"{name}: {one}": curves[one]
    for name, one in (("largest", mobile.largest), ("smallest", mobile.smallest))
}
labels = {"xlabel": "step", "ylabel": "inherited accuracy (%)"}
title = f"Smaller kernels, depths, widths from steps {', '.join(str(one) for one, _ in BEGIN[1:])}"
ax = plotting.lines(names, x=range(40, 801, 40), **labels, title=title)
plotting.guess(ax, guess_small)
for name, accuracies in names.items():
    print(f"{name} ends at {accuracies[-1]:.1f} %")
guess_small.beside(curves[mobile.smallest][-1])

# %% [markdown]
# <details><summary>What we got</summary>
#
# After 800 steps the largest network had about 79 % and the smallest about 58 %. The small one
# begins to learn when its depth and width join, and the large one hardly suffers from it.
#
# </details>
#
# ## 8 · Does it work?
#
# These trainings take minutes, so they were recorded: `scripts/recordings/mobile_table.py` trains a
# sample of the networks alone, `scripts/recordings/ofa_runs.py` trains elastic networks and judges
# that sample with inherited weights. *Progressive* is all of the above, *undistilled* goes without
# the teacher, *joint* draws every size from the first step.
#
# Then the promise itself: one training, many budgets. Within each limit, kept by a sum of measured
# parts, the best network was sought by inherited accuracy on 2,000 images. A chosen value is too
# high (lesson 01), so 2,000 *other* images judge what was found, and the same architecture trained
# alone, as briefly as the sample and five times as long.

# %% tags=["experiment"]
from nas_lib.elastic_training import recorded_alone, recorded_once_for_all

alone, runs = recorded_alone(), recorded_once_for_all()
one_seed, other_seed = np.array([alone[arch] for arch in runs[0].inherited]).T
by_itself = (one_seed + other_seed) / 2
macs = np.array([mobile_macs(mobile.parse(arch)) for arch in runs[0].inherited])
orders = {"MACs": [macs]}
for scheme in dict.fromkeys(run.scheme for run in runs):
    scores = [np.array(list(run.inherited.values())) for run in runs if run.scheme == scheme]
    orders[scheme] = scores
    tau, top = (np.mean([rank(one, by_itself, top) for one in scores]) for top in (None, 0.25))
    print(f"{scheme:12} {len(scores)} seeds: tau {tau:.2f}, {top:.2f} in the best quarter")
print(f"MACs: tau {rank(macs, by_itself):.2f}, {rank(macs, by_itself, 0.25):.2f}")
print(f"alone, one seed against the other: tau {rank(one_seed, other_seed):.2f}")

# %% tags=["experiment"]
guess_scheme = predict(
    "Whose lead is beyond doubt?", ..., options=("progressive", "joint", "MACs", "nobody's")
)

# %% tags=["experiment"]
differences = tau_differences(orders, by_itself, "progressive", rank)
title = f"Over {len(by_itself)} networks: mean and 95 % interval"
plotting.intervals(differences, xlabel="difference of Kendall's tau", title=title)
print_verdicts(differences)
sure = [low > 0 or high < 0 for _, (low, high) in differences.values()]
guess_scheme.beside("somebody's" if any(sure) else "nobody's")

# %% [markdown]
# Not decided, all three of them: over 48 networks an interval of tau is wider than what the schemes
# differ by, and counting MACs, which trains nothing, ranks these networks as well as any of them.

# %% tags=["experiment"]
tailored = [run for run in runs if run.specialised]
keys = {
    "as inherited": "inherited",
    "alone": "alone",
    "alone, five times as long": "longer",
}


def by_limit(key):
    """Shape (runs, limits)."""
    return np.array([[one[key] for one in run.specialised] for run in tailored])


labels = {"xlabel": "limit on latency (ms)", "ylabel": "accuracy on fresh images (%)"}
curves = {f"{name} ({len(tailored)} seeds)": by_limit(key) for name, key in keys.items()}
title = f"One training, {len(tailored[0].specialised)} budgets"
plotting.lines(curves, x=by_limit("limit_ms")[0], **labels, title=title);

# %% tags=["experiment"]
for one in tailored[0].specialised:
    found = f"inherited {one['inherited']:.1f} %, alone {one['alone']:.1f} to {one['longer']:.1f} %"
    print(f"≤ {one['limit_ms']:.2f} ms: {one['arch']:28} {found}")
for name in ("alone", "longer"):
    gap, seconds = by_limit("inherited") - by_limit(name), by_limit(f"{name}_seconds").mean()
    spread = f"{gap.mean():+.1f} points on average, {gap.min():+.1f} to {gap.max():+.1f}"
    print(f"inherited minus {name} ({seconds:.0f} s in all): {spread}")
flattery = (by_limit("chosen_by") - by_limit("inherited")).mean()
print(f"by the images that chose them, inherited is {flattery:+.1f} points off on average")
trained = np.mean([run.training_seconds for run in tailored])
print(f"once for all: {trained:.0f} s, then {by_limit('search_seconds').mean():.0f} s per budget")

# %% [markdown]
# How much would images that choose flatter? On your network of section 7: judge sixty networks by
# its 500 validation images, which choose, and by 2,000 others.

# %% tags=["experiment"]
guess_flattered = predict("Points by which being chosen flatters, here?", ..., unit="points")

# %% tags=["experiment"]
from nas_lib.elastic_training import SizedData, distinct_archs

others = load_sizes(mobile.choices[0], train_images=64, valid_images=2000, seed=1).to(device)
both = sizes, SizedData(sizes.train, others.valid)
sixty = progress(distinct_archs(mobile, 60, np.random.default_rng(1)), "network")
judged = np.array([[inherited_accuracy(elastic, one, data) for data in both] for one in sixty])
pools = np.random.default_rng(0).integers(len(judged), size=(1000, 30))
best = np.take_along_axis(pools, judged[pools, 0].argmax(1)[:, None], 1)[:, 0]
chose, unseen = judged[best].mean(axis=0)
print(f"best of 30: {chose:.2f} % of the images that chose it, {unseen:.2f} % of the others")
every, elsewhere = judged.mean(axis=0)
print(f"all {len(judged)}, chosen by nothing: {every:.2f} % and {elsewhere:.2f} %")
flattered = (chose - unseen) - (every - elsewhere)
print(f"so being chosen flatters by {flattered:.2f} points on average")
guess_flattered.beside(flattered)

# %% [markdown]
# <details><summary>What we got</summary>
#
# Choosing the best of 30 flattered it by about 1.2 points, and so it did in the recorded searches.
# On fresh images "as inherited" is 4.3 points ahead of the same networks trained briefly, and level
# with those trained five times as long: 0.2 points behind on average, from 2.2 behind to 1.8 ahead.
# Once for all takes about 350 seconds and 30 for each limit, a long training 108 for each.
#
# </details>
#
# So the promise holds here: what is inherited is as good as a long training for each limit, and
# cheaper from about five limits on. The images that chose would have called it a point *better*.
#
# Was the limit kept? The search knew only a sum of measured parts. The first seed's five networks,
# measured as wholes, tell by how much it is too low; the other ten are then new.

# %% tags=["experiment"]
guess_slow = predict("How many of the 15 chosen networks are slower than their limit?", ...)

# %% tags=["experiment"]
limit, real, parts = (by_limit(f"{name}_ms") for name in ("limit", "measured", "predicted"))
scale, slow = np.mean(real[0] / parts[0]), real > limit
most = 100 * np.max(real / limit - 1)
print(f"{slow.sum()} of {slow.size} are slower than their limit, by up to {most:.0f} %")
for name, factor in (("sum of parts", 1.0), (f"sum times {scale:.2f}", scale)):
    error = np.abs(factor * parts[1:] / real[1:] - 1)
    kept = factor * parts[1:] <= limit[1:]
    worst = (real[1:] / limit[1:] - 1)[kept].max()
    print(f"{name}: off by {100 * error.mean():.0f} % on average; lets {kept.sum()} of 10 through,")
    print(f"    {(slow[1:] & kept).sum()} of them too slow, by at most {100 * worst:.1f} %")
guess_slow.beside(int(slow.sum()))

# %% [markdown]
# <details><summary>What we got</summary>
#
# 5 of the 15 are slower than their limit, by up to 13 %. A sum of parts is off by 9 %, since what
# lies between the parts is in none of them. Times 1.10 it is off by 1 %: it would have let 8 of the
# ten new ones through, and the one among them that is too slow is so by 0.4 %.
#
# </details>
#
# A sum of measured parts is no measurement of the whole. Calibrate it on a few whole networks
# *before* the search (lesson 06), and measure what is chosen.
#
# > **A common mistake.** You will read that Once-for-All trains in three to five GPU-days, and that
# > progressive shrinking ranks sub-networks with a Kendall tau above 99 %. The paper's training
# > takes 1,200 GPU-hours, that is 50 GPU-days, spent once for all devices. The second figure we
# > could not find in it. What tau is here, you have just measured.
#
# ## 9 · Recap
#
# - Uniform sampling is fair on average, strict fairness in every step. What is off the path must
#   not move.
# - Batch-norm statistics of a supernet fit no path. Recalibrate before you judge.
# - A ranking is judged over all *and* among the best, over seeds, with an interval, and beside the
#   number of MACs: tau 0.74 and more over all cells, 0.14 to 0.27 in the top 10 %.
# - A controller can learn from shared weights. Its cells and those of random picks by the same
#   weights are both behind no search.
# - A hard limit is checked before an evaluation is spent, and the search must end also where little
#   fits.
# - Once-for-all shares more: centres of kernels, first channels, first blocks. Whether large first,
#   with a teacher, ranks better than all sizes at once, or than MACs, our runs do not decide.
#
# ## 10 · Questions

# %% [markdown]
# ### Question 5.1 · `concept_05_1` · ●●○○○ · 1 min · 1 point
#
# A supernet was trained with uniform sampling. In evaluation mode every cell scores about 10 % on
# ten classes, in training mode (on large batches) between 50 and 80 %. What is wrong?
#
# - **a** the learning rate was too high, and the weights have diverged
# - **b** the paths were not sampled fairly
# - **c** the validation images are harder than the training images
# - **d** the running statistics of the batch norms fit no single path

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_05_1 = "d"
### END SOLUTION

# %% tags=["check"]
check("concept_05_1", concept_05_1)

# %% [markdown]
# ### Question 5.2 · `concept_05_2` · ●●○○○ · 1 min · 1 point
#
# Each of the six edges has five operations. How many forward passes does one strictly fair step
# need?
#
# - **a** 1
# - **b** 6
# - **c** 5
# - **d** 30

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_05_2 = "c"
### END SOLUTION

# %% tags=["check"]
check("concept_05_2", concept_05_2)

# %% [markdown]
# ### Question 5.3 · `concept_05_3` · ●●●○○ · 2 min · 1 point
#
# Over all cells a supernet's tau is 0.7; among the top 10 % it is 0.1. You may train twenty cells
# by yourself. Which use of the supernet is best supported by these two numbers?
#
# - **a** save the trainings, and take the cell with its highest score
# - **b** do not use it: 0.1 shows that its weights are useless
# - **c** let it choose a hundred good candidates, and spend the trainings among them
# - **d** train its best cell twenty times with different seeds

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_05_3 = "c"
### END SOLUTION

# %% tags=["check"]
check("concept_05_3", concept_05_3)

# %% [markdown]
# ### Question 5.4 · `concept_05_4` · ●●○○○ · 1 min · 1 point
#
# Why, in the eyes of its authors, does progressive shrinking begin with the largest network?
# (Whether that pays on our networks, section 8 left open.)
#
# - **a** it has the fewest weights to share, so it trains fastest
# - **b** its batch norms need the most images
# - **c** small networks cannot be trained before large ones, since their kernels do not exist yet
# - **d** it is the start and the teacher of the smaller ones, which then disturb it less

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_05_4 = "d"
### END SOLUTION

# %% tags=["check"]
check("concept_05_4", concept_05_4)

# %% [markdown]
# ### Open question 5.1 · `open_05_1` · ●●●○○ · 15 min · 4 points
#
# A company ships one application to forty kinds of phones. A team proposes to train a once-for-all
# network once, and to pick a sub-network for each phone by inherited accuracy. A second team would
# rather take one hand-made network and scale its width to each phone's budget, training forty
# times. In eight to ten sentences: what has to be measured before you decide, and how? Where could
# each proposal fail? What do the numbers of this lesson say about it, and what do they not say?
#
# ### BEGIN MARK SCHEME
# One point each, half points allowed:
# 1. Cost: one long training plus cheap searches against forty trainings; where they break even,
#    with the lesson's times; latency has to be measured on each phone, not predicted from MACs.
# 2. Quality: inherited accuracy against the same network trained alone at several budgets (the
#    recorded gap), over seeds; the comparison at equal latency, with the scaled network included.
# 3. Failure: rankings are coarse near the top, so the choice may be no better than a random one
#    within the budget; recalibration is needed for each choice; scaling by width alone may waste
#    the budget on some devices.
# 4. Limits of the evidence: one small space, small images, few seeds; what would be repeated at
#    full size.
# ### END MARK SCHEME

# %% [markdown] tags=["answer"]
# At a handful of budgets I would measure three things: the latency of the candidates on real
# phones, the accuracy of the sub-network as it is inherited, and that of the same network and of
# the scaled one trained alone, over several seeds and at equal latency. Once-for-all costs one long
# training and a short search per phone, scaling forty trainings; from the times above follows where
# they break even. Inherited weights may fall behind training alone, and the ranking near the top
# may be so coarse that the search picks little better than chance, so I would train a few of its
# candidates, and recalibrate each. Scaling fails where width is the wrong thing to give up, for
# instance where resolution costs most. All of this was measured on one space of small networks and
# images with few seeds; the direction may hold at full size, the gaps need not.

# %% [markdown]
# ## References
#
# - Z. Guo, X. Zhang, H. Mu, W. Heng, Z. Liu, Y. Wei and J. Sun (2020). *Single Path One-Shot Neural
#   Architecture Search with Uniform Sampling.* ECCV.
#   [arXiv:1904.00420](https://arxiv.org/abs/1904.00420).
# - X. Chu, B. Zhang and R. Xu (2021). *FairNAS: Rethinking Evaluation Fairness of Weight Sharing
#   Neural Architecture Search.* ICCV. [arXiv:1907.01845](https://arxiv.org/abs/1907.01845).
# - H. Cai, C. Gan, T. Wang, Z. Zhang and S. Han (2020). *Once-for-All: Train One Network and
#   Specialize it for Efficient Deployment.* ICLR.
#   [arXiv:1908.09791](https://arxiv.org/abs/1908.09791).
# - G. Hinton, O. Vinyals and J. Dean (2015). *Distilling the Knowledge in a Neural Network.*
#   [arXiv:1503.02531](https://arxiv.org/abs/1503.02531).
# - H. Pham, M. Guan, B. Zoph, Q. Le and J. Dean (2018). *Efficient Neural Architecture Search via
#   Parameter Sharing.* ICML. [arXiv:1802.03268](https://arxiv.org/abs/1802.03268).
# - K. Yu, C. Sciuto, M. Jaggi, C. Musat and M. Salzmann (2020). *Evaluating the Search Phase of
#   Neural Architecture Search.* ICLR. [arXiv:1902.08142](https://arxiv.org/abs/1902.08142).
#
# **Read next.** C. White et al. (2023). *Neural Architecture Search: Insights from 1000 Papers.*
# [arXiv:2301.08727](https://arxiv.org/abs/2301.08727), on one-shot methods.
