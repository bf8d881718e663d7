"""A small net and a small batch folder on disk, and runs over them with the test engine or as a subprocess."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convnet_py import build
from convnet_py.options import parse_arguments

sys.path.insert(0, str(Path(__file__).parent))
from small_data import make_batch, write_pickle
from softmax_regression import SoftmaxRegression

LAYERS = """
[data]
type=data
dataIdx=0
[labels]
type=data
dataIdx=1
[fc]
type=fc
inputs=data
outputs=4
initW=0.001
gpu=0
[probs]
type=softmax
inputs=fc
[logprob]
type=cost.logreg
inputs=labels,probs
gpu=0
"""

PARAMS = """
[fc]
epsW=0.00001
epsB=0.01
momW=0.9
momB=0.9
wc=0
[logprob]
coeff=1
"""


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    """Batches 1 to 5 of 40 cases of 12 values, in 4 classes that can be told apart."""
    folder = tmp_path / "data"
    folder.mkdir()
    meta = {
        "num_vis": 12,
        "data_mean": np.full((12, 1), 60.0),
        "label_names": list("abcd"),
        "dp_type": "labeled-memory",
    }
    write_pickle(folder / "batches.meta", meta)
    for number in range(1, 6):
        write_pickle(folder / f"data_batch_{number}", make_batch(number))
    return folder


@pytest.fixture
def net(tmp_path: Path) -> tuple[Path, Path]:
    """Definition and parameter file of a softmax regression."""
    (tmp_path / "layers.cfg").write_text(LAYERS)
    (tmp_path / "params.cfg").write_text(PARAMS)
    return tmp_path / "layers.cfg", tmp_path / "params.cfg"


@pytest.fixture
def arguments(tmp_path: Path, data_folder: Path, net: tuple[Path, Path]) -> list[str]:
    """A complete command line: 3 training batches, 2 test batches, 4 epochs, a test every 2 batches."""
    return [
        f"--data-path={data_folder}",
        "--train-range=1-3",
        "--test-range=4-5",
        f"--save-path={tmp_path / 'save'}",
        f"--layer-def={net[0]}",
        f"--layer-params={net[1]}",
        "--epochs=4",
        "--test-freq=2",
        "--mini=16",
        "--threads=1",
    ]


@pytest.fixture
def build_test_run(monkeypatch: pytest.MonkeyPatch):
    """Builds a run from a command line, with the test engine in place of the real one."""
    monkeypatch.setattr(
        build, "make_engine", lambda name, layers, **settings: SoftmaxRegression(layers, settings["minibatch_size"])
    )
    warnings: list[str] = []

    def build_it(arguments: list[str]):
        run = build.build_run(parse_arguments(arguments), warnings.append)
        run.warnings = warnings
        return run

    return build_it


@pytest.fixture
def start(tmp_path: Path):
    """Starts a module of the package under test in a process of its own, in a folder that is not the checkout."""
    environment = {**os.environ, "PYTHONPATH": str(Path(build.__file__).parents[1])}
    folder = tmp_path / "elsewhere"
    folder.mkdir()

    def start_it(*arguments: str, module: str = "convnet_py.cli") -> subprocess.Popen[str]:
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, env=environment
        )

    return start_it


@pytest.fixture
def convnet(start):
    """Runs ``convnet SUBCOMMAND`` to its end, as a user does."""

    def run_it(*arguments: str, module: str = "convnet_py.cli") -> subprocess.CompletedProcess[str]:
        process = start(*arguments, module=module)
        stdout, stderr = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    return run_it


@pytest.fixture
def historic(convnet):
    """Runs the historic training command line."""
    return functools.partial(convnet, module="convnet_py.convnet")
