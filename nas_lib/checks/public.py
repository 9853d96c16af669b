"""The public instances of a lesson's checks, written at build time: with the reference's answers, as data.

Beside them stands how each usual mistake differs, so that the check in the notebook can name it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_lib.checks.codec import decode, encode
from nas_lib.checks.exercise import Answer, Exercise, Expected, Instance, Known
from nas_lib.checks.grading import expected_answers, instances_of
from nas_lib.checks.questions import ConceptQuestion
from nas_lib.checks.registry import exercises

PUBLIC_SEED = 20_190_220
"""Seed of the instances in the learner's notebook; grading uses others."""
PUBLIC_FOLDER = Path(__file__).resolve().parents[1] / "assets" / "checks"
_SAMPLED = ("part", "shape", "count", "at", "values")
"""Keys of what is kept of a large array (`values.Part.difference`): there are thousands, so files leave them out."""


@dataclass(frozen=True)
class Public:
    """What a notebook's check of one exercise needs."""

    instances: list[Instance]
    expected: Expected


def write_public(lesson: str, reference: Any, folder: Path | str | None = None) -> Path:
    """Write a lesson's public instances with the reference's answers; the same bytes each time.

    Concept questions get no answer: the key never leaves the grader.

    Args:
        lesson: the lesson's name.
        reference: namespace with the reference implementations (`solutions.load(lesson)`).
        folder: where `<lesson>.json` goes, by default into `nas_lib/assets/checks`.

    Returns:
        The path written.
    """
    stored = {name: _stored(item, reference) for name, item in exercises(lesson).items()}
    path = Path(folder or PUBLIC_FOLDER) / f"{lesson}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(public_text({"lesson": lesson, "exercises": stored}), encoding="utf-8", newline="\n")
    return path


def public_text(data: dict[str, Any]) -> str:
    """What a file of public checks holds. One case and one mistake per line: a changed one is one line in a diff."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace('{"instance"', '\n{"instance"').replace('{"concept"', '\n{"concept"') + "\n"


def _stored(item: Exercise, reference: Any) -> dict[str, Any]:
    instances = instances_of(item, PUBLIC_SEED)
    if isinstance(item, ConceptQuestion):
        return {"cases": [{"instance": encode(one)} for one in instances]}
    expected = expected_answers(item, reference, instances)
    cases = [
        {"instance": encode(instance)}
        # What bad input should give is no secret and no reference's business.
        | ({"expected": encode(item.stored(answer.value))} if _is_told(instance, answer) else {})
        for instance, answer in zip(instances, expected.answers)
    ]
    known = [
        {"concept": one.concept, "message": one.message, "differs": encode([*map(_packed, one.differs)])}
        for one in expected.known
    ]
    return {"cases": cases} | ({"mistakes": known} if known else {})


def _is_told(instance: Instance, answer: Answer) -> bool:
    return answer.value is not None and "bad" not in instance


def read_public(lesson: str, folder: Path | str | None = None) -> dict[str, Public]:
    """A lesson's public instances with the reference's answers and the usual mistakes', by exercise.

    Raises:
        OSError: the file is missing.
        ValueError: it is no such file.
    """
    path = Path(folder or PUBLIC_FOLDER) / f"{lesson}.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    return {name: _read(one) for name, one in data["exercises"].items()}


def _read(stored: dict[str, Any]) -> Public:
    cases = stored["cases"]

    def known() -> list[Known]:
        return [
            Known(one["concept"], one["message"], [*map(_unpacked, decode(one["differs"]))])
            for one in stored.get("mistakes", [])
        ]

    return Public(
        [decode(case["instance"]) for case in cases],
        Expected([Answer(decode(case.get("expected"))) for case in cases], known),
    )


def _packed(difference: Any) -> Any:
    return list(difference.values()) if difference and tuple(difference) == _SAMPLED else difference


def _unpacked(stored: Any) -> Any:
    return dict(zip(_SAMPLED, stored, strict=True)) if isinstance(stored, list) else stored
