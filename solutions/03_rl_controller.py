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
# # 03 · The controller
#
# **{minutes} · {points}.** At the end of this lesson you will be able to
#
# - write the gradient of an expected reward, exactly and as an estimate from samples;
# - say what a baseline does to that estimate, which baselines are allowed, and measure both;
# - build a recurrent controller that draws architectures, and train it with REINFORCE;
# - recognise a controller that has collapsed, and say what an entropy bonus buys and costs;
# - judge a learned controller against random search and evolution, at equal budget and over paired
#   seeds.
#
# The notebook computes for about two minutes, most of it in sections 5 and 6. You need the space
# and the table from lesson 00; no exercise of an earlier lesson is used here.
#
# ## The paper that began it
#
# Zoph and Le (2017) let a recurrent network, the *controller*, write down an architecture decision
# by decision. The architecture was trained, its validation accuracy was the reward, and a policy
# gradient told the controller to make good architectures more likely. It worked: on CIFAR-10 their
# network reached 3.65 % error, 0.09 points better than the best comparable human design, and on
# Penn Treebank their recurrent cell had a perplexity of 62.4, 3.6 better than the best before it.
# The figure usually quoted for the price is 800 GPUs for 28 days, or 22,400 GPU-days.
#
# > **A common mistake.** You will read that this paper found "a convolutional cell better than any
# > human design". It searched whole convolutional networks, and a *recurrent* cell; the
# > convolutional cell came a year later, with NASNet. And the margin on CIFAR-10 is that of the
# > final version: in an earlier version of the paper the network had 3.84 % error and was slightly
# > worse than the best human design.
#
# They also asked whether random search would have done as well ("Control Experiment 2", on Penn
# Treebank): in their one comparison the controller's best network was better, and its top ones on
# average even more so. NASNet asked again on CIFAR-10. Today the algorithm fits on a page. You will
# write it, and then ask what nobody could afford in 2017: over *many* runs, does the controller
# beat simple methods that may evaluate just as many architectures?

# %% tags=["setup"]
import functools

import numpy as np
import torch
from torch import nn

from nas_lib.checks import check
from nas_lib.spaces import EDGES, CellSpace

space = CellSpace()

# %% [markdown]
# ## 1 · One decision, exactly
#
# Random search draws from a fixed distribution, and evolution keeps a population. A controller is a
# *distribution with parameters*, called a policy, and it learns by moving the parameters. Begin
# with a single decision with k options: one edge of a cell, say. The policy has one number per
# option, the logit $\theta_i$, and chooses option i with the probability
#
# $$p_i = \frac{e^{\theta_i}}{\sum_j e^{\theta_j}}.$$
#
# If option i earns the reward $r_i$, the policy's worth is its *expected reward*
# $J(\theta) = \sum_i p_i\, r_i$. With few options it can be computed by going through all of them,
# and so can its gradient. That will be our oracle: whatever we estimate from samples later has to
# agree with it.
#
# ### Exercise 3.1 · `exact_policy_gradient` · ●●○○○ · 10 min · 3 points
#
# **Why it matters.** An estimator without an oracle cannot be tested: a wrong sign or a missing
# factor still "learns" something. With the exact gradient beside it you can tell bias from noise.
#
# Differentiate $\sum_i p_i r_i$ by hand, or let autograd do it on a leaf of your own. Example: two
# options with equal logits, rewards 1 and 0. Then $p = (\tfrac12, \tfrac12)$, and the gradient is
# $(\tfrac14, -\tfrac14)$: more of the first, less of the second, and the two entries add up to 0.
#
# <details><summary>Hint: "where do I start?"</summary>
#
# $\partial p_i / \partial \theta_j$ is $p_i (1 - p_i)$ for i = j and $-p_i\, p_j$ otherwise. Put
# that into $\sum_i r_i\, \partial p_i / \partial \theta_j$ and collect what multiplies $p_j$.
#
# </details>
# <details><summary>Hint: "all entries are positive" or "they do not add up to 0"</summary>
#
# Adding a constant to all logits changes no probability, so the gradient must add up to 0. Yours
# lacks the part in which one option takes probability away from the others.
#
# </details>
# <details><summary>Hint: "the gradient is nan for large logits"</summary>
#
# $e^{900}$ is too large for a float. Only differences between logits matter: subtract the largest
# first, or use `torch.softmax`, which does.
#
# </details>

# %% tags=["exercise"]
def exact_policy_gradient(logits, rewards):
    """Gradient of the expected reward of one softmax decision, by going through all options.

    Args:
        logits: float tensor (or sequence) of shape (k,), k ≥ 1, the policy's parameters; any size.
        rewards: float tensor (or sequence) of shape (k,), the reward of each option.

    Returns:
        Float tensor of shape (k,): the derivative of Σ pᵢ·rᵢ by each logit, where p =
        softmax(logits).

    Raises:
        ValueError: the shapes differ or are not (k,) with k ≥ 1, or a reward is NaN or infinite.
    """
    ### BEGIN SOLUTION
    if not isinstance(logits, torch.Tensor):
        logits = torch.as_tensor(np.asarray(logits, dtype=float))
    rewards = torch.as_tensor(rewards, dtype=logits.dtype)
    if logits.ndim != 1 or len(logits) < 1 or rewards.shape != logits.shape:
        shapes = tuple(logits.shape), tuple(rewards.shape)
        raise ValueError(f"logits and rewards must have one shape (k,) with k ≥ 1, got {shapes}")
    if not torch.isfinite(rewards).all():
        raise ValueError(f"rewards must be finite numbers, got {rewards.tolist()}")
    chances = torch.softmax(logits.detach(), dim=0)
    return chances * (rewards - chances @ rewards)
    ### END SOLUTION

# %% tags=["check"]
check("exact_policy_gradient", exact_policy_gradient)

# %% [markdown]
# Now a toy from the table. Take a chain of three 3×3 convolutions, a cell with nothing on its other
# edges, and forget the first link, on edge 0→1. The five candidates give five cells, and their
# validation accuracies are the rewards. Follow the exact gradient from equal probabilities.

# %% tags=["experiment"]
from nas_lib import plotting
from nas_lib.benchmark import TabularBenchmark
from nas_lib.fallbacks import or_fallback
from nas_lib.predictions import predict

# The networks of this lesson are tiny: a second thread would only get in the way.
torch.set_num_threads(1)
benchmark = TabularBenchmark.load()
# (cells,), percent, mean over seeds, in the space's index order
accuracy = benchmark.final("valid")
optimum_cell, optimum = benchmark.best("valid")
ops, conv = space.choices[0], "nor_conv_3x3"

# %% tags=["experiment"]
guess_top = predict("How likely is the best option after 40 exact steps?", ..., unit="%")

# %% tags=["experiment"]
candidates = [(op, "none", conv, "none", "none", conv) for op in ops]
toy_rewards = torch.tensor([accuracy[space.index(cell)] for cell in candidates])
policy_gradient = or_fallback("exact_policy_gradient", exact_policy_gradient)

logits = torch.zeros(len(ops), dtype=torch.float64)
path = [torch.softmax(logits, 0)]
for _ in range(40):
    logits = logits + 0.2 * policy_gradient(logits, toy_rewards)
    path.append(torch.softmax(logits, 0))
names = [f"{op} ({reward:.1f} %)" for op, reward in zip(ops, toy_rewards.tolist())]
labels = {"xlabel": "steps along the exact gradient", "ylabel": "probability"}
title = "The first link of a chain: what the policy chooses"
plotting.lines(dict(zip(names, torch.stack(path).T)), **labels, title=title)
for step in (3, 40):
    shares = ", ".join(f"{op} {100 * p:.2f} %" for op, p in zip(ops, path[step].tolist()))
    print(f"step {step}: {shares}")
guess_top.beside(100 * float(path[-1].max()))

# %% [markdown]
# Without its first link the chain is broken, and the cell returns nothing but zeros; with a pooling
# there it is poor. Both all but vanish within three steps. The other three lie within three points
# of each other, and between them even the exact gradient takes its time: it is a probability times
# a *difference of rewards*. At the end of the lesson thousands of good cells will differ by tenths
# of a point.
#
# <details><summary>What we got</summary>
#
# After 3 steps the broken chain has 0.73 % and the pooling 3.85 %, the best option only 39.14 %.
# After 40 it has 93.91 %.
#
# </details>
#
# ## 2 · The same from samples
#
# A cell has six decisions and 15,625 outcomes, and outside of this course each reward costs a
# training. Nobody sums over all outcomes. The way out is an identity,
# $\nabla p = p\,\nabla \log p$. It turns the gradient into an expectation,
#
# $$\nabla J = \sum_a p(a)\,R(a)\,\nabla \log p(a)
# = \mathbb{E}_{a \sim p}\bigl[R(a)\,\nabla \log p(a)\bigr],$$
#
# and an expectation can be estimated from samples: draw architectures from the policy, get their
# rewards, and weigh $\nabla \log p$ of each by its reward. This is REINFORCE (Williams 1992). The
# reward itself is never differentiated, so it may come from a training, a stopwatch or a table.
#
# One more identity: $\mathbb{E}[\nabla \log p(a)] = \nabla \sum_a p(a) = 0$. So any number b that
# does not depend on the sample can be subtracted from the reward, and the *expected* estimate stays
# the same: $\mathbb{E}[(R - b)\,\nabla \log p] = \nabla J$. Such a b is called a **baseline**, and
# R − b the advantage.
#
# ### Exercise 3.2 · `reinforce_loss` · ●●○○○ · 12 min · 3 points
#
# **Why it matters.** Autograd differentiates losses, and REINFORCE is not the gradient of any
# natural one. So one writes down a *surrogate*: a number of no interest itself, whose gradient is
# the estimate. It has a few lines, and each of them is a popular place for mistakes that still run.
#
# $$L = -\frac1n \sum_{i=1}^n (R_i - b_i)\,\log p(a_i)
# \;-\; \text{weight}\cdot\frac1n \sum_{i=1}^n H_i$$
#
# The minus turns the way up into a way down, as optimisers want it. The second term is a bonus for
# the policy's entropy H, with a weight; section 5 is about it. Example: one sample with
# log-probability −1, reward 3, baseline 1, entropy 2 and weight 0.5. Then
# $L = -(3 - 1)\cdot(-1) - 0.5 \cdot 2 = 1$.
#
# <details><summary>Hint: "the mean reward falls during training"</summary>
#
# The sign. The optimiser makes the loss *small*, so a sample with R > b must enter with −log p.
#
# </details>
# <details><summary>Hint: "a gradient runs through R − b"</summary>
#
# The baseline may be a small network with parameters. If the loss reaches them, it changes the
# *baseline* so that the loss looks good. `(rewards - baseline).detach()` keeps the advantage a
# plain number.
#
# </details>
# <details>
# <summary>Hint: "the loss should be one number, not an array (6, 6)" or "rewards of shape (4, 1) is
# accepted"</summary>
#
# A column of shape (n, 1) times a row of shape (n,) is an (n, n) matrix, without a warning: each
# reward meets each log-probability. Compare the shapes before you multiply.
#
# </details>

# %% tags=["exercise"]
def reinforce_loss(log_probs, rewards, baseline, entropies, entropy_weight):
    """Surrogate loss of REINFORCE with a baseline and an entropy bonus, to be minimised.

    Args:
        log_probs: float tensor of shape (n,), log p of each sampled architecture, with its
            gradient.
        rewards: float tensor (or array) of shape (n,), the reward of each; higher is better.
        baseline: a number, or a tensor (or array) of shape (n,) with a baseline for each sample.
        entropies: float tensor of shape (n,), in nats, with their gradient.
        entropy_weight: how much a nat of entropy is worth, in units of the reward.

    Returns:
        Scalar tensor, of shape (): −mean((R − b)·log p) − entropy_weight·mean(H). Its gradient
        reaches log_probs and entropies, and nothing through R − b.

    Raises:
        ValueError: another shape than these, or NaN or an infinite number in rewards or baseline.

    Source: Williams (1992).
    """
    ### BEGIN SOLUTION
    rewards = torch.as_tensor(rewards, dtype=log_probs.dtype)
    baseline = torch.as_tensor(baseline, dtype=log_probs.dtype)
    if log_probs.ndim != 1 or not log_probs.shape == rewards.shape == entropies.shape:
        shapes = tuple(log_probs.shape), tuple(rewards.shape), tuple(entropies.shape)
        raise ValueError(f"log_probs, rewards and entropies must have one shape (n,), got {shapes}")
    if baseline.shape not in ((), rewards.shape):
        raise ValueError(f"baseline must be a number or of shape (n,), got {tuple(baseline.shape)}")
    advantages = (rewards - baseline).detach()
    if not torch.isfinite(advantages).all():
        raise ValueError(
            f"rewards and baseline must be finite numbers, got the differences {advantages}"
        )
    return -(advantages * log_probs).mean() - entropy_weight * entropies.mean()
    ### END SOLUTION

# %% tags=["check"]
check("reinforce_loss", reinforce_loss)

# %% [markdown]
# Which baseline? If it changes nothing on average, why bother? Because an estimate has a *variance*
# as well. For one decision the oracle computes that too, by going through all options. Take the
# other end of a search: the first edge of the *best* cell of the space, where no option is bad and
# all five rewards lie within four points. The figure shows, for each constant baseline, the
# standard deviation of a one-sample estimate: by enumeration, and as the spread of 4,000 estimates
# made with your loss; both as multiples of the length of the true gradient.

# %% tags=["experiment"]
loss_of = or_fallback("reinforce_loss", reinforce_loss)
candidates = [(op, *optimum_cell[1:]) for op in ops]
toy_rewards = torch.tensor([accuracy[space.index(cell)] for cell in candidates])
logits = torch.zeros(len(ops), dtype=torch.float64)
chances = torch.softmax(logits, 0)
exact = policy_gradient(logits, toy_rewards)


def draw_actions(n, seed):
    """n options drawn from the toy's policy."""
    generator = torch.Generator().manual_seed(seed)
    return torch.multinomial(chances, n, replacement=True, generator=generator)

# %% tags=["experiment"]
def estimates(actions, baseline):
    """One-sample estimates of the gradient, (n, options), by autograd through the surrogate."""
    n = len(actions)
    # A copy of the parameters for each sample keeps them apart.
    rows = logits.repeat(n, 1).requires_grad_()
    log_probs = rows.log_softmax(1)[torch.arange(n), actions]
    loss_of(log_probs, toy_rewards[actions], baseline, torch.zeros(n), 0.0).backward()
    return -n * rows.grad  # the loss is a mean, and points down


def exact_spread(baseline):
    """Standard deviation of a one-sample estimate, by enumeration."""
    scores = torch.eye(len(ops), dtype=torch.float64) - chances
    squares = (toy_rewards - baseline) ** 2 * (scores**2).sum(1)
    return float(chances @ squares - exact @ exact) ** 0.5

# %% tags=["experiment"]
guess_fewer = predict("How many times fewer samples are enough with b = E[R]?", ...)

# %% tags=["experiment"]
SAMPLES = 4_000
mean_reward, length = float(chances @ toy_rewards), float(exact.norm())
tried = np.linspace(0, 2 * mean_reward, 9)
measured = [estimates(draw_actions(SAMPLES, seed), float(b)) for seed, b in enumerate(tried)]
spread = {
    "by enumeration": [exact_spread(b) / length for b in tried],
    f"{SAMPLES:,} estimates each": [float(one.var(0).sum()) ** 0.5 / length for one in measured],
}
ax = plotting.lines(
    spread,
    x=tried,
    xlabel="baseline b (percentage points); the vertical line is E[R]",
    ylabel="spread of an estimate\n/ length of the gradient",
    title="What a constant baseline does to the noise",
)
ax.axvline(mean_reward, color="black", linewidth=1);

# %% tags=["experiment"]
for b, one in zip(tried[[0, 4]], [measured[0], measured[4]]):
    off = float((one.mean(0) - exact).norm()) / (exact_spread(b) / SAMPLES**0.5)
    print(f"b = {b:4.1f}: their mean lies {off:.1f} standard errors from the exact gradient")
fewer = (exact_spread(0) / exact_spread(mean_reward)) ** 2
guess_fewer.beside(fewer)

# %% [markdown]
# Without a baseline all rewards are positive, so *whatever* was drawn becomes more likely. That the
# good options win in the end is the result of many pushes that nearly cancel. With the expected
# reward as a baseline, a sample is pushed up if it is better than usual and down otherwise. The
# mean is the same, and the noise is not.
#
# Nobody knows E[R] during a search, and it changes as the policy learns. So Zoph and Le took a
# running average of the rewards seen *before*.
#
# ### Exercise 3.3 · `ema_baseline` · ●●○○○ · 8 min · 2 points
#
# **Why it matters.** "Any b that does not depend on the sample": this is where that is easily
# broken. If the average is updated first and subtracted afterwards, then b contains a share of R,
# and the identity no longer holds.
#
# $$b_0 = 0, \qquad b_t = d\,b_{t-1} + (1 - d)\,R_{t-1}$$
#
# with the decay d. Example: the rewards 4, 8, 8 with d = 0.5 have the baselines 0, 2, 5. The last
# reward is in none of them.
#
# <details>
# <summary>Hint: "the baseline at t contains reward t" or "14 entries for 13 rewards"</summary>
#
# Store b first, then update it. There are as many baselines as rewards, the first is 0, and the
# last reward is in none.
#
# </details>

# %% tags=["exercise"]
def ema_baseline(rewards, decay):
    """Exponential moving average of the rewards *before* each step, as a baseline for REINFORCE.

    Args:
        rewards: sequence or array of shape (n,), n ≥ 1, ints or floats, in the order in which they
            came.
        decay: share of the old average that is kept, 0 ≤ decay ≤ 1.

    Returns:
        Float array of shape (n,): b[0] = 0, and b[t] = decay·b[t−1] + (1 − decay)·rewards[t−1].

    Raises:
        ValueError: rewards are empty, not one-dimensional, NaN or infinite, or decay is out of
            range.
    """
    ### BEGIN SOLUTION
    rewards = np.asarray(rewards, dtype=float)
    if rewards.ndim != 1 or len(rewards) < 1 or not np.isfinite(rewards).all():
        raise ValueError(
            f"rewards must be finite numbers of shape (n,) with n ≥ 1, got {rewards!r}"
        )
    if not 0 <= decay <= 1:
        raise ValueError(f"decay must be from 0 to 1, got {decay!r}")
    baseline = np.zeros(len(rewards))
    for t in range(1, len(rewards)):
        baseline[t] = decay * baseline[t - 1] + (1 - decay) * rewards[t - 1]
    return baseline
    ### END SOLUTION

# %% tags=["check"]
check("ema_baseline", ema_baseline)

# %% [markdown]
# Put it to work on the same edge, with the policy held still: one long sequence of samples, each
# with the average of the earlier ones as its baseline. The last line does it wrong on purpose, with
# an average that has seen the reward already. Compare the two columns: is the mean right, and how
# large is the noise?

# %% tags=["experiment"]
ema = or_fallback("ema_baseline", ema_baseline)
actions, skipped = draw_actions(20_000, seed=99), 200  # the averages start from 0
rewards = toy_rewards[actions].numpy()

baselines = {
    "none": np.zeros(len(rewards)),
    "moving average, decay 0.5": ema(rewards, 0.5),
    "moving average, decay 0.9": ema(rewards, 0.9),
    "moving average, decay 0.99": ema(rewards, 0.99),
    "expected reward": np.full(len(rewards), mean_reward),
    "WRONG: decay 0.5, sees its own reward": ema(np.append(rewards, 0.0), 0.5)[1:],
}
print(f"{'baseline':38} {'mean / exact':>12} {'± error':>8} {'noise':>7}")
for name, baseline in baselines.items():
    found = estimates(actions[skipped:], torch.tensor(baseline[skipped:]))
    along = (found @ exact) / length**2  # 1 on average if the estimate is right
    error = float(along.std()) / len(along) ** 0.5
    noise = float(found.var(0).sum()) ** 0.5 / length
    print(f"{name:38} {float(along.mean()):12.3f} {error:8.3f} {noise:7.2f}")

# %% [markdown]
# A short memory makes the baseline itself noisy, and a long one is late when the policy improves.
# The wrong line is the treacherous one: its noise is low *because* a part of the signal is
# subtracted too.
#
# <details><summary>What we got</summary>
#
# With a decay of 0.9 the noise is 1.8 lengths of the gradient, with the expected reward 1.7, with
# no baseline 133. The wrong average has only 1.04, and its mean is 0.504 of the gradient: with a
# decay of one half it subtracts half of what the sample has to say.
#
# </details>

# %% [markdown]
# ## 3 · Six decisions: the controller
#
# A cell has six edges. One softmax per edge would give them six *independent* distributions. But
# whether a skip on 0→3 is good depends on what the other edges do. Zoph and Le's controller can
# express that: it writes the cell like a sentence,
#
# $$p(a) = p(a_0)\; p(a_1 \mid a_0)\; p(a_2 \mid a_0, a_1) \cdots,
# \qquad \log p(a) = \sum_t \log p(a_t \mid a_{<t}).$$
#
# An LSTM walks over the decisions. Its input at step 0 is a learned start vector; at step t > 0 it
# is the embedding of the option that was taken at step t − 1. Its state remembers the earlier ones.
# From the state a linear layer makes the logits of decision t, whose softmax is
# $p(a_t \mid a_{<t})$.
#
# How undecided is such a policy? Decision t, given what came before, has the entropy
# $H_t = -\sum_o p(o \mid a_{<t}) \log p(o \mid a_{<t})$ over *all* its options o, whichever is
# drawn. An architecture's entropy is the sum over its decisions. The mean of it over samples is the
# entropy of the whole distribution.
#
# ### Exercise 3.4 · `Controller` · ●●●●○ · 30 min · 6 points
#
# **Why it matters.** This is the model of the paper that began the field, and the same thirty lines
# are behind every later controller, whether its rewards come from trainings or from a supernet.
#
# The layers are given and stay as they are; write the two methods. `sample` walks over the
# decisions and draws; `log_prob` walks the same way with the options given. Example: with
# `choices = (("a", "b"), (1, 2, 3))` an architecture is a row such as `[1, 2]`, standing for
# `("b", 3)`, and the six probabilities `controller.log_prob(all six rows).exp()` add up to 1. Speed
# is no concern, and rows may be drawn one by one: the check draws about 5,000 of them, from seven
# small spaces, and grading allows six seconds of computing for all.
#
# <details><summary>Hint: "where do I start?"</summary>
#
# One step: `state = self.cell(x, state)` with `state = None` at first; it is the pair (h, c).
# Logits: `self.head[t](state[0])`, of shape (n, options). The first x is
# `self.start.expand(n, -1)`, the next one `self.embed[t](action)`. Both methods share this walk:
# consider a helper method *below* `log_prob`.
#
# </details>
# <details><summary>Hint: "how do I draw?"</summary>
#
# `torch.multinomial(probabilities, 1, generator=generator)` gives a column (n, 1) of positions. It
# wants probabilities, not logits. The draw has no gradient and needs none; the log-probability of
# what was drawn has one.
#
# </details>
# <details><summary>Hint: "decision 2 does not depend on decision 0"</summary>
#
# Pass the state of the last step into the next, `self.cell(x, state)`. `self.cell(x)` begins with
# zeros each time.
#
# </details>
# <details>
# <summary>Hint: "one of the variables needed for gradient computation has been modified by an
# inplace operation"</summary>
#
# You write into a tensor of actions while autograd still needs its earlier columns. Collect the
# columns in a list, and `torch.stack(columns, dim=1)` them at the end.
#
# </details>
# <details><summary>Hint: "mat1 and mat2 must have the same dtype"</summary>
#
# The check works in float64. Make new tensors like existing ones, `torch.zeros_like(x)` or
# `dtype=x.dtype`.
#
# </details>

# %% tags=["exercise"]
class Controller(nn.Module):
    """Policy over architectures: an LSTM takes one decision after the other (Zoph and Le 2017).

    Its layers are given; each call computes everything from the weights that they have then.

    Args:
        choices: the options of each of the D decisions, as in `space.choices` (or only their
            numbers).
        hidden: width of the LSTM's state.
        embedding: width of its inputs.

    Raises:
        ValueError: no decisions, or one without options.
    """

    def __init__(self, choices, hidden=64, embedding=32):
        super().__init__()
        self.sizes = [options if isinstance(options, int) else len(options) for options in choices]
        if not self.sizes or min(self.sizes) < 1:
            raise ValueError(
                f"choices must hold options for at least one decision, got {choices!r}"
            )
        self.start = nn.Parameter(torch.randn(1, embedding))  # the input of step 0
        self.embed = nn.ModuleList([nn.Embedding(size, embedding) for size in self.sizes])
        self.cell = nn.LSTMCell(embedding, hidden)
        self.head = nn.ModuleList([nn.Linear(hidden, size) for size in self.sizes])

    def sample(self, n, generator):
        """Draw n ≥ 1 architectures, each by itself, with all randomness from `generator` (a
        torch.Generator), and no global seed set.

        Returns:
            Tuple (actions, log_probs, entropies): int64 tensor (n, D), positions of the options
            taken; float tensor (n,), log p of each architecture; float tensor (n,), in nats, the
            sum over the decisions of the entropy of each, given the options drawn before it. The
            latter two carry gradients.

        Raises:
            ValueError: n is below 1.
        """
        ### BEGIN SOLUTION
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n!r}")
        draw = functools.partial(torch.multinomial, num_samples=1, generator=generator)
        return self._walk(n, lambda place, log_p: draw(log_p.exp()).squeeze(1))
        ### END SOLUTION

    def log_prob(self, actions):
        """Float tensor (n,), with gradients: log p of given architectures, as `sample` says it.

        Args:
            actions: int64 tensor of shape (n, D), positions of options.

        Raises:
            ValueError: another shape, or a position outside of its decision's options.
        """
        ### BEGIN SOLUTION
        if actions.shape[1:] != (len(self.sizes),):
            raise ValueError(
                f"actions must have the shape (n, {len(self.sizes)}), got {tuple(actions.shape)}"
            )
        if (actions < 0).any() or (actions >= torch.tensor(self.sizes)).any():
            raise ValueError(
                f"actions must be positions from 0 to below {self.sizes}, got {actions.tolist()}"
            )
        return self._walk(len(actions), lambda place, log_p: actions[:, place])[1]

    def _walk(self, n, choose):
        """Take all decisions; `choose(place, log_p)` says which option each row takes."""
        x, state = self.start.expand(n, -1), None
        actions, log_probs, entropies = [], [], []
        for place, (head, embed) in enumerate(zip(self.head, self.embed)):
            h, c = self.cell(x, state)
            log_p = head(h).log_softmax(dim=1)
            action = choose(place, log_p)
            actions.append(action)
            log_probs.append(log_p[torch.arange(n), action])
            entropies.append(-(log_p.exp() * log_p).sum(dim=1))
            x, state = embed(action), (h, c)
        return torch.stack(actions, dim=1), sum(log_probs), sum(entropies)
        ### END SOLUTION

# %% tags=["check"]
check("Controller", Controller)

# %% [markdown]
# Now train it, live, on the whole space. Each update draws 16 cells and looks up their rewards; the
# baseline is the moving average of the mean rewards of the earlier updates. The small multiples
# show the policy as it learns: how often each operation was drawn on each edge, within fifteen
# updates.

# %% tags=["experiment"]
from nas_lib.lesson import progress

Policy = or_fallback("Controller", Controller)
BATCH, UPDATES = 16, 250


def rewards_of(actions):
    """Validation accuracy (percent) of each row of positions."""
    return accuracy[np.ravel_multi_index(tuple(np.asarray(actions).T), [len(ops)] * len(EDGES))]

# %% tags=["experiment"]
def train_controller(seed, entropy_weight=0.0, updates=range(UPDATES), rate=0.005):
    """REINFORCE on the table: mean reward and entropy of each update, and all that was drawn."""
    torch.manual_seed(seed)  # initial weights
    controller, generator = Policy(space.choices), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(controller.parameters(), lr=rate)
    log, drawn = np.zeros((UPDATES, 2)), []
    for update in updates:
        actions, log_probs, entropies = controller.sample(BATCH, generator)
        rewards = torch.tensor(rewards_of(actions), dtype=log_probs.dtype)
        baseline = float(ema(log[: update + 1, 0], 0.9)[-1])  # without this update's reward
        loss = loss_of(log_probs, rewards, baseline, entropies, entropy_weight)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        log[update] = float(rewards.mean()), float(entropies.detach().mean())
        drawn.append(actions.numpy())
    return log[: update + 1], np.concatenate(drawn)

# %% tags=["experiment"]
guess_distinct = predict("How many distinct cells are among its 4,000 draws?", ...)

# %% tags=["experiment"]
log, drawn = train_controller(seed=0, updates=progress(range(UPDATES), "update"))
best_so_far = np.maximum.accumulate(rewards_of(drawn))[BATCH - 1 :: BATCH]
maps = {}
for first in (0, 15, 30, 45, 60, UPDATES - 15):
    rows = drawn[first * BATCH : (first + 15) * BATCH]
    shares = np.stack([np.bincount(column, minlength=len(ops)) for column in rows.T]) / len(rows)
    maps[f"rewards {first * BATCH + 1:,} to {(first + 15) * BATCH:,}"] = shares
edges = [f"{source}→{target}" for source, target in EDGES]
short = [plotting.OP_NAMES[op] for op in ops]
title = "How often each operation is drawn on each edge (%)"
plotting.choice_maps(maps, edges, short, title=title);

# %% tags=["experiment"]
spent = BATCH * np.arange(1, UPDATES + 1)
plotting.lines(
    {f"mean of {BATCH} samples": log[:, 0], "best so far": best_so_far},
    x=spent,
    xlabel="rewards seen",
    ylabel="validation accuracy (%)",
    levels={"best of the space": optimum},
    title="The same run: what it draws, and what it has found",
)
guess_distinct.beside(len(np.unique(drawn, axis=0)))
print(f"entropy: {log[0, 1]:.2f} nats at first, {log[-1, 1]:.2f} at the end")
print(f"uniform: {len(EDGES) * np.log(len(ops)):.2f} nats")
print(f"mean reward at the end {log[-1, 0]:.2f} %, best cell seen {best_so_far[-1]:.2f} %")

# %% [markdown]
# It learns. Watch *how*: first the operations that ruin a cell disappear, then the policy settles
# on one cell and its entropy goes to zero. From then on it proposes that cell again and again.
# Every reward equals the baseline, the advantage is 0, and nothing more is learned. If that cell is
# not the best one, it stays that way.
#
# <details><summary>What we got</summary>
#
# It drew about 625 distinct cells, found the best one, 87.04 %, and had a mean reward of 87.0 % at
# the end. The entropy fell from 9.6 nats, nearly uniform, to less than half a nat.
#
# </details>
#
# ## 4 · Which decision earned the reward?
#
# In most of reinforcement learning rewards come along the way, and an action is credited with what
# comes *after* it: its **return**, the sum of the later rewards. Often the far future is discounted
# by a factor γ < 1 per step:
#
# $$G_t = R_t + \gamma R_{t+1} + \gamma^2 R_{t+2} + \cdots$$
#
# A controller has five steps with reward 0, and the accuracy at the last. What should γ be?
#
# ### Exercise 3.5 · `discounted_returns` · ●●○○○ · 5 min · 1 point
#
# **Why it matters.** Code for controllers is often adapted from code for games, where γ = 0.99 is a
# habit. Here the order of the decisions is our own invention: no edge of a cell comes "before"
# another.
#
# Example: rewards 1, 0, 2 and γ = 0.5 have the returns 1.5, 1, 2.
#
# <details><summary>Hint: "each entry sums the past" or "nan for gamma = 0"</summary>
#
# Run through the rewards from the end: $G_t = R_t + \gamma\, G_{t+1}$. That needs no division by
# powers of γ, which are 0 in floating point after some steps.
#
# </details>

# %% tags=["exercise"]
def discounted_returns(rewards, gamma):
    """Discounted sum of the rewards from each step to the end of one episode.

    Args:
        rewards: sequence or array of shape (n,), n ≥ 1, ints or floats: the reward of each step.
        gamma: discount per step, 0 ≤ gamma ≤ 1.

    Returns:
        Float array of shape (n,): entry t is Σ_{k ≥ 0} gamma^k · rewards[t + k], with gamma^0 = 1
        also for gamma = 0.

    Raises:
        ValueError: rewards are empty, not one-dimensional, NaN or infinite, or gamma is out of
            range.
    """
    ### BEGIN SOLUTION
    rewards = np.asarray(rewards, dtype=float)
    if rewards.ndim != 1 or len(rewards) < 1 or not np.isfinite(rewards).all():
        raise ValueError(
            f"rewards must be finite numbers of shape (n,) with n ≥ 1, got {rewards!r}"
        )
    if not 0 <= gamma <= 1:
        raise ValueError(f"gamma must be from 0 to 1, got {gamma!r}")
    returns = np.empty(len(rewards))
    later = 0.0
    for t in reversed(range(len(rewards))):
        later = rewards[t] + gamma * later
        returns[t] = later
    return returns
    ### END SOLUTION

# %% tags=["check"]
check("discounted_returns", discounted_returns)

# %% [markdown]
# See what γ does to a cell whose reward is 90: how much of it is each of its six decisions credited
# with?

# %% tags=["experiment"]
returns_of = or_fallback("discounted_returns", discounted_returns)
ax = plotting.lines(
    {f"γ = {gamma:g}": returns_of([0, 0, 0, 0, 0, 90], gamma) for gamma in (0, 0.5, 0.9, 1)},
    xlabel="edge, in the order of the decisions",
    ylabel="return (percentage points)",
    title="What each decision is credited with",
)
ax.set_xticks(range(len(EDGES)), edges);

# %% [markdown]
# With γ = 0 only the last edge hears of the accuracy, and with γ = 0.5 the first edge gets one
# thirty-second of it. γ = 1 treats all alike, and then all returns of a cell are one number, R:
# `reinforce_loss` needs one reward per architecture, and no γ at all.
#
# ## 5 · Entropy, and collapse
#
# A policy that has settled too early could be kept undecided by force. The bonus, the weight
# times H, pays points of accuracy for each nat of entropy, so that a choice has to be *worth* its
# certainty.
#
# With 4,000 rewards and small steps collapse cost nothing above: the policy had seen the best cell
# before it settled. Who has fewer rewards takes larger steps. So: 1,600 rewards, four times the
# learning rate, four weights, six runs each.

# %% tags=["experiment"]
names = ("w = 0", "w = 0.3", "w = 1", "w = 5")
guess_weight = predict("Which weight ends with the best cells?", ..., options=names)

# %% tags=["experiment"]
weights, seeds, few = (0.0, 0.3, 1.0, 5.0), range(10, 16), range(100)
jobs = [(weight, seed) for weight in weights for seed in seeds]
found = {(w, seed): train_controller(seed, w, few, rate=0.02) for w, seed in progress(jobs)}

made, axes = plotting.figure(1, 2, width=4.6, height=3.2)
for ax, column, ylabel in zip(axes[0], (0, 1), ("mean reward (%)", "entropy (nats)")):
    curves = {
        f"w = {weight:g}": [found[weight, seed][0][:, column] for seed in seeds]
        for weight in weights
    }
    plotting.lines(curves, ax, x=spent[: len(few)], xlabel="rewards seen", ylabel=ylabel)

# %% tags=["experiment"]
from nas_lib.rankings import mean_interval, print_verdicts

missed = {}
print(f"{'weight':>6} {'last reward':>12} {'last entropy':>13} {'distinct':>9} {'regret':>8}")
for weight in weights:
    runs = [found[weight, seed] for seed in seeds]
    missed[weight] = np.array([optimum - rewards_of(drawn).max() for _, drawn in runs])
    ends = [(*log[-10:].mean(0), len(np.unique(drawn, axis=0))) for log, drawn in runs]
    numbers = *np.mean(ends, axis=0), missed[weight].mean()
    print("{:6g} {:12.2f} {:13.2f} {:9.0f} {:8.2f}".format(weight, *numbers))
print("Regret saved (points), with 95 % intervals by Student's t:")
saved = {f"w = {weight:g} − none": missed[0.0] - missed[weight] for weight in weights[1:]}
print_verdicts({name: mean_interval(values) for name, values in saved.items()})
guess_weight.beside(f"w = {min(weights, key=lambda weight: missed[weight].mean()):g}")

# %% [markdown]
# Without a bonus every run ends near zero entropy: it has **collapsed** onto one cell, and which
# one differs from run to run. Here that costs something, for it had not seen the best cell before
# it settled. With weight 1 it goes on looking, and nearly every run finds that cell. A large weight
# keeps the policy exploring for ever, and its *mean* reward stays low, since most of what it draws
# is chosen for variety. But a search hands over the best cell that it saw, not the mean. A small
# weight serves who wants one good *sample*, a larger one who wants the best *of all* samples; which
# is right depends on budget and learning rate. Mind the units: it is in points of accuracy per nat,
# and means something else for rewards between 0 and 1.
#
# <details><summary>What we got</summary>
#
# Without a bonus the entropy ends at about 0.35 nats, and the best cell seen lies about 0.33 points
# below the best of all. With weight 1 it ends at about 6.3 nats, and nearly every run has seen that
# cell: a gain of about 0.30 points, more than chance. Those of the other two weights hardly are.
#
# </details>
#
# ## 6 · Is it worth it?
#
# Zoph and Le could compare their controller with random search once. On a table it takes a minute
# to run thirty searches of each of five methods. Everybody gets 200 evaluations: **random search**;
# **evolution** and **local search** (move to the first better neighbour, restart when there is
# none), the library's versions of lesson 02; **softmaxes**, REINFORCE with an independent softmax
# per edge; and **your controller** and loss, one cell per update, made a searcher by
# `PolicySearch`. Its moving average begins with the first reward: there is no time to climb from 0.
#
# A method is only as good as its tuning, so all that can be tuned got the same: the best of up to
# six settings on 24 other seeds, by the validation accuracy that they found. For the softmaxes that
# is a learning rate of 0.1 (out of 0.005 to 0.2), for the controller 0.002 (out of 0.0005 to 0.01),
# for evolution a population of 20 and tournaments of 10 (out of 10, 20 and 50, of 3 and 10), for
# local search the first better neighbour and not the best. Random search has nothing to set. The
# dashed line is no search at all: the cell of six 3×3 convolutions, the largest of the space.

# %% tags=["experiment"]
names = ("random search", "evolution", "local search", "softmaxes", "controller", "no search")
guess_first = predict("Which has the lowest mean regret?", ..., options=names)

# %% tags=["experiment"]
from nas_lib.controller import PolicySearch
from nas_lib.search import compare
from nas_lib.searchers import HillClimbing, RandomSearch, RegularizedEvolution, Reinforce

BUDGET, RUNS = 200, 30
methods = {
    "random search": RandomSearch,
    "evolution": functools.partial(RegularizedEvolution, population=20, sample=10),
    "local search": functools.partial(HillClimbing, move="first"),
    "softmaxes": functools.partial(Reinforce, learning_rate=0.1),
    "controller": functools.partial(PolicySearch, policy=Policy, loss=loss_of, learning_rate=0.002),
}
league = compare(methods, benchmark, BUDGET, RUNS)

# %% tags=["experiment"]
largest = benchmark.best("test")[1] - benchmark.query(("nor_conv_3x3",) * len(EDGES)).test
ax = plotting.regret_bands(
    league.curves,
    ylabel="test regret of the incumbent (points)",
    levels={"no search: the largest cell": largest},
    title="Equal budget",
)
plotting.half_points(ax)
ax.set_xlim(left=10)
for name, final in league.final.items():
    distinct = np.mean([len(set(history.archs)) for history in league.histories[name]])
    regret = f"regret {final.mean():5.2f} ± {final.std(ddof=1):.2f} points"
    print(f"{name:14} {regret}, {distinct:5.1f} of {BUDGET} cells distinct")
print(f"{'no search':14} regret {largest:5.2f}, the largest cell of the space")
means = {name: final.mean() for name, final in league.final.items()} | {"no search": largest}
guess_first.beside(min(means, key=means.get))

# %% [markdown]
# A method is judged by the test accuracy of its incumbent. All methods of a run share a seed, so
# differences are paired; the interval is the bootstrap's of lesson 01, and p comes from flipping
# the signs of the differences at random.

# %% tags=["experiment"]
rows = {}
for other in ("random search", "evolution", "local search", "softmaxes"):
    paired = league.paired("controller", other)
    rows[f"controller − {other}"] = (paired.mean, (paired.low, paired.high))
    verdict = "better" if paired.low > 0 else "worse" if paired.high < 0 else "not decided"
    print(f"controller against {other:14} {paired.mean:+.2f} points, p = {paired.p:.4f}: {verdict}")
title = f"Mean and 95 % interval, {RUNS} paired runs"
plotting.intervals(rows, xlabel="difference in test accuracy (percentage points)", title=title);

# %% [markdown]
# Controller and softmaxes, tuned alike, are not separated: what an LSTM adds to six independent
# distributions, thirty runs do not show. Now set the softmaxes to 0.01, the library's default: they
# end at about 0.96, and the very same controller "wins" by half a point with p = 0.0002. Give
# evolution its default, 10 and 3: it ends at about 0.30, and the controller is no longer behind.
# Many a surprising result is of that kind. Tuned alike, the controller beats random search and
# nothing else, and the largest cell is about as good as what the softmaxes find.
# Tuning costs searches, too: for one knob alone, five times 24 here.
#
# <details><summary>What we got</summary>
#
# Mean regrets: local search 0.05, evolution 0.10, softmaxes 0.54, no search 0.57, random search
# 0.97; our controller came to about 0.46. It is ahead of random search by about 0.51 points, behind
# local search by about 0.41 and evolution by about 0.36, and not separated from the softmaxes.
#
# </details>
#
# ## 7 · On the real NAS-Bench-201
#
# Is this a quirk of our table? On the real benchmark (CIFAR-10) the searchers see validation
# accuracy after 12 epochs and may spend 20,000 simulated seconds, about 177 evaluations. Reported
# is the chosen cell's validation accuracy after 200, as
# `scripts/recordings/controller_nas_bench_201.py` recorded it. "Tuned" is once more the best of up
# to six settings on 24 other seeds. With the data, which `nas-course nb201 FILES` makes of the
# published benchmark (`docs/reproduce.md`), the cell also runs the softmaxes live.

# %% tags=["experiment"]
from nas_lib import real_data

recorded = real_data.recorded_controller_runs()
for name, values in recorded.items():
    print(f"{name:40} {values.mean():.2f} ± {values.std(ddof=1):.2f} over {len(values)} runs")

path = real_data.find_nas_bench_201()
if path is None:
    print(f"The real data are not on this machine (data/{real_data.FILE}): nothing is run live.")
else:
    real = real_data.nas_bench_201(path)
    searches = {"live": Reinforce}
    live = compare(searches, real, real_data.SECONDS, 100, unit="seconds", progress=False)
    values = live.values["live"][:, -1]
    print(f"{'live: independent softmaxes':40} {values.mean():.2f} ± {values.std(ddof=1):.2f}")

# %% tags=["experiment"]
tuned = {name.removesuffix(", tuned"): one for name, one in recorded.items() if "tuned" in name}
lstm = tuned.pop("REINFORCE, LSTM controller")
print("The tuned LSTM minus")
others = {"random search": recorded["random search"], **tuned}
print_verdicts({name: mean_interval(lstm - values) for name, values in others.items()})

# %% [markdown]
# <details><summary>What we got</summary>
#
# Local search 91.41, evolution 91.35, softmaxes 91.20, the LSTM 91.18, all tuned, and random search
# 91.08 %. The LSTM is behind the first two; against the others 100 runs decide nothing.
#
# </details>
#
# So it is no quirk: methods that look around good cells find better ones. Published *test*
# accuracies (means over many runs): random search 93.70, REINFORCE 93.85, regularized evolution
# 93.92, the best cell 94.37. The largest cell, no search at all, has 93.76 there, which is rank
# 167. Local search is rarely listed.
#
# ## 8 · What became of the controller
#
# Its price was never the LSTM but the rewards: each one a training. ENAS (Pham et al. 2018) kept
# the controller and cut the price by **shared parameters**: all architectures are parts of one
# large network, the *supernet*, and use its weights, so a reward is one evaluation without
# training. You will build such a supernet in lesson 05, and measure whether its rewards put
# architectures in the right order. Controllers came back where rewards are not differentiable:
# in MnasNet, with measured latency in the reward (lesson 06) and PPO, a policy gradient with
# bounded steps, in the place of REINFORCE; and in TuNAS, by REINFORCE, which the capstone takes up.
#
# ## 9 · Recap
#
# - A controller is a distribution over architectures. REINFORCE moves its parameters along (R − b)
#   · ∇ log p of samples.
# - For small spaces the exact gradient is at hand. It tells bias from noise, and that is how an
#   estimator is tested.
# - A baseline that does not depend on the sample keeps the mean and cuts the noise: on our edge
#   nearly 6,000 times fewer samples are enough. One that has seen the reward loses signal, too.
# - log p of an architecture is a sum over decisions, each given the earlier ones. With one reward
#   at the end, γ = 1.
# - Left alone, a controller collapses onto one cell: with few rewards and large steps that cost a
#   third of a point. An entropy bonus of 1 brought most of it back, at a price per nat.
# - At 200 evaluations our controller beats random search, is about level with no search, and is
#   behind evolution and local search: after equal tuning, which is the only fair way to compare.
#
# ## 10 · Questions
#
# ### Question 3.1 · `concept_03_1` · ●○○○○ · 1 min · 1 point
#
# What did Zoph and Le (2017) search with their controller?
#
# - **a** a convolutional cell, stacked for CIFAR-10 and then, in more copies, transferred to
#   ImageNet
# - **b** the wiring of one cell, with weights shared among all candidates
# - **c** whole convolutional networks for CIFAR-10, and a recurrent cell for Penn Treebank
# - **d** a continuous relaxation of a cell, by gradient descent

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_03_1 = "c"
### END SOLUTION

# %% tags=["check"]
check("concept_03_1", concept_03_1)

# %% [markdown]
# ### Question 3.2 · `concept_03_2` · ●●○○○ · 1 min · 1 point
#
# The rewards lie between 85 and 92, and you use no baseline. What does one REINFORCE step do to a
# sampled cell with reward 86?
#
# - **a** it becomes more likely, since 86 is positive; better cells win on average only
# - **b** it becomes less likely, since 86 is below the average of what was drawn
# - **c** nothing, since without a baseline the expected gradient is zero
# - **d** it becomes more likely, and so the expected gradient points the wrong way as well

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_03_2 = "a"
### END SOLUTION

# %% tags=["check"]
check("concept_03_2", concept_03_2)

# %% [markdown]
# ### Question 3.3 · `concept_03_3` · ●●●○○ · 2 min · 1 point
#
# By mistake the moving average (decay 0.9) is updated with the new reward *before* it is
# subtracted. The policy is the same all the time. The expected estimate is then
#
# - **a** unchanged: any baseline keeps the mean
# - **b** 0.9 times the true gradient
# - **c** zero
# - **d** the true gradient plus a constant

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_03_3 = "b"
### END SOLUTION

# %% tags=["check"]
check("concept_03_3", concept_03_3)

# %% [markdown]
# ### Question 3.4 · `concept_03_4` · ●●○○○ · 1 min · 1 point
#
# After 1,500 of 4,000 rewards the policy's entropy is 0.05 nats. There is no entropy bonus, and
# rewards are noiseless. What will the other 2,500 rewards bring?
#
# - **a** next to nothing: almost every sample is the same cell, and its reward equals the baseline
# - **b** a finer comparison of the best cells, since the policy now concentrates on them
# - **c** a return to exploration, since the baseline rises above all rewards
# - **d** an unstable policy, since the gradient grows as the entropy falls

# %% tags=["exercise"]
### BEGIN SOLUTION
concept_03_4 = "a"
### END SOLUTION

# %% tags=["check"]
check("concept_03_4", concept_03_4)

# %% [markdown]
# ### Open question 3.1 · `open_03_1` · ●●●○○ · 15 min · 4 points
#
# A colleague has a budget of 300 trainings on a space of a billion architectures. Their
# controller's mean reward rises from 60 to 91 %, its entropy falls to 0.1 nats after 120 trainings,
# and the architecture that it hands over is half a point worse than that of a random search with
# the same budget. "So RL does not work for NAS", they say. In eight to ten sentences: what
# happened? What would you change, in which order, and how would you find out whether each change
# helps? When would you advise against a controller altogether? Use what you measured in this
# lesson.
#
# ### BEGIN MARK SCHEME
# One point each, half points allowed:
# 1. Diagnosis: collapse. The mean reward is high because the policy proposes one good architecture
#    again and again; the last 180 trainings taught nothing (advantage near 0). Random search spent
#    all 300 on different architectures, and what counts is the best one seen, not the mean of the
#    policy.
# 2. Changes that fit, with their price: a lower learning rate, an entropy bonus (in points per nat;
#    too much keeps the mean low), no training of repeats, a look at the baseline (start, decay,
#    does it see its own reward?).
# 3. Evidence: equal budgets for all, tuning included; many paired runs with an interval; winners
#    retrained. With only 300 trainings this cannot be done on the real problem: a table or a cheap
#    proxy has to stand in for it.
# 4. Judgement: one run gives no verdict on RL. Against a controller where budgets are small and
#    trainings dear (others have less to tune); for it where rewards are cheap (shared parameters)
#    or not differentiable. Cites the league.
# ### END MARK SCHEME

# %% [markdown] tags=["answer"]
# The controller has collapsed: at 0.1 nats nearly every draw is the same architecture, so 91 % is
# that one's reward, and 180 of the 300 trainings went into what was known. Random search looked at
# 300 different ones and hands over the best. I would first lower the learning rate, because with
# one sample per step the policy runs to wherever the first lucky samples pushed it, then add an
# entropy bonus of a few tenths of a point per nat, skip repeats, and check that the baseline starts
# near the first reward and never contains the reward that it judges. Each change is tried on a
# table with 300 evaluations, in fifty runs whose seeds are shared with random search, and judged by
# the bootstrap interval of the difference; the tuning runs count. Without a table I would take
# evolution or local search, which have almost nothing to tune. A controller pays where rewards cost
# next to nothing, as with shared weights, or have no gradient, like latency.

# %% [markdown]
# ## References
#
# - B. Zoph and Q. V. Le (2017). *Neural Architecture Search with Reinforcement Learning.* ICLR.
#   [arXiv:1611.01578](https://arxiv.org/abs/1611.01578).
# - R. J. Williams (1992). *Simple Statistical Gradient-Following Algorithms for Connectionist
#   Reinforcement Learning.* Machine Learning 8, 229–256.
# - B. Zoph, V. Vasudevan, J. Shlens and Q. V. Le (2018). *Learning Transferable Architectures for
#   Scalable Image Recognition* (NASNet). CVPR.
#   [arXiv:1707.07012](https://arxiv.org/abs/1707.07012).
# - H. Pham, M. Guan, B. Zoph, Q. V. Le and J. Dean (2018). *Efficient Neural Architecture Search
#   via Parameter Sharing* (ENAS). ICML. [arXiv:1802.03268](https://arxiv.org/abs/1802.03268).
# - X. Dong and Y. Yang (2020). *NAS-Bench-201: Extending the Scope of Reproducible Neural
#   Architecture Search.* ICLR. [arXiv:2001.00326](https://arxiv.org/abs/2001.00326).
# - C. White, S. Nolen and Y. Savani (2021). *Exploring the Loss Landscape in Neural Architecture
#   Search.* UAI. [arXiv:2005.02960](https://arxiv.org/abs/2005.02960). Local search as a baseline.
# - J. Schulman, F. Wolski, P. Dhariwal, A. Radford and O. Klimov (2017). *Proximal Policy
#   Optimization Algorithms.* [arXiv:1707.06347](https://arxiv.org/abs/1707.06347). MnasNet's PPO.
#
# **Read next.** C. White et al. (2023). *Neural Architecture Search: Insights from 1000 Papers.*
# [arXiv:2301.08727](https://arxiv.org/abs/2301.08727), on black-box methods.
