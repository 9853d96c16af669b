"""Networks: counts agree with torch, merged cells really compute the same function, packing changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nas_lib.networks import (
    CellNetwork,
    NetworkConfig,
    build_network,
    count_macs,
    count_params,
    evaluating,
    pack,
    traced_macs,
    unpack,
)
from nas_lib.spaces import EDGES, CellSpace, conv_mapping, functions, is_connected, live_edges
from nas_lib.training import RECIPE

SPACE = CellSpace()
CONFIGS = [RECIPE.network, NetworkConfig(8, 3, stem_stride=1), NetworkConfig(8, 2, 3, 100, 32, 2)]


def random_cells(count: int, seed: int = 0) -> list:
    rng = np.random.default_rng(seed)
    return [SPACE.sample(rng) for _ in range(count)]


def randomised(arch, seed: int = 0, config: NetworkConfig | None = None) -> CellNetwork:
    """A network in evaluation mode whose batch norms are not at their trivial starting point."""
    network = build_network(arch, config or RECIPE.network, seed)
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor in (module.weight.data, module.running_var):
                tensor.uniform_(0.5, 1.5, generator=generator)
            for tensor in (module.bias.data, module.running_mean):
                tensor.normal_(0, 0.3, generator=generator)
    return network.double().eval()


def images(count: int = 8, config: NetworkConfig = RECIPE.network, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (count, config.in_channels, config.resolution, config.resolution)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("config", CONFIGS)
def test_parameter_count_is_torch_s(config: NetworkConfig) -> None:
    for arch in random_cells(20):
        network = CellNetwork(arch, config)
        assert count_params(arch, config) == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("config", CONFIGS)
def test_mac_count_is_the_flop_counter_s(config: NetworkConfig) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    for arch in random_cells(200):
        if all(live or op == "none" for live, op in zip(live_edges(arch), arch, strict=True)):
            with FlopCounterMode(display=False) as counter:
                randomised(arch, config=config)(images(1, config))
            assert counter.get_total_flops() == 2 * count_macs(arch, config)


def test_dead_edges_count_but_don_t_compute() -> None:
    alive = ("nor_conv_3x3", "none", "none", "none", "skip_connect", "none")
    dead = ("nor_conv_3x3", "nor_conv_3x3", "none", "none", "skip_connect", "none")
    assert count_params(dead) > count_params(alive) and count_macs(dead) > count_macs(alive)
    # built from one seed they are the same network: the dead convolution takes no draw from the others
    a, b = (build_network(arch, seed=5).double().eval() for arch in (alive, dead))
    assert torch.equal(a(images()), b(images()))


@pytest.mark.parametrize("config", CONFIGS)
def test_a_cell_is_the_sum_over_its_edges(config: NetworkConfig) -> None:
    """Against a direct evaluation of NAS-Bench-201's definition: each node is the sum of op(source node)."""
    for arch in random_cells(15, seed=3):
        network = randomised(arch, config=config)
        block = next(module for module in network.body if hasattr(module, "edges"))
        x = torch.randn(2, config.widths[0], 6, 6, dtype=torch.float64)
        nodes = {0: x}
        for node in (1, 2, 3):
            nodes[node] = torch.zeros_like(x)
            for (source, target), op, module in zip(EDGES, arch, block.edges, strict=True):
                reached = source == 0 or is_reached(arch, source)
                if target == node and op != "none" and reached:
                    nodes[node] = nodes[node] + apply(op, module, nodes[source])
        assert torch.allclose(block(x), nodes[3], atol=1e-12)


def is_reached(arch, node: int) -> bool:
    """Whether the input has a path to `node`."""
    return node == 0 or any(
        t == node and op != "none" and is_reached(arch, s) for (s, t), op in zip(EDGES, arch, strict=True)
    )


def apply(op: str, module, x: torch.Tensor) -> torch.Tensor:
    """The operation by its definition, with the module's weights."""
    if op == "skip_connect":
        return x
    if op == "avg_pool_3x3":
        ones = torch.ones(1, 1, 3, 3, dtype=x.dtype)
        area = F.conv2d(torch.ones_like(x[:1, :1]), ones, padding=1)
        return F.conv2d(x.flatten(0, 1)[:, None], ones, padding=1).reshape(x.shape) / area
    _, conv, norm = module
    assert conv.kernel_size == {"nor_conv_1x1": (1, 1), "nor_conv_3x3": (3, 3)}[op]
    y = F.conv2d(x.clamp(min=0), conv.weight, padding=conv.kernel_size[0] // 2)
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return (y - norm.running_mean[:, None, None]) * scale[:, None, None] + norm.bias[:, None, None]


# --- canonical -------------------------------------------------------------------------------------------


def with_weights_of(a: CellNetwork, arch_b) -> CellNetwork:
    """The network of `arch_b`, live convolutions filled from those of `a` that play the same part."""
    b = randomised(arch_b, seed=99)
    mapping = conv_mapping(a.arch, arch_b)
    for block_a, block_b in zip(a.body, b.body, strict=True):
        if hasattr(block_a, "edges"):
            for edge_a, edge_b in mapping.items():
                block_b.edges[edge_b].load_state_dict(block_a.edges[edge_a].state_dict())
        else:
            block_b.load_state_dict(block_a.state_dict())
    for name in ("stem", "head", "classifier"):
        getattr(b, name).load_state_dict(getattr(a, name).state_dict())
    return b


def test_merged_cells_have_equal_outputs_with_mapped_weights() -> None:
    representatives, function = functions(SPACE)
    rng = np.random.default_rng(0)
    sizes = np.bincount(function)
    x = images()
    for number in rng.choice(np.flatnonzero(sizes > 1), 60, replace=False):
        members = rng.permutation(np.flatnonzero(function == number))[:4]
        a = randomised(representatives[number], seed=int(number))
        expected = a(x)
        for index in members:
            b = with_weights_of(a, SPACE.from_index(int(index)))
            assert torch.allclose(b(x), expected, rtol=1e-9, atol=1e-9), SPACE.from_index(int(index))


def test_cells_that_are_not_merged_differ() -> None:
    """Neighbouring cells of two functions, with weights fixed by edge and operation, have different outputs.

    One exception is allowed, and must be rare: average pooling is linear, pool(a) + pool(b) = pool(a + b), which
    `canonical` does not use. (That every renaming of convolutions fails too is shown in test_spaces.)
    """
    rng = np.random.default_rng(1)
    x, compared, linear = images(4), 0, 0
    function = functions(SPACE)[1]
    while compared < 80:
        a = SPACE.sample(rng)
        b = SPACE.mutate(a, rng)
        if function[SPACE.index(a)] == function[SPACE.index(b)] or not (is_connected(a) and is_connected(b)):
            continue
        compared += 1
        if torch.allclose(shared_weights(a)(x), shared_weights(b)(x), rtol=1e-6, atol=1e-6):
            assert "avg_pool_3x3" in a and "avg_pool_3x3" in b, (SPACE.str(a), SPACE.str(b))
            linear += 1
    assert linear <= 4


def shared_weights(arch) -> CellNetwork:
    """A network whose edges have fixed weights for each edge and operation, the same in every cell."""
    network = randomised(arch)
    for stage, block in enumerate(network.body):
        if hasattr(block, "edges"):
            for number, (op, edge) in enumerate(zip(arch, block.edges, strict=True)):
                if op.startswith("nor_conv"):
                    donor = randomised((op,) * 6, seed=1000 + number)
                    edge.load_state_dict(donor.body[stage].edges[number].state_dict())
        else:
            donor = randomised(("nor_conv_3x3",) * 6, seed=7)
            block.load_state_dict(donor.body[stage].state_dict())
    donor = randomised(("nor_conv_3x3",) * 6, seed=7)
    for name in ("stem", "head", "classifier"):
        getattr(network, name).load_state_dict(getattr(donor, name).state_dict())
    return network


# --- packing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", CONFIGS)
def test_packed_networks_give_each_network_s_logits(config: NetworkConfig) -> None:
    for arch in random_cells(6, seed=5):
        networks = [randomised(arch, seed, config) for seed in range(3)]
        x = images(4, config)
        packed = pack(networks).double()
        together = packed(x.repeat(1, 3, 1, 1))
        assert together.shape == (4, 3, config.classes)
        for i, network in enumerate(networks):
            assert torch.allclose(together[:, i], network(x), atol=1e-10)
        for one, other in zip(networks, unpack(packed), strict=True):
            assert all(
                torch.equal(a, b)
                for a, b in zip(one.state_dict().values(), other.double().state_dict().values(), strict=True)
            )


def test_pack_refuses_different_cells() -> None:
    a, b = random_cells(2)
    with pytest.raises(ValueError, match="networks"):
        pack([build_network(a), build_network(b)])
    with pytest.raises(ValueError, match="networks"):
        pack([])


def test_weights_are_fixed_by_the_seed() -> None:
    arch = random_cells(1)[0]
    first, again, other = (
        torch.nn.utils.parameters_to_vector(build_network(arch, seed=s).parameters()) for s in (0, 0, 1)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_stages_halve_resolution_and_double_width() -> None:
    for config in CONFIGS:
        network = CellNetwork(("skip_connect",) * 6, config).eval()
        x = network.stem(torch.zeros(1, config.in_channels, config.resolution, config.resolution))
        shapes = [x.shape]
        for module in network.body:
            x = module(x)
            shapes.append(x.shape)
        reached = {(shape[1], shape[2]) for shape in shapes}
        assert reached == set(zip(config.widths, config.resolutions, strict=True))
        for a, b in pairwise(config.widths):
            assert b == 2 * a


@pytest.mark.parametrize("arch", [("conv",) * 6, ("none",) * 5, "none"])
def test_bad_architectures_are_named(arch) -> None:
    for make in (CellNetwork, build_network, count_params, count_macs):
        with pytest.raises((ValueError, TypeError), match="arch"):
            make(arch)


@pytest.mark.parametrize("side", [8, 11, 12, 13, 15, 27])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_images_of_any_side_have_the_arithmetic_that_is_counted(side: int, stride: int) -> None:
    config = NetworkConfig(resolution=side, stem_stride=stride)
    cell = ("nor_conv_3x3", "skip_connect", "nor_conv_1x1", "avg_pool_3x3", "nor_conv_3x3", "nor_conv_1x1")
    network = build_network(cell, config)
    sizes: list[int] = []
    for block in network.body[::2]:
        block.register_forward_hook(lambda _block, _given, out: sizes.append(out.shape[-1]))
    assert traced_macs(network, (1, 1, side, side)) == count_macs(cell, config)
    assert tuple(sizes) == config.resolutions


LENGTH, WIDTH, INNER = 10, 16, 32
ATTENTION = 4 * LENGTH * WIDTH**2 + 2 * LENGTH**2 * WIDTH  # four projections, and two products of matrices


class SelfAttention(nn.Module):
    def __init__(self, **options: bool) -> None:
        super().__init__()
        self.attention, self.options = nn.MultiheadAttention(WIDTH, 4, batch_first=True), options

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attention(x, x, x, **self.options)[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    ("network", "macs"),
    [
        (SelfAttention(), ATTENTION),
        (SelfAttention(need_weights=False), ATTENTION),
        (
            nn.TransformerEncoderLayer(WIDTH, 4, INNER, batch_first=True),
            ATTENTION + 2 * LENGTH * WIDTH * INNER,
        ),
        (nn.Linear(WIDTH, 3), 3 * LENGTH * WIDTH),
    ],
    ids=["attention", "attention without its weights", "a Transformer's layer", "linear"],
)
def test_attention_is_counted_in_any_precision(network: nn.Module, macs: int, dtype: torch.dtype) -> None:
    fast = torch.backends.mha.get_fastpath_enabled()
    assert traced_macs(network.to(dtype), (1, LENGTH, WIDTH)) == macs
    assert torch.backends.mha.get_fastpath_enabled() == fast


def test_each_part_gets_its_mode_back_after_an_error_too() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.BatchNorm1d(2), nn.Dropout())).train()
    network[1].eval()
    modes = [part.training for part in network.modules()]
    with evaluating(network):
        assert not any(part.training for part in network.modules())
    assert [part.training for part in network.modules()] == modes
    with pytest.raises(RuntimeError):
        traced_macs(network, (1, 7))
    assert [part.training for part in network.modules()] == modes


class Computing(nn.Module):
    """Whatever a function makes of a weight and the input."""

    def __init__(self, compute: Callable[..., torch.Tensor], *weight: int) -> None:
        super().__init__()
        self.compute, self.weight = compute, nn.Parameter(torch.ones(weight))

    def forward(self, *args: Any, **named: Any) -> torch.Tensor:
        return self.compute(self.weight, *args, **named)


class First(nn.Module):
    """What a recurrent layer puts out, without its state."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[0]


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize(
    ("network", "shape", "macs"),
    [
        (Computing(lambda w, x: x[0] @ w, 4), (1, 3, 4), 12),
        (Computing(lambda w, x: torch.dot(x[0], w), 4), (1, 4), 4),
        (Computing(lambda w, x: torch.addmv(x[0, :, 0], x[0], w), 4), (1, 3, 4), 12),
        (Computing(lambda w, x: torch.addr(x, x[:, 0], w), 4), (1, 4), 4),
        (Computing(lambda w, x: torch.addbmm(w[:3], x, w[None]), 4, 4), (1, 3, 4), 48),
        (Computing(lambda w, x: torch.einsum("bci,oi->bco", x, w), 5, 4), (1, 3, 4), 60),
        (Computing(lambda w, x: torch.cdist(x, w), 30, 4), (1, 30, 4), 3600),
        (
            nn.Sequential(nn.Linear(4, 4), Computing(lambda w, x: nn.functional.bilinear(x, x, w), 3, 4, 4)),
            (1, 4),
            64,
        ),
        (First(nn.LSTM(4, 5, batch_first=True)), (1, 3, 4), 3 * 4 * 5 * (4 + 5)),
        (First(nn.LSTM(4, 5, 2, bidirectional=True)), (3, 1, 4), 3 * 2 * 4 * 5 * (4 + 5 + 10 + 5)),
        (First(nn.LSTM(4, 5, proj_size=2)), (3, 1, 4), 3 * (4 * 5 * (4 + 2) + 5 * 2)),
        (First(nn.GRU(4, 5)), (3, 1, 4), 3 * 3 * 5 * (4 + 5)),
        (First(nn.RNN(4, 5)), (3, 1, 4), 3 * 5 * (4 + 5)),
        (nn.ConvTranspose2d(2, 3, 3, stride=2), (1, 2, 4, 4), 2 * 3 * 9 * 16),
        (nn.ReLU(), (1, 4), 0),
    ],
)
def test_vectors_and_recurrent_layers_are_counted(
    network: nn.Module, shape: tuple[int, ...], macs: int, inference: bool
) -> None:
    with torch.inference_mode(inference):
        assert traced_macs(network, shape) == macs


def test_the_input_itself_may_be_given() -> None:
    words = torch.zeros(1, 3, dtype=torch.int64)
    embedding = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 5))
    assert traced_macs(embedding, words) == 3 * 4 * 5
    with pytest.raises(RuntimeError) as caught:
        traced_macs(embedding, (1, 3))
    assert "zeros of shape (1, 3); other input can be given itself" in caught.value.__notes__[0]
    two = Computing(lambda w, x, other=None: x @ w + other @ w, 4, 5)
    assert traced_macs(two, (torch.zeros(1, 4), torch.zeros(1, 4))) == 40
    assert traced_macs(two, {"x": torch.zeros(1, 4), "other": torch.zeros(1, 4)}) == 40
    assert traced_macs(Computing(lambda w, batch: batch["x"] @ w, 4, 5), ({"x": torch.zeros(1, 4)},)) == 20
    assert traced_macs(nn.Linear(4, 5), np.array([1, 4])) == 20


def test_what_cannot_be_counted_is_named() -> None:
    sparse = Computing(lambda w, x: torch.sparse.mm(x.to_sparse(), w), 4, 2)
    with pytest.raises(
        ValueError, match=r"network must compute by operations whose .* are known, got _sparse"
    ):
        traced_macs(sparse, (1, 4))
    for shape in ((0, 4), (), 4, (1.5,), "14"):
        with pytest.raises(ValueError, match="shape must be the input's, integers from 1 up"):
            traced_macs(nn.Linear(4, 5), shape)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"network must be a torch\.nn\.Module"):
        traced_macs(lambda x: x, (1, 4))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"channels": 0}, "channels must be an integer from 1 up, got 0"),
        ({"channels": 16.5}, r"channels must be an integer from 1 up, got 16\.5"),
        ({"classes": -1}, "classes must be"),
        ({"stages": True}, "stages must be"),
        ({"resolution": 3, "stages": 4}, "resolution must leave a pixel for each of 4 stages"),
    ],
)
def test_impossible_networks_are_refused(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        NetworkConfig(**options)
    assert NetworkConfig(np.int64(8)) == NetworkConfig(8)  # type: ignore[arg-type]
    assert type(NetworkConfig(np.int64(8)).channels) is int  # type: ignore[arg-type]


def test_numpys_seeds_give_the_same_weights_and_others_are_refused() -> None:
    cell = SPACE.from_index(9_000)
    one, other = (build_network(cell, seed=seed).stem[0].weight for seed in (3, np.int64(3)))  # type: ignore[arg-type]
    assert torch.equal(one, other)
    for seed in (1.5, "3", None, True, -1):
        with pytest.raises((TypeError, ValueError), match="seed must be an integer from 0 up"):
            build_network(cell, seed=seed)  # type: ignore[arg-type]


def test_precision_and_device_survive_packing() -> None:
    cell = SPACE.from_index(9_000)
    for network in (build_network(cell).double(), build_network(cell).to("meta")):
        weight = network.classifier.weight
        for made in (packed := pack([network, network]), unpack(packed)[1]):
            found = made.classifier.weight
            assert (found.dtype, found.device) == (weight.dtype, weight.device)
