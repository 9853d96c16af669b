"""What all tests share: where the repository and real data are, and settings that spare the user's own."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]

# Before torch and numpy are imported: one thread gives the same sums everywhere; small networks lose nothing.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

# Jupyter and IPython, in this process and below, neither read nor write what the user has set up.
_scratch = tempfile.mkdtemp(prefix="nas-tests-")
atexit.register(shutil.rmtree, _scratch, ignore_errors=True)
for _name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
    os.environ[_name] = os.path.join(_scratch, _name.lower())

# Examples take longer on a busy machine: that is no failure. CI draws the same examples every time.
settings.register_profile("course", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("course")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data (MNIST's files, NAS-Bench-201's accuracies) that some tests compare with."""
    folder = Path(os.environ.get("NAS_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data is not in {folder}; NAS_SHARED_DATA names another folder")
    return folder


@pytest.fixture(scope="session")
def sandboxed() -> None:
    """Skips where submissions cannot be isolated (some containers forbid it)."""
    from autograder.sandbox import bubblewrap

    if bubblewrap.missing():
        pytest.skip(bubblewrap.missing())


@pytest.fixture(scope="session", autouse=True)
def _grading_without_a_sandbox_where_there_can_be_none() -> None:
    """Grading itself is tested there too; what it needs the sandbox for is left out."""
    from autograder.sandbox import bubblewrap

    if bubblewrap.missing():
        os.environ[bubblewrap.UNSAFE_VARIABLE] = "1"


@pytest.fixture(autouse=True)
def _no_grading_is_left_going_on() -> Iterator[None]:
    """nbgrader sets a variable while it grades, and leaves it where it fails: later checks would refuse to answer."""
    yield
    os.environ.pop("NBGRADER_EXECUTION", None)
