"""The page of words and symbols: every lesson leads to it, and it leads back to lessons that use its words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import solutions
from autograder.author.build import ROOT, student_notebook
from autograder.author.contents import GLOSSARY

PAGE = (ROOT / GLOSSARY).read_text(encoding="utf-8")
WORDS = re.findall(r"^\*\*(.+?)\*\* — (.+?)(?=\n\n|\Z)", PAGE, re.MULTILINE | re.DOTALL)
NAMES = {lesson[:2]: lesson for lesson in solutions.lessons()}


def prose(lesson: str) -> str:
    cells = [cell.source for cell in solutions.read(lesson).cells]
    return " ".join(" ".join(cells).lower().replace("*", "").replace("#", "").split())


PROSE = {number: prose(lesson) for number, lesson in NAMES.items()}


@pytest.mark.parametrize("lesson", solutions.lessons())
def test_every_lesson_leads_to_the_page(lesson):
    # JupyterLab shows the folder of notebooks and nothing outside of it.
    assert "[Words and symbols](../glossary.md)" in student_notebook(lesson).cells[0].source
    assert PAGE and Path(GLOSSARY).parent.name == "notebooks"


@pytest.mark.parametrize(("word", "meaning"), WORDS, ids=[word for word, _ in WORDS])
def test_a_word_is_used_where_the_page_says(word, meaning):
    cited = [
        number for found in re.findall(r"\((\d\d(?:, \d\d)*)\)", meaning) for number in found.split(", ")
    ]
    assert cited
    variants = [one.strip().lower() for one in word.split(",")]
    for number in cited:
        text = PROSE[number]
        assert any(one in text for one in variants), number


@pytest.mark.parametrize(
    ("symbol", "lesson"),
    [
        (r"α|\\alpha", "04"),
        (r"β|\\beta", ""),
        (r"γ|\\gamma", "03"),
        (r"τ|\\tau\b", "04"),
        (r"\bw\b", "04"),
        (r"\bT\b", ""),
    ],
)
def test_a_letter_means_one_thing_in_the_whole_course(symbol, lesson):
    """Where a paper uses it for something else, the lesson writes that out, and the page says which letter it was."""
    for number, name in NAMES.items():
        texts = [cell.source for cell in solutions.read(name).cells if cell.cell_type == "markdown"]
        if symbol.startswith(r"\b"):  # a Latin letter also stands in names: it is a symbol in formulas
            texts = re.findall(r"\$.+?\$", "\n".join(texts), re.DOTALL)
        found = [text for text in texts if re.search(symbol, text)]
        assert bool(found) == (number == lesson), found


def test_words_stand_in_alphabetical_order_once():
    words = [word.lower() for word, _ in WORDS]
    assert len(words) > 30 and words == sorted(set(words))
