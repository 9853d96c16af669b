"""MobileSpace, its networks, and the elastic network that holds all of them in one set of weights."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from nas_lib.mobile import (
    ElasticNetwork,
    MobileConfig,
    MobileNetwork,
    build_mobile,
    mobile_macs,
    mobile_params,
    plan,
)
from nas_lib.spaces import MobileArch, MobileSpace, Space

SPACE = MobileSpace()
SMALL = MobileSpace(resolutions=(8,), stages=2, depths=(1, 2), kernels=(3,), expands=(2,))
WIDE = MobileSpace(resolutions=(8, 12), widths=(0.5, 1.0, 1.5), kernels=(7, 3, 5))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def images(arch: MobileArch, count: int = 8, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 1, arch.resolution, arch.resolution, generator=generator)


# -- the space ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", [SPACE, SMALL, WIDE])
def test_the_space_follows_the_protocol_and_numbers_the_product_of_its_choices(space):
    assert isinstance(space, Space)
    assert len(space) == np.prod([len(options) for options in space.choices])
    first = list(itertools.islice(itertools.product(*space.choices), 50))
    assert [space.from_index(i) for i in range(min(50, len(space)))] == first
    for index in (0, 1, len(space) // 2, len(space) - 1):
        arch = space.from_index(index)
        assert space.index(arch) == space.index(tuple(arch)) == index
        assert space.parse(space.str(arch)) == arch
        assert arch in space


def test_an_architecture_reads_as_its_stages_and_equals_its_tuple():
    arch = MobileArch.of(12, 1.0, [(2, 3, 4), (1, 5, 2), (3, 3, 2)])
    assert arch == (12, 1.0, 2, 3, 4, 1, 5, 2, 3, 3, 2)
    assert hash(arch) == hash(tuple(arch))
    assert (arch.resolution, arch.width) == (12, 1.0)
    assert [stage.depth for stage in arch.stages] == [2, 1, 3]
    assert [stage.kernel for stage in arch.stages] == [3, 5, 3]
    assert [stage.expand for stage in arch.stages] == [4, 2, 2]
    assert str(arch) == "r12-w1-d2k3e4-d1k5e2-d3k3e2"


@pytest.mark.parametrize("space", [SPACE, SMALL, WIDE])
def test_neighbours_differ_in_one_decision_and_mutations_are_neighbours(space, rng):
    arch = space.sample(rng)
    neighbours = space.neighbors(arch)
    differing = [sum(a != b for a, b in zip(arch, other, strict=True)) for other in neighbours]
    assert differing == [1] * sum(len(options) - 1 for options in space.choices)
    assert len(set(neighbours)) == len(neighbours)
    assert all(arch in space.neighbors(other) for other in neighbours)
    seen = {space.mutate(arch, rng) for _ in range(600)}
    assert seen == set(neighbours)


def test_a_mutation_picks_the_decision_uniformly(rng):
    arch = SPACE.smallest
    changed = Counter(
        next(i for i, (a, b) in enumerate(zip(arch, SPACE.mutate(arch, rng), strict=True)) if a != b)
        for _ in range(5000)
    )
    assert set(changed) == {0, *range(2, 11)}  # there is one width only
    expected = 500
    assert (
        sum((count - expected) ** 2 / expected for count in changed.values()) < 40
    )  # chi², 9 degrees: p < 1e-5


def test_samples_are_uniform(rng):
    counts = Counter(SMALL.index(SMALL.sample(rng)) for _ in range(4000))
    assert sum((counts[i] - 1000) ** 2 / 1000 for i in range(4)) < 28  # chi², 3 degrees: p < 1e-5


def test_encodings_are_one_hot_and_distinct(rng):
    arch = WIDE.sample(rng)
    assert WIDE.encode(arch).sum() == len(WIDE.choices)
    assert len(WIDE.encode(arch)) == sum(map(len, WIDE.choices))
    assert all((WIDE.encode(arch) != WIDE.encode(other)).sum() == 2 for other in WIDE.neighbors(arch))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("r12", "got the string 'r12'"),
        (3, "arch must be a resolution, a width"),
        ((12, 1.0), "got 2 numbers"),
        ((12, 1.0, 1, 3), "got 4 numbers"),
        ((12, 1.0, 1, 4, 2), "odd kernels, got kernel 4"),
        ((12, 1.0, 1.5, 3, 2), "integers except for the width"),
        ((12, -1.0, 1, 3, 2), "all above 0, got -1.0"),
        ((12, float("nan"), 1, 3, 2), "all above 0, got nan"),
        ((12, "1", 1, 3, 2), "got '1'"),
        ((12, 1.0, True, 3, 2), "got True"),
    ],
)
def test_what_is_no_architecture_is_refused_with_one_sentence(wrong, message):
    with pytest.raises((TypeError, ValueError)) as refused:
        MobileArch(wrong)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ((12, 1.0, 2, 3, 4), "arch must have 3 stages in this space"),
        ((9, 1.0, *(1, 3, 2) * 3), r"arch has 9 where the space offers \(8, 12, 16\)"),
        ((12, 1.5, *(1, 3, 2) * 3), r"arch has 1.5 where the space offers \(1.0,\)"),
    ],
)
def test_what_is_not_in_the_space_is_refused_by_all_its_methods(arch, message):
    assert arch not in SPACE
    for call in (SPACE.index, SPACE.neighbors, SPACE.encode, SPACE.str):
        with pytest.raises(ValueError, match=message):
            call(arch)


@pytest.mark.parametrize("width", [0.75, 1.4, 1.1**2, 1 / 3, 2**0.5, 2 ** (1 / 8), 1e-5, 1.0000001, 1e20])
def test_widths_of_any_size_are_read_back(width):
    space = MobileSpace(widths=(1.0, width))
    one, other = (MobileArch.of(8, each, [(1, 3, 2)] * 3) for each in (1.0, width))
    assert space.parse(space.str(other)) == other and space.str(one) != space.str(other)


@pytest.mark.parametrize(
    "string", ["", "r12", "r12-w1-d2k3e4x", "r12-w1.0-d1k3e2-d1k3e2-d1k3e2", "d1k3e2", None, 7]
)
def test_other_spellings_are_refused(string):
    with pytest.raises((TypeError, ValueError), match="string must be an architecture written as"):
        SPACE.parse(string)


@pytest.mark.parametrize(
    "options",
    [
        {"kernels": (2,)},
        {"kernels": ()},
        {"depths": (1, 1)},
        {"expands": "24"},
        {"stages": 0},
        {"stages": 1.5},
        {"resolutions": (0,)},
        {"widths": 1.0},
        {"depths": (1.5,)},
    ],
)
def test_options_that_no_network_can_have_are_refused(options):
    with pytest.raises((TypeError, ValueError), match=r"must be|got"):
        MobileSpace(**options)


@pytest.mark.parametrize("index", [-1, len(SPACE), 1.0, "0", True])
def test_an_index_outside_is_refused(index):
    with pytest.raises((TypeError, ValueError), match="index must be"):
        SPACE.from_index(index)


def test_a_space_of_one_network_has_nowhere_to_go(rng):
    one = MobileSpace(resolutions=(8,), depths=(1,), kernels=(3,), expands=(2,))
    assert (len(one), one.neighbors(one.largest)) == (1, [])
    with pytest.raises(ValueError, match="a decision with two options or more"):
        one.mutate(one.largest, rng)


# -- networks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, 17, 400, 3000, 5183])
def test_parameters_and_macs_are_those_of_the_network_that_is_built(index):
    arch = SPACE.from_index(index)
    network = build_mobile(arch).eval()
    assert mobile_params(arch) == sum(p.numel() for p in network.parameters())
    with FlopCounterMode(display=False) as counter:
        logits = network(images(arch, 1))
    assert logits.shape == (1, 10)
    assert 2 * mobile_macs(arch) == counter.get_total_flops()


def test_each_decision_makes_the_network_larger():
    middle = MobileArch.of(12, 1.0, [(2, 3, 2)] * 3)
    larger = [
        MobileArch.of(16, 1.0, [(2, 3, 2)] * 3),
        MobileArch.of(12, 1.5, [(2, 3, 2)] * 3),
        MobileArch.of(12, 1.0, [(2, 3, 2), (3, 3, 2), (2, 3, 2)]),
        MobileArch.of(12, 1.0, [(2, 3, 2), (2, 5, 2), (2, 3, 2)]),
        MobileArch.of(12, 1.0, [(2, 3, 2), (2, 3, 4), (2, 3, 2)]),
    ]
    assert all(mobile_macs(arch) > mobile_macs(middle) for arch in larger)


def test_weights_depend_on_the_seed_alone():
    arch = SPACE.smallest
    x = images(arch)
    same, other = (build_mobile(arch, seed=seed).eval()(x) for seed in (1, 2))
    assert torch.equal(same, build_mobile(arch, seed=1).eval()(x))
    assert not torch.equal(same, other)


def test_images_of_another_resolution_are_refused():
    network = build_mobile(SPACE.smallest)
    with pytest.raises(ValueError, match=r"x must be images \(B, 1, 8, 8\), got shape \(2, 1, 12, 12\)"):
        network(torch.zeros(2, 1, 12, 12))


def test_a_plan_needs_as_many_stages_as_the_configuration():
    with pytest.raises(ValueError, match="as many stages as config has channels and strides: 3 and 3, got 1"):
        plan((12, 1.0, 1, 3, 2))
    assert len(plan((12, 1.0, 2, 3, 2), MobileConfig(channels=(8,), strides=(1,)))) == 2


# -- elastic -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def elastic() -> ElasticNetwork:
    """An elastic network whose statistics and kernel matrices are no longer what they were at the start."""
    network = ElasticNetwork(MobileSpace(resolutions=(8, 12), kernels=(3, 5, 7)), seed=3)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "transforms" in name or "bn" in name:
                parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    network.train()
    for arch in (network.space.largest, network.space.smallest, network.space.largest):
        network(images(arch, 32), arch)
    return network.eval()


@pytest.mark.parametrize("training", [False, True])
def test_an_extracted_network_computes_the_same_to_the_last_bit(elastic, rng, training):
    elastic.train(training)
    try:
        for arch in [
            elastic.space.smallest,
            elastic.space.largest,
            *(elastic.space.sample(rng) for _ in range(10)),
        ]:
            network = elastic.extract(arch)
            assert isinstance(network, MobileNetwork) and network.training is training
            assert torch.equal(network(images(arch)), elastic(images(arch), arch))
    finally:
        elastic.eval()


def test_an_extracted_network_is_a_copy(elastic):
    arch = elastic.space.smallest
    before = elastic(images(arch), arch)
    network = elastic.extract(arch)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert torch.equal(elastic(images(arch), arch), before)


def test_the_largest_network_has_all_the_parameters_but_the_matrices():
    network = ElasticNetwork(SPACE)
    matrices = sum(p.numel() for name, p in network.named_parameters() if "transforms" in name)
    assert sum(p.numel() for p in network.parameters()) - matrices == mobile_params(SPACE.largest)
    assert matrices == 9 * 81  # nine blocks, from 5x5 to 3x3


def test_a_smaller_kernel_begins_as_the_centre_of_the_larger_one():
    block = ElasticNetwork(MobileSpace(kernels=(7, 3, 5))).blocks[0]
    full = block.full.filter.weight
    assert torch.equal(block.depthwise(7, 32), full[:32])
    assert torch.allclose(block.depthwise(5, 32), full[:32, :, 1:6, 1:6])
    assert torch.allclose(block.depthwise(3, 16), full[:16, :, 2:5, 2:5])


def test_the_matrices_transform_kernels_one_size_after_the_other(rng):
    block = ElasticNetwork(MobileSpace(kernels=(3, 5, 7)), seed=1).blocks[2]
    to_5, to_3 = (torch.from_numpy(rng.standard_normal((n, n))).float() for n in (25, 9))
    with torch.no_grad():
        block.transforms["5"].copy_(to_5)
        block.transforms["3"].copy_(to_3)
    full = block.full.filter.weight[:16, 0]
    five = torch.einsum("cp,pq->cq", full[:, 1:6, 1:6].reshape(16, 25), to_5).reshape(16, 5, 5)
    three = torch.einsum("cp,pq->cq", five[:, 1:4, 1:4].reshape(16, 9), to_3).reshape(16, 3, 3)
    assert torch.allclose(block.depthwise(5, 16)[:, 0], five, atol=1e-5)
    assert torch.allclose(block.depthwise(3, 16)[:, 0], three, atol=1e-5)


def test_gradients_reach_what_a_network_uses_and_nothing_else():
    network = ElasticNetwork(MobileSpace(resolutions=(8,)))
    arch = MobileArch.of(8, 1.0, [(1, 3, 2)] * 3)
    F.cross_entropy(network(images(arch), arch), torch.zeros(8, dtype=torch.long)).backward()
    used, unused = network.blocks[0], network.blocks[1]
    assert used.full.block.number == 0 and unused.full.block.number == 1
    assert all(parameter.grad is None for parameter in unused.parameters())
    grad = used.full.widen.weight.grad
    assert grad[:16].abs().sum() > 0 and grad[16:].abs().sum() == 0
    border = used.full.filter.weight.grad.clone()
    border[:, :, 1:4, 1:4] = 0
    assert border.abs().sum() == 0
    assert used.transforms["3"].grad.abs().sum() > 0


def test_sorting_channels_changes_the_order_but_not_what_the_largest_network_computes(elastic):
    x = images(elastic.space.largest)
    before = elastic(x, elastic.space.largest)
    small = MobileArch.of(12, 1.0, [(1, 3, 2)] * 3)
    narrow_before = elastic(images(small), small)
    elastic.sort_channels()
    assert torch.allclose(elastic(x, elastic.space.largest), before, atol=1e-5)
    assert not torch.allclose(elastic(images(small), small), narrow_before, atol=1e-3)
    for block in elastic.blocks:
        importance = block.full.narrow.weight.abs().sum((0, 2, 3))
        assert torch.equal(importance, importance.sort(descending=True).values)


def test_an_elastic_network_refuses_other_architectures_images_and_spaces(elastic):
    with pytest.raises(ValueError, match="where the space offers"):
        elastic(torch.zeros(1, 1, 16, 16), MobileArch.of(16, 1.0, [(1, 3, 2)] * 3))
    with pytest.raises(ValueError, match="x must be images"):
        elastic(torch.zeros(1, 1, 12, 12), elastic.space.smallest)
    with pytest.raises(ValueError, match="space must have one width"):
        ElasticNetwork(WIDE)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"channels": (0, 8, 8)}, "channels must be integers from 1 up"),
        ({"strides": (0, 1, 2)}, "strides must be integers from 1 up"),
        ({"strides": 2}, "strides must be integers from 1 up"),
        ({"divisor": 0}, "divisor must be an integer from 1 up"),
        ({"classes": 1.5}, "classes must be an integer from 1 up"),
    ],
)
def test_impossible_networks_are_refused(options: dict, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        MobileConfig(**options)


def test_lists_and_numpys_numbers_are_the_same_configuration() -> None:
    made = MobileConfig(channels=[8, 16, 32], strides=np.array([1, 2, 2]), stem=np.int64(8))  # type: ignore[arg-type]
    assert made == MobileConfig() and hash(made) == hash(MobileConfig())
    assert MobileSpace(widths=np.linspace(0.5, 1, 2)).smallest == MobileSpace(widths=(0.5, 1.0)).smallest  # type: ignore[arg-type]
