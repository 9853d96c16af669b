"""Checks of lesson 02: local search, evolution, successive halving, rank correlation, and scores of untrained networks.

Searches are judged by the log of their evaluations: it tells where a climb stood and which parents a child can have.
What is random is judged by counts. Bad luck fails right code with probability at most `false_fail`:

    hill_climb               30 counts (starts, orders, restarts), 2e-9 each     0.6e-7
    regularized_evolution    37 counts (first members, parents), 2e-9 each       0.8e-7

A mutation that misses one of 6 decisions by chance in all children adds less than 1e-10. Everything else is exact, or a
number in float64 compared at 1e-6. The bounds are proven (`_stats`): no simulation enters.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from nas_lib.checks._mistakes import raised
from nas_lib.checks.exercise import RIGHT, Answer, Exercise, Instance, Unacceptable, Verdict, fail, show
from nas_lib.checks.histories import space_of
from nas_lib.checks.judging import error_verdict
from nas_lib.checks.nets import build, changed, conv, give_gradients, linear, norm, snapshot
from nas_lib.checks.oracles import Oracle, Refused
from nas_lib.checks.questions import ConceptQuestion
from nas_lib.checks.registry import register
from nas_lib.checks.searches import SearchExercise
from nas_lib.judges.reading import number, scalar
from nas_lib.judges.searches import Run
from nas_lib.judges.statistics import count_range
from nas_lib.spaces import OPS

LESSON = "02_evolution_and_early_stopping"
_ALPHA = 2e-9


def _case(rng: Generator, **given: Any) -> Instance:
    """An instance of a search: one run, secret values."""
    return {
        "seeds": [int(rng.integers(2**31))],
        "_seed": int(rng.integers(2**62)),
        "_levels": 10_000_019,
        "_range": [40.0, 90.0],
        **given,
    }


def _some_ops(rng: Generator, count: int) -> list[str]:
    return [str(op) for op in rng.permutation(OPS)[:count]]


def _seeds(rng: Generator, count: int) -> list[int]:
    """Seeds of `count` different runs, and the first one again."""
    seeds = [int(one) for one in rng.choice(2**31, size=count, replace=False)]
    return [*seeds, seeds[0]]


def _count_verdict(times: int, n: int, p: float, concept: str, what: str) -> Verdict | None:
    """A verdict where a count of n independent events of mean chance p is out of all proportion.

    The chances may differ: the spread is largest where they are equal (Hoeffding 1956).
    """
    low, high = count_range(n, p, _ALPHA)
    if low <= times <= high:
        return None
    return fail(concept, f"{what} in {times} of {n} cases, about {n * p:.0f} expected")


# ---------------------------------------------------------------------------------------------- hill_climb

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


class HillClimb(SearchExercise):
    """`hill_climb(objective, space, budget, rng)`: the history has to read as rounds of climbs."""

    name, lesson = "hill_climb", LESSON
    false_fail = 30 * _ALPHA
    twice = ("evaluates-twice", "{} was evaluated twice in one run")

    def instances(self, seed: int) -> list[Instance]:
        """Cells and other spaces; budgets that end anywhere, of 1 and of the whole; plateaus; many runs; bad ones."""
        rng = default_rng(seed)
        uneven = [[3, 5, 7], [1, 2], [16, 24, 32, 48], ["a", "b"]]
        rng.shuffle(uneven)
        small = [["a", "b", "c"], ["k", "l", "m"], ["x", "y"]]
        nothing = {"choices": small, "budget": 18}
        return [
            _case(
                rng, ops=_some_ops(rng, 3), budget=int(rng.integers(260, 300)), about="a space of 729 cells"
            ),
            _case(rng, ops=_some_ops(rng, 2), budget=64, about="a budget of the whole space"),
            _case(
                rng, choices=uneven, budget=int(rng.integers(30, 44)), about="decisions with 2 to 4 options"
            ),
            _case(rng, ops=_some_ops(rng, 2), budget=60, _levels=5, about="values with ties"),
            _case(rng, ops=_some_ops(rng, 4), budget=1, about="a budget of 1"),
            _case(rng, choices=small, budget=13, seeds=_seeds(rng, 160), about="160 runs of 13 out of 18"),
            _case(rng, **nothing | {"budget": 0}, bad="a budget of 0"),
            _case(rng, **nothing | {"budget": 19}, bad="a budget above the 18 architectures of the space"),
            _case(rng, **nothing, _nan_at=int(rng.integers(2, 8)), bad="an objective that returns NaN"),
        ]

    def judge_run(self, instance: Instance, run: Run) -> Verdict | None:
        """Read the run as climbs; where that fails, read it as the usual mistakes."""
        space = space_of(instance)
        right = _Climb(space, run, _best_if_better)
        if right.explains or _Climb(space, run, _best_if_better, known=True).explains:
            return None
        if _Climb(space, run, _best_if_better, at_once=True).explains:
            return fail(
                "first-improvement",
                "moves to the first better neighbour: look at all unseen neighbours, then move to the best of them",
            )
        for concept, message, rule in _WRONG_MOVES:
            if _Climb(space, run, rule).explains:
                return fail(concept, message)
        at = right.reached
        return fail(
            "not-a-climb",
            f"evaluation {at + 1} or one of the next leaves the round: after {show(list(run[at - 1][0]), 100)} come "
            "all unseen neighbours of the place where the climb stands, or a new start if none was better",
        )

    def judge_runs(self, instance: Instance, runs: Sequence[Run]) -> Verdict | None:
        """Starts, the order of the first round, and the first restart of each run."""
        space: Any = space_of(instance)
        archs, n = list(space), len(runs)
        starts = Counter(run[0][0] for run in runs)
        for arch in archs:
            verdict = _count_verdict(
                starts[arch], n, 1 / len(archs), "start-not-uniform", f"a run begins at {show(list(arch))}"
            )
            if verdict:
                return verdict
        around = len(space.neighbors(archs[0]))
        for place, which in ((1, "first"), (around, "last")):
            seen = Counter([*space.neighbors(run[0][0])].index(run[place][0]) for run in runs)
            for position in range(around):
                verdict = _count_verdict(
                    seen[position],
                    n,
                    1 / around,
                    "order-not-random",
                    f"neighbour {position} of `space.neighbors(start)` is evaluated {which}",
                )
                if verdict:
                    return verdict
        return _restarts(space, archs, runs)


def _restarts(space: Any, archs: list[Any], runs: Sequence[Run]) -> Verdict | None:
    """The first restart of each run, among what was unseen then."""
    events: list[tuple[bool, float, bool, float]] = []
    for run in runs:
        starts = _Climb(space, run, _best_if_better).restarts
        if len(starts) < 2:
            continue
        seen = {arch for arch, _ in run[: starts[1]]}
        unseen = [arch for arch in archs if arch not in seen]
        place, half = unseen.index(run[starts[1]][0]), (len(unseen) + 1) // 2
        # Where one half of the unseen is preferred, or where the last architecture before it was left off.
        near = {arch for arch in space.neighbors(run[starts[1] - 1][0]) if arch in unseen}
        events.append((place < half, half / len(unseen), unseen[place] in near, len(near) / len(unseen)))
    if not events:
        return None
    first_half, chance, close, chance_close = (list(column) for column in zip(*events))
    what = "a restart takes"
    return _count_verdict(
        sum(first_half),
        len(events),
        float(np.mean(chance)),
        "restart-not-uniform",
        f"{what} one of the first half of the unseen",
    ) or _count_verdict(
        sum(close),
        len(events),
        float(np.mean(chance_close)),
        "restart-not-uniform",
        f"{what} an unseen neighbour of the last evaluation",
    )


# ---------------------------------------------------------------------------------- regularized_evolution


def _apart(a: Sequence[Any], b: Sequence[Any]) -> int:
    return sum(x != y for x, y in zip(a, b))


class RegularizedEvolution(SearchExercise):
    """`regularized_evolution(...)`: each child must have a parent among the last `population`, and parents must win
    tournaments."""

    name, lesson = "regularized_evolution", LESSON
    false_fail = 37 * _ALPHA + 1e-10
    options = ("population", "sample")

    def instances(self, seed: int) -> list[Instance]:
        """Old members best, values at random, young members best without selection, large tournaments; a budget of the
        first population; many runs; bad ones."""
        rng = default_rng(seed)

        def wide() -> list[list[Any]]:
            sizes = rng.integers(6, 10, size=6)
            return [[10 * place + step for step in range(size)] for place, size in enumerate(sizes)]

        small = [["a", "b", "c"], ["k", "l", "m"], [1, 2, 3], [4, 5, 6]]
        plain = {"choices": wide(), "budget": 30, "population": 10, "sample": 3}
        return [
            _case(
                rng,
                choices=wide(),
                budget=280,
                population=20,
                sample=6,
                about="a population of 20, tournaments of 6",
            ),
            _case(
                rng,
                choices=wide(),
                budget=250,
                population=10,
                sample=3,
                _order="falling",
                about="old members best",
            ),
            _case(
                rng,
                choices=wide(),
                budget=250,
                population=12,
                sample=1,
                _order="falling",
                about="tournaments of 1",
            ),
            _case(
                rng,
                ops=list(OPS),
                budget=250,
                population=12,
                sample=2,
                _order="rising",
                about="young members best",
            ),
            _case(
                rng,
                choices=wide(),
                budget=2,
                population=2,
                sample=2,
                about="a budget of the first population",
            ),
            _case(
                rng,
                choices=small,
                budget=12,
                population=10,
                sample=4,
                seeds=_seeds(rng, 45),
                about="45 short runs",
            ),
            _case(rng, **plain | {"population": 1, "sample": 1}, bad="a population of 1"),
            _case(rng, **plain | {"sample": 0}, bad="tournaments of 0"),
            _case(rng, **plain | {"sample": 11}, bad="tournaments of 11 in a population of 10"),
            _case(rng, **plain | {"budget": 9}, bad="a budget of 9 with a population of 10"),
            _case(rng, **plain, _nan_at=int(rng.integers(12, 20)), bad="an objective that returns NaN"),
        ]

    def judge_run(self, instance: Instance, run: Run) -> Verdict | None:
        """Every child's parent, then how good the parents were among those alive."""
        population, sample = instance["population"], instance["sample"]
        children = range(population, len(run))
        orphans = [at for at in children if not _parents(run, at, range(at - population, at))]
        if orphans:
            return _orphan(run, orphans, population)
        if len(children) < 100:
            return None
        return _tournaments(run, population, sample) or _mutations(instance, run, population)

    def judge_runs(self, instance: Instance, runs: Sequence[Run]) -> Verdict | None:
        """The first members: uniform, and independent of each other."""
        choices, population = instance["choices"], instance["population"]
        first = [arch for run in runs for arch, _ in run[:population]]
        for place, options in enumerate(choices):
            for option in options:
                verdict = _count_verdict(
                    sum(arch[place] == option for arch in first),
                    len(first),
                    1 / len(options),
                    "first-population",
                    f"a first member has {show(option)} as decision {place}",
                )
                if verdict:
                    return verdict
        size = math.prod(len(options) for options in choices)
        near = sum(len(options) - 1 for options in choices) / size
        close = sum(_apart(run[0][0], run[1][0]) == 1 for run in runs)
        return _count_verdict(
            close, len(runs), near, "first-population", "the second member is a neighbour of the first"
        )


def _parents(run: Run, at: int, among: Sequence[int]) -> list[int]:
    """Which of the earlier evaluations `among` can be the parent of evaluation `at`."""
    return [one for one in among if _apart(run[one][0], run[at][0]) == 1]


def _orphan(run: Run, orphans: list[int], population: int) -> Verdict:
    """Why some children have no parent among the living."""
    at = orphans[0]
    child, where = run[at][0], f"evaluation {at + 1}"
    repeats = [one for one in orphans if run[one][0] in [arch for arch, _ in run[one - population : one]]]
    if 2 * len(repeats) > len(orphans):
        return fail(
            "no-mutation",
            f"evaluation {repeats[0] + 1} repeats a living member: a child must differ from its parent by a mutation",
        )
    for concept, who, deaths in _WRONG_DEATHS:
        if _fits(run, population, deaths):
            return fail(concept, f"{who} dies here: it is the oldest member that leaves, however good it is")
    with_dead = [one for one in orphans if _parents(run, one, range(one - population))]
    if 2 * len(with_dead) > len(orphans):
        parent = _parents(run, with_dead[0], range(with_dead[0] - population))[-1]
        return fail(
            "dead-parent",
            f"evaluation {with_dead[0] + 1} descends from evaluation {parent + 1}, which should have left: the oldest "
            f"dies, so the last {population} evaluations are alive",
        )
    if min(_apart(run[one][0], child) for one in range(at)) == 2:
        return fail(
            "two-mutations", f"{where} differs from all living members in two or more decisions: mutate once"
        )
    return fail("no-parent", f"{where} is no mutation of any of the {population} members alive")


Deaths = Callable[[list[int], int, Run], list[int]]
"""Who lives on (positions in the run) once the evaluation at a position has joined."""


def _worst_first(alive: list[int], run: Run) -> list[int]:
    return sorted(alive, key=lambda one: run[one][1])


# Each mistake in the two orders in which people write it: before the child joins, and after.
_WRONG_DEATHS: tuple[tuple[str, str, Deaths], ...] = (
    ("kills-the-worst", "the worst member", lambda alive, at, run: _worst_first([*alive, at], run)[1:]),
    ("kills-the-worst", "the worst member", lambda alive, at, run: [*_worst_first(alive, run)[1:], at]),
    ("kills-the-youngest", "the youngest member", lambda alive, at, run: alive),
    ("kills-the-youngest", "the youngest member", lambda alive, at, run: [*alive[:-1], at]),
)


def _fits(run: Run, population: int, deaths: Deaths) -> bool:
    """Does every child have a parent in a population that loses members this way?"""
    alive = list(range(population))
    for at in range(population, len(run)):
        if not _parents(run, at, alive):
            return False
        alive = deaths(alive, at, run)
    return True


def _tournaments(run: Run, population: int, sample: int) -> Verdict | None:
    """How often the parent was among the best k of the population, against what tournaments give.

    A child may have several possible parents and members may be equal, so only a lower and an upper bound of the true
    count are known. Draws with repeats win less often than those without: the one gives the least chance, the other
    the largest. Whatever came before, the chance of each child is within these two, so the counts' bounds hold.
    """
    children = range(population, len(run))
    for best in sorted({1, population // 3, population // 2}):
        some = every = 0
        for at in children:
            values = sorted((run[one][1] for one in range(at - population, at)), reverse=True)
            parents = [run[one][1] for one in _parents(run, at, range(at - population, at))]
            some += max(parents) >= values[best - 1]
            every += min(parents) > values[best]
        least = 1 - (1 - best / population) ** sample
        most = 1 - math.comb(population - best, sample) / math.comb(population, sample)
        which = "the best" if best == 1 else f"one of the best {best}"
        if some < count_range(len(children), least, _ALPHA)[0]:
            return fail(
                "too-little-selection",
                f"the parent can be {which} of {population} in {some} of {len(children)} cases, tournaments of "
                f"{sample} give about {len(children) * least:.0f}: the best of `sample` members is the parent",
            )
        if every > count_range(len(children), most, _ALPHA)[1]:
            return fail(
                "too-much-selection",
                f"the parent is {which} of {population} in {every} of {len(children)} cases, tournaments of {sample} "
                f"give about {len(children) * most:.0f}: the parent is the best of `sample` members, not of all",
            )
    return None


def _mutations(instance: Instance, run: Run, population: int) -> Verdict | None:
    """Does every decision get its mutations?"""
    changed_places = {
        place
        for at in range(population, len(run))
        for one in _parents(run, at, range(at - population, at))
        for place, (a, b) in enumerate(zip(run[one][0], run[at][0]))
        if a != b
    }
    missing = set(range(len(run[0][0]))) - changed_places
    if missing:
        return fail(
            "fixed-decision",
            f"decision {min(missing)} is never mutated in {len(run) - population} children: each decision may change",
        )
    return None


# ------------------------------------------------------------------------------------- successive_halving


class _Training:
    """A value for each config and number of epochs, all different, from a secret seed.

    With a negative `_slope` values fall with training: the best of all is in the first rung then, and wins nothing.
    """

    def __init__(self, instance: Instance) -> None:
        self._configs, self._nan_at = instance["configs"], instance.get("_nan_at")
        self._longest = instance["max_epochs"]
        self._seed, self._slope = instance["_seed"], instance.get("_slope", 5)
        self._calls = 0

    def __call__(self, config: Any, epochs: Any) -> float:
        if config not in self._configs:
            raise Refused(f"train_to was called with {show(config)}, which is none of the configs")
        if type(epochs) is float and epochs.is_integer():
            epochs = int(epochs)
        if type(epochs) is not int or epochs < 1:
            raise Refused(
                f"train_to was called with {show(epochs)} epochs: a whole number from 1 up is needed"
            )
        if epochs > 10 * self._longest:
            raise Refused(f"train_to was called with {epochs} epochs, where max_epochs is {self._longest}")
        self._calls += 1
        if self._calls == self._nan_at:
            return math.nan
        # Curves that cross: who leads early need not lead late.
        level = default_rng([self._seed, self._configs.index(config), epochs]).uniform(-10, 10)
        return float(round(60 + self._slope * math.log(epochs) + level, 9))


class SuccessiveHalving(Exercise):
    """`successive_halving(train_to, configs, eta, min_epochs, max_epochs)`: the rungs, as they were called."""

    name, lesson = "successive_halving", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """Several etas; numbers that divide and that do not; a last rung cut at `max_epochs`; one survivor early;
        configs of every kind; bad ones."""
        rng = default_rng(seed)

        def race(configs: Any, eta: int, low: int, high: int, **more: Any) -> Instance:
            return {
                "configs": list(configs),
                "eta": eta,
                "min_epochs": low,
                "max_epochs": high,
                "_seed": int(rng.integers(2**62)),
                **more,
            }

        def names(count: int) -> list[str]:
            return [f"net-{int(one)}" for one in rng.choice(1000, size=count, replace=False)]

        settings = [
            {"lr": round(0.01 * k, 2), "depth": int(d)} for k, d in enumerate(rng.integers(2, 9, size=13), 1)
        ]
        cells = [[str(op) for op in row] for row in rng.choice(OPS, size=(20, 6))]
        cells = [cell for at, cell in enumerate(cells) if cell not in cells[:at]]
        odd, ok = names(int(rng.choice([22, 23, 29, 31]))), names(6)
        return [
            race(names(45), 3, 1, 9, _slope=-15, about="45 configs, eta 3, epochs 1 to 9"),
            race(odd, 2, 1, 16, _slope=-15, about="a number that eta does not divide"),
            race(cells, 3, 2, 25, _slope=-15, about="cells as configs, and a last rung cut at max_epochs"),
            race(settings, 4, 1, 1024, about="dicts as configs, of which one is left early"),
            race(names(17), 2, 4, 4, about="min_epochs = max_epochs"),
            race(names(1), 3, 1, 9, about="a single config"),
            race(ok, 1, 1, 4, bad="eta = 1"),
            race([], 2, 1, 4, bad="no configs"),
            race(ok, 2, 0, 4, bad="min_epochs = 0"),
            race(ok, 2, 5, 4, bad="min_epochs above max_epochs"),
            race(ok, 2, 1, 4, _nan_at=int(rng.integers(2, 8)), bad="a value that is NaN"),
        ]

    def oracle(self, instance: Instance) -> Oracle:
        """The trainings, logged."""
        return Oracle({"train_to": _Training(instance)}, limit=40 * (len(instance["configs"]) + 10))

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """Winner and trials."""
        configs = [tuple(one) if type(one) is list else one for one in instance["configs"]]

        def call() -> Any:
            def train_to(config: Any, epochs: Any) -> float:
                return float(oracle.call("train_to", config, epochs))

            return fn(train_to, configs, instance["eta"], instance["min_epochs"], instance["max_epochs"])

        return raised(call) if "bad" in instance else {"result": call(), "configs": configs}

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """The calls rung by rung, then what was returned."""
        right_winner, right = expected.value["result"]
        wanted = [(config, int(epochs), float(value)) for config, epochs, value in right]
        calls = [call for call in answer.calls if call.method == "train_to"]
        refused = next((call.refused for call in calls if call.refused), None)
        if refused:
            return fail("not-a-config" if "none of" in refused else "wrong-epochs", refused)
        made = [(call.args[0], int(call.args[1]), float(call.value)) for call in calls]
        winner, trials = _race_result(answer.value["result"])
        if _by_rung(made) != _by_rung(wanted):
            return _wrong_rungs(instance, made, wanted)
        if trials != made:
            same = sorted(map(repr, trials)) == sorted(map(repr, made))
            return fail(
                "wrong-order" if same else "wrong-trials",
                "the trials are not in the order of the calls"
                if same
                else f"the trials are not the calls that were made: {len(trials)} entries for {len(made)} calls",
            )
        if winner != right_winner:
            top = max(made, key=lambda trial: trial[2])[0]
            what = "the best value of all rungs" if winner == top else "not the best of the last rung"
            return fail("wrong-winner", f"the winner {show(winner)} has {what}: only the last rung counts")
        if answer.value["configs"] != instance["configs"]:
            return fail(
                "mutates-input", "the list of configs was changed: work on a copy (list(configs))", 0.5
            )
        return RIGHT

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """Unhashable configs, and loops that never end."""
        if answer.error_type == "TypeError" and "unhashable" in (answer.error or ""):
            return fail(
                "unhashable-configs",
                "a config may be a dict, which cannot be a key: keep values in a list beside them",
            )
        if answer.error_type == "Refused":
            text = (answer.error or "").partition(":")[2].strip()
            concept = (
                "not-a-config" if "none of" in text else "endless" if "more than" in text else "wrong-epochs"
            )
            return fail(concept, text.replace("the objective", "train_to"))
        return error_verdict(instance, answer)


def _race_result(value: Any) -> tuple[Any, list[tuple[Any, int, float]]]:
    """(winner, trials), or the mistake in its form."""
    form = "(winner, list of (config, epochs, value))"
    if type(value) is not list or len(value) != 2 or type(value[1]) is not list:
        raise Unacceptable("wrong-shape", f"successive_halving should return {form}, not {show(value)}")
    trials = []
    for trial in value[1]:
        if type(trial) is not list or len(trial) != 3:
            raise Unacceptable(
                "wrong-shape", f"successive_halving should return {form}; a trial is {show(trial)}"
            )
        trials.append((trial[0], int(number(trial[1], "epochs")), number(trial[2], "a value")))
    return value[0], trials


def _by_rung(trials: Sequence[tuple[Any, int, float]]) -> list[tuple[int, list[str]]]:
    """(epochs, configs in any order) of each run of trials with equal epochs."""
    rungs: list[tuple[int, list[str]]] = []
    for config, epochs, _ in trials:
        if not rungs or rungs[-1][0] != epochs:
            rungs.append((epochs, []))
        rungs[-1][1].append(repr(config))
    return [(epochs, sorted(configs)) for epochs, configs in rungs]


def _wrong_rungs(instance: Instance, made: list[Any], wanted: list[Any]) -> Verdict:
    """Which usual mistake the rungs show."""
    eta, low, high = instance["eta"], instance["min_epochs"], instance["max_epochs"]
    found, right = _by_rung(made), _by_rung(wanted)
    lengths, sizes = [epochs for epochs, _ in found], [len(configs) for _, configs in found]
    right_lengths, right_sizes = [epochs for epochs, _ in right], [len(configs) for _, configs in right]
    said = f"rungs of {show(sizes)} configs at {show(lengths)} epochs"
    said += f", should be {show(right_sizes)} at {show(right_lengths)}"
    if not found:
        return fail("no-training", "train_to was never called")
    if max(lengths) > high:
        return fail("beyond-max-epochs", f"trains beyond max_epochs: {said}")
    if lengths == right_lengths and any(len(set(configs)) < len(configs) for _, configs in found):
        return fail("trains-twice", f"a config is trained twice to the same length, every call costs: {said}")
    if lengths != right_lengths:
        if lengths == list(np.diff([0, *right_lengths])):
            return fail(
                "trains-the-difference", f"train_to takes the epochs in all, not those to add: {said}"
            )
        if len(set(lengths)) == 1:
            return fail("epochs-do-not-grow", f"each rung trains eta times as long as the one before: {said}")
        if lengths == right_lengths[: len(lengths)]:
            return fail("ends-early", f"the last rung is the one at max_epochs: {said}")
        if lengths[:-1] == right_lengths[: len(lengths) - 1] or lengths[0] != low:
            return fail(
                "wrong-epochs", f"the epochs are min_epochs, times eta each rung, up to max_epochs: {said}"
            )
        return fail("wrong-epochs", f"the epochs grow by the factor eta: {said}")
    if sizes != right_sizes:
        pairs = list(pairwise(sizes))
        if all(b == -(-a // eta) for a, b in pairs):
            return fail("rounds-up", f"⌊n/eta⌋ configs go on, rounded down: {said}")
        if all(b == max(1, a - a // eta) for a, b in pairs):
            return fail("drops-too-few", f"the best n/eta go on, the others are dropped: {said}")
        if min(sizes) == 0 or (len(set(sizes)) == 1 and sizes[0] > 1):
            return fail("wrong-rungs", f"every rung keeps ⌊n/eta⌋ configs, at least one: {said}")
        return fail("wrong-rungs", f"⌊n/eta⌋ configs go on: {said}")
    rung = next(at for at, (one, other) in enumerate(zip(found, right)) if one != other)
    before = [trial for trial in made if trial[1] == lengths[rung - 1]]
    count = sizes[rung]
    by_value = sorted(before, key=lambda trial: trial[2])
    chosen = set(found[rung][1])
    telling = rung > 0 and count > 2  # one or two are the worst, or the first, by chance
    if telling and chosen == {repr(trial[0]) for trial in by_value[:count]}:
        return fail(
            "keeps-the-worst",
            f"the configs with the lowest values go on at {lengths[rung]} epochs: keep the best",
        )
    if telling and chosen == {repr(trial[0]) for trial in before[:count]}:
        return fail(
            "keeps-the-first", f"the first configs of the list go on at {lengths[rung]} epochs, not the best"
        )
    return fail(
        "keeps-others",
        f"other configs than the best of the rung before go on at {lengths[rung]} epochs: rank by its values",
    )


# ------------------------------------------------------------------------------------- rank correlation


def _untied(values: NDArray[np.float64]) -> float:
    """Pairs that differ."""
    counts = np.unique(values, return_counts=True)[1]
    n = len(values)
    return float(n * (n - 1) / 2 - (counts * (counts - 1) / 2).sum())


class _Correlation(Exercise):
    """What `spearman` and `kendall_tau` share: exact values on data with and without ties."""

    def instances(self, seed: int) -> list[Instance]:
        """Continuous data, ties in one and in both, a curved relation, two pairs, large and close numbers; bad ones."""
        rng = default_rng(seed)

        def noisy(n: int, noise: float) -> tuple[list[float], list[float]]:
            a = rng.normal(80, 6, size=n)
            return a.round(6).tolist(), (3 - 0.2 * a + noise * rng.normal(size=n)).round(6).tolist()

        def case(a: Sequence[float], b: Sequence[float], form: str = "array", **more: Any) -> Instance:
            return {"a": list(a), "b": list(b), "form": form, **more}

        rank = [int(one) for one in rng.permutation(9)]
        curved = [round(float(one), 3) for one in rng.uniform(0, 6, size=15)]
        tied_a = [int(one) for one in rng.integers(0, 5, size=24)]
        tied_b = [int(one) for one in np.clip(np.array(tied_a) + rng.integers(-1, 3, size=24), 0, 6)]
        close = (0.5 + 1e-9 * rng.permutation(20)).tolist()
        mixed = [float(one) for one in 1e9 * rng.normal(size=20)]
        return [
            case(*noisy(30, 1.5)),
            case(*noisy(60, 0.5), form="list", about="values given as lists"),
            case(curved, [math.exp(3 * one) for one in curved], about="a curved relation without noise"),
            case(rank, [3 * one for one in reversed(rank)], form="list", about="whole numbers"),
            case(tied_a, rng.normal(size=24).round(4).tolist(), about="ties in a"),
            case(tied_a, tied_b, form="list", about="ties in both"),
            case(close, mixed, about="numbers that are close together, and large ones"),
            case([2, 1], [5, 7], form="tuple", about="two pairs"),
            case(*noisy(400, 2.0), about="400 pairs"),
            case([1.0, 2.0, 3.0], [1.0, 2.0], bad="a of another length than b"),
            case([1.0], [1.0], bad="a single pair"),
            case([1.0, math.nan, 3.0], [1.0, 2.0, 3.0], bad="NaN in a"),
            case([1.0, 2.0, 3.0], [4.0, 4.0, 4.0], bad="a constant b"),
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The coefficient, and the arguments as they are afterwards."""
        forms: dict[str, Callable[[Any], Any]] = {"array": np.array, "list": list, "tuple": tuple}
        a, b = (forms[instance["form"]](instance[key]) for key in "ab")
        if "bad" in instance:
            return raised(lambda: fn(a, b))
        return {"result": fn(a, b), "after": [a, b]}

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Exact; a coefficient that some usual mistake gives is named."""
        result = scalar(answer.value["result"])
        if type(result) is list and len(result) == 2:
            return fail(
                "wrong-type", f"{self.name} should return a number, not a pair (coefficient, p-value)"
            )
        found, right = number(result, self.name), number(expected.value["result"], self.name)
        if not abs(found - right) <= 1e-6:
            a, b = (np.array(instance[key], dtype=float) for key in "ab")
            concept, message = next(
                (
                    (concept, message)
                    for concept, message, value in self.suspects(a, b)
                    if abs(found - value) <= 1e-6
                ),
                ("wrong-value", "the coefficient is wrong"),
            )
            about = f" ({instance['about']})" if "about" in instance else ""
            return fail(concept, f"{message}: {show(found)}, should be {show(right)}{about}")
        for key, after in zip("ab", answer.value["after"]):
            if not np.array_equal(np.asarray(after, dtype=float), np.asarray(instance[key], dtype=float)):
                return fail("mutates-input", f"`{key}` was changed (sorted in place?): work on a copy", 0.5)
        return RIGHT

    def suspects(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> Iterator[tuple[str, str, float]]:
        """(concept, message, coefficient) of the usual mistakes."""
        raise NotImplementedError


class Spearman(_Correlation):
    """`spearman(a, b)`."""

    name, lesson = "spearman", LESSON

    def suspects(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> Iterator[tuple[str, str, float]]:
        """Mistakes with values, ties and signs."""
        from scipy import stats

        def of_ranks(method: str) -> float:
            return float(np.corrcoef(stats.rankdata(a, method), stats.rankdata(b, method))[0, 1])

        right = of_ranks("average")
        yield (
            "values-not-ranks",
            "this is the correlation of the values, not of their ranks",
            float(np.corrcoef(a, b)[0, 1]),
        )
        yield "sign-flipped", "the sign is flipped: equal order is +1", -right
        places = np.corrcoef(np.argsort(a), np.argsort(b))[0, 1]
        yield "argsort-not-ranks", "argsort gives the positions in sorted order, not the ranks", float(places)
        for method, how in (
            ("ordinal", "different ranks"),
            ("min", "the lowest rank"),
            ("max", "the highest rank"),
        ):
            yield (
                "ties",
                f"equal numbers get {how}: they share the mean of their ranks",
                of_ranks(method),
            )
        yield (
            "ties",
            "equal numbers share a rank, but the next rank must skip the places that they take",
            of_ranks("dense"),
        )
        d = stats.rankdata(a) - stats.rankdata(b)
        n = len(a)
        shortcut = 1 - 6 * float(d @ d) / (n * (n * n - 1))
        yield (
            "ties",
            "the formula with 6·Σd² holds without ties only: take Pearson's correlation of the ranks",
            shortcut,
        )
        yield "other-coefficient", "this is Kendall's tau", float(stats.kendalltau(a, b)[0])
        yield "squared", "the coefficient is squared, which loses its sign", right**2


class KendallTau(_Correlation):
    """`kendall_tau(a, b)`."""

    name, lesson = "kendall_tau", LESSON

    def suspects(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> Iterator[tuple[str, str, float]]:
        """Mistakes with ties and signs."""
        from scipy import stats

        tau = float(stats.kendalltau(a, b)[0])
        pairs, agreement = len(a) * (len(a) - 1) / 2, tau * math.sqrt(_untied(a) * _untied(b))
        untied = _untied_in_both(a, b)
        yield "sign-flipped", "the sign is flipped: equal order is +1", -tau
        yield (
            "no-tie-correction",
            "tied pairs count in the denominator (tau-a): divide by √(A·B) of tau-b",
            agreement / pairs,
        )
        yield "gamma", "divides by the pairs that are tied in neither: divide by √(A·B)", agreement / untied
        concordant = (untied + agreement) / 2
        yield "share-of-concordant", "this is the share of concordant pairs, from 0 to 1", concordant / pairs
        yield "share-of-concordant", "this is the share of concordant pairs, from 0 to 1", concordant / untied
        yield (
            "ties-as-discordant",
            "every pair that is not concordant counts as discordant: tied pairs are neither",
            (concordant - (pairs - concordant)) / pairs,
        )
        ties = pairs - untied
        yield (
            "ties-as-concordant",
            "tied pairs count as concordant (≥ instead of >): they are neither",
            (agreement + ties) / pairs,
        )
        yield (
            "ties-as-concordant",
            "tied pairs count as concordant: they are neither",
            (agreement + ties) / math.sqrt(_untied(a) * _untied(b)),
        )
        yield "ordered-pairs", "each pair is counted twice in one part of the fraction only", 2 * tau
        yield "ordered-pairs", "each pair is counted twice in one part of the fraction only", tau / 2
        yield "other-coefficient", "this is Spearman's coefficient", float(stats.spearmanr(a, b)[0])
        yield "other-coefficient", "this is Pearson's coefficient", float(np.corrcoef(a, b)[0, 1])
        next_ones = np.sign(np.diff(a)) * np.sign(np.diff(b))
        yield (
            "adjacent-pairs",
            "only neighbours in the list are compared: take all pairs",
            float(next_ones.mean()),
        )


def _untied_in_both(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Pairs that are tied neither in a nor in b."""
    joint = np.unique(np.stack([a, b]), axis=1, return_counts=True)[1]
    n = len(a)
    both = float((joint * (joint - 1) / 2).sum())
    return _untied(a) + _untied(b) - (n * (n - 1) / 2 - both)


# ------------------------------------------------------------------------------------- untrained networks


class _Score(Exercise):
    """What `synflow_score` and `grad_norm_score` share: a number per network, and the network left alone.

    Each instance holds one difficulty (`concept`, with the sentence that explains it), easiest first, so that the first
    one that fails names what is missing. `_suspects` holds what usual mistakes give, in closed form.
    """

    def call(self, fn: Any, net: Any, instance: Instance) -> Any:
        """The learner's score of a network."""
        raise NotImplementedError

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The score, and what it has changed about the network."""
        net = build(instance["layers"], instance.get("dtype", "float64"))
        net.train(instance.get("training", True))
        if instance.get("gradient"):
            give_gradients(net, instance["gradient"])
        if "bad" in instance:
            return raised(lambda: self.call(fn, net, instance))
        before = snapshot(net)
        score = self.call(fn, net, instance)
        return {"score": score, "changed": changed(before, snapshot(net))}

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """The reference's score up to rounding."""
        found, right = number(answer.value["score"], self.name), number(expected.value["score"], self.name)
        tolerance = 1e-3 if instance.get("dtype") == "float32" else 1e-6
        if not abs(found - right) <= tolerance * abs(right):
            for concept, message, value in instance.get("_suspects", []):
                if abs(found - value) <= tolerance * abs(value):
                    return fail(concept, f"{message}: {show(found)}, should be {show(right)}")
            return fail(instance["concept"], f"{instance['message']}: {show(found)}, should be {show(right)}")
        touched = answer.value["changed"]
        if touched:
            return fail(
                "changes-the-network",
                f"the score changes the network, {show(str(touched[0]), quote=False)}: work on a copy",
                0.5,
            )
        return RIGHT

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """Errors on an instance that holds one difficulty are about that difficulty."""
        if instance.get("raises") and answer.error_type in ("TypeError", "AttributeError", "RuntimeError"):
            return fail(instance["concept"], f"{instance['message']}: your code raised {answer.error}")
        return error_verdict(instance, answer)


def _portable(instance: Instance) -> Instance:
    """The instance with nine digits of each suspect: processors round the sixteenth differently."""
    if "_suspects" not in instance:
        return instance
    suspects = [
        [concept, message, float(f"{value:.9g}")] for concept, message, value in instance["_suspects"]
    ]
    return instance | {"_suspects": suspects}


class SynflowScore(_Score):
    """`synflow_score(net, input_shape)`."""

    name, lesson = "synflow_score", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """Positive weights, signs, biases, batch norms, dead ends, a deep network, one with gradients; bad ones."""
        rng = default_rng(seed)
        n, h, k = (int(one) for one in rng.integers(3, 7, size=3))
        first, last = (
            linear(rng, n, h, bias=False, positive=True),
            linear(rng, h, k, bias=False, positive=True),
        )
        flow = float((last["weight"] @ first["weight"]).sum())
        gradients = [
            last["weight"].sum(axis=0)[:, None] * np.ones((h, n)),
            np.ones((k, 1)) * first["weight"].sum(axis=1),
        ]
        products = [first["weight"] * gradients[0], last["weight"] * gradients[1]]
        size = sum(one.size for one in products)
        images = [
            conv(rng, 2, 3),
            norm(rng, 3),
            {"kind": "relu"},
            conv(rng, 3, 2),
            norm(rng, 2),
            {"kind": "flatten"},
        ]
        deep = [linear(rng, 4, 4, bias=False) for _ in range(8)]
        for layer in deep:
            layer["weight"] *= 1e6
        mlp = [linear(rng, n, h), {"kind": "relu"}, linear(rng, h, h), {"kind": "relu"}, linear(rng, h, k)]
        frozen = [linear(rng, n, h), {"kind": "dropout"}, linear(rng, h, k)]
        nan = [linear(rng, n, h), linear(rng, h, k)]
        nan[1]["weight"] = nan[1]["weight"].copy()
        nan[1]["weight"][0, 0] = math.nan
        side = int(rng.integers(4, 7))

        def case(layers: list[Any], shape: list[int], concept: str, message: str, **more: Any) -> Instance:
            return _portable(
                {"layers": layers, "shape": shape, "concept": concept, "message": message, **more}
            )

        return [
            case(
                [first, last],
                [n],
                "wrong-score",
                "two layers of positive weights have another sum of θ · ∂R/∂θ for one input of ones",
                _suspects=[
                    [
                        "flow-only",
                        "this is R, the sum of the outputs: sum θ · ∂R/∂θ over the parameters",
                        flow,
                    ],
                    [
                        "gradient-only",
                        "the gradients are summed without θ",
                        float(sum(one.sum() for one in gradients)),
                    ],
                    [
                        "squared",
                        "θ · ∂R/∂θ is summed, not its square",
                        float(sum((one**2).sum() for one in products)),
                    ],
                    [
                        "norms",
                        "θ · ∂R/∂θ is summed, no norm taken",
                        float(sum(np.linalg.norm(one) for one in products)),
                    ],
                    [
                        "logarithm",
                        "the logarithm keeps the order, but the score is the sum itself",
                        math.log(2 * flow),
                    ],
                    [
                        "logarithm",
                        "the logarithm keeps the order, but the score is the sum itself",
                        math.log1p(2 * flow),
                    ],
                    ["mean", "sum over all parameters, not their mean", 2 * flow / size],
                    [
                        "mean",
                        "sum over all parameters, no mean per tensor",
                        float(sum(one.mean() for one in products)),
                    ],
                    ["mean-output", "R is the sum of the outputs, not their mean", 2 * flow / k],
                    [
                        "weights-only",
                        "the weights are summed: each counts as often as paths lead through it",
                        float(first["weight"].sum() + last["weight"].sum()),
                    ],
                ],
            ),
            case(
                [linear(rng, n, k, positive=True) | {"bias": rng.uniform(0.5, 2, size=k)}],
                [n],
                "biases",
                "positive weights and biases: biases are parameters and count too",
            ),
            case(
                mlp[2:],
                [h],
                "signs",
                "weights and biases of both signs: take absolute values before the forward pass",
            ),
            case(
                mlp,
                [n],
                "signs",
                "weights and biases of both signs: take absolute values before the forward pass",
                dtype="float32",
                about="a float32 network",
            ),
            case(
                images,
                [2, side, side],
                "batch-norm",
                "batch norm in evaluation mode, its own parameters included",
            ),
            case(frozen, [n], "dropout", "evaluation mode, in which dropout does nothing"),
            case(
                [*mlp, linear(rng, 3, 3) | {"kind": "dead"}],
                [n],
                "dead-parameters",
                "parameters that the output does not depend on have no gradient and add nothing",
                raises=True,
            ),
            case(deep, [4], "float32", "eight layers of large weights: compute in float64", dtype="float32"),
            case(
                mlp,
                [n],
                "old-gradients",
                "the network carries gradients of an earlier backward pass, which are no part of the score",
                gradient=float(rng.uniform(2, 9)),
                training=False,
            ),
            case([{"kind": "relu"}], [n], "", "", bad="a network without parameters"),
            case(nan, [n], "", "", bad="a network with NaN among its weights"),
        ]

    def call(self, fn: Any, net: Any, instance: Instance) -> Any:
        """With the shape as a tuple."""
        return fn(net, tuple(instance["shape"]))


class GradNormScore(_Score):
    """`grad_norm_score(net, x, y)`."""

    name, lesson = "grad_norm_score", LESSON

    def instances(self, seed: int) -> list[Instance]:
        """One layer in closed form, several, batch norms in both modes, dead ends, one with gradients; bad ones."""
        rng = default_rng(seed)
        batch, n, h, k = (int(one) for one in rng.integers(4, 8, size=4))
        layer = linear(rng, n, k)
        x, y = rng.normal(size=(batch, n)), rng.integers(k, size=batch)
        logits = x @ layer["weight"].T + layer["bias"]
        chances = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        error = (chances - np.eye(k)[y]) / batch
        gradients = [error.T @ x, error.sum(axis=0)]
        norms = [float(np.linalg.norm(one)) for one in gradients]
        saliency = [layer["weight"] * gradients[0], layer["bias"] * gradients[1]]
        mlp = [linear(rng, n, h), {"kind": "relu"}, linear(rng, h, k)]
        channels, side = 3, int(rng.integers(4, 6))
        images = [conv(rng, 1, channels), norm(rng, channels), {"kind": "relu"}, {"kind": "flatten"}]
        images.append(linear(rng, channels * side * side, k))
        pictures = rng.normal(size=(batch, 1, side, side))

        def case(
            layers: list[Any], concept: str, message: str, x: Any = x, y: Any = y, **more: Any
        ) -> Instance:
            return _portable(
                {"layers": layers, "x": x, "y": y, "concept": concept, "message": message, **more}
            )

        with_nan = x.copy()
        with_nan[0, 0] = math.nan
        return [
            case(
                [layer],
                "wrong-score",
                "one linear layer has another sum of gradient norms",
                _suspects=[
                    [
                        "one-norm",
                        "this is the norm of all gradients together: take it per tensor, then sum",
                        math.hypot(*norms),
                    ],
                    ["squared", "the norms are squared", sum(one**2 for one in norms)],
                    [
                        "l1-norm",
                        "these are absolute values: take the L2 norm of each tensor",
                        float(sum(np.abs(one).sum() for one in gradients)),
                    ],
                    ["mean", "sum over the tensors, not their mean", sum(norms) / 2],
                    ["weights-only", "the biases are parameters too", norms[0]],
                    [
                        "summed-loss",
                        "the cross-entropy is the mean over the batch, not its sum",
                        batch * sum(norms),
                    ],
                    [
                        "saliency",
                        "the gradient is multiplied by the parameters: that is another score",
                        float(sum(np.abs(one).sum() for one in saliency)),
                    ],
                    [
                        "saliency",
                        "the gradient is multiplied by the parameters: that is another score",
                        float(sum(np.linalg.norm(one) for one in saliency)),
                    ],
                    [
                        "parameters-not-gradients",
                        "these are the norms of the parameters, not of their gradients",
                        float(np.linalg.norm(layer["weight"]) + np.linalg.norm(layer["bias"])),
                    ],
                ],
            ),
            case(mlp, "all-tensors", "the gradients of all layers count"),
            case(
                mlp,
                "all-tensors",
                "the gradients of all layers count",
                dtype="float32",
                about="a float32 network",
            ),
            case(images, "mode", "batch norms in training mode, as the network was passed in", x=pictures),
            case(
                images,
                "mode",
                "batch norms in evaluation mode, as the network was passed in",
                x=pictures,
                training=False,
            ),
            case(
                [*mlp, linear(rng, 3, 3) | {"kind": "dead"}],
                "dead-parameters",
                "parameters that the logits do not depend on have no gradient and add nothing",
                raises=True,
            ),
            case(
                mlp,
                "old-gradients",
                "the network carries gradients of an earlier backward pass, which are no part of the score",
                gradient=float(rng.uniform(2, 9)),
            ),
            case(mlp, "", "", x=with_nan, bad="NaN in x"),
            case(mlp, "", "", x=x[:0], y=y[:0], bad="an empty batch"),
        ]

    def call(self, fn: Any, net: Any, instance: Instance) -> Any:
        """With the batch as tensors."""
        import torch

        dtype = getattr(torch, instance.get("dtype", "float64"))
        return fn(
            net, torch.tensor(instance["x"], dtype=dtype), torch.tensor(instance["y"], dtype=torch.int64)
        )


register(
    HillClimb(),
    RegularizedEvolution(),
    SuccessiveHalving(),
    Spearman(),
    KendallTau(),
    SynflowScore(),
    GradNormScore(),
    *(ConceptQuestion(f"concept_02_{place}", LESSON) for place in (1, 2, 3, 4)),
)
