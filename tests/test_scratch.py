"""Temporary folders of grading: gone with their run, and gone with the next one if that was killed."""

import os
import signal
import subprocess
import sys
import tempfile

import pytest

from autograder.sandbox import scratch

HOLDS_ONE = """
from autograder.sandbox import scratch
with scratch.folder("held") as path:
    (path / "submission.ipynb").write_text("{}")
    print(path, flush=True)
    input()
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A temporary folder of the test's own, in which no folder is too young to be cleared."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(scratch, "FRESH_SECONDS", -1.0)
    return tmp_path


@pytest.fixture
def maker(temporary):
    """Another process that holds a folder, and its path."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS_ONE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process, process.stdout.readline().strip()
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_a_folder_is_there_until_its_block_ends(temporary):
    with scratch.folder("intake") as path:
        (path / "below").mkdir()
        assert path.parent == temporary
        assert "intake" in path.name
    assert list(temporary.iterdir()) == []


def test_what_a_killed_run_left_is_cleared_by_the_next_and_a_living_one_keeps_its_own(temporary, maker):
    process, path = maker
    with scratch.folder("other"):
        assert os.path.isdir(path)  # its maker lives
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert os.path.isdir(path)
    with scratch.folder("other") as mine:
        assert list(temporary.iterdir()) == [mine]


def test_folders_of_others_young_ones_and_links_are_left_alone(temporary, monkeypatch):
    (temporary / "elsewhere").mkdir()
    (temporary / "elsewhere" / "kept").touch()
    (temporary / f"{scratch.PREFIX}link").symlink_to(temporary / "elsewhere")
    (temporary / "another-program").mkdir()
    (temporary / f"{scratch.PREFIX}abandoned").mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(scratch, "FRESH_SECONDS", 60.0)
        scratch.clear_abandoned()
        assert (temporary / f"{scratch.PREFIX}abandoned").is_dir()
    with monkeypatch.context() as patched:
        patched.setattr(os, "getuid", lambda: os.geteuid() + 1)
        scratch.clear_abandoned()
        assert (temporary / f"{scratch.PREFIX}abandoned").is_dir()
    scratch.clear_abandoned()
    assert not (temporary / f"{scratch.PREFIX}abandoned").exists()
    assert (temporary / "elsewhere" / "kept").is_file()
    assert (temporary / "another-program").is_dir()
