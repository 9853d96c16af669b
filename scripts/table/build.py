"""Builds the ground-truth table: trains every function of the cell space by `nas_lib.training.RECIPE`.

    python -m scripts.table.build train [--workers N] [--part I/K] [--device cuda]    resumable; interrupt at will
    python -m scripts.table.build status
    python -m scripts.table.build merge       shards -> nas_lib/assets/cell_table.npz

The 5,260 functions are trained in a fixed random order, so that an unfinished table is a random sample. Each finished
function is one line of JSON in its shard under `scripts/table/build/`; a run that is interrupted loses at most the
functions in training, and the next run goes on with what is missing. Shards built on other machines (`--part`) are
copied into the same folder. Nothing is averaged or dropped: values are counts per seed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import platform
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from nas_lib.benchmark import TABLE_PATH, TableFile
from nas_lib.networks import count_macs, count_params
from nas_lib.spaces import CellSpace, functions
from nas_lib.training import RECIPE, DataSplits, Recipe, load_splits, train_packed

SHARDS = Path(__file__).with_suffix("")
SHARD_SIZE = 40
SEEDS = (0, 1, 2)


def shard_plan(count: int) -> list[list[int]]:
    """Function numbers of each shard: a fixed random order, cut into pieces of `SHARD_SIZE`."""
    order = np.random.default_rng(0).permutation(count)
    return [order[start : start + SHARD_SIZE].tolist() for start in range(0, count, SHARD_SIZE)]


def shard_path(number: int, folder: Path = SHARDS) -> Path:
    """File of one shard."""
    return folder / f"part-{number + 1}-of-132.jsonl"


def header(recipe: Recipe) -> dict[str, Any]:
    """First line of every shard: what its rows have in common. Shards with another header don't mix."""
    return {"recipe": json.loads(json.dumps(recipe.as_dict())), "seeds": list(SEEDS)}


def read_rows(recipe: Recipe = RECIPE, folder: Path = SHARDS) -> dict[int, dict[str, Any]]:
    """Every finished function in the shards: function number -> its row."""
    rows: dict[int, dict[str, Any]] = {}
    for path in sorted(folder.glob("part-*.jsonl")):
        first, *lines = path.read_text().splitlines()
        if json.loads(first) != header(recipe):
            raise ValueError(
                f"{path} was trained by another recipe than RECIPE: move it away or restore the recipe"
            )
        for line in lines:
            # A run that was killed while writing may leave half a line; the function is then trained again.
            with contextlib.suppress(json.JSONDecodeError):
                row = json.loads(line)
                rows[row["function"]] = row
    return rows


def append_row(row: dict[str, Any], path: Path, recipe: Recipe) -> None:
    """Adds one finished function to its shard, after the header or after what a killed run left of a line."""
    with path.open("a+b") as file:
        text = json.dumps(row) + "\n"
        if file.tell() == 0:
            text = json.dumps(header(recipe)) + "\n" + text
        else:
            file.seek(-1, os.SEEK_END)
            text = text if file.read(1) == b"\n" else "\n" + text
        file.write(text.encode())


# --- training --------------------------------------------------------------------------------------------

_worker_splits: DataSplits | None = None


def _start_worker(recipe: Recipe, device: str) -> None:
    import torch

    global _worker_splits
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which lets the workers finish
    torch.set_num_threads(1)
    _worker_splits = load_splits(recipe).to(device)


def train_function(number: int, arch: tuple[str, ...], recipe: Recipe) -> dict[str, Any]:
    """Row of one function; runs in a worker."""
    assert _worker_splits is not None
    results = train_packed(arch, _worker_splits, recipe, SEEDS)
    return {
        "function": number,
        "arch": CellSpace().str(arch),
        "valid": [result.valid_correct for result in results],
        "test": [result.test_correct for result in results],
        "seconds": [round(result.seconds, 4) for result in results],
    }


def train_missing(
    workers: int,
    device: str = "cpu",
    part: tuple[int, int] = (1, 1),
    recipe: Recipe = RECIPE,
    folder: Path = SHARDS,
    limit: int | None = None,
) -> int:
    """Trains what the shards lack and appends it as it comes; returns the number of functions trained.

    The parent alone writes. `part` (i, k) restricts the run to every k-th shard, for several machines.
    """
    folder.mkdir(parents=True, exist_ok=True)
    archs = functions(CellSpace())[0]
    plan = shard_plan(len(archs))
    done = read_rows(recipe, folder)
    tasks = [(s, n) for s in range(part[0] - 1, len(plan), part[1]) for n in plan[s] if n not in done]
    total = sum(len(plan[s]) for s in range(part[0] - 1, len(plan), part[1]))
    bar = tqdm(total=total, initial=total - len(tasks), unit="function", file=sys.stdout, smoothing=0.05)
    tasks = tasks[:limit]
    # Feature maps come and go many times a second. Keeping their memory, instead of returning it to the system and
    # faulting it in again, halves the time of small networks (glibc reads this when a worker starts).
    os.environ |= {
        "MALLOC_MMAP_THRESHOLD_": str(2**25),
        "MALLOC_TRIM_THRESHOLD_": str(2**30),
        "MALLOC_TOP_PAD_": str(2**26),
    }
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, _start_worker, (recipe, device))
    try:
        for shard, row in _in_flight(pool, tasks, archs, recipe, ahead=2 * workers):
            append_row(row, shard_path(shard, folder), recipe)
            bar.update()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        bar.close()
    return len(tasks)


def _in_flight(
    pool: ProcessPoolExecutor, tasks: list[tuple[int, int]], archs: Any, recipe: Recipe, ahead: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(shard, row) of each task as it finishes, with at most `ahead` submitted, so that an interrupt ends soon."""
    waiting: dict[Future[dict[str, Any]], int] = {}
    queue = iter(tasks)
    while True:
        for shard, number in queue:
            waiting[pool.submit(train_function, number, tuple(archs[number]), recipe)] = shard
            if len(waiting) >= ahead:
                break
        if not waiting:
            return
        for future in wait(waiting, return_when=FIRST_COMPLETED).done:
            yield waiting.pop(future), future.result()


# --- merging ---------------------------------------------------------------------------------------------


def merge(path: Path = TABLE_PATH, recipe: Recipe = RECIPE, folder: Path = SHARDS) -> TableFile:
    """Writes the table from complete shards."""
    space = CellSpace()
    archs, function = functions(space)
    rows = read_rows(recipe, folder)
    missing = [n for n in range(len(archs)) if n not in rows]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(archs)} functions are not trained yet: run `make table` to go on"
        )
    ordered = [rows[n] for n in range(len(archs))]
    seconds = np.array([row["seconds"] for row in ordered], np.float32)
    sizes = [recipe.valid_images] * (recipe.epochs - 1) + [recipe.final_images]
    table = TableFile(
        function=np.asarray(function, np.uint16),
        valid_correct=np.array([row["valid"] for row in ordered], np.uint16),
        valid_size=np.array(sizes, np.int64),
        test_correct=np.array([row["test"] for row in ordered], np.uint16),
        test_size=recipe.final_images,
        function_seconds=seconds,
        seconds=price_of_cells(seconds.mean(1), [tuple(a) for a in archs], list(space)),
        params=np.array([count_params(arch, recipe.network) for arch in space], np.uint32),
        macs=np.array([count_macs(arch, recipe.network) for arch in space], np.uint32),
        recipe=header(recipe)["recipe"] | {"seeds": list(SEEDS)},
        cpu=processor_name(),
    )
    table.write(path)
    return table


def price_of_cells(
    measured: NDArray[Any], archs: list[tuple[str, ...]], cells: list[tuple[str, ...]]
) -> NDArray[np.float32]:
    """Training seconds of each cell: a price per operation, fitted by least squares to the measured functions.

    A cell with dead edges costs more than its function, since the operations there are computed in an ordinary
    implementation. And single measurements on a shared machine are noisy; the fit averages that out.
    """
    operations = CellSpace().ops[1:]

    def counts(many: list[tuple[str, ...]]) -> NDArray[np.float64]:
        return np.array([[1.0, *(arch.count(op) for op in operations)] for arch in many])

    price, *_ = np.linalg.lstsq(counts(archs), measured, rcond=None)
    return (counts(cells) @ price).astype(np.float32)


def processor_name() -> str:
    """The processor's model name where the system tells it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _part(text: str) -> tuple[int, int]:
    i, k = (int(number) for number in text.split("/"))
    if not 1 <= i <= k:
        raise argparse.ArgumentTypeError(f"{text!r}: accepted: I/K with 1 <= I <= K, for example 2/3")
    return i, k


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train what is missing")
    train.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)"
    )
    train.add_argument(
        "--part", type=_part, default=(1, 1), metavar="I/K", help="only every K-th shard, from the I-th"
    )
    train.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    commands.add_parser("status", help="how much is done")
    commands.add_parser("merge", help="write the table from complete shards")
    arguments = parser.parse_args()
    try:
        if arguments.command == "train":
            train_missing(arguments.workers, arguments.device, arguments.part)
        elif arguments.command == "status":
            total = len(functions(CellSpace())[0])
            print(f"{len(read_rows())} of {total} functions trained")
        else:
            print(f"{TABLE_PATH}: content hash {merge().content_hash}")
    except KeyboardInterrupt:
        sys.exit("\ninterrupted; finished functions are kept, `make table` goes on")
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
