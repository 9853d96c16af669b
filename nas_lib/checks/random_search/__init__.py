"""Checks of lesson 01, one module per exercise: sampling, random search, regret, the odds of random draws, and
the paired bootstrap.

Code that takes a generator may draw from it in any order, so what is random is judged by its distribution.
Each exercise states as `false_fail` how likely bad luck fails right code; the bounds are proven (`_stats`), no
simulation enters. Everything else is exact.
"""

from nas_lib.checks.questions import ConceptQuestion
from nas_lib.checks.random_search.bootstrap import PairedBootstrap
from nas_lib.checks.random_search.curves import IncumbentCurve, SimpleRegret
from nas_lib.checks.random_search.odds import SamplesForTopFraction
from nas_lib.checks.random_search.sampling import SampleUniform
from nas_lib.checks.random_search.search import RandomSearch
from nas_lib.checks.registry import register

register(
    SampleUniform(),
    RandomSearch(),
    IncumbentCurve(),
    SimpleRegret(),
    SamplesForTopFraction(),
    PairedBootstrap(),
    *(ConceptQuestion(f"concept_01_{number}", "01_random_search") for number in (1, 2, 3, 4)),
)
