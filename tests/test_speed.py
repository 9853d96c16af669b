"""The table of ratios: how they are taken, their way back from the history, and that the README quotes the last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.benchmarks import speed
from scripts.benchmarks.speed import Ratio, Result

ROOT = Path(__file__).resolve().parents[1]


def test_the_two_take_turns_and_the_first_round_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([100.0, 1.0, 2.0, 4.0, 9.0, 3.0, 2.0, 2.0])
    called = []

    def clock(call: speed.Call) -> float:
        call()
        return next(seconds)

    monkeypatch.setattr(speed, "_cpu", clock)
    calls = (lambda: called.append("ours"), lambda: called.append("theirs"))
    ratio = speed.ratio_of("part", "ours", "theirs", calls, 3)
    assert called == ["ours", "theirs"] * 4
    assert (ratio.median, ratio.low, ratio.high) == (1.0, 0.5, 3.0)


def test_a_result_comes_back_from_its_line_and_the_one_before_stands_beside_it(tmp_path: Path) -> None:
    def result(median: float) -> Result:
        ratio = Ratio("part", "ours", "theirs", median, 0.25, 2.0, 1.5)
        return Result("2026-01-01", "abc1234", "a machine", {"numpy": "2"}, (0.5, 1.0), (ratio,))

    path = tmp_path / "history.jsonl"
    path.write_text(f"{result(0.5).line()}\n{result(0.75).line()}\n", encoding="utf-8")
    found = speed.history(path)
    assert found == [result(0.5), result(0.75)]
    said = speed.compared(found)
    assert "a machine; numpy 2; 0.5 to 1.0 processes running" in said
    assert "0.75" in said and "before: 0.5" in said and "≤ 1.5" in said
    assert "before" not in speed.compared(found[:1])


def test_parts_are_measured_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def part(rounds: int) -> Iterator[Ratio]:
        yield Ratio("quick", f"{rounds} rounds", "theirs", 1.0, 1.0, 1.0)

    monkeypatch.setattr(speed, "PARTS", {"quick": (part, 4), "grading": (part, 1)})
    speed.main(["--rounds", "2"])
    said = capsys.readouterr().out
    assert said.count("2 rounds") == 1  # grading is asked for by its own option
    assert speed.measure(["quick"], show=False).ratios[0].ours == "4 rounds"
    with pytest.raises(SystemExit):
        speed.main(["--rounds", "0"])


def test_tables_are_measured_against_the_real_package() -> None:
    pytest.importorskip("nats_bench", reason="the optional package nats_bench is not installed")
    ratios = list(speed.tables(1))
    assert len(ratios) == 3 and all(0 < one.median < 1 for one in ratios)


def test_the_readme_quotes_the_last_result() -> None:
    readme, last = (ROOT / "README.md").read_text(encoding="utf-8"), speed.history()[-1]
    assert speed.markdown(last) in readme
    assert last.machine in readme and last.day in readme
    assert all(f"{name} {version}" in readme for name, version in last.versions.items())
