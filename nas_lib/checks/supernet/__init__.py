"""Checks of lesson 05: which path is trained, how, what its batch norms need, what a ranking is worth, search under a
limit, a controller on shared weights, and the parts of once-for-all.

Most exercises are exact and declared: networks cross as plain numbers, and what became of them is compared with the
reference's. Draws and the search are behaviour, judged in `nas_lib.judges.supernet`.
"""

from nas_lib.checks.questions import ConceptQuestion
from nas_lib.checks.registry import register
from nas_lib.checks.supernet.distillation import DistillationLoss, ProgressiveShrinkingSchedule
from nas_lib.checks.supernet.drawing import FairPaths, SamplePath
from nas_lib.checks.supernet.fair import TrainFairStep
from nas_lib.checks.supernet.networks import RecalibrateBn, TrainSinglePathStep
from nas_lib.checks.supernet.ranking import RankCorrelation
from nas_lib.checks.supernet.search import EvolveUnderConstraint
from nas_lib.checks.supernet.shared import LESSON
from nas_lib.checks.supernet.sharing import EnasControllerStep
from nas_lib.checks.supernet.slicing import SliceKernel, SliceWidth

register(
    SamplePath(),
    FairPaths(),
    TrainSinglePathStep(),
    TrainFairStep(),
    RecalibrateBn(),
    RankCorrelation(),
    EvolveUnderConstraint(),
    EnasControllerStep(),
    SliceKernel(),
    SliceWidth(),
    ProgressiveShrinkingSchedule(),
    DistillationLoss(),
    *(ConceptQuestion(f"concept_05_{number}", LESSON) for number in (1, 2, 3, 4)),
)
