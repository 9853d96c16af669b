"""The sample submissions: what is put into them, and that each answer earns what the sample is for."""

from __future__ import annotations

from dataclasses import replace

import pytest

import solutions
from autograder import samples
from autograder.author.lesson import read_lesson
from nas_lib import checks

LESSONS = solutions.lessons()
EXERCISES = [
    item
    for lesson in LESSONS
    for item in checks.exercises(lesson).values()
    if not isinstance(item, checks.ConceptQuestion)
]


CARELESS = [
    item
    for item in EXERCISES
    for one in solutions.load(item.lesson).MISTAKES[item.name]
    if one.concept == samples.CARELESS and one.source
]
ANSWERS = [(item, "wrong", 0.0) for item in EXERCISES]
ANSWERS += [(item, "part", 0.75) for item in dict.fromkeys(CARELESS)]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # some divide by zero
@pytest.mark.parametrize(
    ("item", "answer", "share"), [pytest.param(*one, id=f"{one[0].name}-{one[1]}") for one in ANSWERS]
)
def test_an_answer_earns_what_it_is_in_the_sample_for(item: checks.Exercise, answer: str, share: float):
    reference = solutions.load(item.lesson)
    cells = {cell.id: cell.source for cell in samples.notebook(item.lesson, {item.name: answer}).cells}
    names = dict(vars(reference))
    exec(cells[item.name], names)
    instances = checks.instances_of(item, 5)
    # Marks need no names of mistakes, which would be asked for their answers.
    expected = replace(checks.expected_answers(item, reference, instances), mistakes=tuple)
    answers = checks.InProcess(names).collect(item, item.name, instances)
    assert checks.worst(checks.verdicts(item, instances, answers, expected)).score == share


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_half_right_sample_has_an_answer_of_each_kind_and_about_half_of_the_points(lesson: str):
    answers = samples.sources(lesson, "half")
    assert set(answers.values()) == {"part", "wrong", "reference", "stub"}
    points = read_lesson(lesson).points()
    full = sum(value for name, value in points.items() if not name.startswith("open_"))
    assert 0.4 < sum(value or 0 for value in samples.earned(lesson)["half"].values()) / full < 0.6


def test_full_marks_nothing_and_what_waits():
    earned = samples.earned("01_random_search")
    points = read_lesson("01_random_search").points()
    assert earned["perfect"] == {**points, "open_01_1": None}
    assert earned["blank"] == dict.fromkeys(points, 0)
    assert earned["wrong"] == {**dict.fromkeys(points, 0), "open_01_1": None}


def test_an_unknown_sample_is_refused():
    with pytest.raises(ValueError, match="sample must be one of perfect, blank"):
        samples.sources("01_random_search", "best")
