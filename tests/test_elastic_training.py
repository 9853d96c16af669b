"""Once-for-all training: which networks when, what the loss is, and that it can stop and go on; latency by parts."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from nas_lib.elastic_training import (
    ElasticRecipe,
    ElasticTraining,
    SizedData,
    StandAloneRecipe,
    distillation_loss,
    distinct_archs,
    inherited_accuracy,
    load_sizes,
    shrinking_phases,
    train_stand_alone,
)
from nas_lib.mobile import MobileConfig, MobileNetwork
from nas_lib.mobile_latency import measure_parts, milliseconds, parts, predicted_milliseconds
from nas_lib.spaces import MobileArch, MobileSpace

SPACE = MobileSpace(resolutions=(6, 8), stages=2, depths=(1, 2), kernels=(3, 5), expands=(1, 2))
CONFIG = MobileConfig(channels=(4, 8), strides=(1, 2), stem=4, head=8)


@pytest.fixture(scope="module")
def data() -> SizedData:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(96) % 10

    def images(size: int) -> tuple[torch.Tensor, torch.Tensor]:
        noise = torch.randn(96, 1, size, size, generator=generator) * 0.3
        return noise + labels[:, None, None, None] / 3, labels

    both = {size: images(size) for size in (6, 8)}
    return SizedData(both, {size: (x[:40], y[:40]) for size, (x, y) in both.items()})


def training(data: SizedData, seed: int = 0, **options: object) -> ElasticTraining:
    recipe = ElasticRecipe(**{"passes": 40, "batch_size": 16} | options)  # type: ignore[arg-type]
    return ElasticTraining(data, SPACE, recipe, seed, CONFIG)


def weights(trained: ElasticTraining) -> torch.Tensor:
    return torch.cat([value.double().flatten() for value in trained.network.state_dict().values()])


# -- phases ------------------------------------------------------------------------------------------------


def test_options_open_one_at_a_time_kernels_then_depths_then_expansions():
    phases = shrinking_phases(MobileSpace(kernels=(3, 7, 5)), 1000, 0.4)
    options = [phase.space.choices[2:5] for phase in phases]
    assert options == [
        ((3,), (7,), (4,)),
        ((3,), (7, 5), (4,)),
        ((3,), (7, 5, 3), (4,)),
        ((3, 2), (7, 5, 3), (4,)),
        ((3, 2, 1), (7, 5, 3), (4,)),
        ((3, 2, 1), (7, 5, 3), (4, 2)),
    ]
    assert [phase.first for phase in phases] == [0, 400, 520, 640, 760, 880]
    assert all(phase.space.choices[0] == (8, 12, 16) for phase in phases)
    assert set(phases[-1].space) == set(MobileSpace(kernels=(3, 7, 5)))


def test_a_space_with_one_network_has_one_phase():
    single = MobileSpace(resolutions=(8, 12), depths=(2,), kernels=(3,), expands=(2,))
    assert [phase.first for phase in shrinking_phases(single, 3)] == [0]


@pytest.mark.parametrize(
    ("steps", "share", "message"),
    [(4, 0.4, "steps must be at least 5"), (100, 1, "largest_share must be strictly between 0 and 1, got 1")],
)
def test_phases_need_steps(steps, share, message):
    with pytest.raises(ValueError, match=message):
        shrinking_phases(MobileSpace(), steps, share)


# -- the loss ----------------------------------------------------------------------------------------------


def test_the_loss_mixes_labels_and_the_softened_teacher():
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(5, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    labels = torch.tensor([0, 1, 2, 3, 0])
    p, q = (torch.softmax(logits / 3, 1) for logits in (teacher, student))
    soft = 9 * (p * (p / q).log()).sum(1).mean()
    expected = 0.7 * F.cross_entropy(student, labels) + 0.3 * soft
    assert torch.allclose(distillation_loss(student, teacher, labels, 3.0, 0.3), expected)
    assert torch.allclose(distillation_loss(student, student, labels, 3.0, 1.0), torch.zeros(()).double())
    assert distillation_loss(student, teacher, labels, 3.0, 0.0) == F.cross_entropy(student, labels)


def test_the_loss_trains_no_teacher():
    student, teacher = (torch.randn(2, 3, requires_grad=True) for _ in range(2))
    distillation_loss(student, teacher, torch.tensor([0, 1]), 2.0, 0.5).backward()
    assert teacher.grad is None and student.grad is not None


# -- training ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("progressive", [True, False])
def test_training_lowers_the_loss_of_the_smallest_network(data, progressive):
    trained = training(data, progressive=progressive, passes=200)
    x, y = data.train[6]
    losses = []
    for until in (0, trained.steps):
        trained.run(until)
        with torch.no_grad():
            losses.append(float(F.cross_entropy(trained.network.train()(x, SPACE.smallest), y)))
    assert losses[1] < losses[0] - 0.1


def test_each_step_draws_from_what_is_open_at_one_resolution(data):
    trained = training(data, passes=400, per_step=3)
    assert [len(trained.archs(0)), len(trained.archs(trained.steps - 1))] == [1, 3]
    for number, phase in enumerate(trained.phases):
        last = trained.phases[number + 1].first if number + 1 < len(trained.phases) else trained.steps
        drawn = [trained.archs(step) for step in range(phase.first, last)]
        assert all(len({arch.resolution for arch in archs}) == 1 for archs in drawn)
        assert all(arch in phase.space for archs in drawn for arch in archs)
        assert Counter(archs[0].resolution for archs in drawn).keys() == {6, 8}


def test_without_shrinking_every_size_is_drawn_from_the_start(data):
    trained = training(data, progressive=False, passes=1200)
    assert len({arch for step in range(600) for arch in trained.archs(step)}) > len(SPACE) * 0.95
    trained.run(3)
    assert trained._teacher is None


def test_the_teacher_is_the_largest_network_of_the_first_phase_and_stays(data):
    trained = training(data, passes=200)
    begin = trained.phases[1].first
    trained.run(begin)
    assert trained._teacher is None
    x = data.train[8][0]
    with torch.no_grad():
        largest = trained.network.train()(x, SPACE.largest)
    trained.run()
    answers = trained._answers(x, 8)
    assert answers is not None and torch.equal(answers, largest) and not answers.requires_grad


def test_channels_are_sorted_once_before_narrower_blocks_train(data, monkeypatch):
    trained = training(data, passes=200)
    sorted_at = []
    monkeypatch.setattr(trained.network, "sort_channels", lambda: sorted_at.append(trained.step))
    trained.run()
    assert sorted_at == [trained.phases[-1].first]
    assert trained.phases[-1].space.smallest.stages[0].expand == 1
    assert trained.phases[-2].space.smallest.stages[0].expand == 2


def test_a_saved_training_goes_on_as_if_never_interrupted(data, tmp_path: Path):
    through = training(data, seed=2)
    through.run()
    boundaries = [phase.first for phase in through.phases]
    for stop in (1, boundaries[1], boundaries[2] + 1, boundaries[-1], through.steps):
        first = training(data, seed=2)
        first.run(stop)
        first.save(tmp_path / "run.pt")
        second = training(data, seed=2)
        second.load(tmp_path / "run.pt")
        second.run()
        assert torch.equal(weights(through), weights(second)), stop
        assert through.losses == second.losses


def test_a_training_that_was_saved_on_a_gpu_goes_on_without_one(data, saved_on_gpu):
    first, second = training(data), training(data)
    first.run(3)
    second.load(saved_on_gpu(first))
    first.run(5)
    second.run(5)
    assert first.losses == second.losses and {p.device.type for p in second.network.parameters()} == {"cpu"}


def test_another_training_is_refused(data, tmp_path: Path):
    training(data).save(tmp_path / "run.pt")
    with pytest.raises(ValueError, match="differs in distillation"):
        training(data, distillation=0.0).load(tmp_path / "run.pt")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"passes": 0}, "passes must be an integer from 1 up, got 0"),
        ({"distillation": 1.5}, "distillation must be a weight from 0 to 1, got 1.5"),
        ({"temperature": 0}, "temperature must be a positive number, got 0"),
        ({"batch_size": 100}, "batch_size must not exceed the 96 training images"),
    ],
)
def test_bad_recipes_are_refused(data, options, message):
    with pytest.raises(ValueError, match=message):
        training(data, **options)


def test_images_of_every_resolution_are_needed_and_mixed_precision_is_for_cuda(data):
    with pytest.raises(ValueError, match=r"got none at \[12\]"):
        ElasticTraining(data, MobileSpace(resolutions=(8, 12)))
    with pytest.raises(ValueError, match="mixed_precision must be False on cpu"):
        ElasticTraining(data, SPACE, config=CONFIG, mixed_precision=True)


# -- networks by themselves --------------------------------------------------------------------------------


def test_inherited_accuracy_leaves_the_network_as_it_was(data):
    trained = training(data, passes=200)
    trained.run()
    before = weights(trained)
    accuracy = inherited_accuracy(trained.network, SPACE.smallest, data, batch_size=24)
    assert 0 <= accuracy <= 100
    assert torch.equal(before, weights(trained))


def test_a_network_trained_by_itself_learns_and_the_seed_decides(data):
    recipe = StandAloneRecipe(epochs=15, batch_size=16)
    arch = SPACE.largest
    accuracy, network = train_stand_alone(arch, data, recipe, 1, CONFIG)
    assert isinstance(network, MobileNetwork) and network.arch == arch
    assert accuracy > 25  # chance is 10
    again, _ = train_stand_alone(arch, data, recipe, 1, CONFIG)
    assert again == accuracy
    with pytest.raises(ValueError, match="epochs must be an integer from 1 up, got 0"):
        StandAloneRecipe(epochs=0)


def test_a_sample_of_architectures_has_both_ends_and_nothing_twice():
    archs = distinct_archs(SPACE, 20, np.random.default_rng(0))
    assert len(set(archs)) == 20
    assert archs[:2] == [SPACE.smallest, SPACE.largest]
    assert distinct_archs(SPACE, 30, np.random.default_rng(0))[:20] == archs
    with pytest.raises(ValueError, match="count must be an integer from 2 to 128, got 129"):
        distinct_archs(SPACE, 129, np.random.default_rng(0))


def test_the_same_scenes_come_at_each_resolution():
    data = load_sizes((8, 16), train_images=32, valid_images=16)
    assert data.train[8][0].shape == (32, 1, 8, 8) and data.valid[16][0].shape == (16, 1, 16, 16)
    assert torch.equal(data.train[8][1], data.train[16][1])
    pooled = F.avg_pool2d(data.train[16][0], 2)
    correlation = np.corrcoef(pooled.flatten().numpy(), data.train[8][0].flatten().numpy())[0, 1]
    assert correlation > 0.8


# -- latency -----------------------------------------------------------------------------------------------


def test_a_prediction_is_the_sum_over_the_parts_of_the_network():
    counted: list[str] = []

    def measure(module: torch.nn.Module, x: torch.Tensor) -> float:
        counted.append(f"{tuple(x.shape)}")
        return float(sum(p.numel() for p in module.parameters()))

    table = measure_parts(SPACE, CONFIG, measure)
    assert len(counted) == len(table)
    for arch in SPACE:  # every network's parts are there; their "latencies" are its parameters
        expected = sum(p.numel() for p in MobileNetwork(arch, CONFIG).parameters())
        assert predicted_milliseconds(arch, table, CONFIG) == expected
    with pytest.raises(ValueError, match=r"table must have all parts of r6-.*, got none for 'stem w1 r6'"):
        predicted_milliseconds(SPACE.smallest, {}, CONFIG)


def test_parts_name_the_size_that_they_see():
    arch = MobileArch.of(8, 1.0, [(1, 3, 1), (2, 5, 2)])
    assert parts(arch, CONFIG) == [
        "stem w1 r8",
        "block 4-4 k3 s1 e1 r8",
        "block 4-8 k5 s2 e2 r8",
        "block 8-8 k5 s1 e2 r4",
        "head w1 r4",
    ]


def test_milliseconds_are_those_of_single_calls():
    calls = 0

    class Slow(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            nonlocal calls
            calls += 1
            time.sleep(0.002)
            return x

    assert 2 <= milliseconds(Slow(), torch.zeros(1), warm_up=1, calls=8) < 20
    assert calls == 9
