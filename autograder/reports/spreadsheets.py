"""CSV files as spreadsheets and learning management systems write and read them."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from nas_lib._files import replacing

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


def number(value: float) -> str:
    """Points with at most four decimals and no trailing zeros."""
    return f"{value:.4f}".rstrip("0").rstrip(".")


@dataclass(frozen=True)
class Sheet:
    """A CSV file of an LMS: header, further rows, and how it was written."""

    header: list[str]
    rows: list[list[str]]
    delimiter: str = ","
    encoding: str = "utf-8"

    @classmethod
    def read(cls, path: Path, called: str = "into") -> Sheet:
        """Read a file that an LMS exported.

        Args:
            path: the file.
            called: the argument that names it.

        Raises:
            ValueError: it cannot be read as CSV in UTF-8.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ValueError(
                f"{called} must be a file that can be read, got {str(path)!r}: {error.strerror}."
            ) from None
        encoding = "utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8"
        try:
            text = data.decode(encoding)
            first = text.partition("\n")[0]
            delimiter = max(",;\t", key=first.count)
            lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
            rows = [row for row in lines if any(map(str.strip, row))]
        except (UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f"{called} must be a CSV file in UTF-8, got {str(path)!r}: {error}.") from None
        if not rows:
            raise ValueError(f"{called} must be an export with a header, got {str(path)!r}, which is empty.")
        width = len(rows[0])
        return cls(rows[0], [(row + [""] * width)[:width] for row in rows[1:]], delimiter, encoding)

    def write(self, path: Path) -> None:
        """Write the file, at once or not at all."""
        with replacing(path) as fresh, open(fresh, "w", encoding=self.encoding, newline="") as file:
            csv.writer(file, delimiter=self.delimiter).writerows([self.header, *self.rows])
