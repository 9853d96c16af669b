"""What a contributor touches: a new exercise takes three files by hand, and leaves nothing behind when it goes."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.author import build, scaffold

LESSON, NAME = "01_random_search", "mean_of_best"
SOURCES = ("autograder", "nas_lib", "solutions")
BY_HAND = {
    f"solutions/{LESSON}.py",
    f"nas_lib/checks/random_search/{NAME}.py",
    f"solutions/mistakes/{LESSON}.py",
}

SOLUTION = '''\
def mean_of_best(values, count):
    """Mean of the largest values.

    Args:
        values: array of shape (n,), n ≥ 1; higher is better.
        count: how many of the largest, from 1 to n.

    Returns:
        The mean, a float.

    Raises:
        ValueError: `count` is below 1 or above n.
    """
    ### BEGIN SOLUTION
    if not 1 <= count <= len(values):
        raise ValueError(f"count must be from 1 to {len(values)}, got {count!r}")
    best = np.sort(values)[-count:]
    return float(best.mean())
    ### END SOLUTION
'''

CASES = '''\
    def instances(self, seed: int) -> list[Instance]:
        """Some, one and all of the values; counts out of range."""
        drawn = [round(float(one), 2) for one in np.random.default_rng(seed).normal(85, 6, 9)]
        values = [max(drawn) + 1, *drawn, min(drawn) - 2]
        counts = {"count": 4}, {"count": 1, "about": "one value"}, {"count": 11, "about": "all values"}
        bad = [{"bad": f"a count of {count} for 11 values", "count": count} for count in (0, -1, 12)]
        return [{"values": values, **one} for one in (*counts, *bad)]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The mean of the values, given as an array."""
        return fn(np.array(instance["values"]), instance["count"])
'''

MISTAKES = """\
book.edits(
    "mean_of_best",
    ("smallest", "these are the smallest values: higher is better", {"[-count:]": "[:count]"}),
    ("unsorted", "the last values need not be the largest: sort first", {"np.sort(values)": "values"}),
    ("sum", "this is the sum of the largest, not their mean", {"best.mean()": "best.sum()"}),
    ("median", "this is the median of the largest, not their mean", {"best.mean()": "np.median(best)"}),
    ("maximum", "this is the largest value alone, whatever `count` is", {"best.mean()": "best[-1]"}),
    ("accepts-bad-input", "", {"1 <= count <= len(values)": "count >= 1"}),
)


@book.right("mean_of_best")
def from_the_other_end(values, count):
    if count < 1 or count > len(values):
        raise ValueError(f"no mean of {count} values")
    return sum(sorted(values, reverse=True)[:count]) / count


@book.right("mean_of_best")
def by_partition(values, count):
    if count not in range(1, len(values) + 1):
        raise ValueError(f"no mean of {count} values")
    return float(np.mean(np.partition(values, len(values) - count)[len(values) - count :]))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course of one lesson, built."""
    copy = tmp_path_factory.mktemp("course")
    for name in SOURCES:
        shutil.copytree(build.ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.npz"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(build.ROOT / name, copy)
    for path in (copy / "solutions").glob("[0-9]*.py"):
        if path.stem != LESSON:
            path.unlink()
    course(copy, "build")
    return copy


def course(root: Path, *commands: str) -> str:
    """What `nas-course` prints in that copy; each command has to end well."""
    lines = "; ".join(f"assert main({command.split()}) == 0, {command!r}" for command in commands)
    done = subprocess.run(
        [sys.executable, "-c", f"from nas_lib.cli import main; {lines}"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def contents(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def edit(path: Path, *changes: tuple[str, str]) -> None:
    """Replace each pattern, which has to be there once."""
    text = path.read_text(encoding="utf-8")
    for pattern, new in changes:
        text, count = re.subn(pattern, lambda _, new=new: new, text, flags=re.DOTALL)  # type: ignore[misc]
        assert count == 1, pattern
    path.write_text(text, encoding="utf-8")


def write_by_hand(root: Path) -> None:
    """What the newcomer types into the stubs."""
    edit(
        root / f"solutions/{LESSON}.py",
        (r"TODO: one or two sentences, and an example with numbers", "One lucky training is no proof"),
        (r"TODO: the error or symptom", "these are the smallest values"),
        (r"TODO\n#\n# </details>", "`np.sort` puts the largest at the end.\n#\n# </details>"),
        (r"def mean_of_best\(.*?### END SOLUTION\n", SOLUTION),
    )
    edit(
        root / f"nas_lib/checks/random_search/{NAME}.py",
        (r"    def instances\(.*\Z", CASES),
        (r"from typing import Any\n", "from typing import Any\n\nimport numpy as np\n"),
    )
    edit(root / f"solutions/mistakes/{LESSON}.py", (r'book\.edits\(\n    "mean_of_best".*\Z', MISTAKES))


def test_a_new_exercise_takes_three_files_by_hand_and_leaves_none_behind(root: Path):
    at_first = contents(root)
    kept = {name: (root / name).read_bytes() for name in at_first}
    told = course(root, f"new-exercise {LESSON} {NAME}")
    assert set(told.splitlines()[:-1]) == BY_HAND
    stubs = contents(root)

    write_by_hand(root)
    assert changed(stubs, contents(root)) == BY_HAND
    by_hand = contents(root)
    gate = f"mutants --lesson {LESSON} --exercise {NAME}"
    told = course(root, "build", "verify", gate)
    assert changed(by_hand, contents(root)) == {
        "README.md",
        f"nas_lib/assets/checks/{LESSON}.json",
        f"notebooks/{LESSON}/{LESSON}.ipynb",
        "notebooks/index.ipynb",
    }
    assert re.search(rf"^{NAME} +11 of 11 +11 +2 of 2$", told, re.MULTILINE)
    assert "| 82 | 22 |" in (root / "README.md").read_text(encoding="utf-8")

    for name in changed(at_first, by_hand):
        if name in kept:
            (root / name).write_bytes(kept[name])
        else:
            (root / name).unlink()
    course(root, "build")
    assert contents(root) == at_first


def test_what_is_not_filled_in_is_named_in_one_run(root: Path, tmp_path: Path):
    copy = tmp_path / "course"
    shutil.copytree(root, copy)
    scaffold.new_exercise(LESSON, NAME, copy)
    with pytest.raises(AssertionError) as failed:
        course(copy, "verify")
    for fault in ("is not finished", "the solution region is empty", "has no cases"):
        assert fault in str(failed.value)


@pytest.mark.parametrize(
    ("lesson", "name", "fault"),
    [
        ("01_random_search", "random_search", "01_random_search has an exercise 'random_search'"),
        ("01_random_search", "Mean", "must be that of a function"),
        ("01_random_search", "mean-of-best", "must be that of a function"),
        ("random_search", "mean_of_best", "Did you mean '01_random_search'"),
    ],
)
def test_a_name_that_cannot_be_is_refused_before_anything_is_written(
    root: Path, lesson: str, name: str, fault: str
):
    before = contents(root)
    with pytest.raises(ValueError, match=fault):
        scaffold.new_exercise(lesson, name, root)
    assert contents(root) == before


def test_cases_go_into_the_module_where_a_lesson_has_no_package(tmp_path: Path):
    shutil.copytree(build.ROOT / "solutions", tmp_path / "solutions")
    (tmp_path / "nas_lib" / "checks").mkdir(parents=True)
    module = tmp_path / "nas_lib" / "checks" / "random_search.py"
    module.write_text(
        '"""Cases."""\n\nfrom nas_lib.checks.exercise import Exercise\nfrom nas_lib.checks.registry import register\n'
        "\n\nclass First(Exercise):\n    pass\n\n\nregister(\n    First(),\n)\n",
        encoding="utf-8",
    )
    paths = scaffold.new_exercise("01_random_search", "mean_of_best", tmp_path)
    assert paths[1] == Path("nas_lib/checks/random_search.py")
    text = module.read_text(encoding="utf-8")
    compile(text, str(module), "exec")
    assert "from nas_lib.checks.exercise import Exercise, Instance\n" in text
    assert text.endswith("register(\n    First(),\n    MeanOfBest(),\n)\n")
    assert (
        text.index("class First") < text.index("class MeanOfBest(ValueExercise)") < text.index("register(\n")
    )
