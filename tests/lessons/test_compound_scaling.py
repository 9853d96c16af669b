"""Lesson 07: the reference against torchvision and definitions, what the checks accept, and the samples' grades."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torchvision.ops import SqueezeExcitation

import solutions
from autograder import samples
from autograder.gate.registry import grade, variants
from autograder.grade import command
from nas_lib import checks
from nas_lib.checks.public import PUBLIC_FOLDER
from nas_lib.efficientnet import SCALES, VARIANTS, EfficientNet, Plan, StagePlan, efficientnet_plan
from nas_lib.scaling import growing, recorded_runs

LESSON = solutions.load("07_compound_scaling")
COUNTS = dict(
    zip(
        SCALES,
        (5_288_548, 7_794_184, 9_109_994, 12_233_232, 19_341_616, 30_389_784, 43_040_704, 66_347_960),
    )
)


def test_doubling_all_three_costs_thirty_two_times():
    assert LESSON.scaled_cost(2, 2, 2, 1) == 32
    assert LESSON.scaled_cost(1.2, 1.1, 1.15, 1) == pytest.approx(1.92, abs=0.01)
    assert LESSON.scaled_cost(1.2, 1.1, 1.15, -2) == pytest.approx(1 / LESSON.scaled_cost(1.2, 1.1, 1.15, 2))


def test_resolution_costs_multiply_accumulates_and_no_parameters():
    """What a concept question asks: three steps in the published ratio."""
    assert LESSON.scaled_cost(1.2, 1.1, 1.15, 3) == pytest.approx(7.1, abs=0.1)
    assert LESSON.scaled_cost(1.2, 1.1, 1.0, 3) == pytest.approx(3.1, abs=0.1)  # depth and width alone


@pytest.mark.parametrize("variant", SCALES)
def test_the_stages_give_the_published_parameter_counts(variant: str):
    stages = tuple(StagePlan(*stage) for stage in LESSON.efficientnet_stages(variant))
    assert stages == efficientnet_plan(variant).stages
    with torch.device("meta"):
        network = EfficientNet(Plan(stages, LESSON.round_filters(1280, SCALES[variant].width), 224))
    assert sum(p.numel() for p in network.parameters()) == COUNTS[variant]


def test_the_block_is_made_of_torchvision_s_parts():
    block = LESSON.MBConv(8, 8, 5, 1, 4, 0.25, 0.0).eval()
    gate = SqueezeExcitation(32, 2, activation=torch.nn.SiLU)
    gate.fc1.load_state_dict(block.reduce.state_dict())
    gate.fc2.load_state_dict(block.restore.state_dict())
    x = torch.randn(3, 8, 6, 7)
    right = x + block.project(gate(block.depthwise(block.expand(x))))
    torch.testing.assert_close(block(x), right)


@pytest.mark.parametrize("name", ["MBConv", "FusedMBConv"])
def test_dropped_branches_keep_the_mean(name: str):
    torch.manual_seed(0)
    ratio = () if name == "FusedMBConv" else (0.25,)
    block = getattr(LESSON, name)(4, 4, 3, 1, 2, *ratio, 0.4)
    for module in block.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()  # the same statistics with and without dropping
    x = torch.randn(1, 4, 5, 5).expand(6000, -1, -1, -1)
    torch.testing.assert_close(block(x).mean(0), block.eval()(x[:1])[0], atol=0.1, rtol=0.05)


def test_the_grid_search_is_the_best_of_all_points_within_the_tolerance():
    asked = []

    def evaluate(*point: float) -> float:
        asked.append(point)
        return -sum((one - 1.3) ** 2 for one in point)

    best = LESSON.grid_search_coefficients(evaluate, 0.2, 0.1)
    right = [
        point
        for point in itertools.product([1, 1.2, 1.4, 1.6, 1.8, 2.0], repeat=3)
        if abs(point[0] * point[1] ** 2 * point[2] ** 2 - 2) <= 0.1
    ]
    assert [tuple(round(one, 6) for one in point) for point in asked] == right and len(right) == 6
    assert best == max(asked, key=lambda point: -sum((one - 1.3) ** 2 for one in point))


def test_mixup_s_labels_are_the_shares_of_its_images():
    x, y = torch.eye(6).view(6, 1, 2, 3), torch.arange(6)
    mixed, labels = LESSON.mixup(x, y, 0.3, np.random.default_rng(0), 6)
    torch.testing.assert_close(mixed.flatten(1), labels)
    loss = F.cross_entropy(torch.zeros(6, 6), labels)
    assert loss == pytest.approx(math.log(6), rel=1e-5)


def test_the_schedule_is_that_of_the_library():
    for stages in (1, 2, 4, 7):
        right = growing(stages, (12, 37), (0.0, 9.0))
        found = [LESSON.progressive_schedule(i, stages, (12, 37), (0.0, 9.0)) for i in range(stages)]
        assert found == [(phase.resolution, pytest.approx(phase.magnitude)) for phase in right]


def test_a_version_of_the_stages_that_rounds_by_itself_is_as_good_as_one_that_is_given_the_rounding():
    item = checks.exercise("efficientnet_stages")

    def wrong_rounding(variant, *, filters=None, repeats=None):
        return LESSON.efficientnet_stages(variant, filters=filters, repeats=repeats)

    transport = checks.InProcess({"efficientnet_stages": wrong_rounding})
    assert checks.grade(item, transport, LESSON, 5).right  # the check brings the library's rounding
    alone = checks.InProcess({"efficientnet_stages": lambda variant: LESSON.efficientnet_stages(variant)})
    # Right for all variants; the arguments are not there.
    assert checks.grade(item, alone, LESSON, 5).score == 0.5


@pytest.mark.parametrize(
    "name",
    [
        "round_filters",
        "round_repeats",
        "efficientnet_stages",
        "grid_search_coefficients",
        "progressive_schedule",
    ],
)
def test_one_way_of_rounding_never_looks_like_another(name: str):
    item = checks.exercise(name)
    rows = grade(item, variants(name), range(300, 303))
    assert [(row.variant.name, row.messages) for row in rows if not row.holds] == []


def test_of_equal_points_the_search_may_return_any():
    item = checks.exercise("grid_search_coefficients")
    [instance] = [one for one in item.instances(3) if one.get("about") == "a tolerance of 0"]
    instance["_best"] = [1.5, 1.5, 1.5]  # halfway between the points of the grid in each direction

    def search(pick):
        def last_or_first(evaluate, step, tolerance, limit=2.0):
            values = {
                point: evaluate(*point) for point in [(1.0, 1.0, 2.0), (1.0, 2.0, 1.0), (4.0, 1.0, 1.0)]
            }
            return tuple(pick(point for point in values if values[point] == max(values.values())))

        [answer] = checks.InProcess({item.name: last_or_first}).collect(item, item.name, [instance])
        [verdict] = checks.verdicts(item, [instance], [answer], checks.Expected([checks.Answer()]))
        return verdict.right

    assert search(min) and search(max)


def test_the_public_checks_are_small():
    """Of large outputs two images are stored, of a mistake's eight entries: all lessons' checks are below 2.5 MB."""
    sizes = {path.stem: path.stat().st_size for path in PUBLIC_FOLDER.glob("*.json")}
    assert sizes["07_compound_scaling"] < 200_000 and sum(sizes.values()) < 2_500_000, sizes


def test_the_recorded_runs_are_those_that_the_lesson_compares():
    scale, longer = recorded_runs("scale"), recorded_runs("longer")
    assert len({run["name"] for run in recorded_runs("grid")}) == 10
    families = {run["name"] for run in scale}
    assert {"base", "depth", "width", "resolution", "compound"} == families
    base = next(run["macs"] for run in scale if run["name"] == "base")
    for run in scale + longer:
        assert abs(run["macs"] / base / run["factor"] - 1) < 0.15, run
    assert {run["steps"] for run in longer} == {4 * run["steps"] for run in scale}
    for kind in ("grid", "scale", "longer", "augment", "progressive"):
        runs = recorded_runs(kind)
        keys = [(run["name"], run.get("factor"), run["seed"]) for run in runs]
        assert runs and len(set(keys)) == len(keys)
        assert all(10 < run["accuracy"] <= 100 for run in runs)
    assert VARIANTS[:8] == tuple(SCALES)


@pytest.mark.slow
@pytest.mark.usefixtures("sandboxed")
def test_the_samples_earn_what_they_should_in_the_sandbox(tmp_path):
    submissions = samples.write(tmp_path / "submissions", "07_compound_scaling")
    grades = command.grade(submissions, "07_compound_scaling", tmp_path / "course", jobs=1, progress=False)
    assert {row.student: row.points for row in grades.rows} == samples.earned("07_compound_scaling")
