"""Small helpers of the notebooks: going on while an exercise is unfinished, and a quiet progress bar.

`or_fallback` returns the learner's function where it passes its public check, and else the library's
counterpart or a recorded result, and says so. It awards nothing and is no way to solve an exercise: the
counterparts are switched off while a function is checked.
"""

from __future__ import annotations

import contextlib
import io
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from nas_lib.benchmark import Benchmark
from nas_lib.checks import InProcess, exercise, verdicts
from nas_lib.checks._core import read_public, worst
from nas_lib.search import Comparison, History, RandomSearch, Searcher
from nas_lib.searchers import HillClimbing, RegularizedEvolution, SuccessiveHalving
from nas_lib.spaces import Cell, CellSpace, Space, functions, live_edges

T = TypeVar("T")


def progress(items: Iterable[T], unit: str = "run") -> Iterator[T]:
    """The items, with a progress bar on standard output (notebooks paint standard error red)."""
    from tqdm import tqdm

    yield from tqdm(items, unit=unit, file=sys.stdout, ncols=80, mininterval=0.5)


def milliseconds(call: Callable[[], Any], repeats: int = 15) -> float:
    """Median processor time of a call, after one that does not count."""
    times = []
    for _ in range(repeats + 1):
        start = time.process_time()
        call()
        times.append(1000 * (time.process_time() - start))
    return float(np.median(times[1:]))


def or_fallback(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The learner's `function` if it solves exercise `name`, else what the library has in its place.

    A function that is right on all valid input but does not refuse bad input is good enough here. Prints one
    sentence when the fallback is taken, and nothing otherwise.

    Raises:
        ValueError: there is no exercise of that name, or nothing that could stand in for it.
    """
    if name not in FALLBACKS:
        raise ValueError(f"name must be one of {', '.join(FALLBACKS)}, got {name!r}")
    problem = _problem(name, function)
    if problem is None:
        return function
    fallback, what = FALLBACKS[name]
    print(f"Your {name} is not used here ({problem}), so {what} stands in for it.")
    return fallback


def _problem(name: str, function: Callable[..., Any]) -> str | None:
    """Why the learner's function cannot be used, in a few words; None where it can."""
    item = exercise(name)
    try:
        stored = read_public(item.lesson)[name]
    except (OSError, ValueError, KeyError):
        return "its public checks are missing from this installation of nas_lib"
    instances = [instance for instance, _ in stored]
    silence = io.StringIO()
    with contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence):
        answers = InProcess({name: function}).collect(item, name, instances)
    found = verdicts(item, instances, answers, [expected for _, expected in stored])
    verdict = worst([one for one in found if one.concept != "accepts-bad-input"])
    if verdict.right:
        return None
    return "not written yet" if verdict.concept == "not-implemented" else "its check is not passed"


def paired_numbers(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`a` and `b` as float arrays of one length (n,), n ≥ 2: what a rank correlation needs.

    Raises:
        ValueError: other shapes, an entry that is not finite, or a constant, which has no order.
    """
    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if first.ndim != 1 or first.shape != second.shape or len(first) < 2:
        shapes = f"{first.shape} and {second.shape}"
        raise ValueError(f"a and b must be two or more pairs of numbers, got the shapes {shapes}")
    for name, values in (("a", first), ("b", second)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite numbers, got {values[~np.isfinite(values)][0]}")
        if np.ptp(values) == 0:
            raise ValueError(f"{name} must hold at least two different numbers, got {values[0]} everywhere")
    return first, second


class _Spent(Exception):
    """The seconds are used up: raised through a search that counts evaluations."""


def within_seconds(
    search: Callable[[Callable[[Any], float], Space, int, Generator], History],
    benchmark: Benchmark,
    seconds: float,
    rng: Generator,
) -> float:
    """What a search that counts evaluations would choose on a budget of simulated seconds.

    Args:
        search: called as `search(objective, space, budget, rng)`; it is stopped by an exception of the objective.
        benchmark: answers; the search sees `valid`.
        seconds: the evaluations that fit into them are made.

    Returns:
        `test` (percent) of the architecture with the highest `valid` seen.

    Raises:
        ValueError: not even one evaluation fits, or the benchmark knows no seconds.
    """
    seen: list[tuple[float, float]] = []
    left = seconds

    def objective(arch: Any) -> float:
        nonlocal left
        answer = benchmark.query(arch)
        if answer.seconds is None or answer.test is None:
            raise ValueError(f"benchmark must know seconds and test accuracies, got {answer} for {arch}")
        left -= answer.seconds
        if left < 0:
            raise _Spent
        seen.append((answer.valid, answer.test))
        return answer.valid

    with contextlib.suppress(_Spent):
        search(objective, benchmark.space, len(benchmark.space), rng)
    if not seen:
        raise ValueError(f"seconds must pay for at least one evaluation, got {seconds}")
    return max(seen, key=lambda pair: pair[0])[1]


def proxy_scores() -> dict[str, NDArray[np.float64]]:
    """Recorded scores of untrained networks, "synflow" and "grad_norm": (functions, initialisations).

    Row i belongs to the i-th cell of `functions()[0]`, column j to the weights of `build_network(cell, seed=j)`.
    """
    with np.load(PROXY_SCORES_PATH) as data:
        return {name: data[name].astype(float) for name in ("synflow", "grad_norm")}


# What stands in for each exercise. Plain functions at top level, so that checks can switch them off by name.


def _cell_index(arch: Sequence[str]) -> int:
    return CellSpace().index(arch)


def _cell_from_index(i: int) -> Cell:
    return CellSpace().from_index(i)


def _count_active_ops(arch: Sequence[str]) -> int:
    return sum(live_edges(arch))


def _sample_uniform(space: Space, rng: Generator) -> Any:
    return space.sample(rng)


def _random_search(objective: Callable[[Any], float], space: Space, budget: int, rng: Generator) -> History:
    searcher = RandomSearch(space, rng)
    archs = [searcher.ask() for _ in range(budget)]
    return History(archs, np.array([objective(arch) for arch in archs]))


def _incumbent_curve(values: ArrayLike) -> NDArray[np.float64]:
    return _history_of(values).incumbent()


def _simple_regret(values: ArrayLike, best: float) -> NDArray[np.float64]:
    return _history_of(values).regret(best)


def _history_of(values: ArrayLike) -> History:
    array = np.asarray(values, dtype=float)
    return History(list(range(len(array))), array)


def _samples_for_top_fraction(fraction: float, confidence: float) -> int:
    if confidence != RECORDED_CONFIDENCE or fraction not in RECORDED_SAMPLES:
        accepted = ", ".join(f"{known:g}" for known in RECORDED_SAMPLES)
        raise ValueError(
            f"recorded are the fractions {accepted} at confidence {RECORDED_CONFIDENCE:g}, "
            f"got {fraction!r} at {confidence!r}: write samples_for_top_fraction for any others"
        )
    return RECORDED_SAMPLES[fraction]


def _paired_bootstrap(
    a: ArrayLike, b: ArrayLike, rng: Generator, resamples: int = 10_000
) -> tuple[float, tuple[float, float]]:
    columns = {name: np.asarray(values, dtype=float)[:, None] for name, values in (("a", a), ("b", b))}
    runs = Comparison(np.ones(1), columns, best=0.0, histories={})  # all that its statistics need
    paired = runs.paired("a", "b", resamples=resamples, seed=int(rng.integers(2**31)))
    return paired.mean, (paired.low, paired.high)


PROXY_SCORES_PATH = Path(__file__).parent / "assets" / "proxy_scores.npz"
"""Scores of untrained networks, written by `scripts/recordings/proxy_scores.py`."""
PROXY_SEEDS, PROXY_BATCH = 3, 64
"""Initialisations (seeds 0, 1, … of `build_network`) and training images behind each recorded score."""


def _hill_climb(objective: Callable[[Any], float], space: Space, budget: int, rng: Generator) -> History:
    return _told(HillClimbing(space, rng), objective, budget)


def _regularized_evolution(
    objective: Callable[[Any], float], space: Space, budget: int, population: int, sample: int, rng: Generator
) -> History:
    return _told(RegularizedEvolution(space, rng, population, sample), objective, budget)


def _told(searcher: Searcher, objective: Callable[[Any], float], budget: int) -> History:
    archs, values = [], []
    for _ in range(budget):
        archs.append(searcher.ask())
        values.append(float(objective(archs[-1])))
        searcher.tell(archs[-1], values[-1])
    return History(archs, np.array(values))


def _successive_halving(
    train_to: Callable[[Any, int], float], configs: Sequence[Any], eta: int, min_epochs: int, max_epochs: int
) -> tuple[Any, list[tuple[Any, int, float]]]:
    race = SuccessiveHalving(range(len(configs)), max_epochs, eta=eta, min_epochs=min_epochs)
    trials = []
    with contextlib.suppress(StopIteration):
        while True:
            place, epochs = race.ask()
            trials.append((configs[place], epochs, float(train_to(configs[place], epochs))))
            race.tell(place, epochs, trials[-1][2])
    return configs[race.winner], trials


def _spearman(a: ArrayLike, b: ArrayLike) -> float:
    from scipy import stats

    return float(stats.spearmanr(*paired_numbers(a, b))[0])


def _kendall_tau(a: ArrayLike, b: ArrayLike) -> float:
    from scipy import stats

    return float(stats.kendalltau(*paired_numbers(a, b))[0])


def _recorded_score(name: str, net: Any) -> float:
    places: dict[Any, int] = {cell: place for place, cell in enumerate(functions()[0])}
    place = places.get(getattr(net, "arch", None))
    if place is None:
        raise ValueError(
            f"recorded are the scores of the first cell of each function, got {net}: write {name}_score"
        )
    return float(proxy_scores()[name][place, 0])


def _synflow_score(net: Any, input_shape: Sequence[int]) -> float:
    return _recorded_score("synflow", net)


def _grad_norm_score(net: Any, x: Any, y: Any) -> float:
    return _recorded_score("grad_norm", net)


def _exact_policy_gradient(logits: Any, rewards: Any) -> Any:
    import torch

    rewards = torch.as_tensor(rewards, dtype=torch.float64)
    logits = torch.as_tensor(logits, dtype=torch.float64)
    return torch.func.grad(lambda one: one.softmax(0).dot(rewards))(logits)


def _reinforce_loss(
    log_probs: Any, rewards: Any, baseline: Any, entropies: Any, entropy_weight: float
) -> Any:
    import torch

    from nas_lib.controller import Score, surrogate

    advantage = torch.as_tensor(rewards - baseline, dtype=log_probs.dtype)
    return surrogate(Score(log_probs[:, None], entropies[:, None]), advantage, entropy_weight)


def _ema_baseline(rewards: ArrayLike, decay: float) -> NDArray[np.float64]:
    from scipy.signal import lfilter

    return lfilter([0.0, 1.0 - decay], [1.0, -decay], np.asarray(rewards, dtype=float))


def _discounted_returns(rewards: ArrayLike, gamma: float) -> NDArray[np.float64]:
    from scipy.signal import lfilter

    return np.flip(lfilter([1.0], [1.0, -gamma], np.flip(np.asarray(rewards, dtype=float))))


def _controller(choices: Sequence[Sequence[Any]], hidden: int = 64, embedding: int = 32) -> Any:
    from nas_lib.controller import ArchPolicy

    return ArchPolicy([len(options) for options in choices], hidden, embedding)


def _mixed_op(outputs: Sequence[Any], alphas: Any) -> Any:
    import torch

    return torch.tensordot(alphas.softmax(0), torch.stack(list(outputs)), dims=1)


def _cell_supernet(channels: int, alphas: Any) -> Any:
    from nas_lib.supernet import MixedCell

    return MixedCell(channels, alphas)


def _discretize(alphas: Any, exclude_none: bool = True) -> Any:
    import torch

    from nas_lib.darts import chosen_cell

    return chosen_cell(torch.as_tensor(alphas), with_none=not exclude_none)


def _weight_step(model: Any, loss_fn: Any, batch: Any, optimizer: Any) -> float:
    from nas_lib.darts import Bilevel

    return Bilevel(model, loss_fn, optimizer, None).update_weights(batch)


def _alpha_step_first_order(model: Any, loss_fn: Any, valid_batch: Any, alpha_optimizer: Any) -> float:
    from nas_lib.darts import Bilevel

    return Bilevel(model, loss_fn, None, alpha_optimizer).update_alphas(valid_batch, valid_batch)


def _alpha_step_second_order(
    model: Any,
    loss_fn: Any,
    train_batch: Any,
    valid_batch: Any,
    alpha_optimizer: Any,
    weight_lr: float,
    eps: float = 0.01,
) -> float:
    from nas_lib.darts import Bilevel

    bilevel = Bilevel(model, loss_fn, None, alpha_optimizer, order=2, eps=eps)
    return bilevel.update_alphas(train_batch, valid_batch, rate=weight_lr)


def _gumbel_softmax_sample(logits: Any, tau: float, generator: Any, hard: bool = False) -> Any:
    from nas_lib.darts import concrete_sample

    return concrete_sample(logits, tau, generator, hard)


def _sample_path(choices: Sequence[Sequence[Any]], rng: Generator) -> tuple[Any, ...]:
    from nas_lib.one_shot import uniform_paths

    return next(uniform_paths(choices, rng))


def _fair_paths(choices: Sequence[Sequence[Any]], rng: Generator) -> list[tuple[Any, ...]]:
    from nas_lib.one_shot import fair_round

    return fair_round(choices, rng)


def _train_single_path_step(supernet: Any, batch: Any, optimizer: Any, path: Sequence[Any]) -> float:
    from nas_lib.one_shot import path_loss

    optimizer.zero_grad()
    loss = path_loss(supernet, batch, path)
    optimizer.step()
    return loss


def _recalibrate_bn(supernet: Any, path: Sequence[Any], batches: Iterable[Any]) -> None:
    from nas_lib.one_shot import OnPath, recalibrate

    recalibrate(OnPath(supernet, path), (x for x, _ in batches))


def _rank_correlation(scores: ArrayLike, truth: ArrayLike, top: float | None = None) -> float:
    from nas_lib.one_shot import agreement

    return agreement(scores, truth, 1.0 if top is None else top).tau_top


def _evolve_under_constraint(
    evaluate: Callable[[Any], float],
    cost: Callable[[Any], float],
    limit: float,
    space: Space,
    budget: int,
    population: int,
    rng: Generator,
) -> History:
    from nas_lib.searchers import ConstrainedEvolution

    several = max(2, population)
    searcher = ConstrainedEvolution(space, rng, cost, limit, several, max(2, several // 2))
    archs: list[Any] = []
    values: list[float] = []
    with contextlib.suppress(StopIteration):
        while len(archs) < budget:
            archs.append(searcher.ask())
            values.append(evaluate(archs[-1]))
            searcher.tell(archs[-1], values[-1])
    while len(archs) < budget:  # all within the limit have been told: the best of them again
        archs.append(archs[int(np.argmax(values))])
        values.append(evaluate(archs[-1]))
    return History(archs, np.array(values))


def _slice_kernel(weight: Any, size: int, transform: Any = None) -> Any:
    from nas_lib.mobile import inner_kernel

    return inner_kernel(weight, size, transform)


def _slice_width(weight: Any, width: int, importance: Any) -> tuple[Any, Any]:
    indices = importance.argsort(descending=True, stable=True)[:width]
    return weight[indices], indices


def _progressive_shrinking_schedule(
    step: int, phases: Sequence[tuple[int, Mapping[str, Sequence[Any]]]]
) -> dict[str, tuple[Any, ...]]:
    begun = [options for first, options in phases if first <= step]
    names = dict.fromkeys(name for options in begun for name in options)
    return {
        name: tuple(dict.fromkeys(one for options in begun for one in options.get(name, ())))
        for name in names
    }


def _distillation_loss(student: Any, teacher: Any, labels: Any, temperature: float, weight: float) -> Any:
    from nas_lib.elastic_training import distillation_loss

    return distillation_loss(student, teacher, labels, temperature, weight)


def _benchmark_latency(
    fn: Callable[[], Any],
    warmup: int,
    repeats: int,
    synchronize: Callable[[], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[float, float, float]:
    from nas_lib.latency import time_calls

    found = time_calls(fn, warmup=warmup, repeats=repeats, synchronize=synchronize, clock=clock)
    return found.low, found.median, found.high


def _latency_table(
    ops: Sequence[str], shapes: Sequence[tuple[int, ...]], measure: Callable[[str, tuple[int, ...]], float]
) -> dict[tuple[str, tuple[int, ...]], float]:
    return {(op, shape): measure(op, shape) for op in ops for shape in shapes}


def _predict_latency(keys: Sequence[Any], table: Mapping[Any, float], overhead: float = 0.0) -> float:
    from nas_lib.latency import LatencyTable

    return LatencyTable(dict(table), overhead=overhead).predict(keys)


def _roofline_latency(macs: float, bytes_moved: float, device: Any) -> float:
    # In one line: macs per second are half the FLOP per second.
    return device.overhead + float(np.maximum(macs / (device.peak / 2), bytes_moved / device.bandwidth))


def _mnasnet_reward(
    accuracy: ArrayLike, latency: ArrayLike, target: float, alpha: float = -0.07, beta: float = -0.07
) -> Any:
    excess = np.log(np.asarray(latency, dtype=float) / target)
    return accuracy * np.exp(alpha * np.minimum(excess, 0.0) + beta * np.maximum(excess, 0.0))


def _pareto_front(accuracy: ArrayLike, latency: ArrayLike) -> NDArray[np.int64]:
    from nas_lib.pareto import non_dominated

    points = np.column_stack([np.asarray(latency, dtype=float), -np.asarray(accuracy, dtype=float)])
    _, first = np.unique(points, axis=0, return_index=True)
    return first[non_dominated(-points[first])]


def _hypervolume_2d(accuracy: ArrayLike, latency: ArrayLike, reference: Sequence[float]) -> float:
    from nas_lib.pareto import hypervolume

    points = np.column_stack([np.asarray(accuracy, dtype=float), -np.asarray(latency, dtype=float)])
    return hypervolume(points, [reference[0], -reference[1]])


def _fake_quantize(x: Any, bits: int, per_channel: bool = False) -> Any:
    from nas_lib.quantization import rounded_weights

    return rounded_weights(x, bits, axis=0 if per_channel else None)


def _search_bits(
    evaluate: Callable[[Any, int], float],
    size: Callable[[Any, int], float],
    archs: Sequence[Any],
    bit_choices: Sequence[int],
    size_limit: float,
    budget: int,
    rng: Generator,
) -> tuple[tuple[Any, int], History]:
    from nas_lib.quantization import evolve_bits

    found = evolve_bits(evaluate, size, archs, bit_choices, size_limit, budget, rng)
    best = max(found, key=lambda one: one[2])
    return best[:2], History([(arch, bits) for arch, bits, _ in found], np.array([one[2] for one in found]))


def _scaled_cost(alpha: float, beta: float, gamma: float, phi: float) -> float:
    from nas_lib.scaling import Coefficients

    return Coefficients(alpha, beta, gamma).at(phi).cost


def _round_filters(filters: int, width: float, divisor: int = 8) -> int:
    from nas_lib.efficientnet import nearest_multiple

    return nearest_multiple(filters * width, divisor)


def _round_repeats(repeats: int, depth: float) -> int:
    return int(-(-repeats * depth // 1))


def _efficientnet_stages(variant: str) -> list[tuple[int, ...]]:
    from nas_lib.efficientnet import efficientnet_plan

    return [stage[:6] for stage in efficientnet_plan(variant).stages]


def _mbconv(
    in_channels: int,
    out_channels: int,
    kernel: int,
    stride: int,
    expand: int,
    se_ratio: float,
    drop_rate: float,
) -> Any:
    return _block("MBConv", in_channels, out_channels, kernel, stride, expand, drop_rate)


def _fused_mbconv(
    in_channels: int, out_channels: int, kernel: int, stride: int, expand: int, drop_rate: float
) -> Any:
    return _block("FusedMBConv", in_channels, out_channels, kernel, stride, expand, drop_rate)


def _block(kind: str, *shape: Any) -> Any:
    from nas_lib import efficientnet
    from nas_lib.mobile import BlockPlan

    *sizes, drop_rate = shape
    return getattr(efficientnet, kind)(BlockPlan(0, 0, *sizes), drop_rate)


def _grid_search_coefficients(
    evaluate: Callable[[float, float, float], float], step: float, tolerance: float, limit: float = 2.0
) -> tuple[float, float, float]:
    from nas_lib.scaling import coefficient_grid

    return max(coefficient_grid(step, tolerance, limit), key=lambda point: evaluate(*point))


def _mixup(x: Any, y: Any, alpha: float, rng: Generator, classes: int) -> Any:
    from nas_lib.augmentation import Mixup

    return Mixup(alpha, classes, rng)(x, y)


def _rand_augment(image: Any, n: int, m: float, rng: Generator) -> Any:
    from nas_lib.augmentation import RandAugment

    return RandAugment(n, m, rng)(image)


def _progressive_schedule(
    stage: int, stages: int, resolution: tuple[int, int], magnitude: tuple[float, float]
) -> tuple[int, float]:
    from nas_lib.scaling import growing

    phase = growing(stages, resolution, magnitude)[stage]
    return phase.resolution, phase.magnitude


RECORDED_CONFIDENCE = 0.95
RECORDED_SAMPLES = {0.1: 29, 0.05: 59, 0.02: 149, 0.01: 299, 0.005: 598}
"""Results of the reference's `samples_for_top_fraction` for the fractions that lesson 01 asks for."""

_LIBRARY, _RECORDED = "the library's own version", "a table of recorded results"
FALLBACKS: dict[str, tuple[Callable[..., Any], str]] = {
    "cell_index": (_cell_index, _LIBRARY),
    "cell_from_index": (_cell_from_index, _LIBRARY),
    "count_active_ops": (_count_active_ops, _LIBRARY),
    "sample_uniform": (_sample_uniform, _LIBRARY),
    "random_search": (_random_search, _LIBRARY),
    "incumbent_curve": (_incumbent_curve, _LIBRARY),
    "simple_regret": (_simple_regret, _LIBRARY),
    "samples_for_top_fraction": (_samples_for_top_fraction, _RECORDED),
    "paired_bootstrap": (_paired_bootstrap, _LIBRARY),
    "hill_climb": (_hill_climb, _LIBRARY),
    "regularized_evolution": (_regularized_evolution, _LIBRARY),
    "successive_halving": (_successive_halving, _LIBRARY),
    "spearman": (_spearman, "scipy's"),
    "kendall_tau": (_kendall_tau, "scipy's"),
    "synflow_score": (_synflow_score, _RECORDED),
    "grad_norm_score": (_grad_norm_score, _RECORDED),
    "exact_policy_gradient": (_exact_policy_gradient, _LIBRARY),
    "reinforce_loss": (_reinforce_loss, _LIBRARY),
    "ema_baseline": (_ema_baseline, _LIBRARY),
    "Controller": (_controller, "the library's own controller"),
    "discounted_returns": (_discounted_returns, _LIBRARY),
    "mixed_op": (_mixed_op, _LIBRARY),
    "CellSupernet": (_cell_supernet, "the library's own, faster cell"),
    "discretize": (_discretize, _LIBRARY),
    "weight_step": (_weight_step, _LIBRARY),
    "alpha_step_first_order": (_alpha_step_first_order, _LIBRARY),
    "alpha_step_second_order": (_alpha_step_second_order, _LIBRARY),
    "gumbel_softmax_sample": (_gumbel_softmax_sample, _LIBRARY),
    "sample_path": (_sample_path, _LIBRARY),
    "fair_paths": (_fair_paths, _LIBRARY),
    "train_single_path_step": (_train_single_path_step, _LIBRARY),
    "recalibrate_bn": (_recalibrate_bn, _LIBRARY),
    "rank_correlation": (_rank_correlation, _LIBRARY),
    "evolve_under_constraint": (_evolve_under_constraint, _LIBRARY),
    "slice_kernel": (_slice_kernel, _LIBRARY),
    "slice_width": (_slice_width, _LIBRARY),
    "progressive_shrinking_schedule": (_progressive_shrinking_schedule, _LIBRARY),
    "distillation_loss": (_distillation_loss, _LIBRARY),
    "benchmark_latency": (_benchmark_latency, _LIBRARY),
    "latency_table": (_latency_table, _LIBRARY),
    "predict_latency": (_predict_latency, _LIBRARY),
    "roofline_latency": (_roofline_latency, _LIBRARY),
    "mnasnet_reward": (_mnasnet_reward, _LIBRARY),
    "pareto_front": (_pareto_front, _LIBRARY),
    "hypervolume_2d": (_hypervolume_2d, _LIBRARY),
    "fake_quantize": (_fake_quantize, _LIBRARY),
    "search_bits": (_search_bits, _LIBRARY),
    "scaled_cost": (_scaled_cost, _LIBRARY),
    "round_filters": (_round_filters, _LIBRARY),
    "round_repeats": (_round_repeats, _LIBRARY),
    "efficientnet_stages": (_efficientnet_stages, _LIBRARY),
    "MBConv": (_mbconv, "the library's own block"),
    "FusedMBConv": (_fused_mbconv, "the library's own block"),
    "grid_search_coefficients": (_grid_search_coefficients, _LIBRARY),
    "mixup": (_mixup, _LIBRARY),
    "rand_augment": (_rand_augment, _LIBRARY),
    "progressive_schedule": (_progressive_schedule, _LIBRARY),
}
"""For each exercise what stands in for it, and in words what that is."""
