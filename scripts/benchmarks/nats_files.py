"""Writes NATS-Bench files with made-up numbers, for tests and benchmarks of what reads them."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any


def write_nats(folder: Path, kind: str, form: str, archs: list[str], trainings: int = 2) -> Path:
    """Files in the real format, by the package's own classes: accuracies follow from index, epoch and seed.

    Args:
        folder: where to.
        kind: "topology" or "size".
        form: "file" or "folder".
        archs: official strings, in the order of their numbers.
        trainings: of each, 1 to 3.

    Returns:
        What `nats_bench.create` opens. The package is needed.
    """
    package = importlib.import_module("nats_bench")
    name, lengths = {
        "topology": ("NATS-tss-v1_0-3ffb9", (12, 200)),
        "size": ("NATS-sss-v1_0-50262", (1, 12, 90)),
    }[kind]
    infos: dict[int, dict[str, Any]] = {}
    for index, arch in enumerate(archs):
        infos[index] = {}
        for length in lengths:
            result = package.ArchResults(index, arch)
            for dataset, sets in (
                ("cifar10-valid", ("x-valid", "ori-test")),
                ("cifar10", ("ori-test",)),
                ("cifar100", ("x-valid", "x-test", "ori-test")),
            ):
                for seed in (777, 888, 999)[:trainings]:
                    epochs = range(length)
                    config = {"arch_str": arch} if kind == "topology" else {"name": "infer.shape.tiny"}
                    count = package.ResultsCount(
                        dataset, None, {}, {}, 0.5 + index, 20.0 + index, config, seed, length, None
                    )
                    accuracy = {e: 10 * index + e / 10 + seed / 1_000 for e in epochs}
                    ones = dict.fromkeys(epochs, 1.0)
                    count.update_train_info(accuracy, None, ones, dict.fromkeys(epochs, 7.0))
                    for part in sets:
                        kept = [length - 1] if dataset == "cifar100" else epochs  # as in the real files
                        count.eval_names.append(part)
                        for e in kept:
                            key = f"{part}@{e}"
                            count.eval_acc1es[key] = accuracy[e] + len(part) / 100
                            count.eval_losses[key] = 1.0
                            count.eval_times.update({f"{part}@{i}": 2.0 for i in epochs})
                    result.update(dataset, seed, count)
            infos[index][f"{length:02d}"] = result.state_dict()
    if form == "file":
        content = {"meta_archs": archs, "arch2infos": infos, "evaluated_indexes": list(infos)}
        package.pickle_save(content, str(folder / f"{name}.pickle"))
        return folder / f"{name}.pickle.pbz2"
    (folder / f"{name}-simple").mkdir()
    package.pickle_save({"meta_archs": archs}, str(folder / f"{name}-simple" / "meta.pickle"))
    for index, info in infos.items():
        package.pickle_save(info, str(folder / f"{name}-simple" / f"{index:06d}.pickle"))
    return folder / f"{name}-simple"
