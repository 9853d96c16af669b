"""Trains networks of `MobileSpace` by themselves: lesson 05 compares with what is inherited.

    OMP_NUM_THREADS=1 python -m scripts.recordings.mobile_table record    20 minutes of one core
    python -m scripts.recordings.mobile_table merge             -> nas_lib/assets/mobile_table.json

The architectures are a fixed random sample of the space, its smallest and its largest among them. A
job is one training of one architecture.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from nas_lib.elastic_training import (
    ALONE_PATH,
    SizedData,
    StandAloneRecipe,
    distinct_archs,
    load_sizes,
    train_stand_alone,
)
from nas_lib.mobile import MobileConfig, mobile_macs, mobile_params
from nas_lib.spaces import MobileArch, MobileSpace
from scripts import recording
from scripts.recording import Recording, Row, Rows


@dataclass(frozen=True)
class MobileTable:
    """Each architecture with each seed.

    Attributes:
        seeds: of weights and batches.
        count: how many architectures.
        recipe: how each is trained.
        images: of training and validation.
    """

    seeds: tuple[int, ...] = (0, 1)
    count: int = 48
    recipe: StandAloneRecipe = StandAloneRecipe()
    images: tuple[int, int] = (4096, 2000)
    space: MobileSpace = MobileSpace()
    config: MobileConfig = MobileConfig()
    device: str = "cpu"
    folder: Path = Path(__file__).with_suffix("")

    @cached_property
    def recording(self) -> Recording:
        """Of these settings."""
        # Seed by seed, so that an unfinished record has whole seeds.
        jobs = {f"{arch} {seed}": (arch, seed) for seed in self.seeds for arch in self.archs}
        return Recording(jobs, self.do, self.merge, self.settings, self.folder, ALONE_PATH)

    @property
    def settings(self) -> Row:
        """What all trainings have in common."""
        return {
            "recipe": asdict(self.recipe),
            "images": list(self.images),
            "space": repr(self.space),
            "config": asdict(self.config),
        }

    @cached_property
    def archs(self) -> list[MobileArch]:
        """The sample."""
        return distinct_archs(self.space, self.count, np.random.default_rng(0))

    @cached_property
    def data(self) -> SizedData:
        """The images; drawn when first needed."""
        sizes = [int(size) for size in self.space.choices[0]]
        return load_sizes(sizes, *self.images).to(self.device)

    def trained(
        self, arch: MobileArch, seed: int, recipe: StandAloneRecipe, data: SizedData | None = None
    ) -> tuple[float, float]:
        """Validation accuracy in percent, on `data`'s images if given, and processor seconds."""
        start = time.process_time()
        accuracy, _ = train_stand_alone(arch, data or self.data, recipe, seed, self.config)
        return round(accuracy, 3), round(time.process_time() - start, 1)

    def do(self, arch: MobileArch, seed: int) -> Row:
        """Train one architecture once."""
        return dict(zip(("accuracy", "seconds"), self.trained(arch, seed, self.recipe)))

    def merge(self, rows: Rows, target: Path) -> None:
        """Accuracies (archs, seeds) in percent, with parameters and MACs."""
        accuracy = [row["accuracy"] for row in rows.values()]
        data = {
            "archs": [str(arch) for arch in self.archs],
            "seeds": list(self.seeds),
            "accuracy": np.reshape(accuracy, (len(self.seeds), -1)).T.tolist(),
            "params": [mobile_params(arch, self.config) for arch in self.archs],
            "macs": [mobile_macs(arch, self.config) for arch in self.archs],
        }
        recording.write_json(target, self.settings | data)


if __name__ == "__main__":
    recording.main(__doc__, MobileTable())
