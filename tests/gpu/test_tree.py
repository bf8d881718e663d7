"""The stand-in for the historic sources on a GPU: built by nvcc, trained, and held against the rebuilt engine there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
DIGITS = TESTS.parent / "layer_defs" / "digits"


def convnet(slot: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "convnet_py.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "CONVNET_ORIGINAL": str(slot)})


@pytest.fixture(scope="module")
def slot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("nvcc") is None:
        pytest.skip("there is no nvcc on the search path")
    folder = tmp_path_factory.mktemp("slot")
    for command in (["import", TESTS / "historic_tree"], ["build", "--device=cuda"]):
        done = convnet(folder, "original", *command)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_it_learns_the_digits(slot: Path, tmp_path: Path) -> None:
    files = [f"--layer-def={DIGITS}/layers.cfg", f"--layer-params={DIGITS}/params.cfg"]
    done = convnet(
        slot, "train", "--engine=original", "--device=cuda", "--data-provider=digits", "--train-range=1-5",
        "--test-range=6", "--epochs=15", "--test-freq=75", "--mini=32", f"--save-path={tmp_path}", *files,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (errors,) = {float(text) for text in re.findall(r"^logprob:  \S+, (\S+),", done.stdout, re.MULTILINE)}
    assert errors <= 0.02


def test_it_agrees_with_the_rebuilt_engine(slot: Path, tmp_path: Path) -> None:
    # Without dropout: the sources' masks are drawn by their own random numbers.
    params = tmp_path / "params.cfg"
    params.write_text(re.sub("^enable=.*", "enable=false", (DIGITS / "params.cfg").read_text(), flags=re.MULTILINE))
    done = convnet(
        slot, "compare", "--engines=original:cuda,rebuilt:cuda,rebuilt", "--data-provider=digits", "--mini=287",
        "--epochs=1", f"--layer-def={DIGITS}/layers.cfg", f"--layer-params={params}",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
