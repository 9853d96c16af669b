"""Products are kept for exactly as long as nothing that they depend on has changed, and only good ones."""

from __future__ import annotations

from pathlib import Path

import products
import pytest


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of two files, in which nothing is kept yet."""
    monkeypatch.delenv(products.VARIABLE, raising=False)
    monkeypatch.setattr(products, "FOLDER", tmp_path / "cache")
    monkeypatch.setattr(products, "_made", {})
    folder = tmp_path / "root" / "library"
    folder.mkdir(parents=True)
    for name in ("one.py", "two.py"):
        (folder / name).write_text(name)
    return folder.parent


class Maker:
    """Makes a product, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def make(self) -> dict[str, int]:
        self.times += 1
        return {"made": self.times}


def get(maker: Maker, given: str = "") -> dict[str, int]:
    products._made.clear()  # as in another process
    with products.kept("product", maker.make, ("tests/products.py",), given) as product:
        return product


def test_a_product_is_made_once():
    maker = Maker()
    assert [get(maker), get(maker)] == [{"made": 1}] * 2


def test_nothing_is_kept_or_believed_where_the_cache_is_off(monkeypatch):
    maker = Maker()
    get(maker)
    monkeypatch.setenv(products.VARIABLE, "off")
    assert [get(maker), get(maker)] == [{"made": 2}, {"made": 3}]
    monkeypatch.delenv(products.VARIABLE)
    assert get(maker) == {"made": 1}


def test_what_fails_an_assertion_is_not_kept():
    maker = Maker()
    with (
        pytest.raises(AssertionError),
        products.kept("product", maker.make, ("tests/products.py",)) as product,
    ):
        assert product == "good"
    assert get(maker) == {"made": 2}


def test_several_tests_of_one_process_share_even_what_is_not_kept(monkeypatch):
    monkeypatch.setenv(products.VARIABLE, "off")
    maker = Maker()
    for _ in range(2):
        with products.kept("product", maker.make, ("tests/products.py",)) as product:
            assert product == {"made": 1}


def key(root: Path, *depends: str, given: str = "") -> str:
    products.contents.cache_clear()
    return products.key(Maker().make, depends or ("library",), given, root)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "one.py").write_text("other"),
        lambda folder: (folder / "two.py").rename(folder / "three.py"),
        lambda folder: (folder / "two.py").unlink(),
        lambda folder: (folder / "deep" / "new.json").write_text(""),
    ],
    ids=["changed", "renamed", "removed", "added"],
)
def test_a_change_of_any_file_changes_the_key(change, place):
    (place / "library" / "deep").mkdir()
    before = key(place)
    assert key(place) == before
    change(place / "library")
    assert key(place) != before


def test_a_file_that_nothing_depends_on_changes_no_key(place):
    before = key(place, "library/one.py")
    (place / "library" / "two.py").write_text("other")
    (place / "library" / "__pycache__").mkdir()
    assert key(place, "library/one.py") == before


def test_packages_the_maker_s_file_and_what_is_given_change_the_key(place, monkeypatch):
    before = key(place)
    assert key(place, given="other") != before
    monkeypatch.setattr(products, "environment", lambda: "another Python")
    assert key(place) != before
    monkeypatch.undo()
    elsewhere = products.key(products.environment.__wrapped__, ("library",), "", place)
    assert elsewhere != before


def test_a_product_depends_on_files_that_are_there(place):
    with pytest.raises(FileNotFoundError, match="nothing"):
        key(place, "nothing")


def test_old_products_make_room():
    maker = Maker()
    for given in "abcde":
        get(maker, given)
    assert len(list((products.FOLDER / "product").iterdir())) == products.KEPT
    assert get(maker, "e") == {"made": 5}
