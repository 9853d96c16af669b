"""How submissions come in: by folder and zip, and by nbgrader's own commands in the course's folder.

Whatever nbgrader would copy, follow or parse on its way is tried on the real commands, as Formgrader's buttons
call them too. What single files and archives come to is in the corpus.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from autograder import samples
from autograder.author import build
from autograder.grade.course_folder import CourseFolder
from autograder.intake import archives, search, taking_in
from autograder.intake.submission import Submission
from autograder.judge import scoring
from autograder.nbgrader import inlets, settings
from autograder.sandbox import bubblewrap
from nas_lib import cli

LESSON = "00_start_here"
RIGHT = json.dumps(samples.notebook(LESSON, samples.sources(LESSON, "perfect")))
SECRET = "do-not-tell"


@pytest.fixture(scope="module")
def place(sandboxed, tmp_path_factory: pytest.TempPathFactory) -> CourseFolder:
    """A course folder with the lesson assigned and nothing handed in."""
    made = CourseFolder(tmp_path_factory.mktemp("intake") / "course")
    made.assign(LESSON)
    return made


def hand_in(place: CourseFolder, student: str, text: str = RIGHT, **files: str) -> Path:
    """Put a submission where nbgrader looks for it, past our intake."""
    folder = place.root / "submitted" / student / LESSON
    folder.mkdir(parents=True)
    (folder / f"{LESSON}.ipynb").write_text(text, encoding="utf-8")
    for name, content in files.items():
        (folder / name.replace("_dot_", ".")).write_text(content, encoding="utf-8")
    return folder


def nbgrader(place: CourseFolder, *arguments: str, path: str | None = None) -> Any:
    programs = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": path or f"{programs}{os.pathsep}{os.environ['PATH']}"}
    environment.pop(bubblewrap.UNSAFE_VARIABLE, None)
    return subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=place.root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )


def api(place: CourseFolder) -> Any:
    """nbgrader as Formgrader's buttons use it."""
    config = Config()
    settings.configure(config, place.root)
    return NbGraderAPI(coursedir=CourseDirectory(config=config), config=config)


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


# -- nbgrader's autograde --------------------------------------------------------------------------------------


def test_autograde_takes_in_what_is_theirs_alone(place):
    secret = place.root.parent / "secret.txt"
    secret.write_text(SECRET, encoding="utf-8")
    config = {"nbgrader_config_dot_py": "raise SystemExit", "numpy_dot_py": "raise SystemExit"}
    ann = hand_in(place, "ann", **config, timestamp_dot_txt="never")
    (ann / "secret.txt").symlink_to(secret)
    (ann / "more").mkdir()
    (ann / "more" / "etc").symlink_to("/etc")
    (ann / "more" / "deep.txt").write_text("x", encoding="utf-8")
    bob = hand_in(place, "bob")
    (bob / f"{LESSON}.ipynb").unlink()
    (bob / f"{LESSON}.ipynb").symlink_to(place.root / "source" / LESSON / f"{LESSON}.ipynb")
    hand_in(place, "cyd", "{")
    hand_in(place, "dan", "\ufeff" + RIGHT)
    hand_in(place, "x<script>")
    elsewhere = place.root.parent / "elsewhere"
    shutil.copytree(place.root / "submitted" / "dan", elsewhere)
    (place.root / "submitted" / "eve").symlink_to(elsewhere, target_is_directory=True)

    done = nbgrader(place, "autograde", LESSON)
    assert done.returncode == 0, done.stderr
    assert "cannot be a student's id" in done.stderr

    points = {
        student: place.row(LESSON, student, "").score for student in ("ann", "bob", "cyd", "dan", "eve")
    }
    assert points == {"ann": 8.0, "bob": 0.0, "cyd": 0.0, "dan": 8.0, "eve": 0.0}
    for student, reason in {"bob": "link", "cyd": "cannot be read", "eve": "link"}.items():
        notebook = (place.root / "autograded" / student / LESSON / f"{LESSON}.ipynb").read_text("utf-8")
        assert reason in notebook
    for step in ("submitted", "autograded"):
        assert everything(place.root / step) - {f"x<script>/{LESSON}/{LESSON}.ipynb"} == {
            f"{student}/{LESSON}/{LESSON}.ipynb" for student in points
        }
    aside = everything(place.root / inlets.SET_ASIDE)
    assert f"ann/{LESSON}/nbgrader_config.py.txt" in aside
    assert f"ann/{LESSON}/more__deep.txt.txt" in aside
    assert f"cyd/{LESSON}/{LESSON}.ipynb.txt" in aside
    assert not any(path.is_symlink() for path in place.root.rglob("*"))
    assert secret.read_text("utf-8") == SECRET
    assert everything(elsewhere) == {f"{LESSON}/{LESSON}.ipynb"}


def test_feedback_has_no_file_but_the_page(place):
    assert api(place).generate_feedback(LESSON, "ann")["success"]
    assert everything(place.root / "feedback" / "ann") == {f"{LESSON}/{LESSON}.html"}


def test_without_a_sandbox_autograde_refuses_before_it_touches_anything(place, monkeypatch):
    copy = place.root / "autograded" / "ann" / LESSON / f"{LESSON}.ipynb"
    before = copy.read_bytes()
    late = hand_in(place, "late", more_dot_py="x = 1")
    monkeypatch.delenv(bubblewrap.UNSAFE_VARIABLE, raising=False)
    monkeypatch.setattr(bubblewrap, "missing", lambda: "bubblewrap is not installed.")
    for student in ("ann", "late"):
        done = api(place).autograde(LESSON, student, force=True, create=True)
        assert not done["success"]
        assert "Nothing has been graded: bubblewrap" in done["log"]
        assert "Traceback" not in done["log"]
    assert copy.read_bytes() == before
    assert everything(late) == {f"{LESSON}.ipynb", "more.py"}
    assert not (place.root / "autograded" / "late").exists()
    shutil.rmtree(late.parent)


@pytest.mark.slow
def test_without_a_sandbox_the_command_ends_with_one_sentence(place):
    late = hand_in(place, "late")
    done = nbgrader(place, "autograde", LESSON, "--student", "late", path=str(Path(sys.executable).parent))
    assert done.returncode == 1
    assert "Nothing has been graded: bubblewrap" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (place.root / "autograded" / "late").exists()
    shutil.rmtree(late.parent)


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_a_failed_regrade_keeps_the_earlier_copy(place, monkeypatch):
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no space left on device")

    copy = place.root / "autograded" / "ann" / LESSON
    before, points = everything(copy), place.row(LESSON, "ann", "").points
    text = (copy / f"{LESSON}.ipynb").read_bytes()
    monkeypatch.setattr(scoring, "evaluate", fail)
    done = api(place).autograde(LESSON, "ann", force=True, create=True)
    assert not done["success"]
    assert everything(copy) == before
    assert (copy / f"{LESSON}.ipynb").read_bytes() == text
    assert place.row(LESSON, "ann", "").points == points
    assert not (place.root / inlets.EARLIER).exists()


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_the_copy_of_a_regrade_that_was_killed_comes_back(place):
    copy = place.root / "autograded" / "dan" / LESSON
    text = (copy / f"{LESSON}.ipynb").read_bytes()
    left = place.root / inlets.EARLIER / "dan" / LESSON
    left.parent.mkdir(parents=True)
    copy.rename(left)
    assert api(place).autograde(LESSON, "dan", force=False, create=True)["success"]
    assert (copy / f"{LESSON}.ipynb").read_bytes() == text


# -- collecting ------------------------------------------------------------------------------------------------


def test_zip_collect_goes_through_intake(place):
    archive = place.root / "downloaded" / LESSON / "archive"
    archive.mkdir(parents=True)
    with zipfile.ZipFile(archive / "fay.zip", "w") as zipped:
        zipped.writestr(f"work/{LESSON}.ipynb", RIGHT)
        zipped.writestr("work/numpy.py", "raise SystemExit")
    with zipfile.ZipFile(archive / "gus.zip", "w") as zipped:
        zipped.writestr("../../../gradebook.db", "")
    (archive / "hal.zip").write_bytes(b"no zip")
    (archive / f"ida_1234_5678_{LESSON}.ipynb").write_text(RIGHT, encoding="utf-8")
    (archive / "jim.ipynb").symlink_to(place.root / "source" / LESSON / f"{LESSON}.ipynb")
    done = nbgrader(place, "zip_collect", LESSON)
    assert done.returncode == 0, done.stderr
    for student, said in {
        "fay": None,
        "ida_1234": None,
        "gus": "outside of its folder",
        "hal": "no zip file",
        "jim": "a link to another file",
    }.items():
        folder = place.root / "submitted" / student / LESSON
        assert everything(folder) == {f"{LESSON}.ipynb"}
        first = nbformat.read(folder / f"{LESSON}.ipynb", as_version=4).cells[0].source
        assert said is None or said in first
        assert said is None or said in done.stderr
    with place.gradebook() as book:
        assert book.find_student("ida_1234").lms_user_id == "1234"
        assert book.find_assignment(LESSON).max_score > 0


def test_collect_follows_no_link_out_of_the_exchange(place, tmp_path):
    inbound = tmp_path / settings.COURSE_ID / "inbound"
    (inbound / "outbound").mkdir(parents=True)
    handed_in = inbound / f"kim+{LESSON}+2026-01-01 10:00:00 UTC"
    handed_in.mkdir()
    (handed_in / f"{LESSON}.ipynb").symlink_to(place.root / "source" / LESSON / f"{LESSON}.ipynb")
    (handed_in / "timestamp.txt").write_text("2026-01-01 10:00:00 UTC", encoding="utf-8")
    (handed_in / "all").symlink_to(place.root)
    honest = inbound / f"liz+{LESSON}+2026-01-01 10:00:00 UTC"
    honest.mkdir()
    (honest / f"{LESSON}.ipynb").write_text(RIGHT, encoding="utf-8")
    done = nbgrader(place, "collect", LESSON, f"--Exchange.root={tmp_path}")
    assert done.returncode == 0, done.stderr
    assert everything(place.root / "submitted" / "kim") == {f"{LESSON}/timestamp.txt"}
    assert everything(place.root / "submitted" / "liz") == {f"{LESSON}/{LESSON}.ipynb"}


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + bytes(500)])
def test_an_unusable_gradebook_is_one_sentence_and_stays_as_it_is(tmp_path, content, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ann.ipynb").write_text(RIGHT, encoding="utf-8")
    (tmp_path / "course").mkdir()
    (tmp_path / "course" / "gradebook.db").write_bytes(content)
    command = ["grade", str(tmp_path / "in"), "--lesson", LESSON, "--course", str(tmp_path / "course")]
    assert cli.main(command) == 2
    said = capsys.readouterr().err
    assert "gradebook.db is damaged" in said
    assert len(said.splitlines()) == 1
    assert everything(tmp_path / "course") == {"gradebook.db"}
    assert (tmp_path / "course" / "gradebook.db").read_bytes() == content


# -- finding ---------------------------------------------------------------------------------------------------


def found(source: Path, quarantine: Path) -> dict[str, Submission]:
    quarantine.mkdir(exist_ok=True)
    return {item.student: item for item in search.find(source, LESSON, quarantine).submissions}


def test_a_zip_among_others_hands_in_for_nobody_else(tmp_path):
    """Whoever names a file in a zip as Canvas would gets it taken for their own."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / f"doejane_1_2_{LESSON}.ipynb").write_text(RIGHT, encoding="utf-8")
    with zipfile.ZipFile(folder / "mallory.zip", "w") as zipped:
        zipped.writestr(f"doejane_1_3_{LESSON}.ipynb", "{}")
    there = found(folder, tmp_path / "quarantine")
    assert sorted(there) == ["doejane_1", "mallory"]
    assert there["doejane_1"].path == folder / f"doejane_1_2_{LESSON}.ipynb"


def test_the_only_archive_in_a_folder_may_be_the_whole_class(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    with zipfile.ZipFile(folder / "submissions.zip", "w") as zipped:
        for number in (1, 2):
            zipped.writestr(f"doe{number}_{number}_77_{LESSON}.ipynb", RIGHT)
    assert sorted(found(folder, tmp_path / "quarantine")) == ["doe1_1", "doe2_2"]


def test_another_lessons_notebook_is_not_taken_for_this_one(tmp_path):
    (tmp_path / "in" / "ann").mkdir(parents=True)
    (tmp_path / "in" / "ann" / "01_random_search.ipynb").write_text(RIGHT, encoding="utf-8")
    (tmp_path / "in" / "bob.ipynb").write_text(RIGHT, encoding="utf-8")
    assert found(tmp_path / "in", tmp_path / "quarantine")["ann"].path is None


def test_what_is_unpacked_is_gone_afterwards(tmp_path):
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as zipped:
        zipped.writestr("ann.ipynb", RIGHT)
    with search.collected(tmp_path / "class.zip", LESSON) as there:
        (submission,) = there.submissions
        assert submission.path is not None
        assert submission.path.exists()
    assert not submission.path.exists()


# -- archives --------------------------------------------------------------------------------------------------


@given(st.text(max_size=40), st.sampled_from([archives.ONE, archives.CLASS]))
def test_no_name_leads_out_of_the_folder(name, limits):
    """Whatever a member is called, what is written lies in the folder."""
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "a" / "b"
        try:
            with zipfile.ZipFile(Path(scratch) / "x.zip", "w") as zipped:
                zipped.writestr(zipfile.ZipInfo(f"{name}.ipynb"), "x")
            archives.unpack(Path(scratch) / "x.zip", folder, limits)
        except (archives.BadArchive, UnicodeEncodeError):
            pass
        inside = {path for path in folder.rglob("*") if path.is_file()} if folder.exists() else set()
        everywhere = {path for path in Path(scratch).rglob("*") if path.is_file()}
        assert everywhere - inside == {Path(scratch) / "x.zip"}


def test_sizes_are_counted_and_not_believed(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        for number in range(4):
            zipped.writestr(f"{number}.ipynb", b" " * 19 * 2**20)
    with pytest.raises(archives.BadArchive, match="above"):  # each is small enough, the sum is not
        archives.unpack(tmp_path / "x.zip", tmp_path / "out", archives.ONE)
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) <= archives.ONE.total_bytes


def test_a_refusal_says_what_happened_and_runs_nothing(tmp_path):
    note = taking_in.take_in(
        Submission("ann", None, "It holds '<script>*x*</script>'."),
        LESSON,
        tmp_path / "a",
        lambda: build.student_notebook(LESSON),
    )
    first = nbformat.read(tmp_path / "a" / f"{LESSON}.ipynb", as_version=4).cells[0].source
    assert note in first.replace("\\", "").replace("&lt;", "<").replace("&gt;", ">")
    assert "<script>" not in first
