"""What a failing check shows beside its sentence: found and expected in a small table.

In a notebook it is HTML, in the colours of whatever theme is on, with headings that a screen reader tells; elsewhere it
is aligned text. What differs says so in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from nas_lib.notebooks import displaying

ROWS = 6
HEAD = ("case", "yours", "expected", "")
SIGNS = {True: "same", False: "✗ differs"}


class Entry(NamedTuple):
    """One line: which case, what was found, what is right, and whether the two agree."""

    case: str
    found: str
    expected: str
    same: bool


def as_text(caption: str, entries: Sequence[Entry]) -> str:
    """The table for a terminal: its caption, its head, and a line for each entry."""
    rows = [HEAD, *((*entry[:3], SIGNS[entry.same]) for entry in entries)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows)
    return "\n".join([f"  {caption}", *(f"    {line}" for line in lines)])


def as_html(caption: str, entries: Sequence[Entry]) -> str:
    """The table for a notebook. It has no colours of its own."""
    left = 'style="text-align: left; font-weight: normal; overflow-wrap: anywhere"'
    head = f'<th scope="col" style="text-align: left">{HEAD[0]}</th>'
    head += "".join(f'<th scope="col">{name}</th>' for name in HEAD[1:3]) + "<td></td>"
    rows = (
        f'<tr><th scope="row" {left}>{escape(entry.case)}</th><td>{escape(entry.found)}</td>'
        f'<td>{escape(entry.expected)}</td><td style="white-space: nowrap">{SIGNS[entry.same]}</td></tr>'
        for entry in entries
    )
    return (
        f'<table><caption style="caption-side: top; text-align: left">{escape(caption)}</caption>'
        f'<thead><tr>{head}</tr></thead><tbody style="font-family: monospace">{"".join(rows)}</tbody></table>'
    )


def displayed(caption: str, entries: Sequence[Entry]) -> bool:
    """Show the table in a notebook; False where there is none, and nothing is shown."""
    return displaying.displayed(as_html(caption, entries), as_text(caption, entries))
