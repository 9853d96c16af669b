"""From a trained PyTorch network to what runs on a device: ONNX, onnxruntime in float32, and static int8.

Needs the packages onnx and onnxruntime, which the extra `onnx` brings; `missing()` says in a sentence what is not
there. Nothing is assumed about speed: int8 is faster on some networks and processors and slower on others. Measure.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nas_lib._files import at
from nas_lib._numbers import is_integer
from nas_lib.latency import REPEATS, WARMUP, Timings, time_calls
from nas_lib.networks import evaluating

PACKAGES = ("onnx", "onnxruntime")
INPUT, OUTPUT = "images", "logits"
AGREEMENT = 1e-4
"""How far float32 logits of onnxruntime may be from PyTorch's, at most."""


def missing() -> str | None:
    """One sentence on what has to be installed before anything here works; None where all is there."""
    absent = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if not absent:
        return None
    return f"Deployment needs {' and '.join(absent)}: install with `pip install {' '.join(absent)}`."


def _require() -> None:
    if sentence := missing():
        raise ModuleNotFoundError(sentence)


def export_onnx(network: nn.Module, path: Path | str, images: torch.Tensor) -> Path:
    """Write a network as ONNX, in evaluation mode, for any number of images of this shape.

    Args:
        network: images (B, C, H, W) -> logits (B, classes), on the CPU.
        path: where the file goes.
        images: one batch as an example; only its shape counts.

    Returns:
        The path.

    Raises:
        ModuleNotFoundError: a package is missing, with the sentence of `missing`.
    """
    _require()
    path = at(path)
    axes = {INPUT: {0: "batch"}, OUTPUT: {0: "batch"}}
    options: dict[str, Any] = {"input_names": [INPUT], "output_names": [OUTPUT], "dynamic_axes": axes}
    # The exporter by tracing: it needs no further package and writes one file. It warns that it is the older one.
    with evaluating(network), warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (images,), str(path), dynamo=False, **options)
    return path


def quantize_int8(path: Path | str, to: Path | str, images: NDArray[np.float32], batch: int = 64) -> Path:
    """Write the static int8 version of an ONNX file: integer weights per channel, and integer activations.

    Activation ranges are calibrated on images: the smallest and largest value that each tensor takes there. The
    batch norms are folded into the convolutions before.

    Args:
        path: the float32 file.
        to: where the int8 file goes.
        images: (n, C, H, W) from the training split, some hundreds; never from the test split.
        batch: images at a time.

    Returns:
        The path `to`.

    Raises:
        ModuleNotFoundError: a package is missing.
        ValueError: there are no images.
    """
    _require()
    path, to = at(path), at(to)
    images = np.asarray(images, dtype=np.float32)
    if images.ndim != 4 or not len(images):
        raise ValueError(f"images must have the shape (n, C, H, W) with n ≥ 1, got {images.shape}")
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        """Hands the calibration images out in batches, as onnxruntime asks for them."""

        def __init__(self) -> None:
            self._batches = iter(range(0, len(images), batch))

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            start = next(self._batches, None)
            return None if start is None else {INPUT: images[start : start + batch]}

    with tempfile.TemporaryDirectory() as folder, _quiet():
        prepared = os.path.join(folder, "prepared.onnx")
        quant_pre_process(str(path), prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            str(to),
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    return to


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the packages' advice off the learner's screen."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


class OnnxModel:
    """A network in onnxruntime, on the CPU.

    Args:
        path: an ONNX file of `export_onnx` or `quantize_int8`.
        threads: that it may use.

    Raises:
        ModuleNotFoundError: a package is missing.
        OSError: there is no such file.
    """

    def __init__(self, path: Path | str, threads: int = 1) -> None:
        _require()
        import onnxruntime

        path = at(path)
        if not path.is_file():
            raise FileNotFoundError(f"path must be an ONNX file, got {path}")
        if not is_integer(threads) or threads < 1:
            raise ValueError(f"threads must be an integer from 1 up, got {threads!r}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = int(threads), 1
        options.log_severity_level = 3
        self.bytes = path.stat().st_size
        self._session = onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (B, classes) of images (B, C, H, W)."""
        return self._session.run(None, {INPUT: images})[0]

    def accuracy(self, images: NDArray[np.float32], labels: Sequence[int], batch: int = 256) -> float:
        """Percent of images that are classified right."""
        starts = range(0, len(images), batch)
        found = np.concatenate([self(images[start : start + batch]).argmax(1) for start in starts])
        return float(100 * (found == np.asarray(labels)).mean())

    def time(self, images: NDArray[np.float32], *, warmup: int = WARMUP, repeats: int = REPEATS) -> Timings:
        """Single runs on one batch; see `nas_lib.latency.time_calls`."""
        return time_calls(lambda: self(images), warmup=warmup, repeats=repeats)


def largest_difference(network: nn.Module, model: OnnxModel, images: torch.Tensor) -> float:
    """Largest absolute difference between the logits of PyTorch and of onnxruntime on the same images."""
    with evaluating(network), torch.inference_mode():
        ours = network(images).numpy()
    return float(np.abs(ours - model(images.numpy())).max())
