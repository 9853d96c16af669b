"""Records how supernets of the cell space rank cells, for lesson 05: every sampling, several seeds.

    OMP_NUM_THREADS=1 python -m scripts.recordings.supernet_rankings record    (training: 4 minutes)
    python -m scripts.recordings.supernet_rankings show   rank correlations with the table
    python -m scripts.recordings.supernet_rankings merge  -> nas_lib/assets/supernet_rankings.json

A job trains one supernet and scores the same random cells with its weights, with batch norms
recalibrated for each cell and, for comparison, as training left them. The file holds scores, not
correlations: the table may come later. Nothing is chosen by the table here; whoever tries settings
should do so on seeds that are not recorded.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from nas_lib.benchmark import TabularBenchmark
from nas_lib.one_shot import (
    RANKINGS_PATH,
    SAMPLINGS,
    OneShotRecipe,
    OneShotTraining,
    Sampling,
    agreement,
    distinct_functions,
    score,
)
from nas_lib.spaces import Cell, CellSpace
from nas_lib.training import RECIPE, DataSplits, Recipe, load_splits
from scripts import recording
from scripts.recording import Recording, Row, Rows

CHECKPOINT = 500
"""Steps between two saves of a supernet in training."""


@dataclass(frozen=True)
class Rankings:
    """Each sampling with each seed.

    Attributes:
        cells: how many are scored.
        recipe: of the supernets; its sampling is each job's own.
        images: the recipe of the table, whose images and network these are.
        mixed_precision: bfloat16, on CUDA only.
    """

    seeds: tuple[int, ...] = (0, 1, 2)
    samplings: tuple[Sampling, ...] = SAMPLINGS
    cells: int = 500
    recipe: OneShotRecipe = OneShotRecipe()
    images: Recipe = RECIPE
    device: str = "cpu"
    mixed_precision: bool = False
    folder: Path = Path(__file__).with_suffix("")

    @cached_property
    def recording(self) -> Recording:
        """Of these settings."""
        jobs = [(sampling, seed) for seed in self.seeds for sampling in self.samplings]
        return Recording(
            {f"{sampling} {seed}": (sampling, seed) for sampling, seed in jobs},
            self.do,
            self.merge,
            self.settings,
            self.folder,
            RANKINGS_PATH,
            self.show,
        )

    @property
    def settings(self) -> Row:
        """What all supernets have in common."""
        recipe = asdict(self.recipe)
        del recipe["sampling"]
        return {"recipe": recipe, "cells": self.cells, "images": self.images.as_dict()}

    @cached_property
    def splits(self) -> DataSplits:
        """The images; drawn when first needed."""
        return load_splits(self.images).to(self.device)

    @cached_property
    def archs(self) -> list[Cell]:
        """The cells that are scored."""
        return distinct_functions(self.cells, np.random.default_rng(0))

    def do(self, sampling: Sampling, seed: int) -> Row:
        """Train, score, and forget the checkpoint."""
        recipe, network = replace(self.recipe, sampling=sampling), self.images.network
        training = OneShotTraining(self.splits, recipe, seed, network, self.mixed_precision)
        checkpoint = self.folder / f"{sampling}-{seed}.pt"
        start = time.process_time()
        recording.train(training, checkpoint, CHECKPOINT)
        trained = time.process_time()
        scores = score(training.supernet, self.archs, self.splits)
        stale = score(training.supernet, self.archs, self.splits, batches=0)
        checkpoint.unlink(missing_ok=True)
        return {
            "scores": scores.round(3).tolist(),
            "scores_without_recalibration": stale.round(3).tolist(),
            "last_loss": round(float(np.mean(training.losses[-100:])), 4),
            "training_seconds": round(trained - start, 1),
        }

    def merge(self, rows: Rows, target: Path) -> None:
        """Settings, cells and everything recorded."""
        archs = {"archs": [CellSpace().index(arch) for arch in self.archs]}
        recording.write_json(target, self.settings | archs | {"runs": list(rows.values())})

    def show(self, rows: Rows) -> Iterator[str]:
        """A line per supernet: its rank correlation with the table."""
        table = TabularBenchmark.load()
        truth = np.array([table.query(arch).test for arch in self.archs], float)
        for job, row in rows.items():
            kinds = "scores", "scores_without_recalibration"
            after, before = (agreement(row[kind], truth) for kind in kinds)
            yield (
                f"{job:12} tau {after.tau:.3f}, top 10 % ({after.archs_top} cells) "
                f"{after.tau_top:.3f}; without recalibration {before.tau:.3f}; "
                f"loss {row['last_loss']:.3f}"
            )


if __name__ == "__main__":
    recording.main(__doc__, Rankings())
