"""The small vision Transformer, all of its networks in one, and TuNAS's loop around it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from nas_lib.tunas import Policy, TunasSearch, interleave, recorded_runs
from nas_lib.vit import (
    LayerPlan,
    MaskedVit,
    VitConfig,
    VitNetwork,
    VitRecipe,
    accuracy,
    first_features,
    first_heads,
    fit_vit,
    layers,
    vit_images,
    vit_macs,
    vit_space,
)
from scripts.recordings import tunas_runs

SPACE = vit_space()
ENDS = (SPACE.from_index(0), SPACE.from_index(len(SPACE) - 1))
SOME = [*ENDS, *(SPACE.sample(np.random.default_rng(seed)) for seed in range(4))]
TINY = VitRecipe(train_images=64, valid_images=64, test_images=32, steps=6, batch_size=16)


@pytest.fixture(scope="module")
def images():
    return vit_images(TINY)


def test_a_layer_is_decided_on_only_where_there_is_one():
    assert len(SPACE) == 12**2 + 12**3 + 12**4
    assert [len(layers(arch)) for arch in ENDS] == [2, 4]
    assert ENDS[0].ffn2 is None and ENDS[1].ffn2 == 128


@pytest.mark.parametrize("arch", SOME, ids=str)
def test_the_price_is_what_torch_counts(arch):
    config = VitConfig(width=32)
    network = VitNetwork(arch, config).eval()
    # The counter knows matrix products and convolutions, so that attention must not be one fused operation.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        network(torch.zeros(1, 1, 12, 12))
    assert counter.get_total_flops() == 2 * vit_macs(arch, config)


@pytest.mark.parametrize("arch", SOME, ids=str)
def test_what_is_masked_is_the_network_that_is_cut_out(arch):
    supernet, x = MaskedVit(SPACE, seed=1), torch.rand(3, 1, 12, 12)
    torch.testing.assert_close(supernet(x, arch), supernet.extract(arch)(x))


def test_weights_beyond_the_masks_get_no_gradient():
    supernet = MaskedVit(SPACE)
    supernet(
        torch.rand(2, 1, 12, 12), SPACE.from_index(SPACE.index((2, 1, 16, 0, 64, *[None] * 4)))
    ).sum().backward()
    first, second, third = (layer.attention for layer in list(supernet.layers)[:3])
    assert first.up.weight.grad[:16].abs().sum() > 0 and first.up.weight.grad[16:].abs().sum() == 0
    assert first.out.weight.grad[:, :16].abs().sum() > 0 and first.out.weight.grad[:, 16:].abs().sum() == 0
    assert second.out.weight.grad is None  # a convolution mixes there
    assert third.up.weight.grad is None


def test_everything_at_once_is_the_mean_of_both_mixers():
    layer, x = MaskedVit(vit_space(depths=(1,))).layers[0], torch.rand(2, 16, 64)
    with torch.no_grad():  # what follows the mixer adds nothing then
        layer.attention.down.weight.zero_()
        layer.attention.down.bias.zero_()
    everything, convolution, attention = (
        layer(x, plan, first_features, first_heads) for plan in (None, LayerPlan(0, 128), LayerPlan(4, 128))
    )
    torch.testing.assert_close(everything, (convolution + attention) / 2)


def test_equal_seeds_train_equally_and_leave_the_global_generator_alone(images):
    before = torch.random.get_rng_state()
    one, same, other = (fit_vit(ENDS[0], images, TINY, seed) for seed in (0, 0, 1))
    assert torch.equal(before, torch.random.get_rng_state())
    x = images.test[0]
    assert torch.equal(one(x), same(x)) and not torch.equal(one(x), other(x))


@pytest.mark.slow
def test_the_smallest_network_learns():
    recipe = replace(TINY, train_images=2000, test_images=1000, steps=300, batch_size=64)
    images = vit_images(recipe)
    assert accuracy(fit_vit(ENDS[0], images, recipe), images.test) > 40


# --- the policy and the loop ---


def test_a_policy_is_uniform_at_first_and_its_chances_add_up():
    space = vit_space(depths=(1, 2), heads=(0, 2), ffn=(16, 64))
    policy = Policy(space)
    made = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for logits in policy.logits:
            logits.copy_(torch.randn(len(logits), generator=made))
    assert sum(policy.log_prob(arch).exp().item() for arch in space) == pytest.approx(1, abs=1e-5)
    generator = torch.Generator().manual_seed(0)
    drawn = [policy.sample(generator) for _ in range(2000)]
    assert all(arch in space for arch in drawn)
    for arch in list(space)[::7]:
        chance = policy.log_prob(arch).exp().item()
        assert drawn.count(arch) / 2000 == pytest.approx(chance, abs=5 * (chance / 2000) ** 0.5 + 1e-3)
    best = policy.best()
    assert policy.log_prob(best) == max(policy.log_prob(arch) for arch in space if arch.depth == best.depth)


def test_what_is_rewarded_becomes_likely_and_what_is_not_drawn_stays(images):
    search = TunasSearch(SPACE, images, lambda accuracy, macs: 0.0, TINY, scored=16, policy_rate=0.05)
    arch = SPACE.from_index(SPACE.index((2, 1, 64, 0, 16, *[None] * 4)))
    before = search.policy.log_prob(arch).item()
    for _ in range(20):
        search.learn(arch, 1.0)
    assert search.policy.log_prob(arch).item() > before + 1
    assert np.ptp(search.policy.probabilities()[-1]) == 0  # the fourth layer was in none
    for _ in range(60):
        search.learn(arch, -1.0)
    assert search.policy.log_prob(arch).item() < before


def test_a_reward_is_of_accuracy_and_price(images):
    asked = []
    search = TunasSearch(SPACE, images, lambda *seen: asked.append(seen) or 1.5, TINY, scored=16)
    assert search.score(ENDS[1]) == 1.5
    assert asked[0][1] == vit_macs(ENDS[1]) and 0 <= asked[0][0] <= 100


def test_the_loop_goes_through_and_moves_weights_and_policy(images):
    search = TunasSearch(SPACE, images, lambda accuracy, macs: accuracy - macs / 1e5, TINY, scored=16)
    weights = search.supernet.classifier.weight.clone()
    rewards = interleave(TINY.steps, lambda step: 0.5, 2, search, 0.9, np.random.default_rng(0))
    assert len(rewards) == 4 and not torch.equal(weights, search.supernet.classifier.weight)
    assert max(np.ptp(chances) for chances in search.policy.probabilities()) > 0


# --- the record ---


def test_every_kind_of_job_is_recorded_and_merged(tmp_path):
    study = tunas_runs.TransformerSearches(
        seeds=(0,), recipe=replace(TINY, valid_images=256), folder=tmp_path
    )
    assert study.recording.record(progress=False) == 1 + len(tunas_runs.NAMES)
    study.merge(study.recording.complete(), tmp_path / "out.json")
    runs = {run["name"]: run for run in recorded_runs(tmp_path / "out.json")}
    assert list(runs) == ["search", *tunas_runs.NAMES]
    assert runs["found"]["arch"] == runs["search"]["arch"]
    assert abs(runs["random"]["macs"] / study.target - 1) <= tunas_runs.NEAR
    assert runs["largest"]["macs"] == vit_macs(ENDS[1]) and runs["smallest"]["macs"] == vit_macs(ENDS[0])
    assert json.loads((tmp_path / "out.json").read_text())["target"] == study.target


def test_the_shipped_runs_are_paired_over_five_seeds():
    runs = recorded_runs()
    for name in ("search", *tunas_runs.NAMES):
        assert sorted(run["seed"] for run in runs if run["name"] == name) == [0, 1, 2, 3, 4]
