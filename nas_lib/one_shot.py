"""Single-path one-shot: the weights of all 15,625 cells in one network, trained one random cell at a time.

`SinglePathSupernet` is the network of `nas_lib.networks` with all five operations on every edge. Called with an
architecture, it computes what that network would with its share of the weights; `extract` cuts that network out.
`OneShotTraining` trains it with uniform sampling (Guo et al. 2020, arXiv:1904.00420) or strictly fair sampling (Chu et
al. 2021, arXiv:1907.01845). What the ranking of cells by inherited weights is worth, `agreement` says.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from nas_lib._numbers import make_plain, require_counts, seed_number
from nas_lib._resumable import Resumable
from nas_lib.networks import CellBlock, CellNetwork, NetworkConfig, evaluating
from nas_lib.ops import OPERATIONS
from nas_lib.spaces import EDGES, OPS, Arch, Cell, CellSpace, canonical, functions, is_connected, live_edges
from nas_lib.training import DataSplits, count_correct

Sampling: TypeAlias = Literal["uniform", "fair"]
SAMPLINGS: tuple[Sampling, ...] = ("uniform", "fair")


# ------------------------------------------------------------------------------------------ the network


class SharedCell(nn.Module):
    """A cell with every operation on every edge, of which a path uses one each.

    Args:
        channels: width.
        affine: do the batch norms of the operations have scales and shifts of their own?
    """

    def __init__(self, channels: int, affine: bool) -> None:
        super().__init__()
        self.edges = nn.ModuleList(
            nn.ModuleDict({op: OPERATIONS[op](channels, 1) for op in OPS}) for _ in EDGES
        )
        if not affine:
            for norm in self.modules():
                if isinstance(norm, nn.BatchNorm2d):
                    norm.affine, norm.weight, norm.bias = False, None, None  # type: ignore[assignment]

    def forward(self, x: torch.Tensor, arch: Cell) -> torch.Tensor:
        """(B, C, H, W) -> the same shape, as the cell `arch`; edges without influence are not computed."""
        nodes: list[torch.Tensor | None] = [x, None, None, None]
        for (source, target), live, op, edge in zip(EDGES, live_edges(arch), arch, self.edges, strict=True):
            if live:
                message = edge[op](nodes[source])  # type: ignore[index]  # a ModuleDict
                arrived = nodes[target]
                nodes[target] = message if arrived is None else arrived + message
        output = nodes[3]
        return torch.zeros_like(x) if output is None else output


class SinglePathSupernet(nn.Module):
    """Every network of the cell space in one set of weights: (images, arch) -> logits (B, classes).

    Each operation of each edge of each stage has weights of its own, which all cells with that operation there share;
    stem, reduction, head and classifier are shared by all.

    Args:
        config: everything about the networks but their cells; the table's by default.
        seed: draws the weights, as `nas_lib.networks.build_network` does.
        affine: scales and shifts in the batch norms of the operations. One set cannot suit every cell, so one-shot
            methods often go without.
    """

    def __init__(self, config: NetworkConfig | None = None, seed: int = 0, affine: bool = False) -> None:
        super().__init__()
        self.config = config = config or NetworkConfig()
        # What surrounds the cells is that of an ordinary network, whose own cells are replaced.
        frame = CellNetwork(["none"] * len(EDGES), config)
        self.stem, self.head, self.classifier = frame.stem, frame.head, frame.classifier
        self.body = nn.ModuleList(
            SharedCell(next(widths), affine) if isinstance(part, CellBlock) else part
            for widths in [iter(config.widths)]
            for part in frame.body
        )
        generator = torch.Generator().manual_seed(seed_number(seed))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: torch.Tensor, arch: Sequence[str]) -> torch.Tensor:
        """Images (B, in_channels, H, W) and a cell to logits (B, classes)."""
        arch = Cell(arch)
        x = self.stem(x)
        for part in self.body:
            x = part(x, arch) if isinstance(part, SharedCell) else part(x)
        return self.classifier(self.head(x)).flatten(1)

    @torch.no_grad()
    def extract(self, arch: Sequence[str]) -> CellNetwork:
        """The network of `arch` with copies of its weights and statistics: the same outputs to the last bit."""
        network = CellNetwork(arch, self.config).to(self.classifier.weight.device)
        for name in ("stem", "head", "classifier"):
            _copy(getattr(self, name), getattr(network, name))
        for part, single in zip(self.body, network.body, strict=True):
            if isinstance(part, SharedCell):
                assert isinstance(single, CellBlock)
                for edge, op, operation in zip(part.edges, network.arch, single.edges, strict=True):
                    _copy(edge[op], operation)  # type: ignore[index]  # a ModuleDict
            else:
                _copy(part, single)
        return network.train(self.training)


def _copy(shared: nn.Module, single: nn.Module) -> None:
    """Copies of all weights and statistics, in their layout in memory: another one would round differently.

    Batch norms without scale and shift leave those of `single` at 1 and 0, which means the same.
    """
    state = {name: value.clone() for name, value in shared.state_dict().items()}
    single.load_state_dict(state, strict=False, assign=True)


# ------------------------------------------------------------------------------------------- which paths


def uniform_paths(choices: Sequence[Sequence[Any]], rng: Generator) -> Iterator[tuple[Any, ...]]:
    """Architectures without end, every option of each decision equally likely (Guo et al. 2020, section 3)."""
    sizes = [len(options) for options in choices]
    while True:
        yield tuple(options[i] for options, i in zip(choices, rng.integers(sizes).tolist(), strict=True))


def fair_round(choices: Sequence[Sequence[Any]], rng: Generator) -> list[tuple[Any, ...]]:
    """K architectures that between them use each option of each decision exactly once (Chu et al. 2021, alg. 1).

    Raises:
        ValueError: no decisions or options, or decisions with different numbers of options.
    """
    sizes = {len(options) for options in choices}
    if len(sizes) != 1 or 0 in sizes:
        raise ValueError(
            f"choices must have one or more and equally many options in every decision, got {sorted(sizes)}"
        )
    columns = [[options[i] for i in rng.permutation(len(options))] for options in choices]
    return list(zip(*columns, strict=True))


# ---------------------------------------------------------------------------------------------- training


@dataclass(frozen=True)
class OneShotRecipe:
    """How a supernet is trained.

    Attributes:
        sampling: "uniform", one random cell a step; or "fair", a step of one cell per option, in which each option of
            each edge occurs once. Their gradients, all on one batch, are added up for one update.
        passes: (cell, batch) pairs in all; a fair step makes five of them. So equal `passes` is equal cost.
        lr: falls as half a cosine to 0. SGD with Nesterov momentum otherwise, as in the table's recipe.
        clip: the largest norm of a step's gradient; a larger one is scaled down.
        affine: see `SinglePathSupernet`.
    """

    sampling: Sampling = "uniform"
    passes: int = 9000
    batch_size: int = 64
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-5
    clip: float = 5.0
    affine: bool = False

    def __post_init__(self) -> None:
        if self.sampling not in SAMPLINGS:
            raise ValueError(f"sampling must be 'uniform' or 'fair', got {self.sampling!r}")
        make_plain(self)
        require_counts(self, "passes", "batch_size")
        for name in ("lr", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be a positive number, got {getattr(self, name)!r}")
        if self.passes < self.cells_per_step:
            raise ValueError(
                f"passes must be at least {self.cells_per_step} for one fair step, got {self.passes}"
            )

    @property
    def cells_per_step(self) -> int:
        """How many cells one optimiser step trains."""
        return len(OPS) if self.sampling == "fair" else 1

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""
        return self.passes // self.cells_per_step


class OneShotTraining(Resumable):
    """Trains one supernet, step by step; `run()` goes on after an interrupt, `save` and `load` after a restart.

    Equal `seed` gives the same weights, interrupted or not.

    Args:
        splits: the images, on the device to train on.
        recipe: how.
        seed: draws the initial weights, the batches and the cells.
        network: everything about the networks but their cells.
        mixed_precision: compute in bfloat16 where that is safe; only on CUDA, since small networks gain nothing by it
            on a CPU.

    Attributes:
        supernet: the network, trained as far as `step`.

    Raises:
        ValueError: mixed precision on another device than CUDA, or fewer images than a batch.
    """

    def __init__(
        self,
        splits: DataSplits,
        recipe: OneShotRecipe | None = None,
        seed: int = 0,
        network: NetworkConfig | None = None,
        mixed_precision: bool = False,
    ) -> None:
        self.recipe = recipe = recipe or OneShotRecipe()
        super().__init__(recipe.steps)
        self._images, self._labels = splits.train
        self.device = self._images.device
        require_precision(mixed_precision, self.device)
        self.seed, self.mixed_precision = seed_number(seed), mixed_precision
        self._batches = BatchOrder(len(self._labels), recipe.batch_size, seed)
        supernet = SinglePathSupernet(network, seed, recipe.affine)
        self.supernet = supernet.to(self.device).to(memory_format=torch.channels_last)
        self._optimizer = torch.optim.SGD(
            self.supernet.parameters(),
            recipe.lr,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=recipe.momentum > 0,
        )

    def paths(self, step: int) -> list[tuple[str, ...]]:
        """The cells that a step trains."""
        rng = np.random.default_rng([self.seed, step])
        choices = [OPS] * len(EDGES)
        if self.recipe.sampling == "fair":
            return fair_round(choices, rng)
        return [next(uniform_paths(choices, rng))]

    def advance(self) -> float:
        """One optimiser step; returns the mean loss of its cells."""
        recipe, rows = self.recipe, self._batches(self.step).to(self.device)
        images, labels = self._images[rows], self._labels[rows]
        for group in self._optimizer.param_groups:
            group["lr"] = half_cosine(recipe.lr, self.step, self.steps)
        self.supernet.train()
        self._optimizer.zero_grad()
        total = 0.0
        for path in self.paths(self.step):
            total += path_loss(self.supernet, (images, labels), path, self.mixed_precision)
        nn.utils.clip_grad_norm_(self.supernet.parameters(), recipe.clip)
        self._optimizer.step()
        return total / recipe.cells_per_step

    def what(self) -> dict[str, Any]:
        """Recipe, seed and network."""
        return asdict(self.recipe) | asdict(self.supernet.config) | {"seed": self.seed}

    def state(self) -> dict[str, Any]:
        """Weights and momentum."""
        return {"supernet": self.supernet.state_dict(), "optimizer": self._optimizer.state_dict()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Weights and momentum."""
        self.supernet.load_state_dict(state["supernet"])
        self._optimizer.load_state_dict(state["optimizer"])


def path_loss(
    supernet: nn.Module,
    batch: tuple[torch.Tensor, torch.Tensor],
    path: Sequence[Any],
    mixed_precision: bool = False,
) -> float:
    """Adds one path's gradients, of the mean cross-entropy on a batch, to those that are there; returns that loss."""
    images, labels = batch
    with torch.autocast(images.device.type, torch.bfloat16, enabled=mixed_precision):
        loss = F.cross_entropy(supernet(images, path), labels)
    loss.backward()
    return loss.item()


class BatchOrder:
    """Which images each step sees: every epoch shuffles all of them anew and drops the last incomplete batch.

    The order follows from the seed and the step's number alone, so that a training can go on anywhere.
    """

    def __init__(self, images: int, batch_size: int, seed: int) -> None:
        if images < batch_size:
            raise ValueError(f"batch_size must not exceed the {images} training images, got {batch_size}")
        self._images, self._size, self._seed = images, batch_size, seed
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)

    def __call__(self, step: int) -> torch.Tensor:
        """Indices (batch_size,) of one step's images."""
        epoch, place = divmod(step, self._images // self._size)
        if epoch != self._epoch:
            shuffled = np.random.default_rng([self._seed, 1, epoch]).permutation(self._images)
            self._epoch, self._order = epoch, torch.from_numpy(shuffled)
        return self._order[place * self._size : (place + 1) * self._size]


def half_cosine(lr: float, step: int, steps: int) -> float:
    """From `lr` at step 0 down to 0 at `steps` (Loshchilov & Hutter 2017, eq. 5, without restarts)."""
    return 0.5 * lr * (1 + math.cos(math.pi * step / steps))


def require_precision(mixed_precision: bool, device: torch.device) -> None:
    """ValueError for mixed precision anywhere but on CUDA."""
    if mixed_precision and device.type != "cuda":
        raise ValueError(
            f"mixed_precision must be False on {device.type}: it saves time on CUDA devices only, got True"
        )


# ------------------------------------------------------------------------------------- inherited weights


class OnPath(nn.Module):
    """One path of a supernet, called as an ordinary network: images -> logits. It shares all weights and statistics."""

    def __init__(self, supernet: nn.Module, path: Sequence[Any]) -> None:
        super().__init__()
        self.supernet, self.path = supernet, path
        self.training = supernet.training

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What the path computes."""
        return self.supernet(x, self.path)


@torch.no_grad()
def recalibrate(network: nn.Module, batches: Iterable[torch.Tensor]) -> None:
    """Give the batch norms of `network` the statistics of these images, averaged over the batches.

    The statistics of a supernet are a mixture over all the networks that were trained in it; none of them has that
    mixture's mean and variance (Guo et al. 2020, section 3). An extracted network has statistics of its own, `OnPath`
    changes the supernet's. Weights and the modes of all parts stay as they are; after an error the statistics do too.

    Args:
        network: images -> anything.
        batches: of images, each with a first dimension for the images in it; pairs of images and labels, as a data
            loader gives them, will do.

    Raises:
        TypeError: one tensor of images, which is no batches; or a batch that is none of both.
        ValueError: no batches; a last batch of a single image where a batch norm needs two values or more for each
            channel.
    """
    if isinstance(batches, torch.Tensor):
        raise TypeError(
            f"batches must be several, such as images.split(64), got one tensor of shape {tuple(batches.shape)}"
        )
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    statistics = [{name: value.clone() for name, value in norm.named_buffers()} for norm in norms]
    seen = 0
    try:
        with evaluating(network):
            for norm in norms:
                norm.reset_running_stats()
                norm.momentum = None  # a plain average over batches, instead of one that forgets
                norm.train()
            for batch in batches:
                network(_images(batch))
                seen += 1
        if not seen:
            raise ValueError("batches must hold at least one batch of images, got none")
    except BaseException:
        for norm, kept in zip(norms, statistics, strict=True):
            for name, value in norm.named_buffers():
                value.copy_(kept[name])
        raise
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def _images(batch: Any) -> torch.Tensor:
    """The images of a batch, with labels beside them or without."""
    images = batch[0] if isinstance(batch, (tuple, list)) and batch else batch
    if not isinstance(images, torch.Tensor):
        raise TypeError(f"batches must hold tensors of images, or pairs of images and labels, got {batch!r}")
    return images


def inherited_accuracy(
    supernet: SinglePathSupernet, arch: Arch, splits: DataSplits, batches: int = 4, batch_size: int = 256
) -> float:
    """Validation accuracy (percent) of one cell with the supernet's weights, after recalibration.

    Args:
        supernet: trained; it is not changed.
        arch: the cell.
        splits: recalibration takes the first training images, the accuracy is that on `splits.valid`.
        batches: of training images for the statistics; 0 judges with the supernet's own, to see what that costs.
        batch_size: of these batches.
    """
    network = supernet.extract(arch).to(memory_format=torch.channels_last)
    if batches:
        recalibrate(network, splits.train[0][: batches * batch_size].split(batch_size))
    return 100.0 * count_correct(network, *splits.valid) / len(splits.valid[1])


def score(
    supernet: SinglePathSupernet,
    archs: Sequence[Arch],
    splits: DataSplits,
    batches: int = 4,
    batch_size: int = 256,
    progress: bool = False,
) -> NDArray[np.float64]:
    """(n,) `inherited_accuracy` of each architecture."""
    bar = tqdm(archs, unit="cell", disable=not progress, file=sys.stdout, ncols=80, mininterval=0.5)
    return np.array([inherited_accuracy(supernet, arch, splits, batches, batch_size) for arch in bar])


@torch.no_grad()
def batch_accuracy(
    supernet: nn.Module, path: Sequence[Any], batch: tuple[torch.Tensor, torch.Tensor]
) -> float:
    """Accuracy (percent) of a path on one batch, normalised by that batch's own statistics: cheap, for a reward.

    The running statistics of the supernet's batch norms move, as in a step of training; the modes of its parts stay.
    """
    images, labels = batch
    with evaluating(supernet):  # whatever happens, each part gets its mode back
        hits = supernet.train()(images, path).argmax(1) == labels
    return 100.0 * hits.double().mean().item()


class Agreement(NamedTuple):
    """How well scores order architectures: Kendall's tau-b over all of them, and over the best by truth.

    `archs` and `archs_top` say over how many. A tau is NaN where all scores, or all truths, are equal.
    """

    tau: float
    tau_top: float
    archs: int
    archs_top: int


def agreement(scores: ArrayLike, truth: ArrayLike, top: float = 0.1) -> Agreement:
    """Kendall's tau between scores and truth (both (n,)), over all and among the best fraction `top` by truth.

    The best are those at least as good as the ⌈top·n⌉-th best, so that ties at the border all count.

    Raises:
        ValueError: shapes that differ, fewer than two, a value that is not finite, or a fraction outside (0, 1].
    """
    from scipy import stats

    given, right = np.asarray(scores, dtype=float), np.asarray(truth, dtype=float)
    if given.ndim != 1 or given.shape != right.shape or len(given) < 2:
        raise ValueError(
            f"scores and truth must be two or more pairs of numbers, got shapes {given.shape} and {right.shape}"
        )
    for name, values in (("scores", given), ("truth", right)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite numbers, got {values[~np.isfinite(values)][0]}")
    if not 0 < top <= 1:
        raise ValueError(f"top must be a fraction above 0 and up to 1, got {top!r}")
    border = np.sort(right)[-math.ceil(top * len(right) - 1e-9)]
    best = right >= border
    tau_top = float(stats.kendalltau(given[best], right[best]).statistic) if best.sum() > 1 else math.nan
    return Agreement(float(stats.kendalltau(given, right).statistic), tau_top, len(right), int(best.sum()))


def distinct_functions(count: int, rng: Generator) -> list[Cell]:
    """`count` random cells of `CellSpace()` of which no two compute the same function, and none computes nothing.

    Cells that compute the same function have one row of the table between them: ties that no score could break.

    Raises:
        ValueError: the space has fewer.
    """
    space = CellSpace()
    found: dict[Any, Cell] = {}
    for index in rng.permutation(len(space)).tolist():
        if len(found) == count:
            break
        arch = space.from_index(index)
        if is_connected(arch):
            found.setdefault(canonical(arch), arch)
    if len(found) < count:
        raise ValueError(f"count must not exceed the {len(found)} functions of the space, got {count}")
    return list(found.values())


# -------------------------------------------------------------------------------------- recorded results

RANKINGS_PATH = Path(__file__).parent / "assets" / "supernet_rankings.json"
"""Results of `scripts/recordings/supernet_rankings.py`."""


REWARDS_PATH = Path(__file__).parent / "assets" / "shared_rewards.npz"
"""Results of `scripts/recordings/shared_rewards.py`."""


class RecordedRanking(NamedTuple):
    """A trained supernet's inherited accuracies (n,) in percent, after recalibration and without it."""

    sampling: Sampling
    seed: int
    scores: list[float]
    scores_without_recalibration: list[float]


def recorded_rankings(path: Path | str = RANKINGS_PATH) -> tuple[list[Cell], list[RecordedRanking]]:
    """What `scripts/recordings/supernet_rankings.py` recorded: the n cells, and each supernet's scores.

    Raises:
        FileNotFoundError: there is no such file.
    """
    recorded = json.loads(Path(path).read_text(encoding="utf-8"))
    runs = []
    for run in recorded["runs"]:
        sampling, seed = run["job"].split()
        runs.append(RecordedRanking(sampling, int(seed), run["scores"], run["scores_without_recalibration"]))
    space = CellSpace()
    return [space.from_index(index) for index in recorded["archs"]], runs


def recorded_rewards(path: Path | str = REWARDS_PATH) -> NDArray[np.float64]:
    """What `scripts/recordings/shared_rewards.py` recorded: `batch_accuracy` by each supernet of each cell.

    Returns:
        Percent, (supernets, cells), the cells in the order of `CellSpace`'s index.

    Raises:
        FileNotFoundError: there is no such file.
    """
    with np.load(path) as data:
        per_function = 100.0 * data["right"] / data["images"]
    return per_function[:, functions()[1]]
