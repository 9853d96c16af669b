"""What is generated is the same on every processor: they round differently, and no file or grade may show it.

Older processors are this one with its newer instructions switched off, for all that computes: numpy, OpenBLAS, torch,
MKL, oneDNN and the C library.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__ as dispatched
from products import ROOT, kept

from autograder.author.build import PUBLIC_CHECKS, same_content
from nas_lib import checks

# Writes the public checks of the lessons named into the folder named, and tells which instances some seeds give.
REBUILD = """
import hashlib, json, sys
import solutions
from nas_lib import checks

drawn = hashlib.sha256()
for lesson in checks.lessons():
    if lesson in sys.argv[2:]:
        checks.write_public(lesson, solutions.load(lesson), sys.argv[1])
    for item in checks.exercises(lesson).values():
        drawn.update(json.dumps([checks.encode(item.instances(seed)) for seed in range(3)]).encode())
print(drawn.hexdigest())
"""
PROCESSORS: dict[str, dict[str, str]] = {
    "as it is": {},
    "without AVX-512": {
        "OPENBLAS_CORETYPE": "Haswell",
        "ATEN_CPU_CAPABILITY": "avx2",
        "NPY_DISABLE_CPU_FEATURES": " ".join(one for one in dispatched if "512" in one or one == "X86_V4"),
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL",
    },
    "without AVX2": {
        "OPENBLAS_CORETYPE": "Prescott",
        "ATEN_CPU_CAPABILITY": "default",
        "NPY_DISABLE_CPU_FEATURES": " ".join(dispatched),
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-FMA",
    },
}


def rebuild(all_on_each: bool) -> dict[str, Any]:
    """By processor: a digest of the instances of some seeds, to the last bit, and which files are not as committed.

    Args:
        all_on_each: compare the files of all lessons on each older processor, not of every fourth one.
    """
    found = {}
    for number, (processor, settings) in enumerate(PROCESSORS.items()):
        # This processor's own files are compared in test_build.
        step = 1 if all_on_each else 4
        lessons = checks.lessons()[number % step :: step] if settings else []
        with tempfile.TemporaryDirectory(prefix="nas-public-") as folder:
            command = [sys.executable, "-W", "ignore", "-c", REBUILD, folder, *lessons]
            env = os.environ | {"PYTHONPATH": str(ROOT)} | settings
            drawn = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout
            names = [f"{lesson}.json" for lesson in lessons]
            differ = [
                name for name in names if not same_content(Path(folder) / name, ROOT / PUBLIC_CHECKS / name)
            ]
        found[processor] = {"instances": drawn, "differ": differ}
    return found


@pytest.mark.parametrize("all_on_each", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_public_checks_and_instances_are_the_same_on_every_processor(all_on_each):
    name = f"public-checks-{'all' if all_on_each else 'some'}"
    with kept(name, partial(rebuild, all_on_each), ("nas_lib", "solutions", "autograder/author")) as found:
        assert [one["differ"] for one in found.values()] == [[], [], []], "run `make build`"
        assert len({one["instances"] for one in found.values()}) == 1, "processors round numbers differently"
