"""What a message has to say to have named its concept, as patterns of words.

The slug of a verdict is for tables; a learner reads the sentence. So each concept has words, one of which its sentences
must contain and no sentence about another concept of the same exercise may. Lessons add theirs with `says`; a concept
without an entry is named by a word of its slug.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_WORDS: dict[str, re.Pattern[str]] = {}

# Words of slugs that say nothing by themselves.
_EMPTY = frozenset({"wrong", "never", "not", "the", "and", "off", "one", "out", "instead", "only", "does"})
_EMPTY |= {"from", "with", "says", "counts", "uses"}


def says(words: Mapping[str, str]) -> None:
    """Say by which words concepts are named.

    Args:
        words: regular expression (case ignored) by concept; a message about it has to contain a match.

    Raises:
        ValueError: a concept has other words already.
    """
    for concept, pattern in words.items():
        compiled = re.compile(pattern, re.IGNORECASE)
        if _WORDS.setdefault(concept, compiled).pattern != pattern:
            raise ValueError(
                f"concept {concept!r} has the words {_WORDS[concept].pattern!r}, got {pattern!r}"
            )


def speaks_of(message: str, concept: str) -> bool:
    """Does the sentence name the concept?"""
    if concept in _WORDS:
        return _WORDS[concept].search(message) is not None
    stems = [word[:5] for word in concept.split("-") if word not in _EMPTY]
    return any(re.search(rf"\b{re.escape(stem)}", message, re.IGNORECASE) for stem in stems)


# What verdicts of any exercise may be about.
says(
    {
        "accepts-bad-input": r"\bis accepted \(|never ends: raise|an accident that does not name",
        "uses-the-library": r"library's own version",
        "returns-nothing": r"return statement",
        "not-implemented": r"not (implemented|answered) yet",
        "not-an-option": r"is one letter out of",
        "wrong-option": r"is not the right option",
        "raises": r"your code raised",
        "not-an-int": r"is right, but a float",
        "not-whole": r"a whole number",
        "wrong-type": r"should (return|be) an? .+, not|is a tuple of options, not|returned an? .+ where .+ is expected",
        "wrong-shape": r"should (return \(|have the shape)",
        "wrong-length": r"\d+ entries|options came back",
        "one-number": r"not the one number",
        "off-by-one": r"off by one|one draw too many|cell of number i[+-]1",
        "never-draws-the-last": r"the last .* is never drawn",
        "never-draws-the-first": r"the first .* is never drawn",
        "ignores-rng": r"generators with the same seed (give|differ)",
        "fixed-seed": r"generators? (with different seeds )?gives? the same",
        "mutates-input": r"\b(was|were) changed\b",
        "minimum": r"\bminimum\b",
        "swapped": r"\bswapped\b|of b − a, not of a − b",
    }
)
