"""The console script `nas-course`: the learner's commands, and the instructor's where the repository is.

The instructor's commands live in the `autograder` folder, which learners do not have: they are added when it
lies beside this package. Commands do their work in other modules; here they are only named, and errors made
readable.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from nas_lib import __version__
from nas_lib._files import at

_ROOT = Path(__file__).resolve().parents[1]
DEBUG = "NAS_COURSE_DEBUG"
"""Environment variable that, when set, shows the full traceback of an error."""
COMPLETION = "_ARGCOMPLETE"
"""Environment variable by which a shell asks what could come next on the line (see argcomplete)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: 0 when all is well, 1 when the command found something wrong, 2 for a mistake in what
        was asked (one sentence on stderr says which), 130 when it was interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a locale or a log without our letters is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    parser = build_parser()
    if COMPLETION in os.environ:
        try:
            import argcomplete
        except ModuleNotFoundError:
            return 1  # never the command itself: nobody has pressed Enter yet
        argcomplete.autocomplete(parser)
    arguments, more = parser.parse_known_args(argv)
    arguments.more = more
    if more and not getattr(arguments, "takes_more", False):
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    if arguments.run is None:
        parser.print_help()
        return 2
    try:
        return int(arguments.run(arguments) or 0)
    except KeyboardInterrupt as interrupt:
        print(f"\n{interrupt}" if str(interrupt) else "\nInterrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `nas-course ... | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError) as error:
        if os.environ.get(DEBUG):
            raise
        print(f"nas-course: {_sentence(error)}", file=sys.stderr)
        return 2


def build_parser(root: Path = _ROOT) -> argparse.ArgumentParser:
    """The command line; each command's `run` takes the parsed arguments and returns its exit status or None.

    Args:
        root: folder in which to look for `autograder`, the instructor's side.
    """
    parser = argparse.ArgumentParser(
        prog="nas-course", description="NAS from Scratch: a course on neural architecture search."
    )
    parser.set_defaults(run=None)
    parser.add_argument("--version", action="version", version=f"nas_lib {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    doctor = commands.add_parser(
        "doctor",
        help="look at this machine: will the course run?",
        description="Print one line per requirement; exit status 1 if something needed is missing.",
    )
    doctor.set_defaults(run=_doctor, no_sandbox=None)

    lab = commands.add_parser(
        "lab",
        help="open the lessons in JupyterLab",
        description="Open the lessons in JupyterLab on their index, without the instructor's menus. What else is "
        "given goes to JupyterLab: nas-course lab --port 9999, --no-browser, --allow-root (as root).",
    )
    lab.add_argument("--folder", type=at, default=Path(), help="the course's folder (default: this one)")
    lab.set_defaults(run=_lab, takes_more=True)

    validate = commands.add_parser(
        "validate",
        help="run the checks of a lesson from top to bottom: what is right, wrong and unfinished?",
        description="Run a lesson's notebook in a fresh kernel, without its experiments; exit status 1 if anything "
        "is wrong or unfinished. Save the notebook first.",
    )
    _add_lesson(validate)
    validate.set_defaults(run=_validate)

    progress = commands.add_parser(
        "progress",
        help="how far am I? points by lesson, as its checks were shown last",
        description="Read the saved notebooks, without running them.",
    )
    progress.add_argument("--folder", type=at, default=Path(), help="the course's folder (default: this one)")
    progress.set_defaults(run=_progress)

    submit = commands.add_parser(
        "submit",
        help="hand in: validate, then write the file for the learning platform",
        description="Validate the notebook, name what is unfinished, and write one file to upload into hand-in/; or "
        "hand it to nbgrader's exchange, where a course there has released the lesson. Save the notebook first.",
    )
    _add_lesson(submit)
    submit.set_defaults(run=_submit)

    update = commands.add_parser(
        "update",
        help="bring a newer release without losing answers",
        description="Put a newer release's notebooks in place with your answers in them; yours as they were go to "
        "backup/. Without RELEASE, in a clone, git pulls it.",
    )
    update.add_argument(
        "release", nargs="?", type=at, metavar="RELEASE", help="the newer learners' zip, or its folder"
    )
    update.add_argument("--folder", type=at, default=Path(), help="the course's folder (default: this one)")
    update.set_defaults(run=_update)

    reproduce = commands.add_parser(
        "reproduce",
        help="run a published comparison of search methods again",
        description="nb201: the course's search methods on real NAS-Bench-201 data, beside published figures.",
    )
    reproduce.add_argument("what", choices=("nb201",), help="which comparison")
    reproduce.add_argument(
        "--data",
        type=at,
        metavar="FILE",
        help="the npz file of docs/reproduce.md (default: where NAS_SHARED_DATA says, or in data/)",
    )
    reproduce.add_argument("--seeds", type=int, default=500, help="runs of each method (default: 500)")
    reproduce.add_argument("--jobs", type=int, help="processes (default: one for each core)")
    reproduce.set_defaults(run=_reproduce)

    published = commands.add_parser(
        "nb201",
        help="make the file of real NAS-Bench-201 data that lessons 02, 03, 06, 08 and 09 look for",
        description="Writes data/nb201_cifar10.npz from the published benchmark's files. Some minutes.",
    )
    published.add_argument(
        "files",
        type=at,
        metavar="FILES",
        help="NATS-Bench's folder NATS-tss-v1_0-3ffb9-simple, or its one file",
    )
    published.add_argument(
        "--latencies",
        type=at,
        nargs="*",
        default=(),
        metavar="FILE",
        help="HW-NAS-Bench-v1_0.pickle, or HELP's folder data/nasbench201: what lesson 06 compares with",
    )
    published.add_argument(
        "--out", type=at, metavar="FILE", help="the file to write (default: data/nb201_cifar10.npz)"
    )
    published.set_defaults(run=_nb201)

    lacking = _add_instructor_commands(commands, root)
    if lacking:
        parser.epilog = (
            f"The instructor's commands are not shown: they need the package {lacking}, "
            'which `pip install -e ".[course]"` brings.'
        )
    return parser


def _doctor(arguments: argparse.Namespace) -> int:
    from nas_lib.doctor import doctor

    return 0 if doctor(arguments.no_sandbox) else 1


def _add_lesson(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "lesson",
        nargs="?",
        metavar="LESSON",
        help="such as 01 (default: every lesson with an answer of yours in it)",
    )
    command.add_argument("--folder", type=at, default=Path(), help="the course's folder (default: this one)")


def _lab(arguments: argparse.Namespace) -> int:
    from nas_lib.notebooks.lab import lab

    return lab(arguments.folder, arguments.more)


def _notebooks(arguments: argparse.Namespace) -> list[Path]:
    """The notebooks that are meant: the one that was named, else those with something written in them."""
    from nas_lib.notebooks import lessons, validating

    home = lessons.home(arguments.folder)
    if arguments.lesson:
        return [lessons.chosen(home, arguments.lesson)]
    paths = [path for path in lessons.found(home).values() if validating.worked_in(validating.read(path))]
    if not paths:
        raise ValueError(f"no answer of yours is in {home} yet: save the notebook first, or name the lesson.")
    return paths


def _validate(arguments: argparse.Namespace) -> int:
    finished = [_is_finished(notebook) for notebook in _notebooks(arguments)]
    return 0 if all(finished) else 1


def _progress(arguments: argparse.Namespace) -> None:
    from nas_lib.notebooks.progress import show

    show(arguments.folder)


def _is_finished(notebook: Path) -> bool:
    """Print what came of a notebook's parts."""
    from nas_lib.notebooks.validating import validate

    print(f"{notebook.stem}: running its checks …", flush=True)
    parts = validate(notebook)
    lacking = [part for part in parts if part.state != "done"]
    for part in lacking:
        print(f"  {part}")
    print(
        f"  {len(parts) - len(lacking)} of {len(parts)} parts are done"
        + (".", "; the rest is above.")[bool(lacking)]
    )
    return not lacking


def _submit(arguments: argparse.Namespace) -> int:
    from nas_lib.notebooks import handing_in, lessons

    home = lessons.home(arguments.folder)
    for notebook in _notebooks(arguments):
        finished = _is_finished(notebook)
        unfinished = "" if finished else " It is unfinished; you can hand in again."
        to = handing_in.exchange(notebook.stem, home)
        if to is not None:
            handing_in.hand_over(notebook, to)
            print(f"  Handed in to the course {to.course}, through nbgrader's exchange.{unfinished}")
        else:
            into = (home.parent if home.name == "notebooks" else home) / handing_in.FOLDER
            print(f"  Upload this file: {handing_in.written(notebook, into)}{unfinished}")
    return 0


def _update(arguments: argparse.Namespace) -> None:
    from nas_lib.notebooks.updating import update

    for line in update(arguments.folder, arguments.release):
        print(line, flush=True)


def _nb201(arguments: argparse.Namespace) -> None:
    from nas_lib.real_data import FILE, write_nas_bench_201

    out = arguments.out or Path("data") / FILE
    print(write_nas_bench_201(arguments.files, out, arguments.latencies))


def _reproduce(arguments: argparse.Namespace) -> None:
    from nas_lib.real_data import FILE, find_nas_bench_201
    from nas_lib.reproduce import print_nas_bench_201

    path = arguments.data or find_nas_bench_201()
    if path is None:
        raise ValueError(
            f"--data must name the file with NAS-Bench-201's results, {FILE}: see docs/reproduce.md"
        )
    print_nas_bench_201(path, arguments.seeds, arguments.jobs)


def _add_instructor_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], root: Path
) -> str | None:
    """Let `autograder.cli.add_commands` add its commands; returns the name of a package it lacked, if any.

    Only the folder beside this package counts: another package of that name is none of the course's.
    """
    if not (root / "autograder" / "cli.py").is_file():
        return None
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    try:
        module = importlib.import_module("autograder.cli")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("autograder", "solutions", "nas_lib"):
            raise  # our own code is broken, and hiding that would hide the commands without a word
        return error.name
    module.add_commands(commands)
    return None


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        told = f"{error.filename}: {error.strerror}"
    else:
        told = str(error) or type(error).__name__
    # Names of files are in there, and those may hold what a terminal obeys.
    return "".join(sign if sign.isprintable() or sign == "\n" else ascii(sign)[1:-1] for sign in told)


if __name__ == "__main__":
    sys.exit(main())
