"""What all tests share: where the repository and real data are, and settings that spare the user's own."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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


# What takes longest begins first, so that at the end no process waits long for another.
FIRST = ("test_mutants", "test_lessons", "test_checks", "test_grading", "test_scale", "test_instructor")


def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: one more than the cores that this process may use, since a fifth of the time is spent waiting."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For several processes, each of which takes whole files: those that take longest come first."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: FIRST.index(item.path.stem) if item.path.stem in FIRST else len(FIRST))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what tests want to be read: they say so with `record_property("print", text)`."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, text in report.user_properties:
            if name == "print" and report.when == "call":
                terminalreporter.write(f"\n{text}\n")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium for a whole file of tests, none of which may run an event loop of its own meanwhile."""
    from tests import browsing

    with browsing.browser() as made:
        yield made


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


@pytest.fixture(autouse=True)
def _torch_is_left_as_it_was(request: pytest.FixtureRequest) -> Iterator[None]:
    """Else the tests that come later in this process fail in its place."""
    torch: Any = sys.modules.get("torch")
    if not hasattr(torch, "get_default_dtype"):
        yield
        return
    before = torch.get_default_dtype(), torch.is_grad_enabled()
    yield
    after = torch.get_default_dtype(), torch.is_grad_enabled()
    torch.set_default_dtype(before[0])
    torch.set_grad_enabled(before[1])
    assert after == before, f"{request.node.nodeid} left torch's default dtype and grad mode at {after}"


@pytest.fixture
def saved_on_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Path]:
    """Saves a training into a file that says "cuda:0" of every tensor, as one does that was written there."""

    def save(training: Any) -> Path:
        import torch

        with monkeypatch.context() as patch:
            patch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
            training.save(tmp_path / "gpu.pt")
        if not torch.cuda.is_available():
            with pytest.raises(RuntimeError, match="CUDA"):
                torch.load(tmp_path / "gpu.pt", weights_only=True)
        return tmp_path / "gpu.pt"

    return save
