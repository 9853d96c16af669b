"""Checks of lesson 03: the exact policy gradient, REINFORCE's loss, its baseline, returns, and the controller.

The functions are compared with the reference, gradients included; the controller has a judge.

torch is imported where it is used: looking an exercise up by its name imports the checks of all lessons.
"""

from nas_lib.checks.questions import ConceptQuestion
from nas_lib.checks.registry import register
from nas_lib.checks.rl_controller.controller import ControllerClass
from nas_lib.checks.rl_controller.gradients import ExactPolicyGradient, ReinforceLoss
from nas_lib.checks.rl_controller.sequences import DiscountedReturns, EmaBaseline
from nas_lib.checks.rl_controller.shared import LESSON

register(
    ExactPolicyGradient(),
    ReinforceLoss(),
    EmaBaseline(),
    ControllerClass(),
    DiscountedReturns(),
    *(ConceptQuestion(f"concept_03_{number}", LESSON) for number in (1, 2, 3, 4)),
)
