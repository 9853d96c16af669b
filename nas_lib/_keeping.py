"""What a long loop has computed is not lost with an interrupt or an error."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from typing import Any


@contextmanager
def keeping(name: str, made: Callable[[], Any], done: Sized, units: str) -> Iterator[None]:
    """End a block quietly at an interrupt, and let an error carry what is done; with nothing done both come through.

    Args:
        name: of the exception's attribute that holds it, such as "history".
        made: makes it of what is done.
        done: what is done; it grows meanwhile.
        units: what it is counted in, with what became of them, such as "evaluations made".
    """
    try:
        yield
    except KeyboardInterrupt:
        if not done:
            raise
        # Up from here: contextlib's frame, the function with the block, whoever called that.
        warnings.warn(f"interrupted: the {name} holds the {len(done)} {units} so far", stacklevel=4)
    except Exception as error:
        if done:
            setattr(error, name, made())
            error.add_note(f"The {len(done)} {units.split()[0]} before this are in the exception's `{name}`.")
        raise
