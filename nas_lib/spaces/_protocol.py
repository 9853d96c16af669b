"""What a search space is to searchers and benchmarks, and the checks of arguments that every space makes."""

from __future__ import annotations

import builtins
from typing import Any, Protocol, TypeAlias, runtime_checkable

from numpy import bool_, float64, integer
from numpy.random import Generator
from numpy.typing import NDArray

Arch: TypeAlias = Any
"""An architecture of some space: a small frozen (hashable) value, for example a `Cell`."""

Str: TypeAlias = builtins.str  # spaces have a method called `str`, which hides the type inside their bodies


@runtime_checkable
class Space(Protocol):
    """What searchers and benchmarks ask of a search space; any object with these members will do."""

    @property
    def choices(self) -> tuple[tuple[Any, ...], ...]:
        """The options of each decision, one tuple per decision."""
        ...

    def __len__(self) -> int:
        """Number of architectures."""
        ...

    def sample(self, rng: Generator) -> Arch:
        """One architecture, uniformly at random."""
        ...

    def neighbors(self, arch: Arch) -> list[Any]:
        """Every architecture that differs from `arch` in one decision."""
        ...

    def mutate(self, arch: Arch, rng: Generator) -> Arch:
        """One neighbour of `arch`, at random."""
        ...

    def index(self, arch: Arch) -> int:
        """Number of `arch`, from 0 to len − 1."""
        ...

    def from_index(self, index: int) -> Arch:
        """The architecture with that number."""
        ...

    def encode(self, arch: Arch) -> NDArray[float64]:
        """A fixed-length vector of features."""
        ...

    def parse(self, string: Str) -> Arch:
        """The architecture that `string` spells."""
        ...

    def str(self, arch: Arch) -> Str:
        """The spelling of `arch`; `parse` reads it back."""
        ...


def require_generator(rng: Any) -> None:
    """TypeError unless `rng` is numpy's Generator."""
    if not isinstance(rng, Generator):
        example = "numpy.random.default_rng(0)"
        raise TypeError(f"rng must be a numpy.random.Generator such as {example}, got {rng!r}")


def require_decisions(arch: Any, count: int, accepted: Str) -> tuple[Any, ...]:
    """`arch` as a plain tuple of `count` entries; TypeError or ValueError, which says what is `accepted`, otherwise."""
    if isinstance(arch, str):
        raise TypeError(f"{accepted}, got the string {arch!r} (a space's parse() reads strings)")
    try:
        decisions = tuple(arch)
    except TypeError:
        raise TypeError(f"{accepted}, got {arch!r}") from None
    if len(decisions) != count:
        raise ValueError(f"{accepted}, got {len(decisions)} entries: {decisions!r}")
    return decisions


def require_index(index: Any, size: int) -> None:
    """TypeError unless `index` is an integer, ValueError unless it is from 0 to size − 1."""
    if isinstance(index, (bool, bool_)) or not isinstance(index, (int, integer)):
        raise TypeError(f"index must be an integer from 0 to {size - 1}, got {index!r}")
    if not 0 <= index < size:
        raise ValueError(f"index must be from 0 to {size - 1}, got {index!r}")
