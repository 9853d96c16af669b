"""Multiple-choice questions about a lesson's concepts."""

from __future__ import annotations

from typing import Any

from nas_lib.checks.exercise import RIGHT, Answer, Exercise, Instance, Unacceptable, Verdict, show
from nas_lib.checks.judging import error_verdict


class ConceptQuestion(Exercise):
    """A multiple-choice question. In the notebook only the answer's form is checked; the key stays with the
    grader.

    Args:
        name: the variable that the learner assigns, such as "concept_01_1".
        lesson: the lesson's name.
        options: the letters, such as "abcd".
    """

    false_fail = 0.0
    none_is_answer = True

    def __init__(self, name: str, lesson: str, options: str = "abcd") -> None:
        self.name, self.lesson, self.options = name, lesson, options

    def instances(self, seed: int) -> list[Instance]:
        """One instance, the question itself."""
        return [{}]

    def probe(self, fn: Any, instance: Instance, oracle: Any) -> Any:
        """The learner's answer as it is."""
        return fn

    def letter(self, value: Any) -> str:
        """The option that `value` names: "b", " B ", "b)" and "(b)" are all b. Raises `Unacceptable` for
        anything else."""
        if value is None:
            raise Unacceptable("not-implemented", "not answered yet")
        letter = value.strip(" \t\n().:").lower() if type(value) is str else ""
        if len(letter) != 1 or letter not in self.options:
            wanted = ", ".join(f'"{option}"' for option in self.options)
            raise Unacceptable(
                "not-an-option", f"the answer is one letter out of {wanted}, not {show(value)}"
            )
        return letter

    def judge_error(self, instance: Instance, answer: Answer) -> Verdict:
        """The general one: what is no plain data."""
        return error_verdict(instance, answer)

    def judge(self, instance: Instance, answer: Answer, expected: Answer) -> Verdict:
        """Right or wrong; without a key (in the notebook) any option will do."""
        letter = self.letter(answer.value)
        if expected.value is None or letter == self.letter(expected.value):
            return RIGHT
        return Verdict(0.0, "wrong-option", f'"{letter}" is not the right option: read the recap again')
