"""The CSV files that Canvas and Moodle give out and take back: which column is what, in which language.

How the systems differ stands here as data, with the columns that their importers read: Canvas'
`lib/gradebook_importer.rb`, Moodle's `grade/import/csv` and `mod/assign/feedback/offline/importgradeslib.php`. Moodle
titles its columns in the user's language. Here they have their English names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from autograder.intake import times
from autograder.intake.submission import is_student
from autograder.reports.spreadsheets import Sheet


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

    @property
    def full_name(self) -> str:
        """The name, or the id of somebody without one."""
        return " ".join(filter(None, (self.first_name, self.last_name))) or self.id


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
    comment: str = ""
    """The one column for feedback."""
    needed: str = ""
    """A column without which the import refuses the file."""
    number: str = ""
    """The column in which a number after a word stands for the student as well."""
    out_of_row: str = ""
    """What the first field of the row says in which the points possible stand."""
    out_of_column: str = ""
    """The column in which the points possible stand."""
    locked: str = ""
    """The column that says whether a grade can be changed."""
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
        found = {text.strip() for title, text in zip(header, row, strict=True) if title in self.keys}
        return {key.casefold() for key in (*found, participant(field(header, row, self.number))) if key}

    def is_locked(self, header: Sequence[str], row: Sequence[str]) -> bool:
        """Does the file say that this grade cannot be changed?"""
        return field(header, row, self.locked).casefold() in _NO


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
    translated: bool = False
    """It titles its columns in the user's language."""

    def titles(self, sheet: Sheet) -> list[str]:
        """The header of a file of this system's, in English."""
        return _in_english(sheet) if self.translated else list(sheet.header)

    def layout(self, header: Sequence[str]) -> Layout | None:
        """Of a file with this header; None if it is none of this system's."""
        return next((one for one in self.layouts if one.fits(header)), None)


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
            known_by=(frozenset({"Section", "Student", "ID"}), frozenset({"Section", "LastName", "ID"})),
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
            number="Identifier",
            grade="Grade",
            comment="Feedback comments",
            needed="Last modified (grade)",
            out_of_column="Maximum grade",
            locked="Grade can be changed",
        ),
        Layout(  # the grader report
            known_by=tuple(frozenset({key}) for key in _MOODLES_KEYS),
            keys=_MOODLES_KEYS,
            number="Identifier",
            student=frozenset(
                {"First name", "Last name", "Full name", "Institution", "Department"}
                | {"Last downloaded from this course"}
            ),
            locked="Grade can be changed",
        ),
    ),
    unfit=(
        "is no file of Moodle's that can be filled in: it needs a column Identifier, Email address, ID number or "
        "Username."
    ),
    whole_rows=True,
    translated=True,
)


# ----------------------------------------------------------------------------------------------------
# Moodle's languages

_TITLES = {
    "Full name": "Vollständiger Name|Nom complet|Nombre completo|Nome completo|Volledige naam",
    "First name": "Vorname|Prénom|Nombre|Nome|Voornaam",
    "Last name": (
        "Surname|Nachname|Nom de famille|Nom|Apellido(s)|Apellidos|Cognome|Achternaam|Sobrenome|Apelido"
    ),
    "Email address": (
        "E-Mail-Adresse|E-Mail|Adresse de courriel|Dirección de correo|Dirección Email|Correo electrónico"
        "|Indirizzo email|E-mailadres|Endereço de email|Endereço de e-mail"
    ),
    "ID number": (
        "ID-Nummer|Matrikelnummer|Numéro d'identification|Número de ID|Codice identificativo"
        "|Número de identificação"
    ),
    "Username": (
        "Anmeldename|Nutzername|Benutzername|Nom d'utilisateur|Nombre de usuario|Gebruikersnaam"
        "|Nome de usuário|Nome de utilizador"
    ),
    "Institution": "Institución|Istituzione|Instelling|Instituição",
    "Department": "Abteilung|Département|Departamento|Dipartimento|Afdeling",
    "Last downloaded from this course": (
        "Zuletzt aus diesem Kurs geladen|Dernier téléchargement depuis ce cours|Última descarga de este curso"
    ),
    **dict.fromkeys(
        ("Identifier", "Grade", "Maximum grade", "Grade can be changed", "Feedback comments"), ""
    ),
    **dict.fromkeys(("Last modified (submission)", "Last modified (grade)"), ""),
}
"""In German, French, Spanish, Italian, Dutch and Portuguese. A worksheet's own columns are known by their places."""
_ENGLISH = {
    title.casefold(): english
    for english, others in _TITLES.items()
    for title in (english, *filter(None, others.split("|")))
}
_NO = frozenset(
    {"no", "nein", "non", "não", "nao", "nee", "nei", "nej", "ei", "ne", "nie", "нет", "いいえ", "否"}
)
_OF_SOMETHING = re.compile(r"(.+?)\s*[(（].+[)）]\s*")


def _in_english(sheet: Sheet) -> list[str]:
    header = [_ENGLISH.get(title.strip().casefold(), title) for title in sheet.header]
    if not {"Identifier", "Grade"} <= set(header):
        for place, title in _worksheet(sheet).items():
            header[place] = title
    if "Email address" not in header:
        for place in range(len(header)):
            filled = [row[place] for row in sheet.rows if row[place].strip()]
            if filled and all(re.fullmatch(r"\s*[^\s@]+@[^\s@]+\s*", text) for text in filled):
                header[place] = "Email address"
                break
    return header


def _worksheet(sheet: Sheet) -> dict[int, str]:
    """The columns of a grading worksheet in any language: Moodle writes them in one order.

    Who, …, grade, maximum, …, can it be changed, modified (submission), …, modified (grade), comments.
    """
    stems = [match[1] if (match := _OF_SOMETHING.fullmatch(title)) else "" for title in sheet.header]
    modified = [place for place, stem in enumerate(stems) if stem and stems.count(stem) == 2]
    if len(modified) != 2 or not sheet.rows or not all(participant(row[0]) for row in sheet.rows):
        return {}
    submitted, graded = modified
    found = {
        **{0: "Identifier", submitted - 1: "Grade can be changed"},
        **{submitted: "Last modified (submission)", graded: "Last modified (grade)"},
    }
    for place in (submitted - 2, submitted - 3):  # between them may stand the state of the marking
        if place > 1 and all(_points(row[place]) for row in sheet.rows):
            found |= {place - 1: "Grade", place: "Maximum grade"}
            break
    if graded + 1 < len(sheet.header):
        found[graded + 1] = "Feedback comments"
    return found


def participant(text: str) -> str:
    """Moodle's number in "Participant 1234" or "Teilnehmer/in1234"; "" in other texts."""
    match = re.fullmatch(r"\D+?\s*(\d+)\s*", text)
    return match[1] if match else ""


def _points(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None


def field(header: Sequence[str], row: Sequence[str], title: str) -> str:
    """What stands in a row under a title; "" where there is no such column."""
    return row[header.index(title)].strip() if title and title in header else ""


# ----------------------------------------------------------------------------------------------------
# Rosters


def people(sheet: Sheet, source: str) -> list[Student]:
    """Everybody in an export of Canvas' gradebook, or in a worksheet, report or list of participants of Moodle's.

    Args:
        sheet: the file.
        source: what to call it.

    Raises:
        ValueError: it is none of these, or nobody is in it.
    """
    sheet = replace(sheet, header=[title.strip() for title in sheet.header])
    if CANVAS.layout(sheet.header):
        rows = [row for row in sheet.rows if field(sheet.header, row, "ID").isdigit()]
        found = [_of_canvas(sheet.header, row) for row in rows]
        found = [one for one in found if one.full_name != "Test Student"]  # Canvas's own
    elif MOODLE.layout(header := MOODLE.titles(sheet)):
        found = [_of_moodle(header, row) for row in sheet.rows]
    else:
        raise ValueError(
            f"{source} is no roster: it has neither Canvas's columns Student, ID and Section, nor one of Moodle's "
            "Identifier, Email address, ID number or Username."
        )
    if not found:
        raise ValueError(f"{source} names nobody.")
    if nameless := [one for one in found if not one.id]:
        raise ValueError(
            f"{source}: {nameless[0].full_name or 'somebody'} has no id, login or e-mail address that can be an id "
            "here, of letters, digits, spaces and . _ - @ ' alone."
        )
    return _distinct(found, source)


def _distinct(people: Sequence[Student], source: str) -> list[Student]:
    """Each student once: rows may repeat, as those of several sections do.

    Raises:
        ValueError: two rows that differ speak of one id, of which the later would overwrite the earlier.
    """
    found: dict[str, Student] = {}
    for one in dict.fromkeys(people):
        for key in sorted(one.keys):
            if key in found:
                raise ValueError(
                    f"{source} has {key} twice, for {found[key].full_name} and {one.full_name}: leave one row each."
                )
        found |= dict.fromkeys(one.keys, one)
    return list(dict.fromkeys(people))


def _of_canvas(header: Sequence[str], row: Sequence[str]) -> Student:
    last, _, first = field(header, row, "Student").partition(", ")
    last, first = field(header, row, "LastName") or last, field(header, row, "FirstName") or first
    number, login = field(header, row, "ID"), field(header, row, "SIS Login ID")
    return Student(_usable(login, number), first, last, login if "@" in login else "", number)


def _of_moodle(header: Sequence[str], row: Sequence[str]) -> Student:
    first, _, last = field(header, row, "Full name").rpartition(" ")
    first, last = field(header, row, "First name") or first, field(header, row, "Last name") or last
    email, name = field(header, row, "Email address"), field(header, row, "Username")
    number = participant(field(header, row, "Identifier"))
    own = field(header, row, "ID number")
    identity = _usable(name, email, own, f"participant_{number}" if number else "")
    return Student(identity, first, last, email, number or own)


def _usable(*ids: str) -> str:
    """The first that can be a student's id, and the name of a folder; "" if none can."""
    return next(filter(is_student, ids), "")


def handed_in(sheet: Sheet, zone: str) -> tuple[dict[str, datetime], list[str]]:
    """When Moodle's worksheet says that each participant has handed in, in UTC, by their number.

    Args:
        sheet: the worksheet.
        zone: the time zone of its times, which it does not tell.

    Returns:
        The times, and a sentence for each that cannot be read.
    """
    header = MOODLE.titles(sheet)
    found, wrong = {}, []
    for row in sheet.rows:
        number = participant(field(header, row, "Identifier"))
        text = field(header, row, "Last modified (submission)")
        if number and text.strip("-– "):
            try:
                found[number] = times.instant(text, zone)
            except ValueError as reason:
                wrong.append(f"participant {number}: {text!r} cannot be read as a time: {reason}.")
    return found, wrong
