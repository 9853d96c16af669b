"""What a lesson's own cells say about it, counted: heading, minutes, points. Headers and tables are written from it.

Minutes of doing and points are sums over the title lines; minutes of reading come from the words of the prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import solutions
from autograder.author.lesson import Lesson, is_open, mark_scheme, read_lesson
from solutions.titles import titles

WORDS_PER_MINUTE = 200
"""At which prose with formulas is read."""

HEADER = "**{minutes} · {points}.**"
"""Stands in the first cell of each source, where learners read minutes and points."""

GLOSSARY = "notebooks/glossary.md"
"""The page of words and symbols, to which every lesson leads."""

BY_HAND = (GLOSSARY, "notebooks/bring_your_own.md", "notebooks/project_template.ipynb")
"""What lies among the notebooks and is not generated; it is in the learners' zip too."""

COMPUTING = re.compile(r"\bcomputes for ([^,.;]+?)(?= and |[,.;])|\btakes ([^,.;]+) of computing")
NEEDS = re.compile(r"\bneeds?\b")
LESSONS = re.compile(r"\blessons? (\d\d)\b")
"""How a lesson's first cell says what it takes, and what it builds on."""

TABLE_HEAD = "| lesson | minutes | points |"
COLAB = "https://colab.research.google.com/"
# For the README. A notebook has the words alone: it works offline, and its pages fetch nothing.
BADGE = f"[![Open in Colab]({COLAB}assets/colab-badge.svg)]({{target}})"


@dataclass(frozen=True)
class Contents:
    """A lesson in numbers: minutes of its tasks, minutes that its prose takes to read, points.

    Args:
        computing: how long the machine is busy, in the words of the lesson's first cell; "" where it doesn't say.
        needs: numbers of the lessons that the first cell says one needs, such as "00".
    """

    name: str
    heading: str
    minutes: int
    reading: float
    points: float
    computing: str = ""
    needs: tuple[str, ...] = ()

    @property
    def notebook(self) -> str:
        """Where learners find it."""
        return f"notebooks/{self.name}/{self.name}.ipynb"

    @property
    def row(self) -> str:
        """The first three columns of a table of lessons, in Markdown."""
        return f"| [{self.heading}]({self.notebook}) | {self.minutes} | {self.points:g} |"

    def on_colab(self, colab: str) -> str:
        """A link that opens it on Colab; where Colab has no address for it, one that opens Colab to upload it."""
        if colab:
            return f"[Open in Colab]({self._address(colab)})"
        return f"[Open in Colab]({COLAB}) (upload this file)"

    def badge(self, colab: str) -> str:
        """The link as a badge; "" where Colab has no address for it."""
        return BADGE.format(target=self._address(colab)) if colab else ""

    def _address(self, colab: str) -> str:
        return f"{colab.rstrip('/')}/{self.notebook}"

    def with_header(self, source: str) -> str:
        """The first cell with the numbers in it."""
        filled = HEADER.format(
            minutes=f"{self.minutes} minutes of exercises, {self.reading:.0f} of reading",
            points=f"{self.points:g} points",
        )
        return source.replace(HEADER, f"{filled} [Words and symbols](../{Path(GLOSSARY).name})")


def contents(lesson: Lesson) -> Contents:
    """Count a lesson."""
    prose = [cell.source for cell in lesson.cells if cell.cell_type == "markdown"]
    named = [title for source in prose for title in titles(source)]
    first = _sentences(prose[0]) if prose else []
    busy = [found for sentence in first if (found := COMPUTING.search(sentence))]
    needed = {number for sentence in first if NEEDS.search(sentence) for number in LESSONS.findall(sentence)}
    return Contents(
        lesson.name,
        prose[0].splitlines()[0].lstrip("# ") if prose else lesson.name,
        sum(title.minutes for title in named),
        sum(map(_words, _learners(lesson))) / WORDS_PER_MINUTE,
        sum(title.points for title in named),
        next((found[1] or found[2] for found in busy), ""),
        tuple(sorted(needed - {lesson.name[:2]})),
    )


def heading_of(name: str, folder: Path = solutions.FOLDER) -> str:
    """A lesson's heading, such as "01 · Random search", without reading all of it; its name where it has none."""
    text = solutions.source_path(name, folder).read_text(encoding="utf-8")
    found = re.search(r"^# # (.+)$", text, re.MULTILINE)
    return found[1] if found else name


def all_contents(folder: Path = solutions.FOLDER) -> list[Contents]:
    """Count every lesson, in teaching order."""
    return [contents(read_lesson(name, folder)) for name in solutions.lessons(folder)]


def with_table(readme: str, lessons: Iterable[Contents], colab: str) -> str:
    """A README with the rows of its table of lessons written anew; as it is where it has no such table.

    Args:
        colab: see `Contents.badge`.
    """
    lines = readme.splitlines()
    if TABLE_HEAD not in lines:
        return readme
    start = lines.index(TABLE_HEAD) + 2
    stop = next((i for i in range(start, len(lines)) if not lines[i].startswith("|")), len(lines))
    rows = [one.row.replace(") |", f") {one.badge(colab)} |", 1) if colab else one.row for one in lessons]
    return "\n".join([*lines[:start], *rows, *lines[stop:]]) + "\n"


def _learners(lesson: Lesson) -> Iterator[str]:
    """The prose that a learner reads: without mark schemes and model answers."""
    for cell in lesson.cells:
        if cell.cell_type == "markdown" and not is_open(cell):
            scheme = mark_scheme(cell.source)
            yield cell.source.replace(scheme, "") if scheme else cell.source


def _sentences(markdown: str) -> list[str]:
    return re.split(r"(?<=[.:;])\s+", re.sub(r"\s+", " ", markdown))


def _words(markdown: str) -> int:
    """Words of running text: HTML tags, formulas and addresses are none."""
    return len(re.findall(r"[^\W\d_]\w*", re.sub(r"<[^>]+>|\$[^$]*\$|https?://\S+", "", markdown)))
