"""Records how supernets of the cell space rank cells, for lesson 05: every sampling, several seeds.

    OMP_NUM_THREADS=1 python -m scripts.recordings.supernet_rankings plan      measures what recording would take here
    OMP_NUM_THREADS=1 python -m scripts.recordings.supernet_rankings record    resumable; interrupt at will
    python -m scripts.recordings.supernet_rankings show                        rank correlations with the table
    python -m scripts.recordings.supernet_rankings merge                       -> nas_lib/assets/supernet_rankings.json

A job trains one supernet and scores the same random cells with its weights, with batch norms recalibrated for each
cell and, for comparison, as training left them. The file holds scores, not correlations: the table may come later.
Nothing is chosen by the table here; whoever tries settings should do so on seeds that are not recorded.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nas_lib.one_shot import (
    RANKINGS_PATH,
    SAMPLINGS,
    OneShotRecipe,
    OneShotTraining,
    agreement,
    distinct_functions,
    score,
)
from nas_lib.spaces import CellSpace
from nas_lib.training import RECIPE, DataSplits, Recipe, load_splits
from scripts import recording
from scripts.recording import Record, Row

FOLDER = Path(__file__).with_suffix("")
TARGET = RANKINGS_PATH
CHECKPOINT = 500
"""Steps between two saves of a supernet in training."""


class Study(recording.Study):
    """The jobs: each sampling with each seed.

    Args:
        seeds, samplings: of the supernets.
        cells: how many are scored.
        options: of the recipe, beside the sampling.
        folder: of the finished jobs.
        recipe: of the table, whose images and network these are.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        samplings: Sequence[str] = SAMPLINGS,
        cells: int = 500,
        options: dict[str, Any] | None = None,
        folder: Path = FOLDER,
        part: tuple[int, int] = (1, 1),
        recipe: Recipe = RECIPE,
        device: str = "cpu",
        mixed_precision: bool = False,
    ) -> None:
        self.jobs = [f"{sampling} {seed}" for seed in seeds for sampling in samplings]
        self.options, self.device, self.mixed_precision = dict(options or {}), device, mixed_precision
        self.archs = distinct_functions(cells, np.random.default_rng(0))
        self._folder, self._recipe = folder, recipe
        settings = {
            "recipe": asdict(OneShotRecipe(**self.options)),
            "cells": cells,
            "images": recipe.as_dict(),
        }
        del settings["recipe"]["sampling"]  # each job's own
        self.record, self.settings = Record(folder, settings, part), settings
        self._splits: DataSplits | None = None

    @property
    def splits(self) -> DataSplits:
        """The images; drawn when first needed."""
        if self._splits is None:
            self._splits = load_splits(self._recipe).to(self.device)
        return self._splits

    def training(self, job: str) -> OneShotTraining:
        """The supernet of a job, untrained."""
        sampling, seed = job.split()
        recipe = OneShotRecipe(**self.options | {"sampling": sampling})
        return OneShotTraining(self.splits, recipe, int(seed), self._recipe.network, self.mixed_precision)

    def do(self, job: str) -> Row:
        """Train, score, and forget the checkpoint."""
        training = self.training(job)
        checkpoint = self._folder / f"{job.replace(' ', '-')}.pt"
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

    def estimate(self, passes: int = 20, cells: int = 5) -> float:
        """Processor seconds of everything, from a few steps and scores measured here."""
        total = 0.0
        for job in self.jobs:
            training = self.training(job)
            steps = min(training.steps, max(2, passes // training.recipe.cells_per_step))
            start = time.process_time()
            training.run(steps)
            middle = time.process_time()
            score(training.supernet, self.archs[:cells], self.splits)
            a_step, a_score = (middle - start) / steps, (time.process_time() - middle) / cells
            total += a_step * training.steps + 2 * a_score * len(self.archs)
        return total

    def merged(self) -> dict[str, Any]:
        """Everything recorded, as one piece of plain data."""
        space = CellSpace()
        return self.settings | {
            "archs": [space.index(arch) for arch in self.archs],
            "runs": self.record.all(self.jobs),
        }

    def shown(self) -> list[str]:
        """A line per finished job: its rank correlation with the table."""
        from nas_lib.benchmark import TabularBenchmark

        table = TabularBenchmark.load()
        truth = [table.query(arch).test for arch in self.archs]
        lines = []
        for job, row in self.record.rows().items():
            after, before = (agreement(row[key], truth) for key in ("scores", "scores_without_recalibration"))
            lines.append(
                f"{job:12} tau {after.tau:.3f}, top 10 % ({after.archs_top} cells) {after.tau_top:.3f}; "
                f"without recalibration {before.tau:.3f}; loss {row['last_loss']:.3f}"
            )
        return lines


def main() -> None:
    """Command line."""
    parser = recording.command_line(__doc__, FOLDER)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--samplings", nargs="+", choices=SAMPLINGS, default=list(SAMPLINGS))
    parser.add_argument("--cells", type=int, default=500, help="cells that are scored")
    default = OneShotRecipe()
    parser.add_argument(
        "--passes", type=int, default=default.passes, help="(cell, batch) pairs of each training"
    )
    parser.add_argument("--lr", type=float, default=default.lr, help="learning rate at the beginning")
    parser.add_argument("--weight-decay", type=float, default=default.weight_decay)
    parser.add_argument("--clip", type=float, default=default.clip, help="largest norm of a gradient")
    parser.add_argument("--affine", action=argparse.BooleanOptionalAction, default=default.affine)
    parser.add_argument("--mixed-precision", action="store_true", help="bfloat16, on CUDA only")
    given = parser.parse_args()
    options = {name: getattr(given, name) for name in ("passes", "lr", "weight_decay", "clip", "affine")}

    def study() -> Study:
        return Study(
            given.seeds,
            given.samplings,
            given.cells,
            options,
            given.folder,
            given.part,
            device=given.device,
            mixed_precision=given.mixed_precision,
        )

    recording.run(given.command, study, TARGET)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
