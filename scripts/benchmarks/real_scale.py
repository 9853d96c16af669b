"""Foretells how long the trainings of lessons 06 and 07 take at CIFAR-10's size, on the device at hand.

    python -m scripts.benchmarks.real_scale [--device cuda] [--threads N]      about a minute

Noise stands in for the images, whose pixels do not change the time. Some hundred images are trained on, and the time
per image is scaled up to what the lesson would see; lesson 06's six networks are each counted as the most expensive
cell, so that its figure is an upper bound. Evaluation and download come on top.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from nas_lib.data import Dataset
from nas_lib.networks import NetworkConfig
from nas_lib.scaling import BASE, FAMILIES, Plan, ScalingRecipe, fit, match_macs, plan_macs, resized
from nas_lib.spaces import EDGES
from nas_lib.training import RECIPE, DataSplits, train

TRAINING = 50_000
"""Training images of CIFAR-10."""


def noise(count: int, resolution: int = 32) -> Dataset:
    """Images of CIFAR-10's shape without content."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(count, 3, resolution, resolution)).astype(np.uint8)
    return Dataset("noise", pixels, rng.integers(10, size=count), (0.5,) * 3, (0.25,) * 3)


def seconds(call: Callable[[], object], device: str) -> float:
    """Seconds of a call by the clock, after one that is not counted."""
    call()
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def lesson_06(device: str, images: int) -> float:
    """Minutes of six networks, twelve epochs of 40,000 images each, were all of them full of 3x3 convolutions."""
    network = NetworkConfig(channels=16, stages=3, in_channels=3, resolution=32, stem_stride=1)
    recipe = replace(RECIPE, network=network, epochs=1, train_images=images)
    x, y = noise(images).tensors()
    few = x[:64].to(device), y[:64].to(device)
    splits = DataSplits((x.to(device), y.to(device)), few, few, few)
    one = seconds(lambda: train(("nor_conv_3x3",) * len(EDGES), splits, recipe), device)
    return 6 * 12 * 40_000 / images * one / 60


def lesson_07(device: str, images: int) -> float:
    """Minutes of the base and its eight scaled versions, three epochs of all training images each."""
    base = replace(BASE, in_channels=3, resolution=16)
    plans: list[Plan] = [base]
    plans += [
        match_macs(base, FAMILIES[name], factor * plan_macs(base)) for name in FAMILIES for factor in (2, 4)
    ]
    recipe = ScalingRecipe(train_images=images, test_images=100, epochs=1)
    data = resized(noise(images), noise(100))

    def once(plan: Plan) -> float:
        return seconds(lambda: fit(plan, data, recipe, device=device), device)

    return 3 * TRAINING / images * sum(map(once, plans)) / 60


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=2, help="of the CPU (default: 2)")
    parser.add_argument("--images", type=int, default=640, help="that are trained on (default: 640)")
    given = parser.parse_args()
    if given.images < 100:
        parser.error(f"--images must be at least 100, a batch, got {given.images}")
    torch.set_num_threads(given.threads)
    what = torch.cuda.get_device_name() if given.device == "cuda" else f"CPU, {given.threads} threads"
    print(f"lesson 06, six networks: at most {lesson_06(given.device, given.images):.0f} minutes ({what})")
    print(f"lesson 07, nine networks: {lesson_07(given.device, given.images):.0f} minutes ({what})")


if __name__ == "__main__":
    main()
