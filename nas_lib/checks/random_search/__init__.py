"""Checks of lesson 01: uniform draws, random search, curves, the odds of random search, and the paired bootstrap."""

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
