"""Where a learner's notebooks lie, and which of them is meant."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

LESSON = re.compile(r"\d\d_\w+")


def home(folder: Path) -> Path:
    """The folder of the lessons' folders: `folder` itself, its notebooks/, or what it lies in.

    Raises:
        ValueError: there are no lessons.
    """
    folder = folder.resolve()
    for place in (folder / "notebooks", folder, *folder.parents[:2], folder.parent / "notebooks"):
        if found(place):
            return place
    raise ValueError(
        f"no lessons in {folder}: run this in the course's folder, which holds notebooks/, or in notebooks/ itself."
    )


def found(place: Path) -> dict[str, Path]:
    """The notebooks of lessons in a folder, by name, in teaching order."""
    paths = sorted(place.glob("[0-9][0-9]_*/*.ipynb"))
    return {path.stem: path for path in paths if path.stem == path.parent.name and LESSON.fullmatch(path.stem)}


def chosen(place: Path, lesson: str) -> Path:
    """The notebook of one lesson, named in full or in part, such as "01".

    Raises:
        ValueError: none is called that, or several are.
    """
    all_of_them = found(place)
    named = [name for name in all_of_them if lesson == name] or [
        name for name in all_of_them if lesson and lesson in name
    ]
    if len(named) != 1:
        close = difflib.get_close_matches(lesson, all_of_them, n=1)
        hint = f" Did you mean {close[0]!r}?" if close and not named else ""
        raise ValueError(f"lesson must be one of {', '.join(all_of_them)}, got {lesson!r}.{hint}")
    return all_of_them[named[0]]
