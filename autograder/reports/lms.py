"""Grades for learning management systems, as plugins of `nbgrader export`: CSV files that their imports take.

A grade is exported when it is final. Students who have not handed in, and submissions of which a part still waits for a
person, are left out, so that the import leaves their field in the LMS alone; options say otherwise. How the systems
differ stands in `lms_files`, as data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from nbgrader.plugins import ExportPlugin
from traitlets import Bool, Dict, Enum, Unicode

from autograder.reports import comments, lms_files, penalties
from autograder.reports.lms_files import CANVAS, MOODLE, Layout, Student, System
from autograder.reports.spreadsheets import Sheet, harmless, number

MISSING, PENDING = "not handed in", "waiting for a person"
ABSENT, LOCKED, PARTIAL = (
    "not in the LMS's file",
    "the LMS does not let it be changed",
    "another lesson lacks points",
)
LEFT_OUT = (MISSING, PENDING, PARTIAL, ABSENT, LOCKED)
"""Why somebody's points are not exported."""


@dataclass
class Marks:
    """The final points in one lesson, by student's id; who was left out, and why."""

    lesson: str
    out_of: float
    points: dict[str, float] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=lambda: {reason: [] for reason in LEFT_OUT})

    def leave_out(self, students: Iterable[str], reason: str) -> None:
        """Take the points of students away, if they have any."""
        for student in students:
            if self.points.pop(student, None) is not None:
                self.left_out[reason].append(student)


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
            if self.system.whole_rows:
                incomplete = [name for name in students if not all(name in one.points for one in marks)]
                for one in marks:
                    one.leave_out(incomplete, PARTIAL)
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
        for reason, who in marks.left_out.items():
            if who:
                said += f", {len(who)} left out ({reason}: {', '.join(sorted(who))})"
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
                    marks.left_out[MISSING].append(name)
            elif submission.needs_manual_grade and self.pending == "leave-out":
                marks.left_out[PENDING].append(name)
            else:
                penalty = submission.late_submission_penalty or 0.0
                marks.points[name] = max(0.0, float(submission.score) - float(penalty))
                marks.comments[name] = comments.comment(submission, self._graded(marks.lesson, name))
        return marks

    def _graded(self, lesson: str, student: str) -> Path:
        root = str(self.config.CourseDirectory.get("root", "."))
        return Path(root, "autograded", student, lesson, f"{lesson}.ipynb")

    # -- to the LMS ----------------------------------------------------------------------------------------

    def fresh(self, students: Mapping[str, Student], marks: Sequence[Marks]) -> Sheet:
        """A file of our own making, for an import that maps columns or creates assignments."""
        who = self.system.columns
        rows = []
        if self.system.out_of:
            blank = [""] * (len(who) - 1)
            rows.append([self.system.out_of, *blank, *(number(one.out_of) for one in marks)])
        for name, student in students.items():
            if any(name in one.points for one in marks):
                points = [number(one.points[name]) if name in one.points else "" for one in marks]
                rows.append([*(harmless(what(student)) for what in who.values()), *points])
        return Sheet([*who, *(one.lesson for one in marks)], rows)

    def filled(self, sheet: Sheet, students: Mapping[str, Student], marks: Sequence[Marks]) -> Sheet:
        """The LMS's own file with our points filled in, reduced to the students that get any."""
        header = self.system.titles(sheet)
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
        matched = self._match(keys, students)
        self._leave_out_absent(students, matched, marks)
        locked = [name for place, name in matched.items() if layout.is_locked(header, sheet.rows[place])]
        for one in marks:
            one.leave_out(locked, LOCKED)
        rows = [possible] if possible else []
        for index, name in sorted(matched.items()):
            if not any(name in one.points for one in marks):
                continue
            row = [harmless(text) for text in sheet.rows[index]]
            for one, place in zip(marks, places, strict=True):
                if name in one.points:
                    out_of = (
                        possible[place] if possible else lms_files.field(header, row, layout.out_of_column)
                    )
                    row[place] = self._scaled(one, one.points[name], out_of)
            self._comment(header, row, layout, marks[0].comments.get(name, ""))
            rows.append(row)
        kept = [place for place in range(len(header)) if place in places or layout.keeps(header[place])]
        return Sheet(
            [sheet.header[place] for place in kept],
            [[row[place] for place in kept] for row in rows],
            sheet.delimiter,
            sheet.encoding,
        )

    def _leave_out_absent(
        self, students: Mapping[str, Student], matched: Mapping[int, str], marks: Sequence[Marks]
    ) -> None:
        """Leave out those who are not in the LMS's file; it is the wrong one if those are all who have points."""
        absent = sorted(set(students) - set(matched.values()))
        have_points = {name for one in marks for name in one.points}
        if not matched or (have_points and have_points <= set(absent)):
            some = ", ".join(map(repr, sorted(have_points or absent)[:5]))
            raise ValueError(
                f"{self.into} matches nobody here: {some} and all others are in no row of it, by LMS id, id or "
                "e-mail address; `nas-course roster` takes these from the LMS's own file."
            )
        if absent:
            print(f"Not in {self.into}, so not exported: {', '.join(absent)}")
        for one in marks:
            one.leave_out(absent, ABSENT)

    def _comment(self, header: Sequence[str], row: list[str], layout: Layout, comment: str) -> None:
        """Fill the field for feedback, unless somebody has written there."""
        if layout.comment in header and comment:
            place = header.index(layout.comment)
            if not row[place].strip() or row[place].startswith(comments.BEGINNING):
                row[place] = comment

    def _layout(self, header: Sequence[str], marks: Sequence[Marks]) -> Layout:
        layout = self.system.layout(header)
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
        """Points as the LMS wants them, with its own decimal sign."""
        sign = "," if "," in out_of else "."
        try:
            most = float(out_of.replace(",", "."))
        except ValueError:
            return number(points)
        if abs(most - marks.out_of) < 1e-6:
            most = marks.out_of
        elif not self.rescale:
            raise ValueError(
                f"{marks.lesson} is out of {number(marks.out_of)} points here and out of {number(most)} in the LMS: "
                f"change it there, or convert with --{type(self).__name__}.rescale=True."
            )
        return number(points * (most / marks.out_of)).replace(".", sign)

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
        return found


def _plain(header: str) -> str:
    """A column's title for comparing: without Canvas's id, nor Moodle's "Assignment:" and "(Real)" in any language."""
    title = re.sub(r"\s*[(（][^()]*[)）]\s*$", "", header)
    title = re.sub(r"^[^\W\d_]+\s?[:：]\s*", "", title)
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
