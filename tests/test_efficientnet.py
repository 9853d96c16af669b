"""EfficientNets against torchvision's: the same counts for all variants, the same outputs with the same weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torchvision import models
from torchvision.ops import StochasticDepth as TheirDepth

from nas_lib.efficientnet import (
    B0,
    PUBLISHED,
    SCALES,
    VARIANTS,
    EfficientNet,
    FusedMBConv,
    MBConv,
    Plan,
    SqueezeExcite,
    StagePlan,
    StochasticDepth,
    build_efficientnet,
    copy_torchvision,
    efficientnet_plan,
    nearest_multiple,
    plan_macs,
    plan_params,
)
from nas_lib.mobile import BlockPlan, MobileConfig, build_mobile, mobile_macs
from nas_lib.networks import NetworkConfig, build_network, count_macs, traced_macs
from nas_lib.spaces import CellSpace, MobileArch

COUNTS = {
    "b0": 5_288_548,
    "b1": 7_794_184,
    "b2": 9_109_994,
    "b3": 12_233_232,
    "b4": 19_341_616,
    "b5": 30_389_784,
    "b6": 43_040_704,
    "b7": 66_347_960,
    "v2_s": 21_458_488,
    "v2_m": 54_139_356,
    "v2_l": 118_515_272,
}
SMALL = Plan(
    (StagePlan(1, 3, 1, 6, 4, 1), StagePlan(3, 5, 2, 4, 10, 2), StagePlan(2, 3, 1, 10, 10, 2, fused=True)),
    head=12,
    resolution=9,
    in_channels=1,
    classes=3,
)


def theirs(variant: str) -> torch.nn.Module:
    return getattr(models, f"efficientnet_{variant}")()


@pytest.mark.parametrize("variant", VARIANTS)
def test_parameters_and_macs_are_torchvision_s(variant: str):
    """Nothing is computed: both networks stand on the meta device, and one counter counts both."""
    plan = efficientnet_plan(variant)
    with torch.device("meta"):
        ours, other = EfficientNet(plan), theirs(variant)
    count = sum(p.numel() for p in ours.parameters())
    assert count == sum(p.numel() for p in other.parameters()) == plan_params(plan) == COUNTS[variant]
    shape = (1, 3, plan.resolution, plan.resolution)
    macs = traced_macs(ours, shape)
    assert macs == traced_macs(other, shape) == plan_macs(plan)
    millions, billions = PUBLISHED[variant]
    assert abs(count / 1e6 / millions - 1) < 0.03
    assert abs(macs / 1e9 / billions - 1) < 0.06  # the papers' own figures are rounded, and counted otherwise


@pytest.mark.parametrize("variant", ["b0", "v2_s"])
def test_outputs_are_torchvision_s_with_its_weights(variant: str):
    torch.manual_seed(0)
    other = theirs(variant).eval()
    with torch.no_grad():
        for module in other.modules():
            if isinstance(module, torch.nn.BatchNorm2d):  # no statistic may be its default
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
        network = EfficientNet(efficientnet_plan(variant)).eval()
        copy_torchvision(network, other.state_dict())
        x = torch.randn(1, 3, 64, 64)
        torch.testing.assert_close(network(x), other(x), rtol=1e-4, atol=1e-5)


def test_weights_of_another_variant_are_refused():
    with torch.device("meta"):
        network, other = EfficientNet(efficientnet_plan("b1")), theirs("b0")
    with pytest.raises(ValueError, match="state must be of a network with these"):
        copy_torchvision(network, other.state_dict())


@pytest.mark.parametrize("variant", SCALES)
def test_stochastic_depth_rises_as_torchvision_s(variant: str):
    with torch.device("meta"):
        network, other = EfficientNet(efficientnet_plan(variant)), theirs(variant)
    rates = [one.p for one in other.modules() if isinstance(one, TheirDepth)]
    assert [block.drop.rate for block in network.blocks] == pytest.approx(rates)
    assert network.dropout.p == other.classifier[0].p


@pytest.mark.parametrize("variant", ["b8", "B0", "", "v2"])
def test_no_such_variant(variant: str):
    with pytest.raises(ValueError, match="variant must be one of b0, b1"):
        efficientnet_plan(variant)


def test_channels_are_rounded_as_the_reference_code_rounds_them():
    assert [nearest_multiple(value, 8) for value in (1, 12, 12.1, 19.9, 20, 35.2, 1280 * 1.1)] == [
        8,
        16,
        16,
        24,  # 16 would be more than a tenth too few
        24,
        32,
        1408,
    ]
    assert nearest_multiple(11.0, 8) == 16  # nearest is 8, a loss of 27 %
    for value in range(1, 400):
        found = nearest_multiple(value, 8)
        assert found % 8 == 0 and found >= 0.9 * value and found - value <= 8


def test_counts_of_a_small_plan_are_those_of_its_network():
    network = build_efficientnet(SMALL)
    assert plan_params(SMALL) == sum(p.numel() for p in network.parameters())
    assert plan_macs(SMALL) == traced_macs(network, (1, 1, 9, 9))
    assert plan_macs(SMALL, 16) == traced_macs(network, (1, 1, 16, 16))
    assert network.training and SMALL.depth == 5 and SMALL.stem == 6


def test_the_counter_counts_the_library_s_other_networks_alike():
    arch = MobileArch.of(12, 1.0, [(1, 3, 4), (2, 5, 3), (1, 3, 4)])
    assert traced_macs(build_mobile(arch), (1, 1, 12, 12)) == mobile_macs(arch, MobileConfig())
    cell = CellSpace().parse(
        "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_3x3~0|nor_conv_3x3~1|avg_pool_3x3~2|"
    )
    assert traced_macs(build_network(cell), (1, 1, 12, 12)) == count_macs(cell, NetworkConfig())


def test_equal_seeds_give_equal_weights_squeezes_included():
    one, other, third = (build_efficientnet(SMALL, seed) for seed in (3, 3, 4))
    for (name, a), b, c in zip(one.named_parameters(), other.parameters(), third.parameters()):
        assert torch.equal(a, b), name
        assert a.ndim == 1 or not torch.equal(a, c), name


def test_squeeze_excite_scales_channels_by_what_their_means_decide():
    layer = SqueezeExcite(6, 2)
    x = torch.randn(3, 6, 5, 4)
    weights = torch.sigmoid(
        layer.widen(torch.nn.functional.silu(layer.reduce(x.mean((2, 3))[..., None, None])))
    )
    torch.testing.assert_close(layer(x), x * weights)


def test_stochastic_depth_drops_whole_images_and_keeps_the_mean():
    torch.manual_seed(0)
    layer, x = StochasticDepth(0.3), torch.rand(4000, 2, 3) + 0.5
    found = layer(x) / x
    torch.testing.assert_close(found.amax((1, 2)), found.amin((1, 2)))
    assert sorted({round(value, 4) for value in found.flatten().tolist()}) == [0.0, 1.4286]
    assert abs(float((found[:, 0, 0] == 0).float().mean()) - 0.3) < 0.04
    assert torch.equal(layer.eval()(x), x)
    for rate in (-0.1, 1.0, 2):
        with pytest.raises(ValueError, match="rate must be"):
            StochasticDepth(rate)


@pytest.mark.parametrize("kind", [MBConv, FusedMBConv])
@pytest.mark.parametrize(("stride", "c_out"), [(1, 8), (2, 8), (1, 12)])
def test_only_blocks_that_keep_the_shape_add_their_input(kind: type, stride: int, c_out: int):
    block = kind(BlockPlan(0, 0, 8, c_out, 3, stride, 4), drop=0.5).eval()
    x = torch.randn(2, 8, 7, 7)
    plain = block.branch(x)
    right = plain + x if stride == 1 and c_out == 8 else plain
    torch.testing.assert_close(block(x), right)
    assert block(x).shape == (2, c_out, 4 if stride == 2 else 7, 4 if stride == 2 else 7)


def test_a_plan_is_scaled_only_by_as_many_numbers_as_it_has_stages():
    with pytest.raises(ValueError, match="8 and 7 entries"):
        B0.scaled([8], [1], 64)
    assert replace(B0.scaled([32, 16, 24, 40, 80, 112, 192, 320], [1, 2, 2, 3, 3, 4, 1], 1280)) == B0
