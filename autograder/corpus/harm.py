"""Looks for what a case has left behind or reached: files, processes, connections, memory, others' grades, pages.

It looks in the places that the cases write to and for the marks that they leave there; it does not watch the
whole machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import resource
import socket
import sqlite3
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import autograder
from autograder.corpus._cases import ALERT, MARKER, SECRET
from autograder.intake import hand_ins
from autograder.judge.seeds import SECRET_FILE, SEEDS_FILE
from autograder.nbgrader import gradebook, review

PAGE_BYTES = 2 * 2**20
MEMORY_BYTES = 600 * 2**20  # by which the grader may grow over hundreds of submissions
PORT = 45454
COURSE = {
    *("source", "release", "submitted", "autograded", "feedback", "gradebook.db", "nbgrader_config.py"),
    *(SECRET_FILE, SEEDS_FILE, gradebook.BACKUP, review.FOLDER, hand_ins.FOLDER, "set_aside"),
}
"""What a course folder may hold, beside the tables and journals that are written into it."""


class Watch:
    """Compares the machine before and after a run.

    Args:
        folder: the corpus' own folder, with the course in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.connections = 0

    @contextlib.contextmanager
    def watching(self) -> Iterator[list[str]]:
        """Gives a list that holds what was found once the block has ended."""
        found: list[str] = []
        os.environ["NAS_CORPUS_VARIABLE"] = SECRET
        kept, marked = self._protected(), set(_marked())
        memory = _memory()
        with self._listening():
            yield found
        os.environ.pop("NAS_CORPUS_VARIABLE", None)
        found += [
            f"{path} was changed"
            for path, digest in self._protected().items()
            if kept.get(path, digest) != digest
        ]
        found += [f"{path} was left behind" for path in _marked() if path not in marked]
        found += [f"{path} lies in the course's folder" for path in self._strays()]
        found += [f"process {name} is left" for name in _left_running()]
        if self.connections:
            found.append(f"{self.connections} connections came through")
        if _memory() - memory > MEMORY_BYTES:
            found.append(f"the grader grew by {(_memory() - memory) >> 20} MB")
        with contextlib.closing(sqlite3.connect(self.folder / "course" / "gradebook.db")) as base:
            if base.execute("pragma integrity_check").fetchone() != ("ok",):
                found.append("the gradebook is damaged")

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        try:
            server = socket.create_server(("127.0.0.1", PORT))
        except OSError:  # somebody else's
            yield
            return

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    server.accept()[0].close()
                    self.connections += 1

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown(socket.SHUT_RDWR)
            server.close()

    def _protected(self) -> dict[Path, str]:
        """Files that no submission may change, with their digests."""
        course = self.folder / "course"
        names = [course / SECRET_FILE, course / "nbgrader_config.py"]
        names += [path for part in ("source", "release") for path in (course / part).rglob("*.ipynb")]
        names += [path for part in ("outside.ipynb", "outside.txt") if (path := self.folder / part).exists()]
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in names if path.is_file()}

    def _strays(self) -> list[Path]:
        course = self.folder / "course"
        return [
            path
            for path in course.iterdir()
            if path.name not in COURSE and not path.name.startswith(("grades", ".grading_"))
        ] + [path for path in course.rglob("*") if path.is_symlink()]


def _marked() -> list[Path]:
    """Files with the mark of a case in their names or, where code is run from, in them."""
    packages = Path(sysconfig.get_paths()["purelib"])
    repository = Path(autograder.__file__).resolve().parents[1]
    home = Path.home()
    folders = [packages, repository, repository / "autograder", repository / "nas_lib", home, Path.cwd()]
    folders += [
        Path(tempfile.gettempdir()),
        *map(Path, ("/", "/tmp", "/var/tmp", "/dev/shm", "/etc")),
    ]
    folders += [home / ".ipython/profile_default/startup", home / ".jupyter"]
    found = [path for folder in folders if folder.is_dir() for path in folder.glob(f"{MARKER}*")]
    texts = [home / name for name in (".bashrc", ".profile", ".jupyter/jupyter_config.py")]
    texts += [Path(sys.prefix) / "sitecustomize.py", *(repository / "nas_lib").rglob("*.py")]
    return found + [path for path in texts if path.is_file() and MARKER in path.read_text("utf-8", "replace")]


def _left_running() -> list[str]:
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            said = place.read_bytes()
            if said.startswith(MARKER.encode()) or said.endswith(f"\0{MARKER}\0".encode()):
                found.append(place.parent.name)
    return found


def _memory() -> int:
    """The most that this process has used, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


# ----------------------------------------------------------------------------------------------------
# Pages


def in_page(page: str) -> list[str]:
    """What is wrong with a page that shows a submission: it runs a case's script, leaks, or is too large."""
    seen = _Active()
    seen.feed(page)
    found = [f"the page runs {what}" for what in seen.found]
    if SECRET in page:
        found.append("the page holds a secret")
    if len(page) > PAGE_BYTES:
        found.append(f"the page has {len(page) >> 20} MB")
    return found


class _Active(HTMLParser):
    """Finds a case's script where a browser would run it, and what shows other pages within this one."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Look at a tag."""
        self._inside = tag if tag in ("script", "style") else ""
        if tag in ("iframe", "object", "embed", "base", "math") or (
            tag == "svg" and ALERT in str(attributes)
        ):
            self.found.append(f"<{tag}>")
        for name, value in attributes:
            told = re.sub(r"[\s\x00-\x1f]+", "", value or "").lower()
            if (name.startswith("on") or name in ("srcdoc", "formaction")) and ALERT in (value or ""):
                self.found.append(f"{tag} {name}")
            if name in ("href", "src", "action", "data") and re.match(
                r"javascript:|vbscript:|data:text", told
            ):
                self.found.append(f"{tag} {name}={told[:40]}")
            if tag == "img" and name == "src" and not told.startswith("data:image/"):
                self.found.append(f"a request for {told[:40]}")

    def handle_endtag(self, tag: str) -> None:
        """Leave a script."""
        self._inside = ""

    def handle_data(self, data: str) -> None:
        """Look at a script."""
        if self._inside and (ALERT in data or "display: none} </style" in data):
            self.found.append(f"<{self._inside}>")
