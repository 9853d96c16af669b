"""Wrong and right implementations of lesson 02's exercises."""

# Learners write no type hints, and some of these are wrong about types on purpose.
# mypy: ignore-errors

from __future__ import annotations

import copy
import itertools
import math
import types

import numpy as np
import torch
from scipy import stats
from torch.nn import functional as F

from autograder.gate.concepts import says
from autograder.gate.registry import alternative, mutant
from nas_lib.search import History
from nas_lib.searchers import HillClimbing, RegularizedEvolution, SuccessiveHalving

says(
    {
        "first-improvement": r"first better neighbour",
        "not-the-best": r"but not to the best",
        "moves-down": r"although it is worse",
        "moves-on-ties": r"only as good",
        "never-moves": r"never moves",
        "minimises": r"moves to the worst neighbour",
        "compares-with-the-record": r"best of the whole run",
        "order-not-random": r"is evaluated (first|last) in",
        "start-not-uniform": r"a run begins at",
        "restart-not-uniform": r"a restart takes",
        "evaluates-twice": r"was evaluated twice",
        "not-a-climb": r"leaves the round",
        "kills-the-worst": r"the worst member dies",
        "kills-the-youngest": r"the youngest member dies",
        "dead-parent": r"which should have left",
        "too-little-selection": r"members is the parent",
        "too-much-selection": r"members, not of all",
        "no-mutation": r"repeats a living member",
        "two-mutations": r"in two or more decisions",
        "no-parent": r"is no mutation of any",
        "fixed-decision": r"is never mutated",
        "first-population": r"a first member has|neighbour of the first in",
        "rounds-up": r"go on, rounded down",
        "drops-too-few": r"the others are dropped",
        "wrong-rungs": r"configs go on: |every rung keeps",
        "keeps-the-worst": r"lowest values go on",
        "keeps-the-first": r"first configs of the list",
        "keeps-others": r"other configs than the best",
        "wrong-epochs": r"grow by the factor|epochs are min_epochs|epochs: a whole number|where max_epochs is",
        "epochs-do-not-grow": r"eta times as long",
        "trains-the-difference": r"not those to add",
        "trains-twice": r"is trained twice",
        "beyond-max-epochs": r"trains beyond max_epochs",
        "ends-early": r"the last rung is the one at",
        "wrong-winner": r"only the last rung counts",
        "wrong-trials": r"not the calls that were made",
        "unhashable-configs": r"cannot be a key",
        "values-not-ranks": r"the correlation of the values",
        "argsort-not-ranks": r"argsort gives",
        "ties": r"equal numbers (get|share)|without ties only",
        "other-coefficient": r"this is (Kendall|Spearman|Pearson)'s",
        "squared": r"(is|are) squared|not its square",
        "no-tie-correction": r"\(tau-a\)",
        "gamma": r"tied in neither: divide",
        "share-of-concordant": r"the share of concordant",
        "ties-as-discordant": r"counts as discordant",
        "ties-as-concordant": r"count as concordant",
        "adjacent-pairs": r"only neighbours in the list",
        "ordered-pairs": r"counted twice in one part",
        "wrong-value": r"the coefficient is wrong",
        "signs": r"absolute values before the forward pass",
        "batch-norm": r"batch norm in evaluation mode",
        "biases": r"biases are parameters and count",
        "dead-parameters": r"have no gradient and add nothing",
        "float32": r"compute in float64",
        "flow-only": r"this is R",
        "gradient-only": r"summed without θ",
        "logarithm": r"the logarithm",
        "mean": r"sum over (all parameters|the tensors), n",
        "mean-output": r"sum of the outputs, not their mean",
        "norms": r"no norm taken",
        "wrong-score": r"ha(ve|s) another sum",
        "changes-the-network": r"the score changes the network",
        "old-gradients": r"earlier backward pass",
        "one-norm": r"all gradients together",
        "l1-norm": r"these are absolute values",
        "weights-only": r"the weights are summed|biases are parameters too",
        "summed-loss": r"the mean over the batch, not its sum",
        "saliency": r"multiplied by the parameters",
        "parameters-not-gradients": r"norms of the parameters, not",
        "all-tensors": r"the gradients of all layers",
        "mode": r"as the network was passed in",
    }
)


def _finite(value):
    if not math.isfinite(value):
        raise ValueError(f"objective must return a finite number, got {value!r}")
    return value


def _affordable(budget, space):
    if not 1 <= budget <= len(space):
        raise ValueError(f"budget must be from 1 to {len(space)}, got {budget!r}")


# -------------------------------------------------------------------------------------------- hill_climb


class _Spent(Exception):
    pass


def _climb(
    objective,
    space,
    budget,
    rng,
    *,
    moves=lambda around, height, record: (
        max(around, key=around.get) if around and max(around.values()) > height else None
    ),
    at_once=False,
    order=lambda unseen, rng: [unseen[i] for i in rng.permutation(len(unseen))],
    start=None,
    known_too=False,
):
    """A climb with everything that can be done otherwise as an argument; evaluations end it by an exception."""
    _affordable(budget, space)
    values = {}

    def look(arch):
        if len(values) == budget:
            raise _Spent
        values[arch] = _finite(objective(arch))
        return values[arch]

    def unseen_start():
        while (arch := space.sample(rng)) in values:
            pass
        return arch

    try:
        while len(values) < budget:
            here = unseen_start() if start is None else start(space, values, rng)
            height = look(here)
            while here is not None:
                around = {}
                near = space.neighbors(here)
                for arch in order([arch for arch in near if arch not in values], rng):
                    around[arch] = look(arch)
                    if at_once and around[arch] > height:
                        break
                if known_too:
                    around = {arch: values[arch] for arch in near if arch in values}
                here = moves(around, height, max(values.values()))
                height = values[here] if here is not None else height
    except _Spent:
        pass
    return History(list(values), np.array(list(values.values())))


@alternative("hill_climb")
def by_a_dict_and_an_exception(objective, space, budget, rng):
    return _climb(objective, space, budget, rng)


@alternative("hill_climb")
def among_all_neighbours_that_are_known(objective, space, budget, rng):
    return _climb(objective, space, budget, rng, known_too=True)


@alternative("hill_climb")
def by_recursion(objective, space, budget, rng):
    _affordable(budget, space)
    history = []

    def seen(arch):
        return any(arch == other for other, _ in history)

    def evaluate(arch):
        if len(history) < budget:
            history.append((arch, _finite(objective(list(arch)))))

    def climb(here, height):
        before = len(history)
        around = [arch for arch in space.neighbors(here) if not seen(arch)]
        rng.shuffle(around)
        for arch in around:
            evaluate(arch)
        if len(history) > before:
            best, value = max(history[before:], key=lambda pair: pair[1])
            if value > height:
                climb(best, value)

    while len(history) < budget:
        unseen = [arch for arch in space if not seen(arch)]
        evaluate(unseen[rng.integers(len(unseen))])
        climb(*history[-1])
    return types.SimpleNamespace(archs=[arch for arch, _ in history], values=[value for _, value in history])


@alternative("hill_climb")
def by_a_queue(objective, space, budget, rng):
    _affordable(budget, space)
    archs, values, queue = [], [], []
    height = best = -math.inf
    while len(archs) < budget:
        if not queue and best > height:
            height, here = best, archs[max(i for i, value in enumerate(values) if value == best)]
            queue = [arch for arch in space.neighbors(here) if arch not in archs]
            rng.shuffle(queue)
            best = height
        if not queue:
            arch = space.sample(rng)
            if arch in archs:
                continue
            queue, height, best = [arch], -math.inf, -math.inf
        archs.append(queue.pop())
        values.append(_finite(objective(archs[-1])))
        best = max(best, values[-1])
    return History(archs, np.array(values, dtype=np.float32))


@mutant("hill_climb", concept="first-improvement")
def moves_at_the_first_better(objective, space, budget, rng):
    return _climb(objective, space, budget, rng, at_once=True)


@mutant("hill_climb", concept="not-the-best")
def moves_to_any_better(objective, space, budget, rng):
    def moves(around, height, record):
        better = [arch for arch, value in around.items() if value > height]
        return better[rng.integers(len(better))] if better else None

    return _climb(objective, space, budget, rng, moves=moves)


@mutant("hill_climb", concept="moves-down")
def never_starts_again_while_there_are_neighbours(objective, space, budget, rng):
    return _climb(
        objective,
        space,
        budget,
        rng,
        moves=lambda around, *_: max(around, key=around.get) if around else None,
    )


@mutant("hill_climb", concept="moves-on-ties")
def moves_to_equals(objective, space, budget, rng):
    return _climb(
        objective,
        space,
        budget,
        rng,
        moves=lambda around, height, _: (
            max(around, key=around.get) if around and max(around.values()) >= height else None
        ),
    )


@mutant("hill_climb", concept="never-moves")
def starts_again_after_each_round(objective, space, budget, rng):
    return _climb(objective, space, budget, rng, moves=lambda *_: None)


@mutant("hill_climb", concept="minimises")
def climbs_down(objective, space, budget, rng):
    return _climb(
        objective,
        space,
        budget,
        rng,
        moves=lambda around, height, _: (
            min(around, key=around.get) if around and min(around.values()) < height else None
        ),
    )


@mutant("hill_climb", concept="compares-with-the-record")
def compares_with_the_best_of_the_run(objective, space, budget, rng):
    _affordable(budget, space)
    archs, values, record = [], [], -math.inf
    while len(archs) < budget:
        here = space.sample(rng)
        if here in archs:
            continue
        archs.append(here)
        values.append(_finite(objective(here)))
        record = max(record, values[-1])
        while here is not None:
            around = [arch for arch in space.neighbors(here) if arch not in archs]
            rng.shuffle(around)
            around = around[: budget - len(archs)]
            found = [_finite(objective(arch)) for arch in around]
            archs += around
            values += found
            here = around[found.index(max(found))] if found and max(found) > record else None
            record = max(values)
    return History(archs, np.array(values))


@mutant("hill_climb", concept="order-not-random")
def neighbours_in_their_order(objective, space, budget, rng):
    return _climb(objective, space, budget, rng, order=lambda unseen, rng: unseen)


@mutant("hill_climb", concept="order-not-random")
def neighbours_from_a_random_place_on(objective, space, budget, rng):
    def order(unseen, rng):
        return unseen[1:] + unseen[:1] if rng.random() < 0.5 else unseen

    return _climb(objective, space, budget, rng, order=order)


@mutant("hill_climb", concept="start-not-uniform")
def begins_at_the_first(objective, space, budget, rng):
    def start(space, values, rng):
        if not values:
            return space.from_index(0)
        while (arch := space.sample(rng)) in values:
            pass
        return arch

    return _climb(objective, space, budget, rng, start=start)


@mutant("hill_climb", concept="restart-not-uniform")
def restarts_at_the_first_unseen(objective, space, budget, rng):
    def start(space, values, rng):
        if not values:
            return space.sample(rng)
        return next(arch for i in range(len(space)) if (arch := space.from_index(i)) not in values)

    return _climb(objective, space, budget, rng, start=start)


@mutant("hill_climb", concept="restart-not-uniform")
def restarts_near_the_last(objective, space, budget, rng):
    def start(space, values, rng):
        near = [arch for arch in space.neighbors(list(values)[-1]) if arch not in values] if values else []
        while not near:
            near = [arch for arch in [space.sample(rng)] if arch not in values]
        return near[rng.integers(len(near))]

    return _climb(objective, space, budget, rng, start=start)


@mutant("hill_climb", concept="evaluates-twice")
def forgets_what_it_has_seen(objective, space, budget, rng):
    _affordable(budget, space)
    archs, values = [], []

    def look(arch):
        archs.append(arch)
        values.append(_finite(objective(arch)))
        return values[-1]

    while len(archs) < budget:
        here = space.sample(rng)
        height = look(here)
        while len(archs) < budget:
            around = space.neighbors(here)
            rng.shuffle(around)
            found = [look(arch) for arch in around[: budget - len(archs)]]
            if max(found) <= height:
                break
            height, here = max(found), around[found.index(max(found))]
    return History(archs, np.array(values))


@mutant("hill_climb", concept="over-budget")
def ends_with_the_round(objective, space, budget, rng):
    _affordable(budget, space)
    archs, values = [], []

    def look(arch):
        archs.append(arch)
        values.append(_finite(objective(arch)))
        return values[-1]

    while len(archs) < budget:
        here = space.sample(rng)
        if here in archs:
            continue
        height = look(here)
        while around := [arch for arch in space.neighbors(here) if arch not in archs]:
            rng.shuffle(around)
            found = [look(arch) for arch in around]
            if max(found) <= height or len(archs) >= budget:
                break
            height, here = max(found), around[found.index(max(found))]
    return History(archs[:budget], np.array(values[:budget]))


@mutant("hill_climb", concept="wrong-length")
def stops_at_the_first_optimum(objective, space, budget, rng):
    def start(space, values, rng):
        if values:
            raise _Spent
        return space.sample(rng)

    return _climb(objective, space, budget, rng, start=start)


@mutant("hill_climb", concept="not-a-climb")
def random_search(objective, space, budget, rng):
    _affordable(budget, space)
    archs = [space.from_index(int(i)) for i in rng.permutation(len(space))[:budget]]
    return History(archs, np.array([_finite(objective(arch)) for arch in archs]))


@mutant("hill_climb", concept="fixed-seed")
def its_own_generator(objective, space, budget, rng):
    return _climb(objective, space, budget, np.random.default_rng(0))


@mutant("hill_climb", concept="ignores-rng")
def a_fresh_generator(objective, space, budget, rng):
    return _climb(objective, space, budget, np.random.default_rng())


@mutant("hill_climb", concept="incumbents-not-values")
def keeps_the_best_so_far(objective, space, budget, rng):
    history = _climb(objective, space, budget, rng)
    return History(history.archs, np.maximum.accumulate(history.values))


@mutant("hill_climb", concept="accepts-bad-input")
def spends_what_there_is(objective, space, budget, rng):
    return _climb(objective, space, min(budget, len(space)), rng)


@mutant("hill_climb", concept="accepts-bad-input")
def nan_is_never_better(objective, space, budget, rng):
    return _climb(lambda arch: np.nan_to_num(objective(arch)), space, budget, rng)


@mutant("hill_climb", concept="uses-the-library")
def asks_the_library(objective, space, budget, rng):
    _affordable(budget, space)
    searcher, archs, values = HillClimbing(space, rng), [], []
    for _ in range(budget):
        archs.append(searcher.ask())
        values.append(_finite(objective(archs[-1])))
        searcher.tell(archs[-1], values[-1])
    return History(archs, np.array(values))


# --------------------------------------------------------------------------------- regularized_evolution


def _evolve(
    objective,
    space,
    budget,
    population,
    sample,
    rng,
    *,
    tournament=lambda members, sample, rng: max(
        (members[i] for i in rng.integers(len(members), size=sample)), key=lambda member: member[1]
    ),
    mutate=lambda space, arch, rng: space.mutate(arch, rng),
    bury=lambda members, parent: members.pop(0),
    first=lambda space, rng, archs: space.sample(rng),
):
    """Evolution with everything that can be done otherwise as an argument."""
    if population < 2 or not 1 <= sample <= population or budget < population:
        raise ValueError(f"population, sample and budget do not fit: {population}, {sample}, {budget}")
    history, members = [], []
    for _ in range(budget):
        parent = None
        if len(history) < population:
            arch = first(space, rng, [arch for arch, _ in history])
        else:
            parent = tournament(members, sample, rng)
            arch = mutate(space, parent[0], rng)
        history.append((arch, _finite(objective(arch))))
        members.append(history[-1])
        if parent is not None:
            bury(members, parent)
    return History([arch for arch, _ in history], np.array([value for _, value in history]))


@alternative("regularized_evolution")
def with_repeats_in_the_tournament(objective, space, budget, population, sample, rng):
    return _evolve(objective, space, budget, population, sample, rng)


def _without_repeats(members, sample, rng):
    drawn = rng.choice(len(members), size=sample, replace=False)
    return members[min(drawn, key=lambda i: -members[i][1])]


@alternative("regularized_evolution")
def without_repeats_in_the_tournament(objective, space, budget, population, sample, rng):
    return _evolve(objective, space, budget, population, sample, rng, tournament=_without_repeats)


@alternative("regularized_evolution")
def by_slices_of_the_history(objective, space, budget, population, sample, rng):
    if population < 2 or sample < 1 or sample > population or budget < population:
        raise ValueError(f"population, sample and budget do not fit: {population}, {sample}, {budget}")
    archs, values = [], np.empty(budget)
    for at in range(budget):
        if at < population:
            arch = space.sample(rng)
        else:
            places = at - population + rng.integers(population, size=sample)
            arch = space.mutate(archs[places[values[places].argmax()]], rng)
        archs.append(arch)
        values[at] = _finite(objective(arch))
    return types.SimpleNamespace(archs=archs, values=values)


def _own_mutation(space, arch, rng):
    place = rng.integers(len(arch))
    others = [option for option in space.choices[place] if option != arch[place]]
    return (*arch[:place], others[rng.integers(len(others))], *arch[place + 1 :])


@alternative("regularized_evolution")
def with_a_mutation_of_its_own(objective, space, budget, population, sample, rng):
    return _evolve(objective, space, budget, population, sample, rng, mutate=_own_mutation)


def _bury_the_worst(members, parent):
    members.remove(min(members, key=lambda member: member[1]))


@mutant("regularized_evolution", concept="kills-the-worst")
def the_worst_dies(objective, space, budget, population, sample, rng):
    return _evolve(objective, space, budget, population, sample, rng, bury=_bury_the_worst)


@mutant("regularized_evolution", concept="kills-the-worst")
def the_worst_dies_before_the_child_joins(objective, space, budget, population, sample, rng):
    def bury(members, parent):
        child = members.pop()
        _bury_the_worst(members, parent)
        members.append(child)

    return _evolve(objective, space, budget, population, sample, rng, bury=bury)


@mutant("regularized_evolution", concept="kills-the-youngest")
def the_youngest_dies(objective, space, budget, population, sample, rng):
    return _evolve(objective, space, budget, population, sample, rng, bury=lambda members, _: members.pop(-2))


@mutant("regularized_evolution", concept="dead-parent")
def nobody_dies(objective, space, budget, population, sample, rng):
    return _evolve(objective, space, budget, population, sample, rng, bury=lambda members, _: None)


@mutant("regularized_evolution", concept="dead-parent")
def the_parent_dies(objective, space, budget, population, sample, rng):
    return _evolve(
        objective, space, budget, population, sample, rng, bury=lambda members, parent: members.remove(parent)
    )


@mutant("regularized_evolution", concept="dead-parent")
def a_random_member_dies(objective, space, budget, population, sample, rng):
    return _evolve(
        objective,
        space,
        budget,
        population,
        sample,
        rng,
        bury=lambda members, _: members.pop(rng.integers(len(members))),
    )


@mutant("regularized_evolution", concept="dead-parent")
def one_too_many_alive(objective, space, budget, population, sample, rng):
    return _evolve(
        objective,
        space,
        budget,
        population,
        sample,
        rng,
        bury=lambda members, _: members.pop(0) if len(members) > population + 1 else None,
    )


@mutant("regularized_evolution", concept="too-little-selection")
def random_parents(objective, space, budget, population, sample, rng):
    return _evolve(
        objective,
        space,
        budget,
        population,
        sample,
        rng,
        tournament=lambda members, sample, rng: members[rng.integers(len(members))],
    )


@mutant("regularized_evolution", concept="too-little-selection")
def the_worst_wins(objective, space, budget, population, sample, rng):
    return _evolve(
        objective,
        space,
        budget,
        population,
        sample,
        rng,
        tournament=lambda members, sample, rng: min(
            (members[i] for i in rng.integers(len(members), size=sample)), key=lambda member: member[1]
        ),
    )


@mutant("regularized_evolution", concept="too-much-selection")
def the_best_of_all_wins(objective, space, budget, population, sample, rng):
    return _evolve(
        objective,
        space,
        budget,
        population,
        sample,
        rng,
        tournament=lambda members, sample, rng: max(members, key=lambda member: member[1]),
    )


@mutant("regularized_evolution", concept="too-little-selection")
def tournaments_of_two(objective, space, budget, population, sample, rng):
    return _evolve(objective, space, budget, population, min(2, sample), rng)


@mutant("regularized_evolution", concept="too-little-selection")
def sample_and_population_confused(objective, space, budget, population, sample, rng):
    if population < 2 or not 1 <= sample <= population or budget < population:
        raise ValueError("population, sample and budget do not fit")
    archs, values = [], []
    for _ in range(budget):
        if len(archs) < population:
            archs.append(space.sample(rng))
        else:
            recent = range(len(archs) - sample, len(archs))
            archs.append(space.mutate(archs[recent[rng.integers(sample)]], rng))
        values.append(_finite(objective(archs[-1])))
    return History(archs, np.array(values))


@mutant("regularized_evolution", concept="no-mutation")
def may_leave_the_parent_as_it_is(objective, space, budget, population, sample, rng):
    def mutate(space, arch, rng):
        place = rng.integers(len(arch))
        return (
            *arch[:place],
            space.choices[place][rng.integers(len(space.choices[place]))],
            *arch[place + 1 :],
        )

    return _evolve(objective, space, budget, population, sample, rng, mutate=mutate)


@mutant("regularized_evolution", concept="two-mutations")
def mutates_twice(objective, space, budget, population, sample, rng):
    return _evolve(
        objective,
        space,
        budget,
        population,
        sample,
        rng,
        mutate=lambda space, arch, rng: space.mutate(space.mutate(arch, rng), rng),
    )


@mutant("regularized_evolution", concept="no-parent")
def children_out_of_nothing(objective, space, budget, population, sample, rng):
    return _evolve(
        objective, space, budget, population, sample, rng, mutate=lambda space, arch, rng: space.sample(rng)
    )


@mutant("regularized_evolution", concept="fixed-decision")
def mutates_all_but_the_last_decision(objective, space, budget, population, sample, rng):
    def mutate(space, arch, rng):
        while (child := space.mutate(arch, rng))[-1] != arch[-1]:
            pass
        return child

    return _evolve(objective, space, budget, population, sample, rng, mutate=mutate)


@mutant("regularized_evolution", concept="first-population")
def begins_in_index_order(objective, space, budget, population, sample, rng):
    return _evolve(
        objective,
        space,
        budget,
        population,
        sample,
        rng,
        first=lambda space, rng, archs: space.from_index(len(archs)),
    )


@mutant("regularized_evolution", concept="first-population")
def begins_with_a_family(objective, space, budget, population, sample, rng):
    return _evolve(
        objective,
        space,
        budget,
        population,
        sample,
        rng,
        first=lambda space, rng, archs: space.mutate(archs[-1], rng) if archs else space.sample(rng),
    )


@mutant("regularized_evolution", concept="over-budget")
def the_first_population_is_free(objective, space, budget, population, sample, rng):
    history = _evolve(objective, space, budget + population, population, sample, rng)
    return History(history.archs[population:], history.values[population:])


@mutant("regularized_evolution", concept="wrong-length")
def returns_the_living(objective, space, budget, population, sample, rng):
    history = _evolve(objective, space, budget, population, sample, rng)
    return History(history.archs[-population:], history.values[-population:])


@mutant("regularized_evolution", concept="fixed-seed")
def evolution_with_its_own_generator(objective, space, budget, population, sample, rng):
    return _evolve(objective, space, budget, population, sample, np.random.default_rng(1))


@mutant("regularized_evolution", concept="accepts-bad-input")
def a_population_as_large_as_the_budget_allows(objective, space, budget, population, sample, rng):
    if population < 2 or sample < 1 or sample > population:
        raise ValueError("population and sample do not fit")
    return _evolve(objective, space, budget, min(population, budget), min(sample, budget), rng)


@mutant("regularized_evolution", concept="accepts-bad-input")
def cuts_the_tournament(objective, space, budget, population, sample, rng):
    return _evolve(objective, space, budget, population, min(sample, population), rng)


@mutant("regularized_evolution", concept="uses-the-library")
def asks_the_library_s_evolution(objective, space, budget, population, sample, rng):
    if population < 2 or not 1 <= sample <= population or budget < population:
        raise ValueError("population, sample and budget do not fit")
    searcher, archs, values = RegularizedEvolution(space, rng, population, sample), [], []
    for _ in range(budget):
        archs.append(searcher.ask())
        values.append(_finite(objective(archs[-1])))
        searcher.tell(archs[-1], values[-1])
    return History(archs, np.array(values))


# ------------------------------------------------------------------------------------ successive_halving


def _race_input(configs, eta, min_epochs, max_epochs):
    if len(configs) == 0 or eta < 2 or not 1 <= min_epochs <= max_epochs:
        raise ValueError(
            f"configs, eta and epochs do not fit: {len(configs)}, {eta}, {min_epochs}, {max_epochs}"
        )


def _race(
    train_to,
    configs,
    eta,
    min_epochs,
    max_epochs,
    *,
    keep=lambda n, eta: max(1, n // eta),
    key=lambda value: -value,
    grow=lambda epochs, eta: epochs * eta,
    cut=min,
    cost=lambda epochs, before: epochs,
    over=lambda racing, epochs, longest: epochs >= longest,
):
    """Successive halving with everything that can be done otherwise as an argument."""
    _race_input(configs, eta, min_epochs, max_epochs)
    racing, epochs, before, trials = list(configs), min_epochs, 0, []
    while True:
        rung = []
        for config in racing:
            length = cost(epochs, before)
            rung.append((config, length, _finite(train_to(config, length))))
        trials += rung
        rung.sort(key=lambda trial: key(trial[2]))
        if over(racing, epochs, max_epochs):
            return rung[0][0], trials
        racing = [config for config, _, _ in rung[: keep(len(rung), eta)]]
        before, epochs = epochs, cut(grow(epochs, eta), max_epochs)


@alternative("successive_halving")
def by_sorting_each_rung(train_to, configs, eta, min_epochs, max_epochs):
    return _race(train_to, configs, eta, min_epochs, max_epochs)


@alternative("successive_halving")
def rung_by_rung_by_recursion(train_to, configs, eta, min_epochs, max_epochs):
    _race_input(configs, eta, min_epochs, max_epochs)
    trials = [(config, min_epochs, _finite(train_to(config, min_epochs))) for config in configs]
    order = sorted(range(len(configs)), key=lambda i: trials[i][2], reverse=True)
    if min_epochs == max_epochs:
        return configs[order[0]], trials
    best = [configs[i] for i in order[: len(configs) // eta or 1]]
    winner, more = rung_by_rung_by_recursion(
        train_to, best, eta, min(max_epochs, min_epochs * eta), max_epochs
    )
    return winner, trials + more


@alternative("successive_halving")
def with_the_lengths_listed_first(train_to, configs, eta, min_epochs, max_epochs):
    _race_input(configs, eta, min_epochs, max_epochs)
    lengths = [
        *itertools.takewhile(lambda e: e < max_epochs, (min_epochs * eta**k for k in itertools.count())),
        max_epochs,
    ]
    racing, trials = np.arange(len(configs)), []
    for length in lengths:
        values = np.array([_finite(train_to(configs[i], length)) for i in racing])
        trials += [[configs[i], length, value] for i, value in zip(racing, values)]
        winner = configs[racing[values.argmax()]]
        racing = racing[np.argsort(values)[::-1][: max(1, math.floor(len(racing) / eta))]]
    return winner, trials


@mutant("successive_halving", concept="rounds-up")
def keeps_one_more(train_to, configs, eta, min_epochs, max_epochs):
    return _race(train_to, configs, eta, min_epochs, max_epochs, keep=lambda n, eta: math.ceil(n / eta))


@mutant("successive_halving", concept="drops-too-few")
def drops_what_should_stay(train_to, configs, eta, min_epochs, max_epochs):
    return _race(train_to, configs, eta, min_epochs, max_epochs, keep=lambda n, eta: max(1, n - n // eta))


@mutant("successive_halving", concept="wrong-rungs")
def always_halves(train_to, configs, eta, min_epochs, max_epochs):
    return _race(train_to, configs, eta, min_epochs, max_epochs, keep=lambda n, eta: max(1, n // 2))


@mutant("successive_halving", concept="wrong-rungs")
def keeps_them_all(train_to, configs, eta, min_epochs, max_epochs):
    return _race(train_to, configs, eta, min_epochs, max_epochs, keep=lambda n, eta: n)


@mutant("successive_halving", concept="keeps-the-worst")
def keeps_the_lowest(train_to, configs, eta, min_epochs, max_epochs):
    return _race(train_to, configs, eta, min_epochs, max_epochs, key=lambda value: value)


@mutant("successive_halving", concept="keeps-the-first")
def keeps_the_first(train_to, configs, eta, min_epochs, max_epochs):
    return _race(train_to, configs, eta, min_epochs, max_epochs, key=lambda value: 0)


@mutant("successive_halving", concept="wrong-epochs")
def doubles_the_epochs(train_to, configs, eta, min_epochs, max_epochs):
    return _race(train_to, configs, eta, min_epochs, max_epochs, grow=lambda epochs, eta: 2 * epochs)


@mutant("successive_halving", concept="wrong-epochs")
def adds_epochs(train_to, configs, eta, min_epochs, max_epochs):
    return _race(train_to, configs, eta, min_epochs, max_epochs, grow=lambda epochs, eta: epochs + min_epochs)


@mutant("successive_halving", concept="epochs-do-not-grow")
def every_rung_alike(train_to, configs, eta, min_epochs, max_epochs):
    return _race(
        train_to,
        configs,
        eta,
        min_epochs,
        max_epochs,
        cost=lambda epochs, before: min_epochs,
    )


@mutant("successive_halving", concept="trains-the-difference")
def trains_what_is_missing(train_to, configs, eta, min_epochs, max_epochs):
    return _race(train_to, configs, eta, min_epochs, max_epochs, cost=lambda epochs, before: epochs - before)


@mutant("successive_halving", concept="beyond-max-epochs")
def trains_too_long(train_to, configs, eta, min_epochs, max_epochs):
    return _race(train_to, configs, eta, min_epochs, max_epochs, cut=lambda epochs, longest: epochs)


@mutant("successive_halving", concept="ends-early")
def ends_with_one_config(train_to, configs, eta, min_epochs, max_epochs):
    return _race(
        train_to,
        configs,
        eta,
        min_epochs,
        max_epochs,
        over=lambda racing, epochs, longest: epochs >= longest or len(racing) == 1,
    )


@mutant("successive_halving", concept="ends-early")
def leaves_a_shorter_last_rung_out(train_to, configs, eta, min_epochs, max_epochs):
    return _race(
        train_to,
        configs,
        eta,
        min_epochs,
        max_epochs,
        over=lambda racing, epochs, longest: epochs * eta > longest,
    )


@mutant("successive_halving", concept="wrong-winner")
def best_of_all_rungs(train_to, configs, eta, min_epochs, max_epochs):
    _, trials = _race(train_to, configs, eta, min_epochs, max_epochs)
    return max(trials, key=lambda trial: trial[2])[0], trials


@mutant("successive_halving", concept="wrong-winner")
def first_of_the_last_rung(train_to, configs, eta, min_epochs, max_epochs):
    _, trials = _race(train_to, configs, eta, min_epochs, max_epochs)
    return next(config for config, epochs, _ in trials if epochs == max_epochs), trials


@mutant("successive_halving", concept="keeps-others")
def ranks_by_the_sum_of_all_values(train_to, configs, eta, min_epochs, max_epochs):
    _race_input(configs, eta, min_epochs, max_epochs)
    racing, epochs, trials, total = list(configs), min_epochs, [], {}
    while True:
        for config in racing:
            trials.append((config, epochs, _finite(train_to(config, epochs))))
            total[repr(config)] = total.get(repr(config), 0) + trials[-1][2]
        racing.sort(key=lambda config: -total[repr(config)])
        if epochs == max_epochs:
            return racing[0], trials
        racing, epochs = racing[: max(1, len(racing) // eta)], min(max_epochs, epochs * eta)


@mutant("successive_halving", concept="unhashable-configs")
def values_by_config(train_to, configs, eta, min_epochs, max_epochs):
    _race_input(configs, eta, min_epochs, max_epochs)
    racing, epochs, trials = list(configs), min_epochs, []
    while True:
        values = {}
        for config in racing:
            values[config] = _finite(train_to(config, epochs))
            trials.append((config, epochs, values[config]))
        racing = sorted(racing, key=values.get, reverse=True)
        if epochs == max_epochs:
            return racing[0], trials
        racing, epochs = racing[: max(1, len(racing) // eta)], min(max_epochs, epochs * eta)


@mutant("successive_halving", concept="trains-twice")
def trains_again_to_compare(train_to, configs, eta, min_epochs, max_epochs):
    return _race(lambda config, epochs: (train_to(config, epochs), train_to(config, epochs))[1],
                 configs, eta, min_epochs, max_epochs)  # fmt: skip


@mutant("successive_halving", concept="wrong-shape")
def winner_only(train_to, configs, eta, min_epochs, max_epochs):
    return _race(train_to, configs, eta, min_epochs, max_epochs)[0]


@mutant("successive_halving", concept="wrong-trials")
def trials_of_the_last_rung(train_to, configs, eta, min_epochs, max_epochs):
    winner, trials = _race(train_to, configs, eta, min_epochs, max_epochs)
    return winner, [trial for trial in trials if trial[1] == max_epochs]


@mutant("successive_halving", concept="accepts-bad-input")
def one_is_an_eta(train_to, configs, eta, min_epochs, max_epochs):
    if eta == 1:
        return by_sorting_each_rung(train_to, configs, 2, min_epochs, max_epochs)
    return by_sorting_each_rung(train_to, configs, eta, min_epochs, max_epochs)


@mutant("successive_halving", concept="accepts-bad-input")
def nan_loses(train_to, configs, eta, min_epochs, max_epochs):
    def numbers_only(config, epochs):
        value = train_to(config, epochs)
        return value if math.isfinite(value) else -1e9

    return _race(numbers_only, configs, eta, min_epochs, max_epochs)


@mutant("successive_halving", concept="uses-the-library")
def races_with_the_library(train_to, configs, eta, min_epochs, max_epochs):
    race, trials = SuccessiveHalving(configs, max_epochs, eta=eta, min_epochs=min_epochs), []
    while True:
        try:
            config, epochs = race.ask()
        except StopIteration:
            return race.winner, trials
        trials.append((config, epochs, train_to(config, epochs)))
        race.tell(*trials[-1])


# ---------------------------------------------------------------------------------------------- spearman


def _pairs(a, b):
    a, b = np.array(a, dtype=float), np.array(b, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("a and b must be pairs of finite numbers")
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        raise ValueError("a and b must not be constant")
    return a, b


def _mean_ranks(values):
    return np.array([(values < one).sum() + ((values == one).sum() + 1) / 2 for one in values])


def _correlation(x, y):
    return float(np.corrcoef(x, y)[0, 1])


@alternative("spearman")
def by_comparing_with_all(a, b):
    a, b = _pairs(a, b)
    return _correlation(_mean_ranks(a), _mean_ranks(b))


@alternative("spearman")
def by_loops_in_pure_python(a, b):
    a, b = (list(values) for values in _pairs(a, b))

    def ranks(values):
        order = sorted(range(len(values)), key=lambda i: values[i])
        rank, at = [0.0] * len(values), 0
        while at < len(order):
            end = at
            while end + 1 < len(order) and values[order[end + 1]] == values[order[at]]:
                end += 1
            for i in order[at : end + 1]:
                rank[i] = (at + end) / 2
            at = end + 1
        return rank

    x, y = ranks(a), ranks(b)
    mx, my = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((p - mx) * (q - my) for p, q in zip(x, y))
    return covariance / (sum((p - mx) ** 2 for p in x) * sum((q - my) ** 2 for q in y)) ** 0.5


@alternative("spearman")
def by_signs(a, b):
    a, b = (np.sign(values[:, None] - values).sum(axis=1) for values in _pairs(a, b))
    return np.float64(a @ b) / np.linalg.norm(a) / np.linalg.norm(b)


@mutant("spearman", concept="values-not-ranks")
def pearson(a, b):
    return _correlation(*_pairs(a, b))


@mutant("spearman", concept="ties")
def ordinal_ranks(a, b):
    return _correlation(*(np.argsort(np.argsort(v, kind="stable"), kind="stable") for v in _pairs(a, b)))


@mutant("spearman", concept="ties")
def dense_ranks(a, b):
    return _correlation(*(np.unique(v, return_inverse=True)[1] for v in _pairs(a, b)))


@mutant("spearman", concept="ties")
def lowest_ranks(a, b):
    return _correlation(*(np.searchsorted(np.sort(v), v) for v in _pairs(a, b)))


@mutant("spearman", concept="ties")
def the_formula_without_ties(a, b):
    a, b = _pairs(a, b)
    d, n = _mean_ranks(a) - _mean_ranks(b), len(a)
    return 1 - 6 * float(d @ d) / (n * (n**2 - 1))


@mutant("spearman", concept="argsort-not-ranks")
def argsort_once(a, b):
    return _correlation(*(np.argsort(v) for v in _pairs(a, b)))


@mutant("spearman", concept="sign-flipped")
def ranks_from_opposite_ends(a, b):
    a, b = _pairs(a, b)
    return _correlation(_mean_ranks(-a), _mean_ranks(b))


@mutant("spearman", concept="squared")
def coefficient_of_determination(a, b):
    return by_comparing_with_all(a, b) ** 2


@mutant("spearman", concept="other-coefficient")
def tau_instead(a, b):
    a, b = _pairs(a, b)
    signs = [np.sign(v[:, None] - v) for v in (a, b)]
    return float((signs[0] * signs[1]).sum() / np.sqrt((signs[0] ** 2).sum() * (signs[1] ** 2).sum()))


@mutant("spearman", concept="wrong-type")
def with_its_p_value(a, b):
    return by_comparing_with_all(a, b), 0.05


@mutant("spearman", concept="mutates-input")
def sorts_in_place(a, b):
    result = by_comparing_with_all(a, b)
    if isinstance(a, (list, np.ndarray)):
        a.sort()
    return result


@mutant("spearman", concept="accepts-bad-input")
def zero_for_constants(a, b):
    if len(a) == len(b) and len(a) > 1 and (np.ptp(a) == 0 or np.ptp(b) == 0):
        return 0.0
    return by_comparing_with_all(a, b)


@mutant("spearman", concept="uses-the-library")
def scipy_s_ranks(a, b):
    return _correlation(*(stats.rankdata(v) for v in _pairs(a, b)))


@mutant("spearman", concept="uses-the-library")
def scipy_s_spearman(a, b):
    return float(stats.spearmanr(*_pairs(a, b))[0])


# ------------------------------------------------------------------------------------------- kendall_tau


def _pair_signs(a, b):
    a, b = _pairs(a, b)
    upper = np.triu_indices(len(a), 1)
    return [np.sign(v[:, None] - v)[upper] for v in (a, b)]


@alternative("kendall_tau")
def by_matrices_of_signs(a, b):
    x, y = _pair_signs(a, b)
    return (x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum())


@alternative("kendall_tau")
def by_all_pairs(a, b):
    a, b = (values.tolist() for values in _pairs(a, b))
    agreement = untied_a = untied_b = 0
    for (p, q), (r, s) in itertools.combinations(zip(a, b), 2):
        agreement += ((p > r) - (p < r)) * ((q > s) - (q < s))
        untied_a += p != r
        untied_b += q != s
    return agreement / math.sqrt(untied_a * untied_b)


@alternative("kendall_tau")
def by_merge_sort(a, b):
    a, b = _pairs(a, b)
    order = np.lexsort((b, a))
    a, b = a[order], b[order]

    def swaps(values):
        if len(values) < 2:
            return 0, values
        half = len(values) // 2
        (one, left), (two, right) = swaps(values[:half]), swaps(values[half:])
        inversions = int((len(left) - np.searchsorted(left, right, side="right")).sum())
        return one + two + inversions, np.sort(np.concatenate([left, right]), kind="stable")

    def tied(*columns):
        _, counts = np.unique(np.stack(columns), axis=1, return_counts=True)
        return int((counts * (counts - 1) // 2).sum())

    pairs = len(a) * (len(a) - 1) // 2
    in_a, in_b, in_both = tied(a), tied(b), tied(a, b)
    agreement = pairs - in_a - in_b + in_both - 2 * swaps(b)[0]
    return float(agreement / math.sqrt((pairs - in_a) * (pairs - in_b)))


@mutant("kendall_tau", concept="no-tie-correction")
def tau_a(a, b):
    x, y = _pair_signs(a, b)
    return float((x * y).mean())


@mutant("kendall_tau", concept="gamma")
def goodman_and_kruskal(a, b):
    x, y = _pair_signs(a, b)
    return float((x * y).sum() / np.abs(x * y).sum())


@mutant("kendall_tau", concept="share-of-concordant")
def how_often_right(a, b):
    x, y = _pair_signs(a, b)
    return float((x * y > 0).mean())


@mutant("kendall_tau", concept="ties-as-discordant")
def what_is_not_concordant_is_discordant(a, b):
    x, y = _pair_signs(a, b)
    return float(2 * (x * y > 0).mean() - 1)


@mutant("kendall_tau", concept="ties-as-concordant")
def at_least_as_large(a, b):
    x, y = _pair_signs(a, b)
    return float(np.where(x * y >= 0, 1, -1).mean())


@mutant("kendall_tau", concept="sign-flipped")
def discordant_minus_concordant(a, b):
    return -float(by_matrices_of_signs(a, b))


@mutant("kendall_tau", concept="adjacent-pairs")
def compares_neighbours(a, b):
    a, b = _pairs(a, b)
    return float((np.sign(np.diff(a)) * np.sign(np.diff(b))).mean())


@mutant("kendall_tau", concept="ordered-pairs")
def pairs_counted_twice_below(a, b):
    return float(by_matrices_of_signs(a, b)) / 2


@mutant("kendall_tau", concept="other-coefficient")
def spearman_instead(a, b):
    return by_comparing_with_all(a, b)


@mutant("kendall_tau", concept="wrong-value")
def nearly_equal_is_equal(a, b):
    a, b = _pairs(a, b)
    upper = np.triu_indices(len(a), 1)
    x, y = (np.where(np.isclose(v[:, None], v), 0, np.sign(v[:, None] - v))[upper] for v in (a, b))
    return float((x * y).sum() / np.sqrt((x**2).sum() * max(1, (y**2).sum()))) if x.any() else 0.0


@mutant("kendall_tau", concept="accepts-bad-input")
def zip_cuts_the_longer_one(a, b):
    if len(a) != len(b):
        n = min(len(a), len(b))
        return float(by_matrices_of_signs(list(a)[:n], list(b)[:n]))
    return float(by_matrices_of_signs(a, b))


@mutant("kendall_tau", concept="accepts-bad-input")
def nan_for_constants(a, b):
    if len(a) == len(b) > 1 and np.ptp(b) == 0:
        return math.nan
    return float(by_matrices_of_signs(a, b))


@mutant("kendall_tau", concept="uses-the-library")
def scipy_s_kendall(a, b):
    return float(stats.kendalltau(*_pairs(a, b))[0])


# ----------------------------------------------------------------------------------------- synflow_score


def _sound(net):
    parameters = list(net.parameters())
    if not parameters or not all(bool(p.isfinite().all()) for p in parameters):
        raise ValueError("net must have finite parameters")
    return net


def _flow(
    net,
    input_shape,
    *,
    absolute=True,
    double=True,
    evaluate=True,
    ones=torch.ones,
    score=lambda p, g: (p * g).sum(),
    only=lambda p: True,
    reduce=torch.sum,
    unused=True,
):
    """Synaptic flow with everything that can be done otherwise as an argument."""
    net = copy.deepcopy(_sound(net))
    net = net.double() if double else net
    net.train(not evaluate)
    parameters = [p for p in net.parameters() if only(p)]
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(p.abs() if absolute else p)
    x = ones(1, *input_shape).to(parameters[0].dtype)
    gradients = torch.autograd.grad(reduce(net(x)), parameters, allow_unused=unused)
    with torch.no_grad():
        return sum(float(score(p, g)) for p, g in zip(parameters, gradients) if g is not None)


@alternative("synflow_score")
def by_backward_on_a_copy(net, input_shape):
    twin = copy.deepcopy(_sound(net)).to(torch.float64)
    twin.eval()
    for p in twin.parameters():
        p.data = p.data.abs()
        p.grad = None
    twin(torch.ones((1, *input_shape)).double()).sum().backward()
    return sum((p * p.grad).sum() for p in twin.parameters() if p.grad is not None).item()


@alternative("synflow_score")
def by_a_functional_call(net, input_shape):
    _sound(net)
    state = {name: value.detach().double() for name, value in net.state_dict().items()}
    names = [name for name, _ in net.named_parameters()]
    made = {name: state[name].abs().requires_grad_() for name in names}
    modes = {module: module.training for module in net.modules()}
    try:
        net.eval()
        out = torch.func.functional_call(
            net, state | made, (torch.ones(1, *input_shape, dtype=torch.float64),)
        )
    finally:
        for module, mode in modes.items():
            module.training = mode
    gradients = torch.autograd.grad(out.sum(), list(made.values()), allow_unused=True)
    return sum((p * g).abs().sum() for p, g in zip(made.values(), gradients) if g is not None)


@alternative("synflow_score")
def in_place_and_back(net, input_shape):
    _sound(net)
    saved = {name: value.clone() for name, value in net.state_dict().items()}
    modes = [(module, module.training) for module in net.modules()]
    grads = [(p, p.grad) for p in net.parameters()]
    types_ = {p.dtype for p in net.parameters()}
    for p in net.parameters():
        p.grad = None
    net.double().eval()
    with torch.no_grad():
        for p in net.parameters():
            p.abs_()
    net(torch.ones(1, *input_shape, dtype=torch.float64)).sum().backward()
    total = sum(float((p.detach() * p.grad).sum()) for p in net.parameters() if p.grad is not None)
    for p in net.parameters():
        p.grad = None
    net.to(types_.pop())
    net.load_state_dict(saved)
    for module, mode in modes:
        module.training = mode
    for p, grad in grads:
        p.grad = grad
    return total


@mutant("synflow_score", concept="signs")
def keeps_the_signs(net, input_shape):
    return _flow(net, input_shape, absolute=False)


@mutant("synflow_score", concept="signs")
def absolute_afterwards(net, input_shape):
    return _flow(net, input_shape, absolute=False, score=lambda p, g: (p * g).abs().sum())


@mutant("synflow_score", concept="signs")
def weights_made_positive_only(net, input_shape):
    net = copy.deepcopy(net)
    with torch.no_grad():
        for p in net.parameters():
            if p.ndim > 1:
                p.abs_()
    return _flow(net, input_shape, absolute=False)


@mutant("synflow_score", concept="batch-norm")
def in_training_mode(net, input_shape):
    return _flow(net, input_shape, evaluate=False)


@mutant("synflow_score", concept="wrong-score")
def a_random_input(net, input_shape):
    return _flow(
        net, input_shape, ones=lambda *shape: torch.rand(*shape, generator=torch.Generator().manual_seed(0))
    )


@mutant("synflow_score", concept="gradient-only")
def without_the_parameters(net, input_shape):
    return _flow(net, input_shape, score=lambda p, g: g.abs().sum())


@mutant("synflow_score", concept="squared")
def squares(net, input_shape):
    return _flow(net, input_shape, score=lambda p, g: ((p * g) ** 2).sum())


@mutant("synflow_score", concept="mean")
def means_of_the_tensors(net, input_shape):
    return _flow(net, input_shape, score=lambda p, g: (p * g).mean())


@mutant("synflow_score", concept="norms")
def norms_of_the_tensors(net, input_shape):
    return _flow(net, input_shape, score=lambda p, g: (p * g).norm())


@mutant("synflow_score", concept="logarithm")
def the_logarithm(net, input_shape):
    return math.log(_flow(net, input_shape))


@mutant("synflow_score", concept="flow-only")
def the_output_itself(net, input_shape):
    twin = copy.deepcopy(_sound(net)).double().eval()
    with torch.no_grad():
        for p in twin.parameters():
            p.abs_()
        return float(twin(torch.ones(1, *input_shape, dtype=torch.float64)).sum())


@mutant("synflow_score", concept="mean-output")
def mean_of_the_outputs(net, input_shape):
    return _flow(net, input_shape, reduce=torch.mean)


@mutant("synflow_score", concept="biases")
def biases_left_out(net, input_shape):
    return _flow(net, input_shape, only=lambda p: p.ndim > 1)


@mutant("synflow_score", concept="dead-parameters")
def takes_every_gradient(net, input_shape):
    return _flow(net, input_shape, unused=False)


@mutant("synflow_score", concept="float32")
def in_float32(net, input_shape):
    return _flow(net, input_shape, double=False)


@mutant("synflow_score", concept="changes-the-network")
def leaves_it_linear(net, input_shape):
    _sound(net)
    with torch.no_grad():
        for p in net.parameters():
            p.abs_()
    return _flow(net, input_shape)


@mutant("synflow_score", concept="changes-the-network")
def leaves_it_in_evaluation_mode(net, input_shape):
    net.eval()
    return _flow(net, input_shape)


@mutant("synflow_score", concept="changes-the-network")
def leaves_it_in_float64(net, input_shape):
    return _flow(net.double(), input_shape)


@mutant("synflow_score", concept="old-gradients")
def adds_to_old_gradients(net, input_shape):
    twin = copy.deepcopy(_sound(net)).double().eval()
    with torch.no_grad():
        for p, old in zip(twin.parameters(), net.parameters()):
            p.abs_()
            p.grad = None if old.grad is None else old.grad.double()  # as where the network itself is used
    twin(torch.ones(1, *input_shape, dtype=torch.float64)).sum().backward()
    return float(sum((p.detach() * p.grad).sum() for p in twin.parameters() if p.grad is not None))


@mutant("synflow_score", concept="accepts-bad-input")
def nothing_flows_through_nothing(net, input_shape):
    if not list(net.parameters()):
        return 0.0
    return _flow(net, input_shape)


# --------------------------------------------------------------------------------------- grad_norm_score


def _gradients(net, x, y, *, loss=F.cross_entropy, mode=None, unused=True):
    net = copy.deepcopy(net)
    if mode is not None:
        net.train(mode)
    value = loss(net(x), y)
    if not list(net.parameters()) or not value.isfinite():
        raise ValueError("net must have parameters, and the loss must be finite")
    parameters = list(net.parameters())
    found = torch.autograd.grad(value, parameters, allow_unused=unused)
    return [(p.detach(), g) for p, g in zip(parameters, found) if g is not None]


@alternative("grad_norm_score")
def by_norms_of_gradients(net, x, y):
    return sum(float(torch.linalg.vector_norm(g)) for _, g in _gradients(net, x, y))


@alternative("grad_norm_score")
def by_backward_and_tidying_up(net, x, y):
    saved = {name: value.clone() for name, value in net.state_dict().items()}
    kept = [p.grad for p in net.parameters()]
    net.zero_grad(set_to_none=True)
    loss = -F.log_softmax(net(x), dim=1)[torch.arange(len(y)), y].mean()
    if not torch.isfinite(loss):
        raise ValueError(f"the loss must be finite, got {loss}")
    loss.backward()
    total = sum((p.grad**2).sum().sqrt() for p in net.parameters() if p.grad is not None)
    for p, grad in zip(net.parameters(), kept):
        p.grad = grad
    net.load_state_dict(saved)
    return total


@alternative("grad_norm_score")
def by_a_functional_call_of_the_network(net, x, y):
    parameters = {name: p.detach().requires_grad_() for name, p in net.named_parameters()}
    buffers = {name: b.clone() for name, b in net.named_buffers()}
    loss = torch.nn.CrossEntropyLoss()(torch.func.functional_call(net, (parameters, buffers), (x,)), y)
    if not parameters or not np.isfinite(loss.item()):
        raise ValueError("the loss must be finite")
    loss.backward()
    norms = [np.linalg.norm(p.grad.numpy().ravel()) for p in parameters.values() if p.grad is not None]
    return np.sum(norms)


@mutant("grad_norm_score", concept="one-norm")
def one_norm_of_all(net, x, y):
    return math.sqrt(sum(float((g**2).sum()) for _, g in _gradients(net, x, y)))


@mutant("grad_norm_score", concept="squared")
def squared_norms(net, x, y):
    return sum(float((g**2).sum()) for _, g in _gradients(net, x, y))


@mutant("grad_norm_score", concept="l1-norm")
def absolute_values(net, x, y):
    return sum(float(g.abs().sum()) for _, g in _gradients(net, x, y))


@mutant("grad_norm_score", concept="mean")
def mean_over_tensors(net, x, y):
    return float(np.mean([float(g.norm()) for _, g in _gradients(net, x, y)]))


@mutant("grad_norm_score", concept="weights-only")
def weights_only(net, x, y):
    return sum(float(g.norm()) for p, g in _gradients(net, x, y) if p.ndim > 1)


@mutant("grad_norm_score", concept="summed-loss")
def loss_not_averaged(net, x, y):
    found = _gradients(net, x, y, loss=lambda logits, y: F.cross_entropy(logits, y, reduction="sum"))
    return sum(float(g.norm()) for _, g in found)


@mutant("grad_norm_score", concept="saliency")
def times_the_parameters(net, x, y):
    return sum(float((p * g).abs().sum()) for p, g in _gradients(net, x, y))


@mutant("grad_norm_score", concept="parameters-not-gradients")
def norms_of_the_parameters(net, x, y):
    return sum(float(p.norm()) for p, _ in _gradients(net, x, y))


@mutant("grad_norm_score", concept="wrong-score")
def mean_squared_error(net, x, y):
    def loss(logits, y):
        return F.mse_loss(logits, F.one_hot(y, logits.shape[1]).to(logits.dtype))

    return sum(float(g.norm()) for _, g in _gradients(net, x, y, loss=loss))


@mutant("grad_norm_score", concept="all-tensors")
def last_layer_only(net, x, y):
    found = [g for _, g in _gradients(net, x, y)][-2:]
    return sum(float(g.norm()) for g in found)


@mutant("grad_norm_score", concept="mode")
def always_evaluates(net, x, y):
    return sum(float(g.norm()) for _, g in _gradients(net, x, y, mode=False))


@mutant("grad_norm_score", concept="mode")
def always_trains(net, x, y):
    return sum(float(g.norm()) for _, g in _gradients(net, x, y, mode=True))


@mutant("grad_norm_score", concept="dead-parameters")
def needs_every_gradient(net, x, y):
    return sum(float(g.norm()) for _, g in _gradients(net, x, y, unused=False))


@mutant("grad_norm_score", concept="old-gradients")
def adds_up_gradients(net, x, y):
    twin = copy.deepcopy(net)
    for p, old in zip(twin.parameters(), net.parameters()):
        p.grad = None if old.grad is None else old.grad.clone()  # as where the network itself is used
    loss = F.cross_entropy(twin(x), y)
    if not loss.isfinite():
        raise ValueError("the loss must be finite")
    loss.backward()
    return sum(float(p.grad.norm()) for p in twin.parameters() if p.grad is not None)


@mutant("grad_norm_score", concept="changes-the-network")
def leaves_gradients_behind(net, x, y):
    net.zero_grad()
    loss = F.cross_entropy(net(x), y)
    if not loss.isfinite():
        raise ValueError("the loss must be finite")
    loss.backward()
    return sum(float(p.grad.norm()) for p in net.parameters() if p.grad is not None)


@mutant("grad_norm_score", concept="changes-the-network")
def moves_the_statistics(net, x, y):
    loss = F.cross_entropy(net(x), y)
    if not loss.isfinite():
        raise ValueError("the loss must be finite")
    found = torch.autograd.grad(loss, list(net.parameters()), allow_unused=True)
    return sum(float(g.norm()) for g in found if g is not None)


@mutant("grad_norm_score", concept="accepts-bad-input")
def nan_in_nan_out(net, x, y):
    net = copy.deepcopy(net)
    found = torch.autograd.grad(F.cross_entropy(net(x), y), list(net.parameters()), allow_unused=True)
    return sum(float(g.norm()) for g in found if g is not None)
