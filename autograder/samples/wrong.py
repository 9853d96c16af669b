"""Wrong answers of the bundled samples: one for each exercise, each a mistake that learners make.

`right_in_part` holds answers that earn a part of the points. They run in a lesson's notebook, whose setup cell imports
numpy, and torch where it is used.
"""

# mypy: ignore-errors

import math
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

# ---- 00_start_here


def cell_index(arch):
    number = 0
    for name in reversed(arch):
        number = number * len(OPS) + OPS.index(name)
    return number


def cell_from_index(i):
    names = []
    for _ in EDGES:
        i, digit = divmod(i, len(OPS))
        names.append(OPS[digit])
    return tuple(names)


def count_active_ops(arch):
    return sum(name != "none" for name in arch)


# ---- 01_random_search


def sample_uniform(space, rng):
    return tuple(options[0] for options in space.choices)


def random_search(objective, space, budget, rng):
    archs = [space.sample(rng) for _ in range(budget)]
    return History(archs, np.sort([objective(arch) for arch in archs]))


def incumbent_curve(values):
    return max(values)


def simple_regret(values, best):
    return best - np.asarray(values, dtype=float)


def samples_for_top_fraction(fraction, confidence):
    return int(1 / fraction)


def paired_bootstrap(a, b, rng, resamples=10_000):
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    spread = 1.96 * (a - b).std()
    return float((a - b).mean()), (float((a - b).mean() - spread), float((a - b).mean() + spread))


# ---- 02_evolution_and_early_stopping


def hill_climb(objective, space, budget, rng):
    archs = [space.sample(rng)]
    values = [objective(archs[0])]
    for _ in range(budget - 1):
        arch = space.mutate(archs[-1], rng)
        value = objective(arch)
        if value > values[-1]:
            archs.append(arch)
            values.append(value)
    return History(archs, np.array(values))


def regularized_evolution(objective, space, budget, population, sample, rng):
    archs = [space.sample(rng) for _ in range(population)]
    values = [objective(arch) for arch in archs]
    alive = list(range(population))
    while len(archs) < budget:
        parent = max(rng.choice(alive, size=sample), key=lambda one: values[one])
        archs.append(space.mutate(archs[parent], rng))
        values.append(objective(archs[-1]))
        alive.remove(min(alive, key=lambda one: values[one]))
        alive.append(len(archs) - 1)
    return History(archs, np.array(values))


def successive_halving(train_to, configs, eta, min_epochs, max_epochs):
    trials = [(config, max_epochs, train_to(config, max_epochs)) for config in configs]
    return max(trials, key=lambda trial: trial[2])[0], trials


def spearman(a, b):
    return float(np.corrcoef(a, b)[0, 1])


def kendall_tau(a, b):
    a, b = np.asarray(a), np.asarray(b)
    agree = [(a[i] > a[j]) == (b[i] > b[j]) for i in range(len(a)) for j in range(i)]
    return 2 * float(np.mean(agree)) - 1


def synflow_score(net, input_shape):
    net.zero_grad()
    net(torch.ones(1, *input_shape)).sum().backward()
    return float(sum((p * p.grad).abs().sum() for p in net.parameters()))


def grad_norm_score(net, x, y):
    F.cross_entropy(net(x), y).backward()
    return float(sum((p.grad**2).sum() for p in net.parameters()) ** 0.5)


# ---- 03_rl_controller


def exact_policy_gradient(logits, rewards):
    return torch.softmax(logits, 0) * rewards


def reinforce_loss(log_probs, rewards, baseline, entropies, entropy_weight):
    return ((rewards - baseline) * log_probs).mean() + entropy_weight * entropies.mean()


def ema_baseline(rewards, decay):
    baseline, b = [], 0.0
    for reward in rewards:
        b = decay * b + (1 - decay) * reward
        baseline.append(b)
    return np.array(baseline)


class Controller(nn.Module):
    def __init__(self, choices, hidden=64, embedding=32):
        super().__init__()
        self.head = nn.ModuleList([nn.Linear(1, len(options)) for options in choices])

    def sample(self, n, generator):
        one = torch.ones(n, 1)
        actions = torch.stack([head(one).argmax(1) for head in self.head], dim=1)
        return actions, self.log_prob(actions), torch.zeros(n)

    def log_prob(self, actions):
        one = torch.ones(len(actions), 1)
        parts = [head(one).log_softmax(1) for head in self.head]
        return sum(part.gather(1, actions[:, t : t + 1])[:, 0] for t, part in enumerate(parts))


def discounted_returns(rewards, gamma):
    return np.cumsum(np.asarray(rewards)[::-1])[::-1]


# ---- 04_darts


def mixed_op(outputs, alphas):
    return sum(alpha * one for alpha, one in zip(alphas, outputs))


class CellSupernet(nn.Module):
    def __init__(self, channels, alphas):
        super().__init__()
        if channels < 1 or alphas.shape != (len(EDGES), len(OPS)):
            raise ValueError(f"channels and alphas do not fit: {channels!r}, {tuple(alphas.shape)}")
        self.alphas = alphas
        self.edges = nn.ModuleList(nn.ModuleList(OPERATIONS[op](channels, 1) for op in OPS) for _ in EDGES)

    def forward(self, x):
        nodes = [x, 0, 0, 0]
        weights = torch.softmax(self.alphas, dim=0)
        for (source, target), operations, row in zip(EDGES, self.edges, weights):
            nodes[target] = nodes[target] + sum(p * op(nodes[source]) for p, op in zip(row, operations))
        return nodes[3]


def discretize(alphas, exclude_none=True):
    first = 1 if exclude_none else 0
    return tuple(OPS[int(i)] for i in alphas[:, first:].argmax(dim=1))


def weight_step(model, loss_fn, batch, optimizer):
    loss = loss_fn(model(batch[0]), batch[1])
    loss.backward()
    optimizer.step()
    return loss.item()


def alpha_step_first_order(model, loss_fn, valid_batch, alpha_optimizer):
    loss = loss_fn(model(valid_batch[0]), valid_batch[1])
    with torch.no_grad():
        for alpha, slope in zip(model.alphas(), gradients(loss, model.alphas())):
            alpha -= 0.01 * slope
    return loss.item()


def alpha_step_second_order(model, loss_fn, train_batch, valid_batch, alpha_optimizer, weight_lr, eps=0.01):
    loss = loss_fn(model(valid_batch[0]), valid_batch[1])
    for alpha, slope in zip(model.alphas(), gradients(loss, model.alphas())):
        alpha.grad = slope
    alpha_optimizer.step()
    return loss.item()


def gumbel_softmax_sample(logits, tau, generator, hard=False):
    return F.gumbel_softmax(logits, tau, hard)


# ---- 05_supernet


def sample_path(choices, rng):
    i = int(rng.integers(min(len(options) for options in choices)))
    return tuple(options[i] for options in choices)


def fair_paths(choices, rng):
    return [tuple(options[int(rng.integers(len(options)))] for options in choices) for _ in choices[0]]


def train_single_path_step(supernet, batch, optimizer, path):
    loss = F.cross_entropy(supernet(batch[0], path), batch[1])
    loss.backward()
    optimizer.step()
    return loss.item()


def recalibrate_bn(supernet, path, batches):
    supernet.train()
    with torch.no_grad():
        for x, _ in batches:
            supernet(x, path)


def rank_correlation(scores, truth, top=None):
    from scipy import stats

    scores, truth = np.asarray(scores), np.asarray(truth)
    if top is not None:
        best = np.argsort(scores)[-math.ceil(top * len(scores)) :]
        scores, truth = scores[best], truth[best]
    return float(stats.spearmanr(scores, truth).statistic)


def evolve_under_constraint(evaluate, cost, limit, space, budget, population, rng):
    archs = [space.sample(rng) for _ in range(budget)]
    return History(archs, np.array([evaluate(arch) - max(0, cost(arch) - limit) for arch in archs]))


def slice_kernel(weight, size, transform=None):
    return weight[:, :, :size, :size]


def slice_width(weight, width, importance):
    indices = torch.argsort(importance)[:width]
    return weight[indices], indices


def progressive_shrinking_schedule(step, phases):
    return [options for first, options in phases if first <= step][-1]


def distillation_loss(student, teacher, labels, temperature, weight):
    hard = F.cross_entropy(student, labels)
    soft = F.kl_div((student / temperature).log_softmax(1), (teacher / temperature).softmax(1))
    return weight * hard + (1 - weight) * soft


# ---- 06_hardware_aware


def benchmark_latency(fn, warmup, repeats, synchronize=None, clock=time.perf_counter):
    start = clock()
    for _ in range(warmup + repeats):
        fn()
    mean = (clock() - start) / (warmup + repeats)
    return mean, mean, mean


def latency_table(ops, shapes, measure):
    return {op: measure(op, shape) for op in ops for shape in shapes}


def predict_latency(keys, table, overhead=0.0):
    return sum(table[key] + overhead for key in keys)


def roofline_latency(macs, bytes_moved, device):
    return macs / device.peak + bytes_moved / device.bandwidth + device.overhead


def mnasnet_reward(accuracy, latency, target, alpha=-0.07, beta=-0.07):
    return accuracy * (latency / target) ** -0.07


def pareto_front(accuracy, latency):
    points = list(zip(accuracy, latency))
    return [i for i, (a, t) in enumerate(points) if not any(b > a and s < t for b, s in points)]


def hypervolume_2d(accuracy, latency, reference):
    return float(sum((a - reference[0]) * (reference[1] - t) for a, t in zip(accuracy, latency)))


def fake_quantize(x, bits, per_channel=False):
    scale = x.abs().max() / 2 ** (bits - 1)
    return torch.round(x / scale) * scale


def search_bits(evaluate, size, archs, bit_choices, size_limit, budget, rng):
    best = max(archs, key=lambda arch: evaluate(arch, max(bit_choices)))
    bits = max(bits for bits in bit_choices if size(best, bits) <= size_limit)
    return (best, bits), History([(best, bits)], np.array([evaluate(best, bits)]))


# ---- 07_compound_scaling


def scaled_cost(alpha, beta, gamma, phi):
    return (alpha * beta * gamma) ** phi


def round_filters(filters, width, divisor=8):
    return int(filters * width) // divisor * divisor


def round_repeats(repeats, depth):
    return round(repeats * depth)


def efficientnet_stages(variant, filters=None, repeats=None):
    return [stage[:6] for stage in B0.stages]


class MBConv(nn.Module):
    def __init__(self, in_channels, out_channels, kernel, stride, expand, se_ratio, drop_rate):
        super().__init__()
        hidden, squeezed = in_channels * expand, max(1, int(in_channels * se_ratio))
        self.expand = conv_norm(in_channels, hidden, 1) if expand != 1 else nn.Identity()
        self.depthwise = conv_norm(hidden, hidden, kernel, stride, groups=hidden)
        self.reduce = nn.Conv2d(hidden, squeezed, 1)
        self.restore = nn.Conv2d(squeezed, hidden, 1)
        self.project = conv_norm(hidden, out_channels, 1, act=False)

    def forward(self, x):
        return self.project(self.depthwise(self.expand(x)))


class FusedMBConv(nn.Module):
    def __init__(self, in_channels, out_channels, kernel, stride, expand, drop_rate):
        super().__init__()
        hidden = in_channels * expand if expand != 1 else out_channels
        self.fused = conv_norm(in_channels, hidden, kernel, stride)
        self.project = conv_norm(hidden, out_channels, 1, act=False) if expand != 1 else nn.Identity()

    def forward(self, x):
        return self.project(self.fused(x))


def grid_search_coefficients(evaluate, step, tolerance, limit=2.0):
    return (1.2, 1.1, 1.15)


def mixup(x, y, alpha, rng, classes):
    share, partner = float(rng.beta(alpha, alpha)), torch.from_numpy(rng.permutation(len(x)))
    return share * x + (1 - share) * x[partner], F.one_hot(y, classes)


def rand_augment(image, n, m, rng):
    for name in rng.choice(list(OPERATIONS), size=n):
        image = apply_operation(image, name, m / 30)
    return image


def progressive_schedule(stage, stages, resolution, magnitude):
    low, high = resolution
    return low + (high - low) * stage // stages, magnitude[1] * stage / stages


class right_in_part:
    def cell_index(arch):
        number = 0
        for name in arch:
            number = number * len(OPS) + OPS.index(name)
        return number

    def incumbent_curve(values):
        return np.maximum.accumulate(np.asarray(values, dtype=float))

    def spearman(a, b):
        ranks = [
            [np.less(v, one).sum() + np.equal(v, one).sum() / 2 for one in v] for v in map(np.asarray, (a, b))
        ]
        return np.corrcoef(*ranks)[0, 1]

    def latency_table(ops, shapes, measure):
        return {(op, shape): measure(op, shape) for op in ops for shape in shapes}

    def reinforce_loss(log_probs, rewards, baseline, entropies, entropy_weight):
        advantages = torch.as_tensor(rewards - baseline).detach()
        return -(advantages * log_probs).mean() - entropy_weight * entropies.mean()

    def mixed_op(outputs, alphas):
        return sum(p * one for p, one in zip(torch.softmax(alphas, 0), outputs))

    def alpha_step_first_order(model, loss_fn, valid_batch, alpha_optimizer):
        loss = loss_fn(model(valid_batch[0]), valid_batch[1])
        if not torch.isfinite(loss):
            raise ValueError(f"loss must be finite, got {loss}")
        alpha_optimizer.zero_grad()
        loss.backward()
        alpha_optimizer.step()
        return loss.item()

    def rank_correlation(scores, truth, top=None):
        from scipy import stats

        if top is not None:
            best = truth >= np.sort(truth)[-math.ceil(top * len(truth))]
            scores, truth = scores[best], truth[best]
        return float(stats.kendalltau(scores, truth).statistic)

    def slice_kernel(weight, size, transform=None):
        margin = (weight.shape[-1] - size) // 2
        centre = weight[:, :, margin : margin + size, margin : margin + size]
        return centre if transform is None else (centre.flatten(2) @ transform).reshape(centre.shape)

    def round_filters(filters, width, divisor=8):
        wanted = filters * width
        rounded = max(divisor, int(wanted + divisor / 2) // divisor * divisor)
        return rounded + divisor if rounded < 0.9 * wanted else rounded

    def progressive_schedule(stage, stages, resolution, magnitude):
        share = stage / (stages - 1) if stages > 1 else 1.0
        side, strength = (low + (high - low) * share for low, high in (resolution, magnitude))
        return round(side), strength
