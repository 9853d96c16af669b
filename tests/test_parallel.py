"""Many processes: the same results as in one, though a worker is killed, and nothing finished is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas_lib import _parallel
from nas_lib._parallel import each
from nas_lib.benchmark import Evaluation, TabularBenchmark
from nas_lib.search import Comparison, RandomSearch, compare
from nas_lib.searchers import HalvingSearch, RegularizedEvolution
from nas_lib.spaces import ProductSpace

ROOT = Path(__file__).resolve().parents[1]
SPACE = ProductSpace(
    {"depth": range(1, 9), "width": range(1, 9)}, where=lambda depth, width: depth * width <= 40
)
RNG = np.random.default_rng(0)
CURVES = RNG.normal(80, 5, (len(SPACE), 1, 1)) + RNG.normal(0, 1, (len(SPACE), 3, 4))
TABLE = TabularBenchmark.from_arrays(SPACE, CURVES, CURVES[:, :, -1], RNG.uniform(1, 3, len(SPACE)))
METHODS: dict[str, Any] = {
    "random": RandomSearch,
    "evolution": partial(RegularizedEvolution, population=4),
    "halving": partial(HalvingSearch, max_epochs=4),
}


def play(benchmark: Any = TABLE, seeds: Any = 6, **options: Any) -> Comparison:
    return compare(METHODS, benchmark, 30, seeds, unit="seconds", noise=True, progress=False, **options)


def same(a: Comparison, b: Comparison) -> bool:
    assert a.seeds == b.seeds and list(a.values) == list(b.values)
    np.testing.assert_array_equal(a.steps, b.steps)
    for name in a.values:
        np.testing.assert_array_equal(a.values[name], b.values[name])
        for one, other in zip(a.histories[name], b.histories[name], strict=True):
            assert one.archs == other.archs and one.stopped == other.stopped
            np.testing.assert_array_equal(one.values, other.values)
            np.testing.assert_array_equal(one.costs, other.costs)
            np.testing.assert_array_equal(one.epochs, other.epochs)  # type: ignore[arg-type]
    return True


class Deadly:
    """TABLE, but the first process that is asked for an architecture dies at once, like one that is out of memory."""

    space, seeds, epochs = SPACE, TABLE.seeds, TABLE.epochs

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def query(self, arch: Any, epochs: Any = None, seed: Any = None) -> Evaluation:
        try:
            self.marker.open("x").close()
        except FileExistsError:
            return TABLE.query(arch, epochs, seed)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    def best(self, metric: Any = "test") -> Any:
        return TABLE.best(metric)


# ---------------------------------------------------------------------------------------------- processes


def test_items_are_done_in_other_processes_by_any_function() -> None:
    factor = 3
    done = dict(each(lambda item: (factor * item, os.getpid()), range(12), jobs=2))
    assert {item: product for item, (product, _) in done.items()} == {i: 3 * i for i in range(12)}
    assert os.getpid() not in {pid for _, pid in done.values()}
    here = list(each(lambda item: os.getpid(), [2, 1]))
    assert here == [(2, os.getpid()), (1, os.getpid())]  # one job is this process, in order
    assert list(each(str, [], jobs=2)) == []


def test_a_comparison_is_the_same_with_any_number_of_jobs() -> None:
    assert same(play(), play(jobs=2))
    assert same(play(seeds=[7, 3]), play(seeds=[7, 3], jobs=3))


def test_a_killed_worker_is_replaced_and_its_seeds_begin_again(tmp_path: Path) -> None:
    assert same(play(), play(Deadly(tmp_path / "died"), jobs=2))
    assert (tmp_path / "died").exists()


def test_what_kills_every_process_is_named_and_the_rest_is_done(tmp_path: Path) -> None:
    def work(item: int) -> int:
        if item == 2:
            with (tmp_path / "deaths").open("a") as file:
                file.write("x")
            time.sleep(0.3)
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    done: list[int] = []
    with pytest.raises(RuntimeError, match="died 3 times without finishing anything; not done: 2"):
        done.extend(item for item, _ in each(work, range(5), jobs=2))
    assert sorted(done) == [0, 1, 3, 4]
    assert len((tmp_path / "deaths").read_text()) >= _parallel.DEATHS


class Logged:
    """TABLE, slowly, with a file that grows by one byte per question."""

    space, seeds, epochs = SPACE, TABLE.seeds, TABLE.epochs

    def __init__(self, log: Path) -> None:
        self.log = log

    def query(self, arch: Any, epochs: Any = None, seed: Any = None) -> Evaluation:
        time.sleep(0.01)
        with self.log.open("a") as file:
            file.write("x")
        return TABLE.query(arch, epochs, seed)

    def best(self, metric: Any = "test") -> Any:
        return TABLE.best(metric)


def wait_for(done: Callable[[], Any], process: subprocess.Popen[Any] | None = None) -> None:
    for _ in range(1_200):
        if done():
            return
        assert process is None or process.poll() is None
        time.sleep(0.1)
    raise AssertionError("waited two minutes in vain")


def test_an_error_of_a_worker_comes_through_with_the_seeds_before_it(tmp_path: Path) -> None:
    (doomed,) = compare({"r": RandomSearch}, TABLE, 1, 1, noise=True, progress=False).histories["r"]

    class Broken(Logged):
        def query(self, arch: Any, epochs: Any = None, seed: Any = None) -> Evaluation:
            if arch == doomed.archs[0] and seed is not None:  # the first question of seed 0
                wait_for(lambda: self.log.exists() and self.log.stat().st_size >= 15)  # of other seeds
                time.sleep(1.0)
                raise ZeroDivisionError("broken")
            return super().query(arch, epochs, seed)

    with pytest.raises(ZeroDivisionError, match="broken") as caught:
        compare({"r": RandomSearch}, Broken(tmp_path / "log"), 5, 8, noise=True, progress=False, jobs=2)
    kept = caught.value.comparison  # type: ignore[attr-defined]
    assert kept.seeds and 0 not in kept.seeds and "seeds before this" in caught.value.__notes__[-1]


INTERRUPTED = """
import sys
import time
from pathlib import Path
import test_parallel as t

class Slower(t.Logged):
    def query(self, *args, **options):
        if log.exists() and log.stat().st_size >= 400:  # however late the interruption comes, it comes before the end
            time.sleep(0.5)
        return super().query(*args, **options)


log, methods = Path(sys.argv[1]), {"random": t.RandomSearch}
kept = t.compare(methods, Slower(log), 25, 40, progress=False, jobs=2)
again = t.compare(methods, t.TABLE, 25, kept.seeds, progress=False)
print(len(kept.seeds), t.same(kept, again))
"""
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent to a process group")
def test_an_interruption_keeps_the_seeds_that_are_finished(tmp_path: Path) -> None:
    """Ctrl-C reaches the parent and its workers alike, as in a terminal."""
    log = tmp_path / "log"
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", INTERRUPTED, str(log)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: log.exists() and log.stat().st_size >= 200, process)  # of about 1,200
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    seeds, equal = said.split()
    assert 1 <= int(seeds) < 40 and equal == "True"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"jobs": 0}, ValueError, "jobs must be an integer from 1 up, got 0"),
        ({"jobs": True}, TypeError, "jobs must be an integer from 1 up, got True"),
        ({"jobs": 1.5}, TypeError, r"jobs must be an integer from 1 up, got 1\.5"),
    ],
)
def test_bad_numbers_of_jobs_are_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        play(**options)


# ------------------------------------------------------------------------------------------------ a cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers, each a process of its own."""
    pytest.importorskip("distributed")
    from distributed import Client

    where = tmp_path / "scheduler.json"
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": ENVIRONMENT}

    def start(module: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{module}", *arguments, "--no-dashboard"]
        return subprocess.Popen(command, cwd=tmp_path, **quiet)

    started = [start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(where))]
    try:
        wait_for(where.exists, started[0])
        address = json.loads(where.read_text("utf-8"))["address"]
        started += [start("dask_worker", address, "--nthreads", "1", "--no-nanny") for _ in range(2)]
        with Client(address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=120)
        yield address, started[1:]
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


def test_a_cluster_gives_the_same_though_one_of_two_workers_is_killed(
    cluster: tuple[str, list[subprocess.Popen[bytes]]], tmp_path: Path
) -> None:
    address, workers = cluster
    assert same(play(), play(Deadly(tmp_path / "died"), scheduler=address))
    assert (tmp_path / "died").exists()
    assert sorted(worker.poll() is None for worker in workers) == [False, True]


def test_an_address_without_a_scheduler_gets_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(_parallel, "CONNECT_SECONDS", 1)
    with pytest.raises(
        ValueError, match="scheduler must be the address of a running Dask scheduler, got 'nonsense"
    ):
        play(scheduler="nonsense://x")
