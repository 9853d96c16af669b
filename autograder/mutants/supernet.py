"""Wrong and right implementations of lesson 05's exercises."""

# Learners write no type hints, and some of these are wrong about types on purpose.
# mypy: ignore-errors

from __future__ import annotations

import copy
import itertools
import math

import numpy as np
import torch
from torch.nn import functional as F

from autograder.gate.concepts import says
from autograder.gate.registry import alternative, mutant
from nas_lib.search import History

says(
    {
        "indices": r"these are positions",
        "dependent-decisions": r"are not independent: .* draw each decision anew",
        "not-uniform": r"draws are not uniform",
        "no-gradient": r"no gradient arrives|log_prob comes without a gradient",
        "sum-not-mean": r"the sum over the batch, not the mean|summed, not averaged",
        "wrong-sign": r"the sign is reversed|entropies are negative",
        "overflow": r"exp overflows",
        "rounds-down": r"rounded down",
        "never-drawn": r"never came in \d+ paths",
        "not-an-option-here": r"is none of the options",
        "not-shuffled": r"in the same order: shuffle",
        "biased-shuffle": r"orders are equally likely",
        "one-shuffle-for-all": r"a shuffle of its own",
        "transposed": r"one list per decision",
        "wrong-count": r"as many paths as options",
        "unfair": r"strictly fair is each exactly once",
        "another-path": r"was not called with the path",
        "many-forward-passes": r"one path and one pass a step",
        "eval-mode": r"(was|is left) in evaluation mode",
        "moves-the-others": r"on the path's weights alone",
        "freezes-for-good": r"left with requires_grad=False",
        "decays-the-others": r"a gradient of zeros is still a gradient",
        "keeps-gradients": r"gradients (left over )?from an earlier (one|step)",
        "never-steps": r"optimizer\.step\(\) uses them",
        "wrong-step": r"otherwise than one step",
        "other-loss": r"cross-entropy of the batch before the step|the loss is .*, should be",
        "nothing-happens": r"collect only in training mode|was never called with the path",
        "weights-changed": r"only collects statistics|use torch\.no_grad",
        "mode-changed": r"put every module's mode back",
        "momentum-left": r"batch norms' momentum was",
        "exponential-average": r"average with momentum 0\.1|momentum 0\.1 keeps",
        "last-batch-only": r"those of the last batch",
        "first-batch-only": r"those of the first batch",
        "summed": r"added up, not averaged",
        "old-statistics-linger": r"old statistics take part",
        "wrong-variance": r"the variances are not",
        "first-norm-only": r"is right, the next is not",
        "wrong-statistics": r"running mean of the first batch norm is",
        "ignores-top": r"`top` is not used",
        "ignores-ties": r"tau-a",
        "gamma-not-tau": r"Goodman and Kruskal",
        "not-nan": r"return NaN",
        "argsort-is-no-rank": r"no ranks: pass the values",
        "spearman": r"Spearman",
        "pearson": r"Pearson",
        "best-by-score": r"chosen by score",
        "worst-not-best": r"\*lowest\* of truth",
        "drops-ties": r"tie with (it|the last)",
        "wrong-correlation": r"the correlation is",
        "above-the-limit": r"look at its cost before",
        "strict-limit": r"the limit itself is allowed",
        "endless": r"loop never ends",
        "no-variety": r"hardly any different architectures",
        "no-selection": r"children must come from the best",
        "corner": r"(left|right) corner",
        "empty-cut": r"slice \[margin:-margin\]",
        "ignores-the-transform": r"`transform` is not used",
        "transposed-matrix": r"used transposed",
        "wrong-kernels": r"the first kernel is",
        "in-index-order": r"in the order of the weight",
        "least-important-first": r"the least important of them first",
        "least-important": r"\*least\* important",
        "ties-reversed": r"the lower index comes first",
        "ignores-importance": r"`importance` is not used|rows are the first ones",
        "own-importance": r"ranked by their own size",
        "absolute-importance": r"do not take absolute values",
        "values-not-indices": r"importances themselves",
        "ranks-not-indices": r"one argsort",
        "mismatched-rows": r"rows are not those that the indices name",
        "wrong-rows": r"the rows are \[.*\], not",
        "repeats-options": r"options come twice",
        "all-at-once": r"everything is allowed already",
        "one-step-late": r"begins \*at\* its first step",
        "forgets-earlier-phases": r"only the latest phase counts",
        "replaces-options": r"an earlier phase are replaced",
        "loses-a-phase": r"room for one",
        "drops-new-decisions": r"none before it names",
        "needs-sorted-phases": r"may come in any order",
        "wrong-schedule": r"is allowed, not \{",
        "no-temperature-squared": r"T² is (missing|what)",
        "reversed-divergence": r"wrong way round",
        "swapped-shares": r"is the share of the teacher",
        "labels-count-fully": r"weighed with 1 − weight",
        "teacher-not-softened": r"the teacher's logits have to be divided",
        "student-not-softened": r"the student's logits have to be divided",
        "no-temperature": r"softens neither",
        "labels-softened": r"takes the logits as they are",
        "averaged-over-classes": r"averaged over classes, too",
        "cross-entropy-not-divergence": r"subtract the teacher's entropy",
        "log-of-the-target": r"F\.kl_div",
        "multiplied-by-temperature": r"sharpens the softmax",
        "square-on-both": r"multiplies the labels' part",
        "divided-by-square": r"weakens its gradients",
        "softmax-over-images": r"runs over the images",
        "inexact": r"the loss is off by",
        "trains-the-teacher": r"arrives at the teacher",
    }
)


def wrong(exercise, name, concept, function):
    """Register a mutant that is one expression."""
    function.__name__ = name
    mutant(exercise, concept=concept)(function)


# ------------------------------------------------------------------------------------------- sample_path


def _choices(choices, rng):
    if not isinstance(rng, np.random.Generator) or not choices or not all(len(one) for one in choices):
        raise ValueError(
            f"choices must be decisions with options and rng a generator, got {choices!r}, {rng!r}"
        )
    return choices


@alternative("sample_path")
def path_by_random_numbers(choices, rng):
    _choices(choices, rng)
    return tuple(options[int(u * len(options))] for options, u in zip(choices, rng.random(len(choices))))


@alternative("sample_path")
def path_by_index_of_the_product(choices, rng):
    _choices(choices, rng)
    number = int(rng.integers(math.prod(len(options) for options in choices)))
    path = []
    for options in reversed(choices):
        number, place = divmod(number, len(options))
        path.append(options[place])
    return path[::-1]


@alternative("sample_path")
def path_by_shuffling(choices, rng):
    return tuple(options[rng.permutation(len(options))[0]] for options in _choices(choices, rng))


wrong(
    "sample_path",
    "path_without_the_last",
    "never-drawn",
    lambda choices, rng: tuple(o[int(rng.integers(max(1, len(o) - 1)))] for o in _choices(choices, rng)),
)
wrong(
    "sample_path",
    "path_of_positions",
    "indices",
    lambda choices, rng: tuple(int(rng.integers(len(o))) for o in _choices(choices, rng)),
)


@alternative("sample_path")
def path_by_choice(choices, rng):
    """numpy's own choice gives numpy's strings and integers."""
    return tuple(rng.choice(options) for options in _choices(choices, rng))


@mutant("sample_path", concept="dependent-decisions")
def path_without_repetition(choices, rng):
    path = []
    for options in _choices(choices, rng):
        path.append(rng.choice([one for one in options if one not in path]))
    return tuple(path)


@mutant("sample_path", concept="not-uniform")
def path_by_rounding(choices, rng):
    """Rounding gives the options at both ends half of the others' share."""
    return tuple(o[round(rng.random() * (len(o) - 1))] for o in _choices(choices, rng))


@mutant("sample_path", concept="raises")
def path_by_the_first_length(choices, rng):
    places = rng.integers(len(_choices(choices, rng)[0]), size=len(choices))
    return tuple(options[i] for options, i in zip(choices, places))


@mutant("sample_path", concept="dependent-decisions")
def path_of_one_draw(choices, rng):
    u = rng.random()
    return tuple(options[int(u * len(options))] for options in _choices(choices, rng))


@mutant("sample_path", concept="ignores-rng")
def path_of_the_global_generator(choices, rng):
    _choices(choices, rng)
    return tuple(options[np.random.randint(len(options))] for options in choices)  # noqa: NPY002


@mutant("sample_path", concept="fixed-seed")
def path_of_its_own_generator(choices, rng):
    own = np.random.default_rng(0)
    return tuple(options[int(own.integers(len(options)))] for options in _choices(choices, rng))


@mutant("sample_path", concept="not-uniform")
def path_that_prefers_the_first(choices, rng):
    _choices(choices, rng)
    return tuple(o[min(int(rng.integers(len(o))), int(rng.integers(len(o))))] for o in choices)


@mutant("sample_path", concept="accepts-bad-input")
def path_without_checks(choices, rng):
    rng = rng if isinstance(rng, np.random.Generator) else np.random.default_rng(rng)
    return tuple(options[int(rng.integers(len(options)))] for options in choices)


# -------------------------------------------------------------------------------------------- fair_paths


def _equal(choices):
    if len({len(options) for options in choices}) != 1 or not len(choices[0]):
        raise ValueError(f"choices must have equally many options everywhere, got {choices!r}")
    return len(choices[0])


@alternative("fair_paths")
def fair_by_shuffled_lists(choices, rng):
    k = _equal(choices)
    columns = [list(options) for options in choices]
    for column in columns:
        rng.shuffle(column)
    return [tuple(column[i] for column in columns) for i in range(k)]


@alternative("fair_paths")
def fair_by_drawing_without_replacement(choices, rng):
    left = [list(options) for options in choices]
    return [[one.pop(int(rng.integers(len(one)))) for one in left] for _ in range(_equal(choices))]


@alternative("fair_paths")
def fair_by_sorting_noise(choices, rng):
    k = _equal(choices)
    order = rng.random((len(choices), k)).argsort(1)
    return [tuple(options[order[d, i]] for d, options in enumerate(choices)) for i in range(k)]


@alternative("fair_paths")
def fair_by_one_order_shuffled_again(choices, rng):
    """A shuffle of a shuffle is as good as a new one."""
    order = np.arange(_equal(choices))
    paths = [[] for _ in order]
    for options in choices:
        rng.shuffle(order)
        for path, i in zip(paths, order):
            path.append(options[i])
    return paths


@mutant("fair_paths", concept="one-shuffle-for-all")
def fair_with_shared_columns(choices, rng):
    """The same array enters every column, and has the last shuffle in all of them."""
    order, columns = np.arange(_equal(choices)), []
    for _ in choices:
        rng.shuffle(order)
        columns.append(order)
    return [tuple(o[int(column[i])] for o, column in zip(choices, columns)) for i in range(len(order))]


@mutant("fair_paths", concept="one-shuffle-for-all")
def fair_by_shifts(choices, rng):
    order = rng.permutation(_equal(choices))
    return [tuple(o[(i + d) % len(o)] for d, o in enumerate(choices)) for i in order]


@mutant("fair_paths", concept="wrong-count")
def fair_with_a_path_per_decision(choices, rng):
    _equal(choices)
    columns = [[o[i] for i in rng.permutation(len(o))] for o in choices]
    return [tuple(column[i % len(column)] for column in columns) for i in range(len(choices))]


@mutant("fair_paths", concept="unfair")
def fair_by_independent_draws(choices, rng):
    return [tuple(o[int(rng.integers(len(o)))] for o in choices) for _ in range(_equal(choices))]


@mutant("fair_paths", concept="one-shuffle-for-all")
def fair_with_one_shuffle(choices, rng):
    order = rng.permutation(_equal(choices))
    return [tuple(options[i] for options in choices) for i in order]


@mutant("fair_paths", concept="not-shuffled")
def fair_without_shuffling_the_first(choices, rng):
    k = _equal(choices)
    columns = [choices[0], *([o[i] for i in rng.permutation(k)] for o in choices[1:])]
    return list(zip(*columns))


@mutant("fair_paths", concept="biased-shuffle")
def fair_by_rotation(choices, rng):
    k = _equal(choices)
    starts = [int(rng.integers(k)) for _ in choices]
    return [tuple(o[(start + i) % k] for o, start in zip(choices, starts)) for i in range(k)]


@mutant("fair_paths", concept="transposed")
def fair_by_decision(choices, rng):
    _equal(choices)
    return [[o[i] for i in rng.permutation(len(o))] for o in choices]


@mutant("fair_paths", concept="wrong-count")
def fair_with_a_single_path(choices, rng):
    _equal(choices)
    return [tuple(o[int(rng.integers(len(o)))] for o in choices)]


@mutant("fair_paths", concept="mutates-input")
def fair_in_place(choices, rng):
    k = _equal(choices)
    columns = [options if isinstance(options, list) else list(options) for options in choices]
    for column in columns:
        rng.shuffle(column)
    return [tuple(column[i] for column in columns) for i in range(k)]


@mutant("fair_paths", concept="accepts-bad-input")
def fair_without_checks(choices, rng):
    return list(zip(*([o[i] for i in rng.permutation(len(o))] for o in choices)))


# -------------------------------------------------------------------------------- train_single_path_step


@alternative("train_single_path_step")
def step_that_returns_a_tensor(supernet, batch, optimizer, path):
    x, y = batch
    loss = torch.nn.CrossEntropyLoss()(supernet.train()(x, path), y)
    for parameter in supernet.parameters():
        parameter.grad = None
    loss.backward()
    optimizer.step()
    return loss.detach()


@alternative("train_single_path_step")
def step_by_autograd(supernet, batch, optimizer, path):
    x, y = batch
    optimizer.zero_grad(set_to_none=True)
    log_p = supernet(x, path).log_softmax(1)
    loss = F.nll_loss(log_p, y)
    parameters = [p for p in supernet.parameters() if p.requires_grad]
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters, allow_unused=True)):
        parameter.grad = gradient
    optimizer.step()
    return loss.item()


def _step(name, concept, before=None, loss_of=F.cross_entropy, forward=None, after=None, step=True):
    def implementation(supernet, batch, optimizer, path):
        x, y = batch
        (before or (lambda supernet, optimizer: optimizer.zero_grad()))(supernet, optimizer)
        loss = loss_of((forward or (lambda supernet, x, path: supernet(x, path)))(supernet, x, path), y)
        loss.backward()
        if step:
            optimizer.step()
        return after(supernet, x, y, path, loss) if after else loss.item()

    wrong("train_single_path_step", name, concept, implementation)


def _only(supernet, path):
    """The supernet, in which nothing but the path requires gradients."""
    used = [f"decisions.{place}.{option}." for place, option in enumerate(path)]
    for name, parameter in supernet.named_parameters():
        parameter.requires_grad_(name.startswith(tuple(used)))
    return supernet


@mutant("train_single_path_step", concept="never-steps")
def step_that_clears_too_late(supernet, batch, optimizer, path):
    loss = F.cross_entropy(supernet(batch[0], path), batch[1])
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


@mutant("train_single_path_step", concept="keeps-gradients")
def step_that_clears_afterwards(supernet, batch, optimizer, path):
    """Right from the second step on, if nothing was left before the first."""
    loss = F.cross_entropy(supernet(batch[0], path), batch[1])
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


@mutant("train_single_path_step", concept="eval-mode")
def step_that_leaves_evaluation_mode(supernet, batch, optimizer, path):
    optimizer.zero_grad()
    loss = F.cross_entropy(supernet.train()(batch[0], path), batch[1])
    loss.backward()
    optimizer.step()
    supernet.eval()
    return loss.item()


@mutant("train_single_path_step", concept="accepts-bad-input")
def step_that_forgets_images_without_labels(supernet, batch, optimizer, path):
    x, y = batch
    optimizer.zero_grad()
    loss = -supernet(x, path).log_softmax(1)[torch.arange(len(y)), y].mean()
    loss.backward()
    optimizer.step()
    return loss.item()


@mutant("recalibrate_bn", concept="accepts-bad-input")
@torch.no_grad()
def recalibrate_on_nothing(supernet, path, batches):
    """Without batches the statistics are reset, and that is all."""
    modes, momenta = [m.training for m in supernet.modules()], [norm.momentum for norm in _norms(supernet)]
    supernet.train()
    for norm in _norms(supernet):
        norm.reset_running_stats()
        norm.momentum = None
    for x, _ in batches:
        supernet(x, path)
    for module, mode in zip(supernet.modules(), modes):
        module.training = mode
    for norm, momentum in zip(_norms(supernet), momenta):
        norm.momentum = momentum


_step("step_without_clearing", "keeps-gradients", before=lambda supernet, optimizer: None)
_step(
    "step_with_zeros", "decays-the-others", before=lambda s, optimizer: optimizer.zero_grad(set_to_none=False)
)
_step("step_that_never_steps", "never-steps", step=False)
_step("step_of_the_sum", "sum-not-mean", loss_of=lambda z, y: F.cross_entropy(z, y, reduction="sum"))
_step("step_up", "wrong-sign", loss_of=lambda z, y: -F.cross_entropy(z, y))
_step("step_of_the_softmax", "wrong-step", loss_of=lambda z, y: F.cross_entropy(z.softmax(1), y))
_step("step_in_eval_mode", "eval-mode", forward=lambda supernet, x, path: supernet.eval()(x, path))
_step("step_of_another_path", "another-path", forward=lambda supernet, x, path: supernet(x, ["o0"] * 3))
_step("step_that_returns_nothing", "returns-nothing", after=lambda *given: None)
_step(
    "step_with_a_second_pass",
    "many-forward-passes",
    after=lambda supernet, x, y, path, loss: F.cross_entropy(supernet(x, path), y).item(),
)
_step(
    "step_with_a_penalty_on_all",
    "moves-the-others",
    before=lambda s, optimizer: (
        optimizer.zero_grad(),
        (0.01 * sum((p**2).sum() for p in s.parameters())).backward(),
    ),
)
_step(
    "step_that_freezes_the_rest",
    "freezes-for-good",
    before=lambda s, optimizer: optimizer.zero_grad(),
    forward=lambda s, x, path: _only(s, path)(x, path),
)
_step("step_with_the_summed_loss", "other-loss", after=lambda s, x, y, path, loss: loss.item() * len(y))


# ---------------------------------------------------------------------------------------- recalibrate_bn


def _norms(net):
    return [module for module in net.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]


@alternative("recalibrate_bn")
@torch.no_grad()
def recalibrate_only_the_norms(supernet, path, batches):
    batches = list(batches)
    if not batches:
        raise ValueError("batches must not be empty")
    training, norms = supernet.training, _norms(supernet)
    old = [(norm.momentum, norm.training) for norm in norms]
    supernet.eval()
    for norm in norms:
        norm.train()
    for count, (x, _) in enumerate(batches, start=1):
        for norm in norms:
            norm.momentum = 1 / count  # the cumulative average, written as one that forgets ever more slowly
        supernet(x, path)
    supernet.train(training)
    for norm, (momentum, mode) in zip(norms, old):
        norm.momentum = momentum
        norm.train(mode)


@alternative("recalibrate_bn")
@torch.no_grad()
def recalibrate_with_hooks(supernet, path, batches):
    """Collects by hand what each batch norm sees, layer after layer in one pass of a copy in training mode."""
    batches = list(batches)
    if not batches:
        raise ValueError("batches must not be empty")
    twin = copy.deepcopy(supernet).train()
    seen = {}

    def note(name):
        def hook(module, given):
            seen.setdefault(name, []).append((given[0].mean(0), given[0].var(0, unbiased=True)))

        return hook

    for name, module in twin.named_modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.register_forward_pre_hook(note(name))
    for x, _ in batches:
        twin(x, path)
    modules = dict(supernet.named_modules())
    for name, statistics in seen.items():
        means, variances = zip(*statistics)
        modules[name].running_mean.copy_(torch.stack(means).mean(0))
        modules[name].running_var.copy_(torch.stack(variances).mean(0))


@alternative("recalibrate_bn")
@torch.no_grad()
def recalibrate_a_copy(supernet, path, batches):
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


def _recalibrate(
    name,
    concept,
    reset=True,
    momentum=None,
    mode=True,
    restore=True,
    back=True,
    which=None,
    grad=False,
    usual=False,
    each=True,
    pooled=False,
):
    def implementation(supernet, path, batches):
        training, norms = supernet.training, _norms(supernet)
        old = [0.1 if usual else norm.momentum for norm in norms]
        modes = [(module, module.training) for module in supernet.modules()]
        if pooled:
            batches = [(torch.cat([x for x, _ in batches]), None)] if (batches := list(batches)) else []
        if reset:
            for norm in norms:
                norm.reset_running_stats()
        for norm in norms:
            norm.momentum = momentum
        supernet.train(mode)
        count = 0
        with torch.set_grad_enabled(grad):
            for x, _ in itertools.islice(batches, which):
                count += 1
                out = supernet(x, path)
                if grad:
                    out.sum().backward()
        if not count:
            raise ValueError("batches must not be empty")
        if restore:
            for norm, value in zip(norms, old):
                norm.momentum = value
        supernet.train(training if back else not training)
        for module, was in modes if back and each else ():
            module.training = was

    wrong("recalibrate_bn", name, concept, implementation)


_recalibrate("recalibrate_with_momentum", "exponential-average", momentum=0.1)
_recalibrate("recalibrate_without_reset", "exponential-average", momentum=0.1, reset=False)
_recalibrate("recalibrate_in_eval_mode", "nothing-happens", mode=False)
_recalibrate("recalibrate_on_the_last", "last-batch-only", momentum=1.0)
_recalibrate("recalibrate_on_the_first", "first-batch-only", which=1)
_recalibrate("recalibrate_and_leave_the_mode", "mode-changed", back=False)
_recalibrate("recalibrate_and_leave_momentum", "momentum-left", restore=False)
_recalibrate("recalibrate_with_gradients", "weights-changed", grad=True)
_recalibrate("recalibrate_without_forgetting", "old-statistics-linger", reset=False)
_recalibrate("recalibrate_to_the_usual_momentum", "momentum-left", usual=True)
_recalibrate("recalibrate_and_set_one_mode", "mode-changed", each=False)
_recalibrate("recalibrate_on_all_at_once", "wrong-variance", pooled=True)


@mutant("recalibrate_bn", concept="first-norm-only")
@torch.no_grad()
def recalibrate_layer_by_layer(supernet, path, batches):
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
        for x, _ in batches:
            supernet(x, path)
        norm.eval()
        norm.momentum = momentum
    for module, mode in modes:
        module.training = mode


@mutant("recalibrate_bn", concept="wrong-variance")
@torch.no_grad()
def recalibrate_with_biased_variances(supernet, path, batches):
    batches = list(batches)
    if not batches:
        raise ValueError("batches must not be empty")
    twin, seen = copy.deepcopy(supernet).train(), {}
    for name, module in twin.named_modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.register_forward_pre_hook(lambda _, x, name=name: seen.setdefault(name, []).append(x[0]))
    for x, _ in batches:
        twin(x, path)
    modules = dict(supernet.named_modules())
    for name, inputs in seen.items():
        modules[name].running_mean.copy_(torch.stack([x.mean(0) for x in inputs]).mean(0))
        modules[name].running_var.copy_(torch.stack([x.var(0, unbiased=False) for x in inputs]).mean(0))


@mutant("recalibrate_bn", concept="old-statistics-linger")
@torch.no_grad()
def recalibrate_on_top_of_the_old(supernet, path, batches):
    training, norms = supernet.training, _norms(supernet)
    old = [norm.momentum for norm in norms]
    count = 0
    supernet.train()
    for x, _ in batches:
        count += 1
        for norm in norms:
            norm.momentum = 1 / (count + 1)
        supernet(x, path)
    if not count:
        raise ValueError("batches must not be empty")
    supernet.train(training)
    for norm, momentum in zip(norms, old):
        norm.momentum = momentum


# -------------------------------------------------------------------------------------- rank_correlation


def _pairs(scores, truth, top):
    scores, truth = np.asarray(scores, float), np.asarray(truth, float)
    if (
        scores.ndim != 1
        or scores.shape != truth.shape
        or len(scores) < 2
        or not np.isfinite([scores, truth]).all()
    ):
        raise ValueError(f"scores and truth must be pairs of numbers, got {scores} and {truth}")
    if top is not None and not 0 < top <= 1:
        raise ValueError(f"top must be above 0 and up to 1, got {top}")
    return scores, truth, 1.0 if top is None else top


def _tau(a, b):
    from scipy import stats

    return stats.kendalltau(a, b).statistic


@alternative("rank_correlation")
def tau_by_signs(scores, truth, top=None):
    scores, truth, top = _pairs(scores, truth, top)
    kept = np.sort(truth)[::-1][: math.ceil(round(top * len(truth), 9))]
    best = [i for i in range(len(truth)) if truth[i] >= kept[-1]]
    a, b = scores[best], truth[best]
    da, db = np.sign(a[:, None] - a), np.sign(b[:, None] - b)
    return (da * db).sum() / math.sqrt((da**2).sum() * (db**2).sum())


@alternative("rank_correlation")
def tau_by_counting(scores, truth, top=None):
    scores, truth, top = _pairs(scores, truth, top)
    better = [(truth > value).sum() for value in truth]  # fewer than ⌈top·n⌉ are better
    kept = [i for i, count in enumerate(better) if count < math.ceil(top * len(truth) - 1e-9)]
    agree = left = right = 0
    for i, j in itertools.combinations(kept, 2):
        a, b = np.sign(scores[i] - scores[j]), np.sign(truth[i] - truth[j])
        agree, left, right = agree + a * b, left + a * a, right + b * b
    return float(agree / (left * right) ** 0.5) if left and right else math.nan


@alternative("rank_correlation")
def tau_of_ranks(scores, truth, top=None):
    from scipy import stats

    scores, truth, top = _pairs(scores, truth, top)
    kept = stats.rankdata(-truth, method="min") <= math.ceil(top * len(truth) - 1e-9)
    return stats.kendalltau(stats.rankdata(scores[kept]), stats.rankdata(truth[kept]))[0]


def _rank(name, concept, statistic=_tau, choose=None):
    def implementation(scores, truth, top=None):
        scores, truth, top = _pairs(scores, truth, top)
        if choose is not None and top < 1:
            kept = choose(scores, truth, math.ceil(top * len(truth) - 1e-9))
        else:
            kept = truth >= np.sort(truth)[-math.ceil(top * len(truth) - 1e-9)]
        return float(statistic(scores[kept], truth[kept]))

    wrong("rank_correlation", name, concept, implementation)


def _tau_a(a, b):
    upper = np.triu_indices(len(a), 1)
    return (np.sign(np.subtract.outer(a, a)) * np.sign(np.subtract.outer(b, b)))[upper].mean()


def _rho(a, b):
    from scipy import stats

    return stats.spearmanr(a, b).statistic


def _gamma(a, b):
    agree = np.sign(np.subtract.outer(a, a)) * np.sign(np.subtract.outer(b, b))
    return agree.sum() / np.abs(agree).sum() if agree.any() else math.nan


_rank("gamma", "gamma-not-tau", statistic=_gamma)
_rank("tau_of_argsorts", "argsort-is-no-rank", statistic=lambda a, b: _tau(a.argsort(), b.argsort()))
_rank("tau_of_nothing_is_zero", "not-nan", statistic=lambda a, b: np.nan_to_num(_tau(a, b)))
_rank("tau_of_all", "ignores-top", choose=lambda scores, truth, k: np.arange(len(truth)))
_rank("tau_a", "ignores-ties", statistic=_tau_a)
_rank("rho", "spearman", statistic=_rho)
_rank("correlation_of_values", "pearson", statistic=lambda a, b: np.corrcoef(a, b)[0, 1])
_rank("tau_reversed", "wrong-sign", statistic=lambda a, b: -_tau(a, b))
_rank("tau_of_the_best_by_score", "best-by-score", choose=lambda s, t, k: s >= np.sort(s)[-k])
_rank("tau_of_the_worst", "worst-not-best", choose=lambda s, t, k: t <= np.sort(t)[k - 1])
_rank("tau_that_cuts_ties", "drops-ties", choose=lambda s, t, k: np.argsort(-t, kind="stable")[:k])


@mutant("rank_correlation", concept="rounds-down")
def tau_rounded_down(scores, truth, top=None):
    scores, truth, top = _pairs(scores, truth, top)
    border = np.sort(truth)[-max(2, math.floor(top * len(truth) + 1e-9))]
    return float(_tau(scores[truth >= border], truth[truth >= border]))


@mutant("rank_correlation", concept="rounds-down")
def tau_above_a_quantile(scores, truth, top=None):
    """Nearly always ⌈top·n⌉, but not where the fraction that is rounded up is small."""
    scores, truth, top = _pairs(scores, truth, top)
    best = truth >= np.quantile(truth, 1 - top)
    return float(_tau(scores[best], truth[best]))


@mutant("rank_correlation", concept="mutates-input")
def tau_that_sorts_in_place(scores, truth, top=None):
    _, _, top = _pairs(scores, truth, top)
    tau = tau_by_signs(scores, truth, top) if len(set(scores)) > 1 else math.nan
    truth.sort()
    return tau


@mutant("rank_correlation", concept="accepts-bad-input")
def tau_without_checks(scores, truth, top=None):
    top = top or 1.0
    n = min(len(scores), len(truth))
    border = np.sort(truth)[-min(n, math.ceil(top * n - 1e-9))]
    return float(_tau(scores[:n][truth[:n] >= border], truth[:n][truth[:n] >= border]))


# ------------------------------------------------------------------------------- evolve_under_constraint


def _numbers(limit, budget, population):
    if budget < 1 or population < 1 or not math.isfinite(limit):
        raise ValueError(
            f"limit, budget and population must be sensible, got {limit}, {budget}, {population}"
        )


def _all_within(space, cost, limit):
    found = [arch for arch in map(space.from_index, range(len(space))) if cost(arch) <= limit]
    if not found:
        raise ValueError(f"limit must admit something, got {limit}")
    return found


@alternative("evolve_under_constraint")
def evolve_by_generations(evaluate, cost, limit, space, budget, population, rng):
    _numbers(limit, budget, population)
    within = _all_within(space, cost, limit)
    generation = [within[i] for i in rng.integers(len(within), size=population)]
    told = []
    while len(told) < budget:
        for arch in generation[: budget - len(told)]:
            told.append((evaluate(arch), len(told), arch))
        parents = [
            arch for _, _, arch in sorted(told, key=lambda one: (-one[0], one[1]))[: max(2, population // 3)]
        ]
        generation = []
        while len(generation) < population:
            for _ in range(20):
                a, b = (parents[int(rng.integers(len(parents)))] for _ in range(2))
                child = tuple(x if rng.random() < 0.5 else y for x, y in zip(a, b))
                if rng.random() < 0.5:
                    child = space.mutate(child, rng)
                if cost(child) <= limit:
                    break
            else:
                child = within[int(rng.integers(len(within)))]
            generation.append(child)
    told.sort(key=lambda one: one[1])
    return History([arch for _, _, arch in told], [value for value, _, _ in told])


@alternative("evolve_under_constraint")
def evolve_by_tournaments(evaluate, cost, limit, space, budget, population, rng):
    """Aging evolution with rejection; the first population is drawn by `space.sample`."""
    _numbers(limit, budget, population)

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
            parent = max(
                rng.choice(len(members), size=min(4, population), replace=False), key=lambda i: members[i][0]
            )
            for _ in range(30):
                mutant_ = space.mutate(members[parent][1], rng)
                if cost(mutant_) <= limit:
                    arch = mutant_
                    break
        arch = draw() if arch is None else arch
        archs.append(arch)
        values.append(evaluate(arch))
        members = [*members, (values[-1], arch)][-population:]
    return History(archs, np.array(values))


@alternative("evolve_under_constraint")
def evolve_among_listed_neighbours(evaluate, cost, limit, space, budget, population, rng):
    """A mutation of its own: any affordable architecture that differs in one or two decisions."""
    _numbers(limit, budget, population)
    within = _all_within(space, cost, limit)
    archs, values = [], []
    while len(archs) < budget:
        if len(archs) < population:
            near = within
        else:
            parent = archs[int(rng.choice(np.argsort(values)[-3:]))]
            near = [a for a in within if 1 <= sum(x != y for x, y in zip(a, parent)) <= 2] or within
        archs.append(near[int(rng.integers(len(near)))])
        values.append(evaluate(archs[-1]))
    return History(archs, np.array(values))


def _evolve(name, concept, fits=None, best=None, initial=True, tries=50, seed=None, extra=0, check=_numbers):
    def implementation(evaluate, cost, limit, space, budget, population, rng):
        check(limit, budget, population)
        if seed is not None:
            rng = np.random.default_rng(seed)
        admitted = fits or (lambda arch: cost(arch) <= limit)
        if fits is None:
            _all_within(space, cost, limit)
        if concept == "strict-limit":

            def admitted(arch):
                return cost(arch) < limit

        def draw():
            for index in rng.permutation(len(space)):
                arch = space.from_index(int(index))
                if admitted(arch):
                    return arch
            raise ValueError(f"limit must admit something, got {limit}")

        archs, values = [], []
        while len(archs) < budget + extra:
            arch = None
            if len(archs) >= population:
                order = np.argsort(-np.array(values), kind="stable")
                parents = (best or (lambda order, population: order[: max(1, population // 2)]))(
                    order, population
                )
                for _ in itertools.count() if tries is None else range(tries):
                    child = space.mutate(archs[int(parents[int(rng.integers(len(parents)))])], rng)
                    if admitted(child):
                        arch = child
                        break
            arch = draw() if arch is None else arch
            archs.append(arch)
            values.append(evaluate(arch))
        return History(archs, np.array(values))

    wrong("evolve_under_constraint", name, concept, implementation)


_evolve("evolve_without_the_limit", "above-the-limit", fits=lambda arch: True)
_evolve("evolve_below_the_limit", "strict-limit")
_evolve("evolve_until_one_fits", "endless", tries=None)
_evolve("evolve_from_anyone", "no-selection", best=lambda order, population: order)
_evolve("evolve_from_the_worst", "minimum", best=lambda order, population: order[-max(1, population // 2) :])
_evolve("evolve_past_the_budget", "over-budget", extra=1)
_evolve("evolve_with_its_own_seed", "fixed-seed", seed=0)


@mutant("evolve_under_constraint", concept="no-selection")
def evolve_at_random(evaluate, cost, limit, space, budget, population, rng):
    _numbers(limit, budget, population)
    within = _all_within(space, cost, limit)
    archs = [within[int(rng.integers(len(within)))] for _ in range(budget)]
    return History(archs, [evaluate(arch) for arch in archs])


@mutant("evolve_under_constraint", concept="no-variety")
def evolve_from_one_start(evaluate, cost, limit, space, budget, population, rng):
    """The cheapest architecture is the whole first population."""
    _numbers(limit, budget, population)
    start = min(_all_within(space, cost, limit), key=cost)
    archs, values = [], []
    while len(archs) < budget:
        arch = start
        if len(archs) >= population:
            for _ in range(50):
                child = space.mutate(archs[int(np.argmax(values))], rng)
                if cost(child) <= limit:
                    arch = child
                    break
        archs.append(arch)
        values.append(evaluate(arch))
    return History(archs, np.array(values))


@mutant("evolve_under_constraint", concept="above-the-limit")
def evolve_and_filter_afterwards(evaluate, cost, limit, space, budget, population, rng):
    _numbers(limit, budget, population)
    _all_within(space, cost, limit)
    archs, values = [], []
    while len(archs) < budget:
        arch = space.sample(rng)
        value = evaluate(arch)
        if cost(arch) <= limit:
            archs.append(arch)
            values.append(value)
    return History(archs, np.array(values))


@mutant("evolve_under_constraint", concept="accepts-bad-input")
def evolve_for_ever_without_a_fit(evaluate, cost, limit, space, budget, population, rng):
    archs, values = [], []
    while len(archs) < budget:
        arch = None
        if len(archs) >= population:
            order = np.argsort(-np.array(values), kind="stable")[: max(1, population // 2)]
            for _ in range(50):
                child = space.mutate(archs[int(order[int(rng.integers(len(order)))])], rng)
                if cost(child) <= limit:
                    arch = child
                    break
        while arch is None:
            drawn = space.sample(rng)
            arch = drawn if cost(drawn) <= limit else None
        archs.append(arch)
        values.append(evaluate(arch))
    return History(archs, np.array(values))


# ------------------------------------------------------------------------------------------ slice_kernel


def _sized(weight, size, transform):
    k = weight.shape[-1]
    if not 0 < size <= k or (k - size) % 2 or (transform is not None and transform.shape != (size**2,) * 2):
        raise ValueError(f"size and transform must fit a kernel of {k}, got {size}")
    return (k - size) // 2


@alternative("slice_kernel")
def kernel_by_padding(weight, size, transform=None):
    margin = _sized(weight, size, transform)
    centre = F.pad(weight, (-margin,) * 4)
    if transform is None:
        return centre
    return F.linear(centre.reshape(*centre.shape[:2], -1), transform.t()).reshape(centre.shape)


@alternative("slice_kernel")
def kernel_by_einsum(weight, size, transform=None):
    margin = _sized(weight, size, transform)
    centre = weight.narrow(2, margin, size).narrow(3, margin, size)
    if transform is None:
        return centre.clone()
    matrix = transform.reshape(size, size, size, size)
    return torch.einsum("oiab,abcd->oicd", centre, matrix)


def _kernel(name, concept, formula):
    def implementation(weight, size, transform=None):
        margin = _sized(weight, size, transform)
        return formula(weight, size, transform, margin)

    wrong("slice_kernel", name, concept, implementation)


def _times(centre, transform):
    return centre if transform is None else (centre.flatten(2) @ transform).reshape(centre.shape)


def _cut(weight, size, margin):
    return weight[:, :, margin : margin + size, margin : margin + size]


_kernel("kernel_of_the_corner", "corner", lambda w, size, t, m: _times(w[:, :, :size, :size], t))
_kernel("kernel_without_the_matrix", "ignores-the-transform", lambda w, size, t, m: _cut(w, size, m))
_kernel(
    "kernel_transposed",
    "transposed-matrix",
    lambda w, size, t, m: _times(_cut(w, size, m), None if t is None else t.T),
)
_kernel("kernel_detached", "no-gradient", lambda w, size, t, m: _times(_cut(w.detach(), size, m), t))
_kernel(
    "kernel_of_data",
    "no-gradient",
    lambda w, size, t, m: _times(_cut(w, size, m), None if t is None else t.data),
)
_kernel(
    "kernel_resized",
    "wrong-kernels",
    lambda w, size, t, m: _times(F.interpolate(w, size=(size, size), mode="bilinear"), t),
)
_kernel("kernel_flat", "wrong-shape", lambda w, size, t, m: _times(_cut(w, size, m), t).flatten(2))


_kernel("kernel_to_minus_margin", "empty-cut", lambda w, size, t, m: _times(w[:, :, m:-m, m:-m], t))
_kernel("kernel_one_further", "off-by-one", lambda w, size, t, m: _times(_cut(w, size, m + 1), t))
_kernel("kernel_on_its_side", "swapped", lambda w, size, t, m: _times(_cut(w, size, m), t).transpose(2, 3))
_kernel(
    "kernel_of_the_same_size_as_it_is",
    "ignores-the-transform",
    lambda w, size, t, m: w if m == 0 else _times(_cut(w, size, m), t),
)


@mutant("slice_kernel", concept="accepts-bad-input")
def kernel_without_checks(weight, size, transform=None):
    first = max(0, (weight.shape[-1] - size) // 2)
    centre = weight[:, :, first : first + size, first : first + size]
    if transform is None:
        return centre
    rows, columns = centre.flatten(2), transform[: size**2, : size**2]
    return torch.einsum("oip,pq->oiq", rows, columns).reshape(centre.shape)


# ------------------------------------------------------------------------------------------- slice_width


def _width(weight, width, importance):
    if not 0 < width <= len(weight) or importance.shape != (len(weight),) or importance.isnan().any():
        raise ValueError(f"width and importance must fit {len(weight)} rows, got {width}, {importance}")


@alternative("slice_width")
def width_by_sorting_pairs(weight, width, importance):
    _width(weight, width, importance)
    order = sorted(range(len(weight)), key=lambda i: (-float(importance[i]), i))[:width]
    return torch.stack([weight[i] for i in order]), order


@alternative("slice_width")
def width_by_lexsort(weight, width, importance):
    _width(weight, width, importance)
    order = np.lexsort((np.arange(len(weight)), -importance.numpy()))[:width].copy()
    return torch.index_select(weight, 0, torch.from_numpy(order)), order


def _wide(name, concept, order, kept=None):
    def implementation(weight, width, importance):
        _width(weight, width, importance)
        indices = order(weight, importance)[:width].clone()
        return (kept or (lambda weight, indices: weight[indices]))(weight, indices), indices

    wrong("slice_width", name, concept, implementation)


def _falling(weight, importance):
    return torch.argsort(importance, descending=True, stable=True)


_wide("width_of_the_least", "least-important", lambda w, i: torch.argsort(i, stable=True))
_wide("width_that_flips", "ties-reversed", lambda w, i: torch.argsort(i, stable=True).flip(0))
_wide("width_of_the_first", "ignores-importance", lambda w, i: torch.arange(len(w)))
_wide(
    "width_by_size",
    "own-importance",
    lambda w, i: torch.argsort(w.detach().abs().flatten(1).sum(1), descending=True, stable=True),
)
_wide("width_of_absolutes", "absolute-importance", lambda w, i: _falling(w, i.abs()))
_wide("width_detached", "no-gradient", _falling, lambda weight, indices: weight.detach()[indices])
_wide("width_of_other_rows", "mismatched-rows", _falling, lambda weight, indices: weight[indices.flip(0)])


_wide("width_by_ranks", "ranks-not-indices", lambda w, i: torch.argsort(_falling(w, i)))
_wide("width_by_topk", "ties-reversed", lambda w, i: torch.topk(i, len(i)).indices)


@mutant("slice_width", concept="values-not-indices")
def width_with_importances(weight, width, importance):
    _width(weight, width, importance)
    values, indices = torch.sort(importance, descending=True, stable=True)
    return weight[indices[:width]], values[:width]


@mutant("slice_width", concept="swapped")
def width_with_indices_first(weight, width, importance):
    _width(weight, width, importance)
    indices = _falling(weight, importance)[:width]
    return indices, weight[indices]


@mutant("slice_width", concept="mutates-input")
def width_by_crossing_out(weight, width, importance):
    """Takes the maximum again and again, and marks what it has taken in the caller's own importances."""
    _width(weight, width, importance)
    order = []
    for _ in range(width):
        order.append(int(torch.argmax(importance)))
        importance[order[-1]] = -math.inf
    return weight[order], order


@mutant("slice_width", concept="in-index-order")
def width_in_order(weight, width, importance):
    _width(weight, width, importance)
    indices = _falling(weight, importance)[:width].sort().values
    return weight[indices], indices


@mutant("slice_width", concept="least-important-first")
def width_upside_down(weight, width, importance):
    _width(weight, width, importance)
    indices = _falling(weight, importance)[:width].flip(0)
    return weight[indices], indices


@mutant("slice_width", concept="accepts-bad-input")
def width_without_checks(weight, width, importance):
    indices = _falling(weight, importance)[:width]
    return weight[indices], indices


# ------------------------------------------------------------------------- progressive_shrinking_schedule


def _begun(step, phases):
    if step < 0 or not any(first <= step for first, _ in phases):
        raise ValueError(f"step must be 0 or more with a phase begun, got {step}")


@alternative("progressive_shrinking_schedule")
def schedule_of_sets(step, phases):
    _begun(step, phases)
    names = {name for first, options in phases if first <= step for name in options}
    return {
        name: {one for first, options in phases if first <= step for one in options.get(name, ())}
        for name in names
    }


@alternative("progressive_shrinking_schedule")
def schedule_in_order_of_opening(step, phases):
    _begun(step, phases)
    allowed = {}
    for first, options in sorted(phases, key=lambda phase: phase[0]):
        if first > step:
            break
        for name, values in options.items():
            allowed[name] = [*allowed.get(name, []), *(v for v in values if v not in allowed.get(name, []))]
    return allowed


def _schedule(
    name, concept, begun=lambda first, step: first <= step, latest=False, replace=False, repeat=False
):
    def implementation(step, phases):
        _begun(step, phases)
        allowed = {}
        chosen = sorted((phase for phase in phases if begun(phase[0], step)), key=lambda phase: phase[0])
        for _, options in chosen[-1:] if latest else chosen:
            for decision, values in options.items():
                before = [] if replace else allowed.get(decision, [])
                allowed[decision] = before + [v for v in values if repeat or v not in before]
        return allowed

    wrong("progressive_shrinking_schedule", name, concept, implementation)


_schedule("schedule_of_everything", "all-at-once", begun=lambda first, step: True)
_schedule("schedule_that_is_late", "one-step-late", begun=lambda first, step: first < step or first == 0)
_schedule("schedule_of_the_latest", "forgets-earlier-phases", latest=True)
_schedule("schedule_that_replaces", "replaces-options", replace=True)
_schedule("schedule_that_repeats", "repeats-options", repeat=True)


@mutant("progressive_shrinking_schedule", concept="needs-sorted-phases")
def schedule_that_stops_early(step, phases):
    _begun(step, phases)
    allowed = {}
    for first, options in phases:
        if first > step:
            break
        for name, values in options.items():
            allowed.setdefault(name, set()).update(values)
    return allowed


@alternative("progressive_shrinking_schedule")
def schedule_of_arrays(step, phases):
    _begun(step, phases)
    allowed = {}
    for options in (options for first, options in phases if first <= step):
        for name, values in options.items():
            allowed[name] = np.union1d(allowed.get(name, values), values)
    return allowed


@mutant("progressive_shrinking_schedule", concept="loses-a-phase")
def schedule_by_first_step(step, phases):
    _begun(step, phases)
    allowed = {}
    for first, options in dict(phases).items():
        for name, values in options.items() if first <= step else ():
            allowed.setdefault(name, set()).update(values)
    return allowed


@mutant("progressive_shrinking_schedule", concept="raises")
def schedule_by_sorting_pairs(step, phases):
    """Where two phases begin together, tuples are compared by what comes second."""
    _begun(step, phases)
    allowed = {}
    for _, options in (phase for phase in sorted(phases) if phase[0] <= step):
        for name, values in options.items():
            allowed.setdefault(name, set()).update(values)
    return allowed


@mutant("progressive_shrinking_schedule", concept="drops-new-decisions")
def schedule_of_the_first_names(step, phases):
    _begun(step, phases)
    allowed = {name: set() for name in min(phases, key=lambda phase: phase[0])[1]}
    for name, values in allowed.items():
        for _, options in (phase for phase in phases if phase[0] <= step):
            values.update(options.get(name, ()))
    return allowed


@mutant("progressive_shrinking_schedule", concept="mutates-input")
def schedule_that_sorts_in_place(step, phases):
    _begun(step, phases)
    phases.sort(key=lambda phase: phase[0])
    return schedule_in_order_of_opening(step, phases)


@mutant("progressive_shrinking_schedule", concept="mutates-input")
def schedule_in_place(step, phases):
    _begun(step, phases)
    allowed = {}
    for first, options in phases:
        if first <= step:
            for name, values in options.items():
                if name in allowed:
                    allowed[name] += [v for v in values if v not in allowed[name]]
                else:
                    allowed[name] = values  # the phase's own list, which grows later
    return {name: list(values) for name, values in allowed.items()}


@mutant("progressive_shrinking_schedule", concept="accepts-bad-input")
def schedule_without_checks(step, phases):
    allowed = {}
    for first, options in phases:
        if first <= step:
            for name, values in options.items():
                allowed.setdefault(name, set()).update(values)
    return allowed


# -------------------------------------------------------------------------------------- distillation_loss


def _distillable(student, teacher, temperature, weight):
    if student.shape != teacher.shape or temperature <= 0 or not 0 <= weight <= 1:
        raise ValueError(f"shapes, temperature and weight must be right, got {temperature}, {weight}")


@alternative("distillation_loss")
def distil_by_cross_entropies(student, teacher, labels, temperature, weight):
    _distillable(student, teacher, temperature, weight)
    p = (teacher.detach() / temperature).softmax(1)
    soft = F.cross_entropy(student / temperature, p) - F.cross_entropy(teacher.detach() / temperature, p)
    return torch.lerp(F.cross_entropy(student, labels), temperature * temperature * soft, weight)


@alternative("distillation_loss")
def distil_by_hand(student, teacher, labels, temperature, weight):
    _distillable(student, teacher, temperature, weight)

    def log_p(logits):
        return logits - logits.logsumexp(1, keepdim=True)

    p, q = log_p(teacher.data / temperature), log_p(student / temperature)
    soft = ((p - q) * p.exp()).sum() * temperature**2 / len(labels)
    return weight * soft - (1 - weight) * log_p(student).gather(1, labels[:, None]).mean()


def _distil(name, concept, mix):
    """`mix(hard, kl, s, t, T, w)`; kl(p_logits, q_logits, reduction) is the divergence of two softmaxes."""

    def implementation(student, teacher, labels, temperature, weight):
        _distillable(student, teacher, temperature, weight)

        def kl(p, q, reduction="batchmean"):
            return F.kl_div(q.log_softmax(1), p.log_softmax(1), reduction=reduction, log_target=True)

        def hard(logits):
            return F.cross_entropy(logits, labels)

        return mix(hard, kl, student, teacher.detach(), temperature, weight)

    wrong("distillation_loss", name, concept, implementation)


_distil(
    "distil_without_the_square",
    "no-temperature-squared",
    lambda h, kl, s, t, T, w: (1 - w) * h(s) + w * kl(t / T, s / T),
)
_distil(
    "distil_with_one_factor",
    "no-temperature-squared",
    lambda h, kl, s, t, T, w: (1 - w) * h(s) + w * T * kl(t / T, s / T),
)
_distil(
    "distil_reversed",
    "reversed-divergence",
    lambda h, kl, s, t, T, w: (1 - w) * h(s) + w * T * T * kl(s / T, t / T),
)
_distil(
    "distil_swapped",
    "swapped-shares",
    lambda h, kl, s, t, T, w: w * h(s) + (1 - w) * T * T * kl(t / T, s / T),
)
_distil("distil_on_top", "labels-count-fully", lambda h, kl, s, t, T, w: h(s) + w * T * T * kl(t / T, s / T))
_distil(
    "distil_hard_teacher",
    "teacher-not-softened",
    lambda h, kl, s, t, T, w: (1 - w) * h(s) + w * T * T * kl(t, s / T),
)
_distil(
    "distil_hard_student",
    "student-not-softened",
    lambda h, kl, s, t, T, w: (1 - w) * h(s) + w * T * T * kl(t / T, s),
)
_distil("distil_cold", "no-temperature", lambda h, kl, s, t, T, w: (1 - w) * h(s) + w * T * T * kl(t, s))
_distil(
    "distil_soft_labels",
    "labels-softened",
    lambda h, kl, s, t, T, w: (1 - w) * h(s / T) + w * T * T * kl(t / T, s / T),
)
_distil(
    "distil_averaged",
    "averaged-over-classes",
    lambda h, kl, s, t, T, w: (1 - w) * h(s) + w * T * T * kl(t / T, s / T, "none").mean(),
)
_distil(
    "distil_summed",
    "sum-not-mean",
    lambda h, kl, s, t, T, w: (1 - w) * h(s) + w * T * T * kl(t / T, s / T, "sum"),
)
_distil(
    "distil_by_cross_entropy",
    "cross-entropy-not-divergence",
    lambda h, kl, s, t, T, w: (1 - w) * h(s) + w * T * T * F.cross_entropy(s / T, (t / T).softmax(1)),
)
_distil(
    "distil_detached",
    "no-gradient",
    lambda h, kl, s, t, T, w: ((1 - w) * h(s) + w * T * T * kl(t / T, s / T)).detach(),
)


_distil(
    "distil_with_logs_as_target",
    "log-of-the-target",
    lambda h, kl, s, t, T, w: (
        (1 - w) * h(s)
        + w * T * T * F.kl_div((s / T).log_softmax(1), (t / T).log_softmax(1), reduction="batchmean")
    ),
)
_distil(
    "distil_probabilities",
    "log-of-the-target",
    lambda h, kl, s, t, T, w: (
        (1 - w) * h(s) + w * T * T * F.kl_div((s / T).softmax(1), (t / T).softmax(1), reduction="batchmean")
    ),
)
_distil(
    "distil_sharpened",
    "multiplied-by-temperature",
    lambda h, kl, s, t, T, w: (1 - w) * h(s) + w * T * T * kl(t * T, s * T),
)
_distil(
    "distil_with_the_square_on_both",
    "square-on-both",
    lambda h, kl, s, t, T, w: T * T * ((1 - w) * h(s) + w * kl(t / T, s / T)),
)
_distil(
    "distil_divided",
    "divided-by-square",
    lambda h, kl, s, t, T, w: (1 - w) * h(s) + w / T**2 * kl(t / T, s / T),
)
_distil(
    "distil_over_images",
    "softmax-over-images",
    lambda h, kl, s, t, T, w: (1 - w) * h(s) + w * T * T * kl(t.T / T, s.T / T, "sum") / len(s),
)


@mutant("distillation_loss", concept="inexact")
def distil_with_small_constants(student, teacher, labels, temperature, weight):
    _distillable(student, teacher, temperature, weight)
    p, q = (torch.softmax(logits / temperature, 1) for logits in (teacher.detach(), student))
    soft = (p * ((p + 1e-8).log() - (q + 1e-8).log())).sum(1).mean()
    return (1 - weight) * F.cross_entropy(student, labels) + weight * temperature**2 * soft


@mutant("distillation_loss", concept="trains-the-teacher")
def distil_both(student, teacher, labels, temperature, weight):
    _distillable(student, teacher, temperature, weight)
    log_p, log_q = (logits.div(temperature).log_softmax(1) for logits in (teacher, student))
    soft = (log_p.exp() * (log_p - log_q)).sum(1).mean()
    return (1 - weight) * F.cross_entropy(student, labels) + weight * temperature**2 * soft


@mutant("distillation_loss", concept="overflow")
def distil_by_logs_of_softmax(student, teacher, labels, temperature, weight):
    _distillable(student, teacher, temperature, weight)
    p, q = (torch.softmax(logits / temperature, 1) for logits in (teacher.detach(), student))
    soft = (p * (p.log() - q.log())).sum(1).mean()
    return (1 - weight) * F.cross_entropy(student, labels) + weight * temperature**2 * soft


@mutant("distillation_loss", concept="accepts-bad-input")
def distil_without_checks(student, teacher, labels, temperature, weight):
    log_p = F.log_softmax(teacher.detach() / temperature, 1)
    soft = F.kl_div(F.log_softmax(student / temperature, 1), log_p, reduction="batchmean", log_target=True)
    return (1 - weight) * F.cross_entropy(student, labels) + weight * temperature**2 * soft
