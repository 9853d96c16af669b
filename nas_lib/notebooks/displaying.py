"""HTML below a cell, where a notebook is there to show it."""

from __future__ import annotations

import sys


def displayed(html: str, text: str = "") -> bool:
    """Show HTML in a notebook; False where there is none, and nothing is shown.

    Args:
        html: what is shown.
        text: what is shown in its place by whatever cannot show HTML.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if getattr(shell, "kernel", None) is None:
        return False
    from IPython.display import display

    display({"text/html": html, "text/plain": text}, raw=True)
    return True
