"""The usual mistakes of lesson 02, and right answers written another way."""

# ruff: noqa: F821  (`book` is given)
# mypy: ignore-errors

import copy
import itertools
import math
import types

import numpy as np
import torch
from scipy import stats
from torch.nn import functional as F

from nas_lib.search import History
from nas_lib.searchers import HillClimbing, RegularizedEvolution, SuccessiveHalving

# ---------------------------------------------------------------------------------------- hill_climb
# The judge reads the log of evaluations and says what is wrong.

SAMPLE, ORDER = "here = space.sample(rng)", "[unseen[i] for i in rng.permutation(len(unseen))[:left]]"
ROUND, STOP = "found = [evaluate(arch) for arch in around]", "if not found or max(found) <= height"
BEGIN, FINITE = "archs, values, seen = [], [], set()", "if not math.isfinite(value)"
VALUES, BUDGET = "np.array(values, dtype=float)", "if not 1 <= budget <= len(space)"

book.edits(
    "hill_climb",
    (
        "first-improvement",
        "",
        {
            ROUND: "found = []\n"
            "            while around[len(found) :] and not (found and found[-1] > height):\n"
            "                found.append(evaluate(around[len(found)]))"
        },
    ),
    (
        "not-the-best",
        "",
        {"height = max(found)": "height = rng.choice([value for value in found if value > height])"},
    ),
    ("not-the-best", "", {"height = max(found)": "height = min(v for v in found if v > height)"}),
    ("moves-down", "", {" or max(found) <= height": ""}),
    ("moves-on-ties", "", {"max(found) <= height": "max(found) < height"}),
    ("never-moves", "", {STOP: "if True"}),
    ("never-moves", "", {"max(found) <= height": "max(found) <= max(height, 0)"}),
    ("never-moves", "", {"max(found) <= height": "max(found) <= height + 1e-3"}),
    (
        "wrong-type",
        "",
        {f"History(archs, {VALUES})": "History([list(arch) for arch in archs], np.array(values))"},
    ),
    ("wrong-type", "", {f"History(archs, {VALUES})": f"(archs, {VALUES})"}),
    ("raises", "", {BUDGET: "if not 1 <= budget < len(space)"}),
    (
        "late-error",
        "",
        {
            BUDGET: f"last, budget = budget, min(budget, len(space))\n    {BUDGET}",
            BEGIN: f"{BEGIN}\n    spent = last != budget",
            f"    return History(archs, {VALUES})": "    if spent:\n        raise ValueError(f'budget must be "
            f"from 1 to {{len(space)}}, got {{last!r}}')\n    return History(archs, {VALUES})",
        },
    ),
    (
        "minimises",
        "",
        {"max(found) <= height": "min(found) >= height", "height = max(found)": "height = min(found)"},
    ),
    ("compares-with-the-record", "", {"max(found) <= height": "max(found) <= max(values[: -len(found)])"}),
    ("order-not-random", "", {ORDER: "unseen[:left]"}),
    ("order-not-random", "", {ORDER: "unseen[::-1][:left]"}),
    ("order-not-random", "", {ORDER: "(unseen[1:] + unseen[:1] if rng.random() < 0.5 else unseen)[:left]"}),
    ("start-not-uniform", "", {SAMPLE: "here = space.sample(rng) if archs else space.from_index(0)"}),
    (
        "restart-not-uniform",
        "",
        {SAMPLE: "here = next(a for a in space if a not in seen) if archs else space.sample(rng)"},
    ),
    (
        "restart-not-uniform",
        "",
        {
            SAMPLE: "near = [a for a in space.neighbors(archs[-1]) if a not in seen] if archs else []\n"
            "        here = near[rng.integers(len(near))] if near else space.sample(rng)"
        },
    ),
    (
        "restart-not-uniform",
        "",
        {
            SAMPLE: "here = archs[values.index(max(values))] if archs else space.sample(rng)\n"
            "        while here in seen:\n"
            "            here = space.mutate(here, rng)"
        },
    ),
    (
        "restart-not-uniform",
        "",
        {
            SAMPLE: "here = space.sample(rng)\n"
            "        for step in range(4 if archs and rng.random() < 0.5 else 0):\n"
            "            here = space.mutate(here, rng) if step else start",
            "height = evaluate(here)": "start, height = here, evaluate(here)",
        },
    ),
    (
        "restart-not-uniform",
        "",
        {
            SAMPLE: "here = space.sample(rng)\n"
            "        for step in range(4 if archs and rng.random() < 0.5 else 0):\n"
            "            here = space.mutate(here, rng) if step else archs[values.index(max(values))]"
        },
    ),
    (
        "order-not-random",
        "",
        {
            ORDER: "(unseen * 2)[(first := rng.integers(max(1, len(unseen)))) : first + min(len(unseen), left)]"
        },
    ),
    ("never-moves", "", {"max(found) <= height": "np.float32(max(found)) <= np.float32(height)"}),
    ("evaluates-twice", "", {" if arch not in seen": "", "if here in seen": "if False"}),
    (
        "over-budget",
        "",
        {"[:left]": "", f"History(archs, {VALUES})": "History(archs[:budget], np.array(values[:budget]))"},
    ),
    (
        "wrong-length",
        "",
        {"                break\n": "                return History(archs, np.array(values))\n"},
    ),
    ("not-a-climb", "", {"while True": "while False"}),
    (
        "not-an-arch",
        "",
        {ORDER: "[tuple(a) for a in rng.permutation(np.array(unseen))[:left]] if unseen else []"},
    ),
    ("fixed-seed", "", {BEGIN: f"rng = np.random.default_rng(0)\n    {BEGIN}"}),
    ("ignores-rng", "", {BEGIN: f"rng = np.random.default_rng()\n    {BEGIN}"}),
    ("changes-settings", "", {BEGIN: f"np.random.rand()\n    {BEGIN}"}),
    ("incumbents-not-values", "", {VALUES: "np.maximum.accumulate(values)"}),
    ("negated", "", {VALUES: "-np.array(values)"}),
    ("mismatched-values", "", {VALUES: "np.sort(values)"}),
    ("accepts-bad-input", "", {BUDGET: f"budget = min(budget, len(space))\n    {BUDGET}"}),
    ("accepts-bad-input", "", {BUDGET: "if not 0 <= budget <= len(space)"}),
    ("accepts-bad-input", "", {FINITE: "value = np.nan_to_num(value)\n        if False"}),
    ("accepts-bad-input", "", {FINITE: "value = max(-1e9, min(value, 1e9))\n        if math.isnan(value)"}),
    ("accepts-bad-input", "", {FINITE: "value = max(-1e9, value)\n        if not math.isfinite(value)"}),
    (
        "",
        "",
        {
            STOP: "around = [arch for arch in space.neighbors(here) if arch in seen]\n"
            "            found = [values[archs.index(arch)] for arch in around]\n"
            f"            {STOP}"
        },
    ),
    ("", "", {SAMPLE: "here = [a for a in space if a not in seen][rng.integers(len(space) - len(archs))]"}),
    (
        "order-not-random",
        "",
        {
            "seen = [], [], set()": "seen, orders = [], [], set(), {}",
            "in rng.permutation(len(unseen))": "in orders.setdefault(len(unseen), rng.permutation(len(unseen)))",
        },
    ),
    ("not-a-climb", "", {"[:left]": "[: min(left, 24)]"}),
)


@book.wrong("hill_climb", "uses-the-library")
def climbs_with_the_library(objective, space, budget, rng):
    if not 1 <= budget <= len(space):
        raise ValueError(f"budget must be from 1 to {len(space)}, got {budget!r}")
    return _asked(HillClimbing(space, rng), objective, budget)


def _asked(searcher, objective, budget):
    archs, values = [], []
    for _ in range(budget):
        archs.append(searcher.ask())
        values.append(_finite(objective(archs[-1])))
        searcher.tell(archs[-1], values[-1])
    return History(archs, np.array(values))


def _finite(value):
    if not math.isfinite(value):
        raise ValueError(f"objective must return a finite number, got {value!r}")
    return value


@book.right("hill_climb")
def by_recursion(objective, space, budget, rng):
    if not 1 <= budget <= len(space):
        raise ValueError(f"budget must be from 1 to {len(space)}, got {budget!r}")
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


@book.right("hill_climb")
def by_a_queue(objective, space, budget, rng):
    if not 1 <= budget <= len(space):
        raise ValueError(f"budget must be from 1 to {len(space)}, got {budget!r}")
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


class _Spent(Exception):
    pass


@book.right("hill_climb")
def by_a_dict_and_an_exception(objective, space, budget, rng):
    if budget < 1 or budget > len(space):
        raise ValueError(f"budget must be from 1 to {len(space)}, got {budget!r}")
    values = {}

    def look(arch):
        if len(values) == budget:
            raise _Spent
        values[arch] = _finite(objective(arch))
        return values[arch]

    try:
        while len(values) < budget:
            while (here := space.sample(rng)) in values:
                pass
            height = look(here)
            while here is not None:
                near = [arch for arch in space.neighbors(here) if arch not in values]
                around = {near[i]: look(near[i]) for i in np.argsort(rng.random(len(near)))}
                here = max(around, key=around.get, default=None)
                if here is None or around[here] <= height:
                    break
                height = around[here]
    except _Spent:
        pass
    return History(list(values), np.array(list(values.values())))


# ----------------------------------------------------------------------------- regularized_evolution
# The judge reads the log of evaluations and says what is wrong.

ALIVE, JOIN = "deque(maxlen=population)", "alive.append((arch, value))"
DRAW = "tournament = [alive[rng.integers(population)] for _ in range(sample)]"
BEST, CHILD = "max(tournament, key=lambda member: member[1])[0]", "space.mutate(parent, rng)"
FIRST, ANY = (
    "arch = space.sample(rng)",
    {"alive[rng.integers(population)]": "alive[rng.integers(len(alive))]"},
)
WORST = "alive.remove(min(alive, key=lambda member: member[1]))"
FULL = "if len(alive) > population:\n            "

book.edits(
    "regularized_evolution",
    ("kills-the-worst", "", {ALIVE: "[]", JOIN: f"{JOIN}\n        {FULL}{WORST}"}),
    (
        "kills-the-worst",
        "",
        {ALIVE: "[]", JOIN: f"if born >= population:\n            {WORST}\n        {JOIN}"},
    ),
    ("best-of-all", "", {BEST: "archs[values.index(max(values))]"}),
    (
        "first-population",
        "",
        {
            FIRST: f"{FIRST}\n            for _ in range(100):\n                arch = {FIRST.partition(' = ')[2]} if arch in archs else arch"
        },
    ),
    (
        "refuses-repeats",
        "",
        {
            CHILD: f"{CHILD}\n            for _ in range(100):\n                arch = {CHILD} if arch in archs else arch"
        },
    ),
    ("raises", "", {"if budget < population": "if budget <= population"}),
    ("raises", "", {"if not 1 <= sample <= population": "if not 1 <= sample < population"}),
    ("raises", "", {"if not 1 <= sample <= population": "if not 2 <= sample <= population"}),
    ("raises", "", {"if budget < population": "if budget < population or budget > len(space)"}),
    ("changes-settings", "", {"archs, values = [], []": "np.random.seed(0)\n    archs, values = [], []"}),
    (
        "wrong-type",
        "",
        {f"History(archs, {VALUES})": "History([list(arch) for arch in archs], np.array(values))"},
    ),
    (
        "late-error",
        "",
        {"if budget < population:\n": "if budget < population:\n        objective(space.sample(rng))\n"},
    ),
    ("kills-the-youngest", "", {JOIN: f"if born >= population:\n            alive.pop()\n        {JOIN}"}),
    ("kills-the-youngest", "", {JOIN: f"if born < population:\n            {JOIN}"}),
    ("dead-parent", "", {ALIVE: "[]"} | ANY),
    ("dead-parent", "", {ALIVE: "deque(maxlen=population + 1)"} | ANY),
    (
        "dead-parent",
        "",
        {
            ALIVE: "[]",
            BEST: f"{BEST}\n            alive.remove(next(one for one in alive if one[0] == parent))",
        },
    ),
    ("dead-parent", "", {ALIVE: "[]", JOIN: f"{JOIN}\n        {FULL}alive.pop(rng.integers(len(alive)))"}),
    ("left-out", "", {DRAW: f"alive.popleft()\n            {DRAW.replace('(population)', '(len(alive))')}"}),
    ("left-out", "", {ALIVE: "deque(maxlen=population - 1)"} | ANY),
    ("left-out", "", {"rng.integers(population)": "rng.integers(1, population)"}),
    ("left-out", "", {"rng.integers(population)": "rng.integers(population - 1)"}),
    ("too-little-selection", "", {BEST: "alive[rng.integers(population)][0]"}),
    ("too-little-selection", "", {"parent = max(": "parent = min("}),
    ("too-little-selection", "", {"range(sample)": "range(min(2, sample))"}),
    ("too-little-selection", "", {"range(sample)": "range(max(1, sample - 1))"}),
    (
        "left-out",
        "",
        {"alive[rng.integers(population)] for": "alive[-1 - rng.integers(sample)] for _ in range(1) for"},
    ),
    (
        "too-little-selection",
        "",
        {
            DRAW: "first = rng.integers(population)\n"
            "            tournament = [alive[(first + i) % population] for i in range(sample)]"
        },
    ),
    ("too-little-selection", "", {"lambda member: member[1]": "lambda member: np.float32(member[1])"}),
    (
        "draws-unevenly",
        "",
        {"rng.integers(population)": "min(int(rng.random() * (population + 1)), population - 1)"},
    ),
    ("draws-unevenly", "", {"rng.integers(population)": "round(rng.random() * (population - 1))"}),
    (
        "first-population",
        "",
        {FIRST: f"{FIRST}\n            arch = space.mutate(arch, rng) if arch in archs else arch"},
    ),
    ("too-much-selection", "", {"max(tournament": "max(alive"}),
    ("too-much-selection", "", {"range(sample)": "range(sample + 1)"}),
    ("too-much-selection", "", {"range(sample)": "range(2 * sample)"}),
    (
        "no-mutation",
        "",
        {
            CHILD: "list(parent)\n            place = rng.integers(len(arch))\n"
            "            arch[place] = space.choices[place][rng.integers(len(space.choices[place]))]\n"
            "            arch = tuple(arch)"
        },
    ),
    ("no-mutation", "", {CHILD: "parent"}),
    ("two-mutations", "", {CHILD: "space.mutate(space.mutate(parent, rng), rng)"}),
    ("no-parent", "", {CHILD: "space.sample(rng)"}),
    (
        "fixed-decision",
        "",
        {CHILD: f"{CHILD}\n            while arch[-1] != parent[-1]:\n                arch = {CHILD}"},
    ),
    ("not-an-arch", "", {CHILD: f"tuple(np.array({CHILD}))"}),
    (
        "not-evaluated",
        "",
        {
            "value = objective(arch)": "value = values[archs.index(arch)] if arch in archs else objective(arch)"
        },
    ),
    ("endless", "", {CHILD: f"{CHILD}\n            while arch in archs:\n                arch = {CHILD}"}),
    ("endless", "", {FIRST: f"{FIRST}\n            while arch in archs:\n                {FIRST}"}),
    ("first-population", "", {FIRST: "arch = space.from_index(born % len(space))"}),
    ("first-population", "", {FIRST: "arch = space.mutate(archs[-1], rng) if archs else space.sample(rng)"}),
    (
        "over-budget",
        "",
        {
            "range(budget)": "range(budget + population)",
            f"History(archs, {VALUES})": "History(archs[population:], np.array(values[population:]))",
        },
    ),
    (
        "wrong-length",
        "",
        {f"History(archs, {VALUES})": "History([a for a, _ in alive], np.array([v for _, v in alive]))"},
    ),
    ("fixed-seed", "", {"archs, values = [], []": "archs, values, rng = [], [], np.random.default_rng(1)"}),
    ("ignores-rng", "", {"archs, values = [], []": "archs, values, rng = [], [], np.random.default_rng()"}),
    ("incumbents-not-values", "", {VALUES: "np.maximum.accumulate(values)"}),
    (
        "accepts-bad-input",
        "",
        {
            "if budget < population": "population = min(population, budget)\n"
            "    sample = min(sample, budget)\n    if False"
        },
    ),
    (
        "accepts-bad-input",
        "",
        {"if not 1 <= sample <= population": "sample = min(sample, population)\n    if not 1 <= sample"},
    ),
    ("accepts-bad-input", "", {"if not 1 <= sample <= population": "if not sample <= population"}),
    ("accepts-bad-input", "", {"if population < 2": "if population < 1"}),
    ("accepts-bad-input", "", {FINITE: "value = max(-1e9, min(value, 1e9))\n        if math.isnan(value)"}),
    ("accepts-bad-input", "", {FINITE: "value = np.nan_to_num(value)\n        if False"}),
)


@book.wrong("regularized_evolution", "uses-the-library")
def evolves_with_the_library(objective, space, budget, population, sample, rng):
    _fit(budget, population, sample)
    return _asked(RegularizedEvolution(space, rng, population, sample), objective, budget)


def _fit(budget, population, sample):
    if population < 2 or sample < 1 or sample > population or budget < population:
        raise ValueError(f"population, sample and budget do not fit: {population}, {sample}, {budget}")


@book.right("regularized_evolution")
def without_repeats_in_the_tournament(objective, space, budget, population, sample, rng):
    _fit(budget, population, sample)
    history, members = [], []
    for _ in range(budget):
        if len(history) < population:
            arch = space.sample(rng)
        else:
            drawn = rng.choice(population, size=sample, replace=False)
            arch = space.mutate(members[min(drawn, key=lambda i: -members[i][1])][0], rng)
            members.pop(0)
        history.append((arch, _finite(objective(arch))))
        members.append(history[-1])
    return History([arch for arch, _ in history], np.array([value for _, value in history]))


@book.right("regularized_evolution")
def by_slices_of_the_history(objective, space, budget, population, sample, rng):
    _fit(budget, population, sample)
    archs, values = [], np.empty(budget)
    for at in range(budget):
        if at < population:
            arch = space.sample(rng)
        else:
            places = at - population + rng.integers(population, size=sample)
            arch = space.mutate(archs[places[values[places].argmax()]], rng)
        archs.append(arch)
        values[at] = _finite(objective(list(arch)))
    return types.SimpleNamespace(archs=archs, values=values.tolist())


@book.right("regularized_evolution")
def with_a_mutation_of_its_own(objective, space, budget, population, sample, rng):
    _fit(budget, population, sample)
    archs, values = [], []
    while len(archs) < budget:
        arch = list(space.sample(rng))
        if len(archs) >= population:
            first = len(archs) - population
            drawn = sorted(rng.choice(population, size=sample), key=lambda i: values[first + i])
            arch = list(archs[first + drawn[-1]])
            place = rng.integers(len(arch))
            others = [option for option in space.choices[place] if option != arch[place]]
            arch[place] = others[rng.integers(len(others))]
        archs.append(tuple(arch))
        values.append(_finite(objective(archs[-1])))
    return History(archs, np.array(values, dtype=np.float32))


# -------------------------------------------------------------------------------- successive_halving

COUNT, EPOCHS = "max(1, len(racing) // eta)", "min(epochs * eta, max_epochs)"
RANK = 'order = np.argsort(-np.array(values), kind="stable")'
TRAIN, NOTE = "value = train_to(config, epochs)", "trials.append((config, epochs, value))"
LAST, RESULT, KEEP = "if epochs == max_epochs", "return racing[order[0]], trials", "values.append(value)"
START = "racing, epochs, trials = list(configs), min_epochs, []"
DOWN = "of n configs ⌊n/eta⌋ go on, rounded down"
TAKES = "the last rung is the one at max_epochs: train to min(epochs · eta, max_epochs)"
OF_RUNG = "rank by the values of this rung alone: earlier ones come from shorter trainings"
LAST_RUNG = "the winner is the best of the last rung: only that one was trained to the end"
GROWTH = "each rung trains eta times as long as the one before, up to max_epochs"

book.edits(
    "successive_halving",
    ("rounds-up", f"{DOWN}: here n/eta is rounded up", {COUNT: "-(-len(racing) // eta)"}),
    ("rounds-up", f"{DOWN}: here to the nearest", {COUNT: "max(1, round(len(racing) / eta))"}),
    (
        "drops-too-few",
        "the best n/eta go on and all others are dropped: here n/eta are dropped",
        {COUNT: "max(1, len(racing) - len(racing) // eta)"},
    ),
    ("ignores-eta", f"{DOWN}: here it is half of them, whatever eta is", {COUNT: "max(1, len(racing) // 2)"}),
    ("drops-nobody", f"{DOWN}: here all of them go on", {COUNT: "len(racing)"}),
    (
        "drops-everybody",
        "at least one config goes on, also where n is less than eta: max(1, n // eta)",
        {COUNT: "len(racing) // eta"},
    ),
    (
        "keeps-the-worst",
        "the configs with the lowest values go on: keep those with the highest",
        {RANK: "order = np.argsort(np.array(values))"},
    ),
    (
        "keeps-the-first",
        "the first configs of the list go on, whatever their values are: keep the best",
        {"racing[i] for i in order[": "one for one in racing["},
    ),
    (
        "wrong-epochs",
        f"{GROWTH}: here twice as long, whatever eta is",
        {EPOCHS: "min(epochs * 2, max_epochs)"},
    ),
    (
        "wrong-epochs",
        f"{GROWTH}: here min_epochs are added each time",
        {EPOCHS: "min(epochs + min_epochs, max_epochs)"},
    ),
    ("wrong-epochs", f"{GROWTH}: here the second rung has max_epochs already", {EPOCHS: "max_epochs"}),
    (
        "starts-with-one",
        "the first rung trains to min_epochs: here to 1 epoch",
        {START: "racing, epochs, trials = list(configs), 1, []"},
    ),
    (
        "epochs-do-not-grow",
        f"{GROWTH}: here all rungs train to min_epochs",
        {TRAIN: "value = train_to(config, min_epochs)", NOTE: "trials.append((config, min_epochs, value))"},
    ),
    (
        "trains-the-difference",
        "train_to takes the epochs in all, not those to add to the rung before",
        {
            START: f"{START}\n    before = 0",
            TRAIN: "value = train_to(config, epochs - before)",
            NOTE: "trials.append((config, epochs - before, value))",
            f"epochs = {EPOCHS}": f"before, epochs = epochs, {EPOCHS}",
        },
    ),
    (
        "beyond-max-epochs",
        "the last rung trains beyond max_epochs: take min(epochs · eta, max_epochs)",
        {EPOCHS: "epochs * eta", LAST: "if epochs >= max_epochs"},
    ),
    (
        "ends-early",
        f"the race ends as soon as one config is left: {TAKES}",
        {LAST: "if epochs == max_epochs or len(racing) == 1"},
    ),
    (
        "ends-early",
        f"the race ends where eta times the epochs would be too many: {TAKES}",
        {LAST: "if epochs * eta > max_epochs"},
    ),
    (
        "skips-rungs",
        "a single config that is left is trained on rung by rung, not to max_epochs at once",
        {EPOCHS: f"max_epochs if len(racing) == 1 else {EPOCHS}"},
    ),
    (
        "wrong-winner",
        f"this winner has the best value of all rungs: {LAST_RUNG}",
        {RESULT: "return max(trials, key=lambda trial: trial[2])[0], trials"},
    ),
    (
        "wrong-winner",
        f"this winner is the first of the last rung: {LAST_RUNG}",
        {RESULT: "return racing[0], trials"},
    ),
    ("wrong-winner", f"this winner is the worst of the last rung: {LAST_RUNG}", {"order[0]": "order[-1]"}),
    (
        "position-not-config",
        "the winner is a config, not its position in the last rung",
        {RESULT: "return order[0], trials"},
    ),
    (
        "ranks-by-history",
        OF_RUNG,
        {KEEP: "values.append(value + sum(v for c, _, v in trials if c == config))"},
    ),
    (
        "ranks-by-history",
        OF_RUNG,
        {KEEP: "values.append(max([value, *(v for c, _, v in trials if c == config)]))"},
    ),
    (
        "unhashable-configs",
        "a config may be a dict, which cannot be a key: keep values in a list beside them",
        {
            "values = []": "values = {}",
            KEEP: "values[config] = value",
            "np.array(values)": "np.array([values[config] for config in racing])",
        },
    ),
    (
        "compares-configs",
        "where two values tie, the sort goes on to compare the configs, and dicts have no order: sort by value",
        {
            RANK: "order = [racing.index(config) for _, config in "
            "sorted(zip([-value for value in values], racing))]"
        },
    ),
    (
        "trains-twice",
        "each config is trained twice in a rung: every call costs, keep the value",
        {TRAIN: f"train_to(config, epochs)\n            {TRAIN}"},
    ),
    (
        "wrong-trials",
        "all trials are returned, not those of the last rung alone",
        {RESULT: "return racing[order[0]], [trial for trial in trials if trial[1] == max_epochs]"},
    ),
    (
        "wrong-trials",
        "the trials are sorted: they stand in the order of the calls",
        {RESULT: "return racing[order[0]], sorted(trials, key=lambda trial: (trial[1], -trial[2]))"},
    ),
    ("wrong-trials", "", {NOTE: "trials.append((config, max_epochs, value))"}),
    ("wrong-type", "", {RESULT: "return racing[order[0]]"}),
    ("wrong-type", "", {RESULT: "return [racing[order[0]], trials]"}),
    ("wrong-type", "", {RESULT: "return racing[order[0]], dict(enumerate(trials))"}),
    ("wrong-type", "", {NOTE: "trials.append((config, value))"}),
    (
        "mutates-input",
        "",
        {
            RESULT: "isinstance(configs, list) and configs.clear()\n            return racing[order[0]], trials"
        },
    ),
    (
        "wrong-trials",
        "a trial is (config, epochs, value), in this order: here the value comes second",
        {NOTE: "trials.append((config, value, epochs))"},
    ),
    ("wrong-trials", "", {NOTE: "trials.append((config, epochs, round(value, 2)))"}),
    ("wrong-trials", "", {NOTE: "trials.append((configs.index(config), epochs, value))"}),
    (
        "counts-rungs-by-logarithm",
        "the number of rungs comes from a logarithm here, and math.log(125, 5) is a little more than 3, which rounds "
        "up to a rung too many: multiply the epochs until they are max_epochs",
        {
            START: f"{START}\n    left = math.ceil(math.log(max_epochs / min_epochs, eta))",
            LAST: "left -= 1\n        if left < 0",
        },
    ),
    (
        "rounds-values",
        "values are ranked in float32 here, where large ones that differ little are equal",
        {RANK: 'order = np.argsort(-np.array(values, dtype=np.float32), kind="stable")'},
    ),
    ("wrong-type", "", {NOTE: "trials.append([config, epochs, value])"}),
    (
        "wrong-winner",
        "the winner is a config, not its trial",
        {RESULT: "return trials[order[0] - len(racing)], trials"},
    ),
    (
        "drops-too-few",
        "two configs go on although n/eta is less than two: at least one is enough",
        {COUNT: "max(2, len(racing) // eta)"},
    ),
    (
        "wrong-epochs",
        f"{GROWTH}: here eta is added each time",
        {EPOCHS: "min(epochs + eta, max_epochs)"},
    ),
    (
        "trains-twice",
        "the winner is trained once more at the end: every call costs, and its value is known",
        {RESULT: f"train_to(racing[order[0]], epochs)\n            {RESULT}"},
    ),
    (
        "merges-equals",
        "configs that are equal stay two: here each is raced once",
        {
            START: "racing, epochs, trials = [], min_epochs, []\n    for one in configs:\n"
            "        racing += [one] if one not in racing else []"
        },
    ),
    (
        "ties",
        "where values tie, all of the tied go on, more than ⌊n/eta⌋: take so many, whichever they are",
        {
            RANK: f"{RANK}\n        least = sorted(values)[-max(1, len(racing) // eta)]",
            f"order[: {COUNT}]": "order if values[i] >= least",
            "racing = [racing[i] for i in": "racing = [racing[i] for i in",
        },
    ),
    ("raises", "", {"if not 1 <= min_epochs <= max_epochs": "if not 1 <= min_epochs < max_epochs"}),
    ("changes-settings", "", {START: f"np.random.seed(0)\n    {START}"}),
    (
        "late-error",
        "",
        {"if eta < 2:\n": "if eta < 2:\n        train_to(configs[0], 1)\n"},
    ),
    ("accepts-bad-input", "", {"if eta < 2": "if eta < 1"}),
    ("accepts-bad-input", "", {"if eta < 2": "if eta == 1"}),
    ("accepts-bad-input", "", {"if len(configs) < 1": "if False"}),
    ("accepts-bad-input", "", {"if not 1 <= min_epochs <= max_epochs": "if not min_epochs <= max_epochs"}),
    ("accepts-bad-input", "", {"if not 1 <= min_epochs <= max_epochs": "if not 1 <= min_epochs"}),
    ("accepts-bad-input", "", {FINITE: "if math.isnan(value)"}),
    (
        "accepts-bad-input",
        "",
        {FINITE: "value = value if math.isfinite(value) else -1e9\n            if False"},
    ),
)


@book.wrong("successive_halving", "uses-the-library")
def races_with_the_library(train_to, configs, eta, min_epochs, max_epochs):
    race, trials = SuccessiveHalving(configs, max_epochs, eta=eta, min_epochs=min_epochs), []
    while True:
        try:
            config, epochs = race.ask()
        except StopIteration:
            return race.winner, trials
        trials.append((config, epochs, train_to(config, epochs)))
        race.tell(*trials[-1])


def _race(configs, eta, min_epochs, max_epochs):
    if len(configs) == 0 or eta < 2 or not 1 <= min_epochs <= max_epochs:
        raise ValueError(
            f"configs, eta and epochs do not fit: {len(configs)}, {eta}, {min_epochs}, {max_epochs}"
        )


@book.right("successive_halving")
def by_sorting_each_rung(train_to, configs, eta, min_epochs, max_epochs):
    _race(configs, eta, min_epochs, max_epochs)
    racing, epochs, trials = list(configs), min_epochs, []
    while True:
        rung = [(config, epochs, _finite(train_to(config, epochs))) for config in racing]
        trials.extend(rung)
        rung.sort(key=lambda trial: -trial[2])
        if epochs >= max_epochs:
            return rung[0][0], trials
        racing = [config for config, _, _ in rung[: max(1, len(rung) // eta)]]
        epochs = min(max_epochs, epochs * eta)


@book.right("successive_halving")
def rung_by_rung_by_recursion(train_to, configs, eta, min_epochs, max_epochs):
    _race(configs, eta, min_epochs, max_epochs)
    trials = [(config, min_epochs, _finite(train_to(config, min_epochs))) for config in configs]
    order = sorted(range(len(configs)), key=lambda i: trials[i][2], reverse=True)
    if min_epochs == max_epochs:
        return configs[order[0]], trials
    best = [configs[i] for i in order[: len(configs) // eta or 1]]
    winner, more = rung_by_rung_by_recursion(
        train_to, best, eta, min(max_epochs, min_epochs * eta), max_epochs
    )
    return winner, trials + more


@book.right("successive_halving")
def with_the_lengths_listed_first(train_to, configs, eta, min_epochs, max_epochs):
    _race(configs, eta, min_epochs, max_epochs)
    growing = itertools.takewhile(lambda e: e < max_epochs, (min_epochs * eta**k for k in itertools.count()))
    racing, trials = np.arange(len(configs)), []
    for length in [*growing, max_epochs]:
        values = np.array([_finite(train_to(configs[i], length)) for i in racing])
        trials += [(configs[i], length, value) for i, value in zip(racing, values)]
        winner = configs[racing[values.argmax()]]
        racing = racing[np.argsort(values)[::-1][: max(1, math.floor(len(racing) / eta))]]
    return winner, trials


# ------------------------------------------------------------------------------------------ spearman

RANKS, PEARSON = "(np.cumsum(size) - size / 2)[group]", "float(x @ y / math.sqrt((x @ x) * (y @ y)))"
ORDINAL = 'np.argsort(np.argsort(values, kind="stable"), kind="stable")'
CENTRED, PAIRS = "deviations.append(ranks - ranks.mean())", "paired_numbers(a, b)"
TIES = "equal numbers share the mean of their ranks"
DIFFERENT = f"equal numbers get different ranks here: {TIES}"
POSITIONS = "argsort gives the positions in sorted order, not the ranks"
LOOSE = "zip(*zip(*(np.asarray(v, dtype=float).ravel() for v in (a, b))))"

book.edits(
    "spearman",
    (
        "scales-first",
        "the numbers are scaled before they are compared here: of very different sizes, the small ones become equal",
        {
            "for values in paired_numbers(a, b):\n": "for values in paired_numbers(a, b):\n"
            "        values = values / np.abs(values).max()\n"
        },
    ),
    ("values-not-ranks", "this is the correlation of the values, not of their ranks", {RANKS: "values"}),
    (
        "values-not-ranks",
        "the numbers of `a` are ranked here, those of `b` are not",
        {RANKS: f"values if deviations else {RANKS}"},
    ),
    (
        "values-not-ranks",
        "the numbers of `b` are ranked here, those of `a` are not",
        {RANKS: f"{RANKS} if deviations else values"},
    ),
    (
        "ties",
        f"in `a` equal numbers get different ranks here: {TIES}",
        {RANKS: f"{RANKS} if deviations else {ORDINAL}"},
    ),
    (
        "ties",
        f"in `b` equal numbers get different ranks here: {TIES}",
        {RANKS: f"{ORDINAL} if deviations else {RANKS}"},
    ),
    ("other-type", "", {PEARSON: "np.corrcoef(x, y)"}),
    # Stable sorts: how a plain one leaves equal numbers is the processor's affair.
    ("argsort-not-ranks", POSITIONS, {RANKS: 'np.argsort(values, kind="stable")'}),
    ("ties", DIFFERENT, {RANKS: 'np.argsort(np.argsort(values, kind="stable"), kind="stable")'}),
    (
        "ties",
        f"equal numbers get the lowest of their ranks here: {TIES}",
        {RANKS: "(np.cumsum(size) - size)[group]"},
    ),
    ("ties", f"equal numbers get the highest of their ranks here: {TIES}", {RANKS: "np.cumsum(size)[group]"}),
    (
        "ties",
        "equal numbers share a rank here, but the next rank must skip the places that they take",
        {RANKS: "group"},
    ),
    (
        "ties",
        "the formula with 6·Σd² holds without ties only: take Pearson's correlation of the ranks",
        {PEARSON: "1 - 6 * float((x - y) @ (x - y)) / (len(x) * (len(x) ** 2 - 1))"},
    ),
    ("sign-flipped", "the sign is flipped: equal order is +1", {PEARSON: f"-{PEARSON}"}),
    ("loses-its-sign", "the coefficient is squared, which loses its sign", {PEARSON: f"{PEARSON} ** 2"}),
    ("loses-its-sign", "the sign is lost: opposite order is −1", {PEARSON: f"abs({PEARSON})"}),
    ("other-coefficient", "this is Kendall's tau", {"x, y = deviations": "return kendall_tau(a, b)"}),
    (
        "not-centred",
        "the mean of the ranks is not subtracted: Pearson's correlation is one of deviations from the mean",
        {CENTRED: "deviations.append(ranks)"},
    ),
    (
        "mixed-denominators",
        "the covariance is divided by n and the standard deviations by n − 1: use the same for both",
        {PEARSON: "float(x @ y / len(x) / (x.std(ddof=1) * y.std(ddof=1)))"},
    ),
    (
        "covariance",
        "this is the covariance of the ranks, divided by n − 1: divide by both standard deviations",
        {PEARSON: "float(x @ y / (len(x) - 1))"},
    ),
    (
        "mixed-denominators",
        "the covariance is divided by n − 1 and the standard deviations by n: use the same for both",
        {PEARSON: "float(x @ y / (len(x) - 1) / (x.std() * y.std()))"},
    ),
    (
        "covariance",
        "this is the covariance of the ranks: divide by both standard deviations",
        {PEARSON: "float(x @ y / len(x))"},
    ),
    (
        "float32",
        "numbers that differ are equal here: float32 keeps seven digits only",
        {"np.unique(values,": "np.unique(np.float32(values),"},
    ),
    (
        "nearly-equal",
        "numbers that nearly agree count as ties here: only equal ones are tied",
        {"np.unique(values,": "np.unique(np.round(values, 6),"},
    ),
    ("rounded", "", {PEARSON: f"round({PEARSON}, 3)"}),
    ("with-p-value", "", {PEARSON: f"{PEARSON}, 0.05"}),
    ("mutates-input", "", {CENTRED: f"{CENTRED}\n        values.sort()"}),
    (
        "mutates-input",
        "",
        {
            "deviations = []": "deviations = []\n    if isinstance(b, list):\n        b.reverse()\n        b = b[::-1]"
        },
    ),
    ("changes-settings", "", {"deviations = []": 'deviations = []\n    np.seterr(all="ignore")'}),
    ("wrong-type", "", {PEARSON: f"[{PEARSON}]"}),
    ("accepts-bad-input", "", {PAIRS: LOOSE}),
    ("accepts-bad-input", "", {PAIRS: "(np.asarray(v, dtype=float) for v in (a, b))"}),
    (
        "accepts-bad-input",
        "",
        {
            "deviations = []": "deviations = []\n"
            "    if len(a) == len(b) > 1 and min(np.ptp(a), np.ptp(b)) == 0:\n        return 0.0"
        },
    ),
)


@book.wrong("spearman", "uses-the-library")
def scipy_s_spearman(a, b):
    return float(stats.spearmanr(*_pairs(a, b))[0])


def _pairs(a, b):
    a, b = np.array(a, dtype=float), np.array(b, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("a and b must be pairs of finite numbers")
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        raise ValueError("a and b must not be constant")
    return a, b


@book.right("spearman")
def by_comparing_with_all(a, b):
    a, b = _pairs(a, b)
    ranks = [[(v < one).sum() + ((v == one).sum() + 1) / 2 for one in v] for v in (a, b)]
    return np.corrcoef(*ranks)[0, 1]


@book.right("spearman")
def scipy_s_ranks(a, b):
    return float(np.corrcoef(*(stats.rankdata(v) for v in _pairs(a, b)))[0, 1])


@book.right("spearman")
def by_loops_in_pure_python(a, b):
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

    x, y = (ranks(list(values)) for values in _pairs(a, b))
    mx, my = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((p - mx) * (q - my) for p, q in zip(x, y))
    return covariance / (sum((p - mx) ** 2 for p in x) * sum((q - my) ** 2 for q in y)) ** 0.5


@book.right("spearman")
def of_signs_in_float32(a, b):
    a, b = (np.sign(v[:, None] - v).astype(np.float32).sum(axis=1) for v in _pairs(a, b))
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


# --------------------------------------------------------------------------------------- kendall_tau

SIGNS_A, SIGNS_B = "np.sign(a[i] - a[:i])", "np.sign(b[i] - b[:i])"
TAU, ALL = "float(agreement / math.sqrt(untied_a * untied_b))", "(len(a) * (len(a) - 1) / 2)"
AGREE = "agreement += order_a @ order_b"
SHARE = "this is the share of concordant pairs, from 0 to 1: subtract the discordant ones"
DISCORDANT = "every pair that is not concordant counts as discordant here: tied pairs are neither"
CONCORDANT = "tied pairs count as concordant here (≥ instead of >): they are neither"
TWICE = "each pair is counted twice in one part of the fraction only"
ONE_SIDED = "divides by the pairs that are untied in one of the two alone: take √(A·B)"
VALUES_TAU = "this is Pearson's coefficient of the values: only the order of each pair may count"

book.edits(
    "kendall_tau",
    (
        "multiplies-differences",
        "differences are multiplied before their sign is taken here, and the product of tiny ones is 0",
        {"agreement += order_a @ order_b": "agreement += np.sign((a[i] - a[:i]) * (b[i] - b[:i])).sum()"},
    ),
    (
        "leaves-out-entries",
        "only the first 1,000 entries count here: all pairs do",
        {"a, b = paired_numbers(a, b)": "a, b = (values[:1000] for values in paired_numbers(a, b))"},
    ),
    (
        "scales-first",
        "the numbers are scaled before they are compared here: of very different sizes, the small ones become equal",
        {
            "a, b = paired_numbers(a, b)": "a, b = (values / abs(values).max() for values in paired_numbers(a, b))"
        },
    ),
    (
        "no-tie-correction",
        "tied pairs count in the denominator (tau-a): divide by √(A·B) of tau-b",
        {TAU: f"float(agreement / {ALL})"},
    ),
    (
        "gamma",
        "divides by the pairs that are tied in neither (gamma): divide by √(A·B)",
        {TAU: "float(agreement / untied_a)", "order_a @ order_a": "np.abs(order_a * order_b).sum()"},
    ),
    ("one-sided", ONE_SIDED, {TAU: "float(agreement / untied_a)"}),
    ("one-sided", ONE_SIDED, {TAU: "float(agreement / untied_b)"}),
    ("one-sided", ONE_SIDED, {TAU: "float(agreement / max(untied_a, untied_b))"}),
    ("one-sided", ONE_SIDED, {TAU: "float(agreement / min(untied_a, untied_b))"}),
    (
        "other-mean",
        "divides by the mean of A and B: it is their geometric mean, √(A·B)",
        {TAU: "float(agreement / ((untied_a + untied_b) / 2))"},
    ),
    (
        "tau-c",
        "this is tau-c (Stuart's): divide by √(A·B)",
        {
            TAU: "(lambda m: float(2 * agreement / (len(a) ** 2 * (m - 1) / m)))"
            "(min(len(np.unique(a)), len(np.unique(b))))"
        },
    ),
    (
        "twice-the-discordant",
        "1 − 2·discordant/√(A·B) holds without ties only: subtract the discordant from the concordant",
        {
            AGREE: "agreement += (order_a * order_b < 0).sum()",
            TAU: "1 - 2 * float(agreement / math.sqrt(untied_a * untied_b))",
        },
    ),
    (
        "products-vanish",
        "the product of two tiny differences counts as a tie here: take the sign of each difference",
        {
            AGREE: "gaps = (a[i] - a[:i]) * (b[i] - b[:i])\n        agreement += np.sign(np.where(abs(gaps) > 1e-9, gaps, 0)).sum()"
        },
    ),
    ("changes-settings", "", {TAU: f"(np.seterr(all='ignore'), {TAU})[1]"}),
    (
        "share-of-concordant",
        SHARE,
        {AGREE: "agreement += (order_a * order_b > 0).sum()", TAU: f"float(agreement / {ALL})"},
    ),
    (
        "share-of-concordant",
        SHARE,
        {
            AGREE: "agreement += (order_a * order_b > 0).sum()",
            TAU: "float(agreement / untied_a)",
            "order_a @ order_a": "np.abs(order_a * order_b).sum()",
        },
    ),
    ("share-of-concordant", SHARE, {AGREE: "agreement += (order_a * order_b > 0).sum()"}),
    (
        "ties-as-discordant",
        DISCORDANT,
        {
            AGREE: "agreement += np.where(order_a * order_b > 0, 1, -1).sum()",
            TAU: f"float(agreement / {ALL})",
        },
    ),
    ("ties-as-discordant", DISCORDANT, {AGREE: "agreement += np.where(order_a * order_b > 0, 1, -1).sum()"}),
    (
        "ties-as-concordant",
        CONCORDANT,
        {
            AGREE: "agreement += np.where(order_a * order_b >= 0, 1, -1).sum()",
            TAU: f"float(agreement / {ALL})",
        },
    ),
    ("ties-as-concordant", CONCORDANT, {AGREE: "agreement += np.where(order_a * order_b >= 0, 1, -1).sum()"}),
    (
        "ties-as-concordant",
        "pairs that are tied in both count as concordant here: they are neither",
        {AGREE: "agreement += order_a @ order_b + ((order_a == 0) & (order_b == 0)).sum()"},
    ),
    ("sign-flipped", "the sign is flipped: equal order is +1", {TAU: f"-{TAU}"}),
    ("loses-its-sign", "the sign is lost: opposite order is −1", {TAU: f"abs({TAU})"}),
    ("loses-its-sign", "the coefficient is squared, which loses its sign", {TAU: f"{TAU} ** 2"}),
    (
        "adjacent-pairs",
        "only neighbours in the list are compared: take all pairs",
        {SIGNS_A: "np.sign(a[i] - a[i - 1 : i])", SIGNS_B: "np.sign(b[i] - b[i - 1 : i])"},
    ),
    (
        "adjacent-pairs",
        "only the first entry is compared with all others: take all pairs",
        {SIGNS_A: "np.sign(a[i] - a[: min(i, 1)])", SIGNS_B: "np.sign(b[i] - b[: min(i, 1)])"},
    ),
    ("leaves-out", "the last entry takes part in no pair", {"range(len(a))": "range(len(a) - 1)"}),
    ("ordered-pairs", TWICE, {TAU: f"2 * {TAU}"}),
    ("ordered-pairs", TWICE, {TAU: f"{TAU} / 2"}),
    (
        "no-root",
        "the root is missing: divide by √(A·B), not by A·B",
        {TAU: "float(agreement / (untied_a * untied_b))"},
    ),
    ("difference-only", "this is concordant − discordant: divide by √(A·B)", {TAU: "float(agreement)"}),
    ("other-coefficient", "this is Spearman's coefficient", {AGREE: "return spearman(a, b)"}),
    ("other-coefficient", VALUES_TAU, {SIGNS_A: "a[i] - a[:i]", SIGNS_B: "b[i] - b[:i]"}),
    (
        "float32",
        "numbers that differ are equal here: float32 keeps seven digits only",
        {
            PAIRS: f"map(np.float32, {PAIRS})",
            TAU: "float(agreement / math.sqrt(untied_a * untied_b)) if untied_a * untied_b else math.nan",
        },
    ),
    (
        "nearly-equal",
        "numbers that nearly agree count as ties here: only equal ones are tied",
        {
            PAIRS: f"(np.round(v, 6) for v in {PAIRS})",
            TAU: "float(agreement / math.sqrt(untied_a * untied_b)) if untied_a * untied_b else math.nan",
        },
    ),
    ("rounded", "", {TAU: f"round({TAU}, 3)"}),
    ("with-p-value", "", {TAU: f"({TAU}, 0.05)"}),
    (
        "mutates-input",
        "",
        {
            "agreement = untied_a = untied_b = 0.0": "agreement = untied_a = untied_b = 0.0\n"
            "    order = np.argsort(a)\n    a[:], b[:] = a[order], b[order]"
        },
    ),
    ("wrong-type", "", {TAU: f"[{TAU}]"}),
    ("accepts-bad-input", "", {PAIRS: LOOSE.replace("zip(*zip(", "map(np.array, zip(*zip(") + ")"}),
    ("accepts-bad-input", "", {PAIRS: "(np.asarray(v, dtype=float) for v in (a, b))"}),
    (
        "accepts-bad-input",
        "",
        {
            TAU: "float(agreement / math.sqrt(untied_a * untied_b)) if untied_b else math.nan",
            PAIRS: "paired_numbers(a, b) if np.ptp(a) else np.array((a, b), dtype=float)",
        },
    ),
)


@book.wrong("kendall_tau", "uses-the-library")
def scipy_s_kendall(a, b):
    return float(stats.kendalltau(*_pairs(a, b))[0])


@book.right("kendall_tau")
def by_matrices_of_signs(a, b):
    a, b = _pairs(a, b)
    upper = np.triu_indices(len(a), 1)
    x, y = (np.sign(v[:, None] - v)[upper].astype(np.float32) for v in (a, b))
    return (x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum())


@book.right("kendall_tau")
def by_all_pairs(a, b):
    a, b = (values.tolist() for values in _pairs(a, b))
    agreement = untied_a = untied_b = 0
    for (p, q), (r, s) in itertools.combinations(zip(a, b), 2):
        agreement += ((p > r) - (p < r)) * ((q > s) - (q < s))
        untied_a += p != r
        untied_b += q != s
    return agreement / math.sqrt(untied_a * untied_b)


@book.right("kendall_tau")
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


# ------------------------------------------------------------------------------------- synflow_score

LINEAR, EVAL = "copy.deepcopy(net).double()", "linear.eval().requires_grad_()"
ABSOLUTE, PRODUCT = "            parameter.abs_()", "(p.detach() * g).sum()"
ONES, SUM = "torch.ones(1, *input_shape, dtype=torch.float64)", "return float(sum(products))"
GRADS, LISTED = "torch.autograd.grad(flow, parameters, allow_unused=True)", "list(linear.parameters())"
SIGNS = "take absolute values before the forward pass: signs cancel, and ReLUs close"
LOGARITHM = "the logarithm keeps the order, but the score is the sum itself"
OVERFLOW = "compute in float64: the flow through a deep network overflows float32"
FROZEN = "a frozen parameter counts like all others: set requires_grad on a copy"
TIED = "a parameter that two layers share counts once: net.parameters() has it once"
DEAD = "a parameter that leads nowhere has no gradient and adds nothing: allow_unused=True, and skip None"
OLD = "gradients of an earlier backward pass are part of this: use fresh ones"
MODULES = "[p for module in {}.modules() for p in module.parameters(recurse=False)]"

book.edits(
    "synflow_score",
    (
        "remembers-scores",
        "the second call on a network returns the first score here, though its weights have changed since",
        {
            "return float(sum(products))": "import weakref\n"
            "    known = synflow_score.__dict__.setdefault('known', weakref.WeakKeyDictionary())\n"
            "    return known.setdefault(net, float(sum(products)))"
        },
    ),
    ("signs", f"parameters keep their signs here: {SIGNS}", {ABSOLUTE: "            pass"}),
    (
        "signs",
        f"absolute values are taken of the products here: {SIGNS}",
        {ABSOLUTE: "            pass", PRODUCT: "(p.detach() * g).abs().sum()"},
    ),
    (
        "signs",
        "only weights are made positive here: biases and the batch norms' parameters need it too",
        {ABSOLUTE: "            if parameter.ndim > 1:\n                parameter.abs_()"},
    ),
    (
        "batch-norm",
        "batch norms (and dropout) work in training mode here: the score is taken in evaluation mode",
        {EVAL: "linear.train().requires_grad_()"},
    ),
    (
        "batch-norm",
        "each part keeps its own mode here: the score is taken with all of them in evaluation mode",
        {EVAL: "linear.requires_grad_()"},
    ),
    (
        "buffers",
        "the stored statistics of batch norms are made positive as well: they are no parameters",
        {"for parameter in parameters:": "for parameter in (*parameters, *linear.buffers()):"},
    ),
    ("wrong-input", "the input is one of ones, here it is zeros", {ONES: ONES.replace("ones", "zeros")}),
    ("wrong-input", "the input is one of ones, here it is a batch of two", {ONES: ONES.replace("1,", "2,")}),
    (
        "wrong-input",
        "",
        {
            ONES: "torch.rand(1, *input_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))"
        },
    ),
    ("gradient-only", "the gradients are summed without θ: the score sums θ · ∂R/∂θ", {PRODUCT: "g.sum()"}),
    (
        "other-flow",
        "R is the sum of the outputs: here it is the largest alone",
        {"dtype=torch.float64)).sum()": "dtype=torch.float64)).max()"},
    ),
    (
        "other-flow",
        "R is the sum of the outputs: here it is the first alone",
        {"dtype=torch.float64)).sum()": "dtype=torch.float64)).flatten()[0]"},
    ),
    (
        "logarithm",
        "R is the sum of the outputs, not its logarithm",
        {"dtype=torch.float64)).sum()": "dtype=torch.float64)).sum().log()"},
    ),
    (
        "frozen",
        f"frozen parameters are left out here: {FROZEN}",
        {
            EVAL: "linear.eval()",
            "torch.autograd.grad(flow, parameters, allow_unused=True)": "[torch.autograd.grad(flow, p, retain_graph=True, allow_unused=True)[0] if p.requires_grad else None "
            "for p in parameters]",
        },
    ),
    ("squared", "θ · ∂R/∂θ is summed, not its square", {PRODUCT: "((p.detach() * g) ** 2).sum()"}),
    (
        "mean",
        "sum over all parameters: here each tensor gives its mean",
        {PRODUCT: "(p.detach() * g).mean()"},
    ),
    (
        "mean",
        "sum over all parameters, no mean",
        {SUM: "return float(sum(products)) / sum(p.numel() for p in parameters)"},
    ),
    (
        "mean",
        "sum over all parameters: here the tensors' sums are averaged",
        {SUM: "return float(sum(products)) / len(products)"},
    ),
    ("norms", "θ · ∂R/∂θ is summed, no norm is taken", {PRODUCT: "(p.detach() * g).norm()"}),
    ("logarithm", LOGARITHM, {SUM: "return math.log(sum(products))"}),
    ("logarithm", LOGARITHM, {SUM: "return math.log1p(sum(products))"}),
    ("logarithm", LOGARITHM, {SUM: "return math.log10(sum(products))"}),
    (
        "flow-only",
        "this is R, the sum of the outputs: sum θ · ∂R/∂θ over the parameters",
        {SUM: "return float(flow)"},
    ),
    (
        "mean-output",
        "R is the sum of the outputs, not their mean",
        {f"linear({ONES}).sum()": f"linear({ONES}).mean()"},
    ),
    (
        "weights-only",
        "only weights are summed here: biases and the batch norms' parameters count too",
        {"if g is not None": "if g is not None and p.ndim > 1"},
    ),
    (
        "weights-only",
        "this is the sum of the parameters: each counts as often as paths lead through it",
        {PRODUCT: "p.detach().sum()"},
    ),
    ("dead-parameters", DEAD, {GRADS: "torch.autograd.grad(flow, parameters)"}),
    ("frozen", FROZEN, {EVAL: "linear.eval()"}),
    (
        "frozen",
        f"frozen parameters are left out here: {FROZEN}",
        {EVAL: "linear.eval()", LISTED: "[p for p in linear.parameters() if p.requires_grad]"},
    ),
    ("tied", TIED, {LISTED: MODULES.format("linear")}),
    (
        "float32",
        OVERFLOW,
        {LINEAR: "copy.deepcopy(net).float()", "dtype=torch.float64": "dtype=torch.float32"},
    ),
    (
        "float32",
        OVERFLOW,
        {
            LINEAR: "copy.deepcopy(net)",
            "dtype=torch.float64": "dtype=next(iter(net.parameters()), torch.ones(1)).dtype",
        },
    ),
    (
        "old-gradients",
        OLD,
        {
            f"gradients = {GRADS}": "for p, old in zip(parameters, net.parameters()):\n"
            "        p.grad = None if old.grad is None else old.grad.double()\n"
            "    flow.backward()\n"
            "    gradients = [p.grad for p in parameters]"
        },
    ),
    ("mutates-input", "", {LINEAR: "net.double()"}),
    ("mutates-input", "", {EVAL: f"net.eval()\n    {EVAL}"}),
    ("mutates-input", "", {EVAL: f"was = net.training\n    net.eval()\n    net.train(was)\n    {EVAL}"}),
    ("mutates-input", "", {EVAL: f"net.zero_grad()\n    {EVAL}"}),
    ("mutates-input", "", {EVAL: f"net.requires_grad_()\n    {EVAL}"}),
    ("mutates-input", "", {EVAL: f"{EVAL}\n    for p in net.parameters():\n        p.data.add_(1).sub_(1)"}),
    ("changes-settings", "", {EVAL: f"torch.set_default_dtype(torch.float64)\n    {EVAL}"}),
    ("wrong-type", "", {SUM: "return sum(products)"}),
    ("accepts-bad-input", "", {"not parameters or ": ""}),
    (
        "accepts-bad-input",
        "",
        {"if not parameters": "if not parameters:\n        return 0.0\n    if not parameters"},
    ),
    ("accepts-bad-input", "", {"not all(p.isfinite().all() for": "any(p.isnan().any() for"}),
    ("accepts-bad-input", "", {" or not all(p.isfinite().all() for p in parameters)": ""}),
    (
        "accepts-bad-input",
        "",
        {"p.isfinite().all() for p in parameters": "p.isfinite().all() for p in parameters[:1]"},
    ),
)


def _sound(net):
    parameters = list(net.parameters())
    if not parameters or not all(bool(p.isfinite().all()) for p in parameters):
        raise ValueError("net must have finite parameters")
    return net


@book.right("synflow_score")
def by_backward_on_a_copy(net, input_shape):
    twin = copy.deepcopy(_sound(net)).to(torch.float64)
    twin.eval()
    for p in twin.parameters():
        p.data = p.data.abs()
        p.requires_grad, p.grad = True, None
    twin(torch.ones((1, *input_shape)).double()).sum().backward()
    return sum((p * p.grad).sum() for p in twin.parameters() if p.grad is not None).item()


@book.right("synflow_score")
def by_a_functional_call(net, input_shape):
    _sound(net)
    state = {name: value.detach().double() for name, value in net.state_dict().items()}
    names = [name for name, _ in net.named_parameters()]
    made = {name: state[name].abs().requires_grad_() for name in names}
    buffers = {name: value for name, value in state.items() if name in dict(net.named_buffers())}
    modes = {module: module.training for module in net.modules()}
    try:
        net.eval()
        ones = torch.ones(1, *input_shape, dtype=torch.float64)
        out = torch.func.functional_call(net, buffers | made, (ones,))
    finally:
        for module, mode in modes.items():
            module.training = mode
    gradients = torch.autograd.grad(out.sum(), list(made.values()), allow_unused=True)
    return float(sum((p * g).abs().sum() for p, g in zip(made.values(), gradients) if g is not None))


@book.right("synflow_score")
def in_place_and_back(net, input_shape):
    _sound(net)
    saved = {name: value.clone() for name, value in net.state_dict().items()}
    modes = [(module, module.training) for module in net.modules()]
    before = [(p, p.grad, p.requires_grad) for p in net.parameters()]
    dtype = next(net.parameters()).dtype
    for p in net.parameters():
        p.grad, p.requires_grad = None, True
    net.double().eval()
    with torch.no_grad():
        for p in net.parameters():
            p.abs_()
    net(torch.ones(1, *input_shape, dtype=torch.float64)).sum().backward()
    total = sum(float((p.detach() * p.grad).sum()) for p in net.parameters() if p.grad is not None)
    for p in net.parameters():
        p.grad = None
    net.to(dtype)
    net.load_state_dict(saved)
    for module, mode in modes:
        module.training = mode
    for p, grad, needed in before:
        p.requires_grad, p.grad = needed, grad
    return total


# ----------------------------------------------------------------------------------- grad_norm_score

PROBE, LOSS = "copy.deepcopy(net).requires_grad_()", "F.cross_entropy(probe(x), y)"
NORMS, SKIP = (
    "float(sum(gradient.norm() for gradient in gradients if gradient is not None))",
    "if gradient is not None",
)
PARTS, FRESH = "list(probe.parameters())", "torch.autograd.grad(loss, parameters, allow_unused=True)"
BOTH = "for p, gradient in zip(parameters, gradients) if gradient is not None"
SALIENCY = "the gradient is multiplied by the parameters: take the norm of the gradient alone"
MODE = "the network is used in the mode in which it was passed in"
LOGITS = "the cross-entropy takes logits"

book.edits(
    "grad_norm_score",
    (
        "remembers-scores",
        "the second call on a network returns the first score here, though its weights have changed since",
        {
            "return float(sum(gradient.norm() for gradient in gradients if gradient is not None))": "import weakref\n"
            "    known = grad_norm_score.__dict__.setdefault('known', weakref.WeakKeyDictionary())\n"
            "    return known.setdefault(net, float(sum(gradient.norm() for gradient in gradients if gradient is not None)))"
        },
    ),
    (
        "adds-a-constant",
        "a small constant is added under the root here: a tiny gradient drowns in it",
        {"gradient.norm()": "(gradient.square().sum() + 1e-12).sqrt()"},
    ),
    (
        "part-of-the-batch",
        "only the first eight images count here: the loss is the mean over the whole batch",
        {"F.cross_entropy(probe(x), y)": "F.cross_entropy(probe(x[:8]), y[:8])"},
    ),
    (
        "mutates-input",
        "",
        {
            "probe = copy.deepcopy(net).requires_grad_()": "was = [p.requires_grad for p in net.parameters()]\n"
            "    probe = copy.deepcopy(net.requires_grad_())",
            "    return float(": "    for p, needed in zip(net.parameters(), was):\n"
            "        p.requires_grad_(needed)\n    return float(",
        },
    ),
    (
        "one-norm",
        "this is the norm of all gradients together: take it per tensor, then sum",
        {NORMS: f"math.sqrt(sum(float(gradient.norm()) ** 2 for gradient in gradients {SKIP}))"},
    ),
    (
        "squared",
        "the norms are squared: sum the norms themselves",
        {"gradient.norm()": "(gradient**2).sum()"},
    ),
    (
        "other-norm",
        "these are sums of absolute values: take the L2 norm of each tensor",
        {"gradient.norm()": "gradient.abs().sum()"},
    ),
    (
        "other-norm",
        "these are the largest entries: take the L2 norm of each tensor",
        {"gradient.norm()": "gradient.abs().max()"},
    ),
    (
        "mean",
        "sum over the tensors, not their mean",
        {NORMS: f"float(np.mean([float(gradient.norm()) for gradient in gradients {SKIP}]))"},
    ),
    (
        "mean",
        "the norm is divided by the root of the tensor's size: take the L2 norm itself",
        {"gradient.norm()": "gradient.pow(2).mean().sqrt()"},
    ),
    (
        "weights-only",
        "only weights count here: biases and the batch norms' parameters count too",
        {SKIP: f"{SKIP} and gradient.ndim > 1"},
    ),
    (
        "summed-loss",
        "the cross-entropy is the mean over the batch, not its sum",
        {LOSS: 'F.cross_entropy(probe(x), y, reduction="sum")'},
    ),
    ("saliency", SALIENCY, {NORMS: f"float(sum((p.detach() * gradient).abs().sum() {BOTH}))"}),
    ("saliency", SALIENCY, {NORMS: f"float(sum((p.detach() * gradient).norm() {BOTH}))"}),
    (
        "parameters-not-gradients",
        "these are the norms of the parameters, not of their gradients",
        {NORMS: f"float(sum(p.detach().norm() {BOTH}))"},
    ),
    (
        "other-loss",
        "the loss is the cross-entropy, not the squared error of the logits",
        {LOSS: "F.mse_loss(probe(x), F.one_hot(y, probe(x).shape[1]).to(x.dtype))"},
    ),
    (
        "other-loss",
        f"{LOGITS}: here softmax is applied twice",
        {LOSS: "F.cross_entropy(probe(x).softmax(1), y)"},
    ),
    ("other-loss", f"{LOGITS}: nll_loss takes log-probabilities", {LOSS: "F.nll_loss(probe(x), y)"}),
    (
        "naive-softmax",
        "the logarithm of a softmax that has come to 0 is infinite: take F.cross_entropy of the logits",
        {LOSS: "-torch.log(torch.softmax(probe(x), 1))[torch.arange(len(y)), y].mean()"},
    ),
    (
        "all-tensors",
        "only the last layer's gradients count here: all layers do",
        {"for gradient in gradients": "for gradient in gradients[-2:]"},
    ),
    (
        "all-tensors",
        "only the first layer's gradients count here: all layers do",
        {"for gradient in gradients": "for gradient in gradients[:2]"},
    ),
    ("mode", f"{MODE}: here always in evaluation mode", {PROBE: f"{PROBE}.eval()"}),
    ("mode", f"{MODE}: here always in training mode", {PROBE: f"{PROBE}.train()"}),
    (
        "mode",
        "each part of the network has a mode of its own: here all get that of the whole",
        {PROBE: f"{PROBE}.train(net.training)"},
    ),
    ("dead-parameters", DEAD, {FRESH: "torch.autograd.grad(loss, parameters)"}),
    ("frozen", FROZEN, {PROBE: "copy.deepcopy(net)"}),
    (
        "frozen",
        f"frozen parameters are left out here: {FROZEN}",
        {PROBE: "copy.deepcopy(net)", PARTS: "[p for p in probe.parameters() if p.requires_grad]"},
    ),
    ("tied", TIED, {PARTS: MODULES.format("probe")}),
    (
        "old-gradients",
        OLD,
        {
            f"gradients = {FRESH}": "for p, old in zip(parameters, net.parameters()):\n"
            "        p.grad = None if old.grad is None else old.grad.clone()\n"
            "    loss.backward()\n"
            "    gradients = [p.grad for p in parameters]"
        },
    ),
    (
        "other-loss",
        "the labels are smoothed here: take the plain cross-entropy",
        {LOSS: "F.cross_entropy(probe(x), y, label_smoothing=0.1)"},
    ),
    (
        "one-image",
        "the loss is the mean over the whole batch: here only its first image counts",
        {LOSS: "F.cross_entropy(probe(x)[:1], y[:1]) + 0 * probe(x).sum()"},
    ),
    (
        "norm-of-rows",
        "a norm is taken of each row of a tensor: take one of the whole tensor",
        {
            "gradient.norm()": "gradient.flatten(1).norm(dim=1).sum() if gradient.ndim > 1 else gradient.norm()"
        },
    ),
    (
        "norm-of-rows",
        "a norm is taken of each row of a tensor, and of each number of a bias: take one of the whole tensor",
        {"gradient.norm()": "gradient.reshape(len(gradient), -1).norm(dim=1).sum()"},
    ),
    ("accepts-bad-input", "", {"not loss.isfinite()": "loss.isnan()"}),
    ("changes-settings", "", {LOSS: f"{LOSS}\n    torch.manual_seed(0)"}),
    ("mutates-input", "", {LOSS: f"{LOSS}\n    x.requires_grad_()"}),
    ("mutates-input", "", {PROBE: "net.requires_grad_()"}),
    ("mutates-input", "", {f"gradients = {FRESH}": f"gradients = {FRESH}\n    net.zero_grad()"}),
    (
        "mutates-input",
        "",
        {
            f"gradients = {FRESH}": f"gradients = {FRESH}\n"
            "    for p, g in zip(net.parameters(), gradients):\n        p.grad = g"
        },
    ),
    ("mutates-input", "", {LOSS: f"{LOSS}\n    x[:0] += net(x).sum()"}),
    ("mutates-input", "", {PROBE: f"{PROBE}\n    was = net.training\n    net.eval()\n    net.train(was)"}),
    ("wrong-type", "", {NORMS: NORMS.removeprefix("float")}),
    ("accepts-bad-input", "", {"not parameters or ": ""}),
    ("accepts-bad-input", "", {" or not loss.isfinite()": ""}),
    ("accepts-bad-input", "", {"not loss.isfinite()": "x.isnan().any()"}),
)


@book.right("grad_norm_score")
def by_norms_of_a_copy_s_gradients(net, x, y):
    twin = copy.deepcopy(net)
    for p in twin.parameters():
        p.requires_grad = True
    logits = twin(x)
    loss = (logits.logsumexp(1) - logits.gather(1, y[:, None])[:, 0]).mean()
    if not list(net.parameters()) or not math.isfinite(loss):
        raise ValueError("net must have parameters, and the loss must be finite")
    loss.backward()
    return sum(float(torch.linalg.vector_norm(p.grad)) for p in twin.parameters() if p.grad is not None)


@book.right("grad_norm_score")
def by_backward_and_tidying_up(net, x, y):
    if not list(net.parameters()):
        raise ValueError("net must have parameters")
    saved = {name: value.clone() for name, value in net.state_dict().items()}
    kept = [(p, p.grad, p.requires_grad) for p in net.parameters()]
    for p, _, _ in kept:
        p.grad, p.requires_grad = None, True
    try:
        loss = -F.log_softmax(net(x), dim=1)[torch.arange(len(y)), y].mean()
        if not torch.isfinite(loss):
            raise ValueError(f"the loss must be finite, got {loss}")
        loss.backward()
        return float(sum((p.grad**2).sum().sqrt() for p in net.parameters() if p.grad is not None))
    finally:
        for p, grad, needed in kept:
            p.requires_grad, p.grad = needed, grad
        net.load_state_dict(saved)


@book.right("grad_norm_score")
def by_a_functional_call_of_the_network(net, x, y):
    parameters = {name: p.detach().requires_grad_() for name, p in net.named_parameters()}
    buffers = {name: b.clone() for name, b in net.named_buffers()}
    loss = torch.nn.CrossEntropyLoss()(torch.func.functional_call(net, (parameters, buffers), (x,)), y)
    if not parameters or not np.isfinite(loss.item()):
        raise ValueError("net must have parameters, and the loss must be finite")
    loss.backward()
    return np.sum([np.linalg.norm(p.grad.numpy().ravel()) for p in parameters.values() if p.grad is not None])
