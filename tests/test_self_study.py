"""Our answers, shown below a check that is right to who studies alone, and to nobody else."""

from __future__ import annotations

import ast
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import solutions
from autograder.author import build, leaks, release, self_study, verify
from autograder.sandbox import library
from nas_lib import checks
from nas_lib.notebooks import lab, model_answers

LESSON = "01_random_search"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What a notebook of a clone opened by `nas-course lab` displays."""
    found: list[str] = []
    monkeypatch.setenv(model_answers.FROM_CLONE, "1")
    monkeypatch.setattr(model_answers, "displayed", found.append)
    model_answers.of.cache_clear()
    yield found
    model_answers.of.cache_clear()


@pytest.mark.parametrize("lesson", solutions.lessons())
def test_every_exercise_and_question_has_its_answer(lesson: str) -> None:
    answers = self_study.answers(lesson)
    assert answers.keys() == checks.exercises(lesson).keys()
    for name, one in answers.items():
        if "letter" in one:
            assert one["letter"] in one["reasons"] and all(one["reasons"].values())
        else:
            defined = [node for node in ast.parse(one["source"]).body if getattr(node, "name", "") == name]
            assert len(defined) == 1 and ast.get_docstring(defined[0]) is None  # type: ignore[arg-type]
            assert "SOLUTION" not in one["source"]


def test_an_answer_without_docstrings_computes_the_same() -> None:
    space: dict[str, Any] = {"np": __import__("numpy")}
    exec(self_study.answers(LESSON)["incumbent_curve"]["source"], space)
    assert space["incumbent_curve"]([1.0, 3.0, 2.0]).tolist() == [1.0, 3.0, 3.0]


def test_it_is_folded_away_below_a_check_that_is_right(shown: list[str], capsys: Any) -> None:
    assert not checks.check("simple_regret", lambda values, best: values).right
    assert shown == []
    assert checks.check("simple_regret", solutions.load(LESSON).simple_regret).right
    (one,) = shown
    assert one.startswith("<details><summary>Our <code>simple_regret</code>")
    assert "def simple_regret(values, best):" in one


def test_a_question_says_which_is_right_and_why(shown: list[str], capsys: Any) -> None:
    right = self_study.answers(LESSON)["concept_01_1"]["letter"]
    wrong = next(letter for letter in "abcd" if letter != right)
    checks.check("concept_01_1", wrong)
    checks.check("concept_01_1", right)
    said = capsys.readouterr().out.splitlines()
    assert said == [
        f'✗ concept_01_1: you said "{wrong}", right is "{right}"',
        f'✓ concept_01_1: you said "{right}", right is "{right}"',
    ]
    assert f"<b>{right}</b> (right): " in shown[0] and shown[0].count("<li>") == 4


def test_without_the_variable_and_in_an_edition_for_classes_there_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.delenv(model_answers.FROM_CLONE, raising=False)
    model_answers.of.cache_clear()
    assert not model_answers.FOLDER.exists() and model_answers.of(LESSON) == {}
    checks.check("concept_01_1", "a")
    assert "grading will tell" in capsys.readouterr().out


def test_the_edition_s_library_holds_them_and_grading_s_does_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(verify, "verify_all", lambda folder: [])  # tested where the other edition is
    monkeypatch.setattr(build, "drift", lambda root: [])
    searched: list[list[str]] = []

    def scan(archive: Path, answers: Any) -> list[str]:
        searched.append(_wheel(archive)[1])
        return []

    monkeypatch.setattr(leaks, "scan", scan)
    made = release.release(tmp_path, answers=True)
    assert made.name == "nas-from-scratch-self-study.zip"
    assert not any(
        "assets/answers" in name for name in searched[0]
    )  # all but the answers is searched for answers
    wheel, names = _wheel(made)
    stored = [name for name in names if "assets/answers" in name]
    assert stored == [f"nas_lib/assets/answers/{lesson}.json" for lesson in solutions.lessons()]
    assert json.loads(wheel.read(stored[1])) == self_study.answers(LESSON)
    assert "assets/answers" in library.ABSENT


def test_in_a_clone_the_command_that_opens_the_lessons_allows_it(repository: Path) -> None:
    _, environment = lab.started(repository / "notebooks")
    assert environment[model_answers.FROM_CLONE] == "1"


def _wheel(archive: Path) -> tuple[zipfile.ZipFile, list[str]]:
    outer = zipfile.ZipFile(archive)
    (name,) = [name for name in outer.namelist() if name.endswith(".whl")]
    wheel = zipfile.ZipFile(outer.open(name))
    return wheel, sorted(wheel.namelist())
