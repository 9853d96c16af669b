"""Records searches of all four methods over seeds, for lesson 04's comparison.

    OMP_NUM_THREADS=1 python -m scripts.recordings.darts_runs record    half a minute each
    python -m scripts.recordings.darts_runs merge        -> nas_lib/assets/darts_runs.jsonl, .json

Each search is followed through its stages: accuracy of the supernet, of the chosen cell with
inherited weights (as they are, and with new batch-norm statistics), and of the cell trained from
scratch by the table's recipe. The table itself is not read: ranks are looked up when the lesson
runs.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from nas_lib import darts
from nas_lib.darts import METHODS, RUNS_PATH, SearchConfig
from nas_lib.spaces import OPS
from nas_lib.training import RECIPE, DataSplits, Recipe, load_splits
from scripts import recording
from scripts.recording import Recording, Row, Rows

DARTS = "DARTS, first order"

RETRAINED = 100
"""Added to the search's seed to retrain the cell: a seed that is not in the table."""


def key(row: Row) -> str:
    """The job of a row."""
    return f"{row['method']} {row['seed']}" + (f" {SUBSPACE}" if "ops" in row else "")


SUBSPACE = "S2"
"""What marks the searches among two operations only (Zela et al. 2020, arXiv:1909.09656, section 3)."""


@dataclass(frozen=True)
class Searches:
    """Each method with each seed, and DARTS on a subspace.

    Attributes:
        search: how is searched.
        recipe: says how the chosen cell is retrained, and which images all see.
        times_gdas: GDAS has so many times the epochs, since computing one operation per edge takes
            that part of DARTS's seconds.
        ops, times_ops: the operations of the subspace, and times the epochs there.
    """

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    search: SearchConfig = SearchConfig()
    recipe: Recipe = RECIPE
    folder: Path = Path(__file__).with_suffix("")
    times_gdas: int = 5
    ops: tuple[str, ...] = ("skip_connect", "nor_conv_3x3")
    times_ops: float = 2.5

    @cached_property
    def recording(self) -> Recording:
        """Of these settings."""
        # Seed by seed, so that an unfinished record has all methods alike.
        jobs: dict[str, tuple[Any, ...]] = {}
        for seed in self.seeds:
            jobs |= {f"{method} {seed}": (method, seed) for method in METHODS}
            if seed in self.seeds[:3]:
                jobs[f"{DARTS} {seed} {SUBSPACE}"] = (DARTS, seed, self.ops)
        settings = {
            "search": asdict(self.search),
            "recipe": self.recipe.as_dict(),
            "times_gdas": self.times_gdas,
            "ops": self.ops,
            "times_ops": self.times_ops,
        }
        return Recording(jobs, self.do, self.merge, settings, self.folder, RUNS_PATH, key=key)

    @cached_property
    def splits(self) -> DataSplits:
        """The images; drawn when first needed."""
        return load_splits(self.recipe)

    def config(self, method: str, ops: tuple[str, ...]) -> SearchConfig:
        """How a job searches."""
        times = self.times_ops if ops != OPS else self.times_gdas if METHODS[method].hard else 1
        return replace(self.search, epochs=round(times * self.search.epochs), ops=ops)

    def do(self, method: str, seed: int, ops: tuple[str, ...] = OPS) -> Row:
        """One search and what came of it."""
        curved = METHODS[method].sampled is False
        config = self.config(method, ops)
        run = darts.search(self.splits, method, config, seed, curvature=curved, progress=False)
        cell = run.cells[-1]
        inherited = darts.inherited_accuracy(run.supernet, cell, self.splits)
        retrained = darts.retrained_accuracy(cell, self.splits, self.recipe, seed=RETRAINED + seed)
        logits = [[[round(float(x), 4) for x in edge] for edge in one] for one in run.logits]
        return {
            "method": method,
            "seed": seed,
            "logits": logits,
            "curvature": [round(value, 4) for value in run.curvature],
            "supernet": round(darts.supernet_accuracy(run, self.splits, config), 3),
            "inherited": round(inherited.as_is, 3),
            "renormalised": round(inherited.renormalised, 3),
            "retrained_valid": round(retrained.valid, 3),
            "retrained_test": round(retrained.test, 3),
            "seconds": round(run.seconds, 2),
        } | ({} if ops == OPS else {"ops": ops})

    def merge(self, rows: Rows, target: Path) -> None:
        """A search per line, and their configuration beside them."""
        lines = (json.dumps(row, separators=(",", ":")) + "\n" for row in rows.values())
        recording.write_text(target, "".join(lines))
        settings = {"times_gdas": self.times_gdas, "times_ops": self.times_ops}
        beside = json.dumps(asdict(self.search) | settings, indent=1) + "\n"
        recording.write_text(target.with_suffix(".json"), beside)


if __name__ == "__main__":
    recording.main(__doc__, Searches())
