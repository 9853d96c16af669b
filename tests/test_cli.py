"""`nas-course` and the doctor: what a learner reads when something is missing or was asked for wrongly."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from packaging.requirements import Requirement

import solutions
from autograder.sandbox import bubblewrap
from nas_lib import cli, doctor
from nas_lib.doctor import Finding

# -- doctor ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "level"),
    [((3, 10, 14), "FAIL"), ((3, 11, 0), "OK"), ((3, 12, 1), "OK"), ((4, 0, 0), "OK"), ((2, 7, 18), "FAIL")],
)
def test_python_must_be_new_enough(version: tuple[int, ...], level: str):
    finding = doctor.python(version)
    assert finding.level == level
    assert ".".join(map(str, version)) in finding.text


def test_doctor_asks_for_exactly_what_the_package_declares():
    assert {one.name for one in doctor.requirements()} >= {"numpy", "packaging", "torch", "scikit-learn"}
    assert {one.name for one in doctor.requirements("course")} >= {"jupyterlab", "nbgrader"}
    assert {one.name for one in doctor.requirements("onnx")} == {"onnx", "onnxruntime"}
    extras = ["", *metadata.metadata("nas-lib").get_all("Provides-Extra", [])]
    listed = [str(one) for extra in extras for one in doctor.requirements(extra)]
    assert sorted(listed) == sorted(str(Requirement(line)) for line in metadata.requires("nas-lib") or [])


@pytest.mark.parametrize("extra", ["", "course", "onnx"])
def test_requirements_are_the_same_read_from_the_checkout(monkeypatch: pytest.MonkeyPatch, extra: str):
    installed = doctor.requirements(extra)

    def not_installed(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor.metadata, "requires", not_installed)
    assert sorted(map(str, doctor.requirements(extra))) == sorted(map(str, installed))


@pytest.mark.parametrize(
    ("version", "least", "older"),
    [
        ("2.14.1", "2.4", False),
        ("2.4", "2.14", True),
        ("2.4.0+cu130", "2.4", False),
        ("2.4", "2.4.0", False),
        ("0.9.5", "0.9.6", True),
        ("0.10", "0.9.6", False),
        ("3.0.0rc1", "3", False),
        ("unknown", "3", True),
        ("2.6.0a0+ecf3bae40a.nv25.1", "2.6", False),
    ],
)
def test_versions_are_compared_as_numbers(
    monkeypatch: pytest.MonkeyPatch, version: str, least: str, older: bool
):
    monkeypatch.setattr(doctor.metadata, "version", lambda name: version)
    finding = doctor.package(Requirement(f"numpy>={least}"))
    assert finding.level == ("FAIL" if older else "OK")
    assert version in finding.text
    assert not older or f'install "numpy>={least}"' in finding.text


@pytest.mark.parametrize(
    ("version", "level"), [("2.9", "OK"), ("3.0", "WARN"), ("3.0.0", "WARN"), ("3.1", "OK")]
)
def test_a_version_that_does_not_work_is_told(monkeypatch: pytest.MonkeyPatch, version: str, level: str):
    monkeypatch.setattr(doctor.metadata, "version", lambda name: version)
    finding = doctor.optional([Requirement("soupsieve>=2.6,!=3.0,!=3.0.1")], "grading")
    assert finding.level == level
    assert level == "OK" or "soupsieve!=3.0,!=3.0.1,>=2.6" in finding.text


def test_a_missing_package_comes_with_the_command_that_installs_it():
    finding = doctor.package(Requirement("no-such-package>=1.0"))
    assert finding.level == "FAIL"
    assert f'{sys.executable} -m pip install "no-such-package>=1.0"' in finding.text


def test_a_package_that_does_not_import_fails_in_one_line(monkeypatch: pytest.MonkeyPatch):
    def broken(name: str) -> ModuleType:
        raise RuntimeError("operator torchvision::nms\n  does not exist")

    monkeypatch.setattr(doctor.importlib, "import_module", broken)
    finding = doctor.package(Requirement("torchvision>=0.1"))
    assert finding.level == "FAIL"
    assert "(operator torchvision::nms does not exist)" in finding.text


def test_what_only_some_want_is_no_failure_and_comes_with_its_purpose_and_its_remedy():
    finding = doctor.optional([Requirement("no-such-lab>=4"), Requirement("numpy>=999")], "grading")
    assert finding == (
        "WARN",
        f'missing, but only needed for grading: {sys.executable} -m pip install "no-such-lab>=4" "numpy>=999"',
    )


def test_what_is_installed_and_does_not_import_is_installed_again(monkeypatch: pytest.MonkeyPatch):
    def broken(name: str) -> ModuleType:
        raise ImportError("libonnx.so: cannot open shared object file")

    monkeypatch.setattr(doctor.importlib, "import_module", broken)
    wanted = doctor.requirements("onnx")
    assert doctor.optional(wanted, "lesson 06").level == "OK"
    finding = doctor.optional(wanted, "lesson 06", imports=True)
    assert finding.level == "WARN" and "does not import" in finding.text
    assert '-m pip install --force-reinstall "onnx>=' in finding.text


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A torch as the doctor sees it, to be broken: four threads, built for CUDA 12.8, one GPU that computes."""
    computed = SimpleNamespace(add=lambda one: SimpleNamespace(item=lambda: 2.0))
    cuda = SimpleNamespace(is_available=lambda: True, get_device_name=lambda place: "H200")
    made = SimpleNamespace(
        cuda=cuda,
        version=SimpleNamespace(cuda="12.8"),
        ones=lambda *_, **__: computed,
        get_num_threads=lambda: 4,
    )
    monkeypatch.setitem(sys.modules, "torch", made)
    monkeypatch.setattr(doctor.os, "sched_getaffinity", lambda process: set(range(4)), raising=False)
    monkeypatch.setattr(doctor.os, "getloadavg", lambda: (0.5, 0.5, 0.5), raising=False)
    monkeypatch.setattr(doctor, "_nvidia_gpu", lambda: "NVIDIA H200")
    return made


def test_a_gpu_that_computes_and_threads_that_fit_are_fine(torch: SimpleNamespace):
    assert doctor.gpu() == ("OK", "GPU: H200")
    assert doctor.threads() == ("OK", "4 CPU cores, torch uses 4 threads")


def test_a_gpu_that_this_torch_cannot_compute_on_fails(torch: SimpleNamespace):
    """Lessons would take it, and end in this error."""

    def ones(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device")

    torch.ones = ones
    finding = doctor.gpu()
    assert finding.level == "FAIL" and "no kernel image" in finding.text
    assert "CUDA_VISIBLE_DEVICES=" in finding.text


@pytest.mark.parametrize(
    ("built", "remedy"), [(None, "reinstall torch and torchvision"), ("12.8", "update the driver")]
)
def test_a_gpu_that_torch_does_not_see_is_a_warning(torch: SimpleNamespace, built: str | None, remedy: str):
    torch.cuda.is_available = lambda: False
    torch.version.cuda = built
    finding = doctor.gpu()
    assert finding.level == "WARN" and "NVIDIA H200 is here" in finding.text and remedy in finding.text


def test_no_gpu_is_no_fault(torch: SimpleNamespace, monkeypatch: pytest.MonkeyPatch):
    torch.cuda.is_available = lambda: False
    monkeypatch.setattr(doctor, "_nvidia_gpu", lambda: "")
    assert doctor.gpu() == ("OK", "no CUDA GPU found; none is needed")


@pytest.mark.parametrize(
    ("status", "said", "name"),
    [
        (0, "GPU 0: NVIDIA H200 (UUID: GPU-1)", "NVIDIA H200"),
        (0, "", ""),
        (9, "GPU 0: NVIDIA H200 (UUID", ""),
    ],
)
def test_the_driver_s_own_tool_names_the_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, said: str, name: str
):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\necho '{said}'\nexit {status}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor._nvidia_gpu() == name
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert doctor._nvidia_gpu() == ""


def test_more_threads_than_cores_and_a_busy_machine_are_warnings(
    torch: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(doctor.os, "getloadavg", lambda: (9.0, 9.0, 9.0), raising=False)
    finding = doctor.threads()
    assert finding.level == "WARN" and "OMP_NUM_THREADS=1" in finding.text
    torch.get_num_threads = lambda: 64
    finding = doctor.threads()
    assert finding.level == "WARN" and "set OMP_NUM_THREADS=4" in finding.text
    monkeypatch.delitem(sys.modules, "torch")
    assert doctor.threads().level == "WARN"


def test_without_a_browser_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        doctor.shutil, "which", lambda name: "/usr/bin/chromium" if name == "chromium" else None
    )
    assert doctor.browser() == ("OK", "browser: chromium")

    def none() -> None:
        raise doctor.webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor.webbrowser, "get", none)
    finding = doctor.browser()
    assert finding.level == "WARN" and "nas-course lab --no-browser" in finding.text


@pytest.mark.parametrize(
    "content", [None, b"", b"PK\x03\x04 and then nothing"], ids=["missing", "empty", "damaged"]
)
def test_a_missing_or_damaged_table_fails(tmp_path: Path, content: bytes | None):
    path = tmp_path / "table.npz"
    if content is not None:
        path.write_bytes(content)
    finding = doctor.table(path)
    assert finding.level == "FAIL"
    assert str(path) in finding.text
    assert "\n" not in str(finding)


def test_a_full_disk_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: usage._replace(free=123_000_000))
    finding = doctor.disk(tmp_path)
    assert (
        finding.level == "FAIL" and f"only 123 MB free in {tmp_path}: at least 500 are needed" in finding.text
    )
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: usage._replace(free=1_200_000_000))
    finding = doctor.disk(tmp_path)
    assert finding.level == "WARN" and "only 1.2 GB free" in finding.text and "delete" in finding.text
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: usage._replace(free=7_000_000_000))
    assert doctor.disk(tmp_path) == ("OK", f"7 GB free in {tmp_path}")
    monkeypatch.setattr(doctor.os, "access", lambda folder, mode: False)
    finding = doctor.disk(tmp_path)
    assert finding.level == "FAIL" and "nothing can be written" in finding.text


@pytest.mark.parametrize(("level", "healthy"), [("OK", True), ("WARN", True), ("FAIL", False)])
def test_only_a_failure_makes_the_doctor_say_no(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], level: str, healthy: bool
):
    findings = [Finding("OK", "first"), Finding(level, "second"), Finding("OK", "third")]  # type: ignore[arg-type]
    monkeypatch.setattr(doctor, "examine", lambda *_: iter(findings))
    assert doctor.doctor() is healthy
    assert cli.main(["doctor"]) == (0 if healthy else 1)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["[OK]", "first"],
        [f"[{level}]", "second"],
        ["[OK]", "third"],
    ]


def test_the_doctor_tells_an_instructor_why_no_submission_can_be_isolated(monkeypatch: pytest.MonkeyPatch):
    """What is installed may still be forbidden; only the instructor's side can try, and learners have none."""
    assert doctor.bubblewrap(lambda: "forbidden") == ("WARN", "no grading here: forbidden")
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    assert doctor.bubblewrap().level == "OK"  # learners need none
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/usr/bin/bwrap")
    assert doctor.bubblewrap(lambda: "").text == doctor.bubblewrap().text
    assert "/usr/bin/bwrap" in doctor.bubblewrap().text
    tried = cli.build_parser().parse_args(["doctor"]).no_sandbox
    assert tried() == bubblewrap.missing()


def test_doctor_looks_at_everything_and_prints_nothing_else(capfd: pytest.CaptureFixture[str]):
    text = "\n".join(map(str, doctor.examine()))
    for word in (
        "Python",
        "torch",
        "JupyterLab",
        "lesson 06, section 8",
        "table",
        "free in",
        "threads",
        "GPU",
        "browser",
        "bubblewrap",
    ):
        assert word in text
    assert capfd.readouterr() == ("", "")


# -- command line ----------------------------------------------------------------------------------


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch):
    """Make `nas-course doctor` do something else: command(function) -> exit status."""

    def run_with(function) -> int:
        monkeypatch.setattr(cli, "_doctor", function)
        return cli.main(["doctor"])

    return run_with


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]):
    assert cli.main([]) == 2
    assert "doctor" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            ValueError("lesson must be one of a, b, got 'c'"),
            "nas-course: lesson must be one of a, b, got 'c'\n",
        ),
        (
            FileNotFoundError(2, "No such file or directory", "x.zip"),
            "nas-course: x.zip: No such file or directory\n",
        ),
    ],
)
def test_a_mistake_is_one_sentence_on_stderr(
    command, capsys: pytest.CaptureFixture[str], error, sentence: str
):
    def fail(arguments):
        raise error

    assert command(fail) == 2
    assert capsys.readouterr() == ("", sentence)


def test_the_traceback_is_there_for_those_who_ask(command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(cli.DEBUG, "1")

    def fail(arguments):
        raise ValueError("why")

    with pytest.raises(ValueError, match="why"):
        command(fail)


def test_a_bug_is_not_dressed_up_as_the_users_mistake(command):
    def fail(arguments):
        raise TypeError("a bug")

    with pytest.raises(TypeError):
        command(fail)


def test_an_interrupt_ends_quietly(command, capsys: pytest.CaptureFixture[str]):
    def interrupted(arguments):
        raise KeyboardInterrupt

    assert command(interrupted) == 130
    assert capsys.readouterr().err == "\nInterrupted.\n"


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (1, 1), (True, 1)])
def test_a_commands_result_is_the_exit_status(command, returned, status: int):
    assert command(lambda arguments: returned) == status


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the repository's root, with the real autograder forgotten."""
    for name in [name for name in sys.modules if name.split(".")[0] == "autograder"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] == "autograder"]:
        del sys.modules[name]  # monkeypatch puts the real ones back


def autograder(root: Path, source: str) -> None:
    (root / "autograder").mkdir()
    (root / "autograder" / "__init__.py").touch()
    (root / "autograder" / "cli.py").write_text(source)


def test_learners_have_no_instructor_commands(elsewhere: Path):
    text = cli.build_parser(elsewhere).format_help()
    assert "doctor" in text
    assert "grade" not in text
    assert "instructor" not in text


def test_instructor_commands_appear_where_the_autograder_is(elsewhere: Path):
    autograder(
        elsewhere,
        "def add_commands(commands):\n"
        "    commands.add_parser('mark', help='mark it').set_defaults(run=lambda arguments: 7)\n",
    )
    parser = cli.build_parser(elsewhere)
    assert "mark it" in parser.format_help()
    assert parser.parse_args(["mark"]).run(None) == 7


def test_help_says_which_package_keeps_the_instructor_commands_away(elsewhere: Path):
    autograder(elsewhere, "import no_such_grader.preprocessors\n")
    text = " ".join(cli.build_parser(elsewhere).format_help().split())
    assert "they need the package no_such_grader" in text


def test_a_broken_autograder_is_not_hidden(elsewhere: Path):
    autograder(elsewhere, "import autograder.no_such_module\n")
    with pytest.raises(ModuleNotFoundError):
        cli.build_parser(elsewhere)


# -- completion ------------------------------------------------------------------------------------


def completed(line: str, folder: Path) -> list[str]:
    """What a shell is told to suggest at the end of a line."""
    told = folder / "told"
    subprocess.run(
        [sys.executable, "-m", "nas_lib.cli"],
        env={
            **os.environ,
            "PYTHONPATH": str(cli._ROOT),
            cli.COMPLETION: "1",
            "_ARGCOMPLETE_STDOUT_FILENAME": str(told),
            "_ARGCOMPLETE_IFS": "\n",
            "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
        },
        cwd=folder,
        check=True,
    )
    return told.read_text(encoding="utf-8").split("\n")


@pytest.mark.parametrize(
    ("line", "suggested"),
    [
        ("nas-course repo", ["report"]),
        ("nas-course mark --no", ["--no-browser"]),
        ("nas-course grade --lesson 01", ["01_random_search"]),
        ("nas-course assign 0", solutions.lessons()),
        ("nas-course mark --lesson 00_start_here --question o", ["open_00_1"]),
        ("nas-course mutants --lesson 00_start_here --exercise cell_i", ["cell_index"]),
        ("nas-course grade --lesson 00_start_here --student an", ["ann", "anton"]),
    ],
)
def test_a_shell_completes_what_the_course_knows(line: str, suggested: list[str], tmp_path: Path):
    for student in ("ann", "anton", "bob"):
        (tmp_path / "course" / "submitted" / student).mkdir(parents=True)
    assert completed(line, tmp_path) == suggested


def test_without_argcomplete_nothing_is_run_that_nobody_entered(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(cli.COMPLETION, "1")
    monkeypatch.setitem(sys.modules, "argcomplete", None)
    assert cli.main(["doctor"]) == 1


# -- start-up --------------------------------------------------------------------------------------


def test_no_grammar_is_built_at_the_start_and_notebooks_are_validated_all_the_same():
    program = (
        "import sys, autograder, nbformat\n"
        "assert not {'lark', 'rfc3987_syntax.syntax_helpers'} & sys.modules.keys()\n"
        "nbformat.validate(nbformat.v4.new_notebook())\n"
        "try: nbformat.validate({'nbformat': 4, 'nbformat_minor': 5, 'metadata': {}, 'cells': [{'id': 'a'}]})\n"
        "except nbformat.ValidationError: sys.exit(7)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=cli._ROOT, check=False)
    assert done.returncode == 7
