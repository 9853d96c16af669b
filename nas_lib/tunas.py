"""Search while the weights are trained: TuNAS's loop (Bender et al. 2020) around a `MaskedVit`.

`Policy` draws architectures, `TunasSearch` has one function for each thing that a step does, `interleave` calls them in
turn. TuNAS searched convolutional networks for images; that there is a Transformer here is this course's extension.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from nas_lib._numbers import seed_number
from nas_lib.one_shot import BatchOrder, OnPath
from nas_lib.spaces import Arch, ProductSpace
from nas_lib.vit import MaskedVit, VitImages, VitRecipe, WeightTraining, accuracy, vit_macs

MOMENTUM = 0.95
"""Of the moving average that rewards are compared with."""
WARM_UP = 0.25
"""Of all steps: where everything is trained at first, and the policy does not learn yet."""
RAMP = 10.0
"""How many times faster the policy learns at the end: by then rewards say more, as the weights are trained."""


class Policy(nn.Module):
    """Independent softmaxes over the options of a space's decisions, uniform at first.

    Of a decision that an architecture does not make, nothing is drawn and nothing learned.
    """

    def __init__(self, space: ProductSpace) -> None:
        super().__init__()
        self.space = space
        self.logits = nn.ParameterList(torch.zeros(len(options)) for options in space.choices)

    @torch.no_grad()
    def sample(self, generator: torch.Generator) -> Arch:
        """Draw one architecture."""
        return self._decide(lambda logits: torch.multinomial(logits.softmax(0), 1, generator=generator))

    @torch.no_grad()
    def best(self) -> Arch:
        """The architecture of the most likely options; of equal ones the first."""
        return self._decide(lambda logits: logits.argmax())

    def _decide(self, choose: Callable[[Tensor], Tensor]) -> Arch:
        arch: list[Any] = []
        for options, logits in zip(self.space.choices, self.logits):
            made = self.space.options(arch) != (None,)
            arch.append(options[int(choose(logits))] if made else None)
        return self.space.from_index(self.space.index(arch))

    def log_prob(self, arch: Arch) -> Tensor:
        """Scalar, the log-probability of an architecture."""
        made = [
            logits.log_softmax(0)[options.index(value)]
            for options, logits, value in zip(self.space.choices, self.logits, arch)
            if value is not None
        ]
        return torch.stack(made).sum()

    def probabilities(self) -> list[NDArray[np.float64]]:
        """Of each decision's options."""
        return [logits.detach().softmax(0).double().numpy() for logits in self.logits]


class TunasSearch:
    """What happens in a step of the search: `sample`, `train`, `score`, `learn`.

    Args:
        space: a `vit_space`.
        images: to train weights on, and to score architectures by, on the device to train on.
        reward: function of (accuracy in percent, multiply-accumulates), higher is better.
        recipe: how weights are trained; its steps are those of the search.
        seed: draws weights, batches and architectures.
        policy_rate: learning rate of the policy (Adam) at the beginning; it grows `RAMP` times until the end.
        scored: validation images per reward.
        masks: options `linear` and `heads` of `MaskedVit`.

    Attributes:
        supernet, policy: as trained so far.
    """

    def __init__(
        self,
        space: ProductSpace,
        images: VitImages,
        reward: Callable[[float, float], float],
        recipe: VitRecipe | None = None,
        seed: int = 0,
        policy_rate: float = 0.01,
        scored: int = 256,
        **masks: Any,
    ) -> None:
        self.recipe = recipe or VitRecipe()
        self.supernet = MaskedVit(space, seed=seed, **masks).to(images.train[0].device)
        self.policy = Policy(space)
        self._reward, self._valid = reward, images.valid
        self._training = WeightTraining(self.supernet, images, self.recipe, seed)
        self._scored = BatchOrder(len(images.valid[1]), scored, seed)
        self._rewards = 0
        self._generator = torch.Generator().manual_seed(seed_number(seed))
        self._rate = policy_rate
        self._optimizer = torch.optim.Adam(self.policy.parameters())

    def sample(self) -> Arch:
        """An architecture from the policy."""
        return self.policy.sample(self._generator)

    def train(self, arch: Arch | None) -> float:
        """One step of the weights that an architecture uses, or (None) of all together; the loss before it."""
        return self._training.step(lambda x: self.supernet(x, arch))

    def score(self, arch: Arch) -> float:
        """The reward of an architecture with the weights as they are, on the next validation images."""
        rows = self._scored(self._rewards)
        self._rewards += 1
        some = self._valid[0][rows], self._valid[1][rows]
        return self._reward(accuracy(OnPath(self.supernet, arch), some), vit_macs(arch))

    def learn(self, arch: Arch, advantage: float) -> None:
        """One step of the policy: an architecture with an advantage above 0 becomes more likely (REINFORCE)."""
        progress = self._training.done / self.recipe.steps
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate * RAMP**progress
        self._optimizer.zero_grad()
        (-advantage * self.policy.log_prob(arch)).backward()
        self._optimizer.step()


def interleave(
    steps: int,
    probability: Callable[[int], float],
    start: int,
    search: TunasSearch,
    momentum: float,
    rng: Generator,
) -> list[float]:
    """Weights and policy in turn, one architecture per step; returns the rewards from step `start` on."""
    rewards: list[float] = []
    average = 0.0
    for step, chance in enumerate(rng.random(steps)):
        arch = search.sample()
        search.train(None if chance < probability(step) else arch)
        if step >= start:
            rewards.append(search.score(arch))
            average = average if len(rewards) > 1 else rewards[0]
            search.learn(arch, rewards[-1] - average)
            average += (1 - momentum) * (rewards[-1] - average)
    return rewards


# --- recorded results --------------------------------------------------------------------------------------

RUNS_PATH = Path(__file__).parent / "assets" / "tunas_runs.json"
"""Results of `scripts/recordings/tunas_runs.py`."""


def recorded_runs(path: Path | str = RUNS_PATH) -> list[dict[str, Any]]:
    """What `scripts/recordings/tunas_runs.py` recorded: a dict per training with `name`, `seed`, `arch` (decisions in
    order), `macs`, `valid` and `test` (percent), `seconds`."""
    runs: Sequence[dict[str, Any]] = json.loads(Path(path).read_text(encoding="utf-8"))["runs"]
    return list(runs)
