"""Wrong answers of the bundled samples: one for each exercise, each a mistake that learners make.

`right_in_part` holds answers that earn a part of the points. They run in a lesson's notebook, whose setup cell imports
numpy, and torch where it is used.
"""

# mypy: ignore-errors

import numpy as np
import torch
from torch import nn

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


class right_in_part:
    def cell_index(arch):
        number = 0
        for name in arch:
            number = number * len(OPS) + OPS.index(name)
        return number

    def incumbent_curve(values):
        return np.maximum.accumulate(np.asarray(values, dtype=float))

    def reinforce_loss(log_probs, rewards, baseline, entropies, entropy_weight):
        advantages = torch.as_tensor(rewards - baseline).detach()
        return -(advantages * log_probs).mean() - entropy_weight * entropies.mean()
