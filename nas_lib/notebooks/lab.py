"""`nas-course lab`: JupyterLab as learners need it, on the index of the lessons.

Its settings are in assets/jupyter: nbgrader's Validate has time for trainings, and the instructor's menus are away.
They hold for the server that is started here, and for no other.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from nas_lib.notebooks import lessons, model_answers

SETTINGS = Path(__file__).resolve().parents[1] / "assets" / "jupyter"
INDEX = "index.ipynb"


def lab(folder: Path, more: Sequence[str] = ()) -> int:
    """Start JupyterLab on a learner's notebooks, and wait for its end.

    Args:
        folder: the course's folder, or its notebooks.
        more: further arguments for JupyterLab.

    Returns:
        JupyterLab's exit status.

    Raises:
        ValueError: there are no lessons, or JupyterLab is not installed.
    """
    command, environment = started(folder, more)
    return subprocess.run(command, env=environment).returncode


def started(folder: Path, more: Sequence[str] = ()) -> tuple[list[str], dict[str, str]]:
    """The command that starts JupyterLab, and its environment; see `lab`."""
    home = lessons.home(folder)
    if importlib.util.find_spec("jupyterlab") is None:
        raise ValueError(f"JupyterLab is not installed: {sys.executable} -m pip install jupyterlab")
    command = [sys.executable, "-m", "jupyterlab", str(home)]
    if (home / INDEX).exists():
        command.append(f"--LabApp.default_url=/lab/tree/{INDEX}")
    environment = dict(os.environ)
    if os.name == "posix":
        # Where the server runs in no terminal, Jupyter's own choice is a login shell, which sets PATH anew.
        shell = [environment.get("SHELL") or "sh"]
        command.append(f"--ServerApp.terminado_settings={json.dumps({'shell_command': shell})}")
    # Terminals of JupyterLab know the course's commands then, whether or not the environment is active.
    for name, first in (("JUPYTER_CONFIG_PATH", SETTINGS), ("PATH", Path(sys.executable).parent)):
        environment[name] = os.pathsep.join(filter(None, [str(first), environment.get(name, "")]))
    environment.setdefault(model_answers.FROM_CLONE, "1")  # who has the sources may as well see them in place
    return [*command, *more], environment
