"""Predictors that learn as a search goes on, and Bayesian optimisation on top of them.

`GaussianProcess` and `RidgeEnsemble` are told one architecture after the other, as vectors, and say what they expect of
others and how sure they are; `expected_improvement` turns that into what an evaluation promises. `BayesianOptimization`
is the search method. A step costs well under a millisecond, so that hundreds of searches can be compared.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Callable
from functools import cache, lru_cache
from itertools import product
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_triangular
from scipy.special import ndtr, ndtri

from nas_lib._numbers import is_number
from nas_lib.search import RandomSearch
from nas_lib.searchers import _check_generator, _TurnTaking, _whole
from nas_lib.spaces import OPS, Arch, CellSpace, Space

Floats: TypeAlias = NDArray[np.float64]
Encoding: TypeAlias = Callable[[Arch], ArrayLike]

PATHS = ((3,), (0, 4), (1, 5), (0, 2, 5))
"""The edges of the four paths from a cell's input to its output."""


# ----------------------------------------------------------------------------------------------- features


def path_features(arch: Arch) -> Floats:
    """Which sequences of operations stand on the paths of a cell from its input to its output.

    The path encoding of White, Neiswanger & Savani 2021 (BANANAS, arXiv:1910.11858) for NAS-Bench-201, `none` being an
    operation like the others.

    Args:
        arch: six op names.

    Returns:
        float64 (155,): 1 for each of the cell's paths. The sequences of one operation come first (5), then those of two
        (25) and three (125), each in the order of `itertools.product(OPS, repeat=length)`.
    """
    features = np.zeros(len(_path_places()))
    features[[_path_places()[tuple(arch[edge] for edge in path)] for path in PATHS]] = 1.0
    return features


@cache
def _path_places() -> dict[tuple[str, ...], int]:
    lengths = sorted({len(path) for path in PATHS})
    return {ops: i for i, ops in enumerate(ops for n in lengths for ops in product(OPS, repeat=n))}


class _Features:
    """The features of architectures, each encoded once: as rows of a matrix that grows."""

    MOST = 100_000

    def __init__(self, encode: Encoding) -> None:
        self._encode = encode
        self._rows: dict[Arch, int] = {}
        self._matrix = np.empty((0, 0))

    def __call__(self, archs: list[Arch]) -> Floats:
        """(n, d) features of these architectures."""
        rows = self._rows
        if len(rows) > self.MOST:
            rows.clear()
        new = [arch for arch in archs if arch not in rows]
        if new:
            encoded = [np.asarray(self._encode(arch), dtype=np.float64).reshape(-1) for arch in new]
            length = self._matrix.shape[1] if rows else len(encoded[0])
            for arch, one in zip(new, encoded):
                if len(one) != length:
                    raise ValueError(
                        f"encode must give equally many numbers for all architectures, got {length} and "
                        f"{len(one)} for {arch}"
                    )
            found = np.array(encoded)
            if not np.isfinite(found).all():
                bad = new[int(np.isfinite(found).all(axis=1).argmin())]
                raise ValueError(f"encode must give finite numbers, got others for {bad}")
            needed = len(rows) + len(new)
            if needed > len(self._matrix):
                grown = np.empty((2 * needed, found.shape[1]))
                if rows:
                    grown[: len(rows)] = self._matrix[: len(rows)]
                self._matrix = grown
            self._matrix[len(rows) : needed] = found
            rows.update(zip(new, range(len(rows), needed)))
        return self._matrix[[rows[arch] for arch in archs]]


@lru_cache(maxsize=4)
def _shared_features(space: Any, encode: str) -> _Features:
    """The same for all searches in a space: in a comparison of hundreds, encoding would take most of the time."""
    return _Features(path_features if encode == "paths" else space.encode)


# ---------------------------------------------------------------------------------------------- predictors


class Surrogate(Protocol):
    """What Bayesian optimisation asks of a predictor: it sees the architectures one by one, their values at the end."""

    def add(self, x: Floats) -> None:
        """One more architecture has been evaluated, with features x, (d,)."""
        ...

    def predict(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """What is expected for features x, (m, d), when the n architectures that were added have the values y, (n,).

        Returns:
            Mean and standard deviation, (m,) each.
        """
        ...


class GaussianProcess:
    """A Gaussian process with a squared-exponential kernel, by Cholesky (Rasmussen & Williams 2006, algorithm 2.1).

    The prior variance is 1, the prior mean that of the values. Each architecture adds a row to the Cholesky factor,
    which takes n² steps instead of n³.

    Args:
        length: of the kernel exp(−‖a − b‖² / (2·length²)), > 0. None: whenever the number of architectures has doubled,
            the length of `LENGTHS` and the noise of `NOISES` are chosen that make the values most likely.
        noise: standard deviation of the noise in the values, > 0.
    """

    LENGTHS = (0.7, 1.0, 1.5, 2.2, 3.3, 5.0)
    NOISES = (0.05, 0.15, 0.45)
    FIRST_CHOICE = 8

    def __init__(self, length: float | None = None, noise: float = 0.15) -> None:
        self.length = 2.2 if length is None else _positive("length", length)
        self.noise = _positive("noise", noise)
        self._next_choice = self.FIRST_CHOICE if length is None else math.inf
        self._n = 0
        self._x = np.empty((0, 0))  # with room to grow, as the lower triangular factor
        self._factor = np.empty((0, 0))

    def add(self, x: Floats) -> None:
        """One more architecture has been evaluated, with features x, (d,)."""
        n = self._n
        if n == len(self._x):
            room = max(64, 2 * n)
            features, factor = np.zeros((room, len(x))), np.zeros((room, room))
            if n:
                features[:n], factor[:n, :n] = self._x, self._factor
            self._x, self._factor = features, factor
        self._x[n] = x
        white = self._whiten(self._kernel(self._x[:n], self._x[n : n + 1]))[:, 0]
        self._factor[n, :n] = white
        self._factor[n, n] = math.sqrt(max(1 + self.noise**2 - float(white @ white), self.noise**2))
        self._n += 1

    def predict(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation, (m,) each, of the values without noise, as `Surrogate.predict`."""
        if not self._n:
            return np.zeros(len(x)), np.ones(len(x))
        center = y.mean()
        if self._n >= self._next_choice:
            self._next_choice = 2 * self._n
            self._choose(y - center)
        white = self._whiten(np.column_stack([self._kernel(self._x[: self._n], x), y - center]))
        variance = 1.0 - np.einsum("nm,nm->m", white[:, :-1], white[:, :-1])
        return center + white[:, -1] @ white[:, :-1], np.sqrt(np.maximum(variance, 0.0))

    def _whiten(self, right: Floats) -> Floats:
        """The factor's inverse times `right`, (n, m)."""
        n = self._n
        found: Floats = right
        if n:
            found = solve_triangular(self._factor[:n, :n], right, lower=True, check_finite=False)
        return found

    def _kernel(self, a: Floats, b: Floats) -> Floats:
        return np.asarray(np.exp(_squared_distances(a, b) * (-0.5 / self.length**2)))

    def _choose(self, values: Floats) -> None:
        """The length and noise under which the values are most likely, and the factor that goes with them."""
        n = self._n
        distances = _squared_distances(self._x[:n], self._x[:n])
        best = -math.inf
        for length in self.LENGTHS:
            kernel = np.exp(distances * (-0.5 / length**2))
            for noise in self.NOISES:
                factor = np.linalg.cholesky(kernel + noise**2 * np.eye(n))
                white = solve_triangular(factor, values, lower=True, check_finite=False)
                likelihood = -0.5 * float(white @ white) - float(np.log(np.diag(factor)).sum())
                if likelihood > best:
                    best, self.length, self.noise = likelihood, length, noise
                    self._factor[:n, :n] = factor


def _squared_distances(a: Floats, b: Floats) -> Floats:
    """(n, m) squared Euclidean distances."""
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)
    return np.asarray(np.maximum(squares - 2 * a @ b.T, 0.0))


class RidgeEnsemble:
    """Ridge regressions on bootstrap samples; where they disagree, the prediction is uncertain.

    The bootstrap is that of online bagging (Oza & Russell 2001): each member counts each architecture as often as a
    draw from Poisson(1) says, and its inverse is updated by Sherman & Morrison's formula. There is no intercept but the
    mean of the values.

    Args:
        rng: draws the bootstrap.
        members: ridge regressions, at least 2.
        penalty: of the squared coefficients, > 0.
    """

    def __init__(self, rng: Generator, members: int = 10, penalty: float = 1.0) -> None:
        _check_generator(rng)
        self.members, self.penalty = _whole("members", members, 2), _positive("penalty", penalty)
        self._rng = rng
        self._x: list[Floats] = []
        self._weights: list[Floats] = []
        self._inverse = np.empty((0, 0, 0))

    def add(self, x: Floats) -> None:
        """One more architecture has been evaluated, with features x, (d,)."""
        if not self._x:
            self._inverse = np.tile(np.eye(len(x)) / self.penalty, (self.members, 1, 1))
        weights = self._rng.poisson(1.0, self.members).astype(np.float64)
        along = self._inverse @ x
        shrink = weights / (1 + weights * (along @ x))
        self._inverse -= (shrink[:, None] * along)[:, :, None] * along[:, None, :]
        self._x.append(x)
        self._weights.append(weights)

    def predict(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation over the members, (m,) each, as `Surrogate.predict`."""
        if not self._x:
            return np.zeros(len(x)), np.ones(len(x))
        target = (np.array(self._weights).T * (y - y.mean())) @ np.array(self._x)
        predictions = (self._inverse @ target[:, :, None])[:, :, 0] @ x.T
        return y.mean() + predictions.mean(axis=0), predictions.std(axis=0, ddof=1)


def _positive(name: str, value: Any) -> float:
    if not is_number(value):
        raise TypeError(f"{name} must be a positive number, got {value!r}")
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be a positive number, got {value!r}")
    return float(value)


def normal_scores(values: Floats) -> Floats:
    """(n,) values as the quantiles of a standard normal that their ranks are; equal ones share the middle of theirs.

    What is bad hardly matters to a search then, only in which order the values stand (Salinas et al. 2020,
    arXiv:1909.13595): a cell that learned nothing would stretch the scale for all others.
    """
    ordered = np.sort(values)
    ranks = (ordered.searchsorted(values, "left") + ordered.searchsorted(values, "right")) / 2
    return np.asarray(ndtri(ranks / len(values)))


def expected_improvement(mean: Floats, std: Floats, best: float) -> Floats:
    """By how much a normal variable exceeds `best` on average, 0 where it does not (Jones et al. 1998).

    Args:
        mean, std: (m,), of the variables; where the standard deviation is 0, the variable is its mean.
        best: the value to improve on.

    Returns:
        float64 (m,), ≥ 0.
    """
    gain = mean - best
    with np.errstate(divide="ignore", invalid="ignore"):
        z = gain / std
        density = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
        expected = gain * ndtr(z) + std * density
    return np.asarray(np.where(std > 0, np.maximum(expected, 0.0), np.maximum(gain, 0.0)))


# ---------------------------------------------------------------------------------------------- the search


class BayesianOptimization(_TurnTaking):
    """Evaluate what a predictor, trained on everything told, says will improve most (as BANANAS, White et al. 2021).

    arXiv:1910.11858. The first `initial` proposals are random. Then the one of a pool with the highest expected
    improvement over the best told comes next, in `normal_scores` of the values. Half of the pool is random, the other
    half are neighbours of the `parents` best. No architecture is proposed twice; after the last comes StopIteration.

    Args:
        space: where to search.
        rng: all the randomness.
        initial: random proposals at the beginning, ≥ 2.
        pool: candidates of each step, ≥ 2.
        surrogate: "gaussian process", "ridge" (a bootstrap ensemble), or a function without arguments that makes a
            `Surrogate`.
        encode: "one-hot" is the space's own `encode`; "paths" is `path_features`, for cells; or a function from an
            architecture to a vector.
        parents: of how many of the best neighbours are candidates, ≥ 1.

    Attributes:
        least_budget: evaluations that a run must have, or it would be random search by another name.
        surrogate: the predictor, as it stands.
    """

    def __init__(
        self,
        space: Space,
        rng: Generator,
        initial: int = 10,
        pool: int = 100,
        *,
        surrogate: Literal["gaussian process", "ridge"] | Callable[[], Surrogate] = "gaussian process",
        encode: Literal["one-hot", "paths"] | Encoding = "one-hot",
        parents: int = 10,
    ) -> None:
        _check_generator(rng)
        self.least_budget = _whole("initial", initial, 2)
        self._pool = _whole("pool", pool, 2)
        self._parents = _whole("parents", parents, 1)
        self._space, self._rng = space, rng
        self.surrogate = _surrogate(surrogate, rng)
        self._features = _features(space, encode)
        self._order = RandomSearch(space, rng)
        self._seen: set[Arch] = set()
        self._told: list[tuple[float, Arch]] = []  # best first
        self._values: list[float] = []  # as they were told
        self._around: dict[Arch, list[Arch]] = {}

    def _propose(self) -> Arch:
        if len(self._told) < self.least_budget:
            return self._take(self._random())
        pool = self._candidates()
        if not pool:
            return self._take(self._random())
        scores = normal_scores(np.array(self._values))
        mean, std = self.surrogate.predict(self._features(pool), scores)
        gains = expected_improvement(mean, std, scores.max())
        # Where nothing promises any gain in float64, the highest mean.
        return self._take(pool[int(gains.argmax() if gains.max() > 0 else mean.argmax())])

    def _candidates(self) -> list[Arch]:
        """Different unseen architectures: random ones, and neighbours of the best."""
        half = self._pool // 2
        near = [arch for _, best in self._told[: self._parents] for arch in self._neighbors(best)]
        drawn = self._sample(self._pool - half)
        if near:
            drawn += [near[i] for i in self._rng.integers(len(near), size=half).tolist()]
        seen = self._seen
        return [arch for arch in dict.fromkeys(drawn) if arch not in seen]

    def _sample(self, n: int) -> list[Arch]:
        try:
            size = len(self._space)
        except OverflowError:  # too many to be numbered in 64 bits
            return [self._space.sample(self._rng) for _ in range(n)]
        # All at once: a call to the generator costs more than the draw.
        return [self._space.from_index(i) for i in self._rng.integers(size, size=n).tolist()]

    def _neighbors(self, arch: Arch) -> list[Arch]:
        if arch not in self._around:
            self._around[arch] = self._space.neighbors(arch)
        return self._around[arch]

    def _random(self) -> Arch:
        arch = self._order.ask()
        while arch in self._seen:
            arch = self._order.ask()
        return arch

    def _take(self, arch: Arch) -> Arch:
        self._seen.add(arch)
        return arch

    def _learn(self, arch: Arch, value: float) -> None:
        insort(self._told, (value, arch), key=lambda told: -told[0])
        self._values.append(value)
        self.surrogate.add(self._features([arch])[0])


def _surrogate(surrogate: Any, rng: Generator) -> Surrogate:
    if surrogate == "gaussian process":
        return GaussianProcess()
    if surrogate == "ridge":
        return RidgeEnsemble(rng)
    if callable(surrogate):
        made: Surrogate = surrogate()
        return made
    raise ValueError(
        f"surrogate must be 'gaussian process', 'ridge' or a function that makes one, got {surrogate!r}"
    )


def _features(space: Space, encode: Any) -> _Features:
    if callable(encode):
        return _Features(encode)
    if encode not in ("one-hot", "paths"):
        raise ValueError(f"encode must be 'one-hot', 'paths' or a function, got {encode!r}")
    if encode == "paths" and not isinstance(space, CellSpace):
        raise ValueError(
            f"encode must be 'one-hot' or a function where the space has no cells, got 'paths' for {space!r}"
        )
    shared: Any = space
    try:
        return _shared_features(shared, encode)
    except TypeError:  # a space that cannot be hashed
        return _Features(path_features if encode == "paths" else space.encode)
