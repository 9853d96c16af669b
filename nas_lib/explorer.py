"""The table of all cells as a picture to look around in: every cell a point, cost against accuracy.

`explore` shows it in a notebook, `fragment` is the same for a page; both run `assets/explorer.js` in the browser, and
need no kernel for it. Where no script runs (plain Python, a notebook of somebody else's that isn't trusted, a preview)
there is a figure of the same points.
"""

from __future__ import annotations

import base64
import functools
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from nas_lib import plotting
from nas_lib.benchmark import Metric, TabularBenchmark
from nas_lib.notebooks import pictures
from nas_lib.search import History
from nas_lib.spaces import EDGES, CellSpace, functions, live_edges

__all__ = ["Packed", "explore", "fragment", "pack"]

SCRIPT = Path(__file__).parent / "assets" / "explorer.js"
"""The module that draws, in notebooks and on pages."""
# The house's colours of operations are made for white paper; these are told apart on a dark ground.
_ON_DARK = {
    "none": "#a0a0a0",
    "skip_connect": "#ffffff",
    "nor_conv_1x1": "#6cc1f5",
    "nor_conv_3x3": "#ff9f5a",
    "avg_pool_3x3": "#3fd0a6",
}


@dataclass(frozen=True, eq=False)
class Packed:
    """What the browser draws.

    Attributes:
        header: names, labels and where each array lies in `data`; plain enough for JSON.
        data: the arrays, one behind the other, little-endian.
    """

    header: dict[str, Any]
    data: bytes


def explore(
    table: TabularBenchmark,
    path: History | None = None,
    *,
    costs: Mapping[str, ArrayLike] | None = None,
    metric: Metric = "test",
) -> None:
    """Show every cell of a table: hover to see one, filter by the operations of its edges, replay a search.

    The horizontal axis is any cost that the table knows: multiply-accumulates, parameters, seconds of training, and
    of the course's own table the roofline of each device in `nas_lib.devices`.

    Args:
        table: of a `CellSpace`.
        path: a search, shown step by step over the points.
        costs: further axes: name with unit → numbers (n,) in the space's index order.
        metric: the vertical axis, "test" or "valid": percent after full training, mean over seeds.

    Raises:
        TypeError: `table` or `path` is something else.
        ValueError: an empty or foreign `path`, costs of another length or not finite, an unknown metric, or no cost.
    """
    packed = pack(table, path, costs=costs, metric=metric)
    ax = figure(table, path, costs=costs, metric=metric)
    if not _in_a_notebook():
        return
    from IPython.display import display

    made: Any = ax.get_figure()
    forms, metadata = pictures.bundle(made, describe(packed.header))
    plt.close(made)  # a cell shows what is open at its end
    identity = f"explorer-{uuid.uuid4().hex[:8]}"
    forms["text/html"] = fragment(packed, identity, still=forms["text/html"])
    display(forms, metadata=metadata, raw=True)


def figure(
    table: TabularBenchmark,
    path: History | None = None,
    *,
    costs: Mapping[str, ArrayLike] | None = None,
    metric: Metric = "test",
) -> Axes:
    """The same points as a figure that stands still, over the first cost; arguments as of `explore`."""
    (name, xs), *_ = _costs(table, costs).items()
    ys = table.final(metric)
    title = f"All cells, mean of {table.seeds} seeds"
    ax = plotting.scatter(xs, ys, xlabel=name, ylabel=f"{metric} accuracy (%)", title=title)
    steps = _steps(table, path)
    if steps is not None:
        look = plotting.LOOKS[1]
        leaders = list(dict.fromkeys(steps["leaders"]))
        at = np.array(steps["cells"])[leaders]
        style: dict[str, Any] = {"color": look.color, "marker": look.marker, "linestyle": look.line, "ms": 4}
        ax.plot(xs[at], ys[at], label=f"incumbents of {len(steps['cells'])} evaluations", **style)
        plotting.legend(ax)
    return ax


def fragment(packed: Packed, identity: str = "explorer", still: str = "") -> str:
    """HTML that shows the view on any page, without network, server or kernel.

    Args:
        identity: of the element; pages with several views name each.
        still: HTML that stands in its place as long as the script has not run.
    """
    data = base64.b64encode(packed.data).decode()
    header = json.dumps(packed.header).replace("</", "<\\/")
    start = f'for (const host of document.querySelectorAll("#{identity}")) mount(host, {header}, "{data}");'
    script = SCRIPT.read_text(encoding="utf-8")
    told = f"{describe(packed.header)} Look at them with JavaScript on."
    # JupyterLab takes scripts out of what it does not trust, and would let the words of <noscript> stand.
    otherwise = still or f"<noscript>{told}</noscript>"
    return f'<div id="{identity}">{otherwise}</div>\n<script type="module">\n{script}\n{start}\n</script>\n'


def describe(header: Mapping[str, Any]) -> str:
    """In a sentence what the points show."""
    low, high = header["accuracy"]["range"]
    return (
        f"{header['cells']:,} cells by {header['costs'][0]['label']} and {header['accuracy']['label']}, "
        f"from {low:.1f} to {high:.1f}."
    )


def pack(
    table: TabularBenchmark,
    path: History | None = None,
    *,
    costs: Mapping[str, ArrayLike] | None = None,
    metric: Metric = "test",
) -> Packed:
    """The points as a header and bytes: 180 kB for the course's table; arguments and errors as of `explore`.

    Each quantity takes few different values, so it is stored as those, float32, and for each cell which one it has.
    """
    named = _costs(table, costs)
    steps = _steps(table, path)
    accuracy = table.final(metric)
    kinds = _functions(table, accuracy)
    data = bytearray()

    def keep(array: NDArray[Any]) -> dict[str, Any]:
        place = {"at": len(data), "length": len(array), "bytes": array.itemsize}
        data.extend(array.astype(array.dtype.newbyteorder("<")).tobytes())
        return place

    def column(label: str, codes: NDArray[Any], values: NDArray[np.float64]) -> dict[str, Any]:
        narrow = np.uint8 if len(values) <= 256 else np.uint16
        return {
            "label": label,
            "range": [float(values.min()), float(values.max())],
            "values": keep(values.astype(np.float32)),
            "codes": keep(codes.astype(narrow)),
        }

    columns = []
    for name, numbers in named.items():
        values, codes = np.unique(numbers.astype(np.float32), return_inverse=True)
        columns.append(column(name, codes.reshape(-1), values.astype(np.float64)))
    firsts, codes = np.unique(kinds, return_index=True)[1], kinds
    header = {
        "cells": len(table),
        "kinds": "functions" if len(firsts) < len(table) else "cells",
        "operations": [_operation(op) for op in table.space.ops],  # type: ignore[attr-defined]
        "edges": [list(edge) for edge in EDGES],
        "accuracy": column(f"{metric} accuracy (%)", codes, accuracy[firsts]),
        "costs": columns,
        "live": keep(_live(table.space.ops)),  # type: ignore[attr-defined]
        "path": steps,
    }
    return Packed(header, bytes(data))


def _costs(table: TabularBenchmark, costs: Mapping[str, ArrayLike] | None) -> dict[str, NDArray[np.float64]]:
    """Every cost by its name with unit, (n,) each, of a table that has been found to be one of cells."""
    if not isinstance(table, TabularBenchmark) or not isinstance(table.space, CellSpace):
        raise TypeError(f"table must be a TabularBenchmark of a CellSpace, got {table!r}")
    known = {
        "multiply-accumulates per image": table.macs,
        "parameters": table.params,
        "training (s)": table.seconds,
    }
    named = {name: np.asarray(given, dtype=float) for name, given in known.items() if given is not None}
    if table.table is not None:  # the course's networks: of others nobody said what they are
        named |= _bounds(table.space.ops)
    for name, given in (costs or {}).items():
        numbers = np.asarray(given, dtype=float)
        if numbers.shape != (len(table),) or not np.isfinite(numbers).all():
            raise ValueError(
                f"costs[{name!r}] must be {len(table)} finite numbers, one per cell, got shape {numbers.shape}"
                + ("" if numbers.shape != (len(table),) else " with NaN or infinity")
            )
        named[name] = numbers
    if not named:
        raise ValueError("costs must hold one or more where the table knows no cost, got none")
    return named


def _steps(table: TabularBenchmark, path: History | None) -> dict[str, list[int]] | None:
    """For each evaluation of a search the cell, and which evaluation was the best so far."""
    if path is None:
        return None
    if not isinstance(path, History):
        raise TypeError(f"path must be a History or None, got {path!r}")
    if not len(path):
        raise ValueError("path must hold one or more evaluations, got none")
    try:
        cells = [table.space.index(arch) for arch in path.archs]
    except (TypeError, ValueError) as error:
        raise ValueError(f"path must be a search of {table.space!r}: {error}") from error
    return {"cells": cells, "leaders": path.leaders().tolist()}


def _functions(table: TabularBenchmark, accuracy: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which cells are one point of the ranking: those of a function, unless the table has trained each for itself."""
    kinds = table.table.function if table.table is not None else functions(table.space)[1]  # type: ignore[arg-type]
    _, firsts, codes = np.unique(kinds, return_index=True, return_inverse=True)
    codes = codes.reshape(-1)
    return codes if np.array_equal(accuracy[firsts][codes], accuracy) else np.arange(len(accuracy))


@functools.cache
def _live(ops: tuple[str, ...]) -> NDArray[np.uint8]:
    """Of each cell the edges that can influence the output: the first edge is the lowest bit."""
    bits = np.array([live_edges(cell) for cell in CellSpace(ops)]) @ (1 << np.arange(len(EDGES)))
    return bits.astype(np.uint8)


@functools.cache
def _bounds(ops: tuple[str, ...]) -> dict[str, NDArray[np.float64]]:
    """The roofline of each device in ms: it depends on how many live edges carry each operation."""
    from nas_lib.devices import DEVICES
    from nas_lib.latency import cell_layers

    cells = list(CellSpace(ops))
    live = (_live(ops)[:, None] >> np.arange(len(EDGES))) & 1
    placed = np.array([[ops.index(op) for op in cell] for cell in cells])
    counts = np.stack([((placed == code) & (live == 1)).sum(1) for code in range(len(ops))], axis=1)
    _, firsts, codes = np.unique(counts, axis=0, return_index=True, return_inverse=True)
    layers = [cell_layers(cells[first]) for first in firsts]
    return {
        f"latency bound, {device.name} (ms)": 1e3
        * np.array([device.network_bound(one) for one in layers])[codes.reshape(-1)]
        for device in DEVICES.values()
    }


def _operation(op: str) -> dict[str, Any]:
    width, line = plotting.EDGES_DRAWN.get(op, (0.0, "-"))
    dashes = [] if line == "-" else [float(part) * width for part in line[1]]
    colors = {"color": plotting.OP_LOOKS[op].color, "dark": _ON_DARK[op]}
    return {"name": op, "label": plotting.OP_NAMES[op], "width": width, "dashes": dashes, **colors}


def _in_a_notebook() -> bool:
    try:
        from IPython.core.getipython import get_ipython
    except ModuleNotFoundError:
        return False
    return getattr(get_ipython(), "kernel", None) is not None
