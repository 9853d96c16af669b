"""The nbgrader_config.py of a course folder, written once and read with whatever its instructor adds to it."""

from __future__ import annotations

import hashlib
import logging
import re
from pathlib import Path
from typing import Any

from traitlets.config.loader import PyFileConfigLoader

CONFIG_FILE = "nbgrader_config.py"
ROOT = Path(__file__).resolve().parents[2]


def write_config(course: Path) -> Path:
    """Write the configuration that makes plain nbgrader commands and Formgrader in `course` go our way.

    An instructor's own additions to an existing file are kept. One that names another clone of the course is made to
    name this one, which is said: the commands would run that one's code.

    Raises:
        ValueError: the folder has an nbgrader_config.py of somebody else's, with which grading would run
            learners' code unsafely.
    """
    path = course / CONFIG_FILE
    if not path.exists():
        path.write_text(CONFIG.format(repository=str(ROOT)), encoding="utf-8")
        return path
    text = path.read_text(encoding="utf-8")
    if "autograder.nbgrader.settings" not in text:
        raise ValueError(
            f"{path} is not this course's: choose another --course folder, or move that file away."
        )
    ours = CLONE.sub(lambda found: f"{found[1]}{str(ROOT)!r}", text)
    if ours != text:
        path.write_text(ours, encoding="utf-8")
        logging.getLogger("nas-course").warning(
            "%s named another clone of the course: from now on plain nbgrader there goes by %s, too.",
            path,
            ROOT,
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


CLONE = re.compile(r"""^(CLONE = |sys\.path\.insert\(0, )(?:'[^'\n]*'|"[^"\n]*")""", re.MULTILINE)
"""Where the file names the clone; the second form is that of older ones."""
CONFIG = '''\
"""Written by nas-course: nbgrader and Formgrader started in this folder grade the course's way.

Add your own settings below.
"""

import sys
from pathlib import Path

CLONE = {repository!r}  # of the course, by whose code nbgrader grades here
if "autograder" not in sys.modules:  # nas-course has its own already, and names it here
    sys.path.insert(0, CLONE)
from autograder.nbgrader.settings import configure

c = get_config()
configure(c, Path(__file__).resolve().parent)
'''
