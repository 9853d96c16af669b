"""A learner's commands, with real notebooks, kernels, servers, archives, clones and nbgrader's exchange."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import nbformat
import pytest
from test_build import FIXTURE, SOURCE, course, write_lesson

import solutions
from autograder.author import build, index
from autograder.author.contents import GLOSSARY
from autograder.author.lesson import without_markers
from autograder.intake.reading import read as intake_read
from autograder.intake.search import collected
from nas_lib import cli
from nas_lib.notebooks import handing_in, lab, lessons, progress, updating, validating
from nas_lib.notebooks.cells import grade_id, grader_metadata
from tests import servers

LESSON = "00_start_here"


def cell(notebook: Any, identity: str) -> Any:
    return next(one for one in notebook.cells if one.id == identity)


def answered(lesson: str, *right: str, **other: str) -> Any:
    """A student notebook with some reference answers in it, and others as they are given."""
    notebook = build.student_notebook(lesson)
    references = {one.id: one.source for one in build.instructor_notebook(lesson).cells}
    for name in right:
        cell(notebook, name).source = without_markers(references[name])
    for name, source in other.items():
        cell(notebook, name).source = source
    return notebook


def saved(notebook: Any, folder: Path, lesson: str = LESSON) -> Path:
    path = folder / "notebooks" / lesson / f"{lesson}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


# -- which notebook ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [".", "notebooks", f"notebooks/{LESSON}"])
def test_commands_find_the_lessons_from_where_learners_stand(tmp_path, place):
    path = saved(build.student_notebook(LESSON), tmp_path)
    assert lessons.home(tmp_path / place) == tmp_path / "notebooks"
    assert lessons.chosen(tmp_path / "notebooks", "00") == path


def test_who_stands_elsewhere_or_names_no_lesson_is_told(tmp_path, capsys):
    (tmp_path / "elsewhere").mkdir()
    assert cli.main(["submit", "--folder", str(tmp_path / "elsewhere")]) == 2
    assert "no lessons in" in capsys.readouterr().err
    saved(build.student_notebook(LESSON), tmp_path)
    assert cli.main(["submit", "07", "--folder", str(tmp_path)]) == 2
    assert f"lesson must be one of {LESSON}, got '07'" in capsys.readouterr().err
    assert cli.main(["submit", "--folder", str(tmp_path)]) == 2
    assert "no answer of yours" in capsys.readouterr().err


# -- validate and hand in ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course's folder in which one exercise is right, one is wrong and the rest is not begun."""
    folder = tmp_path_factory.mktemp("course")
    wrong = "def cell_from_index(index):\n    return 3"
    saved(answered(LESSON, "cell_index", cell_from_index=wrong, concept_00_1="concept_00_1 = 'a'"), folder)
    return folder


def test_submit_names_what_is_unfinished_and_writes_a_file_that_the_grader_takes(worked, tmp_path, capfd):
    assert cli.main(["submit", "--folder", str(worked)]) == 0
    out = capfd.readouterr().out
    assert "✗ cell_from_index: " in out
    assert "○ count_active_ops: not implemented yet" in out
    assert "○ concept_00_2: not answered yet" in out
    assert "○ open_00_1: not answered yet" in out
    assert " cell_index" not in out and "concept_00_1" not in out
    assert "2 of 7 parts are done; the rest is above." in out
    file = worked / "hand-in" / f"{LESSON}.ipynb"
    assert f"Upload this file: {file}" in out and "It is unfinished" in out
    mine = validating.read(worked / "notebooks" / LESSON / f"{LESSON}.ipynb")
    assert [one.source.strip() for one in intake_read(file).cells] == [
        one.source.strip() for one in mine.cells
    ]
    shutil.copytree(file.parent, tmp_path / "class" / "ann")
    with collected(tmp_path / "class", LESSON) as found:
        assert [(one.student, one.fault) for one in found.submissions] == [("ann", "")]


def test_validate_says_no_by_its_status_until_all_is_done(worked, monkeypatch, capsys):
    parts = [validating.Part("one", "done"), validating.Part("two", "unfinished", "not answered yet")]
    monkeypatch.setattr(validating, "validate", lambda path: parts)
    assert cli.main(["validate", "00", "--folder", str(worked)]) == 1
    del parts[1]
    assert cli.main(["validate", "00", "--folder", str(worked)]) == 0
    assert "1 of 1 parts are done.\n" in capsys.readouterr().out


def test_a_cell_that_ends_the_kernel_leaves_a_sentence(tmp_path, capfd):
    path = saved(answered(LESSON, "cell_index", cell_from_index="import os\nos._exit(1)"), tmp_path)
    parts = {part.name: part for part in validating.validate(path)}
    assert parts["cell_index"].state == "done"
    assert "did not run" in parts["count_active_ops"].said
    assert "[IPKernelApp]" not in capfd.readouterr().err


def test_a_notebook_that_is_too_large_is_handed_in_without_outputs(tmp_path, monkeypatch):
    notebook = answered(LESSON, "cell_index")
    setup = next(one for one in notebook.cells if one.cell_type == "code")
    setup.outputs = [nbformat.v4.new_output("stream", text="x" * 1000)]
    path = saved(notebook, tmp_path)
    assert validating.read(handing_in.written(path, tmp_path / "out")).cells == notebook.cells
    monkeypatch.setattr(handing_in, "LARGEST", 1000)
    sent = validating.read(handing_in.written(path, tmp_path / "out"))
    assert all(not one.get("outputs") for one in sent.cells)
    assert [one.source for one in sent.cells] == [one.source for one in notebook.cells]


def test_what_is_no_notebook_is_said_in_a_sentence(tmp_path, capsys):
    path = saved(build.student_notebook(LESSON), tmp_path)
    path.write_text("not JSON", encoding="utf-8")
    assert cli.main(["submit", "00", "--folder", str(tmp_path)]) == 2
    assert f"{path} is no notebook that can be read" in capsys.readouterr().err


@pytest.fixture
def exchange(tmp_path, monkeypatch) -> Path:
    """An exchange of nbgrader's in which a course has released the lesson, and a learner's folder that knows it."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    root = tmp_path / "exchange"
    saved(answered(LESSON, "cell_index"), tmp_path)
    for name in (f"outbound/{LESSON}", "inbound"):
        (root / "nas" / name).mkdir(parents=True)
    notebook = tmp_path / "notebooks" / LESSON / f"{LESSON}.ipynb"
    shutil.copy(notebook, root / "nas" / "outbound" / LESSON)
    for path in (root, root / "nas" / "inbound"):
        path.chmod(0o777)
    (tmp_path / "notebooks" / "nbgrader_config.py").write_text(
        f"c = get_config()\nc.Exchange.root = {str(root)!r}\nc.Exchange.cache = {str(tmp_path / 'cache')!r}\n",
        encoding="utf-8",
    )
    return root


def test_where_an_exchange_is_set_up_a_lesson_goes_there(exchange, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(validating, "validate", lambda path: [validating.Part("cell_index", "done")])
    assert cli.main(["submit", "00", "--folder", str(tmp_path)]) == 0
    assert "Handed in to the course nas" in capsys.readouterr().out
    (handed,) = (exchange / "nas" / "inbound").glob(f"*+{LESSON}+*/{LESSON}.ipynb")
    own = tmp_path / "notebooks" / LESSON / f"{LESSON}.ipynb"
    assert handed.read_bytes() == own.read_bytes()
    assert not (tmp_path / "hand-in").exists()


def test_an_exchange_without_the_lesson_is_none(exchange, tmp_path):
    assert handing_in.exchange("01_random_search", tmp_path / "notebooks") is None
    (exchange / "other" / "outbound" / LESSON).mkdir(parents=True)
    with pytest.raises(ValueError, match="several courses"):
        handing_in.exchange(LESSON, tmp_path / "notebooks")


def test_what_the_exchange_refuses_is_said(exchange, tmp_path):
    shutil.rmtree(exchange / "nas" / "inbound")
    with pytest.raises(ValueError, match="did not take it"):
        handing_in.hand_over(
            tmp_path / "notebooks" / LESSON / f"{LESSON}.ipynb", handing_in.Exchange(exchange, "nas")
        )


# -- a newer release ---------------------------------------------------------------------------------------

NEWER = (
    SOURCE.replace("The mean that rates need.", "The mean that rates need, and speeds.")
    .replace("if any of them is zero.", "if one of them is zero.")
    .replace("SCALE = 2.0", "SCALE = 3.0")
    .replace("# ### Exercise 90.2", "# A new paragraph.\n\n# %% [markdown]\n# ### Exercise 90.2")
)
ANSWER = 'def harmonic_mean(values, default=0.0):\n    """Harmonic mean of positive numbers; `default` for none at all, 0.0 if any of them is zero."""\n    return 7'  # noqa: E501


def student(text: str, folder: Path) -> Any:
    return build.student_notebook(FIXTURE, write_lesson(folder, text))


@pytest.fixture
def old(tmp_path) -> Any:
    """The fixture lesson with answers, cells and notes of the learner's."""
    notebook = student(SOURCE, tmp_path / "old")
    cell(notebook, "harmonic_mean").source = ANSWER
    cell(notebook, "concept_90_1").source = "concept_90_1 = 'b'"
    cell(notebook, "open_90_1").source = "When rates are averaged."
    experiment = next(one for one in notebook.cells if one.metadata.get("tags") == ["experiment"])
    experiment.source = "print('my own experiment')"
    place = notebook.cells.index(cell(notebook, "harmonic_mean"))
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell("harmonic_mean([1, 2])", id="mine"))
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell("My notes."))
    return notebook


def test_a_newer_release_keeps_every_answer_and_brings_what_is_new(old, tmp_path):
    result = updating.merged(old, student(NEWER, tmp_path / "new"))
    cells = result.notebook.cells
    sources = [one.source for one in cells]
    assert cell(result.notebook, "harmonic_mean").source == ANSWER
    assert cell(result.notebook, "concept_90_1").source == "concept_90_1 = 'b'"
    assert cell(result.notebook, "open_90_1").source == "When rates are averaged."
    assert "raise NotImplementedError" in cell(result.notebook, "Counter").source
    assert sources[0] == "My notes." and "print('my own experiment')" in sources
    assert sources.index("harmonic_mean([1, 2])") == sources.index(ANSWER) + 1
    text = "\n".join(sources)
    assert "and speeds" in text and "A new paragraph." in text and "SCALE = 3.0" in text
    assert "SCALE = 2.0" not in text
    assert (result.answers, result.own, result.changed, result.replaced) == (3, 3, ["harmonic_mean"], 0)
    assert len({one.id for one in cells}) == len(cells)
    nbformat.validate(result.notebook)


def test_the_same_release_changes_nothing_but_outputs(old, tmp_path):
    before = [one.source for one in old.cells]
    result = updating.merged(old, student(SOURCE, tmp_path / "same"))
    assert [one.source for one in result.notebook.cells] == before
    assert result.changed == [] and result.replaced == 0


def test_an_untouched_notebook_becomes_the_new_one(tmp_path):
    new = student(NEWER, tmp_path / "new")
    expected = build.render(new)
    result = updating.merged(student(SOURCE, tmp_path / "old"), new)
    assert build.render(result.notebook) == expected
    assert str(result) == "0 answers kept"


def test_answers_whose_exercise_is_gone_stay_as_cells_of_one_s_own(old, tmp_path):
    start = NEWER.index("# %% [markdown]\n# ### Exercise 90.1")
    end = NEWER.index("# %% [markdown]\n# A new paragraph")
    result = updating.merged(old, student(NEWER[:start] + NEWER[end:], tmp_path / "new"))
    kept = next(one for one in result.notebook.cells if one.source == ANSWER)
    assert "nbgrader" not in kept.metadata


def test_cells_without_ids_or_metadata_are_matched_by_what_they_say(old, tmp_path):
    for one in old.cells:
        one.metadata = nbformat.from_dict({})
        one.pop("id", None)
    result = updating.merged(old, student(NEWER, tmp_path / "new"))
    assert cell(result.notebook, "harmonic_mean").source == ANSWER
    assert cell(result.notebook, "concept_90_1").source == "concept_90_1 = 'b'"
    assert "When rates are averaged." in [one.source for one in result.notebook.cells]


def test_a_lesson_s_cell_that_both_changed_is_said_to_be_in_the_backup(old, tmp_path):
    next(one for one in old.cells if "SCALE" in one.source).source += "\nMINE = 1"
    result = updating.merged(old, student(NEWER, tmp_path / "new"))
    assert result.replaced == 1 and "yours are in the backup" in str(result)


def released(text: str, place: Path) -> Path:
    """A zip as learners get it, of the fixture lesson."""
    root = course(place, text)
    build.build(root)
    archive = place / "release.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for path in sorted((root / "notebooks").rglob("*.ipynb")):
            zipped.write(path, f"nas-from-scratch-learners/{path.relative_to(root)}")
        zipped.writestr("nas-from-scratch-learners/nas_lib-9.9-py3-none-any.whl", b"a wheel")
        zipped.writestr("nas-from-scratch-learners/requirements.txt", "./nas_lib-9.9-py3-none-any.whl\n")
        zipped.writestr(f"nas-from-scratch-learners/{GLOSSARY}", "words")
        zipped.writestr("nas-from-scratch-learners/../../evil.whl/../x.txt", b"never")
    return archive


@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_update_brings_a_release_and_keeps_a_backup(old, tmp_path, capsys, kind):
    mine = saved(old, tmp_path / "mine", FIXTURE)
    before = mine.read_bytes()
    release = released(NEWER, tmp_path / "release")
    if kind == "folder":
        with zipfile.ZipFile(release) as zipped:
            zipped.extractall(tmp_path / "unpacked")
        release = tmp_path / "unpacked"
    assert cli.main(["update", str(release), "--folder", str(tmp_path / "mine")]) == 0
    out = capsys.readouterr().out
    merged = validating.read(mine)
    assert cell(merged, "harmonic_mean").source == ANSWER
    assert "A new paragraph." in [one.source for one in merged.cells]
    (backup,) = (tmp_path / "mine" / "backup").glob(f"*/{FIXTURE}/{FIXTURE}.ipynb")
    assert backup.read_bytes() == before
    assert f"{FIXTURE}: 3 answers kept" in out and str(backup.parents[1]) in out
    assert (tmp_path / "mine" / "notebooks" / "index.ipynb").exists()
    assert (tmp_path / "mine" / GLOSSARY).read_text(encoding="utf-8") == "words"
    wheel = tmp_path / "mine" / "nas_lib-9.9-py3-none-any.whl"
    assert wheel.read_bytes() == b"a wheel" and f"--no-deps {wheel}" in out


@pytest.mark.parametrize("release", [b"no zip", None])
def test_what_is_no_release_leaves_everything_as_it_was(old, tmp_path, capsys, release):
    mine = saved(old, tmp_path / "mine", FIXTURE)
    before = mine.read_bytes()
    file = tmp_path / "release.zip"
    if release is None:
        with zipfile.ZipFile(file, "w") as zipped:
            zipped.writestr("something.txt", "else")
    else:
        file.write_bytes(release)
    assert cli.main(["update", str(file), "--folder", str(tmp_path / "mine")]) == 2
    assert "release" in capsys.readouterr().err
    assert mine.read_bytes() == before and not (tmp_path / "mine" / "backup").exists()


def git(folder: Path, *command: str) -> None:
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    subprocess.run(["git", *who, *command], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def clone(old, tmp_path) -> Path:
    """A learner's clone with answers in it, behind its origin by one release."""
    origin = course(tmp_path / "origin")
    build.build(origin)
    git(origin, "init", "--quiet")
    git(origin, "add", "--all")
    git(origin, "commit", "--quiet", "--message", "first")
    git(tmp_path, "clone", "--quiet", str(origin), "clone")
    saved(old, tmp_path / "clone", FIXTURE)
    write_lesson(origin / "solutions", NEWER)
    build.build(origin)
    git(origin, "commit", "--quiet", "--all", "--message", "second")
    return tmp_path / "clone"


def test_update_pulls_into_a_clone_where_git_alone_refuses(clone, capsys):
    with pytest.raises(subprocess.CalledProcessError):
        git(clone, "pull", "--ff-only")
    assert cli.main(["update", "--folder", str(clone)]) == 0
    assert f"{FIXTURE}: 3 answers kept" in capsys.readouterr().out
    notebook = validating.read(clone / "notebooks" / FIXTURE / f"{FIXTURE}.ipynb")
    assert cell(notebook, "harmonic_mean").source == ANSWER
    assert "A new paragraph." in [one.source for one in notebook.cells]


def test_a_pull_that_fails_leaves_the_notebooks_as_they_were(clone, tmp_path, capsys):
    path = clone / "notebooks" / FIXTURE / f"{FIXTURE}.ipynb"
    before = path.read_bytes()
    shutil.rmtree(tmp_path / "origin")
    assert cli.main(["update", "--folder", str(clone)]) == 2
    assert "git pull failed" in capsys.readouterr().err
    assert path.read_bytes() == before


# -- JupyterLab --------------------------------------------------------------------------------------------


def test_lab_passes_on_what_jupyter_is_to_be_told(tmp_path, monkeypatch, capsys):
    saved(build.student_notebook(LESSON), tmp_path)
    calls = []
    monkeypatch.setattr(lab.subprocess, "run", lambda command, env: calls.append(command) or _Done())
    assert cli.main(["lab", "--folder", str(tmp_path), "--port", "9999", "--no-browser"]) == 7
    assert calls[0][-3:] == ["--port", "9999", "--no-browser"]
    with pytest.raises(SystemExit):
        cli.main(["doctor", "--port", "9999"])
    assert "unrecognized arguments: --port 9999" in capsys.readouterr().err


class _Done:
    returncode = 7


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    """Asks the server that `nas-course lab` starts: server(path, data) -> its answer as text."""
    folder = tmp_path_factory.mktemp("lab")
    saved(answered(LESSON, "cell_index"), folder)
    nbformat.write(index.index_notebook(), folder / "notebooks" / "index.ipynb")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    more = [
        f"--port={port}",
        "--no-browser",
        "--IdentityProvider.token=",
        "--ServerApp.disable_check_xsrf=True",
    ]
    more += ["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    command, environment = lab.started(folder, more)
    said = (folder / "said").open("w+")
    running = subprocess.Popen(
        command, env=environment, stdout=said, stderr=said, cwd=folder, start_new_session=True
    )

    def ask(path: str, data: Any = None) -> str:
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body)
        with urllib.request.urlopen(request, timeout=300) as answer:
            return f"{answer.geturl()}\n{answer.read().decode()}"

    try:
        servers.wait_for(f"http://127.0.0.1:{port}/api", running, folder / "said")
        yield ask
    finally:
        servers.end(running)
        said.close()


def test_lab_opens_on_the_index(server):
    assert "/lab/tree/index.ipynb" in server("/").splitlines()[0]


def test_learners_see_validate_and_no_instructor_s_menu(server):
    page = server("/lab")
    config = json.loads(
        page.split('id="jupyter-config-data" type="application/json">')[1].split("</script>")[0]
    )
    disabled = set(config["disabledExtensions"])
    for name in ("formgrader", "create-assignment", "assignment-list", "course-list", "menu"):
        assert f"@jupyter/nbgrader:{name}" in disabled
    assert "@jupyter/nbgrader:validate-assignment" not in disabled
    for gone in ("/formgrader", "/assignments", "/courses"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            server(gone)


def test_nothing_asks_for_news(server):
    told = server("/lab/api/settings/@jupyterlab/apputils-extension:notification").partition("\n")[2]
    properties = json.loads(told)["schema"]["properties"]
    assert properties["fetchNews"]["default"] == "false" and properties["checkForUpdates"]["default"] is False


def test_validate_has_time_for_trainings(server, tmp_path):
    """nbgrader's own 30 s would end in a raw CellTimeoutError; the button's request, and what it is answered."""
    from nbgrader.server_extensions.validate_assignment.handlers import ValidateAssignmentHandler

    answer = json.loads(
        server("/assignments/validate", {"path": f"{LESSON}/{LESSON}.ipynb"}).partition("\n")[2]
    )
    assert answer["success"], answer
    failed = json.dumps(answer["value"])
    assert "not implemented yet" in failed and "CellTimeoutError" not in failed
    settings = json.loads((lab.SETTINGS / "nbgrader_config.json").read_text(encoding="utf-8"))
    assert settings["Execute"]["timeout"] >= 600
    _, environment = lab.started(_a_course(tmp_path))
    shown = subprocess.run(
        [sys.executable, "-c", f"from {ValidateAssignmentHandler.__module__} import *\n"
         "print(ValidateAssignmentHandler.load_config(None).Execute.timeout)"],
        env=environment, cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert shown.stdout.strip() == str(settings["Execute"]["timeout"]), shown.stderr


def _a_course(folder: Path) -> Path:
    saved(build.student_notebook(LESSON), folder)
    return folder


# -- the index, and from lesson to lesson ------------------------------------------------------------------


def test_the_index_lists_every_lesson_with_links_that_lead_there():
    source = "\n".join(one.source for one in index.index_notebook().cells)
    rows = [line for line in source.splitlines() if line.startswith("| [")]
    assert [row.split("](")[1].split(")")[0] for row in rows] == [
        f"{one}/{one}.ipynb" for one in solutions.lessons()
    ]
    assert "| 20 | [00](00_start_here/00_start_here.ipynb) |" in rows[1]
    assert all(row.split(" | ")[3] != "–" for row in rows), "each lesson says how long it computes"
    for row in index.METHODS:
        assert f"| {row[0]} |" in source or f"{row[-1]}_" not in " ".join(solutions.lessons())
    assert {row[-1] for row in index.METHODS} >= {name[:2] for name in solutions.lessons()} - {"00"}
    for command in ("doctor", "progress", "validate", "submit", "update"):
        assert f"`nas-course {command}" in source
        cli.build_parser().parse_args([command])


# -- how far a learner is ----------------------------------------------------------------------------------


def shown(notebook: Any, name: str, said: str) -> None:
    """Let a check have printed something."""
    cell(notebook, f"{name}-check").outputs = [nbformat.v4.new_output("stream", text=said)]


def test_progress_is_what_the_saved_checks_showed_last(tmp_path, capsys):
    notebook = build.student_notebook(LESSON)
    shown(notebook, "cell_index", "✓ cell_index: right in 9 of 9 cases tried here\n")
    shown(notebook, "cell_from_index", "✗ cell_from_index: ✓ is not enough\n")
    shown(notebook, "concept_00_1", '✓ concept_00_1: "a" is an answer\n')
    saved(notebook, tmp_path)
    worth = {str(grade_id(one)): grader_metadata(one).get("points", 0) for one in notebook.cells}
    questions = sum(points for name, points in worth.items() if name.startswith(("concept_", "open_")))
    exercises = sum(worth.values()) - questions
    [found] = progress.progress(tmp_path)
    assert (found.points, found.to_earn) == (worth["cell_index-check"], exercises)
    assert (found.answered, found.to_answer) == (worth["concept_00_1-check"], questions)
    assert progress.total([found, found]).to_earn == 2 * exercises
    assert cli.main(["progress", "--folder", str(tmp_path)]) == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first == str(found) and f"{found.points:g} of {exercises:g} points" in last
    assert 0 < first.count("█") < first.count("░")


def test_progress_is_full_only_where_nothing_is_left(tmp_path):
    assert "░" in str(progress.Progress(LESSON, 9.99, 10.0, 5.0, 5.0))
    assert "░" not in str(progress.Progress(LESSON, 10.0, 10.0, 5.0, 5.0))
    path = saved(build.student_notebook(LESSON), tmp_path)
    path.write_text("no notebook", encoding="utf-8")
    [found] = progress.progress(tmp_path)
    assert "no notebook that can be read" in str(found), "one that cannot be read hides no other's progress"


def test_every_lesson_leads_to_its_neighbours_and_says_how_to_hand_in():
    names = solutions.lessons()
    for place, name in enumerate(names):
        cells = build.student_notebook(name).cells
        for text in (cells[0].source, cells[-1].source):
            assert "[All lessons](../index.ipynb)" in text
            neighbours = names[max(0, place - 1) : place] + names[place + 1 : place + 2]
            assert all(f"(../{other}/{other}.ipynb)" in text for other in neighbours)
            assert text.count(".ipynb)") == len(neighbours) + 1
        assert f"nas-course submit {name[:2]}\n" in cells[-1].source
