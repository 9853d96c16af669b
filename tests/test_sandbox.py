"""The sandbox that learners' code is graded in: what it cannot reach, what it is stopped at, and that honest
code notices nothing.

Each attack is tried for real, with the whole cell that a learner could write. Attacks that leave the process
alive share one sandbox; those that do not have one each.
"""

# ruff: noqa: E501 - learners' code in one line

from __future__ import annotations

import contextlib
import os
import platform
import re
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from learner_processes import processes, told

from autograder import samples
from autograder.author import build
from autograder.grade import command
from autograder.judge import matching, scoring
from autograder.judge.seeds import SECRET_FILE, SECRET_VARIABLE, SEEDS_FILE
from autograder.nbgrader import config_file, steps
from autograder.reports import grade_table
from autograder.sandbox import bubblewrap, seccomp
from autograder.sandbox.bubblewrap import BubblewrapLauncher, SandboxLimits, Watched
from autograder.sandbox.cells import Ran, Step
from autograder.sandbox.prefork import TemplateLauncher
from autograder.sandbox.process import PlainLauncher
from autograder.sandbox.session import Limits, Session
from nas_lib import cli

LESSON = "00_start_here"
ROOT = Path(__file__).resolve().parents[1]
SHORT = Limits(cell_seconds=4.0, probe_seconds=3.0, total_seconds=15.0)


@pytest.fixture(scope="module", params=[BubblewrapLauncher, TemplateLauncher])
def session(sandboxed, request: pytest.FixtureRequest) -> Iterator[Session]:
    """One sandbox for all that a cell survives, started on its own and forked from a template."""
    launcher = request.param()
    if isinstance(launcher, TemplateLauncher) and launcher.refused:
        pytest.skip(launcher.refused)
    with Session(LESSON, [], SHORT, launcher) as made:
        made.start()
        yield made
    if isinstance(launcher, TemplateLauncher):
        assert launcher.refused == ""
        launcher.close()


def run(*sources: str, limits: Limits = SHORT, box: SandboxLimits | None = None) -> dict[int, Ran]:
    """What becomes of cells in a sandbox of their own, an honest one after the last."""
    steps = [
        Step(f"cell {place}", source, place, True) for place, source in enumerate([*sources, "print(42)"])
    ]
    with Session(LESSON, steps, limits, BubblewrapLauncher(box)) as session:
        session.start()
        ran = dict(session.ran)
    assert ran[len(sources)].printed.strip() == "42", "a cell's end must not cost the next one"
    return ran


# -- what it cannot reach ------------------------------------------------------------------------------------


def test_no_file_of_the_graders_is_there(session, tmp_path):
    secret = tmp_path / "course" / SECRET_FILE
    secret.parent.mkdir()
    for name in (secret, secret.with_name("gradebook.db"), secret.with_name(SEEDS_FILE)):
        name.write_text("secret", encoding="utf-8")
    wanted = [secret, secret.with_name("gradebook.db"), secret.with_name(SEEDS_FILE), tmp_path]
    wanted += [
        ROOT / "solutions",
        ROOT / "autograder" / "judge" / "scoring.py",
        ROOT / "tests",
        ROOT / ".git",
    ]
    wanted += [Path.home() / name for name in os.listdir(Path.home()) if name != ".pyenv"]
    wanted += [Path("/etc/shadow"), Path("/etc/passwd"), Path("/var"), Path("/sys"), Path("/root/.ssh")]
    wanted += [Path("/proc") / str(os.getpid()) / "environ"]
    shown = {Path(path) for path in bubblewrap.shown()}
    wanted = [path for path in wanted if not any(path == one or path in one.parents for one in shown)]
    assert (
        told(session, f"import os; print([p for p in {list(map(str, wanted))} if os.path.exists(p)])") == "[]"
    )
    assert len(wanted) >= 10


def test_the_worker_stands_alone_in_its_folder(session):
    there = told(session, f"import os; print(*sorted(os.listdir({str(ROOT / 'autograder' / 'sandbox')!r})))")
    assert there in ("worker.py", "worker.py zygote.py")
    assert told(session, f"import os; print(os.listdir({str(ROOT / 'autograder')!r}))") == "['sandbox']"
    around = told(session, f"print(sorted(os.listdir({str(ROOT)!r})))")
    assert around in ("['autograder']", "['.venv', 'autograder']")


def test_links_lead_nowhere(session, tmp_path):
    target = tmp_path / "grades.csv"
    target.write_text("secret", encoding="utf-8")
    source = f"""
import os
os.symlink({str(target)!r}, 'link')
for way in (lambda: open('link').read(), lambda: os.link({str(target)!r}, 'hard'),
            lambda: open('/proc/1/root' + {str(target)!r}).read(), lambda: open('/proc/self/cwd/../../..' + {str(target)!r}).read()):
    try: print('got', way())
    except OSError as error: print(type(error).__name__)
"""
    assert "got" not in told(session, source)


def test_writing_works_in_the_home_and_tmp_alone(session):
    source = f"""
import os, pathlib, tempfile
for place in ('.', os.path.expanduser('~'), tempfile.gettempdir(), '/dev/shm'):
    pathlib.Path(place, 'mine').write_text('x'); print('fine')
wrote = []
for top, folders, files in os.walk('/'):
    if top.startswith(('/proc/', '/home/learner', '/tmp', '/dev/shm')) or top.count('/') > 5: folders.clear(); continue
    try: open(os.path.join(top, 'written'), 'w').close(); wrote.append(top)
    except OSError: pass
for name in ('/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger', '/proc/self/oom_score_adj',
             {str(ROOT / "nas_lib" / "__init__.py")!r}, {str(ROOT / "autograder" / "sandbox" / "worker.py")!r}, os.__file__):
    try: open(name, 'r+').close(); wrote.append(name)
    except OSError: pass
print(wrote)
"""
    assert told(session, source).split("\n") == ["fine"] * 4 + ["[]"]


def test_calls_that_no_notebook_needs_are_refused(session):
    if bubblewrap.unfiltered():
        pytest.skip(bubblewrap.unfiltered())
    column = seccomp.MACHINES[platform.machine()].column
    numbers = {name: both[column] for name, both in seccomp.CALLS.items() if name not in seccomp.IN_PART}
    source = f"""
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
for name, number in {numbers}.items():
    ctypes.set_errno(0)
    print(name, libc.syscall(number, 0, 0, 0, 0, 0, 0) if number >= 0 else -1, errno.errorcode.get(ctypes.get_errno()))
"""
    for line in told(session, source).splitlines():
        name, came, error = line.split()
        wanted = "None" if numbers[name] < 0 else "ENOSYS" if name in seccomp.ABSENT else "EPERM"
        assert (came, error) == ("-1", wanted), line


def test_memory_is_shared_in_files_alone_whose_folders_have_a_size(session):
    source = """
import mmap, os, socket, tempfile
for way in (lambda: os.memfd_create('mine'), lambda: mmap.mmap(-1, 2**20), lambda: open('/dev/zero'),
            lambda: socket.socketpair()[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)):
    try: print('got', way())
    except OSError as error: print(type(error).__name__)
with tempfile.TemporaryFile() as file:
    file.truncate(2**20)
    shared = mmap.mmap(file.fileno(), 2**20)
if os.fork() == 0:
    shared[:4] = b'fine'
    os._exit(0)
os.wait()
print(shared[:4], len(mmap.mmap(-1, 2**20, flags=mmap.MAP_PRIVATE)))
shared.close()
"""
    if bubblewrap.unfiltered():
        pytest.skip(bubblewrap.unfiltered())
    wanted = "OSError PermissionError PermissionError PermissionError b'fine' 1048576"
    assert " ".join(told(session, source).split()) == wanted


def test_there_is_no_network(session):
    server = socket.create_server(("127.0.0.1", 0))
    reached: list[object] = []

    def listen() -> None:
        with contextlib.suppress(OSError):  # it is closed at the end
            reached.append(server.accept())

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    source = f"""
import socket
for address in (('127.0.0.1', {server.getsockname()[1]}), ('1.1.1.1', 53)):
    try: socket.create_connection(address, timeout=1); print('connected')
    except OSError as error: print('refused')
try: socket.getaddrinfo('example.org', 80); print('resolved')
except OSError: print('refused')
print([name for _, name in socket.if_nameindex()])
"""
    assert told(session, source) == "refused\nrefused\nrefused\n['lo']"
    server.close()
    assert not reached


def test_there_is_no_way_out_by_rights(session):
    source = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print(os.getuid(), os.getgid())
print([line.split()[1] for line in open('/proc/self/status') if line.startswith(('CapEff', 'CapPrm', 'CapBnd', 'NoNewPrivs'))])
print(libc.unshare(0x10000000), libc.mount(b'none', b'/tmp', b'tmpfs', 0, None), libc.chroot(b'/tmp'))
"""
    uid, rights, calls = told(session, source).split("\n")
    assert uid == "1000 1000"
    assert set(re.findall(r"\w+", rights)) == {"0000000000000000", "1"}
    assert calls == "-1 -1 -1"


def test_it_sees_its_own_processes_and_variables_alone(session, monkeypatch):
    assert len(told(session, "print('\\n'.join(n for n in os.listdir('/proc') if n.isdigit()))").split()) == 2
    monkeypatch.setenv("MY_TOKEN", "do-not-tell")
    monkeypatch.setenv(SECRET_VARIABLE, "do-not-tell")
    (ran, _) = run(
        "import os\nprint(dict(os.environ), open('/proc/self/environ').read(), open('/proc/1/cmdline').read())"
    ).values()
    assert "learner" in ran.printed
    for word in ("do-not-tell", "MY_TOKEN", "NAS_COURSE", str(Path.home() / "x")[:-2] + "/.config"):
        assert word not in ran.printed
    for word in ("--ro-bind", "--setenv", "/etc/ld.so.cache"):  # bubblewrap's own command line
        assert word not in ran.printed


def test_no_descriptor_but_the_two_pipes_and_its_own_clock_is_open_inside(session):
    source = """
import os
links = [os.path.join('/proc/self/fd', fd) for fd in os.listdir('/proc/self/fd') if int(fd) > 2]
print(*sorted(os.readlink(link).rstrip("0123456789[]") for link in links if os.path.islink(link)))
"""
    assert re.fullmatch(r"/home/learner/\S+ \(deleted\) pipe: pipe:", told(session, source))


def test_it_has_the_limits_it_should_and_cannot_raise_them(session):
    source = """
import resource
for name in ('CORE', 'FSIZE', 'CPU', 'NOFILE'):
    kind = getattr(resource, 'RLIMIT_' + name)
    print(*resource.getrlimit(kind))
    try: resource.setrlimit(kind, (10**9, 10**9)); print('raised')
    except (ValueError, PermissionError): pass
"""
    limits = SandboxLimits()
    expected = [f"{most} {most}" for most in (0, limits.file_bytes, limits.cpu_seconds)]
    assert told(session, source).splitlines() == [*expected, f"{limits.open_files // 2} {limits.open_files}"]


def test_a_cell_that_opens_all_files_it_can_leaves_others_some(session):
    greedy = "import os\nkept = []\ntry:\n    while True: kept.append(os.open('/dev/null', 0))\nexcept OSError: pass"
    told(session, greedy)
    assert (
        told(session, "import wave; print(len(kept) > 200, len([open('/dev/null') for _ in range(40)]))")
        == "True 40"
    )


# -- what it is stopped at -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("sandboxed")
def test_signals_reach_nobody_outside():
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        told_by = run(
            "import os, signal\n"
            f"for pid in (os.getppid(), {os.getpid()}, {bystander.pid}):\n"
            "    try: os.kill(pid, signal.SIGKILL)\n"
            "    except OSError as error: print(type(error).__name__)",
            "import os, signal; os.kill(-1, signal.SIGKILL)",
        )
        assert told_by[0].error is None
        assert (told_by[1].error or "").startswith("ProcessLookupError")  # there is nobody else to kill
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.usefixtures("sandboxed")
@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import os; os._exit(3)", "exit status 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "died of SIGSEGV"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", "after its time was up"),
        (
            "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM, signal.SIGPROF, signal.SIGINT])\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass",
            "after its time was up",
        ),
        (
            "x = bytearray(3 * 2**30)\nfor i in range(0, len(x), 4096): x[i] = 1\nimport time; time.sleep(9)",
            "GB of memory",
        ),
        (
            "import os, time\nfor _ in range(8):\n    if os.fork() == 0: break\n"
            "x = b'x' * (100 * 2**20)\ntime.sleep(9)",
            "GB of memory",
        ),
        (
            "import time\nblock = b'x' * (60 * 2**20)\n"
            "for place in ('/tmp', '/dev/shm', '.'):\n"
            "    for name in 'ab': open(f'{place}/{name}', 'wb').write(block)\n"
            "own = b'y' * (200 * 2**20)\ntime.sleep(9)",
            "GB of memory",
        ),
        (
            "import mmap, time\nfar = mmap.mmap(-1, 2**39, flags=mmap.MAP_PRIVATE | 0x4000, prot=mmap.PROT_READ)\n"
            "for at in range(0, 2**39, 2**21): far[at]\ntime.sleep(9)",
            "GB of memory",
        ),
        (
            "import os, socket, time\nfor _ in range(30):\n    if os.fork() == 0: break\n"
            "kept = [one for _ in range(100) for one in socket.socketpair()]\nfor one in kept:\n"
            "    one.setblocking(False)\n    try:\n        while True: one.send(b'x' * 65536)\n"
            "    except BlockingIOError: pass\ntime.sleep(9)",
            "GB of memory",
        ),
        ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", "64 processes"),
        (
            "import threading, time\nwhile True:\n    try: threading.Thread(target=time.sleep, args=(9,)).start()\n    except RuntimeError: pass",
            "64 processes or threads",
        ),
    ],
    ids=[
        "exit",
        "segfault",
        "stop",
        "loop",
        "memory",
        "memory in forks",
        "memory in files",
        "memory in page tables",
        "memory in sockets",
        "fork bomb",
        "threads",
    ],
)
def test_what_ends_the_process_costs_its_cell_alone(source, reason):
    started = time.monotonic()
    # The machine's own memory may come slowly: a cell that wants 3 GB is stopped on the way there.
    ran = run(source, box=SandboxLimits(memory_bytes=2**29) if "memory" in reason else None)
    assert reason in (ran[0].error or "")
    assert time.monotonic() - started < 25


@pytest.mark.usefixtures("sandboxed")
def test_files_are_small_and_so_is_their_sum():
    ran = run(
        "with open('big', 'wb') as file:\n    for _ in range(500): file.write(b'x' * 2**20)",
        "for i in range(20):\n    with open(f'/tmp/{i}', 'wb') as file: file.write(b'x' * (20 * 2**20))",
    )
    assert "File too large" in (ran[0].error or "")
    assert "No space left" in (ran[1].error or "")


@pytest.mark.usefixtures("sandboxed")
def test_nothing_outlives_the_session(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    marker = f"left-over-{os.getpid()}"
    source = (
        "import subprocess, sys\n"
        "for _ in range(3):\n"
        f"    subprocess.Popen([sys.executable, '-c', 'import os, time; os.fork() and os._exit(0); time.sleep(60)', '{marker}'], start_new_session=True)\n"
        "import time; time.sleep(0.5)"
    )
    with Session(LESSON, [Step("one", source, 0, True)], SHORT, BubblewrapLauncher()) as session:
        session.start()
        assert processes(marker)
        process = session._process
        assert isinstance(process, Watched)
        assert bubblewrap._members(process._namespace)
    assert not processes(marker)
    assert bubblewrap._members(process._namespace) == []
    assert list(tmp_path.iterdir()) == []


# -- honest work ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("sandboxed")
def test_a_right_notebook_that_uses_torch_gets_full_marks():
    notebook = samples.notebook(LESSON, dict.fromkeys(samples.sources(LESSON, "perfect"), "reference"))
    use = (
        "import torch\nlayer = torch.nn.Linear(8, 8)\nlayer(torch.ones(2, 8)).sum().backward()\n"
        "with open('notes.txt', 'w') as file: file.write('mine')\nassert layer.weight.grad is not None\nprint('learned')"
    )
    notebook.cells.insert(1, build.nbformat.v4.new_code_cell(use))
    master = matching.Master.of(build.student_notebook(LESSON))
    steps = matching.plan(matching.restore(notebook, master), master)
    limits = Limits(cell_seconds=60.0, total_seconds=120.0)  # importing torch on a busy machine
    result = scoring.evaluate(LESSON, steps, dict.fromkeys(master.points, 7), limits, BubblewrapLauncher())
    assert "learned" in " ".join(ran.printed for ran in result.cells.values())
    assert {outcome.score for outcome in result.outcomes.values()} == {1.0}


# -- refusing ------------------------------------------------------------------------------------------------


@pytest.fixture
def without_sandbox(monkeypatch):
    """A machine without bubblewrap."""
    monkeypatch.delenv(bubblewrap.UNSAFE_VARIABLE, raising=False)
    monkeypatch.setattr(bubblewrap.shutil, "which", lambda name: None)
    bubblewrap.trial.cache_clear()
    yield
    bubblewrap.trial.cache_clear()


@pytest.mark.usefixtures("without_sandbox")
def test_without_bubblewrap_nothing_is_graded_and_one_sentence_says_how_to_get_it(tmp_path, capsys):
    for arguments in (["grade"], ["grade", str(tmp_path / "nowhere"), "--jobs", "0"]):
        assert cli.main(arguments) == 2
        said = capsys.readouterr().err
        assert "Nothing has been graded: bubblewrap" in said or "Linux only" in said
        assert "--unsafe" in said
        assert "Traceback" not in said
    with pytest.raises(bubblewrap.SandboxMissing):
        Session(LESSON, [])
    with pytest.raises(bubblewrap.SandboxMissing):
        command.grade(tmp_path, LESSON, tmp_path / "course")
    assert not (tmp_path / "course").exists()
    step = steps.ScoreExercises(course_root=str(tmp_path))
    with pytest.raises(bubblewrap.SandboxMissing):
        step.preprocess(None, {"nbgrader": {"assignment": LESSON, "notebook": LESSON, "student": "one"}})


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("bwrap: No permissions to create new namespace", "allow user namespaces"),
        ("bwrap: setting up uid map: Permission denied", "allow user namespaces"),
        ("bwrap: Unknown option --disable-userns", "too old"),
    ],
)
def test_a_sandbox_that_does_not_start_is_none(said, reason, tmp_path, monkeypatch):
    fake = tmp_path / "bwrap"
    fake.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n", encoding="utf-8")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    bubblewrap.trial.cache_clear()
    try:
        assert reason in bubblewrap.missing()
        assert said in bubblewrap.missing()
        with pytest.raises(RuntimeError, match="could not start"):
            Session(LESSON, [], launcher=BubblewrapLauncher()).start()
    finally:
        bubblewrap.trial.cache_clear()


@pytest.mark.usefixtures("sandboxed")
def test_where_the_kernel_takes_no_filter_one_sentence_says_so_and_grading_goes_on(monkeypatch):
    monkeypatch.setattr(seccomp, "program", lambda: struct.pack("=HBBI", 0xFFFF, 0, 0, 0))  # no instruction
    bubblewrap.trial.cache_clear()
    try:
        assert bubblewrap.missing() == ""
        assert re.fullmatch(
            r"The kernel's calls are not filtered here \(bwrap: .+\): [^.]+\.", bubblewrap.unfiltered()
        )
        assert run("import mmap; print(len(mmap.mmap(-1, 4096)))")[0].printed.strip() == "4096"
        monkeypatch.setattr(seccomp, "program", lambda: b"")
        bubblewrap.trial.cache_clear()
        assert f"their numbers on {platform.machine()} are not known" in bubblewrap.unfiltered()
    finally:
        bubblewrap.trial.cache_clear()


@pytest.mark.usefixtures("without_sandbox")
def test_unsafe_is_said_in_so_many_words_and_marks_the_report(tmp_path, monkeypatch):
    assert isinstance(bubblewrap.choose(unsafe=True), PlainLauncher)
    monkeypatch.setenv(bubblewrap.UNSAFE_VARIABLE, "1")
    assert bubblewrap.isolation(bubblewrap.choose()) == "none"
    place = samples.write(tmp_path / "in", LESSON, ["perfect"])
    done = command.grade(place, LESSON, tmp_path / "course", progress=False, unsafe=True)
    assert grade_table.table(done).startswith("UNSAFE")
    header, line = done.out.read_text(encoding="utf-8").splitlines()
    assert dict(zip(header.split(","), line.split(","), strict=True))["isolation"] == "none"
    assert "isolation" not in (tmp_path / "course" / config_file.CONFIG_FILE).read_text(encoding="utf-8")


@pytest.mark.usefixtures("sandboxed")
def test_a_python_that_shares_its_folder_with_the_solutions_is_refused(monkeypatch):
    monkeypatch.setattr(bubblewrap.sys, "base_prefix", str(ROOT.parent))
    with pytest.raises(bubblewrap.SandboxMissing, match="holds this repository"):
        bubblewrap.shown()


@pytest.mark.usefixtures("sandboxed")
def test_pages_that_forks_share_are_counted_once():
    """Counted for each process, these would be 1 GB; in truth they are a little over 0.1 GB."""
    source = (
        "import os, time\nx = b'x' * (100 * 2**20)\nchildren = []\n"
        "for _ in range(9):\n    child = os.fork()\n    if child == 0:\n        time.sleep(1); os._exit(0)\n"
        "    children.append(child)\nfor child in children: os.waitpid(child, 0)\nprint('fine')"
    )
    assert run(source, box=SandboxLimits(memory_bytes=2**29))[0].printed.strip() == "fine"
