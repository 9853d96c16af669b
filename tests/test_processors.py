"""What is generated is the same on every processor: they round differently, and no file or grade may show it.

Older processors are this one with its newer instructions switched off, for all that computes: numpy, OpenBLAS, torch,
MKL, oneDNN and the C library.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__ as dispatched

from autograder.author.build import PUBLIC_CHECKS, same_content
from nas_lib import checks

# Writes the public checks of every lesson into the folder named, and tells which instances some seeds give.
REBUILD = """
import hashlib, json, sys
import solutions
from nas_lib import checks

drawn = hashlib.sha256()
for lesson in checks.lessons():
    checks.write_public(lesson, solutions.load(lesson), sys.argv[1])
    for item in checks.exercises(lesson).values():
        drawn.update(json.dumps([checks.encode(item.instances(seed)) for seed in range(3)]).encode())
print(drawn.hexdigest())
"""
OLDER = {
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


def rebuilt(folder: Path, root: Path, settings: dict[str, str]) -> str:
    """Rebuild into the folder; a digest of the instances of other seeds, to the last bit."""
    command = [sys.executable, "-W", "ignore", "-c", REBUILD, str(folder)]
    env = os.environ | {"PYTHONPATH": str(root)} | settings
    return subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout


@pytest.fixture(scope="module")
def instances_here(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return rebuilt(tmp_path_factory.mktemp("here"), repository, {})


@pytest.mark.parametrize("settings", OLDER.values(), ids=OLDER)
def test_public_checks_and_instances_are_the_same_on_an_older_processor(
    settings: dict[str, str], instances_here: str, repository: Path, tmp_path: Path
):
    assert rebuilt(tmp_path, repository, settings) == instances_here, (
        "processors round some numbers differently"
    )
    for lesson in checks.lessons():
        name = f"{lesson}.json"
        assert same_content(tmp_path / name, repository / PUBLIC_CHECKS / name), name
