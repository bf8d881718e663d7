"""End to end with the rebuilt engine: the digits net learns, repeats and resumes bit for bit; the demo (house plan)."""

from __future__ import annotations

import hashlib
import re
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convnet_py import checkpoint
from convnet_py.demo import layer_defs, weights_sha256

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")


def short_run(folder: Path, *more: str) -> list[str]:
    """A command line that trains the digits net, with its dropout, for a few batches."""
    net = layer_defs() / "digits"
    return [
        "--data-provider=digits",
        f"--layer-def={net / 'layers.cfg'}",
        f"--layer-params={net / 'params.cfg'}",
        "--train-range=1-5",
        "--test-range=6",
        "--epochs=2",
        "--test-freq=3",
        "--mini=64",
        f"--save-path={folder}",
        *more,
    ]


def only_folder(path: Path) -> Path:
    (folder,) = path.iterdir()
    return folder


def trained(historic, folder: Path, *more: str) -> checkpoint.Checkpoint:
    result = historic(*short_run(folder, *more))
    assert result.returncode == 0, result.stderr
    return checkpoint.load(only_folder(folder) / "2.5")


def same(one: checkpoint.Checkpoint, other: checkpoint.Checkpoint) -> None:
    assert weights_sha256(one.layers) == weights_sha256(other.layers)
    assert one.train_outputs == other.train_outputs
    assert one.test_outputs == other.test_outputs
    for name, layer in one.layers.items():
        for key in ("weightsInc", "weights"):
            for before, after in zip(layer.get(key, []), other.layers[name].get(key, []), strict=True):
                assert before.tobytes() == after.tobytes()


def test_threads_do_not_change_a_bit_but_the_seed_does(historic, tmp_path):
    one = trained(historic, tmp_path / "a", "--threads=1")
    same(one, trained(historic, tmp_path / "b", "--threads=2"))
    other = trained(historic, tmp_path / "c", "--threads=1", "--seed=1")
    assert weights_sha256(one.layers) != weights_sha256(other.layers)


@pytest.mark.parametrize("frequency", [1, 3])
def test_resumed_equals_uninterrupted(historic, tmp_path, frequency):
    more = ("--threads=1", f"--wupdate-freq={frequency}")
    whole = trained(historic, tmp_path / "whole", *more)
    for name in ("1.3", "2.1"):
        start = only_folder(tmp_path / "whole") / name
        result = historic("-f", str(start), "--threads=1", f"--save-path={tmp_path / name}")
        assert result.returncode == 0, result.stderr
        same(whole, checkpoint.load(only_folder(tmp_path / name) / "2.5"))


def test_test_only_gives_the_saved_net_the_same_error(convnet, historic, tmp_path):
    whole = trained(historic, tmp_path / "a", "--threads=1", "--test-freq=10")
    folder = only_folder(tmp_path / "a")
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    result = convnet("test", "-f", str(folder), "--threads=1")
    assert result.returncode == 0, result.stderr
    values = ", ".join(f"{value:.6f}" for value in whole.test_outputs[-1].per_case()["logprob"])
    assert result.stdout.splitlines()[-1] == f"batches 6-6, 359 cases... logprob:  {values}"
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_the_demo(convnet, tmp_path):
    started = time.monotonic()
    result = convnet("demo", "--seed=0", f"--save-path={tmp_path / 'runs'}")
    seconds = time.monotonic() - started
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    error, digest, path, pictures = result.stdout.splitlines()[-4:]
    assert float(re.fullmatch(r"test error: (\d+\.\d\d) %", error)[1]) <= 2
    assert seconds < 60
    saved = checkpoint.load(Path(path.removeprefix("checkpoint: ")))
    assert digest == f"weights sha256: {weights_sha256(saved.layers)}"
    drawn = [Path(name) for name in pictures.removeprefix("pictures: ").split()]
    assert len(drawn) == 2
    for picture in drawn:
        levels = np.asarray(Image.open(picture).convert("L"))
        assert min(levels.shape) > 200 and levels.std() > 10


def test_the_digest_is_over_arrays_in_definition_order():
    weights = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    biases = np.ones((1, 3), np.float32)
    layers = {"b": {"weights": [weights], "biases": biases}, "data": {}, "a": {"weights": [], "biases": biases}}
    expected = np.arange(6, dtype=np.float32).tobytes() + biases.tobytes() * 2
    assert weights_sha256(layers) == hashlib.sha256(expected).hexdigest()


def test_the_demo_takes_only_its_options(convnet):
    result = convnet("demo", "--epochs=3")
    assert result.returncode == 2
    assert result.stderr.startswith("convnet: unknown option '--epochs'")
