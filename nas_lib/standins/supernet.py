"""What stands in for the exercises of lesson 05: weight sharing and elastic networks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from nas_lib.search import History
from nas_lib.spaces import Space
from nas_lib.standins import stands_in


@stands_in(
    "sample_path",
    hides=("nas_lib.one_shot:uniform_paths",),
)
def sample_path(choices: Sequence[Sequence[Any]], rng: Generator) -> tuple[Any, ...]:
    from nas_lib.one_shot import uniform_paths

    return next(uniform_paths(choices, rng))


@stands_in(
    "fair_paths",
    hides=("nas_lib.one_shot:fair_round",),
)
def fair_paths(choices: Sequence[Sequence[Any]], rng: Generator) -> list[tuple[Any, ...]]:
    from nas_lib.one_shot import fair_round

    return fair_round(choices, rng)


@stands_in(
    "train_single_path_step",
    hides=("nas_lib.one_shot:path_loss",),
)
def train_single_path_step(supernet: Any, batch: Any, optimizer: Any, path: Sequence[Any]) -> float:
    from nas_lib.one_shot import path_loss

    optimizer.zero_grad()
    loss = path_loss(supernet, batch, path)
    optimizer.step()
    return loss


@stands_in(
    "train_fair_step",
    hides=("nas_lib.one_shot:OneShotTraining.advance",),
)
def train_fair_step(supernet: Any, batch: Any, optimizer: Any, choices: Any, rng: Generator) -> float:
    from nas_lib.one_shot import fair_round, path_loss

    optimizer.zero_grad()
    losses = [path_loss(supernet, batch, path) for path in fair_round(choices, rng)]
    optimizer.step()
    return float(np.mean(losses))


@stands_in(
    "recalibrate_bn",
    hides=("nas_lib.one_shot:recalibrate",),
)
def recalibrate_bn(supernet: Any, path: Sequence[Any], batches: Iterable[Any]) -> None:
    from nas_lib.one_shot import OnPath, recalibrate

    recalibrate(OnPath(supernet, path), (x for x, _ in batches))


@stands_in(
    "rank_correlation",
    hides=("nas_lib.one_shot:agreement",),
)
def rank_correlation(scores: ArrayLike, truth: ArrayLike, top: float | None = None) -> float:
    from nas_lib.one_shot import agreement

    return agreement(scores, truth, 1.0 if top is None else top).tau_top


@stands_in(
    "evolve_under_constraint",
    hides=(
        "nas_lib.searchers:ConstrainedEvolution.__init__",
        "nas_lib.searchers:ConstrainedEvolution._propose",
    ),
)
def evolve_under_constraint(
    evaluate: Callable[[Any], float],
    cost: Callable[[Any], float],
    limit: float,
    space: Space,
    budget: int,
    population: int,
    rng: Generator,
) -> History:
    from nas_lib.searchers import ConstrainedEvolution

    several = max(2, population)
    searcher = ConstrainedEvolution(space, rng, cost, limit, several, max(2, several // 2))
    archs: list[Any] = []
    values: list[float] = []
    with contextlib.suppress(StopIteration):
        while len(archs) < budget:
            archs.append(searcher.ask())
            values.append(evaluate(archs[-1]))
            searcher.tell(archs[-1], values[-1])
    while len(archs) < budget:  # all within the limit have been told: the best of them again
        archs.append(archs[int(np.argmax(values))])
        values.append(evaluate(archs[-1]))
    return History(archs, np.array(values))


@stands_in(
    "enas_controller_step",
    hides=("nas_lib.controller:_PolicyGradient._learn", "nas_lib.controller:surrogate"),
)
def enas_controller_step(
    controller: Any,
    score: Callable[[Any], Any],
    optimizer: Any,
    baseline: float,
    decay: float,
    n: int,
    entropy_weight: float,
    generator: Any,
) -> tuple[float, float]:
    import torch

    from nas_lib.controller import Score, surrogate

    actions, log_probs, entropies = controller.sample(n, generator)
    rewards = torch.as_tensor(score(actions), dtype=log_probs.dtype).detach()
    optimizer.zero_grad()
    surrogate(Score(log_probs[:, None], entropies[:, None]), rewards - baseline, entropy_weight).backward()
    optimizer.step()
    mean = rewards.mean().item()
    return mean, decay * baseline + (1 - decay) * mean


@stands_in(
    "slice_kernel",
    hides=("nas_lib.mobile:inner_kernel",),
)
def slice_kernel(weight: Any, size: int, transform: Any = None) -> Any:
    from nas_lib.mobile import inner_kernel

    return inner_kernel(weight, size, transform)


@stands_in(
    "slice_width",
    hides=("nas_lib.mobile:ElasticBottleneck.sort_channels",),
)
def slice_width(weight: Any, width: int, importance: Any) -> tuple[Any, Any]:
    indices = importance.argsort(descending=True, stable=True)[:width]
    return weight[indices], indices


@stands_in(
    "progressive_shrinking_schedule",
    hides=("nas_lib.elastic_training:shrinking_phases",),
)
def progressive_shrinking_schedule(
    step: int, phases: Sequence[tuple[int, Mapping[str, Sequence[Any]]]]
) -> dict[str, tuple[Any, ...]]:
    begun = [options for first, options in phases if first <= step]
    names = dict.fromkeys(name for options in begun for name in options)
    return {
        name: tuple(dict.fromkeys(one for options in begun for one in options.get(name, ())))
        for name in names
    }


@stands_in(
    "distillation_loss",
    hides=("nas_lib.elastic_training:distillation_loss",),
)
def distillation_loss(student: Any, teacher: Any, labels: Any, temperature: float, weight: float) -> Any:
    from nas_lib.elastic_training import distillation_loss

    return distillation_loss(student, teacher, labels, temperature, weight)
