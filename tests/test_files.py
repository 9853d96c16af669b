"""Files that are written whole or not at all."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from nas_lib._files import replacing, writable


@pytest.mark.parametrize("private", [False, True])
def test_a_file_is_replaced_by_the_whole_new_one(tmp_path: Path, private: bool) -> None:
    path = tmp_path / "grades.csv"
    path.write_text("old", encoding="utf-8")
    (tmp_path / "grades.csv.new").write_text("left by a process that was killed", encoding="utf-8")
    with replacing(path, private) as fresh:
        fresh.write_text("new", encoding="utf-8")
        assert path.read_text("utf-8") == "old"
        assert not private or stat.S_IMODE(fresh.stat().st_mode) == 0o600
    assert path.read_text("utf-8") == "new" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_after_an_error_the_old_one_stands_and_nothing_is_left(tmp_path: Path, error: type) -> None:
    path = tmp_path / "grades.csv"
    path.write_text("old", encoding="utf-8")

    def breaks_off() -> None:
        with replacing(path) as fresh:
            fresh.write_text("half", encoding="utf-8")
            raise error

    with pytest.raises(error):
        breaks_off()
    assert path.read_text("utf-8") == "old" and list(tmp_path.iterdir()) == [path]


def test_a_place_that_no_file_can_have_is_refused_by_name(tmp_path: Path) -> None:
    assert writable("out", tmp_path / "x.csv") == tmp_path / "x.csv"
    for path in (tmp_path, tmp_path / "nowhere" / "x.csv"):
        with pytest.raises(ValueError, match="out must be a file in a folder that exists"):
            writable("out", path)
