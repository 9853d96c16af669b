"""There and back: downloads of Canvas and Moodle in their real formats are graded, and the grades go into their own files.

The class has two students of one name, as classes have.
"""

# ruff: noqa: E501 - the LMSs' headers in one line

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook

from autograder import samples
from autograder.grade import command, progress
from autograder.grade.course_folder import CourseFolder
from autograder.intake import downloads, search
from autograder.intake.downloads import Download
from autograder.reports import grade_table, lms, lms_files
from autograder.reports.spreadsheets import Sheet
from nas_lib import cli

LESSON = "00_start_here"
DUE = "2026-10-01 23:59 Europe/Berlin"
# Without answers to open questions, so that nobody waits for a person.
HALF, BLANK = (
    json.dumps(samples.notebook(LESSON, samples.sources(LESSON, name))) for name in ("half", "blank")
)
CANVAS = """\
Student,ID,SIS Login ID,Section,Essay (11),00 Start Here (12),Current Score,Final Score
,,,,,Manual Posting,,
    Points Possible,,,,5,10,(read only),(read only)
"Lee, Ann",101,ann1,A,4,,80,80
"Lee, Ann",102,ann2,A,3,,60,60
"Not There, Nobody",109,nobody,A,,,,
"Student, Test",110,,A,,,,
"""
GERMAN = """\
ID,"Vollständiger Name",E-Mail-Adresse,Status,Bewertung,Bestwertung,"Bewertung kann geändert werden","Zuletzt geändert (Abgabe)","Zuletzt geändert (Bewertung)","Feedback als Kommentar"
Teilnehmer/in201,"Ann Lee",ann1@example.org,"Zur Bewertung abgegeben",,"10,00",Ja,"Freitag, 2. Oktober 2026, 00:59",-,
Teilnehmer/in202,"Ann Lee",ann2@example.org,"Zur Bewertung abgegeben",,"10,00",Ja,"Donnerstag, 1. Oktober 2026, 10:37",-,"Schon gelesen"
Teilnehmer/in203,"Bo Ray",bo@example.org,"Keine Abgabe",,"10,00",Ja,-,-,
"""
ENGLISH = """\
Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,Last modified (submission),Last modified (grade),Feedback comments
Participant 201,Ann Lee,ann1@example.org,Submitted for grading,,10.00,Yes,"Friday, 2 October 2026, 12:59 AM",-,
Participant 202,Ann Lee,ann2@example.org,Submitted for grading,,10.00,No,"Thursday, 1 October 2026, 10:37 AM",-,
"""
FRENCH = """\
Identifiant,"Nom complet","Adresse de courriel",Statut,Note,"Note maximale","La note peut être modifiée","Dernière modification (travail remis)","Texte en ligne","Dernière modification (note)","Feedback par commentaires"
"Participant 201","Ann Lee",ann1@example.org,"Remis pour évaluation",,"10,00",Oui,"vendredi 2 octobre 2026, 00:59",,-,
"Participant 202","Ann Lee",ann2@example.org,"Remis pour évaluation",,"10,00",Oui,"jeudi 1 octobre 2026, 10:37",,-,
"""
JAPANESE = """\
ID,フルネーム,メールアドレス,ステータス,評点,最大評点,マーキングワークフロー状態,評点変更可,最終更新日時 (提出),最終更新日時 (評定),フィードバックコメント
参加者 201,Ann Lee,ann1@example.org,評定のために提出済み,,10.00,未評定,Yes,-,-,
参加者 202,Ann Lee,ann2@example.org,評定のために提出済み,,10.00,未評定,Yes,-,-,
"""


def zipped(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


@pytest.fixture(scope="module")
def canvas(sandboxed: None, tmp_path_factory: pytest.TempPathFactory) -> grade_table.Grades:
    """Canvas's submissions.zip, graded."""
    folder = tmp_path_factory.mktemp("canvas")
    members = {
        f"leeann_LATE_101_9001_{LESSON}.ipynb": HALF,
        f"leeann_102_9002_{LESSON}-1.ipynb": BLANK,
        "leeann_102_9003_notes.pdf": "",
    }
    download = zipped(folder / "submissions.zip", members)
    return command.grade(download, LESSON, folder / "course", due=DUE, progress=False)


@pytest.fixture(scope="module")
def moodle(sandboxed: None, tmp_path_factory: pytest.TempPathFactory) -> grade_table.Grades:
    """Moodle's zip of all submissions, graded without its worksheet."""
    folder = tmp_path_factory.mktemp("moodle")
    members = {
        f"Ann Lee_201_assignsubmission_file_/{LESSON}.ipynb": HALF,
        "Ann Lee_201_assignsubmission_file_/timestamp.txt": "2026-09-01 10:00:00 UTC",
        "Ann Lee_201_assignsubmission_onlinetext_/onlinetext.html": "<p>There it is.</p>",
        f"Ann Lee_202_assignsubmission_file/{LESSON}.ipynb": BLANK,
    }
    download = zipped(folder / "course-00 Start here-44.zip", members)
    return command.grade(download, LESSON, folder / "course", due=DUE, progress=False)


def copied(grades: grade_table.Grades, tmp_path: Path) -> Path:
    shutil.copytree(grades.course.parent, tmp_path / "all")
    return tmp_path / "all" / "course"


def download_of(course: Path) -> Path:
    return next(course.parent.glob("*.zip"))


def book(course: Path) -> Any:
    return Gradebook(f"sqlite:///{course / 'gradebook.db'}")


def export(course: Path, kind: str, text: str, **options: Any) -> list[dict[str, str]]:
    (course / "into.csv").write_text(text, encoding="utf-8")
    plugin = getattr(lms, f"{kind}ExportPlugin")(
        to=str(course / "out.csv"), into=str(course / "into.csv"), **options
    )
    plugin.config.CourseDirectory.root = str(course)
    with book(course) as gradebook:
        plugin.export(gradebook)
    return list(csv.DictReader(io.StringIO((course / "out.csv").read_text("utf-8"), newline="")))


def of(grades: grade_table.Grades, student: str) -> grade_table.Row:
    return next(row for row in grades.rows if row.student == student)


# -- names of downloads ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("leeann_101_9001_hw.ipynb", Download("Canvas", "leeann", "101", "hw.ipynb", "9001")),
        (
            "leeann_LATE_101_9001_a_1_b.ipynb",
            Download("Canvas", "leeann", "101", "a_1_b.ipynb", "9001", True),
        ),
        ("o_brien_101_9001_hw.ipynb", Download("Canvas", "o_brien", "101", "hw.ipynb", "9001")),
        ("Ann Lee_201_assignsubmission_file_", Download("Moodle", "Ann Lee", "201", "")),
        ("Ann Lee_201_assignsubmission_file", Download("Moodle", "Ann Lee", "201", "")),
        ("Zoë Ø_7_assignsubmission_file_hw.ipynb", Download("Moodle", "Zoë Ø", "7", "hw.ipynb")),
        ("Ann Lee_201_assignsubmission_onlinetext_", Download("Moodle", "Ann Lee", "201", "", text=True)),
        ("ann", None),
        ("ann_1.ipynb", None),
    ],
)
def test_names_of_downloads(name, meant):
    assert downloads.read(name) == meant


# -- Canvas ------------------------------------------------------------------------------------------------


def test_canvas_two_of_one_name_are_two_with_their_ids(canvas):
    assert [row.student for row in canvas.rows] == ["leeann_101", "leeann_102"]
    assert of(canvas, "leeann_101").score > of(canvas, "leeann_102").score == 0
    with book(canvas.course) as gradebook:
        assert {one.id: (one.lms_user_id, one.last_name) for one in gradebook.students} == {
            "leeann_101": ("101", "leeann"),
            "leeann_102": ("102", "leeann"),
        }


def test_canvas_mark_of_lateness_counts_and_is_told(canvas, tmp_path):
    assert [row.late_seconds for row in canvas.rows] == [1, 0]
    assert "Canvas marks it as late and tells no time" in of(canvas, "leeann_101").note
    course = copied(canvas, tmp_path)
    later = command.grade(course / "submitted", LESSON, course, due="2026-12-24 12:00 UTC", progress=False)
    assert [row.late_seconds for row in later.rows] == [1, 0]  # whatever the date here
    assert of(command.recall(LESSON, course), "leeann_101").note == of(later, "leeann_101").note


def test_canvas_own_file_gets_each_ones_points(canvas, tmp_path, capsys):
    course = copied(canvas, tmp_path)
    found = {line["ID"]: line for line in export(course, "Canvas", CANVAS) if line["ID"]}
    assert {number: line["00 Start Here (12)"] for number, line in found.items()} == {
        "101": f"{of(canvas, 'leeann_101').score:g}",
        "102": "0",
    }
    assert found["101"]["Student"] == "Lee, Ann"
    assert f"{LESSON}: 2 exported\n" in capsys.readouterr().out


def test_an_export_that_matches_nobody_is_an_error_and_part_of_a_match_is_counted(
    canvas, tmp_path, capsys, caplog
):
    course = copied(canvas, tmp_path)
    with pytest.raises(SystemExit):
        export(course, "Canvas", CANVAS.replace(",101,", ",301,").replace(",102,", ",302,"))
    assert "matches nobody here: 'leeann_101', 'leeann_102'" in caplog.text
    assert not (course / "out.csv").exists()
    export(course, "Canvas", CANVAS.replace(",102,", ",302,"))
    said = capsys.readouterr().out
    assert f"{LESSON}: 1 exported, 1 left out (not in the LMS's file: leeann_102)" in said
    assert "Not in " in said


def test_a_roster_names_the_students_and_further_downloads_are_theirs(canvas, tmp_path, capsys):
    course = copied(canvas, tmp_path)
    (course / "canvas.csv").write_text(CANVAS, encoding="utf-8-sig")
    roster = ["roster", str(course / "canvas.csv"), "--course", str(course)]
    assert cli.main(roster) == 0
    assert "1 students are new, 2 were known." in capsys.readouterr().out
    with book(course) as gradebook:
        found = {one.lms_user_id: (one.id, one.first_name, one.last_name) for one in gradebook.students}
    assert found == {
        "101": ("leeann_101", "Ann", "Lee"),
        "102": ("leeann_102", "Ann", "Lee"),
        "109": ("nobody", "Nobody", "Not There"),
    }
    done = command.grade(download_of(course), LESSON, course, progress=False)
    assert [row.student for row in done.rows] == ["leeann_101", "leeann_102"]
    assert len(done.rows) == 2


def test_a_download_after_the_roster_is_of_the_rosters_students(sandboxed, tmp_path):
    (tmp_path / "canvas.csv").write_text(CANVAS, encoding="utf-8")
    place = CourseFolder(tmp_path / "course")
    assert command.enrol(place, tmp_path / "canvas.csv") == (3, 0)
    assert command.enrol(place, tmp_path / "canvas.csv") == (0, 3)
    entries = {f"leeann_10{one}_900{one}_{LESSON}.ipynb": BLANK for one in (1, 2)}
    with search.collected(zipped(tmp_path / "s.zip", entries), LESSON) as found:
        assert [one.student for one in place.recognised(found.submissions)] == ["ann1", "ann2"]
    entries["ann1.ipynb"] = BLANK
    with (
        search.collected(zipped(tmp_path / "s.zip", entries), LESSON) as found,
        pytest.raises(ValueError, match="'ann1' has handed in twice"),
    ):
        place.recognised(found.submissions)


# -- Moodle ------------------------------------------------------------------------------------------------


def test_moodle_a_learners_timestamp_is_a_claim(moodle, tmp_path):
    assert [row.student for row in moodle.rows] == ["Ann Lee_201", "Ann Lee_202"]
    claim = (
        "its own timestamp.txt claims that it was handed in at 2026-09-01 10:00:00 UTC, which does not count"
    )
    assert of(moodle, "Ann Lee_201").note == claim
    assert of(command.recall(LESSON, moodle.course), "Ann Lee_201").note == claim
    with book(moodle.course) as gradebook:
        assert gradebook.find_submission(LESSON, "Ann Lee_201").timestamp is None
        assert [(one.first_name, one.last_name) for one in gradebook.students] == [("Ann", "Lee")] * 2
    course = copied(moodle, tmp_path)
    done = command.grade(
        download_of(course), LESSON, course, progress=False, due="2026-08-31 10:00 UTC", trust_timestamps=True
    )
    assert [(row.late_seconds, row.note) for row in done.rows] == [(86_400, ""), (0, "")]


@pytest.mark.parametrize("text", [GERMAN, ENGLISH, FRENCH], ids=["German", "English", "French"])
def test_moodles_times_count_in_any_language(moodle, tmp_path, text):
    course = copied(moodle, tmp_path)
    (course / "sheet.csv").write_text(text, encoding="utf-8-sig")
    given: dict[str, Any] = {"roster": course / "sheet.csv", "progress": False}
    with pytest.raises(ValueError, match="zone must be the time zone of the times in"):
        command.grade(download_of(course), LESSON, course, **given)
    with pytest.raises(ValueError, match="zone must be a time zone such as Europe/Berlin, got 'Mars'"):
        command.grade(download_of(course), LESSON, course, **given, zone="Mars")
    done = command.grade(download_of(course), LESSON, course, **given, zone="Europe/Berlin")
    assert [(row.late_seconds, row.note) for row in done.rows] == [(3_600, ""), (0, "")]
    with book(course) as gradebook:
        assert gradebook.find_student("Ann Lee_201").email == "ann1@example.org"


def test_what_is_known_of_a_download_stands_when_it_is_graded_again_from_the_course(moodle, tmp_path):
    course = Path(os.path.relpath(copied(moodle, tmp_path)))
    again = command.grade(course / "submitted", LESSON, course, progress=False)
    assert [row.note for row in again.rows] == [row.note for row in moodle.rows]
    assert any("Moodle's download tells no times" in remark for remark in again.remarks)
    (course / "sheet.csv").write_text(GERMAN, encoding="utf-8")
    given: dict[str, Any] = {"roster": course / "sheet.csv", "zone": "Europe/Berlin", "progress": False}
    done = command.grade(course / "submitted", LESSON, course, **given)
    assert [(row.late_seconds, row.note) for row in done.rows] == [(3_600, ""), (0, "")]
    again = command.grade(course / "submitted", LESSON, course, progress=False)
    assert [row.late_seconds for row in again.rows] == [3_600, 0]
    assert not any("Moodle" in remark for remark in again.remarks)


@pytest.mark.parametrize(
    "text",
    [GERMAN, FRENCH, JAPANESE, ENGLISH.replace(",No,", ",Yes,")],
    ids=["German", "French", "Japanese", "English"],
)
def test_a_worksheet_in_any_language_is_filled_in(moodle, tmp_path, text):
    course = copied(moodle, tmp_path)
    found = export(course, "Moodle", text)
    header = next(csv.reader([text.splitlines()[0]]))
    assert list(found[0]) == header
    numbers = [lms_files.participant(line[header[0]]) for line in found]
    assert numbers == ["201", "202"]
    points = [line[header[4]] for line in found]
    half = f"{of(moodle, 'Ann Lee_201').score:g}"
    assert points == [half.replace(".", ",") if "10,00" in text else half, "0"]
    comment = found[0][header[-1]]
    assert comment.startswith(f"Points: {half} of 10<br>")
    assert "cell_index: " in comment and "\n" not in comment
    assert found[1][header[-1]] == "Schon gelesen" or "Schon gelesen" not in text


def test_a_locked_grade_is_left_out_and_said(moodle, tmp_path, capsys):
    course = copied(moodle, tmp_path)
    found = export(course, "Moodle", ENGLISH)
    assert [line["Identifier"] for line in found] == ["Participant 201"]
    assert (
        "1 exported, 1 left out (the LMS does not let it be changed: Ann Lee_202)" in capsys.readouterr().out
    )


def test_a_worksheet_names_one_person_across_assignments(moodle, tmp_path):
    """Moodle's numbers are of one assignment: by e-mail address the worksheet tells that it is the same person."""
    course = copied(moodle, tmp_path)
    place = CourseFolder(course)
    (course / "sheet.csv").write_text(GERMAN, encoding="utf-8")
    command.enrol(place, course / "sheet.csv")
    (course / "next.csv").write_text(GERMAN.replace("in20", "in30"), encoding="utf-8")
    assert command.enrol(place, course / "next.csv") == (0, 3)
    entries = {f"Ann Lee_30{one}_assignsubmission_file_/{LESSON}.ipynb": BLANK for one in (1, 2)}
    with search.collected(zipped(tmp_path / "s.zip", entries), LESSON) as found:
        assert [one.student for one in place.recognised(found.submissions)] == ["Ann Lee_201", "Ann Lee_202"]


# -- feedback and extensions -------------------------------------------------------------------------------


def test_feedback_goes_back_as_a_zip_under_the_downloads_names(canvas, moodle, tmp_path, capsys):
    for grades, wanted in (
        (canvas, {f"leeann_LATE_101_9001_{LESSON}.html", f"leeann_102_9002_{LESSON}.html"}),
        (moodle, {f"Ann Lee_{one}_assignsubmission_file_/{LESSON}.html" for one in (201, 202)}),
    ):
        out = tmp_path / "feedback.zip"
        feedback = ["feedback", "--lesson", LESSON, "--course", str(grades.course), "--out", str(out)]
        assert cli.main(feedback) == 0
        assert f"{out}: 2 pages" in capsys.readouterr().out
        with zipfile.ZipFile(out) as archive:
            assert set(archive.namelist()) == wanted
            for name in wanted:
                assert downloads.read(name.partition("/")[0]) is not None
                assert b"<title>" in archive.read(name)


def test_more_time_for_one_student_also_when_the_due_date_moves(moodle, tmp_path, capsys):
    course = copied(moodle, tmp_path)
    (course / "sheet.csv").write_text(GERMAN, encoding="utf-8")
    command.grade(
        download_of(course), LESSON, course, roster=course / "sheet.csv", zone="Europe/Berlin", progress=False
    )
    extend = ["extend", "--lesson", LESSON, "--course", str(course)]
    ann = ["--student", "Ann Lee_201"]
    until = ["--until", "2026-10-02 00:29 +02:00"]
    assert cli.main([*extend, *ann, "--student", "bo@example.org", *until]) == 0
    said = capsys.readouterr().out
    assert (
        said == "Ann Lee_201: until 2026-10-01 22:29:00 UTC\nbo@example.org: until 2026-10-01 22:29:00 UTC\n"
    )
    assert of(command.recall(LESSON, course), "Ann Lee_201").late_seconds == 30 * 60
    assert [row.student for row in command.recall(LESSON, course).rows] == ["Ann Lee_201", "Ann Lee_202"]
    CourseFolder(course).set_due(LESSON, "2026-09-01 12:00 UTC")
    assert of(command.recall(LESSON, course), "Ann Lee_201").late_seconds == 30 * 60
    assert of(command.recall(LESSON, course), "Ann Lee_202").late_seconds > 86_400
    assert cli.main([*extend, *ann]) == 0
    assert of(command.recall(LESSON, course), "Ann Lee_201").late_seconds > 86_400
    for arguments, message in (
        ([*extend, "--student", "nobody", *until], "student must be in the gradebook, got 'nobody'"),
        ([*extend, *ann, "--until", "tomorrow"], "until must be a date such as"),
        (
            ["extend", "--lesson", "01_random_search", "--course", str(course)],
            "01_random_search is not assigned in",
        ),
    ):
        assert cli.main(arguments) == 2
        assert message in capsys.readouterr().err


def test_json_is_all_that_is_printed(canvas, tmp_path, capsys):
    course = copied(canvas, tmp_path)
    given = ["--lesson", LESSON, "--course", str(course), "--json"]
    assert cli.main(["report", *given]) == 0
    reported = json.loads(capsys.readouterr().out)
    assert cli.main(["grade", str(course / "submitted"), *given]) == 0
    assert json.loads(capsys.readouterr().out)["students"] == reported["students"]
    one, other = reported["students"]
    assert (one["student"], one["late_seconds"]) == ("leeann_101", 1)
    assert (
        one["score"]
        == of(canvas, "leeann_101").score
        == sum(task["points"] for task in one["tasks"].values())
    )
    assert {task["concept"] for task in other["tasks"].values()} >= {"not-implemented"}


def test_progress_is_lines_where_there_is_no_terminal(capsys, monkeypatch):
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.0)
    bar = progress.shown("grading", 2, True)
    bar.set_postfix({"timeouts": 1})
    bar.update()
    assert capsys.readouterr().err.startswith("grading: 1 of 2, timeouts 1, about ")
    bar.close()
    monkeypatch.setattr(progress, "EVERY_SECONDS", 60.0)
    bar.update()
    progress.shown("grading", 2, False).update()
    assert capsys.readouterr() == ("", "")


# -- rosters -----------------------------------------------------------------------------------------------


def sheet(tmp_path: Path, text: str) -> Sheet:
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    return Sheet.read(tmp_path / "x.csv", "roster")


def test_lists_of_participants_are_rosters_too(tmp_path):
    text = "Vorname,Nachname,ID-Nummer,E-Mail-Adresse\nZoë,Ørsted,4711,zoe@example.org\n"
    (one,) = lms_files.people(sheet(tmp_path, text), "x.csv")
    assert one == lms_files.Student("zoe@example.org", "Zoë", "Ørsted", "zoe@example.org", "4711")


@pytest.mark.parametrize(
    ("text", "said"),
    [("a,b\n1,2\n", "x.csv is no roster"), (CANVAS.partition('"Lee')[0], "x.csv names nobody")],
)
def test_what_is_no_roster_is_one_sentence(tmp_path, text, said):
    with pytest.raises(ValueError, match=said):
        lms_files.people(sheet(tmp_path, text), "x.csv")


def test_an_id_from_a_roster_can_be_a_folder(tmp_path):
    text = "Username,ID number,Email address\n../../ann,4711,ann@example.org\n"
    (one,) = lms_files.people(sheet(tmp_path, text), "x.csv")
    assert one.id == "ann@example.org"
    with pytest.raises(ValueError, match="no id, login or e-mail address that can be an id"):
        lms_files.people(sheet(tmp_path, "Username,ID number\na/b,..\n"), "x.csv")


COLUMNS = "Student,ID,SIS Login ID,Section\n"


@pytest.mark.parametrize(
    "text",
    [
        COLUMNS.replace(",", ", ") + '"Lee, Ann",11,ann,A\n',
        COLUMNS + '\n  , , ,\n,,,\n"Lee, Ann",11,ann,A\n\n',
        COLUMNS + '"Lee, Ann",11,ann,A\n"Lee, Ann",11,ann,A\n',
        COLUMNS.replace(",", ";") + "Lee, Ann;11;ann;A\r\n",
        "\ufeff" + COLUMNS + '"Lee, Ann",11,ann,A\r',
    ],
    ids=["blanks in the header", "empty lines", "the same row twice", "semicolons", "byte order mark"],
)
def test_rosters_as_spreadsheets_write_them(tmp_path, text):
    (tmp_path / "x.csv").write_bytes(text.encode())
    (ann,) = lms_files.people(Sheet.read(tmp_path / "x.csv", "roster"), "x.csv")
    assert (ann.id, ann.full_name, ann.lms_id) == ("ann", "Ann Lee", "11")


@pytest.mark.parametrize(("number", "login", "key"), [("12", "Ann", "ann"), ("11", "bob", "11")])
def test_one_id_for_two_people_is_said_before_one_takes_the_others_place(tmp_path, number, login, key):
    text = COLUMNS + f'"Lee, Ann",11,ann,A\n"Ray, Bob",{number},{login},A\n'
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    with pytest.raises(
        ValueError, match=rf"x\.csv has {key} twice, for Ann Lee and Bob Ray: leave one row each"
    ):
        lms_files.people(Sheet.read(tmp_path / "x.csv", "roster"), "x.csv")
