"""Records what supernets say of every cell on one batch of images, for lesson 05's controllers.

    OMP_NUM_THREADS=1 python -m scripts.recordings.shared_rewards record    (7 minutes)
    python -m scripts.recordings.shared_rewards show    rank correlations with the table
    python -m scripts.recordings.shared_rewards merge   -> nas_lib/assets/shared_rewards.npz

A job trains one supernet and then asks it about all functions of the space. So a reward is looked up
instead of computed, and searches by shared weights can be repeated in seconds. Nothing is chosen by
the table here; whoever tries settings should do so on seeds that are not recorded.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from nas_lib._files import replacing
from nas_lib.benchmark import TabularBenchmark
from nas_lib.one_shot import (
    REWARDS_PATH,
    OneShotRecipe,
    OneShotTraining,
    agreement,
    batch_accuracy,
)
from nas_lib.spaces import functions
from nas_lib.training import RECIPE, DataSplits, Recipe, load_splits
from scripts import recording
from scripts.recording import Recording, Row, Rows

CHECKPOINT = 500
"""Steps between two saves of a supernet in training."""


@dataclass(frozen=True)
class Rewards:
    """A supernet by each seed.

    Attributes:
        recipe: of the supernets.
        rewarded: validation images in the batch that rewards are accuracies on.
        images: the recipe of the table, whose images and network these are.
        cells: how many functions are asked about; 0 for all.
    """

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    recipe: OneShotRecipe = OneShotRecipe()
    rewarded: int = 500
    images: Recipe = RECIPE
    cells: int = 0
    folder: Path = Path(__file__).with_suffix("")

    @cached_property
    def recording(self) -> Recording:
        """Of these settings."""
        jobs = {str(seed): (seed,) for seed in self.seeds}
        settings = {
            "recipe": asdict(self.recipe),
            "rewarded": self.rewarded,
            "images": self.images.as_dict(),
            "cells": self.cells,
        }
        return Recording(jobs, self.do, self.merge, settings, self.folder, REWARDS_PATH, self.show)

    @cached_property
    def splits(self) -> DataSplits:
        """The images; drawn when first needed."""
        return load_splits(self.images)

    def do(self, seed: int) -> Row:
        """Train, ask about every function, and forget the checkpoint."""
        training = OneShotTraining(self.splits, self.recipe, seed, self.images.network)
        checkpoint = self.folder / f"{seed}.pt"
        start = time.process_time()
        recording.train(training, checkpoint, CHECKPOINT)
        trained = time.process_time()
        batch = self.splits.valid[0][: self.rewarded], self.splits.valid[1][: self.rewarded]
        cells = functions()[0][: self.cells or None]
        hits = [batch_accuracy(training.supernet, cell, batch) * self.rewarded / 100 for cell in cells]
        checkpoint.unlink(missing_ok=True)
        return {
            "right": [round(one) for one in hits],
            "last_loss": round(float(np.mean(training.losses[-100:])), 4),
            "training_seconds": round(trained - start, 1),
            "asking_seconds": round(time.process_time() - trained, 1),
        }

    def merge(self, rows: Rows, target: Path) -> None:
        """Images that each supernet (a row) gets right with each function, and how many there were."""
        right = np.array([row["right"] for row in rows.values()], dtype=np.int16)
        with replacing(target) as unfinished, unfinished.open("wb") as file:
            np.savez_compressed(file, right=right, images=self.rewarded)

    def show(self, rows: Rows) -> Iterator[str]:
        """A line per supernet: its rank correlation with the table."""
        table = TabularBenchmark.load()
        truth = np.array([table.query(cell).test for cell in functions()[0]], float)
        for job, row in rows.items():
            found = agreement(row["right"], truth[: len(row["right"])])
            yield (
                f"seed {job}: tau {found.tau:.3f}, top 10 % {found.tau_top:.3f}; "
                f"loss {row['last_loss']:.3f}; {row['training_seconds']} s of training, "
                f"{row['asking_seconds']} s of asking"
            )


if __name__ == "__main__":
    recording.main(__doc__, Rewards())
