"""The one right distribution that lesson 03's layers make, with given weights: computed by enumeration, in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_lib.checks.exercise import Instance
from nas_lib.checks.rl_controller.controller import LATER, architectures, mixture, weights_of

STEP = 1e-5  # of the finite differences, in float64

Array = NDArray[np.float64]


def walk(
    weights: dict[str, Array],
    sizes: Sequence[int],
    *,
    starts: bool = True,
    carries: str = "hc",
    head: int | None = None,
) -> Array:
    """log p of all architectures, by the lesson's layers.

    Args:
        weights: the numbers in the layers.
        sizes: numbers of options.
        starts: False for a first input of zeros.
        carries: what of the state goes on to the next step.
        head: the one output layer that all decisions use; None for each its own.
    """
    actions = np.array(architectures(sizes))
    rows = np.arange(len(actions))
    x = np.repeat(weights["start"] if starts else 0 * weights["start"], len(actions), axis=0)
    h = c = np.zeros((len(actions), weights["cell.weight_hh"].shape[1]))
    total = np.zeros(len(actions))
    for place, size in enumerate(sizes):
        gates = x @ weights["cell.weight_ih"].T + weights["cell.bias_ih"]
        gates = gates + h @ weights["cell.weight_hh"].T + weights["cell.bias_hh"]
        enter, forget, new, leave = np.split(gates, 4, axis=1)
        c = _sigmoid(forget) * c + _sigmoid(enter) * np.tanh(new)
        h = _sigmoid(leave) * np.tanh(c)
        scores = f"head.{place if head is None else head}"
        logits = (h @ weights[f"{scores}.weight"].T + weights[f"{scores}.bias"])[:, :size]
        total = total + logits[rows, actions[:, place]] - np.logaddexp.reduce(logits, axis=1)
        x = weights[f"embed.{place}.weight"][actions[:, place]]
        h, c = (one if name in carries else 0 * one for name, one in (("h", h), ("c", c)))
    return total


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


class Policy:
    """A distribution over all architectures, from their log-probabilities: chances, conditionals, entropies."""

    def __init__(self, sizes: Sequence[int], log_probs: Array) -> None:
        self.sizes = tuple(sizes)
        self.log_probs = log_probs
        self.chances = np.exp(log_probs)

    def rows(self, actions: NDArray[Any]) -> NDArray[np.int64]:
        """Numbers of the architectures."""
        return np.ravel_multi_index(tuple(np.asarray(actions).T), self.sizes)

    def conditional(self, place: int) -> Array:
        """p(option of decision `place` | the options before): an axis per decision up to this one."""
        table = self.chances.reshape(self.sizes)
        prefix = table.sum(axis=tuple(range(place + 1, len(self.sizes))))
        return prefix / prefix.sum(axis=-1, keepdims=True)

    def entropies_at(self, actions: NDArray[Any]) -> Array:
        """(rows, decisions): the entropy of each decision, given the row's earlier options."""
        found = []
        for place in range(len(self.sizes)):
            p = self.conditional(place)
            table = -(p * np.log(np.maximum(p, 1e-300))).sum(axis=-1)
            found.append(np.broadcast_to(table[tuple(actions[:, :place].T)], len(actions)))
        return np.stack(found, axis=1)


class Right:
    """What is right on an instance."""

    def __init__(self, instance: Instance) -> None:
        _, drawn, way, *_ = instance["seeds"]
        self.sizes = instance["sizes"]
        self.tolerance = 1e-4 if instance.get("float32") else 1e-6
        self._weights, self._way = weights_of(instance, drawn), weights_of(instance, way)
        self.policy, self.later = self.at(), self.at(scale=LATER)
        self.ahead, self.behind = self.at(step=STEP), self.at(step=-STEP)

    def at(self, scale: float = 1.0, step: float = 0.0, **wrong: Any) -> Policy:
        """The policy with other weights, or of a mistaken walk."""
        moved = {name: scale * one + step * self._way[name] for name, one in self._weights.items()}
        return Policy(self.sizes, walk(moved, self.sizes, **wrong))

    @staticmethod
    def slope(ahead: Array, behind: Array) -> float:
        """Of the mixture of rows that the probe takes."""
        return float(mixture(len(ahead)) @ (ahead - behind)) / (2 * STEP)
