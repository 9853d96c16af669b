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
# # 00 · Start here
#
# **{minutes} · {points}.** At the end of this lesson you will be able to
#
# - say whether your machine runs the course, and read what a check tells you;
# - name the three parts of every search, and run one that has them all;
# - turn a cell of the search space into its number and back;
# - tell which operations of a cell matter to its output;
# - train a small network, compare it with the course's table, and say whether the two agree;
# - read seed noise: when is a difference between two architectures a difference?
# - say what of PyTorch and of probability you should look up before the lessons that use it.
#
# Run the cells from top to bottom with Shift+Enter. The whole notebook, training included, takes
# about a minute of computing. Nothing here needs a GPU or the network.

# %% tags=["setup"]
import numpy as np
import torch

from nas_lib.checks import check
from nas_lib.spaces import EDGES, OPS, CellSpace

space = CellSpace()
torch.set_num_threads(1)  # networks this small gain nothing from more

# %% [markdown]
# ## 1 · Is everything here?
#
# The next cell looks at your machine and prints one line per requirement. A line that starts with
# `[FAIL]` says what to do. If all is well, go on.

# %% tags=["experiment"]
from nas_lib.doctor import doctor

healthy = doctor()

# %% [markdown]
# ## 2 · A whole search, before anything else
#
# Neural architecture search (NAS) needs three things: a *space* of architectures, a way to *judge*
# one of them, and a *strategy* that decides which one to judge next (Elsken et al. 2019). The space
# here is the plan of a small network for images, called a **cell**: four nodes in a row, and on
# each of the six connections between them one of five operations. Judging one takes a training,
# which reads handwritten digits for a while and is then asked about new ones. All 15,625 cells have
# been judged like that for you, so that looking one up costs nothing. The strategy is the simplest
# there is: draw fifty cells at random, and keep the best.

# %% tags=["experiment"]
from nas_lib.predictions import predict

guess_behind = predict(
    "Best of 50 random cells: how far behind the best of all 15,625?", ..., unit="points"
)

# %% tags=["experiment"]
from nas_lib import plotting
from nas_lib.benchmark import TabularBenchmark

benchmark = TabularBenchmark.load()
rng = np.random.default_rng(0)
drawn = [space.sample(rng) for _ in range(50)]  # strategy: at random
accuracies = np.array([benchmark.query(cell).valid for cell in drawn])  # judged, in percent
found, (best_cell, best) = drawn[accuracies.argmax()], benchmark.best("valid")

print(f"50 cells: {accuracies.min():.1f} to {accuracies.max():.2f} %, best of all {best:.2f} %")
guess_behind.beside(best - accuracies.max())
largest = benchmark.query(("nor_conv_3x3",) * 6).valid
print(f"no search, simply the largest cell: {best - largest:.2f} points behind the best")
plotting.draw_cells([found, best_cell], ["found by 50 draws", "the best there is"]);

# %% [markdown]
# <details><summary>What we got</summary>
#
# The best of our 50 cells has 85.49 %, about 1.55 points less than the best of all. The largest
# cell, taken without any search, is 0.39 points behind.
#
# </details>
#
# That was a whole search. Each lesson from here on makes one of its three parts better: a strategy
# that learns from what it has seen, judging that costs less than a training, a space that holds
# what a device can run. And each is held against two things that you have just seen: random draws,
# and no search at all.

# %% [markdown]
# ## 3 · How exercises, checks and points work
#
# An exercise is a function with a docstring and an empty body. The docstring is the contract:
# shapes, units, errors. Replace `raise NotImplementedError()` by your code and run the cell. The
# cell right below it checks your function and prints ✓, or ✗ with the idea that went wrong.
#
# The check calls your function on a few *public* problems, whose right answers come with the
# course. Grading calls it on *other* problems of the same kind. So a function that passes because
# it is right passes there too, and one that only knows the public answers earns nothing. What a
# check prints in your notebook is advice, not a grade.
#
# Two rules hold in all lessons, unless the text of an exercise says otherwise:
#
# - **A function changes nothing but its result.** It leaves its arguments as they were, to the last
#   entry, and so the global random generators and settings. To sort or to overwrite, make a copy.
# - **Any library function is allowed.** What the text does not forbid, in Python's standard
#   library, NumPy, SciPy or PyTorch, you may call. Only the course's own version of an exercise is
#   switched off while yours is checked.
#
# Four more things that are good to know:
#
# - **Stuck?** Each exercise has hints, titled by the symptom you see. Open the one that fits.
# - **Still stuck?** Go on. Later cells use your functions where they pass their check; where one
#   does not, they use the library's counterpart and say so.
# - **Concept questions** take one letter. Their check looks at the form of your answer only: the
#   key is with the grader. The **open question** at the end is read by a person.
# - **Guess first.** Before an experiment a cell asks what you expect. Write your guess in place of
#   `...`; you will see it beside the result. It stays in your notebook and counts for nothing.
#   After an experiment *What we got* unfolds our numbers and how we read them.
#
# Add cells of your own wherever you like. Changes to check cells are undone before grading.

# %% [markdown]
# ## 4 · The search space
#
# This lesson is about the first two of the three parts: space and judging. Our space is that of
# NAS-Bench-201 (Dong and Yang 2020). All its networks have the same skeleton: a first convolution,
# then several copies of one small cell with reductions in between, then a classifier. Only the cell
# is searched. It is a graph with four nodes. Node 0 is the cell's input, node 3 its output, and
# every later node is the sum of what comes in:
#
# $$x_j = \sum_{i<j} o_{ij}(x_i)$$
#
# There are six edges $i \to j$, and each carries one operation $o_{ij}$ out of five:
#
# | name | what it does | weights |
# |---|---|---|
# | `none` | returns zeros, as if the edge were not there | no |
# | `skip_connect` | returns its input | no |
# | `nor_conv_1x1` | ReLU, 1×1 convolution, batch norm | yes |
# | `nor_conv_3x3` | ReLU, 3×3 convolution, batch norm | yes |
# | `avg_pool_3x3` | mean over 3×3 neighbours | no |
#
# In code a cell is a tuple of six op names, one per edge, in the order of `EDGES`: 0→1, 0→2, 1→2,
# 0→3, 1→3, 2→3. The papers write the same thing as a string, node by node. Here are three cells
# that you may know from elsewhere.

# %% tags=["experiment"]
familiar = {
    "a plain chain": ("nor_conv_3x3", "none", "nor_conv_3x3", "none", "none", "nor_conv_3x3"),
    "a residual block": ("nor_conv_3x3", "none", "none", "skip_connect", "nor_conv_3x3", "none"),
    "everything at once": ("nor_conv_3x3",) * 6,
}
plotting.draw_cells(list(familiar.values()), list(familiar))
for name, cell in familiar.items():
    print(f"{name:19} {space.str(cell)}")
print(f"\nfive operations on six edges: {len(OPS)}^{len(EDGES)} = {len(space):,} cells")

# %% [markdown]
# ### Exercise 0.1 · `cell_index` · ●○○○○ · 8 min · 1 point
#
# **Why it matters.** A table needs row numbers. If every cell has one, the results of the whole
# space fit into plain arrays, and looking one up takes microseconds. Every search in this course
# stands on that.
#
# Sort the cells like words in a dictionary whose alphabet is `OPS`: the first edge decides; where
# it ties, the second edge decides, and so on. The number of a cell is its place in that order,
# counted from 0. So the cell with `none` on all edges is number 0. Put `skip_connect` on its *last*
# edge, and you get number 1.
#
# <details><summary>Hint: "where do I start?"</summary>
#
# Give each op its place in `OPS`, from 0 to 4. The six places are the digits of a number. In which
# base?
#
# </details>
# <details><summary>Hint: "right for cells with the same op everywhere, wrong for others"</summary>
#
# You read the digits from the wrong end. The first edge is the *most* significant digit: it is
# worth 5⁵, the last one is worth 1.
#
# </details>
# <details><summary>Hint: "ValueError: tuple.index(x): x not in tuple"</summary>
#
# That is `OPS.index` with a name that it does not know. For an unknown op this is the right kind of
# error, but say which name is wrong. A cell with five or seven entries is an error as well.
#
# </details>

# %% tags=["exercise"]
def cell_index(arch):
    """Number of a cell in the lexicographic order of the space.

    Cells are sorted like words: by the first edge's operation, then by the second's, and so on.
    Operations are sorted as `OPS` lists them.

    Args:
        arch: six op names, one per edge, in the order of `EDGES`.

    Returns:
        An int from 0 to 15,624.

    Raises:
        ValueError: `arch` has not six entries, or one of them is not in `OPS`.
    """
    ### BEGIN SOLUTION
    if len(arch) != len(EDGES):
        raise ValueError(f"arch must have {len(EDGES)} op names, got {len(arch)}: {arch!r}")
    number = 0
    for name in arch:
        if name not in OPS:
            raise ValueError(f"arch must hold op names out of {', '.join(OPS)}, got {name!r}")
        number = number * len(OPS) + OPS.index(name)
    return number
    ### END SOLUTION

# %% tags=["check"]
check("cell_index", cell_index)

# %% [markdown]
# ### Exercise 0.2 · `cell_from_index` · ●○○○○ · 6 min · 1 point
#
# **Why it matters.** Random search will draw numbers, and plots will find the best row of an array.
# Both need the way back from a number to a cell.
#
# For every number `i` of the space, `cell_index(cell_from_index(i))` is `i` again. Number 5 is the
# cell with `skip_connect` on the edge before the last and `none` elsewhere.
#
# <details><summary>Hint: "how do I get the digits of a number?"</summary>
#
# `divmod(i, 5)` gives the number without its last digit, and the last digit.
#
# </details>
# <details><summary>Hint: "the cell comes out in reverse"</summary>
#
# Digits found by repeated division appear from the least significant one up: last edge first.
#
# </details>
# <details><summary>Hint: "TypeError" or a list where a cell should be</summary>
#
# A cell is a *tuple*: it can be a key of a dictionary and an element of a set. A list cannot.
#
# </details>
# <details><summary>Hint: "i = -1 gives a cell"</summary>
#
# Python's arithmetic is happy with negative numbers. Test the range before you do anything else.
#
# </details>

# %% tags=["exercise"]
def cell_from_index(i):
    """The cell with number `i`: the inverse of `cell_index`.

    Args:
        i: an integer, Python's or NumPy's, 0 ≤ i < 15,625.

    Returns:
        A tuple of six op names in the order of `EDGES`.

    Raises:
        ValueError: `i` is below 0 or above 15,624.
    """
    ### BEGIN SOLUTION
    last = len(OPS) ** len(EDGES) - 1
    if not 0 <= i <= last:
        raise ValueError(f"i must be from 0 to {last}, got {i!r}")
    names = []
    for _ in EDGES:
        i, digit = divmod(i, len(OPS))
        names.append(OPS[digit])
    return tuple(reversed(names))
    ### END SOLUTION

# %% tags=["check"]
check("cell_from_index", cell_from_index)

# %% [markdown]
# Neighbouring numbers are similar cells, numbers far apart are different ones. Here are nine cells
# at equal distances through the space. Some operations are drawn in grey: that is the next
# exercise.

# %% tags=["experiment"]
from nas_lib.fallbacks import or_fallback

index_of = or_fallback("cell_index", cell_index)
cell_of = or_fallback("cell_from_index", cell_from_index)

numbers = np.linspace(0, len(space) - 1, 9).astype(int).tolist()
titles = [f"number {number:,}" for number in numbers]
plotting.draw_cells([cell_of(number) for number in numbers], titles)
assert all(index_of(cell_of(number)) == number for number in numbers)

# %% [markdown]
# ### Exercise 0.3 · `count_active_ops` · ●●○○○ · 15 min · 3 points
#
# **Why it matters.** Not every operation does something. If node 1 receives nothing, whatever
# leaves node 1 is a function of zeros. If nothing leaves node 2, whatever enters it is lost. Such
# an operation costs parameters and time and changes no output. Two cells that differ only there are
# one and the same function, and a search that evaluates both has wasted half of its money.
#
# Count the operations that can influence the output: those on some path from node 0 to node 3 along
# edges that are not `none`. Example: the cell with `nor_conv_3x3` on 0→1, `skip_connect` on 0→3 and
# `avg_pool_3x3` on 2→3 has one active operation, the skip. The convolution leads into a dead end,
# and the pooling has nothing to pool.
#
# <details><summary>Hint: "all operations that are not none are counted"</summary>
#
# That is the number of *present* operations. Draw the example above: which of its three operations
# lie on a way from the input to the output?
#
# </details>
# <details>
# <summary>Hint: "dead ends are counted" or "edges out of an unfed node are counted"</summary>
#
# An active edge i → j needs two things: node i can be reached from node 0, *and* node 3 can be
# reached from node j. You tested one of them.
#
# </details>
# <details><summary>Hint: "some cells with a long path come out too low"</summary>
#
# One sweep over the edges in the wrong order misses paths. Repeat the sweep until nothing changes
# (three sweeps are enough), or list the four possible paths: 0→3, 0→1→3, 0→2→3, 0→1→2→3.
#
# </details>

# %% tags=["exercise"]
def count_active_ops(arch):
    """Number of operations that can influence the cell's output.

    An operation counts when it is not `none` and its edge lies on a path from node 0 (the input) to
    node 3 (the output) on which no edge is `none`. A skip connection is an operation and counts.

    Args:
        arch: six op names, one per edge, in the order of `EDGES`.

    Returns:
        An int from 0 (the cell is disconnected) to 6.

    Raises:
        ValueError: `arch` has not six entries, or one of them is not in `OPS`.
    """
    ### BEGIN SOLUTION
    if len(arch) != len(EDGES) or any(name not in OPS for name in arch):
        raise ValueError(f"arch must be {len(EDGES)} names out of {', '.join(OPS)}, got {arch!r}")
    present = [edge for edge, name in zip(EDGES, arch) if name != "none"]
    fed, heard = {0}, {3}  # nodes that the input reaches; nodes that reach the output
    for _ in range(3):  # the longest path has three edges, so three sweeps find everything
        fed |= {target for source, target in present if source in fed}
        heard |= {source for source, target in present if target in heard}
    return sum(source in fed and target in heard for source, target in present)
    ### END SOLUTION

# %% tags=["check"]
check("count_active_ops", count_active_ops)

# %% [markdown]
# Now count over the whole space, and ask a second question: how many *different functions* are
# there? Two cells compute the same function if they are equal once dead operations are removed and
# skip connections are followed to where they come from, whatever the weights are. The library's
# `functions` groups the cells in this way. Guess before you run it.

# %% tags=["experiment"]
guess_functions = predict("How many different functions do the 15,625 cells compute?", ...)

# %% tags=["experiment"]
from nas_lib.spaces import functions

active_ops = or_fallback("count_active_ops", count_active_ops)

active = np.array([active_ops(cell) for cell in space])
present = np.array([sum(op != "none" for op in cell) for cell in space])
plotting.histogram(
    {"present (not none)": present, "active (on a path)": active},
    xlabel="operations in the cell",
    bins=np.arange(8) - 0.5,
    title="All cells of the space",
)
representatives, _ = functions(space)
print(f"{(active == 0).sum():,} of {len(space):,} cells are disconnected: they return zeros")
print(f"{(present > active).sum():,} cells carry at least one operation that does nothing")
guess_functions.beside(len(representatives))

# %% [markdown]
# <details><summary>What we got</summary>
#
# 341 cells are disconnected, and 6,180, two in five, carry an operation that does nothing. All
# together compute 5,260 functions: to train every cell would be to train most of them three times.
#
# </details>
#
# That is why the course's table could be made on a small machine: one cell of each had to be
# trained. Cells with the same function share their accuracies. They do not share their cost: an
# idle convolution still has parameters and still takes time.
#
# Such a count depends on its rule. Ours follows what is handed on and does no arithmetic. But
# average pooling is linear, so that to pool a sum is to add up what was pooled: with that, the
# 5,260 compute at most 5,044 functions. Dong and Yang (2020) count 6,466 different structures in
# the same space: by their rule two cells differ also in where a zero is added.

# %% [markdown]
# ## 5 · The data
#
# The networks learn to read *cluttered digits*: a real handwritten digit, turned, sheared, scaled
# and moved, among fragments of other digits. The digits are the 1,797 small images that
# scikit-learn brings along. They were divided among training, validation and test *before* any
# scene was drawn, so no handwritten digit appears on both sides.
#
# Each scene is drawn once, large, and then averaged down to the resolution you ask for. So every
# column below is the same scene, with more detail from row to row; the number on top is the label.
# The course's table uses 12 × 12, and later lessons use other resolutions too.

# %% tags=["experiment"]
from nas_lib.data import cluttered_digits

resolutions = (8, 12, 16, 24, 48)
scenes = {
    f"{side} × {side}": cluttered_digits("train", 10, resolution=side) for side in resolutions
}
digits = next(iter(scenes.values())).labels
images = {name: data.images for name, data in scenes.items()}
plotting.image_grid(images, [f"{digit}" for digit in digits])
for split in ("train", "valid", "test"):
    data = cluttered_digits(split, n=1000)
    shape, kind = data.images.shape, data.images.dtype
    print(f"{split:5}  images {shape} {kind}, labels {sorted(set(data.labels.tolist()))}")

# %% [markdown]
# At 8 × 8 you will have trouble reading some of them yourself. Keep an eye on the resolution: it is
# a design choice like width and depth, and lesson 07 makes it one.

# %% [markdown]
# ## 6 · Train one network
#
# The table was made by training. So train: one cell, from scratch, with the table's own recipe, on
# your machine. The bar counts epochs.

# %% tags=["experiment"]
guess_valid = predict("What share of the validation images will it get right?", ..., unit="%")

# %% tags=["experiment"]
from nas_lib.training import RECIPE, load_splits, train

my_cell = familiar["a residual block"]  # or any other cell: six names, in the order of EDGES
print(f"{RECIPE.train_images:,} images, {RECIPE.epochs} epochs, batches of {RECIPE.batch_size}")
splits = load_splits()
result = train(my_cell, splits, seed=100, progress=True)  # the table has seeds 0, 1, 2, …

looked_at = np.array([RECIPE.valid_images] * (RECIPE.epochs - 1) + [RECIPE.final_images])
live = 100 * np.array(result.valid_correct) / looked_at  # percent, after each epoch
guess_valid.beside(live[-1])

# %% [markdown]
# ## 7 · Compare with the table
#
# `TabularBenchmark.load()` reads the results of all cells. `query(arch)` gives the mean over the
# training seeds after the last epoch; `epochs=` and `seed=` pick one number out of the record. A
# **training seed** decides the initial weights and the order of the images. Nothing else differs
# between two seeds, and yet the accuracies do.

# %% tags=["experiment"]
row = benchmark.query(my_cell)
print(benchmark)
print(f"row {index_of(my_cell):,}: {row.valid:.2f} % validation, {row.test:.2f} % test accuracy")
print(f"{row.params:,} parameters, {row.macs:,} multiply-accumulates per image")
print(f"{row.seconds:.1f} s of training on one core of the machine that made the table")

ax = plotting.learning_curves(
    {"table": benchmark.valid[index_of(my_cell)], "your run": live},
    title="Your network and its row of the table",
)
plotting.guess(ax, guess_valid)

# %% [markdown]
# Is your run *the same result* as the row? Not to the last digit: you trained with another seed.
# The fair question is whether it lies where another seed would be expected to lie. For that we need
# the size of the seed noise, and a few seeds of one cell are a poor estimate of it. So we pool:
# take the functions whose accuracy is close to this one, and average their variances. The
# difference between a new run and the mean of S others has a standard deviation of σ·√(1 + 1/S).

# %% tags=["experiment"]
# one row per function: cells that share a function share their record and must not be counted twice
first_cell = np.array([space.index(cell) for cell in representatives])
final = benchmark.valid[first_cell, :, -1]  # (functions, seeds), percent
means = final.mean(axis=1)

alike = np.argsort(np.abs(means - row.valid), kind="stable")[:200]
sigma = np.sqrt(final[alike].var(axis=1, ddof=1).mean())
distance = (live[-1] - row.valid) / (sigma * np.sqrt(1 + 1 / benchmark.seeds))

print(f"table: {row.valid:.2f} % (mean of {benchmark.seeds} seeds), your run: {live[-1]:.2f} %")
print(f"seed noise of cells at this accuracy: σ = {sigma:.2f} points")
print(f"your run lies {distance:+.1f} expected deviations from the row")

# %% [markdown]
# Up to 2 deviations: inside the seed noise, your machine tells the same story as the table. About
# one run in twenty lies further out; then try another seed. Beyond 3 something differs: the data,
# the recipe, or an edited cell above.
#
# <details><summary>What we got</summary>
#
# The row says 84.35 % and our run about 84.7 %, within half a deviation of it: the noise of one
# training is σ = 0.72 points for cells of this accuracy.
#
# </details>

# %% [markdown]
# ## 8 · What the table looks like
#
# How wide is the spread of the whole space, and how much of the accuracy does the number of active
# operations explain?

# %% tags=["experiment"]
guess_best = predict("Test accuracy of the best of all cells?", ..., unit="%")
guess_median = predict("And of the median cell?", ..., unit="%")

# %% tags=["experiment"]
test = benchmark.final("test")  # (cells,), percent, mean over seeds
made, axes = plotting.figure(1, 2, width=5.2, height=3.4)
title = f"Mean of {benchmark.seeds} seeds"
plotting.histogram({"": test}, axes[0, 0], xlabel="test accuracy (%)", title=title)
plotting.guess(axes[0, 0], guess_best, axis="x")
plotting.boxes(
    {str(count): test[active == count] for count in range(7)},
    axes[0, 1],
    xlabel="active operations",
    ylabel="test accuracy (%)",
    point="cell",
    title="Does more help?",
)
guess_best.beside(test.max())
guess_median.beside(np.median(test))
print(f"worst {test.min():.1f} %, where the network has to guess among ten digits")

# %% [markdown]
# If the number of active operations decided, the boxes on the right would be flat and stacked like
# stairs. Whatever height they have is left for the questions *which* operations, and *where*. That
# is what searching is for.
#
# <details><summary>What we got</summary>
#
# The best cell has 87.32 %, the median cell 76.5 %, the worst 10.8 %. Cells with six active
# operations reach from the twenties to above 87 %, and the best cell of all has five: the number
# explains the worst cells and says little about the good ones.
#
# </details>
#
# Look around yourself: point at a cell, or walk with the arrow keys, to see it. Then ask for each
# operation on the edge 0→3 in turn. Which of the five has the lowest mean, and which the best cell?
# Then drag a rectangle over the best cells, and read what most of them have in common.

# %% tags=["experiment"]
from nas_lib.explorer import explore

explore(benchmark)

# %% [markdown]
# <details><summary>What we got</summary>
#
# `none` has both. A mean says what a random cell of that kind gets; a search is after the best one.
#
# </details>
#
# Here are the best function, some from the middle and from the bottom, and how they learn.

# %% tags=["experiment"]
ranking = first_cell[np.argsort(-benchmark.final("test")[first_cell])]
chosen = {
    "the best": ranking[0],
    "10 % from the top": ranking[len(ranking) // 10],
    "in the middle": ranking[len(ranking) // 2],
    "10 % from the bottom": ranking[-len(ranking) // 10],
}
titles = [f"{name}\n{test[i]:.1f} %" for name, i in chosen.items()]
plotting.draw_cells([cell_of(int(i)) for i in chosen.values()], titles, columns=4)
curves = {name: benchmark.valid[i] for name, i in chosen.items()}
plotting.learning_curves(curves, title="Learning curves of four cells");

# %% [markdown]
# In the mean these four never change places: one epoch tells who wins. Among good cells it
# is not so easy, and lesson 02 asks how early one may stop. (The last point is measured on more
# validation images than those before it, so it is the most exact.)
#
# Last figure: the same networks, trained twice. Each point is one function; its position is given
# by two of its training seeds. If seeds did not matter, all points would lie on the line. On the
# left is the whole space. On the right is its best tenth, by the mean over all seeds.

# %% tags=["experiment"]
pairs = benchmark.test[first_cell]  # (functions, seeds), percent
top = np.argsort(-pairs.mean(axis=1))[: len(pairs) // 10]
made, axes = plotting.figure(1, 2, width=4.4, height=4.2)
for ax, part, name in zip(axes[0], (pairs, pairs[top]), ("All functions", "The best tenth")):
    labels = {"xlabel": "test accuracy, seed 0 (%)", "ylabel": "test accuracy, seed 1 (%)"}
    plotting.scatter(part[:, 0], part[:, 1], ax, **labels, diagonal=True, title=name)
    noise = np.sqrt(part.var(axis=1, ddof=1).mean())
    spread = part.mean(axis=1).std()
    print(f"{name:14}  spread between functions {spread:5.2f}, between seeds {noise:.2f} points")

# %% [markdown]
# Compare the two lines of numbers. Where functions differ much more than seeds do, a single
# training tells good from bad. Where the two are of the same size, the cloud has lost its
# direction, and a single training tells little. A search starts in the left figure and ends in the
# right one.
#
# <details><summary>What we got</summary>
#
# Over all functions 13.80 points between functions against 1.27 between seeds: the order is clear.
# In the best tenth 0.53 against 0.61: there two trainings of one cell differ more than two cells.
#
# </details>

# %% [markdown]
# ## 9 · Ready for the other lessons?
#
# Later lessons take some PyTorch and some probability for granted. Try yourself: six short
# questions, no notes, no points. The cell below them computes the answers.

# %% tags=["experiment"]
guess_softmax = predict("Softmax of the logits 0 and ln 3: what is its second entry?", ...)
guess_mean = predict("A reward is 90 with probability 0.2 and else 50: its expectation?", ...)
guess_slope = predict("L = (2w − 1)² at w = 2: what is in w.grad after L.backward()?", ...)
guess_twice = predict("And after computing L again and a second L.backward()?", ...)
guess_count = predict("How many parameters has nn.Conv2d(3, 8, kernel_size=3)?", ...)
guess_side = predict("How wide is what it makes of an image of 12 × 12 pixels?", ...)

# %% tags=["experiment"]
logits = torch.tensor([0.0, np.log(3)])
guess_softmax.beside(float(torch.softmax(logits, dim=0)[1]))
guess_mean.beside(0.2 * 90 + 0.8 * 50)

w = torch.tensor(2.0, requires_grad=True)
((2 * w - 1) ** 2).backward()
guess_slope.beside(w.grad.item())
((2 * w - 1) ** 2).backward()
guess_twice.beside(w.grad.item())

layer = torch.nn.Conv2d(3, 8, kernel_size=3)
guess_count.beside(sum(parameter.numel() for parameter in layer.parameters()))
guess_side.beside(layer(torch.zeros(1, 3, 12, 12)).shape[-1])

# %% [markdown]
# <details><summary>Why, and where it is needed</summary>
#
# - **Softmax**, lessons 03 and 04: $e^{0} = 1$ and $e^{\ln 3} = 3$, so the entries are 1/4 and 3/4.
# - **Expectation**, lessons 03 and 05: each value times its probability, added up,
#   0.2 · 90 + 0.8 · 50 = 58. Nothing says that this value ever occurs.
# - **Autograd**, lessons 02 to 05: dL/dw = 2 · (2w − 1) · 2 = 12. A second backward pass *adds* its
#   gradient to what is stored, 24; that is why training loops call `zero_grad`.
# - **Modules**, lessons 04 to 07: 8 filters of 3 · 3 · 3 weights and one bias each, 224. Without
#   padding a 3×3 kernel fits into 12 pixels at 10 places.
#
# Were two or more of them news to you? PyTorch's
# [Learn the Basics](https://docs.pytorch.org/tutorials/beginner/basics/intro.html), from "Tensors"
# to "Optimization", takes an hour or two and is all of PyTorch that you need. Expectation and
# softmax are in sections 2.6 and 4.1 of [Dive into Deep Learning](https://d2l.ai).
#
# </details>

# %% [markdown]
# ## 10 · Recap
#
# - A search has a space, a judge and a strategy. Fifty random cells ended a point and a half behind
#   the best, the largest cell four tenths: both stand beside every method from here on.
# - A cell is six operations; its number is the six-digit number that they spell in base 5.
# - An operation matters only on a path from input to output: 15,625 cells, 5,260 functions.
# - The table holds real trainings of every function: three seeds, six epochs, validation and test.
# - A new training agrees with its row if it lies inside the seed noise, about 0.7 points here.
# - That noise is a tenth of what separates functions over the whole space, and more than what
#   separates the best tenth.
#
# ## 11 · Questions

# %% [markdown]
# ### Question 0.1 · `concept_00_1` · ●○○○○ · 1 min · 1 point
#
# Two cells differ on a single edge, and on this edge no path from input to output runs, whichever
# of the two operations it carries. Which of these can differ between the two cells?
#
# - **a** the outputs, given the same weights on the active edges
# - **b** the number of parameters
# - **c** the gradients of the loss with respect to the active weights
# - **d** the expected test accuracy of a trained network
#
# Answer with one letter in quotes, for example `"a"`.

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_00_1 = "b"
### END SOLUTION

# %% tags=["check"]
check("concept_00_1", concept_00_1)

# %% [markdown]
# ### Question 0.2 · `concept_00_2` · ●○○○○ · 1 min · 1 point
#
# A search reads thousands of accuracies and returns one cell. Which number is a fair estimate of
# how that cell will do on new images?
#
# - **a** its test accuracy, which the search never looked at
# - **b** the validation accuracy by which the search chose it
# - **c** its training accuracy, since that has the least noise
# - **d** the best test accuracy among all cells that the search evaluated

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_00_2 = "a"
### END SOLUTION

# %% tags=["check"]
check("concept_00_2", concept_00_2)

# %% [markdown]
# ### Question 0.3 · `concept_00_3` · ●○○○○ · 1 min · 1 point
#
# Suppose the seed noise is σ = 0.6 points. You train cell A once and get 84.1 %, you train cell B
# once and get 83.6 %. What do you know?
#
# - **a** not much: a difference of 0.5 is well within the noise of two single runs
# - **b** A is better than B
# - **c** A and B are equally good
# - **d** B is better: its result is closer to the mean

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_00_3 = "a"
### END SOLUTION

# %% tags=["check"]
check("concept_00_3", concept_00_3)

# %% [markdown]
# ### Open question 0.1 · `open_00_1` · ●●○○○ · 8 min · 2 points
#
# A colleague has trained ten cells, one seed each, and writes: "cell 7 wins with 0.3 points ahead
# of cell 2, so we use cell 7". You have the table of this lesson. In about five sentences: what
# would you compute from it before you agree, and what extra training would you ask for, if any?
#
# ### BEGIN MARK SCHEME
# - One point: compares the gap with the seed noise *among cells of this accuracy* (not over the
#   whole space), and knows that the difference of two single runs has √2 times the noise of one.
# - One point: a sensible next step. More seeds for the two leaders (the noise of a mean falls with
#   √n) and not for all ten; or "either will do", argued from the size of the gap. Mentioning that
#   the winner of ten noisy runs is probably overestimated earns this point as well.
# - Half a point off: the answer decides by the validation accuracy of the same single run again.
# ### END MARK SCHEME

# %% [markdown] tags=["answer"]
# I would look up both cells' seeds in the table, pool the variance between seeds over cells of
# similar accuracy, and compare 0.3 points with √2 times that noise. If the gap is smaller, the
# order of the two is open, and the winner of ten noisy runs is likely to be flattered. I would then
# train two or three more seeds of cells 7 and 2 only, compare the means, and take either of them if
# they still cannot be told apart.

# %% [markdown]
# ## References
#
# - X. Dong and Y. Yang (2020). *NAS-Bench-201: Extending the Scope of Reproducible Neural
#   Architecture Search.* ICLR. [arXiv:2001.00326](https://arxiv.org/abs/2001.00326). The space, its
#   operations and its strings.
# - T. Elsken, J. H. Metzen and F. Hutter (2019). *Neural Architecture Search: A Survey.* JMLR 20.
#   [arXiv:1808.05377](https://arxiv.org/abs/1808.05377). Space, strategy, performance estimation.
# - E. Alpaydin and C. Kaynak (1998). *Optical Recognition of Handwritten Digits.* UCI Machine
#   Learning Repository,
#   [archive.ics.uci.edu](https://archive.ics.uci.edu/ml/datasets/optical+recognition+of+handwritten+digits).
#   The handwriting, as bundled with scikit-learn.
#
# **Read next.** C. White et al. (2023). *Neural Architecture Search: Insights from 1000 Papers.*
# [arXiv:2301.08727](https://arxiv.org/abs/2301.08727). What Elsken et al. were to 2019: where the
# whole field stands, in 60 pages, of which the first two sections are enough for now.
