"""The usual mistakes of lesson 08, and right answers written another way."""

# ruff: noqa: F821  (`book` is given)
# mypy: ignore-errors

import heapq
import itertools
import math

import numpy as np
import torch
from scipy import linalg
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from torch import nn

from nas_lib.search import History
from nas_lib.spaces import EDGES, OPS

# ------------------------------------------------------------------------------------- path_encoding

PATHS = "((0, [3]), (5, [0, 4]), (5, [1, 5]), (30, [0, 2, 5]))"
SET, PLACE, GOOD = (
    "encoding[start + place] = 1.0",
    "place = 5 * place + numbers[edge]",
    "if len(arch) != 6 or any(op not in OPS for op in arch)",
)
EDGE_ORDER = "edges stand in another order here: it is 0→1, 0→2, 1→2, 0→3, 1→3, 2→3"
FIRST_COUNTS = "the last operation counts most here: in the order of itertools.product the first does"
EACH_LENGTH = (
    "sequences of different lengths share entries: those of length 2 begin at 5, those of length 3 at 30"
)
FORGOTTEN = "a path is forgotten: there are 0→3, 0→1→3, 0→2→3 and 0→1→2→3"

book.edits(
    "path_encoding",
    ("edge-order", EDGE_ORDER, {PATHS: "((0, [2]), (5, [0, 4]), (5, [1, 5]), (30, [0, 3, 5]))"}),
    ("edge-order", EDGE_ORDER, {PATHS: "((0, [3]), (5, [0, 5]), (5, [1, 4]), (30, [0, 2, 5]))"}),
    ("edge-order", EDGE_ORDER, {PATHS: "((0, [3]), (5, [0, 4]), (5, [2, 5]), (30, [0, 1, 5]))"}),
    (
        "counts-paths",
        "the encoding counts here how many paths carry a sequence: an entry is 0 or 1",
        {SET: "encoding[start + place] += 1.0"},
    ),
    (
        "drops-none",
        "paths with `none` are left out here: it is an operation like the others",
        {SET: f"if 'none' not in [arch[edge] for edge in path]:\n            {SET}"},
    ),
    (
        "drops-skips",
        "paths of skips alone are left out here: skip_connect is an operation like the others",
        {SET: f"if any(arch[edge] != 'skip_connect' for edge in path):\n            {SET}"},
    ),
    (
        "half-paths",
        "paths that end before the output are counted here: all lead from node 0 to node 3",
        {PATHS: "((0, [3]), (0, [0]), (0, [1]), (5, [0, 2]), (5, [0, 4]), (5, [1, 5]), (30, [0, 2, 5]))"},
    ),
    (
        "operations-backwards",
        "operations are numbered from the last to the first here: their order is that of OPS",
        {"OPS.index(op)": "(4 - OPS.index(op))"},
    ),
    ("forgets-a-path", FORGOTTEN, {PATHS: "((0, [3]), (5, [0, 4]), (5, [1, 5]))"}),
    ("forgets-a-path", FORGOTTEN, {PATHS: "((5, [0, 4]), (5, [1, 5]), (30, [0, 2, 5]))"}),
    ("forgets-a-path", FORGOTTEN, {PATHS: "((0, [3]), (5, [0, 4]), (30, [0, 2, 5]))"}),
    ("last-counts-most", FIRST_COUNTS, {PATHS: "((0, [3]), (5, [4, 0]), (5, [5, 1]), (30, [5, 2, 0]))"}),
    ("shares-entries", EACH_LENGTH, {PATHS: PATHS.replace("5, [", "0, [").replace("30, [", "0, [")}),
    (
        "longest-first",
        "the longest sequences come first here: the order is by length, from 1 to 3",
        {PATHS: "((150, [3]), (125, [0, 4]), (125, [1, 5]), (0, [0, 2, 5]))"},
    ),
    (
        "operations-sorted",
        "operations are numbered by the alphabet here: their order is that of OPS",
        {"OPS.index(op)": "sorted(OPS).index(op)"},
    ),
    (
        "counts-from-one",
        "operations are numbered from 1 here: the first has the number 0",
        {
            "OPS.index(op)": "OPS.index(op) + 1",
            "5 + 25 + 125": "5 + 25 + 186",
            "return encoding": "return encoding[:155]",
        },
    ),
    (
        "one-hot",
        "this is the one-hot encoding of the edges: an entry stands for a sequence of operations on a path",
        {"return encoding": "return np.eye(5)[numbers].ravel()"},
    ),
    ("positions", "", {"return encoding": "return np.flatnonzero(encoding)"}),
    ("wrong-type", "", {"return encoding": "return encoding.tolist()"}),
    ("wrong-type", "", {"return encoding": "return encoding.astype(int)"}),
    ("mutates-input", "", {"return encoding": "isinstance(arch, list) and arch.sort()\n    return encoding"}),
    (
        "raises",
        "",
        {GOOD: "if not isinstance(arch, tuple) or len(arch) != 6 or any(op not in OPS for op in arch)"},
    ),
    ("accepts-bad-input", "", {GOOD: "if len(arch) < 6 or any(op not in OPS for op in arch)"}),
    (
        "accepts-bad-input",
        "",
        {GOOD: "arch = [op if op in OPS else 'none' for op in arch]\n    if len(arch) != 6"},
    ),
    (
        "accepts-bad-input",
        "",
        {GOOD: "arch = [*arch, *6 * ['none']][:6]\n    if any(op not in OPS for op in arch)"},
    ),
    ("shares-entries", EACH_LENGTH, {PATHS: PATHS.replace("30, [", "25, [")}),
    ("edge-order", EDGE_ORDER, {PATHS: "((0, [5]), (5, [0, 3]), (5, [1, 4]), (30, [0, 2, 4]))"}),
    (
        "drops-none",
        "a `none` on the edge 0→3 is left out here: it is an operation like the others",
        {SET: f"if arch[3] != 'none' or len(path) > 1:\n            {SET}"},
    ),
    ("edge-order", EDGE_ORDER, {PATHS: "((0, [3]), (5, [0, 4]), (5, [1, 5]), (30, [1, 2, 4]))"}),
    (
        "not-ones",
        "an entry is 1 where the sequence stands on a path, however many paths there are",
        {SET: "encoding[start + place] = 0.25"},
    ),
    (
        "overwrites-results",
        "one array is filled for all cells here: a later call overwrites what an earlier one returned",
        {
            "encoding = np.zeros(5 + 25 + 125)": 'encoding = path_encoding.__dict__.setdefault("kept", np.zeros(155))\n    encoding[:] = 0'
        },
    ),
    ("accepts-bad-input", "", {GOOD: f"arch = [str(op).lower() for op in arch]\n    {GOOD}"}),
    (
        "accepts-bad-input",
        "",
        {
            GOOD: f"arch = [next((op for op in OPS if op.startswith(str(one))), one) for one in arch]\n    {GOOD}"
        },
    ),
    (
        "contracts-skips",
        "skips are left out of the sequence here: skip_connect is an operation like the others",
        {
            "        place = 0\n": "        path = [edge for edge in path if arch[edge] != 'skip_connect'] or path[:1]\n"
            "        start = (0, 5, 30)[len(path) - 1]\n        place = 0\n"
        },
    ),
    (
        "drops-none",
        "the long path is left out where it has a `none`: it is an operation like the others",
        {SET: f"if len(path) < 3 or 'none' not in [arch[edge] for edge in path]:\n            {SET}"},
    ),
    (
        "keeps-entries",
        "entries of cells that were encoded before stay 1 here: begin with new zeros for each",
        {
            "encoding = np.zeros(5 + 25 + 125)": 'encoding = path_encoding.__dict__.setdefault("kept", np.zeros(155))',
            "return encoding": "return encoding.copy()",
        },
    ),
    (
        "merges-cells",
        "cells with the same operations on other edges get one encoding here",
        {
            "return encoding": "return path_encoding.__dict__.setdefault(str(sorted(arch)), encoding).copy()",
        },
    ),
    ("accepts-bad-input", "", {GOOD: f"arch = [str(op).strip() for op in arch]\n    {GOOD}"}),
    (
        "accepts-bad-input",
        "",
        {
            GOOD: "if len(arch) != 6 or arch[0] not in OPS",
            "OPS.index(op)": "OPS.index(op if op in OPS else 'none')",
        },
    ),
    ("", "", {PLACE: "place += numbers[edge] * 5 ** (len(path) - 1 - path.index(edge))"}),
)


def _cell(arch):
    if len(arch) != 6 or not set(arch) <= set(OPS):
        raise ValueError(f"arch must be six operations, got {arch!r}")
    return tuple(arch)


@book.right("path_encoding")
def by_a_list_of_all_sequences(arch):
    a, b, c, d, e, f = _cell(arch)
    on_paths = {(d,), (a, e), (b, f), (a, c, f)}
    every = [names for length in (1, 2, 3) for names in itertools.product(OPS, repeat=length)]
    return np.array([float(names in on_paths) for names in every])


@book.right("path_encoding")
def by_walking_through_the_graph(arch):
    ops, found = dict(zip(EDGES, _cell(arch))), [np.zeros((5,) * length) for length in (1, 2, 3)]

    def walk(node, so_far):
        if node == 3:
            found[len(so_far) - 1][tuple(OPS.index(op) for op in so_far)] = 1
        for source, target in EDGES:
            if source == node:
                walk(target, [*so_far, ops[source, target]])

    walk(0, [])
    return np.concatenate([one.ravel() for one in found])


# ----------------------------------------------------------------------------------- ridge_predictor

MEANS, CENTRED = "x_mean, y_mean = x.mean(axis=0), y.mean()", "centred = x - x_mean"
PENALTY, TARGET = "penalty * np.eye(x.shape[1])", "centred.T @ (y - y_mean)"
PREDICTOR = "lambda x_new: y_mean + (np.asarray(x_new, dtype=float) - x_mean) @ weights"
SHAPES, PRICE = (
    "if x.ndim != 2 or len(x) < 1 or y.shape != (len(x),)",
    "if not (math.isfinite(penalty) and penalty > 0)",
)
ALL_FINITE = "if not (np.isfinite(x).all() and np.isfinite(y).all())"
INTERCEPT = "the intercept is penalised too: centre x and y, and add the mean of y to the predictions"

book.edits(
    "ridge_predictor",
    (
        "penalises-the-intercept",
        INTERCEPT,
        {
            MEANS: "x = np.column_stack([np.ones(len(x)), x])\n    x_mean, y_mean = 0.0, 0.0",
            PREDICTOR: "lambda x_new: np.column_stack([np.ones(len(x_new)), x_new]) @ weights",
        },
    ),
    (
        "no-intercept",
        "there is no intercept here: the predictions are x·w alone",
        {MEANS: "x_mean, y_mean = 0.0, 0.0"},
    ),
    (
        "no-intercept",
        "the mean of y is not added to the predictions: they are deviations from it",
        {"y_mean + (np": "(np"},
    ),
    (
        "x-not-centred",
        "y is centred and x is not: subtract the mean of each feature too",
        {MEANS: "x_mean, y_mean = 0.0, y.mean()"},
    ),
    (
        "x-not-centred",
        "what is predicted is not centred: subtract the training data's means from it too",
        {PREDICTOR: "lambda x_new: y_mean + np.asarray(x_new, dtype=float) @ weights"},
    ),
    (
        "centres-the-new",
        "what is predicted is centred by its own mean: subtract the mean of the training data, which does not depend "
        "on what else is in the batch",
        {PREDICTOR: "lambda x_new: y_mean + (np.asarray(x_new) - np.mean(x_new, axis=0)) @ weights"},
    ),
    (
        "penalty-by-the-mean",
        "the penalty is multiplied by the number of architectures here: the squared error is a sum, not a mean",
        {PENALTY: "len(x) * penalty * np.eye(x.shape[1])"},
    ),
    (
        "penalty-by-the-mean",
        "the penalty is divided by the number of architectures here: the squared error is a sum, not a mean",
        {PENALTY: "penalty / len(x) * np.eye(x.shape[1])"},
    ),
    (
        "other-penalty",
        "the penalty is squared here: penalty · I is added",
        {PENALTY: "penalty**2 * np.eye(x.shape[1])"},
    ),
    (
        "other-penalty",
        "twice the penalty is added here: penalty · I is",
        {PENALTY: "2 * penalty * np.eye(x.shape[1])"},
    ),
    (
        "other-penalty",
        "half the penalty is added here: penalty · I is",
        {PENALTY: "penalty / 2 * np.eye(x.shape[1])"},
    ),
    ("penalty-everywhere", "", {PENALTY: "penalty"}),  # singular where n < d: what comes out is rounding
    (
        "no-penalty",
        "the penalty has next to no effect here: it is least squares",
        {PENALTY: "1e-9 * np.eye(x.shape[1])"},
    ),
    (
        "scales-features",
        "features are divided by their standard deviation here, which changes what the penalty costs",
        {
            CENTRED: "spread = np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)\n    centred = (x - x_mean) / spread",
            PREDICTOR: "lambda x_new: y_mean + (np.asarray(x_new) - x_mean) / spread @ weights",
        },
    ),
    ("sign-flipped", "the weights have the wrong sign here", {TARGET: "centred.T @ (y_mean - y)"}),
    ("not-a-function", "", {f"return {PREDICTOR}": "return y_mean + centred @ weights"}),
    ("not-a-function", "", {f"return {PREDICTOR}": "return weights, y_mean"}),
    ("wrong-shape", "", {"- x_mean) @ weights": "- x_mean) @ weights[:, None]"}),
    ("mutates-input", "", {CENTRED: "x -= x_mean\n    centred = x"}),
    (
        "shares-fits",
        "a predictor changes when another one is fitted afterwards: each keeps the weights of its own data",
        {
            f"return {PREDICTOR}": "ridge_predictor.fitted = x_mean, y_mean, weights\n\n"
            "    def predict(x_new):\n        x_mean, y_mean, weights = ridge_predictor.fitted\n"
            "        return y_mean + (np.asarray(x_new, dtype=float) - x_mean) @ weights\n\n"
            "    return predict"
        },
    ),
    (
        "remembers-batches",
        "what was predicted for an earlier batch of this size comes back for another",
        {
            PREDICTOR: "lambda x_new, kept={}: kept.setdefault(len(x_new), y_mean + (np.asarray(x_new) - x_mean) @ weights)"
        },
    ),
    (
        "clipped",
        "predictions are cut off at 0 and 100 here: return them as they are",
        {
            "lambda x_new: y_mean + (np.asarray(x_new, dtype=float) - x_mean) @ weights": "lambda x_new: np.clip(y_mean + (np.asarray(x_new, dtype=float) - x_mean) @ weights, 0, 100)"
        },
    ),
    (
        "clipped",
        "predictions are cut off at the values that were seen: a new cell may be better than all of them",
        {
            PREDICTOR: "lambda x_new: np.clip(y_mean + (np.asarray(x_new) - x_mean) @ weights, y.min(), y.max())"
        },
    ),
    (
        "rounded",
        "predictions are rounded here: return them as they are",
        {PREDICTOR: "lambda x_new: np.round(y_mean + (np.asarray(x_new) - x_mean) @ weights, 2)"},
    ),
    (
        "other-centre",
        "y is centred by its median here: take its mean",
        {MEANS: "x_mean, y_mean = x.mean(axis=0), np.median(y)"},
    ),
    (
        "penalty-by-the-mean",
        "the penalty is multiplied by n − 1 here: the squared error is a sum, not a covariance",
        {PENALTY: "max(len(x) - 1, 1) * penalty * np.eye(x.shape[1])"},
    ),
    (
        "other-penalty",
        "a small penalty is raised here: it is taken as it is",
        {PENALTY: "max(penalty, 1e-3) * np.eye(x.shape[1])"},
    ),
    (
        "changes-the-new",
        "what is predicted is changed in place here, so that another answer comes when it is asked about again",
        {PREDICTOR: "lambda x_new: y_mean + np.subtract(x_new, x_mean, out=x_new) @ weights"},
    ),
    (
        "drops-repeats",
        "of architectures with equal encodings one is kept here: each training counts",
        {MEANS: f"x, kept = np.unique(x, axis=0, return_index=True)\n    y = y[kept]\n    {MEANS}"},
    ),
    (
        "looks-up",
        "an architecture that was trained comes back with its own value here: predict it like the others",
        {
            PREDICTOR: "lambda x_new: np.array([next((b for a, b in zip(x[::-1], y[::-1]) if np.array_equal(a, row)), "
            "y_mean + (row - x_mean) @ weights) for row in np.asarray(x_new, dtype=float)])"
        },
    ),
    (
        "remembers-batches",
        "one array is filled for all predictions here: a later call overwrites what an earlier one returned",
        {
            PREDICTOR: "lambda x_new, kept={}: np.add(y_mean, (np.asarray(x_new, dtype=float) - x_mean) @ weights, "
            "out=kept.setdefault(len(x_new), np.empty(len(x_new))))"
        },
    ),
    (
        "other-centre",
        "x is centred by one mean of all its numbers here: each feature has its own",
        {MEANS: "x_mean, y_mean = x.mean(), y.mean()"},
    ),
    (
        "remembers-batches",
        "a fit to as many numbers as an earlier one returns that one's predictor",
        {
            f"return {PREDICTOR}": "return ridge_predictor.__dict__.setdefault(f'{x.shape} {penalty}', "
            f"{PREDICTOR})"
        },
    ),
    (
        "accepts-bad-input",
        "",
        {SHAPES: "x = x.reshape(len(x), -1)\n    if len(x) < 1 or y.shape != (len(x),)"},
    ),
    ("wrong-type", "", {PREDICTOR: "lambda x_new: list(y_mean + (np.asarray(x_new) - x_mean) @ weights)"}),
    (
        "wrong-type",
        "",
        {PREDICTOR: "lambda x_new: torch.tensor(y_mean + (np.asarray(x_new) - x_mean) @ weights)"},
    ),
    ("changes-settings", "", {CENTRED: f'np.seterr(all="ignore")\n    {CENTRED}'}),
    ("accepts-bad-input", "", {PRICE: "if not (math.isfinite(penalty) and penalty >= 0)"}),
    ("accepts-bad-input", "", {PRICE: f"penalty = abs(penalty)\n    {PRICE}"}),
    ("accepts-bad-input", "", {PRICE: "if not penalty > 0"}),
    ("accepts-bad-input", "", {ALL_FINITE: "if not np.isfinite(x).all()"}),
    ("accepts-bad-input", "", {ALL_FINITE: "if np.isnan(x).any() or np.isnan(y).any()"}),
    (
        "accepts-bad-input",
        "",
        {
            SHAPES: "n = min(len(x), np.size(y))\n    x, y = x[:n], y.ravel()[:n]\n    if x.ndim != 2 or len(x) < 1"
        },
    ),
)


def _ridge_data(x, y, penalty):
    x, y = np.array(x, dtype=float), np.array(y, dtype=float)
    if x.ndim != 2 or y.shape != x.shape[:1] or not len(x) or not np.isfinite([*x.ravel(), *y]).all():
        raise ValueError(f"x and y must be finite numbers of fitting shapes, got {x.shape}, {y.shape}")
    if not (np.isfinite(penalty) and penalty > 0):
        raise ValueError(f"penalty must be above 0, got {penalty}")
    return x, y


@book.right("ridge_predictor")
def by_singular_values_in_a_class(x, y, penalty):
    class Fitted:
        def __init__(self, x, y):
            self.mean, self.level = x.mean(axis=0), y.mean()
            u, sizes, v = np.linalg.svd(x - self.mean, full_matrices=False)
            self.weights = v.T @ (sizes / (sizes**2 + penalty) * (u.T @ (y - self.level)))

        def __call__(self, new):
            return np.array([self.level + (row - self.mean) @ self.weights for row in np.asarray(new)])

    return Fitted(*_ridge_data(x, y, penalty))


@book.right("ridge_predictor")
def in_the_dual(x, y, penalty):
    x, y = _ridge_data(x, y, penalty)
    centred = x - x.mean(axis=0)
    alphas = np.linalg.solve(centred @ centred.T + penalty * np.eye(len(x)), y - y.mean())

    def predict(new):
        return (np.asarray(new) - x.mean(axis=0)) @ centred.T @ alphas + y.mean()

    return predict


@book.right("ridge_predictor")
def with_a_column_of_ones_that_costs_nothing(x, y, penalty):
    x, y = _ridge_data(x, y, penalty)
    ones = np.column_stack([np.ones(len(x)), x])
    costs = np.diag([0.0] + [penalty] * x.shape[1])
    weights = np.linalg.solve(ones.T @ ones + costs, ones.T @ y)
    return lambda new: np.column_stack([np.ones(len(new)), new]) @ weights


@book.right("ridge_predictor")
def by_least_squares_with_rows_added(x, y, penalty):
    x, y = _ridge_data(x, y, penalty)
    rows = np.vstack([x - x.mean(0), math.sqrt(penalty) * np.eye(x.shape[1])])
    weights = np.linalg.lstsq(rows, np.append(y - y.mean(), np.zeros(x.shape[1])), rcond=None)[0]
    return lambda new: np.array([y.mean() + sum((row - x.mean(0)) * weights) for row in np.asarray(new)])


# ---------------------------------------------------------------------------------- gaussian_process

EXPONENT, DIAGONAL = (
    'np.exp(-cdist(a, b, "sqeuclidean") / (2 * length**2))',
    "kernel(x, x) + noise * np.eye(len(x))",
)
RESIDUAL, VARIANCE = "factor, y - y.mean(), lower", "variance = 1 - (explained**2).sum(axis=0)"
RETURNED = "y.mean() + explained.T @ residual, np.sqrt(np.maximum(variance, 0.0))"
DATA = "if x.ndim != 2 or len(x) < 1 or y.shape != (len(x),)"
ALL_THREE = "if not all(np.isfinite(one).all() for one in (x, y, x_new))"
NUMBERS = "if not (math.isfinite(value) and value > 0)"
EXPONENT_SAID = "the exponent is another one here: −‖a − b‖² / (2 · length²)"
NOISE_SAID = "the noise is a variance and stands as it is on the diagonal of K"
CENTRED_SAID = (
    "the mean of y is not taken off before and added after: far from all data the prediction is that mean"
)

book.edits(
    "gaussian_process",
    ("other-kernel", EXPONENT_SAID, {EXPONENT: 'np.exp(-cdist(a, b, "sqeuclidean") / length**2)'}),
    ("other-kernel", EXPONENT_SAID, {EXPONENT: 'np.exp(-cdist(a, b, "sqeuclidean") / (2 * length))'}),
    ("other-kernel", EXPONENT_SAID, {EXPONENT: 'np.exp(-cdist(a, b, "sqeuclidean") / 2)'}),
    ("other-kernel", EXPONENT_SAID, {EXPONENT: "np.exp(-cdist(a, b) / length)"}),
    ("other-kernel", EXPONENT_SAID, {EXPONENT: "np.exp(-cdist(a, b) / (2 * length**2))"}),
    ("other-kernel", "", {EXPONENT: "a @ b.T / length**2"}),  # 10¹⁰ where encodings are far from 0
    ("other-noise", NOISE_SAID, {DIAGONAL: "kernel(x, x) + noise**2 * np.eye(len(x))"}),
    ("other-noise", NOISE_SAID, {DIAGONAL: "kernel(x, x) + np.sqrt(noise) * np.eye(len(x))"}),
    (
        "no-noise",
        "the noise is missing: K has it added on its diagonal",
        {DIAGONAL: "kernel(x, x) + 1e-10 * np.eye(len(x))"},
    ),
    (
        "noise-everywhere",
        "the noise is added to every entry of K here: it belongs on the diagonal",
        {DIAGONAL: "kernel(x, x) + noise * np.ones((len(x), len(x))) + 1e-9 * np.eye(len(x))"},
    ),
    (
        "not-centred",
        CENTRED_SAID,
        {RESIDUAL: "factor, y, lower", RETURNED: RETURNED.replace("y.mean() + ", "")},
    ),
    (
        "not-centred",
        "the mean of y is not added to the predictions",
        {RETURNED: RETURNED.replace("y.mean() + ", "")},
    ),
    ("not-centred", "y is not centred before, but its mean is added after", {RESIDUAL: "factor, y, lower"}),
    (
        "returns-the-variance",
        "the second result is the variance: take its root",
        {RETURNED: RETURNED.replace("np.sqrt(np.maximum(variance, 0.0))", "np.maximum(variance, 0.0)")},
    ),
    (
        "noise-in-the-prediction",
        "the standard deviation is that of a new training, with its noise: it should be the cell's own, without",
        {VARIANCE: "variance = 1 + noise - (explained**2).sum(axis=0)"},
    ),
    (
        "wrong-variance",
        "Σ v² has to be taken over the training points, for each new one",
        {VARIANCE: "variance = 1 - (explained**2).mean(axis=0)"},
    ),
    (
        "wrong-variance",
        "the variance is 1 − Σ v²: v is not squared here",
        {VARIANCE: "variance = 1 - explained.sum(axis=0)"},
    ),
    (
        "scaled-by-the-values",
        "the standard deviation is multiplied by that of y here: the prior variance is 1",
        {RETURNED: RETURNED.replace("np.sqrt(", "y.std() * np.sqrt(")},
    ),
    (
        "solves-once",
        "k* is multiplied by (K + noise · I)⁻¹ once here: its Cholesky factor has to be solved for on both sides",
        {RETURNED: RETURNED.replace("explained.T @", "kernel(x, x_new).T @")},
    ),
    (
        "scaled-by-the-values",
        "y is divided by its standard deviation here: it is centred, and not scaled",
        {RESIDUAL: "factor, (y - y.mean()) / (y.std() or 1.0), lower"},
    ),
    (
        "swapped",
        "the standard deviation comes first here: the order is (mean, std)",
        {
            f"return {RETURNED}": "return np.sqrt(np.maximum(variance, 0.0)), y.mean() + explained.T @ residual"
        },
    ),
    (
        "wrong-std",
        "",
        {
            RETURNED: RETURNED.replace(
                "np.sqrt(np.maximum(variance, 0.0))", "np.sqrt(np.maximum(1 - variance, 0.0))"
            )
        },
    ),
    (
        "whole-covariance",
        "",
        {
            RETURNED: RETURNED.replace(
                "np.sqrt(np.maximum(variance, 0.0))", "kernel(x_new, x_new) - explained.T @ explained"
            )
        },
    ),
    ("wrong-type", "", {f"return {RETURNED}": f"return [{RETURNED}]"}),
    ("wrong-type", "", {f"return {RETURNED}": "return y.mean() + explained.T @ residual"}),
    ("loses-digits", "", {EXPONENT: f"{EXPONENT}.astype(np.float32)"}),  # rounding: another on each processor
    ("other-kernel", EXPONENT_SAID, {EXPONENT: 'np.exp(-cdist(a, b, "cityblock") / (2 * length**2))'}),
    (
        "other-kernel",
        "this is a Matérn kernel: the exercise asks for the squared exponential",
        {EXPONENT: "(1 + 3**0.5 * cdist(a, b) / length) * np.exp(-(3**0.5) * cdist(a, b) / length)"},
    ),
    (
        "upper-triangle",
        "the factor is the upper triangle here: L is the lower one",
        {f"np.linalg.cholesky({DIAGONAL})": f"np.linalg.cholesky({DIAGONAL}).T"},
    ),
    ("other-noise", "", {DIAGONAL: "kernel(x, x) + (noise + 1e-6) * np.eye(len(x))"}),
    (
        "not-cut-off",
        "",
        {"np.sqrt(np.maximum(variance, 0.0))": "np.sqrt(variance)"},
    ),  # where it is NaN, rounding says
    (
        "cut-off-above-zero",
        "the variance is cut off above 0 here: what is known without noise has a standard deviation of 0",
        {"np.maximum(variance, 0.0)": "np.maximum(variance, 1e-6)"},
    ),
    (
        "cut-off-above-zero",
        "the variance is cut off above 0 here: what is known without noise has a standard deviation of 0",
        {"np.maximum(variance, 0.0)": "np.maximum(variance, 1e-4)"},
    ),
    (
        "scaled-by-the-values",
        "y is scaled to a standard deviation of 1 here: it is centred, and not scaled",
        {
            RESIDUAL: "factor, (y - y.mean()) / (y.std() or 1.0), lower",
            RETURNED: "y.mean() + (y.std() or 1.0) * explained.T @ residual, (y.std() or 1.0) * np.sqrt(np.maximum(variance, 0.0))",
        },
    ),
    (
        "noise-in-the-prediction",
        "where a new point is a training point noise is added to k* too: it belongs on the diagonal of K alone",
        {"kernel(x, x_new), lower": "kernel(x, x_new) + noise * (cdist(x, x_new) == 0), lower"},
    ),
    (
        "wrong-type",
        "",
        {RETURNED: "list(y.mean() + explained.T @ residual), list(np.sqrt(np.maximum(variance, 0.0)))"},
    ),
    (
        "accepts-bad-input",
        "",
        {ALL_THREE: "if not all(np.isfinite(one).all() for one in (x, y)) or np.isnan(x_new).any()"},
    ),
    ("mutates-input", "", {"factor = np": "x_new -= x_new.mean(axis=0)\n    factor = np"}),
    ("changes-settings", "", {"factor = np": 'np.seterr(all="ignore")\n    factor = np'}),
    ("accepts-bad-input", "", {NUMBERS: "value = abs(value)\n        if not 0 <= value"}),
    ("accepts-bad-input", "", {NUMBERS: "if value <= 0"}),
    ("accepts-bad-input", "", {ALL_THREE: f"x_new = np.nan_to_num(x_new)\n    {ALL_THREE}"}),
    ("accepts-bad-input", "", {ALL_THREE: f"y = np.nan_to_num(y)\n    {ALL_THREE}"}),
    (
        "accepts-bad-input",
        "",
        {
            DATA: "n = min(len(x), len(y))\n    x, y = x[:n], y[:n].reshape(n, -1)[:, :1].ravel()\n    if x.ndim != 2 or len(x) < 1"
        },
    ),
    (
        "clipped",
        "means are cut off at the values that were seen: a new cell may be better than all of them",
        {
            RETURNED: RETURNED.replace(
                "y.mean() + explained.T @ residual",
                "np.clip(y.mean() + explained.T @ residual, y.min(), y.max())",
            )
        },
    ),
    (
        "clipped",
        "means below 0 are cut off here: y may be in any unit",
        {
            RETURNED: RETURNED.replace(
                "y.mean() + explained.T @ residual", "np.maximum(y.mean() + explained.T @ residual, 0)"
            )
        },
    ),
    (
        "fits-a-part",
        "only the first 20 points are used here: all are",
        {"factor = np": "x, y = x[:20], y[:20]\n    factor = np"},
    ),
    (
        "drops-repeats",
        "a point that is there twice is kept once here: each training counts",
        {
            "factor = np": "x, kept = np.unique(x, axis=0, return_index=True)\n    y = y[kept]\n    factor = np"
        },
    ),
    (
        "drops-repeats",
        "a point that is there twice stands once with the mean of its values here: each training has its own noise",
        {
            "factor = np": "x, place = np.unique(x, axis=0, return_inverse=True)\n    place = place.ravel()\n"
            "    y = np.bincount(place, y) / np.bincount(place)\n    factor = np"
        },
    ),
    (
        "other-kernel",
        "the squared distance is divided by the number of features here: it is their sum",
        {EXPONENT: 'np.exp(-cdist(a, b, "sqeuclidean") / (2 * length**2 * a.shape[1]))'},
    ),
    (
        "other-kernel",
        "the length is doubled before it is squared here: −‖a − b‖² / (2 · length²)",
        {EXPONENT: 'np.exp(-cdist(a, b, "sqeuclidean") / (2 * length) ** 2)'},
    ),
    (
        "other-centre",
        "y is centred by its median here: take its mean",
        {RESIDUAL: "factor, y - np.median(y), lower", RETURNED: RETURNED.replace("y.mean()", "np.median(y)")},
    ),
    (
        "wrong-type",
        "",
        {
            RETURNED: "np.squeeze(y.mean() + explained.T @ residual), np.squeeze(np.sqrt(np.maximum(variance, 0.0)))"
        },
    ),
    (
        "single-point",
        "",
        {
            "return y.mean()": "if len(x) == 1:\n        return np.full(len(x_new), y.mean()), np.ones(len(x_new))\n    return y.mean()"
        },
    ),
)


@book.wrong("gaussian_process", "uses-the-library")
def scikit_learn_s(x, y, x_new, length, noise):
    x, y, x_new = _process_data(x, y, x_new, length, noise)
    found = GaussianProcessRegressor(RBF(length, "fixed"), alpha=noise, optimizer=None).fit(x, y - y.mean())
    mean, std = found.predict(x_new, return_std=True)
    return mean + y.mean(), std


def _process_data(x, y, x_new, length, noise):
    x, y, x_new = (np.array(one, dtype=float) for one in (x, y, x_new))
    good = (
        x.ndim == x_new.ndim == 2 and len(x) > 0 and x.shape[1] == x_new.shape[1] and y.shape == x.shape[:1]
    )
    if not good or not np.isfinite([*x.ravel(), *y, *x_new.ravel(), length, noise]).all():
        raise ValueError("x, y and x_new must be finite and fit together")
    if length <= 0 or noise <= 0:
        raise ValueError(f"length and noise must be above 0, got {length} and {noise}")
    return x, y, x_new


@book.right("gaussian_process")
def by_the_inverse(x, y, x_new, length, noise):
    x, y, x_new = _process_data(x, y, x_new, length, noise)

    def k(a, b):
        return np.exp(-((a[:, None] - b[None]) ** 2).sum(-1) / 2 / length**2)

    inverse = np.linalg.inv(k(x, x) + noise * np.eye(len(x)))
    across = k(x, x_new)
    mean = y.mean() + across.T @ inverse @ (y - y.mean())
    return mean, np.sqrt(np.clip(1 - np.einsum("nm,nk,km->m", across, inverse, across), 0, None))


@book.right("gaussian_process")
def by_eigenvalues_and_inner_products(x, y, x_new, length, noise):
    x, y, x_new = _process_data(x, y, x_new, length, noise)

    def k(a, b):
        squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
        return np.exp(-np.maximum(squares, 0) / (2 * length**2))

    sizes, axes = np.linalg.eigh(k(x, x))
    across = axes.T @ k(x, x_new)
    mean = y.mean() + across.T @ (axes.T @ (y - y.mean()) / (sizes + noise))
    return mean, np.sqrt(np.maximum(1 - (across**2 / (sizes + noise)[:, None]).sum(0), 0))


@book.right("gaussian_process")
def point_by_point(x, y, x_new, length, noise):
    x, y, x_new = _process_data(x, y, x_new, length, noise)
    n = len(x)
    kernel = np.array([[math.exp(-((a - b) @ (a - b)) / (2 * length**2)) for b in x] for a in x])
    solved = linalg.cho_factor(kernel + noise * np.eye(n))
    weights = linalg.cho_solve(solved, y - y.mean())
    mean, std = [], []
    for point in x_new:
        k = np.array([math.exp(-((a - point) @ (a - point)) / (2 * length**2)) for a in x])
        mean.append(y.mean() + k @ weights)
        std.append(math.sqrt(max(0.0, 1 - k @ linalg.cho_solve(solved, k))))
    return np.array(mean), np.array(std)


@book.right("gaussian_process")
def of_the_whole_joint_distribution(x, y, x_new, length, noise):
    x, y, x_new = _process_data(x, y, x_new, length, noise)
    n, both = len(x), np.vstack([x, x_new])
    joint = np.exp(-((both[:, None] - both[None]) ** 2).sum(-1) / (2 * length**2))
    known = joint[:n, :n] + noise * np.eye(n)
    mean = y.mean() + joint[n:, :n] @ np.linalg.solve(known, y - y.mean())
    left = joint[n:, n:] - joint[n:, :n] @ np.linalg.solve(known, joint[:n, n:])
    return mean, np.sqrt(np.maximum(np.diag(left), 0))


# ------------------------------------------------------------------------------ expected_improvement

GAIN, Z = "gain = mean - best", "z = gain / np.where(std > 0, std, 1.0)"
EI, ZERO = "gain * norm.cdf(z) + std * norm.pdf(z)", "np.where(std > 0, improvement, np.maximum(gain, 0.0))"
SAME, NEGATIVE = "if mean.shape != std.shape", "if (std < 0).any()"
EI_FINITE = "if not (np.isfinite(mean).all() and np.isfinite(std).all() and math.isfinite(best))"

book.edits(
    "expected_improvement",
    (
        "minimises",
        "this is the improvement of values that are to be minimised: the gain is mean − best",
        {GAIN: "gain = best - mean"},
    ),
    (
        "minimises",
        "this is the improvement of values that are to be minimised: the gain is mean − best",
        {EI: "-gain * norm.cdf(-z) + std * norm.pdf(z)"},
    ),
    (
        "wrong-tail",
        "Φ is taken of −z in the first part: with the gain mean − best it is Φ(z)",
        {EI: "gain * norm.cdf(-z) + std * norm.pdf(z)"},
    ),
    (
        "forgets-the-distribution",
        "the gain is not multiplied by the distribution: (mean − best) · Φ(z)",
        {EI: "gain + std * norm.pdf(z)"},
    ),
    (
        "confidence-bound",
        "this is the upper confidence bound mean + std: the improvement over `best` is asked for",
        {EI: "mean + std"},
    ),
    (
        "ignores-best",
        "`best` is not used: the improvement is over it",
        {
            EI: "mean * norm.cdf(mean / np.where(std > 0, std, 1)) + std * norm.pdf(mean / np.where(std > 0, std, 1))"
        },
    ),
    (
        "margin",
        "0.01 is taken off the gain here, as some libraries do: the formula has no such margin",
        {
            GAIN: "gain = mean - best - 0.01",
            ZERO: "np.where(std > 0, improvement, np.maximum(gain + 0.01, 0.0))",
        },
    ),
    ("forgets-the-density", "the density's part is missing: std · φ(z)", {EI: "gain * norm.cdf(z)"}),
    (
        "forgets-the-distribution",
        "the distribution's part is missing: (mean − best) · Φ(z)",
        {EI: "std * norm.pdf(z)"},
    ),
    (
        "swapped",
        "density and distribution are swapped: (mean − best) · Φ(z) + std · φ(z)",
        {EI: "gain * norm.pdf(z) + std * norm.cdf(z)"},
    ),
    ("probability", "this is the probability of an improvement, not its mean", {EI: "norm.cdf(z)"}),
    (
        "probability",
        "this is the probability of an improvement, not its mean",
        {EI: "norm.cdf(z)", ZERO: "np.where(std > 0, improvement, (gain > 0).astype(float))"},
    ),
    (
        "confidence-bound",
        "this is a confidence bound: mean − best + std",
        {EI: "gain + std", ZERO: "improvement"},
    ),
    (
        "zero-std",
        "where std is 0 the improvement is mean − best if that is above 0, not 0",
        {ZERO: "np.where(std > 0, improvement, 0.0)"},
    ),
    (
        "zero-std",
        "where std is 0 a mean below the best is no improvement: 0, not mean − best",
        {ZERO: "np.where(std > 0, improvement, gain)"},
    ),
    (
        "zero-std",
        "a small number is added to std here: where it is 0 the result should be exact",
        {Z: "std = std + 1e-2\n    z = gain / std"},
    ),
    (
        "zero-std",
        "where std is 0 it is 0/0 or a division by 0: choose what is returned there",
        {Z: "z = gain / std", ZERO: "improvement"},
    ),
    (
        "squared-std",
        "std is squared here: it is a standard deviation already",
        {Z: "z = gain / np.where(std > 0, std**2, 1.0)"},
    ),
    (
        "squared-std",
        "the root of std is taken here: it is a standard deviation already",
        {
            "mean, std = np.asarray(mean, dtype=float), np.asarray(std, dtype=float)": "mean, std = np.asarray(mean, dtype=float), np.asarray(std, dtype=float)\n    std = np.where(std > 0, np.abs(std) ** 0.5, std)"
        },
    ),
    (
        "no-uncertainty",
        "the uncertainty does not count here: max(mean − best, 0) is for an std of 0 only",
        {ZERO: "np.maximum(gain, 0.0)"},
    ),
    ("z-not-scaled", "z is mean − best here: divide it by std", {Z: "z = gain"}),
    ("density-not-scaled", "the density is not multiplied by std", {EI: "gain * norm.cdf(z) + norm.pdf(z)"}),
    ("logarithm", "", {ZERO: f"np.log({ZERO} + 1e-9)"}),
    (
        "zero-std",
        "where std is 0 a mean below the best is no improvement: 0, not their distance",
        {ZERO: "np.where(std > 0, improvement, np.abs(gain))"},
    ),
    (
        "small-std",
        "a small std is taken for 0 here: only where it is 0 there is nothing to average",
        {ZERO: "np.where(std > 1e-3, improvement, np.maximum(gain, 0.0))"},
    ),
    (
        "small-std",
        "a small std is taken for 0 here: only where it is 0 there is nothing to average",
        {ZERO: "np.where(np.isclose(std, 0), np.maximum(gain, 0.0), improvement)"},
    ),
    ("margin", "a margin is taken off the gain here: it is mean − best", {GAIN: "gain = mean - best - 0.01"}),
    (
        "other-best",
        "the gain is measured from the highest mean here: it is mean − best",
        {GAIN: "gain = mean - np.maximum(best, mean.max())"},
    ),
    (
        "approximation",
        "Φ is approximated by a logistic function here: norm.cdf is exact",
        {EI: "gain / (1 + np.exp(-1.702 * z)) + std * norm.pdf(z)"},
    ),
    (
        "approximation",
        "Φ is approximated by a tanh here: norm.cdf is exact",
        {EI: "gain * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))) / 2 + std * norm.pdf(z)"},
    ),
    (
        "approximation",
        "where z is above 3 the improvement is taken for mean − best here: the formula holds there too",
        {ZERO: "np.where((std > 0) & (z <= 3), improvement, np.maximum(gain, 0.0))"},
    ),
    (
        "approximation",
        "z is cut off at −3 and 3 here: take it as it is",
        {Z: "z = np.clip(gain / np.where(std > 0, std, 1.0), -3, 3)"},
    ),
    (
        "overwrites-results",
        "one array is filled for all calls here: a later one overwrites what an earlier one returned",
        {
            f"return {ZERO}": "kept = expected_improvement.__dict__.setdefault(str(mean.shape), np.empty(mean.shape))\n"
            f"    kept[...] = {ZERO}\n    return kept"
        },
    ),
    ("rounded", "", {ZERO: f"np.round({ZERO}, 4)"}),
    (
        "forgets-the-density",
        "the density's part is missing: std · φ(z)",
        {EI: "np.maximum(gain * norm.cdf(z), 0)"},
    ),
    (
        "subtracts-the-density",
        "the density's part is added, not subtracted: + std · φ(z)",
        {EI: "np.maximum(gain * norm.cdf(z) - std * norm.pdf(z), 0)"},
    ),
    (
        "subtracts-the-density",
        "the density's part is added, not subtracted: + std · φ(z)",
        {EI: "gain * norm.cdf(z) - std * norm.pdf(z)"},
    ),
    (
        "approximation",
        "Φ is approximated by a logistic function here: norm.cdf is exact",
        {EI: "np.maximum(gain / (1 + np.exp(-1.702 * z)) + std * norm.pdf(z), 0)"},
    ),
    (
        "zero-std",
        "one std of 0 decides for all entries here: choose for each",
        {ZERO: "np.where((std > 0).all(), improvement, np.maximum(gain, 0.0))"},
    ),
    (
        "whole-numbers",
        "means that are ints make the improvement an int here: it is a float",
        {
            "    if mean.shape": "    given = given.dtype\n    if mean.shape",
            "mean, std = np.asarray(mean": "given = np.asarray(mean)\n    mean, std = np.asarray(mean",
            ZERO: f"({ZERO}).astype(given)",
        },
    ),
    ("loses-digits", "", {ZERO: f"({ZERO}).astype(np.float32)"}),
    ("wrong-type", "", {ZERO: f"({ZERO}).tolist()"}),
    ("wrong-shape", "", {ZERO: f"({ZERO}).max()"}),
    ("wrong-shape", "", {ZERO: f"({ZERO}).ravel()"}),
    ("mutates-input", "", {Z: f"{Z}\n    mean -= best"}),
    ("changes-settings", "", {GAIN: f'np.seterr(all="ignore")\n    {GAIN}'}),
    ("accepts-bad-input", "", {NEGATIVE: "std = np.abs(std)\n    if False"}),
    ("accepts-bad-input", "", {NEGATIVE: "std = np.maximum(std, 0)\n    if False"}),
    ("accepts-bad-input", "", {EI_FINITE: "if not (np.isfinite(mean).all() and np.isfinite(std).all())"}),
    (
        "accepts-bad-input",
        "",
        {EI_FINITE: "if np.isnan(mean).any() or np.isnan(std).any() or math.isnan(best)"},
    ),
    ("accepts-bad-input", "", {SAME: "mean, std = np.broadcast_arrays(mean, std)\n    if False"}),
    (
        "accepts-bad-input",
        "",
        {
            SAME: "std = std.reshape(mean.shape) if std.size == mean.size else std\n    if mean.shape != std.shape"
        },
    ),
)


def _beliefs(mean, std, best):
    mean, std = np.array(mean, dtype=float), np.array(std, dtype=float)
    if mean.shape != std.shape or not np.isfinite([*mean.ravel(), *std.ravel(), best]).all() or std.min() < 0:
        raise ValueError(f"mean, std and best must be finite and fit together, got {mean}, {std}, {best}")
    return mean, std


@book.right("expected_improvement")
def number_by_number(mean, std, best):
    mean, std = _beliefs(mean, std, best)
    found = np.empty(mean.shape)
    for place in np.ndindex(mean.shape):
        gain, spread = mean[place] - best, std[place]
        if spread == 0:
            found[place] = max(gain, 0)
            continue
        z = gain / spread
        below = (1 + math.erf(z / math.sqrt(2))) / 2
        found[place] = gain * below + spread * math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return found


@book.right("expected_improvement")
def with_masks(mean, std, best):
    mean, std = _beliefs(mean, std, best)
    found, known = np.maximum(mean - best, 0.0), std == 0
    z = (mean[~known] - best) / std[~known]
    found[~known] = std[~known] * (z * norm.cdf(z) + norm.pdf(z))
    return found


@book.right("expected_improvement")
def with_quiet_infinities(mean, std, best):
    mean, std = _beliefs(mean, std, best)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (mean - best) / std
        found = (mean - best) * norm.cdf(z) + std * norm.pdf(z)
    return np.where(std == 0, np.maximum(mean, best) - best, found)


# ----------------------------------------------------------------------------- bayesian_optimization
# The judge reads the log of evaluations and of what the predictor was asked.

FIT, POOL = (
    "predict_all = fit(list(archs), np.array(values))",
    "candidates = unseen(min(pool, len(space) - len(archs)))",
)
ACQUIRED, LOOP = "np.argmax(acquisition(mean, std, max(values)))", "while len(archs) < budget:"
START, ANY = "for arch in unseen(initial):", "if arch not in archs and arch not in found:"
BO_BUDGET, BO_INITIAL, BO_POOL = (
    "if not 1 <= budget <= len(space)",
    "if not 1 <= initial <= budget",
    "if pool < 1",
)
BO_FINITE, BO_VALUES, DEFAULT = (
    "if not math.isfinite(value)",
    "np.array(values, dtype=float)",
    "acquisition = acquisition or expected_improvement",
)

book.edits(
    "bayesian_optimization",
    (
        "not-refitted",
        "",
        {FIT: "predict_all = predict_all if len(archs) > initial else fit(list(archs), np.array(values))"},
    ),
    ("fits-a-part", "", {FIT: "predict_all = fit(list(archs[:initial]), np.array(values[:initial]))"}),
    ("fits-a-part", "", {FIT: "predict_all = fit(list(archs[-initial:]), np.array(values[-initial:]))"}),
    (
        "fits-a-part",
        "",
        {
            FIT: "predict_all = fit(archs[: len(archs) - (len(archs) > initial)], np.array(values[: len(archs) - (len(archs) > initial)]))"
        },
    ),
    ("wrong-data", "", {FIT: "predict_all = fit(list(archs), np.maximum.accumulate(values))"}),
    ("wrong-data", "", {FIT: "predict_all = fit(list(archs), -np.array(values))"}),
    ("wrong-data", "", {FIT: "predict_all = fit(list(archs), np.array(values) - np.mean(values))"}),
    ("wrong-data", "", {FIT: "predict_all = fit(list(archs), np.array(sorted(values)))"}),
    ("not-distinct", "", {ANY: "if arch not in found:"}),
    (
        "not-distinct",
        "",
        {POOL: "candidates = [unseen(1)[0] for _ in range(min(pool, len(space) - len(archs)))]"},
    ),
    ("wrong-pool", "", {POOL: "candidates = unseen(min(pool - 1, len(space) - len(archs)) or 1)"}),
    ("wrong-pool", "", {POOL: "candidates = unseen(len(space) - len(archs))"}),
    ("endless", "", {POOL: "candidates = unseen(pool)"}),
    ("wrong-pool", "", {POOL: "candidates = unseen(min(pool, 50, len(space) - len(archs)))"}),
    (
        "wrong-pool",
        "",
        {
            "while len(found) < count:": "for _ in range(10 * count + 10):\n            if len(found) == count:\n                break",
            "return found": "return found or [next(arch for arch in space if arch not in archs)]",
        },
    ),
    ("other-acquisition", "", {DEFAULT: "acquisition = acquisition or (lambda mean, std, best: mean + std)"}),
    ("other-predictions", "", {"acquisition(mean, std, max": "acquisition(mean, std**2, max"}),
    ("other-predictions", "", {"acquisition(mean, std, max": "acquisition(std, mean, max"}),
    ("wrong-type", "", {FIT: "predict_all = fit(list(archs), np.array(values)[:, None])"}),
    ("wrong-best", "", {"std, max(values))": "std, values[-1])"}),
    ("wrong-best", "", {"std, max(values))": "std, np.mean(values))"}),
    ("wrong-best", "", {"std, max(values))": "std, np.max(mean))"}),
    ("other-acquisition", "", {ACQUIRED: "np.argmax(mean)"}),
    ("other-acquisition", "", {DEFAULT: "acquisition = expected_improvement"}),
    ("not-the-best-candidate", "", {ACQUIRED: "np.argmin(acquisition(mean, std, max(values)))"}),
    (
        "not-the-best-candidate",
        "",
        {ACQUIRED: "acquisition(mean, std, max(values)).argsort(kind='stable')[-2 if len(mean) > 1 else 0]"},
    ),
    (
        "not-the-best-candidate",
        "",
        {ACQUIRED: "rng.integers(1 + 0 * len(acquisition(mean, std, max(values))))"},
    ),
    ("other-predictions", "", {ACQUIRED: "np.argmax(acquisition(mean, 0 * std, max(values)))"}),
    (
        "not-a-candidate",
        "",
        {f"evaluate(candidates[int({ACQUIRED})])": f"int({ACQUIRED})\n        evaluate(unseen(1)[0])"},
    ),
    (
        "not-predicted",
        "",
        {
            LOOP: "while len(archs) < budget:\n        if len(archs) % 2 and len(archs) > initial:\n            evaluate(unseen(1)[0])\n            continue"
        },
    ),
    ("too-few-random", "", {START: "for arch in unseen(max(1, initial - 1)):"}),
    ("not-predicted", "", {START: "for arch in unseen(min(budget, initial + 1)):"}),
    ("not-distinct", "", {ANY: "if True:"}),
    (
        "biased-pool",
        "",
        {
            POOL: "candidates = [arch for arch in map(space.from_index, range(len(space))) if arch not in archs][:pool]"
        },
    ),
    (
        "biased-pool",
        "",
        {
            POOL: "near = [arch for arch in space.neighbors(archs[values.index(max(values))]) if arch not in archs]\n        count = min(pool, len(space) - len(archs))\n        candidates = near[:count]\n        while len(candidates) < count:\n            candidates += [arch for arch in unseen(1) if arch not in candidates]"
        },
    ),
    (
        "biased-pool",
        "",
        {
            POOL: "first = unseen(min(pool + budget, len(space) - len(archs))) if len(archs) == initial else first\n        candidates = [arch for arch in first if arch not in archs][:pool]"
        },
    ),
    ("wrong-type", "", {FIT: "predict_all = fit(list(archs), list(values))"}),
    ("wrong-type", "", {FIT: "predict_all = fit(tuple(archs), np.array(values))"}),
    ("wrong-type", "", {"= predict_all(candidates)": "= predict_all(tuple(candidates))"}),
    (
        "wrong-type",
        "",
        {
            ACQUIRED: "np.argmax([float(np.ravel(acquisition(float(m), float(s), max(values)))[0]) for m, s in zip(mean, std)])"
        },
    ),
    ("other-acquisition", "", {DEFAULT: "acquisition = acquisition or (lambda mean, std, best: mean)"}),
    (
        "other-acquisition",
        "",
        {DEFAULT: "acquisition = acquisition or (lambda mean, std, best: mean + 3 * std)"},
    ),
    ("raises", "", {DEFAULT: "acquisition = acquisition"}),
    ("not-uniform", "", {START: "for arch in [space.from_index(i) for i in range(initial)]:"}),
    (
        "over-budget",
        "",
        {
            LOOP: "while len(archs) <= budget and len(archs) < len(space):",
            f"History(archs, {BO_VALUES})": "History(archs[:budget], np.array(values[:budget]))",
        },
    ),
    ("over-budget", "", {START: "objective(space.sample(rng))\n    for arch in unseen(initial):"}),
    (
        "wrong-length",
        "",
        {
            f"return History(archs, {BO_VALUES})": "return History(archs[initial:] or archs[1:], np.array(values[initial:] or values[1:]))"
        },
    ),
    ("fixed-seed", "", {"archs, values = [], []": "archs, values, rng = [], [], np.random.default_rng(0)"}),
    ("ignores-rng", "", {"archs, values = [], []": "archs, values, rng = [], [], np.random.default_rng()"}),
    ("incumbents-not-values", "", {BO_VALUES: "np.maximum.accumulate(values)"}),
    (
        "wrong-type",
        "",
        {f"History(archs, {BO_VALUES})": "History([list(arch) for arch in archs], np.array(values))"},
    ),
    ("wrong-type", "", {f"History(archs, {BO_VALUES})": f"(archs, {BO_VALUES})"}),
    ("raises", "", {BO_BUDGET: "if not 1 <= budget < len(space)"}),
    ("raises", "", {BO_INITIAL: "if not 1 <= initial < budget"}),
    ("raises", "", {BO_INITIAL: "if not 2 <= initial <= budget"}),
    ("raises", "", {BO_POOL: "if not 1 <= pool <= len(space)"}),
    ("changes-settings", "", {"archs, values = [], []": "np.random.seed(0)\n    archs, values = [], []"}),
    ("late-error", "", {BO_POOL: "if pool < 1:\n        objective(space.sample(rng))\n    if pool < 1"}),
    ("accepts-bad-input", "", {BO_BUDGET: "budget = min(budget, len(space))\n    if budget < 1"}),
    ("accepts-bad-input", "", {BO_INITIAL: "initial = min(initial, budget)\n    if initial < 1"}),
    ("accepts-bad-input", "", {BO_INITIAL: "initial = max(initial, 1)\n    if initial > budget"}),
    ("accepts-bad-input", "", {BO_POOL: "pool = max(pool, 1)\n    if False"}),
    (
        "accepts-bad-input",
        "",
        {BO_FINITE: "value = max(-1e9, min(value, 1e9))\n        if math.isnan(value)"},
    ),
    ("accepts-bad-input", "", {BO_FINITE: "value = np.nan_to_num(value)\n        if False"}),
    ("wrong-best", "", {"std, max(values))": "std, max(0, *values))"}),
)


def _bo_checked(space, budget, initial, pool):
    if budget < 1 or budget > len(space) or initial < 1 or initial > budget or pool < 1:
        raise ValueError(f"budget, initial and pool do not fit: {budget}, {initial}, {pool}")


def _finite(value):
    if not np.isfinite(value):
        raise ValueError(f"objective must return a finite number, got {value}")
    return float(value)


def _improvement(mean, std, best):
    return std * norm.pdf((mean - best) / std) + (mean - best) * norm.sf((best - mean) / std)


@book.right("bayesian_optimization")
def by_a_list_of_what_is_left(objective, space, budget, initial, pool, fit, rng, acquisition=None):
    _bo_checked(space, budget, initial, pool)
    left = [space.from_index(i) for i in range(len(space))]
    values = {}
    while len(values) < budget:
        places = rng.permutation(len(left))
        if len(values) < initial:
            place = places[0]
        else:
            places = places[:pool]
            asked = [left[i] for i in places]
            mean, std = fit(list(values), np.array(list(values.values())))(asked)
            scores = (acquisition or _improvement)(mean, std, max(values.values()))
            place = places[max(range(len(asked)), key=lambda i: scores[i])]
        arch = left.pop(place)
        values[arch] = _finite(objective(arch))
    return History(list(values), np.array(list(values.values())))


@book.right("bayesian_optimization")
def one_candidate_at_a_time(objective, space, budget, initial, pool, fit, rng, acquisition=None):
    _bo_checked(space, budget, initial, pool)
    history = []
    for at in range(budget):
        seen = {arch for arch, _ in history}
        drawn = []
        while len(drawn) < (1 if at < initial else min(pool, len(space) - at)):
            arch = space.sample(rng)
            if arch not in seen:
                drawn.append(arch)
                seen.add(arch)
        if at >= initial:
            predict = fit([arch for arch, _ in history], np.array([value for _, value in history]))
            best, score = max(value for _, value in history), acquisition or _improvement
            drawn.sort(key=lambda arch: float(score(*predict([arch]), best)[0]))
        history.append((drawn[-1], _finite(objective(drawn[-1]))))
    return History([arch for arch, _ in history], np.array([value for _, value in history]))


# -------------------------------------------------------------------------------- hyperband_brackets

MOST, N = (
    "while eta ** (most + 1) <= max_epochs:  # a logarithm would round 5 to 4.999…",
    "n = -(-(most + 1) * eta**s // (s + 1))",
)
RUNG, EVERY = (
    "(n // eta**i, max_epochs // eta ** (s - i)) for i in range(s + 1)",
    "for s in range(most, -1, -1):",
)
CEILING = "n = ⌈(S + 1)/(s + 1) · eta^s⌉: it is rounded up, once, at the end"
ORDER_SAID = "the bracket with most configs comes first: s falls from S to 0"

book.edits(
    "hyperband_brackets",
    ("rounds-down", CEILING, {N: "n = (most + 1) * eta**s // (s + 1)"}),
    ("rounds-down", CEILING, {N: "n = -(-(most + 1) // (s + 1)) * eta**s"}),
    ("rounds-down", CEILING, {N: "n = (most + 1) // (s + 1) * eta**s"}),
    ("rounds-down", CEILING, {N: "n = (most + 1) * eta**s // (s + 1) + 1"}),
    (
        "logarithm",
        "a bracket is missing where `max_epochs` is a power of eta: a logarithm is rounded down below it",
        {MOST: "most = int(math.log(max_epochs) / math.log(eta))\n    while False:"},
    ),
    (
        "missing-bracket",
        "a bracket is missing: eta^s may equal `max_epochs`",
        {MOST: "while eta ** (most + 1) < max_epochs:"},
    ),
    (
        "missing-bracket",
        "the last bracket, s = 0, is missing: it trains all of its configs to the end",
        {EVERY: "for s in range(most, 0, -1):"},
    ),
    (
        "missing-bracket",
        "only the boldest bracket is there: s runs from S down to 0",
        {EVERY: "for s in [most]:"},
    ),
    ("bracket-order", ORDER_SAID, {EVERY: "for s in range(most + 1):"}),
    (
        "same-configs",
        "every bracket begins with eta^s configs here: n has the factor (S + 1)/(s + 1)",
        {N: "n = eta**s"},
    ),
    (
        "same-configs",
        "every bracket begins with as many configs as the first: n depends on s",
        {N: "n = eta**most"},
    ),
    (
        "wrong-epochs",
        "rungs double here whatever eta is: epochs grow by eta",
        {RUNG: "(n // eta**i, max(1, max_epochs // 2 ** (s - i))) for i in range(s + 1)"},
    ),
    (
        "wrong-epochs",
        "epochs are rounded at the first rung and then multiplied: the last rung misses `max_epochs`",
        {RUNG: "(n // eta**i, max_epochs // eta**s * eta**i) for i in range(s + 1)"},
    ),
    (
        "wrong-epochs",
        "epochs are rounded up here: ⌊max_epochs / eta^(s − i)⌋",
        {RUNG: "(n // eta**i, -(-max_epochs // eta ** (s - i))) for i in range(s + 1)"},
    ),
    (
        "missing-rung",
        "a bracket has s + 1 rungs: the last is missing",
        {RUNG: "(n // eta**i, max_epochs // eta ** (s - i)) for i in range(s or 1)"},
    ),
    (
        "rounds-up-the-rung",
        "the rest of a rung is rounded up here: ⌊n / eta^i⌋ go on",
        {RUNG: "(-(-n // eta**i), max_epochs // eta ** (s - i)) for i in range(s + 1)"},
    ),
    (
        "swapped",
        "a rung is (configs, epochs), in this order",
        {RUNG: "(max_epochs // eta ** (s - i), n // eta**i) for i in range(s + 1)"},
    ),
    (
        "logarithm",
        "a bracket is missing where `max_epochs` is a power of eta: a logarithm is rounded down below it",
        {MOST: "most = int(math.log10(max_epochs) / math.log10(eta))\n    while False:"},
    ),
    (
        "float-epochs",
        "a number of epochs is lost to rounding: a float a bit below 56 becomes 55. Divide whole numbers by //",
        {RUNG: "(n // eta**i, int(max_epochs * eta ** float(i - s))) for i in range(s + 1)"},
    ),
    (
        "float-configs",
        "a config is lost to rounding: a float a bit below 3 becomes 2. Divide whole numbers by //",
        {RUNG: "(int(n * eta ** float(-i)), max_epochs // eta ** (s - i)) for i in range(s + 1)"},
    ),
    (
        "wrong-epochs",
        "epochs are rounded to the nearest here: ⌊max_epochs / eta^(s − i)⌋",
        {RUNG: "(n // eta**i, round(max_epochs / eta ** (s - i))) for i in range(s + 1)"},
    ),
    (
        "added-epochs",
        "the epochs of a rung are those that are added here: they count from the start of the training",
        {
            RUNG: "(n // eta**i, max_epochs // eta ** (s - i) - (max_epochs // eta ** (s - i + 1) if i else 0)) "
            "for i in range(s + 1)"
        },
    ),
    (
        "same-configs",
        "the factor of n is S/(s + 1) here: it is (S + 1)/(s + 1), since there are S + 1 brackets",
        {N: "n = -(-max(most, 1) * eta**s // (s + 1))"},
    ),
    (
        "same-configs",
        "n is multiplied by S + 1 and not divided by s + 1: its factor is (S + 1)/(s + 1)",
        {N: "n = (most + 1) * eta**s"},
    ),
    (
        "wrong-epochs",
        "every bracket begins at the shortest training here: bracket s begins at ⌊max_epochs / eta^s⌋",
        {RUNG: "(n // eta**i, max_epochs // eta ** (most - i)) for i in range(s + 1)"},
    ),
    (
        "float-configs",
        "a config is added by rounding: a float a bit above 8019 becomes 8020. Divide whole numbers by //",
        {N: "n = math.ceil((most + 1) / (s + 1) * eta**s)"},
    ),
    (
        "logarithm",
        "a bracket too many is there just below a power of eta: more is added to the logarithm than it lacks",
        {MOST: "most = int(math.log(max_epochs, eta) + 1e-6)\n    while False:"},
    ),
    (
        "logarithm",
        "S is a logarithm rounded to the nearest here: it is the largest number with eta^S ≤ `max_epochs`",
        {MOST: "most = round(math.log(max_epochs, eta))\n    while False:"},
    ),
    (
        "rung-order",
        "the rungs of a bracket stand from the longest training to the shortest here: the shortest comes first",
        {"brackets.append(rungs)": "brackets.append(rungs[::-1])"},
    ),
    (
        "wrong-epochs",
        "epochs are multiplied from the first rung on, up to the last: each is ⌊max_epochs / eta^(s − i)⌋",
        {RUNG: "(n // eta**i, max_epochs // eta**s * eta**i if i < s else max_epochs) for i in range(s + 1)"},
    ),
    (
        "rounds-up-the-rung",
        "the rest of a rung is rounded to the nearest here: ⌊n / eta^i⌋ go on",
        {RUNG: "(round(n / eta**i), max_epochs // eta ** (s - i)) for i in range(s + 1)"},
    ),
    (
        "missing-rung",
        "a bracket has s + 1 rungs: the last is missing",
        {RUNG: "(n // eta**i, max_epochs // eta ** (s - i)) for i in range(s)"},
    ),
    (
        "remembers-brackets",
        "brackets of an earlier call come back for other epochs with the same eta",
        {"return brackets": "return hyperband_brackets.__dict__.setdefault(f'{eta} {most}', brackets)"},
    ),
    (
        "missing-rung",
        "a bracket has no more than eight rungs here: it has s + 1",
        {"brackets.append(rungs)": "brackets.append(rungs[-8:])"},
    ),
    ("wrong-type", "", {"brackets.append(rungs)": "brackets.append(tuple(rungs))"}),
    ("flat", "", {"brackets.append(rungs)": "brackets.extend(rungs)"}),
    ("wrong-type", "", {RUNG: "[n // eta**i, max_epochs // eta ** (s - i)] for i in range(s + 1)"}),
    ("wrong-type", "", {RUNG: "(float(n // eta**i), max_epochs // eta ** (s - i)) for i in range(s + 1)"}),
    ("wrong-type", "", {"return brackets": "return dict(enumerate(brackets))"}),
    ("wrong-type", "", {"return brackets": "return tuple(brackets)"}),
    ("raises", "", {"if max_epochs < 1": "if max_epochs < 2"}),
    ("raises", "", {"if max_epochs < 1": "if max_epochs < eta > 1"}),
    ("accepts-bad-input", "", {"if max_epochs < 1": "if max_epochs < 0"}),
    ("accepts-bad-input", "", {"if eta < 2": "eta = max(eta, 2)\n    if False"}),
    ("accepts-bad-input", "", {"if max_epochs < 1": "max_epochs = max(max_epochs, 1)\n    if False"}),
)


def _hyper(max_epochs, eta):
    if max_epochs <= 0 or eta <= 1:
        raise ValueError(f"max_epochs and eta must be at least 1 and 2, got {max_epochs}, {eta}")


@book.right("hyperband_brackets")
def rung_after_rung(max_epochs, eta):
    _hyper(max_epochs, eta)
    ladder = [max_epochs]
    while max_epochs // eta ** len(ladder) > 0:
        ladder.append(max_epochs // eta ** len(ladder))
    brackets = []
    for s in reversed(range(len(ladder))):
        racing = math.ceil(len(ladder) * eta**s / (s + 1))
        bracket = []
        for epochs in reversed(ladder[: s + 1]):
            bracket.append((racing, epochs))
            racing //= eta
        brackets.append(bracket)
    return brackets


@book.right("hyperband_brackets")
def by_recursion_and_numpy(max_epochs, eta):
    _hyper(max_epochs, eta)

    def largest(left):
        return 0 if left < eta else 1 + largest(left // eta)

    top = largest(max_epochs)
    found = []
    for s in range(top, -1, -1):
        powers = eta ** np.arange(s + 1)
        n = (eta**s * (top + 1) + s) // (s + 1)
        found.append([(int(a), int(b)) for a, b in zip(n // powers, max_epochs // powers[::-1])])
    return found


# ---------------------------------------------------------------------------------------------- asha

HIGHEST = "for rung in range(len(lengths) - 2, -1, -1):"
SORTED, BEST = "sorted(range(len(results)), key=lambda i: -results[i][0])", "order[: len(results) // eta]"
MARK, GROW = "promoted[rung].add(place)", "lengths.append(min(lengths[-1] * eta, max_epochs))"
WORKERS, ENDS = "while len(running) < workers:", "if now > seconds:"
PUSH, TOGETHER = (
    "heapq.heappush(running, (now + took, started, rung, config, value))",
    "while running and running[0][0] == now:",
)
NOTE, IN_RUNG = "trials.append((config, lengths[rung], value, now))", "rungs[rung].append((value, config))"
TRAINED = "value, took = train_to(config, lengths[rung])"
ASHA_FINITE = "if not (math.isfinite(value) and math.isfinite(took) and took > 0)"
EPOCHS_SAID = "epochs grow by the factor eta from rung to rung, and are cut at `max_epochs`"

book.edits(
    "asha",
    (
        "one-worker",
        "one training runs at a time here: as many as there are workers run side by side",
        {WORKERS: "while len(running) < 1:"},
    ),
    (
        "knows-the-future",
        "a result counts from the moment when its training starts: it is known when it ends",
        {
            PUSH: f"{PUSH}\n            {IN_RUNG}",
            f"            {IN_RUNG}\n            trials": "            trials",
        },
    ),
    (
        "waits-for-the-rung",
        "workers wait here until all trainings have ended: a free one takes the next job at once",
        {TOGETHER: "now = max(one[0] for one in running)\n        while running:"},
    ),
    (
        "promotes-the-worst",
        "the worst are promoted here: sort by falling value",
        {SORTED: "sorted(range(len(results)), key=lambda i: results[i][0])"},
    ),
    (
        "promotes-the-first",
        "who finished first is promoted here, whatever its value",
        {SORTED: "list(range(len(results)))"},
    ),
    ("rounds-up", "⌈n/eta⌉ may go on here: it is rounded down", {BEST: "order[: -(-len(results) // eta)]"}),
    (
        "rounds-up",
        "at least one may go on here: of fewer than eta results nobody does",
        {BEST: "order[: max(1, len(results) // eta)]"},
    ),
    (
        "counts-the-others-only",
        "the top 1/eta is taken of those that were not promoted yet: it is of all results of the rung",
        {
            SORTED: "sorted((i for i in range(len(results)) if i not in promoted[rung]), key=lambda i: -results[i][0])",
            BEST: "order[: len(order) // eta]",
        },
    ),
    (
        "only-the-best",
        "only the best of a rung can be promoted here: the best ⌊n/eta⌋ can",
        {BEST: "order[: min(1, len(results) // eta)]"},
    ),
    ("eta-is-two", "half of a rung may go on here, whatever eta is", {BEST: "order[: len(results) // 2]"}),
    (
        "promotes-twice",
        "a config is promoted again from a rung that it has left",
        {MARK: "promoted[rung] = {place}"},
    ),
    (
        "never-promotes",
        "no config is promoted here: everybody is trained for `min_epochs` alone",
        {HIGHEST: "for rung in ():"},
    ),
    (
        "skips-rungs",
        "a promoted config is trained to `max_epochs` at once: it goes to the next rung",
        {"return results[place][1], rung + 1": "return results[place][1], len(lengths) - 1"},
    ),
    ("wrong-epochs", EPOCHS_SAID, {GROW: "lengths.append(min(lengths[-1] * 2, max_epochs))"}),
    ("wrong-epochs", EPOCHS_SAID, {GROW: "lengths.append(min(lengths[-1] + eta, max_epochs))"}),
    (
        "no-last-rung",
        "the last rung is the one at `max_epochs`, also where eta does not lead to it exactly",
        {"while lengths[-1] < max_epochs": "while lengths[-1] * eta <= max_epochs"},
    ),
    (
        "merges-equals",
        "configs that are equal stay two: here a promotion of one counts for the other",
        {
            "if place not in promoted[rung]": "if not any(results[one][1] == results[place][1] for one in promoted[rung])"
        },
    ),
    (
        "counts-the-late",
        "a training that ends after `seconds` counts here: it has not ended by then",
        {
            ENDS: "if now > seconds and (trials.append((running[0][3], lengths[running[0][2]], running[0][4], now)) or True):"
        },
    ),
    ("too-early", "a training that ends right at `seconds` counts too", {ENDS: "if now >= seconds:"}),
    (
        "one-at-a-time",
        "results that end at the same second are all in before the next job is chosen",
        {TOGETHER: "for _ in range(1):"},
    ),
    (
        "wrong-times",
        "the seconds are how long the training took: they should be when it finished, counted from the start",
        {
            PUSH: "heapq.heappush(running, (now + took, started, rung, config, value))\n            spans = {**locals().get('spans', {}), started: took}",
            "_, _, rung, config, value = heapq": "_, number, rung, config, value = heapq",
            NOTE: "trials.append((config, lengths[rung], value, spans[number]))",
        },
    ),
    (
        "wrong-times",
        "the seconds are when the training was started: they should be when it finished",
        {
            PUSH: "heapq.heappush(running, (now + took, started, rung, config, value))\n            began = {**locals().get('began', {}), started: now}",
            "_, _, rung, config, value = heapq": "_, number, rung, config, value = heapq",
            NOTE: "trials.append((config, lengths[rung], value, began[number]))",
        },
    ),
    (
        "only-the-longest",
        "all results are returned, not those of the last rung alone",
        {"return trials": "return [one for one in trials if one[1] == max_epochs]"},
    ),
    (
        "sorted-results",
        "the results are sorted by value here: they stand in the order in which they ended",
        {"return trials": "return sorted(trials, key=lambda one: -one[2])"},
    ),
    (
        "compares-configs",
        "where two trainings end at once the heap goes on to compare the configs, and dicts have no order: put a running number second",
        {PUSH: "heapq.heappush(running, (now + took, rung, config, value))", "_, _, rung": "_, rung"},
    ),
    (
        "unhashable-configs",
        "a config may be a dict, which cannot be in a set: mark positions of the rung instead",
        {
            "if place not in promoted[rung]": "if results[place][1] not in promoted[rung]",
            MARK: "promoted[rung].add(results[place][1])",
        },
    ),
    ("trains-twice", "", {"return trials": "return trials + trials[-1:]"}),
    ("trains-twice", "", {TRAINED: f"train_to(config, lengths[rung])\n            {TRAINED}"}),
    (
        "lowest-first",
        "a free worker looks into the highest rungs first: here it begins with the lowest",
        {HIGHEST: "for rung in range(len(lengths) - 1):"},
    ),
    (
        "merges-equals",
        "configs that are equal stay two: here a promotion of one counts for the other",
        {
            "if place not in promoted[rung]": "if id(results[place][1]) not in promoted[rung]",
            MARK: "promoted[rung].add(id(results[place][1]))",
        },
    ),
    (
        "ends-together",
        "trainings that end at nearly the same second end one after the other",
        {TOGETHER: "while running and running[0][0] - now < 0.01:"},
    ),
    (
        "added-epochs",
        "train_to is told how many epochs are added: it is told how many there are in all",
        {TRAINED: "value, took = train_to(config, lengths[rung] - (lengths[rung - 1] if rung else 0))"},
    ),
    (
        "proposes-ahead",
        "a config is drawn for every job here, and thrown away where one is promoted: draw it where none is",
        {HIGHEST: f"fresh = propose()\n        {HIGHEST}", "return propose(), 0": "return fresh, 0"},
    ),
    (
        "started-order",
        "the results stand in the order in which they were started here: it is that in which they ended",
        {
            PUSH: "heapq.heappush(running, (now + took, started, rung, config, value))\n"
            "            trials.append((config, lengths[rung], value, now + took))",
            NOTE: "pass",
            "return trials": "return [one for one in trials if one[3] <= seconds]",
        },
    ),
    (
        "last-of-equals",
        "of equal values the one that finished last is promoted here: it is the one that finished first",
        {SORTED: "sorted(range(len(results)), key=lambda i: (-results[i][0], -i))"},
    ),
    (
        "one-promotion-behind",
        "a rung promotes only when it has grown by eta results here: whoever is among the best ⌊n/eta⌋ may go on at once",
        {BEST: "(order[: len(results) // eta] if len(results) % eta == 0 else [])"},
    ),
    (
        "rounds-up",
        "n/eta is rounded to the nearest here: it is rounded down",
        {BEST: "order[: round(len(results) / eta)]"},
    ),
    (
        "rungs-without-promotion",
        "only results of the first rung are promoted here: those of every rung but the last can be",
        {HIGHEST: "for rung in range(min(1, len(lengths) - 1)):"},
    ),
    (
        "rungs-without-promotion",
        "nobody is promoted to the last rung here: begin with the last rung but one",
        {HIGHEST: "for rung in range(len(lengths) - 3, -1, -1):"},
    ),
    (
        "not-the-best",
        "of those that may go on the worst goes first here: the best does",
        {f"for place in {BEST}": f"for place in {BEST}[::-1]"},
    ),
    (
        "not-the-best",
        "of those that may go on the one that finished first goes first here: the best does",
        {f"for place in {BEST}": f"for place in sorted({BEST})"},
    ),
    (
        "merges-equals",
        "results of equal value stay two: here a promotion of one counts for the other",
        {
            "if place not in promoted[rung]": "if not any(results[one][0] == results[place][0] for one in promoted[rung])"
        },
    ),
    (
        "one-for-all-rungs",
        "the same places count as promoted in all rungs here: each rung has its own",
        {"promoted = [set() for _ in lengths]": "promoted = [set()] * len(lengths)"},
    ),
    (
        "started-order",
        "of results of the same second the one that was started last comes first here: the one started first does",
        {PUSH: "heapq.heappush(running, (now + took, -started, rung, config, value))"},
    ),
    (
        "empty-configs",
        "a config that counts as false, such as 0 or an empty dict, is not promoted here: a config can be anything",
        {"if place not in promoted[rung]": "if results[place][1] and place not in promoted[rung]"},
    ),
    (
        "empty-configs",
        "a config of None ends the search here: a config can be anything",
        {TRAINED: f"if config is None:\n                return trials\n            {TRAINED}"},
    ),
    ("wrong-values", "", {NOTE: "trials.append((config, lengths[rung], round(value, 1), now))"}),
    ("wrong-type", "", {NOTE: "trials.append([config, lengths[rung], value, now])"}),
    ("wrong-type", "", {NOTE: "trials.append((config, lengths[rung], value))"}),
    ("wrong-type", "", {"return trials": "return trials[-1] if trials else None"}),
    ("raises", "", {"if not 1 <= min_epochs <= max_epochs": "if not 1 <= min_epochs < max_epochs"}),
    ("changes-settings", "", {"now, running": "np.random.seed(0)\n    now, running"}),
    (
        "late-error",
        "",
        {
            "if not (math.isfinite(seconds) and seconds > 0)": "if not (math.isfinite(seconds) and seconds > 0):\n        train_to(propose(), min_epochs)\n    if not (math.isfinite(seconds) and seconds > 0)"
        },
    ),
    ("accepts-bad-input", "", {"if workers < 1": "workers = max(workers, 1)\n    if False"}),
    ("accepts-bad-input", "", {"if eta < 2": "eta = max(eta, 2)\n    if False"}),
    ("accepts-bad-input", "", {"if not 1 <= min_epochs <= max_epochs": "if min_epochs < 1"}),
    (
        "accepts-bad-input",
        "",
        {
            "if not 1 <= min_epochs <= max_epochs": "min_epochs = max(min_epochs, 1)\n    if min_epochs > max_epochs"
        },
    ),
    (
        "accepts-bad-input",
        "",
        {
            "if not (math.isfinite(seconds) and seconds > 0)": "if math.isnan(seconds) or seconds == math.inf:\n        return []\n    if seconds < 0"
        },
    ),
    (
        "accepts-bad-input",
        "",
        {ASHA_FINITE: "if math.isnan(value) or not (math.isfinite(took) and took > 0)"},
    ),
    (
        "accepts-bad-input",
        "",
        {ASHA_FINITE: "took = took if 0 < took < math.inf else 1.0\n            if not math.isfinite(value)"},
    ),
    (
        "accepts-bad-input",
        "",
        {
            ASHA_FINITE: "value = value if math.isfinite(value) else -1e9\n            if not (math.isfinite(took) and took > 0)"
        },
    ),
)


def _asha_checked(workers, eta, min_epochs, max_epochs, seconds):
    if workers < 1 or eta < 2 or min_epochs < 1 or min_epochs > max_epochs or not 0 < seconds < math.inf:
        raise ValueError(f"arguments out of range: {workers}, {eta}, {min_epochs}, {max_epochs}, {seconds}")


def _trained(train_to, config, epochs):
    value, took = train_to(config, epochs)
    if not np.isfinite(value) or not np.isfinite(took) or took <= 0:
        raise ValueError(f"train_to must return finite numbers, got {value}, {took}")
    return value, took


@book.right("asha")
def with_workers_of_their_own(train_to, propose, workers, eta, min_epochs, max_epochs, seconds):
    _asha_checked(workers, eta, min_epochs, max_epochs, seconds)

    class Result:
        def __init__(self, config, rung, epochs, value, end):
            self.config, self.rung, self.epochs, self.value, self.end, self.gone = (
                config,
                rung,
                epochs,
                value,
                end,
                False,
            )

    results, busy, now = [], [], 0.0

    def job():
        top = max((one.rung for one in results), default=0)
        for rung in range(top, -1, -1):
            there = [one for one in results if one.rung == rung]
            if not there or there[0].epochs == max_epochs:
                continue
            there = sorted(there, key=lambda one: one.value, reverse=True)
            for one in there[: int(len(there) / eta)]:
                if not one.gone:
                    one.gone = True
                    return one.config, rung + 1, min(one.epochs * eta, max_epochs)
        return propose(), 0, min_epochs

    while True:
        for _ in range(workers - len(busy)):
            config, rung, epochs = job()
            value, took = _trained(train_to, config, epochs)
            busy.append(Result(config, rung, epochs, value, now + took))
        now = min(one.end for one in busy)
        if now > seconds:
            break
        results += [one for one in busy if one.end == now]
        busy = [one for one in busy if one.end > now]
    return [(one.config, one.epochs, one.value, one.end) for one in results]


@book.right("asha")
def trained_at_the_end_of_each_job(train_to, propose, workers, eta, min_epochs, max_epochs, seconds):
    _asha_checked(workers, eta, min_epochs, max_epochs, seconds)
    rungs = [min_epochs]
    while rungs[-1] * eta < max_epochs:
        rungs.append(rungs[-1] * eta)
    rungs += [max_epochs] if rungs[-1] < max_epochs else []
    waiting = {epochs: [] for epochs in rungs}  # negative values, places and configs, sorted
    sizes, gone = dict.fromkeys(rungs, 0), dict.fromkeys(rungs, 0)
    heap, number, done = [(0.0, -1 - worker, None) for worker in range(workers)], itertools.count(), []
    heapq.heapify(heap)
    marked = {epochs: [] for epochs in rungs}

    def choose():
        for low, high in list(zip(rungs, rungs[1:]))[::-1]:
            for entry in sorted(waiting[low], key=lambda one: one[:2])[: sizes[low] // eta]:
                if entry[1] not in marked[low]:
                    marked[low].append(entry[1])
                    gone[low] += 1
                    return entry[2], high
        return propose(), min_epochs

    while heap[0][0] <= seconds:
        now, ended = heap[0][0], []
        while heap and heap[0][0] == now:
            ended.append(heapq.heappop(heap)[2])
        for one in ended:
            if one is not None:
                config, epochs, value = one
                waiting[epochs].append((-value, sizes[epochs], config))
                sizes[epochs] += 1
                done.append((config, epochs, value, now))
        for _ in ended:
            config, epochs = choose()
            value, took = _trained(train_to, config, epochs)
            heapq.heappush(heap, (now + took, next(number), (config, epochs, value)))
    return done


# -------------------------------------------------------------------------------------- naswot_score

CODE, CLOSED = "(output > 0).flatten(1).double()", " + (1 - code) @ (1 - code).T"
AGREE, SCORE = (
    "agree = code @ code.T + (1 - code) @ (1 - code).T",
    "float(torch.linalg.slogdet(agree).logabsdet)",
)
COPY, JOINED = "probe, codes = copy.deepcopy(net), []", "code = torch.cat(codes, dim=1)"
IMAGES, NO_RELU = "if len(x) < 1 or not x.isfinite().all()", "if not codes"

book.edits(
    "naswot_score",
    (
        "only-the-open",
        "units that are closed for both images agree as well: (1 − C)(1 − C)ᵀ is missing",
        {CLOSED: ""},
    ),
    (
        "only-the-open",
        "units that are open for both images agree as well: C Cᵀ is missing",
        {AGREE: "agree = (1 - code) @ (1 - code).T"},
    ),
    (
        "distances",
        "this is the matrix of Hamming distances: K has N minus the distance",
        {AGREE: "agree = code @ (1 - code).T + (1 - code) @ code.T"},
    ),
    (
        "signs",
        "open and closed count as +1 and −1 here, which gives N − 2 · distance",
        {AGREE: "agree = (2 * code - 1) @ (2 * code - 1).T"},
    ),
    (
        "share",
        "K is divided by the number of units here: it counts units",
        {AGREE: f"{AGREE}\n    agree = agree / code.shape[1]"},
    ),
    (
        "not-a-logarithm",
        "this is the determinant itself: return its logarithm",
        {SCORE: "float(torch.linalg.det(agree))"},
    ),
    (
        "other-logarithm",
        "the logarithm is the natural one",
        {SCORE: "float(torch.linalg.slogdet(agree).logabsdet) / math.log(10)"},
    ),
    (
        "other-logarithm",
        "the logarithm is the natural one",
        {SCORE: "float(torch.linalg.slogdet(agree).logabsdet) / math.log(2)"},
    ),
    (
        "one-relu",
        "only the last ReLU counts here: the code holds the units of all",
        {JOINED: "code = codes[-1]"},
    ),
    (
        "one-relu",
        "only the first ReLU counts here: the code holds the units of all",
        {JOINED: "code = codes[0]"},
    ),
    (
        "one-relu",
        "each ReLU module counts once here: one that is called twice counts twice",
        {
            "def look(module, inputs, output):\n": "def look(module, inputs, output):\n        if getattr(module, 'seen', False):\n            return\n        module.seen = True\n"
        },
    ),
    (
        "sum-over-layers",
        "the score is the sum over the ReLUs here: there is one kernel, of the units of all",
        {
            f"return {SCORE}": "return float(sum(torch.linalg.slogdet(c @ c.T + (1 - c) @ (1 - c).T).logabsdet for c in codes))"
        },
    ),
    (
        "activations",
        "the activations themselves are compared here: a unit is open or closed, 1 or 0",
        {CODE: "output.flatten(1).double()"},
    ),
    (
        "zero-is-open",
        "a unit whose output is 0 counts as open here: it is closed",
        {CODE: "(output >= 0).flatten(1).double()"},
    ),
    (
        "whole-batch",
        "codes are averaged over the units here: each unit counts by itself",
        {CODE: "(output > 0).flatten(1).double().mean(dim=1, keepdim=True)"},
    ),
    (
        "evaluation-mode",
        "the network is put into evaluation mode here: it is used in the mode in which it is passed in",
        {COPY: f"{COPY}\n    probe.eval()"},
    ),
    (
        "training-mode",
        "the network is put into training mode here: it is used in the mode in which it is passed in",
        {COPY: f"{COPY}\n    probe.train()"},
    ),
    (
        "overflows",
        "the determinant of many images is too large for a float: slogdet takes its logarithm without it",
        {SCORE: "float(torch.log(torch.linalg.det(agree)))"},
    ),
    (
        "late-codes",
        "the outputs are looked at after the pass: what follows may have changed them in place. Compare in the hook",
        {CODE: "output", JOINED: "code = torch.cat([(one > 0).flatten(1).double() for one in codes], dim=1)"},
    ),
    (
        "children-only",
        "ReLUs within other modules are missed: net.modules() goes through all of them",
        {"probe.modules()": "probe.children()"},
    ),
    (
        "other-activations",
        "other activations count here as well: only torch.nn.ReLU does",
        {"isinstance(module, nn.ReLU)": "isinstance(module, (nn.ReLU, nn.GELU, nn.LeakyReLU))"},
    ),
    (
        "share",
        "the score is divided by the number of images here: it is the logarithm itself",
        {SCORE: "float(torch.linalg.slogdet(agree).logabsdet) / len(x)"},
    ),
    (
        "sign",
        "this is the determinant's sign: slogdet's second result is the logarithm",
        {SCORE: "float(torch.linalg.slogdet(agree).sign)"},
    ),
    (
        "drops-units",
        "units that are alike for all images are left out here: they count",
        {JOINED: f"{JOINED}\n    code = code[:, (code != code[0]).any(0)]"},
    ),
    (
        "drops-images",
        "of images with equal codes one is kept here: the determinant of all is 0, its logarithm −infinity",
        {JOINED: f"{JOINED}\n    code = torch.unique(code, dim=0)"},
    ),
    (
        "jitter",
        "a small number is added to the diagonal of K here: the score is that of K itself",
        {SCORE: "float(torch.linalg.slogdet(agree + 1e-6 * torch.eye(len(x), dtype=agree.dtype)).logabsdet)"},
    ),
    (
        "changes-hooks",
        "",
        {JOINED: f"{JOINED}\n    for module in net.modules():\n        module._forward_hooks.clear()"},
    ),
    (
        "accepts-bad-input",
        "",
        {
            NO_RELU: "if not codes and any(isinstance(one, nn.ReLU) for one in net.modules()):\n        return 0.0\n    if not codes"
        },
    ),
    (
        "mean-over-pairs",
        "this is the mean of K's entries: the score is the logarithm of its determinant",
        {SCORE: "float(agree.mean())"},
    ),
    (
        "not-the-determinant",
        "this is the sum of the logarithms of K's entries: the score is the logarithm of its determinant",
        {SCORE: "float(agree.log().sum())"},
    ),
    (
        "not-the-determinant",
        "this is the logarithm of K's trace: the score is that of its determinant",
        {SCORE: "float(agree.trace().log())"},
    ),
    (
        "channels",
        "a channel counts as one unit here: each of its pixels is one",
        {CODE: "((output.mean((2, 3)) if output.ndim == 4 else output) > 0).flatten(1).double()"},
    ),
    ("changes-the-network", "", {COPY: "probe, codes = net, []"}),
    (
        "not-the-determinant",
        "only the diagonal of K is used here: the score is the logarithm of its determinant",
        {SCORE: "float(agree.diagonal().log().sum())"},
    ),
    (
        "whole-batch",
        "images go through the network eight at a time here: batch norms in training mode see other statistics then",
        {
            "        probe(x)": "        for part in x.split(8):\n            probe(part)",
            JOINED: "each = max(1, len(codes) // -(-len(x) // 8))\n    code = torch.cat("
            "[torch.cat(codes[i : i + each], dim=1) for i in range(0, len(codes), each)])",
        },
    ),
    (
        "other-activations",
        "a LeakyReLU counts here as well, for its name: only torch.nn.ReLU does",
        {"isinstance(module, nn.ReLU)": "'relu' in type(module).__name__.lower()"},
    ),
    ("raises", "", {CODE: "(output > 0).view(len(output), -1).double()"}),
    ("mutates-input", "", {JOINED: f"{JOINED}\n    net.zero_grad()"}),
    ("accepts-bad-input", "", {IMAGES: "if len(x) < 1 or x.isnan().any() or (x == math.inf).any()"}),
    ("mutates-input", "", {JOINED: f"{JOINED}\n    x.mul_(0.5)"}),
    ("wrong-type", "", {f"return {SCORE}": "return torch.linalg.slogdet(agree).logabsdet"}),
    ("wrong-type", "", {f"return {SCORE}": "return tuple(torch.linalg.slogdet(agree))"}),
    ("changes-settings", "", {"with torch.no_grad():": "torch.manual_seed(0)\n    with torch.no_grad():"}),
    ("accepts-bad-input", "", {IMAGES: "if len(x) < 1 or x.isnan().any()"}),
    ("accepts-bad-input", "", {IMAGES: "x = x.nan_to_num()\n    if len(x) < 1"}),
    ("accepts-bad-input", "", {IMAGES: "if len(x) < 1:\n        return 0.0\n    if not x.isfinite().all()"}),
    ("accepts-bad-input", "", {NO_RELU: "if not codes:\n        return 0.0\n    if not codes"}),
)


def _images(x):
    if not len(x) or not torch.isfinite(x).all():
        raise ValueError(f"x must be finite images, got the shape {tuple(x.shape)}")


@book.right("naswot_score")
def by_hamming_distances(net, x):
    import copy

    _images(x)
    twin, found = copy.deepcopy(net), []
    for relu in [one for one in twin.modules() if type(one) is nn.ReLU]:
        relu.register_forward_pre_hook(
            lambda module, given: found.append(given[0].detach().reshape(len(x), -1) > 0)
        )
    twin(x)
    if not found:
        raise ValueError("net must have a ReLU")
    codes = torch.cat(found, 1)
    kernel = torch.tensor([[float((a == b).sum()) for b in codes] for a in codes], dtype=torch.float64)
    return kernel.logdet().item()


@book.right("naswot_score")
def with_numpy_and_hooks_that_are_removed(net, x):
    _images(x)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    rows, handles = [], []
    for module in net.modules():
        if isinstance(module, nn.ReLU):
            handles.append(
                module.register_forward_hook(
                    lambda m, i, out: rows.append(out.detach().numpy().reshape(len(x), -1) > 0)
                )
            )
    try:
        with torch.no_grad():
            net(x)
    finally:
        for handle in handles:
            handle.remove()
        with torch.no_grad():
            for name, value in net.state_dict().items():
                value.copy_(before[name])
    if not rows:
        raise ValueError("net must have a ReLU")
    signs = np.where(np.hstack(rows), 1.0, -1.0)
    return np.linalg.slogdet((signs.shape[1] + signs @ signs.T) / 2)[1]
