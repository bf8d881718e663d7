"""The CUDA device without a GPU: its library as g++ and the emulation build it, and commands that compute with it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
#: Compiler options that `make sanitize` sets.
SANITIZERS = os.environ.get("CONVNET_TEST_SANITIZERS")

#: Two emulated GPUs. What lacks a barrier or a wait, or reads what nobody has written, gives other results with these
#: than it gives by luck (platform/emulation/README.md).
EMULATION = {
    "CONVNET_EMULATION_DEVICES": "2",
    "CONVNET_EMULATION_ORDER": "shuffled",
    "CONVNET_EMULATION_POISON": "1",
    "CONVNET_EMULATION_STREAMS": "shuffled",
}
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def emulated_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """libconvnet_cuda for the CPU."""
    build = tmp_path_factory.mktemp("emulated")
    options = [f"-DPython_EXECUTABLE={sys.executable}"]
    if SANITIZERS:
        options += [f"-DCMAKE_CXX_FLAGS={SANITIZERS}", "-DCMAKE_BUILD_TYPE=None"]  # the sanitizers' -O1, not Release's
    for step in (["-S", HERE, "-B", build, "-G", "Ninja", *options], ["--build", build]):
        done = subprocess.run(["cmake", *map(str, step)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    return build / "libconvnet_cuda_emulated.so"


@pytest.fixture(scope="session")
def run(emulated_library: Path) -> Run:
    """Runs a Python module on the emulated GPUs."""

    def run(module: str, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        library = {"CONVNET_CUDA_LIBRARY": str(emulated_library)}
        settings = {**os.environ, **library, **EMULATION, **environment}
        return subprocess.run(command, capture_output=True, text=True, env=settings)

    return run
