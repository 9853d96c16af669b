"""Records once-for-all trainings for lesson 05: what is inherited, and one network for many limits.

    OMP_NUM_THREADS=1 python -m scripts.recordings.ofa_runs record    an hour of one core
    python -m scripts.recordings.ofa_runs show       ranks, beside those of `mobile_table`
    python -m scripts.recordings.ofa_runs merge      -> nas_lib/assets/ofa_runs.json

A job trains one elastic network by one scheme and judges the architectures of `mobile_table` with
its weights. With progressive shrinking it is then specialised, without training, for several
limits: a search among the architectures that a latency table admits, by inherited accuracy. Each
network found is then judged on images that the search has not seen: as it is inherited, and trained
by itself, as long as `mobile_table` trains and five times as long. Its latency is measured as a whole.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nas_lib.elastic_training import (
    ONCE_FOR_ALL_PATH,
    ElasticRecipe,
    ElasticTraining,
    SizedData,
    distinct_archs,
    inherited_accuracy,
    load_sizes,
    recorded_alone,
)
from nas_lib.mobile import ElasticNetwork, build_mobile, mobile_macs
from nas_lib.mobile_latency import measure_parts, milliseconds, predicted_milliseconds
from nas_lib.one_shot import agreement
from nas_lib.searchers import ConstrainedEvolution
from nas_lib.spaces import MobileArch
from scripts import recording
from scripts.recording import Recording, Row, Rows
from scripts.recordings.mobile_table import MobileTable

CHECKPOINT = 250
"""Steps between two saves of a network in training."""

SCHEMES: dict[str, dict[str, Any]] = {
    "progressive": {},
    "undistilled": {"distillation": 0.0},
    "joint": {"progressive": False},
}
"""What each scheme changes in the recipe: all of once-for-all, without a teacher, without both."""

LATENCY = "latency"
"""The first job, which measures the parts of networks."""

ALONE = "alone"
"""The jobs that train for a single limit, and longer, what was found for it."""

MEASURED = "measured"
"""The last job, the latencies of all networks that were found, as wholes."""

ROUNDS = 10
"""Measurements of each; the shortest counts, since what else the machine does only adds time."""

LONGER = 5
"""Times the epochs of other networks that are trained by themselves."""

QUANTILES = (0.05, 0.2, 0.4, 0.6, 0.8)
"""The limits: latencies that this share of random architectures keeps."""


@dataclass(frozen=True)
class OnceForAll:
    """The latency table, each scheme with each seed, and what is found for each limit.

    Attributes:
        seeds, schemes: of the trainings.
        evaluations: of each search under a limit.
        recipe: of the trainings, beside the scheme.
        table: the architectures that are judged, and how networks are trained by themselves.
        fresh: images that judge what a search found.
        mixed_precision: bfloat16, on CUDA only.
    """

    seeds: tuple[int, ...] = (0, 1, 2)
    schemes: tuple[str, ...] = tuple(SCHEMES)
    evaluations: int = 100
    recipe: ElasticRecipe = ElasticRecipe()
    table: MobileTable = MobileTable()
    fresh: int = 2000
    mixed_precision: bool = False
    folder: Path = Path(__file__).with_suffix("")

    def __post_init__(self) -> None:
        if self.evaluations < 2:
            raise ValueError(f"evaluations must be an integer from 2 up, got {self.evaluations}")

    @cached_property
    def recording(self) -> Recording:
        """Of these settings."""
        trainings = [(scheme, seed) for seed in self.seeds for scheme in self.schemes]
        jobs: list[tuple[Any, ...]] = [(LATENCY,), *trainings]
        if "progressive" in self.schemes:
            places = range(len(QUANTILES))
            jobs += [(ALONE, seed, place) for seed in self.seeds for place in places]
            jobs.append((MEASURED,))
        return Recording(
            {" ".join(map(str, job)): job for job in jobs},
            self.do,
            self.merge,
            self.settings,
            self.folder,
            ONCE_FOR_ALL_PATH,
            self.show,
        )

    @property
    def settings(self) -> Row:
        """What all trainings have in common."""
        return {
            "recipe": asdict(self.recipe),
            "alone": asdict(self.table.recipe),
            "longer": LONGER,
            "images": list(self.table.images),
            "fresh": self.fresh,
            "archs": len(self.table.archs),
            "evaluations": self.evaluations,
            "space": repr(self.table.space),
            "config": asdict(self.table.config),
        }

    @cached_property
    def fresh_data(self) -> SizedData:
        """The same images to train on, others to judge by."""
        train, sizes = self.table.data.train, sorted(self.table.data.train)
        others = load_sizes(sizes, train_images=1, valid_images=self.fresh, seed=1)
        return SizedData(train, others.to(self.table.device).valid)

    def do(self, kind: str, *which: int) -> Row:
        """Measure, or train a network by itself, or train, judge and specialise an elastic one."""
        if kind == LATENCY:
            return {"parts": measure_parts(self.table.space, self.table.config)}
        if kind == MEASURED:
            return {"ms": {str(arch): self.measure(arch) for arch in self.found()}}
        if kind == ALONE:
            return self.train_alone(*which)
        return self.train_elastic(kind, *which)

    def train_elastic(self, scheme: str, seed: int) -> Row:
        """Train, judge and, where it is once-for-all's own scheme, specialise."""
        table = self.table
        if scheme == "progressive":
            self.recording.need(LATENCY)  # before hours of training, not after
        training = ElasticTraining(
            table.data,
            table.space,
            replace(self.recipe, **SCHEMES[scheme]),
            seed,
            table.config,
            self.mixed_precision,
        )
        checkpoint = self.folder / f"{scheme}-{seed}.pt"
        start = time.process_time()
        recording.train(training, checkpoint, CHECKPOINT)
        row: Row = {
            "training_seconds": round(time.process_time() - start, 1),
            "last_loss": round(float(np.mean(training.losses[-50:])), 4),
            "inherited": self._judged(training.network, 4),
            "inherited_without_recalibration": self._judged(training.network, 0),
        }
        if scheme == "progressive":
            row["specialised"] = self.specialise(training.network, seed)
        checkpoint.unlink(missing_ok=True)
        return row

    def _judged(self, network: ElasticNetwork, batches: int) -> list[float]:
        archs, data = self.table.archs, self.table.data
        return [round(inherited_accuracy(network, arch, data, batches), 3) for arch in archs]

    def specialise(self, network: ElasticNetwork, seed: int) -> list[Row]:
        """For each limit: what a search finds, and that architecture trained by itself."""
        table, parts, found = self.table, self.parts(), []
        for limit in self.limits():
            start = time.process_time()
            arch, chosen_by = self.search(network, limit, seed)
            searched = time.process_time()
            alone, seconds = table.trained(arch, seed, table.recipe, self.fresh_data)
            found.append(
                {
                    "limit_ms": round(limit, 4),
                    "arch": str(arch),
                    "macs": mobile_macs(arch, table.config),
                    "predicted_ms": round(predicted_milliseconds(arch, parts, table.config), 4),
                    "chosen_by": round(chosen_by, 3),
                    "inherited": round(inherited_accuracy(network, arch, self.fresh_data), 3),
                    "alone": alone,
                    "search_seconds": round(searched - start, 1),
                    "alone_seconds": seconds,
                }
            )
        return found

    def parts(self) -> dict[str, float]:
        """Milliseconds of each part of a network, as measured here."""
        return self.recording.need(LATENCY)[0]["parts"]

    def limits(self) -> list[float]:
        """Milliseconds, from tight to loose."""
        space, parts = self.table.space, self.parts()
        some = distinct_archs(space, min(500, len(space)), np.random.default_rng(1))
        prices = [predicted_milliseconds(arch, parts, self.table.config) for arch in some]
        return [float(limit) for limit in np.quantile(prices, QUANTILES)]

    def search(self, network: ElasticNetwork, limit: float, seed: int) -> tuple[MobileArch, float]:
        """The best architecture within the limit by inherited accuracy, and that accuracy."""
        parts = self.parts()
        searcher = ConstrainedEvolution(
            self.table.space,
            np.random.default_rng(seed),
            lambda arch: predicted_milliseconds(arch, parts, self.table.config),
            limit,
            population=min(20, self.evaluations),
            parents=min(5, self.evaluations),
        )
        told: list[tuple[float, MobileArch]] = []
        for _ in range(self.evaluations):
            try:
                arch = searcher.ask()
            except StopIteration:  # fewer architectures than evaluations are within the limit
                break
            told.append((inherited_accuracy(network, arch, self.table.data), arch))
            searcher.tell(arch, told[-1][0])
        accuracy, arch = max(told)
        return arch, accuracy

    def found(self) -> list[MobileArch]:
        """All architectures found for some limit, each once."""
        rows = self.recording.need(*(f"progressive {seed}" for seed in self.seeds))
        archs = dict.fromkeys(one["arch"] for row in rows for one in row["specialised"])
        return [self.table.space.parse(arch) for arch in archs]

    def train_alone(self, seed: int, place: int) -> Row:
        """The architecture found for a limit, by itself and for longer."""
        (row,) = self.recording.need(f"progressive {seed}")
        arch = self.table.space.parse(row["specialised"][place]["arch"])
        recipe = replace(self.table.recipe, epochs=LONGER * self.table.recipe.epochs)
        trained = self.table.trained(arch, seed, recipe, self.fresh_data)
        return dict(zip(("longer", "longer_seconds"), trained))

    def measure(self, arch: MobileArch) -> float:
        """Milliseconds of the whole network."""
        config = self.table.config
        network = build_mobile(arch, config)
        x = torch.zeros(1, config.in_channels, arch.resolution, arch.resolution)
        return round(min(milliseconds(network, x) for _ in range(ROUNDS)), 4)

    def merge(self, rows: Rows, target: Path) -> None:
        """Everything recorded; what was trained for a limit stands where it was found."""
        runs = {job: row for job, row in rows.items() if "inherited" in row}
        for job, row in rows.items():
            if job.startswith(ALONE):
                _, seed, place = job.split()
                one = runs[f"progressive {seed}"]["specialised"][int(place)]
                one |= {name: row[name] for name in ("longer", "longer_seconds")}
                one["measured_ms"] = rows[MEASURED]["ms"][one["arch"]]
        data = {
            "archs": [str(arch) for arch in self.table.archs],
            "parts": rows[LATENCY]["parts"],
            "runs": list(runs.values()),
        }
        recording.write_json(target, self.settings | data)

    def show(self, rows: Rows) -> Iterator[str]:
        """A line per elastic network: rank correlation of inherited with stand-alone accuracies.

        Raises:
            ValueError: other architectures were trained alone than are judged here.
        """
        alone = recorded_alone()
        if list(alone) != [str(arch) for arch in self.table.archs]:
            accepted = f"archs must be the {len(alone)} that were trained alone"
            raise ValueError(f"{accepted}, got {len(self.table.archs)} others")
        truth = [float(np.mean(accuracies)) for accuracies in alone.values()]
        for job, row in rows.items():
            if "inherited" in row:
                found = agreement(row["inherited"], truth, 0.25)
                gap = np.mean(np.subtract(row["inherited"], truth))
                yield (
                    f"{job:15} tau {found.tau:.3f}, best quarter ({found.archs_top}) "
                    f"{found.tau_top:.3f}; inherited minus stand-alone {gap:+.1f} points"
                )


if __name__ == "__main__":
    recording.main(__doc__, OnceForAll())
