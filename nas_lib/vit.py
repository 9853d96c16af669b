"""A small vision Transformer over patches of digits: its space, its price, and all of its networks in one.

`VitNetwork` is one architecture of `vit_space()`; `MaskedVit` has the weights of the largest and computes any of them
by masking what is too much (Bender et al. 2020). `fit_vit` trains one network alone; what searches while
`MaskedVit` is trained is in `nas_lib.tunas`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas_lib._numbers import seed_number
from nas_lib.data import cluttered_digits
from nas_lib.one_shot import BatchOrder, half_cosine
from nas_lib.spaces import Arch, ProductSpace
from nas_lib.training import count_correct

CONVOLUTION = 0
"""As a layer's number of heads: a depthwise 3x3 convolution mixes the tokens there."""

Masked: TypeAlias = Callable[[Tensor, Tensor, Tensor, int], Tensor]
Heads: TypeAlias = Callable[[Tensor, int], Tensor]

# --- space and price ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class VitConfig:
    """What all networks have in common.

    Images are squares of so many pixels a side; each square patch of them is a token. A token has `width` numbers, of
    which an attention head looks at `head`.
    """

    resolution: int = 12
    patch: int = 3
    width: int = 64
    head: int = 16
    classes: int = 10

    @property
    def side(self) -> int:
        """Tokens in a row."""
        return self.resolution // self.patch


class LayerPlan(NamedTuple):
    """One layer: attention heads that mix the tokens (0: a convolution does), and the width of its feed-forward net."""

    heads: int
    ffn: int


def vit_space(
    depths: Sequence[int] = (2, 3, 4),
    heads: Sequence[int] = (CONVOLUTION, 1, 2, 4),
    ffn: Sequence[int] = (16, 64, 128),
) -> ProductSpace:
    """Depth, and for each layer that is there its heads and the width of its feed-forward net; 22,608 networks."""
    choices: dict[str, Sequence[int]] = {"depth": depths}
    for i in range(max(depths)):
        choices |= {f"heads{i}": heads, f"ffn{i}": ffn}
    deeper = {
        f"{name}{i}": (lambda depth, i=i: depth > i) for i in range(max(depths)) for name in ("heads", "ffn")
    }
    return ProductSpace(choices, when=deeper)


def layers(arch: Arch) -> list[LayerPlan]:
    """The layers of an architecture of a `vit_space`, from the first to the last."""
    depth, *rest = arch
    return [LayerPlan(*rest[2 * i : 2 * i + 2]) for i in range(depth)]


def vit_macs(arch: Arch, config: VitConfig | None = None) -> int:
    """Multiply-accumulates for one image; nothing is built. Norms, softmax and sums are not counted.

    Attention multiplies tokens with tokens twice, which are products of two *activations*: counters that go through the
    modules do not see them.
    """
    config = config or VitConfig()
    tokens, width = config.side**2, config.width
    total = tokens * config.patch**2 * width + width * config.classes
    for layer in layers(arch):
        inner = layer.heads * config.head
        total += 9 * tokens * width if layer.heads == CONVOLUTION else 4 * tokens * width * inner
        total += 2 * tokens**2 * inner + 2 * tokens * width * layer.ffn
    return total


# --- one network -------------------------------------------------------------------------------------------


class _Frame(nn.Module):
    """Patches to tokens before the layers, tokens to logits behind them."""

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.config = config
        self.patches = nn.Conv2d(1, config.width, config.patch, config.patch)
        self.place = nn.Parameter(0.02 * torch.randn(config.side**2, config.width))
        self.norm = nn.LayerNorm(config.width)
        self.classifier = nn.Linear(config.width, config.classes)

    def tokens(self, x: Tensor) -> Tensor:
        """Images (B, 1, r, r) to tokens (B, T, width)."""
        return self.patches(x).flatten(2).transpose(1, 2) + self.place

    def logits(self, tokens: Tensor) -> Tensor:
        """Tokens to logits (B, classes)."""
        return self.classifier(self.norm(tokens.mean(1)))


def _on_grid(convolution: nn.Module, tokens: Tensor, side: int) -> Tensor:
    grid = tokens.transpose(1, 2).unflatten(2, (side, side))
    return convolution(grid).flatten(2).transpose(1, 2)


def _attend(x: Tensor, heads: int) -> Tensor:
    """Queries, keys and values (B, T, 3·heads·d) to what each head has seen, (B, heads, T, d)."""
    query, key, value = x.unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    return F.scaled_dot_product_attention(query, key, value)


class VitLayer(nn.Module):
    """Mix the tokens, then transform each by itself; both are added to what was there."""

    def __init__(self, plan: LayerPlan, config: VitConfig) -> None:
        super().__init__()
        self.plan, self.config = plan, config
        width, inner = config.width, plan.heads * config.head
        self.norm_mix, self.norm_ffn = nn.LayerNorm(width), nn.LayerNorm(width)
        if plan.heads == CONVOLUTION:
            self.convolution = nn.Conv2d(width, width, 3, padding=1, groups=width)
        else:
            self.qkv, self.out = nn.Linear(width, 3 * inner), nn.Linear(inner, width)
        self.up, self.down = nn.Linear(width, plan.ffn), nn.Linear(plan.ffn, width)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, T, width) to tokens."""
        mixed = self.norm_mix(x)
        if self.plan.heads == CONVOLUTION:
            x = x + _on_grid(self.convolution, mixed, self.config.side)
        else:
            seen = _attend(self.qkv(mixed), self.plan.heads)
            x = x + self.out(seen.transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.norm_ffn(x))))


class VitNetwork(_Frame):
    """The network of one architecture; its weights come from `seed`."""

    def __init__(self, arch: Arch, config: VitConfig | None = None, seed: int = 0) -> None:
        config = config or VitConfig()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_number(seed))
            super().__init__(config)
            self.layers = nn.Sequential(*(VitLayer(plan, config) for plan in layers(arch)))

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, 1, r, r) to logits (B, classes)."""
        return self.logits(self.layers(self.tokens(x)))


# --- all networks in one -----------------------------------------------------------------------------------


def first_features(x: Tensor, weight: Tensor, bias: Tensor, width: int) -> Tensor:
    """A linear layer with zeros for all features but the first `width`; their weights get no gradient."""
    found = F.linear(x, weight[:width], bias[:width])
    return F.pad(found, (0, len(weight) - width))


def first_heads(values: Tensor, active: int) -> Tensor:
    """Heads (B, H, T, d) with zeros for all but the first `active`."""
    return F.pad(values[:, :active], (0, 0, 0, 0, 0, values.shape[1] - active))


class MaskedLayer(nn.Module):
    """A layer with every option of a space: a convolution, and the most heads and widest feed-forward net."""

    def __init__(self, heads: int, ffn: int, config: VitConfig) -> None:
        super().__init__()
        self.config, self.heads, self.ffn = config, heads, ffn
        self.attention = VitLayer(LayerPlan(heads, ffn), config)
        width = config.width
        self.convolution = nn.Conv2d(width, width, 3, padding=1, groups=width)

    def forward(self, x: Tensor, plan: LayerPlan | None, linear: Masked, mask: Heads) -> Tensor:
        """As the layer of a plan; None: with everything, the mean of convolution and attention."""
        parts, mixed = self.attention, self.attention.norm_mix(x)
        heads, ffn = plan or (self.heads, self.ffn)
        ways = []
        if plan is None or heads == CONVOLUTION:
            ways.append(_on_grid(self.convolution, mixed, self.config.side))
        if heads != CONVOLUTION:
            seen = mask(_attend(parts.qkv(mixed), self.heads), heads)
            ways.append(parts.out(seen.transpose(1, 2).flatten(2)))
        x = x + sum(ways) / len(ways)
        inner = linear(parts.norm_ffn(x), parts.up.weight, parts.up.bias, ffn)
        return x + parts.down(F.gelu(inner))


class MaskedVit(_Frame):
    """Every network of a space in the weights of the largest, which masks cut to size.

    Args:
        space: a `vit_space`.
        config: what its networks have in common.
        seed: draws the weights.
        linear: function of (x, weight, bias, width), a linear layer of whose features those beyond `width` are 0.
        heads: function of (values (B, H, T, d), active), whose heads beyond `active` are 0.
    """

    def __init__(
        self,
        space: ProductSpace,
        config: VitConfig | None = None,
        seed: int = 0,
        linear: Masked = first_features,
        heads: Heads = first_heads,
    ) -> None:
        config = config or VitConfig()
        depths, most_heads, widest = (max(options) for options in space.choices[:3])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_number(seed))
            super().__init__(config)
            self.layers = nn.ModuleList(MaskedLayer(most_heads, widest, config) for _ in range(depths))
        self.space, self.linear, self.mask = space, linear, heads

    def forward(self, x: Tensor, arch: Arch | None = None) -> Tensor:
        """Images to logits as the network of `arch`; None: with all layers, heads, features and mixers at once."""
        plans: Sequence[LayerPlan | None] = [None] * len(self.layers) if arch is None else layers(arch)
        tokens = self.tokens(x)
        for layer, plan in zip(self.layers, plans):
            tokens = layer(tokens, plan, self.linear, self.mask)
        return self.logits(tokens)

    @torch.no_grad()
    def extract(self, arch: Arch) -> VitNetwork:
        """The network of `arch` with copies of its share of the weights."""
        network = VitNetwork(arch, self.config).to(self.place.device)
        for name in ("patches", "norm", "classifier"):
            getattr(network, name).load_state_dict(getattr(self, name).state_dict())
        network.place.copy_(self.place)
        for single, layer in zip(network.layers, self.layers):
            assert isinstance(single, VitLayer) and isinstance(layer, MaskedLayer)
            _copy(layer, single)
        return network


def _copy(layer: MaskedLayer, single: VitLayer) -> None:
    parts, (heads, ffn) = layer.attention, single.plan
    for name in ("norm_mix", "norm_ffn"):
        getattr(single, name).load_state_dict(getattr(parts, name).state_dict())
    if heads == CONVOLUTION:
        single.convolution.load_state_dict(layer.convolution.state_dict())
    else:
        inner = heads * single.config.head
        for own, given in ((single.qkv.weight, parts.qkv.weight), (single.qkv.bias, parts.qkv.bias)):
            own.copy_(given.unflatten(0, (3, -1))[:, :inner].flatten(0, 1))
        single.out.weight.copy_(parts.out.weight[:, :inner])
        single.out.bias.copy_(parts.out.bias)
    single.up.weight.copy_(parts.up.weight[:ffn])
    single.up.bias.copy_(parts.up.bias[:ffn])
    single.down.weight.copy_(parts.down.weight[:, :ffn])
    single.down.bias.copy_(parts.down.bias)


# --- images and training -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class VitRecipe:
    """How networks are trained: AdamW, a learning rate that falls as a half cosine, images moved by up to a pixel.

    The search has as many steps of weights, at the same rate and batch size.
    """

    train_images: int = 8000
    valid_images: int = 2000
    test_images: int = 4000
    steps: int = 1000
    batch_size: int = 128
    lr: float = 3e-3
    weight_decay: float = 0.05


class VitImages(NamedTuple):
    """Images and labels to train on, to search by and to report."""

    train: tuple[Tensor, Tensor]
    valid: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]

    def to(self, device: torch.device | str) -> VitImages:
        """The same images on another device; networks are trained where their images are."""
        return VitImages(*((x.to(device), y.to(device)) for x, y in self))


def vit_images(recipe: VitRecipe, config: VitConfig | None = None) -> VitImages:
    """The cluttered digits of a recipe, drawn in a few seconds."""
    side = (config or VitConfig()).resolution
    counts = {"train": recipe.train_images, "valid": recipe.valid_images, "test": recipe.test_images}
    return VitImages(*(cluttered_digits(name, count, side).tensors() for name, count in counts.items()))


class WeightTraining:
    """Steps of weights: shuffled batches, moved images, AdamW with a falling rate.

    `step(forward)` takes one: `forward` maps images to logits, however.
    """

    def __init__(self, network: nn.Module, images: VitImages, recipe: VitRecipe, seed: int) -> None:
        self._x, self._y = images.train
        self._batches = BatchOrder(len(self._y), recipe.batch_size, seed)
        self._moves = torch.Generator().manual_seed(seed_number(seed))
        self._recipe, self.done = recipe, 0
        self._optimizer = torch.optim.AdamW(
            network.parameters(), recipe.lr, weight_decay=recipe.weight_decay, fused=True
        )

    def step(self, forward: Callable[[Tensor], Tensor]) -> float:
        """One step; returns the loss before it."""
        rows = self._batches(self.done)
        down, right = torch.randint(3, (2,), generator=self._moves).tolist()
        x = self._x[rows]
        side = x.shape[-1]
        x = F.pad(x, (1, 1, 1, 1), mode="replicate")[..., down : down + side, right : right + side]
        for group in self._optimizer.param_groups:
            group["lr"] = half_cosine(self._recipe.lr, self.done, self._recipe.steps)
        self._optimizer.zero_grad()
        loss = F.cross_entropy(forward(x), self._y[rows])
        loss.backward()
        self._optimizer.step()
        self.done += 1
        return loss.item()


def fit_vit(
    arch: Arch,
    images: VitImages,
    recipe: VitRecipe | None = None,
    seed: int = 0,
    config: VitConfig | None = None,
) -> VitNetwork:
    """Train the network of `arch` from fresh weights, where the images are; `seed` draws weights, batches and moves."""
    recipe = recipe or VitRecipe()
    network = VitNetwork(arch, config, seed).to(images.train[0].device)
    training = WeightTraining(network, images, recipe, seed)
    for _ in range(recipe.steps):
        training.step(network)
    return network.eval()


def accuracy(network: nn.Module, images: tuple[Tensor, Tensor]) -> float:
    """Percent of the images that are classified rightly."""
    return 100.0 * count_correct(network, *images) / len(images[1])
