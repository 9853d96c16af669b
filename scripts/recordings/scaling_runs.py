"""Trains what lesson 07 compares: coefficients, families of networks, augmentation, growing images.

    OMP_NUM_THREADS=1 python -m scripts.recordings.scaling_runs record    1½ hours of one core
    python -m scripts.recordings.scaling_runs merge             -> nas_lib/assets/scaling_runs.json

A job trains one network. Coefficients are decided on validation images; all else is judged on test
images.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

from nas_lib.efficientnet import Plan, plan_macs, plan_params
from nas_lib.scaling import (
    BASE,
    FAMILIES,
    RUNS_PATH,
    Coefficients,
    Phase,
    ScalingRecipe,
    coefficient_grid,
    digits,
    fit,
    growing,
    match_macs,
    usable_device,
)
from scripts import recording
from scripts.recording import Recording, Row, Rows

SEEDS, GRID_SEEDS = (0, 1, 2), (0, 1)
FACTORS = (2, 4, 8)
GRID = {"step": 0.1, "tolerance": 0.05, "limit": 2.0}
"""Ten points: each dimension alone, pairs, and one that scales all three."""
GRID_FACTOR = 4
"""The grid search compares networks of four times the base's cost after short trainings. (The paper
takes phi = 1, twice the cost; networks as small as these need the larger step to differ by more
than their seeds.)"""
AUGMENTATIONS: dict[str, dict[str, float]] = {
    "none": {},
    "mixup": {"mixup": 0.2},
    "RandAugment": {"magnitude": 6},
    "both": {"mixup": 0.2, "magnitude": 6},
}
AUGMENT_FACTOR = 2
LONGER, LONGER_FACTOR = 4, 8
"""The dearest networks and the base are trained a second time, for so many times the epochs: what looks at larger
images learns slowly, and is below the base after the recipe's own."""
STAGES = 4
"""Of progressive learning."""
WAYS = ("growing", "large images", "growing images only")


def key(row: Row) -> str:
    """The job that a row belongs to, or that it is."""
    return " ".join(str(row[name]) for name in ("kind", "name", "factor", "seed") if name in row)


def name_of(point: Coefficients) -> str:
    """Coefficients as the name of a run: "1.2 1.0 1.2"."""
    return " ".join(f"{number:.1f}" for number in point)


def jobs() -> list[Row]:
    """Everything that is trained."""
    runs: list[Row] = [
        {"kind": "grid", "name": name, "factor": GRID_FACTOR, "seed": seed}
        for seed in GRID_SEEDS
        for name in grid_names()
    ]
    places: list[Row] = [{"name": "base", "factor": 1}]
    places += [{"name": family, "factor": factor} for factor in FACTORS for family in FAMILIES]
    families: list[Row] = [{"kind": "scale"} | place for place in places]
    families += [{"kind": "longer"} | place for place in places if place["factor"] in (1, LONGER_FACTOR)]
    others: list[Row] = [{"kind": "augment", "name": name} for name in AUGMENTATIONS]
    others += [{"kind": "progressive", "name": name} for name in WAYS]
    return runs + [run | {"seed": seed} for seed in SEEDS for run in (*families, *others)]


def grid_names() -> list[str]:
    """What the grid search compares."""
    return [name_of(point) for point in coefficient_grid(**GRID)]


def winner(rows: Rows) -> Coefficients:
    """The coefficients that the grid search found best."""

    def accuracy(name: str) -> float:
        found = (rows[f"grid {name} {GRID_FACTOR} {seed}"]["accuracy"] for seed in GRID_SEEDS)
        return statistics.mean(found)

    return Coefficients(*map(float, max(grid_names(), key=accuracy).split()))


def scaled(coefficients: Coefficients, factor: float) -> Plan:
    """The base network at `factor` times its cost."""
    return match_macs(BASE, coefficients, factor * plan_macs(BASE))


def phases_of(name: str, plan: Plan) -> list[Phase]:
    """A way to spend the seconds, by its name in `WAYS`."""
    side = plan.resolution
    strong = {"magnitude": 6.0, "mixup": 0.2}
    if name == "growing":
        magnitude, mixup = ((0.0, strong[one]) for one in ("magnitude", "mixup"))
        return growing(STAGES, (side // 2, side), magnitude, mixup=mixup)
    if name == "growing images only":
        phases = growing(STAGES, (side // 2, side), (0.0, 0.0))
        return [Phase(phase.resolution, **strong) for phase in phases]
    return [Phase(side, **strong)]


@dataclass(frozen=True)
class Scaling:
    """All runs, by one recipe.

    Attributes:
        recipe: of most trainings; the grid search's have two thirds of its epochs and are judged on
            validation images, those with augmentation have twice as many, and the dearest networks are
            compared a second time after `LONGER` times as many.
        seconds: processor seconds that each way of progressive learning gets.
        machine: whose seconds these are; whoever records on another one says which it is.
    """

    recipe: ScalingRecipe = ScalingRecipe()
    seconds: float = 20.0
    machine: str = "x86_64, one thread, torch 2.14.1+cu130"
    folder: Path = Path(__file__).with_suffix("")

    @cached_property
    def recording(self) -> Recording:
        """Of these settings."""
        return Recording(
            {key(job): (job,) for job in jobs()},
            self.do,
            self.merge,
            self.settings,
            self.folder,
            RUNS_PATH,
            key=key,
        )

    @property
    def settings(self) -> Row:
        """What all trainings have in common."""
        return {
            "recipe": asdict(self.recipe),
            "grid": GRID,
            "seconds": self.seconds,
            "machine": self.machine,
        }

    def do(self, job: Row) -> Row:
        """Train one network; the job with what came out."""
        kind, name, recipe = job["kind"], job["name"], self.recipe
        plan, phases, limit = BASE, None, None
        images = digits(recipe, "valid" if kind == "grid" else "test")
        if kind == "grid":
            recipe = replace(recipe, epochs=-(-recipe.epochs * 2 // 3))
            plan = scaled(Coefficients(*map(float, name.split())), job["factor"])
        elif kind in ("scale", "longer"):
            recipe = replace(recipe, epochs=recipe.epochs * (LONGER if kind == "longer" else 1))
            plan = BASE if name == "base" else scaled(FAMILIES[name], job["factor"])
        elif kind == "augment":
            plan = scaled(FAMILIES["compound"], AUGMENT_FACTOR)
            recipe = replace(recipe, epochs=recipe.epochs * 2)
            phases = [Phase(plan.resolution, **AUGMENTATIONS[name])]
        elif kind == "progressive":
            plan = replace(scaled(FAMILIES["compound"], AUGMENT_FACTOR), resolution=24)
            phases, limit = phases_of(name, plan), self.seconds
        result = fit(plan, images, recipe, job["seed"], phases, limit, usable_device())
        return job | {
            "accuracy": round(result.accuracy, 3),
            "seconds": round(result.seconds, 2),
            "steps": result.steps,
            "macs": plan_macs(plan),
            "params": plan_params(plan),
            "resolution": plan.resolution,
            "widths": [plan.stem, *(stage.c_out for stage in plan.stages)],
            "repeats": [stage.repeats for stage in plan.stages],
        }

    def merge(self, rows: Rows, target: Path) -> None:
        """Settings, what the grid search found, and a run per line."""
        head: Row = {"recipe": asdict(self.recipe), "grid": GRID, "found": list(winner(rows))}
        head |= {"seconds": self.seconds, "machine": self.machine}
        lines = ",\n".join(json.dumps(row) for row in rows.values())
        recording.write_text(target, f'{json.dumps(head)[:-1]}, "runs": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    recording.main(__doc__, Scaling())
