"""Grades for learning management systems, as plugins of `nbgrader export`: CSV files that their imports take.

A grade is exported when it is final. Students who have not handed in, and submissions of which a part still waits for a
person, are left out, so that the import leaves their field in the LMS alone; options say otherwise. How the systems
differ stands in one place, as data (`CANVAS`, `MOODLE`), with the columns that their importers read: Canvas'
`lib/gradebook_importer.rb`, Moodle's `grade/import/csv` and `mod/assign/feedback/offline/importgradeslib.php`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from nbgrader.plugins import ExportPlugin
from traitlets import Bool, Dict, Enum, Unicode

from autograder.reports import penalties
from autograder.reports.spreadsheets import Sheet, harmless, number


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
class Layout:
    """A kind of file that an LMS gives out and takes back."""

    known_by: tuple[frozenset[str], ...]
    """Columns that only such a file has, all of one of these sets."""
    keys: frozenset[str]
    """Columns that say whose a row is."""
    student: frozenset[str] = frozenset()
    """Further columns that say who it is."""
    total: re.Pattern[str] | None = None
    """Titles of the columns of sums; those that are left are lessons'."""
    grade: str = ""
    """The one column for points, where a file is of one assignment."""
    needed: str = ""
    """A column without which the import refuses the file."""
    number: re.Pattern[str] | None = None
    """A key of this form stands for the number in it as well."""
    out_of_row: str = ""
    """What the first field of the row says in which the points possible stand."""
    out_of_column: str = ""
    """The column in which the points possible stand, in small letters."""
    locked: tuple[str, str] | None = None
    """The column that says whether a grade can be changed, and how it says no, in small letters."""
    only_lessons: bool = False
    """The columns of what is not exported stay out of the file: what is not in it is left as it was."""

    def fits(self, header: Sequence[str]) -> bool:
        """Is a file with this header one of the kind?"""
        return any(columns <= set(header) for columns in self.known_by)

    def lessons(self, header: Sequence[str]) -> list[int]:
        """The columns that may be a lesson's."""
        who = self.keys | self.student
        sums = {title for title in header if self.total and self.total.search(title)}
        return [place for place, title in enumerate(header) if title not in who | sums]

    def keeps(self, title: str) -> bool:
        """Does this column, which is filled with nothing, stand in the file that is written?"""
        return not self.only_lessons or title in self.keys | self.student

    def keys_of(self, header: Sequence[str], row: Sequence[str]) -> set[str]:
        """What may say whose a row is, in small letters."""
        found = [text.strip() for title, text in zip(header, row, strict=True) if title in self.keys]
        numbers = [match[1] for text in found if self.number and (match := self.number.fullmatch(text))]
        return {key.casefold() for key in (*found, *numbers) if key}


@dataclass(frozen=True)
class System:
    """A learning management system, as far as its import of grades goes."""

    name: str
    file: str
    """Name of the file that is written, where none is given."""
    columns: Mapping[str, Callable[[Student], str]]
    """Who it is, in a file of our own: header, and what stands there."""
    layouts: tuple[Layout, ...]
    """The files of its own that can be filled in; the first that fits counts."""
    unfit: str
    """What to say of another file."""
    out_of: str = ""
    """The first field of a row with the points possible, in a file of our own."""
    whole_rows: bool = False
    """An empty field would erase a grade: a student gets all lessons' points or is left out."""

    def gives(self, marks: Sequence[Marks], student: str) -> bool:
        """Is there a row for this student?"""
        there = [student in one.points for one in marks]
        return all(there) if self.whole_rows else any(there)


CANVAS = System(
    name="Canvas",
    file="canvas.csv",
    columns={
        "Student": lambda student: (
            ", ".join(filter(None, (student.last_name, student.first_name))) or student.id
        ),
        "ID": lambda student: student.lms_id,
        "SIS User ID": lambda student: "",
        "SIS Login ID": lambda student: student.id,
        "Section": lambda student: "",
    },
    out_of="    Points Possible",
    layouts=(
        Layout(
            known_by=(frozenset({"Section", "Student"}), frozenset({"Section", "LastName"})),
            keys=frozenset({"ID", "SIS User ID", "SIS Login ID", "Integration ID"}),
            student=frozenset({"Student", "LastName", "FirstName", "Root Account", "Section"}),
            total=re.compile(r"(Current|Final) (Score|Points|Grade)|Override (Score|Grade|Status)"),
            out_of_row="Points Possible",
            only_lessons=True,
        ),
    ),
    unfit="is no export of Canvas' gradebook: it has no columns Student, ID and Section.",
)
_MOODLES_KEYS = frozenset({"Identifier", "ID number", "Email address", "Username"})
_PARTICIPANT = re.compile(
    r"\D+\s(\d+)"
)  # "Participant 1234": its downloads of submissions carry the number alone
MOODLE = System(
    name="Moodle",
    file="moodle.csv",
    columns={
        "First name": lambda student: student.first_name,
        "Last name": lambda student: student.last_name,
        "ID number": lambda student: student.lms_id or student.id,
        "Email address": lambda student: student.email,
    },
    layouts=(
        Layout(  # an assignment's grading worksheet
            known_by=(frozenset({"Identifier", "Grade"}),),
            keys=_MOODLES_KEYS,
            number=_PARTICIPANT,
            grade="Grade",
            needed="Last modified (grade)",
            out_of_column="maximum grade",
            locked=("Grade can be changed", "no"),
        ),
        Layout(  # the grader report
            known_by=tuple(frozenset({key}) for key in _MOODLES_KEYS),
            keys=_MOODLES_KEYS,
            number=_PARTICIPANT,
            student=frozenset(
                {"First name", "Last name", "Surname", "Full name", "Institution", "Department"}
                | {"Last downloaded from this course"}
            ),
            locked=("Grade can be changed", "no"),
        ),
    ),
    unfit=(
        "is no file of Moodle's that can be filled in: it needs a column Identifier, Email address, ID number or "
        "Username."
    ),
    whole_rows=True,
)


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

    system: ClassVar[System]

    def export(self, gradebook: Any) -> None:
        """Write the file; what is wrong ends the command with one sentence."""
        target = Path(self.to or self.system.file)
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
        penalties.renew(gradebook, assignment.name, self.config)
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
        who = self.system.columns
        rows = []
        if self.system.out_of:
            blank = [""] * (len(who) - 1)
            rows.append([self.system.out_of, *blank, *(number(one.out_of) for one in marks)])
        for name, student in students.items():
            if self.system.gives(marks, name):
                points = [number(one.points[name]) if name in one.points else "" for one in marks]
                rows.append([*(harmless(what(student)) for what in who.values()), *points])
        return Sheet([*who, *(one.lesson for one in marks)], rows)

    def filled(self, sheet: Sheet, students: Mapping[str, Student], marks: Sequence[Marks]) -> Sheet:
        """The LMS's own file with our points filled in, reduced to the students that get any."""
        header = sheet.header
        layout = self._layout(header, marks)
        lessons = layout.lessons(header)
        places = (
            [header.index(layout.grade)]
            if layout.grade
            else [self._column(header, one.lesson, lessons) for one in marks]
        )
        possible = next(
            (row for row in sheet.rows if layout.out_of_row and layout.out_of_row in row[0]), None
        )
        keys = [set() if row is possible else layout.keys_of(header, row) for row in sheet.rows]
        rows, locked = [possible] if possible else [], []
        for index, name in sorted(self._match(keys, students).items()):
            row = [harmless(text) for text in sheet.rows[index]]
            if not self.system.gives(marks, name):
                continue
            if layout.locked and _field(header, row, layout.locked[0]) == layout.locked[1]:
                locked.append(name)
                continue
            for one, place in zip(marks, places, strict=True):
                if name in one.points:
                    out_of = possible[place] if possible else _field(header, row, layout.out_of_column)
                    row[place] = self._scaled(one, one.points[name], out_of)
            rows.append(row)
        if locked:
            print(
                f"These grades can't be changed in {self.system.name}, so they were left out: {', '.join(locked)}"
            )
        kept = [place for place in range(len(header)) if place in places or layout.keeps(header[place])]
        return Sheet(
            [header[place] for place in kept],
            [[row[place] for place in kept] for row in rows],
            sheet.delimiter,
            sheet.encoding,
        )

    def _layout(self, header: Sequence[str], marks: Sequence[Marks]) -> Layout:
        layout = next((one for one in self.system.layouts if one.fits(header)), None)
        if layout is None:
            raise ValueError(f"{self.into} {self.system.unfit}")
        if layout.needed and layout.needed not in header:
            raise ValueError(
                f"{self.into} lacks the column {layout.needed!r}, without which {self.system.name} refuses it."
            )
        if layout.grade and len(marks) != 1:
            raise ValueError(
                f"{self.into} is of one assignment: name the lesson, as in "
                "--assignment=\"['01_random_search']\"."
            )
        return layout

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


def _field(header: Sequence[str], row: Sequence[str], title: str) -> str:
    """What stands in a row under a title, in small letters; "" where there is no such column."""
    places = [place for place, one in enumerate(header) if title and one.casefold() == title.casefold()]
    return row[places[0]].strip().casefold() if places else ""


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

    system = CANVAS


class MoodleExportPlugin(LmsExportPlugin):
    """A file for Moodle.

    `into` names either an assignment's grading worksheet (columns Identifier, Grade, Last modified (grade); one lesson)
    or an export of the grader report as plain text (columns Email address, one per grade item). Without it the file is
    one for Grades, Import, CSV file, where "Email address" or "ID number" is mapped to the user.
    """

    system = MOODLE
