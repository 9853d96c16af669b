"""Checks of the exercises: `check("random_search", random_search)` tells a learner what is right and what is not.

One module per lesson holds its cases and probes; what a judge has to know beyond comparing values is in
`nas_lib.judges`. The framework: `exercise` (what a check is made of), `registry`, `values` (declared exercises);
`probing`, `holding`, `oracles` (the learner's side); `judging`, `transports`, `grading` (the other side); `public` and
`notebook`. Nothing here holds a reference implementation.
"""

from nas_lib.checks.codec import NotPlainData, decode, describe, encode, roundtrip
from nas_lib.checks.exercise import Answer, Exercise, Expected, Instance, Known, Verdict, public_part
from nas_lib.checks.grading import expected_answers, grade, grading_seed, instances_of
from nas_lib.checks.judging import verdicts, worst
from nas_lib.checks.notebook import Report, check
from nas_lib.checks.oracles import Oracle, RemoteOracle, serve
from nas_lib.checks.probing import read_answer, run_probe
from nas_lib.checks.public import PUBLIC_SEED, public_text, read_public, write_public
from nas_lib.checks.questions import ConceptQuestion
from nas_lib.checks.registry import exercise, exercises, lessons, register
from nas_lib.checks.transports import InProcess, Transport

__all__ = [
    "PUBLIC_SEED",
    "Answer",
    "ConceptQuestion",
    "Exercise",
    "Expected",
    "InProcess",
    "Instance",
    "Known",
    "NotPlainData",
    "Oracle",
    "RemoteOracle",
    "Report",
    "Transport",
    "Verdict",
    "check",
    "decode",
    "describe",
    "encode",
    "exercise",
    "exercises",
    "expected_answers",
    "grade",
    "grading_seed",
    "instances_of",
    "lessons",
    "public_part",
    "public_text",
    "read_answer",
    "read_public",
    "register",
    "roundtrip",
    "run_probe",
    "serve",
    "verdicts",
    "worst",
    "write_public",
]
