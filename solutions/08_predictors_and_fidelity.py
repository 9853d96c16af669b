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
# # 08 · Predictors and fidelity
#
# **{minutes} · {points}.** At the end of this lesson you will be able to
#
# - encode a cell as numbers, and say what an encoding hides;
# - fit a ridge regression and a Gaussian process to trained cells, and measure how many it takes
#   before they order cells better than the parameter count;
# - search by Bayesian optimisation, which trains next what promises most;
# - share out epochs by Hyperband, and keep many workers busy with ASHA;
# - score an untrained network by its activations, and say when such scores fail.
#
# It computes for about two minutes, and needs lesson 01's regret and lesson 02's Kendall tau,
# successive halving and proxies.
#
# ## Predict instead of train
#
# So far a search paid for every value that it saw. But the cells are related: who has trained a
# hundred of them knows something of the others. A **predictor** turns that into numbers. It is a
# small regression from architecture to accuracy, fitted in milliseconds, and it can be asked about
# every cell of the space. The question stays the one of lesson 02: is it better than counting
# parameters, and at what price?

# %% tags=["setup"]
import copy
import heapq
import math
from functools import partial

import numpy as np
import torch
from scipy.linalg import solve_triangular
from scipy.spatial.distance import cdist
from scipy.stats import norm
from torch import nn

from nas_lib.checks import check
from nas_lib.search import History
from nas_lib.spaces import OPS, CellSpace

space = CellSpace()
torch.set_num_threads(1)  # networks this small gain nothing from more

# %% [markdown]
# ## 1 · A cell as a vector
#
# The obvious encoding says for each edge which operation it carries: 6 · 5 zeros and ones, one-hot
# (`space.encode`). It describes the *graph*. White et al. (2021) describe what happens to the
# *data* instead: on its way from the input to the output it passes a sequence of operations. A cell
# has four such ways: 0→3, 0→1→3, 0→2→3 and 0→1→2→3.
#
# ### Exercise 8.1 · `path_encoding` · ●●○○○ · 10 min · 2 points
#
# **Why it matters.** What a predictor cannot see it cannot learn. Encodings decide more than the
# choice of the regression.
#
# One entry for each possible sequence of operations: 5 of length 1, then 25 of length 2, then 125
# of length 3. An entry is 1 if the sequence stands on some path, else 0. `none` is an operation
# like the others. Example: a cell with `skip_connect` everywhere has ones at three entries only:
# its two paths of length 2 carry the same sequence.
#
# <details><summary>Hint: "edges stand in another order here"</summary>
# The six operations belong to the edges 0→1, 0→2, 1→2, 0→3, 1→3, 2→3, in this order. So the path
# 0→1→3 has the operations <code>arch[0]</code> and <code>arch[4]</code>.</details>
# <details><summary>Hint: "the first operation counts most"</summary>
# Read a sequence as a number in base 5: the order of <code>itertools.product</code> lets the last
# operation run fastest. The sequences of length 2 begin behind the 5 of length 1, those of length 3
# behind 30.</details>

# %% tags=["exercise"]
def path_encoding(arch):
    """Which sequences of operations stand on a path from the cell's input to its output.

    The sequences are numbered by length, 1 to 3, and within a length in the order of
    `itertools.product(OPS, repeat=length)`.

    Args:
        arch: six names out of `OPS`, of the edges 0→1, 0→2, 1→2, 0→3, 1→3, 2→3.

    Returns:
        Float array of shape (155,): 1 where the sequence stands on some path, else 0. A sequence
        on two paths is still a 1; one with `none` in it counts like any other.

    Raises:
        ValueError: `arch` does not hold six names, or one that is not in `OPS`.

    Source: White, Neiswanger and Savani (2021), where paths stand for the architecture.
    """
    ### BEGIN SOLUTION
    if len(arch) != 6 or any(op not in OPS for op in arch):
        raise ValueError(f"arch must be six names out of {', '.join(OPS)}, got {arch!r}")
    numbers = [OPS.index(op) for op in arch]
    encoding = np.zeros(5 + 25 + 125)
    for start, path in ((0, [3]), (5, [0, 4]), (5, [1, 5]), (30, [0, 2, 5])):
        place = 0
        for edge in path:
            place = 5 * place + numbers[edge]
        encoding[start + place] = 1.0
    return encoding
    ### END SOLUTION

# %% tags=["check"]
check("path_encoding", path_encoding)

# %% [markdown]
# How fine are these encodings? One that gives two cells the same numbers cannot tell them apart.
# Count it on all 15,625 cells, for one-hot, for paths, for paths without the long one (White et al.
# shorten the encoding like this in large spaces), and for paths of which those with `none` are left
# out.

# %% tags=["experiment"]
from nas_lib.predictions import predict

guess_shared = predict("How many of the 15,625 cells share their path encoding?", ...)

# %% tags=["experiment"]
import itertools

from nas_lib.benchmark import TabularBenchmark
from nas_lib.fallbacks import or_fallback
from nas_lib.spaces import functions

encode_paths = or_fallback("path_encoding", path_encoding)
benchmark = TabularBenchmark.load()
accuracy = benchmark.final("test")
one_hot = np.array([space.encode(cell) for cell in space])
paths = np.array([encode_paths(cell) for cell in space])
sequences = [one for length in (1, 2, 3) for one in itertools.product(OPS, repeat=length)]
without_none = paths[:, ["none" not in one for one in sequences]]

# %% tags=["experiment"]
encodings = {"one-hot": one_hot, "paths": paths}
encodings |= {"paths without the long one": paths[:, :30], "paths without none": without_none}
for name, rows in encodings.items():
    _, group, size = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    low, high = np.full(len(size), np.inf), np.full(len(size), -np.inf)
    np.minimum.at(low, group, accuracy)
    np.maximum.at(high, group, accuracy)
    shared = int(np.sum(size[group] > 1))
    print(f"{name:27} {len(size):6,} encodings; {shared:6,} cells share theirs", end="")
    print(f", which differ by {(high - low)[size > 1].mean():.1f} points" if shared else "")
    if name == "paths":
        guess_shared.beside(shared)
cells, function_of = functions(space)  # one cell for each function; for each cell its function
print(f"for comparison: the cells compute {len(cells):,} different functions")

# %% [markdown]
# With `none` counted as an operation, paths and edges say the same in other words: the sequence of
# length 3 names three of the six operations, and the others follow. What differs is which cells lie
# *near* each other: two cells that differ on the edge 1→2 share three of their four sequences, two
# that differ on 0→1 only two. Encodings that leave something out put cells together; leaving out
# the long path puts good and bad ones together.
#
# <details><summary>What we got</summary>
#
# No two cells share their path encoding: 0 of 15,625. Without the long path there are 1,625
# encodings, and all cells share theirs with others that are 14.1 points apart on average. Without
# paths that hold `none` there are 8,045, and those that share one are 0.7 points apart.
#
# </details>

# %% [markdown]
# ## 2 · Two predictors
#
# ### Exercise 8.2 · `ridge_predictor` · ●●○○○ · 10 min · 2 points
#
# **Why it matters.** It is the simplest predictor that can be fitted to 10 cells with 155 features.
# Plain least squares has infinitely many solutions there; the penalty picks the smallest.
#
# Slopes c and intercept b minimise Σ (y − x·c − b)² + penalty · Σ c². The intercept is not
# penalised: accuracies lie near 80, and a small b would be a bad guess. So subtract the means of x
# and y first, and the intercept takes care of itself: (XᵀX + penalty · I) c = Xᵀy. Example: x = −1,
# 1, y = 10, 14 and penalty 2 give c = 4 / (2 + 2) = 1 and b = 12. (scikit-learn's regressions are
# not allowed in this exercise.)
#
# <details><summary>Hint: "the intercept is penalised too"</summary>
# A column of ones is pulled towards 0 like the others. Centre x and y, and add the mean of y to the
# predictions.</details>
# <details><summary>Hint: "centres what it predicts by its own mean"</summary>
# The means are those of the training data. A prediction must not depend on which other cells stand
# in the same batch.</details>

# %% tags=["exercise"]
def ridge_predictor(x, y, penalty):
    """Ridge regression with an intercept that is not penalised.

    Args:
        x: encodings of the trained architectures, (n, d), n ≥ 1.
        y: their accuracies (percent), (n,).
        penalty: what a unit of squared weight costs, above 0, in the unit of squared error, summed
            over the architectures.

    Returns:
        A function that takes encodings (m, d) and returns predictions, an array of shape (m,). Each
        depends on its own row alone.

    Raises:
        ValueError: shapes that do not fit, no architectures, an entry that is not finite, or a
            penalty that is not a finite number above 0.

    Source: Hoerl and Kennard (1970).
    """
    ### BEGIN SOLUTION
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.ndim != 2 or len(x) < 1 or y.shape != (len(x),):
        raise ValueError(f"x must be (n, d) and y (n,), n ≥ 1, got {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("x and y must be finite numbers, got NaN or infinity")
    if not (math.isfinite(penalty) and penalty > 0):
        raise ValueError(f"penalty must be a finite number above 0, got {penalty!r}")
    x_mean, y_mean = x.mean(axis=0), y.mean()
    centred = x - x_mean
    squares = centred.T @ centred + penalty * np.eye(x.shape[1])
    weights = np.linalg.solve(squares, centred.T @ (y - y_mean))
    return lambda x_new: y_mean + (np.asarray(x_new, dtype=float) - x_mean) @ weights
    ### END SOLUTION

# %% tags=["check"]
check("ridge_predictor", ridge_predictor)

# %% [markdown]
# ### Exercise 8.3 · `gaussian_process` · ●●●○○ · 20 min · 3 points
#
# **Why it matters.** Ridge says how good a cell may be. A Gaussian process also says how sure it
# is, and a search needs both: it should try what is good *or* unknown.
#
# Two cells are alike where their encodings are near: k(a, b) = exp(−‖a − b‖² / (2 · length²)).
# Far from all training data the prediction is the mean of y, with standard deviation 1; near them
# it follows their values, and the standard deviation shrinks. With K the kernel of the training
# data, k* the kernel between training and new points, and r = y − mean(y):
#
# - mean = mean(y) + k*ᵀ (K + noise · I)⁻¹ r
# - variance = 1 − k*ᵀ (K + noise · I)⁻¹ k*
#
# Nobody inverts the matrix. Cholesky's factor L (lower triangle, L Lᵀ = K + noise · I) gives both:
# with v = L⁻¹ k*, the variance is 1 − Σ v². Example: one training point, noise 1, asked at that
# point: k* = 1, so the mean is y and the variance 1 − 1/2.
#
# <details><summary>Hint: "returns the variance"</summary>
# The standard deviation is its root. Rounding may leave a variance a bit below 0: cut it off
# there.</details>
# <details><summary>Hint: "noise belongs on the diagonal of K only"</summary>
# Two trainings of one cell differ, so the diagonal of K has noise added. The cell's own quality,
# which is predicted, has none.</details>
# <details><summary>Hint: where are the functions?</summary>
# <code>cdist(a, b, "sqeuclidean")</code> has all squared distances at once,
# <code>np.linalg.cholesky</code> the factor, and
# <code>solve_triangular(L, b, lower=True)</code> solves L v = b.</details>

# %% tags=["exercise"]
def gaussian_process(x, y, x_new, length, noise):
    """Gaussian process regression with a squared-exponential kernel of variance 1.

    y is centred (the mean of y is taken off, and added to the predictions), and not scaled.

    Args:
        x: encodings of the trained architectures, (n, d), n ≥ 1.
        y: their values, (n,), in units in which a standard deviation of 1 is a good guess.
        x_new: encodings to predict, (m, d).
        length: the kernel's length scale, above 0.
        noise: variance of the noise in y, above 0: what is added to the diagonal of the kernel.

    Returns:
        (mean, std): arrays of shape (m,), the posterior mean of the noise-free value and its
        standard deviation.

    Raises:
        ValueError: shapes that do not fit, no architectures, an entry that is not finite, or a
            length or noise that is not a finite number above 0.

    Source: Rasmussen and Williams (2006), algorithm 2.1.
    """
    ### BEGIN SOLUTION
    x, y, x_new = (np.asarray(one, dtype=float) for one in (x, y, x_new))
    if x.ndim != 2 or len(x) < 1 or y.shape != (len(x),):
        raise ValueError(f"x must be (n, d) and y (n,), n ≥ 1, got {x.shape} and {y.shape}")
    if x_new.ndim != 2 or x_new.shape[1] != x.shape[1]:
        raise ValueError(f"x_new must be (m, {x.shape[1]}), got {x_new.shape}")
    if not all(np.isfinite(one).all() for one in (x, y, x_new)):
        raise ValueError("x, y and x_new must be finite numbers, got NaN or infinity")
    for name, value in (("length", length), ("noise", noise)):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a finite number above 0, got {value!r}")

    def kernel(a, b):
        return np.exp(-cdist(a, b, "sqeuclidean") / (2 * length**2))

    factor = np.linalg.cholesky(kernel(x, x) + noise * np.eye(len(x)))
    residual = solve_triangular(factor, y - y.mean(), lower=True)
    explained = solve_triangular(factor, kernel(x, x_new), lower=True)
    variance = 1 - (explained**2).sum(axis=0)
    return y.mean() + explained.T @ residual, np.sqrt(np.maximum(variance, 0.0))
    ### END SOLUTION

# %% tags=["check"]
check("gaussian_process", gaussian_process)

# %% [markdown]
# How many cells must be trained before a prediction is worth something? Fit both predictors to n
# cells, each trained once, and measure Kendall's tau of their predictions with the test accuracy of
# all *other* functions, and of those of the best tenth. Beside them stand what costs nothing: the
# parameter count (dashed) and synflow, and a predictor that sees them too. Penalty 1, noise
# 0.3 and the median distance as length were fixed beforehand: to tune them on this figure would be
# cheating.

# %% tags=["experiment"]
guess_cells = predict("From how many trained cells on does one-hot beat the parameter count?", ...)

# %% tags=["experiment"]
from scipy.spatial.distance import pdist
from scipy.stats import kendalltau

from nas_lib.lesson import progress, proxy_scores

fit_ridge = or_fallback("ridge_predictor", ridge_predictor)
fit_process = or_fallback("gaussian_process", gaussian_process)
index = np.array([space.index(cell) for cell in cells])
truth = accuracy[index]
top = np.argsort(-truth, kind="stable")[: len(truth) // 10]
groups = {"all functions": np.arange(len(truth)), "best tenth": np.sort(top)}
scores = {name: np.log1p(values[:, 0]) for name, values in proxy_scores().items()}
scores["parameter count"] = np.log(benchmark.params[index])
standard = [(one - one.mean()) / one.std() for one in scores.values()]
features = {"one-hot": one_hot[index], "paths": paths[index]}
features["one-hot and proxies"] = np.column_stack([one_hot[index], *standard])

# %% tags=["experiment"]
def predictions(x, rows):
    """Ridge's and the Gaussian process's for all functions, fitted to some: name → array."""
    seen = benchmark.valid[index[rows], 0, -1]  # one training of each
    seen = (seen - seen.mean()) / seen.std()
    length = np.median(pdist(x[rows]))
    process, _ = fit_process(x[rows], seen, x, length, 0.3)
    return {"ridge": fit_ridge(x[rows], seen, 1.0)(x), "Gaussian process": process}


def tau_of(values, members):
    """Kendall's tau with the truth among these functions."""
    return kendalltau(values[members], truth[members])[0]


# %% tags=["experiment"]
SIZES, REPEATS = (10, 20, 50, 100, 200, 500), 6
taus = {group: {} for group in groups}
for repeat in progress(range(REPEATS)):
    order = np.random.default_rng(repeat).permutation(len(truth))
    for (name, x), (place, n) in itertools.product(features.items(), enumerate(SIZES)):
        for kind, values in predictions(x, order[:n]).items():
            for group, members in groups.items():
                row = taus[group].setdefault(f"{kind}, {name}", np.empty((REPEATS, len(SIZES))))
                row[repeat, place] = tau_of(values, np.setdiff1d(members, order[:n]))

# %% tags=["experiment"]
from nas_lib import plotting

print("trained cells" + 27 * " " + "".join(f"{n:6}" for n in SIZES))
_, axes = plotting.figure(1, 2, width=5.2, height=4.6)
for ax, (group, members) in zip(axes[0], groups.items()):
    free = {name: tau_of(scores[name], members) for name in ("parameter count", "synflow")}
    print(f"{group}: " + ", ".join(f"{name} {tau:.2f}" for name, tau in free.items()))
    means = {name: values.mean(axis=0) for name, values in taus[group].items()}
    for name, values in means.items():
        print(f"  {name:38}" + "".join(f"{tau:6.2f}" for tau in values))
    labels = {"xlabel": "trained cells", "ylabel": "Kendall tau with test accuracy"}
    shown = {name: means[name] for name in means if name != "ridge, paths"}
    free.pop("synflow")
    plotting.lines(shown, ax, x=SIZES, **labels, levels=free)
    ax.set(xscale="log", title=f"{group}: means of {REPEATS}")
    ax.set_xticks(SIZES, [str(n) for n in SIZES])

# %% tags=["experiment"]
size_tau = tau_of(scores["parameter count"], groups["all functions"])
better = taus["all functions"]["Gaussian process, one-hot"].mean(axis=0) > size_tau
guess_cells.beside(SIZES[int(better.argmax())] if better.any() else math.inf)

# %% [markdown]
# Read it slowly: it is not what one expects. It takes hundreds of trained cells until edges alone
# order the space better than its sizes do, and paths are no better than edges here: 155 features
# need more cells than 30. (White et al. found the reverse in a space of other graphs, where edges
# have no fixed places.) What helps is to give the predictor what is free: proxies and sizes among
# its features. And in the best tenth, where it matters, more cells hardly help, and what the
# proxies knew is even fitted away: the trained cells are drawn from everywhere, and the bad ones
# decide the fit.
#
# <details><summary>What we got</summary>
#
# Over all functions the parameter count has a tau of 0.66. The Gaussian process on one-hot begins
# at 0.30 with 10 trained cells and passes it with 200; on paths it has 0.67 with 500. With proxies
# it begins at 0.63 and has 0.78 with 500. In the best tenth the parameter count has 0.30 and
# synflow 0.40, and no predictor passes 0.31.
#
# </details>

# %% [markdown]
# ## 3 · Bayesian optimisation
#
# A predictor that is right about most cells can still be fooled by a few. So a search asks it,
# trains what it promises most of, tells it the result, and asks again. What is "most"? A certain 87
# or an 85 that might be 90?
#
# ### Exercise 8.4 · `expected_improvement` · ●●○○○ · 10 min · 2 points
#
# **Why it matters.** It is the usual answer, in NAS as in hyper-parameter search: how much better
# than the best so far will this cell be, *on average*, where being worse counts as no improvement?
# Certain and slightly better counts, and so does doubtful with a chance.
#
# For a normal distribution with z = (mean − best)/std it is (mean − best) · Φ(z) + std · φ(z), with
# Φ and φ the normal distribution and density (`norm.cdf` and `norm.pdf`). Where std is 0 there is
# nothing to average: it is mean − best, or 0 if that is negative. Examples, with best = 80: mean
# 82, std 0 gives 2. Mean 80, std 1 gives φ(0) ≈ 0.399.
#
# <details><summary>Hint: "RuntimeWarning: divide by zero" or NaN</summary>
# <code>np.where</code> computes both sides before it chooses. Divide by
# <code>np.where(std > 0, std, 1.0)</code>, and choose afterwards.</details>

# %% tags=["exercise"]
def expected_improvement(mean, std, best):
    """Expected improvement over the best value so far, of values that are to be maximised.

    Args:
        mean, std: predictions, arrays (or sequences) of one shape; std ≥ 0.
        best: the highest value seen so far, a float.

    Returns:
        Float array of that shape, ≥ 0: the mean of max(value − best, 0) where the value is normal
        with this mean and standard deviation. Where std is 0 it is max(mean − best, 0).

    Raises:
        ValueError: shapes that differ, an std below 0, or a number that is not finite.

    Source: Jones, Schonlau and Welch (1998), equation 15.
    """
    ### BEGIN SOLUTION
    mean, std = np.asarray(mean, dtype=float), np.asarray(std, dtype=float)
    if mean.shape != std.shape:
        raise ValueError(f"mean and std must have one shape, got {mean.shape} and {std.shape}")
    if not (np.isfinite(mean).all() and np.isfinite(std).all() and math.isfinite(best)):
        raise ValueError("mean, std and best must be finite numbers, got NaN or infinity")
    if (std < 0).any():
        raise ValueError(f"std must be at least 0, got {std.min()}")
    gain = mean - best
    z = gain / np.where(std > 0, std, 1.0)
    improvement = gain * norm.cdf(z) + std * norm.pdf(z)
    return np.where(std > 0, improvement, np.maximum(gain, 0.0))
    ### END SOLUTION

# %% tags=["check"]
check("expected_improvement", expected_improvement)

# %% [markdown]
# ### Exercise 8.5 · `bayesian_optimization` · ●●●○○ · 20 min · 4 points
#
# **Why it matters.** BANANAS (White et al. 2021), NASBOWL, BRP-NAS: much of the best work on the
# benchmarks is this loop with another predictor.
#
# First `initial` architectures at random. Then, again and again: fit the predictor to all
# evaluations so far; draw `pool` candidates at random that were never evaluated; evaluate the one
# with the highest expected improvement. Which predictor, and which encoding, is none of the loop's
# business: `fit(archs, values)` returns a function that takes candidates and returns their
# (mean, std). (The library's own searchers are not allowed.)
#
# <details><summary>Hint: "fit has to see all evaluations"</summary>
# Fit anew in every step, on the first random ones as well as on those that the model
# chose.</details>
# <details><summary>Hint: "candidates that were evaluated before"</summary>
# Draw until enough are found that are neither evaluated nor among the candidates already. Towards
# the end of a small space fewer than <code>pool</code> are left: take those.</details>

# %% tags=["exercise"]
def bayesian_optimization(objective, space, budget, initial, pool, fit, rng, acquisition=None):
    """Bayesian optimisation over random candidates.

    The first `initial` evaluations are random architectures. Each later one: `fit` to all
    evaluations so far, draw `pool` distinct candidates uniformly at random among the architectures
    that were not evaluated (all of them if fewer are left), and evaluate the candidate with the
    highest acquisition.

    Args:
        objective: function of one architecture that returns a float to be maximised. It is called
            exactly `budget` times, never twice for the same architecture.
        space: any search space, with `space.sample(rng)` and `len(space)`.
        budget: number of evaluations, from 1 to len(space).
        initial: random evaluations at the beginning, from 1 to `budget`.
        pool: candidates in each step, at least 1.
        fit: called as `fit(archs, values)` with a list of architectures and an array of their
            values; returns a function of a list of architectures that returns (mean, std), arrays.
        rng: numpy.random.Generator, the only source of randomness.
        acquisition: called as `acquisition(mean, std, best)`, with arrays and the highest value so
            far; returns an array, whose highest entry is the candidate to evaluate. None is
            `expected_improvement`.

    Returns:
        History of the evaluations in the order in which they were made: `archs` (list of `budget`
        distinct architectures) and `values` (float array of shape (budget,)).

    Raises:
        ValueError: `budget`, `initial` or `pool` is out of range (then nothing is evaluated), or
            the objective returned NaN or an infinite value.

    Source: White, Neiswanger and Savani (2021), algorithm 1.
    """
    ### BEGIN SOLUTION
    if not 1 <= budget <= len(space):
        raise ValueError(
            f"budget must be from 1 to {len(space)} (all of the space), got {budget!r}"
        )
    if not 1 <= initial <= budget:
        raise ValueError(f"initial must be from 1 to the budget of {budget}, got {initial!r}")
    if pool < 1:
        raise ValueError(f"pool must be at least 1, got {pool!r}")
    acquisition = acquisition or expected_improvement
    archs, values = [], []

    def unseen(count):
        found = []
        while len(found) < count:
            arch = space.sample(rng)
            if arch not in archs and arch not in found:
                found.append(arch)
        return found

    def evaluate(arch):
        value = objective(arch)
        if not math.isfinite(value):
            raise ValueError(f"objective must return a finite number, got {value} for {arch}")
        archs.append(arch)
        values.append(value)

    for arch in unseen(initial):
        evaluate(arch)
    while len(archs) < budget:
        predict_all = fit(list(archs), np.array(values))
        candidates = unseen(min(pool, len(space) - len(archs)))
        mean, std = predict_all(candidates)
        evaluate(candidates[int(np.argmax(acquisition(mean, std, max(values))))])
    return History(archs, np.array(values, dtype=float))
    ### END SOLUTION

# %% tags=["check"]
check("bayesian_optimization", bayesian_optimization)

# %% [markdown]
# Two questions on the table. Does it pay to be curious, or is it enough to take the highest mean?
# And what does the predictor look at? A cell that learned nothing has an accuracy of 10 %, and a
# squared error cares for it more than for all the differences among good ones. A search may forget
# that: let all values below the median of those seen count as the median.

# %% tags=["experiment"]
guess_greedy = predict(
    "With clipped values: is expected improvement ahead of the highest mean?",
    ...,
    options=("ahead", "level", "behind"),
)

# %% tags=["experiment"]
optimize = or_fallback("bayesian_optimization", bayesian_optimization)
improvement = or_fallback("expected_improvement", expected_improvement)


def process_on(rows, clip=True):
    """A `fit` for cells: a Gaussian process on their encodings, in units of the values' spread."""

    def fit(archs, values):
        x = rows[[space.index(arch) for arch in archs]]
        y = np.maximum(values, np.median(values)) if clip else values
        scale, length = y.std() or 1.0, np.median(pdist(x))

        def predict_all(candidates):
            new = rows[[space.index(arch) for arch in candidates]]
            mean, std = fit_process(x, (y - y.mean()) / scale, new, length, 0.1)
            return y.mean() + scale * mean, scale * std

        return predict_all

    return fit

# %% tags=["experiment"]
from nas_lib.search import RandomSearch, run

BUDGET, RUNS = 100, 12
valid_best = benchmark.best("valid")[1]
settings = {
    "highest mean, clipped": (process_on(one_hot), lambda mean, std, best: mean),
    "improvement, clipped": (process_on(one_hot), improvement),
    "improvement, all values": (process_on(one_hot, clip=False), improvement),
}
found = {name: np.empty((RUNS, BUDGET)) for name in ("random search", *settings)}
for seed in progress(range(RUNS)):
    found["random search"][seed] = run(RandomSearch, benchmark, BUDGET, seed).incumbent()
    for name, (fit, acquisition) in settings.items():
        history = optimize(
            lambda arch: benchmark.query(arch).valid, space, BUDGET, 10, 100, fit,
            np.random.default_rng(seed), acquisition,
        )  # fmt: skip
        found[name][seed] = np.maximum.accumulate(history.values)

# %% tags=["experiment"]
regrets = {name: valid_best - values for name, values in found.items()}
largest = benchmark.query(("nor_conv_3x3",) * 6)
levels = {"no search: the largest cell": valid_best - largest.valid}
title = "What the predictor sees, and what the search asks"
plotting.half_points(plotting.regret_bands(regrets, levels=levels, title=title))
for name, values in regrets.items():
    error = 2 * values[:, -1].std(ddof=1) / np.sqrt(RUNS)
    print(f"{name:24} regret {values[:, -1].mean():.2f} ± {error:.2f} after {BUDGET} evaluations")
print(f"no search, the largest cell: {valid_best - largest.valid:.2f}")
gap = regrets["highest mean, clipped"][:, -1] - regrets["improvement, clipped"][:, -1]
error = 2 * gap.std(ddof=1) / np.sqrt(RUNS)
print(f"mean − improvement, both clipped: {gap.mean():+.2f} ± {error:.2f}")
guess_greedy.beside("ahead" if gap.mean() > error else "behind" if -gap.mean() > error else "level")

# %% [markdown]
# The same predictor, of which the section before said that with 100 cells it does not beat the
# parameter count, makes a search that is far better than chance. It need not order the space; it
# needs to find the best of a hundred candidates, and each answer makes it better just where it is
# asked. What it is told about bad cells decides more than the acquisition does. A caution: that
# clipping helps was seen on this table. Section 6 tries it on other data.
#
# <details><summary>What we got</summary>
#
# After 100 evaluations random search is about 1.24 points below the best, and the largest cell
# 0.39. With clipped values the search ends well below the largest cell, by improvement and by the
# highest mean alike; with all values it ends about where the largest cell is.
#
# </details>

# %% [markdown]
# ## 4 · How many epochs for how many cells?
#
# Successive halving (lesson 02) asks for a number that nobody knows: with how many configs to
# begin. Many configs for a few epochs each are right if early epochs tell who is good; few configs
# for long are right if they do not. Hyperband does not decide. It runs several **brackets**, from
# bold to careful, and spends about the same on each.
#
# ### Exercise 8.6 · `hyperband_brackets` · ●●○○○ · 15 min · 2 points
#
# **Why it matters.** It is the schedule inside BOHB and most tuning libraries, and its roundings
# are a classic of off-by-one errors.
#
# With s from the largest for which eta^s ≤ `max_epochs`, call it S, down to 0: bracket s begins
# with n = ⌈(S + 1)/(s + 1) · eta^s⌉ configs at `max_epochs`/eta^s epochs, and has s + 1 rungs. Rung
# i keeps ⌊n / eta^i⌋ of them, and trains them to ⌊`max_epochs` / eta^(s − i)⌋ epochs. Example:
# 9 epochs, eta 3. S = 2. Bracket 2: 9 configs to 1 epoch, 3 to 3, 1 to 9. Bracket 1: ⌈3/2 · 3⌉ = 5
# to 3 epochs, 1 to 9. Bracket 0: 3 to 9 epochs.
#
# <details><summary>Hint: "a bracket is missing" with 243 or 1,000 epochs</summary>
# <code>math.log(243, 3)</code> is 4.999…, and rounding down makes 4 of it. Count by multiplying:
# as long as <code>eta ** (s + 1) &lt;= max_epochs</code>, s grows.</details>
# <details><summary>Hint: rounding up without floats</summary>
# <code>-(-a // b)</code> is a/b, rounded up.</details>

# %% tags=["exercise"]
def hyperband_brackets(max_epochs, eta):
    """The rungs of all brackets of Hyperband.

    Args:
        max_epochs: epochs of the longest training, an integer, at least 1.
        eta: an integer, at least 2: how much rungs shrink and trainings grow.

    Returns:
        List of brackets, the one with most configs first; each is a list of tuples
        (configs, epochs) of ints, one for each rung, from the shortest training to `max_epochs`.

    Raises:
        ValueError: `max_epochs` is below 1 or `eta` below 2.

    Source: Li et al. (2018), algorithm 1, with whole epochs.
    """
    ### BEGIN SOLUTION
    if max_epochs < 1:
        raise ValueError(f"max_epochs must be at least 1, got {max_epochs!r}")
    if eta < 2:
        raise ValueError(f"eta must be at least 2, or nothing is ever dropped, got {eta!r}")
    most = 0
    while eta ** (most + 1) <= max_epochs:  # a logarithm would round 5 to 4.999…
        most += 1
    brackets = []
    for s in range(most, -1, -1):
        n = -(-(most + 1) * eta**s // (s + 1))
        rungs = [(n // eta**i, max_epochs // eta ** (s - i)) for i in range(s + 1)]
        brackets.append(rungs)
    return brackets
    ### END SOLUTION

# %% tags=["check"]
check("hyperband_brackets", hyperband_brackets)

# %% [markdown]
# Both are made for one worker. With eight, a rung of three leaves five of them idle, and all wait
# for the slowest. **ASHA** does away with waiting: whoever is free takes the next job at once.
#
# ### Exercise 8.7 · `asha` · ●●●●○ · 30 min · 4 points
#
# **Why it matters.** On a cluster the price is counted in hours on the wall, and ASHA lets no
# worker be idle.
#
# Each time a worker is free, it looks for a job: from the highest rung but the last downwards, is
# there a config among the best ⌊n/eta⌋ of the n results of this rung that has not been promoted
# yet? The best such goes on to the next rung. If there is none, a new config starts at the bottom.
# Nobody waits for a rung to fill. Here the workers are simulated: `train_to` says how many seconds
# a training takes, and a clock jumps from one end of a training to the next.
#
# Example: eta 2, two workers, all trainings of one epoch take 1 second. A and B start at 0. At 1
# both results are there, A 70 and B 80: the best ⌊2/2⌋ = 1 is B. One worker promotes B, the other
# finds nobody to promote and starts C.
#
# <details><summary>Hint: "uses results that are not there yet"</summary>
# A training that was started shows its value when it ends. Keep it in a heap of (end, …) and put it
# into its rung when the clock gets there.</details>
# <details><summary>Hint: "the top 1/eta counts the promoted ones as well"</summary>
# Of six results with eta 3 the best two may go on. If one of them has gone already, one is left;
# not ⌊5/3⌋ of the other five.</details>
# <details><summary>Hint: "TypeError: '&lt;' not supported between instances of 'dict'"</summary>
# The heap compares the next entries of its tuples where the first are equal. Put a running number
# second: then it never gets to the configs.</details>

# %% tags=["exercise"]
def asha(train_to, propose, workers, eta, min_epochs, max_epochs, seconds):
    """Asynchronous successive halving with simulated workers.

    Rungs train to `min_epochs`, then eta times as many each, the last to `max_epochs` (as in
    lesson 02). At second 0 all workers are free. A free worker promotes: from the last rung but one
    down to the first, the best config that is among the ⌊n/eta⌋ best of the n results of that rung
    (of equal values, the one that finished first) and was not promoted from it. If there is none,
    it starts a new config in the first rung. Results that end at the same second are all in their
    rungs before the next job is chosen, in the order in which they were started.

    Args:
        train_to: function of a config and a number of epochs in all that returns (value, seconds):
            the validation accuracy, and how long the training takes. A config can be anything, also
            what cannot be hashed, and two configs may be equal.
        propose: function without arguments that returns a new config at each call.
        workers: how many train at the same time, at least 1.
        eta: an integer, at least 2.
        min_epochs: epochs of the first rung, from 1 to `max_epochs`.
        max_epochs: epochs of the last rung.
        seconds: when the search ends, a finite number above 0. Trainings that have not ended by
            then do not count; those that end right then do.

    Returns:
        List of all results, tuples (config, epochs, value, finished at), in the order in which they
        ended (those of the same second in the order in which they were started).

    Raises:
        ValueError: `workers` below 1, `eta` below 2, `min_epochs` below 1 or above `max_epochs`,
            `seconds` out of range (then nothing is trained), or a training with a value that is not
            finite or whose seconds are not a finite number above 0.

    Source: Li et al. (2020), algorithm 2.
    """
    ### BEGIN SOLUTION
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers!r}")
    if eta < 2:
        raise ValueError(f"eta must be at least 2, got {eta!r}")
    if not 1 <= min_epochs <= max_epochs:
        raise ValueError(
            f"min_epochs must be from 1 to max_epochs ({max_epochs}), got {min_epochs!r}"
        )
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"seconds must be a finite number above 0, got {seconds!r}")
    lengths = [min_epochs]
    while lengths[-1] < max_epochs:
        lengths.append(min(lengths[-1] * eta, max_epochs))
    rungs = [[] for _ in lengths]  # of each rung, the results (value, config) as they came in
    promoted = [set() for _ in lengths]  # positions in the rung

    def next_job():
        for rung in range(len(lengths) - 2, -1, -1):
            results = rungs[rung]
            order = sorted(range(len(results)), key=lambda i: -results[i][0])
            for place in order[: len(results) // eta]:
                if place not in promoted[rung]:
                    promoted[rung].add(place)
                    return results[place][1], rung + 1
        return propose(), 0

    now, running, started, trials = 0.0, [], 0, []
    while True:
        while len(running) < workers:
            config, rung = next_job()
            value, took = train_to(config, lengths[rung])
            if not (math.isfinite(value) and math.isfinite(took) and took > 0):
                raise ValueError(
                    f"train_to must return a finite value and seconds above 0, got {value}, {took}"
                )
            heapq.heappush(running, (now + took, started, rung, config, value))
            started += 1
        now = running[0][0]
        if now > seconds:
            return trials
        while running and running[0][0] == now:
            _, _, rung, config, value = heapq.heappop(running)
            rungs[rung].append((value, config))
            trials.append((config, lengths[rung], value, now))
    ### END SOLUTION

# %% tags=["check"]
check("asha", asha)

# %% [markdown]
# Eight workers, and seconds on the wall that are simulated from the table: an epoch of a cell takes
# a sixth of its recorded training time, and a longer training goes on from its checkpoint. Four
# schedules get the same time. Random search trains everybody to the end. Successive halving starts
# with 32 cells, and each rung waits for its last training before the next begins. Hyperband runs
# its brackets like that, with four times as many cells each, as there are eight workers. ASHA waits
# for nobody. Each cell is one single training.

# %% tags=["experiment"]
guess_idle = predict("What share of the workers' time is successive halving idle?", ..., unit="%")

# %% tags=["experiment"]
run_asha = or_fallback("asha", asha)
brackets_of = or_fallback("hyperband_brackets", hyperband_brackets)
EPOCHS, WORKERS, SECONDS = benchmark.epochs, 8, 12.0
per_epoch = benchmark.seconds / EPOCHS


def trained(config, epochs, before=0):
    """(value, seconds) of a (cell's index, seed) that goes on from a checkpoint after `before`."""
    cell, seed = config
    return benchmark.valid[cell, seed, epochs - 1], (epochs - before) * per_epoch[cell]


def drawn(rng):
    """Configs without end: a cell that was not drawn before, and one of its trainings."""
    for cell in rng.permutation(len(space)).tolist():
        yield cell, int(rng.integers(benchmark.seeds))

# %% tags=["experiment"]
def in_rungs(brackets, rng):
    """Results (config, epochs, value, finished at) of brackets whose rungs wait for their last."""
    configs, results, start = drawn(rng), [], 0.0
    for bracket in itertools.cycle(brackets):
        racing, before = list(itertools.islice(configs, bracket[0][0])), 0
        for count, epochs in bracket:
            free, values = [start] * WORKERS, []
            for config in racing[:count]:
                value, took = trained(config, epochs, before)
                end = heapq.heappop(free) + took  # the worker that is free first
                heapq.heappush(free, end)
                values.append(value)
                results.append((config, epochs, value, end))
            order = np.argsort(-np.array(values), kind="stable")
            racing, before, start = [racing[i] for i in order], epochs, max(free)
            if start > SECONDS:
                return sorted((one for one in results if one[3] <= SECONDS), key=lambda one: one[3])

# %% tags=["experiment"]
ladder = {1: 0, 2: 1, 4: 2, 6: 4}  # ASHA's rungs with eta 2, and where each goes on
halving = [[(32, 1), (16, 2), (8, 4), (4, 6)]]
hyperband = [[(4 * n, epochs) for n, epochs in one] for one in brackets_of(EPOCHS, 2)]
schedules = {
    "random search": lambda rng: in_rungs([[(len(space), EPOCHS)]], rng),
    "successive halving": lambda rng: in_rungs(halving, rng),
    "Hyperband": lambda rng: in_rungs(hyperband, rng),
    "ASHA": lambda rng: run_asha(
        lambda config, epochs: trained(config, epochs, ladder[epochs]),
        partial(next, drawn(rng)), WORKERS, 2, 1, EPOCHS, SECONDS,
    ),
}  # fmt: skip

# %% tags=["experiment"]
def story(results, times):
    """Test accuracy of the best of those trained longest, at each time; busy share; cells."""
    ends = np.array([end for _, _, _, end in results])
    ranks = [(epochs, value) for _, epochs, value, _ in results]
    leader = np.array([max(range(i + 1), key=ranks.__getitem__) for i in range(len(ranks))])
    chosen = leader[np.searchsorted(ends, times, side="right") - 1]
    done, busy = {}, 0.0
    for config, epochs, _, _ in results:
        busy += (epochs - done.get(config, 0)) * per_epoch[config[0]]
        done[config] = epochs
    tested = [accuracy[results[i][0][0]] for i in chosen]
    return tested, busy / (WORKERS * SECONDS), len(done)


# %% tags=["experiment"]
times, best_test = np.linspace(2.5, SECONDS, 20), benchmark.best("test")[1]
tested = {name: [] for name in schedules}
for seed in progress(range(60)):
    for name, schedule in schedules.items():
        tested[name].append(story(schedule(np.random.default_rng(seed)), times))
curves = {name: best_test - np.array([one[0] for one in rows]) for name, rows in tested.items()}
labels = {"x": times, "unit": "seconds on the wall", "ylabel": "test regret of the choice (points)"}
levels = {"no search: the largest cell": best_test - largest.test}
plotting.half_points(plotting.regret_bands(curves, log_x=False, **labels, levels=levels))

# %% tags=["experiment"]
for name, rows in tested.items():
    regret = curves[name][:, -1]
    error = 2 * regret.std(ddof=1) / np.sqrt(len(regret))
    busy, seen = np.mean([one[1:] for one in rows], axis=0)
    print(f"{name:20} busy {100 * busy:3.0f} %, {seen:4.0f} cells", end="")
    print(f", regret {regret.mean():.2f} ± {error:.2f}")
gap = curves["random search"][:, -1] - curves["ASHA"][:, -1]
error = 2 * gap.std(ddof=1) / np.sqrt(len(gap))
print(f"random search − ASHA: {gap.mean():+.2f} ± {error:.2f}")
print(f"no search, the largest cell: {best_test - largest.test:.2f}")
guess_idle.beside(100 - 100 * np.mean([one[1] for one in tested["successive halving"]]))

# %% [markdown]
# (What is not finished at the end counts as idle, so nobody is busy all the time.) Waiting costs
# halving and Hyperband a part of their workers, and ASHA turns it into cells that the others never
# see. It gains less than its diligence suggests, since early epochs order the best cells badly
# (lesson 02). In these seconds no schedule comes near the largest cell, which took one training.
#
# <details><summary>What we got</summary>
#
# Successive halving is busy for 73 % of the time, Hyperband for 60 %, ASHA for 99 %: it sees 178
# cells where random search sees 80. Its regret of 1.37 is 0.24 ± 0.15 below that of random search.
# The largest cell has 0.57.
#
# </details>
#
# ### Snapshots are not short trainings
#
# All of this rests on *snapshots*: what the table holds for epoch 2 is the second epoch of a
# schedule of six, at a learning rate that is still high. That is right for ASHA, which goes on from
# checkpoints. Who trains for two epochs and stops would let the rate fall within two. Train some
# cells like that, and see whether they come out in another order.

# %% tags=["experiment"]
from dataclasses import replace

from nas_lib.training import RECIPE, load_splits, train

SHORT, CELLS, IMAGES = 2, 24, 2000
recipe = replace(RECIPE, epochs=SHORT, final_images=IMAGES)
splits = load_splits(recipe)
some = np.random.default_rng(1).choice(len(cells), size=CELLS, replace=False)
trainings = [train(cells[i], splits, recipe, seed=0) for i in progress(some.tolist(), unit="net")]
short = np.array([one.valid_correct[-1] for one in trainings]) * 100 / IMAGES
snapshot = benchmark.valid[index[some], 0, SHORT - 1]

# %% tags=["experiment"]
print(f"mean accuracy: snapshot {snapshot.mean():.1f} %, own schedule {short.mean():.1f} %")
for name, values in {"snapshot": snapshot, "own schedule": short}.items():
    print(f"{name:13} tau with the final test accuracy {kendalltau(values, truth[some])[0]:.2f}")
gaps = []
for resample in np.random.default_rng(0).integers(CELLS, size=(1000, CELLS)):  # of the cells
    here = truth[some[resample]]
    both = [kendalltau(values[resample], here)[0] for values in (short, snapshot)]
    gaps.append(both[0] - both[1])
low, high = np.percentile(gaps, [2.5, 97.5])
print(f"own schedule − snapshot: between {low:+.2f} and {high:+.2f} (95 %, {CELLS} cells)")

# %% [markdown]
# The short schedule is more accurate, since its rate has fallen, and it costs as much as the
# snapshot. Whether it also *orders* better, the interval says. All results above are of snapshots.
#
# <details><summary>What we got</summary>
#
# In their own schedule the cells come to about 57.5 % in two epochs, in the snapshot to 54.9 %. The
# tau with the final accuracy is about 0.78 for the one and 0.68 for the other, and the interval of
# the difference holds zero: 24 cells do not decide it.
#
# </details>

# %% [markdown]
# ## 5 · Another score without training
#
# ### Exercise 8.8 · `naswot_score` · ●●●○○ · 15 min · 3 points
#
# **Why it matters.** Synflow (lesson 02) looks at no data. This proxy looks at nothing but: if an
# untrained network sends two images through the *same* pattern of open and closed ReLUs, it can
# hardly tell them apart. A good one gives every image a pattern of its own.
#
# For each image, write down for every unit of every ReLU whether it is open (its output is above
# 0). Two images have a Hamming distance: in how many of all N units their codes differ. The kernel
# is K[i, j] = N − distance, and the score is the logarithm of its determinant. (Equal codes make
# two rows equal: the determinant is 0.) Example: N = 4 units, two images whose codes differ in one:
# K has 4 on the diagonal and 3 beside it, and the score is ln(16 − 9) ≈ 1.946.
#
# <details><summary>Hint: how do I see inside?</summary>
# <code>module.register_forward_hook(f)</code> calls <code>f(module, inputs, output)</code> in each
# forward pass. Register it on every <code>nn.ReLU</code> of a copy of the network.</details>
# <details><summary>Hint: "units that are closed in both images agree as well"</summary>
# With codes C of zeros and ones, C Cᵀ counts the units that are open in both. Those that are closed
# in both agree too: (1 − C)(1 − C)ᵀ.</details>

# %% tags=["exercise"]
def naswot_score(net, x):
    """How well an untrained network tells images apart by which of its ReLUs are open.

    Args:
        net: torch.nn.Module with `torch.nn.ReLU` modules, used in the mode in which it is passed
            in. It is left exactly as it was: the batch norms' stored statistics, hooks, modes.
        x: images, (B, ...), B ≥ 1.

    Returns:
        The logarithm of the determinant of K, a float, with K[i, j] the number of units on which
        the images i and j agree: open (output above 0) for both or closed for both. Units are the
        entries of the outputs of all ReLU modules; one that is called twice counts twice. (Where
        two images have equal codes it is −infinity, up to rounding.)

    Raises:
        ValueError: no images, an entry of `x` that is not finite, or a network that runs through no
            ReLU module.

    Source: Mellor, Turner, Storkey and Crowley (2021), section 3.
    """
    ### BEGIN SOLUTION
    if len(x) < 1 or not x.isfinite().all():
        raise ValueError(f"x must be one or more images of finite numbers, got {tuple(x.shape)}")
    probe, codes = copy.deepcopy(net), []  # a copy: hooks and statistics stay with it

    def look(module, inputs, output):
        codes.append((output > 0).flatten(1).double())

    for module in probe.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(look)
    with torch.no_grad():
        probe(x)
    if not codes:
        raise ValueError(f"net must run through at least one torch.nn.ReLU, got {net}")
    code = torch.cat(codes, dim=1)
    agree = code @ code.T + (1 - code) @ (1 - code).T
    return float(torch.linalg.slogdet(agree).logabsdet)
    ### END SOLUTION

# %% tags=["check"]
check("naswot_score", naswot_score)

# %% [markdown]
# Score some networks, 300 drawn from all functions and 150 from the best tenth, and compare with
# what lesson 02 had. Then ask a sharper question. Proxies and accuracy may agree only because both
# grow with size. So look within groups of cells with *equal* parameter counts, where the size says
# nothing at all.

# %% tags=["experiment"]
guess_within = predict("Kendall's tau of naswot among functions of equal size?", ...)

# %% tags=["experiment"]
from nas_lib.data import cluttered_digits
from nas_lib.lesson import PROXY_BATCH
from nas_lib.networks import NetworkConfig, build_network

naswot = or_fallback("naswot_score", naswot_score)
config, rng = NetworkConfig(), np.random.default_rng(0)
images, _ = cluttered_digits("train", PROXY_BATCH, config.resolution, seed=0).tensors()
members = {"all": rng.choice(len(cells), 300, False), "best tenth": rng.choice(top, 150, False)}
activations = np.full(len(cells), np.nan)
for i in progress(np.unique(np.concatenate([*members.values()])).tolist(), unit="net"):
    activations[i] = naswot(build_network(cells[i], config, seed=0), images)
candidates = {"naswot": activations, "synflow": scores["synflow"]}
candidates |= {"gradient norm": scores["grad_norm"], "parameter count": scores["parameter count"]}

# %% tags=["experiment"]
def within_sizes(values, some):
    """Mean tau among functions of equal parameter count, in groups of eight or more."""
    sizes, counts = np.unique(benchmark.params[index[some]], return_counts=True)
    parts = [some[benchmark.params[index[some]] == size] for size in sizes[counts >= 8]]
    parts = [part for part in parts if np.ptp(values[part]) > 0]
    return np.average([tau_of(values, part) for part in parts], weights=[len(p) for p in parts])


free, panels = "parameter count", {}
for name, some in members.items():
    panels[name] = {c: tau_of(v, some) for c, v in candidates.items()}
equal = {c: 0.0 if c == free else within_sizes(v, members["all"]) for c, v in candidates.items()}
panels = {"all": panels["all"], "equal size": equal, "best tenth": panels["best tenth"]}
plotting.dots(panels, xlabel="Kendall tau with test accuracy", baseline=free)
for name, values in panels.items():
    print(f"{name:11}" + ", ".join(f"{one} {tau:.2f}" for one, tau in values.items()))
guess_within.beside(equal["naswot"])

# %% [markdown]
# Over all functions naswot loses against counting parameters, and by that alone one would throw it
# away. Among cells of equal size it is the best of the three: it knows something that the size does
# not. Two such scores belong *together*, as features of a predictor.
#
# <details><summary>What we got</summary>
#
# Over all functions naswot has a tau of about 0.48 and the parameter count 0.63. Among functions of
# equal size naswot has about 0.60, synflow 0.39 and the gradient norm −0.13. In the best tenth
# naswot falls to about 0.17, behind the parameter count.
#
# </details>

# %% [markdown]
# ## 6 · The race, with everybody
#
# Lesson 02's race again, in simulated seconds on one worker: 100 of them pay for about 88 full
# trainings. The library's methods run as they come, with the settings of their papers; yours are
# the Bayesian optimisations of section 3. Nobody was tuned for this race, except that section 3 saw
# on this very table that clipping helps. The dashed line takes no search.

# %% tags=["experiment"]
names = ("random search", "hill climbing", "evolution", "ASHA", "Bayesian optimisation")
guess_race = predict("Who has the lowest mean regret?", ..., options=names)

# %% tags=["experiment"]
from nas_lib.hyperband import ASHA, Hyperband
from nas_lib.lesson import within_seconds
from nas_lib.search import compare
from nas_lib.searchers import HillClimbing, RegularizedEvolution
from nas_lib.surrogates import BayesianOptimization

library = {
    "random search": RandomSearch,
    "hill climbing": HillClimbing,
    "evolution": partial(RegularizedEvolution, population=10, sample=3),
    "Bayesian optimisation": BayesianOptimization,
}
by_epochs = {
    "Hyperband": partial(Hyperband, max_epochs=EPOCHS, eta=2),
    "ASHA": partial(ASHA, max_epochs=EPOCHS, eta=2),
}
yours = {"yours, one-hot": process_on(one_hot), "yours, paths": process_on(paths)}

# %% tags=["experiment"]
def own_search(fit, objective, space, budget, rng):
    """Your Bayesian optimisation, as `within_seconds` calls a search."""
    return optimize(objective, space, budget, 10, 100, fit, rng, improvement)


def race(benchmark, seconds, methods, runs, own_runs):
    """Test accuracy of each run's choice, by method; your own searches have fewer runs."""
    compared = compare(methods, benchmark, seconds, runs, unit="seconds", progress=False)
    ended = {name: values[:, -1] for name, values in compared.values.items()}
    for name, fit in yours.items():
        search = partial(own_search, fit)
        rngs = map(np.random.default_rng, progress(range(own_runs)))
        ended[name] = np.array([within_seconds(search, benchmark, seconds, rng) for rng in rngs])
    return ended


# %% tags=["experiment"]
ended = race(benchmark, 100.0, library | by_epochs, 100, 20)
below = {name: best_test - values for name, values in ended.items()}
rows = {}
for name, values in below.items():
    mean, error = values.mean(), 2 * values.std(ddof=1) / np.sqrt(len(values))
    rows[name] = (mean, (mean - error, mean + error))
    print(f"{name:22} regret {mean:.2f} ± {error:.2f} over {len(values)} runs")
title = "Mean ± 2 standard errors; dashed: the largest cell"
ax = plotting.intervals(rows, xlabel="test regret of the choice (points)", title=title)
ax.axvline(best_test - largest.test, color="black", linestyle="--", linewidth=1)
print(f"no search, the largest cell (dashed): {best_test - largest.test:.2f}")
by_valid = benchmark.query(benchmark.best("valid")[0]).test
print(f"the cell with the highest validation accuracy: {best_test - by_valid:.2f}")
slow = benchmark.seconds[index[top]].mean()
print(f"a training takes {benchmark.seconds.mean():.1f} s, in the best tenth {slow:.1f} s")
guess_race.beside(min(names, key=lambda name: below[name].mean()))

# %% [markdown]
# Who learns is ahead of random search, but only the library's Bayesian optimisation is clearly
# ahead of the largest cell, which took one training. Yours differs from it in its candidates: half
# of the library's are neighbours of the best. What is left at the end is the search's own, since
# the best cell by validation is also the best by test here. One reason why your search did better
# in section 3: good cells take longer to train than others, and seconds pay for fewer of them.
#
# <details><summary>What we got</summary>
#
# The largest cell has a regret of 0.57. Random search comes to 1.34, Hyperband to 1.20, ASHA to
# 1.05, evolution to 0.93 and hill climbing to 0.90. The library's Bayesian optimisation has less
# than half of the largest cell's regret; whether yours is ahead of that cell, 20 runs do not
# decide.
#
# </details>
#
# On the real NAS-Bench-201 there is one value per cell to search by (validation after 12 epochs),
# so Hyperband and ASHA stay at home. The budget is that of lesson 02, 20,000 simulated seconds, and
# the choice is judged by its validation accuracy after 200 epochs. The settings are those from
# above. Over 50 runs each this gave 91.10 ± 0.06 for random search, 91.34 ± 0.07 for hill climbing,
# 91.37 ± 0.06 for evolution and 91.35 ± 0.08 for the library's Bayesian optimisation, 90.20 for the
# largest cell; yours came to 91.51 ± 0.03 on one-hot, in 4 runs. So the clear lead on the table
# does not carry over to the library's settings, and clipping, which was seen on the table, does no
# harm.

# %% tags=["experiment"]
from nas_lib import real_data

path = real_data.find_nas_bench_201()
if path is None:
    print("The real NAS-Bench-201 values are not on this machine: run it where they are.")
else:
    real = real_data.nas_bench_201(path)
    reached = race(real, real_data.SECONDS, library, 50, 4)
    for name, values in reached.items():
        error = 2 * values.std(ddof=1) / np.sqrt(len(values))
        print(f"{name:22} {values.mean():6.2f} ± {error:.2f} over {len(values)} runs")
    print(f"no search, the largest cell: {real.query(('nor_conv_3x3',) * 6).test:.2f}")

# %% [markdown]
# ## 7 · Recap
#
# - An encoding decides what a predictor can see. One-hot sees edges, paths see what happens to the
#   data.
# - Ridge and Gaussian processes are a few lines of linear algebra. It takes hundreds of trained
#   cells before they order this space better than counting parameters; with proxies among their
#   features, ten.
# - Bayesian optimisation evaluates what promises most, where being unsure counts as a promise.
# - Hyperband tries several answers to "how many configs, how long?". ASHA never waits, and promotes
#   a few wrong ones for it.
# - A score without training has to beat the parameter count, also among cells of equal size.
#
# ## 8 · Questions

# %% [markdown]
# ### Question 8.1 · `concept_08_1` · ●●○○○ · 1 min · 1 point
#
# The best value so far is 86. A predictor says of A: mean 86.0, standard deviation 0.1; of B: mean
# 85, standard deviation 2. Which of them has the higher expected improvement?
#
# - **a** A, since its mean is higher, and the mean is what one has to expect
# - **b** neither has any, since no mean is above 86
# - **c** B, which is probably worse, but may be better by points
# - **d** A, which is better than 86 in half of the cases, B in less than a third

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_08_1 = "c"
### END SOLUTION

# %% tags=["check"]
check("concept_08_1", concept_08_1)

# %% [markdown]
# ### Question 8.2 · `concept_08_2` · ●●○○○ · 1 min · 1 point
#
# On some task the first epochs say nothing about the last one. Hyperband runs all of its brackets
# there. Which bracket finds the best config, on average?
#
# - **a** the first, which has the most configs to choose from
# - **b** all of them alike, since they cost about the same
# - **c** the last, which trains all its configs to the end
# - **d** the one in the middle, which has some of both virtues and is no extreme in either

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_08_2 = "c"
### END SOLUTION

# %% tags=["check"]
check("concept_08_2", concept_08_2)

# %% [markdown]
# ### Question 8.3 · `concept_08_3` · ●●○○○ · 1 min · 1 point
#
# With eta 3, ASHA promotes a config that is the best of three results. When 60 results are in, it
# is number 40 of them. What becomes of the promotion?
#
# - **a** it is taken back, and the epochs are given to another config
# - **b** nothing of that kind can happen: a rung is full before anybody leaves it
# - **c** the config blocks a place in the next rung, so that one good config fewer gets there
# - **d** it stands: that is the price of not waiting

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_08_3 = "d"
### END SOLUTION

# %% tags=["check"]
check("concept_08_3", concept_08_3)

# %% [markdown]
# ### Question 8.4 · `concept_08_4` · ●●○○○ · 2 min · 1 point
#
# A proxy has a tau of 0.68 with accuracy, the parameter count has 0.66, and the two agree with each
# other at 0.85. What shows best whether the proxy knows something that the size does not?
#
# - **a** its tau over more architectures, so that 0.02 becomes significant
# - **b** its tau among architectures of equal size
# - **c** its tau as a mean over many initialisations, which removes its noise
# - **d** its tau with the accuracy of a longer training, which is closer to the truth

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_08_4 = "b"
### END SOLUTION

# %% tags=["check"]
check("concept_08_4", concept_08_4)

# %% [markdown]
# ### Open question 8.1 · `open_08_1` · ●●●○○ · 15 min · 4 points
#
# A team has a space of a million architectures, eight GPUs and one week. A full training takes
# twelve hours; a tenth of it says something, nobody knows how much. One colleague wants Bayesian
# optimisation with a Gaussian process, another wants ASHA, a third a zero-cost proxy on all
# architectures. Plan the week. Say what you would measure in the first day before you commit
# yourself, how predictor and short trainings can be combined, and how you would show at the end
# that it was worth more than the largest architecture and random search. Use what you measured in
# this lesson. Eight to ten sentences.
#
# ### BEGIN MARK SCHEME
# One point each, half points allowed:
# 1. The sums add up: 8 GPUs · 7 days · 2 = 112 full trainings in all, tuning and final trainings
#    included; the plan says how many short and full trainings it spends on what, and keeps the
#    workers busy (asynchronous, or batches of eight).
# 2. Trust is measured first: a small random sample, trained to the end, gives tau of the short
#    training, of the predictor by cross-validation and of the proxy, each beside the parameter
#    count, and knows that a dozen points give a rough tau and nothing about the best tenth.
# 3. A sensible combination: a predictor on top of short trainings (or with the proxy and the size
#    as features), candidates by expected improvement, or ASHA whose new configs come from a
#    predictor; settings chosen without looking at what is reported.
# 4. A fair comparison at equal cost, tuning included: largest architecture and random search beside
#    it, winners retrained with fresh seeds, and own numbers of this lesson with a limit of carrying
#    them over.
# ### END MARK SCHEME

# %% [markdown] tags=["answer"]
# The week has room for 112 full trainings. On the first day I train fifteen random architectures
# and the largest one to the end, every epoch written down. They give me a rough tau of the first
# tenth of a training, of the proxy and of the parameter count, and fifteen points say nothing about
# the best tenth. In the lesson the parameter count was ahead of every predictor with ten trained
# cells, so before I have some dozens of values I would not believe a Gaussian process. If the short
# training has a good tau, ASHA fills the eight GPUs for four days: with rungs at a tenth, three
# tenths and the whole, and checkpoints, 64 full trainings pay for some 250 architectures, and
# nobody waits. A predictor is fitted to all that was trained, with size and proxy among its
# features, and new configs come from its expected improvement instead of at random. Its settings
# are fixed on the training data alone. The last two days have 32 trainings: the three best, the
# largest architecture and the best of the random ones, with fresh seeds each and on test data that
# nothing has seen. A random search at equal cost I cannot pay for, and would say so. In the lesson
# the good methods differed by less than their spread, so I expect a clear win over chance, and none
# over each other.

# %% [markdown]
# ## References
#
# - White, Neiswanger and Savani (2021). *BANANAS: Bayesian Optimization with Neural Architectures
#   for Neural Architecture Search.* AAAI. [arXiv:1910.11858](https://arxiv.org/abs/1910.11858)
# - White, Zela, Ru, Liu and Hutter (2021). *How Powerful are Performance Predictors in Neural
#   Architecture Search?* NeurIPS. [arXiv:2104.01177](https://arxiv.org/abs/2104.01177)
# - Rasmussen and Williams (2006). *Gaussian Processes for Machine Learning.* MIT Press.
# - Jones, Schonlau and Welch (1998). *Efficient Global Optimization of Expensive Black-Box
#   Functions.* Journal of Global Optimization 13, 455–492.
# - Hoerl and Kennard (1970). *Ridge Regression: Biased Estimation for Nonorthogonal Problems.*
#   Technometrics 12, 55–67.
# - Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar (2018). *Hyperband.* JMLR 18.
#   [arXiv:1603.06560](https://arxiv.org/abs/1603.06560)
# - Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht and Talwalkar (2020). *A System for
#   Massively Parallel Hyperparameter Tuning* (ASHA). MLSys.
#   [arXiv:1810.05934](https://arxiv.org/abs/1810.05934)
# - Mellor, Turner, Storkey and Crowley (2021). *Neural Architecture Search without Training.* ICML.
#   [arXiv:2006.04647](https://arxiv.org/abs/2006.04647)
# - Dong and Yang (2020). *NAS-Bench-201.* ICLR.
#   [arXiv:2001.00326](https://arxiv.org/abs/2001.00326)
#
# **Read next.** Of the first two, the second compares 31 predictors at equal cost and is a good way
# into the field. Falkner, Klein and Hutter (2018), *BOHB*
# ([arXiv:1807.01774](https://arxiv.org/abs/1807.01774)), is Hyperband whose configs come from a
# model.
