"""Real NAS-Bench-201 accuracies as a `TabularBenchmark`, and latencies on real devices, for whoever has the file.

The course does not come with it, and nothing depends on it: lessons show what they find here beside the course's
own table. Downloads nothing.
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from nas_lib._files import at
from nas_lib.benchmark import Evaluation, Metric, NATSBench, TabularBenchmark
from nas_lib.spaces import Arch, CellSpace, Space

FOLDER_VARIABLE = "NAS_SHARED_DATA"
FILE = "nb201_cifar10.npz"
CONTROLLER_RUNS = Path(__file__).parent / "assets" / "controller_nas_bench_201.json"
SEARCH_EPOCHS, FULL_EPOCHS = 12, 200
VALIDATION_SECONDS = 3.0
SECONDS = 20_000
"""Budget of a search on it in the literature (NATS-Bench), in simulated seconds: about 177 evaluations."""


def find_nas_bench_201() -> Path | None:
    """Where the file is; None where it is not."""
    return find_data(FILE)


def find_data(name: str) -> Path | None:
    """A file or folder of that name: in the folder that NAS_SHARED_DATA names, else in `data` or `shared/data` here or
    above; None where there is none."""
    named = os.environ.get(FOLDER_VARIABLE)
    here = Path.cwd()
    above = [folder / name for folder in (here, *here.parents) for name in ("data", "shared/data")]
    folders = [at(named)] if named else above
    return next((folder / name for folder in folders if (folder / name).exists()), None)


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
    columns = _columns(path, ("valid_acc_12", "valid_acc_200", "train_time_200_s"))
    seconds = columns["train_time_200_s"] * (SEARCH_EPOCHS / FULL_EPOCHS) + VALIDATION_SECONDS
    return TabularBenchmark.from_arrays(space, columns["valid_acc_12"], columns["valid_acc_200"], seconds)


def _columns(path: Path | str, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Columns of an npz file, in the index order of the cell space that its column `arch` says."""
    space = CellSpace()
    data = _numbers_of(path)
    missing = {"arch", *names} - data.keys()
    if missing:
        raise ValueError(f"path must be a file with the column {min(missing)}, got {path}")
    try:
        rows = np.array([space.index(space.parse(_text(text))) for text in data["arch"]])
    except (TypeError, ValueError) as error:
        raise ValueError(f"path must hold the space's cells, got {path}: {error}") from error
    order = np.argsort(rows, kind="stable")
    if not np.array_equal(rows[order], np.arange(len(space))):
        raise ValueError(f"arch must hold each of the {len(space)} cells once, got {len(set(rows))} of them")
    for name in names:
        if data[name].shape != rows.shape:
            raise ValueError(
                f"{name} must have one number for each cell, got shape {data[name].shape} in {path}"
            )
    return {name: data[name][order] for name in names}


def _numbers_of(path: Path | str) -> dict[str, NDArray[Any]]:
    """All arrays of an npz file."""
    path = at(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file at {path}")
    try:
        with np.load(path) as data:
            return {name: data[name] for name in data.files}
    except PermissionError:
        raise
    except Exception as error:  # zip, zlib and numpy have each their own
        raise ValueError(
            f"path must be an npz file of numbers, got {path} ({type(error).__name__}: {error})"
        ) from error


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def write_nas_bench_201(files: Path | str, path: Path | str, devices: Sequence[Path | str] = ()) -> Path:
    """Make the file that lessons look for, of the published benchmark.

    Args:
        files: NATS-Bench's topology space, `NATS-tss-v1_0-3ffb9-simple` or the one file, as `NATSBench` opens it.
        path: the npz file to be written; its folder is made.
        devices: where latencies come from, files or folders that `latencies` reads; those of `DEVICE_COLUMNS` are
            taken.

    Returns:
        `path`.

    Raises:
        ModuleNotFoundError, FileNotFoundError, ValueError: as `NATSBench` and `latencies`.
    """
    space, path = CellSpace(), at(path)
    short, full = (
        NATSBench(files, epochs=epochs, space="topology") for epochs in (SEARCH_EPOCHS, FULL_EPOCHS)
    )
    columns: dict[str, Any] = {
        f"lat_{device}_ms": latencies(source, device, below_ms=0.0).ms
        for source in devices
        for device in sorted(DEVICE_COLUMNS.keys() & set(latency_devices(source)))
    }
    columns["arch"] = np.array([space.str(cell).encode() for cell in space])
    columns["valid_acc_12"] = np.array([short.query(cell).valid for cell in tqdm(space, "12 epochs")])
    answers = [full.query(cell) for cell in tqdm(space, "200 epochs")]
    columns["valid_acc_200"] = np.array([answer.valid for answer in answers])
    columns["train_time_200_s"] = np.array([answer.seconds for answer in answers], dtype=float)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **columns)
    return path


def two_lengths(path: Path | str) -> TwoLengths:
    """The same for methods that choose how long to train: for 12 epochs, or for 200 from the start.

    Args, errors: as in `nas_bench_201`.
    """
    short = nas_bench_201(path)
    seconds = _columns(path, ("train_time_200_s",))["train_time_200_s"] + VALIDATION_SECONDS
    full = TabularBenchmark.from_arrays(short.space, short.final("test"), short.final("test"), seconds)
    return TwoLengths(short, full)


@dataclass(frozen=True, eq=False)
class TwoLengths:
    """NAS-Bench-201 as its file has it: trainings of 12 epochs, and others of 200 (`nas_lib.benchmark.Benchmark`).

    A training of 200 epochs is one of its own: it does not go on from that of 12, and costs all of its time. After 200
    epochs, `valid` and `test` are the same, validation accuracy.
    """

    short: TabularBenchmark
    full: TabularBenchmark

    epochs = FULL_EPOCHS
    seeds = 1

    @property
    def space(self) -> Space:
        """The cell space."""
        return self.full.space

    def query(self, arch: Arch, epochs: int | None = None, seed: int | None = None) -> Evaluation:
        """What 12 or 200 epochs (None: 200) gave; ValueError for another length."""
        if epochs not in (None, SEARCH_EPOCHS, FULL_EPOCHS):
            raise ValueError(f"epochs must be {SEARCH_EPOCHS}, {FULL_EPOCHS} or None for all, got {epochs!r}")
        if epochs == SEARCH_EPOCHS:
            return self.short.query(arch, seed=seed)._replace(test=None)
        return self.full.query(arch, seed=seed)

    def best(self, metric: Metric = "test") -> tuple[Arch, float]:
        """The best cell after 200 epochs, and its value."""
        return self.full.best(metric)


DEVICE_COLUMNS = {
    "raspi4": "Raspberry Pi 4",
    "pixel3": "Pixel 3",
    "eyeriss": "Eyeriss",
    "gold_6226": "Xeon Gold 6226",
}
"""Devices whose latencies the file has, and what they are called; the first three are HW-NAS-Bench's."""
BOGUS_MS = 0.1
"""Latencies below this are no measurements: on Raspberry Pi 4 and Pixel 3, some disconnected cells have such."""


def device_latencies(path: Path | str) -> dict[str, NDArray[np.float64]]:
    """Measured latencies of the cell space's networks on the devices of `DEVICE_COLUMNS`, as `latencies` reads them.

    Args:
        path: an npz file with the columns `arch` and `lat_<device>_ms`, 15,625 rows in any order.

    Returns:
        By the name of the device; only the devices that the file has.

    Raises:
        OSError: the file cannot be read.
        ValueError: the column `arch` is missing.
    """
    there = latency_devices(path)
    return {name: latencies(path, column).ms for column, name in DEVICE_COLUMNS.items() if column in there}


@dataclass(frozen=True, eq=False)
class Latencies:
    """Latencies of the cell space's networks on one device.

    Attributes:
        device: as the file calls it.
        ms: float64 (15,625,), milliseconds in the space's index order; NaN where the file has no measurement.
        dropped: how many values were dropped, by the reason.
    """

    device: str
    ms: NDArray[np.float64]
    dropped: Mapping[str, int]

    def __str__(self) -> str:
        kept = self.ms[np.isfinite(self.ms)]
        dropped = ", ".join(f"{number} {reason}" for reason, number in self.dropped.items()) or "nothing"
        spread = f"{kept.min():.3g} to {kept.max():.3g} ms, median {np.median(kept):.3g}"
        return f"{self.device}: {len(kept):,} cells, {spread}; dropped: {dropped}"


def latency_devices(path: Path | str, dataset: str = "cifar10") -> tuple[str, ...]:
    """The devices that `latencies` can read from a file or folder; arguments and errors are the same."""
    return tuple(sorted(_latency_source(at(path), dataset)[0]))


def latencies(
    path: Path | str, device: str, dataset: str = "cifar10", below_ms: float = BOGUS_MS
) -> Latencies:
    """Latencies of NAS-Bench-201's networks on a device, from whichever of three formats is at `path`.

    - HW-NAS-Bench's pickle (Li et al. 2021, arXiv:2103.10584), `HW-NAS-Bench-v1_0.pickle`. Only plain data is read from
      it, no program.
    - HELP's folder (Lee et al. 2021, arXiv:2106.08630), `data/nasbench201`: `latency/<device>.pt` and
      `str_arch2idx.pt`.
    - An npz file with the columns `arch` and `lat_<device>_ms`, 15,625 rows in any order.

    Args:
        path: the file or folder.
        device: its name there, such as "raspi4" or "titan_rtx_256"; `latency_devices` lists them.
        dataset: of HW-NAS-Bench's networks: "cifar10", "cifar100" or "ImageNet16-120".
        below_ms: what is faster is no measurement, and dropped, as is what is not a positive number.

    Raises:
        OSError: nothing can be read at `path`.
        ValueError: it is none of these formats, lacks the device, or its rows are not the space's cells.
    """
    columns, cells = _latency_source(at(path), dataset)
    if device not in columns:
        raise ValueError(f"device must be one of {', '.join(sorted(columns))} in {path}, got {device!r}")
    values = np.asarray(columns[device](), dtype=np.float64)
    space = CellSpace()
    try:
        rows = np.array([space.index(space.parse(text)) for text in cells()])
    except (TypeError, ValueError) as error:
        raise ValueError(f"path must hold the space's cells, got {path}: {error}") from error
    if values.shape != (len(space),) or not np.array_equal(np.sort(rows), np.arange(len(space))):
        raise ValueError(
            f"path must hold a latency for each of the {len(space)} cells once, got {values.size} for "
            f"{len(set(rows.tolist()))} cells in {path}"
        )
    ms = np.empty(len(space))
    ms[rows] = values
    faults = {
        "not positive numbers": ~(np.isfinite(ms) & (ms > 0)),
        f"below {below_ms:g} ms": np.isfinite(ms) & (ms > 0) & (ms < below_ms),
    }
    dropped = {reason: int(bad.sum()) for reason, bad in faults.items() if bad.any()}
    return Latencies(device, np.where(np.logical_or(*faults.values()), np.nan, ms), dropped)


_Columns: TypeAlias = Mapping[str, Callable[[], Any]]
_Cells: TypeAlias = Callable[[], list[str]]


def _latency_source(path: Path, dataset: str) -> tuple[_Columns, _Cells]:
    """By device what reads its column, and what gives the official string of each row."""
    if path.is_dir():
        return _help_folder(path)
    with path.open("rb") as file:
        zipped = file.read(2) == b"PK"
    return _npz_columns(path) if zipped else _hw_nas_bench(path, dataset)


def _npz_columns(path: Path) -> tuple[_Columns, _Cells]:
    data = _numbers_of(path)
    if "arch" not in data:
        raise ValueError(f"path must be a file with the column arch, got {path}")
    found = {
        name.removeprefix("lat_").removesuffix("_ms"): partial(data.__getitem__, name)
        for name in data
        if name.startswith("lat_") and name.endswith("_ms")
    }
    return found, lambda: [_text(text) for text in data["arch"]]


def _help_folder(path: Path) -> tuple[_Columns, _Cells]:
    import torch

    def load(file: Path) -> Any:
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises what it comes upon
            raise ValueError(
                f"path must hold HELP's files, {file} cannot be read ({type(error).__name__})"
            ) from error

    numbers, files = path / "str_arch2idx.pt", sorted(path.glob("latency/*.pt"))
    if not (numbers.is_file() and files):
        raise ValueError(
            f"path must be HELP's folder data/nasbench201 with str_arch2idx.pt and latency/<device>.pt, got {path}"
        )

    def cells() -> list[str]:
        known = load(numbers)
        return sorted(known, key=known.__getitem__)

    return {file.stem: partial(load, file) for file in files}, cells


def _hw_nas_bench(path: Path, dataset: str) -> tuple[_Columns, _Cells]:
    try:
        with path.open("rb") as file:
            content = _PlainUnpickler(file).load()
        spaces = content["nasbench201"]
    except (
        pickle.UnpicklingError,
        EOFError,
        KeyError,
        TypeError,
        ValueError,
        IndexError,
        AttributeError,
    ) as error:
        raise ValueError(
            f"path must be HW-NAS-Bench's pickle, HELP's folder or an npz file, got {path} "
            f"({type(error).__name__}: {error})"
        ) from error
    if not isinstance(spaces, Mapping):
        raise ValueError(f"path must hold a table for each dataset, got {path}")
    if dataset not in spaces:
        raise ValueError(f"dataset must be one of {', '.join(map(str, spaces))} in {path}, got {dataset!r}")
    table = spaces[dataset]
    if not isinstance(table, Mapping) or "config" not in table:
        raise ValueError(f"path must say which architecture each row is (config), got {path}")
    found = {
        name.removesuffix("_latency"): partial(table.__getitem__, name)
        for name in table
        if name.endswith("_latency")
    }
    return found, lambda: [one["arch_str"] for one in table["config"]]


class _PlainUnpickler(pickle.Unpickler):
    """Reads numbers, strings, containers and numpy's arrays, and nothing else, since a pickle can run programs."""

    PLAIN = frozenset(
        {"ndarray", "dtype", "scalar", "_reconstruct", "_frombuffer", "OrderedDict", "defaultdict"}
    )

    def find_class(self, module: str, name: str) -> Any:
        """The few classes of plain data."""
        if name in self.PLAIN and module.split(".")[0] in ("numpy", "collections"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it holds {module}.{name}, which is no plain data")
