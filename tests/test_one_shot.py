"""The single-path supernet: its networks are ordinary ones, its training can stop and go on, its ranking is counted."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nas_lib.networks import CellBlock, NetworkConfig, build_network
from nas_lib.one_shot import (
    BatchOrder,
    OneShotRecipe,
    OneShotTraining,
    OnPath,
    SinglePathSupernet,
    agreement,
    batch_accuracy,
    distinct_functions,
    fair_round,
    half_cosine,
    inherited_accuracy,
    recalibrate,
    score,
    uniform_paths,
)
from nas_lib.spaces import EDGES, OPS, CellSpace, canonical, is_connected, live_edges
from nas_lib.training import DataSplits

TINY = NetworkConfig(channels=4, resolution=8)
CHOICES = [OPS] * len(EDGES)
CONVS = CellSpace().parse(
    "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_3x3~2|"
)


@pytest.fixture(scope="module")
def splits() -> DataSplits:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(96) % 10
    # The brightness tells the class: something to learn in a few steps.
    images = torch.randn(96, 1, 8, 8, generator=generator) * 0.3 + labels[:, None, None, None] / 3
    pair = (images, labels)
    return DataSplits(pair, (images[:50], labels[:50]), pair, pair)


def training(splits: DataSplits, seed: int = 0, **options: object) -> OneShotTraining:
    recipe = OneShotRecipe(**{"passes": 20, "batch_size": 16} | options)  # type: ignore[arg-type]
    return OneShotTraining(splits, recipe, seed, TINY)


def weights(module: nn.Module) -> torch.Tensor:
    return torch.cat([value.double().flatten() for value in module.state_dict().values()])


# -- the network -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_an_extracted_network_computes_the_same_to_the_last_bit(affine, train, layout):
    supernet = SinglePathSupernet(TINY, 1, affine).to(memory_format=layout)
    x = torch.randn(8, 1, 8, 8)
    space, rng = CellSpace(), np.random.default_rng(0)
    for _ in range(3):
        supernet(x, space.sample(rng))
    supernet.train(train)
    for arch in [CONVS, ("none",) * 6, *(space.sample(rng) for _ in range(8))]:
        network = supernet.extract(arch)
        assert network.training is train
        assert torch.equal(network(x), supernet(x, arch))


def test_an_extracted_network_is_a_copy(splits):
    supernet = training(splits).supernet.eval()
    x = splits.valid[0]
    before = supernet(x, CONVS)
    with torch.no_grad():
        for value in supernet.extract(CONVS).state_dict().values():
            value.zero_()
    assert torch.equal(supernet(x, CONVS), before)


def test_a_path_trains_its_own_operations_and_what_surrounds_the_cells():
    supernet = SinglePathSupernet(TINY)
    F.cross_entropy(supernet(torch.randn(4, 1, 8, 8), CONVS), torch.arange(4)).backward()
    for cell in (part for part in supernet.body if hasattr(part, "edges")):
        for edge, chosen, live in zip(cell.edges, CONVS, live_edges(CONVS), strict=True):
            for op, operation in edge.items():
                reached = [parameter.grad is not None for parameter in operation.parameters()]
                assert all(reached) if op == chosen and live else not any(reached)
    assert all(p.grad is not None for part in (supernet.stem, supernet.classifier) for p in part.parameters())


def test_without_scales_of_their_own_the_operations_lose_just_these():
    with_, without = (
        [n for n, _ in SinglePathSupernet(TINY, 0, affine).named_parameters()] for affine in (True, False)
    )
    gone = set(with_) - set(without)
    assert len(gone) == 2 * 2 * 2 * len(EDGES)  # scale and shift, two convolutions, two stages
    assert all(".edges." in name for name in gone)


def test_every_edge_has_weights_of_its_own():
    convs = [
        m.weight
        for m in SinglePathSupernet(TINY).modules()
        if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)
    ]
    assert len(convs) == 1 + 2 * len(EDGES)
    same_shape = [w for w in convs if w.shape == convs[-1].shape]
    assert len({round(float(w.detach().sum()), 6) for w in same_shape}) == len(same_shape)


# -- paths -------------------------------------------------------------------------------------------------


def test_uniform_paths_use_each_operation_of_each_edge_equally_often():
    paths = uniform_paths(CHOICES, np.random.default_rng(0))
    drawn = [next(paths) for _ in range(5000)]
    for column in zip(*drawn, strict=True):
        counts = Counter(column)
        assert set(counts) == set(OPS)
        assert max(abs(count - 1000) for count in counts.values()) < 150  # five standard deviations
    pairs = Counter((path[0], path[5]) for path in drawn)
    assert len(pairs) == 25 and max(abs(count - 200) for count in pairs.values()) < 75


def test_a_fair_round_uses_each_operation_of_each_edge_once():
    rng = np.random.default_rng(0)
    rounds = [fair_round(CHOICES, rng) for _ in range(500)]
    for paths in rounds:
        assert all(sorted(column) == sorted(OPS) for column in zip(*paths, strict=True))
    same = sum(paths[0][0] == paths[0][1] for paths in rounds)  # edges are shuffled independently
    assert 60 < same < 140


def test_a_fair_round_needs_equally_many_options():
    with pytest.raises(ValueError, match=r"equally many options in every decision, got \[1, 2\]"):
        fair_round([("a", "b"), ("a",)], np.random.default_rng(0))
    for empty in ([], [(), ()]):
        with pytest.raises(ValueError, match="one or more"):
            fair_round(empty, np.random.default_rng(0))


# -- training ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampling", ["uniform", "fair"])
def test_training_lowers_the_loss(splits, sampling):
    trained = training(splits, sampling=sampling, passes=150)
    trained.run()
    assert trained.step == trained.steps == (150 if sampling == "uniform" else 30)
    assert np.mean(trained.losses[-5:]) < np.mean(trained.losses[:5]) - 0.1


@pytest.mark.parametrize("mode", [True, False])
def test_a_reward_is_the_accuracy_with_the_statistics_of_its_batch(splits, mode):
    supernet, batch = SinglePathSupernet(TINY).train(mode), splits.valid
    found = batch_accuracy(supernet, CONVS, batch)
    assert supernet.training is mode
    network = supernet.extract(CONVS).train()
    assert found == pytest.approx(100 * float((network(batch[0]).argmax(1) == batch[1]).float().mean()))


def test_equal_passes_train_equally_many_cells(splits):
    for sampling in ("uniform", "fair"):
        trained = training(splits, sampling=sampling)
        assert sum(len(trained.paths(step)) for step in range(trained.steps)) == 20


def test_a_fair_step_adds_up_the_gradients_of_its_cells(splits):
    fair = training(splits, sampling="fair", momentum=0.0, weight_decay=0.0, clip=1e9, passes=5)
    start = {name: p.detach().clone() for name, p in fair.supernet.named_parameters()}
    by_hand = SinglePathSupernet(TINY, 0).to(memory_format=torch.channels_last)
    rows = BatchOrder(96, 16, 0)(0)
    for path in fair.paths(0):
        F.cross_entropy(by_hand(splits.train[0][rows], path), splits.train[1][rows]).backward()
    fair.run()
    for (name, after), single in zip(fair.supernet.named_parameters(), by_hand.parameters(), strict=True):
        step = 0 if single.grad is None else 0.1 * single.grad
        assert torch.allclose(after, start[name] - step, atol=1e-6), name


@pytest.mark.parametrize("sampling", ["uniform", "fair"])
def test_a_saved_training_goes_on_as_if_never_interrupted(splits, tmp_path: Path, sampling):
    through = training(splits, sampling=sampling, seed=3)
    through.run()
    first = training(splits, sampling=sampling, seed=3)
    first.run(2)
    first.save(tmp_path / "deep" / "run.pt")
    second = training(splits, sampling=sampling, seed=3)
    second.load(tmp_path / "deep" / "run.pt")
    assert second.step == 2
    second.run(3)
    second.run()
    assert torch.equal(weights(through.supernet), weights(second.supernet))
    assert through.losses == second.losses


def test_a_training_that_was_saved_on_a_gpu_goes_on_without_one(splits, saved_on_gpu):
    first, second = training(splits), training(splits)
    first.run(3)
    second.load(saved_on_gpu(first))
    first.run(5)
    second.run(5)
    assert first.losses == second.losses and {p.device.type for p in second.supernet.parameters()} == {"cpu"}


def test_another_training_is_refused(splits, tmp_path: Path):
    training(splits).save(tmp_path / "run.pt")
    with pytest.raises(ValueError, match=r"differs in affine, seed: move it away"):
        training(splits, seed=1, affine=True).load(tmp_path / "run.pt")


def test_a_file_that_is_no_training_is_refused_and_changes_nothing(splits, tmp_path: Path):
    whole = training(splits)
    whole.run(2)
    whole.save(tmp_path / "whole.pt")
    data = (tmp_path / "whole.pt").read_bytes()
    lost = torch.load(tmp_path / "whole.pt", weights_only=True)
    lost["state"]["supernet"].popitem()
    contents = {"empty": b"", "text": b"no checkpoint", "half": data[: len(data) // 2]}
    for name, content in contents.items():
        (tmp_path / f"{name}.pt").write_bytes(content)
    for name, content in {"other": {"epoch": 3}, "a list": [1], "lost": lost}.items():
        torch.save(content, tmp_path / f"{name}.pt")
    for name in (*contents, "other", "a list", "lost"):
        fresh = training(splits)
        before = weights(fresh.supernet)
        with pytest.raises(ValueError, match=rf"path must hold a training that save\(\) wrote, .*{name}\.pt"):
            fresh.load(tmp_path / f"{name}.pt")
        assert (fresh.step, fresh.losses) == (0, []) and torch.equal(weights(fresh.supernet), before)
    with pytest.raises(FileNotFoundError):
        training(splits).load(tmp_path / "nowhere.pt")


def test_an_interrupt_waits_for_the_end_of_the_step(splits):
    interrupted = training(splits)
    whole_step = interrupted.advance

    def advance() -> float:
        if interrupted.step == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return whole_step()

    interrupted.advance = advance  # type: ignore[method-assign]
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match="after step 5 of 20"):
        interrupted.run()
    assert signal.getsignal(signal.SIGINT) is before
    interrupted.advance = whole_step  # type: ignore[method-assign]
    interrupted.run()
    through = training(splits)
    through.run()
    assert torch.equal(weights(through.supernet), weights(interrupted.supernet))


def test_training_works_outside_the_main_thread(splits):
    trained = training(splits)
    thread = threading.Thread(target=trained.run, args=(3,))
    thread.start()
    thread.join()
    assert trained.step == 3


def test_the_seed_decides_weights_batches_and_cells(splits):
    one, same, other = (training(splits, seed=seed) for seed in (1, 1, 2))
    for trained in (one, same, other):
        trained.run(5)
    assert one.losses == same.losses != other.losses


def test_a_loss_that_is_no_number_stops_the_training(splits):
    trained = training(splits, lr=1e30, clip=1e30)
    with pytest.raises(FloatingPointError, match="a smaller learning rate helps"):
        trained.run()


def test_batches_go_through_all_images_and_then_shuffle_anew():
    order = BatchOrder(10, 3, 0)
    epochs = [torch.cat([order(3 * epoch + place) for place in range(3)]).tolist() for epoch in range(2)]
    assert all(len(set(epoch)) == 9 for epoch in epochs)
    assert epochs[0] != epochs[1]
    again = BatchOrder(10, 3, 0)
    assert again(4).tolist() == order(4).tolist()


def test_the_learning_rate_falls_to_nothing():
    assert half_cosine(0.2, 0, 10) == 0.2
    assert half_cosine(0.2, 5, 10) == pytest.approx(0.1)
    assert half_cosine(0.2, 10, 10) == pytest.approx(0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampling": "random"}, "sampling must be 'uniform' or 'fair', got 'random'"),
        ({"passes": 0}, "passes must be an integer from 1 up, got 0"),
        ({"passes": 4, "sampling": "fair"}, "passes must be at least 5 for one fair step, got 4"),
        ({"lr": math.nan}, "lr must be a positive number, got nan"),
        ({"batch_size": 97}, "batch_size must not exceed the 96 training images, got 97"),
    ],
)
def test_bad_recipes_are_refused(splits, options, message):
    with pytest.raises(ValueError, match=message):
        training(splits, **options)


def test_mixed_precision_is_for_cuda(splits):
    with pytest.raises(ValueError, match="mixed_precision must be False on cpu"):
        OneShotTraining(splits, OneShotRecipe(), network=TINY, mixed_precision=True)


def test_until_is_a_number_of_steps(splits):
    with pytest.raises(ValueError, match="until must be an integer from 0 to 20, got 21"):
        training(splits).run(21)


# -- inherited weights -------------------------------------------------------------------------------------


def test_recalibration_gives_the_statistics_of_the_images_and_changes_nothing_else():
    network = build_network(CONVS, TINY).train()
    x = torch.randn(64, 1, 8, 8) * 3 + 1
    parameters = [p.detach().clone() for p in network.parameters()]
    recalibrate(network, x.split(16))
    assert network.training and all(m.training for m in network.modules())
    assert all(torch.equal(p, q) for p, q in zip(network.parameters(), parameters, strict=True))
    convolution, norm = network.stem
    out = [convolution(part).detach() for part in x.split(16)]
    mean = torch.stack([o.mean((0, 2, 3)) for o in out]).mean(0)
    variance = torch.stack([o.var((0, 2, 3)) for o in out]).mean(0)
    assert torch.allclose(norm.running_mean, mean, atol=1e-5)
    assert torch.allclose(norm.running_var, variance, atol=1e-4)
    assert norm.momentum == 0.1


def test_recalibration_forgets_what_was_there_and_restores_the_mode():
    network = build_network(CONVS, TINY).eval()
    x = torch.randn(32, 1, 8, 8)
    recalibrate(network, [x])
    once = weights(network)
    recalibrate(network, [x])
    assert torch.equal(once, weights(network))
    assert not any(m.training for m in network.modules())
    with pytest.raises(ValueError, match="batches must hold at least one batch"):
        recalibrate(network, [])
    with pytest.raises(RuntimeError):
        recalibrate(network, [x, torch.zeros(1, 7, 8, 8)])  # the second batch has seven channels
    assert torch.equal(once, weights(network)), "after an error the statistics are those from before"
    assert network.stem[1].momentum == 0.1 and not any(m.training for m in network.modules())


def test_one_path_is_recalibrated_in_place_as_if_it_were_cut_out():
    supernet, x = SinglePathSupernet(TINY, seed=0).eval(), torch.randn(48, 1, 8, 8)
    path = OnPath(supernet, CONVS)
    single = supernet.extract(CONVS)
    recalibrate(single, x.split(16))
    recalibrate(path, x.split(16))
    assert torch.equal(path(x), single(x)) and torch.equal(path(x), supernet(x, CONVS))
    assert not any(module.training for module in supernet.modules())


def test_scores_leave_the_supernet_as_it_was_and_profit_from_recalibration(splits):
    trained = training(splits, passes=200)
    trained.run()
    before = weights(trained.supernet)
    archs = distinct_functions(12, np.random.default_rng(0))
    scores = score(trained.supernet, archs, splits, batch_size=24)
    assert torch.equal(before, weights(trained.supernet)) and trained.supernet.training
    assert scores[3] == inherited_accuracy(trained.supernet, archs[3], splits, batch_size=24)
    without = score(trained.supernet, archs, splits, batches=0)
    assert scores.mean() > without.mean()


def test_distinct_functions_compute_something_and_differ():
    archs = distinct_functions(200, np.random.default_rng(1))
    assert len({canonical(arch) for arch in archs}) == 200
    assert all(is_connected(arch) for arch in archs)
    with pytest.raises(ValueError, match="count must not exceed the 5259 functions"):
        distinct_functions(6000, np.random.default_rng(1))


# -- agreement ---------------------------------------------------------------------------------------------


def test_agreement_counts_pairs_over_all_and_among_the_best():
    truth = np.arange(20.0)
    scores = truth.copy()
    scores[-4:] = scores[-4:][::-1]  # the best four the wrong way round
    found = agreement(scores, truth, top=0.2)
    assert found.tau == pytest.approx(1 - 2 * 6 / 190)
    assert found.tau_top == pytest.approx(-1)
    assert (found.archs, found.archs_top) == (20, 4)


def test_ties_at_the_border_of_the_best_all_count():
    found = agreement([1, 2, 3, 4, 5, 6], [9, 9, 9, 1, 2, 3], top=1 / 6)
    assert found.archs_top == 3
    assert math.isnan(found.tau_top)


@pytest.mark.parametrize(
    ("scores", "truth", "top", "message"),
    [
        ([1, 2], [1, 2, 3], 0.1, r"got shapes \(2,\) and \(3,\)"),
        ([1], [1], 0.1, "two or more pairs"),
        ([1, math.nan], [1, 2], 0.1, "scores must be finite numbers, got nan"),
        ([1, 2], [1, 2], 0, "top must be a fraction above 0 and up to 1, got 0"),
    ],
)
def test_bad_rankings_are_refused(scores, truth, top, message):
    with pytest.raises(ValueError, match=message):
        agreement(scores, truth, top)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_training_on_a_gpu_in_mixed_precision(splits):
    trained = OneShotTraining(splits.to("cuda"), OneShotRecipe(passes=200, batch_size=16), 0, TINY, True)
    trained.run()
    assert np.mean(trained.losses[-20:]) < np.mean(trained.losses[:20])


def test_blocks_without_a_cell_are_the_ordinary_ones():
    supernet, network = SinglePathSupernet(TINY), build_network(CONVS, TINY)
    assert len(supernet.body) == len(network.body)
    kinds = [isinstance(part, CellBlock) for part in network.body]
    assert kinds == [hasattr(part, "edges") for part in supernet.body]


def test_a_reward_leaves_every_part_its_mode_also_after_an_error() -> None:
    supernet = SinglePathSupernet(TINY).train()
    supernet.stem.eval()
    modes = [part.training for part in supernet.modules()]
    labels = torch.zeros(8, dtype=torch.int64)
    batch_accuracy(supernet, CONVS, (torch.randn(8, 1, 8, 8), labels))
    assert [part.training for part in supernet.modules()] == modes
    with pytest.raises(RuntimeError):
        batch_accuracy(supernet.eval(), CONVS, (torch.randn(8, 3, 8, 8), labels))
    assert not any(part.training for part in supernet.modules())


def test_recalibration_takes_a_loaders_batches_and_refuses_what_is_none() -> None:
    norm = nn.BatchNorm1d(4)
    recalibrate(norm, [(torch.ones(2, 4), torch.zeros(2)), [torch.full((2, 4), 3.0), torch.zeros(2)]])
    assert norm.running_mean.tolist() == [2.0] * 4  # type: ignore[union-attr]
    with pytest.raises(TypeError, match=r"batches must be several, such as images\.split\(64\)"):
        recalibrate(norm, torch.ones(6, 4))
    with pytest.raises(TypeError, match="batches must hold tensors of images"):
        recalibrate(norm, [np.ones((2, 4))])  # type: ignore[list-item]
    assert norm.running_mean.tolist() == [2.0] * 4  # type: ignore[union-attr]


def test_a_training_with_numpys_numbers_goes_on_from_its_file(splits: DataSplits, tmp_path: Path) -> None:
    def made() -> OneShotTraining:
        recipe = OneShotRecipe(passes=np.int64(4), batch_size=np.int64(16), lr=np.float64(0.05))  # type: ignore[arg-type]
        network = NetworkConfig(channels=np.int64(4), resolution=np.int64(8))  # type: ignore[arg-type]
        return OneShotTraining(splits, recipe, np.int64(3), network)  # type: ignore[arg-type]

    begun, resumed = made(), made()
    begun.run(np.int64(2))  # type: ignore[arg-type]
    begun.save(tmp_path / "run.pt")
    resumed.load(tmp_path / "run.pt")
    assert (resumed.step, resumed.losses) == (2, begun.losses)


@pytest.mark.parametrize("part", [{"what": 3}, {"step": "two"}, {"step": True}])
def test_a_file_with_parts_of_another_kind_changes_nothing(
    splits: DataSplits, tmp_path: Path, part: dict[str, object]
) -> None:
    begun, resumed = training(splits), training(splits)
    begun.run(1)
    begun.save(tmp_path / "run.pt")
    torch.save(torch.load(tmp_path / "run.pt") | part, tmp_path / "run.pt")
    with pytest.raises(
        ValueError, match=r"path must hold a training that save\(\) wrote, .* holds something else"
    ):
        resumed.load(tmp_path / "run.pt")
    assert resumed.step == 0


def test_a_tilde_is_the_home_folder(
    splits: DataSplits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    made = training(splits)
    made.save("~/runs/run.pt")
    made.load("~/runs/run.pt")
    assert (tmp_path / "home" / "runs" / "run.pt").is_file()
    assert not (tmp_path / "~").exists()
