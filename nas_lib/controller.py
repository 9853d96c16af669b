"""A recurrent policy over architectures, and the search that trains it with REINFORCE (Zoph & Le 2017).

`LSTMPolicy` draws an architecture decision by decision, each given all earlier ones; `LSTMReinforce` is the
`Searcher` around it, beside the independent softmaxes of `nas_lib.searchers.Reinforce`, and `PolicySearch` one
around any other policy. All need torch, which the other searchers do not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn

from nas_lib.searchers import _TurnTaking
from nas_lib.spaces import Arch, Space

__all__ = ["ArchPolicy", "LSTMPolicy", "LSTMReinforce", "PolicySearch", "Score", "surrogate"]


class Score(NamedTuple):
    """Of given architectures: log-probability and entropy (nats) of each decision, both (n, D)."""

    log_p: Tensor
    entropy: Tensor


class LSTMPolicy(nn.Module):
    """A distribution over architectures as a language model over their decisions.

    One table embeds every option of every decision, row 0 standing for the beginning; one output layer scores
    all of them, and a mask leaves each decision its own.

    Args:
        sizes: number of options of each decision, D of them, each ≥ 1.
        hidden, embedding: widths.

    Raises:
        ValueError: no decisions, or one without options.
    """

    elsewhere: Tensor
    offsets: Tensor

    def __init__(self, sizes: Sequence[int], hidden: int = 64, embedding: int = 32) -> None:
        super().__init__()
        if not sizes or min(sizes) < 1:
            raise ValueError(f"sizes must be at least one number of options, each from 1 up, got {sizes!r}")
        self.sizes = tuple(int(size) for size in sizes)
        ends = np.cumsum(self.sizes)
        self.table = nn.Embedding(1 + int(ends[-1]), embedding)
        self.recurrent = nn.LSTM(embedding, hidden, batch_first=True)
        self.scores = nn.Linear(hidden, int(ends[-1]))
        starts = ends - self.sizes
        option = torch.arange(int(ends[-1]))
        others = [(option < int(low)) | (option >= int(high)) for low, high in zip(starts, ends)]
        self.register_buffer("elsewhere", torch.stack(others))
        self.register_buffer("offsets", torch.tensor(starts))

    def forward(self, tokens: Tensor, place: int, state: Any = None) -> tuple[Tensor, Any]:
        """Log-probabilities (n, T, all options) of decisions place, place + 1, …, given the tokens before."""
        out, state = self.recurrent(self.table(tokens), state)
        scores = self.scores(out).masked_fill(self.elsewhere[place : place + tokens.shape[1]], -math.inf)
        return scores.log_softmax(-1), state

    @torch.no_grad()
    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Options (n, D) int64 of n architectures, each decision given those before it."""
        noise = torch.empty(n, *self.elsewhere.shape).exponential_(generator=generator).log()
        tokens = [torch.zeros(n, 1, dtype=torch.int64)]
        state = None
        for place in range(len(self.sizes)):
            log_p, state = self(tokens[-1], place, state)
            # The largest of log p + Gumbel noise is a draw from p, and −log of an exponential is such noise.
            tokens.append((log_p[:, 0] - noise[:, place]).argmax(-1, keepdim=True) + 1)
        return torch.cat(tokens[1:], dim=1) - 1 - self.offsets

    def score(self, options: Tensor) -> Score:
        """Log-probability and entropy of each decision of given options (n, D), given the decisions before it.

        Teacher forcing: all decisions in one pass, which costs a third of walking through them one by one.
        """
        chosen = options + self.offsets
        tokens = torch.cat([torch.zeros(len(options), 1, dtype=torch.int64), chosen[:, :-1] + 1], dim=1)
        log_p, _ = self(tokens, 0)
        entropy = -(log_p.exp() * log_p.masked_fill(self.elsewhere, 0.0)).sum(-1)
        return Score(log_p.gather(2, chosen.unsqueeze(2)).squeeze(2), entropy)


class ArchPolicy(LSTMPolicy):
    """The same policy, spoken to about whole architectures instead of single decisions."""

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Options (n, D), log-probability (n,) and entropy (n,) of n drawn architectures."""
        options = self.draw(n, generator)
        log_p, entropy = self.score(options)
        return options, log_p.sum(1), entropy.sum(1)

    def log_prob(self, options: Tensor) -> Tensor:
        """(n,) log-probability of given architectures."""
        return self.score(options).log_p.sum(1)


def surrogate(score: Score, advantage: Tensor, entropy_weight: float) -> Tensor:
    """What to minimise: its gradient is REINFORCE's estimate, turned down. `advantage` (n,) carries no gradient."""
    credit = advantage.detach().unsqueeze(1) * score.log_p + entropy_weight * score.entropy
    return credit.sum().neg() / len(advantage)


class _PolicyGradient(_TurnTaking):
    """What both searches share: one architecture per update, Adam, and a moving average as the baseline.

    The average starts from the first value instead of 0, since otherwise the first dozens of updates would do
    nothing but make all that was drawn more likely.
    """

    def __init__(
        self,
        space: Space,
        rng: Generator,
        make: Callable[[Any], nn.Module],
        learning_rate: float,
        decay: float,
        entropy_weight: float,
    ) -> None:
        if not isinstance(rng, Generator):
            raise TypeError(f"rng must be a numpy.random.Generator, got {rng!r}")
        _between("learning_rate", learning_rate, 0, math.inf, above=True)
        _between("decay", decay, 0, 1)
        _between("entropy_weight", entropy_weight, 0, math.inf)
        self._space, self._choices = space, space.choices
        self.decay, self.entropy_weight = float(decay), float(entropy_weight)
        self._generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        with torch.random.fork_rng(devices=[]):  # torch's layers take their weights from the global generator
            torch.manual_seed(int(rng.integers(2**63)))
            self.policy: Any = make(self._choices)
        self._optimizer = torch.optim.Adam(self.policy.parameters(), lr=learning_rate)
        self.baseline: float | None = None

    def _propose(self) -> Arch:
        row = self._draw()[0].tolist()
        arch = tuple(options[i] for options, i in zip(self._choices, row))
        return self._space.from_index(self._space.index(arch))

    def _learn(self, arch: Arch, value: float) -> None:
        before = value if self.baseline is None else self.baseline
        self.baseline = self.decay * before + (1 - self.decay) * value
        self._optimizer.zero_grad()
        self._loss(value, before).backward()
        self._optimizer.step()

    def _draw(self) -> Tensor:
        """Options (1, D) of the next architecture."""
        raise NotImplementedError

    def _loss(self, value: float, baseline: float) -> Tensor:
        """What to minimise for the architecture that was drawn last."""
        raise NotImplementedError


class LSTMReinforce(_PolicyGradient):
    """REINFORCE with an LSTM controller, one architecture per update (Zoph & Le 2017, arXiv:1611.01578).

    As in the paper the baseline is the exponential moving average of the earlier values; here it starts from
    the first one. Proposals may repeat: towards the end the policy concentrates.

    Works on spaces whose `index` takes the tuple of one option per decision, as `CellSpace` does.

    Args:
        space: where to search.
        rng: all the randomness, initial weights included.
        learning_rate: of Adam, > 0.
        decay: of the moving average, 0 ≤ decay < 1.
        entropy_weight: percentage points per nat, ≥ 0.
        hidden, embedding: widths of the controller.

    Attributes:
        policy: the controller.
        baseline: the moving average; None before the first value.
    """

    def __init__(
        self,
        space: Space,
        rng: Generator,
        learning_rate: float = 0.002,
        decay: float = 0.9,
        entropy_weight: float = 0.0,
        hidden: int = 64,
        embedding: int = 32,
    ) -> None:
        def make(choices: Sequence[Sequence[Any]]) -> LSTMPolicy:
            return LSTMPolicy([len(options) for options in choices], hidden, embedding)

        super().__init__(space, rng, make, learning_rate, decay, entropy_weight)
        self._options = torch.empty(0)

    def _draw(self) -> Tensor:
        self._options = self.policy.draw(1, self._generator)
        return self._options

    def _loss(self, value: float, baseline: float) -> Tensor:
        score = self.policy.score(self._options)
        return surrogate(score, torch.tensor([value - baseline]), self.entropy_weight)


class PolicySearch(_PolicyGradient):
    """Any policy and any loss as a searcher: how lesson 03 lets the learner's own compete.

    Args:
        space, rng, learning_rate, decay, entropy_weight: as in `LSTMReinforce`.
        policy: makes a torch module from the space's choices; its `sample(n, generator)` gives options
            (n, D), log-probabilities (n,) and entropies (n,).
        loss: function of (log-probabilities, rewards, baseline, entropies, entropy weight), to be minimised.
    """

    def __init__(
        self,
        space: Space,
        rng: Generator,
        policy: Callable[[Any], nn.Module],
        loss: Callable[..., Tensor],
        learning_rate: float = 0.002,
        decay: float = 0.9,
        entropy_weight: float = 0.0,
    ) -> None:
        super().__init__(space, rng, policy, learning_rate, decay, entropy_weight)
        self._objective = loss
        self._drawn: list[Tensor] = []

    def _draw(self) -> Tensor:
        options, *self._drawn = self.policy.sample(1, self._generator)
        return options

    def _loss(self, value: float, baseline: float) -> Tensor:
        log_probs, entropies = self._drawn
        reward = torch.tensor([value], dtype=log_probs.dtype)
        return self._objective(log_probs, reward, baseline, entropies, self.entropy_weight)


def _between(name: str, value: Any, low: float, high: float, above: bool = False) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not low <= value < high or (above and value == low):
        least = f"above {low:g}" if above else f"from {low:g}"
        most = "" if high == math.inf else f" up to, but without, {high:g}"
        raise ValueError(f"{name} must be a finite number {least}{most}, got {value!r}")
