"""Writes the datasheet of the table: `docs/table/README.md` and its figures, from the table file alone.

    python -m scripts.table.datasheet [TABLE] [--out docs/table]

The same file gives the same text. Numbers come from `scripts/table/statistics.py`; here they are put into words,
tables and figures. What the table was meant to be is judged as it is, met or missed.
"""

from __future__ import annotations

import argparse
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nas_lib import plotting
from nas_lib.benchmark import TABLE_PATH, TableFile
from nas_lib.data import SPLITS, split_sources
from nas_lib.plotting import LOOKS
from nas_lib.spaces import CellSpace
from scripts.table import statistics as stats
from scripts.table.statistics import Measured

FOLDER = Path(__file__).parents[2] / "docs" / "table"
NEAR = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
LEVELS = (0, 1, 10, 25, 50, 75, 90, 99, 100)
BEST = 10

MEANING = {
    "network.channels": "channels of the first stage; they double at each stage",
    "network.stages": "stages, one cell each",
    "network.in_channels": "channels of the images",
    "network.classes": "classes",
    "network.resolution": "side of the images in pixels",
    "network.stem_stride": "stride of the first convolution",
    "train_images": "training images, always the same ones",
    "valid_images": "validation images after each epoch but the last",
    "final_images": "validation images after the last epoch, and test images",
    "epochs": "epochs",
    "batch_size": "images in a batch",
    "lr": "learning rate at the first step; falls to 0 as half a cosine",
    "momentum": "Nesterov momentum of SGD",
    "weight_decay": "weight decay",
    "data_seed": "seed of the images",
    "seeds": "training seeds (initial weights and order of the images)",
}


# --------------------------------------------------------------------------------------------------------- words


def number(value: float, digits: int = 2) -> str:
    """A number with thousands separators; a dash where there is none."""
    if math.isnan(value):
        return "–"
    text = f"{value:,.{digits}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text.replace("-", "−")


def signed(value: float) -> str:
    """A number with its sign."""
    text = number(value)
    return text if text in ("–", "0.00") or text.startswith("−") else f"+{text}"


def percent(share: float, digits: int = 1) -> str:
    """A share as a percentage."""
    return "–" if math.isnan(share) else f"{number(100 * share, digits)} %"


def grid(titles: Sequence[str], rows: Sequence[Sequence[Any]], left: int = 1) -> str:
    """A Markdown table; the first `left` columns hold words, the others numbers."""
    rule = [":---" if column < left else "---:" for column in range(len(titles))]
    lines = [titles, rule, *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def flat(recipe: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level, with dots in the names."""
    result: dict[str, Any] = {}
    for name, value in recipe.items():
        if isinstance(value, Mapping):
            result |= flat(value, f"{prefix}{name}.")
        else:
            result[prefix + name] = value
    return result


def flow(text: str) -> str:
    """Markdown with its paragraphs and list items broken into even lines; tables, code and headings stay."""
    code, blocks = False, []
    for block in text.split("\n\n"):
        fences = block.count("```")
        if not (code or fences or block.startswith(("|", "#", "<", "!"))):
            items = block[2:].split("\n- ") if block.startswith("- ") else [block]
            bullet = "- " if block.startswith("- ") else ""
            block = "\n".join(
                textwrap.fill(bullet + " ".join(item.split()), **_FILL[bullet]) for item in items
            )
        code ^= bool(fences % 2)
        blocks.append(block)
    return "\n\n".join(blocks)


_FILL: dict[str, dict[str, Any]] = {
    bullet: {
        "width": 116,
        "subsequent_indent": " " * len(bullet),
        "break_long_words": False,
        "break_on_hyphens": False,
    }
    for bullet in ("", "- ")
}


@dataclass(frozen=True, eq=False)
class Sheet:
    """A table, and what several sections say about it."""

    table: TableFile
    m: Measured
    ten: list[int]
    """Functions with the highest mean test accuracy, best first."""

    @classmethod
    def of(cls, table: TableFile, space: CellSpace | None = None) -> Sheet:
        """Of a table file."""
        m = Measured.of(table, space)
        return cls(table, m, np.argsort(-m.accuracy, kind="stable")[:BEST].tolist())

    @property
    def n(self) -> str:
        """The number of cells, in words."""
        return f"{len(self.m.cells):,} cells"

    @property
    def f(self) -> str:
        """The number of functions, in words."""
        return f"{len(self.m.first):,} functions"


def render(table: TableFile, space: CellSpace | None = None) -> str:
    """The datasheet as Markdown; depends on nothing but the table."""
    sheet = Sheet.of(table, space)
    return "\n\n".join(flow(section(sheet)) for section in SECTIONS) + "\n"


def _what(sheet: Sheet) -> str:
    m, table = sheet.m, sheet.table
    counts = f"{len(m.cells):,} cells = {len(m.first):,} functions"
    return f"""<!-- Written by `python -m scripts.table.datasheet`; change that, not this page. -->

# Datasheet of the cell table

Every cell of NAS-Bench-201's space (4 nodes, 6 edges, one of {len(m.space.ops)} operations on each), trained from
scratch on small images, {m.seeds} times each: {counts}, {m.seeds} seeds, {m.epochs} epochs,
{m.seeds * len(m.first):,} trainings. It is the ground truth of this course: whatever a search finds can be compared
with the best there is.

```python
from nas_lib.benchmark import TabularBenchmark

benchmark = TabularBenchmark.load()
arch, accuracy = benchmark.best("test")
print(arch, accuracy, benchmark.query(arch, epochs=3, seed=0))
```

- **Made by** the contributors of NAS from Scratch, for teaching and for quick experiments with search methods.
- **Not made for** claims about CIFAR-10 or ImageNet: networks and images are tiny, and which cell is best here says
  nothing about which is best there. Accuracies of other papers are not comparable with these.
- **In the file** (`nas_lib/assets/cell_table.npz`, format: `nas_lib.benchmark.TableFile`): for each function and seed
  the number of correctly classified validation images after each epoch
  ({table.valid_size[0]:,} images; {table.valid_size[-1]:,} after the last), of test images after the last
  ({table.test_size:,}), and the training seconds; for each cell its function, parameters, multiply–accumulates (MACs)
  and price. Values are kept per seed; nothing was averaged, dropped or trained again because of its result.
- **Cells and functions.** Cells that compute the same function of the same weights were trained once and share their
  accuracies. Parameters, MACs and price belong to the cell, since an ordinary implementation builds edges that lead
  nowhere, too. A statistic *over cells* counts each of the {sheet.n}, as a search meets them; one *over functions*
  counts each of the {sheet.f} once, as they were trained. Below, *accuracy* is test accuracy after the last epoch,
  mean over seeds, if nothing else is said; *top 10 %* are the items at least as good as the ⌈n/10⌉-th best.
- **Content hash** (SHA-256 over all arrays): `{table.content_hash}`.
- **Made again** by `make table` (hours; the trainings are the same up to the order of floating-point sums),
  **checked** by `scripts/table/check.py`, which trains random cells anew and independently of the table's way
  of training many seeds at once."""


def _recipe(sheet: Sheet) -> str:
    rows = [
        (f"`{name}`", MEANING.get(name, ""), ", ".join(map(str, value)) if isinstance(value, list) else value)
        for name, value in flat(sheet.table.recipe).items()
    ]
    sources = ", ".join(f"{len(split_sources(split)):,} for {split}" for split in SPLITS)
    return f"""## Recipe and images

As recorded in the file; `nas_lib.training` is the code, `scripts/table/recipe_study.py` the reasons.

{grid(("setting", "meaning", "value"), rows, left=2)}

The images are `nas_lib.data.cluttered_digits`: a handwritten digit, rotated, sheared, scaled, moved and dimmed at
random, among fragments of other digits, with noise. The handwriting is split *before* any image is drawn
({sources} of 1,797 handwritten digits), so no digit, not even as a fragment, is seen in two splits. It is split by
image, not by writer: the 13 writers are not kept apart. And the {sheet.table.test_size:,} test images show
{len(split_sources("test"))} handwritten digits, so they are no {sheet.table.test_size:,} independent samples."""


def _acceptance(sheet: Sheet) -> str:
    rows = [
        (one.wanted.replace("|", "\\|"), one.measured.replace("|", "\\|"), "met" if one.met else "**missed**")
        for one in stats.criteria(sheet.m)
    ]
    return f"""## What the table was meant to be

Set before the table was trained; the recipe was chosen for it on a sample of cells. Where a row has several values,
the least favourable decides.

{grid(("criterion", "measured", "result"), rows, left=3)}"""


def _accuracy(sheet: Sheet) -> str:
    m = sheet.m
    kinds = ((sheet.n, m.cell_accuracy), (sheet.f, m.accuracy))
    quantiles = [
        (f"over {kind}", *(number(value) for value in stats.summary(values, LEVELS)))
        for kind, values in kinds
    ]
    near = []
    for kind, values in kinds:
        counts = stats.within(values, NEAR)
        near.append((f"over {kind}", *(f"{count:,} ({percent(count / len(values), 2)})" for count in counts)))
    valid = m.valid[:, :, -1].mean(1)
    good = stats.top(m.accuracy)
    alike = [
        (
            where,
            number(stats.pearson(valid[which], m.accuracy[which]), 3),
            number(stats.rho(valid[which], m.accuracy[which]), 3),
            number(stats.tau(valid[which], m.accuracy[which]), 3),
            signed(float((valid - m.accuracy)[which].mean())),
        )
        for where, which in (("all", np.ones(len(valid), bool)), ("top 10 % by test accuracy", good))
    ]
    titles = ("where", "Pearson", "Spearman", "Kendall's tau-b", "validation − test (points)")
    return f"""## Accuracy

![Distribution of test accuracy](accuracy.png)

Percentiles of test accuracy in percent:

{grid(("", *(f"{level}" for level in LEVELS)), quantiles)}

How many lie within so many points of the best, the best included:

{grid(("", *(f"{distance:g}" for distance in NEAR)), near)}

Final validation ({sheet.table.valid_size[-1]:,} images) and test accuracy, means over seeds, over {sheet.f}:

{grid(titles, alike)}

{_connectivity(m)}"""


def _connectivity(m: Measured) -> str:
    dead = ~m.connected
    if not dead.any():
        return "Every cell is connected."
    count = len(np.unique(m.function[dead]))
    one = "one function" if count == 1 else f"{count} functions"
    chance = number(float(m.cell_accuracy[dead].mean()))
    worst = number(float(m.cell_accuracy[~dead].min()))
    return f"""In {dead.sum():,} of the {len(m.cells):,} cells no path leads from input to output. They output zero
whatever comes in ({one}), so that their networks give every image the same class: {chance} % test accuracy. The worst
connected cell reaches {worst} %."""


def _best(sheet: Sheet) -> str:
    m = sheet.m
    skips, sizes = stats.live_skips(m), m.cells_per_function
    rows, strings = [], []
    for place, one in enumerate(sheet.ten, 1):
        cell = int(m.first[one])
        valid, test = m.valid[one, :, -1], m.test[one]
        rows.append(
            (
                place,
                f"{number(valid.mean())} ± {number(_sd(valid))}",
                f"{number(test.mean())} ± {number(_sd(test))}",
                f"{m.params[cell]:,}",
                f"{m.macs[cell]:,}",
                skips[cell],
                sizes[one],
            )
        )
        strings.append(f"{place:>2}  {m.space.str(m.cells[cell])}")
    titles = ("rank", "validation (%)", "test (%)", "parameters", "MACs", "live skips", "cells")
    strings_block = "\n".join(strings)
    largest = int(m.params.argmax())
    rank, rank_f = (
        stats.rank_of(m.cell_accuracy, largest),
        stats.rank_of(m.accuracy, int(m.function[largest])),
    )
    behind = number(m.cell_accuracy.max() - m.cell_accuracy[largest])
    error = number(stats.pooled_sd(m.test[stats.top(m.accuracy)]) / math.sqrt(m.seeds))
    undecided, loss = f"{stats.undecided(m.test):,}", number(stats.optimism(m.test))
    return f"""## The best

![The ten best cells](best_cells.png)

The {len(rows)} best functions by mean test accuracy; mean ± standard deviation over {m.seeds} seeds. Each is drawn as
the first of the cells that compute it (the last column says how many there are); parameters and MACs are that cell's.

{grid(titles, rows, left=0)}

```
{strings_block}
```

The largest cell, `{m.space.str(m.cells[largest])}`
({m.params[largest]:,} parameters), has rank {rank:,} of {sheet.n} and {rank_f:,} of {sheet.f}, {behind} points behind
the best.

Which one is *the* best is less certain than a table makes it look. The standard error of a mean over {m.seeds} seeds is
{error} points in the top 10 %, and {undecided} of the {sheet.f} are less than 1.96 standard errors of a
difference behind the best (the best itself included). The highest of many noisy means is also too high: a best function
chosen by all seeds but one loses {loss} points at the seed left out (mean over the seeds left out). Regret against
this table is regret against a measured optimum, as in every tabular benchmark."""


def _sd(values: Any) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def _seeds(sheet: Sheet) -> str:
    m = sheet.m
    quarter, good = stats.quartiles(m.accuracy), stats.top(m.accuracy)
    groups = [("all", np.ones(len(good), bool))]
    groups += [
        (f"quarter {q + 1}" + {0: " (worst)", 3: " (best)"}.get(q, ""), quarter == q) for q in range(4)
    ]
    groups += [("top 10 %", good)]
    valid = m.valid[:, :, -1]
    noise = [
        (
            name,
            f"{which.sum():,}",
            number(float(m.accuracy[which].mean())),
            number(stats.pooled_sd(valid[which]), 3),
            number(stats.pooled_sd(m.test[which]), 3),
        )
        for name, which in groups
    ]
    rows = []
    for metric, values in (("validation", valid), ("test", m.test)):
        for kind, array in ((sheet.n, values[m.function]), (sheet.f, values)):
            one = stats.agreement(array)
            rows.append((metric, kind, *(number(value, 3) for value in one)))
    trust = [
        (
            metric,
            kind,
            *(number(value, 3) for top in (False, True) for value in stats.reliability(array, top)),
        )
        for metric, values in (("validation", valid), ("test", m.test))
        for kind, array in ((sheet.n, values[m.function]), (sheet.f, values))
    ]
    pairs = math.comb(m.seeds, 2)
    mean = f"mean over the {pairs} pairs of seeds" if pairs > 1 else "of the pair of seeds"
    offsets = ", ".join(signed(offset) for offset in stats.seed_offsets(m.test))
    titles = ("accuracy", "over", "all", "top 10 %", "top 10 % by the other seeds")
    noise_titles = ("over functions", "number", "mean test accuracy (%)", "sd of validation", "sd of test")
    return f"""## Seeds

![Two seeds against each other, and the noise by accuracy](seeds.png)

Standard deviation between the {
        m.seeds
    } seeds of a function in points, pooled (root of the mean variance, n − 1 in the
denominator), over {sheet.f}; quarters and top 10 % by mean test accuracy:

{grid(noise_titles, noise)}

All cells share the seeds, and a seed can be luckier than another for most of them: relative to the mean of the seeds,
they lie {offsets} points off in test accuracy (mean over {
        sheet.f
    }). Comparing cells at the same seed cancels this.

Kendall's tau-b between the final accuracies of two seeds, {mean}. *Top 10 %* holds the items in the top
10 % by the mean of that accuracy over all seeds. This mean contains the two seeds that are compared, which lowers
tau: among items of about equal mean, one seed is high where another is low. The last column therefore takes for
each pair the top 10 % by the mean over the *other* seeds, which has nothing to do with the luck of these two (and
lets in more cells that are not that good).

{grid(titles, rows, left=2)}

The order by one seed is not the order by the mean over the seeds, which is what `benchmark.best` and all figures here
go by. How reliable that mean is follows from split halves: two seeds correlate, and Spearman & Brown's formula says how
two means over {
        m.seeds
    } seeds would. The last column is the tau that this leaves between the mean and the mean of
endless seeds, were accuracies normal. The top 10 % are again those by the other seeds.

{
        grid(
            (
                "accuracy",
                "over",
                "two seeds",
                "the mean",
                "tau of the mean",
                "two seeds, top 10 %",
                "the mean, top 10 %",
                "tau of the mean, top 10 %",
            ),
            trust,
            left=2,
        )
    }"""


def _size(sheet: Sheet) -> str:
    m = sheet.m
    rows = []
    for kind, accuracy, index in (
        (sheet.n, m.cell_accuracy, np.arange(len(m.cells))),
        (sheet.f, m.accuracy, m.first),
    ):
        good = stats.top(accuracy)
        for name, size in (("parameters", m.params[index]), ("MACs", m.macs[index])):
            values = [
                number(measure(size[which], accuracy[which]))
                for measure in (stats.tau, stats.rho)
                for which in (np.ones(len(good), bool), good)
            ]
            rows.append((name, kind, *values))
    titles = ("size", "over", "tau, all", "tau, top 10 %", "Spearman, all", "Spearman, top 10 %")
    return f"""## Size

![Parameters and test accuracy](size.png)

Kendall's tau-b and Spearman's correlation of size with test accuracy. A function has the size of its first cell,
which has no dead convolutions. (For comparison: on the real NAS-Bench-201, CIFAR-10, over cells, Spearman's
correlation of parameters with test accuracy is 0.75 over all and 0.11 in the top 10 %.)

{grid(titles, rows, left=2)}"""


def _skips(sheet: Sheet) -> str:
    m = sheet.m
    count, accuracy = stats.live_skips(m), m.cell_accuracy
    tops = [stats.top(accuracy, share) for share in (0.1, 0.01)]
    rows = []
    for skips in range(int(count.max()) + 1):
        which = count == skips
        if which.any():
            shares = (percent(float(which.mean())), *(percent(float(which[good].mean())) for good in tops))
            level = number(float(accuracy[which].mean())), number(float(accuracy[which].max()))
            rows.append((skips, f"{which.sum():,}", *level, *shares))
    titles = (
        "live skips",
        "cells",
        "mean (%)",
        "best (%)",
        "of all cells",
        "of the top 10 %",
        "of the top 1 %",
    )
    best = []
    for name, which in (("with", count > 0), ("without", count == 0)):
        if which.any():
            i = int(np.flatnonzero(which)[accuracy[which].argmax()])
            best.append(f"- {name} a live skip: {number(accuracy[i])} %, `{m.space.str(m.cells[i])}`")
    lines = []
    swaps = [(op, "none") for op in m.space.ops if op != "none"]
    swaps += [("skip_connect", op) for op in m.space.ops if op == "nor_conv_3x3"]
    for op, instead in swaps:
        for where, one in stats.effects(m, op, instead).items():
            values = f"{one.pairs:,}", signed(one.mean), signed(one.median), percent(one.better)
            lines.append((f"`{op}`", f"`{instead}`", where, *values))
    effect_titles = (
        "operation",
        "instead of",
        "pairs of cells in which",
        "pairs",
        "mean (points)",
        "median (points)",
        "better with the op",
    )
    best_lines = "\n".join(best)
    return f"""## Skip connections

![Accuracy by number of skip connections](skips.png)

Cells by the number of `skip_connect` on live edges (those on a path from input to output), over {sheet.n}. The last
three columns are the row's share of all cells, of the top 10 % and of the top 1 %:

{grid(titles, rows, left=0)}

The best cells:

{best_lines}

What an operation adds: all pairs of cells that differ on one edge only, where one has the operation and the other the
one that it is compared with; accuracy of the first minus accuracy of the second, over {sheet.n}. A dead edge changes
nothing, so its pairs count as no difference. The last rows of each comparison take the pairs in which the edge is live,
both cells are connected and at least one of the two is in the top 10 %.

{grid(effect_titles, lines, left=3)}"""


def _epochs(sheet: Sheet) -> str:
    m = sheet.m
    rows = [
        (epoch, f"{sheet.table.valid_size[epoch - 1]:,}", *(number(value) for value in one))
        for epoch, one in enumerate(stats.fidelity(m), 1)
    ]
    titles = (
        "epoch",
        "images",
        "mean of seeds, all",
        "mean of seeds, top 10 %",
        "one seed, all",
        "one seed, top 10 %",
    )
    return f"""## What early epochs tell

![How well validation accuracy predicts final test accuracy](epochs.png)

Kendall's tau-b between validation accuracy after each epoch and final test accuracy (mean over seeds), over
{sheet.f}; the top 10 % are those by final test accuracy. *One seed* is the mean over the {m.seeds} seeds of each one's
tau. The learning rate falls over the whole training, so these are snapshots of full trainings, not shorter trainings.

{grid(titles, rows, left=0)}"""


def _price(sheet: Sheet) -> str:
    m = sheet.m
    measured = m.function_seconds.mean(1)
    price = stats.prices(m)
    low, mean, high = (number(float(one)) for one in (measured.min(), measured.mean(), measured.max()))
    hours, fit = number(float(m.function_seconds.sum()) / 3600, 1), number(stats.price_fit(m), 3)
    cheapest, dearest = number(float(m.seconds.min())), number(float(m.seconds.max()))
    text = f"""## Training seconds

![Measured and fitted seconds](price.png)

Processor time of the training steps of one network, evaluation not included, on one thread of
"{sheet.table.cpu}". The seeds of a function were trained together and share the time
equally. Measured over {sheet.f}: mean {mean} s, from {low} to {high} s, {hours} hours for all seeds.

Measured times carry the noise of a shared machine, and a cell with dead edges costs more than its function. So the
*price* of a cell, `seconds` in the table, is a sum of prices per operation, fitted by least squares to the measured
times: R² = {fit} over {sheet.f}. Over {sheet.n} the price goes from {cheapest} to {dearest} s."""
    two = stats.speeds(m)
    if two is not None and two.factors[1] > 1.5 * two.factors[0]:
        fast, slow = (f"{count:,}" for count in two.functions)
        text += f"""

That R² says more of the machines than of the prices. Measured over fitted seconds fall into two groups, {fast}
functions and {slow} that took {number(two.factors[1] / two.factors[0], 1)} times as long: the trainings ran on
machines of different speed. With every time divided by its group's factor, prices per operation explain
R² = {number(two.fit, 3)}, and these prices correlate with the table's at {number(two.agreement, 4)}.
As long as only their proportions matter, as in a search on a budget of seconds, the table's prices stand."""
    if price is not None:
        rows = [
            (f"`{name}`" if name != "network" else "all but the cells", number(s, 3))
            for name, s in price.items()
        ]
        text += f"\n\n{grid(('part', 'seconds'), rows)}"
    return text


def _licence(sheet: Sheet) -> str:
    return """## Licence and sources

The table is under the course's [MIT licence](../../LICENSE). The images are drawn from the test set of *Optical
Recognition of Handwritten Digits* (E. Alpaydin and C. Kaynak, 1998, UCI Machine Learning Repository,
[doi:10.24432/C50P49](https://doi.org/10.24432/C50P49), [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)), in
the copy of 1,797 digits that scikit-learn ships, scaled, moved and mixed with fragments of each other and noise. The
table holds no images. The cell space is that of NAS-Bench-201 (X. Dong and Y. Yang, ICLR 2020,
[arXiv:2001.00326](https://arxiv.org/abs/2001.00326))."""


SECTIONS: tuple[Callable[[Sheet], str], ...] = (
    _what,
    _acceptance,
    _recipe,
    _accuracy,
    _best,
    _seeds,
    _size,
    _skips,
    _epochs,
    _price,
    _licence,
)


# ------------------------------------------------------------------------------------------------------- figures


@plotting.house_style()
def draw(table: TableFile, space: CellSpace | None = None) -> dict[str, Figure]:
    """The datasheet's figures by file name."""
    sheet = Sheet.of(table, space)
    return {name: figure(sheet) for name, figure in FIGURES.items()}


def _draw_accuracy(sheet: Sheet) -> Figure:
    m = sheet.m
    made, axes = plotting.figure(1, 2, width=5.0, height=3.3)
    cells, by_function = m.cell_accuracy, m.accuracy
    largest = cells[int(m.params.argmax())]
    for ax, values, title in (
        (axes[0, 0], {"cells": cells, "functions": by_function}, "All"),
        (
            axes[0, 1],
            {"cells": cells[stats.top(cells)], "functions": by_function[stats.top(by_function)]},
            "Top 10 %",
        ),
    ):
        plotting.histogram(
            values, ax, xlabel="test accuracy (%), mean over seeds", ylabel="number", title=title
        )
        if largest >= min(low.min() for low in values.values()):
            ax.axvline(largest, color="black", linewidth=1.2, linestyle="--", label="the largest cell")
            ax.legend(loc="upper left")
    return made


def _draw_best(sheet: Sheet) -> Figure:
    m = sheet.m
    titles = [
        f"{place}: test {number(m.test[one].mean())} ± {number(_sd(m.test[one]))} %\n"
        f"{m.params[m.first[one]]:,} parameters"
        for place, one in enumerate(sheet.ten, 1)
    ]
    return plotting.draw_cells([m.cells[m.first[one]] for one in sheet.ten], titles, columns=4)


def _draw_seeds(sheet: Sheet) -> Figure:
    m = sheet.m
    made, axes = plotting.figure(1, 3, width=5.3, height=4.0)
    good = stats.top(m.accuracy)
    first, last = m.test[:, 0], m.test[:, -1]
    names: dict[str, Any] = {
        "xlabel": "test accuracy (%), first seed",
        "ylabel": "test accuracy (%), last seed",
    }
    for ax, which, title in (
        (axes[0, 0], np.ones(len(good), bool), "All functions"),
        (axes[0, 1], good, "Top 10 %"),
    ):
        plotting.scatter(first[which], last[which], ax, **names, diagonal=True, title=title)
    sd = m.test.std(axis=1, ddof=1) if m.seeds > 1 else np.zeros(len(good))
    tenth = np.argsort(np.argsort(m.accuracy, kind="stable"), kind="stable") * 10 // len(good)
    plotting.boxes(
        {str(place + 1): sd[tenth == place] for place in range(10)},
        axes[0, 2],
        xlabel="tenth of the functions, from the worst to the best",
        ylabel="sd between seeds (points)",
        title="Noise by accuracy",
    )
    return made


def _draw_size(sheet: Sheet) -> Figure:
    m = sheet.m
    made, axes = plotting.figure(1, 2, width=4.6, height=3.8)
    accuracy, largest = m.cell_accuracy, int(m.params.argmax())
    good = stats.top(accuracy)
    for ax, which, title in (
        (axes[0, 0], np.ones(len(good), bool), "All cells"),
        (axes[0, 1], good, "Top 10 %"),
    ):
        names: dict[str, Any] = {"xlabel": "parameters", "ylabel": "test accuracy (%), mean over seeds"}
        plotting.scatter(m.params[which], accuracy[which], ax, **names, title=title)
        ax.xaxis.set_major_formatter("{x:,.0f}")
        ax.xaxis.set_major_locator(MaxNLocator(5))
        low, high = ax.get_ylim()
        ax.set_ylim(low - 0.2 * (high - low), high)  # room for the legend
        for item, look, label in (
            (largest, LOOKS[1], "largest cell"),
            (int(accuracy.argmax()), LOOKS[2], "best cell"),
        ):
            if which[item]:
                style = {
                    "color": look.color,
                    "marker": look.marker,
                    "s": 60,
                    "edgecolors": "white",
                    "zorder": 3,
                }
                ax.scatter(m.params[item], accuracy[item], **style, label=label)
        ax.legend(loc="lower right", ncols=2)
    return made


def _draw_skips(sheet: Sheet) -> Figure:
    m = sheet.m
    made, axes = plotting.figure(1, 2, width=5.0, height=3.5)
    count, accuracy = stats.live_skips(m), m.cell_accuracy
    connected = m.connected
    kinds = [skips for skips in range(int(count.max()) + 1) if (count == skips).any()]
    plotting.boxes(
        {str(skips): accuracy[(count == skips) & connected] for skips in kinds},
        axes[0, 0],
        xlabel="live skip connections",
        ylabel="test accuracy (%)",
        title="Connected cells",
    )
    ax = axes[0, 1]
    groups = {
        "all cells": np.ones(len(count), bool),
        "top 10 %": stats.top(accuracy),
        "top 1 %": stats.top(accuracy, 0.01),
    }
    for place, (look, (name, which)) in enumerate(zip(LOOKS, groups.items(), strict=False)):
        shares = [100 * float((count[which] == skips).mean()) for skips in kinds]
        where = np.arange(len(kinds)) + 0.27 * (place - 1)
        style = {"facecolor": (look.color, 0.35), "edgecolor": look.color, "hatch": look.hatch}
        ax.bar(where, shares, width=0.25, **style, label=f"{name} (n = {which.sum():,})")
    ax.set_xticks(range(len(kinds)), [str(skips) for skips in kinds])
    ax.set(xlabel="live skip connections", ylabel="share of the group (%)")
    ax.set_title("How many skips the good cells have")
    ax.legend()
    return made


def _draw_epochs(sheet: Sheet) -> Figure:
    m = sheet.m
    made, axes = plotting.figure(1, 1, width=6.0, height=3.6)
    ax, rows = axes[0, 0], np.array(stats.fidelity(m))
    epochs = np.arange(1, m.epochs + 1)
    labels = ("all, mean of seeds", "top 10 %, mean of seeds", "all, one seed", "top 10 %, one seed")
    for look, label, values in zip(LOOKS, labels, rows.T, strict=False):
        ax.plot(
            epochs,
            values,
            color=look.color,
            linestyle=look.line,
            marker=look.marker,
            markersize=5,
            label=label,
        )
    ax.set(xlabel="epoch of the validation accuracy", ylabel="Kendall's tau-b with final test accuracy")
    ax.set_ylim(min(0.0, float(np.nanmin(rows)) - 0.05), 1.3)  # room for the legend
    ax.set_yticks(np.arange(0, 1.01, 0.2))
    ax.set_xticks(epochs)
    ax.set_title(f"{sheet.f}, {m.seeds} seeds")
    ax.legend(loc="upper left", ncols=2)
    return made


def _draw_price(sheet: Sheet) -> Figure:
    m = sheet.m
    made, axes = plotting.figure(1, 1, width=4.4, height=4.0)
    names: dict[str, Any] = {
        "xlabel": "price (s), fitted",
        "ylabel": "measured training time (s), mean of seeds",
    }
    measured = m.function_seconds.mean(1)
    plotting.scatter(m.seconds[m.first], measured, axes[0, 0], **names, diagonal=True, title="Functions")
    return made


FIGURES: dict[str, Callable[[Sheet], Figure]] = {
    "accuracy.png": _draw_accuracy,
    "best_cells.png": _draw_best,
    "seeds.png": _draw_seeds,
    "size.png": _draw_size,
    "skips.png": _draw_skips,
    "epochs.png": _draw_epochs,
    "price.png": _draw_price,
}


def write(table: TableFile, folder: Path = FOLDER, space: CellSpace | None = None) -> None:
    """Writes README.md and the figures into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(render(table, space), encoding="utf-8")
    for name, figure in draw(table, space).items():
        # without the version of matplotlib, so that the same picture is the same file
        figure.savefig(folder / name, metadata={"Software": None})
        plt.close(figure)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "table", nargs="?", type=Path, default=TABLE_PATH, help="table file (default: the library's)"
    )
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to write into (default: docs/table)")
    arguments = parser.parse_args()
    plt.switch_backend("Agg")
    try:
        write(TableFile.read(arguments.table), arguments.out)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(str(error)) from None
    print(f"{arguments.out}/README.md and {len(FIGURES)} figures")


if __name__ == "__main__":
    main()
