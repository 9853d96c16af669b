"""Records how the LSTM controller does on real NAS-Bench-201, beside the library's other searches.

    NAS_SHARED_DATA=/folder/of/nb201_cifar10.npz \\
        python -m scripts.recordings.controller_nas_bench_201 record    a quarter of an hour
    python -m scripts.recordings.controller_nas_bench_201 merge
                                                  -> nas_lib/assets/controller_nas_bench_201.json

Lesson 03 shows the result. What can be tuned is tuned alike: settings are chosen beforehand, on
other seeds, by what the searches themselves see. Beside it stand the settings of the literature.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from nas_lib import real_data
from nas_lib.benchmark import TabularBenchmark
from nas_lib.controller import LSTMReinforce
from nas_lib.search import Comparison, RandomSearch, SearcherFactory, compare
from nas_lib.searchers import HillClimbing, RegularizedEvolution, Reinforce
from scripts import recording
from scripts.recording import Recording, Row, Rows

FIRST_TRIAL = 100_000
"""Seed of the first trial of a setting."""
SETTINGS: dict[str, dict[str, SearcherFactory]] = {
    "regularized evolution": {
        f"population {population}, sample {sample}": partial(
            RegularizedEvolution, population=population, sample=sample
        )
        for population in (10, 20, 50)
        for sample in (3, 10)
    },
    "local search": {move: partial(HillClimbing, move=move) for move in ("best", "first")},
    "REINFORCE, independent softmaxes": {
        f"{rate:g}": partial(Reinforce, learning_rate=rate) for rate in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
    },
    "REINFORCE, LSTM controller": {
        f"{rate:g}": partial(LSTMReinforce, learning_rate=rate)
        for rate in (0.0005, 0.001, 0.002, 0.005, 0.01)
    },
}
"""What is tried of each method that has something to set."""
LITERATURE: dict[str, SearcherFactory] = {
    "random search": RandomSearch,
    "regularized evolution": RegularizedEvolution,
    "REINFORCE, independent softmaxes": Reinforce,
}


def trial(name: str, setting: str) -> str:
    """The key of the job that tries a setting of a method."""
    return f"{name}: {setting}"


def tuned(name: str) -> str:
    """What the runs of a method are called that has the best of its settings."""
    return f"{name}, tuned"


def best_setting(name: str, rows: Rows) -> str:
    """The setting of a method whose trials saw the best accuracy."""
    return max(SETTINGS[name], key=lambda setting: rows[trial(name, setting)]["seen"])


@dataclass(frozen=True)
class Controllers:
    """Trials of each method's settings on seeds of their own, then runs of each method."""

    runs: int = 100
    trials: int = 24
    folder: Path = Path(__file__).with_suffix("")

    @cached_property
    def recording(self) -> Recording:
        """Of these settings."""
        jobs: dict[str, tuple[str, ...]] = {
            trial(name, setting): (name, setting) for name in SETTINGS for setting in SETTINGS[name]
        }
        jobs |= {name: (name,) for name in (*LITERATURE, *map(tuned, SETTINGS))}
        settings = {"seconds": real_data.SECONDS, "runs": self.runs, "trials": self.trials}
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

    def do(self, name: str, setting: str | None = None) -> Row:
        """Try a setting of a method, or run one."""
        if setting is not None:
            seeds = range(FIRST_TRIAL, FIRST_TRIAL + self.trials)
            tried = self.compared(SETTINGS[name][setting], seeds)
            seen = [history.best()[1] for history in tried.histories[""]]
            return {"seen": round(sum(seen) / self.trials, 3)}
        found = self.compared(LITERATURE.get(name) or self.tuned(name), range(self.runs))
        distinct = [len(set(run.archs)) / len(run) for run in found.histories[""]]
        return {
            "distinct": round(sum(distinct) / self.runs, 3),
            "valid_acc_200": [round(float(value), 3) for value in found.values[""][:, -1]],
        }

    def tuned(self, called: str) -> SearcherFactory:
        """A method with the setting that did best in its trials."""
        (name,) = (one for one in SETTINGS if tuned(one) == called)
        keys = [trial(name, setting) for setting in SETTINGS[name]]
        rows = dict(zip(keys, self.recording.need(*keys)))
        return SETTINGS[name][best_setting(name, rows)]

    def compared(self, factory: SearcherFactory, seeds: range) -> Comparison:
        """Runs of one method, under no name."""
        return compare(
            {"": factory}, self.benchmark, real_data.SECONDS, seeds, unit="seconds", progress=False
        )

    def merge(self, rows: Rows, target: Path) -> None:
        """The trials, what was chosen, and for each method how far it repeats itself and what its runs found."""
        data: Row = {"seconds": real_data.SECONDS, "trials": self.trials}
        data["chosen"] = {name: best_setting(name, rows) for name in SETTINGS}
        data["seen"] = {
            name: {setting: rows[trial(name, setting)]["seen"] for setting in SETTINGS[name]}
            for name in SETTINGS
        }
        methods = (*LITERATURE, *map(tuned, SETTINGS))
        for column in ("distinct", "valid_acc_200"):
            data[column] = {name: rows[name][column] for name in methods}
        recording.write_json(target, data)


if __name__ == "__main__":
    recording.main(__doc__, Controllers())
