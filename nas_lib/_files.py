"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def at(path: str | os.PathLike[str]) -> Path:
    """The path, with the home folder in the place of a leading `~`, as a shell would have it.

    Without this, what is written to `~/runs` would land in a folder of that name in the current one.
    """
    path = Path(path)
    try:
        return path.expanduser()
    except RuntimeError:  # nobody knows that user's home
        return path


@contextmanager
def replacing(path: str | os.PathLike[str], private: bool = False) -> Iterator[Path]:
    """A file beside `path` for a block to write, which then takes its place; after an error `path` is as it was.

    Args:
        path: what is replaced, or made.
        private: for its owner's eyes alone, from the first byte on.
    """
    path = Path(path)
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)  # left by a process that was killed
    if private:
        os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield fresh
        os.replace(fresh, path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def writable(argument: str, path: Path) -> Path:
    """The path, if a file can be written there.

    Raises:
        ValueError: its folder is not there, or it is a folder itself; `argument` is what it was given as.
    """
    if not path.resolve().parent.is_dir() or path.is_dir():
        raise ValueError(f"{argument} must be a file in a folder that exists, got {str(path)!r}.")
    return path
