"""What an exercise's check declares, held against what its docstring tells the learner.

A check takes points for an error of another class, a changed argument or a result of another type. Each of these has to
stand in the text that the learner reads; and what the text names, the check has to know.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from nas_lib import checks

SECTIONS = re.compile(r"^\s*(Args|Returns|Raises|Changes|Source|Yields|Attributes):\s*(.*)$", re.MULTILINE)
# How a docstring may say what `Exercise.returns` declares.
NAMED: dict[str, str] = {
    "float": r"\bfloat|\bnumber|\bseconds|\bshare|\bscalar",
    "int": r"\bint|\bnumber of|\binteger",
    "bool": r"\bbool|\bTrue\b",
    "string": r"\bstr",
    "array": r"\barray",
    "float array": r"\barray",
    "tensor": r"\btensor",
    "scalar": r"\bscalar tensor",
    "list": r"\blist",
    "tuple": r"\btuple|\(.*,",
    "arch": r"\btuple|\barchitecture|\bcell",
    "dict": r"\bdict",
    "sequence": r"\blist|\btuple|\barray|\(.*,",
    "nothing": r"\bNone|\bnothing",
}
# Told once, in lesson 00: a generator that is passed in is there to be drawn from.
UNSAID = ("torch's", "NumPy's", "Python's")


def sections(docstring: str) -> dict[str, str]:
    """A docstring's sections by name ("Raises"), each as its text."""
    found = list(SECTIONS.finditer(docstring))
    ends = [one.start() for one in found[1:]] + [len(docstring)]
    return {
        one[1]: f"{one[2]}\n{docstring[one.end() : end]}".strip()
        for one, end in zip(found, ends, strict=True)
    }


def docstrings(source: str) -> str:
    """The docstrings of a cell's function, or of its class and the class's methods, one after the other."""
    tree = ast.parse(source)
    nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    return "\n\n".join(filter(None, map(ast.get_docstring, nodes)))


def faults(item: checks.Exercise, source: str) -> Iterator[str]:
    """Where the check of an exercise and the docstrings in its cell part, in one sentence each."""
    text = docstrings(source)
    told = sections(text)
    instances = item.instances(0)
    wanted = {name for one in instances if "bad" in one for name in one.get("raises", item.raises)}
    named = set(re.findall(r"\b[A-Z]\w*Error\b", told.get("Raises", "")))
    if wanted and not named and not re.search(r"\bValueError\b", text):
        yield f"the check asks for {', '.join(sorted(wanted))} on bad input, the docstring raises nothing"
    elif named and named != wanted:
        yield f"the docstring raises {', '.join(sorted(named))}, the check asks for {', '.join(sorted(wanted))}"
    changed = {path.partition("*")[0].split(".")[0].split("[")[0].strip() for path in item.changes}
    for name in sorted(one for one in changed if one and not one.startswith(UNSAID) and one != "self"):
        if not re.search(rf"\b{re.escape(name)}\b", told.get("Changes", "")):
            yield f"the check lets {name!r} change, the docstring has no line `Changes:` that says so"
    if "Changes" in told and not item.changes and not any("changes" in one for one in instances):
        yield "the docstring has a line `Changes:`, the check holds everything"
    pattern = NAMED.get(item.returns)
    if pattern and not re.search(pattern, told.get("Returns", text), re.IGNORECASE):
        yield f"the check asks for {item.returns!r} as result, the docstring does not say so"
