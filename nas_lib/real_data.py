"""Real NAS-Bench-201 accuracies as a `TabularBenchmark`, and latencies on real devices, for whoever has the file.

The course does not come with it, and nothing depends on it: lessons show what they find here beside the course's
own table. Downloads nothing.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas_lib.benchmark import TabularBenchmark
from nas_lib.spaces import CellSpace

FOLDER_VARIABLE = "NAS_SHARED_DATA"
FILE = "nb201_cifar10.npz"
CONTROLLER_RUNS = Path(__file__).parent / "assets" / "controller_nas_bench_201.json"
SEARCH_EPOCHS, FULL_EPOCHS = 12, 200
VALIDATION_SECONDS = 3.0
SECONDS = 20_000
"""Budget of a search on it in the literature (NATS-Bench), in simulated seconds: about 177 evaluations."""


def find_nas_bench_201() -> Path | None:
    """Where the file is: in the folder that NAS_SHARED_DATA names, else in `data` or `shared/data` here or above."""
    named = os.environ.get(FOLDER_VARIABLE)
    here = Path.cwd()
    above = [folder / name for folder in (here, *here.parents) for name in ("data", "shared/data")]
    folders = [Path(named)] if named else above
    return next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)


def recorded_controller_runs() -> dict[str, NDArray[np.float64]]:
    """For each method the `valid_acc_200` (percent) of its runs.

    Recorded by `scripts/recordings/controller_nas_bench_201.py`.
    """
    recorded = json.loads(CONTROLLER_RUNS.read_text(encoding="utf-8"))
    return {name: np.array(values) for name, values in recorded["valid_acc_200"].items()}


def nas_bench_201(path: Path | str) -> TabularBenchmark:
    """CIFAR-10 on the cell space: searches see `valid` after 12 epochs; `test` is *validation* after 200 epochs.

    The file has no test accuracy after 200 epochs, so what is reported of a search is this validation accuracy.
    An evaluation costs 12 of 200 epochs' training time, and 3 s for the validation.

    Args:
        path: an npz file with the columns `arch` (bytes, official strings), `valid_acc_12` and `valid_acc_200`
            (percent) and `train_time_200_s` (seconds), 15,625 rows in any order.

    Raises:
        OSError: the file cannot be read.
        ValueError: a column is missing, or the rows are not the space's cells.
    """
    space = CellSpace()
    with np.load(path) as data:
        missing = {"arch", "valid_acc_12", "valid_acc_200", "train_time_200_s"} - set(data.files)
        if missing:
            raise ValueError(f"path must be a file with the column {min(missing)}, got {path}")
        rows = np.array([space.index(space.parse(text.decode())) for text in data["arch"]])
        order = np.argsort(rows)
        if not np.array_equal(rows[order], np.arange(len(space))):
            raise ValueError(
                f"arch must hold each of the {len(space)} cells once, got {len(set(rows))} of them"
            )
        seconds = data["train_time_200_s"][order] * (SEARCH_EPOCHS / FULL_EPOCHS) + VALIDATION_SECONDS
        return TabularBenchmark.from_arrays(
            space, data["valid_acc_12"][order], data["valid_acc_200"][order], seconds
        )


DEVICE_COLUMNS = {
    "raspi4": "Raspberry Pi 4",
    "pixel3": "Pixel 3",
    "eyeriss": "Eyeriss",
    "gold_6226": "Xeon Gold 6226",
}
"""Devices whose latencies the file has, and what they are called; the first three are HW-NAS-Bench's."""
BOGUS_MS = 0.1
"""Latencies on Raspberry Pi 4 and Pixel 3 below this are no measurements (disconnected cells)."""


def device_latencies(path: Path | str) -> dict[str, NDArray[np.float64]]:
    """Measured latencies of the cell space's networks on real devices, in ms, in the space's index order.

    Where a device's entry is no measurement it is NaN. HW-NAS-Bench (Li et al. 2021, arXiv:2103.10584).

    Args:
        path: an npz file with the columns `arch` and `lat_<device>_ms`, 15,625 rows in any order.

    Returns:
        By the name of the device.

    Raises:
        OSError: the file cannot be read.
        ValueError: a column is missing.
    """
    space = CellSpace()
    with np.load(path) as data:
        wanted = {"arch", *(f"lat_{column}_ms" for column in DEVICE_COLUMNS)}
        missing = wanted - set(data.files)
        if missing:
            raise ValueError(f"path must be a file with the column {min(missing)}, got {path}")
        order = np.argsort([space.index(space.parse(text.decode())) for text in data["arch"]])
        found = {}
        for column, name in DEVICE_COLUMNS.items():
            values = data[f"lat_{column}_ms"][order].astype(float)
            found[name] = np.where(values < BOGUS_MS, np.nan, values)
    return found
