"""Record how the LSTM controller does on real NAS-Bench-201, beside the library's other searches.

    NAS_SHARED_DATA=/folder/of/nb201_cifar10.npz python -m scripts.recordings.controller_nas_bench_201

Lesson 03 shows the result (`nas_lib/assets/controller_nas_bench_201.json`); a quarter of an hour is too long
for a notebook. The learning rate is chosen beforehand, on other seeds, by what the searches themselves see.
"""

from __future__ import annotations

import json
from functools import partial

import torch

from nas_lib import real_data
from nas_lib.controller import LSTMReinforce
from nas_lib.search import RandomSearch, SearcherFactory, compare
from nas_lib.searchers import HillClimbing, RegularizedEvolution, Reinforce

RUNS, TRIALS, FIRST_TRIAL = 100, 24, 100_000
RATES = (0.0005, 0.001, 0.002, 0.005, 0.01)
TARGET = real_data.CONTROLLER_RUNS

OTHERS: dict[str, SearcherFactory] = {
    "random search": RandomSearch,
    "regularized evolution": RegularizedEvolution,
    "local search": partial(HillClimbing, move="first"),
    "REINFORCE, independent softmaxes": Reinforce,
}


def record(runs: int = RUNS, trials: int = TRIALS) -> dict[str, object]:
    """The study: a sweep over learning rates on seeds of its own, then `runs` runs of each method."""
    path = real_data.find_nas_bench_201()
    if path is None:
        raise SystemExit(f"{real_data.FILE} is not here: {real_data.FOLDER_VARIABLE} names its folder.")
    benchmark = real_data.nas_bench_201(path)
    sweep = {
        rate: compare(
            {"LSTM": partial(LSTMReinforce, learning_rate=rate)},
            benchmark,
            real_data.SECONDS,
            range(FIRST_TRIAL, FIRST_TRIAL + trials),
            unit="seconds",
        )
        for rate in RATES
    }
    seen = {
        rate: sum(history.best()[1] for history in one.histories["LSTM"]) / trials
        for rate, one in sweep.items()
    }
    rate = max(seen, key=lambda one: seen[one])
    methods = OTHERS | {"REINFORCE, LSTM controller": partial(LSTMReinforce, learning_rate=rate)}
    found = compare(methods, benchmark, real_data.SECONDS, runs, unit="seconds")
    distinct = {
        name: sum(len(set(run.archs)) / len(run) for run in histories) / runs
        for name, histories in found.histories.items()
    }
    return {
        "seconds": real_data.SECONDS,
        "learning_rate": rate,
        "sweep": {f"{rate:g}": round(value, 3) for rate, value in seen.items()},
        "sweep_runs": trials,
        "distinct": {name: round(share, 3) for name, share in distinct.items()},
        "valid_acc_200": {
            name: [round(float(value), 3) for value in values[:, -1]] for name, values in found.values.items()
        },
    }


def main() -> None:
    """Record, and write the file."""
    torch.set_num_threads(1)
    TARGET.write_text(json.dumps(record(), indent=None, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"wrote {TARGET}")


if __name__ == "__main__":
    main()
