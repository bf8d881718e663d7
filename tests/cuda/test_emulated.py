"""The CUDA device's kernels, run on the CPU by platform/emulation, against the oracles of tests/oracle (design, "Tests").

Products of matrices come from a BLAS of the CPU here; cuBLAS itself takes part on a GPU only (tests/gpu).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ORACLE_TESTS = sorted((HERE.parent / "oracle").glob("test_*.py"))


def _run(*command: str | Path, **environment: str) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=os.environ | environment)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]


@pytest.fixture(scope="session")
def emulated_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """libconvnet_cuda as g++ and the emulation build it."""
    build = tmp_path_factory.mktemp("emulated")
    _run("cmake", "-S", HERE, "-B", build, "-G", "Ninja", f"-DPython_EXECUTABLE={sys.executable}")
    _run("cmake", "--build", build)
    return build / "libconvnet_cuda_emulated.so"


@pytest.mark.parametrize("tests", ORACLE_TESTS, ids=lambda path: path.stem.removeprefix("test_"))
def test_operations(tests: Path, emulated_library: Path) -> None:
    _run(
        sys.executable, "-m", "pytest", "-x", tests, "-p", "no:cacheprovider",
        CONVNET_TEST_DEVICE="cuda", CONVNET_CUDA_LIBRARY=str(emulated_library), CONVNET_TEST_EXAMPLES="12",
    )  # fmt: skip
