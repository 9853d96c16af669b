"""Cases in archives: what a student hands in as a zip, and a whole class's download."""

# ruff: noqa: E501 - a case in one line

from __future__ import annotations

import io
import json
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.corpus._cases import CANARY, Case, Earns, Sheet

Member = tuple[str, bytes]


def zipped(members: Sequence[Member]) -> bytes:
    """A zip of these members."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one name twice is meant
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return data.getvalue()


def book(sheet: Sheet) -> bytes:
    """The sheet's notebook as a file."""
    return json.dumps(sheet.notebook).encode()


def as_zip(name: str, earns: Earns, make: Callable[[Sheet], bytes], says: str = "", noted: str = "") -> Case:
    """A student's zip."""

    def write(sheet: Sheet, path: Path) -> None:
        path.with_suffix(".zip").write_bytes(make(sheet))

    return Case(name, "archives", earns, write=write, says=says, noted=noted)


def with_member(name: str) -> Callable[[Sheet], bytes]:
    """The notebook, and a second member of that name."""
    return lambda sheet: zipped([(f"{sheet.lesson}.ipynb", book(sheet)), (name, CANARY.encode())])


def link(sheet: Sheet) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        info = zipfile.ZipInfo(f"{sheet.lesson}.ipynb")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return data.getvalue()


def bomb(sheet: Sheet) -> bytes:
    return zipped([(f"{sheet.lesson}.ipynb", b" " * 300_000_000)])


def lying_bomb(sheet: Sheet) -> bytes:
    """A bomb whose directory says that it is small."""
    data = bytearray(bomb(sheet))
    for signature, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        struct.pack_into("<L", data, data.find(signature) + offset, 1000)
    return bytes(data)


def many(sheet: Sheet) -> bytes:
    return zipped(
        [(f"{number}.txt", b"") for number in range(20_000)] + [(f"{sheet.lesson}.ipynb", book(sheet))]
    )


def nested(sheet: Sheet) -> bytes:
    data = book(sheet)
    for number in range(31):
        data = zipped([(f"{number}.zip" if number else f"{sheet.lesson}.ipynb", data)])
    return data


def encrypted(sheet: Sheet) -> bytes:
    data = bytearray(zipped([(f"{sheet.lesson}.ipynb", book(sheet))]))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.find(signature) + offset] |= 1
    return bytes(data)


def damaged(sheet: Sheet) -> bytes:
    data = bytearray(zipped([(f"{sheet.lesson}.ipynb", book(sheet))]))
    data[200:260] = bytes(60)
    return bytes(data)


def long_directory(sheet: Sheet) -> bytes:
    """Says that its table of contents is 2 GB long."""
    data = bytearray(zipped([(f"{sheet.lesson}.ipynb", book(sheet))]))
    struct.pack_into("<L", data, data.rfind(b"PK\x05\x06") + 12, 2**31)
    return bytes(data)


def twice(sheet: Sheet) -> bytes:
    return zipped([(f"{sheet.lesson}.ipynb", book(sheet)), (f"{sheet.lesson}.ipynb", b"{}")])


def mac(sheet: Sheet) -> bytes:
    name = f"my work/{sheet.lesson}.ipynb"
    extras = [(f"__MACOSX/my work/._{sheet.lesson}.ipynb", b"junk"), ("my work/.DS_Store", b"junk")]
    checkpoint = f"my work/.ipynb_checkpoints/{sheet.lesson}-checkpoint.ipynb"
    return zipped(
        [("my work/", b""), (name, book(sheet)), *extras, (checkpoint, b"{}"), ("my work/figure.png", b"x")]
    )


ZIPS = [
    as_zip("a zip", Earns.ALL, lambda sheet: zipped([(f"{sheet.lesson}.ipynb", book(sheet))])),
    as_zip("a zip of a Mac's folder", Earns.ALL, mac),
    as_zip("a zip made on Windows", Earns.ALL, lambda sheet: zipped([(f"mine\\{sheet.lesson}.ipynb", book(sheet))])),
    as_zip("a zip with a renamed notebook", Earns.ALL, lambda sheet: zipped([("Übung (2).ipynb", book(sheet))])),
    as_zip("a zip of the whole course", Earns.ALL, lambda sheet: zipped([(f"n/{sheet.lesson}.ipynb", book(sheet)), ("n/99_other.ipynb", b"{}")])),
    as_zip("a zip with a time of its own", Earns.ALL, lambda sheet: zipped([(f"{sheet.lesson}.ipynb", book(sheet)), ("timestamp.txt", b"2000-01-01 10:00:00 UTC")]), noted=".* claims .* does not count"),
    as_zip("a zip that climbs out", Earns.REFUSED, with_member("../../outside.ipynb"), "outside of its folder"),
    as_zip("a zip that climbs out by backslashes", Earns.REFUSED, with_member("..\\..\\outside.ipynb"), "outside of its folder"),
    as_zip("a zip with an absolute path", Earns.REFUSED, with_member("/tmp/nas-corpus-trace.ipynb"), "outside of its folder"),
    as_zip("a zip with a drive's letter", Earns.REFUSED, with_member("C:\\outside.ipynb"), "outside of its folder"),
    as_zip("a zip with a link", Earns.REFUSED, link, "is a link"),
    as_zip("a zip with odd names", Earns.REFUSED, with_member("a\nb\x1b[31m.ipynb"), "no usable name"),
    as_zip("a zip with a name too long", Earns.REFUSED, with_member("x" * 3000 + ".ipynb"), "no usable name"),
    as_zip("a zip bomb", Earns.REFUSED, bomb, "above 20 MB"),
    as_zip("a zip bomb that lies", Earns.REFUSED, lying_bomb, "above 20 MB|cannot be read|hand in"),
    as_zip("a zip of 20,000 files", Earns.REFUSED, many, "more than 2,000 files"),
    as_zip("31 zips in each other", Earns.REFUSED, nested, "archives and no notebook"),
    as_zip("a zip that is none", Earns.REFUSED, lambda _: b"this is no zip at all" * 100, "no zip file"),
    as_zip("an empty zip file", Earns.REFUSED, lambda _: b"", "no zip file"),
    as_zip("a zip without files", Earns.REFUSED, lambda _: zipped([]), "no .*ipynb|hand one in"),
    as_zip("half a zip", Earns.REFUSED, lambda sheet: zipped([(f"{sheet.lesson}.ipynb", book(sheet))])[:2000], "no zip file"),
    as_zip("a damaged zip", Earns.REFUSED, damaged, "cannot be read|hand in"),
    as_zip("an encrypted zip", Earns.REFUSED, encrypted, "encrypted"),
    as_zip("a zip with a table of contents of 2 GB", Earns.REFUSED, long_directory, "more than 2,000 files"),
    as_zip("a zip that holds one name twice", Earns.REFUSED, twice, "twice"),
    as_zip("a zip of two notebooks", Earns.REFUSED, lambda sheet: zipped([("a.ipynb", book(sheet)), ("b.ipynb", book(sheet))]), "2 notebooks"),
    Case("a rar", "archives", Earns.REFUSED, write=lambda _, path: path.with_suffix(".rar").write_bytes(b"Rar!"), says="not opened"),  # type: ignore[arg-type]
]  # fmt: skip


@dataclass(frozen=True)
class Download:
    """A whole class's archive: what is in it, who is found, and what the instructor is told.

    `members` makes the archive's content from a right notebook's bytes.
    """

    name: str
    members: Callable[[str, bytes], list[Member]]
    students: tuple[str, ...] = ()
    says: str = ""
    fails: str = ""


DOWNLOADS = [
    Download(
        "Canvas",
        lambda lesson, right: [
            (f"doejane_12345_678901_{lesson}.ipynb", right),
            (f"roejohn_LATE_12346_678902_{lesson}-1.ipynb", right),
            ("poeann_12347_678903_work.zip", zipped([(f"{lesson}.ipynb", right)])),
        ],
        ("doejane_12345", "poeann_12347", "roejohn_12346"),
    ),
    Download(
        "Canvas, with further files",
        lambda lesson, right: [
            (f"doejane_12345_678901_{lesson}.ipynb", right),
            ("doejane_12345_678902_notes.ipynb", b"{}"),
            ("doejane_12345_678903_figure.png", b"x"),
        ],
        ("doejane_12345",),
    ),
    Download(
        "Moodle, a folder for each student",
        lambda lesson, right: [
            (f"Jane Doe_4711_assignsubmission_file_/{lesson}.ipynb", right),
            ("Jürgen Müller_4712_assignsubmission_file_/meins.ipynb", right),
        ],
        ("Jane Doe_4711", "Jürgen Müller_4712"),
    ),
    Download(
        "Moodle, two of one name, one with a text beside the file",
        lambda lesson, right: [
            (f"Jane Doe_4711_assignsubmission_file/{lesson}.ipynb", right),
            (f"Jane Doe_4712_assignsubmission_file/{lesson}.ipynb", right),
            ("Jane Doe_4712_assignsubmission_file/timestamp.txt", b"2000-01-01 10:00:00 UTC"),
            ("Jane Doe_4712_assignsubmission_onlinetext/onlinetext.html", b"<p>See the file.</p>"),
        ],
        ("Jane Doe_4711", "Jane Doe_4712"),
    ),
    Download(
        "Moodle, files alone",
        lambda lesson, right: [(f"Jane Doe_4711_assignsubmission_file_{lesson}.ipynb", right)],
        ("Jane Doe_4711",),
    ),
    Download(
        "nbgrader's own layout",
        lambda lesson, right: [
            (f"submitted/ann/{lesson}/{lesson}.ipynb", right),
            (f"submitted/ann/{lesson}/timestamp.txt", b"2026-01-01 10:00:00 UTC"),
            (f"submitted/bob/{lesson}/{lesson}.ipynb", right),
        ],
        ("ann", "bob"),
    ),
    Download(
        "notebooks alone", lambda _, right: [("ann.ipynb", right), ("bob.ipynb", right)], ("ann", "bob")
    ),
    Download(
        "one bad zip among others",
        lambda lesson, right: [("ann.zip", b"no zip"), ("bob.zip", zipped([(f"{lesson}.ipynb", right)]))],
        ("ann", "bob"),
    ),
    Download(
        "a member that climbs out",
        lambda _, right: [("../../evil.ipynb", right), ("ann.ipynb", right)],
        ("ann",),
        says="outside of its folder",
    ),
    Download(
        "a bomb among others",
        lambda _, right: [("mallory.ipynb", b" " * 100_000_000), ("ann.ipynb", right)],
        ("ann",),
        says="above 50 MB",
    ),
    Download(
        "two of one student",
        lambda lesson, right: [("ann.ipynb", right), (f"ann/{lesson}.ipynb", right)],
        fails="'ann' has handed in twice",
    ),
    Download("a name twice", lambda _, right: [("ann.ipynb", right), ("ann.ipynb", b"{}")], fails="twice"),
    Download(
        "a name that is no student's",
        lambda _, right: [("a<b>.ipynb", right), ("ann.ipynb", right)],
        ("ann",),
        says="student's id",
    ),
]
