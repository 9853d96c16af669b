"""Guesses before an experiment: shown beside the result, never in the way."""

from __future__ import annotations

import ast

import numpy as np
import pytest
import torch

import solutions
from nas_lib import plotting
from nas_lib.predictions import Prediction, predict

AT_LEAST = 3  # in every lesson


def test_a_guess_is_shown_beside_the_result(capsys):
    guess = predict("How good is the best cell?", 90, unit="%")
    guess.beside(87.324)
    said, shown = capsys.readouterr().out.splitlines()
    assert said == "Guess: How good is the best cell? You say 90 %."
    assert shown == "How good is the best cell? you said 90 %; result: 87.32 %"


def test_an_option_is_shown_beside_the_one_that_came_out(capsys):
    predict("Which is ahead?", "evolution", options=("evolution", "neither")).beside("neither")
    assert "you said evolution; result: neither" in capsys.readouterr().out


@pytest.mark.parametrize("nothing", [..., None])
def test_without_a_guess_everything_goes_on(nothing, capsys):
    guess = predict("How many?", nothing)
    guess.beside(3)
    assert guess.guess is None and guess.value is None
    said, shown = capsys.readouterr().out.splitlines()
    assert "Write a number in place of ..." in said
    assert shown == "How many? no guess; result: 3"


@pytest.mark.parametrize(
    ("guess", "options"),
    [
        ("ten", ()),
        (True, ()),
        (float("nan"), ()),
        ([1], ()),
        (np.zeros(2), ()),
        ("A", "ab"),
        (1, "ab"),
        (["a"], "ab"),
    ],
)
def test_what_cannot_be_read_is_said_and_counts_as_no_guess(guess, options, capsys):
    assert predict("Which?", guess, options=options).guess is None
    said = capsys.readouterr().out
    assert said.startswith(f"Guess: Which? Not {guess!r}. Write ") and said.count("\n") == 1


def test_numpy_numbers_are_numbers():
    assert predict("How many?", np.float32(2.5)).value == 2.5
    assert predict("How many?", np.int64(7)).value == 7.0


def test_a_question_is_a_question():
    with pytest.raises(ValueError, match="question must end with a question mark, got 'Guess!'"):
        predict("Guess!")


@pytest.mark.parametrize(("axis", "data"), [("y", "get_ydata"), ("x", "get_xdata")])
def test_a_figure_shows_the_guess_as_a_line_and_nothing_where_there_is_none(axis, data):
    plotting.plt.switch_backend("Agg")
    ax = plotting.lines({"a": [1, 2]}, xlabel="x", ylabel="y")
    for without in (Prediction("How many?"), Prediction("Which?", "a")):
        plotting.guess(ax, without, axis=axis)
    assert len(ax.lines) == 1
    plotting.guess(ax, Prediction("How many?", 1.5), axis=axis)
    assert set(getattr(ax.lines[1], data)()) == {1.5}
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "your guess"]


def _asked(source: str) -> dict[str, ast.Call]:
    """Names and calls of a cell's predictions."""
    assigned = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assign)]
    calls = {ast.unparse(one.targets[0]): one.value for one in assigned if isinstance(one.value, ast.Call)}
    return {name: call for name, call in calls.items() if ast.unparse(call.func) == "predict"}


@pytest.mark.parametrize("lesson", solutions.lessons())
def test_every_lesson_asks_first_and_answers_later(lesson):
    """A guess is left to the learner, stands in a short cell, and a later one puts it beside what came out."""
    cells = [cell.source for cell in solutions.read(lesson).cells if cell.cell_type == "code"]
    asked = [(place, _asked(source)) for place, source in enumerate(cells)]
    assert sum(len(calls) for _, calls in asked) >= AT_LEAST
    for place, calls in asked:
        for name, call in calls.items():
            assert len(cells[place].splitlines()) <= 12
            assert ast.unparse(call.args[1]) == "...", name
            assert any(f"{name}.beside(" in later for later in cells[place + 1 :]), name


def test_guesses_of_any_kind_never_stop_a_notebook(capsys):
    class Broken:
        def __repr__(self):
            raise ZeroDivisionError

    assert predict("How many?", 10**400).guess is None
    assert predict("How many?", Broken()).guess is None
    assert predict("How many?", np.zeros(100_000)).guess is None
    assert max(map(len, capsys.readouterr().out.splitlines())) < 200
    with pytest.raises(ValueError, match="question must end with a question mark, got None"):
        predict(None)


def test_a_result_is_a_number_or_an_option(capsys):
    guess = predict("How many?", 3)
    guess.beside(torch.tensor([2.5]))
    assert "result: 2.5" in capsys.readouterr().out
    for result in (None, [1, 2], np.ones(2)):
        with pytest.raises(ValueError, match="result must be a number or an option, got"):
            guess.beside(result)
