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
    arguments = parser.parse_args(argv)
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
