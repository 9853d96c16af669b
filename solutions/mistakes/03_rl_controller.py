"""The usual mistakes of lesson 03, and right answers written another way."""

# ruff: noqa: F821  (`book` is given)
# mypy: ignore-errors

import numpy as np
import torch
from scipy import signal
from torch import nn

# ------------------------------------------------------------------------------ exact_policy_gradient

GRADIENT = "chances * (rewards - chances @ rewards)"
SOFTMAX = "torch.softmax(logits.detach(), dim=0)"
UNDER_THE_POLICY = "take the mean under the policy, Σ p·r"
DECISION = "logits.ndim != 1 or len(logits) < 1 or rewards.shape != logits.shape"
FINITE = "not torch.isfinite(rewards).all()"
AS_TENSOR = """    if not isinstance(logits, torch.Tensor):
        logits = torch.as_tensor(np.asarray(logits, dtype=float))
    rewards = torch.as_tensor(rewards, dtype=logits.dtype)
"""

book.edits(
    "exact_policy_gradient",
    (
        "log-probabilities",
        "this is the derivative of Σ log p·r: in the expected reward each reward counts with p itself",
        {GRADIENT: "rewards - chances * rewards.sum()"},
    ),
    (
        "wrong-sign",
        "the sign is reversed: this is the way down. The gradient of the expected reward points to "
        "*better* options",
        {GRADIENT: "chances * (chances @ rewards - rewards)"},
    ),
    (
        "no-expected-reward",
        "p·r is what each option contributes to the expected reward. But raising one logit takes "
        "probability from all the others: the softmax couples them",
        {GRADIENT: "chances * rewards"},
    ),
    (
        "no-probability",
        "r − E[r] misses a factor: an option that is rarely chosen moves the expected reward little",
        {GRADIENT: "rewards - chances @ rewards"},
    ),
    (
        "by-probability",
        "this is the derivative by the *probabilities*; asked for is the one by the logits, through "
        "the softmax",
        {GRADIENT: "rewards.clone()"},
    ),
    (
        "wrong-mean",
        f"the reward is compared with the plain mean of the rewards: {UNDER_THE_POLICY}",
        {GRADIENT: "chances * (rewards - rewards.mean())"},
    ),
    (
        "wrong-mean",
        f"the reward is compared with the best one: {UNDER_THE_POLICY}",
        {GRADIENT: "chances * (rewards - rewards.max())"},
    ),
    (
        "diagonal-only",
        "only the diagonal of the softmax's derivative is used: logit i also changes the probability "
        "of every other option j, by −p_i·p_j",
        {GRADIENT: "chances * (1 - chances) * rewards"},
    ),
    (
        "squared",
        "the probability counts twice here: each option has the weight p, not p²",
        {GRADIENT: "chances**2 * (rewards - chances @ rewards)"},
    ),
    (
        "value-not-gradient",
        "this is the expected reward, not its gradient: the gradient has an entry for each logit",
        {GRADIENT: "chances @ rewards"},
    ),
    (
        "value-not-gradient",
        "each entry is the expected reward, not its derivative by that logit",
        {GRADIENT: "(chances @ rewards).repeat(len(chances))"},
    ),
    (
        "divided",
        "the expectation is a sum over options weighted by p: nothing has to be divided by their "
        "number",
        {GRADIENT: f"{GRADIENT} / len(chances)"},
    ),
    (
        "jacobian",
        "this is a matrix of derivatives: the expected reward is one number, so its gradient has one "
        "entry per logit",
        {GRADIENT: "(torch.diag(chances) - torch.outer(chances, chances)) * rewards"},
    ),
    (
        "overflow",
        "logits of 900 give NaN: exp overflows above 709, and in float32 above 88. Subtract the "
        "largest logit first, or let torch.softmax do it",
        {SOFTMAX: "logits.detach().exp() / logits.detach().exp().sum()"},
    ),
    (
        "adds-up",
        "gradients add up in `logits.grad` from call to call, and the argument is no longer what it "
        "was: differentiate by a leaf of your own, `logits.detach().clone().requires_grad_()`",
        {
            f"chances = {SOFTMAX}": "logits.requires_grad_()",
            f"return {GRADIENT}": (
                "(torch.softmax(logits, dim=0) @ rewards).backward()\n    return logits.grad"
            ),
        },
    ),
    ("mutates-input", "", {
        f"chances = {SOFTMAX}": "logits.requires_grad_()",
        GRADIENT: "torch.autograd.grad(torch.softmax(logits, dim=0) @ rewards, logits)[0]",
    }),
    ("mutates-input", "", {
        SOFTMAX: "logits.detach().sub_(logits.max()).exp()",
        GRADIENT: "chances / chances.sum() * (rewards - chances @ rewards / chances.sum())",
    }),
    ("tensors-only", "", {AS_TENSOR: ""}),
    ("tensors-only", "", {AS_TENSOR: "    logits = torch.as_tensor(logits)\n"}),
    ("wrong-type", "", {GRADIENT: f"({GRADIENT}).tolist()"}),
    ("wrong-type", "", {GRADIENT: f"({GRADIENT}).numpy()"}),
    ("returns-nothing", "", {f"return {GRADIENT}": GRADIENT}),
    ("accepts-bad-input", "", {DECISION: "rewards.shape != logits.shape"}),
    ("accepts-bad-input", "", {DECISION: "logits.ndim != 1 or rewards.shape != logits.shape"}),
    ("accepts-bad-input", "", {DECISION: "logits.ndim != 1 or len(logits) < 1"}),
    ("accepts-bad-input", "", {FINITE: "rewards.isnan().any()"}),
    ("accepts-bad-input", "", {FINITE: "rewards.isinf().any()"}),
    ("accepts-bad-input", "", {FINITE: "(rewards.isnan() | (rewards == torch.inf)).any()"}),
)  # fmt: skip


@book.wrong("exact_policy_gradient", "an-estimate")
def estimates_it(logits, rewards):
    logits, rewards = _checked(logits, rewards)
    p = torch.softmax(logits, 0)
    actions = torch.multinomial(p, 1000, replacement=True)
    scores = torch.eye(len(p), dtype=p.dtype)[actions] - p
    return (rewards[actions][:, None] * scores).mean(0)


@book.wrong("exact_policy_gradient", "stale")
def remembers_by_object(logits, rewards, known={}):  # noqa: B006
    if id(logits) not in known or known[id(logits)][0] is not logits:
        known[id(logits)] = logits, by_autograd(logits, rewards)
    return known[id(logits)][1]


def _checked(logits, rewards):
    logits, rewards = (
        one if isinstance(one, torch.Tensor) else torch.tensor(one, dtype=torch.float64)
        for one in (logits, rewards)
    )
    if logits.shape != rewards.shape or logits.ndim != 1 or len(logits) == 0:
        raise ValueError(f"logits and rewards must be equally many numbers, got {logits}, {rewards}")
    if not rewards.isfinite().all():
        raise ValueError(f"rewards must be finite, got {rewards}")
    return logits.detach(), rewards


@book.right("exact_policy_gradient")
def by_autograd(logits, rewards):
    logits, rewards = _checked(logits, rewards)
    leaf = logits.clone().requires_grad_()
    return torch.autograd.grad((leaf.softmax(0) * rewards).sum(), leaf)[0]


@book.right("exact_policy_gradient")
def by_the_jacobian_in_numpy(logits, rewards):
    logits, rewards = (one.numpy() for one in _checked(logits, rewards))
    p = np.exp(logits - logits.max())
    p /= p.sum()
    return torch.from_numpy((np.diag(p) - np.outer(p, p)) @ rewards)


@book.right("exact_policy_gradient")
def by_enumerating_the_score(logits, rewards):
    logits, rewards = _checked(logits, rewards)
    p = torch.softmax(logits, 0)
    total = torch.zeros_like(p)
    for action in range(len(p)):
        one_hot = torch.zeros_like(p)
        one_hot[action] = 1.0
        total += p[action] * rewards[action] * (one_hot - p)
    return total


@book.right("exact_policy_gradient")
def all_in_float32(logits, rewards):
    logits, rewards = (one.float() for one in _checked(logits, rewards))
    p = (logits - logits.max()).exp_()
    p /= p.sum()
    return p.mul(rewards - torch.dot(p, rewards))


@book.right("exact_policy_gradient")
def by_backward_on_a_leaf_of_its_own(logits, rewards):
    logits, rewards = _checked(logits, rewards)
    leaf = logits.clone().requires_grad_()
    torch.log_softmax(leaf, 0).exp().dot(rewards).backward()
    return leaf.grad


# ------------------------------------------------------------------------------------- reinforce_loss

PULL, PUSH = "-(advantages * log_probs).mean()", "entropy_weight * entropies.mean()"
SHAPES = "log_probs.ndim != 1 or not log_probs.shape == rewards.shape == entropies.shape"
BASELINES = "baseline.shape not in ((), rewards.shape)"
ADVANTAGES = "(rewards - baseline).detach()"
EACH_ITS_OWN = "each reward belongs to its own log-probability, so multiply first and take the mean last"

book.edits(
    "reinforce_loss",
    (
        "wrong-sign",
        "the sign is reversed: optimisers go *down* the loss, so that good architectures would become "
        "less likely. Mind the minus in front of the mean",
        {PULL: "(advantages * log_probs).mean()"},
    ),
    (
        "sum-not-mean",
        "this is the sum over the batch, not the mean: the step would grow with the batch",
        {PULL: "-(advantages * log_probs).sum()"},
    ),
    (
        "sum-not-mean",
        "the entropies are summed, not averaged: the step would grow with the batch",
        {PUSH: "entropy_weight * entropies.sum()"},
    ),
    (
        "sum-not-mean",
        "both terms are summed over the batch, not averaged: the step would grow with the batch",
        {PULL: "-(advantages * log_probs).sum()", PUSH: "entropy_weight * entropies.sum()"},
    ),
    (
        "no-baseline",
        "the baseline is not subtracted: where every reward is positive, every sample is made more "
        "likely",
        {PULL: "-(rewards.detach() * log_probs).mean()"},
    ),
    (
        "no-baseline",
        "the baseline is subtracted after the product: it belongs to the reward, "
        "(R − b)·log p",
        {PULL: "-(rewards.detach() * log_probs - baseline.detach()).mean()"},
    ),
    (
        "adds-the-baseline",
        "the baseline is added instead of subtracted",
        {ADVANTAGES: "(rewards + baseline).detach()"},
    ),
    (
        "mean-before-product",
        f"two means are multiplied: {EACH_ITS_OWN}",
        {PULL: "-advantages.mean() * log_probs.mean()"},
    ),
    (
        "mean-before-product",
        f"the mean is taken of R − b alone: {EACH_ITS_OWN}",
        {PULL: "-(advantages.mean() * log_probs).sum()"},
    ),
    (
        "own-baseline",
        "the mean of the batch is subtracted instead of `baseline`",
        {ADVANTAGES: "(rewards - rewards.mean()).detach()"},
    ),
    (
        "rescaled",
        "the advantages are shifted and rescaled to mean 0 and deviation 1: use R − b as it is",
        {
            PULL: "-((advantages - advantages.mean()) / (advantages.std(correction=0) + 1e-8) "
            "* log_probs).mean()"
        },
    ),
    (
        "loses-the-sign",
        "the advantages have lost their sign: a sample below the baseline has to become *less* likely",
        {PULL: "-(advantages.abs() * log_probs).mean()"},
    ),
    (
        "loses-the-sign",
        "samples below the baseline do not count here: they have to become *less* likely",
        {PULL: "-(advantages.clamp(min=0) * log_probs).mean()"},
    ),
    (
        "probability-not-log",
        "the reward weighs the probability; REINFORCE weighs its logarithm",
        {PULL: "-(advantages * log_probs.exp()).mean()"},
    ),
    (
        "penalises-entropy",
        "the entropy is punished: the loss has to *fall* when the entropy rises, so it is subtracted",
        {f"- {PUSH}": f"+ {PUSH}"},
    ),
    ("no-entropy", "the entropy does not count: its bonus is missing", {f" - {PUSH}": ""}),
    (
        "no-entropy",
        "the entropy is cut off from its gradient, so that the bonus changes nothing: no detach() "
        "on it",
        {"entropies.mean()": "entropies.mean().detach()"},
    ),
    (
        "ignores-the-weight",
        "the entropy counts fully: `entropy_weight` is not used",
        {PUSH: "entropies.mean()"},
    ),
    (
        "weighs-the-reward",
        "the weight belongs to the entropy alone; here it multiplies both terms",
        {f"{PULL} - {PUSH}": "-entropy_weight * ((advantages * log_probs).mean() + entropies.mean())"},
    ),
    (
        "not-averaged",
        "one loss for each sample came back: take the mean, so that it is one number",
        {f"{PULL} - {PUSH}": "-(advantages * log_probs) - entropy_weight * entropies"},
    ),
    (
        "broadcasting",
        "a matrix came back: a column (n, 1) times a row (n,) pairs each reward with each "
        "log-probability",
        {PULL: "-(advantages[:, None] * log_probs)"},
    ),
    (
        "no-gradient",
        "no gradient arrives at log_probs, so that nothing would be learned: compute with the tensor "
        "itself (no .detach(), .item() or float() on it) and return a tensor",
        {f"{PULL} - {PUSH}": f"({PULL} - {PUSH}).item()"},
    ),
    (
        "no-gradient",
        "",
        {PULL: "-(advantages * log_probs.detach()).mean()"},
    ),
    (
        "gradient-through-the-advantage",
        "a gradient runs through R − b: where the baseline has parameters, the policy's loss would "
        "train them to make the loss small. Detach R − b",
        {ADVANTAGES: "rewards - baseline"},
    ),
    (
        "gradient-through-the-advantage",
        "the baseline is detached, the reward is not: a gradient still runs through R − b. Detach "
        "all of it",
        {ADVANTAGES: "rewards - baseline.detach()"},
    ),
    (
        "gradient-through-the-advantage",
        "the reward is detached, the baseline is not: the policy's loss would train the baseline to "
        "make the loss small. Detach all of R − b",
        {ADVANTAGES: "rewards.detach() - baseline"},
    ),
    (
        "backward-inside",
        "the gradients arrive twice: the function calls backward() itself. Return the loss, and leave "
        "that to the caller",
        {f"return {PULL} - {PUSH}": f"loss = {PULL} - {PUSH}\n"
         "    loss.backward(retain_graph=True)\n    return loss"},
    ),
    ("wrong-loss", "", {"(advantages * log_probs)": "(advantages * (log_probs + 1))"}),
    ("mutates-input", "", {ADVANTAGES: "rewards.detach().sub_(baseline.detach())"}),
    ("tensors-only", "", {"torch.as_tensor(rewards, dtype=log_probs.dtype)": "rewards.detach()"}),
    ("accepts-bad-input", "", {SHAPES: "not log_probs.shape == rewards.shape == entropies.shape"}),
    ("accepts-bad-input", "", {SHAPES: "log_probs.ndim != 1 or log_probs.shape != rewards.shape"}),
    ("accepts-bad-input", "", {SHAPES: "log_probs.ndim != 1 or log_probs.shape != entropies.shape"}),
    ("accepts-bad-input", "", {SHAPES: "rewards.ndim != 1 or rewards.shape != entropies.shape"}),
    ("accepts-bad-input", "", {SHAPES: "False"}),
    ("accepts-bad-input", "", {"== rewards.shape == entropies.shape":
                               "== rewards.shape or len(entropies) != len(log_probs)"}),
    ("wrong-type", "", {f"return {PULL} - {PUSH}": f"return ({PULL} - {PUSH}).reshape(1)"}),
    ("wrong-entropy-term", "", {PUSH: "abs(entropy_weight) * entropies.mean()"}),
    ("accepts-bad-input", "", {BASELINES: "False"}),
    ("accepts-bad-input", "", {BASELINES: "baseline.shape not in ((), (1,), rewards.shape)"}),
    ("accepts-bad-input", "", {BASELINES: "baseline.numel() not in (1, len(rewards))"}),
    ("accepts-bad-input", "", {"not torch.isfinite(advantages).all()": "advantages.isnan().any()"}),
    ("accepts-bad-input", "", {"torch.isfinite(advantages)": "torch.isfinite(rewards)"}),
    ("accepts-bad-input", "", {"torch.isfinite(advantages)": "torch.isfinite(baseline)"}),
    ("accepts-bad-input", "", {"not torch.isfinite(advantages).all()": "False"}),
    ("zero-is-none", "", {"entropy_weight * entropies.mean()": "(entropy_weight or 0.01) * entropies.mean()"}),
)  # fmt: skip


def _same_shapes(log_probs, rewards, baseline, entropies):
    rewards, baseline = torch.as_tensor(rewards).detach(), torch.as_tensor(baseline).detach()
    if log_probs.ndim != 1 or not rewards.shape == log_probs.shape == entropies.shape:
        raise ValueError(f"rewards must have the shape {log_probs.shape}, got {rewards.shape}")
    if baseline.ndim and baseline.shape != rewards.shape:
        raise ValueError(f"baseline must be a number or of shape {rewards.shape}, got {baseline}")
    if not (rewards.isfinite().all() and baseline.isfinite().all()):
        raise ValueError(f"rewards and baseline must be finite, got {rewards}, {baseline}")
    return rewards, baseline


@book.right("reinforce_loss")
def by_a_dot_product(log_probs, rewards, baseline, entropies, entropy_weight):
    rewards, baseline = _same_shapes(log_probs, rewards, baseline, entropies)
    with torch.no_grad():
        advantages = (rewards - baseline).to(log_probs.dtype)
    return -(torch.dot(advantages, log_probs) + entropy_weight * entropies.sum()) / len(log_probs)


@book.right("reinforce_loss")
def by_one_mean(log_probs, rewards, baseline, entropies, entropy_weight):
    rewards, baseline = _same_shapes(log_probs, rewards, baseline, entropies)
    gains = (rewards - baseline) * log_probs + entropy_weight * entropies
    return -gains.mean(dim=0)


@book.right("reinforce_loss")
def by_a_loop(log_probs, rewards, baseline, entropies, entropy_weight):
    rewards, baseline = _same_shapes(log_probs, rewards, baseline, entropies)
    loss = 0.0
    for log_p, reward, b, entropy in zip(log_probs, rewards, baseline.expand(len(rewards)), entropies):
        loss = loss - ((reward - b) * log_p + entropy_weight * entropy)
    return loss / len(rewards)


@book.right("reinforce_loss")
def with_a_baseline_of_float32(log_probs, rewards, baseline, entropies, entropy_weight):
    rewards, baseline = _same_shapes(log_probs, rewards, baseline, entropies)
    advantages = rewards - baseline.to(torch.float32)
    return -(log_probs * advantages).mean() - entropy_weight * entropies.mean()


@book.right("reinforce_loss")
def all_the_loss_in_float32(log_probs, rewards, baseline, entropies, entropy_weight):
    rewards, baseline = _same_shapes(log_probs, rewards, baseline, entropies)
    advantages = rewards.float().clone()
    advantages -= baseline.float()
    return torch.stack([
        torch.mean(log_probs.float() * advantages), entropy_weight * entropies.float().mean()
    ]).sum().neg()  # fmt: skip


# --------------------------------------------------------------------------------------- ema_baseline

FLOATS = "np.asarray(rewards, dtype=float)"
ZEROS = "baseline = np.zeros(len(rewards))"
STEP = "baseline[t] = decay * baseline[t - 1] + (1 - decay) * rewards[t - 1]"
SEQUENCE = "rewards.ndim != 1 or len(rewards) < 1 or not np.isfinite(rewards).all()"
PEEKS = (
    "the baseline at t contains reward t: it would subtract a part of the very reward it judges, "
    "which biases the gradient"
)
INTEGERS = (
    "fractions are cut off where the rewards are whole numbers: np.zeros_like of an array of ints is "
    "one of ints too. Make it one of floats"
)

book.edits(
    "ema_baseline",
    (
        "sees-its-own-reward",
        f"{PEEKS}. b[t] may use rewards[:t] only",
        {ZEROS: f"{ZEROS}\n    baseline[0] = (1 - decay) * rewards[0]", "rewards[t - 1]": "rewards[t]"},
    ),
    (
        "sees-its-own-reward",
        f"{PEEKS}, and it starts from rewards[0]. Start from b[0] = 0",
        {ZEROS: f"{ZEROS}\n    baseline[0] = rewards[0]", "rewards[t - 1]": "rewards[t]"},
    ),
    (
        "sees-its-own-reward",
        f"{PEEKS}, and reward 0 is in none. b[t] uses rewards[t − 1]",
        {"rewards[t - 1]": "rewards[t]"},
    ),
    (
        "starts-at-the-first-reward",
        "b[0] is rewards[0]: before anything is known the baseline is 0",
        {ZEROS: f"{ZEROS}\n    baseline[0] = rewards[0]"},
    ),
    (
        "starts-at-the-first-reward",
        "b[1] is rewards[0] as it is: the average starts from b[0] = 0, and gives the first reward "
        "its weight 1 − decay like any other",
        {STEP: f"{STEP} if t > 1 else rewards[0]"},
    ),
    (
        "swapped-weights",
        "`decay` is the share of the *old* value, 1 − decay that of the new reward; here they are "
        "swapped",
        {STEP: "baseline[t] = (1 - decay) * baseline[t - 1] + decay * rewards[t - 1]"},
    ),
    (
        "unweighted",
        "the new reward counts fully: it needs the weight 1 − decay, or the baseline grows beyond "
        "all rewards",
        {"(1 - decay) * rewards": "rewards"},
    ),
    (
        "unweighted",
        "the old average counts fully: it needs the weight decay, or the baseline grows beyond "
        "all rewards",
        {"decay * baseline[t - 1]": "baseline[t - 1]"},
    ),
    (
        "plain-mean",
        "this is the plain mean of the earlier rewards: it never forgets, and `decay` is not used",
        {STEP: "baseline[t] = rewards[:t].mean()"},
    ),
    (
        "bias-corrected",
        "the start from 0 is corrected away (as Adam does): here it is part of the definition",
        {
            "return baseline": "weights = 1 - float(decay) ** np.arange(len(rewards))\n"
            "    return np.divide(baseline, weights, out=np.zeros(len(rewards)), where=weights > 0)"
        },
    ),
    ("last-reward", "this is the reward before, not an average", {STEP: "baseline[t] = rewards[t - 1]"}),
    (
        "too-late",
        "the baseline lags: b[t] may use all of rewards[:t], the last one included",
        {"rewards[t - 1]": "(rewards[t - 2] if t > 1 else 0.0)"},
    ),
    (
        "advantage-not-baseline",
        "these are the rewards minus the baseline: return the baseline itself",
        {"return baseline": "return rewards - baseline"},
    ),
    (
        "one-number",
        "one number came back, the last average: there is a baseline for each reward",
        {"return baseline": "return float(baseline[-1])"},
    ),
    (
        "one-too-many",
        "there is one baseline too many: the last reward is in none",
        {
            ZEROS: "baseline = np.zeros(len(rewards) + 1)",
            "range(1, len(rewards))": "range(1, len(rewards) + 1)",
        },
    ),
    (
        "never-below-zero",
        "the baseline is cut off at 0: where rewards are negative, so is their average",
        {"return baseline": "return np.maximum(baseline, 0.0)"},
    ),
    ("whole-numbers", INTEGERS, {FLOATS: "np.asarray(rewards)", ZEROS: "baseline = np.zeros_like(rewards)"}),
    (
        "mutates-input",
        "",
        {
            ZEROS: "baseline, b = rewards, 0.0",
            "range(1, len(rewards))": "range(len(rewards))",
            STEP: "baseline[t], b = b, decay * b + (1 - decay) * rewards[t]",
        },
    ),
    ("wrong-values", "", {"return baseline": "return baseline.round(4)"}),
    ("wrong-values", "", {"rewards[t - 1]\n": "rewards[t - 1] if t < 100 else baseline[t - 1]\n"}),
    ("wrong-type", "", {"return baseline": "return baseline.tolist()"}),
    ("wrong-type", "", {"return baseline": "return torch.from_numpy(baseline)"}),
    ("arrays-only", "", {FLOATS: "rewards + 0.0"}),
    ("returns-nothing", "", {"return baseline": "return None"}),
    ("accepts-bad-input", "", {SEQUENCE: "len(rewards) < 1 or not np.isfinite(rewards).all()"}),
    ("accepts-bad-input", "", {SEQUENCE: "rewards.ndim != 1 or not np.isfinite(rewards).all()"}),
    ("accepts-bad-input", "", {SEQUENCE: "rewards.ndim != 1 or len(rewards) < 1"}),
    ("accepts-bad-input", "", {"not np.isfinite(rewards).all()": "np.isnan(rewards).any()"}),
    ("accepts-bad-input", "", {"not np.isfinite(rewards).all()": "np.isinf(rewards).any()"}),
    ("accepts-bad-input", "", {"not np.isfinite(rewards).all()": "not np.isfinite(rewards[:-1]).all()"}),
    ("accepts-bad-input", "", {"not 0 <= decay <= 1": "decay < 0 or decay > 1"}),
    ("accepts-bad-input", "", {"not 0 <= decay <= 1": "not decay <= 1"}),
    ("accepts-bad-input", "", {"not 0 <= decay <= 1": "not decay >= 0"}),
    ("zero-is-none", "", {"    if not 0 <= decay": "    decay = decay or 0.9\n    if not 0 <= decay"}),
)  # fmt: skip


def _sequence(rewards, option):
    rewards = np.array(rewards, dtype=float)
    if rewards.ndim != 1 or rewards.size == 0 or not np.isfinite(rewards).all():
        raise ValueError(f"rewards must be finite numbers, got {rewards}")
    if not 0 <= option <= 1:
        raise ValueError(f"the option must be from 0 to 1, got {option}")
    return rewards


@book.right("ema_baseline")
def by_a_filter(rewards, decay):
    return signal.lfilter([0.0, 1 - decay], [1.0, -decay], _sequence(rewards, decay))


@book.right("ema_baseline")
def by_appending(rewards, decay):
    values = [0.0]
    for reward in _sequence(rewards, decay)[:-1]:
        values.append(values[-1] + (1 - decay) * (float(reward) - values[-1]))
    return np.array(values)


@book.right("ema_baseline")
def by_a_matrix_of_weights(rewards, decay):
    rewards = _sequence(rewards, decay)
    ages = np.arange(len(rewards))[:, None] - np.arange(len(rewards))[None, :] - 1
    return np.where(ages >= 0, (1 - decay) * float(decay) ** np.maximum(ages, 0), 0.0) @ rewards


@book.right("ema_baseline")
def in_place_of_its_own_copy_in_float32(rewards, decay):
    values, b = _sequence(rewards, decay).astype(np.float32), np.float32(0)
    for t, reward in enumerate(values.copy()):
        values[t], b = b, np.float32(decay) * b + np.float32(1 - decay) * reward
    return values


# --------------------------------------------------------------------------------- discounted_returns

EMPTY = "returns = np.empty(len(rewards))"
LATER = "later = rewards[t] + gamma * later"
KEEP = "returns[t] = later"

book.edits(
    "discounted_returns",
    (
        "standardised",
        "the returns are moved and scaled to a mean of 0 and a spread of 1: they are the sums of rewards, as they are",
        {"return returns": "return (returns - returns.mean()) / (returns.std() + 1e-8)"},
    ),
    (
        "runs-forward",
        "each entry sums the *past*. A decision is credited with what comes after it: run through the "
        "rewards from the end",
        {"reversed(range(len(rewards)))": "range(len(rewards))"},
    ),
    (
        "discounted-from-the-start",
        "every reward is discounted from step 0 on: the return at t counts the steps from t, so that "
        "its own reward has the weight 1",
        {KEEP: "returns[t] = gamma**t * later"},
    ),
    (
        "misses-its-own-reward",
        "the reward of step t itself is missing from the return at t",
        {f"{LATER}\n        {KEEP}": f"{KEEP}\n        {LATER}"},
    ),
    (
        "misses-its-own-reward",
        "the reward of step t itself is missing: only the discounted return of the next step is left",
        {f"{LATER}\n        {KEEP}": f"returns[t] = gamma * later\n        {LATER}"},
    ),
    (
        "one-power-too-many",
        "the reward of step t itself has the weight gamma: it is not discounted, gamma^0 = 1",
        {KEEP: "returns[t] = gamma * later"},
    ),
    ("ignores-gamma", "nothing is discounted: `gamma` is not used", {"gamma * later": "later"}),
    (
        "one-return-for-all",
        "every step gets the return of the first: the return at t counts rewards t, t + 1, … only",
        {"return returns": "return np.full(len(rewards), returns[0])"},
    ),
    (
        "back-to-front",
        "the returns come out in reverse: the last one is computed first, and belongs at the end",
        {"return returns": "return returns[::-1]"},
    ),
    (
        "no-sum",
        "each reward is discounted by itself: a return is a *sum* over the rewards to come",
        {KEEP: "returns[t] = gamma**t * rewards[t]"},
    ),
    (
        "next-reward-only",
        "only the next reward is added: all later ones count too, gamma² for the one after, and so on",
        {KEEP: "returns[t] = rewards[t] + gamma * sum(rewards[t + 1 : t + 2])"},
    ),
    (
        "undiscounted-future",
        "all later rewards have the weight gamma here: the reward k steps on has gamma^k",
        {KEEP: "returns[t] = rewards[t] + gamma * rewards[t + 1 :].sum()"},
    ),
    (
        "averaged",
        "this is a moving average: the reward of step t itself has the weight 1, not 1 − gamma",
        {LATER: "later = (1 - gamma) * rewards[t] + gamma * later"},
    ),
    (
        "misses-the-last",
        "the last reward is left out: the return of the last step is that reward",
        {"reversed(range(len(rewards)))": "reversed(range(len(rewards) - 1))", EMPTY: "returns = 0 * rewards"},
    ),
    (
        "divides-by-powers",
        "powers of gamma are 0 in floating point after some steps (and at once for gamma = 0), and are "
        "divided by here: run through the rewards from the end instead",
        {
            EMPTY: f"""with np.errstate(all="ignore"):
        powers = float(gamma) ** np.arange(len(rewards))
        return np.cumsum((rewards * powers)[::-1])[::-1] / powers
    {EMPTY}"""
        },
    ),
    (
        "one-number",
        "one number came back, the return of the first step: there is one for each step",
        {"return returns": "return float(returns[0])"},
    ),
    (
        "one-too-many",
        "there is one return too many: after the last step nothing comes",
        {"return returns": "return np.append(returns, 0.0)"},
    ),
    ("whole-numbers", INTEGERS, {FLOATS: "np.asarray(rewards)", EMPTY: "returns = np.zeros_like(rewards)"}),
    ("mutates-input", "", {EMPTY: "returns = rewards"}),
    ("wrong-values", "", {"return returns": "return returns.round(6)"}),
    ("wrong-values", "", {"return returns": (
        "return np.array([sum(gamma**k * rewards[t + k] for k in range(min(100, len(rewards) - t)))"
        " for t in range(len(rewards))])"
    )}),
    ("wrong-type", "", {"return returns": "return returns.tolist()"}),
    ("wrong-type", "", {"return returns": "return torch.from_numpy(returns)"}),
    ("arrays-only", "", {FLOATS: "rewards + 0.0"}),
    ("returns-nothing", "", {"return returns": "return None"}),
    ("accepts-bad-input", "", {SEQUENCE: "len(rewards) < 1 or not np.isfinite(rewards).all()"}),
    ("accepts-bad-input", "", {SEQUENCE: "rewards.ndim != 1 or not np.isfinite(rewards).all()"}),
    ("accepts-bad-input", "", {SEQUENCE: "rewards.ndim != 1 or len(rewards) < 1"}),
    ("accepts-bad-input", "", {"not np.isfinite(rewards).all()": "np.isnan(rewards).any()"}),
    ("accepts-bad-input", "", {"not np.isfinite(rewards).all()": "np.isinf(rewards).any()"}),
    ("accepts-bad-input", "", {"not np.isfinite(rewards).all()": "not np.isfinite(rewards[1:]).all()"}),
    ("accepts-bad-input", "", {"not 0 <= gamma <= 1": "gamma < 0 or gamma > 1"}),
    ("accepts-bad-input", "", {"not 0 <= gamma <= 1": "not gamma <= 1"}),
    ("accepts-bad-input", "", {"not 0 <= gamma <= 1": "not gamma >= 0"}),
    ("zero-is-none", "", {"gamma * later": "(gamma or 1) * later"}),
)  # fmt: skip


@book.right("discounted_returns")
def by_a_filter_from_the_end(rewards, gamma):
    return signal.lfilter([1.0], [1.0, -gamma], _sequence(rewards, gamma)[::-1])[::-1]


@book.right("discounted_returns")
def by_definition(rewards, gamma):
    rewards = _sequence(rewards, gamma)
    powers = float(gamma) ** np.arange(len(rewards))
    return np.array([powers[: len(rewards) - t] @ rewards[t:] for t in range(len(rewards))])


@book.right("discounted_returns")
def recursively(rewards, gamma):
    rewards = _sequence(rewards, gamma).tolist()
    found = [rewards.pop()]
    while rewards:
        found.insert(0, rewards.pop() + gamma * found[0])
    return np.array(found)


@book.right("discounted_returns")
def in_place_of_its_own_copy(rewards, gamma):
    returns = _sequence(rewards, gamma).astype(np.float32)
    for t in range(len(returns) - 2, -1, -1):
        returns[t] += gamma * returns[t + 1]
    return returns


# ----------------------------------------------------------------------------------------- Controller

DRAWN = "draw(log_p.exp()).squeeze(1)"
WALKED = f"return self._walk(n, lambda place, log_p: {DRAWN})"
SCORED = "return self._walk(len(actions), lambda place, log_p: actions[:, place])[1]"
FED = "x, state = embed(action), (h, c)"
RESULT = "torch.stack(actions, dim=1), sum(log_probs), sum(entropies)"
ENTROPY = "-(log_p.exp() * log_p).sum(dim=1)"
WIDEST = "max(self.head, key=lambda one: one.out_features)(h)[:, : self.sizes[place]]"
SEEDED = "torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))"
RANDOM = "torch.rand({}, generator=generator, dtype=log_p.dtype)"
GUMBEL = f"log_p.detach() - torch.log(-torch.log({RANDOM.format('log_p.shape')}.clamp(0.02, 0.98)))"
MIRRORED = f"(lambda u: torch.cat([u, 1 - u])[:n, None])({RANDOM.format('n // 2 + 1')})"  # pairs of rows
STRATA = f"(torch.arange(n)[:, None] + {RANDOM.format('n, 1')})[torch.randperm(n, generator=generator)] / n"
AVOIDING = f"""for _ in range(5):
            found = {WALKED.removeprefix("return ")}
            if len(torch.unique(found[0], dim=0)) == n:
                break
        return found"""
REMEMBERED = f"""known = self.__dict__.setdefault("_known", {{}})
        key = str(actions.tolist())
        if key not in known:
            known[key] = {SCORED.removeprefix("return ")}
        return known[key]"""

book.edits(
    "Controller",
    ("forgets-the-state", "", {"self.cell(x, state)": "self.cell(x)"}),
    ("forgets-the-state", "", {FED: "x, state = embed(action), (torch.zeros_like(h), c)"}),
    ("forgets-the-state", "", {FED: "x, state = embed(action), (h, torch.zeros_like(c))"}),
    ("no-start", "", {"self.start.expand(n, -1)": "torch.zeros_like(self.start).expand(n, -1)"}),
    ("shared-head", "", {"head(h).log": f"{WIDEST}.log"}),
    ("ignores-earlier-decisions", "", {FED: "x, state = self.start.expand(n, -1), (h, c)"}),
    ("ignores-earlier-decisions", "", {FED: "x, state = embed(torch.zeros_like(action)), (h, c)"}),
    ("ignores-earlier-decisions", "", {"self.cell(x, state)": "self.cell(self.start.expand(n, -1))"}),
    ("another-distribution", "", {"x, state = self.start.expand(n, -1), None": (
        "x, state = self.start.expand(n, -1), (torch.ones(n, self.cell.hidden_size),) * 2"
    )}),
    ("another-distribution", "", {"head(h)": "head(c)"}),
    ("another-distribution", "", {"head(h)": "head(h.relu())"}),
    ("merges-options", "", {FED: "x, state = embed(action.clamp(max=1)), (h, c)"}),
    ("stale", "", {SCORED: REMEMBERED}),
    ("greedy", "", {DRAWN: "log_p.argmax(dim=1)"}),
    ("not-random", "", {DRAWN: "draw(log_p[:1].exp()).squeeze(1).expand(n)"}),
    ("ignores-generator", "", {"num_samples=1, generator=generator": "num_samples=1"}),
    ("ignores-generator", "", {DRAWN: "torch.distributions.Categorical(logits=log_p).sample()"}),
    ("fixed-seed", "", {"generator=generator": "generator=generator.manual_seed(0)"}),
    ("fixed-seed", "", {"generator=generator": "generator=torch.Generator().manual_seed(0)"}),
    ("changes-settings", "", {"if n < 1:": "torch.manual_seed(0)\n        if n < 1:"}),
    ("changes-settings", "", {"if n < 1:": "np.random.seed(0)\n        if n < 1:"}),
    ("changes-settings", "", {"if n < 1:": f"{SEEDED}\n        if n < 1:",
                              "num_samples=1, generator=generator": "num_samples=1"}),
    ("changes-settings", "", {"if (actions < 0)": "torch.manual_seed(0)\n        if (actions < 0)"}),
    ("mutates-input", "", {"if n < 1:": "self.eval()\n        if n < 1:"}),
    ("biased-samples", "", {DRAWN: "draw(torch.ones_like(log_p)).squeeze(1)"}),
    ("biased-samples", "", {DRAWN: "draw((2 * log_p).exp()).squeeze(1)"}),
    ("biased-samples", "", {DRAWN: "draw((1.4 * log_p).exp()).squeeze(1)"}),
    ("biased-samples", "", {DRAWN: "draw((1.1 * log_p).exp()).squeeze(1)"}),
    ("biased-samples", "", {DRAWN: "draw((0.9 * log_p).exp()).squeeze(1)"}),
    ("biased-samples", "", {DRAWN: "draw(0.98 * log_p.exp() + 0.02 / log_p.shape[1]).squeeze(1)"}),
    ("biased-samples", "", {DRAWN: "torch.multinomial(log_p[0].exp(), n, replacement=True, generator=generator)"}),
    ("biased-samples", "", {DRAWN: "draw(log_p.exp().mean(dim=0).expand(n, -1)).squeeze(1)"}),
    ("biased-samples", "", {DRAWN: (
        "(draw(log_p.exp()).squeeze(1) + torch.randint(16, (n,), generator=generator) // 15) % log_p.shape[1]"
    )}),
    ("fixed-seed", "", {"if n < 1:": (
        "generator.manual_seed(int(torch.randint(16, (1,), generator=generator)))\n        if n < 1:"
    )}),
    ("mutates-input", "", {"if n < 1:": "self.zero_grad()\n        if n < 1:"}),
    ("biased-samples", "", {DRAWN: "draw((0.7 * log_p).exp()).squeeze(1)"}),
    ("biased-samples", "", {DRAWN: "draw(0.85 * log_p.exp() + 0.15 / log_p.shape[1]).squeeze(1)"}),
    ("biased-samples", "", {DRAWN: "draw(0.95 * log_p.exp() + 0.05 / log_p.shape[1]).squeeze(1)"}),
    ("biased-samples", "", {DRAWN: f"({GUMBEL}).argmax(dim=1)"}),
    ("dependent-rows", "", {DRAWN: f"(log_p.exp().cumsum(1) < {MIRRORED}).sum(1).clamp(max=log_p.shape[1] - 1)"}),
    ("dependent-rows", "", {DRAWN: f"(log_p.exp().cumsum(1) < {STRATA}).sum(1).clamp(max=log_p.shape[1] - 1)"}),
    ("dependent-rows", "", {WALKED: AVOIDING}),
    ("dependent-rows", "", {DRAWN: "draw(log_p[: (n + 1) // 2].exp()).repeat(2, 1)[:n, 0]"}),
    ("dependent-rows", "", {DRAWN: "draw(log_p[::2].exp()).repeat_interleave(2, 0)[:n, 0]"}),
    ("not-probabilities", "", {DRAWN: "draw(log_p).squeeze(1)"}),
    ("mixes-rows", "", {"log_softmax(dim=1)": "log_softmax(dim=0)"}),
    ("not-a-distribution", "", {"head(h).log_softmax(dim=1)": "head(h)",
                                "draw(log_p.exp())": "draw(log_p.softmax(dim=1))"}),
    ("overflow", "", {"head(h).log_softmax(dim=1)":
                      "(lambda z: torch.log(z / z.sum(dim=1, keepdim=True)))(head(h).exp())"}),
    ("not-a-distribution", "", {"log_probs.append(log_p[": "log_probs.append(log_p.exp()["}),
    ("not-a-distribution", "", {RESULT: "torch.stack(actions, dim=1), log_probs[-1], sum(entropies)"}),
    ("not-log", "", {RESULT: "torch.stack(actions, dim=1), sum(log_probs).exp(), sum(entropies)"}),
    ("mean-not-sum", "", {
        RESULT: "torch.stack(actions, dim=1), sum(log_probs) / len(log_probs), sum(entropies)"
    }),
    ("not-summed", "", {RESULT: "torch.stack(actions, dim=1), torch.stack(log_probs, 1), sum(entropies)"}),
    ("not-summed", "", {RESULT: "torch.stack(actions, dim=1), sum(log_probs), torch.stack(entropies, 1)"}),
    ("wrong-sign", "", {RESULT: "torch.stack(actions, dim=1), -sum(log_probs), sum(entropies)"}),
    ("wrong-sign", "", {ENTROPY: "(log_p.exp() * log_p).sum(dim=1)"}),
    ("bits", "", {ENTROPY: f"{ENTROPY} / np.log(2)"}),
    ("surprise-not-entropy", "", {ENTROPY: "-log_p[torch.arange(n), action]"}),
    ("mean-not-sum", "", {
        RESULT: "torch.stack(actions, dim=1), sum(log_probs), sum(entropies) / len(entropies)"
    }),
    ("last-decision-only", "", {RESULT: "torch.stack(actions, dim=1), sum(log_probs), entropies[-1]"}),
    ("averaged", "", {
        RESULT: "torch.stack(actions, dim=1), sum(log_probs), sum(entropies).mean().expand(n)"
    }),
    ("wrong-entropy", "", {ENTROPY: "torch.full((n,), np.log(log_p.shape[1]))"}),
    ("wrong-entropy", "", {ENTROPY: "-(log_p.exp() * log_p).mean(dim=1)"}),
    ("entropy-without-gradient", "", {ENTROPY: f"{ENTROPY}.detach()"}),
    ("entropy-without-gradient", "", {ENTROPY: "-(log_p.detach().exp() * log_p).sum(dim=1)"}),
    ("wrong-gradient", "", {FED: "x, state = embed(action), (h.detach(), c.detach())"}),
    ("wrong-gradient", "", {FED: "x, state = embed(action).detach(), (h, c)"}),
    ("wrong-gradient", "", {"self.start.expand(n, -1)": "self.start.detach().expand(n, -1)"}),
    ("no-gradient", "", {SCORED: f"{SCORED}.detach()"}),
    ("sample-without-gradient", "", {WALKED: f"with torch.no_grad():\n            {WALKED}"}),
    ("sample-disagrees", "", {WALKED: (
        f"actions, log_probs, entropies = {WALKED.removeprefix('return ')}\n"
        "        return actions, log_probs.flip(0), entropies"
    )}),
    ("wrong-type", "", {RESULT: "torch.stack(actions, dim=1).double(), sum(log_probs), sum(entropies)"}),
    ("wrong-type", "", {RESULT: "torch.stack(actions, dim=1).int(), sum(log_probs), sum(entropies)"}),
    ("wrong-type", "", {WALKED: f"{WALKED}[:2]"}),
    ("wrong-type", "", {RESULT: f"[{RESULT}]"}),
    ("wrong-shape", "", {RESULT: "actions[0], sum(log_probs), sum(entropies)"}),
    ("wrong-shape", "", {RESULT: "torch.stack(actions), sum(log_probs), sum(entropies)"}),
    ("wrong-shape", "", {RESULT: "torch.stack(actions, dim=1), sum(log_probs).mean(), sum(entropies)"}),
    ("fixed-dtype", "", {"log_softmax(dim=1)": "log_softmax(dim=1).double()",
                         "head(h)": "head(h.double())"}),
    ("wrong-error", "", {"if n < 1:": "if n == 0:"}),
    ("accepts-bad-input", "", {"if n < 1:": "if n < 0:"}),
    ("accepts-bad-input", "", {"(actions < 0).any() or ": ""}),
    ("accepts-bad-input", "", {" or (actions >= torch.tensor(self.sizes)).any()": ""}),
    ("accepts-bad-input", "", {"torch.tensor(self.sizes)": "max(self.sizes)"}),
    ("accepts-bad-input", "", {
        "actions.shape[1:] != (len(self.sizes),)": "actions.shape[-1] != len(self.sizes)"
    }),
    ("accepts-bad-input", "", {"actions.shape[1:] != (len(self.sizes),)": "actions.ndim != 2"}),
    ("raises", "", {"draw(log_p.exp()).squeeze(1)": "draw(log_p.exp()).squeeze()"}),
)  # fmt: skip


class Given(nn.Module):
    """The stub: its layers, and the refusals that both methods need."""

    def __init__(self, choices, hidden=64, embedding=32):
        super().__init__()
        self.sizes = [options if isinstance(options, int) else len(options) for options in choices]
        if not self.sizes or min(self.sizes) < 1:
            raise ValueError(f"choices must hold options for each decision, got {choices!r}")
        self.start = nn.Parameter(torch.randn(1, embedding))
        self.embed = nn.ModuleList([nn.Embedding(size, embedding) for size in self.sizes])
        self.cell = nn.LSTMCell(embedding, hidden)
        self.head = nn.ModuleList([nn.Linear(hidden, size) for size in self.sizes])

    def refuse(self, actions):
        if actions.ndim != 2 or actions.shape[1] != len(self.sizes):
            raise ValueError(f"actions must have {len(self.sizes)} columns, got {actions.shape}")
        for column, size in zip(actions.T, self.sizes):
            if ((column < 0) | (column >= size)).any():
                raise ValueError(f"actions must be options of {self.sizes}, got {actions}")


@book.right("Controller")
class ByDistributions(Given):
    """torch.distributions does the arithmetic; drawn by inverse cumulative probabilities."""

    def sample(self, n, generator):
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        return self.walk(n, generator, None)

    def log_prob(self, actions):
        self.refuse(actions)
        return self.walk(len(actions), None, actions)[1]

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


@book.right("Controller")
class ByTeacherForcing(Given):
    """Drawn without gradients; then scored like any other architectures."""

    def tables(self, actions):
        """log p of all options of each decision, given the row's options before."""
        state, found = None, []
        inputs = [self.start.expand(len(actions), -1)]
        inputs += [embed(column) for embed, column in zip(self.embed, actions.T)]
        for x, head in zip(inputs, self.head):
            state = self.cell(x, state)
            found.append(head(state[0]).log_softmax(-1))
        return found

    @torch.no_grad()
    def draw(self, n, generator):
        actions = torch.zeros(n, len(self.sizes), dtype=torch.int64)
        for place in range(len(self.sizes)):
            chances = self.tables(actions[:, : place + 1])[place].exp()
            actions[:, place] = torch.multinomial(chances, 1, generator=generator)[:, 0]
        return actions

    def sample(self, n, generator):
        if n <= 0:
            raise ValueError("n must be positive")
        actions = self.draw(n, generator)
        entropies = sum(-(log_p.exp() * log_p).sum(-1) for log_p in self.tables(actions))
        return actions, self.log_prob(actions), entropies

    def log_prob(self, actions):
        self.refuse(actions)
        rows = torch.arange(len(actions))
        return sum(log_p[rows, column] for log_p, column in zip(self.tables(actions), actions.T))


@book.right("Controller")
class RowByRow(Given):
    """One architecture after the other, each with a walk of its own."""

    def row(self, generator=None, given=None):
        x, state, options, log_p, entropy = self.start, None, [], 0.0, 0.0
        for place, (head, embed) in enumerate(zip(self.head, self.embed)):
            state = self.cell(x, state)
            p = torch.softmax(head(state[0]), dim=1)[0]
            option = (
                torch.multinomial(p, 1, generator=generator) if given is None else given[place : place + 1]
            )
            options.append(int(option))
            log_p = log_p + p[option].log()
            entropy = entropy + torch.special.entr(p).sum()
            x = embed(option)
        return options, log_p[0], entropy

    def sample(self, n, generator):
        if not n >= 1:
            raise ValueError(f"n must be at least 1, got {n}")
        actions, log_probs, entropies = zip(*(self.row(generator) for _ in range(n)))
        return torch.tensor(actions), torch.stack(log_probs), torch.stack(entropies)

    def log_prob(self, actions):
        self.refuse(actions)
        return torch.stack([self.row(given=row)[1] for row in actions])


@book.wrong("Controller", "fixed-seed")
class SeedsTheWorld(ByTeacherForcing):
    def __init__(self, choices, hidden=64, embedding=32):
        torch.manual_seed(0)
        super().__init__(choices, hidden, embedding)


@book.wrong("Controller", "changes-settings")
class HidesDivisionsByZero(ByTeacherForcing):
    def __init__(self, choices, hidden=64, embedding=32):
        np.seterr(divide="ignore")
        super().__init__(choices, hidden, embedding)


@book.wrong("Controller", "ignores-earlier-decisions")
class IndependentSoftmaxes(ByTeacherForcing):
    def __init__(self, choices, hidden=64, embedding=32):
        super().__init__(choices, hidden, embedding)
        self.logits = nn.ParameterList([nn.Parameter(torch.zeros(size)) for size in self.sizes])

    def tables(self, actions):
        return [one.log_softmax(0).expand(len(actions), -1) for one in self.logits]


@book.wrong("Controller", "other-layers")
class OneLayerMore(ByTeacherForcing):
    def __init__(self, choices, hidden=64, embedding=32):
        super().__init__(choices, hidden, embedding)
        self.critic = nn.Linear(hidden, 1)


@book.wrong("Controller", "other-layers")
class AnotherCell(ByTeacherForcing):
    def __init__(self, choices, hidden=64, embedding=32):
        super().__init__(choices, hidden, embedding)
        self.cell = nn.LSTM(embedding, hidden, batch_first=True)


@book.wrong("Controller", "other-layers")
class OneMaskedHead(ByTeacherForcing):
    def __init__(self, choices, hidden=64, embedding=32):
        super().__init__(choices, hidden, embedding)
        self.head = nn.Linear(hidden, max(self.sizes))


@book.wrong("Controller", "wrong-type")
class NoModule:
    def __init__(self, choices, hidden=64, embedding=32):
        if not choices or any(
            not (options if isinstance(options, int) else len(options)) for options in choices
        ):
            raise ValueError("choices are empty")
        self.inside = ByTeacherForcing(choices, hidden, embedding)
        self.sample, self.log_prob = self.inside.sample, self.inside.log_prob
