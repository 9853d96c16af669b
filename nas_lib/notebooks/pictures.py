"""matplotlib's figures in notebooks: sharp, and with a text for those who do not see them.

JupyterLab shows a PNG without its alt text, so a figure goes out as HTML that holds the PNG, beside the plain PNG for
what shows no HTML. The text says what can be read off the figure: titles, axes, and of each curve, bar or image the
numbers that matter most.
"""

from __future__ import annotations

import base64
import html
import io
import re
import struct
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.category import StrCategoryFormatter, StrCategoryLocator
from matplotlib.collections import PathCollection
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter
from numpy.typing import ArrayLike, NDArray

DPI = 144
"""Dots per inch, at least; a page shows as many pixels per inch as the figure itself has dots."""
PANELS, SERIES = 6, 8
"""More panels of a figure, or series of a panel, are counted and not described."""


def register() -> None:
    """Have every figure of this kernel shown that way, a learner's own too; outside of IPython there is nothing to do."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None:
        return

    def forms(figure: Figure) -> tuple[dict[str, str], dict[str, Any]] | None:
        if not figure.axes:  # as IPython has it: nothing, not a blank page
            return None
        shown = bundle(figure)
        # With each change of the backend IPython registers its own PNG, which would be drawn beside ours and win.
        shell.display_formatter.formatters["image/png"].pop(Figure, None)
        return shown

    # This formatter is the one that such a change does not clear.
    shell.display_formatter.mimebundle_formatter.for_type(Figure, forms)


def bundle(figure: Figure, alt: str = "") -> tuple[dict[str, str], dict[str, Any]]:
    """A figure as Jupyter displays it: its forms by MIME type, and their metadata.

    Args:
        figure: drawn with its own face, cut to what it holds.
        alt: says what there is to see, in the place of `describe(figure)`.
    """
    try:
        text = alt or describe(figure)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        text = "A figure."  # of a kind unknown here; it is shown all the same
    buffer = io.BytesIO()
    dpi = max(DPI, figure.dpi)
    figure.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight")
    png = buffer.getvalue()
    data = base64.b64encode(png).decode()
    width, height = (round(side * figure.dpi / dpi) for side in struct.unpack(">II", png[16:24]))
    picture = (
        f'<img alt="{html.escape(text)}" src="data:image/png;base64,{data}" width="{width}" '
        'style="max-width: 100%; height: auto">'
    )
    metadata = {"image/png": {"alt": text, "width": width, "height": height}}
    return {"text/html": picture, "image/png": data, "text/plain": text}, metadata


def describe(figure: Figure) -> str:
    """What can be read off a figure, a sentence or two for each panel.

    What our own drawings say of themselves stands in the label of their `Axes`; "<…>" there leaves a panel out, as
    matplotlib does with its "<colorbar>".
    """
    shown = [ax for ax in figure.axes if ax.get_visible() and not str(ax.get_label()).startswith("<")]
    panels = [ax for ax in shown if ax.axison or ax.has_data() or _named(ax)]
    series = max(2, SERIES // max(1, len(panels)))  # of each panel
    told = [figure.get_suptitle()]
    axes = ""
    for ax in panels[:PANELS]:
        titles = (ax.get_title(place) for place in ("left", "center", "right"))
        before, axes = axes, "" if ax.images or not ax.axison else f"{_axis(ax, 'y')} over {_axis(ax, 'x')}"
        said = [str(ax.get_label())] * _named(ax) + _first(list(_series(ax)), series)
        told += ["\n".join(filter(None, titles)), axes if axes != before else "", "; ".join(said)]
    if len(panels) > PANELS:
        told.append(f"and {len(panels) - PANELS} more panels")
    return " ".join(_sentence(_plain(one)) for one in told if one) or "An empty figure."


def _axis(ax: Axes, name: str) -> str:
    axis = ax.xaxis if name == "x" else ax.yaxis
    label = axis.get_label().get_text() or name
    names = _names(ax, name)
    if names:
        words = ", ".join(_first(list(names.values()), SERIES))
        return words if label == name else f"{label}: {words}"
    low, high = (number(float(end)) for end in sorted(axis.get_view_interval()))
    scale = ", logarithmic" if axis.get_scale() == "log" else ""
    return f"{label} from {low} to {high}{scale}"


def _names(ax: Axes, name: str) -> dict[float, str]:
    """Places of an axis whose ticks have been given words, with these."""
    axis = ax.xaxis if name == "x" else ax.yaxis
    locator, formatter = axis.get_major_locator(), axis.get_major_formatter()
    if not isinstance(locator, (FixedLocator, StrCategoryLocator)):
        return {}
    if not isinstance(formatter, (FixedFormatter, FuncFormatter, StrCategoryFormatter)):
        return {}
    places = [float(at) for at in locator()]
    return {at: word for at, word in zip(places, formatter.format_ticks(places)) if word}


def _series(ax: Axes) -> Iterator[str]:
    """Of images, curves, bars and points what matters most."""
    bars = [one for one in ax.containers if isinstance(one, BarContainer)]
    of_bars = {id(patch) for group in bars for patch in group}
    points = [one for one in ax.collections if isinstance(one, PathCollection)]
    told = [_image(image, ax) for image in ax.images]
    told += [_line(line, ax) for line in ax.lines] + [_bars(group, ax) for group in bars]
    told += [str(patch.get_label()) for patch in ax.patches if id(patch) not in of_bars and _named(patch)]
    told += [f"{one.get_label()}: {np.shape(one.get_offsets())[0]:,} points" for one in points if _named(one)]
    unnamed = sum(np.shape(one.get_offsets())[0] for one in points if not _named(one))
    if unnamed:
        told.append(f"{unnamed:,} points")
    if not any(told) and ax.lines:
        told = [_ends("a curve", ax.lines[0])] if len(ax.lines) == 1 else [f"{len(ax.lines)} curves"]
    yield from filter(None, told)


def _first(told: list[str], most: int) -> list[str]:
    more = len(told) - most
    return [*told[:most], f"and {more} more"] if more > 0 else told


def _named(artist: Any) -> bool:
    label = str(artist.get_label())
    return bool(label) and not label.startswith("_")


def _line(line: Line2D, ax: Axes) -> str:
    """A curve's ends, a level's height, a single point's value; "" where nobody named it, and no tick does."""
    xs, ys = _numbers(line)
    words = _names(ax, "y").get(float(ys[0])) if len(ys) == 1 else None
    if words:  # a row of its own
        return f"{words} {number(xs[0])}"
    if not _named(line) or not len(ys):
        return ""
    name = str(line.get_label())
    if line.get_transform() == ax.get_yaxis_transform():  # of axhline
        return f"{name} at {number(ys[0])}"
    if line.get_transform() == ax.get_xaxis_transform():
        return f"{name} at {number(xs[0])}"
    return _ends(name, line)


def _ends(name: str, line: Line2D) -> str:
    _, ys = _numbers(line)
    if not len(ys):
        return name
    return f"{name} {number(ys[0])}" if len(ys) == 1 else f"{name} from {number(ys[0])} to {number(ys[-1])}"


def _numbers(line: Line2D) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of a line's points those that are drawn."""
    xs, ys = (np.asarray(part, dtype=float) for part in line.get_data(orig=False))
    known = np.isfinite(xs) & np.isfinite(ys)
    return xs[known], ys[known]


def _bars(group: BarContainer, ax: Axes) -> str:
    """Heights, or lengths of bars that lie."""
    upright = group.orientation != "horizontal"
    sizes = [patch.get_height() if upright else patch.get_width() for patch in group]
    middles = [
        patch.get_x() + patch.get_width() / 2 if upright else patch.get_y() + patch.get_height() / 2
        for patch in group
    ]
    if not sizes:
        return ""
    names = _names(ax, "x" if upright else "y")
    words = [
        names.get(min(names, key=lambda at: abs(at - middle)), "") if names else "" for middle in middles
    ]
    name = f"{group.get_label()}: " if _named(group) else ""
    if len(sizes) <= SERIES and all(words):
        return name + ", ".join(f"{word} {number(size)}" for word, size in zip(words, sizes))
    return f"{name}{len(sizes)} bars from {number(min(sizes))} to {number(max(sizes))}"


def _image(image: Any, ax: Axes) -> str:
    """A map by the largest value of each named row, or by its ends; a picture by its size."""
    array = np.ma.asarray(image.get_array())
    high, wide = array.shape[:2]
    label = f"{ax.get_ylabel()}: " if ax.get_ylabel() else ""
    if array.ndim == 3 or array.dtype == np.uint8:
        return f"{label}a picture of {wide} by {high} pixels"
    values = np.ma.filled(array.astype(float), -np.inf)
    rows, columns = _names(ax, "y"), _names(ax, "x")
    tops = {word: values[int(at)] for at, word in rows.items() if at in range(high)} if columns else {}
    if tops:
        best = (f"{word}: {columns.get(row.argmax(), row.argmax())} {number(row.max())}" for word, row in tops.items())
        return label + "most in each row: " + ", ".join(_first(list(best), SERIES))
    return f"{label}a map of {high} by {wide} values from {number(array.min())} to {number(array.max())}"


def number(value: ArrayLike) -> str:
    """A number as one says it: three digits that matter, thousands in full."""
    one = float(np.asarray(value))
    return (f"{one:,.0f}" if 1000 <= abs(one) < 1e9 else f"{one:.3g}").replace("-", "−")


def _sentence(text: str) -> str:
    return text + ("" if text[-1:] in ".!?…" else ".")


def _plain(text: str) -> str:
    """Words of a figure without the signs of a formula, in one line; a break in them is a pause."""
    flat = re.sub(r"\$([^$]*)\$", lambda found: re.sub(r"\\(?:mathrm|text|mathbf)?|[{}]", "", found[1]), text)
    return re.sub(r"\s+", " ", flat.strip().replace("\n", ", "))
