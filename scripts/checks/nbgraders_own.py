"""nbgrader's own tests of autograding, feedback and the exchange, run with the course's configuration.

    python -m scripts.checks.nbgraders_own run [MODULE ...] [arguments of pytest]
    python -m scripts.checks.nbgraders_own show      writes docs/nbgraders_tests.md, which says what comes of it

The tests are those of the nbgrader that is installed, whose package brings them. Each works in a course of its own.
Those in `APART` are left out. Those in `OTHERWISE` are expected to fail: the run fails if one of them passes, or if
any other fails.
"""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from nbconvert.exporters import NotebookExporter
from nbgrader.converters import Autograde

from autograder.nbgrader import inlets

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "nbgraders_tests.md"
MODULES = (
    "releaseassignment",
    "fetch_assignment",
    "submit",
    "collect",
    "list",
    "releasefeedback",
    "fetchfeedback",
    "generate_feedback",
    "autograde",
)
CONFIGURATION = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from autograder.nbgrader import settings, steps
from nbgrader.preprocessors import Execute
settings.configure(c, Path({course!r}))
del c.CourseDirectory["course_id"]
c.Autograde.exporter_class = "scripts.checks.nbgraders_own.Keeping"
c.Autograde.autograde_preprocessors = [Execute if one is steps.ScoreExercises else one for one in steps.AUTOGRADE]
"""


class Keeping(NotebookExporter):
    """nbgrader's own way to read a submission; what is autograded is kept as in the course."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        if type(self.parent) is Autograde:
            self.parent.__class__ = inlets.KeepingAutograde


APART = {
    "They are about nbgrader's `Execute`, in whose place the course runs submissions in a sandbox of its own.": (
        "autograde.test_showtraceback_exploit",
        "autograde.test_no_execute",
        "autograde.test_infinite_loop",
        "autograde.test_infinite_loop_with_output",
        "autograde.test_autograde_timeout",
        "autograde.test_grade_with_validating_envvar",
        "autograde.test_missing_source_kernelspec",
        "autograde.test_incorrect_source_kernelspec",
        "autograde.test_incorrect_submitted_kernelspec",
    ),
    "They are about nbgrader's autotests, of which the course has none: its checks are functions.": (
        "autograde.test_grade_autotest",
        "autograde.test_grade_hashed_autotest",
        "autograde.test_grade_complex_autotest",
        "autograde.test_hidden_tests_autotest",
        "generate_feedback.test_autotests",
    ),
}
"""Tests that are left out, by the reason."""
OTHERWISE = {
    "Submissions and pages are readable by the instructor alone: nbgrader's defaults show them to everybody on the "
    "machine. `c.Autograde.permissions` and `c.GenerateFeedback.permissions` are still obeyed, as "
    "`test_custom_permissions` shows.": (
        "autograde.test_permissions",
        "generate_feedback.test_permissions",
    ),
    "What is collected cannot be written to by everybody; nbgrader takes over that a learner's folder in the exchange "
    "can.": ("collect.test_permissions",),
    "A submission whose cells claim to be graded ones that the release does not have is graded without them, where "
    "nbgrader fails the submission.": (
        "autograde.test_handle_failure",
        "autograde.test_handle_failure_single_notebook",
    ),
}
"""Tests that ask for what the course does otherwise on purpose, by what it does."""
ELSEWHERE = {
    "zip_collect": "The course's own `IntakeExtractor` and `IntakeCollector` take the place of what these tests "
    "configure (nbgrader's extractor and its pattern of file names). "
    "`tests/test_intake.py` tests them through the same command.",
}
"""Modules of tests that are left out, with the reason."""


@pytest.fixture(autouse=True)
def _with_the_courses_configuration(request: pytest.FixtureRequest) -> None:
    """Add the course's configuration to that of a test of nbgrader's."""
    if "temp_cwd" in request.fixturenames:
        folder = Path(request.getfixturevalue("temp_cwd"))
        text = CONFIGURATION.format(root=str(ROOT), course=request.getfixturevalue("course_dir"))
        with open(folder / "nbgrader_config.py", "a", encoding="utf-8") as file:
            file.write(text)


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Leave out the tests of `APART`, expect those of `OTHERWISE` to fail."""
    apart, otherwise = (
        {name: reason for reason, names in group.items() for name in names} for group in (APART, OTHERWISE)
    )
    for item in items:
        name = f"{item.module.__name__.rpartition('test_nbgrader_')[2]}.{item.originalname}"
        if name in apart:
            item.add_marker(pytest.mark.skip(reason=apart[name]))
        elif name in otherwise:
            item.add_marker(pytest.mark.xfail(reason=otherwise[name], strict=True))


def run(arguments: list[str]) -> int:
    """Run nbgrader's tests; returns pytest's exit status."""
    os.environ.setdefault("USER", getpass.getuser())  # a test asks for it
    os.environ["PATH"] = str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]  # alembic
    chosen = [module for module in MODULES if module in arguments] or MODULES
    tests = [f"nbgrader.tests.apps.test_nbgrader_{module}" for module in chosen]
    arguments = [one for one in arguments if one not in MODULES]
    options = [
        "-c",
        os.devnull,
        "-p",
        "scripts.checks.nbgraders_own",
        "-p",
        "no:cacheprovider",
        "-q",
        "-W",
        "ignore",
        "--pyargs",
    ]
    return int(pytest.main([*options, *tests, *arguments]))


def document() -> str:
    """What docs/nbgraders_tests.md says."""

    def listed(groups: dict[str, tuple[str, ...]]) -> str:
        return "\n\n".join(
            f"{reason}\n\n" + "\n".join(f"- `{name}`" for name in names) for reason, names in groups.items()
        )

    return (
        HEAD.format(modules=", ".join(f"`{module}`" for module in MODULES))
        + "\n\n".join(
            [
                "## Left out",
                *(f"`{module}`, all of it. {reason}" for module, reason in ELSEWHERE.items()),
                listed(APART),
                *(["## Otherwise on purpose", listed(OTHERWISE)] if OTHERWISE else []),
            ]
        )
        + "\n"
    )


HEAD = """# nbgrader's own tests, with the course's configuration

nbgrader comes with tests of its commands. Those of autograding, feedback and the exchange run with what a course
folder's `nbgrader_config.py` configures:

```
python -m scripts.checks.nbgraders_own run
python -m scripts.checks.nbgraders_own run collect submit -n 2
```

The first takes all, the second some of {modules};
further arguments are pytest's. It takes minutes, as nbgrader starts kernels, so `make test` leaves it out. The status
is 0 only if each test does what is said of it here. This page is written by
`python -m scripts.checks.nbgraders_own show`.

Three things differ from a course folder, without which no test of another course could run:

- The course's name is left out, as the tests have names of their own.
- nbgrader's `Execute` stands where the course runs submissions and judges them: its judges know its own lessons alone.
- Submissions are read by nbgrader's exporter. The course's takes one notebook of a lesson, called as the lesson is, and
  sets aside all else (`tests/test_intake.py`); the tests have other names, several notebooks, and files beside them.

All else is the course's: matching cells to the release, sanitising, storing grades, late penalties, keeping what was
autograded before, feedback pages, collecting and releasing through the exchange.

"""

if __name__ == "__main__":
    if sys.argv[1:2] == ["show"]:
        DOCUMENT.write_text(document(), encoding="utf-8")
        print(DOCUMENT)
    else:
        sys.exit(run(sys.argv[2:]))
