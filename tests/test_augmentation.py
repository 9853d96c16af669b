"""Augmentation against torchvision, operation by operation and level by level."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.random import default_rng
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as theirs

from nas_lib.augmentation import (
    LEVELS,
    OPERATIONS,
    Mixup,
    RandAugment,
    apply_operation,
    level_strengths,
)

SPACE = v2.RandAugment._AUGMENTATION_SPACE


def picture(channels: int, height: int = 28, width: int = 21, seed: int = 0, low: int = 10, high: int = 240):
    pixels = default_rng(seed).integers(low, high, (channels, height, width), dtype=np.uint8)
    return torch.from_numpy(pixels)


def torchvision_says(image: torch.Tensor, name: str, strength: float) -> torch.Tensor:
    transform = v2.RandAugment()
    return transform._apply_image_or_video_transform(
        image, name, strength, transform.interpolation, transform._fill
    )


def test_the_operations_are_torchvision_s():
    assert list(OPERATIONS) == list(SPACE)
    assert {name for name, one in OPERATIONS.items() if one.signed} == {
        name for name, (_, signed) in SPACE.items() if signed
    }


@pytest.mark.parametrize("name", OPERATIONS)
def test_strengths_are_torchvision_s_at_every_level(name: str):
    right = SPACE[name][0](LEVELS, 28, 21)
    right = np.zeros(LEVELS) if right is None else right.numpy()
    np.testing.assert_allclose(level_strengths(name, 28, 21), right, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_gives_torchvision_s_pixels(name: str, channels: int):
    image, signs = picture(channels), (1, -1) if OPERATIONS[name].signed else (1,)
    right = SPACE[name][0](LEVELS, 28, 21)
    for level in range(LEVELS):
        for sign in signs:
            strength = 0.0 if right is None else sign * float(right[level])
            before = image.clone()
            found = apply_operation(image, name, strength)
            assert found.dtype == torch.uint8 and torch.equal(image, before)
            assert torch.equal(found, torchvision_says(image, name, strength)), (level, sign)


@pytest.mark.parametrize("name", ["AutoContrast", "Equalize", "Contrast", "Sharpness"])
@pytest.mark.parametrize("kind", ["constant", "two values", "tiny", "few pixels"])
def test_odd_images_are_treated_alike_too(name: str, kind: str):
    image = {
        "constant": torch.full((3, 20, 20), 77, dtype=torch.uint8),
        "two values": (picture(3, 24, 24) > 99).to(torch.uint8) * 200,
        "tiny": picture(3, 2, 2),
        "few pixels": picture(1, 9, 9),
    }[kind]
    assert torch.equal(apply_operation(image, name, 0.4), torchvision_says(image, name, 0.4))


def test_rand_augment_draws_what_torchvision_draws_from():
    """Every result at n = 1 is one of torchvision's operations at this level, all of them occur, equally often."""
    image = picture(3, 24, 18, low=20, high=200)
    drawn = []
    pictures = []
    for name, (strengths, signed) in SPACE.items():
        table = strengths(LEVELS, 24, 18)
        value = 0.0 if table is None else float(table[11])
        for sign in (1, -1) if signed else (1,):
            drawn.append((name, sign))
            pictures.append(torchvision_says(image, name, sign * value).int())
    known, augment = torch.stack(pictures), RandAugment(1, 11, default_rng(3))

    def which(found: torch.Tensor) -> tuple[str, int]:
        # torchvision's strengths are float32, which moves a rounded pixel by one now and then
        differences = (known - found.int()).abs()
        place = int(differences.sum((1, 2, 3)).argmin())
        assert differences[place].max() <= 1
        return drawn[place]

    found = [which(augment(image)) for _ in range(2800)]
    names, counts = np.unique([name for name, _ in found], return_counts=True)
    assert len(names) == 14
    assert counts.min() >= 140 and counts.max() <= 260  # 200 expected, sd 13.6
    signs = [sign for name, sign in found if OPERATIONS[name].signed]
    assert 0.45 < np.mean(np.array(signs) == 1) < 0.55


def test_rand_augment_repeats_with_its_seed_and_n_operations_follow_each_other():
    image = picture(1)
    once = RandAugment(2, 9, default_rng(5)).batch(image.repeat(20, 1, 1, 1))
    again = RandAugment(2, 9, default_rng(5)).batch(image.repeat(20, 1, 1, 1))
    assert torch.equal(once, again) and len({one.numpy().tobytes() for one in once}) > 10
    assert torch.equal(RandAugment(0, 9, default_rng(5))(image), image)


@pytest.mark.parametrize(("n", "m"), [(-1, 9), (2, -1), (2, 31), (2, float("nan"))])
def test_impossible_numbers_are_refused(n: int, m: float):
    with pytest.raises(ValueError, match="must be"):
        RandAugment(n, m, default_rng(0))


@pytest.mark.parametrize(
    "image",
    [torch.zeros(3, 8, 8), torch.zeros(8, 8, dtype=torch.uint8), torch.zeros(2, 8, 8, dtype=torch.uint8)],
)
def test_no_image_is_refused(image: torch.Tensor):
    with pytest.raises(ValueError, match="image must"):
        apply_operation(image, "Identity")
    with pytest.raises(ValueError, match="name must be one of Identity"):
        apply_operation(picture(1), "identity")


def test_mixup_mixes_as_torchvision_does_for_equal_shares(monkeypatch: pytest.MonkeyPatch):
    """With torchvision's partner (the image before) and share, images and labels agree."""
    x, y = torch.randn(6, 3, 5, 5), torch.tensor([0, 1, 2, 3, 1, 0])
    mixer = v2.MixUp(alpha=0.4, num_classes=4)
    monkeypatch.setattr(mixer, "make_params", lambda flat: {**params(flat), "lam": 0.3})

    def params(flat):
        return {"labels": flat[1], "batch_size": 6}

    monkeypatch.setattr(mixer, "_check_image_or_video", lambda *_, **__: None)

    class Fixed:
        def beta(self, a, b):
            assert a == b == 0.4
            return 0.3

        def permutation(self, n):
            return np.roll(np.arange(n), 1)

    right_x = theirs.to_dtype(x.roll(1, 0) * 0.7 + x * 0.3)
    found_x, found_y = Mixup(0.4, 4, Fixed())(x, y)
    torch.testing.assert_close(found_x, right_x)
    torch.testing.assert_close(found_y, mixer._mixup_label(torch.nn.functional.one_hot(y, 4), lam=0.3))


def test_mixup_s_labels_say_how_its_images_were_mixed():
    rng = default_rng(2)
    x, y = torch.eye(8).view(8, 1, 8, 1), torch.arange(8)
    shares = []
    for _ in range(400):
        mixed, labels = Mixup(0.5, 8, rng)(x, y)
        torch.testing.assert_close(mixed.flatten(1), labels)  # images are their own labels here
        torch.testing.assert_close(labels.sum(1), torch.ones(8))
        shares.append(labels.max(1).values.min().item())
    larger = np.maximum(share := rng.beta(0.5, 0.5, 100_000), 1 - share)
    assert abs(np.mean(shares) - larger.mean()) < 0.04
    with pytest.raises(ValueError, match="alpha must be above 0"):
        Mixup(0.0, 10, rng)
