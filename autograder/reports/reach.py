"""What a learner's code names beyond its own business: ways out of the notebook, and ways into what grades it.

Names are followed through imports, aliases, attributes and the usual functions that take a name as text; nothing is
run. Whoever wants to can write code that hides what it names, so nothing here keeps anybody from anything: that is the
sandbox's part.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

OUT, IN = "reaches-out", "reaches-in"

# Modules, with all below them.
MODULES: Mapping[str, str] = {
    **dict.fromkeys(
        ("socket", "ssl", "urllib", "requests", "http", "ftplib", "subprocess", "multiprocessing", "ctypes"),
        OUT,
    ),
    **dict.fromkeys(("gc", "marshal", "nas_lib.judges", "nas_lib.standins", "autograder", "solutions"), IN),
}
# Names in modules.
NAMES: Mapping[str, str] = {
    **{
        f"os.{name}": OUT
        for name in (
            *("system", "popen", "fork", "kill", "killpg", "getppid", "_exit", "abort", "register_at_fork"),
            *("execv", "execve", "spawnv", "memfd_create"),
        )
    },
    "signal.signal": OUT,
    **{f"sys.{name}": IN for name in ("settrace", "setprofile", "meta_path", "path_hooks")},
    **{f"threading.{name}": IN for name in ("settrace", "setprofile")},
    **{
        f"inspect.{name}": IN
        for name in ("stack", "currentframe", "trace", "getouterframes", "getinnerframes", "getclosurevars")
    },
}
ATTRIBUTES = frozenset(
    {
        *("__code__", "__globals__", "__closure__", "__wrapped__", "__subclasses__", "__builtins__"),
        *("f_back", "f_locals", "f_globals", "f_code", "tb_frame", "gi_frame", "cr_frame", "exec_module"),
        *("_getframe", "_current_frames"),
    }
)
"""Python's internals, whatever they are looked up in."""
CODE = frozenset({"exec", "eval", "compile", "__import__", "types.FunctionType", "types.CodeType"})
"""What makes code of data, where it is called."""
BY_NAME = frozenset({"getattr", "setattr", "__import__", "importlib.import_module", "operator.attrgetter"})
"""Functions that take a name as text."""
PATHS = re.compile(
    r"/proc/|gradebook\.db|course_secret|nbgrader_config|/dev/shm|site-packages|__pycache__|/library/"
)
INSIDE = re.compile(r"nas_lib[./](?:checks[./]\w+|standins|judges)")
LONGEST = 10_000  # characters of a text that are looked at

LIBRARY, CHECKS = "nas_lib", "nas_lib.checks"
PLAIN = frozenset({"_replace", "_asdict", "_fields", "_make", "_modules", "_parameters", "_buffers"})
"""Names that begin with an underscore and are nobody's secret: those of named tuples, and of torch's modules."""
INNER = frozenset({"__file__", "__path__", "__dict__", "__loader__", "__spec__"})
"""Names by which the library is looked into."""


def reached(tree: ast.AST, known: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(kind, what) that a cell's code names.

    Args:
        tree: the cell.
        known: modules, their members and what comes of these, by the names that cells gave them; this cell's are added.
    """
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            known |= _imported(node)
        elif isinstance(node, ast.Assign) and (made := _dotted(node.value, known)).startswith(f"{LIBRARY}."):
            known |= {target.id: made for target in node.targets if isinstance(target, ast.Name)}
    inner = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _of_module(alias.name)
        elif isinstance(node, ast.ImportFrom):
            yield from _of_module(str(node.module))
            for name in _imported(node).values():
                yield from _of_member(name)
        elif isinstance(node, ast.Attribute):
            yield from ((IN, node.attr) for _ in range(node.attr in ATTRIBUTES))
            yield from _of_member(_dotted(node, known) if id(node) not in inner else "")
        elif isinstance(node, ast.Name) and node.id == "__builtins__":
            yield IN, node.id
        elif isinstance(node, ast.Call):
            yield from _of_call(node, known)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            for kind, pattern in ((OUT, PATHS), (IN, INSIDE)):
                yield from ((kind, match[0]) for match in pattern.finditer(node.value[:LONGEST]))


def _imported(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """What an import brings, by the names that it gets."""
    if isinstance(node, ast.Import):
        return {
            alias.asname or alias.name.partition(".")[0]: alias.name
            if alias.asname
            else alias.name.partition(".")[0]
            for alias in node.names
        }
    return {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}


def _dotted(node: ast.AST, known: Mapping[str, str]) -> str:
    """What an expression begins with: `CellSpace()._weights[0].get` is "nas_lib.spaces.CellSpace._weights.get".

    "" for what is neither a module, nor from one, nor a name by itself.
    """
    parts: list[str] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Subscript):
            node = node.value
        else:
            return ""
    if node.id not in known:
        return "" if parts else node.id
    return ".".join([known[node.id], *reversed(parts)])


def _of_module(name: str) -> Iterator[tuple[str, str]]:
    parts = name.split(".")
    for size in range(1, len(parts) + 1):
        kind = MODULES.get(".".join(parts[:size]))
        if kind is not None:
            yield kind, name
            return
    yield from _of_member(name)


def _of_member(name: str) -> Iterator[tuple[str, str]]:
    parts = name.split(".")
    if ".".join(parts[:2]) in NAMES:
        yield NAMES[".".join(parts[:2])], ".".join(parts[:2])
    inside = name.startswith(f"{CHECKS}.") and name != f"{CHECKS}.check"
    if parts[0] == LIBRARY and (inside or any(map(_is_private, parts))):
        yield IN, name


def _is_private(part: str) -> bool:
    return part in INNER or (part.startswith("_") and not part.startswith("__") and part not in PLAIN)


def _of_call(node: ast.Call, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    name = _dotted(node.func, known).removeprefix("builtins.")
    if name in CODE:
        yield IN, name
    for given in node.args if name in BY_NAME else ():
        if isinstance(given, ast.Constant) and isinstance(given.value, str):
            text = given.value[:LONGEST]
            yield from ((IN, text) for _ in range(text in ATTRIBUTES))
            yield from _of_module(text)
