"""Which recipe makes a search space worth searching? The evidence behind `nas_lib.training.RECIPE`.

    python -m scripts.table.recipe_study run NAME [NAME ...]    trains cells by each candidate recipe (resumable)
    python -m scripts.table.recipe_study report               prints the table that the choice was made from

A recipe is good if the largest cell is not the best, if the parameter count does not decide the order of the good
cells, if skip connections matter, and if two seeds agree about who is better. It must also be cheap: 5,260 functions
are trained three times each. The cells are the same for every candidate: 60 random ones, the largest, 10 of its
neighbours, and 24 random ones with at least three 3x3 convolutions, where good cells lie. Three seeds each. A candidate
may be given up before all cells are trained; the report counts what there is.
"""

from __future__ import annotations

import argparse
import json
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from scipy.stats import kendalltau, spearmanr
from tqdm import tqdm

from nas_lib.networks import NetworkConfig, count_params
from nas_lib.spaces import CellSpace, canonical
from nas_lib.training import Recipe, load_splits, train_packed

FOLDER = Path(__file__).with_suffix("")
SEEDS = (0, 1, 2)
LARGEST = ("nor_conv_3x3",) * 6

UNSTRIDED = NetworkConfig(channels=8, stages=2, stem_stride=1)
STRIDED = NetworkConfig(channels=16, stages=2, stem_stride=2)
CANDIDATES = {
    "strided-1024x16": Recipe(network=STRIDED, train_images=1024, epochs=16, batch_size=64),
    "strided-2048x8": Recipe(network=STRIDED, train_images=2048, epochs=8, batch_size=64),
    "strided-4096x6": Recipe(network=STRIDED, train_images=4096, epochs=6, batch_size=64),
    "unstrided-4096x6": Recipe(network=UNSTRIDED, train_images=4096, epochs=6, batch_size=64),
}


NEAR, RANDOM, RICH = 11, 60, 24


def sampled_cells() -> list[tuple[str, ...]]:
    """The largest cell with 10 of its 24 neighbours, random cells, and random cells rich in 3x3 convolutions."""
    space = CellSpace()
    neighbours = space.neighbors(LARGEST)
    near = [neighbours[i] for i in (0, 1, 4, 8, 9, 12, 16, 17, 20, 21)]
    rng = np.random.default_rng(1)
    cells = [LARGEST, *near, *(canonical(space.sample(rng)) for _ in range(RANDOM))]
    while len(cells) < NEAR + RANDOM + RICH:
        arch = canonical(space.sample(rng))
        if arch.count("nor_conv_3x3") >= 3:
            cells.append(arch)
    return cells


def run(name: str) -> None:
    """Trains what is still missing of one candidate and appends it to its file."""
    recipe = CANDIDATES[name]
    (FOLDER / name).mkdir(parents=True, exist_ok=True)
    path = FOLDER / name / "part-1-of-1.jsonl"
    done = {json.loads(line)["cell"] for line in path.read_text().splitlines()} if path.exists() else set()
    torch.set_num_threads(1)
    splits = load_splits(recipe)
    space = CellSpace()
    with path.open("a") as file:
        # random cells first: the large ones take longest
        for number, arch in tqdm(
            sorted(enumerate(sampled_cells()), key=lambda pair: NEAR <= pair[0] < NEAR + RANDOM), desc=name
        ):
            if number in done:
                continue
            results = train_packed(arch, splits, recipe, SEEDS)
            row = {
                "cell": number,
                "arch": space.str(arch),
                "valid": [result.valid_correct for result in results],
                "test": [result.test_correct for result in results],
                "seconds": results[0].seconds,
            }
            file.write(json.dumps(row) + "\n")
            file.flush()


def report() -> None:
    """One block of figures per candidate that has results."""
    space = CellSpace()
    for name, recipe in CANDIDATES.items():
        path = FOLDER / name / "part-1-of-1.jsonl"
        if not path.exists():
            continue
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        valid = np.array([[seed[-1] for seed in row["valid"]] for row in rows]) * (100 / recipe.final_images)
        test = np.array([row["test"] for row in rows]) * (100 / recipe.final_images)
        number = np.array([row["cell"] for row in rows])
        random = (number >= NEAR) & (number < NEAR + RANDOM)
        rich = number >= NEAR + RANDOM
        mean = test.mean(1)
        archs = [space.parse(row["arch"]) for row in rows]
        params = np.array([count_params(arch, recipe.network) for arch in archs])
        order = np.argsort(-mean)
        top = order[: len(order) // 4]
        near = number < NEAR
        print(
            f"\n{name}: {random.sum()} random cells, {rich.sum()} rich in 3x3, {near.sum()} near the largest"
        )
        if random.any():
            seconds = np.mean([row["seconds"] for row, drawn in zip(rows, random) if drawn])
            levels = np.quantile(mean[random], [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1]).round(1)
            print(f"  training seconds per network, random cells: {seconds:.2f}")
            print(f"  test accuracy of random cells, quantiles 0 10 25 50 75 90 100 %: {levels}")
        spread = test.std(1, ddof=1)
        print(
            f"  standard deviation between seeds: {spread.mean():.2f}, best quarter {spread[top].mean():.2f}"
        )
        drawn = np.flatnonzero(random | rich)
        best_drawn = drawn[np.argsort(-mean[drawn])][:18]  # about the best tenth of the space
        for label, which in (("random cells", np.flatnonzero(random)), ("18 best drawn cells", best_drawn)):
            if len(which) < 18:
                continue
            taus = [
                kendalltau(valid[which, a], valid[which, b])[0] for a, b in combinations(range(len(SEEDS)), 2)
            ]
            rho = spearmanr(params[which], mean[which])[0]
            print(f"  {label}: tau between seeds {np.mean(taus):.2f}, Spearman with parameters {rho:.2f}")
        if near.any():
            largest = next(i for i, row in enumerate(rows) if row["cell"] == 0)
            print(
                f"  largest cell: {mean[largest]:.1f} %, rank {(mean > mean[largest]).sum() + 1} of {len(rows)}"
            )
        for i in order[:8]:
            print(
                f"    {mean[i]:.2f} ± {test[i].std(ddof=1):.2f}  {params[i]:6d} parameters  {space.str(archs[i])}"
            )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run").add_argument("names", nargs="+", choices=list(CANDIDATES), metavar="NAME")
    commands.add_parser("report")
    arguments = parser.parse_args()
    if arguments.command == "report":
        report()
    for name in getattr(arguments, "names", ()):
        run(name)


if __name__ == "__main__":
    main()
