"""Jupyter servers that tests start: wait until one answers, and end it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from threading import Event

SECONDS = 240.0
"""That anything may take on a busy machine; what is waited for is there in a few on an idle one."""


def wait_for(address: str, running: subprocess.Popen[bytes], said: Path) -> None:
    """Until a server answers at an address.

    Args:
        address: asked again and again.
        running: the server's process.
        said: the file of its output.

    Raises:
        AssertionError: it has ended, or does not answer. The message is what it said.
    """
    for _ in range(int(4 * SECONDS)):
        try:
            urllib.request.urlopen(address, timeout=SECONDS).close()
            return
        except (urllib.error.URLError, ConnectionError):
            assert running.poll() is None, said.read_text()
            Event().wait(0.25)
    raise AssertionError(said.read_text())


def end(running: subprocess.Popen[bytes]) -> None:
    """Ask a server to end, which ends its kernels first; then end whatever is left of its process group.

    Whether it ends when it is asked isn't ours to test: now and then JupyterLab waits for a thread forever.

    Args:
        running: started with `start_new_session=True`.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGTERM)
        for _ in range(120):
            running.poll()  # a dead child that nobody has waited for is still found in its group
            os.killpg(running.pid, 0)
            Event().wait(0.25)
        os.killpg(running.pid, signal.SIGKILL)
    running.wait(SECONDS)
