"""Checks of the exercises: `check("random_search", random_search)` tells a learner what is right and what is
not.

The framework is in `_core`, one module per lesson holds its exercises, and the grader uses both from outside
the learner's process. Nothing here holds a reference implementation.
"""

from nas_lib.checks._core import *  # noqa: F403
from nas_lib.checks._core import __all__  # noqa: F401
