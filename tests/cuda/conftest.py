"""The CUDA device without a GPU: its library as g++ and the emulation build it, and commands that compute with it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def emulated_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """libconvnet_cuda for the CPU."""
    build = tmp_path_factory.mktemp("emulated")
    for step in (["-S", HERE, "-B", build, "-G", "Ninja", f"-DPython_EXECUTABLE={sys.executable}"], ["--build", build]):
        done = subprocess.run(["cmake", *map(str, step)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    return build / "libconvnet_cuda_emulated.so"


@pytest.fixture(scope="session")
def run(emulated_library: Path) -> Run:
    """Runs a Python module, with two emulated GPUs."""

    def run(module: str, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        gpus = {"CONVNET_CUDA_LIBRARY": str(emulated_library), "CONVNET_EMULATION_DEVICES": "2"}
        return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **gpus, **environment})

    return run
