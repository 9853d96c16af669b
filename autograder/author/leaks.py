"""The leak scan: does any answer reach what learners get?

Every exercise's reference is reduced to the shape of its code (names, docstrings, comments and layout do not
matter), concept keys to their assignment, rubrics and model answers to runs of words; then notebooks, wheels
and zips are searched for them. It proves that no answer was carried along by accident. It does not stop
anybody from writing the same idea another way.
"""

from __future__ import annotations

import ast
import builtins
import io
import json
import re
import textwrap
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import solutions
from autograder.author.lesson import (
    Lesson,
    concept_answer,
    is_exercise,
    is_open,
    mark_scheme,
    read_lesson,
    split_solution,
    without_markers,
)

# Below these sizes (in syntax nodes) equal code is common ground, such as `return None`, and no evidence of a
# leak.
LEAST_BODY, LEAST_EXPRESSION, LEAST_PART = 10, 14, 24
LEAST_TEXT = 24  # characters without whitespace
RUN_OF_WORDS = 10
MARKERS = ("BEGIN SOLUTION", "BEGIN MARK SCHEME", "BEGIN HIDDEN TESTS")
INSTRUCTOR_FOLDERS = ("solutions", "autograder")
ARCHIVES = (".zip", ".whl")
BUILTINS = frozenset(dir(builtins))


@dataclass(frozen=True)
class Leak:
    """An answer found where learners can read it: the file (and cell or line) and the answer's name."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: contains {self.what}"


@dataclass
class Answers:
    """What must not be found, prepared for searching."""

    windows: dict[str, str] = field(default_factory=dict)  # shape of consecutive statements -> label
    kinds: set[tuple[type, ...]] = field(
        default_factory=set
    )  # what kinds of statements such windows are made of
    expressions: dict[str, str] = field(default_factory=dict)  # shape of one expression -> label
    sizes: set[int] = field(default_factory=set)  # how many nodes such expressions have
    texts: dict[str, str] = field(default_factory=dict)  # code without whitespace -> label
    concepts: dict[str, str] = field(default_factory=dict)  # name of a concept question -> its key
    runs: dict[tuple[str, ...], str] = field(default_factory=dict)  # consecutive words -> label


def answers(lessons: Iterable[Lesson]) -> Answers:
    """Collect the references, concept keys, model answers and mark schemes of some lessons."""
    found = Answers()
    for lesson in lessons:
        for cell in lesson.cells:
            name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
            scheme = mark_scheme(cell.source)
            if scheme:
                _add_prose(found, scheme, f"the mark scheme {lesson.name}:{name}")
            if is_open(cell):
                _add_prose(found, split_solution(cell.source)[1], f"the model answer of {lesson.name}:{name}")
            elif is_exercise(cell):
                concept = concept_answer(cell.source)
                if concept:
                    found.concepts[concept[0]] = str(concept[1])
                else:
                    _add_code(found, cell.source, f"the reference of {lesson.name}:{name}")
    return found


def all_answers(folder: Path = solutions.FOLDER) -> Answers:
    """The answers of every lesson in `folder`."""
    return answers(read_lesson(name, folder) for name in solutions.lessons(folder))


def scan(target: Path, secrets: Answers) -> list[Leak]:
    """Search a notebook, folder, wheel or zip, and archives inside of it; what is found, in file order."""
    if target.is_dir():
        paths = [
            path for path in sorted(target.rglob("*")) if path.is_file() and "__pycache__" not in path.parts
        ]
        return [leak for path in paths for leak in _scan_file(str(path), path.read_bytes(), secrets)]
    return _scan_file(str(target), target.read_bytes(), secrets)


# ----------------------------------------------------------------------------------------------------
# Collecting


def _add_code(found: Answers, source: str, label: str) -> None:
    _, region = split_solution(source)
    compact = _compact(region)
    if len(compact) >= LEAST_TEXT:
        found.texts.setdefault(compact, label)
    for body in _solution_bodies(source):
        _add_windows(found, body, label)
        # The only statement of a body may be copied as an expression into a larger one.
        if len(body) == 1 and isinstance(body[0], (ast.Return, ast.Assign)) and body[0].value is not None:
            size = _size(body[0].value)
            if size >= LEAST_EXPRESSION:
                found.expressions.setdefault(shape([body[0].value]), label)
                found.sizes.add(size)
        for inner in (block for statement in body for block in _blocks(statement)):
            if inner != body and sum(map(_size, inner)) >= LEAST_PART:
                _add_window(found, inner, label)


def _add_windows(found: Answers, body: list[ast.stmt], label: str) -> None:
    """Register the whole body, and each run of 60 % of its statements that is too long for an accident."""
    shortest = max(1, -(-3 * len(body) // 5))
    for length in range(shortest, len(body) + 1):
        least = LEAST_BODY if length == len(body) else LEAST_PART
        for start in range(len(body) - length + 1):
            window = body[start : start + length]
            if sum(map(_size, window)) >= least:
                _add_window(found, window, label)


def _add_window(found: Answers, window: list[ast.stmt], label: str) -> None:
    found.windows.setdefault(shape(window), label)
    found.kinds.add(_kinds(window))


def _kinds(block: list[ast.stmt]) -> tuple[type, ...]:
    return tuple(
        ast.Assign if isinstance(statement, ast.AnnAssign) else type(statement) for statement in block
    )


def _solution_bodies(source: str) -> Iterator[list[ast.stmt]]:
    """The statements in a cell's solution regions, one list for each function they stand in."""
    hidden = _hidden_lines(source)
    tree = ast.parse(without_markers(source))
    for block in _blocks(tree):
        own = [statement for statement in block if statement.lineno in hidden]
        # Inner blocks of a hidden statement are looked at with it; only the outermost hidden statements start
        # a body.
        if own and not _inside_hidden(tree, own[0], hidden):
            yield own


def _hidden_lines(source: str) -> set[int]:
    """Numbers of the lines in solution regions, marker lines not counted; all of them without markers."""
    hidden: set[int] = set()
    number, inside, marked = 0, False, False
    for line in source.splitlines():
        if "BEGIN SOLUTION" in line:
            inside = marked = True
        elif "END SOLUTION" in line:
            inside = False
        else:
            number += 1
            if inside:
                hidden.add(number)
    return hidden if marked else set(range(1, number + 1))


def _inside_hidden(tree: ast.AST, statement: ast.stmt, hidden: set[int]) -> bool:
    """True if another statement in the hidden lines contains this one.

    A function or class that is hidden as a whole still has a body worth finding by itself.
    """
    around = [
        other
        for other in ast.walk(tree)  # from the outside to the inside
        if isinstance(other, ast.stmt)
        and other is not statement
        and other.lineno in hidden
        and any(inner is statement for inner in ast.walk(other))
    ]
    return bool(around) and not isinstance(around[-1], (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))


def _add_prose(found: Answers, text: str, label: str) -> None:
    words = _words(text)
    for start in range(len(words) - RUN_OF_WORDS + 1):
        found.runs.setdefault(tuple(words[start : start + RUN_OF_WORDS]), label)


# ----------------------------------------------------------------------------------------------------
# Shapes


def shape(nodes: list[Any]) -> str:
    """What the code says, apart from the names it uses, its docstrings, its annotations and its layout."""
    names: dict[str, str] = {}
    return "\n".join(_shape(node, names) for node in nodes)


def _shape(node: Any, names: dict[str, str]) -> str:
    if isinstance(node, list):
        return "[" + ",".join(_shape(item, names) for item in node) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, ast.Name):
        return _renamed(node.id, names)
    if isinstance(node, ast.arg):
        return _renamed(node.arg, names)
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
        return "Constant(prose)"  # how an error is worded is nobody's answer
    if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp, ast.Lambda)):
        names = _with_own_names(node, names)
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        return f"Assign([{_shape(node.target, names)}],{_shape(node.value, names)})"
    parts = []
    for name, value in ast.iter_fields(node):
        if name in ("ctx", "type_comment", "returns", "annotation", "type_params", "kind", "simple"):
            continue
        if name == "name" and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            parts.append(_renamed(node.name, names))
        elif name == "body" and isinstance(value, list):
            parts.append(_shape(_without_docstring(node), names))
        else:
            parts.append(_shape(value, names))
    return f"{type(node).__name__}({','.join(parts)})"


def _with_own_names(node: ast.AST, names: dict[str, str]) -> dict[str, str]:
    """Names as seen in a comprehension or lambda: its own variables mean nothing outside of it."""
    if isinstance(node, ast.Lambda):
        own = [argument.arg for argument in node.args.args]
    else:
        targets = [generator.target for generator in getattr(node, "generators", [])]
        own = [inner.id for target in targets for inner in ast.walk(target) if isinstance(inner, ast.Name)]
    return _Scope(names, {name: f"${place}" for place, name in enumerate(own)})


class _Scope(dict[str, str]):
    """A mapping whose own names hide those of the enclosing one, and whose new names go there."""

    def __init__(self, outer: dict[str, str], own: dict[str, str]) -> None:
        super().__init__(own)
        self._outer = outer

    def setdefault(self, name: str, default: str = "") -> str:
        return self[name] if name in self else self._outer.setdefault(name, f"#{self.depth()}")

    def depth(self) -> int:
        """How many names the outermost mapping holds: the number of the next new name."""
        return self._outer.depth() if isinstance(self._outer, _Scope) else len(self._outer)


def _renamed(name: str, names: dict[str, str]) -> str:
    return name if name in BUILTINS else names.setdefault(name, f"#{len(names)}")


def _without_docstring(node: Any) -> list[ast.stmt]:
    body = node.body
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)) and body:
        first = body[0]
        if (
            isinstance(first, ast.Expr)
            and isinstance(first.value, ast.Constant)
            and isinstance(first.value.value, str)
        ):
            return body[1:]
    return body


def _blocks(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    """Every list of statements in a tree, docstrings left out."""
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block:
                block = _without_docstring(node) if name == "body" else block
                if block:
                    yield block


def _size(node: ast.AST) -> int:
    return sum(1 for inner in ast.walk(node) if not isinstance(inner, ast.expr_context))


def _sizes(tree: ast.AST) -> Iterator[tuple[ast.AST, int]]:
    """Every node with its size, in one pass."""
    sizes: dict[ast.AST, int] = {}
    for node in reversed(list(ast.walk(tree))):  # children before their parents
        if not isinstance(node, ast.expr_context):
            sizes[node] = 1 + sum(sizes.get(child, 0) for child in ast.iter_child_nodes(node))
            yield node, sizes[node]


def _compact(code: str) -> str:
    """Code without comments and whitespace: a copy in prose or JSON is found whatever its layout."""
    return re.sub(r"\s+", "", re.sub(r"#[^\n]*", "", code))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


# ----------------------------------------------------------------------------------------------------
# Searching


def _scan_file(name: str, data: bytes, secrets: Answers) -> list[Leak]:
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in ARCHIVES:
        return _scan_archive(name, data, secrets)
    if suffix == ".pyc":
        return [Leak(name, "compiled code, which cannot be searched")]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return []  # arrays and pictures
    if suffix == ".ipynb":
        return _scan_notebook(name, text, secrets)
    if suffix == ".py":
        return _unique(_scan_code(name, text, secrets) + _scan_text(name, text, secrets))
    if suffix == ".json":
        return _unique(
            [leak for piece in _strings(json.loads(text)) for leak in _scan_text(name, piece, secrets)]
            + _scan_keys(name, json.loads(text), secrets)
            + _scan_text(name, text, secrets)
        )
    return _unique(_scan_fences(name, text, secrets) + _scan_text(name, text, secrets))


def _scan_archive(name: str, data: bytes, secrets: Answers) -> list[Leak]:
    found = []
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for member in archive.infolist():
            if member.is_dir():
                continue
            inner = f"{name}!{member.filename}"
            if any(part in INSTRUCTOR_FOLDERS for part in PurePosixPath(member.filename).parts[:-1]):
                found.append(Leak(inner, "a file of the instructor's side"))
            found += _scan_file(inner, archive.read(member), secrets)
    return found


def _scan_notebook(name: str, text: str, secrets: Answers) -> list[Leak]:
    found: list[Leak] = []
    for number, cell in enumerate(json.loads(text).get("cells", []), start=1):
        where = f"{name} cell {number}"
        source = "".join(cell.get("source", ""))
        found += [Leak(where, f"a {marker!r} marker") for marker in MARKERS if marker in source]
        if cell.get("cell_type") == "code":
            found += _scan_code(where, source, secrets)
        else:
            found += _scan_fences(where, source, secrets)
        rest = {key: value for key, value in cell.items() if key != "source"}
        for piece in [source, *_strings(rest)]:
            found += _scan_text(where, piece, secrets)
    return _unique(found)


def _scan_fences(where: str, text: str, secrets: Answers) -> list[Leak]:
    """Code that stands in prose, fenced or marked up."""
    blocks = re.findall(r"```[^\n]*\n(.*?)```", text, re.DOTALL) + re.findall(
        r"<code>(.*?)</code>", text, re.DOTALL
    )
    return [leak for block in blocks for leak in _scan_code(where, textwrap.dedent(block), secrets)]


def _scan_code(where: str, code: str, secrets: Answers) -> list[Leak]:
    tree = _parse(code)
    if tree is None:
        return []
    found = []
    lengths = {len(kinds) for kinds in secrets.kinds}
    for block in _blocks(tree):
        kinds = _kinds(block)
        for length in lengths:
            for start in range(len(block) - length + 1):
                if kinds[start : start + length] not in secrets.kinds:
                    continue  # cheap, and nearly always so
                label = secrets.windows.get(shape(block[start : start + length]))
                if label:
                    found.append(Leak(f"{where} line {block[start].lineno}", label))
    for node, size in _sizes(tree):
        if size in secrets.sizes and isinstance(node, ast.expr):
            label = secrets.expressions.get(shape([node]))
            if label:
                found.append(Leak(f"{where} line {node.lineno}", label))
    return found


def _parse(code: str) -> ast.Module | None:
    # Magics and shell lines are no Python; without them the rest of the cell can still be read.
    plain = "\n".join("pass" if re.match(r"[%!?]", line) else line for line in code.splitlines())
    try:
        return ast.parse(plain)
    except (SyntaxError, ValueError):
        return None


def _scan_text(where: str, text: str, secrets: Answers) -> list[Leak]:
    found = []
    compact = _compact(text)
    found += [Leak(where, label) for code, label in secrets.texts.items() if code in compact]
    for name, key in secrets.concepts.items():
        if re.search(rf"\b{re.escape(name)}\b[\"'`]?\s*(?:=|:|:=|is)\s*[\"'`]*{re.escape(key)}\b", text):
            found.append(Leak(where, f"the key of {name}"))
    words = _words(text)
    for start in range(len(words) - RUN_OF_WORDS + 1):
        label = secrets.runs.get(tuple(words[start : start + RUN_OF_WORDS]))
        if label:
            found.append(Leak(where, label))
    return found


def _scan_keys(where: str, value: Any, secrets: Answers, inside: str | None = None) -> list[Leak]:
    """Concept keys in JSON: a lone value that equals the key, anywhere below the name of the question."""
    found: list[Leak] = []
    if isinstance(value, dict):
        named = next(
            (item for item in value.values() if isinstance(item, str) and item in secrets.concepts), inside
        )
        for key, item in value.items():
            found += _scan_keys(where, item, secrets, key if key in secrets.concepts else named)
    elif isinstance(value, list):
        for item in value if len(value) == 1 else []:
            found += _scan_keys(where, item, secrets, inside)
        for item in value if len(value) > 1 else []:
            found += _scan_keys(where, item, secrets, inside) if isinstance(item, (dict, list)) else []
    elif inside is not None and isinstance(value, str) and value == secrets.concepts[inside]:
        found.append(Leak(where, f"the key of {inside}"))
    return found


def _strings(value: Any) -> Iterator[str]:
    """Every string in nested JSON data; a list of strings as one text, as notebooks store lines."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _strings(item)
    elif isinstance(value, list):
        if value and all(isinstance(item, str) for item in value):
            yield "".join(value)
        else:
            for item in value:
                yield from _strings(item)


def _unique(leaks: list[Leak]) -> list[Leak]:
    """One leak for each answer and file or cell: the same copy is found as code and as text."""
    seen: dict[tuple[str, str], Leak] = {}
    for leak in leaks:
        seen.setdefault((re.sub(r" line \d+$", "", leak.where), leak.what), leak)
    return list(seen.values())
