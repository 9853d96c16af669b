"""Reads the log of a hill climb as rounds of climbs, and where that fails, as what the usual mistakes do."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from nas_lib.checks.evolution_and_early_stopping.shared import LESSON
from nas_lib.checks.exercise import Instance, Verdict, fail, show
from nas_lib.checks.histories import space_of
from nas_lib.judges.evolution_and_early_stopping.counts import ALPHA, count_verdict, differences
from nas_lib.judges.searches import Run, SearchJudge

Rule = Callable[[float, list[tuple[Any, float]], float], list[Any]]
"""From the height, the round's (arch, value) and the best value of the whole run so far: where to stand next."""


def _best_if_better(height: float, around: list[tuple[Any, float]], record: float) -> list[Any]:
    best = max(value for _, value in around)
    return [arch for arch, value in around if value == best] if best > height else []


# How the usual mistakes move. All look at a whole round first.
_WRONG_MOVES: tuple[tuple[str, str, Rule], ...] = (
    (
        "moves-on-ties",
        "moves to a neighbour that is only as good: move if it is better, or a plateau is walked for ever",
        lambda height, around, record: [
            arch for arch, value in around if value == max(v for _, v in around) >= height
        ],
    ),
    (
        "moves-down",
        "moves to the best neighbour although it is worse: at a local optimum start again",
        lambda height, around, record: [arch for arch, value in around if value == max(v for _, v in around)],
    ),
    (
        "never-moves",
        "looks at the neighbours of a start and never moves to the best of them",
        lambda height, around, record: [],
    ),
    (
        "not-the-best",
        "moves to a better neighbour, but not to the best of them",
        lambda height, around, record: [arch for arch, value in around if value > height],
    ),
    (
        "compares-with-the-record",
        "compares with the best of the whole run: after a restart that is another hill, compare with where you stand",
        lambda height, around, record: _best_if_better(record, around, record),
    ),
    (
        "minimises",
        "moves to the worst neighbour if it is worse: objectives are maximised",
        lambda height, around, record: [
            arch for arch, value in around if value == min(v for _, v in around) < height
        ],
    ),
)


class _Climb:
    """Reads a run as rounds of a climb by some rule, as far as that is possible.

    Args:
        known: does a move also consider neighbours that an earlier climb has evaluated?
        at_once: does a move happen at the first neighbour that is better?
    """

    def __init__(
        self, space: Any, run: Run, rule: Rule, *, known: bool = False, at_once: bool = False
    ) -> None:
        self._space, self._run, self._rule = space, run, rule
        self._known, self._at_once = known, at_once
        self.restarts: list[int] = []
        self.rounds: list[tuple[Any, list[Any]]] = []
        self.reached = 0
        self.explains = self._climbs(0, [], [])

    def _climbs(self, at: int, restarts: list[int], rounds: list[tuple[Any, list[Any]]]) -> bool:
        """Can the rest of the run, from a start at `at`, be read as climbs?"""
        if at >= len(self._run):
            self.restarts, self.rounds = restarts, rounds
            return True
        arch, value = self._run[at]
        return self._stands(at + 1, arch, value, [*restarts, at], rounds)

    def _stands(self, at: int, here: Any, height: float, restarts: list[int], rounds: list[Any]) -> bool:
        """The same, standing on `here` with everything before `at` evaluated."""
        self.reached = max(self.reached, at)
        if at >= len(self._run):
            return self._climbs(at, restarts, rounds)
        seen = dict(self._run[:at])
        near = self._space.neighbors(here)
        unseen = {arch for arch in near if arch not in seen}
        found = self._run[at : at + len(unseen)]
        if self._at_once:
            first = next((i for i, (_, value) in enumerate(found) if value > height), len(found))
            found = found[: first + 1]
        if any(arch not in unseen for arch, _ in found):
            return False
        at += len(found)
        around = found + [(arch, seen[arch]) for arch in near if self._known and arch in seen]
        rounds = [*rounds, (here, [arch for arch, _ in found])]
        values = dict(around)
        record = max(value for _, value in self._run[:at]) if not found else max(seen.values())
        moves = self._rule(height, around, record) if around else []
        if not moves:
            return self._climbs(at, restarts, rounds)
        return any(self._stands(at, arch, values[arch], restarts, rounds) for arch in moves)


class HillClimbJudge(SearchJudge):
    """`hill_climb(objective, space, budget, rng)`: the history has to read as rounds of climbs."""

    exercise, lesson = "hill_climb", LESSON
    false_fail = 35 * ALPHA
    twice = ("evaluates-twice", "{} was evaluated twice in one run")

    def judge_run(self, instance: Instance, run: Run) -> Verdict | None:
        """Read the run as climbs; where that fails, read it as the usual mistakes."""
        space = space_of(instance)
        right = _read(space, run)
        if right.explains:
            return None
        if _Climb(space, run, _best_if_better, at_once=True).explains:
            return fail(
                "first-improvement",
                "moves to the first better neighbour: look at all unseen neighbours, then move to the best of them",
            )
        for concept, message, rule in _WRONG_MOVES:
            if _Climb(space, run, rule).explains:
                return fail(concept, f"{message} (on {instance['about']})")
        at = right.reached
        return fail(
            "not-a-climb",
            f"evaluation {at + 1} or one of the next leaves the round: after {show(list(run[at - 1][0]), 100)} come "
            "all unseen neighbours of the place where the climb stands, or a new start if none was better",
        )

    def judge_runs(self, instance: Instance, runs: Sequence[Run]) -> Verdict | None:
        """Starts, the order of the first round, and the first restart of each run; in a large space all restarts."""
        space: Any = space_of(instance)
        if len(space) > 1_000:
            return _distances(space, runs)
        archs, n = list(space), len(runs)
        starts = Counter(run[0][0] for run in runs)
        for arch in archs:
            verdict = count_verdict(
                starts[arch], n, 1 / len(archs), "start-not-uniform", f"a run begins at {show(list(arch))}"
            )
            if verdict:
                return verdict
        around = len(space.neighbors(archs[0]))
        orders = [
            [[*space.neighbors(run[0][0])].index(arch) for arch, _ in run[1 : around + 1]] for run in runs
        ]
        for place, which in ((1, "first"), (around, "last")):
            seen = Counter(order[place - 1] for order in orders)
            for position in range(around):
                verdict = count_verdict(
                    seen[position],
                    n,
                    1 / around,
                    "order-not-random",
                    f"neighbour {position} of `space.neighbors(start)` is evaluated {which}",
                )
                if verdict:
                    return verdict
        return count_verdict(
            sum((order[1] - order[0]) % around == 1 for order in orders),
            n,
            1 / (around - 1),
            "order-not-random",
            "the neighbour evaluated second comes right after the first in `space.neighbors(start)`",
        ) or _restarts(space, archs, runs)


def _read(space: Any, run: Run) -> _Climb:
    """A run as a climb that looks at what is new, or where that is none, at all neighbours."""
    right = _Climb(space, run, _best_if_better)
    return right if right.explains else _Climb(space, run, _best_if_better, known=True)


def _distances(space: Any, runs: Sequence[Run]) -> Verdict | None:
    """In how many decisions, of two options each, restarts differ from the start before and from the best so far."""
    decisions, longest = len(space.choices), max(map(len, runs))
    few = decisions // 4
    near = sum(math.comb(decisions, steps) for steps in range(few + 1))
    for what, which in (
        ("where the climb before began", lambda run, before, at: run[before][0]),
        ("the best so far", lambda run, before, at: max(run[:at], key=lambda entry: entry[1])[0]),
    ):
        found = [
            differences(run[at][0], which(run, before, at)) <= few
            for run in runs
            for before, at in pairwise(_read(space, run).restarts)
        ]
        verdict = count_verdict(
            sum(found),
            len(found),
            (near - longest) / len(space),  # whatever is evaluated already
            "restart-not-uniform",
            f"a restart differs from {what} in {few} of {decisions} decisions or fewer",
            most=near / (len(space) - longest),
        )
        if verdict:
            return verdict
    return _same_order(space, runs)


def _same_order(space: Any, runs: Sequence[Run]) -> Verdict | None:
    """Whether rounds that follow each other begin at the same place among the neighbours, both of them complete."""
    same: list[bool] = []
    for run in runs:
        rounds = [(space.neighbors(here), found) for here, found in _read(space, run).rounds]
        firsts = [near.index(found[0]) if len(found) == len(near) else None for near, found in rounds]
        same += [one == other for one, other in pairwise(firsts) if None not in (one, other)]
    if not same:
        return None
    return count_verdict(
        sum(same),
        len(same),
        1 / len(space.neighbors(runs[0][0][0])),
        "order-not-random",
        "a round begins at the same place of `space.neighbors(arch)` as the round before",
    )


def _restarts(space: Any, archs: list[Any], runs: Sequence[Run]) -> Verdict | None:
    """The first restart of each run, among what was unseen then."""
    events: dict[str, list[tuple[bool, float]]] = {}
    for run in runs:
        starts = _Climb(space, run, _best_if_better).restarts
        if len(starts) < 2:
            continue
        before, (start, _) = run[: starts[1]], run[starts[1]]
        seen = {arch for arch, _ in before}
        unseen = [arch for arch in archs if arch not in seen]
        for what, some in _preferred(space, before, unseen).items():
            events.setdefault(what, []).append((start in some, len(some) / len(unseen)))
    for what, found in events.items():
        hits, chances = zip(*found)
        verdict = count_verdict(
            sum(hits), len(found), float(np.mean(chances)), "restart-not-uniform", f"a restart takes {what}"
        )
        if verdict:
            return verdict
    return None


def _preferred(space: Any, before: Run, unseen: list[Any]) -> dict[str, list[Any]]:
    """Parts of the unseen that a restart may prefer by mistake."""
    near = space.neighbors(before[-1][0])
    best = max(before, key=lambda entry: entry[1])[0]
    steps = [differences(best, arch) for arch in unseen]
    return {
        "one of the first half of the unseen": unseen[: (len(unseen) + 1) // 2],
        "an unseen neighbour of the last evaluation": [arch for arch in unseen if arch in near],
        "one of the unseen that are nearest to the best": [
            arch for arch, step in zip(unseen, steps) if step == min(steps)
        ],
    }
