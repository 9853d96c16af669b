"""Search methods that learn from what they are told: hill climbing, evolution with and without a limit, REINFORCE,
halving.

`nas_lib.search.run` and `compare` play them; their options are bound with
`functools.partial(RegularizedEvolution, population=20)`. `SuccessiveHalving`, one bracket, and `HalvingSearch`,
bracket after bracket, also decide how long each architecture is trained (`FidelitySearcher`). Bayesian optimisation is
in `nas_lib.surrogates`, Hyperband and ASHA are in `nas_lib.hyperband`. Benchmarks answer; nothing is trained here.
"""

from __future__ import annotations

import contextlib
import math
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nas_lib._numbers import is_integer, is_number
from nas_lib.benchmark import Benchmark
from nas_lib.search import RandomSearch, Searcher, SearcherFactory
from nas_lib.spaces import Arch, Space

__all__ = [
    "ConstrainedEvolution",
    "FidelityHistory",
    "HalvingSearch",
    "HillClimbing",
    "RandomSearch",
    "RegularizedEvolution",
    "Reinforce",
    "Searcher",
    "SearcherFactory",
    "SuccessiveHalving",
    "halve",
    "halving_epochs",
    "largest_start",
]


def _check_generator(rng: Any) -> None:
    if not isinstance(rng, Generator):
        raise TypeError(f"rng must be a numpy.random.Generator, got {rng!r}")


def _whole(name: str, value: Any, least: int, why: str = "") -> int:
    accepted = f"{name} must be an integer from {least} up{why}"
    if not is_integer(value):
        raise TypeError(f"{accepted}, got {value!r}")
    if value < least:
        raise ValueError(f"{accepted}, got {value!r}")
    return int(value)


def _not_finite(value: float, arch: Arch) -> ValueError:
    # One NaN would win or lose every later comparison without a word, or turn all logits into NaN.
    return ValueError(f"value must be a finite number, got {value} for {arch}")


_NOTHING: Any = object()


class _TurnTaking:
    """ask and tell in turn: one proposal at a time is out, and what is told belongs to it."""

    _asked: Any = _NOTHING

    def ask(self) -> Arch:
        """The next architecture to evaluate.

        Raises:
            StopIteration: every architecture that the method would propose has been proposed.
            RuntimeError: the value of the last one has not been told.
        """
        if self._asked is not _NOTHING:
            raise RuntimeError(f"ask must wait until tell has given the value of {self._asked}")
        self._asked = arch = self._propose()
        return arch

    def tell(self, arch: Arch, value: float) -> None:
        """Learn the value of the architecture that was asked for last; higher is better.

        Raises:
            ValueError: another architecture, or a value that is not finite. Nothing is learned from it.
        """
        if arch is not self._asked and (self._asked is _NOTHING or arch != self._asked):
            asked = "nothing" if self._asked is _NOTHING else self._asked
            raise ValueError(f"arch must be the one that was asked for last ({asked}), got {arch}")
        if not math.isfinite(value):
            raise _not_finite(value, arch)
        self._asked = _NOTHING
        self._learn(arch, value)

    def _propose(self) -> Arch:
        raise NotImplementedError

    def _learn(self, arch: Arch, value: float) -> None:
        raise NotImplementedError


# ------------------------------------------------------------------------------------------ hill climbing


class HillClimbing(_TurnTaking):
    """Local search with restarts; on NAS benchmarks a strong baseline (White et al. 2021, arXiv:2005.02960).

    From a random architecture, all its neighbours that were never seen are evaluated in random order. Then the
    search moves to the best of them if it is better than where it stands, and otherwise starts again at a
    random unseen architecture. No architecture is proposed twice; after the last comes StopIteration.

    Args:
        space: where to search.
        rng: all the randomness.
        move: "best" looks at the whole neighbourhood before it moves; "first" moves to the first neighbour
            that is better, which saves the rest of the round.
    """

    def __init__(self, space: Space, rng: Generator, move: Literal["best", "first"] = "best") -> None:
        _check_generator(rng)
        if move not in ("best", "first"):
            raise ValueError(f"move must be 'best' or 'first', got {move!r}")
        self._moves_at_once = move == "first"
        self._space, self._rng = space, rng
        # A random order of the whole space: its next unseen member is uniform among all unseen ones, also when
        # few are left, where drawing until an unseen one turns up would take for ever.
        self._starts = RandomSearch(space, rng)
        self._seen: set[Arch] = set()
        self._queue: list[Arch] = []
        self._here_value = -math.inf
        self._best: Arch = None
        self._best_value = -math.inf

    def _propose(self) -> Arch:
        if not self._queue:
            if self._best_value > self._here_value:
                self._move()
            if not self._queue:
                self._restart()
        return self._queue.pop()

    def _move(self) -> None:
        """Stand on the best architecture of this round, with its unseen neighbours as the next."""
        self._here_value = self._best_value
        unseen = [arch for arch in self._space.neighbors(self._best) if arch not in self._seen]
        self._queue = [unseen[i] for i in self._rng.permutation(len(unseen)).tolist()]
        self._seen.update(unseen)  # as good as seen: all are proposed before anything else is looked at

    def _restart(self) -> None:
        arch = self._starts.ask()
        while arch in self._seen:
            arch = self._starts.ask()
        self._queue = [arch]
        self._seen.add(arch)
        # Any value is an improvement on this: the start is where the climb stands next.
        self._here_value = self._best_value = -math.inf

    def _learn(self, arch: Arch, value: float) -> None:
        if value > self._best_value:
            self._best, self._best_value = arch, value
            if self._moves_at_once:
                self._seen.difference_update(self._queue)  # the rest of the round stays unseen after all
                self._queue = []


# ----------------------------------------------------------------------------------- regularized evolution


class RegularizedEvolution(_TurnTaking):
    """Aging evolution (Real et al. 2019, arXiv:1802.01548, algorithm 1).

    The first `population` proposals are random. Each later one mutates the winner of a tournament among
    `sample` members drawn with replacement, as in the paper; it joins the population, and the *oldest* member
    leaves, however good it is. Proposals may repeat, as mutations do.

    Args:
        space: where to search.
        rng: all the randomness.
        population: number of members, ≥ 2.
        sample: tournament size, 1 … `population`; 1 is a random walk without selection.

    Attributes:
        least_budget: evaluations that a run must have: below `population`, it would be random search by
            another name, and `nas_lib.search.run` refuses it.
    """

    def __init__(self, space: Space, rng: Generator, population: int = 10, sample: int = 3) -> None:
        _check_generator(rng)
        self.population = _whole("population", population, 2)
        self.sample = _whole("sample", sample, 1)
        if self.sample > self.population:
            raise ValueError(f"sample must not exceed the population of {population}, got {sample}")
        self.least_budget = self.population
        self._space, self._rng = space, rng
        self._members: deque[tuple[float, Arch]] = deque(maxlen=self.population)  # full, it drops the oldest
        self._tournaments: list[list[int]] = []

    def _propose(self) -> Arch:
        members = self._members
        if len(members) < self.population:
            return self._space.sample(self._rng)
        if not self._tournaments:  # many at once: a call to the generator costs more than the draw
            self._tournaments = self._rng.integers(self.population, size=(64, self.sample)).tolist()
        drawn = self._tournaments.pop()
        best, parent = members[drawn[0]]
        for place in drawn[1:]:
            value, arch = members[place]
            if value > best:
                best, parent = value, arch
        return self._space.mutate(parent, self._rng)

    def _learn(self, arch: Arch, value: float) -> None:
        self._members.append((value, arch))


# ------------------------------------------------------------------------------- evolution under a limit


class ConstrainedEvolution(_TurnTaking):
    """Evolution among the architectures that a budget admits (Guo et al. 2020, arXiv:1904.00420, algorithm 1).

    The first `population` proposals are random. Then each is a child of the `parents` best so far: with equal chances a
    mutant of one, or a crossing of two, decision by decision. Only architectures within the limit are ever proposed,
    and none twice. Where children are hard to get (`TRIES` in vain), a random architecture comes instead; after the
    last one within the limit comes StopIteration.

    Works on spaces whose `index` takes the tuple of one option per decision, as `CellSpace`, `MobileSpace` and
    `ProductSpace` do.

    Args:
        space: where to search.
        rng: all the randomness.
        cost: the price of an architecture (MACs, milliseconds), a finite number; asked once for each.
        limit: the highest price that is admitted, itself included.
        population: random proposals at the beginning, >= 2.
        parents: how many of the best have children, 2 … `population`.

    Attributes:
        least_budget: evaluations that a run must have, or it would be random search by another name. Where fewer
            architectures are within the limit, all of them.

    Raises:
        ValueError: nothing is within the limit, found out by looking at the whole space once, or at `LOOKS`
            architectures of a larger one; or a cost that is not finite.
    """

    TRIES = 100
    LOOKS = 1_000_000

    def __init__(
        self,
        space: Space,
        rng: Generator,
        cost: Callable[[Arch], float],
        limit: float,
        population: int = 20,
        parents: int = 5,
    ) -> None:
        _check_generator(rng)
        if not is_number(limit):
            raise TypeError(f"limit must be a number, got {limit!r}")
        if not math.isfinite(limit):
            raise ValueError(f"limit must be a finite number, got {limit!r}")
        self.population = _whole("population", population, 2)
        self.parents = _whole("parents", parents, 2)
        if self.parents > self.population:
            raise ValueError(f"parents must not exceed the population of {population}, got {parents}")
        self._space, self._rng, self._limit = space, rng, float(limit)
        self._price = cost
        self._costs: dict[Arch, float] = {}
        self._order = RandomSearch(space, rng)
        self._seen: set[Arch] = set()
        self._told: list[tuple[float, Arch]] = []  # best first
        self._pool = self._first_population()
        self.least_budget = len(self._pool)

    def _first_population(self) -> list[Arch]:
        found = []
        for _ in range(self.population):
            try:
                found.append(self._random())
            except StopIteration:
                break
        if not found:
            raise ValueError(
                f"limit must admit at least one architecture of the space, got {self._limit:g}: "
                f"the cheapest costs {min(self._costs.values()):g}"
            )
        return found[::-1]

    def _cost(self, arch: Arch) -> float:
        if arch not in self._costs:
            said = self._price(arch)
            try:
                value = float(said)
            except (TypeError, ValueError):
                raise ValueError(f"cost must be a finite number, got {said!r} for {arch}") from None
            if not math.isfinite(value):
                raise ValueError(f"cost must be a finite number, got {value} for {arch}")
            self._costs[arch] = value
        return self._costs[arch]

    def _is_new(self, arch: Arch) -> bool:
        return arch not in self._seen and self._cost(arch) <= self._limit

    def _random(self) -> Arch:
        """The next of a random order of the whole space that is within the limit; StopIteration after the last."""
        for _ in range(self.LOOKS):
            arch = self._order.ask()
            if self._is_new(arch):
                self._seen.add(arch)
                return arch
        raise StopIteration(f"{self.LOOKS} random architectures in a row were above the limit")

    def _propose(self) -> Arch:
        if self._pool:
            return self._pool.pop()
        best = [arch for _, arch in self._told[: self.parents]]
        for _ in range(self.TRIES):
            child = self._child(best)
            if self._is_new(child):
                self._seen.add(child)
                return child
        return self._random()

    def _child(self, best: Sequence[Arch]) -> Arch:
        one = best[int(self._rng.integers(len(best)))]
        if len(best) < 2 or self._rng.random() < 0.5:
            return self._space.mutate(one, self._rng)
        other = best[int(self._rng.integers(len(best)))]
        mask = self._rng.random(len(self._space.choices)) < 0.5
        crossed = tuple(a if first else b for a, b, first in zip(one, other, mask))
        try:
            return self._space.from_index(self._space.index(crossed))
        except (
            ValueError
        ):  # conditions or constraints of the space, which both parents keep and this child breaks
            return self._space.mutate(one, self._rng)

    def _learn(self, arch: Arch, value: float) -> None:
        insort(self._told, (value, arch), key=lambda told: -told[0])


# ------------------------------------------------------------------------------------------------ REINFORCE


class Reinforce(_TurnTaking):
    """The policy gradient with one independent softmax per decision (the REINFORCE of NAS-Bench-201).

    Williams 1992; as a baseline for NAS in Ying et al. 2019 (arXiv:1902.09635) and Dong & Yang 2020. Each told
    value R is one step of Adam up (R − b)·∇log p(arch), b being the exponential moving average of the earlier
    values, from 0. Proposals may repeat: towards the end the policy concentrates.

    Works on spaces whose `index` takes the tuple of one option per decision, as `CellSpace` does. Where a space has
    conditions or constraints (`ProductSpace.options`), each decision's softmax is over the options that are left after
    the earlier decisions, so that only architectures of the space are proposed and the gradient is that of this policy.

    Args:
        space: where to search.
        rng: all the randomness.
        learning_rate: of Adam (β = 0.9, 0.999), > 0.
        decay: of the moving average, 0 ≤ decay < 1.

    Attributes:
        logits: float64 (decisions, most options); −inf where a decision has fewer options.
        baseline: the moving average.
    """

    BETAS = (0.9, 0.999)
    EPSILON = 1e-8
    TRIES = 1_000

    def __init__(self, space: Space, rng: Generator, learning_rate: float = 0.01, decay: float = 0.9) -> None:
        _check_generator(rng)
        if not (is_number(learning_rate) and 0 < learning_rate < math.inf):
            raise ValueError(f"learning_rate must be a positive number, got {learning_rate!r}")
        if not (is_number(decay) and 0 <= decay < 1):
            raise ValueError(f"decay must be a number from 0 up to, but without, 1, got {decay!r}")
        self._space, self._rng = space, rng
        self.learning_rate, self.decay = float(learning_rate), float(decay)
        self._choices = space.choices
        sizes = np.array([len(options) for options in self._choices])
        self.logits = np.where(np.arange(sizes.max()) < sizes[:, None], 0.0, -np.inf)
        self.baseline = 0.0
        self._last: list[int] = (sizes - 1).tolist()
        self._first = np.zeros_like(self.logits)  # Adam's moments, but for a factor: see _ascend
        self._second = np.zeros_like(self.logits)
        self._steps = 0
        self._policy = self.probabilities()
        self._ones = np.ones((self.logits.shape[1], 1))  # a product with it is quicker than a sum over so few
        self._actions: list[int] = [0] * len(sizes)
        self._draws: list[list[float]] = []
        self._restricted = bool(getattr(space, "restricted", False))

    def probabilities(self) -> NDArray[np.float64]:
        """(decisions, most options): the softmax of each row of the logits."""
        weights = np.exp(self.logits - self.logits.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        return weights

    def _propose(self) -> Arch:
        if self._restricted:
            return self._propose_within()
        weights = np.exp(self.logits - self.logits.max(axis=1, keepdims=True))
        self._policy = weights / weights.dot(self._ones)
        if not self._draws:  # many at once: a call to the generator costs more than the draw
            self._draws = self._rng.random((64, len(self._last)))[::-1].tolist()
        # In lists, as arrays of so few numbers cost more than they save.
        self._actions = []
        for row, draw, last in zip(weights.tolist(), self._draws.pop(), self._last):
            sums = list(accumulate(row))
            place = bisect_right(sums, draw * sums[-1])
            self._actions.append(min(place, last))  # rounding must not pass the last
        arch = tuple([options[i] for options, i in zip(self._choices, self._actions)])
        return self._space.from_index(self._space.index(arch))

    def _propose_within(self) -> Arch:
        """Decision by decision, each among the options that the earlier ones leave; what is not made has no policy."""
        space: Any = self._space
        for _ in range(self.TRIES):
            self._policy = np.zeros_like(self.logits)
            self._actions = [0] * len(self._last)
            decided: tuple[Any, ...] = ()
            for row, options in enumerate(self._choices):
                left = space.options(decided)
                if left[0] is None:
                    # Expected is what was chosen: no gradient.
                    self._policy[row, 0], chosen = 1.0, None
                else:
                    columns = [column for column, option in enumerate(options) if option in left]
                    weights = np.exp(self.logits[row, columns] - self.logits[row, columns].max())
                    self._policy[row, columns] = weights / weights.sum()
                    draw = int((self._policy[row, columns].cumsum() <= self._rng.random()).sum())
                    self._actions[row] = columns[min(draw, len(columns) - 1)]
                    chosen = options[self._actions[row]]
                decided = (*decided, chosen)
            if decided in space:  # else a constraint that the space cannot foresee
                return space.from_index(space.index(decided))
        raise StopIteration(f"{self.TRIES} proposals in a row broke the constraints of the space")

    def _learn(self, arch: Arch, value: float) -> None:
        gradient = -self._policy  # of log p: what was chosen, minus what was expected
        for row, action in enumerate(self._actions):
            gradient[row, action] += 1.0
        gradient *= value - self.baseline
        self.baseline = self.decay * self.baseline + (1 - self.decay) * value
        self._ascend(gradient)

    def _ascend(self, gradient: NDArray[np.float64]) -> None:
        """One step of Adam (Kingma & Ba 2015), with as few passes over the arrays as there can be.

        The moments are kept without their factors 1 − β, which join the bias corrections in two scalars.
        """
        beta1, beta2 = self.BETAS
        self._steps += 1
        self._first *= beta1
        self._first += gradient
        self._second *= beta2
        gradient *= gradient
        self._second += gradient
        scale = math.sqrt((1 - beta2) / (1 - beta2**self._steps))
        rate = self.learning_rate * (1 - beta1) / (1 - beta1**self._steps)
        step = np.sqrt(self._second)
        step += self.EPSILON / scale
        np.divide(self._first, step, out=step)
        step *= rate / scale
        self.logits += step


# ---------------------------------------------------------------------------------------- multi-fidelity


class Race:
    """Rungs of training: on each all that are left are trained longer, and the best go on to the next.

    Of equal values, those that came first stay. With fewer architectures than the rungs say, all go on.

    Args:
        archs: distinct architectures, at least one.
        rungs: (architectures, epochs) of each rung, at least one; the architectures never more than on the one before.
    """

    def __init__(self, archs: Sequence[Arch], rungs: Sequence[tuple[int, int]]) -> None:
        self._rungs = list(rungs)
        self._level = 0
        self._racing = list(archs)
        self._values: list[float] = []

    @property
    def over(self) -> bool:
        """Is the last rung decided?"""
        return self._level == len(self._rungs)

    def ask(self) -> tuple[Arch, int]:
        """The next architecture and the epochs to train it to; StopIteration when there is a winner."""
        if self.over:
            raise StopIteration("the last rung is decided")
        return self._racing[len(self._values)], self._rungs[self._level][1]

    def tell(self, arch: Arch, epochs: int, value: float) -> None:
        """The value of what was asked for last, after that many epochs.

        Raises:
            ValueError: another architecture or length, or a value that is not finite.
        """
        asked = None if self.over else self.ask()
        if asked != (arch, epochs):
            raise ValueError(
                f"arch and epochs must be what was asked for last ({asked}), got {arch}, {epochs}"
            )
        if not math.isfinite(value):
            raise _not_finite(value, arch)
        self._values.append(value)
        if len(self._values) == len(self._racing):
            self._decide()

    def _decide(self) -> None:
        self._level += 1
        kept = 1 if self.over else self._rungs[self._level][0]
        order = np.argsort(-np.array(self._values), kind="stable")[:kept].tolist()
        self._racing = [self._racing[i] for i in order]
        self._values = []


class SuccessiveHalving(Race):
    """Train many a little, keep the best 1/eta, train those eta times as long (Jamieson & Talwalkar 2016).

    arXiv:1502.07943; this is one bracket of Hyperband. `ask` gives an architecture *and* the epochs to which it
    shall be trained; `tell` takes the value after them. A rung keeps the top ⌊n/eta⌋, at least one, and of equal
    values those that came first; the last rung trains to `max_epochs`, and its best is the winner.

    Args:
        archs: distinct architectures, at least one.
        max_epochs: length of full training.
        eta: an integer ≥ 2; with 1, nothing would ever be dropped or trained longer.
        min_epochs: training of the first rung, 1 … `max_epochs`.
    """

    multi_fidelity = True

    def __init__(self, archs: Sequence[Arch], max_epochs: int, *, eta: int = 3, min_epochs: int = 1) -> None:
        rungs = _rungs(len(archs), eta, min_epochs, max_epochs)
        if len(set(archs)) != len(archs):
            raise ValueError(f"archs must be distinct, got {len(archs)} of which {len(set(archs))} are")
        super().__init__(archs, rungs)

    @property
    def winner(self) -> Arch:
        """The best architecture of the last rung.

        Raises:
            RuntimeError: the race is not over.
        """
        if not self.over:
            raise RuntimeError(f"winner must wait until all {len(self._rungs)} rungs are told")
        return self._racing[0]


class HalvingSearch:
    """Successive halving, bracket after bracket of architectures that were not drawn before, until the budget is spent.

    What comparisons at equal simulated seconds need: `functools.partial(HalvingSearch, max_epochs=12)`.

    Args:
        space: where to search.
        rng: all the randomness.
        max_epochs, eta, min_epochs: as in `SuccessiveHalving`.
        start: architectures that a bracket begins with; by default as many as leave one for the last rung.
        resume: a rung goes on from the weights of the one before; otherwise it is paid from the start again.
    """

    multi_fidelity = True

    def __init__(
        self,
        space: Space,
        rng: Generator,
        max_epochs: int,
        *,
        start: int | None = None,
        eta: int = 3,
        min_epochs: int = 1,
        resume: bool = True,
    ) -> None:
        _check_generator(rng)
        rungs = len(_rungs(1, eta, min_epochs, max_epochs))
        self.start = eta ** (rungs - 1) if start is None else _whole("start", start, 1)
        self.resume = bool(resume)
        self._draw = RandomSearch(space, rng)
        self._settings: dict[str, Any] = {"max_epochs": max_epochs, "eta": eta, "min_epochs": min_epochs}
        self._race: SuccessiveHalving | None = None

    def ask(self) -> tuple[Arch, int]:
        """The next architecture and the epochs to train it to; StopIteration when all have been drawn."""
        if self._race is not None:
            try:
                return self._race.ask()
            except StopIteration:
                pass  # decided: the next bracket
        self._race = SuccessiveHalving(_drawn(self._draw, self.start), **self._settings)
        return self._race.ask()

    def tell(self, arch: Arch, epochs: int, value: float) -> None:
        """The value of what was asked for last, after that many epochs; refuses what `SuccessiveHalving` refuses."""
        if self._race is None:
            raise ValueError(f"arch must be the one that was asked for last (nothing), got {arch}")
        self._race.tell(arch, epochs, value)


def _drawn(draw: Searcher, n: int) -> list[Arch]:
    """The next n architectures, or those that are left; StopIteration where none is."""
    archs = [draw.ask()]
    while len(archs) < n:
        try:
            archs.append(draw.ask())
        except StopIteration:
            break
    return archs


def _rungs(n: int, eta: int, min_epochs: int, max_epochs: int) -> list[tuple[int, int]]:
    """(architectures, epochs) of each rung."""
    eta = _whole("eta", eta, 2, " (with 1, nothing would ever be dropped)")
    n = _whole("the number of archs", n, 1)
    max_epochs = _whole("max_epochs", max_epochs, 1)
    epochs = _whole("min_epochs", min_epochs, 1)
    if epochs > max_epochs:
        raise ValueError(f"min_epochs must not exceed max_epochs, {max_epochs}, got {min_epochs}")
    rungs = [(n, epochs)]
    while epochs < max_epochs:
        n, epochs = max(1, n // eta), min(epochs * eta, max_epochs)
        rungs.append((n, epochs))
    return rungs


def halving_epochs(n: int, max_epochs: int, *, eta: int = 3, min_epochs: int = 1, resume: bool = True) -> int:
    """Epochs that `SuccessiveHalving` spends on n architectures.

    Args:
        n, max_epochs, eta, min_epochs: as there.
        resume: a rung goes on from the weights of the one before; otherwise it trains from scratch again.
    """
    before = total = 0
    for racing, epochs in _rungs(n, eta, min_epochs, max_epochs):
        total += racing * (epochs - before)
        before = epochs if resume else 0
    return total


def largest_start(
    budget: int, max_epochs: int, *, eta: int = 3, min_epochs: int = 1, resume: bool = True
) -> int:
    """With how many architectures `SuccessiveHalving` can start on a budget of epochs, at most.

    Raises:
        ValueError: the budget does not train a single one.
    """
    options: dict[str, Any] = {"eta": eta, "min_epochs": min_epochs, "resume": resume}
    least = halving_epochs(1, max_epochs, **options)
    budget = _whole("budget", budget, least, " epochs, which train one architecture to the end")
    low, high = 1, budget // min_epochs + 1  # the cost rises with n: bisection between affordable and not
    while high - low > 1:
        middle = (low + high) // 2
        affordable = halving_epochs(middle, max_epochs, **options) <= budget
        low, high = (middle, high) if affordable else (low, middle)
    return low


@dataclass(frozen=True, eq=False)
class FidelityHistory:
    """What a multi-fidelity search evaluated, in order.

    Attributes:
        archs: the architectures, again in each rung that they reached.
        epochs: int64 (n,), how long each was trained in all.
        values: float64 (n,), the value after that (percent).
        costs: int64 (n,), the epochs that had to be trained for it.
        winner: the best architecture of the last rung.
    """

    archs: list[Arch]
    epochs: NDArray[np.int64]
    values: NDArray[np.float64]
    costs: NDArray[np.int64]
    winner: Arch

    def __len__(self) -> int:
        return len(self.archs)


def halve(
    benchmark: Benchmark,
    n: int,
    seed: int,
    *,
    eta: int = 3,
    min_epochs: int = 1,
    max_epochs: int | None = None,
    resume: bool = True,
    noise: bool = False,
) -> FidelityHistory:
    """Successive halving of n random architectures over a benchmark's learning curves.

    Args:
        benchmark: answers for every number of epochs.
        n: architectures to start with, distinct, 1 … len(space).
        seed: of the draw, ≥ 0. The same seed starts with the same architectures as `RandomSearch` in `run`.
        eta, min_epochs, max_epochs: as in `SuccessiveHalving`; None is the benchmark's full training.
        resume: going on with a training costs only the epochs that are new.
        noise: each architecture is one training drawn at random, in all rungs the same; otherwise the mean.

    Raises:
        TypeError, ValueError: an argument out of range, or a value that is not finite.
    """
    n = _whole("n", n, 1)
    with contextlib.suppress(OverflowError):  # more than can be counted: more than n
        if n > len(benchmark.space):
            raise ValueError(
                f"n must not exceed the {len(benchmark.space)} architectures of the space, got {n}"
            )
    draw, toss = np.random.SeedSequence(_whole("seed", seed, 0)).spawn(2)
    proposals = RandomSearch(benchmark.space, np.random.default_rng(draw))
    archs = [proposals.ask() for _ in range(n)]
    seeds: list[int | None] = [None] * n
    if noise:
        seeds = np.random.default_rng(toss).integers(benchmark.seeds, size=n).tolist()
    training = dict(zip(archs, seeds))
    full = benchmark.epochs if max_epochs is None else max_epochs
    race = SuccessiveHalving(archs, full, eta=eta, min_epochs=min_epochs)
    trained: dict[Arch, int] = {}
    rows: list[tuple[Arch, int, float, int]] = []
    while True:
        try:
            arch, epochs = race.ask()
        except StopIteration:
            break
        value = benchmark.query(arch, epochs, training[arch]).valid
        rows.append((arch, epochs, value, epochs - (trained.get(arch, 0) if resume else 0)))
        trained[arch] = epochs
        race.tell(arch, epochs, value)
    told, lengths, values, costs = zip(*rows)
    return FidelityHistory(list(told), np.array(lengths), np.array(values), np.array(costs), race.winner)
