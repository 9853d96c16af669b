"""Cases of `path_encoding`: random cells, equal paths, `none`, each operation alone."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.random import default_rng

from nas_lib.checks.exercise import Instance
from nas_lib.checks.predictors_and_fidelity.shared import LESSON
from nas_lib.checks.values import Part, ValueExercise
from nas_lib.spaces import OPS, Cell

OTHER = (OPS[4], OPS[1], OPS[3], OPS[2], OPS[0], OPS[1])


class PathEncoding(ValueExercise):
    """`path_encoding(arch)`."""

    name, lesson, returns = "path_encoding", LESSON, "floats"
    parts: ClassVar[tuple[Part, ...]] = (Part(what="the encoding", concept="wrong-encoding"),)

    def instances(self, seed: int) -> list[Instance]:
        """Random cells, equal paths, equal operations everywhere, lists; bad input."""
        rng = default_rng(seed)

        def cell(count: int = 6) -> list[str]:
            return [str(op) for op in rng.choice(OPS, size=count)]

        one, other, third = (str(op) for op in rng.permutation(OPS[1:])[:3])
        # Edges 0→1 and 0→2 alike, 1→3 and 2→3 alike: one sequence on two paths.
        return [
            # All operations differ from their neighbours', so that each edge and each order shows.
            {"arch": [one, other, third, "none", third, one], "about": "six edges, all paths different"},
            *({"arch": cell()} for _ in range(3)),
            {
                "arch": [one, one, other, third, other, other],
                "about": "a cell with one sequence on two paths",
            },
            *({"arch": [op] * 6, "about": f"{op} on every edge"} for op in OPS),
            {"arch": [one, "none", other, "none", third, "none"], "about": "a cell with none on three edges"},
            {"arch": cell(), "form": "cell", "about": "a Cell of the library"},
            {"arch": [other, one, third, third, "none", one], "form": "list", "about": "a list"},
            {"arch": cell(5), "bad": "a cell of five operations"},
            {"arch": cell(7), "bad": "a cell of seven operations"},
            {"arch": [], "bad": "a cell of no operations"},
            {"arch": [*cell(5), "conv_9x9"], "bad": "an unknown operation"},
            {"arch": [*cell(2), "skip_connect ", *cell(3)], "bad": "a blank behind an operation's name"},
            {"arch": ["Skip_Connect", *cell(5)], "bad": "an operation with capitals"},
            {"arch": [*cell(3), "skip", *cell(2)], "bad": "a part of an operation's name"},
            {"arch": [3, *cell(5)], "bad": "a number in place of an operation's name"},
        ]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The encoding of the cell as a tuple, a list or the library's type, looked at after that of another cell."""
        make: Any = {"list": list, "cell": Cell}.get(instance.get("form", ""), tuple)
        found = fn(make(instance["arch"]))
        fn(
            OTHER
        )  # in one array for all cells it would overwrite the first; a sound one, also after bad input
        return found
