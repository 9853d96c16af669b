"""Big deterministic products (an executed lesson, a kill table), made once for each state of what they depend on.

What is kept is the product alone: tests assert on it every time. Its key are the contents of all files that it depends
on, every installed package and Python itself, so that a change of any makes it anew. A product on which an assertion
fails is not kept. `NAS_COURSE_CACHE=off` keeps nothing and believes nothing; CI runs like that.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".cache" / "products"
VARIABLE = "NAS_COURSE_CACHE"
KEPT = 3  # products of one name, the newest: going back and forth between two branches stays quick

_made: dict[Path, Any] = {}  # in this process, for several tests of one product


def grading(lesson: str) -> tuple[str, ...]:
    """What the grades of a lesson's exercises depend on."""
    return (
        "nas_lib",
        "autograder",
        "solutions/__init__.py",
        "solutions/mistakes",
        f"solutions/{lesson}.py",
    )


@contextlib.contextmanager
def kept(name: str, make: Callable[[], Any], depends: tuple[str, ...], given: str = "") -> Iterator[Any]:
    """A product for a block of assertions, which keeps it for later runs where it ends without an error.

    Args:
        name: the product's name, different for each.
        make: makes it: plain data as JSON knows them. The file that defines it counts among what it depends on.
        depends: files and folders, relative to the repository's root.
        given: whatever else it depends on.
    """
    place = FOLDER / name / f"{key(make, depends, given)}.json"
    fresh = os.environ.get(VARIABLE) == "off" or not place.is_file()
    if fresh:
        product = _made[place] if place in _made else _made.setdefault(place, make())
    else:
        product = json.loads(place.read_text(encoding="utf-8"))
    yield product
    if fresh and os.environ.get(VARIABLE) != "off":
        _keep(place, json.dumps(product))


def key(make: Callable[[], Any], depends: tuple[str, ...], given: str = "", root: Path = ROOT) -> str:
    """What a product is known by: a digest of all that it depends on."""
    code = inspect.unwrap(getattr(make, "func", make))
    own = hashlib.sha256(Path(inspect.getfile(code)).read_bytes()).hexdigest()
    parts = [environment(), own, given, *(f"{path} {contents(root / path)}" for path in depends)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@functools.cache
def environment() -> str:
    """Python, the platform and every installed package."""
    packages = {f"{one.name} {one.version}" for one in metadata.distributions()}
    return "\n".join([sys.version, sys.platform, *sorted(packages)])


@functools.cache
def contents(path: Path) -> str:
    """Digest of a file, or of the names and contents of all files in a folder.

    Raises:
        FileNotFoundError: there is no such file: a product would depend on nothing.
    """
    if not path.exists():
        raise FileNotFoundError(f"a product depends on {path}, which is not there")
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    found = hashlib.sha256()
    for file in files:
        if "__pycache__" not in file.parts:
            found.update(
                f"{file.relative_to(path)} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode()
            )
    return found.hexdigest()


def _keep(place: Path, text: str) -> None:
    """Write at once or not at all, and drop what has not been written for longest."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=place.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
    shutil.move(file.name, place)
    others = sorted(place.parent.glob("*.json"), key=lambda one: one.stat().st_mtime, reverse=True)
    for old in others[KEPT:]:
        old.unlink(missing_ok=True)
