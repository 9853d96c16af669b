"""Names that several checks of lesson 07 use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LESSON = "07_compound_scaling"

Array = NDArray[np.float64]
NAN = float("nan")
