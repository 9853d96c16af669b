"""Where in a notebook a learner's definition came from: a cell that broke off leaves the one from before in force.

Only IPython remembers cells; elsewhere nothing is claimed.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import sys
from typing import Any


def judges_older(name: str, fn: Any) -> bool:
    """Was `fn` defined before the last cell that was to define `name`? Then that cell broke off with an error."""
    history = _history()
    pattern = re.compile(
        rf"^[ \t]*(?:(?:async[ \t]+)?def|class)[ \t]+{name}\b|^{name}\b[^=\n]*=(?!=)", re.MULTILINE
    )
    last = next((texts for texts in reversed(history) if any(map(pattern.search, texts))), None)
    if last is None:
        return False
    if not _parses(last[-1]):
        return True
    source = _source(fn)
    return bool(source) and not any(source in text for text in last)


def _history() -> list[tuple[str, str]]:
    """What was run so far, in order: each cell as it was written, and as Python got it."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    manager = getattr(shell, "history_manager", None)
    if manager is None:
        return []
    return list(zip(manager.input_hist_raw, manager.input_hist_parsed))


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _source(fn: Any) -> str:
    """The text of the cell that `fn` was defined in, "" where that cannot be told."""
    members = vars(fn).values() if isinstance(fn, type) else [inspect.unwrap(fn) if callable(fn) else fn]
    codes = [code for member in members if (code := getattr(member, "__code__", None)) is not None]
    return "".join(linecache.getlines(codes[0].co_filename)).strip() if codes else ""
