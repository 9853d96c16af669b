"""The recipe of docs/jupyterhub.md, command by command: an exchange folder, an instructor and a learner."""

from __future__ import annotations

import logging
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from autograder import samples
from autograder.grade import command
from autograder.nbgrader import inlets, settings
from nas_lib import cli

LESSON = "00_start_here"
ROOT = Path(__file__).resolve().parents[1]
RECIPE = (ROOT / "docs" / "jupyterhub.md").read_text(encoding="utf-8")


def said_in_the_recipe(who: str) -> list[str]:
    """The commands of one person, in order."""
    blocks = re.findall(rf"<!-- {who} -->\n```console\n(.*?)```", RECIPE, re.DOTALL)
    return [
        line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")
    ]


class Place:
    """A folder in which somebody gives commands, with a home of their own."""

    def __init__(self, folder: Path, home: Path, config: str) -> None:
        self.folder = folder
        for made in (folder, home):
            made.mkdir(parents=True, exist_ok=True)
        programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self._environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(ROOT), "PATH": programs}
        self._environment |= {
            "JUPYTER_CONFIG_DIR": str(home / ".jupyter"),
            "JUPYTER_DATA_DIR": str(home / "data"),
        }
        with open(folder / "nbgrader_config.py", "a", encoding="utf-8") as file:
            file.write(config)

    def run(self, line: str) -> str:
        program, *arguments = line.split()
        module = {"nbgrader": "nbgrader", "nas-course": "nas_lib.cli"}[program]
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


def test_what_a_learner_submits_through_the_exchange_comes_back_as_feedback(tmp_path):
    exchange = tmp_path / "exchange"
    exchange.mkdir()
    exchange.chmod(0o777)
    command.assign([LESSON], tmp_path / "course")
    setting = re.search(r"^c\.Exchange\.root = .*$", RECIPE, re.MULTILINE)[0]  # type: ignore[index]
    of_learner = re.search(r"```python\n(c = get_config\(\).*?)```", RECIPE, re.DOTALL)[1]  # type: ignore[index]
    assert settings.COURSE_ID in of_learner
    where = "/srv/nbgrader/exchange"
    teacher = Place(tmp_path / "course", tmp_path / "teacher", f"\n{setting.replace(where, str(exchange))}\n")
    learner = Place(
        tmp_path / "learner" / "work", tmp_path / "learner", of_learner.replace(where, str(exchange))
    )

    release, *later = [line for line in said_in_the_recipe("instructor") if LESSON in line]
    fetch, submit, fetch_feedback = said_in_the_recipe("learner")
    collect, grade, *after = later
    assert grade.startswith("nas-course grade") and "collect" in collect
    teacher.run(release)
    learner.run(fetch)
    work = learner.folder / LESSON / f"{LESSON}.ipynb"
    assert "BEGIN SOLUTION" not in work.read_text(encoding="utf-8")
    samples.write(tmp_path / "solved", LESSON, ["perfect"])
    solved = nbformat.read(tmp_path / "solved" / "perfect" / f"{LESSON}.ipynb", as_version=4)
    nbformat.write(solved, work)
    learner.run(submit)
    teacher.run(collect)
    (student,) = [path.name for path in (teacher.folder / "submitted").iterdir()]
    assert (teacher.folder / "submitted" / student / LESSON / "timestamp.txt").is_file()
    said = teacher.run(grade)
    assert re.search(rf"^{re.escape(student)} +1 +1 +3 +1 +1 +1 +– ", said, re.MULTILINE)
    for line in after:
        teacher.run(line)
    learner.run(fetch_feedback)
    (page,) = (learner.folder / LESSON / "feedback").rglob("*.html")
    assert "count_active_ops" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("line", said_in_the_recipe("instructor") + said_in_the_recipe("learner"))
def test_the_recipes_commands_are_commands(line):
    program, *arguments = line.split()
    assert program in ("nbgrader", "nas-course", "sudo")
    if program == "nas-course":
        assert callable(cli.build_parser(ROOT).parse_args(arguments).run)


@pytest.mark.parametrize("shared", [False, True])
def test_in_a_course_that_a_group_shares_the_group_can_read_what_is_collected(tmp_path, shared):
    (tmp_path / "inbound").mkdir()
    for name in (f"{LESSON}.ipynb", "timestamp.txt", "other.csv"):
        (tmp_path / "inbound" / name).write_text("{}", encoding="utf-8")
    collect = SimpleNamespace(log=logging.getLogger(), coursedir=SimpleNamespace(groupshared=shared))
    umask = os.umask(0o077)
    try:
        inlets.PlainCollect.do_copy(collect, str(tmp_path / "inbound"), str(tmp_path / "submitted"))
    finally:
        os.umask(umask)
    taken = [tmp_path / "submitted", *sorted((tmp_path / "submitted").iterdir())]
    assert [path.name for path in taken] == ["submitted", f"{LESSON}.ipynb", "timestamp.txt"]
    modes = [stat.S_IMODE(path.stat().st_mode) for path in taken]
    assert modes == ([0o2770, 0o660, 0o660] if shared else [0o700, 0o600, 0o600])
