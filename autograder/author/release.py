"""`nas-course release`: the learners' zip, and the wheel for a single notebook, built so that they hold no answer.

The zip holds the student notebooks, the wheel of nas_lib, a README with the commands for each system, and a file of
requirements. The edition for self-study holds our answers too, in its wheel: a check that is right folds them out. The
build refuses faulty lessons, stale notebooks and leaks, and gives the same bytes for the same sources.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

import solutions
from autograder.author import build, index, leaks, self_study, verify
from autograder.author.contents import BY_HAND, all_contents
from nas_lib import doctor
from nas_lib._files import replacing

NAME = "nas-from-scratch-learners"
SELF_STUDY = "nas-from-scratch-self-study"
# What the wheel is made from; nothing of the instructor's side is even in the folder where it is built.
WHEEL_SOURCES = ("pyproject.toml", "README.md", "LICENSE", "nas_lib")
EPOCH = 1_577_836_800  # 2020-01-01, the time stamp of everything in wheel and zip


def release(out: Path, root: Path = build.ROOT, answers: bool = False) -> Path:
    """Write the learners' zip into the folder `out`, the wheel of nas_lib beside it, and return the zip's path.

    Args:
        out: where it goes.
        root: the repository.
        answers: the edition for who studies alone, with our answers.

    Raises:
        ValueError: a lesson has a fault, notebooks/ is not what the sources give, or an answer would leak;
            nothing is written then.
    """
    folder = root / "solutions"
    faults: list[Any] = [*verify.verify_all(folder), *build.drift(root)]
    if faults:
        raise ValueError(f"{_listed(faults)} Mend this first (`make build` shows it all).")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="nas-release-") as scratch:
        name = SELF_STUDY if answers else NAME
        content = Path(scratch) / name
        content.mkdir()
        wheel = build_wheel(root, content)
        notebooks = [build.NOTEBOOKS / name / f"{name}.ipynb" for name in solutions.lessons(folder)]
        for page in [index.PATH, *map(Path, BY_HAND), *notebooks]:
            (content / page).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / page, content / page)
        (content / "README.md").write_text(readme(root, wheel.name), encoding="utf-8", newline="\n")
        (content / "requirements.txt").write_text(
            requirements(root, wheel.name), encoding="utf-8", newline="\n"
        )
        if (root / "LICENSE").exists():
            shutil.copyfile(root / "LICENSE", content / "LICENSE")
        archive = Path(scratch) / f"{name}.zip"
        _zip(content, archive)
        found = leaks.scan(archive, leaks.all_answers(folder))
        if found:
            raise ValueError(f"answers would leak: {_listed(found)}")
        if answers:  # in the zip alone: a wheel beside it could not be told from the one without
            wheel.unlink()
            build_wheel(root, content, self_study.files())
            _zip(content, archive)
        for made in [archive] if answers else [wheel, archive]:
            with replacing(out / made.name) as fresh:
                shutil.copyfile(made, fresh)
    return out / archive.name


def build_wheel(root: Path, into: Path, beside: Mapping[str, str] | None = None) -> Path:
    """Build the wheel of nas_lib in a folder of its own, without the network.

    Args:
        root: the repository.
        into: where the wheel goes.
        beside: further files of the library, path within it → text.

    Raises:
        ValueError: pip could not; the message ends with what it said.
    """
    with tempfile.TemporaryDirectory(prefix="nas-wheel-") as scratch:
        for name in WHEEL_SOURCES:
            source = root / name
            if source.is_dir():
                shutil.copytree(
                    source, Path(scratch) / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
                )
            elif source.exists():
                shutil.copyfile(source, Path(scratch) / name)
        for path, text in (beside or {}).items():
            target = Path(scratch) / "nas_lib" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="\n")
        command = [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--no-build-isolation",
        ]
        done = subprocess.run(
            [*command, "--wheel-dir", str(into), scratch],
            env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)},
            capture_output=True,
            text=True,
        )
    wheels = list(into.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise ValueError(
            f"the wheel of nas_lib could not be built: {said[-1] if said else 'pip said nothing'}"
        )
    return wheels[0]


def requirements(root: Path, wheel: str) -> str:
    """The learners' requirements file: the wheel beside it, Jupyter, and what deploys networks."""
    pyproject = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    extras = pyproject["project"]["optional-dependencies"]
    jupyter = [line for line in extras["course"] if Requirement(line).name in doctor.LEARNERS]
    return "\n".join([f"./{wheel}", *jupyter, *extras["onnx"]]) + "\n"


def readme(root: Path, wheel: str) -> str:
    """The learners' README, with a table of the lessons."""
    rows = [lesson.row for lesson in all_contents(root / "solutions")]
    return README.format(lessons="\n".join(rows), wheel=wheel)


def _zip(content: Path, archive: Path) -> None:
    """Zip a folder; names, order and time stamps depend on the content alone."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for path in sorted(content.rglob("*")):
            if path.is_file():
                info = zipfile.ZipInfo(
                    path.relative_to(content.parent).as_posix(), date_time=(2020, 1, 1, 0, 0, 0)
                )
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = 0o644 << 16
                zipped.writestr(info, path.read_bytes())


def _listed(things: list[Any]) -> str:
    shown = "; ".join(str(thing) for thing in things[:5])
    return shown + (f"; and {len(things) - 5} more." if len(things) > 5 else "")


README = """\
# NAS from Scratch

A course on neural architecture search that you write yourself: one notebook for each lesson, with checks
beside every exercise. Everything runs offline on a laptop without a GPU, once it is installed.

## Set it up

You need Python 3.11 or newer. Open a terminal in this folder.

Linux and macOS:

    python3 -m venv .venv
    .venv/bin/python -m pip install -r requirements.txt
    .venv/bin/nas-course doctor
    .venv/bin/nas-course lab

Windows (PowerShell or the command prompt):

    py -m venv .venv
    .venv\\Scripts\\python -m pip install -r requirements.txt
    .venv\\Scripts\\nas-course doctor
    .venv\\Scripts\\nas-course lab

On Linux the usual PyTorch brings gigabytes that only a GPU needs. Without one, install the small version
before the requirements:

    .venv/bin/python -m pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu

`nas-course doctor` says for each thing the course needs whether it is there, and what to do if it is not.

## The lessons

Minutes are for the exercises; reading comes on top.

| lesson | minutes | points |
| --- | ---: | ---: |
{lessons}

Work through a notebook from top to bottom. Write your code where it says YOUR CODE HERE, then run the check
below it: it tells you what is wrong, not only that something is. Checks in your notebook earn nothing by
themselves: it is graded on other examples of the same kind.

These commands stand in `.venv/bin` (on Windows in `.venv\\Scripts`), and in a terminal that you open in JupyterLab
(File, New, Terminal) they are there by name:

- `nas-course lab` opens the lessons. What you add goes to JupyterLab: `--port 9999`, `--no-browser`, `--allow-root`.
- `nas-course validate 01` runs the checks of a lesson from top to bottom and names what is wrong or unfinished.
- `nas-course submit 01` does that too, and writes one file for you to upload, `hand-in/01_random_search.ipynb`.
- `nas-course update FILE.zip` brings a newer release of this folder. Your answers stay in their cells, and your
  notebooks as they were go to `backup/`.

## What is here

- `notebooks/`: the lessons.
- `{wheel}`: the course's library, `nas_lib`.
- `requirements.txt`: what pip installs.
"""
