"""The usual mistakes of lesson 05, and right answers written another way."""

# ruff: noqa: F821  (`book` is given)
# mypy: ignore-errors

import copy
import itertools
import math

import numpy as np
import torch
from scipy import stats
from torch.nn import functional as F

from nas_lib.search import History

# --------------------------------------------------------------------------------------- sample_path

DRAW = "int(rng.integers(len(options)))"
PATH = "tuple(options[int(rng.integers(len(options)))] for options in choices)"
GENERATOR = "not isinstance(rng, np.random.Generator)"

book.edits(
    "sample_path",
    ("never-drawn", "", {DRAW: "int(rng.integers(max(1, len(options) - 1)))"}),
    ("not-uniform", "", {DRAW: "round(rng.random() * (len(options) - 1))"}),
    ("not-uniform", "", {DRAW: "int(10 * rng.random()) % len(options)"}),
    ("not-uniform", "", {DRAW: "min(int(rng.integers(len(options))) for _ in range(2))"}),
    ("not-uniform", "", {DRAW: "int(rng.integers(6)) % len(options)"}),
    ("not-uniform", "", {DRAW: "int(rng.integers(16)) % len(options)"}),
    ("not-uniform", "", {DRAW: "int(rng.random() ** 1.2 * len(options))"}),
    ("indices", "", {f"options[{DRAW}]": DRAW}),
    ("changes-options", "", {f"options[{DRAW}]": "rng.choice(options)"}),
    ("changes-options", "", {f"options[{DRAW}]": f"np.array(options)[{DRAW}].item()"}),
    (
        "raises",
        "",
        {PATH: "tuple(o[i] for o, i in zip(choices, rng.integers(len(choices[0]), size=len(choices))))"},
    ),
    (
        "dependent-decisions",
        "",
        {"return tuple(": "u = rng.random()\n    return tuple(", DRAW: "int(u * len(options))"},
    ),
    ("ignores-rng", "", {DRAW: "np.random.randint(len(options))"}),
    ("ignores-rng", "", {DRAW: "int(np.random.default_rng().integers(len(options)))"}),
    (
        "fixed-seed",
        "",
        {"    return tuple(": "    rng = np.random.default_rng(0)\n    return tuple("},
    ),
    ("changes-settings", "", {"    return tuple(": "    np.random.random()\n    return tuple("}),
    ("wrong-type", "", {PATH: f"list({PATH.removeprefix('tuple(')}"}),
    ("wrong-length", "", {"for options in choices)\n": "for options in choices[:2])\n"}),
    (
        "accepts-bad-input",
        "",
        {GENERATOR: "False", "return tuple(": "rng = np.random.default_rng(rng)\n    return tuple("},
    ),
    ("accepts-bad-input", "", {GENERATOR: "rng is None"}),
    ("accepts-bad-input", "", {GENERATOR: "rng is None or isinstance(rng, int)"}),
    (
        "accepts-bad-input",
        "",
        {GENERATOR: 'not hasattr(rng, "random")', DRAW: "int(rng.random() * len(options))"},
    ),
    (
        "changes-options",
        "",
        {
            f"options[{DRAW}]": "(rng.choice(options) if len({type(one) for one in options}) == 1 else "
            f"options[{DRAW}])"
        },
    ),
    ("never-drawn", "", {f"options[{DRAW}]": f"(options[{DRAW}] or options[0])"}),
    ("raises", "", {f"options[{DRAW}]": f"list(dict.fromkeys(options))[{DRAW}]"}),
    (
        "mutates-input",
        "",
        {
            "    return tuple(": "    for options in choices:\n"
            "        if isinstance(options, list):\n"
            "            options.sort(key=str)\n"
            "    return tuple("
        },
    ),
    ("accepts-bad-input", "", {"not len(choices) or ": ""}),
    ("accepts-bad-input", "", {"all(len(options) for options in choices)": "len(choices[0])"}),
    ("wrong-error", "", {"raise TypeError(": "raise ValueError("}),
)


@book.wrong("sample_path", "dependent-decisions")
def without_repetition(choices, rng):
    """Each option at most once, which decisions with the same options notice."""
    _decisions(choices, rng)
    path = []
    for options in choices:
        left = [one for one in options if one not in path] or options
        path.append(left[int(rng.integers(len(left)))])
    return tuple(path)


@book.wrong("sample_path", "depends-on-the-last-call")
def never_twice_in_a_row(choices, rng, last=[]):  # noqa: B006
    """Keeps in mind what it drew, and draws again where it would come once more."""
    _decisions(choices, rng)
    path = tuple(options[int(rng.integers(len(options)))] for options in choices)
    while last == [path] and max(map(len, choices)) > 1:
        path = tuple(options[int(rng.integers(len(options)))] for options in choices)
    last[:] = [path]
    return path


@book.right("sample_path")
def all_positions_at_once(choices, rng):
    _decisions(choices, rng)
    places = rng.integers([len(options) for options in choices])
    return tuple(options[place] for options, place in zip(choices, places))


def _decisions(choices, rng):
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a generator, got {rng!r}")
    if not choices or not all(choices):
        raise ValueError(f"choices must be decisions with options, got {choices!r}")


@book.right("sample_path")
def by_random_numbers(choices, rng):
    _decisions(choices, rng)
    return tuple(options[int(u * len(options))] for options, u in zip(choices, rng.random(len(choices))))


@book.right("sample_path")
def by_index_of_the_product(choices, rng):
    _decisions(choices, rng)
    number = int(rng.integers(math.prod(len(options) for options in choices)))
    path = []
    for options in reversed(choices):
        number, place = divmod(number, len(options))
        path.append(options[place])
    return tuple(reversed(path))


@book.right("sample_path")
def by_shuffling(choices, rng):
    _decisions(choices, rng)
    return tuple(options[rng.permutation(len(options))[0]] for options in choices)


@book.right("sample_path")
def by_choosing_positions(choices, rng):
    _decisions(choices, rng)
    places = [rng.choice(len(options)) for options in choices]
    return (*(options[place] for options, place in zip(choices, places)),)


# ---------------------------------------------------------------------------------------- fair_paths

COLUMN = "[options[i] for i in rng.permutation(len(options))]"
COLUMNS = f"[{COLUMN} for options in choices]"
ROWS = "list(zip(*columns))"
SIZES = "len(sizes) != 1 or 0 in sizes"

book.edits(
    "fair_paths",
    (
        "one-shuffle-for-all",
        "",
        {
            "    columns =": "    order = rng.permutation(len(choices[0]))\n    columns =",
            "rng.permutation(len(options))": "order",
        },
    ),
    ("not-shuffled", "", {COLUMNS: f"[choices[0], *({COLUMN} for options in choices[1:])]"}),
    ("fixed-seed", "", {"rng.permutation(len(options))": "range(len(options))"}),
    (
        "biased-shuffle",
        "",
        {"rng.permutation(len(options))": "np.roll(range(len(options)), rng.integers(9))"},
    ),
    ("transposed", "", {ROWS: "columns"}),
    ("wrong-count", "", {ROWS: f"{ROWS}[:1]"}),
    ("wrong-count", "", {ROWS: "[tuple(c[i % len(c)] for c in columns) for i in range(len(columns))]"}),
    ("unfair", "", {"rng.permutation(len(options))": "rng.integers(len(options), size=len(options))"}),
    ("changes-options", "", {COLUMN: "rng.permutation(options).tolist()"}),
    (
        "changes-options",
        "",
        {
            COLUMN: "(list(rng.permutation(options)) if len({type(one) for one in options}) == 1 else "
            f"{COLUMN})"
        },
    ),
    ("raises", "", {"[options[i] for": "[{one: one for one in options}[options[i]] for"}),
    ("ignores-rng", "", {"rng.permutation": "np.random.permutation"}),
    ("fixed-seed", "", {"    columns =": "    rng = np.random.default_rng(0)\n    columns ="}),
    ("wrong-type", "", {ROWS: "[list(path) for path in zip(*columns)]"}),
    ("wrong-type", "", {ROWS: "tuple(zip(*columns))"}),
    (
        "mutates-input",
        "",
        {
            COLUMNS: "[o if isinstance(o, list) else list(o) for o in choices]",
            "    return": "    for column in columns:\n        rng.shuffle(column)\n    return",
        },
    ),
    ("accepts-bad-input", "", {SIZES: "0 in sizes"}),
    (
        "accepts-bad-input",
        "",
        {SIZES: "not choices or not choices[0] or len(choices[0]) != len(choices[-1])"},
    ),
    (
        "accepts-bad-input",
        "",
        {SIZES: "not choices or not choices[0] or len({len(options) for options in choices[:2]}) > 1"},
    ),
    ("accepts-bad-input", "", {SIZES: "len(sizes) != 1"}),
    ("accepts-bad-input", "", {SIZES: "len(sizes) > 1"}),
)


@book.wrong("fair_paths", "biased-shuffle")
def by_swaps_with_anyone(choices, rng):
    """The naive shuffle: each place is swapped with any other, so that the orders are not equally likely."""
    columns = [list(options) for options in choices]
    k = _equal(choices)
    for column in columns:
        for i in range(k):
            j = int(rng.integers(k))
            column[i], column[j] = column[j], column[i]
    return list(zip(*columns))


@book.wrong("fair_paths", "biased-shuffle")
def by_random_swaps(choices, rng):
    """As many swaps of two random places as there are options: too few to make all orders equally likely."""
    columns = [list(options) for options in choices]
    k = _equal(choices)
    for column in columns:
        for _ in range(k):
            i, j = rng.integers(k, size=2)
            column[i], column[j] = column[j], column[i]
    return list(zip(*columns))


@book.wrong("fair_paths", "one-shuffle-for-all")
def with_shared_columns(choices, rng):
    """The same array enters every column, and has the last shuffle in all of them."""
    order, columns = np.arange(_equal(choices)), []
    for _ in choices:
        rng.shuffle(order)
        columns.append(order)
    return [tuple(o[int(column[i])] for o, column in zip(choices, columns)) for i in range(len(order))]


@book.wrong("fair_paths", "one-shuffle-for-all")
def by_shifts(choices, rng):
    order = rng.permutation(_equal(choices))
    return [tuple(o[(i + d) % len(o)] for d, o in enumerate(choices)) for i in order]


def _equal(choices):
    if len({len(options) for options in choices}) != 1 or not len(choices[0]):
        raise ValueError(f"choices must have equally many options everywhere, got {choices!r}")
    return len(choices[0])


@book.right("fair_paths")
def by_shuffled_lists(choices, rng):
    k = _equal(choices)
    columns = [list(options) for options in choices]
    for column in columns:
        rng.shuffle(column)
    return [tuple(column[i] for column in columns) for i in range(k)]


@book.right("fair_paths")
def by_drawing_without_replacement(choices, rng):
    left = [list(options) for options in choices]
    return [tuple(one.pop(int(rng.integers(len(one)))) for one in left) for _ in range(_equal(choices))]


@book.right("fair_paths")
def by_sorting_noise(choices, rng):
    k = _equal(choices)
    order = rng.random((len(choices), k)).argsort(1)
    return [tuple(options[order[d, i]] for d, options in enumerate(choices)) for i in range(k)]


@book.right("fair_paths")
def by_one_order_shuffled_again(choices, rng):
    """A shuffle of a shuffle is as good as a new one."""
    order = np.arange(_equal(choices))
    paths = [()] * len(order)
    for options in choices:
        rng.shuffle(order)
        paths = [(*path, options[i]) for path, i in zip(paths, order)]
    return paths


# ---------------------------------------------------------------------------- train_single_path_step

CLEAR, STEP = "    optimizer.zero_grad()\n", "    optimizer.step()\n"
LOSS = "F.cross_entropy(supernet(batch[0], path), batch[1])"
CALLED = "supernet(batch[0], path)"
BEFORE_LOSS = "    loss = F"

book.edits(
    "train_single_path_step",
    (
        "keeps-gradients",
        "the step contains gradients from an earlier one: clear them before backward()",
        {CLEAR: ""},
    ),
    (
        "keeps-gradients",
        "gradients are cleared after the step, so that those left over from before take part: clear them before "
        "backward()",
        {CLEAR: "", STEP: STEP + CLEAR},
    ),
    (
        "decays-the-others",
        "options off the path have moved: a gradient of zeros is still a gradient, and weight decay and momentum act "
        "on it. zero_grad() sets gradients to None by default, so that they are left alone",
        {"zero_grad()": "zero_grad(set_to_none=False)"},
    ),
    (
        "never-steps",
        "no weight has moved: backward() computes gradients, optimizer.step() uses them, and zero_grad() between the "
        "two throws them away",
        {STEP: ""},
    ),
    (
        "never-steps",
        "no weight has moved: backward() computes gradients, optimizer.step() uses them, and zero_grad() between the "
        "two throws them away",
        {CLEAR: "", STEP: CLEAR + STEP},
    ),
    ("steps-twice", "optimizer.step() is called twice: one step for each batch", {STEP: STEP + STEP}),
    (
        "sum-not-mean",
        "this is the step of the sum over the batch, not the mean",
        {"batch[1])": 'batch[1], reduction="sum")'},
    ),
    ("wrong-sign", "the sign is reversed: the weights go up the loss", {LOSS: f"-{LOSS}"}),
    (
        "softmax-twice",
        "F.cross_entropy takes logits: it computes the softmax itself, and here it is taken twice",
        {CALLED: f"{CALLED}.softmax(1)"},
    ),
    (
        "label-smoothing",
        "the labels are smoothed: take the cross-entropy as it is",
        {"batch[1])": "batch[1], label_smoothing=0.1)"},
    ),
    (
        "clips-gradients",
        "large gradients are cut short: a step is the optimizer's own business, so leave gradients as they are",
        {STEP: "    torch.nn.utils.clip_grad_norm_(supernet.parameters(), 5.0)\n" + STEP},
    ),
    (
        "clips-gradients",
        "large gradients are cut short: a step is the optimizer's own business, so leave gradients as they are",
        {STEP: "    torch.nn.utils.clip_grad_norm_(supernet.parameters(), 1.0)\n" + STEP},
    ),
    (
        "softmax-forgotten",
        "F.nll_loss takes log-probabilities, and here it gets logits: F.cross_entropy takes these",
        {LOSS: f"F.nll_loss({CALLED}, batch[1])"},
    ),
    (
        "skips-a-class",
        "images of the first class are left out of the loss: label 0 is a class as any other",
        {"batch[1])": "batch[1], ignore_index=0)"},
    ),
    (
        "refuses-nan",
        "a loss that is not finite is no error here: the step is taken, and it comes back",
        {
            STEP: "    if not torch.isfinite(loss):\n"
            '        raise ValueError(f"the loss must be finite, got {loss}")\n' + STEP
        },
    ),
    (
        "skips-nan",
        "the step is left out where the loss is not finite: it is taken, as everywhere else",
        {STEP: "    if torch.isfinite(loss):\n        optimizer.step()\n"},
    ),
    (
        "overflow",
        "exp overflows or vanishes with large logits: F.cross_entropy takes the logits as they are",
        {LOSS: f"F.nll_loss({CALLED}.softmax(1).log(), batch[1])"},
    ),
    (
        "skips-zero-gradients",
        "a weight of the path whose gradient is all zeros is passed over: weight decay and momentum act on it, since it "
        "is on the path",
        {
            CLEAR: "    optimizer.zero_grad(set_to_none=False)\n",
            STEP: "    for parameter in supernet.parameters():\n"
            "        if parameter.grad is not None and not parameter.grad.any():\n"
            "            parameter.grad = None\n" + STEP,
        },
    ),
    (
        "own-step",
        "the weights go down the gradient, but not as the optimizer would move them (momentum, weight decay, another "
        "rule): call optimizer.step()",
        {
            STEP: '    lr = optimizer.param_groups[0]["lr"]\n'
            "    with torch.no_grad():\n"
            "        for parameter in supernet.parameters():\n"
            "            if parameter.grad is not None:\n"
            "                parameter -= lr * parameter.grad\n"
        },
    ),
    (
        "eval-mode",
        "the supernet was in evaluation mode: batch norms must see the batch",
        {BEFORE_LOSS: "    supernet.eval()\n    loss = F", STEP: STEP + "    supernet.train()\n"},
    ),
    (
        "another-path",
        "the supernet was not called with the path that was given",
        {CALLED: 'supernet(batch[0], ("o2",) * len(path))'},
    ),
    (
        "many-forward-passes",
        "the supernet is called twice in a step: one path and one pass a step are what makes single-path training "
        "cheap",
        {"loss.item()": "loss_after.item()", STEP: STEP + f"    loss_after = {LOSS}\n"},
    ),
    (
        "many-forward-passes",
        "the supernet is called twice in a step: one path and one pass a step are what makes single-path training "
        "cheap",
        {BEFORE_LOSS: f"    {CALLED}\n    loss = F"},
    ),
    (
        "many-forward-passes",
        "the supernet is called twice in a step: one path and one pass a step are what makes single-path training "
        "cheap",
        {BEFORE_LOSS: "    import copy\n\n    copy.deepcopy(supernet)(batch[0], path)\n    loss = F"},
    ),
    (
        "moves-the-others",
        "options off the path have moved: the loss may depend on the path's weights alone",
        {LOSS: f"{LOSS} + 0.01 * sum((p**2).sum() for p in supernet.parameters())"},
    ),
    (
        "other-loss",
        "the weights move rightly, but the loss returned is the sum over the batch: return the mean",
        {"loss.item()": "loss.item() * len(batch[1])"},
    ),
    (
        "other-loss",
        "the weights move rightly, but the loss returned is rounded: return it as it is",
        {"loss.item()": "round(loss.item(), 4)"},
    ),
    (
        "other-loss",
        "the weights move rightly, but the loss returned is rounded: return it as it is",
        {"loss.item()": "round(loss.item(), 6)"},
    ),
    ("returns-nothing", "", {"    return loss.item()": "    loss.item()"}),
    ("wrong-type", "", {"loss.item()": "loss.detach()"}),
    ("changes-settings", "", {"    return": "    torch.rand(1)\n    return"}),
    ("mutates-input", "", {"    return": "    supernet.eval()\n    return"}),
    ("mutates-input", "", {"    return": '    optimizer.param_groups[0]["lr"] *= 0.99\n    return'}),
    ("mutates-input", "", {BEFORE_LOSS: "    batch[0].sub_(batch[0].mean())\n    loss = F"}),
    ("mutates-input", "", {"    return": "    supernet.requires_grad_(True)\n    return"}),
    (
        "freezes-for-good",
        "",
        {
            BEFORE_LOSS: '    used = tuple(f"decisions.{i}.{option}." for i, option in enumerate(path))\n'
            "    for name, parameter in supernet.named_parameters():\n"
            "        parameter.requires_grad_(parameter.requires_grad and name.startswith(used))\n"
            "    loss = F"
        },
    ),
    (
        "accepts-bad-input",
        "",
        {LOSS: f"-{CALLED}.log_softmax(1)[torch.arange(len(batch[1])), batch[1]].mean()"},
    ),
    (
        "accepts-bad-input",
        "",
        {LOSS: f"F.cross_entropy(*map(torch.stack, zip(*zip({CALLED}, batch[1]))))"},
    ),
)


@book.right("train_single_path_step")
def with_a_closure(supernet, batch, optimizer, path):
    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(supernet(batch[0], path), batch[1])
        loss.backward()
        return loss

    return optimizer.step(closure).item()


@book.right("train_single_path_step")
def with_logits_in_float32(supernet, batch, optimizer, path):
    optimizer.zero_grad()
    loss = F.cross_entropy(supernet(batch[0], path).float(), batch[1])
    loss.backward()
    optimizer.step()
    return loss.item()


@book.right("train_single_path_step")
def by_hand_and_grad_none(supernet, batch, optimizer, path):
    x, y = batch
    loss = torch.nn.CrossEntropyLoss()(supernet.train()(x, path), y)
    for parameter in supernet.parameters():
        parameter.grad = None
    loss.backward()
    optimizer.step()
    return loss.detach().numpy()[()]


@book.right("train_single_path_step")
def by_autograd(supernet, batch, optimizer, path):
    x, y = batch
    optimizer.zero_grad(set_to_none=True)
    loss = F.nll_loss(supernet(x, path).log_softmax(1), y)
    parameters = [p for p in supernet.parameters() if p.requires_grad]
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters, allow_unused=True)):
        parameter.grad = gradient
    optimizer.step()
    return loss.item()


@book.right("train_single_path_step")
def with_the_loss_in_float32(supernet, batch, optimizer, path):
    optimizer.zero_grad()
    log_p = torch.log_softmax(supernet(batch[0], path), 1)
    if len(log_p) != len(batch[1]):
        raise ValueError(f"images and labels must be as many, got {len(log_p)} and {len(batch[1])}")
    loss = -sum(row[label] for row, label in zip(log_p, batch[1])) / len(log_p)
    loss.backward()
    optimizer.step()
    return float(loss.float())


# ----------------------------------------------------------------------------------- train_fair_step

FAIR_CLEAR, FAIR_STEP = "    optimizer.zero_grad()\n", "    optimizer.step()\n"
FAIR_DRAW = "    paths = fair_paths(choices, rng)\n"
FAIR_LOSS = "        loss = F.cross_entropy(supernet(batch[0], path), batch[1])\n"
FAIR_BACKWARD, FAIR_NOTE = "        loss.backward()\n", "        losses.append(loss.item())\n"
FAIR_RETURN = "    return sum(losses) / len(losses)"
ONE_STEP = "each path makes a step of its own, so that the second trains on weights that the first has moved: one step for all K"
AVERAGED = "the gradients are averaged over the K paths: add them up, so that each option gets the whole gradient of its path"
ONE_LEFT = "the gradients are cleared between the paths, so that only the last one trains: clear once, before the first"

book.edits(
    "train_fair_step",
    (
        "steps-for-each-path",
        ONE_STEP,
        {FAIR_STEP: "", FAIR_NOTE: FAIR_NOTE + "        optimizer.step()\n"},
    ),
    (
        "steps-for-each-path",
        ONE_STEP,
        {
            FAIR_CLEAR: "",
            FAIR_STEP: "",
            FAIR_LOSS: "        optimizer.zero_grad()\n" + FAIR_LOSS,
            FAIR_NOTE: FAIR_NOTE + "        optimizer.step()\n",
        },
    ),
    (
        "last-path-only",
        ONE_LEFT,
        {FAIR_CLEAR: "", FAIR_BACKWARD: "        optimizer.zero_grad()\n" + FAIR_BACKWARD},
    ),
    (
        "last-path-only",
        ONE_LEFT,
        {FAIR_BACKWARD: "", FAIR_STEP: "    loss.backward()\n" + FAIR_STEP},
    ),
    ("averages-gradients", AVERAGED, {FAIR_BACKWARD: "        (loss / len(paths)).backward()\n"}),
    (
        "averages-gradients",
        AVERAGED,
        {
            FAIR_STEP: "    for parameter in supernet.parameters():\n"
            "        if parameter.grad is not None:\n"
            "            parameter.grad /= len(paths)\n" + FAIR_STEP
        },
    ),
    (
        "steps-twice",
        "optimizer.step() is called twice: one step for all K paths",
        {FAIR_STEP: FAIR_STEP + FAIR_STEP},
    ),
    (
        "keeps-gradients",
        "the step contains gradients from an earlier one: clear them before the first path",
        {FAIR_CLEAR: ""},
    ),
    (
        "keeps-gradients",
        "gradients are cleared after the step, so that those left over from before take part: clear them before the first "
        "path",
        {FAIR_CLEAR: "", FAIR_STEP: FAIR_STEP + FAIR_CLEAR},
    ),
    (
        "never-steps",
        "no weight has moved: backward() computes gradients, optimizer.step() uses them, and zero_grad() between the "
        "two throws them away",
        {FAIR_STEP: ""},
    ),
    (
        "never-steps",
        "no weight has moved: backward() computes gradients, optimizer.step() uses them, and zero_grad() between the "
        "two throws them away",
        {FAIR_CLEAR: "", FAIR_STEP: FAIR_CLEAR + FAIR_STEP},
    ),
    (
        "decays-the-others",
        "a weight that is on no path has moved: a gradient of zeros is still a gradient, and weight decay and momentum "
        "act on it. zero_grad() sets gradients to None by default",
        {"zero_grad()": "zero_grad(set_to_none=False)"},
    ),
    (
        "one-path-only",
        "",
        {FAIR_DRAW: FAIR_DRAW + "    paths = paths[:1]\n"},
    ),
    (
        "same-path-K-times",
        "",
        {FAIR_DRAW: FAIR_DRAW + "    paths = paths[:1] * len(paths)\n"},
    ),
    (
        "uniform-paths",
        "",
        {FAIR_DRAW: FAIR_DRAW + "    paths = [sample_path(choices, rng) for _ in paths]\n"},
    ),
    (
        "one-shuffle-for-all",
        "",
        {FAIR_DRAW: FAIR_DRAW + "    paths = list(zip(*choices))\n    rng.shuffle(paths)\n"},
    ),
    ("not-shuffled", "", {FAIR_DRAW: FAIR_DRAW + "    paths = list(zip(*choices))\n"}),
    (
        "latin-square",
        "",
        {
            FAIR_DRAW: FAIR_DRAW
            + "    k, at = len(paths), int(rng.integers(len(paths)))\n"
            + "    paths = [\n"
            + "        tuple(o[(i + d * at) % k] for d, o in enumerate(choices)) for i in range(k)\n"
            + "    ]\n"
        },
    ),
    (
        "ignores-rng",
        "",
        {FAIR_DRAW: "    fair_paths(choices, rng)\n" + FAIR_DRAW.replace("rng)", "np.random.default_rng())")},
    ),
    (
        "fixed-seed",
        "",
        {
            FAIR_DRAW: "    fair_paths(choices, rng)\n"
            + FAIR_DRAW.replace("rng)", "np.random.default_rng(0))")
        },
    ),
    (
        "first-draw-for-ever",
        "",
        {
            FAIR_DRAW: '    if not hasattr(supernet, "drawn_before"):\n'
            '        object.__setattr__(supernet, "drawn_before", fair_paths(choices, rng))\n'
            "    paths = supernet.drawn_before\n"
            "    fair_paths(choices, rng)\n"
        },
    ),
    (
        "part-of-the-batch",
        "each path gets a part of the batch: all K run on the whole of it, so that no option is trained on other images",
        {
            FAIR_LOSS: "        part = slice(len(losses), None, len(paths))\n"
            "        if not len(batch[1][part]):\n"
            "            part = slice(None)\n"
            "        loss = F.cross_entropy(supernet(batch[0][part], path), batch[1][part])\n"
        },
    ),
    (
        "sum-over-the-batch",
        "each loss is a sum over the batch: take the mean cross-entropy of each path",
        {"batch[1])": 'batch[1], reduction="sum")'},
    ),
    (
        "label-smoothing",
        "the labels are smoothed: take the cross-entropy as it is",
        {"batch[1])": "batch[1], label_smoothing=0.1)"},
    ),
    (
        "softmax-twice",
        "F.cross_entropy takes logits: it computes the softmax itself, and here it is taken twice",
        {"supernet(batch[0], path)": "supernet(batch[0], path).softmax(1)"},
    ),
    ("wrong-sign", "the sign is reversed: the weights go up the loss", {"loss = F": "loss = -F"}),
    (
        "clips-gradients",
        "large gradients are cut short: a step is the optimizer's own business, so leave gradients as they are",
        {FAIR_STEP: "    torch.nn.utils.clip_grad_norm_(supernet.parameters(), 1.0)\n" + FAIR_STEP},
    ),
    (
        "own-step",
        "the weights go down the gradient, but not as the optimizer would move them (momentum, weight decay, another "
        "rule): call optimizer.step()",
        {
            FAIR_STEP: '    lr = optimizer.param_groups[0]["lr"]\n'
            "    with torch.no_grad():\n"
            "        for parameter in supernet.parameters():\n"
            "            if parameter.grad is not None:\n"
            "                parameter -= lr * parameter.grad\n"
        },
    ),
    (
        "smaller-rate",
        "",
        {
            FAIR_STEP: "    for group in optimizer.param_groups:\n"
            '        group["lr"] /= len(paths)\n' + FAIR_STEP
        },
    ),
    (
        "eval-mode",
        "",
        {
            "    losses = []\n": "    losses = []\n    supernet.eval()\n",
            FAIR_STEP: FAIR_STEP + "    supernet.train()\n",
        },
    ),
    (
        "other-loss",
        "the weights move rightly, but the loss returned is the sum over the K paths: return their mean",
        {FAIR_RETURN: "    return sum(losses)"},
    ),
    (
        "other-loss",
        "the weights move rightly, but the loss returned is a single path's, the last one's: return the mean over all K",
        {FAIR_RETURN: "    return losses[-1]"},
    ),
    (
        "other-loss",
        "the weights move rightly, but the loss returned is a single path's, the first one's: return the mean over all K",
        {FAIR_RETURN: "    return losses[0]"},
    ),
    (
        "other-loss",
        "the weights move rightly, but the loss returned is the highest of the K: return their mean",
        {FAIR_RETURN: "    return max(losses)"},
    ),
    (
        "other-loss",
        "the weights move rightly, but the loss returned is the lowest of the K: return their mean",
        {FAIR_RETURN: "    return min(losses)"},
    ),
    (
        "other-loss",
        "the weights move rightly, but the loss returned is the K paths' median: return their mean",
        {FAIR_RETURN: "    return float(np.median(losses))"},
    ),
    (
        "leaves-out-nan",
        "a loss of NaN is left out of the mean: it goes into it, so that nobody takes the step for a sound one",
        {FAIR_RETURN: "    return float(np.mean([one for one in losses if np.isfinite(one)] or losses))"},
    ),
    (
        "overflow",
        "exp overflows or vanishes with large logits: F.cross_entropy takes the logits as they are",
        {
            FAIR_LOSS: "        p = supernet(batch[0], path).exp()\n"
            "        loss = F.nll_loss((p / p.sum(1, keepdim=True)).log(), batch[1])\n"
        },
    ),
    (
        "softmax-forgotten",
        "F.nll_loss takes log-probabilities, and here it gets logits: F.cross_entropy takes these",
        {"F.cross_entropy(": "F.nll_loss("},
    ),
    (
        "many-forward-passes",
        "each path is run twice on the batch: once is enough, and gives the loss before the step as well",
        {FAIR_NOTE: "        losses.append(float(F.cross_entropy(supernet(batch[0], path), batch[1])))\n"},
    ),
    (
        "many-forward-passes",
        "",
        {
            FAIR_RETURN: "    with torch.no_grad():\n"
            "        after = [F.cross_entropy(supernet(batch[0], path), batch[1]) for path in paths]\n"
            "    return float(sum(after) / len(after))"
        },
    ),
    (
        "refuses-nan",
        "a loss that is not finite is no error here: it goes into the step, and comes back",
        {
            FAIR_BACKWARD: "        if not torch.isfinite(loss):\n"
            '            raise ValueError(f"the loss must be finite, got {loss}")\n' + FAIR_BACKWARD
        },
    ),
    (
        "skips-nan",
        "the step is left out where a loss is not finite: it is taken, as everywhere else",
        {
            FAIR_STEP: "    if np.isfinite(losses).all():\n        optimizer.step()\n",
        },
    ),
    ("returns-nothing", "", {FAIR_RETURN: "    sum(losses) / len(losses)"}),
    ("wrong-type", "", {FAIR_RETURN: "    return torch.tensor(losses).mean()"}),
    ("changes-settings", "", {"    return": "    torch.rand(1)\n    return"}),
    ("mutates-input", "", {"    return": "    supernet.eval()\n    return"}),
    ("mutates-input", "", {"    return": '    optimizer.param_groups[0]["lr"] *= 0.99\n    return'}),
    ("mutates-input", "", {"    return": "    supernet.requires_grad_(True)\n    return"}),
    (
        "mutates-input",
        "",
        {"    losses = []\n": "    losses = []\n    batch[0].sub_(batch[0].mean())\n"},
    ),
    (
        "accepts-bad-input",
        "",
        {
            FAIR_DRAW: "    least = min(len(options) for options in choices)\n"
            "    paths = fair_paths([options[:least] for options in choices], rng)\n"
        },
    ),
    (
        "accepts-bad-input",
        "",
        {
            FAIR_LOSS: "        log_p = supernet(batch[0], path).log_softmax(1)\n"
            "        loss = -log_p[torch.arange(len(batch[1])), batch[1]].mean()\n"
        },
    ),
    (
        "steps-on-bad-input",
        "",
        {
            FAIR_STEP: "",
            FAIR_BACKWARD: FAIR_BACKWARD + "        optimizer.step()\n",
            FAIR_LOSS: FAIR_LOSS.replace("batch[1])", "batch[1][: len(batch[0])])"),
        },
    ),
)


@book.wrong("train_fair_step", "moves-then-refuses")
def moves_then_refuses(supernet, batch, optimizer, choices, rng):
    x, y = batch
    paths = [tuple(options[i % len(options)] for options in choices) for i in range(max(map(len, choices)))]
    order = [rng.permutation(len(options)) for options in choices]
    paths = [tuple(o[int(p[i % len(o)])] for o, p in zip(choices, order)) for i in range(len(paths))]
    optimizer.zero_grad()
    losses = [F.cross_entropy(supernet(x, path)[: len(y)], y[: len(x)]) for path in paths]
    sum(losses).backward()
    optimizer.step()
    if len(x) != len(y) or len({len(options) for options in choices}) != 1:
        raise ValueError(f"choices and labels must fit, got {choices!r} and {len(y)} labels")
    return float(sum(losses) / len(losses))


def _fair(choices, rng):
    """Fair paths, as all in this file that are no edits draw them."""
    if len({len(options) for options in choices} | {0}) != 2:
        raise ValueError(f"choices must have equally many options everywhere, got {choices!r}")
    return list(zip(*([options[i] for i in rng.permutation(len(options))] for options in choices)))


@book.right("train_fair_step")
def with_one_backward(supernet, batch, optimizer, choices, rng):
    x, y = batch
    paths = _fair(choices, rng)
    losses = torch.stack([F.cross_entropy(supernet(x, path), y) for path in paths])
    optimizer.zero_grad(set_to_none=True)
    losses.sum().backward()
    optimizer.step()
    return losses.mean().item()


@book.right("train_fair_step")
def with_a_closure_for_all(supernet, batch, optimizer, choices, rng):
    x, y = batch
    paths = _fair(choices, rng)

    def closure():
        optimizer.zero_grad()
        total = sum(F.cross_entropy(supernet(x, path), y) for path in paths)
        total.backward()
        return total

    return float(optimizer.step(closure).detach()) / len(paths)


@book.right("train_fair_step")
def with_columns_of_its_own(supernet, batch, optimizer, choices, rng):
    k = len(choices[0]) if len(choices) else 0
    if k < 1 or any(len(options) != k for options in choices):
        raise ValueError(f"choices must have equally many options everywhere, got {choices!r}")
    if len(batch[0]) != len(batch[1]):
        raise ValueError(f"batch must have as many labels as images, got {len(batch[1])} labels")
    orders = [range(k), *(np.argsort(rng.random(k), kind="stable") for _ in choices[1:])]
    parameters = [p for p in supernet.parameters() if p.requires_grad]
    total, losses = [None] * len(parameters), np.zeros(k)
    for i in range(k):
        path = tuple(options[int(order[i])] for options, order in zip(choices, orders))
        loss = torch.nn.CrossEntropyLoss()(supernet(batch[0], path), batch[1])
        found = torch.autograd.grad(loss, parameters, allow_unused=True)
        total = [b if a is None else a if b is None else a + b for a, b in zip(total, found)]
        losses[i] = loss.item()
    for parameter in supernet.parameters():
        parameter.grad = None
    for parameter, gradient in zip(parameters, total):
        parameter.grad = gradient
    optimizer.step()
    return losses.mean()


@book.right("train_fair_step")
def in_random_order_of_paths(supernet, batch, optimizer, choices, rng):
    paths = _fair(choices, rng)
    rng.shuffle(paths)
    supernet.train()
    optimizer.zero_grad()
    mean = 0.0
    for path in paths:
        loss = F.nll_loss(supernet(batch[0], path).log_softmax(1), batch[1])
        loss.backward()
        mean += loss.detach() / len(paths)
    optimizer.step()
    return float(mean)


# ------------------------------------------------------------------------------------ recalibrate_bn

RESET, PLAIN = "        norm.reset_running_stats()\n", "        norm.momentum = None\n"
TRAIN = "    supernet.train()\n"
EACH = "                supernet(x, path)\n"
BATCH_NORMS = "torch.nn.modules.batchnorm._BatchNorm"
MOMENTA = "        for norm, momentum in zip(norms, momenta):\n            norm.momentum = momentum\n"
MODES = "        for module, mode in modes:\n            module.training = mode\n"
COLLECT = "batch norms collect only in training mode"
EVERY_KIND = (
    "of every kind: nn.modules.batchnorm._BatchNorm is what BatchNorm1d and BatchNorm2d have in common"
)

book.edits(
    "recalibrate_bn",
    (
        "exponential-average",
        "after the reset the average with the norms' own momentum is still near its start: take the plain average "
        "over the batches (momentum = None)",
        {PLAIN: ""},
    ),
    (
        "exponential-average",
        "the average with the norms' own momentum keeps most of the old statistics: reset them and take the plain "
        "average over the batches (momentum = None)",
        {PLAIN: "", RESET: "        pass\n"},
    ),
    (
        "old-statistics-linger",
        "the old statistics take part in the average: reset them first",
        {RESET: ""},
    ),
    (
        "old-statistics-linger",
        "the old statistics take part in the average as if they were one more batch: reset them first",
        {RESET: "        norm.num_batches_tracked.fill_(1)\n"},
    ),
    (
        "nothing-happens",
        f"the statistics were reset, but nothing was collected: {COLLECT}",
        {TRAIN: "    supernet.eval()\n"},
    ),
    (
        "nothing-happens",
        f"the statistics are the old ones: {COLLECT}",
        {TRAIN: "    supernet.eval()\n", RESET: ""},
    ),
    (
        "nothing-happens",
        f"whether statistics are collected depends on the mode that the supernet comes in: {COLLECT}",
        {TRAIN: ""},
    ),
    (
        "nothing-happens",
        f"norms that came in evaluation mode collect nothing: {COLLECT}, and supernet.training alone does not say it",
        {TRAIN: "    if not supernet.training:\n        supernet.train()\n"},
    ),
    (
        "last-batch-only",
        "the statistics are those of the last batch: average over all of them",
        {PLAIN: "        norm.momentum = 1.0\n"},
    ),
    (
        "first-batch-only",
        "the statistics are those of the first batch: average over all of them",
        {"                seen = True\n": "                seen = True\n                break\n"},
    ),
    (
        "skips-batches",
        "only the first four batches are used: average over all of them",
        {
            "in batches:": "in itertools.islice(batches, 4):",
            "    norms =": "    import itertools\n\n    norms =",
        },
    ),
    (
        "skips-batches",
        "only the first ten batches are used: average over all of them",
        {
            "in batches:": "in itertools.islice(batches, 10):",
            "    norms =": "    import itertools\n\n    norms =",
        },
    ),
    (
        "weighted-average",
        "large batches count more here: take the plain average over the batches, each counts once",
        {
            EACH: "                seen += len(x)\n"
            "                for norm in norms:\n"
            "                    norm.momentum = len(x) / seen\n" + EACH,
            "                seen = True\n": "",
        },
    ),
    (
        "all-at-once",
        "all batches were taken as one: average the batches' means and unbiased variances",
        {"for x, _ in batches:": "for x in [torch.cat([x for x, _ in batches])]:"},
    ),
    (
        "one-kind-of-norm",
        f"only BatchNorm2d is looked for, and other norms keep averaging as before: take batch norms {EVERY_KIND}",
        {BATCH_NORMS: "torch.nn.BatchNorm2d"},
    ),
    (
        "one-kind-of-norm",
        f"only BatchNorm1d is looked for, and other norms keep averaging as before: take batch norms {EVERY_KIND}",
        {BATCH_NORMS: "torch.nn.BatchNorm1d"},
    ),
    (
        "one-kind-of-norm",
        f"only BatchNorm1d is looked for, and other norms collect nothing: take batch norms {EVERY_KIND}",
        {
            BATCH_NORMS: "torch.nn.BatchNorm1d",
            TRAIN: "    supernet.eval()\n    for norm in norms:\n        norm.train()\n",
        },
    ),
    (
        "one-kind-of-norm",
        f"only BatchNorm2d is looked for, and other norms collect nothing: take batch norms {EVERY_KIND}",
        {
            BATCH_NORMS: "torch.nn.BatchNorm2d",
            TRAIN: "    supernet.eval()\n    for norm in norms:\n        norm.train()\n",
        },
    ),
    (
        "another-path",
        "the statistics are those of another path: call the supernet with the path that was given",
        {EACH: '                supernet(x, ("o0",) * len(path))\n'},
    ),
    (
        "reads-twice",
        "batches that can be read once are used up before the supernet sees them: go through them once",
        {
            "    supernet.train()\n": "    list(batches)\n    supernet.train()\n",
            "    if not seen:": "    if not seen and isinstance(batches, list):",
        },
    ),
    ("mutates-input", "", {MODES: ""}),
    ("mutates-input", "", {MODES: "        supernet.train(modes[0][1])\n"}),
    ("mutates-input", "", {MODES: "        supernet.eval()\n"}),
    ("mutates-input", "", {MOMENTA: ""}),
    ("mutates-input", "", {"norm.momentum = momentum\n": "norm.momentum = momenta[0]\n"}),
    (
        "mutates-input",
        "",
        {MODES: "", "    if not seen:": f"{MODES.replace('        ', '    ', 1)}    if not seen:"},
    ),
    ("mutates-input", "", {TRAIN: TRAIN + "    supernet.requires_grad_(True)\n"}),
    ("mutates-input", "", {TRAIN: TRAIN + "    supernet.register_forward_hook(lambda *_: None)\n"}),
    (
        "changes-settings",
        "",
        {
            "with torch.no_grad():": "if True:",
            TRAIN: TRAIN + "    torch.set_grad_enabled(False)\n",
            "    finally:\n": "    finally:\n        torch.set_grad_enabled(True)\n",
        },
    ),
    (
        "raises",
        "",
        {
            EACH: '                if len(x) < 2:\n                    raise ValueError("too few images")\n'
            + EACH
        },
    ),
    ("mutates-input", "", {"            norm.momentum = momentum\n": "            norm.momentum = 0.1\n"}),
    ("mutates-input", "", {"    try:\n": "    if True:\n", "    finally:\n": "    if True:\n"}),
    (
        "mutates-input",
        "",
        {
            "with torch.no_grad():": "if True:",
            EACH: EACH.replace("supernet(x, path)", "supernet(x, path).sum().backward()"),
        },
    ),
    ("mutates-input", "", {TRAIN: TRAIN + "    supernet.zero_grad()\n"}),
    (
        "mutates-input",
        "",
        {"with torch.no_grad():": "if True:", TRAIN: TRAIN + "    supernet.requires_grad_(False)\n"},
    ),
    ("changes-settings", "", {TRAIN: TRAIN + "    torch.rand(1)\n"}),
    ("accepts-bad-input", "", {"    if not seen:": "    if False:"}),
    ("accepts-bad-input", "", {"    if not seen:": "    if batches == []:"}),
    ("wrong-type", "", {"    if not seen:": "    if seen:\n        return supernet\n    if not seen:"}),
)


def _norms(net):
    return [module for module in net.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]


def _collected(supernet, path, batches):
    """What each batch norm gets to see in one pass per batch of a copy in training mode, by its name."""
    twin, seen = copy.deepcopy(supernet).train(), {}

    def note(name):
        def hook(module, given):
            x = given[0]
            seen.setdefault(name, []).append(x.transpose(0, 1).flatten(1))

        return hook

    for name, module in twin.named_modules():
        if module in _norms(twin):
            module.register_forward_pre_hook(note(name))
    with torch.no_grad():
        for x, _ in batches:
            twin(x, path)
    if not seen:
        raise ValueError("batches must not be empty")
    return seen


def _average(supernet, path, batches, unbiased):
    modules = dict(supernet.named_modules())
    for name, inputs in _collected(supernet, path, batches).items():
        means, variances = ([x.mean(1) for x in inputs], [x.var(1, unbiased=unbiased) for x in inputs])
        modules[name].running_mean.copy_(torch.stack(means).mean(0))
        modules[name].running_var.copy_(torch.stack(variances).mean(0))


@book.wrong(
    "recalibrate_bn",
    "biased-variance",
    "the means are right, the variances are the batches' biased ones (divided by n): average unbiased variances "
    "(divided by n − 1), as batch norm does",
)
def with_biased_variances(supernet, path, batches):
    _average(supernet, path, batches, unbiased=False)


@book.wrong(
    "recalibrate_bn",
    "first-norm-only",
    "the first batch norm of the path is right, the next is not: all of them collect in the same pass, in training "
    "mode, where each batch is normalised by its own mean and variance",
)
@torch.no_grad()
def layer_by_layer(supernet, path, batches):
    """Each batch norm collects behind others that use their new averages already: other inputs, other statistics."""
    batches = list(batches)
    if not batches:
        raise ValueError("batches must not be empty")
    modes = [(module, module.training) for module in supernet.modules()]
    supernet.eval()
    for norm in _norms(supernet):
        momentum, norm.momentum = norm.momentum, None
        norm.reset_running_stats()
        norm.train()
        try:
            for x, _ in batches:
                supernet(x, path)
        finally:
            norm.eval()
            norm.momentum = momentum
            for module, mode in modes:
                module.training = mode
        supernet.eval()
    for module, mode in modes:
        module.training = mode


@book.right("recalibrate_bn")
def by_hooks(supernet, path, batches):
    _average(supernet, path, batches, unbiased=True)


@book.right("recalibrate_bn")
@torch.no_grad()
def only_the_norms(supernet, path, batches):
    batches, norms = list(batches), _norms(supernet)
    if not batches:
        raise ValueError("batches must not be empty")
    training, old = supernet.training, [(norm.momentum, norm.training) for norm in norms]
    others = [(module, module.training) for module in supernet.modules()]
    try:
        supernet.eval()
        for norm in norms:
            norm.train()
        for count, (x, _) in enumerate(batches, start=1):
            for norm in norms:
                norm.momentum = 1 / count  # the plain average, written as one that forgets ever more slowly
            supernet(x, path)
    finally:
        supernet.train(training)
        for module, mode in others:
            module.training = mode
        for norm, (momentum, _) in zip(norms, old):
            norm.momentum = momentum


@book.right("recalibrate_bn")
@torch.no_grad()
def from_a_copy(supernet, path, batches):
    """What a copy has collected is copied back: nothing else can have changed."""
    twin, count = copy.deepcopy(supernet).train(), 0
    for norm in _norms(twin):
        norm.reset_running_stats()
        norm.momentum = None
    for x, _ in batches:
        twin(x, path)
        count += 1
    if not count:
        raise ValueError("batches must not be empty")
    for mine, collected in zip(supernet.buffers(), twin.buffers()):
        mine.copy_(collected)


# ---------------------------------------------------------------------------------- rank_correlation

TAU = "stats.kendalltau(scores, truth).statistic"
PAIRS = "np.sign(np.subtract.outer(scores, scores)) * np.sign(np.subtract.outer(truth, truth))"
COUNT = "math.ceil(top * len(truth) - 1e-9)"
BEST = "scores, truth = scores[truth >= border], truth[truth >= border]"
BORDER = f"border = np.sort(truth)[-{COUNT}]"
FINITE = "not (np.isfinite(scores).all() and np.isfinite(truth).all())"
RANGE = "if not 0 < top <= 1:"
SHAPES = "scores.ndim != 1 or scores.shape != truth.shape or len(scores) < 2"
ARRAYS = "scores, truth = np.asarray(scores, dtype=float), np.asarray(truth, dtype=float)"
ROUNDS = "the number of the best is rounded {}: keep ⌈top·n⌉, rounded up"
TIES = "architectures that tie with the last of the best are left out: all count"

book.edits(
    "rank_correlation",
    (
        "tau-a",
        "this is tau-a, which divides by all pairs: tau-b leaves tied ones out of its divisor",
        {
            TAU: f"({PAIRS}).sum() / (len(scores) * (len(scores) - 1)) if np.ptp(scores) and np.ptp(truth) else math.nan"
        },
    ),
    (
        "share-of-the-range",
        "`top` is taken as a share of the *range* of truths: it is a share of their number",
        {BORDER: "border = truth.max() - top * np.ptp(truth)"},
    ),
    (
        "counts-equals-once",
        "equal truths are counted once on the way to the border: each architecture counts",
        {BORDER: "border = np.unique(truth)[-math.ceil(top * len(np.unique(truth)) - 1e-9)]"},
    ),
    (
        "takes-near-for-equal",
        "truths a little below the border are kept, too: compare them as they are",
        {BEST: BEST.replace("border", "border - 1e-6")},
    ),
    (
        "rounds-values",
        "numbers that differ by little are taken for equal: float32 has seven digits",
        {ARRAYS: ARRAYS.replace("float)", "np.float32)")},
    ),
    (
        "accepts-bad-input",
        "",
        {
            FINITE: "False",
            "    return float(": f"    if {FINITE}:\n        raise ValueError('not finite')\n    return float(",
        },
    ),
    ("ignores-top", "`top` is not used: this is the correlation over all", {BEST: "pass"}),
    (
        "wrong-sign",
        "the sign is reversed: scores that order as the truth does have +1",
        {f"float({TAU})": f"-float({TAU})"},
    ),
    (
        "absolute",
        "this is the size of the correlation without its sign: scores that order the other way round have −1",
        {f"float({TAU})": f"abs(float({TAU}))"},
    ),
    (
        "ignores-ties",
        "this is tau-a, which counts tied pairs as if they could agree: tau-b divides by the pairs that are not tied",
        {TAU: f"({PAIRS}).sum() / max(1, len(scores) * (len(scores) - 1))"},
    ),
    (
        "gamma-not-tau",
        "this is Goodman and Kruskal's gamma, tau without tied pairs: tau-b divides by √(pairs that differ in score · "
        "pairs that differ in truth), also where the other is tied",
        {TAU: f"({PAIRS}).sum() / np.abs({PAIRS}).sum()"},
    ),
    (
        "tau-c",
        "this is tau-c, made for tables of unequal sides: take tau-b",
        {TAU: 'stats.kendalltau(scores, truth, variant="c").statistic'},
    ),
    (
        "argsort-is-no-rank",
        "this is the correlation of two `argsort`s, which hold positions and no ranks: pass the values",
        {TAU: 'stats.kendalltau(*(one.argsort(kind="stable") for one in (scores, truth))).statistic'},
    ),
    (
        "ranks-without-ties",
        "ranks by a double `argsort` know no ties: pass the values",
        {
            TAU: 'stats.kendalltau(*(one.argsort(kind="stable").argsort() for one in (scores, truth))).statistic'
        },
    ),
    (
        "spearman",
        "this is Spearman's correlation of ranks, not Kendall's of pairs",
        {TAU: "(stats.spearmanr(scores, truth).statistic if len(scores) > 1 else math.nan)"},
    ),
    (
        "pearson",
        "this is Pearson's correlation of values; only their order may count",
        {TAU: "(np.corrcoef(scores, truth)[0, 1] if np.ptp(scores) * np.ptp(truth) else math.nan)"},
    ),
    (
        "p-value",
        "this is the p-value of a test: return the statistic",
        {TAU: "stats.kendalltau(scores, truth).pvalue"},
    ),
    (
        "statistic-and-p",
        "kendalltau gives a statistic and a p-value: return the statistic alone",
        {f"float({TAU})": "tuple(stats.kendalltau(scores, truth))"},
    ),
    (
        "best-by-score",
        "the best are chosen by score: choose them by `truth`, since the question is how well the truly good ones are "
        "told apart",
        {
            "np.sort(truth)": "np.sort(scores)",
            BEST: "scores, truth = scores[scores >= border], truth[scores >= border]",
        },
    ),
    (
        "worst-not-best",
        "this is among the *lowest* of truth: accuracies are maximised",
        {BORDER: f"border = np.sort(truth)[{COUNT} - 1]", BEST: BEST.replace(">=", "<=")},
    ),
    ("rounds-down", ROUNDS.format("down"), {COUNT: "max(1, math.floor(top * len(truth) + 1e-9))"}),
    ("rounds-down", ROUNDS.format("to the nearest"), {COUNT: "max(1, round(top * len(truth)))"}),
    (
        "one-more",
        "one architecture too many is kept: the border is the ⌈top·n⌉-th best",
        {f"-{COUNT}": f"max(0, len(truth) - 1 - {COUNT})"},
    ),
    (
        "quantile",
        "np.quantile puts the border between two truths, and keeps another number than ⌈top·n⌉ where top·n is not "
        "whole",
        {BORDER: "border = np.quantile(truth, 1 - top)"},
    ),
    (
        "drops-ties",
        TIES,
        {
            BORDER: f'kept = np.argsort(-truth, kind="stable")[: {COUNT}]',
            BEST: "scores, truth = scores[kept], truth[kept]",
        },
    ),
    (
        "drops-ties",
        TIES,
        {
            BORDER: f'kept = np.argsort(truth, kind="stable")[::-1][: {COUNT}]',
            BEST: "scores, truth = scores[kept], truth[kept]",
        },
    ),
    (
        "drops-ties",
        "the last of the best is left out, with all that tie with it: it counts",
        {BEST: BEST.replace(">=", ">")},
    ),
    (
        "not-nan",
        "where there is no order to agree with, the result is NaN, not 0",
        {f"float({TAU})": f"float(np.nan_to_num({TAU}))"},
    ),
    (
        "top-of-one",
        "a `top` of 1 keeps all, not one: it is a fraction, also as a whole number",
        {COUNT: "(top if isinstance(top, int) else math.ceil(top * len(truth) - 1e-9))"},
    ),
    ("arrays-only", "", {ARRAYS: "", BORDER: f"scores = scores + 0\n        {BORDER}"}),
    ("mutates-input", "", {"np.sort(truth)[-": "(truth.sort() or truth)[-"}),
    ("accepts-bad-input", "", {FINITE: "False"}),
    ("accepts-bad-input", "", {FINITE: "np.isnan(scores).any() or np.isnan(truth).any()"}),
    ("accepts-bad-input", "", {FINITE: "not np.isfinite(scores).all()"}),
    ("accepts-bad-input", "", {RANGE: "if not 0 < top:"}),
    ("accepts-bad-input", "", {RANGE: "if top > 1:"}),
    ("accepts-bad-input", "", {RANGE: "if top <= 0 or top > 1:"}),
    (
        "accepts-bad-input",
        "",
        {
            SHAPES: "scores.ndim != 1 or len(scores) < 2",
            ARRAYS: ARRAYS + "\n    scores, truth = scores[: len(truth)], truth[: len(scores)]",
        },
    ),
    ("accepts-bad-input", "", {" or len(scores) < 2": ""}),
    ("accepts-bad-input", "", {"scores.ndim != 1 or ": ""}),
)


def _pairs(scores, truth, top):
    scores, truth = np.asarray(scores, float), np.asarray(truth, float)
    if scores.ndim != 1 or scores.shape != truth.shape or len(scores) < 2:
        raise ValueError(f"scores and truth must be pairs, got {scores} and {truth}")
    if not np.isfinite([scores, truth]).all() or (top is not None and not 0 < top <= 1):
        raise ValueError(f"values must be finite and top be above 0 and up to 1, got {top}")
    return scores, truth, 1.0 if top is None else top


@book.right("rank_correlation")
def tau_by_signs(scores, truth, top=None):
    scores, truth, top = _pairs(scores, truth, top)
    kept = np.sort(truth)[::-1][: math.ceil(round(top * len(truth), 9))]
    best = [i for i in range(len(truth)) if truth[i] >= kept[-1]]
    a, b = scores[best], truth[best]
    da, db = np.sign(a[:, None] - a), np.sign(b[:, None] - b)
    with np.errstate(invalid="ignore"):
        return (da * db).sum() / np.sqrt((da**2).sum() * (db**2).sum())


@book.right("rank_correlation")
def tau_by_counting(scores, truth, top=None):
    scores, truth, top = _pairs(scores, truth, top)
    better = [(truth > value).sum() for value in truth]  # fewer than ⌈top·n⌉ are better
    kept = [i for i, count in enumerate(better) if count < math.ceil(top * len(truth))]
    agree = left = right = 0
    for i, j in itertools.combinations(kept, 2):
        a, b = np.sign(scores[i] - scores[j]), np.sign(truth[i] - truth[j])
        agree, left, right = agree + a * b, left + a * a, right + b * b
    return float(agree / (left * right) ** 0.5) if left and right else math.nan


@book.right("rank_correlation")
def tau_of_ranks(scores, truth, top=None):
    scores, truth, top = _pairs(scores, truth, top)
    kept = stats.rankdata(-truth, method="min") <= math.ceil(top * len(truth))
    return stats.kendalltau(stats.rankdata(scores[kept]), stats.rankdata(truth[kept]))[0]


@book.right("rank_correlation")
def tau_in_float32(scores, truth, top=None):
    scores, truth, top = _pairs(scores, truth, top)
    order = sorted(range(len(truth)), key=lambda i: -truth[i])
    border = truth[order[math.ceil(top * len(truth)) - 1]]
    pairs = [(a, b) for a, b in zip(scores, truth) if b >= border]
    return np.float32(stats.kendalltau(*zip(*pairs)).statistic)


# --------------------------------------------------------------------------- evolve_under_constraint

FIRST = "fitting() if i < population"
TRIES = "for _ in range(50):"
FITS = "if cost(mutant) <= limit:"
FALLBACK = "return mutant\n        return fitting()"
KINDS = "budget < 1 or population < 1 or not math.isfinite(limit)"
BEST_SO_FAR = 'np.argsort(-np.array(values), kind="stable")[:5]'
CHILD = "rng.permutation(len(space))"

book.edits(
    "evolve_under_constraint",
    (
        "above-the-limit",
        "",
        {FITS: "if True:"},
    ),
    ("above-the-limit", "", {FIRST: "space.sample(rng) if i < population"}),
    ("above-the-limit", "", {FALLBACK: "return mutant\n        return mutant"}),
    ("no-selection", "", {FITS: "if cost(mutant) < limit:"}),
    (
        "parents-of-the-first-population",
        "",
        {BEST_SO_FAR: 'np.argsort(-np.array(values[:population]), kind="stable")[:1]'},
    ),
    (
        "no-random-draw",
        "",
        {
            f"for index in {CHILD}:": "start = int(rng.permutation(len(space))[0])\n"
            "        for index in np.roll(np.arange(len(space)), -start):"
        },
    ),
    ("strict-limit", "", {"if cost(arch) <= limit:": "if cost(arch) < limit:"}),
    (
        "gives-up",
        "",
        {
            f"for index in {CHILD}:": "for index in rng.integers(len(space), size=100):",
        },
    ),
    ("endless", "", {TRIES: "while True:"}),
    ("random-not-children", "", {TRIES: "for _ in range(1):"}),
    ("random-not-children", "", {TRIES: "for _ in range(4):"}),
    ("random-not-children", "", {FIRST: "fitting() if i < population or i % 5 == 0"}),
    ("random-not-children", "", {FIRST: "fitting() if i < population or rng.random() < 0.1"}),
    ("uneven-draws", "", {CHILD: "rng.permutation(len(space) - 1)"}),
    ("uneven-draws", "", {FIRST: "min(fitting(), fitting(), key=cost) if i < population"}),
    ("no-selection", "", {BEST_SO_FAR: "np.arange(len(values))"}),
    ("no-selection", "", {FIRST: "fitting() if True"}),
    ("minimum", "", {BEST_SO_FAR: 'np.argsort(np.array(values), kind="stable")[:5]'}),
    ("over-budget", "", {"range(budget)": "range(budget + 1)"}),
    ("over-budget", "", {"range(budget)": "range(budget + population)"}),
    (
        "over-budget",
        "",
        {"    archs, values = [], []": "    evaluate(fitting())\n    archs, values = [], []"},
    ),
    (
        "fixed-seed",
        "",
        {"    archs, values = [], []": "    rng = np.random.default_rng(0)\n    archs, values = [], []"},
    ),
    ("ignores-rng", "", {"rng.permutation": "np.random.permutation"}),
    (
        "no-variety",
        "",
        {FIRST: "min(map(space.from_index, range(len(space))), key=cost) if i < population"},
    ),
    ("no-variety", "", {FIRST: "(fitting() if i == 0 else archs[0]) if i < population"}),
    ("no-random-draw", "", {FALLBACK: "return mutant\n        return best[0]"}),
    ("no-random-draw", "", {FALLBACK: "return mutant\n        return best[int(rng.integers(len(best)))]"}),
    (
        "no-random-draw",
        "",
        {
            FALLBACK: "return mutant\n"
            "        return next(a for a in map(space.from_index, range(len(space))) if cost(a) <= limit)"
        },
    ),
    (
        "no-random-draw",
        "",
        {FALLBACK: "return mutant\n        return min(map(space.from_index, range(len(space))), key=cost)"},
    ),
    (
        "repeats-the-parent",
        "",
        {"mutant = space.mutate(best[int(rng.integers(len(best)))], rng)": "mutant = best[0]"},
    ),
    ("ignores-population", "", {FIRST: "fitting() if i < 10"}),
    ("ignores-population", "", {FIRST: "fitting() if i <= population"}),
    ("ignores-population", "", {FIRST: "fitting() if i < max(2, population)"}),
    ("ignores-population", "", {FIRST: "fitting() if i < max(1, population - 1)"}),
    ("wrong-order", "", {"History(archs, np.array(values))": "History(archs[::-1], np.array(values)[::-1])"}),
    (
        "incumbents-not-values",
        "",
        {"np.array(values))\n": "np.maximum.accumulate(values))\n"},
    ),
    (
        "not-an-arch",
        "",
        {"archs.append(": "archs.append(np.array(", "for k in best]))": "for k in best])).tolist())"},
    ),
    ("accepts-bad-input", "", {KINDS: "population < 1 or not math.isfinite(limit)"}),
    ("accepts-bad-input", "", {KINDS: "budget < 1 or not math.isfinite(limit)"}),
    ("accepts-bad-input", "", {KINDS: "budget < 1 or population < 1"}),
    ("accepts-bad-input", "", {KINDS: "budget < 1 or population < 1 or math.isnan(limit)"}),
    (
        "accepts-bad-input",
        "",
        {
            f"for index in {CHILD}:": "while True:",
            "arch = space.from_index(int(index))": "arch = space.sample(rng)",
        },
    ),
    (
        "above-the-limit",
        "",
        {
            "if cost(arch) <= limit:": "if cost(arch) <= (limit or math.inf):",
            "if cost(mutant) <= limit:": "if cost(mutant) <= (limit or math.inf):",
        },
    ),
)


def _in_range(limit, budget, population):
    if budget < 1 or population < 1 or not math.isfinite(limit):
        raise ValueError(f"out of range: {limit}, {budget}, {population}")


def _all_within(space, cost, limit):
    found = [arch for arch in map(space.from_index, range(len(space))) if cost(arch) <= limit]
    if not found:
        raise ValueError(f"limit must admit something, got {limit}")
    return found


@book.wrong("evolve_under_constraint", "above-the-limit")
def filtered_afterwards(evaluate, cost, limit, space, budget, population, rng):
    _in_range(limit, budget, population)
    _all_within(space, cost, limit)
    archs, values = [], []
    while len(archs) < budget:
        arch = space.sample(rng)
        value = evaluate(arch)
        if cost(arch) <= limit:
            archs.append(arch)
            values.append(value)
    return History(archs, np.array(values))


@book.right("evolve_under_constraint")
def by_generations(evaluate, cost, limit, space, budget, population, rng):
    """Crossing, half of the time with a mutation; all architectures within the limit are listed first."""
    _in_range(limit, budget, population)
    within = _all_within(space, cost, limit)
    generation = [within[i] for i in rng.integers(len(within), size=population)]
    told = []
    while len(told) < budget:
        for arch in generation[: budget - len(told)]:
            told.append((evaluate(arch), len(told), arch))
        ranked = sorted(told, key=lambda one: (-one[0], one[1]))
        parents = [arch for _, _, arch in ranked[: max(2, population // 3)]]
        generation = []
        while len(generation) < population:
            for _ in range(20):
                pair = [parents[int(rng.integers(len(parents)))] for _ in range(2)]
                child = tuple(options[int(rng.random() < 0.5)] for options in zip(*pair))
                if child in pair or rng.random() < 0.5:
                    child = space.mutate(child, rng)
                if child not in pair and cost(child) <= limit:
                    break
            else:
                child = within[int(rng.integers(len(within)))]
            generation.append(child)
    told.sort(key=lambda one: one[1])
    return History([arch for _, _, arch in told], [value for value, _, _ in told])


@book.right("evolve_under_constraint")
def by_tournaments(evaluate, cost, limit, space, budget, population, rng):
    """Aging evolution with rejection; random architectures are drawn by `space.sample` as long as that finds some."""
    _in_range(limit, budget, population)

    def draw():
        for _ in range(200):
            arch = space.sample(rng)
            if cost(arch) <= limit:
                return arch
        within = _all_within(space, cost, limit)
        return within[int(rng.integers(len(within)))]

    archs, values, members = [], [], []
    for _ in range(budget):
        arch = None
        if len(members) >= population:
            several = rng.choice(len(members), size=min(4, population), replace=False)
            parent = members[max(several, key=lambda i: members[i][0])][1]
            for _ in range(30):
                mutant = space.mutate(parent, rng)
                if cost(mutant) <= limit:
                    arch = mutant
                    break
        arch = draw() if arch is None else arch
        archs.append(arch)
        values.append(evaluate(arch))
        members = [*members, (values[-1], arch)][-population:]
    return History(archs, np.array(values))


@book.right("evolve_under_constraint")
def among_listed_neighbours(evaluate, cost, limit, space, budget, population, rng):
    """A mutation of its own: any affordable architecture that differs in one or two decisions."""
    _in_range(limit, budget, population)
    within = _all_within(space, cost, limit)
    table = np.array(within, dtype=object)
    archs, values = [], []
    while len(archs) < budget:
        near = within
        if len(archs) >= population:
            parent = archs[int(rng.choice(np.argsort(values)[-3:]))]
            differ = (table != np.array(parent, dtype=object)).sum(1)
            near = [within[i] for i in np.flatnonzero((differ == 1) | (differ == 2))] or within
        archs.append(near[int(rng.integers(len(near)))])
        values.append(evaluate(archs[-1]))
    return History(archs, np.array(values))


# ----------------------------------------------------------------------------- enas_controller_step

REINFORCED = "    loss = -((rewards - baseline) * log_probs).mean() - entropy_weight * entropies.mean()\n"
REWARDED = "    rewards = torch.as_tensor(score(actions), dtype=log_probs.dtype).detach()\n"
DRAWN = "    actions, log_probs, entropies = controller.sample(n, generator)\n"
CLEARED, BACK = "    optimizer.zero_grad()\n", "    loss.backward()\n"
STEPPED, MEAN = "    optimizer.step()\n", "    mean = rewards.mean().item()\n"
RETURNED = "    return mean, decay * baseline + (1 - decay) * mean"
NEW = "(decay * baseline + (1 - decay) * rewards.mean())"
NEW_ONE = "the new baseline is subtracted, which the rewards themselves are part of: this step takes the one that came in"

book.edits(
    "enas_controller_step",
    ("new-baseline", NEW_ONE, {"(rewards - baseline)": f"(rewards - {NEW})"}),
    (
        "mean-as-baseline",
        "the mean of this batch is subtracted instead of the baseline that came in",
        {"(rewards - baseline)": "(rewards - rewards.mean())"},
    ),
    (
        "no-baseline",
        "the baseline is not subtracted: the loss has (R − b)·log p",
        {"(rewards - baseline)": "rewards"},
    ),
    (
        "normalises",
        "the advantages are divided by their standard deviation: take R − b as it is",
        {"((rewards - baseline) * log": "((rewards - baseline) / (rewards.std(correction=0) + 1e-8) * log"},
    ),
    (
        "normalises",
        "the advantages are divided by their standard deviation: take R − b as it is",
        {
            "((rewards - baseline) * log": "((rewards - baseline) / (rewards.std() + 1e-8 if n > 1 else 1) * log"
        },
    ),
    (
        "clips-advantages",
        "large advantages are cut short: take R − b as it is",
        {"((rewards - baseline) * log": "((rewards - baseline).clamp(-100, 100) * log"},
    ),
    (
        "positive-advantages-only",
        "rewards below the baseline are left out: they make their architectures less likely",
        {"((rewards - baseline) * log": "((rewards - baseline).clamp(min=0) * log"},
    ),
    (
        "absolute-advantages",
        "R − b has lost its sign: rewards below the baseline make their architectures *less* likely",
        {"((rewards - baseline) * log": "((rewards - baseline).abs() * log"},
    ),
    (
        "wrong-sign",
        "the sign of the whole loss is reversed: the step leads away from what is rewarded, and from entropy",
        {"loss = -(": "loss = (", "- entropy_weight": "+ entropy_weight"},
    ),
    (
        "sum-not-mean",
        "both terms are sums over the samples: take means",
        {"* log_probs).mean()": "* log_probs).sum()", "entropies.mean()": "entropies.sum()"},
    ),
    (
        "by-decision",
        "the entropy is divided by the number of decisions: take it as it comes, an architecture's",
        {"entropies.mean()": "entropies.mean() / actions.shape[1]"},
    ),
    (
        "by-decision",
        "log p is divided by the number of decisions: take it as it comes, an architecture's",
        {"* log_probs).mean()": "* log_probs / actions.shape[1]).mean()"},
    ),
    (
        "bits-not-nats",
        "the entropy is in bits: entropy_weight is what a *nat* is worth",
        {"entropies.mean()": "entropies.mean() / math.log(2)"},
    ),
    (
        "log-p-for-entropy",
        "−log p of what was drawn stands for the entropy: it has another gradient",
        {"entropies.mean()": "-log_probs.mean()"},
    ),
    (
        "no-gradient-of-log-p",
        "no gradient arrives from the first term: it is the rewards that are numbers, not log p",
        {"* log_probs).mean()": "* log_probs.detach()).mean()"},
    ),
    (
        "fractions",
        "the rewards are divided by 100: take them as they are",
        {".detach()\n": ".detach() / 100\n"},
    ),
    (
        "whole-numbers",
        "the rewards are cut to whole numbers: take them as they are",
        {".detach()\n": ".detach().trunc()\n"},
    ),
    (
        "own-generator",
        "the architectures come from another generator: all randomness is in the `generator` passed in",
        {"controller.sample(n, generator)": "controller.sample(n, torch.Generator().manual_seed(0))"},
    ),
    (
        "clips-advantages",
        "large advantages are cut short: take R − b as it is",
        {"((rewards - baseline) * log": "((rewards - baseline).clamp(-1, 1) * log"},
    ),
    (
        "wrong-sign",
        "the sign of the first term is reversed: what is rewarded becomes less likely",
        {"loss = -(": "loss = ("},
    ),
    (
        "entropy-sign",
        "the entropy has the wrong sign: a bonus is subtracted from a loss that is minimised",
        {"- entropy_weight": "+ entropy_weight"},
    ),
    (
        "no-entropy",
        "the entropy term is missing: − entropy_weight·mean(H)",
        {" - entropy_weight * entropies.mean()": ""},
    ),
    (
        "sum-not-mean",
        "the first term is a sum over the samples: take the mean",
        {"* log_probs).mean()": "* log_probs).sum()"},
    ),
    (
        "sum-not-mean",
        "the entropies are added up over the samples: take their mean",
        {"entropies.mean()": "entropies.sum()"},
    ),
    (
        "probabilities",
        "the rewards weigh probabilities, not their logarithms",
        {"* log_probs)": "* log_probs.exp())"},
    ),
    (
        "trains-the-shared-weights",
        "a gradient arrives at the weights that the rewards come from: rewards are numbers here, so detach them",
        {".detach()\n": "\n"},
    ),
    (
        "keeps-gradients",
        "the step contains gradients from an earlier one: clear them before backward()",
        {CLEARED: ""},
    ),
    (
        "keeps-gradients",
        "gradients are cleared after the step, so that those left over from before take part: clear them before "
        "backward()",
        {CLEARED: "", STEPPED: STEPPED + CLEARED},
    ),
    (
        "never-steps",
        "the controller has not moved: backward() computes gradients, optimizer.step() uses them, and zero_grad() "
        "between the two throws them away",
        {STEPPED: ""},
    ),
    (
        "never-steps",
        "the controller has not moved: backward() computes gradients, optimizer.step() uses them, and zero_grad() "
        "between the two throws them away",
        {CLEARED: "", STEPPED: CLEARED + STEPPED},
    ),
    ("steps-twice", "optimizer.step() is called twice: one step a call", {STEPPED: STEPPED + STEPPED}),
    (
        "decays-the-others",
        "a weight that has no part in the samples has moved: a gradient of zeros is still a gradient, and weight decay "
        "and momentum act on it. zero_grad() sets gradients to None by default",
        {"zero_grad()": "zero_grad(set_to_none=False)"},
    ),
    (
        "one-at-a-time",
        "each architecture is scored by a call of its own: score all n in one call",
        {
            "torch.as_tensor(score(actions)": "torch.as_tensor([float(score(one[None])[0]) for one in actions]",
        },
    ),
    (
        "scores-twice",
        "score is called twice: it costs forward passes, so keep what it gave",
        {MEAN: "    mean = torch.as_tensor(score(actions), dtype=log_probs.dtype).mean().item()\n"},
    ),
    (
        "samples-again",
        "",
        {REWARDED: REWARDED + DRAWN},
    ),
    (
        "scores-others",
        "",
        {REWARDED: REWARDED.replace("score(actions)", "score(controller.sample(n, generator)[0])")},
    ),
    (
        "one-sample",
        "",
        {
            DRAWN: DRAWN.replace("sample(n,", "sample(1,"),
            "rewards.shape != (n,)": "rewards.shape != (1,)",
        },
    ),
    (
        "sum-of-rewards",
        "the controller moves rightly, but the sum of the rewards came back instead of their mean",
        {RETURNED: "    return mean * n, decay * baseline + (1 - decay) * mean"},
    ),
    (
        "best-reward",
        "the controller moves rightly, but the highest reward came back instead of the mean",
        {MEAN: MEAN + "    best = rewards.max().item()\n", "return mean,": "return best,"},
    ),
    (
        "old-baseline",
        "the controller moves rightly, but the baseline came back as it was: the mean reward moves it",
        {"decay * baseline + (1 - decay) * mean": "baseline"},
    ),
    (
        "other-baseline",
        "the controller moves rightly, but the new baseline is the mean of this batch alone: `decay` of the old one stays",
        {"decay * baseline + (1 - decay) * mean": "mean"},
    ),
    (
        "other-baseline",
        "the controller moves rightly, but the mean reward counts fully in the new baseline: 1 − decay of it does",
        {"(1 - decay) * mean": "mean"},
    ),
    (
        "other-baseline",
        "the controller moves rightly, but the highest reward moves the baseline: take the mean of all",
        {"(1 - decay) * mean": "(1 - decay) * rewards.max().item()"},
    ),
    (
        "other-baseline",
        "the controller moves rightly, but a new baseline below 0 is replaced by 0: it is a number as any other",
        {RETURNED: "    return mean, max(0.0, decay * baseline + (1 - decay) * mean)"},
    ),
    (
        "loss-not-reward",
        "the controller moves rightly, but the loss came back instead of the mean reward",
        {RETURNED: "    return loss.item(), decay * baseline + (1 - decay) * mean"},
    ),
    (
        "advantage-not-reward",
        "the controller moves rightly, but the baseline is subtracted from the mean reward returned",
        {RETURNED: "    return mean - baseline, decay * baseline + (1 - decay) * mean"},
    ),
    (
        "decay-the-wrong-way",
        "the controller moves rightly, but decay and 1 − decay are exchanged: decay is the share of the old baseline",
        {"decay * baseline + (1 - decay) * mean": "(1 - decay) * baseline + decay * mean"},
    ),
    (
        "other-baseline",
        "the controller moves rightly, but the last reward alone moves the baseline: take the mean of all",
        {"(1 - decay) * mean": "(1 - decay) * rewards[-1].item()"},
    ),
    (
        "other-baseline",
        "the controller moves rightly, but a baseline of 0 is taken for none and replaced by the mean: it is a number as "
        "any other",
        {"decay * baseline": "decay * (baseline or mean)"},
    ),
    (
        "swapped",
        "the two numbers are exchanged: the mean reward comes first, then the new baseline",
        {RETURNED: "    return decay * baseline + (1 - decay) * mean, mean"},
    ),
    (
        "updates-one-by-one",
        "the baseline moves with each reward in turn: it moves once, by their mean",
        {
            RETURNED: "    for reward in rewards.tolist():\n"
            "        baseline = decay * baseline + (1 - decay) * reward\n"
            "    return mean, baseline"
        },
    ),
    (
        "clips-gradients",
        "large gradients are cut short: a step is the optimizer's own business, so leave gradients as they are",
        {STEPPED: "    torch.nn.utils.clip_grad_norm_(controller.parameters(), 0.1)\n" + STEPPED},
    ),
    (
        "clips-gradients",
        "large gradients are cut short: a step is the optimizer's own business, so leave gradients as they are",
        {STEPPED: "    torch.nn.utils.clip_grad_norm_(controller.parameters(), 1.0)\n" + STEPPED},
    ),
    (
        "refuses-rewards-below-0",
        "",
        {"not torch.isfinite(rewards).all()": "not (torch.isfinite(rewards) & (rewards >= 0)).all()"},
    ),
    (
        "own-step",
        "the weights go down the gradient, but not as the optimizer would move them (momentum, weight decay, another "
        "rule): call optimizer.step()",
        {
            STEPPED: '    lr = optimizer.param_groups[0]["lr"]\n'
            "    with torch.no_grad():\n"
            "        for parameter in controller.parameters():\n"
            "            if parameter.grad is not None:\n"
            "                parameter -= lr * parameter.grad\n"
        },
    ),
    (
        "tensors-only",
        "",
        {REWARDED: "    rewards = score(actions).to(log_probs.dtype).detach()\n"},
    ),
    ("returns-nothing", "", {RETURNED: "    mean, decay * baseline + (1 - decay) * mean"}),
    ("returns-one", "", {RETURNED: "    return mean"}),
    ("wrong-type", "", {".mean().item()": ".mean()"}),
    ("changes-settings", "", {"    return": "    torch.manual_seed(0)\n    return"}),
    ("mutates-input", "", {DRAWN: "    controller.train()\n" + DRAWN}),
    ("mutates-input", "", {"    return": '    optimizer.param_groups[0]["lr"] *= 0.99\n    return'}),
    ("mutates-input", "", {"    return": "    controller.requires_grad_(False)\n    return"}),
    (
        "accepts-bad-input",
        "",
        {
            "    if rewards.shape != (n,) or not torch.isfinite(rewards).all():": "    if rewards.shape != (n,):"
        },
    ),
    (
        "accepts-bad-input",
        "",
        {" or not torch.isfinite(rewards).all()": " or torch.isnan(rewards).any()"},
    ),
    ("accepts-bad-input", "", {"rewards.shape != (n,) or not": "not"}),
    ("accepts-bad-input", "", {"rewards.shape != (n,)": "rewards.numel() != n"}),
    ("accepts-bad-input", "", {"0 <= decay <= 1 and ": ""}),
    ("accepts-bad-input", "", {"math.isfinite(baseline) and ": ""}),
    ("accepts-bad-input", "", {" and math.isfinite(entropy_weight)": ""}),
    (
        "clears-then-refuses",
        "",
        {CLEARED: "", DRAWN: CLEARED + DRAWN},
    ),
    (
        "steps-then-refuses",
        "",
        {
            "    if rewards.shape != (n,) or not": "    bad = rewards.shape != (n,) or not",
            ".all():\n": ".all()\n",
            '        raise ValueError(f"score must give {n} finite rewards, got {rewards.tolist()}")\n': "",
            STEPPED: STEPPED
            + '    if bad:\n        raise ValueError(f"score must give {n} finite rewards, got {rewards.tolist()}")\n',
        },
    ),
    (
        "wrong-error",
        "",
        {'        raise ValueError(f"score': '        raise TypeError(f"score'},
    ),
    (
        "zero-is-none",
        "",
        {"entropy_weight * entropies.mean()": "(entropy_weight or 0.01) * entropies.mean()"},
    ),
    (
        "wrong-entropy-term",
        "",
        {"- entropy_weight * entropies.mean()": "- abs(entropy_weight) * entropies.mean()"},
    ),
    (
        "zero-is-none",
        "",
        {"decay * baseline + (1 - decay) * mean": "(decay or 0.9) * baseline + (1 - (decay or 0.9)) * mean"},
    ),
)


@book.right("enas_controller_step")
def with_a_closure_for_the_controller(
    controller, score, optimizer, baseline, decay, n, entropy_weight, generator
):
    if not 0 <= decay <= 1 or not np.isfinite([baseline, entropy_weight]).all():
        raise ValueError(f"decay must be from 0 to 1, got {decay}, or another number is not finite")
    actions, log_probs, entropies = controller.sample(n, generator)
    with torch.no_grad():
        scores = score(actions)
    scores = (
        scores.detach().double().numpy()
        if isinstance(scores, torch.Tensor)
        else np.asarray(scores, dtype=float)
    )
    if scores.shape != (n,) or not np.isfinite(scores).all():
        raise ValueError(f"score must give {n} finite numbers, got {scores}")

    def closure():
        optimizer.zero_grad()
        advantages = torch.from_numpy(scores - baseline)
        loss = -torch.dot(advantages, log_probs.double()) / n - entropy_weight * entropies.sum() / n
        loss.backward()
        return loss

    optimizer.step(closure)
    return float(scores.mean()), float(baseline + (1 - decay) * (scores.mean() - baseline))


@book.right("enas_controller_step")
def by_log_prob_of_the_actions(controller, score, optimizer, baseline, decay, n, entropy_weight, generator):
    for name, value in (("baseline", baseline), ("decay", decay), ("entropy_weight", entropy_weight)):
        if not math.isfinite(value) or (name == "decay" and not 0 <= value <= 1):
            raise ValueError(f"{name} is out of range, got {value}")
    actions, _, entropies = controller.sample(n, generator)
    rewards = score(actions.clone())
    rewards = rewards.tolist() if hasattr(rewards, "tolist") else rewards
    if np.shape(rewards) != (n,) or not all(math.isfinite(one) for one in rewards):
        raise ValueError(f"score must give {n} finite numbers, got {rewards}")
    advantages = torch.tensor([one - baseline for one in rewards], dtype=entropies.dtype)
    optimizer.zero_grad(set_to_none=True)
    bonus = entropy_weight * entropies.mean()
    (-(advantages * controller.log_prob(actions)).mean() - bonus).backward()
    optimizer.step()
    mean = sum(rewards) / n
    return mean, decay * baseline + (1 - decay) * mean


@book.right("enas_controller_step")
def in_two_backward_passes(controller, score, optimizer, baseline, decay, n, entropy_weight, generator):
    numbers = torch.tensor([float(baseline), float(decay), float(entropy_weight)])
    if not torch.isfinite(numbers).all() or decay < 0 or decay > 1:
        raise ValueError(f"baseline, decay and entropy_weight are out of range: {numbers.tolist()}")
    actions, log_probs, entropies = controller.sample(n, generator)
    rewards = torch.as_tensor(score(actions)).detach().to(torch.float64)
    if tuple(rewards.shape) != (n,) or not bool(torch.isfinite(rewards).all()):
        raise ValueError(f"score must give {n} finite rewards, got {rewards}")
    for parameter in controller.parameters():
        parameter.grad = None
    ((baseline - rewards) * log_probs).mean().backward(retain_graph=True)
    (-entropy_weight * entropies.mean()).backward()
    optimizer.step()
    new = torch.lerp(rewards.mean(), torch.tensor(float(baseline), dtype=torch.float64), float(decay))
    return np.float64(rewards.mean()), np.float64(new)


# -------------------------------------------------------------------------------------- slice_kernel

CUT = "weight[:, :, margin : k - margin, margin : k - margin]"
TIMES = "(centre.flatten(2) @ transform)"
SIZE = "not 1 <= size <= k or (k - size) % 2"
CENTRE = "the centre of the kernel is what a smaller one shares, so that it looks at the same place"
ARRIVES = (
    "no gradient arrives at `{}`: small kernels train the weights of large ones, so cut out of the tensor itself, "
    "without .data, .detach() or numpy"
)

book.edits(
    "slice_kernel",
    (
        "resized",
        "the kernel is resized as an image is: its centre is cut out, number by number",
        {CUT: 'F.interpolate(weight, size=(size, size), mode="nearest")'},
    ),
    (
        "resized",
        "the kernel is averaged to the smaller size: its centre is cut out, number by number",
        {CUT: "F.adaptive_avg_pool2d(weight, size)"},
    ),
    (
        "every-other",
        "every other row and column is taken: the centre is one block of neighbours",
        {CUT: "weight[:, :, :: max(1, k // size), :: max(1, k // size)][:, :, :size, :size]"},
    ),
    (
        "diagonal-only",
        "each number is multiplied with one of the matrix: the flattened kernel is multiplied with the matrix as a whole",
        {TIMES: "(centre.flatten(2) * transform.diagonal())"},
    ),
    (
        "by-columns",
        "kernels are flattened column by column: a row of the kernel comes after the other, as flatten() does it",
        {
            f"return {TIMES}.unflatten(2, (size, size))": "turned = centre.transpose(2, 3).flatten(2) @ transform\n"
            "    return turned.unflatten(2, (size, size)).transpose(2, 3)"
        },
    ),
    (
        "ignores-the-transform",
        "`transform` is not used: this is the bare centre",
        {"return centre\n": "return centre\n    return centre\n"},
    ),
    (
        "ignores-the-transform",
        "where the size stays the same `transform` is not used: it multiplies there, too",
        {"if transform is None:": "if transform is None or size == k:"},
    ),
    ("corner", f"this is the upper left corner: {CENTRE}", {CUT: "weight[:, :, :size, :size]"}),
    ("corner", f"this is the lower right corner: {CENTRE}", {CUT: "weight[:, :, k - size :, k - size :]"}),
    (
        "empty-cut",
        "with margin 0 the slice [margin:-margin] is empty, so end at k - margin",
        {CUT: "weight[:, :, margin:-margin, margin:-margin]"},
    ),
    (
        "off-by-one",
        "this begins one row and column too far: the centre begins at (k − size) // 2",
        {CUT: "weight.roll((-1, -1), (2, 3))[:, :, margin : k - margin, margin : k - margin]"},
    ),
    (
        "off-by-one",
        "this begins one row and column too early: the centre begins at (k − size) // 2",
        {
            "(k - size) // 2": "max(0, (k - size) // 2 - 1)",
            CUT: "weight[:, :, margin : margin + size, margin : margin + size]",
        },
    ),
    (
        "rows-only",
        "only rows are cut: a kernel has rows and columns",
        {CUT: "weight[:, :, margin : k - margin]"},
    ),
    ("swapped", "rows and columns of the kernels are swapped", {CUT: f"{CUT}.transpose(2, 3)"}),
    (
        "swapped",
        "rows and columns of the kernels are swapped after the matrix: unflatten them as they were flattened",
        {".unflatten(2, (size, size))": ".unflatten(2, (size, size)).transpose(2, 3)"},
    ),
    (
        "transposed-matrix",
        "the matrix is used transposed: the flattened kernel is a row and stands on the left of it",
        {TIMES: "(centre.flatten(2) @ transform.T)"},
    ),
    (
        "added-to-the-centre",
        "the product is added to the centre: the transformed kernel takes its place",
        {TIMES: "(centre.flatten(2) + centre.flatten(2) @ transform)"},
    ),
    (
        "resized",
        "the whole kernel is resized: cut its centre out",
        {CUT: 'F.interpolate(weight, size=(size, size), mode="bilinear")'},
    ),
    (
        "not-unflattened",
        "the kernels come back flattened: they have size rows and size columns",
        {".unflatten(2, (size, size))": ""},
    ),
    ("no-gradient", ARRIVES.format("weight"), {CUT: CUT.replace("weight", "weight.detach()")}),
    ("no-gradient", ARRIVES.format("transform"), {"@ transform)": "@ transform.data)"}),
    ("no-gradient", ARRIVES.format("weight"), {"centre.flatten(2)": "centre.detach().flatten(2)"}),
    ("wrong-dtype", "", {TIMES: "(centre.float().flatten(2) @ transform.float())"}),
    ("wrong-dtype", "", {TIMES: "(centre.double().flatten(2) @ transform.double())"}),
    (
        "mixes-channels",
        "the channels are exchanged: each kernel stays with its output and input channel",
        {
            "(centre.flatten(2)": "(centre.transpose(0, 1).flatten(2)",
            ".unflatten(2, (size, size))": ".reshape(centre.shape)",
        },
    ),
    ("wrong-type", "", {"return centre\n": "return centre.detach().numpy()\n"}),
    (
        "mutates-input",
        "",
        {
            "        return centre\n": "        centre = centre.clone()\n        weight.data.zero_()\n"
            "        return centre\n"
        },
    ),
    ("mutates-input", "", {"    margin =": "    weight.requires_grad_(True)\n    margin ="}),
    ("changes-settings", "", {"    margin =": "    torch.rand(1)\n    margin ="}),
    ("accepts-bad-input", "", {SIZE: "not 1 <= size <= k"}),
    ("accepts-bad-input", "", {SIZE: "not 0 <= size <= k or (k - size) % 2"}),
    ("accepts-bad-input", "", {SIZE: "(k - size) % 2"}),
    (
        "accepts-bad-input",
        "",
        {
            "if tuple(transform.shape) != square:": "transform = transform[: size**2, : size**2]\n    if False:",
            "(size, size))\n": "(size, size)) if transform.shape == square else centre\n",
        },
    ),
    ("accepts-bad-input", "", {"tuple(transform.shape) != square": "len(transform) != size**2"}),
    (
        "accepts-bad-input",
        "",
        {
            "tuple(transform.shape) != square": "transform.numel() != size**4",
            "@ transform)": "@ transform.reshape(square))",
        },
    ),
)


def _margin(weight, size, transform):
    k = weight.shape[-1]
    if not 0 < size <= k or (k - size) % 2 or (transform is not None and transform.shape != (size**2,) * 2):
        raise ValueError(f"size and transform must fit a kernel of {k}, got {size}")
    return (k - size) // 2


@book.right("slice_kernel")
def by_padding(weight, size, transform=None):
    margin = _margin(weight, size, transform)
    centre = F.pad(weight, (-margin,) * 4)
    if transform is None:
        return centre
    return F.linear(centre.reshape(*centre.shape[:2], -1), transform.t()).reshape(centre.shape)


@book.right("slice_kernel")
def by_einsum(weight, size, transform=None):
    margin = _margin(weight, size, transform)
    centre = weight.narrow(2, margin, size).narrow(3, margin, size)
    if transform is None:
        return centre.clone()
    return torch.einsum("oiab,abcd->oicd", centre, transform.reshape((size,) * 4))


@book.right("slice_kernel")
def kernel_by_kernel(weight, size, transform=None):
    margin = _margin(weight, size, transform)
    matrix = torch.eye(size**2, dtype=weight.dtype) if transform is None else transform
    small = []
    for kernel in weight.flatten(0, 1):
        rows = [row[margin : margin + size] for row in kernel[margin : margin + size]]
        small.append((torch.cat(rows) @ matrix).reshape(size, size))
    return torch.stack(small).reshape(*weight.shape[:2], size, size)


@book.right("slice_kernel")
def in_float32(weight, size, transform=None):
    margin = _margin(weight, size, transform)
    centre = weight[..., margin : margin + size, margin : margin + size]
    if transform is None:
        return centre
    return (centre.float().flatten(2) @ transform.float()).view_as(centre).to(weight.dtype)


# --------------------------------------------------------------------------------------- slice_width

ORDER = "torch.argsort(importance, descending=True, stable=True)"
FIRST_OF = f"{ORDER}[:width]"
KEPT = "return weight[indices], indices"
WIDTH = "not 1 <= width <= len(weight)"
NUMBERS = "not torch.isfinite(importance).all()"

book.edits(
    "slice_width",
    (
        "rounds-importance",
        "the importances are rounded to whole numbers: compare them as they are",
        {ORDER: ORDER.replace("importance", "importance.round()")},
    ),
    (
        "rounds-importance",
        "the importances are cut to whole numbers: compare them as they are",
        {ORDER: ORDER.replace("importance", "importance.long()")},
    ),
    (
        "cut-at-zero",
        "importances below 0 are taken for 0: compare them as they are",
        {ORDER: ORDER.replace("importance", "importance.clamp(min=0)")},
    ),
    (
        "softmax-of-importance",
        "a softmax makes large importances equal to 1 and small ones to 0: compare them as they are",
        {ORDER: ORDER.replace("importance", "importance.softmax(0)")},
    ),
    (
        "in-index-order",
        "the right rows, but in the order of the weight: the most important comes first, so that a narrower version "
        "is the beginning of a wider one",
        {FIRST_OF: f"{FIRST_OF}.sort().values"},
    ),
    (
        "least-important-first",
        "the right rows, but the least important of them first",
        {FIRST_OF: f"{FIRST_OF}.flip(0)"},
    ),
    (
        "least-important",
        "these are the *least* important rows",
        {ORDER: "torch.argsort(importance, stable=True)"},
    ),
    (
        "least-important",
        "these are the *least* important rows, taken from the end of the falling order",
        {FIRST_OF: f"{ORDER}[len(weight) - width :]"},
    ),
    (
        "ties-reversed",
        "of equally important rows the lower index comes first; an ascending order turned round does the opposite",
        {ORDER: "torch.argsort(importance, stable=True).flip(0)"},
    ),
    (
        "ties-at-random",
        "of equally important rows the lower index comes first: torch.topk gives them in any order, a stable sort does "
        "not",
        {FIRST_OF: "torch.topk(importance, width).indices"},
    ),
    (
        "ignores-importance",
        "these are the first rows: `importance` is not used",
        {FIRST_OF: "torch.arange(width)"},
    ),
    (
        "own-importance",
        "the rows are ranked by their own size: use `importance`",
        {"argsort(importance,": "argsort(weight.detach().abs().reshape(len(weight), -1).sum(1),"},
    ),
    (
        "absolute-importance",
        "an importance below 0 is low, not high: do not take absolute values",
        {"argsort(importance,": "argsort(importance.abs(),"},
    ),
    (
        "rounds-importance",
        "importances that differ by little are taken for equal: compare them as they are",
        {"argsort(importance,": "argsort(importance.float(),"},
    ),
    (
        "noise-for-ties",
        "small numbers added to break ties change the order of importances that differ by less: sort stably",
        {"argsort(importance,": "argsort(importance.double() - 1e-9 * torch.arange(len(weight)),"},
    ),
    (
        "marks-with-a-number",
        "rows that are taken are marked with -1, which is an importance like any other: mark them with minus infinity",
        {
            "    indices =": "    left, taken = importance.clone(), []\n"
            "    for _ in range(width):\n"
            "        taken.append(int((left == left.max()).nonzero()[0]))\n"
            "        left[taken[-1]] = -1\n"
            "    indices =",
            FIRST_OF: "torch.tensor(taken)",
        },
    ),
    ("wrong-dtype", "", {KEPT: "return weight[indices].float(), indices"}),
    ("wrong-dtype", "", {KEPT: "return weight[indices].double(), indices"}),
    ("wrong-type", "", {KEPT: "return weight[indices], indices.float()"}),
    ("mutates-input", "", {"    indices =": "    weight.requires_grad_(True)\n    indices ="}),
    (
        "accepts-bad-input",
        "",
        {
            "importance.shape != (len(weight),)": "importance.ndim and importance.shape != (len(weight),)",
            "argsort(importance,": "argsort(importance.expand(len(weight)),",
        },
    ),
    (
        "ranks-not-indices",
        "these are the ranks of the first rows; asked for are the rows with the first ranks: one argsort",
        {FIRST_OF: f"torch.argsort({ORDER})[:width]"},
    ),
    (
        "values-not-indices",
        "these are the importances themselves: the second part says which rows they belong to",
        {KEPT: "return weight[indices], importance[indices]"},
    ),
    (
        "one-based",
        "the numbers count from 1: rows count from 0",
        {KEPT: "return weight[indices], indices + 1"},
    ),
    (
        "swapped",
        "the pair is swapped: first the rows, then their indices",
        {KEPT: "return indices, weight[indices]"},
    ),
    (
        "mismatched-rows",
        "the rows are the first ones, not those that the indices name",
        {KEPT: "return weight[:width], indices"},
    ),
    (
        "mismatched-rows",
        "the rows come in another order than the indices name",
        {KEPT: "return weight[indices.flip(0)], indices"},
    ),
    (
        "no-gradient",
        "no gradient arrives at `weight`: narrow layers train the weights of wide ones, so take rows of the tensor "
        "itself",
        {KEPT: "return weight.detach()[indices], indices"},
    ),
    ("wrong-type", "", {KEPT: "return [weight[indices], indices]"}),
    ("wrong-type", "", {KEPT: "return weight[indices]"}),
    (
        "mutates-input",
        "",
        {
            f"    indices = {FIRST_OF}\n": "    indices = []\n"
            "    for _ in range(width):\n"
            "        indices.append(int(torch.argmax(importance)))\n"
            "        importance[indices[-1]] = -99\n"
        },
    ),
    (
        "mutates-input",
        "",
        {KEPT: "weight.requires_grad_(False)\n    return weight[indices].requires_grad_(), indices"},
    ),
    ("accepts-bad-input", "", {WIDTH: "not 0 <= width <= len(weight)"}),
    ("accepts-bad-input", "", {WIDTH: "not 1 <= width"}),
    ("accepts-bad-input", "", {NUMBERS: "False"}),
    ("accepts-bad-input", "", {NUMBERS: "importance.isnan().any()"}),
    ("accepts-bad-input", "", {"importance.shape != (len(weight),)": "len(importance) < len(weight)"}),
    (
        "accepts-bad-input",
        "",
        {
            "importance.shape != (len(weight),)": "importance.numel() != len(weight)",
            "argsort(importance,": "argsort(importance.flatten(),",
        },
    ),
)


def _fits(weight, width, importance):
    if not 0 < width <= len(weight) or importance.shape != (len(weight),):
        raise ValueError(f"width and importance must fit {len(weight)} rows, got {width}, {importance}")
    if not torch.isfinite(importance).all():
        raise ValueError(f"importance must be finite, got {importance}")


@book.right("slice_width")
def by_sorting_pairs(weight, width, importance):
    _fits(weight, width, importance)
    order = sorted(range(len(weight)), key=lambda i: (-float(importance[i]), i))[:width]
    return torch.stack([weight[i] for i in order]), order


@book.right("slice_width")
def by_lexsort(weight, width, importance):
    _fits(weight, width, importance)
    order = np.lexsort((np.arange(len(weight)), -importance.numpy()))[:width].copy()
    return torch.index_select(weight, 0, torch.from_numpy(order)), order


@book.right("slice_width")
def by_crossing_out_a_copy(weight, width, importance):
    _fits(weight, width, importance)
    left, order = importance.double().clone(), []
    for _ in range(width):
        order.append(int((left == left.max()).nonzero()[0]))
        left[order[-1]] = -math.inf
    return torch.cat([weight[i : i + 1] for i in order]), torch.tensor(order)


# --------------------------------------------------------------------- progressive_shrinking_schedule

BEGUN = "[options for first, options in phases if first <= step]"
UNION = "allowed.setdefault(name, set()).update(values)"
RESULT = "{name: tuple(sorted(values)) for name, values in allowed.items()}"
REPLACED = "the options of an earlier phase are replaced: what was open stays open, so take the union"

book.edits(
    "progressive_shrinking_schedule",
    (
        "intersection",
        "only options that all phases share are left: what was open stays open, so take the union",
        {UNION: "allowed[name] = allowed.get(name, set(values)) & set(values)"},
    ),
    (
        "two-latest-phases",
        "only the two latest phases count here: what was open stays open, of all phases begun",
        {BEGUN: "[one for first, one in sorted(phases, key=lambda phase: phase[0]) if first <= step][-2:]"},
    ),
    (
        "fills-the-range",
        "options between those named are allowed, too: a union holds only what some phase names",
        {
            RESULT: "{name: tuple(range(min(values), max(values) + 1)) if all(type(one) is int for one in values) else tuple(sorted(values)) for name, values in allowed.items()}"
        },
    ),
    (
        "all-at-once",
        "everything is allowed already: only phases that have begun count",
        {BEGUN: "[one for _, one in phases if step >= min(first for first, _ in phases)]"},
    ),
    (
        "one-step-late",
        "a phase begins *at* its first step, not after it",
        {BEGUN: "[one for first, one in phases if first < step or first == step == 0]"},
    ),
    (
        "one-step-late",
        "a phase begins *at* its first step, not after it",
        {"first <= step": "first < step"},
    ),
    (
        "keeps-the-first-options",
        "only the first phase that names a decision counts: later ones add their options",
        {UNION: "allowed.setdefault(name, set(values))"},
    ),
    (
        "one-step-early",
        "a phase begins at its first step, not one before it",
        {"first <= step": "first <= step + 1"},
    ),
    (
        "forgets-earlier-phases",
        "only the latest phase counts here: what was open stays open, or the large networks would be forgotten",
        {"in begun:": "in [max((one for one in phases if one[0] <= step), key=lambda one: one[0])[1]]:"},
    ),
    (
        "forgets-earlier-phases",
        "only the last phase of the sequence counts here: what was open stays open, in whatever order phases come",
        {"in begun:": "in begun[-1:]:"},
    ),
    ("replaces-options", REPLACED, {UNION: "allowed[name] = values"}),
    (
        "replaces-options",
        REPLACED,
        {
            BEGUN: "[options for first, options in sorted(phases, key=lambda one: one[0]) if first <= step]",
            UNION: "allowed[name] = values",
        },
    ),
    (
        "repeats-options",
        "options come twice: then they would be drawn twice as often. A union holds each once",
        {UNION: "allowed.setdefault(name, []).extend(values)"},
    ),
    (
        "repeats-options",
        "options that a phase names twice come twice: a union holds each once",
        {
            UNION: "known = allowed.setdefault(name, [])\n"
            "            known.extend([one for one in values if one not in known])"
        },
    ),
    (
        "drops-options",
        "an option of 0 is left out: 0 is an option as any other",
        {UNION: "allowed.setdefault(name, set()).update(filter(None, values))"},
    ),
    (
        "needs-sorted-phases",
        "phases may come in any order: look at all of them, not only up to the first that has not begun",
        {
            BEGUN: "[]",
            "    if not begun:": "    for first, options in phases:\n"
            "        if first > step and begun:\n"
            "            break\n"
            "        if first <= step:\n"
            "            begun.append(options)\n"
            "    if not begun:",
        },
    ),
    (
        "loses-a-phase",
        "two phases begin at the same step, and one of them is lost: a dict by first step has room for one",
        {"in phases if": "in dict(phases).items() if"},
    ),
    (
        "drops-new-decisions",
        "a decision is missing: a phase may bring one that none before it names",
        {
            "allowed = {}": "allowed = {name: set() for name in min(phases, key=lambda one: one[0])[1]}",
            UNION: "allowed[name].update(values) if name in allowed else None",
        },
    ),
    (
        "names-what-is-not-open",
        "decisions of phases that have not begun are named already, without options: leave them out",
        {"allowed = {}": "allowed = {name: set() for _, options in phases for name in options}"},
    ),
    ("raises", "", {"in phases if": "in sorted(phases) if"}),
    (
        "raises",
        "",
        {
            "allowed = {}": "allowed = {name: set() for name in begun[0]}",
            UNION: "allowed[name].update(values)",
        },
    ),
    ("wrong-type", "", {"tuple(sorted(values))": "sorted(values)"}),
    ("wrong-type", "", {"tuple(sorted(values))": "values"}),
    ("mutates-input", "", {"    begun =": "    phases.sort(key=lambda one: one[0])\n    begun ="}),
    (
        "mutates-input",
        "",
        {
            UNION: "known = allowed.setdefault(name, values)\n"
            "            if isinstance(known, list):\n"
            "                known.extend(v for v in values if v not in known)\n"
            "            else:\n"
            "                allowed[name] = tuple({*known, *values})",
            "tuple(sorted(values))": "tuple(sorted(set(values)))",
        },
    ),
    ("accepts-bad-input", "", {"if not begun:": "if not phases:"}),
    ("accepts-bad-input", "", {"if not begun:": "if step < 0:"}),
    ("accepts-bad-input", "", {"if not begun:": "if phases and not begun:"}),
)


def _open(step, phases):
    begun = [options for first, options in phases if first <= step]
    if not begun:
        raise ValueError(f"step must be one with a phase begun, got {step}")
    return begun


@book.right("progressive_shrinking_schedule")
def in_order_of_opening(step, phases):
    _open(step, phases)
    allowed = {}
    for first, options in sorted(phases, key=lambda phase: phase[0]):
        if first > step:
            break
        for name, values in options.items():
            allowed[name] = (*allowed.get(name, ()), *values)
    return {name: tuple(dict.fromkeys(values)) for name, values in allowed.items()}


@book.right("progressive_shrinking_schedule")
def by_names(step, phases):
    begun = _open(step, phases)
    names = {name for options in begun for name in options}
    return {name: tuple({one for options in begun for one in options.get(name, ())}) for name in names}


@book.right("progressive_shrinking_schedule")
def by_recursion(step, phases):
    *before, last = _open(step, phases)
    allowed = by_recursion(0, [(0, options) for options in before]) if before else {}
    for name, values in last.items():
        new = tuple(one for i, one in enumerate(values) if one not in values[:i])
        allowed[name] = allowed.get(name, ()) + tuple(one for one in new if one not in allowed.get(name, ()))
    return allowed


# --------------------------------------------------------------------------------- distillation_loss

TEACHER, STUDENT = "teacher.detach() / temperature", "student / temperature"
KL = 'F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)'
MIX = "(1 - weight) * F.cross_entropy(student, labels) + weight * temperature**2 * soft"
FACTOR = "temperature**2 * soft"

book.edits(
    "distillation_loss",
    (
        "logits-compared",
        "this is the squared distance of the logits: the teacher's part is the divergence of softened probabilities",
        {KL: "F.mse_loss(student, teacher.detach())"},
    ),
    (
        "probabilities-compared",
        "this is the squared distance of the probabilities: the teacher's part is their divergence",
        {KL: "((log_q.exp() - log_p.exp()) ** 2).sum(1).mean()"},
    ),
    (
        "softmax-twice",
        "F.cross_entropy takes logits: it computes the softmax itself, and here it is taken twice",
        {"F.cross_entropy(student, labels)": "F.cross_entropy(student.softmax(1), labels)"},
    ),
    (
        "label-smoothing",
        "the labels are smoothed: take the cross-entropy as it is",
        {"F.cross_entropy(student, labels)": "F.cross_entropy(student, labels, label_smoothing=0.1)"},
    ),
    (
        "ignores-the-weight",
        "`weight` is not used: both parts count alike here",
        {MIX: "0.5 * F.cross_entropy(student, labels) + 0.5 * temperature**2 * soft"},
    ),
    (
        "teacher-only",
        "the labels' part is missing: (1 − weight)·CE",
        {MIX: "weight * temperature**2 * soft"},
    ),
    (
        "labels-only",
        "the teacher's part is missing: weight·T²·KL",
        {MIX: "(1 - weight) * F.cross_entropy(student, labels) + 0 * soft"},
    ),
    (
        "divides-probabilities",
        "probabilities are divided by the temperature, and softened again: it divides the logits, before the one softmax",
        {TEACHER: "teacher.detach().softmax(1) / temperature", STUDENT: "student.softmax(1) / temperature"},
    ),
    (
        "bits-not-nats",
        "the divergence is in bits: take natural logarithms",
        {KL: f"{KL} / math.log(2)"},
    ),
    (
        "overflow",
        "the cross-entropy overflows or vanishes with logits in the hundreds: F.cross_entropy takes them as they are",
        {"F.cross_entropy(student, labels)": "F.nll_loss(student.softmax(1).log(), labels)"},
    ),
    (
        "no-temperature-squared",
        "the factor T² is missing: softened logits give gradients 1/T² as large, so that raising T would switch the "
        "teacher off",
        {FACTOR: "soft"},
    ),
    (
        "no-temperature-squared",
        "the teacher's part is multiplied by T; T² is what keeps its gradient's size",
        {FACTOR: "temperature * soft"},
    ),
    (
        "reversed-divergence",
        "the divergence is the wrong way round: KL(teacher‖student), the teacher's probabilities weigh",
        {"(log_q, log_p,": "(log_p, log_q,"},
    ),
    (
        "symmetric-divergence",
        "this is the mean of both divergences: KL(teacher‖student) alone is asked for",
        {KL: f"({KL} + {KL.replace('log_q, log_p', 'log_p, log_q')}) / 2"},
    ),
    (
        "swapped-shares",
        "`weight` is the share of the teacher; here the labels have it",
        {"(1 - weight) * F": "weight * F", "+ weight *": "+ (1 - weight) *"},
    ),
    (
        "teacher-counts-fully",
        "the teacher's part has to be weighed with `weight`",
        {"+ weight * temp": "+ temp"},
    ),
    (
        "sum-not-mean",
        "the cross-entropy is summed, not averaged, over the batch",
        {"(student, labels) +": '(student, labels, reduction="sum") +'},
    ),
    (
        "wrong-sign",
        "the teacher's part is subtracted: it is a part of what has to fall",
        {"+ weight *": "- weight *"},
    ),
    (
        "no-gradient",
        "no gradient arrives from the teacher's part: softmax of the student's own logits, not of a detached copy",
        {STUDENT: "student.detach() / temperature"},
    ),
    (
        "no-gradient",
        "no gradient arrives from the labels' part: take the student's own logits, not a detached copy",
        {"cross_entropy(student,": "cross_entropy(student.detach(),"},
    ),
    ("labels-count-fully", "the labels' part has to be weighed with 1 − weight", {"(1 - weight) * F": "F"}),
    (
        "teacher-not-softened",
        "the teacher's logits have to be divided by the temperature, too",
        {TEACHER: "teacher.detach()"},
    ),
    (
        "student-not-softened",
        "the student's logits have to be divided by the temperature, too",
        {STUDENT: "student"},
    ),
    (
        "no-temperature",
        "the temperature softens neither distribution",
        {TEACHER: "teacher.detach()", STUDENT: "student"},
    ),
    (
        "labels-softened",
        "the cross-entropy with the labels takes the logits as they are, without temperature",
        {"cross_entropy(student,": "cross_entropy(student / temperature,"},
    ),
    (
        "averaged-over-classes",
        "the divergence is averaged over classes, too: sum over classes and average over images "
        "(reduction='batchmean')",
        {'"batchmean"': '"mean"'},
    ),
    ("sum-not-mean", "the divergence is summed, not averaged, over the batch", {'"batchmean"': '"sum"'}),
    (
        "cross-entropy-not-divergence",
        "this is the cross-entropy with the teacher: the divergence is 0 where both agree, so subtract the teacher's "
        "entropy",
        {KL: "F.cross_entropy(student / temperature, log_p.exp())"},
    ),
    (
        "squared-difference",
        "this is the mean squared difference of the logits: the teacher's part is a divergence of two softmaxes",
        {KL: "F.mse_loss(student / temperature, teacher.detach() / temperature)"},
    ),
    (
        "teacher-s-label",
        "only the teacher's favourite class counts here: its softened probabilities of *all* classes are what teaches",
        {KL: "F.nll_loss(log_q, teacher.argmax(1))"},
    ),
    ("wrong-sign", "the sign is reversed", {MIX: f"-({MIX})"}),
    (
        "overflow",
        "exp overflows or vanishes with logits in the hundreds: use log_softmax",
        {
            f"F.log_softmax({TEACHER}, dim=1)": f"F.softmax({TEACHER}, dim=1).log()",
            f"F.log_softmax({STUDENT}, dim=1)": f"F.softmax({STUDENT}, dim=1).log()",
        },
    ),
    (
        "log-of-the-target",
        "F.kl_div takes log-probabilities first and probabilities as target, or log-probabilities for both with "
        "log_target=True",
        {", log_target=True": ""},
    ),
    (
        "log-of-the-target",
        "the student's probabilities go into F.kl_div as they are: it takes their logarithms, log_softmax",
        {f"F.log_softmax({STUDENT}": f"F.softmax({STUDENT}"},
    ),
    (
        "multiplied-by-temperature",
        "the logits are multiplied by T, which sharpens the softmax: divide them",
        {TEACHER: "teacher.detach() * temperature", STUDENT: "student * temperature"},
    ),
    (
        "square-on-both",
        "T² multiplies the labels' part, too: only the teacher's gradients soften with T",
        {MIX: f"temperature**2 * ({MIX.replace('temperature**2 * ', '')})"},
    ),
    (
        "divided-by-square",
        "the teacher's part is divided by T², which weakens its gradients once more: multiply",
        {FACTOR: "soft / temperature**2"},
    ),
    (
        "softmax-over-images",
        "the softmax of the divergence runs over the images (dim=0): an image's classes have to sum to 1",
        {f"{TEACHER}, dim=1": f"{TEACHER}, dim=0", f"{STUDENT}, dim=1": f"{STUDENT}, dim=0"},
    ),
    (
        "no-gradient",
        "no gradient arrives at the student's logits: nothing would be learned",
        {MIX: f"({MIX}).detach()"},
    ),
    (
        "trains-the-teacher",
        "a gradient arrives at the teacher: it would learn to be imitated. Detach its logits",
        {TEACHER: "teacher / temperature"},
    ),
    (
        "inexact",
        "the loss is a little off: leave out small constants inside logarithms (log_softmax needs none)",
        {f"F.log_softmax({STUDENT}, dim=1)": f"(F.softmax({STUDENT}, dim=1) + 1e-8).log()"},
    ),
    (
        "not-averaged",
        "the loss should be one number: take the mean over the batch",
        {
            "labels) +": 'labels, reduction="none") +',
            KL: 'F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(1)',
        },
    ),
    ("wrong-type", "", {MIX: f"({MIX}).item()"}),
    ("mutates-input", "", {"    log_p =": "    student.data -= student.data.mean()\n    log_p ="}),
    ("mutates-input", "", {TEACHER: "teacher.requires_grad_(False) / temperature"}),
    (
        "mutates-input",
        "",
        {"    return (1 - weight)": "    soft.backward(retain_graph=True)\n    return (1 - weight)"},
    ),
    ("accepts-bad-input", "", {"if student.shape != teacher.shape:": "if False:"}),
    ("accepts-bad-input", "", {"if student.shape != teacher.shape:": "if len(student) != len(teacher):"}),
    (
        "accepts-bad-input",
        "",
        {"if student.shape != teacher.shape:": "if student.numel() != teacher.numel():"},
    ),
    ("mutates-input", "", {"    log_p =": "    student.requires_grad_(True)\n    log_p ="}),
    ("accepts-bad-input", "", {"    log_p =": "    labels = labels.repeat(2)[: len(student)]\n    log_p ="}),
    ("accepts-bad-input", "", {"math.isfinite(temperature) and ": ""}),
    ("accepts-bad-input", "", {"temperature > 0 and ": "temperature != 0 and "}),
    ("accepts-bad-input", "", {"math.isfinite(temperature) and temperature > 0": "not temperature <= 0"}),
    ("accepts-bad-input", "", {" and 0 <= weight <= 1": " and 0 <= weight"}),
    ("accepts-bad-input", "", {" and 0 <= weight <= 1": " and not (weight < 0 or weight > 1)"}),
    ("accepts-bad-input", "", {" and 0 <= weight <= 1": " and weight <= 1"}),
    ("zero-is-none", "", {"weight * temperature**2 * soft": "(weight or 0.5) * temperature**2 * soft"}),
)


def _distillable(student, teacher, labels, temperature, weight):
    if student.shape != teacher.shape or len(labels) != len(student):
        raise ValueError(f"shapes must fit, got {student.shape}, {teacher.shape}, {labels.shape}")
    if not 0 < temperature < math.inf or not 0 <= weight <= 1:
        raise ValueError(f"temperature and weight must be in range, got {temperature}, {weight}")


@book.right("distillation_loss")
def by_cross_entropies(student, teacher, labels, temperature, weight):
    _distillable(student, teacher, labels, temperature, weight)
    p = (teacher.detach() / temperature).softmax(1)
    soft = F.cross_entropy(student / temperature, p) - F.cross_entropy(teacher.detach() / temperature, p)
    return torch.lerp(F.cross_entropy(student, labels), temperature * temperature * soft, weight)


@book.right("distillation_loss")
def both_in_float32(student, teacher, labels, temperature, weight):
    _distillable(student, teacher, labels, temperature, weight)
    log_p, log_q = ((one / temperature).float().log_softmax(1) for one in (teacher.detach(), student))
    soft = (log_p.exp() * (log_p - log_q)).sum(1).mean()
    return (1 - weight) * F.cross_entropy(student.float(), labels) + weight * temperature**2 * soft


@book.right("distillation_loss")
def by_hand(student, teacher, labels, temperature, weight):
    _distillable(student, teacher, labels, temperature, weight)

    def log_p(logits):
        return logits - logits.logsumexp(1, keepdim=True)

    p, q = log_p(teacher.data / temperature), log_p(student / temperature)
    soft = ((p - q) * p.exp()).sum() * temperature**2 / len(labels)
    return weight * soft - (1 - weight) * log_p(student).gather(1, labels[:, None]).mean()


@book.right("distillation_loss")
def image_by_image(student, teacher, labels, temperature, weight):
    _distillable(student, teacher, labels, temperature, weight)
    losses = []
    for mine, theirs, label in zip(student, teacher.detach(), labels):
        p, q = (torch.log_softmax(logits / temperature, -1) for logits in (theirs, mine))
        soft = torch.sum(p.exp() * (p - q))
        losses.append((1 - weight) * -torch.log_softmax(mine, -1)[label] + weight * temperature**2 * soft)
    return torch.stack(losses).mean()
