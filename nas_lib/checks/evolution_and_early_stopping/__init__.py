"""Checks of lesson 02: local search, evolution, successive halving, rank correlation, and scores of untrained networks.

Searches are judged by the log of their evaluations (`nas_lib.judges.evolution_and_early_stopping`). Everything else is
a value of its arguments and compared with the reference's.

torch is imported where it is used: looking an exercise up by its name imports the checks of all lessons.
"""

from nas_lib.checks.evolution_and_early_stopping.halving import SuccessiveHalving
from nas_lib.checks.evolution_and_early_stopping.proxies import GradNormScore, SynflowScore
from nas_lib.checks.evolution_and_early_stopping.ranks import KendallTau, Spearman
from nas_lib.checks.evolution_and_early_stopping.searches import HillClimb, RegularizedEvolution
from nas_lib.checks.evolution_and_early_stopping.shared import LESSON
from nas_lib.checks.questions import ConceptQuestion
from nas_lib.checks.registry import register

register(
    HillClimb(),
    RegularizedEvolution(),
    SuccessiveHalving(),
    Spearman(),
    KendallTau(),
    SynflowScore(),
    GradNormScore(),
    *(ConceptQuestion(f"concept_02_{place}", LESSON) for place in (1, 2, 3, 4)),
)
