"""The list of nbgrader's own tests that do not apply names tests that there are, and the page says what it holds."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from scripts.checks import nbgraders_own


def names(module: str) -> set[str]:
    """The tests of one of nbgrader's modules."""
    found = importlib.util.find_spec("nbgrader")
    assert found is not None and found.origin is not None
    path = Path(found.origin).parent / "tests" / "apps" / f"test_nbgrader_{module}.py"
    return set(re.findall(r"^ +def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("module", nbgraders_own.MODULES)
def test_what_is_listed_is_there_once(module: str):
    listed = [
        one.partition(".")[2]
        for group in (nbgraders_own.APART, nbgraders_own.OTHERWISE)
        for tests in group.values()
        for one in tests
        if one.startswith(f"{module}.")
    ]
    assert set(listed) <= names(module) and len(listed) == len(set(listed))


def test_the_page_says_what_the_list_holds():
    assert nbgraders_own.DOCUMENT.read_text(encoding="utf-8") == nbgraders_own.document()
    assert all(names(module) for module in nbgraders_own.ELSEWHERE)
