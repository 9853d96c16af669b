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
# # 01 · Random search
#
# **{minutes} · {points}.** At the end of this lesson you will be able to
#
# - search a space at random without evaluating anything twice, and say what the search cost;
# - draw regret over hundreds of runs, and read a band instead of a single line;
# - tell in advance how many evaluations random search needs, and when that does not depend on the
#   size of the space;
# - say how far the noise of one training blurs the order of the best cells;
# - decide with a paired bootstrap whether method A is better than method B, or whether you have too
#   few runs to tell.
#
# The notebook computes for less than a minute. You need lesson 00 for the space and the table; no
# exercise of it is used here.
#
# ## Why begin with the simplest method?
#
# In 2017, Zoph and Le let a recurrent network, trained by reinforcement learning, propose image
# classifiers. The figure usually quoted for the search is 800 GPUs for 28 days. Many methods
# followed, each with better results than the one before, and few of them were compared with drawing
# architectures at random from the same space, at the same cost.
#
# Li and Talwalkar (2019) made up for it. On the two search spaces of DARTS (recurrent cells for
# Penn Treebank, convolutional cells for CIFAR-10) they ran random search in two forms: with early
# stopping, and with shared weights. With early stopping it did at least as well as ENAS, a leading
# method of the time. With shared weights it was better still: state of the art on Penn Treebank,
# and competitive on CIFAR-10. They also noted that what one needs to reproduce a published result
# exactly was often missing.
#
# > **A common mistake.** You will read that Li and Talwalkar "showed on NAS-Bench-101 that random
# > search comes within 1 % of the best at 1 % of the compute". They did not use NAS-Bench-101, and
# > state no such law. What can be said, since it was measured on NAS-Bench-201 with CIFAR-10: 100
# > random evaluations, 0.64 % of the space, reach on average 93.75 % test accuracy, where the best
# > cell has 94.37 %. The reason lies in the space: 3.7 % of its cells are within one point of the
# > best. Whether that is so for *your* space has to be measured, and you will do that below.
#
# So random search is not the method to laugh at. It is the method to beat, with the same budget,
# over enough runs.

# %% tags=["setup"]
import math

import numpy as np

from nas_lib.checks import check
from nas_lib.search import History
from nas_lib.spaces import CellSpace

space = CellSpace()

# %% [markdown]
# ## 1 · Draw, evaluate, remember the best

# %% [markdown]
# ### Exercise 1.1 · `sample_uniform` · ●○○○○ · 5 min · 2 points
#
# **Why it matters.** "At random" is a choice too. If some architectures come up more often than
# others, then the baseline searches another space than its competitors.
#
# Take one option for each decision, all of them with the same chance, independently. Not every
# space is like ours: the decisions may have different numbers of options. Example: with
# `choices = (("a", "b"), (1, 2, 3))` each of the six results `("a", 1)` … `("b", 3)` has the
# probability 1/6.
#
# <details><summary>Hint: "the same seed gives different architectures"</summary>
#
# All randomness has to come from `rng`. `random.choice` and `np.random.rand` have a state of their
# own.
#
# </details>
# <details>
# <summary>Hint: "ValueError: setting an array element with a sequence" or numbers turned into
# strings</summary>
#
# `rng.choice` makes an array of the options first, and arrays hold one type. Draw a *position* with
# `rng.integers` instead, and take the option at that position.
#
# </details>
# <details>
# <summary>Hint: "some options never appear" or "options are not equally frequent"</summary>
#
# `rng.integers(n)` gives 0, …, n − 1: the end is left out. And each decision has its own number of
# options.
#
# </details>

# %% tags=["exercise"]
def sample_uniform(space, rng):
    """One architecture, uniformly at random: every architecture of the space has the same chance.

    Args:
        space: any search space; `space.choices` lists the options of each decision, one tuple per
            decision. The decisions may have different numbers of options.
        rng: numpy.random.Generator, the only source of randomness.

    Returns:
        A tuple with one option per decision, in the order of `space.choices`: the options
        themselves, whatever their types.

    Raises:
        ValueError: the space has no decisions, or a decision without options.
    """
    ### BEGIN SOLUTION
    choices = space.choices
    if not choices or not all(choices):
        raise ValueError(f"space must offer an option for each decision, got choices {choices!r}")
    return tuple(options[rng.integers(len(options))] for options in choices)
    ### END SOLUTION

# %% tags=["check"]
check("sample_uniform", sample_uniform)

# %% [markdown]
# ### Exercise 1.2 · `random_search` · ●●○○○ · 15 min · 3 points
#
# **Why it matters.** This is the baseline of every paper on NAS, and the loop that all later
# lessons fill with better ideas: propose, evaluate, remember. Here an evaluation is a look into a
# table. Outside it is hours of training, so the budget counts *evaluations*, and not one of them
# may be wasted on an architecture that is known already.
#
# Example: on a space of three architectures a budget of 3 evaluates each of them once, in random
# order. A budget of 4 is an error, not an endless loop.
#
# <details><summary>Hint: "an architecture was evaluated twice"</summary>
#
# Keep the architectures seen so far in a `set`, and draw again when one comes up that is in it.
#
# </details>
# <details><summary>Hint: "the history is shorter than the budget"</summary>
#
# A repeated draw is no evaluation. Loop *until* you have `budget` evaluations, not `budget` times.
#
# </details>
# <details><summary>Hint: "the objective was called too often"</summary>
#
# Call it once per architecture and keep what it returned. Evaluating the whole space and picking
# afterwards costs `len(space)` evaluations.
#
# </details>
# <details><summary>Hint: "the cell does not finish"</summary>
#
# With a budget above `len(space)` there is nothing new left to draw. Test the budget first.
#
# </details>

# %% tags=["exercise"]
def random_search(objective, space, budget, rng):
    """Evaluate `budget` distinct architectures drawn uniformly from `space`.

    Draw with `space.sample(rng)`, the library's own `sample_uniform`, so that a mistake in yours
    does not follow you here.

    Args:
        objective: function of one architecture that returns a float to be maximised. Calling it is
            what costs: it is called exactly `budget` times, never twice for the same architecture.
        space: any search space, with `space.sample(rng)` and `len(space)`.
        budget: number of evaluations, from 1 to len(space).
        rng: numpy.random.Generator, the only source of randomness.

    Returns:
        History of the evaluations in the order in which they were made: `archs` (list of `budget`
        distinct architectures) and `values` (float array of shape (budget,)).

    Raises:
        ValueError: `budget` is below 1 or above len(space) (then nothing is evaluated), or the
            objective returned NaN or an infinite value.
    """
    ### BEGIN SOLUTION
    if not 1 <= budget <= len(space):
        raise ValueError(
            f"budget must be from 1 to {len(space)} (all of the space), got {budget!r}"
        )
    archs, values, seen = [], [], set()
    while len(archs) < budget:
        arch = space.sample(rng)
        if arch in seen:
            continue  # a repeat costs a draw, not an evaluation
        value = objective(arch)
        if not math.isfinite(value):
            raise ValueError(f"objective must return a finite number, got {value} for {arch}")
        seen.add(arch)
        archs.append(arch)
        values.append(value)
    return History(archs, np.array(values, dtype=float))
    ### END SOLUTION

# %% tags=["check"]
check("random_search", random_search)

# %% [markdown]
# Let it run. The objective is the table's validation accuracy after full training, as the mean over
# its seeds. So the same cell always gets the same value; noise comes later.

# %% tags=["experiment"]
from nas_lib import plotting
from nas_lib.benchmark import TabularBenchmark
from nas_lib.fallbacks import or_fallback

benchmark = TabularBenchmark.load()
search = or_fallback("random_search", random_search)


def valid_accuracy(arch):
    """Validation accuracy after full training, mean over the seeds (percent)."""
    return benchmark.query(arch).valid


history = search(valid_accuracy, space, 200, np.random.default_rng(0))
optimum_cell, optimum = benchmark.best("valid")
found = history.archs[int(np.argmax(history.values))]
hours = sum(benchmark.query(arch).seconds for arch in history.archs) / 3600
print(f"best of {len(history)} evaluations: {history.values.max():.2f} %")
print(f"best of the whole space:  {optimum:.2f} %")
print(f"training these {len(history)} cells once each would take {hours:.2f} hours on one core")
plotting.draw_cells([found, optimum_cell], ["found", "the best there is"]);

# %% [markdown]
# ## 2 · Regret
#
# A search is judged by what it would hand over if you stopped it now: its **incumbent**, the best
# architecture so far. How far the incumbent lies below the best architecture of the space is its
# **simple regret**. To know the regret one has to know the optimum, which is why benchmarks with a
# complete table are worth making.

# %% [markdown]
# ### Exercise 1.3 · `incumbent_curve` · ●○○○○ · 4 min · 1 point
#
# **Why it matters.** The raw values of a random search are a cloud without a trend: the 200th draw
# is no better than the first. What improves is the best so far.
#
# Example: the values 3, 1, 4, 1, 5 have the incumbent curve 3, 3, 4, 4, 5.
#
# <details><summary>Hint: "the curve falls somewhere"</summary>
#
# A new value replaces the incumbent only if it is larger. `np.maximum.accumulate` does the whole
# job.
#
# </details>
# <details><summary>Hint: "starts at 0" or "wrong for negative values"</summary>
#
# Start from the first value, not from 0: accuracies are positive, but other objectives need not be.
#
# </details>

# %% tags=["exercise"]
def incumbent_curve(values):
    """Best value so far, after each evaluation.

    Args:
        values: sequence or array of shape (n,), n ≥ 1, in the order of evaluation; higher is
            better.

    Returns:
        Float array of shape (n,): entry t is the largest of values[0], …, values[t].

    Raises:
        ValueError: `values` is empty or holds NaN.
    """
    ### BEGIN SOLUTION
    values = np.asarray(values, dtype=float)
    if not values.size or np.isnan(values).any():
        raise ValueError(f"values must be at least one number and no nan, got {values!r}")
    return np.maximum.accumulate(values)
    ### END SOLUTION

# %% tags=["check"]
check("incumbent_curve", incumbent_curve)

# %% [markdown]
# ### Exercise 1.4 · `simple_regret` · ●○○○○ · 4 min · 1 point
#
# **Why it matters.** Accuracies of different data sets cannot be averaged or put on one axis.
# Regrets can: 0 is perfect everywhere.
#
# Example: with `best = 6` the values 3, 1, 4, 1, 5 have the regret 3, 3, 2, 2, 1.
#
# <details><summary>Hint: "the regret goes up and down"</summary>
#
# You subtracted each value. It is the *incumbent* that counts.
#
# </details>
# <details><summary>Hint: "the last regret is always 0"</summary>
#
# `best` is the optimum of the space, handed in from outside. The best value that the search has
# found is something else.
#
# </details>

# %% tags=["exercise"]
def simple_regret(values, best):
    """How far the best value so far lies below the optimum, after each evaluation.

    Args:
        values: sequence or array of shape (n,), n ≥ 1, in the order of evaluation; higher is
            better.
        best: the optimum, in the units of `values` (in this course: percentage points of accuracy).

    Returns:
        Float array of shape (n,): entry t is best − max(values[0], …, values[t]). It never rises.
        It is not clipped, so it is negative where a value beats `best`.

    Raises:
        ValueError: `values` is empty or holds NaN.
    """
    ### BEGIN SOLUTION
    values = np.asarray(values, dtype=float)
    if not values.size or np.isnan(values).any():
        raise ValueError(f"values must be at least one number and no nan, got {values!r}")
    return best - np.maximum.accumulate(values)
    ### END SOLUTION

# %% tags=["check"]
check("simple_regret", simple_regret)

# %% [markdown]
# First the one run from above: the values as points, the incumbent as steps.

# %% tags=["experiment"]
incumbent = or_fallback("incumbent_curve", incumbent_curve)
regret = or_fallback("simple_regret", simple_regret)

made, axes = plotting.figure(1, 1, width=6.2, height=3.4)
ax = axes[0, 0]
evaluations = np.arange(1, len(history) + 1)
ax.plot(evaluations, history.values, "o", color="#8a8a8a", markersize=3, label="evaluated")
color = plotting.LOOKS[0].color
ax.step(evaluations, incumbent(history.values), where="post", color=color, label="incumbent")
ax.axhline(optimum, color="black", linestyle="--", linewidth=1, label="best of the space")
ax.set(xlabel="evaluations", ylabel="validation accuracy (%)")
ax.set_title("One run of random search", loc="left")
plotting.legend(ax)

# %% [markdown]
# One run is an anecdote: another seed draws other cells. So run it 500 times. With real training
# this would not be done; here it is a loop over the rows of a table. The figure shows the median
# run and the range from the 10th to the 90th percentile of the runs. The upper edge of the band is
# what happens to you on an unlucky day.

# %% tags=["experiment"]
from nas_lib.predictions import predict

guess_regret = predict("Regret of the median run after 200 evaluations?", ..., unit="points")
guess_largest = predict("What share of runs finds a better cell than the largest?", ..., unit="%")

# %% tags=["experiment"]
from nas_lib.lesson import progress

RUNS, BUDGET = 500, 200
regrets = np.empty((RUNS, BUDGET))
for run in progress(range(RUNS)):
    history = search(valid_accuracy, space, BUDGET, np.random.default_rng(run))
    regrets[run] = regret(history.values, optimum)
hours = benchmark.seconds.mean() * RUNS * BUDGET / 3600
print(f"{RUNS * BUDGET:,} evaluations, which would be {hours:,.0f} hours of training")

# %% tags=["experiment"]
no_search = optimum - valid_accuracy(("nor_conv_3x3",) * 6)
ax = plotting.regret_bands(
    {"random search": regrets},
    levels={"no search: the largest cell": no_search},
    title="Random search on the course's table",
)
plotting.guess(ax, guess_regret)
plotting.half_points(ax)
for n in (1, 10, 50, BUDGET):
    low, middle, high = np.percentile(regrets[:, n - 1], (10, 50, 90))
    print(f"after {n:3} evaluations: median {middle:5.2f}, from {low:5.2f} to {high:5.2f} points")
guess_regret.beside(np.median(regrets[:, -1]))
guess_largest.beside(100 * np.mean(regrets[:, -1] < no_search - 1e-9))

# %% [markdown]
# The axis of the budget is logarithmic, that of the regret only above half a point. Read the figure
# from right to left, and see how much of the budget half a point is worth.
#
# The dashed line is no search at all. The cell of six 3×3 convolutions, the largest of the space,
# lies 0.39 points below the best, and after 200 evaluations about one run in nine has found a
# better one. In this space more weights mostly help. Other spaces are not like that, but the
# baseline costs one training, so keep it beside every method.
#
# <details><summary>What we got</summary>
#
# The median run lies 2.48 points below the best after 10 evaluations, 1.49 after 50 and 0.95 after
# 200: the last three quarters of the budget buy half a point. Luck matters most at the beginning,
# where one run in ten is 58 points behind.
#
# </details>

# %% [markdown]
# ## 3 · How many evaluations does it take?
#
# The curve has an explanation, and it has nothing to do with networks. Call the best 5 % of the
# space *good*. One draw misses them with probability 0.95. Two independent draws both miss with
# probability 0.95 · 0.95. So n draws hit a good one with probability $1 - 0.95^n$. There is no size
# of the space in this formula, and no dimension either.

# %% [markdown]
# ### Exercise 1.5 · `samples_for_top_fraction` · ●●○○○ · 10 min · 2 points
#
# **Why it matters.** Before you spend a budget, this says what random search would do with it. A
# method that needs more than that to reach the same place is not worth its code.
#
# Example: with `fraction = 0.5` and `confidence = 0.75` two draws are enough, since 1 − 0.5² =
# 0.75.
#
# <details><summary>Hint: "how do I solve for n?"</summary>
#
# 1 − (1 − f)ⁿ ≥ c means (1 − f)ⁿ ≤ 1 − c. Take logarithms, and mind that log(1 − f) is negative:
# dividing by it turns the inequality around.
#
# </details>
# <details><summary>Hint: "one too few"</summary>
#
# The least n that *reaches* the confidence: round up. Rounding to the nearest integer can fall
# short.
#
# </details>
# <details><summary>Hint: "one too many where the quotient should be a whole number"</summary>
#
# In floating point a quotient such as log(0.001)/log(0.1) may come out as 3.0000000000000004. Test
# whether n − 1 is enough already, up to rounding.
#
# </details>
# <details><summary>Hint: "ZeroDivisionError" or "math domain error"</summary>
#
# For `fraction = 1` every draw is good: the answer is 1. For very small fractions 1 − f rounds to
# 1, and its logarithm to 0; `math.log1p(-f)` stays exact.
#
# </details>

# %% tags=["exercise"]
def samples_for_top_fraction(fraction, confidence):
    """How many draws hit the best `fraction` of a space with probability at least `confidence`.

    The draws are independent and uniform, with repeats allowed.

    Args:
        fraction: share of architectures that count as good enough, 0 < fraction ≤ 1. It may be
            tiny, 1e-18 say, where no loop over n ends and 1 − fraction rounds to 1.
        confidence: the probability asked for, 0 < confidence < 1.

    Returns:
        The least integer n ≥ 1 with 1 − (1 − fraction)^n ≥ confidence, rounding errors aside.

    Raises:
        ValueError: `fraction` or `confidence` is outside its range.

    Source: the complement of n independent misses.
    """
    ### BEGIN SOLUTION
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction must be above 0 and at most 1, got {fraction!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence!r}")
    if fraction == 1:
        return 1
    # log1p keeps its precision where 1 − fraction rounds to 1
    exact = math.log1p(-confidence) / math.log1p(-fraction)
    # where the quotient is a whole number, rounding may have put it a hair above
    return max(1, math.ceil(exact * (1 - 1e-12)))
    ### END SOLUTION

# %% tags=["check"]
check("samples_for_top_fraction", samples_for_top_fraction)

# %% [markdown]
# The formula speaks of fractions, and you care about points of accuracy. The link between them is
# the space: what share of its cells lies within so many points of the best?

# %% tags=["experiment"]
samples_needed = or_fallback("samples_for_top_fraction", samples_for_top_fraction)

accuracy = benchmark.final("valid")  # (cells,), percent, mean over seeds
behind = np.sort(optimum - accuracy)  # points below the best, all cells
share = np.arange(1, len(behind) + 1) / len(behind)

made, axes = plotting.figure(1, 1, width=6.2, height=3.4)
ax = axes[0, 0]
ax.plot(behind, 100 * share, color=plotting.LOOKS[0].color)
ax.axvline(1, color="black", linestyle=":", linewidth=1)
ax.set(xlabel="distance from the best cell (percentage points)", ylabel="share of the space (%)")
ax.set(yscale="log", xlim=(0, 10))
ax.set_title(f"How much of the space lies near the best? ({len(behind):,} cells)", loc="left")
for points in (0.5, 1, 2):
    print(f"within {points:3} points of the best: {100 * np.mean(behind <= points):6.2f} % of all")

# %% [markdown]
# The higher the curve stands near the left edge, the more good cells there are, and the easier is
# the life of random search. Within one point lie 0.40 % of our cells; on NAS-Bench-201 with
# CIFAR-10 it is 3.7 %: random search has an easier life there.
#
# Now put the formula to the test. For three fractions, the lines give the probability that it
# promises, and the markers give the share of your 500 runs that had found such a cell by then. The
# runs never draw a cell twice, and the formula allows repeats: with 200 of 15,625 no difference can
# be seen.

# %% tags=["experiment"]
made, axes = plotting.figure(1, 1, width=6.2, height=3.6)
ax = axes[0, 0]
n = np.arange(1, BUDGET + 1)
places = np.unique(np.geomspace(1, BUDGET, 12).astype(int))
for look, wanted in zip(plotting.LOOKS, (0.1, 0.02, 0.005)):
    # the cell at this rank sets the bar; cells with equal values tie, so count how many pass it
    bar = behind[int(wanted * len(behind)) - 1] + 1e-9
    fraction = np.mean(behind <= bar)
    formula = 1 - (1 - fraction) ** n
    hit = (regrets <= bar).mean(axis=0)
    name = f"best {100 * fraction:.1f} %"
    ax.plot(n, formula, color=look.color, linestyle=look.line, label=name)
    ax.plot(places, hit[places - 1], look.marker, color=look.color, markersize=5)
    print(f"{name:>9} of the space: largest gap to the formula {np.abs(hit - formula).max():.3f}")
ax.axhline(0.95, color="black", linestyle=":", linewidth=1)
ax.set(xlabel="evaluations", ylabel="probability of a hit", xscale="log")
ax.set_title(f"Formula (lines) and {RUNS} runs (markers)", loc="left")
plotting.legend(ax)

# %% tags=["experiment"]
print(f"(with {RUNS} runs a share of one half has a standard error of {0.5 / np.sqrt(RUNS):.3f})")
for fraction in (0.1, 0.05, 0.02, 0.01, 0.005):
    draws = samples_needed(fraction, 0.95)
    print(f"best {100 * fraction:4.1f} %: {draws:5,} draws for 95 % confidence")

# %% [markdown]
# <details><summary>What we got</summary>
#
# The runs keep within 0.042 of the formula, which is what 500 runs can show. 29 draws are enough
# for the best tenth, and the best 0.5 % take 598: three times what this search spends.
#
# </details>

# %% [markdown]
# ## 4 · One seed is not the truth
#
# So far each evaluation was a mean over seeds. A real search trains each architecture once. Does
# one training tell who is best? Compare two sizes: the **gap** between the best functions, and the
# **noise** of a single training. The figure shows the twenty best functions of the table in the
# order of their means, with every seed.

# %% tags=["experiment"]
from nas_lib.spaces import functions

representatives, function_of = functions(space)
first_cell = np.array([space.index(cell) for cell in representatives])  # one cell for each function
by_seed = benchmark.valid[first_cell, :, -1]  # (functions, seeds), percent
order = np.argsort(-by_seed.mean(axis=1))
best_tenth = by_seed[order[: len(order) // 10]]
noise = np.sqrt(best_tenth.var(axis=1, ddof=1).mean())
sorted_means = by_seed.mean(axis=1)[order]
print(f"noise of one training, best tenth of the functions: {noise:.2f} points")
print(f"noise of a mean of {benchmark.seeds}: {noise / np.sqrt(benchmark.seeds):.2f} points")
for rank in (2, 10, 100):
    gap = sorted_means[0] - sorted_means[rank - 1]
    print(f"gap between ranks 1 and {rank:3}: {gap:.2f} points, {gap / noise:.1f} times the noise")

# %% tags=["experiment"]
made, axes = plotting.figure(1, 1, width=6.6, height=3.4)
ax = axes[0, 0]
ranks = np.arange(1, 21)
for seed, look in zip(range(benchmark.seeds), plotting.LOOKS):
    values = by_seed[order[:20], seed]
    ax.plot(ranks, values, look.marker, color=look.color, markersize=4.5, label=f"seed {seed}")
ax.plot(ranks, sorted_means[:20], "_", color="black", markersize=14, label="mean")
ax.set(xlabel="rank by mean", ylabel="validation accuracy (%)", xticks=(1, 5, 10, 15, 20))
ax.set_title(f"The twenty best functions, {benchmark.seeds} trainings each", loc="left")
plotting.legend(ax)

# %% [markdown]
# Where the gap is below the noise, the order is a matter of luck. Even the first rank of the table
# is in part luck: it is the largest of many means, each of which has noise of its own.
#
# <details><summary>What we got</summary>
#
# One training has a noise of 0.60 points, a mean of 3 has 0.34. Rank 10 lies 0.39 points behind the
# first, less than the noise of one training; only at rank 100, 1.23 points behind, one training
# would mostly see the difference.
#
# </details>
#
# There is a second effect, and it is less obvious. A search picks the *highest* value that it saw.
# High values come from good cells and from lucky trainings, so the winner tends to be a cell that
# was lucky. Its value is an overestimate. This is known as the **winner's curse**. The table lets
# you measure it: let each run read one training seed only, then look up what the winner does with
# the *other* seeds.

# %% tags=["experiment"]
guess_luck = predict("By how much is the winner's value too high, on average?", ..., unit="points")

# %% tags=["experiment"]
def trained_once(run, epochs=None):
    """The objective of a search that trains each cell once, with the seed of run number `run`."""

    def objective(arch):
        return benchmark.query(arch, epochs=epochs, seed=run % benchmark.seeds).valid

    return objective


def luck(arch, run):
    """How far (points) the seed of run `run` lies above the mean of the cell's other seeds."""
    record = benchmark.valid[space.index(arch), :, -1]
    seed = run % benchmark.seeds
    return record[seed] - np.delete(record, seed).mean()

# %% tags=["experiment"]
first_luck, winner_luck = np.empty(RUNS), np.empty(RUNS)
for run in progress(range(RUNS)):
    seen = search(trained_once(run), space, BUDGET, np.random.default_rng(run))
    first_luck[run] = luck(seen.archs[0], run)
    winner_luck[run] = luck(seen.archs[int(np.argmax(seen.values))], run)

plotting.histogram(
    {"first cell of the run": first_luck, "winner of the run": winner_luck},
    xlabel="value that the search saw − mean of the other seeds (points)",
    ylabel="number of runs",
    bins=np.linspace(-3, 3, 41),
    title="Who was lucky?",
)
print(f"luck of first cells, mean over {RUNS} runs: {first_luck.mean():+.2f} points")
guess_luck.beside(winner_luck.mean())

# %% [markdown]
# Compare the two means. The first cell of a run was not selected, so its luck should be near zero
# on average. The winner was selected, and what its mean lies above zero is the price of having
# chosen by a noisy number. Two habits follow. Never report the value by which a search chose its
# winner: train the winner anew, and report test accuracy. And never compare a method's *selected*
# value with a baseline's *retrained* one.
#
# <details><summary>What we got</summary>
#
# First cells are 0.07 points off, which is no more than chance. Winners are flattered by 0.60
# points: about what separates many a method from the next in the literature.
#
# </details>

# %% [markdown]
# ## 5 · Is A better than B?
#
# Say a search may spend as many epochs as 40 full trainings have. Three ways to do so:
#
# - **one seed**: 40 cells, each trained once, to the end;
# - **all seeds**: fewer cells, each trained with every seed of the table, and the mean taken;
# - **early**: six times as many cells, each judged after the first of its six epochs.
#
# Less noise, more cells, or something in between? Each run ends with one cell, the one with the
# highest value that the method saw. The run is judged by that cell's test accuracy (mean over the
# seeds, full training). But runs differ by luck, so a difference between two methods may be luck as
# well. You need an interval.

# %% [markdown]
# ### Exercise 1.6 · `paired_bootstrap` · ●●●○○ · 15 min · 3 points
#
# **Why it matters.** Most disputes about NAS methods are about differences of a few tenths of a
# point over three to ten runs. This function is what you will settle them with, in every later
# lesson.
#
# If run i of both methods shares its seed, then the luck that they share cancels in the
# *differences* a[i] − b[i]. The more of their luck is shared, the less these vary. The bootstrap
# asks how much the mean difference would change with other runs. It has no other runs, so it draws
# new samples from the runs it has: n pairs with replacement, again and again. The middle 95 % of
# the means is the interval.
#
# Example: if a is b + 1 in every pair, each resample has the mean 1, and the result is
# `(1.0, (1.0, 1.0))`, however much a and b vary.
#
# <details><summary>Hint: "the interval is far too wide"</summary>
#
# You resampled a and b independently, which throws the pairing away. Take the differences first,
# then resample *them*.
#
# </details>
# <details><summary>Hint: "the interval has no width"</summary>
#
# Draw with replacement. A sample of n out of n without replacement is the same sample in another
# order.
#
# </details>
# <details><summary>Hint: "the interval is a little off"</summary>
#
# A 95 % interval leaves 2.5 % out at *each* end. And each resample holds as many pairs as the data.
#
# </details>
# <details><summary>Hint: "the interval covers almost all differences"</summary>
#
# That is the spread of single runs. The interval is for the *mean*: take the mean of every
# resample, then percentiles.
#
# </details>

# %% tags=["exercise"]
def paired_bootstrap(a, b, rng, resamples=10_000):
    """Mean difference of two methods over paired runs, with a 95 % percentile bootstrap interval.

    Args:
        a, b: sequences or arrays of shape (n,), n ≥ 2; a[i] and b[i] come from the same seed (a
            pair).
        rng: numpy.random.Generator, the only source of randomness.
        resamples: number of bootstrap samples, at least 1.

    Returns:
        (mean, (low, high)), three floats in the units of `a` and `b`: the mean of a − b, and the
        2.5th and 97.5th percentile of that mean over `resamples` samples of n pairs, drawn with
        replacement.

    Raises:
        ValueError: `a` and `b` differ in shape, have fewer than two pairs or NaN, or `resamples` is
            below 1.

    Source: Efron and Tibshirani (1993), chapter 13 (the percentile interval).
    """
    ### BEGIN SOLUTION
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 2:
        raise ValueError(
            f"a and b must be at least two pairs, got the shapes {a.shape} and {b.shape}"
        )
    difference = a - b
    if np.isnan(difference).any():
        raise ValueError("a and b must be numbers, got nan")
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, got {resamples!r}")
    n = len(difference)
    means = difference[rng.integers(n, size=(resamples, n))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(difference.mean()), (float(low), float(high))
    ### END SOLUTION

# %% tags=["check"]
check("paired_bootstrap", paired_bootstrap)

# %% [markdown]
# Now spend the budget in the three ways. All methods of a run start from the same seed. (If your
# `random_search` draws its cells one by one, the methods even see the same cells, one of them just
# gets further.)

# %% tags=["experiment"]
guess_way = predict(
    "Which way ends with the best cells?", ..., options=("one seed", "all seeds", "early")
)

# %% tags=["experiment"]
TRAININGS = 40
early_epochs = 1
methods = {
    # name: (cells that the budget pays for, objective of a run)
    "one seed": (TRAININGS, trained_once),
    "all seeds": (TRAININGS // benchmark.seeds, lambda run: valid_accuracy),
    "early": (
        TRAININGS * benchmark.epochs // early_epochs,
        lambda run: trained_once(run, early_epochs),
    ),
}
results = {name: np.empty(RUNS) for name in methods}  # test accuracy of the chosen cell, percent
for run in progress(range(RUNS)):
    for name, (cells, objective_of) in methods.items():
        seen = search(objective_of(run), space, cells, np.random.default_rng(10_000 + run))
        chosen = seen.archs[int(np.argmax(seen.values))]
        results[name][run] = benchmark.query(chosen).test

# %% tags=["experiment"]
best_test = benchmark.best("test")[1]
for name, (cells, _) in methods.items():
    mean = results[name].mean()
    print(f"{name:9} {cells:4} cells: test {mean:.2f} %, regret {best_test - mean:.2f} points")
guess_way.beside(max(results, key=lambda name: results[name].mean()))

# %% [markdown]
# The means have an order; means always do. The next cell asks whether that order is more than luck:
# first with ten runs, as in many papers, then with all of them.

# %% tags=["experiment"]
interval_of = or_fallback("paired_bootstrap", paired_bootstrap)

rows = {}
for a, b in (("all seeds", "one seed"), ("early", "one seed"), ("early", "all seeds")):
    for runs in (10, RUNS):
        pairs = results[a][:runs], results[b][:runs]
        rows[f"{a} − {b}, {runs} runs"] = interval_of(*pairs, np.random.default_rng(0))
plotting.intervals(
    rows,
    xlabel="difference in test accuracy (percentage points)",
    title="Mean difference and 95 % interval",
)
for name, (mean, (low, high)) in rows.items():
    verdict = "first is better" if low > 0 else "second is better" if high < 0 else "not decided"
    print(f"{name:32} {mean:+.2f} ({low:+.2f} … {high:+.2f}): {verdict}")

# %% [markdown]
# <details><summary>What we got</summary>
#
# "one seed" is ahead: 0.24 points of "early" and 0.92 of "all seeds", over 500 runs. With 10 runs
# one of the three comparisons was decided, two were not.
#
# </details>
#
# "Not decided" does not mean "equal". It means that this number of runs cannot tell, and that the
# difference, if there is one, is probably somewhere inside the interval.
#
# What did the pairing buy? Break it: give method B's runs to the wrong partners. The mean
# difference stays what it was. Watch the width. Beside "early" stands a method that shares more
# with "one seed": the very same cells, each judged one epoch before its end.

# %% tags=["experiment"]
early, once, shorter = results["early"], results["one seed"], np.empty(RUNS)
for run in range(RUNS):
    rng = np.random.default_rng(10_000 + run)
    seen = search(trained_once(run, benchmark.epochs - 1), space, TRAININGS, rng)
    shorter[run] = benchmark.query(seen.archs[int(np.argmax(seen.values))]).test

rng = np.random.default_rng(1)
for name, other in (("early", early), ("one epoch less", shorter)):
    _, (low, high) = interval_of(other, once, rng)
    _, (low_broken, high_broken) = interval_of(other, rng.permutation(once), rng)
    print(
        f"{name + ' − one seed:':26} correlation of the pairs "
        f"{np.corrcoef(other, once)[0, 1]:+.2f}, interval {high - low:.3f} points wide paired, "
        f"{high_broken - low_broken:.3f} with broken pairs"
    )

# %% [markdown]
# "Early" looks at six times as many cells, for so short a time that it hardly ever chooses the
# cell that "one seed" chooses. The two share a seed and next to no luck, so pairing them gains
# nothing. (It loses nothing either.) One epoch less leaves most choices what they were: now the
# shared luck cancels, and the interval is about half as wide. Pair whenever you can, and look at
# the correlation before you count on it.
#
# Now repeat small studies again and again, to see how often a study of n runs reaches a verdict.

# %% tags=["experiment"]
truth = np.sign((early - once).mean())
print(f"all {RUNS} runs say {(early - once).mean():+.2f} points; of 100 smaller studies")
for runs in (5, 10, 20, 50, 100):
    right = wrong = 0
    for _ in range(100):
        some = rng.choice(RUNS, size=runs, replace=False)
        _, (low, high) = interval_of(early[some], once[some], rng, resamples=400)
        if not low <= 0 <= high:
            right += np.sign(low) == truth
            wrong += np.sign(low) != truth
    rest = f"{wrong:2} the opposite one, {100 - right - wrong:3} reach no verdict"
    print(f"with {runs:3} runs: {right:3} find the same order, {rest}")

# %% [markdown]
# <details><summary>What we got</summary>
#
# The gap is 0.24 points. Of 100 studies with 10 runs 14 find its sign, and even with 100 runs 39
# reach no verdict. So small a difference is seldom settled by the ten runs of a paper.
#
# </details>
#
# Two cautions. With five runs a bootstrap interval is too narrow, since five values do not show the
# tails of their distribution. And an interval covers the luck of the runs only. Whether the
# difference holds for another data set or another space, it does not say.

# %% [markdown]
# ## 6 · In the literature
#
# Published test accuracies on NAS-Bench-201 with CIFAR-10, means over many runs (Dong and Yang
# 2020): random search 93.70, REINFORCE 93.85, regularized evolution 93.92, and 94.37 for the best
# cell. The whole dispute takes place in seven tenths of a point. First-order DARTS, a far more
# famous method, reaches 54.30 on the same space. You will see why in lesson 04.
#
# ## 7 · Recap
#
# - Random search evaluates distinct architectures drawn uniformly. It is the baseline that every
#   method has to beat. So is no search: the largest cell is 0.39 points behind the best, and one
#   run of 200 draws in nine finds a better one.
# - Regret bands over many runs show what a single curve hides: after 200 draws the median run is
#   0.95 points behind, one in ten more than 1.49.
# - How many draws hit the best fraction of a space depends on that fraction, not on the size of the
#   space: 29 for the best tenth, 299 for the best hundredth.
# - One training is a noisy measurement, by 0.60 points among the good cells, and the winner of a
#   search is flattered by as much.
# - Compare methods over paired seeds, with an interval. Here ten runs left two of three comparisons
#   open.
#
# ## 8 · Questions

# %% [markdown]
# ### Question 1.1 · `concept_01_1` · ●○○○○ · 1 min · 1 point
#
# What did Li and Talwalkar (2019) compare?
#
# - **a** random search and evolution on NAS-Bench-101, where random search came within 1 % of the
#   best at 1 % of the compute
# - **b** random search with Zoph and Le's controller, on 800 GPUs
# - **c** random search with DARTS and GDAS on all three data sets of NAS-Bench-201
# - **d** random search with early stopping and with weight sharing, on DARTS's two spaces, with
#   methods such as ENAS

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_01_1 = "d"
### END SOLUTION

# %% tags=["check"]
check("concept_01_1", concept_01_1)

# %% [markdown]
# ### Question 1.2 · `concept_01_2` · ●○○○○ · 1 min · 1 point
#
# On a space of 15,625 cells, n draws hit the best 1 % with 95 % confidence. A second space has a
# million times as many architectures. How many draws does it take to hit the best 1 % of *that*
# space with the same confidence?
#
# - **a** n
# - **b** a million times n
# - **c** a thousand times n
# - **d** about n + 20, one more for each doubling

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_01_2 = "a"
### END SOLUTION

# %% tags=["check"]
check("concept_01_2", concept_01_2)

# %% [markdown]
# ### Question 1.3 · `concept_01_3` · ●○○○○ · 1 min · 1 point
#
# Over ten paired runs the mean difference A − B in test accuracy is 0.3 points, with a 95 %
# interval from −0.1 to 0.7. What can you say?
#
# - **a** A and B are equally good, since zero lies inside of the interval
# - **b** A is better than B with a probability of 95 %, by 0.3 points on average
# - **c** B is better in 5 % of all runs
# - **d** the runs do not decide: A may be up to 0.7 better, or slightly worse

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_01_3 = "d"
### END SOLUTION

# %% tags=["check"]
check("concept_01_3", concept_01_3)

# %% [markdown]
# ### Question 1.4 · `concept_01_4` · ●●○○○ · 1 min · 1 point
#
# A search trains 200 cells once each and picks the one with the highest validation accuracy, 85.3
# %. You train that cell ten more times, with new seeds. The mean validation accuracy of the new
# trainings is most likely
#
# - **a** below 85.3 %, since the cell was picked in part for its luck
# - **b** above 85.3 %, since the mean of more trainings averages the noise away
# - **c** 85.3 %, since a validation accuracy is an unbiased estimate
# - **d** anything: the first training says nothing about the others

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_01_4 = "a"
### END SOLUTION

# %% tags=["check"]
check("concept_01_4", concept_01_4)

# %% [markdown]
# ### Open question 1.1 · `open_01_1` · ●●●○○ · 15 min · 4 points
#
# An abstract reads: "Our method X finds an architecture with 94.1 % accuracy on the benchmark in
# only 3 GPU-hours. It clearly outperforms random search (93.7 %, as reported in earlier work).
# Results are the best of three runs." You review the paper. In eight to ten sentences: which
# questions do you ask, and which experiment would convince you? Use what you measured in this
# lesson where you can.
#
# ### BEGIN MARK SCHEME
# One point each, half points allowed:
# 1. Equal budgets: random search has to be run by the authors, in the same space with the same
#    training recipe, for the same 3 GPU-hours, all costs of X included (its own tuning, a
#    supernet's training). A number from earlier work with another budget is no baseline.
# 2. Runs: the best of three is a maximum and grows with the number of runs. Asks for all runs of
#    both methods, means over many more seeds, and an interval for the paired difference (or another
#    sound test). Refers to the lesson's study of how many runs a verdict takes, or to the widths of
#    the intervals.
# 3. What is reported: validation or test? The value by which the winner was chosen is flattered
#    (winner's curse), so the winner must be trained anew with fresh seeds and evaluated on test
#    data that no method looked at.
# 4. Size and scope: 0.4 points against the seed noise and against the optimum; one data set and one
#    space. Describes a complete experiment (regret curves over the budget for both methods, with
#    bands) that could also turn out against X.
# ### END MARK SCHEME

# %% [markdown] tags=["answer"]
# I would ask first for random search in the same space, with the same training and the same 3
# GPU-hours, with X's own preparation counted. The 93.7 % of earlier work may come from another
# budget. "Best of three" is a maximum: I want every run of both methods, say fifty pairs of seeds,
# and the bootstrap interval of the difference, because in the lesson small studies often gave no
# verdict. Is 94.1 % a validation or a test accuracy, and is it the number by which the architecture
# was chosen? If so it is flattered, and the winners of both methods have to be trained again with
# new seeds and tested on images that nobody searched on. Then I would compare 0.4 points with the
# noise of one training. Convincing would be regret curves of both methods over the whole budget,
# with bands, on two data sets. X wins if its interval stays above zero there; if not, the paper
# should say so.

# %% [markdown]
# ## References
#
# - L. Li and A. Talwalkar (2019). *Random Search and Reproducibility for Neural Architecture
#   Search.* UAI. [arXiv:1902.07638](https://arxiv.org/abs/1902.07638).
# - B. Zoph and Q. V. Le (2017). *Neural Architecture Search with Reinforcement Learning.* ICLR.
#   [arXiv:1611.01578](https://arxiv.org/abs/1611.01578).
# - X. Dong and Y. Yang (2020). *NAS-Bench-201: Extending the Scope of Reproducible Neural
#   Architecture Search.* ICLR. [arXiv:2001.00326](https://arxiv.org/abs/2001.00326). The source of
#   the results quoted above.
# - J. Bergstra and Y. Bengio (2012). *Random Search for Hyper-Parameter Optimization.* JMLR 13,
#   281–305.
# - M. Lindauer and F. Hutter (2020). *Best Practices for Scientific Research on Neural Architecture
#   Search.* JMLR 21. [arXiv:1909.02453](https://arxiv.org/abs/1909.02453).
# - B. Efron and R. J. Tibshirani (1993). *An Introduction to the Bootstrap.* Chapman & Hall.
#   Chapter 13.
#
# **Read next.** C. White et al. (2023). *Neural Architecture Search: Insights from 1000 Papers.*
# [arXiv:2301.08727](https://arxiv.org/abs/2301.08727): the survey that reaches furthest; its
# sections on best practices and on benchmarks say what this lesson says of comparisons, for the
# whole field.
