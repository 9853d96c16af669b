"""Checks of lesson 07: what scaling costs, how it is rounded, the two blocks, the grid search, and augmentation.

Functions of numbers are compared with the reference. Blocks get weights that the check draws and are compared with the
library's, in evaluation and in training. Random augmentation is judged by its results: each has to be one that the
operations, or a pair of images, can give, and they have to come as often as they should. Right code fails by bad luck
with probability at most `false_fail`: 5e-10 for each count (`_stats`).

torch is imported where it is used: looking an exercise up by its name imports the checks of all lessons.
"""

from nas_lib.checks.compound_scaling.blocks import FusedBlock, MBConvBlock
from nas_lib.checks.compound_scaling.grid_search import GridSearch
from nas_lib.checks.compound_scaling.mixup import Mixup
from nas_lib.checks.compound_scaling.numbers import RoundFilters, RoundRepeats, ScaledCost
from nas_lib.checks.compound_scaling.rand_augment import RandAugment
from nas_lib.checks.compound_scaling.schedule import ProgressiveSchedule
from nas_lib.checks.compound_scaling.shared import LESSON
from nas_lib.checks.compound_scaling.stages import EfficientNetStages
from nas_lib.checks.questions import ConceptQuestion
from nas_lib.checks.registry import register

register(
    ScaledCost(),
    RoundFilters(),
    RoundRepeats(),
    EfficientNetStages(),
    MBConvBlock(),
    FusedBlock(),
    GridSearch(),
    Mixup(),
    RandAugment(),
    ProgressiveSchedule(),
    *(ConceptQuestion(f"concept_07_{number}", LESSON) for number in (1, 2, 3, 4)),
)
