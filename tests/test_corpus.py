"""The corpus: it covers what it should, and a part of it, quick to grade, gets what is right.

The whole takes minutes: `nas-course corpus`, or the slow test here.
"""

from __future__ import annotations

import collections

import pytest

from autograder import corpus

QUICK = (
    "killing the parent",
    "an object that equals everything",
    "what is given back, kept by a hook on fork",
    "stand-ins imported",
    "replies written to all pipes",
    "sum = 0 at top level",
    "a sum of 990 terms in an experiment",
    "a blank original beside the copy that was worked in",
    "prose that takes long to render",
    "edited tests",
    "the exercise turned into prose",
    "a test's grade_id on an own cell",
    "metadata that is a list",
    "the grader's note forged",
    "cells that are headings and of unknown types",
    "what Jupyter's server says of a notebook",
    "UTF-32",
    "everything deleted",
    "in prose, an event handler",
    "lone surrogates",
    "a link to a file",
    "shadow modules beside the notebook",
    "a zip bomb",
)


def test_every_kind_of_trouble_is_there():
    rows = collections.Counter(case.row for case in corpus.cases())
    assert len(corpus.cases()) >= 200
    assert rows["archives"] + len(corpus.archives()) >= 12
    assert set(rows) == {
        *("endless", "output", "memory", "processes", "disk", "killing", "cheating", "reading", "writing"),
        *("answers", "cells", "metadata", "files", "links", "pages", "archives", "honest"),
        "tools",
    }
    students = [case.student for case in corpus.cases()]
    assert len(set(students)) == len(students)


@pytest.mark.parametrize("lesson", ["00_start_here", "01_random_search"])
def test_cases_can_be_made_from_any_lesson(lesson, tmp_path):
    for case in corpus.cases():
        if case.row in ("answers", "cheating", "cells", "honest", "pages"):
            case.put(tmp_path, lesson)
    assert len(list(tmp_path.iterdir())) > 100


@pytest.mark.usefixtures("sandboxed")
def test_a_quick_part_of_the_corpus_comes_out_right(tmp_path):
    chosen = [case for case in corpus.cases() if case.name in QUICK]
    assert len(chosen) == len(QUICK)
    outcomes = list(corpus.run("00_start_here", chosen, corpus.archives(), tmp_path))
    assert [corpus.line(outcome) for outcome in outcomes if not outcome.right] == []
    assert len(outcomes) == len(QUICK) + len(corpus.archives()) + 1


@pytest.mark.slow
@pytest.mark.usefixtures("sandboxed")
@pytest.mark.parametrize("lesson", ["00_start_here", "01_random_search"])
def test_the_whole_corpus_comes_out_right(lesson, tmp_path):
    outcomes = list(corpus.run(lesson, corpus.cases(), corpus.archives(), tmp_path))
    assert [corpus.line(outcome) for outcome in outcomes if not outcome.right] == []
