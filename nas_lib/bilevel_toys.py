"""Small problems with two levels on which search gradients can be looked at exactly: the DARTS paper's toy, and a
network of two mixed layers around a nonlinearity of choice.

Both are modules in float64 with `weights()` and `alphas()`, as the steps of lesson 04 want them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas_lib.darts import Batch, exact_alpha_gradient

__all__ = ["MixedLayers", "PaperToy", "term_agreement"]


class PaperToy(nn.Module):
    """L_train = w² − 2αw + α² and L_valid = αw − 2w + 1, from α = 2, w = −2 (Liu et al. 2019, figure 2).

    Predictions are the monomials (w², αw, w, α², 1); `TRAIN` and `VALID` are batches whose labels are coefficients,
    and `loss` multiplies the two.
    """

    TRAIN = (None, torch.tensor([1.0, -2.0, 0.0, 1.0, 0.0], dtype=torch.float64))
    VALID = (None, torch.tensor([0.0, 1.0, -2.0, 0.0, 1.0], dtype=torch.float64))

    def __init__(self) -> None:
        super().__init__()
        self.w, self.a = (nn.Parameter(torch.tensor(at, dtype=torch.float64)) for at in (-2.0, 2.0))

    def weights(self) -> list[nn.Parameter]:
        """The inner variable."""
        return [self.w]

    def alphas(self) -> list[nn.Parameter]:
        """The outer one."""
        return [self.a]

    def forward(self, x: Any) -> Tensor:
        """The monomials (5,); there are no images."""
        return torch.stack([self.w**2, self.a * self.w, self.w, self.a**2, torch.ones_like(self.w)])

    @staticmethod
    def loss(monomials: Tensor, coefficients: Tensor) -> Tensor:
        """The polynomial with these coefficients."""
        return monomials @ coefficients


class MixedLayers(nn.Module):
    """Images (B, …), flattened, -> logits (B, 10) through two layers, each a softmax mixture of three candidates.

    Args:
        bend: the nonlinearity after each candidate.
        inputs: numbers in an image.
        units: width in between.
    """

    def __init__(self, bend: Callable[[Tensor], Tensor], inputs: int = 144, units: int = 24) -> None:
        super().__init__()
        self.bend = bend
        draw = torch.Generator().manual_seed(3)
        self.layers = nn.ParameterList(
            nn.Parameter(torch.randn(3, n, m, generator=draw, dtype=torch.float64) / n**0.5)
            for n, m in ((inputs, units), (units, 10))
        )
        self.choice = nn.Parameter(torch.zeros(2, 3, dtype=torch.float64))

    def weights(self) -> list[nn.Parameter]:
        """The matrices of all candidates."""
        return list(self.layers)

    def alphas(self) -> list[nn.Parameter]:
        """The logits of the candidates, (2, 3)."""
        return [self.choice]

    def forward(self, x: Tensor) -> Tensor:
        """Images to logits."""
        x = x.flatten(1)
        for candidates, logits in zip(self.layers, self.choice):
            bent = self.bend(torch.einsum("bn,knm->bkm", x, candidates))
            x = torch.einsum("k,bkm->bm", logits.softmax(0), bent)
        return x


def term_agreement(
    step: Callable[..., Any],
    model: nn.Module,
    train_batch: Batch,
    valid_batch: Batch,
    rate: float,
    eps: float,
) -> float:
    """Cosine between the second-order term of a step of the alphas and the exact one.

    Args:
        step: called as `step(model, loss_fn, train_batch, valid_batch, alpha_optimizer, rate, eps)`.
        model: as `MixedLayers`; it ends as it was.
        train_batch, valid_batch: images and labels.
        rate, eps: of the virtual step and of the finite difference.
    """
    alphas: list[nn.Parameter] = model.alphas()  # type: ignore[operator]
    weights: list[nn.Parameter] = model.weights()  # type: ignore[operator]
    exact = _joined(exact_alpha_gradient(model, F.cross_entropy, train_batch, valid_batch, rate))
    begun = [one.detach().clone() for one in alphas]
    # A step of size 1 moves the alphas by the very gradient that it uses.
    step(model, F.cross_entropy, train_batch, valid_batch, torch.optim.SGD(alphas, 1.0), rate, eps)
    used = _joined([begin - one.detach() for begin, one in zip(begun, alphas)])
    _put(alphas, begun)
    start = [one.detach().clone() for one in weights]
    inner = torch.autograd.grad(F.cross_entropy(model(train_batch[0]), train_batch[1]), weights)
    _put(weights, [w - rate * slope for w, slope in zip(start, inner)])
    alone = _joined(torch.autograd.grad(F.cross_entropy(model(valid_batch[0]), valid_batch[1]), alphas))
    _put(weights, start)
    return float(F.cosine_similarity(used - alone, exact - alone, dim=0))


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([one.detach().flatten() for one in tensors])


def _put(leaves: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for leaf, value in zip(leaves, values):
            leaf.copy_(value)
