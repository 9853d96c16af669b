"""The library's recurrent policy and the searches around it, and the real data's reader."""

from __future__ import annotations

import itertools
import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from nas_lib import real_data
from nas_lib.benchmark import TabularBenchmark
from nas_lib.controller import ArchPolicy, LSTMPolicy, LSTMReinforce, PolicySearch, Score, surrogate
from nas_lib.rankings import mean_interval
from nas_lib.search import Searcher, compare, run
from nas_lib.searchers import Reinforce
from nas_lib.spaces import CellSpace

SIZES = (3, 1, 2, 4)
EVERYTHING = torch.tensor(list(itertools.product(*map(range, SIZES))))
SMALL = CellSpace(ops=("none", "skip_connect", "nor_conv_3x3"))


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def policy() -> LSTMPolicy:
    """In float64, away from its nearly uniform beginning."""
    torch.manual_seed(0)
    made = LSTMPolicy(SIZES, hidden=8, embedding=5).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.5 * torch.randn(parameter.shape, generator=_generator(1), dtype=torch.float64)
    return made


# --- the policy ---


def test_all_architectures_together_have_probability_one(policy: LSTMPolicy) -> None:
    assert policy.score(EVERYTHING).log_p.sum(1).exp().sum().item() == pytest.approx(1, abs=1e-12)


def test_draws_follow_the_scores(policy: LSTMPolicy) -> None:
    drawn = policy.draw(20_000, _generator())
    counts = np.bincount(np.ravel_multi_index(tuple(drawn.T.numpy()), SIZES), minlength=len(EVERYTHING))
    expected = policy.score(EVERYTHING).log_p.sum(1).exp().detach().numpy()
    # a right sampler has a smaller p-value once in a million seeds, and this seed is fixed
    assert stats.chisquare(counts, 20_000 * expected / expected.sum()).pvalue > 1e-6


def test_draws_depend_on_the_generator_alone(policy: LSTMPolicy) -> None:
    first = policy.draw(50, _generator(3))
    torch.manual_seed(99)
    assert torch.equal(first, policy.draw(50, _generator(3)))
    assert not torch.equal(first, policy.draw(50, _generator(4)))


def test_the_entropies_of_all_decisions_make_the_entropy_of_the_whole(policy: LSTMPolicy) -> None:
    score = policy.score(EVERYTHING)
    p = score.log_p.sum(1).exp()
    assert float(p @ score.entropy.sum(1)) == pytest.approx(float(-(p * p.log()).sum()), abs=1e-12)


def test_the_surrogate_s_expected_gradient_is_that_of_the_expected_reward(policy: LSTMPolicy) -> None:
    rewards = torch.randn(len(EVERYTHING), generator=_generator(5), dtype=torch.float64)
    parameters = list(policy.parameters())
    score = policy.score(EVERYTHING)
    p = score.log_p.sum(1).exp()
    exact = torch.autograd.grad(p @ rewards, parameters, retain_graph=True)
    # Every architecture once, weighted by its probability: the expectation of the estimate, a baseline included.
    weighted = p.detach() * (rewards - 0.7) * len(EVERYTHING)
    estimate = torch.autograd.grad(surrogate(score, weighted, 0.0), parameters)
    for one, other in zip(exact, estimate):
        torch.testing.assert_close(one, -other)


def test_the_entropy_bonus_enters_the_surrogate_with_its_weight() -> None:
    log_p, entropy = torch.tensor([[-1.0, -2.0]]), torch.tensor([[0.5, 1.5]])
    assert float(surrogate(Score(log_p, entropy), torch.tensor([2.0]), 0.25)) == pytest.approx(6 - 0.5)


def test_whole_architectures_are_sums_over_decisions() -> None:
    policy = ArchPolicy(SIZES)
    options, log_p, entropy = policy.sample(7, _generator())
    score = policy.score(options)
    torch.testing.assert_close(log_p, score.log_p.sum(1))
    torch.testing.assert_close(entropy, score.entropy.sum(1))
    torch.testing.assert_close(policy.log_prob(options), log_p)


@pytest.mark.parametrize("sizes", [(), (3, 0)])
def test_a_policy_needs_options(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="sizes"):
        LSTMPolicy(sizes)


# --- the searches ---


@pytest.fixture(scope="module")
def easy() -> TabularBenchmark:
    """Each edge has a best operation of its own: what a policy gradient has to find."""
    right = np.random.default_rng(0).integers(3, size=6)
    cells = np.array(list(itertools.product(range(3), repeat=6)))
    return TabularBenchmark.from_arrays(SMALL, 50.0 + 5.0 * (cells == right).sum(1))


def _mine(**options: Any) -> Any:
    def loss(log_probs: Any, rewards: Any, baseline: float, entropies: Any, weight: float) -> Any:
        return -((rewards - baseline) * log_probs).mean() - weight * entropies.mean()

    make = lambda choices: ArchPolicy([len(one) for one in choices])  # noqa: E731
    return partial(PolicySearch, policy=make, loss=loss, **options)


@pytest.mark.parametrize("factory", [LSTMReinforce, _mine()], ids=["LSTMReinforce", "PolicySearch"])
def test_the_search_learns_and_repeats_itself_from_its_seed(factory: Any, easy: TabularBenchmark) -> None:
    assert isinstance(factory(SMALL, np.random.default_rng(0)), Searcher)
    history = run(partial(factory, learning_rate=0.01), easy, 250, seed=1)
    assert history.values[-30:].mean() > history.values[:30].mean() + 5
    torch.manual_seed(7)  # the global generator plays no part
    again = run(partial(factory, learning_rate=0.01), easy, 250, seed=1)
    assert again.archs == history.archs


def test_both_searches_are_the_same_algorithm(easy: TabularBenchmark) -> None:
    one = run(LSTMReinforce, easy, 60, seed=2)
    assert run(_mine(), easy, 60, seed=2).archs == one.archs


def test_the_global_generator_is_left_as_it_was() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    searcher = LSTMReinforce(SMALL, np.random.default_rng(0))
    searcher.tell(searcher.ask(), 50.0)
    assert torch.equal(torch.rand(3), expected)


def test_an_entropy_bonus_keeps_the_policy_undecided(easy: TabularBenchmark) -> None:
    left = {}
    for weight in (0.0, 20.0):
        searcher = LSTMReinforce(SMALL, np.random.default_rng(0), learning_rate=0.01, entropy_weight=weight)
        run(searcher, easy, 250, seed=0)
        left[weight] = float(
            searcher.policy.score(searcher.policy.draw(200, _generator())).entropy.sum(1).mean().detach()
        )
    assert left[0.0] < left[20.0] - 1


def test_the_baseline_holds_the_earlier_values_only() -> None:
    searcher = LSTMReinforce(SMALL, np.random.default_rng(0), decay=0.5)
    for value, baseline in ((60.0, 60.0), (80.0, 70.0), (70.0, 70.0)):
        searcher.tell(searcher.ask(), value)
        assert searcher.baseline == pytest.approx(baseline)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_no_number_teaches_nothing(value: float) -> None:
    searcher = LSTMReinforce(SMALL, np.random.default_rng(0))
    arch = searcher.ask()
    with pytest.raises(ValueError, match="value must be a finite number"):
        searcher.tell(arch, value)
    assert searcher.baseline is None
    assert all(bool(parameter.isfinite().all()) for parameter in searcher.policy.parameters())


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": math.inf}, "learning_rate"),
        ({"decay": 1.0}, "decay"),
        ({"decay": -0.1}, "decay"),
        ({"entropy_weight": -1.0}, "entropy_weight"),
        ({"entropy_weight": math.nan}, "entropy_weight"),
    ],
)
def test_options_out_of_range_are_named(options: dict[str, float], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        LSTMReinforce(SMALL, np.random.default_rng(0), **options)


def test_randomness_must_come_as_a_numpy_generator() -> None:
    with pytest.raises(TypeError, match="rng"):
        LSTMReinforce(SMALL, 3)  # type: ignore[arg-type]


# --- real NAS-Bench-201 ---


@pytest.fixture(scope="module")
def real(shared_data: Path) -> TabularBenchmark:
    path = shared_data / real_data.FILE
    if not path.exists():
        pytest.skip(f"the real NAS-Bench-201 values are not at {path}")
    return real_data.nas_bench_201(path)


def test_the_file_is_found_by_its_variable_and_above_the_notebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "notebooks" / "03").mkdir(parents=True)
    file = tmp_path / "data" / real_data.FILE
    file.touch()
    monkeypatch.delenv(real_data.FOLDER_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path / "notebooks" / "03")
    assert real_data.find_nas_bench_201() == file
    monkeypatch.setenv(real_data.FOLDER_VARIABLE, str(tmp_path))
    assert real_data.find_nas_bench_201() is None


def test_a_file_without_its_columns_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", arch=np.array([b"x"]))
    with pytest.raises(ValueError, match="train_time_200_s"):
        real_data.nas_bench_201(tmp_path / "other.npz")


def test_the_real_optimum_is_where_the_benchmark_s_authors_found_it(real: TabularBenchmark) -> None:
    assert real.best()[1] == pytest.approx(91.607, abs=0.001)


def test_the_recorded_runs_are_complete_and_tell_their_settings() -> None:
    recorded = json.loads(real_data.CONTROLLER_RUNS.read_text(encoding="utf-8"))
    runs = real_data.recorded_controller_runs()
    assert len({len(values) for values in runs.values()}) == 1
    assert all(values.min() > 80 and values.max() <= 91.607 for values in runs.values())
    assert {f"{name}, tuned" for name in recorded["chosen"]} < set(runs)
    for name, setting in recorded["chosen"].items():
        seen = recorded["seen"][name]
        assert 2 <= len(seen) <= 6 and seen[setting] == max(seen.values())


def test_tuned_alike_the_lstm_is_behind_those_that_look_around_good_cells_and_level_with_the_softmaxes() -> (
    None
):
    runs = real_data.recorded_controller_runs()
    lstm = runs["REINFORCE, LSTM controller, tuned"]
    for name in ("local search, tuned", "regularized evolution, tuned"):
        assert mean_interval(lstm - runs[name])[1][1] < 0
    for name in ("random search", "REINFORCE, independent softmaxes, tuned"):
        low, high = mean_interval(lstm - runs[name])[1]
        assert low < 0 < high


def test_recorded_reinforce_is_near_the_known_figure() -> None:
    """91.15 ± 0.24 over 500 runs, known from elsewhere; 0.15 and four standard errors of ours."""
    values = real_data.recorded_controller_runs()["REINFORCE, independent softmaxes"]
    assert values.mean() == pytest.approx(91.15, abs=0.15 + 4 * 0.24 / math.sqrt(len(values)))


def test_recorded_runs_are_what_the_searches_give(real: TabularBenchmark) -> None:
    recorded = real_data.recorded_controller_runs()
    live = compare({"live": Reinforce}, real, real_data.SECONDS, 5, unit="seconds", progress=False)
    np.testing.assert_allclose(
        live.values["live"][:, -1], recorded["REINFORCE, independent softmaxes"][:5], atol=6e-4
    )


@pytest.mark.slow
def test_the_lstm_controller_s_recorded_runs_can_be_repeated(real: TabularBenchmark) -> None:
    """Other processors add up floats in another order, and a policy may part ways over one: means are compared."""
    chosen = json.loads(real_data.CONTROLLER_RUNS.read_text(encoding="utf-8"))["chosen"]
    recorded = real_data.recorded_controller_runs()["REINFORCE, LSTM controller, tuned"]
    factory = partial(LSTMReinforce, learning_rate=float(chosen["REINFORCE, LSTM controller"]))
    live = compare({"live": factory}, real, real_data.SECONDS, 30, unit="seconds", progress=False)
    error = recorded.std(ddof=1) * math.sqrt(1 / 30 + 1 / len(recorded))
    assert live.values["live"][:, -1].mean() == pytest.approx(recorded.mean(), abs=4 * error)
