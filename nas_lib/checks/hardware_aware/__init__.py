"""Checks of lesson 06: timing, latency tables, rooflines, rewards, searches by them, Pareto fronts, quantisation.

Timing is checked on a machine made of numbers, whose clock stands still unless it works, so that nothing depends on
how busy the computer is. torch is imported where it is used: looking an exercise up by its name imports the checks of
all lessons.
"""

from nas_lib.checks.hardware_aware.fronts import Hypervolume, ParetoFront
from nas_lib.checks.hardware_aware.latencies import (
    BenchmarkLatency,
    LatencyTable,
    PredictLatency,
    RooflineLatency,
)
from nas_lib.checks.hardware_aware.quantisation import FakeQuantize, SearchBits
from nas_lib.checks.hardware_aware.reward import MnasnetReward
from nas_lib.checks.hardware_aware.search import HardwareAwareSearch
from nas_lib.checks.questions import ConceptQuestion
from nas_lib.checks.registry import register

register(
    BenchmarkLatency(),
    LatencyTable(),
    PredictLatency(),
    RooflineLatency(),
    MnasnetReward(),
    HardwareAwareSearch(),
    ParetoFront(),
    Hypervolume(),
    FakeQuantize(),
    SearchBits(),
    *(ConceptQuestion(f"concept_06_{number}", "06_hardware_aware") for number in (1, 2, 3, 4)),
)
