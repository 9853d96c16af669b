"""Checks of lesson 04: mixed operations, the supernet's cell, discretisation, the steps of DARTS, Gumbel-softmax,
expected latency.

Everything is small, smooth and in float64. The cell keeps the operations that it comes with. The steps act on toy
models by torch's own optimisers: the bilevel toy of the DARTS paper (figure 2), a mixture of linear maps, and a line
that tells where on it a loss was asked for (`toys`). What a step moved is compared with the reference's. All but the
samples of Gumbel-softmax is compared; those are judged by what they have to satisfy, and by counts.

torch is imported where it is used: looking an exercise up by its name imports the checks of all lessons.
"""

from nas_lib.checks.darts.gumbel import GumbelSoftmaxSample
from nas_lib.checks.darts.mixing import CellSupernetClass, Discretize, MixedOp
from nas_lib.checks.darts.pricing import ExpectedLatency
from nas_lib.checks.darts.shared import LESSON
from nas_lib.checks.darts.steps import AlphaStepFirstOrder, AlphaStepSecondOrder, WeightStep
from nas_lib.checks.questions import ConceptQuestion
from nas_lib.checks.registry import register

register(
    MixedOp(),
    CellSupernetClass(),
    Discretize(),
    WeightStep(),
    AlphaStepFirstOrder(),
    AlphaStepSecondOrder(),
    GumbelSoftmaxSample(),
    ExpectedLatency(),
    *(ConceptQuestion(f"concept_04_{number}", LESSON) for number in (1, 2, 3, 4)),
)
