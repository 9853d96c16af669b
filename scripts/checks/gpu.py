"""Everything that trains, on a GPU as on the CPU.

    python -m scripts.checks.gpu [--device cuda:0]      about a minute; status 1 if anything differs

Each row trains the same thing on both for a few steps and compares what comes out: rounding differs between processors,
and trainings amplify it, so that only the first steps can be compared. Then bfloat16, files that go from one to the
other, timing that waits, and how many networks of the table one GPU trains at a time. `--device cpu` compares the CPU
with itself, which tries the script.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from nas_lib import darts, vit
from nas_lib.elastic_training import (
    ElasticRecipe,
    ElasticTraining,
    StandAloneRecipe,
    load_sizes,
    train_stand_alone,
)
from nas_lib.latency import synchronizer
from nas_lib.one_shot import OneShotRecipe, OneShotTraining
from nas_lib.scaling import BASE, ScalingRecipe, digits, fit
from nas_lib.spaces import MobileSpace
from nas_lib.training import RECIPE, load_splits, train, train_packed
from nas_lib.tunas import TunasSearch

CLOSE = 1e-3
"""Largest difference, as a share of the largest value, of what a few steps in float32 give on two processors."""
CLOSE_BFLOAT16 = 3e-2
"""The same between bfloat16, which has eight bits, and float32."""
STEPS, BATCH = 4, 32
SHORT = replace(
    RECIPE, train_images=STEPS * BATCH, valid_images=64, final_images=64, epochs=1, batch_size=BATCH
)
CELL = ("nor_conv_3x3", "skip_connect", "nor_conv_1x1", "avg_pool_3x3", "nor_conv_3x3", "nor_conv_1x1")
SPACE = MobileSpace(resolutions=(12, 16))
VIT_SPACE = vit.vit_space()
VIT = vit.VitRecipe(
    train_images=STEPS * BATCH, valid_images=64, test_images=64, steps=STEPS, batch_size=BATCH
)


class Row(NamedTuple):
    """One line of the report: what was tried, whether it is right, and the figure behind that."""

    what: str
    right: bool
    said: str


# Each returns numbers that the first steps decide, and that both processors must agree on.


def cell(device: str) -> torch.Tensor:
    """Logits of a cell's network after an epoch of four steps."""
    splits = load_splits(SHORT).to(device)
    return _logits(train(CELL, splits, SHORT).network, splits.test[0])


def packed(device: str) -> torch.Tensor:
    """The same of three networks that are trained together."""
    splits = load_splits(SHORT).to(device)
    networks = (one.network for one in train_packed(CELL, splits, SHORT))
    return torch.cat([_logits(one, splits.test[0]) for one in networks])


def supernet(device: str, mixed_precision: bool = False) -> torch.Tensor:
    """Losses of four steps of a single-path supernet."""
    training = _one_shot(device, mixed_precision)
    return torch.tensor([training.advance() for _ in range(STEPS)])


def elastic(device: str, mixed_precision: bool = False) -> torch.Tensor:
    """Losses of four steps of an elastic network."""
    data = load_sizes([int(size) for size in SPACE.choices[0]], 4 * BATCH, BATCH).to(device)
    recipe = ElasticRecipe(progressive=False, passes=2 * STEPS, batch_size=BATCH)
    training = ElasticTraining(data, SPACE, recipe, mixed_precision=mixed_precision)
    return torch.tensor([training.advance() for _ in range(STEPS)])


def alone(device: str) -> torch.Tensor:
    """Logits of the smallest network of a mobile space after four steps."""
    arch = SPACE.from_index(0)
    data = load_sizes([arch.resolution], STEPS * BATCH, BATCH).to(device)
    recipe = StandAloneRecipe(epochs=1, batch_size=BATCH)
    return _logits(train_stand_alone(arch, data, recipe)[1], data.valid[arch.resolution][0])


def differentiable(device: str, amp: bool = False) -> torch.Tensor:
    """Losses of an epoch of DARTS, first order, of four steps."""
    config = darts.SearchConfig(train_images=2 * STEPS * BATCH, epochs=1, batch_size=BATCH)
    splits = load_splits(replace(SHORT, train_images=config.train_images)).to(device)
    run = darts.search(splits, config=config, amp=amp, progress=False)
    return torch.tensor([*run.train_loss, *run.valid_loss])


def scaled(device: str) -> torch.Tensor:
    """Logits of an EfficientNet of lesson 07 after four steps."""
    recipe = ScalingRecipe(train_images=STEPS * BATCH, test_images=64, epochs=1, batch_size=BATCH)
    x, _ = digits(recipe)(BASE.resolution)[1].tensors()
    return _logits(fit(BASE, digits(recipe), recipe, device=device).network, x.to(device))


def transformer(device: str) -> torch.Tensor:
    """Logits of the largest Transformer of lesson 09 after four steps."""
    images = vit.vit_images(VIT).to(device)
    return _logits(vit.fit_vit(VIT_SPACE.from_index(len(VIT_SPACE) - 1), images, VIT), images.test[0])


def interleaved(device: str) -> torch.Tensor:
    """Losses and rewards of four steps of TuNAS's search, in turn."""
    search = TunasSearch(
        VIT_SPACE, vit.vit_images(VIT).to(device), lambda accuracy, macs: accuracy, VIT, scored=64
    )
    found: list[float] = []
    for _ in range(STEPS):
        arch = search.sample()
        found.append(search.train(arch))
        search.learn(arch, search.score(arch) - 50.0)
    return torch.tensor(found)


TRAININGS: dict[str, Callable[[str], torch.Tensor]] = {
    "train": cell,
    "train_packed": packed,
    "OneShotTraining": supernet,
    "ElasticTraining": elastic,
    "train_stand_alone": alone,
    "darts.search": differentiable,
    "scaling.fit": scaled,
    "fit_vit": transformer,
    "TunasSearch": interleaved,
}
MIXED: dict[str, Callable[[str, bool], torch.Tensor]] = {
    "OneShotTraining": supernet,
    "ElasticTraining": elastic,
    "darts.search": differentiable,
}


def _one_shot(device: str, mixed_precision: bool = False) -> OneShotTraining:
    recipe = OneShotRecipe(passes=2 * STEPS, batch_size=BATCH)
    return OneShotTraining(load_splits(SHORT).to(device), recipe, mixed_precision=mixed_precision)


@torch.no_grad()
def _logits(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    return network.eval()(images[:16]).float().cpu()


# --- rows ------------------------------------------------------------------------------------------------


def compared(what: str, ours: torch.Tensor, theirs: torch.Tensor, most: float) -> Row:
    """Do two runs agree, up to a share of the largest value?"""
    apart = float((ours - theirs).abs().max() / ours.abs().max())
    return Row(what, apart <= most, f"{apart:.1e} apart, at most {most:.0e}")


def same_as_on_the_cpu(device: str) -> Iterator[Row]:
    """Every training on both, and once more on the CPU, which must repeat itself to the bit."""
    for name, run in TRAININGS.items():
        first = run("cpu")
        yield compared(name, first, run(device), CLOSE)
        equal = torch.equal(first, run("cpu"))
        yield Row(f"{name} again on the CPU", equal, "equal to the bit" if equal else "not equal")


def bfloat16(device: str) -> list[Row]:
    """Where autocast is offered, beside float32 on the same device."""
    if torch.device(device).type != "cuda":
        return [Row("bfloat16", True, "not tried: it is for CUDA only")]
    runs = MIXED.items()
    return [
        compared(f"{name}, bfloat16", run(device, False), run(device, True), CLOSE_BFLOAT16)
        for name, run in runs
    ]


def files_move(device: str) -> Iterator[Row]:
    """A training saved on one goes on on the other, with the same losses."""
    for there, here in ((device, "cpu"), ("cpu", device)):
        with tempfile.TemporaryDirectory() as folder:
            began, goes_on = _one_shot(there), _one_shot(here)
            for _ in range(2):
                began.advance()
            began.save(Path(folder) / "training.pt")
            goes_on.load(Path(folder) / "training.pt")
            losses = [torch.tensor([one.advance() for _ in range(2)]) for one in (began, goes_on)]
        yield compared(f"saved on {there}, goes on on {here}", *losses, most=CLOSE)


def timing_waits(device: str) -> list[Row]:
    """A GPU is asked and works later: what is timed has to be waited for."""
    wait = synchronizer(device)
    if torch.device(device).type != "cuda" or wait is None:
        return [Row("timing", wait is None, "nothing to wait for")]
    x = torch.randn(4096, 4096, device=device)

    def seconds(finish: Callable[[], None]) -> float:
        wait()
        began = time.perf_counter()
        for _ in range(20):
            torch.mm(x, x)
        finish()
        return time.perf_counter() - began

    seconds(wait)  # the first call sets the library up
    asked, done = seconds(lambda: None), seconds(wait)
    return [Row("timing waits for the device", done > 2 * asked, f"{asked:.4f} s to ask, {done:.4f} s to do")]


def packing(device: str) -> Iterator[Row]:
    """Networks of the table per second, by how many are trained together: for reading, it cannot be wrong."""
    splits = load_splits(SHORT).to(device)
    for count in (1, 4, 16):
        began = time.perf_counter()
        train_packed(CELL, splits, SHORT, range(count))
        rate = count * SHORT.steps_per_epoch / (time.perf_counter() - began)
        yield Row(f"{count} networks together", True, f"{rate:.0f} steps of a network per second")


def main(argv: Sequence[str] | None = None) -> int:
    """Print all rows; the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, … (default: %(default)s)")
    device = parser.parse_args(argv).device
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        print("There is no CUDA device here; --device cpu tries the script alone.", file=sys.stderr)
        return 2
    torch.backends.cudnn.allow_tf32 = False  # ten bits are not what is compared
    wrong = 0
    for part in (same_as_on_the_cpu, bfloat16, files_move, timing_waits, packing):
        for row in part(device):
            print(f"{'✓' if row.right else '✗'} {row.what:40} {row.said}", flush=True)
            wrong += not row.right
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
