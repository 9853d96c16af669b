"""Fewer bits per weight: symmetric fake quantisation, training through it, and the size of what is deployed.

A quantised weight is an integer from −L to L with L = 2^(bits − 1) − 1, times a scale per tensor or per output channel
(Jacob et al. 2018; Krishnamoorthi 2018, section 3). "Fake" means that the numbers stay floats, but only those that the
integers could express. Integer arithmetic is the business of a runtime: `nas_lib.deployment`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from numpy.random import Generator
from torch import nn
from torch.nn.utils import parametrize

from nas_lib._keeping import keeping
from nas_lib._numbers import is_integer, seed_number
from nas_lib.latency import Layer, layer_work
from nas_lib.spaces._protocol import require_generator

FEWEST, MOST = 2, 16
"""Bits of a weight: with one, a symmetric integer could only be 0."""


def _check_bits(bits: Any) -> int:
    if not is_integer(bits) or not FEWEST <= bits <= MOST:
        raise ValueError(f"bits must be an integer from {FEWEST} to {MOST}, got {bits!r}")
    return int(bits)


class _Rounded(torch.autograd.Function):
    """To the nearest multiple of a scale; its gradient is that of doing nothing (Bengio et al. 2013)."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return (torch.round(x / scale) * scale).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradients[0], None


def rounded_weights(weight: torch.Tensor, bits: int, axis: int | None = 0) -> torch.Tensor:
    """A weight as `bits`-bit integers can express it, of the same shape; the gradient passes straight through.

    Args:
        weight: any float tensor.
        bits: from 2 to 16.
        axis: a scale for each index of this dimension (output channels are 0), or None: one scale for all.

    Raises:
        TypeError: a weight that is no tensor of floats.
        ValueError: bits out of range, a dimension that the weight has not, or a weight that is not finite.
    """
    top = 2 ** (_check_bits(bits) - 1) - 1
    if not isinstance(weight, torch.Tensor) or not weight.is_floating_point():
        raise TypeError(f"weight must be a tensor of floats, got {getattr(weight, 'dtype', weight)}")
    dimensions = max(1, weight.ndim)  # a single number is its own channel
    if axis is not None and not (is_integer(axis) and -dimensions <= axis < dimensions):
        raise ValueError(f"axis must be None or one of the weight's {weight.ndim} dimensions, got {axis!r}")
    if not torch.isfinite(weight).all():
        raise ValueError("weight must be finite numbers, got nan or inf")
    # In half precision a scale would be rounded to nothing; what is too small even for float32's becomes 0.
    size = weight.detach().abs().to(torch.promote_types(weight.dtype, torch.float32))
    if axis is None:
        largest = size.amax()
    else:
        others = [dim for dim in range(weight.ndim) if dim != axis % dimensions]
        largest = size.amax(dim=others, keepdim=True) if others else size
    return _Rounded.apply(weight, (largest / top).clamp_min(torch.finfo(size.dtype).tiny))


class _WeightQuantizer(nn.Module):
    """What `parametrize` puts between a stored weight and the one that is used."""

    def __init__(self, bits: int, axis: int) -> None:
        super().__init__()
        self.bits, self.axis = _check_bits(bits), axis

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return rounded_weights(weight, self.bits, self.axis)


_CONVOLUTIONS = nn.modules.conv._ConvNd
_TRANSPOSED = nn.modules.conv._ConvTransposeNd
_HIDDEN = (nn.MultiheadAttention, nn.RNNBase, nn.RNNCellBase, nn.Bilinear)
"""Modules whose linear layers are no modules of their own."""


def _weighted(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, (_CONVOLUTIONS, nn.Linear))]


def quantization_aware(network: nn.Module, bits: int) -> nn.Module:
    """A copy of a network whose convolutions and linear layers use quantised weights, and train through them.

    Biases, norms and embeddings keep their floats. A network that is quantised already gets other bits for the weights
    that it has stored. `settled` makes an ordinary network of it again.

    Raises:
        ValueError: bits out of range, or a layer with weights of another kind, which would keep its floats unsaid.
    """
    for name, module in network.named_modules():
        if isinstance(module, _HIDDEN):
            raise ValueError(
                f"network must have its weights in convolutions and linear layers, got a {type(module).__name__}"
                f"{name and f' at {name}'}"
            )
    twin = copy.deepcopy(network)
    for layer in _weighted(twin):
        # Output channels come first in a weight, but for transposed convolutions.
        quantizer = _WeightQuantizer(bits, 1 if isinstance(layer, _TRANSPOSED) else 0)
        held: Any = layer
        steps = held.parametrizations.weight if parametrize.is_parametrized(layer, "weight") else []
        before = [place for place, step in enumerate(steps) if isinstance(step, _WeightQuantizer)]
        if before:
            steps[before[0]] = quantizer
        else:
            parametrize.register_parametrization(layer, "weight", quantizer, unsafe=True)
    return twin


def fine_tuned(
    network: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    epochs: int = 2,
    lr: float = 0.02,
    batch: int = 64,
    seed: int = 0,
) -> nn.Module:
    """Train a network a little more, in place, by SGD with momentum; meant for `quantization_aware` ones.

    Args:
        network: images (B, C, H, W) -> logits (B, classes); it comes back in training mode.
        images, labels: all of them, seen once per epoch in an order that `seed` draws.
        epochs: how often.
        lr: learning rate of the first step; it falls linearly to 0, so that the weights come to rest.
        batch: images per step. A last image that would be alone, which some batch norms refuse, joins the step before.

    Raises:
        ValueError: no images, another number of labels, or a number out of range.
    """
    if not len(images) or len(images) != len(labels):
        raise ValueError(
            f"labels must be one for each of one or more images, got {len(labels)} for {len(images)}"
        )
    for name, value, least in (("epochs", epochs, 0), ("batch", batch, 1)):
        if not is_integer(value) or value < least:
            raise ValueError(f"{name} must be an integer from {least} up, got {value!r}")
    optimizer = torch.optim.SGD(network.train().parameters(), lr=lr, momentum=0.9)
    generator = torch.Generator().manual_seed(seed_number(seed))
    sizes = [batch] * (len(images) // batch) + [len(images) % batch] * (len(images) % batch > 0)
    if batch > 1 and sizes[-1] == 1 < len(sizes):
        sizes[-2:] = [batch + 1]
    orders = [torch.randperm(len(images), generator=generator).split(sizes) for _ in range(epochs)]
    steps = [chosen.to(images.device) for order in orders for chosen in order]
    for step, chosen in enumerate(steps):
        optimizer.param_groups[0]["lr"] = lr * (1 - step / len(steps))
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images[chosen]), labels[chosen]).backward()
        optimizer.step()
    return network


def settled(network: nn.Module) -> nn.Module:
    """The network with its quantised weights as plain parameters; changes it in place and returns it."""
    for module in _weighted(network):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
    return network


def deployed_bytes(layers: Iterable[Layer], bits: int) -> int:
    """Bytes of the deployed network: weights of `bits` bits, a float32 scale and bias for each output channel.

    Batch norm is folded into the convolution before it, as runtimes do. Kernels are packed without gaps.

    Args:
        layers: of the network, such as `nas_lib.latency.cell_layers(arch)`.
        bits: of a weight, from 2 to 16, or 32 for float32 (which needs no scale).
    """
    per_channel = 4 if bits == 32 else 8
    width = 32 if bits == 32 else _check_bits(bits)
    works = [work for layer in layers for work in layer_work(layer)]
    return sum(-(-work.weights * width // 8) + per_channel * work.channels for work in works)


def evolve_bits(
    evaluate: Callable[[Any, int], float],
    size: Callable[[Any, int], float],
    archs: Sequence[Any],
    bit_choices: Sequence[int],
    size_limit: float,
    budget: int,
    rng: Generator,
) -> list[tuple[Any, int, float]]:
    """Search architecture and bit width together: evolution over those pairs that fit.

    After a third of the budget at random, a pair proposed is a change of the best one's architecture or bits. No pair
    is evaluated twice, and none above the limit.

    Args:
        evaluate: accuracy (percent) of an architecture at a bit width.
        size: what counts against the limit, of the same arguments.
        archs, bit_choices: the options.
        size_limit: largest size allowed.
        budget: evaluations at most; fewer where fewer pairs fit.
        rng: all the randomness.

    Returns:
        (arch, bits, value) of each evaluation, in order; of those before an interrupt, with a warning.

    Raises:
        TypeError: `rng` is no generator.
        ValueError: no pair fits, the budget is below 1, or an accuracy is not finite. What `evaluate` raises comes
            through, with what was evaluated before in the exception's `history`.
    """
    require_generator(rng)
    if not is_integer(budget) or budget < 1:
        raise ValueError(f"budget must be an integer from 1 up, got {budget!r}")
    pairs = [(i, bits) for i in range(len(archs)) for bits in bit_choices]
    left = [(i, bits) for i, bits in pairs if size(archs[i], bits) <= size_limit]
    if not left:
        least = min((size(archs[i], bits) for i, bits in pairs), default=float("nan"))
        raise ValueError(f"size_limit must let one pair fit, the smallest is {least:g}, got {size_limit!r}")
    done: list[tuple[int, int, float]] = []

    def history() -> list[tuple[Any, int, float]]:
        return [(archs[i], bits, value) for i, bits, value in done]

    with keeping("history", history, done, "evaluations made"):
        while left and len(done) < budget:
            near = left
            if 3 * len(done) >= budget:
                best = max(done, key=lambda one: one[2])
                near = [pair for pair in left if pair[0] == best[0] or pair[1] == best[1]] or left
            i, bits = near[int(rng.integers(len(near)))]
            left.remove((i, bits))
            value = float(evaluate(archs[i], bits))
            if not math.isfinite(value):
                raise ValueError(
                    f"evaluate must give a finite accuracy, got {value} for {archs[i]} at {bits} bits"
                )
            done.append((i, bits, value))
    return history()
