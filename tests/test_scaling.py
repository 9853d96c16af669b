"""Scaling: budgets that are kept, coefficients that are all found, trainings that can be repeated, and their record."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from nas_lib.data import Dataset
from nas_lib.efficientnet import plan_macs
from nas_lib.scaling import (
    BASE,
    FAMILIES,
    Coefficients,
    Phase,
    ScalingRecipe,
    by_family,
    coefficient_grid,
    digits,
    fit,
    growing,
    match_macs,
    one_cycle,
    ramp,
    recorded_runs,
    resized,
    scale_plan,
    seconds_per_batch,
)
from scripts.benchmarks import real_scale
from scripts.recordings import scaling_runs
from scripts.recordings.scaling_runs import Scaling

TINY = ScalingRecipe(train_images=200, test_images=100, epochs=2, batch_size=50)
SMALL = match_macs(BASE, FAMILIES["width"], plan_macs(BASE))  # the base itself
DIGITS = digits(TINY)


# --- coefficients ---


def test_a_step_costs_what_the_paper_says():
    assert FAMILIES["compound"].cost == pytest.approx(1.2 * 1.1**2 * 1.15**2)
    for name in ("depth", "width", "resolution"):
        assert FAMILIES[name].cost == pytest.approx(2)
        assert FAMILIES[name].at(3).cost == pytest.approx(8)


@pytest.mark.parametrize(
    ("step", "tolerance", "limit"), [(0.2, 0.1, 2.0), (0.1, 0.05, 2.0), (0.25, 0.3, 3.0)]
)
def test_the_grid_has_every_point_within_tolerance_and_no_other(step: float, tolerance: float, limit: float):
    axis = [1 + i * step for i in range(60)]
    right = {
        tuple(round(number, 6) for number in point)
        for point in itertools.product(axis, repeat=3)
        if abs(point[0] * point[1] ** 2 * point[2] ** 2 - limit) <= tolerance + 1e-9
    }
    found = [
        tuple(round(number, 6) for number in point) for point in coefficient_grid(step, tolerance, limit)
    ]
    assert len(found) == len(set(found)) and set(found) == right


@pytest.mark.parametrize(
    "wrong", [(0, 0.1, 2), (0.1, -1, 2), (0.1, 0.1, 0.5), (0.7, 0.001, 2.0), (math.nan, 0.1, 2)]
)
def test_no_grid(wrong: tuple[float, float, float]):
    with pytest.raises(ValueError, match="must"):
        coefficient_grid(*wrong)


# --- networks ---


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_meets_its_budget_and_grows_only_where_it_should(family: str, factor: int):
    plan = match_macs(BASE, FAMILIES[family], factor * plan_macs(BASE))
    assert abs(plan_macs(plan) / plan_macs(BASE) / factor - 1) < 0.15
    if factor == 1:
        assert plan == BASE
        return
    grown = {
        "depth": plan.depth > BASE.depth,
        "width": plan.stages[-1].c_out > BASE.stages[-1].c_out,
        "resolution": plan.resolution > BASE.resolution,
    }
    if family == "compound":
        assert sum(grown.values()) >= (3 if factor > 2 else 2)
    else:
        assert {name for name, value in grown.items() if value} == {family}


def test_blocks_are_divided_among_the_stages():
    repeats = [
        tuple(stage.repeats for stage in scale_plan(BASE, Coefficients(total / 3, 1, 1)).stages)
        for total in range(3, 10)
    ]
    assert [sum(one) for one in repeats] == list(range(3, 10))
    assert repeats[0] == (1, 1, 1) and repeats[1] == (1, 1, 2) and repeats[3] == (2, 2, 2)


def test_a_budget_that_cannot_be_met_is_refused():
    with pytest.raises(ValueError, match="macs must be at least those of base"):
        match_macs(BASE, FAMILIES["width"], 1000)
    with pytest.raises(ValueError, match="at most 48 pixels"):
        match_macs(BASE, FAMILIES["resolution"], 100 * plan_macs(BASE))


# --- training ---


def test_the_learning_rate_goes_up_and_comes_down():
    rates = [one_cycle(i / 100) for i in range(101)]
    assert rates[0] == 0 and max(rates) == rates[20] == 1 and rates[-1] == pytest.approx(0)
    assert all(np.diff(rates[:21]) > 0) and all(np.diff(rates[20:]) < 0)


def test_a_training_repeats_with_its_seed_and_learns():
    one, again, other = (fit(SMALL, DIGITS, TINY, seed) for seed in (1, 1, 2))
    assert one.accuracy == again.accuracy and one.steps == again.steps == 8
    for a, b in zip(one.network.parameters(), again.network.parameters()):
        assert torch.equal(a, b)
    assert not torch.equal(one.network.classifier.weight, other.network.classifier.weight)
    longer = fit(SMALL, DIGITS, replace(TINY, epochs=10), 1)
    assert longer.accuracy > 18  # chance is 10


def test_phases_take_turns_and_change_what_the_network_sees():
    seen = []

    def images(resolution: int):
        seen.append(resolution)
        return DIGITS(resolution)

    phases = growing(3, (8, 12), (0.0, 6.0), mixup=(0.0, 0.2), dropout=(0.0, 0.3))
    result = fit(SMALL, images, TINY, 0, phases)
    assert set(seen) == {8, 10, 12} and result.network.dropout.p == 0.3
    plain = fit(SMALL, DIGITS, TINY, 0)
    assert not torch.equal(result.network.classifier.weight, plain.network.classifier.weight)


def test_a_training_by_the_clock_stops_when_its_seconds_are_spent():
    now = itertools.count()
    result = fit(SMALL, DIGITS, TINY, seconds=5, clock=lambda: float(next(now)))
    assert result.steps == 5 and result.seconds == 5  # every step takes one tick of this clock


def test_growing_phases_run_from_the_first_pair_to_the_last():
    phases = growing(4, (12, 24), (0.0, 9.0), mixup=(0.0, 0.3))
    assert phases[0] == Phase(12) and phases[-1] == Phase(24, 9.0, 0.3)
    assert [phase.resolution for phase in phases] == [12, 16, 20, 24]
    assert growing(1, (12, 24), (0.0, 9.0)) == [Phase(24, 9.0)]
    assert ramp(1, 3, (10, 20)) == 15
    with pytest.raises(ValueError, match="stages must be at least 1"):
        growing(0, (12, 24), (0.0, 9.0))


def test_images_of_one_size_are_brought_to_others():
    pixels = np.arange(2 * 3 * 8 * 8, dtype=np.uint8).reshape(2, 3, 8, 8)
    data = Dataset("colours", pixels, np.array([0, 1]), (0.5,) * 3, (0.2,) * 3)
    at = resized(data, data)
    assert at(4)[0].images.shape == (2, 3, 4, 4) and at(12)[1].images.shape == (2, 3, 12, 12)
    mean = pixels[0, 0, :2, :2].mean()
    assert abs(float(at(4)[0].images[0, 0, 0, 0]) - mean) <= 0.5
    assert at(8)[0].images.tolist() == pixels.tolist()


def test_latency_is_the_quarter_of_single_calls():
    ticks = iter([0, 9, 0, 9, 0, 9, *(edge for i in range(20) for edge in (0, 1 + i))])
    found = seconds_per_batch(torch.nn.Identity(), torch.zeros(1), clock=lambda: float(next(ticks)))
    assert found == 5.75  # a quarter of the way from 1 to 20


# --- the record ---


def test_jobs_are_all_different_and_the_grid_is_decided_on_validation_images(tmp_path, monkeypatch):
    jobs = scaling_runs.jobs()
    assert len({scaling_runs.key(job) for job in jobs}) == len(jobs)
    best = "1.4 1.1 1.1"
    rows = {scaling_runs.key(job): job | {"accuracy": 70 + (job["name"] == best)} for job in jobs}
    assert scaling_runs.winner(rows) == Coefficients(1.4, 1.1, 1.1)
    asked: list[str] = []
    monkeypatch.setattr(
        scaling_runs, "digits", lambda recipe, split="test": (asked.append(split), digits(recipe, split))[1]
    )
    study = Scaling(replace(TINY, epochs=1), seconds=0.1, folder=tmp_path)
    for kind in ("grid", "scale"):
        study.do(next(job for job in jobs if job["kind"] == kind))
    assert asked == ["valid", "test"]


def test_runs_of_each_kind_are_recorded_and_merged(tmp_path):
    kinds = ("grid", "scale", "longer", "augment", "progressive")
    wanted = {kind: next(job for job in scaling_runs.jobs() if job["kind"] == kind) for kind in kinds}
    study = Scaling(replace(TINY, epochs=1), seconds=0.1, folder=tmp_path)
    rows = {scaling_runs.key(job): study.do(job) for job in wanted.values()}
    assert all(0 <= row["accuracy"] <= 100 and row["macs"] > 0 for row in rows.values())
    assert rows["longer base 1 0"]["steps"] == scaling_runs.LONGER * rows["scale base 1 0"]["steps"]
    grid = {key: job[0] | {"accuracy": 1.0} for key, job in study.recording.jobs.items()}
    out = tmp_path / "runs.json"
    study.merge(grid | rows, out)
    assert [run["kind"] for run in json.loads(out.read_text())["runs"]] == [
        job["kind"] for job in scaling_runs.jobs()
    ]
    assert recorded_runs("scale", out)[0] == rows["scale base 1 0"]
    assert recorded_runs("scale", tmp_path / "nothing") == []


def test_families_begin_at_the_base_and_keep_their_seeds_apart():
    runs = [{"name": "base", "factor": 1, "seed": seed, "accuracy": float(seed)} for seed in (0, 1)]
    runs += [
        {"name": name, "factor": factor, "seed": seed, "accuracy": 10.0 * factor + seed + len(name)}
        for name in ("wide", "deep!")
        for seed in (1, 0)
        for factor in (4, 2)
    ]
    found = by_family(runs)
    assert list(found) == ["wide", "deep!"]
    assert found["wide"].tolist() == [[0, 24, 44], [1, 25, 45]]
    assert found["deep!"].tolist() == [[0, 25, 45], [1, 26, 46]]
    assert by_family([]) == {}


@pytest.mark.parametrize("way", scaling_runs.WAYS)
def test_every_way_of_progressive_learning_ends_regularised(way: str):
    plan = replace(SMALL, resolution=24)
    phases = scaling_runs.phases_of(way, plan)
    assert phases[-1].magnitude == 6 and phases[-1].mixup == pytest.approx(0.2)
    assert phases[-1].resolution == 24
    assert len(phases) == (scaling_runs.STAGES if way.startswith("growing") else 1)


# --- at real scale ---


def test_the_time_at_real_scale_is_scaled_up_from_a_few_images(monkeypatch):
    calls = []
    monkeypatch.setattr(real_scale, "seconds", lambda call, device: calls.append(call) or 2.0)
    assert real_scale.lesson_06("cpu", 100) == pytest.approx(6 * 12 * 400 * 2 / 60)
    assert real_scale.lesson_07("cpu", 100) == pytest.approx(3 * 500 * 9 * 2 / 60)
    assert len(calls) == 10
    calls[0]()
    calls[1]()  # the base: a training of one epoch on noise


def test_a_call_is_timed_after_one_that_is_not(monkeypatch):
    clock, slept = [0.0], iter([50.0, 3.0])

    def call():
        clock[0] += next(slept)

    monkeypatch.setattr(real_scale.time, "perf_counter", lambda: clock[0])
    assert real_scale.seconds(call, "cpu") == 3.0


def test_budgets_and_rays_that_lead_nowhere_are_named() -> None:
    for macs in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="macs must be at least those of base"):
            match_macs(BASE, FAMILIES["depth"], macs)
    with pytest.raises(ValueError, match="coefficients must make the network larger"):
        match_macs(BASE, Coefficients(1.0, 1.0, 1.0), 2 * plan_macs(BASE))
    with pytest.raises(ValueError, match="largest must be at least the resolution of base, 12, got 4"):
        match_macs(BASE, FAMILIES["depth"], 2 * plan_macs(BASE), largest=4)
    for wrong in (math.nan, -1.0, 0.0):
        with pytest.raises(ValueError, match="multipliers must be positive numbers"):
            scale_plan(BASE, Coefficients(wrong, 1.0, 1.0))
