"""Grading many submissions: nothing is lost when a process dies, nothing is done twice, nobody waits for a loop, and
learners whose processes come from one template do not meet.

Runs are killed for real, at moments that differ, and a Dask cluster is a real one on this machine.
"""

# ruff: noqa: E501 - learners' code in one line

from __future__ import annotations

import contextlib
import gc
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import nbformat
import pytest
from learner_processes import told

from autograder import samples
from autograder.author import build
from autograder.grade import batch, command
from autograder.grade.batch import Task
from autograder.grade.journal import Journal, digest, only_run
from autograder.judge import matching, scoring
from autograder.judge.results import Evaluated, Outcome, Result
from autograder.reports.grade_table import Grades
from autograder.sandbox import bubblewrap, session
from autograder.sandbox.bubblewrap import SandboxLimits
from autograder.sandbox.cells import Ran, Step
from autograder.sandbox.prefork import Forked, TemplateLauncher
from autograder.sandbox.process import used
from autograder.sandbox.session import Clock, Limits, Session

LESSON = "00_start_here"
RIGHT = dict.fromkeys(samples.sources(LESSON, "perfect"), "reference")
ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def write(folder: Path, count: int, **answers: str) -> Path:
    """Submissions that differ in a comment, right but for what `answers` says of single ones."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        student = f"s{number}"
        notebook = samples.notebook(LESSON, {**RIGHT, "cell_index": answers.get(student, "reference")})
        notebook.cells.insert(1, nbformat.v4.new_code_cell(f"# submission {number}"))
        nbformat.write(notebook, folder / f"{student}.ipynb")
    return folder


def points(grades: Grades) -> dict[str, tuple[Any, str]]:
    return {row.student: (row.points, row.note) for row in grades.rows}


def tasks(count: int, **answers: str) -> list[Task]:
    master = matching.Master.of(build.student_notebook(LESSON))
    made = []
    for number in range(count):
        student = f"s{number}"
        notebook = samples.notebook(LESSON, {**RIGHT, "cell_index": answers.get(student, "reference")})
        steps = matching.plan(matching.restore(notebook, master), master)
        made.append(Task(student, LESSON, tuple(steps), dict.fromkeys(master.points, 7), not sandbox_there()))
    return made


def sandbox_there() -> bool:
    from autograder.sandbox import bubblewrap

    return bubblewrap.available()


def outcomes(done: Iterable[Evaluated]) -> dict[str, Any]:
    return {one.student: one.result.outcomes if one.result else one.fault for one in done}


# -- time ----------------------------------------------------------------------------------------------------


LOOPS = {
    "in a cell": "while True: pass",
    "in a cell, asleep": "import time\nwhile True: time.sleep(1)",
    "in a cell, signals ignored": "import signal\nfor n in signal.valid_signals():\n    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\nwhile True: pass",
    "in a cell, asleep, signals blocked": "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\nwhile True: time.sleep(1)",
    "in a child": "import os\nif os.fork() == 0:\n    while True: pass\nos.wait()",
    "in a function": "def cell_index(arch):\n    while True: pass",
    "in a function, asleep": "import time\ndef cell_index(arch):\n    while True: time.sleep(1)",
    "in a function, signals ignored": "import signal\ndef cell_index(arch):\n    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n    while True: pass",
    "in a function, asleep, signals blocked": "import signal, time\ndef cell_index(arch):\n    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n    while True: time.sleep(1)",
}


@pytest.mark.parametrize("limits", [Limits(cell_seconds=0.5, probe_seconds=0.5)])
@pytest.mark.parametrize("name", LOOPS)
def test_an_endless_loop_ends_and_is_told_as_one(name, limits):
    (task,) = tasks(1, s0=LOOPS[name] + ("" if "def" in LOOPS[name] else "\ndef cell_index(arch): return 1"))
    result = scoring.evaluate(task.lesson, task.steps, task.seeds, limits)
    lost = {exercise for exercise, outcome in result.outcomes.items() if outcome.score < 1}
    assert lost == {"cell_index"}
    assert result.timed_out
    assert any(word in result.outcomes["cell_index"].message for word in ("stopped", "never end"))


def test_the_limits_as_they_are_end_any_one_loop_within_15_seconds():
    limits = Limits()
    cell = limits.patience * (
        limits.cell_seconds + session.GRACE_SECONDS
    )  # asleep with signals blocked: the worst
    probe = limits.patience * (limits.probe_seconds + 0.5)  # the worker's own wait for its fork
    assert max(cell, probe) + session.LOOK_SECONDS / 2 < 15.0
    assert limits.cell_seconds >= 5.0  # and honest code has time


@pytest.mark.slow
@pytest.mark.parametrize("name", LOOPS)
def test_a_submission_with_an_endless_loop_costs_at_most_15_seconds(name):
    """On a quiet machine; a busy one is measured by the CPU that it gave this test."""
    (task,) = tasks(1, s0=LOOPS[name] + ("" if "def" in LOOPS[name] else "\ndef cell_index(arch): return 1"))
    with TemplateLauncher() as launcher:
        scoring.evaluate(
            task.lesson, tasks(1)[0].steps, task.seeds, launcher=launcher
        )  # imports, once a lesson
        began = time.monotonic()
        scoring.evaluate(task.lesson, task.steps, task.seeds, launcher=launcher)
    assert time.monotonic() - began < 15.0


class Fake:
    """A process that has used what the test says."""

    stopped = None

    def members(self) -> list[int]:
        return [1]


def clock_after(monkeypatch: pytest.MonkeyPatch, seconds: float, cpu: float, waited: float) -> Clock:
    """A clock with limits of 6 s of CPU and 12 s asleep, when that much has passed."""
    now = [0.0]
    use = [(0.0, 0.0)]
    monkeypatch.setattr(session.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(session, "used", lambda pids: use[0])
    monkeypatch.setattr(session, "_own_work", lambda: 0.0)
    clock = Clock(Fake(), 6.0, 2.0)
    now[0] = session.LOOK_SECONDS
    assert clock.pause() is not None  # the first look
    now[0], use[0] = seconds, (cpu, waited)
    return clock


@pytest.mark.parametrize(
    ("seconds", "cpu", "waited", "over"),
    [
        (6.5, 6.0, 0.0, True),  # works all the time
        (3.5, 6.0, 0.0, True),  # works on two cores
        (11.0, 0.1, 0.0, False),
        (13.0, 0.1, 0.0, True),  # sleeps
        (30.0, 3.0, 26.0, False),  # honest work on a machine that is ten times too busy
        (30.0, 6.1, 22.0, True),  # a loop on that machine
        (49.0, 1.0, 47.0, True),  # no machine is that busy
    ],
)
def test_what_a_busy_machine_keeps_code_waiting_does_not_count(monkeypatch, seconds, cpu, waited, over):
    assert (clock_after(monkeypatch, seconds, cpu, waited).pause() is None) == over


# -- the journal ---------------------------------------------------------------------------------------------


def test_a_journal_gives_back_what_it_was_given_and_is_private(tmp_path):
    path = tmp_path / "journal"
    result = Result("made of", {"a": Outcome(0.5, "x", "ü")}, {3: Ran(None, "out", 0.1)}, {"start": 1.0})
    with Journal(path, "one") as journal:
        journal.add("key", result.to_data())
        journal.set_note("stored", "ann", "first")
        journal.set_note("stored", "ann", "second")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with Journal(path, "one") as journal:
        assert Result.from_data(journal.result("key") or {}) == result
        assert journal.result("other") is None
        assert (journal.note("stored", "ann"), journal.note("stored", "bob")) == ("second", "")
    with Journal(path, "another version of the course") as journal:
        assert journal.result("key") is None
    assert path.read_bytes() == b""


def test_a_crash_at_any_byte_costs_the_line_that_it_cut_and_no_other(tmp_path):
    path = tmp_path / "journal"
    with Journal(path, "v") as journal:
        for number in range(3):
            journal.add(f"k{number}", {"number": number})
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        complete = whole[:length].count(b"\n")
        with Journal(path, "v") as journal:
            assert [journal.result(f"k{n}") for n in range(3)] == [
                {"number": n} if n < complete else None for n in range(3)
            ]
            journal.add("later", {"fine": True})
        with Journal(path, "v") as journal:
            assert journal.result("later") == {"fine": True}


@pytest.mark.parametrize(
    "line", [b"{}", b"[]", b"null", b"7", b'{"version": "v", "key": "k", "result": 3}', b"\xff\xfe"]
)
def test_lines_that_are_no_results_are_passed_over(tmp_path, line):
    path = tmp_path / "journal"
    path.write_bytes(line + b"\n")
    with Journal(path, "v") as journal:
        assert journal.result("k") is None


def test_digests_tell_parts_apart():
    made = [
        digest("ab", "c"),
        digest("a", "bc"),
        digest("abc"),
        digest(b"abc"),
        digest({"a": 1}),
        digest({"a": 2}),
    ]
    assert len(set(made)) == len(made)
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_one_run_at_a_time(tmp_path):
    with only_run(tmp_path), pytest.raises(ValueError, match="another run is grading in"), only_run(tmp_path):
        pass
    with only_run(tmp_path):
        pass


# -- processes of the grader's that die ----------------------------------------------------------------------


class Pool:
    """Stands for joblib: evaluates two at a time, and dies over some students."""

    def __init__(self, deadly: dict[str, int]) -> None:
        self.deadly, self.runs = dict(deadly), Counter[str]()

    def __call__(self, tasks: Iterable[Task]) -> Iterator[Evaluated]:
        ahead: list[Task] = []
        for task in tasks:
            ahead.append(task)
            if len(ahead) == 2:
                yield self._one(ahead.pop(0))
        for task in ahead:
            yield self._one(task)

    def _one(self, task: Task) -> Evaluated:
        if self.deadly.get(task.student, 0) > 0:
            self.deadly[task.student] -= 1
            raise BrokenProcessPool("killed")
        self.runs[task.student] += 1
        return Evaluated(task.student, Result("", {}, {}))


@pytest.mark.parametrize(
    "deadly", [{}, {"s0": 1}, {"s3": 2}, {"s9": 1}, {"s4": 99}, {"s2": 99, "s3": 1, "s7": 99}]
)
def test_every_submission_comes_back_once_and_only_the_deadly_ones_are_given_up(deadly):
    pool = Pool(deadly)
    made = [Task(f"s{number}", LESSON, (), {}) for number in range(10)]
    done = list(batch._patiently(made, pool))
    assert sorted(one.student for one in done) == sorted(task.student for task in made)
    for one in done:
        if deadly.get(one.student, 0) >= batch.ATTEMPTS:
            assert "died 3 times" in one.fault
            assert one.result is None
        else:
            assert (one.fault, pool.runs[one.student]) == ("", 1)
            assert one.attempts >= 1 + deadly.get(one.student, 0)


def children(pid: int) -> list[int]:
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if place.read_text(errors="replace").rpartition(")")[2].split()[1] == str(pid):
                found.append(int(place.parent.name))
    return found


def command_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    return ""


def test_a_killed_worker_process_costs_no_grade():
    wanted = outcomes(batch.evaluate_all(tasks(6)))
    killed: list[int] = []
    done = []
    for one in batch.evaluate_all(tasks(6), jobs=2):
        done.append(one)
        if not killed:
            killed = [
                pid
                for pid in children(os.getpid())
                if "loky" in command_of(pid) and "tracker" not in command_of(pid)
            ][:1]
            os.kill(killed[0], signal.SIGKILL)
    assert killed
    assert outcomes(done) == wanted
    assert len(done) == 6
    assert not [pid for pid in children(os.getpid()) if "bwrap" in command_of(pid)]


# -- a run that ends before its time ---------------------------------------------------------------------------


def arguments(folder: Path, *more: str) -> list[str]:
    made = [sys.executable, "-m", "nas_lib.cli", "grade", str(folder / "in"), "--lesson", LESSON]
    return [*made, "--course", str(folder / "course"), *more]


def lines(folder: Path) -> list[dict[str, Any]]:
    found = []
    with contextlib.suppress(OSError):
        for line in (folder / "course" / f".grading_{LESSON}.jsonl").read_text("utf-8").splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
    return found


def wait_for(ready: Any, process: subprocess.Popen[Any]) -> None:
    deadline = time.monotonic() + 240
    while not ready() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_run_that_is_killed_goes_on_where_it_stopped(tmp_path):
    """Killed after each moment that matters: a result kept, some stored, pages being written."""
    count = 5
    write(tmp_path / "in", count, s1="def cell_index(arch): return 1", s2="import os\nos._exit(3)")
    keys: list[str] = []
    moments = [
        lambda: any("key" in line for line in lines(tmp_path)),
        lambda: sum(line.get("kind") == "stored" for line in lines(tmp_path)) >= 3,
        lambda: (
            any(line.get("kind") == "stored" for line in lines(tmp_path)[-1:])
            and len(list((tmp_path / "course").glob("autograded/*"))) == count
        ),
    ]
    for jobs, moment in zip("211", moments, strict=True):
        command_line = arguments(tmp_path, "--jobs", jobs)
        process = subprocess.Popen(command_line, env=ENVIRONMENT, cwd=tmp_path, stderr=subprocess.DEVNULL)
        wait_for(moment, process)
        below = children(process.pid)
        process.kill()
        process.wait()
        deadline = time.monotonic() + 60  # they look once a second; this machine may be busy
        while any(command_of(pid) for pid in below):
            assert time.monotonic() < deadline, [command_of(pid) for pid in below]
            time.sleep(0.2)
        now = [line["key"] for line in lines(tmp_path) if "key" in line]
        assert now[: len(keys)] == keys  # what was finished is still there
        assert len(now) == len(set(now))  # and nothing was done twice
        keys = now
    after = command.grade(tmp_path / "in", LESSON, tmp_path / "course", progress=False)
    assert {student for student, one in after.evaluated.items() if one.kept} >= {f"s{n}" for n in range(3)}
    fresh = command.grade(tmp_path / "in", LESSON, tmp_path / "fresh", progress=False)
    assert {name: made[1] for name, made in points(after).items()} == dict.fromkeys(points(fresh), "")
    assert points(after) == points(fresh)
    assert all(list((tmp_path / "course" / "feedback").glob(f"s{n}/*/*.html")) for n in range(count))


def test_only_what_has_changed_is_evaluated_again(tmp_path, monkeypatch):
    place = write(tmp_path / "in", 3)
    evaluated: list[int] = []
    real = scoring.evaluate
    monkeypatch.setattr(scoring, "evaluate", lambda *a, **k: (evaluated.append(1), real(*a, **k))[1])

    def run(**more: Any) -> tuple[int, dict[str, tuple[Any, str]]]:
        evaluated.clear()
        done = command.grade(place, LESSON, tmp_path / "course", progress=False, **more)
        return len(evaluated), points(done)

    first = run()
    assert first[0] == 3
    assert run() == (0, first[1])
    write(place, 1, s0="def cell_index(arch): return 1")
    count, changed = run()
    assert count == 1
    assert changed["s0"][0]["cell_index"] == 0
    assert {student: changed[student] for student in ("s1", "s2")} == {s: first[1][s] for s in ("s1", "s2")}
    assert run(regrade=True) == (3, changed)
    monkeypatch.setattr(batch, "code_version", lambda: "another version of the course")
    assert run() == (3, changed)
    monkeypatch.setattr(build, "install_url", lambda root: "https://elsewhere.example/nas_lib")
    assert run() == (3, changed), "the lesson's setup cells are run with each submission"


def test_what_is_handed_in_while_it_is_graded_waits_for_the_next_run(tmp_path, monkeypatch):
    """The result is that of the cells that were run; it is not stored with others."""
    place = write(tmp_path / "in", 2)
    real = scoring.evaluate

    def meanwhile(lesson: str, steps: Any, *rest: Any, **named: Any) -> Any:
        if any("submission 0" in step.source for step in steps):
            late = samples.notebook(LESSON, {**RIGHT, "cell_index": "def cell_index(arch): return 1"})
            nbformat.write(late, tmp_path / "course" / "submitted" / "s0" / LESSON / f"{LESSON}.ipynb")
        return real(lesson, steps, *rest, **named)

    monkeypatch.setattr(scoring, "evaluate", meanwhile)
    first = points(command.grade(place, LESSON, tmp_path / "course", progress=False))
    assert set(first["s0"][0].values()) == {None}
    assert first["s0"][1] == (
        "the result for s0 was made of other cells or seeds than those of the submission of "
        f"{LESSON} that is there now: grade it again."
    )
    assert first["s1"][1] == ""
    monkeypatch.undo()
    again = points(command.grade(place, LESSON, tmp_path / "course", progress=False))
    assert again["s0"][0] == again["s1"][0] == first["s1"][0]


def test_ctrl_c_ends_with_one_sentence_and_keeps_what_was_done(tmp_path):
    write(tmp_path / "in", 4)
    process = subprocess.Popen(
        arguments(tmp_path),
        env=ENVIRONMENT,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: any(line.get("kind") == "stored" for line in lines(tmp_path)), process)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in error
    (said,) = [line for line in error.splitlines() if line.startswith("Stopped after")]
    assert "of 4 submissions: what is graded is kept" in said
    assert out == ""
    after = command.grade(tmp_path / "in", LESSON, tmp_path / "course", progress=False)
    assert any(one.kept for one in after.evaluated.values())
    assert {row.percent for row in after.rows} == {100.0}


# -- a cluster -------------------------------------------------------------------------------------------------


def test_a_cluster_grades_each_submission_once_though_a_worker_dies(tmp_path):
    pytest.importorskip("distributed")
    from distributed import Client

    wanted = outcomes(batch.evaluate_all(tasks(8, s1="def cell_index(arch): return 1")))
    scheduler_file = tmp_path / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": ENVIRONMENT, "cwd": tmp_path}
    started = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "distributed.cli.dask_scheduler",
                "--host",
                "127.0.0.1",
                "--port",
                "0",
                "--no-dashboard",
                "--scheduler-file",
                str(scheduler_file),
            ],
            **quiet,
        )
    ]
    try:
        wait_for(scheduler_file.exists, started[0])
        address = json.loads(scheduler_file.read_text("utf-8"))["address"]
        for number in range(2):
            started.append(
                subprocess.Popen(
                    [
                        sys.executable,
                        "-m",
                        "distributed.cli.dask_worker",
                        address,
                        "--nthreads",
                        "1",
                        "--no-nanny",
                        "--no-dashboard",
                        "--name",
                        f"w{number}",
                        "--local-directory",
                        str(tmp_path),
                    ],
                    **quiet,
                )
            )
        with Client(address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=120)
        done = []
        for one in batch.evaluate_all(tasks(8, s1="def cell_index(arch): return 1"), scheduler=address):
            done.append(one)
            if len(done) == 3:
                started[1].kill()
        assert sorted(one.student for one in done) == [f"s{number}" for number in range(8)]
        assert outcomes(done) == wanted
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


def test_an_address_where_no_scheduler_is_gets_one_sentence(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(batch, "CONNECT_SECONDS", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        for address in (f"tcp://127.0.0.1:{taken.getsockname()[1]}", "nonsense://x"):
            with pytest.raises(ValueError, match="scheduler must be the address of a running Dask scheduler"):
                list(batch.evaluate_all([], scheduler=address))


def test_a_worker_with_another_version_of_the_course_refuses():
    (task,) = tasks(1)
    with pytest.raises(scoring.GradingError, match="another version of the course"):
        batch.evaluate(Task(task.student, LESSON, task.steps, task.seeds, task.unsafe, "older"))


def test_each_process_that_evaluates_needs_a_sandbox(monkeypatch):
    from autograder.sandbox import bubblewrap

    monkeypatch.setattr(bubblewrap, "missing", lambda: "there is none.")
    monkeypatch.delenv(bubblewrap.UNSAFE_VARIABLE, raising=False)
    batch.close()
    (task,) = tasks(1)
    with pytest.raises(bubblewrap.SandboxMissing, match="Nothing has been graded: there is none"):
        batch.evaluate(Task(task.student, LESSON, task.steps, task.seeds))
    batch.close()


# -- the template ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def template(sandboxed) -> Iterator[TemplateLauncher]:
    with TemplateLauncher() as made:
        if made.refused:
            pytest.skip(made.refused)
        yield made


def test_two_learners_from_one_template_do_not_meet(template):
    with Session(LESSON, [], launcher=template) as ann, Session(LESSON, [], launcher=template) as bob:
        ann.start()
        bob.start()
        assert template.refused == ""
        source = """
import os, socket, threading, nas_lib
from multiprocessing import shared_memory
for place in ('/tmp/mark', os.path.expanduser('~/mark'), '/dev/shm/mark', 'mark'): open(place, 'w').write('ann')
open('/tmp/mark', 'w').write('ann'); os.environ['MARK'] = 'ann'; nas_lib.mark = 'ann'
server = socket.socket(socket.AF_UNIX); server.bind('\\0mark'); server.listen()
memory = shared_memory.SharedMemory('memory', True, 8)
pair = os.openpty(); print(os.getpid(), len(os.listdir('/dev/pts')))
"""
        pid, terminals = told(ann, source).split()
        look = """
import os, signal, socket, nas_lib
found = [p for p in ('/tmp/mark', os.path.expanduser('~/mark'), '/dev/shm/mark', '/dev/shm/memory', 'mark') if os.path.exists(p)]
found += [k for k in ('MARK',) if k in os.environ] + [hasattr(nas_lib, 'mark')] * hasattr(nas_lib, 'mark')
try: socket.socket(socket.AF_UNIX).connect('\\0mark'); found.append('socket')
except OSError: pass
print(found, os.getpid(), sorted(p for p in os.listdir('/proc') if p.isdigit()), os.listdir('/dev/pts'))
"""
        assert told(bob, look) == f"[] {pid} ['1', '2'] ['ptmx']"
        assert int(terminals) == 2
        # Everything that bob can signal is his own; ann and the template live on.
        source = "import os, signal\ntry: os.kill(-1, signal.SIGTERM)\nexcept OSError as error: print(type(error).__name__)\nfor pid in range(3, 400):\n    try: os.kill(pid, 9); print('hit', pid)\n    except OSError: pass"
        assert "hit" not in told(bob, source)
        assert told(ann, "print(open('/tmp/mark').read())") == "ann"


def test_a_forked_learners_processes_are_listed_by_its_own_table(template):
    """The same as looking at every process of the machine finds, also of those that ask not to be looked at."""
    hide = "for name in range(3000): open(f'{name}', 'w').close()\nimport ctypes, subprocess, sys\nctypes.CDLL(None).prctl(4, 0)\nsum(range(10**7))\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    with Session(LESSON, [Step("one", hide, 0, True)], launcher=template) as made:
        made.start()
        process, limits = made._process, SandboxLimits()
        assert isinstance(process, Forked) and process._table >= 0
        own, everywhere = process.members(), bubblewrap._members(process._namespace)
        assert len(own) == len(everywhere) == 3
        assert bubblewrap._files(own, limits) == bubblewrap._files(everywhere, limits) > 3000 * 1024
        memory = [sum(bubblewrap._exactly(one)[0] for one in found) for found in (own, everywhere)]
        assert memory[0] == pytest.approx(memory[1], rel=0.2) and memory[0] > 2**22
        assert used(own)[0] == pytest.approx(used(everywhere)[0], abs=1.0) and used(own)[0] > 0
        process.kill()
        process._hear(10.0)
        assert process.members() == bubblewrap._members(process._namespace) == []


def test_what_one_learner_leaves_the_next_does_not_find(template):
    mess = "import json, numpy, os, threading\njson.dumps = numpy.mean = None\nos.environ['LEFT'] = '1'\nopen('left', 'w').close()\nthreading.Thread(target=lambda: __import__('time').sleep(99)).start()"
    with Session(LESSON, [Step("one", mess, 0, True)], launcher=template) as first:
        first.start()
        assert first.ran[0].error is None
    with Session(LESSON, [], launcher=template) as second:
        second.start()
        look = "import json, numpy, os, threading\nprint(json.dumps([1]), numpy.mean([1, 2]), 'LEFT' in os.environ, os.listdir(), threading.active_count())"
        assert told(second, look) == "[1] 1.5 False [] 1"


@pytest.mark.parametrize(
    "source",
    [
        "import ctypes\nprint(ctypes.CDLL(None).unshare(0x10000000))",
        "import ctypes\nprint(ctypes.CDLL(None).umount2(b'/proc', 2))",
        "import ctypes\nprint(ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, None))",
        "import ctypes\nprint(ctypes.CDLL(None).sethostname(b'x', 1))",
    ],
    ids=["a namespace of one's own", "uncovering /proc", "mounting", "host name"],
)
def test_a_forked_learner_has_no_right_to_undo_its_walls(template, source):
    with Session(LESSON, [], launcher=template) as made:
        made.start()
        assert told(made, source) == "-1"


def test_a_template_that_dies_is_made_anew_and_one_that_cannot_be_is_done_without(template, monkeypatch):
    with Session(LESSON, [], launcher=template) as made:
        made.start()
    template._template._process.kill()
    with Session(LESSON, [], launcher=template) as made:
        made.start()
        assert told(made, "print(1)") == "1"
    assert template.refused == ""
    from autograder.sandbox import prefork as module

    monkeypatch.setattr(module, "ZYGOTE", Path(__file__))  # a script that says nothing
    with TemplateLauncher() as other, Session(LESSON, [], launcher=other) as made:
        made.start()
        assert other.refused
        assert told(made, "import os; print(os.listdir('/tmp'))") == "[]"


def test_a_slow_start_is_said_with_the_grades_whatever_its_reason(sandboxed, tmp_path, monkeypatch):
    from autograder.sandbox import prefork as module

    monkeypatch.setattr(
        module, "ZYGOTE", Path(__file__)
    )  # a script that says nothing, as where the kernel refuses
    batch.close()
    try:
        done = command.grade(write(tmp_path / "in", 1), LESSON, tmp_path / "course", progress=False)
    finally:
        batch.close()
    assert points(done)["s0"][0]["cell_index"] == 1
    (said,) = [remark for remark in done.remarks if "takes a second more to start" in remark]
    assert said in (module.covered(), module.SLOWLY.format(why="the template ended"))


@pytest.mark.parametrize("place", ["/tmp", "/home/learner", "/dev/shm"])
def test_a_clone_where_templates_cannot_be_used_is_named_with_the_remedy(place, monkeypatch):
    from autograder.sandbox import prefork as module

    monkeypatch.setattr(module, "shown", lambda: ["/opt/clone/.venv"])
    assert module.covered() == ""
    monkeypatch.setattr(module, "shown", lambda: ["/opt/clone/.venv", f"{place}/clone/worker.py"])
    assert re.search(
        rf"^{place}/clone/worker.py lies in {place}, .*; a clone outside of {place}", module.covered()
    )
    assert TemplateLauncher().refused == module.covered()


def opened() -> set[tuple[str, str]]:
    """Every file that this process has open: its number and what it is."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the listing's own is closed by now
            found.add((name, os.readlink(f"/proc/self/fd/{name}")))
    return found


def test_nothing_is_left_of_a_template(sandboxed):
    def use(times: int) -> int:
        """Start that many sessions from one template. Returns the process that is outermost."""
        with TemplateLauncher() as launcher:
            if launcher.refused:
                pytest.skip(launcher.refused)
            for _ in range(times):
                with Session(
                    LESSON, [Step("one", "import os\nos.fork()", 0, True)], launcher=launcher
                ) as made:
                    made.start()
            (outer,) = sandboxes() - before
        return outer

    def sandboxes() -> set[int]:
        return {pid for pid in children(os.getpid()) if "bwrap" in command_of(pid)}

    before = sandboxes()
    use(1)  # the lesson's library is made once a process, and stays
    gc.collect()
    open_before = opened()
    outer = use(3)
    assert not Path(f"/proc/{outer}").exists()
    assert sandboxes() == before
    assert not opened() - open_before
