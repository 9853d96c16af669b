"""The house style of the figures: what they say in words, and that they can be read without colour."""

# ruff: noqa: E501 - a figure and its text in one line

from __future__ import annotations

import base64
import html
import itertools
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from nas_lib import plotting
from nas_lib.notebooks import pictures
from nas_lib.spaces import EDGES, OPS, CellSpace, live_edges

SPACE = CellSpace()
CURVES = {
    "steady": np.linspace(9, 0, 30) + np.arange(5)[:, None],
    "quick": np.linspace(6, 0, 30) + np.arange(5)[:, None],
}


@pytest.fixture(autouse=True)
def _no_window(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import matplotlib.pyplot as plt

    plt.switch_backend("Agg")
    before = dict(mpl.rcParams)
    yield
    assert dict(mpl.rcParams) == before, "a figure changed the learner's own matplotlib settings"
    plt.close("all")


def _texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def _title(ax: Axes) -> str:
    return ax.get_title("left") + ax.get_title("center")


# --- looks ---


def test_no_two_looks_share_a_line_style_a_marker_or_a_hatch() -> None:
    for part in ("color", "line", "marker", "hatch"):
        values = [getattr(look, part) for look in plotting.LOOKS]
        assert len(set(values)) == len(values), part


def test_the_colours_stay_apart_for_colour_blind_eyes() -> None:
    # Viénot, Brettel and Mollon (1999): linear RGB as a protanope and a deuteranope see it.
    protan = np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]])
    deutan = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])
    linear = {look.color: np.array(to_rgb(look.color)) ** 2.2 for look in plotting.LOOKS[:4]}
    for matrix in (protan, deutan):
        seen = {color: (matrix @ value).clip(0, 1) ** (1 / 2.2) for color, value in linear.items()}
        for a, b in itertools.combinations(seen, 2):
            assert np.abs(seen[a] - seen[b]).max() > 0.15, (a, b)


# --- cells ---


@pytest.mark.parametrize("index", [0, 1, 1234, 2794, 11668, 15624])
def test_a_drawing_has_one_arrow_and_one_label_per_operation(index: int) -> None:
    cell = SPACE.from_index(index)
    ax = plotting.draw_cell(cell)
    arrows = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == sum(op != "none" for op in cell)
    words = {
        "skip_connect": "skip",
        "nor_conv_1x1": "conv 1×1",
        "nor_conv_3x3": "conv 3×3",
        "avg_pool_3x3": "pool 3×3",
    }
    labels = [text for text in _texts(ax) if text in words.values()]
    assert sorted(labels) == sorted(words[op] for op in cell if op != "none")
    assert {"in", "1", "2", "out"} <= set(_texts(ax))


def test_arrows_run_between_the_nodes_of_their_edges() -> None:
    ax = plotting.draw_cell(("nor_conv_3x3",) * 6)
    arrows = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    ends = [tuple(int(point[0]) for point in arrow._posA_posB) for arrow in arrows]  # type: ignore[attr-defined]
    assert ends == list(EDGES)


def test_dead_operations_are_grey_and_thin() -> None:
    cell = ("none", "avg_pool_3x3", "nor_conv_1x1", "skip_connect", "nor_conv_3x3", "avg_pool_3x3")
    drawn = [alive for alive, op in zip(live_edges(cell), cell) if op != "none"]
    ax = plotting.draw_cell(cell)
    arrows = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    grey = [len(set(arrow.get_edgecolor()[:3])) == 1 and arrow.get_edgecolor()[0] > 0.5 for arrow in arrows]
    assert [not is_grey for is_grey in grey] == drawn == [True, False, True, False, True]


def test_operations_differ_in_width_or_dash_as_well_as_in_colour() -> None:
    assert len(set(plotting.EDGES_DRAWN.values())) == len(plotting.EDGES_DRAWN)
    for part in ("color", "line", "marker", "hatch"):
        values = [getattr(look, part) for look in plotting.OP_LOOKS.values()]
        assert len(set(values)) == len(values), part


@pytest.mark.parametrize("op", OPS[1:])
def test_an_operation_has_one_colour_in_cells_paths_and_curves(op: str) -> None:
    drawn = plotting.draw_cell(("none", "none", "none", op, "none", "none")).patches
    (arrow,) = [patch for patch in drawn if isinstance(patch, FancyArrowPatch)]
    assert arrow.get_edgecolor()[:3] == to_rgb(plotting.OP_LOOKS[op].color)
    paths = plotting.op_paths({"edge": np.eye(5)}, xlabel="epoch", ylabel="share").axes[0]
    path = next(line for line in paths.lines if line.get_label() == plotting.OP_NAMES[op])
    curves = plotting.lines(
        {"other": np.arange(3), f"{plotting.OP_NAMES[op]} (85 %)": np.ones(3)}, xlabel="x", ylabel="y"
    ).lines
    assert path.get_color() == curves[1].get_color() == plotting.OP_LOOKS[op].color
    assert np.array_equal(path.get_ydata(), np.eye(5)[OPS.index(op)])


def test_unknown_operations_are_refused() -> None:
    with pytest.raises(ValueError, match="conv_9x9"):
        plotting.draw_cell(("conv_9x9",) * 6)


def test_several_cells_fill_a_grid_and_leave_no_empty_frame() -> None:
    made = plotting.draw_cells([SPACE.from_index(i) for i in (1, 2, 3, 4)], ["a", "b", "c", "d"], columns=3)
    assert [_title(ax) for ax in made.axes] == ["a", "b", "c", "d", "", ""]
    assert not any(ax.axison for ax in made.axes)
    with pytest.raises(ValueError, match="archs"):
        plotting.draw_cells([])


# --- curves ---


def test_bands_show_the_percentiles_that_the_title_names() -> None:
    ax = plotting.regret_bands({"only": CURVES["steady"]}, percentiles=(0, 50, 100))
    low, high, middle = (line.get_ydata() for line in ax.lines)
    np.testing.assert_allclose(low, CURVES["steady"][0])
    np.testing.assert_allclose(middle, CURVES["steady"][2])
    np.testing.assert_allclose(high, CURVES["steady"][4])
    assert "5 runs: median, band 0th–100th percentile" in _title(ax)


def test_bands_name_axes_units_runs_and_methods() -> None:
    ax = plotting.regret_bands(
        CURVES, unit="simulated hours", x=np.linspace(0.5, 15, 30), title="Two methods"
    )
    assert ax.get_xlabel() == "budget (simulated hours)"
    assert ax.get_ylabel() == "simple regret (percentage points)"
    assert _title(ax).splitlines() == ["Two methods", "5 runs each: median, band 10th–90th percentile"]
    legend = ax.get_legend()
    assert legend is not None and [text.get_text() for text in legend.get_texts()] == list(CURVES)
    assert ax.lines[0].get_xdata()[-1] == 15


def test_regret_begins_at_zero_is_cut_where_asked_and_shows_what_takes_no_search() -> None:
    ax = plotting.regret_bands(CURVES, levels={"no search": 0.57}, top=2.5)
    assert ax.get_ylim() == (0, 2.5)
    (level,) = [line for line in ax.lines if line.get_label() == "no search"]
    assert level.get_linestyle() == "--" and set(level.get_ydata()) == {0.57}
    assert [text.get_text() for text in ax.get_legend().get_texts()][-1] == "no search"  # type: ignore[union-attr]


CALLS = {
    "bands": lambda: plotting.regret_bands(CURVES),
    "learning curves": lambda: plotting.learning_curves(CURVES),
    "lines": lambda: plotting.lines(
        {f"a rather long name {i}": np.arange(5) for i in range(7)}, xlabel="x", ylabel="y"
    ),
    "histogram": lambda: plotting.histogram(CURVES, xlabel="x"),
    "scatter": lambda: plotting.scatter([1, 2], [1, 2], xlabel="x", ylabel="y", diagonal=True),
    "pareto": lambda: plotting.pareto([1, 2], [1, 2], xlabel="x"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_legend_covers_neither_data_nor_axis_and_stays_within_the_figure(name: str) -> None:
    ax = CALLS[name]()
    made = ax.get_figure()
    made.canvas.draw()  # type: ignore[union-attr]
    legend, whole = ax.get_legend().get_window_extent(), made.bbox  # type: ignore[union-attr]
    below = ax.xaxis.label.get_window_extent()
    assert legend.y1 <= below.y0 + 1
    assert legend.x0 >= whole.x0 - 1 and legend.x1 <= whole.x1 + 1 and legend.y0 >= whole.y0 - 1
    assert ax.get_window_extent().height > 100


def test_the_legend_of_paths_lies_outside_of_all_panels() -> None:
    made = plotting.op_paths({f"edge {i}": np.eye(5) for i in range(6)}, xlabel="epoch", ylabel="share")
    made.canvas.draw()
    (legend,) = made.legends
    assert all(legend.get_window_extent().y1 < ax.get_tightbbox().y0 for ax in made.axes)


def test_the_lines_of_two_methods_differ_in_style_and_marker() -> None:
    ax = plotting.regret_bands(CURVES)
    named = [line for line in ax.lines if line.get_label() in CURVES]
    assert len({line.get_linestyle() for line in named}) == len({line.get_marker() for line in named}) == 2


def test_methods_with_different_numbers_of_runs_are_said_apart() -> None:
    ax = plotting.regret_bands({"a": CURVES["steady"], "b": CURVES["quick"][:1]})
    assert "a: 5 runs, b: 1 run" in _title(ax)


@pytest.mark.parametrize("curves", [{}, {"a": np.zeros((0, 4))}, {"a": np.zeros((2, 3, 4))}])
def test_curves_without_runs_are_refused(curves: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="curves must map names to arrays"):
        plotting.regret_bands(curves)


def test_learning_curves_draw_mean_and_range() -> None:
    ax = plotting.learning_curves({"table": CURVES["steady"], "live": CURVES["quick"][0]})
    np.testing.assert_allclose(ax.lines[0].get_ydata(), CURVES["steady"].mean(0))
    np.testing.assert_allclose(ax.lines[1].get_ydata(), CURVES["quick"][0])
    assert len(ax.collections) == 1  # a band for the five runs, none for the single one
    assert ax.get_xlabel() == "epoch" and ax.get_ylabel() == "validation accuracy (%)"
    assert "table: 5 runs, live: 1 run" in _title(ax)


def test_lines_carry_their_names_and_runs_share_a_look() -> None:
    levels = {"best": 10.0}
    runs = {"a": CURVES["steady"][:3], "b": CURVES["quick"][0]}
    ax = plotting.lines(runs, x=np.arange(30), xlabel="steps", ylabel="regret (points)", levels=levels)
    legend = ax.get_legend()
    assert legend is not None and [text.get_text() for text in legend.get_texts()] == ["a", "b", "best"]
    looks = [(line.get_color(), line.get_linestyle(), line.get_marker()) for line in ax.lines]
    assert len(set(looks[:3])) == 1 and len(set(looks)) == 3  # three runs of a, b, and the level
    np.testing.assert_allclose(ax.lines[3].get_ydata(), CURVES["quick"][0])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("steps", "regret (points)")


def test_choice_maps_write_each_share_as_a_percentage_in_readable_ink() -> None:
    shares = np.array([[0.9, 0.1, 0.0], [0.25, 0.25, 0.5]])
    made = plotting.choice_maps({"early": shares, "late": shares}, ["0→1", "0→2"], ["none", "skip", "conv"])
    for ax, title in zip(made.axes, ("early", "late")):
        assert _title(ax) == title
        assert _texts(ax) == ["90", "10", "0", "25", "25", "50"]
        assert [text.get_color() for text in ax.texts] == ["white"] + ["black"] * 5
        assert [label.get_text() for label in ax.get_yticklabels()] == ["0→1", "0→2"]


# --- distributions and scatters ---


def test_histograms_count_every_value_once_and_are_hatched_when_several() -> None:
    rng = np.random.default_rng(0)
    samples = {"a": rng.normal(size=300), "b": rng.normal(size=200)}
    ax = plotting.histogram(samples, xlabel="accuracy (%)", bins=10)
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a (n = 300)", "b (n = 200)"]
    assert len({patch.get_hatch() for patch in ax.patches} - {None}) == 2
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("accuracy (%)", "number of cells")


def test_boxes_show_every_value_and_a_box_only_of_many() -> None:
    few, values = np.array([3.0, 9.0, 4.0]), np.arange(101.0)
    groups = {"0": [], "1": values, "2": few, "3": values + 5}
    ax = plotting.boxes(groups, xlabel="operations", ylabel="accuracy (%)", point="cell")
    assert [label.get_text() for label in ax.get_xticklabels()] == list(groups)
    assert [text.get_text() for text in ax.texts] == ["101", "3", "101"]
    strips = [one.get_offsets() for one in ax.collections if one.get_offsets().size > 2]
    for place, drawn, strip in zip((1, 2, 3), (values, few, values + 5), strips, strict=True):
        np.testing.assert_array_equal(strip[:, 1], drawn)
        assert np.abs(strip[:, 0] - place).max() < 0.3 and len(set(strip[:, 0].tolist())) == len(drawn)
    boxed = [line for line in ax.lines if len(line.get_xdata()) == 5]
    assert [(line.get_ydata().min(), line.get_ydata().max()) for line in boxed] == [(25, 75), (30, 80)]
    assert _title(ax).splitlines() == [
        "point: one cell, bar: median, above: n",
        "box: middle half, whiskers: 5th–95th percentile (n ≥ 20)",
    ]
    assert ax.get_ylim()[0] < 0 and ax.get_ylim()[1] > 105  # nothing is cut off


def test_the_caption_speaks_of_no_box_where_there_is_none() -> None:
    ax = plotting.boxes({"a": [1, 2, 3], "b": [4.0]}, xlabel="", ylabel="points", title="Runs")
    assert _title(ax) == "Runs\npoint: one run, bar: median, above: n"
    assert not [line for line in ax.lines if len(line.get_xdata()) == 5]


def test_the_style_leaves_other_settings_to_the_notebook() -> None:
    before = mpl.rcParams["interactive"]
    try:
        with plotting.house_style():
            assert mpl.rcParams["axes.titlelocation"] == "left"
            # what the inline backend does when the first figure is made
            mpl.rcParams["interactive"] = not before
        assert mpl.rcParams["interactive"] is (not before)
        assert mpl.rcParams["axes.titlelocation"] == "center"
    finally:
        mpl.rcParams["interactive"] = before


def test_intervals_lie_where_they_should() -> None:
    ax = plotting.intervals(
        {"a − b": (0.2, (-0.1, 0.5)), "a − c": (1.0, (0.8, 1.2))}, xlabel="difference (points)"
    )
    bars = [
        line.get_xdata() for line in ax.lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"
    ]
    np.testing.assert_allclose(bars, [[-0.1, 0.5], [0.8, 1.2]])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a − b", "a − c"]


def test_the_pareto_front_is_the_set_that_nothing_dominates() -> None:
    rng = np.random.default_rng(1)
    cost, value = rng.integers(0, 12, 60), rng.integers(0, 12, 60)
    points = set(zip(cost.tolist(), value.tolist()))
    undominated = {
        (c, v) for c, v in points if not any((d <= c and w >= v) and (d, w) != (c, v) for d, w in points)
    }
    ax = plotting.pareto(cost, value, xlabel="latency (ms)")
    (front,) = ax.lines
    assert set(zip(front.get_xdata().tolist(), front.get_ydata().tolist())) == undominated


def test_scatter_says_how_many_points_it_shows() -> None:
    ax = plotting.scatter([1, 2, 3], [1, 2, 4], xlabel="x (%)", ylabel="y (%)", diagonal=True, title="Cells")
    assert _title(ax) == "Cells (n = 3)"
    assert ax.collections[0].get_offsets().tolist() == [[1, 1], [2, 2], [3, 4]]


def test_image_rows_may_differ_in_resolution() -> None:
    made = plotting.image_grid(
        {"8 × 8": np.zeros((3, 1, 8, 8), np.uint8), "12 × 12": np.ones((3, 12, 12), np.uint8)}
    )
    shapes = [ax.images[0].get_array().shape for ax in made.axes]  # type: ignore[union-attr]
    assert shapes == [(8, 8)] * 3 + [(12, 12)] * 3
    assert made.axes[3].get_ylabel() == "12 × 12"


def test_the_library_can_be_imported_without_matplotlib() -> None:
    code = "import sys, nas_lib.spaces; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- what a figure says to those who do not see it ---


def _told(drawn: Any) -> str:
    return pictures.describe(drawn if isinstance(drawn, Figure) else drawn.get_figure())


def test_a_text_names_title_axes_and_where_the_curves_end() -> None:
    told = _told(plotting.regret_bands(CURVES, title="Two methods", levels={"no search": 7.0}, top=10))
    assert told.startswith("Two methods, 5 runs each: median, band 10th–90th percentile. ")
    assert "simple regret (percentage points) from 0 to 10 over budget (evaluations) from" in told
    assert "logarithmic" in told
    assert told.endswith("steady from 11 to 2; quick from 8 to 2; no search at 7.")


@pytest.mark.parametrize(
    ("draw", "named"),
    [
        (lambda: plotting.draw_cell(SPACE.from_index(700)), "a cell: 0→2 skip, 0→3 conv 3×3."),
        (lambda: plotting.boxes({"a": [1, 2, 6], "b": []}, xlabel="n", ylabel="y"), "y from * over n: a, b. medians: a 2;"),
        (lambda: plotting.intervals({"a − b": (1, (0, 2.5))}, xlabel="gain"), "gain from * a − b: interval 0 to 2.5; a − b 1"),
        (lambda: plotting.dots({"tau": {"synflow": 0.74, "none": -0.1}}, xlabel="tau"), "synflow 0.74; none −0.1"),
        (lambda: plotting.choice_maps({"late": [[0.1, 0.9]]}, ["0→1"], ["skip", "none"]), "late. * 0→1: none 0.9"),
        (lambda: plotting.scatter(range(9_000), range(9_000), xlabel="MACs", ylabel="y"), "MACs from −450 to * 9,000 points"),
        (lambda: plotting.histogram({"all": [1, 2, 3]}, xlabel="x"), "number of cells from 0 * all (n = 3)"),
        (lambda: plotting.image_grid({"12": np.zeros((4, 12, 12), np.uint8)}), "4 small pictures in each row; rows: 12"),
        (lambda: plotting.draw_cells([SPACE.from_index(9)] * 9), "and 3 more panels."),
    ],
)  # fmt: skip
def test_each_kind_of_figure_says_its_main_numbers(draw: Any, named: str) -> None:
    told = _told(draw())
    assert fnmatch(told, f"*{named}*"), told


def test_a_learners_own_figures_are_described_too() -> None:
    import matplotlib.pyplot as plt

    figure, ((curve, bar), (plane, odd)) = plt.subplots(2, 2)
    assert pictures.describe(plt.figure()) == "An empty figure."
    curve.plot([3, 1, float("nan"), 2])
    bar.bar(["left", "right"], [3, 4])
    bar.set_ylabel(r"$\\alpha_{0}$")
    plane.imshow(np.arange(6).reshape(2, 3))
    odd.pie([1, 2], labels=["x", "y"])
    told = pictures.describe(figure)
    for one in (
        "a curve from 3 to 2",
        "left 3, right 4",
        "alpha_0 from 0",
        "2 by 3 values from 0 to 5",
        "x; y",
    ):
        assert one in told


@pytest.mark.parametrize("title", ["<b>\"a\" & 'b'</b>", "plain"])
def test_a_figure_is_one_picture_with_its_text_beside_the_plain_one(title: str) -> None:
    figure = plotting.lines({"a": [1, 2]}, xlabel="x", ylabel="y", title=title).get_figure()
    assert isinstance(figure, Figure)
    forms, metadata = pictures.bundle(figure)
    assert set(forms) == {"text/html", "image/png", "text/plain"}
    (tag,) = re.findall(r"<[^>]*>", forms["text/html"])
    assert (
        html.unescape(re.findall('alt="([^"]*)"', tag)[0]) == pictures.describe(figure) == forms["text/plain"]
    )
    assert title in forms["text/plain"] and f"base64,{forms['image/png']}" in tag
    png = base64.b64decode(forms["image/png"])
    wide = int.from_bytes(png[16:20], "big")
    told = metadata["image/png"]
    assert told["alt"] == forms["text/plain"]
    assert wide / told["width"] == pytest.approx(pictures.DPI / figure.dpi, rel=0.01), (
        "144 dots where 100 are shown"
    )


def test_a_page_made_of_a_notebook_has_one_picture() -> None:
    nbformat, nbconvert = pytest.importorskip("nbformat"), pytest.importorskip("nbconvert")
    axes = plotting.lines({"a": [1, 2]}, xlabel="x", ylabel="y", title="one")
    data, metadata = pictures.bundle(axes.get_figure())  # type: ignore[arg-type]
    output = nbformat.v4.new_output("display_data", data=data, metadata=metadata)
    cell = nbformat.v4.new_code_cell("draw()", outputs=[output])
    page, _ = nbconvert.HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    (tag,) = re.findall(r"<img[^>]*base64,[^>]*>", page, flags=re.DOTALL)
    assert html.escape(data["text/plain"]) in tag


def test_a_kernel_shows_every_figure_that_way_whatever_its_backend_registers() -> None:
    """As IPython and its inline backend do it, in a shell of its own process."""
    done = """
import matplotlib
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
from nas_lib import plotting
import matplotlib.pyplot as plt
from IPython.core.pylabtools import select_figure_formats
select_figure_formats(shell, {"png"})
for ask in ("png", "png"):
    figure, ax = plt.subplots()
    ax.plot([1, 2], label="mine")
    forms, metadata = shell.display_formatter.format(figure)
    assert set(forms) == {"text/html", "image/png", "text/plain"}, forms.keys()
    assert forms["image/png"] in forms["text/html"] and "mine from 1 to 2" in forms["text/html"]
    assert metadata["image/png"]["alt"] == forms["text/plain"]
    select_figure_formats(shell, {"png"})
empty, _ = shell.display_formatter.format(plt.figure())
assert "image/png" not in empty and "text/html" not in empty, empty
"""
    subprocess.run([sys.executable, "-c", done], check=True, env=os.environ | {"MPLBACKEND": "agg"})


NAN = float("nan")
LABELS = {"xlabel": "x (%)", "ylabel": "y (%)"}
REFUSED: list[tuple[Any, str]] = [
    (lambda: plotting.regret_bands({"a": [[1.0, NAN]]}), "curves must be finite numbers, got nan in 'a'"),
    (lambda: plotting.regret_bands({"a": [[1.0], [1.0, 2.0]]}), r"curves\['a'\] must be an array of numbers"),
    (lambda: plotting.regret_bands({"a": [1.0, 2.0]}, x=[1]), "x must have the 2 places of 'a', got shape"),
    (lambda: plotting.regret_bands({"a": [1.0]}, percentiles=(10, 50)), "percentiles must be"),  # type: ignore[arg-type]
    (lambda: plotting.learning_curves([1, 2]), "curves must map names"),  # type: ignore[arg-type]
    (lambda: plotting.lines({}, **LABELS), "series must map names"),
    (lambda: plotting.lines({"a": [1, 2]}, x=[1], **LABELS), "x must have the 2 places"),
    (lambda: plotting.histogram({}, xlabel="x"), "samples must hold at least one distribution"),
    (
        lambda: plotting.histogram({"a": [1, NAN]}, xlabel="x"),
        "samples must be finite numbers, got nan in 'a'",
    ),
    (lambda: plotting.image_grid({}), "rows must hold at least one"),
    (lambda: plotting.intervals({}, xlabel="x"), "rows must hold at least one"),
    (lambda: plotting.dots({}, xlabel="x"), "panels must hold at least one panel"),
    (lambda: plotting.dots({"a": {}}, xlabel="x"), "panels must hold at least one row"),
    (
        lambda: plotting.dots({"a": {"r": 1}, "b": {"s": 1}}, xlabel="x"),
        "panels must all have the rows r, got s in 'b'",
    ),
    (
        lambda: plotting.dots({"a": {"r": 1}}, xlabel="x", baseline="q"),
        "baseline must be one of the rows r, got 'q'",
    ),
    (lambda: plotting.choice_maps({}, ["a"], ["b"]), "maps must hold at least one"),
    (lambda: plotting.choice_maps({"m": np.ones((2, 3))}, ["a"], ["b"]), r"maps must have shape \(1, 1\)"),
    (lambda: plotting.op_paths({}, **LABELS), "panels must hold at least one"),
    (lambda: plotting.op_paths({"a": np.ones((3, 4))}, **LABELS), r"panels must have shape \(5, n\)"),
    (lambda: plotting.draw_cells([]), "archs must hold at least one"),
    (
        lambda: plotting.draw_cells([CellSpace().from_index(1)] * 2, ["one"]),
        "titles must be one for each of 2 cells",
    ),
    (lambda: plotting.scatter([1, 2], [1], **LABELS), "x and y must be equally many"),
    (lambda: plotting.scatter([], [], diagonal=True, **LABELS), "x and y must hold a pair"),
    (lambda: plotting.pareto([], [], xlabel="x"), "cost and value must hold a pair"),
    (lambda: plotting.pareto([1, 2], [1], xlabel="x"), "cost and value must be equally many"),
]


@pytest.mark.parametrize(("draw", "named"), REFUSED)
def test_what_cannot_be_drawn_is_named_and_leaves_no_figure(draw: Any, named: str) -> None:
    plotting.plt.close("all")
    with pytest.raises(ValueError, match=named):
        draw()
    assert not plotting.plt.get_fignums()


def test_points_that_are_no_numbers_are_not_counted_and_on_no_front() -> None:
    ax = plotting.pareto([1, 2, 3, NAN], [1, NAN, 3, 9], xlabel="seconds")
    assert _title(ax) == "n = 2 of 4"
    assert ax.lines[-1].get_xydata().tolist() == [[1, 1], [3, 3]]


def test_curves_may_carry_gradients_and_dots_may_all_be_zero() -> None:
    ax = plotting.lines({"a": torch.arange(3.0, requires_grad=True)}, **LABELS)
    assert ax.lines[0].get_ydata().tolist() == [0, 1, 2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plotting.dots({"a": {"r": 0.0}}, xlabel="x")
