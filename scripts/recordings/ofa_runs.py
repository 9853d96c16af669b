"""Records once-for-all trainings for lesson 05: what is inherited, and one network under many latency limits.

    OMP_NUM_THREADS=1 python -m scripts.recordings.ofa_runs plan      measures what recording would take here
    OMP_NUM_THREADS=1 python -m scripts.recordings.ofa_runs record    resumable; interrupt at will
    python -m scripts.recordings.ofa_runs show                        rank correlations with mobile_table's networks
    python -m scripts.recordings.ofa_runs merge                       -> nas_lib/assets/ofa_runs.json

A job trains one elastic network by one scheme and judges the architectures of `mobile_table` with its weights.
With progressive shrinking it is then specialised, without training, for several limits: a search among the
architectures that a latency table admits, by inherited accuracy. Beside each network found, the same architecture is
trained by itself, as long as `mobile_table` trains and five times as long, and its latency measured as a whole.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
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
    StandAloneRecipe,
    distinct_archs,
    inherited_accuracy,
    load_sizes,
    recorded_alone,
    train_stand_alone,
)
from nas_lib.mobile import ElasticNetwork, MobileConfig, build_mobile, mobile_macs
from nas_lib.mobile_latency import measure_parts, milliseconds, predicted_milliseconds
from nas_lib.one_shot import agreement
from nas_lib.searchers import ConstrainedEvolution
from nas_lib.spaces import MobileArch, MobileSpace
from scripts import recording
from scripts.recording import Record, Row

FOLDER = Path(__file__).with_suffix("")
TARGET = ONCE_FOR_ALL_PATH
CHECKPOINT = 250
"""Steps between two saves of a network in training."""

SCHEMES: dict[str, dict[str, Any]] = {
    "progressive": {},
    "undistilled": {"distillation": 0.0},
    "joint": {"progressive": False},
}
"""What each scheme changes in the recipe: all of once-for-all, without a teacher, without both."""

LATENCY = "latency"
"""The job that measures the parts of networks, before all others."""

ALONE = "alone"
"""The jobs, after those, that train for a single limit what was found for it, for longer."""

MEASURED = "measured"
"""The last job, the latencies of all networks that were found, as wholes."""

ROUNDS = 10
"""Measurements of each, of which the shortest counts: whatever else the machine does only adds time."""

LONGER = 5
"""Times the epochs of other networks that are trained by themselves."""

QUANTILES = (0.05, 0.2, 0.4, 0.6, 0.8)
"""The limits: latencies that this share of random architectures keeps."""


class Study(recording.Study):
    """The jobs: the latency table, then each scheme with each seed.

    Args:
        seeds, schemes: of the trainings.
        archs: how many architectures are judged; the first of `mobile_table`'s.
        evaluations: of each search under a limit.
        options: of the recipe, beside the scheme.
        alone: how the architectures found are trained by themselves.
        images: of training and validation.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        schemes: Sequence[str] = tuple(SCHEMES),
        archs: int = 48,
        evaluations: int = 100,
        options: dict[str, Any] | None = None,
        alone: StandAloneRecipe | None = None,
        images: tuple[int, int] = (4096, 2000),
        folder: Path = FOLDER,
        part: tuple[int, int] = (1, 1),
        space: MobileSpace | None = None,
        config: MobileConfig | None = None,
        device: str = "cpu",
        mixed_precision: bool = False,
    ) -> None:
        if evaluations < 2:
            raise ValueError(f"evaluations must be an integer from 2 up, got {evaluations}")
        self.space, self.config, self.device = space or MobileSpace(), config or MobileConfig(), device
        self.jobs = [f"{scheme} {seed}" for seed in seeds for scheme in schemes]
        if "progressive" in schemes:
            self.jobs += [f"{ALONE} {seed} {place}" for seed in seeds for place in range(len(QUANTILES))]
            self.jobs.append(MEASURED)
        self.options, self.alone, self.evaluations = (
            dict(options or {}),
            alone or StandAloneRecipe(),
            evaluations,
        )
        self.mixed_precision, self.images, self._folder = mixed_precision, images, folder
        self.archs = distinct_archs(self.space, archs, np.random.default_rng(0))
        self.settings = {
            "recipe": asdict(ElasticRecipe(**self.options)),
            "alone": asdict(self.alone),
            "longer": LONGER,
            "images": list(images),
            "archs": len(self.archs),
            "evaluations": evaluations,
            "space": repr(self.space),
            "config": asdict(self.config),
        }
        self.record = Record(folder, self.settings, part)

    @cached_property
    def data(self) -> SizedData:
        """The images; drawn when first needed."""
        sizes = [int(size) for size in self.space.choices[0]]
        return load_sizes(sizes, *self.images).to(self.device)

    def work(self, progress: bool = True) -> int:
        """The latency table if it is missing, then the trainings."""
        if LATENCY not in self.record.rows():
            self.record.add(LATENCY, {"parts": measure_parts(self.space, self.config)})
        return super().work(progress)

    def training(self, job: str) -> ElasticTraining:
        """The network of a job, untrained."""
        scheme, seed = job.split()
        recipe = ElasticRecipe(**self.options | SCHEMES[scheme])
        return ElasticTraining(self.data, self.space, recipe, int(seed), self.config, self.mixed_precision)

    def do(self, job: str) -> Row:
        """Train, judge and, where it is once-for-all's own scheme, specialise; or train one network by itself."""
        if job.startswith(ALONE):
            return self.train_alone(*map(int, job.split()[1:]))
        if job == MEASURED:
            return {"ms": {str(arch): self.measure(arch) for arch in self.found()}}
        training = self.training(job)
        checkpoint = self._folder / f"{job.replace(' ', '-')}.pt"
        start = time.process_time()
        recording.train(training, checkpoint, CHECKPOINT)
        row: Row = {
            "training_seconds": round(time.process_time() - start, 1),
            "last_loss": round(float(np.mean(training.losses[-50:])), 4),
            "inherited": self._judged(training.network, 4),
            "inherited_without_recalibration": self._judged(training.network, 0),
        }
        if job.startswith("progressive"):
            row["specialised"] = self.specialise(training.network, training.seed)
        checkpoint.unlink(missing_ok=True)
        return row

    def _judged(self, network: ElasticNetwork, batches: int) -> list[float]:
        return [round(inherited_accuracy(network, arch, self.data, batches), 3) for arch in self.archs]

    def limits(self) -> list[float]:
        """Milliseconds, from tight to loose."""
        parts = self.record.rows()[LATENCY]["parts"]
        some = distinct_archs(self.space, min(500, len(self.space)), np.random.default_rng(1))
        prices = [predicted_milliseconds(arch, parts, self.config) for arch in some]
        return [float(limit) for limit in np.quantile(prices, QUANTILES)]

    def specialise(self, network: ElasticNetwork, seed: int) -> list[Row]:
        """For each limit: what a search finds in the trained network, and that architecture trained by itself."""
        found = []
        for limit in self.limits():
            start = time.process_time()
            arch, inherited = self.search(network, limit, seed)
            searched = time.process_time()
            alone, _ = train_stand_alone(arch, self.data, self.alone, seed, self.config)
            found.append(
                {
                    "limit_ms": round(limit, 4),
                    "arch": str(arch),
                    "macs": mobile_macs(arch, self.config),
                    "predicted_ms": round(self._price(arch), 4),
                    "inherited": round(inherited, 3),
                    "alone": round(alone, 3),
                    "search_seconds": round(searched - start, 1),
                    "alone_seconds": round(time.process_time() - searched, 1),
                }
            )
        return found

    def specialised(self, seed: int) -> list[Row]:
        """What was found for each limit in the network of a seed.

        Raises:
            ValueError: that has not been recorded yet.
        """
        row = self.record.rows().get(f"progressive {seed}")
        if row is None:
            raise ValueError(f"job must wait for 'progressive {seed}', which is not recorded yet")
        return row["specialised"]

    def found(self) -> list[MobileArch]:
        """All architectures found for some limit, each once."""
        seeds = [int(job.split()[1]) for job in self.jobs if job.startswith("progressive")]
        archs = dict.fromkeys(one["arch"] for seed in seeds for one in self.specialised(seed))
        return [self.space.parse(arch) for arch in archs]

    def train_alone(self, seed: int, place: int) -> Row:
        """The architecture found for a limit, by itself and for longer."""
        arch = self.space.parse(self.specialised(seed)[place]["arch"])
        start = time.process_time()
        recipe = replace(self.alone, epochs=LONGER * self.alone.epochs)
        accuracy, _ = train_stand_alone(arch, self.data, recipe, seed, self.config)
        return {"longer": round(accuracy, 3), "longer_seconds": round(time.process_time() - start, 1)}

    def measure(self, arch: MobileArch) -> float:
        """Milliseconds of the whole network."""
        network = build_mobile(arch, self.config)
        x = torch.zeros(1, self.config.in_channels, arch.resolution, arch.resolution)
        return round(min(milliseconds(network, x) for _ in range(ROUNDS)), 4)

    def _price(self, arch: MobileArch) -> float:
        return predicted_milliseconds(arch, self.record.rows()[LATENCY]["parts"], self.config)

    def search(self, network: ElasticNetwork, limit: float, seed: int) -> tuple[MobileArch, float]:
        """The best architecture within the limit by inherited accuracy, and that accuracy."""
        parts = self.record.rows()[LATENCY]["parts"]
        searcher = ConstrainedEvolution(
            self.space,
            np.random.default_rng(seed),
            lambda arch: predicted_milliseconds(arch, parts, self.config),
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
            told.append((inherited_accuracy(network, arch, self.data), arch))
            searcher.tell(arch, told[-1][0])
        accuracy, arch = max(told)
        return arch, accuracy

    def estimate(self, steps: int = 3) -> float:
        """Processor seconds of everything, from a few steps of each phase of each scheme measured here."""
        schemes = [job.split()[0] for job in self.jobs if job.split()[0] in SCHEMES]
        first = {scheme: self.jobs[schemes.index(scheme)] for scheme in schemes}
        return sum(schemes.count(scheme) * self._estimate_of(job, steps) for scheme, job in first.items())

    def _estimate_of(self, job: str, steps: int) -> float:
        training = self.training(job)
        total = 0.0
        for number, phase in enumerate(training.phases):
            later = training.phases[number + 1 :]
            last = later[0].first if later else training.steps
            training.step = phase.first
            start = time.process_time()
            training.run(min(last, phase.first + steps))
            total += (time.process_time() - start) / (training.step - phase.first) * (last - phase.first)
        start = time.process_time()
        for arch in self.archs[:4]:
            inherited_accuracy(training.network, arch, self.data)
        judged = (time.process_time() - start) / 4
        total += judged * 2 * len(self.archs)
        if job.startswith("progressive"):
            one = StandAloneRecipe(**asdict(self.alone) | {"epochs": 1})
            start = time.process_time()
            train_stand_alone(self.archs[-1], self.data, one, 0, self.config)
            alone = (time.process_time() - start) * self.alone.epochs
            total += len(QUANTILES) * (self.evaluations * judged + (1 + LONGER) * alone)
        return total

    def merged(self) -> dict[str, Any]:
        """Everything recorded, as one piece of plain data; what was trained for a limit stands where it was found."""
        rows = {row["job"]: row for row in self.record.all(self.jobs)}
        measured = rows.pop(MEASURED, {})
        for job in [job for job in rows if job.startswith(ALONE)]:
            _, seed, place = job.split()
            row, one = rows.pop(job), rows[f"progressive {seed}"]["specialised"][int(place)]
            one |= {key: row[key] for key in ("longer", "longer_seconds")}
            one["measured_ms"] = measured["ms"][one["arch"]]
        names = {"archs": [str(arch) for arch in self.archs], "parts": self.record.rows()[LATENCY]["parts"]}
        return self.settings | names | {"runs": list(rows.values())}

    def shown(self) -> list[str]:
        """A line per finished job: rank correlation of inherited with stand-alone accuracies.

        Raises:
            ValueError: other architectures were trained alone than are judged here.
        """
        alone = recorded_alone()
        if list(alone) != [str(arch) for arch in self.archs]:
            raise ValueError(
                f"archs must be the {len(alone)} that were trained alone, got {len(self.archs)} others"
            )
        truth = [float(np.mean(accuracies)) for accuracies in alone.values()]
        lines = []
        for job, row in self.record.rows().items():
            if "inherited" in row:
                found = agreement(row["inherited"], truth, 0.25)
                gap = np.mean(np.subtract(row["inherited"], truth))
                lines.append(
                    f"{job:15} tau {found.tau:.3f}, best quarter ({found.archs_top}) {found.tau_top:.3f}; "
                    f"inherited minus stand-alone {gap:+.1f} points"
                )
        return lines


def main() -> None:
    """Command line."""
    parser = recording.command_line(__doc__, FOLDER)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--schemes", nargs="+", choices=list(SCHEMES), default=list(SCHEMES))
    parser.add_argument("--archs", type=int, default=48, help="architectures that are judged")
    parser.add_argument("--evaluations", type=int, default=100, help="of each search under a limit")
    default = ElasticRecipe()
    parser.add_argument(
        "--passes", type=int, default=default.passes, help="(network, batch) pairs of each training"
    )
    parser.add_argument(
        "--lr", type=float, default=default.lr, help="learning rate at the beginning of each phase"
    )
    parser.add_argument(
        "--distillation", type=float, default=default.distillation, help="weight of the teacher"
    )
    parser.add_argument(
        "--epochs", type=int, default=StandAloneRecipe().epochs, help="of stand-alone trainings"
    )
    parser.add_argument("--mixed-precision", action="store_true", help="bfloat16, on CUDA only")
    given = parser.parse_args()
    options = {name: getattr(given, name) for name in ("passes", "lr", "distillation")}

    def study() -> Study:
        return Study(
            given.seeds,
            given.schemes,
            given.archs,
            given.evaluations,
            options,
            StandAloneRecipe(epochs=given.epochs),
            folder=given.folder,
            part=given.part,
            device=given.device,
            mixed_precision=given.mixed_precision,
        )

    recording.run(given.command, study, TARGET)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
