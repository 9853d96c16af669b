"""Once-for-all: training an `ElasticNetwork` so that each network in it is good as it is (Cai et al. 2020).

`ElasticTraining` does it with progressive shrinking and distillation, or all sizes at once for comparison;
`train_stand_alone` trains one network by itself, which is what inherited accuracies are compared with. The networks are
those of `nas_lib.mobile`; nothing is searched here.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.random import Generator
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from nas_lib._numbers import make_plain, require_counts, seed_number
from nas_lib._resumable import Resumable
from nas_lib.data import cluttered_digits
from nas_lib.mobile import ElasticNetwork, MobileConfig, MobileNetwork, build_mobile
from nas_lib.one_shot import BatchOrder, half_cosine, recalibrate, require_precision
from nas_lib.spaces import MobileArch, MobileSpace
from nas_lib.training import count_correct

Images: TypeAlias = tuple[torch.Tensor, torch.Tensor]
"""Images (n, channels, r, r) and labels (n,)."""


@dataclass(frozen=True)
class SizedData:
    """The same scenes at several resolutions: resolution -> images and labels."""

    train: dict[int, Images]
    valid: dict[int, Images]

    def to(self, device: torch.device | str) -> SizedData:
        """The same images on another device."""

        def moved(images: dict[int, Images]) -> dict[int, Images]:
            return {size: (x.to(device), y.to(device)) for size, (x, y) in images.items()}

        return SizedData(moved(self.train), moved(self.valid))


def load_sizes(
    resolutions: Sequence[int], train_images: int = 4096, valid_images: int = 2000, seed: int = 0
) -> SizedData:
    """Draws cluttered digits at each resolution; some seconds."""

    def drawn(split: str, count: int) -> dict[int, Images]:
        return {size: cluttered_digits(split, count, size, seed).tensors() for size in resolutions}

    return SizedData(drawn("train", train_images), drawn("valid", valid_images))


# ------------------------------------------------------------------------------------------------- phases


class Phase(NamedTuple):
    """From step `first` on, networks are drawn from `space`."""

    first: int
    space: MobileSpace


def shrinking_phases(space: MobileSpace, steps: int, largest_share: float = 0.4) -> list[Phase]:
    """Progressive shrinking (Cai et al. 2020, section 3.3): first the largest network, then one more option at a time.

    Kernels shrink first, then depths, then expansions, each from its largest option down; what is open stays open. The
    resolution is free from the beginning. The first phase takes `largest_share` of the steps, the others share the rest
    equally.

    Raises:
        ValueError: fewer steps than phases, or a share that is not strictly between 0 and 1.
    """
    if not 0 < largest_share < 1:
        raise ValueError(f"largest_share must be strictly between 0 and 1, got {largest_share!r}")
    resolutions, widths, *stages = space.choices
    names = ("depths", "kernels", "expands")
    options = {name: sorted(map(int, stages[i]), reverse=True) for i, name in enumerate(names)}
    opened = dict.fromkeys(names, 1)
    spaces = [opened.copy()]
    for name in ("kernels", "depths", "expands"):
        for count in range(2, len(options[name]) + 1):
            opened[name] = count
            spaces.append(opened.copy())
    if steps < len(spaces):
        raise ValueError(f"steps must be at least {len(spaces)}, one for each phase, got {steps}")
    if len(spaces) == 1:
        firsts = [0]
    else:
        begin = round(steps * largest_share)
        firsts = [0, *np.linspace(begin, steps, len(spaces))[:-1].round().astype(int).tolist()]
    return [
        Phase(
            first,
            MobileSpace(
                [int(size) for size in resolutions],
                widths,
                len(stages) // 3,
                **{name: options[name][: counts[name]] for name in names},
            ),
        )
        for first, counts in zip(firsts, spaces, strict=True)
    ]


# ---------------------------------------------------------------------------------------------- training


@dataclass(frozen=True)
class ElasticRecipe:
    """How an elastic network is trained.

    Attributes:
        progressive: progressive shrinking; otherwise every size is drawn from the first step on.
        passes: (network, batch) pairs in all, by which costs are compared. The teacher's forward passes come on top.
        per_step: networks whose gradients are added up for one update; the phase of the largest network has one.
        lr: at the beginning of each phase; falls as half a cosine to 0 in it.
        clip: the largest norm of a step's gradient; a larger one is scaled down.
        distillation: weight of the teacher's answers in the loss, 0 for none. The teacher is the largest network as the
            first phase leaves it, so that without progressive shrinking there is none.
        temperature: of the softmax of both in that part.
    """

    progressive: bool = True
    passes: int = 6000
    per_step: int = 2
    batch_size: int = 64
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-5
    clip: float = 5.0
    distillation: float = 0.5
    temperature: float = 2.0

    def __post_init__(self) -> None:
        make_plain(self)
        require_counts(self, "passes", "per_step", "batch_size")
        for name in ("lr", "clip", "temperature"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be a positive number, got {getattr(self, name)!r}")
        if not 0 <= self.distillation <= 1:
            raise ValueError(f"distillation must be a weight from 0 to 1, got {self.distillation!r}")

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""
        return max(1, self.passes // self.per_step)


def distillation_loss(
    student: torch.Tensor,
    teacher: torch.Tensor,
    labels: torch.Tensor,
    temperature: float,
    weight: float,
) -> torch.Tensor:
    """Cross-entropy with labels (B,) and with the teacher's softened answers (Hinton et al. 2015, section 2), mixed.

    The second part, of `weight`, is multiplied by temperature², which keeps its gradient's size when the temperature
    changes. Logits are (B, classes).
    """
    soft = F.kl_div(
        F.log_softmax(student / temperature, 1),
        F.log_softmax(teacher.detach() / temperature, 1),
        reduction="batchmean",
        log_target=True,
    )
    return torch.lerp(F.cross_entropy(student, labels), temperature**2 * soft, weight)


class ElasticTraining(Resumable):
    """Trains one elastic network, step by step; `run()` goes on after an interrupt, `save` and `load` after a restart.

    Each step draws one resolution and `per_step` networks. Each phase begins with a fresh optimiser, and the first with
    narrower networks puts each block's most important channels first. Equal `seed` gives the same weights, interrupted
    or not.

    Args:
        data: images at the resolutions of `space`, on the device to train on.
        space: whose networks the elastic network holds.
        recipe: how.
        seed: draws the initial weights, the batches and the networks.
        config: what all networks have in common.
        mixed_precision: compute in bfloat16 where that is safe; on CUDA only.

    Attributes:
        network: the elastic network, trained as far as `step`.
        phases: what is drawn from when.

    Raises:
        ValueError: mixed precision on another device than CUDA, fewer images than a batch, a resolution without images.
    """

    def __init__(
        self,
        data: SizedData,
        space: MobileSpace,
        recipe: ElasticRecipe | None = None,
        seed: int = 0,
        config: MobileConfig | None = None,
        mixed_precision: bool = False,
    ) -> None:
        self.recipe = recipe = recipe or ElasticRecipe()
        super().__init__(recipe.steps)
        missing = set(space.choices[0]) - data.train.keys()
        if missing:
            raise ValueError(f"data must have images at {space.choices[0]}, got none at {sorted(missing)}")
        self._data = data.train
        labels = data.train[int(space.choices[0][0])][1]
        self.device = labels.device
        require_precision(mixed_precision, self.device)
        self.seed, self.mixed_precision = seed_number(seed), mixed_precision
        self.phases = shrinking_phases(space, self.steps) if recipe.progressive else [Phase(0, space)]
        self._batches = BatchOrder(len(labels), recipe.batch_size, seed)
        self.network = ElasticNetwork(space, config, seed).to(self.device)
        self._teacher: ElasticNetwork | None = None
        self._optimizer = self._new_optimizer()

    def archs(self, step: int) -> list[MobileArch]:
        """The networks that a step trains, all at one resolution."""
        rng = np.random.default_rng([self.seed, step])
        number = self._phase(step)
        # The largest network twice in one step would be the same gradient twice.
        count = 1 if number == 0 and self.recipe.progressive else self.recipe.per_step
        drawn = [self.phases[number].space.sample(rng) for _ in range(count)]
        return [MobileArch((drawn[0].resolution, *arch[1:])) for arch in drawn]

    def advance(self) -> float:
        """One optimiser step; returns the mean loss of its networks."""
        recipe, step = self.recipe, self.step
        number = self._phase(step)
        first = self.phases[number].first
        if step == first and number:
            self._enter(number)
        last = self.phases[number + 1].first if number + 1 < len(self.phases) else self.steps
        for group in self._optimizer.param_groups:
            group["lr"] = half_cosine(recipe.lr, step - first, last - first)
        archs = self.archs(step)
        images, labels = self._data[archs[0].resolution]
        rows = self._batches(step).to(self.device)
        x, y = images[rows], labels[rows]
        self.network.train()
        self._optimizer.zero_grad()
        total = 0.0
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed_precision):
            teacher = self._answers(x, archs[0].resolution)
        for arch in archs:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed_precision):
                logits = self.network(x, arch)
                if teacher is None:
                    loss = F.cross_entropy(logits, y)
                else:
                    loss = distillation_loss(logits, teacher, y, recipe.temperature, recipe.distillation)
            loss.backward()
            total += loss.item()
        nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
        self._optimizer.step()
        return total / len(archs)

    def _phase(self, step: int) -> int:
        return max(number for number, phase in enumerate(self.phases) if phase.first <= step)

    def _enter(self, number: int) -> None:
        """What happens between two phases."""
        if number == 1 and self.recipe.distillation:
            self._teacher = self._frozen()
        largest = self.network.space.largest.stages[0].expand
        before, now = (self.phases[i].space.smallest.stages[0].expand for i in (number - 1, number))
        if now < before == largest:
            self.network.sort_channels()
        self._optimizer = self._new_optimizer()

    def _frozen(self) -> ElasticNetwork:
        teacher = copy.deepcopy(self.network)
        return teacher.train().requires_grad_(False)

    @torch.no_grad()
    def _answers(self, x: torch.Tensor, resolution: int) -> torch.Tensor | None:
        """The teacher's logits, with each batch's own statistics: its running ones mix all resolutions."""
        if self._teacher is None:
            return None
        return self._teacher(x, (resolution, *self.network.space.largest[1:]))

    def _new_optimizer(self) -> torch.optim.SGD:
        recipe = self.recipe
        return torch.optim.SGD(
            self.network.parameters(),
            recipe.lr,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=recipe.momentum > 0,
        )

    def what(self) -> dict[str, Any]:
        """Recipe, seed, space and network."""
        config = {name: str(value) for name, value in asdict(self.network.config).items()}
        return asdict(self.recipe) | config | {"seed": self.seed, "space": repr(self.network.space)}

    def state(self) -> dict[str, Any]:
        """Weights, momentum and, once there is one, the teacher."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "teacher": None if self._teacher is None else self._teacher.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Weights, momentum and teacher."""
        self._teacher = None
        if state["teacher"] is not None:
            self._teacher = self._frozen()
            self._teacher.load_state_dict(state["teacher"])
        self.network.load_state_dict(state["network"])
        self._optimizer = self._new_optimizer()
        self._optimizer.load_state_dict(state["optimizer"])


# ------------------------------------------------------------------------------------- networks by themselves


def inherited_accuracy(
    network: ElasticNetwork, arch: Sequence[float], data: SizedData, batches: int = 4, batch_size: int = 256
) -> float:
    """Validation accuracy (percent) of one network as it is extracted, after recalibration of its batch norms.

    Args:
        network: trained; it is not changed.
        arch: which network.
        data: recalibration takes the first training images at the architecture's resolution.
        batches: of these images; 0 judges with the elastic network's own statistics, to see what that costs.
        batch_size: of these batches.
    """
    single = network.extract(arch)
    size = single.arch.resolution
    if batches:
        recalibrate(single, data.train[size][0][: batches * batch_size].split(batch_size))
    x, y = data.valid[size]
    return 100.0 * count_correct(single, x, y) / len(y)


@dataclass(frozen=True)
class StandAloneRecipe:
    """How one network is trained by itself: SGD with Nesterov momentum, half a cosine to 0."""

    epochs: int = 6
    batch_size: int = 64
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-5
    clip: float = 5.0

    def __post_init__(self) -> None:
        if isinstance(self.epochs, bool) or not isinstance(self.epochs, int) or self.epochs < 1:
            raise ValueError(f"epochs must be an integer from 1 up, got {self.epochs!r}")


def train_stand_alone(
    arch: Sequence[float],
    data: SizedData,
    recipe: StandAloneRecipe | None = None,
    seed: int = 0,
    config: MobileConfig | None = None,
    progress: bool = False,
) -> tuple[float, MobileNetwork]:
    """Trains the network of `arch` from its own fresh weights; returns its validation accuracy (percent) and it.

    `seed` draws the weights and shuffles the batches.
    """
    recipe = recipe or StandAloneRecipe()
    arch = MobileArch(arch)
    images, labels = data.train[arch.resolution]
    network = build_mobile(arch, config, seed).to(images.device)
    optimizer = torch.optim.SGD(
        network.parameters(),
        recipe.lr,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.momentum > 0,
    )
    batches = BatchOrder(len(labels), recipe.batch_size, seed)
    steps = recipe.epochs * (len(labels) // recipe.batch_size)
    bar = tqdm(range(steps), unit="step", disable=not progress, file=sys.stdout, ncols=80, mininterval=0.5)
    network.train()
    for step in bar:
        rows = batches(step).to(images.device)
        for group in optimizer.param_groups:
            group["lr"] = half_cosine(recipe.lr, step, steps)
        optimizer.zero_grad()
        F.cross_entropy(network(images[rows]), labels[rows]).backward()
        nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        optimizer.step()
    x, y = data.valid[arch.resolution]
    return 100.0 * count_correct(network, x, y) / len(y), network


def distinct_archs(space: MobileSpace, count: int, rng: Generator) -> list[MobileArch]:
    """`count` different architectures, uniformly at random; the smallest and the largest come first.

    Raises:
        ValueError: the space has fewer.
    """
    ends = [space.smallest, space.largest]
    if not 2 <= count <= len(space):
        raise ValueError(f"count must be an integer from 2 to {len(space)}, got {count!r}")
    others = (space.from_index(i) for i in rng.permutation(len(space)).tolist())
    return [*ends, *(arch for arch in others if arch not in ends)][:count]


# -------------------------------------------------------------------------------------- recorded results

ALONE_PATH = Path(__file__).parent / "assets" / "mobile_table.json"
"""Results of `scripts/recordings/mobile_table.py`."""
ONCE_FOR_ALL_PATH = Path(__file__).parent / "assets" / "ofa_runs.json"
"""Results of `scripts/recordings/ofa_runs.py`."""


def recorded_alone(path: Path | str = ALONE_PATH) -> dict[str, list[float]]:
    """Architecture -> validation accuracies (percent) of networks trained by themselves, one for each seed.

    Raises:
        FileNotFoundError: there is no such file.
    """
    recorded = json.loads(Path(path).read_text(encoding="utf-8"))
    return dict(zip(recorded["archs"], recorded["accuracy"], strict=True))


class OnceForAllRun(NamedTuple):
    """One elastic training.

    `scheme` is "progressive", "undistilled" or "joint"; `inherited` holds an accuracy (percent) for each architecture
    that was judged; `specialised`, for once-for-all's own scheme, what was found within each latency limit: `limit_ms`,
    `arch`, `macs`, `predicted_ms`, `measured_ms`, the inherited accuracy `chosen_by` on the images by which the search
    chose, the accuracies `inherited`, `alone` and `longer` (alone, with five times the epochs) on images that it has
    not seen, and the processor times `search_seconds`, `alone_seconds` and `longer_seconds`.
    """

    scheme: str
    seed: int
    training_seconds: float
    inherited: dict[str, float]
    specialised: list[dict[str, Any]]


def recorded_once_for_all(path: Path | str = ONCE_FOR_ALL_PATH) -> list[OnceForAllRun]:
    """What `scripts/recordings/ofa_runs.py` recorded, in its order.

    Raises:
        FileNotFoundError: there is no such file.
    """
    recorded = json.loads(Path(path).read_text(encoding="utf-8"))
    runs = []
    for run in recorded["runs"]:
        scheme, seed = run["job"].split()
        inherited = dict(zip(recorded["archs"], run["inherited"], strict=True))
        runs.append(
            OnceForAllRun(scheme, int(seed), run["training_seconds"], inherited, run.get("specialised", []))
        )
    return runs
