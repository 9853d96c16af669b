"""Cases in the notebook itself: cells and metadata that are changed, lost or forged, scripts in prose, odd files."""

# ruff: noqa: E501 - learners' code

from __future__ import annotations

import base64
import json
import os
import re
import textwrap
from pathlib import Path
from typing import Any

import nbformat

import solutions
from autograder.author.lesson import is_check
from autograder.corpus._cases import ALERT, SECRET, Case, Earns, Sheet, changed, instead, raw, twin

# ----------------------------------------------------------------------------------------------------
# Cells and metadata


def checks(sheet: Sheet) -> list[Any]:
    """The check cells."""
    return [cell for cell in sheet.cells if is_check(cell)]


def edit_checks(sheet: Sheet) -> None:
    for cell in checks(sheet):
        cell.source = "100.0"
        cell.outputs = [nbformat.v4.new_output("execute_result", data={"text/plain": "100.0"})]


def raise_points(sheet: Sheet) -> None:
    for cell in checks(sheet):
        cell.metadata.nbgrader.points *= 100


def unlock(sheet: Sheet) -> None:
    for cell in sheet.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.update(locked=False, grade=False, solution=True)


def delete_checks(sheet: Sheet) -> None:
    gone = checks(sheet)
    sheet.notebook.cells = [cell for cell in sheet.cells if cell not in gone]


def delete_target(sheet: Sheet) -> None:
    del sheet.cells[sheet.place()]


def copy_cell(sheet: Sheet) -> None:
    sheet.cells.insert(sheet.place() + 1, twin(sheet.cell()))


def copy_checks(sheet: Sheet) -> None:
    sheet.notebook.cells += [twin(cell) for cell in checks(sheet)]


def copy_all(sheet: Sheet) -> None:
    sheet.notebook.cells += [twin(cell) for cell in sheet.cells if cell.cell_type == "code"]


def copy_with_stub(sheet: Sheet) -> None:
    """A first try left standing above the right answer, with its grade_id."""
    old = twin(sheet.cell())
    old.source = f"def {sheet.target}({sheet.parameters()}):\n    return None"
    sheet.cells.insert(sheet.place(), old)


def check_id_on_own_cell(sheet: Sheet) -> None:
    metadata = sheet.cell(f"{sheet.target}-check").metadata
    sheet.cells.append(nbformat.v4.new_code_cell("100.0", metadata=json.loads(json.dumps(metadata))))


def reverse(sheet: Sheet) -> None:
    sheet.cells.reverse()


def move_exercises_to_the_end(sheet: Sheet) -> None:
    own = [cell for cell in sheet.cells if cell.metadata.get("nbgrader")]
    sheet.notebook.cells = [cell for cell in sheet.cells if cell not in own] + own


def checks_first(sheet: Sheet) -> None:
    first = checks(sheet)
    sheet.notebook.cells = first + [cell for cell in sheet.cells if cell not in first]


def only_exercises(sheet: Sheet) -> None:
    sheet.notebook.cells = [cell for cell in sheet.cells if solutions.tag_of(cell) == "exercise"]


def lose_metadata(sheet: Sheet) -> None:
    for cell in sheet.cells:
        cell.metadata = {}


def lose_metadata_and_ids(sheet: Sheet) -> None:
    lose_metadata(sheet)
    for cell in sheet.cells:
        cell.pop("id", None)
    sheet.notebook.nbformat_minor = 4


def rename_ids(sheet: Sheet) -> None:
    for number, cell in enumerate(sheet.cells):
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.grade_id = f"mine-{number}"


def swap_ids(sheet: Sheet) -> None:
    """The target's grade_id on the next exercise's cell, and the other way round."""
    own = [cell for cell in sheet.cells if solutions.tag_of(cell) == "exercise"][:2]
    first, second = own
    first.metadata.nbgrader.grade_id, second.metadata.nbgrader.grade_id = second.id, first.id
    first["id"], second["id"] = second["id"], first["id"]


def metadata_as_list(sheet: Sheet) -> None:
    for cell in sheet.cells:
        cell.metadata = []


def odd_metadata(sheet: Sheet) -> None:
    for cell in sheet.cells:
        cell.metadata = {"nbgrader": ["?"], "tags": "exercise", "deletable": {"a": 1}, "scrolled": "yes"}
    sheet.notebook.metadata = {"kernelspec": 3, "language_info": [], "authors": "me", "widgets": None}


def old_schema(sheet: Sheet) -> None:
    for cell in sheet.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.schema_version = 1


def new_schema(sheet: Sheet) -> None:
    for cell in sheet.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.schema_version = 99


def odd_schema(sheet: Sheet) -> None:
    for cell in sheet.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.schema_version = "three"


def kernel(name: str, language: str = "python") -> Any:
    def change(sheet: Sheet) -> None:
        sheet.notebook.metadata = {
            "kernelspec": {"name": name, "display_name": name, "language": language},
            "language_info": {"name": language},
        }

    return change


def double_ids(sheet: Sheet) -> None:
    for cell in sheet.cells:
        cell["id"] = "same"


def outputs_of_own(sheet: Sheet) -> None:
    for cell in sheet.cells:
        if cell.cell_type == "code":
            cell.execution_count = "many"
            cell.outputs = [{"output_type": "stream", "text": ["100.0"]}, {"output_type": "odd"}, 7]


def merge_exercises(sheet: Sheet) -> None:
    """All answers in the target's cell, the others' cells gone."""
    own = [cell for cell in sheet.cells if solutions.tag_of(cell) == "exercise"]
    own[0].source = "\n\n".join(cell.source for cell in own)
    sheet.notebook.cells = [cell for cell in sheet.cells if cell not in own[1:]]


def split_exercise(sheet: Sheet) -> None:
    """A first part of the target's answer in a cell of its own: a helper that the other part needs."""
    cell = sheet.cell()
    sheet.cells.insert(sheet.place(), nbformat.v4.new_code_cell("def _first_half(value):\n    return value"))
    cell.source += f"\n_whole = {sheet.target}\ndef {sheet.target}(*args, **named):\n    return _first_half(_whole(*args, **named))"


def helper_in_experiment(sheet: Sheet) -> None:
    cell = next(cell for cell in sheet.cells if solutions.tag_of(cell) == "experiment")
    cell.source += "\n\ndef my_helper(value):\n    return value"
    split_exercise(sheet)
    sheet.cells.pop(sheet.place() - 1)
    sheet.cell().source = sheet.cell().source.replace("_first_half", "my_helper")
    sheet.cells.insert(0, sheet.cells.pop(sheet.cells.index(cell)))


def long_sum(terms: int, in_experiment: bool) -> Any:
    """A helper whose syntax tree is as deep as its sum has terms."""

    def change(sheet: Sheet) -> None:
        experiment = next(cell for cell in sheet.cells if solutions.tag_of(cell) == "experiment")
        cell = experiment if in_experiment else sheet.cell()
        cell.source = "def helper(x):\n    return " + " + ".join(["1"] * terms) + f"\n{cell.source}"

    return change


def open_answer_beside(sheet: Sheet) -> None:
    for task in sheet.source.tasks:
        if task.kind == "open":
            answer = sheet.cell(task.name)
            sheet.cells.insert(sheet.place(task.name) + 1, nbformat.v4.new_markdown_cell(answer.source))
            answer.source = "YOUR ANSWER HERE"


def under_main(sheet: Sheet) -> None:
    sheet.cell().source += f'\n\nif __name__ == "__main__":\n    print({sheet.target})'


def answer_elsewhere(sheet: Sheet) -> None:
    """The answer in a cell of one's own at the end, the exercise's cell as it was released."""
    answer = sheet.cell().source
    sheet.cell().source = Sheet(sheet.lesson, answered=False).cell(sheet.target).source
    sheet.cells.append(nbformat.v4.new_code_cell(answer))


def answered_as(template: str) -> Any:
    """The target's right answer in another form of callable."""

    def change(sheet: Sheet) -> None:
        sheet.cell().source += "\n_right = TARGET\n".replace("TARGET", sheet.target) + sheet.filled(template)

    return change


def comment_markers(sheet: Sheet) -> None:
    sheet.cell().source = f"### BEGIN SOLUTION\n{sheet.cell().source}\n### END SOLUTION"


def tabs_and_windows_lines(sheet: Sheet) -> None:
    sheet.cell().source = re.sub(
        r"^((?:    )+)", lambda match: "\t" * (len(match[1]) // 4), sheet.cell().source, flags=re.M
    ).replace("\n", "\r\n")


def exercise_as_markdown(sheet: Sheet) -> None:
    sheet.cell().cell_type = "markdown"
    for name in ("outputs", "execution_count"):
        sheet.cell().pop(name, None)


def forge_setup(sheet: Sheet) -> None:
    """The lesson's setup cell emptied: the master's runs all the same."""
    next(
        cell for cell in sheet.cells if solutions.tag_of(cell) == "setup" and cell.cell_type == "code"
    ).source = ""


def shadow_builtins(sheet: Sheet) -> None:
    """`sum = 0`, and so on with every builtin that the answers themselves do not need."""
    answers = "".join(cell.source for cell in sheet.cells if solutions.tag_of(cell) in ("exercise", "setup"))
    common = (
        "sum",
        "max",
        "min",
        "abs",
        "all",
        "any",
        "list",
        "dict",
        "str",
        "print",
        "input",
        "id",
        "type",
        "isinstance",
    )
    sheet.insert("\n".join(f"{name} = 0" for name in common if not re.search(rf"\b{name}\b", answers)))


CELLS = [
    changed("edited tests", "cells", Earns.NOTHING, edit_checks, answered=False),
    changed("edited tests with right answers", "cells", Earns.ALL, edit_checks),
    changed("points times a hundred", "cells", Earns.ALL, raise_points),
    changed("points times a hundred on a blank", "cells", Earns.NOTHING, raise_points, answered=False),
    changed("all cells unlocked", "cells", Earns.ALL, unlock),
    changed("tests deleted", "cells", Earns.ALL, delete_checks),
    changed("tests deleted from a blank", "cells", Earns.NOTHING, delete_checks, answered=False),
    changed("the exercise deleted", "cells", Earns.OTHERS, delete_target, says="not defined"),
    changed("a copied exercise", "cells", Earns.ALL, copy_cell),
    changed("copied tests", "cells", Earns.ALL, copy_checks),
    changed("all code twice", "cells", Earns.ALL, copy_all),
    changed("a first try left above", "cells", Earns.ALL, copy_with_stub),
    changed("a test's grade_id on an own cell", "cells", Earns.NOTHING, check_id_on_own_cell, answered=False),
    changed("tests before everything", "cells", Earns.ALL, checks_first),
    changed("exercises moved to the end", "cells", Earns.ALL, move_exercises_to_the_end),
    changed("all cells in reverse", "cells", Earns.ALL, reverse),
    changed("nothing but the exercises", "cells", Earns.ALL, only_exercises),
    changed("lost metadata", "metadata", Earns.ALL, lose_metadata),
    changed("lost metadata and ids", "metadata", Earns.ALL, lose_metadata_and_ids),
    changed("renamed grade_ids", "metadata", Earns.ALL, rename_ids),
    changed("swapped grade_ids", "metadata", Earns.ALL, swap_ids),
    changed("metadata that is a list", "metadata", Earns.ALL, metadata_as_list),
    changed("odd metadata", "metadata", Earns.ALL, odd_metadata),
    changed("schema_version 1", "metadata", Earns.ALL, old_schema),
    changed("schema_version 99", "metadata", Earns.ALL, new_schema),
    changed("schema_version three", "metadata", Earns.ALL, odd_schema),
    changed("a kernelspec of one's own", "metadata", Earns.ALL, kernel("my-env")),
    changed("Colab's kernelspec", "metadata", Earns.ALL, kernel("python3")),
    changed("a kernel of another language", "metadata", Earns.ALL, kernel("ir", "R")),
    changed("one id for all cells", "metadata", Earns.ALL, double_ids),
    changed("outputs that are none", "metadata", Earns.ALL, outputs_of_own),
    changed("all exercises in one cell", "honest", Earns.ALL, merge_exercises),
    changed("an exercise over two cells", "honest", Earns.ALL, split_exercise),
    changed("a helper in an experiment", "honest", Earns.ALL, helper_in_experiment),
    changed("a sum of 500 terms in an experiment", "honest", Earns.ALL, long_sum(500, True)),
    changed("a sum of 990 terms in an experiment", "honest", Earns.ALL, long_sum(990, True)),
    changed("a sum of 990 terms in an exercise", "honest", Earns.ALL, long_sum(990, False)),
    changed("an open answer beside its cell", "honest", Earns.ALL, open_answer_beside),
    instead("a built-in of one's own", "honest", "hash = 6\ndef TARGET(PARAMETERS):\n    return hash(1)", says="overwritten `hash`"),
    changed("if __name__ is __main__", "honest", Earns.ALL, under_main),
    changed("the answer in a cell of one's own", "honest", Earns.ALL, answer_elsewhere),
    changed("an answer with type hints", "honest", Earns.ALL, answered_as("from typing import Any\ndef TARGET(*args: Any, **named: Any) -> Any:\n    return _right(*args, **named)")),
    changed("a decorated answer", "honest", Earns.ALL, answered_as("import functools\n@functools.wraps(_right)\ndef TARGET(*args, **named):\n    return _right(*args, **named)")),
    changed("a lambda", "honest", Earns.ALL, answered_as("TARGET = lambda *args, **named: _right(*args, **named)")),
    changed("a partial", "honest", Earns.ALL, answered_as("import functools\nTARGET = functools.partial(_right)")),
    changed("a callable object", "honest", Earns.ALL, answered_as("class _Answer:\n    def __call__(self, *args, **named):\n        return _right(*args, **named)\nTARGET = _Answer()")),
    changed("a method", "honest", Earns.ALL, answered_as("class _Answer:\n    def give(self, *args, **named):\n        return _right(*args, **named)\nTARGET = _Answer().give")),
    changed("solution markers typed in", "honest", Earns.ALL, comment_markers),
    changed("Windows line ends and tabs", "honest", Earns.ALL, tabs_and_windows_lines),
    changed("sum = 0 at top level", "honest", Earns.ALL, shadow_builtins),
    changed("the setup cell emptied", "honest", Earns.ALL, forge_setup),
    changed("the exercise turned into prose", "honest", Earns.ALL, exercise_as_markdown),
]  # fmt: skip


# ----------------------------------------------------------------------------------------------------
# Prose and attachments

SVG = f'<svg xmlns="http://www.w3.org/2000/svg" onload="{ALERT}(1)"><script>{ALERT}(2)</script></svg>'
SCRIPTS = {
    "a script": f"<script>{ALERT}(1)</script>",
    "an event handler": f'<img src="x" onerror="{ALERT}(1)"> <details open ontoggle="{ALERT}(2)">x</details>',
    "a javascript link": f"[click](javascript:{ALERT}(1)) <a href=' jav&#x09;ascript:{ALERT}(2)'>here</a>",
    "a javascript link in disguise": f"[a](files/javascript:{ALERT}(1)) [b](JaVaScRiPt&colon;{ALERT}(2)) <javascript:{ALERT}(3)>",
    "a data link": f"[click](data:text/html,<script>{ALERT}(1)</script>)",
    "inline SVG": SVG,
    "a frame": f"<iframe srcdoc='<script>{ALERT}(1)</script>'></iframe><object data='javascript:{ALERT}(2)'></object><embed src='javascript:{ALERT}(3)'>",
    "a form over the page": f'<form action="/formgrader/"><input class="score" id="x" autofocus onfocus="{ALERT}(1)"><button formaction="javascript:{ALERT}(2)">Full credit</button></form><style>.score {{display: none}}</style>',
    "an attribute by the alt text": f'![a" onerror="{ALERT}(1)" b="](x) [a](x "b\\" onclick=\\"{ALERT}(2)")',
    "a parser's disagreement": f'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror={ALERT}(1)&gt;">\n\n<noscript><p title="</noscript><img src=x onerror={ALERT}(2)>">',
    "code that leaves its fence": f"```html\n</code></pre><script>{ALERT}(1)</script>\n```\n\n`</code><script>{ALERT}(2)</script>`",
    "a mermaid diagram": f'```mermaid\ngraph TD; A["<img src=x onerror={ALERT}(1)>"]\n```',
    "mathematics with a script": f"$<script>{ALERT}(1)</script>$ $$\\href{{javascript:{ALERT}(2)}}{{x}}$$ \\begin{{a}}<img src=x onerror={ALERT}(3)>\\end{{a}}",
    "a page that redirects": f'<meta http-equiv="refresh" content="0;url=javascript:{ALERT}(1)"><base href="//evil.example/"><link rel="stylesheet" href="//evil.example/x.css">',
    "a request in the instructor's name": '<img src="/formgrader/?path=/tmp/evil"> ![x](/formgrader/?path=/tmp/evil) <a href="/formgrader/?path=/tmp">look</a>',
    "text that takes quadratic time": "\\begin{a}" * 20_000,
    "brackets without end": "[" * 40_000 + "(" * 40_000,
}
FINE = f"""
## My notes on <b>regret</b>

| method | regret |
|:--|--:|
| random | 0.5 |

$$\\begin{{aligned}} r_t &= y^* - \\max_{{i \\le t}} y_i \\end{{aligned}}$$ and $a < b$.

<details><summary>More</summary>

Text with `code < 1`, [a link](https://example.org) and
![a dot](data:image/png;base64,{base64.b64encode(bytes.fromhex("89504e470d0a1a0a")).decode()}).

</details>
"""


def in_prose(source: str) -> Any:
    def change(sheet: Sheet) -> None:
        sheet.prose(source)
        for task in sheet.source.tasks:
            if task.kind == "open":
                sheet.cell(task.name).source = source

    return change


def in_outputs(sheet: Sheet) -> None:
    """Scripts in every kind of output, as if the learner's kernel had shown them."""
    data = {
        "text/html": f"<script>{ALERT}(1)</script>",
        "application/javascript": f"{ALERT}(2)",
        "image/svg+xml": SVG,
        "text/markdown": f"<script>{ALERT}(3)</script>",
        "text/latex": f"<script>{ALERT}(4)</script>",
        "application/vnd.jupyter.widget-view+json": {"model_id": f"<script>{ALERT}(5)</script>"},
        "image/png": f'" onerror="{ALERT}(6)',
    }
    for cell in sheet.cells:
        if cell.cell_type == "code":
            cell.outputs = [
                {"output_type": "display_data", "metadata": {}, "data": {kind: value}}
                for kind, value in data.items()
            ]


def shown_by_code(sheet: Sheet) -> None:
    sheet.insert(
        f"""
        from IPython.display import HTML, Javascript, Markdown, SVG, display
        display(HTML('<script>{ALERT}(1)</script>'), Javascript('{ALERT}(2)'), Markdown('<img src=x onerror={ALERT}(3)>'))
        print('<script>{ALERT}(4)</script>\\x1b]8;;javascript:{ALERT}(5)\\x07x\\x1b]8;;\\x07')
        raise ValueError('<script>{ALERT}(6)</script>')
        """
    )


def in_attachments(sheet: Sheet) -> None:
    kinds = {
        "a.svg": {"image/svg+xml": base64.b64encode(SVG.encode()).decode()},
        "b.html": {"text/html": base64.b64encode(f"<script>{ALERT}(1)</script>".encode()).decode()},
        "c.png": {f'image/png" onerror="{ALERT}(2)': "AAAA"},
    }
    sheet.prose("![a](attachment:a.svg) ![b](attachment:b.html) ![c](attachment:c.png)", attachments=kinds)


def in_metadata(sheet: Sheet) -> None:
    evil = f'"><script>{ALERT}(1)</script>'
    sheet.notebook.metadata.update(
        title=evil, kernelspec={"name": evil, "display_name": evil}, language_info={"name": evil, "pygments_lexer": evil}, widgets={evil: evil}
    )  # fmt: skip
    for number, cell in enumerate(sheet.cells):
        cell.metadata.update(tags=[evil, "own"], name=evil, magics_language=evil)
        cell["id"] = f"{evil}{number}"


def raw_cells(sheet: Sheet) -> None:
    for kind in ("text/html", "text/restructuredtext", ""):
        cell = nbformat.v4.new_raw_cell(f"<script>{ALERT}(1)</script>", metadata={"raw_mimetype": kind})
        sheet.cells.insert(0, cell)


def in_code(sheet: Sheet) -> None:
    sheet.insert(f"# </pre><script>{ALERT}(1)</script>\nx = '</code><img src=x onerror={ALERT}(2)>'")
    sheet.insert(f"%%html\n<script>{ALERT}(3)</script>")
    sheet.insert(f"%%javascript\n{ALERT}(4)")


PAGES = [
    *(changed(f"in prose, {name}", "pages", Earns.ALL, in_prose(source)) for name, source in SCRIPTS.items()),
    changed("prose that takes long to render", "pages", Earns.ALL, in_prose("\\\\(" * 16_000)),
    changed("more prose that takes long to render", "pages", Earns.ALL, in_prose("[a](b" * 8_000)),
    changed("prose that is fine", "honest", Earns.ALL, in_prose(FINE)),
    changed("scripts in outputs", "pages", Earns.ALL, in_outputs),
    changed("scripts shown by code", "pages", Earns.ALL, shown_by_code),
    changed("scripts in attachments", "pages", Earns.ALL, in_attachments),
    changed("scripts in metadata", "pages", Earns.ALL, in_metadata),
    changed("scripts in raw cells", "pages", Earns.ALL, raw_cells),
    changed("scripts in code", "pages", Earns.ALL, in_code),
]


# ----------------------------------------------------------------------------------------------------
# Files


def version_3(text: str) -> bytes:
    old = nbformat.convert(nbformat.reads(text, as_version=4), 3)
    return nbformat.writes(old, version=3).encode()


def surrogate(text: str) -> bytes:
    book = json.loads(text)
    book["cells"].insert(
        1, {"cell_type": "markdown", "id": "own", "metadata": {}, "source": "half an emoji \ud83d"}
    )
    book["cells"].insert(
        1,
        {
            "cell_type": "code",
            "id": "own2",
            "metadata": {},
            "source": "# \udc00",
            "outputs": [],
            "execution_count": None,
        },
    )
    return json.dumps(book).encode()


def latin(text: str) -> bytes:
    book = json.loads(text)
    book["cells"].insert(
        1, {"cell_type": "markdown", "id": "own", "metadata": {}, "source": "Übungsblatt, née"}
    )
    return json.dumps(book, ensure_ascii=False).encode("latin-1", "replace")


def huge_outputs(text: str) -> bytes:
    book = json.loads(text)
    cell = next(cell for cell in book["cells"] if cell["cell_type"] == "code")
    cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * 15_000_000}]
    return json.dumps(book).encode()


def many_cells(text: str) -> bytes:
    book = json.loads(text)
    book["cells"] += [
        {"cell_type": "markdown", "id": f"n{number}", "metadata": {}, "source": "x"}
        for number in range(30_000)
    ]
    return json.dumps(book).encode()


def long_code(text: str) -> bytes:
    book = json.loads(text)
    book["cells"].append(
        {
            "cell_type": "code",
            "id": "own",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": "x = 1\n" * 1_000_000,
        }
    )
    return json.dumps(book).encode()


def deep(text: str) -> bytes:
    book = json.loads(text)
    return (
        json.dumps({**book, "metadata": {}}).encode()[:-1]
        + b', "deep": '
        + b"[" * 100_000
        + b"]" * 100_000
        + b"}"
    )


def many_objects(text: str) -> bytes:
    return (
        b'{"cells": [], "junk": ['
        + b"{}," * 6_000_000
        + b'{}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    )


def newer(text: str) -> bytes:
    book = json.loads(text)
    book["nbformat_minor"] = 99
    book["cells"][0]["new_in_99"] = True
    return json.dumps(book).encode()


AGAIN = r"hand (it|one|in|out|the)|it in again|hand in"


def cells_without_ids(_: str) -> bytes:
    cell = '{"cell_type": "code", "metadata": {}, "source": ""}'
    return f'{{"nbformat": 4, "nbformat_minor": 5, "metadata": {{}}, "cells": [{", ".join([cell] * 100_000)}]}}'.encode()


FILES = [
    raw("byte order mark", "files", Earns.ALL, lambda text: text.encode("utf-8-sig")),
    raw("UTF-16", "files", Earns.ALL, lambda text: text.encode("utf-16")),
    raw("not UTF-8", "files", Earns.ALL, latin),
    raw("a hundred thousand cells", "files", Earns.REFUSED, cells_without_ids, says="more than 2,000 cells"),
    raw("nbformat 3", "files", Earns.ALL, version_3),
    raw("a newer nbformat", "files", Earns.ALL, newer),
    raw("lone surrogates", "files", Earns.ALL, surrogate),
    raw("15 MB of outputs", "files", Earns.ALL, huge_outputs),
    raw("Windows line ends", "files", Earns.ALL, lambda text: json.dumps(json.loads(text), indent=1).replace("\n", "\r\n").encode()),
    raw("an empty file", "files", Earns.REFUSED, lambda _: b"", says=AGAIN),
    raw("no JSON", "files", Earns.REFUSED, lambda _: b"hello", says=AGAIN),
    raw("half a file", "files", Earns.REFUSED, lambda text: text.encode()[: len(text) // 2], says=AGAIN),
    raw("a list", "files", Earns.REFUSED, lambda _: b"[]", says=AGAIN),
    raw("a notebook without cells", "files", Earns.REFUSED, lambda _: b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}', says=AGAIN),
    raw("cells that are none", "files", Earns.REFUSED, lambda _: b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [1, "x", null]}', says=AGAIN),
    raw("NUL bytes", "files", Earns.REFUSED, lambda text: b"\x00" * 1000 + text.encode(), says=AGAIN),
    raw("random bytes", "files", Earns.REFUSED, lambda _: bytes(range(256)) * 40, says=AGAIN),
    raw("25 MB", "files", Earns.REFUSED, lambda text: text.encode() + b" " * 25_000_000, says="above 20 MB"),
    raw("30,000 cells", "files", Earns.REFUSED, many_cells, says="cells|too much data"),
    raw("6 MB of code", "files", Earns.REFUSED, long_code, says="code is above"),
    raw("JSON nested 100,000 deep", "files", Earns.REFUSED, deep, says="nested too deep|hand it in"),
    raw("six million objects", "files", Earns.REFUSED, many_objects, says="too much data"),
    raw("a number of 5,000 digits", "files", Earns.REFUSED, lambda _: b'{"cells": ' + b"9" * 5000 + b"}", says=AGAIN),
]  # fmt: skip


def link_to(name: str) -> Any:
    def write(sheet: Sheet, path: Path) -> None:
        target = path.parent.parent / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.write_text(json.dumps(sheet.notebook) + SECRET, encoding="utf-8")
        path.symlink_to(target)

    return write


def linked_folder(sheet: Sheet, path: Path) -> None:
    target = path.parent.parent / "elsewhere" / sheet.lesson
    target.mkdir(parents=True, exist_ok=True)
    (target / f"{sheet.lesson}.ipynb").write_text(json.dumps(sheet.notebook), encoding="utf-8")
    path.with_suffix("").symlink_to(target.parent, target_is_directory=True)


def folder_with(files: dict[str, str], links: dict[str, str] | None = None) -> Any:
    """A student's folder with the notebook and other files beside it, links among them."""

    def write(sheet: Sheet, path: Path) -> None:
        folder = path.with_suffix("") / sheet.lesson
        folder.mkdir(parents=True)
        (folder / f"{sheet.lesson}.ipynb").write_text(json.dumps(sheet.notebook), encoding="utf-8")
        for name, text in files.items():
            (folder / name).write_text(textwrap.dedent(text), encoding="utf-8")
        for name, target in (links or {}).items():
            (folder / name).symlink_to(target)

    return write


def only_folder(_: Sheet, path: Path) -> None:
    path.with_suffix("").mkdir()


def pipe(_: Sheet, path: Path) -> None:
    os.mkfifo(path)


def two_in_folder(sheet: Sheet, path: Path) -> None:
    folder = path.with_suffix("")
    folder.mkdir()
    for name in ("first.ipynb", "second.ipynb"):
        (folder / name).write_text(json.dumps(sheet.notebook), encoding="utf-8")


def renamed_in_folder(sheet: Sheet, path: Path) -> None:
    folder = path.with_suffix("")
    folder.mkdir()
    (folder / f"{sheet.lesson} (1).ipynb").write_text(json.dumps(sheet.notebook), encoding="utf-8")


def blank_and_copy(sheet: Sheet, path: Path) -> None:
    folder = path.with_suffix("")
    folder.mkdir()
    blank = Sheet(sheet.lesson, answered=False).notebook
    (folder / f"{sheet.lesson}.ipynb").write_text(json.dumps(blank), encoding="utf-8")
    (folder / f"Copy of {sheet.lesson}.ipynb").write_text(json.dumps(sheet.notebook), encoding="utf-8")


SHADOWS = dict.fromkeys(("numpy.py", "torch.py", "nas_lib.py", "sitecustomize.py"), "raise SystemExit\n")
CONFIG = {"nbgrader_config.py": f"open('{SECRET}', 'w')\n", "jupyter_config.py": f"open('{SECRET}', 'w')\n"}
PLACES = [
    Case("a link to a file", "links", Earns.REFUSED, write=link_to("outside.ipynb"), says="link"),
    Case("a link to nowhere", "links", Earns.REFUSED, write=lambda _, path: path.symlink_to("/nowhere"), says="link"),
    Case("a link to an endless file", "links", Earns.REFUSED, write=lambda _, path: path.symlink_to("/dev/zero"), says="link"),
    Case("a linked folder", "links", Earns.REFUSED, write=linked_folder, says="link"),
    Case("links beside the notebook", "links", Earns.ALL, write=folder_with({}, {"secret.txt": "../../../outside.txt", "dir": "/etc"})),
    Case("shadow modules beside the notebook", "links", Earns.ALL, write=folder_with(SHADOWS)),
    Case("settings beside the notebook", "links", Earns.ALL, write=folder_with(CONFIG)),
    Case("a time that is none", "links", Earns.ALL, write=folder_with({"timestamp.txt": "yesterday"})),
    Case("a time that is a link", "links", Earns.ALL, write=folder_with({}, {"timestamp.txt": "/dev/zero"})),
    Case("a named pipe", "links", Earns.REFUSED, write=pipe, says="no notebook"),
    Case("an empty folder", "links", Earns.REFUSED, write=only_folder, says="hand one in"),
    Case("two notebooks in a folder", "links", Earns.REFUSED, write=two_in_folder, says="2 notebooks"),
    Case("a blank original beside the copy that was worked in", "honest", Earns.ALL, write=blank_and_copy, noted="Copy of .* the only one that was worked in"),
    Case("a renamed notebook in a folder", "honest", Earns.ALL, write=renamed_in_folder),
]  # fmt: skip

NOTEBOOKS: list[Case] = [*CELLS, *PAGES, *FILES, *PLACES]
