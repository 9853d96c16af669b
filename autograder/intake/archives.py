"""Zip archives of submissions, unpacked into a folder of our own: notebooks, timestamps and inner archives,
and nothing else.

An archive is a stranger's file. Its directory is read within limits, every name in it is checked before
anything is written, sizes are counted while they come and not believed, and links are never made. Which
notebook is whose is none of this module's business (`search`).
"""

from __future__ import annotations

import lzma
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

NOTEBOOK_BYTES = 20 * 2**20
SUFFIX = ".zip"
OTHER_SUFFIXES = (".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zst")
"""Archives that are not opened: their owners are asked for a zip."""
IGNORED = re.compile(r"\.|__|~|Thumbs\.db$|desktop\.ini$")
"""What file managers and editors leave behind."""


UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(OSError, EOFError, ValueError, NotImplementedError, RuntimeError),
)
"""What zipfile raises on files that are no zips, or only in part."""


class BadArchive(ValueError):
    """An archive that is not unpacked. The message goes on after "the archive cannot be taken: "."""


class _BadMember(BadArchive):
    """Something is wrong with one file in an archive."""


@dataclass(frozen=True)
class Limits:
    """What an archive may hold. Everything above is refused before or while it is unpacked."""

    archive_bytes: int
    members: int
    total_bytes: int
    member_bytes: int = NOTEBOOK_BYTES


ONE = Limits(archive_bytes=50 * 2**20, members=2_000, total_bytes=60 * 2**20)
"""What one student hands in."""
CLASS = Limits(archive_bytes=4 * 2**30, members=20_000, total_bytes=8 * 2**30, member_bytes=ONE.archive_bytes)
"""A whole class's download."""


def unpack(archive: Path, folder: Path, limits: Limits) -> list[str]:
    """Unpack the notebooks, timestamps and inner archives of a zip.

    Args:
        archive: the zip file.
        folder: where they go, by the names that they have in the archive; made if absent.
        limits: `ONE` or `CLASS`.

    Returns:
        With `CLASS`: a sentence for each member that was left out because something is wrong with it.

    Raises:
        BadArchive: it is no zip file, breaks a limit, or (with `ONE`) has anything wrong in it.
    """
    faults: list[str] = []
    with _opened(archive, limits) as opened:
        written = 0
        names: set[str] = set()
        for member in opened.infolist():
            try:
                path = _checked(member)
                if member.is_dir() or not _wanted(path):
                    continue
                if str(path).casefold() in names:
                    raise BadArchive(f"it holds {_shown(member)} twice")  # which of them counts?
                names.add(str(path).casefold())
                written += _write(opened, member, folder / path, limits, limits.total_bytes - written)
            except _BadMember as bad:
                if limits is ONE:
                    raise
                faults.append(f"{archive.name}: {bad}, and was left out.")
    return faults


def _opened(archive: Path, limits: Limits) -> zipfile.ZipFile:
    size = archive.stat().st_size
    if size > limits.archive_bytes:
        raise BadArchive(f"it is above {limits.archive_bytes // 2**20} MB")
    # Before zipfile builds an object for each member: 300 bytes are more than a name ever needs.
    if _directory_bytes(archive, size) > 300 * limits.members:
        raise BadArchive(f"it holds more than {limits.members:,} files")
    try:
        opened = zipfile.ZipFile(archive)
    except UNREADABLE as wrong:
        raise BadArchive(f"it is no readable zip file ({wrong})") from None
    if len(opened.infolist()) > limits.members:
        opened.close()
        raise BadArchive(f"it holds more than {limits.members:,} files")
    return opened


def _directory_bytes(archive: Path, size: int) -> int:
    """How long the archive's table of contents says it is."""
    with open(archive, "rb") as file:
        file.seek(max(0, size - 22 - 65535 - 76))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise BadArchive("it is no zip file, or only the beginning of one")
    (length,) = struct.unpack_from("<L", tail, at + 12)
    wide = tail.rfind(b"PK\x06\x06")
    if length == 0xFFFFFFFF and 0 <= wide <= len(tail) - 56:
        (length,) = struct.unpack_from("<Q", tail, wide + 40)
    return int(length)


def _checked(member: zipfile.ZipInfo) -> PurePosixPath:
    """The member's path, if it is one that may be used."""
    # Windows' own zip programs have written backslashes.
    name = member.filename.replace("\\", "/")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name) or not path.parts:
        raise _BadMember(f"it holds {_shown(member)}, which would lie outside of its folder")
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _BadMember(f"it holds {_shown(member)}, which is a link and no file")
    odd = len(name) > 400 or len(path.parts) > 20
    if odd or any(len(os.fsencode(part)) > 200 for part in path.parts) or not name.isprintable():
        raise _BadMember(f"it holds {_shown(member)}, which is no usable name")
    return path


def _shown(member: zipfile.ZipInfo) -> str:
    name = ascii(member.filename)
    return name if len(name) <= 80 else f"{name[:77]}...'"


def _wanted(path: PurePosixPath) -> bool:
    if any(IGNORED.match(part) for part in path.parts):
        return False
    return path.suffix.lower() in (".ipynb", SUFFIX, *OTHER_SUFFIXES) or path.name == "timestamp.txt"


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, limits: Limits, room: int) -> int:
    """Write one member; returns its bytes."""
    if member.flag_bits & 1:
        raise _BadMember(f"{_shown(member)} in it is encrypted")
    least = min(limits.member_bytes, room)
    written = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "xb") as file:
            for block in _blocks(opened, member):
                written += len(block)
                if written > least:
                    raise _BadMember(f"{_shown(member)} in it is above {least // 2**20} MB")
                file.write(block)
    except BadArchive:
        path.unlink(missing_ok=True)
        raise
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise _BadMember(f"{_shown(member)} in it has the name of a folder or another file") from None
    return written


def _blocks(opened: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        with opened.open(member) as file:
            while block := file.read(1 << 16):
                yield block
    except UNREADABLE as wrong:
        raise _BadMember(f"{_shown(member)} in it cannot be read ({wrong})") from None
