"""Your own objective as a benchmark: a function of an architecture, trained live or predicted by a surrogate.

`FunctionBenchmark` asks the function once for each question and keeps the answer, in a folder if you name one, so that
a search goes on where it stopped and processes share what they find. Tables are in `nas_lib.benchmark`.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nas_lib._files import at
from nas_lib._numbers import is_integer, is_number
from nas_lib.benchmark import METRICS, Evaluation, Metric, _count, _require_metric
from nas_lib.spaces import Arch, Space

__all__ = ["FunctionBenchmark"]


class FunctionBenchmark:
    """A benchmark whose answers a function gives: trains a network, or asks a surrogate such as NAS-Bench-301's.

    Args:
        space: any object that follows the `Space` protocol.
        function: called with an architecture, and with `epochs` and `seed` if it has parameters of these names. Returns
            an `Evaluation`, a mapping with some of its fields (`valid` in percent, `test`, `seconds`, `params`,
            `macs`), or just the number `valid`. The same question has to get the same answer.
        epochs: length of full training, 1 where the function has no parameter `epochs`.
        seeds: training seeds per architecture, 1 where the function has no parameter `seed`.
        folder: where answers are kept, a small file each, written whole or not at all; made if it is not there. Any
            number of processes may share it.
        settings: whatever else the answers depend on (data, recipe), as JSON can hold it. A folder of other settings is
            refused.
        best: the best (architecture, value) there is, if you know it; or one for each metric, by its name.

    Attributes:
        calls: how often the function was called by this process.

    Raises:
        TypeError, ValueError: an argument that is no such thing, or a folder of another objective.
    """

    def __init__(
        self,
        space: Space,
        function: Callable[..., Any],
        *,
        epochs: int = 1,
        seeds: int = 1,
        folder: str | os.PathLike[str] | None = None,
        settings: Mapping[str, Any] | None = None,
        best: tuple[Arch, float] | Mapping[str, tuple[Arch, float]] | None = None,
    ) -> None:
        if not callable(function):
            raise TypeError(f"function must be a function of an architecture, got {function!r}")
        try:
            takes = set(inspect.signature(function).parameters)
        except (TypeError, ValueError):  # one that is not written in Python
            takes = set()
        for name, value in (("epochs", epochs), ("seeds", seeds)):
            if not is_integer(value) or value < 1:
                raise ValueError(f"{name} must be an integer from 1 up, got {value!r}")
            if value > 1 and name.replace("seeds", "seed") not in takes:
                raise ValueError(
                    f"{name} must be 1 for a function without a parameter of that name, got {value}"
                )
        self.space, self.epochs, self.seeds = space, int(epochs), int(seeds)
        self._function, self._takes = function, takes
        self._optimum = best
        self._known: dict[tuple[Arch, int, int], Evaluation] = {}
        self.calls = 0
        self._folder = None if folder is None else at(folder)
        if self._folder is not None:
            self._claim(self._folder, {} if settings is None else settings)

    def _claim(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Make the folder, or see that it belongs to this objective."""
        name = getattr(self._function, "__qualname__", type(self._function).__name__)
        try:
            what = {"function": name, "epochs": self.epochs, "seeds": self.seeds, "settings": dict(settings)}
            text = json.dumps(what, sort_keys=True, indent=1)
        except (TypeError, ValueError) as error:
            raise TypeError(f"settings must be data that JSON can hold, got {settings!r} ({error})") from None
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"folder must be a folder or not be there yet, got the file {folder}")
        folder.mkdir(parents=True, exist_ok=True)
        card = folder / "objective.json"
        if not card.exists():
            if any(file.suffix != ".part" for file in folder.iterdir() if file != card):
                raise ValueError(
                    f"folder must be empty or of this objective, got {folder}, which holds something else"
                )
            _write_whole(card, text)
        now = json.loads(text)
        try:
            before = json.loads(card.read_text("utf-8"))
        except ValueError:  # cut off, or no JSON
            before = None
        if not isinstance(before, dict):
            raise ValueError(
                f"folder must say in objective.json whose answers it holds, {card} cannot be read: name another folder"
            )
        differing = sorted(key for key in now.keys() | before.keys() if now.get(key) != before.get(key))
        if differing:
            raise ValueError(
                f"folder must hold answers of this very objective, {folder} differs in {', '.join(differing)}: "
                "name another one"
            )

    def query(self, arch: Arch, epochs: int | None = None, seed: int | None = None) -> Evaluation:
        """What the function says; arguments and result as in `TabularBenchmark.query`.

        The mean over seeds asks for each of them. Before the last epoch, `test` is None.

        Raises:
            TypeError, ValueError: `epochs` or `seed` is out of range, `arch` is not in the space, or what the function
                returns is no evaluation.
        """
        arch = self.space.from_index(self.space.index(arch))
        epoch = self.epochs if epochs is None else _count("epochs", epochs, 1, self.epochs, "full training")
        if seed is not None:
            return self._answer(arch, epoch, _count("seed", seed, 0, self.seeds - 1, "the mean over seeds"))
        answers = [self._answer(arch, epoch, one) for one in range(self.seeds)]
        return answers[0] if self.seeds == 1 else _mean(answers)

    def best(self, metric: Metric = "test") -> tuple[Arch, float]:
        """The best that there is, if it was given.

        Raises:
            NotImplementedError: nobody knows it; `compare` then measures against the best that it finds.
        """
        _require_metric(metric)
        optimum = self._optimum.get(metric) if isinstance(self._optimum, Mapping) else self._optimum
        if optimum is None:
            raise NotImplementedError(f"the best {metric} value of this objective is not known")
        return optimum

    def _answer(self, arch: Arch, epoch: int, seed: int) -> Evaluation:
        key = (arch, epoch, seed)
        if key not in self._known:
            kept = self._read(key)
            if kept is None:
                kept = self._call(arch, epoch, seed)
                self._keep(key, kept)
            self._known[key] = kept
        return self._known[key]

    def _call(self, arch: Arch, epoch: int, seed: int) -> Evaluation:
        self.calls += 1
        given = {name: value for name, value in (("epochs", epoch), ("seed", seed)) if name in self._takes}
        said = self._function(arch, **given)
        fields: dict[str, Any] = dict.fromkeys(Evaluation._fields)
        if isinstance(said, Evaluation):
            fields = said._asdict()
        elif isinstance(said, Mapping):
            unknown = sorted(map(str, said.keys() - fields.keys()))
            if unknown:
                raise ValueError(f"function must return fields of an Evaluation, got {', '.join(unknown)}")
            fields |= said
        else:
            fields["valid"] = said
        for name, value in fields.items():
            if value is None and name != "valid":
                continue
            try:
                number = value.item() if hasattr(value, "item") else value  # of numpy or torch
                fields[name] = _counted(name, number) if name in ("params", "macs") else float(number)
                fine = is_number(number) and math.isfinite(fields[name])
            except (TypeError, ValueError, OverflowError, RuntimeError):  # several numbers, or none
                fine = False
            if not fine:
                raise ValueError(f"function must return finite numbers, got {name}={value!r} for {arch}")
            if name not in METRICS and fields[name] < 0:
                raise ValueError(f"function must return {name} from 0 up, got {value!r} for {arch}")
        if epoch < self.epochs:
            fields["test"] = None
        return Evaluation(**fields)

    # ------------------------------------------------------------------------------------------- the folder

    def _file(self, key: tuple[Arch, int, int]) -> Path:
        assert self._folder is not None
        name = hashlib.sha256(self._spelt(key).encode()).hexdigest()[:32]
        return self._folder / f"{name}.json"

    def _spelt(self, key: tuple[Arch, int, int]) -> str:
        arch, epoch, seed = key
        spelt = self.space.str(arch)
        if re.search(r" at 0x[0-9a-fA-F]+>", spelt):
            raise ValueError(
                f"folder must be None where architectures are spelt by an address, which is another one in the next "
                f"process, got {spelt}: give the space options with a name, or parse and spell"
            )
        return f"{spelt} | epochs {epoch} | seed {seed}"

    def _read(self, key: tuple[Arch, int, int]) -> Evaluation | None:
        if self._folder is None:
            return None
        file = self._file(key)
        try:
            kept = json.loads(file.read_text("utf-8"))
            answer = Evaluation(**kept["answer"])
            whole = math.isfinite(answer.valid) and all(one is None or is_number(one) for one in answer)
        except (OSError, ValueError, KeyError, TypeError):  # not there, or not whole: as good as never asked
            return None
        return answer if whole and kept.get("of") == self._spelt(key) else None

    def _keep(self, key: tuple[Arch, int, int], answer: Evaluation) -> None:
        if self._folder is not None:
            _write_whole(self._file(key), json.dumps({"of": self._spelt(key), "answer": answer._asdict()}))

    def __repr__(self) -> str:
        name = getattr(self._function, "__qualname__", repr(self._function))
        return f"FunctionBenchmark({name} of {self.space!r}: {self.seeds} seeds, {self.epochs} epochs)"


def _counted(name: str, number: Any) -> int:
    """A count as an integer; ValueError where it is a fraction."""
    if int(number) != number:
        raise ValueError(f"{name} must be a whole number, got {number!r}")
    return int(number)


def _mean(answers: list[Evaluation]) -> Evaluation:
    """Of each field that all answers have; counts are the same for all seeds."""
    found: dict[str, Any] = {}
    for name in Evaluation._fields:
        values = [getattr(answer, name) for answer in answers]
        found[name] = None if None in values else float(np.mean(values))
    for name in ("params", "macs"):
        found[name] = getattr(answers[0], name)
    return Evaluation(**found)


def _write_whole(path: Path, text: str) -> None:
    """The file is whole or not there, whoever else writes it at the same time."""
    handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(fresh, path)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise
