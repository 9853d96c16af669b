"""Builds the table: trains every function of the cell space by `nas_lib.training.RECIPE`.

    python -m scripts.table.build record [--workers N] [--part I/K] [--set device=cuda]    hours
    python -m scripts.table.build status
    python -m scripts.table.build merge                        -> nas_lib/assets/cell_table.npz

The 5,260 functions are trained in a fixed random order, so that an unfinished table is a random
sample.
With `--set 'seeds=[3, 4]' --set folder=scripts/table/more_seeds` two further seeds of each function
are recorded; the table does not hold them.
Records made on other machines (`--part`) are copied into the same folder. Nothing is averaged or
dropped: values are counts per seed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_lib.benchmark import TABLE_PATH, TableFile
from nas_lib.networks import count_macs, count_params
from nas_lib.spaces import Cell, CellSpace, functions
from nas_lib.training import RECIPE, DataSplits, Recipe, load_splits, train_packed
from scripts import recording
from scripts.recording import Recording, Row, Rows

SEEDS = (0, 1, 2)


def settings(recipe: Recipe, seeds: Sequence[int] = SEEDS) -> Row:
    """What all rows have in common."""
    return {"recipe": recipe.as_dict(), "seeds": list(seeds)}


def key(row: Row) -> str:
    """The job of a row: its function's number."""
    return str(row["function"])


@dataclass(frozen=True)
class Table:
    """Every function, all seeds at once.

    Attributes:
        recipe: how each is trained.
        seeds: of the trainings.
        cpu: the processor whose seconds the record holds: whoever records anew says which it is.
    """

    recipe: Recipe = RECIPE
    seeds: tuple[int, ...] = SEEDS
    cpu: str = "AMD EPYC"
    device: str = "cpu"
    folder: Path = Path(__file__).with_suffix("")

    @cached_property
    def recording(self) -> Recording:
        """Of these settings."""
        archs = functions(CellSpace())[0]
        order = np.random.default_rng(0).permutation(len(archs)).tolist()
        return Recording(
            {str(number): (number, archs[number]) for number in order},
            self.do,
            self.merge,
            settings(self.recipe, self.seeds),
            self.folder,
            TABLE_PATH,
            key=key,
        )

    @cached_property
    def splits(self) -> DataSplits:
        """The images; drawn when first needed."""
        return load_splits(self.recipe).to(self.device)

    def do(self, number: int, arch: Cell) -> Row:
        """Train one function."""
        results = train_packed(arch, self.splits, self.recipe, self.seeds)
        return {
            "function": number,
            "arch": CellSpace().str(arch),
            "valid": [result.valid_correct for result in results],
            "test": [result.test_correct for result in results],
            "seconds": [round(result.seconds, 4) for result in results],
        }

    def merge(self, rows: Rows, target: Path) -> None:
        """The table's file."""
        space, recipe = CellSpace(), self.recipe
        archs, function = functions(space)
        ordered = [rows[str(number)] for number in range(len(archs))]
        seconds = np.array([row["seconds"] for row in ordered], np.float32)
        sizes = [recipe.valid_images] * (recipe.epochs - 1) + [recipe.final_images]
        TableFile(
            function=np.asarray(function, np.uint16),
            valid_correct=np.array([row["valid"] for row in ordered], np.uint16),
            valid_size=np.array(sizes, np.int64),
            test_correct=np.array([row["test"] for row in ordered], np.uint16),
            test_size=recipe.final_images,
            function_seconds=seconds,
            seconds=price_of_cells(seconds.mean(1), archs, space),
            params=np.array([count_params(arch, recipe.network) for arch in space], np.uint32),
            macs=np.array([count_macs(arch, recipe.network) for arch in space], np.uint32),
            recipe=recipe.as_dict() | {"seeds": list(self.seeds)},
            cpu=self.cpu,
        ).write(target)


def price_of_cells(
    measured: NDArray[Any], archs: Iterable[Cell], cells: Iterable[Cell]
) -> NDArray[np.float32]:
    """Training seconds of each cell: a price per operation, fitted by least squares.

    A cell with dead edges costs more than its function, since the operations there are computed in
    an ordinary implementation. And single measurements on a shared machine are noisy; the fit
    averages that out.
    """
    operations = CellSpace().ops[1:]

    def counts(many: Iterable[Cell]) -> NDArray[np.float64]:
        return np.array([[1.0, *(arch.count(op) for op in operations)] for arch in many])

    price, *_ = np.linalg.lstsq(counts(archs), measured, rcond=None)
    return (counts(cells) @ price).astype(np.float32)


if __name__ == "__main__":
    recording.main(__doc__, Table(), workers=os.cpu_count() or 1)
