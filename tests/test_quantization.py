"""Quantisation against PyTorch's own fake quantisation; deployment against PyTorch's outputs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from nas_lib import deployment
from nas_lib.latency import cell_layers
from nas_lib.networks import build_network
from nas_lib.quantization import (
    deployed_bytes,
    evolve_bits,
    fine_tuned,
    quantization_aware,
    rounded_weights,
    settled,
)
from nas_lib.spaces import CellSpace

SPACE = CellSpace()
CELL = ("nor_conv_3x3", "skip_connect", "nor_conv_1x1", "avg_pool_3x3", "skip_connect", "nor_conv_3x3")


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_weights_are_those_of_pytorchs_fake_quantisation(bits: int) -> None:
    weight = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(bits))
    top = 2 ** (bits - 1) - 1
    whole = torch.fake_quantize_per_tensor_affine(weight, float(weight.abs().max() / top), 0, -top, top)
    torch.testing.assert_close(rounded_weights(weight, bits, axis=None), whole)
    scales = weight.abs().amax((1, 2, 3)) / top
    each = torch.fake_quantize_per_channel_affine(weight, scales, torch.zeros(6), 0, -top, top)
    torch.testing.assert_close(rounded_weights(weight, bits), each)
    assert all(len(channel.unique()) <= 2 * top + 1 for channel in rounded_weights(weight, bits))


def test_gradients_pass_straight_through_and_zeros_stay_zeros() -> None:
    weight = torch.randn(3, 5, requires_grad=True)
    incoming = torch.randn(3, 5)
    (rounded_weights(weight, 2) * incoming).sum().backward()
    torch.testing.assert_close(weight.grad, incoming)
    assert torch.equal(rounded_weights(torch.zeros(2, 3), 4), torch.zeros(2, 3))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("bits", [2, 8, 16])
def test_tiny_channels_stay_finite_and_are_no_larger_than_they_were(dtype: torch.dtype, bits: int) -> None:
    tiny = torch.tensor([[1e-44, 0.0], [1e-42, -5e-43], [1e-6, 5e-7], [0.0, 0.0], [1.0, 0.3]]).to(dtype)
    rounded = rounded_weights(tiny.requires_grad_(), bits)
    assert rounded.dtype == dtype and torch.isfinite(rounded).all()
    assert (rounded.abs() <= tiny.abs().amax(1, keepdim=True) * 1.01).all()
    assert rounded[4, 0] == 1.0
    rounded.sum().backward()
    assert (tiny.grad == 1).all()


@pytest.mark.parametrize("bits", [1, 17, 4.0, True])
def test_impossible_bits_are_refused(bits: object) -> None:
    with pytest.raises(ValueError, match="bits"):
        rounded_weights(torch.ones(2, 2), bits)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="weight"):
        rounded_weights(torch.tensor([[float("nan")]]), 4)


def test_a_network_trains_through_its_quantised_weights() -> None:
    network = build_network(CELL)
    aware = quantization_aware(network, 3)
    x, y = torch.rand(16, 1, 12, 12), torch.arange(16) % 10
    before = float(nn.functional.cross_entropy(aware(x), y))
    for _ in range(6):
        fine_tuned(aware, x, y, epochs=1, lr=0.05)
    assert float(nn.functional.cross_entropy(aware(x), y)) < before
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), build_network(CELL).parameters()))
    outputs = aware.eval()(x)
    plain = settled(aware)
    assert torch.equal(plain(x), outputs)
    assert set(dict(plain.named_parameters())) == set(dict(network.named_parameters()))
    assert all(len(c.unique()) <= 7 for c in plain.stem[0].weight)


def test_the_size_counts_weights_by_bits_and_channels_by_floats() -> None:
    layers = cell_layers(CELL)
    convs = [m for m in build_network(CELL).modules() if isinstance(m, nn.Conv2d)]
    weights, channels = sum(m.weight.numel() for m in convs), sum(m.out_channels for m in convs)
    assert deployed_bytes(layers, 32) == 4 * weights + 4 * channels
    assert deployed_bytes(layers, 8) == weights + 8 * channels
    assert deployed_bytes(layers, 2) == pytest.approx(weights / 4 + 8 * channels, abs=len(convs))
    with pytest.raises(ValueError, match="bits"):
        deployed_bytes(layers, 33)


def _size(arch: str, bits: int) -> float:
    return len(arch) * bits


def test_pairs_that_fit_are_searched_and_no_others() -> None:
    archs, bits = ["a", "bb", "ccc", "dddd"], [2, 4, 8]
    calls: list[tuple[str, int]] = []

    def evaluate(arch: str, width: int) -> float:
        calls.append((arch, width))
        return len(arch) + width / 10

    found = evolve_bits(evaluate, _size, archs, bits, 8, 99, np.random.default_rng(0))
    fitting = {(arch, width) for arch in archs for width in bits if _size(arch, width) <= 8}
    assert {(arch, width) for arch, width, _ in found} == set(calls) == fitting
    assert len(calls) == len(fitting)
    assert len(evolve_bits(evaluate, _size, archs, bits, 8, 3, np.random.default_rng(0))) == 3
    for limit, budget, name in ((1, 5, "size_limit"), (8, 0, "budget")):
        with pytest.raises(ValueError, match=name):
            evolve_bits(evaluate, _size, archs, bits, limit, budget, np.random.default_rng(0))


# --- deployment ---


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, Path]:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    network = build_network(CELL)
    with torch.no_grad():  # running statistics that are not those of a new network
        for _ in range(3):
            network.train()(torch.rand(32, 1, 12, 12))
    path = tmp_path_factory.mktemp("onnx") / "network.onnx"
    return network, deployment.export_onnx(network, path, torch.rand(1, 1, 12, 12))


def test_float32_logits_agree_with_pytorch_for_any_batch(exported: tuple[nn.Module, Path]) -> None:
    network, path = exported
    model = deployment.OnnxModel(path)
    assert network.training  # its mode is put back
    for batch in (1, 7):
        images = torch.rand(batch, 1, 12, 12)
        assert deployment.largest_difference(network, model, images) < deployment.AGREEMENT
    assert sorted(one.name for one in path.parent.iterdir()) == ["network.onnx"]


def test_int8_is_smaller_and_mostly_decides_alike(
    exported: tuple[nn.Module, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _, path = exported
    images = np.random.default_rng(0).random((96, 1, 12, 12), dtype=np.float32)
    model = deployment.OnnxModel(path)
    int8 = deployment.OnnxModel(deployment.quantize_int8(path, tmp_path / "int8.onnx", images[:64]))
    assert capfd.readouterr() == ("", "")
    float_logits, int_logits = model(images), int8(images)
    assert 0 < np.abs(float_logits - int_logits).max() < 0.2 * np.abs(float_logits).max()
    assert int8.accuracy(images, float_logits.argmax(1)) > 80
    assert model.accuracy(images, float_logits.argmax(1).tolist(), batch=7) == 100
    import onnx

    kinds = {node.op_type for node in onnx.load(tmp_path / "int8.onnx").graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    assert len(model.time(images[:1], warmup=1, repeats=3).seconds) == 3


def test_what_is_missing_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(deployment, "PACKAGES", ("onnx", "a_runtime_that_nobody_has"))
    sentence = deployment.missing()
    assert sentence is not None and "pip install a_runtime_that_nobody_has" in sentence
    for call in (
        lambda: deployment.export_onnx(build_network(CELL), tmp_path / "x.onnx", torch.rand(1, 1, 12, 12)),
        lambda: deployment.OnnxModel(tmp_path / "x.onnx"),
        lambda: deployment.quantize_int8(tmp_path / "x", tmp_path / "y", np.zeros((1, 1, 2, 2), np.float32)),
    ):
        with pytest.raises(ModuleNotFoundError, match="pip install"):
            call()


def test_bad_files_threads_and_images_are_refused(exported: tuple[nn.Module, Path], tmp_path: Path) -> None:
    _, path = exported
    with pytest.raises(FileNotFoundError, match="path"):
        deployment.OnnxModel(tmp_path / "nothing.onnx")
    with pytest.raises(ValueError, match="threads"):
        deployment.OnnxModel(path, threads=0)
    with pytest.raises(ValueError, match="images"):
        deployment.quantize_int8(path, tmp_path / "y.onnx", np.zeros((0, 1, 12, 12), np.float32))


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv1d(2, 3, 3),
        nn.Conv3d(1, 2, 3),
        nn.ConvTranspose1d(2, 3, 3),
        nn.ConvTranspose2d(4, 3, 3),
        nn.Linear(9, 2),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_every_kind_of_convolution_is_quantised_by_its_output_channels(layer: nn.Module) -> None:
    twin: nn.Module = quantization_aware(layer, 2)
    channels = twin.weight.movedim(1 if "Transpose" in type(layer).__name__ else 0, 0).flatten(1)  # type: ignore[operator, union-attr]
    for row in channels:
        assert set(row.sign().tolist()) <= {-1.0, 0.0, 1.0}
        assert len(row.abs().unique()) <= 2  # 0 and the scale
    assert len(channels.abs().amax(1).unique()) == len(channels)  # each has a scale of its own


@pytest.mark.parametrize("layer", [nn.MultiheadAttention(8, 2), nn.LSTM(8, 2), nn.GRUCell(8, 2)])
def test_layers_that_would_keep_floats_unsaid_are_refused(layer: nn.Module) -> None:
    network = nn.Sequential(nn.Linear(8, 8), nn.Sequential(layer))
    with pytest.raises(ValueError, match=rf"got a {type(layer).__name__} at 1\.0"):
        quantization_aware(network, 8)


def test_other_bits_are_for_the_stored_weights() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(50, 3)
    again: nn.Module = quantization_aware(quantization_aware(layer, 2), 8)
    torch.testing.assert_close(again.weight, quantization_aware(layer, 8).weight, rtol=0, atol=0)
    assert type(settled(again).weight) is nn.Parameter


def test_what_cannot_be_rounded_is_named() -> None:
    with pytest.raises(TypeError, match=r"weight must be a tensor of floats, got torch\.int64"):
        rounded_weights(torch.ones(2, 2, dtype=torch.int64), 8)
    for axis in (2, -3, 0.5):
        with pytest.raises(ValueError, match="axis must be None or one of the weight's 2 dimensions"):
            rounded_weights(torch.ones(2, 2), 8, axis=axis)  # type: ignore[arg-type]
    assert rounded_weights(torch.tensor(1.5), np.int64(8)) == 1.5  # type: ignore[arg-type]


def test_fine_tuning_refuses_what_does_not_fit_and_leaves_no_image_alone() -> None:
    images, labels = torch.randn(5, 4), torch.zeros(5, dtype=torch.int64)
    for options, named in (({"batch": 0}, "batch must be"), ({"epochs": -1}, "epochs must be")):
        with pytest.raises(ValueError, match=named):
            fine_tuned(nn.Linear(4, 2), images, labels, **options)
    for few in (0, 3):
        with pytest.raises(ValueError, match="labels must be one for each of one or more images"):
            fine_tuned(nn.Linear(4, 2), images[:few], labels[:4])
    # A batch norm over vectors refuses a step with one of them: the fifth is in the first step.
    assert fine_tuned(
        nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2)), images, labels, batch=4, epochs=1
    ).training


def test_accuracies_that_are_no_numbers_end_the_search_with_what_was_found() -> None:
    values = iter((1.0, 2.0, math.nan))
    with pytest.raises(ValueError, match="evaluate must give a finite accuracy, got nan") as caught:
        evolve_bits(lambda *_: next(values), lambda *_: 1.0, [1, 2], [4, 8], 5, 4, np.random.default_rng(0))
    assert [value for *_, value in caught.value.history] == [1.0, 2.0]  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="rng must be"):
        evolve_bits(lambda *_: 1.0, lambda *_: 1.0, [1], [4], 5, 4, 0)  # type: ignore[arg-type]


def test_an_interrupted_search_for_bits_hands_over_what_it_has() -> None:
    asked: list[int] = []

    def evaluate(arch: int, bits: int) -> float:
        if len(asked) == 3:
            raise KeyboardInterrupt
        asked.append(arch)
        return float(arch + bits)

    def search() -> list[tuple[int, int, float]]:
        sizes = range(5)
        return evolve_bits(evaluate, lambda arch, bits: 1.0, sizes, (4, 8), 2.0, 8, np.random.default_rng(0))

    with pytest.warns(
        UserWarning, match="interrupted: the history holds the 3 evaluations made so far"
    ) as told:
        found = search()
    assert told[0].filename == __file__
    assert [arch for arch, _, _ in found] == asked and all(
        value == arch + bits for arch, bits, value in found
    )
