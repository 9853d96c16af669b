"""Benchmarks: what a search asks for the accuracy and the price of an architecture.

`TabularBenchmark` answers from arrays, in microseconds: the course's own table (`TabularBenchmark.load()`),
or any arrays in the order of a space. `NATSBench` asks the published benchmark's files the same questions.
Nothing is trained here, and torch is not needed; `TableFile` is the format of the table builder's results.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nas_lib._files import at
from nas_lib.spaces import Arch, CellSpace, ProductSpace, Space

Metric: TypeAlias = Literal["valid", "test"]
METRICS: tuple[Metric, ...] = ("valid", "test")

TABLE_PATH = Path(__file__).parent / "assets" / "cell_table.npz"
"""The course's table: every cell of `CellSpace()`, trained."""


class Evaluation(NamedTuple):
    """What a benchmark knows about one architecture.

    Accuracies in percent; `seconds` is what the evaluation would have cost (a simulated price, not the time
    of the query). None stands for what the benchmark does not know; `test` is known after full training only.
    """

    valid: float
    test: float | None
    seconds: float | None
    params: int | None
    macs: int | None


class Benchmark(Protocol):
    """What searches ask of a benchmark."""

    @property
    def space(self) -> Space:
        """The space whose architectures can be asked for."""
        ...

    @property
    def epochs(self) -> int:
        """Length of full training."""
        ...

    @property
    def seeds(self) -> int:
        """Number of training seeds per architecture."""
        ...

    def query(self, arch: Arch, epochs: int | None = None, seed: int | None = None) -> Evaluation:
        """The result of training `arch` for `epochs` (None: all) with one seed (None: mean over seeds)."""
        ...

    def best(self, metric: Metric = "test") -> tuple[Arch, float]:
        """The best architecture and its value, mean over seeds, after full training.

        Raises:
            NotImplementedError: nobody knows it.
        """
        ...


def _count(name: str, value: Any, low: int, high: int, none: str) -> int:
    """`value` as an int in low … high, or an error; `none` says what None would have meant."""
    accepted = f"{name} must be an integer from {low} to {high}, or None for {none}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{accepted}, got {value!r}")
    if not low <= value <= high:
        raise ValueError(f"{accepted}, got {value!r}")
    return int(value)


def _require_metric(metric: Any) -> None:
    if metric not in METRICS:
        raise ValueError(f"metric must be 'valid' or 'test', got {metric!r}")


# -------------------------------------------------------------------------------------------------- tables


class TabularBenchmark:
    """A benchmark that knows the result of every architecture of a space.

    Make one with `TabularBenchmark.load()` (the course's table) or `TabularBenchmark.from_arrays(...)`.

    Attributes:
        space: the search space; the arrays are in its index order, n = len(space).
        seeds, epochs: S, the training seeds per architecture, and E, the epochs of full training.
        valid: float64 (n, S, E), validation accuracy in percent after each epoch.
        test: float64 (n, S), test accuracy in percent after the last epoch, or None.
        seconds: float64 (n,), price of full training in seconds, or None.
        params, macs: int64 (n,), or None.
        table: the file behind the arrays (recipe, functions, measured times), or None.

    All arrays are read-only.
    """

    space: Space
    seeds: int
    epochs: int
    valid: NDArray[np.float64]
    test: NDArray[np.float64] | None
    seconds: NDArray[np.float64] | None
    params: NDArray[np.int64] | None
    macs: NDArray[np.int64] | None
    table: TableFile | None
    _seconds: NDArray[np.float64] | None
    _valid_mean: NDArray[np.float64]
    _test_mean: NDArray[np.float64] | None
    _answers: dict[Arch, Evaluation]

    def __init__(self) -> None:
        raise TypeError("TabularBenchmark is made by TabularBenchmark.load() or .from_arrays(...)")

    @classmethod
    def from_arrays(
        cls,
        space: Space,
        valid: ArrayLike,
        test: ArrayLike | None = None,
        seconds: ArrayLike | None = None,
        params: ArrayLike | None = None,
        macs: ArrayLike | None = None,
    ) -> TabularBenchmark:
        """A benchmark of arrays in the space's index order (n = len(space) rows).

        Args:
            space: any object that follows the `Space` protocol.
            valid: (n,), (n, seeds) or (n, seeds, epochs), percent.
            test: the same shapes; with epochs, the last one counts.
            seconds: (n,), price of full training, of which fewer epochs cost their share; or (n, epochs), the
                price of the first 1, 2, … epochs, not falling.
            params, macs: (n,), whole numbers.

        Of `valid` and `test`, one may have a single seed, which then stands for each seed of the other (it is
        a mean already, or the only one there is).

        Raises:
            TypeError: `space` lacks a part of the protocol, or an array does not hold numbers.
            ValueError: a wrong shape, a value that is not finite, a negative price, a broken count.
        """
        n = _size(space)
        values = _scores("valid", valid, n)
        finals = None if test is None else _scores("test", test, n)[:, :, -1]
        if finals is not None and values.shape[1] != finals.shape[1]:
            if 1 not in (values.shape[1], finals.shape[1]):
                raise ValueError(
                    f"test must have as many seeds as valid, or one of them a single seed, "
                    f"got {finals.shape[1]} and {values.shape[1]}"
                )
            seeds = max(values.shape[1], finals.shape[1])
            values = np.repeat(values, seeds // values.shape[1], axis=1)
            finals = np.repeat(finals, seeds // finals.shape[1], axis=1)
        prices = None if seconds is None else _prices(seconds, n, values.shape[2])
        counts = {
            name: None if given is None else _whole(name, given, n)
            for name, given in (("params", params), ("macs", macs))
        }
        return cls._build(space, values, finals, prices, counts["params"], counts["macs"], None)

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None, verify: bool = True) -> TabularBenchmark:
        """The course's table, or another file of its format.

        Args:
            path: a file written by `TableFile.write`; None for the one that comes with the library.
            verify: recompute the content hash (3 ms) and compare it with the one in the file.

        Raises:
            FileNotFoundError: no such file.
            ValueError: not a table of this version, or (with `verify`) its content is not what was written.
        """
        table = TableFile.read(TABLE_PATH if path is None else path, verify=verify)
        space = CellSpace()
        if len(table.function) != len(space):
            raise ValueError(f"the table must have {len(space)} cells, got {len(table.function)}")
        # Percent first, for the functions; then cells that compute the same function share a row's values.
        valid = (100.0 * table.valid_correct / table.valid_size)[table.function]
        test = (100.0 * table.test_correct / table.test_size)[table.function]
        share = np.arange(1, valid.shape[2] + 1) / valid.shape[2]
        seconds = table.seconds.astype(np.float64)[:, None] * share
        counts = (table.params.astype(np.int64), table.macs.astype(np.int64))
        return cls._build(space, valid, test, seconds, *counts, table)

    @classmethod
    def _build(
        cls,
        space: Space,
        valid: NDArray[np.float64],
        test: NDArray[np.float64] | None,
        seconds: NDArray[np.float64] | None,
        params: NDArray[np.int64] | None,
        macs: NDArray[np.int64] | None,
        table: TableFile | None,
    ) -> TabularBenchmark:
        """The arguments are checked, owned by us, and have their full shapes; `seconds` is (n, epochs)."""
        self = cls.__new__(cls)
        self.space, self.table = space, table
        self.valid, self.test, self.params, self.macs = valid, test, params, macs
        _, self.seeds, self.epochs = valid.shape
        self.seconds = None if seconds is None else seconds[:, -1]
        self._seconds = seconds
        self._answers = {}
        self._valid_mean = valid.mean(axis=1)
        self._test_mean = None if test is None else test.mean(axis=1)
        for array in vars(self).values():
            if isinstance(array, np.ndarray):
                array.flags.writeable = False
        return self

    def query(self, arch: Arch, epochs: int | None = None, seed: int | None = None) -> Evaluation:
        """What training `arch` gave.

        Args:
            arch: an architecture of `space`.
            epochs: how long it was trained, 1 … `self.epochs`; None for full training.
            seed: which training, 0 … `self.seeds` − 1; None for the mean over seeds.

        Returns:
            Accuracies in percent (`test` after full training only) and the price of that training in seconds.

        Raises:
            TypeError, ValueError: `epochs` or `seed` is out of range, or `arch` is not in the space.
        """
        if epochs is not None or seed is not None:
            return self._answer(self.space.index(arch), epochs, seed)
        try:  # the question of nearly all searches, answered from memory; `suppress` takes longer
            return self._answers[arch]
        except (KeyError, TypeError):  # new, or spelled as something that cannot be a key
            pass
        i = self.space.index(arch)
        answer = self._answers[self.space.from_index(i)] = self._answer(i, None, None)
        return answer

    def _answer(self, i: int, epochs: int | None, seed: int | None) -> Evaluation:
        last = self.epochs - 1
        epoch = last if epochs is None else _count("epochs", epochs, 1, self.epochs, "full training") - 1
        test: float | None = None
        if seed is None:
            valid = self._valid_mean.item(i, epoch)
            if epoch == last and self._test_mean is not None:
                test = self._test_mean.item(i)
        else:
            seed = _count("seed", seed, 0, self.seeds - 1, "the mean over seeds")
            valid = self.valid.item(i, seed, epoch)
            if epoch == last and self.test is not None:
                test = self.test.item(i, seed)
        return Evaluation(
            valid,
            test,
            None if self._seconds is None else self._seconds.item(i, epoch),
            None if self.params is None else self.params.item(i),
            None if self.macs is None else self.macs.item(i),
        )

    def best(self, metric: Metric = "test") -> tuple[Arch, float]:
        """The best architecture (the first of equal ones) and its value, mean over seeds after full training.

        Raises:
            ValueError: another metric, or "test" where the benchmark has no test values.
        """
        values = self.final(metric)
        i = int(values.argmax())
        return self.space.from_index(i), float(values[i])

    def final(self, metric: Metric = "test") -> NDArray[np.float64]:
        """(n,) values after full training, mean over seeds, in the space's index order."""
        _require_metric(metric)
        if metric == "valid":
            return self._valid_mean[:, -1]
        if self._test_mean is None:
            raise ValueError("metric must be 'valid' where a benchmark has no test values, got 'test'")
        return self._test_mean

    def __len__(self) -> int:
        return len(self.valid)

    def __repr__(self) -> str:
        names = ("valid", "test", "seconds", "params", "macs")
        known = ", ".join(name for name in names if getattr(self, name) is not None)
        sizes = f"{len(self)} architectures, {self.seeds} seeds, {self.epochs} epochs"
        return f"TabularBenchmark({self.space!r}: {sizes}; {known})"


def _size(space: Any) -> int:
    missing = [name for name in ("index", "from_index", "sample", "__len__") if not hasattr(space, name)]
    if missing:
        lacks = ", ".join(missing)
        raise TypeError(f"space must follow the Space protocol, got {space!r}, which lacks {lacks}")
    try:
        n = len(space)
    except OverflowError:
        raise ValueError(
            f"space must have an architecture for each row, got {space!r}, which cannot be counted"
        ) from None
    if n == 0:
        raise ValueError(f"space must hold at least one architecture, got {space!r}, which is empty")
    return n


def _numbers(name: str, values: ArrayLike) -> NDArray[Any]:
    if np.ma.is_masked(values):
        raise ValueError(f"{name} must hold every value, got {np.ma.count_masked(values)} masked ones")
    try:
        array = np.asarray(
            values.detach() if hasattr(values, "detach") else values
        )  # torch's may carry gradients
    except ValueError as error:  # rows of different lengths
        raise ValueError(
            f"{name} must be an array of numbers, got {type(values).__name__} ({error})"
        ) from None
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be an array of numbers, got {array.dtype} values")
    bad = np.count_nonzero(~np.isfinite(array))
    if bad:
        raise ValueError(f"{name} must be finite, got {bad} NaN or infinite values")
    return array


def _scores(name: str, values: ArrayLike, n: int) -> NDArray[np.float64]:
    """Values as a new array (n, seeds, epochs)."""
    array = _numbers(name, values)
    if array.ndim not in (1, 2, 3) or array.shape[0] != n or 0 in array.shape:
        accepted = f"({n},), ({n}, seeds) or ({n}, seeds, epochs)"
        raise ValueError(f"{name} must have shape {accepted} for this space, got {array.shape}")
    return np.array(array, dtype=np.float64).reshape(array.shape + (1,) * (3 - array.ndim))


def _prices(values: ArrayLike, n: int, epochs: int) -> NDArray[np.float64]:
    """Seconds as a new array (n, epochs): the price of the first e epochs, for each e."""
    array = _numbers("seconds", values)
    if array.shape not in ((n,), (n, epochs)):
        raise ValueError(f"seconds must have shape ({n},) or ({n}, {epochs}), got {array.shape}")
    if (array < 0).any():
        raise ValueError(f"seconds must not be negative, got {array.min()}")
    if array.ndim == 1:
        return np.asarray(array, dtype=np.float64)[:, None] * (np.arange(1, epochs + 1) / epochs)
    if (np.diff(array, axis=1) < 0).any():
        raise ValueError("seconds of shape (n, epochs) must be running totals, got some that fall")
    return np.array(array, dtype=np.float64)


def _whole(name: str, values: ArrayLike, n: int) -> NDArray[np.int64]:
    array = _numbers(name, values)
    if array.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), got {array.shape}")
    broken = (array < 0) | (array != np.floor(array))
    if broken.any():
        raise ValueError(f"{name} must be whole numbers from 0 up, got {array[broken][0]}")
    limit = {"i": np.inf, "u": np.uint64(2**63), "f": 2.0**63}[array.dtype.kind]  # each holds it exactly
    if (large := array >= limit).any():
        raise ValueError(f"{name} must be below 2**63, got {array[large][0]}")
    return np.array(array, dtype=np.int64)


# --------------------------------------------------------------------------------------------- table file


@dataclass(frozen=True, eq=False)
class TableFile:
    """The table as it lies on disk: what was measured for F functions, S seeds and E epochs, nothing derived.

    Accuracies belong to functions (cells that compute the same function share them) and are kept as counts,
    which round nothing; price, parameters and MACs belong to cells (dead convolutions count).

    Attributes:
        function: uint16 (cells,), the number of each cell's function, in the space's index order.
        valid_correct: uint16 (F, S, E), correct validation images after each epoch.
        valid_size: int64 (E,), validation images looked at after each epoch.
        test_correct: uint16 (F, S), correct test images after the last epoch.
        test_size: test images looked at.
        function_seconds: float32 (F, S), measured training time of one network, one thread.
        seconds: float32 (cells,), price of training the cell.
        params, macs: uint32 (cells,).
        recipe: how the networks were trained (data that JSON can hold).
        cpu: the machine on which the seconds were measured.

    Raises:
        ValueError: arrays that do not fit together, counts above their size, functions without a cell.
    """

    function: NDArray[np.uint16]
    valid_correct: NDArray[np.uint16]
    valid_size: NDArray[np.int64]
    test_correct: NDArray[np.uint16]
    test_size: int
    function_seconds: NDArray[np.float32]
    seconds: NDArray[np.float32]
    params: NDArray[np.uint32]
    macs: NDArray[np.uint32]
    recipe: Mapping[str, Any]
    cpu: str

    VERSION = 1

    def __post_init__(self) -> None:
        for name, dtype in _TABLE_DTYPES.items():
            object.__setattr__(self, name, _exactly(name, getattr(self, name), dtype))
        if self.valid_correct.ndim != 3 or 0 in self.valid_correct.shape:
            raise ValueError(f"valid_correct must have shape (F, S, E), got {self.valid_correct.shape}")
        functions, seeds, epochs = self.valid_correct.shape
        cells = self.function.shape[0] if self.function.ndim == 1 else -1
        expected = {
            "function": (cells,),
            "valid_size": (epochs,),
            "test_correct": (functions, seeds),
            "function_seconds": (functions, seeds),
            "seconds": (cells,),
            "params": (cells,),
            "macs": (cells,),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} must have shape {shape} here, got {getattr(self, name).shape}")
        if not np.array_equal(np.unique(self.function), np.arange(functions)):
            raise ValueError(f"function must use every number from 0 to {functions - 1} and no other")
        if (self.valid_size < 1).any() or (self.valid_correct > self.valid_size).any():
            raise ValueError("valid_correct must not exceed valid_size, which must be positive")
        if self.test_size < 1 or (self.test_correct > self.test_size).any():
            raise ValueError("test_correct must not exceed test_size, which must be positive")
        for name in ("seconds", "function_seconds"):
            if not (np.isfinite(getattr(self, name)).all() and (getattr(self, name) > 0).all()):
                raise ValueError(f"{name} must be positive and finite")

    @property
    def content_hash(self) -> str:
        """SHA-256 (hex) over names, types, shapes and bytes of everything in the file."""
        return _content_hash(self._arrays())

    def write(self, path: str | os.PathLike[str]) -> str:
        """Write the file (the same content gives the same bytes) and return its content hash.

        A file that is there already is replaced in one step, so that a reader never sees half of one.
        """
        path = at(path)
        digest = self.content_hash
        part = path.with_name(path.name + ".part")
        with part.open("wb") as file:
            np.savez_compressed(file, **self._arrays(), content_hash=np.array(digest))  # type: ignore[arg-type]
        part.replace(path)
        return digest

    @classmethod
    def read(cls, path: str | os.PathLike[str], verify: bool = True) -> TableFile:
        """Read a file that `write` left.

        Raises:
            FileNotFoundError: no such file.
            ValueError: not such a file, another version, or (with `verify`) content that was changed.
        """
        path = at(path)
        if not path.is_file():
            raise FileNotFoundError(
                f"there is no table at {path}: `make table` builds it, and a released nas_lib brings it along"
            )
        try:
            with np.load(path, allow_pickle=False) as data:
                content = {name: data[name] for name in data.files}
        except Exception as error:  # zip, zlib, struct and numpy errors alike mean that it is no intact table
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(f"{path} is not an intact table file ({reason})") from error
        needed = {field.name for field in fields(cls)} | {"version", "content_hash"}
        if needed - set(content):
            lacks = ", ".join(sorted(needed - set(content)))
            raise ValueError(f"{path} is not a table file: it lacks {lacks}")
        version = content["version"].item()
        if version != cls.VERSION:
            raise ValueError(f"{path} has table version {version}, this nas_lib reads version {cls.VERSION}")
        recorded = content.pop("content_hash").item()
        if verify and _content_hash(content) != recorded:
            raise ValueError(f"{path} was changed after it was written: its content hash is not {recorded}")
        return cls(
            **{name: content[name] for name in _TABLE_DTYPES},
            test_size=content["test_size"].item(),
            recipe=json.loads(content["recipe"].item()),
            cpu=content["cpu"].item(),
        )

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            **{name: getattr(self, name) for name in _TABLE_DTYPES},
            "version": np.array(self.VERSION, dtype=np.int64),
            "test_size": np.array(self.test_size, dtype=np.int64),
            "recipe": np.array(json.dumps(dict(self.recipe), sort_keys=True)),
            "cpu": np.array(self.cpu),
        }


_TABLE_DTYPES: dict[str, type[np.generic]] = {
    "function": np.uint16,
    "valid_correct": np.uint16,
    "valid_size": np.int64,
    "test_correct": np.uint16,
    "function_seconds": np.float32,
    "seconds": np.float32,
    "params": np.uint32,
    "macs": np.uint32,
}


def _content_hash(arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _exactly(name: str, values: ArrayLike, dtype: type[np.generic]) -> NDArray[Any]:
    """Values in the type of the file; integers must survive the change."""
    if np.ma.is_masked(values):
        raise ValueError(f"{name} must hold every value, got {np.ma.count_masked(values)} masked ones")
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be an array of numbers, got {array.dtype} values")
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(np.dtype(dtype))
        if array.size and not (array.min() >= limits.min and array.max() <= limits.max):
            raise ValueError(f"{name} must fit {np.dtype(dtype)}, got {array.min()} … {array.max()}")
        if array.dtype.kind == "f" and (array != np.floor(array)).any():
            raise ValueError(f"{name} must hold whole numbers, got {array[array != np.floor(array)][0]}")
    return np.array(array, dtype=dtype)


# ---------------------------------------------------------------------------------------------- NATS-Bench


SIZE_CHANNELS = tuple(range(8, 65, 8))
"""NATS-Bench's options for the channels of each of five layers."""


def size_space() -> ProductSpace:
    """NATS-Bench's size space: the channels of five layers, 32,768 architectures, spelled `8:64:16:32:40`.

    Dong et al. 2021 (arXiv:2009.00437, section 3.2). As everywhere here, the index is lexicographic and not the
    official one.
    """
    layers = {f"channels{i}": SIZE_CHANNELS for i in range(1, 6)}
    return ProductSpace(layers, parse=_read_channels, spell=_spell_channels)


def _spell_channels(arch: Arch) -> str:
    return ":".join(map(str, arch))


def _read_channels(string: str) -> tuple[int, ...] | None:
    return tuple(map(int, string.split(":"))) if re.fullmatch(r"[1-9]\d?(:[1-9]\d?){4}", string) else None


class _Family(NamedTuple):
    """One of NATS-Bench's two spaces: what its files are called, and what is in them."""

    tag: str
    lengths: tuple[int, ...]
    name: str
    space: Callable[[], Space]
    what: str

    def key(self, epochs: int) -> str:
        """What the files call full training of that length."""
        return f"{epochs:02d}"


_FAMILIES = {
    "topology": _Family("tss", (12, 200), "NATS-tss-v1_0-3ffb9", CellSpace, "cell"),
    "size": _Family("sss", (1, 12, 90), "NATS-sss-v1_0-50262", size_space, "architecture"),
}


class NATSBench:
    """NATS-Bench's two spaces, read through its own package and asked as any benchmark.

    The topology space is NAS-Bench-201's cells, the size space the channels of five layers. Needs `pip install
    nats_bench` and the published file or folder (1–2 GB; the folder, `*-simple`, is read architecture by
    architecture). These are pickles, which can run programs: open none but the authors'. Architectures are mapped by
    their strings: the official index differs from ours. Answers are kept, since the package takes milliseconds for
    each.

    As in the paper's protocol (Dong et al. 2021, arXiv:2009.00437), on CIFAR-10 `valid` comes from networks
    trained on the training half ("cifar10-valid") and `test` from networks trained on both halves; the price
    is the training time up to that epoch plus one pass over the validation set. Cells have one to three
    trainings: `seed=k` is training k modulo their number, so every answer is a measured one. Of the size space,
    `seeds` is the number of trainings that the files hold.

    Args:
        path: the file `NATS-tss-v1_0-3ffb9.pickle.pbz2` or the folder `NATS-tss-v1_0-3ffb9-simple`; of the size
            space, `NATS-sss-v1_0-50262`.
        dataset: "cifar10", "cifar100" or "ImageNet16-120".
        epochs: length of full training (separate sets of trainings): 200 or 12; of the size space 90, 12 or 1. None for
            the longest.
        space: "topology" or "size"; None to tell by the name of the file.

    Raises:
        ModuleNotFoundError: the package is not installed.
        FileNotFoundError: there is nothing at `path`.
        ValueError: another dataset, length or space, or what is at `path` is not what the package reads.
    """

    DATASETS = ("cifar10", "cifar100", "ImageNet16-120")

    def __init__(
        self,
        path: str | os.PathLike[str],
        dataset: str = "cifar10",
        epochs: int | None = None,
        space: Literal["topology", "size"] | None = None,
    ) -> None:
        if dataset not in self.DATASETS:
            raise ValueError(f"dataset must be one of {', '.join(self.DATASETS)}, got {dataset!r}")
        path = at(path)
        if space not in (None, *_FAMILIES):
            raise ValueError(f"space must be 'topology', 'size' or None, got {space!r}")
        self._family = _FAMILIES[space or ("size" if "sss" in path.name else "topology")]
        lengths = self._family.lengths
        if isinstance(epochs, bool) or epochs not in (None, *lengths):
            accepted = f"{', '.join(map(str, lengths[:-1]))} or {lengths[-1]}"
            raise ValueError(f"epochs must be {accepted}, got {epochs!r}")
        try:
            package = importlib.import_module("nats_bench")
        except ModuleNotFoundError as error:
            if error.name != "nats_bench":
                raise
            message = "NATSBench needs the package nats_bench: `pip install nats_bench`"
            raise ModuleNotFoundError(message, name="nats_bench") from None
        _check_nats_path(path, self._family)
        self.space = self._family.space()
        self.dataset = dataset
        self.epochs = lengths[-1] if epochs is None else int(epochs)
        self._path, self._hp = path, self._family.key(self.epochs)
        try:
            self._api = package.create(str(path), self._family.tag, fast_mode=path.is_dir(), verbose=False)
        except (
            Exception
        ) as error:  # a cut-off or foreign file: bz2, pickle and the package raise what they come upon
            raise ValueError(f"{_nats_accepted(self._family)}, {_unreadable(path, error)}") from error
        self.seeds = 3 if self._family.tag == "tss" else self._trainings_of_one()
        self._answers: dict[tuple[Arch, int, int | None], Evaluation] = {}
        self._best: dict[Metric, tuple[Arch, float]] = {}

    def query(self, arch: Arch, epochs: int | None = None, seed: int | None = None) -> Evaluation:
        """What training `arch` gave; arguments and result as in `TabularBenchmark.query`.

        Raises:
            TypeError, ValueError: `epochs` or `seed` is out of range, `arch` is not in the space or not in the files,
                or there is no validation accuracy after that epoch (CIFAR-100 and ImageNet16-120: only after the last).
        """
        epoch = self.epochs if epochs is None else _count("epochs", epochs, 1, self.epochs, "full training")
        if seed is not None:
            seed = _count("seed", seed, 0, self.seeds - 1, "the mean over seeds")
        try:
            return self._answers[arch, epoch, seed]
        except (KeyError, TypeError):  # new, or spelled as something that cannot be a key
            pass
        own = self.space.from_index(self.space.index(arch))
        answer = self._answers[own, epoch, seed] = self._ask(own, epoch, seed)
        return answer

    def best(self, metric: Metric = "test") -> tuple[Arch, float]:
        """The best architecture and its value, mean over its trainings; asks for every one once (minutes)."""
        _require_metric(metric)
        if not self._best:
            archs = [self.space.from_index(i) for i in range(len(self.space))]
            scores = np.array([_final_scores(self.query(arch)) for arch in archs])
            for column, name in enumerate(METRICS):
                if not np.isnan(scores[:, column]).all():
                    i = int(np.nanargmax(scores[:, column]))
                    self._best[name] = (archs[i], float(scores[i, column]))
        if metric not in self._best:
            raise ValueError(f"metric must be one that the files hold, got {metric!r}")
        return self._best[metric]

    def _ask(self, arch: Arch, epoch: int, seed: int | None) -> Evaluation:
        index = self._official_index(arch)
        validated_on = "cifar10-valid" if self.dataset == "cifar10" else self.dataset
        try:
            info = self._info(index, validated_on, epoch, seed)
            test = None
            if epoch == self.epochs:
                tested = (
                    info if validated_on == self.dataset else self._info(index, self.dataset, epoch, seed)
                )
                test = None if tested.get("test-accuracy") is None else float(tested["test-accuracy"])
            cost = self._api.get_cost_info(index, validated_on, hp=self._hp)
        except Exception as error:  # the package asserts that files are there, and finds keys or does not
            lacks = f"which {self._path} lacks ({type(error).__name__}: {error})"
            raise ValueError(
                f"arch must be one whose training on {self.dataset} for {self.epochs} epochs the files hold, "
                f"got {self.space.str(arch)}, {lacks}"
            ) from error
        if info.get("valid-accuracy") is None:
            lacks = f"NATS-Bench has no validation accuracy of {self.dataset} after epoch {epoch}"
            raise ValueError(f"epochs must be None or {self.epochs} here, got {epoch}: {lacks}")
        seconds = info.get("train-all-time")
        if seconds is not None:
            seconds = float(seconds) + float(info.get("valid-per-time") or 0.0)
        # The package gives both in millions; what it calls FLOPs are multiply–accumulates.
        params, macs = (round(1e6 * float(cost[name])) for name in ("params", "flops"))
        return Evaluation(float(info["valid-accuracy"]), test, seconds, params, macs)

    def _trainings_of_one(self) -> int:
        """Trainings of one architecture in the files; in the size space all have equally many."""
        held = [int(file.name.split(".")[0]) for file in self._path.glob("[0-9]*.pickle.pbz2")]
        held += list(self._api.evaluated_indexes)
        dataset = "cifar10-valid" if self.dataset == "cifar10" else self.dataset
        try:
            info = self._api.query_meta_info_by_index(min(held), self._hp)
            return max(1, len(info.get_dataset_seeds(dataset)))
        except Exception:  # that one lacks this dataset or length: a query says so, with its name
            return 1

    def _official_index(self, arch: Arch) -> int:
        index = int(self._api.query_index_by_arch(self.space.str(arch)))
        if index < 0:
            what = self._family.what
            raise ValueError(
                f"arch must be a{'n' * (what[0] == 'a')} {what} of the NATS-Bench files, got {self.space.str(arch)}"
            )
        return index

    def _info(self, index: int, dataset: str, epoch: int, seed: int | None) -> dict[str, Any]:
        """The package's record of one training (or of the mean over them) after `epoch` epochs."""
        which: bool | int = False  # the package's word for the mean
        if seed is not None:
            trained = self._api.query_meta_info_by_index(index, self._hp).get_dataset_seeds(dataset)
            which = trained[seed % len(trained)]
        last = epoch == self.epochs
        info: dict[str, Any] = self._api.get_more_info(
            index, dataset, iepoch=None if last else epoch - 1, hp=self._hp, is_random=which
        )
        return info

    def __repr__(self) -> str:
        kind = "" if self._family.tag == "tss" else "size space, "
        return f"NATSBench({kind}{self.dataset}, {self.epochs} epochs)"


def _nats_accepted(family: _Family) -> str:
    return f"path must be NATS-Bench's file {family.name}.pickle.pbz2 or its folder {family.name}-simple"


def _unreadable(path: Path, error: Exception) -> str:
    return f"{path} cannot be read as such: cut off, or another file ({type(error).__name__}: {error})"


def _check_nats_path(path: Path, family: _Family) -> None:
    """Say what is wrong with a path in words, before the package does in its own."""
    accepted = _nats_accepted(family)
    if not path.exists():
        where = "github.com/D-X-Y/NATS-Bench has the addresses"
        raise FileNotFoundError(f"there is no NATS-Bench file or folder at {path}: {where}")
    if path.is_dir():
        if not (path / "meta.pickle.pbz2").is_file():
            inner = path / path.name
            found = (
                f"; is it {inner}?"
                if (inner / "meta.pickle.pbz2").is_file()
                else ": unpack the archive again"
            )
            raise ValueError(f"{accepted}, got the folder {path} without a meta.pickle.pbz2{found}")
        return
    if path.suffix == ".pth":
        raise ValueError(f"{accepted}, got {path}, the older NAS-Bench-201's, which nats_bench cannot read")
    with path.open("rb") as file:
        compressed = file.read(3) == b"BZh"
    if not compressed and tarfile.is_tarfile(path):
        raise ValueError(
            f"{accepted}, got the archive {path}: unpack it (`tar xf {path.name}`) and give the folder"
        )
    if not compressed:
        raise ValueError(
            f"{accepted}, got {path}, which is not compressed by bzip2: another file, or a broken download"
        )


def _final_scores(evaluation: Evaluation) -> tuple[float, float]:
    return evaluation.valid, np.nan if evaluation.test is None else evaluation.test
