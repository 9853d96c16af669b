"""Reads the log of an evolution: which parents each child can have, how good they were, and how all began."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from nas_lib.checks.evolution_and_early_stopping.shared import LESSON
from nas_lib.checks.exercise import Instance, Verdict, fail, show
from nas_lib.checks.histories import space_of
from nas_lib.judges.evolution_and_early_stopping.counts import ALPHA, count_verdict, differences
from nas_lib.judges.searches import Run, SearchJudge
from nas_lib.judges.statistics import count_range


class RegularizedEvolutionJudge(SearchJudge):
    """`regularized_evolution(...)`: each child must have a parent among the last `population`, and parents must win
    tournaments."""

    exercise, lesson = "regularized_evolution", LESSON
    false_fail = 58 * ALPHA + 1e-10

    def judge_run(self, instance: Instance, run: Run) -> Verdict | None:
        """Every child's parent, then how good the parents were among those alive."""
        population = instance["population"]
        parents = {at: _parents(run, at, range(at - population, at)) for at in range(population, len(run))}
        orphans = [at for at, found in parents.items() if not found]
        if orphans:
            return _orphan(run, orphans, population)
        if len(parents) < 100:
            return _repeats(instance, run, parents)
        return (
            _tournaments(instance, run, parents)
            or _ages(instance, run, parents)
            or _mutations(instance, run, parents)
        )

    def judge_runs(self, instance: Instance, runs: Sequence[Run]) -> Verdict | None:
        """The first members: uniform, and independent of each other."""
        choices, population = instance["choices"], instance["population"]
        first = [arch for run in runs for arch, _ in run[:population]]
        for place, options in enumerate(choices):
            for option in options:
                verdict = count_verdict(
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
        close = sum(differences(run[0][0], run[1][0]) == 1 for run in runs)
        double = sum(len({arch for arch, _ in run[:population]}) < population for run in runs)
        chance = 1 - math.prod(1 - one / size for one in range(population))
        return count_verdict(
            close, len(runs), near, "first-population", "the second member is a neighbour of the first"
        ) or count_verdict(
            double, len(runs), chance, "first-population", "an architecture is twice among the first members"
        )


Parents = dict[int, list[int]]
"""For each child, by its position in the run, those of its possible parents."""


def _parents(run: Run, at: int, among: Sequence[int]) -> list[int]:
    """Which of the earlier evaluations `among` can be the parent of evaluation `at`."""
    return [one for one in among if differences(run[one][0], run[at][0]) == 1]


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
    if _from_the_best(run, population):
        return fail(
            "best-of-all",
            "each child descends from the best of all evaluations so far: the parent is the best of `sample` members "
            "that are drawn from those alive",
        )
    for concept, who, deaths in _WRONG_DEATHS:
        if _fits(run, population, deaths):
            return fail(concept, f"{who} here: it is the oldest member that leaves, however good it is")
    with_dead = [one for one in orphans if _parents(run, one, range(one - population))]
    if 2 * len(with_dead) > len(orphans):
        parent = _parents(run, with_dead[0], range(with_dead[0] - population))[-1]
        return fail(
            "dead-parent",
            f"evaluation {with_dead[0] + 1} descends from evaluation {parent + 1}, which should have left: the oldest "
            f"dies, so the last {population} evaluations are alive",
        )
    if min(differences(run[one][0], child) for one in range(at)) == 2:
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
    (
        "kills-the-worst",
        "old members stay if they are good, and bad ones leave",
        lambda alive, at, run: _worst_first([*alive, at], run)[1:],
    ),
    (
        "kills-the-worst",
        "old members stay if they are good, and bad ones leave",
        lambda alive, at, run: [*_worst_first(alive, run)[1:], at],
    ),
    ("kills-the-youngest", "the youngest member dies", lambda alive, at, run: alive),
    ("kills-the-youngest", "the youngest member dies", lambda alive, at, run: [*alive[:-1], at]),
)


def _fits(run: Run, population: int, deaths: Deaths) -> bool:
    """Does every child have a parent in a population that loses members this way?"""
    alive = list(range(population))
    for at in range(population, len(run)):
        if not _parents(run, at, alive):
            return False
        alive = deaths(alive, at, run)
    return True


def _from_the_best(run: Run, population: int) -> bool:
    """Can each child's parent be the best evaluation so far?"""
    for at in range(population, len(run)):
        best = max(run[:at], key=lambda entry: entry[1])
        if differences(best[0], run[at][0]) != 1:
            return False
    return True


def _repeats(instance: Instance, run: Run, parents: Parents) -> Verdict | None:
    """Do children repeat what was evaluated, where most of a small space was?

    Whoever the parent is, at least so many of its neighbours are known: the chance of each child is not below that.
    """
    space = space_of(instance)
    if len(run) < len(space):
        return None
    chances, hits = [], 0
    for at in parents:
        seen = {arch for arch, _ in run[:at]}
        shares = []
        for arch, _ in run[at - instance["population"] : at]:
            near = space.neighbors(arch)
            shares.append(sum(one in seen for one in near) / len(near))
        chances.append(min(shares))
        hits += run[at][0] in seen
    expected = sum(chances)
    if hits >= count_range(len(chances), expected / len(chances), ALPHA)[0]:
        return None
    return fail(
        "refuses-repeats",
        f"{hits} of {len(chances)} children repeat an earlier architecture, {expected:.0f} or more expected: a child "
        "may repeat one, and is evaluated again",
    )


_AGES = {"falling": "oldest", "rising": "youngest"}  # who is best, by the order of values


def _tournaments(instance: Instance, run: Run, parents: Parents) -> Verdict | None:
    """How often the parent was among the best k of the population, against what tournaments give.

    A child may have several possible parents and members may be equal, so only a lower and an upper bound of the true
    count are known. Draws with repeats win less often than those without: the one gives the least chance, the other
    the largest. Whatever came before, the chance of each child is within these two, so the counts' bounds hold.
    """
    population, sample, about = instance["population"], instance["sample"], f" (on {instance['about']})"
    for best in sorted({1, population // 3, population // 2}):
        some = every = 0
        for at, found in parents.items():
            values = sorted((run[one][1] for one in range(at - population, at)), reverse=True)
            theirs = [run[one][1] for one in found]
            some += max(theirs) >= values[best - 1]
            every += min(theirs) > values[best]
        least = 1 - (1 - best / population) ** sample
        most = 1 - math.comb(population - best, sample) / math.comb(population, sample)
        which = "the best" if best == 1 else f"one of the best {best}"
        if some < count_range(len(parents), least, ALPHA)[0]:
            age = _AGES.get(instance.get("_order", ""))
            if best == 1 and age and some < least * len(parents) / 2:
                return fail(
                    "left-out",
                    f"the {age} of {population} members can be the parent in {some} of {len(parents)} cases, "
                    f"{len(parents) * least:.0f} or more expected: it is alive, draw the tournament among all",
                )
            return fail(
                "too-little-selection",
                f"the parent can be {which} of {population} in {some} of {len(parents)} cases, tournaments of "
                f"{sample} give about {len(parents) * least:.0f}: the best of `sample` members is the parent{about}",
            )
        if every > count_range(len(parents), most, ALPHA)[1]:
            return fail(
                "too-much-selection",
                f"the parent is {which} of {population} in {every} of {len(parents)} cases, tournaments of {sample} "
                f"give about {len(parents) * most:.0f}: the parent is the best of `sample` members, not of all{about}",
            )
    return None


def _ages(instance: Instance, run: Run, parents: Parents) -> Verdict | None:
    """Where tournaments have one member, is each age the parent equally often?"""
    population = instance["population"]
    if instance["sample"] > 1:
        return None
    low, high = count_range(len(parents), 1 / population, ALPHA)
    for age in range(1, population + 1):
        can = sum(at - age in found for at, found in parents.items())
        must = sum([at - age] == found for at, found in parents.items())
        who = {1: "the youngest", population: "the oldest"}.get(age)
        if who and 2 * can < low:
            return fail(
                "left-out",
                f"{who} of {population} members can be the parent in {can} of {len(parents)} cases, about "
                f"{len(parents) / population:.0f} expected: it is alive, draw the tournament among all",
            )
        if can < low or must > high:
            return fail(
                "draws-unevenly",
                f"member {age} of {population}, counted from the youngest, is the parent in "
                f"{must if must > high else can} of {len(parents)} cases, about {len(parents) / population:.0f} "
                "expected: each member is drawn with the same chance",
            )
    return None


def _mutations(instance: Instance, run: Run, parents: Parents) -> Verdict | None:
    """Does every decision get its mutations? Asked only where chance alone leaves none out."""
    others = [len(options) - 1 for options in space_of(instance).choices]
    rarest = min(min(others) / sum(others), 1 / len(others))  # neighbours drawn evenly, or decisions
    if len(others) * (1 - rarest) ** len(parents) > 1e-11:
        return None
    changed = {
        place
        for at, found in parents.items()
        for one in found
        for place, (a, b) in enumerate(zip(run[one][0], run[at][0]))
        if a != b
    }
    missing = set(range(len(others))) - changed
    if missing:
        return fail(
            "fixed-decision",
            f"decision {min(missing)} is never mutated in {len(parents)} children: each decision may change",
        )
    return None
