"""Debian's Chromium, driven by playwright, for what only a browser can show."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tests.servers import SECONDS

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SETTINGS = {
    "notebook-extension/tracker": '{"windowingMode": "none"}',
    "terminal-extension/plugin": '{"screenReaderMode": true}',
}
"""Of JupyterLab, so that a page holds what can be read: every cell of a notebook, and a terminal's text."""
SHOTS = ROOT / ".cache" / "screenshots"
"""Where screenshots are kept, to be looked at."""


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """Chromium without a window. Skips the test where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        made = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield made
        finally:
            made.close()


@contextlib.contextmanager
def jupyter(folder: Path, command: Sequence[str], where: Path | None = None) -> Iterator[str]:
    """The address of a Jupyter server while it runs. No token is asked for.

    Args:
        folder: where its settings and what it says are kept.
        command: what starts it; what it takes beside is added here.
        where: the folder in which it is started (default: `folder`).
    """
    for name, text in SETTINGS.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(text)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}/"
    more = [f"--port={address.rpartition(':')[2][:-1]}", "--no-browser", "--IdentityProvider.token="]
    more += ["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    # Without the tests' backend: figures stand in the notebook.
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    environment |= {
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "PYTHONPATH": str(ROOT),  # kernels and terminals know this checkout's course
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    with (folder / "said").open("w+") as said:
        running = subprocess.Popen(
            [*command, *more], env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=where or folder,
            start_new_session=True,
        )  # fmt: skip
        try:
            servers.wait_for(f"{address}api", running, folder / "said")
            yield address
        finally:
            servers.end(running)


def page(browser: Any, width: int = 1280, height: int = 900, dark: bool = False) -> Any:
    """A new page that waits as long as a busy machine needs."""
    scheme = "dark" if dark else "light"
    made = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    made.set_default_timeout(1000 * SECONDS)
    return made


def complaints(page: Any) -> list[str]:
    """What the page writes into the console as an error from now on, and what its scripts fail with."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


def barriers(page: Any, within: str | None = None, *rules: str) -> list[str]:
    """What on the page keeps somebody out: axe-core's serious and critical violations.

    Args:
        within: a selector; what lies elsewhere is not looked at.
        rules: of axe-core, all others are left out.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found_by = axe.run(page, within, {"runOnly": list(rules)} if rules else None)
    return [
        f"{found['id']} at {node['target']}: {node['failureSummary']}"
        for found in found_by.response["violations"]
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
    ]


def shot(page: Any, name: str, **more: Any) -> None:
    """Keep a screenshot."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", **more)
