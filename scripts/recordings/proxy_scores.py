"""Scores every function of the cell space untrained, with lesson 02's own proxies, for its figure.

    OMP_NUM_THREADS=1 python -m scripts.recordings.proxy_scores record    a quarter of an hour
    python -m scripts.recordings.proxy_scores merge             -> nas_lib/assets/proxy_scores.npz

Nothing is trained and no accuracy is read, so the file does not depend on the table. The record is
not kept in the repository: it says what the merged file says.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

import solutions
from nas_lib._files import replacing
from nas_lib.data import cluttered_digits
from nas_lib.lesson import PROXY_BATCH, PROXY_SCORES_PATH, PROXY_SEEDS
from nas_lib.networks import NetworkConfig, build_network
from nas_lib.spaces import Cell, CellSpace, functions
from scripts import recording
from scripts.recording import Recording, Row, Rows

LESSON = "02_evolution_and_early_stopping"


@dataclass(frozen=True)
class Proxies:
    """Each function, from the weights that `build_network(cell, seed=...)` draws.

    Attributes:
        seeds: 0, 1, … of each.
        batch: the gradient is that of the first so many training images.
    """

    seeds: int = PROXY_SEEDS
    batch: int = PROXY_BATCH
    network: NetworkConfig = NetworkConfig()
    folder: Path = Path(__file__).with_suffix("")

    @cached_property
    def recording(self) -> Recording:
        """Of these settings."""
        space = CellSpace()
        jobs = {str(space.index(cell)): (cell,) for cell in functions(space)[0]}
        settings = {"seeds": self.seeds, "batch": self.batch, "network": asdict(self.network)}
        return Recording(jobs, self.do, self.merge, settings, self.folder, PROXY_SCORES_PATH)

    @cached_property
    def reference(self) -> ModuleType:
        """The lesson with its solutions."""
        return solutions.load(LESSON)

    @cached_property
    def images(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The batch."""
        return cluttered_digits("train", self.batch, self.network.resolution, seed=0).tensors()

    def do(self, cell: Cell) -> Row:
        """Both scores by seed, with the nine digits that tell one float32 from another."""
        config = self.network
        shape = (config.in_channels, config.resolution, config.resolution)
        nets = [build_network(cell, config, seed=seed) for seed in range(self.seeds)]
        synflow, grad_norm = self.reference.synflow_score, self.reference.grad_norm_score
        scores = {
            "synflow": [synflow(net, shape) for net in nets],
            "grad_norm": [grad_norm(net, *self.images) for net in nets],
        }
        nine = {name: [f"{np.float32(x):.9g}" for x in found] for name, found in scores.items()}
        return {name: list(map(float, texts)) for name, texts in nine.items()}

    def merge(self, rows: Rows, target: Path) -> None:
        """The cells' indices, and the scores (functions, seeds) in float32."""
        arrays = {"cell": np.array(list(map(int, rows)), np.uint16)}
        for name in ("synflow", "grad_norm"):
            arrays[name] = np.array([row[name] for row in rows.values()], np.float32)
        with replacing(target) as unfinished, open(unfinished, "wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


if __name__ == "__main__":
    recording.main(__doc__, Proxies())
