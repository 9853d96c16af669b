"""Names that several checks of lesson 07 use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LESSON = "07_compound_scaling"
ALPHA = 5e-10  # how likely one count of right code leaves its range

Array = NDArray[np.float64]
NAN = float("nan")
