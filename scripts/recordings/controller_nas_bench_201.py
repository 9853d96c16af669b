"""Records how the LSTM controller does on real NAS-Bench-201, beside the library's other searches.

    NAS_SHARED_DATA=/folder/of/nb201_cifar10.npz \\
        python -m scripts.recordings.controller_nas_bench_201 record    a quarter of an hour
    python -m scripts.recordings.controller_nas_bench_201 merge
                                                  -> nas_lib/assets/controller_nas_bench_201.json

Lesson 03 shows the result. The learning rate is chosen beforehand, on other seeds, by what the
searches themselves see.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from nas_lib import real_data
from nas_lib.benchmark import TabularBenchmark
from nas_lib.controller import LSTMReinforce
from nas_lib.search import Comparison, RandomSearch, SearcherFactory, compare
from nas_lib.searchers import HillClimbing, RegularizedEvolution, Reinforce
from scripts import recording
from scripts.recording import Recording, Row, Rows

FIRST_TRIAL = 100_000
"""Seed of the first trial of a learning rate."""
RATES = (0.0005, 0.001, 0.002, 0.005, 0.01)
CONTROLLER = "REINFORCE, LSTM controller"
OTHERS: dict[str, SearcherFactory] = {
    "random search": RandomSearch,
    "regularized evolution": RegularizedEvolution,
    "local search": partial(HillClimbing, move="first"),
    "REINFORCE, independent softmaxes": Reinforce,
}


def best_rate(trials: Iterable[Row]) -> float:
    """The learning rate whose trials saw the best accuracy; they are in the order of `RATES`."""
    return RATES[int(np.argmax([row["seen"] for row in trials]))]


@dataclass(frozen=True)
class Controllers:
    """A sweep over learning rates on seeds of its own, then runs of each method."""

    runs: int = 100
    trials: int = 24
    folder: Path = Path(__file__).with_suffix("")

    @cached_property
    def recording(self) -> Recording:
        """Of these settings."""
        jobs: dict[str, tuple[str | float, ...]] = {f"{rate:g}": (rate,) for rate in RATES}
        jobs |= {name: (name,) for name in (*OTHERS, CONTROLLER)}
        settings = {"seconds": real_data.SECONDS, "runs": self.runs, "sweep_runs": self.trials}
        target = real_data.CONTROLLER_RUNS
        return Recording(jobs, self.do, self.merge, settings, self.folder, target)

    @cached_property
    def benchmark(self) -> TabularBenchmark:
        """NAS-Bench-201.

        Raises:
            FileNotFoundError: it is not here.
        """
        path = real_data.find_nas_bench_201()
        if path is None:
            raise FileNotFoundError(
                f"{real_data.FILE} is not here: {real_data.FOLDER_VARIABLE} names its folder"
            )
        return real_data.nas_bench_201(path)

    def do(self, what: str | float) -> Row:
        """Try a learning rate, or run a method."""
        if isinstance(what, float):
            seeds = range(FIRST_TRIAL, FIRST_TRIAL + self.trials)
            tried = self.compared(partial(LSTMReinforce, learning_rate=what), seeds)
            seen = [history.best()[1] for history in tried.histories[""]]
            return {"seen": round(sum(seen) / self.trials, 3)}
        factory = self.controller() if what == CONTROLLER else OTHERS[what]
        found = self.compared(factory, range(self.runs))
        distinct = [len(set(run.archs)) / len(run) for run in found.histories[""]]
        return {
            "distinct": round(sum(distinct) / self.runs, 3),
            "valid_acc_200": [round(float(value), 3) for value in found.values[""][:, -1]],
        }

    def controller(self) -> SearcherFactory:
        """With the learning rate that did best in the sweep."""
        rate = best_rate(self.recording.need(*(f"{rate:g}" for rate in RATES)))
        return partial(LSTMReinforce, learning_rate=rate)

    def compared(self, factory: SearcherFactory, seeds: range) -> Comparison:
        """Runs of one method, under no name."""
        return compare(
            {"": factory}, self.benchmark, real_data.SECONDS, seeds, unit="seconds", progress=False
        )

    def merge(self, rows: Rows, target: Path) -> None:
        """The sweep, and for each method how far it repeats itself and what its runs found."""
        sweep = {f"{rate:g}": rows[f"{rate:g}"]["seen"] for rate in RATES}
        methods = {name: rows[name] for name in (*OTHERS, CONTROLLER)}
        data = {
            "seconds": real_data.SECONDS,
            "learning_rate": best_rate(rows[rate] for rate in sweep),
            "sweep": sweep,
            "sweep_runs": self.trials,
        }
        for name in ("distinct", "valid_acc_200"):
            data[name] = {method: row[name] for method, row in methods.items()}
        recording.write_json(target, data)


if __name__ == "__main__":
    recording.main(__doc__, Controllers())
