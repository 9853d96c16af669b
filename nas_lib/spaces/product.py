"""Any search space out of its decisions: options of each, decisions that are made only sometimes, constraints.

`ProductSpace({"depth": (2, 3, 4), "width": (16, 32)})` is a space. Predicates name the decisions that they look at,
which lets it count what they admit without listing it, and draw uniformly from exactly that. No network is built here.
"""

from __future__ import annotations

import contextlib
import inspect
import keyword
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from nas_lib.spaces._protocol import Str, require_decisions, require_generator, require_index

COUNT_LIMIT = 500_000
"""Options that are looked at for counting before a space is taken to be too entangled to be counted."""
DRAWS = 100_000
"""Architectures that are drawn in vain, where constraints cannot be counted, before `sample` gives up."""
NEIGHBORS = 100_000
"""Neighbours that `neighbors` lists at most."""
TRIES = 100
"""Random changes that a mutation tries before it lists the neighbours."""

Values: TypeAlias = tuple[Any, ...]


class ProductArch(tuple[Any, ...]):
    """The decisions of one architecture, in order: a tuple whose entries also have names, as in `arch.depth`.

    Equal to the plain tuple of the same decisions and hashed like it. None stands for a decision that is not made.
    """

    names: tuple[str, ...]

    def __new__(cls, values: Iterable[Any], names: tuple[str, ...]) -> Self:
        """An architecture of these decisions."""
        arch = super().__new__(cls, values)
        arch.__dict__["names"] = names
        return arch

    def asdict(self) -> dict[str, Any]:
        """The decisions that are made, by name: what a function that builds the network takes as `**arch.asdict()`."""
        return {name: value for name, value in zip(self.names, self) if value is not None}

    def __getattr__(self, name: str) -> Any:
        names = self.__dict__.get("names", ())
        if name in names[: len(self)]:
            return self[names.index(name)]
        decided = ", ".join(names[: len(self)]) or "nothing"
        raise AttributeError(f"arch has no decision {name!r} (decided: {decided})")

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"arch is frozen, {name} cannot be set")

    def __reduce__(self) -> Any:
        return type(self), (tuple(self), self.names)

    def __repr__(self) -> str:
        return f"ProductArch({', '.join(f'{name}={value!r}' for name, value in zip(self.names, self))})"


class _Predicate:
    """A function of some decisions, named by its parameters, or of `arch`, all that are decided by then."""

    def __init__(self, role: str, function: Any, names: tuple[str, ...], known: int) -> None:
        if not callable(function):
            raise TypeError(f"{role} must be a function of decisions, got {function!r}")
        takes = f"parameters named after decisions out of {', '.join(names[:known]) or 'none'}, or `arch`"
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            raise TypeError(f"{role} must have {takes}, got {function!r}, whose are unknown") from None
        self.role, self.function, self.names = role, function, names
        self.whole = False
        used = []
        for parameter in parameters:
            if parameter.name == "arch":
                self.whole = True
            elif parameter.name in names[:known] and parameter.kind is not parameter.POSITIONAL_ONLY:
                used.append(names.index(parameter.name))
            elif parameter.default is parameter.empty:
                raise ValueError(f"{role} must have {takes}, got {parameter.name!r}")
        self.uses: tuple[int, ...] = tuple(used)
        self.looks_at = tuple(range(known)) if self.whole else tuple(sorted(used))

    def __call__(self, values: Values) -> bool:
        arguments: dict[str, Any] = {self.names[i]: values[i] for i in self.uses}
        if self.whole:
            arguments["arch"] = ProductArch(values, self.names)
        try:
            return bool(self.function(**arguments))
        except Exception as error:
            spelt = ", ".join(f"{self.names[i]}={values[i]!r}" for i in self.looks_at)
            raise ValueError(
                f"{self.role} must answer with True or False, got {type(error).__name__} ({error}) for {spelt}"
            ) from error


class _TooMany(Exception):
    """Counting would take longer than `COUNT_LIMIT` allows."""


class ProductSpace:
    """All combinations of some options, less what conditions and constraints take out.

    The index is lexicographic in the order of decisions and options, the first decision most significant.

    Sampling is exactly uniform over the architectures. Where they can be counted (predicates look at few decisions
    each, or the space is small; see `COUNT_LIMIT`), a draw is the architecture of a random number. Where they cannot,
    it is drawn without the constraints and drawn again until they hold, which is as uniform; then `DRAWS` draws in
    vain are an error, `len` is one too, and numbers have gaps.

    Args:
        choices: the options of each decision, by name; or a sequence of options, whose names are d0, d1, …. Options
            are hashable and not None.
        when: conditions by name: the decision is made only where its predicate holds, else it is None. A predicate
            takes earlier decisions as parameters of their names (`lambda op: op == "conv"`), or `arch`, all earlier
            ones.
        where: a constraint or several, predicates of any decisions in the same way. A decision that is not made is
            None to them.
        encode: features of an architecture, always equally many numbers; by default one-hot, decision by decision,
            with zeros where a decision is not made.
        parse: reads an architecture (decisions in order, or by name) from a string that is not the space's own
            spelling `depth=3 width=16`. With `spell`, reads every string.
        spell: writes an architecture as a string, which `parse` reads back.

    Attributes:
        names: of the decisions.
        size: number of architectures, also where `len` cannot hold it; None where it is not known.

    Raises:
        TypeError, ValueError: arguments that are no such thing; nothing is left by the constraints.
    """

    def __init__(
        self,
        choices: Mapping[Str, Iterable[Any]] | Sequence[Iterable[Any]],
        *,
        when: Mapping[Str, Callable[..., Any]] | None = None,
        where: Callable[..., Any] | Sequence[Callable[..., Any]] = (),
        encode: Callable[[Any], ArrayLike] | None = None,
        parse: Callable[[Str], Any] | None = None,
        spell: Callable[[Any], Str] | None = None,
    ) -> None:
        self.names, self._choices = _decisions(choices)
        if spell is not None and parse is None:
            raise ValueError("parse must be given with spell, or nothing could read what it writes")
        for name, function in (("encode", encode), ("parse", parse), ("spell", spell)):
            if function is not None and not callable(function):
                raise TypeError(f"{name} must be a function, got {function!r}")
        self._own_encode, self._own_parse, self._own_spell = encode, parse, spell
        self._ranks = tuple({option: i for i, option in enumerate(options)} for options in self._choices)
        self._spellings = self._all_spellings() if spell is None else ()
        self._when = self._conditions(when or {})
        if not callable(where) and not isinstance(where, Sequence):
            raise TypeError(f"where must be a predicate or several, got {where!r}")
        constraints = (where,) if callable(where) else tuple(where)
        self._where = tuple(
            _Predicate(f"where[{i}]", function, self.names, len(self.names))
            for i, function in enumerate(constraints)
        )
        self._count()

    # ----------------------------------------------------------------------------------- what is admitted

    def _conditions(self, when: Mapping[Str, Any]) -> dict[int, _Predicate]:
        if not isinstance(when, Mapping):
            raise TypeError(f"when must be a dict of predicates by the name of a decision, got {when!r}")
        for name in when:
            if name not in self.names:
                raise ValueError(f"when must name decisions out of {', '.join(self.names)}, got {name!r}")
        places = {name: i for i, name in enumerate(self.names)}
        return {
            places[name]: _Predicate(f"when[{name!r}]", function, self.names, places[name])
            for name, function in when.items()
        }

    def _count(self) -> None:
        """Count what is admitted; without the constraints where that takes too long."""
        try:
            self._total = self._counting(())
        except _TooMany:
            raise ValueError(
                "when must tie few decisions together, got conditions that cannot be counted: let each name the "
                "decisions that it looks at"
            ) from None
        self.size: int | None = None if self._where else self._total
        # A constraint on whole architectures is counted by looking at each.
        listed = any(len(predicate.looks_at) == len(self.names) for predicate in self._where)
        if self._where and not (listed and self._total > COUNT_LIMIT):
            with contextlib.suppress(_TooMany):
                self._total = self.size = self._counting(self._where)
            if self.size is None:
                self._counting(())
        if self._total == 0:
            raise ValueError("where must admit at least one architecture, got constraints that admit none")

    def _counting(self, constraints: tuple[_Predicate, ...]) -> int:
        """Start counting anew under these constraints; returns the number of architectures."""
        self._counted = constraints
        # A constraint is looked at as soon as its last decision is there.
        self._ending: list[list[_Predicate]] = [[] for _ in self.names]
        for predicate in constraints:
            self._ending[max(predicate.looks_at, default=0)].append(predicate)
        self._needed = self._memory()
        self._known: dict[Values, tuple[tuple[Any, int], ...]] = {}
        self._looked = 0
        return self._completions(())

    def _memory(self) -> list[tuple[int, ...]]:
        """For each place, which earlier decisions anything from there on looks at."""
        needed = []
        for place in range(len(self.names)):
            later = [predicate for i, predicate in self._when.items() if i >= place]
            later += [predicate for ending in self._ending[place:] for predicate in ending]
            needed.append(tuple(sorted({i for one in later for i in one.looks_at if i < place})))
        return needed

    def _branches(self, values: Values) -> tuple[tuple[Any, int], ...]:
        """What the next decision can be after these, with the number of architectures that begin so."""
        place = len(values)
        key = (place, *[values[i] for i in self._needed[place]])
        found = self._known.get(key)
        if found is None:
            options = self._open(values)
            self._looked += len(options)
            if self._looked > COUNT_LIMIT:
                raise _TooMany
            counted = []
            for option in options:
                longer = (*values, option)
                if all(predicate(longer) for predicate in self._ending[place]):
                    completions = self._completions(longer)
                    if completions:
                        counted.append((option, completions))
            found = self._known[key] = tuple(counted)
        return found

    def _completions(self, values: Values) -> int:
        """How many architectures begin with these decisions."""
        if len(values) == len(self.names):
            return 1
        return sum(number for _, number in self._branches(values))

    def _open(self, values: Values) -> Values:
        """The options of the next decision, whatever the constraints say; (None,) where it is not made."""
        place = len(values)
        condition = self._when.get(place)
        return self._choices[place] if condition is None or condition(values) else (None,)

    def _admitted(self, values: Values) -> bool:
        """Do the constraints that were not counted hold?"""
        return self._counted == self._where or all(predicate(values) for predicate in self._where)

    def options(self, decided: Sequence[Any] = ()) -> Values:
        """What the next decision can be after these first ones, so that an architecture can still come of it.

        (None,) where it is not made. Where the constraints cannot be counted, they are not heeded.

        Raises:
            ValueError: no architecture begins so, or all decisions are there.
        """
        values = tuple(decided)
        for place in range(len(values) + 1):
            branches = self._branches(values[:place]) if place < len(self.names) else ()
            found = tuple(option for option, _ in branches)
            if (place < len(values) and values[place] not in found) or place == len(self.names):
                raise ValueError(f"decided must be the first decisions of an architecture, got {values!r}")
        return found

    # ---------------------------------------------------------------------------------------- the protocol

    @property
    def restricted(self) -> bool:
        """Are there conditions or constraints, so that not every combination is an architecture?"""
        return bool(self._when or self._where)

    @property
    def choices(self) -> tuple[tuple[Any, ...], ...]:
        """The options of each decision, conditions and constraints aside."""
        return self._choices

    def __len__(self) -> int:
        if self.size is None:
            raise OverflowError(
                "space cannot count its architectures: its constraints tie too many decisions together"
            )
        return self.size  # beyond 2^63, Python raises OverflowError as well; `size` holds it

    def sample(self, rng: Generator) -> Any:
        """One architecture, uniformly at random.

        Raises:
            ValueError: the constraints, which cannot be counted, admit none of `DRAWS` draws.
        """
        require_generator(rng)
        for _ in range(DRAWS):
            values = self._numbered(_below(self._total, rng))
            if self._admitted(values):
                return self._arch(values)
        raise ValueError(
            f"where must admit some architectures, got constraints that admit none of {DRAWS} drawn"
        )

    def neighbors(self, arch: Sequence[Any]) -> list[Any]:
        """Every architecture that differs from `arch` in exactly one of the decisions that both make.

        In order of decision and option. A decision that comes up because of the change takes each of its options.

        Raises:
            ValueError: `arch` is not in the space, or it has more than `NEIGHBORS`.
        """
        values = self._require(arch)
        found = []
        for place, other in self._changes(values):
            for changed in self._completed((*values[:place], other), values):
                found.append(self._arch(changed))
                if len(found) > NEIGHBORS:
                    raise ValueError(
                        f"arch must have at most {NEIGHBORS} neighbours, got more at a change of "
                        f"{self.names[place]}, with which too many decisions come up"
                    )
        return found

    def mutate(self, arch: Sequence[Any], rng: Generator) -> Any:
        """A neighbour of `arch`: a random decision that it makes gets another option; what comes up is drawn.

        Changes that the constraints forbid are drawn again.

        Raises:
            ValueError: `arch` is not in the space, or has no neighbour.
        """
        require_generator(rng)
        values = self._require(arch)
        places = [place for place, other in self._changes(values, first=True)]
        for _ in range(TRIES if places else 0):
            place = places[int(rng.integers(len(places)))]
            options = self._choices[place]
            other = int(rng.integers(len(options) - 1))
            rank = self._ranks[place][values[place]]
            changed = self._drawn((*values[:place], options[other + (other >= rank)]), values, rng)
            if changed is not None:
                return self._arch(changed)
        # Hardly anything is admitted: what is, as often as the draws above would have come to it.
        weighted = [(1.0 / (len(self._choices[p]) - 1), p, other) for p, other in self._changes(values)]
        found = [
            (weight, changed)
            for weight, place, other in weighted
            for changed in self._completed((*values[:place], other), values)
        ]
        if not found:
            raise ValueError(
                f"arch must have a neighbour, got {self._arch(values)}: no other option of any one decision is admitted"
            )
        weights = np.array([weight for weight, _ in found])
        return self._arch(found[int(rng.choice(len(found), p=weights / weights.sum()))][1])

    def index(self, arch: Sequence[Any]) -> int:
        """Number of `arch`, 0 ≤ index < len; with gaps where the constraints cannot be counted."""
        values = self._require(arch)
        number = 0
        for place, value in enumerate(values):
            for option, completions in self._branches(values[:place]):
                if option == value:
                    break
                number += completions
        return number

    def from_index(self, index: int) -> Any:
        """The architecture with that number.

        Raises:
            TypeError: `index` is not an integer.
            ValueError: no architecture has it.
        """
        require_index(index, self._total)
        values = self._numbered(int(index))
        if not self._admitted(values):
            raise ValueError(
                f"index must be the number of an architecture, got {index!r}, which {self._fault(values)}"
            )
        return self._arch(values)

    def encode(self, arch: Sequence[Any]) -> NDArray[np.float64]:
        """The features of `arch`: its own `encode`, or a one-hot vector as long as there are options in all."""
        values = self._require(arch)
        if self._own_encode is not None:
            found = self._own_encode(self._arch(values))
            try:
                features = np.asarray(found, dtype=np.float64)
                if features.ndim == 1 and np.isfinite(features).all():
                    return features
            except (TypeError, ValueError):  # no numbers, or rows of different lengths
                pass
            raise ValueError(f"encode must give a vector of finite numbers, got {found!r} for {values!r}")
        vector = np.zeros(sum(map(len, self._choices)))
        start = 0
        for options, ranks, value in zip(self._choices, self._ranks, values):
            if value is not None:
                vector[start + ranks[value]] = 1.0
            start += len(options)
        return vector

    def parse(self, string: Str) -> Any:
        """The architecture that `string` spells.

        Raises:
            TypeError: not a string.
            ValueError: not spelt so, or not in this space.
        """
        example = self.str(self._arch(self._numbered(0))) if self.size else "decision=option …"
        if not isinstance(string, str):
            raise TypeError(f"string must be an architecture written as {example!r}, got {string!r}")
        read = self._read(string) if self._own_spell is None else None
        if read is None and self._own_parse is not None:
            try:
                read = self._own_parse(string)
            except Exception as error:  # what it does not know, a function of three lines cannot read
                raise ValueError(
                    f"string must be an architecture written as {example!r}, got {string!r}: parse ends with "
                    f"{type(error).__name__} ({error})"
                ) from error
            if isinstance(read, Mapping):
                read = tuple(read.get(name) for name in self.names)
        if read is None:
            raise ValueError(f"string must be an architecture written as {example!r}, got {string!r}")
        return self._arch(self._require(read))

    def str(self, arch: Sequence[Any]) -> Str:
        """The spelling of `arch`; `parse` reads it back."""
        values = self._require(arch)
        if self._own_spell is not None:
            spelt = self._own_spell(self._arch(values))
            if not isinstance(spelt, str):
                raise ValueError(f"spell must give a string, got {spelt!r} for {values!r}")
            return spelt
        return " ".join(
            f"{name}={spelt[value]}" for name, spelt, value in zip(self.names, self._spellings, values)
        )

    # -------------------------------------------------------------------------------------- one architecture

    def _arch(self, values: Values) -> Any:
        return ProductArch(values, self.names)

    def _values(self, arch: Any) -> Values:
        """`arch` as a plain tuple with one entry per decision."""
        accepted = f"arch must be a tuple of one option per decision ({', '.join(self.names)})"
        return require_decisions(arch, len(self.names), accepted)

    def _require(self, arch: Any) -> Values:
        """`arch` as the tuple of this space's own options; TypeError or ValueError if it is not in it."""
        values = self._values(arch)
        fault = self._fault(values)
        if fault is not None:
            raise ValueError(f"arch must be in this space, got {values!r}, which {fault}")
        return tuple(
            None if value is None else options[ranks[value]]
            for value, options, ranks in zip(values, self._choices, self._ranks)
        )

    def _fault(self, values: Values) -> Str | None:
        """Why these decisions are no architecture, or None."""
        for place, (name, value) in enumerate(zip(self.names, values)):
            try:
                offered = value is None or value in self._ranks[place]
            except TypeError:  # unhashable, so no option
                offered = False
            if not offered:
                return f"has {name}={value!r} where the space offers {self._choices[place]!r}"
            condition = self._when.get(place)
            made = condition is None or condition(values[:place])
            if made != (value is not None):
                return f"must have {'an option' if made else 'None'} for {name} here"
        broken = next((predicate for predicate in self._where if not predicate(values)), None)
        return None if broken is None else f"breaks the constraint {broken.role}"

    def _numbered(self, number: int) -> Values:
        values: Values = ()
        while len(values) < len(self.names):
            for option, completions in self._branches(values):
                if number < completions:
                    values = (*values, option)
                    break
                number -= completions
        return values

    def _changes(self, values: Values, first: bool = False) -> Iterator[tuple[int, Any]]:
        """(place, another option) of each decision that is made; with `first`, once per decision that has one."""
        for place, (value, options) in enumerate(zip(values, self._choices)):
            if value is not None:
                for option in options:
                    if option != value:
                        yield place, option
                        if first:
                            break

    def _completed(self, values: Values, like: Values) -> Iterator[Values]:
        """What comes of the first decisions when later ones stay as in `like`, if they are made in both."""
        place = len(values)
        if not all(predicate(values) for predicate in self._ending[place - 1]):
            return
        if place == len(self.names):
            if self._admitted(values):
                yield values
            return
        options = self._open(values)
        kept = options[0] is not None and like[place] is not None
        for option in (like[place],) if kept else options:
            yield from self._completed((*values, option), like)

    def _drawn(self, values: Values, like: Values, rng: Generator) -> Values | None:
        """One of `_completed` at random, or None where the constraints forbid what was drawn."""
        while len(values) < len(self.names):
            options, kept = self._open(values), like[len(values)]
            if options[0] is None or kept is None:
                kept = options[0] if len(options) == 1 else options[int(rng.integers(len(options)))]
            values = (*values, kept)
        return values if all(predicate(values) for predicate in self._where) else None

    # ---------------------------------------------------------------------------------------------- spelling

    def _all_spellings(self) -> tuple[dict[Any, Str], ...]:
        """How each option of each decision is written, and None."""
        found = []
        for name, options in zip(self.names, self._choices):
            spelt = {None: "-"} | {option: _spelt(option) for option in options}
            if len(set(spelt.values())) != len(spelt):
                raise ValueError(
                    f"choices must have options of different spelling, got {options!r} for {name}: give parse and spell"
                )
            # "a=x b=y" as an option of a would read like the options x of a and y of b.
            pair = next(
                (text for text in spelt.values() for other in self.names if f" {other}=" in text), None
            )
            if pair is not None:
                raise ValueError(
                    f"choices must have options that do not read like two decisions, got {pair!r} for {name}: give "
                    "parse and spell"
                )
            found.append(spelt)
        return tuple(found)

    def _read(self, string: Str) -> Values | None:
        """The decisions of a string in the space's own spelling, or None."""
        groups = (
            # Longer ones first, or "3" would be read where "32" stands.
            f"{name}=({'|'.join(map(re.escape, sorted(spelt.values(), key=len, reverse=True)))})"
            for name, spelt in zip(self.names, self._spellings)
        )
        found = re.fullmatch(" ".join(groups), string)
        if found is None:
            return None
        readings = ({text: option for option, text in spelt.items()} for spelt in self._spellings)
        return tuple(reading[text] for reading, text in zip(readings, found.groups()))

    # ---------------------------------------------------------------------------------------------- the rest

    def __iter__(self) -> Iterator[Any]:
        def below(values: Values) -> Iterator[Values]:
            if len(values) == len(self.names):
                if self._admitted(values):
                    yield values
                return
            for option, _ in self._branches(values):
                yield from below((*values, option))

        return map(self._arch, below(()))

    def __contains__(self, arch: object) -> bool:
        try:
            self._require(arch)
        except (TypeError, ValueError):
            return False
        return True

    def _identity(self) -> tuple[Any, ...]:
        functions = (self._own_encode, self._own_parse, self._own_spell)
        predicates = ((p.role, p.function) for p in (*self._when.values(), *self._where))
        return type(self), self.names, self._choices, functions, tuple(predicates)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ProductSpace) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> Str:
        many = "uncounted architectures" if self.size is None else f"{self.size:,} architectures"
        decisions = ", ".join(f"{name}: {len(options)}" for name, options in zip(self.names, self._choices))
        return f"ProductSpace({decisions}; {many})"


def _decisions(choices: Any) -> tuple[tuple[str, ...], tuple[Values, ...]]:
    """Names and options, or an error that says which are no such thing."""
    accepted = 'choices must hold the options of each decision, as in {"depth": (2, 3), "width": (16, 32)}'
    if isinstance(choices, (str, bytes)) or not isinstance(choices, (Mapping, Sequence)):
        raise TypeError(f"{accepted}, got {choices!r}")
    if not choices:
        raise ValueError(f"{accepted}, got none")
    if not isinstance(choices, Mapping):
        choices = {f"d{i}": options for i, options in enumerate(choices)}
    for name in choices:
        if not (isinstance(name, str) and name.isidentifier()) or keyword.iskeyword(name):
            raise ValueError(f"choices must have names that a parameter can have, got {name!r}")
        if name == "arch" or hasattr(ProductArch, name) or name == "names":
            raise ValueError(f"choices must not have the name {name!r}, which architectures use otherwise")
    found = []
    for name, options in choices.items():
        if isinstance(options, (str, bytes, set, frozenset, Mapping)) or not isinstance(options, Iterable):
            raise TypeError(f"{accepted}, got {options!r} for {name}")
        # numpy's numbers become Python's, which are equal and are spelt as they are written
        values = tuple(option.item() if isinstance(option, np.generic) else option for option in options)
        try:
            distinct = len(set(values)) == len(values)
        except TypeError:
            raise TypeError(f"choices must have hashable options, got {values!r} for {name}") from None
        if not values or not distinct:
            raise ValueError(f"choices must have one or more distinct options, got {values!r} for {name}")
        if None in values:
            raise ValueError(
                f"choices must not have None, which stands for no decision, got {values!r} for {name}"
            )
        if any(isinstance(value, float) and math.isnan(value) for value in values):
            raise ValueError(f"choices must have options that equal themselves, got NaN for {name}")
        found.append(values)
    return tuple(choices), tuple(found)


def _spelt(option: Any) -> str:
    if isinstance(option, str):
        return option
    return getattr(option, "__name__", None) or repr(option)


def _below(limit: int, rng: Generator) -> int:
    """A uniform integer from 0 to limit − 1, also where numpy's integers end."""
    if limit < 2**63:
        return int(rng.integers(limit))
    bits = limit.bit_length()
    while True:  # ends: at least every second number is below
        drawn = int.from_bytes(rng.bytes(-(-bits // 8)), "little") >> (-bits % 8)
        if drawn < limit:
            return drawn
