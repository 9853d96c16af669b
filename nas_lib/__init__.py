"""The library of *NAS from Scratch*: the ground that the lessons build on.

It holds data, search spaces, networks, the table of trained cells and the search loop, but no exercise's
answer. Importing it is cheap: submodules, and with them torch, are loaded when they are first used.
"""

from __future__ import annotations

__version__ = "0.1.0"
