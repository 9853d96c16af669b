"""Small MobileNet-like networks: a few stages of inverted bottlenecks, each with its own depth, kernel and expansion.

One decision per stage and property, as in MnasNet's factorised space (Tan et al. 2019, section 4.1), and two for the
whole network: the resolution of its images and a multiplier of its width. So no two architectures of a space are the
same network. `nas_lib.mobile` builds them.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.random import Generator

from nas_lib.spaces._protocol import Str
from nas_lib.spaces.product import ProductSpace

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


class MobileSpace(ProductSpace):
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
        resolutions, widths = _options("resolutions", resolutions), _options("widths", widths)
        depths, kernels, expands = (
            _options(name, options)
            for name, options in (("depths", depths), ("kernels", kernels), ("expands", expands))
        )
        choices = {"resolution": resolutions, "width": widths}
        for stage in range(1, stages + 1):
            choices |= {f"depth{stage}": depths, f"kernel{stage}": kernels, f"expand{stage}": expands}
        first = [options[0] for options in choices.values()]
        # Each option on its own place: reports what no network can have, in the words that architectures use.
        for place, options in enumerate(choices.values()):
            for option in options:
                MobileArch([*first[:place], option, *first[place + 1 :]])
        super().__init__(choices)

    @property
    def largest(self) -> MobileArch:
        """The architecture with the largest option of each decision."""
        return MobileArch(max(options) for options in self._choices)

    @property
    def smallest(self) -> MobileArch:
        """The architecture with the smallest option of each decision."""
        return MobileArch(min(options) for options in self._choices)

    def mutate(self, arch: Sequence[Option], rng: Generator) -> MobileArch:
        """A neighbour of `arch`: a random decision among those with two options or more gets another one.

        Raises:
            ValueError: `arch` is not in the space, or no decision has two options.
        """
        if all(len(options) == 1 for options in self._choices):
            raise ValueError(f"a mutation needs a decision with two options or more, got {self!r}")
        return super().mutate(arch, rng)

    def _arch(self, values: Iterable[Option]) -> MobileArch:
        return MobileArch(values)

    def _require(self, arch: Sequence[Option]) -> tuple[Option, ...]:
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
        return tuple(decisions)

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
        self._require(arch)
        return arch

    def str(self, arch: Sequence[Option]) -> Str:
        """The spelling of `arch`; `parse` reads it back."""
        self._require(arch)
        return str(MobileArch(arch))

    def __repr__(self) -> Str:
        resolutions, widths, depths, kernels, expands = self._choices[:5]
        return (
            f"MobileSpace(resolutions={resolutions}, widths={widths}, stages={(len(self._choices) - 2) // 3}, "
            f"depths={depths}, kernels={kernels}, expands={expands})"
        )


def _options(name: str, options: Any) -> tuple[Any, ...]:
    if isinstance(options, str) or not isinstance(options, (Sequence, np.ndarray)):
        raise TypeError(f"{name} must be a sequence of numbers, got {options!r}")
    found = tuple(options.tolist() if isinstance(options, np.ndarray) else options)
    if not found or len(set(found)) != len(found):
        raise ValueError(f"{name} must be one or more distinct numbers, got {found!r}")
    return found
