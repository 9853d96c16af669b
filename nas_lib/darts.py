"""Searching a cell by gradient descent: DARTS of both orders, SNAS and GDAS, over one loop.

A `Relaxed` model is a supernet together with the way in which its logits become mixing weights; `Bilevel` does one
update of weights and logits; `search` is the loop, with a progress bar, and what it has found so far when it is
interrupted. The rest looks at results: curvature, rules for stopping early, and what discretisation costs.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from nas_lib._numbers import seed_number
from nas_lib.networks import CellNetwork, NetworkConfig, evaluating
from nas_lib.one_shot import recalibrate
from nas_lib.spaces import OPS, Cell
from nas_lib.supernet import MixedSupernet, inherit
from nas_lib.training import RECIPE, DataSplits, Recipe, count_correct, train

__all__ = [
    "METHODS",
    "Bilevel",
    "Inherited",
    "PricedRun",
    "RecordedRun",
    "Relaxed",
    "Retrained",
    "SearchConfig",
    "SearchRun",
    "alpha_hessian",
    "chosen_cell",
    "concrete_sample",
    "exact_alpha_gradient",
    "expected_price",
    "inherited_accuracy",
    "recorded_priced_runs",
    "recorded_runs",
    "retrained_accuracy",
    "search",
    "stop_at_curvature",
    "stop_at_skips",
    "supernet_accuracy",
]

Batch = tuple[Tensor, Tensor]
LossFunction = Callable[[Tensor, Tensor], Tensor]
Sampler = Callable[..., Tensor]


class Method(NamedTuple):
    """What tells the four methods apart."""

    order: int  # 1: the weights are held still in the logits' step; 2: they take a virtual step first
    sampled: bool  # the mixing weights are drawn with Gumbel noise
    hard: bool  # ... and rounded to one operation per edge


METHODS: dict[str, Method] = {
    "DARTS, first order": Method(1, sampled=False, hard=False),
    "DARTS, second order": Method(2, sampled=False, hard=False),
    "SNAS": Method(1, sampled=True, hard=False),
    "GDAS": Method(1, sampled=True, hard=True),
}
"""Liu et al. 2019 (arXiv:1806.09055), Xie et al. 2019 (arXiv:1812.09926), Dong & Yang 2019 (arXiv:1910.04465)."""


@dataclass(frozen=True)
class SearchConfig:
    """Everything about a search but its method and seed.

    The weights are trained by SGD whose rate falls as a half cosine from `lr` to `lr_min`, the logits by Adam. Half
    of the `train_images` train the weights, the other half the logits. `tau` is the temperature of the sampling
    methods, falling linearly from the first to the second value. Only `ops` are searched: the logits of all others
    start so low that their weight is 0. Optimisers as in DARTS, section 3.1 and appendix
    A.1, but for `alpha_lr`: its 3e-4 is for 50 epochs on CIFAR-10, fifty times as many steps as here.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    train_images: int = RECIPE.train_images
    epochs: int = 20
    batch_size: int = 64
    lr: float = 0.05
    lr_min: float = 0.001
    momentum: float = 0.9
    weight_decay: float = 3e-4
    alpha_lr: float = 0.01
    alpha_betas: tuple[float, float] = (0.5, 0.999)
    alpha_weight_decay: float = 1e-3
    tau: tuple[float, float] = (3.0, 0.3)
    eps: float = 0.01
    ops: tuple[str, ...] = OPS

    def __post_init__(self) -> None:
        half = self.train_images // 2
        if not 1 <= self.batch_size <= half:
            raise ValueError(
                f"batch_size must be from 1 to half of train_images, {half}, got {self.batch_size!r}"
            )
        if self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, got {self.epochs!r}")
        if not min(self.tau) > 0:
            raise ValueError(f"tau must be two positive temperatures, got {self.tau!r}")
        if not set(self.ops) <= set(OPS) or len({*self.ops} - {"none"}) < 2:
            raise ValueError(f"ops must be at least two of {', '.join(OPS[1:])}, got {self.ops!r}")

    @property
    def steps_per_epoch(self) -> int:
        """Updates of weights and logits in one epoch."""
        return self.train_images // 2 // self.batch_size


# --------------------------------------------------------------------------------------- mixing weights


def concrete_sample(logits: Tensor, tau: float, generator: torch.Generator, hard: bool = False) -> Tensor:
    """A draw from the concrete distribution over the last axis (Maddison et al. 2017; Jang et al. 2017).

    With `hard` the result is one-hot and its gradient that of the soft draw (straight-through).
    """
    # −log of a standard exponential variable is a Gumbel variable.
    noise = torch.empty_like(logits).exponential_(generator=generator).log_().neg_()
    soft = F.softmax((logits + noise).div(tau), dim=-1)
    if not hard:
        return soft
    top = soft.detach().topk(1, dim=-1).indices
    return torch.zeros_like(soft).scatter_(-1, top, 1.0).sub(soft.detach()).add(soft)


class Relaxed:
    """A supernet and how its logits become mixing weights; steps call it like a model.

    Args:
        supernet: the network.
        method: one of `METHODS`' values.
        tau: temperature of the sampling methods; may be changed at any time.
        generator: their randomness, on the supernet's device.
        sample: draws mixing weights from (logits, tau, generator, hard); `concrete_sample` by default.
        amp: bfloat16 autocast in the forward pass, on CUDA only.
    """

    def __init__(
        self,
        supernet: MixedSupernet,
        method: Method,
        tau: float = 1.0,
        generator: torch.Generator | None = None,
        sample: Sampler = concrete_sample,
        amp: bool = False,
    ) -> None:
        device = supernet.logits.device
        if amp and device.type != "cuda":
            raise ValueError(f"amp pays on CUDA only: accepted is False on {device.type}, got {amp!r}")
        self.supernet, self.method, self.tau, self.amp = supernet, method, tau, amp
        self.generator = generator or torch.Generator(device).manual_seed(0)
        self._sample = sample

    def __call__(self, x: Tensor) -> Tensor:
        """Images to logits of the classes, with mixing weights drawn anew where the method draws them."""
        with torch.autocast("cuda", torch.bfloat16, enabled=self.amp):
            if not self.method.sampled:
                return self.supernet(x)
            hard = self.method.hard
            return self.supernet(x, self._sample(self.supernet.logits, self.tau, self.generator, hard), hard)

    def weights(self) -> list[nn.Parameter]:
        """The supernet's."""
        return self.supernet.weights()

    def alphas(self) -> list[nn.Parameter]:
        """The supernet's."""
        return self.supernet.alphas()


# ---------------------------------------------------------------------------------------------- one update


def _slopes(loss: Tensor, leaves: Sequence[Tensor], create_graph: bool = False) -> list[Tensor]:
    """Gradient by each leaf, zeros where the loss does not depend on it; their .grad is left alone."""
    if not torch.isfinite(loss):
        raise ValueError(f"loss must be a finite number, got {float(loss)}: is the learning rate too high?")
    found = torch.autograd.grad(loss, leaves, allow_unused=True, create_graph=create_graph)
    return [torch.zeros_like(leaf) if slope is None else slope for leaf, slope in zip(leaves, found)]


class Bilevel:
    """Updates of weights and logits in turn: the logits on validation images first, then the weights.

    Args:
        model: has `weights()` and `alphas()` and maps images to predictions.
        loss_fn: (predictions, labels) -> scalar.
        weight_optimizer, alpha_optimizer: of the two groups.
        order: 1 or 2, DARTS's.
        eps: of the finite difference of the second order, divided by the length of its direction.
    """

    def __init__(
        self,
        model: Any,
        loss_fn: LossFunction,
        weight_optimizer: Any,
        alpha_optimizer: Any,
        order: int = 1,
        eps: float = 0.01,
    ) -> None:
        if order not in (1, 2):
            raise ValueError(f"order must be 1 or 2, got {order!r}")
        self.model, self.loss_fn, self.order, self.eps = model, loss_fn, order, eps
        self.weight_optimizer, self.alpha_optimizer = weight_optimizer, alpha_optimizer

    def __call__(self, train_batch: Batch, valid_batch: Batch) -> tuple[float, float]:
        """One update of both; returns the training and the validation loss that their gradients come from."""
        return self.update(train_batch, valid_batch)

    def update(self, train_batch: Batch, valid_batch: Batch) -> tuple[float, float]:
        """The logits, then the weights."""
        valid_loss = self.update_alphas(train_batch, valid_batch)
        return self.update_weights(train_batch), valid_loss

    def loss(self, batch: Batch) -> Tensor:
        """The loss on a batch (images, labels)."""
        return self.loss_fn(self.model(batch[0]), batch[1])

    def update_weights(self, batch: Batch) -> float:
        """One step of the weights, the logits held still."""
        loss, weights = self.loss(batch), self.model.weights()
        return self._apply(self.weight_optimizer, weights, _slopes(loss, weights), loss)

    def update_alphas(self, train_batch: Batch, valid_batch: Batch, rate: float | None = None) -> float:
        """One step of the logits; the weights end as they were.

        `rate` is that of the second order's virtual step, by default the weights' own learning rate.
        """
        if self.order == 1:
            loss, alphas = self.loss(valid_batch), self.model.alphas()
            return self._apply(self.alpha_optimizer, alphas, _slopes(loss, alphas), loss)
        if rate is None:
            rate = float(self.weight_optimizer.param_groups[0]["lr"])
        slopes, loss = self.unrolled(train_batch, valid_batch, rate)
        return self._apply(self.alpha_optimizer, self.model.alphas(), slopes, loss)

    def unrolled(self, train_batch: Batch, valid_batch: Batch, rate: float) -> tuple[list[Tensor], Tensor]:
        """DARTS's equations 7 and 8: gradient by the logits through one virtual step of the weights, and the loss."""
        weights, alphas = self.model.weights(), self.model.alphas()
        saved = [one.detach().clone() for one in weights]
        try:
            torch._foreach_add_(_data(weights), _slopes(self.loss(train_batch), weights), alpha=-rate)
            loss = self.loss(valid_batch)
            both = _slopes(loss, [*weights, *alphas])
            direction, slopes = both[: len(weights)], both[len(weights) :]
            length = math.sqrt(sum(float(one.square().sum()) for one in direction))
            if length > 0:
                radius = self.eps / length
                sides = []
                for sign in (1.0, -1.0):
                    torch._foreach_copy_(_data(weights), saved)
                    torch._foreach_add_(_data(weights), direction, alpha=sign * radius)
                    sides.append(_slopes(self.loss(train_batch), alphas))
                scale = rate / (2 * radius)
                slopes = [s - scale * (up - down) for s, up, down in zip(slopes, *sides)]
        finally:
            torch._foreach_copy_(_data(weights), saved)
        return slopes, loss

    @staticmethod
    def _apply(optimizer: Any, leaves: Sequence[Tensor], slopes: Sequence[Tensor], loss: Tensor) -> float:
        for leaf, slope in zip(leaves, slopes):
            leaf.grad = slope
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())


def _data(leaves: Sequence[Tensor]) -> list[Tensor]:
    return [one.detach() for one in leaves]


def expected_price(logits: Tensor, prices: Tensor) -> Tensor:
    """Σ softmax(logits)·prices over the edges, a scalar; both (edges, operations).

    A term of the architecture's loss that makes the search mind what operations cost, such as their latency
    (ProxylessNAS, Cai et al. 2019, arXiv:1812.00332, section 3.3).
    """
    return torch.einsum("eo,eo->", logits.softmax(-1), prices)


def exact_alpha_gradient(
    model: nn.Module, loss_fn: LossFunction, train_batch: Batch, valid_batch: Batch, rate: float
) -> list[Tensor]:
    """What the second order approximates: d/dα of L_valid(w − rate·∇_w L_train(w, α), α), by differentiating twice.

    The oracle of tests and of lesson 04. `model` is a module whose `weights()` and `alphas()` are parameters of it.
    """
    names = {id(parameter): name for name, parameter in model.named_parameters(remove_duplicate=False)}
    weights, alphas = model.weights(), model.alphas()  # type: ignore[operator]
    inner = loss_fn(model(train_batch[0]), train_batch[1])
    ahead = [w - rate * s for w, s in zip(weights, _slopes(inner, weights, create_graph=True))]
    moved = {names[id(w)]: one for w, one in zip(weights, ahead)}
    outputs = torch.func.functional_call(model, moved, (valid_batch[0],))
    return _slopes(loss_fn(outputs, valid_batch[1]), alphas)


# ------------------------------------------------------------------------------------------------ the loop


@dataclass
class SearchRun:
    """What a search has seen. Lists have an entry per finished epoch, `logits` one more, for the beginning.

    `curvature` is the dominant eigenvalue of the validation loss's Hessian by the logits, where it was asked for.
    """

    method: str
    seed: int
    supernet: MixedSupernet
    logits: list[Tensor]
    train_loss: list[float] = field(default_factory=list)
    valid_loss: list[float] = field(default_factory=list)
    curvature: list[float] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def mixing(self) -> Tensor:
        """Softmax of the logits, (1 + epochs, 6, 5)."""
        return torch.stack(self.logits).softmax(dim=-1)

    @property
    def cells(self) -> list[Cell]:
        """The cell that would have been chosen at the beginning and after each epoch."""
        return [chosen_cell(one) for one in self.logits]


def search(
    splits: DataSplits,
    method: str = "DARTS, first order",
    config: SearchConfig | None = None,
    seed: int = 0,
    *,
    cell: Callable[[int, nn.Parameter], nn.Module] | None = None,
    update: Callable[[Relaxed, Any, Any, Batch, Batch], tuple[float, float]] | None = None,
    sample: Sampler = concrete_sample,
    curvature: bool = False,
    amp: bool = False,
    progress: bool = True,
) -> SearchRun:
    """Search a cell; Ctrl-C (or a notebook's stop button) ends it early and keeps what has been found.

    Args:
        splits: images, on the device to search on; only the training images are used.
        method: a name out of `METHODS`.
        config: everything else about the search.
        seed: of the weights, the order of the images and the samples.
        cell: makes the mixed cells, see `MixedSupernet`.
        update: one update of (model, weight_optimizer, alpha_optimizer, train_batch, valid_batch), returning the
            two losses; `Bilevel` by default.
        sample: draws mixing weights, see `Relaxed`.
        curvature: also work out the dominant eigenvalue after each epoch.
        amp: bfloat16 autocast, on CUDA only.
        progress: show a bar over the epochs.

    Raises:
        ValueError: an unknown method, fewer training images than the config wants, or `amp` without CUDA.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    config = config or SearchConfig()
    images, labels = splits.train
    if len(labels) < config.train_images:
        raise ValueError(f"splits must hold {config.train_images} training images, got {len(labels)}")
    device = images.device
    supernet = MixedSupernet(config.network, cell=cell, seed=seed).to(device)
    supernet = supernet.to(memory_format=torch.channels_last)
    with torch.no_grad():
        supernet.logits[:, [op not in config.ops for op in OPS]] = _EXCLUDED
    generator = torch.Generator(device).manual_seed(seed_number(seed))
    model = Relaxed(supernet, METHODS[method], config.tau[0], generator, sample, amp)
    weight_optimizer, alpha_optimizer = _optimizers(model, config)
    if update is None:
        bilevel = Bilevel(
            model, F.cross_entropy, weight_optimizer, alpha_optimizer, METHODS[method].order, config.eps
        )
        step: Callable[[Batch, Batch], tuple[float, float]] = bilevel
    else:
        given = update

        def step(train_batch: Batch, valid_batch: Batch) -> tuple[float, float]:
            return given(model, weight_optimizer, alpha_optimizer, train_batch, valid_batch)

    run = SearchRun(method, seed, supernet, [_logits(supernet)])
    halves = _halves(images, labels, config, seed)
    start = time.process_time()
    bar = tqdm(total=config.epochs, unit="epoch", disable=not progress, file=sys.stdout, ncols=90)
    try:
        for epoch in range(config.epochs):
            losses = [0.0, 0.0]
            supernet.train()
            for place in range(config.steps_per_epoch):
                done = (epoch + place / config.steps_per_epoch) / config.epochs
                model.tau = config.tau[0] + done * (config.tau[1] - config.tau[0])
                for group in weight_optimizer.param_groups:
                    group["lr"] = _cosine(config, done)
                for kind, loss in enumerate(step(*next(halves))):
                    losses[kind] += float(loss) / config.steps_per_epoch
            run.train_loss.append(losses[0])
            run.valid_loss.append(losses[1])
            run.logits.append(_logits(supernet))
            if curvature:
                last = slice(config.train_images - config.batch_size, config.train_images)
                hessian = alpha_hessian(supernet, F.cross_entropy, (images[last], labels[last]))
                run.curvature.append(float(torch.linalg.eigvalsh(hessian)[-1]))
            bar.set_postfix_str(f"validation loss {losses[1]:.2f}")
            bar.update()
    except KeyboardInterrupt:
        run.interrupted = True
    finally:
        bar.close()
    run.seconds = time.process_time() - start
    return run


_EXCLUDED = -1e4
"""A logit whose softmax is 0 to the last bit, and stays so: the optimiser moves it by a few units in all."""


def _optimizers(model: Relaxed, config: SearchConfig) -> tuple[torch.optim.SGD, torch.optim.Adam]:
    return (
        torch.optim.SGD(
            model.weights(), config.lr, momentum=config.momentum, weight_decay=config.weight_decay
        ),
        torch.optim.Adam(
            model.alphas(),
            config.alpha_lr,
            betas=config.alpha_betas,
            weight_decay=config.alpha_weight_decay,
        ),
    )


def _logits(supernet: MixedSupernet) -> Tensor:
    return supernet.logits.detach().cpu().clone()


def _cosine(config: SearchConfig, done: float) -> float:
    return config.lr_min + (config.lr - config.lr_min) * 0.5 * (1 + math.cos(math.pi * done))


def _halves(images: Tensor, labels: Tensor, config: SearchConfig, seed: int) -> Iterator[tuple[Batch, Batch]]:
    """(training batch, validation batch) without end, each half of the images in an order that changes per epoch."""
    generator = torch.Generator().manual_seed(seed_number(seed))
    half = config.train_images // 2
    while True:
        orders = [start + torch.randperm(half, generator=generator) for start in (0, half)]
        for step in range(config.steps_per_epoch):
            part = slice(step * config.batch_size, (step + 1) * config.batch_size)
            train, valid = (
                (images[order[part].to(images.device)], labels[order[part].to(labels.device)])
                for order in orders
            )
            yield train, valid


# ------------------------------------------------------------------------------------------ what came of it


def chosen_cell(logits: Tensor, with_none: bool = False) -> Cell:
    """The strongest operation of each edge (DARTS, section 2.4); `none` is no candidate unless `with_none`."""
    first = 0 if with_none else 1  # `none` comes first in OPS
    return Cell(OPS[first + int(row.argmax())] for row in logits.detach()[:, first:])


def supernet_accuracy(run: SearchRun, splits: DataSplits, config: SearchConfig) -> float:
    """Validation accuracy (percent) of the supernet as its method uses it: sampling methods draw for each batch."""
    generator = torch.Generator(run.supernet.logits.device).manual_seed(seed_number(run.seed))
    model = Relaxed(run.supernet, METHODS[run.method], config.tau[1], generator)
    run.supernet.eval()
    correct = 0
    with torch.no_grad():
        for x, y in zip(*(one.split(128) for one in splits.valid), strict=True):
            correct += int((model(x).argmax(1) == y).sum())
    return 100.0 * correct / len(splits.valid[1])


class Inherited(NamedTuple):
    """Validation accuracy (percent) of the chosen cell with the supernet's weights."""

    as_is: float
    renormalised: float  # ... after the batch norms have seen the cell's own activations


def inherited_accuracy(supernet: MixedSupernet, arch: Sequence[str], splits: DataSplits) -> Inherited:
    """What is left of the supernet's accuracy once one operation per edge stays, without and with new statistics."""
    network = inherit(supernet, arch)
    as_is = _accuracy(network, splits.valid)
    recalibrate(network, splits.train[0][:1024].split(128))
    return Inherited(as_is, _accuracy(network, splits.valid))


def _accuracy(network: CellNetwork, images: tuple[Tensor, Tensor]) -> float:
    return 100.0 * count_correct(network, *images) / len(images[1])


class Retrained(NamedTuple):
    """Accuracies (percent) of the chosen cell trained from scratch."""

    valid: float
    test: float


def retrained_accuracy(
    arch: Sequence[str], splits: DataSplits, recipe: Recipe = RECIPE, seed: int = 0
) -> Retrained:
    """The cell trained from scratch by the table's recipe; `valid` is over all validation images."""
    result = train(arch, splits, recipe, seed)
    pairs = ((result.valid_correct[-1], splits.final_valid), (result.test_correct, splits.test))
    return Retrained(*(100.0 * correct / len(labels) for correct, (_, labels) in pairs))


# --------------------------------------------------------------------------------------------- recorded runs

RUNS_PATH = Path(__file__).parent / "assets" / "darts_runs.jsonl"
"""Searches of all methods over seeds, written by `scripts/recordings/darts_runs.py`."""


@dataclass(frozen=True)
class RecordedRun:
    """One recorded search; accuracies are percent, `retrained_test` of test images, the others of validation images.

    `cells` has the cell at the beginning and after each epoch, `logits` the logits that it comes from (6, 5). `ops`
    are the operations that were searched.
    """

    method: str
    seed: int
    cells: tuple[Cell, ...]
    logits: tuple[Any, ...]
    curvature: tuple[float, ...]
    supernet: float
    inherited: float
    renormalised: float
    retrained_valid: float
    retrained_test: float
    seconds: float
    ops: tuple[str, ...] = OPS

    @property
    def cell(self) -> Cell:
        """What the search hands over."""
        return self.cells[-1]

    @property
    def counts(self) -> list[list[int]]:
        """How many edges of each cell carry each operation, in the order of `OPS`."""
        return [[cell.count(op) for op in OPS] for cell in self.cells]


def recorded_runs(path: Path | str = RUNS_PATH, subspace: bool = False) -> list[RecordedRun]:
    """The recorded searches of the whole space, in the order of `METHODS` and of seeds.

    Args:
        path: where they are.
        subspace: those of fewer operations instead.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is no recorded search.
    """
    runs = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        try:
            data = json.loads(line)
            logits = tuple(data.pop("logits"))
            cells = tuple(chosen_cell(torch.tensor(one)) for one in logits)
            ops = tuple(data.pop("ops", OPS))
            runs.append(RecordedRun(cells=cells, logits=logits, ops=ops, **data))
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise ValueError(
                f"{path} must hold one recorded search per line; line {number}: {error}"
            ) from None
    names = list(METHODS)
    runs = [run for run in runs if (run.ops != OPS) == subspace]
    return sorted(runs, key=lambda run: (names.index(run.method), run.seed))


PRICED_PATH = Path(__file__).parent / "assets" / "latency_runs.json"
"""Searches with a latency in the loss of the architecture, written by `scripts/recordings/latency_runs.py`."""


class PricedRun(NamedTuple):
    """One recorded search whose loss of the architecture has weight · `expected_price` added.

    `logits` are (6, 5) at the beginning and after each epoch, `weight` is per ms, `seconds` of processor time.
    """

    weight: float
    seed: int
    logits: Any
    seconds: float

    @property
    def cell(self) -> Cell:
        """What the search hands over."""
        return chosen_cell(torch.tensor(self.logits[-1]))


def recorded_priced_runs(path: Path | str = PRICED_PATH) -> list[PricedRun]:
    """The recorded searches with first-order DARTS, by rising weight and seed; weight 0 is among `recorded_runs`.

    Raises:
        FileNotFoundError: there is no such file.
    """
    runs = json.loads(Path(path).read_text(encoding="utf-8"))["runs"]
    return sorted((PricedRun(**run) for run in runs), key=lambda run: (run.weight, run.seed))


def alpha_hessian(supernet: MixedSupernet, loss_fn: LossFunction, batch: Batch) -> Tensor:
    """Hessian (30, 30) of the loss by the logits, the mixing weights being their softmax; statistics stay as they are.

    Its dominant eigenvalue rises before DARTS degenerates (Zela et al. 2020, arXiv:1909.09656).
    """
    logits = supernet.logits
    with evaluating(supernet):
        (slope,) = _slopes(loss_fn(supernet(batch[0]), batch[1]), [logits], create_graph=True)
        rows = [torch.autograd.grad(one, logits, retain_graph=True)[0].flatten() for one in slope.flatten()]
    hessian = torch.stack(rows)
    return (hessian + hessian.T) / 2


def stop_at_curvature(curvature: Sequence[float], window: int = 3, factor: float = 1.3) -> int:
    """Number of epochs to keep by Zela et al. (2020, section 4.2), all of them if the rule never applies.

    The eigenvalue is averaged over the last `window` epochs; once this mean is more than `factor` times that of
    `window` epochs before, the search goes back to where it was then. (Theirs: window 5, factor 1 / 0.75.)
    """
    means = [sum(curvature[end - window : end]) / window for end in range(window, len(curvature) + 1)]
    for place in range(window, len(means)):
        if means[place - window] > 0 and means[place] > factor * means[place - window]:
            return place  # = the end of the earlier window: window + (place − window)
    return len(curvature)


def stop_at_skips(cells: Sequence[Sequence[str]], most: int = 2) -> int:
    """Number of epochs to keep so that the cell has at most `most` skip connections (DARTS+, Liang et al. 2019).

    `cells` has the cell at the beginning first, as `SearchRun.cells`.
    """
    for epoch, cell in enumerate(cells):
        if epoch and sum(op == "skip_connect" for op in cell) > most:
            return epoch - 1
    return len(cells) - 1
