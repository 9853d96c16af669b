"""Concept questions: nothing but knowing the answer tells which option is right."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

import nbformat
import pytest

import solutions
from autograder.author.build import ROOT
from autograder.author.lesson import concept_answer
from autograder.reports.reasons import answered, reasons
from solutions.reasons import REASONS
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


@pytest.mark.parametrize("question", ALL, ids=lambda one: one.name)
def test_each_option_has_its_reason(question):
    assert sorted(REASONS[question.name]) == sorted(question.options)
    assert len(set(REASONS[question.name].values())) == len(question.options)
    assert all(why.endswith((".", "%")) and len(why) > 14 for why in REASONS[question.name].values())


def test_reasons_are_given_for_questions_that_are_asked():
    assert set(REASONS) == {one.name for one in ALL}


def _notebook(tmp_path, *sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    path = tmp_path / "mine.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_reasons_are_shown_after_an_answer_and_not_before(tmp_path):
    lesson = "01_random_search"
    right = {one.name: one.right for one in ASKED[lesson]}
    first, second, third, fourth = right
    wrong = "a" if right[second] != "a" else "b"
    path = _notebook(
        tmp_path,
        f"{first} = ' ({right[first].upper()}) '",
        f"{second} = {wrong!r}",
        f"{third} = None\n{fourth} = 'zz'",
    )
    lines = reasons(lesson, path)
    assert lines[0] == f"✓ {first}: you said {right[first]}, right is {right[first]}"
    assert [line[4:5] for line in lines[1:5]] == list("abcd")
    assert lines[5] == f"✗ {second}: you said {wrong}, right is {right[second]}"
    assert lines[10:] == [f"○ {third}: not answered yet", f"○ {fourth}: not answered yet"]


def test_no_reason_is_in_what_learners_get():
    """Neither in a student notebook nor anywhere in the library, and nothing of the notebook is run."""
    files = [
        *ROOT.glob("notebooks/*/*.ipynb"),
        *ROOT.glob("nas_lib/**/*.py"),
        *ROOT.glob("nas_lib/**/*.json"),
    ]
    got = "\n".join(" ".join(path.read_text(encoding="utf-8").split()) for path in files)
    assert len(files) > 50
    assert [name for name, one in REASONS.items() for why in one.values() if why in got] == []


def test_a_notebook_is_read_and_not_run(tmp_path, capsys):
    path = _notebook(tmp_path, "print('ran')\nconcept_01_1 = 'a' + str(1 / 0)", "%magic\nconcept_01_2 = 'b'")
    assert answered(nbformat.read(path, as_version=4), "01_random_search") == {"concept_01_2": "b"}
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="no notebook"):
        reasons("01_random_search", ROOT / "README.md")
    with pytest.raises(ValueError, match=r"lesson must be one of .*, got '99'"):
        reasons("99", path)


@pytest.mark.parametrize("place", [0, 3], ids=["shortest", "longest"])
def test_the_length_of_an_option_does_not_give_it_away(place):
    assert len(ALL) / 10 < sum(one.place() == place for one in ALL) < 3 * len(ALL) / 8
