"""The check that is run where a GPU is, tried on the CPU: every training repeats itself, and a difference is told."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from nas_lib import elastic_training, one_shot, training, vit
from scripts.checks import gpu


@pytest.mark.parametrize("name", gpu.TRAININGS)
def test_every_training_gives_numbers_and_repeats_itself(name: str) -> None:
    first, again = gpu.TRAININGS[name]("cpu"), gpu.TRAININGS[name]("cpu")
    assert torch.equal(first, again) and first.isfinite().all() and len(first.unique()) > 1


def test_nothing_that_trains_is_left_out() -> None:
    names = {name for module in (elastic_training, one_shot, training, vit) for name in vars(module)}
    trainers = {name for name in names if name.startswith(("train", "fit")) or name.endswith("Training")}
    assert (
        trainers - {"WeightTraining", "training"} <= gpu.TRAININGS.keys()
    )  # the first is `fit_vit` step by step


def test_a_difference_is_told_and_decides_the_status(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter([1.0, 1.01, 1.0])
    monkeypatch.setattr(gpu, "TRAININGS", {"train": lambda device: torch.tensor([next(numbers)])})
    for name in ("files_move", "packing"):
        monkeypatch.setattr(gpu, name, lambda device: [])
    assert gpu.main(["--device", "cpu"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("✗ train ") and "1.0e-02 apart, at most 1e-03" in said[0]
    assert said[1].startswith("✓ train again on the CPU")


def test_a_file_goes_on_elsewhere() -> None:
    assert [row.right for row in gpu.files_move("cpu")] == [True, True]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_it_is_one_sentence(capsys: Any) -> None:
    assert gpu.main([]) == 2
    assert capsys.readouterr().err == "There is no CUDA device here; --device cpu tries the script alone.\n"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_all_of_it_on_a_gpu() -> None:
    assert gpu.main(["--device", "cuda"]) == 0
