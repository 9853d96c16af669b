"""Score every function of the cell space untrained, with lesson 02's own proxies, for the lesson's figure of rank
correlations.

    OMP_NUM_THREADS=1 python -m scripts.recordings.proxy_scores

Nothing is trained and no accuracy is read, so the file does not depend on the table. It takes about a quarter of an
hour on one core; an interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import solutions
from nas_lib.data import cluttered_digits
from nas_lib.lesson import PROXY_BATCH, PROXY_SCORES_PATH, PROXY_SEEDS
from nas_lib.networks import NetworkConfig, build_network
from nas_lib.spaces import CellSpace, functions

LESSON = "02_evolution_and_early_stopping"
EVERY = 250
"""Functions scored between two saves."""


def score_all(path: Path, count: int | None = None) -> None:
    """Fill what is missing of the first `count` functions (None: all of them) in the file at `path`.

    Every network starts from the weights that `build_network(cell, seed=...)` draws; the gradient is that of the first
    `PROXY_BATCH` training images.
    """
    reference = solutions.load(LESSON)
    space, config = CellSpace(), NetworkConfig()
    cells = functions(space)[0]
    x, y = cluttered_digits("train", PROXY_BATCH, config.resolution, seed=0).tensors()
    shape = (config.in_channels, config.resolution, config.resolution)
    scores = _started(path, [space.index(cell) for cell in cells])
    todo = [i for i in range(len(cells))[:count] if not np.isfinite(scores["grad_norm"][i]).all()]
    for done, i in enumerate(tqdm(todo, unit=" functions"), start=1):
        for seed in range(PROXY_SEEDS):
            net = build_network(cells[i], config, seed=seed)
            scores["synflow"][i, seed] = reference.synflow_score(net, shape)
            scores["grad_norm"][i, seed] = reference.grad_norm_score(net, x, y)
        if done % EVERY == 0 or done == len(todo):
            _write(path, scores)


def _started(path: Path, cells: list[int]) -> dict[str, np.ndarray]:
    """What an earlier run has left, or an empty table."""
    index = np.array(cells, dtype=np.uint16)
    if path.exists():
        with np.load(path) as data:
            scores = {name: data[name] for name in data.files}
        if not np.array_equal(scores["cell"], index):
            raise ValueError(
                f"path must hold scores of the space's {len(index)} functions, {path} has others"
            )
        return scores
    empty = np.full((len(index), PROXY_SEEDS), np.nan, dtype=np.float32)
    return {"cell": index, "synflow": empty, "grad_norm": empty.copy()}


def _write(path: Path, scores: dict[str, np.ndarray]) -> None:
    """Replace the file in one step: an interruption leaves the old one or the new one."""
    unfinished = path.with_suffix(".tmp.npz")
    np.savez_compressed(unfinished, **scores)
    os.replace(unfinished, path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=PROXY_SCORES_PATH, help="file to write or to go on with")
    parser.add_argument("--count", type=int, help="score only the first so many functions")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    score_all(arguments.out, arguments.count)


if __name__ == "__main__":
    main()
