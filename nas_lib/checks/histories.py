"""What checks of search loops share: the space and the objective of an instance, and histories as plain data.

The objective's values depend on a seed that never enters the learner's process. Nothing here judges a history.
"""

from __future__ import annotations

import functools
import hashlib
import json
from typing import Any

from nas_lib.checks.codec import NotPlainData, describe
from nas_lib.checks.exercise import Instance, show
from nas_lib.checks.oracles import Refused
from nas_lib.checks.spaces import ChoiceSpace, GuardedCellSpace


def space_of(instance: Instance) -> ChoiceSpace | GuardedCellSpace:
    """The space of an instance: cells of the operations in `ops`, or the options in `choices`."""
    return GuardedCellSpace(instance["ops"]) if "ops" in instance else ChoiceSpace(instance["choices"])


class Objective:
    """The objective of an instance: a value per architecture from a seed that stays outside the learner's process.

    The instance holds `_seed`, `_levels` (how many different values there are: few make ties) and `_range`
    (lowest and highest value); with `_odd` = [number, value] the architecture of that number gets that value.
    """

    def __init__(self, instance: Instance) -> None:
        self._space = space_of(instance)
        self._seed, self._levels = instance["_seed"], instance["_levels"]
        self._low, self._high = instance["_range"]
        self._odd = dict([instance["_odd"]]) if "_odd" in instance else {}

    def __call__(self, arch: Any) -> float:
        """The value of an architecture.

        Raises:
            Refused: it is none of the space.
        """
        options = tuple(arch) if type(arch) is list else None
        if options is None or options not in self._space:
            raise Refused(
                f"the objective was called with {show(arch)}, which is no architecture of the space"
            )
        index = self._space.index(options)
        if index in self._odd:
            return float(self._odd[index])
        level = _drawn(self._seed, index) % self._levels
        return round(self._low + (self._high - self._low) * level / max(1, self._levels - 1), 6)


@functools.lru_cache(maxsize=1 << 16)
def _drawn(seed: int, index: int) -> int:
    """What a value is made of; a class is asked about the same architectures again and again."""
    digest = hashlib.sha256(json.dumps([seed, index]).encode()).digest()
    return int.from_bytes(digest[:4], "big")


def plain(history: Any) -> dict[str, Any]:
    """Architectures and values of what came back, as plain data."""
    if history is None:
        return {"archs": None, "values": None}
    if not hasattr(history, "archs") or not hasattr(history, "values") or callable(history.values):
        raise NotPlainData(f"returned {describe(history)} where a History(archs, values) is expected")
    archs = list(history.archs)
    odd = next((describe(arch) for arch in archs if not isinstance(arch, tuple)), None)
    return {"archs": archs, "values": history.values, "odd": odd}
