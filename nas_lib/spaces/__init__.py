"""Search spaces: what an architecture is, how to draw one, number it and move to a neighbour.

`CellSpace` is NAS-Bench-201's, with the algebra that tells which cells compute the same function; `MobileSpace` holds
small MobileNet-like networks; `ProductSpace` makes a space out of any decisions. Networks are built elsewhere
(`nas_lib.networks`, `nas_lib.mobile`); nothing here needs torch, and nothing is computed at import.
"""

from nas_lib.spaces._protocol import Arch, Space
from nas_lib.spaces.cells import (
    CONVS,
    EDGES,
    OPS,
    Cell,
    CellSpace,
    Expression,
    canonical,
    conv_mapping,
    expression,
    functions,
    is_connected,
    live_edges,
)
from nas_lib.spaces.mobile import MobileArch, MobileSpace, Stage
from nas_lib.spaces.product import ProductArch, ProductSpace

__all__ = [
    "CONVS",
    "EDGES",
    "OPS",
    "Arch",
    "Cell",
    "CellSpace",
    "Expression",
    "MobileArch",
    "MobileSpace",
    "ProductArch",
    "ProductSpace",
    "Space",
    "Stage",
    "canonical",
    "conv_mapping",
    "expression",
    "functions",
    "is_connected",
    "live_edges",
]
