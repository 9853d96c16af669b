"""The data: the same scene at every resolution, no handwriting shared between splits, the same images everywhere."""

import gzip
import re
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from nas_lib import data
from nas_lib.data import DATASETS, SPLITS, Dataset, cluttered_digits, load_dataset, split_sources

HASHES = {
    ("train", 12): "f7fd1a2ac0dff991e83540021241632c22f581fd43b841970d1f91c1ca0a7edc",
    ("valid", 12): "974a5e762aabcbd151396c125f41014374fb190e09b4e3f271fd068b5c3bb570",
    ("test", 12): "7df755e29b2f6adb753a5c93dea160173f3f45ca797ee263168b78d085504c3f",
    ("train", 48): "a0bfa813194faba963c21817c3f42d55c448dd0dca744f025fb521c09e687228",
}


@pytest.mark.parametrize(("split", "resolution"), HASHES)
def test_images_are_the_recorded_ones(split: str, resolution: int) -> None:
    assert cluttered_digits(split, 500, resolution).content_hash() == HASHES[split, resolution]


@pytest.mark.parametrize("resolution", [8, 11, 12, 17, 48])
def test_shapes_and_ranges(resolution: int) -> None:
    digits = cluttered_digits("valid", 300, resolution)
    assert digits.images.shape == (300, 1, resolution, resolution) and digits.images.dtype == np.uint8
    assert digits.labels.shape == (300,) and digits.labels.dtype == np.int64
    assert set(digits.labels) == set(range(10))
    x, y = digits.tensors()
    assert x.shape == (300, 1, resolution, resolution) and str(x.dtype) == "torch.float32"
    assert abs(float(x.mean())) < 0.6 and 0.5 < float(x.std()) < 1.5
    assert y.tolist() == digits.labels.tolist()


def test_a_longer_set_begins_with_the_shorter_one() -> None:
    long, short = cluttered_digits("test", 777), cluttered_digits("test", 130)
    assert np.array_equal(long.images[:130], short.images) and np.array_equal(long.labels[:130], short.labels)


def test_seed_and_split_change_the_scenes() -> None:
    sets = [cluttered_digits(split, 50, seed=seed).content_hash() for split in SPLITS for seed in (0, 1)]
    assert len(set(sets)) == len(sets)


def test_every_resolution_shows_the_same_scene() -> None:
    """Averaging the large image down gives the small one, up to the noise of both; other scenes don't fit."""
    large = cluttered_digits("train", 200, 48).images[:, 0].astype(float)
    small = cluttered_digits("train", 200, 12).images[:, 0].astype(float)
    reduced = large.reshape(200, 12, 4, 12, 4).mean((2, 4))
    error = (reduced - small).std()
    assert error == pytest.approx(data.NOISE * 255, rel=0.3)  # clipping at black takes part of the noise away
    assert (reduced - np.roll(small, 1, axis=0)).std() > 4 * error


def test_a_higher_resolution_has_more_detail() -> None:
    """What is lost by reducing to 12 pixels and enlarging again is far more than the noise."""
    large = cluttered_digits("train", 200, 48).images[:, 0].astype(float)
    blurred = large.reshape(200, 12, 4, 12, 4).mean((2, 4)).repeat(4, 1).repeat(4, 2)
    assert (large - blurred).std() > 1.5 * data.NOISE * 255


def test_noise_is_drawn_anew_at_each_resolution() -> None:
    dark = cluttered_digits("train", 400, 24).images[:, 0].astype(float)
    pairs = cluttered_digits("train", 400, 12).images[:, 0].astype(float)
    reduced = dark.reshape(400, 12, 2, 12, 2).mean((2, 4))
    signal = (
        cluttered_digits("train", 400, 48).images[:, 0].astype(float).reshape(400, 12, 4, 12, 4).mean((2, 4))
    )
    noise_a, noise_b = (reduced - signal).ravel(), (pairs - signal).ravel()
    bright = signal.ravel() > 60  # where nothing is clipped; the 48-pixel image's own noise is shared
    shared = (data.NOISE * 255 / 4) ** 2
    covariance = np.cov(noise_a[bright], noise_b[bright])[0, 1]
    assert covariance == pytest.approx(shared, rel=0.6)


def test_no_handwriting_in_two_splits() -> None:
    from sklearn.datasets import load_digits

    sources = {split: split_sources(split) for split in SPLITS}
    assert sorted(np.concatenate(list(sources.values()))) == list(range(1797))
    images = load_digits().images.reshape(1797, -1)
    for a, b in combinations(SPLITS, 2):
        shared = {row.tobytes() for row in images[sources[a]]} & {row.tobytes() for row in images[sources[b]]}
        assert not shared


@pytest.mark.parametrize("split", SPLITS)
def test_scenes_and_clutter_are_drawn_from_the_split_alone(
    split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every other split's handwriting blacked out, the scenes stay the same."""
    from sklearn import datasets

    expected = cluttered_digits(split, 250).content_hash()
    digits = datasets.load_digits()
    hidden = np.setdiff1d(np.arange(1797), split_sources(split))
    digits.images[hidden] = 0
    monkeypatch.setattr(datasets, "load_digits", lambda: digits)
    data._handwriting.cache_clear()
    try:
        assert cluttered_digits(split, 250).content_hash() == expected
    finally:
        data._handwriting.cache_clear()


def test_labels_are_those_of_the_handwriting() -> None:
    """The mean scene of a label looks more like the mean digit of that label than of any other, for most labels.

    Scenes are turned, sheared and moved, so the means are blurred; wrong labels would get one of ten right.
    """
    digits = cluttered_digits("train", 4000, 48)
    glyphs, labels = data._handwriting("train")
    centre = digits.images[:, 0, 8:40, 8:40].astype(float)
    scenes = np.array([centre[digits.labels == c].mean(0).ravel() for c in range(10)])
    means = np.array([glyphs[labels == c][:, 8:72:2, 8:72:2].mean(0).ravel() for c in range(10)])
    similarity = np.corrcoef(scenes - scenes.mean(0), means - means.mean(0))[:10, 10:]
    assert (similarity.argmax(1) == np.arange(10)).sum() >= 8


def test_forty_thousand_images_in_ten_seconds() -> None:
    start = time.process_time()
    cluttered_digits("train", 40_000)
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("arguments", "error", "named"),
    [
        ({"split": "dev"}, ValueError, "split is 'dev'"),
        ({"n": 0}, ValueError, "n is 0"),
        ({"n": 2.5}, TypeError, "n is 2.5"),
        ({"n": True}, TypeError, "n is True"),
        ({"resolution": 7}, ValueError, "resolution is 7"),
        ({"resolution": 49}, ValueError, "resolution is 49"),
        ({"seed": -1}, ValueError, "seed is -1"),
    ],
)
def test_bad_input_is_named(arguments: dict, error: type[Exception], named: str) -> None:
    with pytest.raises(error, match=named) as caught:
        cluttered_digits(**({"split": "train", "n": 10} | arguments))
    assert "accepted" in str(caught.value)


# --- torchvision's data sets ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mnist_root(shared_data, tmp_path_factory):
    """The real MNIST files, unpacked as torchvision stores them."""
    root = tmp_path_factory.mktemp("mnist")
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for packed in (shared_data / "MNIST" / "raw").glob("*.gz"):
        (raw / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    return root


def test_real_mnist(mnist_root) -> None:
    parts = {split: load_dataset("mnist", mnist_root, split=split) for split in SPLITS}
    assert [len(parts[split]) for split in SPLITS] == [50_000, 10_000, 10_000]
    for part in parts.values():
        assert isinstance(part, Dataset) and part.images.shape[1:] == (1, 28, 28) and part.channels == 1
        assert (
            np.bincount(part.labels, minlength=10) > 0.08 * len(part)
        ).all()  # every split holds every class
    from torchvision.datasets import MNIST

    original = MNIST(mnist_root, train=True, download=False)
    both = np.concatenate([parts["train"].images, parts["valid"].images])[:, 0]
    assert np.array_equal(
        np.sort(both.reshape(60_000, -1).sum(1)),
        np.sort(original.data.numpy().reshape(60_000, -1).sum(1, dtype=int)),
    )
    x, _ = parts["train"].tensors()
    assert abs(float(x.mean())) < 0.05 and abs(float(x.std()) - 1) < 0.05


def test_real_mnist_takes_part_and_repeats(mnist_root) -> None:
    a = load_dataset("mnist", mnist_root, split="train", n=500)
    b = load_dataset("mnist", mnist_root, split="train", n=500)
    whole = load_dataset("mnist", mnist_root, split="train")
    assert len(a) == 500 and a.content_hash() == b.content_hash()
    assert np.array_equal(whole.images[:500], a.images)
    with pytest.raises(ValueError, match="n is 50001"):
        load_dataset("mnist", mnist_root, split="train", n=50_001)


def test_cifar10_files_are_read(tmp_path) -> None:
    """Files in CIFAR-10's own format, with made-up pixels; torchvision's integrity check is told their digests."""
    import hashlib
    import pickle

    from torchvision.datasets import CIFAR10

    folder = tmp_path / CIFAR10.base_folder
    folder.mkdir()
    rng = np.random.default_rng(0)
    pixels = {}
    for name, _ in [*CIFAR10.train_list, *CIFAR10.test_list]:
        pixels[name] = rng.integers(0, 256, (40, 3072), dtype=np.uint8)
        (folder / name).write_bytes(
            pickle.dumps({"data": pixels[name], "labels": [i % 10 for i in range(40)]})
        )
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))

    def digests(names):
        return [[name, hashlib.md5((folder / name).read_bytes()).hexdigest()] for name, *_ in names]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CIFAR10, "train_list", digests(CIFAR10.train_list))
        patch.setattr(CIFAR10, "test_list", digests(CIFAR10.test_list))
        patch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": digests([["batches.meta"]])[0][1]})
        test = load_dataset("cifar10", tmp_path, split="test")
        train = load_dataset("cifar10", tmp_path, split="train")
    assert test.images.shape == (40, 3, 32, 32) and test.channels == 3
    assert np.array_equal(
        np.sort(test.images.reshape(40, -1).sum(1)), np.sort(pixels["test_batch"].sum(1, dtype=int))
    )
    assert len(train) == 200 - 200 // 6


@pytest.mark.parametrize("name", DATASETS)
def test_missing_files_give_one_sentence(name: str, tmp_path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        load_dataset(name, tmp_path)
    message = str(caught.value)
    assert (
        name in message and str(tmp_path) in message and "cluttered_digits" in message and "\n" not in message
    )


def test_unknown_dataset(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"name is 'imagenet'; accepted: mnist, fashion_mnist, cifar10"):
        load_dataset("imagenet", tmp_path)


def made_mnist(root: Path) -> Path:
    """Files in MNIST's format, of 60 and 12 black images, as torchvision stores them; their folder."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", 60), ("t10k", 12)):
        for what, array in (
            ("images-idx3", np.zeros((count, 28, 28))),
            ("labels-idx1", np.arange(count) % 10),
        ):
            head = bytes([0, 0, 8, array.ndim]) + b"".join(side.to_bytes(4, "big") for side in array.shape)
            (raw / f"{part}-{what}-ubyte").write_bytes(head + array.astype(np.uint8).tobytes())
    return raw


@pytest.mark.parametrize("content", [b"", b"<html>404 not found</html>", "half", "fewer"])
@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"])
def test_files_that_are_cut_off_or_something_else_are_named(
    tmp_path: Path, name: str, content: bytes | str
) -> None:
    file = made_mnist(tmp_path) / name
    whole = file.read_bytes()
    if content == "fewer":  # whole in itself, but of other images
        sides = b"" if "labels" in name else (28).to_bytes(4, "big") * 2
        rest = bytes(7 if "labels" in name else 7 * 28 * 28)
        content = bytes([0, 0, 8, 1 if "labels" in name else 3]) + (7).to_bytes(4, "big") + sides + rest
    file.write_bytes(whole[: len(whole) // 2] if content == "half" else content)
    with pytest.raises(ValueError, match=rf"root must hold .* of mnist,? .*{re.escape(str(tmp_path))}"):
        load_dataset("mnist", tmp_path)
    assert len(load_dataset("mnist", tmp_path, "test")) == 12


def test_the_data_sets_own_folder_and_the_home_folder_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_mnist(tmp_path / "my data")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for root in (tmp_path / "my data", tmp_path / "my data" / "MNIST", "~/my data"):
        assert len(load_dataset("mnist", root)) == 50


def test_packed_files_are_said_to_be_there(tmp_path: Path) -> None:
    for file in made_mnist(tmp_path).iterdir():
        file.with_name(file.name + ".gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    with pytest.raises(
        FileNotFoundError, match=r"its files are packed there, `gunzip .*raw/\*\.gz` unpacks them"
    ):
        load_dataset("mnist", tmp_path)
