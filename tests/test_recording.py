"""Recordings: resumable, shared, nothing mixed; what lessons show is what was recorded, to the byte."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas_lib.elastic_training import StandAloneRecipe, recorded_alone, recorded_once_for_all
from nas_lib.mobile import MobileConfig, mobile_macs
from nas_lib.networks import NetworkConfig
from nas_lib.one_shot import OneShotRecipe, OneShotTraining, recorded_rankings, recorded_rewards
from nas_lib.spaces import CellSpace, MobileSpace, functions
from nas_lib.training import Recipe
from scripts import recording
from scripts.recording import NotRecorded, Recording, Row, Rows, Study
from scripts.recordings.controller_nas_bench_201 import Controllers
from scripts.recordings.darts_runs import Searches
from scripts.recordings.latency_runs import PricedSearches
from scripts.recordings.mobile_table import MobileTable
from scripts.recordings.ofa_runs import QUANTILES, SCHEMES, OnceForAll
from scripts.recordings.proxy_scores import Proxies
from scripts.recordings.scaling_runs import Scaling
from scripts.recordings.shared_rewards import Rewards
from scripts.recordings.supernet_rankings import Rankings
from scripts.recordings.tunas_runs import TransformerSearches
from scripts.table.build import Table
from scripts.table.recipe_study import CANDIDATES
from scripts.table.recipe_study import Study as RecipeStudy

TINY = Recipe(
    network=NetworkConfig(channels=4, resolution=8), train_images=64, valid_images=50, final_images=50
)
SPACE = MobileSpace(resolutions=(8,), stages=2, depths=(1, 2), kernels=(3,), expands=(1, 2))
CONFIG = MobileConfig(channels=(4, 4), strides=(1, 2), stem=4, head=8)
ALONE = StandAloneRecipe(epochs=1, batch_size=32)


def rankings(folder: Path, passes: int = 10) -> Rankings:
    recipe = OneShotRecipe(passes=passes, batch_size=16)
    return Rankings(seeds=(0,), cells=3, recipe=recipe, images=TINY, folder=folder)


def mobile(folder: Path, seeds: tuple[int, ...] = (0,), count: int = 3) -> MobileTable:
    return MobileTable(seeds, count, ALONE, (64, 40), SPACE, CONFIG, folder=folder)


def elastic(folder: Path, **more: Any) -> OnceForAll:
    study = OnceForAll(seeds=(0,), evaluations=3, table=mobile(folder, count=4), folder=folder)
    return replace(study, recipe=replace(study.recipe, passes=20, batch_size=16), **more)


def asked(job: str) -> Row:
    """What the studies of these tests do; at the top of the module, where other processes find it."""
    return {"value": 2 * job, "process": os.getpid()}


def study(
    folder: Path,
    jobs: Sequence[str] = tuple("abc"),
    do: Callable[..., Row] = asked,
    settings: Row | None = None,
    **more: Any,
) -> Recording:
    keyed = {job: (job,) for job in jobs}
    return Recording(keyed, do, None, {"epochs": 2} if settings is None else settings, folder, **more)


def values(rows: Rows) -> list[Any]:
    return [row["value"] for row in rows.values()]


# -- records -----------------------------------------------------------------------------------------------


def test_a_record_goes_on_after_half_a_line_and_refuses_other_settings(tmp_path: Path):
    first = study(tmp_path)
    assert first.record(progress=False) == 3
    first.path.write_text(first.path.read_text()[:-8])
    assert list(first.rows()) == ["a", "b"]
    assert study(tmp_path, do=lambda job: {"value": "again"}).record(progress=False) == 1
    assert values(first.complete()) == ["aa", "bb", "again"]
    assert list(study(tmp_path, jobs="ca").rows()) == ["c", "a", "b"]
    (tmp_path / "part-2-of-2.jsonl").touch()  # killed before anything was written
    assert len(first.rows()) == 3
    with pytest.raises(ValueError, match=r"part-1-of-1.jsonl was recorded with other settings \(epochs\)"):
        study(tmp_path, settings={"epochs": 3}).rows()
    with pytest.raises(ValueError, match=r"other settings \(images\)"):
        study(tmp_path, settings={"epochs": 2, "images": 4}).rows()
    assert study(tmp_path, jobs="ab").record(progress=False) == 0


def test_settings_are_compared_as_they_are_written(tmp_path: Path):
    study(tmp_path, settings={"sizes": (8, 12)}).record(progress=False)
    assert len(study(tmp_path, settings={"sizes": [8, 12]}).rows()) == 3


def test_an_interrupted_job_loses_nothing_that_is_finished(tmp_path: Path):
    def stops(job: str) -> Row:
        if job == "b":
            raise KeyboardInterrupt
        return {"value": 1}

    with pytest.raises(KeyboardInterrupt):
        study(tmp_path, do=stops).record(progress=False)
    assert list(study(tmp_path).rows()) == ["a"]
    with pytest.raises(ValueError, match="2 of 3 jobs are not done, first 'b'"):
        study(tmp_path).complete()


def test_parts_share_the_jobs_and_lie_in_one_folder(tmp_path: Path):
    whole = study(tmp_path, jobs="abcde")
    parts = [replace(whole, part=(i, 2)) for i in (1, 2)]
    assert [one.record(progress=False) for one in reversed(parts)] == [2, 3]
    assert [values(json_lines(one.path)) for one in parts] == [["aa", "cc", "ee"], ["bb", "dd"]]
    assert values(whole.complete()) == ["aa", "bb", "cc", "dd", "ee"]
    assert recording.part("2/3") == (2, 3)
    for wrong in ("3/2", "0/2", "2", "a/b"):
        with pytest.raises(argparse.ArgumentTypeError, match="part must be I/K"):
            recording.part(wrong)


def json_lines(path: Path) -> Rows:
    """The rows of a file, without its settings."""
    rows = map(json.loads, path.read_text().splitlines()[1:])
    return {row["job"]: row for row in rows}


def test_rows_may_tell_their_jobs_themselves(tmp_path: Path):
    told = study(tmp_path, do=lambda job: {"name": job}, key=lambda row: row["name"])
    told.record(progress=False)
    assert told.path.read_text().splitlines()[1:] == [json.dumps({"name": job}) for job in "abc"]
    assert told.complete() == {job: {"name": job} for job in "abc"}
    assert told.record(progress=False) == 0


def test_several_processes_do_each_job_once_and_one_writes(tmp_path: Path):
    shared = study(tmp_path, jobs="abcdefgh")
    assert shared.record(workers=2, progress=False) == 8
    rows = shared.complete()
    assert values(rows) == [2 * job for job in "abcdefgh"]
    assert os.getpid() not in {row["process"] for row in rows.values()}
    assert len(shared.path.read_text().splitlines()) == 9


def test_a_job_waits_for_what_it_needs_and_says_so_where_another_part_does_it(tmp_path: Path):
    """ "a" needs "c": within one part it is put off, in its own part it has to wait for the other."""

    def do(job: str) -> Row:
        if job == "a":
            return {"value": one.need("c")[0]["value"] + 1}
        return {"value": ord(job)}

    one = study(tmp_path, jobs="abc", do=do)
    with pytest.raises(NotRecorded):
        do("a")
    with pytest.raises(ValueError, match="1 jobs must wait, 'a' for 'c' of another part: record again"):
        replace(one, part=(1, 3)).record(progress=False)
    assert list(one.rows()) == []
    assert one.record(progress=False) == 3
    assert list(json_lines(one.path)) == ["b", "c", "a"]
    assert values(one.complete()) == [100, 98, 99]


def test_files_are_replaced_in_one_step(tmp_path: Path):
    recording.write_json(tmp_path / "file.json", {"a": [1, 2]})
    with pytest.raises(ValueError, match="JSON compliant"):
        recording.write_json(tmp_path / "file.json", float("nan"))
    assert (tmp_path / "file.json").read_text() == '{"a":[1,2]}\n'


# -- the command line --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Doubling:
    """A study with everything that a command line can set."""

    folder: Path
    jobs: tuple[str, ...] = ("a", "b")
    alone: StandAloneRecipe = ALONE
    shipped: bool = True

    @property
    def recording(self) -> Recording:
        settings = {"lr": self.alone.lr}
        made = study(self.folder, self.jobs, settings=settings, target=self.folder / "out.json")
        return replace(made, merge=self.merge if self.shipped else None)

    def merge(self, rows: Rows, target: Path) -> None:
        recording.write_json(target, values(rows))


def run(folder: Path, *arguments: str) -> None:
    recording.main("A study.", Doubling(folder), arguments)


def test_the_command_line_records_shows_and_merges(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run(tmp_path, "record", "--part", "1/2")
    run(tmp_path, "status")
    assert capsys.readouterr().out.endswith("1 jobs done\n1 of 2 jobs done\n")
    run(tmp_path, "record", "--set", f"folder={tmp_path}", "--set", 'jobs=["a", "b", "c"]')
    run(tmp_path, "status", "--set", "alone.lr=0.1")
    assert capsys.readouterr().out.endswith("2 jobs done\n2 of 2 jobs done\n")
    run(tmp_path, "show")
    assert capsys.readouterr().out.splitlines()[1] == f"b: process {os.getpid()}"
    run(tmp_path, "merge")
    assert json.loads((tmp_path / "out.json").read_text()) == ["aa", "bb"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["merge"], "2 of 2 jobs are not done, first 'a'"),
        (["merge", "--set", "shipped=false"], "nothing is shipped"),
        (["status", "--set", "lr=1"], "--set must name one of folder, jobs, alone, shipped, got 'lr'"),
        (["status", "--set", "alone.rate=1"], "--set must name one of epochs, .*, got 'rate'"),
        (["status", "--set", "jobs=3"], r"--set must give something like \('a', 'b'\), got '3'"),
        (["status", "--set", "alone.lr=high"], "--set must give something like 0.1, got 'high'"),
        (["record", "--workers", "0"], "max_workers"),
        (["record", "--part", "3/2"], "part must be I/K"),
        (["plan"], "invalid choice"),
    ],
)
def test_wrong_input_ends_with_a_sentence(arguments: list[str], said: str, tmp_path: Path, capsys):
    with pytest.raises(SystemExit) as exit_:
        run(tmp_path, *arguments)
    assert exit_.value.code == 2
    assert re.search(said, capsys.readouterr().err)


# -- supernets of cells ------------------------------------------------------------------------------------


def test_rankings_are_recorded_for_every_sampling_and_merged(tmp_path: Path):
    made = rankings(tmp_path)
    assert list(made.recording.jobs) == ["uniform 0", "fair 0"]
    assert made.recording.record(progress=False) == 2
    made.merge(made.recording.complete(), tmp_path / "out.json")
    merged = json.loads((tmp_path / "out.json").read_text())
    assert [CellSpace().from_index(i) for i in merged["archs"]] == made.archs
    assert [run["job"] for run in merged["runs"]] == list(made.recording.jobs)
    for one in merged["runs"]:
        assert len(one["scores"]) == len(one["scores_without_recalibration"]) == 3
        assert all(0 <= value <= 100 for value in one["scores"])
    assert not list(tmp_path.glob("*.pt"))
    with pytest.raises(ValueError, match=r"other settings \(recipe\)"):
        rankings(tmp_path, passes=20).recording.rows()


def test_a_supernet_in_training_goes_on_from_its_checkpoint(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("scripts.recordings.supernet_rankings.CHECKPOINT", 4)
    expected = rankings(tmp_path / "whole").do("uniform", 0)
    made, run = rankings(tmp_path / "stopped"), OneShotTraining.run

    def stops(self: OneShotTraining, until: int) -> None:
        if self.step >= 4:
            raise KeyboardInterrupt
        run(self, until)

    monkeypatch.setattr(OneShotTraining, "run", stops)
    with pytest.raises(KeyboardInterrupt):
        made.do("uniform", 0)
    steps: list[int] = []
    monkeypatch.setattr(
        OneShotTraining, "run", lambda self, until: (steps.append(self.step), run(self, until))
    )
    found = made.do("uniform", 0)
    assert steps == [4, 8]
    assert found["scores"] == expected["scores"] and found["last_loss"] == expected["last_loss"]


def test_shared_rewards_are_right_answers_on_the_batch(tmp_path: Path):
    recipe = OneShotRecipe(passes=10, batch_size=16)
    made = Rewards(seeds=(0, 1), recipe=recipe, rewarded=40, images=TINY, cells=4, folder=tmp_path)
    assert made.recording.record(progress=False) == 2
    made.merge(made.recording.complete(), tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as data:
        assert data["images"] == 40 and data["right"].shape == (2, 4)
        assert (data["right"] >= 0).all() and (data["right"] <= 40).all()
        assert data["right"].tolist() == [row["right"] for row in made.recording.rows().values()]
    assert not list(tmp_path.glob("*.pt"))


def test_a_shared_reward_is_that_of_the_cells_function():
    rewards, number = recorded_rewards(), functions()[1]
    assert rewards.shape == (5, len(CellSpace()))
    assert (rewards >= 0).all() and rewards.max() <= 100
    for function in (0, 17, 5000):
        same = rewards[:, number == function]
        assert (same == same[:, :1]).all()
    largest = CellSpace().index(("nor_conv_3x3",) * 6)
    assert (rewards[:, largest] > 60).all()  # percent; chance is 10


# -- networks of the mobile space --------------------------------------------------------------------------


def test_the_mobile_table_holds_each_architecture_by_each_seed(tmp_path: Path):
    one, both = mobile(tmp_path), mobile(tmp_path, (0, 1))
    assert one.recording.record(progress=False) == 3
    assert both.recording.record(progress=False) == 3  # further seeds go on with the same record
    both.merge(both.recording.complete(), tmp_path / "out.json")
    merged = json.loads((tmp_path / "out.json").read_text())
    rows = both.recording.rows()
    assert np.shape(merged["accuracy"]) == (3, 2)
    for arch, row in zip(merged["archs"], merged["accuracy"], strict=True):
        assert row == [rows[f"{arch} {seed}"]["accuracy"] for seed in (0, 1)]
    assert merged["macs"] == [mobile_macs(arch, CONFIG) for arch in both.archs]


def test_an_elastic_network_is_judged_and_specialised_within_each_limit(tmp_path: Path, monkeypatch):
    made = elastic(tmp_path, schemes=("progressive", "joint"))
    with pytest.raises(NotRecorded, match="progressive 0"):
        made.do("alone", 0, 1)
    with pytest.raises(NotRecorded, match="latency"):
        made.do("progressive", 0)
    assert made.recording.record(progress=False) == 1 + 2 + len(QUANTILES) + 1
    made.merge(made.recording.complete(), tmp_path / "out.json")
    merged = json.loads((tmp_path / "out.json").read_text())
    progressive, joint = merged["runs"]
    assert "specialised" not in joint
    assert all(len(one["inherited"]) == 4 for one in merged["runs"])
    found = progressive["specialised"]
    assert len(found) == len(QUANTILES) >= 4
    for one in found:
        assert one["predicted_ms"] <= one["limit_ms"] + 1e-4
        assert SPACE.parse(one["arch"]) in SPACE
        assert one["measured_ms"] > 0
        assert all(0 <= one[name] <= 100 for name in ("chosen_by", "inherited", "alone", "longer"))
    alone = {arch: [50.0, 60.0] for arch in merged["archs"]}
    monkeypatch.setattr("scripts.recordings.ofa_runs.recorded_alone", lambda: alone)
    rows = made.recording.rows()
    assert len(list(made.show(rows))) == 2
    alone.popitem()
    with pytest.raises(ValueError, match="archs must be the 3 that were trained alone, got 4 others"):
        list(made.show(rows))


def test_too_few_evaluations_are_refused_before_anything_is_trained(tmp_path: Path):
    with pytest.raises(ValueError, match="evaluations must be an integer from 2 up, got 1"):
        elastic(tmp_path, evaluations=1)


# -- what is shipped ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "made",
    [
        Rankings(),
        Rewards(),
        MobileTable(),
        OnceForAll(),
        Searches(),
        PricedSearches(),
        Scaling(),
        Controllers(),
        TransformerSearches(),
        Table(),
    ],
    ids=lambda made: type(made).__name__,
)
def test_what_is_shipped_is_the_committed_record_to_the_byte(made: Study, tmp_path: Path):
    record = made.recording
    assert record.merge is not None and record.target is not None
    record.merge(record.complete(), tmp_path / record.target.name)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (record.target.parent / path.name).read_bytes(), path.name


def test_what_proxies_record_is_merged_to_the_bit(tmp_path: Path):
    """Their record is not committed: it is made here of what is shipped."""
    record = Proxies().recording
    assert record.target is not None and record.merge is not None
    with np.load(record.target) as data:
        shipped = {name: data[name] for name in data.files}
    names = [name for name in shipped if name != "cell"]
    rows = {
        str(cell): {name: [float(f"{x:.9g}") for x in shipped[name][place]] for name in names}
        for place, cell in enumerate(shipped["cell"])
    }
    assert list(rows) == list(record.jobs)
    record.merge(rows, tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as data:
        assert list(data.files) == list(shipped)
        for name, array in shipped.items():
            assert data[name].dtype == array.dtype and np.array_equal(data[name], array)


def test_the_study_of_recipes_is_of_the_recipes_that_it_names():
    for name in CANDIDATES:
        made = RecipeStudy(name)
        for row in made.recording.rows().values():
            assert {len(valid) for valid in row["valid"]} == {made.recipe.epochs}
            _, arch = made.recording.jobs[str(row["cell"])]
            assert CellSpace().str(arch) == row["arch"]
    shown = "\n".join(RecipeStudy().show({}))
    assert all(f"\n{name}: " in shown for name in CANDIDATES)
    with pytest.raises(ValueError, match=r"candidate must be one of .*, got 'none'"):
        _ = RecipeStudy("none").recording


def test_the_shipped_results_are_as_many_as_the_lesson_says():
    cells, rankings = recorded_rankings()
    assert len(cells) >= 300 and len(set(cells)) == len(cells)
    for sampling in ("uniform", "fair"):
        assert len({run.seed for run in rankings if run.sampling == sampling}) >= 3
    for run in rankings:
        assert np.shape(run.scores) == np.shape(run.scores_without_recalibration) == (len(cells),)
    alone, runs = recorded_alone(), recorded_once_for_all()
    assert len(alone) >= 48
    for scheme in SCHEMES:
        mine = [run for run in runs if run.scheme == scheme]
        assert len({run.seed for run in mine}) >= 3
        assert all(list(run.inherited) == list(alone) for run in mine)
        assert all(len(run.specialised) >= 4 for run in mine) == (scheme == "progressive")
