"""Wrong and right implementations of lesson 03's exercises."""

# Learners write no type hints, and some of these are wrong about types on purpose.
# mypy: ignore-errors

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import signal, special
from torch import nn

from autograder.gate.concepts import says
from autograder.gate.registry import alternative, mutant

says(
    {
        "wrong-sign": r"the sign is reversed|entropies are negative",
        "no-expected-reward": r"the softmax couples them",
        "no-probability": r"rarely chosen moves the expected reward little",
        "by-probability": r"derivative by the \*probabilities\*",
        "wrong-mean": r"the mean under the policy",
        "diagonal-only": r"only the diagonal",
        "value-not-gradient": r"not its gradient|gradient has an entry for each logit",
        "divided": r"nothing has to be divided",
        "jacobian": r"a matrix of derivatives",
        "tensors-only": r"any sequence will do",
        "wrong-gradient": r"the gradient is \[.*\], not|the gradient says .* really changes by",
        "overflow": r"exp overflows",
        "sum-not-mean": r"the sum over the batch, not the mean|summed, not averaged",
        "no-baseline": r"the baseline is not subtracted",
        "adds-the-baseline": r"the baseline is added",
        "mean-before-product": r"multiply first and take the mean last|whatever its own reward",
        "own-baseline": r"subtracted instead of `baseline`",
        "rescaled": r"shifted or rescaled",
        "probability-not-log": r"weighs the probability",
        "penalises-entropy": r"the entropy is punished",
        "no-entropy": r"the entropy does not count",
        "ignores-the-weight": r"`entropy_weight` is not used",
        "not-averaged": r"not an array .*: take the mean",
        "broadcasting": r"two shapes were broadcast",
        "no-gradient": r"no gradient arrives|log_prob comes without a gradient",
        "wrong-weights": r"−\(R − b\)/n would be",
        "wrong-loss": r"gradients are right, the loss is not",
        "gradient-through-the-advantage": r"a gradient runs through R − b",
        "sees-its-own-reward": r"the baseline at t contains reward t",
        "starts-at-the-first-reward": r"b\[0\] is rewards\[0\]",
        "swapped-weights": r"`decay` is the share of the \*old\* value",
        "unweighted": r"the new reward counts fully",
        "bias-corrected": r"corrected away",
        "plain-mean": r"the plain mean of the earlier rewards",
        "last-reward": r"the reward before, not an average",
        "too-late": r"the baseline lags",
        "advantage-not-baseline": r"rewards minus the baseline",
        "one-too-many": r"one per reward, no more",
        "wrong-values": r"entry \d+ is .*, should be",
        "changes-its-argument": r"the array of rewards was changed",
        "runs-forward": r"sums the \*past\*",
        "discounted-from-the-start": r"discounted from step 0 on",
        "misses-its-own-reward": r"reward of step t itself is missing",
        "one-power-too-many": r"itself has the weight gamma",
        "ignores-gamma": r"`gamma` is not used",
        "one-return-for-all": r"every step gets the return of the first",
        "back-to-front": r"come out in reverse",
        "no-sum": r"a return is a \*sum\*",
        "next-reward-only": r"only the next reward",
        "averaged": r"a moving average|every row has the mean of the batch",
        "not-finite": r"(gives|holds) -?(nan|inf)",
        "not-summed": r"one entry per decision: sum",
        "mixes-rows": r"rows must not touch each other",
        "not-log": r"are probabilities: ",
        "mean-not-sum": r"means? over the decisions",
        "not-a-distribution": r"add up to .*, not to 1",
        "not-probabilities": r"multinomial needs probabilities",
        "ignores-earlier-decisions": r"no decision depends on those before",
        "forgets-the-state": r"the LSTM's state has to be carried",
        "merges-options": r"are the same to decision",
        "sample-without-gradient": r"sample's log_probs come without a gradient|a part of it is cut off",
        "sample-disagrees": r"sample says .* log_prob says",
        "greedy": r"always the most likely option",
        "ignores-generator": r"generators with the same seed give different samples",
        "biased-samples": r"came \d+ times in|samples are (less|more) likely than",
        "dependent-rows": r"pairs of rows are equal",
        "bits": r"entropies are in bits",
        "surprise-not-entropy": r"one sample of the entropy",
        "last-decision-only": r"only the last decision's entropy",
        "wrong-entropy": r"the entropies of \[",
        "entropy-without-gradient": r"the entropies come without their gradient",
    }
)

# ---------------------------------------------------------------------------------- exact_policy_gradient


def _checked(logits, rewards):
    logits, rewards = torch.as_tensor(logits), torch.as_tensor(rewards)
    if logits.shape != rewards.shape or logits.ndim != 1 or len(logits) == 0 or rewards.isnan().any():
        raise ValueError(f"logits and rewards must be equally many numbers, got {logits} and {rewards}")
    return logits.detach(), rewards


@alternative("exact_policy_gradient")
def by_autograd(logits, rewards):
    logits, rewards = _checked(logits, rewards)
    leaf = logits.clone().requires_grad_()
    return torch.autograd.grad((leaf.softmax(0) * rewards).sum(), leaf)[0]


@alternative("exact_policy_gradient")
def by_the_jacobian_in_numpy(logits, rewards):
    logits, rewards = (one.numpy() for one in _checked(logits, rewards))
    p = special.softmax(logits)
    return (np.diag(p) - np.outer(p, p)) @ rewards


@alternative("exact_policy_gradient")
def by_enumerating_the_score(logits, rewards):
    logits, rewards = _checked(logits, rewards)
    p = torch.softmax(logits, 0)
    total = torch.zeros_like(p)
    for action in range(len(p)):
        one_hot = torch.zeros_like(p)
        one_hot[action] = 1.0
        total += p[action] * rewards[action] * (one_hot - p)
    return total.tolist()


def _gradient(name, concept, formula, **checks):
    """A mutant of one line: `formula(p, rewards)`."""

    def wrong(logits, rewards):
        logits, rewards = _checked(logits, rewards)
        return formula(torch.softmax(logits, 0), rewards)

    wrong.__name__ = name
    mutant("exact_policy_gradient", concept=concept)(wrong)


_gradient("descends", "wrong-sign", lambda p, r: p * (p @ r - r))
_gradient("forgets_the_coupling", "no-expected-reward", lambda p, r: p * r)
_gradient("advantage_alone", "no-probability", lambda p, r: r - p @ r)
_gradient("by_probabilities", "by-probability", lambda p, r: r)
_gradient("plain_mean_as_baseline", "wrong-mean", lambda p, r: p * (r - r.mean()))
_gradient("diagonal_of_the_jacobian", "diagonal-only", lambda p, r: p * (1 - p) * r)
_gradient("the_value_for_each", "value-not-gradient", lambda p, r: (p @ r).expand(len(p)))
_gradient("the_value", "value-not-gradient", lambda p, r: float(p @ r))
_gradient("mean_over_the_options", "divided", lambda p, r: p * (r - p @ r) / len(p))
_gradient("the_whole_jacobian", "jacobian", lambda p, r: (torch.diag(p) - torch.outer(p, p)) * r)
_gradient("squared_chances", "wrong-gradient", lambda p, r: p * p * (r - p @ r))
_gradient("the_value_of_the_best", "wrong-gradient", lambda p, r: p * (r - r.max()))
_gradient("nothing", "returns-nothing", lambda p, r: None)


@mutant("exact_policy_gradient", concept="overflow")
def naive_softmax(logits, rewards):
    logits, rewards = _checked(logits, rewards)
    p = logits.exp() / logits.exp().sum()
    return p * (rewards - p @ rewards)


@mutant("exact_policy_gradient", concept="wrong-gradient")
def estimates_it(logits, rewards):
    logits, rewards = _checked(logits, rewards)
    p = torch.softmax(logits, 0)
    actions = torch.multinomial(p, 1000, replacement=True)
    scores = torch.eye(len(p), dtype=p.dtype)[actions] - p
    return (rewards[actions][:, None] * scores).mean(0)


@mutant("exact_policy_gradient", concept="tensors-only")
def knows_no_lists(logits, rewards):
    if logits.ndim != 1 or logits.shape != rewards.shape or len(logits) == 0 or rewards.isnan().any():
        raise ValueError(f"logits and rewards must be equally many numbers, got {logits} and {rewards}")
    p = torch.softmax(logits, 0)
    return p * (rewards - p @ rewards)


@mutant("exact_policy_gradient", concept="accepts-bad-input")
def takes_matrices(logits, rewards):
    logits, rewards = torch.as_tensor(logits), torch.as_tensor(rewards)
    if logits.shape != rewards.shape or logits.numel() == 0 or rewards.isnan().any():
        raise ValueError(f"logits and rewards must be equally many numbers, got {logits} and {rewards}")
    p = torch.softmax(logits, 0)
    return p * (rewards - (p * rewards).sum(0))


@mutant("exact_policy_gradient", concept="accepts-bad-input")
def checks_nothing(logits, rewards):
    logits, rewards = torch.as_tensor(logits), torch.as_tensor(rewards)
    p = torch.softmax(logits, 0)
    return p * (rewards - (p * rewards).sum())


# ----------------------------------------------------------------------------------------- reinforce_loss


def _same_shapes(log_probs, rewards, baseline, entropies):
    if log_probs.ndim != 1 or rewards.shape != log_probs.shape or entropies.shape != log_probs.shape:
        raise ValueError(f"rewards must have the shape {log_probs.shape}, got {rewards.shape}")
    if isinstance(baseline, torch.Tensor) and baseline.dim() and baseline.shape != rewards.shape:
        raise ValueError(f"baseline must be a number or of the shape {rewards.shape}, got {baseline.shape}")
    if torch.isnan(rewards).any():
        raise ValueError(f"rewards must be numbers, got {rewards}")


@alternative("reinforce_loss")
def by_a_dot_product(log_probs, rewards, baseline, entropies, entropy_weight):
    _same_shapes(log_probs, rewards, baseline, entropies)
    with torch.no_grad():
        advantages = rewards - baseline
    return -(torch.dot(advantages, log_probs) + entropy_weight * entropies.sum()) / len(log_probs)


@alternative("reinforce_loss")
def by_one_mean_of_shape_one(log_probs, rewards, baseline, entropies, entropy_weight):
    _same_shapes(log_probs, rewards, baseline, entropies)
    gains = (rewards - baseline).detach() * log_probs + entropy_weight * entropies
    return -gains.mean(dim=0, keepdim=True)


@alternative("reinforce_loss")
def by_a_loop(log_probs, rewards, baseline, entropies, entropy_weight):
    _same_shapes(log_probs, rewards, baseline, entropies)
    baselines = torch.as_tensor(baseline, dtype=rewards.dtype).detach().expand(len(rewards))
    loss = 0.0
    for log_p, reward, b, entropy in zip(log_probs, rewards.detach(), baselines, entropies):
        loss = loss - ((reward - b) * log_p + entropy_weight * entropy)
    return loss / len(rewards)


def _loss(name, concept, formula):
    """A mutant of one line: `formula(log_probs, advantages, rewards, baseline, entropies, weight)`."""

    def wrong(log_probs, rewards, baseline, entropies, entropy_weight):
        _same_shapes(log_probs, rewards, baseline, entropies)
        advantages = (rewards - baseline).detach()
        return formula(log_probs, advantages, rewards.detach(), baseline, entropies, entropy_weight)

    wrong.__name__ = name
    mutant("reinforce_loss", concept=concept)(wrong)


def _detached(baseline):
    return baseline.detach() if isinstance(baseline, torch.Tensor) else baseline


_loss("ascends", "wrong-sign", lambda lp, a, r, b, h, w: (a * lp).mean() - w * h.mean())
_loss("sums", "sum-not-mean", lambda lp, a, r, b, h, w: -(a * lp).sum() - w * h.mean())
_loss("sums_entropies", "sum-not-mean", lambda lp, a, r, b, h, w: -(a * lp).mean() - w * h.sum())
_loss("no_baseline", "no-baseline", lambda lp, a, r, b, h, w: -(r * lp).mean() - w * h.mean())
_loss(
    "baseline_after_the_product",
    "no-baseline",
    lambda lp, a, r, b, h, w: -(r * lp - _detached(b)).mean() - w * h.mean(),
)
_loss(
    "adds_the_baseline",
    "adds-the-baseline",
    lambda lp, a, r, b, h, w: -((r + _detached(b)) * lp).mean() - w * h.mean(),
)
_loss(
    "product_of_means",
    "mean-before-product",
    lambda lp, a, r, b, h, w: -a.mean() * lp.mean() - w * h.mean(),
)
_loss(
    "baseline_of_its_own",
    "own-baseline",
    lambda lp, a, r, b, h, w: -((r - r.mean()) * lp).mean() - w * h.mean(),
)
_loss(
    "standardises",
    "rescaled",
    lambda lp, a, r, b, h, w: -((a - a.mean()) / (a.std(correction=0) + 1e-8) * lp).mean() - w * h.mean(),
)
_loss(
    "weighs_chances", "probability-not-log", lambda lp, a, r, b, h, w: -(a * lp.exp()).mean() - w * h.mean()
)
_loss("punishes_entropy", "penalises-entropy", lambda lp, a, r, b, h, w: -(a * lp).mean() + w * h.mean())
_loss("no_entropy", "no-entropy", lambda lp, a, r, b, h, w: -(a * lp).mean())
_loss("entropy_detached", "no-entropy", lambda lp, a, r, b, h, w: -(a * lp).mean() - w * h.mean().detach())
_loss("no_weight", "ignores-the-weight", lambda lp, a, r, b, h, w: -(a * lp).mean() - h.mean())
_loss("no_mean_at_all", "not-averaged", lambda lp, a, r, b, h, w: -(a * lp) - w * h)
_loss("as_a_float", "no-gradient", lambda lp, a, r, b, h, w: float(-(a * lp).mean() - w * h.mean()))
_loss("log_probs_cut_off", "no-gradient", lambda lp, a, r, b, h, w: -(a * lp.detach()).mean() - w * h.mean())
_loss("absolute_advantages", "wrong-weights", lambda lp, a, r, b, h, w: -(a.abs() * lp).mean() - w * h.mean())
_loss("adds_a_constant", "wrong-loss", lambda lp, a, r, b, h, w: -(a * (lp + 1)).mean() - w * h.mean())
_loss(
    "broadcasts",
    "broadcasting",
    lambda lp, a, r, b, h, w: -(a[:, None] * lp[None, :]) - w * h.mean() if len(a) > 1 else -(a * lp) - w * h,
)


@mutant("reinforce_loss", concept="gradient-through-the-advantage")
def trains_the_baseline_too(log_probs, rewards, baseline, entropies, entropy_weight):
    _same_shapes(log_probs, rewards, baseline, entropies)
    return -((rewards - baseline) * log_probs).mean() - entropy_weight * entropies.mean()


@mutant("reinforce_loss", concept="accepts-bad-input")
def broadcasts_whatever_comes(log_probs, rewards, baseline, entropies, entropy_weight):
    advantages = torch.as_tensor(rewards - baseline).detach()
    return -(advantages * log_probs).mean() - entropy_weight * entropies.mean()


@mutant("reinforce_loss", concept="accepts-bad-input")
def looks_at_shapes_only(log_probs, rewards, baseline, entropies, entropy_weight):
    if log_probs.ndim != 1 or rewards.shape != log_probs.shape or entropies.shape != log_probs.shape:
        raise ValueError(f"rewards must have the shape {log_probs.shape}, got {rewards.shape}")
    return broadcasts_whatever_comes(log_probs, rewards, baseline, entropies, entropy_weight)


# ------------------------------------------------------------------------ ema_baseline, discounted_returns


def _sequence(rewards, option):
    rewards = np.array(rewards, dtype=float)
    if rewards.ndim != 1 or rewards.size == 0 or np.isnan(rewards).any() or not 0 <= option <= 1:
        raise ValueError(f"rewards must be numbers and the option from 0 to 1, got {rewards}, {option}")
    return rewards


@alternative("ema_baseline")
def by_a_filter(rewards, decay):
    return signal.lfilter([0.0, 1 - decay], [1.0, -decay], _sequence(rewards, decay))


@alternative("ema_baseline")
def by_appending(rewards, decay):
    values = [0.0]
    for reward in _sequence(rewards, decay)[:-1]:
        values.append(values[-1] + (1 - decay) * (float(reward) - values[-1]))
    return values


@alternative("ema_baseline")
def by_a_matrix_of_weights(rewards, decay):
    rewards = _sequence(rewards, decay)
    ages = np.arange(len(rewards))[:, None] - np.arange(len(rewards))[None, :] - 1
    return np.where(ages >= 0, (1 - decay) * float(decay) ** np.maximum(ages, 0), 0.0) @ rewards


@alternative("ema_baseline")
def as_a_tensor(rewards, decay):
    rewards, b = torch.from_numpy(_sequence(rewards, decay)), torch.tensor(0.0, dtype=torch.float64)
    found = []
    for reward in rewards:
        found.append(b)
        b = torch.lerp(reward, b, decay)
    return torch.stack(found)


def _ema(name, concept, make):
    def wrong(rewards, decay):
        return make(_sequence(rewards, decay), decay)

    wrong.__name__ = name
    mutant("ema_baseline", concept=concept)(wrong)


def _average(rewards, start, keep, add):
    values = [start]
    for reward in rewards:
        values.append(keep * values[-1] + add * reward)
    return np.array(values)


_ema("peeks", "sees-its-own-reward", lambda r, d: _average(r, 0.0, d, 1 - d)[1:])
_ema("peeks_from_the_first", "sees-its-own-reward", lambda r, d: _average(r[1:], r[0], d, 1 - d))
_ema(
    "misses_the_first_reward",
    "sees-its-own-reward",
    lambda r, d: np.append(0.0, _average(r[1:], 0.0, d, 1 - d)[1:]),
)
_ema("starts_at_the_first", "starts-at-the-first-reward", lambda r, d: _average(r, r[0], d, 1 - d)[:-1])
_ema("swaps_the_weights", "swapped-weights", lambda r, d: _average(r, 0.0, 1 - d, d)[:-1])
_ema("adds_without_weight", "unweighted", lambda r, d: _average(r, 0.0, d, 1.0)[:-1])
_ema("bias_corrected", "bias-corrected", lambda r, d: _corrected(r, d))
_ema("plain_mean", "plain-mean", lambda r, d: np.array([r[:t].mean() if t else 0.0 for t in range(len(r))]))
_ema("the_reward_before", "last-reward", lambda r, d: np.concatenate([[0.0], r[:-1]]))
_ema("one_step_late", "too-late", lambda r, d: np.concatenate([[0.0], _average(r, 0.0, d, 1 - d)])[: len(r)])
_ema("the_advantages", "advantage-not-baseline", lambda r, d: r - _average(r, 0.0, d, 1 - d)[:-1])
_ema("the_last_value", "one-number", lambda r, d: float(_average(r, 0.0, d, 1 - d)[-1]))
_ema("one_too_many", "one-too-many", lambda r, d: _average(r, 0.0, d, 1 - d))
_ema("clips_at_zero", "wrong-values", lambda r, d: np.maximum(_average(r, 0.0, d, 1 - d)[:-1], 0.0))


def _corrected(rewards, decay):
    plain = _average(rewards, 0.0, decay, 1 - decay)[:-1]
    weights = 1 - float(decay) ** np.arange(len(rewards))
    return np.where(weights > 0, plain / np.where(weights > 0, weights, 1.0), 0.0)


@mutant("ema_baseline", concept="changes-its-argument")
def ema_in_place(rewards, decay):
    _sequence(rewards, decay)
    b = 0.0
    for t in range(len(rewards)):
        rewards[t], b = b, decay * b + (1 - decay) * rewards[t]
    return rewards


@mutant("ema_baseline", concept="accepts-bad-input")
def ema_of_anything(rewards, decay):
    return _average(np.ravel(rewards), 0.0, decay, 1 - decay)[:-1]


@alternative("discounted_returns")
def by_a_filter_from_the_end(rewards, gamma):
    return signal.lfilter([1.0], [1.0, -gamma], _sequence(rewards, gamma)[::-1])[::-1]


@alternative("discounted_returns")
def by_definition(rewards, gamma):
    rewards = _sequence(rewards, gamma)
    n = len(rewards)
    return (
        [float(sum(gamma**k * rewards[t + k] for k in range(min(n - t, 200)))) for t in range(n)]
        if (gamma < 1)
        else np.cumsum(rewards[::-1])[::-1]
    )


@alternative("discounted_returns")
def recursively(rewards, gamma):
    rewards = _sequence(rewards, gamma).tolist()
    found = [rewards.pop()]
    while rewards:
        found.insert(0, rewards.pop() + gamma * found[0])
    return torch.tensor(found, dtype=torch.float64)


def _returns(name, concept, make):
    def wrong(rewards, gamma):
        return make(_sequence(rewards, gamma), gamma)

    wrong.__name__ = name
    mutant("discounted_returns", concept=concept)(wrong)


def _right(rewards, gamma):
    return by_a_filter_from_the_end(rewards, gamma)


def _later(rewards, gamma):
    return np.concatenate([_right(rewards, gamma)[1:], [0.0]])


_returns("sums_the_past", "runs-forward", lambda r, g: _average(r, 0.0, g, 1.0)[1:])
_returns(
    "discounts_from_step_zero",
    "discounted-from-the-start",
    lambda r, g: np.cumsum((r * float(g) ** np.arange(len(r)))[::-1])[::-1],
)
_returns("without_its_own_reward", "misses-its-own-reward", lambda r, g: _later(r, g))
_returns("discounted_future_only", "misses-its-own-reward", lambda r, g: g * _later(r, g))
_returns("discounts_its_own_reward", "one-power-too-many", lambda r, g: g * _right(r, g))
_returns("no_discount", "ignores-gamma", lambda r, g: np.cumsum(r[::-1])[::-1])
_returns("first_return_for_all", "one-return-for-all", lambda r, g: np.full(len(r), _right(r, g)[0]))
_returns("forgets_to_turn_around", "back-to-front", lambda r, g: _right(r, g)[::-1])
_returns("no_sum", "no-sum", lambda r, g: r * float(g) ** np.arange(len(r)))
_returns("looks_one_step_ahead", "next-reward-only", lambda r, g: r + g * np.append(r[1:], 0.0))
_returns("averages", "averaged", lambda r, g: signal.lfilter([1 - g], [1.0, -g], r[::-1])[::-1])
_returns("one_number", "one-number", lambda r, g: float(_right(r, g)[0]))
_returns("one_step_too_many", "one-too-many", lambda r, g: np.append(_right(r, g), 0.0))


@mutant("discounted_returns", concept="not-finite")
def divides_by_powers(rewards, gamma):
    rewards = _sequence(rewards, gamma)
    powers = float(gamma) ** np.arange(len(rewards))
    with np.errstate(all="ignore"):
        return np.cumsum((rewards * powers)[::-1])[::-1] / powers


@mutant("discounted_returns", concept="changes-its-argument")
def returns_in_place(rewards, gamma):
    _sequence(rewards, gamma)
    for t in reversed(range(len(rewards) - 1)):
        rewards[t] += gamma * rewards[t + 1]
    return rewards


@mutant("discounted_returns", concept="accepts-bad-input")
def returns_of_anything(rewards, gamma):
    return signal.lfilter([1.0], [1.0, -gamma], np.ravel(rewards)[::-1])[::-1]


# --------------------------------------------------------------------------------------------- Controller


class _Given(nn.Module):
    """The stub's layers, and a right controller of small pieces that the mutants exchange."""

    def __init__(self, choices, hidden=64, embedding=32):
        super().__init__()
        self.sizes = [options if isinstance(options, int) else len(options) for options in choices]
        if not self.sizes or min(self.sizes) < 1:
            raise ValueError(f"choices must hold options for each decision, got {choices!r}")
        self.cell = nn.LSTMCell(embedding, hidden)
        self.start = nn.Parameter(torch.randn(1, embedding))
        self.embed = nn.ModuleList(nn.Embedding(size, embedding) for size in self.sizes)
        self.head = nn.ModuleList(nn.Linear(hidden, size) for size in self.sizes)

    def sample(self, n, generator):
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        return self.walk(n, generator, None)

    def log_prob(self, actions):
        outside = (actions < 0).any() or actions.shape[1] != len(self.sizes)
        if outside or (actions >= torch.tensor(self.sizes)).any():
            raise ValueError(f"actions must be options of {self.sizes}, got {actions}")
        return self.walk(len(actions), None, actions)[1]

    def walk(self, n, generator, given):
        x, state, actions, log_probs, entropies = self.start.expand(n, -1), None, [], [], []
        for place in range(len(self.sizes)):
            state = self.step(x, state)
            log_p = self.scores(place, state[0])
            action = self.draw(log_p, generator) if given is None else given[:, place]
            actions.append(action)
            log_probs.append(self.taken(log_p, action))
            entropies.append(self.entropy(log_p, action))
            x = self.fed(place, action)
        return self.result(torch.stack(actions, 1), torch.stack(log_probs, 1), torch.stack(entropies, 1))

    def step(self, x, state):
        return self.cell(x, state)

    def scores(self, place, h):
        return self.head[place](h).log_softmax(1)

    def draw(self, log_p, generator):
        return torch.multinomial(log_p.exp(), 1, generator=generator).squeeze(1)

    def taken(self, log_p, action):
        return log_p.gather(1, action[:, None]).squeeze(1)

    def entropy(self, log_p, action):
        return -(log_p.exp() * log_p).sum(1)

    def fed(self, place, action):
        return self.embed[place](action)

    def result(self, actions, log_probs, entropies):
        return actions, log_probs.sum(1), entropies.sum(1)


@alternative("Controller")
class by_distributions(_Given):
    """torch.distributions does the arithmetic; drawn by inverse cumulative probabilities."""

    def walk(self, n, generator, given):
        h = torch.zeros(n, self.cell.hidden_size)
        c, x = torch.zeros_like(h), self.start.repeat(n, 1)
        actions, log_probs, entropies = [], torch.zeros(n), torch.zeros(n)
        for place, head in enumerate(self.head):
            h, c = self.cell(x, (h, c))
            policy = torch.distributions.Categorical(logits=head(h))
            if given is None:
                u = torch.rand(n, 1, generator=generator)
                action = (policy.probs.detach().cumsum(1) <= u).sum(1).clamp(max=self.sizes[place] - 1)
            else:
                action = given[:, place]
            actions.append(action)
            log_probs += policy.log_prob(action)
            entropies += policy.entropy()
            x = self.embed[place](action)
        return torch.stack(actions, dim=-1), log_probs, entropies


@alternative("Controller")
class by_teacher_forcing(_Given):
    """Drawn without gradients; then one pass over whole sequences, as a language model is trained."""

    def __init__(self, choices, hidden=64, embedding=32):
        super().__init__(choices, hidden, embedding)
        self.cell = nn.LSTM(embedding, hidden, batch_first=True)

    def tables(self, actions):
        inputs = [self.start.expand(len(actions), -1)]
        inputs += [embed(column) for embed, column in zip(self.embed, actions.T)]
        hidden, _ = self.cell(torch.stack(inputs[: len(self.sizes)], dim=1))
        return [head(hidden[:, place]).log_softmax(-1) for place, head in enumerate(self.head)]

    def sample(self, n, generator):
        if n <= 0:
            raise ValueError("n must be positive")
        actions = torch.zeros(n, len(self.sizes), dtype=torch.int64)
        with torch.no_grad():
            for place in range(len(self.sizes)):
                chances = self.tables(actions)[place].exp()
                actions[:, place] = torch.multinomial(chances, 1, generator=generator)[:, 0]
        entropies = sum(-(log_p.exp() * log_p).sum(-1) for log_p in self.tables(actions))
        return actions, self.log_prob(actions), entropies

    def log_prob(self, actions):
        if any(((column < 0) | (column >= size)).any() for column, size in zip(actions.T, self.sizes)):
            raise ValueError(f"actions must be options of {self.sizes}, got {actions}")
        if actions.shape[1:] != (len(self.sizes),):
            raise ValueError(f"actions must have {len(self.sizes)} columns, got {actions.shape}")
        rows = torch.arange(len(actions))
        return sum(log_p[rows, column] for log_p, column in zip(self.tables(actions), actions.T))


@alternative("Controller")
class one_masked_head(nn.Module):
    """One embedding and one output layer for all decisions; options that a decision lacks are masked out."""

    def __init__(self, choices, hidden=64, embedding=32):
        super().__init__()
        self.sizes = torch.tensor([len(options) for options in choices])
        if len(self.sizes) == 0 or self.sizes.min() < 1:
            raise ValueError(f"choices must hold options for each decision, got {choices!r}")
        self.most = int(self.sizes.max())
        self.rnn = nn.LSTMCell(embedding, hidden)
        self.table = nn.Embedding(len(choices) * self.most + 1, embedding)
        self.out = nn.Linear(hidden, self.most)

    def _policy(self, prefix):
        n, state = len(prefix), None
        tokens = [torch.full((n,), len(self.sizes) * self.most)]
        tokens += [place * self.most + prefix[:, place] for place in range(prefix.shape[1])]
        for token in tokens:
            state = self.rnn(self.table(token), state)
        size = self.sizes[prefix.shape[1]]
        scores = self.out(state[0]).masked_fill(torch.arange(self.most) >= size, -torch.inf)
        return torch.softmax(scores, dim=1)[:, :size]

    def sample(self, n, generator):
        if not n >= 1:
            raise ValueError(f"n must be at least 1, got {n}")
        actions, entropies = torch.zeros(n, 0, dtype=torch.int64), torch.zeros(n)
        for _ in self.sizes:
            p = self._policy(actions)
            entropies = entropies + torch.special.entr(p).sum(1)
            actions = torch.cat([actions, torch.multinomial(p, 1, generator=generator)], dim=1)
        return actions, self.log_prob(actions), entropies

    def log_prob(self, actions):
        if actions.shape[1] != len(self.sizes) or not ((0 <= actions) & (actions < self.sizes)).all():
            raise ValueError(f"actions must be options of {self.sizes}, got {actions}")
        total = torch.zeros(len(actions))
        for place in range(len(self.sizes)):
            p = self._policy(actions[:, :place])
            total = total + p.gather(1, actions[:, place : place + 1])[:, 0].log()
        return total


@alternative("Controller")
class one_softmax_over_everything(nn.Module):
    """No recurrence at all: a logit for each architecture, and the conditionals from sums."""

    def __init__(self, choices, hidden=64, embedding=32):
        super().__init__()
        self.sizes = [len(options) for options in choices]
        if not self.sizes or min(self.sizes) < 1:
            raise ValueError(f"choices must hold options for each decision, got {choices!r}")
        self.logits = nn.Parameter(torch.randn(math.prod(self.sizes)))

    def log_prob(self, actions):
        if (
            actions.shape[1] != len(self.sizes)
            or not ((0 <= actions) & (actions < torch.tensor(self.sizes))).all()
        ):
            raise ValueError(f"actions must be options of {self.sizes}, got {actions}")
        return self.logits.log_softmax(0).reshape(self.sizes)[tuple(actions.T)]

    def sample(self, n, generator):
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        chosen = torch.multinomial(self.logits.softmax(0), n, replacement=True, generator=generator)
        actions = torch.stack(torch.unravel_index(chosen, self.sizes), dim=1)
        table, entropies = self.logits.softmax(0).reshape(self.sizes), torch.zeros(n)
        for place in range(len(self.sizes)):
            marginal = table.reshape(*self.sizes[: place + 1], -1).sum(-1)
            p = marginal / marginal.sum(-1, keepdim=True)
            entropies = entropies + torch.special.entr(p).sum(-1)[tuple(actions[:, :place].T)]
        return actions, self.log_prob(actions), entropies


def _controller(name, concept, base=_Given, **pieces):
    mutant("Controller", concept=concept)(type(name, (base,), pieces))


_controller("forgets_the_state", "forgets-the-state", step=lambda self, x, state: self.cell(x))
_controller(
    "never_feeds_the_option",
    "ignores-earlier-decisions",
    fed=lambda self, place, action: self.start.expand(len(action), -1),
)
_controller(
    "feeds_the_place_only",
    "ignores-earlier-decisions",
    fed=lambda self, place, action: self.embed[place](torch.zeros_like(action)),
)
_controller("always_greedy", "greedy", draw=lambda self, log_p, generator: log_p.argmax(1))
_controller(
    "draws_from_the_global_generator",
    "ignores-generator",
    draw=lambda self, log_p, generator: torch.multinomial(log_p.exp(), 1).squeeze(1),
)
_controller(
    "categorical_sample",
    "ignores-generator",
    draw=lambda self, log_p, generator: torch.distributions.Categorical(logits=log_p).sample(),
)
_controller(
    "seeds_it_anew",
    "fixed-seed",
    draw=lambda self, log_p, generator: torch.multinomial(log_p.exp(), 1, generator=generator.manual_seed(0))[
        :, 0
    ],
)
_controller(
    "draws_uniformly",
    "biased-samples",
    draw=lambda self, log_p, generator: torch.multinomial(torch.ones_like(log_p), 1, generator=generator)[
        :, 0
    ],
)
_controller(
    "draws_too_sharply",
    "biased-samples",
    draw=lambda self, log_p, generator: torch.multinomial((2 * log_p).softmax(1), 1, generator=generator)[
        :, 0
    ],
)
_controller(
    "multinomial_of_logits",
    "not-probabilities",
    draw=lambda self, log_p, generator: torch.multinomial(log_p, 1, generator=generator)[:, 0],
)
_controller(
    "softmax_over_the_batch", "mixes-rows", scores=lambda self, place, h: self.head[place](h).log_softmax(0)
)
_controller(
    "logits_as_they_are",
    "not-a-distribution",
    scores=lambda self, place, h: self.head[place](h),
    draw=lambda self, logits, generator: torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0],
)
_controller(
    "chances_not_logs",
    "not-log",
    result=lambda self, actions, log_probs, entropies: (actions, log_probs.sum(1).exp(), entropies.sum(1)),
)
_controller(
    "sums_chances",
    "not-a-distribution",
    taken=lambda self, log_p, action: log_p.exp().gather(1, action[:, None])[:, 0],
)
_controller(
    "mean_over_decisions",
    "mean-not-sum",
    result=lambda self, actions, log_probs, entropies: (actions, log_probs.mean(1), entropies.sum(1)),
)
_controller(
    "one_per_decision",
    "not-summed",
    result=lambda self, actions, log_probs, entropies: (actions, log_probs, entropies),
)
_controller(
    "last_decision_only",
    "not-a-distribution",
    result=lambda self, actions, log_probs, entropies: (actions, log_probs[:, -1], entropies.sum(1)),
)
_controller(
    "negative_log_likelihood",
    "wrong-sign",
    result=lambda self, actions, log_probs, entropies: (actions, -log_probs.sum(1), entropies.sum(1)),
)
_controller(
    "negative_entropy", "wrong-sign", entropy=lambda self, log_p, action: (log_p.exp() * log_p).sum(1)
)
_controller(
    "entropy_in_bits", "bits", entropy=lambda self, log_p, action: -(log_p.exp() * log_p).sum(1) / math.log(2)
)
_controller(
    "surprise_for_entropy",
    "surprise-not-entropy",
    entropy=lambda self, log_p, action: -log_p.gather(1, action[:, None])[:, 0],
)
_controller(
    "mean_of_entropies",
    "mean-not-sum",
    result=lambda self, actions, log_probs, entropies: (actions, log_probs.sum(1), entropies.mean(1)),
)
_controller(
    "entropy_of_the_last",
    "last-decision-only",
    result=lambda self, actions, log_probs, entropies: (actions, log_probs.sum(1), entropies[:, -1]),
)
_controller(
    "entropy_of_the_batch",
    "averaged",
    result=lambda self, actions, log_probs, entropies: (
        actions,
        log_probs.sum(1),
        entropies.sum(1).mean().expand(len(actions)),
    ),
)
_controller(
    "entropy_detached",
    "entropy-without-gradient",
    entropy=lambda self, log_p, action: -(log_p.exp() * log_p).sum(1).detach(),
)
_controller(
    "truncated_gradient",
    "wrong-gradient",
    step=lambda self, x, state: self.cell(x, state and (state[0].detach(), state[1].detach())),
)
_controller(
    "embedding_detached", "wrong-gradient", fed=lambda self, place, action: self.embed[place](action).detach()
)
_controller(
    "actions_as_floats",
    "wrong-type",
    result=lambda self, actions, log_probs, entropies: (actions.double(), log_probs.sum(1), entropies.sum(1)),
)
_controller(
    "two_results_only",
    "wrong-type",
    sample=lambda self, n, generator: _Given.sample(self, n, generator)[:2],
)
_controller(
    "numbers_of_architectures",
    "wrong-shape",
    result=lambda self, actions, log_probs, entropies: (actions[:, 0], log_probs.sum(1), entropies.sum(1)),
)


_controller(
    "draws_at_another_temperature",
    "biased-samples",
    draw=lambda self, log_p, generator: torch.multinomial(
        (1.25 * log_p).softmax(1), 1, generator=generator
    ).squeeze(1),
)
_controller(
    "explores_now_and_then",
    "biased-samples",
    draw=lambda self, log_p, generator: torch.multinomial(
        0.85 * log_p.exp() + 0.15 / log_p.shape[1], 1, generator=generator
    ).squeeze(1),
)
_controller(
    "half_of_the_rows_repeat",
    "dependent-rows",
    draw=lambda self, log_p, generator: torch.multinomial(
        log_p[: (len(log_p) + 1) // 2].exp(), 1, generator=generator
    ).repeat(2, 1)[: len(log_p), 0],
)
_controller(
    "two_embeddings_for_all",
    "merges-options",
    fed=lambda self, place, action: self.embed[place](action.clamp(max=1)),
)
_controller(
    "entropy_of_a_uniform_choice",
    "wrong-entropy",
    entropy=lambda self, log_p, action: torch.full((len(log_p),), math.log(log_p.shape[1])),
)


@mutant("Controller", concept="ignores-earlier-decisions")
class independent_softmaxes(_Given):
    def __init__(self, choices, hidden=64, embedding=32):
        super().__init__(choices, hidden, embedding)
        self.logits = nn.ParameterList([nn.Parameter(torch.zeros(size)) for size in self.sizes])

    def scores(self, place, h):
        return self.logits[place].log_softmax(0).expand(len(h), -1)


@mutant("Controller", concept="sample-without-gradient")
class samples_without_gradient(_Given):
    def sample(self, n, generator):
        with torch.no_grad():
            actions, log_probs, _ = super().sample(n, generator)
        return actions, log_probs, super().walk(n, None, actions)[2]


@mutant("Controller", concept="no-gradient")
class scores_without_gradient(_Given):
    def log_prob(self, actions):
        return super().log_prob(actions).detach()


@mutant("Controller", concept="sample-disagrees")
class scores_shifted_inputs(_Given):
    """log_prob feeds the option that it scores, not the one before."""

    def log_prob(self, actions):
        _Given.log_prob(self, actions)  # its checks
        state, total = None, 0.0
        first = self.head[0](self.cell(self.start.expand(len(actions), -1), None)[0]).log_softmax(1)
        total = first.gather(1, actions[:, :1])[:, 0]
        for place in range(1, len(self.sizes)):
            state = self.cell(self.embed[place - 1](actions[:, place - 1]), state)
            total = total + self.taken(self.scores(place, state[0]), actions[:, place])
        return total


@mutant("Controller", concept="accepts-bad-input")
class masks_what_is_outside(one_masked_head):
    def log_prob(self, actions):
        total = torch.zeros(len(actions))
        for place in range(len(self.sizes)):
            p = nn.functional.pad(self._policy(actions[:, :place]), (0, self.most))
            total = total + p.gather(1, actions[:, place : place + 1])[:, 0].log()
        return total


@mutant("Controller", concept="accepts-bad-input")
class samples_nothing_from_nothing(_Given):
    def sample(self, n, generator):
        return self.walk(n, generator, None)
