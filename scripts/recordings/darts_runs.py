"""Record searches of all four methods over seeds, for lesson 04's comparison.

    OMP_NUM_THREADS=1 python -m scripts.recordings.darts_runs record [--seeds N]

Each search is followed through its stages: accuracy of the supernet, of the chosen cell with inherited weights (as
they are, and with new batch-norm statistics), and of the cell trained from scratch by the table's recipe. The table
itself is not read: ranks are looked up when the lesson runs. One line per search; an interrupted recording goes on
where it was, and a changed configuration is refused. About half a minute of processor time per search.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from nas_lib import darts
from nas_lib.darts import METHODS, RUNS_PATH, SearchConfig
from nas_lib.training import RECIPE, DataSplits, Recipe, load_splits

SEEDS = 5
RETRAINED = 100
"""Added to the search's seed to retrain the cell: a seed that is not in the table."""


def one_run(
    method: str, seed: int, splits: DataSplits, config: SearchConfig, recipe: Recipe = RECIPE
) -> dict[str, Any]:
    """One search and what came of it, as a line of the recording."""
    run = darts.search(
        splits, method, config, seed, curvature=METHODS[method].sampled is False, progress=False
    )
    cell = run.cells[-1]
    supernet = darts.supernet_accuracy(run, splits, config)
    inherited = darts.inherited_accuracy(run.supernet, cell, splits)
    retrained = darts.retrained_accuracy(cell, splits, recipe, seed=RETRAINED + seed)
    return {
        "method": method,
        "seed": seed,
        "logits": [[[round(float(x), 4) for x in row] for row in one] for one in run.logits],
        "curvature": [round(value, 4) for value in run.curvature],
        "supernet": round(supernet, 3),
        "inherited": round(inherited.as_is, 3),
        "renormalised": round(inherited.renormalised, 3),
        "retrained_valid": round(retrained.valid, 3),
        "retrained_test": round(retrained.test, 3),
        "seconds": round(run.seconds, 2),
    }


def record(
    path: Path,
    seeds: int = SEEDS,
    config: SearchConfig | None = None,
    recipe: Recipe = RECIPE,
    progress: bool = True,
) -> None:
    """Append what is missing of `seeds` searches per method to the file at `path`.

    Raises:
        ValueError: the file was recorded by another configuration.
    """
    config = config or SearchConfig()
    beside = path.with_suffix(".json")
    settings = json.loads(json.dumps(asdict(config)))  # tuples are lists then, as in the file
    done = {(run.method, run.seed) for run in darts.recorded_runs(path)} if path.exists() else set()
    if done and beside.exists() and json.loads(beside.read_text(encoding="utf-8")) != settings:
        raise ValueError(
            f"path must hold searches of this configuration, {beside} has another: remove both files"
        )
    beside.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    todo = [
        (method, seed) for seed in range(seeds) for method in METHODS if (method, seed) not in done
    ]  # seed by seed, so that an unfinished recording has all methods alike
    splits = load_splits(recipe)
    for method, seed in tqdm(todo, unit="search", disable=not progress):
        line = json.dumps(one_run(method, seed, splits, config, recipe), separators=(",", ":"))
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["record"])
    parser.add_argument("--out", type=Path, default=RUNS_PATH, help="file to write or to go on with")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"searches per method (default: {SEEDS})")
    arguments = parser.parse_args()
    if arguments.seeds < 1:
        parser.error(f"--seeds must be at least 1, got {arguments.seeds}")
    torch.set_num_threads(1)
    record(arguments.out, arguments.seeds)


if __name__ == "__main__":
    main()
