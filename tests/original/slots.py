"""The stand-in for the historic sources, and the command line on a slot that holds it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

STAND_IN = Path(__file__).parent.parent / "historic_tree"


def convnet(slot: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line as a user types it."""
    environment = {**os.environ, "CONVNET_ORIGINAL": str(slot)}
    command = [sys.executable, "-m", "convnet_py.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def sanitized() -> list[str]:
    """The build's arguments under `make sanitize`."""
    options = os.environ.get("CONVNET_TEST_SANITIZERS")
    return [f"-DCMAKE_CXX_FLAGS={options}"] if options else []


def silent(text: str) -> None:
    raise AssertionError(f"unexpected warning: {text}")
