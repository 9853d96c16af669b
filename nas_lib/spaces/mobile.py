"""Small MobileNet-like networks: a few stages of inverted bottlenecks, each with its own depth, kernel and expansion.

One decision per stage and property, as in MnasNet's factorised space (Tan et al. 2019, section 4.1), and two for the
whole network: the resolution of its images and a multiplier of its width. So no two architectures of a space are the
same network. `nas_lib.mobile` builds them.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nas_lib.spaces._protocol import Str, require_generator, require_index

Option: TypeAlias = float
"""What a decision is settled by: an int, or a float for the width."""

_SPELLING = "r12-w1-d2k3e4-d1k5e3"
_HEAD = re.compile(r"r(\d+)-w(\d+(?:\.\d+)?(?:e[+-]\d+)?)")
_STAGE = re.compile(r"-d(\d+)k(\d+)e(\d+)")


class Stage(NamedTuple):
    """One stage: `depth` inverted bottlenecks with depthwise `kernel` x `kernel`, `expand` times as wide inside."""

    depth: int
    kernel: int
    expand: int


class MobileArch(tuple[Option, ...]):
    """A network's architecture: resolution, width multiplier, then depth, kernel and expansion of each stage.

    A flat tuple with one entry per decision, equal to the plain tuple of the same numbers and hashed like it. It need
    not belong to any space.

    Raises:
        TypeError: no sequence of numbers.
        ValueError: not two numbers and three more per stage, or one that no network can have.
    """

    __slots__ = ()

    def __new__(cls, decisions: Iterable[Option]) -> Self:
        """The architecture with these decisions."""
        if isinstance(decisions, cls):
            return decisions
        return super().__new__(cls, _checked(decisions))

    @classmethod
    def of(cls, resolution: int, width: float, stages: Iterable[Sequence[int]]) -> Self:
        """The architecture with these stages, each (depth, kernel, expansion)."""
        return cls((resolution, width, *itertools.chain.from_iterable(stages)))

    @property
    def resolution(self) -> int:
        """Height and width of the images."""
        return int(self[0])

    @property
    def width(self) -> float:
        """What the channels of the plain network are multiplied by."""
        return float(self[1])

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages, from the images to the classifier."""
        return tuple(Stage(*map(int, self[i : i + 3])) for i in range(2, len(self), 3))

    def __str__(self) -> str:
        stages = "".join(f"-d{depth}k{kernel}e{expand}" for depth, kernel, expand in self.stages)
        return f"r{self.resolution}-w{spelt(self.width)}{stages}"

    def __repr__(self) -> str:
        return f"MobileArch({tuple(self)!r})"


def spelt(number: float) -> Str:
    """A number as short as it can be written without becoming another: 1, 0.75, 1.2100000000000002."""
    short = f"{number:g}"
    return short if float(short) == number else repr(float(number))


def _checked(decisions: Any) -> tuple[Option, ...]:
    accepted = (
        "arch must be a resolution, a width and depth, kernel and expansion of each stage, "
        "such as (12, 1.0, 2, 3, 4, 1, 5, 3)"
    )
    if isinstance(decisions, str):
        raise TypeError(f"{accepted}, got the string {decisions!r} (a space's parse() reads strings)")
    try:
        values = tuple(decisions)
    except TypeError:
        raise TypeError(f"{accepted}, got {decisions!r}") from None
    for value in values:
        if isinstance(value, (bool, np.bool_)) or not isinstance(
            value, (int, float, np.integer, np.floating)
        ):
            raise TypeError(f"{accepted}, got {value!r} in {values!r}")
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{accepted}, all above 0, got {value!r} in {values!r}")
    if len(values) < 5 or (len(values) - 2) % 3:
        raise ValueError(f"{accepted}, got {len(values)} numbers: {values!r}")
    whole = [value for place, value in enumerate(values) if place != 1]
    if any(value != int(value) for value in whole):
        raise ValueError(f"{accepted}, integers except for the width, got {values!r}")
    for kernel in values[3::3]:
        if kernel % 2 == 0:
            raise ValueError(f"{accepted}, with odd kernels, got kernel {kernel!r} in {values!r}")
    return (int(values[0]), float(values[1]), *map(int, values[2:]))


class MobileSpace:
    """All combinations of a few options for each decision: 5,184 networks by default, or as many as you name.

    The index is lexicographic in the order of the options, the first decision (resolution) most significant.

    Args:
        resolutions: heights of the images.
        widths: multipliers of all channels.
        stages: number of stages.
        depths: how many blocks a stage may have.
        kernels: sizes of depthwise kernels, odd.
        expands: how many times wider a block may be inside.

    Raises:
        TypeError: an argument that is no sequence of numbers.
        ValueError: no options, a repeated one, or one that no network can have.
    """

    def __init__(
        self,
        resolutions: Sequence[int] = (8, 12, 16),
        widths: Sequence[float] = (1.0,),
        stages: int = 3,
        depths: Sequence[int] = (1, 2, 3),
        kernels: Sequence[int] = (3, 5),
        expands: Sequence[int] = (2, 4),
    ) -> None:
        if isinstance(stages, bool) or not isinstance(stages, (int, np.integer)) or stages < 1:
            raise ValueError(f"stages must be an integer of 1 or more, got {stages!r}")
        per_stage = {"depths": depths, "kernels": kernels, "expands": expands}
        for name, options in {"resolutions": resolutions, "widths": widths, **per_stage}.items():
            _check_options(name, options)
        self._choices: tuple[tuple[Option, ...], ...] = tuple(
            tuple(options) for options in (resolutions, widths, *([depths, kernels, expands] * stages))
        )
        # Each option on its own place: reports what no network can have, in the words that architectures use.
        for place, options in enumerate(self._choices):
            for option in options:
                MobileArch(
                    [
                        *(o[0] for o in self._choices[:place]),
                        option,
                        *(o[0] for o in self._choices[place + 1 :]),
                    ]
                )
        self._ranks = tuple(
            {option: rank for rank, option in enumerate(options)} for options in self._choices
        )
        sizes = [len(options) for options in self._choices]
        self._places = tuple(math.prod(sizes[place + 1 :]) for place in range(len(sizes)))
        self._moves = [(place, other) for place, size in enumerate(sizes) for other in range(size - 1)]

    @property
    def choices(self) -> tuple[tuple[Option, ...], ...]:
        """The options of each decision: resolution, width, then depth, kernel and expansion of each stage."""
        return self._choices

    @property
    def largest(self) -> MobileArch:
        """The architecture with the largest option of each decision."""
        return MobileArch(max(options) for options in self._choices)

    @property
    def smallest(self) -> MobileArch:
        """The architecture with the smallest option of each decision."""
        return MobileArch(min(options) for options in self._choices)

    def sample(self, rng: Generator) -> MobileArch:
        """One architecture, uniformly at random."""
        require_generator(rng)
        return self.from_index(int(rng.integers(len(self))))

    def neighbors(self, arch: Sequence[Option]) -> list[MobileArch]:
        """Every architecture that differs from `arch` in one decision: by decision, then by option."""
        ranks = self._ranks_of(arch)
        return [self._moved(ranks, place, other) for place, other in self._moves]

    def mutate(self, arch: Sequence[Option], rng: Generator) -> MobileArch:
        """A neighbour of `arch`: a random decision among those with two options or more gets another one.

        Raises:
            ValueError: `arch` is not in the space, or no decision has two options.
        """
        require_generator(rng)
        ranks = self._ranks_of(arch)
        open_decisions = [place for place, options in enumerate(self._choices) if len(options) > 1]
        if not open_decisions:
            raise ValueError(f"a mutation needs a decision with two options or more, got {self!r}")
        place = open_decisions[int(rng.integers(len(open_decisions)))]
        return self._moved(ranks, place, int(rng.integers(len(self._choices[place]) - 1)))

    def _moved(self, ranks: Sequence[int], place: int, other: int) -> MobileArch:
        """The architecture in which decision `place` has the option number `other` of those that it has not."""
        rank = other if other < ranks[place] else other + 1
        moved = [*ranks[:place], rank, *ranks[place + 1 :]]
        return MobileArch(options[r] for options, r in zip(self._choices, moved, strict=True))

    def index(self, arch: Sequence[Option]) -> int:
        """Position of `arch` in the space, 0 ≤ index < len."""
        return sum(rank * place for rank, place in zip(self._ranks_of(arch), self._places, strict=True))

    def _ranks_of(self, arch: Sequence[Option]) -> list[int]:
        decisions = MobileArch(arch)
        if len(decisions) != len(self._choices):
            raise ValueError(
                f"arch must have {(len(self._choices) - 2) // 3} stages in this space, got {decisions}"
            )
        for decision, options in zip(decisions, self._choices, strict=True):
            if decision not in options:
                raise ValueError(
                    f"arch has {spelt(decision)} where the space offers {options}, got {decisions}"
                )
        return [ranks[decision] for ranks, decision in zip(self._ranks, decisions, strict=True)]

    def from_index(self, index: int) -> MobileArch:
        """The architecture at position `index`.

        Raises:
            TypeError: `index` is not an integer.
            ValueError: `index` is outside 0 … len − 1.
        """
        require_index(index, len(self))
        return MobileArch(
            options[int(index) // place % len(options)]
            for options, place in zip(self._choices, self._places, strict=True)
        )

    def encode(self, arch: Sequence[Option]) -> NDArray[np.float64]:
        """One-hot vector, decision by decision, options in order; its length is the number of all options."""
        ranks = self._ranks_of(arch)
        return np.concatenate(
            [np.eye(len(options))[rank] for options, rank in zip(self._choices, ranks, strict=True)]
        )

    def parse(self, string: Str) -> MobileArch:
        """The architecture that a string such as `r12-w1-d2k3e4-d1k5e3-d3k3e2` spells.

        Raises:
            TypeError: not a string.
            ValueError: not spelt so, or not in this space.
        """
        accepted = f"string must be an architecture written as {_SPELLING!r}"
        if not isinstance(string, str):
            raise TypeError(f"{accepted}, got {string!r}")
        head = _HEAD.match(string)
        stages = [tuple(map(int, found.groups())) for found in _STAGE.finditer(string)]
        if head is None or not stages:
            raise ValueError(f"{accepted}, got {string!r}")
        arch = MobileArch.of(int(head[1]), float(head[2]), stages)
        # Spelling it again is the whole grammar: whatever the patterns skipped makes the two differ.
        if str(arch) != string:
            raise ValueError(f"{accepted}, got {string!r}")
        self._ranks_of(arch)
        return arch

    def str(self, arch: Sequence[Option]) -> Str:
        """The spelling of `arch`; `parse` reads it back."""
        self._ranks_of(arch)
        return str(MobileArch(arch))

    def __len__(self) -> int:
        return math.prod(len(options) for options in self._choices)

    def __iter__(self) -> Iterator[MobileArch]:
        return map(MobileArch, itertools.product(*self._choices))

    def __contains__(self, arch: object) -> bool:
        try:
            self._ranks_of(arch)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return False
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MobileSpace) and self._choices == other._choices

    def __hash__(self) -> int:
        return hash((MobileSpace, self._choices))

    def __repr__(self) -> Str:
        resolutions, widths, depths, kernels, expands = self._choices[:5]
        return (
            f"MobileSpace(resolutions={resolutions}, widths={widths}, stages={(len(self._choices) - 2) // 3}, "
            f"depths={depths}, kernels={kernels}, expands={expands})"
        )


def _check_options(name: str, options: Any) -> None:
    if isinstance(options, str) or not isinstance(options, Sequence):
        raise TypeError(f"{name} must be a sequence of numbers, got {options!r}")
    if not options or len(set(options)) != len(options):
        raise ValueError(f"{name} must be one or more distinct numbers, got {tuple(options)!r}")
