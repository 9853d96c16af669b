"""A training loop that may stop after any step and go on as if it had not: what both kinds of supernet share.

It knows no network and no loss. What happens in a step is the subclass's business; all that a step draws at random must
follow from the seed and the step's number, so that nothing but weights and optimiser has to be kept.
"""

from __future__ import annotations

import contextlib
import copy
import io
import os
import signal
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import torch
from tqdm import tqdm

from nas_lib._files import at, replacing
from nas_lib._numbers import is_integer


class Resumable(ABC):
    """A training of `steps` steps.

    Attributes:
        step: number of steps done, from 0 up.
        steps: number of steps in all.
        losses: the loss of each step done.
    """

    def __init__(self, steps: int) -> None:
        self.step, self.steps = 0, steps
        self.losses: list[float] = []

    @abstractmethod
    def advance(self) -> float:
        """Do step number `self.step`; returns its loss. The caller counts."""

    @abstractmethod
    def what(self) -> dict[str, Any]:
        """Plain data that says which training this is: a file of another one is refused."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Weights and optimiser, as `torch.save` takes them."""

    @abstractmethod
    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave; `self.step` is set already."""

    def run(self, until: int | None = None, progress: bool = False) -> None:
        """Train on to the end, or until `until` steps are done.

        An interrupt (Ctrl-C, a notebook's stop button) waits for the end of the step, so that weights and optimiser
        always belong together; calling `run` again goes on from there.

        Args:
            until: number of steps to have done then; None for all.
            progress: show a progress bar with the loss on standard output (notebooks paint standard error red).

        Raises:
            ValueError: `until` is no number of steps from 0 to `steps`.
            KeyboardInterrupt: interrupted; says after how many steps.
            FloatingPointError: the loss is no longer a finite number.
        """
        last = self.steps if until is None else until
        if not is_integer(last) or not 0 <= last <= self.steps:
            raise ValueError(f"until must be an integer from 0 to {self.steps}, got {until!r}")
        bar = tqdm(
            total=last,
            initial=min(self.step, last),
            unit="step",
            disable=not progress,
            file=sys.stdout,
            ncols=80,
            mininterval=0.5,
        )
        with bar, _postponed_interrupts() as interrupted:
            while self.step < last:
                loss = self.advance()
                if loss - loss != 0:  # NaN or infinite
                    raise FloatingPointError(
                        f"the loss is {loss} at step {self.step}: a smaller learning rate helps"
                    )
                self.losses.append(loss)
                self.step += 1
                if progress and self.step % 20 == 0:
                    bar.set_postfix_str(f"loss {loss:.2f}", refresh=False)
                bar.update()
                if interrupted():
                    raise KeyboardInterrupt(
                        f"after step {self.step} of {self.steps}; run() goes on from there"
                    )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything that is needed to go on; an interruption leaves the old file or the new one."""
        path = at(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as unfinished:
            torch.save(
                {"what": self.what(), "step": self.step, "losses": self.losses, "state": self.state()},
                unfinished,
            )

    def load(self, path: str | os.PathLike[str]) -> None:
        """Go on from a file that `save` wrote for the same training, on this device or another.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it was another training, or the file is none of `save`'s, or cut off. Nothing has changed then.
        """
        accepted = f"path must hold a training that save() wrote, {path}"
        data = io.BytesIO(at(path).read_bytes())
        try:
            # Wherever it was trained: weights and optimiser take the values to the device that they are on here.
            saved = torch.load(data, map_location="cpu", weights_only=True)
        except (
            Exception
        ) as error:  # torch raises what it comes upon: EOFError, KeyError, RuntimeError, OSError, …
            raise ValueError(f"{accepted} cannot be read as one ({type(error).__name__})") from error
        if not isinstance(saved, dict) or saved.keys() != {"what", "step", "losses", "state"}:
            raise ValueError(f"{accepted} holds something else")
        there, here = saved["what"], self.what()
        if not isinstance(there, dict) or not is_integer(saved["step"]):
            raise ValueError(f"{accepted} holds something else")
        if there != here:
            differing = sorted(key for key in there.keys() | here.keys() if there.get(key) != here.get(key))
            raise ValueError(
                f"path must hold this very training, {path} differs in {', '.join(differing)}: "
                "move it away or repeat its settings"
            )
        before = self.step, self.losses, copy.deepcopy(self.state())
        try:
            self.step, self.losses = saved["step"], saved["losses"]
            self.load_state(saved["state"])
        except Exception as error:
            self.step, self.losses, state = before
            self.load_state(state)
            raise ValueError(f"{accepted} lacks a part of its state or has another: {error}") from error


@contextlib.contextmanager
def _postponed_interrupts() -> Iterator[Callable[[], bool]]:
    """Within the block an interrupt only sets a mark, which the function reads; a second one comes through.

    Outside the main thread, where no interrupts arrive, nothing is changed.
    """
    marked = False

    def mark(number: int, frame: FrameType | None) -> None:
        nonlocal marked
        if marked:
            raise KeyboardInterrupt
        marked = True

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, mark)
    try:
        yield lambda: marked
    finally:
        signal.signal(signal.SIGINT, before)
