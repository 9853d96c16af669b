"""The instructor's commands of `nas-course`: build, verify, grade, release.

Only arguments are read and results printed here; the work is done in the modules of this package, imported
when needed so that `nas-course doctor` stays quick.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction

DEFAULT_COURSE = Path("course")
SAMPLES_COURSE = Path("course/samples")


def add_commands(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the instructor's commands to `nas-course`."""
    build = commands.add_parser("build", help="write notebooks/ and the public checks from solutions/")
    build.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail if a generated file is not what the sources give",
    )
    build.add_argument(
        "--force", action="store_true", help="overwrite generated notebooks even if somebody worked in them"
    )
    build.set_defaults(run=_build)

    verify = commands.add_parser(
        "verify", help="look for faults in the lessons' sources and for answers in what learners get"
    )
    verify.set_defaults(run=_verify)

    grade = commands.add_parser(
        "grade", help="grade a folder of submissions (without one: the bundled samples)"
    )
    grade.add_argument(
        "submissions",
        nargs="?",
        type=Path,
        help="folder of submissions; without it the bundled samples are graded",
    )
    grade.add_argument("--lesson", help="lesson to grade, such as 01_random_search; needed with a folder")
    grade.add_argument(
        "--out", type=Path, help="CSV to write (default: grades_<lesson>.csv in the course folder)"
    )
    grade.add_argument("--course", type=Path, help=f"nbgrader course folder (default: {DEFAULT_COURSE})")
    grade.add_argument(
        "--jobs", type=int, default=1, help="submissions graded at the same time (default: %(default)s)"
    )
    grade.add_argument(
        "--scheduler",
        help="address of a Dask scheduler, such as tcp://host:8786, whose workers grade instead of this machine",
    )
    grade.add_argument(
        "--regrade",
        action="store_true",
        help="evaluate every submission anew; else unchanged ones keep what an earlier or interrupted run found out",
    )
    grade.add_argument("--due", help='due date, such as "2026-10-01 23:59 UTC"')
    grade.add_argument(
        "--unsafe",
        action="store_true",
        help="run submissions without the sandbox: their code can do whatever you can; the report says so",
    )
    grade.set_defaults(run=_grade)

    release = commands.add_parser(
        "release", help="write the learners' zip: notebooks, library, README, requirements"
    )
    release.add_argument(
        "--out", type=Path, default=Path("dist"), help="folder for the zip (default: %(default)s)"
    )
    release.set_defaults(run=_release)


def _build(arguments: argparse.Namespace) -> int:
    from autograder import build

    if arguments.check:
        found = build.drift()
        for item in found:
            print(item)
        print(
            "Everything generated is what the sources give." if not found else f"{len(found)} file(s) differ."
        )
        return 1 if found else 0
    faults = _faults()
    if faults:
        return faults
    changed = build.build(force=arguments.force)
    for path in changed:
        print(path)
    print(f"{len(changed)} file(s) changed." if changed else "Nothing changed.")
    return 0


def _verify(_: argparse.Namespace) -> int:
    from autograder import build, leaks

    faults = _faults()
    secrets = leaks.all_answers()
    found = [
        leak
        for place in (build.NOTEBOOKS, Path("nas_lib"))
        for leak in leaks.scan(build.ROOT / place, secrets)
    ]
    for leak in found:
        print(leak)
    if not faults and not found:
        print("No faults in the lessons, no answers in notebooks/ and nas_lib/.")
    return 1 if faults or found else 0


def _faults() -> int:
    from autograder import verify

    problems = verify.verify_all()
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def _grade(arguments: argparse.Namespace) -> int:
    from autograder import sandbox

    sandbox.choose(arguments.unsafe)  # first of all: without a sandbox nothing is looked at

    from autograder import grade, samples, scoring

    if arguments.jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {arguments.jobs}.")
    if arguments.submissions is not None and arguments.lesson is None:
        raise ValueError("lesson must be given with a folder of submissions: --lesson 01_random_search.")
    if arguments.out is not None and arguments.lesson is None:
        raise ValueError("out names one CSV, so --lesson must say of which lesson.")
    try:
        if arguments.submissions is not None:
            course = arguments.course or DEFAULT_COURSE
            runs = [(arguments.submissions, arguments.lesson)]
        else:
            course = arguments.course or SAMPLES_COURSE
            runs = samples.write_all(course / "submissions", [arguments.lesson] if arguments.lesson else None)
        for folder, lesson in runs:
            done = grade.grade(
                folder,
                lesson,
                course,
                arguments.out,
                arguments.jobs,
                arguments.due,
                unsafe=arguments.unsafe,
                scheduler=arguments.scheduler,
                regrade=arguments.regrade,
            )
            print(grade.table(done))
            print(
                f"Grades: {done.out}. Feedback: {done.course / 'feedback'}. "
                f"Formgrader: start JupyterLab in {done.course}.\n"
            )
    except scoring.GradingError as error:
        raise ValueError(str(error)) from error
    return 0


def _release(arguments: argparse.Namespace) -> int:
    from autograder import release

    made = release.release(arguments.out)
    print(f"{made} ({made.stat().st_size / 2**20:.1f} MB)")
    return 0
