"""The stub verifier: is a lesson's source fit to be built, learnt from and graded?

It looks at one lesson at a time and names, for every fault, the file, the cell and what to do about it. It
judges form only: whether a check can tell right from wrong is the business of the mutants.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import solutions
from autograder.author.contents import HEADER, contents
from autograder.author.declarations import faults
from autograder.author.lesson import (
    Lesson,
    Task,
    concept_answer,
    grade_id,
    grader_metadata,
    is_check,
    is_exercise,
    is_open,
    mark_scheme,
    read_lesson,
    split_solution,
    without_markers,
)
from nas_lib import checks
from solutions.titles import TITLE_LIKE, titles

# Today's longest lesson reads for 18 minutes; a tenth more than that is the most that leaves a sitting for doing.
MOST_READING_MINUTES = 20
# Today's fullest cell has 40 statements; an eighth more than that is the most that is taken in at once.
MOST_STATEMENTS = 45
LONGEST_LINE = 100
TITLE_FORM = "### Exercise 1.2 · `name` · ●●○○○ · 10 min · 3 points"
MARKERS = (("BEGIN SOLUTION", "END SOLUTION"), ("BEGIN MARK SCHEME", "END MARK SCHEME"))


@dataclass(frozen=True)
class Problem:
    """One fault of a lesson: where it is, what it is and how to mend it."""

    file: str
    cell: str
    fault: str
    fix: str

    def __str__(self) -> str:
        return f"{self.file}, {self.cell}: {self.fault}. {self.fix}."


def verify(name: str, folder: Path = solutions.FOLDER) -> list[Problem]:
    """All faults of one lesson, in the order of its cells where they belong to one.

    Raises:
        ValueError: there is no such lesson.
    """
    lesson = read_lesson(name, folder)
    # Unbalanced markers make every later finding about stubs meaningless.
    return list(_markers(lesson)) or [problem for rule in RULES for problem in rule(lesson)]


def verify_all(folder: Path = solutions.FOLDER) -> list[Problem]:
    """All faults of all lessons in `folder`."""
    return [problem for name in solutions.lessons(folder) for problem in verify(name, folder)]


def _problem(lesson: Lesson, index: int | None, fault: str, fix: str) -> Problem:
    if index is None:
        return Problem(lesson.path.name, "whole lesson", fault, fix)
    cell = lesson.cells[index]
    identity = grade_id(cell)
    first = next((line for line in cell.source.splitlines() if line.strip()), "")[:50]
    return Problem(lesson.path.name, f"cell {index + 1} ({identity or first!r})", fault, fix)


def _markers(lesson: Lesson) -> Iterator[Problem]:
    for index, cell in enumerate(lesson.cells):
        for begin, end in MARKERS:
            opened = False
            for line in cell.source.splitlines():
                if begin in line:
                    if opened:
                        yield _problem(
                            lesson,
                            index,
                            f"{begin} twice without {end}",
                            f"Close the first region with ### {end}",
                        )
                        break
                    opened = True
                elif end in line:
                    if not opened:
                        yield _problem(
                            lesson, index, f"{end} without {begin}", f"Put ### {begin} before the region"
                        )
                        break
                    opened = False
            else:
                if opened:
                    yield _problem(lesson, index, f"{begin} without {end}", f"Put ### {end} after the region")


def _reading_time(lesson: Lesson) -> Iterator[Problem]:
    minutes = contents(lesson).reading
    if minutes > MOST_READING_MINUTES:
        yield _problem(
            lesson,
            None,
            f"its prose takes {minutes:.1f} minutes to read, more than {MOST_READING_MINUTES}",
            "Shorten it or split the lesson",
        )


def _header(lesson: Lesson) -> Iterator[Problem]:
    if not lesson.cells or HEADER not in lesson.cells[0].source:
        yield _problem(
            lesson,
            0 if lesson.cells else None,
            "the first cell does not say how long the lesson takes",
            f"Write {HEADER} into it, as it stands: the build fills it in",
        )


def _statements(lesson: Lesson) -> Iterator[Problem]:
    for index, cell in enumerate(lesson.cells):
        if cell.cell_type == "code" and (count := _statements_of(cell.source)) > MOST_STATEMENTS:
            yield _problem(
                lesson,
                index,
                f"{count} statements are too many for one cell",
                f"Split it into cells of at most {MOST_STATEMENTS}, with a word between them",
            )


def _statements_of(source: str) -> int:
    """Statements of a cell, inner ones included and docstrings not; 0 where it is no valid Python."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:  # another rule's business
        return 0
    docstrings = (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in nodes)
    return sum(isinstance(node, ast.stmt) for node in nodes) - sum(docstrings)


def _line_length(lesson: Lesson) -> Iterator[Problem]:
    for index, cell in enumerate(lesson.cells):
        prefix = "# " if cell.cell_type == "markdown" else ""
        for line in cell.source.splitlines():
            length = len(prefix + line)
            if length > LONGEST_LINE and not _unbreakable(line):
                yield _problem(
                    lesson,
                    index,
                    f"a line of {length} characters, {line[:40]!r}...",
                    f"Wrap it at {LONGEST_LINE}",
                )


def _unbreakable(line: str) -> bool:
    """Rows of a table, and addresses."""
    return line.startswith("|") or re.search(r"https?://\S{60}", line) is not None


def _tags(lesson: Lesson) -> Iterator[Problem]:
    code = [index for index, cell in enumerate(lesson.cells) if cell.cell_type == "code"]
    accepted = ", ".join(solutions.TAGS)
    for index in code:
        tag = solutions.tag_of(lesson.cells[index])
        if tag is None:
            yield _problem(
                lesson,
                index,
                "a code cell needs exactly one course tag",
                f'Add tags=["..."], one of {accepted}',
            )
            continue
        if tag in ("check", "exercise") and not grader_metadata(lesson.cells[index]):
            yield _problem(
                lesson, index, f"is tagged {tag!r} but has no title line above it", f"Write {TITLE_FORM}"
            )
    if code and solutions.tag_of(lesson.cells[code[0]]) not in (None, "setup"):
        yield _problem(
            lesson,
            code[0],
            "the first code cell is not a setup cell",
            "Begin with the imports, tagged 'setup'",
        )
    for index, cell in enumerate(lesson.cells):
        if "answer" in cell.metadata.get("tags", []) and not is_open(cell):
            yield _problem(
                lesson, index, "is tagged 'answer' but answers no open question", "Title one above it"
            )


def _ids(lesson: Lesson) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, cell in enumerate(lesson.cells):
        identity = grade_id(cell)
        if identity is not None and identity in seen:
            yield _problem(
                lesson,
                index,
                f"{identity!r} is already the name of cell {seen[identity] + 1}",
                "Give each task one title, of a name of its own, and one cell to write in",
            )
        elif identity is not None:
            seen[identity] = index


def _solution_regions(lesson: Lesson) -> Iterator[Problem]:
    for index, cell in enumerate(lesson.cells):
        if "BEGIN SOLUTION" in cell.source and not (is_exercise(cell) or is_open(cell)):
            yield _problem(
                lesson,
                index,
                "has a solution region but is no solution cell, so nbgrader refuses it",
                "Tag it 'exercise' (prose: 'answer')",
            )
        if is_exercise(cell) and "BEGIN SOLUTION" not in cell.source:
            yield _problem(
                lesson,
                index,
                "has no solution region, so the student gets no stub",
                "Put ### BEGIN/END SOLUTION around the solution",
            )


def _titles(lesson: Lesson) -> Iterator[Problem]:
    for index, cell in enumerate(lesson.cells):
        if cell.cell_type == "markdown":
            for _ in range(len(TITLE_LIKE.findall(cell.source)) - len(titles(cell.source))):
                yield _problem(
                    lesson,
                    index,
                    "a title line lacks difficulty, minutes or points",
                    f"Write it as {TITLE_FORM}",
                )
    for task in lesson.tasks:
        title = task.title
        if not 1 <= title.difficulty <= 5:
            yield _problem(
                lesson,
                task.title_cell,
                "the difficulty is no number from 1 to 5",
                "Fill one to five of the circles",
            )
        wanted = {"exercise": "Exercise", "question": "Question", "open": "Open question"}[task.kind]
        if title.kind != wanted:
            yield _problem(
                lesson,
                task.title_cell,
                f"the title says {title.kind!r}",
                f"A task of this kind is titled {wanted!r}",
            )
        if not title.number.startswith(f"{int(lesson.name[:2])}."):
            yield _problem(
                lesson,
                task.title_cell,
                f"number {title.number} is of another lesson",
                "Number it <lesson>.<place>",
            )
    numbers = [(task.title.kind, task.title.number, task.title_cell) for task in lesson.tasks]
    for place, (kind, number, cell) in enumerate(numbers):
        if (kind, number) in [(seen, other) for seen, other, _ in numbers[:place]]:
            yield _problem(
                lesson, cell, f"{kind} {number} exists twice", "Number the tasks one after the other"
            )


def _checks(lesson: Lesson) -> Iterator[Problem]:
    for task in lesson.tasks:
        if task.kind == "open":
            continue
        if task.check is None:
            yield _problem(
                lesson,
                task.cell,
                f"{task.name!r} has no check cell",
                f'Add a cell tagged check: check("{task.name}", {task.name})',
            )
            continue
        following = next(
            (i for i in range(task.cell + 1, len(lesson.cells)) if lesson.cells[i].cell_type == "code"), None
        )
        if following != task.check:
            yield _problem(
                lesson,
                task.check,
                f"the check of {task.name!r} is not beside it",
                "Make it the next code cell",
            )
        if not _is_one_check_call(lesson.cells[task.check].source, task.name):
            yield _problem(
                lesson,
                task.check,
                "a check cell holds one call and nothing else, as its score is written in one place only",
                f'Write check("{task.name}", {task.name})',
            )
        if lesson.points().get(task.name, 0) <= 0:
            yield _problem(lesson, task.check, f"{task.name!r} earns no points", "Give it at least one")
    known = {f"{task.name}-check" for task in lesson.tasks}
    for index, cell in enumerate(lesson.cells):
        if is_check(cell) and grade_id(cell) not in known:
            yield _problem(
                lesson,
                index,
                f"the check {grade_id(cell)!r} belongs to no exercise",
                "Name it after its exercise",
            )


def _is_one_check_call(source: str, name: str) -> bool:
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return False
    if len(body) != 1 or not isinstance(body[0], ast.Expr) or not isinstance(body[0].value, ast.Call):
        return False
    call = body[0].value
    return (
        isinstance(call.func, ast.Name)
        and call.func.id == "check"
        and len(call.args) == 2
        and isinstance(call.args[0], ast.Constant)
        and call.args[0].value == name
        and isinstance(call.args[1], ast.Name)
        and call.args[1].id == name
    )


def _stubs(lesson: Lesson) -> Iterator[Problem]:
    for task in lesson.tasks:
        if task.kind != "exercise":
            continue
        source = lesson.cells[task.cell].source
        try:
            stub = ast.parse(_stub_source(source))
        except SyntaxError as error:
            yield _problem(
                lesson,
                task.cell,
                f"the stub is no valid Python ({error.msg})",
                "Keep the def line and docstring outside of the solution",
            )
            continue
        reference = _definitions(ast.parse(without_markers(source)), task.name)
        left = _definitions(stub, task.name)
        if task.name not in reference:
            yield _problem(
                lesson,
                task.cell,
                f"the solution defines no {task.name!r}",
                "Define it, or correct the title",
            )
            continue
        for name, definition in reference.items():
            if name not in left:
                if name == task.name or not _hidden_helper(name, task.name):
                    yield _problem(
                        lesson,
                        task.cell,
                        f"the stub lacks {name!r}",
                        "Keep its def line outside of the solution region",
                    )
            elif _signature(left[name]) != _signature(definition):
                yield _problem(
                    lesson,
                    task.cell,
                    f"the stub's {name}{_signature(left[name])} is not the reference's "
                    f"{name}{_signature(definition)}",
                    "Define it once, with the solution region in its body",
                )
        if task.name in left and not ast.get_docstring(left[task.name]):
            yield _problem(
                lesson,
                task.cell,
                f"the stub of {task.name!r} has no docstring",
                "Say what comes in and out, outside of the solution",
            )
        if "BEGIN SOLUTION" in source and not _says_anything(split_solution(source)[1]):
            yield _problem(lesson, task.cell, "the solution region is empty", "Put the reference into it")


def _stub_source(source: str) -> str:
    lines = []
    inside = False
    for line in source.splitlines():
        if "BEGIN SOLUTION" in line:
            inside = True
            lines.append(line[: len(line) - len(line.lstrip())] + "raise NotImplementedError()")
        elif "END SOLUTION" in line:
            inside = False
        elif not inside:
            lines.append(line)
    return "\n".join(lines)


def _definitions(tree: ast.Module, name: str) -> dict[str, Any]:
    """Top-level functions and classes, and the methods of the class called `name` as "name.method"."""
    found: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found[node.name] = node
            if isinstance(node, ast.ClassDef) and node.name == name.partition(".")[0]:
                found |= {
                    f"{node.name}.{inner.name}": inner
                    for inner in node.body
                    if isinstance(inner, ast.FunctionDef)
                }
    return found


def _hidden_helper(name: str, task: str) -> bool:
    """A helper may vanish with the reference: a private method or another function, never the task."""
    return not name.startswith(f"{task}.") or name.rpartition(".")[2].startswith("_")


def _signature(node: Any) -> str:
    return f"({ast.unparse(node.args)})" if hasattr(node, "args") else "(...)"


def _says_anything(code: str) -> bool:
    return any(line.strip() and not line.strip().startswith("#") for line in code.splitlines())


def _hints(lesson: Lesson) -> Iterator[Problem]:
    for task in lesson.tasks:
        if task.kind == "exercise" and not any(_is_hint(cell) for cell in _cells_of(lesson, task)):
            yield _problem(
                lesson,
                task.title_cell,
                f"{task.name!r} has no hint",
                'Add <details><summary>Hint: "the error or symptom"</summary> ... </details>',
            )


def _is_hint(cell: Any) -> bool:
    return cell.cell_type == "markdown" and "<details>" in cell.source and "<summary>Hint" in cell.source


def _cells_of(lesson: Lesson, task: Task) -> list[Any]:
    """From the task's title to the last prose cell after its check, before the next task or experiment."""
    stop = (task.check if task.check is not None else task.cell) + 1
    while (
        stop < len(lesson.cells)
        and lesson.cells[stop].cell_type == "markdown"
        and not titles(lesson.cells[stop].source)
    ):
        stop += 1
    return lesson.cells[task.title_cell : stop]


def _questions(lesson: Lesson) -> Iterator[Problem]:
    for task in lesson.tasks:
        source = lesson.cells[task.cell].source
        if task.kind == "question":
            answer = concept_answer(source)
            if answer and (answer[0] != task.name or not isinstance(answer[1], str)):
                yield _problem(
                    lesson,
                    task.cell,
                    f"the solution is {answer[0]} = {answer[1]!r}",
                    f'Write {task.name} = "<letter>"',
                )
        elif task.kind == "open" and not any(mark_scheme(cell.source) for cell in _cells_of(lesson, task)):
            yield _problem(
                lesson,
                task.cell,
                f"the open question {task.name!r} has no rubric",
                "Add one between ### BEGIN and ### END MARK SCHEME",
            )


def _registry(lesson: Lesson) -> Iterator[Problem]:
    if lesson.name not in checks.lessons():
        return
    written = [task for task in lesson.tasks if task.kind != "open"]
    known = set(checks.exercises(lesson.name))
    for task in written:
        if task.name not in known:
            yield _problem(
                lesson,
                task.cell,
                f"nas_lib.checks knows no {task.name!r}",
                "Write its instances and probe: `nas-course new-exercise` makes the stub",
            )
        elif task.kind == "exercise" and not checks.exercise(task.name, lesson.name).instances(0):
            yield _problem(
                lesson, task.cell, f"the check of {task.name!r} has no cases", "Write its instances"
            )
    for name in sorted(known - {task.name for task in written}):
        yield _problem(
            lesson,
            None,
            f"nas_lib.checks has {name!r}, the lesson has not",
            "Add the exercise, or drop its check",
        )


def _declarations(lesson: Lesson) -> Iterator[Problem]:
    if lesson.name not in checks.lessons():
        return
    known = checks.exercises(lesson.name)
    for task in lesson.tasks:
        if task.kind == "exercise" and task.name in known:
            for fault in faults(known[task.name], lesson.cells[task.cell].source):
                yield _problem(lesson, task.cell, fault, "Let docstring and check say the same")


def _unfinished(lesson: Lesson) -> Iterator[Problem]:
    for index, cell in enumerate(lesson.cells):
        if re.search(r"\bTODO\b", cell.source):
            yield _problem(lesson, index, "is not finished", "Write what is marked TODO")


RULES = (
    _unfinished,
    _header,
    _reading_time,
    _statements,
    _line_length,
    _tags,
    _ids,
    _solution_regions,
    _titles,
    _checks,
    _stubs,
    _hints,
    _questions,
    _registry,
    _declarations,
)
