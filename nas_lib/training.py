"""Training a network, alone or several seeds at once.

`train` is meant to be read line by line: it is the loop that every lesson refers to, and the ground-truth table is
checked against it. `train_packed` gives the same result for S seeds of one architecture at less cost each, and is
what fills the table. Neither searches anything; `nas_lib.search` does.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from nas_lib._numbers import seed_number
from nas_lib.data import cluttered_digits, load_dataset
from nas_lib.networks import CellNetwork, NetworkConfig, build_network, pack, unpack


@dataclass(frozen=True)
class Recipe:
    """How the table's networks are trained; `RECIPE` is frozen, `scripts/table/recipe_study.py` says why so.

    SGD with Nesterov momentum; the learning rate falls from `lr` to 0 as a half cosine over all steps. The training
    set is fixed and finite: with endless fresh images the largest cell would always win. Each epoch shuffles it and
    drops the last incomplete batch.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    train_images: int = 4096
    valid_images: int = 2000
    final_images: int = 10_000
    epochs: int = 6
    batch_size: int = 64
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    data_seed: int = 0

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in one epoch."""
        return self.train_images // self.batch_size

    def as_dict(self) -> dict[str, Any]:
        """The recipe as plain data, as it is recorded in the table."""
        return asdict(self)


RECIPE = Recipe()

_NETWORKS = {
    "cluttered_digits": NetworkConfig(),
    # A stem of stride 4 brings larger images down to feature maps 7 and 8 wide; the digits' are 6 wide.
    "mnist": NetworkConfig(resolution=28, stem_stride=4),
    "fashion_mnist": NetworkConfig(resolution=28, stem_stride=4),
    "cifar10": NetworkConfig(in_channels=3, resolution=32, stem_stride=4),
}


def recipe_for(dataset: str) -> Recipe:
    """The table's recipe for another data set, with networks that fit its images and cost little more.

    As many images as for the digits; of CIFAR-10's validation images, 8,000.

    Args:
        dataset: "cluttered_digits", for which it is `RECIPE`, or a name that `nas_lib.data.load_dataset` knows.
    """
    if dataset not in _NETWORKS:
        raise ValueError(f"dataset must be one of {', '.join(_NETWORKS)}, got {dataset!r}")
    final = 8_000 if dataset == "cifar10" else RECIPE.final_images
    return replace(RECIPE, network=_NETWORKS[dataset], final_images=final)


EVALUATION_BATCH = 128
"""Images classified at a time: small, so that the feature maps stay in the processor's cache."""


@dataclass(frozen=True)
class DataSplits:
    """The images of a recipe as tensors, each a pair (images, labels); `valid` is the first part of `final_valid`."""

    train: tuple[torch.Tensor, torch.Tensor]
    valid: tuple[torch.Tensor, torch.Tensor]
    final_valid: tuple[torch.Tensor, torch.Tensor]
    test: tuple[torch.Tensor, torch.Tensor]

    def to(self, device: torch.device | str) -> DataSplits:
        """The same images on another device."""
        return DataSplits(*[(x.to(device), y.to(device)) for x, y in vars(self).values()])


def load_splits(recipe: Recipe = RECIPE, dataset: str = "cluttered_digits", root: str = "data") -> DataSplits:
    """Draws the recipe's images, a few seconds; or takes as many of another data set.

    Args:
        recipe: says how many images, and at which resolution digits are drawn.
        dataset: "cluttered_digits", or a name that `nas_lib.data.load_dataset` knows; its files are fetched if they
            are not under `root`, and the recipe's network has to fit them.
        root: the folder of the other data set.
    """
    resolution, seed = recipe.network.resolution, recipe.data_seed

    def tensors(split: str, n: int) -> tuple[torch.Tensor, torch.Tensor]:
        if dataset != "cluttered_digits":
            return load_dataset(dataset, root, split, n, download=True).tensors()
        return cluttered_digits(split, n, resolution, seed).tensors()

    x, y = tensors("valid", recipe.final_images)
    valid = (x[: recipe.valid_images], y[: recipe.valid_images])
    return DataSplits(
        tensors("train", recipe.train_images), valid, (x, y), tensors("test", recipe.final_images)
    )


@dataclass(frozen=True)
class TrainingResult:
    """What one training run measured; counts are of correctly classified images.

    `valid_correct` has one entry per epoch: out of `valid_images`, the last out of `final_images`. `seconds` is the
    processor time of the training steps alone; evaluation is not in it.
    """

    valid_correct: tuple[int, ...]
    test_correct: int
    seconds: float
    network: CellNetwork


def train(
    arch: Sequence[str], splits: DataSplits, recipe: Recipe = RECIPE, seed: int = 0, progress: bool = False
) -> TrainingResult:
    """Trains the network of one cell from weights and batches that `seed` fixes.

    Args:
        arch: a cell, six op names.
        splits: the images, on the device to train on; see `load_splits`.
        recipe: everything else about the training.
        seed: draws the initial weights and shuffles the batches.
        progress: show a progress bar over the epochs, with the validation accuracy.
    """
    images, labels = splits.train
    network = (
        build_network(arch, recipe.network, seed).to(images.device).to(memory_format=torch.channels_last)
    )
    optimizer = make_optimizer(network, recipe)
    seconds, valid_correct = 0.0, []
    bar = tqdm(total=recipe.epochs, unit="epoch", disable=not progress, file=sys.stdout)
    batches = shuffled_batches(recipe, seed)
    for epoch in range(recipe.epochs):
        network.train()
        start = time.process_time()
        for step in range(recipe.steps_per_epoch):
            set_learning_rate(optimizer, learning_rate(epoch * recipe.steps_per_epoch + step, recipe))
            batch = next(batches).to(images.device)
            loss = F.cross_entropy(network(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        seconds += time.process_time() - start
        held_out = splits.valid if epoch + 1 < recipe.epochs else splits.final_valid
        valid_correct.append(count_correct(network, *held_out))
        bar.set_postfix_str(f"validation accuracy {100 * valid_correct[-1] / len(held_out[1]):.1f} %")
        bar.update()
    bar.close()
    return TrainingResult(tuple(valid_correct), count_correct(network, *splits.test), seconds, network)


def train_packed(
    arch: Sequence[str], splits: DataSplits, recipe: Recipe = RECIPE, seeds: Sequence[int] = (0, 1, 2)
) -> list[TrainingResult]:
    """The same as `[train(arch, splits, recipe, seed) for seed in seeds]`, computed together, faster for each.

    The S networks become one with grouped convolutions (`nas_lib.networks.pack`), each group with its own weights
    and its own order of images. The losses are summed, so every network gets the gradient of its own loss; SGD with
    momentum and weight decay works on each weight alone. So nothing passes between the networks, and only the
    order of floating-point sums differs from training them one by one. `seconds` is each network's equal share.
    """
    images, labels = splits.train
    count = len(seeds)
    network = pack([build_network(arch, recipe.network, seed) for seed in seeds])
    network = network.to(images.device).to(memory_format=torch.channels_last)
    optimizer = make_optimizer(network, recipe)
    seconds, valid_correct = 0.0, []
    batches = zip(*(shuffled_batches(recipe, seed) for seed in seeds), strict=True)
    for epoch in range(recipe.epochs):
        network.train()
        start = time.process_time()
        for step in range(recipe.steps_per_epoch):
            set_learning_rate(optimizer, learning_rate(epoch * recipe.steps_per_epoch + step, recipe))
            batch = torch.stack(next(batches), dim=1).to(images.device)  # (B, S)
            side_by_side = images[batch].flatten(1, 2).contiguous(memory_format=torch.channels_last)
            logits = network(side_by_side).reshape(len(batch), count, -1)
            loss = F.cross_entropy(logits.flatten(0, 1), labels[batch].flatten(), reduction="sum") / len(
                batch
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        seconds += (time.process_time() - start) / count
        valid_correct.append(
            count_correct_packed(
                network, *(splits.valid if epoch + 1 < recipe.epochs else splits.final_valid)
            )
        )
    test_correct = count_correct_packed(network, *splits.test)
    return [
        TrainingResult(tuple(epoch[i] for epoch in valid_correct), test_correct[i], seconds, single)
        for i, single in enumerate(unpack(network))
    ]


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """The recipe's SGD over all weights of `network`."""
    return torch.optim.SGD(
        network.parameters(),
        recipe.lr,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=True,
    )


def learning_rate(step: int, recipe: Recipe) -> float:
    """Half a cosine from `recipe.lr` at step 0 down to 0 (Loshchilov & Hutter 2017, eq. 5, without restarts)."""
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * step / (recipe.epochs * recipe.steps_per_epoch)))


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Sets one learning rate for all parameters."""
    for group in optimizer.param_groups:
        group["lr"] = value


def shuffled_batches(recipe: Recipe, seed: int) -> Iterator[torch.Tensor]:
    """Indices (batch_size,) of every training batch in turn; each epoch shuffles anew; equal `seed`, equal order."""
    generator = torch.Generator().manual_seed(seed_number(seed))
    for _ in range(recipe.epochs):
        order = torch.randperm(recipe.train_images, generator=generator)
        yield from order[: recipe.steps_per_epoch * recipe.batch_size].split(recipe.batch_size)


def count_correct(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> int:
    """How many images (n, channels, r, r) the network classifies correctly, batch norm in evaluation mode."""
    network.eval()
    with torch.inference_mode():
        batches = zip(images.split(EVALUATION_BATCH), labels.split(EVALUATION_BATCH), strict=True)
        return sum(int((network(x).argmax(1) == y).sum()) for x, y in batches)


def count_correct_packed(network: CellNetwork, images: torch.Tensor, labels: torch.Tensor) -> list[int]:
    """`count_correct` of each network in a packed one; all see the same images."""
    network.eval()
    correct = torch.zeros(network.groups, dtype=torch.int64, device=images.device)
    with torch.inference_mode():
        for x, y in zip(images.split(EVALUATION_BATCH), labels.split(EVALUATION_BATCH), strict=True):
            side_by_side = x.repeat(1, network.groups, 1, 1).contiguous(memory_format=torch.channels_last)
            predicted = network(side_by_side).reshape(len(x), network.groups, -1).argmax(2)
            correct += (predicted == y[:, None]).sum(0)
    return correct.tolist()
