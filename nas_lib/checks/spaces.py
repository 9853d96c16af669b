"""Small search spaces for checks: any options per decision, and a guard against loops that draw for ever.

They speak `nas_lib.spaces.Space` as far as the exercises need it, so that a right answer is one for any
space.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from numpy.random import Generator

from nas_lib.checks.probing import Endless
from nas_lib.spaces import Cell, CellSpace

DRAWS = 1_000
"""Times the space's size that may be drawn from it: far more than drawing every architecture takes by
chance."""


class ChoiceSpace:
    """Every combination of options, one tuple of options per decision; the first decision counts most in the
    index.

    Args:
        choices: the options of each decision.
    """

    def __init__(self, choices: Sequence[Sequence[Any]]) -> None:
        self.choices = tuple(tuple(options) for options in choices)
        self._size = math.prod(map(len, self.choices))
        self._draws = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return product(*self.choices)

    def __contains__(self, arch: object) -> bool:
        return (
            isinstance(arch, tuple)
            and len(arch) == len(self.choices)
            and all(option in options for option, options in zip(arch, self.choices))
        )

    def sample(self, rng: Generator) -> tuple[Any, ...]:
        """One architecture, uniformly at random."""
        self._draw()
        return self.from_index(int(rng.integers(len(self))))

    def neighbors(self, arch: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Every architecture that differs in one decision."""
        return [
            (*arch[:place], option, *arch[place + 1 :])
            for place, options in enumerate(self.choices)
            for option in options
            if option != arch[place]
        ]

    def mutate(self, arch: Sequence[Any], rng: Generator) -> tuple[Any, ...]:
        """A random neighbour."""
        self._draw()
        place, left = 0, int(rng.integers(sum(len(options) - 1 for options in self.choices)))
        while left >= len(self.choices[place]) - 1:  # the neighbour of that number, without listing all
            left -= len(self.choices[place]) - 1
            place += 1
        option = [one for one in self.choices[place] if one != arch[place]][left]
        return (*arch[:place], option, *arch[place + 1 :])

    def index(self, arch: Sequence[Any]) -> int:
        """Number of an architecture."""
        number = 0
        for option, options in zip(arch, self.choices):
            number = number * len(options) + options.index(option)
        return number

    def from_index(self, index: int) -> tuple[Any, ...]:
        """The architecture with that number."""
        if not 0 <= index < len(self):
            raise ValueError(f"index must be from 0 to {len(self) - 1}, got {index!r}")
        arch: list[Any] = []
        for options in reversed(self.choices):
            index, place = divmod(int(index), len(options))
            arch.append(options[place])
        return tuple(reversed(arch))

    def str(self, arch: Sequence[Any]) -> builtins.str:
        """The options, separated by bars."""
        return "|".join(builtins.str(option) for option in arch)

    def _draw(self) -> None:
        self._draws += 1
        if self._draws > DRAWS * max(1, len(self)):
            raise Endless(f"more than {DRAWS * len(self):,} architectures were drawn: the loop never ends")

    def __repr__(self) -> builtins.str:
        return f"ChoiceSpace({self.choices!r})"


class GuardedCellSpace(CellSpace):
    """The course's cell space with the guard against endless loops."""

    def __init__(self, ops: Sequence[builtins.str]) -> None:
        super().__init__(ops)
        self._draws = 0

    def sample(self, rng: Generator) -> Cell:
        """One cell, uniformly at random."""
        self._draws += 1
        if self._draws > DRAWS * len(self):
            raise Endless(f"more than {DRAWS * len(self):,} cells were drawn: the loop never ends")
        return super().sample(rng)
