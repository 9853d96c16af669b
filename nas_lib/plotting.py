"""One house style for the course's figures: cells, images, bands over runs, learning curves, scatters.

Every figure names its axes with units and says over how many runs it speaks. Series differ in line style,
marker or hatch as well as in colour, so that they can be told apart in grey. Nothing is computed here that a
lesson would want to use again: numbers come in, an `Axes` or a `Figure` goes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import Any, Literal, NamedTuple, TypeVar

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch
from matplotlib.ticker import LogFormatter, MaxNLocator, NullFormatter, StrMethodFormatter
from matplotlib.transforms import ScaledTranslation
from numpy.typing import ArrayLike, NDArray

from nas_lib.notebooks import pictures
from nas_lib.predictions import Prediction
from nas_lib.spaces import EDGES, OPS, Cell, live_edges

HOUSE: dict[Any, Any] = {
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.8,
    "legend.framealpha": 0.8,
    "legend.edgecolor": "none",
    "hatch.linewidth": 0.6,
}
"""matplotlib settings of every figure made here; your own figures keep yours."""


@contextmanager
def house_style() -> Iterator[None]:
    """Apply `HOUSE` in a `with` block or to a function, and put the settings back afterwards.

    Unlike `matplotlib.rc_context` it leaves all other settings alone: that one would also undo the
    interactive mode that a notebook's backend turns on with the first figure, and no figure would be shown.
    """
    before = {name: rcParams[name] for name in HOUSE}
    rcParams.update(HOUSE)
    try:
        yield
    finally:
        rcParams.update(before)


T = TypeVar("T")


class Look(NamedTuple):
    """How one series is drawn. Colour comes first to the eye, the rest carries the figure without it."""

    color: str
    line: Any
    marker: str
    hatch: str


LOOKS = (
    # Okabe and Ito's palette, dark and light in turn so that neighbours also differ in brightness
    Look("#0072B2", "-", "o", "//"),
    Look("#D55E00", "--", "s", "\\\\"),
    Look("#000000", "-.", "^", ".."),
    Look("#009E73", ":", "D", "xx"),
    Look("#CC79A7", (0, (6, 1, 1, 1)), "v", "++"),
    Look("#E69F00", (0, (1, 1)), "P", "--"),
    Look("#56B4E9", (0, (8, 3)), "X", "oo"),
)
"""The series of a figure in order: colour, line style, marker, hatch."""

OP_NAMES = {
    "none": "none",
    "skip_connect": "skip",
    "nor_conv_1x1": "conv 1×1",
    "nor_conv_3x3": "conv 3×3",
    "avg_pool_3x3": "pool 3×3",
}
"""The operations of a cell as figures name them."""

OP_LOOKS = {
    "none": Look("#8c8c8c", ":", "X", "oo"),
    "skip_connect": Look("#000000", "-.", "^", ".."),
    "nor_conv_1x1": Look("#0072B2", "-", "o", "//"),
    "nor_conv_3x3": Look("#D55E00", "--", "s", "\\\\"),
    "avg_pool_3x3": Look("#007a5a", (0, (6, 1, 1, 1)), "D", "xx"),
}
"""An operation looks the same in every figure; a curve of `lines` that bears its name gets its look."""

_BY_NAME = {alias: OP_LOOKS[op] for op, name in OP_NAMES.items() for alias in (op, name)}
EDGES_DRAWN: dict[str, tuple[float, Any]] = {
    "skip_connect": (1.2, "-"),
    "nor_conv_1x1": (2.0, "-"),
    "nor_conv_3x3": (3.6, "-"),
    "avg_pool_3x3": (2.0, (0, (4, 1.5))),
}
"""In a drawing of a cell width and dash tell operations apart in grey, and each edge carries its name."""
_BENDS = {(0, 2): -0.62, (0, 3): -0.72, (1, 3): 0.62}  # the other three edges are straight
_POINTS = "percentage points"


def figure(
    rows: int = 1, columns: int = 1, *, width: float = 4.6, height: float = 3.2, **subplots: Any
) -> tuple[Figure, NDArray[Any]]:
    """An empty figure in the house style.

    Args:
        rows, columns: how many panels.
        width, height: of one panel, in inches.
        subplots: passed on to `matplotlib.pyplot.subplots`, for example `sharey=True`.

    Returns:
        The figure and its panels, always an array of shape (rows, columns).
    """
    size = (width * columns, height * rows)
    with house_style():
        return plt.subplots(rows, columns, figsize=size, squeeze=False, **subplots)


def _axes(ax: Axes | None, width: float, height: float) -> Axes:
    return figure(width=width, height=height)[1][0, 0] if ax is None else ax


def legend(ax: Axes) -> None:
    """The legend of a panel, below its axis, where it covers no data; call it once all curves have their names."""
    handles, names = ax.get_legend_handles_labels()
    if not handles:
        return
    with house_style():
        room = ax.get_figure().get_size_inches()[0] * ax.get_position().width  # type: ignore[union-attr]
        needed = np.array([0.55 + 0.065 * len(name) for name in names])  # inches, at this size of letters
        columns = next(n for n in range(len(names), 0, -1) if n == 1 or _widths(needed, n).sum() <= room)
        below = ScaledTranslation(0, -0.48, ax.get_figure().dpi_scale_trans)  # type: ignore[union-attr]
        place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (0, 0)}
        place |= {"bbox_transform": ax.transAxes + below, "ncols": columns}
        ax.legend(**place, fontsize=8, frameon=False, borderaxespad=0, columnspacing=1.2)


def _widths(needed: NDArray[np.float64], columns: int) -> NDArray[np.float64]:
    """Of a legend's columns, which are filled one after the other."""
    return np.array([part.max() for part in np.array_split(needed, columns)])


def half_points(ax: Axes) -> None:
    """A regret axis that is linear up to half a point, where searches differ, and logarithmic above."""
    ax.set_yscale("symlog", linthresh=0.5)
    ax.set_ylim(bottom=0)
    ticks = (0, 0.25, 0.5, 1, 2, 5, 10, 50)
    ax.set_yticks([one for one in ticks if one <= ax.get_ylim()[1]])
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def guess(ax: Axes, prediction: Prediction, axis: Literal["x", "y"] = "y") -> None:
    """A learner's guess as a line across the panel at its place on an axis; nothing where there is no number."""
    if prediction.value is not None:
        look: dict[str, Any] = {"color": "#CC79A7", "linestyle": (0, (3, 1, 1, 1)), "linewidth": 1.8}
        draw = ax.axhline if axis == "y" else ax.axvline
        draw(prediction.value, **look, label="your guess")
        legend(ax)


def _levels(ax: Axes, levels: Mapping[str, float] | None) -> None:
    for name, height in (levels or {}).items():
        ax.axhline(height, color="black", linestyle="--", linewidth=1.1, label=name)


# ------------------------------------------------------------------------------------------------ pictures


@house_style()
def draw_cell(arch: Sequence[str], ax: Axes | None = None, *, title: str | None = None) -> Axes:
    """A cell as a graph: node 0 is the input, node 3 the output, each edge carries its operation.

    `none` is not drawn. Operations that cannot influence the output are drawn in light grey.

    Args:
        arch: six op names.
        title: a line above the drawing; a line break in it is kept.
    """
    cell = Cell(arch)
    ax = _axes(ax, width=4.2, height=2.2)
    for edge, op, alive in zip(EDGES, cell, live_edges(cell), strict=True):
        if op != "none":
            _draw_edge(ax, edge, op, alive)
    for node, name in enumerate(("in", "1", "2", "out")):
        ax.add_patch(Circle((node, 0), 0.17, facecolor="white", edgecolor="black", linewidth=1.2, zorder=4))
        ax.text(node, 0, name, ha="center", va="center", fontsize=9, zorder=5)
    ax.set(xlim=(-0.25, 3.25), ylim=(-0.85, 1.3), aspect="equal")
    ax.set_axis_off()
    drawn = [f"{edge[0]}→{edge[1]} {OP_NAMES[op]}" for edge, op in zip(EDGES, cell) if op != "none"]
    ax.set_label("a cell: " + (", ".join(drawn) or "no operations"))  # for its alt text
    if title:
        ax.set_title(title, loc="center", fontsize=9.5)
    return ax


def _draw_edge(ax: Axes, edge: tuple[int, int], op: str, alive: bool) -> None:
    source, target = edge
    name, (width, line) = OP_NAMES[op], EDGES_DRAWN[op]
    bend = _BENDS.get(edge, 0.0)
    color = OP_LOOKS[op].color if alive else "#bdbdbd"
    ax.add_patch(
        FancyArrowPatch(
            (source, 0),
            (target, 0),
            connectionstyle=f"arc3,rad={bend}",
            arrowstyle="-|>",
            mutation_scale=9,
            shrinkA=9,
            shrinkB=10,
            color=color,
            linewidth=width if alive else 1.0,
            linestyle=line,
            zorder=2,
        )
    )
    # the middle of matplotlib's arc: half as far from the chord as its control point
    top = -bend * (target - source) / 2
    ax.text(
        (source + target) / 2,
        top + (0.14 if bend == 0 else 0),
        name,
        ha="center",
        va="center",
        fontsize=7.5,
        color=color if alive else "#8a8a8a",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8} if bend else None,
        zorder=3,
    )


@house_style()
def draw_cells(
    archs: Sequence[Sequence[str]], titles: Sequence[str] | None = None, *, columns: int = 3
) -> Figure:
    """Several cells side by side, `columns` in a row."""
    _some("archs", archs, "cell")
    if titles is not None and len(titles) != len(archs):
        raise ValueError(f"titles must be one for each of {len(archs)} cells, got {len(titles)}")
    columns = min(columns, len(archs))
    rows = -(-len(archs) // columns)
    made, axes = figure(rows, columns, width=3.3, height=2.2)
    for number, ax in enumerate(axes.flat):
        if number < len(archs):
            draw_cell(archs[number], ax, title=titles[number] if titles else None)
        else:
            ax.set_axis_off()
    return made


@house_style()
def image_grid(rows: Mapping[str, ArrayLike], column_titles: Sequence[str] | None = None) -> Figure:
    """Small grey images in a grid.

    Args:
        rows: row label → uint8 images of shape (columns, 1, side, side) or (columns, side, side), 0 is black.
            The rows may differ in side.
        column_titles: one per column.
    """
    _some("rows", rows, "row of images")
    stacks = {label: np.asarray(images) for label, images in rows.items()}
    columns = max(len(images) for images in stacks.values())
    made, axes = figure(len(stacks), columns, width=1.15, height=1.15)
    for row, (label, images) in enumerate(stacks.items()):
        for column in range(columns):
            ax = axes[row, column]
            ax.set(xticks=[], yticks=[])
            for side in ("top", "right"):
                ax.spines[side].set_visible(True)
            if column < len(images):
                picture = images[column].reshape(images.shape[-2:])
                ax.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            if row == 0 and column_titles is not None:
                ax.set_title(column_titles[column], loc="center", fontsize=9)
        axes[row, 0].set_ylabel(label, fontsize=9)
    for ax in axes.flat:
        ax.set_label("<told>")  # for the alt text: once of all
    named = f", columns: {', '.join(column_titles)}" if column_titles is not None else ""
    axes[0, 0].set_label(f"{columns} small pictures in each row; rows: {', '.join(stacks)}{named}")
    return made


# -------------------------------------------------------------------------------------------------- curves


@house_style()
def regret_bands(
    curves: Mapping[str, ArrayLike],
    ax: Axes | None = None,
    *,
    x: ArrayLike | None = None,
    unit: str = "evaluations",
    ylabel: str = f"simple regret ({_POINTS})",
    percentiles: tuple[float, float, float] = (10, 50, 90),
    log_x: bool = True,
    levels: Mapping[str, float] | None = None,
    top: float | None = None,
    title: str = "",
) -> Axes:
    """Regret of one or several methods over the budget: a line for the median run and a band around it.

    Args:
        curves: name → array (runs, n), one curve per run.
        x: the n places of the curves on the budget axis; by default 1 … n.
        unit: of the budget.
        percentiles: lower edge of the band, line, upper edge.
        levels: dashed lines by name: what takes no search.
        top: regret at which the axis is cut, so that half a point can be read; without it the axis shows all.
        title: a line above the one that says what band and line are and over how many runs.
    """
    arrays = _runs(curves)
    for name, runs in arrays.items():
        if not np.isfinite(runs).all():
            raise ValueError(f"curves must be finite numbers, got {runs[~np.isfinite(runs)][0]} in {name!r}")
    if len(percentiles) != 3:
        raise ValueError(
            f"percentiles must be the band's lower edge, line and upper edge, got {percentiles!r}"
        )
    spots = _places(x, arrays)
    ax = _axes(ax, width=6.2, height=3.6)
    for look, (name, runs) in _looks(arrays.items()):
        places = np.arange(1, runs.shape[1] + 1) if spots is None else spots
        low, middle, high = np.percentile(runs, percentiles, axis=0)
        ax.fill_between(places, low, high, color=look.color, alpha=0.16, linewidth=0)
        for edge in (low, high):
            ax.plot(places, edge, color=look.color, linestyle=look.line, linewidth=0.6, alpha=0.7)
        marks: dict[str, Any] = {"marker": look.marker, "markevery": _marks(places, log_x), "markersize": 4.5}
        ax.plot(places, middle, color=look.color, linestyle=look.line, label=name, **marks)
    if log_x:
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        if spots is not None and len(spots) <= 10:  # few budgets, often within one decade: name them all
            ax.set_xticks(spots)
            ax.xaxis.set_minor_formatter(NullFormatter())
        else:  # within one decade matplotlib names minor ticks: 20, not 2 x 10^1
            ax.xaxis.set_minor_formatter(LogFormatter())
    ax.set(xlabel=f"budget ({unit})", ylabel=ylabel)
    line = "median" if percentiles[1] == 50 else f"{percentiles[1]:g}th percentile"
    caption = f"{_count(arrays)}: {line}, band {percentiles[0]:g}th–{percentiles[2]:g}th percentile"
    ax.set_title(f"{title}\n{caption}" if title else caption)
    _levels(ax, levels)
    ax.set_ylim(bottom=0, top=top)
    legend(ax)
    return ax


def _marks(places: NDArray[Any], log_x: bool) -> list[int]:
    """About eight positions that look evenly spread on the axis."""
    if len(places) < 3 or places[0] <= 0 or not log_x:
        return list(range(0, len(places), max(1, len(places) // 8)))
    nearest = np.searchsorted(places, np.geomspace(places[0], places[-1], 8)).clip(0, len(places) - 1)
    return sorted(set(nearest.tolist()))


@house_style()
def learning_curves(
    curves: Mapping[str, ArrayLike],
    ax: Axes | None = None,
    *,
    ylabel: str = "validation accuracy (%)",
    title: str = "",
) -> Axes:
    """Accuracy after each epoch: the mean over the runs of each name, and the range of the runs as a band.

    Args:
        curves: name → array (runs, epochs), or (epochs,) for a single run.
        title: a line above the one that gives the number of runs.
    """
    arrays = _runs(curves)
    ax = _axes(ax, width=5.4, height=3.4)
    for look, (name, runs) in _looks(arrays.items()):
        epochs = np.arange(1, runs.shape[1] + 1)
        if len(runs) > 1:
            ax.fill_between(epochs, runs.min(0), runs.max(0), color=look.color, alpha=0.18, linewidth=0)
        style: dict[str, Any] = {
            "color": look.color,
            "linestyle": look.line,
            "marker": look.marker,
            "markersize": 4,
        }
        ax.plot(epochs, runs.mean(0), label=name, **style)
    ax.set(xlabel="epoch", ylabel=ylabel)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    caption = _count(arrays)
    if any(len(runs) > 1 for runs in arrays.values()):
        caption += ": mean, band from worst to best"
    ax.set_title(f"{title}\n{caption}" if title else caption)
    legend(ax)
    return ax


@house_style()
def lines(
    series: Mapping[str, ArrayLike],
    ax: Axes | None = None,
    *,
    x: ArrayLike | None = None,
    xlabel: str,
    ylabel: str,
    levels: Mapping[str, float] | None = None,
    title: str = "",
) -> Axes:
    """Several curves over one axis, told apart by line style and marker as well as by colour.

    Args:
        series: name → array (n,), or (runs, n), whose runs are drawn as thinner lines of one look.
        x: the n places; by default 0 … n − 1.
        levels: horizontal reference lines by name, dashed.
    """
    arrays = _runs(series, "series")
    spots = _places(x, arrays)
    ax = _axes(ax, width=6.2, height=3.2)
    for look, (name, runs) in _looks(arrays.items()):
        places = np.arange(runs.shape[1]) if spots is None else spots
        marks = max(1, runs.shape[1] // 6)
        for number, values in enumerate(runs):
            style: dict[str, Any] = {"color": look.color, "linestyle": look.line, "marker": look.marker}
            style |= {"markersize": 4, "linewidth": 1.8 if len(runs) == 1 else 1.0}
            # The markers of several runs are shifted, so that they do not cover each other.
            every = (number * marks // len(runs), marks)
            ax.plot(places, values, markevery=every, label=name if number == 0 else None, **style)
    _levels(ax, levels)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if title:
        ax.set_title(title)
    legend(ax)
    return ax


def _runs(curves: Mapping[str, ArrayLike], argument: str = "curves") -> dict[str, NDArray[np.float64]]:
    """Arrays (runs, n) by name; found out before a figure is made, which would be left behind empty."""
    accepted = f"{argument} must map names to arrays of shape (runs, n) with n ≥ 1"
    if not isinstance(curves, Mapping):
        raise ValueError(f"{accepted}, got {curves!r}")
    arrays = {name: np.atleast_2d(_values(f"{argument}[{name!r}]", runs)) for name, runs in curves.items()}
    if not arrays or any(runs.ndim != 2 or runs.size == 0 for runs in arrays.values()):
        shapes = {name: runs.shape for name, runs in arrays.items()}
        raise ValueError(f"{accepted}, got {shapes}")
    return arrays


def _values(argument: str, values: ArrayLike) -> NDArray[np.float64]:
    """Any array of numbers; ValueError where there are others, or rows of different lengths."""
    given: Any = values
    try:
        # torch's numbers may carry gradients
        return np.asarray(given.detach().cpu() if hasattr(given, "detach") else given, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{argument} must be an array of numbers, got {given!r} ({error})") from None


def _places(x: ArrayLike | None, arrays: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64] | None:
    """The places of curves that are equally long, or None for the default."""
    if x is None:
        return None
    places = np.asarray(x)
    for name, runs in arrays.items():
        if places.shape != runs.shape[1:]:
            raise ValueError(f"x must have the {runs.shape[1]} places of {name!r}, got shape {places.shape}")
    return places


def _some(argument: str, things: Any, what: str) -> None:
    """ValueError where there is nothing to draw."""
    if not len(things):
        raise ValueError(f"{argument} must hold at least one {what}, got none")


def _count(arrays: Mapping[str, NDArray[np.float64]]) -> str:
    counts = {name: f"{len(runs):,} run" + ("s" if len(runs) > 1 else "") for name, runs in arrays.items()}
    if len(set(counts.values())) == 1:
        return next(iter(counts.values())) + (" each" if len(counts) > 1 else "")
    return ", ".join(f"{name}: {count}" for name, count in counts.items())


# ------------------------------------------------------------------------------------------ distributions


@house_style()
def histogram(
    samples: Mapping[str, ArrayLike],
    ax: Axes | None = None,
    *,
    xlabel: str,
    ylabel: str = "number of cells",
    bins: int | ArrayLike = 40,
    title: str = "",
) -> Axes:
    """Distributions over a common axis, hatched where there are several."""
    _some("samples", samples, "distribution")
    arrays = {name: np.ravel(_values(f"samples[{name!r}]", values)) for name, values in samples.items()}
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise ValueError(
                f"samples must be finite numbers, got {values[~np.isfinite(values)][0]} in {name!r}"
            )
    ax = _axes(ax, width=5.4, height=3.2)
    edges = np.histogram_bin_edges(np.concatenate(list(arrays.values())), bins).tolist()
    several = len(arrays) > 1
    for look, (name, values) in _looks(arrays.items()):
        label = f"{name} (n = {len(values):,})" if name else f"n = {len(values):,}"
        ax.hist(
            values,
            edges,
            histtype="stepfilled",
            facecolor=(look.color, 0.25 if several else 0.5),
            edgecolor=look.color,
            linewidth=1.2,
            linestyle=look.line,
            hatch=look.hatch if several else None,
            label=label,
        )
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if title:
        ax.set_title(title)
    legend(ax)
    return ax


def _looks(series: Iterable[T]) -> Iterator[tuple[Look, T]]:
    """Each of the series with its look; after the last look it starts again with the first.

    A series that is named after an operation, whatever stands in brackets behind, has that operation's look.
    """
    for look, one in zip(cycle(LOOKS), series, strict=False):
        name = one[0] if isinstance(one, tuple) else one
        yield (_BY_NAME.get(name.partition(" (")[0], look) if isinstance(name, str) else look), one


BOXED = 20
"""From so many values on `boxes` draws a box: quartiles of fewer are little more than single values."""


@house_style()
def boxes(
    groups: Mapping[str, ArrayLike],
    ax: Axes | None = None,
    *,
    xlabel: str,
    ylabel: str,
    point: str = "run",
    title: str = "",
) -> Axes:
    """Every value of every group as a point, its median as a bar, and its size above; from `BOXED` values on a box.

    Args:
        groups: name → values; an empty group keeps its place.
        point: what one value is, for the caption.
    """
    ax = _axes(ax, width=5.4, height=3.4)
    arrays = {name: np.ravel(np.asarray(values, dtype=float)) for name, values in groups.items()}
    filled = {place: values for place, values in enumerate(arrays.values()) if values.size}
    look = LOOKS[0]
    for place, values in filled.items():
        many = len(values) > 200
        size, alpha = (3, 0.15) if many else (24, 0.7)
        across = place + 0.5 * _strewn(len(values))
        ax.scatter(across, values, s=size, color=look.color, alpha=alpha, linewidths=0, rasterized=many)
        ax.hlines(np.median(values), place - 0.3, place + 0.3, color="black", linewidth=2, zorder=3)
        label, top = f"{len(values):,}", float(values.max())
        ax.annotate(label, (place, top), (0, 4), textcoords="offset points", ha="center", fontsize=7.5)
    boxed = {place: values for place, values in filled.items() if len(values) >= BOXED}
    if boxed:
        ax.boxplot(
            list(boxed.values()),
            positions=list(boxed),
            whis=(5, 95),
            widths=0.6,
            showfliers=False,
            boxprops={"color": look.color},
            medianprops={"alpha": 0},  # drawn already
        )
    ax.set_xticks(range(len(arrays)), list(arrays))
    names = list(arrays)
    medians = [f"{names[place]} {pictures.number(np.median(values))}" for place, values in filled.items()]
    ax.set_label("medians: " + ", ".join(medians))  # for the alt text
    ax.margins(y=0.12)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    caption = f"point: one {point}, bar: median, above: n"
    if boxed:
        caption += "\nbox: middle half, whiskers: 5th–95th percentile"
    if boxed and len(boxed) < len(filled):
        caption += f" (n ≥ {BOXED})"
    ax.set_title(f"{title}\n{caption}" if title else caption)
    return ax


def _strewn(n: int) -> NDArray[np.float64]:
    """n places around 0, less than 1/2 from it, neighbours far apart: points beside each other can be told apart."""
    places = np.arange(n) * 0.618034 % 1  # multiples of the golden ratio fill an interval evenly
    return places - places.mean()


@house_style()
def intervals(
    rows: Mapping[str, tuple[float, tuple[float, float]]],
    ax: Axes | None = None,
    *,
    xlabel: str,
    title: str = "",
) -> Axes:
    """Means with their intervals, one line each, against zero: name → (mean, (low, high))."""
    _some("rows", rows, "interval")
    ax = _axes(ax, width=6.2, height=0.9 + 0.42 * len(rows))
    for place, (look, (mean, (low, high))) in enumerate(_looks(rows.values())):
        ax.plot([low, high], [place, place], color=look.color, linewidth=2.4, solid_capstyle="butt")
        ax.plot([mean], [place], color=look.color, marker=look.marker, markersize=7)
    ax.axvline(0, color="black", linewidth=1, linestyle=":")
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set_ylim(len(rows) - 0.5, -0.5)
    told = (f"interval {pictures.number(low)} to {pictures.number(high)}" for _, (low, high) in rows.values())
    ax.set_label(
        ", ".join(f"{name}: {one}" for name, one in zip(rows, told))
    )  # for the alt text, beside the means
    ax.set_xlabel(xlabel)
    if title:
        ax.set_title(title)
    return ax


@house_style()
def dots(
    panels: Mapping[str, Mapping[str, float]], *, xlabel: str, baseline: str | None = None, title: str = ""
) -> Figure:
    """One number per row, as a dot with the number written beside it, in one or several panels with the same rows.

    Args:
        panels: panel title → row name → value; all panels have the rows of the first.
        baseline: a row through whose value a dashed line is drawn, to be beaten or not.
    """
    _some("panels", panels, "panel")
    rows = list(next(iter(panels.values())))
    _some("panels", rows, "row")
    for name, panel in panels.items():
        if not set(rows) <= set(panel):
            raise ValueError(
                f"panels must all have the rows {', '.join(rows)}, got {', '.join(panel)} in {name!r}"
            )
    if baseline is not None and baseline not in rows:
        raise ValueError(f"baseline must be one of the rows {', '.join(rows)}, got {baseline!r}")
    made, axes = figure(1, len(panels), width=4.4, height=1.0 + 0.34 * len(rows), sharey=True)
    values = [value for panel in panels.values() for value in panel.values()]
    low, high = min(0.0, *values), max(0.0, *values)
    for ax, (name, panel) in zip(axes[0], panels.items()):
        for place, (look, row) in enumerate(_looks(rows)):
            ax.plot([0, panel[row]], [place, place], color=look.color, linewidth=1.2)
            ax.plot([panel[row]], [place], color=look.color, marker=look.marker, markersize=8)
            side = 9 if panel[row] >= 0 else -9
            ax.annotate(
                f"{panel[row]:.2f}",
                (panel[row], place),
                (side, 0),
                textcoords="offset points",
                ha="left" if side > 0 else "right",
                va="center",
                fontsize=8,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
            )
        if baseline is not None:
            ax.axvline(panel[baseline], color="black", linewidth=1, linestyle="--", zorder=1)
        ax.axvline(0, color="black", linewidth=0.8)
        room = 0.18 * (high - low) or 1.0  # for the numbers
        ax.set(
            xlabel=xlabel, xlim=(low - (room if low < 0 else 0), high + room), ylim=(len(rows) - 0.5, -0.5)
        )
        ax.set_yticks(range(len(rows)), rows)
        ax.set_title(name)
    if title:
        made.suptitle(title, fontsize=10.5, x=0.01, ha="left")
    return made


@house_style()
def choice_maps(
    maps: Mapping[str, ArrayLike],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str = "",
    across: int = 3,
) -> Figure:
    """How often a policy takes each option of each decision, at several moments: darker is more often.

    Args:
        maps: title → array (decisions, options) of shares, 0 … 1; the percentage is written into each field.
        rows, columns: names of decisions and options.
        across: maps in a row.
    """
    _some("maps", maps, "map")
    for name, shares in maps.items():
        if np.shape(shares) != (len(rows), len(columns)):
            raise ValueError(
                f"maps must have shape ({len(rows)}, {len(columns)}) for these rows and columns, "
                f"got {np.shape(shares)} for {name!r}"
            )
    across = min(across, len(maps))
    made, axes = figure(-(-len(maps) // across), across, width=3.2, height=2.5)
    for ax in axes.flat[len(maps) :]:
        ax.set_axis_off()
    for ax, (name, shares) in zip(axes.flat, maps.items()):
        values = np.asarray(shares, dtype=float)
        ax.imshow(values, cmap="Greys", vmin=0, vmax=1, aspect="auto")
        ax.grid(False)
        ax.set_xticks(range(len(columns)), columns, fontsize=7, rotation=20)
        ax.set_yticks(range(len(rows)), rows, fontsize=8)
        ax.set_title(name, fontsize=9.5)
        for (row, column), share in np.ndenumerate(values):
            ink = "white" if share > 0.5 else "black"
            ax.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7.5, color=ink)
    if title:
        made.suptitle(title, fontsize=10.5, x=0.01, ha="left")
    return made


@house_style()
def op_paths(
    panels: Mapping[str, ArrayLike], *, xlabel: str, ylabel: str, across: int = 3, title: str = ""
) -> Figure:
    """One curve per operation in each panel: how a search's preference for each changes.

    Args:
        panels: title → array (operations in the order of `OPS`, n).
        across: panels in a row.
    """
    _some("panels", panels, "panel")
    for name, paths in panels.items():
        if len(np.shape(paths)) != 2 or len(paths) != len(OPS):  # type: ignore[arg-type]
            raise ValueError(f"panels must have shape ({len(OPS)}, n), got {np.shape(paths)} for {name!r}")
    across = min(across, len(panels))
    made, axes = figure(-(-len(panels) // across), across, width=3.2, height=2.5, sharex=True, sharey=True)
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    for ax, (name, paths) in zip(axes.flat, panels.items()):
        for op, values in zip(OPS, np.asarray(paths, dtype=float), strict=True):
            color, line, marker, _ = OP_LOOKS[op]
            style: dict[str, Any] = {"color": color, "linestyle": line, "marker": marker, "ms": 4}
            ax.plot(values, **style, markevery=max(1, len(values) // 4), label=OP_NAMES[op])
        ax.set_title(name, fontsize=9.5)
    for ax in axes[-1]:
        ax.set_xlabel(xlabel)
    for ax in axes[:, 0]:
        ax.set_ylabel(ylabel)
    made.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(OPS), fontsize=8
    )
    if title:
        made.suptitle(title, fontsize=10.5, x=0.01, ha="left")
    return made


# ------------------------------------------------------------------------------------------------ scatters


@house_style()
def scatter(
    x: ArrayLike,
    y: ArrayLike,
    ax: Axes | None = None,
    *,
    xlabel: str,
    ylabel: str,
    diagonal: bool = False,
    title: str = "",
) -> Axes:
    """One point per architecture. With `diagonal` the line on which both coordinates agree is drawn.

    Pairs that are not both finite numbers are left out, and the title says of how many.
    """
    xs, ys = np.ravel(_values("x", x)), np.ravel(_values("y", y))
    if xs.shape != ys.shape:
        raise ValueError(f"x and y must be equally many numbers, got {len(xs)} and {len(ys)}")
    drawn = np.isfinite(xs) & np.isfinite(ys)
    if diagonal and not drawn.any():
        raise ValueError("x and y must hold a pair of finite numbers for a diagonal, got none")
    count = f"n = {drawn.sum():,}" + ("" if drawn.all() else f" of {len(xs):,}")
    xs, ys = xs[drawn], ys[drawn]
    ax = _axes(ax, width=4.4, height=4.0)
    many = len(xs) > 500
    size, alpha = (5, 0.25) if many else (22, 0.8)
    ax.scatter(xs, ys, s=size, color=LOOKS[0].color, alpha=alpha, linewidths=0, rasterized=many)
    if diagonal:
        both = [min(xs.min(), ys.min()), max(xs.max(), ys.max())]
        ax.plot(both, both, color="black", linewidth=1, linestyle="--", label="equal")
        legend(ax)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.set_title(f"{title} ({count})" if title else count)
    return ax


@house_style()
def pareto(
    cost: ArrayLike,
    value: ArrayLike,
    ax: Axes | None = None,
    *,
    xlabel: str,
    ylabel: str = "accuracy (%)",
    title: str = "",
) -> Axes:
    """Points of cost and value, and the staircase of those that nothing cheaper matches in value.

    What is not a finite number is no point, and not on the front.
    """
    xs, ys = np.ravel(_values("cost", cost)), np.ravel(_values("value", value))
    if xs.shape != ys.shape:
        raise ValueError(f"cost and value must be equally many numbers, got {len(xs)} and {len(ys)}")
    points = np.isfinite(xs) & np.isfinite(ys)
    if not points.any():
        raise ValueError(f"cost and value must hold a pair of finite numbers, got none among {len(xs)}")
    ax = scatter(xs, ys, ax, xlabel=xlabel, ylabel=ylabel, title=title)
    xs, ys = xs[points], ys[points]
    order = np.lexsort((-ys, xs))  # by cost, the better first among equals
    best = np.maximum.accumulate(ys[order])
    front = order[np.concatenate([[True], best[1:] > best[:-1]])]
    look = LOOKS[1]
    label = f"Pareto front ({len(front)})"
    ax.step(xs[front], ys[front], where="post", color=look.color, marker=look.marker, ms=4, label=label)
    legend(ax)
    return ax


pictures.register()
