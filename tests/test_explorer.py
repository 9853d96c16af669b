"""The view of all cells: what is packed for the browser, what is shown without one, and what the browser does."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from nas_lib import explorer, plotting
from nas_lib.benchmark import TABLE_PATH, TabularBenchmark
from nas_lib.devices import DEVICES
from nas_lib.latency import cell_layers
from nas_lib.search import History
from nas_lib.spaces import OPS, CellSpace, ProductSpace, live_edges
from scripts.benchmarks.search import made_up_table
from tests import browsing

SPACE = CellSpace()
SMALL = CellSpace(ops=("none", "skip_connect"))  # 64 cells
RNG = np.random.default_rng(1)
SAMPLE = RNG.integers(len(SPACE), size=60).tolist()


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> TabularBenchmark:
    """The course's table, or a made-up one of the same format where it has not been built."""
    if TABLE_PATH.exists():
        return TabularBenchmark.load()
    path = tmp_path_factory.mktemp("table") / "cell_table.npz"
    made_up_table().write(path)
    return TabularBenchmark.load(path)


@pytest.fixture
def _no_figures_left() -> Iterator[None]:
    plt.close("all")
    yield
    plt.close("all")


def small(**more: Any) -> TabularBenchmark:
    return TabularBenchmark.from_arrays(SMALL, np.linspace(20, 80, len(SMALL)), **more)


def search(table: TabularBenchmark, evaluations: int) -> History:
    archs = [table.space.sample(np.random.default_rng(seed)) for seed in range(evaluations)]
    return History(archs, np.array([table.query(arch).valid for arch in archs]))


def array(packed: explorer.Packed, place: dict[str, int]) -> np.ndarray:
    kind = {1: "u1", 2: "<u2", 4: "<f4"}[place["bytes"]]
    return np.frombuffer(packed.data, kind, place["length"], place["at"])


def column(packed: explorer.Packed, one: dict[str, Any]) -> np.ndarray:
    return array(packed, one["values"])[array(packed, one["codes"])]


# --- what is packed ---


@pytest.mark.parametrize("metric", ["test", "valid"])
def test_every_number_of_the_table_is_in_the_bytes(table: TabularBenchmark, metric: Any) -> None:
    packed = explorer.pack(table, metric=metric)
    header = json.loads(json.dumps(packed.header))
    assert header["cells"] == len(SPACE) and header["kinds"] == "functions"
    assert len(header["accuracy"]["values"]) and header["accuracy"]["label"] == f"{metric} accuracy (%)"
    np.testing.assert_allclose(column(packed, header["accuracy"]), table.final(metric), rtol=1e-6)
    costs = {one["label"]: column(packed, one) for one in header["costs"]}
    assert table.seconds is not None and table.macs is not None
    np.testing.assert_array_equal(costs["multiply-accumulates per image"], table.macs)
    np.testing.assert_array_equal(costs["parameters"], table.params)
    np.testing.assert_allclose(costs["training (s)"], table.seconds, rtol=1e-6)
    for one in [header["accuracy"], *header["costs"]]:
        assert one["range"] == pytest.approx([column(packed, one).min(), column(packed, one).max()])


def test_the_latency_of_each_device_is_that_of_the_cells_layers(table: TabularBenchmark) -> None:
    packed = explorer.pack(table)
    costs = {one["label"]: column(packed, one) for one in packed.header["costs"]}
    for device in DEVICES.values():
        expected = [1e3 * device.network_bound(cell_layers(SPACE.from_index(i))) for i in SAMPLE]
        np.testing.assert_allclose(costs[f"latency bound, {device.name} (ms)"][SAMPLE], expected, rtol=1e-6)


def test_the_browser_is_told_which_edges_matter_and_how_operations_look(table: TabularBenchmark) -> None:
    packed = explorer.pack(table)
    live = array(packed, packed.header["live"])
    for i in SAMPLE:
        assert [bool(live[i] >> edge & 1) for edge in range(6)] == list(live_edges(SPACE.from_index(i)))
    looks = packed.header["operations"]
    assert [one["name"] for one in looks] == list(OPS)
    assert [one["color"] for one in looks] == [plotting.OP_LOOKS[op].color for op in OPS]
    assert len({one["dark"] for one in looks}) == len(OPS)
    drawn = [(one["width"], *one["dashes"]) for one in looks]
    assert len(set(drawn)) == len(OPS), "told apart without colour"


def test_it_is_small(table: TabularBenchmark) -> None:
    assert len(explorer.pack(table).data) < 200_000
    assert len(explorer.fragment(explorer.pack(table))) < 300_000


def test_a_search_is_the_cells_in_order_and_the_incumbent_after_each(table: TabularBenchmark) -> None:
    history = search(table, 30)
    path = explorer.pack(table, history).header["path"]
    assert path["cells"] == [SPACE.index(arch) for arch in history.archs]
    values = [table.final("valid")[cell] for cell in path["cells"]]
    seen = [values[leader] for leader in path["leaders"]]
    np.testing.assert_array_equal(seen, np.maximum.accumulate(values))


def test_cells_that_were_trained_each_for_itself_are_ranked_each_for_itself() -> None:
    header = explorer.pack(small(macs=np.arange(len(SMALL))), metric="valid").header
    assert header["kinds"] == "cells" and header["accuracy"]["values"]["length"] == len(SMALL)


def test_costs_of_ones_own_are_further_axes() -> None:
    mine = RNG.random(len(SMALL))
    packed = explorer.pack(small(), costs={"my phone (ms)": mine}, metric="valid")
    assert [one["label"] for one in packed.header["costs"]] == ["my phone (ms)"]
    np.testing.assert_allclose(column(packed, packed.header["costs"][0]), mine, rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "error", "named"),
    [
        ({"table": "cell_table.npz"}, TypeError, "table must be a TabularBenchmark of a CellSpace"),
        ({"path": [SMALL.from_index(3)]}, TypeError, "path must be a History"),
        ({"path": History([], [])}, ValueError, "path must hold one or more"),
        ({"path": History([("nor_conv_3x3",) * 6], [1.0])}, ValueError, "path must be a search of"),
        ({"costs": {"ms": [1.0, 2.0]}}, ValueError, r"costs\['ms'\] must be 64 finite numbers"),
        ({"costs": {"ms": [np.nan] * 64}}, ValueError, r"costs\['ms'\].*NaN"),
        ({"metric": "train"}, ValueError, "metric must be"),
        ({"metric": "test"}, ValueError, "no test values"),
        ({"table": small()}, ValueError, "costs must hold one or more"),
    ],
)
def test_what_cannot_be_shown_is_refused(given: dict[str, Any], error: type[Exception], named: str) -> None:
    right = {"table": small(macs=np.arange(len(SMALL))), "metric": "valid"}
    with pytest.raises(error, match=named):
        explorer.explore(**right | given)


def test_a_table_of_another_space_is_refused() -> None:
    other = ProductSpace({"depth": (1, 2)})
    with pytest.raises(TypeError, match="of a CellSpace"):
        explorer.pack(TabularBenchmark.from_arrays(other, [1.0, 2.0], macs=[1, 2]), metric="valid")


# --- without a browser ---


@pytest.mark.usefixtures("_no_figures_left")
def test_plain_python_shows_a_figure(table: TabularBenchmark, capsys: pytest.CaptureFixture[str]) -> None:
    explorer.explore(table, search(table, 20))
    (ax,) = plt.gcf().axes
    assert ax.get_xlabel() == "multiply-accumulates per image" and ax.get_ylabel() == "test accuracy (%)"
    assert len(ax.collections[0].get_offsets()) == len(SPACE)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["incumbents of 20 evaluations"]
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("_no_figures_left")
def test_a_notebook_shows_one_output_that_is_a_picture_where_nothing_runs(
    table: TabularBenchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    display = pytest.importorskip("IPython.display")
    shown: list[tuple[Any, Any]] = []
    monkeypatch.setattr(explorer, "_in_a_notebook", lambda: True)
    monkeypatch.setattr(display, "display", lambda *data, metadata, raw: shown.extend((data, metadata)))
    explorer.explore(table)
    explorer.explore(table)
    (forms,), metadata, (again,), _ = shown
    assert set(forms) == {"text/html", "image/png", "text/plain"}
    assert forms["image/png"].startswith("iVBOR")
    told = forms["text/plain"]
    assert told == metadata["image/png"]["alt"] and f"{len(SPACE):,} cells" in told
    ((place, picture),) = re.findall(r'<div id="([^"]+)">(<img alt=[^>]+>)</div>', forms["text/html"])
    assert told in picture and forms["image/png"] in picture
    assert place not in again["text/html"], "each view has a place of its own"
    assert plt.get_fignums() == [], "no second figure at the cell's end"


def test_the_page_needs_nothing_from_elsewhere(table: TabularBenchmark) -> None:
    html = explorer.fragment(explorer.pack(table, costs={"</script> (s)": np.ones(len(SPACE))}), "mine")
    assert re.findall(r"https?:|\bimport\b|\bfetch\(", html) == []
    assert html.count("</script>") == 1 and '<div id="mine"><noscript>' in html


# --- in a browser ---


@contextlib.contextmanager
def opened_page(path: Path, width: int = 1280, dark: bool = False) -> Iterator[Any]:
    """A file in Chromium, whose scripts have to run without an error."""
    with browsing.browser() as started:
        page = browsing.page(started, width, dark=dark)
        faults = browsing.complaints(page)
        page.goto(path.as_uri())
        yield page
        assert faults == []


@pytest.fixture(scope="module")
def shown(table: TabularBenchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with the view and a search, opened as a file."""
    style = "@media (prefers-color-scheme: dark) { body { background: #131416; } }"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>{style}</style>'
    body = explorer.fragment(explorer.pack(table, search(table, 12)))
    path = tmp_path_factory.mktemp("page") / "cells.html"
    path.write_text(f"<!doctype html><html lang='en'>{head}<body>{body}</body></html>", encoding="utf-8")
    return path


def test_a_reader_filters_walks_and_plays(shown: Path, table: TabularBenchmark) -> None:
    accuracy = table.final("test")
    with opened_page(shown) as opened:
        told, count = opened.locator(".told"), opened.locator(".count")
        best = int(accuracy.argmax())
        assert f"{accuracy[best]:.2f} %, rank 1 of" in told.inner_text()
        assert f"cell number {best:,}" in told.inner_text()
        assert f"15,625 of 15,625 cells (5,260 functions): mean {accuracy.mean():.2f} %" in count.inner_text()

        opened.get_by_label("operation on edge 0→3").select_option("none")
        opened.get_by_label("operation on edge 2→3").select_option("pool 3×3")
        those = np.array([cell[3] == "none" and cell[5] == "avg_pool_3x3" for cell in SPACE])
        assert count.inner_text().startswith(f"{those.sum()} of 15,625 cells")
        assert (
            f"mean {accuracy[those].mean():.2f} %, best {accuracy[those].max():.2f} %" in count.inner_text()
        )

        plot = opened.get_by_role("application")
        plot.focus()
        opened.keyboard.press("Home")  # the best of these
        assert f"test accuracy {accuracy[those].max():.2f} %" in told.inner_text()
        assert "2→3 pool 3×3" in opened.locator(".said").inner_text()
        assert "2→3 pool 3×3" in opened.locator("svg").get_attribute("aria-label")
        opened.keyboard.press("End")
        assert f"test accuracy {accuracy[those].min():.2f} %" in told.inner_text()
        assert str(int(those.sum())) in plot.get_attribute("aria-label")
        opened.get_by_role("button", name="All cells").click()
        assert count.inner_text().startswith("15,625 of 15,625")

        opened.get_by_label("horizontal axis").select_option("parameters")
        before = told.inner_text()
        box = plot.bounding_box()
        for share in np.linspace(0.15, 0.5, 8):  # somewhere there is a cell
            opened.mouse.move(box["x"] + share * box["width"], box["y"] + 0.3 * box["height"])
        assert told.inner_text() != before and "parameters: " in told.inner_text()

        slider = opened.get_by_label("evaluation of the search")
        slider.fill("3")
        history = search(table, 12)
        where = opened.locator(".where")
        assert where.inner_text().startswith("evaluation 4 of 12")
        assert f"cell number {SPACE.index(history.archs[3]):,}" in told.inner_text()
        leader = SPACE.index(history.archs[int(history.leaders()[3])])
        assert f"incumbent (■): {accuracy[leader]:.2f} %" in where.inner_text()
        opened.get_by_role("button", name="Play").click()
        opened.get_by_role("button", name="Pause").wait_for()
        opened.get_by_role("button", name="Play").wait_for()  # it ends by itself
        assert where.inner_text().startswith("evaluation 12 of 12")


def test_a_reader_draws_a_rectangle(shown: Path, table: TabularBenchmark) -> None:
    accuracy = table.final("test")
    with opened_page(shown) as opened:
        count, mix, plot = opened.locator(".count"), opened.locator(".mix"), opened.get_by_role("application")
        assert mix.inner_text() == ""
        box = plot.bounding_box()
        right, top = box["x"] + box["width"] - 1, box["y"] + 1
        opened.mouse.move(right, top)
        opened.mouse.down()
        opened.mouse.move(box["x"] + 0.5 * box["width"], top + 0.2 * box["height"])
        opened.mouse.move(box["x"] + 0.5 * box["width"], top + 0.1 * box["height"])
        browsing.shot(opened, "explorer_rectangle")
        opened.mouse.up()
        browsing.shot(opened, "explorer_brushed")
        found, best = re.match(r"([\d,]+) of 15,625 cells .* best ([\d.]+) %", count.inner_text()).groups()  # type: ignore[union-attr]
        those = int(found.replace(",", ""))
        assert 0 < those < 5_000 and float(best) == pytest.approx(accuracy.max(), abs=0.006)
        shares = re.findall(r"\d→\d [\w× ]+ \((\d+) %\)", mix.inner_text())
        assert len(shares) == 6 and all(20 <= int(share) <= 100 for share in shares)

        opened.get_by_label("horizontal axis").select_option("parameters")
        assert count.inner_text().startswith(f"{found} of"), "the same cells on another axis"
        opened.get_by_label("operation on edge 0→3").select_option("none")
        assert int(count.inner_text().split()[0].replace(",", "")) < those
        opened.get_by_role("button", name="All cells").click()
        assert count.inner_text().startswith("15,625 of") and mix.inner_text() == ""

        plot.focus()
        for key in ("Home", "Enter", *["ArrowDown"] * 3, "Enter"):
            opened.keyboard.press(key)
        assert f"best {accuracy.max():.2f} %" in count.inner_text()
        assert 2 <= int(count.inner_text().split()[0].replace(",", "")) < 500
        assert mix.inner_text() == opened.locator(".said").inner_text()
        opened.keyboard.press("Escape")
        assert count.inner_text().startswith("15,625 of")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits_a_phone_and_follows_the_pages_colours(shown: Path, dark: bool) -> None:
    with opened_page(shown, width=390, dark=dark) as opened:
        opened.locator("summary").click()
        assert opened.locator("tbody tr").count() == 10
        assert opened.evaluate("document.documentElement.scrollWidth") == 390
        ink = opened.locator(".count").evaluate("one => getComputedStyle(one).color")
        assert (int(re.findall(r"\d+", ink)[0]) > 200) == dark
        painted = (
            "one => [...one.getContext('2d').getImageData(0, 0, one.width, one.height).data]"
            ".filter(Boolean).length"
        )
        assert opened.locator("canvas").first.evaluate(painted) > 10_000
