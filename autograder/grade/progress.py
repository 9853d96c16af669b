"""How far a run has come: a bar in a terminal, a plain line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

EVERY_SECONDS = 15.0


def shown(label: str, total: int, wanted: bool) -> Any:
    """A progress bar on stderr, with tqdm's methods; plain lines where no terminal is, nothing if not wanted."""
    if wanted and not sys.stderr.isatty():
        return Lines(label, total)
    from tqdm import tqdm

    return tqdm(desc=label, total=total, unit="submission", leave=False, disable=not wanted)


class Lines:
    """As much of a bar of tqdm's as is used here, in lines: one at most every `EVERY_SECONDS`."""

    def __init__(self, label: str, total: int) -> None:
        self._label, self._total, self._done = label, total, 0
        self._counts: Mapping[str, int] = {}
        self._began = self._last = time.monotonic()

    def set_postfix(self, counts: Mapping[str, int], refresh: bool = False) -> None:
        """Say these numbers, too, from the next line on."""
        self._counts = counts

    def update(self) -> None:
        """One more is done."""
        self._done += 1
        now = time.monotonic()
        if now - self._last >= EVERY_SECONDS:
            self._last = now
            rest = (now - self._began) / self._done * (self._total - self._done)
            counts = "".join(f", {name} {count}" for name, count in self._counts.items())
            line = f"{self._label}: {self._done} of {self._total}{counts}, about {rest:.0f} s to go"
            print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing is left behind."""
