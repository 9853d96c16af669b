"""From the course's secret to the instances that its submissions are graded on, the same for the whole class."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from nas_lib._files import replacing
from nas_lib.checks import grading_seed

SECRET_VARIABLE = "NAS_COURSE_SECRET"
SECRET_FILE = ".course_secret"
SEEDS_FILE = ".course_seeds.json"


def course_secret(course: Path) -> str:
    """The course's secret: from the environment, else from a file in its folder, made for the owner alone.

    Raises:
        ValueError: the file is empty.
    """
    if os.environ.get(SECRET_VARIABLE):
        return os.environ[SECRET_VARIABLE]
    path = course / SECRET_FILE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        secret = path.read_text(encoding="utf-8").strip()
        if not secret:
            raise ValueError(
                f"{path} is empty: restore it, or delete it to draw new grading instances."
            ) from None
        return secret
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        secret = secrets.token_hex(32)
        file.write(secret + "\n")
    return secret


def grading_seeds(course: Path, lesson: str, exercises: Sequence[str]) -> dict[str, int]:
    """The seed of each exercise's instances, recorded in the course's folder: a regrade uses the same.

    What is recorded stands, even if the secret has changed since: the class is graded alike.
    """
    path = course / SEEDS_FILE
    recorded: dict[str, dict[str, int]] = (
        json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    )
    known = recorded.setdefault(lesson, {})
    missing = [name for name in exercises if name not in known]
    if missing:
        secret = course_secret(course)
        known.update({name: grading_seed(secret, lesson, name) for name in missing})
        with replacing(path, private=True) as fresh:
            fresh.write_text(json.dumps(recorded, indent=1, sort_keys=True), encoding="utf-8")
    return {name: known[name] for name in exercises}
