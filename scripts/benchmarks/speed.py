"""What the course's own parts take, each beside a public peer or the bare loop, in one run: a table of ratios.

    OMP_NUM_THREADS=1 python -m scripts.benchmarks.speed             measure and print (some minutes)
    OMP_NUM_THREADS=1 python -m scripts.benchmarks.speed record      and add the result to history.jsonl
    python -m scripts.benchmarks.speed show                          the last result, beside the one before it

`--grading` measures grading too (minutes more), `--only PART …` some parts alone. Both sides of a ratio take turns
within one process and a ratio is taken within each round, since machines are rarely idle: the times themselves say
little about another machine, or about another hour on this one. Where it can be, time is the processor's.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from nas_lib.benchmark import NATSBench, TabularBenchmark

HISTORY = Path(__file__).with_name("history.jsonl")
ROOT = Path(__file__).resolve().parents[2]
CELLS = 60
"""Cells in the NATS-Bench file that is made up; loading is compared per cell."""


@dataclass(frozen=True)
class Ratio:
    """Our time over the peer's: the median of the rounds, the least and the largest."""

    part: str
    ours: str
    peer: str
    median: float
    low: float
    high: float
    most: float | None = None
    """What it shall not exceed, where there is such an aim."""

    def __str__(self) -> str:
        aim = "" if self.most is None else f"≤ {self.most:.2g}"
        spread = f"{self.low:.3g}–{self.high:.3g}"
        return f"{self.ours:<57}{self.peer:<38}{self.median:8.3g}  {spread:>16}  {aim}".rstrip()


Call = Callable[[], object]


def ratio_of(
    part: str, ours: str, peer: str, calls: tuple[Call, Call], rounds: int, most: float | None = None
) -> Ratio:
    """Times the two in turn by the processor's clock; a round more comes first and is dropped."""
    return _ratio(part, ours, peer, [[_cpu(call) for call in calls] for _ in range(rounds + 1)][1:], most)


def _ratio(part: str, ours: str, peer: str, times: Sequence[Sequence[float]], most: float | None) -> Ratio:
    found = np.array([mine / theirs for mine, theirs in times])
    return Ratio(part, ours, peer, float(np.median(found)), float(found.min()), float(found.max()), most)


def _cpu(call: Call) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


# ------------------------------------------------------------------------------------------------ the parts


def tables(rounds: int) -> Iterator[Ratio]:
    """Loading and asking, against nats_bench on a file of its own format."""
    from scripts.benchmarks.nats_files import write_nats

    package = importlib.import_module("nats_bench")
    table = TabularBenchmark.load()
    archs = [table.space.from_index(i) for i in range(0, len(table), len(table) // CELLS)][:CELLS]
    spelt = [table.space.str(arch) for arch in archs]
    with tempfile.TemporaryDirectory() as folder:
        path = write_nats(Path(folder), "topology", "file", spelt)

        def create() -> Any:
            return package.create(str(path), "tss", fast_mode=False, verbose=False)

        many = len(table) // CELLS  # so that both load as many cells

        def load_theirs() -> None:
            for _ in range(3):
                create()

        loads = [(_cpu(TabularBenchmark.load), many / 3 * _cpu(load_theirs)) for _ in range(rounds)]
        yield _ratio("tables", "load the table", "nats_bench, its file, as many cells", loads, None)
        api, adapter = create(), NATSBench(path)

        def ask(query: Callable[[Any], object], what: Sequence[Any]) -> Call:
            return lambda: [query(one) for _ in range(20) for one in what]

        theirs = ask(lambda text: api.get_more_info(text, "cifar10-valid", hp="200", is_random=False), spelt)
        peer = "nats_bench, get_more_info of a cell"
        yield ratio_of("tables", "ask the table for a cell", peer, (ask(table.query, archs), theirs), rounds)
        yield ratio_of(
            "tables", "ask NATSBench again for a cell", peer, (ask(adapter.query, archs), theirs), rounds
        )


def searches(rounds: int) -> Iterator[Ratio]:
    """`compare` against loops without protocol, costs and checks."""
    from scripts.benchmarks import search

    table = TabularBenchmark.load()
    for name in search.BARE:
        if name in search.UNEQUAL:
            continue
        times = [search.against_bare(name, table, runs=100, rounds=1) for _ in range(rounds)]
        yield _ratio("searches", f"compare, {name}", "the bare loop", times, search.MOST)


def packing(rounds: int) -> Iterator[Ratio]:
    """Training three seeds at once, against one after the other."""
    from nas_lib.training import RECIPE
    from scripts.benchmarks import packed

    costs = packed.measure(
        packed.random_cells(3), packed.shortened(RECIPE, 16), counts=(3,), repeats=rounds, progress=False
    )
    times = np.stack([costs[3][:, :, 1].sum(axis=1), costs[packed.PLAIN][:, :, 1].sum(axis=1)], axis=1)
    yield _ratio(
        "packing", "train 3 seeds at once, per network", "train each by itself", times.tolist(), None
    )


def supernets(rounds: int) -> Iterator[Ratio]:
    """One DARTS update of the batched supernet, against every operation by itself."""
    from scripts.benchmarks import darts

    for size in ("course", "NAS-Bench-201, C=16"):
        for memory, memory_format in darts.FORMATS.items():
            row = darts.measure(darts.SIZES[size], memory_format, rounds)
            ours = f"update the supernet, {size}, {memory}"
            ratios = [1 / one for one in row.ratios]
            yield Ratio(
                "supernets",
                ours,
                "every operation by itself",
                float(np.median(ratios)),
                min(ratios),
                max(ratios),
                1 / 1.5,
            )


def imports(rounds: int) -> Iterator[Ratio]:
    """A fresh Python that imports a module of the library, against one that imports what it rests on."""
    for module, peer in (("nas_lib.networks", "torch"), ("nas_lib.searchers", "numpy")):
        times = [[_started(f"import {name}") for name in (module, peer)] for _ in range(rounds + 1)][1:]
        yield _ratio("imports", f"import {module}", f"import {peer}", times, None)


def _started(source: str) -> float:
    """Processor seconds of a Python that runs this."""
    before = os.times()
    subprocess.run([sys.executable, "-c", source], check=True, cwd=ROOT)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def grading(rounds: int) -> Iterator[Ratio]:
    """Processor time per submission, in the sandbox and with the checks, against plain nbgrader, which refuses them."""
    from scripts.benchmarks import grading as both

    times = []
    for _ in range(rounds):
        done = both.measure(both.parser_of_this().parse_args(["--count", "12", "--plain", "4"]))
        times.append((done.ours_cpu, done.plain_cpu))
    yield _ratio("grading", "grade a submission, sandboxed", "nbgrader autograde, no checks run", times, None)


PARTS: dict[str, tuple[Callable[[int], Iterator[Ratio]], int]] = {
    "tables": (tables, 7),
    "searches": (searches, 5),
    "packing": (packing, 5),
    "supernets": (supernets, 5),
    "imports": (imports, 5),
    "grading": (grading, 1),
}
"""By name what measures, and how many rounds count."""


# ---------------------------------------------------------------------------------------- results and history


@dataclass(frozen=True)
class Result:
    """One run: when, of which state of the repository, on what, under what load, and the ratios."""

    day: str
    commit: str
    machine: str
    versions: dict[str, str]
    load: tuple[float, float]
    """Mean number of running processes in the minute before the run, and in its last one."""
    ratios: tuple[Ratio, ...]

    @classmethod
    def read(cls, line: str) -> Result:
        """One line of the history."""
        told = json.loads(line)
        told["ratios"] = tuple(Ratio(**one) for one in told["ratios"])
        told["load"] = tuple(told["load"])
        return cls(**told)

    def line(self) -> str:
        """The run as a line of the history."""
        rounded = asdict(self)
        for one in rounded["ratios"]:
            one.update({name: float(f"{one[name]:.3g}") for name in ("median", "low", "high")})
        return json.dumps(rounded, ensure_ascii=False)

    def head(self) -> str:
        """On what it was measured."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return (
            f"{self.day}, commit {self.commit}: {self.machine}; {versions}; "
            f"{self.load[0]:.1f} to {self.load[1]:.1f} processes running"
        )


def measure(parts: Sequence[str], rounds: int | None = None, show: bool = True) -> Result:
    """All parts of these names, printed as they come."""
    before = os.getloadavg()[0]
    ratios = []
    for name in parts:
        function, usual = PARTS[name]
        for ratio in function(usual if rounds is None else rounds):
            ratios.append(ratio)
            if show:
                print(ratio, flush=True)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT, check=False
    ).stdout.strip()
    versions = {"Python": platform.python_version()}
    versions |= {name: metadata.version(name) for name in ("numpy", "torch")}
    load = (before, os.getloadavg()[0])
    return Result(date.today().isoformat(), commit, _machine(), versions, load, tuple(ratios))


def _machine() -> str:
    names = []
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def history(path: Path = HISTORY) -> list[Result]:
    """What was recorded, the oldest first."""
    return [Result.read(line) for line in path.read_text(encoding="utf-8").splitlines()]


def markdown(result: Result) -> str:
    """The table that the README shows."""
    lines = ["| ours | beside | our time over theirs |", "|---|---|---:|"]
    lines += [
        f"| {one.ours} | {one.peer} | {one.median:.2g} ({one.low:.2g}–{one.high:.2g}) |"
        for one in result.ratios
    ]
    return "\n".join(lines)


def compared(results: Sequence[Result]) -> str:
    """The last run as a table, with the ratios of the one before."""
    last = results[-1]
    before = {one.ours: one.median for one in results[-2].ratios} if len(results) > 1 else {}
    lines = [last.head(), "our time over the peer's: median, least and largest of the rounds, aim"]
    for one in last.ratios:
        lines.append(f"{one}" + (f"   before: {before[one.ours]:.3g}" if one.ours in before else ""))
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "what", nargs="?", choices=["measure", "record", "show", "markdown"], default="measure"
    )
    parser.add_argument("--only", nargs="+", choices=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--grading", action="store_true", help="grading too")
    parser.add_argument("--rounds", type=int, help="rounds that count (default: as each part says)")
    given = parser.parse_args(arguments)
    if given.rounds is not None and given.rounds < 1:
        parser.error(f"--rounds must be at least 1, got {given.rounds}")
    if given.what in ("show", "markdown"):
        results = history()
        print(compared(results) if given.what == "show" else markdown(results[-1]))
        return
    import torch

    torch.set_num_threads(1)
    parts = given.only or [name for name in PARTS if name != "grading" or given.grading]
    result = measure(parts, given.rounds)
    print(result.head())
    if given.what == "record":
        with HISTORY.open("a", encoding="utf-8") as file:
            file.write(result.line() + "\n")


if __name__ == "__main__":
    main()
