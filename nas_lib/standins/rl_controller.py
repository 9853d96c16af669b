"""What stands in for the exercises of lesson 03: policy gradients and the controller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nas_lib.standins import stands_in


@stands_in("exact_policy_gradient")
def exact_policy_gradient(logits: Any, rewards: Any) -> Any:
    import torch

    rewards = torch.as_tensor(rewards, dtype=torch.float64)
    logits = torch.as_tensor(logits, dtype=torch.float64)
    return torch.func.grad(lambda one: one.softmax(0).dot(rewards))(logits)


@stands_in(
    "reinforce_loss",
    hides=("nas_lib.controller:surrogate",),
)
def reinforce_loss(log_probs: Any, rewards: Any, baseline: Any, entropies: Any, entropy_weight: float) -> Any:
    import torch

    from nas_lib.controller import Score, surrogate

    advantage = torch.as_tensor(rewards - baseline, dtype=log_probs.dtype)
    return surrogate(Score(log_probs[:, None], entropies[:, None]), advantage, entropy_weight)


@stands_in("ema_baseline")
def ema_baseline(rewards: ArrayLike, decay: float) -> NDArray[np.float64]:
    from scipy.signal import lfilter

    return lfilter([0.0, 1.0 - decay], [1.0, -decay], np.asarray(rewards, dtype=float))


@stands_in(
    "Controller",
    "the library's own controller",
    hides=(
        "nas_lib.controller:LSTMPolicy.draw",
        "nas_lib.controller:LSTMPolicy.score",
        "nas_lib.controller:LSTMPolicy.forward",
    ),
)
def Controller(choices: Sequence[Sequence[Any]], hidden: int = 64, embedding: int = 32) -> Any:
    from nas_lib.controller import ArchPolicy

    return ArchPolicy([len(options) for options in choices], hidden, embedding)


@stands_in("discounted_returns")
def discounted_returns(rewards: ArrayLike, gamma: float) -> NDArray[np.float64]:
    from scipy.signal import lfilter

    return np.flip(lfilter([1.0], [1.0, -gamma], np.flip(np.asarray(rewards, dtype=float))))
