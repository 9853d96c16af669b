"""The nbgrader_config.py of a course folder, written once and read with whatever its instructor adds to it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from traitlets.config.loader import PyFileConfigLoader

CONFIG_FILE = "nbgrader_config.py"
ROOT = Path(__file__).resolve().parents[2]


def write_config(course: Path) -> Path:
    """Write the configuration that makes plain nbgrader commands and Formgrader in `course` go our way.

    An instructor's own additions to an existing file are kept.

    Raises:
        ValueError: the folder has an nbgrader_config.py of somebody else's, with which grading would run
            learners' code unsafely.
    """
    path = course / CONFIG_FILE
    if not path.exists():
        path.write_text(CONFIG.format(repository=str(ROOT)), encoding="utf-8")
    elif "autograder.nbgrader.settings" not in path.read_text(encoding="utf-8"):
        raise ValueError(
            f"{path} is not this course's: choose another --course folder, or move that file away."
        )
    return path


def load_config(course: Path) -> Any:
    """The configuration that plain nbgrader commands have in a course's folder, with the instructor's own settings.

    Raises:
        ValueError: the file cannot be run.
    """
    loader = PyFileConfigLoader(CONFIG_FILE, path=str(course))
    try:
        return loader.load_config()
    except Exception as error:  # it is a program of the instructor's
        raise ValueError(f"{course / CONFIG_FILE} cannot be used: {type(error).__name__}: {error}") from None


def digest(course: Path) -> str:
    """Of the configuration and the instructor's own modules beside it: grades depend on them, too."""
    made = hashlib.sha256()
    for path in sorted(course.glob("*.py")):
        made.update(path.name.encode() + b"\0" + path.read_bytes())
    return made.hexdigest()[:32]


CONFIG = '''\
"""Written by nas-course: nbgrader and Formgrader started in this folder grade the course's way.

Add your own settings below.
"""

import sys
from pathlib import Path

sys.path.insert(0, {repository!r})
from autograder.nbgrader.settings import configure

c = get_config()
configure(c, Path(__file__).resolve().parent)
'''
