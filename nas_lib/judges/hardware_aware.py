"""The judge of lesson 06's joint search: by what was evaluated, whatever the algorithm. Everything is exact."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from nas_lib.checks.codec import describe
from nas_lib.checks.exercise import RIGHT, Answer, Instance, Verdict, fail, show
from nas_lib.judges import Judge
from nas_lib.judges.reading import column


class SearchBits(Judge):
    """`search_bits`: each pair once, all within the limit, and the best of them wins."""

    exercise, lesson = "search_bits", "06_hardware_aware"

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """What was called, what the history says of it, and who won."""
        calls = [(call.args[0], call.args[1], call.value) for call in answer.calls if call.refused is None]
        where = {pair: i for i, pair in enumerate(itertools.product(instance["archs"], instance["bits"]))}
        sizes = list(itertools.chain(*instance["sizes"]))
        fits = {pair for pair, i in where.items() if sizes[i] <= instance["limit"]}
        if answer.value.get("kind"):
            return fail(
                "wrong-type",
                f"search_bits should return a pair ((arch, bits), History), not {answer.value['kind']}",
            )
        for arch, bits, _ in calls:
            if (arch, bits) not in fits:
                return fail(
                    "evaluates-what-does-not-fit",
                    f"({show(arch)}, {bits}) was evaluated, and its size {show(sizes[where[arch, bits]])} "
                    f"exceeds the limit {show(instance['limit'])}: ask size() first, it costs nothing",
                )
        pairs = [(arch, bits) for arch, bits, _ in calls]
        if len(set(pairs)) < len(pairs):
            return fail(
                "pair-twice",
                "a pair was evaluated twice: an evaluation is a training, so remember what was seen",
            )
        due = min(instance["budget"], len(fits))
        if len(pairs) > instance["budget"]:
            return fail(
                "too-many-evaluations", f"{len(pairs)} evaluations, the budget was {instance['budget']}"
            )
        if len(pairs) < due:
            return self._too_few(pairs, fits, due, instance)
        return self._of_the_answer(answer.value, calls)

    @staticmethod
    def _too_few(pairs: list[Any], fits: set[Any], due: int, instance: Instance) -> Verdict:
        missing = fits - set(pairs)
        stuck = len({bits for _, bits in pairs}) == 1 or len({arch for arch, _ in pairs}) == 1
        if stuck and len({bits for _, bits in fits}) > 1 and len({arch for arch, _ in fits}) > 1:
            return fail(
                "one-after-the-other",
                f"{len(pairs)} evaluations instead of {due}: pairs such as {show(min(missing))} are never tried. "
                "Architecture and bits are chosen *together*",
            )
        return fail(
            "under-budget",
            f"{len(pairs)} evaluations where {due} were paid for: go on while pairs are left",
        )

    @staticmethod
    def _of_the_answer(value: dict[str, Any], calls: list[Any]) -> Verdict:
        archs = value.get("archs")
        if type(archs) is not list:
            return fail("wrong-type", f"the history's archs should be a list, not {describe(archs)}")
        seen = [tuple(one) if type(one) is list else one for one in archs]
        values = column(value["values"], len(calls), "the history's values")
        if seen != [(arch, bits) for arch, bits, _ in calls]:
            return fail(
                "wrong-history",
                "the history's archs should be the pairs (arch, bits) in the order of evaluation",
            )
        if not np.allclose(values, [one[2] for one in calls], rtol=1e-9):
            return fail("wrong-history", "the history's values are not what evaluate gave, in order")
        winner = tuple(value["winner"]) if type(value["winner"]) is list else value["winner"]
        if winner not in seen:
            return fail(
                "not-the-best-pair",
                f"the winner should be one of the pairs (arch, bits) evaluated, not {show(winner)}",
            )
        if values[seen.index(winner)] < values.max():
            return fail(
                "not-the-best-pair",
                f"the winner has {show(float(values[seen.index(winner)]))} %, and {show(float(values.max()))} % "
                "was seen: return the *best* pair",
            )
        return RIGHT
