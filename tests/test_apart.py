"""What the grader does with learners' text costs one submission at most: it happens apart, within limits."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.sandbox import apart
from autograder.sandbox.apart import Beyond, limited


@dataclass
class Found:
    number: int
    pid: int


class Refused(ValueError):
    """An error that says something of the text."""


@limited(seconds=5, back=lambda found: Found(**found))
def look(number: int) -> Found:
    return Found(number, os.getpid())


@limited(seconds=5)
def twice(number: int) -> int:
    return look(number).number + look(number).number


@limited(seconds=1)
def spin() -> None:
    while True:
        pass


@limited(seconds=20)
def fill() -> int:
    return len(bytearray(16 * 2**30))


@limited(seconds=5)
def dive(depth: int) -> int:
    return dive(depth - 1) + 1 if depth else 0


@limited(seconds=5)
def die() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


@limited(seconds=5, tells=Refused)
def refuse(kind: str) -> None:
    raise (Refused if kind == "own" else KeyError)("no such thing")


@limited(seconds=5)
def opened() -> list[str]:
    return [os.readlink(place) for place in Path("/proc/self/fd").iterdir() if place.is_symlink()]


def test_it_works_in_another_process_and_gives_back_what_it_is_told_to():
    assert look(3).number == 3
    assert look(3).pid != os.getpid()
    assert twice(4) == 8  # what is called in there stays there


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (spin, "it took more than 1 s"),
        (fill, "it took more than 1024 MB of memory"),
        (lambda: dive(100_000), "it is nested too deep"),
        (die, r"it ended the process that looked at it \(-11\)"),
        (lambda: refuse("other"), "the grader failed on it"),
    ],
    ids=["time", "memory", "depth", "death", "error"],
)
def test_what_is_too_much_is_one_error_and_the_next_call_works(call, reason):
    with pytest.raises(Beyond, match=reason):
        call()
    assert look(1).number == 1


def test_a_thousand_calls_deep_is_not_too_deep():
    assert dive(2_000) == 2_000


def test_what_a_function_says_of_the_text_comes_through_as_its_own_error():
    with pytest.raises(Refused, match="no such thing"):
        refuse("own")


def test_the_other_process_holds_no_file_of_ours(tmp_path: Path):
    with open(tmp_path / "held", "w", encoding="utf-8"):
        apart.close()
        assert not [name for name in opened() if str(tmp_path) in name]


def test_it_ends_with_the_process_that_made_it():
    child = os.fork()
    if not child:
        pid = look(0).pid  # one of its own: two processes must not share a line
        os._exit(0 if pid not in (os.getpid(), os.getppid()) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    before = look(0).pid
    apart.close()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{before}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{before}").exists()


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)
    )
)
def test_data_comes_back_as_it_was(data):
    assert echo(data) == data


@limited(seconds=5)
def echo(data: object) -> object:
    return data
