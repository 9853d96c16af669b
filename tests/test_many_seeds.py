"""Many seeds: every variant is graded on as many as asked for, once, and what a check does wrong is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.gate import registry
from nas_lib import checks
from scripts import recording
from scripts.checks import many_seeds
from scripts.checks.many_seeds import ManySeeds
from solutions.mistakes import Mistake

NAME = "samples_for_top_fraction"


def study(folder: Path, seeds: int = 2, right: int = 3) -> ManySeeds:
    return ManySeeds("01_random_search", NAME, seeds, right, folder)


def test_mistakes_and_right_answers_are_graded_and_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many_seeds, "BLOCK", 2)
    recording.carry_out("record", study(tmp_path).recording)
    recording.carry_out("record", study(tmp_path).recording)
    assert "0 jobs done" in capsys.readouterr().out
    (text,) = study(tmp_path).recording.show(study(tmp_path).recording.rows())
    known = registry.variants(NAME)
    wrong = sum(one.is_wrong for one in known)
    assert text.startswith(f"{NAME}: {len(known) - wrong + 1} right × 3 seeds, lowest 1.00")
    assert f"; {wrong} mistakes × 2 seeds, highest 0." in text


def test_what_a_check_does_wrong_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    spared = Mistake("spared", "log-base", "", lambda reference: getattr(reference, NAME))
    hit = Mistake("hit", "", "", lambda reference: lambda fraction, confidence: 1)
    monkeypatch.setattr(many_seeds, "variants", lambda name: [spared, hit])
    recording.carry_out("record", study(tmp_path).recording)
    with pytest.raises(SystemExit) as ended:
        recording.carry_out("show", study(tmp_path).recording)
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert "!! spared on 2 of 2 seeds, first 1000000: 1.00" in said
    assert "!! hit on 3 of 3 seeds, first 1000000: 0.00" in said


def test_an_answer_that_never_ends_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(fraction, confidence):
        while True:
            pass

    monkeypatch.setattr(registry, "SECONDS", 0.05)
    item = checks.exercise(NAME)
    instances = checks.instances_of(item, 1)
    found = registry.answers_of(item, endless, instances)
    assert len(found) == len(instances) > 1 and all(one is found[0] for one in found)


def test_another_state_of_the_check_is_graded_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(study(tmp_path).recording.jobs)
    monkeypatch.setattr(many_seeds, "state", lambda lesson: "another")
    assert not before & set(study(tmp_path).recording.jobs)
    with pytest.raises(ValueError, match="no exercise"):
        _ = ManySeeds(exercise="nothing").recording
