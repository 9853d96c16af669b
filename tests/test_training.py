"""Training: packed equals separate, results repeat, and the parts of the recipe do what they say."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nas_lib.data import cluttered_digits
from nas_lib.networks import NetworkConfig, build_network, pack, unpack
from nas_lib.spaces import CellSpace
from nas_lib.training import (
    RECIPE,
    Recipe,
    count_correct,
    count_correct_packed,
    learning_rate,
    load_splits,
    shuffled_batches,
    train,
    train_packed,
)

SHORT = Recipe(train_images=512, valid_images=200, final_images=400, epochs=2, batch_size=64)
CELL = ("nor_conv_3x3", "skip_connect", "nor_conv_1x1", "avg_pool_3x3", "nor_conv_3x3", "none")


@pytest.fixture(scope="module")
def splits():
    return load_splits(SHORT)


@pytest.mark.parametrize("index", [None, 7000, 12_345])
def test_packed_training_equals_separate_training(splits, index: int | None) -> None:
    """In float64, where only the order of sums differs: the same weights, statistics and outputs to 1e-5 and closer."""
    arch = CELL if index is None else CellSpace().from_index(index)
    doubled = type(splits)(*[(x.double(), y) for x, y in vars(splits).values()])
    torch.set_default_dtype(torch.float64)
    try:
        separate = [train(arch, doubled, SHORT, seed) for seed in (3, 4, 5)]
        together = train_packed(arch, doubled, SHORT, (3, 4, 5))
    finally:
        torch.set_default_dtype(torch.float32)
    x = doubled.test[0][:100]
    for one, other in zip(separate, together, strict=True):
        assert one.valid_correct == other.valid_correct and one.test_correct == other.test_correct
        for (name, a), b in zip(
            one.network.state_dict().items(), other.network.state_dict().values(), strict=True
        ):
            assert torch.allclose(a, b, atol=1e-8), name
        with torch.inference_mode():
            assert torch.allclose(one.network.eval()(x), other.network.eval()(x), atol=1e-5)


def test_a_packed_step_equals_separate_steps_in_float32(splits) -> None:
    """What the table is built with: after some steps in single precision the outputs still agree to 1e-5."""
    recipe = replace(SHORT, epochs=1, train_images=128, batch_size=32)
    separate = [train(CELL, splits, recipe, seed) for seed in (0, 1)]
    together = train_packed(CELL, splits, recipe, (0, 1))
    x = splits.test[0][:100]
    for one, other in zip(separate, together, strict=True):
        with torch.inference_mode():
            a, b = one.network.eval()(x), other.network.eval()(x)
        assert torch.allclose(a, b, atol=1e-5, rtol=1e-4)


def test_packing_one_network_is_training_it(splits) -> None:
    one, packed = train(CELL, splits, SHORT, 1), train_packed(CELL, splits, SHORT, (1,))[0]
    assert abs(one.test_correct - packed.test_correct) <= 4


def test_training_repeats_and_seeds_differ(splits) -> None:
    first, again, other = (train(CELL, splits, SHORT, seed) for seed in (0, 0, 1))
    assert first.valid_correct == again.valid_correct and first.test_correct == again.test_correct
    assert first.valid_correct != other.valid_correct or first.test_correct != other.test_correct


def test_training_learns(splits) -> None:
    recipe = replace(SHORT, epochs=8)
    result = train(("nor_conv_3x3",) * 6, splits, recipe, 0)
    assert len(result.valid_correct) == 8 and result.seconds > 0
    assert result.test_correct > 0.25 * recipe.final_images  # ten classes: chance is 10 %
    assert result.test_correct == count_correct(result.network, *splits.test)


def test_validation_sees_the_small_set_then_the_large_one(splits) -> None:
    result = train(("none",) * 6, splits, SHORT, 0)  # a disconnected cell answers one class throughout
    classes = np.bincount(splits.valid[1], minlength=10), np.bincount(splits.final_valid[1], minlength=10)
    assert [count in seen for count, seen in zip(result.valid_correct, classes, strict=True)] == [True, True]
    assert torch.equal(splits.valid[0], splits.final_valid[0][: SHORT.valid_images])


def test_counting_packed_is_counting_each(splits) -> None:
    networks = [build_network(CELL, seed=seed) for seed in range(3)]
    packed = pack(networks).to(memory_format=torch.channels_last)
    assert count_correct_packed(packed, *splits.test) == [
        count_correct(net, *splits.test) for net in unpack(packed)
    ]


def test_batches_cover_the_training_set_once_an_epoch() -> None:
    recipe = replace(SHORT, train_images=256, batch_size=64, epochs=3)
    batches = list(shuffled_batches(recipe, 0))
    assert len(batches) == 12 and all(len(batch) == 64 for batch in batches)
    epochs = [torch.cat(batches[i : i + 4]) for i in (0, 4, 8)]
    assert all(sorted(epoch.tolist()) == list(range(256)) for epoch in epochs)
    assert not torch.equal(epochs[0], epochs[1])


def test_learning_rate_is_half_a_cosine() -> None:
    steps = SHORT.epochs * SHORT.steps_per_epoch
    rates = [learning_rate(step, SHORT) for step in range(steps + 1)]
    assert (
        rates[0] == SHORT.lr
        and rates[steps // 2] == pytest.approx(SHORT.lr / 2)
        and rates[-1] == pytest.approx(0)
    )
    assert rates == sorted(rates, reverse=True)


def test_progress_bar_goes_to_stdout(splits, capsys) -> None:
    train(CELL, splits, SHORT, 0, progress=True)
    output = capsys.readouterr()
    assert "2/2" in output.out and "validation accuracy" in output.out and output.err == ""


def test_other_data_and_networks_train_by_the_same_code() -> None:
    """Three channels and another resolution, as for CIFAR-10."""
    digits = [cluttered_digits(split, 256, 16).tensors() for split in ("train", "valid", "test")]
    colour = [(x.repeat(1, 3, 1, 1), y) for x, y in digits]
    from nas_lib.training import DataSplits

    recipe = Recipe(NetworkConfig(4, in_channels=3, resolution=16), 256, 256, 256, 1, 64)
    result = train(CELL, DataSplits(colour[0], colour[1], colour[1], colour[2]), recipe)
    assert 0 <= result.test_correct <= 256


def test_the_recipe_is_plain_data() -> None:
    import json

    assert json.loads(json.dumps(RECIPE.as_dict()))["epochs"] == RECIPE.epochs


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_training_on_a_gpu() -> None:
    splits = load_splits(SHORT).to("cuda")
    results = train_packed(CELL, splits, SHORT, (0, 1, 2))
    assert all(result.network.stem[0].weight.is_cuda for result in results)
