"""A user's own objective: answers are asked for once, kept whole, and shared; and the page that shows it runs."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
import torch

from autograder.author import running
from nas_lib.benchmark import Evaluation
from nas_lib.objectives import FunctionBenchmark
from nas_lib.search import RandomSearch, compare, run
from nas_lib.searchers import RegularizedEvolution
from nas_lib.spaces import ProductSpace

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "notebooks" / "bring_your_own.md"
SPACE = ProductSpace({"depth": (1, 2, 3), "width": (4, 8, 16)})


def train(arch: Any, epochs: int, seed: int) -> dict[str, Any]:
    value = 10 * arch.depth + arch.width + epochs / 10 + seed / 100
    return {"valid": value, "test": value - 1, "seconds": 2.0 * epochs, "params": arch.width, "macs": None}


# ------------------------------------------------------------------------------------------------ answers


def test_answers_are_the_function_s_and_their_means() -> None:
    bench = FunctionBenchmark(SPACE, train, epochs=4, seeds=3)
    assert bench.query((2, 8), 4, 1) == Evaluation(28.41, 27.41, 8.0, 8, None)
    assert bench.query((2, 8)) == pytest.approx(Evaluation(28.41, 27.41, 8.0, 8, None))
    assert bench.query((2, 8), epochs=1, seed=0) == Evaluation(28.1, None, 2.0, 8, None)
    assert bench.calls == 4  # three seeds at the end, one after the first epoch
    bench.query((2, 8), 4, 2)
    assert bench.calls == 4


@pytest.mark.parametrize(
    "said",
    [71, 71.0, np.float32(71), torch.tensor(71.0), {"valid": 71}, Evaluation(71, None, None, None, None)],
)
def test_a_number_will_do(said: Any) -> None:
    answer = FunctionBenchmark(SPACE, lambda arch: said).query((1, 4))
    assert answer == Evaluation(71.0, None, None, None, None) and type(answer.valid) is float


def test_searches_and_comparisons_take_it_where_nobody_knows_the_best(tmp_path: Path) -> None:
    bench = FunctionBenchmark(SPACE, train, epochs=4, seeds=2, folder=tmp_path / "deep" / "answers")
    assert run(RandomSearch, bench, 9, 0).best()[0] == (3, 16)
    with pytest.raises(NotImplementedError, match="the best test value of this objective is not known"):
        bench.best()
    result = compare({"r": RandomSearch}, bench, 4, 3, noise=True, progress=False)
    assert not result.best_is_known and result.best == result.values["r"].max()
    known = FunctionBenchmark(SPACE, train, epochs=4, seeds=2, best={"test": ((3, 16), 45.4)})
    assert known.best() == ((3, 16), 45.4)
    assert compare({"r": RandomSearch}, known, 9, 3, progress=False).final["r"] == pytest.approx(
        45.4 - (30 + 16 + 0.4 + 0.005 - 1)
    )


# ----------------------------------------------------------------------------------------------- the folder


def test_what_is_in_the_folder_is_not_asked_again(tmp_path: Path) -> None:
    first = FunctionBenchmark(SPACE, train, epochs=4, seeds=2, folder=tmp_path)
    answers = {arch: first.query(arch) for arch in SPACE}
    assert first.calls == 18 and len(list(tmp_path.glob("*.json"))) == 19  # and the card of the objective
    second = FunctionBenchmark(SPACE, train, epochs=4, seeds=2, folder=tmp_path)
    assert {arch: second.query(arch) for arch in SPACE} == answers and second.calls == 0


def test_an_answer_that_is_cut_off_or_another_s_is_asked_again(tmp_path: Path) -> None:
    first = FunctionBenchmark(SPACE, train, epochs=4, seeds=1, folder=tmp_path)
    files = []
    for arch in list(SPACE)[:3]:
        before = set(tmp_path.iterdir())
        first.query(arch)
        files += set(tmp_path.iterdir()) - before
    files[0].write_text(files[0].read_text()[:-9])
    files[1].write_text(files[2].read_text())
    again = FunctionBenchmark(SPACE, train, epochs=4, seeds=1, folder=tmp_path)
    assert [again.query(arch) for arch in list(SPACE)[:3]] == [first.query(arch) for arch in list(SPACE)[:3]]
    assert again.calls == 2


def test_an_error_leaves_what_is_finished(tmp_path: Path) -> None:
    def fragile(arch: Any) -> float:
        if arch == (3, 16):
            raise MemoryError
        return float(arch.width)

    bench = FunctionBenchmark(SPACE, fragile, folder=tmp_path)
    with pytest.raises(MemoryError):
        run(RandomSearch, bench, 9, seed=0)
    kept = [json.loads(file.read_text()) for file in tmp_path.glob("*.json") if file.name != "objective.json"]
    assert len(kept) == bench.calls - 1 and not list(tmp_path.glob("*.part"))


def test_a_folder_of_another_objective_is_refused(tmp_path: Path) -> None:
    FunctionBenchmark(SPACE, train, epochs=4, folder=tmp_path / "a", settings={"lr": 0.1})
    for options, differing in (
        ({"settings": {"lr": 0.2}}, "settings"),
        ({"settings": {"lr": 0.1}, "epochs": 5}, "epochs"),
        ({"function": lambda arch, epochs: 1.0, "settings": {"lr": 0.1}}, "function"),
    ):
        with pytest.raises(
            ValueError, match=f"answers of this very objective, .* differs in {differing}: name another"
        ):
            FunctionBenchmark(SPACE, **({"function": train, "epochs": 4, "folder": tmp_path / "a"} | options))
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="got the file"):
        FunctionBenchmark(SPACE, train, folder=tmp_path / "file")
    with pytest.raises(ValueError, match="holds something else"):
        FunctionBenchmark(SPACE, train, folder=tmp_path)
    with pytest.raises(TypeError, match="settings must be data that JSON can hold"):
        FunctionBenchmark(SPACE, train, folder=tmp_path / "b", settings={"net": object()})


def test_processes_share_a_folder(tmp_path: Path) -> None:
    alone = FunctionBenchmark(SPACE, train, epochs=4, seeds=2)
    shared = FunctionBenchmark(SPACE, train, epochs=4, seeds=2, folder=tmp_path)
    methods: dict[str, Any] = {
        "r": RandomSearch,
        "e": lambda s, rng: RegularizedEvolution(s, rng, population=3),
    }
    a = compare(methods, alone, 6, 6, noise=True, progress=False)
    b = compare(methods, shared, 6, 6, noise=True, progress=False, jobs=2)
    for name in methods:
        np.testing.assert_array_equal(a.values[name], b.values[name])
    assert shared.calls == 0 and len(list(tmp_path.glob("*.json"))) == alone.calls + 1


# ------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"function": 3}, TypeError, "function must be a function of an architecture, got 3"),
        ({"epochs": 0}, ValueError, "epochs must be an integer from 1 up, got 0"),
        ({"seeds": True}, ValueError, "seeds must be an integer from 1 up, got True"),
        ({"function": len, "epochs": 2}, ValueError, "epochs must be 1 for a function without a parameter"),
        ({"function": lambda arch: 1, "seeds": 2}, ValueError, "seeds must be 1 for a function without"),
    ],
)
def test_bad_objectives_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        FunctionBenchmark(SPACE, **({"function": train} | options))


@pytest.mark.parametrize(
    "said", [None, math.nan, "71", True, {"valid": 1, "seconds": math.inf}, {"test": 1}, [1]]
)
def test_what_is_no_evaluation_is_refused_and_not_kept(said: Any, tmp_path: Path) -> None:
    bench = FunctionBenchmark(SPACE, lambda arch: said, folder=tmp_path)
    with pytest.raises(ValueError, match=r"function must return finite numbers, got \w+="):
        bench.query((1, 4))
    assert [file.name for file in tmp_path.iterdir()] == ["objective.json"]
    with pytest.raises(ValueError, match="fields of an Evaluation, got accuracy"):
        FunctionBenchmark(SPACE, lambda arch: {"accuracy": 1}).query((1, 4))


def test_bad_questions_are_refused() -> None:
    bench = FunctionBenchmark(SPACE, train, epochs=4, seeds=3)
    for question, message in (
        ({"epochs": 5}, "epochs must be an integer from 1 to 4"),
        ({"seed": 3}, "seed must be an integer from 0 to 2"),
    ):
        with pytest.raises(ValueError, match=message):
            bench.query((1, 4), **question)
    with pytest.raises(ValueError, match="arch must be in this space"):
        bench.query((1, 5))
    assert bench.calls == 0


# ------------------------------------------------------------------------------------------------- the page


def test_the_page_s_program_runs_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 8
    program = tmp_path / "mine.py"
    program.write_text("\n\n".join(blocks), encoding="utf-8")

    def execute() -> str:
        done = subprocess.run(
            [sys.executable, str(program)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    said = execute()
    assert "56 architectures" in said and "points below the best found" in said
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "answers").iterdir()}
    assert len(kept) > 20
    assert execute() == said  # the same results, and nothing trained again
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "answers").iterdir()} == kept


def test_the_project_s_template_runs_as_it_is() -> None:
    notebook = nbformat.read(ROOT / "notebooks" / "project_template.ipynb", as_version=4)
    running.execute(notebook)
    said = "".join(
        one.text for cell in notebook.cells for one in cell.get("outputs", ()) if one.output_type == "stream"
    )
    assert "architectures)" in said and "below the best that was found" in said
    assert (
        sum("image/png" in one.get("data", {}) for cell in notebook.cells for one in cell.get("outputs", ()))
        == 1
    )


@pytest.mark.parametrize(
    ("said", "named"),
    [
        (np.array([3.0, 1.0]), "finite numbers, got valid"),
        (torch.tensor([3.0, 1.0]), "finite numbers, got valid"),
        (10**400, "finite numbers, got valid"),
        ({"valid": 1, "params": 3.7}, "finite numbers, got params"),
        ({"valid": 1, "seconds": -1.0}, "seconds from 0 up"),
    ],
)
def test_answers_that_would_be_cut_are_refused(said: Any, named: str) -> None:
    with pytest.raises(ValueError, match=f"function must return {named}"):
        FunctionBenchmark(SPACE, lambda arch: said).query((1, 4))


def test_numbers_of_numpy_and_torch_are_numbers() -> None:
    bench = FunctionBenchmark(SPACE, train, epochs=np.int64(4), seeds=np.int64(3))  # type: ignore[arg-type]
    assert bench.query((1, 4), np.int64(2), np.int64(1)) == FunctionBenchmark(
        SPACE, train, epochs=4, seeds=3
    ).query(  # type: ignore[arg-type]
        (1, 4), 2, 1
    )
    weight = torch.tensor(3.0, requires_grad=True)
    assert FunctionBenchmark(SPACE, lambda arch: weight).query((1, 4)).valid == 3.0


def test_kept_answers_of_another_kind_are_asked_for_again(tmp_path: Path) -> None:
    def one(arch: Any) -> float:
        return 1.0

    FunctionBenchmark(SPACE, one, folder=tmp_path).query((1, 4))
    kept = next(file for file in tmp_path.iterdir() if file.name != "objective.json")
    for text in ("", "[1]", kept.read_text("utf-8").replace("1.0", '"oops"'), kept.read_text("utf-8")[:9]):
        kept.write_text(text, "utf-8")
        assert FunctionBenchmark(SPACE, one, folder=tmp_path).query((1, 4)).valid == 1.0


@pytest.mark.parametrize("text", ["", "[1]", '{"function": '])
def test_a_folder_whose_card_is_broken_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "objective.json").write_text(text, "utf-8")
    with pytest.raises(ValueError, match=r"objective\.json cannot be read"):
        FunctionBenchmark(SPACE, lambda arch: 1.0, folder=tmp_path)


def test_answers_are_kept_at_home_where_a_tilde_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    FunctionBenchmark(SPACE, lambda arch: 1.0, folder="~/answers").query((1, 4))
    assert (tmp_path / "home" / "answers" / "objective.json").is_file()
    assert not (tmp_path / "~").exists()


def test_architectures_spelt_by_an_address_cannot_be_kept(tmp_path: Path) -> None:
    class Activation:
        pass

    space = ProductSpace({"act": (Activation(), Activation())})
    asked = []
    bench = FunctionBenchmark(space, lambda arch: asked.append(arch) or 1.0, folder=tmp_path)
    with pytest.raises(ValueError, match="folder must be None where architectures are spelt by an address"):
        bench.query(space.from_index(0))
    assert not asked
    assert FunctionBenchmark(space, lambda arch: 1.0).query(space.from_index(0)).valid == 1.0
