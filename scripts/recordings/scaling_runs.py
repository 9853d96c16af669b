"""Train what lesson 07 compares, and record it: coefficients, families of networks, augmentation, growing images.

    OMP_NUM_THREADS=1 python -m scripts.recordings.scaling_runs                   # everything, in one process
    OMP_NUM_THREADS=1 python -m scripts.recordings.scaling_runs --shard 0/2       # every other run: start 1/2 beside it
    python -m scripts.recordings.scaling_runs --collect                           # write the file that the lesson reads

Every finished run is one line in a shard's file; an interrupted shard goes on where it was. Runs that need the
coefficients that the grid search found are made once its runs are all there. A run takes 5 to 60 s on one core.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

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

FOLDER = Path(__file__).with_suffix("")
RECIPE = ScalingRecipe()
SEEDS = (0, 1, 2)
FACTORS = (2, 4, 8)
GRID = {"step": 0.2, "tolerance": 0.1, "limit": 2.0}
GRID_FACTOR, GRID_EPOCHS = 4, 8
"""The grid search compares networks of four times the base's cost after short trainings. (The paper takes phi = 1,
twice the cost; networks as small as these need the larger step to differ by more than their seeds.)"""
FOUND = "found"
"""Name of the family along the coefficients that the grid search found."""
AUGMENTATIONS: dict[str, dict[str, float]] = {
    "none": {},
    "mixup": {"mixup": 0.2},
    "RandAugment": {"magnitude": 6},
    "both": {"mixup": 0.2, "magnitude": 6},
}
AUGMENT_FACTOR, AUGMENT_EPOCHS = 2, 24
SECONDS, STAGES = 20.0, 4
"""Processor seconds that each way of progressive learning gets, and its number of stages."""
WAYS = ("growing", "large images", "small images", "growing images only")

Run = dict[str, Any]


def jobs(done: list[Run]) -> Iterator[Run]:
    """Everything that is to be trained, as far as it can be known from what has been trained."""
    grid = [tuple(point) for point in coefficient_grid(**GRID)]
    for point in grid:
        for seed in SEEDS:
            yield {"kind": "grid", "name": name_of(point), "factor": GRID_FACTOR, "seed": seed}
    for seed in SEEDS:
        yield {"kind": "scale", "name": "base", "factor": 1, "seed": seed}
    families = [*FAMILIES, *([FOUND] if winner(done) else [])]
    for seed in SEEDS:
        for factor in FACTORS:
            for family in families:
                yield {"kind": "scale", "name": family, "factor": factor, "seed": seed}
        for name in AUGMENTATIONS:
            yield {"kind": "augment", "name": name, "seed": seed}
        for name in WAYS:
            yield {"kind": "progressive", "name": name, "seed": seed}


def name_of(point: tuple[float, ...]) -> str:
    """Coefficients as the name of a run: "1.2 1.0 1.2"."""
    return " ".join(f"{number:.1f}" for number in point)


def winner(done: list[Run]) -> Coefficients | None:
    """The coefficients with the best mean accuracy, once all of the grid search's runs are there."""
    runs: dict[str, list[float]] = {}
    for run in done:
        if run["kind"] == "grid":
            runs.setdefault(run["name"], []).append(run["accuracy"])
    if len(runs) < len(coefficient_grid(**GRID)) or any(len(values) < len(SEEDS) for values in runs.values()):
        return None
    best = max(runs, key=lambda name: statistics.mean(runs[name]))
    return Coefficients(*map(float, best.split()))


def train(job: Run, done: list[Run], recipe: ScalingRecipe = RECIPE, seconds: float = SECONDS) -> Run:
    """Train one job; the job with what came out."""
    plan, phases, limit = BASE, None, None
    if job["kind"] == "grid":
        recipe = replace(recipe, epochs=-(-recipe.epochs * GRID_EPOCHS // RECIPE.epochs))
        plan = scaled(Coefficients(*map(float, job["name"].split())), job["factor"])
    elif job["kind"] == "scale" and job["name"] != "base":
        ray = winner(done) if job["name"] == FOUND else FAMILIES[job["name"]]
        assert ray is not None  # jobs() does not name it before
        plan = scaled(ray, job["factor"])
    elif job["kind"] == "augment":
        plan = scaled(FAMILIES["compound"], AUGMENT_FACTOR)
        recipe = replace(recipe, epochs=recipe.epochs * AUGMENT_EPOCHS // RECIPE.epochs)
        phases = [Phase(plan.resolution, **AUGMENTATIONS[job["name"]])]
    elif job["kind"] == "progressive":
        plan = replace(scaled(FAMILIES["compound"], AUGMENT_FACTOR), resolution=24)
        phases, limit = phases_of(job["name"], plan), seconds
    images = digits(recipe)
    result = fit(plan, images, recipe, job["seed"], phases, limit, usable_device())
    return {
        **job,
        "accuracy": round(result.accuracy, 3),
        "seconds": round(result.seconds, 2),
        "steps": result.steps,
        "macs": plan_macs(plan),
        "params": plan_params(plan),
        "resolution": plan.resolution,
        "widths": [plan.stem, *(stage.c_out for stage in plan.stages)],
        "repeats": [stage.repeats for stage in plan.stages],
    }


def scaled(coefficients: Coefficients, factor: float) -> Plan:
    """The base network at `factor` times its cost."""
    return match_macs(BASE, coefficients, factor * plan_macs(BASE))


def phases_of(name: str, plan: Plan) -> list[Phase]:
    """A way to spend the seconds, by its name in `WAYS`."""
    side = plan.resolution
    strong = {"magnitude": 6.0, "mixup": 0.2}
    if name == "growing":
        return growing(STAGES, (side // 2, side), (0.0, strong["magnitude"]), mixup=(0.0, strong["mixup"]))
    if name == "growing images only":
        return [Phase(phase.resolution, **strong) for phase in growing(STAGES, (side // 2, side), (0.0, 0.0))]
    return [Phase(side if name == "large images" else side // 2, **strong)]


def read(folder: Path) -> list[Run]:
    """All finished runs of all shards. A line that an interruption cut short counts as not run."""
    runs = []
    for path in sorted(folder.glob("part-*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                runs.append(json.loads(line))
            except json.JSONDecodeError:
                continue
    return runs


def key(run: Run) -> tuple[Any, ...]:
    """What makes two runs the same."""
    return run["kind"], run["name"], run.get("factor"), run["seed"]


def record(folder: Path, shard: int, shards: int, minutes: float = math.inf, **options: Any) -> None:
    """Train the shard's jobs that are not finished, for at most so many minutes."""
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    while True:
        done = read(folder)
        finished = {key(run) for run in done}
        mine = [job for i, job in enumerate(jobs(done)) if i % shards == shard and key(job) not in finished]
        if not mine:
            return
        for job in tqdm(mine, unit="run"):
            if time.monotonic() - begun > 60 * minutes:
                return
            line = json.dumps(train(job, done, **options))
            path = folder / f"part-{shard + 1}-of-{shards}.jsonl"
            whole = path.exists() and path.read_bytes()[-1:] not in (b"\n", b"")
            with path.open("a", encoding="utf-8", newline="\n") as file:
                file.write(("\n" if whole else "") + line + "\n")


def collect(folder: Path, path: Path) -> None:
    """Write the file that the lesson reads: all runs in the order of `jobs`, and how they were made."""
    done = read(folder)
    by_key = {key(run): run for run in done}
    runs = [by_key[key(job)] for job in jobs(done) if key(job) in by_key]
    ray = winner(done)
    content = {
        "recipe": asdict(RECIPE),
        "grid": GRID,
        "found": list(ray) if ray else None,
        "seconds": SECONDS,
        "machine": f"{platform.machine()}, one thread, torch {torch.__version__}",
    }
    head = json.dumps(content)[:-1]
    lines = ",\n".join(json.dumps(run) for run in runs)
    path.write_text(f'{head}, "runs": [\n{lines}\n]}}\n', encoding="utf-8", newline="\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shard", default="0/1", help="which part of the runs, such as 0/2")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where finished runs are kept")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no run after so many")
    parser.add_argument("--collect", action="store_true", help="train nothing, write the lesson's file")
    parser.add_argument("--out", type=Path, default=RUNS_PATH)
    arguments = parser.parse_args()
    if arguments.collect:
        collect(arguments.folder, arguments.out)
        return
    torch.set_num_threads(1)
    shard, shards = map(int, arguments.shard.split("/"))
    record(arguments.folder, shard, shards, arguments.minutes)


if __name__ == "__main__":
    main()
