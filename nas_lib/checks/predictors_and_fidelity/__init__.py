"""Checks of lesson 08: encodings, predictors, Bayesian optimisation, brackets, simulated workers, activation codes.

Everything but the search is a value of its arguments and compared with the reference's. The search is judged by the log
of what it evaluated and of what it asked its predictor (`nas_lib.judges.predictors_and_fidelity`).

torch is imported where it is used: looking an exercise up by its name imports the checks of all lessons.
"""

from nas_lib.checks.predictors_and_fidelity.encoding import PathEncoding
from nas_lib.checks.predictors_and_fidelity.fidelity import Asha, HyperbandBrackets
from nas_lib.checks.predictors_and_fidelity.predictors import (
    ExpectedImprovement,
    GaussianProcess,
    RidgePredictor,
)
from nas_lib.checks.predictors_and_fidelity.proxies import NaswotScore
from nas_lib.checks.predictors_and_fidelity.search import BayesianOptimization
from nas_lib.checks.predictors_and_fidelity.shared import LESSON
from nas_lib.checks.questions import ConceptQuestion
from nas_lib.checks.registry import register

register(
    PathEncoding(),
    RidgePredictor(),
    GaussianProcess(),
    ExpectedImprovement(),
    BayesianOptimization(),
    HyperbandBrackets(),
    Asha(),
    NaswotScore(),
    *(ConceptQuestion(f"concept_08_{place}", LESSON) for place in (1, 2, 3, 4)),
)
