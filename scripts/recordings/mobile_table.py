"""Trains sub-networks of `MobileSpace` by themselves: the truth that lesson 05 holds inherited accuracies against.

    OMP_NUM_THREADS=1 python -m scripts.recordings.mobile_table plan      measures what recording would take here
    OMP_NUM_THREADS=1 python -m scripts.recordings.mobile_table record    resumable; interrupt at will
    python -m scripts.recordings.mobile_table merge                       -> nas_lib/assets/mobile_table.json

The architectures are a fixed random sample of the space, its smallest and its largest among them. A job is one
training of one architecture.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nas_lib.elastic_training import (
    ALONE_PATH,
    SizedData,
    StandAloneRecipe,
    distinct_archs,
    load_sizes,
    train_stand_alone,
)
from nas_lib.mobile import MobileConfig, mobile_macs, mobile_params
from nas_lib.spaces import MobileSpace
from scripts import recording
from scripts.recording import Record, Row

FOLDER = Path(__file__).with_suffix("")
TARGET = ALONE_PATH


class Table(recording.Study):
    """The jobs: each architecture with each seed.

    Args:
        seeds: of weights and batches.
        archs: how many architectures.
        recipe: how each is trained.
        images: of training and validation.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        archs: int = 48,
        recipe: StandAloneRecipe | None = None,
        images: tuple[int, int] = (4096, 2000),
        folder: Path = FOLDER,
        part: tuple[int, int] = (1, 1),
        space: MobileSpace | None = None,
        config: MobileConfig | None = None,
        device: str = "cpu",
    ) -> None:
        self.space, self.config, self.device = space or MobileSpace(), config or MobileConfig(), device
        self.recipe, self.images, self.seeds = recipe or StandAloneRecipe(), images, list(seeds)
        self.archs = distinct_archs(self.space, archs, np.random.default_rng(0))
        # Seed by seed, so that an unfinished record has whole seeds.
        self.jobs = [f"{arch} {seed}" for seed in seeds for arch in self.archs]
        self.settings = {
            "recipe": asdict(self.recipe),
            "images": list(images),
            "space": repr(self.space),
            "config": asdict(self.config),
        }
        self.record = Record(folder, self.settings, part)

    @cached_property
    def data(self) -> SizedData:
        """The images; drawn when first needed."""
        sizes = [int(size) for size in self.space.choices[0]]
        return load_sizes(sizes, *self.images).to(self.device)

    def do(self, job: str) -> Row:
        """Train one architecture once."""
        arch, seed = job.split()
        start = time.process_time()
        accuracy, _ = train_stand_alone(
            self.space.parse(arch), self.data, self.recipe, int(seed), self.config
        )
        return {"accuracy": round(accuracy, 3), "seconds": round(time.process_time() - start, 1)}

    def estimate(self) -> float:
        """Processor seconds of everything: the time of one epoch of the smallest and the largest, and MACs."""
        one = StandAloneRecipe(**asdict(self.recipe) | {"epochs": 1})
        seconds = []
        for arch in self.archs[:2]:
            start = time.process_time()
            train_stand_alone(arch, self.data, one, 0, self.config)
            seconds.append(time.process_time() - start)
        macs = [mobile_macs(arch, self.config) for arch in self.archs]
        each = np.interp(macs, macs[:2], seconds)
        return float(each.sum()) * self.recipe.epochs * len(self.seeds)

    def merged(self) -> dict[str, Any]:
        """Accuracies (archs, seeds) in percent, with parameters and MACs."""
        rows = self.record.all(self.jobs)
        accuracy = np.array([row["accuracy"] for row in rows]).reshape(len(self.seeds), len(self.archs)).T
        return self.settings | {
            "archs": [str(arch) for arch in self.archs],
            "seeds": self.seeds,
            "accuracy": accuracy.tolist(),
            "params": [mobile_params(arch, self.config) for arch in self.archs],
            "macs": [mobile_macs(arch, self.config) for arch in self.archs],
        }


def main() -> None:
    """Command line."""
    parser = recording.command_line(__doc__, FOLDER)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--archs", type=int, default=48)
    parser.add_argument("--epochs", type=int, default=StandAloneRecipe().epochs)
    parser.add_argument("--lr", type=float, default=StandAloneRecipe().lr)
    given = parser.parse_args()

    def table() -> Table:
        recipe = StandAloneRecipe(epochs=given.epochs, lr=given.lr)
        return Table(
            given.seeds, given.archs, recipe, folder=given.folder, part=given.part, device=given.device
        )

    recording.run(given.command, table, TARGET)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
