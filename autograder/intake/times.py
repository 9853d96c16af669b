"""Points in time as people, tools and learning platforms write them: read as what they say, or refused.

Nothing is guessed: a date that could be read in two ways, an unknown time zone or an hour that the change of
clocks skips is an error, as the wrong instant would make somebody late.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

EXAMPLES = '"2026-10-01 23:59 Europe/Berlin" or "01.10.2026 23:59 +02:00"'

_WORD = r"[^\W\d_]+"
_WEEKDAY = rf"(?:{_WORD}(?:-{_WORD})?[.,]*\s+)?"
_DATES = (
    r"(?P<year>\d{4})(?P<dash>[-/.])(?P<month>\d\d?)(?P=dash)(?P<day>\d\d?)(?:T|,?\s+)",
    r"(?P<day>\d\d?)\.\s?(?P<month>\d\d?)\.\s?(?P<year>\d{4}),?\s+",
    rf"{_WEEKDAY}(?P<day>\d\d?)(?:\.|st|nd|rd|th)?\s+(?:de\s+)?(?P<name>{_WORD})\.?,?\s+(?:de\s+)?"
    r"(?P<year>\d{4}),?\s+",
    rf"{_WEEKDAY}(?P<name>{_WORD})\.?\s+(?P<day>\d\d?)(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}}),?\s+",
)
_CLOCK = (
    r"(?:(?:at|um|à|alle)\s+)?(?P<hour>\d\d?):(?P<minute>\d\d)"
    r"(?::(?P<second>\d\d)(?:[.,](?P<part>\d{1,9}))?)?"
    r"(?:\s?(?P<half>[AP])\.?M\.?)?(?:\s*(?P<zone>\S.*))?"
)
_FORMS = tuple(re.compile(date + _CLOCK, re.IGNORECASE) for date in _DATES)
_OFFSET = re.compile(r"(?:UTC|GMT)?\s?([+\-\u2212])(\d\d?)(?::?(\d\d))?(?:\s?\(.*\))?", re.IGNORECASE)
_MONTHS = (
    "january januar janner janvier enero gennaio januari janeiro",
    "february februar feber fevrier febrero febbraio februari fevereiro",
    "march marz mars marzo maart marco",
    "april avril abril aprile",
    "may mai mayo maggio mei maio",
    "june juni juin junio giugno junho",
    "july juli juillet julio luglio julho",
    "august aout agosto augustus",
    "september septembre septiembre settembre setembro",
    "october oktober octobre octubre ottobre outubro",
    "november novembre noviembre novembro",
    "december dezember decembre diciembre dicembre dezembro",
)
"""In English, German, French, Spanish, Italian, Dutch and Portuguese, without accents."""
_HOURS = {
    **{"Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2},
    **{"EET": 2, "EEST": 3, "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7},
    **{"JST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13},
}
"""What abbreviations stand for. Those that stand for several zones (CST, IST, BST) are not among them."""


def instant(text: str, zone: str = "") -> datetime:
    """The instant that a text names, in UTC and without a zone of its own, as nbgrader keeps it.

    Args:
        text: date and time, such as "2026-10-01 23:59 +0200" or "Thursday, 1 October 2026, 11:59 PM CEST".
        zone: the zone of a text that names none.

    Raises:
        ValueError: with the reason, which goes on after "…, got TEXT: ".
    """
    found = next(filter(None, (form.fullmatch(text.strip()) for form in _FORMS)), None)
    if found is None:
        raise ValueError("it has to be a date with a time of day, the year in four digits")
    parts = found.groupdict()
    named = parts["zone"] or zone
    if not named:
        raise ValueError("it names no time zone")
    try:
        moment = datetime(
            int(parts["year"]),
            int(parts.get("month") or _month(parts["name"])),
            int(parts["day"]),
            _hour(int(parts["hour"]), (parts["half"] or "").upper()),
            int(parts["minute"]),
            int(parts["second"] or 0),
            int((parts["part"] or "0")[:6].ljust(6, "0")),
            tzinfo=_zone(named.strip()),
        )
        if moment.utcoffset() != moment.replace(fold=1).utcoffset():
            raise ValueError(f"the clocks of {named} are changed then: write an offset such as +02:00")
        return moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        raise ValueError("it is too far away") from None


def instant_of(argument: str, text: str) -> datetime:
    """The instant that an argument names, which has to name a zone, too.

    Raises:
        ValueError: with a sentence that names the argument.
    """
    try:
        return instant(text)
    except ValueError as reason:
        raise ValueError(f"{argument} must be a date such as {EXAMPLES}, got {text!r}: {reason}.") from None


def written(moment: datetime) -> str:
    """An instant as `instant` gives it, in the words that nbgrader reads right."""
    return f"{moment.isoformat(sep=' ')} UTC"


def _hour(hour: int, half: str) -> int:
    if not half:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError(f"there is no {hour} o'clock {half}M")
    return hour % 12 + (12 if half == "P" else 0)


def _month(name: str) -> int:
    """The number of a month by its name, or by at least three letters that only one month begins with."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    found = [
        number
        for number, names in enumerate(_MONTHS, start=1)
        if len(letters) >= 3 and any(one.startswith(letters) for one in names.split())
    ]
    if len(found) != 1:
        raise ValueError(f"{name!r} is no month that is known here: write it as a number")
    return found[0]


def _zone(name: str) -> tzinfo:
    if name.upper() in _HOURS:
        return timezone(timedelta(hours=_HOURS[name.upper()]))
    if offset := _OFFSET.fullmatch(name):
        sign, hours, minutes = offset[1], int(offset[2]), int(offset[3] or 0)
        if hours <= 14 and minutes < 60:
            return timezone((1 if sign == "+" else -1) * timedelta(hours=hours, minutes=minutes))
    elif re.fullmatch(r"[A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+", name):
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):  # not found, or a folder of zones
            pass
    raise ValueError(f"{name!r} is no time zone that is known here: write an offset such as +02:00")
