"""What a call may change is declared, and everything else is held."""

from __future__ import annotations

from typing import Any

import pytest

from nas_lib.checks.exercise import Exercise, Instance
from nas_lib.checks.probing import run_probe


class _Fills(Exercise):
    """A function that may write into the list that it is given."""

    name, lesson, changes = "fills", "99_nothing", ("room*",)

    def instances(self, seed: int) -> list[Instance]:
        return [{}]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        return fn([])


def _fill(room: list[int]) -> int:
    room.append(1)
    return len(room)


@pytest.mark.parametrize(("own", "changed"), [({}, []), ({"changes": []}, ["room", "room[0]"])])
def test_an_instance_may_say_itself_what_may_change(own: Instance, changed: list[str]) -> None:
    told = run_probe(_Fills(), _fill, own)
    assert told["value"] == 1 and told["changed"] == changed
