"""What stands in for the exercises of lesson 04: differentiable search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nas_lib.standins import stands_in


@stands_in("mixed_op")
def mixed_op(outputs: Sequence[Any], alphas: Any) -> Any:
    import torch

    return torch.tensordot(alphas.softmax(0), torch.stack(list(outputs)), dims=1)


@stands_in(
    "CellSupernet",
    "the library's own, faster cell",
    hides=("nas_lib.supernet:MixedCell.forward",),
)
def CellSupernet(channels: int, alphas: Any) -> Any:
    from nas_lib.supernet import MixedCell

    return MixedCell(channels, alphas)


@stands_in(
    "discretize",
    hides=("nas_lib.darts:chosen_cell",),
)
def discretize(alphas: Any, exclude_none: bool = True) -> Any:
    import torch

    from nas_lib.darts import chosen_cell

    return chosen_cell(torch.as_tensor(alphas), with_none=not exclude_none)


@stands_in(
    "weight_step",
    hides=("nas_lib.darts:Bilevel.update_weights",),
)
def weight_step(model: Any, loss_fn: Any, batch: Any, optimizer: Any) -> float:
    from nas_lib.darts import Bilevel

    return Bilevel(model, loss_fn, optimizer, None).update_weights(batch)


@stands_in(
    "alpha_step_first_order",
    hides=("nas_lib.darts:Bilevel.update_alphas",),
)
def alpha_step_first_order(model: Any, loss_fn: Any, valid_batch: Any, alpha_optimizer: Any) -> float:
    from nas_lib.darts import Bilevel

    return Bilevel(model, loss_fn, None, alpha_optimizer).update_alphas(valid_batch, valid_batch)


@stands_in(
    "alpha_step_second_order",
    hides=(
        "nas_lib.darts:Bilevel.unrolled",
        "nas_lib.darts:exact_alpha_gradient",
    ),
)
def alpha_step_second_order(
    model: Any,
    loss_fn: Any,
    train_batch: Any,
    valid_batch: Any,
    alpha_optimizer: Any,
    weight_lr: float,
    eps: float = 0.01,
) -> float:
    from nas_lib.darts import Bilevel

    bilevel = Bilevel(model, loss_fn, None, alpha_optimizer, order=2, eps=eps)
    return bilevel.update_alphas(train_batch, valid_batch, rate=weight_lr)


@stands_in(
    "gumbel_softmax_sample",
    hides=("nas_lib.darts:concrete_sample",),
)
def gumbel_softmax_sample(logits: Any, tau: float, generator: Any, hard: bool = False) -> Any:
    from nas_lib.darts import concrete_sample

    return concrete_sample(logits, tau, generator, hard)


@stands_in(
    "expected_latency",
    hides=("nas_lib.darts:expected_price",),
)
def expected_latency(alphas: Any, latencies: Any) -> Any:
    from nas_lib.darts import expected_price

    return expected_price(alphas, latencies)
