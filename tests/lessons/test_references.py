"""References: one paper has one arXiv number in all lessons, and the link leads to the number that is shown."""

from __future__ import annotations

import re
from collections import defaultdict

import solutions

ENTRY = re.compile(
    r"^- (?:[A-Z]\. )*(?P<first>[^,(]+?)(?: et al\.|,[^(]*| and [^(]*)? \((?P<year>\d{4})\)\.\s+"
    r"\*(?P<title>.+?)\*.*?\[arXiv:(?P<number>[\d.]+)\]\(https://arxiv\.org/abs/(?P<link>[\d.]+)\)",
    re.DOTALL,
)


def entries() -> list[dict[str, str]]:
    """Every reference with an arXiv number; a lesson that has an unreadable one is an error."""
    found = []
    for lesson in solutions.lessons():
        (cell,) = (one for one in solutions.read(lesson).cells if "## References" in one.source)
        for item in re.split(r"\n(?=- )|\n\n", cell.source):
            if item.startswith("- ") and "arXiv" in item:  # "Read next" is prose
                match = ENTRY.search(item)
                assert match, f"{lesson}: {item}"
                found.append(match.groupdict())
    return found


def test_a_link_leads_to_the_number_that_it_shows():
    assert all(one["number"] == one["link"] for one in entries())


def test_a_paper_has_one_number_and_a_number_one_paper():
    numbers, papers = defaultdict(set), defaultdict(set)
    for one in entries():
        paper = one["first"], one["year"], " ".join(re.split(r"[\s:.]+", one["title"])[:2])
        numbers[paper].add(one["number"])
        papers[one["number"]].add((one["first"], one["year"]))
    assert len(numbers) > 40
    assert [paper for paper, of_it in numbers.items() if len(of_it) > 1] == []
    assert [number for number, of_it in papers.items() if len(of_it) > 1] == []
