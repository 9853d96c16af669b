"""The recorders of lesson 05: resumable, sharded, nothing mixed, and what they merge is what they recorded."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from nas_lib.elastic_training import (
    ALONE_PATH,
    ONCE_FOR_ALL_PATH,
    StandAloneRecipe,
    recorded_alone,
    recorded_once_for_all,
)
from nas_lib.mobile import MobileConfig, mobile_macs
from nas_lib.networks import NetworkConfig
from nas_lib.one_shot import RANKINGS_PATH, OneShotTraining, recorded_rankings
from nas_lib.spaces import CellSpace, MobileSpace
from nas_lib.training import Recipe
from scripts.recording import Record, in_words, part, write_json
from scripts.recordings import mobile_table, ofa_runs, supernet_rankings

TINY = Recipe(
    network=NetworkConfig(channels=4, resolution=8), train_images=64, valid_images=50, final_images=50
)
SPACE = MobileSpace(resolutions=(8,), stages=2, depths=(1, 2), kernels=(3,), expands=(1, 2))
CONFIG = MobileConfig(channels=(4, 4), strides=(1, 2), stem=4, head=8)
ALONE = StandAloneRecipe(epochs=1, batch_size=32)


def rankings(folder: Path, **more: object) -> supernet_rankings.Study:
    given = {"seeds": [0], "cells": 3, "options": {"passes": 10, "batch_size": 16}, "recipe": TINY} | more
    return supernet_rankings.Study(folder=folder, **given)  # type: ignore[arg-type]


def elastic(folder: Path, **more: object) -> ofa_runs.Study:
    given = {
        "seeds": [0],
        "archs": 4,
        "evaluations": 3,
        "options": {"passes": 20, "batch_size": 16},
        "alone": ALONE,
        "images": (64, 40),
        "space": SPACE,
        "config": CONFIG,
    } | more
    return ofa_runs.Study(folder=folder, **given)  # type: ignore[arg-type]


# -- records -----------------------------------------------------------------------------------------------


def test_a_record_goes_on_after_half_a_line_and_refuses_other_settings(tmp_path: Path):
    record = Record(tmp_path, {"epochs": 2})
    assert record.work(["a", "b", "c"], lambda job: {"value": job * 2}, progress=False) == 3
    text = record.path.read_text()
    record.path.write_text(text[:-8])
    assert record.mine(["a", "b", "c"]) == ["c"]
    record.work(["a", "b", "c"], lambda job: {"value": "again"}, progress=False)
    assert [row["value"] for row in record.all(["a", "b", "c"])] == ["aa", "bb", "again"]
    with pytest.raises(ValueError, match=r"recorded with other settings \(epochs\)"):
        Record(tmp_path, {"epochs": 3}).rows()


def test_an_interrupted_job_loses_nothing_that_is_finished(tmp_path: Path):
    def stops(job: str) -> dict:
        if job == "b":
            raise KeyboardInterrupt
        return {"value": 1}

    record = Record(tmp_path, {})
    with pytest.raises(KeyboardInterrupt):
        record.work(["a", "b", "c"], stops, progress=False)
    assert record.mine(["a", "b", "c"]) == ["b", "c"]
    with pytest.raises(ValueError, match="2 of 3 jobs are not done, first 'b'"):
        record.all(["a", "b", "c"])


def test_parts_share_the_jobs_and_lie_in_one_folder(tmp_path: Path):
    jobs = list("abcde")
    records = [Record(tmp_path, {"x": 1}, (i, 2)) for i in (1, 2)]
    assert [record.mine(jobs) for record in records] == [["a", "c", "e"], ["b", "d"]]
    for record in records:
        record.work(jobs, lambda job: {"value": job}, progress=False)
    assert [row["value"] for row in Record(tmp_path, {"x": 1}).all(jobs)] == jobs
    assert part("2/3") == (2, 3)
    for wrong in ("3/2", "0/2", "2", "a/b"):
        with pytest.raises(argparse.ArgumentTypeError, match="part must be I/K"):
            part(wrong)


def test_durations_are_for_people_and_files_whole(tmp_path: Path):
    assert [in_words(s) for s in (12.3, 700, 7200)] == ["12 s", "12 min", "2.0 h"]
    write_json(tmp_path / "file.json", {"a": [1, 2]})
    assert json.loads((tmp_path / "file.json").read_text()) == {"a": [1, 2]}
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "file.json", float("nan"))
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".json"] == ["file.json"]


# -- supernets of cells ------------------------------------------------------------------------------------


def test_rankings_are_recorded_for_every_sampling_and_merged(tmp_path: Path):
    study = rankings(tmp_path)
    assert study.jobs == ["uniform 0", "fair 0"]
    assert study.record.work(study.jobs, study.do, progress=False) == 2
    merged = study.merged()
    assert [CellSpace().from_index(i) for i in merged["archs"]] == study.archs
    assert [run["job"] for run in merged["runs"]] == study.jobs
    for run in merged["runs"]:
        assert len(run["scores"]) == len(run["scores_without_recalibration"]) == 3
        assert all(0 <= value <= 100 for value in run["scores"])
    assert not list(tmp_path.glob("*.pt"))
    assert 0 < study.estimate(passes=5, cells=1) < 60
    with pytest.raises(ValueError, match=r"other settings \(recipe\)"):
        rankings(tmp_path, options={"passes": 20, "batch_size": 16}).record.rows()


def test_a_supernet_in_training_goes_on_from_its_checkpoint(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(supernet_rankings, "CHECKPOINT", 4)
    whole = rankings(tmp_path / "whole")
    expected = whole.do("uniform 0")
    study, run = rankings(tmp_path / "stopped"), OneShotTraining.run

    def stops(self: OneShotTraining, until: int) -> None:
        if self.step >= 4:
            raise KeyboardInterrupt
        run(self, until)

    monkeypatch.setattr(OneShotTraining, "run", stops)
    with pytest.raises(KeyboardInterrupt):
        study.do("uniform 0")
    steps: list[int] = []
    monkeypatch.setattr(
        OneShotTraining, "run", lambda self, until: (steps.append(self.step), run(self, until))
    )
    found = study.do("uniform 0")
    assert steps == [4, 8]
    assert found["scores"] == expected["scores"] and found["last_loss"] == expected["last_loss"]


# -- networks of the mobile space --------------------------------------------------------------------------


def test_the_mobile_table_holds_each_architecture_by_each_seed(tmp_path: Path):
    def table(seeds: list[int]) -> mobile_table.Table:
        return mobile_table.Table(seeds, 3, ALONE, (64, 40), tmp_path, space=SPACE, config=CONFIG)

    one, both = table([0]), table([0, 1])
    one.record.work(one.jobs, one.do, progress=False)
    assert both.record.mine(both.jobs) == both.jobs[3:]  # further seeds go on with the same record
    both.record.work(both.jobs, both.do, progress=False)
    merged = both.merged()
    rows = both.record.rows()
    assert np.shape(merged["accuracy"]) == (3, 2)
    for arch, row in zip(merged["archs"], merged["accuracy"], strict=True):
        assert row == [rows[f"{arch} {seed}"]["accuracy"] for seed in (0, 1)]
    assert merged["macs"] == [mobile_macs(arch, CONFIG) for arch in both.archs]
    assert 0 < both.estimate() < 60


def test_an_elastic_network_is_judged_and_specialised_within_each_limit(tmp_path: Path, monkeypatch):
    study = elastic(tmp_path, schemes=["progressive", "joint"])
    with pytest.raises(ValueError, match="job must wait for 'progressive 0'"):
        study.do("alone 0 1")
    assert study.work(progress=False) == 2 + len(ofa_runs.QUANTILES) + 1
    assert study.work(progress=False) == 0
    merged = study.merged()
    progressive, joint = merged["runs"]
    assert "specialised" not in joint
    assert all(len(run["inherited"]) == 4 for run in merged["runs"])
    found = progressive["specialised"]
    assert len(found) == len(ofa_runs.QUANTILES) >= 4
    for one in found:
        assert one["predicted_ms"] <= one["limit_ms"] + 1e-4
        assert SPACE.parse(one["arch"]) in SPACE
        assert one["measured_ms"] > 0 and 0 <= one["alone"] <= 100 and 0 <= one["longer"] <= 100
    monkeypatch.setattr(ofa_runs, "recorded_alone", lambda: {arch: [50.0, 60.0] for arch in merged["archs"]})
    assert len(study.shown()) == 2
    monkeypatch.setattr(ofa_runs, "recorded_alone", lambda: {"r8": [50.0]})
    with pytest.raises(ValueError, match="archs must be the 1 that were trained alone, got 4 others"):
        study.shown()
    assert 0 < study.estimate(steps=1) < 60


def test_too_few_evaluations_are_refused_before_anything_is_trained(tmp_path: Path):
    with pytest.raises(ValueError, match="evaluations must be an integer from 2 up, got 1"):
        elastic(tmp_path, evaluations=1)


# -- what lesson 05 shows ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("study", "asset"),
    [
        (lambda: supernet_rankings.Study([0, 1, 2]), RANKINGS_PATH),
        (lambda: mobile_table.Table([0, 1]), ALONE_PATH),
        (lambda: ofa_runs.Study([0, 1, 2]), ONCE_FOR_ALL_PATH),
    ],
    ids=["supernet_rankings", "mobile_table", "ofa_runs"],
)
def test_the_shipped_results_are_the_committed_records_at_the_default_settings(study, asset: Path):
    assert json.loads(asset.read_text(encoding="utf-8")) == json.loads(json.dumps(study().merged()))


def test_the_shipped_results_are_as_many_as_the_lesson_says():
    cells, rankings = recorded_rankings()
    assert len(cells) >= 300 and len(set(cells)) == len(cells)
    for sampling in ("uniform", "fair"):
        assert len({run.seed for run in rankings if run.sampling == sampling}) >= 3
    for run in rankings:
        assert np.shape(run.scores) == np.shape(run.scores_without_recalibration) == (len(cells),)
    alone, runs = recorded_alone(), recorded_once_for_all()
    assert len(alone) >= 48
    for scheme in ofa_runs.SCHEMES:
        mine = [run for run in runs if run.scheme == scheme]
        assert len({run.seed for run in mine}) >= 3
        assert all(list(run.inherited) == list(alone) for run in mine)
        assert all(len(run.specialised) >= 4 for run in mine) == (scheme == "progressive")
