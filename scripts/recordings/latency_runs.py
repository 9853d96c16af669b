"""Records searches with an expected latency in the architecture's loss, for lesson 04's section on it.

    OMP_NUM_THREADS=1 python -m scripts.recordings.latency_runs record    20 seconds each
    python -m scripts.recordings.latency_runs merge          -> nas_lib/assets/latency_runs.json

First-order DARTS, by the configuration and seeds of `darts_runs`, whose searches are those without
this term. What the cells are worth is looked up in the table when the lesson runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nas_lib import darts
from nas_lib.darts import PRICED_PATH, Batch, Bilevel, SearchConfig, expected_price
from nas_lib.devices import DEVICES
from nas_lib.latency import edge_layers
from nas_lib.networks import NetworkConfig
from nas_lib.spaces import EDGES, OPS
from nas_lib.training import RECIPE, DataSplits, Recipe, load_splits
from scripts import recording
from scripts.recording import Recording, Row, Rows

METHOD = "DARTS, first order"


def prices_of(device: str, config: NetworkConfig) -> Tensor:
    """(6, 5), ms that each operation takes on each edge, by the roofline of a device."""
    row = [1e3 * DEVICES[device].network_bound(edge_layers(op, config)) for op in OPS]
    return torch.tensor([row] * len(EDGES))


def priced_update(prices: Tensor, weight: float) -> Callable[..., tuple[float, float]]:
    """An update for `darts.search`: the logits with their price in the loss, then the weights without."""

    def update(
        model: Any, weight_optimizer: Any, alpha_optimizer: Any, train_batch: Batch, valid_batch: Batch
    ) -> tuple[float, float]:
        (logits,) = model.alphas()

        def loss_fn(predictions: Tensor, labels: Tensor) -> Tensor:
            return F.cross_entropy(predictions, labels) + weight * expected_price(logits, prices)

        priced = Bilevel(model, loss_fn, weight_optimizer, alpha_optimizer)
        plain = Bilevel(model, F.cross_entropy, weight_optimizer, alpha_optimizer)
        valid_loss = priced.update_alphas(train_batch, valid_batch)
        return plain.update_weights(train_batch), valid_loss

    return update


@dataclass(frozen=True)
class PricedSearches:
    """Each weight with each seed.

    Attributes:
        weights: of the expected latency, per ms.
        device: whose roofline says what operations take.
        search: how is searched.
        recipe: says which images all see.
    """

    weights: tuple[float, ...] = (0.3, 1.0, 3.0)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    device: str = "raspberry_pi_4"
    search: SearchConfig = SearchConfig()
    recipe: Recipe = RECIPE
    folder: Path = Path(__file__).with_suffix("")

    @cached_property
    def recording(self) -> Recording:
        """Of these settings."""
        jobs = {f"{weight} {seed}": (weight, seed) for seed in self.seeds for weight in self.weights}
        return Recording(jobs, self.do, self.merge, self.settings, self.folder, PRICED_PATH)

    @property
    def settings(self) -> Row:
        """What all searches have in common."""
        prices = prices_of(self.device, self.search.network)[0]
        return {
            "device": self.device,
            "prices": [round(float(price), 6) for price in prices],
            "search": asdict(self.search),
            "recipe": self.recipe.as_dict(),
        }

    @cached_property
    def splits(self) -> DataSplits:
        """The images; drawn when first needed."""
        return load_splits(self.recipe)

    def do(self, weight: float, seed: int) -> Row:
        """One search."""
        update = priced_update(prices_of(self.device, self.search.network), weight)
        run = darts.search(self.splits, METHOD, self.search, seed, update=update, progress=False)
        return {
            "weight": weight,
            "seed": seed,
            "logits": [[[round(float(x), 3) for x in edge] for edge in one] for one in run.logits],
            "seconds": round(run.seconds, 2),
        }

    def merge(self, rows: Rows, target: Path) -> None:
        """What all searches have in common, and a line for each."""
        runs = (json.dumps({k: v for k, v in row.items() if k != "job"}) for row in rows.values())
        head = {"device": self.device, "prices": self.settings["prices"]}
        joined = ",\n".join(runs)
        recording.write_text(target, f'{json.dumps(head)[:-1]}, "runs": [\n{joined}\n]}}\n')


if __name__ == "__main__":
    recording.main(__doc__, PricedSearches())
