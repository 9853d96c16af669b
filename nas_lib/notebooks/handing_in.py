"""`nas-course submit`: one file for the learning platform, or nbgrader's exchange where one is set up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from nas_lib._files import replacing
from nas_lib.notebooks.validating import read

FOLDER = "hand-in"
LARGEST = 10_000_000
"""Bytes; of a larger notebook the outputs are left out, which grading makes anew."""


class Exchange(NamedTuple):
    """A course in nbgrader's exchange that takes a lesson."""

    root: Path
    course: str


def written(notebook: Path, into: Path) -> Path:
    """Write the file that a learning platform takes, named by its lesson, into a folder.

    Raises:
        ValueError: the file is no notebook.
    """
    import nbformat

    content = read(notebook)
    text = nbformat.writes(content)
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        for cell in content.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        text = nbformat.writes(content)
    into.mkdir(parents=True, exist_ok=True)
    target = into / notebook.name
    with replacing(target) as fresh:
        fresh.write_text(text, encoding="utf-8", newline="\n")
    return target


def exchange(lesson: str, place: Path) -> Exchange | None:
    """The course that released a lesson through nbgrader's exchange on this machine, None where there is none.

    Args:
        lesson: its name.
        place: the folder of the lessons' folders; an nbgrader_config.py in it or above it counts.

    Raises:
        ValueError: several courses released it, and the configuration doesn't say which is meant.
    """
    config = _config(place)
    if config is None:
        return None
    root = Path(config.Exchange.get("root") or "/usr/local/share/nbgrader/exchange")
    course = str(config.CourseDirectory.get("course_id") or "*")
    courses = [one.parents[1].name for one in root.glob(f"{course}/outbound/{lesson}") if one.is_dir()]
    if len(courses) > 1:
        raise ValueError(
            f"{lesson} was released by several courses ({', '.join(sorted(courses))}): say which is yours, by "
            f'c.CourseDirectory.course_id = "…" in {place / "nbgrader_config.py"}.'
        )
    return Exchange(root, courses[0]) if courses else None


def hand_over(notebook: Path, to: Exchange) -> None:
    """Submit a lesson's folder through nbgrader's exchange.

    Raises:
        ValueError: nbgrader refuses; the message is the last line of what it said.
    """
    command = [sys.executable, "-m", "nbgrader", "submit", notebook.parent.name, "--course", to.course]
    place = notebook.parents[1]
    done = subprocess.run(
        [*command, f"--Exchange.root={to.root}"],
        cwd=place,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise ValueError(f"nbgrader's exchange did not take it: {said[-1] if said else 'it said nothing'}")


def _config(place: Path) -> Any:
    """What nbgrader is configured with there; None where nbgrader is not installed."""
    try:
        import nbgrader  # noqa: F401
    except ImportError:
        return None
    from jupyter_core.paths import jupyter_config_path
    from traitlets.config import Config
    from traitlets.config.loader import ConfigFileNotFound, JSONFileConfigLoader, PyFileConfigLoader

    config = Config()
    for folder in [*reversed(jupyter_config_path()), str(place.parent), str(place)]:
        for loader, kind in ((JSONFileConfigLoader, "json"), (PyFileConfigLoader, "py")):
            try:
                config.merge(loader(f"nbgrader_config.{kind}", path=folder).load_config())
            except ConfigFileNotFound:
                continue
    return config
