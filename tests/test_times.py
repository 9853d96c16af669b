"""Points in time as people, tools and learning platforms write them: the instant that is meant, or a refusal."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbgrader.utils import parse_utc

from autograder.intake import times
from autograder.intake.submission import Submission, read_timestamp

MEANT = dt.datetime(2026, 10, 1, 21, 59)
SPELLINGS = [
    "2026-10-01 21:59 UTC",
    "2026-10-01T21:59:00Z",
    "2026-10-01 21:59:00.000 GMT",
    "2026-10-01 23:59 Europe/Berlin",
    "2026-10-01 23:59 +0200",
    "2026-10-01 23:59 +02:00",
    "2026-10-01T23:59+02",
    "2026-10-01 23:59 UTC+2",
    "2026-10-01 23:59 CEST",
    "2026-10-01 23:59 MESZ",
    "2026-10-01 22:59 CET",
    "2026-10-01 14:59 PDT",
    "2026-10-02 03:29 +05:30",
    "2026/10/01 23:59 +02:00",
    "01.10.2026 23:59 +02:00",
    "1.10.2026, 23:59 MESZ",
    "1. Oktober 2026, 23:59 MESZ",
    "Donnerstag, 1. Oktober 2026, 23:59 MESZ",
    "Thursday, 1 October 2026, 11:59 PM CEST",
    "Thursday, October 1, 2026, 11:59 PM Europe/Berlin",
    "Oct 1, 2026 at 9:59 pm UTC",
    "Thu, 01 Oct 2026 23:59:00 +0200",
    "Thu Oct 01 2026 23:59:00 GMT+0200 (Central European Summer Time)",
    "jeudi 1 octobre 2026, 23:59 CEST",
    "jueves, 1 de octubre de 2026, 23:59 CEST",
    "giovedì, 1 ottobre 2026, 23:59 CEST",
    "donderdag, 1 oktober 2026, 23:59 CEST",
    "quinta-feira, 1 de outubro de 2026, 22:59 WEST",
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_spellings_of_one_instant(text):
    assert times.instant(text) == MEANT
    assert times.instant(f"  {text}\r\n") == MEANT


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2026-10-01 23:59", "it names no time zone"),
        ("2026-10-01", "a date with a time of day"),
        (
            "01/10/2026 23:59 UTC",
            "a date with a time of day",
        ),  # the first of October, or the tenth of January?
        ("01.10.26 23:59 UTC", "the year in four digits"),
        ("2026-10-01 23:59 Europe/Nowhere", "'Europe/Nowhere' is no time zone"),
        ("2026-10-01 23:59 CST", "'CST' is no time zone"),  # Chicago's, China's or Cuba's
        ("2026-10-01 23:59 +25:00", "'+25:00' is no time zone"),
        ("2026-10-01 23:59 ../../etc/passwd", "is no time zone"),
        ("2026-10-25 02:30 Europe/Berlin", "the clocks of Europe/Berlin are changed then"),
        ("2026-03-29 02:30 Europe/Berlin", "the clocks of Europe/Berlin are changed then"),
        ("2026-02-30 10:00 UTC", "day is out of range"),
        ("2026-10-01 13:00 PM UTC", "no 13 o'clock PM"),
        ("1 jui 2026 10:00 UTC", "'jui' is no month"),
        ("0001-01-01 00:00 +14:00", "too far away"),
        ("soon", "a date with a time of day"),
    ],
)
def test_what_is_not_one_instant_is_refused_with_the_reason(text, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        times.instant(text)


@given(st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2100, 1, 1)))
def test_nbgrader_reads_what_is_written_as_what_was_meant(moment):
    assert parse_utc(times.written(moment)) == moment
    assert times.instant(times.written(moment)) == moment


@given(st.text(max_size=40))
def test_any_text_is_an_instant_or_refused(text):
    with contextlib.suppress(ValueError):
        assert times.instant(text, zone="UTC").tzinfo is None


# -- timestamp.txt -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"2026-10-01 21:59:00 UTC\r\n",
        b"2026-10-01 21:59",  # nbgrader's zip_collect leaves out the zone, and means this one
        b"\xef\xbb\xbf2026-10-01 21:59:00 UTC",
        "2026-10-01 23:59:00 +02:00\r\n".encode("utf-16"),
        b"2026-10-01T23:59:00.0000000+02:00",
        b"2026-10-01T21:59:00.000000000Z",
    ],
)
def test_timestamps_as_tools_of_all_systems_write_them(tmp_path, data):
    (tmp_path / "timestamp.txt").write_bytes(data)
    assert Submission("ann", tmp_path / "x.ipynb").timestamp == times.written(MEANT)


@pytest.mark.parametrize(
    "data", [b"", b"yesterday", b"2026-13-01 10:00:00 UTC", b"x" * 5000, b"\xff\xfe\x00"]
)
def test_a_timestamp_that_is_none_is_named(tmp_path, data):
    (tmp_path / "timestamp.txt").write_bytes(data)
    assert Submission("ann", tmp_path / "x.ipynb").timestamp is None
    with pytest.raises(ValueError, match=r"timestamp.txt: a timestamp must be a time such as .* on time\."):
        read_timestamp(tmp_path / "timestamp.txt")


def test_a_link_is_no_timestamp(tmp_path):
    (tmp_path / "when").write_text("2026-10-01 21:59:00 UTC", encoding="utf-8")
    Path(tmp_path, "timestamp.txt").symlink_to(tmp_path / "when")
    assert Submission("ann", tmp_path / "x.ipynb").timestamp is None


def test_what_lies_in_the_learners_own_folder_is_a_claim(tmp_path):
    (tmp_path / "timestamp.txt").write_text("2026-10-01 21:59:00 UTC", encoding="utf-8")
    submission = Submission("ann", tmp_path / "x.ipynb", theirs=True)
    assert submission.timestamp is None
    assert submission.claim == times.written(MEANT)
