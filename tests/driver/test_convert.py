"""--conv-to-local and --unshare-weights on a saved net: it computes the same, and trains on (spec 4.2)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from convnet_py.cli import main

DEFINITION = """
[data]
type=data
dataIdx=0
[labels]
type=data
dataIdx=1
[conv1]
type=conv
inputs=data
channels=3
filters=16
filterSize=3
padding=1
initW=0.3
initB=0.1
partialSum=0
neuron=relu
gpu=0
[conv2]
type=conv
inputs=conv1
channels=16
filters=16
filterSize=3
padding=1
initW=0.2
partialSum=0
neuron=relu
[conv3]
type=conv
inputs=conv2
channels=16
filters=16
filterSize=3
padding=1
initW=0.2
partialSum=0
weightSource=conv2
[fc]
type=fc
inputs=conv3
outputs=10
initW=0.1
[probs]
type=softmax
inputs=fc
[cost]
type=cost.logreg
inputs=labels,probs
gpu=0
"""
WEIGHTS = "epsW=0.0005\nepsB=0.0005\nmomW=0.9\nmomB=0.9\nwc=0.001\n"


@pytest.fixture
def saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The folder of a run over two batches."""
    (tmp_path / "layers.cfg").write_text(DEFINITION)
    (tmp_path / "params.cfg").write_text(
        "".join(f"[{name}]\n{WEIGHTS}" for name in ("conv1", "conv2", "conv3", "fc")) + "[cost]\ncoeff=1\n"
    )
    files = [f"--layer-def={tmp_path / 'layers.cfg'}", f"--layer-params={tmp_path / 'params.cfg'}"]
    data = ["--data-provider=dummy-lr-192", "--dummy-cases=32", "--train-range=1-2", "--test-range=3", "--epochs=1"]
    assert main(["train", *files, *data, f"--save-path={tmp_path / 'runs'}"]) == 0
    capsys.readouterr()
    [folder] = (tmp_path / "runs").iterdir()
    return folder


def cost_of(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> float:
    """The cost per case of a test."""
    assert main(["test", "-f", str(folder), *options]) == 0
    return float(re.findall(r"cost:\s+([0-9.]+)", capsys.readouterr().out)[-1])


@pytest.mark.parametrize(
    "options",
    [
        ["--conv-to-local=conv1"],
        ["--conv-to-local=conv2"],  # conv3 shares with it and follows
        ["--unshare-weights=conv3"],
        ["--unshare-weights=conv3[0]", "--conv-to-local=conv3"],
    ],
    ids=" ".join,
)
def test_a_converted_net_computes_the_same_and_trains_on(
    options: list[str], saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = cost_of(saved, capsys)
    assert cost_of(saved, capsys, *options) == pytest.approx(before, abs=2e-6)
    assert main(["train", "-f", str(saved), "--epochs=2", *options]) == 0
    capsys.readouterr()
    trained = cost_of(saved, capsys)
    assert trained != before
    # The options were cleared: the conversion is not tried on the converted net again.
    assert main(["train", "-f", str(saved), "--epochs=3"]) == 0


def test_an_unknown_layer_is_one_line(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "-f", str(saved), "--conv-to-local=nowhere"]) == 2
    errors = capsys.readouterr().err
    assert "nowhere" in errors and errors.count("\n") == 1
