"""Concept questions: nothing but knowing the answer tells which option is right."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

import pytest

import solutions
from autograder.author.lesson import concept_answer
from solutions.titles import titles

OPTION = re.compile(r"^- \*\*([a-z])\*\* (.+?)(?=^- \*\*|\n\n|\Z)", re.MULTILINE | re.DOTALL)


class Question(NamedTuple):
    name: str
    options: dict[str, str]
    right: str

    def place(self) -> int:
        """How many options are shorter than the right one."""
        return sum(len(text) < len(self.options[self.right]) for text in self.options.values())


def questions(lesson: str) -> list[Question]:
    found, options, name = [], {}, ""
    for cell in solutions.read(lesson).cells:
        if cell.cell_type == "markdown" and (named := titles(cell.source)):
            name = named[-1].name
            options = {letter: " ".join(text.split()) for letter, text in OPTION.findall(cell.source)}
        elif "exercise" in cell.metadata.get("tags", []) and (answer := concept_answer(cell.source)):
            assert answer[0] == name
            found.append(Question(name, options, answer[1]))
    return found


ASKED = {lesson: questions(lesson) for lesson in solutions.lessons()}
ALL = [one for asked in ASKED.values() for one in asked]
KEYS = {lesson: "".join(one.right for one in asked) for lesson, asked in ASKED.items()}


@pytest.mark.parametrize("question", ALL, ids=lambda one: one.name)
def test_a_question_has_four_different_options_and_the_right_one_is_among_them(question):
    assert sorted(question.options) == list("abcd") and question.right in question.options
    assert len(set(question.options.values())) == 4


def test_the_letters_are_drawn_and_not_dealt():
    """No key is another lesson's, and whoever crosses out letters that have been right is wrong."""
    assert len(set(KEYS.values())) == len(KEYS)
    assert sum(len(set(key)) < len(key) for key in KEYS.values()) > len(KEYS) / 2
    share = Counter(one.right for one in ALL)
    assert all(len(ALL) / 8 < share[letter] < 3 * len(ALL) / 8 for letter in "abcd")


@pytest.mark.parametrize("place", [0, 3], ids=["shortest", "longest"])
def test_the_length_of_an_option_does_not_give_it_away(place):
    assert len(ALL) / 10 < sum(one.place() == place for one in ALL) < 3 * len(ALL) / 8
