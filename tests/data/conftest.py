"""What the tests of data need: the command line as a user types it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import convnet_py
from convnet_py.cli import main

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def start(tmp_path: Path):
    """Starts ``convnet data ...`` in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(Path(next(iter(convnet_py.__path__))).parent)}

    def start_it(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "convnet_py.cli", "data", *map(str, arguments)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=tmp_path, env=environment)

    return start_it


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture):
    """Runs ``convnet data ...`` to its end, in this process."""
    monkeypatch.chdir(tmp_path)

    def run_it(*arguments: object) -> subprocess.CompletedProcess[str]:
        capfd.readouterr()
        status = main(["data", *map(str, arguments)])
        stdout, stderr = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, status, stdout, stderr)

    return run_it


@pytest.fixture
def refused(data):
    """Runs ``convnet data ...`` and returns the one line that it complains with."""

    def run_it(*arguments: object) -> str:
        result = data(*arguments)
        assert result.returncode in (1, 2), result.stdout
        (line,) = result.stderr.splitlines()
        return line

    return run_it
