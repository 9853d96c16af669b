"""Lessons that train live, on other images by one line: what they set up fits each data set, and MNIST's run is run."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest
import torch

import solutions
from nas_lib.data import DATASETS
from nas_lib.networks import build_network
from nas_lib.training import RECIPE, recipe_for

LINE = 'DATASET = "cluttered_digits"'
LESSONS = ("04_darts", "05_supernet", "06_hardware_aware")


@pytest.fixture(scope="module")
def with_mnist(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose `data` has MNIST's real files, unpacked as torchvision stores them."""
    folder = tmp_path_factory.mktemp("lesson")
    raw = folder / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for packed in (shared_data / "MNIST" / "raw").glob("*.gz"):
        (raw / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    return folder


def test_the_recipe_fits_each_data_set() -> None:
    assert recipe_for("cluttered_digits") == RECIPE
    sizes = {"mnist": (1, 28), "fashion_mnist": (1, 28), "cifar10": (3, 32)}
    assert set(sizes) == set(DATASETS)
    for name, (channels, resolution) in sizes.items():
        recipe = recipe_for(name)
        assert (recipe.network.in_channels, recipe.network.resolution) == (channels, resolution)
        assert recipe.final_images <= (50_000 if name == "cifar10" else 60_000) // 6  # what is held out
        network = build_network(("nor_conv_3x3",) * 6, recipe.network)
        assert network(torch.zeros(2, channels, resolution, resolution)).shape == (2, 10)
        assert max(recipe.network.resolutions) <= 8  # the digits' are 6 wide: hardly dearer
    with pytest.raises(
        ValueError, match=r"dataset must be one of cluttered_digits, mnist, .*, got 'imagenet'"
    ):
        recipe_for("imagenet")


@pytest.mark.parametrize("lesson", LESSONS)
def test_one_line_chooses_the_images(lesson: str) -> None:
    source = "\n".join(cell.source for cell in solutions.read(lesson).cells if cell.cell_type == "code")
    assert source.count(LINE) == 1
    after = source.partition(LINE)[2]
    # Nothing is drawn or built after it that does not ask for the recipe.
    assert not re.search(
        r"load_splits\(\)|MixedSupernet\((?:cell=|\))|SinglePathSupernet\((?:seed=|\))", after
    )


def cells_until(lesson: str, last: str) -> list[str]:
    """The code of a lesson, checks and predictions left out, up to the cell that holds `last`."""
    found = []
    for cell in solutions.read(lesson).cells:
        if cell.cell_type == "code" and solutions.tag_of(cell) in ("setup", "exercise", "experiment"):
            found.append(cell.source)
            if last in cell.source:
                return found
    raise AssertionError(f"{lesson} has no cell with {last!r}")


def run_on_mnist(lesson: str, last: str, shortened: dict[str, str], folder: Path, monkeypatch: Any) -> Any:
    """What the names of a lesson stand for after its cells up to the one with `last`, on MNIST and shortened."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("matplotlib.pyplot.show", lambda *args, **options: None)
    source = "\n\n".join(cells_until(lesson, last))
    for old, new in {LINE: 'DATASET = "mnist"', **shortened}.items():
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    names: dict[str, Any] = {"__name__": "lesson"}
    exec(compile(source, lesson, "exec"), names)
    assert names["splits"].train[0].shape == (RECIPE.train_images, 1, 28, 28)
    return names


def test_the_supernet_lesson_trains_on_mnist(with_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = {"6000, 0.1": "400, 0.1", "functions(150,": "functions(8,"}
    last = "def inherited(cell, recalibrate=True)"
    names = run_on_mnist("05_supernet", last, fewer, with_mnist, monkeypatch)
    assert max(map(names["inherited"], names["cells"])) > 35  # percent; chance is 10


@pytest.mark.slow
def test_the_differentiable_lesson_searches_on_mnist(
    with_mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = {
        "SearchConfig(network": "SearchConfig(epochs=1, network",
        'or_fallback("discretize", discretize)': "discretize",
    }
    names = run_on_mnist("04_darts", "stages = {", fewer, with_mnist, monkeypatch)
    assert names["retrained"].valid > 90
