"""Looks at the machine and says whether the course will run on it, one line per requirement.

What it looks for comes from the package's own metadata, so there is no second list of requirements here. It
repairs nothing and needs no network; every [WARN] and [FAIL] line says what to do.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import warnings
import webbrowser
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

DISTRIBUTION = "nas-lib"
PYTHON = (3, 11)
DISK = 500e6
"""Free bytes below which notebooks, results and downloads soon fail to be written."""
ROOMY = 2e9
"""Free bytes below which a data set of real pictures or a larger torch does not fit."""

# Distributions whose module has another name, by normalised name.
_MODULES = {"scikit-learn": "sklearn"}
# Of the extra "course", what learners work in; the rest builds and grades.
LEARNERS = ("ipykernel", "jupyterlab")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "firefox")
_INSTALL = f"{sys.executable} -m pip install"


class Finding(NamedTuple):
    """One line of the doctor's report; only "FAIL" means that the course will not run as it is."""

    level: Literal["OK", "WARN", "FAIL"]
    text: str

    def __str__(self) -> str:
        return f"{f'[{self.level}]':<7}{self.text}"


def doctor(no_sandbox: Callable[[], str] | None = None) -> bool:
    """Print one line per requirement: [OK], or with a remedy [FAIL], and [WARN] for what only some need.

    Args:
        no_sandbox: see `bubblewrap`; given on the instructor's side alone.

    Returns:
        True if nothing failed.
    """
    healthy = True
    for finding in examine(no_sandbox):
        print(finding, flush=True)
        healthy &= finding.level != "FAIL"
    print("Everything needed is here." if healthy else "Something is missing: see the [FAIL] lines.")
    return healthy


def examine(no_sandbox: Callable[[], str] | None = None) -> Iterator[Finding]:
    """Look at everything in turn; yields a Finding as soon as it is known: importing torch takes seconds."""
    yield python()
    wanted = requirements()
    if not wanted:
        yield Finding("FAIL", f"nas_lib is not installed: {_INSTALL} {Path(__file__).parents[1]}")
    for requirement in wanted:
        yield package(requirement)
    course = requirements("course")
    yield optional([one for one in course if one.name in LEARNERS], "JupyterLab")
    if no_sandbox:
        yield optional([one for one in course if one.name not in LEARNERS], "building and grading")
    yield optional(requirements("onnx"), "lesson 06, section 8", imports=True)
    yield table()
    yield disk()
    yield threads()
    yield gpu()
    yield browser()
    yield bubblewrap(no_sandbox)


def requirements(extra: str = "") -> list[Requirement]:
    """What nas_lib itself needs, or what one of its extras adds to that; nothing where it is not installed."""
    declared = [Requirement(line) for line in _declared()]
    always = [one for one in declared if one.marker is None or one.marker.evaluate({"extra": ""})]
    if not extra:
        return always
    return [
        one
        for one in declared
        if one not in always and one.marker is not None and one.marker.evaluate({"extra": extra})
    ]


def _declared() -> list[str]:
    """The lines of the installed nas_lib's metadata, or of pyproject.toml where it runs from a checkout."""
    try:
        return metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        pyproject = Path(__file__).resolve().parents[1] / "pyproject.toml"
        if not pyproject.exists():
            return []
        project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
        extras = project["optional-dependencies"].items()
        return project["dependencies"] + [
            f"{line}; extra == '{name}'" for name, more in extras for line in more
        ]


def python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Finding:
    """Is Python new enough?"""
    shown, least = ".".join(map(str, version)), ".".join(map(str, PYTHON))
    if version < PYTHON:
        return Finding("FAIL", f"Python {shown} is too old: the course needs {least} or newer")
    return Finding("OK", f"Python {shown} ({sys.executable})")


def package(requirement: Requirement) -> Finding:
    """Is a package there, new enough, and does it import? (torchvision built for another torch does not.)"""
    remedy = f'{_INSTALL} "{_asked(requirement)}"'
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return Finding("FAIL", f"{requirement.name} is missing: {remedy}")
    if not _fits(version, requirement):
        return Finding("FAIL", f"{requirement.name} {version} is not {requirement.specifier}: {remedy}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(_module(requirement))
    except Exception as error:  # a broken binary raises anything from OSError to RuntimeError
        return Finding(
            "FAIL",
            f"{requirement.name} {version} is installed but does not import ({_one_line(error)}): "
            "reinstall it, together with torch if it builds on torch",
        )
    return Finding("OK", f"{requirement.name} {version}")


def optional(wanted: list[Requirement], purpose: str, imports: bool = False) -> Finding:
    """Is there what only some want? It is not needed to use nas_lib, nor on Colab.

    Args:
        wanted: the packages.
        purpose: what they are for.
        imports: whether each is tried as well; some take seconds.
    """
    lacking, broken = [], []
    for requirement in wanted:
        try:
            if not _fits(metadata.version(requirement.name), requirement):
                lacking.append(_asked(requirement))
            elif imports and package(requirement).level != "OK":
                broken.append(_asked(requirement))
        except metadata.PackageNotFoundError:
            lacking.append(_asked(requirement))
    if lacking or broken:
        what = "missing" if lacking else "installed but does not import"
        asked = " ".join(f'"{one}"' for one in lacking + broken)
        again = "--force-reinstall " if broken and not lacking else ""
        return Finding("WARN", f"{what}, but only needed for {purpose}: {_INSTALL} {again}{asked}")
    return Finding("OK", f"{purpose}: {', '.join(requirement.name for requirement in wanted)}")


def table(path: Path | None = None) -> Finding:
    """Is the table of trained cells there, and is it the one that was shipped?"""
    try:
        from nas_lib.benchmark import TabularBenchmark

        benchmark = TabularBenchmark.load(path, verify=True)
    except ImportError as error:
        return Finding("FAIL", f"table of trained cells: cannot be read ({_one_line(error)})")
    except (OSError, ValueError, KeyError) as error:
        return Finding("FAIL", f"table of trained cells: {_one_line(error)}")
    size = f"{len(benchmark.space):,} cells, {benchmark.seeds} seeds, {benchmark.epochs} epochs"
    return Finding("OK", f"table of trained cells: {size}, content hash right")


def disk(folder: Path | None = None) -> Finding:
    """Is there room to write notebooks and results where the learner works?"""
    folder = Path.cwd() if folder is None else folder
    if not os.access(folder, os.W_OK):
        return Finding("FAIL", f"nothing can be written in {folder}: work in a folder of your own")
    free = shutil.disk_usage(folder).free
    if free < DISK:
        return Finding(
            "FAIL",
            f"only {free / 1e6:,.0f} MB free in {folder}: at least {DISK / 1e6:.0f} are needed, so delete something",
        )
    if free < ROOMY:
        return Finding(
            "WARN", f"only {free / 1e9:,.1f} GB free in {folder}: delete something before it is full"
        )
    return Finding("OK", f"{free / 1e9:,.0f} GB free in {folder}")


def threads() -> Finding:
    """How many cores and threads is the learner's training going to have, and has it got them for itself?"""
    affinity = getattr(os, "sched_getaffinity", None)  # what a container allows, where the system can say
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    torch = sys.modules.get("torch")
    if torch is None:
        return Finding("WARN", f"{cores} CPU cores; torch was not imported: mend what is said of it above")
    used = torch.get_num_threads()
    told = f"{cores} CPU cores, torch uses {used} threads"
    if used > cores:
        return Finding("WARN", f"{told}, which wait for each other: set OMP_NUM_THREADS={cores}")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > cores and used > 1:
        return Finding(
            "WARN", f"{told}, and other programs keep all cores busy: close them, or set OMP_NUM_THREADS=1"
        )
    return Finding("OK", told)


def gpu() -> Finding:
    """Is there a GPU, and can this torch use it? Nothing in the course needs one, but what is there is used."""
    torch = sys.modules.get("torch")
    there = _nvidia_gpu()
    if torch is not None and torch.cuda.is_available():
        name = torch.cuda.get_device_name(0)
        try:
            torch.ones(1, device="cuda").add(1).item()
        except RuntimeError as error:
            without = "set CUDA_VISIBLE_DEVICES= (to nothing) and go without, or install a torch built for it"
            return Finding(
                "FAIL", f"GPU: {name} does not compute with this torch ({_one_line(error)}): {without}"
            )
        return Finding("OK", f"GPU: {name}")
    if there and torch is not None:
        built = torch.version.cuda
        if built is None:
            remedy = "fine as it is; to use it, reinstall torch and torchvision from the index that pytorch.org names"
            return Finding("WARN", f"GPU: {there} is here, but this torch is built for CPUs: {remedy}")
        remedy = "update the driver, or install a torch for an older CUDA"
        return Finding("WARN", f"GPU: {there} is here, but torch for CUDA {built} cannot use it: {remedy}")
    return Finding("OK", "no CUDA GPU found; none is needed")


def _nvidia_gpu() -> str:
    """The first NVIDIA GPU that the driver's own tool names, whatever torch thinks; "" if none."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    try:
        done = subprocess.run([tool, "--list-gpus"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.match(r"GPU 0: ([^(\n]+)", done.stdout)
    return found[1].strip() if found and done.returncode == 0 else ""


def browser() -> Finding:
    """Is there a browser that JupyterLab can open itself in?"""
    named = next((name for name in _BROWSERS if shutil.which(name)), "")
    try:
        named = named or webbrowser.get().name
    except (webbrowser.Error, AttributeError):
        return Finding(
            "WARN",
            "no browser found: start with `nas-course lab --no-browser` and open the address that it prints elsewhere",
        )
    return Finding("OK", f"browser: {named}")


def bubblewrap(no_sandbox: Callable[[], str] | None = None) -> Finding:
    """Is bubblewrap there, in which instructors run submissions? Learners never need it.

    Args:
        no_sandbox: says why submissions cannot be isolated here, "" if they can. The instructor's side passes
            it, as it tries: containers and security modules often forbid what is installed.
    """
    found = shutil.which("bwrap")
    reason = no_sandbox() if no_sandbox else ""
    if reason:
        return Finding("WARN", f"no grading here: {reason}")
    if found:
        return Finding("OK", f"bubblewrap ({found}), for instructors who grade")
    return Finding("OK", "no bubblewrap; only instructors who grade want it")


def _fits(version: str, requirement: Requirement) -> bool:
    """Builds of one's own and release candidates count as the release that they are made for."""
    try:
        return requirement.specifier.contains(Version(version).base_version)
    except InvalidVersion:
        return False


def _asked(requirement: Requirement) -> str:
    """What pip is asked for, such as "numpy>=1.26"."""
    return f"{requirement.name}{requirement.specifier}"


def _module(requirement: Requirement) -> str:
    """The name that Python imports it by."""
    return _MODULES.get(requirement.name.lower(), requirement.name.lower().replace("-", "_"))


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 240 else text[:237] + "..."
