"""Grades for Canvas and Moodle, as plugins of `nbgrader export`: CSV files with the columns that their imports expect.

A grade is exported when it is final. Students who have not handed in, and submissions of which a part still waits for a
person, are left out, so that the import leaves their field in the LMS alone; options say otherwise. The columns are
those that the importers read: Canvas' `lib/gradebook_importer.rb`, Moodle's `grade/import/csv` and
`mod/assign/feedback/offline/importgradeslib.php`.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbgrader.plugins import ExportPlugin
from traitlets import Bool, Dict, Enum, Unicode

_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?%?")


def harmless(text: str) -> str:
    """A text field that no spreadsheet takes for a formula; numbers and single signs are left as they are."""
    if (
        len(text) > 1
        and text.lstrip()[:1] in ("=", "+", "-", "@", "\t", "\r")
        and not _NUMBER.fullmatch(text)
    ):
        return f"'{text}"
    return f"'{text}" if text[:1] in ("\t", "\r") else text


@dataclass(frozen=True)
class Student:
    """A student as nbgrader's gradebook knows them."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_id: str = ""

    @property
    def keys(self) -> set[str]:
        """What may stand for this student in an LMS's file, in small letters."""
        return {key.casefold() for key in (self.lms_id, self.id, self.email) if key}


@dataclass
class Marks:
    """The final points in one lesson, by student's id; how many were left out, and why."""

    lesson: str
    out_of: float
    points: dict[str, float] = field(default_factory=dict)
    pending: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Sheet:
    """A CSV file of an LMS: header, further rows, and how it was written."""

    header: list[str]
    rows: list[list[str]]
    delimiter: str = ","
    encoding: str = "utf-8"

    @classmethod
    def read(cls, path: Path) -> Sheet:
        """Read a file that an LMS exported.

        Raises:
            ValueError: it cannot be read as CSV in UTF-8.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ValueError(
                f"into must be a file that can be read, got {str(path)!r}: {error.strerror}."
            ) from None
        encoding = "utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8"
        try:
            text = data.decode(encoding)
            first = text.partition("\n")[0]
            delimiter = max(",;\t", key=first.count)
            rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)]
        except (UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f"into must be a CSV file in UTF-8, got {str(path)!r}: {error}.") from None
        if not rows:
            raise ValueError(f"into must be an export with a header, got {str(path)!r}, which is empty.")
        width = len(rows[0])
        return cls(rows[0], [(row + [""] * width)[:width] for row in rows[1:]], delimiter, encoding)

    def write(self, path: Path) -> None:
        """Write the file, at once or not at all."""
        fresh = path.with_name(path.name + ".new")
        with open(fresh, "w", encoding=self.encoding, newline="") as file:
            csv.writer(file, delimiter=self.delimiter).writerows([self.header, *self.rows])
        os.replace(fresh, path)


class LmsExportPlugin(ExportPlugin):
    """What the exports to learning management systems share. `to` names the file that is written."""

    into = Unicode(
        "", help="The LMS's own export of its gradebook; its columns and students are filled in."
    ).tag(config=True)
    columns = Dict(help="Header of a lesson's column in that export, by lesson.").tag(config=True)
    pending = Enum(
        ["leave-out", "so-far"],
        "leave-out",
        help="A submission that still waits for a person: leave the student out, or export the points so far.",
    ).tag(config=True)
    missing = Enum(
        ["leave-out", "zero"],
        "leave-out",
        help="A student who has not handed in: left out, or given zero points.",
    ).tag(config=True)
    rescale = Bool(
        False, help="Convert points where the LMS's assignment is out of another number than the lesson."
    ).tag(config=True)

    usual = "grades.csv"

    def export(self, gradebook: Any) -> None:
        """Write the file; what is wrong ends the command with one sentence."""
        target = Path(self.to or self.usual)
        try:
            students = self._students(gradebook)
            marks = self._marks(gradebook, students)
            sheet = (
                self.filled(Sheet.read(Path(self.into)), students, marks)
                if self.into
                else self.fresh(students, marks)
            )
            sheet.write(target)
        except (ValueError, OSError) as error:
            said = (
                f"{error.filename}: {error.strerror}."
                if isinstance(error, OSError) and error.filename
                else str(error)
            )
            self.log.error("%s", said)
            raise SystemExit(1) from None
        for one in marks:
            self._tell(one)
        print(f"{target}: written")

    def _tell(self, marks: Marks) -> None:
        said = f"{marks.lesson}: {len(marks.points)} exported"
        for reason, who in (("not handed in", marks.missing), ("waiting for a person", marks.pending)):
            if who:
                some = ", ".join(sorted(who)[:10]) + (" …" if len(who) > 10 else "")
                said += f", {len(who)} left out ({reason}: {some})"
        print(said)

    # -- from the gradebook --------------------------------------------------------------------------------

    def _students(self, gradebook: Any) -> dict[str, Student]:
        wanted = {str(name) for name in self.student}
        found = {
            one.id: Student(
                one.id, one.first_name or "", one.last_name or "", one.email or "", str(one.lms_user_id or "")
            )
            for one in gradebook.students
            if not wanted or one.id in wanted
        }
        if wanted - set(found):
            raise ValueError(
                f"student must be in the gradebook, got {', '.join(sorted(wanted - set(found)))}."
            )
        return found

    def _marks(self, gradebook: Any, students: Mapping[str, Student]) -> list[Marks]:
        wanted = [str(name) for name in self.assignment]
        there = {one.name: one for one in gradebook.assignments}
        for name in wanted:
            if name not in there:
                raise ValueError(
                    f"assignment must be one of {', '.join(sorted(there)) or 'none yet'}, got {name!r}."
                )
        if not there:
            raise ValueError("the gradebook has no assignment yet: grade a lesson first.")
        return [self._of(gradebook, there[name], students) for name in (wanted or sorted(there))]

    def _of(self, gradebook: Any, assignment: Any, students: Mapping[str, Student]) -> Marks:
        marks = Marks(assignment.name, float(assignment.max_score))
        handed_in = {one.student_id: one for one in gradebook.assignment_submissions(assignment.name)}
        for name in students:
            submission = handed_in.get(name)
            if submission is None:
                if self.missing == "zero":
                    marks.points[name] = 0.0
                else:
                    marks.missing.append(name)
            elif submission.needs_manual_grade and self.pending == "leave-out":
                marks.pending.append(name)
            else:
                penalty = submission.late_submission_penalty or 0.0
                marks.points[name] = max(0.0, float(submission.score) - float(penalty))
        return marks

    # -- to the LMS ----------------------------------------------------------------------------------------

    def fresh(self, students: Mapping[str, Student], marks: Sequence[Marks]) -> Sheet:
        """A file of our own making, for an import that maps columns or creates assignments."""
        raise NotImplementedError

    def filled(self, sheet: Sheet, students: Mapping[str, Student], marks: Sequence[Marks]) -> Sheet:
        """The LMS's own file with our points filled in, reduced to the students that get any."""
        raise NotImplementedError

    def _column(self, header: Sequence[str], lesson: str, among: Sequence[int]) -> int:
        """Where a lesson stands in an LMS's header."""
        named = self.columns.get(lesson)
        if named is not None:
            found = [place for place in among if header[place] == named]
        else:
            found = [place for place in among if _plain(header[place]) == _plain(lesson)]
        if len(found) == 1:
            return found[0]
        what = f"{len(found)} columns" if found else "no column"
        raise ValueError(
            f"{what} called {named or lesson!r} in {self.into}; name the right one with "
            f"--{type(self).__name__}.columns={lesson}=HEADER, where HEADER is one of: "
            f"{', '.join(repr(header[place]) for place in among) or 'none'}."
        )

    def _scaled(self, marks: Marks, points: float, out_of: str) -> str:
        """Points as the LMS wants them."""
        try:
            most = float(out_of.replace(",", "."))
        except ValueError:
            return number(points)
        if abs(most - marks.out_of) < 1e-6:
            return number(points)
        if not self.rescale:
            raise ValueError(
                f"{marks.lesson} is out of {number(marks.out_of)} points here and out of {number(most)} in the LMS: "
                f"change it there, or convert with --{type(self).__name__}.rescale=True."
            )
        return number(points * most / marks.out_of)

    def _match(self, keys: Sequence[set[str]], students: Mapping[str, Student]) -> dict[int, str]:
        """Which row of an LMS's file is which student: by LMS id, id or e-mail address."""
        found: dict[int, str] = {}
        for name, student in students.items():
            rows = [place for place, row in enumerate(keys) if row & student.keys]
            if len(rows) > 1:
                raise ValueError(
                    f"student {name!r} fits {len(rows)} rows of {self.into}: set the LMS id in Formgrader."
                )
            if rows and rows[0] in found:
                raise ValueError(
                    f"students {found[rows[0]]!r} and {name!r} fit the same row of {self.into}: "
                    "correct their ids in Formgrader."
                )
            if rows:
                found[rows[0]] = name
        absent = sorted(set(students) - set(found.values()))
        if absent:
            print(f"Not in {self.into}, so not exported: {', '.join(absent)}")
        return found


def number(value: float) -> str:
    """Points with at most four decimals and no trailing zeros."""
    return f"{value:.4f}".rstrip("0").rstrip(".")


def _plain(header: str) -> str:
    """A column's title for comparing: without the id that Canvas appends, nor Moodle's kind and "(Real)"."""
    title = re.sub(r"\s*\((?:\d+|Real)\)\s*$", "", header)
    title = re.sub(r"^Assignment:\s*", "", title)
    return re.sub(r"[\W_]+", "", title).casefold()


class CanvasExportPlugin(LmsExportPlugin):
    """A file for Canvas: Gradebook, Import.

    `into` names the file that Gradebook, Export gave: recommended, as Canvas then knows students and assignment by
    its own ids. Without it the file has a column per lesson, which Canvas offers to create.
    """

    usual = "canvas.csv"
    student_columns = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
    total = re.compile(r"(Current|Final) (Score|Points|Grade)|Override (Score|Grade|Status)")

    def fresh(self, students: Mapping[str, Student], marks: Sequence[Marks]) -> Sheet:
        """Student columns, a column per lesson, and the row of points possible."""
        rows = [["    Points Possible", "", "", "", "", *(number(one.out_of) for one in marks)]]
        for name, student in students.items():
            if any(name in one.points for one in marks):
                shown = ", ".join(filter(None, (student.last_name, student.first_name))) or student.id
                points = [number(one.points[name]) if name in one.points else "" for one in marks]
                rows.append(
                    [harmless(shown), harmless(student.lms_id), "", harmless(student.id), "", *points]
                )
        return Sheet([*self.student_columns, *(one.lesson for one in marks)], rows)

    def filled(self, sheet: Sheet, students: Mapping[str, Student], marks: Sequence[Marks]) -> Sheet:
        """The export's student columns and the lessons' columns, for the students who get points."""
        header = sheet.header
        if "Section" not in header or not any(name in header for name in ("Student", "LastName")):
            raise ValueError(
                f"{self.into} is no export of Canvas' gradebook: it has no columns Student, ID and Section."
            )
        section = header.index("Section")
        assignments = [
            place for place in range(section + 1, len(header)) if not self.total.search(header[place])
        ]
        places = [self._column(header, one.lesson, assignments) for one in marks]
        possible = next((row for row in sheet.rows if "Points Possible" in row[0]), None)
        keys = [
            set()
            if row is possible
            else {
                row[place].strip().casefold()
                for place in range(section)
                if header[place] in ("ID", "SIS User ID", "SIS Login ID", "Integration ID")
                and row[place].strip()
            }
            for row in sheet.rows
        ]
        kept = [*range(section + 1), *places]
        rows = [[possible[place] for place in kept]] if possible else []
        for index, name in sorted(self._match(keys, students).items()):
            row = [harmless(text) for text in sheet.rows[index]]
            given = False
            for one, place in zip(marks, places, strict=True):
                if name in one.points:
                    row[place] = self._scaled(one, one.points[name], possible[place] if possible else "")
                    given = True
            if given:
                rows.append([row[place] for place in kept])
        return Sheet([header[place] for place in kept], rows, sheet.delimiter, sheet.encoding)


class MoodleExportPlugin(LmsExportPlugin):
    """A file for Moodle.

    `into` names either an assignment's grading worksheet (columns Identifier, Grade, Last modified (grade); one lesson)
    or an export of the grader report as plain text (columns Email address, one per grade item). Without it the file is
    one for Grades, Import, CSV file, where "Email address" or "ID number" is mapped to the user.
    """

    usual = "moodle.csv"

    def fresh(self, students: Mapping[str, Student], marks: Sequence[Marks]) -> Sheet:
        """Who it is, and a column per lesson. An empty field would erase a grade, so rows are whole or left out."""
        rows = []
        for name, student in students.items():
            if all(name in one.points for one in marks):
                who = (student.first_name, student.last_name, student.lms_id or student.id, student.email)
                rows.append([*(harmless(text) for text in who), *(number(one.points[name]) for one in marks)])
        return Sheet(
            ["First name", "Last name", "ID number", "Email address", *(one.lesson for one in marks)], rows
        )

    def filled(self, sheet: Sheet, students: Mapping[str, Student], marks: Sequence[Marks]) -> Sheet:
        """A worksheet or an export with the points filled in, for the students who get any."""
        header = sheet.header
        worksheet = {"Identifier", "Grade"} <= set(header)
        if worksheet and "Last modified (grade)" not in header:
            raise ValueError(
                f"{self.into} lacks the column 'Last modified (grade)', without which Moodle refuses it."
            )
        if worksheet and len(marks) != 1:
            raise ValueError(
                "a grading worksheet is of one assignment: name the lesson, "
                "as in --assignment=\"['01_random_search']\"."
            )
        who = [
            place
            for place, name in enumerate(header)
            if name in ("Identifier", "ID number", "Email address", "Username")
        ]
        if not who:
            raise ValueError(
                f"{self.into} is no file of Moodle's that can be filled in: it needs a column Identifier, "
                "Email address, ID number or Username."
            )
        known = {
            "First name",
            "Last name",
            "Surname",
            "Full name",
            "Institution",
            "Department",
            "Last downloaded from this course",
        }
        items = [place for place, name in enumerate(header) if place not in who and name not in known]
        places = (
            [header.index("Grade")]
            if worksheet
            else [self._column(header, one.lesson, items) for one in marks]
        )
        most = next(
            (place for place, name in enumerate(header) if worksheet and name.lower() == "maximum grade"),
            None,
        )
        locked = next((place for place, name in enumerate(header) if name == "Grade can be changed"), None)
        keys = [
            {key for place in who for key in (row[place].strip().casefold(), _digits(row[place])) if key}
            for row in sheet.rows
        ]
        rows, refused = [], []
        for index, name in sorted(self._match(keys, students).items()):
            if not all(name in one.points for one in marks):
                continue
            row = [text if place in who else harmless(text) for place, text in enumerate(sheet.rows[index])]
            if locked is not None and row[locked].strip().casefold() == "no":
                refused.append(name)
                continue
            for one, place in zip(marks, places, strict=True):
                row[place] = self._scaled(one, one.points[name], row[most] if most is not None else "")
            rows.append([harmless(text) for text in row])
        if refused:
            print(
                f"Moodle says that these grades can't be changed, so they were left out: {', '.join(refused)}"
            )
        return Sheet(header, rows, sheet.delimiter, sheet.encoding)


def _digits(identifier: str) -> str:
    """The number in Moodle's "Participant 1234", which its download of submissions carries too; "" elsewhere."""
    found = re.fullmatch(r"\D+\s(\d+)", identifier.strip())
    return found[1] if found else ""
